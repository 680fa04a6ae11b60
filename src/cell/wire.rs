//! Frames between broker and cell: a 32-bit little-endian length, then one postcard value.
//! Each side treats the other's lengths as untrusted.

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest frame either side accepts, in bytes: the largest request body with its base64
/// overhead, or the largest kept output. Chosen, not measured.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// Why the other side could not be understood or reached.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("the socket failed")]
    Io(#[from] std::io::Error),
    #[error("a frame of {0} bytes is over the limit of {FRAME_BYTES_MAX}")]
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
    if len > FRAME_BYTES_MAX {
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
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: Vec::with_capacity(64 << 10),
            start: 0,
        }
    }

    /// The next value, or `None` when the other side closed.
    ///
    /// # Errors
    /// A frame over the limit, undecodable bytes, a failing socket.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, WireError> {
        loop {
            let unread = self.buffer.get(self.start..).unwrap_or_default();
            if let Some((head, rest)) = unread.split_first_chunk::<4>() {
                let len = u32::from_le_bytes(*head) as usize;
                if len > FRAME_BYTES_MAX {
                    return Err(WireError::TooLarge(len));
                }
                if let Some(frame) = rest.get(..len) {
                    let value = postcard::from_bytes(frame)?;
                    self.start += 4 + len;
                    return Ok(Some(value));
                }
                self.buffer.reserve(len);
            }
            if self.start > 0 {
                self.buffer.drain(..self.start);
                self.start = 0;
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// Writes framed values as they come, several in one system call when they queue up.
///
/// # Errors
/// The socket failed; values that are too large are skipped by [`push_frame`]'s caller.
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
