//! A module that imports a function which is not of preview 1.
#![allow(unsafe_code, reason = "an import can be declared no other way")]

#[cfg(target_family = "wasm")]
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    safe fn do_something(number: i32) -> i32;
}

#[cfg(not(target_family = "wasm"))]
fn do_something(number: i32) -> i32 {
    number
}

fn main() {
    println!("{}", do_something(7));
}
