//! `hotcell token add|list|revoke`. Prints no secret.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::app;
use crate::cli::say;
use crate::config::{Flags, Settings, State, Tokens};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// State folder
    #[arg(long, value_name = "DIR", global = true)]
    state: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes a token; its name is the agent's identity
    Add {
        name: String,
        /// Policy file of this agent; without it the one for all
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Lists names and times, never secrets
    List,
    /// Ends a token at once; its sessions stay
    Revoke { name: String },
}

pub(super) fn main(args: &Args) -> anyhow::Result<u8> {
    let settings = Settings::collect(&Flags {
        state: args.state.clone(),
        ..Flags::default()
    })?;
    let state = State::open(settings.state())?;
    let tokens = Tokens::open(state.path())?;
    let text = match &args.command {
        Command::Add { name, policy } => {
            if let Some(file) = policy {
                app::signed_loader(settings.check()?.policy_keys.as_deref())?.file(file)?;
            }
            let policy = policy.as_ref().map(std::path::absolute).transpose()?;
            let path = tokens.add_with_policy(name, policy.as_deref())?;
            format!(
                "token `{name}` added; its secret is in {} (only you can read it);\na running server knows it within a second\n",
                path.display()
            )
        }
        Command::Revoke { name } => {
            tokens.revoke(name)?;
            format!("token `{name}` revoked\n")
        }
        Command::List => tokens
            .list()?
            .iter()
            .fold(String::new(), |mut text, (name, created)| {
                // Writing to a string cannot fail.
                let _infallible = writeln!(text, "{name}\t{created}");
                text
            }),
    };
    say(&text)?;
    Ok(0)
}
