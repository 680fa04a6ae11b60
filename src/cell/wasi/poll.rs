//! Preview 1 `poll_oneoff`: sleeping, and waiting for pipes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Sleep;
use wasmtime::Caller;

use super::{
    Errno,
    memory::{long, put, split, word},
    register::Stop,
};
use crate::cell::kernel::{Descriptor, Guest, wait_interruptibly};

/// Most subscriptions one call may have: what a guest may have open, and a clock.
const SUBSCRIPTIONS_MAX: u32 = 300;
const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;
/// Longest sleep of one call; the wall limit ends it long before.
const SLEEP_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a subscription costs, in moved bytes. Measured by tests/host_calls.rs.
const SUBSCRIPTION_COST: usize = 600;

enum Awaited {
    Clock,
    Readable(Descriptor),
    Writable(Descriptor),
    Refused(Errno),
}

struct Subscription {
    user: u64,
    kind: u8,
    awaited: Awaited,
}

pub async fn poll_oneoff(
    caller: &mut Caller<'_, Guest>,
    subscriptions: u32,
    events: u32,
    count: u32,
    out: u32,
) -> Result<(), Stop> {
    if count == 0 || count > SUBSCRIPTIONS_MAX {
        return Err(Errno::EINVAL.into());
    }
    let (memory, guest) = split(caller)?;
    let (list, timeout) = read(memory, guest, subscriptions, count)?;
    let mut sleep = timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout.min(SLEEP_MAX))));
    let process = Arc::clone(&guest.process);
    let ready = wait_interruptibly(&process, |cx| {
        let ready = ready(&list, cx, sleep.as_mut());
        if ready.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(ready)
        }
    })
    .await?;
    super::descriptors::charge(guest, list.len() * SUBSCRIPTION_COST);

    let mut at = events;
    for (subscription, bytes, errno) in &ready {
        let mut event = [0; EVENT_BYTES as usize];
        let fields = [
            &subscription.user.to_le_bytes()[..],
            &errno.to_le_bytes(),
            &[subscription.kind, 0, 0, 0, 0, 0],
            &bytes.to_le_bytes(),
        ];
        for (place, byte) in event.iter_mut().zip(fields.concat()) {
            *place = byte;
        }
        put(memory, at, &event)?;
        at = at.checked_add(EVENT_BYTES).ok_or(Errno::EFAULT)?;
    }
    put(
        memory,
        out,
        &u32::try_from(ready.len()).unwrap_or(0).to_le_bytes(),
    )?;
    Ok(())
}

/// The subscriptions, and the time until the first clock among them.
fn read(
    memory: &[u8],
    guest: &Guest,
    at: u32,
    count: u32,
) -> Result<(Vec<Subscription>, Option<Duration>), Errno> {
    let mut list = Vec::new();
    let mut timeout: Option<Duration> = None;
    for index in 0..count {
        let at = at
            .checked_add(index * SUBSCRIPTION_BYTES)
            .ok_or(Errno::EFAULT)?;
        let kind = word(memory, at.saturating_add(8))?.to_le_bytes()[0];
        let awaited = match kind {
            0 => match clock_wait(memory, at) {
                Ok(wait) => {
                    timeout = Some(timeout.map_or(wait, |known| known.min(wait)));
                    Awaited::Clock
                }
                Err(errno) => Awaited::Refused(errno),
            },
            1 | 2 => match guest.descriptors.get(word(memory, at.saturating_add(16))?) {
                Ok(found) if kind == 1 => Awaited::Readable(found.clone()),
                Ok(found) => Awaited::Writable(found.clone()),
                Err(errno) => Awaited::Refused(errno),
            },
            _ => return Err(Errno::EINVAL),
        };
        list.push(Subscription {
            user: long(memory, at)?,
            kind,
            awaited,
        });
    }
    Ok((list, timeout))
}

fn clock_wait(memory: &[u8], at: u32) -> Result<Duration, Errno> {
    let clock = match word(memory, at.saturating_add(16))? {
        0 => ClockId::Realtime,
        1 => ClockId::Monotonic,
        _ => return Err(Errno::ENOTSUP),
    };
    let time = Duration::from_nanos(long(memory, at.saturating_add(24))?);
    let absolute = word(memory, at.saturating_add(40))? & 1 != 0;
    if !absolute {
        return Ok(time);
    }
    let now = clock_gettime(clock);
    let seconds = Duration::from_secs(u64::try_from(now.tv_sec).unwrap_or(0));
    let now = seconds + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0));
    Ok(time.saturating_sub(now))
}

type Ready<'a> = (&'a Subscription, u64, u16);

fn ready<'a>(
    list: &'a [Subscription],
    cx: &mut Context<'_>,
    sleep: Option<&mut Pin<Box<Sleep>>>,
) -> Vec<Ready<'a>> {
    use std::future::Future;
    let time_is_over = sleep.is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
    let mut found = Vec::new();
    for subscription in list {
        let bytes = match &subscription.awaited {
            Awaited::Clock if time_is_over => Poll::Ready(0),
            Awaited::Clock => Poll::Pending,
            Awaited::Refused(errno) => {
                found.push((subscription, 0, errno.0));
                continue;
            }
            Awaited::Readable(Descriptor::Reader(pipe)) => pipe.poll_ready(cx),
            Awaited::Writable(Descriptor::Writer(pipe)) => pipe.poll_ready(cx),
            // Files, devices and the call's output never make a guest wait.
            Awaited::Readable(_) | Awaited::Writable(_) => Poll::Ready(1),
        };
        if let Poll::Ready(bytes) = bytes {
            found.push((subscription, bytes as u64, 0));
        }
    }
    found
}
