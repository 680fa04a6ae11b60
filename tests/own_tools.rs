//! Tools of the operator's own through the front door: modules and components that a policy names.

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

#[path = "own_tools/examples.rs"]
mod examples;
#[path = "own_tools/files.rs"]
mod files;
#[path = "tool_guests/hostile.rs"]
mod hostile;
#[path = "own_tools/limits.rs"]
mod limits;
#[path = "own_tools/rules.rs"]
mod rules;
#[path = "server/mod.rs"]
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use server::Server;
use sha2::{Digest as _, Sha256};

/// Whether this build runs components.
pub const COMPONENTS: bool = cfg!(feature = "components");

/// A server with a policy of its own beside the tools it names.
pub struct Place {
    pub server: Server,
    pub workspace: PathBuf,
    pub folder: tempfile::TempDir,
}

/// What a call answered.
#[derive(Debug, Clone)]
pub struct Said {
    pub output: String,
    pub error: String,
    pub code: i64,
    pub stopped_by: Option<String>,
}

impl Said {
    /// What a program printed, or what a function of JSON answered.
    pub fn plain(&self) -> &str {
        let text = self.output.trim_end().trim_matches('"');
        text.trim_end_matches("\\n")
    }
}

impl Place {
    /// With rules beside those for the shell and the file tools.
    pub fn new(rules: &str) -> Self {
        Self::of(&format!("{HEAD}{rules}"))
    }

    pub fn of(policy: &str) -> Self {
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
            folder,
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
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(self.server.state().join("audit"))
            .unwrap()
            .flatten()
        {
            if entry.path().extension().is_some_and(|end| end == "jsonl") {
                let text = std::fs::read_to_string(entry.path()).unwrap();
                let values = text
                    .lines()
                    .filter_map(|line| serde_json::from_str(line).ok());
                lines.extend(values);
            }
        }
        lines
    }
}

pub const HEAD: &str = r#"version = 1
name = "own-tools-test"
description = "Tools for tests."
[limits]
wall = "60s"
[workspace]
access = "read-write"
protected = ["kept", "**/.git"]
[[tool]]
names = ["bash", "read", "write"]
reason = "tests"
[[program]]
names = ["*"]
reason = "tests"
"#;

/// A file of the tests' own tools.
pub fn guest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tool_guests/dist")
        .join(name)
}

pub fn digest(path: &Path) -> String {
    let hash = Sha256::digest(std::fs::read(path).unwrap());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A rule for a tool, with more of its keys.
pub fn rule(name: &str, kind: &str, file: &Path, more: &str) -> String {
    let (sha256, file) = (digest(file), file.display());
    format!(
        "[[tool]]\nname = \"{name}\"\ndescription = \"A tool for tests.\"\nkind = \"{kind}\"\n\
         file = \"{file}\"\nsha256 = \"{sha256}\"\nreason = \"tests\"\n{more}\n"
    )
}

/// The misbehaving tool in each of its kinds: names, kinds and files.
pub fn misbehaving() -> Vec<(&'static str, &'static str, PathBuf)> {
    let mut all = vec![("bad-module", "module", guest("misbehave-module.wasm"))];
    if COMPONENTS {
        all.push(("bad-command", "component", guest("misbehave-command.wasm")));
        all.push(("bad-typed", "component", guest("misbehave-typed.wasm")));
    }
    all
}

/// Rules for all of them, each with `more`.
pub fn misbehaving_rules(more: &str) -> String {
    let all = misbehaving();
    all.iter()
        .map(|(name, kind, file)| rule(name, kind, file, more))
        .collect()
}

/// Runs `hotcell` and answers how it ended and what it said.
pub fn hotcell(words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
    let output = command.args(words).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}
