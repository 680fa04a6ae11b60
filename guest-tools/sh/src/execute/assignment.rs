//! Assignments.

use std::collections::BTreeMap;

use super::{Run, Unwind};
use crate::{
    ast::{AssignedValue, Assignment, Bytes, Element},
    names::Symbol,
    quote,
    shell::Shell,
    variables::{Associative, Value, flag, next_index},
};

impl Shell {
    /// Performs an assignment; `trace` writes it under `set -x`.
    pub fn perform_assignment(&mut self, assignment: &Assignment, trace: bool) -> Run<()> {
        let trace = trace && self.options.xtrace;
        match &assignment.value {
            AssignedValue::Scalar(word) => {
                let value = self.expand_single(word)?;
                if trace {
                    let sign: &[u8] = if assignment.append { b"+=" } else { b"=" };
                    let mut name = assignment.name.text().to_vec();
                    if let Some(subscript) = &assignment.subscript {
                        name.extend_from_slice(b"[");
                        name.extend_from_slice(&subscript.key.source);
                        name.extend_from_slice(b"]");
                    }
                    self.trace(&[&name, sign, &quote::when_needed(&value)].concat());
                }
                match &assignment.subscript {
                    None => self
                        .assign(assignment.name, value, assignment.append)
                        .map_err(|unwind| self.assignment_failed(unwind)),
                    Some(subscript) => {
                        let (name, _) = self.follow(assignment.name);
                        if subscript.key.source.is_empty() {
                            return self.empty_key(name, b"");
                        }
                        if self.is_associative(name) {
                            let key = self.expand_single(&subscript.key)?;
                            if key.is_empty() {
                                return self.empty_key(name, b"");
                            }
                            return self.set_key(name, key, value, assignment.append);
                        }
                        let index = self.evaluate(&subscript.expression)?;
                        self.set_index(name, index, value, assignment.append)
                    }
                }
            }
            AssignedValue::Array(elements) => {
                if trace {
                    let list = crate::print::elements(elements);
                    let sign: &[u8] = if assignment.append { b"+=" } else { b"=" };
                    self.trace(&[assignment.name.text(), sign, list.as_bytes()].concat());
                }
                if let Some(subscript) = &assignment.subscript {
                    let name = String::from_utf8_lossy(assignment.name.text()).into_owned();
                    let key = String::from_utf8_lossy(&subscript.key.source).into_owned();
                    self.complain(format_args!(
                        "{name}[{key}]: cannot assign list to array member"
                    ));
                    return Err(Unwind::Discard(1));
                }
                let (name, _) = self.follow(assignment.name);
                self.assign_elements(name, elements, assignment.append)
            }
        }
    }

    /// An assignment that fails ends a shell under `set -e`, wherever it stands.
    pub fn assignment_failed(&self, unwind: Unwind) -> Unwind {
        match unwind {
            Unwind::Discard(status) if self.options.errexit => Unwind::Exit(status),
            unwind => unwind,
        }
    }

    fn empty_key(&mut self, name: Symbol, key: &[u8]) -> Run<()> {
        let name = String::from_utf8_lossy(name.text()).into_owned();
        let key = String::from_utf8_lossy(key).into_owned();
        self.complain(format_args!("{name}[{key}]: bad array subscript"));
        Err(Unwind::Discard(1))
    }

    /// `name=(elements)` or `name+=(elements)`.
    pub fn assign_elements(&mut self, name: Symbol, elements: &[Element], append: bool) -> Run<()> {
        self.check_writable(name)?;
        if self.is_associative(name) {
            return self.assign_associative(name, elements, append);
        }
        let flags = self.variable(name).map_or(0, |v| v.flags);
        // Elements are expanded before the old value goes, since they may use it.
        let mut items: BTreeMap<i64, Bytes> = BTreeMap::new();
        let mut next = 0;
        if append && let Some(variable) = self.variable(name) {
            match &variable.value {
                Value::Indexed(old) => {
                    items = old.clone();
                    next = next_index(old);
                }
                Value::Scalar(text) => {
                    items.insert(0, text.clone());
                    next = 1;
                }
                _ => {}
            }
        }
        for element in elements {
            match &element.subscript {
                None => {
                    for value in self.expand_words(std::slice::from_ref(&element.value))? {
                        let value = self.attributed(flags, None, value)?;
                        items.insert(next, value);
                        next += 1;
                    }
                }
                Some(subscript) => {
                    let index = self.evaluate(&subscript.expression)?;
                    let index = if index < 0 {
                        index + next_index(&items)
                    } else {
                        index
                    };
                    if index < 0 {
                        let source = subscript.key.source.to_vec();
                        self.empty_key(name, &source)?;
                    }
                    let value = self.expand_single(&element.value)?;
                    let old = if element.append {
                        items.get(&index).cloned()
                    } else {
                        None
                    };
                    let value = self.attributed(flags, old, value)?;
                    items.insert(index, value);
                    next = index + 1;
                }
            }
        }
        let slot = self.slot(name).get_or_insert_default();
        slot.flags = (slot.flags | flag::INDEXED) & !flag::STANDING;
        slot.value = Value::Indexed(items);
        Ok(())
    }

    fn assign_associative(&mut self, name: Symbol, elements: &[Element], append: bool) -> Run<()> {
        let flags = self.variable(name).map_or(0, |v| v.flags);
        let mut items = match self.variable(name).map(|v| &v.value) {
            Some(Value::Associative(old)) if append => old.clone(),
            _ => Associative::default(),
        };
        let mut plain: Vec<Bytes> = Vec::new();
        for element in elements {
            match &element.subscript {
                Some(subscript) => {
                    let key = self.expand_single(&subscript.key)?;
                    if key.is_empty() {
                        self.empty_key(name, b"")?;
                    }
                    let value = self.expand_single(&element.value)?;
                    let old = if element.append {
                        items.get(&key).cloned()
                    } else {
                        None
                    };
                    let value = self.attributed(flags, old, value)?;
                    items.set(key, value);
                }
                // Without subscripts: keys and values by turns.
                None => plain.push(self.expand_single(&element.value)?),
            }
        }
        let mut plain = plain.into_iter();
        while let Some(key) = plain.next() {
            let value = self.attributed(flags, None, plain.next().unwrap_or_default())?;
            items.set(key, value);
        }
        let slot = self.slot(name).get_or_insert_default();
        slot.flags = (slot.flags | flag::ASSOCIATIVE) & !flag::STANDING;
        slot.value = Value::Associative(items);
        Ok(())
    }
}
