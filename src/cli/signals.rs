//! Signals that ask this program to end.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// What ends a command. What it made on the machine is removed first.
const ENDS: [SignalKind; 3] = [
    SignalKind::interrupt(),
    SignalKind::terminate(),
    SignalKind::hangup(),
];
/// Exit codes of what a signal ended begin behind this, as shells have it.
const SIGNALLED: u8 = 128;

/// Longest time that a command takes to end after a signal. Chosen, not measured.
const END_WAIT: Duration = Duration::from_secs(10);

/// Resolves to the exit code for the first signal that ends a command. Whatever holds that up, such
/// as a reader who does not read: at a second signal, or later than [`END_WAIT`], it ends all the same.
///
/// # Errors
/// The kernel refuses a handler.
#[expect(
    clippy::exit,
    reason = "the thread that would return may be stuck in a write"
)]
pub(super) fn ends() -> io::Result<impl Future<Output = u8>> {
    let mut signals = Box::pin(first_of(&ENDS)?);
    let (told, tell) = oneshot::channel();
    tokio::spawn(async move {
        let code = signals.as_mut().await;
        let _over = told.send(code);
        let _late = tokio::time::timeout(END_WAIT, signals.as_mut()).await;
        std::process::exit(code.into());
    });
    Ok(async move {
        match tell.await {
            Ok(code) => code,
            Err(_) => std::future::pending().await,
        }
    })
}

/// Does something unless a signal ends the command first; then the exit code is the error.
///
/// # Errors
/// The kernel refuses a handler.
pub(super) async fn unless_ended<T>(work: impl Future<Output = T>) -> io::Result<Result<T, u8>> {
    let ends = ends()?;
    Ok(tokio::select! {
        done = work => Ok(done),
        code = ends => Err(code),
    })
}

/// As [`ends`], of these signals. One that was ignored when this program was started stays ignored:
/// that is how `nohup` and background jobs of scripts keep theirs going.
///
/// # Errors
/// The kernel refuses a handler.
pub(super) fn first_of(kinds: &[SignalKind]) -> io::Result<impl Future<Output = u8> + use<>> {
    let ignored = ignored();
    let mut signals = Vec::new();
    for kind in kinds {
        let number = kind.as_raw_value();
        if ignored & (1 << (number - 1)) == 0 {
            let code = SIGNALLED.saturating_add(u8::try_from(number).unwrap_or(0));
            signals.push((signal(*kind)?, code));
        }
    }
    Ok(poll_fn(move |context| {
        for (signal, code) in &mut signals {
            if signal.poll_recv(context).is_ready() {
                return Poll::Ready(*code);
            }
        }
        Poll::Pending
    }))
}

/// A bit for each signal that this process ignores; none where the kernel does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
