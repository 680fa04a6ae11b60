//! `${x@Q}` and its relatives.

use super::parameter::{Found, Target};
use crate::{
    ast::{Bytes, Parameter},
    execute::{Run, Unwind},
    quote,
    shell::Shell,
    text,
};

impl Shell {
    pub fn transform(
        &mut self,
        letter: u8,
        parameter: &Parameter,
        target: &Target,
        found: Found,
    ) -> Run<Found> {
        let map_all = |found: Found, each: &mut dyn FnMut(&[u8]) -> Bytes| match found {
            Found::Unset => Found::Unset,
            Found::Text(text) => Found::Text(each(&text)),
            Found::List { items, star } => Found::List {
                items: items.iter().map(|item| each(item)).collect(),
                star,
            },
        };
        if matches!(found, Found::Unset) && self.options.nounset && letter != b'a' {
            self.unbound_parameter(parameter)?;
        }
        Ok(match letter {
            b'Q' => map_all(found, &mut |text| quote::single(text)),
            b'U' => map_all(found, &mut |text| text::map_case(text, text::upper)),
            b'L' => map_all(found, &mut |text| text::map_case(text, text::lower)),
            b'u' => map_all(found, &mut |value| {
                let mut out = Bytes::new();
                let length = text::character_length(value);
                text::map_one(&value[..length], text::upper, &mut out);
                out.extend_from_slice(&value[length..]);
                out
            }),
            b'E' => map_all(found, &mut |text| crate::parse::ansi_quoted(text)),
            b'P' => match found {
                Found::Text(text) => Found::Text(self.prompt(&text)?),
                other => other,
            },
            b'a' => self.letters(target, found),
            b'A' => self.assignment_text(target, found),
            b'K' | b'k' => self.pairs(letter, target, found),
            _ => return Err(Unwind::Discard(1)),
        })
    }

    fn letters(&mut self, target: &Target, found: Found) -> Found {
        let (Target::Variable(name) | Target::Element(name, _) | Target::All(name, _)) = target
        else {
            return match found {
                Found::Text(_) => Found::Text(Bytes::new()),
                other => other,
            };
        };
        let (name, _) = self.follow(*name);
        if self.variable(name).is_none() {
            return Found::Unset;
        }
        let letters = self.attribute_letters(name).into_bytes();
        match found {
            Found::List { items, star } => Found::List {
                items: items.iter().map(|_| letters.clone()).collect(),
                star,
            },
            _ => Found::Text(letters),
        }
    }

    fn assignment_text(&mut self, target: &Target, found: Found) -> Found {
        match (target, found) {
            (Target::All(name, _), Found::List { items, .. }) if !items.is_empty() => {
                let text = self.declaration(*name);
                Found::Text(text.trim_ascii_end().to_vec())
            }
            (Target::Variable(name), Found::Text(value)) => {
                let letters = self.attribute_letters(*name);
                let mut out = Bytes::new();
                if !letters.is_empty() {
                    out.extend_from_slice(format!("declare -{letters} ").as_bytes());
                }
                out.extend_from_slice(name.text());
                out.push(b'=');
                out.extend(quote::single(&value));
                Found::Text(out)
            }
            (Target::Special(_), Found::List { items, .. }) => {
                let mut out = b"set --".to_vec();
                for item in items {
                    out.push(b' ');
                    out.extend(quote::single(&item));
                }
                Found::Text(out)
            }
            (_, Found::Text(value)) => Found::Text(quote::single(&value)),
            (_, other) => other,
        }
    }

    fn pairs(&mut self, letter: u8, target: &Target, found: Found) -> Found {
        match (target, found) {
            (Target::All(name, star), _) => {
                let items = self.items(*name);
                if letter == b'k' {
                    let items = items
                        .into_iter()
                        .flat_map(|(key, value)| [key, value])
                        .collect();
                    return Found::List { items, star: *star };
                }
                let mut out = Bytes::new();
                let associative = self.is_associative(*name);
                for (key, value) in items {
                    out.extend(quote::when_needed(&key));
                    out.push(b' ');
                    out.extend(quote::double(&value));
                    out.push(b' ');
                }
                if !associative {
                    out.pop();
                }
                Found::Text(out)
            }
            (_, Found::Text(value)) => Found::Text(quote::single(&value)),
            (_, other) => other,
        }
    }

    /// Expands what a prompt string may hold.
    pub fn prompt(&mut self, text: &[u8]) -> Run<Bytes> {
        let expands = self.shopt & crate::options::shopt::PROMPTVARS != 0;
        // Text put in for an escape is not expanded again.
        let plain = |text: &[u8], out: &mut Bytes| {
            for &byte in text {
                if expands && matches!(byte, b'$' | b'`' | b'\\' | b'"') {
                    out.push(b'\\');
                }
                out.push(byte);
            }
        };
        let mut out = Bytes::new();
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            at += 1;
            if byte != b'\\' {
                out.push(byte);
                continue;
            }
            let Some(&escape) = text.get(at) else { break };
            at += 1;
            match escape {
                b'u' => out.extend_from_slice(b"agent"),
                b'h' | b'H' => out.extend(self.get_text(crate::known::HOSTNAME)),
                b'w' => {
                    let path = self.tilde_path(&self.cwd.clone());
                    plain(&path, &mut out);
                }
                b'W' => {
                    let path = self.tilde_path(&self.cwd.clone());
                    let name = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
                    plain(if path == b"/" { b"/" } else { name }, &mut out);
                }
                b'$' => out.push(b'$'),
                b'n' => out.push(b'\n'),
                b'r' => out.push(b'\r'),
                b'a' => out.push(7),
                b'e' => out.push(27),
                b's' => out.extend_from_slice(b"bash"),
                b'v' => out.extend_from_slice(b"5.2"),
                b'V' => out.extend_from_slice(b"5.2.0"),
                b'j' => out.extend(self.jobs.len().to_string().bytes()),
                b'!' => out.extend(self.history.next_number().to_string().bytes()),
                b'#' => out.push(b'1'),
                b'[' | b']' => {}
                b'l' => out.extend_from_slice(b"tty"),
                b'0'..=b'7' => {
                    let digits = text[at - 1..]
                        .iter()
                        .take(3)
                        .take_while(|b| matches!(b, b'0'..=b'7'));
                    let (length, value) = digits.fold((0, 0u32), |(n, value), b| {
                        (n + 1, value * 8 + u32::from(b - b'0'))
                    });
                    at += length - 1;
                    out.push(value as u8);
                }
                b'\\' => out.push(b'\\'),
                b't' | b'T' | b'A' | b'@' | b'd' => {
                    let format: &[u8] = match escape {
                        b't' => b"%H:%M:%S",
                        b'T' => b"%I:%M:%S",
                        b'A' => b"%H:%M",
                        b'@' => b"%I:%M %p",
                        _ => b"%a %b %d",
                    };
                    out.extend(crate::builtins::format_time(format, None));
                }
                b'D' if text.get(at) == Some(&b'{') => {
                    let rest = &text[at + 1..];
                    let length = rest.iter().position(|&b| b == b'}').unwrap_or(rest.len());
                    let format: &[u8] = match &rest[..length] {
                        b"" => b"%H:%M:%S",
                        format => format,
                    };
                    plain(&crate::builtins::format_time(format, None), &mut out);
                    at = (at + length + 2).min(text.len());
                }
                other => out.extend_from_slice(&[b'\\', other]),
            }
        }
        if !expands {
            return Ok(out);
        }
        let word =
            crate::parse::compile(&out, crate::parse::Mode::Quoted, self.line, self.settings());
        self.expand_single(&word)
    }
}
