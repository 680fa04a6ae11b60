//! Archives that are there already: members added, members taken out.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
};

use tar_format::Archive;

use super::{
    Trouble, Verdict,
    archive_file::{self, Target},
    command_line::{Compression, Operation, Request},
    create::Writer,
    list,
};

const BLOCK: u64 = 512;

/// Adds members behind the last one; `-u` leaves out what is not newer than its member.
pub fn append(request: &Request, verdict: &Verdict) -> Result<(), Trouble> {
    let mut file = open(request, true)?;
    let mut newest = HashMap::new();
    let mut end = 0;
    for_each(&mut file, |member, place| {
        end = place.1;
        if request.operation == Operation::Update {
            let modified = list::modified(member);
            let known: &mut i64 = newest
                .entry(member.path_bytes().into_owned())
                .or_insert(modified);
            *known = modified.max(*known);
        }
        Ok(())
    })?;
    let placed = file
        .seek(SeekFrom::Start(end))
        .and_then(|_| file.set_len(end));
    placed.map_err(|error| cannot(request, "write", &error))?;
    let target = Target::Plain(BufWriter::with_capacity(1 << 16, file));
    let mut writer = Writer::new(request, verdict, target, end);
    writer.newest = newest;
    writer.all()?;
    writer.end()
}

/// Takes the named members out.
pub fn delete(request: &Request, verdict: &Verdict) -> Result<(), Trouble> {
    let mut file = open(request, false)?;
    let mut removed = Vec::new();
    archive_file::each(request, verdict, |member, _| {
        removed.push(member.raw_file_position());
        Ok(())
    })?;
    let mut kept: Vec<(u64, u64)> = Vec::new();
    for_each(&mut file, |member, place| {
        if !removed.contains(&member.raw_file_position()) {
            kept.push(place);
        }
        Ok(())
    })?;
    let moved = close_gaps(&mut file, &kept);
    moved.map_err(|error| cannot(request, "write", &error))
}

/// Moves the kept ranges together; each goes to an earlier place, so nothing is overwritten unread.
fn close_gaps(file: &mut File, kept: &[(u64, u64)]) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    let mut to = 0;
    for (start, end) in kept {
        let mut from = *start;
        while from < *end {
            let chunk = buffer.len().min((end - from) as usize);
            file.seek(SeekFrom::Start(from))?;
            file.read_exact(&mut buffer[..chunk])?;
            file.seek(SeekFrom::Start(to))?;
            file.write_all(&buffer[..chunk])?;
            from += chunk as u64;
            to += chunk as u64;
        }
    }
    file.set_len(to)?;
    file.set_len((to + 2 * BLOCK).next_multiple_of(20 * BLOCK))
}

fn open(request: &Request, create: bool) -> Result<File, Trouble> {
    if request.compression == Compression::Gzip {
        return Err(Trouble::Fatal(
            "Cannot update compressed archives".to_owned(),
        ));
    }
    if request.is_stream() {
        return Err(Trouble::Usage(
            "Options '-Aru' are incompatible with '-f -'".to_owned(),
        ));
    }
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(create)
        .truncate(false);
    let mut file = options
        .open(&request.archive)
        .map_err(|error| cannot(request, "open", &error))?;
    let mut start = [0; 2];
    let packed = file.read_exact(&mut start).is_ok() && start == [0x1f, 0x8b];
    if packed {
        return Err(Trouble::Fatal(
            "Cannot update compressed archives".to_owned(),
        ));
    }
    file.seek(SeekFrom::Start(0))
        .map_err(|error| cannot(request, "seek", &error))?;
    Ok(file)
}

fn cannot(request: &Request, what: &str, error: &io::Error) -> Trouble {
    Trouble::fatal(
        format!("{}: Cannot {what}", request.archive.display()),
        error,
    )
}

/// The place of a member is found by its header alone, which does not tell it for every kind.
fn refuse_unmeasured(entry: &mut archive_file::Member<'_>) -> Result<(), Trouble> {
    let kind = entry.header().entry_type();
    let sparse = entry.header().as_gnu();
    let more = kind.is_gnu_sparse() && sparse.is_some_and(|header| header.isextended[0] == 1);
    let extensions = entry.pax_extensions();
    let sized = extensions
        .map_err(|error| archive_file::broken(&error))?
        .is_some_and(|mut found| {
            found.any(|field| field.is_ok_and(|field| field.key_bytes() == b"size"))
        });
    if !more && !sized {
        return Ok(());
    }
    let what = if more {
        "a long sparse map"
    } else {
        "its size in a pax header"
    };
    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    Err(Trouble::Fatal(format!(
        "{name}: archives with a member that has {what} cannot be changed here; \
         extract it and create the archive anew"
    )))
}

/// Calls `visit` with every member and the bytes it takes with its headers.
fn for_each(
    file: &mut File,
    mut visit: impl FnMut(&mut archive_file::Member<'_>, (u64, u64)) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let again = file.try_clone().or_else(|_| {
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(file);
        guest_start::descriptor::duplicate(descriptor as u32, 3)
            .map(guest_start::descriptor::into_file)
    });
    let again = again.map_err(|error| archive_file::broken(&error))?;
    let mut archive = Archive::new(archive_file::Source::of(BufReader::new(again)));
    let entries = archive
        .entries()
        .map_err(|error| archive_file::broken(&error))?;
    let mut start = 0;
    for (index, entry) in entries.enumerate() {
        let mut entry = entry.map_err(|error| {
            if index == 0 {
                Trouble::Fatal("This does not look like a tar archive".to_owned())
            } else {
                archive_file::broken(&error)
            }
        })?;
        refuse_unmeasured(&mut entry)?;
        // What follows the header, also for sparse files whose size is another.
        let stored = entry.header().entry_size().unwrap_or(0);
        let end = (entry.raw_file_position() + stored).next_multiple_of(BLOCK);
        visit(&mut entry, (start, end))?;
        start = end;
    }
    Ok(())
}
