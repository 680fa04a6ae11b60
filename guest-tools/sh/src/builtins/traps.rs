//! `trap`.

use super::shown;
use crate::{ast::Bytes, execute::Run, quote, shell::Shell, traps};

pub fn trap(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut rest = &words[1..];
    let mut print = false;
    while let Some(word) = rest.first() {
        match word.as_slice() {
            b"-l" => {
                for signal in 1..32 {
                    shell.write_out(format!("{signal:2}) {}\n", traps::name(signal)).as_bytes());
                }
                return Ok(0);
            }
            b"-p" => print = true,
            b"--" => {
                rest = &rest[1..];
                break;
            }
            option if option.len() > 1 && option[0] == b'-' => {
                return Ok(shell.bad_option(
                    b"trap",
                    option[1],
                    "trap [-lp] [[arg] signal_spec ...]",
                ));
            }
            _ => break,
        }
        rest = &rest[1..];
    }
    if print || rest.is_empty() {
        return Ok(list(shell, rest));
    }
    let (action, names) = match rest {
        [only] if traps::place(only).is_some() => (None, rest),
        [first, names @ ..] if first == b"-" => (None, names),
        [first, names @ ..]
            if traps::place(first).is_some() && first.iter().all(u8::is_ascii_digit) =>
        {
            let _ = names;
            (None, rest)
        }
        [first, names @ ..] => (Some(first.clone()), names),
        [] => return Ok(0),
    };
    if names.is_empty() {
        shell.write_error(b"trap: usage: trap [-lp] [[arg] signal_spec ...]\n");
        return Ok(2);
    }
    let mut status = 0;
    for name in names {
        match traps::place(name) {
            Some(place) => shell.set_trap(place, action.clone()),
            None => {
                let text = shown(name);
                shell.builtin_error(
                    b"trap",
                    format_args!("{text}: invalid signal specification"),
                );
                status = 1;
            }
        }
    }
    Ok(status)
}

fn list(shell: &mut Shell, names: &[Bytes]) -> i32 {
    let mut status = 0;
    let places: Vec<usize> = if names.is_empty() {
        (0..shell.traps.actions.len()).collect()
    } else {
        let mut places = Vec::new();
        for name in names {
            match traps::place(name) {
                Some(place) => places.push(place),
                None => {
                    let text = shown(name);
                    shell.builtin_error(
                        b"trap",
                        format_args!("{text}: invalid signal specification"),
                    );
                    status = 1;
                }
            }
        }
        places
    };
    for place in places {
        if let Some(action) = shell.traps.get(place).cloned() {
            let quoted = shown(&quote::single(&action));
            shell.write_out(format!("trap -- {quoted} {}\n", traps::name(place)).as_bytes());
        }
    }
    status
}
