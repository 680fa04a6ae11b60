//! Hostile repositories and projects, under the native programs that policies allow for them: git
//! under `policies/coding-agent.toml`, builds and tests under a rule with the profile `build`.
//!
//! Each is made twice. Once the plain program meets it, outside any confinement, in a folder of its
//! own with a home of its own: there it must write outside its folder, read a secret outside, call a
//! listener, or leave a process. One that does not in this program's version proves nothing and is
//! not counted. And once the confined program does: then none of that may be seen from outside.
//!
//! A part of it by default; `HOTCELL_FULL=1` does all of it. `HOTCELL_REQUIRE=full` fails where a
//! program is missing, instead of saying SKIPPED. Words on the command line choose by name.

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

#[path = "hostile_repositories/builds.rs"]
mod builds;
#[path = "hostile_repositories/git_places.rs"]
mod git_places;
#[path = "hostile_repositories/git_programs.rs"]
mod git_programs;
#[path = "hostile_repositories/meeting.rs"]
mod meeting;
#[path = "hostile_repositories/outside.rs"]
mod outside;
#[path = "server/mod.rs"]
mod server;
#[path = "hostile_repositories/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use meeting::{Grounds, Met};
use tools::Tools;

/// One hostile repository, and what is run in it.
#[derive(Debug)]
pub struct Probe {
    pub tool: Tool,
    pub name: &'static str,
    /// How it is made: text for a shell that knows `prelude.sh`.
    pub made: &'static str,
    /// What is run in it, in both ways.
    pub command: &'static str,
}

/// What meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    Git,
    Cargo,
    Make,
    Npm,
    Python,
    Pytest,
}

impl Probe {
    pub const fn git(name: &'static str, made: &'static str, command: &'static str) -> Self {
        Self::build(Tool::Git, name, made, command)
    }

    pub const fn build(
        tool: Tool,
        name: &'static str,
        made: &'static str,
        command: &'static str,
    ) -> Self {
        Self {
            tool,
            name,
            made,
            command,
        }
    }
}

/// Least counts of those that are seen to fire, where all are tried.
const FIRE_MIN: [(&[Tool], usize); 2] = [
    (&[Tool::Git], 40),
    (
        &[
            Tool::Cargo,
            Tool::Make,
            Tool::Npm,
            Tool::Python,
            Tool::Pytest,
        ],
        20,
    ),
];
/// Which of them are tried by default: every so many.
const SAMPLE: usize = 5;
/// Met at once.
const LANES: usize = 3;

fn main() -> ExitCode {
    let words: Vec<String> = env::args()
        .skip(1)
        .filter(|w| !w.starts_with('-'))
        .collect();
    let tools = Tools::find();
    let required = env::var_os("HOTCELL_REQUIRE").is_some_and(|value| value == "full");
    for (tool, reason) in &tools.missing {
        println!("SKIPPED: {tool:?}: {reason}");
    }
    if required && !tools.missing.is_empty() {
        return ExitCode::FAILURE;
    }
    let all = env::var_os("HOTCELL_FULL").is_some();
    let tables = [git_programs::PROBES, git_places::PROBES, builds::PROBES];
    let known = tables.into_iter().flatten();
    let chosen: Vec<&Probe> = known
        .filter(|probe| !tools.missing.contains_key(&probe.tool))
        .enumerate()
        .filter(|(number, probe)| match words.is_empty() {
            true => all || number % SAMPLE == 0,
            false => words.iter().any(|word| probe.name.contains(&**word)),
        })
        .map(|(_, probe)| probe)
        .collect();
    let met = meet_all(&chosen, &tools);
    report(&chosen, &met, all && words.is_empty())
}

fn meet_all(probes: &[&Probe], tools: &Tools) -> BTreeMap<&'static str, Met> {
    let grounds = Grounds::prepare(tools, probes);
    let (next, met) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(probe) = probes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let seen = grounds.meet(probe);
                    met.lock().unwrap().insert(probe.name, seen);
                }
            });
        }
    });
    met.into_inner().unwrap()
}

fn report(probes: &[&Probe], met: &BTreeMap<&str, Met>, all: bool) -> ExitCode {
    let mut failures = Vec::new();
    let mut fired: BTreeMap<Tool, (usize, usize)> = BTreeMap::new();
    for probe in probes {
        let Met {
            plainly,
            holes,
            ran,
            said,
        } = &met[probe.name];
        let count = fired.entry(probe.tool).or_default();
        count.0 += usize::from(!plainly.is_empty());
        count.1 += usize::from(*ran);
        let plainly = match plainly.is_empty() {
            true => "NOTHING, so it is not counted".to_owned(),
            false => plainly.join(", "),
        };
        println!("  {:44} plainly: {plainly}; confined: {said}", probe.name);
        failures.extend(holes.iter().map(|hole| format!("{}: {hole}", probe.name)));
    }
    for (tool, (fired, ran)) in &fired {
        let tried = probes.iter().filter(|probe| probe.tool == *tool).count();
        println!(
            "{tool:?}: {fired} of {tried} fire outside the confinement; in it hostile code was seen to run in {ran}"
        );
    }
    println!("{} got out of the confinement", failures.len());
    for (tool, (fired, _)) in &fired {
        let tried = probes.iter().filter(|probe| probe.tool == *tool).count();
        if fired * 2 < tried {
            failures.push(format!(
                "{tool:?}: only {fired} of {tried} fire plainly: this shows nothing"
            ));
        }
    }
    for (tools, least) in FIRE_MIN.iter().filter(|_| all) {
        let count: usize = tools
            .iter()
            .filter_map(|tool| fired.get(tool))
            .map(|c| c.0)
            .sum();
        if count < *least {
            failures.push(format!(
                "only {count} of {tools:?} fire, {least} are needed"
            ));
        }
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    match failures.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
