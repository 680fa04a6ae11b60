//! Variables: values, attributes, scopes.

use std::collections::BTreeMap;

use crate::{
    ast::Bytes,
    execute::{Run, Unwind},
    known,
    names::{Map, Symbol, intern, is_name},
    shell::Shell,
};

/// Attributes.
pub mod flag {
    pub const EXPORT: u16 = 1;
    pub const READONLY: u16 = 2;
    pub const INTEGER: u16 = 4;
    pub const LOWER: u16 = 8;
    pub const UPPER: u16 = 16;
    pub const NAMEREF: u16 = 32;
    pub const TRACE: u16 = 64;
    /// Declared an array, with or without elements.
    pub const INDEXED: u16 = 128;
    pub const ASSOCIATIVE: u16 = 256;
    /// Computed when read.
    pub const DYNAMIC: u16 = 512;
    /// Setting it does more than keep a value.
    pub const HOOKED: u16 = 1024;
    /// Came from the start of the shell, so it is no part of a session's state.
    pub const STANDING: u16 = 2048;
}

#[derive(Debug, Clone, Default)]
pub struct Variable {
    pub value: Value,
    pub flags: u16,
}

#[derive(Debug, Clone, Default)]
pub enum Value {
    #[default]
    Unset,
    Scalar(Bytes),
    Indexed(BTreeMap<i64, Bytes>),
    Associative(Associative),
}

/// An associative array that is listed in bash's order.
#[derive(Debug, Clone, Default)]
pub struct Associative {
    entries: Map<Bytes, (u64, Bytes)>,
    next: u64,
}

impl Associative {
    pub fn get(&self, key: &[u8]) -> Option<&Bytes> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub fn set(&mut self, key: Bytes, value: Bytes) {
        match self.entries.get_mut(&key) {
            Some((_, old)) => *old = value,
            None => {
                self.next += 1;
                self.entries.insert(key, (self.next, value));
            }
        }
    }

    pub fn remove(&mut self, key: &[u8]) {
        self.entries.remove(key);
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Keys in the order they were added.
    pub fn in_order_of_birth(&self) -> Vec<(&Bytes, &Bytes)> {
        let mut list: Vec<_> = self.entries.iter().collect();
        list.sort_by_key(|(_, (sequence, _))| *sequence);
        list.into_iter()
            .map(|(key, (_, value))| (key, value))
            .collect()
    }

    /// Keys in the order of bash's hash table: by bucket, the newest of a bucket first.
    pub fn ordered(&self) -> Vec<(&Bytes, &Bytes)> {
        let mut buckets = 1024u32;
        while self.entries.len() as u32 >= buckets * 2 {
            buckets *= 4;
        }
        let mut list: Vec<_> = self.entries.iter().collect();
        list.sort_by_key(|(key, (sequence, _))| (hash(key) & (buckets - 1), u64::MAX - sequence));
        list.into_iter()
            .map(|(key, (_, value))| (key, value))
            .collect()
    }
}

fn hash(key: &[u8]) -> u32 {
    key.iter().fold(2_166_136_261u32, |hash, &byte| {
        hash.wrapping_mul(16_777_619) ^ (byte as i8 as i32 as u32)
    })
}

/// Variables hidden by a function call or by assignments before a command.
#[derive(Debug, Default)]
pub struct Scope {
    pub saved: Vec<(Symbol, Option<Variable>)>,
    /// Made by assignments before a command.
    pub temporary: bool,
    /// `local -` saved the options.
    pub options: Option<(crate::options::Options, u64)>,
}

impl Variable {
    pub fn is_array(&self) -> bool {
        self.flags & (flag::INDEXED | flag::ASSOCIATIVE) != 0
    }

    /// The value read without a subscript.
    pub fn scalar(&self) -> Option<&Bytes> {
        match &self.value {
            Value::Unset => None,
            Value::Scalar(text) => Some(text),
            Value::Indexed(items) => items.get(&0),
            Value::Associative(items) => items.get(b"0"),
        }
    }
}

impl Shell {
    pub fn variable(&self, name: Symbol) -> Option<&Variable> {
        self.variables.get(name.0 as usize)?.as_ref()
    }

    pub fn slot(&mut self, name: Symbol) -> &mut Option<Variable> {
        let place = name.0 as usize;
        if place >= self.variables.len() {
            self.variables.resize_with(place + 16, || None);
        }
        &mut self.variables[place]
    }

    /// Follows name references: the final name, and the subscript when it names an element.
    pub fn follow(&mut self, name: Symbol) -> (Symbol, Option<Bytes>) {
        let mut current = name;
        for _ in 0..16 {
            let Some(variable) = self.variable(current) else {
                return (current, None);
            };
            if variable.flags & flag::NAMEREF == 0 {
                return (current, None);
            }
            let Some(target) = variable.scalar().cloned() else {
                return (current, None);
            };
            if let Some(open) = target.iter().position(|&b| b == b'[') {
                let subscript = target[open + 1..target.len().max(open + 2) - 1].to_vec();
                let (base, _) = self.follow(intern(&target[..open]));
                return (base, Some(subscript));
            }
            if !is_name(&target) {
                return (current, None);
            }
            let next = intern(&target);
            if next == current {
                return (current, None);
            }
            current = next;
        }
        let text = String::from_utf8_lossy(name.text()).into_owned();
        self.complain(format_args!("warning: {text}: circular name reference"));
        (name, None)
    }

    /// The value of a variable read without a subscript.
    pub fn get(&mut self, name: Symbol) -> Option<Bytes> {
        let variable = self.variable(name)?;
        if variable.flags & (flag::NAMEREF | flag::DYNAMIC) == 0 {
            return variable.scalar().cloned();
        }
        if variable.flags & flag::DYNAMIC != 0 {
            return self.dynamic_value(name);
        }
        match self.follow(name) {
            (target, Some(subscript)) => self.get_element(target, &subscript),
            (target, None) if target != name => self.get(target),
            _ => None,
        }
    }

    pub fn get_text(&mut self, name: Symbol) -> Bytes {
        self.get(name).unwrap_or_default()
    }

    pub fn is_set(&mut self, name: Symbol) -> bool {
        self.get(name).is_some()
    }

    /// The number of a plain decimal scalar, without copying it.
    pub fn plain_number_of(&self, name: Symbol) -> Option<i64> {
        let variable = self.variable(name)?;
        if variable.flags & (flag::NAMEREF | flag::DYNAMIC) != 0 {
            return None;
        }
        let Value::Scalar(text) = &variable.value else {
            return None;
        };
        let (negative, digits) = match text.as_slice() {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        if digits.is_empty() || digits.len() > 18 || (digits[0] == b'0' && digits.len() > 1) {
            return None;
        }
        let mut value = 0i64;
        for &byte in digits {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + i64::from(byte - b'0');
        }
        Some(if negative { -value } else { value })
    }

    pub fn set_number(&mut self, name: Symbol, value: i64) -> Run<()> {
        if let Some(Some(variable)) = self.variables.get_mut(name.0 as usize)
            && variable.flags & !(flag::EXPORT | flag::INTEGER | flag::STANDING) == 0
            && let Value::Scalar(text) = &mut variable.value
        {
            use std::io::Write;
            text.clear();
            let _ = write!(text, "{value}");
            variable.flags &= !flag::STANDING;
            return Ok(());
        }
        self.set(name, value.to_string().into_bytes())
    }

    pub fn get_element(&mut self, name: Symbol, subscript: &[u8]) -> Option<Bytes> {
        if matches!(subscript, b"@" | b"*") {
            return Some(self.values(name).join(&b' '));
        }
        if self.is_associative(name) {
            return self.get_key(name, subscript);
        }
        let index = self.evaluate_text(subscript).ok()?;
        self.get_index(name, index)
    }

    pub fn is_associative(&self, name: Symbol) -> bool {
        match self.variable(name) {
            Some(variable) if variable.flags & flag::NAMEREF != 0 => match variable.scalar() {
                Some(target) if is_name(target) && intern(target) != name => {
                    self.is_associative(intern(target))
                }
                _ => false,
            },
            Some(variable) => {
                variable.flags & flag::ASSOCIATIVE != 0
                    || matches!(name, known::BASH_ALIASES | known::BASH_CMDS)
            }
            None => false,
        }
    }

    pub fn get_key(&mut self, name: Symbol, key: &[u8]) -> Option<Bytes> {
        let (name, _) = self.follow(name);
        let variable = self.variable(name)?;
        if variable.flags & flag::DYNAMIC != 0 {
            let items = self.dynamic_items(name);
            return items.into_iter().find(|(k, _)| k == key).map(|(_, v)| v);
        }
        match &self.variable(name)?.value {
            Value::Associative(items) => items.get(key).cloned(),
            _ => None,
        }
    }

    pub fn get_index(&mut self, name: Symbol, index: i64) -> Option<Bytes> {
        let (name, _) = self.follow(name);
        let variable = self.variable(name)?;
        if variable.flags & flag::DYNAMIC != 0 {
            if !crate::special::is_array(name) {
                return if index == 0 {
                    self.dynamic_value(name)
                } else {
                    None
                };
            }
            let items = self.dynamic_items(name);
            let index = if index < 0 {
                index + items.len() as i64
            } else {
                index
            };
            return items
                .into_iter()
                .nth(usize::try_from(index).ok()?)
                .map(|(_, v)| v);
        }
        match &variable.value {
            Value::Indexed(items) => {
                let index = if index < 0 {
                    index + next_index(items)
                } else {
                    index
                };
                if index < 0 {
                    self.bad_subscript(name);
                    return None;
                }
                match &self.variable(name)?.value {
                    Value::Indexed(items) => items.get(&index).cloned(),
                    _ => None,
                }
            }
            Value::Scalar(text) if index == 0 || index == -1 => Some(text.clone()),
            _ => None,
        }
    }

    fn bad_subscript(&mut self, name: Symbol) {
        let name = String::from_utf8_lossy(name.text()).into_owned();
        self.complain(format_args!("{name}: bad array subscript"));
    }

    /// All values, as for `${name[@]}`.
    pub fn values(&mut self, name: Symbol) -> Vec<Bytes> {
        self.items(name)
            .into_iter()
            .map(|(_, value)| value)
            .collect()
    }

    /// All subscripts and values in order.
    pub fn items(&mut self, name: Symbol) -> Vec<(Bytes, Bytes)> {
        let (name, element) = self.follow(name);
        if let Some(subscript) = element {
            let value = self.get_element(name, &subscript);
            return value
                .map(|value| (b"0".to_vec(), value))
                .into_iter()
                .collect();
        }
        let Some(variable) = self.variable(name) else {
            return Vec::new();
        };
        if variable.flags & flag::DYNAMIC != 0 {
            return self.dynamic_items(name);
        }
        match &variable.value {
            Value::Unset => Vec::new(),
            Value::Scalar(text) => vec![(b"0".to_vec(), text.clone())],
            Value::Indexed(items) => items
                .iter()
                .map(|(index, value)| (index.to_string().into_bytes(), value.clone()))
                .collect(),
            Value::Associative(items) => items
                .ordered()
                .into_iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        }
    }

    pub fn count(&mut self, name: Symbol) -> usize {
        match self.variable(name) {
            Some(v) if v.flags & (flag::DYNAMIC | flag::NAMEREF) == 0 => match &v.value {
                Value::Unset => 0,
                Value::Scalar(_) => 1,
                Value::Indexed(items) => items.len(),
                Value::Associative(items) => items.len(),
            },
            _ => self.items(name).len(),
        }
    }

    /// Refuses to change a read-only variable.
    pub fn check_writable(&mut self, name: Symbol) -> Run<()> {
        match self.variable(name) {
            Some(variable) if variable.flags & flag::READONLY != 0 => {
                let text = String::from_utf8_lossy(name.text()).into_owned();
                self.complain(format_args!("{text}: readonly variable"));
                Err(Unwind::Discard(1))
            }
            _ => Ok(()),
        }
    }

    pub fn set(&mut self, name: Symbol, value: Bytes) -> Run<()> {
        self.assign(name, value, false)
    }

    /// `name=value` or `name+=value`.
    pub fn assign(&mut self, name: Symbol, value: Bytes, append: bool) -> Run<()> {
        let (target, element) = match self.variable(name) {
            Some(variable) if variable.flags & flag::NAMEREF != 0 => {
                if variable.scalar().is_none() {
                    // The first assignment to a reference without a target gives it one.
                    return self.set_reference(name, value);
                }
                self.follow(name)
            }
            _ => (name, None),
        };
        if let Some(subscript) = element {
            return self.set_element(target, &subscript, value, append);
        }
        self.check_writable(target)?;
        let flags = self.variable(target).map_or(0, |v| v.flags);
        if flags & flag::ASSOCIATIVE != 0 {
            return self.set_key(target, b"0".to_vec(), value, append);
        }
        if flags & flag::INDEXED != 0 {
            return self.set_index(target, 0, value, append);
        }
        let old = if append { self.get(target) } else { None };
        let value = self.attributed(flags, old, value)?;
        if flags & flag::HOOKED != 0 && !self.hook(target, &value) {
            return Ok(());
        }
        let allexport = self.options.allexport;
        let slot = self.slot(target).get_or_insert_default();
        slot.flags &= !flag::STANDING;
        if allexport {
            slot.flags |= flag::EXPORT;
        }
        slot.value = Value::Scalar(value);
        if is_locale(target) {
            self.update_locale();
        }
        Ok(())
    }

    fn set_reference(&mut self, name: Symbol, value: Bytes) -> Run<()> {
        let base = value.split(|&b| b == b'[').next().unwrap_or_default();
        if !is_name(base) {
            let text = String::from_utf8_lossy(&value).into_owned();
            self.complain(format_args!("`{text}': not a valid identifier"));
            return Err(Unwind::Discard(1));
        }
        self.slot(name).get_or_insert_default().value = Value::Scalar(value);
        Ok(())
    }

    /// The value after the attributes have had their say.
    pub fn attributed(&mut self, flags: u16, old: Option<Bytes>, value: Bytes) -> Run<Bytes> {
        if flags & flag::INTEGER != 0 {
            let old = match old {
                Some(old) => self.evaluate_text(&old)?,
                None => 0,
            };
            let number = self.evaluate_text(&value)?.wrapping_add(old);
            return Ok(number.to_string().into_bytes());
        }
        let value = match old {
            Some(mut old) => {
                old.extend(value);
                old
            }
            None => value,
        };
        Ok(if flags & flag::LOWER != 0 {
            crate::text::map_case(&value, crate::text::lower)
        } else if flags & flag::UPPER != 0 {
            crate::text::map_case(&value, crate::text::upper)
        } else {
            value
        })
    }

    pub fn set_element(
        &mut self,
        name: Symbol,
        subscript: &[u8],
        value: Bytes,
        append: bool,
    ) -> Run<()> {
        if self.is_associative(name) {
            return self.set_key(name, subscript.to_vec(), value, append);
        }
        let index = self.evaluate_text(subscript)?;
        self.set_index(name, index, value, append)
    }

    pub fn set_key(&mut self, name: Symbol, key: Bytes, value: Bytes, append: bool) -> Run<()> {
        let (name, _) = self.follow(name);
        self.check_writable(name)?;
        if name == known::BASH_ALIASES {
            self.aliases.insert(key, value);
            return Ok(());
        }
        let flags = self.variable(name).map_or(0, |v| v.flags);
        let old = if append {
            self.get_key(name, &key)
        } else {
            None
        };
        let value = self.attributed(flags, old, value)?;
        let slot = self.slot(name).get_or_insert_default();
        slot.flags = (slot.flags | flag::ASSOCIATIVE) & !flag::STANDING;
        if !matches!(slot.value, Value::Associative(_)) {
            slot.value = Value::Associative(Associative::default());
        }
        if let Value::Associative(items) = &mut slot.value {
            items.set(key, value);
        }
        Ok(())
    }

    pub fn set_index(&mut self, name: Symbol, index: i64, value: Bytes, append: bool) -> Run<()> {
        let (name, _) = self.follow(name);
        self.check_writable(name)?;
        let variable = self.variable(name);
        let flags = variable.map_or(0, |v| v.flags);
        let next = match variable.map(|v| &v.value) {
            Some(Value::Indexed(items)) => next_index(items),
            Some(Value::Scalar(_)) => 1,
            _ => 0,
        };
        let index = if index < 0 { index + next } else { index };
        if index < 0 {
            self.bad_subscript(name);
            return Err(Unwind::Discard(1));
        }
        let plain = flags & (flag::INTEGER | flag::LOWER | flag::UPPER) == 0;
        let value = if plain && !append {
            value
        } else {
            let old = if append {
                self.get_index(name, index)
            } else {
                None
            };
            self.attributed(flags, old, value)?
        };
        let slot = self.slot(name).get_or_insert_default();
        slot.flags = (slot.flags | flag::INDEXED) & !flag::STANDING;
        match &mut slot.value {
            Value::Indexed(items) => {
                items.insert(index, value);
            }
            other => {
                let mut items = BTreeMap::new();
                if let Value::Scalar(text) = other {
                    items.insert(0, std::mem::take(text));
                }
                items.insert(index, value);
                *other = Value::Indexed(items);
            }
        }
        Ok(())
    }

    /// Replaces an indexed array by `values`.
    pub fn set_array(&mut self, name: Symbol, values: Vec<Bytes>) -> Run<()> {
        let (name, _) = self.follow(name);
        self.check_writable(name)?;
        let slot = self.slot(name).get_or_insert_default();
        slot.flags = (slot.flags | flag::INDEXED) & !(flag::STANDING | flag::ASSOCIATIVE);
        slot.value = Value::Indexed((0..).zip(values).collect());
        Ok(())
    }

    /// Makes `name` local to the running function, hiding what it was.
    pub fn make_local(&mut self, name: Symbol) {
        let inherit = self.shopt & crate::options::shopt::LOCALVAR_INHERIT != 0;
        let Some(place) = self.scopes.iter().rposition(|scope| !scope.temporary) else {
            return;
        };
        if self.scopes[place]
            .saved
            .iter()
            .any(|(saved, _)| *saved == name)
        {
            return;
        }
        let temporary = self.scopes[place..]
            .iter()
            .chain(self.scopes[..place].last())
            .any(|scope| scope.temporary && scope.saved.iter().any(|(saved, _)| *saved == name));
        let old = self.slot(name).take();
        if inherit || temporary {
            *self.slot(name) = old.clone();
        } else if let Some(variable) = &old {
            // A computed variable becomes an ordinary one; the export attribute is inherited.
            let computed = variable.flags & flag::DYNAMIC != 0;
            let hooked = if computed {
                0
            } else {
                variable.flags & flag::HOOKED
            };
            let flags = hooked | (variable.flags & flag::EXPORT);
            *self.slot(name) = Some(Variable {
                value: Value::Unset,
                flags,
            });
        }
        self.scopes[place].saved.push((name, old));
    }

    pub fn push_scope(&mut self, temporary: bool) {
        self.scopes.push(Scope {
            temporary,
            ..Scope::default()
        });
    }

    pub fn pop_scope(&mut self) {
        let Some(scope) = self.scopes.pop() else {
            return;
        };
        let mut locale = false;
        for (name, old) in scope.saved.into_iter().rev() {
            locale |= is_locale(name);
            *self.slot(name) = old;
        }
        if locale {
            self.update_locale();
        }
        if let Some((options, shopt)) = scope.options {
            self.options = options;
            self.shopt = shopt;
        }
    }

    /// Hides `name` behind a value for one command.
    pub fn set_temporary(&mut self, name: Symbol, value: Bytes) -> Run<()> {
        self.check_writable(name)?;
        let old = self.slot(name).take();
        let hooked = old.as_ref().map_or(0, |v| v.flags & flag::HOOKED);
        if hooked != 0 && old.as_ref().is_none_or(|v| v.flags & flag::DYNAMIC == 0) {
            self.hook(name, &value);
        }
        *self.slot(name) = Some(Variable {
            value: Value::Scalar(value),
            flags: flag::EXPORT | hooked,
        });
        if let Some(scope) = self.scopes.last_mut() {
            scope.saved.push((name, old));
        }
        if is_locale(name) {
            self.update_locale();
        }
        Ok(())
    }

    /// `unset name`: what a caller hid appears again.
    pub fn unset(&mut self, name: Symbol) -> Run<()> {
        self.check_writable(name)?;
        let function = self.scopes.iter().rposition(|scope| !scope.temporary);
        let owner = self
            .scopes
            .iter()
            .rposition(|scope| scope.saved.iter().any(|(saved, _)| *saved == name));
        match owner {
            Some(owner) if Some(owner) == function => {
                *self.slot(name) = Some(Variable::default());
            }
            Some(owner) => {
                let scope = &mut self.scopes[owner];
                if let Some(place) = scope.saved.iter().position(|(saved, _)| *saved == name) {
                    let (_, old) = scope.saved.remove(place);
                    *self.slot(name) = old;
                }
            }
            None => *self.slot(name) = None,
        }
        if is_locale(name) {
            self.update_locale();
        }
        if matches!(name, known::OPTIND) {
            self.getopts = Default::default();
        }
        Ok(())
    }

    pub fn unset_element(&mut self, name: Symbol, subscript: &[u8]) -> Run<()> {
        let (name, _) = self.follow(name);
        self.check_writable(name)?;
        if !self.is_associative(name) && matches!(subscript, b"@" | b"*") {
            if let Some(variable) = self.slot(name) {
                variable.value = Value::Indexed(BTreeMap::new());
            }
            return Ok(());
        }
        if self.is_associative(name) {
            if let Some(Variable {
                value: Value::Associative(items),
                ..
            }) = self.slot(name)
            {
                items.remove(subscript);
            }
            return Ok(());
        }
        let index = self.evaluate_text(subscript)?;
        match self.slot(name) {
            Some(Variable {
                value: Value::Indexed(items),
                ..
            }) => {
                let index = if index < 0 {
                    index + next_index(items)
                } else {
                    index
                };
                if index < 0 {
                    self.complain(format_args!("unset: [{}]: bad array subscript", index));
                    return Err(Unwind::Discard(1));
                }
                items.remove(&index);
            }
            Some(Variable {
                value: Value::Scalar(_),
                ..
            }) if index == 0 => {
                return self.unset(name);
            }
            _ => {}
        }
        Ok(())
    }

    /// `NAME=value` strings of everything exported.
    pub fn environment(&self) -> Vec<Bytes> {
        let mut out = Vec::new();
        for (place, slot) in self.variables.iter().enumerate() {
            if let Some(variable) = slot
                && variable.flags & flag::EXPORT != 0
                && let Value::Scalar(text) = &variable.value
            {
                let name = Symbol(place as u32).text();
                out.push([name, b"=", text].concat());
            }
        }
        for (name, function) in &self.functions {
            if function.exported {
                let body = crate::print::exported_body(name, function);
                out.push([b"BASH_FUNC_", name.as_slice(), b"%%=() ", &body].concat());
            }
        }
        out
    }

    /// Every name with a slot in use.
    pub fn names(&self) -> Vec<Symbol> {
        let mut names: Vec<Symbol> = (0..self.variables.len())
            .filter(|&place| self.variables[place].is_some())
            .map(|place| Symbol(place as u32))
            .collect();
        names.sort_by_key(|name| name.text());
        names
    }
}

fn is_locale(name: Symbol) -> bool {
    matches!(name, known::LC_ALL | known::LC_CTYPE | known::LANG)
}

pub fn next_index(items: &BTreeMap<i64, Bytes>) -> i64 {
    items.last_key_value().map_or(0, |(index, _)| index + 1)
}
