//! `fmt [-WIDTH] [OPTION]... [FILE]...`

mod paragraph;
mod words;

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    os::wasi::ffi::OsStrExt,
};

use options::{Grammar, Line, Takes, quote, quote_argument, reason};

use super::{HELP, VERSION, bad_usage, information};
use paragraph::Formatter;

const GRAMMAR: Grammar = Grammar {
    short: "0123456789cstuw:p:g:",
    long: &[
        ("crown-margin", Takes::Nothing, 'c' as u32),
        ("prefix", Takes::Value, 'p' as u32),
        ("split-only", Takes::Nothing, 's' as u32),
        ("tagged-paragraph", Takes::Nothing, 't' as u32),
        ("uniform-spacing", Takes::Nothing, 'u' as u32),
        ("width", Takes::Value, 'w' as u32),
        ("goal", Takes::Value, 'g' as u32),
        HELP,
        VERSION,
    ],
};
const USAGE: &str = "Usage: fmt [-WIDTH] [OPTION]... [FILE]...\n";

const WIDTH_DEFAULT: usize = 75;
/// Half of the most bytes that a paragraph may hold before its first lines are written.
const WIDTH_MAX: usize = words::BYTES_MAX / 2;
/// How far below the width a line should end, in percent.
const LEEWAY: usize = 7;

/// How paragraphs are told apart by their indents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// The second line's indent is its own.
    Crown,
    /// As crown, and a second line with the first's indent begins a new paragraph.
    Tagged,
    /// Lines are only split.
    Split,
}

struct Settings {
    kind: Kind,
    uniform: bool,
    width: usize,
    goal: usize,
    /// Blanks before the prefix, the prefix without the blanks around it, and its length with
    /// those after it.
    prefix_lead: usize,
    prefix: Vec<u8>,
    prefix_whole: usize,
}

pub fn run(name: &str, mut arguments: Vec<OsString>) -> i32 {
    // Only a first `-20` is a width.
    if let Some(first) = arguments.first_mut()
        && let [b'-', digit, ..] = first.as_bytes()
        && digit.is_ascii_digit()
    {
        let width = OsStr::from_bytes(&first.as_bytes()[1..]).to_owned();
        *first = OsString::from("-w");
        first.push(width);
    }
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, USAGE) {
        return status;
    }
    if let Some(digit) = ('0'..='9').find(|digit| line.has(*digit)) {
        let message = format!(
            "invalid option -- {digit}; -WIDTH is recognized only when it is the first\noption; use -w N instead"
        );
        return bad_usage(name, &message, 1);
    }
    let settings = match settings(&line) {
        Ok(settings) => settings,
        Err(message) => {
            eprintln!("{name}: {message}");
            return 1;
        }
    };
    let mut operands = line.operands;
    if operands.is_empty() {
        operands.push("-".into());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let mut status = 0;
    for operand in &operands {
        match format(operand, &settings, &mut out) {
            Ok(()) => {}
            Err(message) => {
                let _ = out.flush();
                eprintln!("{name}: {message}");
                status = 1;
            }
        }
    }
    if out.flush().is_err() { 1 } else { status }
}

fn format(operand: &OsStr, settings: &Settings, out: &mut impl Write) -> Result<(), String> {
    let input: Box<dyn BufRead> = if operand == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(operand)
            .map_err(|e| format!("cannot open {} for reading: {}", quote(operand), reason(&e)))?;
        Box::new(BufReader::new(file))
    };
    let mut formatter = Formatter::new(settings, input, out);
    let written = formatter.all();
    if formatter.read_failed() {
        return Err("read error".to_owned());
    }
    written.map_err(|error| format!("write error: {}", reason(&error)))
}

fn settings(line: &Line) -> Result<Settings, String> {
    let wanted = line.value('w');
    let mut width = match &wanted {
        Some(text) => bounded(text, WIDTH_MAX)?,
        None => WIDTH_DEFAULT,
    };
    let goal = match line.value('g') {
        Some(text) => {
            let goal = bounded(&text, width)?;
            if wanted.is_none() {
                width = goal + 10;
            }
            goal
        }
        None => width * (2 * (100 - LEEWAY) + 1) / 200,
    };
    let kinds = [('s', Kind::Split), ('c', Kind::Crown), ('t', Kind::Tagged)];
    let kind = kinds.iter().find(|(letter, _)| line.has(*letter));
    let text = line.value('p').unwrap_or_default();
    let inner = text.trim_start_matches(' ');
    Ok(Settings {
        kind: kind.map_or(Kind::Plain, |(_, kind)| *kind),
        uniform: line.has('u'),
        width,
        goal,
        prefix_lead: text.len() - inner.len(),
        prefix: inner.trim_end_matches(' ').as_bytes().to_vec(),
        prefix_whole: inner.len(),
    })
}

fn bounded(text: &str, most: usize) -> Result<usize, String> {
    let wrong = || format!("invalid width: {}", quote_argument(text));
    let trimmed = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let digits = trimmed.strip_prefix('+').unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{}: Value too large for defined data type", wrong()))?;
    usize::try_from(number)
        .ok()
        .filter(|number| *number <= most)
        .ok_or_else(|| format!("{}: Numerical result out of range", wrong()))
}
