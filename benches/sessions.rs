//! What idle sessions cost the broker: resident memory before and after a thousand sessions had a
//! call each, once their cells have gone.
//!
//! `cargo bench --bench sessions`
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
#![expect(clippy::disallowed_methods, reason = "a bench starts what it measures")]

#[allow(dead_code, reason = "another bench drives many clients and the peer")]
mod load;

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use load::client::{Client, find, request};
use load::servers::Server;
use serde_json::json;

/// What a token may have.
const SESSIONS: usize = 1_000;
/// Calls in one session before the first look, so that pools and caches have their size.
const CALLS_WARM: usize = 500;
/// Calls at once; a session's bash calls wait for each other.
const CLIENTS: usize = 4;
/// What all of the sessions together may add, in MiB.
const GOAL_MIB: f64 = 20.0;
/// Longest wait for the cells of idle sessions to end: they do after ten seconds.
const CELLS_TIME_MAX: Duration = Duration::from_secs(60);
/// Leaves a folder, a variable and a function in the shell's state, and a file.
const COMMAND: &str = "mkdir -p /workspace/src; cd /workspace/src; export PROJECT=hotcell; \
    build() { echo built \"$1\" >> log; }; build it; echo left";

/// Resident memory of the broker alone, in KiB.
#[derive(Debug, Clone, Copy)]
struct Resident {
    all: u64,
    /// Without files that are mapped, its own program among them.
    anonymous: u64,
}

fn main() -> anyhow::Result<()> {
    let server = Server::hotcell()?;
    // Not of those that are counted.
    server.open_session(&session(SESSIONS))?;
    calls(&server, &vec![SESSIONS; CALLS_WARM])?;
    let before = settled()?;
    for index in 1..SESSIONS {
        server.open_session(&session(index))?;
    }
    // A token may have no more than these and the first.
    let all: Vec<usize> = (1..SESSIONS).collect();
    println!(
        "| after | broker's resident memory, MiB | added | of it anonymous | a session, KiB |"
    );
    println!("|---|---:|---:|---:|---:|");
    let mib = |kib: u64| kib as f64 / 1024.0;
    println!(
        "| {CALLS_WARM} calls in one session | {:.1} | | | |",
        mib(before.all)
    );
    let mut added = 0.0;
    for after in [
        "a call in each of 999 more sessions",
        "another call in each",
    ] {
        calls(&server, &all)?;
        let now = settled()?;
        let anonymous = now.anonymous.saturating_sub(before.anonymous);
        added = mib(now.all.saturating_sub(before.all));
        println!(
            "| {after} | {:.1} | {added:.1} | {:.1} | {:.1} |",
            mib(now.all),
            mib(anonymous),
            anonymous as f64 / all.len() as f64
        );
    }
    let verdict = if added <= GOAL_MIB { "met" } else { "MISSED" };
    println!("goal: {GOAL_MIB} MiB in all: {verdict}");
    Ok(())
}

/// Makes one call in each of these sessions, a few at once.
fn calls(server: &Server, sessions: &[usize]) -> anyhow::Result<()> {
    let one = |client: &mut Client, index: usize| -> anyhow::Result<()> {
        let body = json!({
            "tool": "bash", "input": {"command": COMMAND}, "session": session(index),
        });
        let answer = client.exchange(&request(&server.token, &body))?;
        let text = String::from_utf8_lossy(answer.body);
        ensure!(answer.status == 200, "HTTP {}: {text}", answer.status);
        ensure!(find(answer.body, b"left").is_some(), "{text}");
        Ok(())
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|first| {
                scope.spawn(move || {
                    let mut client = Client::connect(server.address)?;
                    let mut own = sessions.iter().skip(first).step_by(CLIENTS);
                    own.try_for_each(|index| one(&mut client, *index))
                })
            })
            .collect();
        clients
            .into_iter()
            .try_for_each(|client| match client.join() {
                Ok(done) => done,
                Err(_) => bail!("a client panicked"),
            })
    })
}

/// The broker's memory once no cell of a session is left.
fn settled() -> anyhow::Result<Resident> {
    let began = Instant::now();
    let broker = *children(std::process::id())?.first().context("no server")?;
    // A sealed cell has a filter; spares have none.
    let lives = |cell: &u32| status(*cell, "Seccomp").is_ok_and(|mode| mode == "2");
    while children(broker)?.iter().any(lives) {
        ensure!(began.elapsed() < CELLS_TIME_MAX, "cells stay");
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(1));
    let kib = |field| -> anyhow::Result<u64> {
        let text = status(broker, field)?;
        Ok(text.trim_end_matches(" kB").parse()?)
    };
    Ok(Resident {
        all: kib("VmRSS")?,
        anonymous: kib("RssAnon")?,
    })
}

/// A line of `/proc/PID/status`.
fn status(process: u32, field: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let line = line.with_context(|| format!("no {field}"))?;
    Ok(line.trim_start_matches(':').trim().to_owned())
}

fn children(process: u32) -> anyhow::Result<Vec<u32>> {
    let mut children = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end while we look.
        let text = std::fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        children.extend(
            text.split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    Ok(children)
}

fn session(index: usize) -> String {
    format!("idle-{index}")
}
