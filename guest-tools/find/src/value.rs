//! The values of primaries.

use guest_unix::entries::{grp2gid, usr2uid};
use options::quote_argument as quote;

use crate::{
    expression::{Bound, Node, Permissions},
    mode,
};

type Parsed = Result<Node, String>;

pub fn types(word: &str, value: &str) -> Parsed {
    let mut letters = Vec::new();
    for part in value.split(',') {
        match part {
            "b" | "c" | "d" | "p" | "f" | "l" | "s" | "D" => letters.extend(part.chars()),
            "" => {
                return Err(format!(
                    "Last file type in list argument to {word} is missing, i.e., list is ending on: ','"
                ));
            }
            _ if part.len() > 1 && part.starts_with(|c| "bcdpflsD".contains(c)) => {
                return Err(format!(
                    "Must separate multiple arguments to {word} using: ','"
                ));
            }
            _ => {
                return Err(format!(
                    "Unknown argument to {word}: {}",
                    &part[..part.chars().next().map_or(0, char::len_utf8)]
                ));
            }
        }
    }
    Ok(Node::Type {
        letters,
        of_target: word == "-xtype",
    })
}

pub fn size(value: &str) -> Parsed {
    let (digits, unit) = match value.as_bytes().last() {
        Some(b'c') => (&value[..value.len() - 1], 1),
        Some(b'w') => (&value[..value.len() - 1], 2),
        Some(b'b') => (&value[..value.len() - 1], 512),
        Some(b'k') => (&value[..value.len() - 1], 1 << 10),
        Some(b'M') => (&value[..value.len() - 1], 1 << 20),
        Some(b'G') => (&value[..value.len() - 1], 1 << 30),
        _ => (value, 512),
    };
    let bound =
        Bound::parse(digits).ok_or_else(|| format!("invalid -size type `{}'", last(value)))?;
    Ok(Node::Size { bound, unit })
}

fn last(value: &str) -> &str {
    value
        .char_indices()
        .next_back()
        .map_or("", |(at, _)| &value[at..])
}

pub fn permission(value: &str) -> Parsed {
    let (kind, text) = match value.as_bytes().first() {
        Some(b'-') => (Permissions::All, &value[1..]),
        Some(b'/') => (Permissions::Any, &value[1..]),
        _ => (Permissions::Exactly, value),
    };
    match (mode::parse(text, false), mode::parse(text, true)) {
        (Some(mode), Some(folder_mode)) => Ok(Node::Permission {
            kind,
            mode,
            folder_mode,
        }),
        _ => Err(format!("invalid mode {}", quote(value))),
    }
}

pub fn owner(word: &str, value: &str) -> Parsed {
    if word == "-user" {
        let id = usr2uid(value)
            .map_err(|_| format!("{} is not the name of a known user", quote(value)))?;
        return Ok(Node::UserId(Bound::Exactly(id.into())));
    }
    let id = grp2gid(value)
        .map_err(|_| format!("{} is not the name of an existing group", quote(value)))?;
    Ok(Node::GroupId(Bound::Exactly(id.into())))
}
