//! Variables: values, attributes, scopes.

mod assign;
mod associative;
mod read;
mod scope;

use std::collections::BTreeMap;

pub use associative::{Associative, bucket};

use crate::{ast::Bytes, known, names::Symbol, shell::Shell};

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
