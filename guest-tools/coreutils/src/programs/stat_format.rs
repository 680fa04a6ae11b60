//! The directives of `stat --format`.

use std::{fs::Metadata, path::Path};

use guest_unix::{
    entries::{gid2grp, uid2usr},
    fs::{MetadataExt, major, minor},
};
use options::{quote, quote_if_needed};

/// A file to describe.
pub struct Subject<'a> {
    pub path: &'a Path,
    pub metadata: &'a Metadata,
    /// Whether `%N` quotes names that need no quoting.
    pub always_quote: bool,
}

/// `%[flags][width][.precision][H|L]letter`
#[derive(Default)]
struct Directive {
    minus: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

impl Subject<'_> {
    /// Writes `format` with its directives filled in.
    pub fn write(&self, format: &[u8], out: &mut Vec<u8>) {
        let mut at = 0;
        while at < format.len() {
            if format[at] != b'%' {
                out.push(format[at]);
                at += 1;
                continue;
            }
            at = self.directive(format, at + 1, out);
        }
    }

    fn directive(&self, format: &[u8], mut at: usize, out: &mut Vec<u8>) -> usize {
        let start = at;
        let mut directive = Directive::default();
        while let Some(&byte) = format.get(at) {
            match byte {
                b'-' => directive.minus = true,
                b'0' => directive.zero = true,
                b'+' => directive.plus = true,
                b' ' => directive.space = true,
                b'#' => directive.alternate = true,
                b'\'' | b'I' => {}
                _ => break,
            }
            at += 1;
        }
        let number = |at: &mut usize| {
            let digits = format[*at..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count();
            let text = String::from_utf8_lossy(&format[*at..*at + digits]).into_owned();
            *at += digits;
            text.parse::<usize>().unwrap_or(0)
        };
        directive.width = number(&mut at);
        if format.get(at) == Some(&b'.') {
            at += 1;
            directive.precision = Some(number(&mut at));
        }
        let mut half = None;
        if let (Some(&byte @ (b'H' | b'L')), Some(b'd' | b'r')) =
            (format.get(at), format.get(at + 1))
        {
            half = Some(byte);
            at += 1;
        }
        match format.get(at) {
            None => {
                out.push(b'%');
                out.extend_from_slice(&format[start..]);
                format.len()
            }
            Some(b'%') => {
                out.push(b'%');
                at + 1
            }
            Some(&letter) => {
                self.value(letter, half, &directive, out);
                at + 1
            }
        }
    }

    fn value(&self, letter: u8, half: Option<u8>, directive: &Directive, out: &mut Vec<u8>) {
        let m = self.metadata;
        let permissions = m.mode() & 0o7777;
        let device = |id: u64| match half {
            Some(b'H') => major(id).into(),
            Some(_) => minor(id).into(),
            None => id,
        };
        let number = |value: u64, out: &mut Vec<u8>| directive.number(&value.to_string(), out);
        match letter {
            b'a' if directive.alternate => directive.number(&format!("0{permissions:o}"), out),
            b'a' => directive.number(&format!("{permissions:o}"), out),
            b'A' => directive.text(&uucore::fs::display_permissions_unix(m.mode(), true), out),
            b'b' => number(m.blocks(), out),
            b'B' => number(512, out),
            b'C' => directive.text("?", out),
            b'd' => number(device(m.dev()), out),
            b'D' => directive.number(&format!("{:x}", m.dev()), out),
            b'f' => directive.number(&format!("{:x}", m.mode()), out),
            b'F' => directive.text(self.kind(), out),
            b'g' => number(m.gid().into(), out),
            b'G' => directive.text(&gid2grp(m.gid()).unwrap_or_else(|_| "UNKNOWN".into()), out),
            b'h' => number(m.nlink(), out),
            b'i' => number(m.ino(), out),
            b'm' => directive.text(self.mount(), out),
            b'n' => directive.text(&self.path.to_string_lossy(), out),
            b'N' => directive.text(&self.quoted(), out),
            b'o' => number(m.blksize().max(4096), out),
            b'r' => number(device(m.rdev()), out),
            b'R' => directive.number(&format!("{:x}", m.rdev()), out),
            b's' => number(m.len(), out),
            b't' => directive.number(&format!("{:x}", major(m.rdev())), out),
            b'T' => directive.number(&format!("{:x}", minor(m.rdev())), out),
            b'u' => number(m.uid().into(), out),
            b'U' => directive.text(&uid2usr(m.uid()).unwrap_or_else(|_| "UNKNOWN".into()), out),
            b'w' => directive.text("-", out),
            b'W' => number(0, out),
            b'x' => directive.text(&calendar(m.atime(), m.atime_nsec()), out),
            b'X' => directive.seconds(m.atime(), m.atime_nsec(), out),
            b'y' => directive.text(&calendar(m.mtime(), m.mtime_nsec()), out),
            b'Y' => directive.seconds(m.mtime(), m.mtime_nsec(), out),
            b'z' => directive.text(&calendar(m.ctime(), m.ctime_nsec()), out),
            b'Z' => directive.seconds(m.ctime(), m.ctime_nsec(), out),
            _ => out.push(b'?'),
        }
    }

    fn kind(&self) -> &'static str {
        match self.metadata.mode() & 0o170_000 {
            0o100_000 if self.metadata.len() == 0 => "regular empty file",
            0o100_000 => "regular file",
            0o040_000 => "directory",
            0o120_000 => "symbolic link",
            0o020_000 => "character special file",
            0o060_000 => "block special file",
            0o010_000 => "fifo",
            0o140_000 => "socket",
            _ => "weird file",
        }
    }

    fn mount(&self) -> &'static str {
        let absolute = std::fs::canonicalize(self.path).unwrap_or_default();
        ["/workspace", "/tmp", "/dev"]
            .into_iter()
            .find(|mount| absolute.starts_with(mount))
            .unwrap_or("/")
    }

    fn quoted(&self) -> String {
        let quoting = |path: &Path| {
            if self.always_quote {
                quote(path)
            } else {
                quote_if_needed(path)
            }
        };
        let name = quoting(self.path);
        match std::fs::read_link(self.path) {
            Ok(target) if self.metadata.is_symlink() => format!("{name} -> {}", quoting(&target)),
            _ => name,
        }
    }
}

impl Directive {
    fn pad(&self, text: &str, zero: bool, out: &mut Vec<u8>) {
        let missing = self.width.saturating_sub(text.chars().count());
        let fill = if zero && !self.minus { b'0' } else { b' ' };
        let padding = std::iter::repeat_n(fill, missing);
        if self.minus {
            out.extend_from_slice(text.as_bytes());
            out.extend(padding);
        } else {
            out.extend(padding);
            out.extend_from_slice(text.as_bytes());
        }
    }

    fn text(&self, text: &str, out: &mut Vec<u8>) {
        let cut: String = text
            .chars()
            .take(self.precision.unwrap_or(usize::MAX))
            .collect();
        self.pad(&cut, false, out);
    }

    fn number(&self, digits: &str, out: &mut Vec<u8>) {
        let sign = if self.plus {
            "+"
        } else if self.space {
            " "
        } else {
            ""
        };
        self.pad(&format!("{sign}{digits}"), self.zero, out);
    }

    fn seconds(&self, seconds: i64, nanos: i64, out: &mut Vec<u8>) {
        let text = match self.precision {
            None => seconds.to_string(),
            Some(0) => format!("{seconds}.{nanos:09}"),
            Some(digits) => {
                let fraction = format!("{nanos:09}");
                let kept: String = fraction
                    .chars()
                    .chain(std::iter::repeat('0'))
                    .take(digits)
                    .collect();
                format!("{seconds}.{kept}")
            }
        };
        self.number(&text, out);
    }
}

/// `2026-11-23 18:14:49.961346469 +0000`; guests live in UTC.
pub fn calendar(seconds: i64, nanos: i64) -> String {
    let days = seconds.div_euclid(86_400);
    let rest = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{nanos:09} +0000")
}

/// The date that is `days` after 1970-01-01 (Howard Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The backslash escapes of `--printf`.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'a') => out.push(7),
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'v') => out.push(11),
            Some(b'e') => out.push(27),
            Some(digit @ b'0'..=b'7') => {
                let mut value = u32::from(digit - b'0');
                for _ in 0..2 {
                    match bytes.peek() {
                        Some(next @ b'0'..=b'7') => {
                            value = value * 8 + u32::from(next - b'0');
                            bytes.next();
                        }
                        _ => break,
                    }
                }
                out.push(value as u8);
            }
            Some(other) => out.push(other),
            None => out.push(b'\\'),
        }
    }
    out
}
