//! `-exec` and its like.

use std::{cell::RefCell, ffi::OsStr, io, os::wasi::ffi::OsStrExt, path::Path};

use guest_start::process::{self, Command, Status};
use options::{quote_argument, reason};

/// Where a command runs, and whether it is asked for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Here,
    InFolder,
    AskHere,
    AskInFolder,
}

/// A command to run for files, one by one or many at once.
pub struct Execution {
    words: Vec<Vec<u8>>,
    mode: Mode,
    several: bool,
    waiting: RefCell<Vec<Vec<u8>>>,
}

/// The most bytes of names that one command gets: GNU's default.
const NAMES_BYTES_MAX: usize = 128 * 1024;

impl Execution {
    pub fn new(words: Vec<Vec<u8>>, mode: Mode, several: bool) -> Self {
        Self {
            words,
            mode,
            several,
            waiting: RefCell::default(),
        }
    }

    fn in_folder(&self) -> bool {
        matches!(self.mode, Mode::InFolder | Mode::AskInFolder)
    }

    /// Runs the command for `path`, or keeps it for later; answers success and whether the whole
    /// search has failed by it.
    pub fn run(&self, path: &Path) -> (bool, bool) {
        let name = self.name(path);
        if !self.several {
            let words: Vec<Vec<u8>> = self.words.iter().map(|word| replace(word, &name)).collect();
            if matches!(self.mode, Mode::AskHere | Mode::AskInFolder) && !confirmed(&words) {
                return (false, false);
            }
            return (start(&words, self.folder(path)), false);
        }
        if self.in_folder() {
            // One folder at a time would need bookkeeping for little: one command per file.
            let words = [self.words.clone(), vec![name]].concat();
            let ok = start(&words, self.folder(path));
            return (true, !ok);
        }
        let mut waiting = self.waiting.borrow_mut();
        waiting.push(name);
        let bytes: usize = self
            .words
            .iter()
            .chain(waiting.iter())
            .map(|word| word.len() + 1)
            .sum();
        if bytes < NAMES_BYTES_MAX - 4096 {
            return (true, false);
        }
        let names = std::mem::take(&mut *waiting);
        (true, !start(&[self.words.clone(), names].concat(), None))
    }

    /// Runs the command for the names still waiting; false when it failed.
    pub fn finish(&self) -> bool {
        let names = self.waiting.take();
        names.is_empty() || start(&[self.words.clone(), names].concat(), None)
    }

    fn name(&self, path: &Path) -> Vec<u8> {
        if !self.in_folder() {
            return path.as_os_str().as_bytes().to_vec();
        }
        let whole = path.as_os_str().as_bytes();
        let end = whole
            .iter()
            .rposition(|&byte| byte != b'/')
            .map_or(0, |at| at + 1);
        match whole[..end].iter().rposition(|&byte| byte == b'/') {
            _ if end == 0 => b"/".to_vec(),
            Some(at) => [b"./", &whole[at + 1..]].concat(),
            None => [b"./", whole].concat(),
        }
    }

    fn folder<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        if !self.in_folder() {
            return None;
        }
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        Some(parent.unwrap_or(Path::new(".")))
    }
}

fn replace(word: &[u8], name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len() + name.len());
    let mut at = 0;
    while at < word.len() {
        if word[at..].starts_with(b"{}") {
            out.extend_from_slice(name);
            at += 2;
        } else {
            out.push(word[at]);
            at += 1;
        }
    }
    out
}

fn confirmed(words: &[Vec<u8>]) -> bool {
    let shown: Vec<_> = words
        .iter()
        .map(|word| String::from_utf8_lossy(word))
        .collect();
    eprint!("< {} > ? ", shown.join(" "));
    let mut answer = String::new();
    let _ = io::stdin().read_line(&mut answer);
    answer.trim_start().starts_with(['y', 'Y'])
}

fn start(words: &[Vec<u8>], folder: Option<&Path>) -> bool {
    let program = OsStr::from_bytes(&words[0]);
    match spawn(words, folder).and_then(process::wait_for) {
        Ok(status) => status == Status::Exited(0),
        Err(error) => {
            eprintln!("find: {}: {}", quote_argument(program), reason(&error));
            false
        }
    }
}

fn spawn(words: &[Vec<u8>], folder: Option<&Path>) -> io::Result<process::Pid> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin".into());
    let program = process::find_program(OsStr::from_bytes(&words[0]), &path)
        .ok_or(io::ErrorKind::NotFound)
        .map_err(|_| io::Error::from_raw_os_error(44))?; // ENOENT
    let mut command = Command::new(program);
    command.inherit_env();
    for word in words {
        command.arg(OsStr::from_bytes(word));
    }
    if let Some(folder) = folder {
        command.cwd(std::fs::canonicalize(folder)?);
    }
    command.spawn()
}
