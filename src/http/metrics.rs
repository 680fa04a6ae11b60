//! `GET /metrics`: counters and gauges for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::http::{Door, auth};
use crate::telemetry::Gauges;

/// The OpenMetrics text form, which Prometheus asks for and reads.
const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Counters and gauges, for whoever has a token: how busy others are is not for everyone.
pub(super) async fn metrics(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    if let Err(refusal) = auth::agent(&door, &headers) {
        return refusal.told(&door.ids.next()).into_response();
    }
    let mut response = door
        .executor
        .telemetry
        .metrics
        .text(&gauges(&door))
        .into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}

fn gauges(door: &Door) -> Gauges {
    let executor = &door.executor;
    let (running, waiting) = executor.admission.running_and_waiting();
    Gauges {
        calls_running: running as u64,
        calls_waiting: waiting as u64,
        sessions_in_use: executor.sessions.in_use() as u64,
        connections: door.connections.open() as u64,
        cell_ready: executor.cells.ready(),
        cells_started: executor.cells.started(),
        cells_living: executor.cells.living() as u64,
        cells_died: executor.cells.died(),
        policy_generation: executor.policies.generation(),
        policy_reload_failed: executor.policies.failure().is_some(),
        record_healthy: executor.audit.healthy(),
        record_lag: executor.audit.lag(),
    }
}
