//! The check itself.

use serde::Serialize;
use serde_json::Value;

use crate::input::{Input, Place, read};

/// What a reader looks at. Chosen, not measured.
const ERRORS_MAX: usize = 100;
/// Messages quote the value, which may be the whole document. Chosen, not measured.
const MESSAGE_CHARACTERS_MAX: usize = 400;

#[derive(Serialize)]
pub struct Report {
    pub valid: bool,
    pub errors: Vec<Fault>,
    /// There are more errors than these.
    #[serde(skip_serializing_if = "is_false")]
    pub more: bool,
}

/// Where a document breaks a schema.
#[derive(Serialize)]
pub struct Fault {
    /// A JSON Pointer into the document.
    pub at: String,
    /// A JSON Pointer into the schema.
    pub schema: String,
    pub message: String,
}

/// Holds the document against the schema, or only against JSON's grammar if there is none.
pub fn check(input: &Input) -> Result<Report, String> {
    let read_document: Value;
    let document = match &input.document {
        Place::Here(value) => value,
        Place::File(path) => match serde_json::from_slice(&read(path)?) {
            Ok(value) => {
                read_document = value;
                &read_document
            }
            Err(error) => return Ok(not_json(&error.to_string())),
        },
    };
    match &input.schema {
        None => Ok(Report {
            valid: true,
            errors: Vec::new(),
            more: false,
        }),
        Some(Place::Here(schema)) => against(document, schema),
        Some(Place::File(path)) => {
            let schema = serde_json::from_slice(&read(path)?)
                .map_err(|error| format!("the schema {path:?} is not JSON: {error}"))?;
            against(document, &schema)
        }
    }
}

fn not_json(message: &str) -> Report {
    let fault = Fault {
        at: String::new(),
        schema: String::new(),
        message: format!("the document is not JSON: {message}"),
    };
    Report {
        valid: false,
        errors: vec![fault],
        more: false,
    }
}

fn against(document: &Value, schema: &Value) -> Result<Report, String> {
    let validator = jsonschema::validator_for(schema).map_err(|error| {
        format!(
            "the schema cannot be used, at {:?}: {}; references must stay inside it",
            error.instance_path().to_string(),
            short(&error.to_string())
        )
    })?;
    let mut found = validator.iter_errors(document);
    let errors: Vec<Fault> = found
        .by_ref()
        .take(ERRORS_MAX)
        .map(|error| Fault {
            at: error.instance_path().to_string(),
            schema: error.schema_path().to_string(),
            message: short(&error.to_string()),
        })
        .collect();
    Ok(Report {
        valid: errors.is_empty(),
        more: found.next().is_some(),
        errors,
    })
}

fn short(message: &str) -> String {
    let mut characters = message.chars();
    let mut text: String = characters.by_ref().take(MESSAGE_CHARACTERS_MAX).collect();
    if characters.next().is_some() {
        text.push('…');
    }
    text
}

fn is_false(flag: &bool) -> bool {
    !*flag
}
