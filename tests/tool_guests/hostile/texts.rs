//! Those that are best written as text.

use super::{Fate, Hostile, Kind};

/// Modules that break the contract, or use what the engine leaves out.
pub fn modules() -> Vec<Hostile> {
    let start = r#"(func (export "_start"))"#;
    [
        ("no-start", "(func)".to_owned()),
        (
            "start-with-parameter",
            r#"(func (export "_start") (param i32))"#.to_owned(),
        ),
        (
            "start-is-a-memory",
            r#"(memory (export "_start") 1)"#.to_owned(),
        ),
        (
            "imports-a-memory",
            format!(r#"(import "env" "memory" (memory 1)) {start}"#),
        ),
        (
            "wrong-signature",
            format!(r#"(import "wasi_snapshot_preview1" "fd_write" (func (param f64))) {start}"#),
        ),
        (
            "unknown-call",
            format!(r#"(import "wasi_snapshot_preview1" "fd_wish" (func)) {start}"#),
        ),
        (
            "imports-hotcell",
            format!(
                r#"(import "hotcell" "spawn" (func (param i32 i32 i32 i32) (result i32))) {start}"#
            ),
        ),
        ("memory64", format!("(memory i64 1) {start}")),
        ("threads", format!("(memory 1 1 shared) {start}")),
        (
            "gc",
            format!("(type (struct (field i32))) {start} (func (drop (struct.new_default 0)))"),
        ),
        ("exceptions", format!("(tag $t) {start} (func (throw $t))")),
        (
            "stack-switching",
            format!("(type $f (func)) (type $c (cont $f)) {start} (func (drop (ref.null $c)))"),
        ),
    ]
    .map(|(name, text)| {
        Hostile::new(
            name,
            Kind::Module,
            Fate::Refused,
            assemble(&format!("(module {text})")),
        )
    })
    .into_iter()
    .chain([Hostile::new(
        "two-memories",
        Kind::Module,
        Fate::Either,
        assemble(&format!("(module (memory 1) (memory 1) {start})")),
    )])
    .collect()
}

/// Components around the typed world: with another type, or with a `run` that lies.
pub fn components() -> Vec<Hostile> {
    let number = "(param \"input\" u32) (result u32)";
    let refused = [
        ("no-exports", "(component)".to_owned()),
        (
            "run-of-numbers",
            lifted(number, "(param i32) (result i32) (local.get 0)", ""),
        ),
        (
            "run-without-result",
            lifted("(param \"input\" string)", "(param i32 i32)", ""),
        ),
        (
            "run-is-a-module",
            r#"(component (core module $m) (export "run" (core module $m)))"#.to_owned(),
        ),
    ];
    let either = [
        (
            "answer-outside",
            typed("(i32.const 65536)", "(i32.const 64)"),
        ),
        ("answer-unaligned", typed("(i32.const 3)", "(i32.const 64)")),
        (
            "answer-of-4-gib",
            typed(&answer(0, 0, u32::MAX), "(i32.const 64)"),
        ),
        (
            "answer-past-the-end",
            typed(&answer(0, 65_530, 64), "(i32.const 64)"),
        ),
        (
            "answer-of-a-third-kind",
            typed(&answer(7, 0, 0), "(i32.const 64)"),
        ),
        (
            "answer-not-utf-8",
            typed(&answer(0, 4096, 4), "(i32.const 64)"),
        ),
        (
            "realloc-outside",
            typed(&answer(0, 0, 0), "(i32.const 4294967280)"),
        ),
        (
            "realloc-loops",
            typed(&answer(0, 0, 0), "(loop (br 0)) (unreachable)"),
        ),
        ("realloc-traps", typed(&answer(0, 0, 0), "(unreachable)")),
    ];
    let many = [
        ("typed-with-900-instances", with_instances(900)),
        ("typed-with-1001-instances", with_instances(1001)),
    ];
    let refused = refused.map(|(name, text)| (name, Fate::Refused, text));
    let either = either
        .into_iter()
        .chain(many)
        .map(|(name, text)| (name, Fate::Either, text));
    refused
        .into_iter()
        .chain(either)
        .map(|(name, fate, text)| Hostile::new(name, Kind::Component, fate, assemble(&text)))
        .collect()
}

/// Writes a result at 1024: which case, where its text is, and how long; then gives that place.
fn answer(case: u32, place: u32, length: u32) -> String {
    format!(
        "(i32.store (i32.const 1024) (i32.const {case})) (i32.store (i32.const 1028) (i32.const {place}))
         (i32.store (i32.const 1032) (i32.const {length})) (i32.const 1024)"
    )
}

/// The typed world with these instructions for `run` and for the place of the input's text.
fn typed(run: &str, realloc: &str) -> String {
    lifted(
        "(param \"input\" string) (result (result string (error string)))",
        &format!("(param i32 i32) (result i32) {run}"),
        realloc,
    )
}

/// The typed world in order, but with instances of a module that has a memory beside it.
fn with_instances(count: usize) -> String {
    let text = typed(&answer(0, 0, 0), "(i32.const 64)");
    let whole = text.trim_end_matches(')');
    let closing = ")".repeat(text.len() - whole.len() - 1);
    let instances = "(core instance (instantiate $beside))".repeat(count);
    format!("{whole}{closing} (core module $beside (memory 1)) {instances})")
}

/// A component whose `run` has type `signature` and is the core function `run`. At 4096 is what is
/// not UTF-8.
fn lifted(signature: &str, run: &str, realloc: &str) -> String {
    let realloc = if realloc.is_empty() {
        "(unreachable)"
    } else {
        realloc
    };
    format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (data (i32.const 4096) "\ff\fe\fd\fc")
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc})
                (func (export "run") {run}))
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (alias core export $i "realloc" (core func $realloc))
            (alias core export $i "run" (core func $run))
            (func (export "run") {signature}
                (canon lift (core func $run) (memory $memory) (realloc $realloc))))"#
    )
}

#[allow(clippy::expect_used, reason = "the texts are written above")]
fn assemble(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is WebAssembly")
}
