//! Bracket expressions.

/// Rewrites the bracket expression whose text begins at `at` (after `[`); answers it and where it
/// ends.
pub fn translate(
    text: &[char],
    mut at: usize,
    terminator: &str,
    awk: bool,
) -> Result<(String, usize), String> {
    const UNMATCHED: &str = "Unmatched [, [^, [:, [., or [=";
    let negated = text.get(at) == Some(&'^');
    at += usize::from(negated);
    let mut out = String::from(if negated { "[^" } else { "[" });
    if negated {
        out.push_str(terminator);
    }
    let first = at;
    loop {
        let c = *text.get(at).ok_or(UNMATCHED)?;
        if c == ']' && at > first {
            at += 1;
            break;
        }
        if c == '[' && matches!(text.get(at + 1), Some(':')) {
            let (name, end) = named(text, at + 2, ':').ok_or(UNMATCHED)?;
            out.push_str(set(&name)?);
            at = end;
            continue;
        }
        let (low, after) = element(text, at, awk).ok_or(UNMATCHED)?;
        at = after;
        let is_range = text.get(at) == Some(&'-') && text.get(at + 1).is_some_and(|c| *c != ']');
        if !is_range {
            push(low, &mut out);
            continue;
        }
        let (high, after) = element(text, at + 1, awk).ok_or(UNMATCHED)?;
        at = after;
        if high < low {
            return Err("Invalid range end".to_owned());
        }
        push(low, &mut out);
        out.push('-');
        push(high, &mut out);
    }
    out.push(']');
    Ok((out, at))
}

/// One character: itself, `[.x.]`, `[=x=]`, or in awk an escape.
fn element(text: &[char], at: usize, awk: bool) -> Option<(char, usize)> {
    let c = *text.get(at)?;
    if c == '['
        && let Some(&kind @ ('.' | '=')) = text.get(at + 1)
    {
        let (name, end) = named(text, at + 2, kind)?;
        let mut chars = name.chars();
        return match (chars.next(), chars.next()) {
            (Some(one), None) => Some((one, end)),
            _ => None,
        };
    }
    if awk && c == '\\' {
        let escaped = *text.get(at + 1)?;
        let plain = match escaped {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'a' => '\u{7}',
            'b' => '\u{8}',
            other => other,
        };
        return Some((plain, at + 2));
    }
    Some((c, at + 1))
}

/// The name up to `kind]`, and where it ends.
fn named(text: &[char], at: usize, kind: char) -> Option<(String, usize)> {
    let end = (at..text.len()).find(|&i| text[i] == kind && text.get(i + 1) == Some(&']'))?;
    Some((text[at..end].iter().collect(), end + 2))
}

fn set(name: &str) -> Result<&'static str, String> {
    Ok(match name {
        "alpha" => "\\p{Alphabetic}",
        "digit" => "0-9",
        "alnum" => "\\p{Alphabetic}\\p{Nd}",
        "upper" => "\\p{Uppercase}",
        "lower" => "\\p{Lowercase}",
        "space" => {
            "\\t-\\r \\u{1680}\\u{2000}-\\u{2006}\\u{2008}-\\u{200a}\\u{2028}\\u{2029}\\u{205f}\\u{3000}"
        }
        "blank" => " \\t",
        "punct" => "!-/:-@\\[-`{-~\\p{P}\\p{S}",
        "print" => " -~\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Zs}",
        "graph" => "!-~\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}",
        "cntrl" => "\\x00-\\x1f\\x7f",
        "xdigit" => "0-9A-Fa-f",
        _ => return Err("Invalid character class name".to_owned()),
    })
}

fn push(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\0' => out.push_str("\\x00"),
        _ if c.is_ascii_punctuation() || c == ' ' => {
            if c != ' '
                && c != '_'
                && c != '<'
                && c != '>'
                && c != '\''
                && c != '"'
                && c != '`'
                && c != ','
                && c != '/'
                && c != ':'
                && c != ';'
                && c != '='
                && c != '@'
                && c != '!'
                && c != '%'
            {
                out.push('\\');
            }
            out.push(c);
        }
        _ => out.push(c),
    }
}
