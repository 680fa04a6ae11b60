//! The audit room names its build in records.

fn main() {
    println!("cargo::rustc-env=HOTCELL_BUILD=fuzz");
}
