//! The session's state: what a call's shell leaves for the next one.
//!
//! The folder and a NUL come first, for the host (guest-start's `state`). Version 1 goes on with
//! the bytes `hcs1`, then records of a letter, and fields each with a length: `o` option name, `O` option off that begins on, `s` shopt bits, `m` umask,
//! `v` variable (name, flags, kind, items), `f` function (name, source, exported, text),
//! `a` alias (name, value), `t` trap (place, action), `p` a folder of the directory stack.

use crate::{
    ast::Bytes,
    names::intern,
    options::{OPTIONS, Options, shopt_at_start},
    shell::{Function, FunctionBody, Shell},
    system, traps,
    variables::{Associative, Value, Variable, flag},
};

const MAGIC: &[u8] = b"hcs1";

/// Writes records.
struct Writer(Bytes);

impl Writer {
    fn number(&mut self, value: u64) {
        let mut value = value;
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
}

/// The state of `shell` as bytes.
pub fn save(shell: &Shell, folder: &[u8]) -> Bytes {
    let mut out = Writer([folder, b"\0", MAGIC].concat());
    let standing = Options::at_start();
    for (name, _) in OPTIONS {
        match (shell.options.get(name), standing.get(name)) {
            (true, false) => out.0.push(b'o'),
            (false, true) => out.0.push(b'O'),
            _ => continue,
        }
        out.text(name.as_bytes());
    }
    if shell.shopt != shopt_at_start() {
        out.0.push(b's');
        out.number(shell.shopt);
    }
    if shell.umask != 0o022 {
        out.0.push(b'm');
        out.number(u64::from(shell.umask));
    }
    for name in shell.names() {
        let Some(mut variable) = shell.variable(name) else {
            continue;
        };
        if variable.flags & flag::STANDING != 0
            && let Some((_, kept)) = shell.overridden.iter().find(|(n, _)| *n == name)
        {
            // The call's own environment lasts one call.
            variable = kept;
        }
        if variable.flags & (flag::STANDING | flag::DYNAMIC) == 0 {
            save_variable(&mut out, name.text(), variable);
        }
    }
    let mut functions: Vec<_> = shell.functions.iter().collect();
    functions.sort_by_key(|(name, _)| name.as_slice());
    for (name, function) in functions {
        out.0.push(b'f');
        out.text(name);
        out.text(&function.source);
        out.number(u64::from(function.exported) | u64::from(function.readonly) << 1);
        match &function.body {
            FunctionBody::Parsed(body) => out.text(crate::print::function(name, body).as_bytes()),
            FunctionBody::Text(text) => out.text(text),
        }
    }
    let mut aliases: Vec<_> = shell.aliases.iter().collect();
    aliases.sort();
    for (name, value) in aliases {
        out.0.push(b'a');
        out.text(name);
        out.text(value);
    }
    for (place, action) in shell.traps.actions.iter().enumerate() {
        if let Some(action) = action
            && place != traps::EXIT
        {
            out.0.push(b't');
            out.number(place as u64);
            out.text(action);
        }
    }
    for folder in &shell.directory_stack {
        out.0.push(b'p');
        out.text(folder);
    }
    out.0
}

fn save_variable(out: &mut Writer, name: &[u8], variable: &Variable) {
    out.0.push(b'v');
    out.text(name);
    out.number(u64::from(variable.flags));
    match &variable.value {
        Value::Unset => out.number(0),
        Value::Scalar(text) => {
            out.number(1);
            out.text(text);
        }
        Value::Indexed(items) => {
            out.number(2);
            out.number(items.len() as u64);
            for (index, value) in items {
                out.number(*index as u64);
                out.text(value);
            }
        }
        Value::Associative(items) => {
            out.number(3);
            out.number(items.len() as u64);
            for (key, value) in items.in_order_of_birth() {
                out.text(key);
                out.text(value);
            }
        }
    }
}

/// Takes over a state; what cannot be read ends it there.
pub fn load(shell: &mut Shell, bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|&byte| byte == 0) else {
        return;
    };
    let (folder, rest) = bytes.split_at(end);
    let Some(rest) = rest[1..].strip_prefix(MAGIC) else {
        return;
    };
    shell.state_folder = Some(folder.to_vec());
    let mut reader = Reader(rest);
    while load_record(shell, &mut reader).is_some() {}
}

fn load_record(shell: &mut Shell, reader: &mut Reader<'_>) -> Option<()> {
    match reader.byte()? {
        sign @ (b'o' | b'O') => {
            let name = std::str::from_utf8(reader.text()?).ok()?;
            if let Some(option) = shell.options.by_name(name) {
                *option = sign == b'o';
            }
        }
        b's' => shell.shopt = reader.number()?,
        b'm' => {
            shell.umask = reader.number()? as u32 & 0o777;
            system::umask(shell.umask);
        }
        b'v' => load_variable(shell, reader)?,
        b'f' => {
            let name = reader.text()?.to_vec();
            let source = reader.text()?.to_vec();
            let bits = reader.number()?;
            let text = reader.text()?.to_vec();
            let function = Function {
                body: FunctionBody::Text(text),
                source,
                exported: bits & 1 != 0,
                traced: false,
                readonly: bits & 2 != 0,
            };
            shell.functions.insert(name, function);
        }
        b'a' => {
            let name = reader.text()?.to_vec();
            let value = reader.text()?.to_vec();
            shell.aliases.insert(name, value);
        }
        b't' => {
            let place = reader.number()? as usize;
            let action = reader.text()?.to_vec();
            if place <= traps::RETURN {
                shell.set_trap(place, Some(action));
            }
        }
        b'p' => {
            let folder = reader.text()?.to_vec();
            shell.directory_stack.push(folder);
        }
        _ => return None,
    }
    Some(())
}

fn load_variable(shell: &mut Shell, reader: &mut Reader<'_>) -> Option<()> {
    let name = intern(reader.text()?);
    let flags = reader.number()? as u16;
    let value = match reader.number()? {
        0 => Value::Unset,
        1 => Value::Scalar(reader.text()?.to_vec()),
        2 => {
            let count = reader.number()?;
            let mut items = std::collections::BTreeMap::new();
            for _ in 0..count {
                let index = reader.number()? as i64;
                items.insert(index, reader.text()?.to_vec());
            }
            Value::Indexed(items)
        }
        3 => {
            let count = reader.number()?;
            let mut items = Associative::default();
            for _ in 0..count {
                let key = reader.text()?.to_vec();
                items.set(key, reader.text()?.to_vec());
            }
            Value::Associative(items)
        }
        _ => return None,
    };
    let hooked = shell
        .variable(name)
        .map_or(0, |old| old.flags & flag::HOOKED);
    *shell.slot(name) = Some(Variable {
        value,
        flags: flags | hooked,
    });
    Some(())
}
