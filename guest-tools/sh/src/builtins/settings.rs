//! `set`, `shopt`, `alias`, `umask`, `ulimit`, `times`.

use super::shown;
use crate::{
    ast::Bytes,
    execute::Run,
    options::{OPTIONS, SHOPT},
    quote,
    shell::Shell,
    system,
};

pub fn nothing(_: &mut Shell, _: &[Bytes]) -> Run<i32> {
    Ok(0)
}

pub fn set(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    if words.len() == 1 {
        let mut out = Bytes::new();
        for name in shell.names() {
            if shell.is_set(name) || shell.count(name) > 0 {
                out.extend(shell.set_line(name));
            }
        }
        let mut names: Vec<Bytes> = shell.functions.keys().cloned().collect();
        names.sort();
        for name in names {
            if let Some(body) = shell.function_body(&name) {
                out.extend(crate::print::function(&name, &body).bytes());
            }
        }
        shell.write_out(&out);
        return Ok(0);
    }
    match apply_set(shell, &words[1..]) {
        Ok(None) => Ok(0),
        Ok(Some(positional)) => {
            shell.positional = positional;
            Ok(0)
        }
        Err(status) => Ok(status),
    }
}

/// Applies the words of `set`; the new positional parameters when it names any.
pub fn apply_set(shell: &mut Shell, words: &[Bytes]) -> Result<Option<Vec<Bytes>>, i32> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_slice() {
            b"--" => return Ok(Some(words[at + 1..].to_vec())),
            b"+" => {
                at += 1;
                continue;
            }
            b"-" => {
                shell.options.xtrace = false;
                shell.options.verbose = false;
                let rest = &words[at + 1..];
                return Ok((!rest.is_empty()).then(|| rest.to_vec()));
            }
            _ => {}
        }
        let (Some(&sign @ (b'-' | b'+')), true) = (word.first(), word.len() > 1) else {
            return Ok(Some(words[at..].to_vec()));
        };
        let on = sign == b'-';
        if let Some(&bad) = word[1..]
            .iter()
            .find(|&&letter| letter != b'o' && shell.options.by_letter(letter).is_none())
        {
            let (letter, sign) = (char::from(bad), char::from(sign));
            shell.builtin_error(b"set", format_args!("{sign}{letter}: invalid option"));
            shell.write_error(
                b"set: usage: set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]\n",
            );
            return Err(2);
        }
        for &letter in &word[1..] {
            if letter == b'o' {
                match words.get(at + 1) {
                    Some(name) => {
                        let name = shown(name);
                        at += 1;
                        set_option(shell, &name, on)?;
                    }
                    None => list_options(shell, on),
                }
                continue;
            }
            if let Some(option) = shell.options.by_letter(letter) {
                *option = on;
            }
        }
        at += 1;
    }
    Ok(None)
}

fn set_option(shell: &mut Shell, name: &str, on: bool) -> Result<(), i32> {
    match shell.options.by_name(name) {
        Some(option) => {
            *option = on;
            Ok(())
        }
        None => {
            shell.builtin_error(b"set", format_args!("{name}: invalid option name"));
            Err(2)
        }
    }
}

fn list_options(shell: &mut Shell, table: bool) {
    let mut out = String::new();
    for (name, _) in OPTIONS {
        let on = shell.options.get(name);
        if table {
            out.push_str(&format!("{name:<15}\t{}\n", if on { "on" } else { "off" }));
        } else {
            out.push_str(&format!("set {}o {name}\n", if on { '-' } else { '+' }));
        }
    }
    shell.write_out(out.as_bytes());
}

pub fn shopt(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let (mut set, mut unset, mut quiet, mut print, mut options) =
        (false, false, false, false, false);
    let mut rest = &words[1..];
    while let Some(word) = rest.first() {
        if word.len() < 2 || word[0] != b'-' {
            break;
        }
        for &letter in &word[1..] {
            match letter {
                b's' => set = true,
                b'u' => unset = true,
                b'q' => quiet = true,
                b'p' => print = true,
                b'o' => options = true,
                other => {
                    return Ok(shell.bad_option(
                        b"shopt",
                        other,
                        "shopt [-pqsu] [-o] [optname ...]",
                    ));
                }
            }
        }
        rest = &rest[1..];
    }
    let mut status = 0;
    let mut out = String::new();
    let names: Vec<String> = if rest.is_empty() {
        if options {
            OPTIONS.iter().map(|(name, _)| (*name).to_owned()).collect()
        } else {
            SHOPT.iter().map(|name| (*name).to_owned()).collect()
        }
    } else {
        rest.iter().map(|word| shown(word)).collect()
    };
    for name in names {
        let place = SHOPT.iter().position(|known| *known == name);
        let known = if options {
            OPTIONS.iter().any(|(n, _)| *n == name)
        } else {
            place.is_some()
        };
        if !known {
            let kind = if options {
                "option name"
            } else {
                "shell option name"
            };
            shell.builtin_error(b"shopt", format_args!("{name}: invalid {kind}"));
            // Setting an option of `set -o` that is not there is no failure.
            if !(options && (set || unset)) {
                status = 1;
            }
            continue;
        }
        if (set || unset) && !rest.is_empty() {
            match place {
                Some(place) if !options => {
                    if set {
                        shell.shopt |= 1 << place;
                    } else {
                        shell.shopt &= !(1 << place);
                    }
                }
                _ => {
                    if let Some(option) = shell.options.by_name(&name) {
                        *option = set;
                    }
                }
            }
            continue;
        }
        let on = match place {
            Some(place) if !options => shell.shopt & (1 << place) != 0,
            _ => shell.options.get(&name),
        };
        if rest.is_empty() && ((set && !on) || (unset && on)) {
            continue;
        }
        if !rest.is_empty() && !on {
            status = 1;
        }
        if quiet {
            continue;
        }
        if print && options {
            out.push_str(&format!("set {}o {name}\n", if on { '-' } else { '+' }));
        } else if print {
            out.push_str(&format!("shopt -{} {name}\n", if on { 's' } else { 'u' }));
        } else {
            out.push_str(&format!("{name:<15}\t{}\n", if on { "on" } else { "off" }));
        }
    }
    shell.write_out(out.as_bytes());
    Ok(status)
}

pub fn alias(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut rest = &words[1..];
    while rest
        .first()
        .is_some_and(|word| matches!(word.as_slice(), b"-p" | b"--"))
    {
        rest = &rest[1..];
    }
    let line = |name: &[u8], value: &[u8]| {
        [
            b"alias ",
            name,
            b"=",
            quote::single(value).as_slice(),
            b"\n",
        ]
        .concat()
    };
    if rest.is_empty() {
        let mut all: Vec<(Bytes, Bytes)> = shell
            .aliases
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        all.sort();
        for (name, value) in all {
            shell.write_out(&line(&name, &value));
        }
        return Ok(0);
    }
    let mut status = 0;
    for word in rest {
        match word.iter().position(|&b| b == b'=').filter(|&at| at > 0) {
            Some(at) => {
                shell
                    .aliases
                    .insert(word[..at].to_vec(), word[at + 1..].to_vec());
            }
            None => match shell.aliases.get(word).cloned() {
                Some(value) => {
                    shell.write_out(&line(word, &value));
                }
                None => {
                    let text = shown(word);
                    shell.builtin_error(b"alias", format_args!("{text}: not found"));
                    status = 1;
                }
            },
        }
    }
    Ok(status)
}

pub fn unalias(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut status = 0;
    if words.len() == 1 {
        shell.write_error(b"unalias: usage: unalias [-a] name [name ...]\n");
        return Ok(2);
    }
    for word in &words[1..] {
        if word == b"--" {
            continue;
        }
        if word == b"-a" {
            shell.aliases.clear();
        } else if shell.aliases.remove(word).is_none() {
            let text = shown(word);
            shell.builtin_error(b"unalias", format_args!("{text}: not found"));
            status = 1;
        }
    }
    Ok(status)
}

pub fn umask(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let (mut symbolic, mut print) = (false, false);
    let mut rest = &words[1..];
    while let Some(word) = rest.first() {
        match word.as_slice() {
            b"-S" => symbolic = true,
            b"-p" => print = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    let Some(word) = rest.first() else {
        let mask = shell.umask;
        let text = if symbolic {
            symbols(mask)
        } else {
            format!("{mask:04o}")
        };
        let head = match (print, symbolic) {
            (true, true) => "umask -S ",
            (true, false) => "umask ",
            _ => "",
        };
        shell.write_out(format!("{head}{text}\n").as_bytes());
        return Ok(0);
    };
    let text = shown(word);
    let mask = if text.starts_with(|c: char| c.is_ascii_digit()) {
        u32::from_str_radix(&text, 8)
            .ok()
            .filter(|mask| *mask <= 0o777)
    } else {
        symbolic_mask(&text, shell.umask)
    };
    match mask {
        Some(mask) => {
            shell.umask = mask;
            system::umask(mask);
            if symbolic {
                shell.write_out(format!("{}\n", symbols(mask)).as_bytes());
            }
            Ok(0)
        }
        None => {
            shell.builtin_error(b"umask", format_args!("{text}: octal number out of range"));
            Ok(1)
        }
    }
}

fn symbols(mask: u32) -> String {
    let part = |shift: u32| {
        let allowed = !mask >> shift & 7;
        let mut out = String::new();
        for (bit, letter) in [(4, 'r'), (2, 'w'), (1, 'x')] {
            if allowed & bit != 0 {
                out.push(letter);
            }
        }
        out
    };
    format!("u={},g={},o={}", part(6), part(3), part(0))
}

fn symbolic_mask(text: &str, mask: u32) -> Option<u32> {
    let mut allowed = !mask & 0o777;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, rest) = clause.split_at(at);
        let (operator, letters) = rest.split_at(1);
        let mut bits = 0;
        for letter in letters.chars() {
            bits |= match letter {
                'r' => 4,
                'w' => 2,
                'x' => 1,
                _ => return None,
            };
        }
        let who = if who.is_empty() { "a" } else { who };
        for class in who.chars() {
            let shifts: &[u32] = match class {
                'u' => &[6],
                'g' => &[3],
                'o' => &[0],
                'a' => &[6, 3, 0],
                _ => return None,
            };
            for shift in shifts {
                match operator {
                    "+" => allowed |= bits << shift,
                    "-" => allowed &= !(bits << shift),
                    _ => allowed = (allowed & !(7 << shift)) | bits << shift,
                }
            }
        }
    }
    Some(!allowed & 0o777)
}

pub fn times(shell: &mut Shell, _: &[Bytes]) -> Run<i32> {
    shell.write_out(b"0m0.000s 0m0.000s\n0m0.000s 0m0.000s\n");
    Ok(0)
}
