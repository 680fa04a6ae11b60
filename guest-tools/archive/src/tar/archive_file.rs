//! The archive itself: opened, unpacked on the way in, packed on the way out.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    rc::Rc,
};

use flate2::{Compression as Level, write::GzEncoder};
use options::reason;
use tar_format::{Archive, Entry};

use super::{
    Trouble, Verdict,
    command_line::{Compression, Request},
    names::selects,
    say,
};
use crate::gunzip::{Damage, Members};

/// The members of an archive, read one after the other.
pub type Member<'a> = Entry<'a, Source>;

/// What an archive is read from.
pub struct Source {
    inner: Box<dyn Read>,
    count: Rc<Cell<u64>>,
}

impl Source {
    /// An archive that is not compressed.
    pub fn of(inner: impl Read + 'static) -> Self {
        Self {
            inner: Box::new(inner),
            count: Rc::default(),
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

fn open(request: &Request) -> Result<Source, Trouble> {
    let shown = request.archive.display();
    let cannot =
        |what: &str, error: &io::Error| Trouble::fatal(format!("{shown}: Cannot {what}"), error);
    let file = if request.is_stream() {
        guest_start::descriptor::into_file(0)
    } else {
        File::open(&request.archive).map_err(|error| cannot("open", &error))?
    };
    if file.metadata().is_ok_and(|facts| facts.is_dir()) {
        return Err(cannot("read", &io::ErrorKind::IsADirectory.into()));
    }
    let mut input = BufReader::with_capacity(1 << 16, file);
    let start = input.fill_buf().map_err(|error| cannot("read", &error))?;
    let packed = start.starts_with(&[0x1f, 0x8b]);
    for (magic, option, program) in [
        (&b"BZh"[..], "-j", "bzip2"),
        (b"\xfd7zXZ", "-J", "xz"),
        (b"\x28\xb5\x2f\xfd", "--zstd", "zstd"),
    ] {
        if start.starts_with(magic) && request.compression == Compression::Detect {
            return Err(if request.is_stream() {
                Trouble::Fatal(format!("Archive is compressed. Use {option} option"))
            } else {
                Trouble::NoProgram(program.to_owned())
            });
        }
    }
    let inner: Box<dyn Read> = match request.compression {
        Compression::Gzip => Box::new(Members::new(input)),
        Compression::Detect if packed && request.is_stream() => {
            return Err(Trouble::Fatal(
                "Archive is compressed. Use -z option".to_owned(),
            ));
        }
        Compression::Detect if packed => Box::new(Members::new(input)),
        Compression::Detect => Box::new(input),
    };
    Ok(Source {
        inner,
        count: Rc::default(),
    })
}

/// Calls `visit` with every member that the command line asks for, and the operand that did.
pub fn each(
    request: &Request,
    verdict: &Verdict,
    mut visit: impl FnMut(&mut Member<'_>, Option<usize>) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let source = open(request)?;
    let count = source.count.clone();
    let mut archive = Archive::new(source);
    archive.set_ignore_zeros(request.ignore_zeros);
    let mut found = vec![false; request.names.len()];
    let entries = archive.entries().map_err(|error| broken(&error))?;
    let mut first = true;
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                failed(&error, first, verdict)?;
                break;
            }
        };
        first = false;
        if entry.header().entry_type().is_pax_global_extensions() {
            continue;
        }
        let name = entry.path_bytes().into_owned();
        let wanted = request
            .names
            .iter()
            .position(|named| selects(&named.name, &name, request.wildcards == Some(true)));
        if (wanted.is_none() && !request.names.is_empty())
            || request.exclusion.covers(&name, usize::MAX)
        {
            continue;
        }
        // Every operand that means the member counts as found.
        for (named, found) in request.names.iter().zip(&mut found) {
            *found |= selects(&named.name, &name, request.wildcards == Some(true));
        }
        visit(&mut entry, wanted)?;
    }
    if first && count.get() == 0 {
        verdict.error("This does not look like a tar archive");
    }
    // Who writes into a pipe would otherwise be cut short.
    let drained = io::copy(&mut archive.into_inner(), &mut io::sink());
    drained.map_err(|error| broken(&error))?;
    not_found(request, &found, verdict);
    Ok(())
}

fn not_found(request: &Request, found: &[bool], verdict: &Verdict) {
    let missing: Vec<String> = request
        .names
        .iter()
        .zip(found)
        .filter(|(_, found)| !**found)
        .map(|(named, _)| String::from_utf8_lossy(&named.name).into_owned())
        .collect();
    let pattern = |name: &String| name.contains(['*', '?', '[']);
    if request.wildcards.is_none() && missing.iter().any(pattern) {
        say("Pattern matching characters used in file names");
        say(
            "Use --wildcards to enable pattern matching, or --no-wildcards to suppress this warning",
        );
    }
    for name in missing {
        verdict.error(&format!("{name}: Not found in archive"));
    }
}

/// An error between members.
fn failed(error: &io::Error, first: bool, verdict: &Verdict) -> Result<(), Trouble> {
    if Damage::of(error).is_some() {
        return Err(broken(error));
    }
    if first {
        verdict.error("This does not look like a tar archive");
    }
    // GNU ignores a last block that is not whole.
    if !error.to_string().contains("failed to read entire block") {
        verdict.error("Skipping to next header");
    }
    Ok(())
}

/// An error inside a member, after which nothing can be read.
pub fn broken(error: &io::Error) -> Trouble {
    if let Some(damage) = Damage::of(error) {
        let _ = io::stdout().flush();
        eprintln!("\ngzip: stdin: {}", damage.text());
        if damage == Damage::Short {
            say("Unexpected EOF in archive");
        } else {
            say("Child returned status 1");
        }
        return Trouble::Fatal(String::new());
    }
    if error.kind() == io::ErrorKind::UnexpectedEof || error.to_string().contains("entire block") {
        return Trouble::Fatal("Unexpected EOF in archive".to_owned());
    }
    Trouble::Fatal(reason(error))
}

/// What an archive is written to.
pub enum Target {
    Plain(BufWriter<File>),
    Packed(GzEncoder<BufWriter<File>>),
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(target) => target.write(bytes),
            Self::Packed(target) => target.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(target) => target.flush(),
            Self::Packed(target) => target.flush(),
        }
    }
}

impl Target {
    /// Creates the archive.
    pub fn create(request: &Request) -> Result<Self, Trouble> {
        let file = if request.is_stream() {
            guest_start::descriptor::into_file(1)
        } else {
            File::create(&request.archive).map_err(|error| {
                Trouble::fatal(
                    format!("{}: Cannot open", request.archive.display()),
                    &error,
                )
            })?
        };
        let file = BufWriter::with_capacity(1 << 16, file);
        Ok(match request.compression {
            Compression::Gzip => {
                let builder = flate2::GzBuilder::new().operating_system(3);
                Self::Packed(builder.write(file, Level::new(6)))
            }
            Compression::Detect => Self::Plain(file),
        })
    }

    /// Writes what is left.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut target) => target.flush(),
            Self::Packed(target) => target.finish()?.flush(),
        }
    }
}
