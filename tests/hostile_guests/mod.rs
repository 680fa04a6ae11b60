//! Puts hostile guests where a debug build of hotcell looks for its own: a folder like dist/.

pub mod extremes;
pub mod functions;

use std::fmt::Write;
use std::path::Path;

/// A program of `/bin` and the WebAssembly text it is made of, without its imports.
pub struct Guest {
    pub name: String,
    pub text: String,
}

/// The guests of tests/guests/, and the generated ones.
pub fn all(full: bool) -> Vec<Guest> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests");
    let mut guests = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        guests.push(Guest {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            text: std::fs::read_to_string(&path).unwrap(),
        });
    }
    for function in functions::all() {
        if let Some(text) = extremes::guest(&function, full) {
            guests.push(Guest {
                name: extreme_name(&function),
                text,
            });
        }
    }
    guests.push(Guest {
        name: "uninitialised".to_owned(),
        text: extremes::uninitialised(),
    });
    guests
}

/// The program that calls `function` with extreme values.
pub fn extreme_name(function: &functions::Function) -> String {
    format!("extreme_{}", function.name)
}

/// Writes `guests` into `folder`, laid out like dist/.
pub fn write(folder: &Path, guests: &[Guest]) {
    let imports = functions::imports(&functions::all());
    let mut manifest = String::from("toolchain = \"none\"\nsource_sha256 = \"\"\n");
    for Guest { name, text } in guests {
        let wasm = wat::parse_str(format!("(module\n{imports}\n{text}\n)"))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let file = format!("{name}.wasm.zst");
        std::fs::write(folder.join(&file), zstd::encode_all(&*wasm, 1).unwrap()).unwrap();
        let digest = hotcell_digest(&wasm);
        let program = if name == "sh" { "bash" } else { name };
        writeln!(
            manifest,
            "[[module]]\nname = {name:?}\nfile = {file:?}\nsha256 = {digest:?}\nprograms = [{program:?}]"
        )
        .unwrap();
    }
    std::fs::write(folder.join("manifest.toml"), manifest).unwrap();
}

fn hotcell_digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    let mut text = String::new();
    for byte in sha2::Sha256::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}
