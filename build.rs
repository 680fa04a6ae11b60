//! Embeds the guests of dist/ into the binary, as its manifest names them.

#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a build script fails by panicking and gets its input from the environment"
)]

use std::{env, fmt::Write, fs, path::Path};

use sha2::{Digest as _, Sha256};

#[derive(serde::Deserialize)]
struct Manifest {
    #[serde(default)]
    module: Vec<Module>,
}

#[derive(serde::Deserialize)]
struct Module {
    name: String,
    file: String,
    sha256: String,
    programs: Vec<String>,
}

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let dist = Path::new(&root).join("dist");
    println!("cargo::rerun-if-changed=dist");
    let text = fs::read_to_string(dist.join("manifest.toml")).unwrap_or_default();
    let manifest: Manifest = toml::from_str(&text).expect("dist/manifest.toml");
    let mut code = String::from("const EMBEDDED: &[Embedded] = &[\n");
    for module in manifest.module {
        let file = dist.join(&module.file);
        writeln!(
            code,
            "Embedded {{ name: {:?}, sha256: {:?}, programs: &{:?}, compressed: include_bytes!({:?}) }},",
            module.name, module.sha256, module.programs, file
        )
        .expect("a string takes all");
    }
    code.push_str("];\n");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("guests.rs"), code).expect("OUT_DIR is writable");
    println!(
        "cargo::rustc-env=HOTCELL_BUILD={}",
        build_id(Path::new(&root), &text)
    );
}

/// Version and a digest over sources, locked dependencies and guests: what records say ran.
fn build_id(root: &Path, manifest: &str) -> String {
    let mut files = vec![root.join("Cargo.lock")];
    let mut folders = vec![root.join("src"), root.join("policies")];
    while let Some(folder) = folders.pop() {
        println!("cargo::rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(&folder).expect("a folder of the sources") {
            let path = entry.expect("its entries").path();
            if path.is_dir() {
                &mut folders
            } else {
                &mut files
            }
            .push(path);
        }
    }
    files.sort();
    let mut digest = Sha256::new();
    digest.update(manifest);
    for file in &files {
        let name = file.strip_prefix(root).expect("below the root");
        let content = fs::read(file).unwrap_or_default();
        digest.update(format!("{}\n{}\n", name.display(), content.len()));
        digest.update(content);
    }
    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    let mut id = format!("{version}+");
    for byte in digest.finalize().iter().take(6) {
        write!(id, "{byte:02x}").expect("a string takes all");
    }
    id
}
