//! `read` and `mapfile`.

use std::time::{Duration, Instant};

use super::{number, shown};
use crate::{
    ast::Bytes,
    execute::Run,
    known,
    names::{intern, is_name},
    shell::Shell,
    system,
    text::character_length,
};

struct Options {
    raw: bool,
    array: Option<Bytes>,
    delimiter: u8,
    count: Option<usize>,
    exact: bool,
    prompt: Option<Bytes>,
    timeout: Option<f64>,
    descriptor: u32,
}

enum End {
    Delimiter,
    Count,
    EndOfFile,
    TimedOut,
    Failed,
}

const USAGE: &str = "read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] [-p prompt] [-t timeout] [-u fd] [name ...]";

impl Shell {
    /// One line as it is, for `select`; `None` at the end.
    pub fn read_plain_line(&mut self, descriptor: u32) -> Option<Bytes> {
        let mut line = Bytes::new();
        loop {
            let mut byte = [0];
            match system::read(descriptor, &mut byte) {
                Ok(1) if byte[0] == b'\n' => return Some(line),
                Ok(1) => line.push(byte[0]),
                _ if line.is_empty() => return None,
                _ => return Some(line),
            }
        }
    }
}

fn options(shell: &mut Shell, words: &[Bytes]) -> Result<(Options, usize), i32> {
    let mut options = Options {
        raw: false,
        array: None,
        delimiter: b'\n',
        count: None,
        exact: false,
        prompt: None,
        timeout: None,
        descriptor: 0,
    };
    let mut at = 1;
    while let Some(word) = words.get(at) {
        if word == b"--" {
            at += 1;
            break;
        }
        if word.len() < 2 || word[0] != b'-' {
            break;
        }
        let mut letters = &word[1..];
        while let Some((&letter, after)) = letters.split_first() {
            letters = after;
            match letter {
                b'r' => options.raw = true,
                b's' | b'e' => {}
                b'a' | b'd' | b'n' | b'N' | b'p' | b't' | b'u' | b'i' => {
                    let value = if letters.is_empty() {
                        at += 1;
                        match words.get(at) {
                            Some(value) => value.clone(),
                            None => {
                                let letter = char::from(letter);
                                shell.builtin_error(
                                    b"read",
                                    format_args!("-{letter}: option requires an argument"),
                                );
                                return Err(2);
                            }
                        }
                    } else {
                        letters.to_vec()
                    };
                    letters = &[];
                    option_value(shell, letter, value, &mut options)?;
                }
                other => return Err(shell.bad_option(b"read", other, USAGE)),
            }
        }
        at += 1;
    }
    Ok((options, at))
}

fn option_value(
    shell: &mut Shell,
    letter: u8,
    value: Bytes,
    options: &mut Options,
) -> Result<(), i32> {
    let text = shown(&value);
    match letter {
        b'a' => options.array = Some(value),
        b'd' => options.delimiter = value.first().copied().unwrap_or(0),
        b'n' | b'N' => match number(&value) {
            Some(count) if count >= 0 => {
                options.count = Some(count as usize);
                options.exact = letter == b'N';
            }
            _ => {
                shell.builtin_error(b"read", format_args!("{text}: invalid number"));
                return Err(1);
            }
        },
        b'p' => options.prompt = Some(value),
        b't' => match text.parse::<f64>() {
            Ok(seconds) if seconds >= 0.0 => options.timeout = Some(seconds),
            _ => {
                shell.builtin_error(
                    b"read",
                    format_args!("{text}: invalid timeout specification"),
                );
                return Err(1);
            }
        },
        b'u' => match number(&value) {
            Some(descriptor) if descriptor >= 0 => options.descriptor = descriptor as u32,
            _ => {
                shell.builtin_error(
                    b"read",
                    format_args!("{text}: invalid file descriptor specification"),
                );
                return Err(1);
            }
        },
        _ => {}
    }
    Ok(())
}

/// Reads bytes one by one where others may read on, in blocks where it can go back.
struct Input {
    descriptor: u32,
    seekable: bool,
    buffer: Bytes,
    at: usize,
    deadline: Option<Instant>,
}

impl Input {
    fn next(&mut self) -> Result<Option<u8>, End> {
        if let Some(&byte) = self.buffer.get(self.at) {
            self.at += 1;
            return Ok(Some(byte));
        }
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !system::wait_readable(self.descriptor, left) {
                return Err(End::TimedOut);
            }
        }
        let mut block = [0; 512];
        let want = if self.seekable { block.len() } else { 1 };
        match system::read(self.descriptor, &mut block[..want]) {
            Ok(0) => Ok(None),
            Ok(got) => {
                self.buffer = block[..got].to_vec();
                self.at = 1;
                Ok(Some(block[0]))
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Err(End::TimedOut),
            Err(_) => Err(End::Failed),
        }
    }

    fn finish(&mut self) {
        let left = self.buffer.len() - self.at;
        if left > 0 {
            system::unread(self.descriptor, left);
        }
    }
}

pub fn read(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let (options, at) = match options(shell, words) {
        Ok(options) => options,
        Err(status) => return Ok(status),
    };
    let names = &words[at..];
    if let Some(array) = &options.array
        && !is_name(array)
    {
        let text = shown(array);
        shell.builtin_error(b"read", format_args!("`{text}': not a valid identifier"));
        return Ok(1);
    }
    if !system::is_open(options.descriptor) {
        let descriptor = options.descriptor;
        shell.builtin_error(
            b"read",
            format_args!("{descriptor}: invalid file descriptor: Bad file descriptor"),
        );
        return Ok(1);
    }
    if let Some(prompt) = &options.prompt
        && system::is_terminal(options.descriptor)
    {
        shell.write_error(prompt);
    }
    if options.timeout == Some(0.0) {
        return Ok(i32::from(!system::wait_readable(
            options.descriptor,
            Duration::ZERO,
        )));
    }
    let (text, escaped, end) = read_text(&options);
    if !assign(shell, &options, names, text, escaped)? {
        return Ok(1);
    }
    Ok(match end {
        End::Delimiter | End::Count => 0,
        End::EndOfFile | End::Failed => 1,
        End::TimedOut => 142,
    })
}

/// The text read and, for each byte, whether a backslash protects it from splitting.
fn read_text(options: &Options) -> (Bytes, Vec<bool>, End) {
    let mut input = Input {
        descriptor: options.descriptor,
        seekable: system::is_seekable(options.descriptor),
        buffer: Bytes::new(),
        at: 0,
        deadline: options
            .timeout
            .map(|seconds| Instant::now() + Duration::from_secs_f64(seconds.min(1e9))),
    };
    let (mut text, mut escaped) = (Bytes::new(), Vec::new());
    let mut characters = 0;
    let end = loop {
        if options.count == Some(characters) {
            break End::Count;
        }
        let byte = match input.next() {
            Ok(Some(byte)) => byte,
            Ok(None) => break End::EndOfFile,
            Err(end) => break end,
        };
        if byte == options.delimiter && !options.exact {
            break End::Delimiter;
        }
        if byte == b'\\' && !options.raw {
            match input.next() {
                Ok(Some(b'\n')) => continue,
                Ok(Some(next)) => {
                    text.push(next);
                    escaped.push(true);
                    characters += 1;
                    continue;
                }
                _ => break End::EndOfFile,
            }
        }
        if byte == 0 {
            continue;
        }
        text.push(byte);
        escaped.push(false);
        // A character counts once its last byte is here.
        let start = text.len()
            - text
                .iter()
                .rev()
                .take_while(|&&b| b & 0xc0 == 0x80)
                .count()
                .min(3);
        let start = start.saturating_sub(1).min(text.len() - 1);
        let partial = byte >= 0xc2
            || (byte & 0xc0 == 0x80
                && character_length(&text[start..]) == 1
                && text[start] >= 0xe0
                && text.len() - start < 4);
        if !partial {
            characters += 1;
        }
    };
    input.finish();
    (text, escaped, end)
}

fn assign(
    shell: &mut Shell,
    options: &Options,
    names: &[Bytes],
    text: Bytes,
    escaped: Vec<bool>,
) -> Run<bool> {
    let ifs = shell.ifs().unwrap_or_else(|| b" \t\n".to_vec());
    if let Some(array) = &options.array {
        let mut fields = Vec::new();
        if options.exact {
            shell.set_array(intern(array), vec![text])?;
            return Ok(true);
        }
        let mut rest = Splitter {
            text: &text,
            escaped: &escaped,
            ifs: &ifs,
            at: 0,
        };
        rest.skip_space();
        while let Some(field) = rest.field() {
            fields.push(field);
        }
        let name = intern(array);
        shell.set_array(name, fields)?;
        return Ok(true);
    }
    if names.is_empty() {
        shell.set(known::REPLY, text)?;
        return Ok(true);
    }
    if options.exact {
        let mut text = Some(text);
        for name in names {
            if !valid_name(shell, name) {
                return Ok(false);
            }
            shell.set_named(name, text.take().unwrap_or_default())?;
        }
        return Ok(true);
    }
    let mut rest = Splitter {
        text: &text,
        escaped: &escaped,
        ifs: &ifs,
        at: 0,
    };
    rest.skip_space();
    for (place, name) in names.iter().enumerate() {
        let value = if place + 1 == names.len() {
            rest.remainder()
        } else {
            rest.field().unwrap_or_default()
        };
        if !valid_name(shell, name) {
            return Ok(false);
        }
        shell.set_named(name, value)?;
    }
    Ok(true)
}

fn valid_name(shell: &mut Shell, name: &[u8]) -> bool {
    let base = name.split(|&b| b == b'[').next().unwrap_or_default();
    let valid = is_name(base) && (base.len() == name.len() || name.last() == Some(&b']'));
    if !valid {
        let text = shown(name);
        shell.builtin_error(b"read", format_args!("`{text}': not a valid identifier"));
    }
    valid
}

struct Splitter<'a> {
    text: &'a [u8],
    escaped: &'a [bool],
    ifs: &'a [u8],
    at: usize,
}

impl Splitter<'_> {
    fn separator(&self, at: usize) -> bool {
        self.text.get(at).is_some_and(|b| self.ifs.contains(b)) && !self.escaped[at]
    }

    fn space(&self, at: usize) -> bool {
        self.separator(at) && matches!(self.text[at], b' ' | b'\t' | b'\n')
    }

    fn skip_space(&mut self) {
        while self.space(self.at) {
            self.at += 1;
        }
    }

    fn field(&mut self) -> Option<Bytes> {
        if self.at >= self.text.len() {
            return None;
        }
        let start = self.at;
        while self.at < self.text.len() && !self.separator(self.at) {
            self.at += 1;
        }
        let field = self.text[start..self.at].to_vec();
        self.skip_space();
        if self.separator(self.at) && !self.space(self.at) {
            self.at += 1;
            self.skip_space();
        }
        Some(field)
    }

    /// What is left for the last name: one trailing separator goes when it ends a lone field.
    fn remainder(&mut self) -> Bytes {
        let start = self.at;
        let mut probe = Splitter {
            text: self.text,
            escaped: self.escaped,
            ifs: self.ifs,
            at: start,
        };
        let first = probe.field();
        if probe.at >= self.text.len() {
            return first.unwrap_or_default();
        }
        let mut end = self.text.len();
        while end > start && self.space(end - 1) {
            end -= 1;
        }
        self.text[start..end].to_vec()
    }
}

pub fn mapfile(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let (mut trim, mut delimiter, mut skip, mut most, mut origin) =
        (false, b'\n', 0, usize::MAX, None);
    let (mut descriptor, mut callback, mut quantum) = (0, None, 5000);
    let mut at = 1;
    while let Some(word) = words.get(at) {
        if word == b"--" {
            at += 1;
            break;
        }
        if word.len() < 2 || word[0] != b'-' {
            break;
        }
        let mut letters = &word[1..];
        while let Some(rest) = letters.strip_prefix(b"t") {
            trim = true;
            letters = rest;
        }
        let Some((&letter, joined)) = letters.split_first() else {
            at += 1;
            continue;
        };
        let value = if joined.is_empty() {
            at += 1;
            words.get(at).cloned().unwrap_or_default()
        } else {
            joined.to_vec()
        };
        let count = number(&value);
        match letter {
            b'd' => delimiter = value.first().copied().unwrap_or(0),
            b'n' => most = count.filter(|n| *n > 0).map_or(usize::MAX, |n| n as usize),
            b's' => skip = count.unwrap_or(0).max(0) as usize,
            b'O' => origin = count,
            b'u' => descriptor = count.unwrap_or(0) as u32,
            b'C' => callback = Some(value),
            b'c' => quantum = count.unwrap_or(5000).max(1) as usize,
            other => {
                return Ok(shell.bad_option(
                    b"mapfile",
                    other,
                    "mapfile [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-C callback] [-c quantum] [array]",
                ));
            }
        }
        at += 1;
    }
    let array = words
        .get(at)
        .cloned()
        .unwrap_or_else(|| b"MAPFILE".to_vec());
    if shell.refuses_values(&array) {
        return Ok(1);
    }
    if !is_name(&array) {
        let text = shown(&array);
        shell.builtin_error(b"mapfile", format_args!("`{text}': not a valid identifier"));
        return Ok(1);
    }
    let name = intern(&array);
    let lines = read_lines(shell, descriptor, delimiter, skip, most)?;
    if origin.is_none() {
        shell.set_array(name, Vec::new())?;
    }
    let mut index = origin.unwrap_or(0);
    for (place, mut line) in lines.into_iter().enumerate() {
        if trim && line.last() == Some(&delimiter) {
            line.pop();
        }
        // A value ends at a NUL, as in C.
        if let Some(end) = line.iter().position(|&b| b == 0) {
            line.truncate(end);
        }
        if let Some(callback) = &callback
            && (place + 1) % quantum == 0
        {
            let quoted = crate::quote::single(&line);
            let text = [callback, format!(" {index} ").as_bytes(), &quoted].concat();
            shell.run_text(&text, shell.line, true)?;
        }
        shell.set_index(name, index, line, false)?;
        index += 1;
    }
    Ok(0)
}

fn read_lines(
    shell: &mut Shell,
    descriptor: u32,
    delimiter: u8,
    skip: usize,
    most: usize,
) -> Run<Vec<Bytes>> {
    let mut lines = Vec::new();
    if most == usize::MAX {
        let text = shell.read_all(descriptor)?;
        for line in text.split_inclusive(|&b| b == delimiter).skip(skip) {
            lines.push(line.to_vec());
        }
        return Ok(lines);
    }
    let mut input = Input {
        descriptor,
        seekable: system::is_seekable(descriptor),
        buffer: Bytes::new(),
        at: 0,
        deadline: None,
    };
    let mut line = Bytes::new();
    let mut seen = 0;
    while lines.len() < most {
        match input.next() {
            Ok(Some(byte)) => {
                line.push(byte);
                if byte == delimiter {
                    seen += 1;
                    let line = std::mem::take(&mut line);
                    if seen > skip {
                        lines.push(line);
                    }
                }
            }
            _ => {
                if !line.is_empty() && seen >= skip {
                    lines.push(line);
                }
                break;
            }
        }
    }
    input.finish();
    Ok(lines)
}
