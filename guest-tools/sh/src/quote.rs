//! Writing values so that the shell reads them back.

use crate::{ast::Bytes, text::characters};

fn has_control(text: &[u8]) -> bool {
    text.iter().any(|b| b.is_ascii_control()) || std::str::from_utf8(text).is_err()
}

/// `$'..'`.
pub fn ansi(text: &[u8]) -> Bytes {
    let mut out = b"$'".to_vec();
    for piece in characters(text) {
        match piece {
            b"\n" => out.extend_from_slice(b"\\n"),
            b"\t" => out.extend_from_slice(b"\\t"),
            b"\r" => out.extend_from_slice(b"\\r"),
            b"\x07" => out.extend_from_slice(b"\\a"),
            b"\x08" => out.extend_from_slice(b"\\b"),
            b"\x0b" => out.extend_from_slice(b"\\v"),
            b"\x0c" => out.extend_from_slice(b"\\f"),
            b"\x1b" => out.extend_from_slice(b"\\E"),
            b"\\" => out.extend_from_slice(b"\\\\"),
            b"'" => out.extend_from_slice(b"\\'"),
            [byte] if byte.is_ascii_control() || *byte >= 0x80 => {
                out.extend_from_slice(format!("\\{byte:03o}").as_bytes());
            }
            piece => out.extend_from_slice(piece),
        }
    }
    out.push(b'\'');
    out
}

/// `'..'`, as `${x@Q}` and listings of traps write it.
pub fn single(text: &[u8]) -> Bytes {
    if has_control(text) {
        return ansi(text);
    }
    plain_single(text)
}

/// `'..'` whatever is in it.
pub fn plain_single(text: &[u8]) -> Bytes {
    let mut out = vec![b'\''];
    for &byte in text {
        if byte == b'\'' {
            out.extend_from_slice(b"'\\''");
        } else {
            out.push(byte);
        }
    }
    out.push(b'\'');
    out
}

/// `"..."`, as `declare -p` writes it.
pub fn double(text: &[u8]) -> Bytes {
    if has_control(text) {
        return ansi(text);
    }
    let mut out = vec![b'"'];
    for &byte in text {
        if matches!(byte, b'"' | b'\\' | b'$' | b'`') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    out
}

/// `%q`: backslashes where needed.
pub fn backslash(text: &[u8]) -> Bytes {
    if text.is_empty() {
        return b"''".to_vec();
    }
    if has_control(text) {
        return ansi(text);
    }
    let mut out = Bytes::new();
    for (place, &byte) in text.iter().enumerate() {
        let special = b" !\"$&'()*,;<>?[\\]^`{|}".contains(&byte)
            || (place == 0 && matches!(byte, b'#' | b'~'))
            || (byte == b'~' && place > 0 && matches!(text[place - 1], b':' | b'='));
        if special {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// As `set` lists values: quotes only where needed.
pub fn when_needed(text: &[u8]) -> Bytes {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&b) || b >= 0x80;
    if text.iter().all(|&b| plain(b)) {
        text.to_vec()
    } else {
        single(text)
    }
}
