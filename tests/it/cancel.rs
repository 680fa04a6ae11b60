//! Calls that end at any moment: a client that hangs up, a wall limit, a stopping server. Each has
//! one intent and one outcome, and nothing stays stuck (WASM-10).
//!
//! 240 calls; `HOTCELL_FULL=1` makes it 5,000.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{Server, eventually, hang_up, read_reply};

const CLIENTS: usize = 6;

/// What guests wait in, work in, and hold when their end comes.
const SCRIPTS: &[&str] = &[
    "sleep 1000",
    "while :; do :; done",
    "yes | cat | cat >/dev/null",
    "for i in {1..1000}; do (echo $i; exit 3) | wc -l; done",
    "x=$(for i in {1..100000}; do echo $i; done); echo ${#x}",
    "for i in {1..1000}; do echo $i > f$i; mv f$i g; ln -f g h; rm -f g h; done",
    "head -c 100000000 /dev/zero | sort | tail -c 1",
    "mkfifo p 2>/dev/null; exec 3< <(sleep 1000); read x <&3",
    "for i in {1..64}; do sleep 1000 & done; wait",
    "trap '' TERM INT; find / | sort -r | head -5; yes",
    "head -c 50000000 /dev/urandom > big; cp big big2; cat big big2 | gzip | wc -c",
    "f() { f & wait; }; f",
];

#[derive(Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

#[test]
fn a_call_that_ends_at_any_moment_has_one_record_and_leaves_nothing_stuck() {
    let full = std::env::var_os("HOTCELL_FULL").is_some();
    let calls = if full { 5_000 } else { 240 };
    let state = tempfile::tempdir().unwrap();
    let mut server = Server::start(state.path());
    for client in 0..CLIENTS {
        let path = format!("/sessions/c{client}");
        assert_eq!(server.request("POST", &path).status, 201);
    }
    let cells = server.cells();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, next) = (&server, &next);
            scope.spawn(move || {
                let mut random = Random(0x2545_f491_4f6c_dd1d ^ (client as u64 + 1));
                while next.fetch_add(1, Ordering::Relaxed) < calls {
                    one_call(server, client, &mut random);
                }
            });
        }
    });
    eventually("every call has ended", || {
        server.bash("echo fine")["output"] == "fine\n" && open_calls(state.path()).1.is_empty()
    });
    let log = server.log.lock().unwrap().clone();
    assert!(!log.contains("panicked"), "{log}");
    assert!(cells.is_subset(&server.cells()), "a cell died: {log}");
    // And once more for those that run when the server stops.
    let running: Vec<_> = SCRIPTS
        .iter()
        .zip((0..CLIENTS).cycle())
        .map(|(script, client)| server.begin("POST", "/execute", "", &call(client, script, None)))
        .collect();
    std::thread::sleep(Duration::from_millis(30));
    server.signal(Signal::TERM);
    server.wait();
    drop(running);
    let (known, open) = open_calls(state.path());
    assert_eq!(open, BTreeMap::new());
    // Some hang up before they are admitted.
    assert!(known > calls / 2, "{known} calls recorded of {calls}");
}

fn call(client: usize, script: &str, timeout_ms: Option<u64>) -> String {
    let mut call = json!({
        "tool": "bash",
        "input": {"command": script},
        "session": format!("c{client}"),
    });
    if let Some(timeout_ms) = timeout_ms {
        call["timeoutMs"] = timeout_ms.into();
    }
    call.to_string()
}

fn one_call(server: &Server, client: usize, random: &mut Random) {
    let script = SCRIPTS[random.below(SCRIPTS.len() as u64) as usize];
    let moment = Duration::from_micros(random.below(40_000));
    let streamed = "Accept: text/event-stream\r\n";
    let headers = if random.below(2) == 0 { streamed } else { "" };
    if random.below(3) == 0 {
        let timeout_ms = 1 + random.below(40);
        let stream = server.begin(
            "POST",
            "/execute",
            "",
            &call(client, script, Some(timeout_ms)),
        );
        let reply = read_reply(&mut std::io::BufReader::new(stream));
        assert_eq!(reply.status, 200, "{script}: {}", reply.body);
        return;
    }
    let stream = server.begin("POST", "/execute", headers, &call(client, script, None));
    std::thread::sleep(moment);
    hang_up(&stream);
}

/// How many calls are recorded, and those that do not have exactly one intent and one outcome, with
/// how many of each.
fn open_calls(state: &Path) -> (usize, BTreeMap<String, (usize, usize)>) {
    let mut calls: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for entry in std::fs::read_dir(state.join("audit")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "jsonl")
        {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        // The last line may be on its way to the disk.
        for line in text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let record: Value = serde_json::from_str(line).unwrap();
            let Some(id) = record["requestId"].as_str() else {
                continue;
            };
            let counts = calls.entry(id.to_owned()).or_default();
            match record["event"].as_str() {
                Some("intent") => counts.0 += 1,
                Some("outcome") => counts.1 += 1,
                _ => {}
            }
        }
    }
    let known = calls.len();
    calls.retain(|_, counts| *counts != (1, 1));
    (known, calls)
}
