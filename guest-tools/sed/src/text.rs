//! Escapes that GNU sed reads before anything else.

/// The byte or character that an escape of a number stands for, and the length of the escape's
/// text after the backslash; `None` when `text` (after the backslash) is no such escape.
pub fn escape(text: &[u8]) -> Option<(char, usize)> {
    let number = |radix: u32, most: usize| {
        let digits = text[1..]
            .iter()
            .take(most)
            .take_while(|b| (**b as char).is_digit(radix))
            .count();
        if digits == 0 {
            return None;
        }
        let value = std::str::from_utf8(&text[1..=digits]).ok()?;
        let value = u32::from_str_radix(value, radix).ok()? & 0xff;
        Some((char::from_u32(value)?, 1 + digits))
    };
    match text.first()? {
        b'a' => Some(('\u{7}', 1)),
        b'f' => Some(('\u{c}', 1)),
        b'n' => Some(('\n', 1)),
        b'r' => Some(('\r', 1)),
        b't' => Some(('\t', 1)),
        b'v' => Some(('\u{b}', 1)),
        b'd' => number(10, 3),
        b'o' => number(8, 3),
        b'x' => number(16, 2),
        b'c' => text
            .get(1)
            .map(|c| ((c.to_ascii_uppercase() ^ 0x40) as char, 2)),
        _ => None,
    }
}

/// Replaces those escapes in a regular expression; what they stand for is taken literally.
pub fn in_expression(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let (mut at, mut in_class) = (0, false);
    while at < text.len() {
        match text[at] {
            b'\\' if at + 1 < text.len() => {
                let known = escape(&text[at + 1..]);
                match known {
                    Some((c, length)) => {
                        if !in_class
                            && b"$*.[\\]^+?(){}|".contains(&(c as u32 as u8))
                            && c.is_ascii()
                        {
                            out.push(b'\\');
                        }
                        push(c, &mut out);
                        at += 1 + length;
                    }
                    None => {
                        out.push(b'\\');
                        if !in_class {
                            out.push(text[at + 1]);
                            at += 1;
                        }
                        at += 1;
                    }
                }
                continue;
            }
            b'[' if !in_class => {
                in_class = true;
                out.push(b'[');
                at += 1;
                if text.get(at) == Some(&b'^') {
                    out.push(b'^');
                    at += 1;
                }
                if text.get(at) == Some(&b']') {
                    out.push(b']');
                    at += 1;
                }
                continue;
            }
            b'[' if matches!(text.get(at + 1), Some(b':' | b'.' | b'=')) => {
                // A named class ends in its own bracket.
                let kind = text[at + 1];
                let end = (at + 2..text.len())
                    .find(|&i| text[i] == kind && text.get(i + 1) == Some(&b']'));
                if let Some(end) = end {
                    out.extend_from_slice(&text[at..end + 2]);
                    at = end + 2;
                    continue;
                }
            }
            b']' => in_class = false,
            _ => {}
        }
        out.push(text[at]);
        at += 1;
    }
    out
}

/// Numbers name bytes; other characters are written as UTF-8.
pub fn push(c: char, out: &mut Vec<u8>) {
    out.push(c as u32 as u8);
}
