//! Frames between broker and cell, as they come and go while a cell works.

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub use crate::frame::{
    FRAME_BYTES_MAX, FrameError as WireError, push_frame, read_frame, read_one,
};

/// What a reader holds for frames still to come. A larger one is given back once it was read.
const BUFFER_BYTES: usize = 64 << 10;

/// Reads frames from one side of the socket pair.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    buffer: Vec<u8>,
    /// Where the unread bytes of `buffer` start.
    start: usize,
    bytes_max: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(stream: R) -> Self {
        Self::limited(stream, FRAME_BYTES_MAX)
    }

    /// One that takes no frame of more bytes than these.
    pub fn limited(stream: R, bytes_max: usize) -> Self {
        Self {
            stream,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            start: 0,
            bytes_max: bytes_max.min(FRAME_BYTES_MAX),
        }
    }

    /// The next value, or `None` when the other side closed.
    ///
    /// # Errors
    /// A frame over the limit, undecodable bytes, a failing socket.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, WireError> {
        loop {
            let mut expected = 0;
            let unread = self.buffer.get(self.start..).unwrap_or_default();
            if let Some((head, rest)) = unread.split_first_chunk::<4>() {
                let len = u32::from_le_bytes(*head) as usize;
                if len > self.bytes_max {
                    return Err(WireError::TooLarge(len));
                }
                if let Some(frame) = rest.get(..len) {
                    let value = postcard::from_bytes(frame)?;
                    self.start += 4 + len;
                    return Ok(Some(value));
                }
                expected = 4 + len;
            }
            if self.start > 0 {
                self.buffer.drain(..self.start);
                self.start = 0;
                self.buffer.shrink_to(BUFFER_BYTES.max(expected));
            }
            let missing = expected.saturating_sub(self.buffer.len());
            self.buffer.reserve(missing);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// Writes framed values as they come, several in one system call when they queue up.
///
/// # Errors
/// The socket failed, or a value is too large for a frame: nothing is written after it.
pub async fn write_frames<T: Serialize, W: AsyncWrite + Unpin>(
    mut stream: W,
    mut values: tokio::sync::mpsc::Receiver<T>,
) -> Result<(), WireError> {
    let mut buffer = Vec::with_capacity(64 << 10);
    while let Some(value) = values.recv().await {
        push_frame(&mut buffer, &value)?;
        while buffer.len() < 256 << 10
            && let Ok(more) = values.try_recv()
        {
            push_frame(&mut buffer, &more)?;
        }
        stream.write_all(&buffer).await?;
        buffer.clear();
        buffer.shrink_to(1 << 20);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::order::{EVENT_BYTES_MAX, Event, FINDINGS_MAX, KEPT_BYTES_MAX};
    use crate::confinement::probe::{Finding, Found};
    use crate::outcome::{
        CHANGED_MAX, CHANGED_PATH_BYTES_MAX, Captured, DENIED_BYTES_MAX, DENIED_MAX, Outcome,
    };

    fn framed(event: &Event) -> Vec<u8> {
        let mut bytes = Vec::new();
        push_frame(&mut bytes, event).unwrap();
        bytes
    }

    async fn read(bytes: &[u8]) -> Result<Option<Event>, WireError> {
        FrameReader::limited(bytes, EVENT_BYTES_MAX).next().await
    }

    #[tokio::test]
    async fn lists_past_their_limit_are_not_taken_into_memory() {
        let of = |changed, denied| {
            let texts = |count| vec![String::new(); count];
            let outcome = Outcome {
                changed: texts(changed),
                denied: texts(denied),
                ..Outcome::default()
            };
            framed(&Event::Ended(1, Box::new(outcome)))
        };
        assert!(read(&of(CHANGED_MAX, DENIED_MAX)).await.is_ok());
        for (changed, denied) in [(CHANGED_MAX + 1, 0), (0, DENIED_MAX + 1)] {
            let error = read(&of(changed, denied)).await.unwrap_err();
            assert!(matches!(error, WireError::Decode(_)), "{error}");
        }
        let found = |count| {
            let finding = Finding {
                name: String::new(),
                found: Found::Killed(9),
            };
            framed(&Event::Attacked(vec![finding; count]))
        };
        assert!(read(&found(FINDINGS_MAX)).await.is_ok());
        assert!(read(&found(FINDINGS_MAX + 1)).await.is_err());
    }

    #[tokio::test]
    async fn the_largest_outcome_fits_and_leaves_nothing_in_the_reader() {
        let kept = || Captured {
            head: vec![0; KEPT_BYTES_MAX as usize],
            ..Captured::default()
        };
        let outcome = Outcome {
            stdout: kept(),
            stderr: kept(),
            state: Some(vec![0; crate::cell::kernel::STATE_BYTES_MAX]),
            changed: vec!["x".repeat(CHANGED_PATH_BYTES_MAX); CHANGED_MAX],
            denied: vec!["x".repeat(DENIED_BYTES_MAX); DENIED_MAX],
            ..Outcome::default()
        };
        let mut bytes = framed(&Event::Ended(1, Box::new(outcome)));
        let large = bytes.len();
        bytes.extend(framed(&Event::Waiting).repeat(3));
        let mut frames = FrameReader::limited(&bytes[..], EVENT_BYTES_MAX);
        let first = frames.next().await.unwrap();
        assert!(matches!(first, Some(Event::Ended(..))));
        assert!(frames.buffer.capacity() >= large);
        while frames.next::<Event>().await.unwrap().is_some() {}
        assert!(frames.buffer.capacity() <= BUFFER_BYTES);
        let length = u32::try_from(EVENT_BYTES_MAX + 1).unwrap().to_le_bytes();
        let error = read(&length).await.unwrap_err();
        assert!(matches!(error, WireError::TooLarge(_)), "{error}");
    }
}
