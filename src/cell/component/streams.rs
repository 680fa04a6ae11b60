//! A component's standard streams, over the descriptors of its process.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, empty, sink};
use wasmtime_wasi::{
    async_trait,
    cli::{IsTerminal, StdinStream, StdoutStream},
    p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult},
};

use crate::cell::kernel::{Call, Descriptor, Output};

/// Bytes that one read hands over, and one write takes.
const CHUNK_BYTES: usize = 64 << 10;

/// Streams of one output that may write at once.
const STREAMS_MAX: usize = 4;

/// Standard input; every stream of it goes on where the others are.
#[derive(Debug, Clone)]
pub(super) struct Stdin(pub(super) Option<Descriptor>);

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Stdin {
    /// Only WASI 0.3 asks for this.
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Stdin {
    async fn ready(&mut self) {
        if let Some(Descriptor::Reader(pipe)) = &self.0 {
            poll_fn(|cx| pipe.poll_ready(cx)).await;
        }
    }
}

#[async_trait]
impl InputStream for Stdin {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut bytes = vec![0; size.min(CHUNK_BYTES)];
        if bytes.is_empty() {
            return Ok(Bytes::new());
        }
        let count = match &self.0 {
            Some(Descriptor::Input(input)) => input.read(&mut bytes),
            Some(Descriptor::Reader(pipe)) => {
                let nobody = Context::from_waker(Waker::noop());
                match pipe.poll_read(&nobody, &mut bytes) {
                    Poll::Ready(count) => count,
                    Poll::Pending => return Ok(Bytes::new()),
                }
            }
            _ => 0,
        };
        bytes.truncate(count);
        match count {
            0 => Err(StreamError::Closed),
            _ => Ok(bytes.into()),
        }
    }
}

/// One output; every stream of it adds to the same.
#[derive(Debug, Clone)]
pub(super) struct Stdout(Arc<Written>);

#[derive(Debug)]
struct Written {
    call: Arc<Call>,
    output: Option<Arc<Output>>,
    /// Taken from the component and not handed on yet.
    waiting: Mutex<Vec<u8>>,
    /// One stream at a time hands on.
    draining: tokio::sync::Mutex<()>,
}

impl Stdout {
    pub(super) fn new(call: &Arc<Call>, descriptor: Option<&Descriptor>) -> Self {
        let output = match descriptor {
            Some(Descriptor::Output(output)) => Some(Arc::clone(output)),
            _ => None,
        };
        Self(Arc::new(Written {
            call: Arc::clone(call),
            output,
            waiting: Mutex::default(),
            draining: tokio::sync::Mutex::default(),
        }))
    }

    /// Hands on what waits. May be dropped and asked again.
    pub(super) async fn drain(&self) {
        let _alone = self.0.draining.lock().await;
        let bytes = self.0.waiting.lock().clone();
        if bytes.is_empty() {
            return;
        }
        if let Some(output) = &self.0.output {
            output.write(&bytes).await;
        }
        self.0.waiting.lock().drain(..bytes.len());
    }

    /// Takes and hands on.
    pub(super) async fn write_all(&self, bytes: &[u8]) {
        for piece in bytes.chunks(CHUNK_BYTES) {
            self.take(piece);
            self.drain().await;
        }
    }

    fn take(&self, bytes: &[u8]) {
        self.0.call.count_output(bytes.len() as u64);
        self.0.waiting.lock().extend_from_slice(bytes);
    }
}

impl IsTerminal for Stdout {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdout {
    /// Only WASI 0.3 asks for this.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Stdout {
    async fn ready(&mut self) {
        self.drain().await;
    }
}

#[async_trait]
impl OutputStream for Stdout {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let waits = self.0.waiting.lock().len();
        // Several streams of one output may each have been told that there is room.
        if waits + bytes.len() > STREAMS_MAX * CHUNK_BYTES {
            return Err(StreamError::trap("it writes more than it was told it may"));
        }
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let waits = self.0.waiting.lock().len();
        Ok(if waits == 0 { CHUNK_BYTES } else { 0 })
    }
}
