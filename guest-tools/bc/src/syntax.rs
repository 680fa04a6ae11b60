//! What a bc program is made of.

use std::rc::Rc;

/// A place for a value.
#[derive(Debug, Clone)]
pub enum Place {
    Variable(Rc<str>),
    Element(Rc<str>, Box<Expression>),
    Scale,
    InputBase,
    OutputBase,
    Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
}

#[derive(Debug, Clone)]
pub enum Argument {
    Value(Expression),
    Array(Rc<str>),
}

#[derive(Debug, Clone)]
pub enum Expression {
    Number(String),
    Place(Place),
    /// With an operator: `+=` and the like.
    Assign(Place, Option<Binary>, Box<Expression>),
    /// `++` and `--`: the step, and whether the new value is the result.
    Step(Place, i64, bool),
    /// Operators of one rank from left to right, side by side: a long chain is not a deep one.
    Chain(Box<Expression>, Vec<(Binary, Expression)>),
    Negate(Box<Expression>),
    Not(Box<Expression>),
    Group(Box<Expression>),
    Call(Rc<str>, Vec<Argument>),
    Length(Box<Expression>),
    ScaleOf(Box<Expression>),
    SquareRoot(Box<Expression>),
    Read,
}

#[derive(Debug, Clone)]
pub enum Printed {
    Text(String),
    Value(Expression),
}

#[derive(Debug, Clone)]
pub enum Statement {
    Expression(Expression),
    Text(String),
    Print(Vec<Printed>),
    Block(Vec<Statement>),
    If(Expression, Box<Statement>, Option<Box<Statement>>),
    While(Expression, Box<Statement>),
    For(
        Option<Expression>,
        Option<Expression>,
        Option<Expression>,
        Box<Statement>,
    ),
    Break,
    Continue,
    Return(Option<Expression>),
    Halt,
    Limits,
}

/// A parameter or an auto variable.
#[derive(Debug, Clone)]
pub struct Local {
    pub name: Rc<str>,
    pub array: bool,
}

#[derive(Debug)]
pub struct Function {
    pub parameters: Vec<Local>,
    pub autos: Vec<Local>,
    pub body: Vec<Statement>,
    pub void: bool,
}

/// What is read and done at once.
#[derive(Debug)]
pub enum Item {
    Statements(Vec<Statement>),
    Define(Rc<str>, Function),
    Quit,
    End,
}
