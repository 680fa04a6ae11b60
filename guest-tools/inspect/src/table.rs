//! `column -t` and `-J`.

use std::io::Write;

use options::Line;
use unicode_width::UnicodeWidthStr;

struct Columns {
    names: Vec<String>,
    /// The columns to show, in order.
    shown: Vec<usize>,
    right: Vec<bool>,
}

/// Prints the lines as the options ask.
pub fn print(line: &Line, lines: &[String]) -> Result<(), String> {
    let limit = match line.value('l') {
        Some(text) => match text.parse::<usize>() {
            Ok(limit) if limit > 0 => limit,
            _ => return Err(format!("invalid columns limit argument: '{text}'")),
        },
        None => usize::MAX,
    };
    let separators = line.value('s');
    let rows: Vec<Vec<&str>> = lines
        .iter()
        .map(|text| cells(text, separators.as_deref(), limit))
        .collect();
    let columns = Columns::new(line, &rows)?;
    if line.has('J') {
        return json(line, &rows, &columns);
    }
    let headings: Vec<&str> = columns.names.iter().map(String::as_str).collect();
    let heading = line.has('N') && !line.has('d');
    let all: Vec<&Vec<&str>> = heading
        .then_some(&headings)
        .into_iter()
        .chain(&rows)
        .collect();
    let cell = |row: &[&str], column: usize| row.get(column).copied().unwrap_or("").to_owned();
    let widths: Vec<usize> = columns
        .shown
        .iter()
        .map(|column| {
            all.iter()
                .map(|row| cell(row, *column).width())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let between = line.value('o').unwrap_or_else(|| "  ".to_owned());
    let mut out = String::new();
    for row in all {
        for (place, (column, width)) in columns.shown.iter().zip(&widths).enumerate() {
            let text = cell(row, *column);
            let blanks = " ".repeat(width - text.width());
            let last = place + 1 == columns.shown.len();
            if columns.right[*column] {
                out.push_str(&blanks);
                out.push_str(&text);
            } else {
                out.push_str(&text);
                if !last {
                    out.push_str(&blanks);
                }
            }
            if !last {
                out.push_str(&between);
            }
        }
        out.push('\n');
    }
    std::io::stdout()
        .write_all(out.as_bytes())
        .map_err(|error| error.to_string())
}

/// The cells of a line. Without `-s` blanks separate, and several count as one.
fn cells<'a>(text: &'a str, separators: Option<&str>, limit: usize) -> Vec<&'a str> {
    let blank = |c: char| match separators {
        Some(separators) => separators.contains(c),
        None => c == ' ' || c == '\t',
    };
    let greedy = separators.is_none();
    let mut cells = Vec::new();
    let mut rest = text;
    loop {
        // What is left for a last allowed cell is taken as it is.
        if greedy && (cells.is_empty() || cells.len() + 1 < limit) {
            rest = rest.trim_start_matches(blank);
            if rest.is_empty() {
                break;
            }
        }
        if cells.len() + 1 == limit {
            cells.push(rest);
            break;
        }
        match rest.find(blank) {
            Some(at) => {
                cells.push(&rest[..at]);
                let length = rest[at..].chars().next().map_or(1, char::len_utf8);
                rest = &rest[at + length..];
            }
            None => {
                cells.push(rest);
                break;
            }
        }
    }
    cells
}

impl Columns {
    fn new(line: &Line, rows: &[Vec<&str>]) -> Result<Self, String> {
        let mut names: Vec<String> = match line.value('N') {
            Some(text) => text.split(',').map(str::to_owned).collect(),
            None => Vec::new(),
        };
        let count = rows
            .iter()
            .map(Vec::len)
            .max()
            .unwrap_or(0)
            .max(names.len());
        names.resize(count, String::new());
        let listed = |code: char| -> Result<Vec<usize>, String> {
            let Some(text) = line.value(code) else {
                return Ok(Vec::new());
            };
            text.split(',')
                .map(|name| place(name, &names))
                .collect::<Result<Vec<_>, _>>()
                .map(|places| places.concat())
        };
        let mut shown = listed('O')?;
        for column in 0..count {
            if !shown.contains(&column) {
                shown.push(column);
            }
        }
        let hidden = if line.value('H').as_deref() == Some("-") {
            (0..count)
                .filter(|column| names[*column].is_empty())
                .collect()
        } else {
            listed('H')?
        };
        shown.retain(|column| !hidden.contains(column));
        let mut right = vec![false; count];
        for column in listed('R')? {
            right[column] = true;
        }
        Ok(Self {
            names,
            shown,
            right,
        })
    }
}

/// The columns that a name, a number from 1, a range, `0` (all) or `-1` (the last) stands for.
fn place(name: &str, names: &[String]) -> Result<Vec<usize>, String> {
    if let Some(at) = names.iter().position(|known| known == name) {
        return Ok(vec![at]);
    }
    let undefined = || format!("undefined column name '{name}'");
    match name.parse::<i64>() {
        Ok(0) => return Ok((0..names.len()).collect()),
        Ok(number) if number < 0 => {
            let from_end = usize::try_from(-number).map_err(|_| undefined())?;
            let at = names.len().checked_sub(from_end).ok_or_else(undefined)?;
            return Ok(vec![at]);
        }
        Ok(number) => {
            let at = usize::try_from(number).map_err(|_| undefined())? - 1;
            return if at < names.len() {
                Ok(vec![at])
            } else {
                Err(undefined())
            };
        }
        Err(_) => {}
    }
    let (first, last) = name.split_once('-').ok_or_else(undefined)?;
    let first: usize = first.parse().map_err(|_| undefined())?;
    let last = last.parse().unwrap_or(names.len()).min(names.len());
    if first == 0 || first > last {
        return Err(undefined());
    }
    Ok((first - 1..last).collect())
}

fn json(line: &Line, rows: &[Vec<&str>], columns: &Columns) -> Result<(), String> {
    if !line.has('N') {
        return Err("option --table-columns required for --json".to_owned());
    }
    let name = line.value('n').unwrap_or_else(|| "table".to_owned());
    let mut out = format!("{{\n   {}: [", quoted(&name));
    for (index, row) in rows.iter().enumerate() {
        out.push_str(if index == 0 { "\n      {\n" } else { ",{\n" });
        for (place, column) in columns.shown.iter().enumerate() {
            let value = match row.get(*column) {
                Some(text) if !text.is_empty() => quoted(text),
                _ => "null".to_owned(),
            };
            let comma = if place + 1 < columns.shown.len() {
                ","
            } else {
                ""
            };
            let key = quoted(&columns.names[*column].to_lowercase());
            out.push_str(&format!("         {key}: {value}{comma}\n"));
        }
        out.push_str("      }");
    }
    out.push_str("\n   ]\n}\n");
    std::io::stdout()
        .write_all(out.as_bytes())
        .map_err(|error| error.to_string())
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
