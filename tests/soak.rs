//! Many mixed calls from 16 clients in 16 sessions: none fails, and afterwards the server and
//! its cells hold no more memory, descriptors, processes or temporary files than before.
//!
//! 1,500 calls; `HOTCELL_FULL=1` makes it 20,000.
#![expect(clippy::print_stdout, reason = "a suite's count is what it prints")]
#![expect(clippy::print_stderr, reason = "as above")]
#![expect(clippy::disallowed_methods, reason = "a suite reads its own switches")]

mod server;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::Server;

const CALLS: usize = 1_500;
const CALLS_FULL: usize = 20_000;
const CLIENTS: usize = 16;
/// Calls before the first look, so that pools and caches have their size: two of each kind for
/// each client.
const CALLS_WARM: usize = 2 * CLIENTS * KINDS;
/// How long the server may take to let go of what the last calls held.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(10);
/// Memory may grow by this part and this much: the allocator's and the pool's slack. 20,000 calls
/// that each leaked 1 KiB would be past it.
const MEMORY_GROWTH: f64 = 0.10;
const MEMORY_GROWTH_KIB: u64 = 16 << 10;
/// Descriptors may differ by the connections our client keeps open.
const DESCRIPTORS_GROWTH: usize = 8;

/// What the server and everything below it hold.
#[derive(Debug)]
struct Held {
    memory_kib: u64,
    descriptors: usize,
    processes: usize,
    /// Files of the state folder but those of workspaces.
    files: BTreeSet<PathBuf>,
}

fn main() -> ExitCode {
    match suite() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("soak: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn suite() -> Result<(), String> {
    let full = std::env::var_os("HOTCELL_FULL").is_some_and(|value| value == "1");
    let calls = if full { CALLS_FULL } else { CALLS };
    let server = Server::start()?;
    for client in 0..CLIENTS {
        server.open_session(&session(client))?;
    }
    let workspace = server.workspace(&session(0))?;
    let state = workspace.ancestors().nth(4).ok_or("no state folder")?;
    drive(&server, CALLS_WARM)?;
    let before = settled(&server, state, None)?;
    let started = Instant::now();
    drive(&server, calls)?;
    let took = started.elapsed();
    let after = settled(&server, state, Some(&before))?;
    println!(
        "soak: {calls} calls in {:.1} s, none failed; memory {} to {} MiB, descriptors {} to {}, \
         processes {} to {}",
        took.as_secs_f32(),
        before.memory_kib >> 10,
        after.memory_kib >> 10,
        before.descriptors,
        after.descriptors,
        before.processes,
        after.processes
    );
    for client in 0..CLIENTS {
        server.close_session(&session(client));
    }
    match after.excess_over(&before) {
        None => Ok(()),
        Some(excess) => Err(excess),
    }
}

/// Makes `calls` calls from all clients; the first that is not as expected ends the suite.
fn drive(server: &Server, calls: usize) -> Result<(), String> {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn(move || {
                    (client..calls)
                        .step_by(CLIENTS)
                        .try_for_each(|call| one_call(server, client, call / CLIENTS))
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().map_err(|_| "a client panicked".to_owned())?)
            .collect()
    })
}

/// How many kinds of calls there are.
const KINDS: usize = 10;

fn one_call(server: &Server, client: usize, number: usize) -> Result<(), String> {
    let bash = |command: &str| ("bash", json!({ "command": command }));
    // Files get the same names over and over, so that workspaces do not grow.
    let file = format!("notes-{}.txt", number / KINDS % 3);
    let ((tool, input), status, expected) = match number % KINDS {
        0 => {
            let content = format!("alpha {client}\nbeta {number}\ngamma\n");
            (
                ("write", json!({ "file_path": file, "content": content })),
                0,
                None,
            )
        }
        1 => (
            (
                "edit",
                json!({ "file_path": file, "old_string": "gamma", "new_string": "delta" }),
            ),
            0,
            None,
        ),
        2 => (
            ("read", json!({ "file_path": file })),
            0,
            Some("delta".to_owned()),
        ),
        3 => (
            ("glob", json!({ "pattern": "*.txt" })),
            0,
            Some(file.clone()),
        ),
        4 => (
            ("grep", json!({ "pattern": "^alpha" })),
            0,
            Some(format!("alpha {client}")),
        ),
        5 => (
            bash(&format!("cat {file} | sort -r | head -1")),
            0,
            Some("delta\n".to_owned()),
        ),
        6 => (
            bash("x=$(seq 1 100 | wc -l); echo $((x + 1))"),
            0,
            Some("101\n".to_owned()),
        ),
        7 => (
            bash("cat <<< here > /tmp/t; (cd /tmp && cat t); rm /tmp/t"),
            0,
            Some("here\n".to_owned()),
        ),
        8 => (bash("ls /nowhere"), 2, None),
        _ => (
            bash("for i in 1 2 3; do (exit $i) & done; wait; yes | head -2 | wc -l; false"),
            1,
            Some("2\n".to_owned()),
        ),
    };
    let request = json!({ "tool": tool, "input": input, "session": session(client) });
    let answer = server.execute(&request)?;
    let body = &answer.body;
    let output = body["output"].as_str().unwrap_or_default();
    let is_expected = expected.is_none_or(|text| output.contains(&text));
    if answer.status != 200 || body["exitCode"] != status || !is_expected || limited(body) {
        return Err(format!("HTTP {}: {request} got {body}", answer.status));
    }
    Ok(())
}

fn limited(body: &Value) -> bool {
    body.get("stoppedBy").is_some()
}

fn session(client: usize) -> String {
    format!("soak-{client}")
}

/// What is held, asked again until it is back to base or the time for that is over.
fn settled(server: &Server, state: &Path, base: Option<&Held>) -> Result<Held, String> {
    let started = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let held = Held::now(server, state)?;
        let is_back = match base {
            Some(base) => held.excess_over(base).is_none(),
            // A base is two equal looks in a row at what can be counted.
            None => held.descriptors == Held::now(server, state)?.descriptors,
        };
        if is_back || started.elapsed() > SETTLE_TIME_MAX {
            return Ok(held);
        }
    }
}

impl Held {
    fn now(server: &Server, state: &Path) -> Result<Self, String> {
        let pids = tree(server.pid().as_raw_nonzero().get())?;
        let mut files = BTreeSet::new();
        list(state, &mut files)?;
        let mut held = Self {
            memory_kib: 0,
            descriptors: 0,
            processes: pids.len(),
            files,
        };
        for pid in pids {
            held.memory_kib += memory_kib(pid)?;
            let folder = format!("/proc/{pid}/fd");
            let entries = std::fs::read_dir(&folder).map_err(|e| format!("{folder}: {e}"))?;
            held.descriptors += entries.count();
        }
        Ok(held)
    }

    /// What is held past the tolerances, if anything.
    fn excess_over(&self, base: &Self) -> Option<String> {
        let memory_max =
            (base.memory_kib as f64 * (1.0 + MEMORY_GROWTH)) as u64 + MEMORY_GROWTH_KIB;
        if self.memory_kib > memory_max {
            return Some(format!(
                "memory grew from {} to {} KiB",
                base.memory_kib, self.memory_kib
            ));
        }
        if self.descriptors > base.descriptors + DESCRIPTORS_GROWTH {
            return Some(format!(
                "open descriptors grew from {} to {}",
                base.descriptors, self.descriptors
            ));
        }
        if self.processes != base.processes {
            return Some(format!(
                "there were {} processes, now {}",
                base.processes, self.processes
            ));
        }
        let left: Vec<_> = self.files.difference(&base.files).collect();
        (!left.is_empty()).then(|| format!("files were left behind: {left:?}"))
    }
}

/// Resident memory that no other process shares.
fn memory_kib(pid: i32) -> Result<u64, String> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|value| value.trim().trim_end_matches(" kB").parse().ok())
        .ok_or_else(|| format!("no RssAnon in {path}"))
}

/// The process and all below it.
fn tree(root: i32) -> Result<Vec<i32>, String> {
    let mut all = vec![root];
    let mut next = 0;
    while let Some(&pid) = all.get(next) {
        next += 1;
        let tasks = format!("/proc/{pid}/task");
        for task in std::fs::read_dir(&tasks).map_err(|e| format!("{tasks}: {e}"))? {
            let path = task.map_err(|e| format!("{tasks}: {e}"))?.path();
            // A thread may end while we look.
            let children = std::fs::read_to_string(path.join("children")).unwrap_or_default();
            all.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<i32>().ok()),
            );
        }
    }
    Ok(all)
}

/// Every file below `folder` but those of workspaces, which calls are meant to change.
fn list(folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries {
        let entry = entry.map_err(|e| e.to_string())?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if entry.file_name() != "workspace" {
                list(&entry.path(), files)?;
            }
        } else {
            files.insert(entry.path());
        }
    }
    Ok(())
}
