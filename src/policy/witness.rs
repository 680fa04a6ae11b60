//! Requests that a policy is likely to allow, made from its rules: what `diff` and `lint` try.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::policy::document::{Denied, NativeRule, Policy};
use crate::policy::egress::HostPattern;
use crate::policy::grammar::Operand;
use crate::policy::pattern::Pattern;
use crate::policy::text::Separator;

/// Most texts made of one pattern.
const SAMPLES_MAX: usize = 6;
/// Most command lines made of one rule.
const LINES_MAX: usize = 600;
/// Most operands of one made command line.
const OPERANDS_MAX: usize = 40;

/// Some texts that a pattern matches.
pub fn samples(pattern: &Pattern) -> Vec<String> {
    let parsed = regex_syntax::parse(pattern.written());
    let mut found = parsed.map(|hir| of_hir(&hir)).unwrap_or_default();
    found.retain(|text| pattern.matches(text));
    found
}

fn of_hir(hir: &Hir) -> Vec<String> {
    let mut found: Vec<String> = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![String::new()],
        HirKind::Literal(literal) => vec![String::from_utf8_lossy(&literal.0).into_owned()],
        HirKind::Class(class) => of_class(class),
        HirKind::Capture(capture) => of_hir(&capture.sub),
        HirKind::Alternation(choices) => choices.iter().flat_map(of_hir).collect(),
        HirKind::Repetition(repetition) => {
            let inner = of_hir(&repetition.sub);
            let least = repetition.min;
            let most = repetition.max.unwrap_or(u32::MAX);
            let counts = [least, least.saturating_add(1), least.saturating_add(3)];
            let counts = counts
                .into_iter()
                .filter(|count| *count <= most && *count <= 64);
            let times = |count: u32| {
                let count = usize::try_from(count).unwrap_or(0);
                inner.iter().take(3).map(move |text| text.repeat(count))
            };
            counts.flat_map(times).collect()
        }
        HirKind::Concat(parts) => {
            let parts: Vec<Vec<String>> = parts.iter().map(of_hir).collect();
            let widest = parts.iter().map(Vec::len).max().unwrap_or(0);
            let pick = |turn: usize| {
                let part = |choices: &Vec<String>| {
                    let last = choices.len().saturating_sub(1);
                    choices.get(turn.min(last)).cloned().unwrap_or_default()
                };
                parts.iter().map(part).collect::<String>()
            };
            (0..widest).map(pick).collect()
        }
    };
    let mut seen = BTreeSet::new();
    found.retain(|text| seen.insert(text.clone()));
    found.truncate(SAMPLES_MAX);
    found
}

fn of_class(class: &Class) -> Vec<String> {
    let letters: Vec<char> = match class {
        Class::Unicode(class) => class.iter().flat_map(|r| [r.start(), r.end()]).collect(),
        Class::Bytes(class) => {
            let ends = class.iter().flat_map(|range| [range.start(), range.end()]);
            ends.map(char::from).collect()
        }
    };
    // What people can read, first.
    let mut sorted: Vec<char> = ['a', 'x', '0', '/', '-']
        .into_iter()
        .filter(|known| holds(class, *known))
        .collect();
    sorted.extend(letters);
    sorted
        .into_iter()
        .take(SAMPLES_MAX)
        .map(String::from)
        .collect()
}

fn holds(class: &Class, letter: char) -> bool {
    match class {
        Class::Unicode(class) => class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&letter)),
        Class::Bytes(class) => u8::try_from(letter).is_ok_and(|byte| {
            class
                .iter()
                .any(|range| (range.start()..=range.end()).contains(&byte))
        }),
    }
}

/// Words that the deny rules of a policy look for.
pub fn denied_words(policy: &Policy) -> Vec<String> {
    let layers = policy.layers();
    let rules = layers.iter().flat_map(|layer| &layer.denials);
    let mut words = Vec::new();
    for rule in rules {
        if let Denied::Native { args, word, .. } = &rule.what {
            words.extend(args.iter().cloned());
            words.extend(word.iter().flat_map(samples));
        }
    }
    words
}

/// Arguments that a native rule allows, one of its features at a time, then in pairs.
pub fn command_lines(rule: &NativeRule, more_words: &[String]) -> Vec<Vec<String>> {
    let grammar = &rule.grammar;
    let mut features: Vec<Vec<String>> = Vec::new();
    features.extend(grammar.flags.iter().map(|flag| vec![flag.clone()]));
    for (flag, pattern) in &grammar.values {
        for value in with_more(samples(pattern), pattern, more_words) {
            features.push(match flag.ends_with('=') {
                true => vec![format!("{flag}{value}")],
                false => vec![flag.clone(), value],
            });
        }
    }
    let operands: Vec<String> = grammar
        .operands
        .iter()
        .flat_map(|operand| of_operand(operand, more_words))
        .collect();
    let least = grammar.operands_min.min(OPERANDS_MAX);
    let first = operands.first().cloned().unwrap_or_default();
    let needed = vec![first.clone(); least];
    let fill = |count: usize| vec![first.clone(); count.min(OPERANDS_MAX)];
    let mut tails = vec![needed.clone(), fill(grammar.operands_max)];
    for operand in &operands {
        let mut tail = vec![operand.clone()];
        tail.extend(needed.iter().skip(1).cloned());
        tails.push(tail);
    }
    let separators: &[&[&str]] = match grammar.separator {
        Separator::None => &[&[]],
        Separator::Accept | Separator::Insert => &[&[], &["--"]],
    };
    let mut heads = vec![Vec::new()];
    heads.extend(features.iter().cloned());
    for (number, one) in features.iter().enumerate() {
        let others = features.iter().skip(number + 1);
        heads.extend(others.map(|other| [one.clone(), other.clone()].concat()));
    }
    let mut lines = Vec::new();
    for head in &heads {
        for tail in &tails {
            for separator in separators {
                let mut line = [&*grammar.args, head].concat();
                line.extend(separator.iter().map(|word| (*word).to_owned()));
                line.extend(tail.iter().cloned());
                lines.push(line);
                if lines.len() >= LINES_MAX {
                    return lines;
                }
            }
        }
    }
    lines
}

fn with_more(mut found: Vec<String>, pattern: &Pattern, more: &[String]) -> Vec<String> {
    found.extend(more.iter().filter(|word| pattern.matches(word)).cloned());
    found
}

fn of_operand(operand: &Operand, more_words: &[String]) -> Vec<String> {
    match operand {
        Operand::Literal(literal) => vec![literal.clone()],
        Operand::Path(folder) => vec![format!("{folder}/a"), "a".to_owned(), folder.clone()],
        Operand::Pattern(pattern) => with_more(samples(pattern), pattern, more_words),
    }
}

/// A host that a pattern means.
pub fn host(pattern: &HostPattern) -> String {
    match pattern {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Below(end) => format!("x{end}"),
        HostPattern::Every => "host.example.org".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_match_their_pattern_and_there_are_some() {
        for written in [
            "[0-9]{1,4}",
            "HEAD(~[0-9]+)?",
            "a|b|c",
            "(?i)x.*y",
            "/v1/[a-z/]+",
            "",
            "[^-].*",
            r"\d+\.\d+",
        ] {
            let pattern = Pattern::new(written).unwrap();
            let found = samples(&pattern);
            assert!(!found.is_empty(), "{written}");
            assert!(
                found.iter().all(|text| pattern.matches(text)),
                "{written} {found:?}"
            );
        }
    }
}
