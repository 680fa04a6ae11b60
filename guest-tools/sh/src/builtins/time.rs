//! Dates for `printf '%(..)T'` and prompts.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::ast::Bytes;

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
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

struct Moment {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    week_day: i64,
    year_day: i64,
    epoch: i64,
}

/// Civil date of a day count since 1970.
fn moment(epoch: i64) -> Moment {
    let days = epoch.div_euclid(86_400);
    let rest = epoch.rem_euclid(86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month as usize - 1];
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    Moment {
        year,
        month,
        day,
        hour: rest / 3600,
        minute: rest / 60 % 60,
        second: rest % 60,
        week_day: (days + 4).rem_euclid(7),
        year_day: before + day - 1 + i64::from(leap && month > 2),
        epoch,
    }
}

/// `strftime` in UTC; `None` is now.
pub fn format_time(format: &[u8], seconds: Option<i64>) -> Bytes {
    let seconds = seconds.unwrap_or_else(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as i64)
    });
    let moment = moment(seconds);
    let mut out = String::new();
    let mut letters = format.iter().map(|&b| char::from(b));
    let mut raw = Bytes::new();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            raw.push(letter as u8);
            continue;
        }
        out.clear();
        match letters.next() {
            Some('-') => {
                if let Some(letter) = letters.next() {
                    field(letter, &moment, &mut out);
                    let trimmed = out.trim_start_matches(['0', ' ']).to_owned();
                    out = if trimmed.is_empty() {
                        "0".into()
                    } else {
                        trimmed
                    };
                }
            }
            Some(letter) => field(letter, &moment, &mut out),
            None => out.push('%'),
        }
        raw.extend_from_slice(out.as_bytes());
    }
    raw
}

fn field(letter: char, moment: &Moment, out: &mut String) {
    let Moment {
        year,
        month,
        day,
        hour,
        minute,
        second,
        week_day,
        year_day,
        epoch,
    } = *moment;
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let day_name = DAYS[week_day as usize];
    let month_name = MONTHS[month as usize - 1];
    let text = match letter {
        'Y' => year.to_string(),
        'C' => format!("{:02}", year / 100),
        'y' => format!("{:02}", year.rem_euclid(100)),
        'm' => format!("{month:02}"),
        'd' => format!("{day:02}"),
        'e' => format!("{day:2}"),
        'H' => format!("{hour:02}"),
        'I' => format!("{twelve:02}"),
        'k' => format!("{hour:2}"),
        'l' => format!("{twelve:2}"),
        'M' => format!("{minute:02}"),
        'S' => format!("{second:02}"),
        'p' => if hour < 12 { "AM" } else { "PM" }.into(),
        'P' => if hour < 12 { "am" } else { "pm" }.into(),
        'a' => day_name[..3].into(),
        'A' => day_name.into(),
        'b' | 'h' => month_name[..3].into(),
        'B' => month_name.into(),
        'j' => format!("{:03}", year_day + 1),
        'u' => (if week_day == 0 { 7 } else { week_day }).to_string(),
        'w' => week_day.to_string(),
        'U' => format!("{:02}", (year_day + 7 - week_day) / 7),
        'W' => format!("{:02}", (year_day + 7 - (week_day + 6) % 7) / 7),
        'V' | 'G' | 'g' => iso_week(letter, moment),
        's' => epoch.to_string(),
        'n' => "\n".into(),
        't' => "\t".into(),
        'Z' => "UTC".into(),
        'z' => "+0000".into(),
        'F' => format!("{year}-{month:02}-{day:02}"),
        'D' | 'x' => format!("{month:02}/{day:02}/{:02}", year.rem_euclid(100)),
        'T' | 'X' => format!("{hour:02}:{minute:02}:{second:02}"),
        'R' => format!("{hour:02}:{minute:02}"),
        'r' => {
            let half = if hour < 12 { "AM" } else { "PM" };
            format!("{twelve:02}:{minute:02}:{second:02} {half}")
        }
        'c' => format!(
            "{} {} {day:2} {hour:02}:{minute:02}:{second:02} {year}",
            &day_name[..3],
            &month_name[..3]
        ),
        '%' => "%".into(),
        other => format!("%{other}"),
    };
    out.push_str(&text);
}

fn iso_week(letter: char, moment: &Moment) -> String {
    // The Thursday of the same week decides the year.
    let from_monday = (moment.week_day + 6) % 7;
    let thursday = self::moment(moment.epoch + (3 - from_monday) * 86_400);
    match letter {
        'G' => thursday.year.to_string(),
        'g' => format!("{:02}", thursday.year.rem_euclid(100)),
        _ => format!("{:02}", thursday.year_day / 7 + 1),
    }
}
