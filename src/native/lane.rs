//! From a granted start to a running program, and from its end to what is taken over.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{Gid, Mode, OFlags, ResolveFlags, Uid, chown, openat2};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use crate::confinement::Means;
use crate::confinement::enclose::{Limits, Terms};
use crate::confinement::group::{Bounds, Group};
use crate::confinement::launch::{Child, Program};
use crate::confinement::seal::Folder;
use crate::confinement::tree::{Place, Shows};
use crate::frame::{push_frame, read_one};
use crate::native::changes::{Allowed, Layers};
use crate::native::error::NativeError;
use crate::native::order::{Assignment, Ended, Report, Start, Status, Word};
use crate::native::pin::Pins;
use crate::native::profile::{self, Recipe, Workspace};
use crate::native::stage::{OWNER_MAP_NUMBER, SOCKET_NUMBER, STDIO_NUMBER};
use crate::outcome::Held;
use crate::policy::{Access, Grant, NativeTerms, Profile, Protected, Run};
use crate::request::hexadecimal;
use crate::workspace::WORKSPACE;

/// Longest wait for a program to be enclosed and started. Chosen: it takes milliseconds.
const START_WAIT: Duration = Duration::from_secs(10);
/// Longest wait for a program that was killed to be gone.
const GONE_WAIT: Duration = Duration::from_secs(5);

/// Largest script, in bytes. Chosen: far above any that was reviewed.
const SCRIPT_BYTES_MAX: u64 = 1 << 20;

/// Starts native programs. Lives as long as the broker.
#[derive(Debug)]
pub struct NativeLane {
    means: Means,
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

/// A program that runs. Dropped, it is killed with everything it started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Option<Group>,
    socket: UnixStream,
    wall: Duration,
    changes: Option<Changes>,
}

/// What came of a program and its changes.
#[derive(Debug)]
pub struct Taken {
    pub ended: Ended,
    /// Paths that changed, as guests see them.
    pub changed: Vec<String>,
    pub grown: Held,
    pub written: u64,
    /// Its memory ran out.
    pub out_of_memory: bool,
    /// Its time was over.
    pub out_of_time: bool,
    /// Why nothing of what it changed was taken over.
    pub refused: Option<String>,
}

/// A folder in which an overlay collects changes; dropped, it goes.
#[derive(Debug)]
struct Changes {
    folder: PathBuf,
    workspace: Folder,
    /// Whose files become, where they were shown as another's.
    owner: Option<(u32, u32)>,
    keeps: bool,
    protected: Vec<Protected>,
    recipe: &'static Recipe,
    room: Held,
    written_max: u64,
}

impl NativeLane {
    /// A lane that starts programs with these means.
    pub fn new(means: Means) -> Self {
        Self {
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
        let workspace = folder(&order.workspace)?;
        let (user, maps_root) = self.user(&order.workspace);
        let changes = self.changes(&terms, &order, &workspace, user.filter(|_| maps_root))?;
        let mut places = places(&terms, &order, &workspace, changes.as_ref())?;
        if let Some(sha256) = &terms.start.script_sha256 {
            places.push(script(&terms, &order, &workspace, sha256)?);
        }
        let (start, starts) = self.words(&terms, &order, recipe)?;
        let limits = limits(&terms, recipe, &order);
        let enclosed = Terms {
            plan,
            places,
            privileged: crate::confinement::seal::may_mount(),
            user,
            writable: writable(changes.is_some()),
            starts,
            limits,
        };
        let wall = terms.start.limits.wall_ms.map(Duration::from_millis);
        let wall = wall.unwrap_or(order.wall).min(order.wall);
        let (child, group, mut socket) = self.launch(order.stdio, limits).await?;
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

    fn changes(
        &self,
        terms: &NativeTerms,
        order: &NativeOrder,
        workspace: &Folder,
        shown_as: Option<(u32, u32)>,
    ) -> Result<Option<Changes>, NativeError> {
        let kind = profile::workspace(&terms.start, order.access);
        if kind == Workspace::Reads {
            return Ok(None);
        }
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}{}-{number}", CHANGES_PREFIX, std::process::id());
        let folder = order.beside.join(name);
        let privileged = crate::confinement::seal::may_mount();
        let fault = |source| NativeError::Changes {
            path: folder.clone(),
            source,
        };
        let make = |path: &Path| std::fs::DirBuilder::new().mode(0o700).create(path);
        make(&folder).map_err(fault)?;
        let changes = Changes {
            folder: folder.clone(),
            workspace: workspace.clone(),
            owner: shown_as.filter(|_| privileged).map(|_| (0, 0)),
            keeps: kind == Workspace::Changes,
            protected: order.protected.clone(),
            recipe: profile::recipe(terms.start.profile),
            room: order.room,
            written_max: order.written_max,
        };
        let (user, _) = self.user(&order.workspace);
        for name in ["above", "work"] {
            let path = folder.join(name);
            make(&path).map_err(fault)?;
            if let Some((user, group)) = user.filter(|_| privileged) {
                let owner = (Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
                chown(&path, owner.0, owner.1).map_err(|error| fault(error.into()))?;
            }
        }
        Ok(Some(changes))
    }

    /// The program's words, and what it may start.
    fn words(
        &self,
        terms: &NativeTerms,
        order: &NativeOrder,
        recipe: &Recipe,
    ) -> Result<(Start, Option<Vec<PathBuf>>), NativeError> {
        let start = &terms.start;
        let program = self.pins.pin(&start.program, start.sha256.as_deref())?;
        let mut starts = vec![program.path.clone()];
        for helper in &start.helpers {
            let helper = self.pins.pin(&helper.path, helper.sha256.as_deref())?;
            starts.push(helper.path.clone());
        }
        starts.extend(profile::loaders().map(Path::to_owned));
        let name = std::slice::from_ref(&start.program);
        let arguments = [name, &start.prepend, &terms.arguments].concat();
        let mut environment: Vec<(&str, &str)> = profile::ENVIRONMENT.to_vec();
        let of_profile = recipe.environment.iter();
        let of_profile = of_profile.map(|(name, value, _)| (*name, *value));
        let of_rule = start.environment.iter();
        let of_rule = of_rule.map(|(name, value)| (&**name, &**value));
        for (name, value) in of_profile.chain(of_rule) {
            match environment.iter_mut().find(|(known, _)| *known == name) {
                Some(variable) => variable.1 = value,
                None => environment.push((name, value)),
            }
        }
        let environment = environment.into_iter();
        Ok((
            Start {
                program: (*program).clone(),
                arguments,
                environment: environment
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect(),
                cwd: order.cwd.clone(),
                within: terms.cwd.clone(),
                folders: vec!["/tmp/home".into()],
            },
            (!recipe.starts_all).then_some(starts),
        ))
    }

    async fn launch(
        &self,
        stdio: [OwnedFd; 3],
        limits: Limits,
    ) -> Result<(Child, Option<Group>, UnixStream), NativeError> {
        let fault = |error: io::Error| NativeError::Enclosure(error.to_string());
        let (ours, theirs) = StdStream::pair().map_err(fault)?;
        ours.set_nonblocking(true).map_err(fault)?;
        let program = self.program(theirs, stdio).map_err(fault)?;
        let child = self.means.launcher.launch(program).await?;
        let group = match &self.means.groups {
            Some(groups) if self.means.reached.plan.groups => {
                let bounds = Bounds {
                    memory_bytes: limits.memory_bytes,
                    // With the process that starts it.
                    processes: limits.processes + 1,
                };
                let group = groups.make(bounds).map_err(fault)?;
                group.take(child.pid).map_err(fault)?;
                Some(group)
            }
            Some(_) | None => None,
        };
        let socket = UnixStream::from_std(ours).map_err(fault)?;
        Ok((child, group, socket))
    }

    fn program(&self, theirs: StdStream, stdio: [OwnedFd; 3]) -> io::Result<Program> {
        let nothing = || File::options().read(true).write(true).open("/dev/null");
        let mut descriptors = vec![
            (nothing()?.into(), 0),
            (nothing()?.into(), 1),
            (nothing()?.into(), 2),
            (OwnedFd::from(theirs), SOCKET_NUMBER),
        ];
        let mut words: Vec<CString> = vec![c"hotcell".into(), c"stage".into()];
        if let Some(map) = &self.means.owner_map {
            words.push(c"--owner-map".into());
            descriptors.push((map.try_clone()?, OWNER_MAP_NUMBER));
        }
        descriptors.extend(stdio.into_iter().zip(STDIO_NUMBER..));
        Ok(Program {
            executable: self.means.executable.as_fd().try_clone_to_owned()?,
            arguments: words,
            environment: Vec::new(),
            descriptors,
            plan: self.means.reached.plan,
        })
    }
}

impl Running {
    /// Waits until the program ended or its time is over, with everything it started gone, and
    /// takes over what it changed. `signals` are passed on; when they end, so does the program.
    ///
    /// # Errors
    /// The process that attends to it is lost.
    pub async fn finish(
        mut self,
        mut signals: tokio::sync::mpsc::UnboundedReceiver<i32>,
    ) -> Result<Option<Taken>, NativeError> {
        let until = tokio::time::Instant::now() + self.wall;
        let report = loop {
            tokio::select! {
                report = read_one::<Report>(&mut self.socket) => break Some(report),
                () = tokio::time::sleep_until(until) => break None,
                signal = signals.recv() => match signal {
                    Some(number) => {
                        let mut frame = Vec::new();
                        if push_frame(&mut frame, &Word::Signal(number)).is_ok() {
                            // It may have ended.
                            let _gone = self.socket.write_all(&frame).await;
                        }
                    }
                    None => {
                        self.gone().await;
                        return Ok(None);
                    }
                },
            }
        };
        self.gone().await;
        let out_of_memory = self.group.as_ref().is_some_and(Group::ran_out_of_memory);
        let killed = Ended {
            status: Status::Signaled(9),
            cpu_us: 0,
            memory_peak_bytes: 0,
        };
        let (ended, out_of_time) = match report {
            None => (killed, true),
            Some(Ok(Some(Report::Ended(ended)))) => (ended, false),
            // The kernel may have killed the process that attends, too.
            Some(_) if out_of_memory => (killed, false),
            Some(_) => return Err(NativeError::Lost("ended before its program")),
        };
        let mut taken = Taken {
            ended,
            changed: Vec::new(),
            grown: Held::default(),
            written: 0,
            out_of_memory,
            out_of_time,
            refused: None,
        };
        if let Some(changes) = self.changes.take() {
            // Half of what it meant to do is not what it meant to do.
            let whole = matches!(ended.status, Status::Exited(_));
            let keeps = changes.keeps;
            let looked = tokio::task::spawn_blocking(move || changes.take_over(whole));
            let mut found = looked.await.unwrap_or_else(|error| Err(error.to_string()));
            if keeps && !whole {
                found = Err("it was ended before it was done".to_owned());
            }
            match found {
                Ok((changed, grown, written)) => {
                    (taken.changed, taken.grown, taken.written) = (changed, grown, written);
                }
                Err(reason) => taken.refused = Some(reason),
            }
        }
        Ok(Some(taken))
    }

    /// Ends the program and everything it started, and waits until nothing is left.
    async fn gone(&mut self) {
        self.child.kill();
        if tokio::time::timeout(GONE_WAIT, self.child.ended())
            .await
            .is_err()
        {
            tracing::error!("a native program that was killed does not end");
        }
    }
}

type TakenOver = (Vec<String>, Held, u64);

impl Changes {
    fn take_over(self, whole: bool) -> Result<TakenOver, String> {
        if !self.keeps || !whole {
            return Ok(TakenOver::default());
        }
        let open = |path: &Path| {
            let flags = rustix::fs::OFlags::PATH
                | rustix::fs::OFlags::DIRECTORY
                | rustix::fs::OFlags::CLOEXEC;
            rustix::fs::open(path, flags, rustix::fs::Mode::empty())
        };
        let above = open(&self.folder.join("above")).map_err(|error| error.to_string())?;
        let below = self.workspace.open().map_err(|error| error.to_string())?;
        let layers = Layers { above, below };
        let allowed = Allowed {
            protected: &self.protected,
            recipe: self.recipe,
            room: self.room,
            written_max: self.written_max,
        };
        let told = |error| format!("{:#}", anyhow::Error::new(error));
        let found = layers.find(&allowed).map_err(told)?;
        let numbers = AtomicU64::new(0);
        let next = || {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            format!(".{CHANGES_PREFIX}{}-{number}", std::process::id())
        };
        layers.apply(&found, self.owner, &next).map_err(told)?;
        Ok((found.paths(WORKSPACE), found.grown, found.written))
    }
}

/// What folders with changes begin with.
const CHANGES_PREFIX: &str = "changes-";

impl Drop for Changes {
    fn drop(&mut self) {
        remove_changes(&self.folder);
    }
}

fn remove_changes(folder: &Path) {
    let numbers = AtomicU64::new(0);
    let next = || format!("gone-{}", numbers.fetch_add(1, Ordering::Relaxed));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if let Err(error) = crate::session::remove_tree(folder, &entry.file_name(), next) {
            tracing::warn!(%error, folder = %folder.display(), "changes of a native program stay behind");
        }
    }
    let _absent = std::fs::remove_dir(folder);
}

fn folder(path: &Path) -> Result<Folder, NativeError> {
    Folder::at(path, false).map_err(|source| NativeError::Changes {
        path: path.to_owned(),
        source,
    })
}

async fn next(socket: &mut UnixStream, most: Duration) -> Result<Report, NativeError> {
    let report = tokio::time::timeout(most, read_one::<Report>(socket)).await;
    match report.map_err(|_| NativeError::Lost("did not answer"))? {
        Ok(Some(report)) => Ok(report),
        Ok(None) | Err(_) => Err(NativeError::Lost("ended")),
    }
}

/// All that the program sees.
fn places(
    terms: &NativeTerms,
    order: &NativeOrder,
    workspace: &Folder,
    changes: Option<&Changes>,
) -> Result<Vec<Place>, NativeError> {
    let recipe = profile::recipe(terms.start.profile);
    let mut places = profile::system_places(recipe);
    let mut add = |at: &str, shows| {
        let at = at.to_owned();
        places.push(Place { at, shows });
    };
    for tree in &terms.start.trees {
        let path = std::fs::canonicalize(tree).map_err(|source| NativeError::Changes {
            path: tree.into(),
            source,
        })?;
        let executable = recipe.starts_all;
        add(tree, Shows::System { path, executable });
    }
    if !recipe.starts_all {
        let helpers = terms.start.helpers.iter().map(|helper| &helper.path);
        for path in std::iter::once(&terms.start.program).chain(helpers) {
            let Ok(path) = std::fs::canonicalize(path) else {
                continue; // said by its pin
            };
            let at = path.to_string_lossy().into_owned();
            let executable = true;
            add(&at, Shows::System { path, executable });
        }
    }
    for (guest, host) in &order.mounts {
        add(guest, Shows::Folder(folder(host)?));
    }
    let shows = match changes {
        None => Shows::Folder(workspace.clone()),
        Some(changes) => Shows::Overlay {
            below: workspace.clone(),
            changes: changes.folder.clone(),
            executable: recipe.starts_all,
        },
    };
    add(WORKSPACE, shows);
    Ok(places)
}

/// The script of a rule, as it was when its digest was taken: whatever guests make of the file
/// meanwhile, what runs is this.
fn script(
    terms: &NativeTerms,
    order: &NativeOrder,
    workspace: &Folder,
    sha256: &str,
) -> Result<Place, NativeError> {
    let written = terms
        .arguments
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    let at = match written.starts_with('/') {
        true => written.to_owned(),
        false => format!("{}/{written}", order.cwd),
    };
    let fault = |reason: String| NativeError::Program {
        path: at.clone(),
        reason,
    };
    let inside = at
        .strip_prefix(WORKSPACE)
        .and_then(|path| path.strip_prefix('/'));
    let inside = inside.ok_or_else(|| fault("a script lies in /workspace".to_owned()))?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let top = workspace.open().map_err(|error| fault(error.to_string()))?;
    let file = openat2(&top, inside, flags, Mode::empty(), resolve);
    let file = File::from(file.map_err(|error| fault(error.to_string()))?);
    let plain = file.metadata().is_ok_and(|about| about.is_file());
    let mut text = Vec::new();
    let read = file.take(SCRIPT_BYTES_MAX + 1).read_to_end(&mut text);
    read.map_err(|error| fault(error.to_string()))?;
    if !plain || text.len() as u64 > SCRIPT_BYTES_MAX {
        return Err(fault("it is no file, or too large for a script".to_owned()));
    }
    let found = hexadecimal(&Sha256::digest(&text));
    if found != sha256 {
        let reason = format!("its SHA-256 is {found}, and the rule names {sha256}");
        return Err(fault(reason));
    }
    let shows = Shows::TextOver(text);
    Ok(Place { at, shows })
}

fn writable(workspace: bool) -> Vec<String> {
    let fixed = ["/tmp", "/dev/null", "/dev/zero", "/dev/full"];
    let all = fixed.into_iter().chain(workspace.then_some(WORKSPACE));
    all.map(str::to_owned).collect()
}

fn limits(terms: &NativeTerms, recipe: &Recipe, order: &NativeOrder) -> Limits {
    let limits = terms.start.limits;
    let cpu_ms = limits.cpu_ms.unwrap_or(recipe.cpu_ms);
    let room = u64::try_from(order.room.bytes.max(0)).unwrap_or(0);
    // What is thrown away takes the disk all the same.
    let file_bytes = match terms.start.profile {
        Profile::Build => recipe.tmp_bytes.max(room),
        Profile::Plain | Profile::Git => room.min(order.written_max),
    };
    Limits {
        memory_bytes: limits.memory_bytes.unwrap_or(recipe.memory_bytes),
        processes: limits.processes.unwrap_or(recipe.processes_max),
        cpu_s: cpu_ms.div_ceil(1_000).max(1),
        file_bytes,
    }
}
