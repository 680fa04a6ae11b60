//! What a policy says about a native start once more, slow and as the documentation says it, read
//! from the file as written: every deny rule, every allowing rule, every ancestor.

use std::collections::BTreeSet;

use hotcell::policy::text::{Confinement, DenyText, NativeText, PolicyText};

use crate::reference::{self, Place, Slip, slow_pattern};

/// A start of a native program.
#[derive(Debug, Clone)]
pub struct Start {
    pub agent: String,
    pub program: String,
    pub words: Vec<String>,
    pub cwd: String,
}

/// A policy and its ancestors, itself first, as written.
pub type Layers = Vec<PolicyText>;

/// What may be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Denied,
    /// One of these arrays runs. Where rules that are equally strict differ, any of theirs may.
    Runs(BTreeSet<Vec<String>>),
}

/// What the layers say together: all of them allow the words, and the words that run are ones
/// that each of them would run as they are.
pub fn decide(layers: &Layers, start: &Start, slip: Option<Slip>) -> Verdict {
    let asked = match slip {
        Some(Slip::NoAncestor) => layers.get(..1).unwrap_or_default(),
        _ => layers,
    };
    let mut candidates = BTreeSet::new();
    for at in 0..asked.len() {
        let found = decide_layer(layers, at, start, slip);
        if found.is_empty() {
            return Verdict::Denied;
        }
        candidates.extend(found);
    }
    if asked.len() > 1 {
        candidates.retain(|words| {
            let words = words.clone();
            let start = Start {
                words: words.clone(),
                ..start.clone()
            };
            (0..asked.len()).all(|at| decide_layer(layers, at, &start, slip).contains(&words))
        });
    }
    match candidates.is_empty() {
        true => Verdict::Denied,
        false => Verdict::Runs(candidates),
    }
}

/// The arrays that one layer may run; none when it denies.
fn decide_layer(
    layers: &Layers,
    at: usize,
    start: &Start,
    slip: Option<Slip>,
) -> BTreeSet<Vec<String>> {
    let Some(policy) = layers.get(at) else {
        return BTreeSet::new();
    };
    let denied = policy.deny.iter().any(|rule| denies(rule, start, slip));
    if denied && slip != Some(Slip::Undenied) {
        return BTreeSet::new();
    }
    // Protected names unite with those of what the layer extends.
    let below = layers.get(at..).unwrap_or_default();
    let protected = |names: &[String]| {
        let closeness = closeness(below, names);
        match slip {
            Some(Slip::Unprotected) => false,
            Some(Slip::OnTheWay) => closeness == Closeness::Inside,
            _ => closeness != Closeness::Apart,
        }
    };
    let place = Place {
        cwd: &start.cwd,
        protected: &protected,
        slip,
    };
    let mut fitting: Vec<(Confinement, Vec<String>)> = Vec::new();
    for rule in &policy.native {
        if rule.program == start.program
            && folder_fits(below, rule, &start.cwd, slip)
            && let Some(words) = reference::match_at(rule, &start.words, &place)
        {
            fitting.push((rule.confinement.unwrap_or(Confinement::Full), words));
        }
    }
    if slip == Some(Slip::LastRule) {
        return fitting.pop().into_iter().map(|(_, words)| words).collect();
    }
    let strictest = fitting.iter().map(|(confinement, _)| *confinement).max();
    fitting.retain(|(confinement, _)| Some(*confinement) == strictest);
    fitting.into_iter().map(|(_, words)| words).collect()
}

fn denies(rule: &DenyText, start: &Start, slip: Option<Slip>) -> bool {
    let for_agent = rule.agents.is_empty() || rule.agents.contains(&start.agent);
    let begins = start.words.starts_with(&rule.args);
    let looked_at = match slip {
        Some(Slip::DeniedFirstWord) => start.words.get(..1).unwrap_or_default(),
        _ => &start.words,
    };
    let word = rule.word.as_ref().is_none_or(|pattern| {
        let mut words = looked_at.iter();
        words.any(|word| slow_pattern::matches(pattern, word, true))
    });
    rule.native.as_ref() == Some(&start.program) && for_agent && begins && word
}

/// An absolute folder in the rule's folder, and in no protected one.
fn folder_fits(layers: &[PolicyText], rule: &NativeText, cwd: &str, slip: Option<Slip>) -> bool {
    let wanted = rule.cwd.as_deref().unwrap_or("/workspace");
    let Some(names) = reference::names(cwd, "", false) else {
        return false;
    };
    let protected = closeness(layers, &names) == Closeness::Inside;
    cwd.starts_with('/')
        && !cwd.contains('\0')
        && reference::lies_below(&names, wanted, false)
        && (!protected || slip == Some(Slip::ProtectedFolder))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    Apart,
    OnTheWay,
    Inside,
}

/// How the names of an absolute path relate to what the layers protect.
fn closeness(layers: &[PolicyText], names: &[String]) -> Closeness {
    let Some((top, inside)) = names.split_first() else {
        return Closeness::Apart;
    };
    let mut closest = Closeness::Apart;
    for policy in layers {
        let workspace = policy.workspace.iter();
        let workspace = workspace.filter(|_| top == "workspace");
        let mounts = policy.mount.iter();
        let mounts = mounts.filter(|mount| mount.guest == format!("/{top}"));
        let protected = workspace.flat_map(|place| &place.protected);
        for written in protected.chain(mounts.flat_map(|mount| &mount.protected)) {
            let (every, name) = match written.strip_prefix("**/") {
                Some(name) => (true, name),
                None => (false, &**written),
            };
            let name = format!("{name}/");
            for from in 0..inside.len() {
                let path = format!("{}/", inside.get(from..).unwrap_or_default().join("/"));
                if path.starts_with(&name) && (every || from == 0) {
                    closest = closest.max(Closeness::Inside);
                } else if name.starts_with(&path) && (every || from == 0) {
                    closest = closest.max(Closeness::OnTheWay);
                }
            }
        }
    }
    closest
}
