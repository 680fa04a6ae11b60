//! `hotcell audit show`, `tail` and `export`.

use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

use crate::audit::{
    Call, Calls, ChangedState, Common, End, Entry, Finished, Follower, Format, Names, Reader,
    Record, Stored, Verdict, plain,
};
use crate::cli::audit::{Records, SERVER_LOG, Which, format};

/// Most changed files that are shown of one call. Chosen, not measured.
const CHANGED_SHOWN: usize = 20;
/// Longest text of a request that is shown in a line. Chosen, not measured.
const SUMMARY_CHARS: usize = 200;
/// How often `tail --follow` looks for more.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Prints the records as they are stored
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    which: Which,
    /// ocsf, ecs, cef or otel
    #[arg(long, value_name = "FORM", value_parser = format)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct TailArgs {
    /// The log's name
    #[arg(long, value_name = "NAME", default_value = SERVER_LOG)]
    log: String,
    /// Shows so many of the last records
    #[arg(short = 'n', long, value_name = "COUNT", default_value = "10")]
    lines: usize,
    /// Goes on with what is recorded from now on
    #[arg(short, long)]
    follow: bool,
    /// Prints the records as they are stored
    #[arg(long)]
    json: bool,
}

/// Every entry of the chosen logs that is asked for.
fn each(
    which: &Which,
    records: &Records,
    mut take: impl FnMut(&Names, &Entry) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let filter = which.filter();
    for names in records.chosen(which.log.as_deref())? {
        for entry in Calls::of(Reader::open(&names.folder, &names.log)?) {
            let entry = entry?;
            if filter.takes(&entry) {
                take(&names, &entry)?;
            }
        }
    }
    Ok(())
}

pub(super) fn show(args: &Args, records: &Records, out: &mut impl Write) -> anyhow::Result<u8> {
    let several = records.chosen(args.which.log.as_deref())?.len() > 1;
    each(&args.which, records, |names, entry| {
        if args.json {
            return stored(entry, out);
        }
        if several {
            write!(out, "{}  ", names.log)?;
        }
        match (entry.call(), entry) {
            (Some(call), _) => out.write_all(call_text(&call).as_bytes())?,
            (None, Entry::Call { intent, .. } | Entry::Other(intent)) => {
                writeln!(out, "{}", record_text(intent))?;
            }
        }
        Ok(())
    })?;
    Ok(0)
}

fn stored(entry: &Entry, out: &mut impl Write) -> anyhow::Result<()> {
    let lines = match entry {
        Entry::Call { intent, end } => [Some(intent), end.as_ref()],
        Entry::Other(stored) => [Some(stored), None],
    };
    for stored in lines.into_iter().flatten() {
        out.write_all(&stored.line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

pub(super) fn export(
    args: &ExportArgs,
    records: &Records,
    out: &mut impl Write,
) -> anyhow::Result<u8> {
    each(&args.which, records, |names, entry| {
        if let Some(call) = entry.call() {
            writeln!(out, "{}", args.format.line(&names.log, &call))?;
        }
        Ok(())
    })?;
    Ok(0)
}

pub(super) fn tail(args: &TailArgs, records: &Records, out: &mut impl Write) -> anyhow::Result<u8> {
    let names = records.names(&args.log)?;
    let mut follower = Follower::new(names);
    let text = |stored: &Stored| match args.json {
        true => String::from_utf8_lossy(&stored.line).into_owned(),
        false => record_text(stored),
    };
    let mut last = VecDeque::new();
    follower.more(|stored| {
        last.push_back(stored);
        if last.len() > args.lines {
            last.pop_front();
        }
    })?;
    for stored in &last {
        writeln!(out, "{}", text(stored))?;
    }
    if !args.follow {
        return Ok(0);
    }
    loop {
        out.flush()?;
        std::thread::sleep(FOLLOW_EVERY);
        let mut more = Vec::new();
        follower.more(|stored| more.push(stored))?;
        for stored in &more {
            writeln!(out, "{}", text(stored))?;
        }
    }
}

/// A call in a line, and what it changed in lines below.
fn call_text(call: &Call<'_>) -> String {
    let Call {
        common,
        intent,
        end,
    } = call;
    let mut text = format!(
        "{}  #{}  {}:{}  {}/{}  {}  {}  {}\n",
        plain(&common.time),
        common.seq,
        verdict(intent.decision, &intent.rule),
        intent.line,
        plain(&intent.agent),
        plain(&intent.session),
        plain(&intent.tool),
        match end {
            End::Finished(finished) => end_text(finished),
            End::Interrupted => "interrupted".to_owned(),
            End::Unknown if intent.decision == Verdict::Deny => "did not run".to_owned(),
            End::Unknown => "no outcome".to_owned(),
        },
        summary(call),
    );
    if let Some(reason) = &intent.reason {
        text += &format!("    because {}\n", plain(reason));
    }
    if let End::Finished(finished) = end {
        text += &details_text(finished);
    }
    text
}

fn verdict(decision: Verdict, rule: &str) -> String {
    let word = match decision {
        Verdict::Allow => "allow",
        Verdict::Deny => "deny",
    };
    format!("{word} {}", plain(rule))
}

fn end_text(finished: &Finished<'_>) -> String {
    let mut text = match (finished.exit_code, &finished.error) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(error)) => format!("failed: {}", short(error)),
        (None, None) => "failed".to_owned(),
    };
    if let Some(limit) = finished.stopped_by {
        text += &format!(" (stopped by {limit:?})");
    }
    let millis = finished.duration_us as f64 / 1000.0;
    text + &format!(" in {millis:.1} ms")
}

fn details_text(finished: &Finished<'_>) -> String {
    let mut text = String::new();
    for denied in &finished.denied {
        text += &format!("    denied {}\n", plain(denied));
    }
    for file in finished.changed.iter().take(CHANGED_SHOWN) {
        let what = match file.state {
            ChangedState::File => "file",
            ChangedState::Folder => "folder",
            ChangedState::Other => "neither file nor folder",
            ChangedState::Gone => "gone",
            ChangedState::Skipped => "file, too large for its digest",
            ChangedState::Unknown => "unknown",
        };
        let bytes = file.bytes.map(|bytes| format!(", {bytes} bytes"));
        let digest = file
            .sha256
            .as_ref()
            .map(|sha| format!(", sha256 {}", plain(sha)));
        let (bytes, digest) = (bytes.unwrap_or_default(), digest.unwrap_or_default());
        text += &format!("    changed {}: {what}{bytes}{digest}\n", plain(&file.path));
    }
    let more = finished.changed.len().saturating_sub(CHANGED_SHOWN);
    if more > 0 || finished.changed_more {
        text += &format!(
            "    changed {more} more{}\n",
            if finished.changed_more {
                " and others"
            } else {
                ""
            }
        );
    }
    text
}

/// What the call was about.
fn summary(call: &Call<'_>) -> String {
    let parts = [call.program(), call.command(), call.pattern(), call.path()];
    let parts: Vec<_> = parts.into_iter().flatten().map(short).collect();
    parts.join("  ")
}

fn short(text: &str) -> String {
    let cut: String = text.chars().take(SUMMARY_CHARS).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    plain(&cut) + dots
}

/// One record in a line.
fn record_text(stored: &Stored) -> String {
    let (common, record) = match stored.record() {
        Ok(read) => read,
        Err(error) => {
            let file = stored.file.display();
            return format!("{file} line {}: not a record: {error}", stored.line_number);
        }
    };
    let Common {
        time, seq, event, ..
    } = &common;
    let rest = match &record {
        Record::Intent(intent) => format!(
            "{}:{}  {}/{}  {}  {}  {}",
            verdict(intent.decision, &intent.rule),
            intent.line,
            plain(&intent.agent),
            plain(&intent.session),
            plain(&intent.tool),
            plain(&intent.request_id),
            intent
                .request
                .fields
                .first()
                .map_or(String::new(), |(_, text)| short(text)),
        ),
        Record::Outcome(finished) => {
            format!("{}  {}", plain(&finished.request_id), end_text(finished))
        }
        Record::Interrupted(call) => plain(&call.request_id),
        Record::Log(value) => {
            let known = [
                "seq", "prev", "time", "event", "id", "monoUs", "boot", "tree", "key",
            ];
            let mut value = value.clone();
            if let Some(fields) = value.as_object_mut() {
                fields.retain(|name, _| !known.contains(&name.as_str()));
            }
            plain(&value.to_string())
        }
    };
    format!("{}  #{seq}  {}  {rest}", plain(time), plain(event))
}
