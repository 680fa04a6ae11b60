//! The HTTP door: `POST /execute`, sessions, schemas, health. Protocol in, protocol out.

mod auth;
mod body;
mod error;
mod execute;
mod health;
mod idempotency;
mod metrics;
mod serve;
mod sessions;
mod slow_reader;
mod stream;
mod strict_json;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

use crate::config::Tokens;
use crate::executor::{Executor, Streams};
use crate::request::{RequestId, hexadecimal};

pub use idempotency::{KEPT as KEYS_KEPT, KEYS_MAX};
pub use serve::{Connections, serve};

use idempotency::Idempotency;

/// What records call this door.
const DOOR: &str = "http";

/// The ties of a call whose answer leaves whole.
fn streams() -> Streams {
    let door = DOOR;
    Streams {
        door,
        ..Streams::default()
    }
}

/// What every request of the HTTP door needs.
#[derive(Debug)]
pub struct Door {
    pub executor: Arc<Executor>,
    pub tokens: Arc<Tokens>,
    pub body_bytes_max: usize,
    pub connections: Arc<Connections>,
    ids: RequestIds,
    idempotency: Idempotency,
}

impl Door {
    /// Makes the door of one server. `begun` are the calls with an idempotency key, as agent and
    /// key digest, that a previous server began: they do not run again.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(
        executor: Arc<Executor>,
        tokens: Arc<Tokens>,
        body_bytes_max: usize,
        connections: Arc<Connections>,
        begun: impl Iterator<Item = (String, String)>,
    ) -> std::io::Result<Self> {
        let idempotency = Idempotency::with_begun(begun);
        Ok(Self {
            executor,
            tokens,
            body_bytes_max,
            connections,
            ids: RequestIds::new()?,
            idempotency,
        })
    }
}

/// Every route of the door.
pub fn router(door: Arc<Door>) -> Router {
    Router::new()
        .route(
            "/execute",
            post(execute::execute).fallback(execute::wrong_method),
        )
        .route("/tools", get(health::tools).fallback(only_get))
        .route("/metrics", get(metrics::metrics).fallback(only_get))
        .route("/livez", get(health::livez).fallback(only_get))
        .route("/readyz", get(health::readyz).fallback(only_get))
        .route("/sessions", get(sessions::list).fallback(only_get))
        .route(
            "/sessions/{name}",
            get(sessions::show)
                .post(sessions::create)
                .delete(sessions::delete)
                .fallback(only_session_methods),
        )
        .fallback(no_route)
        .layer(from_fn_with_state(door.clone(), count_answers))
        .with_state(door)
}

async fn count_answers(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    door.executor
        .telemetry
        .metrics
        .answered(response.status().as_u16());
    response
}

async fn no_route(State(door): State<Arc<Door>>) -> error::Told {
    error::no_route().told(&door.ids.next())
}

async fn only_get(State(door): State<Arc<Door>>) -> error::Told {
    error::wrong_method("GET, HEAD", "this path takes GET").told(&door.ids.next())
}

async fn only_session_methods(State(door): State<Arc<Door>>) -> error::Told {
    let message = "a session takes GET, POST (makes it) and DELETE";
    error::wrong_method("GET, HEAD, POST, DELETE", message).told(&door.ids.next())
}

/// Makes ids that no two calls share, across restarts too.
#[derive(Debug)]
pub struct RequestIds {
    prefix: String,
    next: AtomicU64,
}

impl RequestIds {
    /// Draws a random prefix.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new() -> std::io::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)?;
        Ok(Self {
            prefix: hexadecimal(&random),
            next: AtomicU64::new(1),
        })
    }

    /// The next id.
    pub fn next(&self) -> RequestId {
        RequestId(format!(
            "{}-{:x}",
            self.prefix,
            self.next.fetch_add(1, Ordering::Relaxed)
        ))
    }
}
