//! What every record is stamped with: ids, wall time, and the machine's own clock.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::audit::line::{self, Body, Stamp};
use crate::quantity;

/// Stamps records. Shared by all who make them.
#[derive(Debug)]
pub struct Clock {
    boot: String,
    counter: AtomicU64,
    random: [u8; 2],
}

impl Clock {
    /// Asks the system once for what does not change.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new() -> io::Result<Self> {
        let mut random = [0; 10];
        getrandom::fill(&mut random)?;
        let (start, rest) = random.split_first_chunk().ok_or(io::ErrorKind::Other)?;
        Ok(Self {
            boot: boot_id(),
            // A start below half the range never meets its end.
            counter: AtomicU64::new(u64::from_ne_bytes(*start) >> 3),
            random: rest.try_into().unwrap_or_default(),
        })
    }

    /// Names this start of the machine.
    pub fn boot(&self) -> &str {
        &self.boot
    }

    /// A record's body with this moment's stamp.
    pub fn body(&self, event: &str, record: &impl Serialize) -> Body {
        let now = SystemTime::now();
        let mut buffer = uuid::Uuid::encode_buffer();
        let id = self.id(now).hyphenated().encode_lower(&mut buffer);
        let stamp = Stamp {
            id,
            mono_us: mono_us(),
            boot: &self.boot,
        };
        line::body(&quantity::rfc3339(now), event, record, &stamp)
    }

    /// A UUID of version 7: time, then bits that no other record of this process has.
    fn id(&self, now: SystemTime) -> uuid::Uuid {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let mut unique = [0; 10];
        let count = self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let from = self.random.iter().chain(&count);
        for (byte, from) in unique.iter_mut().zip(from) {
            *byte = *from;
        }
        uuid::Builder::from_unix_timestamp_millis(millis, &unique).into_uuid()
    }
}

/// Microseconds since the machine started, sleep included.
pub fn mono_us() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let micros = now.tv_sec.saturating_mul(1_000_000) + now.tv_nsec / 1000;
    u64::try_from(micros).unwrap_or(0)
}

fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_sort_by_time() {
        let clock = Clock::new().unwrap();
        let ids: Vec<_> = (0..1000)
            .map(|n| clock.id(UNIX_EPOCH + std::time::Duration::from_millis(n / 10)))
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }
}
