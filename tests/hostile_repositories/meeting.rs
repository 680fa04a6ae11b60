//! A hostile repository made and met, plainly and confined.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::outside::{Contents, Outside, contents, holds};
use crate::server::Server;
use crate::tools::Tools;
use crate::{Probe, Tool};

const PRELUDE: &str = include_str!("prelude.sh");
/// What a hostile program says when it runs; nothing that makes one holds it.
const RAN: &str = "payload-ran";
/// Where a confined program sees the repository.
const SEEN: &str = "/workspace/repo";

/// What came of one repository.
#[derive(Debug)]
pub struct Met {
    /// What was seen outside the confinement.
    pub plainly: Vec<&'static str>,
    /// What was seen in spite of it.
    pub holes: Vec<String>,
    /// Hostile code was seen to run in it.
    pub ran: bool,
    /// The confined program's end.
    pub said: String,
}

/// The servers that confined programs run under.
pub struct Grounds<'a> {
    tools: &'a Tools,
    git: Server,
    builds: Server,
    secret: String,
    /// What else is secret on this machine, and may be read by root.
    shadow: Option<String>,
    made: AtomicUsize,
    _policies: tempfile::TempDir,
}

/// What a command did, as it says itself.
struct Said {
    text: String,
    code: i64,
}

impl<'a> Grounds<'a> {
    pub fn prepare(tools: &'a Tools, probes: &[&Probe]) -> Self {
        let secret = format!("canary{:016x}", rand_number());
        let policies = tempfile::tempdir().unwrap();
        let serve = |name: &str, text: String| {
            let file = policies.path().join(name);
            std::fs::write(&file, text).unwrap();
            let variables = [
                ("HOTCELL_POLICY", &*file),
                ("HOSTILE_CANARY", Path::new(&secret)),
            ];
            Server::start_with(&variables).unwrap()
        };
        let shadow = std::fs::read_to_string("/etc/shadow").ok();
        let builds = probes.iter().filter(|probe| probe.tool != Tool::Git);
        let commands = builds.map(|probe| probe.command);
        Self {
            tools,
            git: serve("git.toml", Tools::git_policy()),
            builds: serve("builds.toml", tools.build_policy(commands)),
            shadow: shadow.and_then(|text| text.lines().next().map(str::to_owned)),
            secret,
            made: AtomicUsize::new(0),
            _policies: policies,
        }
    }

    pub fn meet(&self, probe: &Probe) -> Met {
        let plainly = self.plainly(probe);
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let server = self.server(probe);
        let session = format!("s{number}");
        server.open_session(&session).unwrap();
        let workspace = server.workspace(&session).unwrap();
        let outside = Outside::make(&self.secret, number);
        self.make(probe, &workspace, SEEN, &outside);
        own(&workspace);
        let (before, repository) = (around(&outside), contents(&workspace));
        for text in self.secrets().chain([RAN]) {
            let name = probe.name;
            assert!(
                !holds(&repository, text),
                "{name} is made with {text} in it"
            );
        }
        let command = format!("cd {SEEN} && {}", self.tools.command(probe.command));
        let call = json!({"tool": "bash", "input": {"command": command}, "session": session});
        let answer = server.execute(&call).unwrap();
        let text = format!("{}", answer.body);
        let mut holes = Vec::new();
        let mut is_hole = |hole: bool, what: &str| {
            if hole {
                holes.push(format!("{what}: {text}"));
            }
        };
        let after = contents(&workspace);
        is_hole(!outside.left().is_empty(), "a process is left");
        is_hole(around(&outside) != before, "something outside changed");
        is_hole(outside.calls() > 0, "somebody outside was called");
        for secret in self.secrets() {
            let read = text.contains(secret) || holds(&after, secret);
            is_hole(read, "a secret was read");
        }
        let ran = text.contains(RAN) || holds(&after, RAN);
        if probe.tool == Tool::Git {
            is_hole(ran, "what the repository names ran");
        } else {
            is_hole(after != repository, "the workspace changed");
        }
        // What did not even start proves nothing.
        let denied = [
            "no rule allows",
            "is not started",
            "dubious ownership",
            "these flags run",
        ];
        let refused = answer.status != 200 || denied.iter().any(|part| text.contains(part));
        is_hole(refused, "it did not run at all");
        let error = answer.body["error"].as_str().unwrap_or_default();
        let first: String = error
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(90)
            .collect();
        Met {
            plainly,
            holes,
            ran,
            said: format!("{} {first}", answer.body["exitCode"]),
        }
    }

    /// The server whose policy allows the probe's command.
    fn server(&self, probe: &Probe) -> &Server {
        if probe.tool == Tool::Git {
            &self.git
        } else {
            &self.builds
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        [Some(&*self.secret), self.shadow.as_deref()]
            .into_iter()
            .flatten()
    }

    /// What is seen where the plain program meets it.
    fn plainly(&self, probe: &Probe) -> Vec<&'static str> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let workspace = tempfile::tempdir().unwrap();
        let at = workspace.path().join("repo");
        let outside = Outside::make(&self.secret, number);
        self.make(probe, workspace.path(), &at.to_string_lossy(), &outside);
        let before = contents(&outside.out());
        let precious = std::fs::read(at.join("precious")).ok();
        let said = self.run_plainly(probe, &at, &outside);
        let mut seen = Vec::new();
        let mut is_seen = |fired: bool, what| {
            if fired {
                seen.push(what);
            }
        };
        is_seen(contents(&outside.out()) != before, "writes outside");
        let after = contents(&at);
        let reads = |secret| said.text.contains(secret) || holds(&after, secret);
        is_seen(self.secrets().any(reads), "reads a secret");
        is_seen(outside.calls() > 0, "calls somebody");
        is_seen(!outside.left().is_empty(), "leaves a process");
        let spoiled = precious.is_some() && std::fs::read(at.join("precious")).ok() != precious;
        is_seen(spoiled, "spoils the sources");
        if seen.is_empty() {
            println!("  {} plainly: {} {}", probe.name, said.code, said.text);
        }
        seen
    }

    fn run_plainly(&self, probe: &Probe, at: &Path, outside: &Outside) -> Said {
        let command = self.tools.command(probe.command);
        let mut shell = Command::new("/usr/bin/timeout");
        shell.args(["60", "/bin/bash", "-c", &command]);
        shell.current_dir(at).env_clear().stdin(Stdio::null());
        let home = outside.home();
        let set = [
            ("HOME", home.display().to_string()),
            ("PATH", self.tools.path()),
            ("CARGO_HOME", home.join(".cargo").display().to_string()),
            ("LANG", "C.UTF-8".to_owned()),
        ];
        shell.envs(set);
        for name in ["GIT_AUTHOR", "GIT_COMMITTER"] {
            shell.env(format!("{name}_NAME"), "t");
            shell.env(format!("{name}_EMAIL"), "t@t");
        }
        let output = shell.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said {
            text: text(&output.stdout) + &text(&output.stderr),
            code: output.status.code().unwrap_or(-1).into(),
        }
    }

    /// Makes the repository in a workspace, for a program that sees it at `at`.
    fn make(&self, probe: &Probe, workspace: &Path, at: &str, outside: &Outside) {
        let repository = workspace.join("repo");
        std::fs::create_dir(&repository).unwrap();
        if probe.tool != Tool::Git {
            std::fs::write(repository.join("precious"), "as it was\n").unwrap();
        }
        let text = format!("{PRELUDE}\n{}", probe.made);
        let (out, home) = (outside.out(), outside.home());
        let mut shell = Command::new("/bin/bash");
        shell
            .args(["-c", &text])
            .current_dir(&repository)
            .env_clear();
        shell.env("PATH", "/usr/bin:/bin").env("AT", at);
        shell.env("OUT", &out).env("USERS", &home);
        shell.env("MARKER", out.join("marker"));
        shell.env("CANARY", out.join("canary"));
        shell.env("PORT", outside.port.to_string());
        shell.env("MARK", &outside.mark);
        let server = self.server(probe);
        shell.env("BROKER", server.pid().as_raw_nonzero().to_string());
        let made = shell.output().unwrap();
        let error = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{}: {error}", probe.name);
    }
}

fn around(outside: &Outside) -> (Contents, Contents) {
    (contents(&outside.out()), contents(&outside.home()))
}

fn rand_number() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    u64::from_ne_bytes(bytes)
}

/// Gives what was made to whom the workspace belongs.
fn own(workspace: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let about = std::fs::metadata(workspace).unwrap();
    let owner = format!("{}:{}", about.uid(), about.gid());
    let mut chown = Command::new("chown");
    let done = chown.args(["-hR", &owner]).arg(workspace).status();
    assert!(done.unwrap().success());
}
