//! `xargs [OPTION]... [COMMAND [ARGUMENT]...]`

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufReader, Read, Write},
    os::wasi::ffi::{OsStrExt, OsStringExt},
};

use guest_start::{
    descriptor,
    process::{self, Command, Pid, Status},
};
use options::{Grammar, Line, Takes, quote, reason};

use crate::xargs_input::{Items, Separator};

const GRAMMAR: Grammar = Grammar {
    short: "+0a:d:E:e::I:i::L:l::n:oP:prs:tx",
    long: &[
        ("null", Takes::Nothing, '0' as u32),
        ("arg-file", Takes::Value, 'a' as u32),
        ("delimiter", Takes::Value, 'd' as u32),
        ("eof", Takes::Perhaps, 'e' as u32),
        ("replace", Takes::Perhaps, 'i' as u32),
        ("max-lines", Takes::Perhaps, 'l' as u32),
        ("max-args", Takes::Value, 'n' as u32),
        ("open-tty", Takes::Nothing, 'o' as u32),
        ("max-procs", Takes::Value, 'P' as u32),
        ("interactive", Takes::Nothing, 'p' as u32),
        ("no-run-if-empty", Takes::Nothing, 'r' as u32),
        ("max-chars", Takes::Value, 's' as u32),
        ("verbose", Takes::Nothing, 't' as u32),
        ("exit", Takes::Nothing, 'x' as u32),
        ("process-slot-var", Takes::Value, 1000),
        ("help", Takes::Nothing, 1001),
        ("version", Takes::Nothing, 1002),
    ],
};

/// GNU's default size of a command line.
const BYTES_DEFAULT: usize = 128 * 1024;
const FAILED: i32 = 123;

struct Job {
    command: Vec<OsString>,
    separator: Separator,
    end_word: Option<Vec<u8>>,
    replace: Option<Vec<u8>>,
    lines: Option<usize>,
    arguments: Option<usize>,
    bytes: usize,
    processes: usize,
    skip_empty: bool,
    verbose: bool,
    ask: bool,
    exit_on_overflow: bool,
    slot_variable: Option<OsString>,
    from_file: Option<OsString>,
}

/// Runs `xargs`.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => {
            eprintln!("xargs: {message}\nTry 'xargs --help' for more information.");
            return 1;
        }
    };
    if line.options.iter().any(|found| found.code == 1001) {
        println!("Usage: xargs [OPTION]... COMMAND [INITIAL-ARGS]...");
        return 0;
    }
    if line.options.iter().any(|found| found.code == 1002) {
        println!("xargs (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    let job = match job(line) {
        Ok(job) => job,
        Err(message) => {
            eprintln!("xargs: {message}");
            return 1;
        }
    };
    let input: Box<dyn Read> = match &job.from_file {
        Some(path) => match File::open(path) {
            Ok(file) => Box::new(file),
            Err(error) => {
                eprintln!(
                    "xargs: Cannot open input file {}: {}",
                    quote(path),
                    reason(&error)
                );
                return 1;
            }
        },
        None => Box::new(descriptor::into_file(0)),
    };
    let mut runner = Runner {
        job: &job,
        running: Vec::new(),
        status: 0,
        stop: None,
    };
    let items = Items::new(BufReader::new(input), job.separator, job.end_word.clone());
    runner.all(items)
}

fn job(line: Line) -> Result<Job, String> {
    let mut job = Job {
        command: line.operands,
        separator: Separator::Blanks,
        end_word: None,
        replace: None,
        lines: None,
        arguments: None,
        bytes: BYTES_DEFAULT,
        processes: 1,
        skip_empty: false,
        verbose: false,
        ask: false,
        exit_on_overflow: false,
        slot_variable: None,
        from_file: None,
    };
    for found in &line.options {
        let text = found.text();
        let number = |least: usize| {
            text.parse::<usize>()
                .ok()
                .filter(|number| *number >= least)
                .ok_or_else(|| {
                    format!(
                        "invalid number \"{text}\" for -{} option",
                        char::from_u32(found.code).unwrap_or_default()
                    )
                })
        };
        match char::from_u32(found.code).unwrap_or_default() {
            '0' => job.separator = Separator::Byte(0),
            'd' => job.separator = Separator::Byte(delimiter(&text)?),
            'a' => job.from_file = found.value.clone().map(OsString::from_vec),
            'E' | 'e' => job.end_word = found.value.clone().filter(|word| !word.is_empty()),
            'I' | 'i' => {
                job.replace = Some(found.value.clone().unwrap_or_else(|| b"{}".to_vec()));
                (job.lines, job.arguments) = (None, None);
            }
            'L' | 'l' => {
                job.lines = Some(if found.value.is_some() { number(1)? } else { 1 });
                (job.replace, job.arguments) = (None, None);
            }
            'n' => {
                job.arguments = Some(number(1)?);
                if job.arguments != Some(1) || job.replace.is_none() {
                    (job.replace, job.lines) = (None, None);
                }
            }
            'P' => job.processes = number(0)?,
            'p' => (job.ask, job.verbose) = (true, true),
            'r' => job.skip_empty = true,
            's' => job.bytes = number(1)?.min(BYTES_DEFAULT * 16),
            't' => job.verbose = true,
            'x' => job.exit_on_overflow = true,
            '\u{3e8}' => job.slot_variable = found.value.clone().map(OsString::from_vec),
            _ => {}
        }
    }
    if job.replace.is_some() && job.separator == Separator::Blanks {
        job.separator = Separator::Lines;
    }
    if job.command.is_empty() {
        job.command.push("echo".into());
    }
    if job.processes == 0 {
        job.processes = 64; // as many as one call may have at a time
    }
    Ok(job)
}

fn delimiter(text: &str) -> Result<u8, String> {
    let wrong = || {
        format!(
            "Invalid input delimiter specification {text}: the delimiter must be either a single character or an escape sequence starting with \\."
        )
    };
    match text.as_bytes() {
        [byte] => Ok(*byte),
        [b'\\', rest @ ..] => match rest {
            b"n" => Ok(b'\n'),
            b"t" => Ok(b'\t'),
            b"r" => Ok(b'\r'),
            b"a" => Ok(7),
            b"b" => Ok(8),
            b"f" => Ok(12),
            b"v" => Ok(11),
            b"\\" => Ok(b'\\'),
            [b'x', hex @ ..] => {
                u8::from_str_radix(&String::from_utf8_lossy(hex), 16).map_err(|_| wrong())
            }
            octal => u8::from_str_radix(&String::from_utf8_lossy(octal), 8).map_err(|_| wrong()),
        },
        _ => Err(wrong()),
    }
}

struct Runner<'a> {
    job: &'a Job,
    running: Vec<(Pid, usize)>,
    status: i32,
    /// Set when no more commands may start.
    stop: Option<i32>,
}

impl Runner<'_> {
    fn all(&mut self, items: Items<impl io::BufRead>) -> i32 {
        let result = if self.job.replace.is_some() {
            self.one_by_one(items)
        } else {
            self.batches(items)
        };
        while !self.running.is_empty() {
            self.wait_for_one();
        }
        if let Err(error) = result {
            eprintln!("xargs: {error}");
            return 1;
        }
        self.stop.unwrap_or(self.status)
    }

    fn one_by_one(&mut self, mut items: Items<impl io::BufRead>) -> io::Result<()> {
        let mark = self.job.replace.clone().unwrap_or_default();
        while let Some(item) = items.next()? {
            if self.stop.is_some() {
                break;
            }
            let words = self
                .job
                .command
                .iter()
                .map(|word| replace(word.as_bytes(), &mark, &item.text));
            self.start(words.collect());
        }
        Ok(())
    }

    fn batches(&mut self, mut items: Items<impl io::BufRead>) -> io::Result<()> {
        let head: Vec<Vec<u8>> = self
            .job
            .command
            .iter()
            .map(|word| word.as_bytes().to_vec())
            .collect();
        let head_bytes: usize = head.iter().map(|word| word.len() + 1).sum();
        let (mut words, mut bytes, mut lines, mut any) = (Vec::new(), head_bytes, 0, false);
        while let Some(item) = items.next()? {
            if self.stop.is_some() {
                return Ok(());
            }
            let length = item.text.len() + 1;
            if head_bytes + length > self.job.bytes {
                return Err(io::Error::other("argument line too long"));
            }
            if bytes + length > self.job.bytes && !words.is_empty() {
                if self.job.exit_on_overflow
                    && (self.job.arguments.is_some() || self.job.lines.is_some())
                {
                    return Err(io::Error::other("argument list too long"));
                }
                self.start([head.clone(), std::mem::take(&mut words)].concat());
                (bytes, lines, any) = (head_bytes, 0, true);
            }
            bytes += length;
            lines += usize::from(item.ends_line);
            words.push(item.text);
            let full = self.job.arguments.is_some_and(|most| words.len() >= most)
                || self.job.lines.is_some_and(|most| lines >= most);
            if full {
                self.start([head.clone(), std::mem::take(&mut words)].concat());
                (bytes, lines, any) = (head_bytes, 0, true);
            }
        }
        if self.stop.is_none() && (!words.is_empty() || !any && !self.job.skip_empty) {
            self.start([head, words].concat());
        }
        Ok(())
    }

    fn start(&mut self, words: Vec<Vec<u8>>) {
        while self.running.len() >= self.job.processes {
            self.wait_for_one();
        }
        if self.stop.is_some() || self.job.verbose && !self.announced(&words) {
            return;
        }
        let slot = (0..)
            .find(|slot| !self.running.iter().any(|(_, used)| used == slot))
            .unwrap_or(0);
        match self.spawn(&words, slot) {
            Ok(pid) => {
                self.running.push((pid, slot));
                if self.job.processes == 1 {
                    self.wait_for_one();
                }
            }
            Err(error) => {
                let missing = error.kind() == io::ErrorKind::NotFound;
                eprintln!(
                    "xargs: {}: {}",
                    OsStr::from_bytes(&words[0]).display(),
                    reason(&error)
                );
                self.stop = Some(if missing { 127 } else { 126 });
            }
        }
    }

    /// Prints the command; false when it was asked for and refused.
    fn announced(&self, words: &[Vec<u8>]) -> bool {
        let shown: Vec<_> = words
            .iter()
            .map(|word| String::from_utf8_lossy(word))
            .collect();
        let mut stderr = io::stderr();
        let _ = write!(
            stderr,
            "{}{}",
            shown.join(" "),
            if self.job.ask { "?..." } else { "\n" }
        );
        if !self.job.ask {
            return true;
        }
        let mut answer = String::new();
        let _ = BufReader::new(io::stdin()).read_to_string(&mut answer);
        answer.starts_with(['y', 'Y'])
    }

    fn spawn(&self, words: &[Vec<u8>], slot: usize) -> io::Result<Pid> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin".into());
        let program = process::find_program(OsStr::from_bytes(&words[0]), &path)
            .ok_or_else(|| io::Error::from_raw_os_error(44))?; // ENOENT
        let mut command = Command::new(program);
        command.inherit_env();
        if let Some(variable) = &self.job.slot_variable {
            command.env(variable, slot.to_string());
        }
        for word in words {
            command.arg(OsStr::from_bytes(word));
        }
        if self.job.from_file.is_some() {
            return command.spawn();
        }
        let nothing = descriptor::open("/dev/null", descriptor::flag::READ, 0)?;
        command.descriptor(0, nothing);
        let pid = command.spawn();
        descriptor::close(nothing);
        pid
    }

    fn wait_for_one(&mut self) {
        let pids: Vec<Pid> = self.running.iter().map(|(pid, _)| *pid).collect();
        let status = match process::wait(&pids, None) {
            Ok(Some((pid, status))) => {
                self.running.retain(|(running, _)| *running != pid);
                status
            }
            Ok(None) => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(_) => return self.running.clear(),
        };
        let name = self.job.command[0].display();
        match status {
            Status::Exited(0) => {}
            Status::Exited(255) => {
                eprintln!("xargs: {name}: exited with status 255; aborting");
                self.stop = Some(124);
            }
            Status::Exited(126 | 127) => self.stop = Some(i32::from(status.code())),
            Status::Exited(_) => self.status = FAILED,
            Status::Signaled(signal) => {
                eprintln!("xargs: {name}: terminated by signal {signal}");
                self.stop = Some(125);
            }
        }
    }
}

fn replace(word: &[u8], mark: &[u8], text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len() + text.len());
    let mut at = 0;
    while at < word.len() {
        if !mark.is_empty() && word[at..].starts_with(mark) {
            out.extend_from_slice(text);
            at += mark.len();
        } else {
            out.push(word[at]);
            at += 1;
        }
    }
    out
}
