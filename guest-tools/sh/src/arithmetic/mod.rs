//! Arithmetic: parsed once where the text allows, evaluated many times.

mod evaluate;
mod parse;

use std::{cell::RefCell, rc::Rc};

pub use parse::{Binary, Expression, Fault, parse};

use crate::{
    ast::{Bytes, Part},
    parse::{Mode, Settings},
};

/// An arithmetic text.
#[derive(Debug)]
pub struct Arithmetic {
    pub text: Bytes,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// Nothing in it is expanded first.
    Fixed(Result<Expression, Fault>),
    /// Parts to expand first. `fast` is the expression with each expansion as a slot, right when
    /// every expansion gives a plain number.
    Expanded {
        parts: Vec<Part>,
        fast: Option<Expression>,
        last: RefCell<Option<(Bytes, Rc<Expression>)>>,
    },
}

impl Arithmetic {
    pub fn compile(text: &[u8], line: u32, settings: Settings) -> Self {
        let body = if text
            .iter()
            .any(|b| matches!(b, b'$' | b'`' | b'"' | b'\\' | b'\''))
        {
            let parts = crate::parse::parts(text, Mode::Arithmetic, line, settings);
            let fast = slotted(&parts).and_then(|text| parse(&text).ok());
            Body::Expanded {
                parts,
                fast,
                last: RefCell::new(None),
            }
        } else {
            Body::Fixed(parse(text))
        };
        Self {
            text: text.to_vec(),
            body,
        }
    }
}

/// The text with every expansion replaced by a slot, where an expansion stands for a whole
/// operand.
fn slotted(parts: &[Part]) -> Option<Bytes> {
    let mut out = Bytes::new();
    let mut slots = 0u8;
    let mut after_slot = false;
    for part in parts {
        if let Part::Quoted(text) = part {
            let first = *text.first()?;
            if after_slot && (first.is_ascii_alphanumeric() || matches!(first, b'_' | b'[' | b'#'))
            {
                return None;
            }
            out.extend_from_slice(text);
            after_slot = false;
            continue;
        }
        if matches!(part, Part::DoubleQuoted(_)) || after_slot {
            return None;
        }
        if out
            .last()
            .is_some_and(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'#'))
        {
            return None;
        }
        out.extend_from_slice(&[parse::SLOT, slots]);
        slots = slots.checked_add(1)?;
        after_slot = true;
    }
    Some(out)
}
