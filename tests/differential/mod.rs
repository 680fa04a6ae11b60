//! Runs each case of a suite with the system's bash and with Hotcell, and compares standard
//! output and exit status byte for byte. Standard error is shown, not compared.
//!
//! `HOTCELL_CASE=text` (or an argument) keeps the cases whose name contains it.
//! `HOTCELL_ORACLE=only` runs every case twice natively and reports those that are not
//! deterministic; `HOTCELL_ORACLE=show` also prints what bash answered. Neither needs a server.

mod case;
mod known;
mod native;
mod report;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::server::Server;
use case::Case;
use report::Verdict;

/// Calls in flight at once. Chosen, not measured.
const WORKERS: usize = 4;

/// What a run of one case left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub stdout: Vec<u8>,
    pub status: i64,
    /// For the reader of a failure only.
    pub stderr: String,
}

/// Runs the suite in `tests/NAME` and prints its count.
pub fn run(suite: &str) -> ExitCode {
    match run_suite(suite) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("{suite}: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run_suite(suite: &str) -> Result<bool, String> {
    // The guests' umask; the oracle inherits it.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let all = case::load(suite)?;
    let known = known::load(suite, &all)?;
    let wanted = wanted();
    let cases: Vec<&Case> = all
        .iter()
        .filter(|case| wanted.iter().all(|text| case.name.contains(text)))
        .collect();
    if cases.is_empty() {
        return Err(format!("no case's name contains {wanted:?}"));
    }
    let oracle = std::env::var("HOTCELL_ORACLE").unwrap_or_default();
    if !oracle.is_empty() {
        return oracle_alone(suite, &cases, oracle == "show");
    }

    let server = Server::start()?;
    let verdicts = in_parallel(&cases, |index, case| {
        let expected = native::run(case)?;
        let session = format!("{suite}-{index}");
        let actual = hotcell(&server, &session, case)?;
        Ok(report::judge(
            &expected,
            &actual,
            known.get(case.name.as_str()),
        ))
    });
    Ok(report::print(suite, &cases, &verdicts))
}

/// The filters: `HOTCELL_CASE`, and arguments that are not flags of the usual test harness.
fn wanted() -> Vec<String> {
    std::env::var("HOTCELL_CASE")
        .into_iter()
        .chain(
            std::env::args()
                .skip(1)
                .filter(|word| !word.starts_with('-')),
        )
        .collect()
}

fn hotcell(server: &Server, session: &str, case: &Case) -> Result<Answer, String> {
    server.open_session(session)?;
    let answer = server.execute(&serde_json::json!({
        "tool": "bash",
        "input": { "command": case.script, "encoding": "base64" },
        "session": session,
        "timeoutMs": native::DEADLINE.as_millis() as u64,
    }));
    server.close_session(session);
    let answer = answer?;
    if answer.status != 200 {
        return Err(format!("HTTP {}: {}", answer.status, answer.body));
    }
    let bytes = |field: &str| {
        let text = answer.body[field].as_str().unwrap_or_default();
        BASE64
            .decode(text)
            .map_err(|error| format!("`{field}` is not base64: {error}"))
    };
    let mut stderr = String::from_utf8_lossy(&bytes("error")?).into_owned();
    if let Some(limit) = answer.body["stoppedBy"].as_str() {
        stderr.insert_str(0, &format!("(stopped by {limit})\n"));
    }
    Ok(Answer {
        stdout: bytes("output")?,
        status: answer.body["exitCode"].as_i64().unwrap_or(-1),
        stderr,
    })
}

fn oracle_alone(suite: &str, cases: &[&Case], show: bool) -> Result<bool, String> {
    let verdicts = in_parallel(cases, |_, case| {
        let first = native::run(case)?;
        let second = native::run(case)?;
        if show {
            println!(
                "### {} -> {}\n{}{}",
                case.name,
                first.status,
                String::from_utf8_lossy(&first.stdout),
                first
                    .stderr
                    .lines()
                    .map(|line| format!("  2> {line}\n"))
                    .collect::<String>(),
            );
        }
        Ok(report::judge(&first, &second, None))
    });
    Ok(report::print(
        &format!("{suite} (bash against itself)"),
        cases,
        &verdicts,
    ))
}

/// Judges every case on a few threads; answers come back in the order of the cases.
fn in_parallel<F>(cases: &[&Case], judge: F) -> Vec<Verdict>
where
    F: Fn(usize, &Case) -> Result<Verdict, String> + Sync,
{
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(vec![None; cases.len()]);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((index, case)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(index).map(|case| (index, case))
                } {
                    let verdict = judge(index, case).unwrap_or_else(Verdict::Failed);
                    verdicts.lock().unwrap()[index] = Some(verdict);
                }
            });
        }
    });
    verdicts
        .into_inner()
        .unwrap()
        .into_iter()
        .flatten()
        .collect()
}
