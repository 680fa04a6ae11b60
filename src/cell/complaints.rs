//! What a cell writes to standard error, as lines of the broker's log: never the terminal itself,
//! and never more than a log can bear.

use std::os::fd::OwnedFd;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::unix::pipe::Receiver;

/// Longest line that is kept. Chosen: a panic's message and its place.
const LINE_BYTES_MAX: u64 = 2_048;
/// Most lines of one cell that are logged; what follows is read and dropped.
const LINES_MAX: usize = 50;

/// Logs what comes out of `pipe` until it is closed.
///
/// # Errors
/// The pipe cannot be waited on.
pub(super) fn log(pipe: OwnedFd, process: i32) -> std::io::Result<()> {
    let pipe = Receiver::from_owned_fd(pipe)?;
    tokio::spawn(async move {
        let mut pipe = BufReader::new(pipe);
        let (mut line, mut logged) = (Vec::new(), 0);
        loop {
            line.clear();
            let mut piece = (&mut pipe).take(LINE_BYTES_MAX);
            match piece.read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) if logged < LINES_MAX => {
                    logged += 1;
                    let text = String::from_utf8_lossy(line.trim_ascii_end());
                    // As a debug text: control characters must not reach a terminal.
                    tracing::warn!(process, line = ?text, "a cell complains");
                }
                Ok(_) => {}
            }
        }
    });
    Ok(())
}
