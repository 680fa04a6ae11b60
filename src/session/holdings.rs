//! What a session holds on disk, as the broker knows it: counted once by a walk, then told by the
//! cells after each call, and counted again when they tell nothing, something impossible, or long.
//!
//! A cell may be hostile. It can write what it likes while it lives, whatever it says; what it
//! says is only used until the next walk, and never for another session.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::outcome::Held;
use crate::session::count::{self, Found};

/// How long a count is believed while calls report; the first moment without calls after that is
/// used to count. Chosen, not measured.
const COUNT_AGE_MAX: Duration = Duration::from_secs(600);
/// When there was no such moment for so long, new calls wait until there is one.
const COUNT_AGE_LIMIT: Duration = Duration::from_secs(1_200);
/// The same for a count that is doubted.
const DOUBT_AGE_LIMIT: Duration = Duration::from_secs(60);
/// A walk may take one part in so many of the time, unless that means more than `COUNT_AGE_MAX`
/// between two. Chosen, not measured.
const WALK_SHARE: u32 = 200;
/// A walk that took less costs nothing worth saving.
const SHORT_WALK: Duration = Duration::from_millis(20);
/// Longest wait of new calls for those that run. Chosen: far above the time that policies give calls;
/// the calls end at their own limits.
const QUIET_WAIT: Duration = Duration::from_secs(900);
/// A report of so much less than was counted last asks for a walk soon: what is left is small,
/// and it is what a lie would say.
const SHRUNK: Held = Held {
    bytes: 64 << 20,
    files: 10_000,
};

/// A walk that somebody waits for. Dropped, it ends the walk: a thread that went on would hold up the
/// end of this program.
#[derive(Debug, Default)]
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a call is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Names the session among those of this process.
    pub session: u64,
    /// How often the session was counted.
    pub count: u64,
    pub held: Held,
}

/// The count of one session.
#[derive(Debug)]
pub(super) struct Holdings {
    session: u64,
    /// What is counted; `None` where only growth is.
    folders: Option<[PathBuf; 2]>,
    /// One call at a time begins, so that no call runs while the files are counted.
    beginning: tokio::sync::Mutex<()>,
    /// A call has ended.
    ended: Notify,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    count: u64,
    held: Held,
    /// Calls that run.
    running: u32,
    /// Since when a count is needed: a report is missing, or cannot be believed.
    doubted: Option<Instant>,
    counted: Held,
    counted_at: Option<Instant>,
    took: Duration,
}

impl Holdings {
    /// Of a session with these folders.
    pub(super) fn of(folders: [PathBuf; 2]) -> Self {
        Self::new(Some(folders))
    }

    /// Of folders that are not the session's own: only what is added counts.
    pub(super) fn growth() -> Self {
        Self::new(None)
    }

    fn new(folders: Option<[PathBuf; 2]>) -> Self {
        static SESSIONS: AtomicU64 = AtomicU64::new(0);
        Self {
            session: SESSIONS.fetch_add(1, Ordering::Relaxed),
            folders,
            beginning: tokio::sync::Mutex::default(),
            ended: Notify::new(),
            known: Mutex::new(Known {
                count: 0,
                held: Held::default(),
                running: 0,
                doubted: None,
                counted: Held::default(),
                counted_at: None,
                took: Duration::ZERO,
            }),
        }
    }

    /// What is known; `None` before the first count.
    pub(super) fn held(&self) -> Option<Held> {
        let known = self.known.lock();
        known.counted_at.map(|_| known.held)
    }

    /// Begins a call, counting first when that is due and no other call runs.
    ///
    /// # Errors
    /// When the folders cannot be counted.
    pub(super) async fn begin(self: &Arc<Self>) -> io::Result<Counting> {
        let _alone = self.beginning.lock().await;
        if self.folders.is_some() && self.is_overdue() {
            // It goes on without a count where a call does not end; the next one waits again.
            let _quiet = tokio::time::timeout(QUIET_WAIT, self.quiet()).await;
        }
        if let Some(folders) = self.folders.as_ref().filter(|_| self.is_due()) {
            let folders = folders.clone();
            let started = Instant::now();
            let wanted = Wanted::default();
            let unwanted = Arc::clone(&wanted.0);
            let walk = move || count::count(&folders, count::WALK_TIME_MAX, &unwanted);
            let found = tokio::task::spawn_blocking(walk).await;
            self.take(found.map_err(io::Error::other)??, started);
            drop(wanted);
        }
        let mut known = self.known.lock();
        known.running += 1;
        let begun = Counted {
            session: self.session,
            count: known.count,
            held: known.held,
        };
        Ok(Counting {
            holdings: Arc::clone(self),
            known: begun,
            reported: false,
        })
    }

    /// Waits until no call runs; none begins meanwhile.
    async fn quiet(&self) {
        loop {
            let ended = self.ended.notified();
            if self.known.lock().running == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Whether calls have overlapped for so long that a count must be made room for.
    fn is_overdue(&self) -> bool {
        let known = self.known.lock();
        let old = |since: Option<Instant>, most| since.is_some_and(|at| at.elapsed() >= most);
        old(known.counted_at, COUNT_AGE_LIMIT)
            || (known.is_rested() && old(known.doubted, DOUBT_AGE_LIMIT))
    }

    fn is_due(&self) -> bool {
        let known = self.known.lock();
        let Some(counted_at) = known.counted_at else {
            return true;
        };
        let shrunk = known.counted.bytes - known.held.bytes > SHRUNK.bytes
            || known.counted.files - known.held.files > SHRUNK.files;
        let old = counted_at.elapsed() >= COUNT_AGE_MAX;
        known.running == 0 && known.is_rested() && (known.doubted.is_some() || old || shrunk)
    }

    fn take(&self, found: Found, started: Instant) {
        let mut known = self.known.lock();
        let (told, held) = (known.held, found.held);
        let more = held.bytes > told.bytes || held.files > told.files;
        if known.counted_at.is_some() && known.doubted.is_none() && more {
            tracing::warn!(
                ?told,
                ?held,
                "a session holds more than its cells told: files came from outside, or a cell lied"
            );
        }
        if found.more {
            tracing::warn!(?held, "a session holds more than was counted");
        }
        known.count += 1;
        known.held = held;
        known.counted = held;
        known.counted_at = Some(Instant::now());
        known.took = started.elapsed();
        known.doubted = None;
    }
}

impl Known {
    fn doubt(&mut self) {
        self.doubted.get_or_insert_with(Instant::now);
    }

    /// Whether the last walk was long enough ago for another.
    fn is_rested(&self) -> bool {
        let age = self.counted_at.map(|at| at.elapsed());
        let rest = match self.took {
            took if took < SHORT_WALK => Duration::ZERO,
            took => took.saturating_mul(WALK_SHARE).min(COUNT_AGE_MAX),
        };
        age.is_none_or(|age| age >= rest)
    }
}

/// A call of a session that is counted. Dropped without a report, it asks for a count.
#[must_use]
#[derive(Debug)]
pub struct Counting {
    holdings: Arc<Holdings>,
    known: Counted,
    reported: bool,
}

impl Counting {
    /// What the session held when the call began.
    pub fn known(&self) -> Counted {
        self.known
    }

    /// The call changed nothing that counts.
    pub fn unchanged(mut self) {
        self.reported = true;
    }

    /// Takes what the cell says the session holds now that the call is over.
    pub fn finish(mut self, told: Option<Held>) {
        let Some(held) = told else { return };
        let mut known = self.holdings.known.lock();
        if held.bytes < 0 || held.files < 0 {
            // Files that we did not count were removed, or it is a lie.
            known.doubt();
        }
        // The cell's count is of all calls, so the last word stands; what is older than a walk
        // does not.
        if known.count == self.known.count {
            known.held = Held {
                bytes: held.bytes.max(0),
                files: held.files.max(0),
            };
        }
        drop(known);
        self.reported = true;
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let mut known = self.holdings.known.lock();
        known.running -= 1;
        if !self.reported {
            known.doubt();
        }
        drop(known);
        self.holdings.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, Arc<Holdings>) {
        let folder = tempfile::tempdir().unwrap();
        let folders = ["w", "t"].map(|name| folder.path().join(name));
        for folder in &folders {
            std::fs::create_dir(folder).unwrap();
        }
        (folder, Arc::new(Holdings::of(folders)))
    }

    fn held(bytes: i64, files: i64) -> Held {
        Held { bytes, files }
    }

    async fn begin(holdings: &Arc<Holdings>) -> Counting {
        holdings.begin().await.unwrap()
    }

    #[tokio::test]
    async fn a_session_is_counted_once_and_told_of_from_then_on() {
        let (folder, holdings) = place();
        assert_eq!(holdings.held(), None);
        std::fs::write(folder.path().join("w/a"), "1").unwrap();
        let first = begin(&holdings).await;
        assert_eq!(
            (first.known().count, first.known().held),
            (1, held(4_096, 1))
        );
        std::fs::write(folder.path().join("w/b"), "1").unwrap();
        first.finish(Some(held(12_288, 3)));
        let second = begin(&holdings).await;
        assert_eq!(
            (second.known().count, second.known().held),
            (1, held(12_288, 3))
        );
        second.finish(Some(held(4_096, 1)));
        assert_eq!(holdings.held(), Some(held(4_096, 1)));
    }

    #[tokio::test]
    async fn a_call_without_a_report_or_with_an_impossible_one_asks_for_a_count() {
        for told in [None, Some(held(-4_096, 1)), Some(held(0, i64::MIN))] {
            let (folder, holdings) = place();
            begin(&holdings).await.finish(Some(held(0, 0)));
            let (lying, running) = (begin(&holdings).await, begin(&holdings).await);
            std::fs::write(folder.path().join("w/a"), "1").unwrap();
            lying.finish(told);
            // Not while another call may write.
            let next = begin(&holdings).await;
            assert_eq!(next.known().count, 1, "{told:?}");
            next.finish(Some(held(0, 0)));
            running.finish(Some(held(0, 0)));
            let next = begin(&holdings).await;
            assert_eq!((next.known().count, next.known().held), (2, held(4_096, 1)));
            drop(next);
        }
    }

    #[tokio::test]
    async fn a_report_of_far_less_asks_for_a_count_and_one_of_more_costs_the_session() {
        let (folder, holdings) = place();
        let large = std::fs::File::create(folder.path().join("w/large")).unwrap();
        large.set_len(1 << 30).unwrap();
        begin(&holdings).await.finish(Some(held(0, 0)));
        // The walk may not take more than its share of the time.
        holdings.known.lock().took = Duration::ZERO;
        let next = begin(&holdings).await;
        assert_eq!(
            (next.known().count, next.known().held),
            (2, held(1 << 30, 1))
        );
        next.finish(Some(held(1 << 40, 1)));
        assert_eq!(begin(&holdings).await.known().held, held(1 << 40, 1));
    }

    fn long_ago(age: Duration) -> Option<Instant> {
        Some(Instant::now().checked_sub(age).unwrap())
    }

    #[tokio::test]
    async fn calls_that_overlap_for_ever_are_held_for_a_count() {
        let soon = Duration::from_millis(50);
        let aged = |known: &mut Known| known.counted_at = long_ago(COUNT_AGE_LIMIT);
        let doubted = |known: &mut Known| known.doubted = long_ago(DOUBT_AGE_LIMIT);
        let makes: [&dyn Fn(&mut Known); 2] = [&aged, &doubted];
        for make in makes {
            let (folder, holdings) = place();
            let first = begin(&holdings).await;
            // Not before it is overdue.
            holdings.known.lock().counted_at = long_ago(COUNT_AGE_MAX);
            let second = begin(&holdings).await;
            assert_eq!(second.known().count, 1);
            std::fs::write(folder.path().join("w/a"), "1").unwrap();
            make(&mut holdings.known.lock());
            let mut third = Box::pin(begin(&holdings));
            assert!(tokio::time::timeout(soon, &mut third).await.is_err());
            first.finish(Some(held(0, 0)));
            assert!(tokio::time::timeout(soon, &mut third).await.is_err());
            second.finish(Some(held(0, 0)));
            let third = third.await.known();
            assert_eq!((third.count, third.held), (2, held(4_096, 1)));
        }
    }

    #[tokio::test]
    async fn a_walk_that_took_long_is_not_made_again_at_once_but_within_ten_minutes() {
        let (_folder, holdings) = place();
        drop(begin(&holdings).await); // without a report
        holdings.known.lock().took = Duration::from_secs(1);
        assert_eq!(begin(&holdings).await.known().count, 1);
        holdings.known.lock().counted_at = long_ago(Duration::from_secs(201));
        assert_eq!(begin(&holdings).await.known().count, 2);
        holdings.known.lock().took = Duration::from_secs(20);
        holdings.known.lock().counted_at = long_ago(COUNT_AGE_MAX);
        assert_eq!(begin(&holdings).await.known().count, 3);
    }

    #[tokio::test]
    async fn a_report_from_before_a_count_is_not_believed() {
        let (_folder, holdings) = place();
        let old = begin(&holdings).await;
        holdings.known.lock().count += 1;
        old.finish(Some(held(1 << 30, 9)));
        assert_eq!(holdings.held(), Some(held(0, 0)));
    }

    #[tokio::test]
    async fn folders_of_others_are_not_counted() {
        let holdings = Arc::new(Holdings::growth());
        let call = begin(&holdings).await;
        assert_eq!(call.known().held, held(0, 0));
        call.finish(Some(held(-100, -1)));
        assert_eq!(holdings.held(), None);
    }
}
