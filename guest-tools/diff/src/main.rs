//! `diff` and `cmp`.

mod cmp;
mod command_line;
mod files;
mod formats;
mod lines;
mod script;

use std::io::Write;

use guest_start as _;

fn main() {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let rest = arguments.collect();
    let is_cmp = std::path::Path::new(&name)
        .file_name()
        .is_some_and(|name| name == "cmp");
    let code = if is_cmp {
        cmp::run(rest)
    } else {
        files::run(rest)
    };
    let flushed = std::io::stdout().flush();
    std::process::exit(if flushed.is_err() { 2 } else { code });
}
