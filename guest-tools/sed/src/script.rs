//! What a script is made of.

use std::rc::Rc;

use posix_regex::Matcher;

/// An expression, or the one that was used last.
#[derive(Clone)]
pub enum Expression {
    Compiled(Rc<Matcher>),
    Last,
}

pub enum Address {
    Line(u64),
    /// `first~step`
    Step(u64, u64),
    Last,
    Matching(Expression),
}

/// Where a range ends.
pub enum End {
    Line(u64),
    After(u64),
    Multiple(u64),
    Last,
    Matching(Expression),
}

/// Which lines a command is for.
pub struct Guard {
    pub first: Option<Address>,
    pub end: Option<End>,
    /// `0,/x/`: the range is open before the first line.
    pub from_zero: bool,
    pub negated: bool,
}

/// A piece of what is put in place of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(Vec<u8>),
    Group(usize),
    Case(Case),
}

/// `\U \L \u \l \E`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Upper,
    Lower,
    NextUpper,
    NextLower,
    End,
}

pub struct Substitution {
    pub expression: Expression,
    pub replacement: Vec<Piece>,
    pub global: bool,
    pub number: usize,
    pub print: bool,
    pub evaluate: bool,
    pub file: Option<usize>,
}

pub enum Action {
    /// Where to go on when the guard does not hold.
    Open(usize),
    Close,
    Label,
    Append(Vec<u8>),
    Insert(Vec<u8>),
    Change(Vec<u8>),
    Branch(Option<usize>),
    BranchIfReplaced(Option<usize>),
    BranchUnlessReplaced(Option<usize>),
    Delete,
    DeleteFirstLine,
    Execute(Vec<u8>),
    FileName,
    Get,
    GetAppend,
    Hold,
    HoldAppend,
    List(Option<usize>),
    Next,
    NextAppend,
    Number,
    Print,
    PrintFirstLine,
    Quit(i32),
    QuitSilently(i32),
    ReadFile(Vec<u8>),
    ReadLine(usize),
    Substitute(Substitution),
    WriteFile(usize),
    WriteFirstLine(usize),
    Exchange,
    Transliterate(Vec<(char, char)>),
    Zap,
    Nothing,
}

pub struct Command {
    pub guard: Guard,
    pub action: Action,
}

/// A whole script.
pub struct Script {
    pub commands: Vec<Command>,
    /// Files named by `w`, in the order of their numbers.
    pub written: Vec<Vec<u8>>,
    /// Files named by `R`.
    pub read: Vec<Vec<u8>>,
}
