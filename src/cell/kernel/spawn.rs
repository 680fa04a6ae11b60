//! Starting programs: spawn, exec and fork.

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering},
};

use wasmtime::{AsContextMut, Caller, Extern, Memory};

use super::{
    Code, Descriptors, Guest, Image, Inherited, Pid, Process,
    guest::Strings,
    launch::{Unstarted, start, start_forked},
};
use crate::cell::wasi::{Errno, Executable, executable};

/// Deepest chain of `#!` interpreters (Linux: 5, fs/exec.c).
const INTERPRETERS_MAX: usize = 5;
const PAGE_BYTES: usize = 4096;
/// Bytes of memory a fork looks at before other guests get their turn.
const COPY_AT_ONCE: usize = 8 << 20;
/// Fuel that a copied page costs: its faults and its copy, at two units a nanosecond. Measured by
/// tests/host_calls.rs.
const PAGE_FUEL: u64 = 5_000;
/// Fuel a start costs: what making an instance takes, at two units a nanosecond.
const START_FUEL: u64 = 200_000;

/// A program to start, as the guest described it. Untrusted.
#[derive(Debug)]
pub struct SpawnRequest {
    pub program: Vec<u8>,
    pub arguments: Strings,
    pub environment: Strings,
    pub cwd: Vec<u8>,
    /// (number in the child, number in the caller).
    pub descriptors: Vec<(u32, u32)>,
    pub new_group: bool,
    pub ignored_signals: u32,
}

/// Starts a program as a child of the caller.
///
/// # Errors
/// ENOENT, EACCES, ENOEXEC, EBADF; EAGAIN and EMFILE at a limit.
pub fn spawn(parent: &Guest, request: SpawnRequest) -> Result<Pid, Errno> {
    let call = parent.call();
    call.spend(START_FUEL);
    let descriptors = parent.descriptors.chosen(&request.descriptors)?;
    let image = image(parent, &request)?;
    let inherited = Inherited {
        parent: parent.process.pid,
        group: (!request.new_group).then_some(parent.process.group),
        umask: parent.process.umask.load(Ordering::Relaxed),
        signals: parent.process.signals().over_exec(request.ignored_signals),
    };
    let slot = parent.runtime.take_slot(call)?;
    let process = call.admit(|pid| Process::new(call, pid, inherited))?;
    let unstarted = Unstarted::new(&process);
    let guest = Guest::new(&parent.runtime, &process, descriptors, image)?;
    unstarted.started();
    parent.process.adopt(Arc::clone(&process));
    let pid = process.pid;
    start(guest, slot);
    Ok(pid)
}

/// Prepares the caller to become another program; its code must then end with `Exit::Exec`.
///
/// # Errors
/// As [`spawn`], with the caller unchanged.
pub fn exec(guest: &mut Guest, request: &SpawnRequest) -> Result<(), Errno> {
    guest.call().spend(START_FUEL);
    let descriptors = guest.descriptors.chosen(&request.descriptors)?;
    let image = image(guest, request)?;
    let _counted = image.take_memory(guest.call())?;
    guest.process.exec_signals(request.ignored_signals);
    guest.next = Some((image, descriptors));
    Ok(())
}

/// Finds the module for a program path, following `#!` lines.
fn image(guest: &Guest, request: &SpawnRequest) -> Result<Image, Errno> {
    let mut path = request.program.clone();
    let mut arguments = request.arguments.clone();
    let native = |path: String| Image {
        code: Code::Native(path),
        arguments: request.arguments.clone(),
        environment: Strings::default(),
        cwd: request.cwd.clone(),
        preopens: Vec::new(),
        denied: None,
    };
    let natives = &guest.call().natives.names;
    // By its own path, and not as the interpreter of a script, which is meant for guests.
    if let Some(path) = std::str::from_utf8(&path)
        .ok()
        .and_then(|path| natives.get(path))
    {
        return Ok(native(path.clone()));
    }
    for _ in 0..INTERPRETERS_MAX {
        match executable(guest, &request.cwd, &path)? {
            Executable::Program(name) => {
                let Some(module) = guest.runtime.programs.find(&name) else {
                    return natives.get(&name).cloned().map(native).ok_or(Errno::ENOENT);
                };
                // Multicall modules choose what to do by this name.
                if arguments.iter().next().map(base_name) != Some(name.as_bytes()) {
                    arguments = arguments.with_first_replaced([name.as_bytes()]);
                }
                let denied = guest.call().programs.judge(&name).err();
                let denied = denied.map(|reason| format!("{name}: {reason}"));
                if let Some(text) = &denied {
                    guest.call().note_denial(text);
                }
                return Ok(Image {
                    denied: denied.map(|text| format!("hotcell: {text}\n")),
                    code: Code::Guest(module),
                    arguments,
                    environment: request.environment.clone(),
                    cwd: request.cwd.clone(),
                    preopens: Vec::new(),
                });
            }
            Executable::Script {
                interpreter,
                argument,
            } => {
                let script = std::mem::replace(&mut path, interpreter.clone());
                let first = [Some(interpreter), argument, Some(script)];
                arguments = arguments.with_first_replaced(first.iter().flatten());
            }
        }
    }
    Err(Errno::ELOOP)
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().unwrap_or(path)
}

/// Starts a copy of the caller: a second instance of its module with a copy of its memory, that
/// enters `fork_entry(argument)`.
///
/// # Errors
/// EAGAIN, ENOMEM or EMFILE at a limit; ENOSYS for a module without `fork_entry`.
pub async fn fork(caller: &mut Caller<'_, Guest>, argument: i32) -> Result<Pid, Errno> {
    let stack_pointer = match caller.get_export("__stack_pointer") {
        Some(Extern::Global(global)) => global.get(caller.as_context_mut()),
        _ => return Err(Errno::ENOSYS),
    };
    let live_from = usize::try_from(stack_pointer.i32().ok_or(Errno::ENOSYS)?.cast_unsigned())
        .map_err(|_| Errno::ENOSYS)?;
    let parent = caller.data();
    let (call, runtime) = (Arc::clone(parent.call()), Arc::clone(&parent.runtime));
    let memory = parent.memory.ok_or(Errno::ENOSYS)?;
    let descriptors: Descriptors = parent.descriptors.copied()?;
    let Code::Guest(module) = &parent.image.code else {
        return Err(Errno::ENOSYS);
    };
    let pre = module.ready_now().ok_or(Errno::ENOSYS)?;
    let inherited = Inherited {
        parent: parent.process.pid,
        group: Some(parent.process.group),
        umask: parent.process.umask.load(Ordering::Relaxed),
        signals: parent.process.signals().forked(),
    };
    let slot = runtime.take_slot(&call)?;
    let process = call.admit(|pid| Process::new(&call, pid, inherited))?;
    let unstarted = Unstarted::new(&process);
    let guest = Guest::new(&runtime, &process, descriptors, parent.image.clone())?;
    // Instance, and every page looked at.
    let look = memory.data_size(&*caller) as u64 / 4;
    call.spend(START_FUEL + look);

    let mut store = runtime.store(guest).map_err(|_| Errno::ENOMEM)?;
    let instance = pre
        .instantiate_async(&mut store)
        .await
        .map_err(|_| Errno::ENOMEM)?;
    let copy = instance
        .get_memory(&mut store, "memory")
        .ok_or(Errno::ENOSYS)?;
    store.data_mut().memory = Some(copy);
    let fresh_bytes = copy.data_size(&store);
    let more_pages = memory.size(&*caller).saturating_sub(copy.size(&store));
    if more_pages > 0 {
        copy.grow_async(&mut store, more_pages)
            .await
            .map_err(|_| Errno::ENOMEM)?;
    }
    let end = memory.data_size(&*caller);
    for start in (live_from.min(end) / PAGE_BYTES * PAGE_BYTES..end).step_by(COPY_AT_ONCE) {
        let range = start..end.min(start + COPY_AT_ONCE);
        let copied = copy_live(
            memory,
            caller,
            copy.data_mut(&mut store),
            range,
            fresh_bytes,
        );
        call.spend(copied * PAGE_FUEL);
        if end - start > COPY_AT_ONCE {
            tokio::task::yield_now().await;
        }
    }
    let global = instance
        .get_global(&mut store, "__stack_pointer")
        .ok_or(Errno::ENOSYS)?;
    global
        .set(&mut store, stack_pointer)
        .map_err(|_| Errno::ENOSYS)?;

    unstarted.started();
    caller.data().process.adopt(Arc::clone(&process));
    let pid = process.pid;
    start_forked(store, instance, argument, slot);
    Ok(pid)
}

/// Copies the pages of `range` that differ. The new instance already has the module's initial data, its
/// memory past `fresh_bytes` is zero, and what lies below the stack pointer is dead. Answers how many
/// pages that were.
fn copy_live(
    memory: Memory,
    caller: &Caller<'_, Guest>,
    to: &mut [u8],
    range: Range<usize>,
    fresh_bytes: usize,
) -> u64 {
    let starts = range.clone().step_by(PAGE_BYTES);
    let from = memory.data(caller).get(range.clone()).unwrap_or_default();
    let to = to.get_mut(range).unwrap_or_default();
    let pages = from.chunks(PAGE_BYTES).zip(to.chunks_mut(PAGE_BYTES));
    let mut copied = 0;
    for (start, (old, new)) in starts.zip(pages) {
        let same = if start < fresh_bytes {
            old == &*new
        } else {
            old.iter().all(|&b| b == 0)
        };
        if !same {
            new.copy_from_slice(old);
            copied += 1;
        }
    }
    copied
}
