//! One span a call for an OpenTelemetry collector, in builds with the feature `otlp`.
//!
//! Spans wait in a bounded queue and are sent by a thread of their own; what a collector does
//! not take is dropped. The audit record is what must not be lost, not these.

use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider,
};

use super::CallEnd;

/// Longest wait for a collector that does not answer. Chosen, not measured.
const SEND_TIME_MAX: Duration = Duration::from_secs(5);
/// Spans that may wait to be sent; more are dropped. Chosen, not measured.
const WAITING_MAX: usize = 8_192;

/// Sends spans to one collector.
#[derive(Debug)]
pub struct Spans {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Spans {
    /// Starts sending to `endpoint`, such as `http://127.0.0.1:4318`.
    ///
    /// # Errors
    /// The endpoint cannot be understood.
    pub fn start(endpoint: &str) -> Result<Self, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(SEND_TIME_MAX)
            .build()
            .map_err(|error| format!("OTLP endpoint `{endpoint}`: {error}"))?;
        let queue = BatchConfigBuilder::default().with_max_queue_size(WAITING_MAX);
        let processor = BatchSpanProcessor::builder(exporter)
            .with_batch_config(queue.build())
            .build();
        let about = Resource::builder()
            .with_service_name("hotcell")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_resource(about)
            .build();
        let tracer = provider.tracer("hotcell");
        Ok(Self { provider, tracer })
    }

    pub(super) fn call_ended(&self, call: &CallEnd<'_>) {
        let ended_at = SystemTime::now();
        let began_at = ended_at.checked_sub(call.lasted).unwrap_or(ended_at);
        let mut attributes = vec![
            KeyValue::new("hotcell.request_id", call.request_id.to_owned()),
            KeyValue::new("hotcell.agent", call.agent.to_owned()),
            KeyValue::new("hotcell.tool", call.tool),
            KeyValue::new("hotcell.ended", call.ended.name()),
        ];
        attributes.extend(
            call.exit_code
                .map(|code| KeyValue::new("hotcell.exit_code", i64::from(code))),
        );
        if let Some(usage) = call.usage {
            let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            attributes.push(KeyValue::new("hotcell.fuel", count(usage.fuel)));
            attributes.push(KeyValue::new(
                "hotcell.written_bytes",
                count(usage.written_bytes),
            ));
        }
        let mut span = self
            .tracer
            .span_builder("execute")
            .with_kind(SpanKind::Server)
            .with_start_time(began_at)
            .with_attributes(attributes)
            .start(&self.tracer);
        if call.ended == super::Ended::Error {
            span.set_status(Status::error("the call could not be run"));
        }
        span.end_with_timestamp(ended_at);
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(SEND_TIME_MAX) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}
