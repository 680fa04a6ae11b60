//! Starts one `hotcell serve` with a state folder of its own and calls it over HTTP.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a cold server may take until it answers calls: guests are compiled on first start.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// How long any one HTTP exchange may take.
const EXCHANGE_WITHIN: Duration = Duration::from_secs(90);

/// A running server; dropping it ends the process.
pub struct Server {
    child: Child,
    state: tempfile::TempDir,
    address: String,
    token: String,
    agent: ureq::Agent,
    log: Arc<Mutex<Vec<u8>>>,
}

/// One HTTP answer.
#[derive(Debug)]
pub struct HttpAnswer {
    pub status: u16,
    pub body: serde_json::Value,
}

impl Server {
    /// Starts a server on a free port and waits until it is ready.
    #[allow(dead_code, reason = "one suite starts it traced only")]
    pub fn start() -> Result<Self, String> {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_hotcell")))
    }

    /// As [`Self::start`], with more variables in the server's environment.
    #[allow(dead_code, reason = "one suite brings guests of its own")]
    pub fn start_with(environment: &[(&str, &std::path::Path)]) -> Result<Self, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
        command.envs(environment.iter().copied());
        Self::start_as(command)
    }

    /// As [`Self::start`], with every program start of it and its children written to `trace`.
    #[allow(dead_code, reason = "one suite traces")]
    pub fn start_traced(trace: &std::path::Path) -> Result<Self, String> {
        let mut command = Command::new("strace");
        command.args([
            "-y",
            "-z", // what was executed, not what the self-attack was refused
            "-f",
            "-qq",
            "-s",
            "4096",
            "-e",
            "trace=execve,execveat",
            "-o",
        ]);
        command.arg(trace).arg(env!("CARGO_BIN_EXE_hotcell"));
        Self::start_as(command)
    }

    fn start_as(mut command: Command) -> Result<Self, String> {
        warm()?;
        let state = tempfile::tempdir().map_err(|error| format!("no state folder: {error}"))?;
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(|error| format!("no free port: {error}"))?
            .port();
        let address = format!("127.0.0.1:{port}");
        let mut child = command
            .args(["serve", "--listen", &address, "--state"])
            .arg(state.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("hotcell serve: {error}"))?;
        let log = collect(&mut child);
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(EXCHANGE_WITHIN))
            .max_idle_connections_per_host(8)
            .build()
            .into();
        let mut server = Self {
            child,
            state,
            address,
            token: String::new(),
            agent,
            log: Arc::clone(&log),
        };
        server.wait_until_ready().map_err(|reason| {
            let log = log
                .lock()
                .map(|log| String::from_utf8_lossy(&log).into_owned())
                .unwrap_or_default();
            format!("hotcell serve {reason}; it printed:\n{log}")
        })?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return Err(format!("ended at once ({status})"));
            }
            if let Ok(token) = std::fs::read_to_string(self.state.path().join("token")) {
                self.token = token.trim().to_owned();
                if self
                    .call("GET", "/readyz", None)
                    .is_ok_and(|answer| answer.status == 200)
                {
                    return Ok(());
                }
            }
            if started.elapsed() > READY_WITHIN {
                return Err(format!("was not ready within {READY_WITHIN:?}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes one HTTP call with the server's token.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<HttpAnswer, String> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Content-Type", "application/json")
            .body(body.map(ToString::to_string).unwrap_or_default())
            .map_err(|error| error.to_string())?;
        let mut response = self
            .agent
            .run(request)
            .map_err(|error| format!("{method} {path}: {error}"))?;
        let status = response.status().as_u16();
        let text = response
            .body_mut()
            .read_to_string()
            .map_err(|error| format!("{method} {path}: {error}"))?;
        let body = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
        Ok(HttpAnswer { status, body })
    }

    /// The first lines that the server and its cells printed.
    #[allow(dead_code, reason = "not every suite reads the log")]
    pub fn log(&self) -> String {
        let log = self.log.lock().map(|log| log.clone()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The server's process.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// The server's state folder.
    #[allow(dead_code, reason = "not every suite looks at it")]
    pub fn state(&self) -> &std::path::Path {
        self.state.path()
    }

    /// Where a session of the first token has its files on the host.
    #[allow(dead_code, reason = "not every suite looks at files")]
    pub fn workspace(&self, session: &str) -> Result<std::path::PathBuf, String> {
        let agents = self.state.path().join("sessions");
        let entries =
            std::fs::read_dir(&agents).map_err(|error| format!("{}: {error}", agents.display()))?;
        entries
            .filter_map(|agent| Some(agent.ok()?.path().join(session).join("workspace")))
            .find(|path| path.is_dir())
            .ok_or_else(|| format!("no folder of session {session:?} in {}", agents.display()))
    }

    /// Runs one tool call.
    pub fn execute(&self, request: &serde_json::Value) -> Result<HttpAnswer, String> {
        self.call("POST", "/execute", Some(request))
    }

    /// Makes a session with an empty workspace.
    #[allow(dead_code, reason = "not every suite makes sessions")]
    pub fn open_session(&self, name: &str) -> Result<(), String> {
        let path = format!("/sessions/{name}");
        let answer = self.call("POST", &path, None)?;
        match answer.status {
            200 | 201 => Ok(()),
            status => Err(format!("POST {path}: HTTP {status}: {}", answer.body)),
        }
    }

    /// Removes a session and its workspace; a failure shows when the name is used again.
    #[allow(dead_code, reason = "not every suite makes sessions")]
    pub fn close_session(&self, name: &str) {
        let _ = self.call("DELETE", &format!("/sessions/{name}"), None);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A polite end first, so that its cells end with it.
        // strace would leave what it traces running: the server itself is told.
        let pid = self.pid().as_raw_nonzero();
        let about = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
        let traced = about("comm").is_ok_and(|name| name.trim() == "strace");
        let children = about(&format!("task/{pid}/children")).unwrap_or_default();
        let server = children.split_whitespace().find_map(|pid| pid.parse().ok());
        let server = server
            .filter(|_| traced)
            .and_then(rustix::process::Pid::from_raw);
        let server = server.unwrap_or_else(|| self.pid());
        let _ = rustix::process::kill_process(server, rustix::process::Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(5) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps what the server prints, for the message of a failed start.
fn collect(child: &mut Child) -> Arc<Mutex<Vec<u8>>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|stream| Box::new(stream) as _),
        child.stderr.take().map(|stream| Box::new(stream) as _),
    ];
    for mut stream in streams.into_iter().flatten() {
        let log = Arc::clone(&log);
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut chunk) {
                let Ok(mut log) = log.lock() else { return };
                // The first lines tell why a start failed; the rest would only grow.
                if log.len() < 64 << 10 {
                    log.extend(chunk.iter().take(count));
                }
            }
        });
    }
    log
}

/// Has every guest compiled first, so that no case waits for a compiler.
fn warm() -> Result<(), String> {
    let warmed = Command::new(env!("CARGO_BIN_EXE_hotcell"))
        .arg("warm")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("hotcell warm: {error}"))?;
    match warmed.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&warmed.stderr).into_owned()),
    }
}
