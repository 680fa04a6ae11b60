//! The inside of `${ }`.

use super::{Mode, Settings, assignment, scan, word};
use crate::{
    arithmetic::Arithmetic,
    ast::{Anchor, CaseChange, Index, Operation, Parameter, ParameterName, Word},
    names::{intern, is_name_start},
};

struct Context {
    mode: Mode,
    line: u32,
    settings: Settings,
}

impl Context {
    /// The word after an operator such as `:-`.
    fn word(&self, text: &[u8]) -> Word {
        let mode = match self.mode {
            Mode::Plain | Mode::AnchoredPattern => Mode::Plain,
            Mode::Assignment => Mode::Assignment,
            _ => Mode::QuotedWord,
        };
        word::compile(text, mode, self.line, self.settings)
    }

    /// A pattern, in which quotes count everywhere.
    fn pattern(&self, text: &[u8]) -> Word {
        word::compile(text, Mode::Plain, self.line, self.settings)
    }

    fn expression(&self, text: &[u8]) -> Arithmetic {
        Arithmetic::compile(text, self.line, self.settings)
    }
}

pub fn parse(text: &[u8], mode: Mode, line: u32, settings: Settings) -> Parameter {
    let context = Context {
        mode,
        line,
        settings,
    };
    let (name, index, indirect, operation) = parse_parts(text, &context).unwrap_or((
        ParameterName::Special(b'?'),
        Index::None,
        false,
        Operation::Bad,
    ));
    Parameter {
        name,
        index,
        indirect,
        operation,
        source: text.into(),
    }
}

type Parts = (ParameterName, Index, bool, Operation);

fn parse_parts(text: &[u8], context: &Context) -> Option<Parts> {
    let first = *text.first()?;
    if first == b'#' && text.len() > 1 {
        if let Some((name, index, end)) = reference(text, 1, context)
            && end == text.len()
        {
            return Some((name, index, false, Operation::Length));
        }
    }
    if first == b'!' && text.len() > 1 {
        if let Some((name, index, end)) = reference(text, 1, context) {
            let rest = &text[end..];
            if matches!(rest, b"*" | b"@") && matches!(name, ParameterName::Variable(_)) {
                let names = Operation::Names { star: rest == b"*" };
                return Some((name, index, false, names));
            }
            if matches!(index, Index::All { .. }) && rest.is_empty() {
                return Some((name, index, false, Operation::Keys));
            }
            if let Some(operation) = operation(rest, context) {
                return Some((name, index, true, operation));
            }
        }
    }
    let (name, index, end) = reference(text, 0, context)?;
    Some((name, index, false, operation(&text[end..], context)?))
}

/// A parameter's name and subscript at `at`, and where they end.
fn reference(text: &[u8], at: usize, context: &Context) -> Option<(ParameterName, Index, usize)> {
    let byte = *text.get(at)?;
    if is_name_start(byte) {
        let end = scan::name(text, at);
        let name = ParameterName::Variable(intern(&text[at..end]));
        if text.get(end) == Some(&b'[') {
            let close = scan::brackets(text, end + 1)?;
            let index = match &text[end + 1..close - 1] {
                b"@" => Index::All { star: false },
                b"*" => Index::All { star: true },
                b"" => return None,
                inner => Index::One(assignment::subscript(inner, context.line, context.settings)),
            };
            return Some((name, index, close));
        }
        return Some((name, Index::None, end));
    }
    if byte.is_ascii_digit() {
        let digits = text[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let number = std::str::from_utf8(&text[at..at + digits])
            .ok()?
            .parse()
            .ok()?;
        return Some((ParameterName::Position(number), Index::None, at + digits));
    }
    b"@*#?-$!"
        .contains(&byte)
        .then_some((ParameterName::Special(byte), Index::None, at + 1))
}

fn operation(rest: &[u8], context: &Context) -> Option<Operation> {
    let Some(&first) = rest.first() else {
        return Some(Operation::None);
    };
    let second = rest.get(1).copied();
    Some(match first {
        b':' if matches!(second, Some(b'-' | b'=' | b'?' | b'+')) => {
            conditional(second?, true, &rest[2..], context)
        }
        b'-' | b'=' | b'?' | b'+' => conditional(first, false, &rest[1..], context),
        b':' if rest.len() == 1 => return None,
        b':' => {
            let (offset, length) = split_expressions(&rest[1..]);
            Operation::Substring {
                offset: context.expression(offset),
                length: length.map(|text| context.expression(text)),
            }
        }
        b'#' | b'%' => {
            let longest = second == Some(first);
            let pattern = context.pattern(&rest[1 + usize::from(longest)..]);
            match first {
                b'#' => Operation::RemovePrefix { longest, pattern },
                _ => Operation::RemoveSuffix { longest, pattern },
            }
        }
        b'/' => replacement(rest, context),
        b'^' | b',' | b'~' => {
            let all = second == Some(first);
            let pattern = &rest[1 + usize::from(all)..];
            Operation::Case {
                change: match first {
                    b'^' => CaseChange::Upper,
                    b',' => CaseChange::Lower,
                    _ => CaseChange::Toggle,
                },
                all,
                pattern: (!pattern.is_empty()).then(|| context.pattern(pattern)),
            }
        }
        b'@' if rest.len() == 2 && b"UuLQEPAKak".contains(&second?) => {
            Operation::Transform(second?)
        }
        _ => return None,
    })
}

fn conditional(operator: u8, colon: bool, text: &[u8], context: &Context) -> Operation {
    let word = context.word(text);
    match operator {
        b'-' => Operation::Default { colon, word },
        b'=' => Operation::Assign { colon, word },
        b'?' => Operation::Error { colon, word },
        _ => Operation::Alternative { colon, word },
    }
}

fn replacement(rest: &[u8], context: &Context) -> Operation {
    let (anchor, text) = match rest.get(1) {
        Some(b'/') => (Anchor::All, &rest[2..]),
        Some(b'#') => (Anchor::Start, &rest[2..]),
        Some(b'%') => (Anchor::End, &rest[2..]),
        _ => (Anchor::First, &rest[1..]),
    };
    let first = usize::from(!matches!(anchor, Anchor::Start | Anchor::End));
    let slash = find_slash(text, first);
    let pattern = &text[..slash];
    let replacement = text.get(slash + 1..).unwrap_or_default();
    let mode = match anchor {
        Anchor::Start | Anchor::End => Mode::AnchoredPattern,
        _ => Mode::Plain,
    };
    Operation::Replace {
        anchor,
        pattern: word::compile(pattern, mode, context.line, context.settings),
        replacement: context.pattern(replacement),
    }
}

/// The first `/` that no quote or expansion hides; a pattern may begin with one.
fn find_slash(text: &[u8], first: usize) -> usize {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let next = match byte {
            b'/' if at >= first => return at,
            b'\\' => Some(at + 2),
            b'\'' => scan::single_quote(text, at + 1),
            b'"' => scan::double_quote(text, at + 1),
            b'`' => scan::backquote(text, at + 1),
            b'$' => scan::dollar(text, at, false),
            _ => Some(at + 1),
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    text.len()
}

/// Splits `offset:length`; a `:` that belongs to `?:` or to brackets does not count.
fn split_expressions(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut at = 0;
    let mut questions = 0;
    let mut depth = 0;
    while let Some(&byte) = text.get(at) {
        let mut next = Some(at + 1);
        match byte {
            b'\\' => next = Some(at + 2),
            b'\'' => next = scan::single_quote(text, at + 1),
            b'"' => next = scan::double_quote(text, at + 1),
            b'`' => next = scan::backquote(text, at + 1),
            b'$' => next = scan::dollar(text, at, false),
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'?' => questions += 1,
            b':' if questions > 0 => questions -= 1,
            b':' if depth == 0 => return (&text[..at], Some(&text[at + 1..])),
            _ => {}
        }
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    (text, None)
}
