//! Signed tree heads: C2SP `signed-note` texts of the form `tlog-checkpoint`, with Ed25519.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::audit::tree::{Frontier, Hash};

/// The signed-note number of Ed25519.
const ED25519: u8 = 1;
/// Longest file of keys or notes that is read: a checkpoint has about 200 bytes, and a file of the
/// log has fewer checkpoints than records. Chosen, not measured.
pub const NOTES_BYTES_MAX: u64 = 64 << 20;

/// Signs one log's checkpoints. Lies in a file that only the server's user can read.
pub struct Signer {
    name: String,
    key: SigningKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({:?}, <redacted>)", self.name)
    }
}

/// Verifies one log's checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key: VerifyingKey,
}

/// A tree head that its log has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
    /// The whole note, as signed and stored.
    pub note: String,
}

fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519])
        .chain_update(key.as_bytes())
        .finalize();
    let mut id = [0; 4];
    for (byte, from) in id.iter_mut().zip(digest) {
        *byte = from;
    }
    id
}

fn tagged(bytes: &[u8]) -> String {
    STANDARD.encode([&[ED25519], bytes].concat())
}

impl Signer {
    /// Reads the key of a log, or makes it. A new log's origin has a random part, so that no two
    /// logs have the same.
    ///
    /// # Errors
    /// When the file cannot be read, does not hold a key, or cannot be made.
    pub fn open(path: &Path, log: &str) -> io::Result<Self> {
        match read_bounded(path) {
            Ok(text) => Self::from_text(&text)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it holds no key")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path, log),
            Err(error) => Err(error),
        }
    }

    fn make(path: &Path, log: &str) -> io::Result<Self> {
        let mut random = [0; 40];
        getrandom::fill(&mut random)?;
        let (seed, unique) = random.split_first_chunk().ok_or(io::ErrorKind::Other)?;
        let signer = Self {
            name: format!("hotcell/{}/{log}", crate::request::hexadecimal(unique)),
            key: SigningKey::from_bytes(seed),
        };
        write_whole(path, &signer.to_text(), 0o600)?;
        Ok(signer)
    }

    /// The form of Go's `note` package: `PRIVATE+KEY+NAME+ID+KEY`.
    fn to_text(&self) -> String {
        let id = crate::request::hexadecimal(&key_id(&self.name, &self.key.verifying_key()));
        let key = tagged(&self.key.to_bytes());
        format!("PRIVATE+KEY+{}+{id}+{key}\n", self.name)
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.trim_end().strip_prefix("PRIVATE+KEY+")?.splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let key = STANDARD.decode(key).ok()?;
        let seed = key.strip_prefix(&[ED25519])?.try_into().ok()?;
        let key = SigningKey::from_bytes(seed);
        let fits = id == crate::request::hexadecimal(&key_id(name, &key.verifying_key()));
        let name = name.to_owned();
        fits.then_some(Self { name, key })
    }

    /// What the log is called in its checkpoints.
    pub fn origin(&self) -> &str {
        &self.name
    }

    pub fn verifier(&self) -> Verifier {
        Verifier {
            name: self.name.clone(),
            key: self.key.verifying_key(),
        }
    }

    /// Signs a tree's head.
    pub fn sign(&self, tree: &Frontier) -> Checkpoint {
        let (size, root) = (tree.size(), tree.root());
        let text = format!("{}\n{size}\n{}\n", self.name, STANDARD.encode(root));
        let signature = self.key.sign(text.as_bytes());
        let id = key_id(&self.name, &self.key.verifying_key());
        let signed = STANDARD.encode([&id[..], &signature.to_bytes()].concat());
        Checkpoint {
            origin: self.name.clone(),
            size,
            root,
            note: format!("{text}\n\u{2014} {} {signed}\n", self.name),
        }
    }
}

impl Verifier {
    /// Reads `NAME+ID+KEY`, as Go's `note` package writes verifier keys.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let key = STANDARD.decode(key).ok()?;
        let key = VerifyingKey::from_bytes(key.strip_prefix(&[ED25519])?.try_into().ok()?).ok()?;
        let fits = id == crate::request::hexadecimal(&key_id(name, &key));
        let name = name.to_owned();
        (fits && !name.is_empty()).then_some(Self { name, key })
    }

    /// Reads a file that holds a verifier key.
    ///
    /// # Errors
    /// When it cannot be read or holds none.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = read_bounded(path)?;
        Self::from_text(&text).ok_or_else(|| {
            let reason = "it does not hold a key of the form NAME+ID+KEY";
            io::Error::new(io::ErrorKind::InvalidData, reason)
        })
    }

    pub fn to_text(&self) -> String {
        let id = crate::request::hexadecimal(&key_id(&self.name, &self.key));
        format!("{}+{id}+{}", self.name, tagged(self.key.as_bytes()))
    }

    pub fn origin(&self) -> &str {
        &self.name
    }

    /// Reads a checkpoint and checks this key's signature on it. Signatures of others, such as
    /// witnesses, may stand beside it.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self, note: &str) -> Result<Checkpoint, &'static str> {
        let (text, signatures) = note.split_once("\n\n").ok_or("it has no signature")?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err("it is not an origin, a size and a root");
        };
        if origin != self.name {
            return Err("it is of another log, or the key is");
        }
        let id = key_id(&self.name, &self.key);
        let signed = signatures
            .lines()
            .filter_map(|line| line.strip_prefix("\u{2014} ")?.split_once(' '))
            .filter(|(name, _)| *name == self.name)
            .filter_map(|(_, signature)| STANDARD.decode(signature).ok())
            .any(|bytes| {
                let signature = bytes
                    .strip_prefix(&id)
                    .and_then(|bytes| bytes.try_into().ok());
                signature.is_some_and(|bytes| {
                    let signature = Signature::from_bytes(bytes);
                    let text = format!("{text}\n");
                    self.key.verify_strict(text.as_bytes(), &signature).is_ok()
                })
            });
        if !signed {
            return Err("its signature is not of this key");
        }
        let canonical = size == "0" || !size.starts_with('0');
        let size = size.parse().ok().filter(|_| canonical);
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|root| root.try_into().ok());
        let (Some(size), Some(root)) = (size, root) else {
            return Err("its size or root cannot be read");
        };
        let (origin, note) = (origin.to_owned(), note.to_owned());
        Ok(Checkpoint {
            origin,
            size,
            root,
            note,
        })
    }
}

/// Splits a file of notes, each followed by an empty line. What does not look like a note comes
/// out as one piece, for the reader to refuse.
pub fn notes(text: &str) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let mut note = String::new();
    let mut signed = false;
    for line in text.split_inclusive('\n') {
        let signature = line.starts_with('\u{2014}');
        if signed && !signature {
            notes.push(std::mem::take(&mut note));
            signed = false;
        }
        if line == "\n" && note.is_empty() {
            continue; // between two notes
        }
        signed |= signature && line.ends_with('\n');
        note += line;
    }
    if !note.is_empty() {
        notes.push(note);
    }
    notes
}

/// How much of a file of notes is whole: what is behind that was torn by a crash.
pub fn whole_bytes(text: &[u8]) -> usize {
    let mut end = text.len();
    loop {
        let head = text.get(..end).unwrap_or_default();
        let Some(at) = memchr::memmem::rfind(head, b"\n\n") else {
            return 0;
        };
        let before = text.get(..at).unwrap_or_default();
        let line = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let last = before.get(line..).unwrap_or_default();
        if last.starts_with("\u{2014}".as_bytes()) {
            return at + 2;
        }
        end = at + 1;
    }
}

/// Reads a small text file.
///
/// # Errors
/// When it cannot be read, is too long or is not text.
pub fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?
        .take(NOTES_BYTES_MAX + 1)
        .read_to_string(&mut text)?;
    if read as u64 > NOTES_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is longer than 64 MiB",
        ));
    }
    Ok(text)
}

/// Makes a small file that after a crash is there whole or not at all.
pub(super) fn write_whole(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    // The ending stays: who leaves out private keys by it when copying leaves out this one too.
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let new = path.with_extension(format!("new.{ending}"));
    // What a crash left there may be open to others.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(mode)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tree::leaf_hash;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_made_once_private_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve.key");
        let made = Signer::open(&path, "serve").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = Signer::open(&path, "serve").unwrap();
        assert_eq!(read.verifier(), made.verifier());
        assert!(!format!("{read:?}").contains(&tagged(&read.key.to_bytes())));
        std::fs::write(&path, "PRIVATE+KEY+x").unwrap();
        assert!(Signer::open(&path, "serve").is_err());
    }

    #[test]
    fn a_checkpoint_is_good_only_whole_and_under_its_own_key() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::open(&folder.path().join("a"), "serve").unwrap();
        let other = Signer::open(&folder.path().join("b"), "serve").unwrap();
        let mut tree = Frontier::default();
        tree.push(leaf_hash(b"x"));
        let made = signer.sign(&tree);
        let verifier = Verifier::from_text(&signer.verifier().to_text()).unwrap();
        assert_eq!(verifier.check(&made.note).unwrap(), made);
        assert!(other.verifier().check(&made.note).is_err());
        let bytes = made.note.as_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            if let Ok(text) = String::from_utf8(changed) {
                assert!(verifier.check(&text).is_err(), "byte {at}: {text}");
            }
        }
        let two = format!("{}\u{2014} witness AAAAAAAA\n\n{}\n", made.note, made.note);
        let read = notes(&two);
        assert_eq!(read.len(), 2);
        assert!(read.iter().all(|note| verifier.check(note).is_ok()));
        let one = format!("{}\n", made.note);
        for more in 0..one.len() {
            let torn = format!("{one}{}", String::from_utf8_lossy(&one.as_bytes()[..more]));
            assert_eq!(whole_bytes(torn.as_bytes()), one.len(), "{more}");
        }
        assert_eq!(whole_bytes(b"torn"), 0);
    }

    /// Made with Go's `golang.org/x/mod/sumdb/note` documentation: its published example.
    #[test]
    fn notes_of_another_implementation_verify() {
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let verifier = Verifier::from_text(key).unwrap();
        assert_eq!(verifier.to_text(), key);
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let signed = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let bytes = STANDARD.decode(signed).unwrap();
        let signature = bytes
            .strip_prefix(&key_id("PeterNeumann", &verifier.key))
            .unwrap();
        let signature = Signature::from_bytes(signature.try_into().unwrap());
        assert!(
            verifier
                .key
                .verify_strict(text.as_bytes(), &signature)
                .is_ok()
        );
    }
}
