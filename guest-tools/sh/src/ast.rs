//! The shell's own tree: what a command is once its words are parsed, ready to be run many times.

use std::{cell::RefCell, rc::Rc};

use crate::{arithmetic::Arithmetic, names::Symbol};

pub type Bytes = Vec<u8>;

#[derive(Debug, Default)]
pub struct List(pub Vec<Item>);

#[derive(Debug)]
pub struct Item {
    pub first: Pipeline,
    /// `true`: run after success (`&&`), `false`: after failure (`||`).
    pub rest: Vec<(bool, Pipeline)>,
    pub background: bool,
}

#[derive(Debug)]
pub struct Pipeline {
    /// `Some(true)` for `time -p`.
    pub timed: Option<bool>,
    pub negated: bool,
    pub commands: Vec<Rc<Command>>,
}

#[derive(Debug)]
pub struct Command {
    pub kind: Kind,
    pub redirects: Vec<Redirect>,
    pub line: u32,
}

#[derive(Debug)]
pub enum Kind {
    Simple(Simple),
    Group(List),
    Subshell(List),
    If {
        branches: Vec<(List, List)>,
        otherwise: Option<List>,
    },
    While {
        until: bool,
        condition: List,
        body: List,
    },
    For {
        name: Symbol,
        words: Option<Vec<Word>>,
        body: List,
        select: bool,
    },
    ArithmeticFor {
        header: [Option<Arithmetic>; 3],
        text: Bytes,
        body: List,
    },
    Case {
        subject: Word,
        items: Vec<CaseItem>,
    },
    Arithmetic {
        expression: Arithmetic,
        text: Bytes,
    },
    Condition {
        condition: Condition,
    },
    Function {
        name: Bytes,
        body: Rc<Command>,
    },
    Coprocess {
        name: Option<Bytes>,
        body: Rc<Command>,
    },
}

#[derive(Debug, Default)]
pub struct Simple {
    pub assignments: Vec<Assignment>,
    pub words: Vec<Word>,
    /// No word or redirection changes the shell when expanded, so a stage may be expanded here
    /// and started directly.
    pub pure: bool,
}

#[derive(Debug)]
pub struct CaseItem {
    pub patterns: Vec<Word>,
    pub body: List,
    pub end: CaseEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseEnd {
    Break,
    FallThrough,
    TestNext,
}

#[derive(Debug)]
pub struct Assignment {
    pub name: Symbol,
    pub subscript: Option<Subscript>,
    pub append: bool,
    pub value: AssignedValue,
}

#[derive(Debug)]
pub enum AssignedValue {
    Scalar(Word),
    Array(Vec<Element>),
}

#[derive(Debug)]
pub struct Element {
    pub subscript: Option<Subscript>,
    pub append: bool,
    pub value: Word,
}

/// An array subscript, usable both as an expression and as a key.
#[derive(Debug)]
pub struct Subscript {
    pub key: Word,
    pub expression: Arithmetic,
}

#[derive(Debug, Default)]
pub struct Word {
    pub parts: Vec<Part>,
    /// As written, for messages and listings.
    pub source: Box<[u8]>,
    /// What the word stands for when no expansion can change it; not for use as a pattern.
    pub constant: Option<Bytes>,
    /// The word read as `name=value`, for declaration commands.
    pub assignment: Option<Box<Assignment>>,
    pub brace: Brace,
}

/// Braces are expanded when a command is read; whether that counts is known when it runs.
#[derive(Debug, Default)]
pub enum Brace {
    /// The word stands for itself.
    #[default]
    None,
    /// The first of the words that braces made, with the word as written.
    First(Box<Word>),
    /// A further one of them.
    Rest,
}

#[derive(Debug)]
pub enum Part {
    Literal(Bytes),
    Quoted(Bytes),
    DoubleQuoted(Vec<Part>),
    Tilde(Bytes),
    Parameter(Box<Parameter>),
    Command(Rc<Substitution>),
    Arithmetic(Box<Arithmetic>),
    Process { write: bool, body: Rc<Substitution> },
}

#[derive(Debug)]
pub struct Substitution {
    pub text: Bytes,
    pub line: u32,
    /// Parsed on first use, so that an error inside is reported when it is reached.
    pub body: RefCell<Option<Rc<List>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterName {
    Variable(Symbol),
    Position(usize),
    /// One of `@ * # ? - $ !`.
    Special(u8),
}

#[derive(Debug)]
pub enum Index {
    None,
    All { star: bool },
    One(Subscript),
}

#[derive(Debug)]
pub struct Parameter {
    pub name: ParameterName,
    pub index: Index,
    pub indirect: bool,
    pub operation: Operation,
    pub source: Box<[u8]>,
}

#[derive(Debug)]
pub enum Operation {
    None,
    Length,
    Default {
        colon: bool,
        word: Word,
    },
    Assign {
        colon: bool,
        word: Word,
    },
    Error {
        colon: bool,
        word: Word,
    },
    Alternative {
        colon: bool,
        word: Word,
    },
    Substring {
        offset: Arithmetic,
        length: Option<Arithmetic>,
    },
    RemovePrefix {
        longest: bool,
        pattern: Word,
    },
    RemoveSuffix {
        longest: bool,
        pattern: Word,
    },
    Replace {
        anchor: Anchor,
        pattern: Word,
        replacement: Word,
    },
    Case {
        change: CaseChange,
        all: bool,
        pattern: Option<Word>,
    },
    Transform(u8),
    /// `${!prefix*}`.
    Names {
        star: bool,
    },
    /// `${!array[@]}`.
    Keys,
    /// Not an expansion bash knows; reported when reached.
    Bad,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    First,
    All,
    Start,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseChange {
    Upper,
    Lower,
    Toggle,
}

#[derive(Debug)]
pub enum Condition {
    Group(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Word(Word),
    Unary(u8, Word),
    /// The operator as written, for listings and traces.
    Binary(ConditionOperator, &'static str, Word, Word),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionOperator {
    Match,
    NoMatch,
    Regex,
    Before,
    After,
    NumberEqual,
    NumberNotEqual,
    NumberLess,
    NumberLessOrEqual,
    NumberGreater,
    NumberGreaterOrEqual,
    SameFile,
    Newer,
    Older,
}

#[derive(Debug)]
pub struct Redirect {
    pub target: RedirectDescriptor,
    pub kind: RedirectKind,
    pub word: Word,
    /// A here-document's tag, without quotes.
    pub tag: Bytes,
}

#[derive(Debug)]
pub enum RedirectDescriptor {
    Default,
    Number(u32),
    /// `{name}>file`.
    Variable(Bytes),
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum RedirectKind {
    Read,
    Write,
    Clobber,
    Append,
    ReadWrite,
    DuplicateInput,
    DuplicateOutput,
    Both,
    BothAppend,
    HereString,
    /// The word is the body.
    HereDocument {
        strip_tabs: bool,
        quoted: bool,
    },
}
