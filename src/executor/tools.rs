//! The tools agents call by name: their fields, checked before anything runs, and their schemas.

use serde_json::{Map, Value, json};

use crate::cell::NATIVE_WORDS_MAX;
use crate::policy::Policy;

/// One tool: what it takes and which guest does it.
#[derive(Debug)]
pub struct Tool {
    pub name: &'static str,
    pub description: &'static str,
    pub fields: &'static [Field],
}

/// One field of a tool's input.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
    pub description: &'static str,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Text that names a file or folder.
    Path,
    Flag,
    Count,
    /// Two whole numbers, first and last line.
    Lines,
    /// A list of texts.
    Words,
    Environment,
    Encoding,
}

const fn field(name: &'static str, kind: Kind, description: &'static str) -> Field {
    Field {
        name,
        kind,
        required: false,
        description,
    }
}

const fn required(name: &'static str, kind: Kind, description: &'static str) -> Field {
    Field {
        name,
        kind,
        required: true,
        description,
    }
}

const ENCODING: Field = field(
    "encoding",
    Kind::Encoding,
    "`base64` for exact bytes in the answer",
);

/// Every built-in tool.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "bash",
        description: "Runs a command in the session's shell; cwd, variables and functions last.",
        fields: &[
            field(
                "command",
                Kind::Text,
                "what to run; needed unless `restart` is true",
            ),
            field("restart", Kind::Flag, "start with a fresh shell"),
            field(
                "timeout_ms",
                Kind::Count,
                "0 or absent: the policy's wall limit",
            ),
            field("env", Kind::Environment, "variables for this call only"),
            field("stdin", Kind::Text, "the command's standard input"),
            ENCODING,
        ],
    },
    Tool {
        name: "read",
        description: "Reads a text file.",
        fields: &[
            required("file_path", Kind::Path, "the file"),
            field(
                "view_range",
                Kind::Lines,
                "[first, last] line, from 1; last <= 0 is the end",
            ),
            ENCODING,
        ],
    },
    Tool {
        name: "write",
        description: "Writes a file, making its folders.",
        fields: &[
            required("file_path", Kind::Path, "the file"),
            required("content", Kind::Text, "its new content"),
        ],
    },
    Tool {
        name: "edit",
        description: "Replaces a text in a file; it must occur once unless `replace_all`.",
        fields: &[
            required("file_path", Kind::Path, "the file"),
            required("old_string", Kind::Text, "the text to replace"),
            required("new_string", Kind::Text, "what to put in its place"),
            field("replace_all", Kind::Flag, "replace every occurrence"),
        ],
    },
    Tool {
        name: "glob",
        description: "Lists files that match a pattern, newest first.",
        fields: &[
            required("pattern", Kind::Text, "such as `**/*.rs`"),
            field(
                "path",
                Kind::Path,
                "the folder to search; else the working folder",
            ),
        ],
    },
    Tool {
        name: "grep",
        description: "Searches files for a regular expression.",
        fields: &[
            required("pattern", Kind::Text, "the regular expression"),
            field(
                "path",
                Kind::Path,
                "the file or folder to search; else the working folder",
            ),
        ],
    },
    Tool {
        name: "native",
        description: "Runs one program of the host that the policy names, without a shell.",
        fields: &[
            required("program", Kind::Text, "its name or absolute path"),
            field("args", Kind::Words, "its arguments, each a string"),
            field("stdin", Kind::Text, "its standard input"),
            field(
                "timeout_ms",
                Kind::Count,
                "0 or absent: the policy's wall limit",
            ),
            ENCODING,
        ],
    },
    Tool {
        name: "read_file",
        description: "Reads a file.",
        fields: &[required("path", Kind::Path, "the file"), ENCODING],
    },
    Tool {
        name: "write_file",
        description: "Writes a file, making its folders.",
        fields: &[
            required("path", Kind::Path, "the file"),
            required("content", Kind::Text, "its new content"),
        ],
    },
];

/// The tool of that name.
pub(super) fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

impl Tool {
    /// Checks an input's fields and their types.
    pub(super) fn check(&self, input: &Map<String, Value>) -> Result<(), String> {
        for (name, value) in input {
            let Some(field) = self.fields.iter().find(|field| field.name == name) else {
                let known: Vec<_> = self.fields.iter().map(|field| field.name).collect();
                let name: String = name.chars().take(100).collect();
                return Err(format!(
                    "{}: input has no field `{name}`; it takes {}",
                    self.name,
                    known.join(", ")
                ));
            };
            if !(field.kind.fits(value) || (!field.required && value.is_null())) {
                return Err(format!(
                    "{}: input.{name} must be {}",
                    self.name,
                    field.kind.meaning()
                ));
            }
        }
        match self
            .fields
            .iter()
            .find(|field| field.required && !input.contains_key(field.name))
        {
            Some(missing) => Err(format!("{}: input.{} is required", self.name, missing.name)),
            None => Ok(()),
        }
    }
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Path => value
                .as_str()
                .is_some_and(|path| !path.is_empty() && !path.contains('\0')),
            Self::Flag => value.is_boolean(),
            Self::Count => value.is_u64(),
            Self::Lines => value
                .as_array()
                .is_some_and(|lines| lines.len() == 2 && lines.iter().all(Value::is_i64)),
            Self::Words => value.as_array().is_some_and(|words| {
                let plain = |word: &Value| word.as_str().is_some_and(|text| !text.contains('\0'));
                words.len() <= NATIVE_WORDS_MAX && words.iter().all(plain)
            }),
            Self::Environment => value.as_object().is_some_and(|variables| {
                variables.iter().all(|(name, value)| {
                    names_variable(name) && value.as_str().is_some_and(|text| !text.contains('\0'))
                })
            }),
            Self::Encoding => matches!(value.as_str(), Some("utf-8" | "base64")),
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Path => "a path: a string that is not empty and has no NUL",
            Self::Flag => "true or false",
            Self::Count => "a whole number, 0 or more",
            Self::Lines => "two whole numbers: [first line, last line]",
            Self::Words => "a list of strings without NUL, of at most 4097",
            Self::Environment => {
                "an object of strings whose names are A-Z a-z 0-9 _ and no digit first"
            }
            Self::Encoding => "\"utf-8\" or \"base64\"",
        }
    }

    fn schema(self) -> Value {
        match self {
            Self::Text | Self::Path => json!({"type": "string"}),
            Self::Flag => json!({"type": "boolean"}),
            Self::Count => json!({"type": "integer", "minimum": 0}),
            Self::Lines => {
                json!({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2})
            }
            Self::Words => json!({"type": "array", "items": {"type": "string"}}),
            Self::Environment => {
                json!({"type": "object", "additionalProperties": {"type": "string"}})
            }
            Self::Encoding => json!({"type": "string", "enum": ["utf-8", "base64"]}),
        }
    }
}

fn names_variable(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(letter)
        && name
            .bytes()
            .all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// Every tool with its name, description and the JSON Schema of its input: the built-in ones, and
/// those of the operator's own that a policy brings.
pub fn schemas(policy: &Policy) -> Value {
    let tools = TOOLS.iter().map(|tool| {
        let properties: Map<String, Value> = tool
            .fields
            .iter()
            .map(|field| {
                let mut schema = field.kind.schema();
                if let Some(schema) = schema.as_object_mut() {
                    schema.insert("description".to_owned(), field.description.into());
                }
                (field.name.to_owned(), schema)
            })
            .collect();
        let needed: Vec<_> = tool
            .fields
            .iter()
            .filter(|field| field.required)
            .map(|field| field.name)
            .collect();
        json!({
            "name": tool.name,
            "description": tool.description,
            "input_schema": {
                "type": "object",
                "properties": properties,
                "required": needed,
                "additionalProperties": false,
            },
        })
    });
    let own = policy.own_tools.values().map(|tool| {
        json!({
            "name": tool.name,
            "description": tool.description,
            "input_schema": *tool.start.input,
        })
    });
    json!({ "tools": tools.chain(own).collect::<Vec<_>>() })
}
