//! `column`: entries side by side, or a table.

use std::{
    ffi::OsString,
    io::{self, BufRead, BufReader, Read},
};

use options::{Grammar, Line, Takes, reason};
use unicode_width::UnicodeWidthStr;

use crate::{open, stdin, table};

const GRAMMAR: Grammar = Grammar {
    short: "c:dE:eH:hi:JLl:m:N:n:O:o:p:R:r:s:tT:VW:xC:",
    long: &[
        ("fillrows", Takes::Nothing, 'x' as u32),
        ("help", Takes::Nothing, 'h' as u32),
        ("json", Takes::Nothing, 'J' as u32),
        ("keep-empty-lines", Takes::Nothing, 'L' as u32),
        ("output-separator", Takes::Value, 'o' as u32),
        ("output-width", Takes::Value, 'c' as u32),
        ("separator", Takes::Value, 's' as u32),
        ("table", Takes::Nothing, 't' as u32),
        ("table-columns", Takes::Value, 'N' as u32),
        ("table-columns-limit", Takes::Value, 'l' as u32),
        ("table-empty-lines", Takes::Nothing, 'L' as u32),
        ("table-header-repeat", Takes::Nothing, 'e' as u32),
        ("table-hide", Takes::Value, 'H' as u32),
        ("table-name", Takes::Value, 'n' as u32),
        ("table-noextreme", Takes::Value, 'E' as u32),
        ("table-noheadings", Takes::Nothing, 'd' as u32),
        ("table-order", Takes::Value, 'O' as u32),
        ("table-right", Takes::Value, 'R' as u32),
        ("table-truncate", Takes::Value, 'T' as u32),
        ("table-wrap", Takes::Value, 'W' as u32),
        ("version", Takes::Nothing, 'V' as u32),
    ],
};

const TAB: usize = 8;

/// Runs `column`.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return complain(&message),
    };
    if line.has('h') {
        println!(
            "Usage: column [options] [<file>...]\n\nColumnate lists: -t table, -s separators,"
        );
        println!(
            "-o output separator, -c width, -x fill rows, -N names, -R -H -O -l columns, -J json"
        );
        return 0;
    }
    if line.has('V') {
        println!("column (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    for (code, name) in [
        ('r', "--tree"),
        ('i', "--tree-id"),
        ('p', "--tree-parent"),
        ('C', "-C"),
    ] {
        if line.has(code) {
            eprintln!("column: {name} is not supported here");
            return 1;
        }
    }
    let width = match width(&line) {
        Ok(width) => width,
        Err(message) => return complain(&message),
    };
    let keep_empty = line.has('L');
    let mut lines = Vec::new();
    let mut status = 0;
    if line.operands.is_empty() {
        status = gather(stdin(), "stdin", keep_empty, &mut lines);
    }
    for operand in &line.operands {
        let name = operand.to_string_lossy().into_owned();
        status |= if name == "-" {
            gather(stdin(), "stdin", keep_empty, &mut lines)
        } else {
            match open(operand) {
                Ok(file) => gather(file, &name, keep_empty, &mut lines),
                Err(error) => {
                    eprintln!("column: {name}: {}", reason(&error));
                    1
                }
            }
        };
    }
    if lines.is_empty() {
        return status;
    }
    if line.has('t') || line.has('J') {
        return match table::print(&line, &lines) {
            Ok(()) => status,
            Err(message) => {
                eprintln!("column: {message}");
                1
            }
        };
    }
    fill(&lines, width, line.has('x'));
    status
}

fn complain(message: &str) -> i32 {
    eprintln!("column: {message}\nTry 'column --help' for more information.");
    1
}

fn width(line: &Line) -> Result<usize, String> {
    match line.value('c') {
        Some(text) if text == "unlimited" => Ok(usize::MAX / 2),
        Some(text) => match text.parse() {
            Ok(width) if width > 0 => Ok(width),
            _ => Err(format!("invalid columns argument: '{text}'")),
        },
        None => {
            let known = std::env::var("COLUMNS").ok();
            Ok(known
                .and_then(|text| text.parse().ok())
                .filter(|w| *w > 0)
                .unwrap_or(80))
        }
    }
}

fn gather(input: impl Read, name: &str, keep_empty: bool, lines: &mut Vec<String>) -> i32 {
    let mut reader = BufReader::new(input);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match reader.read_until(b'\n', &mut bytes) {
            Ok(0) => return 0,
            Ok(_) => {}
            Err(error) => {
                eprintln!("column: {name}: {}", reason(&error));
                return 1;
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches('\n');
        if keep_empty || !text.trim().is_empty() {
            lines.push(text.to_owned());
        }
    }
}

/// Entries side by side, in columns or in rows, with tabs between.
fn fill(entries: &[String], width: usize, rows_first: bool) {
    use io::Write;
    let longest = entries.iter().map(|entry| entry.width()).max().unwrap_or(0);
    let cell = (longest + TAB) / TAB * TAB;
    let mut out = String::new();
    if cell >= width {
        for entry in entries {
            out.push_str(entry);
            out.push('\n');
        }
    } else {
        let columns = width / cell;
        let rows = entries.len().div_ceil(columns);
        for row in 0..rows {
            let places: Vec<usize> = if rows_first {
                (row * columns..entries.len().min((row + 1) * columns)).collect()
            } else {
                (row..entries.len()).step_by(rows).collect()
            };
            for (column, place) in places.iter().enumerate() {
                out.push_str(&entries[*place]);
                if column + 1 < places.len() {
                    let missing = cell - entries[*place].width();
                    out.extend(std::iter::repeat_n('\t', missing.div_ceil(TAB)));
                }
            }
            out.push('\n');
        }
    }
    let _ = io::stdout().write_all(out.as_bytes());
}
