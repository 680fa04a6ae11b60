//! `chown [OPTION]... [OWNER][:[GROUP]] FILE...` and `chgrp [OPTION]... GROUP FILE...`
//!
//! The one user owns their files and may not give them away, so nothing ever changes: what a file
//! has already is retained, and everything else is not permitted.

use std::{
    ffi::OsString,
    fs::{self, Metadata},
    path::Path,
};

use guest_unix::{
    entries::{GID, UID, gid2grp, grp2gid, uid2usr, usr2uid},
    fs::MetadataExt,
};
use options::{Grammar, Line, Takes, quote, quote_argument, reason};

use super::{HELP, VERSION, bad_usage, information};

const GRAMMAR: Grammar = Grammar {
    short: "HLPRcfhv",
    long: &[
        ("recursive", Takes::Nothing, 'R' as u32),
        ("changes", Takes::Nothing, 'c' as u32),
        ("verbose", Takes::Nothing, 'v' as u32),
        ("quiet", Takes::Nothing, 'f' as u32),
        ("silent", Takes::Nothing, 'f' as u32),
        ("dereference", Takes::Nothing, 'd' as u32),
        ("no-dereference", Takes::Nothing, 'h' as u32),
        ("from", Takes::Value, 'F' as u32),
        ("reference", Takes::Value, 'r' as u32),
        ("preserve-root", Takes::Nothing, 'p' as u32),
        ("no-preserve-root", Takes::Nothing, 'n' as u32),
        HELP,
        VERSION,
    ],
};

/// An owner, a group, or both.
#[derive(Debug, Default, Clone, Copy)]
struct Owners {
    user: Option<u32>,
    group: Option<u32>,
}

struct Change<'a> {
    name: &'a str,
    wanted: Owners,
    from: Owners,
    recursive: bool,
    links_themselves: bool,
    /// Links below a folder are followed; links among the operands are.
    follow_all: bool,
    follow_named: bool,
    quiet: bool,
    verbose: bool,
}

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let mut line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    let what = if name == "chgrp" {
        "GROUP"
    } else {
        "[OWNER][:[GROUP]]"
    };
    let usage = format!("Usage: {name} [OPTION]... {what} FILE...\n");
    if let Some(status) = information(name, &line, &usage) {
        return status;
    }
    let needed = if line.value('r').is_some() { 1 } else { 2 };
    if line.operands.len() < needed {
        return bad_usage(name, &missing(&line), 1);
    }
    let wanted = match wanted(name, &mut line) {
        Ok(wanted) => wanted,
        Err(message) => {
            eprintln!("{name}: {message}");
            return 1;
        }
    };
    let from = match line.value('F').map(|text| owners(&text)).transpose() {
        Ok(from) => from.unwrap_or_default(),
        Err(message) => {
            eprintln!("{name}: {message}");
            return 1;
        }
    };
    let last = |letters: &str| {
        let codes = line
            .options
            .iter()
            .rev()
            .filter_map(|found| char::from_u32(found.code));
        codes.into_iter().find(|code| letters.contains(*code))
    };
    let walk = last("HLP");
    let change = Change {
        name,
        wanted,
        from,
        recursive: line.has('R'),
        links_themselves: last("hd") == Some('h'),
        follow_all: walk == Some('L'),
        follow_named: matches!(walk, Some('L' | 'H')),
        quiet: line.has('f'),
        verbose: line.has('v'),
    };
    let results = line
        .operands
        .iter()
        .map(|file| change.apply(Path::new(file), true));
    i32::from(results.fold(false, |failed, ok| failed | !ok))
}

fn missing(line: &Line) -> String {
    match line.operands.last() {
        Some(last) => format!("missing operand after {}", quote_argument(last)),
        None => "missing operand".to_owned(),
    }
}

fn wanted(name: &str, line: &mut Line) -> Result<Owners, String> {
    if let Some(file) = line.value('r') {
        let metadata = fs::metadata(&file).map_err(|e| {
            format!(
                "failed to get attributes of {}: {}",
                quote(&file),
                reason(&e)
            )
        })?;
        return Ok(Owners {
            user: Some(metadata.uid()).filter(|_| name != "chgrp"),
            group: Some(metadata.gid()),
        });
    }
    let text = line.operands.remove(0).to_string_lossy().into_owned();
    if name != "chgrp" {
        return owners(&text);
    }
    let group = grp2gid(&text).map_err(|_| format!("invalid group: {}", quote_argument(&text)));
    Ok(Owners {
        user: None,
        group: Some(group?).filter(|_| !text.is_empty()),
    })
}

/// `OWNER`, `OWNER:GROUP`, `:GROUP`, or `OWNER:` with the owner's own group.
fn owners(text: &str) -> Result<Owners, String> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let invalid = |what: &str| format!("invalid {what}: {}", quote_argument(text));
    let mut owners = Owners::default();
    if !user.is_empty() {
        owners.user = Some(usr2uid(user).map_err(|_| invalid("user"))?);
    }
    owners.group = match group {
        None => None,
        Some("") if user.is_empty() => None,
        Some("") if user.parse::<u32>().is_ok() => return Err(invalid("spec")),
        // Each of the two users has a group of the same number.
        Some("") => owners.user,
        Some(group) => Some(grp2gid(group).map_err(|_| invalid("group"))?),
    };
    Ok(owners)
}

impl Owners {
    fn fit(self, metadata: &Metadata) -> bool {
        self.user.is_none_or(|user| user == metadata.uid())
            && self.group.is_none_or(|group| group == metadata.gid())
    }

    /// As `-v` shows them: the parts that are given.
    fn show(self, kind: &str) -> String {
        let user = self
            .user
            .map(|id| uid2usr(id).unwrap_or_else(|_| id.to_string()));
        let group = self
            .group
            .map(|id| gid2grp(id).unwrap_or_else(|_| id.to_string()));
        match (user, group) {
            (Some(user), Some(group)) => format!("{user}:{group}"),
            (Some(user), None) => user,
            (None, Some(group)) if kind == "group" => group,
            (None, Some(group)) => format!(":{group}"),
            (None, None) => String::new(),
        }
    }
}

impl Change<'_> {
    /// Changes a file after, when asked, what is below it; true when all went well.
    fn apply(&self, path: &Path, named: bool) -> bool {
        let link = match fs::symlink_metadata(path) {
            Ok(link) => link,
            Err(error) => {
                self.failed(path, "cannot access", &reason(&error));
                if self.verbose {
                    let (kind, wanted) = (self.kind(), self.wanted.show(self.kind()));
                    println!("failed to change {kind} of {} to {wanted}", quote(path));
                }
                return false;
            }
        };
        let enter = self.follow_all || named && self.follow_named;
        let through = !self.links_themselves && (!self.recursive || enter);
        let metadata = match fs::metadata(path) {
            Ok(metadata) if through => metadata,
            Err(error) if through => {
                return self.failed(path, "cannot dereference", &reason(&error));
            }
            _ => link,
        };
        let mut ok = true;
        if self.recursive && metadata.is_dir() {
            ok = match fs::read_dir(path) {
                Ok(entries) => entries
                    .filter_map(Result::ok)
                    .fold(true, |ok, entry| self.apply(&entry.path(), false) & ok),
                Err(error) => self.failed(path, "cannot read directory", &reason(&error)),
            };
        }
        ok & self.own(path, &metadata)
    }

    fn kind(&self) -> &'static str {
        if self.name == "chgrp" {
            "group"
        } else {
            "ownership"
        }
    }

    fn own(&self, path: &Path, metadata: &Metadata) -> bool {
        let kind = self.kind();
        let is_retained = !self.from.fit(metadata) || self.wanted.fit(metadata);
        let is_own = metadata.uid() == UID && metadata.gid() == GID;
        let asks = self.wanted.user.is_some() || self.wanted.group.is_some();
        if is_retained && (is_own || !asks || !self.from.fit(metadata)) {
            if self.verbose {
                let shown = if asks {
                    self.wanted.show(kind)
                } else {
                    self.has(metadata).show(kind)
                };
                println!("{kind} of {} retained as {shown}", quote(path));
            }
            return true;
        }
        let what = if kind == "group" {
            "changing group of"
        } else {
            "changing ownership of"
        };
        self.failed(path, what, "Operation not permitted");
        if self.verbose {
            println!(
                "failed to change {kind} of {} from {} to {}",
                quote(path),
                self.has(metadata).show(kind),
                self.wanted.show(kind)
            );
        }
        false
    }

    /// What the file has of what is wanted.
    fn has(&self, metadata: &Metadata) -> Owners {
        Owners {
            user: self.wanted.user.map(|_| metadata.uid()),
            group: self.wanted.group.map(|_| metadata.gid()),
        }
    }

    fn failed(&self, path: &Path, what: &str, why: &str) -> bool {
        if !self.quiet {
            eprintln!("{}: {what} {}: {why}", self.name, quote(path));
        }
        false
    }
}
