//! `complete`, `compopt`, `compgen`: programmable completion as a script can use it.

mod candidates;
mod specification;

pub use specification::Completions;
use specification::{Given, Options, Specification, read};

use super::shown;
use crate::{ast::Bytes, execute::Run, shell::Shell};

const COMPLETE_USAGE: &str = "complete [-abcdefgjksuv] [-pr] [-DEI] [-o option] [-A action] [-G globpat] [-W wordlist] [-F function] [-C command] [-X filterpat] [-P prefix] [-S suffix] [name ...]";
const COMPGEN_USAGE: &str = "compgen [-abcdefgjksuv] [-o option] [-A action] [-G globpat] [-W wordlist] [-F function] [-C command] [-X filterpat] [-P prefix] [-S suffix] [word]";
const COMPOPT_USAGE: &str = "compopt [-o|+o option] [-DEI] [name ...]";

/// The names under which the specifications of `-D`, `-E` and `-I` are kept, as bash has them.
const SPECIAL: [(u8, &[u8]); 3] = [
    (b'D', b"_DefaultCmD_"),
    (b'E', b"_EmptycmD_"),
    (b'I', b"_InitialWorD_"),
];

fn special_name(letter: u8) -> Option<&'static [u8]> {
    SPECIAL
        .iter()
        .find(|(known, _)| *known == letter)
        .map(|(_, name)| *name)
}

pub fn complete(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let given = match read(shell, words, COMPLETE_USAGE, true) {
        Ok(given) => given,
        Err(status) => return Ok(status),
    };
    let Given {
        specification,
        print,
        remove,
        special,
        rest,
        any,
    } = given;
    let names = match special.and_then(special_name) {
        Some(name) => vec![name.to_vec()],
        None => rest.to_vec(),
    };
    if print || (!any && !remove && names.is_empty()) {
        return Ok(print_specifications(shell, &names));
    }
    if remove {
        return Ok(remove_specifications(shell, &names));
    }
    if names.is_empty() {
        shell.write_error(format!("complete: usage: {COMPLETE_USAGE}\n").as_bytes());
        return Ok(2);
    }
    for name in names {
        shell.completions.set(name, specification.clone());
    }
    Ok(0)
}

fn no_specification(shell: &mut Shell, command: &[u8], name: &[u8]) {
    let name = shown(name);
    shell.builtin_error(command, format_args!("{name}: no completion specification"));
}

fn print_specifications(shell: &mut Shell, names: &[Bytes]) -> i32 {
    let mut status = 0;
    let mut out = String::new();
    if names.is_empty() {
        for (name, specification) in shell.completions.in_order() {
            out.push_str(&specification.line(&shown_name(name)));
        }
    }
    for name in names {
        match shell.completions.get(name) {
            Some(specification) => out.push_str(&specification.line(&shown_name(name))),
            None => {
                no_specification(shell, b"complete", name);
                status = 1;
            }
        }
    }
    shell.write_out(out.as_bytes());
    status
}

fn shown_name(name: &[u8]) -> String {
    match SPECIAL.iter().find(|(_, special)| *special == name) {
        Some((letter, _)) => format!("-{}", char::from(*letter)),
        None => String::from_utf8_lossy(&crate::quote::backslash(name)).into_owned(),
    }
}

fn remove_specifications(shell: &mut Shell, names: &[Bytes]) -> i32 {
    if names.is_empty() {
        shell.completions.clear();
        return 0;
    }
    let mut status = 0;
    for name in names {
        if !shell.completions.remove(name) {
            no_specification(shell, b"complete", name);
            status = 1;
        }
    }
    status
}

pub fn compopt(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let (mut on, mut off, mut special) = (Options::default(), Options::default(), None);
    let mut rest = &words[1..];
    while let Some((word, more)) = rest.split_first() {
        match word.as_slice() {
            b"--" => {
                rest = more;
                break;
            }
            [b'-', letter @ (b'D' | b'E' | b'I')] => {
                special = Some(*letter);
                rest = more;
            }
            [sign @ (b'-' | b'+'), b'o', joined @ ..] => {
                let name = if joined.is_empty() {
                    more.first().cloned().unwrap_or_default()
                } else {
                    joined.to_vec()
                };
                rest = more.get(usize::from(joined.is_empty())..).unwrap_or(&[]);
                let options = if *sign == b'-' { &mut on } else { &mut off };
                if !options.add(&name) {
                    let name = shown(&name);
                    shell.builtin_error(b"compopt", format_args!("{name}: invalid option name"));
                    return Ok(2);
                }
            }
            [b'-', letter, ..] => return Ok(shell.bad_option(b"compopt", *letter, COMPOPT_USAGE)),
            _ => break,
        }
    }
    let names = match special.and_then(special_name) {
        Some(name) => vec![name.to_vec()],
        None => rest.to_vec(),
    };
    if names.is_empty() {
        let Some(current) = &mut shell.completions.running else {
            shell.builtin_error(
                b"compopt",
                format_args!("not currently executing completion function"),
            );
            return Ok(1);
        };
        current.change(on, off);
        return Ok(0);
    }
    let mut status = 0;
    for name in names {
        let Some(specification) = shell.completions.get_mut(&name) else {
            no_specification(shell, b"compopt", &name);
            status = 1;
            continue;
        };
        if on.is_empty() && off.is_empty() {
            let line = specification.options.listing(&shown_name(&name));
            shell.write_out(line.as_bytes());
        } else {
            specification.options.change(on, off);
        }
    }
    Ok(status)
}

pub fn compgen(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    if words.len() == 1 {
        return Ok(0);
    }
    let given = match read(shell, words, COMPGEN_USAGE, false) {
        Ok(given) => given,
        Err(status) => return Ok(status),
    };
    let word = given.rest.first().cloned().unwrap_or_default();
    let specification: Specification = given.specification;
    if specification.function.is_some() {
        shell.builtin_error(
            b"compgen",
            format_args!("warning: -F option may not work as you expect"),
        );
    }
    if specification.command.is_some() {
        shell.builtin_error(
            b"compgen",
            format_args!("warning: -C option may not work as you expect"),
        );
    }
    let found = candidates::generate(shell, &specification, &word)?;
    let mut out = Bytes::new();
    for one in &found {
        out.extend_from_slice(one);
        out.push(b'\n');
    }
    shell.write_out(&out);
    Ok(i32::from(found.is_empty()))
}
