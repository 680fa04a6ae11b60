//! The words a specification offers.

use std::{cell::RefCell, rc::Rc};

use super::{
    super::{lookup, names, shown},
    specification::{Action, Specification},
};
use crate::{
    ast::{Bytes, Substitution},
    execute::Run,
    known,
    names::intern,
    options::{OPTIONS, SHOPT},
    parse, quote,
    shell::Shell,
    system, traps,
    variables::{Value, flag},
};

/// The order in which bash asks for kinds of names, whatever order they were given in.
const ORDER: [Action; 24] = [
    Action::Alias,
    Action::Arrayvar,
    Action::Binding,
    Action::Builtin,
    Action::Disabled,
    Action::Enabled,
    Action::Export,
    Action::Function,
    Action::Helptopic,
    Action::Hostname,
    Action::Job,
    Action::Keyword,
    Action::Running,
    Action::Setopt,
    Action::Shopt,
    Action::Signal,
    Action::Stopped,
    Action::Variable,
    Action::Command,
    Action::File,
    Action::User,
    Action::Group,
    Action::Service,
    Action::Directory,
];

/// What the specification offers for `word`, in bash's order.
pub fn generate(shell: &mut Shell, specification: &Specification, word: &[u8]) -> Run<Vec<Bytes>> {
    let mut found = Vec::new();
    for action in ORDER {
        if specification.actions.contains(&action) {
            found.extend(action_candidates(shell, action, word));
        }
    }
    if let Some(pattern) = &specification.pattern {
        let mut paths = shell.glob(pattern);
        paths.sort();
        found.extend(paths);
    }
    if let Some(words) = &specification.words {
        let words = word_list(shell, words)?;
        found.extend(words.into_iter().filter(|one| one.starts_with(word)));
    }
    if let Some(function) = &specification.function {
        found.extend(from_function(shell, specification, function, word)?);
    }
    if let Some(command) = &specification.command {
        found.extend(from_command(shell, command, word)?);
    }
    if let Some(filter) = &specification.filter {
        filter_out(shell, filter, word, &mut found);
    }
    let ends = [&specification.prefix, &specification.suffix];
    let [prefix, suffix] = ends.map(|end| end.as_deref().unwrap_or_default());
    for one in &mut found {
        *one = [prefix, one, suffix].concat();
    }
    let options = specification.options;
    if options.has("plusdirs") || (found.is_empty() && options.has("dirnames")) {
        found.extend(paths(shell, word, true));
    }
    if found.is_empty() && (options.has("default") || options.has("bashdefault")) {
        found.extend(paths(shell, word, false));
    }
    Ok(found)
}

fn action_candidates(shell: &mut Shell, action: Action, word: &[u8]) -> Vec<Bytes> {
    let owned = |text: &str| text.as_bytes().to_vec();
    let mut found: Vec<Bytes> = match action {
        Action::Alias => sorted(shell.aliases.keys()),
        Action::Function => sorted(shell.functions.keys()),
        Action::Builtin => names().map(owned).collect(),
        Action::Disabled => shell.disabled_builtins.iter().cloned().collect(),
        Action::Enabled => names()
            .map(owned)
            .filter(|name| !shell.disabled_builtins.contains(name))
            .collect(),
        Action::Variable => variables(shell, 0),
        Action::Export => variables(shell, flag::EXPORT),
        Action::Arrayvar => variables(shell, flag::INDEXED | flag::ASSOCIATIVE),
        Action::Helptopic => lookup::help_topics(),
        Action::Keyword => lookup::KEYWORDS.iter().map(|name| owned(name)).collect(),
        Action::Setopt => OPTIONS.iter().map(|(name, _)| owned(name)).collect(),
        Action::Shopt => SHOPT.iter().map(|name| owned(name)).collect(),
        Action::Signal => (0..32)
            .chain([traps::DEBUG, traps::ERR, traps::RETURN])
            .map(|place| owned(traps::name(place)))
            .collect(),
        Action::Job | Action::Running => jobs(shell),
        Action::User => names_of(b"/etc/passwd"),
        Action::Group => names_of(b"/etc/group"),
        Action::Command => commands(shell, word),
        Action::File => return paths(shell, word, false),
        Action::Directory => return paths(shell, word, true),
        // No key bindings, hosts, services or stopped jobs exist here.
        Action::Binding | Action::Hostname | Action::Service | Action::Stopped => Vec::new(),
    };
    found.retain(|name| name.starts_with(word));
    found
}

fn sorted<'a>(keys: impl Iterator<Item = &'a Bytes>) -> Vec<Bytes> {
    let mut list: Vec<Bytes> = keys.cloned().collect();
    list.sort();
    list
}

/// Names of variables with a value and, unless `any` is 0, one of its attributes.
fn variables(shell: &Shell, any: u16) -> Vec<Bytes> {
    let named = |name: &crate::names::Symbol| {
        shell.variable(*name).is_some_and(|variable| {
            let set = variable.flags & (flag::DYNAMIC | flag::EXPORT) != 0
                || !matches!(variable.value, Value::Unset);
            set && (any == 0 || variable.flags & any != 0)
        })
    };
    let names = shell.names().into_iter().filter(named);
    names.map(|name| name.text().to_vec()).collect()
}

fn jobs(shell: &mut Shell) -> Vec<Bytes> {
    shell.look_at_jobs();
    let running = shell.jobs.iter().filter(|job| job.status().is_none());
    running
        .filter_map(|job| job.text.split(|&b| b == b' ').next().map(<[u8]>::to_vec))
        .collect()
}

/// The first fields of a file such as `/etc/passwd`.
fn names_of(path: &[u8]) -> Vec<Bytes> {
    let Ok(path) = std::str::from_utf8(path) else {
        return Vec::new();
    };
    let text = std::fs::read(path).unwrap_or_default();
    text.split(|&b| b == b'\n')
        .filter_map(|line| line.split(|&b| b == b':').next())
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

/// Everything that can stand first in a command.
fn commands(shell: &mut Shell, word: &[u8]) -> Vec<Bytes> {
    let executable = |path: &[u8]| {
        system::stat(path, true).is_ok_and(|stat| stat.is_file() && stat.mode & 0o111 != 0)
    };
    if word.contains(&b'/') {
        let mut found = paths(shell, word, false);
        let is_directory = |path: &[u8]| system::stat(path, true).is_ok_and(|stat| stat.is_dir());
        found.retain(|path| executable(path) || is_directory(path));
        return found;
    }
    let mut found = sorted(shell.aliases.keys());
    found.extend(lookup::KEYWORDS.iter().map(|name| name.as_bytes().to_vec()));
    found.extend(sorted(shell.functions.keys()));
    found.extend(names().map(|name| name.as_bytes().to_vec()));
    let path = shell.get_text(known::PATH);
    for folder in path.split(|&b| b == b':') {
        let folder = if folder.is_empty() { b"." } else { folder };
        let mut programs = system::list(folder).unwrap_or_default();
        programs.retain(|name| {
            name.starts_with(word) && executable(&[folder, b"/", name.as_slice()].concat())
        });
        programs.sort();
        found.extend(programs);
    }
    found
}

/// Files, or directories only, whose path begins with `word`.
fn paths(shell: &mut Shell, word: &[u8], directories: bool) -> Vec<Bytes> {
    let cut = word.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
    let (folder, start) = word.split_at(cut);
    let place = match folder.strip_prefix(b"~/") {
        Some(rest) => [&shell.get_text(known::HOME), b"/".as_slice(), rest].concat(),
        None if folder.is_empty() => b".".to_vec(),
        None => folder.to_vec(),
    };
    let mut entries = system::list(&place).unwrap_or_default();
    entries.retain(|name| {
        name.starts_with(start)
            && !matches!(name.as_slice(), b"." | b"..")
            && (!directories
                || system::stat(&[&place, b"/".as_slice(), name].concat(), true)
                    .is_ok_and(|stat| stat.is_dir()))
    });
    entries.sort();
    entries
        .into_iter()
        .map(|name| [folder, &name].concat())
        .collect()
}

/// The words of `-W`: split at IFS outside quotes, then expanded like arguments without pathnames.
fn word_list(shell: &mut Shell, text: &[u8]) -> Run<Vec<Bytes>> {
    let delimiters = shell.ifs().unwrap_or_else(|| b" \t\n".to_vec());
    let Some(words) = parse::split_at(text, &delimiters) else {
        let text = shown(text);
        shell.complain(format_args!("{text}: bad substitution"));
        return Err(crate::execute::Unwind::Discard(1));
    };
    let settings = shell.settings();
    let words: Vec<_> = words
        .iter()
        .map(|word| parse::compile(word, parse::Mode::Plain, shell.line, settings))
        .collect();
    let globs = std::mem::replace(&mut shell.options.noglob, true);
    let answer = shell.expand_words(&words);
    shell.options.noglob = globs;
    answer
}

/// Calls the function of `-F` and takes what it leaves in `COMPREPLY`.
fn from_function(
    shell: &mut Shell,
    specification: &Specification,
    function: &[u8],
    word: &[u8],
) -> Run<Vec<Bytes>> {
    if !shell.functions.contains_key(function) {
        let name = shown(function);
        shell.complain(format_args!("completion: function `{name}' not found"));
        return Ok(Vec::new());
    }
    let reply = intern(b"COMPREPLY");
    set_line_variables(shell)?;
    shell.set_array(intern(b"COMP_WORDS"), Vec::new())?;
    shell.set(intern(b"COMP_CWORD"), b"-1".to_vec())?;
    shell.unset(reply)?;
    let outer = shell.completions.running.replace(specification.options);
    let call = [function, b"compgen", word, b""].map(<[u8]>::to_vec);
    let answer = shell.call_function(&call);
    shell.completions.running = outer;
    let found = shell.values(reply);
    for name in ["COMP_WORDS", "COMP_CWORD", "COMPREPLY"] {
        shell.unset(intern(name.as_bytes()))?;
    }
    unset_line_variables(shell)?;
    answer?;
    Ok(found)
}

const LINE_VARIABLES: [(&str, &str); 4] = [
    ("COMP_LINE", ""),
    ("COMP_POINT", "0"),
    ("COMP_TYPE", "0"),
    ("COMP_KEY", "0"),
];

fn set_line_variables(shell: &mut Shell) -> Run<()> {
    for (name, value) in LINE_VARIABLES {
        let name = intern(name.as_bytes());
        shell.set(name, value.as_bytes().to_vec())?;
        shell.slot(name).get_or_insert_default().flags |= flag::EXPORT;
    }
    Ok(())
}

fn unset_line_variables(shell: &mut Shell) -> Run<()> {
    for (name, _) in LINE_VARIABLES {
        shell.unset(intern(name.as_bytes()))?;
    }
    Ok(())
}

/// The lines that the command of `-C` writes.
fn from_command(shell: &mut Shell, command: &[u8], word: &[u8]) -> Run<Vec<Bytes>> {
    set_line_variables(shell)?;
    let arguments = [b"compgen", word, b""].map(quote::single);
    let text = [command, b" ", &arguments.join(&b' ')].concat();
    let body = Rc::new(Substitution {
        text,
        line: shell.line,
        body: RefCell::new(None),
    });
    let answer = shell.command_substitution(&body);
    unset_line_variables(shell)?;
    Ok(answer?
        .split(|&b| b == b'\n')
        .filter(|line| !line.is_empty())
        .map(<[u8]>::to_vec)
        .collect())
}

/// `-X`: takes away what matches; after a leading `!`, what does not.
fn filter_out(shell: &Shell, filter: &[u8], word: &[u8], found: &mut Vec<Bytes>) {
    let (negated, pattern) = match filter.strip_prefix(b"!") {
        Some(rest) => (true, rest),
        None => (false, filter),
    };
    let mut text = Bytes::new();
    let mut bytes = pattern.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if bytes.peek() == Some(&b'&') => text.extend(bytes.next()),
            b'\\' => {
                text.push(byte);
                text.extend(bytes.next());
            }
            b'&' => text.extend_from_slice(word),
            _ => text.push(byte),
        }
    }
    let matcher = shell.matcher(&text, false);
    found.retain(|one| matcher.matches(one) == negated);
}
