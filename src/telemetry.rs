//! Logs on standard error. Secrets and tool input never enter a log line.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging with a filter such as `info` or `hotcell=debug`.
///
/// # Errors
/// The filter's own text when it does not parse.
pub fn start(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|e| format!("log filter `{filter}`: {e}"))?;
    // A second start in one process (tests) keeps the first subscriber.
    let _already = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
    Ok(())
}
