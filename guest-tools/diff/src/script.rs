//! The changes between two files: the shortest edit script (Myers), in linear space.

use crate::{command_line::Job, lines::Lines};

/// Lines `left` of the old file become lines `right` of the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub left: std::ops::Range<usize>,
    pub right: std::ops::Range<usize>,
    /// Options say that it does not count.
    pub ignored: bool,
}

/// The changes that turn `left` into `right`.
pub fn changes(left: &[u32], right: &[u32]) -> Vec<Change> {
    let mut finder = Finder {
        left,
        right,
        removed: vec![false; left.len()],
        added: vec![false; right.len()],
        forward: vec![0; left.len() + right.len() + 3],
        backward: vec![0; left.len() + right.len() + 3],
    };
    finder.compare(0, left.len(), 0, right.len());
    shift(left, &mut finder.removed, &finder.added);
    let removed_now = finder.removed.clone();
    shift(right, &mut finder.added, &removed_now);
    collect(&finder.removed, &finder.added)
}

struct Finder<'a> {
    left: &'a [u32],
    right: &'a [u32],
    removed: Vec<bool>,
    added: Vec<bool>,
    forward: Vec<isize>,
    backward: Vec<isize>,
}

impl Finder<'_> {
    fn compare(&mut self, mut x: usize, mut x_end: usize, mut y: usize, mut y_end: usize) {
        while x < x_end && y < y_end && self.left[x] == self.right[y] {
            x += 1;
            y += 1;
        }
        while x < x_end && y < y_end && self.left[x_end - 1] == self.right[y_end - 1] {
            x_end -= 1;
            y_end -= 1;
        }
        if x == x_end {
            self.added[y..y_end].fill(true);
        } else if y == y_end {
            self.removed[x..x_end].fill(true);
        } else {
            let (middle_x, middle_y) = self.middle(x, x_end, y, y_end);
            self.compare(x, middle_x, y, middle_y);
            self.compare(middle_x, x_end, middle_y, y_end);
        }
    }

    /// A point that a shortest path passes, as GNU's `diag`.
    fn middle(&mut self, x: usize, x_end: usize, y: usize, y_end: usize) -> (usize, usize) {
        let (x, x_end) = (x.cast_signed(), x_end.cast_signed());
        let (y, y_end) = (y.cast_signed(), y_end.cast_signed());
        let offset = self.right.len().cast_signed() + 1;
        let (least, most) = (x - y_end, x_end - y);
        let (front, back) = (x - y, x_end - y_end);
        let odd = (front - back) & 1 != 0;
        let (mut front_low, mut front_high) = (front, front);
        let (mut back_low, mut back_high) = (back, back);
        let at = |diagonal: isize| (offset + diagonal) as usize;
        self.forward[at(front)] = x;
        self.backward[at(back)] = x_end;
        loop {
            if front_low > least {
                front_low -= 1;
                self.forward[at(front_low - 1)] = -1;
            } else {
                front_low += 1;
            }
            if front_high < most {
                front_high += 1;
                self.forward[at(front_high + 1)] = -1;
            } else {
                front_high -= 1;
            }
            let mut diagonal = front_high;
            while diagonal >= front_low {
                let (low, high) = (
                    self.forward[at(diagonal - 1)],
                    self.forward[at(diagonal + 1)],
                );
                let mut px = if low < high { high } else { low + 1 };
                let mut py = px - diagonal;
                while px < x_end && py < y_end && self.left[px as usize] == self.right[py as usize]
                {
                    px += 1;
                    py += 1;
                }
                self.forward[at(diagonal)] = px;
                if odd
                    && back_low <= diagonal
                    && diagonal <= back_high
                    && self.backward[at(diagonal)] <= px
                {
                    return (px as usize, py as usize);
                }
                diagonal -= 2;
            }
            if back_low > least {
                back_low -= 1;
                self.backward[at(back_low - 1)] = isize::MAX;
            } else {
                back_low += 1;
            }
            if back_high < most {
                back_high += 1;
                self.backward[at(back_high + 1)] = isize::MAX;
            } else {
                back_high -= 1;
            }
            let mut diagonal = back_high;
            while diagonal >= back_low {
                let (low, high) = (
                    self.backward[at(diagonal - 1)],
                    self.backward[at(diagonal + 1)],
                );
                let mut px = if low < high { low } else { high - 1 };
                let mut py = px - diagonal;
                while px > x && py > y && self.left[px as usize - 1] == self.right[py as usize - 1]
                {
                    px -= 1;
                    py -= 1;
                }
                self.backward[at(diagonal)] = px;
                if !odd
                    && front_low <= diagonal
                    && diagonal <= front_high
                    && px <= self.forward[at(diagonal)]
                {
                    return (px as usize, py as usize);
                }
                diagonal -= 2;
            }
        }
    }
}

/// Moves runs of changed lines as far down as they go, and together with the other file's runs,
/// as GNU's `shift_boundaries`.
fn shift(lines: &[u32], changed: &mut [bool], other: &[bool]) {
    let end = lines.len();
    let is =
        |flags: &[bool], at: isize| at >= 0 && flags.get(at as usize).copied().unwrap_or(false);
    let (mut i, mut j) = (0usize, 0isize);
    loop {
        while i < end && !changed[i] {
            while is(other, j) {
                j += 1;
            }
            j += 1;
            i += 1;
        }
        if i == end {
            return;
        }
        let mut start = i;
        while i < end && changed[i] {
            i += 1;
        }
        while is(other, j) {
            j += 1;
        }
        let mut corresponding;
        loop {
            let length = i - start;
            while start > 0 && lines[start - 1] == lines[i - 1] {
                start -= 1;
                i -= 1;
                changed[start] = true;
                changed[i] = false;
                while start > 0 && changed[start - 1] {
                    start -= 1;
                }
                j -= 1;
                while is(other, j) {
                    j -= 1;
                }
            }
            corresponding = if is(other, j - 1) { i } else { end };
            while i != end && lines[start] == lines[i] {
                changed[start] = false;
                changed[i] = true;
                start += 1;
                i += 1;
                while i < end && changed[i] {
                    i += 1;
                }
                j += 1;
                while is(other, j) {
                    corresponding = i;
                    j += 1;
                }
            }
            if length == i - start {
                break;
            }
        }
        while corresponding < i {
            start -= 1;
            i -= 1;
            changed[start] = true;
            changed[i] = false;
            j -= 1;
            while is(other, j) {
                j -= 1;
            }
        }
    }
}

fn collect(removed: &[bool], added: &[bool]) -> Vec<Change> {
    let (mut x, mut y, mut changes) = (0, 0, Vec::new());
    while x < removed.len() || y < added.len() {
        let (from_x, from_y) = (x, y);
        while x < removed.len() && removed[x] {
            x += 1;
        }
        while y < added.len() && added[y] {
            y += 1;
        }
        if x > from_x || y > from_y {
            changes.push(Change {
                left: from_x..x,
                right: from_y..y,
                ignored: false,
            });
        } else {
            x += 1;
            y += 1;
        }
    }
    changes
}

/// Marks the changes that `-B` and `-I` leave out.
pub fn ignore(job: &Job, left: &Lines<'_>, right: &Lines<'_>, changes: &mut [Change]) {
    if !job.ignore_blank_lines && job.ignore_matching.is_none() {
        return;
    }
    let is_blank = |line: &[u8]| {
        job.ignore_blank_lines
            && line.iter().all(|b| {
                b.is_ascii_whitespace() && (job.ignore_all_space || job.ignore_space_change)
            })
    };
    let trivial = |line: &&[u8]| {
        is_blank(line)
            || job
                .ignore_matching
                .as_ref()
                .is_some_and(|matcher| matcher.is_match(line))
    };
    for change in changes {
        change.ignored = left.lines[change.left.clone()].iter().all(trivial)
            && right.lines[change.right.clone()].iter().all(trivial);
    }
}
