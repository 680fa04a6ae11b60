//! `history` and `fc`: the list a script fills from a file or by hand.
//!
//! No line is recorded by itself, as in every bash that is not interactive.

use super::{number, shown};
use crate::{ast::Bytes, execute::Run, known, names::intern, shell::Shell, system};

const USAGE: &str =
    "history [-c] [-d offset] [n] or history -anrw [filename] or history -ps arg [arg...]";
const FC_USAGE: &str = "fc [-e ename] [-lnr] [first] [last] or fc -s [pat=rep] [command]";

/// Lines kept at most, when `HISTSIZE` does not say less.
const MAX_ENTRIES: usize = 50_000;

#[derive(Debug, Default)]
pub struct History {
    entries: Vec<Bytes>,
    /// Entries that went out at the front, so that the numbers stay.
    gone: usize,
    /// Lines already read from the file.
    read_lines: usize,
    /// Entries at the end that no file has yet.
    unwritten: usize,
}

impl History {
    /// The number the next entry gets.
    pub fn next_number(&self) -> usize {
        self.gone + self.entries.len() + 1
    }

    fn add(&mut self, entry: Bytes) {
        self.entries.push(entry);
        self.unwritten += 1;
    }

    fn keep(&mut self, most: usize) {
        let extra = self.entries.len().saturating_sub(most);
        self.entries.drain(..extra);
        self.gone += extra;
        self.unwritten = self.unwritten.min(self.entries.len());
    }
}

pub fn history(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut action = 0;
    let mut offset = None;
    let mut rest = &words[1..];
    while let Some((word, more)) = rest.split_first() {
        if word.len() < 2 || word[0] != b'-' {
            break;
        }
        rest = more;
        if word == b"--" {
            break;
        }
        for (place, &letter) in word.iter().enumerate().skip(1) {
            match letter {
                b'c' | b'a' | b'n' | b'r' | b'w' | b's' | b'p' => action = letter,
                b'd' => {
                    action = letter;
                    offset = match &word[place + 1..] {
                        b"" => rest.first().cloned(),
                        joined => Some(joined.to_vec()),
                    };
                    break;
                }
                other => return Ok(shell.bad_option(b"history", other, USAGE)),
            }
            if letter == b'c' {
                shell.history = History::default();
            }
        }
        if action == b'd' {
            break;
        }
    }
    stifle(shell);
    match action {
        b'a' | b'n' | b'r' | b'w' => Ok(file_action(shell, action, rest)),
        b'd' => Ok(delete(shell, offset.as_deref())),
        b's' => {
            if !rest.is_empty() {
                shell.history.add(rest.join(&b' '));
            }
            Ok(0)
        }
        b'p' => {
            for word in rest {
                shell.write_out(&[word.as_slice(), b"\n"].concat());
            }
            Ok(0)
        }
        b'c' => Ok(0),
        _ => Ok(list(shell, rest)),
    }
}

/// Forgets what `HISTSIZE` leaves no room for.
fn stifle(shell: &mut Shell) {
    let size = shell.get_text(intern(b"HISTSIZE"));
    let most = number(&size).and_then(|size| usize::try_from(size).ok());
    shell
        .history
        .keep(most.unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES));
}

fn list(shell: &mut Shell, rest: &[Bytes]) -> i32 {
    let mut most = usize::MAX;
    if let Some(word) = rest.first() {
        let Some(count) = number(word) else {
            let text = shown(word);
            shell.builtin_error(
                b"history",
                format_args!("{text}: numeric argument required"),
            );
            return 1;
        };
        if rest.len() > 1 {
            shell.builtin_error(b"history", format_args!("too many arguments"));
            return 1;
        }
        most = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    }
    let skip = shell.history.entries.len().saturating_sub(most);
    let mut out = Bytes::new();
    for (place, entry) in shell.history.entries.iter().enumerate().skip(skip) {
        out.extend(format!("{:5}  ", shell.history.gone + place + 1).bytes());
        out.extend_from_slice(entry);
        out.push(b'\n');
    }
    shell.write_out(&out);
    0
}

fn delete(shell: &mut Shell, offset: Option<&[u8]>) -> i32 {
    let text = offset.unwrap_or_default();
    let bounds = match text.iter().skip(1).position(|&b| b == b'-') {
        Some(dash) => [&text[..dash + 1], &text[dash + 2..]],
        None => [text, text],
    };
    let count = shell.history.entries.len() as i64;
    let gone = shell.history.gone as i64;
    let places = bounds.map(|bound| {
        let place = match number(bound)? {
            negative if negative < 0 => count + negative,
            positive => positive - 1 - gone,
        };
        usize::try_from(place).ok().filter(|_| place < count)
    });
    let [Some(first), Some(last)] = places else {
        let text = shown(text);
        shell.builtin_error(
            b"history",
            format_args!("{text}: history position out of range"),
        );
        return 1;
    };
    if first <= last {
        shell.history.entries.drain(first..=last);
    }
    0
}

fn file_action(shell: &mut Shell, action: u8, rest: &[Bytes]) -> i32 {
    let file = match rest.first() {
        Some(file) => file.clone(),
        None => match shell.get(known::HISTFILE) {
            Some(file) if !file.is_empty() => file,
            _ => return 0,
        },
    };
    let answer = match action {
        b'r' | b'n' => read(shell, &file, action == b'n'),
        _ => write(shell, &file, action == b'a'),
    };
    match answer {
        Ok(()) => 0,
        Err(error) => {
            let (file, reason) = (shown(&file), crate::shell::reason(&error));
            shell.builtin_error(b"history", format_args!("{file}: {reason}"));
            1
        }
    }
}

fn read_file(shell: &mut Shell, file: &[u8]) -> std::io::Result<Bytes> {
    let descriptor = crate::execute::high(system::open(file, system::flag::READ, 0)?);
    let text = shell.read_all(descriptor);
    system::close(descriptor);
    text.map_err(|_| std::io::ErrorKind::InvalidData.into())
}

fn read(shell: &mut Shell, file: &[u8], only_new: bool) -> std::io::Result<()> {
    let text = read_file(shell, file)?;
    let skip = if only_new {
        shell.history.read_lines
    } else {
        0
    };
    let mut lines = 0;
    for line in text.split(|&b| b == b'\n') {
        if line.is_empty() {
            continue;
        }
        lines += 1;
        if lines > skip {
            shell.history.entries.push(line.to_vec());
        }
    }
    shell.history.read_lines = lines;
    stifle(shell);
    Ok(())
}

fn write(shell: &mut Shell, file: &[u8], append: bool) -> std::io::Result<()> {
    let all = shell.history.entries.len();
    let first = if append {
        all - shell.history.unwritten
    } else {
        0
    };
    let mut text = Bytes::new();
    for entry in &shell.history.entries[first..] {
        text.extend_from_slice(entry);
        text.push(b'\n');
    }
    let end = if append {
        system::flag::APPEND
    } else {
        system::flag::TRUNCATE
    };
    write_file(file, &text, end)?;
    shell.history.unwritten = 0;
    shell.history.read_lines = all;
    Ok(())
}

fn write_file(file: &[u8], text: &[u8], end: u32) -> std::io::Result<()> {
    let flags = system::flag::WRITE | system::flag::CREATE | end;
    let descriptor = system::open(file, flags, 0o600)?;
    let answer = system::write_all(descriptor, text);
    system::close(descriptor);
    answer
}

impl Shell {
    /// `HISTFILESIZE` was set: the file keeps so many of its last lines.
    pub fn truncate_history_file(&mut self, lines: usize) {
        let Some(file) = self.get(known::HISTFILE) else {
            return;
        };
        let Ok(text) = read_file(self, &file) else {
            return;
        };
        let all: Vec<&[u8]> = text.split_inclusive(|&b| b == b'\n').collect();
        if all.len() > lines {
            let kept = all[all.len() - lines..].concat();
            // A file that cannot be written stays as it is, as in bash.
            let _ = write_file(&file, &kept, system::flag::TRUNCATE);
        }
    }
}

pub fn fix(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let (mut lists, mut numbers, mut reverse, mut again) = (false, true, false, false);
    let mut rest = &words[1..];
    while let Some((word, more)) = rest.split_first() {
        if word.len() < 2 || word[0] != b'-' || number(word).is_some() {
            break;
        }
        rest = more;
        if word == b"--" {
            break;
        }
        for &letter in &word[1..] {
            match letter {
                b'l' => lists = true,
                b'n' => numbers = false,
                b'r' => reverse = true,
                b's' => again = true,
                b'e' => rest = rest.get(1..).unwrap_or(&[]),
                other => return Ok(shell.bad_option(b"fc", other, FC_USAGE)),
            }
        }
    }
    if again {
        return run_again(shell, rest);
    }
    if !lists {
        shell.builtin_error(
            b"fc",
            format_args!("no editor can be started here; use fc -l or fc -s"),
        );
        return Ok(1);
    }
    let count = shell.history.entries.len();
    if count == 0 {
        return Ok(0);
    }
    let first = rest.first().map(|word| entry_place(shell, word));
    let last = rest.get(1).map(|word| entry_place(shell, word));
    let (Some(mut first), Some(mut last)) = (
        first.unwrap_or(Some(count.saturating_sub(16))),
        last.unwrap_or(Some(count - 1)),
    ) else {
        shell.builtin_error(b"fc", format_args!("history specification out of range"));
        return Ok(1);
    };
    if first > last {
        std::mem::swap(&mut first, &mut last);
        reverse = !reverse;
    }
    let mut lines: Vec<Bytes> = Vec::new();
    for place in first..=last {
        let number = if numbers {
            (shell.history.gone + place + 1).to_string()
        } else {
            String::new()
        };
        lines.push(
            [
                number.as_bytes(),
                b"\t ",
                &shell.history.entries[place],
                b"\n",
            ]
            .concat(),
        );
    }
    if reverse {
        lines.reverse();
    }
    shell.write_out(&lines.concat());
    Ok(0)
}

/// An entry by number, by offset from the end, or by how it begins.
fn entry_place(shell: &Shell, word: &[u8]) -> Option<usize> {
    let entries = &shell.history.entries;
    let Some(number) = number(word) else {
        return entries.iter().rposition(|entry| entry.starts_with(word));
    };
    let place = if number <= 0 {
        entries.len() as i64 + number.min(-1)
    } else {
        number - 1 - shell.history.gone as i64
    };
    let place = usize::try_from(place).unwrap_or(0);
    Some(place.min(entries.len().saturating_sub(1)))
}

fn run_again(shell: &mut Shell, rest: &[Bytes]) -> Run<i32> {
    let change = rest.first().and_then(|word| {
        let equals = word.iter().position(|&b| b == b'=')?;
        Some((word[..equals].to_vec(), word[equals + 1..].to_vec()))
    });
    let wanted = rest.get(usize::from(change.is_some()));
    let count = shell.history.entries.len();
    let place = match wanted {
        Some(word) => entry_place(shell, word),
        None => count.checked_sub(1),
    };
    let Some(mut text) = place.and_then(|place| shell.history.entries.get(place).cloned()) else {
        shell.builtin_error(b"fc", format_args!("no command found"));
        return Ok(1);
    };
    if let Some((from, to)) = change
        && !from.is_empty()
        && let Some(at) = text.windows(from.len()).position(|part| part == from)
    {
        text.splice(at..at + from.len(), to);
    }
    shell.write_error(&[text.as_slice(), b"\n"].concat());
    shell.history.add(text.clone());
    shell.run_text(&text, shell.line, false)
}
