//! Checks a log offline, in one pass: that every record is linked to the one before, that the
//! files continue each other, and that the whole is what the checkpoints signed.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use crate::audit::chain::{Chain, Misfit};
use crate::audit::checkpoint::{self, Checkpoint, Verifier};
use crate::audit::line;
use crate::audit::log::FORMAT;
use crate::audit::names::Names;
use crate::audit::proof::Collector;
use crate::audit::reader::{self, Lines, Next, ReadError};
use crate::audit::record::{Retired, Stopped};
use crate::audit::tree::{self, Frontier};

/// How often a log that changes while it is checked is looked at. Chosen, not measured.
const LOOKS_MAX: usize = 3;

/// What a log is compared with besides what lies in its own folder.
#[derive(Debug, Default)]
pub struct Anchors {
    /// The log's key, kept elsewhere.
    pub key: Option<Verifier>,
    /// Files with checkpoints, kept elsewhere.
    pub checkpoints: Vec<PathBuf>,
}

/// A log that holds.
#[derive(Debug)]
pub struct Report {
    pub origin: String,
    pub files: usize,
    /// Number of the first record that is there.
    pub first: u64,
    /// Number of the next record.
    pub next: u64,
    /// Checkpoints that agree with the records.
    pub checkpoints: usize,
    /// Records that a checkpoint has signed: those below this number.
    pub signed: u64,
    /// Checkpoints of records that the log no longer holds.
    pub unchecked: usize,
    /// Bytes of records that are being written, or were when the program died.
    pub unended: u64,
    /// The log was closed: nothing is missing at its end.
    pub closed: bool,
    /// Calls without an outcome.
    pub open: usize,
    pub end: Frontier,
}

/// Why a log does not hold.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The first bad record.
    #[error("record {seq} is bad: {what} (`{}` line {line})", .file.display())]
    Record {
        seq: u64,
        what: String,
        file: PathBuf,
        line: u64,
    },
    /// The first bad record, where whole ones may follow that were written together with it.
    #[error(
        "record {seq} is bad: there are zero bytes in it, and lines behind them: it was changed, or the \
         machine lost its power while these were written (`{}` line {line})", .file.display()
    )]
    Gap { seq: u64, file: PathBuf, line: u64 },
    #[error("a checkpoint in `{}` is bad: {what}", .file.display())]
    Checkpoint { file: PathBuf, what: String },
    #[error("the key `{}` cannot be used", .file.display())]
    Key {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("there is no log `{0}`")]
    Absent(String),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Checks the log and says how far it is signed.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(names: &Names, anchors: &Anchors) -> Result<Report, Fault> {
    steady(names, || check(names, anchors, None))
}

/// Looks again where the files changed their names meanwhile: a log may be written while it is
/// checked. What is wrong with the same record twice is wrong.
fn steady<T>(names: &Names, look: impl Fn() -> Result<T, Fault>) -> Result<T, Fault> {
    let listed = || names.full_files().ok();
    let record = |found: &Result<T, Fault>| match found {
        Err(Fault::Record { seq, .. } | Fault::Gap { seq, .. }) => Some(*seq),
        _ => None,
    };
    let mut before = listed();
    let mut found = look();
    for _ in 1..LOOKS_MAX {
        let after = listed();
        // What is written while it is read may show its later part first.
        let is_gap = matches!(found, Err(Fault::Gap { .. }));
        if found.is_ok() || (before == after && !is_gap) {
            break;
        }
        before = after;
        let again = look();
        let repeated = record(&again).is_some() && record(&again) == record(&found);
        found = again;
        if repeated {
            break;
        }
    }
    found
}

/// As [`verify`], and gives every leaf to a collector for a proof.
///
/// # Errors
/// The first thing that is wrong.
pub fn collect(
    names: &Names,
    anchors: &Anchors,
    ranges: Vec<super::proof::Range>,
) -> Result<(Report, Option<Vec<tree::Hash>>), Fault> {
    steady(names, || {
        let mut collector = Some((ranges.clone(), None));
        let report = check(names, anchors, Some(&mut collector))?;
        let collected = collector.and_then(|(_, collector)| collector);
        let roots = collected.and_then(|collector: Collector| collector.roots());
        Ok((report, roots))
    })
}

type Wanted = Option<(Vec<super::proof::Range>, Option<Collector>)>;

fn check(
    names: &Names,
    anchors: &Anchors,
    mut wanted: Option<&mut Wanted>,
) -> Result<Report, Fault> {
    let verifier = key(names, anchors)?;
    let files = reader::files(names)?;
    if files.is_empty() {
        return Err(Fault::Absent(names.log.clone()));
    }
    let mut walk = Walk {
        chain: Chain::default(),
        checkpoints: checkpoints(names, anchors, &verifier)?.into(),
        report: Report {
            origin: verifier.origin().to_owned(),
            files: files.len(),
            first: 0,
            next: 0,
            checkpoints: 0,
            signed: 0,
            unchecked: 0,
            unended: 0,
            closed: false,
            open: 0,
            end: Frontier::default(),
        },
        verifier: verifier.clone(),
        file: PathBuf::new(),
        line: 0,
        begun: false,
        doubt: None,
        left: 0,
        left_signed: 0,
    };
    for (index, file) in files.iter().enumerate() {
        walk.file.clone_from(file);
        walk.line = 0;
        let next_file = files.get(index + 1).map(PathBuf::as_path);
        walk.file_holds(next_file, &mut wanted)?;
    }
    let report = walk.end()?;
    is_comparable(anchors, &report, &verifier)?;
    Ok(report)
}

/// Refuses checkpoints kept elsewhere that are all of records that were deleted since: the log
/// was compared with none of them. One newer checkpoint stands for the older ones.
fn is_comparable(anchors: &Anchors, report: &Report, verifier: &Verifier) -> Result<(), Fault> {
    let mut newest = None;
    for file in &anchors.checkpoints {
        for signed in signed_in(file, true, verifier)? {
            newest = newest.max(Some((signed.size, file)));
        }
    }
    match newest {
        Some((size, file)) if size < report.first => Err(Fault::Checkpoint {
            file: file.clone(),
            what: format!(
                "it signed {size} records, and the log begins with record {} by now: nothing is \
                 left to compare it with; give a newer one",
                report.first
            ),
        }),
        _ => Ok(()),
    }
}

/// The key that checkpoints are checked with.
///
/// # Errors
/// When it cannot be read.
pub fn key(names: &Names, anchors: &Anchors) -> Result<Verifier, Fault> {
    match &anchors.key {
        Some(key) => Ok(key.clone()),
        None => {
            let file = names.public_key();
            Verifier::read(&file).map_err(|source| Fault::Key { file, source })
        }
    }
}

/// Every checkpoint of the log and of the anchors, smallest first.
///
/// # Errors
/// When one is not signed by the log's key.
pub fn checkpoints(
    names: &Names,
    anchors: &Anchors,
    verifier: &Verifier,
) -> Result<Vec<Checkpoint>, Fault> {
    let full = names.full_files().map_err(|source| ReadError::Read {
        path: names.folder.clone(),
        source,
    })?;
    let beside = full.iter().map(|(first, _)| names.full_checkpoints(*first));
    let own: Vec<_> = beside.chain([names.heads(), names.checkpoints()]).collect();
    let mut all = Vec::new();
    for (file, must_exist) in own
        .iter()
        .map(|file| (file, false))
        .chain(anchors.checkpoints.iter().map(|file| (file, true)))
    {
        all.extend(signed_in(file, must_exist, verifier)?);
    }
    all.sort_by_key(|signed| signed.size);
    Ok(all)
}

/// The checkpoints in one file.
fn signed_in(file: &Path, must_exist: bool, verifier: &Verifier) -> Result<Vec<Checkpoint>, Fault> {
    let text = match checkpoint::read_bounded(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {
            return Ok(Vec::new());
        }
        Err(source) => {
            let path = file.to_owned();
            return Err(ReadError::Read { path, source }.into());
        }
    };
    let mut notes = checkpoint::notes(&text);
    // The last one may be half-written, as a record may.
    if !must_exist && notes.last().is_some_and(|note| !note.ends_with('\n')) {
        notes.pop();
    }
    let what = |what: &str| Fault::Checkpoint {
        file: file.to_owned(),
        what: what.to_owned(),
    };
    let checked = notes.iter().map(|note| verifier.check(note).map_err(what));
    checked.collect()
}

/// The line behind the one just read, which may begin the next file.
fn following(lines: &mut Lines, next_file: Option<&Path>) -> Option<Vec<u8>> {
    match lines.next_line().ok()? {
        Next::Line(after) => Some(after.to_vec()),
        Next::End => match Lines::open(next_file?).ok()?.next_line().ok()? {
            Next::Line(first) => Some(first.to_vec()),
            Next::TooLong | Next::Unended(_) | Next::End => None,
        },
        Next::TooLong | Next::Unended(_) => None,
    }
}

struct Walk {
    chain: Chain,
    checkpoints: VecDeque<Checkpoint>,
    report: Report,
    verifier: Verifier,
    file: PathBuf,
    line: u64,
    begun: bool,
    /// A checkpoint that does not agree. The record behind it may say which one was changed.
    doubt: Option<Fault>,
    /// The first record that deletions left, by the records so far.
    left: u64,
    /// The same by the records that are signed: only those count.
    left_signed: u64,
}

impl Walk {
    fn bad(&self, seq: u64, what: impl Into<String>) -> Fault {
        Fault::Record {
            seq,
            what: what.into(),
            file: self.file.clone(),
            line: self.line,
        }
    }

    fn read(&self, source: io::Error) -> Fault {
        let path = self.file.clone();
        ReadError::Read { path, source }.into()
    }

    fn file_holds(
        &mut self,
        next_file: Option<&Path>,
        wanted: &mut Option<&mut Wanted>,
    ) -> Result<(), Fault> {
        let mut lines = Lines::open(&self.file).map_err(|error| self.read(error))?;
        let last_file = next_file.is_none();
        loop {
            self.line += 1;
            let seq = self.chain.next();
            let line = match lines.next_line().map_err(|error| self.read(error))? {
                Next::Line(line) => line,
                Next::TooLong => return Err(self.bad(seq, "it is longer than a record can be")),
                Next::Unended(_) if !last_file => {
                    return Err(self.bad(seq, "the file ends within it"));
                }
                Next::Unended(unended) if unended.has_gap => {
                    let (file, line) = (self.file.clone(), self.line);
                    return Err(Fault::Gap { seq, file, line });
                }
                Next::Unended(unended) => {
                    self.report.unended = unended.bytes;
                    return Ok(());
                }
                Next::End if self.line == 1 && !last_file => {
                    return Err(self.bad(seq, "its file is empty"));
                }
                Next::End => return Ok(()),
            };
            if !self.begun {
                self.begin(line)?;
                if let Some(Some((ranges, collector))) = wanted {
                    *collector = Some(Collector::new(std::mem::take(ranges), &self.chain.tree));
                }
            }
            let seq = self.chain.next();
            if let Err(misfit) = self.chain.fits(line) {
                let line = line.to_vec();
                let after = following(&mut lines, next_file);
                return Err(self.misfit(misfit, &line, after.as_deref()));
            }
            if let Some(doubt) = self.doubt.take() {
                return Err(doubt);
            }
            if !line::is_json(line) {
                return Err(self.bad(seq, "it is not JSON"));
            }
            if self.line == 1 {
                self.segment(line)?;
            }
            if let Some(Some((_, Some(collector)))) = wanted {
                collector.leaf(seq, tree::leaf_hash(line));
            }
            self.follow(line);
        }
    }

    /// Takes a record that holds.
    fn follow(&mut self, line: &[u8]) {
        let head = self.chain.follow(line).ok();
        let event = head.and_then(|head| line::time_and_event(head.rest));
        let event = event.map(|(_, event, _)| event);
        self.report.closed = event == Some("stop");
        if event == Some("retired")
            && let Ok(retired) = serde_json::from_slice::<Retired>(line)
        {
            self.left = self.left.max(retired.left);
        }
        self.signed();
    }

    /// Begins at the first record that is there.
    fn begin(&mut self, line: &[u8]) -> Result<(), Fault> {
        let fault = "the log does not begin with the record of a file's start";
        let (chain, _) = Chain::at_segment(line).ok_or_else(|| self.bad(0, fault))?;
        let first = chain.next();
        (self.chain, self.begun) = (chain, true);
        self.report.first = first;
        while self
            .checkpoints
            .front()
            .is_some_and(|signed| signed.size < first)
        {
            self.checkpoints.pop_front();
            self.report.unchecked += 1;
        }
        self.signed();
        Ok(())
    }

    /// Checks what a file says of the log so far.
    fn segment(&self, line: &[u8]) -> Result<(), Fault> {
        let seq = self.chain.next();
        let Some((chain, segment)) = Chain::at_segment(line) else {
            return Err(self.bad(seq, "a file begins with it, and it does not say so"));
        };
        if segment.format != FORMAT {
            let what = format!(
                "its format is {}; this program reads {FORMAT}",
                segment.format
            );
            return Err(self.bad(seq, what));
        }
        // A checkpoint is signed over every full file before the next one begins.
        if self.report.signed != seq {
            let from = self.report.signed.max(self.report.first);
            let what = format!(
                "the checkpoint over the {seq} records before `{}` is missing: records from this \
                 one on may be rewritten",
                self.file.display()
            );
            return Err(self.bad(from, what));
        }
        if chain.tree != self.chain.tree {
            return Err(self.bad(
                seq,
                "the tree it names is not that of the records before it",
            ));
        }
        let name = self.file.file_name().and_then(|name| name.to_str());
        let named = name.and_then(|name| name.rsplit('.').nth(1)?.parse::<u64>().ok());
        if named.is_some_and(|named| named != seq) {
            return Err(self.bad(seq, "its file is named after another record"));
        }
        if segment.key != self.verifier.to_text() {
            return Err(self.bad(
                seq,
                "it names another key than the one the log is checked with",
            ));
        }
        Ok(())
    }

    /// Compares the tree with the checkpoints of its present size.
    fn signed(&mut self) {
        let size = self.chain.next();
        let mut root = None;
        while self
            .checkpoints
            .front()
            .is_some_and(|signed| signed.size == size)
        {
            let Some(signed) = self.checkpoints.pop_front() else {
                return;
            };
            if *root.get_or_insert_with(|| self.chain.tree.root()) != signed.root {
                let from = self.report.signed.max(self.report.first);
                let what = format!(
                    "a checkpoint signed other records {from} to {}; which of them was \
                     rewritten cannot be told, the links between them hold",
                    size.saturating_sub(1)
                );
                self.doubt = Some(self.bad(from, what));
                return;
            }
            self.report.signed = size;
            self.report.checkpoints += 1;
            self.left_signed = self.left;
        }
    }

    /// Says which record is the first bad one where a line does not continue the log.
    fn misfit(&self, misfit: Misfit, line: &[u8], after: Option<&[u8]>) -> Fault {
        let seq = self.chain.next();
        match misfit {
            Misfit::Form => self.bad(seq, "it does not have the form of a record"),
            Misfit::Seq(found) if found > seq => {
                self.bad(seq, format!("record {found} stands in its place"))
            }
            Misfit::Seq(found) => self.bad(seq, format!("record {found} stands there once more")),
            Misfit::Prev if self.is_of_another_log(line) => {
                self.bad(seq, "its file is of another log")
            }
            Misfit::Prev if seq > self.report.first && self.is_intact(line, after) => self.bad(
                seq - 1,
                "it was changed: the next record has the hash of another one",
            ),
            Misfit::Prev => self.bad(seq, "it was changed, or is of another log"),
        }
    }

    fn is_of_another_log(&self, line: &[u8]) -> bool {
        let segment = Chain::at_segment(line).filter(|_| self.line == 1);
        segment.is_some_and(|(_, segment)| segment.key != self.verifier.to_text())
    }

    /// Whether a line that names another predecessor than the one before it is as it was
    /// written: what comes after it, or what it says itself, tells.
    fn is_intact(&self, line: &[u8], after: Option<&[u8]>) -> bool {
        if let Some(after) = after.and_then(line::head) {
            return after.prev == tree::line_hash(line);
        }
        match serde_json::from_slice::<Stopped>(line) {
            // A log's last record holds the tree before it.
            Ok(stopped) => stopped.tree.frontier().as_ref() != Some(&self.chain.tree),
            Err(_) => false,
        }
    }

    fn end(mut self) -> Result<Report, Fault> {
        if let Some(doubt) = self.doubt {
            return Err(doubt);
        }
        let next = self.chain.next();
        if let Some(signed) = self.checkpoints.front() {
            let what = format!(
                "it is missing: the log ends with {next} records, and a checkpoint signed {}",
                signed.size
            );
            return Err(self.bad(next, what));
        }
        if self.report.signed == 0 {
            return Err(self.bad(
                self.report.first,
                "no checkpoint signs it or any other record",
            ));
        }
        if self.report.first > self.left_signed {
            let what = format!(
                "it is missing: the log begins with record {}, and no signed record says that \
                 those before it were deleted",
                self.report.first
            );
            return Err(self.bad(self.left_signed, what));
        }
        if self.report.closed && self.report.signed < next && self.report.unended == 0 {
            let what = "the log was closed after it, and the checkpoint of that is missing";
            return Err(self.bad(self.report.signed, what));
        }
        self.report.next = next;
        self.report.open = self.chain.open.len();
        self.report.end = self.chain.tree;
        Ok(self.report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_log_that_never_stands_still_is_looked_at_a_few_times_and_the_same_fault_twice() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::new(folder.path(), "t");
        let looks = Cell::new(0);
        let look = |seq: &dyn Fn(u64) -> u64| {
            looks.set(looks.get() + 1);
            std::fs::write(names.full(looks.get()), "").unwrap();
            Err::<(), _>(Fault::Record {
                seq: seq(looks.get()),
                what: String::new(),
                file: PathBuf::new(),
                line: 0,
            })
        };
        assert!(steady(&names, || look(&|at| at)).is_err());
        assert_eq!(looks.replace(10), LOOKS_MAX as u64);
        assert!(steady(&names, || look(&|_| 7)).is_err());
        assert_eq!(looks.get(), 12);
    }
}
