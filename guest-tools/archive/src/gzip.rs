//! `gzip`, `gunzip` and `zcat`.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    os::wasi::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use options::{Grammar, Line, Takes, reason};

use crate::{
    gunzip::{Damage, Members},
    gzip_list::{Listing, ratio},
    gzip_names::{name_length, original_name, same_file, with_suffix},
    times,
};

const FAILED: i32 = 1;
const WARNED: i32 = 2;
/// Folders within folders that `-r` follows. Chosen, not measured.
const DEPTH_MAX: usize = 256;

const GRAMMAR: Grammar = Grammar {
    short: "123456789acdfhklLnNqrS:tvV",
    long: &[
        ("ascii", Takes::Nothing, 'a' as u32),
        ("stdout", Takes::Nothing, 'c' as u32),
        ("to-stdout", Takes::Nothing, 'c' as u32),
        ("decompress", Takes::Nothing, 'd' as u32),
        ("uncompress", Takes::Nothing, 'd' as u32),
        ("force", Takes::Nothing, 'f' as u32),
        ("help", Takes::Nothing, 'h' as u32),
        ("keep", Takes::Nothing, 'k' as u32),
        ("list", Takes::Nothing, 'l' as u32),
        ("license", Takes::Nothing, 'V' as u32),
        ("no-name", Takes::Nothing, 'n' as u32),
        ("name", Takes::Nothing, 'N' as u32),
        ("quiet", Takes::Nothing, 'q' as u32),
        ("silent", Takes::Nothing, 'q' as u32),
        ("recursive", Takes::Nothing, 'r' as u32),
        ("suffix", Takes::Value, 'S' as u32),
        ("test", Takes::Nothing, 't' as u32),
        ("verbose", Takes::Nothing, 'v' as u32),
        ("version", Takes::Nothing, 'V' as u32),
        ("fast", Takes::Nothing, '1' as u32),
        ("best", Takes::Nothing, '9' as u32),
        ("rsyncable", Takes::Nothing, 'R' as u32),
        ("synchronous", Takes::Nothing, 'Y' as u32),
    ],
};

const HELP: &str = "Usage: gzip [OPTION]... [FILE]...
Compress or uncompress FILEs (by default, compress FILES in-place).

  -c, --stdout      write on standard output, keep original files unchanged
  -d, --decompress  decompress
  -f, --force       force overwrite of output file
  -k, --keep        keep (don't delete) input files
  -l, --list        list compressed file contents
  -n, --no-name     do not save or restore the original name and timestamp
  -N, --name        save or restore the original name and timestamp
  -q, --quiet       suppress all warnings
  -r, --recursive   operate recursively on directories
  -S, --suffix=SUF  use suffix SUF on compressed files
  -t, --test        test compressed file integrity
  -v, --verbose     verbose mode
  -1 .. -9          compress faster .. better

With no FILE, or when FILE is -, read standard input.";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Pack,
    Unpack,
    Test,
    List,
}

struct Gzip {
    action: Action,
    to_stdout: bool,
    force: bool,
    keep: bool,
    verbose: bool,
    quiet: bool,
    recursive: bool,
    /// `-n` and `-N`; without them names are saved but not restored.
    names: Option<bool>,
    suffix: String,
    level: u32,
    status: i32,
    listing: Listing,
}

/// Runs the program under the name it was called by.
pub fn run(called: &str, arguments: Vec<OsString>) -> i32 {
    let complain = |message: &str| {
        eprintln!("gzip: {message}\nTry `gzip --help' for more information.");
        FAILED
    };
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return complain(&message),
    };
    if line.has('h') {
        println!("{HELP}");
        return 0;
    }
    if line.has('V') {
        println!("gzip (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    let suffix = line.value('S').unwrap_or_else(|| ".gz".to_owned());
    if suffix.is_empty() || suffix.contains('/') || suffix.len() > 30 {
        eprintln!("gzip: invalid suffix '{suffix}'");
        return FAILED;
    }
    let mut gzip = Gzip::new(called, &line, suffix);
    if line.operands.is_empty() {
        gzip.stdin();
    }
    for operand in &line.operands {
        if operand == "-" {
            gzip.stdin();
        } else {
            gzip.path(Path::new(operand), 0);
        }
    }
    gzip.listing.total();
    gzip.status
}

/// The output: a new file, or standard output.
struct Target {
    file: File,
    /// The path of a new file.
    created: Option<PathBuf>,
}

impl Gzip {
    fn new(called: &str, line: &Line, suffix: String) -> Self {
        let action = if line.has('l') {
            Action::List
        } else if line.has('t') {
            Action::Test
        } else if line.has('d') || called == "gunzip" || called == "zcat" {
            Action::Unpack
        } else {
            Action::Pack
        };
        let last = |codes: &[char]| {
            let mut options = line.options.iter().rev();
            options.find_map(|found| char::from_u32(found.code).filter(|code| codes.contains(code)))
        };
        let level = last(&['1', '2', '3', '4', '5', '6', '7', '8', '9']);
        Self {
            action,
            to_stdout: line.has('c') || called == "zcat",
            force: line.has('f'),
            keep: line.has('k'),
            verbose: line.has('v'),
            quiet: line.has('q'),
            recursive: line.has('r'),
            names: last(&['n', 'N']).map(|code| code == 'N'),
            suffix,
            level: level.and_then(|code| code.to_digit(10)).unwrap_or(6),
            status: 0,
            listing: Listing::new(line.has('v'), line.has('q')),
        }
    }

    fn warn(&mut self, message: &str) {
        if !self.quiet {
            eprintln!("gzip: {message}");
        }
        if self.status == 0 {
            self.status = WARNED;
        }
    }

    fn fail(&mut self, message: &str) {
        eprintln!("gzip: {message}");
        self.status = FAILED;
    }

    fn stdin(&mut self) {
        let file = guest_start::descriptor::into_file(0);
        match self.action {
            Action::List => {
                let length = file.metadata().map_or(0, |found| found.len());
                let mut file = file;
                if let Err(error) = self.listing.file(&mut file, length, "stdout") {
                    self.fail(&format!("stdin: {}", reason(&error)));
                }
            }
            Action::Pack => match self.pack(file, stdout(), None) {
                Ok((read, wrote)) if self.verbose => {
                    eprintln!("{}", ratio(wrote.saturating_sub(18), read));
                }
                Ok(_) => {}
                Err(error) => self.fail(&format!("stdin: {}", reason(&error))),
            },
            Action::Unpack | Action::Test => {
                let target = (self.action == Action::Unpack).then(stdout);
                self.unpack(file, target, "stdin");
            }
        }
    }

    fn path(&mut self, path: &Path, depth: usize) {
        let shown = path.display().to_string();
        let mut path = path.to_owned();
        let facts = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Unpacking `f` may mean `f.gz`.
                let longer = with_suffix(&path, &self.suffix);
                if self.action == Action::Pack || shown.ends_with(&self.suffix) {
                    return self.fail(&format!("{shown}: {}", reason(&error)));
                }
                path = longer;
                match fs::metadata(&path) {
                    Ok(facts) => facts,
                    Err(error) => {
                        return self.fail(&format!("{}: {}", path.display(), reason(&error)));
                    }
                }
            }
            Err(error) => return self.fail(&format!("{shown}: {}", reason(&error))),
            Ok(facts) => facts,
        };
        let replaces = !self.to_stdout && matches!(self.action, Action::Pack | Action::Unpack);
        let link = fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_symlink());
        if replaces && link && !self.force {
            let text = format!("{}: Too many levels of symbolic links", path.display());
            return self.fail(&text);
        }
        if facts.is_dir() {
            return self.folder(&path, depth);
        }
        if replaces && !facts.is_file() {
            let text = format!(
                "{} is not a directory or a regular file - ignored",
                path.display()
            );
            return self.warn(&text);
        }
        let links = guest_start::file::stat(&path, true).map_or(1, |stat| stat.nlink);
        if replaces && links > 1 && !self.force {
            let others = links - 1;
            let plural = if others == 1 { "" } else { "s" };
            let text = format!(
                "{} has {others} other link{plural} -- file ignored",
                path.display()
            );
            return self.warn(&text);
        }
        match self.action {
            Action::Pack => self.pack_path(&path),
            Action::Unpack => self.unpack_path(&path),
            Action::Test => self.test_path(&path),
            Action::List => self.list_path(&path),
        }
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        let shown = path.display().to_string();
        if !self.recursive {
            return self.warn(&format!("{shown} is a directory -- ignored"));
        }
        if depth == DEPTH_MAX {
            return self.fail(&format!("{shown}: more than {DEPTH_MAX} folders deep"));
        }
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.fail(&format!("{shown}: {}", reason(&error))),
        };
        // All names first: what is packed on the way must not be met again.
        let names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        for name in names {
            self.path(&name, depth + 1);
        }
    }

    fn open(&mut self, path: &Path) -> Option<File> {
        File::open(path)
            .map_err(|error| self.fail(&format!("{}: {}", path.display(), reason(&error))))
            .ok()
    }

    fn create(&mut self, path: PathBuf) -> Option<Target> {
        if path.symlink_metadata().is_ok() {
            if !self.force {
                self.warn(&format!(
                    "{} already exists;\tnot overwritten",
                    path.display()
                ));
                return None;
            }
            let _ = fs::remove_file(&path);
        }
        match File::create(&path) {
            Ok(file) => Some(Target {
                file,
                created: Some(path),
            }),
            Err(error) => {
                self.fail(&format!("{}: {}", path.display(), reason(&error)));
                None
            }
        }
    }

    fn pack_path(&mut self, path: &Path) {
        let shown = path.display().to_string();
        let known = [
            self.suffix.as_str(),
            ".gz",
            ".tgz",
            ".taz",
            "-gz",
            ".Z",
            "-z",
            "_z",
            ".z",
        ];
        let lower = shown.to_lowercase();
        let packed = known
            .iter()
            .find(|suffix| lower.ends_with(&suffix.to_lowercase()));
        if let Some(suffix) = packed
            && !self.to_stdout
            && !self.force
        {
            // As gzip: no failure, since the file is packed.
            if !self.quiet {
                eprintln!("gzip: {shown} already has {suffix} suffix -- unchanged");
            }
            return;
        }
        let Some(source) = self.open(path) else {
            return;
        };
        let target = if self.to_stdout {
            Some(stdout())
        } else {
            self.create(with_suffix(path, &self.suffix))
        };
        let Some(target) = target else { return };
        let created = target.created.clone();
        match self.pack(source, target, Some(path)) {
            Ok((read, wrote)) => {
                let share = ratio(wrote.saturating_sub(18 + name_length(path)), read);
                self.finish(path, created.as_deref(), &share);
            }
            Err(error) => self.discard(created.as_deref(), &shown, &error),
        }
    }

    /// Compresses `source`: how much was read and how much written.
    fn pack(&self, source: File, target: Target, path: Option<&Path>) -> io::Result<(u64, u64)> {
        let mut builder = GzBuilder::new().operating_system(3);
        let facts = source.metadata()?;
        if self.names != Some(false) && facts.is_file() {
            let since = facts.modified()?.duration_since(UNIX_EPOCH);
            let seconds = since.unwrap_or_default().as_secs();
            builder = builder.mtime(u32::try_from(seconds).unwrap_or(0));
            if let Some(name) = path.and_then(Path::file_name) {
                builder = builder.filename(name.as_bytes());
            }
        }
        let counted = Counted {
            inner: target.file,
            count: 0,
        };
        let mut encoder: GzEncoder<_> = builder.write(counted, Compression::new(self.level));
        let read = io::copy(&mut BufReader::with_capacity(1 << 16, source), &mut encoder)?;
        Ok((read, encoder.finish()?.count))
    }

    fn unpack_path(&mut self, path: &Path) {
        let shown = path.display().to_string();
        let plain = self.unpacked_name(path);
        if plain.is_none() && !self.to_stdout {
            return self.warn(&format!("{shown}: unknown suffix -- ignored"));
        }
        let Some(mut source) = self.open(path) else {
            return;
        };
        if self.to_stdout {
            self.unpack(source, Some(stdout()), &shown);
            return;
        }
        let mut plain = plain.unwrap_or_default();
        if self.names == Some(true) {
            match original_name(&mut source) {
                Ok(Some(name)) => plain.set_file_name(name),
                Ok(None) => {}
                Err(error) => return self.fail(&format!("{shown}: {}", reason(&error))),
            }
        }
        if same_file(path, &plain) {
            let text = format!(
                "{shown}: the output would take its place; use another name, or leave -N out"
            );
            return self.fail(&text);
        }
        let Some(target) = self.create(plain.clone()) else {
            return;
        };
        if let Some((read, wrote)) = self.unpack(source, Some(target), &shown) {
            let share = ratio(read.saturating_sub(18 + name_length(&plain)), wrote);
            self.finish(path, Some(&plain), &share);
        }
    }

    fn unpacked_name(&self, path: &Path) -> Option<PathBuf> {
        let bytes = path.as_os_str().as_bytes();
        for suffix in [".tgz", ".taz"] {
            if let Some(stem) = bytes.strip_suffix(suffix.as_bytes()) {
                return Some(with_suffix(Path::new(OsStr::from_bytes(stem)), ".tar"));
            }
        }
        [self.suffix.as_str(), ".gz", "-gz", ".z", "-z", "_z", ".Z"]
            .iter()
            .find_map(|suffix| bytes.strip_suffix(suffix.as_bytes()))
            .filter(|stem| !stem.is_empty() && !stem.ends_with(b"/"))
            .map(|stem| PathBuf::from(OsStr::from_bytes(stem)))
    }

    /// Decompresses `source`: how much was read and how much written; `None` when it is damaged.
    fn unpack(&mut self, source: File, target: Option<Target>, shown: &str) -> Option<(u64, u64)> {
        let length = source.metadata().map_or(0, |facts| facts.len());
        let mut input = BufReader::with_capacity(1 << 16, source);
        let created = target.as_ref().and_then(|target| target.created.clone());
        let mut output: Box<dyn Write> = match target {
            Some(target) => Box::new(BufWriter::with_capacity(1 << 16, target.file)),
            None => Box::new(io::sink()),
        };
        if self.force && self.to_stdout && !starts_as_gzip(&mut input) {
            if let Err(error) = io::copy(&mut input, &mut output).and_then(|_| output.flush()) {
                self.fail(&format!("{shown}: {}", reason(&error)));
            }
            return None;
        }
        let mut members = Members::new(input);
        let copied = io::copy(&mut members, &mut output).and_then(|count| {
            output.flush()?;
            Ok(count)
        });
        match copied {
            Ok(count) => {
                if members.garbage {
                    if !self.quiet {
                        eprintln!();
                    }
                    self.warn(&format!(
                        "{shown}: decompression OK, trailing garbage ignored"
                    ));
                }
                Some((length, count))
            }
            Err(error) => {
                let _ = output.flush();
                if Damage::of(&error).is_some() {
                    eprintln!();
                }
                self.discard(created.as_deref(), shown, &error);
                None
            }
        }
    }

    fn test_path(&mut self, path: &Path) {
        let shown = path.display().to_string();
        let Some(source) = self.open(path) else {
            return;
        };
        if self.unpack(source, None, &shown).is_some() && self.verbose {
            eprintln!("{shown}:\t OK");
        }
    }

    fn list_path(&mut self, path: &Path) {
        let shown = path.display().to_string();
        let Some(mut file) = self.open(path) else {
            return;
        };
        let mut start = [0; 2];
        let length = file.metadata().map_or(0, |facts| facts.len());
        if file.read_exact(&mut start).is_err() || start != [0x1f, 0x8b] || length < 18 {
            eprintln!();
            return self.fail(&format!("{shown}: not in gzip format"));
        }
        let name = self.unpacked_name(path);
        let name = name.map_or_else(|| shown.clone(), |name| name.display().to_string());
        if let Err(error) = self.listing.file(&mut file, length, &name) {
            self.fail(&format!("{shown}: {}", reason(&error)));
        }
    }

    /// Gives the new file the old one's mode and time, and removes the old one.
    fn finish(&mut self, old: &Path, new: Option<&Path>, share: &str) {
        if let Some(new) = new {
            if let Ok(stat) = guest_start::file::stat(old, true) {
                let _ = guest_start::file::chmod(new, stat.mode & 0o7777);
                let (seconds, rest) = (
                    stat.modified_ns.div_euclid(1_000_000_000),
                    stat.modified_ns.rem_euclid(1_000_000_000),
                );
                let _ = times::set_modified(new, seconds, rest as i32);
            }
            if !self.keep
                && let Err(error) = fs::remove_file(old)
            {
                self.fail(&format!("{}: {}", old.display(), reason(&error)));
            }
        }
        if self.verbose {
            match new {
                Some(new) if self.keep => {
                    eprintln!("{}:\t{share} -- created {}", old.display(), new.display());
                }
                Some(new) => {
                    eprintln!(
                        "{}:\t{share} -- replaced with {}",
                        old.display(),
                        new.display()
                    );
                }
                None => eprintln!("{}:\t{share}", old.display()),
            }
        }
    }

    /// Says why the output is not whole and takes it away.
    fn discard(&mut self, created: Option<&Path>, shown: &str, error: &io::Error) {
        if let Some(created) = created {
            let _ = fs::remove_file(created);
        }
        let why = match Damage::of(error) {
            Some(damage) => damage.text().to_owned(),
            None => reason(error),
        };
        self.fail(&format!("{shown}: {why}"));
    }
}

fn stdout() -> Target {
    Target {
        // A duplicate, because a file closes its descriptor when it goes.
        file: guest_start::descriptor::into_file(
            guest_start::descriptor::duplicate(1, 3).unwrap_or(1),
        ),
        created: None,
    }
}

fn starts_as_gzip(input: &mut impl io::BufRead) -> bool {
    matches!(input.fill_buf(), Ok([0x1f, 0x8b, ..]))
}

/// Counts what goes through.
struct Counted<T> {
    inner: T,
    count: u64,
}

impl<T: Write> Write for Counted<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.count += count as u64;
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
