//! Evaluation over the shell's variables.

use std::rc::Rc;

use super::{
    Arithmetic, Binary, Body, Expression, Fault, parse,
    parse::{ElementIndex, SLOT, literal},
};
use crate::{
    ast::{Bytes, Part},
    depth::Level,
    execute::{Run, Unwind},
    names::Symbol,
    shell::Shell,
};

const MAX_RECURSION: usize = 128;

/// What evaluation needs beside the shell.
struct Evaluation<'a> {
    shell: &'a mut Shell,
    /// The numbers that the expansions gave.
    slots: &'a [i64],
    depth: usize,
}

enum Stop {
    Fault(Fault),
    Unwind(Unwind),
}

impl From<Unwind> for Stop {
    fn from(unwind: Unwind) -> Self {
        Self::Unwind(unwind)
    }
}

type Value = Result<i64, Stop>;

fn fault(message: &'static str, token: &[u8]) -> Stop {
    Stop::Fault(Fault {
        message,
        token: token.to_vec(),
    })
}

impl Shell {
    /// The value of `arithmetic`; an error is reported and discards the command.
    pub fn evaluate(&mut self, arithmetic: &Arithmetic) -> Run<i64> {
        match &arithmetic.body {
            Body::Fixed(Ok(Expression::Number(number))) => Ok(*number),
            Body::Fixed(Ok(expression)) => self.finish(expression, &[], &arithmetic.text),
            Body::Fixed(Err(fault)) => self.arithmetic_error(&arithmetic.text, fault),
            Body::Expanded { parts, fast, last } => {
                let mut texts: Vec<Option<Bytes>> = Vec::with_capacity(parts.len());
                let mut slots = Vec::new();
                let mut plain = fast.is_some();
                for part in parts {
                    if let Part::Quoted(_) = part {
                        texts.push(None);
                        continue;
                    }
                    let text = self.expand_quoted_part(part)?;
                    match plain_number(&text) {
                        Some(number) => slots.push(number),
                        None => plain = false,
                    }
                    texts.push(Some(text));
                }
                if plain && let Some(expression) = fast {
                    return self.finish(expression, &slots, &arithmetic.text);
                }
                let mut text = Bytes::new();
                for (part, expanded) in parts.iter().zip(texts) {
                    match (part, expanded) {
                        (_, Some(expanded)) => text.extend(expanded),
                        (Part::Quoted(literal), None) => text.extend_from_slice(literal),
                        _ => {}
                    }
                }
                if let Some((same, expression)) = last.borrow().as_ref()
                    && *same == text
                {
                    let expression = Rc::clone(expression);
                    return self.finish(&expression, &[], &text);
                }
                match parse(&text) {
                    Ok(expression) => {
                        let expression = Rc::new(expression);
                        *last.borrow_mut() = Some((text.clone(), Rc::clone(&expression)));
                        self.finish(&expression, &[], &text)
                    }
                    Err(fault) => self.arithmetic_error(&text, &fault),
                }
            }
        }
    }

    /// The value of an expression given as text that is already expanded.
    pub fn evaluate_text(&mut self, text: &[u8]) -> Run<i64> {
        if let Some(number) = plain_number(text) {
            return Ok(number);
        }
        match parse(text) {
            Ok(expression) => self.finish(&expression, &[], text),
            Err(fault) => self.arithmetic_error(text, &fault),
        }
    }

    fn finish(&mut self, expression: &Expression, slots: &[i64], text: &[u8]) -> Run<i64> {
        // A subscript of a name reference is evaluated anew, and may use the reference itself.
        let Some(_level) = Level::enter() else {
            let fault = Fault {
                message: "expression recursion level exceeded",
                token: text.to_vec(),
            };
            return self.arithmetic_error(text, &fault);
        };
        let answer = Evaluation {
            shell: self,
            slots,
            depth: 0,
        }
        .value(expression);
        match answer {
            Ok(value) => Ok(value),
            Err(Stop::Unwind(unwind)) => Err(unwind),
            Err(Stop::Fault(fault)) => self.arithmetic_error(text, &fault),
        }
    }

    fn arithmetic_error(&mut self, text: &[u8], fault: &Fault) -> Run<i64> {
        let text = String::from_utf8_lossy(text.trim_ascii_start()).into_owned();
        let token = String::from_utf8_lossy(&fault.token).into_owned();
        let prefix = self.arithmetic_command;
        self.complain(format_args!(
            "{prefix}{text}: {} (error token is \"{token}\")",
            fault.message
        ));
        Err(Unwind::Discard(1))
    }
}

/// A decimal number without sign or leading zero, which reads the same wherever it is put.
fn plain_number(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 18 || (text[0] == b'0' && text.len() > 1) {
        return None;
    }
    let mut value = 0i64;
    for &byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(value)
}

impl Evaluation<'_> {
    fn value(&mut self, expression: &Expression) -> Value {
        Ok(match expression {
            Expression::Number(number) => *number,
            Expression::Slot(slot) => self.slots[usize::from(*slot)],
            Expression::Variable(name) => self.variable(*name)?,
            Expression::Element(name, index) => self.element(*name, index)?,
            Expression::Negate(inner) => self.value(inner)?.wrapping_neg(),
            Expression::Not(inner) => i64::from(self.value(inner)? == 0),
            Expression::Complement(inner) => !self.value(inner)?,
            Expression::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                binary(*operator, left, right)?
            }
            Expression::And(left, right) => {
                i64::from(self.value(left)? != 0 && self.value(right)? != 0)
            }
            Expression::Or(left, right) => {
                i64::from(self.value(left)? != 0 || self.value(right)? != 0)
            }
            Expression::Choose(condition, yes, no) => {
                if self.value(condition)? != 0 {
                    self.value(yes)?
                } else {
                    self.value(no)?
                }
            }
            Expression::Comma(left, right) => {
                self.value(left)?;
                self.value(right)?
            }
            Expression::Assign(operator, target, value) => {
                let value = match operator {
                    None => self.value(value)?,
                    Some(operator) => {
                        let old = self.value(target)?;
                        let value = self.value(value)?;
                        binary(*operator, old, value)?
                    }
                };
                self.assign(target, value)?;
                value
            }
            Expression::Step(step, old_value, target) => {
                let old = self.value(target)?;
                let new = old.wrapping_add(*step);
                self.assign(target, new)?;
                if *old_value { old } else { new }
            }
        })
    }

    fn variable(&mut self, name: Symbol) -> Value {
        if let Some(number) = self.shell.plain_number_of(name) {
            return Ok(number);
        }
        match self.shell.get(name) {
            Some(text) => self.text(&text),
            None => {
                if self.shell.options.nounset && !self.shell.is_set(name) {
                    self.shell.unbound(name.text())?;
                }
                Ok(0)
            }
        }
    }

    /// The value of a variable's text, which may itself be an expression.
    fn text(&mut self, text: &[u8]) -> Value {
        let text = text.trim_ascii();
        if text.is_empty() {
            return Ok(0);
        }
        if let Some(number) = plain_number(text) {
            return Ok(number);
        }
        if text[0].is_ascii_digit()
            && let Ok(number) = literal(text)
        {
            return Ok(number);
        }
        if self.depth > MAX_RECURSION {
            return Err(fault("expression recursion level exceeded", text));
        }
        let expression = parse(text).map_err(Stop::Fault)?;
        self.depth += 1;
        let slots = std::mem::take(&mut self.slots);
        let value = self.value(&expression);
        self.slots = slots;
        self.depth -= 1;
        value
    }

    fn element(&mut self, name: Symbol, index: &ElementIndex) -> Value {
        let text = if index.key.is_empty() {
            // bash says it twice, once for each time it looks, and reads nothing.
            for _ in 0..2 {
                let name = String::from_utf8_lossy(name.text()).into_owned();
                self.shell
                    .complain(format_args!("{name}[]: bad array subscript"));
            }
            None
        } else if self.shell.is_associative(name) {
            let key = self.key(&index.key)?;
            self.shell.get_key(name, &key)
        } else {
            let index = self.index(index)?;
            self.shell.get_index(name, index)
        };
        match text {
            Some(text) => self.text(&text),
            None => Ok(0),
        }
    }

    fn index(&mut self, index: &ElementIndex) -> Value {
        if index.key.is_empty() {
            return Err(fault("bad array subscript", b""));
        }
        match &index.expression {
            Ok(expression) => self.value(expression),
            Err(fault) => Err(Stop::Fault(fault.clone())),
        }
    }

    /// The key text with slots and remaining expansions filled in.
    fn key(&mut self, key: &[u8]) -> Result<Bytes, Stop> {
        let mut out = Bytes::new();
        let mut bytes = key.iter();
        while let Some(&byte) = bytes.next() {
            if byte == SLOT {
                let slot = bytes.next().copied().unwrap_or(0);
                out.extend(self.slots[usize::from(slot)].to_string().bytes());
            } else {
                out.push(byte);
            }
        }
        Ok(crate::parse::unquote(&out))
    }

    fn assign(&mut self, target: &Expression, value: i64) -> Result<(), Stop> {
        match target {
            Expression::Variable(name) => self.shell.set_number(*name, value)?,
            Expression::Element(name, index) => {
                let text = value.to_string().into_bytes();
                if self.shell.is_associative(*name) {
                    let key = self.key(&index.key)?;
                    self.shell.set_key(*name, key, text, false)?;
                } else {
                    let index = self.index(index)?;
                    self.shell.set_index(*name, index, text, false)?;
                }
            }
            _ => return Err(fault("attempted assignment to non-variable", b"=")),
        }
        Ok(())
    }
}

fn binary(operator: Binary, left: i64, right: i64) -> Value {
    Ok(match operator {
        Binary::Add => left.wrapping_add(right),
        Binary::Subtract => left.wrapping_sub(right),
        Binary::Multiply => left.wrapping_mul(right),
        Binary::Divide | Binary::Remainder if right == 0 => {
            return Err(fault("division by 0", b"0"));
        }
        Binary::Divide => left.wrapping_div(right),
        Binary::Remainder => left.wrapping_rem(right),
        Binary::Power if right < 0 => {
            return Err(fault("exponent less than 0", right.to_string().as_bytes()));
        }
        Binary::Power => power(left, right),
        Binary::ShiftLeft => left.wrapping_shl(right as u32),
        Binary::ShiftRight => left.wrapping_shr(right as u32),
        Binary::Less => i64::from(left < right),
        Binary::LessOrEqual => i64::from(left <= right),
        Binary::Greater => i64::from(left > right),
        Binary::GreaterOrEqual => i64::from(left >= right),
        Binary::Equal => i64::from(left == right),
        Binary::NotEqual => i64::from(left != right),
        Binary::BitAnd => left & right,
        Binary::BitXor => left ^ right,
        Binary::BitOr => left | right,
    })
}

fn power(mut base: i64, mut exponent: i64) -> i64 {
    let mut value = 1i64;
    while exponent > 0 {
        if exponent & 1 == 1 {
            value = value.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    value
}
