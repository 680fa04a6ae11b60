//! `$( )`, backquotes, `<( )` and `>( )`.

use std::rc::Rc;

use crate::{
    ast::{Bytes, Kind, List, RedirectKind, Simple, Substitution},
    execute::{Lookup, Run, Unwind},
    options::shopt,
    shell::{Shell, reason},
    system,
};

/// Output of a substitution beyond this is refused.
const MAX_OUTPUT: usize = 64 << 20;

impl Shell {
    /// The output of a command substitution without its trailing newlines.
    pub fn command_substitution(&mut self, body: &Rc<Substitution>) -> Run<Bytes> {
        let list = self.substitution_list(body)?;
        let mut output = if list.0.is_empty() {
            self.substitution_status = Some(0);
            Bytes::new()
        } else if let Some(output) = self.read_file_substitution(&list)? {
            output
        } else if let Some(output) = self.substitute_here(&list)? {
            output
        } else {
            self.substitute_in_child(&list)?
        };
        while output.last() == Some(&b'\n') {
            output.pop();
        }
        if output.contains(&0) {
            self.complain(format_args!(
                "warning: command substitution: ignored null byte in input"
            ));
            output.retain(|&b| b != 0);
        }
        Ok(output)
    }

    fn substitution_list(&mut self, body: &Rc<Substitution>) -> Run<Rc<List>> {
        if let Some(list) = body.body.borrow().as_ref() {
            return Ok(Rc::clone(list));
        }
        let expand = self.shopt & shopt::EXPAND_ALIASES != 0;
        let aliases = expand.then_some(&self.aliases);
        self.parse_depth += 1;
        let answer = if self.parse_depth > 60 {
            None
        } else {
            Some(crate::parse::parse_all(
                &body.text,
                body.line,
                self.settings(),
                aliases,
            ))
        };
        self.parse_depth -= 1;
        match answer {
            Some(Ok(list)) => {
                if self.aliases.is_empty() {
                    *body.body.borrow_mut() = Some(Rc::clone(&list));
                }
                Ok(list)
            }
            Some(Err(error)) => {
                let line = std::mem::replace(&mut self.line, error.line);
                self.complain(format_args!("command substitution: {}", error.message));
                self.line = line;
                let wrong = "exit 2";
                crate::parse::parse_all(wrong.as_bytes(), line, self.settings(), None)
                    .map_err(|_| Unwind::Discard(2))
            }
            None => {
                self.complain(format_args!("command substitution: nested too deeply"));
                Err(Unwind::Discard(2))
            }
        }
    }

    /// `$(< file)`.
    fn read_file_substitution(&mut self, list: &List) -> Run<Option<Bytes>> {
        let Some((command, simple)) = only_simple(list) else {
            return Ok(None);
        };
        let [redirect] = command.redirects.as_slice() else {
            return Ok(None);
        };
        if !simple.words.is_empty()
            || !simple.assignments.is_empty()
            || redirect.kind != RedirectKind::Read
        {
            return Ok(None);
        }
        let path = self.expand_single(&redirect.word)?;
        match system::open(&path, system::flag::READ, 0) {
            Ok(descriptor) => {
                let output = self.read_all(descriptor)?;
                system::close(descriptor);
                self.substitution_status = Some(0);
                Ok(Some(output))
            }
            Err(error) => {
                let path = String::from_utf8_lossy(&path).into_owned();
                let reason = reason(&error);
                self.complain(format_args!("{path}: {reason}"));
                self.substitution_status = Some(1);
                Ok(Some(Bytes::new()))
            }
        }
    }

    /// Runs a builtin that only writes, and whose words change nothing, without a process.
    fn substitute_here(&mut self, list: &List) -> Run<Option<Bytes>> {
        let Some((command, simple)) = only_simple(list) else {
            return Ok(None);
        };
        if !simple.pure || !command.redirects.is_empty() || self.options.xtrace {
            return Ok(None);
        }
        let Some(name) = simple
            .words
            .first()
            .and_then(|word| word.constant.as_deref())
        else {
            return Ok(None);
        };
        if !matches!(
            name,
            b"echo" | b"printf" | b"pwd" | b":" | b"true" | b"false"
        ) {
            return Ok(None);
        }
        let assigns = simple
            .words
            .iter()
            .any(|word| word.source.starts_with(b"-v"));
        if assigns || self.options.nounset || self.trap_applies(crate::traps::DEBUG) {
            return Ok(None);
        }
        let Lookup::Builtin(run) = self.look_up_command(name, true) else {
            return Ok(None);
        };
        self.line = command.line;
        self.subshell_depth += 1;
        let words = self.expand_words(&simple.words);
        self.subshell_depth -= 1;
        let words = words?;
        let outer = self.capture.replace(Bytes::new());
        let answer = run(self, &words);
        let output = std::mem::replace(&mut self.capture, outer).unwrap_or_default();
        self.substitution_status = Some(answer?);
        Ok(Some(output))
    }

    fn substitute_in_child(&mut self, list: &List) -> Run<Bytes> {
        let (read, write) = match system::pipe() {
            Ok(ends) => ends,
            Err(error) => {
                let reason = reason(&error);
                self.complain(format_args!(
                    "cannot make pipe for command substitution: {reason}"
                ));
                return Err(Unwind::Discard(1));
            }
        };
        let (read, write) = (crate::execute::high(read), crate::execute::high(write));
        let pid = self.fork_subshell(|shell| {
            system::close(read);
            let _ = system::duplicate_to(write, 1);
            system::close(write);
            shell.descriptors.insert(1);
            if shell.shopt & shopt::INHERIT_ERREXIT == 0 && !shell.options.posix {
                shell.options.errexit = false;
            }
            shell.trace_depth += 1;
            shell.tail = true;
            shell.run_list(list)
        });
        system::close(write);
        let output = self.read_all(read);
        system::close(read);
        let status = match pid {
            Ok(pid) => self.wait_foreground(pid),
            Err(status) => status,
        };
        self.substitution_status = Some(status);
        self.status = status;
        output
    }

    /// Reads until the end.
    pub fn read_all(&mut self, descriptor: u32) -> Run<Bytes> {
        let mut output = Bytes::new();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match system::read(descriptor, &mut buffer) {
                Ok(0) => return Ok(output),
                Ok(got) => output.extend_from_slice(&buffer[..got]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                    self.pending_signals |= system::take_signals();
                }
                Err(_) => return Ok(output),
            }
            if output.len() > MAX_OUTPUT {
                self.complain(format_args!(
                    "command substitution: more than {MAX_OUTPUT} bytes of output"
                ));
                return Err(Unwind::Fatal(1));
            }
        }
    }

    /// Starts the other end and answers the path of ours.
    pub fn process_substitution(&mut self, write: bool, body: &Rc<Substitution>) -> Run<Bytes> {
        let list = self.substitution_list(body)?;
        let ends = system::pipe();
        let (read_end, write_end) = match ends {
            Ok(ends) => ends,
            Err(error) => {
                let reason = reason(&error);
                self.complain(format_args!(
                    "cannot make pipe for process substitution: {reason}"
                ));
                return Err(Unwind::Discard(1));
            }
        };
        let (ours, theirs, number) = if write {
            (write_end, read_end, 0)
        } else {
            (read_end, write_end, 1)
        };
        let pid = self.fork_subshell(|shell| {
            system::close(ours);
            let _ = system::duplicate_to(theirs, number);
            if theirs != number {
                system::close(theirs);
            }
            shell.close_process_ends(0);
            shell.tail = true;
            shell.sole_command = only_simple(&list).is_some();
            shell.run_list(&list)
        });
        system::close(theirs);
        if let Ok(pid) = pid {
            self.last_background = Some(pid);
            if write {
                self.writers.push(pid);
            }
        }
        // Numbered from 63 downwards, as bash does.
        let free = (10..64)
            .rev()
            .find(|number| !self.descriptors.contains(number));
        let shown = free
            .filter(|&number| system::duplicate_to(ours, number).is_ok())
            .unwrap_or(ours);
        if shown != ours {
            system::close(ours);
        }
        self.descriptors.insert(shown);
        self.process_ends.push(shown);
        Ok(format!("/dev/fd/{shown}").into_bytes())
    }
}

pub fn only_simple(list: &List) -> Option<(&crate::ast::Command, &Simple)> {
    let [item] = list.0.as_slice() else {
        return None;
    };
    if item.background || !item.rest.is_empty() || item.first.negated || item.first.timed.is_some()
    {
        return None;
    }
    let [command] = item.first.commands.as_slice() else {
        return None;
    };
    match &command.kind {
        Kind::Simple(simple) if simple.assignments.is_empty() => Some((command, simple)),
        _ => None,
    }
}
