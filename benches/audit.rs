//! What the record costs: calls a second with and without it, the time it adds to a call, and how
//! fast a log is verified.
//!
//! `cargo bench --bench audit -- --without PROGRAM [--rounds N] [--seconds S]`
//!
//! PROGRAM is Hotcell built with the feature `bench-without-record`; `.ci/measure audit` makes it.
#![expect(clippy::print_stdout, reason = "a bench's result is what it prints")]
#![expect(clippy::disallowed_methods, reason = "a bench starts what it measures")]

#[allow(dead_code, reason = "another bench measures the floor and the peer")]
mod load;

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hotcell::audit::verify::{Anchors, verify};
use hotcell::audit::{Asked, Audit, Finished, Intent, Keeping, Names, PolicyInForce, Verdict};
use load::client::request;
use load::servers::{Server, target_folder};
use load::{Work, median, quantile, round};
use serde_json::json;

/// Clients of the throughput comparison.
const CLIENTS: usize = 16;
/// Most requests of one round: bounds the log.
const REQUESTS_MAX: usize = 200_000;
/// Records of the log that is verified.
const RECORDS: usize = 200_000;

struct Arguments {
    without: PathBuf,
    rounds: usize,
    time: Duration,
}

fn main() -> anyhow::Result<()> {
    let arguments = arguments()?;
    verified()?;
    let with = Server::hotcell()?;
    let without = Server::hotcell_as(&arguments.without)?;
    println!("| workload | clients | with a record, calls/s | without | ratio (goal 0.85) |");
    println!("|---|---|---|---|---|");
    for (name, body) in [
        (
            "echo hi",
            json!({"tool": "bash", "input": {"command": "echo hi"}}),
        ),
        (
            "read_file 4 KiB",
            json!({"tool": "read_file", "input": {"path": "file"}}),
        ),
    ] {
        let mut sides = [
            (works(&with, &body, CLIENTS)?, Vec::new()),
            (works(&without, &body, CLIENTS)?, Vec::new()),
        ];
        for (works, _) in &sides {
            round(works, arguments.time / 4, REQUESTS_MAX)?; // warm, not counted
        }
        for index in 0..arguments.rounds {
            let mut turns: Vec<_> = sides.iter_mut().collect();
            if index % 2 == 1 {
                turns.reverse();
            }
            for (works, rates) in turns {
                rates.push(round(works, arguments.time, REQUESTS_MAX)?.rate());
            }
        }
        let [(_, with), (_, without)] = &mut sides;
        let pairs = with.iter().zip(&*without);
        let mut ratios: Vec<f64> = pairs.map(|(with, without)| with / without).collect();
        let (ratio, with, without) = (median(&mut ratios), median(with), median(without));
        println!("| {name} | {CLIENTS} | {with:.0} | {without:.0} | {ratio:.2} |");
    }
    latency(&with, &without, &arguments)
}

/// One client: what the record adds to a call, beside one sync of the same disk in between.
fn latency(with: &Server, without: &Server, arguments: &Arguments) -> anyhow::Result<()> {
    let body = json!({"tool": "bash", "input": {"command": "echo hi"}});
    let sides = [works(with, &body, 1)?, works(without, &body, 1)?];
    let (mut times, mut syncs) = ([Vec::new(), Vec::new()], Vec::new());
    let place = tempfile::tempdir_in(target_folder()?)?;
    for _ in 0..arguments.rounds {
        for (side, times) in sides.iter().zip(&mut times) {
            let sample = round(side, arguments.time, REQUESTS_MAX)?;
            times.extend(sample.latency_us);
        }
        syncs.extend(synced(&place)?);
    }
    println!("\n| one client, `echo hi` | median, us | p99, us |\n|---|---|---|");
    let [with, without] = &mut times;
    let rows = [
        ("with a record", with),
        ("without", without),
        ("one fdatasync of 1 KiB", &mut syncs),
    ];
    let mut medians = Vec::new();
    for (name, times) in rows {
        let (middle, high) = (quantile(times, 0.5), quantile(times, 0.99));
        medians.push(middle as f64);
        println!("| {name} | {middle} | {high} |");
    }
    if let [with, without, sync] = *medians {
        let added = with - without;
        println!(
            "\nadded: {added:.0} us; goal: at most one fdatasync and 200 us: {:.0} us",
            sync + 200.0
        );
    }
    Ok(())
}

/// Times of appending 1 KiB and waiting for the disk.
fn synced(place: &tempfile::TempDir) -> anyhow::Result<Vec<u64>> {
    use std::io::Write as _;
    let path = place.path().join("sync");
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let mut times = Vec::new();
    for _ in 0..500 {
        let began = Instant::now();
        file.write_all(&[b'x'; 1024])?;
        file.sync_data()?;
        times.push(u64::try_from(began.elapsed().as_micros())?);
    }
    Ok(times)
}

fn works(server: &Server, body: &serde_json::Value, clients: usize) -> anyhow::Result<Vec<Work>> {
    let work = |client: usize| {
        let session = format!("audit-{client}");
        let folder = server.open_session(&session)?;
        std::fs::write(folder.join("file"), "0123456789abcdef".repeat(256))?;
        let mut body = body.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("session".to_owned(), session.into());
        }
        let expected = match body.get("tool") == Some(&json!("bash")) {
            true => b"hi".to_vec(),
            false => b"0123456789abcdef".to_vec(),
        };
        Ok(Work::Http {
            address: server.address,
            request: request(&server.token, &body),
            expected,
        })
    };
    (0..clients).map(work).collect()
}

/// Writes a log and verifies it.
fn verified() -> anyhow::Result<()> {
    let place = tempfile::tempdir_in(target_folder()?)?;
    let audit = Audit::open(place.path(), "t", &Keeping::default())?;
    for number in 0..RECORDS / 2 {
        let id = format!("call-{number}");
        let _not_awaited = audit.intent(&intent(&id));
        audit.finished(&outcome(&id));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    runtime.block_on(audit.close())?;
    let began = Instant::now();
    let report = verify(&Names::new(place.path(), "t"), &Anchors::default())?;
    let rate = report.next as f64 / began.elapsed().as_secs_f64();
    println!(
        "verify: {rate:.0} records/s of {} (goal 100000)\n",
        report.next
    );
    Ok(())
}

fn intent(id: &str) -> Intent<'_> {
    Intent {
        request_id: id.into(),
        decision: Verdict::Allow,
        agent: "default".into(),
        door: "http".into(),
        session: "default".into(),
        tool: "bash".into(),
        request: Asked {
            fields: vec![("command".into(), "echo hi".into())],
            ..Asked::default()
        },
        request_sha256: "00".repeat(32),
        rule: "tool".into(),
        line: 4,
        reason: None,
        policy: PolicyInForce {
            name: "default".into(),
            version: 1,
            sha256: "11".repeat(32).into(),
        },
        lane: "wasm".into(),
        confinement: "none: one process for all sessions".into(),
        limits: Some((&hotcell::limits::Limits::default()).into()),
        idempotency_sha256: None,
    }
}

fn outcome(id: &str) -> Finished<'_> {
    Finished {
        request_id: id.into(),
        exit_code: Some(0),
        stopped_by: None,
        error: None,
        duration_us: 100,
        usage: Some(hotcell::outcome::Usage::default()),
        stdout_bytes: 3,
        stderr_bytes: 0,
        changed: Vec::new(),
        changed_more: false,
        denied: Vec::new(),
    }
}

fn arguments() -> anyhow::Result<Arguments> {
    let mut arguments = Arguments {
        without: target_folder()?.join("hotcell-without-record"),
        rounds: 40,
        time: Duration::from_millis(500),
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
            "--without" => arguments.without = value()?.into(),
            _ => bail!("unknown option {word}; known: --without, --rounds, --seconds"),
        }
    }
    Ok(arguments)
}
