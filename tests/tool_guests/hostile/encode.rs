//! Just enough of the binary form to write what no compiler would.

/// Version 1 of core modules.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// Version 13, layer 1: components.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

pub mod section {
    pub const CUSTOM: u8 = 0;
    pub const TYPE: u8 = 1;
    pub const IMPORT: u8 = 2;
    pub const FUNCTION: u8 = 3;
    pub const TABLE: u8 = 4;
    pub const MEMORY: u8 = 5;
    pub const EXPORT: u8 = 7;
    pub const START: u8 = 8;
    pub const CODE: u8 = 10;
    pub const DATA: u8 = 11;
    /// Of components.
    pub const CORE_MODULE: u8 = 1;
    pub const CORE_INSTANCE: u8 = 2;
    pub const COMPONENT: u8 = 4;
    pub const COMPONENT_TYPE: u8 = 7;
}

/// The type `[] -> []` as the only one.
pub const NO_VALUES: &[u8] = &[1, 0x60, 0, 0];

/// An unsigned LEB128 number.
pub fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Bytes after their count.
pub fn counted(bytes: &[u8]) -> Vec<u8> {
    [&number(bytes.len()), bytes].concat()
}

/// The same item over and over, after the count.
pub fn repeated(count: usize, item: &[u8]) -> Vec<u8> {
    [number(count), item.repeat(count)].concat()
}

pub fn module(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    of_sections(MODULE, sections)
}

pub fn component(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    of_sections(COMPONENT, sections)
}

fn of_sections(header: &[u8], sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = header.to_vec();
    for (id, body) in sections {
        bytes.push(*id);
        bytes.extend(counted(body));
    }
    bytes
}

/// The export of a function, by its number, as the only one.
pub fn export_start(function: usize) -> Vec<u8> {
    [&[1u8][..], &counted(b"_start"), &[0], &number(function)].concat()
}

/// A function's body: its locals as groups, and instructions without the last `end`.
pub fn body(locals: &[u8], instructions: &[u8]) -> Vec<u8> {
    counted(&[locals, instructions, &[0x0b]].concat())
}

/// A command whose `_start` has one body, with sections before the code's and after.
pub fn command(before: &[(u8, Vec<u8>)], body: Vec<u8>, after: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut sections = vec![
        (section::TYPE, NO_VALUES.to_vec()),
        (section::FUNCTION, vec![1, 0]),
    ];
    sections.extend(before.iter().cloned());
    sections.push((section::EXPORT, export_start(0)));
    sections.push((section::CODE, [vec![1], body].concat()));
    sections.extend(after.iter().cloned());
    module(&sections)
}
