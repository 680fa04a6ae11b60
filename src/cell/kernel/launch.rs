//! Runs processes: a task each, that drops its store the moment the process must end.

use std::{
    future::{Future, poll_fn},
    sync::Arc,
    task::{Context, Poll},
};

use wasmtime::{Instance, Store};

use super::{
    Call, Code, Descriptor, Descriptors, Exit, FIRST_PREOPEN, Guest, Image, Inherited, Pid,
    Preopen, Process, Status,
    guest::{settle_fuel, signal_of},
    native,
    signal::{self, Signals},
};
#[cfg(feature = "components")]
use crate::cell::component;
use crate::cell::{
    runtime::{Runtime, Slot},
    wasi::{Errno, open_path},
};

/// The file creation mask of a call's first process (DESIGN §6).
const UMASK: u32 = 0o022;
/// Exit code of a program that the policy denies, as of one that cannot be executed.
const DENIED: u8 = 126;
/// Exit code of a program whose guest is not there, as a shell has it for what it cannot execute.
const NOT_COMPILED: u8 = 126;
/// Number of standard error.
const STDERR: u32 = 2;
/// The parent of a call's first process.
const NO_PARENT: Pid = 0;

/// Starts a call's first process.
///
/// # Errors
/// EAGAIN when no slot is free; EMFILE.
pub fn start_first(
    runtime: &Arc<Runtime>,
    call: &Arc<Call>,
    image: Image,
    descriptors: Descriptors,
) -> Result<(), Errno> {
    let inherited = Inherited {
        parent: NO_PARENT,
        group: None,
        umask: UMASK,
        signals: Signals::default(),
    };
    let slot = runtime.take_slot(call)?;
    let process = call.admit(|pid| Process::new(call, pid, inherited))?;
    let unstarted = Unstarted::new(&process);
    let guest = Guest::new(runtime, &process, descriptors, image)?;
    unstarted.started();
    start(guest, slot);
    Ok(())
}

/// Takes an admitted process back out of the table unless it was started.
pub struct Unstarted(Option<Arc<Process>>);

impl Unstarted {
    pub fn new(process: &Arc<Process>) -> Self {
        Self(Some(Arc::clone(process)))
    }

    pub fn started(mut self) {
        self.0 = None;
    }
}

impl Drop for Unstarted {
    fn drop(&mut self) {
        if let Some(process) = self.0.take() {
            process.call.abandon(process.pid);
        }
    }
}

/// Starts the process of `guest` from the beginning of its program.
pub fn start(guest: Guest, slot: Slot) {
    let (runtime, process) = (Arc::clone(&guest.runtime), Arc::clone(&guest.process));
    launch(runtime, process, slot, run(guest, None));
}

/// Starts the process of a store whose memory is a copy of its parent's.
pub fn start_forked(store: Store<Guest>, instance: Instance, argument: i32, slot: Slot) {
    let guest = store.data();
    let (runtime, process) = (Arc::clone(&guest.runtime), Arc::clone(&guest.process));
    launch(runtime, process, slot, async move {
        let mut store = store;
        let entered = enter_fork(&mut store, instance, argument).await;
        settle_fuel(&mut store);
        let (guest, status) = after(store.into_data(), entered);
        match status {
            Some(status) => status,
            None => run(guest, None).await,
        }
    });
}

/// Polls `body` until it ends, the process is killed, or the call ends. Then the store is
/// dropped first, so that its descriptors are closed before anyone can wait for the process.
fn launch(
    runtime: Arc<Runtime>,
    process: Arc<Process>,
    slot: Slot,
    body: impl Future<Output = Status> + Send + 'static,
) {
    let mut ending = Ending {
        process: Arc::clone(&process),
        status: None,
        slot: Some(slot),
    };
    let (threads, is_first) = (Arc::clone(&runtime), process.parent == NO_PARENT);
    threads.threads.spawn(is_first, async move {
        let mut body = Some(Box::pin(body));
        let status = poll_fn(|cx| {
            process.polled_by(cx.waker());
            if let Some(status) = process.must_end() {
                return Poll::Ready(status);
            }
            let _running = runtime.ticker.running();
            let polled = match body.as_mut() {
                Some(body) => body.as_mut().poll(cx),
                None => Poll::Ready(Status::Signaled(signal::ABRT)),
            };
            // A turn lasts until the process waits, for whatever reason.
            process.give_turn_back();
            polled
        })
        .await;
        drop(body.take());
        ending.status = Some(status);
        drop(ending);
    });
}

/// Records the end even if the task panics.
struct Ending {
    process: Arc<Process>,
    status: Option<Status>,
    slot: Option<Slot>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        drop(self.slot.take());
        self.process.give_turn_back();
        self.process
            .exited(self.status.unwrap_or(Status::Signaled(signal::ABRT)));
    }
}

async fn run(mut guest: Guest, mut ended: Option<Status>) -> Status {
    loop {
        if let Some(status) = ended {
            return status;
        }
        if let Some(reason) = &guest.image.denied {
            say(&guest, reason.as_bytes()).await;
            return Status::Exited(DENIED);
        }
        let module = match &guest.image.code {
            Code::Guest(module) => Arc::clone(module),
            Code::Native(path) => return native::run(&guest, path).await,
            #[cfg(feature = "components")]
            Code::Component(tool) => return component::run(&guest, &Arc::clone(tool)).await,
        };
        if let Err(errno) = open_preopens(&mut guest).await {
            let text = format!(
                "hotcell: its folders cannot be opened (error {})\n",
                errno.0
            );
            say(&guest, text.as_bytes()).await;
            return Status::Exited(DENIED);
        }
        let Ok(pre) = module.ready().await else {
            let text = not_compiled(&guest);
            say(&guest, text.as_bytes()).await;
            return Status::Exited(NOT_COMPILED);
        };
        let runtime = Arc::clone(&guest.runtime);
        let mut store = match runtime.store(guest) {
            Ok(store) => store,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "no store for a guest");
                return Status::Signaled(signal::KILL);
            }
        };
        let entered = async {
            let instance = pre.instantiate_async(&mut store).await?;
            store.data_mut().memory = instance.get_memory(&mut store, "memory");
            let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
            start.call_async(&mut store, ()).await
        }
        .await;
        settle_fuel(&mut store);
        (guest, ended) = after(store.into_data(), entered);
    }
}

fn not_compiled(guest: &Guest) -> String {
    let arguments = &guest.image.arguments.0;
    let program = arguments.split(|&byte| byte == 0).next();
    let program = String::from_utf8_lossy(program.unwrap_or_default());
    format!(
        "hotcell: {program}: not compiled yet; try again in a moment, and look at the log if that does not help\n"
    )
}

/// Opens the folders that a program expects to be open. The working folder need not be one it sees.
async fn open_preopens(guest: &mut Guest) -> Result<(), Errno> {
    for Preopen { name, path } in guest.image.preopens.clone() {
        match open_path(guest, &path).await {
            Ok(folder) => drop(guest.descriptors.add(FIRST_PREOPEN, folder)?),
            Err(_) if name == b"." => {
                guest.image.preopens.retain(|preopen| preopen.name != name);
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Writes to the process's standard error, if it has one that takes bytes.
pub(super) async fn say(guest: &Guest, text: &[u8]) {
    match guest.descriptors.get(STDERR) {
        Ok(Descriptor::Output(output)) => {
            guest.call().count_output(text.len() as u64);
            output.write(text).await;
        }
        Ok(Descriptor::Writer(pipe)) => {
            let mut rest = text;
            while let Ok(wrote @ 1..) = poll_fn(|cx| pipe.poll_write(cx, rest)).await {
                rest = rest.get(wrote..).unwrap_or_default();
                if rest.is_empty() {
                    break;
                }
            }
        }
        // A full disk keeps the reason from being told, not the program from being denied.
        Ok(Descriptor::File(file)) => drop(file.write(text, None)),
        Ok(
            Descriptor::Reader(_)
            | Descriptor::Input(_)
            | Descriptor::Directory(_)
            | Descriptor::Device(_),
        )
        | Err(_) => {}
    }
}

async fn enter_fork(
    store: &mut Store<Guest>,
    instance: Instance,
    argument: i32,
) -> wasmtime::Result<()> {
    let entry = instance.get_typed_func::<i32, ()>(&mut *store, "fork_entry")?;
    entry.call_async(store, argument).await
}

/// What follows a guest's return: its status, or none when it becomes another program.
fn after(mut guest: Guest, entered: wasmtime::Result<()>) -> (Guest, Option<Status>) {
    let Err(error) = entered else {
        return (guest, Some(Status::Exited(0)));
    };
    let status = match error.downcast_ref::<Exit>() {
        Some(Exit::Code(code)) => Status::Exited(code.to_le_bytes()[0]),
        Some(Exit::Signal(signal)) => Status::Signaled(*signal),
        Some(Exit::Exec) => match guest.next.take() {
            Some((image, descriptors)) => {
                guest.become_next(image, descriptors);
                return (guest, None);
            }
            None => Status::Signaled(signal::ABRT),
        },
        None => Status::Signaled(signal_of(&error, &guest)),
    };
    (guest, Some(status))
}

/// Waits for `attempt`, unless a caught signal comes first.
///
/// # Errors
/// EINTR.
pub async fn wait_interruptibly<T>(
    process: &Process,
    mut attempt: impl FnMut(&mut Context<'_>) -> Poll<T> + Send,
) -> Result<T, Errno> {
    poll_fn(|cx| match attempt(cx) {
        Poll::Ready(value) => Poll::Ready(Ok(value)),
        Poll::Pending if process.has_pending_signal() => Poll::Ready(Err(Errno::EINTR)),
        Poll::Pending => Poll::Pending,
    })
    .await
}
