//! The command line: one file per subcommand.

mod audit;
mod doctor;
mod policy;
mod run;
mod serve;
mod signals;
mod token;
mod tool;
mod warm;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cell::{self, CellArguments};
use crate::config::Flags;
use crate::native;
use crate::policy::ToolKind;
use crate::telemetry;

/// Exit code for a wrong command line or configuration (sysexits.h, EX_USAGE).
const USAGE: u8 = 64;
/// Exit code of `run` when hotcell itself failed or refused. From the design.
const FAILED_RUN: u8 = 125;

const GREETING: &str = "\
hotcell runs the tool calls of AI agents as WebAssembly processes.

  hotcell run bash 'ls | wc -l'    run one call in the current folder
  hotcell serve                    answer POST /execute on 127.0.0.1:8080
  hotcell doctor                   say what works on this machine

`hotcell help` lists the rest.
";

#[derive(Debug, Parser)]
#[command(
    name = "hotcell",
    version,
    about = "Runs AI agents' tool calls as WebAssembly processes"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answers POST /execute over HTTP
    Serve(serve::Args),
    /// Runs one tool call without a server
    Run(run::Args),
    /// Checks, explains, compares and signs policy files
    Policy(policy::Args),
    /// Adds, lists and revokes tokens
    Token(token::Args),
    /// Shows, checks and exports the record of calls
    Audit(audit::Args),
    /// Looks into a tool of your own: what it is, what it needs, and what a policy must say
    Tool(tool::ToolArgs),
    /// Says what works on this machine
    Doctor(Common),
    /// Compiles the guests into the cache
    Warm(Common),
    /// A cell process; started by hotcell itself
    #[command(hide = true)]
    Cell {
        /// Modules whose artefacts it inherits
        #[arg(long, value_delimiter = ',')]
        modules: Vec<String>,
        #[arg(long, default_value_t = 0)]
        calls: usize,
        /// It is for one tool of this kind
        #[arg(long, value_parser = tool::kind)]
        tool: Option<ToolKind>,
        /// It compiles a tool
        #[arg(long)]
        compiles: bool,
        #[arg(long)]
        owner_map: bool,
    },
    /// Starts one native program; started by hotcell itself
    #[command(hide = true)]
    Stage {
        #[arg(long)]
        owner_map: bool,
    },
    /// Writes one compiled guest to standard output; started by hotcell itself
    #[command(hide = true)]
    Compile { name: String },
}

/// Flags of every subcommand that uses the state folder.
#[derive(Debug, clap::Args)]
struct Common {
    /// State folder: tokens, sessions, records
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Configuration file; without it STATE/hotcell.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Policy file; without it the embedded default
    #[arg(long, value_name = "FILE")]
    policy: Option<String>,
}

impl Common {
    fn flags(&self) -> Flags {
        let policy = self.policy.iter().map(|path| ("policy", path.clone()));
        Flags {
            state: self.state.clone(),
            config: self.config.clone(),
            values: policy.collect(),
        }
    }
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = !error.use_stderr();
            // Nothing can be said where standard error is closed.
            let _closed = error.print();
            return if asked {
                ExitCode::SUCCESS
            } else {
                USAGE.into()
            };
        }
    };
    let result = match cli.command {
        None => say(GREETING).map(|()| 0),
        Some(Command::Serve(args)) => serve::main(&args),
        Some(Command::Run(args)) => return run::main(args).into(),
        Some(Command::Policy(args)) => policy::main(&args),
        Some(Command::Token(args)) => token::main(&args),
        Some(Command::Tool(args)) => tool::main(&args),
        Some(Command::Audit(args)) => audit::main(&args),
        Some(Command::Doctor(args)) => doctor::main(&args),
        Some(Command::Warm(args)) => warm::main(&args),
        Some(Command::Cell {
            modules,
            calls,
            tool,
            compiles,
            owner_map,
        }) => {
            let started = telemetry::start("warn", telemetry::LogFormat::Text)
                .map_err(|reason| anyhow::anyhow!(reason));
            let arguments = CellArguments {
                modules,
                calls_max: calls,
                tool,
                compiles,
                has_owner_map: owner_map,
            };
            started
                .and_then(|()| cell::cell_main(arguments))
                .map(|()| 0)
        }
        Some(Command::Stage { owner_map }) => native::stage_main(owner_map).map(|()| 0),
        Some(Command::Compile { name }) => cell::compile(&name, std::io::stdout()).map(|()| 0),
    };
    match result {
        Ok(code) => code.into(),
        Err(error) => {
            complain(&error);
            let usage = error.downcast_ref::<crate::config::ConfigError>().is_some()
                || error.downcast_ref::<crate::policy::PolicyError>().is_some()
                || error.downcast_ref::<policy::Usage>().is_some();
            if usage {
                USAGE.into()
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Writes to standard output.
fn say(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// Writes an error and its causes to standard error.
fn complain(error: &anyhow::Error) {
    // Nothing can be said where standard error is closed.
    let _closed = writeln!(std::io::stderr(), "hotcell: {error:#}");
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
