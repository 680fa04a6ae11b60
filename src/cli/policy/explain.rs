//! `hotcell policy explain`: a decision with everything that led to it.

use std::time::SystemTime;

use crate::cli::say;
use crate::policy::{EgressCall, NativeCall, Request, Target, ToolCall, explain};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: super::File,
    /// A call of a tool
    #[arg(long, value_name = "NAME", group = "what")]
    tool: Option<String>,
    /// With --tool: a variable the call brings
    #[arg(long, value_name = "NAME=VALUE", requires = "tool")]
    env: Vec<String>,
    /// A guest program that a process starts
    #[arg(long, value_name = "NAME", group = "what")]
    program: Option<String>,
    /// A file that guests read
    #[arg(long, value_name = "PATH", group = "what")]
    read: Option<String>,
    /// A file that guests write
    #[arg(long, value_name = "PATH", group = "what")]
    write: Option<String>,
    /// A request, as 'GET https://example.org/'
    #[arg(long, value_name = "METHOD URL", group = "what")]
    request: Option<String>,
    /// The token's name
    #[arg(long, default_value = "default")]
    agent: String,
    /// Guest folder of a native program
    #[arg(long, default_value = "/workspace")]
    cwd: String,
    /// A native program with its arguments
    #[arg(last = true, value_name = "ARGV", group = "what")]
    words: Vec<String>,
}

/// A wrong command line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in crate::cli) struct Usage(String);

pub(super) fn main(args: &Args) -> anyhow::Result<u8> {
    let policy = args.file.load()?;
    let target;
    let agent = &*args.agent;
    let request = if let Some(tool) = &args.tool {
        let variables = args.env.iter().map(|pair| {
            let split = pair.split_once('=');
            split.ok_or_else(|| Usage(format!("--env takes NAME=VALUE, not `{pair}`")))
        });
        Request::Tool(ToolCall {
            agent,
            tool,
            variables: variables.collect::<Result<_, _>>()?,
            timeout_ms: None,
        })
    } else if let Some(name) = &args.program {
        Request::Program { agent, name }
    } else if let Some(path) = &args.read {
        Request::File { path, write: false }
    } else if let Some(path) = &args.write {
        Request::File { path, write: true }
    } else if let Some(request) = &args.request {
        let (method, url) = request.split_once(' ').unwrap_or(("GET", request));
        target = match Target::read(url) {
            Ok(target) => target,
            Err(fault) => {
                say(&format!("denied: {fault}\n"))?;
                return Ok(super::NO);
            }
        };
        Request::Egress(EgressCall {
            agent,
            method,
            target: &target,
        })
    } else if let Some((program, arguments)) = args.words.split_first() {
        Request::Native(NativeCall {
            agent,
            program,
            arguments,
            cwd: &args.cwd,
        })
    } else {
        let forms = "say what: --tool NAME, --program NAME, --read PATH, --write PATH, \
                     --request 'METHOD URL', or -- PROGRAM ARG…";
        return Err(Usage(forms.to_owned()).into());
    };
    let explanation = explain(&policy, &request, SystemTime::now());
    say(&(explanation.lines.join("\n") + "\n"))?;
    Ok(if explanation.allowed { 0 } else { super::NO })
}
