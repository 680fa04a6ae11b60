//! Which file a path means: pinned when its policy is first used, looked at again at every start.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::native::error::NativeError;
use crate::request::hexadecimal;

/// Largest program whose digest is taken, in bytes. Chosen: above any compiler.
const BYTES_MAX: u64 = 1 << 30;
/// Most files that are remembered. Chosen: far above what policies name.
const PINNED_MAX: usize = 10_000;

/// A file as it was found: what changes when its content or its place does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    /// Of an open file.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn of(file: &File) -> io::Result<Self> {
        let about = file.metadata()?;
        Ok(Self {
            device: about.dev(),
            inode: about.ino(),
            size: about.size(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        })
    }
}

/// A file that may be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Its path without links.
    pub path: PathBuf,
    pub identity: Identity,
    pub is_folder: bool,
}

#[derive(Debug)]
struct Known {
    pinned: Arc<Pinned>,
    sha256: Option<Arc<str>>,
}

/// All pinned files, by the paths that policies name.
#[derive(Debug, Default)]
pub(super) struct Pins(Mutex<HashMap<String, Known>>);

impl Pins {
    /// Forgets everything: the policies were loaded again.
    pub(super) fn forget(&self) {
        self.0.lock().clear();
    }

    /// The file behind a path, which must be what it was when it was pinned, and have this digest.
    ///
    /// # Errors
    /// It is not there, is a script, was replaced, or has another digest.
    pub(super) fn pin(&self, path: &str, sha256: Option<&str>) -> Result<Arc<Pinned>, NativeError> {
        let unusable = |reason: String| NativeError::Program {
            path: path.to_owned(),
            reason,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "what is opened then is held against what was pinned"
        )]
        let found = std::fs::canonicalize(path)
            .and_then(|real| File::open(&real).map(|file| (real, file)))
            .map_err(|error| unusable(format!("it cannot be opened ({error})")))?;
        let (real, mut file) = found;
        let look = |file: &File| Identity::of(file).and_then(|id| Ok((id, file.metadata()?)));
        let (identity, about) = look(&file).map_err(|error| unusable(error.to_string()))?;
        let mut known = self.0.lock();
        if let Some(known) = known.get_mut(path) {
            if known.pinned.identity != identity || known.pinned.path != real {
                let reason = "it was replaced since its policy was loaded; load the policy again";
                tracing::error!(path, "a native program was replaced and is not started");
                return Err(unusable(reason.to_owned()));
            }
            if sha256.is_none() || known.sha256.as_deref() == sha256 {
                return Ok(Arc::clone(&known.pinned));
            }
        }
        if !about.is_dir() {
            check_kind(&mut file, about.len()).map_err(|reason| unusable(reason.to_owned()))?;
        }
        let digest = match sha256 {
            None => None,
            Some(wanted) => {
                let found = digest(&mut file).map_err(|error| unusable(error.to_string()))?;
                if found != wanted {
                    let reason = format!("its SHA-256 is {found}, and the rule names {wanted}");
                    return Err(unusable(reason));
                }
                Some(found.into())
            }
        };
        let pinned = Arc::new(Pinned {
            path: real,
            identity,
            is_folder: about.is_dir(),
        });
        if known.len() >= PINNED_MAX {
            known.clear();
        }
        let entry = Known {
            pinned: Arc::clone(&pinned),
            sha256: digest,
        };
        known.insert(path.to_owned(), entry);
        Ok(pinned)
    }
}

fn check_kind(file: &mut File, size: u64) -> Result<(), &'static str> {
    if size > BYTES_MAX {
        return Err("it is larger than a program may be");
    }
    let mut head = [0; 2];
    match file.read_exact(&mut head) {
        Ok(()) if &head == b"#!" => {
            Err("it is a script: name its interpreter, and the script in `args`")
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// SHA-256 of a whole file, in hexadecimal.
///
/// # Errors
/// It cannot be read.
pub(super) fn digest(file: &mut File) -> io::Result<String> {
    use std::io::Seek as _;
    file.rewind()?;
    let mut hash = Sha256::new();
    io::copy(&mut file.take(BYTES_MAX), &mut hash)?;
    Ok(hexadecimal(&hash.finalize()))
}

/// Opens a pinned file by its path in this process's tree.
///
/// # Errors
/// Another file has its name.
pub(super) fn open_again(pinned: &Pinned) -> io::Result<File> {
    let file = File::open(&pinned.path)?;
    match Identity::of(&file)? == pinned.identity {
        true => Ok(file),
        false => Err(io::Error::other("another file has its name now")),
    }
}
