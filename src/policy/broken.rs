//! A hundred policy files, each broken in one way: every complaint names line, key and remedy, and
//! none of them loads in part.

use super::*;

/// A file that uses every key; it loads.
const WHOLE: &str = include_str!("../../tests/policy/whole.toml");

/// What is replaced by what; the key that is complained of; a part of the remedy.
type Break = (&'static str, &'static str, &'static str, &'static str);

const BREAKS: &[Break] = &include!("../../tests/policy/broken.in");

fn loader() -> Loader {
    let names = |list: &str| list.split(' ').map(str::to_owned).collect();
    let vocabulary = Vocabulary {
        tools: names("bash read write edit glob grep"),
        programs: names("ls cat sed awk sort"),
    };
    Loader {
        vocabulary: Some(std::sync::Arc::new(vocabulary)),
        ..Loader::default()
    }
}

#[test]
fn the_whole_file_loads_and_is_in_the_usual_form() {
    let policy = loader()
        .text("whole.toml", WHOLE)
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(policy.name, "whole");
    assert_eq!(format(WHOLE).unwrap(), WHOLE);
}

#[test]
fn a_hundred_broken_files_are_refused_with_line_key_and_remedy() {
    let mut kinds = std::collections::BTreeSet::new();
    let mut wrong = Vec::new();
    for (found, put, key, remedy) in BREAKS {
        assert_eq!(
            WHOLE.matches(found).count(),
            1,
            "{found:?} stands there once"
        );
        let start = WHOLE.find(found).unwrap();
        let text = WHOLE.replacen(found, put, 1);
        // The first line that is another one now.
        let common = found
            .bytes()
            .zip(put.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        let first = WHOLE[..start + common].matches('\n').count() + 1;
        let last = first + put.matches('\n').count();
        let case = format!("{found:?} -> {put:?}");
        match loader().text("p.toml", &text) {
            Ok(_) => wrong.push(format!("{case} loads")),
            Err(PolicyError::Read { .. }) => wrong.push(format!("{case} was read")),
            Err(PolicyError::Refused(complaints)) => {
                let named = complaints.iter().find(|complaint| complaint.key == *key);
                let Some(named) = named else {
                    wrong.push(format!("{case}: {complaints:?}"));
                    continue;
                };
                kinds.insert((named.fault.clone(), named.key.clone()));
                // What is missing is told at its table, which begins before; what is not closed, where
                // something else begins.
                let absent = put.is_empty()
                    || named.fault.contains("missing")
                    || named.fault.contains("kinds");
                let placed = match (key.is_empty(), absent) {
                    (true, _) => (first..=last + 3).contains(&named.line),
                    (false, true) => named.line <= last,
                    (false, false) => (first..=last).contains(&named.line),
                };
                let whole = named.column > 0 && named.file == "p.toml";
                if !placed || !whole || !named.remedy.contains(remedy) {
                    wrong.push(format!("{case} (line {first} to {last}): {named}"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(BREAKS.len() >= 100, "{}", BREAKS.len());
    assert!(kinds.len() >= 90, "{} different ways", kinds.len());
}
