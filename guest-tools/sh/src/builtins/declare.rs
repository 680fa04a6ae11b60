//! `declare`, `typeset`, `local`, `export`, `readonly`.

use super::{
    Argument,
    declaration::{list, print_named},
    shown,
};
use crate::{
    ast::{AssignedValue, Bytes, Simple},
    execute::{Run, Unwind},
    names::{Symbol, intern, is_name},
    shell::Shell,
    variables::{Associative, Value, Variable, flag},
};

#[derive(Default, Clone)]
pub(super) struct Flags {
    pub(super) set: u16,
    pub(super) clear: u16,
    pub(super) print: bool,
    functions: bool,
    pub(super) function_names: bool,
    global: bool,
    export_functions: bool,
    inherit: bool,
}

const USAGE: &str =
    "declare [-aAfFgiIlnrtux] [name[=value] ...] or declare -p [-aAfFilnrtux] [name ...]";

/// A declaration command without array literals, reached through `command` or a variable.
pub fn plain(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let arguments: Vec<Argument> = words.iter().cloned().map(Argument::Text).collect();
    declare(shell, &Simple::default(), &arguments)
}

pub fn declare(shell: &mut Shell, simple: &Simple, arguments: &[Argument]) -> Run<i32> {
    let name = match &arguments[0] {
        Argument::Text(text) => text.clone(),
        Argument::Array(_) => return Ok(1),
    };
    let mut flags = Flags::default();
    match name.as_slice() {
        b"export" => flags.set |= flag::EXPORT,
        b"readonly" => flags.set |= flag::READONLY,
        _ => {}
    }
    let mut rest = &arguments[1..];
    while let Some(Argument::Text(word)) = rest.first() {
        if word == b"--" {
            rest = &rest[1..];
            break;
        }
        let (Some(&sign @ (b'-' | b'+')), true) = (word.first(), word.len() > 1) else {
            break;
        };
        for &letter in &word[1..] {
            if let Err(status) = option(shell, &name, sign, letter, &mut flags) {
                return Ok(status);
            }
        }
        rest = &rest[1..];
    }
    if name == b"local" {
        if shell.function_depth() == 0 {
            // The array's value is assigned before the builtin is asked.
            for argument in rest {
                if matches!(argument, Argument::Array(_)) {
                    one(shell, simple, b"declare", &flags, argument)?;
                }
            }
            shell.builtin_error(b"local", format_args!("can only be used in a function"));
            return Ok(1);
        }
        if matches!(rest, [Argument::Text(dash)] if dash == b"-") {
            let saved = (shell.options.clone(), shell.shopt);
            if let Some(scope) = shell.scopes.iter_mut().rev().find(|scope| !scope.temporary) {
                scope.options.get_or_insert(saved);
            }
            return Ok(0);
        }
    }
    if flags.functions || flags.function_names {
        return Ok(functions(shell, &flags, rest));
    }
    if flags.export_functions {
        return Ok(export_functions(shell, rest));
    }
    if rest.is_empty() {
        flags.print |= name == b"local" || matches!(name.as_slice(), b"export" | b"readonly");
        return list(shell, &name, &flags);
    }
    if flags.print && !matches!(name.as_slice(), b"export" | b"readonly") {
        return print_named(shell, &name, rest);
    }
    let mut status = 0;
    for argument in rest {
        if let Argument::Array(place) = argument
            && !flags.global
            && let Some(assignment) = simple.words[*place].assignment.as_deref()
            && let Some(reason) = refused_conversion(shell, &name, &flags, assignment.name)
        {
            // Found while the value is assigned, so the command line ends here.
            shell.complain(format_args!("{reason}"));
            return Err(Unwind::Discard(1));
        }
        match one(shell, simple, &name, &flags, argument) {
            Ok(code) => status |= code,
            Err(Unwind::Discard(code)) => status |= code,
            Err(unwind) => return Err(unwind),
        }
    }
    Ok(status)
}

fn option(
    shell: &mut Shell,
    name: &[u8],
    sign: u8,
    letter: u8,
    flags: &mut Flags,
) -> Result<(), i32> {
    let known: &[u8] = match name {
        b"readonly" => b"aAfp",
        b"export" => b"fnp",
        _ => b"aAfFgiIlnrtuxpc",
    };
    if !known.contains(&letter) {
        let usage = match name {
            b"readonly" => "readonly [-aAf] [name[=value] ...] or readonly -p",
            b"export" => "export [-fn] [name[=value] ...] or export -p",
            _ => USAGE,
        };
        return Err(shell.bad_option(name, letter, usage));
    }
    let bit = match letter {
        b'a' => flag::INDEXED,
        b'A' => flag::ASSOCIATIVE,
        b'i' => flag::INTEGER,
        b'l' => flag::LOWER,
        b'u' => flag::UPPER,
        b'n' if name == b"export" => {
            flags.clear |= flag::EXPORT;
            flags.set &= !flag::EXPORT;
            return Ok(());
        }
        b'n' => flag::NAMEREF,
        b'r' => flag::READONLY,
        b't' => flag::TRACE,
        b'x' => flag::EXPORT,
        b'p' => {
            flags.print = true;
            return Ok(());
        }
        b'f' if name == b"export" => {
            flags.export_functions = true;
            return Ok(());
        }
        b'f' => {
            flags.functions = true;
            return Ok(());
        }
        b'F' => {
            flags.function_names = true;
            return Ok(());
        }
        b'g' => {
            flags.global = true;
            return Ok(());
        }
        b'I' => {
            flags.inherit = true;
            return Ok(());
        }
        b'c' => return Ok(()),
        other => return Err(shell.bad_option(name, other, USAGE)),
    };
    if sign == b'-' {
        flags.set |= bit;
    } else {
        flags.clear |= bit;
    }
    Ok(())
}

/// Declares one name.
fn one(
    shell: &mut Shell,
    simple: &Simple,
    command: &[u8],
    flags: &Flags,
    argument: &Argument,
) -> Run<i32> {
    let (name_text, subscript, append, value) = match argument {
        Argument::Array(place) => {
            let Some(assignment) = simple.words[*place].assignment.as_deref() else {
                return Ok(1);
            };
            (
                assignment.name.text().to_vec(),
                None,
                assignment.append,
                None,
            )
        }
        Argument::Text(text) => match crate::parse::split_assignment(text) {
            Some(split) => (
                text[..split.name_end].to_vec(),
                split
                    .subscript
                    .map(|(start, end)| text[start..end].to_vec()),
                split.append,
                Some(text[split.value..].to_vec()),
            ),
            None => {
                let (name, subscript) = match text.iter().position(|&b| b == b'[') {
                    Some(open) if text.last() == Some(&b']') => (
                        text[..open].to_vec(),
                        Some(text[open + 1..text.len() - 1].to_vec()),
                    ),
                    _ => (text.clone(), None),
                };
                (name, subscript, false, None)
            }
        },
    };
    if !is_name(&name_text) {
        let text = match argument {
            Argument::Text(text) => shown(text),
            Argument::Array(_) => shown(&name_text),
        };
        shell.builtin_error(command, format_args!("`{text}': not a valid identifier"));
        return Ok(1);
    }
    let mut name = intern(&name_text);
    let in_function = shell.function_depth() > 0;
    let local =
        in_function && !flags.global && matches!(command, b"local" | b"declare" | b"typeset");
    if local {
        if shell
            .variable(name)
            .is_some_and(|v| v.flags & flag::READONLY != 0)
            && !shell.is_local(name)
        {
            let text = shown(&name_text);
            shell.builtin_error(command, format_args!("{text}: readonly variable"));
            return Ok(1);
        }
        let inherited = flags
            .inherit
            .then(|| shell.variable(name).cloned())
            .flatten();
        shell.make_local(name);
        if let Some(inherited) = inherited {
            *shell.slot(name) = Some(inherited);
        }
    } else if flags.set & flag::NAMEREF == 0 && flags.clear & flag::NAMEREF == 0 {
        name = shell.follow(name).0;
    }
    if flags.global && in_function {
        return global(shell, simple, command, flags, argument, name, value, append);
    }
    change(
        shell, simple, command, flags, argument, name, subscript, value, append,
    )
}

/// `declare -g`: works on the outermost variable of that name.
#[expect(clippy::too_many_arguments, reason = "passes on what `change` takes")]
fn global(
    shell: &mut Shell,
    simple: &Simple,
    command: &[u8],
    flags: &Flags,
    argument: &Argument,
    name: Symbol,
    value: Option<Bytes>,
    append: bool,
) -> Run<i32> {
    let place = shell
        .scopes
        .iter()
        .enumerate()
        .find_map(|(n, scope)| Some((n, scope.saved.iter().position(|(s, _)| *s == name)?)));
    let Some((scope, entry)) = place else {
        return change(
            shell, simple, command, flags, argument, name, None, value, append,
        );
    };
    // Bring the hidden variable to the front for as long as it is changed.
    let hidden = shell.scopes[scope].saved[entry].1.take();
    let visible = std::mem::replace(shell.slot(name), hidden);
    let answer = change(
        shell, simple, command, flags, argument, name, None, value, append,
    );
    let hidden = std::mem::replace(shell.slot(name), visible);
    shell.scopes[scope].saved[entry].1 = hidden;
    answer
}

#[expect(
    clippy::too_many_arguments,
    reason = "everything a declaration can say"
)]
fn change(
    shell: &mut Shell,
    simple: &Simple,
    command: &[u8],
    flags: &Flags,
    argument: &Argument,
    name: Symbol,
    subscript: Option<Bytes>,
    value: Option<Bytes>,
    append: bool,
) -> Run<i32> {
    let old = shell.variable(name).map_or(0, |v| v.flags);
    let assigns = value.is_some() || matches!(argument, Argument::Array(_));
    let text = shown(name.text());
    let own;
    let flags = if command == b"readonly" {
        own = readonly_flags(flags, old, assigns);
        &own
    } else {
        flags
    };
    if old & flag::READONLY != 0 && (assigns || flags.clear & flag::READONLY != 0) {
        shell.builtin_error(command, format_args!("{text}: readonly variable"));
        return Ok(1);
    }
    if let Some(reason) = refused_conversion(shell, command, flags, name) {
        shell.builtin_error(command, format_args!("{reason}"));
        return Ok(1);
    }
    let target = value.clone().or_else(|| match old & flag::NAMEREF {
        0 => shell.variable(name).and_then(|v| v.scalar().cloned()),
        _ => None,
    });
    if flags.set & flag::NAMEREF != 0
        && let Some(target) = &target
    {
        let base = target.split(|&b| b == b'[').next().unwrap_or_default();
        if base == name.text() && shell.function_depth() == 0 {
            shell.builtin_error(
                command,
                format_args!("{text}: nameref variable self references not allowed"),
            );
            return Ok(1);
        }
        if !is_name(base) && !target.is_empty() {
            let target = shown(target);
            shell.builtin_error(
                command,
                format_args!("`{target}': invalid variable name for name reference"),
            );
            return Ok(1);
        }
    }
    set_flags(shell, flags, name, subscript.is_some());
    match argument {
        Argument::Array(place) => {
            if let Some(assignment) = simple.words[*place].assignment.as_deref()
                && let AssignedValue::Array(elements) = &assignment.value
            {
                shell.assign_elements(name, elements, append)?;
            }
        }
        Argument::Text(_) => {
            if let Some(value) = value {
                assign_text(shell, flags, name, subscript, value, append)?;
            }
        }
    }
    if flags.set & flag::READONLY != 0 {
        shell.slot(name).get_or_insert_default().flags |= flag::READONLY;
    }
    Ok(0)
}

/// Why an array of the other kind cannot become what `flags` ask for.
fn refused_conversion(
    shell: &Shell,
    command: &[u8],
    flags: &Flags,
    name: Symbol,
) -> Option<String> {
    let local = shell.function_depth() > 0 && !flags.global && !shell.is_local(name);
    if command == b"readonly" || local {
        return None;
    }
    let old = shell.variable(name).map_or(0, |variable| variable.flags);
    let (from, to) = if flags.set & flag::ASSOCIATIVE != 0 && old & flag::INDEXED != 0 {
        ("indexed", "associative")
    } else if flags.set & flag::INDEXED != 0 && old & flag::ASSOCIATIVE != 0 {
        ("associative", "indexed")
    } else {
        return None;
    };
    let name = shown(name.text());
    Some(format!("{name}: cannot convert {from} to {to} array"))
}

/// `readonly -a` makes an array only of what it assigns, and converts none.
fn readonly_flags(flags: &Flags, old: u16, assigns: bool) -> Flags {
    let arrays = flag::INDEXED | flag::ASSOCIATIVE;
    let mut own = flags.clone();
    if !assigns || old & arrays != 0 {
        own.set &= !arrays;
    }
    own
}

fn set_flags(shell: &mut Shell, flags: &Flags, name: Symbol, has_subscript: bool) {
    let mut set = flags.set & !flag::READONLY;
    if has_subscript && set & flag::ASSOCIATIVE == 0 && !shell.is_associative(name) {
        set |= flag::INDEXED;
    }
    if set & flag::LOWER != 0 && set & flag::UPPER != 0 {
        set &= !(flag::LOWER | flag::UPPER);
    }
    let both = flags.set & (flag::LOWER | flag::UPPER) == flag::LOWER | flag::UPPER;
    let slot = shell.slot(name).get_or_insert_default();
    if both {
        slot.flags &= !(flag::LOWER | flag::UPPER);
    }
    if set & flag::LOWER != 0 {
        slot.flags &= !flag::UPPER;
    }
    if set & flag::UPPER != 0 {
        slot.flags &= !flag::LOWER;
    }
    slot.flags = (slot.flags | set) & !(flags.clear | flag::STANDING);
    if set & flag::ASSOCIATIVE != 0 && !matches!(slot.value, Value::Associative(_)) {
        let mut items = Associative::default();
        if let Value::Scalar(text) = &slot.value {
            items.set(b"0".to_vec(), text.clone());
            slot.value = Value::Associative(items);
        }
    } else if set & flag::INDEXED != 0
        && let Value::Scalar(text) = &mut slot.value
    {
        let text = std::mem::take(text);
        slot.value = Value::Indexed([(0, text)].into());
    }
}

fn assign_text(
    shell: &mut Shell,
    flags: &Flags,
    name: Symbol,
    subscript: Option<Bytes>,
    value: Bytes,
    append: bool,
) -> Run<()> {
    if flags.set & flag::NAMEREF != 0 {
        shell.slot(name).get_or_insert_default().value = Value::Scalar(value);
        return Ok(());
    }
    if let Some(subscript) = subscript {
        return shell.set_element(name, &subscript, value, append);
    }
    let array = flags.set & (flag::INDEXED | flag::ASSOCIATIVE) != 0
        || shell.variable(name).is_some_and(Variable::is_array);
    if array && value.first() == Some(&b'(') && value.last() == Some(&b')') {
        let elements =
            crate::parse::elements(&value[1..value.len() - 1], shell.line, shell.settings());
        return shell.assign_elements(name, &elements, append);
    }
    shell.assign(name, value, append)
}

fn functions(shell: &mut Shell, flags: &Flags, rest: &[Argument]) -> i32 {
    let mut status = 0;
    let mut names: Vec<Bytes> = Vec::new();
    for argument in rest {
        if let Argument::Text(name) = argument {
            names.push(name.clone());
        }
    }
    let every = names.is_empty();
    if every {
        names = shell.functions.keys().cloned().collect();
        names.sort();
    }
    for name in names {
        if !shell.functions.contains_key(&name) {
            status = 1;
            continue;
        }
        if flags.set & flag::READONLY != 0 || flags.set & flag::EXPORT != 0 {
            if let Some(function) = shell.functions.get_mut(&name) {
                function.readonly |= flags.set & flag::READONLY != 0;
                function.exported |= flags.set & flag::EXPORT != 0;
            }
            continue;
        }
        let text = if flags.function_names {
            if every {
                format!("declare -f {}\n", shown(&name))
            } else {
                format!("{}\n", shown(&name))
            }
            .into_bytes()
        } else {
            let Some(body) = shell.function_body(&name) else {
                continue;
            };
            crate::print::function(&name, &body).into_bytes()
        };
        shell.write_out(&text);
    }
    status
}

fn export_functions(shell: &mut Shell, rest: &[Argument]) -> i32 {
    let mut status = 0;
    for argument in rest {
        let Argument::Text(name) = argument else {
            continue;
        };
        match shell.functions.get_mut(name) {
            Some(function) => function.exported = true,
            None => {
                let text = shown(name);
                shell.builtin_error(b"export", format_args!("{text}: not a function"));
                status = 1;
            }
        }
    }
    status
}

impl Shell {
    /// Sets a variable or element given by name.
    pub fn set_named(&mut self, text: &[u8], value: Bytes) -> Run<()> {
        if let Some(open) = text.iter().position(|&b| b == b'[')
            && text.last() == Some(&b']')
        {
            let name = intern(&text[..open]);
            let (name, _) = self.follow(name);
            let inner = &text[open + 1..text.len() - 1];
            let subscript = crate::parse::subscript(inner, self.line, self.settings());
            let key = self.subscript_key(name, &subscript)?;
            return self.set_element(name, &key, value, false);
        }
        self.set(intern(text), value)
    }
}
