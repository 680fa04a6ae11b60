//! `grep`: the lines that match a regular expression, as `path:line:text`.

use std::io::Read;

use regex::bytes::{Regex, RegexBuilder};

use crate::{
    answer::{Answer, Failure},
    glob::folder,
    input,
    place::{self, Kind},
    walk::{ENTRIES_MAX, Walk},
};

/// Bytes of one answer. From the agent toolset.
const OUTPUT_MAX: usize = 100 << 10;

/// What ends an answer that was cut. From the agent toolset.
const CUT: &str = "[output truncated at 102400 bytes]";

/// Longest line that is shown whole, in bytes. From the agent toolset.
const LINE_MAX: usize = 2_000;

/// What is held of a file at once, and so the part of an endless line that is searched.
const PART: usize = 256 << 10;

/// A NUL among this many first bytes makes a file binary. As git does it.
const BINARY_LOOK: usize = 8_000;

/// Memory of one compiled expression, in bytes. The regex crate's own default.
const PROGRAM_MAX: usize = 10 << 20;

/// Searches the file at `path`, or all below it, or below the current folder.
pub fn grep(input: &[u8]) -> Result<Answer, Failure> {
    let input: input::Search = input::parse(input)?;
    let text = input::required(input.pattern, "pattern")?;
    let pattern = RegexBuilder::new(&text)
        .size_limit(PROGRAM_MAX)
        .build()
        .map_err(|e| Failure::new(format!("invalid regex: {e}")))?;
    let path = input
        .path
        .filter(|path| !path.is_empty())
        .unwrap_or(".".into());
    let start = folder(&path)?;
    let facts = place::facts(&start, true).map_err(|e| Failure::at(&path, &e))?;
    let mut search = Search::new(pattern);
    let cut = match facts.kind {
        Kind::File => {
            let file = place::open_to_read(&start).map_err(|e| Failure::at(&path, &e))?;
            search.file(&start, file);
            false
        }
        Kind::Folder => {
            let walk = Walk::start(start, ()).map_err(|e| Failure::at(&path, &e))?;
            below(walk, &mut search)
        }
        _ => return Err(Failure::rule(&path, "not a regular file")),
    };
    let note =
        cut.then(|| format!("stopped after {ENTRIES_MAX} entries; give a path to search less"));
    Ok(Answer {
        note,
        ..search.into_answer()
    })
}

/// Searches what a walk finds; answers whether a ceiling left something out.
fn below(mut walk: Walk<()>, search: &mut Search) -> bool {
    while let Some(entry) = walk.next() {
        match entry.kind {
            Kind::Folder if !matches!(entry.name.as_slice(), b".git" | b"node_modules") => {
                // A folder that cannot be listed is passed over, as are files below.
                let _ = walk.enter(());
            }
            Kind::File => {
                if let Ok(file) = place::open_to_read(&walk.path) {
                    search.file(&walk.path, file);
                }
                if search.full {
                    return false;
                }
            }
            _ => {}
        }
    }
    walk.cut
}

/// A search with its results so far.
struct Search {
    pattern: Regex,
    found: Vec<u8>,
    full: bool,
    part: Vec<u8>,
}

impl Search {
    fn new(pattern: Regex) -> Self {
        Self {
            pattern,
            found: Vec::new(),
            full: false,
            part: vec![0; PART],
        }
    }

    /// Searches one open file; a read that fails ends it.
    fn file(&mut self, path: &[u8], mut file: impl Read) {
        let mut part = std::mem::take(&mut self.part);
        let mut lines = Lines {
            number: 1,
            in_long_line: false,
        };
        let (mut held, mut first) = (0, true);
        while !self.full {
            let Ok(count) = file.read(&mut part[held..]) else {
                break;
            };
            held += count;
            if first && part[..held.min(BINARY_LOOK)].contains(&0) {
                break;
            }
            first = false;
            let done = self.lines(path, &part[..held], &mut lines, count == 0);
            if count == 0 {
                break;
            }
            part.copy_within(done..held, 0);
            held -= done;
        }
        self.part = part;
    }

    /// Searches the whole lines of `text`; answers how much of it is done with.
    fn lines(&mut self, path: &[u8], text: &[u8], lines: &mut Lines, last: bool) -> usize {
        let mut done = 0;
        while done < text.len() && !self.full {
            let rest = &text[done..];
            let end = rest.iter().position(|&b| b == b'\n');
            let whole = end.is_some();
            if !whole && !last && rest.len() < PART {
                break;
            }
            let line = &rest[..end.unwrap_or(rest.len())];
            // Of a line longer than one part only the first part is searched.
            if !lines.in_long_line {
                self.line(path, lines.number, line);
            }
            lines.in_long_line = !whole;
            lines.number += u64::from(whole);
            done += line.len() + usize::from(whole);
        }
        done
    }

    fn line(&mut self, path: &[u8], number: u64, line: &[u8]) {
        let end = line
            .iter()
            .rposition(|&b| b != b'\r')
            .map_or(0, |last| last + 1);
        let line = &line[..end];
        let Some(found) = self.pattern.find(line) else {
            return;
        };
        let head = format!(":{number}:");
        let text = visible(line, found.start());
        if self.found.len() + path.len() + head.len() + text.len() + 1 > OUTPUT_MAX {
            self.full = true;
            return;
        }
        for piece in [path, head.as_bytes(), &text, b"\n"] {
            self.found.extend_from_slice(piece);
        }
    }

    fn into_answer(mut self) -> Answer {
        if self.full {
            self.found.extend_from_slice(CUT.as_bytes());
        } else if self.found.is_empty() {
            self.found.extend_from_slice(b"no matches");
        } else {
            self.found.pop();
        }
        Answer::new(self.found)
    }
}

/// Where a file's search stands.
struct Lines {
    number: u64,
    in_long_line: bool,
}

/// A matching line as shown: whole, or when it is too long the part around the match.
fn visible(line: &[u8], found: usize) -> std::borrow::Cow<'_, [u8]> {
    if line.len() <= LINE_MAX {
        return line.into();
    }
    let start = if found < LINE_MAX / 2 {
        0
    } else {
        found - LINE_MAX / 4
    };
    let end = (start + LINE_MAX).min(line.len());
    let mut text = line[start..end].to_vec();
    text.extend_from_slice(
        format!(
            " [bytes {start} to {end} of a line of {} or more]",
            line.len()
        )
        .as_bytes(),
    );
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(pattern: &str, text: &[u8]) -> String {
        let mut search = Search::new(Regex::new(pattern).expect("a pattern"));
        search.file(b"f", text);
        String::from_utf8(search.into_answer().bytes).expect("UTF-8")
    }

    #[test]
    fn lines_are_numbered_and_ends_cut() {
        assert_eq!(search("o", b"one\ntwo\nthree"), "f:1:one\nf:2:two");
        assert_eq!(search("e$", b"one\r\ntwo\r\nthree"), "f:1:one\nf:3:three");
        assert_eq!(search("^$", b"\n\na\n"), "f:1:\nf:2:");
        assert_eq!(search("x", b"one\n"), "no matches");
        assert_eq!(search("e\\s*t", b"e\nt"), "no matches");
    }

    #[test]
    fn binary_files_are_skipped() {
        assert_eq!(search("one", b"one\n\0two\n"), "no matches");
    }

    #[test]
    fn a_long_line_shows_the_part_around_its_match() {
        let line = [vec![b'a'; 5_000], b"needle".to_vec(), vec![b'b'; 5_000]].concat();
        let text = search("needle", &line);
        assert!(text.contains("needle") && text.len() < 2_100, "{text}");
        assert!(
            text.ends_with("[bytes 4500 to 6500 of a line of 10006 or more]"),
            "{text}"
        );
    }

    #[test]
    fn an_endless_line_is_searched_in_its_first_part() {
        let text = [
            b"needle".to_vec(),
            vec![b'a'; 3 * PART],
            b"needle\nneedle\n".to_vec(),
        ]
        .concat();
        let found = search("needle", &text);
        assert_eq!(found.lines().count(), 2, "{found}");
        assert!(
            found.starts_with("f:1:needle") && found.ends_with("f:2:needle"),
            "{found}"
        );
    }

    #[test]
    fn lines_across_parts_are_whole() {
        let text = "0123456789abcde\n".repeat(PART / 8);
        let found = search("^0123456789abcde$", text.as_bytes());
        assert!(found.ends_with(&format!("\n{CUT}")));
        assert!(found.len() <= OUTPUT_MAX + CUT.len());
        assert!(
            found
                .lines()
                .rev()
                .skip(1)
                .all(|line| line.ends_with(":0123456789abcde"))
        );
    }

    #[test]
    fn folders_are_searched_without_git_modules_and_links() {
        let dir = tempfile::tempdir().expect("folder");
        for name in ["b", "a/x", ".git/x", "node_modules/x", "c"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("made");
            std::fs::write(path, "needle\n").expect("written");
        }
        std::os::unix::fs::symlink("b", dir.path().join("link")).expect("link");
        let input = serde_json::json!({"pattern": "ne+dle", "path": dir.path()}).to_string();
        let answer = grep(input.as_bytes()).expect("answered");
        let text = String::from_utf8(answer.bytes).expect("UTF-8");
        let text = text.replace(&format!("{}/", dir.path().display()), "");
        assert_eq!(text, "a/x:1:needle\nb:1:needle\nc:1:needle");
        let input = serde_json::json!({"pattern": "(", "path": dir.path()}).to_string();
        let failure = grep(input.as_bytes()).expect_err("invalid");
        assert!(failure.text().starts_with("invalid regex: "), "{failure:?}");
    }
}
