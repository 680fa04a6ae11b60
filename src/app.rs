//! Builds every room once and owns the server's life: start, serve, drain, stop.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::audit::{Audit, Keeping};
use crate::cell::{CellOptions, CellPool, LateCompiler, Walls, program_names};
use crate::config::{Cells, Config, State, Tokens};
use crate::executor::{Admission, Executor, TOOLS};
use crate::http::{self, Connections, Door};
use crate::native::NativeLane;
use crate::policy::{Loader, Policies, Policy, PolicyError, Sources, Vocabulary, sign};
use crate::session::Sessions;
use crate::telemetry::{Spans, Telemetry};

/// Name of the server's record.
const RECORD: &str = "serve";
/// Processes that wait to become cells, while serving. Chosen: two new sessions at once find one.
const SPARES: usize = 2;
/// How often the token file is looked at.
const TOKENS_EVERY: Duration = Duration::from_secs(1);
/// How often idle sessions are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Time that cancelled calls and their connections get to end. Chosen, not measured.
const CANCEL_TIME_MAX: Duration = Duration::from_secs(2);
/// How often readiness is asked for while guests are compiled.
const READY_EVERY: Duration = Duration::from_millis(5);

/// One server over one state folder.
#[derive(Debug)]
pub struct App {
    executor: Arc<Executor>,
    tokens: Arc<Tokens>,
    config: Config,
    router: Router,
    connections: Arc<Connections>,
    _lock: File,
}

impl App {
    /// Starts everything but the listener. `executable` is this program, for cells.
    ///
    /// # Errors
    /// When a room cannot start; the error's chain says which and why.
    pub async fn start(config: &Config, executable: PathBuf) -> anyhow::Result<Self> {
        let state = State::open(&config.state)?;
        let lock = state.lock_soon()?;
        let tokens = Arc::new(Tokens::open(state.path())?);
        tokens.first_start()?;
        let records = config.state.join("audit");
        let begun = Audit::begun_keys(&records, RECORD, http::KEYS_KEPT, http::KEYS_MAX)
            .context("the record of the previous server cannot be read")?;
        let begun = begun.into_iter().map(|key| (key.agent, key.key_sha256));
        let sessions = Sessions::open(state.path(), config.sessions_max)?;
        let audit = Audit::open(&records, RECORD, &keeping(config))?;
        let executor = executor(config, cells(config, executable), audit, sessions).await?;
        let walls = executor.cells.walls();
        for missing in &walls.missing {
            let level = walls.level().name();
            tracing::warn!(%missing, level, "cells are confined at less than full");
        }
        let attacked = executor.cells.attack().await?;
        for open in &attacked.open {
            tracing::debug!(open, "not stopped at this level of confinement");
        }
        let (own, on) = (sources(config, tokens.policies()), Arc::clone(&executor));
        tokio::task::spawn_blocking(move || on.policies.keep_to(own)).await??;
        let connections = Arc::new(Connections::new(config.connections_max));
        let door = Door::new(
            executor.clone(),
            tokens.clone(),
            config.body_bytes_max,
            connections.clone(),
            begun,
        )?;
        let router = http::router(Arc::new(door));
        Ok(Self {
            executor,
            tokens,
            config: config.clone(),
            router,
            connections,
            _lock: lock,
        })
    }

    /// Loads every policy file again; when one does not load, all stay as they are. Calls that
    /// run keep the policy they began with.
    pub fn reload_policies(executor: &Executor) {
        match executor.policies.reload() {
            Ok(generation) => {
                executor.natives.policies_loaded();
                pin_programs(&executor.natives, &executor.policies);
                tracing::info!(generation, "policies loaded again");
            }
            Err(error) => {
                tracing::error!(%error, "policies not loaded again; those before stay in force");
            }
        }
    }

    /// The routes of the server.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// The pipeline behind every door.
    pub fn executor(&self) -> &Arc<Executor> {
        &self.executor
    }

    /// The file that holds the first token's secret, when it is still there.
    pub fn token_file(&self) -> Option<PathBuf> {
        let path = self.tokens.secret_path("default");
        path.exists().then_some(path)
    }

    /// Serves until `stop` resolves, then lets running calls finish within the drain limit,
    /// cancels the rest, and ends.
    ///
    /// # Errors
    /// When the record's last lines could not be written.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let (drain, draining) = watch::channel(false);
        let housekeeping = tokio::spawn(housekeeping(
            self.executor.clone(),
            self.tokens.clone(),
            self.config.clone(),
        ));
        let doors = http::serve(listener, self.router.clone(), &self.connections, draining);
        tokio::select! {
            () = doors => {}
            () = stop => {}
        }
        tracing::info!(limit = ?self.config.drain, "stopping: running calls may finish");
        drain.send_replace(true);
        let finished = async {
            self.connections.ended().await;
            self.executor.admission.idle().await;
        };
        if timeout(self.config.drain, finished).await.is_err() {
            tracing::warn!("cancelling the calls that still run");
            self.executor.stopping.send_replace(true);
            let ended = async {
                self.executor.admission.idle().await;
                self.connections.ended().await;
            };
            if timeout(CANCEL_TIME_MAX, ended).await.is_err() {
                tracing::warn!("connections were still open at the end");
            }
        }
        housekeeping.abort();
        self.executor.cells.stop().await;
        // Calls that the cells' end ended still have their outcomes to record.
        if timeout(CANCEL_TIME_MAX, self.executor.admission.idle())
            .await
            .is_err()
        {
            tracing::warn!("calls were still being recorded at the end");
        }
        self.executor
            .audit
            .close()
            .await
            .context("the record's last lines are lost")
    }
}

/// How much of a record the configuration keeps.
pub fn keeping(config: &Config) -> Keeping {
    Keeping {
        segment_bytes: config.record_file_bytes,
        segments_max: config.record_files_max,
        age_max: config.record_age,
        reserve_bytes: config.record_reserve,
        ..Keeping::default()
    }
}

/// How a server of this configuration starts its cells.
pub fn cells(config: &Config, executable: PathBuf) -> CellOptions {
    CellOptions {
        executable,
        cache: config.cache.clone(),
        calls_max: config.calls_max,
        spares: SPARES,
        inherits_stdin: false,
        walls: Walls {
            least: config.confinement,
            user: (config.cell_user, config.cell_user),
            memory_bytes: config.cell_memory,
        },
    }
}

/// Builds the pipeline over given sessions and record.
///
/// # Errors
/// When the policy does not load or no cell starts.
pub async fn executor(
    config: &Config,
    cells: CellOptions,
    audit: Audit,
    sessions: Sessions,
) -> anyhow::Result<Arc<Executor>> {
    let calls_max = cells.calls_max;
    let keeps_one = cells.spares > 0;
    let mut loader = signed_loader(config.policy_keys.as_deref())?;
    let cells = CellPool::start(cells).await.context("no cell started")?;
    loader.compiler = Some(cells.tools());
    let sources = sources(config, BTreeMap::new());
    // It waits for processes that compile tools.
    let loaded = tokio::task::spawn_blocking(move || Policies::load(sources, loader));
    let policies = loaded.await??;
    let natives = NativeLane::new(cells.means()?, keeps_one);
    pin_programs(&natives, &policies);
    let confinement = cells.walls().to_string();
    let admission = Admission::new(calls_max, config.calls_waiting_max);
    let spans = config.otlp_endpoint.as_deref().map(Spans::start);
    let telemetry = Telemetry {
        spans: spans.transpose().map_err(anyhow::Error::msg)?,
        ..Telemetry::default()
    };
    let stopping = watch::Sender::new(false);
    Ok(Arc::new(Executor {
        policies,
        sessions,
        audit,
        cells,
        natives,
        admission,
        telemetry,
        confinement,
        cells_shared: config.cells == Cells::PerToken,
        stopping,
    }))
}

/// Has the native programs of the default policy be those that are there now. Those of a token's own
/// policy are pinned when they are first started.
fn pin_programs(natives: &NativeLane, policies: &Policies) {
    for layer in policies.of("").layers() {
        natives.pin(layer.natives.iter().map(|rule| &rule.start.program));
    }
}

/// Where the configuration and the list of tokens say that policies are.
fn sources(config: &Config, by_agent: BTreeMap<String, PathBuf>) -> Sources {
    Sources {
        default: config.policy.clone(),
        by_agent,
    }
}

/// How policies are loaded: a rule for a tool or program that does not exist does not load, for
/// it would allow or deny nothing.
///
/// # Errors
/// The shipped guests cannot be read.
pub fn loader() -> anyhow::Result<Loader> {
    let tools = TOOLS.iter().map(|tool| tool.name.to_owned());
    let vocabulary = Vocabulary {
        tools: tools.collect(),
        programs: program_names()?,
    };
    Ok(Loader {
        vocabulary: Some(Arc::new(vocabulary)),
        ..Loader::default()
    })
}

/// As [`loader`]; files must be signed by one of the keys in `keys`, when it is given.
///
/// # Errors
/// As [`loader`], or the keys cannot be read.
pub fn signed_loader(keys: Option<&Path>) -> anyhow::Result<Loader> {
    let mut loader = loader()?;
    if let Some(path) = keys {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the keys `{}`", path.display()))?;
        let keys = sign::read_public(&text)
            .map_err(|fault| anyhow::anyhow!("`{}`: {fault}", path.display()))?;
        loader.trust = sign::Trust {
            keys,
            required: true,
        };
    }
    Ok(loader)
}

/// What compiles tools of the operator's own where no cells are started.
///
/// # Errors
/// This program has no path.
pub fn tool_compiler(config: &Config) -> anyhow::Result<Arc<LateCompiler>> {
    let executable = std::env::current_exe().context("this program has no path")?;
    Ok(LateCompiler::new(cells(config, executable)))
}

/// Loads the policy file of the configuration, or the embedded default.
///
/// # Errors
/// When it does not load.
pub fn load_policy(config: &Config) -> anyhow::Result<Policy> {
    let mut loader = signed_loader(config.policy_keys.as_deref())?;
    loader.compiler = Some(tool_compiler(config)?);
    let loaded: Result<Policy, PolicyError> = match &config.policy {
        None => crate::policy::load_default(),
        Some(path) => loader.file(path),
    };
    Ok(loaded?)
}

/// Waits until guests are compiled and loaded; answers whether that was within `time_max`.
pub async fn guests_ready(cells: &CellPool, time_max: Duration) -> bool {
    let ready = async {
        while !cells.ready() {
            sleep(READY_EVERY).await;
        }
    };
    timeout(time_max, ready).await.is_ok()
}

/// Puts a changed list of tokens in force, after the policies it names: no token counts before its
/// policy does.
fn take_tokens(executor: &Executor, tokens: &Tokens, config: &Config) {
    let fresh = match tokens.changed() {
        Ok(Some(fresh)) => fresh,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(%error, "tokens not read again; those known so far stay in force");
            return;
        }
    };
    let own = sources(config, fresh.policies().clone());
    match executor.policies.keep_to(own) {
        Ok(true) => tracing::info!("policies of tokens loaded again"),
        Ok(false) => {}
        // Its agent may do nothing until it loads.
        Err(error) => tracing::error!(%error, "a token's policy does not load"),
    }
    tokens.publish(fresh);
}

async fn housekeeping(executor: Arc<Executor>, tokens: Arc<Tokens>, config: Config) {
    let idle = config.session_idle;
    let mut next_sweep = tokio::time::Instant::now() + SWEEP_EVERY;
    loop {
        sleep(TOKENS_EVERY).await;
        let (on, list, settings) = (executor.clone(), tokens.clone(), config.clone());
        let looked = tokio::task::spawn_blocking(move || take_tokens(&on, &list, &settings));
        // One that panicked changed nothing.
        let _panicked = looked.await;
        if tokio::time::Instant::now() < next_sweep {
            continue;
        }
        next_sweep += SWEEP_EVERY;
        let executor = executor.clone();
        let sweep = move || executor.sessions.sweep(idle, SystemTime::now());
        match tokio::task::spawn_blocking(sweep).await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(count)) => tracing::info!(count, "idle sessions deleted"),
            Ok(Err(error)) => tracing::error!(%error, "idle sessions not looked for"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_a_tool_that_does_not_exist_does_not_load() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        let load = |denied: &str| {
            let head = "version = 1\nname = \"n\"\ndescription = \"d\"\n";
            let rule = format!("[[deny]]\ntools = [\"{denied}\"]\nreason = \"r\"\n");
            std::fs::write(&file, format!("{head}{rule}")).unwrap();
            loader().and_then(|loader| Ok(loader.file(&file)?))
        };
        assert!(load("bash").is_ok());
        let error = format!("{:#}", load("bsh").unwrap_err());
        assert!(
            error.contains("line 5") && error.contains("`bsh`") && error.contains("write `bash`"),
            "{error}"
        );
    }
}
