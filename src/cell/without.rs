//! For tests of the walls: processes that are sealed as every cell is but for the walls a test names,
//! and cells that run native code. A build that is shipped has none of this.

use std::{os::fd::BorrowedFd, path::Path, path::PathBuf, sync::Arc};

use tokio::sync::mpsc;

use super::{
    artefact::Artefacts,
    error::{PoolError, StartError},
    order::{CallId, Event, Order},
    starter::{Starter, StarterOptions, Walls},
};
use crate::confinement::{
    LeftOut, Means, Plan, Reached,
    probe::{Expected, Finding, Kind, Target, Wall, attack_each},
    seal::Folder,
};
use crate::outcome::{Captured, Outcome};

/// A bash command that begins so is native code: a [`Target`] as JSON follows.
pub const MARK: &str = "#native ";
/// Numbers that are looked at for a cell's folders.
const NUMBERS: i32 = 1_024;

/// Starts and seals processes, and has them try to get out.
#[derive(Debug)]
pub struct Attackers {
    starter: Starter,
}

impl Attackers {
    /// Finds this machine's walls.
    ///
    /// # Errors
    /// As the start of a server's cells.
    pub async fn new(executable: PathBuf, cache: &Path, walls: Walls) -> Result<Self, PoolError> {
        let artefacts = Artefacts::open(cache).map_err(PoolError::Artefacts)?;
        let options = StarterOptions {
            executable,
            artefacts: Arc::new(artefacts),
            calls_max: 1,
            inherits_stdin: false,
            walls,
        };
        let starter = Starter::new(options).await?;
        Ok(Self { starter })
    }

    /// The walls this machine gives.
    pub fn reached(&self) -> &Reached {
        &self.starter.reached
    }

    /// What native programs are started with, behind all walls but these.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn means(&self, left_out: &[Wall]) -> std::io::Result<Means> {
        let mut means = self.starter.means()?;
        let plan = &mut means.reached.plan;
        plan.left_out = LeftOut::these(left_out);
        plan.groups &= !left_out.contains(&Wall::Groups);
        Ok(means)
    }

    /// Has a process behind all walls but these make its attempts.
    ///
    /// # Errors
    /// It cannot be started or sealed, or ends before it has told what came of them.
    pub async fn attempt(
        &self,
        left_out: &[Wall],
        target: Target,
        inside: Folder,
    ) -> Result<Vec<Finding>, StartError> {
        let mut plan = self.starter.reached.plan;
        plan.left_out = LeftOut::these(left_out);
        plan.groups &= !left_out.contains(&Wall::Groups);
        self.starter.attacked(plan, target, inside).await
    }
}

/// What a process inherits of our environment: nothing, where that wall stands.
pub(super) fn inherited_variables(plan: Plan) -> Vec<String> {
    match plan.left_out.keeps(Wall::Inheritance) {
        true => Vec::new(),
        false => crate::config::whole_environment(),
    }
}

/// Runs a call that is native code, as an attacker would who has broken the runtime: in a thread of
/// the sealed cell. Answers whether it was one.
pub(super) fn taken_over(id: CallId, order: &Order, events: &mpsc::Sender<Event>) -> bool {
    let command = order.arguments.last().map(Vec::as_slice);
    let target = command.and_then(|command| command.strip_prefix(MARK.as_bytes()));
    let Some(Ok(target)) = target.map(serde_json::from_slice::<Target>) else {
        return false;
    };
    let events = events.clone();
    tokio::task::spawn_blocking(move || {
        let event = Event::Ended(id, Box::new(attempted(target)));
        let _gone = events.blocking_send(event);
    });
    true
}

fn attempted(mut target: Target) -> Outcome {
    target.descriptors = folders();
    let mut findings = Vec::new();
    attack_each(&target, |_, finding| findings.push(finding));
    let stdout = Captured {
        head: serde_json::to_vec(&findings).unwrap_or_default(),
        ..Captured::default()
    };
    Outcome {
        stdout,
        ..Outcome::default()
    }
}

/// Folders of this cell, by number.
fn folders() -> Vec<Expected> {
    let is_folder = |number: &i32| {
        let opened = borrowed(*number);
        let about = rustix::fs::fstat(opened);
        about.is_ok_and(|about| about.st_mode & libc::S_IFMT == libc::S_IFDIR)
    };
    let numbers = (0..NUMBERS).filter(is_folder);
    let kind = Kind::WritableFolder;
    numbers.map(|number| Expected { number, kind }).collect()
}

#[expect(unsafe_code, reason = "an attacker tries numbers that may be nobody's")]
fn borrowed(number: i32) -> BorrowedFd<'static> {
    // SAFETY: only the status of it is asked, which for a number that is not open is an error.
    unsafe { BorrowedFd::borrow_raw(number) }
}
