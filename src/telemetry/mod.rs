//! What an operator watches: logs on standard error, counters for Prometheus, and spans for an
//! OpenTelemetry collector where the build has them.

mod log;
mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(not(feature = "otlp"))]
#[path = "no_otlp.rs"]
mod otlp;

use std::time::Duration;

pub use log::{LogFormat, start};
pub use metrics::{Ended, Gauges, Metrics};
pub use otlp::Spans;

use crate::outcome::Usage;

/// Where the rooms tell what happened.
#[derive(Debug, Default)]
pub struct Telemetry {
    pub metrics: Metrics,
    pub spans: Option<Spans>,
}

/// The end of an allowed call, without a word of what was run.
#[derive(Debug)]
pub struct CallEnd<'a> {
    pub request_id: &'a str,
    pub agent: &'a str,
    /// The name of a tool that exists.
    pub tool: &'static str,
    pub ended: Ended,
    pub exit_code: Option<u8>,
    pub lasted: Duration,
    pub usage: Option<&'a Usage>,
}

impl Telemetry {
    /// Counts, logs and traces the end of a call.
    pub fn call_ended(&self, call: &CallEnd<'_>) {
        self.metrics
            .ended(call.tool, call.ended, call.lasted, call.usage);
        tracing::debug!(
            request_id = call.request_id,
            agent = call.agent,
            tool = call.tool,
            ended = call.ended.name(),
            exit_code = call.exit_code,
            duration_us = u64::try_from(call.lasted.as_micros()).unwrap_or(u64::MAX),
            fuel = call.usage.map(|usage| usage.fuel),
            written_bytes = call.usage.map(|usage| usage.written_bytes),
            "call ended"
        );
        if let Some(spans) = &self.spans {
            spans.call_ended(call);
        }
    }
}
