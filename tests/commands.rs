//! What the policy says to a start of a native program: many hundreds of written cases, each with
//! the reason of its denial or the exact array that would run, and arrays at random against a slow
//! reference (a million with `HOTCELL_FULL=1`). Decisions only: nothing is started.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, says what it counted, and its environment says how much it wants"
)]

#[path = "commands/arrays.rs"]
mod arrays;
#[path = "commands/cases.rs"]
mod cases;
#[path = "commands/environment.rs"]
mod environment;
#[path = "commands/layers.rs"]
mod layers;
#[path = "commands/loading.rs"]
mod loading;
#[path = "commands/metacharacters.rs"]
mod metacharacters;
#[path = "commands/random.rs"]
mod random;
#[path = "policy/reference.rs"]
mod reference;
#[path = "policy/slow_decision.rs"]
mod slow_decision;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use cases::{Case, Want};
use hotcell::policy::{self, Decision, NativeCall, Policy, Request, Run};

const NOW: SystemTime = UNIX_EPOCH;
/// Fewest different starts that are tried, whichever policy decides them: those there were.
const CASES_LEAST: usize = 4_000;
/// Policies that come with the program.
const SHIPPED: &[&str] = &[
    "coding-agent",
    "data-analysis",
    "default",
    "locked-down",
    "read-only",
];

fn full() -> bool {
    std::env::var("HOTCELL_FULL").is_ok_and(|full| full == "1")
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped(name: &str) -> Policy {
    let path = top().join("policies").join(format!("{name}.toml"));
    policy::load_file(&path).unwrap_or_else(|error| panic!("{error}"))
}

fn test_policy(name: &str) -> Policy {
    let folder = top().join("tests/commands/policies");
    let path = folder.join(format!("{name}.toml"));
    policy::load_file(&path).unwrap_or_else(|error| panic!("{error}"))
}

fn every_policy() -> BTreeMap<&'static str, Policy> {
    let shipped = SHIPPED.iter().map(|name| (*name, shipped(name)));
    let made = ["workshop", "mounts"];
    let made = made.into_iter().map(|name| (name, test_policy(name)));
    shipped.chain(made).collect()
}

fn every_case() -> Vec<Case> {
    let mut cases = cases::written();
    cases.extend(metacharacters::cases());
    cases
}

/// What a policy says: the whole array that would run, without the program, or the denial.
fn decide(policy: &Policy, case: &Case) -> Result<Vec<String>, String> {
    let call = NativeCall {
        agent: "ann",
        program: &case.program,
        arguments: &case.words,
        cwd: &case.cwd,
    };
    match policy::decide(policy, &Request::Native(call), NOW) {
        Decision::Deny(denial) => Err(denial.to_string()),
        Decision::Allow(grant) => match grant.into_run() {
            Run::Native(terms) => {
                assert_eq!(terms.start.program, case.program, "another program");
                Ok([terms.start.prepend, terms.arguments].concat())
            }
            other => panic!("another run: {other:?}"),
        },
    }
}

#[test]
fn every_case_is_decided_as_it_is_written() {
    let policies = every_policy();
    let mut wrong = Vec::new();
    let mut rows: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let cases = every_case();
    for case in &cases {
        let policy = &policies[&*case.policy];
        let found = decide(policy, case);
        let right = match (&case.want, &found) {
            (Want::Runs(wanted), Ok(array)) => wanted == array,
            (Want::Denied(parts), Err(text)) => parts
                .iter()
                .any(|part| !part.is_empty() && text.contains(part)),
            _ => false,
        };
        if !right {
            wrong.push(format!("{case:?}\n    found {found:?}"));
        }
        let row = rows.entry(case.plan.clone()).or_default();
        match case.want {
            Want::Runs(_) => row.0 += 1,
            Want::Denied(_) => row.1 += 1,
        }
    }
    println!("{} decisions", cases.len());
    for (plan, (allowed, denied)) in &rows {
        println!("  {plan}: {allowed} allowed, {denied} denied");
    }
    let first = wrong.iter().take(20).cloned().collect::<Vec<_>>();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        first.join("\n")
    );
}

#[test]
fn no_case_got_lost() {
    let mut seen = BTreeSet::new();
    let mut starts = BTreeSet::new();
    for case in every_case() {
        let start = (case.program, case.words, case.cwd);
        seen.insert((case.policy, start.clone()));
        starts.insert(start);
    }
    println!(
        "{} different starts, {} decisions",
        starts.len(),
        seen.len()
    );
    assert!(
        starts.len() >= CASES_LEAST,
        "only {} are left",
        starts.len()
    );
}

/// A policy that denies everything would pass most cases, one that allows too much the others.
#[test]
fn every_allowed_start_has_a_denied_twin() {
    let mut twins: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for case in every_case() {
        let twin = twins.entry((case.twin, case.policy)).or_default();
        match case.want {
            Want::Runs(_) => twin.0 += 1,
            Want::Denied(_) => twin.1 += 1,
        }
    }
    let pairs = twins.values().filter(|(allowed, _)| *allowed > 0).count();
    assert!(pairs >= 40, "only {pairs} groups allow anything");
    for (twin, (allowed, denied)) in &twins {
        assert!(*allowed == 0 || *denied > 0, "{twin:?} has no denied twin");
    }
    // And each for itself: a letter more anywhere, or another folder, and it is none of the rule's.
    let policies = every_policy();
    for case in every_case() {
        if matches!(case.want, Want::Denied(_)) {
            continue;
        }
        let mut others = vec![case.clone(); 2 + case.words.len()];
        for (at, other) in others.iter_mut().enumerate() {
            match at {
                0 => other.program.push('\n'),
                1 => other.cwd = "/..".to_owned(),
                at => other.words[at - 2].push('\0'),
            }
            let found = decide(&policies[&*other.policy], other);
            assert!(found.is_err(), "{other:?}: {found:?}");
        }
    }
}

/// The words put first are what the documentation promises, the rest is the profile's; no rule of a
/// shipped policy starts anything else or takes back a variable that the profile sets.
#[test]
fn shipped_rules_start_only_git_and_disarm_it() {
    let harmless = ["GIT_OPTIONAL_LOCKS", "GIT_AUTHOR_", "GIT_COMMITTER_"];
    let own = ["/usr/lib/git-core", "/bin/sh"];
    for name in SHIPPED {
        for rule in &shipped(name).natives {
            let start = &rule.start;
            assert_eq!(start.program, "/usr/bin/git", "{name}");
            assert_eq!(start.prepend, cases::git_first(), "{name}");
            assert_eq!(start.profile, hotcell::policy::Profile::Git, "{name}");
            for variable in start.environment.keys() {
                let known = harmless.iter().any(|begin| variable.starts_with(begin));
                assert!(known, "{name}: {variable}");
            }
            for helper in &start.helpers {
                assert!(own.contains(&&*helper.path), "{name}: {helper:?}");
            }
            // A shell only where git itself needs one, to start the other side of a clone.
            let shell = start.helpers.iter().any(|helper| helper.path == "/bin/sh");
            let clone = rule
                .grammar
                .args
                .first()
                .is_some_and(|word| word == "clone");
            assert_eq!(shell, clone, "{name}");
        }
    }
}
