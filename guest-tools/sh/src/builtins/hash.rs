//! `hash`: where commands were found.

use super::{find, shown};
use crate::{ast::Bytes, execute::Run, shell::Shell};

const USAGE: &str = "hash [-lr] [-p pathname] [-dt] [name ...]";

/// A place remembered, and how often it was used.
#[derive(Debug, Clone)]
pub struct Place {
    pub path: Bytes,
    pub hits: u32,
}

impl Shell {
    /// The place remembered for `name`, which counts as a use.
    pub fn hashed_path(&mut self, name: &[u8]) -> Option<Bytes> {
        let place = self.hashed.get_mut(name)?;
        place.hits += 1;
        Some(place.path.clone())
    }

    pub fn remember_path(&mut self, name: &[u8], path: Bytes, hits: u32) {
        self.hashed.insert(name.to_vec(), Place { path, hits });
    }

    /// In the order of bash's table of 256 buckets.
    fn hashed_in_order(&self) -> Vec<(&Bytes, &Place)> {
        let mut list: Vec<_> = self.hashed.iter().collect();
        list.sort_by_key(|(name, _)| (crate::variables::bucket(name, 256), (*name).clone()));
        list
    }
}

pub fn hash(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let (mut clear, mut delete, mut tell, mut reusable) = (false, false, false, false);
    let mut path = None;
    let mut rest = &words[1..];
    while let Some((word, more)) = rest.split_first() {
        if word.len() < 2 || word[0] != b'-' {
            break;
        }
        rest = more;
        if word == b"--" {
            break;
        }
        for &letter in &word[1..] {
            match letter {
                b'r' => clear = true,
                b'd' => delete = true,
                b't' => tell = true,
                b'l' => reusable = true,
                b'p' => {
                    let Some((value, more)) = rest.split_first() else {
                        shell.builtin_error(
                            b"hash",
                            format_args!("-p: option requires an argument"),
                        );
                        return Ok(2);
                    };
                    path = Some(value.clone());
                    rest = more;
                }
                other => return Ok(shell.bad_option(b"hash", other, USAGE)),
            }
        }
    }
    if clear {
        shell.hashed.clear();
    }
    if rest.is_empty() {
        if (delete || tell) && !clear {
            let letter = if delete { 'd' } else { 't' };
            shell.builtin_error(
                b"hash",
                format_args!("-{letter}: option requires an argument"),
            );
            return Ok(1);
        }
        if !clear {
            list(shell, reusable);
        }
        return Ok(0);
    }
    if tell {
        return Ok(tell_places(shell, rest, reusable));
    }
    let mut status = 0;
    for name in rest {
        let known = if delete {
            shell.hashed.remove(name).is_some()
        } else if let Some(path) = &path {
            shell.remember_path(name, path.clone(), 0);
            true
        } else {
            name.contains(&b'/') || find(name).is_some() || look_up(shell, name)
        };
        if !known {
            let text = shown(name);
            shell.builtin_error(b"hash", format_args!("{text}: not found"));
            status = 1;
        }
    }
    Ok(status)
}

fn look_up(shell: &mut Shell, name: &[u8]) -> bool {
    shell.hashed.remove(name);
    match shell.search_path(name) {
        Some(path) => {
            shell.remember_path(name, path, 0);
            true
        }
        None => false,
    }
}

fn list(shell: &mut Shell, reusable: bool) {
    if shell.hashed.is_empty() {
        if !reusable {
            shell.write_out(b"hash: hash table empty\n");
        }
        return;
    }
    let mut out = String::new();
    if !reusable {
        out.push_str("hits\tcommand\n");
    }
    for (name, place) in shell.hashed_in_order() {
        let path = shown(&place.path);
        if reusable {
            out.push_str(&format!("builtin hash -p {path} {}\n", shown(name)));
        } else {
            out.push_str(&format!("{:4}\t{path}\n", place.hits));
        }
    }
    shell.write_out(out.as_bytes());
}

fn tell_places(shell: &mut Shell, names: &[Bytes], reusable: bool) -> i32 {
    let mut status = 0;
    for name in names {
        let Some(place) = shell.hashed.get(name).cloned() else {
            let text = shown(name);
            shell.builtin_error(b"hash", format_args!("{text}: not found"));
            status = 1;
            continue;
        };
        let (name, path) = (shown(name), shown(&place.path));
        let line = if reusable {
            format!("builtin hash -p {path} {name}\n")
        } else if names.len() > 1 {
            format!("{name}\t{path}\n")
        } else {
            format!("{path}\n")
        };
        shell.write_out(line.as_bytes());
    }
    status
}
