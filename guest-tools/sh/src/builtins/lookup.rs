//! `type`, `command`, `builtin`, `enable`, `help`.

use super::{find, names, shown};
use crate::{
    ast::Bytes,
    execute::{Lookup, Run},
    known,
    shell::Shell,
    system,
};

pub const KEYWORDS: [&str; 22] = [
    "if", "then", "else", "elif", "fi", "case", "esac", "for", "select", "while", "until", "do",
    "done", "in", "function", "time", "{", "}", "!", "[[", "]]", "coproc",
];

fn is_keyword(name: &[u8]) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.as_bytes() == name)
}

pub fn builtin(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let rest = match words.get(1) {
        Some(word) if word == b"--" => &words[2..],
        _ => &words[1..],
    };
    let Some(name) = rest.first() else {
        return Ok(0);
    };
    match find(name) {
        Some(run) => run(shell, rest),
        None => {
            let text = shown(name);
            shell.builtin_error(b"builtin", format_args!("{text}: not a shell builtin"));
            Ok(1)
        }
    }
}

pub fn command(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let (mut short, mut long, mut default_path) = (false, false, false);
    let mut rest = &words[1..];
    while let Some(word) = rest.first() {
        if word == b"--" {
            rest = &rest[1..];
            break;
        }
        if word.len() < 2 || word[0] != b'-' {
            break;
        }
        for &letter in &word[1..] {
            match letter {
                b'v' => short = true,
                b'V' => long = true,
                b'p' => default_path = true,
                other => {
                    return Ok(shell.bad_option(
                        b"command",
                        other,
                        "command [-pVv] command [arg ...]",
                    ));
                }
            }
        }
        rest = &rest[1..];
    }
    if rest.is_empty() {
        return Ok(0);
    }
    if short || long {
        let mut found = false;
        for name in rest {
            found |= describe(
                shell,
                name,
                if long { Style::Long } else { Style::Command },
                false,
            );
            if long && !found {
                let text = shown(name);
                shell.builtin_error(b"command", format_args!("{text}: not found"));
            }
        }
        return Ok(i32::from(!found));
    }
    match shell.look_up_command(&rest[0], false) {
        Lookup::Builtin(run) => run(shell, rest),
        _ => {
            let saved = default_path.then(|| shell.get(known::PATH)).flatten();
            if default_path {
                shell.set(known::PATH, b"/bin".to_vec())?;
            }
            let answer = shell.run_program(rest);
            if let Some(saved) = saved {
                shell.set(known::PATH, saved)?;
            }
            answer
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `command -v`.
    Command,
    /// `type`, `command -V`.
    Long,
    /// `type -t`.
    Word,
    /// `type -p`.
    Path,
}

/// Writes what `name` is; `false` when nothing is called that.
fn describe(shell: &mut Shell, name: &[u8], style: Style, every: bool) -> bool {
    let text = shown(name);
    let mut found = false;
    let write = |shell: &mut Shell, word: &str, long: String, command: Bytes| match style {
        Style::Word => {
            shell.write_out(format!("{word}\n").as_bytes());
        }
        Style::Long => {
            shell.write_out(long.as_bytes());
        }
        Style::Command => {
            shell.write_out(&[command.as_slice(), b"\n"].concat());
        }
        Style::Path => {}
    };
    if let Some(value) = shell.aliases.get(name).cloned()
        && shell.shopt & crate::options::shopt::EXPAND_ALIASES != 0
    {
        let value_text = shown(&value);
        let quoted = crate::quote::single(&value);
        let line = [b"alias ", name, b"=", quoted.as_slice()].concat();
        write(
            shell,
            "alias",
            format!("{text} is aliased to `{value_text}'\n"),
            line,
        );
        found = true;
    }
    if is_keyword(name) && (every || !found) {
        write(
            shell,
            "keyword",
            format!("{text} is a shell keyword\n"),
            name.to_vec(),
        );
        found = true;
    }
    if shell.functions.contains_key(name) && (every || !found) {
        let body = match shell.function_body(name) {
            Some(body) if style == Style::Long => crate::print::function(name, &body),
            _ => String::new(),
        };
        write(
            shell,
            "function",
            format!("{text} is a function\n{body}"),
            name.to_vec(),
        );
        found = true;
    }
    if find(name).is_some() && !shell.disabled_builtins.contains(name) && (every || !found) {
        let special = shell.options.posix && super::is_special(name);
        let kind = if special {
            "a special shell builtin"
        } else {
            "a shell builtin"
        };
        write(
            shell,
            "builtin",
            format!("{text} is {kind}\n"),
            name.to_vec(),
        );
        found = true;
    }
    if found && !every {
        return true;
    }
    let hashed = shell.hashed_path(name);
    let paths = if name.contains(&b'/') {
        let executable = system::stat(name, true).is_ok_and(|s| s.is_file() && s.mode & 0o111 != 0);
        if executable {
            vec![name.to_vec()]
        } else {
            Vec::new()
        }
    } else {
        shell.search_path_all(name)
    };
    for path in paths {
        if found && !every {
            break;
        }
        let path_text = shown(&path);
        match style {
            Style::Path => {
                shell.write_out(format!("{path_text}\n").as_bytes());
            }
            _ => {
                let long = if hashed.as_ref() == Some(&path) && !every {
                    format!("{text} is hashed ({path_text})\n")
                } else {
                    format!("{text} is {path_text}\n")
                };
                write(shell, "file", long, path);
            }
        }
        found = true;
    }
    found
}

pub fn kind(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut style = Style::Long;
    let (mut every, mut no_functions, mut force_path) = (false, false, false);
    let mut rest = &words[1..];
    while let Some(word) = rest.first() {
        if word == b"--" {
            rest = &rest[1..];
            break;
        }
        if word.len() < 2 || word[0] != b'-' {
            break;
        }
        for &letter in &word[1..] {
            match letter {
                b't' => style = Style::Word,
                b'p' => style = Style::Path,
                b'P' => {
                    style = Style::Path;
                    force_path = true;
                }
                b'a' => every = true,
                b'f' => no_functions = true,
                other => {
                    return Ok(shell.bad_option(b"type", other, "type [-afptP] name [name ...]"));
                }
            }
        }
        rest = &rest[1..];
    }
    let mut status = 0;
    for name in rest {
        let hidden = if no_functions || force_path {
            shell.functions.remove(name)
        } else {
            None
        };
        let found = if force_path {
            let paths = shell.search_path_all(name);
            for path in paths.iter().take(if every { usize::MAX } else { 1 }) {
                shell.write_out(&[path.as_slice(), b"\n"].concat());
            }
            !paths.is_empty()
        } else {
            describe(shell, name, style, every)
        };
        if let Some(function) = hidden {
            shell.functions.insert(name.clone(), function);
        }
        if !found {
            status = 1;
            if style == Style::Long {
                let text = shown(name);
                shell.builtin_error(b"type", format_args!("{text}: not found"));
            }
        }
    }
    Ok(status)
}

pub fn enable(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let off = words.iter().any(|word| word == b"-n");
    let chosen: Vec<&Bytes> = words[1..]
        .iter()
        .filter(|word| !word.starts_with(b"-"))
        .collect();
    if chosen.is_empty() {
        let mut out = String::new();
        for name in names() {
            let disabled = shell.disabled_builtins.contains(name.as_bytes());
            if disabled == off {
                out.push_str(&format!("enable {}{name}\n", if off { "-n " } else { "" }));
            }
        }
        shell.write_out(out.as_bytes());
        return Ok(0);
    }
    let mut status = 0;
    for name in chosen {
        if find(name).is_none() {
            let text = shown(name);
            shell.builtin_error(b"enable", format_args!("{text}: not a shell builtin"));
            status = 1;
        } else if off {
            shell.disabled_builtins.insert(name.clone());
        } else {
            shell.disabled_builtins.remove(name);
        }
    }
    Ok(status)
}

/// What `help` knows besides builtins.
const MORE_TOPICS: [&str; 15] = [
    "%",
    "((",
    "[[",
    "case",
    "coproc",
    "for",
    "for ((",
    "function",
    "if",
    "select",
    "time",
    "until",
    "variables",
    "while",
    "{",
];

pub fn help_topics() -> Vec<Bytes> {
    let mut topics: Vec<Bytes> = names()
        .chain(MORE_TOPICS)
        .map(|name| name.as_bytes().to_vec())
        .collect();
    topics.sort();
    topics
}

pub fn help(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let Some(name) = words.iter().skip(1).find(|word| !word.starts_with(b"-")) else {
        let list: Vec<&str> = names().collect();
        let text = format!(
            "These commands are part of the shell (bash 5.2's language):\n{}\nPrograms are listed by: ls /bin\n",
            list.join(" ")
        );
        shell.write_out(text.as_bytes());
        return Ok(0);
    };
    let text = shown(name);
    if find(name).is_some() || is_keyword(name) {
        shell
            .write_out(format!("{text}: {text} is part of the shell, as in bash 5.2\n").as_bytes());
        return Ok(0);
    }
    shell.builtin_error(b"help", format_args!("no help topics match `{text}'."));
    Ok(1)
}
