//! `hotcell audit verify`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use crate::audit::verify::{Anchors, Report, verify};
use crate::audit::{Names, plain};
use crate::cli::audit::{Records, read_key};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The log's name; without it all logs
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
    /// The log's key (NAME.pub), kept elsewhere
    #[arg(long, value_name = "FILE", requires = "log")]
    key: Option<PathBuf>,
    /// A checkpoint kept elsewhere: says whether the log was cut or rewritten since. May be repeated
    #[arg(long, value_name = "FILE", requires = "log")]
    checkpoint: Vec<PathBuf>,
}

pub(super) fn main(args: &Args, records: &Records, out: &mut impl Write) -> anyhow::Result<u8> {
    let anchors = Anchors {
        key: read_key(&args.key)?,
        checkpoints: args.checkpoint.clone(),
    };
    let mut failed = false;
    for names in records.chosen(args.log.as_deref())? {
        let began = Instant::now();
        match verify(&names, &anchors) {
            Ok(report) => {
                let seconds = began.elapsed().as_secs_f64();
                write!(out, "{}", told(&names, &report, &anchors, seconds))?;
            }
            Err(fault) => {
                failed = true;
                let (log, fault) = (&names.log, format!("{:#}", anyhow::Error::new(fault)));
                writeln!(out, "{log}: BAD: {}", plain(&fault))?;
            }
        }
    }
    Ok(u8::from(failed))
}

fn told(names: &Names, report: &Report, anchors: &Anchors, seconds: f64) -> String {
    let Report {
        origin,
        files,
        first,
        next,
        checkpoints,
        signed,
        unchecked,
        unended,
        closed,
        open,
        ..
    } = report;
    let (log, origin) = (&names.log, plain(origin));
    let count = next - first;
    let last = next.saturating_sub(1);
    let mut text = format!(
        "{log}: good: {count} records, {first} to {last}, in {files} files; \
         {checkpoints} checkpoints agree ({seconds:.2} s)\n  origin {origin}\n"
    );
    if signed < next {
        let after = next - signed;
        text += &format!("  the last {after} records are linked and not signed yet\n");
    }
    if *first > 0 {
        text += &format!("  records before {first} were deleted by the rule of how many are kept");
        text += &format!("; {unchecked} checkpoints of them could not be compared\n");
    }
    if *unended > 0 {
        text += &format!("  {unended} bytes at the end are of records that are not whole\n");
    }
    if *open > 0 {
        text += &format!("  {open} calls have no outcome");
        text += if *closed { "\n" } else { " so far\n" };
    }
    if anchors.key.is_none() {
        text += "  the key is the one beside the log; --key FILE checks with one kept elsewhere\n";
    }
    if anchors.checkpoints.is_empty() && !closed {
        text += "  the log is open or its program was killed: --checkpoint FILE tells whether its \
                 end was cut\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Audit, Keeping};

    #[test]
    fn what_a_copied_folder_says_does_not_reach_the_terminal_raw() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::new(folder.path(), "t");
        drop(Audit::open(folder.path(), "t", &Keeping::default()).unwrap());
        let anchors = Anchors::default();
        let mut report = verify(&names, &anchors).unwrap();
        report.origin = "hotcell/\u{1b}[2J/t".to_owned();
        let text = told(&names, &report, &anchors, 0.0);
        assert!(text.contains("hotcell/\\u{1b}[2J/t"), "{text}");
    }
}
