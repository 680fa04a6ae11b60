//! `Idempotency-Key`: a call with a key runs at most once; later ones join it or get its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use crate::http::error::{Refusal, json};

/// How long a key is kept. From the design.
pub const KEPT: Duration = Duration::from_secs(15 * 60);
/// Most keys kept. Chosen, not measured.
pub const KEYS_MAX: usize = 20_000;
/// Most bytes of answers kept. Chosen, not measured.
const BYTES_MAX: usize = 256 << 20;

/// An answer as it was sent.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Stored {
    pub(super) fn new(status: StatusCode, body: Vec<u8>) -> Self {
        Self {
            status,
            body: body.into(),
        }
    }
}

impl IntoResponse for Stored {
    fn into_response(self) -> Response {
        json(self.status, self.body)
    }
}

#[derive(Debug, Clone)]
enum Progress {
    Running,
    Answered(Stored),
    /// It may have had effects and has no answer to replay; who waited gets what there was.
    Interrupted(Option<Stored>),
}

#[derive(Debug)]
struct Entry {
    /// Digest of the body; not known of calls that a previous server began.
    request: Option<[u8; 32]>,
    since: Instant,
    progress: watch::Receiver<Progress>,
}

type Key = (String, String);

/// The keys of the last quarter of an hour.
#[derive(Debug, Default)]
pub(super) struct Idempotency {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    swept: Option<Instant>,
}

/// Where the call with a key runs.
#[derive(Debug)]
pub(super) enum Begun {
    Here(Ticket, Waiting),
    Elsewhere(Waiting),
}

/// The duty to run a call and say how it went. Dropped without a word: interrupted.
#[derive(Debug)]
pub(super) struct Ticket {
    kept: Arc<Mutex<Kept>>,
    key: Key,
    progress: watch::Sender<Progress>,
}

/// Waits for the answer of a call with a key.
#[derive(Debug)]
pub(super) struct Waiting {
    progress: watch::Receiver<Progress>,
    first: bool,
}

impl Idempotency {
    /// Keys that a previous server began are interrupted from the start.
    pub(super) fn with_begun(begun: impl Iterator<Item = Key>) -> Self {
        let since = Instant::now();
        let progress = watch::channel(Progress::Interrupted(None)).1;
        let entry = |key| {
            (
                key,
                Entry {
                    request: None,
                    since,
                    progress: progress.clone(),
                },
            )
        };
        let entries = begun.take(KEYS_MAX).map(entry).collect();
        Self {
            kept: Arc::new(Mutex::new(Kept {
                entries,
                ..Kept::default()
            })),
        }
    }

    /// Joins the call with this key, or begins it.
    ///
    /// # Errors
    /// 422 for another body under the same key, 429 when as many keys are kept as may.
    pub(super) fn begin(
        &self,
        agent: &str,
        key: String,
        request: [u8; 32],
    ) -> Result<Begun, Refusal> {
        let now = Instant::now();
        let mut kept = lock(&self.kept);
        kept.sweep(now);
        let key = (agent.to_owned(), key);
        if let Some(entry) = kept.entries.get(&key) {
            if entry.request.is_some_and(|known| known != request) {
                let message = "this Idempotency-Key was used with another body: choose a new key";
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                return Err(Refusal::new(status, "idempotency_mismatch", message));
            }
            return Ok(Begun::Elsewhere(Waiting {
                progress: entry.progress.clone(),
                first: false,
            }));
        }
        if kept.entries.len() >= KEYS_MAX || kept.bytes >= BYTES_MAX {
            let message = "too many Idempotency-Keys of the last 15 minutes are kept";
            return Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "idempotency_full",
                message,
            ));
        }
        let (progress, receiver) = watch::channel(Progress::Running);
        let waiting = Waiting {
            progress: receiver.clone(),
            first: true,
        };
        kept.entries.insert(
            key.clone(),
            Entry {
                request: Some(request),
                since: now,
                progress: receiver,
            },
        );
        Ok(Begun::Here(
            Ticket {
                kept: self.kept.clone(),
                key,
                progress,
            },
            waiting,
        ))
    }
}

impl Kept {
    fn sweep(&mut self, now: Instant) {
        if self
            .swept
            .is_some_and(|last| now - last < Duration::from_secs(1))
        {
            return;
        }
        self.swept = Some(now);
        let mut bytes = 0;
        self.entries.retain(|_, entry| {
            let progress = entry.progress.borrow();
            if let Progress::Answered(stored) = &*progress {
                bytes += stored.body.len();
            }
            // A sender that is gone will never answer.
            let running =
                matches!(*progress, Progress::Running) && entry.progress.has_changed().is_ok();
            running || now - entry.since < KEPT
        });
        self.bytes = bytes;
    }
}

impl Ticket {
    /// Keeps the answer for whoever asks with the same key.
    pub(super) fn finish(self, stored: Stored) {
        lock(&self.kept).bytes += stored.body.len();
        self.progress.send_replace(Progress::Answered(stored));
    }

    /// Tells who waits; later ones learn that the call was interrupted.
    pub(super) fn interrupted(self, stored: Stored) {
        self.progress
            .send_replace(Progress::Interrupted(Some(stored)));
    }

    /// Tells who waits and frees the key: nothing ran.
    pub(super) fn forget(self, stored: Stored) {
        lock(&self.kept).entries.remove(&self.key);
        self.progress.send_replace(Progress::Answered(stored));
    }
}

impl Waiting {
    /// The answer, once there is one.
    ///
    /// # Errors
    /// 409 `interrupted` when the call began and has no answer.
    pub(super) async fn wait(mut self) -> Result<Stored, Refusal> {
        let progress = self
            .progress
            .wait_for(|now| !matches!(now, Progress::Running))
            .await;
        match progress.map(|progress| progress.clone()) {
            Ok(Progress::Answered(stored)) => Ok(stored),
            Ok(Progress::Interrupted(Some(stored))) if self.first => Ok(stored),
            Ok(Progress::Interrupted(_) | Progress::Running) | Err(_) => Err(interrupted()),
        }
    }
}

fn interrupted() -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        "interrupted",
        "the call with this Idempotency-Key began and did not end: it may have had effects \
         and is not run again; look at its effects, then use a new key",
    )
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Stored {
        Stored::new(StatusCode::OK, text.into())
    }

    fn here(begun: Begun) -> (Ticket, Waiting) {
        match begun {
            Begun::Here(ticket, waiting) => (ticket, waiting),
            Begun::Elsewhere(_) => panic!("it runs elsewhere"),
        }
    }

    fn elsewhere(begun: Begun) -> Waiting {
        match begun {
            Begun::Elsewhere(waiting) => waiting,
            Begun::Here(..) => panic!("it runs a second time"),
        }
    }

    #[tokio::test]
    async fn a_second_call_joins_and_a_third_replays() {
        let keys = Idempotency::default();
        let begin = || keys.begin("ann", "k".to_owned(), [1; 32]).unwrap();
        let (ticket, first) = here(begin());
        let second = elsewhere(begin());
        ticket.finish(stored("once"));
        for waiting in [first, second, elsewhere(begin())] {
            assert_eq!(waiting.wait().await.unwrap().body, "once");
        }
    }

    #[tokio::test]
    async fn another_body_is_refused_and_another_agent_has_its_own_keys() {
        let keys = Idempotency::default();
        let _running = here(keys.begin("ann", "k".to_owned(), [1; 32]).unwrap());
        let error = keys.begin("ann", "k".to_owned(), [2; 32]).unwrap_err();
        assert_eq!(error.status, StatusCode::UNPROCESSABLE_ENTITY);
        let _other = here(keys.begin("bob", "k".to_owned(), [2; 32]).unwrap());
    }

    #[tokio::test]
    async fn what_did_not_run_may_run_and_what_was_interrupted_may_not() {
        let keys = Idempotency::default();
        let begin = || keys.begin("ann", "k".to_owned(), [1; 32]).unwrap();
        let (ticket, waiting) = here(begin());
        ticket.forget(stored("full"));
        assert_eq!(waiting.wait().await.unwrap().body, "full");
        let (ticket, waiting) = here(begin());
        ticket.interrupted(stored("no record"));
        assert_eq!(waiting.wait().await.unwrap().body, "no record");
        let error = elsewhere(begin()).wait().await.unwrap_err();
        assert_eq!(error.status, StatusCode::CONFLICT);
    }

    #[tokio::test]
    async fn a_call_that_vanished_is_interrupted() {
        let keys = Idempotency::default();
        let begin = || keys.begin("ann", "k".to_owned(), [1; 32]).unwrap();
        drop(here(begin()).0);
        assert!(elsewhere(begin()).wait().await.is_err());
    }

    #[tokio::test]
    async fn what_a_previous_server_began_is_interrupted() {
        let begun = [("ann".to_owned(), "k".to_owned())];
        let keys = Idempotency::with_begun(begun.into_iter());
        let begin = |agent: &str| keys.begin(agent, "k".to_owned(), [1; 32]).unwrap();
        let error = elsewhere(begin("ann")).wait().await.unwrap_err();
        assert_eq!(error.status, StatusCode::CONFLICT);
        let _other = here(begin("bob"));
    }
}
