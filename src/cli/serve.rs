//! `hotcell serve`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::{self, App};
use crate::cli::{Common, runtime, say, signals};
use crate::config::{Flags, Settings};
use crate::executor::Executor;
use crate::telemetry;

/// Longest wait for threads that work on files, at the end.
const THREADS_WAIT: Duration = Duration::from_secs(2);
/// Longest wait for guests to be compiled before the server says it is not ready.
/// Chosen, not measured.
const GUESTS_TIME_MAX: Duration = Duration::from_secs(300);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Listen beyond loopback without TLS; tokens then travel unencrypted
    #[arg(long)]
    insecure_listen: bool,
    /// Log filter, such as `info` or `hotcell=debug`
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Prints every key with its value and where that came from, and ends
    #[arg(long)]
    print_config: bool,
}

impl Args {
    fn flags(&self) -> Flags {
        let mut flags = self.common.flags();
        if let Some(listen) = &self.listen {
            flags.values.insert("listen", listen.clone());
        }
        if let Some(log) = &self.log {
            flags.values.insert("log", log.clone());
        }
        if self.insecure_listen {
            flags.values.insert("insecure_listen", "true".to_owned());
        }
        flags
    }
}

pub(super) fn main(args: &Args) -> anyhow::Result<u8> {
    let settings = Settings::collect(&args.flags())?;
    if args.print_config {
        say(&describe(&settings))?;
        return settings.check().map(|_| 0).map_err(Into::into);
    }
    let config = settings.check()?;
    telemetry::start(&config.log, config.log_format).map_err(|reason| anyhow!(reason))?;
    crate::descriptors::reserve(config.calls_max)
        .context("the limit of open files cannot be raised")?;
    let executable = std::env::current_exe().context("this program has no path")?;
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let listener = listen(config.listen).await?;
        let address = listener.local_addr()?;
        let stop = signals::first_of(&[SignalKind::terminate(), SignalKind::interrupt()])?;
        // Before the start is over it must not end us either.
        let hangup = signal(SignalKind::hangup())?;
        tokio::pin!(stop);
        let app = tokio::select! {
            app = App::start(&config, executable) => app?,
            _code = &mut stop => return Ok(()),
        };
        tokio::spawn(reload_when_told(app.executor().clone(), hangup));
        tokio::spawn(say_ready(app.executor().clone(), ready_line(address, &app)));
        app.serve(listener, async { _ = stop.await }).await
    });
    // A thread that waits for a disk must not hold up the end.
    runtime.shutdown_timeout(THREADS_WAIT);
    served.map(|()| 0)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            anyhow!(
                "{address} is in use: choose another with --listen, such as --listen 127.0.0.1:0"
            )
        } else {
            anyhow!(error).context(format!("cannot listen on {address}"))
        }
    })
}

/// Loads the policy files again at every SIGHUP.
async fn reload_when_told(executor: Arc<Executor>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        let executor = executor.clone();
        let reloaded = tokio::task::spawn_blocking(move || App::reload_policies(&executor));
        // One that panicked changed nothing.
        let _panicked = reloaded.await;
    }
}

async fn say_ready(executor: Arc<Executor>, line: String) {
    if app::guests_ready(&executor.cells, GUESTS_TIME_MAX).await {
        // Nothing can be said where standard error is closed.
        let _closed = writeln!(std::io::stderr(), "{line}");
    } else {
        tracing::error!(limit = ?GUESTS_TIME_MAX, "the guests are not compiled: calls are refused");
    }
}

fn ready_line(address: SocketAddr, app: &App) -> String {
    let token = match app.token_file() {
        Some(path) => format!("$(cat {})", quoted(&path.to_string_lossy())),
        None => "TOKEN".to_owned(),
    };
    let body = r#"{"tool":"bash","input":{"command":"echo hello"}}"#;
    let confinement = &app.executor().confinement;
    format!(
        "hotcell ready on http://{address}, confinement: {confinement}; try: \
         curl -s -H \"Authorization: Bearer {token}\" -d '{body}' http://{address}/execute"
    )
}

/// A word as a shell reads it back, inside double quotes and a command substitution.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn describe(settings: &Settings) -> String {
    let mut text = format!("state = {:?}\n", settings.state());
    for setting in settings.iter() {
        let value = setting
            .value
            .as_ref()
            .map_or("(none)".to_owned(), |value| format!("{value:?}"));
        let (key, origin, meaning) = (setting.key, &setting.origin, setting.meaning);
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "{key} = {value}    # {origin}; {meaning}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn odd_paths_are_quoted_for_the_shell() {
        assert_eq!(quoted("/home/ann/.local/token"), "/home/ann/.local/token");
        assert_eq!(quoted("/a b/$x"), "'/a b/$x'");
        assert_eq!(quoted("/it's"), r"'/it'\''s'");
    }
}
