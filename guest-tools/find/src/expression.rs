//! What a find expression is made of.

use std::{ffi::OsString, path::PathBuf, rc::Rc};

use posix_regex::Matcher;

use crate::execute::Execution;

/// `+N`, `-N` or `N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    More(i64),
    Less(i64),
    Exactly(i64),
}

impl Bound {
    /// Reads a bound; `None` when it is no number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (make, digits): (fn(i64) -> Self, _) = match text.as_bytes().first()? {
            b'+' => (Self::More, &text[1..]),
            b'-' => (Self::Less, &text[1..]),
            _ => (Self::Exactly, text),
        };
        Some(make(digits.parse().ok()?))
    }

    #[must_use]
    pub fn holds(self, value: i64) -> bool {
        match self {
            Self::More(least) => value > least,
            Self::Less(most) => value < most,
            Self::Exactly(exact) => value == exact,
        }
    }
}

/// One of a file's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    Accessed,
    Changed,
    Modified,
}

/// How `-perm` compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permissions {
    Exactly,
    All,
    Any,
}

/// Where an action writes: stdout, or the file with this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    Stdout,
    File(usize),
}

pub enum Node {
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    List(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Always(bool),
    Name {
        glob: String,
        ignore_case: bool,
    },
    Path {
        glob: String,
        ignore_case: bool,
    },
    LinkName {
        glob: String,
        ignore_case: bool,
    },
    Regex(Rc<Matcher>),
    Type {
        letters: Vec<char>,
        of_target: bool,
    },
    Size {
        bound: Bound,
        unit: u64,
    },
    Empty,
    Links(Bound),
    Inode(Bound),
    UserId(Bound),
    GroupId(Bound),
    NoUser,
    Permission {
        kind: Permissions,
        mode: u32,
        folder_mode: u32,
    },
    Days {
        stamp: Stamp,
        bound: Bound,
    },
    Minutes {
        stamp: Stamp,
        bound: Bound,
    },
    NewerThan {
        stamp: Stamp,
        time: (i64, i64),
    },
    SameFile(u64, u64),
    Access(u32),
    Prune,
    Quit,
    Print {
        sink: Sink,
        end: u8,
    },
    Printf {
        sink: Sink,
        format: String,
    },
    List2 {
        sink: Sink,
    },
    Delete,
    Execute(Rc<Execution>),
}

/// A whole command line.
pub struct Search {
    pub starts: Vec<OsString>,
    pub expression: Node,
    pub settings: Settings,
    /// Files that `-fprint` and its like write to.
    pub outputs: Vec<PathBuf>,
}

/// What is said once for the whole search.
#[derive(Debug, Clone)]
pub struct Settings {
    pub follow: bool,
    pub follow_starts: bool,
    pub depth_first: bool,
    pub least_depth: usize,
    pub most_depth: usize,
    pub one_device: bool,
    pub from_day_start: bool,
    /// Seconds and nanoseconds since 1970 that ages are counted from.
    pub now: (i64, i64),
}
