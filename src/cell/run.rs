//! The cell process: takes orders from the broker, runs calls, answers with outcomes.

use std::{
    collections::HashMap,
    os::{
        fd::{FromRawFd, OwnedFd},
        unix::net::UnixStream as StdStream,
    },
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context;
use parking_lot::Mutex;
use tokio::{io::AsyncReadExt, net::UnixStream, sync::mpsc};

use super::{
    artefact::{Artefacts, inherited},
    catalogue::{Catalogue, NEEDED_FIRST},
    deadline::Deadlines,
    kernel::{
        Call, Descriptor, Descriptors, Device, Image, Input, Output, PipeWriter, Strings, Window,
        pipe, start_first,
    },
    order::{CallId, Event, Message, Order, Stdin, Stream},
    runtime::Runtime,
    wasi::{Errno, Mounts, World},
    wire::{FrameReader, write_frames},
};
use crate::outcome::{Captured, Outcome, StoppedBy};

/// Events that may wait for the socket before guests that stream output wait too.
const EVENTS_MAX: usize = 1_024;

/// Most bytes of one stream that are kept, whatever the limits say: an outcome with two of them
/// must fit a frame.
const KEPT_BYTES_MAX: u64 = 16 << 20;

/// How a cell is started.
#[derive(Debug)]
pub struct CellArguments {
    /// Folder of compiled guests.
    pub cache: PathBuf,
    /// Modules whose artefacts are inherited as descriptors, in this order.
    pub modules: Vec<String>,
    /// Calls the broker will have running at once, at most.
    pub calls_max: usize,
}

struct Cell {
    runtime: Arc<Runtime>,
    world: World,
    deadlines: Arc<Deadlines>,
    cache: PathBuf,
    calls: Mutex<HashMap<CallId, Running>>,
    events: mpsc::Sender<Event>,
}

/// A call and what messages about it reach.
struct Running {
    call: Arc<Call>,
    /// Room for its streamed output.
    window: Window,
}

/// Runs the cell until the broker closes the socket.
///
/// # Errors
/// The engine cannot be built, or the broker breaks the protocol.
pub fn cell_main(arguments: CellArguments) -> anyhow::Result<()> {
    raise_descriptor_limit()?;
    // New files get exactly the mode a guest's own mask leaves.
    rustix::process::umask(rustix::fs::Mode::empty());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("guests")
        .enable_all()
        .build()?;
    // On a worker: orders then reach guests without a wake-up of this thread in between.
    let served = runtime
        .block_on(runtime.spawn(serve(arguments)))
        .unwrap_or_else(|panicked| Err(panicked.into()));
    // A blocked read of an inherited terminal must not keep the process.
    runtime.shutdown_background();
    served
}

/// Guests' open files are ours to hold, and the usual soft limit is 1,024 for all calls.
fn raise_descriptor_limit() -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit).context("the limit of open files cannot be raised")
}

#[expect(
    unsafe_code,
    reason = "an inherited descriptor has no owner until it is named"
)]
fn inherited_socket() -> OwnedFd {
    // SAFETY: the pool starts cells with the socket under this number and nothing else in this
    // process owns it; a process started otherwise fails at its first read.
    unsafe { OwnedFd::from_raw_fd(super::pool::SOCKET_NUMBER) }
}

async fn serve(arguments: CellArguments) -> anyhow::Result<()> {
    let socket = StdStream::from(inherited_socket());
    socket.set_nonblocking(true)?;
    let (from_broker, to_broker) = UnixStream::from_std(socket)?.into_split();
    let (events, queue) = mpsc::channel(EVENTS_MAX);
    let mut writer = tokio::spawn(write_frames(to_broker, queue));
    let runtime = Runtime::new(arguments.calls_max)?;
    let world = World::new(runtime.programs.names());
    let cell = Arc::new(Cell {
        runtime,
        world,
        deadlines: Deadlines::start()?,
        cache: arguments.cache,
        calls: Mutex::default(),
        events,
    });
    let mut missing = in_order()?;
    for (name, artefact) in inherited(&arguments.modules) {
        match cell.runtime.programs.load(&name, artefact) {
            Ok(()) => missing.retain(|lacking| *lacking != name),
            Err(error) => tracing::warn!(name, %error, "a compiled guest does not load"),
        }
    }
    cell.events.send(Event::Missing(missing)).await?;

    let mut frames = FrameReader::new(from_broker);
    loop {
        let message = tokio::select! {
            message = frames.next() => message?,
            // A cell that can no longer answer must not look alive.
            written = &mut writer => return Ok(written??),
        };
        let Some(message) = message else { break };
        match message {
            Message::Run(id, order) => cell.begin(id, *order),
            Message::Cancel(id) => {
                let call = cell
                    .calls
                    .lock()
                    .get(&id)
                    .map(|running| running.call.clone());
                if let Some(call) = call {
                    call.end(Some(StoppedBy::Cancelled));
                }
            }
            Message::Taken(id, bytes) => {
                if let Some(running) = cell.calls.lock().get(&id) {
                    running.window.give(bytes);
                }
            }
            Message::Load(name) => {
                let loaded = cell.load(&name);
                if !loaded {
                    cell.runtime.programs.give_up(&name);
                }
                cell.events.send(Event::Loaded(name, loaded)).await?;
            }
        }
    }
    for running in cell.calls.lock().values() {
        running.call.end(Some(StoppedBy::Cancelled));
    }
    writer.abort();
    Ok(())
}

/// Module names, those that make a cell ready first.
fn in_order() -> anyhow::Result<Vec<String>> {
    let mut names: Vec<_> = Catalogue::shipped()?
        .modules
        .iter()
        .map(|m| m.name.clone())
        .collect();
    names.sort_by_key(|name| !NEEDED_FIRST.contains(&name.as_str()));
    Ok(names)
}

impl Cell {
    /// Maps a module that was compiled after this cell was started.
    fn load(&self, name: &str) -> bool {
        let loaded = Artefacts::open(&self.cache).and_then(|artefacts| {
            let artefact = artefacts.take_one(name)?;
            self.runtime.programs.load(name, artefact)
        });
        loaded
            .inspect_err(|error| tracing::warn!(name, %error, "a cached guest does not load"))
            .is_ok()
    }

    /// Starts a call and answers when it ends. It is known when this returns, so that a cancel
    /// right behind its order finds it.
    fn begin(self: &Arc<Self>, id: CallId, mut order: Order) {
        let started = self.start(id, &mut order);
        let cell = Arc::clone(self);
        tokio::spawn(async move {
            let event = match started {
                Ok(started) => Event::Ended(id, Box::new(cell.finish(started).await)),
                Err(Unstarted::Absent) => Event::Ended(id, Box::new(absent(&order.program))),
                Err(Unstarted::Stopped(by)) => Event::Ended(id, Box::new(stopped(by))),
                Err(Unstarted::Failed(reason)) => Event::Failed(id, reason),
            };
            cell.calls.lock().remove(&id);
            // A closed channel means that the broker is gone and this process about to end.
            let _sent = cell.events.send(event).await;
        });
    }

    fn start(&self, id: CallId, order: &mut Order) -> Result<Started, Unstarted> {
        let module = self
            .runtime
            .programs
            .find_first(&order.program)
            .ok_or(Unstarted::Absent)?;
        let mounts = Mounts::new(&self.world, &order.mounts).map_err(|(guest, errno)| {
            Unstarted::Failed(format!(
                "the mount {guest} cannot be opened (error {})",
                errno.0
            ))
        })?;
        let call = Call::new(id, order, mounts);
        let window = Window::new();
        let output = |stream| match order.stream {
            true => Output::send(stream, id, self.events.clone(), window.clone()),
            false => Output::keep(stream, call.limits.output_bytes.min(KEPT_BYTES_MAX)),
        };
        let (stdout, stderr) = (output(Stream::Stdout), output(Stream::Stderr));
        let mut descriptors = Descriptors::new(&call);
        let stdio = [
            stdin(std::mem::take(&mut order.stdin)),
            Descriptor::Output(Arc::clone(&stdout)),
            Descriptor::Output(Arc::clone(&stderr)),
        ];
        for (number, descriptor) in (0u32..).zip(stdio) {
            descriptors
                .put(number, descriptor)
                .map_err(|_| Unstarted::Stopped(StoppedBy::Descriptors))?;
        }
        let image = Image {
            module,
            arguments: Strings::from_list(&order.arguments),
            environment: Strings::from_list(&order.environment),
            cwd: order.cwd.clone().into_bytes(),
            denied: None,
        };
        let running = Running {
            call: Arc::clone(&call),
            window,
        };
        self.calls.lock().insert(id, running);
        start_first(&self.runtime, &call, image, descriptors).map_err(|errno| match errno {
            Errno::ENOMEM => Unstarted::Stopped(StoppedBy::Memory),
            _ => Unstarted::Stopped(StoppedBy::Processes),
        })?;
        Ok(Started {
            call,
            stdout,
            stderr,
        })
    }

    async fn finish(&self, started: Started) -> Outcome {
        let Started {
            call,
            stdout,
            stderr,
        } = started;
        let watched = self.deadlines.watch(&call);
        call.all_gone().await;
        drop(watched);
        let ending = call.ending();
        Outcome {
            exit_code: ending.exit_code,
            stopped_by: ending.stopped_by,
            stdout: stdout.captured(),
            stderr: stderr.captured(),
            streamed_bytes: (0, 0),
            usage: ending.usage,
            state: ending.state,
            changed: ending.changed,
            changed_more: ending.changed_more,
            denied: ending.denied,
        }
    }
}

struct Started {
    call: Arc<Call>,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
}

enum Unstarted {
    /// No such program: the call ends with 127.
    Absent,
    /// A limit leaves no room for its first process.
    Stopped(StoppedBy),
    Failed(String),
}

fn absent(program: &str) -> Outcome {
    let text = format!("hotcell: {program}: there is no such program; ls /bin lists them\n");
    let stderr = Captured {
        head: text.into_bytes(),
        ..Captured::default()
    };
    Outcome {
        exit_code: 127,
        stderr,
        ..Outcome::default()
    }
}

fn stopped(by: StoppedBy) -> Outcome {
    let text = "hotcell: the call's limits leave no room for its first process\n";
    Outcome::stopped(by, text)
}

fn stdin(stdin: Stdin) -> Descriptor {
    match stdin {
        Stdin::Empty => Descriptor::Device(Device::Null),
        Stdin::Bytes(bytes) => Descriptor::Input(Input::new(bytes)),
        Stdin::Inherit => {
            let (reader, writer) = pipe();
            tokio::spawn(pass_stdin(writer));
            Descriptor::Reader(reader)
        }
    }
}

/// Copies the cell's own standard input into a pipe, as fast as it is read.
async fn pass_stdin(writer: Arc<PipeWriter>) {
    let mut stdin = tokio::io::stdin();
    let mut buffer = vec![0; 32 << 10];
    while let Ok(count @ 1..) = stdin.read(&mut buffer).await {
        let mut bytes = buffer.get(..count).unwrap_or_default();
        while !bytes.is_empty() {
            match std::future::poll_fn(|cx| writer.poll_write(cx, bytes)).await {
                Ok(wrote) => bytes = bytes.get(wrote..).unwrap_or_default(),
                Err(_) => return,
            }
        }
    }
}
