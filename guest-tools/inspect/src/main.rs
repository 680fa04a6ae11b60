//! Programs that show what is in files.

mod column;
mod file;
mod hexdump;
mod hexdump_format;
mod pager;
mod strings;
mod table;
mod xxd;
mod xxd_revert;

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use guest_start as _;

fn main() {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let rest = arguments.collect();
    let called = Path::new(&name).file_name().unwrap_or_default();
    let code = match called.to_str() {
        Some("strings") => strings::run(rest),
        Some("column") => column::run(rest),
        Some("xxd") => xxd::run(rest),
        Some("hexdump") => hexdump::run(rest, false),
        Some("hd") => hexdump::run(rest, true),
        Some("file") => file::run(rest),
        Some("less") => pager::less(rest),
        _ => pager::more(rest),
    };
    let flushed = io::stdout().flush();
    std::process::exit(if flushed.is_err() { 1 } else { code });
}

/// Standard input as a file, which does not close it.
fn stdin() -> impl Read {
    io::stdin().lock()
}

/// Opens a file to read; a folder is an error.
fn open(path: impl AsRef<Path>) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}
