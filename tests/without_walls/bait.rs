//! Who is attacked: a process of somebody ordinary, as a broker is that is not root, and the folder
//! that an attacker may write in.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};

use hotcell::confinement::probe::{Bait, Finding, Target, attack_each};
use hotcell::confinement::seal::Folder;

use crate::{ORDINARY, ourselves};

/// The process's side: lays the bait, and tells what was touched whenever it is asked.
pub(crate) fn lay(folder: &Path) -> ExitCode {
    let bait = Bait::set(folder).unwrap();
    println!("{}", serde_json::to_string(bait.target()).unwrap());
    for _asked in std::io::stdin().lines() {
        let touched = bait.touched().unwrap();
        println!("{}", serde_json::to_string(&touched).unwrap());
    }
    ExitCode::SUCCESS
}

/// Where no wall stands: attempts what the target names, in this process.
pub(crate) fn attack(target: &str) -> ExitCode {
    let target: Target = serde_json::from_str(target).unwrap();
    let mut findings = Vec::new();
    attack_each(&target, |_, finding| findings.push(finding));
    println!("{}", serde_json::to_string(&findings).unwrap());
    ExitCode::SUCCESS
}

/// The same, from the side that asks for it.
pub(crate) fn unconfined(target: &Target, ordinary: bool) -> Vec<Finding> {
    let target = serde_json::to_string(target).unwrap();
    let mut command = ourselves(ordinary);
    let output = command.args(["--attacker", &target]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// One process with bait, and a folder to attack it from.
pub(crate) struct Attacked {
    pub(crate) target: Target,
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
    inside: PathBuf,
    _top: tempfile::TempDir,
}

impl Attacked {
    pub(crate) fn start() -> Self {
        Self::start_in("/tmp")
    }

    /// In a folder with a short path, for the socket's name.
    pub(crate) fn start_in(folder: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let top = tempfile::tempdir_in(folder).unwrap();
        fs::set_permissions(top.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (outside, inside) = (top.path().join("outside"), top.path().join("inside"));
        fs::create_dir(&outside).unwrap();
        fs::create_dir(&inside).unwrap();
        for folder in [top.path(), &outside, &inside] {
            chown(folder, Some(ORDINARY), Some(ORDINARY)).unwrap();
        }
        let mut child = ourselves(true)
            .arg("--bait")
            .arg(&outside)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        Self {
            target: serde_json::from_str(&line).unwrap(),
            child,
            answers,
            inside,
            _top: top,
        }
    }

    pub(crate) fn inside(&self) -> Folder {
        Folder::at(&self.inside, true).unwrap()
    }

    /// What an observer outside saw since the bait was laid.
    pub(crate) fn touched(&mut self) -> Vec<String> {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(b"touched?\n").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Attacked {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
