//! Compiled guests in the cache: taken as they were written, and compiled again when they were
//! changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{eventually, hotcell, shared_cache};

/// A cache of its own with what the shared one holds.
struct Copied {
    cache: tempfile::TempDir,
    state: tempfile::TempDir,
}

impl Copied {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        // Fills the shared cache.
        hotcell(state.path());
        let cache = tempfile::tempdir().unwrap();
        // Earlier builds left theirs there; the first test of this one wrote the newest.
        let mut paths: Vec<_> = paths(&shared_cache()).collect();
        paths.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        let newest: BTreeMap<_, _> = paths.iter().map(|path| (module_of(path), path)).collect();
        for path in newest.values() {
            fs::copy(path, cache.path().join(path.file_name().unwrap())).unwrap();
        }
        Self { cache, state }
    }

    fn place(&self, module: &str) -> PathBuf {
        let mut places = paths(self.cache.path());
        places.find(|path| module_of(path) == module).unwrap()
    }

    fn hotcell(&self, arguments: &[&str]) -> Output {
        let mut command = hotcell(self.state.path());
        command.env("HOTCELL_CACHE", self.cache.path());
        command.args(arguments).output().unwrap()
    }

    /// The modules that `hotcell warm` compiles, and what it says besides.
    fn warmed(&self) -> (Vec<String>, String) {
        let output = self.hotcell(&["warm"]);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let names = said.lines().filter_map(|l| l.strip_suffix(": compiled"));
        let log = String::from_utf8(output.stderr).unwrap();
        (names.map(str::to_owned).collect(), log)
    }

    fn bc(&self) -> Output {
        self.hotcell(&["run", "bash", "echo '6*7' | bc"])
    }
}

fn paths(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).unwrap().map(|e| e.unwrap().path())
}

/// The name before the digests, or the whole name of what is no artefact.
fn module_of(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.split('-').next().unwrap().to_owned()
}

#[test]
fn a_changed_artefact_is_compiled_again_and_an_untouched_one_is_not() {
    let copied = Copied::new();
    assert_eq!(copied.warmed().0, [""; 0], "the copy is not complete");
    let place = copied.place("bc");
    let untouched = fs::read(&place).unwrap();
    let mut flipped = untouched.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&place, &flipped).unwrap();
    assert_eq!(copied.warmed().0, ["bc"]);
    // The compiler makes the same again, so its tag is the same, too.
    assert!(fs::read(&place).unwrap() == untouched);
    assert_eq!(copied.warmed().0, [""; 0]);
}

#[test]
fn a_call_gets_its_guest_whatever_lies_in_the_cache() {
    let copied = Copied::new();
    let untouched = copied.bc();
    assert_eq!(untouched.stdout, b"42\n", "{untouched:?}");
    assert!(untouched.stderr.is_empty(), "{untouched:?}");
    // Another guest's artefact under its name would run as it.
    fs::copy(copied.place("inspect"), copied.place("bc")).unwrap();
    let swapped = copied.bc();
    assert_eq!(swapped.stdout, b"42\n", "{swapped:?}");
    let log = String::from_utf8(swapped.stderr).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("bc: its tag does not fit"), "{log}");
}

#[test]
fn with_another_key_all_is_compiled_again_and_said_once() {
    let copied = Copied::new();
    // Little to compile.
    for module in ["archive", "awk", "coreutils", "diff", "find", "grep", "sed"] {
        fs::remove_file(copied.place(module)).unwrap();
    }
    fs::remove_file(copied.cache.path().join("key")).unwrap();
    let output = copied.hotcell(&["run", "bash", "echo a"]);
    assert_eq!(output.stdout, b"a\n", "{output:?}");
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("compiled again"), "{log}");
    for module in [
        "sh: its tag",
        "files: its tag",
        "bc: its tag",
        "inspect: its tag",
    ] {
        assert!(log.contains(module), "{module}: {log}");
    }
}

/// The child of a process that compiles a guest, once there is one.
fn compiler_of(process: u32, module: &str) -> Option<Pid> {
    let children = format!("/proc/{process}/task");
    let tasks = fs::read_dir(children).ok()?.flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let lists: Vec<_> = lists.collect();
    let numbers = lists.iter().flat_map(|list| list.split_whitespace());
    numbers
        .filter_map(|number| number.parse().ok())
        .find_map(|number: i32| {
            let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            let words: Vec<_> = line.split(|&byte| byte == 0).skip(1).collect();
            let compiles = words.starts_with(&[b"compile", module.as_bytes()]);
            compiles.then(|| Pid::from_raw(number)).flatten()
        })
}

#[test]
fn a_program_whose_guest_is_not_there_says_so() {
    let copied = Copied::new();
    fs::remove_file(copied.place("coreutils")).unwrap();
    let mut command = hotcell(copied.state.path());
    command.env("HOTCELL_CACHE", copied.cache.path());
    let child = command
        .args(["run", "bash", "echo a; date; echo $?"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut compiler = None;
    eventually("it is compiled", || {
        compiler = compiler_of(child.id(), "coreutils");
        compiler.is_some()
    });
    kill_process(compiler.unwrap(), Signal::KILL).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"a\n126\n", "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("hotcell: date: not compiled yet"), "{said}");
    assert!(said.contains("a guest could not be compiled"), "{said}");
}
