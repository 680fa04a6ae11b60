//! Drives one contender for a short round with a number of clients, and keeps every latency.

pub mod client;
pub mod servers;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use client::{Client, find};

/// One client's work, repeated: what it sends or starts, and what must come back.
pub enum Work {
    Http {
        address: SocketAddr,
        request: Vec<u8>,
        /// Bytes that every answer's body contains.
        expected: Vec<u8>,
    },
    /// The floor: the same command by the host's own bash, without a server.
    Spawn {
        command: String,
        folder: PathBuf,
        expected: Vec<u8>,
    },
}

/// What a round, or several of one contender together, measured.
#[derive(Default, Clone)]
pub struct Sample {
    /// Of every request, in microseconds.
    pub latency_us: Vec<u64>,
    /// What Hotcell says its cells took, in microseconds.
    pub inside_us: Vec<u64>,
    pub elapsed: Duration,
}

impl Sample {
    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.latency_us.len() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Adds another round of the same contender.
    pub fn add(&mut self, round: &Self) {
        self.latency_us.extend(&round.latency_us);
        self.inside_us.extend(&round.inside_us);
        self.elapsed += round.elapsed;
    }
}

/// The value below which `part` of the values lie; zero for none.
pub fn quantile(values: &mut [u64], part: f64) -> u64 {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    values
        .get((last as f64 * part).round() as usize)
        .copied()
        .unwrap_or_default()
}

/// The middle value; not a number for none.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs each of `works` as one client, all at once, until time or count is over.
pub fn round(works: &[Work], time: Duration, requests_max: usize) -> anyhow::Result<Sample> {
    let each_max = requests_max.div_ceil(works.len().max(1));
    let gate = std::sync::Barrier::new(works.len());
    let parts: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = works
            .iter()
            .map(|work| scope.spawn(|| one_client(work, &gate, time, each_max)))
            .collect();
        clients.into_iter().map(|client| client.join()).collect()
    });
    let mut total = Sample::default();
    for part in parts {
        let part = match part {
            Ok(part) => part?,
            Err(_) => bail!("a client panicked"),
        };
        total.latency_us.extend(part.latency_us);
        total.inside_us.extend(part.inside_us);
        // Clients start together: the round lasts as long as its slowest.
        total.elapsed = total.elapsed.max(part.elapsed);
    }
    Ok(total)
}

fn one_client(
    work: &Work,
    gate: &std::sync::Barrier,
    time: Duration,
    requests_max: usize,
) -> anyhow::Result<Sample> {
    let mut sample = Sample::default();
    // The first request opens the connection and warms caches; it is not counted.
    let prepared = Worker::new(work).and_then(|mut worker| worker.once().map(|_| worker));
    gate.wait();
    let mut worker = prepared?;
    let started = Instant::now();
    while started.elapsed() < time && sample.latency_us.len() < requests_max {
        let asked = Instant::now();
        let inside = worker.once()?;
        sample.latency_us.push(micros(asked.elapsed()));
        sample.inside_us.extend(inside);
    }
    sample.elapsed = started.elapsed();
    Ok(sample)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

enum Worker<'a> {
    Http(Client, &'a [u8], &'a [u8]),
    Spawn(&'a str, &'a PathBuf, &'a [u8]),
}

impl<'a> Worker<'a> {
    fn new(work: &'a Work) -> anyhow::Result<Self> {
        Ok(match work {
            Work::Http {
                address,
                request,
                expected,
            } => Self::Http(Client::connect(*address)?, request, expected),
            Work::Spawn {
                command,
                folder,
                expected,
            } => Self::Spawn(command, folder, expected),
        })
    }

    /// Does the work once; answers with the time inside a cell, where there is one.
    fn once(&mut self) -> anyhow::Result<Option<u64>> {
        match self {
            Self::Http(client, request, expected) => {
                let answer = client.exchange(request)?;
                let told = || String::from_utf8_lossy(answer.body).into_owned();
                ensure!(answer.status == 200, "HTTP {}: {}", answer.status, told());
                ensure!(
                    find(answer.body, expected).is_some(),
                    "not the expected output: {}",
                    told()
                );
                Ok(wall_us(answer.body))
            }
            Self::Spawn(command, folder, expected) => {
                let output = Command::new("/bin/bash")
                    .args(["-c", command])
                    .current_dir(folder)
                    .stdin(Stdio::null())
                    .output()
                    .context("/bin/bash")?;
                ensure!(
                    output.stdout == *expected,
                    "`{command}` printed {:?}",
                    String::from_utf8_lossy(&output.stdout)
                );
                Ok(None)
            }
        }
    }
}

/// `usage.wallUs` of an answer of Hotcell.
pub fn wall_us(body: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"wallUs\":";
    let from = find(body, KEY)? + KEY.len();
    let digits: Vec<u8> = body
        .iter()
        .skip(from)
        .copied()
        .take_while(u8::is_ascii_digit)
        .collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}
