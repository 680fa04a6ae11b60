//! How declarations are written: `declare -p`, `set`, lists of names.

use super::{Argument, declare::Flags, shown};
use crate::{
    ast::Bytes,
    execute::Run,
    names::{Symbol, intern},
    quote,
    shell::Shell,
    variables::{Value, Variable, flag},
};

pub(super) fn list(shell: &mut Shell, command: &[u8], flags: &Flags) -> Run<i32> {
    let wanted = flags.set;
    let mut out = Bytes::new();
    for name in shell.names() {
        let Some(variable) = shell.variable(name) else {
            continue;
        };
        if wanted != 0 && variable.flags & wanted != wanted {
            continue;
        }
        if command == b"local" && !shell.is_local(name) {
            continue;
        }
        if flags.print || wanted != 0 {
            out.extend(shell.declaration(name));
        } else if !matches!(variable.value, Value::Unset) || variable.flags & flag::DYNAMIC != 0 {
            out.extend(shell.set_line(name));
        }
    }
    shell.write_out(&out);
    Ok(0)
}

pub(super) fn print_named(shell: &mut Shell, command: &[u8], rest: &[Argument]) -> Run<i32> {
    let mut status = 0;
    for argument in rest {
        let Argument::Text(text) = argument else {
            continue;
        };
        let name = intern(text);
        if shell.variable(name).is_some() {
            let line = shell.declaration(name);
            shell.write_out(&line);
        } else {
            let text = shown(text);
            shell.builtin_error(command, format_args!("{text}: not found"));
            status = 1;
        }
    }
    Ok(status)
}

impl Shell {
    /// True when the running function has made `name` local.
    pub fn is_local(&self, name: Symbol) -> bool {
        self.scopes
            .iter()
            .rev()
            .find(|scope| !scope.temporary)
            .is_some_and(|scope| scope.saved.iter().any(|(saved, _)| *saved == name))
    }

    /// The line `declare -p` prints.
    pub fn declaration(&mut self, name: Symbol) -> Bytes {
        let letters = self.attribute_letters(name);
        let letters = if letters.is_empty() {
            "-".to_owned()
        } else {
            letters
        };
        let mut out = format!("declare -{letters} ").into_bytes();
        out.extend_from_slice(name.text());
        let Some(variable) = self.variable(name).cloned() else {
            return out;
        };
        if variable.flags & flag::DYNAMIC != 0 && !crate::special::is_array(name) {
            let value = self.dynamic_value(name).unwrap_or_default();
            out.push(b'=');
            out.extend(quote::double(&value));
            out.push(b'\n');
            return out;
        }
        match &variable.value {
            _ if variable.flags & flag::DYNAMIC != 0 => {
                let items = self.dynamic_items(name);
                out.extend(array_text(&items, false));
            }
            Value::Unset => {}
            Value::Scalar(text) => {
                out.push(b'=');
                out.extend(quote::double(text));
            }
            Value::Indexed(_) => {
                let items = self.items(name);
                out.extend(array_text(&items, false));
            }
            Value::Associative(_) => {
                let items = self.items(name);
                out.extend(array_text(&items, true));
            }
        }
        out.push(b'\n');
        out
    }

    /// The line `set` prints.
    pub fn set_line(&mut self, name: Symbol) -> Bytes {
        let mut out = name.text().to_vec();
        let array = self.variable(name).is_some_and(Variable::is_array);
        if array {
            let items = self.items(name);
            out.extend(array_text(&items, self.is_associative(name)));
        } else {
            out.push(b'=');
            out.extend(quote::when_needed(&self.get_text(name)));
        }
        out.push(b'\n');
        out
    }
}

fn array_text(items: &[(Bytes, Bytes)], associative: bool) -> Bytes {
    let mut out = b"=(".to_vec();
    for (place, (key, value)) in items.iter().enumerate() {
        if place > 0 && !associative {
            out.push(b' ');
        }
        out.push(b'[');
        out.extend(if associative {
            key_text(key)
        } else {
            key.clone()
        });
        out.extend_from_slice(b"]=");
        out.extend(quote::double(value));
        if associative {
            out.push(b' ');
        }
    }
    out.push(b')');
    out
}

fn key_text(key: &[u8]) -> Bytes {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_-./:=%+,".contains(b) || *b >= 0x80;
    if key.iter().all(plain) {
        key.to_vec()
    } else {
        quote::double(key)
    }
}
