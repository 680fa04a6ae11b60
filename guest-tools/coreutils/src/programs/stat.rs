//! `stat [OPTION]... FILE...`

use std::{ffi::OsString, fs, io::Write, path::Path};

use guest_unix::fs::MetadataExt;
use options::{Grammar, Takes, quote, reason};

use super::{HELP, VERSION, bad_usage, information, stat_format};

const GRAMMAR: Grammar = Grammar {
    short: "c:fLt",
    long: &[
        ("format", Takes::Value, 'c' as u32),
        ("printf", Takes::Value, 'p' as u32),
        ("dereference", Takes::Nothing, 'L' as u32),
        ("file-system", Takes::Nothing, 'f' as u32),
        ("terse", Takes::Nothing, 't' as u32),
        ("cached", Takes::Value, 'C' as u32),
        HELP,
        VERSION,
    ],
};

const TERSE: &str = "%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o";

/// The lines of a plain `stat`; devices have one more fact.
fn default_format(is_device: bool) -> String {
    let device = if is_device {
        "Device: %Hd,%Ld\tInode: %-11i Links: %-5h Device type: %Hr,%Lr\n"
    } else {
        "Device: %Hd,%Ld\tInode: %-11i Links: %h\n"
    };
    format!(
        "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n{device}\
         Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\n\
         Access: %x\nModify: %y\nChange: %z\n Birth: %w"
    )
}

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, "Usage: stat [OPTION]... FILE...\n") {
        return status;
    }
    if line.operands.is_empty() {
        return bad_usage(name, "missing operand", 1);
    }
    if line.has('f') {
        eprintln!(
            "{name}: --file-system (-f) is not available here: a guest sees no file system, only its folders"
        );
        return 1;
    }
    let format = line.value('c').map(|text| (text, false));
    let format = line.value('p').map(|text| (text, true)).or(format);
    let mut out = Vec::new();
    let mut status = 0;
    for file in &line.operands {
        if let Err(error) = describe(file, &line, format.as_ref(), &mut out) {
            let _ = std::io::stdout().write_all(&std::mem::take(&mut out));
            eprintln!("{name}: cannot statx {}: {}", quote(file), reason(&error));
            status = 1;
        }
    }
    match std::io::stdout().write_all(&out) {
        Ok(()) => status,
        Err(_) => 1,
    }
}

fn describe(
    file: &OsString,
    line: &options::Line,
    format: Option<&(String, bool)>,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let path = if file == "-" {
        Path::new("/dev/stdin")
    } else {
        Path::new(file)
    };
    let follow = line.has('L') || file == "-";
    let metadata = if follow {
        fs::metadata(path)?
    } else {
        fs::symlink_metadata(path)?
    };
    let is_device = matches!(metadata.mode() & 0o170_000, 0o020_000 | 0o060_000);
    let subject = stat_format::Subject {
        path,
        metadata: &metadata,
        always_quote: format.is_some(),
    };
    match format {
        Some((text, true)) => subject.write(&stat_format::unescape(text), out),
        Some((text, false)) => {
            subject.write(text.as_bytes(), out);
            out.push(b'\n');
        }
        None => {
            let text = if line.has('t') {
                TERSE.to_owned()
            } else {
                default_format(is_device)
            };
            subject.write(text.as_bytes(), out);
            out.push(b'\n');
        }
    }
    Ok(())
}
