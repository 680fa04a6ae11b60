//! The ways changes are written.

use std::io::{self, Write};

use crate::{
    command_line::{Job, Style},
    lines::Lines,
    script::Change,
};

/// Two files to be compared in print.
pub struct Pair<'a> {
    pub left: &'a Lines<'a>,
    pub right: &'a Lines<'a>,
    pub left_header: String,
    pub right_header: String,
}

const UNENDED: &[u8] = b"\\ No newline at end of file\n";

/// Writes `changes`.
///
/// # Errors
/// What writing said.
pub fn write(
    job: &Job,
    pair: &Pair<'_>,
    changes: &[Change],
    out: &mut impl Write,
) -> io::Result<()> {
    match job.style {
        Style::Brief => Ok(()),
        Style::Normal => changes
            .iter()
            .filter(|c| !c.ignored)
            .try_for_each(|c| normal(job, pair, c, out)),
        Style::Ed => changes
            .iter()
            .rev()
            .filter(|c| !c.ignored)
            .try_for_each(|c| ed(pair, c, out)),
        Style::Unified(context) => {
            writeln!(out, "--- {}\n+++ {}", pair.left_header, pair.right_header)?;
            hunks(changes, context)
                .iter()
                .try_for_each(|hunk| unified(job, pair, hunk, context, out))
        }
        Style::Context(context) => {
            writeln!(out, "*** {}\n--- {}", pair.left_header, pair.right_header)?;
            hunks(changes, context)
                .iter()
                .try_for_each(|hunk| contextual(job, pair, hunk, context, out))
        }
        Style::SideBySide => side_by_side(job, pair, changes, out),
    }
}

fn line(mark: &[u8], file: &Lines<'_>, at: usize, out: &mut impl Write) -> io::Result<()> {
    out.write_all(mark)?;
    out.write_all(file.lines[at])?;
    out.write_all(b"\n")?;
    if at + 1 == file.len() && !file.ended {
        out.write_all(UNENDED)?;
    }
    Ok(())
}

/// `3`, or `3,5`; an empty range is the line before it.
fn range(range: &std::ops::Range<usize>) -> String {
    match range.len() {
        0 => range.start.to_string(),
        1 => (range.start + 1).to_string(),
        _ => format!("{},{}", range.start + 1, range.end),
    }
}

fn normal(job: &Job, pair: &Pair<'_>, change: &Change, out: &mut impl Write) -> io::Result<()> {
    let letter = match (change.left.is_empty(), change.right.is_empty()) {
        (true, _) => 'a',
        (_, true) => 'd',
        _ => 'c',
    };
    writeln!(
        out,
        "{}{letter}{}",
        range(&change.left),
        range(&change.right)
    )?;
    let (less, more): (&[u8], &[u8]) = if job.initial_tab {
        (b"<\t", b">\t")
    } else {
        (b"< ", b"> ")
    };
    for at in change.left.clone() {
        line(less, pair.left, at, out)?;
    }
    if letter == 'c' {
        out.write_all(b"---\n")?;
    }
    for at in change.right.clone() {
        line(more, pair.right, at, out)?;
    }
    Ok(())
}

fn ed(pair: &Pair<'_>, change: &Change, out: &mut impl Write) -> io::Result<()> {
    if change.right.is_empty() {
        return writeln!(out, "{}d", range(&change.left));
    }
    let letter = if change.left.is_empty() { 'a' } else { 'c' };
    writeln!(out, "{}{letter}", range(&change.left))?;
    for at in change.right.clone() {
        line(b"", pair.right, at, out)?;
    }
    out.write_all(b".\n")
}

/// Changes that share context belong to one hunk; hunks without a change that counts are left out.
fn hunks(changes: &[Change], context: usize) -> Vec<Vec<Change>> {
    let mut hunks: Vec<Vec<Change>> = Vec::new();
    for change in changes {
        match hunks.last_mut() {
            Some(hunk)
                if hunk.last().is_some_and(|last| {
                    // An ignored change does not reach as far.
                    let reach = if last.ignored || change.ignored {
                        context
                    } else {
                        2 * context
                    };
                    change.left.start - last.left.end <= reach
                }) =>
            {
                hunk.push(change.clone());
            }
            _ => hunks.push(vec![change.clone()]),
        }
    }
    hunks.retain(|hunk| hunk.iter().any(|change| !change.ignored));
    hunks
}

/// The lines of both files that a hunk shows.
fn extent(
    pair: &Pair<'_>,
    hunk: &[Change],
    context: usize,
) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let (first, last) = (&hunk[0], &hunk[hunk.len() - 1]);
    let before = context.min(first.left.start);
    let after = context.min(pair.left.len() - last.left.end);
    (
        first.left.start - before..last.left.end + after,
        first.right.start - before..last.right.end + after,
    )
}

fn function(job: &Job, pair: &Pair<'_>, before: usize) -> Vec<u8> {
    let Some(matcher) = &job.function else {
        return Vec::new();
    };
    let found = pair.left.lines[..before]
        .iter()
        .rev()
        .find(|line| matcher.is_match(line));
    found.map_or_else(Vec::new, |line| {
        let cut = String::from_utf8_lossy(line)
            .trim_end()
            .chars()
            .take(40)
            .collect::<String>();
        format!(" {}", cut.trim_end()).into_bytes()
    })
}

fn unified(
    job: &Job,
    pair: &Pair<'_>,
    hunk: &[Change],
    context: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let (left, right) = extent(pair, hunk, context);
    let shown = |range: &std::ops::Range<usize>| match range.len() {
        0 => format!("{},0", range.start),
        1 => (range.start + 1).to_string(),
        count => format!("{},{count}", range.start + 1),
    };
    write!(out, "@@ -{} +{} @@", shown(&left), shown(&right))?;
    out.write_all(&function(job, pair, left.start))?;
    out.write_all(b"\n")?;
    let blank: &[u8] = if job.initial_tab { b"\t" } else { b" " };
    let (less, more): (&[u8], &[u8]) = if job.initial_tab {
        (b"-\t", b"+\t")
    } else {
        (b"-", b"+")
    };
    let mut at = left.start;
    for change in hunk {
        for common in at..change.left.start {
            line(blank, pair.left, common, out)?;
        }
        for removed in change.left.clone() {
            line(less, pair.left, removed, out)?;
        }
        for added in change.right.clone() {
            line(more, pair.right, added, out)?;
        }
        at = change.left.end;
    }
    (at..left.end).try_for_each(|common| line(blank, pair.left, common, out))
}

fn contextual(
    job: &Job,
    pair: &Pair<'_>,
    hunk: &[Change],
    context: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let (left, right) = extent(pair, hunk, context);
    let shown = |range: &std::ops::Range<usize>| match range.len() {
        0 => range.start.to_string(),
        1 => (range.start + 1).to_string(),
        _ => format!("{},{}", range.start + 1, range.end),
    };
    out.write_all(b"***************")?;
    out.write_all(&function(job, pair, left.start))?;
    writeln!(out, "\n*** {} ****", shown(&left))?;
    if hunk.iter().any(|change| !change.left.is_empty()) {
        let mut at = left.start;
        for change in hunk {
            for common in at..change.left.start {
                line(b"  ", pair.left, common, out)?;
            }
            let mark: &[u8] = if change.right.is_empty() {
                b"- "
            } else {
                b"! "
            };
            for removed in change.left.clone() {
                line(mark, pair.left, removed, out)?;
            }
            at = change.left.end;
        }
        for common in at..left.end {
            line(b"  ", pair.left, common, out)?;
        }
    }
    writeln!(out, "--- {} ----", shown(&right))?;
    if hunk.iter().any(|change| !change.right.is_empty()) {
        let mut at = right.start;
        for change in hunk {
            for common in at..change.right.start {
                line(b"  ", pair.right, common, out)?;
            }
            let mark: &[u8] = if change.left.is_empty() { b"+ " } else { b"! " };
            for added in change.right.clone() {
                line(mark, pair.right, added, out)?;
            }
            at = change.right.end;
        }
        for common in at..right.end {
            line(b"  ", pair.right, common, out)?;
        }
    }
    Ok(())
}

/// Two columns with a mark between them.
fn side_by_side(
    job: &Job,
    pair: &Pair<'_>,
    changes: &[Change],
    out: &mut impl Write,
) -> io::Result<()> {
    let columns = Columns::new(job.width);
    let (mut x, mut y) = (0, 0);
    let end = Change {
        left: pair.left.len()..pair.left.len(),
        right: pair.right.len()..pair.right.len(),
        ignored: false,
    };
    for change in changes.iter().chain([&end]) {
        while x < change.left.start && y < change.right.start {
            if !job.suppress_common {
                let right = if job.left_column {
                    None
                } else {
                    Some(pair.right.lines[y])
                };
                let mark = if job.left_column { b'(' } else { b' ' };
                columns.row(Some(pair.left.lines[x]), mark, right, out)?;
            }
            x += 1;
            y += 1;
        }
        while x < change.left.end || y < change.right.end {
            let left = (x < change.left.end).then(|| pair.left.lines[x]);
            let right = (y < change.right.end).then(|| pair.right.lines[y]);
            let mark = match (left, right) {
                (Some(_), Some(_)) => b'|',
                (Some(_), None) => b'<',
                _ => b'>',
            };
            columns.row(left, mark, right, out)?;
            x += usize::from(left.is_some());
            y += usize::from(right.is_some());
        }
    }
    Ok(())
}

struct Columns {
    half: usize,
    second: usize,
}

impl Columns {
    /// GNU's arithmetic: the second column begins at a tab stop.
    fn new(width: usize) -> Self {
        let (tab, gutter) = (8, 3);
        let offset = (width + tab + gutter) / (2 * tab) * tab;
        let half = offset
            .saturating_sub(gutter)
            .min(width.saturating_sub(offset));
        Self {
            half,
            second: if half > 0 { offset } else { width },
        }
    }

    fn row(
        &self,
        left: Option<&[u8]>,
        mark: u8,
        right: Option<&[u8]>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut column = match left {
            Some(text) => cell(text, self.half, out)?,
            None => 0,
        };
        if mark != b' ' {
            let place = (self.half + self.second - 1) >> 1;
            column = tabs(column, place, out)?;
            out.write_all(&[mark])?;
            column += 1;
        }
        if let Some(text) = right
            && !text.is_empty()
        {
            tabs(column, self.second, out)?;
            cell(text, self.half, out)?;
        }
        out.write_all(b"\n")
    }
}

/// Moves from `column` to `to`, with tabs where they fit.
fn tabs(mut column: usize, to: usize, out: &mut impl Write) -> io::Result<usize> {
    while column < to {
        let stop = (column / 8 + 1) * 8;
        if stop <= to {
            out.write_all(b"\t")?;
            column = stop;
        } else {
            out.write_all(b" ")?;
            column += 1;
        }
    }
    Ok(column)
}

fn cell(text: &[u8], width: usize, out: &mut impl Write) -> io::Result<usize> {
    let mut column = 0;
    for c in String::from_utf8_lossy(text).chars() {
        let next = if c == '\t' {
            (column / 8 + 1) * 8
        } else {
            column + 1
        };
        if next > width {
            break;
        }
        if c == '\t' {
            out.write_all(" ".repeat(next - column).as_bytes())?;
        } else {
            out.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
        }
        column = next;
    }
    Ok(column)
}
