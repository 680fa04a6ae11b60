//! Turns core modules that cargo built into the tools of a folder's `dist/`, and tells whether
//! `dist/` is of these sources. FOLDER has `tools.toml`, which says what there is.
//!
//! `pack-tools packages FOLDER [NAME...]` · `pack-tools check FOLDER` ·
//! `pack-tools write|verify FOLDER BUILT STD [NAME...]`, where BUILT is cargo's output folder and STD
//! says which standard library was used, since other ones give other bytes.

mod component;
mod manifest;
mod policy;
// The digest of a folder, as for the guests that are part of Hotcell.
#[path = "../../../../guest-tools/pack/src/source_hash.rs"]
mod source_hash;
mod sources;

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context, Result, bail, ensure};
use manifest::{Entry, Manifest, Tool, Tools};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pack-tools: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["packages", folder, names @ ..] => packages(Path::new(folder), names),
        ["check", folder] => check(Path::new(folder)),
        ["write", folder, built, std, names @ ..] => {
            write(Path::new(folder), Path::new(built), std, names)
        }
        ["verify", folder, built, std, names @ ..] => {
            verify(Path::new(folder), Path::new(built), std, names)
        }
        _ => bail!("usage: pack-tools packages|check|write|verify FOLDER [BUILT STD] [NAME...]"),
    }
}

/// Prints the cargo packages that the named tools (all, if none is named) come from.
fn packages(folder: &Path, names: &[&str]) -> Result<()> {
    let mut packages: Vec<String> = Tools::read(folder)?
        .named(names)?
        .into_iter()
        .map(|tool| tool.package)
        .collect();
    packages.sort();
    packages.dedup();
    for package in packages {
        println!("{package}");
    }
    Ok(())
}

/// Compares the sources with the digest that `dist/` was made from, each file with its own digest,
/// and the policy with both.
fn check(folder: &Path) -> Result<()> {
    let tools = Tools::read(folder)?;
    let manifest = Manifest::read(folder)?;
    let digest = sources::digest(folder, &tools)?;
    ensure!(
        manifest.source_sha256 == digest,
        "dist/ was built from other sources ({} instead of {digest}): run build.sh",
        manifest.source_sha256
    );
    for tool in &tools.tool {
        let entry = manifest.entry(&tool.name)?;
        let path = folder.join("dist").join(&entry.file);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(
            *entry == tool.entry(&bytes),
            "{} is not what dist/manifest.toml says it is: run build.sh",
            path.display()
        );
    }
    policy::check(folder, &manifest)?;
    println!("dist/ is of these sources");
    Ok(())
}

fn write(folder: &Path, built: &Path, std: &str, names: &[&str]) -> Result<()> {
    let tools = Tools::read(folder)?;
    let dist = folder.join("dist");
    fs::create_dir_all(&dist)?;
    let mut entries: Vec<Entry> = Manifest::read(folder)
        .map(|manifest| manifest.tool)
        .unwrap_or_default();
    entries.retain(|entry| tools.tool.iter().any(|tool| tool.name == entry.name));
    for tool in tools.named(names)? {
        let bytes = make(&tool, built)?;
        let entry = tool.entry(&bytes);
        println!("{:20} {:>9} bytes", tool.name, bytes.len());
        fs::write(dist.join(&entry.file), bytes)?;
        entries.retain(|old| old.name != entry.name);
        entries.push(entry);
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let manifest = Manifest {
        toolchain: toolchain()?,
        std: std.to_owned(),
        source_sha256: sources::digest(folder, &tools)?,
        tool: entries,
    };
    manifest.write(folder)?;
    policy::keep(folder, &manifest)
}

fn verify(folder: &Path, built: &Path, std: &str, names: &[&str]) -> Result<()> {
    check(folder)?;
    let manifest = Manifest::read(folder)?;
    ensure!(
        manifest.std == std,
        "dist/ was built with another standard library ({}) than this one ({std}), \
         so its bytes cannot be compared",
        manifest.std
    );
    for tool in Tools::read(folder)?.named(names)? {
        let bytes = make(&tool, built)?;
        ensure!(
            *manifest.entry(&tool.name)? == tool.entry(&bytes),
            "{} differs from what these sources build",
            tool.name
        );
        println!("{:20} same", tool.name);
    }
    Ok(())
}

/// The bytes of a tool, from the core module that cargo built.
fn make(tool: &Tool, built: &Path) -> Result<Vec<u8>> {
    let path = built.join(format!("{}.wasm", tool.built));
    let core = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    component::make(&core, tool.kind, tool.world)
        .with_context(|| format!("cannot make a component of {}", tool.name))
}

/// The compiler's own words, without the machine it runs on.
fn toolchain() -> Result<String> {
    let output = std::process::Command::new("rustc")
        .arg("--version")
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(format!("{} wasm32-wasip1", text.trim()))
}
