//! Signatures of policy files: ed25519, in a file of its own beside the policy.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// First line of a signature file.
const HEAD: &str = "hotcell-policy-signature 1";
/// What is signed before the file's bytes, so that a signature means nothing elsewhere.
const MEANING: &[u8] = b"hotcell policy 1\n";
/// Longest signature or key file that is read, in bytes.
const FILE_BYTES_MAX: usize = 4_096;
/// First words of key files.
const SECRET_HEAD: &str = "hotcell-policy-secret-key 1 ";
const PUBLIC_HEAD: &str = "hotcell-policy-public-key 1 ";

/// Whose signatures count.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pub keys: Vec<VerifyingKey>,
    /// Every file needs a signature, whether it says so or not.
    pub required: bool,
}

/// Where a policy's signature is: `FILE.sig`.
pub fn signature_path(policy: &Path) -> PathBuf {
    let mut path = policy.as_os_str().to_owned();
    path.push(".sig");
    PathBuf::from(path)
}

/// Checks the signature beside a policy for the bytes that were read of it.
///
/// # Errors
/// Why it does not count, in one line.
pub fn verify(policy: &Path, bytes: &[u8], trust: &Trust) -> Result<VerifyingKey, String> {
    let path = signature_path(policy);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("no signature `{}`: {error}", path.display()))?;
    verify_text(&text, bytes, &trust.keys)
}

/// Checks the text of a signature file.
///
/// # Errors
/// Why it does not count, in one line.
pub fn verify_text(
    text: &str,
    bytes: &[u8],
    keys: &[VerifyingKey],
) -> Result<VerifyingKey, String> {
    let broken = || "the signature file is broken".to_owned();
    if text.len() > FILE_BYTES_MAX {
        return Err(broken());
    }
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return Err(broken());
    }
    let mut field = |name: &str| -> Option<Vec<u8>> {
        let line = lines.next()?.strip_prefix(name)?;
        STANDARD.decode(line).ok()
    };
    let key = field("key ").ok_or_else(broken)?;
    let signature = field("signature ").ok_or_else(broken)?;
    let signature = Signature::from_slice(&signature).map_err(|_| broken())?;
    let key = keys.iter().find(|known| known.as_bytes()[..] == key[..]);
    let key = key.ok_or("the signature is by a key that is not trusted here")?;
    key.verify_strict(&message(bytes), &signature)
        .map_err(|_| "the signature is not for this text".to_owned())?;
    Ok(*key)
}

/// The text of a signature file for `bytes`.
pub fn sign(bytes: &[u8], key: &SigningKey) -> String {
    let signature = key.sign(&message(bytes));
    format!(
        "{HEAD}\nkey {}\nsignature {}\n",
        STANDARD.encode(key.verifying_key().as_bytes()),
        STANDARD.encode(signature.to_bytes())
    )
}

fn message(bytes: &[u8]) -> Vec<u8> {
    [MEANING, bytes].concat()
}

/// A new secret key.
///
/// # Errors
/// The system gave no random bytes.
pub fn new_key() -> Result<SigningKey, String> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
    Ok(SigningKey::from_bytes(&seed))
}

/// The text of a secret key's file.
pub fn secret_text(key: &SigningKey) -> String {
    format!("{SECRET_HEAD}{}\n", STANDARD.encode(key.to_bytes()))
}

/// The text of a public key's file.
pub fn public_text(key: &VerifyingKey) -> String {
    format!("{PUBLIC_HEAD}{}\n", STANDARD.encode(key.as_bytes()))
}

/// Reads a secret key's file.
///
/// # Errors
/// When it is none.
pub fn read_secret(text: &str) -> Result<SigningKey, String> {
    let bytes = after(text.trim_end(), SECRET_HEAD);
    let bytes = bytes.ok_or("this is no secret key of `hotcell policy sign`")?;
    Ok(SigningKey::from_bytes(&bytes))
}

/// Reads a file of public keys, one a line; empty lines and `#` lines do not count.
///
/// # Errors
/// Names the line that is no key.
pub fn read_public(text: &str) -> Result<Vec<VerifyingKey>, String> {
    let lines = text.lines().map(str::trim);
    let lines = (1..)
        .zip(lines)
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let key = |(number, line): (usize, &str)| {
        after(line, PUBLIC_HEAD)
            .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
            .ok_or_else(|| format!("line {number} is no public key of `hotcell policy sign`"))
    };
    lines.map(key).collect()
}

fn after(line: &str, head: &str) -> Option<[u8; 32]> {
    let encoded = line.strip_prefix(head)?;
    STANDARD.decode(encoded).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_that_was_signed_with_a_trusted_key_counts() {
        let (key, other) = (new_key().unwrap(), new_key().unwrap());
        let trusted = [key.verifying_key()];
        let text = sign(b"policy", &key);
        assert!(verify_text(&text, b"policy", &trusted).is_ok());
        let refused = |text: &str, bytes: &[u8]| verify_text(text, bytes, &trusted).unwrap_err();
        assert!(refused(&text, b"policx").contains("not for this text"));
        assert!(refused(&sign(b"policy", &other), b"policy").contains("not trusted"));
        let cut = text.get(..text.len() - 8).unwrap();
        assert!(refused(cut, b"policy").contains("broken"));
        assert!(refused("", b"policy").contains("broken"));
        // Another's signature under a trusted key's name.
        let mixed = format!(
            "{}\n{}\n",
            text.lines().take(2).collect::<Vec<_>>().join("\n"),
            sign(b"policy", &other).lines().nth(2).unwrap()
        );
        assert!(refused(&mixed, b"policy").contains("not for this text"));
    }

    #[test]
    fn keys_go_to_text_and_back() {
        let key = new_key().unwrap();
        assert_eq!(
            read_secret(&secret_text(&key)).unwrap().to_bytes(),
            key.to_bytes()
        );
        let text = format!("# ours\n\n{}", public_text(&key.verifying_key()));
        assert_eq!(read_public(&text).unwrap(), [key.verifying_key()]);
        assert!(read_public("x").unwrap_err().contains("line 1"));
        assert!(read_secret(&text).is_err());
    }
}
