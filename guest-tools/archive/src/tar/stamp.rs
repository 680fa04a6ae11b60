//! The dates of `--mtime`.

use super::Trouble;
use crate::times::days_to_seconds;

/// Seconds since 1970 for `@SECONDS`, `YYYY-MM-DD[( |T)HH:MM[:SS]][Z| UTC]`, or the time of a file.
pub fn read(text: &str) -> Result<i64, Trouble> {
    if text.starts_with(['/', '.'])
        && let Ok(stat) = guest_start::file::stat(text, true)
    {
        return Ok(stat.modified_ns.div_euclid(1_000_000_000));
    }
    date(text).ok_or_else(|| {
        Trouble::Usage(format!(
            "--mtime: '{text}' is not a date of the forms @SECONDS, YYYY-MM-DD or 'YYYY-MM-DD HH:MM:SS'"
        ))
    })
}

fn date(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.split('.').next()?.parse().ok();
    }
    if text == "now" {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        return Some(now.ok()?.as_secs() as i64);
    }
    let text = text.trim_end_matches("UTC").trim_end_matches('Z').trim();
    let (day, clock) = match text.split_once(['T', ' ']) {
        Some((day, clock)) => (day, clock.trim()),
        None => (text, ""),
    };
    let mut fields = day.split('-').map(str::parse::<i64>);
    let (year, month, day) = (
        fields.next()?.ok()?,
        fields.next()?.ok()?,
        fields.next()?.ok()?,
    );
    if fields.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut seconds = days_to_seconds(year, month, day);
    let clock = clock.split('.').next().unwrap_or_default();
    let clock = clock.strip_suffix("+00:00").unwrap_or(clock);
    for (field, (unit, most)) in
        clock
            .split(':')
            .filter(|field| !field.is_empty())
            .zip([(3600, 23), (60, 59), (1, 60)])
    {
        let value: i64 = field.parse().ok()?;
        if !(0..=most).contains(&value) {
            return None;
        }
        seconds += value * unit;
    }
    Some(seconds)
}
