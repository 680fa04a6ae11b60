//! `-printf` and `-ls`.

use std::{
    fs::{self, Metadata},
    os::wasi::ffi::OsStrExt,
};

use guest_unix::{
    entries::{gid2grp, uid2usr},
    fs::MetadataExt,
};

use crate::{
    calendar::Moment,
    evaluate::{Found, letter, time_of},
    expression::Stamp,
};

/// `-rw-r--r--`
fn permissions(metadata: &Metadata) -> String {
    let mode = metadata.mode();
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o020_000 => 'c',
        0o060_000 => 'b',
        0o010_000 => 'p',
        0o140_000 => 's',
        _ => '-',
    };
    let mut out = String::from(kind);
    for (shift, special, set, unset) in [
        (6, 0o4000, 's', 'S'),
        (3, 0o2000, 's', 'S'),
        (0, 0o1000, 't', 'T'),
    ] {
        let bits = mode >> shift;
        out.push(if bits & 4 != 0 { 'r' } else { '-' });
        out.push(if bits & 2 != 0 { 'w' } else { '-' });
        out.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => unset,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    out
}

fn user(metadata: &Metadata) -> String {
    uid2usr(metadata.uid()).unwrap_or_else(|_| metadata.uid().to_string())
}

fn group(metadata: &Metadata) -> String {
    gid2grp(metadata.gid()).unwrap_or_else(|_| metadata.gid().to_string())
}

/// The line of `-ls`.
pub fn listing(file: &Found<'_>) -> String {
    let Some(metadata) = file.metadata() else {
        return String::new();
    };
    let link = match fs::read_link(file.path) {
        Ok(target) if metadata.is_symlink() => format!(" -> {}", target.display()),
        _ => String::new(),
    };
    format!(
        "{:9} {:6} {} {:3} {:<8} {:<8} {:8} {} {}{link}\n",
        metadata.ino(),
        metadata.blocks().div_ceil(2),
        permissions(metadata),
        metadata.nlink(),
        user(metadata),
        group(metadata),
        metadata.len(),
        Moment::new(metadata.mtime()).listed(metadata.mtime()),
        file.path.display(),
    )
}

/// Whether `format` has the directive `%F`, the type of the file system.
pub fn names_file_system(format: &str) -> bool {
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        let kind = match char {
            '\\' => chars.next().and(None),
            '%' => chars.find(|c| !"-0+ #.123456789".contains(*c)),
            _ => None,
        };
        match kind {
            Some('F') => return true,
            // These have a letter of their own, which may be an F.
            Some('A' | 'B' | 'C' | 'T') => drop(chars.next()),
            _ => {}
        }
    }
    false
}

/// Writes `format` with its directives and escapes filled in.
pub fn write(format: &str, file: &Found<'_>, out: &mut Vec<u8>) {
    let chars: Vec<char> = format.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' => {
                let Some(next) = escape(&chars, at + 1, out) else {
                    return;
                };
                at = next;
            }
            '%' => at = directive(&chars, at + 1, file, out),
            other => {
                out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                at += 1;
            }
        }
    }
}

/// Writes an escape; `None` ends the output (`\c`).
fn escape(chars: &[char], at: usize, out: &mut Vec<u8>) -> Option<usize> {
    let byte = match chars.get(at) {
        Some('a') => 7,
        Some('b') => 8,
        Some('f') => 12,
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('t') => b'\t',
        Some('v') => 11,
        Some('\\') => b'\\',
        Some('c') => return None,
        Some('0'..='7') => {
            let digits: String = chars[at..]
                .iter()
                .take(3)
                .take_while(|c| ('0'..='7').contains(*c))
                .collect();
            out.push(u32::from_str_radix(&digits, 8).unwrap_or(0) as u8);
            return Some(at + digits.len());
        }
        _ => {
            out.push(b'\\');
            return Some(at);
        }
    };
    out.push(byte);
    Some(at + 1)
}

fn directive(chars: &[char], mut at: usize, file: &Found<'_>, out: &mut Vec<u8>) -> usize {
    let begin = at;
    let flags: String = chars[at..]
        .iter()
        .take_while(|c| "-0+ #".contains(**c))
        .collect();
    at += flags.len();
    let width: String = chars[at..]
        .iter()
        .take_while(|c| c.is_ascii_digit())
        .collect();
    at += width.len();
    let mut precision = None;
    if chars.get(at) == Some(&'.') {
        let digits: String = chars[at + 1..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .collect();
        at += 1 + digits.len();
        precision = Some(digits.parse::<usize>().unwrap_or(0));
    }
    let Some(&kind) = chars.get(at) else {
        out.push(b'%');
        out.extend(chars[begin..].iter().collect::<String>().bytes());
        return chars.len();
    };
    if kind == '%' {
        out.push(b'%');
        return at + 1;
    }
    let mut used = 1;
    let value = match kind {
        'A' | 'C' | 'T' => {
            used = 2;
            moment(kind, chars.get(at + 1).copied(), file)
        }
        _ => value(kind, file),
    };
    match value {
        Some(mut text) => {
            if let Some(most) = precision {
                text.truncate(most);
            }
            pad(&text, &flags, width.parse().unwrap_or(0), kind, out);
        }
        None => {
            out.push(b'%');
            out.extend(
                chars[begin..(at + used).min(chars.len())]
                    .iter()
                    .collect::<String>()
                    .bytes(),
            );
        }
    }
    (at + used).min(chars.len())
}

fn pad(text: &[u8], flags: &str, width: usize, kind: char, out: &mut Vec<u8>) {
    let missing = width.saturating_sub(String::from_utf8_lossy(text).chars().count());
    let numeric = "bdDGikmnsU".contains(kind);
    let fill = if flags.contains('0') && numeric && !flags.contains('-') {
        b'0'
    } else {
        b' '
    };
    let padding = std::iter::repeat_n(fill, missing);
    if flags.contains('-') {
        out.extend_from_slice(text);
        out.extend(padding);
    } else {
        out.extend(padding);
        out.extend_from_slice(text);
    }
}

fn moment(kind: char, letter: Option<char>, file: &Found<'_>) -> Option<Vec<u8>> {
    let stamp = match kind {
        'A' => Stamp::Accessed,
        'C' => Stamp::Changed,
        _ => Stamp::Modified,
    };
    let (seconds, nanos) = time_of(file.metadata()?, stamp);
    Some(
        Moment::new(seconds)
            .directive(letter?, seconds, nanos)?
            .into_bytes(),
    )
}

fn value(kind: char, file: &Found<'_>) -> Option<Vec<u8>> {
    let path = file.path.as_os_str().as_bytes();
    let start = file.start.as_os_str().as_bytes();
    let text = match kind {
        'p' => return Some(path.to_vec()),
        'f' => return Some(file.name().into_bytes()),
        'H' => return Some(start.to_vec()),
        'P' => {
            let rest = path.get(start.len()..).unwrap_or_default();
            return Some(rest.strip_prefix(b"/").unwrap_or(rest).to_vec());
        }
        'h' => {
            return Some(match path.iter().rposition(|&b| b == b'/') {
                Some(0) => Vec::new(),
                Some(at) => path[..at].to_vec(),
                None => b".".to_vec(),
            });
        }
        'd' => file.depth.to_string(),
        'y' => letter(file.kind).to_string(),
        'Y' => match fs::metadata(file.path) {
            Ok(metadata) => letter(metadata.file_type()).to_string(),
            Err(_) if file.kind.is_symlink() => "N".to_owned(),
            Err(_) => "?".to_owned(),
        },
        'l' => match fs::read_link(file.path) {
            Ok(target) if file.kind.is_symlink() => {
                return Some(target.into_os_string().as_bytes().to_vec());
            }
            _ => String::new(),
        },
        _ => return fact(kind, file.metadata()?).map(String::into_bytes),
    };
    Some(text.into_bytes())
}

fn fact(kind: char, metadata: &Metadata) -> Option<String> {
    let ctime = |(seconds, nanos)| Moment::new(seconds).ctime(nanos);
    Some(match kind {
        's' => metadata.len().to_string(),
        'm' => format!("{:o}", metadata.mode() & 0o7777),
        'M' => permissions(metadata),
        'u' => user(metadata),
        'U' => metadata.uid().to_string(),
        'g' => group(metadata),
        'G' => metadata.gid().to_string(),
        'n' => metadata.nlink().to_string(),
        'i' => metadata.ino().to_string(),
        'D' => metadata.dev().to_string(),
        'k' => metadata.blocks().div_ceil(2).to_string(),
        'b' => metadata.blocks().to_string(),
        'S' => match metadata.len() {
            0 => "1".to_owned(),
            size => {
                let ratio = metadata.blocks() as f64 * 512.0 / size as f64;
                let text = format!("{ratio:.6}");
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        },
        'a' => ctime(time_of(metadata, Stamp::Accessed)),
        'c' => ctime(time_of(metadata, Stamp::Changed)),
        't' => ctime(time_of(metadata, Stamp::Modified)),
        _ => return None,
    })
}
