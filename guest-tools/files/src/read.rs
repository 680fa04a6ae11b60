//! `read` and `read_file`: a file's text, a range of its lines, or its exact bytes.

use std::{fs::File, io::Read as _};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{
    answer::{Answer, Failure, shown},
    input::{self, Encoding},
    place::{self, Kind},
};

/// Largest file, or selection of lines, that `read` answers. From the agent toolset.
pub const READ_MAX: usize = 256 << 10;

/// What `read_file` holds at once; a multiple of 3, so that base64 of parts is base64 of the
/// whole.
const PART: usize = 3 << 18;

/// The article's tool: every byte of the file, whatever its size or contents.
pub fn read_file(input: &[u8]) -> Result<Answer, Failure> {
    let input: input::Read = input::parse(input)?;
    let path = input::path_of(input.file_path, "path")?;
    let (mut file, size) = open(&path)?;
    let mut sent = 0;
    loop {
        let part = place::read_whole(&mut file, size.saturating_sub(sent), PART)
            .map_err(|e| Failure::at(&path, &e))?;
        let whole = part.len() < PART;
        sent += part.len() as u64;
        let bytes = encode(part, input.encoding);
        if whole {
            return Ok(Answer::new(bytes));
        }
        place::write_output(&bytes).map_err(|e| Failure::new(format!("output: {e}")))?;
    }
}

/// The toolset's tool: UTF-8 text of bounded size, or some of its lines.
pub fn read(input: &[u8]) -> Result<Answer, Failure> {
    let input: input::Read = input::parse(input)?;
    let path = input::path_of(input.file_path, "file_path")?;
    let range = match input.view_range.as_deref() {
        None | Some([]) => None,
        Some(&[first, last]) => Some(Range::new(first, last)),
        Some(_) => return Err(Failure::new("view_range must be [start_line, end_line]")),
    };
    let (mut file, size) = open(&path)?;
    let bytes = match range {
        Some(range) => read_lines(&mut file, range, &path)?,
        None if size > READ_MAX as u64 => {
            return Err(Failure::new(format!(
                "{} is {size} bytes, exceeds {READ_MAX}-byte limit. Use view_range, or bash \
                 (head/tail/sed), to read a slice.",
                shown(&path)
            )));
        }
        None => place::read_whole(&mut file, size, READ_MAX).map_err(|e| Failure::at(&path, &e))?,
    };
    if input.encoding == Encoding::Utf8 && std::str::from_utf8(&bytes).is_err() {
        let rule = "not valid UTF-8 text; \"encoding\": \"base64\" gives its exact bytes";
        return Err(Failure::rule(&path, rule));
    }
    Ok(Answer::new(encode(bytes, input.encoding)))
}

/// Opens a regular file and answers its size too.
pub fn open(path: &str) -> Result<(File, u64), Failure> {
    let at = |e| Failure::at(path, &e);
    let file = place::open_to_read(&place::absolute(path)).map_err(at)?;
    let facts = place::open_facts(&file).map_err(at)?;
    match facts.kind {
        Kind::File => Ok((file, facts.size)),
        Kind::Folder => Err(Failure::rule(path, "is a directory, not a regular file")),
        _ => Err(Failure::rule(path, "not a regular file")),
    }
}

fn encode(bytes: Vec<u8>, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 => bytes,
        Encoding::Base64 => BASE64.encode(bytes).into_bytes(),
    }
}

/// Lines to answer, counted from 1, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u64,
    last: u64,
}

impl Range {
    /// A first line below 1 means the first; a last line below 1 means the last.
    fn new(first: i64, last: i64) -> Self {
        let first = u64::try_from(first).unwrap_or(1).max(1);
        let last = u64::try_from(last)
            .ok()
            .filter(|&last| last > 0)
            .unwrap_or(u64::MAX);
        Self { first, last }
    }
}

/// Reads the lines of `range` without holding the rest of the file.
fn read_lines(file: &mut File, range: Range, path: &str) -> Result<Vec<u8>, Failure> {
    let mut selection = Selection::new(range);
    let mut part = vec![0; 64 << 10];
    while !selection.done {
        let count = file.read(&mut part).map_err(|e| Failure::at(path, &e))?;
        if count == 0 {
            break;
        }
        selection.take(&part[..count]);
        if selection.chosen.len() > READ_MAX {
            return Err(Failure::new(format!(
                "the selected lines of {} exceed {READ_MAX}-byte limit. Choose a smaller \
                 view_range.",
                shown(path)
            )));
        }
    }
    Ok(selection.chosen)
}

/// The lines of a range, gathered from parts of a file; without the newline of the last.
struct Selection {
    range: Range,
    line: u64,
    chosen: Vec<u8>,
    done: bool,
}

impl Selection {
    fn new(range: Range) -> Self {
        Self {
            range,
            line: 1,
            chosen: Vec::new(),
            done: range.last < range.first,
        }
    }

    fn take(&mut self, part: &[u8]) {
        for piece in part.split_inclusive(|&b| b == b'\n') {
            if self.done {
                return;
            }
            let ends = piece.last() == Some(&b'\n');
            let text = if ends {
                &piece[..piece.len() - 1]
            } else {
                piece
            };
            if self.line >= self.range.first {
                self.chosen.extend_from_slice(text);
                if self.chosen.len() > READ_MAX {
                    return;
                }
            }
            if ends {
                if self.line >= self.range.last {
                    self.done = true;
                } else if self.line >= self.range.first {
                    self.chosen.push(b'\n');
                }
                self.line += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn lines(text: &str, first: i64, last: i64, expected: &str) {
        for size in [1, 2, 3, 64] {
            let mut selection = Selection::new(Range::new(first, last));
            for part in text.as_bytes().chunks(size) {
                selection.take(part);
            }
            assert_eq!(
                String::from_utf8_lossy(&selection.chosen),
                expected,
                "parts of {size}"
            );
        }
    }

    #[test]
    fn a_range_is_counted_from_one_with_both_ends() {
        lines("a\nb\nc\n", 1, 2, "a\nb");
        lines("a\nb\nc\n", 2, 2, "b");
        lines("a\nb\nc\n", 2, 0, "b\nc\n");
        lines("a\nb\nc\n", 2, -1, "b\nc\n");
        lines("a\nb\nc", 3, 9, "c");
        lines("a\nb\nc", 0, 1, "a");
        lines("a\nb\nc", -5, 1, "a");
        lines("a\nb\nc", 4, 9, "");
        lines("a\nb\nc", 3, 2, "");
        lines("\n\n", 1, 0, "\n\n");
        lines("", 1, 0, "");
    }

    fn input(path: &std::path::Path, more: &str) -> String {
        format!("{{\"file_path\": {:?}{more}}}", path.display().to_string())
    }

    #[test]
    fn files_are_answered_exactly_and_folders_refused() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("a.bin");
        for size in [0, 1, PART - 1, READ_MAX] {
            let bytes = vec![b'x'; size];
            std::fs::write(&path, &bytes).expect("written");
            assert_eq!(
                read_file(input(&path, "").as_bytes()),
                Ok(Answer::new(bytes.clone()))
            );
            if size <= READ_MAX {
                assert_eq!(read(input(&path, "").as_bytes()), Ok(Answer::new(bytes)));
            }
        }
        let failure = read(input(dir.path(), "").as_bytes()).expect_err("a folder");
        assert!(
            failure
                .text()
                .ends_with("is a directory, not a regular file"),
            "{failure:?}"
        );
        let failure = read(input(&dir.path().join("none"), "").as_bytes()).expect_err("absent");
        assert!(
            failure.text().ends_with("/none: no such file or directory"),
            "{failure:?}"
        );
    }

    #[test]
    fn large_and_binary_files_name_the_way_out() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("a");
        std::fs::write(&path, vec![b'x'; READ_MAX + 1]).expect("written");
        let failure = read(input(&path, "").as_bytes()).expect_err("too large");
        assert!(
            failure
                .text()
                .contains(" is 262145 bytes, exceeds 262144-byte limit. Use view_range"),
            "{failure:?}"
        );
        std::fs::write(&path, b"\xff\x00\xfe").expect("written");
        let failure = read(input(&path, "").as_bytes()).expect_err("binary");
        assert!(
            failure.text().contains("not valid UTF-8 text"),
            "{failure:?}"
        );
        let exact = read(input(&path, ", \"encoding\": \"base64\"").as_bytes());
        assert_eq!(exact, Ok(Answer::new("/wD+")));
        assert_eq!(
            read_file(input(&path, "").as_bytes()),
            Ok(Answer::new(b"\xff\x00\xfe".to_vec()))
        );
    }
}
