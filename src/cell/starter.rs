//! Starts cell processes and seals them: what the broker does before a cell gets its first order.

use std::{
    ffi::CString,
    fs::File,
    io,
    os::{
        fd::{AsFd as _, OwnedFd, RawFd},
        unix::{fs::MetadataExt as _, net::UnixStream as StdStream},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, net::UnixStream};

use super::{
    artefact::{Artefacts, FIRST_NUMBER},
    complaints,
    error::{PoolError, StartError},
    order::{Assignment, Event, Task},
    tool_file::CPU_SECONDS_MAX,
    wire::{WireError, push_frame, read_one},
};
use crate::confinement::{
    Means, Missing, Plan, Reached, Wall,
    group::{Bounds, Group, Groups},
    launch::{Child, Launcher, Leads, Program, owner_map},
    probe::{Expected, Finding, Kind, Target},
    seal::{Folder, Terms, may_mount},
};
use crate::limits::Confinement;
use crate::policy::{Found, ToolCode, ToolKind};

/// The number under which a cell finds its socket.
pub const SOCKET_NUMBER: RawFd = 3;
/// The number under which it finds the user namespace that maps root.
pub const OWNER_MAP_NUMBER: RawFd = 4;
/// Longest wait for a process to be up. Chosen: far above what a loaded machine takes.
const START_WAIT: Duration = Duration::from_secs(20);
/// Longest wait for it to be sealed, or to tell what came of an attack; a call waits for the first.
/// Chosen: it takes milliseconds.
const SEAL_WAIT: Duration = Duration::from_secs(2);
/// Memory of a process that compiles a tool. Chosen: several times what the largest tools take.
const COMPILER_BYTES_MAX: u64 = 1 << 30;
/// Longest wait for it. Chosen: its own limit of processor time, twice.
const COMPILE_WAIT: Duration = Duration::from_secs(2 * CPU_SECONDS_MAX);
/// Most threads of a cell. Chosen: it has two for each processor and a few.
const THREADS_MAX: u64 = 512;

/// How cells are confined.
#[derive(Debug, Clone)]
pub struct Walls {
    /// Nothing is started below this.
    pub least: Confinement,
    /// Whom a cell becomes when we are root and its workspace is root's.
    pub user: (u32, u32),
    /// Bytes of memory one cell may have.
    pub memory_bytes: u64,
}

/// What every cell of a broker is started with.
#[derive(Debug)]
pub struct Starter {
    executable: File,
    pub artefacts: Arc<Artefacts>,
    calls_max: usize,
    inherits_stdin: bool,
    walls: Walls,
    launcher: Launcher,
    /// Goes after the launcher, whose end kills what is in them.
    groups: Option<Arc<Groups>>,
    owner_map: Option<OwnedFd>,
    pub reached: Reached,
}

/// What a starter is made from.
#[derive(Debug, Clone)]
pub struct StarterOptions {
    pub executable: PathBuf,
    pub artefacts: Arc<Artefacts>,
    pub calls_max: usize,
    /// Cells read this process's standard input.
    pub inherits_stdin: bool,
    pub walls: Walls,
}

/// What a process is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose<'a> {
    /// To be sealed and no more.
    Trial,
    /// To be attacked by itself: all that a cell has.
    Attack,
    Cell,
    /// To be a cell for one tool of the operator's own, with nothing else mapped.
    Tool(&'a ToolCode),
    Compile(&'a Compiling<'a>),
}

/// A tool's file and where its code is to go.
#[derive(Debug)]
struct Compiling<'a> {
    wasm: &'a File,
    artefact: &'a File,
}

impl PartialEq for Compiling<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Compiling<'_> {}

/// A process that is up, has every guest mapped, and waits to be told what it is for.
#[derive(Debug)]
pub struct Spare {
    pub child: Child,
    pub group: Option<Group>,
    pub socket: UnixStream,
    /// Under which numbers it has compiled guests open, as long as it lives.
    pub artefacts: Vec<RawFd>,
}

/// A sealed cell: nothing of an agent has run in it.
#[derive(Debug)]
pub struct Fresh {
    pub child: Child,
    pub group: Option<Group>,
    pub socket: UnixStream,
}

impl Starter {
    /// Finds out which walls this machine gives, by putting a process behind them.
    ///
    /// # Errors
    /// Less than the least level can be had; every missing wall is named with its reason.
    pub async fn new(options: StarterOptions) -> Result<Self, PoolError> {
        let executable = File::open(&options.executable).map_err(StartError::Process)?;
        let mut starter = Self {
            executable,
            artefacts: options.artefacts,
            calls_max: options.calls_max,
            inherits_stdin: options.inherits_stdin,
            launcher: Launcher::start().map_err(StartError::Process)?,
            groups: None,
            owner_map: None,
            reached: Reached {
                plan: Plan::FULL,
                missing: Vec::new(),
            },
            walls: options.walls,
        };
        match Groups::open() {
            Ok(groups) => starter.groups = Some(Arc::new(groups)),
            Err(reason) => starter.lose(Wall::Groups, reason),
        }
        let (user, group) = starter.walls.user;
        if may_mount() && user != 0 {
            match owner_map(user, group) {
                Ok(map) => starter.owner_map = Some(map),
                Err(error) => starter.lose(Wall::Namespaces, format!("{error:#}")),
            }
        }
        starter.try_walls().await?;
        if starter.reached.level() < starter.walls.least {
            return Err(PoolError::Walls {
                least: starter.walls.least.name(),
                reached: starter.reached.to_string(),
            });
        }
        Ok(starter)
    }

    /// What other processes of ours are started with.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn means(&self) -> io::Result<Means> {
        Ok(Means {
            executable: self.executable.try_clone()?,
            launcher: self.launcher.clone(),
            groups: self.groups.clone(),
            owner_map: self
                .owner_map
                .as_ref()
                .map(OwnedFd::try_clone)
                .transpose()?,
            user: self.walls.user,
            reached: self.reached.clone(),
        })
    }

    fn lose(&mut self, wall: Wall, reason: String) {
        self.reached.plan = self.reached.plan.without(wall);
        self.reached.missing.push(Missing { wall, reason });
    }

    /// Puts a process that runs nothing behind the walls, and gives up those it cannot have.
    async fn try_walls(&mut self) -> Result<(), StartError> {
        loop {
            let plan = self.reached.plan;
            let Err(error) = self.try_plan(plan).await else {
                return Ok(());
            };
            let reason = chain(&error);
            let others = [
                (plan.groups, Wall::Groups),
                (plan.namespaces && plan.network, Wall::Network),
                (plan.namespaces, Wall::Namespaces),
            ];
            // The one without which it works is the one that is missing.
            let mut lost = None;
            for (_, wall) in others.into_iter().filter(|(has, _)| *has) {
                if self.try_plan(plan.without(wall)).await.is_ok() {
                    lost = Some(wall);
                    break;
                }
            }
            match lost {
                Some(wall) => self.lose(wall, reason),
                // More than one: the largest first.
                None if plan.namespaces => self.lose(Wall::Namespaces, reason),
                None => return Err(error),
            }
        }
    }

    async fn try_plan(&self, plan: Plan) -> Result<(), StartError> {
        let spare = self.start_with(plan, Purpose::Trial).await?;
        // Also what is done to folders must work; this one is everywhere.
        let top = Path::new("/");
        let folder = Folder::at(top, false).map_err(|source| StartError::Folder {
            path: top.to_owned(),
            source,
        })?;
        let terms = self.terms(plan, vec![folder]);
        spare.seal(terms, Task::Serve).await.map(drop)
    }

    /// Starts a process and waits until it is up.
    ///
    /// # Errors
    /// It cannot be started, or does not come up.
    pub async fn start(&self) -> Result<Spare, StartError> {
        self.start_with(self.reached.plan, Purpose::Cell).await
    }

    /// Starts a process that has the code of one tool mapped, and no guests.
    ///
    /// # Errors
    /// It cannot be started; the code cannot be mapped.
    pub async fn start_tool(&self, code: &ToolCode) -> Result<Spare, StartError> {
        self.start_with(self.reached.plan, Purpose::Tool(code))
            .await
    }

    /// Has a sealed process compile a tool's file into `artefact`.
    ///
    /// # Errors
    /// It is no tool, which is said in whole words; or its limits ended the process.
    pub async fn compiled(
        &self,
        kind: ToolKind,
        wasm: &File,
        artefact: &File,
    ) -> Result<Found, StartError> {
        let plan = self.reached.plan;
        let files = Compiling { wasm, artefact };
        let spare = self.start_with(plan, Purpose::Compile(&files)).await?;
        let mut terms = self.terms(plan, Vec::new());
        terms.memory_bytes = COMPILER_BYTES_MAX.min(self.walls.memory_bytes);
        let mut compiling = spare.seal(terms, Task::Compile(kind)).await?;
        let Event::Compiled(found) = next(&mut compiling.socket, COMPILE_WAIT).await? else {
            return Err(out_of_turn());
        };
        found.map(|found| *found).map_err(StartError::Unsealed)
    }

    async fn start_with(&self, plan: Plan, purpose: Purpose<'_>) -> Result<Spare, StartError> {
        let (ours, theirs) = StdStream::pair().map_err(StartError::Process)?;
        ours.set_nonblocking(true).map_err(StartError::Process)?;
        let (complaints, stderr) = io::pipe().map_err(StartError::Process)?;
        let given = (theirs, OwnedFd::from(stderr));
        let program = self.program(plan, purpose, given);
        let program = program.map_err(StartError::Process)?;
        let numbers = program.descriptors.iter().map(|(_, number)| *number);
        let artefacts = numbers.filter(|number| *number >= FIRST_NUMBER).collect();
        let child = self.launcher.launch(program).await?;
        let number = child.pid.as_raw_nonzero().get();
        complaints::log(complaints.into(), number).map_err(StartError::Process)?;
        let group = match &self.groups {
            Some(groups) if plan.groups => {
                let most = self.walls.memory_bytes;
                let bounds = Bounds {
                    memory_bytes: match purpose {
                        Purpose::Compile(_) => COMPILER_BYTES_MAX.min(most),
                        Purpose::Trial | Purpose::Attack | Purpose::Cell | Purpose::Tool(_) => most,
                    },
                    processes: THREADS_MAX,
                };
                let group = groups.make(bounds).map_err(StartError::Group)?;
                group.take(child.pid).map_err(untaken)?;
                Some(group)
            }
            Some(_) | None => None,
        };
        let socket = UnixStream::from_std(ours).map_err(StartError::Process)?;
        let mut spare = Spare {
            child,
            group,
            socket,
            artefacts,
        };
        let said = next(&mut spare.socket, START_WAIT).await?;
        if let Event::Unsealed(reason) = said {
            // The code of a tool may be none that can be mapped.
            return Err(StartError::Unsealed(reason));
        }
        if matches!(said, Event::Waiting) {
            Ok(spare)
        } else {
            Err(out_of_turn())
        }
    }

    fn program(
        &self,
        plan: Plan,
        purpose: Purpose<'_>,
        (theirs, stderr): (StdStream, OwnedFd),
    ) -> io::Result<Program> {
        let mut words = vec!["hotcell".to_owned(), "cell".to_owned()];
        let nothing = || File::options().read(true).write(true).open("/dev/null");
        let stdin = match purpose == Purpose::Cell && self.inherits_stdin {
            true => io::stdin().as_fd().try_clone_to_owned()?,
            false => nothing()?.into(),
        };
        let mut descriptors = vec![
            (stdin, 0),
            (nothing()?.into(), 1),
            (stderr, 2),
            (OwnedFd::from(theirs), SOCKET_NUMBER),
        ];
        if let Some(map) = &self.owner_map {
            words.push("--owner-map".to_owned());
            descriptors.push((map.try_clone()?, OWNER_MAP_NUMBER));
        }
        let artefacts = match purpose {
            Purpose::Trial => Vec::new(),
            Purpose::Tool(code) => {
                words.push(format!("--tool={}", code.kind.name()));
                vec![("tool".to_owned(), code.artefact.try_clone()?.into())]
            }
            Purpose::Compile(files) => {
                words.push("--compiles".to_owned());
                for (file, number) in [files.wasm, files.artefact].into_iter().zip(FIRST_NUMBER..) {
                    descriptors.push((file.try_clone()?.into(), number));
                }
                Vec::new()
            }
            // The guests of a test have names that only a process told of them knows.
            Purpose::Attack if crate::config::debug_variables().is_some() => Vec::new(),
            Purpose::Attack | Purpose::Cell => self.artefacts.for_cell()?,
        };
        if !artefacts.is_empty() {
            let (names, files): (Vec<_>, Vec<_>) = artefacts.into_iter().unzip();
            words.push(format!("--calls={}", self.calls_max));
            words.push(format!("--modules={}", names.join(",")));
            descriptors.extend(files.into_iter().zip(FIRST_NUMBER..));
        }
        // What no process of a release has would be a finding of the attack.
        let variables = crate::config::debug_variables().filter(|_| purpose == Purpose::Cell);
        let variables = variables.into_iter();
        let variables = variables.map(|(name, value)| format!("{name}={}", value.display()));
        #[cfg(feature = "test-without-walls")]
        let variables = variables.chain(super::without::inherited_variables(plan));
        Ok(Program {
            executable: self.executable.as_fd().try_clone_to_owned()?,
            arguments: texts(words)?,
            environment: texts(variables)?,
            descriptors,
            leads: Leads::Group,
            plan,
        })
    }

    /// Seals a process that has what a cell has, and has it try to get out.
    ///
    /// # Errors
    /// It cannot be started or sealed, or does not tell what came of it.
    pub async fn attacked(
        &self,
        plan: Plan,
        mut target: Target,
        inside: Folder,
    ) -> Result<Vec<Finding>, StartError> {
        let mut spare = self.start_with(plan, Purpose::Attack).await?;
        let kind = Kind::File;
        let artefacts = spare.artefacts.iter();
        target.descriptors = artefacts.map(|&number| Expected { number, kind }).collect();
        let assignment = Assignment {
            terms: self.terms(plan, vec![inside]),
            task: Task::Attack(Box::new(target)),
        };
        spare.assign(&assignment).await?;
        let Event::Attacked(findings) = next(&mut spare.socket, START_WAIT).await? else {
            return Err(out_of_turn());
        };
        Ok(findings)
    }

    /// What a cell over these folders is sealed with.
    pub fn terms(&self, plan: Plan, folders: Vec<Folder>) -> Terms {
        let owner = folders
            .first()
            .and_then(|first| std::fs::metadata(&first.path).ok());
        let owner = owner.map(|about| (about.uid(), about.gid()));
        let owner = owner.filter(|(user, _)| *user != 0);
        Terms {
            plan,
            folders,
            privileged: may_mount(),
            user: Some(owner.unwrap_or(self.walls.user)),
            maps_root: owner.is_none(),
            memory_bytes: self.walls.memory_bytes,
        }
    }
}

impl Spare {
    /// Seals it.
    ///
    /// # Errors
    /// A step failed; the process is gone then.
    pub async fn seal(mut self, terms: Terms, task: Task) -> Result<Fresh, StartError> {
        self.assign(&Assignment { terms, task }).await?;
        Ok(Fresh {
            child: self.child,
            group: self.group,
            socket: self.socket,
        })
    }

    async fn assign(&mut self, assignment: &Assignment) -> Result<(), StartError> {
        let mut frame = Vec::new();
        let fault = |error| StartError::Unsealed(chain(&error));
        push_frame(&mut frame, assignment).map_err(fault)?;
        let sent = self.socket.write_all(&frame).await;
        sent.map_err(|_| ENDED)?;
        match next(&mut self.socket, SEAL_WAIT).await? {
            Event::Sealed { stays_root } => {
                if stays_root {
                    tracing::debug!("a cell stays root: its file system cannot map owners");
                }
            }
            Event::Unsealed(reason) => return Err(StartError::Unsealed(reason)),
            Event::Waiting
            | Event::Attacked(_)
            | Event::Compiled(_)
            | Event::Wants(..)
            | Event::Output(..)
            | Event::Native(..)
            | Event::Ended(..)
            | Event::Failed(..) => return Err(out_of_turn()),
        }
        Ok(())
    }
}

/// What a process says next.
async fn next(socket: &mut UnixStream, most: Duration) -> Result<Event, StartError> {
    // What comes after it may be for another reader.
    let event = tokio::time::timeout(most, read_one(socket)).await;
    let event = event.map_err(|_| StartError::Lost("did not answer"))?;
    match event {
        Ok(event) => event.ok_or(ENDED),
        // So ends a socket with bytes of ours that nobody read.
        Err(WireError::Io(_)) => Err(ENDED),
        Err(error) => Err(StartError::Unsealed(chain(&error))),
    }
}

const ENDED: StartError = StartError::Lost("ended");

/// Why a group does not have its process.
fn untaken(error: io::Error) -> StartError {
    match error.raw_os_error() {
        Some(libc::ESRCH) => ENDED,
        _ => StartError::Group(error),
    }
}

fn out_of_turn() -> StartError {
    StartError::Unsealed("it said something else than it should".to_owned())
}

fn texts(words: impl IntoIterator<Item = String>) -> io::Result<Vec<CString>> {
    let text = |word: String| CString::new(word).map_err(io::Error::other);
    words.into_iter().map(text).collect()
}

/// An error and its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
