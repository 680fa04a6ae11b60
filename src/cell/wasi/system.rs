//! Preview 1 beyond files: arguments, environment, clocks, randomness; and what is refused.

#![expect(
    clippy::too_many_arguments,
    reason = "preview 1 and our own imports have these signatures"
)]

use rustix::time::{ClockId, clock_getres, clock_gettime};
use wasmtime::Caller;

use super::{
    Errno,
    memory::{bytes_mut, put, split},
    register::Stop,
};
use crate::cell::kernel::{Guest, Strings};

/// Most random bytes one call gives.
const RANDOM_BYTES_MAX: u32 = 1 << 20;

fn sizes(
    caller: &mut Caller<'_, Guest>,
    strings: impl Fn(&Guest) -> &Strings,
    count: u32,
    size: u32,
) -> Result<(), Errno> {
    let (memory, guest) = split(caller)?;
    let strings = strings(guest);
    super::descriptors::charge(guest, strings.0.len() * 4);
    let number = u32::try_from(strings.iter().count()).map_err(|_| Errno::EOVERFLOW)?;
    let bytes = u32::try_from(strings.0.len()).map_err(|_| Errno::EOVERFLOW)?;
    put(memory, count, &number.to_le_bytes())?;
    put(memory, size, &bytes.to_le_bytes())
}

fn copy(
    caller: &mut Caller<'_, Guest>,
    strings: impl Fn(&Guest) -> &Strings,
    list: u32,
    bytes: u32,
) -> Result<(), Errno> {
    let (memory, guest) = split(caller)?;
    let strings = strings(guest);
    super::descriptors::charge(guest, strings.0.len() * 16);
    put(memory, bytes, &strings.0)?;
    let mut at = bytes;
    for (index, string) in (0u32..).zip(strings.iter()) {
        let entry = list.checked_add(index * 4).ok_or(Errno::EFAULT)?;
        put(memory, entry, &at.to_le_bytes())?;
        at += u32::try_from(string.len() + 1).map_err(|_| Errno::EOVERFLOW)?;
    }
    Ok(())
}

pub fn args_get(caller: &mut Caller<'_, Guest>, list: u32, bytes: u32) -> Result<(), Errno> {
    copy(caller, |guest| &guest.image.arguments, list, bytes)
}

pub fn args_sizes_get(caller: &mut Caller<'_, Guest>, count: u32, size: u32) -> Result<(), Errno> {
    sizes(caller, |guest| &guest.image.arguments, count, size)
}

pub fn environ_get(caller: &mut Caller<'_, Guest>, list: u32, bytes: u32) -> Result<(), Errno> {
    copy(caller, |guest| &guest.image.environment, list, bytes)
}

pub fn environ_sizes_get(
    caller: &mut Caller<'_, Guest>,
    count: u32,
    size: u32,
) -> Result<(), Errno> {
    sizes(caller, |guest| &guest.image.environment, count, size)
}

fn clock(number: u32) -> Result<ClockId, Errno> {
    match number {
        0 => Ok(ClockId::Realtime),
        1 => Ok(ClockId::Monotonic),
        // Processor time of the host's threads would tell about other guests.
        _ => Err(Errno::ENOTSUP),
    }
}

fn nanoseconds(time: rustix::time::Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000) + u64::try_from(time.tv_nsec).unwrap_or(0)
}

pub fn clock_res_get(caller: &mut Caller<'_, Guest>, number: u32, out: u32) -> Result<(), Errno> {
    let resolution = nanoseconds(clock_getres(clock(number)?));
    let (memory, _) = split(caller)?;
    put(memory, out, &resolution.to_le_bytes())
}

pub fn clock_time_get(
    caller: &mut Caller<'_, Guest>,
    number: u32,
    _precision: u64,
    out: u32,
) -> Result<(), Errno> {
    let now = nanoseconds(clock_gettime(clock(number)?));
    let (memory, _) = split(caller)?;
    put(memory, out, &now.to_le_bytes())
}

pub fn random_get(caller: &mut Caller<'_, Guest>, out: u32, len: u32) -> Result<(), Errno> {
    if len > RANDOM_BYTES_MAX {
        return Err(Errno::EINVAL);
    }
    let (memory, guest) = split(caller)?;
    super::descriptors::charge(guest, len as usize * super::descriptors::RANDOM_COST);
    getrandom::fill(bytes_mut(memory, out, len)?).map_err(|_| Errno::EIO)
}

pub async fn sched_yield(_caller: &mut Caller<'_, Guest>) -> Result<(), Stop> {
    tokio::task::yield_now().await;
    Ok(())
}

pub async fn proc_raise(caller: &mut Caller<'_, Guest>, signal: u32) -> Result<(), Stop> {
    let me = i32::try_from(caller.data().process.pid).map_err(|_| Errno::ESRCH)?;
    super::extra::proc_kill(caller, me, signal).await.map(drop)
}

pub fn sock_accept(
    _caller: &mut Caller<'_, Guest>,
    _fd: u32,
    _flags: u32,
    _out: u32,
) -> Result<(), Errno> {
    Err(Errno::ENOTSUP)
}

pub fn sock_recv(
    _caller: &mut Caller<'_, Guest>,
    _fd: u32,
    _list: u32,
    _count: u32,
    _flags: u32,
    _out: u32,
    _out_flags: u32,
) -> Result<(), Errno> {
    Err(Errno::ENOTSUP)
}

pub fn sock_send(
    _caller: &mut Caller<'_, Guest>,
    _fd: u32,
    _list: u32,
    _count: u32,
    _flags: u32,
    _out: u32,
) -> Result<(), Errno> {
    Err(Errno::ENOTSUP)
}

pub fn sock_shutdown(_caller: &mut Caller<'_, Guest>, _fd: u32, _how: u32) -> Result<(), Errno> {
    Err(Errno::ENOTSUP)
}
