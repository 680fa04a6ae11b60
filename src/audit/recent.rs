//! What the record says of calls with an idempotency key that a previous server began: read from
//! the end backwards, over as many files as it takes.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::audit::clock::{self, Clock};
use crate::audit::line::{self, LINE_BYTES_MAX};
use crate::audit::names::Names;
use crate::audit::reader::UNENDED_BYTES_MAX;
use crate::quantity;

/// Read from the disk at once. Chosen, not measured.
const READ_BYTES: u64 = 1 << 20;

/// Names one call with a key: its agent, and the key's SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunKey {
    pub agent: String,
    pub key_sha256: String,
}

/// A moment, by wall clock and by the machine's own: a wall clock that was set says nothing about
/// what happened since the machine started.
#[derive(Debug)]
pub struct Since {
    time: String,
    boot: String,
    mono_us: u64,
}

impl Since {
    /// So long ago.
    pub fn now(age: Duration) -> Self {
        let then = SystemTime::now().checked_sub(age);
        let age_us = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        Self {
            time: quantity::rfc3339(then.unwrap_or(SystemTime::UNIX_EPOCH)),
            boot: Clock::new().map_or_else(|_| String::new(), |clock| clock.boot().to_owned()),
            mono_us: clock::mono_us().saturating_sub(age_us),
        }
    }

    fn is_older(&self, stored: &[u8]) -> Option<bool> {
        let (time, _, rest) = line::time_and_event(line::head(stored)?.rest)?;
        let stamp = rest.get(memchr::memmem::rfind(rest, b",\"monoUs\":")? + 10..)?;
        let stamp = std::str::from_utf8(stamp).ok()?;
        let (mono_us, boot) = stamp.split_once(",\"boot\":\"")?;
        let same_boot = boot.strip_suffix("\"}") == Some(&self.boot);
        // Times of this form sort as text.
        let older = match mono_us.parse::<u64>() {
            Ok(mono_us) if same_boot => mono_us < self.mono_us,
            _ => time < self.time.as_str(),
        };
        Some(older)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keyed<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    agent: Cow<'a, str>,
    #[serde(borrow)]
    decision: Cow<'a, str>,
    #[serde(borrow)]
    idempotency_sha256: Cow<'a, str>,
}

/// Keys of calls that were allowed to run since then, the newest first, at most `keys_max`.
pub(super) fn begun_keys(
    names: &Names,
    since: &Since,
    keys_max: usize,
) -> io::Result<Vec<BegunKey>> {
    let mut keys = Vec::new();
    let mut look = |stored: &[u8]| {
        if since.is_older(stored) == Some(true) || keys.len() >= keys_max {
            return ControlFlow::Break(());
        }
        if memchr::memmem::find(stored, b"\"idempotencySha256\":\"").is_some()
            && let Ok(keyed) = serde_json::from_slice::<Keyed<'_>>(stored)
            && keyed.event == "intent"
            && keyed.decision == "allow"
        {
            keys.push(BegunKey {
                agent: keyed.agent.into_owned(),
                key_sha256: keyed.idempotency_sha256.into_owned(),
            });
        }
        ControlFlow::Continue(())
    };
    let full = names.full_files()?.into_iter().rev().map(|(_, path)| path);
    for path in std::iter::once(names.active()).chain(full) {
        match backwards(&path, &mut look) {
            Ok(ControlFlow::Break(())) => break,
            Ok(ControlFlow::Continue(())) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(keys)
}

/// Shows a file's lines from the last to the first. Half a line at the end is shown too.
fn backwards(
    path: &Path,
    look: &mut impl FnMut(&[u8]) -> ControlFlow<()>,
) -> io::Result<ControlFlow<()>> {
    let file = File::open(path)?;
    let mut start = file.metadata()?.len();
    // The first part of the file that was read and not shown: its line begins before it.
    let mut rest = Vec::new();
    // Read since the last line's start.
    let mut without_line = 0;
    while start > 0 {
        let end = start;
        start = end.saturating_sub(READ_BYTES);
        let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.read_exact_at(&mut bytes, start)?;
        bytes.append(&mut rest);
        without_line += end - start;
        while let Some(at) = memchr::memrchr(b'\n', &bytes) {
            if look(bytes.get(at + 1..).unwrap_or_default()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            bytes.truncate(at);
            without_line = 0;
        }
        // No record is that long: what it is does not matter, but memory does.
        if bytes.len() > LINE_BYTES_MAX {
            bytes.clear();
        }
        if without_line > UNENDED_BYTES_MAX {
            let what = format!(
                "`{}` has no line end in {without_line} bytes",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        rest = bytes;
    }
    Ok(look(&rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::line::{Stamp, body, compose};
    use crate::audit::tree::NO_RECORD;

    struct At<'a> {
        age_s: u64,
        mono_us: u64,
        boot: &'a str,
    }

    fn line(at: &At<'_>, decision: &str, key: &str) -> Vec<u8> {
        let time = quantity::rfc3339(SystemTime::now() - Duration::from_secs(at.age_s));
        let record = serde_json::json!({
            "agent": "ann", "decision": decision, "idempotencySha256": key,
        });
        let (id, boot, mono_us) = ("i", at.boot, at.mono_us);
        let mut line = Vec::new();
        let body = body(&time, "intent", &record, &Stamp { id, mono_us, boot });
        compose(&mut line, 1, &NO_RECORD, &body);
        line
    }

    fn keys(names: &Names, since: &Since, keys_max: usize) -> Vec<String> {
        let keys = begun_keys(names, since, keys_max).unwrap();
        keys.into_iter().map(|key| key.key_sha256).collect()
    }

    #[test]
    fn recent_allowed_calls_count_over_files_and_the_newest_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::new(folder.path(), "t");
        let since = Since::now(Duration::from_secs(900));
        assert!(keys(&names, &since, 9).is_empty());
        let earlier = |age_s| At {
            age_s,
            mono_us: u64::MAX,
            boot: "another",
        };
        let old = [
            line(&earlier(1000), "allow", "too old"),
            line(&earlier(800), "allow", "first"),
            // Longer than what is read at once, so that files are read in pieces.
            format!("{}\n", "x".repeat(3 << 20)).into_bytes(),
            line(&earlier(700), "allow", "second"),
        ];
        std::fs::write(names.full(0), old.concat()).unwrap();
        let new = [
            line(&earlier(600), "deny", "denied"),
            line(&earlier(500), "allow", "third"),
            b"half a line that a full disk left".to_vec(),
        ];
        std::fs::write(names.active(), new.concat()).unwrap();
        assert_eq!(keys(&names, &since, 9), ["third", "second", "first"]);
        assert_eq!(keys(&names, &since, 2), ["third", "second"]);
    }

    #[test]
    fn a_clock_that_was_set_does_not_hide_a_call_of_this_start_of_the_machine() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::new(folder.path(), "t");
        let since = Since::now(Duration::from_secs(900));
        let boot = since.boot.clone();
        let just_now = At {
            age_s: 90_000,
            mono_us: clock::mono_us(),
            boot: &boot,
        };
        std::fs::write(names.active(), line(&just_now, "allow", "k")).unwrap();
        assert_eq!(keys(&names, &since, 9), ["k"]);
    }
}
