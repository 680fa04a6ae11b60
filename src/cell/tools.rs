//! The broker's side of the operator's own tools: each file is looked into and compiled by a sealed
//! process, mapped once by another to see that it can be, and kept in memory that nobody can change.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
    sync::{Arc, OnceLock, mpsc},
    thread,
};

use tokio::sync::{mpsc as queue, watch};

use super::{
    artefact::{Artefacts, memory_file, seal},
    cache::{ARTEFACT_BYTES_MAX, Key, Unfit},
    error::{PoolError, StartError},
    pool::CellOptions,
    starter::{Starter, StarterOptions},
};
use crate::policy::{Compiler, Found, ToolCode, ToolKind, quoted};

/// Interfaces of WASI 0.2 that components may ask for, whatever is behind them: no network, no
/// other processes.
const INTERFACES: [&str; 5] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
];
/// The version they must have, to the second number.
const WASI_VERSION: &str = "@0.2.";
/// All that a module may ask for.
const PREVIEW_1: &str = "wasi_snapshot_preview1::";
/// Longest reason of a file that is no tool, in bytes.
const REASON_BYTES_MAX: usize = 1_000;
/// Most missing things that are named.
const NAMED_MAX: usize = 10;

/// Compiles tools in confined children, on a thread that ends with it. Who asks waits.
#[derive(Debug)]
pub struct ToolCompiler {
    /// One for each caller that waits.
    jobs: queue::UnboundedSender<Job>,
    stop: watch::Sender<bool>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Job {
    kind: ToolKind,
    bytes: Vec<u8>,
    sha256: String,
    answer: mpsc::Sender<Result<ToolCode, String>>,
}

impl ToolCompiler {
    /// For a broker with cells, whose walls are known.
    ///
    /// # Errors
    /// The process may have no more threads.
    pub(super) fn new(starter: Arc<Starter>) -> io::Result<Arc<Self>> {
        let (jobs, queue) = queue::unbounded_channel();
        let stop = watch::channel(false).0;
        let stopped = stop.subscribe();
        let thread = thread::Builder::new()
            .name("tools".to_owned())
            .spawn(move || serve(&starter, queue, stopped))?;
        Ok(Arc::new(Self {
            jobs,
            stop,
            thread: Some(thread),
        }))
    }

    /// Ends what is being compiled; nothing more is.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// For a command that starts no cells: finds out which walls there are.
    ///
    /// # Errors
    /// The walls are less than asked for, or the cache cannot be used.
    async fn alone(options: CellOptions) -> Result<Arc<Self>, PoolError> {
        let artefacts = Artefacts::open(&options.cache).map_err(PoolError::Artefacts)?;
        let starter = Starter::new(StarterOptions {
            executable: options.executable,
            artefacts: Arc::new(artefacts),
            calls_max: options.calls_max,
            inherits_stdin: false,
            walls: options.walls,
        });
        Ok(Self::new(Arc::new(starter.await?)).map_err(StartError::Process)?)
    }
}

impl Drop for ToolCompiler {
    /// What the thread has of the starter goes with it, or a process that ends would leave its
    /// cgroups behind.
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// A compiler that finds out which walls there are when the first tool is met: most policies have none.
#[derive(Debug)]
pub struct LateCompiler {
    options: CellOptions,
    started: OnceLock<Result<Arc<ToolCompiler>, String>>,
}

impl LateCompiler {
    pub fn new(options: CellOptions) -> Arc<Self> {
        Arc::new(Self {
            options,
            started: OnceLock::new(),
        })
    }

    fn start(&self) -> Result<Arc<ToolCompiler>, String> {
        // Whoever asks may be polled by a runtime already.
        let start = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?;
            let alone = ToolCompiler::alone(self.options.clone());
            runtime
                .block_on(alone)
                .map_err(|error| format!("could not be compiled: {:#}", anyhow::Error::from(error)))
        };
        let joined = thread::scope(|scope| scope.spawn(start).join());
        joined.unwrap_or_else(|_| Err("could not be compiled".to_owned()))
    }
}

impl Compiler for LateCompiler {
    fn compile(&self, kind: ToolKind, bytes: &[u8], sha256: &str) -> Result<ToolCode, String> {
        let compiler = self.started.get_or_init(|| self.start());
        compiler.clone()?.compile(kind, bytes, sha256)
    }
}

impl Compiler for ToolCompiler {
    fn compile(&self, kind: ToolKind, bytes: &[u8], sha256: &str) -> Result<ToolCode, String> {
        let (answer, made) = mpsc::channel();
        let job = Job {
            kind,
            bytes: bytes.to_vec(),
            sha256: sha256.to_owned(),
            answer,
        };
        let lost = || "could not be compiled: the thread that does so is gone".to_owned();
        self.jobs.send(job).map_err(|_| lost())?;
        made.recv().map_err(|_| lost())?
    }
}

/// Compiles one after the other until it is told to stop.
fn serve(
    starter: &Starter,
    mut queue: queue::UnboundedReceiver<Job>,
    mut stopped: watch::Receiver<bool>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no tool can be compiled");
            return;
        }
    };
    runtime.block_on(async {
        let each = async {
            while let Some(job) = queue.recv().await {
                let made = compile(starter, &job).await;
                // Whoever asked may have gone away.
                let _gone = job.answer.send(made);
            }
        };
        tokio::select! {
            () = each => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
        // Whoever asked meanwhile must not wait for an answer.
        queue.close();
        while queue.recv().await.is_some() {}
    });
}

async fn compile(starter: &Starter, job: &Job) -> Result<ToolCode, String> {
    let cache = starter.artefacts.cache();
    let engine = engine_of(job.kind, cache.engine).map_err(|error| format!("{error:#}"))?;
    let key = |name: &'static str| Key {
        name,
        sha256: &job.sha256,
        engine: &engine,
    };
    let (code_key, found_key) = (key(code_name(job.kind)), key("tool-found"));
    let code = |artefact: File, found: Found| ToolCode {
        kind: job.kind,
        sha256: job.sha256.clone(),
        artefact,
        found,
    };
    match cached(cache, &code_key, &found_key) {
        Ok((artefact, found)) => {
            ask_for_nothing_else(job.kind, &found)?;
            return Ok(code(artefact, found));
        }
        Err(Unfit::Absent) => {}
        Err(reason) => tracing::warn!(%reason, "a cached tool is compiled again"),
    }
    let told = |error: io::Error| format!("could not be compiled: {error}");
    let wasm = memory_file("tool").map_err(told)?;
    (&wasm).write_all(&job.bytes).map_err(told)?;
    seal(&wasm).map_err(told)?;
    let artefact = memory_file("tool").map_err(told)?;
    let found = starter.compiled(job.kind, &wasm, &artefact).await;
    let found = found.map_err(|error| told_of(&error, "could not be compiled"))?;
    ask_for_nothing_else(job.kind, &found)?;
    seal(&artefact).map_err(told)?;
    let length = artefact.metadata().map_err(told)?.len();
    if !(1..=ARTEFACT_BYTES_MAX).contains(&length) {
        return Err(format!(
            "is {length} bytes of code; at most {ARTEFACT_BYTES_MAX} are taken"
        ));
    }
    let made = code(artefact, found);
    // Once, to see that it can be mapped with all that it asks for.
    let mapped = starter.start_tool(&made).await;
    mapped.map_err(|error| told_of(&error, "cannot be mapped"))?;
    if let Err(error) = store(cache, (&code_key, &found_key), &made) {
        tracing::warn!(%error, "a compiled tool cannot be cached");
    }
    Ok(made)
}

/// Why a process did not do with a tool what it was started for.
fn told_of(error: &StartError, what: &str) -> String {
    match error {
        // A process that read a hostile file says so, and may repeat what stands there.
        StartError::Unsealed(reason) => {
            let kept = reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX));
            kept.unwrap_or_default().escape_debug().to_string()
        }
        StartError::Lost(_) => format!("{what} within the limits of memory, time and size"),
        StartError::Process(_)
        | StartError::Launch(_)
        | StartError::Group(_)
        | StartError::Folder { .. } => format!("{what}: {error}"),
    }
}

fn code_name(kind: ToolKind) -> &'static str {
    match kind {
        ToolKind::Module => "tool-module",
        ToolKind::Component => "tool-component",
    }
}

#[cfg(feature = "components")]
fn engine_of(kind: ToolKind, modules: [u8; 32]) -> wasmtime::Result<[u8; 32]> {
    match kind {
        ToolKind::Module => Ok(modules),
        ToolKind::Component => Ok(super::engine::identity(&super::component::compiler()?)),
    }
}

#[cfg(not(feature = "components"))]
fn engine_of(kind: ToolKind, modules: [u8; 32]) -> wasmtime::Result<[u8; 32]> {
    match kind {
        ToolKind::Module => Ok(modules),
        ToolKind::Component => Err(wasmtime::Error::msg(super::tool_file::NO_COMPONENTS)),
    }
}

fn cached(
    cache: &super::cache::Cache,
    code: &Key<'_>,
    found: &Key<'_>,
) -> Result<(File, Found), Unfit> {
    let artefact = memory_file("tool")?;
    cache.read(code, &artefact)?;
    seal(&artefact)?;
    let mut words = memory_file("tool")?;
    cache.read(found, &words)?;
    words.rewind()?;
    let mut bytes = Vec::new();
    words.read_to_end(&mut bytes)?;
    let mut found: Found = postcard::from_bytes(&bytes).map_err(|_| Unfit::Format)?;
    found.compile_us = 0;
    Ok((artefact, found))
}

fn store(
    cache: &super::cache::Cache,
    (code, found): (&Key<'_>, &Key<'_>),
    made: &ToolCode,
) -> io::Result<()> {
    let words = memory_file("tool")?;
    let bytes = postcard::to_stdvec(&made.found).map_err(io::Error::other)?;
    (&words).write_all(&bytes)?;
    cache.write(code, &made.artefact)?;
    cache.write(found, &words)
}

/// Whether all that a file asks for is among what tools are given.
fn ask_for_nothing_else(kind: ToolKind, found: &Found) -> Result<(), String> {
    let given = |name: &&String| match kind {
        ToolKind::Module => !name.starts_with(PREVIEW_1),
        ToolKind::Component => {
            let known = INTERFACES.iter().any(|prefix| name.starts_with(prefix));
            !known || !name.contains(WASI_VERSION)
        }
    };
    let missing: Vec<_> = found.imports.iter().filter(given).take(NAMED_MAX).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.into_iter().map(|name| quoted(name)).collect();
    let instead = match kind {
        ToolKind::Module => "a module gets the functions of wasi_snapshot_preview1",
        ToolKind::Component => {
            "a component gets wasi:cli, clocks, filesystem, io and random of WASI 0.2, and no network"
        }
    };
    Err(format!(
        "imports {}, which is not granted: {instead}",
        names.join(", ")
    ))
}

/// What a file is and needs, for the command that says so.
///
/// # Errors
/// It cannot be read, or is no tool.
pub fn check_file(compiler: &dyn Compiler, path: &Path) -> Result<(ToolCode, u64), String> {
    let (bytes, sha256) = crate::policy::read_tool(path)?;
    let kind = super::tool_file::kind(&bytes).map_err(|error| error.to_string())?;
    let size = bytes.len() as u64;
    Ok((compiler.compile(kind, &bytes, &sha256)?, size))
}
