//! Gives the shell a stack for deep scripts; only the part in use is copied by a fork.

fn main() {
    println!("cargo:rustc-link-arg-bins=-zstack-size=2097152");
    println!("cargo:rerun-if-changed=build.rs");
}
