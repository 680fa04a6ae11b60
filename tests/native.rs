//! Native programs through the front door: a server with a policy that names them, real git, and
//! what is left afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that fails says so by panicking, and starts the program it tests"
)]

#[path = "native/kills.rs"]
mod kills;
#[path = "native/limits.rs"]
mod limits;
#[path = "server/mod.rs"]
mod server;
#[path = "native/work.rs"]
mod work;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use server::Server;

/// A server whose calls a policy decides, with a session's workspace to look into.
pub struct Lane {
    pub server: Server,
    pub workspace: PathBuf,
    _policy: tempfile::TempDir,
}

/// What a call answered.
#[derive(Debug, Clone)]
pub struct Said {
    pub output: String,
    pub error: String,
    pub code: i64,
    pub stopped_by: Option<String>,
}

impl Lane {
    /// With a policy of the repository's folder.
    pub fn shipped(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        Self::with(&text)
    }

    /// With rules for native programs beside all tools and guests; `full` becomes what is here.
    pub fn ruled(rules: &str) -> Self {
        Self::with(&format!("{HEAD}{rules}"))
    }

    fn with(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, policy).unwrap();
        let server = Server::start_with(&[("HOTCELL_POLICY", &file)]).unwrap();
        let answer = server.execute(&json!({"tool": "bash", "input": {"command": "true"}}));
        assert_eq!(answer.unwrap().status, 200);
        let workspace = server.workspace("default").unwrap();
        Self {
            server,
            workspace,
            _policy: folder,
        }
    }

    pub fn call(&self, tool: &str, input: &Value) -> Said {
        self.asked(&json!({"tool": tool, "input": input}))
    }

    pub fn asked(&self, request: &Value) -> Said {
        let answer = self.server.execute(request).unwrap();
        assert_eq!(answer.status, 200, "{request}: {}", answer.body);
        let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
        Said {
            output: text("output"),
            error: text("error"),
            code: answer.body["exitCode"].as_i64().unwrap(),
            stopped_by: answer.body["stoppedBy"].as_str().map(str::to_owned),
        }
    }

    pub fn bash(&self, command: &str) -> Said {
        self.call("bash", &json!({"command": command}))
    }

    /// The record so far, one value a line.
    pub fn record(&self) -> Vec<Value> {
        let folder = self.server.state().join("audit");
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().extension().is_some_and(|end| end == "jsonl") {
                let text = std::fs::read_to_string(entry.path()).unwrap();
                lines.extend(
                    text.lines()
                        .filter_map(|line| serde_json::from_str(line).ok()),
                );
            }
        }
        lines
    }

    /// Records of native programs whose arguments hold `word`: intents, and their outcomes.
    pub fn native_records(&self, word: &str) -> (Vec<Value>, Vec<Value>) {
        let record = self.record();
        let is_ours = |line: &&Value| {
            let args = line["request"]["fields"]["args"]
                .as_str()
                .unwrap_or_default();
            line["event"] == "intent" && line["lane"] == "native" && args.contains(word)
        };
        let intents: Vec<Value> = record.iter().filter(is_ours).cloned().collect();
        let outcomes = record.iter().filter(|line| {
            line["event"] == "outcome"
                && intents
                    .iter()
                    .any(|intent| intent["requestId"] == line["requestId"])
        });
        let outcomes = outcomes.cloned().collect();
        (intents, outcomes)
    }
}

const HEAD: &str = r#"version = 1
name = "native-test"
description = "Native programs for tests."
[limits]
wall = "30s"
session_disk = "64MiB"
session_files = 2000
written = "32MiB"
[workspace]
access = "read-write"
protected = [".envrc", "**/.git"]
[[tool]]
names = ["bash", "native", "write"]
reason = "tests"
[[program]]
names = ["*"]
reason = "tests"
"#;

/// A rule that lets a program run with any operands of few letters.
pub fn rule(program: &str, more: &str) -> String {
    format!(
        "[[native]]\nprogram = \"{program}\"\noperands = [{{ pattern = \"[A-Za-z0-9_./=-]{{1,60}}\" }}]\n\
         flags = [\"-p\", \"-r\", \"-s\", \"-n\", \"-n1\", \"-c\", \"-l\"]\nseparator = \"accept\"\nconfinement = \"strong\"\nreason = \"tests\"\n{more}\n"
    )
}

/// A repository with a few commits, made by the host's git.
pub fn repository(at: &Path, commits: usize) {
    std::fs::create_dir_all(at).unwrap();
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .arg("-C")
            .arg(at);
        let identity = [
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@t",
            "-c",
            "init.defaultBranch=main",
        ];
        let done = command.args(identity).args(words).output().unwrap();
        assert!(
            done.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    git(&["init", "-q"]);
    for number in 0..commits {
        std::fs::write(at.join("file.txt"), format!("line {number}\n")).unwrap();
        git(&["add", "."]);
        let kind = if number % 2 == 0 { "fix" } else { "add" };
        git(&["commit", "-qm", &format!("{kind} {number}")]);
    }
    own(at);
}

/// Gives a tree to whom the workspace belongs.
pub fn own(at: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let above = std::fs::metadata(at.parent().unwrap()).unwrap();
    let owner = format!("{}:{}", above.uid(), above.gid());
    let done = Command::new("chown")
        .args(["-R", &owner])
        .arg(at)
        .status()
        .unwrap();
    assert!(done.success());
}
