//! Few witnesses for many: what a reviewer reads of a difference.

use std::collections::BTreeMap;

use crate::policy::diff::{Asks, Witness};

/// Keeps the shortest witness of what belongs together; answers how many more it stands for.
pub fn brief(witnesses: &[Witness]) -> Vec<(&Witness, usize)> {
    let mut sorted: Vec<&Witness> = witnesses.iter().collect();
    sorted.sort_by_key(|witness| match native(&witness.asks) {
        Some((_, arguments, cwd)) => (arguments.len(), cwd.len()),
        None => (0, 0),
    });
    let mut kept: Vec<(&Witness, usize)> = Vec::new();
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    for witness in sorted {
        let same = if let Some((program, arguments, _)) = native(&witness.asks) {
            kept.iter().position(|(known, _)| {
                known.agent == witness.agent
                    && known.wider == witness.wider
                    && known.from == witness.from
                    && native(&known.asks).is_some_and(|(same, fewer, _)| {
                        same == program && is_part(fewer, arguments)
                    })
            })
        } else {
            let topic = topic(&witness.asks, witness.wider.as_deref());
            let topic = format!("{topic} {:?}", witness.from);
            let next = kept.len();
            let place = *places.entry((witness.agent.clone(), topic)).or_insert(next);
            (place < next).then_some(place)
        };
        match same.and_then(|at| kept.get_mut(at)) {
            Some((_, more)) => *more += 1,
            None => kept.push((witness, 0)),
        }
    }
    kept.sort();
    kept
}

fn native(asks: &Asks) -> Option<(&str, &[String], &str)> {
    if let Asks::Native(program, arguments, cwd) = asks {
        return Some((program, arguments, cwd));
    }
    None
}

/// Whether every word of `fewer` is in `words`, in the same order.
fn is_part(fewer: &[String], words: &[String]) -> bool {
    let mut words = words.iter();
    fewer.iter().all(|word| words.any(|other| other == word))
}

/// What witnesses have in common that are told once.
fn topic(asks: &Asks, wider: Option<&str>) -> String {
    match (asks, wider) {
        // Terms are the policy's, not the tool's.
        (Asks::Tool(_) | Asks::Variable(..), Some(wider)) => format!("terms {wider}"),
        (Asks::Variable(_, name, _), None) => format!("variable {name}"),
        (Asks::Egress(method, url), _) => {
            let host = url.split('/').nth(2).unwrap_or_default();
            format!("request {method} {host}")
        }
        (asks, _) => format!("{asks:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(asks: Asks) -> Witness {
        Witness {
            agent: "example".to_owned(),
            asks,
            wider: None,
            from: None,
        }
    }

    #[test]
    fn the_shortest_command_line_stands_for_longer_ones() {
        let line = |words: &str| {
            let words = words.split(' ').map(str::to_owned).collect();
            witness(Asks::Native(
                "/bin/x".to_owned(),
                words,
                "/workspace".to_owned(),
            ))
        };
        let all = [
            line("a -b c"),
            line("a"),
            line("a -b"),
            line("d -b"),
            line("d -c"),
        ];
        let brief: Vec<_> = brief(&all)
            .into_iter()
            .map(|(w, more)| (w.to_string(), more))
            .collect();
        let shown = |line: &str| format!("native /bin/x {line} (in /workspace)");
        assert_eq!(
            brief,
            [(shown("a"), 2), (shown("d -b"), 0), (shown("d -c"), 0)]
        );
    }
}
