//! `grep`, `egrep` and `fgrep`.

mod command_line;
mod output;
mod pattern;
mod search;
mod walk;

use std::io::Write;

use guest_start as _;

const TROUBLE: i32 = 2;

fn main() {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let name = std::path::Path::new(&name)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let code = run(&name, arguments.collect());
    std::process::exit(code);
}

fn run(name: &str, arguments: Vec<std::ffi::OsString>) -> i32 {
    let job = match command_line::read(name, arguments) {
        Ok(command_line::Read::Job(job)) => job,
        Ok(command_line::Read::Text(text)) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            return 0;
        }
        Err(message) => {
            eprintln!("{message}");
            return TROUBLE;
        }
    };
    let patterns = match pattern::Patterns::new(&job.pattern) {
        Ok(patterns) => patterns,
        Err(message) => {
            eprintln!("grep: {message}");
            return TROUBLE;
        }
    };
    let mut walk = walk::Walk::new(&job, &patterns);
    walk.operands();
    walk.finish()
}
