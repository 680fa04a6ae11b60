//! Tool calls a second, in one run side by side: Hotcell's release build over `/execute`, the
//! minimal Express server over the host's bash, and the host's bash alone as the floor.
//!
//! Contenders take turns in short rounds on one machine, so that what disturbs one disturbs all;
//! the ratio of each round is what counts. Clients share the processors with the servers.
//!
//! `cargo bench --bench calls -- [--rounds N] [--seconds S] [--express DIR] [TEXT]` keeps the
//! workloads whose name contains TEXT. DIR is where `npm ci` has run (`.ci/measure` does it).
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
#![expect(clippy::disallowed_methods, reason = "a bench starts what it measures")]

mod load;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::json;

use load::client::request;
use load::servers::{Server, target_folder};
use load::{Sample, Work, median, quantile, round};

/// Clients at once.
const CLIENTS: [usize; 2] = [1, 16];
/// Most requests of one round: bounds the audit log and the time where an answer is very quick.
const REQUESTS_MAX: usize = 20_000;

struct Workload {
    name: &'static str,
    tool: &'static str,
    /// The command, for bash and for the floor.
    command: &'static str,
    /// How many times Express's rate the project promises.
    goal: f64,
}

const WORKLOADS: &[Workload] = &[
    Workload {
        name: "read_file 4 KiB",
        tool: "read_file",
        command: "cat f",
        goal: 5.0,
    },
    Workload {
        name: "bash `echo hi`",
        tool: "bash",
        command: "echo hi",
        goal: 5.0,
    },
    Workload {
        name: "bash `cat f | sort | head -3 | tr a-z A-Z`",
        tool: "bash",
        command: "cat f | sort | head -3 | tr a-z A-Z",
        goal: 2.0,
    },
];

struct Arguments {
    rounds: usize,
    time: Duration,
    express: PathBuf,
    text: Option<String>,
}

/// A contender: one work per client.
struct Contender {
    name: &'static str,
    works: Vec<Work>,
    total: Sample,
    rates: Vec<f64>,
}

fn main() -> anyhow::Result<()> {
    let arguments = arguments()?;
    let hotcell = Server::hotcell()?;
    let folder = tempfile::tempdir_in(target_folder()?)?;
    std::fs::write(folder.path().join("f"), text_4_kib())?;
    let express = Server::express(&arguments.express, folder.path());
    let express = match express {
        Ok(server) => Some(server),
        Err(reason) => {
            println!("SKIPPED the Express peer: {reason:#}");
            None
        }
    };
    for index in 0..CLIENTS.iter().copied().max().unwrap_or_default() {
        let workspace = hotcell.open_session(&session(index))?;
        std::fs::write(workspace.join("f"), text_4_kib())?;
    }
    println!(
        "{} rounds of {:?}, contenders in turn\n",
        arguments.rounds, arguments.time
    );
    println!(
        "| workload | clients | contender | requests/s | p50 µs | p99 µs | in the cell p50 µs | rate ÷ Express (goal) |"
    );
    println!("|---|---:|---|---:|---:|---:|---:|---|");
    for workload in WORKLOADS {
        let wanted = arguments.text.as_deref().unwrap_or_default();
        if !workload.name.contains(wanted) {
            continue;
        }
        for clients in CLIENTS {
            let mut contenders =
                contenders(workload, clients, &hotcell, express.as_ref(), folder.path())?;
            measure(&mut contenders, &arguments)
                .with_context(|| format!("{} with {clients} clients", workload.name))?;
            report(workload, clients, &mut contenders);
        }
    }
    Ok(())
}

fn contenders(
    workload: &Workload,
    clients: usize,
    hotcell: &Server,
    express: Option<&Server>,
    folder: &Path,
) -> anyhow::Result<Vec<Contender>> {
    let output = expected(workload, folder)?;
    let as_json = json!({ "output": output }).to_string();
    let inside = as_json.trim_start_matches('{').trim_end_matches('}');
    let input = match workload.tool {
        "bash" => json!({ "command": workload.command }),
        _ => json!({ "path": "f" }),
    };
    let http = |server: &Server, body: &serde_json::Value| Work::Http {
        address: server.address,
        request: request(&server.token, body),
        expected: inside.into(),
    };
    let ours = (0..clients).map(|index| {
        // A session runs its bash calls one after the other, so each client has its own.
        let body = json!({ "tool": workload.tool, "input": input, "session": session(index) });
        http(hotcell, &body)
    });
    let mut contenders = vec![Contender::new("hotcell", ours.collect())];
    if let Some(express) = express {
        let body = json!({ "tool": workload.tool, "input": input });
        let theirs = (0..clients).map(|_| http(express, &body)).collect();
        contenders.push(Contender::new("express", theirs));
    }
    let floor = (0..clients).map(|_| Work::Spawn {
        command: workload.command.to_owned(),
        folder: folder.to_owned(),
        expected: output.clone().into_bytes(),
    });
    contenders.push(Contender::new("bash -c alone", floor.collect()));
    Ok(contenders)
}

/// What the host's own bash prints.
fn expected(workload: &Workload, folder: &Path) -> anyhow::Result<String> {
    let output = std::process::Command::new("/bin/bash")
        .args(["-c", workload.command])
        .current_dir(folder)
        .output()?;
    ensure!(output.status.success(), "{} fails", workload.command);
    Ok(String::from_utf8(output.stdout)?)
}

impl Contender {
    fn new(name: &'static str, works: Vec<Work>) -> Self {
        Self {
            name,
            works,
            total: Sample::default(),
            rates: Vec::new(),
        }
    }
}

/// Lets the contenders take turns; who begins changes from round to round.
fn measure(contenders: &mut [Contender], arguments: &Arguments) -> anyhow::Result<()> {
    for contender in contenders.iter() {
        round(&contender.works, arguments.time / 4, REQUESTS_MAX)?; // warm, not counted
    }
    for index in 0..arguments.rounds {
        let first = index % contenders.len();
        let (later, sooner) = contenders.split_at_mut(first);
        for contender in sooner.iter_mut().chain(later) {
            let sample = round(&contender.works, arguments.time, REQUESTS_MAX)
                .with_context(|| contender.name)?;
            contender.rates.push(sample.rate());
            contender.total.add(&sample);
        }
    }
    Ok(())
}

fn report(workload: &Workload, clients: usize, contenders: &mut [Contender]) {
    let peer = contenders
        .iter()
        .find(|contender| contender.name == "express")
        .map(|contender| contender.rates.clone());
    for contender in contenders {
        let sample = &mut contender.total;
        let inside = match sample.inside_us.is_empty() {
            true => String::new(),
            false => quantile(&mut sample.inside_us, 0.5).to_string(),
        };
        let ratio = match &peer {
            Some(peer) => ratio(&contender.rates, peer),
            None => String::new(),
        };
        let goal = match contender.name {
            "hotcell" => format!(" (goal {})", workload.goal),
            _ => String::new(),
        };
        println!(
            "| {} | {clients} | {} | {:.0} | {} | {} | {inside} | {ratio}{goal} |",
            workload.name,
            contender.name,
            sample.rate(),
            quantile(&mut sample.latency_us, 0.5),
            quantile(&mut sample.latency_us, 0.99),
        );
    }
}

/// The median of the rounds' ratios, with the least and the greatest.
fn ratio(ours: &[f64], theirs: &[f64]) -> String {
    let mut ratios: Vec<f64> = ours
        .iter()
        .zip(theirs)
        .map(|(ours, theirs)| ours / theirs)
        .collect();
    let middle = median(&mut ratios);
    match (ratios.first(), ratios.last()) {
        (Some(least), Some(most)) => format!("{middle:.2} [{least:.2} to {most:.2}]"),
        _ => String::new(),
    }
}

fn session(index: usize) -> String {
    format!("bench-{index}")
}

/// 4,096 bytes of text in 64 lines that are not in order.
fn text_4_kib() -> String {
    (0..64u32)
        .map(|line| format!("{:016x} {:>46}\n", line.wrapping_mul(0x9e37_79b9), line))
        .collect()
}

fn arguments() -> anyhow::Result<Arguments> {
    let mut arguments = Arguments {
        rounds: 6,
        time: Duration::from_secs(1),
        express: target_folder()?.join("peer-express"),
        text: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} needs a value"))
        };
        match word.as_str() {
            "--bench" => {} // cargo passes it
            "--rounds" => arguments.rounds = value()?.parse()?,
            "--seconds" => arguments.time = Duration::try_from_secs_f64(value()?.parse()?)?,
            "--express" => arguments.express = value()?.into(),
            _ if word.starts_with('-') => {
                bail!("unknown option {word}; known: --rounds N, --seconds S, --express DIR")
            }
            _ => arguments.text = Some(word),
        }
    }
    Ok(arguments)
}
