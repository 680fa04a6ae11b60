//! A sealed cell at work: its events are taken until it ends, and then every call in it is told so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{UnixStream, unix::OwnedReadHalf},
    sync::{mpsc, watch},
};

use super::{
    link::{BROKE_THE_RULES, Link, MESSAGES_MAX},
    order::{Event, Message},
    starter::Fresh,
    wire::{FrameReader, WireError, write_frames},
};
use crate::confinement::{group::Group, launch::Child};

/// Longest wait for a cell to end once its socket is closed.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// Takes a cell's events until it ends, and counts one that was not told to; `alive` is dropped when nothing of it is left.
pub(super) fn attend(fresh: Fresh, alive: watch::Receiver<()>, died: Arc<AtomicU64>) -> Arc<Link> {
    let (messages, queue) = mpsc::channel(MESSAGES_MAX);
    let link = Link::new(messages);
    let Fresh {
        child,
        group,
        socket,
    } = fresh;
    let attended = Arc::clone(&link);
    tokio::spawn(async move {
        if !serve(&attended, socket, queue, (child, group)).await {
            died.fetch_add(1, Ordering::Relaxed);
        }
        drop(alive);
    });
    link
}

/// Answers whether the cell was told to end.
async fn serve(
    link: &Link,
    socket: UnixStream,
    queue: mpsc::Receiver<Message>,
    (mut child, group): (Child, Option<Group>),
) -> bool {
    let (from_cell, to_cell) = socket.into_split();
    let mut writer = tokio::spawn(write_frames(to_cell, queue));
    let mut frames = FrameReader::new(from_cell);
    let mut closing = link.closing.subscribe();
    let mut stalled = link.stalled.subscribe();
    let result = tokio::select! {
        taken = take(link, &mut frames) => taken,
        // An order that cannot be sent must not be waited for.
        written = &mut writer => written.unwrap_or(Ok(())),
        // What ended of itself while its socket is held open by nobody.
        ended = child.ended() => ended.map_err(WireError::Io),
        _ = stalled.wait_for(|stalled| *stalled) => Err(WireError::Broken("its calls do not end")),
        _ = closing.wait_for(|closing| *closing) => Ok(()),
    };
    let told = result.is_ok() && link.is_closed();
    // From here on new calls of its session get another cell.
    link.close();
    writer.abort();
    drop(frames);
    // A cell that broke a rule is not asked to end.
    let patience = if result.is_ok() {
        STOP_WAIT
    } else {
        Duration::ZERO
    };
    let ended = tokio::time::timeout(patience, child.ended()).await;
    if ended.is_err() {
        child.kill();
        let _ended = tokio::time::timeout(STOP_WAIT, child.ended()).await;
    }
    let reason = match &result {
        Err(error) => {
            tracing::error!(%error, "a cell broke the protocol and was ended");
            BROKE_THE_RULES
        }
        Ok(()) if group.as_ref().is_some_and(Group::ran_out_of_memory) => {
            tracing::warn!("a cell ran out of memory");
            "ran out of memory"
        }
        Ok(()) => "died",
    };
    link.died(reason);
    drop(group);
    told
}

async fn take(link: &Link, frames: &mut FrameReader<OwnedReadHalf>) -> Result<(), WireError> {
    while let Some(event) = frames.next().await? {
        match event {
            Event::Output(id, stream, bytes) => link.output(id, stream, bytes)?,
            Event::Ended(id, outcome) => link.ended(id, *outcome)?,
            Event::Failed(id, reason) => link.failed(id, reason),
            Event::Waiting | Event::Sealed { .. } | Event::Unsealed(_) | Event::Attacked(_) => {
                return Err(WireError::Broken("it says again that it has begun"));
            }
        }
    }
    Ok(())
}
