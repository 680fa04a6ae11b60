//! What the next record continues: its number, its predecessor's hash, the tree, the open calls.

use std::collections::HashSet;

use crate::audit::line::{self, Head, Mark};
use crate::audit::record::Segment;
use crate::audit::tree::{self, Frontier, Hash, NO_RECORD};

/// Most calls that a log is believed to have under way; a log that claims more is not ours.
/// Chosen, not measured.
pub const OPEN_MAX: usize = 100_000;

/// The end of a log so far.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    pub prev: Hash,
    pub tree: Frontier,
    /// Calls with an intent and without an outcome.
    pub open: HashSet<Box<str>>,
}

/// Why a line does not continue a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// It does not have a record's form.
    Form,
    /// It has another number.
    Seq(u64),
    /// It names another predecessor.
    Prev,
}

impl Chain {
    /// The number of the next record.
    pub fn next(&self) -> u64 {
        self.tree.size()
    }

    /// The start of a file that says itself how it continues the one before.
    pub fn at_segment(first_line: &[u8]) -> Option<(Self, Segment)> {
        let head = line::head(first_line)?;
        let (_, event, _) = line::time_and_event(head.rest)?;
        let segment: Segment = serde_json::from_slice(first_line)
            .ok()
            .filter(|_| event == "segment")?;
        let tree = segment.tree.frontier()?;
        let starts_right = tree.size() == head.seq && (head.seq > 0 || head.prev == NO_RECORD);
        let open = segment.open.iter().map(|id| id.as_str().into()).collect();
        let prev = head.prev;
        starts_right.then_some((Self { prev, tree, open }, segment))
    }

    /// Writes a body's stored line behind `out` and moves on.
    pub fn append(&mut self, out: &mut Vec<u8>, body: &[u8]) {
        let from = out.len();
        line::compose(out, self.next(), &self.prev, body);
        let composed = out.get(from..).unwrap_or_default();
        let stored = composed.strip_suffix(b"\n").unwrap_or_default();
        self.advance(stored);
        self.marked(line::mark(body));
    }

    /// Checks that a stored line comes next, and moves on behind it.
    ///
    /// # Errors
    /// When it does not come next.
    pub fn follow<'a>(&mut self, stored: &'a [u8]) -> Result<Head<'a>, Misfit> {
        let head = self.fits(stored)?;
        self.advance(stored);
        self.marked(line::mark(head.rest));
        Ok(head)
    }

    /// Whether a stored line comes next.
    ///
    /// # Errors
    /// When it does not.
    pub fn fits<'a>(&self, stored: &'a [u8]) -> Result<Head<'a>, Misfit> {
        let head = line::head(stored).ok_or(Misfit::Form)?;
        if head.seq != self.next() {
            return Err(Misfit::Seq(head.seq));
        }
        if head.prev != self.prev {
            return Err(Misfit::Prev);
        }
        Ok(head)
    }

    fn advance(&mut self, stored: &[u8]) {
        self.prev = tree::line_hash(stored);
        self.tree.push(tree::leaf_hash(stored));
    }

    fn marked(&mut self, mark: Mark<'_>) {
        match mark {
            Mark::Opens(id) if self.open.len() < OPEN_MAX => {
                self.open.insert(id.into());
            }
            Mark::Closes(id) => {
                self.open.remove(id);
            }
            Mark::Opens(_) | Mark::Neither => {}
        }
    }
}
