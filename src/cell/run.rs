//! The cell process: takes orders from the broker, runs calls, answers with outcomes.

use std::{
    collections::HashMap,
    future::poll_fn,
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
        Call, Code, Descriptor, Descriptors, Device, Gauge, Image, Input, Output, PipeReader,
        PipeWriter, Preopen, Strings, Window, pipe, start_first,
    },
    order::{
        ASSIGNMENT_BYTES_MAX, Assignment, CallId, Event, Message, Order, Stdin, Stream, Task,
        room_of,
    },
    programs::Programs,
    runtime::Runtime,
    socket::halves,
    threads::Threads,
    tool_file,
    wasi::{Errno, Granted, Mounts, World},
    wire::{FrameReader, push_frame, read_frame, write_frames},
};
use crate::confinement::seal::{limit_descriptors, seal};
use crate::outcome::{Captured, Outcome, StoppedBy};
use crate::policy::ToolKind;

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
    /// It is for one tool of the operator's own, whose code is the one inherited artefact.
    pub tool: Option<ToolKind>,
    /// It inherits a tool's file, and another for what it compiles that to.
    pub compiles: bool,
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
    /// Takes what the broker sends as its standard input.
    input: Option<SentInput>,
}

/// Waits as a spare until it is told what it is for, seals itself, and runs the cell until the
/// broker closes the socket.
///
/// This process has one thread until it is sealed: walls hold for threads, not for processes.
///
/// # Errors
/// The engine cannot be built, or the broker breaks the protocol.
pub fn cell_main(arguments: CellArguments) -> anyhow::Result<()> {
    if arguments.compiles {
        limit_processor().context("its processor time cannot be limited")?;
    }
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
    let files = arguments.compiles.then(|| {
        let number = super::artefact::FIRST_NUMBER;
        [number, number + 1].map(|number| std::fs::File::from(owned(number)))
    });
    let mapped = match (arguments.modules.is_empty(), arguments.tool) {
        (true, _) => None,
        (false, None) => Some(map_guests(&arguments.modules)?),
        (false, Some(kind)) => match map_tool(kind, &arguments.modules) {
            Ok(mapped) => Some(mapped),
            Err(error) => return tell(&mut socket, &Event::Unsealed(format!("{error:#}"))),
        },
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
    match (assignment.task, files) {
        (Task::Attack(target), _) => {
            let findings = try_everything(*target, &sealed);
            return tell(&mut socket, &Event::Attacked(findings));
        }
        (Task::Compile(kind), Some([wasm, artefact])) => {
            let found = tool_file::compile(kind, &wasm, &artefact);
            let found = found.map(Box::new).map_err(|error| format!("{error:#}"));
            return tell(&mut socket, &Event::Compiled(found));
        }
        (Task::Serve | Task::Compile(_), _) => {}
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

/// Maps the code of the one tool that this process is for.
fn map_tool(kind: ToolKind, names: &[String]) -> anyhow::Result<(Engine, Programs)> {
    let artefact = inherited(names).next();
    let (name, artefact) = artefact.context("a tool without code")?;
    match kind {
        ToolKind::Module => {
            let (engine, programs) = Runtime::tool(&name)?;
            let loaded = programs.load(&name, artefact);
            loaded.context("asks for something that no tool is given")?;
            Ok((engine, programs))
        }
        ToolKind::Component => Programs::of_component(artefact),
    }
}

/// Ends this process when it has computed for so long.
fn limit_processor() -> rustix::io::Result<()> {
    let most = Some(tool_file::CPU_SECONDS_MAX);
    let limit = rustix::process::Rlimit {
        current: most,
        maximum: most,
    };
    rustix::process::setrlimit(rustix::process::Resource::Cpu, limit)
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
            Message::Input(id, bytes) => {
                if let Some(running) = self.calls.lock().get(&id)
                    && let Some(input) = &running.input
                {
                    input.take(bytes);
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
            None => {
                let found = self.runtime.programs.find_first(&order.program);
                found.ok_or(Unstarted::Absent)?
            }
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
        let (stdin, input) = self.stdin(id, std::mem::take(&mut order.stdin));
        let stdio = [
            stdin,
            Descriptor::Output(Arc::clone(&stdout)),
            Descriptor::Output(Arc::clone(&stderr)),
        ];
        for (number, descriptor) in (0u32..).zip(stdio) {
            descriptors
                .put(number, descriptor)
                .map_err(|_| Unstarted::Stopped(StoppedBy::Descriptors))?;
        }
        let image = Image {
            preopens: match order.preopens {
                true => preopens(order),
                false => Vec::new(),
            },
            code,
            arguments: Strings::from_list(&order.arguments),
            environment: Strings::from_list(&order.environment),
            cwd: order.cwd.clone().into_bytes(),
            denied: None,
        };
        let running = Running {
            call: Arc::clone(&call),
            window,
            input: input.clone(),
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
            input,
        })
    }

    async fn finish(&self, started: Started) -> Outcome {
        let Started {
            call,
            stdout,
            stderr,
            input,
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
            input_read_bytes: input.map_or(0, |input| input.pipe.read()),
        }
    }

    /// The first process's standard input, and what takes the pieces that the broker sends of it.
    fn stdin(&self, id: CallId, stdin: Stdin) -> (Descriptor, Option<SentInput>) {
        let given = match stdin {
            Stdin::Empty => Descriptor::Device(Device::Null),
            Stdin::Bytes(bytes) => Descriptor::Input(Input::new(bytes)),
            Stdin::Inherit => {
                let (reader, writer) = pipe();
                tokio::spawn(pass_stdin(writer));
                Descriptor::Reader(reader)
            }
            Stdin::Sent => {
                let (reader, input) = SentInput::start(id, self.events.clone());
                return (Descriptor::Reader(reader), Some(input));
            }
        };
        (given, None)
    }
}

struct Started {
    call: Arc<Call>,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
    input: Option<SentInput>,
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

/// The call's folders, and the working folder as `.`.
fn preopens(order: &Order) -> Vec<Preopen> {
    let mounts = order.mounts.iter();
    let folders = mounts.map(|mount| (&*mount.guest, &*mount.guest));
    let folders = folders.chain([(".", &*order.cwd)]);
    let preopen = |(name, path): (&str, &str)| Preopen {
        name: name.as_bytes().to_vec(),
        path: path.as_bytes().to_vec(),
    };
    folders.map(preopen).collect()
}

/// Input that the broker sends, on its way to the first process.
#[derive(Clone)]
struct SentInput {
    pieces: mpsc::UnboundedSender<Vec<u8>>,
    pipe: Gauge,
}

impl SentInput {
    fn start(id: CallId, events: mpsc::Sender<Event>) -> (Arc<PipeReader>, Self) {
        let (reader, writer) = pipe();
        // Bounded: the broker sends no more than fits the window.
        let (pieces, queue) = mpsc::unbounded_channel();
        let pipe = writer.gauge();
        tokio::spawn(pass_sent((id, events), writer, queue));
        (reader, Self { pieces, pipe })
    }

    fn take(&self, piece: Vec<u8>) {
        // Nobody may read any more: then it stays unread.
        let _closed = self.pieces.send(piece);
    }
}

/// Moves pieces into the pipe; more is asked for when they have been read, so that little is taken
/// that nobody reads.
async fn pass_sent(
    (id, events): (CallId, mpsc::Sender<Event>),
    writer: Arc<PipeWriter>,
    mut pieces: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    while let Some(piece) = pieces.recv().await.filter(|piece| !piece.is_empty()) {
        if write_all(&writer, &piece).await.is_err() {
            return;
        }
        poll_fn(|cx| writer.poll_emptied(cx)).await;
        // A closed channel means that the broker is gone, and this cell with it.
        let _sent = events.send(Event::Wants(id, room_of(piece.len()))).await;
    }
}

/// Copies the cell's own standard input into a pipe, as fast as it is read.
async fn pass_stdin(writer: Arc<PipeWriter>) {
    let mut stdin = tokio::io::stdin();
    let mut buffer = vec![0; 32 << 10];
    while let Ok(count @ 1..) = stdin.read(&mut buffer).await {
        let bytes = buffer.get(..count).unwrap_or_default();
        if write_all(&writer, bytes).await.is_err() {
            return;
        }
    }
}

/// Writes as fast as it is read.
async fn write_all(writer: &PipeWriter, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let wrote = poll_fn(|cx| writer.poll_write(cx, bytes)).await?;
        bytes = bytes.get(wrote..).unwrap_or_default();
    }
    Ok(())
}
