//! `id`, `whoami`, `logname` and `groups` of the one user.

use std::ffi::OsString;

use guest_unix::entries::{GID, UID, USER, gid2grp, uid2usr, usr2uid};
use options::{Grammar, Takes, quote, quote_argument};

use super::{HELP, VERSION, bad_usage, information};

pub fn whoami(name: &str, arguments: Vec<OsString>) -> i32 {
    let grammar = Grammar {
        short: "",
        long: &[HELP, VERSION],
    };
    let line = match grammar.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, &format!("Usage: {name}\n")) {
        return status;
    }
    if let Some(extra) = line.operands.first() {
        return bad_usage(name, &format!("extra operand {}", quote(extra)), 1);
    }
    println!("{USER}");
    0
}

pub fn groups(name: &str, arguments: Vec<OsString>) -> i32 {
    let mut status = 0;
    if arguments.is_empty() {
        println!("{USER}");
    }
    for user in arguments {
        let user = user.to_string_lossy();
        match usr2uid(&user).and_then(gid2grp) {
            Ok(group) => println!("{user} : {group}"),
            Err(_) => {
                eprintln!("{name}: {}: no such user", quote_argument(&*user));
                status = 1;
            }
        }
    }
    status
}

const ID: Grammar = Grammar {
    short: "agGnruzZ",
    long: &[
        ("group", Takes::Nothing, 'g' as u32),
        ("groups", Takes::Nothing, 'G' as u32),
        ("name", Takes::Nothing, 'n' as u32),
        ("real", Takes::Nothing, 'r' as u32),
        ("user", Takes::Nothing, 'u' as u32),
        ("zero", Takes::Nothing, 'z' as u32),
        ("context", Takes::Nothing, 'Z' as u32),
        HELP,
        VERSION,
    ],
};

pub fn id(name: &str, arguments: Vec<OsString>) -> i32 {
    let line = match ID.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, "Usage: id [OPTION]... [USER]...\n") {
        return status;
    }
    if line.has('Z') {
        eprintln!("{name}: --context (-Z) works only on an SELinux-enabled kernel");
        return 1;
    }
    let chosen: Vec<char> = ['u', 'g', 'G']
        .into_iter()
        .filter(|c| line.has(*c))
        .collect();
    if chosen.len() > 1 {
        eprintln!("{name}: cannot print \"only\" of more than one choice");
        return 1;
    }
    if chosen.is_empty() && (line.has('n') || line.has('r')) {
        eprintln!("{name}: cannot print only names or real IDs in default format");
        return 1;
    }
    if chosen.is_empty() && line.has('z') {
        eprintln!("{name}: option --zero not permitted in default format");
        return 1;
    }
    let mut status = 0;
    let own = [OsString::from(USER)];
    let users = if line.operands.is_empty() {
        &own[..]
    } else {
        &line.operands[..]
    };
    for user in users {
        let user = user.to_string_lossy();
        let Ok(uid) = usr2uid(&user).and_then(|uid| uid2usr(uid).map(|_| uid)) else {
            eprintln!("{name}: {}: no such user", quote_argument(&*user));
            status = 1;
            continue;
        };
        let end = if line.has('z') { '\0' } else { '\n' };
        print!(
            "{}{end}",
            describe(uid, chosen.first().copied(), line.has('n'))
        );
    }
    status
}

fn describe(uid: u32, only: Option<char>, names: bool) -> String {
    let gid = if uid == UID { GID } else { uid };
    let (user, group) = (
        uid2usr(uid).unwrap_or_default(),
        gid2grp(gid).unwrap_or_default(),
    );
    match (only, names) {
        (Some('u'), true) => user,
        (Some('u'), false) => uid.to_string(),
        (Some(_), true) => group,
        (Some(_), false) => gid.to_string(),
        (None, _) => format!("uid={uid}({user}) gid={gid}({group}) groups={gid}({group})"),
    }
}
