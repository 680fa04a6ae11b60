//! Whether a command applies to the line at hand.

use std::{io, rc::Rc};

use posix_regex::Matcher;

use super::{Machine, Range};
use crate::script::{Address, Command, End, Expression};

impl Machine<'_> {
    pub(super) fn applies(&mut self, at: usize, command: &Command) -> bool {
        let guard = &command.guard;
        let holds = match (&guard.first, &guard.end) {
            (None, _) => true,
            (Some(first), None) => self.at_address(first),
            (Some(first), Some(end)) => self.in_range(at, first, end),
        };
        holds != guard.negated
    }

    fn at_address(&mut self, address: &Address) -> bool {
        let line = self.input.number;
        match address {
            Address::Line(number) => line == *number,
            Address::Step(first, 0) => line == *first,
            Address::Step(first, step) => line >= *first && (line - first) % step == 0,
            Address::Last => self.input.is_last(),
            Address::Matching(expression) => self.matches(expression),
        }
    }

    fn in_range(&mut self, at: usize, first: &Address, end: &End) -> bool {
        let line = self.input.number;
        match self.ranges[at] {
            Range::Closed => {
                if !self.at_address(first) {
                    return false;
                }
                self.ranges[at] = match end {
                    End::Line(to) if *to <= line => Range::Closed,
                    End::Line(to) => Range::To(*to),
                    End::After(0) | End::Multiple(0) => Range::Closed,
                    End::After(count) => Range::To(line + count),
                    // The next multiple, also after a line that is one.
                    End::Multiple(n) => Range::To((line / n + 1) * n),
                    End::Last if self.input.is_last() => Range::Closed,
                    End::Last | End::Matching(_) => Range::Open,
                };
                true
            }
            Range::To(to) => {
                if line >= to {
                    self.ranges[at] = Range::Closed;
                }
                // A jump over lines may have passed the end: then only the beginning counts.
                line <= to || self.in_range(at, first, end)
            }
            Range::Open => {
                let over = match end {
                    End::Last => self.input.is_last(),
                    End::Matching(expression) => self.matches(expression),
                    _ => true,
                };
                if over {
                    self.ranges[at] = Range::Closed;
                }
                true
            }
        }
    }

    pub(super) fn matcher(&mut self, expression: &Expression) -> Option<Rc<Matcher>> {
        if let Expression::Compiled(matcher) = expression {
            self.last = Some(matcher.clone());
        }
        if self.last.is_none() {
            self.error = Some(io::Error::other("no previous regular expression"));
        }
        self.last.clone()
    }

    fn matches(&mut self, expression: &Expression) -> bool {
        let matcher = self.matcher(expression);
        matcher.is_some_and(|matcher| matcher.is_match(&self.pattern))
    }
}
