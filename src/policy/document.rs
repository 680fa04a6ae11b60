//! A policy that has been checked.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Deserialize;

use crate::limits::Limits;

/// A policy in force. Made only by loading a file whose every key is known.
#[derive(Debug)]
pub struct Policy {
    pub name: String,
    pub description: String,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub digest: String,
    pub limits: Limits,
    pub access: Access,
    /// Variables every call gets.
    pub environment: BTreeMap<String, String>,
    /// Whether a call may add variables of its own.
    pub environment_agent: bool,
    pub tools: Vec<ToolRule>,
    pub denials: Vec<DenyRule>,
}

/// What guests may do with the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

/// Allows tools by name, until it expires.
#[derive(Debug)]
pub struct ToolRule {
    pub names: Vec<String>,
    pub reason: String,
    pub expires: Option<SystemTime>,
    /// First line of the rule in its file, counted from 1.
    pub line: usize,
}

/// Denies tools by name, for all agents or for some. Any match wins over every [`ToolRule`].
#[derive(Debug)]
pub struct DenyRule {
    pub names: Vec<String>,
    /// Agents the rule is for; empty for all.
    pub agents: Vec<String>,
    pub reason: String,
    /// First line of the rule in its file, counted from 1.
    pub line: usize,
}
