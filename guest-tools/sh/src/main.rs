//! Hotcell's bash.
//!
//! `parse` turns text into a tree with brush-parser's grammar, `expand` turns words into
//! arguments, `execute` runs commands, `builtins` are the commands the shell does itself, and
//! `system` is the only way to the kernel.

mod arithmetic;
mod ast;
mod builtins;
mod depth;
mod execute;
mod expand;
mod jobs;
mod known;
mod names;
mod options;
mod parse;
mod pattern;
mod print;
mod quote;
mod shell;
mod special;
mod start;
mod state;
mod substitutes;
mod system;
mod text;
mod traps;
mod variables;

fn main() {
    let status = start::run();
    std::process::exit(status);
}
