//! Packs built guests into `dist/`, and tells whether `dist/` is of these sources.
//!
//! `pack list SOURCES` · `pack hash SOURCES` · `pack check SOURCES DIST` ·
//! `pack write SOURCES DIST BUILT NAME...` · `pack verify SOURCES DIST BUILT NAME...`

mod manifest;
mod source_hash;

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context, Result, bail, ensure};
use manifest::{Entry, Manifest, Module, read_programs};

/// Chosen, not measured: small enough for the repository, and the host unpacks any level alike.
const LEVEL: i32 = 19;
/// As much as the repository carries.
const DIST_BYTES_MAX: u64 = 15 << 20;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pack: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list", sources] => list(Path::new(sources)),
        ["hash", sources] => {
            println!("{}", source_hash::of(Path::new(sources))?);
            Ok(())
        }
        ["check", sources, dist] => check(Path::new(sources), Path::new(dist)),
        ["write", sources, dist, built, names @ ..] => {
            write(Path::new(sources), Path::new(dist), Path::new(built), names)
        }
        ["verify", sources, dist, built, names @ ..] => {
            verify(Path::new(sources), Path::new(dist), Path::new(built), names)
        }
        _ => bail!("usage: pack list|hash|check|write|verify SOURCES [DIST [BUILT NAME...]]"),
    }
}

/// Prints the guests of `programs.toml` whose package is there.
fn list(sources: &Path) -> Result<()> {
    for module in read_programs(sources)? {
        if sources.join(&module.name).join("Cargo.toml").exists() {
            println!("{}", module.name);
        }
    }
    Ok(())
}

fn check(sources: &Path, dist: &Path) -> Result<()> {
    let manifest = Manifest::read(dist)?;
    let hash = source_hash::of(sources)?;
    ensure!(
        manifest.source_sha256 == hash,
        "dist/ was built from other sources ({} instead of {hash}): run guest-tools/build.sh",
        manifest.source_sha256
    );
    println!("dist/ is of these sources");
    Ok(())
}

fn write(sources: &Path, dist: &Path, built: &Path, names: &[&str]) -> Result<()> {
    fs::create_dir_all(dist)?;
    let programs = read_programs(sources)?;
    let mut entries: Vec<Entry> = Manifest::read(dist).map(|m| m.module).unwrap_or_default();
    entries.retain(|entry| programs.iter().any(|module| module.name == entry.name));
    for module in programs
        .iter()
        .filter(|module| names.contains(&module.name.as_str()))
    {
        let wasm = read_wasm(built, module)?;
        let entry = module.entry(&wasm);
        let packed = compress(&wasm)?;
        println!(
            "{:10} {:>9} -> {:>8}",
            module.name,
            wasm.len(),
            packed.len()
        );
        fs::write(dist.join(&entry.file), packed)?;
        entries.retain(|old| old.name != entry.name);
        entries.push(entry);
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let total: u64 = entries
        .iter()
        .map(|entry| Ok(fs::metadata(dist.join(&entry.file))?.len()))
        .sum::<Result<u64>>()?;
    println!("total {total}");
    ensure!(
        total <= DIST_BYTES_MAX,
        "dist/ has {total} bytes, more than {DIST_BYTES_MAX}"
    );
    Manifest {
        toolchain: toolchain()?,
        source_sha256: source_hash::of(sources)?,
        module: entries,
    }
    .write(dist)
}

fn verify(sources: &Path, dist: &Path, built: &Path, names: &[&str]) -> Result<()> {
    check(sources, dist)?;
    let manifest = Manifest::read(dist)?;
    for module in read_programs(sources)?
        .iter()
        .filter(|m| names.contains(&m.name.as_str()))
    {
        let entry = manifest
            .module
            .iter()
            .find(|entry| entry.name == module.name)
            .with_context(|| format!("{} is not in dist/manifest.toml", module.name))?;
        let wasm = read_wasm(built, module)?;
        let kept = zstd::decode_all(fs::read(dist.join(&entry.file))?.as_slice())?;
        ensure!(
            kept == wasm,
            "{} differs from what these sources build",
            entry.file
        );
        ensure!(
            *entry == module.entry(&wasm),
            "the manifest's entry of {} differs",
            module.name
        );
        println!("{:10} same", module.name);
    }
    Ok(())
}

fn read_wasm(built: &Path, module: &Module) -> Result<Vec<u8>> {
    let path = built.join(format!("{}.wasm", module.name));
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn compress(wasm: &[u8]) -> Result<Vec<u8>> {
    zstd::bulk::compress(wasm, LEVEL).context("cannot compress")
}

/// The compiler's own words, without the machine it runs on.
fn toolchain() -> Result<String> {
    let output = std::process::Command::new("rustc")
        .arg("--version")
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(format!("{} wasm32-wasip1 (rustup)", text.trim()))
}
