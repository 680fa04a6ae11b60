//! Names and arguments in messages, quoted as the GNU programs quote them.

use std::{ffi::OsStr, os::wasi::ffi::OsStrExt};

/// `name` always in quotes that a shell reads back (GNU's `quoteaf`): file names in messages.
#[must_use]
pub fn quote(name: impl AsRef<OsStr>) -> String {
    lossy(quoted(name.as_ref().as_bytes()))
}

/// `name` quoted only when a shell would need it, or for a colon (GNU's `quotef`).
#[must_use]
pub fn quote_if_needed(name: impl AsRef<OsStr>) -> String {
    let name = name.as_ref().as_bytes();
    if name.contains(&b':') {
        return quote(OsStr::from_bytes(name));
    }
    lossy(shell_escape(name))
}

/// An argument in messages (GNU's `quote`): ‘x’, and 'x' in the C locale.
#[must_use]
pub fn quote_argument(argument: impl AsRef<OsStr>) -> String {
    let text = argument.as_ref().to_string_lossy();
    let (open, close) = if in_c_locale() {
        ('\'', '\'')
    } else {
        ('‘', '’')
    };
    let mut out = String::from(open);
    for c in text.chars() {
        match (c, letter(c as u32)) {
            (_, Some(letter)) => out.extend(['\\', char::from(letter)]),
            ('\\', _) => out.push_str("\\\\"),
            _ if c == close => out.extend(['\\', c]),
            _ if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("\\{byte:03o}"));
                }
            }
            _ => out.push(c),
        }
    }
    out.push(close);
    out
}

fn in_c_locale() -> bool {
    let value = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|key| std::env::var(key).ok().filter(|value| !value.is_empty()));
    matches!(value.as_deref(), None | Some("C" | "POSIX"))
}

/// `word` as a shell reads it back, without quotes when it needs none.
#[must_use]
pub fn shell_escape(word: &[u8]) -> Vec<u8> {
    let plain = !word.is_empty()
        && word.iter().enumerate().all(|(at, &byte)| match byte {
            b'#' | b'~' => at > 0,
            b'{' | b'}' => word.len() > 1,
            other => !is_special(other),
        })
        && units(word).all(|(_, printable)| printable);
    if plain { word.to_vec() } else { quoted(word) }
}

fn is_special(byte: u8) -> bool {
    b" !\"$&()*;<=>[^`|?\\'".contains(&byte)
}

fn quoted(word: &[u8]) -> Vec<u8> {
    let in_double =
        |byte: u8| byte == b' ' || byte == b'\'' || !is_special(byte) && !b"{}".contains(&byte);
    if word.contains(&b'\'')
        && word.iter().all(|&byte| in_double(byte))
        && units(word).all(|(_, printable)| printable)
    {
        return [b"\"", word, b"\""].concat();
    }
    let mut out = b"'".to_vec();
    let mut escaping = false;
    for (unit, printable) in units(word) {
        match (escaping, printable) {
            (false, false) => out.extend(b"'$'"),
            (true, true) => out.extend(b"''"),
            _ => {}
        }
        escaping = !printable;
        match unit {
            b"'" => out.extend(b"'\\''"),
            _ if printable => out.extend(unit),
            _ => unit.iter().for_each(|&byte| match letter(byte.into()) {
                Some(letter) => out.extend([b'\\', letter]),
                None => out.extend(format!("\\{byte:03o}").bytes()),
            }),
        }
    }
    out.push(b'\'');
    out
}

/// The characters of `word`, and the bytes that are none, each with whether it can be shown.
fn units(word: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    word.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid();
        let characters = valid
            .char_indices()
            .map(move |(at, c)| (&valid.as_bytes()[at..at + c.len_utf8()], !c.is_control()));
        let wrong = Some((chunk.invalid(), false)).filter(|(bytes, _)| !bytes.is_empty());
        characters.chain(wrong)
    })
}

/// The letter of C's escape for a character that has one.
fn letter(character: u32) -> Option<u8> {
    (7..=13)
        .contains(&character)
        .then(|| b"abtnvfr"[character as usize - 7])
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
