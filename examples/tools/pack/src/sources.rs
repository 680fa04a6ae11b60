//! The digest of what the tools of a folder are built from: the SHA-256 of a line `NAME DIGEST` for
//! each source in the order below. A folder's digest is that of `source_hash`.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{
    manifest::{Tools, hex},
    source_hash,
};

const FILES: &[&str] = &["Cargo.lock", "Cargo.toml", "tools.toml"];

pub fn digest(folder: &Path, tools: &Tools) -> Result<String> {
    let mut hash = Sha256::new();
    for name in FILES {
        let path = folder.join(name);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hash.update(format!("{name} {}\n", hex(&Sha256::digest(&bytes))));
    }
    for name in &tools.sources {
        let digest = source_hash::of(&folder.join(name))?;
        hash.update(format!("{name} {digest}\n"));
    }
    Ok(hex(&hash.finalize()))
}
