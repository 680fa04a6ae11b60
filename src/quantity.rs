//! Sizes, durations and times as operators write them: `512MiB`, `120s`, `2026-11-23T18:00:00Z`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads a number of bytes: `4096`, `256KiB`, `16MiB`, `1GiB`.
///
/// # Errors
/// Names the text and the accepted units.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => 0_u64,
    };
    number
        .and_then(|n: u64| n.checked_mul(factor))
        .filter(|_| factor > 0)
        .ok_or_else(|| {
            format!("`{text}` is not a size: write a whole number and B, KiB, MiB or GiB")
        })
}

/// Reads a duration: `250ms`, `120s`, `15m`, `12h`, `7d`.
///
/// # Errors
/// Names the text and the accepted units.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let factor_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0_u64,
    };
    number
        .and_then(|n: u64| n.checked_mul(factor_ms))
        .filter(|_| factor_ms > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| {
            format!("`{text}` is not a duration: write a whole number and ms, s, m, h or d")
        })
}

fn split(text: &str) -> (Option<u64>, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    (number.parse().ok(), unit.trim_start())
}

/// Writes a time as RFC 3339 in UTC with milliseconds.
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (year, month, day) = civil(i64::try_from(seconds / 86_400).unwrap_or(0));
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Turns a TOML date-time with an offset into a time; `None` without date, time or offset.
pub fn from_toml(value: &toml::value::Datetime) -> Option<SystemTime> {
    let (date, time) = (value.date?, value.time?);
    let offset_minutes = match value.offset? {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i64::from(minutes),
    };
    let day = days(
        i64::from(date.year),
        i64::from(date.month),
        i64::from(date.day),
    );
    let clock = i64::from(time.hour) * 3600 + i64::from(time.minute) * 60;
    let seconds = day * 86_400 + clock + i64::from(time.second) - offset_minutes * 60;
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// Days since 1970-01-01 of a date (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date that many days after 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_have_units_and_refuse_nonsense() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("512MiB"), Ok(512 << 20));
        assert_eq!(duration("120s"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        for bad in ["", "MiB", "1.5GiB", "-1", "12MB", "99999999999GiB"] {
            assert!(bytes(bad).is_err_and(|e| e.contains(bad)), "{bad}");
        }
        for bad in ["", "120", "s", "1y", "999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_go_to_text_and_back() {
        for seconds in [0, 951_782_399, 951_782_400, 1_795_456_800, 4_102_444_799] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            let text = rfc3339(time);
            let parsed: toml::value::Datetime = text.parse().expect("a date-time");
            assert_eq!(from_toml(&parsed), Some(time), "{text}");
        }
        assert_eq!(
            rfc3339(UNIX_EPOCH + Duration::from_secs(951_782_400)),
            "2000-02-29T00:00:00.000Z"
        );
    }
}
