//! Text as characters: UTF-8 where it is valid, single bytes where it is not.

use crate::ast::Bytes;

use std::sync::atomic::{AtomicBool, Ordering};

/// The locale is `C`: every byte is a character.
static BYTES_ONLY: AtomicBool = AtomicBool::new(false);

pub fn set_bytes_only(value: bool) {
    BYTES_ONLY.store(value, Ordering::Relaxed);
}

/// The length in bytes of the character that begins `text`.
pub fn character_length(text: &[u8]) -> usize {
    let Some(&first) = text.first() else { return 0 };
    if BYTES_ONLY.load(Ordering::Relaxed) {
        return 1;
    }
    let length = match first {
        0..=0x7f => return 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return 1,
    };
    match text.get(..length) {
        Some(bytes) if std::str::from_utf8(bytes).is_ok() => length,
        _ => 1,
    }
}

/// The character that begins `text`, and its length.
pub fn first_character(text: &[u8]) -> (char, usize) {
    let length = character_length(text);
    let character = std::str::from_utf8(&text[..length])
        .ok()
        .and_then(|text| text.chars().next())
        .unwrap_or_else(|| char::from(text.first().copied().unwrap_or(0)));
    (character, length)
}

pub fn characters(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (first, after) = rest.split_at(character_length(rest));
        rest = after;
        Some(first)
    })
}

/// Length in characters.
pub fn length(text: &[u8]) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        characters(text).count()
    }
}

/// Where the character number `index` begins.
pub fn offset(text: &[u8], index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    characters(text).take(index).map(<[u8]>::len).sum()
}

pub fn lower(character: char) -> char {
    let mut mapped = character.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

pub fn upper(character: char) -> char {
    let mut mapped = character.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

/// Maps every valid character.
pub fn map_case(text: &[u8], map: fn(char) -> char) -> Bytes {
    let mut out = Bytes::with_capacity(text.len());
    for piece in characters(text) {
        map_one(piece, map, &mut out);
    }
    out
}

pub fn map_one(piece: &[u8], map: fn(char) -> char, out: &mut Bytes) {
    match std::str::from_utf8(piece)
        .ok()
        .and_then(|text| text.chars().next())
    {
        Some(character) => {
            let mut buffer = [0; 4];
            out.extend_from_slice(map(character).encode_utf8(&mut buffer).as_bytes());
        }
        None => out.extend_from_slice(piece),
    }
}
