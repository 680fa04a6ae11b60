//! Tokens: the agents' identities. Only hashes are kept; a new secret goes to a private file.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::quantity;
use crate::request::{SessionName, hexadecimal};

/// Longest secret that is looked at; ours have 51 characters.
const SECRET_BYTES_MAX: usize = 512;

/// Name of the token that the first start makes.
const FIRST: &str = "default";

/// Why a token could not be read, added or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("cannot use the token file `{path}`")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the token file `{path}` does not parse: {reason}")]
    Syntax { path: PathBuf, reason: String },
    #[error("`{0}` cannot name a token: use 1 to 64 of A-Z a-z 0-9 . _ -")]
    Name(String),
    #[error("a token named `{0}` exists: revoke it first, or choose another name")]
    Exists(String),
    #[error("no token is named `{0}`: see `hotcell token list`")]
    Absent(String),
    #[error("the system gave no random bytes")]
    Random,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    token: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// SHA-256 of the secret, in hexadecimal.
    sha256: String,
    created: String,
    /// Policy file of this agent; without it the one for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<PathBuf>,
}

/// The tokens of one state folder, kept in step with its file.
#[derive(Debug)]
pub struct Tokens {
    folder: PathBuf,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    hashes: Vec<(Arc<str>, [u8; 32])>,
    policies: BTreeMap<String, PathBuf>,
    stamp: Option<(SystemTime, u64)>,
}

/// A list of tokens that was read and is not in force.
#[derive(Debug)]
pub struct Fresh(Known);

impl Fresh {
    /// The policy file of every agent that has one of its own.
    pub fn policies(&self) -> &BTreeMap<String, PathBuf> {
        &self.0.policies
    }
}

impl Tokens {
    /// Reads the tokens of a state folder.
    ///
    /// # Errors
    /// When the file cannot be read or does not parse.
    pub fn open(state: &Path) -> Result<Self, TokenError> {
        let tokens = Self {
            folder: state.to_owned(),
            known: RwLock::default(),
        };
        tokens.reload()?;
        Ok(tokens)
    }

    /// Makes the first token when there is none; answers whether it did.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn first_start(&self) -> Result<bool, TokenError> {
        if !self.read()?.token.is_empty() || self.list_path().exists() {
            return Ok(false);
        }
        self.add(FIRST)?;
        Ok(true)
    }

    /// Reads the file again when it changed, so that added and revoked tokens count at once.
    ///
    /// # Errors
    /// When the file cannot be read or does not parse; the tokens known so far stay in force.
    pub fn reload(&self) -> Result<(), TokenError> {
        if let Some(fresh) = self.changed()? {
            self.publish(fresh);
        }
        Ok(())
    }

    /// The list as it is now, when it changed: not in force until it is published.
    ///
    /// # Errors
    /// As [`Self::reload`].
    pub fn changed(&self) -> Result<Option<Fresh>, TokenError> {
        let stamp = std::fs::metadata(self.list_path())
            .ok()
            .and_then(|about| about.modified().ok().map(|time| (time, about.len())));
        if self
            .known
            .read()
            .is_ok_and(|known| known.stamp == stamp && stamp.is_some())
        {
            return Ok(None);
        }
        let (mut hashes, mut policies) = (Vec::new(), BTreeMap::new());
        for entry in self.read()?.token {
            if let Some(policy) = entry.policy {
                policies.insert(entry.name.clone(), policy);
            }
            let hash = from_hexadecimal(&entry.sha256).ok_or_else(|| {
                self.syntax(format!("`{}` has no SHA-256 of 64 digits", entry.name))
            })?;
            hashes.push((Arc::from(entry.name), hash));
        }
        Ok(Some(Fresh(Known {
            hashes,
            policies,
            stamp,
        })))
    }

    /// Puts a list in force.
    pub fn publish(&self, fresh: Fresh) {
        if let Ok(mut known) = self.known.write() {
            *known = fresh.0;
        }
    }

    /// The name of the token with this secret. Takes the same time whichever byte is wrong.
    pub fn agent(&self, secret: &[u8]) -> Option<Arc<str>> {
        let length_fits = secret.len() <= SECRET_BYTES_MAX;
        let hash: [u8; 32] = Sha256::digest(if length_fits { secret } else { b"" }).into();
        let known = self.known.read().ok()?;
        let mut found = None;
        for (name, known_hash) in &known.hashes {
            if bool::from(known_hash.ct_eq(&hash)) {
                found = Some(name.clone());
            }
        }
        found.filter(|_| length_fits)
    }

    /// Adds a token and answers the private file that holds its secret.
    ///
    /// # Errors
    /// When the name is bad or taken, or a file cannot be written.
    pub fn add(&self, name: &str) -> Result<PathBuf, TokenError> {
        self.add_with_policy(name, None)
    }

    /// As [`Self::add`], with a policy file of the agent's own.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_with_policy(
        &self,
        name: &str,
        policy: Option<&Path>,
    ) -> Result<PathBuf, TokenError> {
        if SessionName::new(name).is_none() {
            return Err(TokenError::Name(name.to_owned()));
        }
        let _lock = self.lock()?;
        let mut document = self.read()?;
        if document.token.iter().any(|entry| entry.name == name) {
            return Err(TokenError::Exists(name.to_owned()));
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|_| TokenError::Random)?;
        let secret = format!("hotcell_{}", URL_SAFE_NO_PAD.encode(random));
        let path = self.secret_path(name);
        self.write(&path, format!("{secret}\n").as_bytes())?;
        document.token.push(Entry {
            name: name.to_owned(),
            sha256: hexadecimal(&Sha256::digest(secret.as_bytes())),
            created: quantity::rfc3339(SystemTime::now()),
            policy: policy.map(Path::to_owned),
        });
        self.save(&document)?;
        Ok(path)
    }

    /// The policy file of every agent that has one of its own, of the list in force.
    pub fn policies(&self) -> BTreeMap<String, PathBuf> {
        // Without its policy an agent would have that of all others: a poisoned lock is read.
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.policies.clone()
    }

    /// Names and times of creation.
    ///
    /// # Errors
    /// When the file cannot be read or does not parse.
    pub fn list(&self) -> Result<Vec<(String, String)>, TokenError> {
        Ok(self
            .read()?
            .token
            .into_iter()
            .map(|entry| (entry.name, entry.created))
            .collect())
    }

    /// Revokes a token and removes the file with its secret. Its sessions stay on disk.
    ///
    /// # Errors
    /// When there is no such token or a file cannot be written.
    pub fn revoke(&self, name: &str) -> Result<(), TokenError> {
        let _lock = self.lock()?;
        let mut document = self.read()?;
        let before = document.token.len();
        document.token.retain(|entry| entry.name != name);
        if document.token.len() == before {
            return Err(TokenError::Absent(name.to_owned()));
        }
        self.save(&document)?;
        let path = self.secret_path(name);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(TokenError::File { path, source })
            }
            _ => Ok(()),
        }
    }

    /// The private file that holds a token's secret unless the operator moved it away.
    pub fn secret_path(&self, name: &str) -> PathBuf {
        let file = if name == FIRST {
            "token".to_owned()
        } else {
            format!("token-{name}")
        };
        self.folder.join(file)
    }

    /// Keeps other processes from changing the list; they wait, as a change takes milliseconds.
    fn lock(&self) -> Result<File, TokenError> {
        let path = self.folder.join("tokens.lock");
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| {
                flock(&file, FlockOperation::LockExclusive)?;
                Ok(file)
            })
            .map_err(|source| TokenError::File { path, source })
    }

    fn list_path(&self) -> PathBuf {
        self.folder.join("tokens.toml")
    }

    fn syntax(&self, reason: String) -> TokenError {
        TokenError::Syntax {
            path: self.list_path(),
            reason,
        }
    }

    fn read(&self) -> Result<Document, TokenError> {
        let path = self.list_path();
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|e| self.syntax(e.message().to_owned())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Document::default()),
            Err(source) => Err(TokenError::File { path, source }),
        }
    }

    fn save(&self, document: &Document) -> Result<(), TokenError> {
        let text = toml::to_string(document).map_err(|e| self.syntax(e.to_string()))?;
        self.write(&self.list_path(), text.as_bytes())?;
        self.reload()
    }

    /// Replaces a private file in one step, so that no reader sees half of it.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), TokenError> {
        let fault = |source| TokenError::File {
            path: path.to_owned(),
            source,
        };
        // No token's name has a `~`, so this is no other token's secret.
        let mut fresh = path.as_os_str().to_owned();
        fresh.push("~");
        let fresh = PathBuf::from(fresh);
        let _absent = std::fs::remove_file(&fresh);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)
            .map_err(fault)?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(fault)?;
        std::fs::rename(&fresh, path).map_err(fault)
    }
}

fn from_hexadecimal(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn secret(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap().trim_end().to_owned()
    }

    #[test]
    fn the_first_start_writes_a_private_secret_and_only_its_hash_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(folder.path()).unwrap();
        assert!(tokens.first_start().unwrap());
        assert!(!tokens.first_start().unwrap());
        let path = folder.path().join("token");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let secret = secret(&path);
        assert!(secret.len() > 40);
        assert_eq!(tokens.agent(secret.as_bytes()).as_deref(), Some("default"));
        let list = std::fs::read_to_string(folder.path().join("tokens.toml")).unwrap();
        assert!(!list.contains(&secret) && list.contains("default"));
    }

    #[test]
    fn wrong_secrets_name_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(folder.path()).unwrap();
        let right = secret(&tokens.add("ann").unwrap());
        let prefix = right.get(..right.len() - 1).unwrap();
        for wrong in [
            "",
            "hotcell_",
            prefix,
            &format!("{right}a"),
            &right.to_uppercase(),
        ] {
            assert_eq!(tokens.agent(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(tokens.agent(&vec![b'a'; 1 << 20]), None);
    }

    #[test]
    fn another_process_adds_and_revokes_and_a_reload_sees_it() {
        let folder = tempfile::tempdir().unwrap();
        let server = Tokens::open(folder.path()).unwrap();
        let tool = Tokens::open(folder.path()).unwrap();
        let path = tool.add("ann").unwrap();
        let right = secret(&path);
        assert_eq!(server.agent(right.as_bytes()), None);
        server.reload().unwrap();
        assert_eq!(server.agent(right.as_bytes()).as_deref(), Some("ann"));
        assert!(matches!(tool.add("ann"), Err(TokenError::Exists(_))));
        tool.revoke("ann").unwrap();
        server.reload().unwrap();
        assert_eq!(server.agent(right.as_bytes()), None);
        assert!(!path.exists());
        assert!(matches!(tool.revoke("ann"), Err(TokenError::Absent(_))));
    }

    #[test]
    fn a_revoked_only_token_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(folder.path()).unwrap();
        tokens.first_start().unwrap();
        tokens.revoke("default").unwrap();
        assert!(!tokens.first_start().unwrap());
    }

    #[test]
    fn a_name_that_is_a_path_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(folder.path()).unwrap();
        for bad in ["", "..", "a/b", "a b", "ä"] {
            assert!(matches!(tokens.add(bad), Err(TokenError::Name(_))), "{bad}");
        }
    }
}
