//! What `complete` was told about a command's arguments.

use super::super::shown;
use crate::{ast::Bytes, names::Map, quote, shell::Shell};

/// Names of `-o`, in the order they are printed.
const OPTIONS: [&str; 8] = [
    "bashdefault",
    "default",
    "dirnames",
    "filenames",
    "noquote",
    "nosort",
    "nospace",
    "plusdirs",
];

/// `-o` options, as bits by their place in `OPTIONS`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options(u8);

impl Options {
    pub fn add(&mut self, name: &[u8]) -> bool {
        let place = OPTIONS.iter().position(|known| known.as_bytes() == name);
        if let Some(place) = place {
            self.0 |= 1 << place;
        }
        place.is_some()
    }

    pub fn has(self, name: &str) -> bool {
        let place = OPTIONS.iter().position(|known| *known == name);
        place.is_some_and(|place| self.0 & 1 << place != 0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn change(&mut self, on: Self, off: Self) {
        self.0 = (self.0 | on.0) & !off.0;
    }

    /// The line `compopt name` prints.
    pub fn listing(self, name: &str) -> String {
        let mut out = String::from("compopt ");
        for (place, option) in OPTIONS.iter().enumerate() {
            let sign = if self.0 & 1 << place != 0 { '-' } else { '+' };
            out.push_str(&format!("{sign}o {option} "));
        }
        out.push_str(name);
        out.push('\n');
        out
    }
}

/// Kinds of names that `-A` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Alias,
    Arrayvar,
    Binding,
    Builtin,
    Command,
    Directory,
    Disabled,
    Enabled,
    Export,
    File,
    Function,
    Group,
    Helptopic,
    Hostname,
    Job,
    Keyword,
    Running,
    Service,
    Setopt,
    Shopt,
    Signal,
    Stopped,
    User,
    Variable,
}

/// (action, name, letter or a blank), by name.
const ACTIONS: [(Action, &str, u8); 24] = [
    (Action::Alias, "alias", b'a'),
    (Action::Arrayvar, "arrayvar", b' '),
    (Action::Binding, "binding", b' '),
    (Action::Builtin, "builtin", b'b'),
    (Action::Command, "command", b'c'),
    (Action::Directory, "directory", b'd'),
    (Action::Disabled, "disabled", b' '),
    (Action::Enabled, "enabled", b' '),
    (Action::Export, "export", b'e'),
    (Action::File, "file", b'f'),
    (Action::Function, "function", b' '),
    (Action::Group, "group", b'g'),
    (Action::Helptopic, "helptopic", b' '),
    (Action::Hostname, "hostname", b' '),
    (Action::Job, "job", b'j'),
    (Action::Keyword, "keyword", b'k'),
    (Action::Running, "running", b' '),
    (Action::Service, "service", b's'),
    (Action::Setopt, "setopt", b' '),
    (Action::Shopt, "shopt", b' '),
    (Action::Signal, "signal", b' '),
    (Action::Stopped, "stopped", b' '),
    (Action::User, "user", b'u'),
    (Action::Variable, "variable", b'v'),
];

#[derive(Debug, Clone, Default)]
pub struct Specification {
    pub actions: Vec<Action>,
    pub options: Options,
    pub pattern: Option<Bytes>,
    pub words: Option<Bytes>,
    pub prefix: Option<Bytes>,
    pub suffix: Option<Bytes>,
    pub filter: Option<Bytes>,
    pub function: Option<Bytes>,
    pub command: Option<Bytes>,
}

impl Specification {
    /// The command that makes this specification, for `complete -p`.
    pub fn line(&self, name: &str) -> String {
        let mut out = String::from("complete ");
        for option in OPTIONS {
            if self.options.has(option) {
                out.push_str(&format!("-o {option} "));
            }
        }
        let chosen = |lettered: bool| {
            ACTIONS.iter().filter(move |(action, _, letter)| {
                (*letter != b' ') == lettered && self.actions.contains(action)
            })
        };
        for (_, _, letter) in chosen(true) {
            out.push_str(&format!("-{} ", char::from(*letter)));
        }
        for (_, name, _) in chosen(false) {
            out.push_str(&format!("-A {name} "));
        }
        for (letter, value) in [
            ('G', &self.pattern),
            ('W', &self.words),
            ('P', &self.prefix),
            ('S', &self.suffix),
            ('X', &self.filter),
            ('C', &self.command),
        ] {
            if let Some(value) = value {
                let quoted = quote::single(value);
                out.push_str(&format!("-{letter} {} ", shown(&quoted)));
            }
        }
        if let Some(function) = &self.function {
            out.push_str(&format!("-F {} ", shown(function)));
        }
        out.push_str(name);
        out.push('\n');
        out
    }
}

/// Everything `complete` was told.
#[derive(Debug, Default)]
pub struct Completions {
    /// `None` until something is told, which bash takes for having removed anything asked for.
    table: Option<Map<Bytes, (u64, Specification)>>,
    next: u64,
    /// Options of the completion whose function is running.
    pub running: Option<Options>,
}

impl Completions {
    pub fn set(&mut self, name: Bytes, specification: Specification) {
        self.next += 1;
        let table = self.table.get_or_insert_default();
        let birth = table.get(&name).map_or(self.next, |(birth, _)| *birth);
        table.insert(name, (birth, specification));
    }

    pub fn get(&self, name: &[u8]) -> Option<&Specification> {
        let (_, specification) = self.table.as_ref()?.get(name)?;
        Some(specification)
    }

    pub fn get_mut(&mut self, name: &[u8]) -> Option<&mut Specification> {
        let (_, specification) = self.table.as_mut()?.get_mut(name)?;
        Some(specification)
    }

    pub fn remove(&mut self, name: &[u8]) -> bool {
        match &mut self.table {
            Some(table) => table.remove(name).is_some(),
            None => true,
        }
    }

    pub fn clear(&mut self) {
        self.table = None;
    }

    /// In the order of bash's table of 512 buckets, the newest of a bucket first.
    pub fn in_order(&self) -> Vec<(&Bytes, &Specification)> {
        let mut list: Vec<_> = self.table.iter().flatten().collect();
        list.sort_by_key(|(name, (birth, _))| {
            (crate::variables::bucket(name, 512), u64::MAX - birth)
        });
        list.into_iter()
            .map(|(name, (_, specification))| (name, specification))
            .collect()
    }
}

/// The options of `complete` or `compgen`, read.
pub struct Given<'a> {
    pub specification: Specification,
    pub print: bool,
    pub remove: bool,
    pub special: Option<u8>,
    pub rest: &'a [Bytes],
    /// There was an option.
    pub any: bool,
}

/// Reads options; `Err` is the status after what was wrong with them was told.
pub fn read<'a>(
    shell: &mut Shell,
    words: &'a [Bytes],
    usage: &str,
    keeps: bool,
) -> Result<Given<'a>, i32> {
    let mut given = Given {
        specification: Specification::default(),
        print: false,
        remove: false,
        special: None,
        rest: &words[1..],
        any: false,
    };
    while let Some((word, more)) = given.rest.split_first() {
        if word == b"--" {
            given.rest = more;
            break;
        }
        if word.len() < 2 || word[0] != b'-' {
            break;
        }
        given.any = true;
        given.rest = more;
        let mut letters = &word[1..];
        while let Some((&letter, joined)) = letters.split_first() {
            letters = joined;
            if b"oAGWPSXFC".contains(&letter) {
                let value = if joined.is_empty() {
                    let Some((value, more)) = given.rest.split_first() else {
                        return Err(missing_argument(shell, &words[0], letter, usage));
                    };
                    given.rest = more;
                    value.clone()
                } else {
                    joined.to_vec()
                };
                letters = &[];
                set_value(shell, &words[0], &mut given.specification, letter, value)?;
                continue;
            }
            match letter {
                b'p' if keeps => given.print = true,
                b'r' if keeps => given.remove = true,
                b'D' | b'E' | b'I' if keeps => {
                    // -D stands above -E, and that above -I.
                    let first = given.special.map_or(letter, |other| other.min(letter));
                    given.special = Some(first);
                }
                _ => match ACTIONS.iter().find(|(_, _, known)| *known == letter) {
                    Some((action, _, _)) => given.specification.actions.push(*action),
                    None => return Err(shell.bad_option(&words[0], letter, usage)),
                },
            }
        }
    }
    Ok(given)
}

fn missing_argument(shell: &mut Shell, command: &[u8], letter: u8, usage: &str) -> i32 {
    let letter = char::from(letter);
    shell.builtin_error(
        command,
        format_args!("-{letter}: option requires an argument"),
    );
    let command = shown(command);
    shell.write_error(format!("{command}: usage: {usage}\n").as_bytes());
    2
}

fn set_value(
    shell: &mut Shell,
    command: &[u8],
    specification: &mut Specification,
    letter: u8,
    value: Bytes,
) -> Result<(), i32> {
    match letter {
        b'o' => {
            if !specification.options.add(&value) {
                let value = shown(&value);
                shell.builtin_error(command, format_args!("{value}: invalid option name"));
                return Err(2);
            }
        }
        b'A' => match ACTIONS.iter().find(|(_, name, _)| name.as_bytes() == value) {
            Some((action, _, _)) => specification.actions.push(*action),
            None => {
                let value = shown(&value);
                shell.builtin_error(command, format_args!("{value}: invalid action name"));
                return Err(2);
            }
        },
        b'G' => specification.pattern = Some(value),
        b'W' => specification.words = Some(value),
        b'P' => specification.prefix = Some(value),
        b'S' => specification.suffix = Some(value),
        b'X' => specification.filter = Some(value),
        b'F' => specification.function = Some(value),
        _ => specification.command = Some(value),
    }
    Ok(())
}
