//! A file as lines, and which lines count as equal.

use std::{collections::HashMap, hash::Hash};

use crate::command_line::Job;

/// A file's lines, without their ends.
pub struct Lines<'a> {
    pub lines: Vec<&'a [u8]>,
    /// The last line has its newline.
    pub ended: bool,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        let mut lines: Vec<&[u8]> = text.split(|&b| b == b'\n').collect();
        let ended = lines.last().is_none_or(|last| last.is_empty());
        if ended {
            lines.pop();
        }
        Self {
            lines,
            ended: ended || text.is_empty(),
        }
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }
}

/// Numbers for the lines of two files, the same for lines that count as equal.
pub fn classes(job: &Job, left: &Lines<'_>, right: &Lines<'_>) -> (Vec<u32>, Vec<u32>) {
    let plain = !(job.ignore_case
        || job.ignore_all_space
        || job.ignore_space_change
        || job.ignore_trailing_space
        || job.strip_cr);
    // An unterminated last line differs from a terminated one.
    let loose = job.ignore_all_space || job.ignore_space_change || job.ignore_trailing_space;
    if plain {
        return number(left, right, |line| line, loose);
    }
    number(left, right, |line| normalized(job, line), loose)
}

fn number<'a, K: Eq + Hash>(
    left: &Lines<'a>,
    right: &Lines<'a>,
    key: impl Fn(&'a [u8]) -> K,
    loose: bool,
) -> (Vec<u32>, Vec<u32>) {
    let mut known: HashMap<(K, bool), u32> = HashMap::new();
    let mut of = |file: &Lines<'a>| -> Vec<u32> {
        let last = file.len().wrapping_sub(1);
        let each = file.lines.iter().enumerate();
        each.map(|(at, line)| {
            let unended = !loose && at == last && !file.ended;
            let next = known.len() as u32;
            *known.entry((key(line), unended)).or_insert(next)
        })
        .collect()
    };
    let left = of(left);
    (left, of(right))
}

fn normalized(job: &Job, line: &[u8]) -> Vec<u8> {
    let line = if job.strip_cr {
        line.strip_suffix(b"\r").unwrap_or(line)
    } else {
        line
    };
    let mut out = Vec::with_capacity(line.len());
    let mut pending = false;
    for &byte in line {
        if byte.is_ascii_whitespace() {
            if job.ignore_all_space {
                continue;
            }
            if job.ignore_space_change {
                pending = true;
                continue;
            }
        }
        if std::mem::take(&mut pending) {
            out.push(b' ');
        }
        out.push(if job.ignore_case {
            byte.to_ascii_lowercase()
        } else {
            byte
        });
    }
    if job.ignore_trailing_space {
        while out.last().is_some_and(u8::is_ascii_whitespace) {
            out.pop();
        }
    }
    out
}
