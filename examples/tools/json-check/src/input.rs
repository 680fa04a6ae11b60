//! What to check against what, as said in the call.

use std::{fs::File, io::Read};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Memory for a value is several times its text. Chosen, not measured.
const FILE_BYTES_MAX: u64 = 8 << 20;

#[derive(Debug)]
pub enum Place {
    Here(Value),
    File(String),
}

#[derive(Debug)]
pub struct Input {
    pub document: Place,
    pub schema: Option<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    #[serde(default, deserialize_with = "present")]
    document: Option<Value>,
    path: Option<String>,
    #[serde(default, deserialize_with = "present")]
    schema: Option<Value>,
    schema_path: Option<String>,
}

/// A document may be `null`, which is another thing than no document.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

pub fn from_json(text: &str) -> Result<Input, String> {
    let json: Json = serde_json::from_str(text).map_err(|error| {
        format!("the input is not as wanted: {error}; send {{\"path\": \"FILE\"}}")
    })?;
    let document = place(json.document, json.path, "\"document\" and \"path\"")?
        .ok_or("there is nothing to check: send \"document\" or \"path\"")?;
    let schema = place(
        json.schema,
        json.schema_path,
        "\"schema\" and \"schema_path\"",
    )?;
    Ok(Input { document, schema })
}

fn place(value: Option<Value>, path: Option<String>, names: &str) -> Result<Option<Place>, String> {
    match (value, path) {
        (Some(_), Some(_)) => Err(format!("{names} exclude each other: send one")),
        (Some(value), None) => Ok(Some(Place::Here(value))),
        (None, Some(path)) => Ok(Some(Place::File(path))),
        (None, None) => Ok(None),
    }
}

/// Reads a file whole, up to the bound.
pub fn read(path: &str) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| {
        format!("cannot open {path:?}: {error}; name a file in a folder that the tool was given")
    })?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read {path:?}: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!(
            "{path:?} has more than {FILE_BYTES_MAX} bytes: check a part of it"
        ));
    }
    Ok(bytes)
}
