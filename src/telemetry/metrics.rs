//! Counters and gauges in Prometheus's text form. Labels come from closed sets only: tools that
//! exist, verdicts, limits, statuses. Nothing a caller writes becomes a label.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::outcome::{StoppedBy, Usage};

/// Upper bounds of a call's duration, in seconds: from one file read to the default wall limit.
const CALL_SECONDS: [f64; 14] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0, 120.0,
];

/// How a call that was allowed to run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with status 0.
    Succeeded,
    /// By itself, with another status.
    Failed,
    /// By a limit, which is named.
    Stopped(StoppedBy),
    /// It could not be run.
    Error,
}

impl Ended {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped(by) => by.name(),
            Self::Error => "error",
        }
    }
}

/// Names and values that are all known words.
type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;

/// What is read when somebody asks, rather than counted as it happens.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    pub calls_running: u64,
    pub calls_waiting: u64,
    pub sessions_in_use: u64,
    pub connections: u64,
    /// Whether a living cell takes calls.
    pub cell_ready: bool,
    /// Cell processes started since the server began, spares included.
    pub cells_started: u64,
    /// Cells that have a session.
    pub cells_living: u64,
    /// Cells that ended without being told to, or had to be ended.
    pub cells_died: u64,
    pub policy_generation: u64,
    pub policy_reload_failed: bool,
    pub record_healthy: bool,
    /// Age of the oldest record that is not durable yet.
    pub record_lag: Duration,
}

/// Every metric of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    decisions: Counters<2>,
    calls: Counters<2>,
    call_seconds: Family<Labels<1>, Histogram, fn() -> Histogram>,
    requests: Counters<1>,
    fuel: Counter,
    written_bytes: Counter,
    gauges: GaugeSet,
}

#[derive(Debug, Default)]
struct GaugeSet {
    calls_running: Gauge,
    calls_waiting: Gauge,
    sessions_in_use: Gauge,
    connections: Gauge,
    cell_ready: Gauge,
    cells_started: Gauge,
    cells_living: Gauge,
    cells_died: Gauge,
    policy_generation: Gauge,
    policy_reload_failed: Gauge,
    record_healthy: Gauge,
    record_lag_seconds: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("hotcell"),
            decisions: Family::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            requests: Family::default(),
            fuel: Counter::default(),
            written_bytes: Counter::default(),
            gauges: GaugeSet::default(),
        };
        metrics.register_counters();
        metrics.register_gauges();
        metrics
    }

    fn register_counters(&mut self) {
        let registry = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "This binary", build);
        registry.register(
            "decisions",
            "Decisions of the policy, by tool and verdict",
            self.decisions.clone(),
        );
        registry.register(
            "calls",
            "Calls that were allowed to run, by tool and how they ended: succeeded, failed, the limit that stopped them, or error",
            self.calls.clone(),
        );
        registry.register_with_unit(
            "call_duration",
            "Time from a call's decision to its end, by tool",
            Unit::Seconds,
            self.call_seconds.clone(),
        );
        registry.register(
            "http_requests",
            "Answers of the HTTP door, by status",
            self.requests.clone(),
        );
        registry.register("fuel", "Wasm fuel burnt by calls", self.fuel.clone());
        registry.register_with_unit(
            "written",
            "Bytes that calls wrote to files",
            Unit::Bytes,
            self.written_bytes.clone(),
        );
    }

    fn register_gauges(&mut self) {
        let (registry, set) = (&mut self.registry, &self.gauges);
        let gauges = [
            ("calls_running", "Calls running now", &set.calls_running),
            (
                "calls_waiting",
                "Calls waiting for a place or for their turn in a session",
                &set.calls_waiting,
            ),
            (
                "sessions_in_use",
                "Sessions with a call running or waiting",
                &set.sessions_in_use,
            ),
            ("http_connections", "Connections open now", &set.connections),
            ("cell_ready", "1 when a call gets a cell", &set.cell_ready),
            (
                "cells_started",
                "Cell processes started since the server began, spares included",
                &set.cells_started,
            ),
            (
                "cells_living",
                "Cells that have a session",
                &set.cells_living,
            ),
            (
                "cells_died",
                "Cells that ended without being told to, or had to be ended",
                &set.cells_died,
            ),
            (
                "policy_generation",
                "How often policies were loaded",
                &set.policy_generation,
            ),
            (
                "policy_reload_failed",
                "1 when the last reload of policies changed nothing",
                &set.policy_reload_failed,
            ),
            (
                "record_healthy",
                "1 when the last write of the audit record reached the disk",
                &set.record_healthy,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        registry.register_with_unit(
            "record_lag",
            "Age of the oldest record that is not durable yet",
            Unit::Seconds,
            set.record_lag_seconds.clone(),
        );
    }

    /// Counts a decision. `tool` is the name of one that exists.
    pub fn decided(&self, tool: &'static str, allowed: bool) {
        let verdict = if allowed { "allow" } else { "deny" };
        let labels = [("tool", tool), ("decision", verdict)];
        self.decisions.get_or_create(&labels).inc();
    }

    /// Counts the end of an allowed call.
    pub fn ended(&self, tool: &'static str, ended: Ended, lasted: Duration, usage: Option<&Usage>) {
        let labels = [("tool", tool), ("ended", ended.name())];
        self.calls.get_or_create(&labels).inc();
        self.call_seconds
            .get_or_create(&[("tool", tool)])
            .observe(lasted.as_secs_f64());
        if let Some(usage) = usage {
            self.fuel.inc_by(usage.fuel);
            self.written_bytes.inc_by(usage.written_bytes);
        }
    }

    /// Counts an answer of the HTTP door.
    pub fn answered(&self, status: u16) {
        self.requests
            .get_or_create(&[("status", status_name(status))])
            .inc();
    }

    /// Everything in the text form that Prometheus scrapes.
    pub fn text(&self, now: &Gauges) -> String {
        let set = &self.gauges;
        let known = [
            (&set.calls_running, now.calls_running),
            (&set.calls_waiting, now.calls_waiting),
            (&set.sessions_in_use, now.sessions_in_use),
            (&set.connections, now.connections),
            (&set.cell_ready, now.cell_ready.into()),
            (&set.cells_started, now.cells_started),
            (&set.cells_living, now.cells_living),
            (&set.cells_died, now.cells_died),
            (&set.policy_generation, now.policy_generation),
            (&set.policy_reload_failed, now.policy_reload_failed.into()),
            (&set.record_healthy, now.record_healthy.into()),
        ];
        for (gauge, value) in known {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        set.record_lag_seconds.set(now.record_lag.as_secs_f64());
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _infallible = encode(&mut text, &self.registry);
        text
    }
}

/// The statuses that the door gives; another counts as its class.
fn status_name(status: u16) -> &'static str {
    const GIVEN: [(u16, &str); 14] = [
        (200, "200"),
        (201, "201"),
        (204, "204"),
        (400, "400"),
        (401, "401"),
        (403, "403"),
        (404, "404"),
        (405, "405"),
        (409, "409"),
        (413, "413"),
        (415, "415"),
        (422, "422"),
        (429, "429"),
        (503, "503"),
    ];
    let given = GIVEN.iter().find(|(number, _)| *number == status);
    given.map_or_else(|| class_name(status), |(_, name)| name)
}

fn class_name(status: u16) -> &'static str {
    match status {
        0..=399 => "2xx-3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_counted_under_names_with_units() {
        let metrics = Metrics::new();
        metrics.decided("bash", true);
        metrics.decided("bash", false);
        let usage = Usage {
            fuel: 7,
            written_bytes: 9,
            ..Usage::default()
        };
        let wall = Ended::Stopped(StoppedBy::Wall);
        metrics.ended("bash", wall, Duration::from_millis(3), Some(&usage));
        metrics.answered(200);
        let gauges = Gauges {
            calls_waiting: 2,
            record_lag: Duration::from_millis(1500),
            ..Gauges::default()
        };
        let text = metrics.text(&gauges);
        for line in [
            "hotcell_decisions_total{tool=\"bash\",decision=\"deny\"} 1",
            "hotcell_calls_total{tool=\"bash\",ended=\"wall\"} 1",
            "hotcell_call_duration_seconds_bucket{le=\"0.005\",tool=\"bash\"} 1",
            "hotcell_fuel_total 7",
            "hotcell_written_bytes_total 9",
            "hotcell_http_requests_total{status=\"200\"} 1",
            "hotcell_calls_waiting 2",
            "hotcell_record_lag_seconds 1.5",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
    }
}
