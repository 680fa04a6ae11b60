//! `file`: what a file is, as far as its first bytes say. Knows the kinds that scripts and agents
//! meet; what it does not know is text by its encoding, or `data`.

mod language;
mod magic;
mod script;
mod text;

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read, Write},
};

use guest_start::file::stat;
use options::{Grammar, Line, Takes, reason};
use unicode_width::UnicodeWidthStr;

use crate::stdin;

/// How much of a file is looked at, as in libmagic.
const LOOK: u64 = 1 << 20;

const GRAMMAR: Grammar = Grammar {
    short: "bcCde:EF:f:hiklLm:nNpP:rsSvzZ0",
    long: &[
        ("brief", Takes::Nothing, 'b' as u32),
        ("dereference", Takes::Nothing, 'L' as u32),
        ("exclude", Takes::Value, 'e' as u32),
        ("files-from", Takes::Value, 'f' as u32),
        ("help", Takes::Nothing, HELP),
        ("keep-going", Takes::Nothing, 'k' as u32),
        ("mime", Takes::Nothing, 'i' as u32),
        ("mime-encoding", Takes::Nothing, MIME_ENCODING),
        ("mime-type", Takes::Nothing, MIME_TYPE),
        ("no-buffer", Takes::Nothing, 'n' as u32),
        ("no-dereference", Takes::Nothing, 'h' as u32),
        ("no-pad", Takes::Nothing, 'N' as u32),
        ("preserve-date", Takes::Nothing, 'p' as u32),
        ("print0", Takes::Nothing, '0' as u32),
        ("raw", Takes::Nothing, 'r' as u32),
        ("separator", Takes::Value, 'F' as u32),
        ("special-files", Takes::Nothing, 's' as u32),
        ("version", Takes::Nothing, 'v' as u32),
    ],
};
const HELP: u32 = 256;
const MIME_TYPE: u32 = 257;
const MIME_ENCODING: u32 = 258;
const USAGE: &str = "Usage: file [-bhikLNrsv0] [--mime-type] [--mime-encoding] [-F SEPARATOR] [-f NAMEFILE] FILE...";

/// What a file is found to be.
pub struct Finding {
    pub description: String,
    pub mime: &'static str,
    /// `binary` where the content is no text.
    pub charset: &'static str,
}

impl Finding {
    fn binary(description: impl Into<String>, mime: &'static str) -> Self {
        Self {
            description: description.into(),
            mime,
            charset: "binary",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Description,
    Mime,
    MimeType,
    MimeEncoding,
}

/// Runs `file`.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => {
            eprintln!("file: {message}\n{USAGE}");
            return 1;
        }
    };
    let has = |code: u32| line.options.iter().any(|found| found.code == code);
    if has(HELP) {
        println!("{USAGE}");
        return 0;
    }
    if line.has('v') {
        println!("file (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    let names = match names(&line) {
        Ok(names) => names,
        Err(message) => {
            eprintln!("{message}");
            return 1;
        }
    };
    let answer = match (has(MIME_TYPE), has(MIME_ENCODING)) {
        (true, false) => Answer::MimeType,
        (false, true) => Answer::MimeEncoding,
        (true, true) => Answer::Mime,
        _ if line.has('i') => Answer::Mime,
        _ => Answer::Description,
    };
    let separator = line.value('F').unwrap_or_else(|| ":".to_owned());
    let shown = |name: &str| {
        if name == "-" {
            "/dev/stdin".to_owned()
        } else {
            name.to_owned()
        }
    };
    let widest = names
        .iter()
        .map(|name| shown(name).width())
        .max()
        .unwrap_or(0);
    let mut out = io::stdout().lock();
    for name in &names {
        let finding = identify(name, line.has('L'));
        let text = match answer {
            _ if finding.mime.is_empty() => finding.description,
            Answer::Description => finding.description,
            Answer::Mime => format!("{}; charset={}", finding.mime, finding.charset),
            Answer::MimeType => finding.mime.to_owned(),
            Answer::MimeEncoding => finding.charset.to_owned(),
        };
        let written = if line.has('b') {
            writeln!(out, "{text}")
        } else {
            let name = shown(name);
            let blanks = if line.has('N') {
                0
            } else {
                widest - name.width()
            };
            let nul = if line.has('0') { "\0" } else { "" };
            // Longer than a format's width may be.
            let blanks = " ".repeat(blanks);
            writeln!(out, "{name}{nul}{separator}{blanks} {text}")
        };
        if written.is_err() {
            return 1;
        }
    }
    0
}

/// The files to look at: those of a list, then those of the command line.
fn names(line: &Line) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    if let Some(list) = line.value('f') {
        let text = if list == "-" {
            io::read_to_string(stdin())
        } else {
            std::fs::read_to_string(&list)
        };
        let text =
            text.map_err(|error| format!("file: Cannot open `{list}' ({})", reason(&error)))?;
        names.extend(text.lines().map(str::to_owned));
    }
    let operands = line.operands.iter();
    names.extend(operands.map(|name| name.to_string_lossy().into_owned()));
    if names.is_empty() {
        return Err(USAGE.to_owned());
    }
    Ok(names)
}

fn identify(name: &str, follow: bool) -> Finding {
    let cannot = |error: &io::Error| Finding {
        description: format!("cannot open `{name}' ({})", reason(error)),
        mime: "",
        charset: "binary",
    };
    if name == "-" {
        return match beginning(stdin()) {
            Ok(start) => of_content(&start),
            Err(error) => cannot(&error),
        };
    }
    let facts = match stat(name, follow) {
        Ok(facts) => facts,
        Err(error) => return cannot(&error),
    };
    if facts.is_dir() {
        let mut description = "directory".to_owned();
        if facts.mode & 0o1000 != 0 {
            description.insert_str(0, "sticky, ");
        }
        return Finding::binary(description, "inode/directory");
    }
    if facts.is_symlink() {
        let target = std::fs::read_link(name).unwrap_or_default();
        let target = target.display();
        let broken = if stat(name, true).is_err() {
            "broken "
        } else {
            ""
        };
        return Finding::binary(
            format!("{broken}symbolic link to {target}"),
            "inode/symlink",
        );
    }
    if facts.is_fifo() {
        return Finding::binary("fifo (named pipe)", "inode/fifo");
    }
    if facts.is_char_device() {
        return Finding::binary("character special", "inode/chardevice");
    }
    if facts.size == 0 && facts.is_file() {
        return Finding::binary("empty", "inode/x-empty");
    }
    match File::open(name).and_then(beginning) {
        Ok(start) => {
            let mut finding = of_content(&start);
            let cut = start.len() as u64 == LOOK;
            if cut
                && finding.mime == "application/gzip"
                && let Ok(size) = magic::gzip_size(name)
            {
                finding.description.push_str(&size);
            }
            finding
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Finding::binary("regular file, no read permission", "inode/x-empty")
        }
        Err(error) => cannot(&error),
    }
}

fn beginning(input: impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    input.take(LOOK).read_to_end(&mut start)?;
    Ok(start)
}

fn of_content(start: &[u8]) -> Finding {
    if start.is_empty() {
        return Finding::binary("empty", "inode/x-empty");
    }
    if start.len() == 1 {
        return Finding::binary("very short file (no magic)", "application/octet-stream");
    }
    magic::find(start)
        .or_else(|| text::find(start))
        .unwrap_or_else(|| Finding::binary("data", "application/octet-stream"))
}
