//! A tool of the operator's own: checked, with the schema of its input, and what a run of it is bound to.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::limits::Limits;
use crate::policy::text::Access;
use crate::policy::tool_text::ToolKind;
use crate::request::hexadecimal;

/// Largest file of a tool, in bytes. Chosen: several times what Rust tools with a large library
/// have; what is larger is slow to compile and to start.
pub const TOOL_BYTES_MAX: u64 = 16 << 20;
/// Longest schema of an input, in bytes of JSON. Chosen, not measured.
pub(super) const SCHEMA_BYTES_MAX: usize = 64 << 10;
/// Longest part of what is said of an input that does not fit, in bytes.
const FAULT_BYTES_MAX: usize = 300;
/// Memory that a pattern of a schema may take, compiled.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A tool of the operator's own.
#[derive(Debug)]
pub struct OwnTool {
    pub name: String,
    /// What it does, told to agents.
    pub description: String,
    /// Where its file is, as the policy says.
    pub file: PathBuf,
    /// What it takes.
    pub input: InputSchema,
    /// Ceilings of one run, below those of the policy.
    pub limits: Limits,
    pub start: ToolStart,
}

/// What a run of a tool is bound to besides the limits of its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolStart {
    pub kind: ToolKind,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The folders it sees.
    pub mounts: Vec<ToolMount>,
    /// The variables it gets.
    pub environment: BTreeMap<String, String>,
    /// JSON Schema of its input.
    pub input: Arc<Value>,
    /// What runs; none where the policy was only read.
    pub code: Option<Arc<ToolCode>>,
}

/// A folder that a tool sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolMount {
    /// `/name`.
    pub guest: String,
    /// A folder of the host that the call itself does not see.
    pub host: Option<PathBuf>,
    pub access: Access,
}

/// A tool's file, compiled by us: nobody can change it any more, nor does it matter what happens
/// to the file it came from.
#[derive(Debug)]
pub struct ToolCode {
    pub kind: ToolKind,
    /// SHA-256 of the WebAssembly it was made of, in hexadecimal.
    pub sha256: String,
    /// Native code in sealed memory.
    pub artefact: File,
    /// What was found in the file.
    pub found: Found,
}

impl PartialEq for ToolCode {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.sha256) == (other.kind, &other.sha256)
    }
}

impl Eq for ToolCode {}

/// What is in a tool's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// How it is entered.
    pub world: ToolWorld,
    /// `module::name` of a module, names of interfaces of a component.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// Microseconds that the compiler took; 0 for what was compiled before.
    pub compile_us: u64,
}

/// How a tool is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToolWorld {
    /// As a program: a module's `_start`, or `wasi:cli/run`.
    Command,
    /// `run: func(input: string) -> result<string, string>`.
    Typed,
}

/// Compiles tools, and says what is in them. What does so stands above this room and is handed
/// down to whoever loads policies. Untrusted bytes.
pub trait Compiler: fmt::Debug + Send + Sync {
    /// # Errors
    /// Why the file cannot be a tool of this kind, in one sentence, with what it asks for that it cannot have.
    fn compile(&self, kind: ToolKind, bytes: &[u8], sha256: &str) -> Result<ToolCode, String>;
}

/// A tool's file and its digest, read once.
///
/// # Errors
/// It cannot be read, is no file, or is too large; in one sentence.
pub fn read_tool(path: &Path) -> Result<(Vec<u8>, String), String> {
    let unread = |error: std::io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(unread)?;
    if !file.metadata().map_err(unread)?.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(TOOL_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unread)?;
    if bytes.len() as u64 > TOOL_BYTES_MAX {
        return Err(format!(
            "has over {TOOL_BYTES_MAX} bytes, the most a tool may have"
        ));
    }
    let sha256 = hexadecimal(&Sha256::digest(&bytes));
    Ok((bytes, sha256))
}

/// A JSON Schema that inputs are held against, every pattern in time linear in the input.
pub struct InputSchema {
    validator: Validator,
    /// It refers to parts of itself. To say where an input breaks such a schema may take time and memory
    /// that double with every level of the input; whether it does, does not.
    refers: bool,
}

impl fmt::Debug for InputSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InputSchema")
    }
}

impl InputSchema {
    /// # Errors
    /// It is no JSON Schema, or refers to another document.
    pub(super) fn new(schema: &Value) -> Result<Self, String> {
        let patterns = PatternOptions::regex()
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX);
        let options = jsonschema::options().with_pattern_options(patterns);
        let built = options.build(schema).map_err(|error| shown(&error))?;
        Ok(Self {
            validator: built,
            refers: refers(schema),
        })
    }

    /// # Errors
    /// Where the input does not fit first, and which part of the schema says so; no values of it.
    pub fn check(&self, input: &Value) -> Result<(), String> {
        if self.validator.is_valid(input) {
            return Ok(());
        }
        if self.refers {
            let fault =
                "it does not fit the schema, which refers to itself, so that no place is told";
            return Err(fault.to_owned());
        }
        self.validator
            .validate(input)
            .map_err(|fault| shown(&fault))
    }
}

fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(parts) => parts.iter().any(|(name, part)| {
            matches!(&**name, "$ref" | "$dynamicRef" | "$recursiveRef") || refers(part)
        }),
        Value::Array(parts) => parts.iter().any(refers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn shown(error: &ValidationError<'_>) -> String {
    let cut = |mut text: String| {
        if text.is_empty() {
            text.push('/');
        }
        text.truncate(text.floor_char_boundary(FAULT_BYTES_MAX));
        text
    };
    let at = cut(error.instance_path().to_string());
    let schema = cut(error.schema_path().to_string());
    let text = cut(error.masked().to_string());
    format!("{text} (at {at}, by {schema} of the schema)")
}
