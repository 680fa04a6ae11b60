//! A build without the feature `otlp` has no spans, and says so to who asks for them.

use super::CallEnd;

/// Cannot be made in this build.
#[derive(Debug)]
pub enum Spans {}

impl Spans {
    /// Always refuses.
    ///
    /// # Errors
    /// This build sends no spans.
    pub fn start(endpoint: &str) -> Result<Self, String> {
        Err(format!(
            "this binary cannot send spans to `{endpoint}`: build it with `--features otlp`, or \
             leave out `otlp_endpoint`"
        ))
    }

    pub(super) fn call_ended(&self, _call: &CallEnd<'_>) {
        match *self {}
    }
}
