//! Frames between broker and cell: a 32-bit little-endian length, then one postcard value.
//! Each side treats the other's lengths as untrusted.

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest frame either side accepts, in bytes: the largest request body with its base64
/// overhead, or the largest kept output. Chosen, not measured.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// Largest first words of a process, before anything of an agent runs in it. Chosen: many times
/// what an attack finds.
const FIRST_FRAME_BYTES_MAX: usize = 4 << 20;

/// What a reader holds for frames still to come. A larger one is given back once it was read.
const BUFFER_BYTES: usize = 64 << 10;

/// Why the other side could not be understood or reached.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("the socket failed")]
    Io(#[from] std::io::Error),
    #[error("a frame of {0} bytes is over the limit")]
    TooLarge(usize),
    #[error("{0}")]
    Broken(&'static str),
    #[error("a frame could not be decoded")]
    Decode(#[from] postcard::Error),
}

/// Appends one framed value to `buffer`.
///
/// # Errors
/// `TooLarge` past the frame limit; `buffer` is then as before.
pub fn push_frame<T: Serialize>(buffer: &mut Vec<u8>, value: &T) -> Result<(), WireError> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    let mut framed = postcard::to_extend(value, std::mem::take(buffer))?;
    let len = framed.len() - start - 4;
    if len > FRAME_BYTES_MAX {
        framed.truncate(start);
        *buffer = framed;
        return Err(WireError::TooLarge(len));
    }
    let length = u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
    if let Some(place) = framed.get_mut(start..start + 4) {
        place.copy_from_slice(&length);
    }
    *buffer = framed;
    Ok(())
}

/// Reads one framed value and waits for it, for a process without an event loop. `None` when the
/// other side closed before it began.
///
/// # Errors
/// A frame over `bytes_max`, undecodable bytes, a failing socket.
pub fn read_frame<T: DeserializeOwned>(
    stream: &mut impl std::io::Read,
    bytes_max: usize,
) -> Result<Option<T>, WireError> {
    let mut head = [0; 4];
    match stream.read_exact(&mut head) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let len = u32::from_le_bytes(head) as usize;
    if len > bytes_max.min(FRAME_BYTES_MAX) {
        return Err(WireError::TooLarge(len));
    }
    let mut frame = vec![0; len];
    stream.read_exact(&mut frame)?;
    Ok(Some(postcard::from_bytes(&frame)?))
}

/// Reads one framed value and nothing that comes after it. `None` when the other side closed.
///
/// # Errors
/// As [`FrameReader::next`].
pub async fn read_one<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<T>, WireError> {
    let mut head = [0; 4];
    match stream.read_exact(&mut head).await {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let len = u32::from_le_bytes(head) as usize;
    if len > FIRST_FRAME_BYTES_MAX {
        return Err(WireError::TooLarge(len));
    }
    let mut frame = vec![0; len];
    stream.read_exact(&mut frame).await?;
    Ok(Some(postcard::from_bytes(&frame)?))
}

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
