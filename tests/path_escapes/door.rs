//! One `hotcell serve` per test, and the plainest HTTP client that can talk to it.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// How long a cold server may take: it compiles the shell and the file tools first.
const READY_MAX: Duration = Duration::from_secs(180);

/// How long one call may take before it counts as hung.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A running server with one session's workspace.
pub struct Door {
    server: Child,
    port: u16,
    token: String,
    /// The session's workspace on the host.
    pub workspace: PathBuf,
    /// Everything of this test on the host.
    pub top: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// 0 when nothing came back in time.
    pub status: u16,
    pub raw: Vec<u8>,
}

impl Answer {
    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.raw).unwrap_or_default()
    }

    /// True for a call that ran and ended well.
    pub fn done(&self) -> bool {
        self.status == 200 && self.body()["exitCode"] == 0
    }

    pub fn output(&self) -> String {
        self.body()["output"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// The compiled guests of all tests, so that only the first one compiles.
pub fn shared_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// A command that runs the binary under test with nothing of this user's own configuration.
pub fn hotcell(top: &Path, secret: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
    command
        .env("HOME", top)
        .env("HOTCELL_STATE", top.join("state"))
        .env("XDG_STATE_HOME", top.join("state-home"))
        .env("HOTCELL_CACHE", shared_cache())
        // A guest that reads its server's environment finds this.
        .env("HOST_SECRET", secret)
        .current_dir(top);
    command
}

impl Door {
    /// Starts a server whose environment holds `secret`.
    pub fn open(secret: &str) -> Self {
        let top = tempfile::Builder::new()
            .prefix("hotcell-escapes-")
            .tempdir_in(place())
            .expect("folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let log = fs::File::create(top.path().join("server.log")).expect("log");
        let server = hotcell(top.path(), secret)
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let mut door = Self {
            server,
            port,
            token: String::new(),
            workspace: PathBuf::new(),
            top,
        };
        door.wait_until_ready();
        door.workspace = door.find_workspace();
        door
    }

    fn wait_until_ready(&mut self) {
        let start = Instant::now();
        let token = self.top.path().join("state/token");
        loop {
            if let Ok(text) = fs::read_to_string(&token) {
                self.token = text.trim().to_owned();
                if self
                    .call(&json!({"tool": "bash", "input": {"command": "true"}}))
                    .done()
                {
                    return;
                }
            }
            let ended = self.server.try_wait().expect("the server's status");
            if ended.is_some() || start.elapsed() > READY_MAX {
                let log = fs::read_to_string(self.top.path().join("server.log"));
                panic!(
                    "the server is not ready ({ended:?}):\n{}",
                    log.unwrap_or_default()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The server does not say where a session's workspace is; a file written there does.
    fn find_workspace(&self) -> PathBuf {
        let name = "where-is-the-workspace";
        let answer = self.tool("write_file", json!({"path": name, "content": "here"}));
        assert!(answer.done(), "{answer:?}");
        let found = find(&self.top.path().join("state"), name).expect("the workspace");
        fs::remove_file(&found).expect("removed");
        found.parent().expect("a folder").to_owned()
    }

    /// Calls one tool.
    pub fn tool(&self, tool: &str, input: Value) -> Answer {
        self.call(&json!({"tool": tool, "input": input}))
    }

    /// Sends one request body.
    pub fn call(&self, body: &Value) -> Answer {
        self.send(body.to_string().as_bytes())
    }

    /// Sends one body as it is.
    pub fn send(&self, body: &[u8]) -> Answer {
        self.exchange(body).unwrap_or_else(|error| Answer {
            status: 0,
            raw: error.to_string().into_bytes(),
        })
    }

    fn exchange(&self, body: &[u8]) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        let head = format!(
            "POST /execute HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.token,
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        // A server that refuses a body early may close before it has read all of it.
        let _ = stream.write_all(body);
        let mut response = Vec::new();
        stream.read_to_end(&mut response)?;
        let end = response
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .unwrap_or(response.len());
        let head = String::from_utf8_lossy(&response[..end]).into_owned();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .unwrap_or(0);
        let raw = response.get(end + 4..).unwrap_or_default().to_vec();
        Ok(Answer { status, raw })
    }

    /// The end of the server's log, for the message of a failed test.
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.top.path().join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if entry.file_name() == name {
            return Some(path);
        }
        if entry.file_type().is_ok_and(|t| t.is_dir())
            && let Some(found) = find(&path, name)
        {
            return Some(found);
        }
    }
    None
}

/// Where the world is built: not below a folder that guests have too, such as `/tmp`, or an
/// absolute host path would be a guest's own.
fn place() -> &'static Path {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let guests_too = ["/tmp", "/usr", "/etc", "/dev", "/bin"];
    match guests_too.iter().any(|top| target.starts_with(top)) {
        true => Path::new("/var/tmp"),
        false => target,
    }
}
