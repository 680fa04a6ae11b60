//! Pipes with backpressure. Each end is counted by its `Arc`; the last drop closes it.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use crate::cell::wasi::Errno;

/// What a pipe holds before its writer waits, in bytes (as on Linux, pipe(7)).
pub const PIPE_BYTES: usize = 64 << 10;
/// Writes up to this size are never split (Linux PIPE_BUF).
const ATOMIC_BYTES: usize = 4096;

#[derive(Debug, Default)]
struct Buffer {
    bytes: VecDeque<u8>,
    reader_gone: bool,
    /// Bytes that were read and not given back.
    read: u64,
    writer_gone: bool,
    readers_waiting: Vec<Waker>,
    writers_waiting: Vec<Waker>,
}

impl Buffer {
    fn take_readers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.readers_waiting)
    }
    fn take_writers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.writers_waiting)
    }
}

fn wake(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

/// Tasks that may wait at one end before all are woken to ask again: those whose process ended
/// do not come back.
const WAITING_MAX: usize = 256;

fn remember(waiting: &mut Vec<Waker>, cx: &Context<'_>) {
    if waiting.len() >= WAITING_MAX {
        waiting.drain(..).for_each(Waker::wake);
    }
    if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
        waiting.push(cx.waker().clone());
    }
}

/// The reading end.
#[derive(Debug)]
pub struct PipeReader(Arc<Mutex<Buffer>>);

/// The writing end.
#[derive(Debug)]
pub struct PipeWriter(Arc<Mutex<Buffer>>);

/// Tells how much of a pipe was read.
#[derive(Debug, Clone)]
pub struct Gauge(Arc<Mutex<Buffer>>);

impl Gauge {
    /// Bytes that were read so far.
    pub fn read(&self) -> u64 {
        self.0.lock().read
    }
}

/// Makes a pipe.
pub fn pipe() -> (Arc<PipeReader>, Arc<PipeWriter>) {
    let buffer = Arc::new(Mutex::new(Buffer::default()));
    (
        Arc::new(PipeReader(Arc::clone(&buffer))),
        Arc::new(PipeWriter(buffer)),
    )
}

impl PipeReader {
    /// Copies what is there into `out`; zero bytes mean every writer is gone.
    pub fn poll_read(&self, cx: &Context<'_>, out: &mut [u8]) -> Poll<usize> {
        let mut buffer = self.0.lock();
        if buffer.bytes.is_empty() {
            if buffer.writer_gone || out.is_empty() {
                return Poll::Ready(0);
            }
            remember(&mut buffer.readers_waiting, cx);
            return Poll::Pending;
        }
        let count = out.len().min(buffer.bytes.len());
        let (front, back) = buffer.bytes.as_slices();
        let from_front = count.min(front.len());
        let (head, tail) = out.split_at_mut(from_front);
        if let Some(bytes) = front.get(..from_front) {
            head.copy_from_slice(bytes);
        }
        let from_back = count - from_front;
        if let (Some(place), Some(bytes)) = (tail.get_mut(..from_back), back.get(..from_back)) {
            place.copy_from_slice(bytes);
        }
        if count == buffer.bytes.len() {
            buffer.bytes.clear();
        } else {
            buffer.bytes.drain(..count);
        }
        buffer.read += count as u64;
        let writers = buffer.take_writers();
        drop(buffer);
        wake(writers);
        Poll::Ready(count)
    }

    /// Puts back bytes that were read from here, before those that are here; it may then hold more
    /// than a writer could put in.
    pub fn give_back(&self, bytes: &[u8]) {
        let mut buffer = self.0.lock();
        for byte in bytes.iter().rev() {
            buffer.bytes.push_front(*byte);
        }
        buffer.read = buffer.read.saturating_sub(bytes.len() as u64);
        let readers = buffer.take_readers();
        drop(buffer);
        wake(readers);
    }

    /// True when a read would not wait; otherwise the caller is woken when that changes.
    pub fn poll_ready(&self, cx: &Context<'_>) -> Poll<usize> {
        let mut buffer = self.0.lock();
        if buffer.bytes.is_empty() && !buffer.writer_gone {
            remember(&mut buffer.readers_waiting, cx);
            return Poll::Pending;
        }
        Poll::Ready(buffer.bytes.len())
    }
}

impl PipeWriter {
    /// Takes as much of `bytes` as there is room for.
    ///
    /// # Errors
    /// EPIPE when every reader is gone.
    pub fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Errno>> {
        let mut buffer = self.0.lock();
        if buffer.reader_gone {
            return Poll::Ready(Err(Errno::EPIPE));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = PIPE_BYTES.saturating_sub(buffer.bytes.len());
        // Small writes are kept whole, as POSIX asks of writes up to PIPE_BUF.
        if room == 0 || (bytes.len() <= ATOMIC_BYTES && room < bytes.len()) {
            remember(&mut buffer.writers_waiting, cx);
            return Poll::Pending;
        }
        let count = room.min(bytes.len());
        buffer.bytes.extend(bytes.get(..count).unwrap_or_default());
        let readers = buffer.take_readers();
        drop(buffer);
        wake(readers);
        Poll::Ready(Ok(count))
    }

    /// Ready when all that was written has been read, or nobody reads any more.
    pub fn poll_emptied(&self, cx: &Context<'_>) -> Poll<()> {
        let mut buffer = self.0.lock();
        if buffer.reader_gone || buffer.bytes.is_empty() {
            return Poll::Ready(());
        }
        remember(&mut buffer.writers_waiting, cx);
        Poll::Pending
    }

    /// What tells how much was read, and keeps neither end open.
    pub fn gauge(&self) -> Gauge {
        Gauge(Arc::clone(&self.0))
    }

    /// Ready when a write would not wait.
    pub fn poll_ready(&self, cx: &Context<'_>) -> Poll<usize> {
        let mut buffer = self.0.lock();
        let room = PIPE_BYTES.saturating_sub(buffer.bytes.len());
        if room < ATOMIC_BYTES && !buffer.reader_gone {
            remember(&mut buffer.writers_waiting, cx);
            return Poll::Pending;
        }
        Poll::Ready(room)
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let mut buffer = self.0.lock();
        buffer.reader_gone = true;
        buffer.bytes = VecDeque::new();
        let writers = buffer.take_writers();
        drop(buffer);
        wake(writers);
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        let mut buffer = self.0.lock();
        buffer.writer_gone = true;
        let readers = buffer.take_readers();
        drop(buffer);
        wake(readers);
    }
}
