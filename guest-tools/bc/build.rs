//! Gives bc a stack for functions that call themselves.

fn main() {
    println!("cargo:rustc-link-arg-bins=-zstack-size=4194304");
    println!("cargo:rerun-if-changed=build.rs");
}
