//! One log as its single writer holds it: records are put behind each other in memory and go to
//! the disk together; what could not be written is kept and written again.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::audit::chain::Chain;
use crate::audit::checkpoint::{Signer, write_and_sync};
use crate::audit::clock::Clock;
use crate::audit::opening::{self, Unfit};
use crate::audit::record::{Interrupted, Retired, Segment, Started, Stopped, Torn, Trouble};
use crate::audit::segment::{self, Active, Names};
use crate::audit::tree::{self, TreeHead};

/// The form of records this program writes.
pub const FORMAT: u32 = 1;
/// A checkpoint is signed at least this often while records come. Chosen, not measured.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
/// A checkpoint is signed at least every so many records. Chosen, not measured.
const CHECKPOINT_RECORDS: u64 = 10_000;
/// Descriptors kept for files that must be opened when none are left.
const DESCRIPTORS_KEPT: usize = 8;

/// How much of a log is kept, and in what pieces.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// A file that reaches this is full.
    pub segment_bytes: u64,
    /// Most full files.
    pub segments_max: usize,
    /// A full file older than this is deleted.
    pub age_max: Duration,
    /// Room reserved behind the end, so that what has begun can be closed on a full disk.
    pub reserve_bytes: u64,
}

impl Default for Keeping {
    /// Chosen, not measured: 16 GiB at most, and somewhat over a year.
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            segments_max: 256,
            age_max: Duration::from_secs(400 * 86_400),
            reserve_bytes: 64 << 20,
        }
    }
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("cannot open the audit record `{path}`")]
    Open {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("another hotcell writes the audit record `{path}`")]
    InUse { path: PathBuf },
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("cannot write the audit record")]
    Write,
}

#[derive(Debug)]
pub struct Log {
    names: Names,
    keeping: Keeping,
    signer: Signer,
    clock: Arc<Clock>,
    chain: Chain,
    active: Active,
    /// Stored lines that are not known to be on the disk.
    pending: Vec<u8>,
    checkpoints: File,
    checkpointed: Option<(u64, Instant)>,
    /// The checkpoint over all records but the last, when the log is closed: with it a changed
    /// last record can be told from changed earlier ones.
    before_stop: Option<String>,
    descriptors: Vec<File>,
    _lock: File,
}

impl Log {
    /// Opens a log or begins it, and records how the last one ended.
    ///
    /// # Errors
    /// When another program writes it, it cannot be read, or it is not what was signed.
    pub fn open(names: Names, keeping: Keeping, clock: Arc<Clock>) -> Result<Self, AuditError> {
        let fault = |path: PathBuf| move |source| AuditError::Open { path, source };
        segment::private_folder(&names.folder).map_err(fault(names.folder.clone()))?;
        let lock = segment::appending(&names.lock()).map_err(fault(names.lock()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = names.active();
                return Err(AuditError::InUse { path });
            }
            Err(TryLockError::Error(source)) => return Err(fault(names.lock())(source)),
        }
        let signer = Signer::open(&names.key(), &names.log).map_err(fault(names.key()))?;
        publish(&names, &signer).map_err(fault(names.public_key()))?;
        let found = opening::find(&names, &signer.verifier())?;
        let active = Active::open(&names, keeping.reserve_bytes).map_err(fault(names.active()))?;
        for path in [names.checkpoints(), names.heads()] {
            opening::mend(&path).map_err(fault(path.clone()))?;
        }
        let checkpoints =
            segment::appending(&names.checkpoints()).map_err(fault(names.checkpoints()))?;
        active.sync_folder().map_err(fault(names.folder.clone()))?;
        let mut log = Self {
            names,
            keeping,
            signer,
            clock,
            chain: found.chain,
            active,
            pending: Vec::new(),
            checkpoints,
            checkpointed: None,
            before_stop: None,
            descriptors: Vec::new(),
            _lock: lock,
        };
        log.keep_descriptors();
        log.active.first = found.first.unwrap_or(log.chain.next());
        if found.first.is_none() {
            log.add_segment();
        }
        log.cut_torn(found.length, found.torn)
            .map_err(fault(log.names.active()))?;
        log.add("start", &started());
        for request_id in log.open_calls() {
            log.add("interrupted", &Interrupted { request_id });
        }
        Ok(log)
    }

    fn cut_torn(&mut self, length: u64, torn: u64) -> io::Result<()> {
        if torn == 0 {
            self.active.length = length;
            return Ok(());
        }
        let path = self.names.torn(self.chain.next());
        let bytes = segment::keep_torn(&path, &self.names.active(), length, torn)?;
        self.active.cut(length)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        tracing::warn!(bytes = torn, file = %path.display(), "half-written records were cut from the audit record");
        let record = Torn {
            bytes: torn,
            sha256: tree::hexadecimal(&tree::line_hash(&bytes)),
            file: file.into_owned(),
        };
        self.add("torn", &record);
        Ok(())
    }

    /// Puts a record behind the others.
    pub fn add(&mut self, event: &str, record: &impl serde::Serialize) {
        let body = self.clock.body(event, record);
        self.add_body(&body);
    }

    /// As [`Self::add`], of a record that has its stamp.
    pub fn add_body(&mut self, body: &[u8]) {
        self.chain.append(&mut self.pending, body);
    }

    fn add_segment(&mut self) {
        let record = Segment {
            format: FORMAT,
            origin: self.signer.origin().to_owned(),
            key: self.signer.verifier().to_text(),
            tree: TreeHead::from(&self.chain.tree),
            open: self.open_calls(),
        };
        self.add("segment", &record);
    }

    fn open_calls(&self) -> Vec<String> {
        let mut open: Vec<_> = self.chain.open.iter().map(|id| (**id).to_owned()).collect();
        open.sort();
        open
    }

    /// Bytes that wait for the disk.
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Whether only the reserved room is left on the disk, and not much of it.
    pub fn short_of_space(&self) -> bool {
        self.active.short_of_space()
    }

    /// Writes everything that was added and waits for the disk. Signs a checkpoint and begins a
    /// new file when it is time to.
    ///
    /// # Errors
    /// When it could not be written. Everything is kept, and written with the next commit.
    pub fn commit(&mut self) -> io::Result<()> {
        self.active.commit(&self.pending)?;
        self.pending.clear();
        self.pending.shrink_to(4 << 20);
        if self.active.length >= self.keeping.segment_bytes {
            self.rotate();
        } else if self.checkpoint_is_due() {
            self.checkpoint_or_say();
        }
        Ok(())
    }

    fn checkpoint_is_due(&self) -> bool {
        self.checkpointed.is_none_or(|(size, at)| {
            let more = self.chain.next() - size;
            more >= CHECKPOINT_RECORDS || (more > 0 && at.elapsed() >= CHECKPOINT_EVERY)
        })
    }

    /// Whether records wait for a checkpoint that is due.
    pub fn wants_checkpoint(&self) -> bool {
        self.pending.is_empty() && self.checkpoint_is_due()
    }

    fn checkpoint_or_say(&mut self) {
        if let Err(error) = self.checkpoint() {
            tracing::error!(%error, "checkpoint of the audit record not written");
        }
    }

    fn checkpoint(&mut self) -> io::Result<String> {
        let signed = self.signer.sign(&self.chain.tree);
        let text = format!("{}\n", signed.note);
        self.checkpoints.write_all(text.as_bytes())?;
        self.checkpointed = Some((signed.size, Instant::now()));
        Ok(text)
    }

    /// Begins a new file. When that fails the present one simply grows.
    fn rotate(&mut self) {
        // Where the program has no descriptor left, these are for what follows.
        self.descriptors.clear();
        if let Err(error) = self.begin_file() {
            tracing::error!(%error, "no new file for the audit record; the present one grows");
        }
        self.keep_descriptors();
    }

    fn begin_file(&mut self) -> io::Result<()> {
        let head = self.checkpoint()?;
        self.checkpoints.sync_data()?;
        let mut heads = segment::appending(&self.names.heads())?;
        heads.write_all(head.as_bytes())?;
        heads.sync_data()?;
        let full = self.active.first;
        self.active.replace(&self.names, self.chain.next())?;
        self.add_segment();
        std::fs::rename(self.names.checkpoints(), self.names.full_checkpoints(full))?;
        self.checkpoints = segment::appending(&self.names.checkpoints())?;
        self.checkpoints.write_all(head.as_bytes())?;
        self.retire()
    }

    /// Deletes full files past their number or age. Their heads stay.
    fn retire(&mut self) -> io::Result<()> {
        let full = self.names.full_files()?;
        let too_many = full.len().saturating_sub(self.keeping.segments_max);
        let oldest = SystemTime::now().checked_sub(self.keeping.age_max);
        let mut files = Vec::new();
        let mut left = self.active.first;
        for (index, (first, path)) in full.iter().enumerate() {
            let written = std::fs::metadata(path)?.modified()?;
            if index >= too_many && oldest.is_none_or(|oldest| written >= oldest) {
                left = *first;
                break;
            }
            std::fs::remove_file(path)?;
            match std::fs::remove_file(self.names.full_checkpoints(*first)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            files.extend(
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
        if !files.is_empty() {
            tracing::info!(?files, "old files of the audit record deleted");
            self.add("retired", &Retired { files, left });
        }
        Ok(())
    }

    fn keep_descriptors(&mut self) {
        let missing = DESCRIPTORS_KEPT.saturating_sub(self.descriptors.len());
        let more = std::iter::repeat_with(|| File::open("/dev/null")).take(missing);
        self.descriptors.extend(more.flatten());
    }

    /// Records that the log could not be written for a while.
    pub fn add_trouble(&mut self, trouble: &Trouble) {
        self.add("trouble", trouble);
    }

    /// Writes what is left, the last record and a checkpoint over everything.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn close(&mut self) -> io::Result<()> {
        self.before_stop = Some(format!("{}\n", self.signer.sign(&self.chain.tree).note));
        let record = Stopped {
            tree: TreeHead::from(&self.chain.tree),
            open: self.open_calls(),
        };
        self.add("stop", &record);
        self.finish()
    }

    /// As [`Self::close`], when the last record is there already.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn finish(&mut self) -> io::Result<()> {
        self.active.commit(&self.pending)?;
        self.pending.clear();
        if let Some(before) = self.before_stop.take() {
            self.checkpoints.write_all(before.as_bytes())?;
        }
        self.checkpoint()?;
        self.checkpoints.sync_data()?;
        self.active.release();
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn replace_storage(&mut self, storage: Box<dyn segment::Storage>) {
        let length = self.active.length;
        let first = self.active.first;
        let reserve = self.keeping.reserve_bytes;
        self.active = Active::over(storage, &self.names, length, reserve).unwrap();
        self.active.first = first;
    }
}

fn started() -> Started {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Started {
        build: env!("HOTCELL_BUILD").to_owned(),
        host: host.trim().to_owned(),
        pid: std::process::id(),
    }
}

/// Puts the log's verifier key where it can be copied from.
fn publish(names: &Names, signer: &Signer) -> io::Result<()> {
    let path = names.public_key();
    if path.exists() {
        return Ok(());
    }
    write_and_sync(
        File::create(path)?,
        &format!("{}\n", signer.verifier().to_text()),
    )
}
