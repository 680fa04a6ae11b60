//! Programs that no crate brings to WASI: those that start others, and those about modes, owners
//! and copies of files.

mod chmod;
mod chown;
mod copy;
mod copy_tree;
mod cp;
mod dd;
mod fmt;
mod identity;
mod install;
mod mv;
mod pr;
mod rev;
mod shasum;
mod start;
mod stat;
mod stat_format;
mod tac;
mod tail;
mod timeout;
mod uname;

use std::{ffi::OsString, io::Write};

/// A program: its arguments without its name to its exit status.
type Program = fn(&str, Vec<OsString>) -> i32;

const PROGRAMS: &[(&str, Program)] = &[
    ("arch", uname::arch),
    ("chgrp", chown::run),
    ("chmod", chmod::run),
    ("chown", chown::run),
    ("cp", cp::run),
    ("dd", dd::run),
    ("env", start::env),
    ("fmt", fmt::run),
    ("groups", identity::groups),
    ("hostname", uname::hostname),
    ("id", identity::id),
    ("install", install::run),
    ("logname", identity::whoami),
    ("mv", mv::run),
    ("nice", start::nice),
    ("nohup", start::nohup),
    ("pr", pr::run),
    ("rev", rev::run),
    ("shasum", shasum::run),
    ("stat", stat::run),
    ("sync", uname::sync),
    ("tac", tac::run),
    ("tail", tail::run),
    ("timeout", timeout::run),
    ("uname", uname::uname),
    ("which", start::which),
    ("whoami", identity::whoami),
];

/// Runs program `name`; `None` when it is not one of these.
pub fn run(name: &str, arguments: impl Iterator<Item = OsString>) -> Option<i32> {
    let (name, program) = PROGRAMS.iter().find(|(known, _)| *known == name)?;
    Some(program(name, arguments.skip(1).collect()))
}

/// Answers `--version`, and `--help` with `usage`; `None` for any other line.
fn information(name: &str, line: &options::Line, usage: &str) -> Option<i32> {
    let text = if line.has('\u{1}') {
        usage.to_owned()
    } else if line.has('\u{2}') {
        format!("{name} (hotcell) {}\n", env!("CARGO_PKG_VERSION"))
    } else {
        return None;
    };
    let _ = std::io::stdout().write_all(text.as_bytes());
    Some(0)
}

/// The codes of `--help` and `--version`.
const HELP: options::Long = ("help", options::Takes::Nothing, 1);
const VERSION: options::Long = ("version", options::Takes::Nothing, 2);

/// Says what is wrong with the command line; answers `status`.
fn bad_usage(name: &str, message: &str, status: i32) -> i32 {
    eprintln!("{name}: {message}\nTry '{name} --help' for more information.");
    status
}

/// A count with an optional unit: `b` 512, `kB` 1000, `K` and `KiB` 1024, and so on.
fn amount(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = if number.is_empty() && !unit.is_empty() {
        1
    } else {
        number.parse().ok()?
    };
    let powers = "KMGTPEZY";
    let factor = match unit {
        "" | "c" => 1,
        "w" => 2,
        "b" => 512,
        _ => {
            let first = unit.chars().next()?.to_ascii_uppercase();
            let power = powers.find(first)? as u32 + 1;
            match &unit[1..] {
                "" | "iB" => 1024_u64.checked_pow(power)?,
                "B" => 1000_u64.checked_pow(power)?,
                _ => return None,
            }
        }
    };
    number.checked_mul(factor)
}
