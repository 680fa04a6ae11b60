//! Connections: bounded in number, with a time for headers, drained when the server stops.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::descriptors::lend;
use crate::http::slow_reader::SlowReaderLimit;

/// Time a client has to send a request's head; an idle kept connection ends after it too.
/// Chosen, not measured.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// Time in which a client must take some of an answer. Chosen, not measured.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// Largest request head. Chosen, not measured.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Wait after a failed accept, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connections of one server.
#[derive(Debug)]
pub struct Connections {
    max: u32,
    open: Arc<Semaphore>,
}

impl Connections {
    /// Allows `max` open connections; more wait in the kernel's queue.
    pub fn new(max: usize) -> Self {
        Self {
            max: u32::try_from(max).unwrap_or(u32::MAX),
            open: Arc::new(Semaphore::new(max)),
        }
    }

    /// How many are open now.
    pub fn open(&self) -> usize {
        self.max as usize - self.open.available_permits()
    }

    /// Waits until every connection has ended.
    pub async fn ended(&self) {
        // The semaphore is never closed.
        let _all = self.open.acquire_many(self.max).await;
    }
}

/// Accepts connections until `draining` turns true.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: &Connections,
    mut draining: watch::Receiver<bool>,
) {
    loop {
        let accepted = async {
            // Taken before accepting, so that at the limit connections wait unaccepted.
            let permit = connections.open.clone().acquire_owned().await.ok()?;
            let accepted = listener.accept().await;
            let lent = accepted.and_then(|(stream, _)| Ok(lend(stream)?));
            Some((lent, permit))
        };
        let accepted = tokio::select! {
            () = told(&mut draining) => return,
            accepted = accepted => accepted,
        };
        match accepted {
            None => return,
            Some((Ok(stream), permit)) => {
                tokio::spawn(connection(stream, router.clone(), permit, draining.clone()));
            }
            Some((Err(error), _)) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    _permit: OwnedSemaphorePermit,
    mut draining: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY not set");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(
            TokioIo::new(SlowReaderLimit::new(stream, WRITE_TIME_MAX)),
            TowerToHyperService::new(router),
        );
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = told(&mut draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Waits for the word to drain; a sender that is gone counts as one.
async fn told(draining: &mut watch::Receiver<bool>) {
    let _said_or_gone = draining.wait_for(|drain| *drain).await;
}
