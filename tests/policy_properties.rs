//! Properties of policies over generated ones: a few hundred cases each, 100,000 with
//! `HOTCELL_FULL=1`, or as many as `PROPTEST_CASES` says.

#![expect(
    clippy::disallowed_methods,
    reason = "the run says by its environment how many cases it wants"
)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and names only the runs it is about"
)]

#[path = "policy/generated.rs"]
mod generated;
#[path = "policy/reference.rs"]
mod reference;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use generated::{Asked, asked, denial, text, words};
use hotcell::policy::text::PolicyText;
use hotcell::policy::{self, Decision, Loader, NativeCall, Policy, Request, Run, Vocabulary};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const NOW: SystemTime = UNIX_EPOCH;

fn check<S: Strategy>(strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let full = std::env::var("HOTCELL_FULL").is_ok_and(|full| full == "1");
    let config = Config {
        cases: match std::env::var("PROPTEST_CASES").map(|cases| cases.parse()) {
            Ok(Ok(cases)) => cases,
            _ if full => 100_000,
            _ => 300,
        },
        failure_persistence: None,
        ..Config::default()
    };
    if let Err(error) = TestRunner::new(config).run(strategy, property) {
        panic!("{error}");
    }
}

fn load(text: &PolicyText) -> Policy {
    let written = toml::to_string(text).unwrap();
    Loader::default()
        .text("generated.toml", &written)
        .unwrap_or_else(|error| panic!("{error}\n{written}"))
}

fn decide(policy: &Policy, asked: &Asked) -> Option<Run> {
    asked.with(|request| match policy::decide(policy, request, NOW) {
        Decision::Allow(grant) => Some(grant.into_run()),
        Decision::Deny(_) => None,
    })
}

/// What one policy allows that another does not: by `diff`, and by requests from outside.
fn more(old: &Policy, new: &Policy, requests: &[Asked]) -> Vec<String> {
    let witnesses = policy::diff(old, new, &Vocabulary::default(), NOW);
    let mut more: Vec<_> = witnesses.iter().map(ToString::to_string).collect();
    let newly = requests
        .iter()
        .filter(|asked| decide(new, asked).is_some() && decide(old, asked).is_none());
    more.extend(newly.map(|asked| format!("{asked:?}")));
    more
}

fn requests() -> impl Strategy<Value = Vec<Asked>> {
    prop::collection::vec(asked(), 24)
}

#[test]
fn a_printed_policy_is_read_as_it_was() {
    check(&text(), |text| {
        let policy = load(&text);
        prop_assert_eq!(&policy.text, &text);
        let formatted = policy::format(&toml::to_string(&text).unwrap()).unwrap();
        let again = policy::load_text(&formatted);
        prop_assert_eq!(&again.unwrap().text, &text);
        Ok(())
    });
}

#[test]
fn a_further_deny_never_allows_more() {
    check(&(text(), denial(), requests()), |(text, deny, requests)| {
        let mut narrower = text.clone();
        narrower.deny.push(deny);
        let more = more(&load(&text), &load(&narrower), &requests);
        prop_assert!(more.is_empty(), "{:?}", more);
        Ok(())
    });
}

#[test]
fn an_ancestor_never_allows_more() {
    check(&(text(), text(), requests()), |(text, above, requests)| {
        let (alone, above) = (load(&text), Arc::new(load(&above)));
        let mut below = load(&text);
        below.ancestors.push(Arc::clone(&above));
        for old in [&alone, &above] {
            let more = more(old, &below, &requests);
            prop_assert!(more.is_empty(), "{:?}", more);
        }
        Ok(())
    });
}

#[test]
fn fewer_allowing_rules_never_allow_more() {
    let which = any::<prop::sample::Index>();
    check(&(text(), which, requests()), |(text, which, requests)| {
        let mut fewer = text.clone();
        fn drop_one<T>(rules: &mut Vec<T>, which: prop::sample::Index) {
            if !rules.is_empty() {
                rules.remove(which.index(rules.len()));
            }
        }
        match which.index(6) {
            0 => drop_one(&mut fewer.tool, which),
            1 => drop_one(&mut fewer.program, which),
            2 => drop_one(&mut fewer.mount, which),
            3 => drop_one(&mut fewer.variable, which),
            4 => drop_one(&mut fewer.native, which),
            _ => drop_one(&mut fewer.egress, which),
        }
        // Of two rules that fit the stricter counts; without it the other's terms do. Whether
        // something is allowed at all never changes that way.
        let (old, new) = (load(&text), load(&fewer));
        let witnesses = policy::diff(&old, &new, &Vocabulary::default(), NOW);
        let newly: Vec<_> = witnesses
            .iter()
            .filter(|found| found.wider.is_none())
            .collect();
        prop_assert!(newly.is_empty(), "{:?}", newly);
        for asked in &requests {
            prop_assert!(decide(&new, asked).is_none() || decide(&old, asked).is_some());
        }
        Ok(())
    });
}

#[test]
fn the_order_of_rules_does_not_matter() {
    let shuffled = text().prop_flat_map(|text| {
        let parts = (
            Just(text.tool.clone()).prop_shuffle(),
            Just(text.program.clone()).prop_shuffle(),
            Just(text.variable.clone()).prop_shuffle(),
            Just(text.native.clone()).prop_shuffle(),
            Just(text.egress.clone()).prop_shuffle(),
            Just(text.deny.clone()).prop_shuffle(),
        );
        (Just(text), parts)
    });
    check(&(shuffled, requests()), |((text, parts), requests)| {
        let mut other = text.clone();
        (
            other.tool,
            other.program,
            other.variable,
            other.native,
            other.egress,
            other.deny,
        ) = parts;
        let (one, other) = (load(&text), load(&other));
        for asked in &requests {
            let same = match (decide(&one, asked), decide(&other, asked)) {
                // Which programs are allowed is compared by asking for them.
                (Some(Run::Call(one)), Some(Run::Call(other))) => one.limits == other.limits,
                (one, other) => one == other,
            };
            prop_assert!(same, "{:?}", asked);
        }
        Ok(())
    });
}

#[test]
fn every_witness_of_a_difference_is_newly_allowed() {
    check(&(text(), text(), requests()), |(old, new, requests)| {
        let (old, new) = (load(&old), load(&new));
        let witnesses = policy::diff(&old, &new, &Vocabulary::default(), NOW);
        for witness in &witnesses {
            let (before, after) = (witness.decide(&old, NOW), witness.decide(&new, NOW));
            prop_assert!(after.is_some(), "{}", witness);
            prop_assert_eq!(before.is_some(), witness.wider.is_some(), "{}", witness);
        }
        if witnesses.is_empty() {
            for asked in &requests {
                let newly = decide(&new, asked).is_some() && decide(&old, asked).is_none();
                prop_assert!(!newly, "no witness, but {:?}", asked);
            }
        }
        Ok(())
    });
}

#[test]
fn the_matcher_agrees_with_the_slow_one() {
    let seen = std::cell::Cell::new((0_u64, 0_u64));
    check(&(generated::native(), words()), |(rule, words)| {
        let text = PolicyText {
            native: vec![rule.clone()],
            ..generated::empty()
        };
        let policy = load(&text);
        let call = NativeCall {
            agent: "a",
            program: &rule.program,
            arguments: &words,
            cwd: "/workspace",
        };
        let fast = match policy::decide(&policy, &Request::Native(call), NOW) {
            Decision::Allow(grant) => match grant.into_run() {
                Run::Native(terms) => Some(terms.arguments),
                _ => None,
            },
            Decision::Deny(_) => None,
        };
        let slow = reference::match_words(&rule, &words);
        let (allowed, denied) = seen.get();
        seen.set(match slow {
            Some(_) => (allowed + 1, denied),
            None => (allowed, denied + 1),
        });
        prop_assert_eq!(fast, slow);
        Ok(())
    });
    let (allowed, denied) = seen.get();
    // About a tenth of 300 is allowed.
    assert!(
        allowed > 4 && denied > 20,
        "{allowed} allowed, {denied} denied: too one-sided"
    );
}
