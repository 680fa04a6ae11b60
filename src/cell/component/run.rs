//! Runs a component as a process of a call.

use std::{fs::File, sync::Arc};

use rustix::fs::{Mode, OFlags, openat};
use wasmtime::{AsContextMut, Store, Trap, UpdateDeadline, component::ResourceTable};
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

use super::{
    host::Host,
    streams::{Stdin, Stdout},
    tool::{ComponentTool, Entry},
};
use crate::cell::{
    engine::FUEL_INTERVAL,
    kernel::{Descriptor, FUEL_START, Guest, Preopen, Status, signal},
    wasi::{Errno, Folder, open_path},
};
use crate::outcome::StoppedBy;

/// Exit code of a program that cannot be started.
const NOT_RUN: u8 = 126;
/// Longest input of a typed tool, in bytes. Chosen, not measured.
const INPUT_BYTES_MAX: usize = 16 << 20;
/// Most resources (open files, streams, timers) of one component at once. Chosen: as many as a
/// process of a guest has descriptors, four times.
const RESOURCES_MAX: usize = 1_024;
/// Bytes that one call of the host may take out of the component's memory at once.
const HOST_CALL_BYTES_MAX: usize = 16 << 20;
/// Random bytes that may be asked for at once.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// Runs the component of this cell as the process of `guest`; answers how it ended.
pub async fn run(guest: &Guest, tool: &ComponentTool) -> Status {
    let call = guest.call();
    let stdin = Stdin(guest.descriptors.get(0).ok().cloned());
    let stdout = Stdout::new(call, guest.descriptors.get(1).ok());
    let stderr = Stdout::new(call, guest.descriptors.get(2).ok());
    let streams = (&stdin, &stdout, &stderr);
    let status = match start(guest, tool, streams).await {
        Ok(status) => status,
        Err(text) => {
            stderr
                .write_all(format!("hotcell: {text}\n").as_bytes())
                .await;
            Status::Exited(NOT_RUN)
        }
    };
    stdout.drain().await;
    stderr.drain().await;
    status
}

async fn start(
    guest: &Guest,
    tool: &ComponentTool,
    (stdin, stdout, stderr): (&Stdin, &Stdout, &Stdout),
) -> Result<Status, String> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdin(stdin.clone())
        .stdout(stdout.clone())
        .stderr(stderr.clone())
        .max_random_size(RANDOM_BYTES_MAX);
    for word in guest.image.arguments.iter() {
        wasi.arg(String::from_utf8_lossy(word));
    }
    for variable in guest.image.environment.iter() {
        let variable = String::from_utf8_lossy(variable);
        if let Some((name, value)) = variable.split_once('=') {
            wasi.env(name, value);
        }
    }
    let folders = folders(guest).await;
    let mut table = ResourceTable::new();
    table.set_max_capacity(RESOURCES_MAX);
    let host = Host {
        wasi: wasi.build(),
        table,
        folders: folders
            .map_err(|errno| format!("its folders cannot be opened (error {})", errno.0))?,
        call: Arc::clone(guest.call()),
        fuel_seen: FUEL_START,
        memory_held: 0,
        memory_refused: false,
    };
    let mut store = store(tool, host).map_err(|error| format!("no store for it: {error:#}"))?;
    let entered = match &tool.entry {
        Entry::Command(interface) => command(&mut store, tool, interface).await,
        Entry::Typed => typed(&mut store, tool, (stdin, stdout, stderr)).await,
    };
    settle_fuel(&mut store);
    Ok(match entered {
        Ok(status) => status,
        Err(error) => ended(&error, store.data()),
    })
}

fn store(tool: &ComponentTool, host: Host) -> wasmtime::Result<Store<Host>> {
    let mut store = Store::new(&tool.engine, host);
    store.limiter(|host| host);
    store.set_hostcall_fuel(HOST_CALL_BYTES_MAX);
    store.set_fuel(FUEL_START)?;
    store.fuel_async_yield_interval(Some(FUEL_INTERVAL))?;
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| {
        settle_fuel(&mut store);
        // Back to the task, which sees whether the process must end.
        Ok(UpdateDeadline::Yield(1))
    });
    Ok(store)
}

/// Charges what the store has burned since it was last asked to the call's budget.
fn settle_fuel(mut store: impl AsContextMut<Data = Host>) {
    let mut store = store.as_context_mut();
    let left = store.get_fuel().unwrap_or(0);
    let host = store.data_mut();
    let spent = host.fuel_seen.saturating_sub(left);
    host.fuel_seen = left;
    host.call.spend(spent);
}

async fn command(
    store: &mut Store<Host>,
    tool: &ComponentTool,
    interface: &str,
) -> wasmtime::Result<Status> {
    let instance = tool.pre.instantiate_async(&mut *store).await?;
    let absent = || wasmtime::Error::msg("it cannot be entered");
    let place = instance.get_export_index(&mut *store, None, interface);
    let place = place.ok_or_else(absent)?;
    let run = instance.get_export_index(&mut *store, Some(&place), "run");
    let run = run.ok_or_else(absent)?;
    let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut *store, &run)?;
    let (result,) = run.call_async(store, ()).await?;
    Ok(Status::Exited(u8::from(result.is_err())))
}

/// Hands over all of standard input as one text; what it answers is the output.
async fn typed(
    store: &mut Store<Host>,
    tool: &ComponentTool,
    (stdin, stdout, stderr): (&Stdin, &Stdout, &Stdout),
) -> wasmtime::Result<Status> {
    let input = match read_all(stdin.clone()).await {
        Ok(input) => input,
        Err(text) => {
            stderr.write_all(text.as_bytes()).await;
            return Ok(Status::Exited(1));
        }
    };
    let instance = tool.pre.instantiate_async(&mut *store).await?;
    let run = instance.get_typed_func::<(&str,), (Result<String, String>,)>(&mut *store, "run")?;
    let (answer,) = run.call_async(store, (&input,)).await?;
    let (stream, text, code) = match answer {
        Ok(text) => (stdout, text, 0),
        Err(text) => (stderr, text, 1),
    };
    stream.write_all(text.as_bytes()).await;
    if !text.is_empty() && !text.ends_with('\n') {
        stream.write_all(b"\n").await;
    }
    Ok(Status::Exited(code))
}

async fn read_all(mut stdin: Stdin) -> Result<String, String> {
    use wasmtime_wasi::p2::{InputStream as _, Pollable as _};
    let mut input = Vec::new();
    loop {
        stdin.ready().await;
        // An error is the end.
        let Ok(piece) = stdin.read(usize::MAX) else {
            break;
        };
        input.extend_from_slice(&piece);
        if input.len() > INPUT_BYTES_MAX {
            return Err(format!(
                "hotcell: the input has over {INPUT_BYTES_MAX} bytes\n"
            ));
        }
    }
    String::from_utf8(input).map_err(|_| "hotcell: the input is not UTF-8\n".to_owned())
}

/// The folders it sees, open for reading, with their names. The working folder need not be one.
async fn folders(guest: &Guest) -> Result<Vec<(String, File)>, Errno> {
    let mut open = Vec::new();
    for Preopen { name, path } in &guest.image.preopens {
        let found = match open_path(guest, path).await {
            Ok(Descriptor::Directory(found)) => found,
            Ok(_) => return Err(Errno::ENOTDIR),
            Err(_) if name == b"." => continue,
            Err(errno) => return Err(errno),
        };
        let Folder::Host { fd, .. } = found.chain.folder() else {
            continue; // of our own making, as `/bin`
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(fd, ".", flags, Mode::empty())?;
        open.push((
            String::from_utf8_lossy(name).into_owned(),
            File::from(folder),
        ));
    }
    Ok(open)
}

/// How a component ended that did not return.
fn ended(error: &wasmtime::Error, host: &Host) -> Status {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Status::Exited(exit.0.to_le_bytes()[0]);
    }
    if host.memory_refused {
        host.call.end(Some(StoppedBy::Memory));
        return Status::Signaled(signal::KILL);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow | Trap::MemoryOutOfBounds) => Status::Signaled(signal::SEGV),
        _ => {
            tracing::debug!(error = format!("{error:#}"), "a component trapped");
            Status::Signaled(signal::ABRT)
        }
    }
}
