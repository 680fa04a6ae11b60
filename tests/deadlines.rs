//! How far hostile programs run past their wall limit. Every run must end by `wall` and well
//! within a second of it; how many milliseconds it was is printed, since only a quiet machine
//! can promise those (goals at the 99th percentile: 50 ms for programs of up to 64 MiB, 150 ms
//! for larger ones).
//!
//! 60 runs; `HOTCELL_FULL=1` makes it 2,000. `HOTCELL_CASE=text` (or an argument) keeps the
//! programs whose name contains it.
#![expect(
    clippy::indexing_slicing,
    reason = "indexing a JSON value cannot panic"
)]
#![expect(clippy::print_stdout, reason = "a suite's count is what it prints")]
#![expect(clippy::print_stderr, reason = "as above")]
#![expect(clippy::disallowed_methods, reason = "a suite reads its own switches")]

#[path = "deadlines/programs.rs"]
mod programs;
mod server;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use programs::{PROGRAMS, Program, SMALL_MIB};
use serde_json::json;
use server::Server;

/// No run may end later than this after its limit, in microseconds: past it a call has not been
/// stopped but has stopped by itself.
const OVERSHOOT_US_MAX: u64 = 1_000_000;
/// What the project promises at the 99th percentile on a quiet machine, in milliseconds: of
/// programs of little memory, and of others.
const GOALS_P99_MS: [(&str, f64); 2] = [("up to 64 MiB", 50.0), ("above", 150.0)];
const RUNS: usize = 60;
const RUNS_FULL: usize = 2_000;
/// Longest wait for the guests of our own to be compiled.
const COMPILE_TIME_MAX: Duration = Duration::from_secs(60);
/// Limits the runs take in turn, in milliseconds: none divides another's timer.
const LIMITS_MS: [u64; 4] = [211, 307, 401, 503];

/// One run's lateness, in microseconds.
struct Late {
    program: &'static str,
    is_large: bool,
    /// By the cell's own clock, all processes gone.
    inside_us: u64,
    /// By ours, the whole HTTP exchange included.
    outside_us: u64,
}

fn main() -> ExitCode {
    match suite() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("deadlines: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn suite() -> Result<bool, String> {
    let full = std::env::var_os("HOTCELL_FULL").is_some_and(|value| value == "1");
    let wanted: Vec<String> = std::env::var("HOTCELL_CASE")
        .into_iter()
        .chain(std::env::args().skip(1))
        .filter(|word| !word.starts_with('-'))
        .collect();
    let programs: Vec<&Program> = PROGRAMS
        .iter()
        .filter(|program| wanted.iter().all(|text| program.name.contains(text)))
        .filter(|program| program.can_be_run())
        .collect();
    if !cfg!(debug_assertions) {
        println!(
            "SKIPPED in a release build, which takes no guests of a test: memory.fill, memory.copy"
        );
    }
    let runs = if full { RUNS_FULL } else { RUNS };
    let guests = tempfile::tempdir().map_err(|error| error.to_string())?;
    programs::write(guests.path())?;
    let server = Server::start_with(&[("HOTCELL_DIST", guests.path())])?;
    server.open_session("deadlines")?;
    warm(&server, &programs)?;
    let (mut lates, mut failures) = (Vec::new(), 0);
    for (index, program) in programs.iter().cycle().take(runs).enumerate() {
        // Each program meets every limit: the limit changes once all programs have run.
        let round = index / programs.len().max(1);
        let limit_ms = LIMITS_MS.get(round % LIMITS_MS.len()).copied();
        match run(&server, program, limit_ms.unwrap_or(LIMITS_MS[0])) {
            Ok(late) => lates.push(late),
            Err(reason) => {
                failures += 1;
                println!(
                    "FAIL {}: {reason}\n  script: {}",
                    program.name, program.script
                );
            }
        }
    }
    server.close_session("deadlines");
    report(&programs, &lates);
    println!("deadlines: {} held, {failures} failed", lates.len());
    Ok(failures == 0 && !lates.is_empty())
}

/// Compiles what the programs need, so that no run ends while it waits for a compiler.
fn warm(server: &Server, programs: &[&Program]) -> Result<(), String> {
    let began = Instant::now();
    let mut guests = programs.iter().filter(|program| program.guest.is_some());
    while let Some(program) = guests.clone().next() {
        match run(server, program, 1) {
            Ok(_) => _ = guests.next(),
            Err(reason) if began.elapsed() > COMPILE_TIME_MAX => return Err(reason),
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
    let answer = server.execute(&json!({
        "tool": "bash",
        "input": { "command": "factor 6; sleep 0; echo x | cat; yes | head -1" },
        "session": "deadlines",
    }))?;
    if answer.body["output"] != "6: 2 3\nx\ny\n" {
        return Err(format!("the programs do not run: {}", answer.body));
    }
    Ok(())
}

fn run(server: &Server, program: &Program, limit_ms: u64) -> Result<Late, String> {
    let asked = Instant::now();
    let answer = server.execute(&json!({
        "tool": "bash",
        "input": { "command": program.script },
        "session": "deadlines",
        "timeoutMs": limit_ms,
    }))?;
    let outside_us = u64::try_from(asked.elapsed().as_micros()).map_err(|e| e.to_string())?;
    let body = &answer.body;
    if answer.status != 200 || body["stoppedBy"] != "wall" || body["exitCode"] != 124 {
        // An endless program may have printed much.
        let told: String = body.to_string().chars().take(400).collect();
        return Err(format!("HTTP {}, {told}", answer.status));
    }
    let inside_us = body["usage"]["wallUs"]
        .as_u64()
        .ok_or("no usage.wallUs in the answer")?;
    let limit_us = limit_ms * 1_000;
    if inside_us < limit_us {
        return Err(format!(
            "stopped after {inside_us} µs, before its limit of {limit_us}"
        ));
    }
    let late = Late {
        program: program.name,
        is_large: program.memory_mib > SMALL_MIB,
        inside_us: inside_us - limit_us,
        outside_us: outside_us.saturating_sub(limit_us),
    };
    if late.inside_us.max(late.outside_us) > OVERSHOOT_US_MAX {
        return Err(format!(
            "past its limit by {} µs in the cell, {} µs outside",
            late.inside_us, late.outside_us
        ));
    }
    Ok(late)
}

fn report(programs: &[&Program], lates: &[Late]) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load: {}", load.trim());
    println!("past the limit, in ms: in the cell p50 p99 max | outside p50 p99 max");
    for program in programs {
        let of_program = lates.iter().filter(|late| late.program == program.name);
        row(program.name, of_program);
    }
    for ((name, goal), is_large) in GOALS_P99_MS.into_iter().zip([false, true]) {
        let of_size = || lates.iter().filter(|late| late.is_large == is_large);
        if of_size().next().is_none() {
            continue;
        }
        let p99 = row(name, of_size());
        let verdict = if p99 <= goal { "met" } else { "MISSED" };
        println!("goal: p99 in the cell at most {goal} ms: {verdict}");
    }
}

/// Prints one row; answers with the 99th percentile inside the cell.
fn row<'a>(name: &str, lates: impl Iterator<Item = &'a Late>) -> f64 {
    let (mut inside, mut outside): (Vec<u64>, Vec<u64>) =
        lates.map(|late| (late.inside_us, late.outside_us)).unzip();
    let at = |values: &mut Vec<u64>, part: f64| {
        values.sort_unstable();
        let last = values.len().saturating_sub(1) as f64;
        let value = values.get((last * part).ceil() as usize).copied();
        value.unwrap_or_default() as f64 / 1_000.0
    };
    let p99 = at(&mut inside, 0.99);
    println!(
        "{name:<52} {:8.1} {p99:8.1} {:8.1} | {:8.1} {:8.1} {:8.1}",
        at(&mut inside, 0.5),
        at(&mut inside, 1.0),
        at(&mut outside, 0.5),
        at(&mut outside, 0.99),
        at(&mut outside, 1.0),
    );
    p99
}
