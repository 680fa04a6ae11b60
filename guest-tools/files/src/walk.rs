//! A bounded walk of a folder, depth first, in the order of names. It never enters a folder on
//! its own: the caller says which, so that `glob` can prune and `grep` can skip.

use std::io;

use crate::place::{self, Entry};

/// Entries that one walk looks at. From the agent toolset.
pub const ENTRIES_MAX: usize = 50_000;

/// Levels below the starting folder. Chosen, not measured: twice what a path of 4096 bytes holds.
const LEVELS_MAX: usize = 4_096;

/// Where the walk stands; each entered folder carries a `T`.
pub struct Walk<T> {
    levels: Vec<Level<T>>,
    /// The entry that [`Walk::next`] answered last.
    pub path: Vec<u8>,
    left: usize,
    /// Whether a ceiling left something out.
    pub cut: bool,
}

struct Level<T> {
    entries: std::vec::IntoIter<Entry>,
    path_len: usize,
    carried: T,
}

impl<T> Walk<T> {
    /// Starts in the folder at `path`.
    pub fn start(path: Vec<u8>, carried: T) -> io::Result<Self> {
        let mut walk = Self {
            levels: Vec::new(),
            path,
            left: ENTRIES_MAX,
            cut: false,
        };
        walk.enter(carried)?;
        Ok(walk)
    }

    /// Answers the next entry of the innermost folder that has one, and moves `path` to it.
    pub fn next(&mut self) -> Option<Entry> {
        while let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.path_len);
            if let Some(entry) = level.entries.next() {
                if self.path.last() != Some(&b'/') {
                    self.path.push(b'/');
                }
                self.path.extend_from_slice(&entry.name);
                return Some(entry);
            }
            self.levels.pop();
        }
        None
    }

    /// What the folder of the entry answered last carries.
    pub fn carried(&self) -> Option<&T> {
        self.levels.last().map(|level| &level.carried)
    }

    /// Enters the folder at `path`, the entry answered last.
    pub fn enter(&mut self, carried: T) -> io::Result<()> {
        if self.levels.len() == LEVELS_MAX {
            self.cut = true;
            return Ok(());
        }
        let (entries, all) = place::list(&self.path, self.left)?;
        self.cut |= !all;
        self.left -= entries.len();
        let path_len = self.path.len();
        self.levels.push(Level {
            entries: entries.into_iter(),
            path_len,
            carried,
        });
        Ok(())
    }
}
