//! Pages, row by row. The order of steps is GNU pr's, because its output depends on it.

use std::io::Write;

use options::reason;

use super::{
    column::{Column, Source, Status},
    settings::{FOOTER_LINES, Layout, Settings},
    text::Position,
};

/// Rows are written when this much is waiting.
const WAITING_MAX: usize = 32 * 1024;

/// What stands at the head of a page, besides its number.
pub struct Heading {
    pub date: String,
    pub title: String,
}

/// One file, or several side by side, on the way to the output.
pub struct Pages<'a> {
    pub settings: &'a Settings,
    pub layout: Layout,
    pub sources: Vec<Source>,
    pub columns: Vec<Column>,
    pub out: Vec<u8>,
    pub position: Position,
    /// Lines of stored columns, with how far their text goes.
    pub stored: Vec<(Vec<u8>, i64)>,
    pub storing: Vec<u8>,
    /// Inputs that are open and not on hold.
    pub ready: usize,
    pub line_number: i64,
    pub header_due: bool,
    pub form_feed_due: bool,
    pub form_feed_only: bool,
    pub empty_row: bool,
    pub align_empty: bool,
    /// A row was begun, so that it needs its newline.
    pub row_printed: bool,
    heading: Heading,
    page_number: u64,
    complaint: Option<String>,
}

impl<'a> Pages<'a> {
    pub fn new(
        settings: &'a Settings,
        layout: Layout,
        sources: Vec<Source>,
        heading: Heading,
    ) -> Self {
        let columns =
            (0..layout.columns).map(|at| Column::new(if layout.parallel { at } else { 0 }));
        let columns = columns.collect();
        let mut pages = Self {
            settings,
            ready: sources.len(),
            sources,
            columns,
            out: Vec::new(),
            position: Position::default(),
            stored: Vec::new(),
            storing: Vec::new(),
            line_number: settings.first_number.unwrap_or(1),
            header_due: false,
            form_feed_due: false,
            form_feed_only: false,
            empty_row: true,
            align_empty: false,
            row_printed: false,
            heading,
            page_number: 1,
            complaint: None,
            layout,
        };
        pages.place_columns();
        pages
    }

    /// What to say besides the output.
    pub fn complaint(&mut self) -> Option<String> {
        self.complaint.take()
    }

    /// Prints the wanted pages.
    ///
    /// # Errors
    /// A read or write error.
    pub fn print(&mut self, out: &mut impl Write) -> Result<(), String> {
        let first = self.settings.pages.map_or(1, |(first, _)| first);
        if self.skip_pages(first) {
            self.page_number = first;
            while self.page(out)? {}
        }
        self.write_waiting(out)?;
        let failed = self.sources.iter().find(|source| source.error.is_some());
        match failed.and_then(|source| source.error.as_ref().map(|error| (source, error))) {
            Some((source, error)) => Err(format!("{}: {}", source.name, reason(error))),
            None => Ok(()),
        }
    }

    fn write_waiting(&mut self, out: &mut impl Write) -> Result<(), String> {
        let written = out.write_all(&self.out);
        self.out.clear();
        written.map_err(|error| format!("write error: {}", reason(&error)))
    }

    /// Says where each column begins, the place before a separator included.
    fn place_columns(&mut self) {
        let layout = &self.layout;
        let separator = layout.separator_length();
        let mut start = self.settings.margin + separator;
        let mut end = self.settings.margin + layout.column_width;
        if layout.parallel && self.settings.number.is_some() {
            end += layout.number_width;
        }
        for (at, column) in self.columns.iter_mut().enumerate() {
            column.numbered = self.settings.number.is_some() && (!layout.parallel || at == 0);
            column.start = start;
            if layout.truncate {
                start = end + separator;
                end = start + layout.column_width;
            } else {
                start = 0;
            }
        }
    }

    fn printable_columns(&self) -> usize {
        let stored = self.layout.stored;
        let ready = |column: &&Column| {
            matches!(column.status, Status::Open | Status::FormFeed)
                || stored && column.stored_lines > 0 && column.lines_to_print > 0
        };
        self.columns.iter().filter(ready).count()
    }

    fn begin_page(&mut self) {
        if self.layout.stored {
            self.store_columns();
        }
        for column in &mut self.columns {
            column.lines_to_print = match column.status {
                _ if self.layout.stored => column.stored_lines,
                Status::Open => self.layout.body_lines,
                _ => 0,
            };
        }
    }

    /// Prints a page; false when it was the last.
    fn page(&mut self, out: &mut impl Write) -> Result<bool, String> {
        self.begin_page();
        if self.printable_columns() == 0 {
            return Ok(false);
        }
        self.header_due |= self.layout.extremities;
        let mut lines_left = self.layout.body_lines;
        if self.settings.double_space {
            lines_left *= 2;
        }
        let mut any = false;
        while lines_left > 0 && self.printable_columns() > 0 {
            any |= self.row();
            if self.row_printed {
                self.out.push(b'\n');
                lines_left -= 1;
            }
            if self.printable_columns() == 0 && !self.layout.extremities {
                break;
            }
            if self.settings.double_space && any {
                self.out.push(b'\n');
                lines_left -= 1;
            }
            if self.out.len() > WAITING_MAX {
                self.write_waiting(out)?;
            }
        }
        if lines_left == 0 {
            let open = self.columns.iter_mut().filter(|c| c.status == Status::Open);
            open.for_each(|column| column.full_page_printed = true);
        }
        self.end_page(any, lines_left);
        self.page_number += 1;
        let last = self.settings.pages.map_or(u64::MAX, |(_, last)| last);
        if last < self.page_number {
            return Ok(false);
        }
        self.reset_status();
        Ok(true)
    }

    fn end_page(&mut self, any: bool, lines_left: i64) {
        if any && self.layout.extremities {
            if self.settings.form_feed {
                self.out.push(b'\x0c');
            } else {
                (0..lines_left + FOOTER_LINES).for_each(|_| self.out.push(b'\n'));
            }
        } else if self.layout.keep_form_feeds && self.form_feed_due {
            self.out.push(b'\x0c');
            self.form_feed_due = false;
        }
    }

    /// Prints a line of every column; whether any column printed something.
    fn row(&mut self) -> bool {
        self.position = Position::default();
        (self.row_printed, self.align_empty, self.empty_row) = (false, false, true);
        let mut any = false;
        for at in 0..self.columns.len() {
            self.position.input = 0;
            let column = &self.columns[at];
            if column.lines_to_print > 0 || column.status == Status::FormFeed {
                self.form_feed_only = false;
                self.position.padding = column.start;
                if !self.print_line(at) {
                    self.read_rest(at);
                }
                any |= self.row_printed;
                self.columns[at].lines_to_print -= 1;
                if self.columns[at].lines_to_print <= 0 && self.printable_columns() == 0 {
                    break;
                }
                let status = self.columns[at].status;
                if self.layout.parallel && status != Status::Open {
                    if self.empty_row {
                        self.align_empty = true;
                    } else if status == Status::Closed || self.form_feed_only {
                        self.align_column(at);
                    }
                }
            } else if self.layout.parallel {
                if self.empty_row {
                    self.align_empty = true;
                } else {
                    self.align_column(at);
                }
            }
            self.position.separators += i64::from(self.layout.separator.is_some());
        }
        any
    }

    fn print_line(&mut self, at: usize) -> bool {
        if self.layout.stored {
            self.print_stored(at);
            return true;
        }
        self.read_line(at)
    }

    pub fn print_header(&mut self) {
        self.position.output = 0;
        self.pad_to(self.settings.margin);
        self.write_white_space();
        let page = format!("Page {}", self.page_number);
        let Heading { date, title } = &self.heading;
        let taken: usize = [date, title, &page]
            .iter()
            .map(|text| text.chars().count())
            .sum();
        let room = self.settings.width - taken as i64;
        let before = room.max(0) as usize / 2;
        let after = room.max(0) as usize - before;
        let margin = " ".repeat(self.settings.margin as usize);
        let (before, after) = (" ".repeat(before.max(1)), " ".repeat(after.max(1)));
        let header = format!("\n\n{margin}{date}{before}{title}{after}{page}\n\n\n");
        self.out.extend(header.bytes());
        self.header_due = false;
        self.position.output = 0;
    }

    /// Reads over the pages before `page`; false when there are not so many.
    fn skip_pages(&mut self, page: u64) -> bool {
        for number in 1..page {
            for line in 1..=self.layout.body_lines {
                let last = line == self.layout.body_lines;
                for at in 0..self.columns.len() {
                    if self.columns[at].status == Status::Open {
                        self.skip_line(at, last);
                    }
                }
            }
            if self.layout.stored {
                let open = self
                    .columns
                    .iter_mut()
                    .filter(|c| c.status != Status::Closed);
                open.for_each(|column| column.status = Status::OnHold);
            }
            self.reset_status();
            if self.ready == 0 {
                self.complaint = Some(format!(
                    "starting page number {page} exceeds page count {number}"
                ));
                return false;
            }
        }
        true
    }

    fn reset_status(&mut self) {
        for column in &mut self.columns {
            if column.status == Status::OnHold {
                column.status = Status::Open;
                self.ready += 1;
            }
        }
        if self.layout.stored {
            self.ready = usize::from(self.columns[0].status != Status::Closed);
        }
    }
}
