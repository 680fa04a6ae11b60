//! `Accept: text/event-stream`: output as it comes, then the answer.
//!
//! Events: `output` with `{"stream":"stdout"|"stderr","text":…}`, and at the end one `answer`
//! with the answer's JSON (without `output` and `error`, which were sent), or one `error`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::Frame;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::executor::{Answer, Chunk, Encoding, ExecuteError, Stream, Streams};
use crate::http::error::Refusal;
use crate::http::idempotency::Stored;
use crate::http::{DOOR, Door};
use crate::request::{RequestId, ToolRequest};

/// Events on their way to a slow client; the cell waits for what is behind them to be taken.
const EVENTS_WAITING_MAX: usize = 16;

/// Runs a call and answers with its events. Refusals before it starts keep their own status.
pub(super) async fn run(door: Arc<Door>, request: ToolRequest) -> Result<Response, Refusal> {
    let id = request.id.clone();
    let encoding = Encoding::asked(&request.input);
    let (output, mut chunks) = mpsc::unbounded_channel();
    let streams = Streams {
        output: Some(output),
        stdin_inherited: false,
        door: DOOR,
    };
    let executor = door.executor.clone();
    // A task of its own: a client that reads slowly must not hold up the call's end, its record or
    // its place. Dropped with the client, the set drops the call, which ends it.
    let mut call = JoinSet::new();
    call.spawn(async move { executor.execute(request, streams).await });
    // The first chunk says that the call is admitted and recorded.
    let started = tokio::select! {
        chunk = chunks.recv() => chunk.is_some(),
        ended = answer_of(&mut call) => return Ok(events(vec![last_event(ended)?])),
    };
    if !started {
        return Ok(events(vec![last_event(answer_of(&mut call).await)?]));
    }
    let (events, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
    tokio::spawn(async move {
        let mut writer = Writer::new(encoding);
        tokio::select! {
            () = writer.send_all(call, chunks, &events, &id) => {}
            () = events.closed() => {} // the client hung up: the call is dropped, which ends it
        }
    });
    Ok(response(Body::new(Events(receiver))))
}

/// A stored answer as a stream of one event.
pub(super) fn whole(stored: &Stored) -> Response {
    events(vec![event("answer", &stored.body)])
}

type Call = JoinSet<Result<Answer, ExecuteError>>;

/// The call's answer; a call that panicked has none.
async fn answer_of(call: &mut Call) -> Result<Answer, ExecuteError> {
    let ended = call.join_next().await;
    ended
        .and_then(Result::ok)
        .unwrap_or(Err(ExecuteError::Lost))
}

struct Writer {
    encoding: Encoding,
    /// First bytes of a character whose rest has not come, for stdout and stderr.
    rest: [Vec<u8>; 2],
}

impl Writer {
    fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            rest: [Vec::new(), Vec::new()],
        }
    }

    async fn send_all(
        &mut self,
        mut call: Call,
        mut chunks: mpsc::UnboundedReceiver<Chunk>,
        events: &mpsc::Sender<Bytes>,
        id: &RequestId,
    ) {
        let ended = loop {
            tokio::select! {
                biased;
                Some(chunk) = chunks.recv() => self.send(chunk, events).await,
                ended = answer_of(&mut call) => break ended,
            }
        };
        while let Some(chunk) = chunks.recv().await {
            self.send(chunk, events).await;
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(self.rest(stream));
            if !rest.is_empty() {
                let text = String::from_utf8_lossy(&rest);
                let _gone = events.send(output_event(stream, "text", &text)).await;
            }
        }
        let last = match last_event(ended) {
            Ok(event) => event,
            Err(refusal) => event("error", &refusal.told(id).body()),
        };
        let _gone = events.send(last).await;
    }

    async fn send(&mut self, chunk: Chunk, events: &mpsc::Sender<Bytes>) {
        let stream = chunk.stream;
        let encoding = self.encoding;
        let text = encoding.write_chunk(self.rest(stream), &chunk.bytes);
        if !text.is_empty() {
            let field = if encoding == Encoding::Base64 {
                "base64"
            } else {
                "text"
            };
            let _gone = events.send(output_event(stream, field, &text)).await;
        }
    }

    fn rest(&mut self, stream: Stream) -> &mut Vec<u8> {
        let [stdout, stderr] = &mut self.rest;
        match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        }
    }
}

fn last_event(ended: Result<Answer, ExecuteError>) -> Result<Bytes, Refusal> {
    Ok(event("answer", &ended?.to_json()))
}

fn output_event(stream: Stream, field: &str, text: &str) -> Bytes {
    let name = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    event(
        "output",
        json!({"stream": name, field: text}).to_string().as_bytes(),
    )
}

/// One event; JSON has no line breaks of its own.
fn event(name: &str, data: &[u8]) -> Bytes {
    [b"event: ", name.as_bytes(), b"\ndata: ", data, b"\n\n"]
        .concat()
        .into()
}

fn events(events: Vec<Bytes>) -> Response {
    response(Body::from(events.concat()))
}

fn response(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

struct Events(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0
            .poll_recv(context)
            .map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}
