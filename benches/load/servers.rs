//! The servers under measurement, each a process of its own with a token and a free port.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::client::Client;

/// How long a cold server may take until it answers: guests are compiled on first start.
const READY_TIME_MAX: Duration = Duration::from_secs(300);

/// A running server; dropping it ends the process.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub token: String,
    /// Its state folder, for Hotcell.
    state: Option<tempfile::TempDir>,
}

impl Server {
    /// Starts `hotcell serve` and waits until every guest is compiled.
    pub fn hotcell() -> anyhow::Result<Self> {
        Self::hotcell_as(Path::new(env!("CARGO_BIN_EXE_hotcell")))
    }

    /// As [`Self::hotcell`], with another build of the program.
    pub fn hotcell_as(executable: &Path) -> anyhow::Result<Self> {
        Self::start(Command::new(executable))
    }

    /// As [`Self::hotcell`], with this policy in force.
    #[allow(dead_code, reason = "one bench of several has a policy of its own")]
    pub fn hotcell_ruled(policy: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
        command.env("HOTCELL_POLICY", policy);
        Self::start(command)
    }

    fn start(mut command: Command) -> anyhow::Result<Self> {
        let target = target_folder()?;
        let state = tempfile::tempdir_in(&target)?;
        let address = free_address()?;
        let log = std::fs::File::create(target.join("bench-hotcell.log"))?;
        let cache = target.join("bench-cache");
        let child = command
            .args(["serve", "--listen", &address.to_string(), "--state"])
            .arg(state.path())
            .env("HOTCELL_CACHE", &cache)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("hotcell serve")?;
        let mut server = Self {
            child,
            address,
            token: String::new(),
            state: Some(state),
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Starts the Express peer in `folder`, where `npm ci` has run, over the files in `root`.
    pub fn express(folder: &Path, root: &Path) -> anyhow::Result<Self> {
        ensure!(
            folder.join("node_modules").is_dir(),
            "{} has no node_modules: .ci/measure installs it",
            folder.display()
        );
        let token = "measured-side-by-side".to_owned();
        let mut child = Command::new("node")
            .arg(folder.join("server.js"))
            .arg(root)
            .env("TOKEN", &token)
            .env("NODE_ENV", "production")
            .stderr(Stdio::piped())
            .spawn()
            .context("node")?;
        let stderr = child.stderr.take().context("a pipe was asked for")?;
        let mut line = String::new();
        BufReader::new(stderr).read_line(&mut line)?;
        let address = line
            .trim()
            .strip_prefix("ready on ")
            .with_context(|| format!("the peer did not start: {line}"))?
            .parse()?;
        Ok(Self {
            child,
            address,
            token,
            state: None,
        })
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let state = self.state.as_ref().context("only Hotcell has a state")?;
        let token = state.path().join("token");
        let started = Instant::now();
        while started.elapsed() < READY_TIME_MAX {
            if let Some(status) = self.child.try_wait()? {
                bail!("hotcell serve ended: {status}; see target/bench-hotcell.log");
            }
            if let Ok(mut client) = Client::connect(self.address)
                && client
                    .exchange(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    .is_ok_and(|answer| answer.status == 200)
            {
                self.token = std::fs::read_to_string(&token)?.trim().to_owned();
                if self.compiles()? {
                    std::thread::sleep(Duration::from_millis(200));
                    continue;
                }
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("hotcell serve was not ready within {READY_TIME_MAX:?}")
    }

    /// Whether guests are still being compiled beside the calls: a server is ready before.
    fn compiles(&self) -> anyhow::Result<bool> {
        let pid = self.child.id();
        let mut children = String::new();
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = task?.path().join("children");
            // A thread may end while we look.
            children += &std::fs::read_to_string(path).unwrap_or_default();
        }
        Ok(children.split_whitespace().any(|child| {
            let command = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            command
                .split(|&byte| byte == 0)
                .any(|word| word == b"compile")
        }))
    }

    /// Makes a session of Hotcell and returns the host folder of its workspace.
    pub fn open_session(&self, name: &str) -> anyhow::Result<PathBuf> {
        let state = self.state.as_ref().context("only Hotcell has sessions")?;
        let request = format!(
            "POST /sessions/{name} HTTP/1.1\r\nHost: localhost\r\n\
             Authorization: Bearer {}\r\nContent-Length: 0\r\n\r\n",
            self.token
        );
        let mut client = Client::connect(self.address)?;
        let answer = client.exchange(request.as_bytes())?;
        let text = String::from_utf8_lossy(answer.body);
        ensure!(
            matches!(answer.status, 200 | 201),
            "no session {name}: {text}"
        );
        std::fs::read_dir(state.path().join("sessions"))?
            .filter_map(|agent| Some(agent.ok()?.path().join(name).join("workspace")))
            .find(|path| path.is_dir())
            .with_context(|| format!("no folder of session {name}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(5) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The build folder our own executable lies in: on a disk, and ignored by git.
pub fn target_folder() -> anyhow::Result<PathBuf> {
    let executable = Path::new(env!("CARGO_BIN_EXE_hotcell"));
    let folder = executable.ancestors().nth(2).context("no target folder")?;
    Ok(folder.to_owned())
}
