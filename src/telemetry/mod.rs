//! What an operator watches: logs on standard error and counters for Prometheus.

mod log;
mod metrics;

pub use log::{LogFormat, start};
pub use metrics::{Ended, Gauges, Metrics};
