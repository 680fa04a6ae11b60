//! An associative array in the orders bash lists it.

use crate::{ast::Bytes, names::Map};

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
        list.sort_by_key(|(key, (sequence, _))| (bucket(key, buckets), u64::MAX - sequence));
        list.into_iter()
            .map(|(key, (_, value))| (key, value))
            .collect()
    }
}

/// The bucket of bash's hash table that a key falls into; `buckets` is a power of two.
pub fn bucket(key: &[u8], buckets: u32) -> u32 {
    hash(key) & (buckets - 1)
}

fn hash(key: &[u8]) -> u32 {
    key.iter().fold(2_166_136_261u32, |hash, &byte| {
        hash.wrapping_mul(16_777_619) ^ (byte as i8 as i32 as u32)
    })
}
