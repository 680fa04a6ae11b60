//! The names of compressed files and of what is in them.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::wasi::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// A path with more behind its last letter, whatever bytes it is made of.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether two paths lead to one file.
pub fn same_file(left: &Path, right: &Path) -> bool {
    let identity = |path: &Path| {
        let stat = guest_start::file::stat(path, true).ok()?;
        Some((stat.dev, stat.ino))
    };
    identity(left).is_some_and(|found| identity(right) == Some(found))
}

/// The name a gzip file was made from, without folders; reading starts over afterwards.
pub fn original_name(source: &mut File) -> io::Result<Option<OsString>> {
    let name = {
        let mut decoder = flate2::read::GzDecoder::new(&*source);
        let _ = decoder.read(&mut [0; 1]);
        let stored = decoder.header().and_then(|header| header.filename());
        stored.map(<[u8]>::to_vec)
    };
    source.seek(SeekFrom::Start(0))?;
    let name = name.unwrap_or_default();
    let last = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let usable = !last.is_empty() && last != b"." && last != b"..";
    Ok(usable.then(|| OsString::from_vec(last.to_vec())))
}

/// How many bytes a name takes in a header.
pub fn name_length(path: &Path) -> u64 {
    path.file_name().map_or(0, |name| name.len() as u64 + 1)
}
