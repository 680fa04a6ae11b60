//! More memory and more threads than a cell may have, by native code: taken until somebody refuses,
//! or ends the process.

use std::sync::mpsc;
use std::thread;

use super::call::{PAGE, Stopped, bits, call, otherwise, read_at, write_at};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::Nothing;
use Wall::{Groups, Limits};

/// Bytes that are taken. Chosen: far above what the tests give a cell, and bearable for a machine
/// that gives them.
const MEMORY_BYTES: usize = 768 << 20;
/// Bytes that are asked for at a time.
const PIECE_BYTES: usize = 4 << 20;
/// Threads that are started. Chosen: far above what a cell may have.
const THREADS: usize = 1_500;
const STACK_BYTES: usize = 16 << 10;
/// Distance of writes that reach every page.
const STEP_BYTES: usize = 4 << 10;

pub(super) const PROBES: &[Probe] = &[
    probe("bomb.memory", Nothing, &[Groups, Limits], memory),
    probe("bomb.threads", Nothing, &[Groups, Limits], threads),
];

/// All of it is written, since memory that nobody wrote is nobody's.
fn memory(_: &Target) -> Attempt {
    let mut pieces = Vec::new();
    let mut stopped = None;
    while stopped.is_none() && pieces.len() < MEMORY_BYTES / PIECE_BYTES {
        match piece() {
            Ok(address) => pieces.push(address),
            Err(error) => stopped = Some(error),
        }
    }
    let bytes: usize = pieces.len().saturating_mul(PIECE_BYTES);
    let held = pieces.iter().all(|address| read_at(*address, 1) == [1]);
    for address in pieces {
        let _ = call("munmap", libc::SYS_munmap, [address, PIECE_BYTES]);
    }
    match stopped {
        Some(error) => Err(error),
        None if held => Ok(format!("{bytes} bytes")),
        None => Err(otherwise("it does not keep what was written")),
    }
}

fn piece() -> Result<usize, Stopped> {
    let protection = bits(libc::PROT_READ | libc::PROT_WRITE);
    let flags = bits(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let arguments = [0, PIECE_BYTES, protection, flags, usize::MAX, 0];
    let address = call("mmap", libc::SYS_mmap, arguments)?;
    for offset in (0..PIECE_BYTES).step_by(STEP_BYTES) {
        write_at(address.saturating_add(offset), &[1]);
    }
    Ok(address)
}

/// All of them wait until the last one was started, and then end.
fn threads(_: &Target) -> Attempt {
    let mut started = Vec::new();
    let mut refused = None;
    let mut ends = Vec::new();
    while refused.is_none() && started.len() < THREADS {
        let (end, wait) = mpsc::channel::<()>();
        let builder = thread::Builder::new().stack_size(STACK_BYTES.max(PAGE));
        match builder.spawn(move || wait.recv().is_err()) {
            Ok(thread) => {
                started.push(thread);
                ends.push(end);
            }
            Err(error) => refused = Some(error),
        }
    }
    let count = started.len();
    drop(ends);
    for thread in started {
        let _ended = thread.join();
    }
    match refused {
        Some(error) => Err(otherwise(format!("after {count} threads: {error}"))),
        None => Ok(format!("{count} threads")),
    }
}
