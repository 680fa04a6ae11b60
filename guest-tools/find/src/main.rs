//! `find` and `xargs`.

mod calendar;
mod evaluate;
mod execute;
mod expression;
mod format;
mod mode;
mod parse;
mod value;
mod walk;
mod xargs;
mod xargs_input;

use guest_start as _;

fn main() {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let rest = arguments.collect();
    let is_xargs = std::path::Path::new(&name)
        .file_name()
        .is_some_and(|name| name == "xargs");
    std::process::exit(if is_xargs {
        xargs::run(rest)
    } else {
        walk::run(rest)
    });
}
