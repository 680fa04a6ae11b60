//! `hotcell policy …`: what a reviewer and a merge gate ask of a policy file.

mod compare;
mod explain;
mod look;
mod signing;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;

pub(in crate::cli) use explain::Usage;

use crate::app;
use crate::cli::say;
use crate::config::{Flags, Settings};
use crate::policy::{self, Loader, Policy};

/// Exit code of a question whose answer is no: denied, broader, failing.
const NO: u8 = 1;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says whether a file loads, and everything that is wrong when it does not
    Check(File),
    /// Says why something is allowed or denied, by which rule and line
    Explain(explain::Args),
    /// Tries every example of a file
    Test(File),
    /// Says what a reviewer should look at twice
    Lint(look::LintArgs),
    /// Says what the second file allows that the first does not; ends with 1 when there is any
    Diff(compare::DiffArgs),
    /// Decides again what a record holds
    Replay(compare::ReplayArgs),
    /// Prints the JSON Schema of policy files, for editors
    Schema,
    /// Rewrites a file in the usual form; comments stay
    Fmt(look::FormatArgs),
    /// Signs a file: writes FILE.sig
    Sign(signing::SignArgs),
    /// Checks a file's signature
    Verify(signing::VerifyArgs),
}

/// A policy file and whose signatures count.
#[derive(Debug, clap::Args)]
struct File {
    /// The policy file
    file: PathBuf,
    /// File of public keys; the policy must be signed by one of them
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

impl File {
    fn loader(&self) -> anyhow::Result<Loader> {
        app::signed_loader(self.keys.as_deref())
    }

    fn load(&self) -> anyhow::Result<Policy> {
        Ok(self.loader()?.file(&self.file)?)
    }

    /// As a server loads it: with the tools it brings compiled.
    fn load_whole(&self) -> anyhow::Result<Policy> {
        let config = Settings::collect(&Flags::default())?.check()?;
        let mut loader = self.loader()?;
        loader.compiler = Some(app::tool_compiler(&config)?);
        Ok(loader.file(&self.file)?)
    }
}

pub(super) fn main(args: &Args) -> anyhow::Result<u8> {
    match &args.command {
        Command::Check(file) => check(file),
        Command::Explain(args) => explain::main(args),
        Command::Test(file) => look::test(file),
        Command::Lint(args) => look::lint(args),
        Command::Diff(args) => compare::diff(args),
        Command::Replay(args) => compare::replay(args),
        Command::Schema => {
            let text = serde_json::to_string_pretty(policy::schema())?;
            say(&format!("{text}\n")).map(|()| 0)
        }
        Command::Fmt(args) => look::format(args),
        Command::Sign(args) => signing::sign(args),
        Command::Verify(args) => signing::verify(args),
    }
}

/// Replaces a file in one step, so that no reload sees half of it. Its mode stays.
#[expect(
    clippy::disallowed_methods,
    reason = "a name that the operator gives, before any guest runs"
)]
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // What a link names is replaced, not the link.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{}~", std::process::id()));
    let fresh = PathBuf::from(fresh);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&fresh)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| match std::fs::metadata(&path) {
            Ok(before) => file.set_permissions(before.permissions()),
            Err(_) => Ok(()),
        })
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&fresh, &path));
    if written.is_err() {
        let _absent = std::fs::remove_file(&fresh);
    }
    written
}

fn check(file: &File) -> anyhow::Result<u8> {
    let policy = file.load_whole()?;
    let examples = policy::run_examples(&policy).len();
    let rules = policy.tools.len()
        + policy.programs.len()
        + policy.mounts.len()
        + policy.variables.len()
        + policy.natives.len()
        + policy.egress.len();
    let denials = policy.denials.len();
    say(&format!(
        "{}: policy `{}` loads: {rules} allowing rules, {denials} deny rules, {examples} examples hold\nsha256 {}\n",
        file.file.display(),
        policy.name,
        policy.digest
    ))?;
    Ok(0)
}
