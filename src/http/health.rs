//! `GET /livez`, `/readyz` for whoever watches the server; `GET /tools` for agents.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::executor::schemas;
use crate::http::error::json as json_response;
use crate::http::{Door, auth};

/// Whether the process answers at all.
pub(super) async fn livez() -> Response {
    json_response(StatusCode::OK, r#"{"live":true}"#)
}

/// Whether calls can run now.
pub(super) async fn readyz(State(door): State<Arc<Door>>) -> Response {
    let guests = door.executor.cells.ready();
    let record = door.executor.audit.healthy();
    let stopping = *door.executor.stopping.borrow();
    let ready = guests && record && !stopping;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let policies = &door.executor.policies;
    let body = json!({
        "ready": ready,
        "guests": guests,
        "record": record,
        "stopping": stopping,
        // The reason is in the log: this path takes no token.
        "policies": { "generation": policies.generation(), "reloadFailed": policies.failure().is_some() },
        "confinement": door.executor.confinement,
    });
    json_response(status, body.to_string())
}

/// Lists the tools with the schemas of their inputs.
pub(super) async fn tools(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    match auth::agent(&door, &headers) {
        Ok(agent) => {
            let policy = door.executor.policies.of(&agent);
            json_response(StatusCode::OK, schemas(&policy).to_string())
        }
        Err(refusal) => refusal.told(&door.ids.next()).into_response(),
    }
}
