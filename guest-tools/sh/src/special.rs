//! Variables that are computed when read, and those that do something when set.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    ast::Bytes,
    known,
    names::Symbol,
    shell::Shell,
    system,
    variables::{Value, Variable, flag},
};

const DYNAMIC: &[Symbol] = &[
    known::LINENO,
    known::RANDOM,
    known::SRANDOM,
    known::SECONDS,
    known::EPOCHSECONDS,
    known::EPOCHREALTIME,
    known::BASHPID,
    known::BASH_SUBSHELL,
    known::BASH_COMMAND,
    known::FUNCNAME,
    known::BASH_SOURCE,
    known::BASH_LINENO,
    known::DIRSTACK,
    known::SHELLOPTS,
    known::BASHOPTS,
    known::BASH_ALIASES,
    known::BASH_CMDS,
    known::BASH_ARGV0,
    known::GROUPS,
];

pub fn is_array(name: Symbol) -> bool {
    matches!(
        name,
        known::FUNCNAME
            | known::BASH_SOURCE
            | known::BASH_LINENO
            | known::DIRSTACK
            | known::BASH_ALIASES
            | known::BASH_CMDS
            | known::GROUPS
    )
}

fn now_micros() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros())
}

impl Shell {
    pub fn register_special(&mut self) {
        for &name in DYNAMIC {
            let array = if is_array(name) { flag::INDEXED } else { 0 };
            let readonly = if matches!(name, known::SHELLOPTS | known::BASHOPTS) {
                flag::READONLY
            } else {
                0
            };
            *self.slot(name) = Some(Variable {
                value: Value::Scalar(Bytes::new()),
                flags: flag::DYNAMIC | flag::HOOKED | flag::STANDING | array | readonly,
            });
        }
        for name in [
            known::OPTIND,
            known::PATH,
            known::POSIXLY_CORRECT,
            known::HISTFILESIZE,
        ] {
            self.slot(name).get_or_insert_default().flags |= flag::HOOKED;
        }
    }

    /// Arrays that only the shell fills, until a script unsets them.
    pub fn refuses_values(&self, name: &[u8]) -> bool {
        let own: [&[u8]; 4] = [b"FUNCNAME", b"BASH_SOURCE", b"BASH_LINENO", b"GROUPS"];
        own.contains(&name)
            && self
                .variable(crate::names::intern(name))
                .is_some_and(|variable| variable.flags & flag::DYNAMIC != 0)
    }

    /// After an assignment or at the end of a scope: what the locale variables say.
    pub fn update_locale(&mut self) {
        let mut bytes = false;
        for name in [known::LC_ALL, known::LC_CTYPE, known::LANG] {
            if let Some(value) = self.variable(name).and_then(Variable::scalar)
                && !value.is_empty()
            {
                bytes = matches!(value.as_slice(), b"C" | b"POSIX");
                break;
            }
        }
        crate::text::set_bytes_only(bytes);
    }

    pub fn seconds_since_start(&self) -> i64 {
        ((now_micros() / 1_000_000) as i64) - self.seconds_base
    }

    pub fn next_random(&mut self) -> u32 {
        if self.random == 0 {
            self.random = system::random() | 1;
        }
        // Park and Miller's generator, as bash uses.
        let high = self.random / 127_773;
        let low = self.random % 127_773;
        let next = 16_807i64 * i64::from(low) - 2_836 * i64::from(high);
        self.random = if next < 0 {
            (next + 0x7fff_ffff) as u32
        } else {
            next as u32
        };
        ((self.random >> 16) ^ (self.random & 0xffff)) & 0x7fff
    }

    pub fn dynamic_value(&mut self, name: Symbol) -> Option<Bytes> {
        let number = |value: i64| Some(value.to_string().into_bytes());
        match name {
            known::LINENO => number(i64::from(self.line)),
            known::RANDOM => number(i64::from(self.next_random())),
            known::SRANDOM => number(i64::from(system::random())),
            known::SECONDS => number(self.seconds_since_start()),
            known::EPOCHSECONDS => number((now_micros() / 1_000_000) as i64),
            known::EPOCHREALTIME => {
                let micros = now_micros();
                Some(format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000).into_bytes())
            }
            known::BASHPID => number(i64::from(system::identity().0)),
            known::BASH_SUBSHELL => number(i64::from(self.subshell_depth - self.stage_depth)),
            known::BASH_COMMAND => Some(self.current_command_text()),
            known::SHELLOPTS => {
                let names: Vec<&str> = crate::options::OPTIONS
                    .iter()
                    .filter(|(name, _)| self.options.get(name))
                    .map(|(name, _)| *name)
                    .collect();
                Some(names.join(":").into_bytes())
            }
            known::BASHOPTS => {
                let names: Vec<&str> = crate::options::SHOPT
                    .iter()
                    .enumerate()
                    .filter(|(place, _)| self.shopt & (1 << place) != 0)
                    .map(|(_, name)| *name)
                    .collect();
                Some(names.join(":").into_bytes())
            }
            known::BASH_ARGV0 => Some(self.argument_zero.clone()),
            _ => self
                .dynamic_items(name)
                .into_iter()
                .next()
                .map(|(_, value)| value),
        }
    }

    pub fn dynamic_items(&mut self, name: Symbol) -> Vec<(Bytes, Bytes)> {
        let values: Vec<Bytes> = match name {
            known::FUNCNAME => {
                let mut names: Vec<Bytes> = self
                    .frames
                    .iter()
                    .rev()
                    .map(|frame| frame.name.clone())
                    .collect();
                let has_function = self.frames.iter().any(|frame| frame.function);
                if !has_function {
                    return Vec::new();
                }
                if self.script_name.is_some() {
                    names.push(b"main".to_vec());
                }
                names
            }
            known::BASH_SOURCE => {
                let mut names: Vec<Bytes> = self
                    .frames
                    .iter()
                    .rev()
                    .map(|frame| frame.source.clone())
                    .collect();
                if self.script_name.is_some() {
                    names.push(self.main_source());
                }
                names
            }
            known::BASH_LINENO => {
                let mut lines: Vec<Bytes> = self
                    .frames
                    .iter()
                    .rev()
                    .map(|frame| frame.call_line.to_string().into_bytes())
                    .collect();
                if self.script_name.is_some() {
                    lines.push(b"0".to_vec());
                }
                lines
            }
            known::DIRSTACK => {
                let mut list = vec![self.cwd.clone()];
                list.extend(self.directory_stack.iter().rev().cloned());
                list
            }
            known::GROUPS => vec![system::USER_ID.to_string().into_bytes()],
            known::BASH_ALIASES => {
                return self
                    .aliases
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
            }
            known::BASH_CMDS => {
                return self
                    .hashed
                    .iter()
                    .map(|(k, v)| (k.clone(), v.path.clone()))
                    .collect();
            }
            _ => self.dynamic_value(name).into_iter().collect(),
        };
        (0..)
            .map(|n: u32| n.to_string().into_bytes())
            .zip(values)
            .collect()
    }

    /// What setting a hooked variable does; `false` when the value is not to be kept.
    pub fn hook(&mut self, name: Symbol, value: &[u8]) -> bool {
        let number = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        match name {
            known::RANDOM => self.random = (number.unwrap_or(0i64) as u32).max(1),
            known::SECONDS => {
                self.seconds_base = (now_micros() / 1_000_000) as i64 - number.unwrap_or(0);
            }
            known::OPTIND => {
                self.getopts = Default::default();
                return true;
            }
            known::PATH => {
                self.hashed.clear();
                return true;
            }
            known::HISTFILESIZE => {
                if let Some(lines) = number.and_then(|lines| usize::try_from(lines).ok()) {
                    self.truncate_history_file(lines);
                }
                return true;
            }
            known::POSIXLY_CORRECT => {
                self.options.posix = true;
                return true;
            }
            known::LINENO => {
                // The value starts counting again from here, as for scripts that reset it.
                self.line = number.unwrap_or(0) as u32;
            }
            known::BASH_ARGV0 => self.argument_zero = value.to_vec(),
            _ => {}
        }
        false
    }
}
