//! `ulimit`: what a script set, within what the call allows.

use super::{number, shown};
use crate::{ast::Bytes, execute::Run, shell::Shell};

/// (letter, what `-a` calls it, unit, the limit at the start).
const KINDS: [(u8, &str, &str, Option<u64>); 17] = [
    (b'R', "real-time non-blocking time", "microseconds, ", None),
    (b'c', "core file size", "blocks, ", Some(0)),
    (b'd', "data seg size", "kbytes, ", None),
    (b'e', "scheduling priority", "", Some(0)),
    (b'f', "file size", "blocks, ", None),
    (b'i', "pending signals", "", None),
    (b'l', "max locked memory", "kbytes, ", None),
    (b'm', "max memory size", "kbytes, ", None),
    (b'n', "open files", "", Some(1024)),
    (b'p', "pipe size", "512 bytes, ", Some(8)),
    (b'q', "POSIX message queues", "bytes, ", None),
    (b'r', "real-time priority", "", Some(0)),
    (b's', "stack size", "kbytes, ", None),
    (b't', "cpu time", "seconds, ", None),
    (b'u', "max user processes", "", None),
    (b'v', "virtual memory", "kbytes, ", None),
    (b'x', "file locks", "", None),
];

const USAGE: &str = "ulimit [-SHabcdefiklmnpqrstuvxPRT] [limit]";

/// The soft and hard limit a script set; `None` is unlimited.
pub type Limit = (Option<u64>, Option<u64>);

fn start(letter: u8) -> Limit {
    let kind = KINDS.iter().find(|(known, ..)| *known == letter);
    let limit = kind.and_then(|(.., limit)| *limit);
    (limit, limit)
}

fn text(limit: Option<u64>) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

/// Limits are the call's, set by the operator; a script may lower what it is shown, which the
/// cell does not enforce.
pub fn ulimit(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let (mut soft, mut hard) = (false, false);
    // Each limit with the value behind it.
    let mut asked: Vec<(u8, Option<Bytes>)> = Vec::new();
    for word in &words[1..] {
        if word.first() != Some(&b'-') || word.len() < 2 {
            match asked.last_mut() {
                Some((_, value @ None)) => *value = Some(word.clone()),
                // As bash, which takes no notice of more.
                Some(_) => {}
                None => asked.push((b'f', Some(word.clone()))),
            }
            continue;
        }
        for (place, &one) in word.iter().enumerate().skip(1) {
            match one {
                b'S' => soft = true,
                b'H' => hard = true,
                b'a' => asked.push((one, None)),
                _ => {
                    let attached = word[place + 1..].to_vec();
                    asked.push((one, Some(attached).filter(|text| !text.is_empty())));
                    break;
                }
            }
        }
    }
    if let Some((letter, _)) = asked
        .iter()
        .find(|(letter, _)| *letter != b'a' && !b"bcdefiklmnpqrstuvxPRT".contains(letter))
    {
        return Ok(shell.bad_option(b"ulimit", *letter, USAGE));
    }
    if asked.iter().any(|(letter, _)| *letter == b'a') {
        show_all(shell, hard);
        return Ok(0);
    }
    if asked.is_empty() {
        asked.push((b'f', None));
    }
    let named = asked.len() > 1;
    for (letter, value) in asked {
        let status = match value {
            Some(value) => set(shell, letter, &value, (soft, hard)),
            None => {
                show(shell, letter, hard, named);
                0
            }
        };
        if status != 0 {
            return Ok(status);
        }
    }
    Ok(0)
}

fn now(shell: &Shell, letter: u8) -> Limit {
    let set = shell.limits.iter().find(|(known, _)| *known == letter);
    set.map_or_else(|| start(letter), |(_, limit)| *limit)
}

/// A line with the limit's name before it.
fn line(shell: &Shell, kind: &(u8, &str, &str, Option<u64>), hard: bool) -> String {
    let (letter, name, unit, _) = kind;
    let limit = now(shell, *letter);
    let shown = text(if hard { limit.1 } else { limit.0 });
    let option = format!("({unit}-{})", char::from(*letter));
    format!("{name:<20}{option:>20} {shown}\n")
}

fn show_all(shell: &mut Shell, hard: bool) {
    let lines = KINDS.iter().map(|kind| line(shell, kind, hard));
    let lines: String = lines.collect();
    shell.write_out(lines.as_bytes());
}

fn show(shell: &mut Shell, letter: u8, hard: bool, named: bool) {
    let kind = KINDS.iter().find(|(known, ..)| *known == letter);
    let shown = match kind.filter(|_| named) {
        Some(kind) => line(shell, kind, hard),
        None => {
            let limit = now(shell, letter);
            format!("{}\n", text(if hard { limit.1 } else { limit.0 }))
        }
    };
    shell.write_out(shown.as_bytes());
}

/// Sets one limit; the status.
fn set(shell: &mut Shell, letter: u8, value: &[u8], (soft, hard): (bool, bool)) -> i32 {
    let old = now(shell, letter);
    let new = match value {
        b"unlimited" => None,
        b"hard" => old.1,
        b"soft" => old.0,
        digits => match number(digits).and_then(|number| u64::try_from(number).ok()) {
            Some(number) => Some(number),
            None => {
                let text = shown(value);
                shell.builtin_error(b"ulimit", format_args!("{text}: invalid number"));
                return 1;
            }
        },
    };
    let above = |limit: Option<u64>, bound: Option<u64>| match (limit, bound) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(limit), Some(bound)) => limit > bound,
    };
    if above(new, old.1) {
        let name = KINDS.iter().find(|(known, ..)| *known == letter);
        let name = name.map_or("limit", |(_, name, ..)| name);
        shell.builtin_error(
            b"ulimit",
            format_args!("{name}: cannot modify limit: Operation not permitted"),
        );
        return 1;
    }
    let both = soft == hard;
    let limit = (
        if both || soft { new } else { old.0 },
        if both || hard { new } else { old.1 },
    );
    shell.limits.retain(|(known, _)| *known != letter);
    shell.limits.push((letter, limit));
    0
}
