//! `hotcell policy sign` and `verify`.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use crate::app;
use crate::cli::say;
use crate::policy::sign;

#[derive(Debug, clap::Args)]
pub(super) struct SignArgs {
    #[command(flatten)]
    file: super::File,
    /// File of the secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Makes the key first, and FILE.pub for those who verify
    #[arg(long)]
    new_key: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// The policy file
    file: PathBuf,
    /// File of public keys, one a line
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
}

pub(super) fn sign(args: &SignArgs) -> anyhow::Result<u8> {
    let key = match args.new_key {
        true => new_key(&args.key)?,
        false => {
            let text = std::fs::read_to_string(&args.key)
                .with_context(|| format!("cannot read the key `{}`", args.key.display()))?;
            sign::read_secret(&text)
                .map_err(|fault| anyhow!("`{}`: {fault}", args.key.display()))?
        }
    };
    let path = &args.file.file;
    let bytes = std::fs::read(path)
        .with_context(|| format!("cannot read the policy `{}`", path.display()))?;
    let place = sign::signature_path(path);
    let before = std::fs::read(&place).ok();
    super::replace(&place, sign::sign(&bytes, &key).as_bytes())
        .with_context(|| format!("cannot write the signature `{}`", place.display()))?;
    // Nobody signs what would not load. A file may ask for its signature, so it is there first.
    let mut loader = args.file.loader()?;
    loader.trust.keys.push(key.verifying_key());
    if let Err(error) = loader.file(path) {
        match before {
            Some(before) => super::replace(&place, &before)?,
            None => std::fs::remove_file(&place)?,
        }
        return Err(error.into());
    }
    say(&format!("{} signs {}\n", place.display(), path.display()))?;
    Ok(0)
}

fn new_key(path: &Path) -> anyhow::Result<ed25519_dalek::SigningKey> {
    let key = sign::new_key().map_err(|fault| anyhow!(fault))?;
    let mut public = path.as_os_str().to_owned();
    public.push(".pub");
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(sign::secret_text(&key).as_bytes()))
        .with_context(|| format!("cannot make the key `{}`", path.display()))?;
    std::fs::write(&public, sign::public_text(&key.verifying_key()))?;
    Ok(key)
}

pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<u8> {
    let trust = app::signed_loader(Some(&args.keys))?.trust;
    let bytes = std::fs::read(&args.file)
        .with_context(|| format!("cannot read the policy `{}`", args.file.display()))?;
    match sign::verify(&args.file, &bytes, &trust) {
        Ok(key) => {
            say(&format!(
                "{} is signed by {}",
                args.file.display(),
                sign::public_text(&key)
            ))?;
            Ok(0)
        }
        Err(fault) => {
            say(&format!("{}: {fault}\n", args.file.display()))?;
            Ok(super::NO)
        }
    }
}
