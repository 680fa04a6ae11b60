//! Arrays at random: the policy and the slow reference decide the same and run the same words; and
//! every mistake the reference is made to make is noticed, so that silence means something.

use std::sync::Arc;
use std::time::Instant;

use hotcell::policy::text::PolicyText;
use hotcell::policy::{self, Decision, Loader, NativeCall, Policy, Request, Run};

use crate::arrays::{self, Dice};
use crate::reference::Slip;
use crate::slow_decision::{self, Layers, Start, Verdict};
use crate::{NOW, full, shipped, test_policy};

/// Arrays when not all are asked for.
const ARRAYS: usize = 20_000;
const ARRAYS_FULL: usize = 1_000_000;
/// Arrays for each set of rules.
const ARRAYS_OF_ONE: usize = 50;
/// Every mistake is noticed within so many arrays.
const ARRAYS_UNTIL_NOTICED: usize = 60_000;
/// Least share of arrays that are allowed, in percent: below it the arrays miss the rules.
const ALLOWED_PERCENT_LEAST: usize = 5;

const SLIPS: &[Slip] = &[
    Slip::Abbreviated,
    Slip::Joined,
    Slip::Apart,
    Slip::Repeated,
    Slip::DashedValue,
    Slip::Late,
    Slip::NotSeparated,
    Slip::Dots,
    Slip::Sibling,
    Slip::OddPaths,
    Slip::Cwd,
    Slip::Unprotected,
    Slip::OnTheWay,
    Slip::OneMore,
    Slip::Undenied,
    Slip::DeniedFirstWord,
    Slip::ProtectedFolder,
    Slip::NoAncestor,
    Slip::LastRule,
];

struct Compared {
    policy: Policy,
    layers: Layers,
}

impl Compared {
    fn of(layers: Layers) -> Self {
        let load = |text: &PolicyText| {
            let written = toml::to_string(text).unwrap();
            Loader::default()
                .text("generated.toml", &written)
                .unwrap_or_else(|error| panic!("{error}\n{written}"))
        };
        let mut policy = load(&layers[0]);
        let above = layers.iter().skip(1);
        policy.ancestors = above.map(|text| Arc::new(load(text))).collect();
        Self { policy, layers }
    }

    fn shipped(policy: Policy) -> Self {
        let layers = vec![policy.text.clone()];
        Self { policy, layers }
    }

    /// Whether the start is allowed.
    ///
    /// # Errors
    /// What the two say, where they do not say the same.
    fn compare(&self, start: &Start, slip: Option<Slip>) -> Result<bool, String> {
        let call = NativeCall {
            agent: &start.agent,
            program: &start.program,
            arguments: &start.words,
            cwd: &start.cwd,
        };
        let fast = match policy::decide(&self.policy, &Request::Native(call), NOW) {
            Decision::Allow(grant) => match grant.into_run() {
                Run::Native(terms) => Ok(terms.arguments),
                other => panic!("another run: {other:?}"),
            },
            Decision::Deny(denial) => Err(denial.to_string()),
        };
        let slow = slow_decision::decide(&self.layers, start, slip);
        let same = match (&fast, &slow) {
            (Err(_), Verdict::Denied) => true,
            (Ok(words), Verdict::Runs(any)) => any.contains(words),
            _ => false,
        };
        // A mistake counts only where the reference without it agrees.
        if !same && slip.is_some() {
            self.compare(start, None)
                .unwrap_or_else(|difference| panic!("{difference}"));
        }
        match same {
            true => Ok(fast.is_ok()),
            false => Err(format!(
                "{start:?}\nthe policy: {fast:?}\nthe reference: {slow:?}\n{}",
                self.layers
                    .iter()
                    .map(|text| toml::to_string(text).unwrap())
                    .collect::<Vec<_>>()
                    .join("\n--- extends\n")
            )),
        }
    }
}

/// Policies that are not made at random.
fn written() -> Vec<Compared> {
    let policies = [
        shipped("coding-agent"),
        shipped("read-only"),
        test_policy("workshop"),
        test_policy("mounts"),
    ];
    policies.into_iter().map(Compared::shipped).collect()
}

/// Compares until something differs; answers how many arrays were allowed.
fn run(arrays: usize, seed: u64, slip: Option<Slip>) -> Result<usize, String> {
    let mut dice = Dice(seed);
    let written = written();
    let mut generated = None;
    let mut allowed = 0;
    for number in 0..arrays {
        let compared = match number % 3 {
            0 => &written[(number / 3) % written.len()],
            _ => {
                if number % ARRAYS_OF_ONE < 2 || generated.is_none() {
                    generated = Some(Compared::of(arrays::layers(&mut dice)));
                }
                generated.as_ref().unwrap()
            }
        };
        let start = arrays::start(&mut dice, &compared.layers);
        allowed += usize::from(compared.compare(&start, slip)?);
    }
    Ok(allowed)
}

#[test]
fn random_arrays_are_decided_as_the_slow_reference_decides_them() {
    let arrays = if full() { ARRAYS_FULL } else { ARRAYS };
    let begun = Instant::now();
    let allowed = run(arrays, 1, None).unwrap_or_else(|difference| panic!("{difference}"));
    let percent = allowed * 100 / arrays;
    println!(
        "{arrays} random arrays, {allowed} allowed ({percent} %), 0 differences, {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    assert!(percent >= ALLOWED_PERCENT_LEAST, "only {percent} % allowed");
}

#[test]
fn every_mistake_of_a_reference_is_noticed() {
    for slip in SLIPS {
        let found = run(ARRAYS_UNTIL_NOTICED, 2, Some(*slip));
        assert!(found.is_err(), "{slip:?} makes no difference");
    }
}
