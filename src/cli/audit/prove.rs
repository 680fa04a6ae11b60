//! `hotcell audit prove` and `checkpoint`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::audit::checkpoint::{Checkpoint, read_bounded};
use crate::audit::proof::{self, Proven};
use crate::audit::verify::{self, Anchors};
use crate::audit::{Names, Reader, plain};
use crate::cli::audit::{Records, SERVER_LOG, read_key};

#[derive(Debug, clap::Args)]
#[group(id = "what", required = true, args = ["record", "grown_from", "check"])]
pub(super) struct Args {
    /// Proves that the record of this number is in the log, under its newest checkpoint
    #[arg(long, value_name = "SEQ")]
    record: Option<u64>,
    /// Proves that the log grew out of the state that this checkpoint signed
    #[arg(long, value_name = "FILE")]
    grown_from: Option<PathBuf>,
    /// Checks a proof; needs nothing but the proof and the log's key
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// The log's name
    #[arg(long, value_name = "NAME", default_value = SERVER_LOG)]
    log: String,
    /// The log's key (NAME.pub), kept elsewhere
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

pub(super) fn main(args: &Args, records: &Records, out: &mut impl Write) -> anyhow::Result<u8> {
    let key = read_key(&args.key)?;
    let anchors = Anchors {
        key,
        checkpoints: Vec::new(),
    };
    if let Some(file) = &args.check {
        let verifier = match anchors.key {
            Some(key) => key,
            None => verify::key(&records.names(&args.log)?, &anchors)?,
        };
        return match proof::check(&read(file)?, &verifier) {
            Ok(proven) => tell(&proven, out).map(|()| 0),
            Err(what) => {
                writeln!(out, "BAD: {}", plain(&what.to_string()))?;
                Ok(1)
            }
        };
    }
    let names = records.names(&args.log)?;
    let text = match (args.record, &args.grown_from) {
        (Some(seq), _) => included(&names, &anchors, seq)?,
        (None, Some(file)) => grown(&names, &anchors, file)?,
        (None, None) => return Err(anyhow!("say what to prove: --record or --grown-from")),
    };
    out.write_all(text.as_bytes())?;
    Ok(0)
}

/// Prints the newest checkpoint.
pub(super) fn checkpoint(names: &Names, out: &mut impl Write) -> anyhow::Result<u8> {
    let newest = newest(names, &Anchors::default())?;
    out.write_all(newest.note.as_bytes())?;
    Ok(0)
}

fn read(file: &Path) -> anyhow::Result<String> {
    read_bounded(file).with_context(|| format!("cannot read `{}`", file.display()))
}

fn newest(names: &Names, anchors: &Anchors) -> anyhow::Result<Checkpoint> {
    let verifier = verify::key(names, anchors)?;
    let mut all = verify::checkpoints(names, anchors, &verifier)?;
    all.pop()
        .ok_or_else(|| anyhow!("the log `{}` has no checkpoint yet", names.log))
}

fn included(names: &Names, anchors: &Anchors, seq: u64) -> anyhow::Result<String> {
    let signed = newest(names, anchors)?;
    if seq >= signed.size {
        return Err(anyhow!(
            "record {seq} is not signed: the newest checkpoint covers records below {}",
            signed.size
        ));
    }
    let ranges = proof::inclusion_ranges(seq, signed.size);
    let (report, roots) = verify::collect(names, anchors, ranges)?;
    let roots = roots.filter(|_| seq >= report.first);
    let roots = roots.ok_or_else(|| anyhow!("record {seq} is no longer in the log"))?;
    let skip = usize::try_from(seq - report.first).unwrap_or(usize::MAX);
    let stored = Reader::open(&names.folder, &names.log)?.nth(skip);
    let stored = stored.ok_or_else(|| anyhow!("record {seq} is no longer in the log"))??;
    Ok(proof::inclusion_text(seq, &stored.line, &roots, &signed))
}

fn grown(names: &Names, anchors: &Anchors, file: &Path) -> anyhow::Result<String> {
    let verifier = verify::key(names, anchors)?;
    let old = verifier.check(&read(file)?);
    let old = old.map_err(|what| anyhow!("the checkpoint `{}`: {what}", file.display()))?;
    let new = newest(names, anchors)?;
    if old.size > new.size {
        return Err(anyhow!(
            "that checkpoint signed {} records and the log's newest {}: the log was cut",
            old.size,
            new.size
        ));
    }
    let ranges = proof::consistency_ranges(old.size, new.size);
    let (_, roots) = verify::collect(names, anchors, ranges)?;
    let roots = roots.ok_or_else(|| {
        anyhow!("records before that checkpoint were deleted, and the proof needs them")
    })?;
    if !proof::grew(&old, &new, &roots) {
        return Err(anyhow!(
            "the log did not grow out of that checkpoint: records below {} were rewritten",
            old.size
        ));
    }
    Ok(proof::consistency_text(&roots, &old, &new))
}

fn tell(proven: &Proven, out: &mut impl Write) -> anyhow::Result<()> {
    match proven {
        Proven::Included {
            index,
            line,
            signed,
        } => {
            let (origin, size) = (plain(&signed.origin), signed.size);
            writeln!(
                out,
                "good: record {index} of {origin}, which signed {size} records:"
            )?;
            writeln!(out, "{}", plain(&String::from_utf8_lossy(line)))?;
        }
        Proven::Grew { old, new } => writeln!(
            out,
            "good: {} grew from {} records to {}, and none of the first was changed",
            plain(&new.origin),
            old.size,
            new.size
        )?,
    }
    Ok(())
}
