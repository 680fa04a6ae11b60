//! Files out of an archive, and files compared with it.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write},
    os::wasi::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use guest_start::file::{chmod, stat};
use guest_unix::fs::{symlink, umask};
use options::reason;
use tar_format::EntryType;

use super::{
    Trouble, Verdict,
    archive_file::{self, Member},
    command_line::{Old, Request},
    list::{Lines, modified},
    names::Of,
};
use crate::times::set_modified;

/// Extracts members.
pub fn run(request: &Request, verdict: &Verdict) -> Result<(), Trouble> {
    let folders = request.names.iter().map(|named| &named.folder);
    for folder in folders.chain([&request.folder]) {
        if !folder.as_os_str().is_empty()
            && let Err(error) = fs::read_dir(folder)
        {
            return Err(Trouble::fatal(
                format!("{}: Cannot open", folder.display()),
                &error,
            ));
        }
    }
    let mut extractor = Extractor {
        request,
        verdict,
        lines: Lines::new(request, request.extraction.to_stdout),
        umask: umask(),
        folders: Vec::new(),
        links: Vec::new(),
    };
    let result = archive_file::each(request, verdict, |member, wanted| {
        extractor.member(member, wanted)
    });
    extractor.finish();
    result
}

/// A folder whose mode and time are set when nothing more is put into it.
struct Folder {
    path: PathBuf,
    mode: u32,
    modified: i64,
}

/// A symbolic link that leads out of the folder it is in: until the end an empty file stands in
/// its place, so that no later member is written through it.
struct Link {
    path: PathBuf,
    target: Vec<u8>,
    modified: i64,
    placeholder: (u64, u64),
}

impl Link {
    /// Whether the placeholder is still there, and still empty: inodes are used again.
    fn is_waiting(&self) -> bool {
        stat(&self.path, false).is_ok_and(|facts| {
            (facts.dev, facts.ino) == self.placeholder && facts.is_file() && facts.size == 0
        })
    }
}

/// Whether two paths are written alike but for `.` components.
fn same_place(left: &Path, right: &Path) -> bool {
    let parts = |path: &'_ Path| -> Vec<OsString> {
        let parts = path.components().filter(|part| *part != Component::CurDir);
        parts.map(|part| part.as_os_str().to_owned()).collect()
    };
    parts(left) == parts(right)
}

struct Extractor<'a> {
    request: &'a Request,
    verdict: &'a Verdict,
    lines: Lines<'a>,
    umask: u32,
    folders: Vec<Folder>,
    links: Vec<Link>,
}

impl Extractor<'_> {
    fn member(&mut self, member: &mut Member<'_>, wanted: Option<usize>) -> Result<(), Trouble> {
        let raw = member.path_bytes().into_owned();
        let Some(name) = self.request.renaming.apply(&raw, Of::Member) else {
            return Ok(());
        };
        let shown = String::from_utf8_lossy(&raw).into_owned();
        if !self.request.renaming.absolute && raw.split(|byte| *byte == b'/').any(|c| c == b"..") {
            self.verdict
                .error(&format!("{shown}: Member name contains '..'"));
            return Ok(());
        }
        if self.request.verbose > 0 {
            self.lines.member(member, self.request.verbose > 1);
        }
        let kind = member.header().entry_type();
        let is_folder = kind.is_dir() || kind == EntryType::Regular && raw.ends_with(b"/");
        if self.request.extraction.to_stdout {
            if is_folder || kind.is_symlink() || kind.is_hard_link() {
                return Ok(());
            }
            return self.copy(member, &mut io::stdout().lock(), "stdout");
        }
        let folder = wanted.map_or(&self.request.folder, |at| &self.request.names[at].folder);
        let path = folder.join(OsStr::from_bytes(&name));
        if is_folder {
            // With a slash at its end a path means what a link leads to.
            let kept = name.iter().rposition(|byte| *byte != b'/');
            let path = folder.join(OsStr::from_bytes(&name[..kept.map_or(1, |at| at + 1)]));
            self.folder(member, path);
            return Ok(());
        }
        match kind {
            EntryType::Symlink => self.symbolic_link(member, &path),
            EntryType::Link => self.hard_link(member, folder, &path),
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                let text = format!("{}: Cannot mknod: Operation not permitted", path.display());
                self.verdict.error(&text);
            }
            _ => return self.file(member, &path),
        }
        Ok(())
    }

    /// The permission bits a member gets.
    fn mode(&self, member: &Member<'_>) -> u32 {
        let mode = member.header().mode().unwrap_or(0o644);
        if self.request.extraction.preserve_modes {
            mode & 0o7777
        } else {
            mode & 0o777 & !self.umask
        }
    }

    fn folder(&mut self, member: &mut Member<'_>, path: PathBuf) {
        let made = self.with_parents(&path, |path| fs::create_dir(path));
        if let Err(error) = made {
            let is_folder = fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_dir());
            if !is_folder && self.keeps_link(&path) {
                return;
            }
            let mut result = if is_folder { Ok(()) } else { Err(error) };
            if result.is_err() && self.make_room(&path) {
                result = fs::create_dir(&path);
            }
            if let Err(error) = result {
                let text = format!("{}: Cannot mkdir: {}", path.display(), reason(&error));
                return self.verdict.error(&text);
            }
        }
        let mode = self.mode(member);
        let _ = chmod(&path, mode | 0o700);
        self.folders.push(Folder {
            path,
            mode,
            modified: modified(member),
        });
    }

    /// Whether a link to a folder serves as the folder of a member.
    fn keeps_link(&self, path: &Path) -> bool {
        let extraction = &self.request.extraction;
        let keeps = extraction.keep_links || matches!(extraction.old, Old::Keep | Old::Skip);
        keeps && fs::metadata(path).is_ok_and(|facts| facts.is_dir())
    }

    fn file(&mut self, member: &mut Member<'_>, path: &Path) -> Result<(), Trouble> {
        let old = self.request.extraction.old;
        if old == Old::Overwrite {
            // Overwriting is for the file of that name, not for what a link leads to.
            let link = fs::symlink_metadata(path).is_ok_and(|facts| facts.is_symlink());
            if link || self.links.iter().any(|link| same_place(&link.path, path)) {
                self.make_room(path);
            }
        }
        let open = |path: &Path| {
            let mut options = OpenOptions::new();
            options.write(true);
            if old == Old::Overwrite {
                options.create(true).truncate(true);
            } else {
                options.create_new(true);
            }
            options.open(path)
        };
        let mut file = self.with_parents(path, open);
        if file
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
        {
            match old {
                Old::Skip => return Ok(()),
                Old::Keep => {}
                Old::Replace | Old::Overwrite => {
                    if self.make_room(path) {
                        file = open(path);
                    }
                }
            }
        }
        let mut file = match file {
            Ok(file) => file,
            Err(error) => {
                let text = format!("{}: Cannot open: {}", path.display(), reason(&error));
                self.verdict.error(&text);
                return Ok(());
            }
        };
        let mode = self.mode(member);
        let when = modified(member);
        let name = path.display().to_string();
        self.copy(member, &mut file, &name)?;
        drop(file);
        let _ = chmod(path, mode);
        if !self.request.extraction.no_times {
            let _ = set_modified(path, when, 0);
        }
        Ok(())
    }

    fn copy(
        &self,
        member: &mut Member<'_>,
        output: &mut impl Write,
        name: &str,
    ) -> Result<(), Trouble> {
        let size = member.size();
        let mut buffer = vec![0; 1 << 16];
        let mut copied = 0;
        loop {
            let count = match member.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(archive_file::broken(&error)),
            };
            copied += count as u64;
            if let Err(error) = output.write_all(&buffer[..count]) {
                self.verdict
                    .error(&format!("{name}: Cannot write: {}", reason(&error)));
                return Ok(());
            }
        }
        if copied < size {
            return Err(Trouble::Fatal("Unexpected EOF in archive".to_owned()));
        }
        Ok(())
    }

    fn symbolic_link(&mut self, member: &mut Member<'_>, path: &Path) {
        let target = member.link_name_bytes().unwrap_or_default().into_owned();
        let target = self
            .request
            .renaming
            .apply(&target, Of::SymbolicLink)
            .unwrap_or_default();
        let leads_out =
            target.starts_with(b"/") || target.split(|b| *b == b'/').any(|c| c == b"..");
        let delayed = leads_out && !self.request.renaming.absolute;
        let make = |path: &Path| {
            if delayed {
                File::create_new(path).map(drop)
            } else {
                symlink(OsStr::from_bytes(&target), path)
            }
        };
        match self.in_place(path, make) {
            Ok(false) => {}
            Ok(true) if delayed => {
                if let Ok(facts) = stat(path, false) {
                    self.links.push(Link {
                        path: path.to_owned(),
                        target,
                        modified: modified(member),
                        placeholder: (facts.dev, facts.ino),
                    });
                }
            }
            Ok(true) => {
                if !self.request.extraction.no_times {
                    let _ = set_modified(path, modified(member), 0);
                }
            }
            Err(error) => self.verdict.error(&format!(
                "{}: Cannot create symlink to ‘{}’: {}",
                path.display(),
                String::from_utf8_lossy(&target),
                reason(&error)
            )),
        }
    }

    fn hard_link(&mut self, member: &Member<'_>, folder: &Path, path: &Path) {
        let target = member.link_name_bytes().unwrap_or_default().into_owned();
        let Some(target) = self.request.renaming.apply(&target, Of::HardLink) else {
            return;
        };
        let from = folder.join(OsStr::from_bytes(&target));
        let same = |path: &Path| stat(path, false).ok().map(|facts| (facts.dev, facts.ino));
        if same(&from).is_some() && same(&from) == same(path) {
            return;
        }
        match self.in_place(path, |path| fs::hard_link(&from, path)) {
            Ok(true) => {
                let waiting = self.links.iter().find(|link| same_place(&link.path, &from));
                // Another name of a placeholder is to be a link, too.
                let another = waiting.filter(|link| link.is_waiting()).map(|link| Link {
                    path: path.to_owned(),
                    target: link.target.clone(),
                    ..*link
                });
                self.links.extend(another);
            }
            Ok(false) => {}
            Err(error) => self.verdict.error(&format!(
                "{}: Cannot hard link to ‘{}’: {}",
                path.display(),
                String::from_utf8_lossy(&target),
                reason(&error)
            )),
        }
    }

    /// Makes something at `path`, with what is there treated as the options say; false when the
    /// old file stays.
    fn in_place(
        &mut self,
        path: &Path,
        make: impl Fn(&Path) -> io::Result<()>,
    ) -> io::Result<bool> {
        match self.with_parents(path, &make) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if self.request.extraction.old == Old::Skip {
                    Ok(false)
                } else if self.make_room(path) {
                    make(path).map(|()| true)
                } else {
                    Err(error)
                }
            }
            result => result.map(|()| true),
        }
    }

    /// Removes what is at `path`; a folder only when it is empty.
    fn make_room(&mut self, path: &Path) -> bool {
        if matches!(self.request.extraction.old, Old::Keep | Old::Skip) {
            return false;
        }
        self.forget_link(path);
        match fs::symlink_metadata(path) {
            Ok(facts) if facts.is_dir() => fs::remove_dir(path).is_ok(),
            Ok(_) => fs::remove_file(path).is_ok(),
            Err(_) => false,
        }
    }

    /// A later member takes the place of a link that was to be made at `path`.
    fn forget_link(&mut self, path: &Path) {
        self.links.retain(|link| !same_place(&link.path, path));
    }

    /// Makes the folders above `path` when they are missing.
    fn with_parents<T>(&self, path: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
        match make(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = path.parent().ok_or(error)?;
                fs::create_dir_all(parent)?;
                make(path)
            }
            result => result,
        }
    }

    /// Sets what could not be set before everything was in place.
    fn finish(&self) {
        for link in &self.links {
            if !link.is_waiting() {
                continue;
            }
            let made = fs::remove_file(&link.path)
                .and_then(|()| symlink(OsStr::from_bytes(&link.target), &link.path));
            if let Err(error) = made {
                self.verdict.error(&format!(
                    "{}: Cannot create symlink to ‘{}’: {}",
                    link.path.display(),
                    String::from_utf8_lossy(&link.target),
                    reason(&error)
                ));
            } else if !self.request.extraction.no_times {
                let _ = set_modified(&link.path, link.modified, 0);
            }
        }
        for folder in self.folders.iter().rev() {
            let _ = chmod(&folder.path, folder.mode);
            if !self.request.extraction.no_times {
                let _ = set_modified(&folder.path, folder.modified, 0);
            }
        }
    }
}

/// Compares members with the files of their names.
pub fn compare(request: &Request, verdict: &Verdict) -> Result<(), Trouble> {
    let mut lines = Lines::new(request, false);
    archive_file::each(request, verdict, |member, wanted| {
        if request.verbose > 0 {
            lines.member(member, request.verbose > 1);
        }
        let raw = member.path_bytes().into_owned();
        let Some(name) = request.renaming.apply(&raw, Of::Member) else {
            return Ok(());
        };
        let folder = wanted.map_or(&request.folder, |at| &request.names[at].folder);
        let path = folder.join(OsStr::from_bytes(&name));
        let shown = String::from_utf8_lossy(&name).into_owned();
        if let Err(error) = stat(&path, false) {
            super::say(&format!(
                "{shown}: Warning: Cannot stat: {}",
                reason(&error)
            ));
            verdict.differs.set(true);
            return Ok(());
        }
        for difference in differences(member, &path) {
            println!("{shown}: {difference}");
            verdict.differs.set(true);
        }
        Ok(())
    })
}

fn differences(member: &mut Member<'_>, path: &Path) -> Vec<String> {
    let kind = member.header().entry_type();
    let facts = match stat(path, false) {
        Ok(facts) => facts,
        // Gone since it was looked for.
        Err(_) => return vec!["File type differs".to_owned()],
    };
    let mut found = Vec::new();
    if kind.is_symlink() {
        let target = fs::read_link(path).unwrap_or_default();
        if target.as_os_str().as_bytes() != member.link_name_bytes().unwrap_or_default().as_ref() {
            found.push("Symlink differs".to_owned());
        }
        return found;
    }
    if kind.is_hard_link() {
        return found;
    }
    if kind.is_dir() != facts.is_dir() || kind.is_file() != facts.is_file() {
        return vec!["File type differs".to_owned()];
    }
    if member.header().mode().unwrap_or(0) & 0o7777 != facts.mode & 0o7777 {
        found.push("Mode differs".to_owned());
    }
    if facts.is_file() {
        if modified(member) != facts.modified_ns.div_euclid(1_000_000_000) {
            found.push("Mod time differs".to_owned());
        }
        if member.size() != facts.size {
            found.push("Size differs".to_owned());
        } else if !same_content(member, path).unwrap_or(false) {
            found.push("Contents differ".to_owned());
        }
    }
    found
}

fn same_content(member: &mut Member<'_>, path: &Path) -> io::Result<bool> {
    let mut file = BufReader::new(File::open(path)?).bytes();
    for byte in BufReader::new(member).bytes() {
        if file.next().transpose()? != Some(byte?) {
            return Ok(false);
        }
    }
    Ok(file.next().is_none())
}
