//! The grammar of arithmetic expressions.

use crate::{
    ast::Bytes,
    names::{Symbol, intern, is_name_byte, is_name_start},
};

/// Marks an expansion's place; the next byte is its number.
pub const SLOT: u8 = 1;

const MAX_DEPTH: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub message: &'static str,
    pub token: Bytes,
}

#[derive(Debug)]
pub enum Expression {
    Number(i64),
    Slot(u8),
    Variable(Symbol),
    Element(Symbol, Box<ElementIndex>),
    Negate(Box<Expression>),
    Not(Box<Expression>),
    Complement(Box<Expression>),
    Binary(Binary, Box<Expression>, Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Choose(Box<Expression>, Box<Expression>, Box<Expression>),
    Comma(Box<Expression>, Box<Expression>),
    /// `target = value`, or `target op= value`.
    Assign(Option<Binary>, Box<Expression>, Box<Expression>),
    /// `++x` and the like: (step, answer the old value, target).
    Step(i64, bool, Box<Expression>),
}

#[derive(Debug)]
pub struct ElementIndex {
    /// The subscript as a key of an associative array.
    pub key: Bytes,
    pub expression: Result<Expression, Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    ShiftLeft,
    ShiftRight,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    BitAnd,
    BitXor,
    BitOr,
}

/// Parses an expression; an empty text is zero.
pub fn parse(text: &[u8]) -> Result<Expression, Fault> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    parser.skip();
    if parser.at >= text.len() {
        return Ok(Expression::Number(0));
    }
    let expression = parser.comma()?;
    parser.skip();
    if parser.at < text.len() {
        return Err(parser.fault("syntax error in expression"));
    }
    Ok(expression)
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

/// Binary operators by precedence, loosest first; longer spellings before their prefixes.
const LEVELS: [&[(&[u8], Binary)]; 8] = [
    &[(b"|", Binary::BitOr)],
    &[(b"^", Binary::BitXor)],
    &[(b"&", Binary::BitAnd)],
    &[(b"==", Binary::Equal), (b"!=", Binary::NotEqual)],
    &[
        (b"<=", Binary::LessOrEqual),
        (b">=", Binary::GreaterOrEqual),
        (b"<", Binary::Less),
        (b">", Binary::Greater),
    ],
    &[(b"<<", Binary::ShiftLeft), (b">>", Binary::ShiftRight)],
    &[(b"+", Binary::Add), (b"-", Binary::Subtract)],
    &[
        (b"*", Binary::Multiply),
        (b"/", Binary::Divide),
        (b"%", Binary::Remainder),
    ],
];

const ASSIGNMENTS: [(&[u8], Option<Binary>); 11] = [
    (b"<<=", Some(Binary::ShiftLeft)),
    (b">>=", Some(Binary::ShiftRight)),
    (b"+=", Some(Binary::Add)),
    (b"-=", Some(Binary::Subtract)),
    (b"*=", Some(Binary::Multiply)),
    (b"/=", Some(Binary::Divide)),
    (b"%=", Some(Binary::Remainder)),
    (b"&=", Some(Binary::BitAnd)),
    (b"^=", Some(Binary::BitXor)),
    (b"|=", Some(Binary::BitOr)),
    (b"=", None),
];

/// Whether `rest` begins with `++` or `--` before a name, which is one token wherever it stands.
fn is_step(rest: &[u8]) -> bool {
    let ([b'+', b'+', after @ ..] | [b'-', b'-', after @ ..]) = rest else {
        return false;
    };
    after
        .trim_ascii_start()
        .first()
        .is_some_and(|&b| is_name_start(b))
}

impl Parser<'_> {
    fn skip(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn fault(&self, message: &'static str) -> Fault {
        if self.at >= self.text.len() {
            // At the end, the last token is the one to blame.
            let text = self.text.trim_ascii_end();
            let start = text.iter().rposition(|b| !b"+-*/%<>=!&|^~?:,".contains(b));
            let token = text[start.map_or(0, |at| at + 1)..].to_vec();
            return Fault { message, token };
        }
        Fault {
            message,
            token: self.text.get(self.at..).unwrap_or_default().to_vec(),
        }
    }

    fn rest(&mut self) -> &[u8] {
        self.skip();
        &self.text[self.at..]
    }

    fn comma(&mut self) -> Result<Expression, Fault> {
        let mut left = self.assignment()?;
        while self.rest().first() == Some(&b',') {
            self.at += 1;
            left = Expression::Comma(Box::new(left), Box::new(self.assignment()?));
        }
        Ok(left)
    }

    fn assignment(&mut self) -> Result<Expression, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault("expression nested too deeply"));
        }
        let answer = self.assignment_inner();
        self.depth -= 1;
        answer
    }

    fn assignment_inner(&mut self) -> Result<Expression, Fault> {
        let left = self.choice()?;
        let rest = self.rest();
        if rest.starts_with(b"==") {
            return Ok(left);
        }
        for (text, operator) in ASSIGNMENTS {
            if rest.starts_with(text) {
                if !matches!(left, Expression::Variable(_) | Expression::Element(..)) {
                    return Err(self.fault("attempted assignment to non-variable"));
                }
                self.at += text.len();
                let value = self.assignment()?;
                return Ok(Expression::Assign(
                    operator,
                    Box::new(left),
                    Box::new(value),
                ));
            }
        }
        Ok(left)
    }

    fn choice(&mut self) -> Result<Expression, Fault> {
        let condition = self.or()?;
        if self.rest().first() != Some(&b'?') {
            return Ok(condition);
        }
        self.at += 1;
        let yes = self.comma()?;
        if self.rest().first() != Some(&b':') {
            return Err(self.fault("`:' expected for conditional expression"));
        }
        self.at += 1;
        let no = self.assignment()?;
        Ok(Expression::Choose(
            Box::new(condition),
            Box::new(yes),
            Box::new(no),
        ))
    }

    fn or(&mut self) -> Result<Expression, Fault> {
        let mut left = self.and()?;
        while self.rest().starts_with(b"||") {
            self.at += 2;
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, Fault> {
        let mut left = self.binary(0)?;
        while self.rest().starts_with(b"&&") {
            self.at += 2;
            left = Expression::And(Box::new(left), Box::new(self.binary(0)?));
        }
        Ok(left)
    }

    fn binary(&mut self, level: usize) -> Result<Expression, Fault> {
        let Some(operators) = LEVELS.get(level) else {
            return self.power();
        };
        let mut left = self.binary(level + 1)?;
        'more: loop {
            let rest = self.rest();
            for (text, operator) in *operators {
                if rest.starts_with(text) && !is_longer(rest, text) && !is_step(rest) {
                    self.at += text.len();
                    let right = self.binary(level + 1)?;
                    left = Expression::Binary(*operator, Box::new(left), Box::new(right));
                    continue 'more;
                }
            }
            return Ok(left);
        }
    }

    fn power(&mut self) -> Result<Expression, Fault> {
        let base = self.unary()?;
        if self.rest().starts_with(b"**") {
            self.at += 2;
            let exponent = self.power()?;
            return Ok(Expression::Binary(
                Binary::Power,
                Box::new(base),
                Box::new(exponent),
            ));
        }
        Ok(base)
    }

    fn unary(&mut self) -> Result<Expression, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault("expression nested too deeply"));
        }
        let answer = self.unary_inner();
        self.depth -= 1;
        answer
    }

    fn unary_inner(&mut self) -> Result<Expression, Fault> {
        let rest = self.rest();
        let step = match rest {
            [b'+', b'+', ..] => Some(1),
            [b'-', b'-', ..] => Some(-1),
            _ => None,
        };
        if let Some(step) = step {
            let save = self.at;
            self.at += 2;
            if self.rest().first().is_some_and(|&b| is_name_start(b)) {
                let target = self.primary()?;
                return Ok(Expression::Step(step, false, Box::new(target)));
            }
            if self
                .rest()
                .first()
                .is_none_or(|b| !b.is_ascii_digit() && *b != b'(' && *b != SLOT)
            {
                self.at = save;
                return Err(self.fault("syntax error: operand expected"));
            }
            self.at = save;
        }
        let first = self.rest().first().copied();
        let operand = |parser: &mut Self| -> Result<Box<Expression>, Fault> {
            parser.at += 1;
            parser.unary().map(Box::new)
        };
        match first {
            Some(b'!') => Ok(Expression::Not(operand(self)?)),
            Some(b'~') => Ok(Expression::Complement(operand(self)?)),
            Some(b'-') => Ok(Expression::Negate(operand(self)?)),
            Some(b'+') => Ok(*operand(self)?),
            _ => self.postfix(),
        }
    }

    fn postfix(&mut self) -> Result<Expression, Fault> {
        let target = self.primary()?;
        if !matches!(target, Expression::Variable(_) | Expression::Element(..)) {
            return Ok(target);
        }
        let step = match self.rest() {
            [b'+', b'+', ..] => 1,
            [b'-', b'-', ..] => -1,
            _ => return Ok(target),
        };
        self.at += 2;
        Ok(Expression::Step(step, true, Box::new(target)))
    }

    fn primary(&mut self) -> Result<Expression, Fault> {
        self.skip();
        match self.text.get(self.at).copied() {
            Some(b'(') => {
                self.at += 1;
                let inner = self.comma()?;
                if self.rest().first() != Some(&b')') {
                    return Err(self.fault("missing `)'"));
                }
                self.at += 1;
                Ok(inner)
            }
            Some(SLOT) => {
                let slot = self.text[self.at + 1];
                self.at += 2;
                Ok(Expression::Slot(slot))
            }
            Some(byte) if byte.is_ascii_digit() => self.number(),
            Some(byte) if is_name_start(byte) => self.variable(),
            _ => Err(self.fault("syntax error: operand expected")),
        }
    }

    fn variable(&mut self) -> Result<Expression, Fault> {
        let length = self.text[self.at..]
            .iter()
            .take_while(|&&b| is_name_byte(b))
            .count();
        let name = intern(&self.text[self.at..self.at + length]);
        self.at += length;
        if self.text.get(self.at) != Some(&b'[') {
            return Ok(Expression::Variable(name));
        }
        let mut depth = 0;
        let start = self.at + 1;
        while let Some(&byte) = self.text.get(self.at) {
            // A slot's number may look like a bracket.
            self.at += if byte == SLOT { 2 } else { 1 };
            match byte {
                b'[' => depth += 1,
                b']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let key = self.text[start..self.at - 1].to_vec();
                let expression = parse(&key);
                return Ok(Expression::Element(
                    name,
                    Box::new(ElementIndex { key, expression }),
                ));
            }
        }
        Err(self.fault("bad array subscript"))
    }

    fn number(&mut self) -> Result<Expression, Fault> {
        let start = self.at;
        let word = |b: u8| is_name_byte(b) || matches!(b, b'#' | b'@');
        while self.text.get(self.at).is_some_and(|&b| word(b)) {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        literal(text)
            .map(Expression::Number)
            .map_err(|message| Fault {
                message,
                token: self.text[start..].to_vec(),
            })
    }
}

/// `text` stands for a longer operator that begins like `operator`.
fn is_longer(rest: &[u8], operator: &[u8]) -> bool {
    let next = rest.get(operator.len()).copied();
    match operator {
        b"|" => matches!(next, Some(b'|' | b'=')),
        b"&" => matches!(next, Some(b'&' | b'=')),
        b"*" => matches!(next, Some(b'*' | b'=')),
        b"<" => matches!(next, Some(b'<')),
        b">" => matches!(next, Some(b'>')),
        b"^" | b"/" | b"%" | b"+" | b"-" | b"<<" | b">>" => next == Some(b'='),
        _ => false,
    }
}

/// The value of an integer constant: decimal, `0` octal, `0x` or `base#digits`.
pub fn literal(text: &[u8]) -> Result<i64, &'static str> {
    if let Some(hash) = text.iter().position(|&b| b == b'#') {
        let base = std::str::from_utf8(&text[..hash])
            .ok()
            .filter(|base| !base.starts_with('0'))
            .and_then(|t| t.parse::<i64>().ok());
        let Some(base) = base.filter(|base| (2..=64).contains(base)) else {
            return Err("invalid arithmetic base");
        };
        return digits(&text[hash + 1..], base);
    }
    match text {
        [b'0', b'x' | b'X', rest @ ..] => digits(rest, 16),
        [b'0', rest @ ..] if !rest.is_empty() => digits(rest, 8),
        _ => digits(text, 10),
    }
}

fn digits(text: &[u8], base: i64) -> Result<i64, &'static str> {
    let mut value = 0i64;
    for &byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            b'A'..=b'Z' if base <= 36 => byte - b'A' + 10,
            b'A'..=b'Z' => byte - b'A' + 36,
            b'@' => 62,
            b'_' => 63,
            _ => return Err("value too great for base"),
        };
        if i64::from(digit) >= base {
            return Err("value too great for base");
        }
        value = value.wrapping_mul(base).wrapping_add(i64::from(digit));
    }
    Ok(value)
}
