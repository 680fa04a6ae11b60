//! What the record says of calls with an idempotency key that a previous server began.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::quantity;

/// Most of the record's end that is read at start. Chosen, not measured.
const BYTES_MAX: u64 = 64 << 20;

/// Names one call with a key: its agent, and the key's SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunKey {
    pub agent: String,
    pub key_sha256: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    event: String,
    time: String,
    agent: String,
    decision: String,
    idempotency_sha256: String,
}

/// Keys of calls that were allowed to run within `age` before `now`.
pub(super) fn begun_keys(path: &Path, age: Duration, now: SystemTime) -> io::Result<Vec<BegunKey>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES_MAX)))?;
    let mut text = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut text)?;
    // Times of this form sort as text.
    let oldest = quantity::rfc3339(now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
    let lines = text.split(|byte| *byte == b'\n');
    // The first line may be cut, and a line may be torn by a full disk: neither parses.
    let lines = lines.filter_map(|line| serde_json::from_slice::<Line>(line).ok());
    let ran =
        |line: &Line| line.event == "intent" && line.decision == "allow" && line.time >= oldest;
    let key = |line: Line| BegunKey {
        agent: line.agent,
        key_sha256: line.idempotency_sha256,
    };
    Ok(lines.filter(ran).map(key).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_recent_allowed_calls_with_a_key_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        assert_eq!(
            begun_keys(&path, Duration::from_secs(900), SystemTime::now()).unwrap(),
            []
        );
        let now = SystemTime::now();
        let line = |age_s: u64, decision: &str, key: &str| {
            let time = quantity::rfc3339(now - Duration::from_secs(age_s));
            format!(
                "{{\"event\":\"intent\",\"time\":{time:?},\"agent\":\"ann\",\
                 \"decision\":{decision:?},\"idempotencySha256\":{key:?}}}\n"
            )
        };
        let text = [
            "half a line that a full disk left\n".to_owned(),
            line(1000, "allow", "old"),
            line(100, "deny", "denied"),
            line(100, "allow", "recent"),
            "{\"event\":\"outcome\",\"time\":\"2999\",\"requestId\":\"r\"}\n".to_owned(),
        ];
        std::fs::write(&path, text.concat()).unwrap();
        let keys = begun_keys(&path, Duration::from_secs(900), now).unwrap();
        assert_eq!(
            keys,
            [BegunKey {
                agent: "ann".to_owned(),
                key_sha256: "recent".to_owned()
            }]
        );
    }
}
