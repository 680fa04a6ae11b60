//! What `tar` was asked to do.

use std::{
    ffi::OsString,
    os::wasi::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use options::Found;

use super::{
    Trouble,
    grammar::*,
    mode,
    names::{Exclusion, Renaming},
    stamp,
};

/// The one thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    Extract,
    List,
    Append,
    Update,
    Compare,
    Delete,
}

/// How the archive is compressed, or that its name and content say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Detect,
    Gzip,
}

/// A name on the command line or in a list, and the folder it is looked for in.
#[derive(Debug, Clone)]
pub struct Named {
    pub folder: PathBuf,
    /// How many operands came before it.
    pub position: usize,
    pub name: Vec<u8>,
}

/// How existing files are met on extraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    Replace,
    Keep,
    Skip,
    /// Written into rather than unlinked first.
    Overwrite,
}

/// How files come out.
pub struct Extraction {
    /// Links to folders serve as folders.
    pub keep_links: bool,
    pub to_stdout: bool,
    pub preserve_modes: bool,
    pub no_times: bool,
    pub old: Old,
}

/// How files go in.
pub struct Creation {
    pub dereference: bool,
    pub recursion: bool,
    pub sorted: bool,
    pub remove_files: bool,
    pub ignore_unreadable: bool,
    pub owner: Option<(u32, String)>,
    pub group: Option<(u32, String)>,
    pub modified: Option<i64>,
    pub mode: Option<String>,
}

/// A whole command line.
pub struct Request {
    pub operation: Operation,
    pub archive: PathBuf,
    pub compression: Compression,
    pub verbose: usize,
    pub names: Vec<Named>,
    /// The folder of everything when no name is given.
    pub folder: PathBuf,
    pub renaming: Renaming,
    pub exclusion: Exclusion,
    pub wildcards: Option<bool>,
    pub numeric_owner: bool,
    pub totals: bool,
    pub ignore_zeros: bool,
    pub extraction: Extraction,
    pub creation: Creation,
}

impl Request {
    /// The archive is standard input or output.
    pub fn is_stream(&self) -> bool {
        self.archive.as_os_str() == "-"
    }
}

/// Reads a command line; `None` when it only asked for help.
pub fn read(arguments: Vec<OsString>) -> Result<Option<Request>, Trouble> {
    let line = GRAMMAR
        .parse(unbundled(arguments)?.into_iter())
        .map_err(Trouble::CommandLine)?;
    let options = &line.options;
    for found in options {
        match found.code {
            HELP | USAGE => {
                println!("{HELP_TEXT}");
                return Ok(None);
            }
            VERSION => {
                println!("tar (hotcell) {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            _ => {}
        }
    }
    let has = |code: u32| options.iter().any(|found| found.code == code);
    let letter = |code: char| has(code as u32);
    let operation = operation(options)?;
    let compression = compression(options, operation)?;
    let (names, folder) = names(options, &line.operands)?;
    let old = options.iter().rev().find_map(|found| match found.code {
        SKIP_OLD => Some(Old::Skip),
        OVERWRITE => Some(Old::Overwrite),
        code if code == 'k' as u32 => Some(Old::Keep),
        _ => None,
    });
    let value = |code: u32| {
        let mut matching = options.iter().rev().filter(|found| found.code == code);
        matching.next().map(Found::text)
    };
    let archive = value('f' as u32).unwrap_or_else(|| "-".to_owned());
    Ok(Some(Request {
        operation,
        archive: archive.into(),
        compression,
        verbose: options.iter().filter(|f| f.code == 'v' as u32).count(),
        names,
        folder,
        renaming: renaming(options)?,
        exclusion: exclusion(options)?,
        wildcards: options.iter().rev().find_map(|found| match found.code {
            WILDCARDS => Some(true),
            NO_WILDCARDS => Some(false),
            _ => None,
        }),
        numeric_owner: has(NUMERIC),
        totals: has(TOTALS),
        ignore_zeros: letter('i'),
        extraction: Extraction {
            to_stdout: letter('O'),
            preserve_modes: letter('p'),
            no_times: letter('m'),
            old: old.unwrap_or(Old::Replace),
            keep_links: has(KEEP_LINKS),
        },
        creation: creation(options)?,
    }))
}

/// How files go in, by the options.
fn creation(options: &[Found]) -> Result<Creation, Trouble> {
    let has = |code: u32| options.iter().any(|found| found.code == code);
    let value = |code: u32| {
        let mut matching = options.iter().rev().filter(|found| found.code == code);
        matching.next().map(Found::text)
    };
    Ok(Creation {
        dereference: has('h' as u32),
        recursion: !has(NO_RECURSION),
        sorted: match value(SORT).as_deref() {
            None | Some("none" | "inode") => false,
            Some("name") => true,
            Some(other) => {
                return Err(Trouble::Usage(format!(
                    "invalid argument '{other}' for '--sort'"
                )));
            }
        },
        remove_files: has(REMOVE),
        ignore_unreadable: has(IGNORE_READ),
        owner: value(OWNER).map(|text| identity(&text, true)).transpose()?,
        group: value(GROUP)
            .map(|text| identity(&text, false))
            .transpose()?,
        modified: value(MTIME).map(|text| stamp::read(&text)).transpose()?,
        mode: value(MODE)
            .map(|text| match mode::change(&text, 0, false) {
                Some(_) => Ok(text),
                None => Err(Trouble::Fatal("Invalid mode given on option".to_owned())),
            })
            .transpose()?,
    })
}

/// `tar xzf FILE` is `tar -x -z -f FILE`: values of letters follow in the letters' order.
fn unbundled(arguments: Vec<OsString>) -> Result<Vec<OsString>, Trouble> {
    let Some(first) = arguments.first() else {
        return Ok(arguments);
    };
    let letters = first.as_bytes().to_vec();
    if letters.is_empty() || letters[0] == b'-' {
        return Ok(arguments);
    }
    let mut rest = arguments.into_iter().skip(1);
    let mut out = Vec::new();
    for letter in letters {
        out.push(OsString::from_vec(vec![b'-', letter]));
        let short = GRAMMAR.short.as_bytes();
        let at = short.iter().position(|b| *b == letter && letter != b':');
        if at.is_some_and(|at| short.get(at + 1) == Some(&b':')) {
            out.push(rest.next().ok_or_else(|| {
                let letter = letter as char;
                Trouble::Usage(format!("Old option '{letter}' requires an argument."))
            })?);
        }
    }
    out.extend(rest);
    Ok(out)
}

fn operation(options: &[Found]) -> Result<Operation, Trouble> {
    let mut chosen = None;
    for found in options {
        let operation = match char::from_u32(found.code) {
            _ if found.code == DELETE => Operation::Delete,
            Some('c') => Operation::Create,
            Some('x') => Operation::Extract,
            Some('t') => Operation::List,
            Some('r') => Operation::Append,
            Some('u') => Operation::Update,
            Some('d') => Operation::Compare,
            Some('A') => {
                let text =
                    "-A: joining archives is not supported here; extract both and create anew";
                return Err(Trouble::Usage(text.to_owned()));
            }
            _ => continue,
        };
        if chosen.is_some_and(|other| other != operation) {
            return Err(Trouble::Usage(
                "You may not specify more than one '-Acdtrux', '--delete' or  '--test-label' option"
                    .to_owned(),
            ));
        }
        chosen = Some(operation);
    }
    chosen.ok_or_else(|| {
        Trouble::Usage(
            "You must specify one of the '-Acdtrux', '--delete' or '--test-label' options"
                .to_owned(),
        )
    })
}

fn compression(options: &[Found], operation: Operation) -> Result<Compression, Trouble> {
    let mut compression = Compression::Detect;
    for found in options {
        let program = match char::from_u32(found.code) {
            _ if found.code == ZSTD => "zstd".to_owned(),
            _ if found.code == FOREIGN => {
                return Err(Trouble::Usage(
                    "--full-time and --hard-dereference are not supported here".to_owned(),
                ));
            }
            Some('z') => "gzip".to_owned(),
            Some('j') => "bzip2".to_owned(),
            Some('J') => "xz".to_owned(),
            Some('Z') => "compress".to_owned(),
            Some('I') => found.text(),
            Some('a') => {
                let archive = options.iter().rev().find(|f| f.code == 'f' as u32);
                match (operation, archive) {
                    (Operation::Create, Some(archive)) => match by_suffix(&archive.text()) {
                        Some(program) => program.to_owned(),
                        None => continue,
                    },
                    _ => continue,
                }
            }
            _ => continue,
        };
        let word = program.split(' ').next().unwrap_or_default();
        if !["gzip", "pigz"].contains(&word) {
            return Err(Trouble::NoProgram(word.to_owned()));
        }
        compression = Compression::Gzip;
    }
    Ok(compression)
}

fn by_suffix(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "gz" | "tgz" | "taz" => "gzip",
        "bz2" | "tbz" | "tbz2" | "tz2" => "bzip2",
        "xz" | "txz" => "xz",
        "zst" | "tzst" => "zstd",
        "lzma" | "tlz" => "lzma",
        "Z" | "taZ" => "compress",
        _ => return None,
    })
}

/// The names in order, each with the folder that the `-C` before it say, and the last folder.
fn names(options: &[Found], operands: &[OsString]) -> Result<(Vec<Named>, PathBuf), Trouble> {
    let mut names = Vec::new();
    let mut folder = PathBuf::new();
    let mut options = options.iter().peekable();
    let mut separator = b'\n';
    for position in 0..=operands.len() {
        while let Some(found) = options.next_if(|found| found.position <= position) {
            match char::from_u32(found.code) {
                Some('C') => folder.push(found.text()),
                Some('T') => {
                    let list = List {
                        separator,
                        position,
                    };
                    list.read(&found.text(), &mut folder, &mut names)?;
                }
                _ if found.code == NULL => separator = 0,
                _ if found.code == NO_NULL => separator = b'\n',
                _ => {}
            }
        }
        if let Some(operand) = operands.get(position) {
            names.push(Named {
                folder: folder.clone(),
                position,
                name: operand.as_bytes().to_vec(),
            });
        }
    }
    Ok((names, folder))
}

/// A list of names of `-T`.
struct List {
    separator: u8,
    position: usize,
}

impl List {
    fn read(
        &self,
        path: &str,
        folder: &mut PathBuf,
        names: &mut Vec<Named>,
    ) -> Result<(), Trouble> {
        let text = read_all(Path::new(path))?;
        let lines = self.separator == b'\n';
        let mut change = false;
        for name in text.split(|byte| *byte == self.separator) {
            if change {
                folder.push(String::from_utf8_lossy(name).as_ref());
                change = false;
            } else if lines && name == b"-C" {
                change = true;
            } else if lines && name.starts_with(b"-C") {
                folder.push(String::from_utf8_lossy(&name[2..]).trim());
            } else if !name.is_empty() {
                names.push(Named {
                    folder: folder.clone(),
                    position: self.position,
                    name: name.to_vec(),
                });
            }
        }
        Ok(())
    }
}

fn read_all(path: &Path) -> Result<Vec<u8>, Trouble> {
    let read = if path.as_os_str() == "-" {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut text).map(|_| text)
    } else {
        std::fs::read(path)
    };
    read.map_err(|error| {
        let verb = match error.kind() {
            std::io::ErrorKind::NotFound => "stat",
            _ => "open",
        };
        Trouble::fatal(format!("{}: Cannot {verb}", path.display()), &error)
    })
}

fn renaming(options: &[Found]) -> Result<Renaming, Trouble> {
    let mut renaming = Renaming::default();
    for found in options {
        match found.code {
            code if code == 'P' as u32 => renaming.absolute = true,
            STRIP => {
                let text = found.text();
                renaming.strip = text
                    .parse()
                    .map_err(|_| Trouble::Usage(format!("{text}: Invalid number of elements")))?;
            }
            TRANSFORM => renaming.add(&found.text()).map_err(Trouble::Usage)?,
            SHOW_NAMES => renaming.show = true,
            _ => {}
        }
    }
    Ok(renaming)
}

fn exclusion(options: &[Found]) -> Result<Exclusion, Trouble> {
    let mut patterns = Vec::new();
    for found in options {
        match found.code {
            EXCLUDE => patterns.push((found.text(), found.position)),
            EXCLUDE_VCS => patterns.extend(
                [
                    "CVS",
                    ".cvsignore",
                    "RCS",
                    "SCCS",
                    ".git",
                    ".gitignore",
                    ".gitattributes",
                    ".gitmodules",
                    ".svn",
                    ".arch-ids",
                    "{arch}",
                    "=RELEASE-ID",
                    "=meta-update",
                    "=update",
                    ".bzr",
                    ".bzrignore",
                    ".bzrtags",
                    ".hg",
                    ".hgignore",
                    ".hgtags",
                    "_darcs",
                ]
                .map(|name| (name.to_owned(), found.position)),
            ),
            code if code == 'X' as u32 => {
                let text = read_all(Path::new(&found.text()))?;
                let text = String::from_utf8_lossy(&text).into_owned();
                let lines = text.lines().filter(|line| !line.is_empty());
                patterns.extend(lines.map(|line| (line.to_owned(), found.position)));
            }
            _ => {}
        }
    }
    Ok(Exclusion { patterns })
}

/// `NAME`, `NUMBER`, `NAME:NUMBER` or `:NUMBER` of `--owner` and `--group`.
fn identity(text: &str, user: bool) -> Result<(u32, String), Trouble> {
    let what = if user { "owner" } else { "group" };
    let invalid = || Trouble::Usage(format!("{text}: Invalid {what}"));
    if let Some((name, number)) = text.split_once(':') {
        return Ok((number.parse().map_err(|_| invalid())?, name.to_owned()));
    }
    let (number, name) = if user {
        (
            guest_unix::entries::usr2uid(text),
            guest_unix::entries::uid2usr as fn(u32) -> _,
        )
    } else {
        (
            guest_unix::entries::grp2gid(text),
            guest_unix::entries::gid2grp as fn(u32) -> _,
        )
    };
    let number = number.map_err(|_| invalid())?;
    let name: std::io::Result<String> = name(number);
    Ok((number, name.unwrap_or_default()))
}
