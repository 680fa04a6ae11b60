//! What `-t` and `-v` print.

use std::io::Write;

use tar_format::{EntryType, Header};

use super::{
    Trouble, Verdict,
    archive_file::{self, Member},
    command_line::Request,
};
use crate::times;

/// Lists the archive.
pub fn run(request: &Request, verdict: &Verdict) -> Result<(), Trouble> {
    let mut lines = Lines::new(request, false);
    archive_file::each(request, verdict, |member, _| {
        // The note about stripped prefixes comes with a listing, too.
        let _ = request
            .renaming
            .apply(&member.path_bytes(), super::names::Of::Member);
        lines.member(member, request.verbose > 0);
        let size = member.size();
        let read = std::io::copy(member, &mut std::io::sink());
        match read {
            Ok(read) if read < size => Err(Trouble::Fatal("Unexpected EOF in archive".to_owned())),
            Ok(_) => Ok(()),
            Err(error) => Err(archive_file::broken(&error)),
        }
    })
}

/// Prints one line per member.
pub struct Lines<'a> {
    request: &'a Request,
    /// To standard error, because the archive goes to standard output.
    to_stderr: bool,
    /// The columns of owner, group and size; they grow as needed.
    width: usize,
}

/// What a long line says besides the name.
pub struct Facts<'a> {
    pub header: &'a Header,
    pub size: u64,
    pub modified: i64,
    pub link: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub fn new(request: &'a Request, to_stderr: bool) -> Self {
        Self {
            request,
            to_stderr,
            width: 19,
        }
    }

    /// The line of a member that was read.
    pub fn member(&mut self, member: &mut Member<'_>, long: bool) {
        let mut name = member.path_bytes().into_owned();
        let mut link = member.link_name_bytes().unwrap_or_default().into_owned();
        if self.request.renaming.show {
            let renaming = &self.request.renaming;
            name = renaming
                .apply(&name, super::names::Of::Member)
                .unwrap_or(name);
            if member.header().entry_type().is_hard_link() {
                link = renaming
                    .apply(&link, super::names::Of::HardLink)
                    .unwrap_or(link);
            }
        }
        if member.header().entry_type().is_dir() && !name.ends_with(b"/") {
            name.push(b'/');
        }
        let size = member.size();
        let modified = modified(member);
        let facts = Facts {
            header: member.header(),
            size,
            modified,
            link,
        };
        self.print(&name, &facts, long);
    }

    /// The line of a member with this name.
    pub fn print(&mut self, name: &[u8], facts: &Facts<'_>, long: bool) {
        let mut line = Vec::new();
        if long {
            self.facts(facts, &mut line);
            line.push(b' ');
        }
        line.extend(escaped(name));
        let kind = facts.header.entry_type();
        if long && kind.is_symlink() {
            line.extend_from_slice(b" -> ");
            line.extend(escaped(&facts.link));
        } else if long && kind.is_hard_link() {
            line.extend_from_slice(b" link to ");
            line.extend(escaped(&facts.link));
        }
        line.push(b'\n');
        self.write(&line);
    }

    fn write(&self, line: &[u8]) {
        let _ = if self.to_stderr {
            std::io::stderr().write_all(line)
        } else {
            std::io::stdout().write_all(line)
        };
    }

    fn facts(&mut self, facts: &Facts<'_>, line: &mut Vec<u8>) {
        let header = facts.header;
        let kind = header.entry_type();
        let mode = header.mode().unwrap_or(0);
        line.push(letter(kind));
        for (shift, special, on) in [(6, 0o4000, b's'), (3, 0o2000, b's'), (0, 0o1000, b't')] {
            let bits = mode >> shift;
            line.push(if bits & 4 != 0 { b'r' } else { b'-' });
            line.push(if bits & 2 != 0 { b'w' } else { b'-' });
            line.push(match (bits & 1 != 0, mode & special != 0) {
                (true, true) => on,
                (false, true) => on.to_ascii_uppercase(),
                (true, false) => b'x',
                (false, false) => b'-',
            });
        }
        let who = |name: Option<&[u8]>, number: u64| match name {
            Some(name) if !name.is_empty() && !self.request.numeric_owner => {
                String::from_utf8_lossy(name).into_owned()
            }
            _ => number.to_string(),
        };
        let user = who(header.username_bytes(), header.uid().unwrap_or(0));
        let group = who(header.groupname_bytes(), header.gid().unwrap_or(0));
        let size = match kind {
            EntryType::Link | EntryType::Symlink | EntryType::Directory => "0".to_owned(),
            EntryType::Char | EntryType::Block => {
                let number = |part: std::io::Result<Option<u32>>| part.ok().flatten().unwrap_or(0);
                let (major, minor) = (header.device_major(), header.device_minor());
                format!("{},{}", number(major), number(minor))
            }
            _ => facts.size.to_string(),
        };
        let taken = user.len() + 1 + group.len() + 1 + size.len();
        self.width = self.width.max(taken);
        let size_width = self.width - taken + size.len();
        let when = times::moment(facts.modified);
        let text = format!(
            " {user}/{group} {size:>size_width$} {:04}-{:02}-{:02} {:02}:{:02}",
            when.year, when.month, when.day, when.hour, when.minute
        );
        line.extend_from_slice(text.as_bytes());
        if self.request.verbose > 2 {
            line.extend_from_slice(format!(":{:02}", when.second).as_bytes());
        }
    }
}

/// When a member was last changed: the pax record, or the header's field.
pub fn modified(member: &mut Member<'_>) -> i64 {
    let mut from_pax = None;
    if let Ok(Some(records)) = member.pax_extensions() {
        for record in records.flatten() {
            if record.key_bytes() == b"mtime" {
                let text = String::from_utf8_lossy(record.value_bytes()).into_owned();
                from_pax = text.split('.').next().and_then(|whole| whole.parse().ok());
            }
        }
    }
    from_pax.unwrap_or_else(|| member.header().mtime().map_or(0, |seconds| seconds as i64))
}

fn letter(kind: EntryType) -> u8 {
    match kind {
        EntryType::Link => b'h',
        EntryType::Symlink => b'l',
        EntryType::Directory => b'd',
        EntryType::Char => b'c',
        EntryType::Block => b'b',
        EntryType::Fifo => b'p',
        EntryType::Continuous => b'C',
        _ => b'-',
    }
}

/// A name as GNU tar prints it: control characters and backslashes escaped.
pub fn escaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\x07' => out.extend_from_slice(b"\\a"),
                '\x08' => out.extend_from_slice(b"\\b"),
                '\x0b' => out.extend_from_slice(b"\\v"),
                '\x0c' => out.extend_from_slice(b"\\f"),
                c if c.is_control() => {
                    let mut buffer = [0; 4];
                    for byte in c.encode_utf8(&mut buffer).bytes() {
                        out.extend_from_slice(format!("\\{byte:03o}").as_bytes());
                    }
                }
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\{byte:03o}").as_bytes());
        }
    }
    out
}
