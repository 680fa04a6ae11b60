//! `GET /sessions`, `GET|POST|DELETE /sessions/NAME`: the caller's own sessions.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::http::error::{Refusal, json as json_response};
use crate::http::{Door, auth, body};
use crate::request::SessionName;
use crate::session::{SessionError, Sessions};

/// The name in the path, unless it is not UTF-8.
type Named = Result<Path<String>, PathRejection>;

fn session_name(name: Named) -> Result<SessionName, Refusal> {
    body::session_name(&name.map_or_else(|_| String::new(), |Path(name)| name))
}

/// Lists the caller's sessions.
pub(super) async fn list(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    on_disk(&door, &headers, |sessions, agent| {
        let list = sessions.list(agent)?;
        Ok((StatusCode::OK, json!({ "sessions": list })))
    })
    .await
}

/// Says what one session is.
pub(super) async fn show(
    State(door): State<Arc<Door>>,
    name: Named,
    headers: HeaderMap,
) -> Response {
    on_disk(&door, &headers, move |sessions, agent| {
        let info = sessions.info(agent, &session_name(name)?)?;
        Ok((StatusCode::OK, json!(info)))
    })
    .await
}

/// Makes a session: 201 when it is new, 200 when it was there.
pub(super) async fn create(
    State(door): State<Arc<Door>>,
    name: Named,
    headers: HeaderMap,
) -> Response {
    on_disk(&door, &headers, move |sessions, agent| {
        let name = session_name(name)?;
        let new = sessions.create(agent, &name)?;
        let status = if new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        Ok((status, json!(sessions.info(agent, &name)?)))
    })
    .await
}

/// Deletes a session with its files.
pub(super) async fn delete(
    State(door): State<Arc<Door>>,
    name: Named,
    headers: HeaderMap,
) -> Response {
    on_disk(&door, &headers, move |sessions, agent| {
        let name = session_name(name)?;
        sessions.delete(agent, &name)?;
        Ok((StatusCode::OK, json!({ "deleted": name.as_str() })))
    })
    .await
}

/// Runs work that touches the disk on a thread that may wait for it.
async fn on_disk<F>(door: &Arc<Door>, headers: &HeaderMap, work: F) -> Response
where
    F: FnOnce(&Sessions, &str) -> Result<(StatusCode, serde_json::Value), Refusal> + Send + 'static,
{
    let id = door.ids.next();
    let result = match auth::agent(door, headers) {
        Err(refusal) => Err(refusal),
        Ok(agent) => {
            let executor = door.executor.clone();
            tokio::task::spawn_blocking(move || work(&executor.sessions, &agent))
                .await
                .unwrap_or_else(|error| {
                    let source = std::io::Error::other(error);
                    Err(SessionError::Disk {
                        path: "sessions".into(),
                        source,
                    }
                    .into())
                })
        }
    };
    match result {
        Ok((status, body)) => json_response(status, body.to_string()),
        Err(refusal) => refusal.told(&id).into_response(),
    }
}
