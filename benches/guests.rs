//! What a guest costs against the same program run natively: one `hotcell serve`, fuel counted,
//! each workload by turns in a cell and by the host's bash; medians and their ratio.
//!
//! Time in a cell is the answer's `usage.wallUs`; native time is that of the whole `bash -c`.
//!
//! `cargo bench --bench guests -- [--runs N] [TEXT]` keeps the workloads whose name contains TEXT.
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
#![expect(clippy::disallowed_methods, reason = "a bench starts what it measures")]

#[expect(dead_code, reason = "the other bench drives many clients")]
mod load;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use load::client::{Client, request};
use load::median;
use load::servers::Server;

const SESSION: &str = "guests";

struct Workload {
    name: &'static str,
    script: &'static str,
}

const WORKLOADS: &[Workload] = &[
    Workload {
        name: "sha256sum of 20 MB",
        script: "sha256sum data",
    },
    Workload {
        name: "sort of 300,000 lines",
        script: "sort lines > sorted; sed -n 150000p sorted; rm sorted",
    },
    Workload {
        name: "grep -rn over 200 files, 1.7 MB",
        script: "grep -rn 'needle [0-9]*7' tree | wc -l",
    },
    Workload {
        name: "arithmetic loop, 100,000 rounds",
        script: "s=0; for ((i = 0; i < 100000; i++)); do ((s += i)); done; echo $s",
    },
    Workload {
        name: "100 MiB of zeros through a pipe",
        script: "head -c 100M /dev/zero | wc -c",
    },
    Workload {
        name: "100 MiB of yes through two pipes",
        script: "yes | head -c 100M | wc -c",
    },
    Workload {
        name: "200 programs started in turn",
        script: "for ((i = 0; i < 200; i++)); do /bin/true; done; echo $i",
    },
    Workload {
        name: "200 subshells in turn",
        script: "s=; for ((i = 0; i < 200; i++)); do s+=$(echo x); done; echo ${#s}",
    },
];

fn main() -> anyhow::Result<()> {
    let (runs, text) = arguments()?;
    let server = Server::hotcell()?;
    let workspace = server.open_session(SESSION)?;
    prepare(&workspace)?;
    println!("medians of {runs} runs each, guest and native in turn\n");
    println!(
        "| workload | guest ms | native ms | guest ÷ native | HTTP on top ms | guest memory MiB |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    for workload in WORKLOADS {
        if workload.name.contains(&text) {
            measure(workload, &server, &workspace, runs).context(workload.name)?;
        }
    }
    Ok(())
}

fn measure(
    workload: &Workload,
    server: &Server,
    workspace: &Path,
    runs: usize,
) -> anyhow::Result<()> {
    let mut client = Client::connect(server.address)?;
    let (mut guest_ms, mut native_ms, mut total_ms) = (Vec::new(), Vec::new(), Vec::new());
    let mut memory: f64 = 0.0;
    for run in 0..=runs {
        let (native_output, native) = natively(workload.script, workspace)?;
        let asked = Instant::now();
        let answer = in_cell(workload.script, server, &mut client)?;
        let total = asked.elapsed().as_secs_f64() * 1e3;
        ensure!(
            answer["output"] == native_output.as_str() && answer["exitCode"] == 0,
            "the guest answers {answer}, the native run printed {native_output:?}"
        );
        let usage = &answer["usage"];
        let wall_us = usage["wallUs"].as_f64().context("no usage.wallUs")?;
        if run == 0 {
            continue; // the first run compiles guests and fills the page cache
        }
        guest_ms.push(wall_us / 1e3);
        native_ms.push(native);
        total_ms.push(total);
        memory = memory.max(usage["memoryPeakBytes"].as_f64().unwrap_or_default());
    }
    let (guest, native) = (median(&mut guest_ms), median(&mut native_ms));
    println!(
        "| {} | {guest:.1} | {native:.1} | {:.2} | {:.1} | {:.1} |",
        workload.name,
        guest / native,
        median(&mut total_ms) - guest,
        memory / f64::from(1 << 20),
    );
    Ok(())
}

fn in_cell(script: &str, server: &Server, client: &mut Client) -> anyhow::Result<Value> {
    let body = json!({ "tool": "bash", "input": { "command": script }, "session": SESSION });
    let answer = client.exchange(&request(&server.token, &body))?;
    let text = String::from_utf8_lossy(answer.body);
    ensure!(answer.status == 200, "HTTP {}: {text}", answer.status);
    Ok(serde_json::from_slice(answer.body)?)
}

/// Output and milliseconds of the host's own bash, with the guests' locale.
fn natively(script: &str, workspace: &Path) -> anyhow::Result<(String, f64)> {
    let started = Instant::now();
    let output = Command::new("/bin/bash")
        .args(["-c", script])
        .current_dir(workspace)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output()?;
    let took = started.elapsed().as_secs_f64() * 1e3;
    ensure!(
        output.status.success(),
        "bash: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((String::from_utf8(output.stdout)?, took))
}

/// The files the workloads read, the same on every machine.
fn prepare(workspace: &Path) -> anyhow::Result<()> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        // xorshift64: quick, and good enough for data that must not be regular.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let data: Vec<u8> = (0..20_000_000 / 8)
        .flat_map(|_| next().to_le_bytes())
        .collect();
    std::fs::write(workspace.join("data"), data)?;
    let mut lines = String::new();
    for _ in 0..300_000 {
        writeln!(lines, "{:016x} {}", next(), next() % 1_000)?;
    }
    std::fs::write(workspace.join("lines"), lines)?;
    for folder in 0..10 {
        let folder = workspace.join(format!("tree/folder-{folder}"));
        std::fs::create_dir_all(&folder)?;
        for file in 0..20 {
            let mut text = String::new();
            while text.len() < 8_500 {
                let word = if next() % 20 == 0 { "needle" } else { "straw" };
                writeln!(
                    text,
                    "    let {word}_{:08x} = {word} {};",
                    next() as u32,
                    next() % 1_000
                )?;
            }
            std::fs::write(folder.join(format!("file-{file}.rs")), text)?;
        }
    }
    Ok(())
}

fn arguments() -> anyhow::Result<(usize, String)> {
    let (mut runs, mut text) = (7, String::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bench" => {} // cargo passes it
            "--runs" => runs = words.next().context("--runs needs a number")?.parse()?,
            _ if word.starts_with('-') => bail!("unknown option {word}; known: --runs N"),
            _ => text = word,
        }
    }
    Ok((runs, text))
}
