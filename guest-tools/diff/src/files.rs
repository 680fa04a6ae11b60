//! What is compared with what: files, a file and a folder, two folders.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, Metadata},
    io::{self, BufWriter, Read, Stdout, Write},
    path::{Path, PathBuf},
};

use guest_unix::fs::MetadataExt;
use options::reason;

use crate::{
    command_line::{Job, Style, read},
    formats::{Pair, write},
    lines::{Lines, classes},
    script::{changes, ignore},
};

const TROUBLE: i32 = 2;

/// Runs `diff`.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let job = match read(arguments) {
        Ok(Ok(job)) => job,
        Ok(Err(text)) => {
            print!("{text}");
            return 0;
        }
        Err(message) => {
            eprintln!("diff: {message}\ndiff: Try 'diff --help' for more information.");
            return TROUBLE;
        }
    };
    let mut comparison = Comparison {
        job: &job,
        out: BufWriter::new(io::stdout()),
    };
    let (left, right) = (
        PathBuf::from(&job.operands[0]),
        PathBuf::from(&job.operands[1]),
    );
    let status = comparison.operands(&left, &right);
    match comparison.out.flush() {
        Ok(()) => status,
        Err(_) => TROUBLE,
    }
}

struct Comparison<'a> {
    job: &'a Job,
    out: BufWriter<Stdout>,
}

fn is_folder(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

impl Comparison<'_> {
    fn say(&mut self, path: &Path, error: &io::Error) -> i32 {
        let _ = self.out.flush();
        eprintln!("diff: {}: {}", path.display(), reason(error));
        TROUBLE
    }

    fn operands(&mut self, left: &Path, right: &Path) -> i32 {
        match (is_folder(left), is_folder(right)) {
            (true, true) => self.folders(left, right),
            (true, false) if !is_stdin(right) => {
                let inside = left.join(right.file_name().unwrap_or_default());
                self.files(&inside, right)
            }
            (false, true) if !is_stdin(left) => {
                let inside = right.join(left.file_name().unwrap_or_default());
                self.files(left, &inside)
            }
            _ => self.files(left, right),
        }
    }

    fn names(&mut self, folder: &Path) -> Result<BTreeSet<OsString>, i32> {
        if self.job.new_files && fs::symlink_metadata(folder).is_err() {
            return Ok(BTreeSet::new());
        }
        match fs::read_dir(folder) {
            Ok(entries) => Ok(entries
                .filter_map(|entry| Some(entry.ok()?.file_name()))
                .filter(|name| {
                    let name = name.to_string_lossy();
                    !self
                        .job
                        .exclude
                        .iter()
                        .any(|glob| matches(glob.as_bytes(), name.as_bytes()))
                })
                .collect()),
            Err(error) => Err(self.say(folder, &error)),
        }
    }

    fn folders(&mut self, left: &Path, right: &Path) -> i32 {
        let (of_left, of_right) = match (self.names(left), self.names(right)) {
            (Ok(of_left), Ok(of_right)) => (of_left, of_right),
            (Err(status), _) | (_, Err(status)) => return status,
        };
        let mut status = 0;
        for name in of_left.union(&of_right) {
            let (here, there) = (left.join(name), right.join(name));
            let only = match (of_left.contains(name), of_right.contains(name)) {
                (true, false) => Some(left),
                (false, true) => Some(right),
                _ => None,
            };
            let one = match only {
                Some(folder) if !self.job.new_files => {
                    let _ = writeln!(self.out, "Only in {}: {}", folder.display(), name.display());
                    1
                }
                _ => self.entry(&here, &there),
            };
            status = status.max(one);
        }
        status
    }

    fn entry(&mut self, left: &Path, right: &Path) -> i32 {
        let kind = |path: &Path| fs::metadata(path).ok();
        let (of_left, of_right) = (kind(left), kind(right));
        let folder = |metadata: &Option<Metadata>| metadata.as_ref().is_some_and(Metadata::is_dir);
        if folder(&of_left) && (folder(&of_right) || of_right.is_none())
            || folder(&of_right) && of_left.is_none()
        {
            if self.job.recursive {
                return self.folders(left, right);
            }
            let _ = writeln!(
                self.out,
                "Common subdirectories: {} and {}",
                left.display(),
                right.display()
            );
            return 0;
        }
        if folder(&of_left) != folder(&of_right) {
            let name = |is: bool| if is { "directory" } else { "regular file" };
            let _ = writeln!(
                self.out,
                "File {} is a {} while file {} is a {}",
                left.display(),
                name(folder(&of_left)),
                right.display(),
                name(folder(&of_right))
            );
            return 1;
        }
        self.in_folder(left, right)
    }

    /// Compares two files of folders, under a line that tells how to see this alone.
    fn in_folder(&mut self, left: &Path, right: &Path) -> i32 {
        let mut body = Vec::new();
        let status = self.compare(left, right, &mut body);
        if !body.is_empty() && self.job.style != Style::Brief {
            let space = if self.job.shown_options.is_empty() {
                ""
            } else {
                " "
            };
            let _ = writeln!(
                self.out,
                "diff{space}{} {} {}",
                self.job.shown_options,
                left.display(),
                right.display()
            );
        }
        let _ = self.out.write_all(&body);
        status
    }

    fn files(&mut self, left: &Path, right: &Path) -> i32 {
        let mut body = Vec::new();
        let status = self.compare(left, right, &mut body);
        let _ = self.out.write_all(&body);
        status
    }

    fn text(&mut self, path: &Path) -> Result<(Vec<u8>, (i64, i64)), i32> {
        if is_stdin(path) {
            let mut text = Vec::new();
            return match io::stdin().read_to_end(&mut text) {
                Ok(_) => {
                    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                    let now = now.unwrap_or_default();
                    Ok((
                        text,
                        (now.as_secs().cast_signed(), now.subsec_nanos().into()),
                    ))
                }
                Err(error) => Err(self.say(path, &error)),
            };
        }
        match fs::read(path) {
            Ok(text) => {
                let time = fs::metadata(path).map_or((0, 0), |m| (m.mtime(), m.mtime_nsec()));
                Ok((text, time))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.job.new_files => {
                Ok((Vec::new(), (0, 0)))
            }
            Err(error) => Err(self.say(path, &error)),
        }
    }

    fn compare(&mut self, left: &Path, right: &Path, out: &mut Vec<u8>) -> i32 {
        let of_left = self.text(left);
        let of_right = self.text(right);
        let ((old, old_time), (new, new_time)) = match (of_left, of_right) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(status), _) | (_, Err(status)) => return status,
        };
        let names = (left.display(), right.display());
        let differ = |out: &mut Vec<u8>| {
            let _ = writeln!(out, "Files {} and {} differ", names.0, names.1);
            1
        };
        let is_binary =
            |text: &[u8]| !self.job.text && text.iter().take(32 * 1024).any(|&b| b == 0);
        if old != new && (is_binary(&old) || is_binary(&new)) {
            if self.job.style == Style::Brief {
                return differ(out);
            }
            let _ = writeln!(out, "Binary files {} and {} differ", names.0, names.1);
            return 1;
        }
        let (old_lines, new_lines) = (Lines::new(&old), Lines::new(&new));
        let mut found = if old == new {
            Vec::new()
        } else {
            let (left, right) = classes(self.job, &old_lines, &new_lines);
            changes(&left, &right)
        };
        ignore(self.job, &old_lines, &new_lines, &mut found);
        if found.iter().all(|change| change.ignored) {
            if self.job.report_same {
                let _ = writeln!(out, "Files {} and {} are identical", names.0, names.1);
            }
            if self.job.style != Style::SideBySide {
                return 0;
            }
        }
        if self.job.style == Style::Brief {
            return differ(out);
        }
        let pair = Pair {
            left: &old_lines,
            right: &new_lines,
            left_header: self.header(0, left, old_time),
            right_header: self.header(1, right, new_time),
        };
        let _ = write(self.job, &pair, &found, out);
        i32::from(!found.is_empty())
    }

    fn header(&self, which: usize, path: &Path, (seconds, nanos): (i64, i64)) -> String {
        if let Some(label) = self.job.labels.get(which) {
            return label.clone();
        }
        let time = match self.job.style {
            Style::Context(_) => ctime(seconds, nanos),
            _ => iso(seconds, nanos),
        };
        format!("{}\t{time}", path.display())
    }
}

/// As GNU diff writes times in the C locale.
fn ctime(seconds: i64, nanos: i64) -> String {
    iso(seconds, nanos)
}

fn iso(seconds: i64, nanos: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
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
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{nanos:09} +0000")
}

/// Globs of `-x`: `*` and `?`.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    match glob.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
        Some((b'?', rest)) => !text.is_empty() && matches(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && matches(rest, &text[1..]),
    }
}
