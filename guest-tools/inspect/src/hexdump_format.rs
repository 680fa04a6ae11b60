//! The format strings of `hexdump -e`, as BSD's hexdump reads and prints them.

/// What a conversion prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Signed,
    Unsigned {
        radix: u32,
        upper: bool,
    },
    Float,
    /// `%c`, `%_c`, `%_p`, `%_u`.
    Character,
    Escaped,
    Printable,
    Named,
    Text,
    /// `%_a`: where the item is; `%_A`: where the data ends, printed once at the end.
    Address {
        radix: u32,
        at_end: bool,
    },
}

/// A conversion with its flags.
#[derive(Debug, Clone)]
pub struct Conversion {
    pub kind: Kind,
    flags: String,
    width: usize,
    precision: Option<usize>,
    pub size: usize,
}

/// Text, then perhaps a conversion.
#[derive(Debug, Clone)]
pub struct Piece {
    pub text: String,
    pub conversion: Option<Conversion>,
}

/// `COUNT/SIZE "FORMAT"`.
#[derive(Debug, Clone)]
pub struct Unit {
    pub count: usize,
    counted: bool,
    pub pieces: Vec<Piece>,
}

impl Unit {
    /// The bytes of one repetition.
    pub fn size(&self) -> usize {
        let conversions = self
            .pieces
            .iter()
            .filter_map(|piece| piece.conversion.as_ref());
        conversions.map(|conversion| conversion.size).sum()
    }
}

/// The units of one `-e`.
#[derive(Debug, Clone)]
pub struct Format {
    pub units: Vec<Unit>,
}

impl Format {
    /// Reads the text of an `-e`.
    ///
    /// # Errors
    /// hexdump's message.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut units = Vec::new();
        let mut chars = text.chars().peekable();
        let bad = || format!("bad format {{{text}}}");
        loop {
            while chars.next_if(|c| c.is_whitespace()).is_some() {}
            if chars.peek().is_none() {
                return Ok(Self { units });
            }
            let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
                let mut digits = String::new();
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                digits
            };
            let count = number(&mut chars);
            while chars.next_if(|c| c.is_whitespace()).is_some() {}
            let mut size = String::new();
            if chars.next_if_eq(&'/').is_some() {
                while chars.next_if(|c| c.is_whitespace()).is_some() {}
                size = number(&mut chars);
                while chars.next_if(|c| c.is_whitespace()).is_some() {}
            }
            if chars.next() != Some('"') {
                return Err(bad());
            }
            let mut format = String::new();
            loop {
                match chars.next().ok_or_else(bad)? {
                    '"' => break,
                    '\\' => {
                        format.push('\\');
                        format.push(chars.next().ok_or_else(bad)?);
                    }
                    c => format.push(c),
                }
            }
            let size = if size.is_empty() {
                None
            } else {
                size.parse().ok()
            };
            let pieces = pieces(&format, size)?;
            let most = 1 << 16;
            let repeat: usize = if count.is_empty() {
                1
            } else {
                count.parse().unwrap_or(most)
            };
            if repeat > most || size.is_some_and(|size: usize| size > most) {
                return Err(bad());
            }
            units.push(Unit {
                count: repeat,
                counted: !count.is_empty(),
                pieces,
            });
        }
    }

    /// The bytes of one application.
    pub fn size(&self) -> usize {
        self.units.iter().map(|unit| unit.count * unit.size()).sum()
    }

    /// A last unit without a count of its own is repeated to fill `block` bytes.
    pub fn fill(&mut self, block: usize) {
        let size = self.size();
        if let Some(unit) = self.units.last_mut()
            && !unit.counted
            && unit.size() > 0
            && size < block
        {
            unit.count += (block - size) / unit.size();
        }
    }
}

fn escape(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        '0' => '\0',
        other => other,
    }
}

fn pieces(format: &str, size: Option<usize>) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next().map(escape)),
            '%' if chars.peek() == Some(&'%') => text.extend(chars.next()),
            '%' => {
                let conversion = conversion(&mut chars, size)?;
                pieces.push(Piece {
                    text: std::mem::take(&mut text),
                    conversion: Some(conversion),
                });
            }
            c => text.push(c),
        }
    }
    let conversions = pieces
        .iter()
        .filter_map(|piece: &Piece| piece.conversion.as_ref());
    if size.is_some() && conversions.filter(|c| c.size > 0).count() > 1 {
        return Err("byte count with multiple conversion characters".to_owned());
    }
    if !text.is_empty() {
        pieces.push(Piece {
            text,
            conversion: None,
        });
    }
    Ok(pieces)
}

fn conversion(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    size: Option<usize>,
) -> Result<Conversion, String> {
    let mut flags = String::new();
    while let Some(flag) = chars.next_if(|c| "-+ 0#".contains(*c)) {
        flags.push(flag);
    }
    let mut number = || {
        let mut digits = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits.parse().unwrap_or(0usize).min(1 << 12)
    };
    let width = number();
    let mut precision = None;
    if chars.next_if_eq(&'.').is_some() {
        let mut digits = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        precision = Some(digits.parse().unwrap_or(0usize).min(1 << 12));
    }
    let letter = chars.next().unwrap_or_default();
    let unsigned = |radix, upper| Kind::Unsigned { radix, upper };
    let (kind, default, allowed): (_, usize, &[usize]) = match letter {
        'd' | 'i' => (Kind::Signed, 4, &[1, 2, 4, 8]),
        'o' => (unsigned(8, false), 4, &[1, 2, 4, 8]),
        'u' => (unsigned(10, false), 4, &[1, 2, 4, 8]),
        'x' => (unsigned(16, false), 4, &[1, 2, 4, 8]),
        'X' => (unsigned(16, true), 4, &[1, 2, 4, 8]),
        'c' => (Kind::Character, 1, &[1]),
        'f' => (Kind::Float, 8, &[4, 8]),
        's' => (Kind::Text, precision.unwrap_or(0), &[]),
        '_' => match chars.next().unwrap_or_default() {
            'c' => (Kind::Escaped, 1, &[1]),
            'p' => (Kind::Printable, 1, &[1]),
            'u' => (Kind::Named, 1, &[1]),
            place @ ('a' | 'A') => {
                let radix = match chars.next().unwrap_or_default() {
                    'd' => 10,
                    'o' => 8,
                    'x' => 16,
                    other => return Err(format!("bad conversion character %_{place}{other}")),
                };
                let at_end = place == 'A';
                (Kind::Address { radix, at_end }, 0, &[])
            }
            other => return Err(format!("bad conversion character %_{other}")),
        },
        other => return Err(format!("bad conversion character %{other}")),
    };
    let is_address = matches!(kind, Kind::Address { .. });
    let size = if is_address {
        0
    } else {
        size.unwrap_or(default)
    };
    if kind == Kind::Text && size == 0 {
        return Err("%s requires a precision or a byte count".to_owned());
    }
    if !allowed.is_empty() && !allowed.contains(&size) {
        return Err(format!("bad byte count for conversion character {letter}"));
    }
    Ok(Conversion {
        kind,
        flags,
        width,
        precision,
        size,
    })
}

impl Conversion {
    /// The text for `bytes`, which are as many as the conversion takes; `None` stands for data
    /// that is not there, which prints as blanks.
    pub fn show(&self, bytes: Option<&[u8]>, address: u64) -> String {
        let Some(bytes) = bytes else {
            return self.pad(String::new(), false);
        };
        let mut wide = [0u8; 8];
        let kept = bytes.len().min(8);
        wide[..kept].copy_from_slice(&bytes[..kept]);
        let value = u64::from_le_bytes(wide);
        match self.kind {
            Kind::Signed => {
                let shift = 64 - 8 * kept as u32;
                self.number((value << shift) as i64 >> shift < 0, {
                    let signed = ((value << shift) as i64) >> shift;
                    signed.unsigned_abs().to_string()
                })
            }
            Kind::Unsigned { radix, upper } => self.number(false, in_radix(value, radix, upper)),
            Kind::Address { radix, .. } => self.number(false, in_radix(address, radix, false)),
            Kind::Float => {
                let number = if kept == 4 {
                    f32::from_bits(value as u32).into()
                } else {
                    f64::from_bits(value)
                };
                self.pad(format!("{number:.*}", self.precision.unwrap_or(6)), true)
            }
            Kind::Text => {
                let end = bytes
                    .iter()
                    .position(|byte| *byte == 0)
                    .unwrap_or(bytes.len());
                self.pad(String::from_utf8_lossy(&bytes[..end]).into_owned(), false)
            }
            Kind::Character => self.pad((value as u8 as char).to_string(), false),
            Kind::Printable => self.pad(printable(value as u8).to_string(), false),
            Kind::Escaped => self.pad(escaped(value as u8), false),
            Kind::Named => self.pad(named(value as u8), false),
        }
    }

    fn number(&self, negative: bool, digits: String) -> String {
        let mut digits = digits;
        if let Some(precision) = self.precision {
            digits = format!("{digits:0>precision$}");
        }
        let sign = match negative {
            true => "-",
            false if matches!(self.kind, Kind::Signed) && self.flags.contains('+') => "+",
            false if matches!(self.kind, Kind::Signed) && self.flags.contains(' ') => " ",
            false => "",
        };
        let prefix = match self.kind {
            Kind::Unsigned { radix: 16, upper } if self.flags.contains('#') && digits != "0" => {
                if upper {
                    "0X"
                } else {
                    "0x"
                }
            }
            Kind::Unsigned { radix: 8, .. } if self.flags.contains('#') => "0",
            _ => "",
        };
        let left = self.flags.contains('-');
        if self.flags.contains('0') && !left && self.precision.is_none() {
            let width = self.width.saturating_sub(sign.len() + prefix.len());
            digits = format!("{digits:0>width$}");
        }
        self.pad(format!("{sign}{prefix}{digits}"), false)
    }

    fn pad(&self, text: String, zeros: bool) -> String {
        let width = self.width;
        if self.flags.contains('-') {
            format!("{text:<width$}")
        } else if zeros && self.flags.contains('0') {
            format!("{text:0>width$}")
        } else {
            format!("{text:>width$}")
        }
    }
}

fn in_radix(value: u64, radix: u32, upper: bool) -> String {
    match (radix, upper) {
        (8, _) => format!("{value:o}"),
        (16, false) => format!("{value:x}"),
        (16, true) => format!("{value:X}"),
        _ => value.to_string(),
    }
}

fn printable(byte: u8) -> char {
    match byte {
        b' '..=b'~' => byte as char,
        _ => '.',
    }
}

fn escaped(byte: u8) -> String {
    let letter = match byte {
        0 => '0',
        7 => 'a',
        8 => 'b',
        b'\t' => 't',
        b'\n' => 'n',
        0x0b => 'v',
        0x0c => 'f',
        b'\r' => 'r',
        b' '..=b'~' => return (byte as char).to_string(),
        _ => return format!("{byte:03o}"),
    };
    format!("\\{letter}")
}

fn named(byte: u8) -> String {
    const NAMES: [&str; 32] = [
        "nul", "soh", "stx", "etx", "eot", "enq", "ack", "bel", "bs", "ht", "lf", "vt", "ff", "cr",
        "so", "si", "dle", "dcs", "dc2", "dc3", "dc4", "nak", "syn", "etb", "can", "em", "sub",
        "esc", "fs", "gs", "rs", "us",
    ];
    match byte {
        0..32 => NAMES[usize::from(byte)].to_owned(),
        127 => "del".to_owned(),
        b' '..=b'~' => (byte as char).to_string(),
        _ => format!("{byte:02x}"),
    }
}
