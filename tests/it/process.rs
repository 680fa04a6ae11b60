//! Starts the real program and speaks plain HTTP/1.1 to it, so that a test can hang up, dawdle
//! or say things that no client library would.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for anything that should happen "soon", guests compiled included.
pub(crate) const SOON: Duration = Duration::from_secs(120);

pub(crate) struct Server {
    child: Child,
    pub(crate) state: PathBuf,
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) ready_line: String,
    /// What the server wrote to its standard error after the ready line.
    pub(crate) log: Arc<Mutex<String>>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Value,
}

/// The program with its cache of compiled guests shared by all tests, and filled by the first.
pub(crate) fn hotcell(state: &Path) -> Command {
    static WARM: Once = Once::new();
    WARM.call_once(|| {
        let state = tempfile::tempdir().unwrap();
        let status = uncached(state.path())
            .arg("warm")
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "the guests cannot be compiled");
    });
    uncached(state)
}

fn uncached(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
    command
        .env("HOTCELL_STATE", state)
        .env("HOTCELL_CACHE", shared_cache());
    command
}

/// The cache of compiled guests that all tests share.
pub(crate) fn shared_cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

impl Server {
    pub(crate) fn start(state: &Path) -> Self {
        Self::start_as(state, hotcell(state))
    }

    /// As [`Self::start`], by a command that runs the program with the arguments it is given.
    pub(crate) fn start_as(state: &Path, mut command: Command) -> Self {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut ready_line = String::new();
        while !ready_line.starts_with("hotcell ready") {
            ready_line.clear();
            let count = log.read_line(&mut ready_line).unwrap();
            assert!(count > 0, "the server ended before it was ready");
        }
        let lines = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let address = ready_line
            .split("http://")
            .nth(1)
            .unwrap()
            .split(',')
            .next()
            .unwrap();
        let token = std::fs::read_to_string(state.join("token")).unwrap();
        Self {
            child,
            state: state.to_owned(),
            address: address.to_owned(),
            token: token.trim_end().to_owned(),
            ready_line,
            log: lines,
        }
    }

    pub(crate) fn execute(&self, body: &Value) -> Reply {
        self.execute_with("", body)
    }

    /// Sends a call with more header lines, each ended by CRLF.
    pub(crate) fn execute_with(&self, headers: &str, body: &Value) -> Reply {
        read_reply(&mut BufReader::new(self.begin(
            "POST",
            "/execute",
            headers,
            &body.to_string(),
        )))
    }

    pub(crate) fn bash(&self, command: &str) -> Value {
        let reply =
            self.execute(&serde_json::json!({"tool": "bash", "input": {"command": command}}));
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Reply {
        read_reply(&mut BufReader::new(self.begin(method, path, "", "")))
    }

    pub(crate) fn readiness(&self) -> Value {
        self.request("GET", "/readyz").body
    }

    /// Sends a request and leaves the answer to the caller.
    pub(crate) fn begin(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let (token, length) = (&self.token, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\
             {headers}Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        stream
    }

    pub(crate) fn record(&self) -> Vec<Value> {
        let text =
            std::fs::read_to_string(self.state.join("audit/serve.jsonl")).unwrap_or_default();
        // Behind the last record lies a blank.
        text.trim_end_matches('\0')
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            // What the log says of itself is not a call's.
            .filter(|line: &Value| line["event"] == "intent" || line["event"] == "outcome")
            .collect()
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.state.join("sessions/default/default/workspace")
    }

    /// The server's cell processes, children of its children included.
    pub(crate) fn cells(&self) -> BTreeSet<u32> {
        let (mut cells, mut left) = (BTreeSet::new(), vec![self.process()]);
        while let Some(process) = left.pop() {
            let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else {
                continue;
            };
            for thread in threads.flatten() {
                let children = thread.path().join("children");
                let children = std::fs::read_to_string(children).unwrap_or_default();
                left.extend(
                    children
                        .split_ascii_whitespace()
                        .map(|pid| pid.parse::<u32>().unwrap()),
                );
            }
            let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            if line.split(|&byte| byte == 0).nth(1) == Some(b"cell") {
                cells.insert(process);
            }
        }
        cells
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .unwrap();
    }

    /// Waits for the server's end and answers its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let started = Instant::now();
        while started.elapsed() < SOON {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server did not end");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub(crate) fn read_reply(stream: &mut BufReader<TcpStream>) -> Reply {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    let status = line
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("no status in `{line}`"));
    let status = status.parse().unwrap();
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        line.clear();
        stream.read_line(&mut line).unwrap();
        let header = line.trim_end().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        headers.push(header);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    Reply {
        status,
        headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

pub(crate) fn hang_up(stream: &TcpStream) {
    stream.shutdown(Shutdown::Both).unwrap();
}

/// Asks until the answer is yes.
#[track_caller]
pub(crate) fn eventually(what: &str, mut question: impl FnMut() -> bool) {
    let started = Instant::now();
    while !question() {
        assert!(started.elapsed() < SOON, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
