//! The broker's side of input that is sent to a call piece by piece, as far as the cell has room.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{net::unix::pipe, sync::Notify, task::JoinHandle};

use super::{
    link::Link,
    order::{CallId, INPUT_WINDOW_BYTES, Message, room_of},
    wire::WireError,
};

/// Bytes read at once.
const CHUNK_BYTES: usize = 16 << 10;

/// Room that a cell has for more of a call's input.
#[derive(Debug)]
pub(super) struct InputRoom {
    left: AtomicU64,
    more: Notify,
}

impl Default for InputRoom {
    fn default() -> Self {
        Self {
            left: INPUT_WINDOW_BYTES.into(),
            more: Notify::new(),
        }
    }
}

impl Link {
    /// Takes word that a call has read so much of its input.
    ///
    /// # Errors
    /// More than was sent.
    pub(super) fn wants(&self, id: CallId, room: u64) -> Result<(), WireError> {
        let waiting = self.waiting.lock();
        let Some(call) = waiting.get(&id) else {
            return Ok(()); // it was cancelled
        };
        let give = |left: u64| {
            left.checked_add(room)
                .filter(|left| *left <= INPUT_WINDOW_BYTES)
        };
        let left = &call.input.left;
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, give)
            .map_err(|_| WireError::Broken("it wants more input than it was sent"))?;
        call.input.more.notify_one();
        Ok(())
    }
}

/// What a call's input comes from.
#[derive(Debug)]
pub struct Source {
    pub pipe: OwnedFd,
    /// Bytes that were taken out of the pipe, whatever became of them; final when the call has ended.
    pub taken: Arc<AtomicU64>,
}

/// Input on its way. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Feeding(JoinHandle<()>);

impl Feeding {
    pub(super) fn start(source: Source, to: (Arc<Link>, CallId), room: Arc<InputRoom>) -> Self {
        Self(tokio::spawn(feed(source, to, room)))
    }

    /// Takes nothing more from here on.
    pub(super) async fn stop(mut self) {
        self.0.abort();
        let _aborted = (&mut self.0).await;
    }
}

impl Drop for Feeding {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn feed(source: Source, (link, id): (Arc<Link>, CallId), room: Arc<InputRoom>) {
    let Source { pipe, taken } = source;
    let mut source = pipe::Receiver::from_owned_fd(pipe).ok();
    loop {
        let most = room.left.load(Ordering::SeqCst).saturating_sub(room_of(0));
        if most == 0 {
            room.more.notified().await;
            continue;
        }
        let most = usize::try_from(most)
            .unwrap_or(CHUNK_BYTES)
            .min(CHUNK_BYTES);
        let piece = match &mut source {
            Some(source) => read(source, most).await,
            None => Vec::new(),
        };
        taken.fetch_add(piece.len() as u64, Ordering::SeqCst);
        let ends = piece.is_empty();
        room.left.fetch_sub(room_of(piece.len()), Ordering::SeqCst);
        // A closed channel means that the cell is gone, and its calls with it.
        let sent = link.messages.send(Message::Input(id, piece)).await;
        if ends || sent.is_err() {
            return;
        }
    }
}

/// The next piece; nothing at the end.
async fn read(source: &mut pipe::Receiver, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; most];
    loop {
        if source.readable().await.is_err() {
            return Vec::new();
        }
        match source.try_read(&mut bytes) {
            Ok(count) => {
                bytes.truncate(count);
                return bytes;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return Vec::new(),
        }
    }
}
