//! Copying files and folders as `cp` does; `mv` uses it between file systems.

use std::{
    collections::HashMap,
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

use guest_unix::fs::{MetadataExt, symlink};
use options::{quote, reason};

use super::copy::{Backup, confirmed, copy_bytes, same_file, set_times};

/// What to do when the destination is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clobber {
    Overwrite,
    Force,
    Ask,
    Never,
    IfNewer,
}

/// When links in the source are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    Always,
    Named,
    Never,
}

/// How files are copied.
#[derive(Debug, Clone)]
pub struct Copier {
    pub name: String,
    pub recursive: bool,
    pub follow: Follow,
    pub clobber: Clobber,
    pub backup: Backup,
    pub suffix: String,
    pub keep_mode: bool,
    pub keep_times: bool,
    pub keep_links: bool,
    pub hard_link: bool,
    pub symbolic_link: bool,
    pub attributes_only: bool,
    pub remove_destination: bool,
    pub verbose: bool,
    /// First copy of each file with several names, by (device, inode).
    pub seen: HashMap<(u64, u64), PathBuf>,
}

impl Copier {
    /// Copies `from` to exactly `to`; true when all went well. Says what did not.
    pub fn copy(&mut self, from: &Path, to: &Path, named: bool) -> bool {
        let follow = match self.follow {
            Follow::Always => true,
            Follow::Named => named,
            Follow::Never => false,
        };
        let found = if follow {
            fs::metadata(from)
        } else {
            fs::symlink_metadata(from)
        };
        let source = match found {
            Ok(source) => source,
            Err(error) => return self.say(&format!("cannot stat {}", quote(from)), Some(&error)),
        };
        if source.is_dir() {
            return self.copy_folder(from, to, &source, named);
        }
        let target = fs::symlink_metadata(to).ok();
        if let Some(target) = &target {
            match self.replace(from, to, &source, target) {
                Some(true) => {}
                Some(false) => return true,
                None => return false,
            }
        }
        let kept = match self.backup.keep(to, &self.suffix) {
            Ok(kept) => kept,
            Err(error) => return self.say(&format!("cannot backup {}", quote(to)), Some(&error)),
        };
        let ok = self.copy_leaf(from, to, &source, follow);
        if ok && self.verbose {
            match kept {
                Some(kept) => println!(
                    "{} -> {} (backup: {})",
                    quote(from),
                    quote(to),
                    quote(&kept)
                ),
                None => println!("{} -> {}", quote(from), quote(to)),
            }
        }
        ok
    }

    fn say(&self, what: &str, error: Option<&io::Error>) -> bool {
        match error {
            Some(error) => eprintln!("{}: {what}: {}", self.name, reason(error)),
            None => eprintln!("{}: {what}", self.name),
        }
        false
    }

    /// Whether `to` may be replaced: `None` after an error, `Some(false)` to skip it silently.
    fn replace(
        &self,
        from: &Path,
        to: &Path,
        source: &Metadata,
        target: &Metadata,
    ) -> Option<bool> {
        if target.is_dir() {
            self.say(
                &format!(
                    "cannot overwrite directory {} with non-directory",
                    quote(to)
                ),
                None,
            );
            return None;
        }
        let behind = fs::metadata(to);
        let same = if source.is_symlink() {
            same_file(source, target)
        } else {
            behind
                .as_ref()
                .is_ok_and(|behind| same_file(source, behind))
        };
        match self.clobber {
            Clobber::Never => return Some(false),
            Clobber::IfNewer if target.mtime_and_nanos() >= source.mtime_and_nanos() => {
                return Some(false);
            }
            Clobber::Ask if !confirmed(&format!("{}: overwrite {}? ", self.name, quote(to))) => {
                return Some(false);
            }
            _ => {}
        }
        if same && self.hard_link {
            return Some(false);
        }
        if same && self.backup == Backup::None && !(self.remove_destination && target.is_symlink())
        {
            self.say(
                &format!("{} and {} are the same file", quote(from), quote(to)),
                None,
            );
            return None;
        }
        let dangling = target.is_symlink() && behind.is_err();
        if dangling
            && self.backup == Backup::None
            && !self.remove_destination
            && !source.is_symlink()
        {
            self.say(
                &format!("not writing through dangling symlink {}", quote(to)),
                None,
            );
            return None;
        }
        let fresh =
            self.remove_destination || self.hard_link || self.symbolic_link || source.is_symlink();
        let makes_links = self.hard_link || self.symbolic_link;
        if makes_links
            && self.clobber == Clobber::Overwrite
            && self.backup == Backup::None
            && !self.remove_destination
        {
            let kind = if self.hard_link {
                "hard link"
            } else {
                "symbolic link"
            };
            self.say(
                &format!(
                    "cannot create {kind} {} to {}: File exists",
                    quote(to),
                    quote(from)
                ),
                None,
            );
            return None;
        }
        if fresh && self.backup == Backup::None {
            let _ = fs::remove_file(to);
        }
        Some(true)
    }

    fn copy_leaf(&mut self, from: &Path, to: &Path, source: &Metadata, follow: bool) -> bool {
        if self.keep_links && source.nlink() > 1 && !self.hard_link {
            let key = (source.dev(), source.ino());
            if let Some(first) = self.seen.get(&key) {
                let _ = fs::remove_file(to);
                if fs::hard_link(first, to).is_ok() {
                    return true;
                }
            }
            self.seen.insert(key, to.to_path_buf());
        }
        let made = if self.hard_link {
            fs::hard_link(from, to).map_err(|error| ("cannot create hard link", error))
        } else if self.symbolic_link {
            symlink(from, to).map_err(|error| ("cannot create symbolic link", error))
        } else if source.is_symlink() {
            fs::read_link(from)
                .and_then(|text| symlink(text, to))
                .map_err(|error| ("cannot create symbolic link", error))
        } else {
            self.copy_contents(from, to, source)
        };
        if let Err((what, error)) = made {
            let place = if what == "cannot open" { from } else { to };
            let shown = match what {
                "cannot open" => format!("{what} {} for reading", quote(place)),
                _ => format!("{what} {}", quote(place)),
            };
            return self.say(&shown, Some(&error));
        }
        let is_link = source.is_symlink() && !follow;
        if self.hard_link || self.symbolic_link {
            return true;
        }
        self.keep_attributes(to, source, is_link)
    }

    fn copy_contents(
        &self,
        from: &Path,
        to: &Path,
        source: &Metadata,
    ) -> Result<(), (&'static str, io::Error)> {
        if self.attributes_only {
            let opened = fs::OpenOptions::new().append(true).create(true).open(to);
            return opened
                .map(drop)
                .map_err(|error| ("cannot create regular file", error));
        }
        fs::File::open(from).map_err(|error| ("cannot open", error))?;
        let is_new = fs::symlink_metadata(to).is_err();
        let first = copy_bytes(from, to, source);
        let retried = match first {
            Err(_) if self.clobber == Clobber::Force && !is_new => {
                let _ = fs::remove_file(to);
                copy_bytes(from, to, source)
            }
            other => other,
        };
        retried.map_err(|error| ("cannot create regular file", error))
    }

    fn keep_attributes(&self, to: &Path, source: &Metadata, is_link: bool) -> bool {
        if self.keep_times
            && let Err(error) = set_times(to, source, !is_link)
        {
            return self.say(&format!("preserving times for {}", quote(to)), Some(&error));
        }
        if self.keep_mode
            && !is_link
            && let Err(error) = guest_start::file::chmod(to, source.mode() & 0o7777)
        {
            return self.say(
                &format!("preserving permissions for {}", quote(to)),
                Some(&error),
            );
        }
        true
    }

    fn copy_folder(&mut self, from: &Path, to: &Path, source: &Metadata, named: bool) -> bool {
        if !self.recursive {
            return self.say(
                &format!("-r not specified; omitting directory {}", quote(from)),
                None,
            );
        }
        let target = fs::metadata(to).ok();
        if target.as_ref().is_some_and(|target| !target.is_dir()) {
            return self.say(
                &format!(
                    "cannot overwrite non-directory {} with directory {}",
                    quote(to),
                    quote(from)
                ),
                None,
            );
        }
        if named && is_within(from, to) {
            return self.say(
                &format!(
                    "cannot copy a directory, {}, into itself, {}",
                    quote(from),
                    quote(to)
                ),
                None,
            );
        }
        let is_new = target.is_none();
        if is_new {
            if let Err(error) = fs::create_dir(to) {
                return self.say(
                    &format!("cannot create directory {}", quote(to)),
                    Some(&error),
                );
            }
            if self.verbose {
                println!("{} -> {}", quote(from), quote(to));
            }
        }
        let entries = match fs::read_dir(from) {
            Ok(entries) => entries,
            Err(error) => return self.say(&format!("cannot access {}", quote(from)), Some(&error)),
        };
        let mut ok = true;
        for entry in entries.filter_map(Result::ok) {
            ok &= self.copy(
                &from.join(entry.file_name()),
                &to.join(entry.file_name()),
                false,
            );
        }
        if is_new && !self.keep_mode {
            let wanted = source.mode() & 0o777 & !guest_unix::fs::umask();
            let _ = guest_start::file::chmod(to, wanted);
        }
        ok & self.keep_attributes(to, source, false)
    }
}

/// A modification time that compares.
trait ModifiedAt {
    fn mtime_and_nanos(&self) -> (i64, i64);
}

impl ModifiedAt for Metadata {
    fn mtime_and_nanos(&self) -> (i64, i64) {
        (self.mtime(), self.mtime_nsec())
    }
}

/// Whether `to` lies in the folder `from`, links resolved.
pub fn is_within(from: &Path, to: &Path) -> bool {
    let Ok(from) = fs::canonicalize(from) else {
        return false;
    };
    to.ancestors()
        .find_map(|part| {
            let part = if part.as_os_str().is_empty() {
                Path::new(".")
            } else {
                part
            };
            fs::canonicalize(part).ok()
        })
        .is_some_and(|to| to.starts_with(&from))
}
