//! What the command line asks for.

use std::{ffi::OsString, os::wasi::ffi::OsStringExt};

use options::{Found, Grammar, Line, Takes};

/// How expressions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Basic,
    Extended,
    Fixed,
    Perl,
}

/// The expressions and how they match.
#[derive(Debug, Clone)]
pub struct Pattern {
    pub texts: Vec<Vec<u8>>,
    pub dialect: Dialect,
    pub ignore_case: bool,
    pub whole_words: bool,
    pub whole_lines: bool,
    pub terminator: u8,
}

/// What is done with binary files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Message,
    Text,
    Skip,
}

/// What is done with folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folders {
    Read,
    Skip,
    Recurse,
    RecurseThroughLinks,
}

/// What is printed of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    Lines,
    OnlyMatching,
    Count,
    FilesWith,
    FilesWithout,
    Nothing,
}

/// Everything the command line asks for.
#[derive(Debug, Clone)]
pub struct Job {
    pub pattern: Pattern,
    pub show: Show,
    pub invert: bool,
    pub max_count: Option<u64>,
    pub line_numbers: bool,
    pub byte_offsets: bool,
    pub with_names: Option<bool>,
    pub null_after_name: bool,
    pub initial_tab: bool,
    pub before: usize,
    pub after: usize,
    /// Context was asked for, if only of no lines.
    pub context: bool,
    pub separator: Option<Vec<u8>>,
    pub binary: Binary,
    pub folders: Folders,
    pub skip_devices: bool,
    pub silent_errors: bool,
    pub color: bool,
    pub label: Vec<u8>,
    pub line_buffered: bool,
    /// `(include, glob)` in the order given.
    pub file_globs: Vec<(bool, Vec<u8>)>,
    pub folder_globs: Vec<Vec<u8>>,
    pub operands: Vec<OsString>,
}

pub enum Read {
    Job(Box<Job>),
    Text(String),
}

const C: fn(char) -> u32 = |c| c as u32;

const GRAMMAR: Grammar = Grammar {
    short: "0123456789A:B:C:D:d:EFGHIPTUVX:abce:f:hiLlm:noqRrsuvwxyZz",
    long: &[
        ("after-context", Takes::Value, 'A' as u32),
        ("basic-regexp", Takes::Nothing, 'G' as u32),
        ("before-context", Takes::Value, 'B' as u32),
        ("binary", Takes::Nothing, 'U' as u32),
        ("binary-files", Takes::Value, 1001),
        ("byte-offset", Takes::Nothing, 'b' as u32),
        ("color", Takes::Perhaps, 1002),
        ("colour", Takes::Perhaps, 1002),
        ("context", Takes::Value, 'C' as u32),
        ("count", Takes::Nothing, 'c' as u32),
        ("dereference-recursive", Takes::Nothing, 'R' as u32),
        ("devices", Takes::Value, 'D' as u32),
        ("directories", Takes::Value, 'd' as u32),
        ("exclude", Takes::Value, 1003),
        ("exclude-dir", Takes::Value, 1004),
        ("exclude-from", Takes::Value, 1005),
        ("extended-regexp", Takes::Nothing, 'E' as u32),
        ("file", Takes::Value, 'f' as u32),
        ("files-with-matches", Takes::Nothing, 'l' as u32),
        ("files-without-match", Takes::Nothing, 'L' as u32),
        ("fixed-strings", Takes::Nothing, 'F' as u32),
        ("fixed-regexp", Takes::Nothing, 'F' as u32),
        ("group-separator", Takes::Value, 1006),
        ("help", Takes::Nothing, 1007),
        ("ignore-case", Takes::Nothing, 'i' as u32),
        ("include", Takes::Value, 1008),
        ("initial-tab", Takes::Nothing, 'T' as u32),
        ("invert-match", Takes::Nothing, 'v' as u32),
        ("label", Takes::Value, 1009),
        ("line-buffered", Takes::Nothing, 1010),
        ("line-number", Takes::Nothing, 'n' as u32),
        ("line-regexp", Takes::Nothing, 'x' as u32),
        ("max-count", Takes::Value, 'm' as u32),
        ("no-filename", Takes::Nothing, 'h' as u32),
        ("no-group-separator", Takes::Nothing, 1011),
        ("no-ignore-case", Takes::Nothing, 1012),
        ("no-messages", Takes::Nothing, 's' as u32),
        ("null", Takes::Nothing, 'Z' as u32),
        ("null-data", Takes::Nothing, 'z' as u32),
        ("only-matching", Takes::Nothing, 'o' as u32),
        ("perl-regexp", Takes::Nothing, 'P' as u32),
        ("quiet", Takes::Nothing, 'q' as u32),
        ("recursive", Takes::Nothing, 'r' as u32),
        ("regexp", Takes::Value, 'e' as u32),
        ("silent", Takes::Nothing, 'q' as u32),
        ("text", Takes::Nothing, 'a' as u32),
        ("unix-byte-offsets", Takes::Nothing, 'u' as u32),
        ("version", Takes::Nothing, 'V' as u32),
        ("with-filename", Takes::Nothing, 'H' as u32),
        ("word-regexp", Takes::Nothing, 'w' as u32),
    ],
};

const USAGE: &str = "Usage: grep [OPTION]... PATTERNS [FILE]...";
const HINT: &str =
    "Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.";

/// Reads the command line.
pub fn read(name: &str, arguments: Vec<OsString>) -> Result<Read, String> {
    let line = GRAMMAR
        .parse(arguments.into_iter())
        .map_err(|message| format!("{name}: {message}\n{HINT}"))?;
    if line.options.iter().any(|found| found.code == 1007) {
        return Ok(Read::Text(format!(
            "{USAGE}\nSearch for PATTERNS in each FILE.\n"
        )));
    }
    if line.has('V') {
        return Ok(Read::Text(format!(
            "grep (hotcell) {}\n",
            env!("CARGO_PKG_VERSION")
        )));
    }
    let mut job = defaults(name);
    let mut patterns: Option<Vec<Vec<u8>>> = None;
    let mut context = (None, None, None);
    let mut digits = String::new();
    let mut digits_from = None;
    for found in &line.options {
        if let Some(digit @ '0'..='9') = char::from_u32(found.code) {
            if digits_from != Some(found.position) {
                digits.clear();
            }
            digits_from = Some(found.position);
            digits.push(digit);
            context.2 = digits.parse().ok();
            continue;
        }
        digits.clear();
        match found.code {
            code if code == C('A') => context.0 = Some(length(found)?),
            code if code == C('B') => context.1 = Some(length(found)?),
            code if code == C('C') => context.2 = Some(length(found)?),
            code if code == C('e') => {
                add_lines(
                    patterns.get_or_insert_default(),
                    found.value.as_deref().unwrap_or_default(),
                );
            }
            code if code == C('f') => from_file(patterns.get_or_insert_default(), &found.text())?,
            _ => option(&mut job, found)?,
        }
    }
    job.context = context != (None, None, None);
    job.after = context.0.or(context.2).unwrap_or(0);
    job.before = context.1.or(context.2).unwrap_or(0);
    finish(job, patterns, line)
}

fn finish(mut job: Job, patterns: Option<Vec<Vec<u8>>>, line: Line) -> Result<Read, String> {
    job.operands = line.operands;
    job.pattern.texts = match patterns {
        Some(patterns) => patterns,
        None if job.operands.is_empty() => return Err(HINT.to_owned()),
        None => {
            let mut texts = Vec::new();
            add_lines(&mut texts, &job.operands.remove(0).into_vec());
            texts
        }
    };
    if job.max_count == Some(0) {
        job.show = Show::Nothing;
    }
    Ok(Read::Job(Box::new(job)))
}

fn defaults(name: &str) -> Job {
    Job {
        pattern: Pattern {
            texts: Vec::new(),
            dialect: match name {
                "egrep" => Dialect::Extended,
                "fgrep" => Dialect::Fixed,
                _ => Dialect::Basic,
            },
            ignore_case: false,
            whole_words: false,
            whole_lines: false,
            terminator: b'\n',
        },
        show: Show::Lines,
        invert: false,
        max_count: None,
        line_numbers: false,
        byte_offsets: false,
        with_names: None,
        null_after_name: false,
        initial_tab: false,
        before: 0,
        after: 0,
        context: false,
        separator: Some(b"--".to_vec()),
        binary: Binary::Message,
        folders: Folders::Read,
        skip_devices: false,
        silent_errors: false,
        color: false,
        label: b"(standard input)".to_vec(),
        line_buffered: false,
        file_globs: Vec::new(),
        folder_globs: Vec::new(),
        operands: Vec::new(),
    }
}

fn option(job: &mut Job, found: &Found) -> Result<(), String> {
    let value = || found.value.clone().unwrap_or_default();
    match found.code {
        1001 => {
            job.binary = match found.text().as_str() {
                "binary" => Binary::Message,
                "text" => Binary::Text,
                "without-match" => Binary::Skip,
                _ => return Err("grep: unknown binary-files type".to_owned() + "\n" + HINT),
            }
        }
        1002 => job.color = matches!(found.text().as_str(), "always" | "yes" | "force"),
        1003 => job.file_globs.push((false, value())),
        1004 => {
            let mut glob = value();
            while glob.len() > 1 && glob.last() == Some(&b'/') {
                glob.pop();
            }
            job.folder_globs.push(glob);
        }
        1005 => {
            let mut globs = Vec::new();
            from_file(&mut globs, &found.text())?;
            job.file_globs
                .extend(globs.into_iter().map(|glob| (false, glob)));
        }
        1006 => job.separator = Some(value()),
        1008 => job.file_globs.push((true, value())),
        1009 => job.label = value(),
        1010 => job.line_buffered = true,
        1011 => job.separator = None,
        1012 => job.pattern.ignore_case = false,
        code => letter(job, char::from_u32(code).unwrap_or_default(), found)?,
    }
    Ok(())
}

fn letter(job: &mut Job, letter: char, found: &Found) -> Result<(), String> {
    match letter {
        'E' => job.pattern.dialect = Dialect::Extended,
        'F' => job.pattern.dialect = Dialect::Fixed,
        'G' => job.pattern.dialect = Dialect::Basic,
        'P' => job.pattern.dialect = Dialect::Perl,
        'i' | 'y' => job.pattern.ignore_case = true,
        'w' => job.pattern.whole_words = true,
        'x' => job.pattern.whole_lines = true,
        'z' => job.pattern.terminator = 0,
        'v' => job.invert = true,
        'n' => job.line_numbers = true,
        'b' => job.byte_offsets = true,
        'H' => job.with_names = Some(true),
        'h' => job.with_names = Some(false),
        'Z' => job.null_after_name = true,
        'T' => job.initial_tab = true,
        'a' => job.binary = Binary::Text,
        'I' => job.binary = Binary::Skip,
        's' => job.silent_errors = true,
        'r' => job.folders = Folders::Recurse,
        'R' => job.folders = Folders::RecurseThroughLinks,
        'o' if matches!(job.show, Show::Lines) => job.show = Show::OnlyMatching,
        'c' if !matches!(
            job.show,
            Show::Nothing | Show::FilesWith | Show::FilesWithout
        ) =>
        {
            job.show = Show::Count;
        }
        'l' if job.show != Show::Nothing => job.show = Show::FilesWith,
        'L' if job.show != Show::Nothing => job.show = Show::FilesWithout,
        'q' => job.show = Show::Nothing,
        'm' => {
            job.max_count = match found.text().parse::<i64>() {
                Ok(count) => u64::try_from(count).ok(),
                Err(_) => return Err("grep: invalid max count".to_owned()),
            }
        }
        'd' => {
            job.folders = match found.text().as_str() {
                "read" => Folders::Read,
                "skip" => Folders::Skip,
                "recurse" => Folders::Recurse,
                other => {
                    return Err(format!(
                        "grep: invalid argument '{other}' for '--directories'\n{HINT}"
                    ));
                }
            }
        }
        'D' => job.skip_devices = found.text() == "skip",
        _ => {}
    }
    Ok(())
}

fn length(found: &Found) -> Result<usize, String> {
    let text = found.text();
    text.parse::<u64>()
        .map(|lines| usize::try_from(lines).unwrap_or(usize::MAX))
        .map_err(|_| format!("grep: {text}: invalid context length argument"))
}

fn add_lines(patterns: &mut Vec<Vec<u8>>, text: &[u8]) {
    patterns.extend(text.split(|&b| b == b'\n').map(<[u8]>::to_vec));
}

fn from_file(patterns: &mut Vec<Vec<u8>>, path: &str) -> Result<(), String> {
    let path = if path == "-" { "/dev/stdin" } else { path };
    let mut text = std::fs::read(path)
        .map_err(|error| format!("grep: {path}: {}", options::reason(&error)))?;
    if text.is_empty() {
        return Ok(());
    }
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    add_lines(patterns, &text);
    Ok(())
}
