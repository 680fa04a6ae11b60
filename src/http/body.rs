//! A request's body, read within a size and a time, and turned into a [`ToolRequest`].

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use crate::http::error::{Refusal, bad};
use crate::http::strict_json;
use crate::request::{RequestId, SessionName, ToolRequest};

/// Time a client has to send a body. Chosen, not measured.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// Reads a whole body.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<Bytes, Refusal> {
    let too_large = || {
        let message = format!("the body is larger than {bytes_max} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    };
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        let message = "compressed bodies are not taken: send it without Content-Encoding";
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "encoding",
            message,
        ));
    }
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok());
    if announced
        .and_then(|text| text.parse::<u64>().ok())
        .is_some_and(|n| n > bytes_max as u64)
    {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(BODY_TIME_MAX, Limited::new(body, bytes_max).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(bad("the body ended early")),
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow_body",
            format!(
                "the body did not arrive within {} s",
                BODY_TIME_MAX.as_secs()
            ),
        )),
    }
}

/// Turns a body of `POST /execute` into a request.
pub(super) fn tool_request(
    id: RequestId,
    agent: &str,
    body: &[u8],
) -> Result<ToolRequest, Refusal> {
    let value = strict_json::parse(body).map_err(|e| bad(format!("the body is not JSON: {e}")))?;
    let Value::Object(mut fields) = value else {
        return Err(bad(
            "the body must be a JSON object with `tool` and `input`",
        ));
    };
    let tool = text(&mut fields, "tool")?.ok_or_else(|| bad("`tool` is required"))?;
    let session = match text(&mut fields, "session")? {
        None => None,
        Some(name) => Some(session_name(&name)?),
    };
    let timeout_ms = match fields.remove("timeoutMs") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_u64()
                .filter(|ms| *ms > 0)
                .ok_or_else(|| bad("`timeoutMs` must be a whole number above 0"))?,
        ),
    };
    let request = ToolRequest {
        id,
        agent: agent.to_owned(),
        tool,
        input: fields
            .remove("input")
            .unwrap_or_else(|| Value::Object(Map::new())),
        working_dir: text(&mut fields, "workingDir")?,
        session,
        timeout_ms,
        idempotency_sha256: None,
    };
    match fields.keys().next() {
        None => Ok(request),
        Some(unknown) => {
            let unknown: String = unknown.chars().take(100).collect();
            Err(bad(format!(
                "no field is named `{unknown}`; there are tool, input, workingDir, session, timeoutMs"
            )))
        }
    }
}

/// Checks a session's name as a client wrote it.
pub(super) fn session_name(name: &str) -> Result<SessionName, Refusal> {
    SessionName::new(name)
        .ok_or_else(|| bad("a session's name is 1 to 64 of A-Z a-z 0-9 . _ - and not `.` or `..`"))
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.contains('\0') => Ok(Some(text)),
        Some(_) => Err(bad(format!("`{name}` must be a string without NUL"))),
    }
}
