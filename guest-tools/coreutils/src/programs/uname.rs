//! `uname`, `arch`, `hostname` and `sync`.

use std::ffi::OsString;

use options::{Grammar, Takes, quote};

use super::{HELP, VERSION, bad_usage, information};

const MACHINE: &str = "wasm32";
const NODE: &str = "hotcell";
const RELEASE: &str = "6.1.0-hotcell";

const UNAME: Grammar = Grammar {
    short: "asnrvmpio",
    long: &[
        ("all", Takes::Nothing, 'a' as u32),
        ("kernel-name", Takes::Nothing, 's' as u32),
        ("sysname", Takes::Nothing, 's' as u32),
        ("nodename", Takes::Nothing, 'n' as u32),
        ("kernel-release", Takes::Nothing, 'r' as u32),
        ("release", Takes::Nothing, 'r' as u32),
        ("kernel-version", Takes::Nothing, 'v' as u32),
        ("machine", Takes::Nothing, 'm' as u32),
        ("processor", Takes::Nothing, 'p' as u32),
        ("hardware-platform", Takes::Nothing, 'i' as u32),
        ("operating-system", Takes::Nothing, 'o' as u32),
        HELP,
        VERSION,
    ],
};

pub fn uname(name: &str, arguments: Vec<OsString>) -> i32 {
    let line = match UNAME.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, "Usage: uname [OPTION]...\n") {
        return status;
    }
    if let Some(extra) = line.operands.first() {
        return bad_usage(name, &format!("extra operand {}", quote(extra)), 1);
    }
    let all = line.has('a');
    let facts = [
        ('s', "Linux"),
        ('n', NODE),
        ('r', RELEASE),
        ('v', "#1 SMP"),
        ('m', MACHINE),
        ('p', "unknown"),
        ('i', "unknown"),
        ('o', "GNU/Linux"),
    ];
    let shown: Vec<&str> = facts
        .into_iter()
        .filter(|(letter, fact)| match letter {
            _ if line.has(*letter) => true,
            's' if line.options.is_empty() => true,
            _ => all && *fact != "unknown",
        })
        .map(|(_, fact)| fact)
        .collect();
    println!("{}", shown.join(" "));
    0
}

pub fn arch(_: &str, _: Vec<OsString>) -> i32 {
    println!("{MACHINE}");
    0
}

/// `hostname [-s|-f|-i]`; the name cannot be set.
pub fn hostname(name: &str, arguments: Vec<OsString>) -> i32 {
    let grammar = Grammar {
        short: "sfidIA",
        long: &[
            ("short", Takes::Nothing, 's' as u32),
            ("fqdn", Takes::Nothing, 'f' as u32),
            ("domain", Takes::Nothing, 'd' as u32),
            ("ip-address", Takes::Nothing, 'i' as u32),
            HELP,
            VERSION,
        ],
    };
    let line = match grammar.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, "Usage: hostname [-s|-f|-i]\n") {
        return status;
    }
    if !line.operands.is_empty() {
        eprintln!("{name}: you must be root to change the host name");
        return 1;
    }
    match () {
        () if line.has('i') || line.has('I') => println!("127.0.0.1"),
        () if line.has('d') => println!(),
        () => println!("{NODE}"),
    }
    0
}

/// `sync [FILE]...`: the host writes files through at once.
pub fn sync(name: &str, arguments: Vec<OsString>) -> i32 {
    let mut status = 0;
    for file in arguments
        .iter()
        .filter(|file| !file.to_string_lossy().starts_with('-'))
    {
        if let Err(error) = std::fs::metadata(file) {
            eprintln!(
                "{name}: error opening {}: {}",
                quote(file),
                options::reason(&error)
            );
            status = 1;
        }
    }
    status
}
