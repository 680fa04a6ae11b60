//! Searching one open file: which lines are selected, in which order they are printed.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

use crate::{
    command_line::{Binary, Job, Show},
    output::{Kind, Output},
    pattern::Patterns,
};

const CHUNK: usize = 128 * 1024;
/// GNU looks this far for a NUL byte before it prints anything.
const FIRST_LOOK: usize = 32 * 1024;

/// What came of a file.
#[derive(Debug, Default)]
pub struct Result {
    pub selected: u64,
    /// How much was read beyond the last line that `-m` allows.
    pub unread: usize,
}

pub struct Search<'a, R> {
    job: &'a Job,
    patterns: &'a Patterns,
    input: R,
    buffer: Vec<u8>,
    /// Offset in the file of the buffer's first byte, and lines before it.
    base: u64,
    at_end: bool,
    /// Where unread lines begin, in the buffer.
    at: usize,
    /// Where the last printed line ended, in the buffer.
    printed_to: usize,
    /// Where that is in the file; `None` before anything of it was printed.
    printed_offset: Option<u64>,
    pending_after: usize,
    selected: u64,
    /// Lines before `numbered_to`, for line numbers.
    lines: u64,
    numbered_to: usize,
    /// The last match found past a line that had none: for inverted searches.
    next_match: Option<(usize, usize)>,
    is_binary: bool,
    quiet_binary: bool,
    /// A selected line could not be shown.
    unreadable: bool,
}

impl<'a, R: Read> Search<'a, R> {
    pub fn new(job: &'a Job, patterns: &'a Patterns, input: R) -> Self {
        Self {
            job,
            patterns,
            input,
            buffer: Vec::new(),
            base: 0,
            at_end: false,
            at: 0,
            printed_to: 0,
            printed_offset: None,
            pending_after: 0,
            selected: 0,
            lines: 0,
            numbered_to: 0,
            next_match: None,
            is_binary: false,
            quiet_binary: false,
            unreadable: false,
        }
    }

    /// Searches to the end, or as far as the answer needs.
    pub fn run(&mut self, out: &mut Output<'_>) -> io::Result<Result> {
        let first = self.fill()?;
        if self.job.binary != Binary::Text && first {
            let look = &self.buffer[..self.buffer.len().min(FIRST_LOOK)];
            self.is_binary = self.patterns.terminator() == b'\n' && memchr(0, look).is_some();
            if self.is_binary && self.job.binary == Binary::Skip {
                return Ok(Result::default());
            }
        }
        self.quiet_binary = self.is_binary && self.prints_lines();
        loop {
            if self.window(out)? {
                break;
            }
            if self.at_end {
                break;
            }
            self.shift();
            self.fill()?;
        }
        if self.unreadable && self.job.binary == Binary::Message {
            out.binary_message()?;
        }
        let stopped = self.job.max_count == Some(self.selected);
        let unread = if stopped {
            self.buffer.len().saturating_sub(self.at)
        } else {
            0
        };
        Ok(Result {
            selected: self.selected,
            unread,
        })
    }

    fn prints_lines(&self) -> bool {
        matches!(self.job.show, Show::Lines | Show::OnlyMatching)
    }

    /// Reads until a whole line is there or the end; true when anything is in the buffer.
    fn fill(&mut self) -> io::Result<bool> {
        let terminator = self.patterns.terminator();
        loop {
            let old = self.buffer.len();
            self.buffer.resize(old + CHUNK.max(old / 2), 0);
            let count = loop {
                match self.input.read(&mut self.buffer[old..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            match count {
                Ok(count) => self.buffer.truncate(old + count),
                Err(error) => {
                    self.buffer.truncate(old);
                    return Err(error);
                }
            }
            if self.buffer.len() == old {
                self.at_end = true;
                return Ok(!self.buffer.is_empty());
            }
            if memrchr(terminator, &self.buffer[old..]).is_some() {
                return Ok(true);
            }
        }
    }

    /// Drops what is neither unread nor wanted as context.
    fn shift(&mut self) {
        let mut keep = self.at;
        for _ in 0..self.job.before {
            if keep <= self.printed_to {
                break;
            }
            keep = self.line_start(keep - 1).max(self.printed_to);
        }
        self.count_lines(keep);
        self.buffer.drain(..keep);
        self.base += keep as u64;
        self.at -= keep;
        self.printed_to = self.printed_to.saturating_sub(keep);
        self.numbered_to = 0;
        self.next_match = None;
    }

    fn count_lines(&mut self, to: usize) {
        if self.job.line_numbers && to > self.numbered_to {
            let terminator = self.patterns.terminator();
            let part = &self.buffer[self.numbered_to..to];
            self.lines += memchr::memchr_iter(terminator, part).count() as u64;
            self.numbered_to = to;
        }
    }

    fn line_start(&self, within: usize) -> usize {
        memrchr(self.patterns.terminator(), &self.buffer[..within]).map_or(0, |at| at + 1)
    }

    /// Where the line of `within` ends, its terminator included.
    fn line_end(&self, within: usize) -> usize {
        memchr(self.patterns.terminator(), &self.buffer[within..])
            .map_or(self.buffer.len(), |at| within + at + 1)
    }

    /// Searches the whole lines in the buffer; true when the search is over.
    fn window(&mut self, out: &mut Output<'_>) -> io::Result<bool> {
        let limit = if self.at_end {
            self.buffer.len()
        } else {
            memrchr(self.patterns.terminator(), &self.buffer).map_or(0, |at| at + 1)
        };
        while let Some((start, end)) = self.next_selected(limit) {
            self.selected += 1;
            self.at = end;
            match self.job.show {
                Show::Nothing | Show::FilesWith | Show::FilesWithout => return Ok(true),
                Show::Count => {}
                Show::Lines | Show::OnlyMatching if self.quiet_binary => {
                    self.unreadable = true;
                    return Ok(true);
                }
                Show::Lines | Show::OnlyMatching => {
                    if !self.selected_line(start, end, out)? {
                        return Ok(true);
                    }
                }
            }
            if self.job.max_count == Some(self.selected) {
                self.print_pending(limit, out)?;
                return Ok(true);
            }
        }
        self.at = limit;
        self.print_pending(limit, out)?;
        Ok(false)
    }

    /// The next selected line at or after `at`, before `limit`.
    fn next_selected(&mut self, limit: usize) -> Option<(usize, usize)> {
        let mut from = self.at;
        if !self.job.invert {
            return self.next_matching(from, limit);
        }
        while from < limit {
            let matching = match self.next_match.filter(|&(start, _)| start >= from) {
                Some(known) => Some(known),
                None => self.next_matching(from, limit),
            };
            self.next_match = Some(matching.unwrap_or((limit, limit)));
            match matching {
                Some((start, end)) if start == from => from = end,
                _ => return Some((from, self.line_end(from).min(limit))),
            }
        }
        self.at = from;
        None
    }

    fn next_matching(&self, from: usize, limit: usize) -> Option<(usize, usize)> {
        if from >= limit {
            return None;
        }
        if !self.patterns.whole_buffer {
            return self.next_matching_by_line(from, limit);
        }
        let text = &self.buffer[..limit];
        let ends_in_terminator = text.last() == Some(&self.patterns.terminator());
        let (start, _) = self.patterns.find_at(text, from)?;
        // After the last terminator there is no line.
        if start == limit && ends_in_terminator {
            return None;
        }
        Some((
            self.line_start(start).max(from),
            self.line_end(start).min(limit),
        ))
    }

    fn next_matching_by_line(&self, mut from: usize, limit: usize) -> Option<(usize, usize)> {
        while from < limit {
            let end = self.line_end(from).min(limit);
            if self.patterns.find_at(self.content(from, end), 0).is_some() {
                return Some((from, end));
            }
            from = end;
        }
        None
    }

    /// A line without its terminator.
    fn content(&self, start: usize, end: usize) -> &[u8] {
        let line = &self.buffer[start..end];
        line.strip_suffix(&[self.patterns.terminator()])
            .unwrap_or(line)
    }

    /// Prints a selected line with its context; false when the file turned out binary.
    fn selected_line(
        &mut self,
        start: usize,
        end: usize,
        out: &mut Output<'_>,
    ) -> io::Result<bool> {
        self.print_pending(start, out)?;
        let mut context = start;
        for _ in 0..self.job.before {
            if context <= self.printed_to {
                break;
            }
            context = self.line_start(context - 1).max(self.printed_to);
        }
        let begins = self.base + context as u64;
        if self.job.context && out.printed && self.printed_offset != Some(begins) {
            out.separator(self.job.separator.as_deref())?;
        }
        while context < start {
            let line_end = self.line_end(context);
            if !self.print_line(context, line_end, Kind::Context, out)? {
                return Ok(false);
            }
            context = line_end;
        }
        self.pending_after = self.job.after;
        self.print_line(start, end, Kind::Selected, out)
    }

    /// Prints the lines still owed after the last selected one, up to `limit`.
    fn print_pending(&mut self, limit: usize, out: &mut Output<'_>) -> io::Result<()> {
        while self.pending_after > 0 && self.printed_to < limit && self.printed_offset.is_some() {
            let end = self.line_end(self.printed_to).min(limit);
            self.pending_after -= 1;
            if !self.print_line(self.printed_to, end, Kind::Context, out)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn print_line(
        &mut self,
        start: usize,
        end: usize,
        kind: Kind,
        out: &mut Output<'_>,
    ) -> io::Result<bool> {
        let line = self.content(start, end);
        if self.job.binary != Binary::Text {
            if self.patterns.terminator() == b'\n' && memchr(0, line).is_some() {
                self.unreadable = true;
                return Ok(false);
            }
            if std::str::from_utf8(line).is_err() {
                // Only this line is left out; the message at the end tells.
                self.unreadable = true;
                return Ok(true);
            }
        }
        self.count_lines(start);
        let number = self.lines + 1;
        let line = self.content(start, end);
        if self.job.show == Show::OnlyMatching {
            if kind == Kind::Selected && !self.job.invert {
                out.only_matching(line, number, self.base + start as u64, self.patterns)?;
            }
        } else {
            out.line(line, kind, number, self.base + start as u64, self.patterns)?;
        }
        out.printed = true;
        self.printed_offset = Some(self.base + end as u64);
        self.printed_to = end;
        Ok(true)
    }
}
