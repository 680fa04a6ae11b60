//! `cd`, `pwd`, `pushd`, `popd`, `dirs`.

use super::{number, shown};
use crate::{
    ast::Bytes,
    execute::Run,
    known,
    options::shopt,
    shell::{Shell, reason},
    system,
};

/// Resolves `.` and `..` in an absolute path by text alone.
fn normalize(path: &[u8]) -> Bytes {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut out = Bytes::new();
    for part in parts {
        out.push(b'/');
        out.extend_from_slice(part);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

impl Shell {
    /// Moves to `path`; the reason when that fails.
    pub fn move_to(&mut self, path: &[u8], physical: bool) -> Result<(), String> {
        let joined = if path.starts_with(b"/") {
            path.to_vec()
        } else {
            [self.cwd.as_slice(), b"/", path].concat()
        };
        let logical = normalize(&joined);
        let climbs = joined.split(|&b| b == b'/').any(|part| part == b"..");
        if climbs && let Err(error) = system::stat(&joined, true) {
            return Err(reason(&error));
        }
        // Physically, `..` is looked up in the folder that the links lead to.
        let logical = if physical && !path.starts_with(b"/") {
            let from = physical_path(&self.cwd);
            physical_path(&[from.as_slice(), b"/", path].concat())
        } else {
            logical
        };
        let target = logical.clone();
        system::change_directory(&target).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotADirectory
                || system::stat(&target, true).is_ok_and(|stat| !stat.is_dir())
            {
                "Not a directory".into()
            } else {
                reason(&error)
            }
        })?;
        self.cwd = if physical {
            physical_path(&logical)
        } else {
            logical
        };
        Ok(())
    }

    fn announce_move(&mut self, old: Bytes) -> Run<()> {
        self.set(known::OLDPWD, old)?;
        let cwd = self.cwd.clone();
        self.set(known::PWD, cwd)?;
        for name in [known::OLDPWD, known::PWD] {
            if let Some(slot) = self.slot(name) {
                slot.flags |= crate::variables::flag::EXPORT;
            }
        }
        Ok(())
    }
}

/// The path with every link resolved.
fn physical_path(path: &[u8]) -> Bytes {
    let mut resolved: Vec<Bytes> = Vec::new();
    let mut todo: Vec<Bytes> = path
        .split(|&b| b == b'/')
        .rev()
        .map(<[u8]>::to_vec)
        .collect();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        match part.as_slice() {
            b"" | b"." => continue,
            b".." => {
                resolved.pop();
                continue;
            }
            _ => {}
        }
        let mut candidate = resolved.join(&b'/');
        candidate.insert(0, b'/');
        if !resolved.is_empty() {
            candidate.push(b'/');
        }
        candidate.extend_from_slice(&part);
        match system::read_link(&candidate) {
            Ok(target) if links < 40 => {
                links += 1;
                if target.starts_with(b"/") {
                    resolved.clear();
                }
                todo.extend(target.split(|&b| b == b'/').rev().map(<[u8]>::to_vec));
            }
            _ => resolved.push(part),
        }
    }
    let mut out = resolved.join(&b'/');
    out.insert(0, b'/');
    out
}

pub fn change(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut physical = shell.options.physical;
    let mut rest = &words[1..];
    while let Some(word) = rest.first() {
        match word.as_slice() {
            b"-P" => physical = true,
            b"-L" => physical = false,
            b"-e" | b"-@" => {}
            b"--" => {
                rest = &rest[1..];
                break;
            }
            option if option.len() > 1 && option[0] == b'-' => {
                return Ok(shell.bad_option(b"cd", option[1], "cd [-L|[-P [-e]] [-@]] [dir]"));
            }
            _ => break,
        }
        rest = &rest[1..];
    }
    if rest.len() > 1 {
        shell.builtin_error(b"cd", format_args!("too many arguments"));
        return Ok(1);
    }
    let mut announce = false;
    let target = match rest.first() {
        None => match shell.get(known::HOME) {
            Some(home) => home,
            None => {
                shell.builtin_error(b"cd", format_args!("HOME not set"));
                return Ok(1);
            }
        },
        Some(word) if word == b"-" => match shell.get(known::OLDPWD) {
            Some(old) => {
                announce = true;
                old
            }
            None => {
                shell.builtin_error(b"cd", format_args!("OLDPWD not set"));
                return Ok(1);
            }
        },
        Some(word) => word.clone(),
    };
    let old = shell.cwd.clone();
    if target.is_empty() {
        return Ok(0);
    }
    let relative = !target.starts_with(b"/")
        && !matches!(target.split(|&b| b == b'/').next(), Some(b"." | b".."));
    let mut moved = None;
    if relative && let Some(folders) = shell.get(known::CDPATH).filter(|text| !text.is_empty()) {
        for folder in folders.split(|&b| b == b':') {
            let candidate = match folder {
                b"" => target.clone(),
                folder => [folder, b"/", target.as_slice()].concat(),
            };
            if shell.move_to(&candidate, physical).is_ok() {
                announce |= !folder.is_empty() && folder != b".";
                moved = Some(Ok(()));
                break;
            }
        }
    }
    let moved = match moved {
        Some(moved) => moved,
        None => shell.move_to(&target, physical),
    };
    if let Err(reason) = moved {
        if shell.shopt & shopt::CDABLE_VARS != 0 && crate::names::is_name(&target) {
            let value = shell.get_text(crate::names::intern(&target));
            if !value.is_empty() && shell.move_to(&value, physical).is_ok() {
                shell.announce_move(old)?;
                return Ok(0);
            }
        }
        let text = shown(&target);
        shell.builtin_error(b"cd", format_args!("{text}: {reason}"));
        return Ok(1);
    }
    shell.announce_move(old)?;
    if announce {
        let line = [shell.cwd.as_slice(), b"\n"].concat();
        shell.write_out(&line);
    }
    Ok(0)
}

pub fn print(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut physical = shell.options.physical;
    for word in &words[1..] {
        match word.as_slice() {
            b"-P" => physical = true,
            b"-L" => physical = false,
            option if option.len() > 1 && option[0] == b'-' => {
                return Ok(shell.bad_option(b"pwd", option[1], "pwd [-LP]"));
            }
            _ => break,
        }
    }
    let mut line = if physical {
        physical_path(&shell.cwd)
    } else {
        shell.cwd.clone()
    };
    line.push(b'\n');
    Ok(i32::from(!shell.write_out(&line)))
}

fn show_stack(shell: &mut Shell) {
    let mut out = shell.tilde_path(&shell.cwd.clone());
    for folder in shell.directory_stack.clone().iter().rev() {
        out.push(b' ');
        out.extend(shell.tilde_path(folder));
    }
    out.push(b'\n');
    shell.write_out(&out);
}

/// The whole stack, the current folder first.
fn stack(shell: &Shell) -> Vec<Bytes> {
    let mut all = vec![shell.cwd.clone()];
    all.extend(shell.directory_stack.iter().rev().cloned());
    all
}

/// The place a `+N` or `-N` names.
fn place(shell: &mut Shell, command: &[u8], word: &[u8]) -> Option<usize> {
    let count = shell.directory_stack.len() + 1;
    let value = number(&word[1..]).filter(|n| *n >= 0).map(|n| n as usize);
    let place = match (word[0], value) {
        (b'+', Some(n)) if n < count => Some(n),
        (b'-', Some(n)) if n < count => Some(count - 1 - n),
        _ => None,
    };
    if place.is_none() {
        let text = shown(word);
        if count == 1 {
            shell.builtin_error(command, format_args!("directory stack empty"));
        } else {
            shell.builtin_error(
                command,
                format_args!("{text}: directory stack index out of range"),
            );
        }
    }
    place
}

fn set_stack(shell: &mut Shell, mut all: Vec<Bytes>) {
    all.remove(0);
    all.reverse();
    shell.directory_stack = all;
}

pub fn push(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut rest: Vec<&Bytes> = words[1..].iter().collect();
    let quiet = rest.first().is_some_and(|word| *word == b"-n");
    if quiet {
        rest.remove(0);
    }
    let turns = |word: &[u8]| word.len() > 1 && number(&word[1..]).is_some();
    if let Some([b'-', letter, ..]) = rest.first().map(|word| word.as_slice())
        && !turns(rest[0])
    {
        let text = format!("-{}", char::from(*letter));
        shell.builtin_error(b"pushd", format_args!("{text}: invalid number"));
        shell.write_error(b"pushd: usage: pushd [-n] [+N | -N | dir]\n");
        return Ok(2);
    }
    if rest.len() > 1 {
        shell.builtin_error(b"pushd", format_args!("too many arguments"));
        return Ok(1);
    }
    let old = shell.cwd.clone();
    let mut all = stack(shell);
    match rest.first() {
        None => {
            if all.len() < 2 {
                shell.builtin_error(b"pushd", format_args!("no other directory"));
                return Ok(1);
            }
            all.swap(0, 1);
        }
        Some(word)
            if matches!(word.first(), Some(b'+' | b'-'))
                && word.len() > 1
                && number(&word[1..]).is_some() =>
        {
            let Some(place) = place(shell, b"pushd", word) else {
                return Ok(1);
            };
            all.rotate_left(place);
        }
        Some(word) if quiet => {
            all.insert(1, (*word).clone());
            set_stack(shell, all);
            show_stack(shell);
            return Ok(0);
        }
        Some(word) => {
            if let Err(reason) = shell.move_to(word, false) {
                let text = shown(word);
                shell.builtin_error(b"pushd", format_args!("{text}: {reason}"));
                return Ok(1);
            }
            shell.directory_stack.push(old.clone());
            shell.announce_move(old)?;
            show_stack(shell);
            return Ok(0);
        }
    }
    let target = all[0].clone();
    if let Err(reason) = shell.move_to(&target, false) {
        let text = shown(&target);
        shell.builtin_error(b"pushd", format_args!("{text}: {reason}"));
        return Ok(1);
    }
    set_stack(shell, all);
    shell.announce_move(old)?;
    show_stack(shell);
    Ok(0)
}

pub fn pop(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let rest: Vec<&Bytes> = words[1..].iter().filter(|word| *word != b"-n").collect();
    if let Some(word) = rest.first()
        && !matches!(word.first(), Some(b'+' | b'-'))
    {
        let text = shown(word);
        shell.builtin_error(b"popd", format_args!("{text}: invalid argument"));
        return Ok(2);
    }
    let mut all = stack(shell);
    if all.len() < 2 {
        shell.builtin_error(b"popd", format_args!("directory stack empty"));
        return Ok(1);
    }
    let place = match rest.first() {
        None => 0,
        Some(word) => match place(shell, b"popd", word) {
            Some(place) => place,
            None => return Ok(1),
        },
    };
    let old = shell.cwd.clone();
    all.remove(place);
    if place == 0 {
        let target = all[0].clone();
        if let Err(reason) = shell.move_to(&target, false) {
            let text = shown(&target);
            shell.builtin_error(b"popd", format_args!("{text}: {reason}"));
            return Ok(1);
        }
        set_stack(shell, all);
        shell.announce_move(old)?;
    } else {
        set_stack(shell, all);
    }
    show_stack(shell);
    Ok(0)
}

pub fn list(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let (mut long, mut lines, mut numbered) = (false, false, false);
    for word in &words[1..] {
        match word.as_slice() {
            b"-c" => {
                shell.directory_stack.clear();
                return Ok(0);
            }
            b"-l" => long = true,
            b"-p" => lines = true,
            b"-v" => numbered = true,
            word if matches!(word.first(), Some(b'+' | b'-')) => {
                let Some(place) = place(shell, b"dirs", word) else {
                    return Ok(1);
                };
                let folder = stack(shell)[place].clone();
                let mut text = if long {
                    folder
                } else {
                    shell.tilde_path(&folder)
                };
                text.push(b'\n');
                shell.write_out(&text);
                return Ok(0);
            }
            word => {
                let text = shown(word);
                shell.builtin_error(b"dirs", format_args!("{text}: invalid option"));
                return Ok(2);
            }
        }
    }
    let mut out = Bytes::new();
    for (place, folder) in stack(shell).into_iter().enumerate() {
        let text = if long {
            folder
        } else {
            shell.tilde_path(&folder)
        };
        if numbered {
            out.extend_from_slice(format!("{place:2}  ").as_bytes());
        } else if place > 0 && !lines {
            out.push(b' ');
        }
        out.extend(text);
        if lines || numbered {
            out.push(b'\n');
        }
    }
    if !lines && !numbered {
        out.push(b'\n');
    }
    shell.write_out(&out);
    Ok(0)
}
