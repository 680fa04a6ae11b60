//! The core utilities as one guest: the program is chosen by the last part of `argv[0]`.

mod programs;
mod uutils;

use std::io::Write;

use guest_start as _;

fn main() {
    let mut arguments = uucore::args_os();
    let first = arguments.next().unwrap_or_default();
    let name = std::path::Path::new(&first)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let all = std::iter::once(first)
        .chain(arguments)
        .collect::<Vec<_>>()
        .into_iter();
    let component = match name.as_str() {
        "[" => "test",
        "dir" | "vdir" => "ls",
        other => other,
    };
    let _ = uucore::locale::setup_localization(component);
    let code = match programs::run(&name, all.clone()) {
        Some(code) => Some(code),
        None => uutils::run(&name, all),
    };
    let code = code.unwrap_or_else(|| {
        eprintln!("coreutils: no program named '{name}' in this module");
        127
    });
    if std::io::stdout().flush().is_err() && code == 0 {
        std::process::exit(1);
    }
    std::process::exit(code);
}
