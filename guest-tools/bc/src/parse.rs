//! From words to statements.

use std::rc::Rc;

use crate::{
    lexer::{Lexer, Token},
    syntax::{Argument, Binary, Expression, Function, Item, Local, Place, Printed, Statement},
};

/// Parentheses and blocks within each other. Chosen to fit the guest's stack.
const DEPTH_MAX: usize = 200;

/// Why a line was not understood.
pub struct Fault(pub &'static str);

const SYNTAX: Fault = Fault("syntax error");

pub struct Parser<'a> {
    lexer: &'a mut Lexer,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub fn new(lexer: &'a mut Lexer) -> Self {
        Self { lexer, depth: 0 }
    }

    /// A line of statements, or a function.
    pub fn item(&mut self) -> Result<Item, Fault> {
        let mut statements = Vec::new();
        loop {
            match self.lexer.peek() {
                Token::NewLine => {
                    self.lexer.next();
                    return Ok(Item::Statements(statements));
                }
                Token::End if statements.is_empty() => return Ok(Item::End),
                // As GNU: a last line without its end is no statement.
                Token::End => return Err(SYNTAX),
                Token::Symbol(";") => {
                    self.lexer.next();
                }
                Token::Name(name) if name == "quit" => return Ok(Item::Quit),
                Token::Name(name) if name == "define" && statements.is_empty() => {
                    self.lexer.next();
                    return self.function();
                }
                _ => {
                    statements.push(self.statement()?);
                    if !matches!(
                        self.lexer.peek(),
                        Token::NewLine | Token::End | Token::Symbol(";")
                    ) {
                        return Err(SYNTAX);
                    }
                }
            }
        }
    }

    fn is(&mut self, symbol: &str) -> bool {
        matches!(self.lexer.peek(), Token::Symbol(found) if *found == symbol)
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        if found {
            self.lexer.next();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Fault> {
        if self.accept(symbol) {
            Ok(())
        } else {
            Err(SYNTAX)
        }
    }

    fn new_lines(&mut self) {
        while *self.lexer.peek() == Token::NewLine {
            self.lexer.next();
        }
    }

    fn name(&mut self) -> Result<Rc<str>, Fault> {
        match self.lexer.next() {
            Token::Name(name) => Ok(name.into()),
            _ => Err(SYNTAX),
        }
    }

    fn function(&mut self) -> Result<Item, Fault> {
        let mut name = self.name()?;
        let void = &*name == "void" && matches!(self.lexer.peek(), Token::Name(_));
        if void {
            name = self.name()?;
        }
        self.expect("(")?;
        let parameters = if self.is(")") {
            Vec::new()
        } else {
            self.locals()?
        };
        self.expect(")")?;
        self.new_lines();
        self.expect("{")?;
        self.new_lines();
        let mut autos = Vec::new();
        if matches!(self.lexer.peek(), Token::Name(word) if word == "auto") {
            self.lexer.next();
            autos = self.locals()?;
        }
        let body = self.block()?;
        let function = Function {
            parameters,
            autos,
            body,
            void,
        };
        Ok(Item::Define(name, function))
    }

    fn locals(&mut self) -> Result<Vec<Local>, Fault> {
        let mut locals = Vec::new();
        loop {
            let name = self.name()?;
            let array = self.accept("[");
            if array {
                self.expect("]")?;
            }
            locals.push(Local { name, array });
            if !self.accept(",") {
                return Ok(locals);
            }
        }
    }

    /// Statements up to `}`.
    fn block(&mut self) -> Result<Vec<Statement>, Fault> {
        let mut statements = Vec::new();
        loop {
            match self.lexer.peek() {
                Token::NewLine | Token::Symbol(";") => {
                    self.lexer.next();
                }
                Token::Symbol("}") => {
                    self.lexer.next();
                    return Ok(statements);
                }
                Token::End => return Err(SYNTAX),
                _ => {
                    statements.push(self.statement()?);
                    if !matches!(self.lexer.peek(), Token::NewLine | Token::Symbol(";" | "}")) {
                        return Err(SYNTAX);
                    }
                }
            }
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == DEPTH_MAX {
            return Err(Fault("nested too deeply: at most 200 levels"));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn statement(&mut self) -> Result<Statement, Fault> {
        self.deeper(Self::statement_here)
    }

    fn statement_here(&mut self) -> Result<Statement, Fault> {
        let word = match self.lexer.peek() {
            Token::Text(_) => {
                let Token::Text(text) = self.lexer.next() else {
                    return Err(SYNTAX);
                };
                return Ok(Statement::Text(text));
            }
            Token::Symbol("{") => {
                self.lexer.next();
                return Ok(Statement::Block(self.block()?));
            }
            Token::Name(word) => word.clone(),
            _ => return Ok(Statement::Expression(self.expression()?)),
        };
        match word.as_str() {
            "if" | "while" | "for" | "print" | "break" | "continue" | "return" | "halt"
            | "limits" => {
                self.lexer.next();
            }
            "define" | "auto" | "else" | "quit" => return Err(SYNTAX),
            _ => return Ok(Statement::Expression(self.expression()?)),
        }
        match word.as_str() {
            "if" => self.condition(),
            "while" => {
                self.expect("(")?;
                let condition = self.expression()?;
                self.expect(")")?;
                self.new_lines();
                Ok(Statement::While(condition, Box::new(self.statement()?)))
            }
            "for" => self.for_loop(),
            "print" => self.print(),
            "break" => Ok(Statement::Break),
            "continue" => Ok(Statement::Continue),
            "return" => self.returned(),
            "halt" => Ok(Statement::Halt),
            _ => Ok(Statement::Limits),
        }
    }

    fn condition(&mut self) -> Result<Statement, Fault> {
        self.expect("(")?;
        let condition = self.expression()?;
        self.expect(")")?;
        self.new_lines();
        let then = self.statement()?;
        let mut otherwise = None;
        if matches!(self.lexer.peek(), Token::Name(word) if word == "else") {
            self.lexer.next();
            self.new_lines();
            otherwise = Some(Box::new(self.statement()?));
        }
        Ok(Statement::If(condition, Box::new(then), otherwise))
    }

    fn for_loop(&mut self) -> Result<Statement, Fault> {
        self.expect("(")?;
        let mut parts = [None, None, None];
        for (index, part) in parts.iter_mut().enumerate() {
            let end = if index == 2 { ")" } else { ";" };
            if !self.is(end) {
                *part = Some(self.expression()?);
            }
            self.expect(end)?;
        }
        self.new_lines();
        let body = Box::new(self.statement()?);
        let [first, condition, next] = parts;
        Ok(Statement::For(first, condition, next, body))
    }

    fn print(&mut self) -> Result<Statement, Fault> {
        let mut printed = Vec::new();
        loop {
            printed.push(match self.lexer.peek() {
                Token::Text(text) => {
                    let text = text.clone();
                    self.lexer.next();
                    Printed::Text(text)
                }
                _ => Printed::Value(self.expression()?),
            });
            if !self.accept(",") {
                return Ok(Statement::Print(printed));
            }
        }
    }

    fn returned(&mut self) -> Result<Statement, Fault> {
        if matches!(
            self.lexer.peek(),
            Token::NewLine | Token::Symbol(";" | "}") | Token::End
        ) {
            return Ok(Statement::Return(None));
        }
        if self.accept("(") {
            // `return ()` is `return`; otherwise the parenthesis begins an expression.
            if self.accept(")") {
                return Ok(Statement::Return(None));
            }
            let inner = self.expression()?;
            self.expect(")")?;
            let value = self.continued(Expression::Group(Box::new(inner)))?;
            return Ok(Statement::Return(Some(value)));
        }
        Ok(Statement::Return(Some(self.expression()?)))
    }

    /// An expression whose first operand is already read.
    fn continued(&mut self, first: Expression) -> Result<Expression, Fault> {
        let power = self.power_of(first)?;
        let product = self.product_of(power)?;
        let sum = self.sum_of(product)?;
        let relation = self.relation_of(sum)?;
        let and = self.chain_of(relation, &[("&&", Binary::And)], Self::not)?;
        self.chain_of(and, &[("||", Binary::Or)], Self::and)
    }

    /// From the loosest to the tightest: `||`, `&&`, `!`, relations, sums, products, powers.
    fn expression(&mut self) -> Result<Expression, Fault> {
        self.deeper(|parser| {
            let first = parser.and()?;
            parser.chain_of(first, &[("||", Binary::Or)], Self::and)
        })
    }

    fn and(&mut self) -> Result<Expression, Fault> {
        let first = self.not()?;
        self.chain_of(first, &[("&&", Binary::And)], Self::not)
    }

    fn not(&mut self) -> Result<Expression, Fault> {
        if self.accept("!") {
            let operand = self.deeper(Self::not)?;
            return Ok(Expression::Not(Box::new(operand)));
        }
        let first = self.sum()?;
        self.relation_of(first)
    }

    fn chain_of(
        &mut self,
        left: Expression,
        operators: &[(&str, Binary)],
        next: fn(&mut Self) -> Result<Expression, Fault>,
    ) -> Result<Expression, Fault> {
        let mut rest = Vec::new();
        while let Some((_, operator)) = operators.iter().find(|(symbol, _)| self.is(symbol)) {
            self.lexer.next();
            rest.push((*operator, next(self)?));
        }
        if rest.is_empty() {
            return Ok(left);
        }
        Ok(Expression::Chain(Box::new(left), rest))
    }

    fn relation_of(&mut self, left: Expression) -> Result<Expression, Fault> {
        const RELATIONS: &[(&str, Binary)] = &[
            ("==", Binary::Equal),
            ("!=", Binary::NotEqual),
            ("<=", Binary::LessEqual),
            (">=", Binary::GreaterEqual),
            ("<", Binary::Less),
            (">", Binary::Greater),
        ];
        self.chain_of(left, RELATIONS, Self::sum)
    }

    fn sum(&mut self) -> Result<Expression, Fault> {
        let first = self.product()?;
        self.sum_of(first)
    }

    fn sum_of(&mut self, left: Expression) -> Result<Expression, Fault> {
        const SUMS: &[(&str, Binary)] = &[("+", Binary::Add), ("-", Binary::Subtract)];
        self.chain_of(left, SUMS, Self::product)
    }

    fn product(&mut self) -> Result<Expression, Fault> {
        let first = self.power()?;
        self.product_of(first)
    }

    fn product_of(&mut self, left: Expression) -> Result<Expression, Fault> {
        const PRODUCTS: &[(&str, Binary)] = &[
            ("*", Binary::Multiply),
            ("/", Binary::Divide),
            ("%", Binary::Remainder),
        ];
        self.chain_of(left, PRODUCTS, Self::power)
    }

    fn power(&mut self) -> Result<Expression, Fault> {
        let base = self.unary()?;
        self.power_of(base)
    }

    /// `a^b^c` is `a^(b^c)`.
    fn power_of(&mut self, base: Expression) -> Result<Expression, Fault> {
        if !self.accept("^") {
            return Ok(base);
        }
        let exponent = self.deeper(Self::power)?;
        let rest = vec![(Binary::Power, exponent)];
        Ok(Expression::Chain(Box::new(base), rest))
    }

    /// A sign binds tighter than `^`, so `-2^2` is 4.
    fn unary(&mut self) -> Result<Expression, Fault> {
        if self.accept("-") {
            let operand = self.deeper(Self::unary)?;
            return Ok(Expression::Negate(Box::new(operand)));
        }
        for (symbol, step) in [("++", 1), ("--", -1)] {
            if self.accept(symbol) {
                return match self.operand()? {
                    Expression::Place(place) => Ok(Expression::Step(place, step, true)),
                    _ => Err(SYNTAX),
                };
            }
        }
        match self.operand()? {
            Expression::Place(place) => self.placed(place),
            operand => Ok(operand),
        }
    }

    /// A place, and what is done to it.
    fn placed(&mut self, place: Place) -> Result<Expression, Fault> {
        for (symbol, step) in [("++", 1), ("--", -1)] {
            if self.accept(symbol) {
                return Ok(Expression::Step(place, step, false));
            }
        }
        const ASSIGNMENTS: [(&str, Option<Binary>); 7] = [
            ("=", None),
            ("+=", Some(Binary::Add)),
            ("-=", Some(Binary::Subtract)),
            ("*=", Some(Binary::Multiply)),
            ("/=", Some(Binary::Divide)),
            ("%=", Some(Binary::Remainder)),
            ("^=", Some(Binary::Power)),
        ];
        for (symbol, operator) in ASSIGNMENTS {
            if self.accept(symbol) {
                let value = self.deeper(Self::sum)?;
                return Ok(Expression::Assign(place, operator, Box::new(value)));
            }
        }
        Ok(Expression::Place(place))
    }

    fn operand(&mut self) -> Result<Expression, Fault> {
        match self.lexer.next() {
            Token::Number(digits) => Ok(Expression::Number(digits)),
            Token::Symbol(".") => Ok(Expression::Place(Place::Last)),
            Token::Symbol("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(Expression::Group(Box::new(inner)))
            }
            Token::Name(name) => self.named(&name),
            _ => Err(SYNTAX),
        }
    }

    fn named(&mut self, name: &str) -> Result<Expression, Fault> {
        if self.accept("(") {
            return self.call(name);
        }
        let place = match name {
            "scale" => Place::Scale,
            "ibase" => Place::InputBase,
            "obase" => Place::OutputBase,
            "last" => Place::Last,
            "if" | "while" | "for" | "print" | "break" | "continue" | "return" | "halt"
            | "define" | "auto" | "else" | "quit" | "length" | "sqrt" | "read" => {
                return Err(SYNTAX);
            }
            _ if self.accept("[") => {
                let index = self.expression()?;
                self.expect("]")?;
                Place::Element(name.into(), Box::new(index))
            }
            _ => Place::Variable(name.into()),
        };
        Ok(Expression::Place(place))
    }

    fn call(&mut self, name: &str) -> Result<Expression, Fault> {
        if name == "read" {
            self.expect(")")?;
            return Ok(Expression::Read);
        }
        if matches!(name, "length" | "scale" | "sqrt") {
            let operand = Box::new(self.expression()?);
            self.expect(")")?;
            return Ok(match name {
                "length" => Expression::Length(operand),
                "scale" => Expression::ScaleOf(operand),
                _ => Expression::SquareRoot(operand),
            });
        }
        let mut arguments = Vec::new();
        if !self.is(")") {
            loop {
                arguments.push(self.argument()?);
                if !self.accept(",") {
                    break;
                }
            }
        }
        self.expect(")")?;
        Ok(Expression::Call(name.into(), arguments))
    }

    /// `a[]` is a whole array; anything else is an expression.
    fn argument(&mut self) -> Result<Argument, Fault> {
        let Token::Name(name) = self.lexer.peek() else {
            return Ok(Argument::Value(self.expression()?));
        };
        let name = name.clone();
        self.lexer.next();
        if !self.is("[") {
            return self.rest_of_argument(&name);
        }
        self.lexer.next();
        if self.accept("]") {
            return Ok(Argument::Array(name.as_str().into()));
        }
        let index = Box::new(self.expression()?);
        self.expect("]")?;
        let place = Place::Element(name.as_str().into(), index);
        let first = self.placed(place)?;
        Ok(Argument::Value(self.continued(first)?))
    }

    fn rest_of_argument(&mut self, name: &str) -> Result<Argument, Fault> {
        let first = match self.named(name)? {
            Expression::Place(place) => self.placed(place)?,
            other => other,
        };
        Ok(Argument::Value(self.continued(first)?))
    }
}
