//! `[[tool]]` as it is written: built-in tools by name, or one tool of the operator's own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::value::Datetime;

use crate::policy::text::{Access, LimitsText};

/// Allows built-in tools (`names`), or brings a tool of your own (`name`, `file` and what goes
/// with them). One of the two.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolText {
    /// Exact names of built-in tools that agents may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// A tool of your own: what agents call it, and its program in /bin. 1 to 64 of a-z 0-9 - _
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// With `name`: what the tool does, told to agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// With `name`: what the file is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ToolKind>,
    /// With `name`: the WebAssembly file; relative to this policy, or absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// With `name`: SHA-256 of the file, in hexadecimal; `hotcell tool check FILE` tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// With `name`: JSON Schema of the tool's input, as a table. Absent: any object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub input: Option<toml::Table>,
    /// With `name`: the folders the tool sees. Absent: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<ToolMountText>,
    /// With `name`: the variables the tool gets. Absent: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// With `name`: ceilings of one run of it, where they are less than those of `[limits]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsText>,
    /// Why this is allowed.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires: Option<Datetime>,
    /// Examples that this rule must allow: names of tools, or inputs as JSON for a tool of your own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allows: Vec<String>,
    /// Examples that the policy must deny, or inputs that the schema must refuse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denies: Vec<String>,
}

/// What a tool's file is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ToolKind {
    /// A core module for WASI preview 1.
    Module,
    /// A component for WASI 0.2.
    Component,
}

impl ToolKind {
    /// Its name in policy files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Component => "component",
        }
    }

    /// How records call what runs it.
    pub fn lane(self) -> &'static str {
        match self {
            Self::Module => "wasm",
            Self::Component => "component",
        }
    }
}

/// A folder that a tool of your own sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolMountText {
    /// Where the tool sees it: `/workspace`, `/tmp`, the `guest` of a `[[mount]]`, or, with `host`,
    /// another name directly under /.
    pub guest: String,
    /// A host folder that only this tool sees. Absent: what the call itself sees as `guest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// At most what the call itself may do there. Components only read.
    pub access: Access,
}
