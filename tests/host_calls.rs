//! What the host's work costs a guest (WASM-08): for each host function, processor time of the cell
//! and fuel of the call, for the arguments that make it work most. A guest's own instructions burn
//! about two units of fuel in a nanosecond; a function whose work is cheaper than that by more than
//! [`CHEAP_MAX`] lets a guest have much of the processor for little fuel.
//!
//! A table and a wide bound, as times differ between machines; `HOTCELL_CASE=text` (or an argument)
//! keeps the functions whose name contains it. Guests reach a debug build through HOTCELL_DIST, so a
//! release build skips; there the host's own code is faster than what is printed here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that fails says so by panicking, and starts the program it tests"
)]

#[allow(dead_code, reason = "the generated guests are another suite's")]
mod hostile_guests;
mod server;

#[path = "host_calls/cases.rs"]
mod cases;

use std::process::ExitCode;

use cases::{CASES, Case};
use hostile_guests::Guest;
use serde_json::json;
use server::Server;

/// Fuel a guest's own instructions burn in a nanosecond, about.
const FUEL_PER_NS: f64 = 2.0;
/// How many times cheaper than a guest's own instructions the host's work may be. Chosen: five times
/// what was measured of the cheapest function.
const CHEAP_MAX: f64 = 10.0;

fn main() -> ExitCode {
    if !cfg!(debug_assertions) {
        eprintln!("SKIPPED: a release build does not take guests from HOTCELL_DIST");
        return ExitCode::SUCCESS;
    }
    let argument = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let filter = argument
        .or_else(|| std::env::var("HOTCELL_CASE").ok())
        .unwrap_or_default();
    let cases: Vec<&Case> = CASES
        .iter()
        .filter(|case| case.name.contains(&filter))
        .collect();
    let (dist, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut guests: Vec<Guest> = cases.iter().copied().map(Case::guest).collect();
    guests.push(Case::nothing().guest());
    guests.extend(["sh", "ok", "canary"].map(given));
    hostile_guests::write(dist.path(), &guests);
    let environment = [
        ("HOTCELL_DIST", dist.path()),
        ("XDG_CACHE_HOME", cache.path()),
    ];
    let server = Server::start_with(&environment).unwrap();
    // The session and its folders are made by the first call.
    let idle = (0..5).map(|_| measured(&server, &Case::nothing()));
    let nothing = idle.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1))).unwrap();
    prepare(&server);
    println!(
        "{:<34} {:>9} {:>10} {:>8}",
        "", "ns/call", "fuel/call", "cheap"
    );
    let mut wrong = 0;
    for case in cases {
        let (ns, fuel) = measured(&server, case);
        let per_call = |value: f64| value.max(0.0) / f64::from(case.count);
        let (ns, fuel) = (per_call(ns - nothing.0), per_call(fuel - nothing.1));
        let cheap = ns * FUEL_PER_NS / fuel;
        let mark = if cheap > CHEAP_MAX { "  TOO CHEAP" } else { "" };
        println!(
            "{:<34} {ns:>9.0} {fuel:>10.0} {cheap:>8.2}{mark}",
            case.name
        );
        wrong += u32::from(cheap > CHEAP_MAX);
    }
    println!("host calls: {wrong} of {} too cheap", guests.len() - 4);
    ExitCode::from(u8::from(wrong > 0))
}

fn given(name: &str) -> Guest {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests");
    Guest {
        name: name.to_owned(),
        text: std::fs::read_to_string(path.join(format!("{name}.wat"))).unwrap(),
    }
}

/// Puts what the cases look at into the workspace: a deep folder, one with many names, a file.
fn prepare(server: &Server) {
    let workspace = server.workspace("default").unwrap();
    let flags = rustix::fs::OFlags::DIRECTORY;
    let mode = rustix::fs::Mode::RWXU;
    let mut deepest = rustix::fs::open(&workspace, flags, mode).unwrap();
    for _ in 0..cases::DEPTH {
        rustix::fs::mkdirat(&deepest, "d", mode).unwrap();
        deepest = rustix::fs::openat(&deepest, "d", flags, mode).unwrap();
    }
    std::fs::create_dir(workspace.join("many")).unwrap();
    for number in 0..cases::NAMES {
        std::fs::File::create(workspace.join(format!("many/name-{number}"))).unwrap();
    }
    let large = vec![1; 1 << 20];
    std::fs::write(workspace.join("f"), &large).unwrap();
    std::fs::write(workspace.with_file_name("outside"), &large).unwrap();
    let linked = workspace.join("linked");
    std::fs::create_dir(&linked).unwrap();
    for number in 0..cases::LINKS {
        let file = workspace.with_file_name(format!("outside{number}"));
        std::fs::write(&file, &large).unwrap();
        let letter = char::from(b'a' + u8::try_from(number).unwrap());
        std::fs::hard_link(&file, linked.join(letter.to_string())).unwrap();
    }
}

/// Processor time of the cells in nanoseconds, and fuel, of one call.
fn measured(server: &Server, case: &Case) -> (f64, f64) {
    let request = json!({
        "tool": "bash",
        "input": {"command": format!("/bin/{}", case.program())},
        "timeoutMs": 100_000,
    });
    let before = processor_ns(server);
    let answer = server.execute(&request).unwrap();
    let after = processor_ns(server);
    assert_eq!(
        answer.body["exitCode"], 42,
        "{}: {}",
        case.name, answer.body
    );
    let fuel = answer.body["usage"]["fuel"].as_u64().unwrap();
    (after.saturating_sub(before) as f64, fuel as f64)
}

/// What all threads of the server's cells have run so far.
fn processor_ns(server: &Server) -> u64 {
    let mut total = 0;
    let mut left = vec![server.pid().as_raw_nonzero().get()];
    while let Some(process) = left.pop() {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else {
            continue;
        };
        // Neither the server nor its compilers are the guest's host.
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let is_cell = line.split(|&byte| byte == 0).nth(1) == Some(b"cell");
        for thread in threads.flatten() {
            let read = |name: &str| {
                let path = thread.path().join(name);
                std::fs::read_to_string(path).unwrap_or_default()
            };
            let children = read("children");
            left.extend(
                children
                    .split_whitespace()
                    .map(|pid| pid.parse::<i32>().unwrap()),
            );
            let run = read("schedstat");
            let run = run
                .split(' ')
                .next()
                .and_then(|run| run.parse::<u64>().ok());
            if is_cell {
                total += run.unwrap_or_default();
            }
        }
    }
    total
}
