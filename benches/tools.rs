//! What a call of a tool of one's own costs, warm: a module and a component that copy their input, beside
//! our own `cat` in a shell, a confined native `cat`, and a plain one. One run, taking turns.
//!
//! `cargo bench --bench tools [-- --rounds 400]`
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
#![expect(clippy::disallowed_methods, reason = "a bench starts what it measures")]

#[allow(dead_code, reason = "another bench drives many clients and the peer")]
mod load;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use load::client::{Client, request};
use load::servers::{Server, target_folder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Calls of each kind, unless told otherwise.
const ROUNDS: usize = 400;
/// Calls before the first that counts.
const WARM: usize = 20;
/// Bytes that are copied.
const BYTES: usize = 4_000;
/// What a component may take in its cell, instantiation included, at the median.
const GOAL: Duration = Duration::from_millis(1);

/// Of whole calls, and in their cells.
type Times = (Vec<Duration>, Vec<Duration>);

const HEAD: &str = r#"version = 1
name = "bench"
description = "Copies, measured."
[workspace]
access = "read-write"
[[tool]]
names = ["bash", "native"]
reason = "bench"
[[program]]
names = ["*"]
reason = "bench"
[[native]]
program = "/usr/bin/cat"
confinement = "strong"
reason = "bench"
"#;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let at = words.iter().position(|word| word == "--rounds");
    let rounds = at.and_then(|at| words.get(at + 1)?.parse().ok());
    let rounds = rounds.unwrap_or(ROUNDS);
    let folder = tempfile::tempdir_in(target_folder()?)?;
    let policy = folder.path().join("policy.toml");
    let rules = [
        rule("copy-module", "module", "copy.wasm")?,
        rule("copy-component", "component", "copy-component.wasm")?,
    ];
    std::fs::write(&policy, format!("{HEAD}{}", rules.concat()))?;
    let server = Server::hotcell_ruled(&policy)?;
    let mut client = Client::connect(server.address)?;
    let text = "x".repeat(BYTES);
    let call =
        |tool: &str, input: Value| request(&server.token, &json!({"tool": tool, "input": input}));
    let calls = [
        ("module", call("copy-module", json!({"text": text}))),
        ("component", call("copy-component", json!({"text": text}))),
        (
            "our `cat`, in a shell",
            call("bash", json!({"command": "cat", "stdin": text})),
        ),
        (
            "native `cat`, confined",
            call("native", json!({"program": "cat", "stdin": text})),
        ),
    ];
    let mut times: Vec<Times> = vec![Times::default(); calls.len() + 1];
    for round in 0..rounds + WARM {
        for (place, (_, call)) in calls.iter().enumerate() {
            let began = Instant::now();
            let in_cell = ask(&mut client, call)?;
            keep(&mut times, place, round, (began.elapsed(), in_cell));
        }
        let began = Instant::now();
        plain(&text)?;
        keep(
            &mut times,
            calls.len(),
            round,
            (began.elapsed(), Duration::ZERO),
        );
    }
    let names = calls.iter().map(|(name, _)| *name);
    tell(names.chain(["`cat`, a plain process"]), times);
    Ok(())
}

/// Prints the table and whether the goal was held.
fn tell<'a>(names: impl Iterator<Item = &'a str>, times: Vec<Times>) {
    println!("| 4 KB copied by | p50, ms | p90, ms | in the cell, p50, ms |");
    println!("|---|---:|---:|---:|");
    let mut component = Duration::ZERO;
    for (name, (mut whole, mut in_cell)) in names.zip(times) {
        whole.sort_unstable();
        in_cell.sort_unstable();
        let inside = percentile(&in_cell, 50);
        if name == "component" {
            component = inside;
        }
        let shown = match inside {
            Duration::ZERO => String::new(),
            inside => format!("{:.3}", ms(inside)),
        };
        let (middle, high) = (percentile(&whole, 50), percentile(&whole, 90));
        println!("| {name} | {:.2} | {:.2} | {shown} |", ms(middle), ms(high));
    }
    let verdict = if component <= GOAL { "held" } else { "MISSED" };
    let goal = ms(GOAL);
    println!("\ngoal for a component's instantiation and run: {goal:.0} ms; {verdict}");
}

fn rule(name: &str, kind: &str, file: &str) -> anyhow::Result<String> {
    let path = format!(
        "{}/tests/tool_guests/dist/{file}",
        env!("CARGO_MANIFEST_DIR")
    );
    let hash = Sha256::digest(std::fs::read(&path)?);
    let sha256: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!(
        "[[tool]]\nname = \"{name}\"\ndescription = \"Copies.\"\nkind = \"{kind}\"\nfile = \"{path}\"\n\
         sha256 = \"{sha256}\"\nreason = \"bench\"\n"
    ))
}

fn keep(times: &mut [Times], place: usize, round: usize, time: (Duration, Duration)) {
    if let Some((whole, in_cell)) = times.get_mut(place).filter(|_| round >= WARM) {
        whole.push(time.0);
        in_cell.push(time.1);
    }
}

/// How long the call took in its cell, as the answer says.
fn ask(client: &mut Client, request: &[u8]) -> anyhow::Result<Duration> {
    let answer = client.exchange(request)?;
    let body: Value = serde_json::from_slice(answer.body)?;
    let output = body.get("output").and_then(Value::as_str);
    let fine = body.get("exitCode") == Some(&json!(0));
    ensure!(
        fine && output.is_some_and(|text| text.len() >= BYTES),
        "{body}"
    );
    let wall_us = body.pointer("/usage/wallUs").and_then(Value::as_u64);
    Ok(Duration::from_micros(wall_us.unwrap_or(0)))
}

fn plain(text: &str) -> anyhow::Result<()> {
    let mut command = Command::new("/usr/bin/cat");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .context("no pipe")?
        .write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.stdout.len() == text.len(), "cat lost something");
    Ok(())
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len().saturating_sub(1)) * percent / 100;
    sorted.get(at).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
