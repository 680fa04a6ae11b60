//! `bc`: the calculator, with GNU's additions to POSIX.

mod lexer;
mod library;
mod number;
mod output;
mod parse;
mod run;
mod syntax;

use std::rc::Rc;

use guest_start as _;
use lexer::Lexer;
use options::{Grammar, Takes};
use parse::Parser;
use run::{Machine, Stop};
use syntax::Item;

const GRAMMAR: Grammar = Grammar {
    short: "hilqsvw",
    long: &[
        ("help", Takes::Nothing, 'h' as u32),
        ("interactive", Takes::Nothing, 'i' as u32),
        ("mathlib", Takes::Nothing, 'l' as u32),
        ("quiet", Takes::Nothing, 'q' as u32),
        ("standard", Takes::Nothing, 's' as u32),
        ("version", Takes::Nothing, 'v' as u32),
        ("warn", Takes::Nothing, 'w' as u32),
    ],
};
const USAGE: &str = "usage: bc [options] [file ...]
  -h  --help         print this usage and exit
  -i  --interactive  force interactive mode
  -l  --mathlib      use the predefined math routines
  -q  --quiet        don't print initial banner
  -s  --standard     non-standard bc constructs are errors
  -w  --warn         warn about non-standard bc constructs
  -v  --version      print version information and exit";

fn main() {
    std::process::exit(calculate());
}

fn calculate() -> i32 {
    let line = match GRAMMAR.parse(std::env::args_os().skip(1)) {
        Ok(line) => line,
        Err(message) => {
            eprintln!("bc: {message}");
            println!("{USAGE}");
            return 1;
        }
    };
    if line.has('h') {
        println!("{USAGE}");
        return 0;
    }
    if line.has('v') {
        println!("bc (hotcell) {}", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    let files = line.operands.iter();
    let files: Vec<String> = files
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let mut lexer = match Lexer::new(&files) {
        Ok(lexer) => lexer,
        Err(message) => {
            eprintln!("{message}");
            return 1;
        }
    };
    let mut machine = Machine::new(line.has('l'));
    loop {
        match Parser::new(&mut lexer).item() {
            Ok(Item::Statements(statements)) => match machine.run(&statements, &mut lexer) {
                Ok(()) => {}
                Err(Stop::Halt) => break,
                Err(Stop::Error(message)) => {
                    machine.output.flush();
                    eprintln!("Runtime error: {message}");
                }
            },
            Ok(Item::Define(name, function)) => {
                machine.functions.insert(name, Rc::new(function));
            }
            Ok(Item::Quit | Item::End) => break,
            Err(fault) => {
                machine.output.flush();
                eprintln!("{} {}: {}", lexer.file, lexer.number, fault.0);
                lexer.skip_line();
            }
        }
        // Whoever writes to us line by line may wait for each answer.
        machine.output.flush();
        if machine.output.broken {
            return 1;
        }
    }
    machine.output.flush();
    0
}
