//! `hotcell policy diff` and `replay`: what another policy would change.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context as _;

use crate::app;
use crate::audit::{self, Stored};
use crate::cli::say;
use crate::policy::{self, Recorded, Vocabulary};

#[derive(Debug, clap::Args)]
pub(super) struct DiffArgs {
    /// The policy in force
    old: PathBuf,
    /// The policy that is proposed
    new: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    file: super::File,
    /// A record, such as STATE/audit/serve.jsonl
    #[arg(long, value_name = "LOG")]
    audit: PathBuf,
}

pub(super) fn diff(args: &DiffArgs) -> anyhow::Result<u8> {
    let loader = app::loader()?;
    let (old, new) = (loader.file(&args.old)?, loader.file(&args.new)?);
    let none = Vocabulary::default();
    let vocabulary = loader.vocabulary.as_deref().unwrap_or(&none);
    let now = SystemTime::now();
    let wider = policy::diff(&old, &new, vocabulary, now);
    let narrower = policy::diff(&new, &old, vocabulary, now);
    let mut text = String::new();
    for (sign, witnesses) in [("+", &wider), ("-", &narrower)] {
        for (witness, more) in policy::brief(witnesses) {
            text += &match more {
                0 => format!("{sign} {witness}\n"),
                more => format!("{sign} {witness}, and {more} like it\n"),
            };
        }
    }
    text += &format!(
        "{} newly allowed (+), {} no longer (-)\n",
        wider.len(),
        narrower.len()
    );
    say(&text)?;
    Ok(if wider.is_empty() { 0 } else { super::NO })
}

pub(super) fn replay(args: &ReplayArgs) -> anyhow::Result<u8> {
    let policy = args.file.load()?;
    let path = &args.audit;
    let (mut seen, mut changed, mut unclear) = (0, 0, 0);
    for stored in audit::Reader::of(vec![path.clone()]) {
        let Stored {
            line, line_number, ..
        } = stored?;
        let recorded: Recorded = serde_json::from_slice(&line)
            .with_context(|| format!("line {line_number} of `{}` is no record", path.display()))?;
        seen += usize::from(recorded.event == "intent");
        if let Some(change) = policy::replay(&policy, &recorded) {
            match change.now_allowed {
                Some(_) => changed += 1,
                None => unclear += 1,
            }
            say(&format!("{}\n", change.text))?;
        }
    }
    let not = match unclear {
        0 => String::new(),
        unclear => format!(", {unclear} cannot be decided again"),
    };
    say(&format!(
        "{seen} calls, {changed} would be decided otherwise{not}\n"
    ))?;
    Ok(if changed + unclear == 0 { 0 } else { super::NO })
}
