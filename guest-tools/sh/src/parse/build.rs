//! One command in the making: the token stream for the grammar and what each token stands for.

use std::sync::Arc;

use brush_parser::{SourcePosition, SourceSpan, Token};

use super::{Settings, reader::Aliases};
use crate::ast::{Bytes, Condition, RedirectDescriptor, RedirectKind};

/// What a token of the stream given to the grammar stands for.
#[derive(Debug)]
pub(super) enum Piece {
    Mark(&'static str),
    Subshell,
    Word(Bytes),
    Redirect {
        target: Option<RedirectDescriptor>,
        kind: RedirectKind,
        word: Bytes,
        tag: Bytes,
    },
    Arithmetic(Bytes),
    ArithmeticFor(Bytes),
    Condition(Option<Condition>),
    /// The name of a `for` (false) or `select` (true).
    LoopName(Bytes, bool),
}

#[derive(Debug)]
pub(super) struct Pieces {
    pub list: Vec<(Piece, u32)>,
    pub settings: Settings,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Level {
    If,
    /// Waiting for `do` or, after it, `done`.
    Loop {
        body: bool,
    },
    /// A loop whose body is written in braces.
    BraceLoop,
    Case {
        state: CaseState,
    },
    Brace,
    Parenthesis,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum CaseState {
    Subject,
    In,
    /// `true` at the beginning of a pattern list.
    Pattern(bool),
    Body,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Expect {
    Anything,
    LoopName { select: bool },
    LoopIn,
    FunctionName,
    TimeOption,
    CoprocessName,
}

pub(super) struct HereDocument {
    pub(super) piece: usize,
    pub(super) tag: Bytes,
    pub(super) strip: bool,
}

/// One command in the making.
pub(super) struct Build<'a> {
    pub(super) pieces: Pieces,
    pub(super) tokens: Vec<Token>,
    pub(super) levels: Vec<Level>,
    pub(super) expect: Expect,
    /// A reserved word may come next.
    pub(super) reserved: bool,
    /// A command's first word, or an assignment before it, may come next.
    pub(super) command_word: bool,
    pub(super) function_body: bool,
    /// The command is one whose arguments may be array values.
    pub(super) takes_arrays: bool,
    pub(super) here_documents: Vec<HereDocument>,
    /// A here-document was ended by the end of the text.
    pub(super) open_document: bool,
    pub(super) aliases: Option<&'a Aliases>,
}

impl Build<'_> {
    pub(super) fn token_for(&mut self, piece: Piece, text: &str, line: u32) {
        let span = self.span(piece, line);
        self.tokens.push(Token::Word(text.to_owned(), span));
    }

    pub(super) fn piece_word(&mut self, piece: Piece, line: u32) {
        let text = format!("v{}", self.pieces.list.len());
        self.token_for(piece, &text, line);
    }

    pub(super) fn operator(&mut self, text: &'static str, line: u32) {
        let span = self.span(Piece::Mark(text), line);
        self.tokens.push(Token::Operator(text.to_owned(), span));
    }

    pub(super) fn span(&mut self, piece: Piece, line: u32) -> SourceSpan {
        let index = self.pieces.list.len();
        self.pieces.list.push((piece, line));
        let position = Arc::new(SourcePosition {
            index,
            line: 1,
            column: 1,
        });
        SourceSpan {
            start: Arc::clone(&position),
            end: position,
        }
    }

    pub(super) fn push_redirect(
        &mut self,
        target: Option<RedirectDescriptor>,
        kind: RedirectKind,
        word: Bytes,
        line: u32,
    ) {
        self.operator("<", line);
        self.piece_word(
            Piece::Redirect {
                target,
                kind,
                word,
                tag: Bytes::new(),
            },
            line,
        );
    }

    /// A piece that is a compound command by itself.
    pub(super) fn wrapped(&mut self, piece: Piece, line: u32) {
        self.token_for(Piece::Mark("{"), "{", line);
        self.piece_word(piece, line);
        self.operator(";", line);
        self.token_for(Piece::Mark("}"), "}", line);
        self.after_compound();
    }

    pub(super) fn begin_command(&mut self) {
        self.reserved = true;
        self.command_word = true;
        self.function_body = false;
        self.takes_arrays = false;
        self.expect = Expect::Anything;
    }

    pub(super) fn after_compound(&mut self) {
        self.reserved = true;
        self.command_word = false;
        self.function_body = false;
        self.expect = Expect::Anything;
    }

    /// A subshell is given to the grammar as a group, whose list must end with a separator.
    pub(super) fn end_list(&mut self, line: u32) {
        let ended = matches!(self.tokens.last(), Some(Token::Operator(op, _)) if matches!(op.as_str(), ";" | "&" | "\n"));
        if !ended {
            self.operator(";", line);
        }
    }

    pub(super) fn reserved_word(&mut self, text: &'static str, line: u32) {
        let mark = Piece::Mark(text);
        match (text, self.levels.last().copied()) {
            ("if", _) => self.open(Level::If, text, line),
            ("while" | "until", _) => self.open(Level::Loop { body: false }, text, line),
            ("for" | "select", _) => {
                self.open(Level::Loop { body: false }, "for", line);
                self.expect = Expect::LoopName {
                    select: text == "select",
                };
            }
            ("case", _) => {
                self.open(
                    Level::Case {
                        state: CaseState::Subject,
                    },
                    text,
                    line,
                );
                self.reserved = false;
                self.command_word = false;
            }
            ("do", Some(Level::Loop { body: false })) => {
                self.levels.pop();
                self.open(Level::Loop { body: true }, text, line);
            }
            ("{", Some(Level::Loop { body: false })) if self.after_header() => {
                self.levels.pop();
                self.open(Level::BraceLoop, "do", line);
            }
            ("}", Some(Level::BraceLoop)) => self.close("done", line),
            ("{", _) => self.open(Level::Brace, text, line),
            ("}", Some(Level::Brace))
            | ("fi", Some(Level::If))
            | ("done", Some(Level::Loop { body: true })) => self.close(text, line),
            ("esac", Some(Level::Case { .. })) => {
                self.operator(";;", line);
                self.close(text, line);
            }
            ("function", _) => {
                // The grammar reads `name ()`, whichever way it was written.
                self.reserved = false;
                self.expect = Expect::FunctionName;
            }
            ("time", _) => {
                self.token_for(mark, text, line);
                self.begin_command();
                self.expect = Expect::TimeOption;
            }
            ("coproc", _) => {
                self.token_for(mark, text, line);
                self.begin_command();
                self.expect = Expect::CoprocessName;
            }
            _ => {
                self.token_for(mark, text, line);
                self.begin_command();
            }
        }
    }

    /// True between a `for` header and its body.
    pub(super) fn after_header(&self) -> bool {
        let mut tokens = self.tokens.iter().rev();
        tokens.any(|token| match token {
            Token::Operator(op, _) if matches!(op.as_str(), ";" | "\n") => false,
            Token::Word(..) => true,
            Token::Operator(..) => false,
        }) && self.tokens.iter().rev().find_map(|token| match token {
            Token::Word(word, _) if word == "for" => Some(true),
            Token::Word(word, _) if matches!(word.as_str(), "while" | "until" | "do") => {
                Some(false)
            }
            _ => None,
        }) == Some(true)
    }

    pub(super) fn open(&mut self, level: Level, text: &'static str, line: u32) {
        self.levels.push(level);
        self.token_for(Piece::Mark(text), text, line);
        self.begin_command();
    }

    pub(super) fn close(&mut self, text: &'static str, line: u32) {
        self.levels.pop();
        self.token_for(Piece::Mark(text), text, line);
        self.after_compound();
    }
}
