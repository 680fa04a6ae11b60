//! The hash of the guests' sources.
//!
//! It is the SHA-256, in lower-case hexadecimal, of this for every regular file below
//! `guest-tools/`, in the bytewise order of their paths: the path relative to `guest-tools/` with
//! `/` between its parts, a NUL byte, the file's length in decimal, a NUL byte, the file's bytes.
//! Left out are the folders named `target` at any depth and `patched` at the top.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::manifest::hex;

/// The hash of the sources below `root`.
pub fn of(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(root, "", &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for (name, path) in files {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(bytes.len().to_string().as_bytes());
        hash.update([0]);
        hash.update(&bytes);
    }
    Ok(hex(&hash.finalize()))
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let relative = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if name != "target" && relative != "patched" {
                collect(&entry.path(), &format!("{relative}/"), files)?;
            }
        } else if kind.is_file() {
            files.push((relative, entry.path()));
        }
    }
    Ok(())
}
