//! One end of the socket pair between broker and cell.
//!
//! Tokio's own type also asks the kernel to be told when there is room to write, and its process is
//! then woken once more for every message the other side reads. These ask only when a write found
//! no room.
#![expect(
    unsafe_code,
    reason = "an event loop must be promised that a descriptor it watches stays open, and a read that its buffer is filled"
)]

use std::{
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd};

/// Splits a socket that does not block.
///
/// # Errors
/// There is no descriptor to be had for the second half, or no room in the event loop.
pub fn halves(socket: UnixStream) -> io::Result<(Receiver, Sender)> {
    socket.set_nonblocking(true)?;
    let second = socket.try_clone()?;
    let first = watch(socket.into(), Interest::READABLE)?;
    let sender = Sender {
        socket: second.into(),
        waiting: None,
    };
    Ok((Receiver(first), sender))
}

fn watch(socket: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned, never replaced or handed out, and closed with what watches it.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}

/// The half that is read.
#[derive(Debug)]
pub struct Receiver(AsyncFd<OwnedFd>);

impl AsyncRead for Receiver {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            // SAFETY: the bytes are only written, by the kernel. Zeroing them first would cost every
            // message its buffer's size.
            let room = unsafe { buffer.unfilled_mut() };
            let most = room.len();
            let read = ready.try_io(|socket| {
                let received = recv(socket.as_fd(), &mut *room, RecvFlags::empty());
                received.map(|(_, count)| count).map_err(io::Error::from)
            });
            match read {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(read) => {
                    let count = read?;
                    // Less than there was room for: the socket is empty, and asking it again would
                    // only say so. The loop is told of what comes next, also of the end.
                    if (1..most).contains(&count) {
                        ready.clear_ready();
                    }
                    // SAFETY: the kernel has written so many.
                    unsafe { buffer.assume_init(count) };
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(_would_block) => {}
            }
        }
    }
}

/// The half that is written.
#[derive(Debug)]
pub struct Sender {
    socket: OwnedFd,
    /// The same socket once more, while it has no room: asked about, and closed when there is.
    waiting: Option<AsyncFd<OwnedFd>>,
}

impl AsyncWrite for Sender {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => {
                    self.waiting = None;
                    return Poll::Ready(Ok(sent));
                }
                Err(rustix::io::Errno::AGAIN) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Poll::Ready(Err(error.into())),
            }
            if self.waiting.is_none() {
                let again = self.socket.try_clone()?;
                self.waiting = Some(watch(again, Interest::WRITABLE)?);
            }
            if let Some(waiting) = &self.waiting {
                ready!(waiting.poll_write_ready(cx))?.clear_ready();
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn more_than_the_socket_holds_arrives_and_then_its_end() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut receiver, _unused) = halves(ours).unwrap();
        let (_unread, mut sender) = halves(theirs).unwrap();
        let sent: Vec<u8> = (0..4 << 20).map(|at: u32| at.to_le_bytes()[1]).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            sender.write_all(&sent).await.unwrap();
            assert!(sender.waiting.is_none());
        });
        let mut read = Vec::new();
        while read.len() < expected.len() {
            let count = receiver.read_buf(&mut read).await.unwrap();
            assert!(count > 0);
        }
        writer.await.unwrap();
        assert!(read == expected);
        drop(_unread);
        assert_eq!(receiver.read_buf(&mut read).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn nobody_is_there_to_write_to() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (_unused, mut sender) = halves(ours).unwrap();
        drop(theirs);
        let error = sender.write_all(b"a").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
