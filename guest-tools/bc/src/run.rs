//! Statements carried out.

use std::{collections::HashMap, rc::Rc};

use crate::{
    lexer::Lexer,
    library,
    number::Number,
    output::Output,
    syntax::{Argument, Binary, Expression, Function, Local, Place, Printed, Statement},
};

/// Calls within calls. Chosen to fit the guest's stack.
const CALLS_MAX: usize = 1000;
/// Calls, statements and operands within each other: calls alone say little about the stack.
const DEPTH_MAX: usize = 5000;
/// As GNU's BC_DIM_MAX.
const INDEX_MAX: i64 = 16_777_215;
/// GNU's bases for input.
const INPUT_BASE_MAX: i64 = 36;

type Array = HashMap<i64, Number>;

/// Why the statements at hand end.
pub enum Stop {
    Error(String),
    Halt,
}

enum Flow {
    Next,
    Break,
    Continue,
    Return(Number),
}

pub struct Machine {
    variables: HashMap<Rc<str>, Number>,
    arrays: HashMap<Rc<str>, Array>,
    pub functions: HashMap<Rc<str>, Rc<Function>>,
    pub scale: usize,
    input_base: u32,
    output_base: u32,
    last: Number,
    library: bool,
    calls: usize,
    depth: usize,
    pub output: Output,
}

type Answer<T> = Result<T, Stop>;

fn error<T>(text: impl Into<String>) -> Answer<T> {
    Err(Stop::Error(text.into()))
}

impl Machine {
    pub fn new(library: bool) -> Self {
        Self {
            variables: HashMap::new(),
            arrays: HashMap::new(),
            functions: HashMap::new(),
            scale: if library { 20 } else { 0 },
            input_base: 10,
            output_base: 10,
            last: Number::zero(),
            library,
            calls: 0,
            depth: 0,
            output: Output::new(),
        }
    }

    /// Carries statements out.
    pub fn run(&mut self, statements: &[Statement], lexer: &mut Lexer) -> Answer<()> {
        self.all(statements, lexer).map(drop)
    }

    fn all(&mut self, statements: &[Statement], lexer: &mut Lexer) -> Answer<Flow> {
        for statement in statements {
            match self.statement(statement, lexer)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Statement, lexer: &mut Lexer) -> Answer<Flow> {
        self.enter()?;
        let flow = self.statement_here(statement, lexer);
        self.depth -= 1;
        flow
    }

    fn statement_here(&mut self, statement: &Statement, lexer: &mut Lexer) -> Answer<Flow> {
        match statement {
            Statement::Expression(expression) => self.shown(expression, lexer)?,
            Statement::Text(text) => self.output.write(text),
            Statement::Print(printed) => self.print(printed, lexer)?,
            Statement::Block(statements) => return self.all(statements, lexer),
            Statement::If(condition, then, otherwise) => {
                if !self.value(condition, lexer)?.is_zero() {
                    return self.statement(then, lexer);
                }
                if let Some(otherwise) = otherwise {
                    return self.statement(otherwise, lexer);
                }
            }
            Statement::While(condition, body) => {
                return self.repeat(Some(condition), None, body, lexer);
            }
            Statement::For(first, condition, next, body) => {
                if let Some(first) = first {
                    self.value(first, lexer)?;
                }
                return self.repeat(condition.as_ref(), next.as_ref(), body, lexer);
            }
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
            Statement::Return(None) => return Ok(Flow::Return(Number::zero())),
            Statement::Return(Some(value)) => return Ok(Flow::Return(self.value(value, lexer)?)),
            Statement::Halt => return Err(Stop::Halt),
            Statement::Limits => self.output.write(&format!(
                "BC_BASE_MAX     = 2147483647\nBC_DIM_MAX      = {INDEX_MAX}\n\
                 BC_SCALE_MAX    = 2147483647\nBC_STRING_MAX   = 2147483647\n"
            )),
        }
        Ok(Flow::Next)
    }

    fn repeat(
        &mut self,
        condition: Option<&Expression>,
        next: Option<&Expression>,
        body: &Statement,
        lexer: &mut Lexer,
    ) -> Answer<Flow> {
        loop {
            if let Some(condition) = condition
                && self.value(condition, lexer)?.is_zero()
            {
                return Ok(Flow::Next);
            }
            match self.statement(body, lexer)? {
                Flow::Break => return Ok(Flow::Next),
                Flow::Return(value) => return Ok(Flow::Return(value)),
                Flow::Next | Flow::Continue => {}
            }
            if self.output.broken {
                return Err(Stop::Halt);
            }
            if let Some(next) = next {
                self.value(next, lexer)?;
            }
        }
    }

    /// An expression as a statement: printed, unless it is an assignment.
    fn shown(&mut self, expression: &Expression, lexer: &mut Lexer) -> Answer<()> {
        let value = self.value(expression, lexer)?;
        let quiet = match expression {
            Expression::Assign(..) => true,
            Expression::Call(name, _) => self.functions.get(name).is_some_and(|f| f.void),
            _ => false,
        };
        if !quiet {
            let text = value.show(self.output_base);
            self.output.write(&text);
            self.output.write("\n");
            self.last = value;
        }
        Ok(())
    }

    fn print(&mut self, printed: &[Printed], lexer: &mut Lexer) -> Answer<()> {
        for item in printed {
            match item {
                Printed::Text(text) => {
                    let text = escaped(text);
                    self.output.write(&text);
                }
                Printed::Value(expression) => {
                    let value = self.value(expression, lexer)?;
                    let text = value.show(self.output_base);
                    self.output.write(&text);
                    self.last = value;
                }
            }
        }
        Ok(())
    }

    /// What an expression is worth. Its cases are functions of their own, so that a level of
    /// nesting takes little of the stack.
    fn value(&mut self, expression: &Expression, lexer: &mut Lexer) -> Answer<Number> {
        let mut expression = expression;
        while let Expression::Group(inner) = expression {
            expression = inner;
        }
        self.enter()?;
        let answer = match expression {
            Expression::Chain(first, rest) => self.chain(first, rest, lexer),
            Expression::Call(name, arguments) => self.enter().and_then(|()| {
                let value = self.call(name, arguments, lexer);
                self.depth -= 1;
                value
            }),
            Expression::Assign(place, operator, value) => {
                self.assign(place, *operator, value, lexer)
            }
            Expression::Step(place, step, new) => self.step(place, *step, *new, lexer),
            Expression::Place(place) => self.place(place, lexer),
            Expression::Number(_) | Expression::Read => self.constant(expression, lexer),
            _ => self.single(expression, lexer),
        };
        self.depth -= 1;
        answer
    }

    /// One level further down.
    fn enter(&mut self) -> Answer<()> {
        if self.depth == DEPTH_MAX {
            return error(format!(
                "more than {DEPTH_MAX} calls and operands within each other; use a loop"
            ));
        }
        self.depth += 1;
        Ok(())
    }

    #[inline(never)]
    fn constant(&mut self, expression: &Expression, lexer: &mut Lexer) -> Answer<Number> {
        if let Expression::Number(digits) = expression {
            return Ok(Number::read(digits, self.input_base));
        }
        let line = lexer.data_line().unwrap_or_default();
        let text = line.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let number = Number::read(digits, self.input_base);
        Ok(if negative { number.negated() } else { number })
    }

    #[inline(never)]
    fn place(&mut self, place: &Place, lexer: &mut Lexer) -> Answer<Number> {
        let index = self.index(place, lexer)?;
        Ok(self.get(place, index))
    }

    #[inline(never)]
    fn assign(
        &mut self,
        place: &Place,
        operator: Option<Binary>,
        value: &Expression,
        lexer: &mut Lexer,
    ) -> Answer<Number> {
        let index = self.index(place, lexer)?;
        let mut value = self.value(value, lexer)?;
        if let Some(operator) = operator {
            let old = self.get(place, index);
            value = self.binary(operator, &old, &value)?;
        }
        self.set(place, index, value);
        Ok(self.get(place, index))
    }

    #[inline(never)]
    fn step(&mut self, place: &Place, step: i64, new: bool, lexer: &mut Lexer) -> Answer<Number> {
        let index = self.index(place, lexer)?;
        let old = self.get(place, index);
        self.set(place, index, old.plus(&step.into()));
        Ok(if new { self.get(place, index) } else { old })
    }

    #[inline(never)]
    fn chain(
        &mut self,
        first: &Expression,
        rest: &[(Binary, Expression)],
        lexer: &mut Lexer,
    ) -> Answer<Number> {
        let mut left = self.value(first, lexer)?;
        for (operator, right) in rest {
            left = match operator {
                // As GNU, which leaves out what cannot change the result.
                Binary::And if left.is_zero() => truth(false),
                Binary::Or if !left.is_zero() => truth(true),
                _ => {
                    let right = self.value(right, lexer)?;
                    self.binary(*operator, &left, &right)?
                }
            };
        }
        Ok(left)
    }

    /// What has one operand.
    #[inline(never)]
    fn single(&mut self, expression: &Expression, lexer: &mut Lexer) -> Answer<Number> {
        let (Expression::Negate(inner)
        | Expression::Not(inner)
        | Expression::Length(inner)
        | Expression::ScaleOf(inner)
        | Expression::SquareRoot(inner)) = expression
        else {
            return self.constant(expression, lexer);
        };
        let value = self.value(inner, lexer)?;
        self.applied(expression, &value)
    }

    #[inline(never)]
    fn applied(&self, expression: &Expression, value: &Number) -> Answer<Number> {
        Ok(match expression {
            Expression::Negate(_) => value.negated(),
            Expression::Not(_) => truth(value.is_zero()),
            Expression::Length(_) => Number::from(value.length() as i64),
            Expression::ScaleOf(_) => Number::from(value.scale as i64),
            _ => match value.square_root(self.scale) {
                Some(_) if *value == Number::from(1) || value.is_zero() => value.at_scale(0),
                Some(root) => root,
                None => return error("Square root of a negative number"),
            },
        })
    }

    #[inline(never)]
    fn binary(&self, operator: Binary, left: &Number, right: &Number) -> Answer<Number> {
        let order = || left.compare(right);
        Ok(match operator {
            Binary::Add => left.plus(right),
            Binary::Subtract => left.minus(right),
            Binary::Multiply => left.times(right, self.scale),
            Binary::Divide => match left.divided_by(right, self.scale) {
                Some(quotient) => quotient,
                None => return error("Divide by zero"),
            },
            Binary::Remainder => match left.modulo(right, self.scale) {
                Some(rest) => rest,
                None => return error("Modulo by zero"),
            },
            Binary::Power => return self.power(left, right),
            Binary::Equal => truth(order().is_eq()),
            Binary::NotEqual => truth(order().is_ne()),
            Binary::Less => truth(order().is_lt()),
            Binary::LessEqual => truth(order().is_le()),
            Binary::Greater => truth(order().is_gt()),
            Binary::GreaterEqual => truth(order().is_ge()),
            Binary::And => truth(!left.is_zero() && !right.is_zero()),
            Binary::Or => truth(!left.is_zero() || !right.is_zero()),
        })
    }

    fn power(&self, base: &Number, exponent: &Number) -> Answer<Number> {
        if exponent.at_scale(0) != *exponent {
            eprintln!("Runtime warning: non-zero scale in exponent");
        }
        let Some(exponent) = exponent.to_i64().filter(|n| n.unsigned_abs() < 1 << 31) else {
            return error("exponent too large in raise");
        };
        match base.power(exponent, self.scale) {
            Some(power) => Ok(power),
            None => error("Divide by zero"),
        }
    }

    /// The index of an element, found before its value is looked at.
    #[inline(never)]
    fn index(&mut self, place: &Place, lexer: &mut Lexer) -> Answer<i64> {
        let Place::Element(name, index) = place else {
            return Ok(0);
        };
        // An element's frames and a call's are as large as two of the others.
        self.enter()?;
        let index = self.value(index, lexer);
        self.depth -= 1;
        match index?.to_i64() {
            Some(index) if (0..=INDEX_MAX).contains(&index) => Ok(index),
            _ => error(format!("Array {name} subscript out of bounds.")),
        }
    }

    fn get(&self, place: &Place, index: i64) -> Number {
        match place {
            Place::Variable(name) => self.variables.get(name).cloned(),
            Place::Element(name, _) => {
                let array = self.arrays.get(name);
                array.and_then(|array| array.get(&index)).cloned()
            }
            Place::Scale => Some((self.scale as i64).into()),
            Place::InputBase => Some(i64::from(self.input_base).into()),
            Place::OutputBase => Some(i64::from(self.output_base).into()),
            Place::Last => Some(self.last.clone()),
        }
        .unwrap_or_else(Number::zero)
    }

    fn set(&mut self, place: &Place, index: i64, value: Number) {
        let whole = value.to_i64().unwrap_or(i64::MAX);
        match place {
            Place::Variable(name) => drop(self.variables.insert(name.clone(), value)),
            Place::Element(name, _) => {
                let array = self.arrays.entry(name.clone()).or_default();
                array.insert(index, value);
            }
            Place::Scale => {
                if value.is_negative() {
                    eprintln!("Runtime warning: negative scale, set to 0");
                }
                self.scale = usize::try_from(whole.clamp(0, i64::from(i32::MAX))).unwrap_or(0);
            }
            Place::InputBase => {
                if !(2..=INPUT_BASE_MAX).contains(&whole) {
                    eprintln!("Runtime warning: ibase out of range: 2 to {INPUT_BASE_MAX}");
                }
                self.input_base = whole.clamp(2, INPUT_BASE_MAX) as u32;
            }
            Place::OutputBase => {
                if whole < 2 {
                    eprintln!("Runtime warning: obase too small, set to 2");
                }
                self.output_base = whole.clamp(2, i64::from(i32::MAX)) as u32;
            }
            Place::Last => self.last = value,
        }
    }

    #[inline(never)]
    fn call(
        &mut self,
        name: &Rc<str>,
        arguments: &[Argument],
        lexer: &mut Lexer,
    ) -> Answer<Number> {
        let Some(function) = self.functions.get(name).cloned() else {
            return self.library_call(name, arguments, lexer);
        };
        if function.parameters.len() != arguments.len() {
            return error("Parameter number mismatch");
        }
        if self.calls == CALLS_MAX {
            return error(format!(
                "{name}: more than {CALLS_MAX} calls within each other"
            ));
        }
        let mut given = Vec::with_capacity(arguments.len());
        for (local, argument) in function.parameters.iter().zip(arguments) {
            given.push(match argument {
                Argument::Array(from) if local.array => {
                    Given::Array(self.arrays.get(from).cloned().unwrap_or_default())
                }
                Argument::Value(value) if !local.array => Given::Value(self.value(value, lexer)?),
                _ => {
                    return error(format!(
                        "Parameter type mismatch, parameter {}.",
                        local.name
                    ));
                }
            });
        }
        let mut saved = Vec::new();
        for (local, value) in function.parameters.iter().zip(given) {
            saved.push((local, self.replace(local, Some(value))));
        }
        for local in &function.autos {
            saved.push((local, self.replace(local, None)));
        }
        self.calls += 1;
        let flow = self.all(&function.body, lexer);
        self.calls -= 1;
        for (local, old) in saved.into_iter().rev() {
            self.replace(local, old);
        }
        Ok(match flow? {
            Flow::Return(value) => value,
            _ => Number::zero(),
        })
    }

    fn library_call(
        &mut self,
        name: &Rc<str>,
        arguments: &[Argument],
        lexer: &mut Lexer,
    ) -> Answer<Number> {
        let undefined = format!("Function {name} not defined.");
        if !self.library {
            return error(undefined);
        }
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match argument {
                Argument::Value(value) => values.push(self.value(value, lexer)?),
                Argument::Array(_) => return error("Parameter type mismatch"),
            }
        }
        match library::call(name, &values, self.scale) {
            Some(value) => Ok(value),
            None => error(undefined),
        }
    }

    /// Puts a value in a local's place and answers what was there.
    fn replace(&mut self, local: &Local, new: Option<Given>) -> Option<Given> {
        let name = local.name.clone();
        if local.array {
            let old = match new {
                Some(Given::Array(array)) => self.arrays.insert(name, array),
                _ => self.arrays.remove(&name),
            };
            return old.map(Given::Array);
        }
        let old = match new {
            Some(Given::Value(value)) => self.variables.insert(name, value),
            _ => self.variables.remove(&name),
        };
        old.map(Given::Value)
    }
}

enum Given {
    Value(Number),
    Array(Array),
}

fn truth(value: bool) -> Number {
    i64::from(value).into()
}

/// The escapes of `print`.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('a') => out.push('\x07'),
            Some('b') => out.push('\x08'),
            Some('f') => out.push('\x0c'),
            Some('n') => out.push('\n'),
            Some('q') => out.push('"'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('e' | '\\') => out.push('\\'),
            // GNU prints nothing for an escape it does not know.
            _ => {}
        }
    }
    out
}
