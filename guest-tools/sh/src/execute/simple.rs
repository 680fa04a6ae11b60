//! Simple commands: expansion, then a function, a builtin or a program.

use std::rc::Rc;

use super::{Lookup, Run, Unwind};
use crate::{
    ast::{AssignedValue, Assignment, Bytes, Command, Element, Simple, Word},
    builtins::{self, Argument},
    known, quote,
    shell::Shell,
};

impl Shell {
    pub fn run_simple(&mut self, command: &Rc<Command>, simple: &Simple) -> Run<i32> {
        let tail = std::mem::replace(&mut self.tail, false);
        if self.traps.running == 0 {
            self.current_command = Some(Rc::clone(command));
        }
        if self.trap_applies(crate::traps::DEBUG) {
            self.before_command(command)?;
            self.line = command.line;
        }
        self.substitution_status = None;
        let first_end = self.process_ends.len();
        let declares = simple.words.iter().any(|word| word.assignment.is_some())
            && declaration_command(simple).is_some();
        let arguments = if declares {
            self.expand_declaration(simple)?
        } else {
            let words = self.expand_words(&simple.words)?;
            words.into_iter().map(Argument::Text).collect()
        };
        let answer = if arguments.is_empty() {
            self.run_assignments(command, simple)
        } else if declares {
            self.run_declaration(command, simple, arguments)
        } else {
            let words: Vec<Bytes> = arguments.into_iter().map(Argument::into_text).collect();
            self.run_words(command, simple, words, tail)
        };
        self.close_process_ends(first_end);
        let status = answer?;
        Ok(status)
    }

    fn keep_last_argument(&mut self, last: Bytes) {
        if self.variable(known::UNDERSCORE).is_none() || last.len() < 4096 {
            let slot = self.slot(known::UNDERSCORE).get_or_insert_default();
            slot.value = crate::variables::Value::Scalar(last);
            slot.flags |= crate::variables::flag::STANDING;
        }
    }

    /// Only assignments, or only redirections.
    fn run_assignments(&mut self, command: &Rc<Command>, simple: &Simple) -> Run<i32> {
        let substitution = self.substitution_status.take();
        let expanded = !simple.words.is_empty();
        let status = if command.redirects.is_empty() {
            self.assign_all(&simple.assignments)?
        } else {
            self.with_redirects(&command.redirects, |shell| {
                shell.assign_all(&simple.assignments)
            })?
        };
        if !expanded && !simple.assignments.is_empty() {
            self.keep_last_argument(Bytes::new());
        }
        Ok(self
            .substitution_status
            .take()
            .or(substitution)
            .unwrap_or(status))
    }

    fn assign_all(&mut self, assignments: &[Assignment]) -> Run<i32> {
        for assignment in assignments {
            self.perform_assignment(assignment, true)?;
        }
        Ok(0)
    }

    /// Expands a declaration's words; `name=value` is expanded as an assignment.
    fn expand_declaration(&mut self, simple: &Simple) -> Run<Vec<Argument>> {
        let mut out = Vec::new();
        for word in &simple.words {
            match &word.assignment {
                Some(assignment) => match &assignment.value {
                    AssignedValue::Array(_) => {
                        out.push(Argument::Array(assignment_place(simple, assignment)))
                    }
                    AssignedValue::Scalar(value) => {
                        let mut text = assignment.name.text().to_vec();
                        if let Some(subscript) = &assignment.subscript {
                            text.push(b'[');
                            text.extend(self.expand_single(&subscript.key)?);
                            text.push(b']');
                        }
                        if assignment.append {
                            text.push(b'+');
                        }
                        text.push(b'=');
                        text.extend(self.expand_single(value)?);
                        out.push(Argument::Text(text));
                    }
                },
                None => {
                    let mut words = Vec::new();
                    self.expand_word_into(word, &mut words)?;
                    out.extend(words.into_iter().map(Argument::Text));
                }
            }
        }
        Ok(out)
    }

    fn run_declaration(
        &mut self,
        command: &Rc<Command>,
        simple: &Simple,
        mut arguments: Vec<Argument>,
    ) -> Run<i32> {
        if self.options.xtrace {
            self.trace_declaration(simple, &arguments)?;
        }
        let last = match arguments.last() {
            Some(Argument::Array(place)) => simple.words[*place]
                .assignment
                .as_deref()
                .map_or_else(Bytes::new, |one| one.name.text().to_vec()),
            Some(Argument::Text(text)) => text.clone(),
            None => Bytes::new(),
        };
        while matches!(&arguments[0], Argument::Text(t) if t == b"command" || t == b"builtin") {
            arguments.remove(0);
        }
        let answer = self.with_redirects(&command.redirects, |shell| {
            shell.with_temporary(&simple.assignments, |shell| {
                builtins::declare(shell, simple, &arguments)
            })
        });
        self.keep_last_argument(last);
        answer
    }

    /// The lines of `set -x` for a declaration: arrays first, then the command, then what
    /// `export` and `readonly` assign.
    fn trace_declaration(&mut self, simple: &Simple, arguments: &[Argument]) -> Run<()> {
        let mut words: Vec<Bytes> = Vec::new();
        for argument in arguments {
            let place = match argument {
                Argument::Text(text) => {
                    words.push(text.clone());
                    continue;
                }
                Argument::Array(place) => *place,
            };
            let Some(assignment) = simple.words[place].assignment.as_deref() else {
                continue;
            };
            let AssignedValue::Array(elements) = &assignment.value else {
                continue;
            };
            let sign: &[u8] = if assignment.append { b"+=(" } else { b"=(" };
            let pure = |one: &Element| {
                let key = one.subscript.as_ref();
                crate::parse::is_pure(&one.value.parts)
                    && key.is_none_or(|key| crate::parse::is_pure(&key.key.parts))
            };
            // What has effects is expanded once only, by the assignment itself.
            let list = if elements.iter().all(pure) {
                self.traced_elements(elements)?
            } else {
                let text = crate::print::elements(elements);
                text[1..text.len() - 1].as_bytes().to_vec()
            };
            self.trace(&[assignment.name.text(), sign, &list, b")"].concat());
            words.push(assignment.name.text().to_vec());
        }
        self.trace_words(&words);
        if matches!(words[0].as_slice(), b"export" | b"readonly") {
            for word in &words[1..] {
                if let Some(split) = crate::parse::split_assignment(word) {
                    let value = quote::when_needed(&word[split.value..]);
                    self.trace(&[&word[..split.value], &value].concat());
                }
            }
        }
        Ok(())
    }

    /// An array's elements as `declare` is traced with them: expanded and quoted.
    fn traced_elements(&mut self, elements: &[Element]) -> Run<Bytes> {
        let mut out: Vec<Bytes> = Vec::new();
        for element in elements {
            match &element.subscript {
                Some(subscript) => {
                    let key = self.expand_single(&subscript.key)?;
                    let value = self.expand_single(&element.value)?;
                    let [key, value] = [key, value].map(|text| quote::plain_single(&text));
                    out.push([b"[", key.as_slice(), b"]=", &value].concat());
                }
                None => {
                    let values = self.expand_words(std::slice::from_ref(&element.value))?;
                    out.extend(values.iter().map(|value| quote::plain_single(value)));
                }
            }
        }
        Ok(out.join(&b' '))
    }

    /// Runs `each` with assignments that last as long as it.
    pub fn with_temporary(
        &mut self,
        assignments: &[Assignment],
        each: impl FnOnce(&mut Self) -> Run<i32>,
    ) -> Run<i32> {
        if assignments.is_empty() {
            return each(self);
        }
        self.push_scope(true);
        let mut answer = Ok(0);
        for assignment in assignments {
            match self.assign_temporary(assignment) {
                // A read-only variable is told; the command runs all the same.
                Ok(()) | Err(Unwind::Discard(_)) => {}
                Err(unwind) => {
                    answer = Err(unwind);
                    break;
                }
            }
        }
        let answer = match answer {
            Ok(_) => each(self),
            Err(unwind) => Err(unwind),
        };
        self.pop_scope();
        answer
    }

    fn assign_temporary(&mut self, assignment: &Assignment) -> Run<()> {
        let Some(value) = self.temporary_value(assignment)? else {
            return Ok(());
        };
        self.set_temporary(assignment.name, value)
    }

    /// Expands assignments before a command so that they can be traced before it; answers them
    /// with their values.
    fn trace_assignments(&mut self, assignments: &[Assignment]) -> Run<Vec<Assignment>> {
        let mut out = Vec::new();
        for assignment in assignments {
            let Some(value) = self.temporary_value(assignment)? else {
                continue;
            };
            let shown = quote::when_needed(&value);
            self.trace(&[assignment.name.text(), b"=", &shown].concat());
            out.push(Assignment {
                name: assignment.name,
                subscript: None,
                append: false,
                value: AssignedValue::Scalar(Word {
                    constant: Some(value),
                    ..Word::default()
                }),
            });
        }
        Ok(out)
    }

    /// The value that an assignment before a command gives; a list is its own text there, and
    /// elements cannot be set.
    pub fn temporary_value(&mut self, assignment: &Assignment) -> Run<Option<Bytes>> {
        if let Some(subscript) = &assignment.subscript {
            let name = String::from_utf8_lossy(assignment.name.text()).into_owned();
            let key = String::from_utf8_lossy(&subscript.key.source).into_owned();
            self.complain(format_args!("`{name}[{key}]': not a valid identifier"));
            return Ok(None);
        }
        let value = match &assignment.value {
            AssignedValue::Scalar(word) => self.expand_single(word)?,
            AssignedValue::Array(elements) => crate::print::elements(elements).into_bytes(),
        };
        if !assignment.append {
            return Ok(Some(value));
        }
        let mut old = self.get_text(assignment.name);
        old.extend(value);
        Ok(Some(old))
    }

    fn run_words(
        &mut self,
        command: &Rc<Command>,
        simple: &Simple,
        words: Vec<Bytes>,
        tail: bool,
    ) -> Run<i32> {
        let resolved;
        let mut simple = simple;
        if self.options.xtrace {
            resolved = Simple {
                assignments: self.trace_assignments(&simple.assignments)?,
                ..Simple::default()
            };
            simple = &resolved;
            self.trace_words(&words);
        }
        let mut words = words;
        let mut assigned: Vec<Assignment> = Vec::new();
        if self.options.keyword {
            // `set -k`: assignments count wherever they stand.
            words.retain(|word| {
                let parsed = crate::parse::parse_assignment(word, command.line, self.settings());
                let keep = parsed.is_none();
                assigned.extend(parsed);
                keep
            });
            if words.is_empty() {
                return self.assign_all(&assigned);
            }
        }
        if !assigned.is_empty() {
            self.options.keyword = false;
            let answer = self.with_temporary(&assigned, |shell| {
                shell.run_words(command, simple, words, false)
            });
            self.options.keyword = true;
            return answer;
        }
        let last = words.last().cloned().unwrap_or_default();
        let answer = match self.look_up_command(&words[0], true) {
            Lookup::Function => self.with_redirects(&command.redirects, |shell| {
                shell.with_temporary(&simple.assignments, |shell| shell.call_function(&words))
            }),
            Lookup::Builtin(run) => {
                if words[0] == b"exec" {
                    return self.run_exec(command, simple, &words);
                }
                let special = self.options.posix && builtins::is_special(&words[0]);
                self.with_redirects(&command.redirects, |shell| {
                    if special {
                        shell.assign_all(&simple.assignments)?;
                        return shell.run_builtin(run, &words);
                    }
                    shell
                        .with_temporary(&simple.assignments, |shell| shell.run_builtin(run, &words))
                })
            }
            Lookup::External => self.run_external(command, simple, &words, tail),
        };
        self.keep_last_argument(last);
        answer
    }

    /// Runs a builtin; an error in what it evaluates itself only makes it fail.
    fn run_builtin(&mut self, run: builtins::Builtin, words: &[Bytes]) -> Run<i32> {
        let answer = run(self, words);
        let runs_commands = matches!(
            words[0].as_slice(),
            b"eval"
                | b"."
                | b"source"
                | b"command"
                | b"builtin"
                | b"exec"
                | b"exit"
                | b"return"
                | b"break"
                | b"continue"
        );
        match answer {
            Err(Unwind::Discard(status)) if !runs_commands => Ok(status),
            answer => answer,
        }
    }

    /// Writes a line of `set -x`.
    pub fn trace(&mut self, text: &[u8]) {
        let prompt = self.get(known::PS4).unwrap_or_default();
        self.options.xtrace = false;
        let expanded = self.prompt(&prompt).unwrap_or(prompt);
        self.options.xtrace = true;
        let depth = self.subshell_trace_depth();
        let first = crate::text::character_length(&expanded);
        let mut line = Bytes::new();
        for _ in 0..depth {
            line.extend_from_slice(&expanded[..first]);
        }
        line.extend_from_slice(&expanded);
        line.extend_from_slice(text);
        line.push(b'\n');
        let descriptor = std::str::from_utf8(&self.get_text(known::BASH_XTRACEFD))
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(2);
        let _ = crate::system::write_all(descriptor, &line);
    }

    fn subshell_trace_depth(&self) -> usize {
        self.trace_depth
    }

    fn trace_words(&mut self, words: &[Bytes]) {
        let quoted: Vec<Bytes> = words
            .iter()
            .map(|word| {
                if word.is_empty() {
                    b"''".to_vec()
                } else {
                    trace_quote(word)
                }
            })
            .collect();
        self.trace(&quoted.join(&b' '));
    }

    /// `exec`: redirections that stay, or a program that takes this process's place.
    fn run_exec(&mut self, command: &Rc<Command>, simple: &Simple, words: &[Bytes]) -> Run<i32> {
        if words.len() == 1 {
            self.assign_all(&simple.assignments)?;
            return match self.apply_redirects(&command.redirects)? {
                Ok(undo) => {
                    self.keep_redirects(undo);
                    Ok(0)
                }
                Err(status) if self.options.posix => Err(Unwind::Exit(status)),
                Err(status) => Ok(status),
            };
        }
        match self.apply_redirects(&command.redirects)? {
            Ok(undo) => {
                let answer =
                    self.with_temporary(&simple.assignments, |shell| builtins::exec(shell, words));
                self.undo_redirects(undo);
                answer
            }
            Err(status) => Ok(status),
        }
    }
}

fn trace_quote(word: &[u8]) -> Bytes {
    if word == b"'" {
        return b"\\'".to_vec();
    }
    if word
        .iter()
        .any(|&b| b.is_ascii_control() && !matches!(b, b'\n' | b'\t'))
    {
        return quote::single(word);
    }
    let special = |place: usize, b: u8| {
        b" \t\n'\"\\|&;()<>!{}*[?]^$`".contains(&b)
            || (place == 0 && matches!(b, b'#' | b'~'))
            || (b == b'~' && matches!(word[place - 1], b'=' | b':'))
    };
    if !word.iter().enumerate().any(|(place, &b)| special(place, b)) {
        return word.to_vec();
    }
    let mut out = vec![b'\''];
    for &byte in word {
        if byte == b'\'' {
            out.extend_from_slice(b"'\\''");
        } else {
            out.push(byte);
        }
    }
    out.push(b'\'');
    out
}

/// The declaration command that this is, looking through `command` and `builtin`.
fn declaration_command(simple: &Simple) -> Option<&[u8]> {
    let mut words = simple.words.iter();
    loop {
        let name = words.next()?.constant.as_deref()?;
        match name {
            b"command" | b"builtin" => {}
            b"declare" | b"typeset" | b"local" | b"export" | b"readonly" | b"alias" => {
                return (name != b"alias").then_some(name);
            }
            _ => return None,
        }
    }
}

fn assignment_place(simple: &Simple, assignment: &Assignment) -> usize {
    simple
        .words
        .iter()
        .position(|word| {
            word.assignment
                .as_deref()
                .is_some_and(|one| std::ptr::eq(one, assignment))
        })
        .unwrap_or(0)
}
