//! `policy.toml` beside `tools.toml`, if there is one: its digests follow the files in `dist/`.
//!
//! The file is changed line by line, because a policy is written by hand and keeps its comments. In
//! a rule, `file = "dist/…"` comes before `sha256 = "…"`.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use crate::manifest::Manifest;

/// Puts the digests of `dist/` into the policy.
pub fn keep(folder: &Path, manifest: &Manifest) -> Result<()> {
    let path = folder.join("policy.toml");
    if !path.exists() {
        return Ok(());
    }
    let text = fs::read_to_string(&path)?;
    let kept = with_digests(&text, manifest)?;
    if kept != text {
        fs::write(&path, kept).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Fails when the policy names another digest than `dist/` has.
pub fn check(folder: &Path, manifest: &Manifest) -> Result<()> {
    let path = folder.join("policy.toml");
    if path.exists() {
        let text = fs::read_to_string(&path)?;
        ensure!(
            with_digests(&text, manifest)? == text,
            "a sha256 in {} is not that of its file: run build.sh",
            path.display()
        );
    }
    Ok(())
}

fn with_digests(text: &str, manifest: &Manifest) -> Result<String> {
    let mut kept = String::new();
    // Of the file that was named last; a digest takes it, so that no other rule gets it.
    let mut digest = None;
    for line in text.lines() {
        if let Some(file) = value(line, "file") {
            let entry = manifest
                .tool
                .iter()
                .find(|entry| file == format!("dist/{}", entry.file))
                .with_context(|| format!("policy.toml names {file:?}, which is not in dist/"))?;
            digest = Some(&entry.sha256);
        }
        let wanted = value(line, "sha256").and_then(|_| digest.take());
        match wanted {
            Some(digest) => kept.push_str(&format!("sha256 = \"{digest}\"")),
            None => kept.push_str(line),
        }
        kept.push('\n');
    }
    Ok(kept)
}

/// The text of `key = "text"`.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
    rest.trim_start().strip_prefix('"')?.split('"').next()
}
