//! Components with too much of one thing, or too deep.

use super::{
    Fate, Hostile, Kind,
    encode::{component, module, number, repeated, section},
};

pub fn nested() -> Vec<Hostile> {
    // None of them exports what a tool exports.
    [
        ("component-in-components-100", component_in_components(100)),
        (
            "component-in-components-1000",
            component_in_components(1_000),
        ),
        ("core-instances-2000", core_instances(2_000)),
        ("core-modules-1000", core_modules(1_000)),
        ("tuples-of-tuples-18", tuples_of_tuples(18)),
        ("tuples-of-tuples-64", tuples_of_tuples(64)),
        ("component-types-100000", component_types(100_000)),
        ("component-in-types-1000", types_in_types(1_000)),
    ]
    .map(|(name, bytes)| Hostile::new(name, Kind::Component, Fate::Refused, bytes))
    .into()
}

fn component_in_components(depth: usize) -> Vec<u8> {
    (0..depth).fold(component(&[]), |inner, _| {
        component(&[(section::COMPONENT, inner)])
    })
}

/// Instances of one module with a memory of its own each.
fn core_instances(count: usize) -> Vec<u8> {
    let one = module(&[(section::MEMORY, vec![1, 0, 1])]);
    component(&[
        (section::CORE_MODULE, one),
        (section::CORE_INSTANCE, repeated(count, &[0, 0, 0])),
    ])
}

fn core_modules(count: usize) -> Vec<u8> {
    let one = module(&[(section::MEMORY, vec![1, 0, 1])]);
    component(&vec![(section::CORE_MODULE, one); count])
}

/// Each type is a pair of the one before: `2^depth` numbers in the last.
fn tuples_of_tuples(depth: usize) -> Vec<u8> {
    let mut types = [number(depth), vec![0x6f, 2, 0x7d, 0x7d]].concat();
    for before in 0..depth - 1 {
        // A signed number of 33 bits: two bytes from 64 on.
        let index = if before < 64 {
            vec![before as u8]
        } else {
            vec![before as u8 | 0x80, 0]
        };
        types.extend([&[0x6f, 2][..], &index, &index].concat());
    }
    component(&[(section::COMPONENT_TYPE, types)])
}

fn component_types(count: usize) -> Vec<u8> {
    component(&[(
        section::COMPONENT_TYPE,
        repeated(count, &[0x6f, 2, 0x7d, 0x7d]),
    )])
}

/// The type of a component that declares the type of a component, and so on.
fn types_in_types(depth: usize) -> Vec<u8> {
    let innermost = vec![0x41, 0];
    let outermost = (0..depth).fold(innermost, |inner, _| [&[0x41, 1, 1][..], &inner].concat());
    component(&[(section::COMPONENT_TYPE, [vec![1], outermost].concat())])
}
