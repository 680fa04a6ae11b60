//! Any rule of some features, any words: the matcher and the slow reference say the same.
#![no_main]

use std::time::UNIX_EPOCH;

use hotcell::policy::text::{NativeText, OperandText, PolicyText, Separator};
use hotcell::policy::{self, Decision, NativeCall, Request, Run};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/policy/reference.rs"]
mod reference;

const PATTERNS: [&str; 3] = ["[0-9]{1,3}", "[a-c]*", "x|--?y"];

fn rule(features: &[u8; 4]) -> NativeText {
    let [flags, values, operands, rest] = *features;
    let bit = |byte: u8, at: u8| byte & (1 << at) != 0;
    let pattern = |byte: u8| PATTERNS[usize::from(byte) % PATTERNS.len()].to_owned();
    let some = |byte: u8, names: &[&str]| -> Vec<String> {
        let kept = (0_u8..).zip(names).filter(|(at, _)| bit(byte, *at));
        kept.map(|(_, name)| (*name).to_owned()).collect()
    };
    let mut allowed = Vec::new();
    if bit(operands, 0) {
        allowed.push(OperandText { path: Some("/workspace".to_owned()), ..OperandText::default() });
    }
    if bit(operands, 1) {
        allowed.push(OperandText { literal: Some("-y".to_owned()), ..OperandText::default() });
    }
    if bit(operands, 2) {
        allowed.push(OperandText { pattern: Some(pattern(operands >> 4)), ..OperandText::default() });
    }
    let takes = !allowed.is_empty();
    NativeText {
        program: "/usr/bin/x".to_owned(),
        args: some(rest, &["log"]),
        flags: some(flags, &["-a", "-b", "--all", "--al"]),
        values: some(values, &["-n", "--n=", "--m=", "--m"])
            .into_iter()
            .map(|name| (name, pattern(values >> 4)))
            .collect(),
        operands: allowed,
        operands_min: takes.then_some(u32::from(bit(rest, 1))),
        operands_max: takes.then_some(1 + u32::from(rest >> 6)),
        separator: [Separator::None, Separator::Accept, Separator::Insert]
            [usize::from(rest >> 2) % 3],
        reason: "r".to_owned(),
        ..NativeText::default()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((features, rest)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    let words: Vec<String> = match text.is_empty() {
        true => Vec::new(),
        false => text.split('\n').map(str::to_owned).collect(),
    };
    if words.len() > 40 || words.iter().any(|word| word.contains('\0')) {
        return;
    }
    let rule = rule(features);
    let policy = PolicyText {
        version: 1,
        name: "f".to_owned(),
        description: "d".to_owned(),
        native: vec![rule.clone()],
        ..PolicyText::default()
    };
    let policy = policy::load_text(&toml::to_string(&policy).unwrap()).unwrap();
    let call = NativeCall {
        agent: "a",
        program: &rule.program,
        arguments: &words,
        cwd: "/workspace",
    };
    let fast = match policy::decide(&policy, &Request::Native(call), UNIX_EPOCH) {
        Decision::Allow(grant) => match grant.into_run() {
            Run::Native(terms) => Some(terms.arguments),
            _ => None,
        },
        Decision::Deny(_) => None,
    };
    assert_eq!(fast, reference::match_words(&rule, &words), "{rule:?} {words:?}");
});
