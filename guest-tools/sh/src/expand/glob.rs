//! Pathname expansion.

use super::Field;
use crate::{
    ast::Bytes,
    execute::{Run, Unwind},
    known,
    options::shopt,
    pattern::Pattern,
    shell::Shell,
    system,
};

/// Folders deeper than this are not walked by `**`.
const MAX_DEPTH: usize = 200;

struct Walk<'a> {
    components: &'a [Bytes],
    directories_only: bool,
    shopt: u64,
    dots: bool,
    found: Vec<Bytes>,
}

impl Shell {
    /// Replaces a field by the names it matches.
    pub fn expand_pathname(&mut self, field: Field, out: &mut Vec<Bytes>) -> Run<()> {
        let pattern = field.to_pattern();
        if !is_pattern(&pattern, self.shopt & shopt::EXTGLOB != 0) {
            out.push(field.text);
            return Ok(());
        }
        let mut found = self.glob(&pattern);
        if let Some(ignore) = self.get(known::GLOBIGNORE).filter(|text| !text.is_empty()) {
            self.remove_ignored(&ignore, &mut found);
        }
        if !found.is_empty() {
            found.sort();
            out.extend(found);
        } else if self.shopt & shopt::FAILGLOB != 0 {
            let text = String::from_utf8_lossy(&field.text).into_owned();
            self.complain(format_args!("no match: {text}"));
            return Err(Unwind::Discard(1));
        } else if self.shopt & shopt::NULLGLOB == 0 {
            out.push(field.text);
        }
        Ok(())
    }

    fn remove_ignored(&self, ignore: &[u8], found: &mut Vec<Bytes>) {
        // A star in it does not cross a slash, so paths are compared part by part.
        let patterns: Vec<Vec<Pattern>> = split_patterns(ignore)
            .iter()
            .map(|text| {
                text.split(|&b| b == b'/')
                    .map(|part| self.matcher(part, false))
                    .collect()
            })
            .collect();
        found.retain(|path| {
            let parts: Vec<&[u8]> = path.split(|&b| b == b'/').collect();
            let name = parts.last().copied().unwrap_or_default();
            !matches!(name, b"." | b"..")
                && !patterns.iter().any(|pattern| {
                    pattern.len() == parts.len()
                        && pattern
                            .iter()
                            .zip(&parts)
                            .all(|(one, part)| one.matches(part))
                })
        });
    }

    /// The paths that match `pattern`, not sorted.
    pub fn glob(&mut self, pattern: &[u8]) -> Vec<Bytes> {
        let absolute = pattern.first() == Some(&b'/');
        let directories_only = pattern.last() == Some(&b'/');
        let components = split_components(pattern);
        let ignoring = self
            .get(known::GLOBIGNORE)
            .is_some_and(|text| !text.is_empty());
        let mut walk = Walk {
            components: &components,
            directories_only,
            shopt: self.shopt,
            dots: self.shopt & shopt::DOTGLOB != 0 || ignoring,
            found: Vec::new(),
        };
        walk.step(
            if absolute {
                b"/".to_vec()
            } else {
                Bytes::new()
            },
            0,
            0,
        );
        walk.found
    }
}

/// Splits `GLOBIGNORE` at colons outside brackets.
fn split_patterns(text: &[u8]) -> Vec<Bytes> {
    let mut out = vec![Bytes::new()];
    let mut bracket = false;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b':' if !bracket => {
                out.push(Bytes::new());
                continue;
            }
            b'[' => bracket = true,
            b']' if at > 0 && text[at - 1] != b':' => bracket = false,
            b']' if text[at + 1..].first() != Some(&b']') => bracket = false,
            _ => {}
        }
        if let Some(last) = out.last_mut() {
            last.push(byte);
        }
    }
    out
}

/// True when a pattern character stands unescaped in `text`.
pub fn is_pattern(text: &[u8], groups: bool) -> bool {
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' => escaped = true,
            b'*' | b'?' => return true,
            b'[' if text[at + 1..].contains(&b']') => return true,
            b'+' | b'@' | b'!' if groups && text.get(at + 1) == Some(&b'(') => return true,
            _ => {}
        }
    }
    false
}

/// The parts between slashes; a slash inside a group or a class does not divide.
fn split_components(pattern: &[u8]) -> Vec<Bytes> {
    let mut out = Vec::new();
    let mut current = Bytes::new();
    let mut depth = 0usize;
    let mut previous = 0u8;
    for &byte in pattern {
        match byte {
            b'(' if matches!(previous, b'?' | b'*' | b'+' | b'@' | b'!') => depth += 1,
            b')' if previous != b'\\' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                if !current.is_empty() {
                    out.push(std::mem::take(&mut current));
                }
                previous = byte;
                continue;
            }
            _ => {}
        }
        current.push(byte);
        previous = byte;
    }
    if !current.is_empty() {
        out.push(current);
    }
    out
}

impl Walk<'_> {
    fn step(&mut self, prefix: Bytes, place: usize, depth: usize) {
        let Some(component) = self.components.get(place) else {
            let mut path = prefix;
            if self.directories_only && path.last() != Some(&b'/') {
                path.push(b'/');
            }
            self.found.push(path);
            return;
        };
        if component == b"**" && self.shopt & shopt::GLOBSTAR != 0 {
            self.globstar(prefix, place, depth);
            return;
        }
        let last = place + 1 == self.components.len();
        if !is_pattern(component, true) {
            let path = join(&prefix, &unescape(component));
            let exists = if last && !self.directories_only {
                system::stat(&path, false).is_ok()
            } else {
                system::stat(&path, true).is_ok_and(|stat| stat.is_dir())
            };
            if exists {
                self.step(path, place + 1, depth);
            }
            return;
        }
        let ignore_case = self.shopt & shopt::NOCASEGLOB != 0;
        let pattern = Pattern::new(component, self.shopt & shopt::EXTGLOB != 0, ignore_case);
        let dot_names = self.dots || pattern.begins_with_dot();
        let mut candidates = names(&prefix);
        if self.shopt & shopt::GLOBSKIPDOTS == 0 && pattern.begins_with_dot() {
            candidates.splice(0..0, [b".".to_vec(), b"..".to_vec()]);
        }
        for name in candidates {
            if name.first() == Some(&b'.') && !dot_names {
                continue;
            }
            if !pattern.matches(&name) {
                continue;
            }
            let path = join(&prefix, &name);
            let needs_directory = !last || self.directories_only;
            if needs_directory && !system::stat(&path, true).is_ok_and(|stat| stat.is_dir()) {
                continue;
            }
            self.step(path, place + 1, depth);
        }
    }

    /// `**`: this folder and every folder below; as the last component, files too.
    fn globstar(&mut self, prefix: Bytes, place: usize, depth: usize) {
        let last = place + 1 == self.components.len();
        if last {
            if !prefix.is_empty() && prefix != b"/" {
                let mut path = prefix.clone();
                path.push(b'/');
                self.found.push(path);
            }
            self.everything_below(&prefix, depth);
            return;
        }
        self.step(prefix.clone(), place + 1, depth);
        if depth >= MAX_DEPTH {
            return;
        }
        for name in names(&prefix) {
            if name.first() == Some(&b'.') && !self.dots {
                continue;
            }
            let path = join(&prefix, &name);
            if system::stat(&path, false).is_ok_and(|stat| stat.is_dir()) {
                self.globstar(path, place, depth + 1);
            }
        }
    }

    fn everything_below(&mut self, prefix: &[u8], depth: usize) {
        if depth >= MAX_DEPTH {
            return;
        }
        for name in names(prefix) {
            if name.first() == Some(&b'.') && !self.dots {
                continue;
            }
            let path = join(prefix, &name);
            let directory = system::stat(&path, false).is_ok_and(|stat| stat.is_dir());
            if directory || !self.directories_only {
                let mut found = path.clone();
                if self.directories_only {
                    found.push(b'/');
                }
                self.found.push(found);
            }
            if directory {
                self.everything_below(&path, depth + 1);
            }
        }
    }
}

fn names(prefix: &[u8]) -> Vec<Bytes> {
    let mut names = system::list(if prefix.is_empty() { b"." } else { prefix }).unwrap_or_default();
    names.sort();
    names
}

fn join(prefix: &[u8], name: &[u8]) -> Bytes {
    if prefix.is_empty() || prefix.last() == Some(&b'/') {
        [prefix, name].concat()
    } else {
        [prefix, b"/", name].concat()
    }
}

fn unescape(text: &[u8]) -> Bytes {
    let mut out = Bytes::with_capacity(text.len());
    let mut escaped = false;
    for &byte in text {
        if byte == b'\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        out.push(byte);
    }
    out
}
