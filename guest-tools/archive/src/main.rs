//! `tar`, `gzip`, `gunzip` and `zcat`.

mod gunzip;
mod gzip;
mod gzip_list;
mod gzip_names;
mod tar;
mod times;

use std::{io::Write, path::Path};

use guest_start as _;

fn main() {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let rest = arguments.collect();
    let called = Path::new(&name).file_name().unwrap_or_default();
    let code = match called.to_str() {
        Some("tar") => tar::run(rest),
        Some(called) => gzip::run(called, rest),
        None => 2,
    };
    let flushed = std::io::stdout().flush();
    std::process::exit(if flushed.is_err() { 2 } else { code });
}
