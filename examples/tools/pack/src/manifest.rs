//! `tools.toml`, which says what there is to build, and `dist/manifest.toml`, what was built.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Module,
    Component,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum World {
    /// A program with standard streams: `_start`, or `wasi:cli/run`.
    Command,
    /// `run` of `hotcell:tool/tool`.
    Tool,
}

/// A tool to build.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub name: String,
    pub kind: Kind,
    pub world: World,
    pub package: String,
    /// Cargo's name of the core module, which has underscores when it is a library.
    pub built: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    /// Folders below this one that the digest of the sources covers.
    pub sources: Vec<String>,
    pub tool: Vec<Tool>,
}

/// A tool in `dist/`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub file: String,
    pub kind: Kind,
    pub world: World,
    pub sha256: String,
    pub bytes: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub toolchain: String,
    /// Where the target's standard library came from, with a digest of it.
    pub std: String,
    pub source_sha256: String,
    pub tool: Vec<Entry>,
}

const HEADER: &str = "# Written by build.sh; do not edit.\n\n";

impl Tools {
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("tools.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// The tools of these names; all of them if there are no names.
    pub fn named(&self, names: &[&str]) -> Result<Vec<Tool>> {
        for name in names {
            if !self.tool.iter().any(|tool| tool.name == *name) {
                bail!("tools.toml has no tool {name:?}");
            }
        }
        Ok(self
            .tool
            .iter()
            .filter(|tool| names.is_empty() || names.contains(&tool.name.as_str()))
            .cloned()
            .collect())
    }
}

impl Tool {
    pub fn entry(&self, bytes: &[u8]) -> Entry {
        Entry {
            name: self.name.clone(),
            file: format!("{}.wasm", self.name),
            kind: self.kind,
            world: self.world,
            sha256: hex(&Sha256::digest(bytes)),
            bytes: bytes.len() as u64,
        }
    }
}

impl Manifest {
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("dist/manifest.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = format!("{HEADER}{}", toml::to_string_pretty(self)?);
        fs::write(folder.join("dist/manifest.toml"), text).context("cannot write the manifest")
    }

    pub fn entry(&self, name: &str) -> Result<&Entry> {
        self.tool
            .iter()
            .find(|entry| entry.name == name)
            .with_context(|| format!("dist/manifest.toml has no {name:?}: run build.sh"))
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
