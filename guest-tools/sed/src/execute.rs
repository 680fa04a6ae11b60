//! Running a script on every line.

mod address;

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{self, BufRead, BufReader, Read},
    os::wasi::ffi::OsStrExt,
    rc::Rc,
};

use guest_start::{descriptor, process};
use options::reason;
use posix_regex::Matcher;

use crate::{
    Settings,
    input::Input,
    output::{InPlace, Sink, written_file},
    script::{Action, Script, Substitution},
    substitute::substitute,
};

/// How far a range has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Closed,
    /// Open to this line.
    To(u64),
    /// Open until the end matches.
    Open,
}

/// Text to be written when the cycle ends.
enum Waiting {
    Text(Vec<u8>),
    File(Vec<u8>),
}

/// What follows a command.
enum Then {
    Next,
    Jump(usize),
    EndCycle,
    /// Without printing.
    EndCycleSilently,
    /// Start over without reading a line.
    Again,
    Quit {
        print: bool,
        status: i32,
    },
}

pub struct Machine<'a> {
    script: &'a Script,
    settings: &'a Settings,
    input: Input,
    pattern: Vec<u8>,
    hold: Vec<u8>,
    terminated: bool,
    ranges: Vec<Range>,
    last: Option<Rc<Matcher>>,
    replaced: bool,
    waiting: Vec<Waiting>,
    stdout: Sink,
    in_place: Option<(InPlace, Sink)>,
    written: Vec<Option<Sink>>,
    read: Vec<Option<BufReader<fs::File>>>,
    error: Option<io::Error>,
}

impl<'a> Machine<'a> {
    pub fn new(script: &'a Script, settings: &'a Settings, files: Vec<OsString>) -> Self {
        let ranges = script.commands.iter();
        let ranges = ranges.map(|c| {
            if c.guard.from_zero {
                Range::Open
            } else {
                Range::Closed
            }
        });
        Self {
            ranges: ranges.collect(),
            script,
            settings,
            input: Input::new(
                files,
                settings.terminator,
                settings.separate,
                settings.unbuffered,
            ),
            pattern: Vec::new(),
            hold: Vec::new(),
            terminated: true,
            last: None,
            replaced: false,
            waiting: Vec::new(),
            stdout: Sink::stdout(settings.unbuffered),
            in_place: None,
            written: Vec::new(),
            read: Vec::new(),
            error: None,
        }
    }

    /// Runs to the end; answers the exit status.
    pub fn run(mut self) -> i32 {
        for name in &self.script.written {
            match written_file(name) {
                Ok(sink) => self.written.push(sink),
                Err(error) => {
                    eprintln!(
                        "sed: couldn't open file {}: {}",
                        String::from_utf8_lossy(name),
                        reason(&error)
                    );
                    return 4;
                }
            }
        }
        for name in &self.script.read {
            let name = if name == b"/dev/stdin" {
                &b"/dev/stdin"[..]
            } else {
                name
            };
            self.read.push(
                fs::File::open(OsStr::from_bytes(name))
                    .ok()
                    .map(BufReader::new),
            );
        }
        let status = self.cycles();
        self.input.give_back();
        self.finish_file();
        let flushed = self.stdout.flush();
        if let Some(error) = self.error.or(flushed.err()) {
            eprintln!("sed: couldn't write to output: {}", reason(&error));
            return 4;
        }
        match status {
            0 if self.input.failed => 2,
            other => other,
        }
    }

    fn cycles(&mut self) -> i32 {
        let mut again = false;
        loop {
            if !again && !self.read_line() {
                return 0;
            }
            again = false;
            match self.one_cycle() {
                Then::Quit { print, status } => {
                    if print {
                        self.end_cycle(!self.settings.quiet);
                    }
                    return status;
                }
                Then::Again => {
                    self.end_cycle(false);
                    again = true;
                }
                Then::EndCycleSilently => self.end_cycle(false),
                _ => self.end_cycle(!self.settings.quiet),
            }
            if self.error.is_some() {
                return 4;
            }
        }
    }

    fn read_line(&mut self) -> bool {
        if self.settings.in_place.is_some() && self.input.file_is_over() {
            self.finish_file();
        }
        let Some(line) = self.input.next() else {
            return false;
        };
        self.pattern = line.text;
        self.terminated = line.terminated;
        self.replaced = false;
        self.begin_file();
        true
    }

    /// Starts the new text when the line came from a new file.
    fn begin_file(&mut self) {
        if !std::mem::take(&mut self.input.opened) {
            return;
        }
        let Some(suffix) = &self.settings.in_place else {
            return;
        };
        self.finish_file();
        if self.input.name == "-" {
            return;
        }
        match InPlace::begin(&self.input.name, suffix) {
            Ok(begun) => self.in_place = Some(begun),
            Err(error) => {
                eprintln!(
                    "sed: couldn't open temporary file for {}: {}",
                    self.input.name.display(),
                    reason(&error)
                );
                self.error = Some(error);
            }
        }
    }

    fn finish_file(&mut self) {
        if let Some((in_place, sink)) = self.in_place.take()
            && let Err(error) = in_place.finish(sink)
        {
            self.error = Some(error);
        }
    }

    fn check(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    fn out(&mut self) -> &mut Sink {
        match &mut self.in_place {
            Some((_, sink)) => sink,
            None => &mut self.stdout,
        }
    }

    fn print(&mut self, text: &[u8]) {
        let (terminator, terminated) = (self.settings.terminator, self.terminated);
        let result = self.out().line(text, terminator, terminated);
        self.check(result);
    }

    fn print_raw(&mut self, text: &[u8]) {
        let result = self.out().raw(text);
        self.check(result);
    }

    fn end_cycle(&mut self, print: bool) {
        if print {
            let pattern = std::mem::take(&mut self.pattern);
            self.print(&pattern);
            self.pattern = pattern;
        }
        self.write_waiting();
    }

    fn write_waiting(&mut self) {
        for waiting in std::mem::take(&mut self.waiting) {
            match waiting {
                Waiting::Text(text) => self.print_raw(&text),
                Waiting::File(name) => {
                    let text = if name == b"/dev/stdin" {
                        let mut text = Vec::new();
                        let mut stdin = descriptor::into_file(0);
                        let _ = stdin.read_to_end(&mut text);
                        std::mem::forget(stdin);
                        Ok(text)
                    } else {
                        fs::read(OsStr::from_bytes(&name))
                    };
                    if let Ok(text) = text
                        && !text.is_empty()
                    {
                        self.print_raw(&text);
                    }
                }
            }
        }
    }

    fn one_cycle(&mut self) -> Then {
        let script = self.script;
        let mut at = 0;
        while let Some(command) = script.commands.get(at) {
            if !self.applies(at, command) {
                at = match command.action {
                    Action::Open(close) => close,
                    _ => at + 1,
                };
                continue;
            }
            match self.act(at, &command.action) {
                Then::Next => at += 1,
                Then::Jump(to) => at = to,
                other => return other,
            }
        }
        Then::EndCycle
    }

    fn act(&mut self, at: usize, action: &Action) -> Then {
        match action {
            Action::Open(_) | Action::Close | Action::Label | Action::Nothing => {}
            Action::Append(text) => self.waiting.push(Waiting::Text(text.clone())),
            Action::Insert(text) => self.print_raw(text),
            Action::Change(text) => return self.change(at, text),
            Action::Branch(to) => return jump(*to),
            Action::BranchIfReplaced(to) => {
                if std::mem::take(&mut self.replaced) {
                    return jump(*to);
                }
            }
            Action::BranchUnlessReplaced(to) => {
                if !std::mem::take(&mut self.replaced) {
                    return jump(*to);
                }
            }
            Action::Delete => return Then::EndCycleSilently,
            Action::DeleteFirstLine => return self.delete_first_line(),
            Action::Next => return self.next(),
            Action::NextAppend => return self.next_append(),
            Action::Quit(status) => {
                return Then::Quit {
                    print: true,
                    status: *status,
                };
            }
            Action::QuitSilently(status) => {
                return Then::Quit {
                    print: false,
                    status: *status,
                };
            }
            Action::Execute(command) => self.execute(command),
            Action::Substitute(what) => self.substitute(what),
            Action::ReadFile(name) => self.waiting.push(Waiting::File(name.clone())),
            Action::ReadLine(file) => self.read_from(*file),
            Action::WriteFile(file) => self.write_to(*file, self.pattern.len()),
            Action::WriteFirstLine(file) => self.write_to(*file, self.first_line()),
            _ => self.on_spaces(action),
        }
        Then::Next
    }

    /// Commands that only move text about or print it.
    fn on_spaces(&mut self, action: &Action) {
        match action {
            Action::Get => self.pattern.clone_from(&self.hold),
            Action::GetAppend => {
                self.pattern.push(b'\n');
                self.pattern.extend_from_slice(&self.hold);
            }
            Action::Hold => self.hold.clone_from(&self.pattern),
            Action::HoldAppend => {
                self.hold.push(b'\n');
                self.hold.extend_from_slice(&self.pattern);
            }
            Action::Exchange => std::mem::swap(&mut self.pattern, &mut self.hold),
            Action::Zap => self.pattern.clear(),
            Action::Print => {
                let pattern = self.pattern.clone();
                self.print(&pattern);
            }
            Action::PrintFirstLine => {
                let line = self.pattern[..self.first_line()].to_vec();
                let terminated = std::mem::replace(&mut self.terminated, true);
                self.print(&line);
                self.terminated = terminated;
            }
            Action::Number => {
                let line = format!("{}\n", self.input.number);
                self.print_raw(line.as_bytes());
            }
            Action::FileName => {
                let line = [self.input.name.as_bytes(), b"\n"].concat();
                self.print_raw(&line);
            }
            Action::List(length) => {
                let line = listed(&self.pattern, length.unwrap_or(self.settings.line_length));
                self.print_raw(&line);
            }
            Action::Transliterate(pairs) => {
                let text = String::from_utf8_lossy(&self.pattern).into_owned();
                let swap = |c| {
                    pairs
                        .iter()
                        .find(|(from, _)| *from == c)
                        .map_or(c, |(_, to)| *to)
                };
                self.pattern = text.chars().map(swap).collect::<String>().into_bytes();
            }
            _ => {}
        }
    }

    fn first_line(&self) -> usize {
        self.pattern
            .iter()
            .position(|&b| b == self.line_end())
            .unwrap_or(self.pattern.len())
    }

    fn line_end(&self) -> u8 {
        self.settings.terminator
    }

    fn change(&mut self, at: usize, text: &[u8]) -> Then {
        let guard = &self.script.commands[at].guard;
        let inside = guard.end.is_some() && !guard.negated && self.ranges[at] != Range::Closed;
        if !inside {
            self.print_raw(text);
        }
        Then::EndCycleSilently
    }

    fn delete_first_line(&mut self) -> Then {
        let end = self.first_line();
        if end == self.pattern.len() {
            return Then::EndCycleSilently;
        }
        self.pattern.drain(..=end);
        Then::Again
    }

    fn next(&mut self) -> Then {
        if self.input.is_over() {
            return Then::Quit {
                print: !self.settings.posix,
                status: 0,
            };
        }
        self.end_cycle(!self.settings.quiet);
        let replaced = self.replaced;
        if !self.read_line() {
            return Then::Quit {
                print: false,
                status: 0,
            };
        }
        self.replaced = replaced;
        Then::Next
    }

    fn next_append(&mut self) -> Then {
        self.write_waiting();
        if self.input.is_over() {
            return Then::Quit {
                print: !self.settings.posix,
                status: 0,
            };
        }
        let old = std::mem::take(&mut self.pattern);
        let replaced = self.replaced;
        if !self.read_line() {
            self.pattern = old;
            return Then::Quit {
                print: true,
                status: 0,
            };
        }
        self.replaced = replaced;
        let added = std::mem::replace(&mut self.pattern, old);
        self.pattern.push(self.settings.terminator);
        self.pattern.extend_from_slice(&added);
        Then::Next
    }

    fn substitute(&mut self, what: &Substitution) {
        let Some(matcher) = self.matcher(&what.expression) else {
            return;
        };
        let Some(new) = substitute(what, &matcher, &self.pattern) else {
            return;
        };
        self.pattern = new;
        self.replaced = true;
        if what.evaluate {
            let command = self.pattern.clone();
            self.pattern = self.output_of(&command);
            if self.pattern.last() == Some(&b'\n') {
                self.pattern.pop();
            }
        }
        if what.print {
            let pattern = self.pattern.clone();
            self.print(&pattern);
        }
        if let Some(file) = what.file {
            self.write_to(file, self.pattern.len());
        }
    }

    fn write_to(&mut self, file: usize, length: usize) {
        let text = self.pattern[..length].to_vec();
        let (terminator, terminated) = (self.settings.terminator, self.terminated);
        let result = match &mut self.written[file] {
            Some(sink) => sink.line(&text, terminator, terminated),
            None => self.stdout.line(&text, terminator, terminated),
        };
        self.check(result);
    }

    fn read_from(&mut self, file: usize) {
        let Some(reader) = &mut self.read[file] else {
            return;
        };
        let mut line = Vec::new();
        if reader
            .read_until(self.settings.terminator, &mut line)
            .is_ok_and(|count| count > 0)
        {
            if line.last() != Some(&self.settings.terminator) {
                line.push(self.settings.terminator);
            }
            self.waiting.push(Waiting::Text(line));
        }
    }

    fn execute(&mut self, command: &[u8]) {
        if command.is_empty() {
            let command = self.pattern.clone();
            self.pattern = self.output_of(&command);
            if self.pattern.last() == Some(&b'\n') {
                self.pattern.pop();
            }
            return;
        }
        let output = self.output_of(command);
        self.print_raw(&output);
    }

    /// What the shell prints when it runs `command`.
    fn output_of(&mut self, command: &[u8]) -> Vec<u8> {
        let result = self.out().flush();
        self.check(result);
        match shell_output(command) {
            Ok(output) => output,
            Err(error) => {
                self.error = Some(error);
                Vec::new()
            }
        }
    }
}

fn shell_output(command: &[u8]) -> io::Result<Vec<u8>> {
    let (read, write) = descriptor::pipe()?;
    let mut shell = process::Command::new("/bin/sh");
    shell
        .arg("sh")
        .arg("-c")
        .arg(OsStr::from_bytes(command))
        .inherit_env()
        .descriptor(1, write);
    let child = shell.spawn();
    descriptor::close(write);
    let mut output = Vec::new();
    descriptor::into_file(read).read_to_end(&mut output)?;
    process::wait_for(child?)?;
    Ok(output)
}

fn jump(to: Option<usize>) -> Then {
    to.map_or(Then::EndCycle, Then::Jump)
}

/// The text of `l`: escapes for what cannot be seen, folded at `length`.
fn listed(text: &[u8], length: usize) -> Vec<u8> {
    let (mut out, mut column) = (Vec::new(), 0);
    let width = if length > 1 { length - 1 } else { usize::MAX };
    for &byte in text {
        let shown = match byte {
            b'\\' => "\\\\".to_owned(),
            7 => "\\a".to_owned(),
            8 => "\\b".to_owned(),
            12 => "\\f".to_owned(),
            b'\n' => "\\n".to_owned(),
            b'\r' => "\\r".to_owned(),
            b'\t' => "\\t".to_owned(),
            11 => "\\v".to_owned(),
            b' '..=b'~' => (byte as char).to_string(),
            _ => format!("\\{byte:03o}"),
        };
        if column + shown.len() > width {
            out.extend_from_slice(b"\\\n");
            column = 0;
        }
        column += shown.len();
        out.extend_from_slice(shown.as_bytes());
    }
    out.extend_from_slice(b"$\n");
    out
}
