//! Where a call's stdout and stderr end: kept as head and tail, or sent on as they come.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use crate::cell::order::{CallId, Event, STREAM_WINDOW_BYTES, Stream, room_of};
use crate::outcome::Captured;

/// One output stream of a call.
#[derive(Debug)]
pub struct Output {
    stream: Stream,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Keep(Mutex<Kept>),
    Send(CallId, mpsc::Sender<Event>, Window),
}

/// Room for the streamed output of one call, both streams together.
#[derive(Debug, Clone)]
pub struct Window(Arc<Semaphore>);

impl Window {
    /// A window that is all room.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(STREAM_WINDOW_BYTES as usize)))
    }

    /// What took so much room has been taken by its reader.
    pub fn give(&self, room: u64) {
        let bytes = usize::try_from(room).unwrap_or(usize::MAX);
        let most = STREAM_WINDOW_BYTES as usize;
        self.0
            .add_permits(bytes.min(most.saturating_sub(self.0.available_permits())));
    }

    /// Waits for room for a piece. It is given back unless it is forgotten.
    async fn take(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        let room = u32::try_from(room_of(bytes)).unwrap_or(u32::MAX);
        self.0.acquire_many(room).await.ok()
    }
}

#[derive(Debug, Default)]
struct Kept {
    head: Vec<u8>,
    head_max: usize,
    tail: VecDeque<u8>,
    tail_max: usize,
    omitted_bytes: u64,
}

impl Output {
    /// Keeps at most `bytes_max`: half as head, half as tail.
    pub fn keep(stream: Stream, bytes_max: u64) -> Arc<Self> {
        let half = usize::try_from(bytes_max / 2).unwrap_or(usize::MAX);
        let kept = Kept {
            head_max: half,
            tail_max: half,
            ..Kept::default()
        };
        Arc::new(Self {
            stream,
            sink: Sink::Keep(Mutex::new(kept)),
        })
    }

    /// Sends every chunk to the broker.
    pub fn send(
        stream: Stream,
        call: CallId,
        events: mpsc::Sender<Event>,
        window: Window,
    ) -> Arc<Self> {
        Arc::new(Self {
            stream,
            sink: Sink::Send(call, events, window),
        })
    }

    /// Takes `bytes`; waits for room when they are sent on.
    pub async fn write(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return; // nothing to keep, and nothing to make a piece of
        }
        match &self.sink {
            Sink::Keep(kept) => kept.lock().push(bytes),
            Sink::Send(call, events, window) => {
                // A writer that is killed while it waits leaves the room to others.
                let room = window.take(bytes.len()).await;
                let chunk = Event::Output(*call, self.stream, bytes.to_vec());
                // A closed channel means the broker is gone, and this cell with it.
                let _sent = events.send(chunk).await;
                if let Some(room) = room {
                    room.forget();
                }
            }
        }
    }

    /// What was kept so far.
    pub fn captured(&self) -> Captured {
        match &self.sink {
            Sink::Keep(kept) => kept.lock().take(),
            Sink::Send(..) => Captured::default(),
        }
    }
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        let room = self
            .head_max
            .saturating_sub(self.head.len())
            .min(bytes.len());
        let (head, rest) = bytes.split_at(room);
        self.head.extend_from_slice(head);
        let (skip, rest) = rest.split_at(rest.len().saturating_sub(self.tail_max));
        let overflow = (self.tail.len() + rest.len()).saturating_sub(self.tail_max);
        self.tail.drain(..overflow);
        self.tail.extend(rest);
        self.omitted_bytes += (skip.len() + overflow) as u64;
    }

    fn take(&mut self) -> Captured {
        let tail = Vec::from(std::mem::take(&mut self.tail));
        let mut head = std::mem::take(&mut self.head);
        if self.omitted_bytes == 0 {
            head.extend_from_slice(&tail);
            return Captured {
                head,
                ..Captured::default()
            };
        }
        Captured {
            head,
            omitted_bytes: self.omitted_bytes,
            tail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_past_the_limit_keeps_head_and_tail() {
        let mut kept = Kept {
            head_max: 4,
            tail_max: 4,
            ..Kept::default()
        };
        kept.push(b"abc");
        assert_eq!(kept.take().head, b"abc");
        for chunk in [&b"abcdef"[..], b"gh", b"ijklmnop"] {
            kept.push(chunk);
        }
        let captured = kept.take();
        assert_eq!(
            (&captured.head[..], &captured.tail[..]),
            (&b"abcd"[..], &b"mnop"[..])
        );
        assert_eq!(captured.omitted_bytes, 8);
    }
}
