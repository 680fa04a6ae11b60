//! Reading variables: references, values, elements.

use super::{Value, flag, next_index};
use crate::{
    ast::Bytes,
    depth::Level,
    known,
    names::{Symbol, intern, is_name},
    shell::Shell,
};

/// References after each other that are followed; more are taken for a circle, as bash does.
const REFERENCE_STEPS: usize = 16;

impl Shell {
    /// Follows name references: the final name, and the subscript when it names an element.
    pub fn follow(&mut self, name: Symbol) -> (Symbol, Option<Bytes>) {
        let mut current = name;
        let mut element: Option<Bytes> = None;
        for _ in 0..REFERENCE_STEPS {
            let Some((base, subscript)) = self.reference_target(current) else {
                let subscript = element.map(|subscript| self.reference_subscript(subscript));
                return (current, subscript);
            };
            let named = subscript.is_some();
            // The subscript nearest to the name asked for is the one that counts.
            element = element.or(subscript);
            if base == current && !named {
                let subscript = element.map(|subscript| self.reference_subscript(subscript));
                return (current, subscript);
            }
            current = base;
        }
        let text = String::from_utf8_lossy(name.text()).into_owned();
        self.complain(format_args!("warning: {text}: circular name reference"));
        (name, None)
    }

    /// What a reference names: a variable, perhaps with a subscript. `None` for what is no
    /// reference or has no target.
    fn reference_target(&self, name: Symbol) -> Option<(Symbol, Option<Bytes>)> {
        let variable = self.variable(name)?;
        let target = variable.scalar()?;
        if variable.flags & flag::NAMEREF == 0 {
            return None;
        }
        if let Some(open) = target.iter().position(|&b| b == b'[') {
            let subscript = target[open + 1..target.len().max(open + 2) - 1].to_vec();
            return Some((intern(&target[..open]), Some(subscript)));
        }
        is_name(target).then(|| (intern(target), None))
    }

    /// The subscript a reference names, its quotes and expansions done.
    fn reference_subscript(&mut self, text: Bytes) -> Bytes {
        if !text.iter().any(|b| b"$`'\"\\".contains(b)) {
            return text;
        }
        // A subscript may use the reference itself.
        let Some(_level) = Level::enter() else {
            return text;
        };
        let subscript = crate::parse::subscript(&text, self.line, self.settings());
        self.expand_single(&subscript.key).unwrap_or(text)
    }

    /// Whether following references from `name` leads back to it.
    pub fn is_circular(&self, name: Symbol) -> bool {
        let mut current = name;
        for _ in 0..REFERENCE_STEPS {
            match self.reference_target(current) {
                None => return false,
                Some((base, None)) if base == current => return false,
                Some((base, _)) => current = base,
            }
        }
        true
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
        let mut name = name;
        for _ in 0..REFERENCE_STEPS {
            let Some(variable) = self.variable(name) else {
                return false;
            };
            if variable.flags & flag::NAMEREF == 0 {
                return variable.flags & flag::ASSOCIATIVE != 0
                    || matches!(name, known::BASH_ALIASES | known::BASH_CMDS);
            }
            match self.reference_target(name) {
                Some((base, None)) if base != name => name = base,
                _ => return false,
            }
        }
        false
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
        // A reference that leads nowhere has no elements.
        if variable.flags & flag::NAMEREF != 0 {
            return None;
        }
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

    pub(super) fn bad_subscript(&mut self, name: Symbol) {
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
        if variable.flags & flag::NAMEREF != 0 {
            return Vec::new();
        }
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
}
