//! `getopts`.

use super::number;
use crate::{ast::Bytes, execute::Run, known, shell::Shell};

pub fn getopts(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let rest = match words.get(1) {
        Some(word) if word == b"--" => &words[2..],
        _ => &words[1..],
    };
    let (Some(letters), Some(name)) = (rest.first(), rest.get(1)) else {
        shell.write_error(b"getopts: usage: getopts optstring name [arg ...]\n");
        return Ok(2);
    };
    let given = if rest.len() > 2 {
        rest[2..].to_vec()
    } else {
        shell.positional.clone()
    };
    let (silent, letters) = match letters.strip_prefix(b":") {
        Some(letters) => (true, letters),
        None => (false, letters.as_slice()),
    };
    let quiet = silent || shell.get_text(known::OPTERR) == b"0";
    let mut index = number(&shell.get_text(known::OPTIND)).unwrap_or(1).max(1) as usize;
    if shell.getopts.letter == 0 {
        let done = match given.get(index - 1) {
            None => true,
            Some(word) if word == b"--" => {
                index += 1;
                true
            }
            Some(word) => word.len() < 2 || word[0] != b'-',
        };
        if done {
            return finish(shell, name, index);
        }
        shell.getopts.letter = 1;
    }
    let word = given.get(index - 1).cloned().unwrap_or_default();
    let Some(&letter) = word.get(shell.getopts.letter) else {
        shell.getopts.letter = 0;
        return finish(shell, name, index);
    };
    let mut position = shell.getopts.letter + 1;
    let place = letters
        .iter()
        .position(|&known| known == letter && letter != b':');
    let mut argument = None;
    let mut answer = letter;
    match place {
        None => {
            answer = b'?';
            if silent {
                argument = Some(vec![letter]);
            } else if !quiet {
                complain(shell, "illegal option", letter);
            }
        }
        Some(place) if letters.get(place + 1) == Some(&b':') => {
            if position < word.len() {
                argument = Some(word[position..].to_vec());
            } else if let Some(next) = given.get(index) {
                argument = Some(next.clone());
                index += 1;
            } else if silent {
                answer = b':';
                argument = Some(vec![letter]);
            } else {
                answer = b'?';
                if !quiet {
                    complain(shell, "option requires an argument", letter);
                }
            }
            position = word.len();
        }
        Some(_) => {}
    }
    if position >= word.len() {
        position = 0;
        index += 1;
    }
    match argument {
        Some(argument) => shell.set(known::OPTARG, argument)?,
        None => shell.unset(known::OPTARG)?,
    }
    shell.set(known::OPTIND, index.to_string().into_bytes())?;
    shell.getopts.letter = position;
    if !crate::names::is_name(name) {
        let text = super::shown(name);
        shell.builtin_error(b"getopts", format_args!("`{text}': not a valid identifier"));
        return Ok(1);
    }
    shell.set_named(name, vec![answer])?;
    Ok(0)
}

fn finish(shell: &mut Shell, name: &[u8], index: usize) -> Run<i32> {
    shell.set(known::OPTIND, index.to_string().into_bytes())?;
    shell.unset(known::OPTARG)?;
    shell.getopts.letter = 0;
    shell.set_named(name, b"?".to_vec())?;
    Ok(1)
}

fn complain(shell: &mut Shell, what: &str, letter: u8) {
    let name = shell.message_name_text();
    let letter = char::from(letter);
    shell.write_error(format!("{name}: {what} -- {letter}\n").as_bytes());
}
