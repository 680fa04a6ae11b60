//! A keep-alive HTTP/1.1 client small enough that it costs the servers it measures little.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

/// Longest wait for one answer; a bench that hangs says so instead.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(150);

/// One connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Where an answer's body is in the client's buffer, and its status.
pub struct HttpAnswer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(64 << 10),
        })
    }

    /// Sends one whole request and reads its answer.
    pub fn exchange(&mut self, request: &[u8]) -> anyhow::Result<HttpAnswer<'_>> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut wanted = None;
        loop {
            let before = self.buffer.len();
            self.buffer.resize(before + (32 << 10), 0);
            let free = self.buffer.get_mut(before..).unwrap_or_default();
            let count = self.stream.read(free)?;
            self.buffer.truncate(before + count);
            ensure!(
                count > 0,
                "the server closed the connection within an answer"
            );
            if wanted.is_none() {
                wanted = head_of(&self.buffer)?;
            }
            if let Some((status, start, len)) = wanted
                && self.buffer.len() >= start + len
            {
                let body = self.buffer.get(start..start + len).unwrap_or_default();
                return Ok(HttpAnswer { status, body });
            }
        }
    }
}

/// Status, start and length of the body, once the head is there.
fn head_of(buffer: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let Some(end) = find(buffer, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(buffer.get(..end).unwrap_or_default())?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("no status line")?;
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(Some((status, end + 4, value.trim().parse()?)));
        }
    }
    bail!("an answer without Content-Length: {head}")
}

/// Where `needle` first occurs.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(at) = haystack.get(from..)?.iter().position(|&byte| byte == first) {
        if haystack.get(from + at..)?.starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// A `POST /execute` as bytes.
pub fn request(token: &str, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST /execute HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
