//! The folder of compiled guests. Each file carries a tag over what it is and what made it, under
//! a key that lies beside it and never reaches a cell: native code is mapped only as it was written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{catalogue::ModuleEntry, engine};
use crate::request::hexadecimal;

/// What every file begins with. Another layout, or another meaning of the tag, gets another number.
const FORMAT: &[u8; 20] = b"hotcell artefact v1\n";
const TAG_BYTES: usize = 32;
const KEY_BYTES: usize = 32;
/// The key's file, in the cache's folder.
const KEY_NAME: &str = "key";
/// Largest artefact that is taken, in bytes. Chosen: ten times the largest shipped guest's.
pub const ARTEFACT_BYTES_MAX: u64 = 256 << 20;
/// How much of an artefact is held in a buffer at once.
const CHUNK_BYTES: usize = 256 << 10;

/// Why a file of the cache is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    #[error("there is none")]
    Absent,
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is not in the format `hotcell artefact v1`")]
    Format,
    #[error("it is larger than {ARTEFACT_BYTES_MAX} bytes")]
    TooLarge,
    #[error(
        "its tag does not fit: it was changed or cut short, is another guest's, or was written \
         with another key"
    )]
    Tag,
}

/// The folder, and what its tags are made with.
pub struct Cache {
    folder: PathBuf,
    /// Has taken the key and nothing else.
    keyed: Hmac<Sha256>,
    /// The engine of guests.
    pub engine: [u8; 32],
}

/// What an artefact was made of, and for.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// What it is: a guest's name, or what a tool's file was made into.
    pub name: &'a str,
    /// Digest of the WebAssembly, in hexadecimal.
    pub sha256: &'a str,
    /// Identity of the engine that can map it.
    pub engine: &'a [u8; 32],
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache({})", self.folder.display())
    }
}

impl Cache {
    /// Opens the folder, and makes it and its key when they are absent.
    ///
    /// # Errors
    /// The folder belongs to another user or is writable by others; the engine cannot be built.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        make_private(folder)?;
        let key = key(folder).or_else(|error| {
            // As on a read-only disk. Guests are then compiled at every start.
            tracing::warn!(cache = %folder.display(), %error, "the cache has no key and cannot get one");
            new_key()
        })?;
        let keyed = <Hmac<Sha256> as Mac>::new_from_slice(&key)?;
        let engine = engine::compiler().map_err(anyhow::Error::msg)?;
        Ok(Self {
            folder: folder.to_owned(),
            keyed,
            engine: engine::identity(&engine),
        })
    }

    /// What the artefact of a guest is kept under.
    pub fn key_of<'a>(&'a self, module: &'a ModuleEntry) -> Key<'a> {
        Key {
            name: &module.name,
            sha256: &module.sha256,
            engine: &self.engine,
        }
    }

    /// Where the artefact of `key` belongs. Modules and engines that differ have different
    /// files, so that two versions of this program do not take turns in compiling.
    pub fn place(&self, key: &Key<'_>) -> PathBuf {
        let digest = key.sha256.get(..16).unwrap_or(key.sha256);
        let engine = hexadecimal(key.engine.get(..8).unwrap_or_default());
        self.folder
            .join(format!("{}-{digest}-{engine}.cwasm", key.name))
    }

    /// Copies the artefact of `key` into `artefact`. Until this answers `Ok`, what was copied
    /// must not be used.
    ///
    /// # Errors
    /// There is none, or it is not what [`Self::write`] wrote for this file, engine and secret.
    pub fn read(&self, key: &Key<'_>, mut artefact: &File) -> Result<(), Unfit> {
        let mut file = match File::open(self.place(key)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(Unfit::Absent),
            Err(error) => return Err(error.into()),
        };
        let mut head = [0; FORMAT.len()];
        let mut tag = [0; TAG_BYTES];
        let begun = file
            .read_exact(&mut head)
            .and_then(|()| file.read_exact(&mut tag));
        match begun {
            Ok(()) if head == *FORMAT => {}
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error.into()),
            _ => return Err(Unfit::Format),
        }
        let overhead = (FORMAT.len() + TAG_BYTES) as u64;
        let length = file.metadata()?.len().saturating_sub(overhead);
        if length > ARTEFACT_BYTES_MAX {
            return Err(Unfit::TooLarge);
        }
        let mut computed = self.authentication(key, length);
        let mut file = file.take(length);
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let count = file.read(&mut buffer)?;
            let chunk = buffer.get(..count).unwrap_or_default();
            if chunk.is_empty() {
                break;
            }
            computed.update(chunk);
            artefact.write_all(chunk)?;
        }
        computed.verify_slice(&tag).map_err(|_| Unfit::Tag)
    }

    /// Writes `artefact` as the one of `key`, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, key: &Key<'_>, artefact: &File) -> io::Result<()> {
        let length = artefact.metadata()?.len();
        let mut computed = self.authentication(key, length);
        each_chunk(artefact, |chunk| {
            computed.update(chunk);
            Ok(())
        })?;
        let tag = computed.finalize().into_bytes();
        let place = self.place(key);
        let unfinished = unfinished(&place)?;
        let written = private_file(&unfinished).and_then(|mut file| {
            file.write_all(FORMAT)?;
            file.write_all(&tag)?;
            each_chunk(artefact, |chunk| file.write_all(chunk))?;
            fs::rename(&unfinished, &place)
        });
        if written.is_err() {
            let _removed = fs::remove_file(&unfinished);
        }
        written
    }

    /// The tag's computation up to the artefact's bytes. Every part has a fixed or a stated length,
    /// so that no two readings of the same bytes fit.
    fn authentication(&self, key: &Key<'_>, length: u64) -> Hmac<Sha256> {
        let mut computed = self.keyed.clone();
        computed.update(FORMAT);
        for text in [key.name, key.sha256] {
            computed.update(&(text.len() as u64).to_le_bytes());
            computed.update(text.as_bytes());
        }
        computed.update(key.engine);
        computed.update(&length.to_le_bytes());
        computed
    }
}

/// Makes the folder, or checks that nobody else can write what is mapped as code.
fn make_private(folder: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("the cache folder {} cannot be made", folder.display()))?;
    let found = fs::metadata(folder)?;
    ensure!(
        is_own(&found) && found.mode() & 0o022 == 0,
        "the cache folder {} must belong to the user that runs hotcell and be writable by \
         nobody else: it holds native code; chmod go-w it or name another with XDG_CACHE_HOME",
        folder.display()
    );
    Ok(())
}

/// The folder's key, made when there is none that can be trusted.
fn key(folder: &Path) -> anyhow::Result<[u8; KEY_BYTES]> {
    let place = folder.join(KEY_NAME);
    match read_key(&place) {
        Ok(key) => return Ok(key),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(key = %place.display(), %error, "the cache gets a new key");
            fs::remove_file(&place)?;
        }
    }
    let unfinished = unfinished(&place)?;
    let made = private_file(&unfinished).and_then(|mut file| {
        file.write_all(&new_key()?)?;
        file.sync_all()?;
        // Of two processes that start at once, one makes the key and both read it.
        match fs::hard_link(&unfinished, &place) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    });
    let _removed = fs::remove_file(&unfinished);
    made?;
    Ok(read_key(&place)?)
}

fn read_key(place: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut file = File::open(place)?;
    let found = file.metadata()?;
    let mode = found.mode();
    if !is_own(&found) || mode & 0o077 != 0 || found.len() != KEY_BYTES as u64 {
        let length = found.len();
        return Err(io::Error::other(format!(
            "a key has {KEY_BYTES} bytes and mode 600, this one has {length} and {:o}",
            mode & 0o7777
        )));
    }
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key)?;
    Ok(key)
}

fn new_key() -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key)?;
    Ok(key)
}

fn is_own(found: &fs::Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

/// A name beside `place` that no other writer of it uses, in this process or another.
fn unfinished(place: &Path) -> io::Result<PathBuf> {
    let number = getrandom::u64()?;
    Ok(place.with_extension(format!("{number:016x}.part")))
}

/// A new file that only its owner can read.
fn private_file(place: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(place)
}

/// Hands every byte of `file` to `take`, whatever its offset is: descriptors of it share that.
fn each_chunk(file: &File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    loop {
        let count = file.read_at(&mut buffer, offset)?;
        let chunk = buffer.get(..count).unwrap_or_default();
        if chunk.is_empty() {
            return Ok(());
        }
        take(chunk)?;
        offset += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cell::{artefact::memory_file, catalogue::Catalogue};

    fn module(name: &str) -> &'static ModuleEntry {
        Catalogue::shipped().unwrap().module(name).unwrap()
    }

    fn file(content: &[u8]) -> File {
        let file = memory_file("test").unwrap();
        (&file).write_all(content).unwrap();
        file
    }

    /// What the cache answers for `name`.
    fn read(cache: &Cache, name: &str) -> Result<Vec<u8>, Unfit> {
        let out = memory_file("test")?;
        cache.read(&cache.key_of(module(name)), &out)?;
        let mut content = Vec::new();
        each_chunk(&out, |chunk| {
            content.extend(chunk);
            Ok(())
        })?;
        Ok(content)
    }

    /// A cache with two artefacts, the first longer than one chunk.
    fn filled(folder: &Path) -> (Cache, Vec<u8>) {
        let cache = Cache::open(folder).unwrap();
        let content: Vec<_> = (0..CHUNK_BYTES * 2 + 77).map(|i| (i % 251) as u8).collect();
        cache
            .write(&cache.key_of(module("sh")), &file(&content))
            .unwrap();
        cache
            .write(&cache.key_of(module("files")), &file(b"files"))
            .unwrap();
        (cache, content)
    }

    #[test]
    fn what_was_written_is_read_and_nothing_that_was_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, content) = filled(folder.path());
        let place = cache.place(&cache.key_of(module("sh")));
        let untouched = fs::read(&place).unwrap();
        let header = FORMAT.len() + TAG_BYTES;
        assert_eq!(untouched.len(), header + content.len());
        let flipped = |at: usize| {
            let mut bytes = untouched.clone();
            bytes[at] ^= 1;
            bytes
        };
        let longer = [&*untouched, b"x"].concat();
        let changed = [
            ("a flipped bit in the tag", flipped(FORMAT.len())),
            ("in the first byte", flipped(header)),
            ("in the middle", flipped(header + content.len() / 2)),
            ("in the last byte", flipped(untouched.len() - 1)),
            ("cut short", untouched[..untouched.len() - 1].to_vec()),
            ("only the tag", untouched[..header].to_vec()),
            ("one byte more", longer),
            (
                "another guest's",
                fs::read(cache.place(&cache.key_of(module("files")))).unwrap(),
            ),
        ];
        for (case, bytes) in changed {
            assert_eq!(read(&cache, "sh").unwrap(), content, "before: {case}");
            fs::write(&place, bytes).unwrap();
            let refused = read(&cache, "sh").map(|content| content.len());
            assert!(matches!(refused, Err(Unfit::Tag)), "{case}: {refused:?}");
            fs::write(&place, &untouched).unwrap();
        }
        let of_another_format = [
            ("an artefact without a tag", content.clone()),
            ("another version", flipped(FORMAT.len() - 2)),
            ("no whole header", untouched[..header - 1].to_vec()),
            ("nothing", Vec::new()),
        ];
        for (case, bytes) in of_another_format {
            fs::write(&place, bytes).unwrap();
            let refused = read(&cache, "sh").map(|content| content.len());
            assert!(matches!(refused, Err(Unfit::Format)), "{case}: {refused:?}");
        }
        fs::write(&place, &untouched).unwrap();
        assert_eq!(read(&cache, "sh").unwrap(), content);
        assert!(matches!(read(&cache, "awk"), Err(Unfit::Absent)));
    }

    #[test]
    fn another_key_or_engine_reads_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, content) = filled(folder.path());
        assert_eq!(
            read(&Cache::open(folder.path()).unwrap(), "sh").unwrap(),
            content
        );

        let mut of_other_engine = Cache::open(folder.path()).unwrap();
        of_other_engine.engine[31] ^= 1;
        assert_eq!(
            cache.place(&cache.key_of(module("sh"))),
            of_other_engine.place(&of_other_engine.key_of(module("sh")))
        );
        assert!(matches!(read(&of_other_engine, "sh"), Err(Unfit::Tag)));
        of_other_engine.engine[0] ^= 1;
        assert!(matches!(read(&of_other_engine, "sh"), Err(Unfit::Absent)));

        fs::remove_file(folder.path().join(KEY_NAME)).unwrap();
        let of_other_key = Cache::open(folder.path()).unwrap();
        assert!(matches!(read(&of_other_key, "sh"), Err(Unfit::Tag)));
        of_other_key
            .write(&of_other_key.key_of(module("sh")), &file(b"again"))
            .unwrap();
        assert_eq!(read(&of_other_key, "sh").unwrap(), b"again");
    }

    #[test]
    fn a_cache_has_one_key_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let open = || key(folder.path()).unwrap();
        // All at once, as several programs may start.
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0] && *key != [0; 32]));
        let place = folder.path().join(KEY_NAME);
        let mode = || fs::metadata(&place).unwrap().mode() & 0o7777;
        assert_eq!(mode(), 0o600);
        let names = fs::read_dir(folder.path()).unwrap();
        assert_eq!(names.count(), 1, "unfinished keys are left");

        fs::set_permissions(&place, PermissionsExt::from_mode(0o640)).unwrap();
        let fresh = open();
        assert!(fresh != keys[0] && mode() == 0o600);
        fs::write(&place, b"short").unwrap();
        assert_ne!(open(), fresh);
        assert_eq!(fs::metadata(&place).unwrap().len(), 32);
    }

    #[test]
    fn a_cache_that_cannot_have_a_key_is_used_without() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(KEY_NAME)).unwrap();
        let (cache, content) = filled(folder.path());
        assert_eq!(read(&cache, "sh").unwrap(), content);
        assert!(matches!(
            read(&Cache::open(folder.path()).unwrap(), "sh"),
            Err(Unfit::Tag)
        ));
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        assert!(Cache::open(&path).is_ok());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&path, PermissionsExt::from_mode(0o770)).unwrap();
        let error = Cache::open(&path).unwrap_err().to_string();
        assert!(error.contains("chmod go-w"), "{error}");
    }
}
