//! `unset`.

use super::shown;
use crate::{
    ast::Bytes,
    execute::{Run, Unwind},
    names::{intern, is_name},
    shell::Shell,
    variables::flag,
};

pub fn unset(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut mode = b' ';
    let mut rest = &words[1..];
    while let Some(word) = rest.first() {
        match word.as_slice() {
            b"--" => {
                rest = &rest[1..];
                break;
            }
            option if option.len() > 1 && option[0] == b'-' => {
                for &letter in &option[1..] {
                    if !b"fvn".contains(&letter) {
                        let usage = "unset [-f] [-v] [-n] [name ...]";
                        return Ok(shell.bad_option(b"unset", letter, usage));
                    }
                    if (mode == b'f' && letter == b'v') || (mode == b'v' && letter == b'f') {
                        shell.builtin_error(
                            b"unset",
                            format_args!("cannot simultaneously unset a function and a variable"),
                        );
                        return Ok(1);
                    }
                    if mode != b'f' || letter != b'n' {
                        mode = letter;
                    }
                }
            }
            _ => break,
        }
        rest = &rest[1..];
    }
    let mut status = 0;
    for word in rest {
        match unset_one(shell, mode, word) {
            Ok(code) => status |= code,
            Err(Unwind::Discard(code)) => status |= code,
            Err(unwind) => return Err(unwind),
        }
    }
    Ok(status)
}

fn unset_one(shell: &mut Shell, mode: u8, word: &[u8]) -> Run<i32> {
    if mode == b'f' {
        if shell
            .functions
            .get(word)
            .is_some_and(|function| function.readonly)
        {
            let text = shown(word);
            shell.builtin_error(
                b"unset",
                format_args!("{text}: cannot unset: readonly function"),
            );
            return Ok(1);
        }
        shell.functions.remove(word);
        return Ok(0);
    }
    let open = word.iter().position(|&b| b == b'[');
    let base = &word[..open.unwrap_or(word.len())];
    let unclosed = open.is_some() && word.last() != Some(&b']');
    if !is_name(base) || unclosed {
        if mode == b' ' {
            // It may be a function's name.
            shell.functions.remove(word);
            return Ok(0);
        }
        let text = shown(word);
        shell.builtin_error(b"unset", format_args!("`{text}': not a valid identifier"));
        return Ok(1);
    }
    let name = intern(base);
    let target = if mode == b'n' {
        (name, None)
    } else {
        shell.follow(name)
    };
    let readonly = shell
        .variable(target.0)
        .is_some_and(|v| v.flags & flag::READONLY != 0);
    if readonly {
        let text = shown(base);
        shell.builtin_error(
            b"unset",
            format_args!("{text}: cannot unset: readonly variable"),
        );
        return Ok(1);
    }
    if let Some(open) = open {
        let inner = word[open + 1..]
            .strip_suffix(b"]")
            .unwrap_or(&word[open + 1..])
            .to_vec();
        let key = if matches!(inner.as_slice(), b"@" | b"*") {
            inner
        } else {
            let subscript = crate::parse::subscript(&inner, shell.line, shell.settings());
            shell.subscript_key(target.0, &subscript)?
        };
        shell.unset_element(target.0, &key)?;
        return Ok(0);
    }
    if let Some(subscript) = target.1 {
        shell.unset_element(target.0, &subscript)?;
        return Ok(0);
    }
    if shell.variable(target.0).is_none() && mode == b' ' {
        shell.functions.remove(word);
        return Ok(0);
    }
    shell.unset(target.0)?;
    Ok(0)
}
