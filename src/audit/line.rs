//! One record as one stored line: `{"seq":N,"prev":"HASH","time":"T","event":"E",…}`.
//!
//! The head has a fixed form, so that the writer and the verifier read it without a JSON parser.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use crate::audit::tree::{self, Hash};

/// Longest stored line. What could grow past it is cut where a record is made. Chosen, not
/// measured.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// A record without sequence number and link, as the writer takes it: no braces, no line end.
pub type Body = Vec<u8>;

/// What every record carries besides its own fields.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stamp<'a> {
    pub id: &'a str,
    /// Since the machine started, by its own clock.
    pub mono_us: u64,
    /// Names that start of the machine.
    pub boot: &'a str,
}

/// Writes a record's body.
pub fn body(time: &str, event: &str, record: &impl Serialize, stamp: &Stamp<'_>) -> Body {
    let mut body = Vec::with_capacity(1536);
    body.extend_from_slice(b"\"time\":\"");
    body.extend_from_slice(time.as_bytes());
    body.extend_from_slice(b"\",\"event\":\"");
    body.extend_from_slice(event.as_bytes());
    body.push(b'"');
    join(&mut body, record);
    join(&mut body, stamp);
    body
}

/// Appends an object's fields: its opening brace becomes the comma.
fn join(body: &mut Body, fields: &impl Serialize) {
    let from = body.len();
    let mut serializer = Serializer::with_formatter(&mut *body, PlainLine);
    // Serialising these types into memory cannot fail: their keys are strings.
    let _infallible = fields.serialize(&mut serializer);
    body.pop();
    match body.get_mut(from) {
        Some(brace) if *brace == b'{' => *brace = b',',
        _ => body.truncate(from),
    }
}

/// Appends the stored line of a body, with its line end.
pub fn compose(out: &mut Vec<u8>, seq: u64, prev: &Hash, body: &[u8]) {
    out.reserve(body.len() + 112);
    out.extend_from_slice(b"{\"seq\":");
    // Writing to memory cannot fail.
    let _infallible = write!(out, "{seq}");
    out.extend_from_slice(b",\"prev\":\"");
    out.extend_from_slice(&tree::digits(prev));
    out.extend_from_slice(b"\",");
    out.extend_from_slice(body);
    out.extend_from_slice(b"}\n");
}

/// The fixed head of a stored line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    pub seq: u64,
    pub prev: Hash,
    /// Everything behind the link: a body and the closing brace.
    pub rest: &'a [u8],
}

/// Reads the fixed head of a stored line; `None` when it has another form.
pub fn head(line: &[u8]) -> Option<Head<'_>> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    // One way to write a number: no zeros before it.
    if number.len() > 1 && number.first() == Some(&b'0') {
        return None;
    }
    let seq = std::str::from_utf8(number).ok()?.parse().ok()?;
    let rest = rest.strip_prefix(b",\"prev\":\"")?;
    let (prev, rest) = rest.split_at_checked(64)?;
    let prev = tree::parse(std::str::from_utf8(prev).ok()?)?;
    let rest = rest.strip_prefix(b"\",")?;
    rest.ends_with(b"}").then_some(Head { seq, prev, rest })
}

/// Whether a stored line is JSON to its end: where two lines became one, the head is whole and the
/// rest is not.
pub fn is_json(line: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// Time and kind of a record, from its body or the rest behind its head.
pub fn time_and_event(body: &[u8]) -> Option<(&str, &str, &[u8])> {
    let (time, rest) = quoted(body.strip_prefix(b"\"time\":")?)?;
    let (event, rest) = quoted(rest.strip_prefix(b",\"event\":")?)?;
    Some((time, event, rest))
}

/// A string without escapes, and what follows it.
fn quoted(text: &[u8]) -> Option<(&str, &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', text)?;
    let (inside, rest) = text.split_at_checked(end)?;
    Some((std::str::from_utf8(inside).ok()?, rest.get(1..)?))
}

/// What a record says about a call being under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark<'a> {
    Opens(&'a str),
    Closes(&'a str),
    Neither,
}

/// Whether a body opens a call (an intent that allows it) or closes one.
pub fn mark(body: &[u8]) -> Mark<'_> {
    let Some((_, event, rest)) = time_and_event(body) else {
        return Mark::Neither;
    };
    let id = || quoted(rest.strip_prefix(b",\"requestId\":")?);
    match (event, id()) {
        ("intent", Some((id, rest))) if rest.starts_with(b",\"decision\":\"allow\"") => {
            Mark::Opens(id)
        }
        ("outcome" | "interrupted", Some((id, _))) => Mark::Closes(id),
        _ => Mark::Neither,
    }
}

/// JSON in which no character ends a line, moves a cursor or changes the direction of text,
/// whatever reads it.
pub(super) struct PlainLine;

impl Formatter for PlainLine {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(|byte| byte.is_ascii() && byte != 0x7f) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        let mut written = 0;
        for (at, character) in fragment.char_indices().filter(|(_, c)| treacherous(*c)) {
            writer.write_all(fragment.get(written..at).unwrap_or_default().as_bytes())?;
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = at + character.len_utf8();
        }
        writer.write_all(fragment.get(written..).unwrap_or_default().as_bytes())
    }
}

/// Whether a terminal, an editor or a line reader may take a character for more than text:
/// controls, line and paragraph separators, marks that reorder or hide text.
pub fn treacherous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tree::NO_RECORD;

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Small<'a> {
        request_id: &'a str,
        decision: &'a str,
        text: &'a str,
    }

    fn line(event: &str, decision: &str, text: &str) -> Vec<u8> {
        let record = Small {
            request_id: "r-1",
            decision,
            text,
        };
        let stamp = Stamp {
            id: "i",
            mono_us: 7,
            boot: "b",
        };
        let mut out = Vec::new();
        let body = body("2026-01-01T00:00:00.000Z", event, &record, &stamp);
        compose(&mut out, 12, &NO_RECORD, &body);
        out.pop();
        out
    }

    #[test]
    fn the_head_of_a_composed_line_reads_back_and_other_forms_do_not() {
        let line = line("intent", "allow", "x");
        let found = head(&line).unwrap();
        assert_eq!((found.seq, found.prev), (12, NO_RECORD));
        assert_eq!(mark(found.rest), Mark::Opens("r-1"));
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&value["text"], &value["monoUs"]), (&"x".into(), &7.into()));
        let text = String::from_utf8(line).unwrap();
        for other in [
            text.replace("12", "012"),
            text.replace("\"seq\"", "\"sEq\""),
            text.replace("0000,", "000g,").replacen("00\",", "0g\",", 1),
            text.replace('}', ""),
            format!(" {text}"),
            String::new(),
        ] {
            assert_eq!(head(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn only_allowed_intents_open_a_call() {
        let mark_of = |event: &str, decision: &str| {
            let line = line(event, decision, "x");
            format!("{:?}", mark(head(&line).unwrap().rest))
        };
        assert_eq!(mark_of("intent", "deny"), "Neither");
        assert_eq!(mark_of("start", "allow"), "Neither");
        assert_eq!(mark_of("outcome", ""), "Closes(\"r-1\")");
        assert_eq!(mark_of("interrupted", ""), "Closes(\"r-1\")");
    }

    #[test]
    fn no_text_leaves_its_line_or_its_field() {
        for text in [
            "a\nb\r\u{85}\u{2028}\u{2029}\0",
            "\x1b[2J\x1b]0;title\x07",
            "\"},{\"seq\":1",
            "${jndi:ldap://x}",
            "=cmd|' /C calc'!A0",
            "\u{202e}gnp.exe\u{2066}",
            "\u{e0041}\u{feff}\u{200b}",
            "\u{7f}\u{9b}31m",
            "ordinary ünïcödé 漢字 🦀",
        ] {
            let line = line("intent", "allow", text);
            let stored = String::from_utf8(line.clone()).unwrap();
            assert!(!stored.chars().any(treacherous), "{stored:?}");
            let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(value["text"], text);
            assert_eq!(value.as_object().unwrap().len(), 10);
        }
    }
}
