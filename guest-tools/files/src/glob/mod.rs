//! `glob`: the paths that match a pattern, newest first.

mod pattern;

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::{
    answer::{Answer, Failure, shown},
    input,
    place::{self, Kind},
    walk::{ENTRIES_MAX, Walk},
};
use pattern::{Pattern, States};

/// Paths one answer names. From the agent toolset.
const RESULTS_MAX: usize = 200;

/// Lists what matches `pattern` below `path`, or below the current folder.
pub fn glob(input: &[u8]) -> Result<Answer, Failure> {
    let input: input::Search = input::parse(input)?;
    let text = input::path_of(input.pattern, "pattern")?;
    if text.starts_with('/') {
        return Err(Failure::new(
            "absolute pattern not permitted; use path for the folder",
        ));
    }
    if text.split('/').any(|name| name == "..") {
        return Err(Failure::new(
            "'..' is not permitted in the pattern; use path for the folder",
        ));
    }
    let (base, asked) = match input.path.filter(|path| !path.is_empty()) {
        Some(path) => (folder(&path)?, path.into_owned()),
        None => (place::current_folder(), ".".to_owned()),
    };
    let (below, rest) = literal_folders(&text);
    let mut start = base;
    for name in below {
        push_name(&mut start, name.as_bytes());
    }
    let mut newest = Newest::default();
    let pattern = Pattern::new(rest).map_err(Failure::new)?;
    let cut = match Walk::start(start, pattern.start()) {
        Ok(walk) => search(walk, &pattern, &mut newest),
        Err(_) if text.contains('/') => false,
        Err(error) => return Err(Failure::at(&asked, &error)),
    };
    Ok(newest.into_answer(cut))
}

/// The absolute form of a folder that the agent named, without what only repeats.
pub fn folder(path: &str) -> Result<Vec<u8>, Failure> {
    if path.contains('\0') {
        return Err(Failure::new(format!(
            "path {:?} contains a NUL byte",
            shown(path)
        )));
    }
    let absolute = place::absolute(path);
    let mut plain = Vec::with_capacity(absolute.len());
    for name in absolute
        .split(|&b| b == b'/')
        .filter(|name| !matches!(*name, b"" | b"."))
    {
        push_name(&mut plain, name);
    }
    if plain.is_empty() {
        plain.push(b'/');
    }
    Ok(plain)
}

fn push_name(path: &mut Vec<u8>, name: &[u8]) {
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// Splits the folders that `pattern` spells out from the rest: there is no need to search for
/// them.
fn literal_folders(pattern: &str) -> (Vec<&str>, &str) {
    let mut names = Vec::new();
    let mut rest = pattern;
    while let Some((name, after)) = rest.split_once('/') {
        if name.contains(['*', '?', '[', '{', '\\', '}', ',']) || after.is_empty() {
            break;
        }
        if !matches!(name, "" | ".") {
            names.push(name);
        }
        rest = after;
    }
    (names, rest)
}

/// Walks and gathers; answers whether a ceiling left something out.
fn search(mut walk: Walk<States>, pattern: &Pattern, newest: &mut Newest) -> bool {
    while let Some(entry) = walk.next() {
        let Some(states) = walk.carried() else { break };
        let states = pattern.after_name(states, &entry.name);
        if pattern.matched(&states) {
            let facts = place::facts(&walk.path, true);
            let is_folder = facts.as_ref().is_ok_and(|facts| facts.kind == Kind::Folder);
            if !pattern.folders_only || is_folder {
                newest.add(facts.map_or(0, |facts| facts.modified_ns), &walk.path);
            }
        }
        if !matches!(entry.kind, Kind::Folder | Kind::Link) {
            continue;
        }
        let inside = pattern.inside(&states, entry.kind == Kind::Link);
        if !inside.is_empty() {
            // A folder that cannot be listed holds no matches.
            let _ = walk.enter(inside);
        }
    }
    walk.cut
}

/// The newest matches so far.
#[derive(Default)]
struct Newest {
    /// The oldest of them, or of equals the last by name, on top.
    kept: BinaryHeap<(Reverse<i64>, Vec<u8>)>,
    found: usize,
}

impl Newest {
    fn add(&mut self, modified_ns: i64, path: &[u8]) {
        self.found += 1;
        if self.kept.len() == RESULTS_MAX
            && let Some(oldest) = self.kept.peek()
            && (Reverse(modified_ns), path) >= (oldest.0, oldest.1.as_slice())
        {
            return;
        }
        self.kept.push((Reverse(modified_ns), path.to_vec()));
        if self.kept.len() > RESULTS_MAX {
            self.kept.pop();
        }
    }

    fn into_answer(self, cut: bool) -> Answer {
        let note = if cut {
            Some(format!(
                "stopped after {ENTRIES_MAX} entries; give a path or a narrower pattern"
            ))
        } else if self.found > RESULTS_MAX {
            Some(format!(
                "{} paths match; these are the {RESULTS_MAX} newest",
                self.found
            ))
        } else {
            None
        };
        let paths: Vec<Vec<u8>> = self
            .kept
            .into_sorted_vec()
            .into_iter()
            .map(|(_, p)| p)
            .collect();
        let bytes = if paths.is_empty() {
            b"no matches".to_vec()
        } else {
            paths.join(&b'\n')
        };
        Answer { bytes, note }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{self, File},
        time::{Duration, SystemTime},
    };

    fn glob_in(dir: &std::path::Path, pattern: &str) -> String {
        let input = serde_json::json!({"pattern": pattern, "path": dir}).to_string();
        match glob(input.as_bytes()) {
            Ok(answer) => String::from_utf8(answer.bytes)
                .expect("UTF-8")
                .replace(&format!("{}/", dir.display()), ""),
            Err(failure) => failure.text().to_owned(),
        }
    }

    fn file(path: &std::path::Path, age_s: u64) {
        fs::create_dir_all(path.parent().expect("parent")).expect("made");
        let time = SystemTime::now() - Duration::from_secs(age_s);
        File::create(path)
            .expect("made")
            .set_modified(time)
            .expect("set");
    }

    #[test]
    fn newest_come_first_and_equals_by_name() {
        let dir = tempfile::tempdir().expect("folder");
        for (name, age) in [
            ("old.rs", 300),
            ("new.rs", 10),
            ("src/mid.rs", 200),
            ("src/.h.rs", 250),
        ] {
            file(&dir.path().join(name), age);
        }
        assert_eq!(
            glob_in(dir.path(), "**/*.rs"),
            "new.rs\nsrc/mid.rs\nsrc/.h.rs\nold.rs"
        );
        assert_eq!(glob_in(dir.path(), "src/*.rs"), "src/mid.rs\nsrc/.h.rs");
        assert_eq!(glob_in(dir.path(), "src/mid.rs"), "src/mid.rs");
        assert_eq!(glob_in(dir.path(), "*/"), "src");
        assert_eq!(glob_in(dir.path(), "./src"), "src");
        assert_eq!(glob_in(dir.path(), "nothing/*"), "no matches");
        assert_eq!(glob_in(dir.path(), "*.c"), "no matches");
    }

    #[test]
    fn patterns_that_leave_the_folder_are_refused() {
        let dir = tempfile::tempdir().expect("folder");
        assert!(glob_in(dir.path(), "/etc/*").starts_with("absolute pattern not permitted"));
        assert!(glob_in(dir.path(), "a/../../*").starts_with("'..' is not permitted"));
        assert!(glob_in(&dir.path().join("x"), "*").ends_with("/x: no such file or directory"));
        assert_eq!(glob_in(dir.path(), "..a"), "no matches");
    }

    #[test]
    fn links_to_folders_are_entered_by_name_only() {
        let dir = tempfile::tempdir().expect("folder");
        file(&dir.path().join("d/a.rs"), 10);
        std::os::unix::fs::symlink("d", dir.path().join("l")).expect("link");
        std::os::unix::fs::symlink(".", dir.path().join("d/self")).expect("link");
        assert_eq!(glob_in(dir.path(), "**/*.rs"), "d/a.rs");
        assert_eq!(glob_in(dir.path(), "l/*.rs"), "l/a.rs");
        assert_eq!(glob_in(dir.path(), "?/*.rs"), "d/a.rs\nl/a.rs");
    }

    #[test]
    fn many_matches_are_cut_to_the_newest_and_say_so() {
        let dir = tempfile::tempdir().expect("folder");
        for number in 0..RESULTS_MAX as u64 + 5 {
            file(&dir.path().join(format!("f{number:03}")), number * 10);
        }
        let input = serde_json::json!({"pattern": "f*", "path": dir.path()}).to_string();
        let answer = glob(input.as_bytes()).expect("answered");
        let text = String::from_utf8(answer.bytes).expect("UTF-8");
        assert_eq!(text.lines().count(), RESULTS_MAX);
        assert!(text.starts_with(&format!("{}/f000\n", dir.path().display())));
        assert!(text.ends_with("/f199"));
        assert_eq!(
            answer.note.as_deref(),
            Some("205 paths match; these are the 200 newest")
        );
    }
}
