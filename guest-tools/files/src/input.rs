//! The tools' inputs. The door has checked them against the tool's schema; here only what the
//! tool cannot do without is checked again, and fields it does not know are left alone.

use std::borrow::Cow;

use serde::Deserialize;

use crate::answer::Failure;

/// How bytes travel in an input or an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    #[default]
    Utf8,
    Base64,
}

#[derive(Deserialize)]
pub struct Read<'a> {
    /// `path` is `read_file`'s name for it.
    #[serde(borrow, alias = "path")]
    pub file_path: Option<Cow<'a, str>>,
    pub view_range: Option<Vec<i64>>,
    #[serde(default)]
    pub encoding: Encoding,
}

#[derive(Deserialize)]
pub struct Write<'a> {
    /// `path` is `write_file`'s name for it.
    #[serde(borrow, alias = "path")]
    pub file_path: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub content: Option<Cow<'a, str>>,
    #[serde(default)]
    pub encoding: Encoding,
}

#[derive(Deserialize)]
pub struct Edit<'a> {
    #[serde(borrow)]
    pub file_path: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub old_string: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub new_string: Option<Cow<'a, str>>,
    pub replace_all: Option<bool>,
}

#[derive(Deserialize)]
pub struct Search<'a> {
    #[serde(borrow)]
    pub pattern: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub path: Option<Cow<'a, str>>,
}

/// Reads a tool's input.
pub fn parse<'a, T: Deserialize<'a>>(input: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(input).map_err(|e| Failure::new(format!("input: {e}")))
}

/// The value of a field the tool needs.
pub fn required<T>(value: Option<T>, name: &str) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::new(format!("{name} is required")))
}

/// Checks that `path` can be a path at all: not empty, no NUL byte.
pub fn path_of<'a>(value: Option<Cow<'a, str>>, name: &str) -> Result<Cow<'a, str>, Failure> {
    let path = required(value, name)?;
    if path.is_empty() {
        return Err(Failure::new(format!("{name} must not be empty")));
    }
    if path.contains('\0') {
        return Err(Failure::new(format!("{name} {path:?} contains a NUL byte")));
    }
    Ok(path)
}
