//! The programs that meet hostile repositories, as far as this machine has them, and the policies
//! that allow them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Tool;

const NPM: &str = "/usr/lib/node_modules/npm/bin/npm-cli.js";

/// What is here.
#[derive(Debug)]
pub struct Tools {
    pub missing: BTreeMap<Tool, String>,
    /// The folder of the Rust toolchain itself: what rustup puts in front reads the project's wishes.
    rust: PathBuf,
    /// The interpreter, and the folder it is installed in.
    python: PathBuf,
    python_tree: PathBuf,
}

impl Tools {
    pub fn find() -> Self {
        let mut missing = BTreeMap::new();
        let mut needs = |tool, found: Result<String, String>| {
            let found = found.map_err(|reason| missing.insert(tool, reason));
            PathBuf::from(found.unwrap_or_default())
        };
        let git = ["/usr/bin/git", "/usr/lib/git-core"];
        for path in git {
            needs(Tool::Git, there(path));
        }
        needs(Tool::Make, there("/usr/bin/make"));
        for path in [NPM, "/usr/bin/node"] {
            needs(Tool::Npm, there(path));
        }
        let rust = needs(Tool::Cargo, said("rustc", &["--print", "sysroot"]));
        let asks = "import sys, os; print(os.path.realpath(sys.executable))";
        let python = needs(Tool::Python, said("python3", &["-c", asks]));
        let asks = "import sys, setuptools, pip; print(sys.base_prefix)";
        let python_tree = needs(Tool::Python, said("python3", &["-c", asks]));
        needs(Tool::Pytest, said("python3", &["-c", "import pytest"]));
        Self {
            missing,
            rust,
            python,
            python_tree,
        }
    }

    /// A probe's command, with the programs' paths in place of their names.
    pub fn command(&self, words: &str) -> String {
        let python = self.python.display().to_string();
        let words = words.replace("PYTHON", &python);
        words.replace("NPM", &format!("node {NPM}"))
    }

    /// Where a program that is started plainly looks for others.
    pub fn path(&self) -> String {
        format!("{}/bin:/usr/bin:/bin", self.rust.display())
    }

    /// The policy that git runs under.
    pub fn git_policy() -> String {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/coding-agent.toml");
        std::fs::read_to_string(shipped).unwrap()
    }

    /// The policy that builds run under: their commands, word by word, and no others.
    pub fn build_policy<'a>(&self, commands: impl Iterator<Item = &'a str>) -> String {
        let mut policy = HEAD.to_owned();
        for command in commands.collect::<BTreeSet<_>>() {
            let command = self.command(command);
            let mut words = command.split(' ');
            let program = match words.next().unwrap() {
                "cargo" => format!("{}/bin/cargo", self.rust.display()),
                "make" => "/usr/bin/make".to_owned(),
                "node" => "/usr/bin/node".to_owned(),
                python => python.to_owned(),
            };
            let words: Vec<&str> = words.collect();
            let trees: Vec<_> = [&self.rust, &self.python_tree]
                .into_iter()
                .filter(|tree| Path::new(&program).starts_with(tree))
                .collect();
            policy += &format!(
                "[[native]]\nprogram = \"{program}\"\nargs = {words:?}\ntrees = {trees:?}\n\
                 environment = {{ PATH = \"{}\" }}\nprofile = \"build\"\nconfinement = \"strong\"\n\
                 reason = \"tests\"\n\n",
                self.path()
            );
        }
        policy
    }
}

const HEAD: &str = r#"version = 1
name = "hostile-builds"
description = "Builds of hostile projects."
[limits]
wall = "100s"
session_disk = "256MiB"
session_files = 20000
[workspace]
access = "read-write"
[[tool]]
names = ["bash"]
reason = "tests"
[[program]]
names = ["*"]
reason = "tests"
"#;

fn there(path: &str) -> Result<String, String> {
    match Path::new(path).exists() {
        true => Ok(path.to_owned()),
        false => Err(format!("there is no {path}")),
    }
}

fn said(program: &str, words: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(words).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
