//! Files into an archive.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read, Write},
    os::wasi::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use guest_start::file::{Stat, stat};
use guest_unix::entries::{gid2grp, uid2usr};
use options::reason;
use tar_format::{EntryType, Header};

use super::{
    Trouble, Verdict,
    archive_file::Target,
    command_line::{Named, Request},
    list::{Facts, Lines},
    mode,
    names::Of,
    say,
};

const BLOCK: usize = 512;
/// GNU pads archives to whole records of 20 blocks.
const RECORD: u64 = 20 * BLOCK as u64;
/// Folders within folders. Chosen, not measured.
const DEPTH_MAX: usize = 512;
const POSITIONAL: &str = "The following options were used after any non-optional arguments in archive \
    create or update mode.  These options are positional and affect only arguments that follow them.  \
    Please, rearrange them properly.";
const NANOSECONDS: i64 = 1_000_000_000;

/// Creates an archive.
pub fn run(request: &Request, verdict: &Verdict) -> Result<(), Trouble> {
    if request.names.is_empty() {
        return Err(Trouble::Usage(
            "Cowardly refusing to create an empty archive".to_owned(),
        ));
    }
    let target = Target::create(request)?;
    let mut writer = Writer::new(request, verdict, target, 0);
    writer.all()?;
    writer.end()
}

/// Writes members behind each other.
pub struct Writer<'a> {
    request: &'a Request,
    verdict: &'a Verdict,
    target: Target,
    lines: Lines<'a>,
    /// How long the archive is by now.
    length: u64,
    /// How many operands came before the one at work.
    position: usize,
    /// The archive's own device and inode.
    own: Option<(u64, u64)>,
    /// The member's names of files with several links.
    linked: HashMap<(u64, u64), Vec<u8>>,
    remove_later: Vec<PathBuf>,
    /// For `-u`: when the newest member of each name was changed.
    pub newest: HashMap<Vec<u8>, i64>,
}

impl<'a> Writer<'a> {
    pub fn new(request: &'a Request, verdict: &'a Verdict, target: Target, length: u64) -> Self {
        let own = stat(&request.archive, true)
            .ok()
            .map(|stat| (stat.dev, stat.ino));
        Self {
            request,
            verdict,
            target,
            lines: Lines::new(request, request.is_stream()),
            length,
            position: 0,
            own: own.filter(|_| !request.is_stream()),
            linked: HashMap::new(),
            remove_later: Vec::new(),
            newest: HashMap::new(),
        }
    }

    /// Everything the command line names.
    pub fn all(&mut self) -> Result<(), Trouble> {
        for Named {
            folder,
            name,
            position,
        } in &self.request.names
        {
            self.position = *position;
            if !folder.as_os_str().is_empty()
                && let Err(error) = fs::read_dir(folder)
            {
                let what = format!("{}: Cannot open", folder.display());
                return Err(Trouble::fatal(what, &error));
            }
            let slashes = name.iter().rev().take_while(|byte| **byte == b'/').count();
            let kept = (name.len() - slashes).max(1).min(name.len());
            self.path(folder, &name[..kept], 0)?;
        }
        let patterns = &self.request.exclusion.patterns;
        let late: Vec<&String> = patterns
            .iter()
            .filter(|(_, position)| *position > self.position)
            .map(|(pattern, _)| pattern)
            .collect();
        if !late.is_empty() {
            say(POSITIONAL);
        }
        for pattern in late {
            self.verdict
                .error(&format!("--exclude ‘{pattern}’ has no effect"));
        }
        Ok(())
    }

    fn path(&mut self, folder: &Path, name: &[u8], depth: usize) -> Result<(), Trouble> {
        if self.request.exclusion.covers(name, self.position) {
            return Ok(());
        }
        let path = folder.join(OsStr::from_bytes(name));
        let shown = String::from_utf8_lossy(name).into_owned();
        let facts = match stat(&path, self.request.creation.dereference) {
            Ok(facts) => facts,
            Err(error) => {
                self.unreadable(&format!("{shown}: Cannot stat: {}", reason(&error)));
                return Ok(());
            }
        };
        if Some((facts.dev, facts.ino)) == self.own {
            say(&format!("{shown}: file is the archive; not dumped"));
            return Ok(());
        }
        if facts.is_dir() {
            return self.folder(folder, name, &facts, depth);
        }
        let stale = self.newest.get(&self.stored_name(name).unwrap_or_default());
        if stale.is_some_and(|newest| facts.modified_ns.div_euclid(NANOSECONDS) <= *newest) {
            return Ok(());
        }
        // Only what the archive holds may be removed.
        if self.file(&path, name, &facts)? && self.request.creation.remove_files {
            self.remove_later.push(path);
        }
        Ok(())
    }

    fn unreadable(&self, message: &str) {
        if self.request.creation.ignore_unreadable && !message.contains("Cannot stat") {
            say(message);
        } else {
            self.verdict.error(message);
        }
    }

    fn stored_name(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.request.renaming.apply(name, Of::Member)
    }

    fn folder(
        &mut self,
        folder: &Path,
        name: &[u8],
        facts: &Stat,
        depth: usize,
    ) -> Result<(), Trouble> {
        let path = folder.join(OsStr::from_bytes(name));
        let mut shown = name.to_vec();
        if !shown.ends_with(b"/") {
            shown.push(b'/');
        }
        let entries = fs::read_dir(&path);
        let stale = self
            .newest
            .get(&self.stored_name(&shown).unwrap_or_default());
        if stale.is_none_or(|newest| facts.modified_ns.div_euclid(NANOSECONDS) > *newest)
            && let Some(stored) = self.stored_name(&shown)
        {
            let mut header = self.header(facts, EntryType::Directory);
            header.set_size(0);
            self.member(&shown, &stored, &mut header, &[])?;
        }
        if !self.request.creation.recursion {
            return Ok(());
        }
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                let shown = String::from_utf8_lossy(name);
                self.unreadable(&format!("{shown}: Cannot open: {}", reason(&error)));
                return Ok(());
            }
        };
        if depth == DEPTH_MAX {
            let shown = String::from_utf8_lossy(name);
            self.verdict
                .error(&format!("{shown}: more than {DEPTH_MAX} folders deep"));
            return Ok(());
        }
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        if self.request.creation.sorted {
            names.sort();
        }
        for entry in names {
            let mut inner = shown.clone();
            inner.extend_from_slice(entry.as_bytes());
            self.path(folder, &inner, depth + 1)?;
        }
        if self.request.creation.remove_files {
            self.remove_later.push(path);
        }
        Ok(())
    }

    /// Whether the archive holds the whole file afterwards.
    fn file(&mut self, path: &Path, name: &[u8], facts: &Stat) -> Result<bool, Trouble> {
        let Some(stored) = self.stored_name(name) else {
            return Ok(false);
        };
        // A file named twice is found again, too.
        let single = self.request.names.len() < 2 && !self.request.creation.dereference;
        if facts.nlink > u64::from(single) {
            let identity = (facts.dev, facts.ino);
            if let Some(first) = self.linked.get(&identity) {
                let target = self
                    .request
                    .renaming
                    .apply(first, Of::HardLink)
                    .unwrap_or_default();
                let mut header = self.header(facts, EntryType::Link);
                header.set_size(0);
                self.member(name, &stored, &mut header, &target)?;
                return Ok(true);
            }
            self.linked.insert(identity, name.to_vec());
        }
        let shown = String::from_utf8_lossy(name).into_owned();
        if facts.is_symlink() {
            let target = match fs::read_link(path) {
                Ok(target) => target,
                Err(error) => {
                    self.unreadable(&format!("{shown}: Cannot readlink: {}", reason(&error)));
                    return Ok(false);
                }
            };
            let target = target.as_os_str().as_bytes();
            let target = self.request.renaming.apply(target, Of::SymbolicLink);
            let mut header = self.header(facts, EntryType::Symlink);
            header.set_size(0);
            self.member(name, &stored, &mut header, &target.unwrap_or_default())?;
            return Ok(true);
        }
        if !facts.is_file() {
            say(&format!(
                "{shown}: file of a kind that is not archived here; not dumped"
            ));
            return Ok(false);
        }
        let source = match File::open(path) {
            Ok(source) => source,
            Err(error) => {
                self.unreadable(&format!("{shown}: Cannot open: {}", reason(&error)));
                return Ok(false);
            }
        };
        let mut header = self.header(facts, EntryType::Regular);
        header.set_size(facts.size);
        self.member(name, &stored, &mut header, &[])?;
        self.content(source, facts.size, &shown)
    }

    /// Exactly `size` bytes, and zeros up to a whole block; whether all came from the file.
    fn content(&mut self, source: File, size: u64, shown: &str) -> Result<bool, Trouble> {
        let mut limited = source.take(size);
        let copied = match io::copy(&mut limited, &mut self.target) {
            Ok(copied) => copied,
            Err(error) => return Err(self.cannot_write(&error)),
        };
        if copied < size {
            let missing = size - copied;
            let text = format!("{shown}: File shrank by {missing} bytes; padding with zeros");
            self.verdict.error(&text);
            let zeros = io::copy(&mut io::repeat(0).take(missing), &mut self.target);
            zeros.map_err(|error| self.cannot_write(&error))?;
        }
        self.length += size;
        self.pad(BLOCK as u64)?;
        Ok(copied == size)
    }

    fn header(&self, facts: &Stat, kind: EntryType) -> Header {
        let creation = &self.request.creation;
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        let mut bits = facts.mode & 0o7777;
        if let Some(text) = &creation.mode {
            bits = mode::change(text, bits, facts.is_dir()).unwrap_or(bits);
        }
        header.set_mode(bits);
        let user = creation.owner.clone();
        let group = creation.group.clone();
        let (user, user_name) =
            user.unwrap_or_else(|| (facts.uid, uid2usr(facts.uid).unwrap_or_default()));
        let (group, group_name) =
            group.unwrap_or_else(|| (facts.gid, gid2grp(facts.gid).unwrap_or_default()));
        header.set_uid(user.into());
        header.set_gid(group.into());
        if !self.request.numeric_owner {
            // A name that does not fit is left to its number.
            let _ = header.set_username(&user_name);
            let _ = header.set_groupname(&group_name);
        }
        let seconds = facts.modified_ns.div_euclid(NANOSECONDS);
        let seconds = creation.modified.unwrap_or(seconds);
        header.set_mtime(u64::try_from(seconds).unwrap_or(0));
        header
    }

    /// Writes a member's header, with long names before it, and its line.
    fn member(
        &mut self,
        shown: &[u8],
        stored: &[u8],
        header: &mut Header,
        link: &[u8],
    ) -> Result<(), Trouble> {
        if self.request.verbose > 0 {
            let facts = Facts {
                size: header.size().unwrap_or(0),
                modified: header.mtime().map_or(0, |seconds| seconds as i64),
                header,
                link: link.to_vec(),
            };
            let name = if self.request.renaming.show {
                stored
            } else {
                shown
            };
            self.lines.print(name, &facts, self.request.verbose > 1);
        }
        self.field(b'K', link)?;
        self.field(b'L', stored)?;
        let old = header.as_old_mut();
        for (field, text) in [(&mut old.name, stored), (&mut old.linkname, link)] {
            let kept = text.len().min(field.len());
            field[..kept].copy_from_slice(&text[..kept]);
        }
        header.set_cksum();
        self.write(header.as_bytes())
    }

    /// A name that does not fit into a header becomes a member of its own.
    fn field(&mut self, kind: u8, text: &[u8]) -> Result<(), Trouble> {
        if text.len() <= 100 {
            return Ok(());
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::new(kind));
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(text.len() as u64 + 1);
        let name = b"././@LongLink";
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_cksum();
        self.write(header.as_bytes())?;
        self.write(&[text, b"\0"].concat())?;
        self.pad(BLOCK as u64)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.length += bytes.len() as u64;
        let written = self.target.write_all(bytes);
        written.map_err(|error| self.cannot_write(&error))
    }

    fn pad(&mut self, unit: u64) -> Result<(), Trouble> {
        let missing = self.length.next_multiple_of(unit) - self.length;
        let zeros = vec![0; missing as usize];
        self.write(&zeros)
    }

    fn cannot_write(&self, error: &io::Error) -> Trouble {
        Trouble::fatal(
            format!("{}: Cannot write", self.request.archive.display()),
            error,
        )
    }

    /// Ends the archive.
    pub fn end(mut self) -> Result<(), Trouble> {
        self.write(&[0; 2 * BLOCK])?;
        self.pad(RECORD)?;
        if self.request.totals {
            eprintln!("Total bytes written: {}", self.length);
        }
        let name = self.request.archive.display().to_string();
        let finished = self.target.finish();
        finished.map_err(|error| Trouble::fatal(format!("{name}: Cannot write"), &error))?;
        for path in self.remove_later {
            let removed = match fs::symlink_metadata(&path) {
                Ok(facts) if facts.is_dir() => fs::remove_dir(&path),
                _ => fs::remove_file(&path),
            };
            if let Err(error) = removed {
                let shown = path.display();
                self.verdict
                    .error(&format!("{shown}: Cannot unlink: {}", reason(&error)));
            }
        }
        Ok(())
    }
}
