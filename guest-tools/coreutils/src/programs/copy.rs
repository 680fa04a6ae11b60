//! Copying one file with its attributes, and backups: what `cp`, `mv` and `install` share.

use std::{
    ffi::{CString, OsStr, OsString},
    fs::{self, File, Metadata},
    io,
    os::wasi::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use guest_unix::fs::MetadataExt;
use options::{Line, Long, Takes};

/// Sets both times of `path`; `follow` follows a final link.
///
/// # Errors
/// What Linux `utimensat` would say.
pub fn set_times(path: &Path, metadata: &Metadata, follow: bool) -> io::Result<()> {
    let text = CString::new(path.as_os_str().as_bytes())?;
    let stat = metadata.stat();
    let times = [stat.st_atim, stat.st_mtim];
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    match unsafe { libc::utimensat(libc::AT_FDCWD, text.as_ptr(), times.as_ptr(), flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Copies the bytes of `from` over `to`, which is created with the source's permissions less the
/// mask, or keeps its own when it was there.
///
/// # Errors
/// What opening, reading or writing said.
pub fn copy_bytes(from: &Path, to: &Path, source: &Metadata) -> io::Result<()> {
    let mut input = File::open(from)?;
    let is_new = fs::symlink_metadata(to).is_err();
    let mut output = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(to)?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = io::Read::read(&mut input, &mut buffer)?;
        if count == 0 {
            break;
        }
        io::Write::write_all(&mut output, &buffer[..count])?;
    }
    drop(output);
    if is_new {
        let wanted = source.mode() & 0o777 & !guest_unix::fs::umask();
        if fs::metadata(to)?.mode() & 0o7777 != wanted {
            guest_start::file::chmod(to, wanted)?;
        }
    }
    Ok(())
}

/// How the old file at a destination is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    None,
    Simple,
    Numbered,
    /// Numbered where numbered ones are already, else simple.
    Existing,
}

impl Backup {
    /// Reads the value of `--backup`; no value and `-b` mean "existing".
    ///
    /// # Errors
    /// The message for an unknown method.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "none" | "off" => Self::None,
            "simple" | "never" => Self::Simple,
            "numbered" | "t" => Self::Numbered,
            "" | "existing" | "nil" => Self::Existing,
            other => return Err(format!("invalid argument '{other}' for 'backup type'")),
        })
    }

    /// Moves the file at `path` away; answers where to.
    ///
    /// # Errors
    /// What the renaming said.
    pub fn keep(self, path: &Path, suffix: &str) -> io::Result<Option<PathBuf>> {
        if self == Self::None || fs::symlink_metadata(path).is_err() {
            return Ok(None);
        }
        let highest = highest_number(path);
        let name = path.file_name().unwrap_or_default();
        let mut kept = OsString::from(name);
        match self {
            Self::Numbered => kept.push(format!(".~{}~", highest + 1)),
            Self::Existing if highest > 0 => kept.push(format!(".~{}~", highest + 1)),
            _ => kept.push(suffix),
        }
        let kept = path.with_file_name(kept);
        fs::rename(path, &kept)?;
        Ok(Some(kept))
    }
}

fn highest_number(path: &Path) -> u32 {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let Ok(entries) = fs::read_dir(parent.unwrap_or(Path::new("."))) else {
        return 0;
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?.file_name().to_string_lossy().into_owned();
            entry
                .strip_prefix(&name)?
                .strip_prefix(".~")?
                .strip_suffix('~')?
                .parse()
                .ok()
        })
        .max()
        .unwrap_or(0)
}

/// True when both paths lead to one file.
pub fn same_file(left: &Metadata, right: &Metadata) -> bool {
    left.dev() == right.dev() && left.ino() == right.ino()
}

/// Asks on stderr and reads an answer from stdin; yes begins with `y`.
pub fn confirmed(question: &str) -> bool {
    eprint!("{question}");
    let mut answer = String::new();
    let _ = io::stdin().read_line(&mut answer);
    answer.trim_start().starts_with(['y', 'Y'])
}

/// The destination of `source`: inside the folder `target`, by its last name.
pub fn inside(target: &Path, source: &Path) -> PathBuf {
    // `dir/.` means what is in the folder.
    if source.as_os_str().as_bytes().ends_with(b"/.") {
        return target.to_path_buf();
    }
    match source.file_name() {
        Some(name) => target.join(name),
        None => target.to_path_buf(),
    }
}

/// The operands, without the slashes at their ends when that is asked for.
pub fn operands(line: &Line) -> Vec<OsString> {
    let strip = line
        .options
        .iter()
        .any(|found| found.code == STRIP_SLASHES.2);
    let plain = |operand: &OsString| {
        let bytes = operand.as_bytes();
        let end = bytes
            .iter()
            .rposition(|&byte| byte != b'/')
            .map_or(1, |at| at + 1);
        OsStr::from_bytes(&bytes[..end.min(bytes.len())]).to_owned()
    };
    let operands = line.operands.iter();
    operands
        .map(|operand| {
            if strip {
                plain(operand)
            } else {
                operand.clone()
            }
        })
        .collect()
}

/// The option that asks for it.
pub const STRIP_SLASHES: Long = ("strip-trailing-slashes", Takes::Nothing, 'W' as u32);

/// Splits operands into sources and the destination, and whether that is a folder to copy into.
///
/// # Errors
/// The message, without the program's name.
pub fn destination(
    mut operands: Vec<OsString>,
    target: Option<&str>,
    no_folder: bool,
) -> Result<(Vec<PathBuf>, PathBuf, bool), String> {
    use options::quote;
    if operands.is_empty() {
        return Err("missing file operand".to_owned());
    }
    if let Some(target) = target {
        if no_folder {
            return Err(
                "cannot combine --target-directory (-t) and --no-target-directory (-T)".to_owned(),
            );
        }
        let folder = PathBuf::from(target);
        if !folder.is_dir() {
            let why = if folder.exists() {
                "Not a directory"
            } else {
                "No such file or directory"
            };
            return Err(format!("target directory {}: {why}", quote(target)));
        }
        return Ok((
            operands.into_iter().map(PathBuf::from).collect(),
            folder,
            true,
        ));
    }
    let last = operands.pop().unwrap_or_default();
    if operands.is_empty() {
        return Err(format!(
            "missing destination file operand after {}",
            quote(&last)
        ));
    }
    if no_folder {
        if operands.len() > 1 {
            return Err(format!("extra operand {}", quote(&last)));
        }
        return Ok((
            operands.into_iter().map(PathBuf::from).collect(),
            last.into(),
            false,
        ));
    }
    let is_folder = Path::new(&last).is_dir();
    if !is_folder && operands.len() > 1 {
        return Err(format!(
            "target {}: {}",
            quote(&last),
            if Path::new(&last).exists() {
                "Not a directory"
            } else {
                "No such file or directory"
            }
        ));
    }
    Ok((
        operands.into_iter().map(PathBuf::from).collect(),
        last.into(),
        is_folder,
    ))
}
