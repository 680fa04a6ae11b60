//! `POST /execute`: one tool call.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::executor::{CellError, ExecuteError};
use crate::http::error::{Refusal, Told, bad, json, wrong_method as refused_method};
use crate::http::idempotency::{Begun, Stored};
use crate::http::{Door, auth, body, stream, streams};
use crate::request::{RequestId, ToolRequest, hexadecimal};

/// Longest `Idempotency-Key`. Chosen, not measured.
const KEY_BYTES_MAX: usize = 255;

/// Runs one tool call.
pub(super) async fn execute(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let id = door.ids.next();
    match answer(&door, &id, &headers, body).await {
        Ok(response) => response,
        Err(refusal) => refusal.told(&id).into_response(),
    }
}

/// Says how to call it right.
pub(super) async fn wrong_method(State(door): State<Arc<Door>>) -> Told {
    let example = r#"use POST, as: curl -X POST -H "Authorization: Bearer TOKEN" -d '{"tool":"bash","input":{"command":"ls"}}' http://HOST/execute"#;
    refused_method("POST", example).told(&door.ids.next())
}

async fn answer(
    door: &Arc<Door>,
    id: &RequestId,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let agent = auth::agent(door, headers)?;
    let bytes = body::read(headers, body, door.body_bytes_max).await?;
    let mut request = body::tool_request(id.clone(), &agent, &bytes)?;
    let streamed = wants_stream(headers);
    if let Some(key) = idempotency_key(headers)? {
        let key = hexadecimal(&Sha256::digest(key));
        request.idempotency_sha256 = Some(key.clone());
        let stored = run_once(door, request, key, &bytes).await?;
        // A refusal keeps its status and headers, as without a key.
        return Ok(if streamed && stored.status == StatusCode::OK {
            stream::whole(&stored)
        } else {
            stored.into_response()
        });
    }
    if streamed {
        return stream::run(door.clone(), request).await;
    }
    let answer = door.executor.execute(request, streams()).await?;
    Ok(json(StatusCode::OK, answer.to_json()))
}

/// Runs a call with a key, unless it runs or ran already. A client that hangs up does not end
/// it: the key is there so that the client can come back for the answer.
async fn run_once(
    door: &Arc<Door>,
    request: ToolRequest,
    key: String,
    body: &Bytes,
) -> Result<Stored, Refusal> {
    let begun = door
        .idempotency
        .begin(&request.agent, key, Sha256::digest(body).into())?;
    let answer = match begun {
        Begun::Elsewhere(answer) => answer,
        Begun::Here(ticket, answer) => {
            let door = door.clone();
            tokio::spawn(async move {
                let id = request.id.clone();
                match door.executor.execute(request, streams()).await {
                    Ok(answer) => ticket.finish(Stored::new(StatusCode::OK, answer.to_json())),
                    Err(error) => {
                        let ran = may_have_run(&error);
                        let refusal = Refusal::from(error);
                        let stored = Stored::new(refusal.status, refusal.told(&id).body());
                        if ran {
                            ticket.interrupted(stored)
                        } else {
                            ticket.forget(stored)
                        }
                    }
                }
            });
            answer
        }
    };
    answer.wait().await
}

/// Whether a call that ended so may have had effects, so that its key must not run again.
fn may_have_run(error: &ExecuteError) -> bool {
    match error {
        ExecuteError::UnknownTool { .. }
        | ExecuteError::Invalid(_)
        | ExecuteError::Denied(_)
        | ExecuteError::Session(_)
        | ExecuteError::Full(_) => false,
        ExecuteError::Cell(CellError::TooLarge(_)) => false,
        ExecuteError::NoRecord(_) | ExecuteError::Lost | ExecuteError::Cell(_) => true,
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&[u8]>, Refusal> {
    let mut values = headers.get_all("idempotency-key").iter();
    match (values.next().map(|value| value.as_bytes()), values.next()) {
        (None, _) => Ok(None),
        (Some(key), None) if (1..=KEY_BYTES_MAX).contains(&key.len()) => Ok(Some(key)),
        _ => Err(bad(format!(
            "Idempotency-Key must occur once and have 1 to {KEY_BYTES_MAX} bytes"
        ))),
    }
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}
