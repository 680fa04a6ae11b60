//! What a call's caller gets.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::outcome::{Captured, Outcome, StoppedBy, Usage};
use crate::request::RequestId;

/// How output is written into an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with U+FFFD for what is not.
    Text,
    /// The exact bytes.
    Base64,
}

/// The end of a call that ran.
#[must_use]
#[derive(Debug)]
pub struct Answer {
    pub id: RequestId,
    pub outcome: Outcome,
    /// Whether the session's shell state was replaced; nothing where there is none.
    pub state_kept: Option<bool>,
    /// The wall limit in force, when more was asked for.
    pub clamped_ms: Option<u64>,
    pub encoding: Encoding,
    /// The output went to the caller as it came.
    pub streamed: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_by: Option<StoppedBy>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_kept: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clamped: Option<Clamped>,
    usage: &'a Usage,
    request_id: &'a str,
}

/// What was asked for and is more than the policy gives.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Clamped {
    timeout_ms: u64,
}

impl Answer {
    /// The answer as JSON, the same for every door.
    pub fn to_json(&self) -> Vec<u8> {
        let outcome = &self.outcome;
        let body = Body {
            output: (!self.streamed).then(|| self.encoding.write(&outcome.stdout)),
            error: (!self.streamed).then(|| self.encoding.write(&outcome.stderr)),
            exit_code: outcome.exit_code,
            stopped_by: outcome.stopped_by,
            truncated: outcome.stdout.omitted_bytes + outcome.stderr.omitted_bytes > 0,
            state_kept: self.state_kept,
            clamped: self.clamped_ms.map(|timeout_ms| Clamped { timeout_ms }),
            usage: &outcome.usage,
            request_id: &self.id.0,
        };
        // Serialising these types cannot fail: their keys are strings and they hold no maps.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl Encoding {
    /// What a call's input asks for; text unless it says `base64`.
    pub fn asked(input: &serde_json::Value) -> Self {
        match input.get("encoding").and_then(serde_json::Value::as_str) {
            Some("base64") => Self::Base64,
            _ => Self::Text,
        }
    }

    /// Writes kept output. Where bytes were left out, text says how many; base64 is head and tail.
    fn write(self, captured: &Captured) -> Cow<'_, str> {
        let Captured {
            head,
            omitted_bytes,
            tail,
        } = captured;
        match (self, omitted_bytes) {
            (Self::Text, 0) if tail.is_empty() => text(head),
            (Self::Text, 0) => Cow::Owned(text(&[&**head, tail].concat()).into_owned()),
            (Self::Text, omitted) => Cow::Owned(format!(
                "{}\n[output truncated: {omitted} bytes left out]\n{}",
                text(head),
                text(tail)
            )),
            (Self::Base64, _) => Cow::Owned(STANDARD.encode([&**head, tail].concat())),
        }
    }

    /// Writes one piece of streamed output; `rest` carries a character's first bytes to the next.
    pub fn write_chunk(self, rest: &mut Vec<u8>, chunk: &[u8]) -> String {
        if self == Self::Base64 {
            return STANDARD.encode(chunk);
        }
        rest.extend_from_slice(chunk);
        let whole = rest.len() - unfinished(rest);
        let text = text(rest.get(..whole).unwrap_or_default()).into_owned();
        rest.drain(..whole);
        text
    }
}

/// Bytes as text, with marks where they are none. Nearly all are: that check takes many bytes at
/// once, and the other way one by one.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// How many bytes at the end begin a character that is not complete.
fn unfinished(bytes: &[u8]) -> usize {
    match std::str::from_utf8(
        bytes
            .get(bytes.len().saturating_sub(3)..)
            .unwrap_or_default(),
    ) {
        Ok(_) => 0,
        Err(_) => (1..=bytes.len().min(3))
            .find(|back| {
                let tail = bytes.get(bytes.len() - back..).unwrap_or_default();
                std::str::from_utf8(tail)
                    .is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none())
            })
            .unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(stdout: Captured) -> Answer {
        Answer {
            id: RequestId("r1".to_owned()),
            outcome: Outcome {
                stdout,
                ..Outcome::default()
            },
            state_kept: Some(true),
            clamped_ms: None,
            encoding: Encoding::Text,
            streamed: false,
        }
    }

    fn json(answer: &Answer) -> serde_json::Value {
        serde_json::from_slice(&answer.to_json()).unwrap()
    }

    #[test]
    fn absent_things_are_left_out_and_present_ones_named_as_documented() {
        let mut answer = answer(Captured {
            head: b"hi\xff".to_vec(),
            ..Captured::default()
        });
        assert_eq!(
            json(&answer),
            serde_json::json!({
                "output": "hi\u{fffd}", "error": "", "exitCode": 0, "stateKept": true,
                "usage": {"fuel": 0, "wallUs": 0, "memoryPeakBytes": 0, "processes": 0, "writtenBytes": 0},
                "requestId": "r1"
            })
        );
        answer.outcome.stopped_by = Some(StoppedBy::Wall);
        answer.clamped_ms = Some(120_000);
        let body = json(&answer);
        assert_eq!(
            (&body["stoppedBy"], &body["clamped"]["timeoutMs"]),
            (&"wall".into(), &120_000.into())
        );
    }

    #[test]
    fn truncated_output_says_how_much_is_missing_and_base64_is_exact() {
        let cut = Captured {
            head: b"ab".to_vec(),
            omitted_bytes: 7,
            tail: vec![0xff],
        };
        let mut answer = answer(cut);
        let body = json(&answer);
        assert_eq!(body["truncated"], true);
        assert_eq!(
            body["output"],
            "ab\n[output truncated: 7 bytes left out]\n\u{fffd}"
        );
        answer.encoding = Encoding::Base64;
        assert_eq!(json(&answer)["output"], STANDARD.encode(b"ab\xff"));
    }

    #[test]
    fn streamed_characters_are_not_torn() {
        let text = "aé漢😀z";
        for size in 1..6 {
            let (mut rest, mut out) = (Vec::new(), String::new());
            for chunk in text.as_bytes().chunks(size) {
                out += &Encoding::Text.write_chunk(&mut rest, chunk);
            }
            assert_eq!((out.as_str(), rest.len()), (text, 0), "chunks of {size}");
        }
        let mut rest = Vec::new();
        assert_eq!(
            Encoding::Text.write_chunk(&mut rest, b"a\xff\xffb"),
            "a\u{fffd}\u{fffd}b"
        );
    }
}
