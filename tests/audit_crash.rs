//! AUD-02 and AUD-03: a server is killed at random moments under load, runs out of disk and of
//! descriptors, and loses its log. What a client was answered is in the record, once, and the
//! record holds afterwards. `HOTCELL_FULL=1` kills 300 times.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that fails says so by panicking, and starts the program it tests"
)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hotcell::audit::verify::{Anchors, verify};
use hotcell::audit::{Names, Reader, Record};
use serde_json::{Value, json};

/// Clients that call at the same time.
const CLIENTS: usize = 4;
/// Kills when not all are asked for.
const KILLS: usize = 4;
const KILLS_FULL: usize = 300;

/// A server whose state outlives it.
struct Crashing {
    state: PathBuf,
    cache: PathBuf,
    child: Option<Child>,
    address: String,
}

/// A connection a call; a killed server answers none.
fn call(address: &str, token: &str, body: &Value) -> Option<(u16, Value)> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into();
    let mut answer = agent
        .post(format!("http://{address}/execute"))
        .header("Authorization", format!("Bearer {token}"))
        .send(body.to_string())
        .ok()?;
    let text = answer.body_mut().read_to_string().ok()?;
    Some((answer.status().as_u16(), serde_json::from_str(&text).ok()?))
}

impl Crashing {
    fn new(state: &Path) -> Self {
        let executable = Path::new(env!("CARGO_BIN_EXE_hotcell"));
        let target = executable.ancestors().nth(2).unwrap();
        Self {
            state: state.to_owned(),
            cache: target.join("tmp/audit-crash-cache"),
            child: None,
            address: String::new(),
        }
    }

    fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
        self.start_as(&mut command);
    }

    fn start_as(&mut self, command: &mut Command) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        self.address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.cache.with_extension("log"))
            .unwrap();
        let child = command
            .args(["serve", "--listen", &self.address, "--state"])
            .arg(&self.state)
            .env("HOTCELL_CACHE", &self.cache)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let began = Instant::now();
        while !self.ready() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the server ended at its start: {ended:?}");
            assert!(began.elapsed() < Duration::from_secs(180), "not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ready(&self) -> bool {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(5)))
            .build()
            .into();
        let answer = agent.get(format!("http://{}/readyz", self.address)).call();
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    fn token(&self) -> String {
        let token = std::fs::read_to_string(self.state.join("token")).unwrap();
        token.trim().to_owned()
    }

    fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(self.child.as_ref().unwrap())
    }

    fn end(&mut self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
        self.child.take().unwrap().wait().unwrap();
    }

    fn execute(&self, command: &str) -> Option<(u16, Value)> {
        let body = json!({"tool": "bash", "input": {"command": command}});
        call(&self.address, &self.token(), &body)
    }

    fn names(&self) -> Names {
        Names::new(&self.state.join("audit"), "serve")
    }
}

impl Drop for Crashing {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// Calls from several clients until told to stop; every answer goes to the list.
fn load(
    server: &Crashing,
    answered: &Arc<Mutex<Vec<String>>>,
    stop: &Arc<AtomicBool>,
) -> Vec<std::thread::JoinHandle<()>> {
    let one = |number: usize| {
        let (address, token) = (server.address.clone(), server.token());
        let (answered, stop) = (answered.clone(), stop.clone());
        std::thread::spawn(move || {
            let body = if number.is_multiple_of(2) {
                json!({"tool": "bash", "input": {"command": "echo hi"}})
            } else {
                json!({"tool": "write", "input": {"file_path": "a", "content": "x"}})
            };
            while !stop.load(Ordering::SeqCst) {
                if let Some((200, answer)) = call(&address, &token, &body) {
                    let id = answer["requestId"].as_str().unwrap().to_owned();
                    answered.lock().unwrap().push(id);
                }
            }
        })
    };
    (0..CLIENTS).map(one).collect()
}

/// What the record says, against what clients were answered.
fn check(names: &Names, answered: &[String]) -> String {
    let report = verify(names, &Anchors::default()).unwrap_or_else(|fault| panic!("{fault}"));
    let mut intents = HashSet::new();
    let mut ends = HashMap::new();
    for stored in Reader::open(&names.folder, &names.log).unwrap() {
        let stored = stored.unwrap();
        match stored.record().unwrap().1 {
            Record::Intent(intent) => {
                let id = intent.request_id.into_owned();
                assert!(intents.insert(id.clone()), "{id} has two intents");
            }
            Record::Outcome(outcome) => {
                let id = outcome.request_id.into_owned();
                assert!(
                    ends.insert(id.clone(), "outcome").is_none(),
                    "{id} has two ends"
                );
            }
            Record::Interrupted(call) => {
                let id = call.request_id;
                assert!(
                    ends.insert(id.clone(), "interrupted").is_none(),
                    "{id} has two ends"
                );
            }
            Record::Log(_) => {}
        }
    }
    let unknown: Vec<_> = answered
        .iter()
        .filter(|id| !intents.contains(*id))
        .collect();
    assert!(
        unknown.is_empty(),
        "answered and not in the record: {unknown:?}"
    );
    let open: Vec<_> = intents
        .iter()
        .filter(|id| !ends.contains_key(*id))
        .collect();
    assert!(open.is_empty(), "without an end: {open:?}");
    assert!(
        ends.keys().all(|id| intents.contains(id)),
        "an end without an intent"
    );
    let interrupted = ends.values().filter(|end| **end == "interrupted").count();
    format!(
        "{} answers, {} intents, {interrupted} interrupted, {} records hold",
        answered.len(),
        intents.len(),
        report.next
    )
}

#[test]
fn no_answered_call_is_missing_after_kills_under_load() {
    let place = tempfile::tempdir().unwrap();
    let mut server = Crashing::new(place.path());
    let answered = Arc::new(Mutex::new(Vec::new()));
    let kills = match std::env::var_os("HOTCELL_FULL") {
        Some(_) => KILLS_FULL,
        None => KILLS,
    };
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..kills {
        server.start();
        let stop = Arc::new(AtomicBool::new(false));
        let clients = load(&server, &answered, &stop);
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        std::thread::sleep(Duration::from_micros(20_000 + (random >> 33) % 400_000));
        server.end(rustix::process::Signal::KILL);
        stop.store(true, Ordering::SeqCst);
        for client in clients {
            client.join().unwrap();
        }
    }
    server.start();
    assert_eq!(server.execute("echo hi").unwrap().0, 200);
    server.end(rustix::process::Signal::TERM);
    let told = check(&server.names(), &answered.lock().unwrap());
    assert!(!answered.lock().unwrap().is_empty());
    eprintln!("{kills} kills: {told}");
}

#[test]
fn a_removed_log_stops_calls_and_the_next_start() {
    let place = tempfile::tempdir().unwrap();
    let mut server = Crashing::new(place.path());
    server.start();
    assert_eq!(server.execute("echo hi").unwrap().0, 200);
    std::fs::remove_file(server.names().active()).unwrap();
    assert_eq!(server.execute("echo hi").unwrap().0, 503);
    assert!(!server.ready());
    assert_eq!(
        server.execute("touch made").unwrap().0,
        503,
        "it does not even run"
    );
    server.end(rustix::process::Signal::TERM);
    let output = Command::new(env!("CARGO_BIN_EXE_hotcell"))
        .args(["serve", "--listen", "127.0.0.1:0", "--state"])
        .arg(&server.state)
        .env("HOTCELL_CACHE", &server.cache)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(told.contains("hotcell audit verify"), "{told}");
}

#[test]
fn without_descriptors_calls_are_recorded_or_refused_and_the_log_holds() {
    let place = tempfile::tempdir().unwrap();
    let mut server = Crashing::new(place.path());
    server.start();
    let mut answered = Vec::new();
    let mut take = |answer: Option<(u16, Value)>| match answer {
        Some((200, answer)) => answered.push(answer["requestId"].as_str().unwrap().to_owned()),
        Some((status, answer)) => assert!(status == 503 || status == 429, "{status}: {answer}"),
        None => {}
    };
    take(server.execute("echo hi"));
    let pid = server.pid();
    let used = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()))
        .unwrap()
        .count() as u64;
    // Enough for one connection and little else.
    for room in [4, 1, 0] {
        let limit = rustix::process::Rlimit {
            current: Some(used + room),
            maximum: Some(1024),
        };
        if let Err(error) =
            rustix::process::prlimit(Some(pid), rustix::process::Resource::Nofile, limit)
        {
            eprintln!("SKIPPED: without descriptors: prlimit: {error}");
            return;
        }
        for _ in 0..3 {
            let began = Instant::now();
            let address = server.address.clone();
            let (token, sender) = (server.token(), std::sync::mpsc::channel());
            std::thread::spawn(move || {
                let body = json!({"tool": "bash", "input": {"command": "echo hi > f; cat f"}});
                // Without a descriptor the connection is not even taken; nobody waits for it.
                let _late = sender.0.send(call(&address, &token, &body));
            });
            take(sender.1.recv_timeout(Duration::from_secs(3)).ok().flatten());
            assert!(began.elapsed() < Duration::from_secs(20));
        }
    }
    let limit = rustix::process::Rlimit {
        current: Some(1024),
        maximum: Some(1024),
    };
    rustix::process::prlimit(Some(pid), rustix::process::Resource::Nofile, limit).unwrap();
    let began = Instant::now();
    while !server.ready() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    take(server.execute("echo hi"));
    server.end(rustix::process::Signal::TERM);
    eprintln!("without descriptors: {}", check(&server.names(), &answered));
}

#[test]
fn a_full_disk_refuses_calls_and_the_log_goes_on_when_there_is_room_again() {
    let place = tempfile::tempdir().unwrap();
    let disk = place.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
        .arg(&disk)
        .output();
    match mounted {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let reason = String::from_utf8_lossy(&output.stderr).into_owned();
            eprintln!("SKIPPED: full disk: {}", reason.trim());
            return;
        }
        Err(error) => {
            eprintln!("SKIPPED: full disk: mount: {error}");
            return;
        }
    }
    let _unmount = Mounted(disk.clone());
    let state = place.path().join("state");
    std::fs::create_dir(&state).unwrap();
    // Only the record is on the small disk.
    std::os::unix::fs::symlink(&disk, state.join("audit")).unwrap();
    std::fs::write(state.join("hotcell.toml"), "record_reserve = \"1MiB\"\n").unwrap();
    let mut server = Crashing::new(&state);
    server.start();
    let mut answered = Vec::new();
    let mut take = |answer: Option<(u16, Value)>| {
        let (status, answer) = answer.unwrap();
        if status == 200 {
            answered.push(answer["requestId"].as_str().unwrap().to_owned());
        }
        status
    };
    // The ballast takes what the server has not reserved.
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![0; 64 << 10]).unwrap();
    let filled = std::fs::File::options()
        .append(true)
        .open(&ballast)
        .unwrap();
    while std::io::Write::write(&mut &filled, &[0; 4096]).is_ok_and(|count| count > 0) {}
    let long = format!("true {}", "x".repeat(4000));
    let began = Instant::now();
    let mut refused = 0;
    while refused < 3 {
        refused += usize::from(take(server.execute(&long)) == 503);
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "a full disk refuses no call"
        );
    }
    assert!(!server.ready());
    drop(filled);
    std::fs::remove_file(&ballast).unwrap();
    let began = Instant::now();
    while !server.ready() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "not ready with room again"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(take(server.execute("echo hi")), 200);
    server.end(rustix::process::Signal::TERM);
    eprintln!("full disk: {}", check(&server.names(), &answered));
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _left = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
