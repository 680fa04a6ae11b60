//! The command line of pr.

use std::{
    ffi::{OsStr, OsString},
    os::wasi::ffi::OsStrExt,
};

use options::{Found, Grammar, Line, Takes, quote_argument};

use super::super::{HELP, VERSION};

pub const GRAMMAR: Grammar = Grammar {
    short: "0123456789D:FJN:S::TW:abcde::fh:i::l:mn::o:rs::tvw:",
    long: &[
        ("pages", Takes::Value, PAGES),
        ("columns", Takes::Value, COLUMNS),
        ("across", Takes::Nothing, 'a' as u32),
        ("show-control-chars", Takes::Nothing, 'c' as u32),
        ("double-space", Takes::Nothing, 'd' as u32),
        ("date-format", Takes::Value, 'D' as u32),
        ("expand-tabs", Takes::Perhaps, 'e' as u32),
        ("form-feed", Takes::Nothing, 'f' as u32),
        ("header", Takes::Value, 'h' as u32),
        ("output-tabs", Takes::Perhaps, 'i' as u32),
        ("join-lines", Takes::Nothing, 'J' as u32),
        ("length", Takes::Value, 'l' as u32),
        ("merge", Takes::Nothing, 'm' as u32),
        ("number-lines", Takes::Perhaps, 'n' as u32),
        ("first-line-number", Takes::Value, 'N' as u32),
        ("indent", Takes::Value, 'o' as u32),
        ("no-file-warnings", Takes::Nothing, 'r' as u32),
        ("separator", Takes::Perhaps, 's' as u32),
        ("sep-string", Takes::Perhaps, 'S' as u32),
        ("omit-header", Takes::Nothing, 't' as u32),
        ("omit-pagination", Takes::Nothing, 'T' as u32),
        ("show-nonprinting", Takes::Nothing, 'v' as u32),
        ("width", Takes::Value, 'w' as u32),
        ("page-width", Takes::Value, 'W' as u32),
        HELP,
        VERSION,
    ],
};
const PAGES: u32 = 1000;
const COLUMNS: u32 = 1001;
const COLUMNS_WRONG: &str = "invalid number of columns";
pub const USAGE: &str = "Usage: pr [OPTION]... [FILE]...\n";

/// Lines of a header and of a footer.
const HEADER_LINES: i64 = 5;
pub const FOOTER_LINES: i64 = 5;

/// A character with a count, as of `-n:3`.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    pub character: u8,
    pub count: i64,
}

/// What was asked for; [`Settings::fit`] then works out the rest for a number of files.
#[derive(Debug, Clone)]
pub struct Settings {
    pub pages: Option<(u64, u64)>,
    pub columns: Option<i64>,
    pub across: bool,
    pub merge: bool,
    pub caret: bool,
    pub octal: bool,
    pub double_space: bool,
    pub date_format: Option<String>,
    pub input_tab: Counted,
    pub untabify: bool,
    pub output_tab: Counted,
    pub tabify: bool,
    pub form_feed: bool,
    pub header: Option<String>,
    pub join: bool,
    pub page_lines: i64,
    pub number: Option<Counted>,
    pub first_number: Option<i64>,
    pub margin: i64,
    pub quiet: bool,
    pub separator: Option<Vec<u8>>,
    pub extremities: bool,
    pub keep_form_feeds: bool,
    pub width: i64,
    pub truncate: bool,
}

impl Settings {
    fn new() -> Self {
        let tab = Counted {
            character: b'\t',
            count: 8,
        };
        Self {
            pages: None,
            columns: None,
            across: false,
            merge: false,
            caret: false,
            octal: false,
            double_space: false,
            date_format: None,
            input_tab: tab,
            untabify: false,
            output_tab: tab,
            tabify: false,
            form_feed: false,
            header: None,
            join: false,
            page_lines: 66,
            number: None,
            first_number: None,
            margin: 0,
            quiet: false,
            separator: None,
            extremities: true,
            keep_form_feeds: false,
            width: 72,
            truncate: false,
        }
    }
}

/// Reads the command line; answers what it asks for and the files.
///
/// # Errors
/// The message, and whether the advice to use `--help` follows it.
pub fn read(line: &Line) -> Result<(Settings, Vec<OsString>), (String, bool)> {
    let mut settings = Settings::new();
    let (mut digits, mut old) = (String::new(), Old::default());
    for found in &line.options {
        match char::from_u32(found.code) {
            Some(digit) if digit.is_ascii_digit() => digits.push(digit),
            // The later of `-9` and `--columns` counts.
            _ if found.code == COLUMNS => {
                digits.clear();
                settings.columns = Some(number(&found.text(), 1, COLUMNS_WRONG)?);
            }
            _ => option(&mut settings, &mut old, found)?,
        }
    }
    if !digits.is_empty() {
        settings.columns = Some(number(&digits, 1, COLUMNS_WRONG)?);
    }
    let mut files = Vec::new();
    for operand in &line.operands {
        let pages = operand.as_bytes().strip_prefix(b"+");
        match pages.and_then(|text| page_range(OsStr::from_bytes(text))) {
            Some(pages) if settings.pages.is_none() => settings.pages = Some(pages),
            _ => files.push(operand.clone()),
        }
    }
    if settings.merge && settings.columns.is_some() {
        return Err(wrong(
            "cannot specify number of columns when printing in parallel",
        ));
    }
    if settings.merge && settings.across {
        return Err(wrong(
            "cannot specify both printing across and printing in parallel",
        ));
    }
    translate_old(&mut settings, &old);
    Ok((settings, files))
}

/// The old options `-s` and `-w`, whose meaning depends on the others.
#[derive(Default)]
struct Old {
    separator: Option<Vec<u8>>,
    width: bool,
}

fn wrong(message: &str) -> (String, bool) {
    (message.to_owned(), false)
}

fn option(settings: &mut Settings, old: &mut Old, found: &Found) -> Result<(), (String, bool)> {
    let text = found.text();
    if found.code == PAGES {
        let pages = page_range(OsStr::new(&text));
        let refused = || wrong(&format!("invalid page range {}", quote_argument(&text)));
        settings.pages = Some(pages.ok_or_else(refused)?);
        return Ok(());
    }
    match char::from_u32(found.code).unwrap_or_default() {
        'a' => settings.across = true,
        'c' => settings.caret = true,
        'd' => settings.double_space = true,
        'D' => settings.date_format = Some(text),
        'e' => {
            settings.input_tab = counted(found, settings.input_tab)?;
            settings.untabify = true;
        }
        'f' | 'F' => settings.form_feed = true,
        'h' => settings.header = Some(text),
        'i' => {
            settings.output_tab = counted(found, settings.output_tab)?;
            settings.tabify = true;
        }
        'J' => settings.join = true,
        'l' => settings.page_lines = number(&text, 1, "'-l PAGE_LENGTH' invalid number of lines")?,
        'm' => settings.merge = true,
        'n' => {
            let default = Counted {
                character: b'\t',
                count: 5,
            };
            settings.number = Some(counted(found, settings.number.unwrap_or(default))?);
        }
        'N' => {
            let least = i32::MIN.into();
            let first = number(&text, least, "'-N NUMBER' invalid starting line number")?;
            settings.first_number = Some(first);
        }
        'o' => settings.margin = number(&text, 0, "'-o MARGIN' invalid line offset")?,
        'r' => settings.quiet = true,
        's' => old.separator = Some(found.value.clone().unwrap_or_default()),
        'S' => settings.separator = Some(found.value.clone().unwrap_or_default()),
        't' => (settings.extremities, settings.keep_form_feeds) = (false, true),
        'T' => (settings.extremities, settings.keep_form_feeds) = (false, false),
        'v' => settings.octal = true,
        'w' => {
            let width = number(&text, 1, "'-w PAGE_WIDTH' invalid number of characters")?;
            old.width = true;
            if !settings.truncate {
                settings.width = width;
            }
        }
        'W' => {
            old.width = false;
            settings.truncate = true;
            settings.width = number(&text, 1, "'-W PAGE_WIDTH' invalid number of characters")?;
        }
        _ => {}
    }
    Ok(())
}

/// `-w` counts for several columns only, and there truncates; `-s` there stands for `-S`, and
/// joins lines when nothing truncates them.
fn translate_old(settings: &mut Settings, old: &Old) {
    let several = settings.merge || settings.columns.is_some();
    if old.width {
        if several {
            settings.truncate = true;
        } else {
            settings.join = true;
        }
    }
    if let (None, Some(separator)) = (&settings.separator, &old.separator)
        && several
    {
        if settings.truncate {
            settings.separator = Some(separator.clone());
        } else {
            settings.join = true;
            settings.separator = Some(separator.clone()).filter(|text| !text.is_empty());
        }
    }
}

fn number(text: &str, least: i64, what: &str) -> Result<i64, (String, bool)> {
    let message = format!("{what}: {}", quote_argument(text));
    let trimmed = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err((message, false));
    }
    match trimmed.parse::<i64>() {
        Ok(value) if (least..=i32::MAX.into()).contains(&value) => Ok(value),
        Ok(_) => Err((format!("{message}: Numerical result out of range"), false)),
        Err(_) => Err((
            format!("{message}: Value too large for defined data type"),
            false,
        )),
    }
}

fn counted(found: &Found, default: Counted) -> Result<Counted, (String, bool)> {
    let mut counted = default;
    let Some(value) = &found.value else {
        return Ok(counted);
    };
    let mut digits = value.as_slice();
    if let Some((first, rest)) = value.split_first()
        && !first.is_ascii_digit()
    {
        (counted.character, digits) = (*first, rest);
    }
    if !digits.is_empty() {
        let text = String::from_utf8_lossy(digits);
        let count = text.parse::<i32>().ok().filter(|count| *count > 0);
        counted.count = count.map(i64::from).ok_or_else(|| {
            let letter = char::from_u32(found.code).unwrap_or_default();
            let message = format!(
                "'-{letter}' extra characters or invalid number in the argument: {}",
                quote_argument(&*text)
            );
            (message, true)
        })?;
    }
    Ok(counted)
}

/// `FIRST[:LAST]`
fn page_range(text: &OsStr) -> Option<(u64, u64)> {
    let text = text.to_str()?;
    let (first, last) = match text.split_once(':') {
        Some((first, last)) => (first, last.parse().ok()?),
        None => (text, u64::MAX),
    };
    let first = first.parse().ok().filter(|first| *first > 0)?;
    (first <= last).then_some((first, last))
}

/// What follows from the settings for a number of files.
#[derive(Debug, Clone)]
pub struct Layout {
    pub columns: usize,
    /// Files side by side; else one file, its columns downwards (`stored`) or across.
    pub parallel: bool,
    pub stored: bool,
    pub extremities: bool,
    pub keep_form_feeds: bool,
    pub body_lines: i64,
    pub separator: Option<Vec<u8>>,
    pub truncate: bool,
    pub untabify: bool,
    pub tabify: bool,
    /// The width of a line number with its separator, and of a column's text.
    pub number_width: i64,
    pub column_width: i64,
}

impl Settings {
    /// The layout for `files` named files.
    ///
    /// # Errors
    /// When the columns do not fit into the width.
    pub fn fit(&self, files: usize) -> Result<Layout, String> {
        let parallel = self.merge && files > 0;
        let columns = if parallel {
            files as i64
        } else {
            self.columns.unwrap_or(1)
        };
        let room = self.page_lines - HEADER_LINES - FOOTER_LINES;
        let extremities = self.extremities && room > 0;
        let mut body_lines = if extremities { room } else { self.page_lines };
        if self.double_space {
            body_lines = 1.max(body_lines / 2);
        }
        let mut layout = Layout {
            columns: 0,
            parallel,
            stored: columns > 1 && !parallel && !self.across,
            extremities,
            keep_form_feeds: self.keep_form_feeds || room <= 0,
            body_lines,
            separator: self.separator.clone(),
            truncate: self.truncate,
            untabify: self.untabify,
            tabify: self.tabify,
            number_width: 0,
            column_width: 0,
        };
        if columns > 1 {
            layout.align(self.join);
        }
        layout.truncate &= !self.join;
        if let Some(number) = self.number {
            layout.number_width = match number.character {
                b'\t' => number.count + 8 - number.count % 8,
                _ => number.count + 1,
            };
        }
        let separators = (columns - 1).saturating_mul(layout.separator_length());
        let numbers = if parallel { layout.number_width } else { 0 };
        layout.column_width = (self.width - numbers - separators) / columns;
        layout.columns = usize::try_from(columns).unwrap_or(1);
        if layout.column_width < 1 {
            return Err("page width too narrow".to_owned());
        }
        Ok(layout)
    }
}

impl Layout {
    /// Several columns stand below each other by tabs and blanks, unless lines are joined.
    fn align(&mut self, join: bool) {
        let default: &[u8] = if join { b"\t" } else { b" " };
        let separator = self.separator.get_or_insert_with(|| default.to_vec());
        if separator == b"\t" && !join {
            *separator = b" ".to_vec();
        }
        self.untabify |= separator != b"\t";
        self.truncate = true;
        self.tabify = true;
    }

    pub fn separator_length(&self) -> i64 {
        self.separator.as_ref().map_or(0, |text| text.len() as i64)
    }
}
