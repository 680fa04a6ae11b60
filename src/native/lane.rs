//! From a granted start to a running program.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use crate::confinement::Means;
use crate::confinement::enclose::{Limits, Terms};
use crate::confinement::group::{Bounds, Group};
use crate::confinement::launch::Child;
use crate::confinement::seal::{Folder, may_mount};
use crate::frame::{push_frame, read_one};
use crate::native::error::NativeError;
use crate::native::order::{Assignment, Report};
use crate::native::overlay::Changes;
use crate::native::pin::Pins;
use crate::native::profile::{self, Workspace};
use crate::native::running::Running;
use crate::native::scene;
use crate::native::waiting::{Ready, Waiting};
use crate::outcome::Held;
use crate::policy::{Access, Grant, NativeTerms, Protected, Run};
use crate::session::CHANGES_PREFIX;

/// Longest wait for a program to be enclosed and started. Chosen: it takes milliseconds.
const START_WAIT: Duration = Duration::from_secs(10);

/// Starts native programs. Lives as long as the broker.
#[derive(Debug)]
pub struct NativeLane {
    means: Arc<Means>,
    ready: Ready,
    pins: Pins,
    made: AtomicU64,
}

/// What a start needs beside its permission.
#[derive(Debug)]
pub struct NativeOrder {
    /// The session's workspace on the host, and what calls may do with it.
    pub workspace: PathBuf,
    pub access: Access,
    pub protected: Vec<Protected>,
    /// Other folders that the call sees: guest path, path on the host.
    pub mounts: Vec<(String, PathBuf)>,
    /// Where folders with changes are made: on the workspace's file system, and no guest's.
    pub beside: PathBuf,
    /// Guest path.
    pub cwd: String,
    /// What the session may hold more.
    pub room: Held,
    pub written_max: u64,
    /// The call's own limit of time.
    pub wall: Duration,
    /// stdin, stdout and stderr of the program.
    pub stdio: [OwnedFd; 3],
}

impl NativeLane {
    /// A lane that starts programs with these means, and has a process ready for the next one if that
    /// is said.
    pub fn new(means: Means, keeps_one: bool) -> Self {
        let means = Arc::new(means);
        Self {
            ready: Ready::new(Arc::clone(&means), keeps_one),
            means,
            pins: Pins::default(),
            made: AtomicU64::new(0),
        }
    }

    /// Takes files as they are from now on: the policies were loaded again.
    pub fn policies_loaded(&self) {
        self.pins.forget();
    }

    /// Remembers the programs of a policy as they are now. What is not there is told at its start.
    pub fn pin<'a>(&self, programs: impl IntoIterator<Item = &'a String>) {
        for program in programs {
            if let Err(error) = self.pins.pin(program, None) {
                tracing::debug!(%error, "a native program of the policy is not there");
            }
        }
    }

    /// Starts a program.
    ///
    /// # Errors
    /// The file is not what the rule names, a wall is missing, or the kernel refuses.
    pub async fn start(&self, grant: Grant, order: NativeOrder) -> Result<Running, NativeError> {
        let Run::Native(terms) = grant.into_run() else {
            return Err(NativeError::OtherGrant);
        };
        self.check_walls(&terms)?;
        let recipe = profile::recipe(terms.start.profile);
        let plan = self.means.reached.plan;
        let workspace = scene::folder(&order.workspace)?;
        let (user, maps_root) = self.user(&order.workspace);
        let changes = self.changes(&terms, &order, &workspace, (user, maps_root))?;
        let mut places = scene::places(&terms, &order, &workspace, changes.as_ref())?;
        if let Some(sha256) = &terms.start.script_sha256 {
            places.push(scene::script(&terms, &order, &workspace, sha256)?);
        }
        let (start, starts) = scene::words(&self.pins, &terms, &order, recipe)?;
        let limits = scene::limits(&terms, recipe, &order);
        let enclosed = Terms {
            plan,
            places,
            privileged: may_mount(),
            user,
            maps_root,
            writable: scene::writable(changes.is_some()),
            starts,
            limits,
        };
        let wall = terms.start.limits.wall_ms.map(Duration::from_millis);
        let wall = wall.unwrap_or(order.wall).min(order.wall);
        let Waiting { child, mut socket } = self.ready.take(&order.stdio).await?;
        drop(order.stdio);
        let group = self.group(&child, limits);
        let group = group.map_err(|error| NativeError::Enclosure(error.to_string()))?;
        let assignment = Assignment {
            terms: enclosed,
            start,
        };
        let mut frame = Vec::new();
        let broken = |error: crate::frame::FrameError| NativeError::Enclosure(error.to_string());
        push_frame(&mut frame, &assignment).map_err(broken)?;
        let sent = socket.write_all(&frame).await;
        sent.map_err(|_| NativeError::Lost("ended"))?;
        match next(&mut socket, START_WAIT).await? {
            Report::Started => Ok(Running {
                child,
                group,
                socket,
                wall,
                changes,
            }),
            Report::Refused(reason) => Err(NativeError::Enclosure(reason)),
            Report::Ended(_) => Err(NativeError::Lost("spoke out of turn")),
        }
    }

    fn check_walls(&self, terms: &NativeTerms) -> Result<(), NativeError> {
        let reached = &self.means.reached;
        let level = reached.level();
        if level >= terms.start.confinement && reached.plan.namespaces {
            return Ok(());
        }
        // A root of its own is how a program sees nothing else, whatever level the rule names.
        let needed = match reached.plan.namespaces {
            false => "of namespaces and a root of its own".to_owned(),
            true => format!("`{}`", terms.start.confinement.name()),
        };
        Err(NativeError::Walls {
            needed,
            reached: reached.to_string(),
        })
    }

    /// Whom the program becomes, and whether that is another than the files' owner.
    fn user(&self, workspace: &Path) -> (Option<(u32, u32)>, bool) {
        let owner = std::fs::metadata(workspace).map(|about| (about.uid(), about.gid()));
        match owner.ok().filter(|(user, _)| *user != 0) {
            Some(owner) => (Some(owner), false),
            None => (Some(self.means.user), true),
        }
    }

    /// Where a start's changes go, when it makes some.
    fn changes(
        &self,
        terms: &NativeTerms,
        order: &NativeOrder,
        workspace: &Folder,
        (user, maps_root): (Option<(u32, u32)>, bool),
    ) -> Result<Option<Changes>, NativeError> {
        let kind = profile::workspace(&terms.start, order.access);
        if kind == Workspace::Reads {
            return Ok(None);
        }
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("{CHANGES_PREFIX}{}-{number}", std::process::id());
        let changes = Changes {
            folder: order.beside.join(name),
            workspace: workspace.clone(),
            owner: (maps_root && may_mount()).then_some((0, 0)),
            keeps: kind == Workspace::Changes,
            protected: order.protected.clone(),
            recipe: profile::recipe(terms.start.profile),
            room: order.room,
            written_max: order.written_max,
        };
        changes.make(user.filter(|_| may_mount())).map(Some)
    }

    /// The limits of a start and all its children, where a cgroup gives them.
    fn group(&self, child: &Child, limits: Limits) -> io::Result<Option<Group>> {
        let Some(groups) = &self.means.groups else {
            return Ok(None);
        };
        if !self.means.reached.plan.groups {
            return Ok(None);
        }
        let bounds = Bounds {
            memory_bytes: limits.memory_bytes,
            // With the process that starts it.
            processes: limits.processes.saturating_add(1),
        };
        let group = groups.make(bounds)?;
        group.take(child.pid)?;
        Ok(Some(group))
    }
}

async fn next(socket: &mut UnixStream, most: Duration) -> Result<Report, NativeError> {
    let report = tokio::time::timeout(most, read_one::<Report>(socket)).await;
    match report.map_err(|_| NativeError::Lost("did not answer"))? {
        Ok(Some(report)) => Ok(report),
        Ok(None) | Err(_) => Err(NativeError::Lost("ended")),
    }
}
