//! Cells die under load in every way: whoever waited is told so by a name, nobody else notices,
//! and nothing of them is left.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::all_of_it;
use crate::process::{Server, eventually};
use crate::traces::{Traces, is_cell, is_sealed};

/// Deaths when not all are asked for.
const DEATHS: usize = 20;
const DEATHS_FULL: usize = 200;
const CLIENTS: usize = 8;
const SESSIONS: usize = 10;
/// What a cell may have where one is to run out of it.
const CELL_MEMORY: &str = "cell_memory = \"256MiB\"\n";
/// Wants more than that in several processes, and less in each than a process may have.
const GREEDY: &str =
    "for i in 1 2 3; do head -c 100000000 /dev/zero | tail -c 100000000 | sleep 1 & done; wait";
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

fn send(process: u32, signal: Signal) {
    let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    // It may have ended since it was listed.
    let _gone = kill_process(process, signal);
}

/// Has a process run into a fault: a signal that is only sent does not end the first process of a
/// namespace. Where its thread waits in the kernel, what it returns to is overwritten. Answers
/// whether that could be done.
fn fault(process: u32) -> bool {
    // xor eax, eax; mov [rax], eax
    const FAULT: [u8; 4] = [0x31, 0xc0, 0x89, 0x00];
    let memory = std::fs::File::options()
        .write(true)
        .open(format!("/proc/{process}/mem"));
    let Ok(memory) = memory else { return false };
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let call = std::fs::read_to_string(task.path().join("syscall")).unwrap_or_default();
        let address = call.split_whitespace().last();
        let address = address.and_then(|text| text.strip_prefix("0x"));
        let address = address.and_then(|text| u64::from_str_radix(text, 16).ok());
        if address.is_some_and(|address| memory.write_all_at(&FAULT, address).is_ok()) {
            return true;
        }
    }
    false
}

/// What calls came to.
#[derive(Default)]
struct Count {
    answered: AtomicUsize,
    died: AtomicUsize,
    /// Were ended at their wall limit, beside a neighbour that took the machine's time.
    late: AtomicUsize,
}

/// A call for one session; the answer must have a name we know.
fn checked_call(server: &Server, (session, number): (usize, usize), count: &Count) {
    let command = match number % 4 {
        0 => "sleep 0.1",
        1 => "ls / > /dev/null",
        2 => "seq 1 20000 | sort -n | tail -n 1 > /dev/null",
        _ => "sleep 0.05 | cat",
    };
    let call = json!({
        "tool": "bash", "input": {"command": format!("echo {number} >> ran; {command}; echo done-{number}")},
        "session": format!("s{session}"), "timeoutMs": TIMEOUT_MS,
    });
    let began = Instant::now();
    let reply = server.execute(&call);
    let took = began.elapsed();
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
        Some("wall") => _ = count.late.fetch_add(1, Ordering::Relaxed),
        Some(_) => panic!("{body}"),
    }
}

/// A call that wants more memory than its cell may have.
fn greedy_call(server: &Server, session: usize) {
    let reply = server.execute(&json!({
        "tool": "bash", "input": {"command": GREEDY},
        "session": format!("s{session}"), "timeoutMs": 2 * TIMEOUT_MS,
    }));
    assert_eq!(reply.status, 200, "{}", reply.body);
    // Its limits may be quicker than the kernel, on a slow machine.
    let by = reply.body["stoppedBy"].as_str();
    let named = matches!(by, Some("cell" | "memory" | "wall"));
    // Or they are refused one by one, and the shell goes on.
    let error = reply.body["error"].as_str().unwrap_or_default();
    let refused = by.is_none() && error.contains("memory allocation of");
    assert!(named || refused, "{}", reply.body);
}

/// Cells that the kernel ended for their memory.
fn exhausted(server: &Server) -> usize {
    let log = server.log.lock().unwrap();
    log.matches("a cell ran out of memory").count()
}

/// Every call's mark: none ran twice, and those that were answered ran.
fn ran_once(server: &Server, answered: usize) {
    let mut ran = Vec::new();
    for session in 0..SESSIONS {
        let session = format!("sessions/default/s{session}/workspace/ran");
        let text = std::fs::read_to_string(server.state.join(session)).unwrap();
        ran.extend(text.lines().map(str::to_owned));
    }
    let different: BTreeSet<_> = ran.iter().collect();
    assert_eq!(different.len(), ran.len(), "a call ran twice: {ran:?}");
    assert!(ran.len() >= answered, "{answered} answered, {}", ran.len());
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

/// Ends one cell in the way whose turn it is; answers how.
fn end_one(number: usize, cells: BTreeSet<u32>) -> Option<&'static str> {
    let hangs = number % 4 == 2;
    // A spare that hangs is a test of its own below.
    let cells = cells
        .into_iter()
        .filter(|cell| !hangs || is_sealed(*cell))
        .collect();
    let cell = picked(&cells, number)?;
    match number % 4 {
        1 if fault(cell) => Some("fault"),
        0 | 1 => {
            send(cell, Signal::KILL);
            Some("killed")
        }
        _ => {
            send(cell, Signal::STOP);
            Some("hung")
        }
    }
}

#[test]
fn cells_that_are_killed_under_load_harm_only_their_own_calls() {
    let deaths = if all_of_it() { DEATHS_FULL } else { DEATHS };
    let mut traces = Traces::before();
    let state = tempfile::tempdir().unwrap();
    std::fs::write(state.path().join("hotcell.toml"), CELL_MEMORY).unwrap();
    let mut server = Server::start(state.path());
    let count = Count::default();
    for session in 0..SESSIONS {
        create(&server, &format!("s{session}"));
        // Far from the numbers of the calls under load.
        checked_call(&server, (session, 1_000_000 + session), &count);
    }
    traces.may_keep(state.path());
    let stop = AtomicBool::new(false);
    let mut done = BTreeMap::new();
    std::thread::scope(|scope| {
        let (server, stop, count) = (&server, &stop, &count);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(move || load(server, client, stop, count)))
            .collect();
        for number in 0.. {
            let failed = clients.iter().any(|client| client.is_finished());
            // A client that has failed says so when it is joined.
            if failed || done.values().sum::<usize>() + exhausted(server) >= deaths {
                break;
            }
            std::thread::sleep(PAUSE);
            let cells = traces.look(server);
            if number % 4 == 3 {
                scope.spawn(move || greedy_call(server, number % SESSIONS));
            } else if let Some(how) = end_one(number, cells) {
                *done.entry(how).or_insert(0) += 1;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Hung cells without calls may be left; the next call in one ends it. Then none fails.
    for session in 0..SESSIONS {
        checked_call(&server, (session, 2_000_000 + session), &count);
    }
    let [died, answered] =
        [&count.died, &count.answered].map(|count| count.load(Ordering::Relaxed));
    for session in 0..SESSIONS {
        checked_call(&server, (session, 3_000_000 + session), &count);
    }
    let late = count.late.load(Ordering::Relaxed);
    let exhausted = exhausted(&server);
    eprintln!(
        "{done:?}, {exhausted} out of memory; {answered} calls answered, {died} told \
         that their cell died, {late} ended at their limit, none refused"
    );
    assert_eq!(
        count.died.load(Ordering::Relaxed),
        died,
        "a later call fails"
    );
    assert!(answered > deaths, "{answered} calls are no load");
    assert!(died > 0, "no death hit a call");
    if server.readiness()["confinement"] == "full" {
        assert!(exhausted > 0, "no cell ran out of memory");
    }
    ran_once(&server, answered);
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
    let again = server.bash("echo again");
    assert_eq!(again["output"], "again\n", "{again}");
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

/// Every other process dies while it comes up: a call waits for one that lives.
#[test]
fn a_call_gets_a_cell_though_processes_die_while_they_start() {
    let calls = if all_of_it() { 100 } else { 20 };
    let mut traces = Traces::before();
    let state = tempfile::tempdir().unwrap();
    let mut server = Server::start(state.path());
    let (stop, killed, answered) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut seen, mut number) = (server.cells(), 0);
            while !stop.load(Ordering::Relaxed) {
                let new: Vec<_> = traces.look(&server).difference(&seen).copied().collect();
                for process in new {
                    seen.insert(process);
                    number += 1;
                    if number % 2 == 0 && !is_sealed(process) {
                        send(process, Signal::KILL);
                        killed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let call = |session: String| {
            create(&server, &session);
            let call =
                json!({"tool": "bash", "input": {"command": "echo here"}, "session": session});
            let reply = server.execute(&call);
            // Never refused; a look that came late may have hit a cell at work.
            assert_eq!(reply.status, 200, "{}", reply.body);
            match reply.body["stoppedBy"].as_str() {
                None => assert_eq!(reply.body["output"], "here\n", "{}", reply.body),
                by => assert_eq!(by, Some("cell"), "{}", reply.body),
            }
            answered.fetch_add(
                usize::from(reply.body["output"] == "here\n"),
                Ordering::Relaxed,
            );
        };
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| {
            (0..calls).for_each(|number| call(format!("s{number}")));
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panicked) = done {
            std::panic::resume_unwind(panicked);
        }
    });
    let [killed, answered] = [&killed, &answered].map(|count| count.load(Ordering::Relaxed));
    eprintln!("{killed} processes died while they started, {answered} of {calls} calls answered");
    assert!(killed >= calls / 4, "{killed} deaths are none");
    assert!(answered * 10 >= calls * 9, "{answered} of {calls} answered");
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), Some(0));
    traces.are_gone(state.path());
}
