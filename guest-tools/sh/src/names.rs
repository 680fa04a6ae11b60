//! Variable names as small numbers, so that a parsed script refers to slots instead of strings.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// FNV-1a: no random seed, so starting the shell asks the host for nothing.
#[derive(Clone)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    fn write_usize(&mut self, value: usize) {
        self.0 = (self.0 ^ value as u64).wrapping_mul(0x0100_0000_01b3);
    }
}

/// A hash map that starts empty and without a seed.
pub type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fnv>>;

/// A variable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(pub u32);

#[derive(Default)]
struct Names {
    numbers: Map<&'static [u8], u32>,
    texts: Vec<&'static [u8]>,
}

thread_local! {
    static NAMES: RefCell<Names> = RefCell::new(Names::default());
}

/// The symbol of `name`; the same text always gives the same symbol.
pub fn intern(name: &[u8]) -> Symbol {
    NAMES.with_borrow_mut(|names| {
        if let Some(number) = names.numbers.get(name) {
            return Symbol(*number);
        }
        let text: &'static [u8] = Box::leak(name.to_vec().into_boxed_slice());
        let number = names.texts.len() as u32;
        names.texts.push(text);
        names.numbers.insert(text, number);
        Symbol(number)
    })
}

impl Symbol {
    /// The name itself.
    pub fn text(self) -> &'static [u8] {
        NAMES.with_borrow(|names| names.texts[self.0 as usize])
    }
}

/// True for `[A-Za-z_][A-Za-z0-9_]*`.
pub fn is_name(text: &[u8]) -> bool {
    text.first().is_some_and(|&b| is_name_start(b)) && text.iter().all(|&b| is_name_byte(b))
}

pub fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

pub fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
