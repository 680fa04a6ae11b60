//! `hotcell audit verify | show | tail | prove | export | checkpoint`: reads records; changes nothing.

mod prove;
mod show;
mod verify;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, anyhow};

use crate::audit::{Filter, Format, Names, Verifier};
use crate::config::{Flags, Settings};
use crate::quantity;

/// The log that is meant when none is named.
const SERVER_LOG: &str = "serve";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// State folder
    #[arg(long, value_name = "DIR", global = true)]
    state: Option<PathBuf>,
    /// Folder of the records, such as a copy; without it STATE/audit
    #[arg(long, value_name = "DIR", global = true)]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Checks links, tree and signatures, and names the first bad record
    Verify(verify::Args),
    /// Shows calls, each with its outcome
    Show(show::Args),
    /// Shows the last records, and those that come
    Tail(show::TailArgs),
    /// Makes a proof for someone who does not have the log, or checks one
    Prove(prove::Args),
    /// Writes calls in the form of another system, one a line
    Export(show::ExportArgs),
    /// Prints the newest checkpoint, to be kept elsewhere
    Checkpoint {
        /// The log's name
        #[arg(long, value_name = "NAME", default_value = SERVER_LOG)]
        log: String,
    },
}

pub(super) fn main(args: &Args) -> anyhow::Result<u8> {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => {
            let settings = Settings::collect(&Flags {
                state: args.state.clone(),
                ..Flags::default()
            })?;
            settings.state().join("audit")
        }
    };
    let records = Records { folder };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let code = match &args.command {
        Command::Verify(args) => verify::main(args, &records, &mut out),
        Command::Show(args) => show::show(args, &records, &mut out),
        Command::Tail(args) => show::tail(args, &records, &mut out),
        Command::Export(args) => show::export(args, &records, &mut out),
        Command::Prove(args) => prove::main(args, &records, &mut out),
        Command::Checkpoint { log } => prove::checkpoint(&records.names(log)?, &mut out),
    };
    match code.and_then(|code| out.flush().map(|()| code).map_err(Into::into)) {
        // Who reads us has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(0),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let source = error.downcast_ref::<io::Error>();
    source.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The folder with the logs.
struct Records {
    folder: PathBuf,
}

impl Records {
    fn logs(&self) -> anyhow::Result<Vec<String>> {
        let logs = Names::logs(&self.folder)
            .with_context(|| format!("cannot list the records in `{}`", self.folder.display()))?;
        if logs.is_empty() {
            return Err(anyhow!(
                "there are no records in `{}`",
                self.folder.display()
            ));
        }
        Ok(logs)
    }

    fn names(&self, log: &str) -> anyhow::Result<Names> {
        let logs = self.logs()?;
        if logs.iter().any(|known| known == log) {
            return Ok(Names::new(&self.folder, log));
        }
        let (folder, known) = (self.folder.display(), logs.join(", "));
        Err(anyhow!(
            "there is no log `{log}` in `{folder}`; there are {known}"
        ))
    }

    /// The named log, or all.
    fn chosen(&self, log: Option<&str>) -> anyhow::Result<Vec<Names>> {
        match log {
            Some(log) => Ok(vec![self.names(log)?]),
            None => {
                let logs = self.logs()?;
                Ok(logs
                    .iter()
                    .map(|log| Names::new(&self.folder, log))
                    .collect())
            }
        }
    }
}

fn read_key(path: &Option<PathBuf>) -> anyhow::Result<Option<Verifier>> {
    let read = |path: &PathBuf| {
        Verifier::read(path).with_context(|| format!("cannot use the key `{}`", path.display()))
    };
    path.as_ref().map(read).transpose()
}

/// Which calls are asked for.
#[derive(Debug, clap::Args)]
struct Which {
    /// The log's name; without it all logs
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// The token's name
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// The requestId of an answer
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// allow or deny
    #[arg(long, value_name = "DECISION", value_parser = ["allow", "deny"])]
    decision: Option<String>,
    /// From then on: 2026-11-17, 2026-11-17T09:00:00Z, or 7d for so long ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Before then
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,
}

impl Which {
    fn filter(&self) -> Filter {
        Filter {
            session: self.session.clone(),
            agent: self.agent.clone(),
            tool: self.tool.clone(),
            request: self.request.clone(),
            decision: self.decision.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
        }
    }
}

/// Reads a time as operators write it; answers it in the form of records.
fn time(text: &str) -> Result<String, String> {
    let moment = if let Ok(ago) = quantity::duration(text) {
        SystemTime::now().checked_sub(ago)
    } else {
        let whole = if text.len() == 10 {
            format!("{text}T00:00:00Z")
        } else {
            text.to_owned()
        };
        whole
            .parse()
            .ok()
            .and_then(|time| quantity::from_toml(&time))
    };
    moment.map(quantity::rfc3339).ok_or_else(|| {
        format!(
            "`{text}` is not a time: write 2026-11-17, 2026-11-17T09:00:00Z, or 7d for so long ago"
        )
    })
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "ocsf" => Ok(Format::Ocsf),
        "ecs" => Ok(Format::Ecs),
        "cef" => Ok(Format::Cef),
        "otel" => Ok(Format::Otel),
        _ => Err(format!(
            "`{text}` is not a form; there are ocsf, ecs, cef, otel"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_taken_as_operators_write_them() {
        assert_eq!(time("2026-11-17").unwrap(), "2026-11-17T00:00:00.000Z");
        assert_eq!(
            time("2026-11-17T09:30:00+01:00").unwrap(),
            "2026-11-17T08:30:00.000Z"
        );
        assert!(time("1h").unwrap() < time("1m").unwrap());
        assert!(
            time("last Tuesday")
                .unwrap_err()
                .contains("7d for so long ago")
        );
        assert!(
            time("2026-11-17T09:30:00").is_err(),
            "without an offset it is not one moment"
        );
    }
}
