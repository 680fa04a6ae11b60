//! The options of `tar`: their letters, their names, and the codes they are found by.

use options::{Grammar, Takes};

pub const WILDCARDS: u32 = 256;
pub const NO_WILDCARDS: u32 = 257;
pub const EXCLUDE: u32 = 258;
pub const EXCLUDE_VCS: u32 = 259;
pub const STRIP: u32 = 260;
pub const TRANSFORM: u32 = 261;
pub const NULL: u32 = 262;
pub const NO_NULL: u32 = 263;
pub const NO_RECURSION: u32 = 264;
pub const OWNER: u32 = 265;
pub const GROUP: u32 = 266;
pub const NUMERIC: u32 = 267;
pub const MTIME: u32 = 268;
pub const MODE: u32 = 269;
pub const SORT: u32 = 270;
pub const SKIP_OLD: u32 = 271;
pub const OVERWRITE: u32 = 272;
pub const DELETE: u32 = 273;
pub const TOTALS: u32 = 274;
pub const FORMAT: u32 = 275;
/// Accepted, and true of what happens anyway.
pub const ACCEPTED: u32 = 276;
pub const SHOW_NAMES: u32 = 277;
pub const RECURSION: u32 = 278;
pub const REMOVE: u32 = 279;
pub const IGNORE_READ: u32 = 280;
pub const HELP: u32 = 281;
pub const VERSION: u32 = 282;
pub const USAGE: u32 = 283;
pub const FOREIGN: u32 = 284;
pub const ZSTD: u32 = 285;
pub const KEEP_LINKS: u32 = 286;

pub const GRAMMAR: Grammar = Grammar {
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
        ("keep-directory-symlink", Takes::Nothing, KEEP_LINKS),
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

pub const HELP_TEXT: &str = "Usage: tar [OPTION...] [FILE]...
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
      --keep-directory-symlink
Archives are written in GNU's format.";
