//! Appends lines from many calls with one sync for all that arrived during the previous one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Why a record could not be written.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("cannot open the audit record `{path}`")]
    Open {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot write the audit record")]
    Write,
}

/// Resolves once a record is durable.
#[must_use]
#[derive(Debug)]
pub struct Durable {
    written: oneshot::Receiver<bool>,
    known: Option<bool>,
}

impl Durable {
    /// Waits until the record is on the disk. May be asked again.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn wait(&mut self) -> Result<(), AuditError> {
        let written = match self.known {
            Some(written) => written,
            None => (&mut self.written).await == Ok(true),
        };
        self.known = Some(written);
        if written {
            Ok(())
        } else {
            Err(AuditError::Write)
        }
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    healthy: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    waiting: Vec<oneshot::Sender<bool>>,
    /// When the oldest of `lines` came.
    oldest: Option<Instant>,
    closed: bool,
}

impl Queue {
    fn add(&mut self, line: &[u8]) {
        self.lines.extend_from_slice(line);
        self.oldest.get_or_insert_with(Instant::now);
    }
}

impl Writer {
    pub(super) fn open(folder: &Path, name: &str) -> Result<Self, AuditError> {
        let path = folder.join(format!("{name}.jsonl"));
        let fault = |source| AuditError::Open {
            path: path.clone(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(fault)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(fault)?;
        Self::start(file).map_err(fault)
    }

    fn start(file: File) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            arrived: Condvar::new(),
            healthy: AtomicBool::new(true),
        });
        let for_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write_until_closed(&for_thread, file))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub(super) fn append(&self, line: Vec<u8>) {
        self.shared.queue().add(&line);
        // Not woken: an outcome goes with the next intent, with a flush, or at the end.
    }

    pub(super) fn append_durably(&self, line: Vec<u8>) -> Durable {
        let (sender, receiver) = oneshot::channel();
        let mut queue = self.shared.queue();
        queue.add(&line);
        queue.waiting.push(sender);
        drop(queue);
        self.shared.arrived.notify_one();
        Durable {
            written: receiver,
            known: None,
        }
    }

    pub(super) fn lag(&self) -> Duration {
        let oldest = self.shared.queue().oldest;
        oldest.map_or(Duration::ZERO, |oldest| oldest.elapsed())
    }

    pub(super) fn healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.arrived.notify_one();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has already failed every waiting call.
            let _panicked = thread.join();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Longest time an outcome stays in memory when no intent follows it. Chosen, not measured.
const OUTCOME_DELAY_MAX: Duration = Duration::from_millis(200);

fn write_until_closed(shared: &Shared, mut file: File) {
    // After a failed write the file may end in half a line: the next batch starts on a new one.
    let mut torn = false;
    loop {
        let mut queue = shared.queue();
        while queue.waiting.is_empty() && !queue.closed {
            let (next, timeout) = shared
                .arrived
                .wait_timeout(queue, OUTCOME_DELAY_MAX)
                .unwrap_or_else(PoisonError::into_inner);
            queue = next;
            // After a failure the disk is tried again without waiting for a call: a server that
            // says it is not ready gets none.
            if timeout.timed_out() && (!queue.lines.is_empty() || torn) {
                break;
            }
        }
        let lines = std::mem::take(&mut queue.lines);
        queue.oldest = None;
        let waiting = std::mem::take(&mut queue.waiting);
        let closed = queue.closed;
        drop(queue);
        let written = write(
            &mut file,
            &lines,
            torn,
            torn || closed || !waiting.is_empty(),
        );
        if let Err(error) = &written
            && !lines.is_empty()
        {
            tracing::error!(%error, bytes = lines.len(), "audit record not written");
        }
        torn = written.is_err();
        shared.healthy.store(written.is_ok(), Ordering::Relaxed);
        for sender in waiting {
            // A caller that hung up does not wait any more.
            let _gone = sender.send(written.is_ok());
        }
        if closed {
            return;
        }
    }
}

fn write(file: &mut File, lines: &[u8], torn: bool, sync: bool) -> std::io::Result<()> {
    if torn {
        file.write_all(b"\n")?;
    }
    file.write_all(lines)?;
    if sync { file.sync_data() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_on_disk_in_order_when_durable_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::open(&folder.path().join("audit"), "t").unwrap();
        writer.append(b"one\n".to_vec());
        writer
            .append_durably(b"two\n".to_vec())
            .wait()
            .await
            .unwrap();
        let path = folder.path().join("audit/t.jsonl");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        writer.append(b"three\n".to_vec());
        drop(writer);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
    }

    #[tokio::test]
    async fn many_callers_share_syncs_and_all_lines_arrive() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Arc::new(Writer::open(folder.path(), "t").unwrap());
        let calls: Vec<_> = (0..200)
            .map(|number| {
                let writer = writer.clone();
                tokio::spawn(async move {
                    writer
                        .append_durably(format!("{number}\n").into_bytes())
                        .wait()
                        .await
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        let text = std::fs::read_to_string(folder.path().join("t.jsonl")).unwrap();
        let mut numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_waiting_call_and_says_so_until_it_is_over() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let writer = Writer::start(full).unwrap();
        assert!(writer.healthy());
        assert!(
            writer
                .append_durably(b"lost\n".to_vec())
                .wait()
                .await
                .is_err()
        );
        assert!(!writer.healthy());
    }
}
