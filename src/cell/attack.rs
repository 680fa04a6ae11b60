//! The self-attack: before a server takes calls, a process sealed as every cell is tries what must
//! fail. One success, and nothing starts.

use std::{
    fs::{self, DirBuilder},
    io,
    os::{fd::AsRawFd as _, unix::fs::DirBuilderExt as _},
    path::{Path, PathBuf},
};

use super::{error::PoolError, starter::Starter};
use crate::confinement::{
    Plan,
    probe::{Bait, Expected, Finding, Found, Kind, Target, Wall, attack_each, find},
    seal::{DESCRIPTORS_MAX, Folder, Sealed},
};

/// Descriptors a cell has when it is sealed, beside its artefacts and folders: input, output, errors,
/// its socket. The map of owners is used up by then.
const INHERITED: [(i32, Kind); 4] = [
    (0, Kind::Other),
    (1, Kind::Other),
    (2, Kind::Pipe),
    (3, Kind::Socket),
];

/// What came of the self-attack.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Attacked {
    pub tried: usize,
    pub stopped: usize,
    /// What this kernel does not have.
    pub absent: usize,
    /// What succeeded, though a wall that is in force should have stopped it.
    pub holes: Vec<String>,
    /// What only walls that this level lacks would have stopped.
    pub open: Vec<String>,
}

/// Attacks a process of this starter.
///
/// # Errors
/// The attack cannot be made. What it found is in the answer.
pub(super) async fn attack(starter: &Starter) -> Result<Attacked, PoolError> {
    let place = Place::make().map_err(PoolError::Attack)?;
    let bait = Bait::set(&place.outside()).map_err(PoolError::Attack)?;
    let inside = Folder::at(&place.inside(), true).map_err(PoolError::Attack)?;
    let plan = starter.reached.plan;
    let target = bait.target().clone();
    let findings = starter.attacked(plan, target, inside).await?;
    let mut attacked = judge(plan, &findings);
    // What an observer outside saw counts, whatever the process says.
    let touched = bait.touched().map_err(PoolError::Attack)?;
    let seen = touched
        .into_iter()
        .map(|text| format!("seen from outside: {text}"));
    match plan.namespaces {
        true => attacked.holes.extend(seen),
        false => attacked.open.extend(seen),
    }
    Ok(attacked)
}

/// The attacker's side: tries everything in a process that has just been sealed. The target names the
/// artefacts that it was started with.
pub(super) fn try_everything(mut target: Target, sealed: &Sealed) -> Vec<Finding> {
    let inherited = INHERITED.map(|(number, kind)| Expected { number, kind });
    let granted = sealed.folders.iter().map(|(folder, place)| Expected {
        number: place.as_raw_fd(),
        kind: match folder.writable {
            true => Kind::WritableFolder,
            false => Kind::Folder,
        },
    });
    target
        .descriptors
        .extend(inherited.into_iter().chain(granted));
    target.descriptors_max = DESCRIPTORS_MAX;
    let mut findings = Vec::new();
    attack_each(&target, |_, finding| findings.push(finding));
    findings
}

fn judge(plan: Plan, findings: &[Finding]) -> Attacked {
    let mut attacked = Attacked {
        tried: findings.len(),
        ..Attacked::default()
    };
    for Finding { name, found } in findings {
        match found {
            Found::Blocked { .. } | Found::Killed(_) => attacked.stopped += 1,
            Found::Absent(_) => attacked.absent += 1,
            Found::Succeeded(what) => {
                let walls = find(name).map_or(&[][..], |probe| probe.walls);
                let text = format!("{name}: {what}");
                match walls.iter().any(|wall| stands(plan, *wall)) {
                    true => attacked.holes.push(text),
                    false => attacked.open.push(text),
                }
            }
        }
    }
    attacked
}

fn stands(plan: Plan, wall: Wall) -> bool {
    match wall {
        Wall::UserNamespace
        | Wall::PidNamespace
        | Wall::IpcNamespace
        | Wall::UtsNamespace
        | Wall::Root => plan.namespaces,
        Wall::NetworkNamespace => plan.namespaces && plan.network,
        Wall::Groups => plan.groups,
        Wall::Landlock
        | Wall::Seccomp
        | Wall::Capabilities
        | Wall::NoNewPrivileges
        | Wall::Inheritance
        | Wall::Limits
        | Wall::Hidden => true,
    }
}

/// Folders for one attack, gone with it.
#[derive(Debug)]
struct Place {
    top: PathBuf,
}

impl Place {
    fn make() -> io::Result<Self> {
        let mut number = [0; 8];
        getrandom::fill(&mut number).map_err(io::Error::other)?;
        let name = format!("hotcell-attack-{:016x}", u64::from_ne_bytes(number));
        let place = Self {
            // Short, for the socket's name, and not the state folder, which nobody else may enter:
            // that would stop an attacker before the walls do.
            top: Path::new("/tmp").join(name),
        };
        let mut folder = DirBuilder::new();
        folder.mode(0o755);
        folder.create(&place.top)?;
        folder.create(place.outside())?;
        folder.create(place.inside())?;
        Ok(place)
    }

    fn outside(&self) -> PathBuf {
        self.top.join("outside")
    }

    fn inside(&self) -> PathBuf {
        self.top.join("inside")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.top) {
            tracing::warn!(%error, folder = %self.top.display(), "the self-attack's folder stays behind");
        }
    }
}
