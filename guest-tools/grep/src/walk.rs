//! The files that are searched, and the answer of all of them.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Seek, Stdout, Write},
    os::wasi::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use guest_unix::fs::FileTypeExt;
use options::reason;

use crate::{
    TROUBLE,
    command_line::{Folders, Job, Show},
    output::Output,
    pattern::Patterns,
    search::Search,
};

pub struct Walk<'a> {
    job: &'a Job,
    patterns: &'a Patterns,
    sink: BufWriter<Stdout>,
    show_name: bool,
    any_selected: bool,
    trouble: bool,
    done: bool,
    printed: bool,
}

impl<'a> Walk<'a> {
    pub fn new(job: &'a Job, patterns: &'a Patterns) -> Self {
        let recurse = matches!(job.folders, Folders::Recurse | Folders::RecurseThroughLinks);
        let several = job.operands.len() > 1 || recurse && job.operands.is_empty();
        let one_folder = recurse && job.operands.len() == 1 && Path::new(&job.operands[0]).is_dir();
        Self {
            job,
            patterns,
            sink: BufWriter::with_capacity(64 * 1024, io::stdout()),
            show_name: job.with_names.unwrap_or(several || one_folder),
            any_selected: false,
            trouble: false,
            done: false,
            printed: false,
        }
    }

    fn recurses(&self) -> bool {
        matches!(
            self.job.folders,
            Folders::Recurse | Folders::RecurseThroughLinks
        )
    }

    /// Searches what the command line names.
    pub fn operands(&mut self) {
        if self.job.operands.is_empty() {
            if self.recurses() {
                self.folder(Path::new("."), Path::new(""));
            } else {
                self.standard_input();
            }
            return;
        }
        for operand in &self.job.operands {
            if self.done {
                break;
            }
            if operand == "-" {
                self.standard_input();
                continue;
            }
            let path = Path::new(operand);
            match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => self.named_folder(path),
                Ok(metadata) => {
                    let device =
                        metadata.file_type().is_char_device() || metadata.file_type().is_fifo();
                    if !(device && self.job.skip_devices) && !self.is_excluded(path, true) {
                        self.file(path);
                    }
                }
                Err(error) => self.say(path, &error),
            }
        }
    }

    /// Flushes, and answers the exit status.
    pub fn finish(mut self) -> i32 {
        if let Err(error) = self.sink.flush() {
            eprintln!("grep: write error: {}", reason(&error));
            return TROUBLE;
        }
        match (self.any_selected, self.trouble) {
            (true, true) if self.job.show == Show::Nothing => 0,
            (_, true) => TROUBLE,
            (selected, false) => i32::from(!selected),
        }
    }

    fn say(&mut self, path: &Path, error: &io::Error) {
        self.trouble = true;
        if !self.job.silent_errors {
            let _ = self.sink.flush();
            eprintln!("grep: {}: {}", path.display(), reason(error));
        }
    }

    fn named_folder(&mut self, path: &Path) {
        match self.job.folders {
            Folders::Skip => {}
            Folders::Read => {
                let _ = self.sink.flush();
                if !self.job.silent_errors {
                    eprintln!("grep: {}: Is a directory", path.display());
                }
                self.trouble = true;
            }
            Folders::Recurse | Folders::RecurseThroughLinks => {
                if !self.is_excluded_folder(path) {
                    self.folder(path, path);
                }
            }
        }
    }

    /// Searches what is in the folder `path`; `shown` is how it is named in the output.
    fn folder(&mut self, path: &Path, shown: &Path) {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.say(shown, &error),
        };
        for entry in entries {
            if self.done {
                return;
            }
            let Ok(entry) = entry else { continue };
            let (inner, name) = (
                path.join(entry.file_name()),
                join(shown, &entry.file_name()),
            );
            let Ok(mut kind) = entry.file_type() else {
                continue;
            };
            if kind.is_symlink() {
                if self.job.folders != Folders::RecurseThroughLinks {
                    continue;
                }
                match fs::metadata(&inner) {
                    Ok(metadata) => kind = metadata.file_type(),
                    Err(error) => {
                        self.say(&name, &error);
                        continue;
                    }
                }
            }
            if kind.is_dir() {
                if !self.is_excluded_folder(&name) {
                    self.folder(&inner, &name);
                }
            } else if kind.is_file() && !self.is_excluded(&name, false) {
                self.path(&inner, &name);
            }
        }
    }

    fn is_excluded_folder(&self, path: &Path) -> bool {
        let globs = &self.job.folder_globs;
        globs.iter().any(|glob| excludes(glob, path))
    }

    /// `--include` and `--exclude`: the last glob that matches decides; where none does, a file is
    /// left out when the first one was an `--include`.
    fn is_excluded(&self, path: &Path, named: bool) -> bool {
        let globs = &self.job.file_globs;
        let Some((first_includes, _)) = globs.first() else {
            return false;
        };
        let _ = named;
        globs
            .iter()
            .rev()
            .find(|(_, glob)| excludes(glob, path))
            .map_or(*first_includes, |(includes, _)| !includes)
    }

    fn file(&mut self, path: &Path) {
        self.path(path, path);
    }

    fn path(&mut self, path: &Path, shown: &Path) {
        match File::open(path) {
            Ok(file) => {
                self.search(file, shown.as_os_str().as_bytes());
            }
            Err(error) => self.say(shown, &error),
        }
    }

    fn standard_input(&mut self) {
        let label = self.job.label.clone();
        // The descriptor itself: a buffered reader would wait for more than is there.
        let input = guest_start::descriptor::into_file(0);
        let unread = self.search(&input, &label);
        // With `-m` the rest is given back to whoever reads stdin next; a pipe cannot take it.
        let _ = (&input).seek_relative(-i64::try_from(unread).unwrap_or(0));
        std::mem::forget(input);
    }

    /// Searches one file; answers how much was read of it beyond the end of the search.
    fn search(&mut self, input: impl Read, name: &[u8]) -> usize {
        if self.job.max_count == Some(0) {
            self.done = true;
            return 0;
        }
        let mut out = Output {
            job: self.job,
            sink: &mut self.sink,
            name,
            show_name: self.show_name,
            printed: self.printed,
        };
        let mut search = Search::new(self.job, self.patterns, input);
        let result = search.run(&mut out);
        self.printed |= out.printed;
        let (selected, unread) = match result {
            Ok(result) => (result.selected, result.unread),
            Err(error) => {
                self.say(&PathBuf::from(std::ffi::OsStr::from_bytes(name)), &error);
                return 0;
            }
        };
        self.any_selected |= selected > 0;
        let written = match self.job.show {
            Show::Nothing => {
                self.done = selected > 0;
                Ok(())
            }
            Show::Count => {
                let named = if out.show_name {
                    out.name_and(b":")
                } else {
                    Ok(())
                };
                named.and_then(|()| writeln!(out.sink, "{selected}"))
            }
            Show::FilesWith if selected > 0 => list(&mut out),
            Show::FilesWithout if selected == 0 => list(&mut out),
            _ => Ok(()),
        };
        if written.is_err() || self.job.line_buffered && self.sink.flush().is_err() {
            self.trouble = true;
            self.done = true;
        }
        unread
    }
}

fn list(out: &mut Output<'_>) -> io::Result<()> {
    let mark: &[u8] = b"\n";
    if out.job.null_after_name {
        return out.name_and(mark);
    }
    out.sink.write_all(out.name)?;
    out.sink.write_all(mark)
}

fn join(folder: &Path, name: &std::ffi::OsStr) -> PathBuf {
    if folder.as_os_str().is_empty() {
        PathBuf::from(name)
    } else {
        folder.join(name)
    }
}

/// Whether `glob` covers `path`: its end from some component on, as GNU's `exclude_fnmatch`.
fn excludes(glob: &[u8], path: &Path) -> bool {
    let text = path.as_os_str().as_bytes();
    let matches = |part: &[u8]| glob_matches(glob, part);
    matches(text)
        || text
            .iter()
            .enumerate()
            .any(|(at, &b)| b == b'/' && matches(&text[at + 1..]))
}

/// Shell globbing where `*` also matches `/`.
pub fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    match glob.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| glob_matches(rest, &text[skip..])),
        Some((b'?', rest)) => !text.is_empty() && glob_matches(rest, &text[1..]),
        Some((b'[', rest)) => match bracket(rest, text.first().copied()) {
            Some((true, length)) => glob_matches(&rest[length..], &text[1..]),
            Some((false, _)) => false,
            None => text.first() == Some(&b'[') && glob_matches(rest, &text[1..]),
        },
        Some((b'\\', rest)) if !rest.is_empty() => {
            text.first() == rest.first() && glob_matches(&rest[1..], &text[1..])
        }
        Some((byte, rest)) => text.first() == Some(byte) && glob_matches(rest, &text[1..]),
    }
}

/// Whether a bracket expression takes `byte`, and its length; `None` when it is not closed.
fn bracket(glob: &[u8], byte: Option<u8>) -> Option<(bool, usize)> {
    let negated = matches!(glob.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let first = at;
    let mut taken = false;
    loop {
        let low = *glob.get(at)?;
        if low == b']' && at > first {
            break;
        }
        let high = match (glob.get(at + 1), glob.get(at + 2)) {
            (Some(b'-'), Some(&high)) if high != b']' => {
                at += 2;
                high
            }
            _ => low,
        };
        at += 1;
        taken |= byte.is_some_and(|byte| (low..=high).contains(&byte));
    }
    Some((byte.is_some() && taken != negated, at + 1))
}
