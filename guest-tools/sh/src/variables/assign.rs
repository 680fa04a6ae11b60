//! Setting variables and elements, and taking elements away.

use std::collections::BTreeMap;

use super::{Associative, Value, Variable, flag, is_locale, next_index};
use crate::{
    ast::Bytes,
    execute::{Run, Unwind},
    known,
    names::{Symbol, is_name},
    shell::Shell,
};

impl Shell {
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
                if self.is_circular(name) {
                    let text = String::from_utf8_lossy(name.text()).into_owned();
                    self.complain(format_args!("warning: {text}: circular name reference"));
                    return Err(Unwind::Discard(1));
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
}
