//! From refusals to statuses and bodies: `{error, code, requestId}`, and what helps the client.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::executor::{CellError, ExecuteError, Full};
use crate::request::RequestId;
use crate::session::SessionError;

/// Seconds after which a client may try again. Chosen, not measured.
const RETRY_AFTER_S: u16 = 1;

/// Why the door does not give what was asked for.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
    more: Vec<(&'static str, Value)>,
    /// Why, for the operator's log alone.
    cause: Option<String>,
    /// Methods that the path does take, with 405.
    allow: Option<&'static str>,
}

/// A refusal with the id of the request it answers.
#[derive(Debug)]
pub(super) struct Told {
    refusal: Refusal,
    id: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            more: Vec::new(),
            cause: None,
            allow: None,
        }
    }

    pub(super) fn told(self, id: &RequestId) -> Told {
        if let Some(cause) = &self.cause {
            tracing::error!(request_id = %id.0, code = self.code, cause, "request not served");
        }
        Told {
            refusal: self,
            id: id.0.clone(),
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.more.push((name, value.into()));
        self
    }
}

pub(super) fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", message)
}

pub(super) fn no_route() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "no such path; there are /execute, /tools, /sessions, /sessions/NAME, /metrics, /livez and /readyz",
    )
}

pub(super) fn wrong_method(allow: &'static str, message: &str) -> Refusal {
    let refusal = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        message,
    );
    Refusal {
        allow: Some(allow),
        ..refusal
    }
}

/// The same for every wrong or missing token.
pub(super) fn unauthorized() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "send a token of this server as `Authorization: Bearer TOKEN`; \
         its operator finds the first one in the file `token` of the state folder \
         and makes more with `hotcell token add NAME`",
    )
}

impl From<ExecuteError> for Refusal {
    fn from(error: ExecuteError) -> Self {
        let message = error.to_string();
        match error {
            ExecuteError::UnknownTool { known, .. } => {
                Self::new(StatusCode::BAD_REQUEST, "unknown_tool", message).with("tools", known)
            }
            ExecuteError::Invalid(_) => bad(message),
            ExecuteError::Denied(denial) => Self::new(StatusCode::FORBIDDEN, "denied", message)
                .with("rule", denial.rule)
                .with("line", denial.line)
                .with("reason", denial.reason),
            ExecuteError::Session(error) => error.into(),
            ExecuteError::Full(Full::Session(_) | Full::Server) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", message)
            }
            ExecuteError::Lost => {
                unavailable("internal", message, "the call's task panicked".to_owned())
            }
            ExecuteError::NoRecord(_) => unavailable("no_record", message, error.chain()),
            ExecuteError::Cell(CellError::TooLarge(_)) => {
                let cause = error.chain();
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", cause)
            }
            ExecuteError::Cell(_) => unavailable("no_cell", message, error.chain()),
        }
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        let message = error.to_string();
        match error {
            SessionError::Unknown(_) => {
                Self::new(StatusCode::NOT_FOUND, "unknown_session", message)
            }
            SessionError::Busy(_) => Self::new(StatusCode::CONFLICT, "session_busy", message),
            SessionError::Full(_) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "sessions_full", message)
            }
            SessionError::Disk { source, path } => unavailable(
                "internal",
                "the session's folder cannot be used".to_owned(),
                format!("{}: {source}", path.display()),
            ),
        }
    }
}

/// The client gets the message, the operator's log the cause.
fn unavailable(code: &'static str, message: String, cause: String) -> Refusal {
    Refusal {
        cause: Some(cause),
        ..Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }
}

impl Told {
    /// The body as JSON.
    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = Map::new();
        body.insert("error".to_owned(), self.refusal.message.clone().into());
        body.insert("code".to_owned(), self.refusal.code.into());
        body.insert("requestId".to_owned(), self.id.clone().into());
        body.extend(
            self.refusal
                .more
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        Value::Object(body).to_string().into_bytes()
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let mut response = json(self.refusal.status, self.body());
        if let Some(allow) = self.refusal.allow {
            let allow = HeaderValue::from_static(allow);
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}

/// A JSON response, with the headers its status calls for.
pub(super) fn json(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        _ => {}
    }
    response
}
