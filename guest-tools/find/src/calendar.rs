//! Dates: read for `-newermt`, written by `-printf` and `-ls`. Guests live in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const MONTHS_FULL: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Seconds and nanoseconds since 1970.
#[must_use]
pub fn now() -> (i64, i64) {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (since.as_secs().cast_signed(), since.subsec_nanos().into())
}

/// A moment taken apart.
pub struct Moment {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub weekday: usize,
    pub day_of_year: i64,
}

impl Moment {
    #[must_use]
    pub fn new(seconds: i64) -> Self {
        let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        Self {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7) as usize,
            day_of_year: days - days_from_civil(year, 1, 1) + 1,
        }
    }

    /// `Mon Nov 23 18:14:49.9613464690 2026`, as `-printf %t` writes it.
    #[must_use]
    pub fn ctime(&self, nanos: i64) -> String {
        format!(
            "{} {} {:2} {:02}:{:02}:{:02}.{nanos:09}0 {:04}",
            &WEEKDAYS[self.weekday][..3],
            MONTHS[self.month as usize - 1],
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.year
        )
    }

    /// The date of `-ls`: the time of day for the last half year, else the year.
    #[must_use]
    pub fn listed(&self, seconds: i64) -> String {
        let age = now().0 - seconds;
        let head = format!("{} {:2}", MONTHS[self.month as usize - 1], self.day);
        if (-3600..DAY * 365 / 2).contains(&age) {
            format!("{head} {:02}:{:02}", self.hour, self.minute)
        } else {
            format!("{head} {:5}", self.year)
        }
    }

    /// One directive of `-printf %Tk`.
    #[must_use]
    pub fn directive(&self, letter: char, seconds: i64, nanos: i64) -> Option<String> {
        let hour12 = if self.hour % 12 == 0 {
            12
        } else {
            self.hour % 12
        };
        let half = if self.hour < 12 { "AM" } else { "PM" };
        let fraction = format!("{:02}.{nanos:09}0", self.second);
        Some(match letter {
            '@' => format!("{seconds}.{nanos:09}0"),
            'Y' => format!("{:04}", self.year),
            'y' => format!("{:02}", self.year % 100),
            'm' => format!("{:02}", self.month),
            'd' => format!("{:02}", self.day),
            'e' => format!("{:2}", self.day),
            'H' => format!("{:02}", self.hour),
            'I' => format!("{hour12:02}"),
            'k' => format!("{:2}", self.hour),
            'l' => format!("{hour12:2}"),
            'M' => format!("{:02}", self.minute),
            'S' => fraction,
            'p' => half.to_owned(),
            'j' => format!("{:03}", self.day_of_year),
            'a' => WEEKDAYS[self.weekday][..3].to_owned(),
            'A' => WEEKDAYS[self.weekday].to_owned(),
            'b' | 'h' => MONTHS[self.month as usize - 1].to_owned(),
            'B' => MONTHS_FULL[self.month as usize - 1].to_owned(),
            'w' => self.weekday.to_string(),
            'Z' => "UTC".to_owned(),
            'z' => "+0000".to_owned(),
            's' => seconds.to_string(),
            'F' => format!("{:04}-{:02}-{:02}", self.year, self.month, self.day),
            'D' | 'x' => format!("{:02}/{:02}/{:02}", self.month, self.day, self.year % 100),
            'T' | 'X' => format!("{:02}:{:02}:{fraction}", self.hour, self.minute),
            'R' => format!("{:02}:{:02}", self.hour, self.minute),
            'r' => format!("{hour12:02}:{:02}:{fraction} {half}", self.minute),
            'c' => self.ctime(nanos),
            '+' => format!(
                "{:04}-{:02}-{:02}+{:02}:{:02}:{fraction}",
                self.year, self.month, self.day, self.hour, self.minute
            ),
            'U' => format!("{:02}", (self.day_of_year + 6 - self.weekday as i64) / 7),
            'W' => format!(
                "{:02}",
                (self.day_of_year + 6 - (self.weekday as i64 + 6) % 7) / 7
            ),
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            '%' => "%".to_owned(),
            _ => return None,
        })
    }
}

/// Reads a date: `@N`, ISO 8601 with spaces allowed, a few words, or an amount before now.
#[must_use]
pub fn parse(text: &str, now: (i64, i64)) -> Option<(i64, i64)> {
    let text = text.trim();
    let midnight = now.0 - now.0.rem_euclid(DAY);
    match text.to_ascii_lowercase().as_str() {
        "now" | "today" => return Some(now),
        "yesterday" => return Some((now.0 - DAY, now.1)),
        "tomorrow" => return Some((now.0 + DAY, now.1)),
        "" => return Some((midnight, 0)),
        _ => {}
    }
    if let Some(seconds) = text.strip_prefix('@') {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        return Some((whole.parse().ok()?, nanos(fraction)?));
    }
    relative(text, now).or_else(|| absolute(text, midnight))
}

fn nanos(fraction: &str) -> Option<i64> {
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    digits.parse().ok()
}

fn relative(text: &str, now: (i64, i64)) -> Option<(i64, i64)> {
    let lower = text.to_ascii_lowercase();
    let mut words: Vec<&str> = lower.split_whitespace().collect();
    let past = words.last() == Some(&"ago");
    if past {
        words.pop();
    }
    let mut seconds = 0;
    for pair in words.chunks(2) {
        let [amount, unit] = pair else { return None };
        let amount: i64 = match *amount {
            "last" => -1,
            "next" => 1,
            digits => digits.trim_start_matches('+').parse().ok()?,
        };
        let unit = unit.strip_suffix('s').unwrap_or(unit);
        let length = match unit {
            "sec" | "second" => 1,
            "min" | "minute" => 60,
            "hour" => 3600,
            "day" => DAY,
            "week" => 7 * DAY,
            "month" => 30 * DAY,
            "year" => 365 * DAY,
            _ => return None,
        };
        seconds += amount * length;
    }
    let moved = if past {
        now.0 - seconds
    } else {
        now.0 + seconds
    };
    (!words.is_empty()).then_some((moved, now.1))
}

fn absolute(text: &str, midnight: i64) -> Option<(i64, i64)> {
    let text = text.trim_end_matches('Z').trim_end_matches(" UTC");
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time.trim()),
        None if text.contains(':') => ("", text),
        None => (text, ""),
    };
    let day = if date.is_empty() {
        midnight
    } else {
        day_of(date)? * DAY
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut seconds = 0;
    for (part, unit) in clock.split(':').zip([3600, 60, 1]) {
        if !part.is_empty() {
            seconds += part.parse::<i64>().ok()? * unit;
        }
    }
    Some((day + seconds, nanos(fraction)?))
}

fn day_of(date: &str) -> Option<i64> {
    let parts: Vec<&str> = date.split(['-', '/']).collect();
    let [a, b, c] = parts.as_slice() else {
        let compact = date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit());
        return if compact {
            day_of(&format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]))
        } else {
            None
        };
    };
    let number = |text: &str| text.parse::<i64>().ok();
    let (year, month, day) = if date.contains('/') && c.len() == 4 {
        (number(c)?, number(a)?, number(b)?)
    } else {
        (number(a)?, number(b)?, number(c)?)
    };
    ((1..=12).contains(&month) && (1..=31).contains(&day))
        .then(|| days_from_civil(year, month, day))
}

/// Howard Hinnant's algorithms.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}
