//! `mv [OPTION]... SOURCE... DEST`

use std::{ffi::OsString, fs, io, path::Path};

use options::{Grammar, Line, Takes, quote, reason};

use guest_unix::fs::MetadataExt;

use super::{
    HELP, VERSION, bad_usage,
    copy::{Backup, STRIP_SLASHES, confirmed, destination, inside, operands, same_file},
    copy_tree::{Clobber, Copier, Follow, is_within},
    information,
};

const GRAMMAR: Grammar = Grammar {
    short: "bfinS:t:TuvZ",
    long: &[
        ("backup", Takes::Perhaps, 'B' as u32),
        ("force", Takes::Nothing, 'f' as u32),
        ("interactive", Takes::Nothing, 'i' as u32),
        ("no-clobber", Takes::Nothing, 'n' as u32),
        ("no-target-directory", Takes::Nothing, 'T' as u32),
        STRIP_SLASHES,
        ("suffix", Takes::Value, 'S' as u32),
        ("target-directory", Takes::Value, 't' as u32),
        ("update", Takes::Perhaps, 'u' as u32),
        ("verbose", Takes::Nothing, 'v' as u32),
        HELP,
        VERSION,
    ],
};

struct Mover {
    name: String,
    clobber: Clobber,
    backup: Backup,
    suffix: String,
    verbose: bool,
}

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, "Usage: mv [OPTION]... SOURCE... DEST\n") {
        return status;
    }
    let mover = match mover(name, &line) {
        Ok(mover) => mover,
        Err(message) => return bad_usage(name, &message, 1),
    };
    let target = line.value('t');
    let (sources, to, is_folder) = match destination(
        operands(&line),
        target.as_deref(),
        line.options.iter().any(|f| f.code == 'T' as u32),
    ) {
        Ok(parts) => parts,
        Err(message) if message.starts_with("target ") => {
            eprintln!("{name}: {message}");
            return 1;
        }
        Err(message) => return bad_usage(name, &message, 1),
    };
    let mut ok = true;
    for source in &sources {
        let to = if is_folder {
            inside(&to, source)
        } else {
            to.clone()
        };
        ok &= mover.move_one(source, &to);
    }
    i32::from(!ok)
}

fn mover(name: &str, line: &Line) -> Result<Mover, String> {
    let mut mover = Mover {
        name: name.to_owned(),
        clobber: Clobber::Overwrite,
        backup: Backup::None,
        suffix: line.value('S').unwrap_or_else(|| "~".to_owned()),
        verbose: line.has('v'),
    };
    for found in &line.options {
        match char::from_u32(found.code).unwrap_or_default() {
            'f' => mover.clobber = Clobber::Overwrite,
            'i' => mover.clobber = Clobber::Ask,
            'n' => mover.clobber = Clobber::Never,
            'u' => {
                mover.clobber = match found.text().as_str() {
                    "none" => Clobber::Never,
                    "all" => Clobber::Overwrite,
                    _ => Clobber::IfNewer,
                }
            }
            'b' => mover.backup = Backup::Existing,
            'B' => mover.backup = Backup::parse(&found.text())?,
            'S' if mover.backup == Backup::None => mover.backup = Backup::Existing,
            _ => {}
        }
    }
    Ok(mover)
}

impl Mover {
    fn say(&self, what: &str, error: Option<&io::Error>) -> bool {
        match error {
            Some(error) => eprintln!("{}: {what}: {}", self.name, reason(error)),
            None => eprintln!("{}: {what}", self.name),
        }
        false
    }

    fn move_one(&self, from: &Path, to: &Path) -> bool {
        let source = match fs::symlink_metadata(from) {
            Ok(source) => source,
            Err(error) => return self.say(&format!("cannot stat {}", quote(from)), Some(&error)),
        };
        if let Ok(target) = fs::symlink_metadata(to) {
            match self.clobber {
                Clobber::Never => return true,
                Clobber::IfNewer
                    if (target.mtime(), target.mtime_nsec())
                        >= (source.mtime(), source.mtime_nsec()) =>
                {
                    return true;
                }
                Clobber::Ask
                    if !confirmed(&format!("{}: overwrite {}? ", self.name, quote(to))) =>
                {
                    return true;
                }
                _ => {}
            }
            if same_file(&source, &target)
                && self.backup == Backup::None
                && (source.nlink() < 2 || from == to || source.is_dir())
            {
                return self.say(
                    &format!("{} and {} are the same file", quote(from), quote(to)),
                    None,
                );
            }
            if target.is_dir() && !source.is_dir() {
                return self.say(
                    &format!(
                        "cannot overwrite directory {} with non-directory",
                        quote(to)
                    ),
                    None,
                );
            }
            if !target.is_dir() && source.is_dir() {
                return self.say(
                    &format!(
                        "cannot overwrite non-directory {} with directory {}",
                        quote(to),
                        quote(from)
                    ),
                    None,
                );
            }
        }
        if source.is_dir() && is_within(from, to) {
            return self.say(
                &format!(
                    "cannot move {} to a subdirectory of itself, {}",
                    quote(from),
                    quote(to)
                ),
                None,
            );
        }
        let kept = match self.backup.keep(to, &self.suffix) {
            Ok(kept) => kept,
            Err(error) => return self.say(&format!("cannot backup {}", quote(to)), Some(&error)),
        };
        match fs::rename(from, to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                if !self.copy_and_remove(from, to, source.is_dir()) {
                    return false;
                }
            }
            Err(error) => {
                let what = format!("cannot move {} to {}", quote(from), quote(to));
                return self.say(&what, Some(&error));
            }
        }
        if self.verbose {
            let tail = kept
                .map(|kept| format!(" (backup: {})", quote(kept)))
                .unwrap_or_default();
            println!("renamed {} -> {}{tail}", quote(from), quote(to));
        }
        true
    }

    /// Between file systems (`/tmp` and `/workspace`) a move is a copy and a removal.
    fn copy_and_remove(&self, from: &Path, to: &Path, is_folder: bool) -> bool {
        let mut copier = Copier {
            name: self.name.clone(),
            recursive: true,
            follow: Follow::Never,
            clobber: Clobber::Force,
            backup: Backup::None,
            suffix: String::new(),
            keep_mode: true,
            keep_times: true,
            keep_links: true,
            hard_link: false,
            symbolic_link: false,
            attributes_only: false,
            remove_destination: true,
            verbose: false,
            seen: Default::default(),
        };
        if is_folder && to.is_dir() && fs::remove_dir(to).is_err() {
            let what = format!(
                "cannot move {} to {}: Directory not empty",
                quote(from),
                quote(to)
            );
            return self.say(&what, None);
        }
        if !copier.copy(from, to, true) {
            return false;
        }
        let removed = if is_folder {
            fs::remove_dir_all(from)
        } else {
            fs::remove_file(from)
        };
        match removed {
            Ok(()) => true,
            Err(error) => self.say(&format!("cannot remove {}", quote(from)), Some(&error)),
        }
    }
}
