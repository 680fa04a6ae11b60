//! Who calls: the token in the `Authorization` header, compared by hash.

use std::sync::Arc;

use axum::http::{HeaderMap, header};

use crate::http::Door;
use crate::http::error::{Refusal, unauthorized};

/// The name of the token a request carries.
///
/// # Errors
/// The same refusal for a missing, malformed, doubled or wrong token.
pub(super) fn agent(door: &Door, headers: &HeaderMap) -> Result<Arc<str>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(unauthorized());
    };
    let secret = value
        .as_bytes()
        .split_at_checked(7)
        .and_then(|(scheme, secret)| {
            scheme
                .eq_ignore_ascii_case(b"Bearer ")
                .then_some(secret.trim_ascii())
        });
    secret
        .and_then(|secret| door.tokens.agent(secret))
        .ok_or_else(unauthorized)
}
