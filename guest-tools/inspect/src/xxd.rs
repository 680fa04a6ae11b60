//! `xxd`: a hex dump, or a file out of one.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
};

use options::reason;

use crate::{open, stdin, xxd_revert};

const USAGE: &str = "Usage:
       xxd [options] [infile [outfile]]
    or
       xxd -r [-s [-]offset] [-c cols] [-ps] [infile [outfile]]
Options:
    -a          toggle autoskip: A single '*' replaces nul-lines. Default off.
    -b          binary digit dump (incompatible with -ps,-i,-r). Default hex.
    -C          capitalize variable names in C include file style (-i).
    -c cols     format <cols> octets per line. Default 16 (-i: 12, -ps: 30).
    -d          show offset in decimal instead of hex.
    -e          little-endian dump (incompatible with -ps,-i,-r).
    -g bytes    number of octets per group in normal output. Default 2 (-e: 4).
    -h          print this summary.
    -i          output in C include file style.
    -l len      stop after <len> octets.
    -n name     set the variable name used in C include output (-i).
    -o off      add <off> to the displayed file position.
    -ps         output in postscript plain hexdump style.
    -r          reverse operation: convert (or patch) hexdump into binary.
    -r -s off   revert with <off> added to file positions found in hexdump.
    -s [+][-]seek  start at <seek> bytes abs. (or +: rel.) infile offset.
    -u          use upper case hex letters.
    -v          show version.";
/// As xxd.
const COLUMNS_MAX: usize = 256;
/// Bytes of a plain line held at once. Chosen, not measured.
const PIECE: usize = 1 << 15;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Hex,
    Bits,
    Little,
    Plain,
    Include,
}

pub struct Settings {
    pub style: Style,
    pub columns: Option<usize>,
    group: Option<usize>,
    length: u64,
    pub seek: i64,
    offset: i64,
    upper: bool,
    skip_zeros: bool,
    decimal: bool,
    capitalize: bool,
    name: Option<String>,
    revert: bool,
}

/// Runs `xxd`.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let (mut settings, files) = match Settings::read(arguments) {
        Ok(Some(read)) => read,
        Ok(None) => return 0,
        Err(message) => {
            eprintln!("{message}");
            return 1;
        }
    };
    let input: Box<dyn Read> = match files.first() {
        Some(name) if name != "-" => match settings.open(name) {
            Ok(file) => Box::new(file),
            Err(error) => {
                eprintln!("xxd: {name}: {}", reason(&error));
                return 2;
            }
        },
        _ => match settings.skip_stdin() {
            Ok(input) => Box::new(input),
            Err(error) => {
                eprintln!("xxd: {}", reason(&error));
                return 4;
            }
        },
    };
    let mut output: Box<dyn Write> = match files.get(1) {
        Some(name) if name != "-" => match create(name, settings.revert) {
            Ok(file) => Box::new(BufWriter::new(file)),
            Err(error) => {
                eprintln!("xxd: {name}: {}", reason(&error));
                return 3;
            }
        },
        _ => Box::new(BufWriter::new(io::stdout().lock())),
    };
    let input = BufReader::with_capacity(1 << 16, input);
    let name = settings
        .name
        .clone()
        .or_else(|| files.first().filter(|name| *name != "-").cloned());
    let done = if settings.revert {
        // Only a file can be patched in place.
        match files
            .get(1)
            .filter(|name| *name != "-")
            .map(|name| create(name, true))
        {
            Some(Ok(file)) => xxd_revert::into_file(&settings, input, file),
            Some(Err(error)) => Err(error),
            None => xxd_revert::into_stream(&settings, input, &mut output),
        }
    } else {
        let limited = input.take(settings.length);
        match settings.style {
            Style::Plain => settings.plain(limited, &mut output),
            Style::Include => settings.include(limited, name.as_deref(), &mut output),
            _ => settings.dump(limited, &mut output),
        }
    };
    match done.and_then(|()| output.flush()) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("xxd: {}", reason(&error));
            5
        }
    }
}

fn create(name: &str, keep: bool) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(!keep).open(name)
}

/// A number as C reads it: `0x` hex, leading `0` octal.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        i64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8).ok()?
    } else {
        digits.parse().ok()?
    };
    Some(sign * value)
}

impl Settings {
    fn read(arguments: Vec<OsString>) -> Result<Option<(Self, Vec<String>)>, String> {
        let mut settings = Self {
            style: Style::Hex,
            columns: None,
            group: None,
            length: u64::MAX,
            seek: 0,
            offset: 0,
            upper: false,
            skip_zeros: false,
            decimal: false,
            capitalize: false,
            name: None,
            revert: false,
        };
        let mut files = Vec::new();
        let mut rest = arguments
            .into_iter()
            .map(|a| a.to_string_lossy().into_owned());
        while let Some(argument) = rest.next() {
            let Some(option) = argument.strip_prefix('-').filter(|o| !o.is_empty()) else {
                files.push(argument);
                continue;
            };
            if argument == "--" {
                files.extend(rest.by_ref());
                break;
            }
            let option = option.strip_prefix('-').unwrap_or(option);
            match option {
                "h" | "help" => {
                    println!("{USAGE}");
                    return Ok(None);
                }
                "v" | "version" => {
                    println!("xxd (hotcell) {}", env!("CARGO_PKG_VERSION"));
                    return Ok(None);
                }
                _ => {}
            }
            settings.option(option, &mut rest)?;
        }
        if files.len() > 2 {
            return Err(USAGE.to_owned());
        }
        Ok(Some((settings, files)))
    }

    fn option(
        &mut self,
        option: &str,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<(), String> {
        match option {
            "a" | "autoskip" => self.skip_zeros = !self.skip_zeros,
            "b" | "bits" => self.style = Style::Bits,
            "e" => self.style = Style::Little,
            "p" | "ps" | "plain" | "postscript" => self.style = Style::Plain,
            "i" | "include" => self.style = Style::Include,
            "u" | "uppercase" => self.upper = true,
            "d" | "decimal" => self.decimal = true,
            "C" | "capitalize" => self.capitalize = true,
            "r" | "revert" => self.revert = true,
            _ => {
                let names = [
                    ("cols", 'c'),
                    ("groupsize", 'g'),
                    ("len", 'l'),
                    ("seek", 's'),
                    ("skip", 's'),
                    ("offset", 'o'),
                    ("name", 'n'),
                ];
                let long = names.iter().find(|(name, _)| *name == option);
                let mut chars = option.chars();
                let (letter, attached) = match long {
                    Some((_, letter)) => (*letter, ""),
                    None => (chars.next().unwrap_or_default(), chars.as_str()),
                };
                // As xxd, whose options without a value are known by their first letter.
                if "abepiudCr".contains(letter) && option.len() > 1 {
                    return self.option(&option[..1], rest);
                }
                if !"cglson".contains(letter) {
                    return Err(USAGE.to_owned());
                }
                let value = if attached.is_empty() {
                    rest.next().ok_or(USAGE)?
                } else {
                    attached.to_owned()
                };
                self.value(letter, &value)?;
            }
        }
        Ok(())
    }

    fn value(&mut self, letter: char, text: &str) -> Result<(), String> {
        if letter == 'n' {
            self.name = Some(text.to_owned());
            return Ok(());
        }
        let invalid = || format!("xxd: '{text}' is no number for -{letter}");
        let value = number(text).ok_or_else(invalid)?;
        match letter {
            'c' => {
                let columns = u64::try_from(value).map_err(|_| invalid())?;
                // No line is longer than what can be counted.
                let columns = usize::try_from(columns).unwrap_or(usize::MAX);
                if columns > COLUMNS_MAX && self.style != Style::Plain {
                    return Err(format!(
                        "xxd: invalid number of columns (max. {COLUMNS_MAX})."
                    ));
                }
                self.columns = Some(columns);
            }
            'g' => self.group = Some(usize::try_from(value).map_err(|_| invalid())?),
            'l' => self.length = u64::try_from(value).map_err(|_| invalid())?,
            's' => self.seek = value,
            _ => self.offset = value,
        }
        Ok(())
    }

    fn open(&mut self, name: &str) -> io::Result<File> {
        let mut file = open(name)?;
        if self.seek != 0 && !self.revert {
            let place = match self.seek {
                back if back < 0 => SeekFrom::End(back),
                on => SeekFrom::Start(on as u64),
            };
            let reached = file.seek(place)?;
            self.seek = i64::try_from(reached).unwrap_or(i64::MAX);
        }
        Ok(file)
    }

    fn skip_stdin(&self) -> io::Result<impl Read + use<>> {
        let mut input = stdin();
        if self.seek > 0 && !self.revert {
            io::copy(&mut (&mut input).take(self.seek as u64), &mut io::sink())?;
        }
        Ok(input)
    }

    fn hex(&self, byte: u8) -> String {
        if self.upper {
            format!("{byte:02X}")
        } else {
            format!("{byte:02x}")
        }
    }

    fn plain(&self, mut input: impl Read, output: &mut impl Write) -> io::Result<()> {
        // `-c 0` asks for one line. A line may be longer than what is held at once.
        let columns = match self.columns {
            Some(0) => usize::MAX,
            columns => columns.unwrap_or(30),
        };
        let mut left = columns;
        loop {
            let row = row(&mut input, left.min(PIECE))?;
            if row.is_empty() {
                break;
            }
            left -= row.len();
            let text: String = row.iter().map(|byte| self.hex(*byte)).collect();
            output.write_all(text.as_bytes())?;
            if left == 0 {
                left = columns;
                output.write_all(b"\n")?;
            }
        }
        // As xxd, which ends the one line of nothing, too.
        if left < columns || self.columns == Some(0) {
            output.write_all(b"\n")?;
        }
        Ok(())
    }

    fn include(
        &self,
        mut input: impl Read,
        name: Option<&str>,
        output: &mut impl Write,
    ) -> io::Result<()> {
        let name = name.map(|name| self.identifier(name));
        if let Some(name) = &name {
            writeln!(output, "unsigned char {name}[] = {{")?;
        }
        let mut count = 0usize;
        loop {
            let row = row(&mut input, self.columns_or(12))?;
            if row.is_empty() {
                break;
            }
            if count > 0 {
                writeln!(output, ",")?;
            }
            count += row.len();
            let prefix = if self.upper { "0X" } else { "0x" };
            let cells: Vec<_> = row
                .iter()
                .map(|b| format!("{prefix}{}", self.hex(*b)))
                .collect();
            write!(output, "  {}", cells.join(", "))?;
        }
        if count > 0 {
            writeln!(output)?;
        }
        if let Some(name) = &name {
            let length = if self.capitalize { "LEN" } else { "len" };
            writeln!(output, "}};\nunsigned int {name}_{length} = {count};")?;
        }
        Ok(())
    }

    fn identifier(&self, name: &str) -> String {
        let mut out: String = name
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    byte as char
                } else {
                    '_'
                }
            })
            .collect();
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            out.insert_str(0, "__");
        }
        if self.capitalize {
            out.to_uppercase()
        } else {
            out
        }
    }

    /// The columns of a dump, where 0 asks for the usual ones. `-p` may come before them with more.
    fn columns_or(&self, usual: usize) -> usize {
        let asked = self.columns.filter(|columns| *columns > 0);
        asked.unwrap_or(usual).min(COLUMNS_MAX)
    }

    fn dump(&self, mut input: impl Read, output: &mut impl Write) -> io::Result<()> {
        let bits = self.style == Style::Bits;
        let columns = self.columns_or(if bits { 6 } else { 16 });
        let default = match self.style {
            Style::Bits => 1,
            Style::Little => 4,
            _ => 2,
        };
        let group = match self.group.unwrap_or(default) {
            0 => columns,
            group => group,
        };
        let cell = if bits { 8 } else { 2 };
        let width = columns * cell + columns.div_ceil(group);
        let mut address = self.offset + self.seek.max(0);
        let mut zeros = 0u32;
        let mut held: Option<String> = None;
        loop {
            let row = row(&mut input, columns)?;
            if row.is_empty() {
                break;
            }
            let mut text = String::new();
            for part in row.chunks(group) {
                if self.style == Style::Little {
                    let blanks = if part.len() < group {
                        cell * (group - part.len())
                    } else {
                        0
                    };
                    text.extend(std::iter::repeat_n(' ', blanks));
                    text.extend(part.iter().rev().map(|byte| self.hex(*byte)));
                } else if bits {
                    text.extend(part.iter().map(|byte| format!("{byte:08b}")));
                } else {
                    text.extend(part.iter().map(|byte| self.hex(*byte)));
                }
                text.push(' ');
            }
            let shown: String = row.iter().map(|b| printable(*b)).collect();
            let place = if self.decimal {
                format!("{address:08}")
            } else {
                format!("{address:08x}")
            };
            let line = format!("{place}: {text:<width$} {shown}\n");
            address += row.len() as i64;
            if self.skip_zeros && row.iter().all(|byte| *byte == 0) {
                zeros += 1;
                if zeros == 2 {
                    held = Some(line);
                    continue;
                }
                if zeros > 2 {
                    if zeros == 3 {
                        output.write_all(b"*\n")?;
                    }
                    held = Some(line);
                    continue;
                }
            } else {
                // One line of zeros alone is printed as it is.
                if zeros == 2
                    && let Some(line) = &held
                {
                    output.write_all(line.as_bytes())?;
                }
                (zeros, held) = (0, None);
            }
            output.write_all(line.as_bytes())?;
        }
        // The last line says where the file ends.
        held.map_or(Ok(()), |line| output.write_all(line.as_bytes()))
    }
}

fn printable(byte: u8) -> char {
    match byte {
        b' '..=b'~' => byte as char,
        _ => '.',
    }
}

fn row(input: &mut impl Read, columns: usize) -> io::Result<Vec<u8>> {
    let mut row = Vec::with_capacity(columns);
    input.take(columns as u64).read_to_end(&mut row)?;
    Ok(row)
}
