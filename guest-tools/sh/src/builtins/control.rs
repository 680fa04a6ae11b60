//! Builtins that steer the shell: `eval`, `source`, `exit`, `return`, `break`, `shift` ...

use super::{number, shown};
use crate::{
    ast::Bytes,
    execute::{Run, Unwind},
    known,
    options::shopt,
    parse::Reader,
    shell::{Shell, reason},
    system,
};

pub fn yes(_: &mut Shell, _: &[Bytes]) -> Run<i32> {
    Ok(0)
}

pub fn no(_: &mut Shell, _: &[Bytes]) -> Run<i32> {
    Ok(1)
}

/// The status a word gives to `exit` or `return`.
fn status_argument(shell: &mut Shell, words: &[Bytes]) -> Result<i32, i32> {
    let mut rest = &words[1..];
    if rest.first().is_some_and(|word| word == b"--") {
        rest = &rest[1..];
    }
    match rest {
        [] => Ok(shell.status),
        [word, more @ ..] => match number(word) {
            Some(_) if !more.is_empty() => {
                shell.builtin_error(&words[0], format_args!("too many arguments"));
                Err(-1)
            }
            Some(value) => Ok((value & 0xff) as i32),
            None => {
                let text = shown(word);
                shell.builtin_error(&words[0], format_args!("{text}: numeric argument required"));
                Err(2)
            }
        },
    }
}

pub fn exit(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    match status_argument(shell, words) {
        Ok(status) => Err(Unwind::Exit(status)),
        Err(-1) => Err(Unwind::Discard(1)),
        Err(status) => Err(Unwind::Exit(status)),
    }
}

pub fn return_from(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    if shell.frames.is_empty() {
        shell.builtin_error(
            b"return",
            format_args!("can only `return' from a function or sourced script"),
        );
        return Ok(2);
    }
    match status_argument(shell, words) {
        Err(-1) => Err(Unwind::Discard(1)),
        Ok(status) | Err(status) => Err(Unwind::Return(status)),
    }
}

fn levels(shell: &mut Shell, words: &[Bytes]) -> Run<Option<usize>> {
    if shell.loop_depth == 0 {
        let name = shown(&words[0]);
        shell.complain(format_args!(
            "{name}: only meaningful in a `for', `while', or `until' loop"
        ));
        return Ok(None);
    }
    if words.len() > 2 {
        shell.builtin_error(&words[0], format_args!("too many arguments"));
        return Err(Unwind::Discard(1));
    }
    match words.get(1) {
        None => Ok(Some(1)),
        Some(word) => match number(word) {
            Some(count) if count >= 1 => Ok(Some((count as usize).min(shell.loop_depth))),
            Some(_) => {
                let text = shown(word);
                shell.builtin_error(&words[0], format_args!("{text}: loop count out of range"));
                Err(Unwind::Break(shell.loop_depth))
            }
            None => {
                let text = shown(word);
                shell.builtin_error(&words[0], format_args!("{text}: numeric argument required"));
                Err(Unwind::Exit(128))
            }
        },
    }
}

pub fn break_loop(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    match levels(shell, words)? {
        Some(levels) => Err(Unwind::Break(levels)),
        None => Ok(0),
    }
}

pub fn continue_loop(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    match levels(shell, words)? {
        Some(levels) => Err(Unwind::Continue(levels)),
        None => Ok(0),
    }
}

pub fn shift(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let count = match words.get(1) {
        None => 1,
        Some(word) => match number(word) {
            Some(count) => count,
            None => {
                let text = shown(word);
                shell.builtin_error(b"shift", format_args!("{text}: numeric argument required"));
                return Ok(1);
            }
        },
    };
    if count < 0 || count as usize > shell.positional.len() {
        if count < 0 || shell.shopt & shopt::SHIFT_VERBOSE != 0 {
            shell.builtin_error(b"shift", format_args!("{count}: shift count out of range"));
        }
        return Ok(1);
    }
    shell.positional.drain(..count as usize);
    Ok(0)
}

pub fn eval(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let rest = match words.get(1) {
        Some(word) if word == b"--" => &words[2..],
        Some(word) if word.len() > 1 && word[0] == b'-' => {
            return Ok(shell.bad_option(b"eval", word[1], "eval [arg ...]"));
        }
        _ => &words[1..],
    };
    let text = rest.join(&b' ');
    let mut reader = Reader::new(text, shell.line);
    shell.enter("eval")?;
    let line = shell.line;
    shell.trace_depth += 1;
    let outer = std::mem::replace(&mut shell.reads_eval, true);
    let answer = shell.run_reader(&mut reader, false);
    shell.reads_eval = outer;
    shell.trace_depth -= 1;
    shell.line = line;
    shell.leave();
    answer
}

pub fn source(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut rest = &words[1..];
    if rest.first().is_some_and(|word| word == b"--") {
        rest = &rest[1..];
    }
    let Some(name) = rest.first() else {
        shell.builtin_error(&words[0], format_args!("filename argument required"));
        let name = shown(&words[0]);
        shell.write_error(format!("{name}: usage: {name} filename [arguments]\n").as_bytes());
        return Ok(2);
    };
    let mut path = name.clone();
    if !name.contains(&b'/') && shell.shopt & shopt::SOURCEPATH != 0 {
        let folders = shell.get_text(known::PATH);
        let found = folders.split(|&b| b == b':').find_map(|folder| {
            let candidate = [folder, b"/", name].concat();
            system::stat(&candidate, true)
                .is_ok_and(|s| s.is_file())
                .then_some(candidate)
        });
        if let Some(found) = found {
            path = found;
        }
    }
    let text = match system::open(&path, system::flag::READ, 0) {
        Ok(descriptor) => {
            let directory = system::fstat(descriptor).is_ok_and(|stat| stat.is_dir());
            if directory {
                system::close(descriptor);
                let text = shown(name);
                shell.builtin_error(&words[0], format_args!("{text}: is a directory"));
                return Ok(1);
            }
            let descriptor = crate::execute::high(descriptor);
            let text = shell.read_all(descriptor);
            system::close(descriptor);
            text?
        }
        Err(error) => {
            let (text, reason) = (shown(name), reason(&error));
            shell.complain(format_args!("{text}: {reason}"));
            return if shell.options.posix {
                Err(Unwind::Exit(1))
            } else {
                Ok(1)
            };
        }
    };
    let outer = std::mem::replace(&mut shell.reads_eval, false);
    let answer = shell.source_text(&path, text, &rest[1..]);
    shell.reads_eval = outer;
    answer
}

pub fn evaluate(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let rest = match words.get(1) {
        Some(word) if word == b"--" => &words[2..],
        _ => &words[1..],
    };
    if rest.is_empty() {
        shell.builtin_error(b"let", format_args!("expression expected"));
        return Ok(1);
    }
    let mut value = 0;
    for word in rest {
        let outer = std::mem::replace(&mut shell.arithmetic_command, "let: ");
        let answer = shell.evaluate_text(word);
        shell.arithmetic_command = outer;
        value = match answer {
            Ok(value) => value,
            Err(Unwind::Discard(status)) => return Ok(status),
            Err(unwind) => return Err(unwind),
        };
    }
    Ok(i32::from(value == 0))
}

/// `exec program`: the redirections are in place already.
pub fn exec(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut rest = &words[1..];
    let mut name = None;
    let mut empty = false;
    while let Some(word) = rest.first() {
        match word.as_slice() {
            b"-a" => {
                name = rest.get(1).cloned();
                rest = rest.get(2..).unwrap_or_default();
            }
            b"-c" => {
                empty = true;
                rest = &rest[1..];
            }
            b"-l" => rest = &rest[1..],
            b"--" => {
                rest = &rest[1..];
                break;
            }
            option if option.len() > 1 && option[0] == b'-' => {
                return Ok(shell.bad_option(
                    b"exec",
                    option[1],
                    "exec [-cl] [-a name] [command [argument ...]] [redirection ...]",
                ));
            }
            _ => break,
        }
    }
    if rest.is_empty() {
        return Ok(0);
    }
    let environment = if empty {
        Vec::new()
    } else {
        shell.environment()
    };
    shell.become_program(rest, name, &environment)
}

pub fn caller(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let level = words.get(1).and_then(|word| number(word));
    let place = level.unwrap_or(0) as usize;
    let count = shell.frames.len();
    if place >= count {
        return Ok(1);
    }
    let frame = &shell.frames[count - 1 - place];
    let line = frame.call_line;
    let outer = (place + 1 < count).then(|| &shell.frames[count - 2 - place]);
    let source = match (outer, &shell.script_name) {
        (Some(frame), _) => frame.source.clone(),
        (None, Some(name)) => name.clone(),
        (None, None) if level.is_some() => return Ok(1),
        (None, None) => b"NULL".to_vec(),
    };
    let function = outer.map_or_else(|| b"main".to_vec(), |frame| frame.name.clone());
    let mut out = line.to_string().into_bytes();
    if level.is_some() {
        out.push(b' ');
        out.extend(function);
    }
    out.push(b' ');
    out.extend(source);
    out.push(b'\n');
    shell.write_out(&out);
    Ok(0)
}
