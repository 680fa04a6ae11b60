//! What starting a confined native program costs, beside the same program started plainly and by
//! bubblewrap with comparable walls: one run, taking turns.
//!
//! `cargo bench --bench native [-- --rounds 400]`; bubblewrap is left out where it is not installed.
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
#![expect(clippy::disallowed_methods, reason = "a bench starts what it measures")]

#[allow(dead_code, reason = "another bench drives many clients and the peer")]
mod load;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use load::client::{Client, find, request};
use load::servers::{Server, target_folder};
use serde_json::json;

/// Starts of each kind, unless told otherwise.
const ROUNDS: usize = 400;
/// Starts before the first that counts.
const WARM: usize = 20;
/// What the median may be above that of a plain start.
const GOAL: Duration = Duration::from_millis(5);

const POLICY: &str = r#"version = 1
name = "bench"
description = "One program, measured."
[workspace]
access = "read-write"
[[tool]]
names = ["native"]
reason = "bench"
[[native]]
program = "/usr/bin/true"
confinement = "strong"
reason = "reads"
[[native]]
program = "/usr/bin/id"
access = "read-write"
confinement = "strong"
reason = "may change the workspace"
"#;

/// Walls like ours: own namespaces, a read-only system, an own /tmp and /dev, no network.
const BUBBLEWRAP: &[&str] = &[
    "--unshare-all",
    "--die-with-parent",
    "--new-session",
    "--clearenv",
    "--ro-bind",
    "/usr",
    "/usr",
    "--symlink",
    "usr/bin",
    "/bin",
    "--symlink",
    "usr/lib",
    "/lib",
    "--symlink",
    "usr/lib64",
    "/lib64",
    "--dev",
    "/dev",
    "--tmpfs",
    "/tmp",
    "--cap-drop",
    "ALL",
];

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let at = words.iter().position(|word| word == "--rounds");
    let rounds = at.and_then(|at| words.get(at + 1)?.parse().ok());
    let rounds = rounds.unwrap_or(ROUNDS);
    let folder = tempfile::tempdir_in(target_folder()?)?;
    let policy = folder.path().join("policy.toml");
    std::fs::write(&policy, POLICY)?;
    let server = Server::hotcell_ruled(&policy)?;
    let mut client = Client::connect(server.address)?;
    let call = |program: &str| {
        let input = json!({"program": program});
        request(&server.token, &json!({"tool": "native", "input": input}))
    };
    let (reads, changes) = (call("/usr/bin/true"), call("/usr/bin/id"));
    let bubblewrap = Command::new("bwrap").arg("--version").output().is_ok();
    let mut times: [Vec<Duration>; 5] = Default::default();
    for round in 0..rounds + WARM {
        let all = [
            timed(|| plain("/usr/bin/true"))?,
            timed(|| ask(&mut client, &reads))?,
            timed(|| match bubblewrap {
                true => wrapped("/usr/bin/true"),
                false => Ok(()),
            })?,
            timed(|| plain("/usr/bin/id"))?,
            timed(|| ask(&mut client, &changes))?,
        ];
        if round >= WARM {
            for (times, time) in times.iter_mut().zip(all) {
                times.push(time);
            }
        }
    }
    println!("| start and end of | p50, ms | p90, ms | above plain at p50, ms |");
    println!("|---|---:|---:|---:|");
    let [true_plain, true_ours, true_wrapped, id_plain, id_ours] = times.map(|mut times| {
        times.sort_unstable();
        times
    });
    let row = |name: &str, times: &[Duration], plain: &[Duration]| {
        let above = p(times, 50).saturating_sub(p(plain, 50));
        let (middle, high) = (ms(p(times, 50)), ms(p(times, 90)));
        println!("| {name} | {middle:.2} | {high:.2} | {:.2} |", ms(above));
        above
    };
    row("`true`, plain", &true_plain, &true_plain);
    let ours = row(
        "`true`, a native call over HTTP, recorded",
        &true_ours,
        &true_plain,
    );
    if bubblewrap {
        row("`true`, by bubblewrap", &true_wrapped, &true_plain);
    } else {
        println!("| bubblewrap is not installed | | | |");
    }
    row("`id`, plain", &id_plain, &id_plain);
    row(
        "`id`, a native call that may change the workspace",
        &id_ours,
        &id_plain,
    );
    println!(
        "\ngoal: {:.0} ms above plain; {}",
        ms(GOAL),
        if ours <= GOAL { "held" } else { "MISSED" }
    );
    Ok(())
}

fn timed(run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let began = Instant::now();
    run()?;
    Ok(began.elapsed())
}

fn plain(program: &str) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    let ended = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    ensure!(ended.success(), "{program}: {ended}");
    Ok(())
}

fn wrapped(program: &str) -> anyhow::Result<()> {
    let mut command = Command::new("bwrap");
    command.args(BUBBLEWRAP).arg(program).stdin(Stdio::null());
    let ended = command.stdout(Stdio::null()).status()?;
    ensure!(ended.success(), "bwrap {program}: {ended}");
    Ok(())
}

fn ask(client: &mut Client, request: &[u8]) -> anyhow::Result<()> {
    let answer = client.exchange(request)?;
    let fine = answer.status == 200 && find(answer.body, b"\"exitCode\":0").is_some();
    ensure!(fine, "{}", String::from_utf8_lossy(answer.body));
    Ok(())
}

fn p(sorted: &[Duration], percent: usize) -> Duration {
    let at = sorted.len() * percent / 100;
    sorted.get(at).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
