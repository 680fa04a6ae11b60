//! Running commands.

mod assignment;
mod compound;
mod condition;
mod external;
mod function;
mod pipeline;
mod redirect;
mod simple;

use std::rc::Rc;

pub use condition::file_comparison;
pub use external::Lookup;
pub use redirect::high;

use crate::{
    ast::{Command, Item, Kind, List, Pipeline},
    options::shopt,
    parse::Reader,
    shell::Shell,
    traps,
};

/// Why a command stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwind {
    Exit(i32),
    Return(i32),
    Break(usize),
    Continue(usize),
    /// An error in an expansion or assignment: back to the reader, which goes on.
    Discard(i32),
    /// An error that ends a shell that is not interactive.
    Fatal(i32),
}

/// Compound commands within each other, over all calls, beyond which the stack would not last.
const MAX_NESTING: usize = 700;

/// Where a reader stands among calls and loops.
#[derive(Clone, Copy)]
struct Level {
    scopes: usize,
    frames: usize,
    errexit_ignored: usize,
    loop_depth: usize,
}

impl Level {
    fn of(shell: &Shell) -> Self {
        Self {
            scopes: shell.scopes.len(),
            frames: shell.frames.len(),
            errexit_ignored: shell.errexit_ignored,
            loop_depth: shell.loop_depth,
        }
    }
}

/// The answer of anything that may stop a command.
pub type Run<T> = Result<T, Unwind>;

impl Shell {
    /// Runs everything a reader gives, command by command.
    pub fn run_reader(&mut self, reader: &mut Reader, keep_line: bool) -> Run<i32> {
        let tail = std::mem::replace(&mut self.tail, false);
        if !keep_line {
            self.status = 0;
        }
        let mut status = self.status;
        let level = Level::of(self);
        loop {
            let expand = self.shopt & shopt::EXPAND_ALIASES != 0 || self.options.posix;
            let settings = self.settings();
            let mark = reader.mark();
            let aliases = expand.then_some(&self.aliases);
            let list = match reader.next_command(settings, aliases, true) {
                Ok(Some(list)) => list,
                Ok(None) => break,
                Err(error) => {
                    self.syntax_error(&error, reader);
                    self.status = 2;
                    return Ok(2);
                }
            };
            if self.options.verbose {
                let mut text = reader.since(mark).to_vec();
                if text.last().is_some_and(|&b| b != b'\n') {
                    text.push(b'\n');
                }
                self.write_error(&text);
            }
            if self.options.noexec {
                continue;
            }
            self.tail = tail && reader.at_end();
            match self.run_list(&list) {
                Ok(code) => status = code,
                Err(Unwind::Discard(code)) => {
                    self.status = code;
                    status = code;
                    self.unwind_to(level);
                    if self.subshell_depth > 0 {
                        return Err(Unwind::Exit(code));
                    }
                }
                Err(unwind) => return Err(unwind),
            }
        }
        self.tail = tail;
        Ok(status)
    }

    /// After an error that went back to a reader: nothing of the command is left.
    fn unwind_to(&mut self, level: Level) {
        while self.scopes.len() > level.scopes {
            self.pop_scope();
        }
        self.frames.truncate(level.frames);
        self.errexit_ignored = level.errexit_ignored;
        self.loop_depth = level.loop_depth;
    }

    /// Reports an error of syntax, and the line it is in.
    pub fn syntax_error(&mut self, error: &crate::parse::SyntaxError, reader: &Reader) {
        let at_end = error.message.ends_with("unexpected end of file") && reader.lacks_newline();
        self.line = error.line + u32::from(at_end);
        let origin = if self.reads_eval {
            " eval:"
        } else if self.command_string && self.frames.is_empty() && self.depth <= 1 {
            " -c:"
        } else {
            ""
        };
        let name = self.message_name_text();
        let head = format!("{name}:{origin} line {}: ", self.line);
        let mut text = format!("{head}{}\n", error.message).into_bytes();
        if error.message.contains("near unexpected token")
            && let Some(line) = reader.line_text(error.line)
        {
            text.extend([head.as_bytes(), b"`", line, b"'\n"].concat());
        }
        self.write_error(&text);
    }

    pub fn run_list(&mut self, list: &List) -> Run<i32> {
        let tail = std::mem::replace(&mut self.tail, false);
        let last = list.0.len().saturating_sub(1);
        let mut status = 0;
        for (place, item) in list.0.iter().enumerate() {
            self.tail = tail && place == last;
            status = self.run_item(item)?;
        }
        self.tail = false;
        Ok(status)
    }

    fn run_item(&mut self, item: &Item) -> Run<i32> {
        if item.background {
            self.tail = false;
            return self.run_background(item);
        }
        if item.rest.is_empty() {
            return self.run_pipeline(&item.first, false);
        }
        let tail = std::mem::replace(&mut self.tail, false);
        let mut status = self.run_pipeline(&item.first, true)?;
        for (place, (on_success, pipeline)) in item.rest.iter().enumerate() {
            if (status == 0) != *on_success {
                continue;
            }
            let last = place + 1 == item.rest.len();
            self.tail = tail && last;
            status = self.run_pipeline(pipeline, !last)?;
        }
        self.tail = false;
        Ok(status)
    }

    /// Runs a pipeline; `ignore`: its failure is looked at by `&&` or `||`.
    pub fn run_pipeline(&mut self, pipeline: &Pipeline, ignore: bool) -> Run<i32> {
        // A `set -e` that comes within a negated command counts in it.
        let watched = self.options.errexit || self.traps.get(traps::ERR).is_some();
        let ignored = ignore || (pipeline.negated && watched);
        self.errexit_ignored += usize::from(ignored);
        if ignored || pipeline.negated || pipeline.timed.is_some() {
            self.tail = false;
        }
        let start = pipeline
            .timed
            .map(|posix| (posix, std::time::Instant::now()));
        let answer = match pipeline.commands.as_slice() {
            [] => Ok(0),
            [one] => self.run_command(one),
            many => self.run_stages(many),
        };
        self.errexit_ignored -= usize::from(ignored);
        if let Some((posix, start)) = start {
            self.tell_time(posix, start.elapsed());
        }
        let status = answer?;
        if pipeline.commands.len() == 1 && !keeps_own_pipestatus(&pipeline.commands[0].kind) {
            self.set_pipestatus(&[status]);
        }
        if pipeline.negated {
            self.status = i32::from(status == 0);
            return Ok(self.status);
        }
        self.status = status;
        if status != 0 && !ignored && !pipeline.negated && pipeline.commands.len() > 1 {
            self.failed(status)?;
        }
        Ok(status)
    }

    /// A command failed where that counts: the ERR trap, then `set -e`.
    pub fn failed(&mut self, status: i32) -> Run<()> {
        self.failed_with(status, true)
    }

    fn failed_with(&mut self, status: i32, error_trap: bool) -> Run<()> {
        if self.errexit_ignored > 0 {
            return Ok(());
        }
        self.status = status;
        if error_trap && self.trap_applies(traps::ERR) {
            self.run_trap(traps::ERR)?;
        }
        if self.options.errexit {
            return Err(Unwind::Exit(status));
        }
        Ok(())
    }

    /// Runs one command with its redirections.
    pub fn run_command(&mut self, command: &Rc<Command>) -> Run<i32> {
        if self.traps.catching || self.pending_signals != 0 {
            self.take_signals()?;
        }
        if self.options.noexec {
            return Ok(0);
        }
        let first_end = self.process_ends.len();
        // A trap that the command itself sets is not run for it.
        let error_trap = self.traps.get(traps::ERR).is_some();
        let status = match &command.kind {
            Kind::Simple(simple) => {
                self.line = command.line;
                self.run_simple(command, simple)?
            }
            _ => {
                self.tail = false;
                self.nesting += 1;
                let answer = if self.nesting > MAX_NESTING {
                    self.complain(format_args!(
                        "commands nested more than {MAX_NESTING} deep over all function calls"
                    ));
                    Err(Unwind::Discard(1))
                } else if command.redirects.is_empty() {
                    self.run_compound(command)
                } else {
                    self.line = command.line;
                    self.with_redirects(&command.redirects, |shell| shell.run_compound(command))
                };
                self.nesting -= 1;
                answer?
            }
        };
        self.close_process_ends(first_end);
        self.status = status;
        if status != 0
            && matches!(
                command.kind,
                Kind::Simple(_)
                    | Kind::Subshell(_)
                    | Kind::Arithmetic { .. }
                    | Kind::Condition { .. }
            )
        {
            self.failed_with(status, error_trap)?;
        }
        Ok(status)
    }

    fn tell_time(&mut self, posix: bool, elapsed: std::time::Duration) {
        if !posix && let Some(format) = self.get(crate::known::TIMEFORMAT) {
            let text = time_report(&format, elapsed.as_secs_f64());
            self.write_error(&text);
            return;
        }
        let seconds = elapsed.as_secs_f64();
        let format = if posix {
            format!("real {seconds:.2}\nuser 0.00\nsys 0.00\n")
        } else {
            let minutes = (seconds / 60.0) as u64;
            let rest = seconds - (minutes * 60) as f64;
            format!("\nreal\t{minutes}m{rest:.3}s\nuser\t0m0.000s\nsys\t0m0.000s\n")
        };
        self.write_error(format.as_bytes());
    }
}

/// The report of `time` in the form `TIMEFORMAT` asks for; processor time is not told apart.
fn time_report(format: &[u8], real: f64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&byte) = format.get(at) {
        at += 1;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut precision = 3;
        let mut long = false;
        if let Some(digit) = format.get(at).filter(|b| b.is_ascii_digit()) {
            precision = usize::from(digit - b'0').min(6);
            at += 1;
        }
        if format.get(at) == Some(&b'l') {
            long = true;
            at += 1;
        }
        let seconds = match format.get(at) {
            Some(b'R') => real,
            Some(b'U' | b'S' | b'P') => 0.0,
            Some(b'%') => {
                out.push(b'%');
                at += 1;
                continue;
            }
            _ => continue,
        };
        at += 1;
        let text = if long {
            let minutes = (seconds / 60.0) as u64;
            format!("{minutes}m{:.precision$}s", seconds - (minutes * 60) as f64)
        } else {
            format!("{seconds:.precision$}")
        };
        out.extend_from_slice(text.as_bytes());
    }
    if !out.is_empty() {
        out.push(b'\n');
    }
    out
}

/// A compound command's last command has set PIPESTATUS already.
fn keeps_own_pipestatus(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Group(_)
            | Kind::If { .. }
            | Kind::While { .. }
            | Kind::For { .. }
            | Kind::ArithmeticFor { .. }
            | Kind::Case { .. }
            | Kind::Function { .. }
            | Kind::Coprocess { .. }
    )
}
