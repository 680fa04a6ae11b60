//! What diff's command line asks for.

use std::ffi::OsString;

use options::{Grammar, Takes};
use posix_regex::{Matcher, Options, Syntax, translate};

/// How differences are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Normal,
    Unified(usize),
    Context(usize),
    Ed,
    SideBySide,
    Brief,
}

pub struct Job {
    pub style: Style,
    pub recursive: bool,
    pub new_files: bool,
    pub report_same: bool,
    pub ignore_case: bool,
    pub ignore_all_space: bool,
    pub ignore_space_change: bool,
    pub ignore_trailing_space: bool,
    pub ignore_blank_lines: bool,
    pub strip_cr: bool,
    pub text: bool,
    pub ignore_matching: Option<Matcher>,
    pub function: Option<Matcher>,
    pub labels: Vec<String>,
    pub exclude: Vec<String>,
    pub width: usize,
    pub suppress_common: bool,
    pub left_column: bool,
    pub initial_tab: bool,
    /// The options as typed, for the `diff -r a/x b/x` lines.
    pub shown_options: String,
    pub operands: Vec<OsString>,
}

const GRAMMAR: Grammar = Grammar {
    short: "0123456789abBcC:dDeEF:hHiI:lL:nNpPqrsS:TuU:vwW:x:X:yZ",
    long: &[
        ("brief", Takes::Nothing, 'q' as u32),
        ("color", Takes::Perhaps, 1000),
        ("context", Takes::Perhaps, 1001),
        ("ed", Takes::Nothing, 'e' as u32),
        ("exclude", Takes::Value, 'x' as u32),
        ("help", Takes::Nothing, 1002),
        ("ignore-all-space", Takes::Nothing, 'w' as u32),
        ("ignore-blank-lines", Takes::Nothing, 'B' as u32),
        ("ignore-case", Takes::Nothing, 'i' as u32),
        ("ignore-matching-lines", Takes::Value, 'I' as u32),
        ("ignore-space-change", Takes::Nothing, 'b' as u32),
        ("ignore-trailing-space", Takes::Nothing, 'Z' as u32),
        ("initial-tab", Takes::Nothing, 'T' as u32),
        ("label", Takes::Value, 'L' as u32),
        ("left-column", Takes::Nothing, 1003),
        ("minimal", Takes::Nothing, 'd' as u32),
        ("new-file", Takes::Nothing, 'N' as u32),
        ("no-dereference", Takes::Nothing, 1004),
        ("normal", Takes::Nothing, 1005),
        ("recursive", Takes::Nothing, 'r' as u32),
        ("report-identical-files", Takes::Nothing, 's' as u32),
        ("show-c-function", Takes::Nothing, 'p' as u32),
        ("show-function-line", Takes::Value, 'F' as u32),
        ("side-by-side", Takes::Nothing, 'y' as u32),
        ("speed-large-files", Takes::Nothing, 'H' as u32),
        ("strip-trailing-cr", Takes::Nothing, 1006),
        ("suppress-common-lines", Takes::Nothing, 1007),
        ("text", Takes::Nothing, 'a' as u32),
        ("unified", Takes::Perhaps, 1008),
        ("version", Takes::Nothing, 1009),
        ("width", Takes::Value, 'W' as u32),
    ],
};

/// Reads the command line; `Ok(Err(text))` is a text to print.
pub fn read(arguments: Vec<OsString>) -> Result<Result<Job, String>, String> {
    let typed = arguments.clone();
    let line = GRAMMAR.parse(arguments.into_iter())?;
    let mut left = line.operands.iter().peekable();
    let shown: Vec<String> = typed
        .iter()
        .filter(|word| left.next_if(|operand| operand == word).is_none() && *word != "--")
        .map(options::quote_if_needed)
        .collect();
    let mut job = Job {
        style: Style::Normal,
        recursive: line.has('r'),
        new_files: line.has('N'),
        report_same: line.has('s'),
        ignore_case: line.has('i'),
        ignore_all_space: line.has('w'),
        ignore_space_change: line.has('b'),
        ignore_trailing_space: line.has('Z'),
        ignore_blank_lines: line.has('B'),
        strip_cr: false,
        text: line.has('a'),
        ignore_matching: None,
        function: None,
        labels: Vec::new(),
        exclude: Vec::new(),
        width: 130,
        suppress_common: false,
        left_column: false,
        initial_tab: line.has('T'),
        shown_options: shown.join(" "),
        operands: Vec::new(),
    };
    let number = |text: &str| {
        text.parse::<usize>()
            .map_err(|_| format!("invalid context length '{text}'"))
    };
    let (mut digits, mut brief) = (String::new(), false);
    for found in &line.options {
        let text = found.text();
        match found.code {
            1000 => color(&text)?,
            1004 => return Err("--no-dereference is not supported here".to_owned()),
            1002 => return Ok(Err("Usage: diff [OPTION]... FILES\n".to_owned())),
            1003 => job.left_column = true,
            1005 => job.style = Style::Normal,
            1006 => job.strip_cr = true,
            1007 => job.suppress_common = true,
            1009 => {
                return Ok(Err(format!(
                    "diff (hotcell) {}\n",
                    env!("CARGO_PKG_VERSION")
                )));
            }
            1001 => job.style = Style::Context(if text.is_empty() { 3 } else { number(&text)? }),
            1008 => job.style = Style::Unified(if text.is_empty() { 3 } else { number(&text)? }),
            code => match char::from_u32(code).unwrap_or_default() {
                digit @ '0'..='9' => digits.push(digit),
                'u' => job.style = Style::Unified(3),
                'U' => job.style = Style::Unified(number(&text)?),
                'c' => job.style = Style::Context(3),
                'C' => job.style = Style::Context(number(&text)?),
                'e' => job.style = Style::Ed,
                'y' => job.style = Style::SideBySide,
                'q' => brief = true,
                'L' => job.labels.push(text),
                'x' => job.exclude.push(text),
                'W' => job.width = number(&text)?,
                'I' => job.ignore_matching = Some(matcher(&text)?),
                'F' => job.function = Some(matcher(&text)?),
                option @ ('D' | 'E' | 'l' | 'n' | 'P' | 'S' | 'X') => {
                    return Err(format!("option -{option} is not supported here"));
                }
                'p' => job.function = Some(matcher("^[[:alpha:]$_]")?),
                _ => {}
            },
        }
    }
    if let (Ok(lines), Style::Unified(_)) = (digits.parse(), job.style) {
        job.style = Style::Unified(lines);
    }
    if job.function.is_some() && job.style == Style::Normal {
        job.style = Style::Context(3);
    }
    if brief {
        job.style = Style::Brief;
    }
    job.operands = line.operands;
    match job.operands.as_slice() {
        [_, _] => Ok(Ok(job)),
        [] => Err("missing operand after 'diff'".to_owned()),
        [only] => Err(format!("missing operand after {}", options::quote(only))),
        [.., last] => Err(format!("extra operand {}", options::quote(last))),
    }
}

/// `--color[=WHEN]`: nothing here is a terminal, so `auto` is plain text.
fn color(when: &str) -> Result<(), String> {
    match when {
        "" | "auto" | "never" => Ok(()),
        "always" => Err("--color=always is not supported here; use --color=auto".to_owned()),
        other => Err(format!(
            "invalid argument {} for '--color'",
            options::quote(other)
        )),
    }
}

fn matcher(text: &str) -> Result<Matcher, String> {
    let translated = translate(text, Syntax::Basic, "\\n")?;
    let options = Options {
        ignore_case: false,
        lines: Some(b'\n'),
    };
    Matcher::new(&translated.pattern, translated.back_references, options)
}
