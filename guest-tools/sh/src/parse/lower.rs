//! From the grammar's tree, whose words are numbered pieces, to ours.

use std::rc::Rc;

use brush_parser::ast as grammar;

use super::build::{Piece, Pieces};
use super::{Mode, assignment, word};
use crate::{
    arithmetic::Arithmetic,
    ast::{
        Bytes, CaseEnd, CaseItem, Command, Index, Item, Kind, List, Operation, ParameterName, Part,
        Pipeline, Redirect, RedirectDescriptor, RedirectKind, Simple, Word,
    },
    known,
    names::{Symbol, intern},
};

/// Turns a parsed program into our list.
pub fn lower(program: grammar::Program, pieces: Pieces) -> List {
    let mut lowering = Lowering { pieces };
    let mut list = List::default();
    for command in program.complete_commands {
        list.0.extend(lowering.list(command).0);
    }
    list
}

struct Lowering {
    pieces: Pieces,
}

fn number(text: &str) -> usize {
    text.strip_prefix('v')
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

impl Lowering {
    fn take(&mut self, index: usize) -> (Piece, u32) {
        match self.pieces.list.get_mut(index) {
            Some((piece, line)) => (std::mem::replace(piece, Piece::Mark("")), *line),
            None => (Piece::Mark(""), 1),
        }
    }

    fn line(&self, span: &brush_parser::SourceSpan) -> u32 {
        self.pieces
            .list
            .get(span.start.index)
            .map_or(1, |(_, line)| *line)
    }

    fn raw(&mut self, text: &str) -> (Bytes, u32) {
        match self.take(number(text)) {
            (Piece::Word(text) | Piece::LoopName(text, _), line) => (text, line),
            (_, line) => (text.as_bytes().to_vec(), line),
        }
    }

    fn single(&mut self, word: &grammar::Word) -> Word {
        let (text, line) = self.raw(&word.value);
        let mut word = word::compile(&text, Mode::Plain, line, self.pieces.settings);
        word.assignment = None;
        word
    }

    fn arguments(&mut self, words: &[grammar::Word]) -> Vec<Word> {
        let mut out = Vec::new();
        for word in words {
            if matches!(
                self.pieces.list.get(number(&word.value)),
                Some((Piece::Mark(_), _))
            ) {
                continue;
            }
            let (text, line) = self.raw(&word.value);
            out.extend(word::compile_argument(&text, line, self.pieces.settings));
        }
        out
    }

    fn list(&mut self, list: grammar::CompoundList) -> List {
        let mut out = List::default();
        for grammar::CompoundListItem(and_or, separator) in list.0 {
            let first = self.pipeline(and_or.first);
            let mut rest = Vec::new();
            for more in and_or.additional {
                rest.push(match more {
                    grammar::AndOr::And(pipeline) => (true, self.pipeline(pipeline)),
                    grammar::AndOr::Or(pipeline) => (false, self.pipeline(pipeline)),
                });
            }
            let background = matches!(separator, grammar::SeparatorOperator::Async);
            out.0.push(Item {
                first,
                rest,
                background,
            });
        }
        out
    }

    fn pipeline(&mut self, pipeline: grammar::Pipeline) -> Pipeline {
        Pipeline {
            timed: pipeline
                .timed
                .map(|timed| matches!(timed, grammar::PipelineTimed::TimedWithPosixOutput(_))),
            negated: pipeline.bang,
            commands: pipeline
                .seq
                .into_iter()
                .map(|c| Rc::new(self.command(c)))
                .collect(),
        }
    }

    fn command(&mut self, command: grammar::Command) -> Command {
        match command {
            grammar::Command::Simple(simple) => self.simple(simple),
            grammar::Command::Compound(compound, redirects) => {
                let (kind, line) = self.compound(compound);
                Command {
                    kind,
                    redirects: self.redirects(redirects),
                    line,
                }
            }
            grammar::Command::Function(function) => {
                let (name, line) = self.raw(&function.fname.value);
                let grammar::FunctionBody(body, redirects) = function.body;
                let (kind, body_line) = self.compound(body);
                let redirects = self.redirects(redirects);
                let body = Rc::new(Command {
                    kind,
                    redirects,
                    line: body_line,
                });
                Command {
                    kind: Kind::Function { name, body },
                    redirects: Vec::new(),
                    line,
                }
            }
            grammar::Command::ExtendedTest(..) => Command {
                // Conditions reach the grammar as pieces, never as `[[`.
                kind: Kind::Group(List::default()),
                redirects: Vec::new(),
                line: 1,
            },
        }
    }

    fn simple(&mut self, simple: grammar::SimpleCommand) -> Command {
        let mut words = Vec::new();
        let mut redirects = Vec::new();
        let mut line = None;
        let prefix = simple.prefix.map(|p| p.0).unwrap_or_default();
        let name = simple
            .word_or_name
            .map(grammar::CommandPrefixOrSuffixItem::Word);
        let suffix = simple.suffix.map(|s| s.0).unwrap_or_default();
        for item in prefix.into_iter().chain(name).chain(suffix) {
            match item {
                grammar::CommandPrefixOrSuffixItem::IoRedirect(redirect) => {
                    line.get_or_insert(self.redirect_line(&redirect));
                    redirects.push(self.redirect(redirect));
                }
                grammar::CommandPrefixOrSuffixItem::Word(word)
                | grammar::CommandPrefixOrSuffixItem::AssignmentWord(_, word) => {
                    line.get_or_insert(self.pieces.list[number(&word.value)].1);
                    words.push(word);
                }
                grammar::CommandPrefixOrSuffixItem::ProcessSubstitution(..) => {}
            }
        }
        let mut command = Simple::default();
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.peek() {
            let index = number(&word.value);
            let (Piece::Word(text), at) = &self.pieces.list[index] else {
                break;
            };
            let Some(parsed) = assignment::parse(text, *at, self.pieces.settings) else {
                break;
            };
            command.assignments.push(parsed);
            words.next();
        }
        let words: Vec<_> = words.collect();
        command.words = self.arguments(&words);
        command.pure = command.assignments.is_empty()
            && command.words.iter().all(|word| is_pure(&word.parts))
            && redirects.iter().all(|r: &Redirect| {
                is_pure(&r.word.parts) && !matches!(r.target, RedirectDescriptor::Variable(_))
            });
        Command {
            kind: Kind::Simple(command),
            redirects,
            line: line.unwrap_or(1),
        }
    }

    fn compound(&mut self, command: grammar::CompoundCommand) -> (Kind, u32) {
        use grammar::CompoundCommand as C;
        match command {
            C::BraceGroup(group) => {
                let line = self.line(&group.loc);
                (self.group(group, line), line)
            }
            C::IfClause(clause) => {
                let line = self.line(&clause.loc);
                (self.if_clause(clause), line)
            }
            C::WhileClause(grammar::WhileOrUntilClauseCommand(condition, body, loc)) => {
                (self.while_clause(false, condition, body), self.line(&loc))
            }
            C::UntilClause(grammar::WhileOrUntilClauseCommand(condition, body, loc)) => {
                (self.while_clause(true, condition, body), self.line(&loc))
            }
            C::ForClause(clause) => {
                let line = self.line(&clause.loc);
                (self.for_clause(clause), line)
            }
            C::CaseClause(clause) => {
                let line = self.line(&clause.loc);
                (self.case_clause(clause), line)
            }
            C::Coprocess(coprocess) => {
                let line = self.line(&coprocess.loc);
                let name = coprocess.name.map(|word| self.raw(&word.value).0);
                let body = Rc::new(self.command(*coprocess.body));
                (Kind::Coprocess { name, body }, line)
            }
            // These reach the grammar as pieces or as groups.
            C::Subshell(subshell) => {
                let line = self.line(&subshell.loc);
                (Kind::Subshell(self.list(subshell.list)), line)
            }
            C::Arithmetic(_) | C::ArithmeticForClause(_) => (Kind::Group(List::default()), 1),
        }
    }

    /// A group, a subshell, or one of the pieces that were wrapped in a group.
    fn group(&mut self, group: grammar::BraceGroupCommand, line: u32) -> Kind {
        let marker = group.loc.start.index;
        if let (Piece::Subshell, _) = self.pieces.list[marker] {
            return Kind::Subshell(self.list(group.list));
        }
        match self.pieces.list.get(marker + 1) {
            Some((Piece::Arithmetic(_), _)) => {
                let (Piece::Arithmetic(text), _) = self.take(marker + 1) else {
                    return Kind::Group(List::default());
                };
                let expression = Arithmetic::compile(&text, line, self.pieces.settings);
                Kind::Arithmetic { expression, text }
            }
            Some((Piece::Condition(..), _)) => match self.take(marker + 1) {
                (Piece::Condition(Some(condition)), _) => Kind::Condition { condition },
                _ => Kind::Group(List::default()),
            },
            _ => Kind::Group(self.list(group.list)),
        }
    }

    fn if_clause(&mut self, clause: grammar::IfClauseCommand) -> Kind {
        let mut branches = vec![(self.list(clause.condition), self.list(clause.then))];
        let mut otherwise = None;
        for branch in clause.elses.unwrap_or_default() {
            match branch.condition {
                Some(condition) => branches.push((self.list(condition), self.list(branch.body))),
                None => otherwise = Some(self.list(branch.body)),
            }
        }
        Kind::If {
            branches,
            otherwise,
        }
    }

    fn while_clause(
        &mut self,
        until: bool,
        condition: grammar::CompoundList,
        body: grammar::DoGroupCommand,
    ) -> Kind {
        let condition = self.list(condition);
        Kind::While {
            until,
            condition,
            body: self.list(body.list),
        }
    }

    fn for_clause(&mut self, clause: grammar::ForClauseCommand) -> Kind {
        let (piece, line) = self.take(number(&clause.variable_name));
        match piece {
            Piece::ArithmeticFor(text) => {
                let header = split_header(&text).map(|part| {
                    let text = part.trim_ascii();
                    (!text.is_empty())
                        .then(|| Arithmetic::compile(text, line, self.pieces.settings))
                });
                Kind::ArithmeticFor {
                    header,
                    text,
                    body: self.list(clause.body.list),
                }
            }
            Piece::LoopName(name, select) => {
                // `for x in; do` has an empty list, which the grammar cannot tell from none.
                let words = clause.values.map(|words| self.arguments(&words));
                let body = self.list(clause.body.list);
                Kind::For {
                    name: intern(&name),
                    words,
                    body,
                    select,
                }
            }
            _ => Kind::Group(List::default()),
        }
    }

    fn case_clause(&mut self, clause: grammar::CaseClauseCommand) -> Kind {
        let subject = self.single(&clause.value);
        let items = clause
            .cases
            .into_iter()
            .map(|item| CaseItem {
                patterns: item.patterns.iter().map(|word| self.single(word)).collect(),
                body: item.cmd.map(|list| self.list(list)).unwrap_or_default(),
                end: match item.post_action {
                    grammar::CaseItemPostAction::ExitCase => CaseEnd::Break,
                    grammar::CaseItemPostAction::UnconditionallyExecuteNextCaseItem => {
                        CaseEnd::FallThrough
                    }
                    grammar::CaseItemPostAction::ContinueEvaluatingCases => CaseEnd::TestNext,
                },
            })
            .collect();
        Kind::Case { subject, items }
    }

    fn redirects(&mut self, list: Option<grammar::RedirectList>) -> Vec<Redirect> {
        let list = list.map(|list| list.0).unwrap_or_default();
        list.into_iter()
            .map(|redirect| self.redirect(redirect))
            .collect()
    }

    fn redirect_line(&self, redirect: &grammar::IoRedirect) -> u32 {
        match redirect {
            grammar::IoRedirect::File(_, _, grammar::IoFileRedirectTarget::Filename(word)) => {
                self.pieces.list[number(&word.value)].1
            }
            _ => 1,
        }
    }

    /// Every redirection reaches the grammar as `< piece`.
    fn redirect(&mut self, redirect: grammar::IoRedirect) -> Redirect {
        let piece = match redirect {
            grammar::IoRedirect::File(_, _, grammar::IoFileRedirectTarget::Filename(word)) => {
                self.take(number(&word.value))
            }
            _ => (Piece::Mark(""), 1),
        };
        let (
            Piece::Redirect {
                target,
                kind,
                word: text,
                tag,
            },
            line,
        ) = piece
        else {
            return Redirect {
                target: RedirectDescriptor::Default,
                kind: RedirectKind::Read,
                word: Word::default(),
                tag: Bytes::new(),
            };
        };
        let settings = self.pieces.settings;
        let word = match kind {
            RedirectKind::HereDocument { quoted: true, .. } => Word {
                constant: Some(text.clone()),
                parts: vec![Part::Quoted(text.clone())],
                source: text.into(),
                assignment: None,
                brace: crate::ast::Brace::None,
            },
            RedirectKind::HereDocument { .. } => {
                word::compile(&text, Mode::HereDocument, line, settings)
            }
            _ => word::compile(&text, Mode::Plain, line, settings),
        };
        Redirect {
            target: target.unwrap_or(RedirectDescriptor::Default),
            kind,
            word,
            tag,
        }
    }
}

/// The three expressions of `for ((a; b; c))`.
fn split_header(text: &[u8]) -> [&[u8]; 3] {
    let mut parts = text.splitn(3, |&b| b == b';');
    [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default)
}

/// Variables whose value depends on the process that reads them, or changes by reading.
fn changes(name: Symbol) -> bool {
    matches!(
        name,
        known::RANDOM | known::BASHPID | known::BASH_SUBSHELL | known::SRANDOM
    )
}

/// Whether expanding these parts changes nothing in the shell.
pub fn is_pure(parts: &[Part]) -> bool {
    parts.iter().all(|part| match part {
        Part::Literal(_) | Part::Quoted(_) | Part::Tilde(_) => true,
        Part::DoubleQuoted(inner) => is_pure(inner),
        Part::Parameter(parameter) => {
            matches!(parameter.operation, Operation::None)
                && !parameter.indirect
                && !matches!(parameter.index, Index::One(_))
                && !matches!(parameter.name, ParameterName::Variable(name) if changes(name))
        }
        Part::Command(_) | Part::Arithmetic(_) | Part::Process { .. } => false,
    })
}
