//! Finds a log's end when it is opened: after a clean end from its last line, after any other
//! from a pass over its last file. A log that does not fit its own signed checkpoint is refused.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::audit::chain::Chain;
use crate::audit::checkpoint::{self, Checkpoint, Verifier};
use crate::audit::line::{self, LINE_BYTES_MAX};
use crate::audit::names::Names;
use crate::audit::reader::{self, Lines, Next, UNENDED_BYTES_MAX};
use crate::audit::record::Stopped;
use crate::audit::tree;

/// Most bytes that a crash can leave half-written: what was on its way to the disk. More is not
/// taken for a torn end. Chosen, not measured.
const TORN_BYTES_MAX: u64 = 64 << 20;
/// Read from the disk at once. Chosen, not measured.
const READ_BYTES: usize = 64 << 10;
/// Enough of a file's end to hold the last checkpoint. A note has about 200 bytes.
const LAST_NOTE_BYTES: u64 = 16 << 10;

/// Why a log is not continued.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    #[error("cannot read `{path}`")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the record `{path}` {reason}; it is not continued: keep its folder as evidence, look with \
         `hotcell audit verify`, and move the folder away to begin a new one"
    )]
    Changed { path: PathBuf, reason: String },
}

/// Where a log goes on.
#[derive(Debug, Default)]
pub struct Found {
    pub chain: Chain,
    /// Number of the active file's first record; nothing when it has none yet.
    pub first: Option<u64>,
    /// Bytes of the active file that are whole records.
    pub length: u64,
    /// Bytes behind them.
    pub torn: u64,
}

/// Looks for the end of a log.
///
/// # Errors
/// When it cannot be read, or is not what was signed.
pub fn find(names: &Names, verifier: &Verifier) -> Result<Found, Unfit> {
    let signed = last_checkpoint(names, verifier)?;
    let active = names.active();
    let bytes = written(&active).map_err(|source| Unfit::Read {
        path: active.clone(),
        source,
    })?;
    if let Some(found) = clean_end(&active, bytes, signed.as_ref()) {
        return Ok(found);
    }
    let mut found = Found::default();
    if bytes > 0 {
        found = scan(&active, signed.as_ref())?;
        found.torn = bytes - found.length;
        if found.torn > TORN_BYTES_MAX {
            let reason = format!("has {} bytes at its end that are no records", found.torn);
            return Err(Unfit::Changed {
                path: active,
                reason,
            });
        }
    }
    if found.first.is_none() {
        let full = names.full_files().map_err(|source| Unfit::Read {
            path: names.folder.clone(),
            source,
        })?;
        if let Some((_, path)) = full.last() {
            let end = scan(path, signed.as_ref())?;
            signed_to(&end.chain, signed.as_ref()).map_err(|reason| Unfit::Changed {
                path: path.clone(),
                reason,
            })?;
            found.chain = end.chain;
        }
    }
    let (size, path) = (found.chain.next(), active);
    match signed {
        Some(signed) if signed.size > size => {
            let reason = format!(
                "ends with {size} records, and its last checkpoint signed {}",
                signed.size
            );
            Err(Unfit::Changed { path, reason })
        }
        _ => Ok(found),
    }
}

/// The last checkpoint that was signed.
pub fn last_checkpoint(names: &Names, verifier: &Verifier) -> Result<Option<Checkpoint>, Unfit> {
    for path in [names.checkpoints(), names.heads()] {
        let text = match tail(&path, LAST_NOTE_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(Unfit::Read { path, source }),
        };
        // A crash may have torn the very last one.
        let notes = checkpoint::notes(&String::from_utf8_lossy(&text));
        let mut good = notes.iter().rev().take(2).map(|note| verifier.check(note));
        if let Some(Ok(found)) = good.find(Result::is_ok) {
            return Ok(Some(found));
        }
        if checkpoint::whole_bytes(&text) > 0 {
            let reason = "holds no checkpoint of this log's key at its end".to_owned();
            return Err(Unfit::Changed { path, reason });
        }
    }
    Ok(None)
}

/// Cuts what a crash left half-written of the last checkpoint, so that the next one is whole.
pub fn mend(path: &Path) -> io::Result<()> {
    let text = match tail(path, LAST_NOTE_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let torn = text.len() - checkpoint::whole_bytes(&text);
    if torn > 0 {
        let file = File::options().write(true).open(path)?;
        file.set_len(file.metadata()?.len() - torn as u64)?;
    }
    Ok(())
}

/// Bytes of a file without the blank behind them; none where it is not there.
fn written(path: &Path) -> io::Result<u64> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let (mut end, mut piece) = (length, vec![0; READ_BYTES]);
    while end > 0 {
        if length - end > UNENDED_BYTES_MAX {
            let what = format!("it ends in more than {UNENDED_BYTES_MAX} zero bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let start = end.saturating_sub(READ_BYTES as u64);
        piece.resize(usize::try_from(end - start).unwrap_or(READ_BYTES), 0);
        file.read_exact_at(&mut piece, start)?;
        match reader::written(&piece) {
            0 => end = start,
            bytes => return Ok(start + bytes),
        }
    }
    Ok(0)
}

fn tail(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
    let mut text = Vec::new();
    file.take(bytes).read_to_end(&mut text)?;
    Ok(text)
}

/// A closed log ends with a record that holds its tree, and that was signed.
fn clean_end(active: &Path, bytes: u64, signed: Option<&Checkpoint>) -> Option<Found> {
    let signed = signed?;
    let first = match Lines::open(active).ok()?.next_line().ok()? {
        Next::Line(line) => line::head(line)?.seq,
        Next::Unended(_) | Next::TooLong | Next::End => return None,
    };
    let end = tail(active, LINE_BYTES_MAX as u64).ok()?;
    let lines = end.strip_suffix(b"\n")?;
    let last = lines.get(memchr::memrchr(b'\n', lines).map_or(0, |at| at + 1)..)?;
    let head = line::head(last)?;
    let (_, event, _) = line::time_and_event(head.rest)?;
    let stopped: Stopped = serde_json::from_slice(last)
        .ok()
        .filter(|_| event == "stop")?;
    let mut tree = stopped
        .tree
        .frontier()
        .filter(|tree| tree.size() == head.seq)?;
    tree.push(tree::leaf_hash(last));
    let is_signed = signed.size == tree.size() && signed.root == tree.root();
    let chain = Chain {
        prev: tree::line_hash(last),
        tree,
        open: stopped.open.iter().map(|id| id.as_str().into()).collect(),
    };
    is_signed.then_some(Found {
        chain,
        first: Some(first),
        length: bytes,
        torn: 0,
    })
}

/// Follows one file from its start to the last whole record.
fn scan(path: &Path, signed: Option<&Checkpoint>) -> Result<Found, Unfit> {
    let fault = |source| Unfit::Read {
        path: path.to_owned(),
        source,
    };
    let changed = |reason: String| Unfit::Changed {
        path: path.to_owned(),
        reason,
    };
    let mut lines = Lines::open(path).map_err(fault)?;
    let mut found = Found::default();
    loop {
        let before = lines.offset();
        let Next::Line(line) = lines.next_line().map_err(fault)? else {
            found.length = before;
            break;
        };
        if found.first.is_none() {
            let Some((chain, _)) = Chain::at_segment(line) else {
                break; // not even the first record is whole
            };
            found.first = Some(chain.next());
            found.chain = chain;
            signed_to(&found.chain, signed).map_err(changed)?;
            agrees(&found.chain, signed).map_err(changed)?;
        }
        if !line::is_json(line) || found.chain.follow(line).is_err() {
            found.length = before;
            break;
        }
        agrees(&found.chain, signed).map_err(changed)?;
    }
    match signed {
        Some(signed) if found.first.is_some() && found.chain.next() < signed.size => {
            let next = found.chain.next();
            let reason = format!("was changed at record {next}, which a checkpoint has signed");
            Err(changed(reason))
        }
        _ => Ok(found),
    }
}

/// Where a file begins, everything before it was signed: a file that begins behind the last
/// checkpoint could not be compared with anything.
fn signed_to(chain: &Chain, signed: Option<&Checkpoint>) -> Result<(), String> {
    let (size, signed) = (chain.next(), signed.map_or(0, |signed| signed.size));
    if size <= signed {
        return Ok(());
    }
    Err(format!(
        "continues {size} records, and its last checkpoint signed {signed}"
    ))
}

fn agrees(chain: &Chain, signed: Option<&Checkpoint>) -> Result<(), String> {
    match signed {
        Some(signed) if signed.size == chain.next() && signed.root != chain.tree.root() => Err(
            format!("does not have the {} records that were signed", signed.size),
        ),
        _ => Ok(()),
    }
}
