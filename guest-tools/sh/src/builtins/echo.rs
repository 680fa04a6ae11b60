//! `echo`.

use crate::{ast::Bytes, execute::Run, options::shopt, parse::push_character, shell::Shell};

pub fn echo(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut newline = true;
    let mut escapes = shell.shopt & shopt::XPG_ECHO != 0;
    let mut rest = &words[1..];
    while let Some(word) = rest.first() {
        let flags = word.strip_prefix(b"-").filter(|flags| {
            !flags.is_empty() && flags.iter().all(|b| matches!(b, b'n' | b'e' | b'E'))
        });
        let Some(flags) = flags else { break };
        for flag in flags {
            match flag {
                b'n' => newline = false,
                b'e' => escapes = true,
                _ => escapes = false,
            }
        }
        rest = &rest[1..];
    }
    let mut out = Bytes::new();
    for (place, word) in rest.iter().enumerate() {
        if place > 0 {
            out.push(b' ');
        }
        if escapes {
            if !unescape(word, &mut out, true) {
                newline = false;
                break;
            }
        } else {
            out.extend_from_slice(word);
        }
    }
    if newline {
        out.push(b'\n');
    }
    Ok(i32::from(!shell.write_out(&out)))
}

/// Expands backslash escapes as `echo -e` (`zero_octal`: only `\0nnn`) and `%b` do; `false` when
/// `\c` ended the output.
pub fn unescape(text: &[u8], out: &mut Bytes, zero_octal: bool) -> bool {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(&escape) = text.get(at) else {
            out.push(b'\\');
            break;
        };
        at += 1;
        let digits = |from: usize, base: u32, most: usize| {
            crate::parse::number(text.get(from..).unwrap_or_default(), base, most)
        };
        match escape {
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'c' => return false,
            b'e' | b'E' => out.push(27),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'\\' => out.push(b'\\'),
            b'0' => {
                let (value, used) = digits(at, 8, 3);
                out.push(value as u8);
                at += used;
            }
            b'1'..=b'7' if !zero_octal => {
                let (value, used) = digits(at - 1, 8, 3);
                out.push(value as u8);
                at += used - 1;
            }
            b'x' => match digits(at, 16, 2) {
                (_, 0) => out.extend_from_slice(b"\\x"),
                (value, used) => {
                    out.push(value as u8);
                    at += used;
                }
            },
            b'u' | b'U' => match digits(at, 16, if escape == b'u' { 4 } else { 8 }) {
                (_, 0) => out.extend_from_slice(&[b'\\', escape]),
                (value, used) => {
                    push_character(out, value);
                    at += used;
                }
            },
            b'"' | b'\'' | b'?' if !zero_octal => out.push(escape),
            other => out.extend_from_slice(&[b'\\', other]),
        }
    }
    true
}
