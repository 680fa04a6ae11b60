//! One log as its single writer holds it: records are put behind each other in memory and go to
//! the disk together; what could not be written is kept and written again.

use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::audit::chain::Chain;
use crate::audit::checkpoint::{self, Signer};
use crate::audit::clock::Clock;
use crate::audit::names::Names;
use crate::audit::notes::Notes;
use crate::audit::opening::{self, Unfit};
use crate::audit::record::{Interrupted, Retired, Segment, Started, Stopped, Torn, Trouble};
use crate::audit::segment::{self, Active};
use crate::audit::tree::{self, TreeHead};

/// The form of records this program writes.
pub const FORMAT: u32 = 1;
/// A checkpoint is signed at least this often while records come. Chosen, not measured.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
/// A checkpoint is signed at least every so many records. Chosen, not measured.
const CHECKPOINT_RECORDS: u64 = 10_000;
/// Pause between two attempts to begin a new file. Chosen, not measured.
const ROTATION_PAUSE: Duration = Duration::from_secs(10);
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
    /// Zero bytes written ahead of the records, inside that room. Where they are, a record changes
    /// neither the file's size nor its map of blocks, and a sync has a place less to write.
    pub blank_bytes: u64,
}

impl Default for Keeping {
    /// Chosen, not measured: 16 GiB at most, and somewhat over a year.
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            segments_max: 256,
            age_max: Duration::from_secs(400 * 86_400),
            reserve_bytes: 64 << 20,
            // Measured: does as well as 1 MiB.
            blank_bytes: 256 << 10,
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
    checkpoints: Notes,
    checkpointed: Option<(u64, Instant)>,
    /// Records under the last head that was written.
    headed: Option<u64>,
    /// When beginning a new file failed.
    not_rotated: Option<Instant>,
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
        let active = Active::open(&names, found.length, &keeping).map_err(fault(names.active()))?;
        let checkpoints = Notes::open(&names.checkpoints()).map_err(fault(names.checkpoints()))?;
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
            headed: None,
            not_rotated: None,
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
        // A crash may have come between the record of it and the deletion.
        log.retire_or_say();
        Ok(log)
    }

    fn cut_torn(&mut self, length: u64, torn: u64) -> io::Result<()> {
        if torn == 0 {
            return Ok(());
        }
        let (path, bytes) = segment::keep_torn(&self.names, self.chain.next(), length, torn)?;
        self.active.sync_folder()?;
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
        self.write_pending()?;
        if self.rotation_is_due() {
            self.rotate();
        } else if self.checkpoint_is_due() {
            self.checkpoint_or_say();
        }
        Ok(())
    }

    fn write_pending(&mut self) -> io::Result<()> {
        self.active.commit(&self.pending)?;
        self.pending.clear();
        self.pending.shrink_to(4 << 20);
        Ok(())
    }

    fn rotation_is_due(&self) -> bool {
        let paused = |at: Instant| at.elapsed() < ROTATION_PAUSE;
        self.active.length >= self.keeping.segment_bytes && !self.not_rotated.is_some_and(paused)
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
        self.checkpoints.append(&text)?;
        self.checkpointed = Some((signed.size, Instant::now()));
        Ok(text)
    }

    /// Begins a new file. When that fails the present one simply grows.
    fn rotate(&mut self) {
        // Where the program has no descriptor left, these are for what follows.
        self.descriptors.clear();
        self.not_rotated = None;
        match self.begin_file() {
            Ok(()) => self.retire_or_say(),
            Err(error) => {
                tracing::error!(%error, "no new file for the audit record; the present one grows");
                self.not_rotated = Some(Instant::now());
            }
        }
        self.keep_descriptors();
    }

    fn begin_file(&mut self) -> io::Result<()> {
        // First of all the room: a full disk must not fill up with checkpoints of files to come.
        let prepared = self.active.prepare(&self.names)?;
        let (size, full) = (self.chain.next(), self.active.first);
        let head = self.checkpoint()?;
        self.checkpoints.sync()?;
        if self.headed != Some(size) {
            let mut heads = Notes::open(&self.names.heads())?;
            heads.append(&head)?;
            heads.sync()?;
            self.headed = Some(size);
        }
        self.active.replace(&self.names, size, prepared)?;
        self.add_segment();
        std::fs::rename(self.names.checkpoints(), self.names.full_checkpoints(full))?;
        self.checkpoints = Notes::open(&self.names.checkpoints())?;
        self.checkpoints.append(&head)
    }

    fn retire_or_say(&mut self) {
        if let Err(error) = self.retire() {
            tracing::error!(%error, "old files of the audit record not deleted");
        }
    }

    /// Deletes full files past their number or age, once a signed record says so: what is missing
    /// without one was removed by someone else. Their heads stay.
    fn retire(&mut self) -> io::Result<()> {
        let (retired, left) = self.past_keeping()?;
        if retired.is_empty() {
            return Ok(());
        }
        let name = |(_, path): &(u64, PathBuf)| {
            let name = path.file_name()?;
            Some(name.to_string_lossy().into_owned())
        };
        let files: Vec<_> = retired.iter().filter_map(name).collect();
        tracing::info!(?files, "old files of the audit record are deleted");
        self.add("retired", &Retired { files, left });
        self.write_pending()?;
        self.checkpoint()?;
        self.checkpoints.sync()?;
        for (first, path) in &retired {
            std::fs::remove_file(path)?;
            match std::fs::remove_file(self.names.full_checkpoints(*first)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Full files past their number or age, and the first record that is left.
    fn past_keeping(&self) -> io::Result<(Vec<(u64, PathBuf)>, u64)> {
        let full = self.names.full_files()?;
        let too_many = full.len().saturating_sub(self.keeping.segments_max);
        let oldest = SystemTime::now().checked_sub(self.keeping.age_max);
        let mut retired = Vec::new();
        for (index, (first, path)) in full.into_iter().enumerate() {
            let written = std::fs::metadata(&path)?.modified()?;
            if index >= too_many && oldest.is_none_or(|oldest| written >= oldest) {
                return Ok((retired, first));
            }
            retired.push((first, path));
        }
        Ok((retired, self.active.first))
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
        self.write_pending()?;
        if let Some(before) = &self.before_stop {
            self.checkpoints.append(before)?;
            self.before_stop = None;
        }
        self.checkpoint()?;
        self.checkpoints.sync()?;
        self.active.release();
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn replace_storage(&mut self, storage: Box<dyn segment::Storage>) {
        let length = self.active.length;
        let first = self.active.first;
        self.active = Active::over(storage, &self.names, length, &self.keeping).unwrap();
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
    let text = format!("{}\n", signer.verifier().to_text());
    checkpoint::write_whole(&path, &text, 0o644)
}
