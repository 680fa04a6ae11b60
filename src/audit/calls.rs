//! Puts intents and outcomes together again, in one pass and with a limit on what is held.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::audit::line::{self, Mark};
use crate::audit::reader::{ReadError, Stored};
use crate::audit::record::{Common, Finished, Intent, Record};

/// Most calls held open while their outcomes are looked for. Past it the oldest is given out
/// without. Chosen, not measured.
const OPEN_MAX: usize = 10_000;

/// What a log says, by call.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A call; without an end it was denied, or its outcome is not in the log.
    Call { intent: Stored, end: Option<Stored> },
    /// Something about the log itself, an end without its intent, or a line that is no record.
    Other(Stored),
}

/// A call as its records say it.
#[derive(Debug)]
pub struct Call<'a> {
    pub common: Common<'a>,
    pub intent: Intent<'a>,
    pub end: End<'a>,
}

/// How a call ended.
#[derive(Debug)]
pub enum End<'a> {
    Finished(Box<Finished<'a>>),
    /// The program ended before the call did.
    Interrupted,
    /// The log does not say, or the call was denied.
    Unknown,
}

impl Entry {
    /// The records of a call; nothing for what is not one or cannot be read.
    pub fn call(&self) -> Option<Call<'_>> {
        let Self::Call { intent, end } = self else {
            return None;
        };
        let (common, Record::Intent(intent)) = intent.record().ok()? else {
            return None;
        };
        let end = match end.as_ref().map(Stored::record) {
            Some(Ok((_, Record::Outcome(finished)))) => End::Finished(Box::new(finished)),
            Some(Ok((_, Record::Interrupted(_)))) => End::Interrupted,
            Some(_) | None => End::Unknown,
        };
        let intent = *intent;
        Some(Call {
            common,
            intent,
            end,
        })
    }
}

/// Reads calls out of records. A call comes where its outcome stands.
#[derive(Debug)]
pub struct Calls<I> {
    records: I,
    open: HashMap<Box<str>, Stored>,
    order: VecDeque<Box<str>>,
    ended: bool,
}

impl<I: Iterator<Item = Result<Stored, ReadError>>> Calls<I> {
    pub fn of(records: I) -> Self {
        Self {
            records,
            open: HashMap::new(),
            order: VecDeque::new(),
            ended: false,
        }
    }

    /// The oldest call that is still open.
    fn oldest(&mut self) -> Option<Entry> {
        loop {
            let id = self.order.pop_front()?;
            if let Some(intent) = self.open.remove(&id) {
                return Some(Entry::Call { intent, end: None });
            }
        }
    }

    /// Keeps the order from growing with calls that have ended.
    fn forget_ended(&mut self) {
        if self.order.len() <= 2 * OPEN_MAX {
            return;
        }
        let mut kept = HashSet::new();
        let open = &self.open;
        self.order
            .retain(|id| open.contains_key(id) && kept.insert(id.clone()));
    }

    fn take(&mut self, stored: Stored) -> Option<Entry> {
        let Some(head) = line::head(&stored.line) else {
            return Some(Entry::Other(stored));
        };
        match line::mark(head.rest) {
            Mark::Opens(id) => {
                let id: Box<str> = id.into();
                if let Some(intent) = self.open.insert(id.clone(), stored) {
                    return Some(Entry::Call { intent, end: None }); // the same id once more
                }
                self.order.push_back(id);
                self.forget_ended();
                (self.open.len() > OPEN_MAX)
                    .then(|| self.oldest())
                    .flatten()
            }
            Mark::Closes(id) => match self.open.remove(id) {
                Some(intent) => {
                    let end = Some(stored);
                    Some(Entry::Call { intent, end })
                }
                None => Some(Entry::Other(stored)),
            },
            Mark::Neither => {
                let event = line::time_and_event(head.rest).map(|(_, event, _)| event);
                if event == Some("intent") {
                    let (intent, end) = (stored, None);
                    return Some(Entry::Call { intent, end });
                }
                Some(Entry::Other(stored))
            }
        }
    }
}

impl<I: Iterator<Item = Result<Stored, ReadError>>> Iterator for Calls<I> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.records.next() {
                Some(Ok(stored)) => {
                    if let Some(entry) = self.take(stored) {
                        return Some(Ok(entry));
                    }
                }
                Some(Err(error)) => return Some(Err(error)),
                None => self.ended = true,
            }
        }
        self.oldest().map(Ok)
    }
}

/// Which calls are asked for. What is not set takes all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub session: Option<String>,
    pub agent: Option<String>,
    pub tool: Option<String>,
    pub request: Option<String>,
    /// `allow` or `deny`.
    pub decision: Option<String>,
    /// From this time on, as RFC 3339 in UTC.
    pub since: Option<String>,
    /// Before this time.
    pub until: Option<String>,
}

impl Filter {
    /// Whether an entry is asked for. What is about the log itself is, unless calls are picked
    /// by something it does not have.
    pub fn takes(&self, entry: &Entry) -> bool {
        if let Some(call) = entry.call() {
            let intent = &call.intent;
            let decision = match intent.decision {
                crate::audit::Verdict::Allow => "allow",
                crate::audit::Verdict::Deny => "deny",
            };
            let is = |wanted: &Option<String>, found: &str| {
                wanted.as_deref().is_none_or(|wanted| wanted == found)
            };
            return is(&self.session, &intent.session)
                && is(&self.agent, &intent.agent)
                && is(&self.tool, &intent.tool)
                && is(&self.request, &intent.request_id)
                && is(&self.decision, decision)
                && self.takes_time(&call.common.time);
        }
        let (Entry::Call { intent: stored, .. } | Entry::Other(stored)) = entry;
        let picks = [&self.session, &self.agent, &self.tool, &self.request];
        let picks_calls = picks.iter().any(|wanted| wanted.is_some()) || self.decision.is_some();
        let time = line::head(&stored.line)
            .and_then(|head| line::time_and_event(head.rest))
            .map(|(time, ..)| time);
        !picks_calls && time.is_none_or(|time| self.takes_time(time))
    }

    fn takes_time(&self, time: &str) -> bool {
        // Times of this form sort as text.
        self.since.as_deref().is_none_or(|since| time >= since)
            && self.until.as_deref().is_none_or(|until| time < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_ended_do_not_push_out_one_that_is_still_open() {
        let stored = |seq: usize, event: &str, id: usize| {
            let line = format!(
                r#"{{"seq":{seq},"prev":"{}","time":"t","event":"{event}","requestId":"{id}","decision":"allow"}}"#,
                "0".repeat(64)
            );
            Ok(Stored {
                line: line.into_bytes(),
                file: std::path::Path::new("t").into(),
                line_number: 1,
            })
        };
        let ended = (1..=3 * OPEN_MAX).flat_map(|id| {
            let at = 2 * id;
            [stored(at, "intent", id), stored(at + 1, "outcome", id)]
        });
        let records = std::iter::once(stored(0, "intent", 0))
            .chain(ended)
            .chain([stored(1, "outcome", 0)]);
        let mut calls = Calls::of(records);
        let (mut with_end, mut longest) = (0, 0);
        while let Some(entry) = calls.next() {
            assert!(matches!(entry, Ok(Entry::Call { end: Some(_), .. })));
            with_end += 1;
            longest = longest.max(calls.order.len());
        }
        assert_eq!(with_end, 3 * OPEN_MAX + 1);
        assert!(longest <= 2 * OPEN_MAX);
    }
}
