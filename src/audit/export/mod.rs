//! Calls in the forms other systems read. Each is a pure function from a call to one line.

mod cef;
mod ecs;
mod ocsf;
mod otel;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::Serializer;

use crate::audit::calls::{Call, End};
use crate::audit::line::{self, PlainLine};
use crate::audit::record::Verdict;
use crate::quantity;

/// A form that calls are exported in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Open Cybersecurity Schema Framework 1.6, JSON.
    Ocsf,
    /// Elastic Common Schema, JSON.
    Ecs,
    /// ArcSight Common Event Format.
    Cef,
    /// OpenTelemetry logs, OTLP in JSON.
    Otel,
}

impl Format {
    /// One call as one line, without line end. `log` names the log it is from.
    pub fn line(self, log: &str, call: &Call<'_>) -> String {
        match self {
            Self::Ocsf => json(&ocsf::event(log, call)),
            Self::Ecs => json(&ecs::event(log, call)),
            Self::Cef => cef::event(log, call),
            Self::Otel => json(&otel::event(log, call)),
        }
    }
}

fn json(value: &Value) -> String {
    let mut value = value.clone();
    without_nulls(&mut value);
    let mut line = Vec::new();
    // A value in memory can always be written.
    let _infallible = value.serialize(&mut Serializer::with_formatter(&mut line, PlainLine));
    String::from_utf8(line).unwrap_or_default()
}

/// What is not known is left out: the schemas have no nulls.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(values) => values.iter_mut().for_each(without_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Text without characters that mean something to a terminal or a line reader.
pub fn plain(text: &str) -> String {
    text.chars().fold(String::new(), |mut plain, character| {
        if line::treacherous(character) {
            // Writing to a string cannot fail.
            let _infallible = write!(plain, "\\u{{{:x}}}", u32::from(character));
        } else {
            plain.push(character);
        }
        plain
    })
}

/// Milliseconds since 1970; 0 for what is no time.
fn millis(time: &str) -> u64 {
    let Ok(parsed) = time.parse::<toml::value::Datetime>() else {
        return 0;
    };
    let nanos = parsed.time.map_or(0, |time| time.nanosecond);
    let seconds = quantity::from_toml(&parsed);
    let since = seconds.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let since = since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0));
    since + u64::from(nanos / 1_000_000)
}

impl Call<'_> {
    fn denied(&self) -> bool {
        self.intent.decision == Verdict::Deny
    }

    /// Whether it ran and ended with status 0.
    fn succeeded(&self) -> Option<bool> {
        match &self.end {
            End::Finished(finished) => Some(finished.exit_code == Some(0)),
            End::Interrupted => Some(false),
            End::Unknown => self.denied().then_some(false),
        }
    }

    fn exit_code(&self) -> Option<u8> {
        match &self.end {
            End::Finished(finished) => finished.exit_code,
            End::Interrupted | End::Unknown => None,
        }
    }

    fn duration_us(&self) -> Option<u64> {
        match &self.end {
            End::Finished(finished) => Some(finished.duration_us),
            End::Interrupted | End::Unknown => None,
        }
    }

    /// What ended it, or why it has no end.
    fn detail(&self) -> Option<String> {
        match &self.end {
            End::Finished(finished) => finished.error.as_deref().map(str::to_owned).or_else(|| {
                finished
                    .stopped_by
                    .map(|limit| format!("stopped by the limit {limit:?}"))
            }),
            End::Interrupted => {
                Some("interrupted: the server ended before the call did".to_owned())
            }
            End::Unknown => self.intent.reason.as_deref().map(str::to_owned),
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        let fields = &self.intent.request.fields;
        let found = fields.iter().find(|(field, _)| field == name);
        found.map(|(_, text)| &**text)
    }

    /// What was run: a shell's text, or a native program's words.
    pub fn command(&self) -> Option<&str> {
        self.field("command").or_else(|| self.field("args"))
    }

    /// The native program that was run.
    pub fn program(&self) -> Option<&str> {
        self.field("program")
    }

    /// The name of what ran the command.
    fn process(&self) -> &str {
        let program = self.program().unwrap_or("bash");
        program.rsplit('/').next().unwrap_or(program)
    }

    pub fn path(&self) -> Option<&str> {
        self.field("file_path").or_else(|| self.field("path"))
    }

    pub fn pattern(&self) -> Option<&str> {
        self.field("pattern")
    }

    /// Whether the tool works on files itself, rather than by a command.
    fn is_file_tool(&self) -> bool {
        !matches!(&*self.intent.tool, "bash" | "native")
    }

    fn writes(&self) -> bool {
        matches!(&*self.intent.tool, "write" | "edit" | "write_file")
    }

    fn rule(&self) -> String {
        format!("{}:{}", self.intent.rule, self.intent.line)
    }
}
