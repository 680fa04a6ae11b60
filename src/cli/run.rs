//! `hotcell run TOOL [ARG]`: one call without a server, over the same pipeline.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::app;
use crate::audit::{Audit, Keeping};
use crate::cell::CellOptions;
use crate::cli::{Common, FAILED_RUN, USAGE, complain, runtime, signals};
use crate::config::{ConfigError, Settings, State, home_folder};
use crate::executor::{Answer, Chunk, ExecuteError, Stream, Streams, TOOLS};
use crate::http::RequestIds;
use crate::policy::PolicyError;
use crate::request::ToolRequest;
use crate::session::Sessions;
use crate::telemetry;
use crate::workspace;

/// Room reserved on the disk to record the end of one call. Its longest record has 1 MiB.
const RESERVE_BYTES: u64 = 4 << 20;
/// Exit code when the reader of our output is gone, as of a process ended by SIGPIPE.
const BROKEN_PIPE: u8 = 141;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// Folder that the call sees as /workspace; without it the current one
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Prints the answer that HTTP would give
    #[arg(long)]
    json: bool,
    /// The tool's input as a JSON object
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// bash, read, write, edit, glob, grep, native, read_file, write_file, or one that the policy brings
    tool: String,
    /// bash: the command, in quotes; read, glob, grep: the file or pattern
    #[arg(value_name = "ARG", allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Ends with the call's exit code, or one of ours.
pub(super) fn main(args: Args) -> u8 {
    match prepare(args).and_then(|prepared| runtime()?.block_on(prepared.run())) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            let usage =
                error.is::<Usage>() || error.is::<ConfigError>() || error.is::<PolicyError>();
            if usage { USAGE } else { FAILED_RUN }
        }
    }
}

/// A wrong command line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

struct Prepared {
    config: crate::config::Config,
    workspace: PathBuf,
    tool: String,
    input: Value,
    json: bool,
}

fn prepare(args: Args) -> anyhow::Result<Prepared> {
    let input = input(&args)?;
    let config = Settings::collect(&args.common.flags())?.check()?;
    let filter = if config.log == "info" {
        "warn"
    } else {
        &config.log
    };
    telemetry::start(filter, config.log_format).map_err(|reason| anyhow!(reason))?;
    let workspace = workspace_folder(args.workspace.as_deref())?;
    Ok(Prepared {
        config,
        workspace,
        tool: args.tool,
        input,
        json: args.json,
    })
}

fn input(args: &Args) -> Result<Value, Usage> {
    let json = |text: &str| {
        serde_json::from_str(text).map_err(|e| Usage(format!("--input is not JSON: {e}")))
    };
    let known = TOOLS.iter().find(|tool| tool.name == args.tool);
    let Some(tool) = known else {
        if let (Some(text), true) = (&args.input, args.words.is_empty()) {
            return json(text); // perhaps a tool of the policy's; the pipeline knows
        }
        let names: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
        return Err(Usage(format!(
            "Unknown tool: {}; there are {}; one that the policy brings takes --input JSON",
            args.tool,
            names.join(", ")
        )));
    };
    if let Some(text) = &args.input {
        if !args.words.is_empty() {
            return Err(Usage(
                "give either --input or an argument, not both".to_owned(),
            ));
        }
        return json(text);
    }
    let required: Vec<_> = tool.fields.iter().filter(|field| field.required).collect();
    let field = match (tool.name, &*required) {
        ("bash", _) => "command",
        (_, [only]) => only.name,
        _ => return Err(Usage(format!("{} needs --input JSON", tool.name))),
    };
    match &*args.words {
        [word] => Ok(Value::Object(Map::from_iter([(
            field.to_owned(),
            word.clone().into(),
        )]))),
        [] => Err(Usage(format!(
            "{} needs its {field} as an argument",
            tool.name
        ))),
        words => Err(Usage(format!(
            "{} takes one argument: put it in quotes, as: hotcell run {} '{}'",
            tool.name,
            tool.name,
            words.join(" ")
        ))),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a name that the operator gives, before any guest runs"
)]
fn workspace_folder(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    match named {
        Some(folder) => {
            // A cell opens no path with a link in it.
            let path = std::fs::canonicalize(folder)
                .with_context(|| format!("cannot use the workspace `{}`", folder.display()))?;
            let about = std::fs::metadata(&path)?;
            if !about.is_dir() {
                bail!("the workspace `{}` is not a folder", folder.display());
            }
            Ok(path)
        }
        None => {
            let folder = std::env::current_dir().context("the current folder is gone")?;
            workspace::current_folder_allowed(&folder, home_folder().as_deref())?;
            Ok(folder)
        }
    }
}

impl Prepared {
    async fn run(self) -> anyhow::Result<u8> {
        let ends = signals::ends()?;
        tokio::pin!(ends);
        let state = State::open(&self.config.state)?;
        let id = RequestIds::new()?.next();
        let tmp = PassingFolder::make(state.path().join("run").join(&id.0).join("tmp"))?;
        let sessions = Sessions::passing(self.workspace, tmp.path.clone());
        let executable = std::env::current_exe().context("this program has no path")?;
        let records = self.config.state.join("audit");
        let keeping = Keeping {
            reserve_bytes: RESERVE_BYTES,
            // For a handful of records it costs more than it spares.
            blank_bytes: 0,
            ..app::keeping(&self.config)
        };
        let audit = Audit::open_free(&records, "run", &keeping)?;
        let cells = CellOptions {
            calls_max: 1,
            spares: 0,
            inherits_stdin: !std::io::stdin().is_terminal(),
            ..app::cells(&self.config, executable)
        };
        let executor = tokio::select! {
            made = app::executor(&self.config, cells, audit, sessions) => made?,
            code = &mut ends => return Ok(code),
        };
        let request = ToolRequest {
            id,
            agent: "local".to_owned(),
            tool: self.tool,
            input: self.input,
            working_dir: None,
            session: None,
            timeout_ms: None,
            idempotency_sha256: None,
        };
        let (output, chunks) = mpsc::unbounded_channel();
        let streams = Streams {
            output: (!self.json).then_some(output),
            stdin_inherited: !std::io::stdin().is_terminal(),
            door: "cli",
        };
        let code = tokio::select! {
            code = show(executor.execute(request, streams), chunks, self.json) => code,
            code = ends => Ok(code),
        };
        // A call that was dropped is cancelled and recorded in a task of its own.
        executor.admission.idle().await;
        executor.cells.stop().await;
        executor.audit.close().await?;
        code
    }
}

async fn show(
    call: impl Future<Output = Result<Answer, ExecuteError>>,
    mut chunks: mpsc::UnboundedReceiver<Chunk>,
    as_json: bool,
) -> anyhow::Result<u8> {
    tokio::pin!(call);
    let answer = loop {
        tokio::select! {
            biased;
            Some(chunk) = chunks.recv() => if write(&chunk).is_err() { return Ok(BROKEN_PIPE) },
            answer = &mut call => break answer?,
        }
    };
    while let Some(chunk) = chunks.recv().await {
        if write(&chunk).is_err() {
            return Ok(BROKEN_PIPE);
        }
    }
    let mut stderr = std::io::stderr();
    if as_json {
        let mut text = answer.to_json();
        text.push(b'\n');
        std::io::stdout().write_all(&text)?;
    } else if let Some(limit) = answer.outcome.stopped_by {
        writeln!(stderr, "hotcell: stopped by the limit `{limit:?}`")?;
    }
    Ok(answer.outcome.exit_code)
}

fn write(Chunk { stream, bytes, .. }: &Chunk) -> std::io::Result<()> {
    match stream {
        Stream::Stdout => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(bytes)?;
            stdout.flush()
        }
        Stream::Stderr => std::io::stderr().write_all(bytes),
    }
}

/// The call's `/tmp`, gone with it.
struct PassingFolder {
    path: PathBuf,
}

impl PassingFolder {
    fn make(path: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make the folder `{}`", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for PassingFolder {
    fn drop(&mut self) {
        if let Some(folder) = self.path.parent()
            && let Err(error) = std::fs::remove_dir_all(folder)
        {
            tracing::warn!(%error, "the call's /tmp stays behind");
        }
    }
}
