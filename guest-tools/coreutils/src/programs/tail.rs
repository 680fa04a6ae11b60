//! `tail [OPTION]... [FILE]...`

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    thread::sleep,
    time::Duration,
};

use guest_unix::fs::MetadataExt;
use options::{Grammar, Line, Takes, quote, quote_argument, reason};

use super::{HELP, VERSION, bad_usage, information};

const GRAMMAR: Grammar = Grammar {
    short: "c:n:fFqvs:z",
    long: &[
        ("bytes", Takes::Value, 'c' as u32),
        ("lines", Takes::Value, 'n' as u32),
        ("follow", Takes::Perhaps, 'f' as u32),
        ("quiet", Takes::Nothing, 'q' as u32),
        ("silent", Takes::Nothing, 'q' as u32),
        ("verbose", Takes::Nothing, 'v' as u32),
        ("sleep-interval", Takes::Value, 's' as u32),
        ("zero-terminated", Takes::Nothing, 'z' as u32),
        ("retry", Takes::Nothing, 'r' as u32),
        ("pid", Takes::Value, 'p' as u32),
        ("max-unchanged-stats", Takes::Value, 'm' as u32),
        HELP,
        VERSION,
    ],
};

/// Which part of a file is wanted.
#[derive(Debug, Clone, Copy)]
struct Part {
    count: u64,
    bytes: bool,
    /// Counted from the beginning: `+N`.
    from_start: bool,
}

struct Job {
    name: String,
    part: Part,
    terminator: u8,
    follow: bool,
    by_name: bool,
    retry: bool,
    headers: bool,
    interval: Duration,
    pid: Option<i32>,
}

/// A file that is followed.
struct Followed {
    path: OsString,
    file: Option<File>,
    inode: (u64, u64),
    read_to: u64,
}

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(old_style(arguments).into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, "Usage: tail [OPTION]... [FILE]...\n") {
        return status;
    }
    let job = match job(name, &line) {
        Ok(job) => job,
        Err(message) => {
            eprintln!("{name}: {message}");
            return 1;
        }
    };
    let files = if line.operands.is_empty() {
        vec![OsString::from("-")]
    } else {
        line.operands
    };
    match job.all(files) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("{name}: write error: {}", reason(&error));
            1
        }
    }
}

/// `tail -20`, `tail +3`, `tail -20f` and `tail -c20` of old.
fn old_style(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let Some(first) = arguments
        .first()
        .map(|first| first.to_string_lossy().into_owned())
    else {
        return arguments;
    };
    let (sign, rest) = match first.chars().next() {
        Some(sign @ ('-' | '+')) => (sign, &first[1..]),
        _ => return arguments,
    };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let letters = &rest[digits.len()..];
    let known = matches!(letters, "" | "f" | "l" | "c" | "b" | "lf" | "cf");
    if digits.is_empty() || !known || sign == '+' && arguments.len() > 2 {
        return arguments;
    }
    let kind = if letters.starts_with('c') { "-c" } else { "-n" };
    let sign = if sign == '+' { "+" } else { "" };
    let mut new = vec![OsString::from(format!("{kind}{sign}{digits}"))];
    if letters.ends_with('f') {
        new.push("-f".into());
    }
    new.extend(arguments.drain(1..));
    new
}

fn job(name: &str, line: &Line) -> Result<Job, String> {
    let mut part = Part {
        count: 10,
        bytes: false,
        from_start: false,
    };
    let mut job = Job {
        name: name.to_owned(),
        part,
        terminator: if line.has('z') { 0 } else { b'\n' },
        follow: line.has('f') || line.has('F'),
        by_name: line.has('F'),
        retry: line.has('F') || line.has('r'),
        headers: line.operands.len() > 1,
        interval: Duration::from_secs(1),
        pid: None,
    };
    for found in &line.options {
        let text = found.text();
        match char::from_u32(found.code).unwrap_or_default() {
            letter @ ('n' | 'c') => {
                part.bytes = letter == 'c';
                part.from_start = text.starts_with('+');
                let what = if part.bytes { "bytes" } else { "lines" };
                part.count =
                    super::amount(text.trim_start_matches(['+', '-'])).ok_or_else(|| {
                        format!("invalid number of {what}: {}", quote_argument(&text))
                    })?;
            }
            'f' if text == "name" => job.by_name = true,
            'q' => job.headers = false,
            'v' => job.headers = true,
            's' => {
                let seconds = text
                    .parse::<f64>()
                    .ok()
                    .and_then(|s| Duration::try_from_secs_f64(s).ok());
                job.interval = seconds.ok_or_else(|| {
                    format!("invalid number of seconds: {}", quote_argument(&text))
                })?;
            }
            'p' => job.pid = text.parse().ok(),
            _ => {}
        }
    }
    job.part = part;
    Ok(job)
}

impl Job {
    fn all(&self, files: Vec<OsString>) -> io::Result<i32> {
        let mut out = io::stdout().lock();
        let (mut status, mut first, mut followed) = (0, true, Vec::new());
        for path in files {
            let opened = if path == "-" {
                Ok(guest_start::descriptor::into_file(0))
            } else {
                File::open(&path)
            };
            let file = match opened {
                Ok(file) => file,
                Err(error) => {
                    eprintln!(
                        "{}: cannot open {} for reading: {}",
                        self.name,
                        quote(&path),
                        reason(&error)
                    );
                    status = 1;
                    if self.retry {
                        followed.push(Followed {
                            path,
                            file: None,
                            inode: (0, 0),
                            read_to: 0,
                        });
                    }
                    continue;
                }
            };
            if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
                eprintln!(
                    "{}: error reading {}: Is a directory",
                    self.name,
                    quote(&path)
                );
                status = 1;
                continue;
            }
            self.header(&path, &mut first, &mut out)?;
            match self.one(file, &mut out) {
                Ok(Some((file, read_to))) => {
                    let inode = file.metadata().map_or((0, 0), |m| (m.dev(), m.ino()));
                    followed.push(Followed {
                        path,
                        file: Some(file),
                        inode,
                        read_to,
                    });
                }
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(error),
                Err(error) => {
                    eprintln!(
                        "{}: error reading {}: {}",
                        self.name,
                        quote(&path),
                        reason(&error)
                    );
                    status = 1;
                }
            }
        }
        out.flush()?;
        if self.follow {
            self.follow(followed, &mut out)?;
        }
        Ok(status)
    }

    fn header(&self, path: &OsStr, first: &mut bool, out: &mut impl Write) -> io::Result<()> {
        if self.headers {
            let shown = if path == "-" {
                "standard input".into()
            } else {
                path.to_string_lossy()
            };
            let gap = if *first { "" } else { "\n" };
            writeln!(out, "{gap}==> {shown} <==")?;
        }
        *first = false;
        Ok(())
    }

    /// Prints the wanted part; answers the file to follow and how far it was read.
    fn one(&self, mut file: File, out: &mut impl Write) -> io::Result<Option<(File, u64)>> {
        let metadata = file.metadata()?;
        let part = self.part;
        if metadata.is_file() && !part.from_start {
            let here = file.stream_position().unwrap_or(0);
            let length = metadata.len().max(here);
            let from = if part.bytes {
                length.saturating_sub(part.count).max(here)
            } else {
                self.start_of_last_lines(&mut file, here, length)?
            };
            file.seek(SeekFrom::Start(from))?;
            let copied = io::copy(&mut file, out)?;
            return Ok(Some((file, from + copied)));
        }
        let is_file = metadata.is_file();
        let mut reader = BufReader::with_capacity(64 * 1024, file);
        if part.from_start {
            self.skip(&mut reader)?;
            copy_at_once(&mut reader, out)?;
        } else {
            self.keep_last(&mut reader, out)?;
        }
        let mut file = reader.into_inner();
        if !is_file {
            std::mem::forget(file);
            return Ok(None);
        }
        let read_to = file.stream_position()?;
        Ok(Some((file, read_to)))
    }

    /// Where the last lines begin, found backwards in blocks.
    fn start_of_last_lines(&self, file: &mut File, least: u64, length: u64) -> io::Result<u64> {
        const BLOCK: u64 = 64 * 1024;
        if self.part.count == 0 {
            return Ok(length);
        }
        let (mut end, mut found) = (length, 0);
        let mut block = Vec::new();
        while end > least {
            let start = end.saturating_sub(BLOCK).max(least);
            file.seek(SeekFrom::Start(start))?;
            block.resize((end - start) as usize, 0);
            file.read_exact(&mut block)?;
            for (at, &byte) in block.iter().enumerate().rev() {
                let position = start + at as u64;
                // The terminator of the very last line does not begin another.
                if byte == self.terminator && position + 1 != length {
                    found += 1;
                    if found == self.part.count {
                        return Ok(position + 1);
                    }
                }
            }
            end = start;
        }
        Ok(least)
    }

    fn skip(&self, reader: &mut impl BufRead) -> io::Result<()> {
        let mut left = self.part.count.saturating_sub(1);
        while left > 0 {
            let data = reader.fill_buf()?;
            if data.is_empty() {
                return Ok(());
            }
            let used = if self.part.bytes {
                let used = data.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                left -= used as u64;
                used
            } else {
                match memchr::memchr(self.terminator, data) {
                    Some(at) => {
                        left -= 1;
                        at + 1
                    }
                    None => data.len(),
                }
            };
            reader.consume(used);
        }
        Ok(())
    }

    fn keep_last(&self, reader: &mut impl BufRead, out: &mut impl Write) -> io::Result<()> {
        let most = usize::try_from(self.part.count).unwrap_or(usize::MAX);
        if self.part.bytes {
            let mut kept = VecDeque::new();
            loop {
                let data = reader.fill_buf()?;
                let length = data.len();
                if length == 0 {
                    break;
                }
                kept.extend(data.iter().copied());
                let extra = kept.len().saturating_sub(most);
                kept.drain(..extra);
                reader.consume(length);
            }
            return out.write_all(kept.make_contiguous());
        }
        let mut lines: VecDeque<Vec<u8>> = VecDeque::new();
        loop {
            let mut line = if lines.len() > most {
                lines.pop_front().unwrap_or_default()
            } else {
                Vec::new()
            };
            line.clear();
            if reader.read_until(self.terminator, &mut line)? == 0 {
                break;
            }
            lines.push_back(line);
        }
        let extra = lines.len().saturating_sub(most);
        lines
            .iter()
            .skip(extra)
            .try_for_each(|line| out.write_all(line))
    }

    /// Prints what is appended, until the end of the world or of `--pid`.
    fn follow(&self, mut files: Vec<Followed>, out: &mut impl Write) -> io::Result<()> {
        let mut last_shown = files.len().checked_sub(1);
        while !files.is_empty() {
            if self
                .pid
                .is_some_and(|pid| guest_start::signal::send(pid, 0).is_err())
            {
                return Ok(());
            }
            for number in 0..files.len() {
                let news = self.news(&mut files[number]);
                if news.is_empty() {
                    continue;
                }
                if self.headers && last_shown != Some(number) {
                    writeln!(out, "\n==> {} <==", files[number].path.display())?;
                }
                last_shown = Some(number);
                out.write_all(&news)?;
                out.flush()?;
            }
            sleep(self.interval);
        }
        Ok(())
    }

    fn news(&self, followed: &mut Followed) -> Vec<u8> {
        let mut news = Vec::new();
        if self.by_name
            && let Ok(metadata) = fs::metadata(&followed.path)
            && (metadata.dev(), metadata.ino()) != followed.inode
        {
            followed.file = File::open(&followed.path).ok();
            followed.inode = (metadata.dev(), metadata.ino());
            followed.read_to = 0;
        }
        let Some(file) = &mut followed.file else {
            return news;
        };
        let length = file
            .metadata()
            .map_or(followed.read_to, |metadata| metadata.len());
        if length < followed.read_to {
            eprintln!("{}: {}: file truncated", self.name, followed.path.display());
            followed.read_to = 0;
        }
        if length > followed.read_to && file.seek(SeekFrom::Start(followed.read_to)).is_ok() {
            followed.read_to += file.read_to_end(&mut news).unwrap_or(0) as u64;
        }
        news
    }
}

/// Copies as it comes, for pipes that stay open.
fn copy_at_once(reader: &mut impl BufRead, out: &mut impl Write) -> io::Result<()> {
    loop {
        let data = reader.fill_buf()?;
        let length = data.len();
        if length == 0 {
            return Ok(());
        }
        out.write_all(data)?;
        out.flush()?;
        reader.consume(length);
    }
}
