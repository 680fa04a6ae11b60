//! `chmod [OPTION]... MODE[,MODE]... FILE...`

use std::{ffi::OsString, fs, path::Path};

use guest_unix::fs::MetadataExt;
use options::{Grammar, Takes, quote, quote_argument, reason};
use uucore::{fs::display_permissions_unix, mode};

use super::{HELP, VERSION, bad_usage, information};

const GRAMMAR: Grammar = Grammar {
    short: "Rcvf",
    long: &[
        ("recursive", Takes::Nothing, 'R' as u32),
        ("changes", Takes::Nothing, 'c' as u32),
        ("verbose", Takes::Nothing, 'v' as u32),
        ("quiet", Takes::Nothing, 'f' as u32),
        ("silent", Takes::Nothing, 'f' as u32),
        ("preserve-root", Takes::Nothing, 'p' as u32),
        ("no-preserve-root", Takes::Nothing, 'n' as u32),
        ("reference", Takes::Value, 'r' as u32),
        HELP,
        VERSION,
    ],
};

struct Change {
    name: String,
    mode: String,
    exact: Option<u32>,
    umask: u32,
    recursive: bool,
    verbose: bool,
    changes: bool,
    quiet: bool,
}

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    // A mode such as `-x` looks like an option; getopt of GNU chmod knows those letters.
    let (modes, rest) = dashed_modes(arguments);
    let mut line = match GRAMMAR.parse(rest.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    let usage = "Usage: chmod [OPTION]... MODE[,MODE]... FILE...\n";
    if let Some(status) = information(name, &line, usage) {
        return status;
    }
    let mut change = Change {
        name: name.to_owned(),
        mode: modes.join(","),
        exact: None,
        umask: mode::get_umask(),
        recursive: line.has('R'),
        verbose: line.has('v'),
        changes: line.has('c'),
        quiet: line.has('f'),
    };
    if let Some(reference) = line.value('r') {
        match fs::metadata(&reference) {
            Ok(metadata) => change.exact = Some(metadata.mode() & 0o7777),
            Err(error) => {
                eprintln!(
                    "{name}: failed to get attributes of {}: {}",
                    quote(&reference),
                    reason(&error)
                );
                return 1;
            }
        }
    } else if change.mode.is_empty() {
        if line.operands.is_empty() {
            return bad_usage(name, "missing operand", 1);
        }
        change.mode = line.operands.remove(0).to_string_lossy().into_owned();
    }
    if change.exact.is_none() && mode::parse_chmod(0, &change.mode, false, change.umask).is_err() {
        return bad_usage(
            name,
            &format!("invalid mode: {}", quote_argument(&change.mode)),
            1,
        );
    }
    if line.operands.is_empty() {
        let message = if change.exact.is_some() {
            "missing operand".to_owned()
        } else {
            format!("missing operand after {}", quote(&change.mode))
        };
        return bad_usage(name, &message, 1);
    }
    let results = line
        .operands
        .iter()
        .map(|file| change.apply(Path::new(file), true));
    i32::from(results.fold(false, |failed, ok| failed | !ok))
}

fn dashed_modes(arguments: Vec<OsString>) -> (Vec<String>, Vec<OsString>) {
    let (mut modes, mut rest, mut ended) = (Vec::new(), Vec::new(), false);
    for argument in arguments {
        let text = argument.to_string_lossy().into_owned();
        ended |= text == "--";
        let is_mode = !ended
            && text.len() > 1
            && text.starts_with('-')
            && text[1..].starts_with(|c: char| "rwxXstugo01234567".contains(c))
            && text[1..]
                .chars()
                .all(|c| "rwxXstugoa=+-,01234567".contains(c));
        if is_mode {
            modes.push(text)
        } else {
            rest.push(argument)
        }
    }
    (modes, rest)
}

impl Change {
    /// Changes one file and, when asked, what is below it; true when all went well.
    fn apply(&self, path: &Path, named: bool) -> bool {
        let Ok(link) = fs::symlink_metadata(path) else {
            let error = fs::symlink_metadata(path).err();
            return self.failed(path, "cannot access", error.as_ref());
        };
        if link.is_symlink() && !named {
            return true;
        }
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(_) if link.is_symlink() => {
                if !self.quiet {
                    eprintln!(
                        "{}: cannot operate on dangling symlink {}",
                        self.name,
                        quote(path)
                    );
                }
                return false;
            }
            Err(error) => return self.failed(path, "cannot access", Some(&error)),
        };
        let old = metadata.mode() & 0o7777;
        let new = self.exact.unwrap_or_else(|| {
            mode::parse_chmod(metadata.mode(), &self.mode, metadata.is_dir(), self.umask)
                .unwrap_or(old)
                & 0o7777
        });
        let mut ok = true;
        if let Err(error) = guest_start::file::chmod(path, new) {
            ok = self.failed(path, "changing permissions of", Some(&error));
        } else {
            self.report(path, old, new);
        }
        if self.recursive && metadata.is_dir() && !link.is_symlink() {
            ok &= self.below(path);
        }
        ok
    }

    fn below(&self, path: &Path) -> bool {
        match fs::read_dir(path) {
            Ok(entries) => entries
                .filter_map(Result::ok)
                .map(|entry| self.apply(&entry.path(), false))
                .fold(true, |all, ok| all & ok),
            Err(error) => self.failed(path, "cannot read directory", Some(&error)),
        }
    }

    fn failed(&self, path: &Path, what: &str, error: Option<&std::io::Error>) -> bool {
        if !self.quiet {
            let why = error.map(reason).unwrap_or_default();
            eprintln!("{}: {what} {}: {why}", self.name, quote(path));
        }
        false
    }

    fn report(&self, path: &Path, old: u32, new: u32) {
        let shown = |mode| display_permissions_unix(mode, false);
        if old != new && (self.verbose || self.changes) {
            println!(
                "mode of {} changed from {old:04o} ({}) to {new:04o} ({})",
                quote(path),
                shown(old),
                shown(new)
            );
        } else if self.verbose {
            println!(
                "mode of {} retained as {old:04o} ({})",
                quote(path),
                shown(old)
            );
        }
    }
}
