//! Names that guests may not touch, whether they exist or not.

use serde::{Deserialize, Serialize};

/// A name in a mounted folder that no guest may make, change, move or remove.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Protected {
    /// The name is meant in every folder, not only in the mounted one.
    every_folder: bool,
    parts: Vec<String>,
}

/// How a place relates to a protected name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cover {
    /// They have nothing to do with each other.
    Apart,
    /// The place is a folder on the way to the name: what is put there could carry the name.
    Above,
    /// The place is the name, or lies in it.
    Inside,
}

impl Protected {
    /// Reads `.git/hooks` or `**/.git/hooks`.
    ///
    /// # Errors
    /// When it is no relative path of plain names.
    pub fn new(written: &str) -> Result<Self, String> {
        let (every_folder, path) = match written.strip_prefix("**/") {
            Some(path) => (true, path),
            None => (false, written),
        };
        let parts: Vec<_> = path.split('/').map(str::to_owned).collect();
        let plain = |part: &String| {
            !part.is_empty() && part != "." && part != ".." && !part.contains(['\0', '*'])
        };
        if parts.iter().all(plain) {
            Ok(Self {
                every_folder,
                parts,
            })
        } else {
            Err("a protected name is a relative path of plain names, `**/` before it for every folder".to_owned())
        }
    }

    /// How the place `path`, by the names from the mounted folder on, relates to this name.
    pub fn cover<S: AsRef<[u8]>>(&self, path: &[S]) -> Cover {
        let same = |(part, name): (&String, &S)| part.as_bytes() == name.as_ref();
        let from = |start: usize| {
            let rest = path.get(start..).unwrap_or_default();
            if rest.is_empty() || !self.parts.iter().zip(rest).all(same) {
                Cover::Apart
            } else if rest.len() < self.parts.len() {
                Cover::Above
            } else {
                Cover::Inside
            }
        };
        let starts = if self.every_folder { path.len() } else { 1 };
        (0..starts).map(from).max().unwrap_or(Cover::Apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, path: &str, wanted: Cover) {
        let parts: Vec<_> = path.split('/').collect();
        let found = Protected::new(name).unwrap().cover(&parts);
        assert_eq!(found, wanted, "{name} {path}");
    }

    #[test]
    fn a_name_covers_itself_what_is_in_it_and_the_way_to_it() {
        for (path, wanted) in [
            (".git/hooks", Cover::Inside),
            (".git/hooks/pre-commit", Cover::Inside),
            (".git", Cover::Above),
            (".git/hook", Cover::Apart),
            (".git/hooks2", Cover::Apart),
            ("a/.git/hooks", Cover::Apart),
            (".gi", Cover::Apart),
        ] {
            check(".git/hooks", path, wanted);
        }
    }

    #[test]
    fn with_two_stars_it_is_meant_in_every_folder() {
        for (path, wanted) in [
            (".git/hooks", Cover::Inside),
            ("a/b/.git/hooks/x", Cover::Inside),
            ("a/.git", Cover::Above),
            ("a/.git/config", Cover::Apart),
            ("a", Cover::Apart),
            (".git/.git", Cover::Above),
            (".git/.git/hooks", Cover::Inside),
        ] {
            check("**/.git/hooks", path, wanted);
        }
        for bad in ["", "/a", "a//b", "a/", "../a", "a/./b", "*/a", "**/", "a*"] {
            assert!(Protected::new(bad).is_err(), "{bad}");
        }
    }
}
