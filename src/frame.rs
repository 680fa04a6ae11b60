//! Frames between processes of ours: a 32-bit little-endian length, then one postcard value.
//! Each side treats the other's lengths as untrusted.

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Largest frame either side accepts, in bytes: the largest request body with its base64
/// overhead, or the largest kept output. Chosen, not measured.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// Largest first words of a process, before anything of an agent runs in it. Chosen: many times
/// what an attack finds.
const FIRST_FRAME_BYTES_MAX: usize = 4 << 20;

/// Why the other side could not be understood or reached.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
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
pub fn push_frame<T: Serialize>(buffer: &mut Vec<u8>, value: &T) -> Result<(), FrameError> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    let mut framed = postcard::to_extend(value, std::mem::take(buffer))?;
    let len = framed.len() - start - 4;
    if len > FRAME_BYTES_MAX {
        framed.truncate(start);
        *buffer = framed;
        return Err(FrameError::TooLarge(len));
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
) -> Result<Option<T>, FrameError> {
    let mut head = [0; 4];
    match stream.read_exact(&mut head) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let len = u32::from_le_bytes(head) as usize;
    if len > bytes_max.min(FRAME_BYTES_MAX) {
        return Err(FrameError::TooLarge(len));
    }
    let mut frame = vec![0; len];
    stream.read_exact(&mut frame)?;
    Ok(Some(postcard::from_bytes(&frame)?))
}

/// Reads one framed value and nothing that comes after it. `None` when the other side closed.
///
/// # Errors
/// As [`read_frame`].
pub async fn read_one<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<T>, FrameError> {
    let mut head = [0; 4];
    match stream.read_exact(&mut head).await {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let len = u32::from_le_bytes(head) as usize;
    if len > FIRST_FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge(len));
    }
    let mut frame = vec![0; len];
    stream.read_exact(&mut frame).await?;
    Ok(Some(postcard::from_bytes(&frame)?))
}
