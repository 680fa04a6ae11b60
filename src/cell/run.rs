//! The cell process: takes orders from the broker, runs calls, answers with outcomes.

use std::{
    collections::HashMap,
    io::Write as _,
    os::{
        fd::{FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream as StdStream,
    },
    sync::Arc,
};

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::{io::AsyncReadExt, sync::mpsc};
use wasmtime::Engine;

use super::{
    artefact::inherited,
    attack::try_everything,
    catalogue::Catalogue,
    deadline::Deadlines,
    kernel::{
        Call, Code, Descriptor, Descriptors, Device, Image, Input, Output, PipeWriter, Strings,
        Window, pipe, start_first,
    },
    order::{ASSIGNMENT_BYTES_MAX, Assignment, CallId, Event, Message, Order, Stdin, Stream},
    programs::Programs,
    runtime::Runtime,
    socket::halves,
    threads::Threads,
    wasi::{Errno, Granted, Mounts, World},
    wire::{FrameReader, push_frame, read_frame, write_frames},
};
use crate::confinement::seal::{limit_descriptors, seal};
use crate::outcome::{Captured, Outcome, StoppedBy};

/// Events that may wait for the socket before guests that stream output wait too.
const EVENTS_MAX: usize = 1_024;

/// Most bytes of one stream that are kept, whatever the limits say: an outcome with two of them
/// must fit a frame.
const KEPT_BYTES_MAX: u64 = super::order::KEPT_BYTES_MAX;

/// How a cell is started.
#[derive(Debug)]
pub struct CellArguments {
    /// Modules whose artefacts are inherited as descriptors, in this order; none where the process
    /// only tries its walls.
    pub modules: Vec<String>,
    /// Calls the broker will have running at once, at most.
    pub calls_max: usize,
    /// The broker gave a user namespace to show root's files as another's.
    pub has_owner_map: bool,
}

struct Cell {
    runtime: Arc<Runtime>,
    world: World,
    granted: Granted,
    deadlines: Arc<Deadlines>,
    calls: Mutex<HashMap<CallId, Running>>,
    events: mpsc::Sender<Event>,
}

/// A call and what messages about it reach.
struct Running {
    call: Arc<Call>,
    /// Room for its streamed output.
    window: Window,
}

/// Waits as a spare until it is told what it is for, seals itself, and runs the cell until the
/// broker closes the socket.
///
/// This process has one thread until it is sealed: walls hold for threads, not for processes.
///
/// # Errors
/// The engine cannot be built, or the broker breaks the protocol.
pub fn cell_main(arguments: CellArguments) -> anyhow::Result<()> {
    // One that only tries its walls gets the limit with the others.
    if !arguments.modules.is_empty() {
        limit_descriptors().context("there is no limit of open files to be had")?;
        crate::descriptors::reserve(arguments.calls_max)
            .context("the limit of open files cannot be raised")?;
    }
    // New files get exactly the mode a guest's own mask leaves.
    rustix::process::umask(rustix::fs::Mode::empty());
    let mut socket = StdStream::from(owned(super::starter::SOCKET_NUMBER));
    let map = arguments
        .has_owner_map
        .then(|| owned(super::starter::OWNER_MAP_NUMBER));
    let mapped = match arguments.modules.is_empty() {
        true => None,
        false => Some(map_guests(&arguments.modules)?),
    };
    tell(&mut socket, &Event::Waiting)?;
    let Some(assignment) = read_frame::<Assignment>(&mut socket, ASSIGNMENT_BYTES_MAX)? else {
        return Ok(()); // not needed
    };
    // The C library's page size and the like, which are read from a file when first asked for.
    let _known = rustix::param::page_size();
    let _read = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let sealed = match seal(&assignment.terms, map) {
        Ok(sealed) => sealed,
        Err(error) => {
            let chain = format!("{:#}", anyhow::Error::from(error));
            return tell(&mut socket, &Event::Unsealed(chain));
        }
    };
    let stays_root = sealed.stays_root;
    tell(&mut socket, &Event::Sealed { stays_root })?;
    if let Some(target) = assignment.attack {
        let findings = try_everything(*target, &sealed);
        return tell(&mut socket, &Event::Attacked(findings));
    }
    let Some((engine, programs)) = mapped else {
        return Ok(());
    };
    let folders = sealed.folders.into_iter();
    let granted = Granted::new(folders.map(|(folder, place)| (folder.path, place)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let threads = Threads::new(runtime.handle().clone());
    let guests = Runtime::start((engine, programs), threads, arguments.calls_max)?;
    let served = runtime.block_on(serve(socket, guests, granted));
    // A blocked read of an inherited terminal must not keep the process.
    runtime.shutdown_background();
    served
}

/// Maps every compiled guest there is: no code can be mapped later.
fn map_guests(names: &[String]) -> anyhow::Result<(Engine, Programs)> {
    let (engine, programs) = Runtime::programs()?;
    for (name, artefact) in inherited(names) {
        if let Err(error) = programs.load(&name, artefact) {
            tracing::warn!(name, %error, "a compiled guest does not load");
        }
    }
    for module in &Catalogue::shipped()?.modules {
        // One that is not there now will not be: nobody is to wait for it.
        programs.give_up(&module.name);
    }
    Ok((engine, programs))
}

fn tell(socket: &mut StdStream, event: &Event) -> anyhow::Result<()> {
    let mut frame = Vec::new();
    push_frame(&mut frame, event)?;
    Ok(socket.write_all(&frame)?)
}

#[expect(
    unsafe_code,
    reason = "an inherited descriptor has no owner until it is named"
)]
fn owned(number: RawFd) -> OwnedFd {
    // SAFETY: the starter gives cells these numbers and nothing else in this process owns them; a
    // process started otherwise fails at its first use.
    unsafe { OwnedFd::from_raw_fd(number) }
}

async fn serve(socket: StdStream, runtime: Arc<Runtime>, granted: Granted) -> anyhow::Result<()> {
    let (from_broker, to_broker) = halves(socket)?;
    let (events, queue) = mpsc::channel(EVENTS_MAX);
    let mut writer = tokio::spawn(write_frames(to_broker, queue));
    let world = World::new(runtime.programs.names());
    let cell = Arc::new(Cell {
        runtime,
        world,
        granted,
        deadlines: Deadlines::start()?,
        calls: Mutex::default(),
        events,
    });
    let mut frames = FrameReader::new(from_broker);
    loop {
        let message = tokio::select! {
            message = frames.next() => message?,
            // A cell that can no longer answer must not look alive.
            written = &mut writer => return Ok(written??),
        };
        let Some(message) = message else { break };
        cell.take(message);
    }
    for running in cell.calls.lock().values() {
        running.call.end(Some(StoppedBy::Cancelled));
    }
    writer.abort();
    Ok(())
}

impl Cell {
    fn take(self: &Arc<Self>, message: Message) {
        match message {
            Message::Run(id, order) => self.begin(id, *order),
            Message::Cancel(id) => {
                let calls = self.calls.lock();
                let call = calls.get(&id).map(|running| running.call.clone());
                drop(calls);
                if let Some(call) = call {
                    call.end(Some(StoppedBy::Cancelled));
                }
            }
            Message::Native(id, number, told) => {
                if let Some(running) = self.calls.lock().get(&id) {
                    running.call.natives.take(number, told);
                }
            }
            Message::Taken(id, bytes) => {
                if let Some(running) = self.calls.lock().get(&id) {
                    running.window.give(bytes);
                }
            }
        }
    }

    /// Starts a call and answers when it ends. It is known when this returns, so that a cancel
    /// right behind its order finds it.
    fn begin(self: &Arc<Self>, id: CallId, mut order: Order) {
        #[cfg(feature = "test-without-walls")]
        if super::without::taken_over(id, &order, &self.events) {
            return;
        }
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
        let native = order.natives.get(&order.program);
        let code = match native.filter(|_| order.program.starts_with('/')) {
            Some(path) => Code::Native(path.clone()),
            None => Code::Guest(
                self.runtime
                    .programs
                    .find_first(&order.program)
                    .ok_or(Unstarted::Absent)?,
            ),
        };
        let seen = (&self.granted, &order.mounts[..]);
        let mounts = Mounts::new(&self.world, seen, order.session, &order.natives).map_err(
            |(guest, errno)| {
                Unstarted::Failed(format!(
                    "the mount {guest} cannot be opened (error {})",
                    errno.0
                ))
            },
        )?;
        let call = Call::new(id, order, mounts, self.events.clone());
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
            code,
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
            held: ending.held,
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
