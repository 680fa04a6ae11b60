//! What `tar` was asked to do.

use std::{
    ffi::OsString,
    os::wasi::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use options::{Found, Grammar, Takes};

use super::{
    Trouble,
    names::{Exclusion, Renaming},
    stamp,
};

const WILDCARDS: u32 = 256;
const NO_WILDCARDS: u32 = 257;
const EXCLUDE: u32 = 258;
const EXCLUDE_VCS: u32 = 259;
const STRIP: u32 = 260;
const TRANSFORM: u32 = 261;
const NULL: u32 = 262;
const NO_NULL: u32 = 263;
const NO_RECURSION: u32 = 264;
const OWNER: u32 = 265;
const GROUP: u32 = 266;
const NUMERIC: u32 = 267;
const MTIME: u32 = 268;
const MODE: u32 = 269;
const SORT: u32 = 270;
const SKIP_OLD: u32 = 271;
const OVERWRITE: u32 = 272;
const DELETE: u32 = 273;
const TOTALS: u32 = 274;
const FORMAT: u32 = 275;
/// Accepted, and true of what happens anyway.
const ACCEPTED: u32 = 276;
const SHOW_NAMES: u32 = 277;
const RECURSION: u32 = 278;
const REMOVE: u32 = 279;
const IGNORE_READ: u32 = 280;
const HELP: u32 = 281;
const VERSION: u32 = 282;
const USAGE: u32 = 283;
const FOREIGN: u32 = 284;
const ZSTD: u32 = 285;

const GRAMMAR: Grammar = Grammar {
    short: "AcdrtuxzjJZaC:vpPOkmhT:X:f:lob:B:nsSWwiUN:I:g:H:K:V:",
    long: &[
        ("absolute-names", Takes::Nothing, 'P' as u32),
        ("acls", Takes::Nothing, ACCEPTED),
        ("anchored", Takes::Nothing, ACCEPTED),
        ("append", Takes::Nothing, 'r' as u32),
        ("auto-compress", Takes::Nothing, 'a' as u32),
        ("blocking-factor", Takes::Value, 'b' as u32),
        ("bzip2", Takes::Nothing, 'j' as u32),
        ("catenate", Takes::Nothing, 'A' as u32),
        ("compare", Takes::Nothing, 'd' as u32),
        ("compress", Takes::Nothing, 'Z' as u32),
        ("concatenate", Takes::Nothing, 'A' as u32),
        ("create", Takes::Nothing, 'c' as u32),
        ("delete", Takes::Nothing, DELETE),
        ("dereference", Takes::Nothing, 'h' as u32),
        ("diff", Takes::Nothing, 'd' as u32),
        ("directory", Takes::Value, 'C' as u32),
        ("exclude", Takes::Value, EXCLUDE),
        ("exclude-from", Takes::Value, 'X' as u32),
        ("exclude-vcs", Takes::Nothing, EXCLUDE_VCS),
        ("extract", Takes::Nothing, 'x' as u32),
        ("file", Takes::Value, 'f' as u32),
        ("files-from", Takes::Value, 'T' as u32),
        ("force-local", Takes::Nothing, ACCEPTED),
        ("format", Takes::Value, FORMAT),
        ("full-time", Takes::Nothing, FOREIGN),
        ("get", Takes::Nothing, 'x' as u32),
        ("group", Takes::Value, GROUP),
        ("gunzip", Takes::Nothing, 'z' as u32),
        ("gzip", Takes::Nothing, 'z' as u32),
        ("hard-dereference", Takes::Nothing, FOREIGN),
        ("help", Takes::Nothing, HELP),
        ("ignore-failed-read", Takes::Nothing, IGNORE_READ),
        ("ignore-zeros", Takes::Nothing, 'i' as u32),
        ("keep-old-files", Takes::Nothing, 'k' as u32),
        ("list", Takes::Nothing, 't' as u32),
        ("mode", Takes::Value, MODE),
        ("mtime", Takes::Value, MTIME),
        ("no-acls", Takes::Nothing, ACCEPTED),
        ("no-anchored", Takes::Nothing, ACCEPTED),
        ("no-null", Takes::Nothing, NO_NULL),
        ("no-overwrite-dir", Takes::Nothing, ACCEPTED),
        ("no-recursion", Takes::Nothing, NO_RECURSION),
        ("no-same-owner", Takes::Nothing, ACCEPTED),
        ("no-same-permissions", Takes::Nothing, ACCEPTED),
        ("no-selinux", Takes::Nothing, ACCEPTED),
        ("no-wildcards", Takes::Nothing, NO_WILDCARDS),
        ("no-xattrs", Takes::Nothing, ACCEPTED),
        ("null", Takes::Nothing, NULL),
        ("numeric-owner", Takes::Nothing, NUMERIC),
        ("one-file-system", Takes::Nothing, ACCEPTED),
        ("overwrite", Takes::Nothing, OVERWRITE),
        ("owner", Takes::Value, OWNER),
        ("preserve-order", Takes::Nothing, ACCEPTED),
        ("preserve-permissions", Takes::Nothing, 'p' as u32),
        ("recursion", Takes::Nothing, RECURSION),
        ("remove-files", Takes::Nothing, REMOVE),
        ("same-order", Takes::Nothing, ACCEPTED),
        ("same-owner", Takes::Nothing, ACCEPTED),
        ("same-permissions", Takes::Nothing, 'p' as u32),
        ("selinux", Takes::Nothing, ACCEPTED),
        ("show-stored-names", Takes::Nothing, SHOW_NAMES),
        ("show-transformed-names", Takes::Nothing, SHOW_NAMES),
        ("skip-old-files", Takes::Nothing, SKIP_OLD),
        ("sort", Takes::Value, SORT),
        ("strip-components", Takes::Value, STRIP),
        ("to-stdout", Takes::Nothing, 'O' as u32),
        ("totals", Takes::Nothing, TOTALS),
        ("touch", Takes::Nothing, 'm' as u32),
        ("transform", Takes::Value, TRANSFORM),
        ("ungzip", Takes::Nothing, 'z' as u32),
        ("unlink-first", Takes::Nothing, 'U' as u32),
        ("update", Takes::Nothing, 'u' as u32),
        ("usage", Takes::Nothing, USAGE),
        ("use-compress-program", Takes::Value, 'I' as u32),
        ("utc", Takes::Nothing, ACCEPTED),
        ("verbose", Takes::Nothing, 'v' as u32),
        ("version", Takes::Nothing, VERSION),
        ("warning", Takes::Value, ACCEPTED),
        ("wildcards", Takes::Nothing, WILDCARDS),
        ("wildcards-match-slash", Takes::Nothing, ACCEPTED),
        ("xattrs", Takes::Nothing, ACCEPTED),
        ("xform", Takes::Value, TRANSFORM),
        ("xz", Takes::Nothing, 'J' as u32),
        ("zstd", Takes::Nothing, ZSTD),
    ],
};

const HELP_TEXT: &str = "Usage: tar [OPTION...] [FILE]...
  -c, --create              create a new archive
  -x, --extract             extract files from an archive
  -t, --list                list the contents of an archive
  -r, --append              append files to the end of an archive
  -u, --update              only append files newer than copy in archive
  -d, --compare             find differences between archive and file system
      --delete              delete from the archive
  -f, --file=ARCHIVE        use this archive ('-': standard input or output)
  -z, --gzip                filter the archive through gzip
  -a, --auto-compress       use the archive's suffix to choose the compression
  -C, --directory=DIR       change to DIR
  -v, --verbose             list the files processed
  -O, --to-stdout           extract files to standard output
  -p, --preserve-permissions  extract permissions whatever the umask
  -m, --touch               don't extract modification times
  -k, --keep-old-files      don't replace existing files; --skip-old-files: silently
  -h, --dereference         archive what symbolic links point to
  -P, --absolute-names      don't strip leading '/' from names
  -T, --files-from=FILE     take names from FILE (--null: separated by NUL)
  -X, --exclude-from=FILE   exclude patterns listed in FILE
      --exclude=PATTERN --exclude-vcs --wildcards --strip-components=NUMBER
      --transform=EXPRESSION --no-recursion --sort=ORDER --owner --group --numeric-owner
      --mtime=DATE --mode=CHANGES --totals --remove-files --overwrite --unlink-first
Archives are written in GNU's format.";

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
        },
        creation: Creation {
            dereference: letter('h'),
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
            mode: value(MODE),
        },
    }))
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
