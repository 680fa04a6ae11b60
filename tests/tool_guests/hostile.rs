//! Tools that no compiler would make, for tests of whatever reads tools: each is to be refused or
//! run in good time, with bounded memory, and never with harm. The same bytes every time.
//!
//! Tests include this file with `#[path]`. It needs the crate `wat`.

#[path = "hostile/components.rs"]
mod components;
#[path = "hostile/encode.rs"]
mod encode;
#[path = "hostile/texts.rs"]
mod texts;

use encode::{body, command, counted, export_start, module, number, repeated, section};

/// What a policy would say of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Module,
    Component,
}

/// What may come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It breaks the format, the contract, or the limits on files: it must not load.
    Refused,
    /// It may load or not. If it loads, a call must end by itself or by a limit.
    Either,
}

#[derive(Debug)]
pub struct Hostile {
    pub name: String,
    pub kind: Kind,
    pub fate: Fate,
    pub bytes: Vec<u8>,
}

impl Hostile {
    fn new(name: impl Into<String>, kind: Kind, fate: Fate, bytes: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            kind,
            fate,
            bytes,
        }
    }
}

/// A module and a component that are in order, to be spoilt.
const COPY: &[u8] = include_bytes!("dist/copy.wasm");
const COPY_COMPONENT: &[u8] = include_bytes!("dist/copy-component.wasm");

/// All of them.
pub fn all() -> Vec<Hostile> {
    let mut all = sizes();
    all.extend(not_wasm());
    all.extend(truncated());
    all.extend(flipped());
    all.extend(texts::modules());
    all.extend(texts::components());
    all.extend(components::nested());
    all
}

/// Modules with too much of one thing.
fn sizes() -> Vec<Hostile> {
    let either = |name: &str, bytes| Hostile::new(name, Kind::Module, Fate::Either, bytes);
    let refused = |name: &str, bytes| Hostile::new(name, Kind::Module, Fate::Refused, bytes);
    let nothing = || body(&[0], &[]);
    vec![
        either("functions-50000", functions(50_000)),
        either("straight-line-200000", straight_line(200_000)),
        either("blocks-10000-deep", nested_blocks(10_000)),
        either("br-table-1000000", branch_table(1_000_000)),
        either("br-table-60000", branch_table(60_000)),
        refused("locals-60000", locals(60_000)),
        either("locals-49999", locals(49_999)),
        either("memory-4-gib", memory(&[0], 65_536, None, nothing())),
        refused(
            "memory-over-4-gib",
            memory(&[1], 1, Some(65_537), nothing()),
        ),
        either("table-10000000", table(10_000_000)),
        either("types-100000", types(100_000)),
        either("name-section-1-mib", names(1 << 20)),
        either("exports-10000", exports(10_000, 400)),
        either("imports-5000", imports(5_000)),
        refused("data-60-mib", data(60 << 20)),
        either("start-loops", start_loops()),
    ]
}

fn functions(count: usize) -> Vec<u8> {
    module(&[
        (section::TYPE, encode::NO_VALUES.to_vec()),
        (section::FUNCTION, repeated(count, &[0])),
        (section::EXPORT, export_start(count - 1)),
        (section::CODE, repeated(count, &body(&[0], &[]))),
    ])
}

/// `local.get 0; i32.const 3; i32.mul; local.set 0`, so that nothing can be left out.
fn straight_line(instructions: usize) -> Vec<u8> {
    let step = [0x20, 0, 0x41, 3, 0x6c, 0x21, 0];
    command(
        &[],
        body(&[1, 1, 0x7f], &step.repeat(instructions / 4)),
        &[],
    )
}

fn nested_blocks(depth: usize) -> Vec<u8> {
    let instructions = [[0x02, 0x40].repeat(depth), vec![0x0b; depth]].concat();
    command(&[], body(&[0], &instructions), &[])
}

fn branch_table(targets: usize) -> Vec<u8> {
    let instructions = [vec![0x41, 0, 0x0e], repeated(targets, &[0]), vec![0]].concat();
    command(&[], body(&[0], &instructions), &[])
}

fn locals(count: usize) -> Vec<u8> {
    let groups = [&[1u8][..], &number(count), &[0x7e]].concat();
    command(&[], body(&groups, &[]), &[])
}

fn memory(flags: &[u8], min: usize, max: Option<usize>, code: Vec<u8>) -> Vec<u8> {
    let max = max.map(number).unwrap_or_default();
    let memory = [&[1u8][..], flags, &number(min), &max].concat();
    command(&[(section::MEMORY, memory)], code, &[])
}

fn table(elements: usize) -> Vec<u8> {
    let table = [&[1u8, 0x70, 0][..], &number(elements)].concat();
    command(&[(section::TABLE, table)], body(&[0], &[]), &[])
}

fn types(count: usize) -> Vec<u8> {
    module(&[
        (section::TYPE, repeated(count, &[0x60, 0, 0])),
        (section::FUNCTION, vec![1, 0]),
        (section::EXPORT, export_start(0)),
        (section::CODE, [vec![1], body(&[0], &[])].concat()),
    ])
}

/// The module's own name in the section of names.
fn names(bytes: usize) -> Vec<u8> {
    let name = counted(&vec![b'n'; bytes]);
    let custom = [counted(b"name"), vec![0], counted(&name)].concat();
    command(&[], body(&[0], &[]), &[(section::CUSTOM, custom)])
}

fn exports(count: usize, name_bytes: usize) -> Vec<u8> {
    let mut exports = [number(count + 1), counted(b"_start"), vec![0, 0]].concat();
    for export in 0..count {
        exports.extend(counted(format!("{export:0>name_bytes$}").as_bytes()));
        exports.extend([0, 0]);
    }
    module(&[
        (section::TYPE, encode::NO_VALUES.to_vec()),
        (section::FUNCTION, vec![1, 0]),
        (section::EXPORT, exports),
        (section::CODE, [vec![1], body(&[0], &[])].concat()),
    ])
}

fn imports(count: usize) -> Vec<u8> {
    let import = [
        counted(b"wasi_snapshot_preview1"),
        counted(b"sched_yield"),
        vec![0, 1],
    ]
    .concat();
    module(&[
        (section::TYPE, vec![2, 0x60, 0, 0, 0x60, 0, 1, 0x7f]),
        (section::IMPORT, repeated(count, &import)),
        (section::FUNCTION, vec![1, 0]),
        (section::EXPORT, export_start(count)),
        (section::CODE, [vec![1], body(&[0], &[])].concat()),
    ])
}

/// More than any file of a tool may have.
fn data(bytes: usize) -> Vec<u8> {
    let memory = [&[1u8, 0][..], &number(bytes >> 16)].concat();
    let data = [vec![1, 0, 0x41, 0, 0x0b], counted(&vec![0; bytes])].concat();
    command(
        &[(section::MEMORY, memory)],
        body(&[0], &[]),
        &[(section::DATA, data)],
    )
}

/// The loop runs while the module is instantiated, before anything is called.
fn start_loops() -> Vec<u8> {
    module(&[
        (section::TYPE, encode::NO_VALUES.to_vec()),
        (section::FUNCTION, vec![1, 0]),
        (section::EXPORT, export_start(0)),
        (section::START, vec![0]),
        (
            section::CODE,
            [vec![1], body(&[0], &[0x03, 0x40, 0x0c, 0, 0x0b])].concat(),
        ),
    ])
}

/// Files of something else, or of the other kind.
fn not_wasm() -> Vec<Hostile> {
    [
        ("empty", Kind::Module, Vec::new()),
        ("empty-component", Kind::Component, Vec::new()),
        ("text", Kind::Module, b"not wasm\n".to_vec()),
        (
            "text-format",
            Kind::Module,
            b"(module (func (export \"_start\")))".to_vec(),
        ),
        ("header-only", Kind::Module, b"\0asm\x01\0\0\0".to_vec()),
        ("version-2", Kind::Module, b"\0asm\x02\0\0\0".to_vec()),
        (
            "component-called-module",
            Kind::Module,
            COPY_COMPONENT.to_vec(),
        ),
        ("module-called-component", Kind::Component, COPY.to_vec()),
    ]
    .map(|(name, kind, bytes)| Hostile::new(name, kind, Fate::Refused, bytes))
    .into()
}

/// Cut off at many places. A cut between sections leaves a valid file that may lack what is asked.
fn truncated() -> Vec<Hostile> {
    const PLACES: usize = 16;
    let mut all = Vec::new();
    for (what, kind, whole) in spoilable() {
        for place in 1..PLACES {
            let end = whole.len() * place / PLACES;
            let bytes = whole[..end].to_vec();
            all.push(Hostile::new(
                format!("{what}-cut-at-{end}"),
                kind,
                Fate::Refused,
                bytes,
            ));
        }
    }
    all
}

/// With one to eight bits changed, which may leave it valid and may not.
fn flipped() -> Vec<Hostile> {
    const SEEDS: u64 = 24;
    let mut all = Vec::new();
    for (what, kind, whole) in spoilable() {
        for seed in 1..=SEEDS {
            let mut random = seed;
            let mut bytes = whole.to_vec();
            for _ in 0..=seed % 8 {
                let place = next(&mut random) as usize % bytes.len();
                bytes[place] ^= 1 << (next(&mut random) % 8);
            }
            all.push(Hostile::new(
                format!("{what}-flipped-{seed}"),
                kind,
                Fate::Either,
                bytes,
            ));
        }
    }
    all
}

fn spoilable() -> [(&'static str, Kind, &'static [u8]); 2] {
    [
        ("module", Kind::Module, COPY),
        ("component", Kind::Component, COPY_COMPONENT),
    ]
}

/// The generator `xorshift64*` of Vigna, "An experimental exploration of Marsaglia's xorshift
/// generators": the same numbers on every machine.
fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::Instant};

    #[test]
    fn all_are_made_soon_and_have_their_own_names() {
        let begun = Instant::now();
        let all = super::all();
        let took = begun.elapsed();
        assert!(took.as_secs() < 5, "{took:?} for all");
        let names: HashSet<&str> = all.iter().map(|hostile| hostile.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.len() > 22);
    }
}
