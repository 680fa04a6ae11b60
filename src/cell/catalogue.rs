//! The guests this binary ships, as dist/ and its manifest named them at build time.

use std::{borrow::Cow, sync::OnceLock};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::request::hexadecimal;

/// Modules whose absence makes a cell not ready: the shell and the file tools.
pub const NEEDED_FIRST: [&str; 2] = ["sh", "files"];

struct Embedded {
    name: &'static str,
    sha256: &'static str,
    programs: &'static [&'static str],
    compressed: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// One shipped module.
#[derive(Debug)]
pub struct ModuleEntry {
    pub name: String,
    /// Digest of the uncompressed module, in hex.
    pub sha256: String,
    /// Names in `/bin` that run it; none for internal ones.
    pub programs: Vec<String>,
    compressed: Cow<'static, [u8]>,
}

/// Every shipped module.
#[derive(Debug)]
pub struct Catalogue {
    pub modules: Vec<ModuleEntry>,
}

impl Catalogue {
    /// The catalogue, read once.
    ///
    /// # Errors
    /// A debug build's `HOTCELL_DIST` cannot be read.
    pub fn shipped() -> anyhow::Result<&'static Self> {
        static SHIPPED: OnceLock<Catalogue> = OnceLock::new();
        if let Some(shipped) = SHIPPED.get() {
            return Ok(shipped);
        }
        let read = Self::of_build()?;
        Ok(SHIPPED.get_or_init(|| read))
    }

    fn of_build() -> anyhow::Result<Self> {
        #[cfg(debug_assertions)]
        if let Some(folder) = crate::config::debug_guests() {
            return from_folder(&folder);
        }
        let owned = |entry: &Embedded| ModuleEntry {
            name: entry.name.to_owned(),
            sha256: entry.sha256.to_owned(),
            programs: entry.programs.iter().map(|&p| p.to_owned()).collect(),
            compressed: Cow::Borrowed(entry.compressed),
        };
        Ok(Self {
            modules: EMBEDDED.iter().map(owned).collect(),
        })
    }

    /// The module called `name`.
    pub fn module(&self, name: &str) -> Option<&ModuleEntry> {
        self.modules.iter().find(|module| module.name == name)
    }

    /// Every name of `/bin`, sorted.
    pub fn programs(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .modules
            .iter()
            .flat_map(|m| m.programs.clone())
            .collect();
        names.sort();
        names
    }
}

/// Every name of `/bin` that this build ships, sorted.
///
/// # Errors
/// A debug build's `HOTCELL_DIST` cannot be read.
pub fn program_names() -> anyhow::Result<Vec<String>> {
    Ok(Catalogue::shipped()?.programs())
}

impl ModuleEntry {
    /// The module's bytes, checked against the manifest's digest.
    ///
    /// # Errors
    /// The bytes are not what the manifest promises.
    pub fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        let bytes = zstd::decode_all(&*self.compressed)
            .with_context(|| format!("the guest {:?} does not decompress", self.name))?;
        let digest = hexadecimal(&Sha256::digest(&bytes));
        anyhow::ensure!(
            digest == self.sha256,
            "the guest {:?} has digest {digest}, its manifest says {}",
            self.name,
            self.sha256
        );
        Ok(bytes)
    }
}

/// Guests of a folder laid out like dist/, to try one without building the host again.
#[cfg(debug_assertions)]
fn from_folder(folder: &std::path::Path) -> anyhow::Result<Catalogue> {
    #[derive(serde::Deserialize)]
    struct Manifest {
        module: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        name: String,
        file: String,
        sha256: String,
        programs: Vec<String>,
    }
    let manifest = folder.join("manifest.toml");
    let text = std::fs::read_to_string(&manifest)
        .with_context(|| format!("HOTCELL_DIST: {}", manifest.display()))?;
    let manifest: Manifest = toml::from_str(&text)?;
    let entry = |entry: Entry| -> anyhow::Result<ModuleEntry> {
        let compressed = Cow::Owned(std::fs::read(folder.join(&entry.file))?);
        let Entry {
            name,
            sha256,
            programs,
            ..
        } = entry;
        Ok(ModuleEntry {
            name,
            sha256,
            programs,
            compressed,
        })
    };
    Ok(Catalogue {
        modules: manifest
            .module
            .into_iter()
            .map(entry)
            .collect::<Result<_, _>>()?,
    })
}
