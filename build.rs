//! Embeds the guests of dist/ into the binary, as its manifest names them.

#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a build script fails by panicking and gets its input from the environment"
)]

use std::{env, fmt::Write, fs, path::Path};

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
}
