//! The self-attack: native code that tries, from inside a sealed cell, what must fail there.
//!
//! It stands for an attacker who has broken the WebAssembly runtime and runs machine code in the
//! cell's process. The broker sets a [`Bait`], starts and seals a process, and has it run
//! [`attack`]; whatever [`Found::Succeeded`] is a hole. `tests/probes.rs` runs the same list where
//! no wall stands, so that each probe is known to fire.
//!
//! Every probe is harmless when it succeeds, as root and with nothing around it: signals are
//! number 0, clocks and names are set to nothing or to what they are, modules and images have
//! arguments no kernel takes, and files change only in the folders of the [`Target`].

mod bait;
mod bomb;
mod broker;
mod call;
mod change;
mod device;
mod environment;
mod execute;
mod foreign;
mod ipc;
mod kernel;
mod limits;
mod memory;
mod mount;
mod privilege;
mod process;
mod reach;
mod socket;
mod special;
mod target;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use bait::Bait;
pub use target::{Expected, Kind, Target};

use call::Stopped;

/// What stands between an attacker and one thing it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wall {
    /// A user namespace: outside it this process is nobody in particular.
    UserNamespace,
    /// A process namespace: processes outside have no number.
    PidNamespace,
    /// System V objects of its own.
    IpcNamespace,
    /// A host name of its own.
    UtsNamespace,
    /// A network of its own, with nobody on it.
    NetworkNamespace,
    /// An empty root in a mount namespace of its own: paths lead nowhere.
    Root,
    /// Landlock with scopes (Linux 6.12); older ones have no scopes.
    Landlock,
    /// The list of system calls.
    Seccomp,
    /// No capability, in any set.
    Capabilities,
    /// `no_new_privs`.
    NoNewPrivileges,
    /// Only the expected descriptors, and an empty environment.
    Inheritance,
    /// Resource limits, soft and hard.
    Limits,
    /// A cgroup's limits of memory and threads.
    Groups,
    /// Its memory and its files in /proc are closed to others of its user.
    Hidden,
}

/// What a probe needs to succeed where no wall stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// Any user can do this.
    Nothing,
    /// Root in the first user namespace, with its capabilities.
    Root,
    /// As above, and a kernel or setting that not every machine has: this one.
    Feature(&'static str),
}

/// What a probe's function answers: what it reached, or what stopped it.
type Attempt = Result<String, Stopped>;

/// One thing that must not work in a sealed cell.
pub struct Probe {
    /// `topic.what`, unique.
    pub name: &'static str,
    /// Any one of these alone stops it.
    pub walls: &'static [Wall],
    /// What it needs to succeed where no wall stands.
    pub needs: Needs,
    run: fn(&Target) -> Attempt,
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe({})", self.name)
    }
}

/// A line of a topic's table.
const fn probe(
    name: &'static str,
    needs: Needs,
    walls: &'static [Wall],
    run: fn(&Target) -> Attempt,
) -> Probe {
    Probe {
        name,
        walls,
        needs,
        run,
    }
}

impl Probe {
    /// Tries it once, in this process.
    pub fn attempt(&self, target: &Target) -> Finding {
        let found = match (self.run)(target) {
            Ok(reached) => Found::Succeeded(reached),
            Err(Stopped::Call { call, errno }) => Found::Blocked {
                errno: Some(errno),
                text: format!("{call}: {}", call::errno_name(errno)),
            },
            Err(Stopped::Otherwise(text)) => Found::Blocked { errno: None, text },
            Err(Stopped::Absent(text)) => Found::Absent(text),
        };
        self.finding(found)
    }

    /// What an observer outside saw of it.
    pub fn finding(&self, found: Found) -> Finding {
        Finding {
            name: self.name.to_owned(),
            found,
        }
    }
}

/// What came of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The probe's name.
    pub name: String,
    /// How it ended.
    pub found: Found,
}

/// How a probe ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It was stopped.
    Blocked {
        /// The kernel's answer, where it was one.
        errno: Option<i32>,
        /// Which call was stopped, and how.
        text: String,
    },
    /// It reached what it wanted: a hole.
    Succeeded(String),
    /// This signal ended the process; only an observer can say so.
    Killed(i32),
    /// This kernel does not have what it aims at.
    Absent(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked { text, .. } => write!(f, "blocked   {text}"),
            Self::Succeeded(text) => write!(f, "SUCCEEDED {text}"),
            Self::Killed(signal) => write!(f, "killed    by signal {signal}"),
            Self::Absent(text) => write!(f, "absent    {text}"),
        }
    }
}

/// Probes by topic. Those that would change this process for the later ones come last.
static TOPICS: &[&[Probe]] = &[
    environment::PROBES,
    reach::PROBES,
    change::PROBES,
    special::PROBES,
    socket::PROBES,
    broker::PROBES,
    ipc::PROBES,
    device::PROBES,
    execute::PROBES,
    memory::PROBES,
    kernel::PROBES,
    mount::PROBES,
    limits::PROBES,
    process::PROBES,
    privilege::PROBES,
];

/// Probes that end the process where their wall stands: one process each, and SIGSYS passes.
pub static FATAL: &[Probe] = foreign::PROBES;

/// What no wall of a cell stops, and why that is bearable is told beside each. They fire in a
/// sealed cell too; a test that runs them finds out when one no longer does.
pub static UNSTOPPED: &[Probe] = &[special::UNSTOPPED, socket::UNSTOPPED];

/// Probes that take all they can get of something. Not part of [`attack`]: where the kernel stops
/// them it may do so by ending the process.
pub static BOMBS: &[Probe] = bomb::PROBES;

/// Every probe of [`attack`], in its order.
pub fn probes() -> impl Iterator<Item = &'static Probe> {
    TOPICS.iter().flat_map(|topic| topic.iter())
}

/// Every probe there is, those that [`attack`] leaves out among them.
pub fn every() -> impl Iterator<Item = &'static Probe> {
    probes().chain(FATAL).chain(UNSTOPPED).chain(BOMBS)
}

/// The probe of that name, of [`every`] one.
pub fn find(name: &str) -> Option<&'static Probe> {
    every().find(|probe| probe.name == name)
}

/// Runs every probe in this process and answers what came of each.
///
/// Meant for a process with one thread. It needs no memory but its own, no files, no further
/// process, and takes any refusal for an answer.
pub fn attack(target: &Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    attack_each(target, |_, finding| findings.push(finding));
    findings
}

/// As [`attack`], telling `sink` each finding as it comes: should the process be killed, the last
/// one told says where.
pub fn attack_each(target: &Target, mut sink: impl FnMut(&'static Probe, Finding)) {
    if target.only.is_empty() {
        for probe in probes() {
            sink(probe, probe.attempt(target));
        }
    }
    for probe in target.only.iter().filter_map(|name| find(name)) {
        sink(probe, probe.attempt(target));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_findable() {
        let all: Vec<_> = every().collect();
        let names: BTreeSet<_> = all.iter().map(|probe| probe.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.iter().all(|probe| find(probe.name).is_some()));
        assert!(find("reach.nothing").is_none());
    }

    #[test]
    fn every_probe_but_the_unstopped_has_a_wall() {
        for probe in probes().chain(FATAL).chain(BOMBS) {
            assert!(!probe.walls.is_empty(), "{}", probe.name);
        }
        for probe in UNSTOPPED {
            assert!(probe.walls.is_empty(), "{}", probe.name);
        }
        assert!(probes().count() >= 70);
    }
}
