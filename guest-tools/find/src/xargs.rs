//! `xargs [OPTION]... [COMMAND [ARGUMENT]...]`

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufReader, Read, Write},
    os::wasi::ffi::{OsStrExt, OsStringExt},
};

use guest_start::{
    descriptor,
    process::{self, Command, Pid, Status},
};
use options::{Grammar, Line, Takes, quote_argument, reason};

use crate::xargs_input::{Items, Separator};

const GRAMMAR: Grammar = Grammar {
    short: "+0a:d:E:e::I:i::L:l::n:oP:prs:tx",
    long: &[
        ("null", Takes::Nothing, '0' as u32),
        ("arg-file", Takes::Value, 'a' as u32),
        ("delimiter", Takes::Value, 'd' as u32),
        ("eof", Takes::Perhaps, 'e' as u32),
        ("replace", Takes::Perhaps, 'i' as u32),
        ("max-lines", Takes::Perhaps, 'l' as u32),
        ("max-args", Takes::Value, 'n' as u32),
        ("open-tty", Takes::Nothing, 'o' as u32),
        ("max-procs", Takes::Value, 'P' as u32),
        ("interactive", Takes::Nothing, 'p' as u32),
        ("no-run-if-empty", Takes::Nothing, 'r' as u32),
        ("max-chars", Takes::Value, 's' as u32),
        ("verbose", Takes::Nothing, 't' as u32),
        ("exit", Takes::Nothing, 'x' as u32),
        ("process-slot-var", Takes::Value, 1000),
        ("help", Takes::Nothing, 1001),
        ("version", Takes::Nothing, 1002),
    ],
};

/// GNU's default size of a command line.
const BYTES_DEFAULT: usize = 128 * 1024;
const FAILED: i32 = 123;

struct Job {
    command: Vec<OsString>,
    separator: Separator,
    end_word: Option<Vec<u8>>,
    replace: Option<Vec<u8>>,
    lines: Option<usize>,
    arguments: Option<usize>,
    bytes: usize,
    processes: usize,
    skip_empty: bool,
    verbose: bool,
    ask: bool,
    exit_on_overflow: bool,
    slot_variable: Option<OsString>,
    from_file: Option<OsString>,
}

/// Runs `xargs`.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => {
            eprintln!("xargs: {message}\nTry 'xargs --help' for more information.");
            return 1;
        }
    };
    if line.options.iter().any(|found| found.code == 1001) {
        println!("Usage: xargs [OPTION]... COMMAND [INITIAL-ARGS]...");
        return 0;
    }
    if line.options.iter().any(|found| found.code == 1002) {
        println!("xargs (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    let job = match job(line) {
        Ok(job) => job,
        Err(message) => {
            eprintln!("xargs: {message}");
            return 1;
        }
    };
    let input: Box<dyn Read> = match &job.from_file {
        Some(path) => match File::open(path) {
            Ok(file) => Box::new(file),
            Err(error) => {
                eprintln!(
                    "xargs: Cannot open input file {}: {}",
                    quote_argument(path),
                    reason(&error)
                );
                return 1;
            }
        },
        None => Box::new(descriptor::into_file(0)),
    };
    let mut runner = Runner {
        job: &job,
        running: Vec::new(),
        status: 0,
        stop: None,
    };
    let items = Items::new(BufReader::new(input), job.separator, job.end_word.clone());
    runner.all(items)
}

fn job(line: Line) -> Result<Job, String> {
    let mut job = Job {
        command: line.operands,
        separator: Separator::Blanks,
        end_word: None,
        replace: None,
        lines: None,
        arguments: None,
        bytes: BYTES_DEFAULT,
        processes: 1,
        skip_empty: false,
        verbose: false,
        ask: false,
        exit_on_overflow: false,
        slot_variable: None,
        from_file: None,
    };
    for found in &line.options {
        let text = found.text();
        let number = |least| number(&text, found.code, least);
        match char::from_u32(found.code).unwrap_or_default() {
            '0' => job.separator = Separator::Byte(0),
            'd' => job.separator = Separator::Byte(delimiter(&text)?),
            'a' => {
                job.from_file = found
                    .value
                    .clone()
                    .filter(|path| path != b"-")
                    .map(OsString::from_vec)
            }
            'E' | 'e' => job.end_word = found.value.clone().filter(|word| !word.is_empty()),
            'I' | 'i' => {
                job.replace = Some(found.value.clone().unwrap_or_else(|| b"{}".to_vec()));
                (job.lines, job.arguments) = (None, None);
            }
            'L' | 'l' => {
                job.lines = Some(if found.value.is_some() { number(1)? } else { 1 });
                (job.replace, job.arguments) = (None, None);
            }
            'n' => {
                job.arguments = Some(number(1)?);
                if job.arguments != Some(1) || job.replace.is_none() {
                    (job.replace, job.lines) = (None, None);
                }
            }
            'P' => job.processes = number(0)?,
            'p' => (job.ask, job.verbose) = (true, true),
            'r' => job.skip_empty = true,
            's' => job.bytes = number(1)?.min(BYTES_DEFAULT * 16),
            't' => job.verbose = true,
            'x' => job.exit_on_overflow = true,
            '\u{3e8}' => job.slot_variable = found.value.clone().map(OsString::from_vec),
            _ => {}
        }
    }
    if job.replace.is_some() && job.separator == Separator::Blanks {
        job.separator = Separator::Lines;
    }
    if job.command.is_empty() {
        job.command.push("echo".into());
    }
    if job.processes == 0 {
        job.processes = 64; // as many as one call may have at a time
    }
    Ok(job)
}

/// A number as `strtol` reads it: after blanks, with or without a sign.
fn number(text: &str, option: u32, least: usize) -> Result<usize, String> {
    let option = char::from_u32(option).unwrap_or_default();
    let advice = "Try 'xargs --help' for more information.";
    let trimmed = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let value: i64 = trimmed
        .parse()
        .map_err(|_| format!("invalid number \"{text}\" for -{option} option\n{advice}"))?;
    usize::try_from(value)
        .ok()
        .filter(|value| *value >= least)
        .ok_or_else(|| format!("value {text} for -{option} option should be >= {least}\n{advice}"))
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        b"\\n" => Ok(b'\n'),
        b"\\t" => Ok(b'\t'),
        b"\\r" => Ok(b'\r'),
        b"\\a" => Ok(7),
        b"\\b" => Ok(8),
        b"\\f" => Ok(12),
        b"\\v" => Ok(11),
        b"\\\\" => Ok(b'\\'),
        [b'\\', b'x', ..] => numbered_delimiter(text, &text[2..], 16),
        [b'\\', b'0'..=b'9', ..] => numbered_delimiter(text, &text[1..], 8),
        [b'\\', ..] => Err(format!(
            "Invalid escape sequence {text} in input delimiter specification."
        )),
        _ => Err(format!(
            "Invalid input delimiter specification {text}: the delimiter must be either a single character or an escape sequence starting with \\."
        )),
    }
}

/// Digits as `strtoul` reads them, so that none at all mean 0.
fn numbered_delimiter(whole: &str, digits: &str, base: u32) -> Result<u8, String> {
    let start = digits.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (negative, start) = match start.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, start.strip_prefix('+').unwrap_or(start)),
    };
    let prefixed = start
        .strip_prefix("0x")
        .or_else(|| start.strip_prefix("0X"));
    let start = prefixed.filter(|_| base == 16).unwrap_or(start);
    let end = start
        .find(|c: char| !c.is_digit(base))
        .unwrap_or(start.len());
    if end < start.len() || start.is_empty() && !digits.is_empty() {
        return Err(format!(
            "Invalid escape sequence {whole} in input delimiter specification; trailing characters {} not recognised.",
            &start[end..]
        ));
    }
    let value = if start.is_empty() {
        Ok(0)
    } else {
        u64::from_str_radix(start, base)
    };
    let value = value.ok().filter(|value| !negative || *value == 0);
    value.and_then(|value| u8::try_from(value).ok()).ok_or_else(|| {
        let most = if base == 16 { "ff" } else { "377" };
        format!(
            "Invalid escape sequence {whole} in input delimiter specification; character values must not exceed {most}."
        )
    })
}

struct Runner<'a> {
    job: &'a Job,
    running: Vec<(Pid, usize)>,
    status: i32,
    /// Set when no more commands may start.
    stop: Option<i32>,
}

impl Runner<'_> {
    fn all(&mut self, items: Items<impl io::BufRead>) -> i32 {
        let result = if self.job.replace.is_some() {
            self.one_by_one(items)
        } else {
            self.batches(items)
        };
        while !self.running.is_empty() {
            self.wait_for_one();
        }
        if let Err(error) = result {
            eprintln!("xargs: {error}");
            return 1;
        }
        self.stop.unwrap_or(self.status)
    }

    fn one_by_one(&mut self, mut items: Items<impl io::BufRead>) -> Result<(), String> {
        let mark = self.job.replace.clone().unwrap_or_default();
        while let Some(item) = items.next()? {
            if self.stop.is_some() {
                break;
            }
            let (name, rest) = self.job.command.split_first().ok_or("no command")?;
            let mut words = vec![name.as_bytes().to_vec()];
            if name.len() >= self.job.bytes {
                return Err(
                    "can not fit single argument within argument list size limit".to_owned(),
                );
            }
            for word in rest {
                words.push(replace(word.as_bytes(), &mark, &item.text));
            }
            if words.iter().any(|word| word.len() >= self.job.bytes) {
                return Err("command too long".to_owned());
            }
            if bytes_of(&words) > self.job.bytes {
                return Err("argument list too long".to_owned());
            }
            self.start(words);
        }
        Ok(())
    }

    fn batches(&mut self, mut items: Items<impl io::BufRead>) -> Result<(), String> {
        let command = self.job.command.iter();
        let head: Vec<Vec<u8>> = command.map(|word| word.as_bytes().to_vec()).collect();
        let head_bytes = bytes_of(&head);
        if head_bytes > self.job.bytes {
            return Err("can not fit single argument within argument list size limit".to_owned());
        }
        let (mut words, mut bytes, mut lines, mut any) = (Vec::new(), head_bytes, 0, false);
        loop {
            let item = match items.next() {
                Ok(Some(item)) if head_bytes + item.text.len() < self.job.bytes => item,
                Ok(None) => break,
                refused => {
                    // What came before a wrong item still runs.
                    if !words.is_empty() && self.stop.is_none() && !self.job.exit_on_overflow {
                        self.start([head, words].concat());
                    }
                    return Err(refused
                        .err()
                        .unwrap_or_else(|| "argument line too long".to_owned()));
                }
            };
            if self.stop.is_some() {
                return Ok(());
            }
            let length = item.text.len() + 1;
            if bytes + length > self.job.bytes && !words.is_empty() {
                if self.job.exit_on_overflow
                    && (self.job.arguments.is_some() || self.job.lines.is_some())
                {
                    return Err("argument list too long".to_owned());
                }
                self.start([head.clone(), std::mem::take(&mut words)].concat());
                (bytes, lines, any) = (head_bytes, 0, true);
            }
            bytes += length;
            lines += usize::from(item.ends_line);
            words.push(item.text);
            let full = self.job.arguments.is_some_and(|most| words.len() >= most)
                || self.job.lines.is_some_and(|most| lines >= most);
            if full {
                self.start([head.clone(), std::mem::take(&mut words)].concat());
                (bytes, lines, any) = (head_bytes, 0, true);
            }
        }
        if self.stop.is_none() && (!words.is_empty() || !any && !self.job.skip_empty) {
            self.start([head, words].concat());
        }
        Ok(())
    }

    fn start(&mut self, words: Vec<Vec<u8>>) {
        while self.running.len() >= self.job.processes {
            self.wait_for_one();
        }
        if self.stop.is_some() || self.job.verbose && !self.announced(&words) {
            return;
        }
        let slot = (0..)
            .find(|slot| !self.running.iter().any(|(_, used)| used == slot))
            .unwrap_or(0);
        match self.spawn(&words, slot) {
            Ok(pid) => {
                self.running.push((pid, slot));
                if self.job.processes == 1 {
                    self.wait_for_one();
                }
            }
            Err(error) => {
                let missing = error.kind() == io::ErrorKind::NotFound;
                eprintln!(
                    "xargs: {}: {}",
                    OsStr::from_bytes(&words[0]).display(),
                    reason(&error)
                );
                self.stop = Some(if missing { 127 } else { 126 });
            }
        }
    }

    /// Prints the command; false when it was asked for and refused.
    fn announced(&self, words: &[Vec<u8>]) -> bool {
        let shown: Vec<_> = words
            .iter()
            .map(|word| String::from_utf8_lossy(&options::shell_escape(word)).into_owned())
            .collect();
        let mut stderr = io::stderr();
        let _ = write!(
            stderr,
            "{}{}",
            shown.join(" "),
            if self.job.ask { "?..." } else { "\n" }
        );
        if !self.job.ask {
            return true;
        }
        let mut answer = String::new();
        let _ = BufReader::new(io::stdin()).read_to_string(&mut answer);
        answer.starts_with(['y', 'Y'])
    }

    fn spawn(&self, words: &[Vec<u8>], slot: usize) -> io::Result<Pid> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin".into());
        let program = process::find_program(OsStr::from_bytes(&words[0]), &path)
            .ok_or_else(|| io::Error::from_raw_os_error(44))?; // ENOENT
        let mut command = Command::new(program);
        command.inherit_env();
        if let Some(variable) = &self.job.slot_variable {
            command.env(variable, slot.to_string());
        }
        for word in words {
            command.arg(OsStr::from_bytes(word));
        }
        if self.job.from_file.is_some() {
            return command.spawn();
        }
        let nothing = descriptor::open("/dev/null", descriptor::flag::READ, 0)?;
        command.descriptor(0, nothing);
        let pid = command.spawn();
        descriptor::close(nothing);
        pid
    }

    fn wait_for_one(&mut self) {
        let pids: Vec<Pid> = self.running.iter().map(|(pid, _)| *pid).collect();
        let status = match process::wait(&pids, None) {
            Ok(Some((pid, status))) => {
                self.running.retain(|(running, _)| *running != pid);
                status
            }
            Ok(None) => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(_) => return self.running.clear(),
        };
        let name = self.job.command[0].display();
        match status {
            Status::Exited(0) => {}
            Status::Exited(255) => {
                eprintln!("xargs: {name}: exited with status 255; aborting");
                self.stop = Some(124);
            }
            Status::Exited(126 | 127) => self.stop = Some(i32::from(status.code())),
            Status::Exited(_) => self.status = FAILED,
            Status::Signaled(signal) => {
                eprintln!("xargs: {name}: terminated by signal {signal}");
                self.stop = Some(125);
            }
        }
    }
}

/// The size of a command line: its words, each with the NUL that ends it.
fn bytes_of(words: &[Vec<u8>]) -> usize {
    words.iter().map(|word| word.len() + 1).sum()
}

fn replace(word: &[u8], mark: &[u8], text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len() + text.len());
    let mut at = 0;
    while at < word.len() {
        if !mark.is_empty() && word[at..].starts_with(mark) {
            out.extend_from_slice(text);
            at += mark.len();
        } else {
            out.push(word[at]);
            at += 1;
        }
    }
    out
}
