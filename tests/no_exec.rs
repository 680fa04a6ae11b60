//! Under strace, nothing is executed while the bash suite runs but hotcell's own processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test says what it found, and starts the programs it looks at"
)]

#[path = "differential/case.rs"]
#[allow(dead_code, reason = "the suite that compares uses the rest of it")]
mod case;
mod server;

use std::process::ExitCode;

use serde_json::json;

/// Cases run by default; `HOTCELL_FULL=1` runs all of them.
const SAMPLE_EVERY: usize = 12;

fn main() -> ExitCode {
    if std::process::Command::new("strace")
        .arg("-V")
        .output()
        .is_err()
    {
        println!("SKIPPED: strace is not installed\n0 passed, 0 failed, 1 skipped");
        return ExitCode::SUCCESS;
    }
    match check() {
        Ok(count) => {
            println!("{count} passed, 0 failed");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            println!("FAIL: {reason}\n0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

/// Runs the cases and reads the trace; answers how many ran.
fn check() -> Result<usize, String> {
    let trace = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let full = std::env::var_os("HOTCELL_FULL").is_some();
    let every = if full { 1 } else { SAMPLE_EVERY };
    let server = server::Server::start_traced(trace.path())?;
    let mut ran = 0;
    for case in case::load("bash")?.iter().step_by(every) {
        let body = json!({"tool": "bash", "input": {"command": case.script}, "timeoutMs": 10_000});
        let answer = server.execute(&body)?;
        if answer.status != 200 {
            return Err(format!("{}: {} {}", case.name, answer.status, answer.body));
        }
        ran += 1;
    }
    drop(server);
    let text = std::fs::read_to_string(trace.path()).map_err(|error| error.to_string())?;
    let ours = env!("CARGO_BIN_EXE_hotcell");
    let executed: Vec<_> = text.lines().filter(|line| line.contains("exec")).collect();
    if !executed.iter().any(|line| line.contains("\"cell\"")) {
        return Err(format!(
            "the trace shows no cell, so it proves nothing:\n{text}"
        ));
    }
    match executed.iter().find(|line| !line.contains(ours)) {
        Some(foreign) => Err(format!("something else was executed: {foreign}")),
        None => Ok(ran),
    }
}
