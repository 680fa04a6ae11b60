//! Cells die under load in every way: whoever waited is told so by a name, nobody else notices,
//! and nothing of them is left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::all_of_it;
use crate::process::{Server, eventually};

/// Deaths when not all are asked for.
const DEATHS: usize = 20;
const DEATHS_FULL: usize = 200;
const CLIENTS: usize = 4;
const SESSIONS: usize = 6;
/// Pause between two deaths.
const PAUSE: Duration = Duration::from_millis(150);
/// What calls under load ask for, so that one that hangs is ended soon.
const TIMEOUT_MS: u64 = 2_000;
/// How late an answer may be: what the broker waits past the wall limit, the start of another
/// cell, and a machine that other suites use too.
const LATE_MAX: Duration = Duration::from_millis(500 + 6_000);

fn create(server: &Server, session: &str) {
    let reply = server.request("POST", &format!("/sessions/{session}"));
    assert_eq!(reply.status, 201, "{}", reply.body);
}

/// A line of `/proc/PID/status`.
fn status(process: u32, field: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim_start_matches(':').trim().to_owned())
}

/// It has a session: spares have no filter yet.
fn is_sealed(process: u32) -> bool {
    status(process, "Seccomp").is_some_and(|mode| mode == "2")
}

/// It is a cell still, not another process of the same number.
fn is_cell(process: u32) -> bool {
    let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let is_cell = line.split(|&byte| byte == 0).nth(1) == Some(b"cell");
    is_cell && status(process, "State").is_some_and(|state| !state.starts_with('Z'))
}

fn send(process: u32, signal: Signal) {
    let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    // It may have ended since it was listed.
    let _gone = kill_process(process, signal);
}

/// Folders of cgroups that a server made.
fn groups(server: u32) -> Vec<PathBuf> {
    let ours = format!("hotcell-{server}-");
    let (mut found, mut left) = (Vec::new(), vec![PathBuf::from("/sys/fs/cgroup")]);
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name().to_string_lossy().starts_with(&ours) {
                found.push(entry.path());
            }
            left.push(entry.path());
        }
    }
    found
}

fn attack_folders() -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir("/tmp").into_iter().flatten().flatten();
    let ours = |path: &PathBuf| path.to_string_lossy().contains("hotcell-attack-");
    entries.map(|entry| entry.path()).filter(ours).collect()
}

/// What must be gone when a server is.
struct Traces {
    server: u32,
    cells: BTreeSet<u32>,
    mounts: String,
    attacks: BTreeSet<PathBuf>,
}

impl Traces {
    fn before() -> Self {
        Self {
            server: 0,
            cells: BTreeSet::new(),
            mounts: std::fs::read_to_string("/proc/self/mountinfo").unwrap(),
            attacks: attack_folders(),
        }
    }

    fn look(&mut self, server: &Server) -> BTreeSet<u32> {
        let cells = server.cells();
        for cell in &cells {
            if let Some(parent) = status(*cell, "PPid") {
                self.server = parent.parse().unwrap();
            }
        }
        self.cells.extend(&cells);
        cells
    }

    fn are_gone(&self, state: &Path) {
        assert_ne!(self.server, 0, "no cell was seen");
        eventually("cells end", || {
            !self.cells.iter().any(|cell| is_cell(*cell))
        });
        eventually("cgroups go", || groups(self.server).is_empty());
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let new: Vec<_> = mounts
            .lines()
            .filter(|line| !self.mounts.contains(line.split(" - ").next().unwrap()))
            .filter(|line| line.contains(&*state.to_string_lossy()) || line.contains("tmpfs / "))
            .collect();
        assert!(new.is_empty(), "mounts stay: {new:?}");
        let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
        assert!(!sockets.contains(&*state.to_string_lossy()), "{sockets}");
        // Other suites may be attacking their own; those go as well.
        eventually("the self-attacks' folders go", || {
            attack_folders().difference(&self.attacks).next().is_none()
        });
    }
}

/// What calls came to.
#[derive(Default)]
struct Count {
    answered: AtomicUsize,
    died: AtomicUsize,
    refused: AtomicUsize,
}

/// A call for one session; the answer must have a name we know.
fn checked_call(server: &Server, (session, number): (usize, usize), count: &Count) {
    let command = match number % 4 {
        0 => format!("echo {number} >> log; sleep 0.1; echo done-{number}"),
        1 => format!("ls / > /dev/null; echo done-{number}"),
        2 => format!("seq 1 20000 | sort -n | tail -n 1 > /dev/null; echo done-{number}"),
        _ => format!("sleep 0.05 | cat; echo done-{number}"),
    };
    let call = json!({
        "tool": "bash", "input": {"command": command},
        "session": format!("s{session}"), "timeoutMs": TIMEOUT_MS,
    });
    let began = Instant::now();
    let reply = server.execute(&call);
    let took = began.elapsed();
    if reply.status == 503 && reply.body["code"] == "no_cell" {
        // Its cell was killed before it began.
        count.refused.fetch_add(1, Ordering::Relaxed);
        return;
    }
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(
        took < Duration::from_millis(TIMEOUT_MS) + LATE_MAX,
        "{took:?}: {}",
        reply.body
    );
    let body = &reply.body;
    match body["stoppedBy"].as_str() {
        None => {
            let expected = format!("done-{number}\n");
            assert_eq!(body["output"], expected, "{body}");
            count.answered.fetch_add(1, Ordering::Relaxed);
        }
        Some("cell") => _ = count.died.fetch_add(1, Ordering::Relaxed),
        // A neighbour that took the machine's time.
        Some("wall") => {}
        Some(_) => panic!("{body}"),
    }
}

fn load(server: &Server, client: usize, stop: &AtomicBool, count: &Count) {
    let mut number = client;
    while !stop.load(Ordering::Relaxed) {
        checked_call(server, (number % SESSIONS, number), count);
        // Coprime to the sessions, so that clients meet in them.
        number += CLIENTS + 1;
    }
}

fn picked(cells: &BTreeSet<u32>, number: usize) -> Option<u32> {
    // Any order will do that has no pattern: a step that is coprime to most numbers of cells.
    let at = (number * 7_919) % cells.len().max(1);
    cells.iter().nth(at).copied()
}

#[test]
fn cells_that_are_killed_under_load_harm_only_their_own_calls() {
    let deaths = if all_of_it() { DEATHS_FULL } else { DEATHS };
    let mut traces = Traces::before();
    let state = tempfile::tempdir().unwrap();
    let mut server = Server::start(state.path());
    (0..SESSIONS).for_each(|session| create(&server, &format!("s{session}")));
    let (stop, count) = (AtomicBool::new(false), Count::default());
    let mut done = BTreeMap::new();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (server, stop, count) = (&server, &stop, &count);
                scope.spawn(move || load(server, client, stop, count))
            })
            .collect();
        for number in 0..deaths {
            std::thread::sleep(PAUSE);
            let mut cells = traces.look(&server);
            let (signal, name) = match number % 3 {
                0 => (Signal::KILL, "killed"),
                // The first process of a namespace gets this one only where it handles it.
                1 => (Signal::SEGV, "fault"),
                _ => (Signal::STOP, "hung"),
            };
            if name == "hung" {
                cells.retain(|cell| is_sealed(*cell));
            }
            let Some(cell) = picked(&cells, number) else {
                continue;
            };
            send(cell, signal);
            *done.entry(name).or_insert(0) += 1;
            if clients.iter().any(|client| client.is_finished()) {
                break; // one has failed and says so below
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Hung cells without calls may be left; the next call in one ends it. Then none fails.
    for number in 0..SESSIONS {
        checked_call(&server, (number, 4 * number + 1), &count);
    }
    let failed = || [&count.died, &count.refused].map(|count| count.load(Ordering::Relaxed));
    let [died, refused] = failed();
    for session in 0..SESSIONS {
        checked_call(&server, (session, 5), &count);
    }
    assert_eq!(failed(), [died, refused], "a later call fails");
    assert!(refused <= deaths / 20, "{refused} calls had no cell");
    let answered = count.answered.load(Ordering::Relaxed);
    eprintln!(
        "{done:?}; {answered} calls answered, {died} told that their cell died, {refused} had none"
    );
    assert!(answered > deaths, "{answered} calls are no load");
    assert!(died > 0, "no death hit a call");
    traces.look(&server);
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), Some(0));
    traces.are_gone(state.path());
}

/// A call that waits in a cell that hangs is told within half a second past its limit.
#[test]
fn a_call_in_a_cell_that_hangs_is_answered_soon_after_its_limit() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    server.bash("true");
    // A process that only tried its walls may not be gone yet: every sealed one is stopped.
    let mut hung = server.cells();
    hung.retain(|cell| is_sealed(*cell));
    assert!(!hung.is_empty());
    for cell in &hung {
        send(*cell, Signal::STOP);
    }
    let began = Instant::now();
    let reply = server.execute(&json!({
        "tool": "bash", "input": {"command": "echo late"}, "timeoutMs": 1_000,
    }));
    let took = began.elapsed();
    eprintln!("{took:?}: {}", reply.body);
    assert_eq!(reply.body["stoppedBy"], "cell", "{}", reply.body);
    assert!(took >= Duration::from_millis(1_400), "{took:?}");
    assert!(took < Duration::from_millis(3_000), "{took:?}");
    assert_eq!(server.bash("echo again")["output"], "again\n");
    eventually("the cell is gone", || {
        !hung.iter().any(|cell| is_cell(*cell))
    });
}

/// A spare that hangs must not hold up the call that gets it for longer than a start takes.
#[test]
fn a_call_that_gets_a_spare_that_hangs_is_answered() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    for spare in server.cells() {
        send(spare, Signal::STOP);
    }
    let began = Instant::now();
    let body = server.bash("echo works");
    let took = began.elapsed();
    eprintln!("{took:?}");
    assert_eq!(body["output"], "works\n", "{body}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// Calls that together want more memory than their cell may have.
#[test]
fn a_cell_that_runs_out_of_memory_is_named_and_replaced() {
    let state = tempfile::tempdir().unwrap();
    let config = "cell_memory = \"256MiB\"\n";
    std::fs::write(state.path().join("hotcell.toml"), config).unwrap();
    let mut traces = Traces::before();
    let mut server = Server::start(state.path());
    create(&server, "greedy");
    create(&server, "modest");
    let command = "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done";
    let greedy = json!({"tool": "bash", "input": {"command": command}, "session": "greedy", "timeoutMs": 8_000});
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let call = || server.execute(&greedy).body;
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(call)).collect();
        traces.look(&server);
        let modest =
            json!({"tool": "bash", "input": {"command": "echo modest"}, "session": "modest"});
        assert_eq!(server.execute(&modest).body["output"], "modest\n");
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    for answer in &answers {
        eprintln!("{answer}");
        let by = answer["stoppedBy"].as_str();
        let failed = by.is_none() && answer["exitCode"] != 0;
        assert!(
            failed || matches!(by, Some("cell" | "memory" | "wall")),
            "{answer}"
        );
    }
    let again = json!({"tool": "bash", "input": {"command": "echo again"}, "session": "greedy"});
    assert_eq!(server.execute(&again).body["output"], "again\n");
    traces.look(&server);
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), Some(0));
    traces.are_gone(state.path());
}
