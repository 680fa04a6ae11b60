//! Lines into columns: reading them, storing them, and writing them with their padding.

use super::{column::Status, page::Pages};

/// Where the row at hand stands. Blanks, separators and the padding before a column are written
/// only when text follows.
#[derive(Debug, Default)]
pub struct Position {
    pub input: i64,
    pub output: i64,
    pub spaces: i64,
    pub separators: i64,
    pub padding: i64,
}

fn tab_width(tab: i64, column: i64) -> i64 {
    tab - column % tab
}

fn is_printable(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

impl Pages<'_> {
    pub fn store_columns(&mut self) {
        self.stored.clear();
        let mut columns = 0;
        while columns < self.columns.len() && self.ready > 0 {
            let mut left = self.layout.body_lines;
            while left > 0 && self.ready > 0 {
                left -= 1;
                if self.columns[columns].status != Status::Open {
                    continue;
                }
                self.position.input = 0;
                if !self.read_line(columns) {
                    self.read_rest(columns);
                }
                let line = std::mem::take(&mut self.storing);
                if self.columns[columns].status == Status::Open || !line.is_empty() {
                    self.stored.push((line, self.position.input));
                }
            }
            columns += 1;
        }
        let (count, total) = (self.columns.len(), self.stored.len());
        let mut first = 0;
        for (at, column) in self.columns.iter_mut().enumerate() {
            let lines = total / count + usize::from(at < total % count);
            (column.stored_lines, column.current_line) = (lines as i64, first);
            first += lines;
        }
    }

    /// Reads column `at`'s next line into its place; false when it was too long for it.
    pub fn read_line(&mut self, at: usize) -> bool {
        let column = &mut self.columns[at];
        let source = &mut self.sources[column.source];
        let mut next = source.next();
        if next == Some(b'\x0c') && std::mem::take(&mut column.full_page_printed) {
            next = source.next();
            if next == Some(b'\n') {
                next = source.next();
            }
        }
        column.full_page_printed = false;
        let byte = match next {
            Some(b'\x0c') => {
                source.skip_newline();
                self.lone_form_feed(at);
                return true;
            }
            None => {
                self.close(at);
                return true;
            }
            Some(byte) => byte,
        };
        let before = self.position.input;
        let clump = if byte == b'\n' {
            Vec::new()
        } else {
            self.clump(byte)
        };
        if self.too_wide() {
            self.position.input = before;
            return false;
        }
        if !self.layout.stored {
            self.begin_text(at);
        }
        if self.columns[at].numbered {
            self.write_line_number();
        }
        self.empty_row = false;
        if byte == b'\n' {
            return true;
        }
        clump.into_iter().for_each(|byte| self.emit(byte));
        self.rest_of_text(at)
    }

    fn rest_of_text(&mut self, at: usize) -> bool {
        loop {
            let source = &mut self.sources[self.columns[at].source];
            let byte = match source.next() {
                Some(b'\n') => return true,
                Some(b'\x0c') => {
                    source.skip_newline();
                    self.form_feed_due |= self.layout.keep_form_feeds;
                    self.hold(at);
                    return true;
                }
                None => {
                    self.close(at);
                    return true;
                }
                Some(byte) => byte,
            };
            let before = self.position.input;
            let clump = self.clump(byte);
            if self.too_wide() {
                self.position.input = before;
                return false;
            }
            clump.into_iter().for_each(|byte| self.emit(byte));
        }
    }

    fn too_wide(&self) -> bool {
        self.layout.truncate && self.position.input > self.layout.column_width
    }

    fn lone_form_feed(&mut self, at: usize) {
        self.form_feed_only = true;
        if self.header_due && !self.layout.stored {
            self.row_printed = true;
            self.print_header();
        } else {
            self.form_feed_due |= self.layout.keep_form_feeds;
        }
        self.hold(at);
    }

    /// What comes before a column's text: the header, and what earlier columns left out.
    fn begin_text(&mut self, at: usize) {
        self.row_printed = true;
        if self.header_due {
            self.print_header();
        }
        if self.layout.parallel && self.align_empty {
            let separators = std::mem::take(&mut self.position.separators);
            for column in 0..separators as usize {
                self.align_column(column);
                self.position.separators += 1;
            }
            self.position.padding = self.columns[at].start;
            let width = self.layout.column_width;
            self.position.spaces = if self.layout.truncate { width } else { 0 };
            self.align_empty = false;
        }
        self.pad_and_separate();
    }

    fn pad_and_separate(&mut self) {
        let separator = self.layout.separator_length();
        if separator < self.position.padding {
            self.pad_to(self.position.padding - separator);
            self.position.padding = 0;
        }
        if self.layout.separator.is_some() {
            self.write_separators();
        }
    }

    /// Fills the place of a column that has no text in this row.
    pub fn align_column(&mut self, at: usize) {
        self.position.padding = self.columns[at].start;
        self.pad_and_separate();
        if self.columns[at].numbered {
            self.write_line_number();
        }
    }

    pub fn print_stored(&mut self, at: usize) {
        self.row_printed = true;
        if self.header_due {
            self.print_header();
        }
        let line = self.columns[at].current_line;
        self.columns[at].current_line += 1;
        if self.columns[at].status == Status::FormFeed {
            self.columns
                .iter_mut()
                .for_each(|column| column.status = Status::OnHold);
            if self.columns[0].lines_to_print <= 0 {
                self.row_printed &= self.layout.extremities;
                return;
            }
        }
        self.pad_and_separate();
        let Some((text, end)) = self.stored.get_mut(line).map(std::mem::take) else {
            return;
        };
        text.into_iter().for_each(|byte| self.write(byte));
        if self.position.spaces == 0 {
            let separator = self.layout.separator_length();
            self.position.output = self.columns[at].start + end;
            if self.columns[at].start - separator == self.settings.margin {
                self.position.output -= separator;
            }
        }
    }

    /// Skips what is left of a line.
    pub fn read_rest(&mut self, at: usize) {
        loop {
            let source = &mut self.sources[self.columns[at].source];
            match source.next() {
                Some(b'\n') => return,
                Some(b'\x0c') => {
                    source.skip_newline();
                    self.form_feed_due |= self.layout.keep_form_feeds;
                    return self.hold(at);
                }
                None => return self.close(at),
                Some(_) => {}
            }
        }
    }

    /// Reads over a line of a page that is not printed.
    pub fn skip_line(&mut self, at: usize, last: bool) {
        let column = &mut self.columns[at];
        let source = &mut self.sources[column.source];
        let mut next = source.next();
        if next == Some(b'\x0c') && column.full_page_printed {
            next = source.next();
            if next == Some(b'\n') {
                next = source.next();
            }
        }
        let lone = next == Some(b'\x0c');
        column.full_page_printed = last;
        loop {
            match next {
                Some(b'\n') => break,
                Some(b'\x0c') => {
                    self.sources[self.columns[at].source].skip_newline();
                    if last {
                        self.forget_full_pages(at);
                    }
                    self.hold(at);
                    break;
                }
                None => {
                    self.close(at);
                    break;
                }
                Some(_) => next = self.sources[self.columns[at].source].next(),
            }
        }
        let counts = !self.layout.parallel || at == 0;
        if self.settings.first_number.is_none() && counts && !lone {
            self.line_number += 1;
        }
    }

    fn forget_full_pages(&mut self, at: usize) {
        if self.layout.parallel {
            self.columns[at].full_page_printed = false;
        } else {
            self.columns
                .iter_mut()
                .for_each(|column| column.full_page_printed = false);
        }
    }

    fn hold(&mut self, at: usize) {
        if self.layout.parallel {
            self.columns[at].status = Status::OnHold;
        } else {
            let status = if self.layout.stored {
                Status::FormFeed
            } else {
                Status::OnHold
            };
            self.columns
                .iter_mut()
                .for_each(|column| column.status = status);
        }
        self.columns[at].lines_to_print = 0;
        self.ready = self.ready.saturating_sub(1);
    }

    fn close(&mut self, at: usize) {
        if self.columns[at].status == Status::Closed {
            return;
        }
        if self.layout.parallel {
            self.columns[at].status = Status::Closed;
            self.columns[at].lines_to_print = 0;
        } else {
            for column in &mut self.columns {
                column.status = Status::Closed;
                if column.stored_lines == 0 {
                    column.lines_to_print = 0;
                }
            }
        }
        self.ready = self.ready.saturating_sub(1);
    }

    /// A byte as it is shown; the input's position moves by its width.
    fn clump(&mut self, byte: u8) -> Vec<u8> {
        let tab = self.settings.input_tab;
        let (text, width) = if byte == tab.character || byte == b'\t' {
            let size = if byte == tab.character { tab.count } else { 8 };
            let width = tab_width(size, self.position.input);
            let text = if self.layout.untabify {
                vec![b' '; width as usize]
            } else {
                vec![byte]
            };
            (text, width)
        } else if is_printable(byte) {
            (vec![byte], 1)
        } else if self.settings.octal || self.settings.caret && byte >= 0x80 {
            (format!("\\{byte:03o}").into_bytes(), 4)
        } else if self.settings.caret {
            (vec![b'^', byte ^ 0o100], 2)
        } else {
            (vec![byte], if byte == 8 { -1 } else { 0 })
        };
        if width < 0 && self.position.input == 0 {
            return Vec::new();
        }
        self.position.input = (self.position.input + width).max(0);
        text
    }

    fn write_line_number(&mut self) {
        let Some(number) = self.settings.number else {
            return;
        };
        let width = usize::try_from(number.count).unwrap_or(0);
        let text = format!("{:>width$}", self.line_number);
        self.line_number += 1;
        text.bytes()
            .skip(text.len() - width)
            .for_each(|byte| self.emit(byte));
        if self.columns.len() == 1 {
            self.emit(number.character);
            if number.character == b'\t' {
                let tab = self.settings.output_tab.count;
                self.position.output += tab_width(tab, self.position.output);
            }
        } else if number.character == b'\t' {
            (number.count..self.layout.number_width).for_each(|_| self.emit(b' '));
        } else {
            self.emit(number.character);
        }
        if self.layout.truncate && !self.layout.parallel {
            self.position.input += self.layout.number_width;
        }
    }

    fn emit(&mut self, byte: u8) {
        if self.layout.stored {
            self.storing.push(byte);
        } else {
            self.write(byte);
        }
    }

    fn write(&mut self, byte: u8) {
        if self.layout.tabify {
            if byte == b' ' {
                self.position.spaces += 1;
                return;
            }
            if self.position.spaces > 0 {
                self.write_white_space();
            }
            if is_printable(byte) {
                self.position.output += 1;
            } else if byte == 8 {
                self.position.output -= 1;
            }
        }
        self.out.push(byte);
    }

    /// The separators that earlier columns left out; of several only the first has its text.
    fn write_separators(&mut self) {
        if self.position.separators <= 0 {
            if self.position.spaces > 0 {
                self.write_white_space();
            }
            return;
        }
        for byte in self.layout.separator.clone().unwrap_or_default() {
            if byte == b' ' {
                self.position.spaces += 1;
                continue;
            }
            if self.position.spaces > 0 {
                self.write_white_space();
            }
            self.out.push(byte);
            self.position.output += 1;
        }
        if self.position.spaces > 0 {
            self.write_white_space();
        }
        self.position.separators = 0;
    }

    pub fn pad_to(&mut self, column: i64) {
        if self.layout.tabify {
            self.position.spaces = column - self.position.output;
            return;
        }
        (self.position.output..column).for_each(|_| self.out.push(b' '));
        self.position.output = column;
    }

    pub fn write_white_space(&mut self) {
        let tab = self.settings.output_tab;
        let goal = self.position.output + self.position.spaces;
        let mut at = self.position.output;
        while goal - at > 1 && at + tab_width(tab.count, at) <= goal {
            self.out.push(tab.character);
            at += tab_width(tab.count, at);
        }
        (at..goal).for_each(|_| self.out.push(b' '));
        (self.position.output, self.position.spaces) = (goal, 0);
    }
}
