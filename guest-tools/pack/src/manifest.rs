//! `programs.toml`, which says what there is to build, and `manifest.toml`, what was built.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A guest to build.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    pub name: String,
    pub programs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Programs {
    module: Vec<Module>,
}

/// A guest in `dist/`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub file: String,
    /// Of the uncompressed module.
    pub sha256: String,
    pub programs: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub toolchain: String,
    pub source_sha256: String,
    #[serde(default)]
    pub module: Vec<Entry>,
}

const HEADER: &str = "# Written by guest-tools/build.sh; do not edit.\n\n";

/// Reads `programs.toml`.
pub fn read_programs(sources: &Path) -> Result<Vec<Module>> {
    let path = sources.join("programs.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(toml::from_str::<Programs>(&text)
        .context("programs.toml")?
        .module)
}

impl Module {
    pub fn entry(&self, wasm: &[u8]) -> Entry {
        Entry {
            name: self.name.clone(),
            file: format!("{}.wasm.zst", self.name),
            sha256: hex(&Sha256::digest(wasm)),
            programs: self.programs.clone(),
        }
    }
}

impl Manifest {
    pub fn read(dist: &Path) -> Result<Self> {
        let path = dist.join("manifest.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).context("manifest.toml")
    }

    pub fn write(&self, dist: &Path) -> Result<()> {
        let text = format!("{HEADER}{}", toml::to_string_pretty(self)?);
        fs::write(dist.join("manifest.toml"), text).context("cannot write manifest.toml")
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
