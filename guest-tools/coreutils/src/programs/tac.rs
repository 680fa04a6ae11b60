//! `tac [OPTION]... [FILE]...`

use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Write},
};

use options::{Grammar, Takes, quote, reason};
use posix_regex::{Matcher, Options, Syntax, translate};

use super::{HELP, VERSION, bad_usage, information};

const GRAMMAR: Grammar = Grammar {
    short: "brs:",
    long: &[
        ("before", Takes::Nothing, 'b' as u32),
        ("regex", Takes::Nothing, 'r' as u32),
        ("separator", Takes::Value, 's' as u32),
        HELP,
        VERSION,
    ],
};

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, "Usage: tac [OPTION]... [FILE]...\n") {
        return status;
    }
    let separator = line.value('s').unwrap_or_else(|| "\n".to_owned());
    let separator = if separator.is_empty() {
        "\0".to_owned()
    } else {
        separator
    };
    let matcher = match matcher(&separator, line.has('r')) {
        Ok(matcher) => matcher,
        Err(message) => return bad_usage(name, &message, 1),
    };
    let files = if line.operands.is_empty() {
        vec![OsString::from("-")]
    } else {
        line.operands.clone()
    };
    let mut status = 0;
    for file in &files {
        let mut text = Vec::new();
        let read = if file == "-" {
            io::stdin().read_to_end(&mut text).map(drop)
        } else {
            fs::read(file).map(|read| text = read)
        };
        if let Err(error) = read {
            eprintln!(
                "{name}: failed to open {} for reading: {}",
                quote(file),
                reason(&error)
            );
            status = 1;
            continue;
        }
        if io::stdout()
            .write_all(&reversed(&text, &matcher, line.has('b')))
            .is_err()
        {
            return 1;
        }
    }
    status
}

fn matcher(separator: &str, is_expression: bool) -> Result<Matcher, String> {
    let pattern = if is_expression {
        translate(separator, Syntax::Basic, "")?.pattern
    } else {
        separator
            .chars()
            .map(|c| format!("\\x{{{:x}}}", c as u32))
            .collect()
    };
    Matcher::new(&pattern, false, Options::default())
}

/// The records of `text`, last first; a separator belongs to the record before it, or with
/// `before` to the one after it.
fn reversed(text: &[u8], matcher: &Matcher, before: bool) -> Vec<u8> {
    let (mut cuts, mut at) = (vec![0], 0);
    while let Some((start, end)) = matcher.find_longest_at(text, at) {
        cuts.push(if before { start } else { end });
        at = end.max(at + 1);
        if at > text.len() {
            break;
        }
    }
    cuts.push(text.len());
    let mut out = Vec::with_capacity(text.len());
    for pair in cuts.windows(2).rev() {
        out.extend_from_slice(&text[pair[0]..pair[1]]);
    }
    out
}
