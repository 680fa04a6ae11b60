//! Times of files, and times as text.

use std::{ffi::CString, io, os::wasi::ffi::OsStrExt, path::Path};

/// Sets when the file at `path` was last changed, and that it was read now; links are not followed.
///
/// # Errors
/// What Linux `utimensat` would say.
pub fn set_modified(path: &Path, seconds: i64, nanoseconds: i32) -> io::Result<()> {
    let text = CString::new(path.as_os_str().as_bytes())?;
    let mut times: [libc::timespec; 2] = unsafe { std::mem::zeroed() };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    times[0].tv_sec = now.as_secs() as _;
    times[0].tv_nsec = now.subsec_nanos() as _;
    times[1].tv_sec = seconds as _;
    times[1].tv_nsec = nanoseconds as _;
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    match unsafe { libc::utimensat(libc::AT_FDCWD, text.as_ptr(), times.as_ptr(), flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A time taken apart in UTC, the guests' zone.
pub struct Moment {
    pub year: i64,
    pub month: u32,
    pub day: u32,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

/// Takes seconds since 1970 apart.
pub fn moment(seconds: i64) -> Moment {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years start in March, so that the leap day is the last of its year; eras have 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    Moment {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month: month as u32,
        day: (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32,
        hour: rest / 3600,
        minute: rest % 3600 / 60,
        second: rest % 60,
    }
}

/// Seconds since 1970 of midnight UTC of a day.
pub fn days_to_seconds(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) * 86_400
}
