//! Compound commands.

use std::rc::Rc;

use super::{Run, Unwind};
use crate::{
    ast::{Bytes, CaseEnd, CaseItem, Command, Kind, List, Word},
    known,
    names::Symbol,
    options::shopt,
    shell::{Function, FunctionBody, Shell},
    traps,
};

impl Shell {
    pub fn run_compound(&mut self, command: &Rc<Command>) -> Run<i32> {
        match &command.kind {
            Kind::Simple(simple) => self.run_simple(command, simple),
            Kind::Group(list) => self.run_list(list),
            Kind::Subshell(list) => self.run_subshell(list),
            Kind::If {
                branches,
                otherwise,
            } => self.run_if(branches, otherwise.as_ref()),
            Kind::While {
                until,
                condition,
                body,
            } => self.run_while(*until, condition, body),
            Kind::For {
                name,
                words,
                body,
                select,
            } => {
                self.line = command.line;
                if *select {
                    self.run_select(*name, words.as_deref(), body)
                } else {
                    self.run_for(command, *name, words.as_deref(), body)
                }
            }
            Kind::ArithmeticFor { header, body, .. } => {
                self.line = command.line;
                self.run_arithmetic_for(command.line, header, body)
            }
            Kind::Case { subject, items } => {
                self.line = command.line;
                self.run_case(command, subject, items)
            }
            Kind::Arithmetic { expression, text } => {
                self.line = command.line;
                self.before_command(command)?;
                if self.options.xtrace {
                    self.trace(&[b"(( ", text.as_slice(), b" ))"].concat());
                }
                let outer = std::mem::replace(&mut self.arithmetic_command, "((: ");
                let answer = self.evaluate(expression);
                self.arithmetic_command = outer;
                match answer {
                    Ok(value) => Ok(i32::from(value == 0)),
                    // An error here only makes the command fail.
                    Err(Unwind::Discard(_)) => Ok(1),
                    Err(unwind) => Err(unwind),
                }
            }
            Kind::Condition { condition, .. } => {
                self.line = command.line;
                self.before_command(command)?;
                self.run_condition(condition)
            }
            Kind::Function { name, body } => self.define_function(name, body),
            Kind::Coprocess { name, body } => self.run_coprocess(name.as_deref(), body),
        }
    }

    /// What comes before each command: its text for `$BASH_COMMAND`, and the DEBUG trap.
    pub fn before_command(&mut self, command: &Rc<Command>) -> Run<()> {
        if self.traps.running == 0 {
            self.current_command = Some(Rc::clone(command));
        }
        if self.trap_applies(traps::DEBUG) {
            self.run_trap(traps::DEBUG)?;
        }
        Ok(())
    }

    fn run_condition_list(&mut self, list: &List) -> Run<i32> {
        self.errexit_ignored += 1;
        let answer = self.run_list(list);
        self.errexit_ignored -= 1;
        answer
    }

    fn run_if(&mut self, branches: &[(List, List)], otherwise: Option<&List>) -> Run<i32> {
        for (condition, body) in branches {
            if self.run_condition_list(condition)? == 0 {
                return self.run_list(body);
            }
        }
        match otherwise {
            Some(body) => self.run_list(body),
            None => Ok(0),
        }
    }

    /// Runs a loop's body once; `false` when the loop is over.
    fn run_body(&mut self, body: &List, status: &mut i32) -> Run<bool> {
        match self.run_list(body) {
            Ok(code) => {
                *status = code;
                Ok(true)
            }
            Err(Unwind::Break(levels)) => {
                *status = 0;
                if levels > 1 {
                    Err(Unwind::Break(levels - 1))
                } else {
                    Ok(false)
                }
            }
            Err(Unwind::Continue(levels)) => {
                *status = 0;
                if levels > 1 {
                    Err(Unwind::Continue(levels - 1))
                } else {
                    Ok(true)
                }
            }
            Err(unwind) => Err(unwind),
        }
    }

    /// Runs `each` as a loop, so that `break` and `continue` know of it.
    fn in_loop(&mut self, each: impl FnOnce(&mut Self) -> Run<i32>) -> Run<i32> {
        self.loop_depth += 1;
        let answer = each(self);
        self.loop_depth -= 1;
        answer
    }

    fn run_while(&mut self, until: bool, condition: &List, body: &List) -> Run<i32> {
        self.in_loop(|shell| {
            let mut status = 0;
            loop {
                let code = match shell.run_condition_list(condition) {
                    Ok(code) => code,
                    Err(Unwind::Break(levels)) if levels > 1 => {
                        return Err(Unwind::Break(levels - 1));
                    }
                    Err(Unwind::Break(_)) => return Ok(status),
                    Err(Unwind::Continue(levels)) if levels > 1 => {
                        return Err(Unwind::Continue(levels - 1));
                    }
                    Err(Unwind::Continue(_)) => continue,
                    Err(unwind) => return Err(unwind),
                };
                if (code == 0) == until {
                    return Ok(status);
                }
                if !shell.run_body(body, &mut status)? {
                    return Ok(status);
                }
            }
        })
    }

    fn loop_words(&mut self, words: Option<&[Word]>) -> Run<Vec<Bytes>> {
        match words {
            Some(words) => self.expand_words(words),
            None => Ok(self.positional.clone()),
        }
    }

    fn run_for(
        &mut self,
        command: &Rc<Command>,
        name: Symbol,
        words: Option<&[Word]>,
        body: &List,
    ) -> Run<i32> {
        if !crate::names::is_name(name.text()) {
            let text = String::from_utf8_lossy(name.text()).into_owned();
            self.complain(format_args!("`{text}': not a valid identifier"));
            return Ok(1);
        }
        let values = self.loop_words(words)?;
        self.in_loop(|shell| {
            let mut status = 0;
            for value in values {
                shell.line = command.line;
                shell.before_command(command)?;
                if shell.options.xtrace {
                    let list = words.map_or_else(
                        || b"\"$@\"".to_vec(),
                        |words| {
                            let texts: Vec<&[u8]> = words.iter().map(|w| &*w.source).collect();
                            texts.join(&b' ')
                        },
                    );
                    shell.trace(&[b"for ", name.text(), b" in ", list.as_slice()].concat());
                }
                match shell.set_loop_variable(name, value) {
                    Err(Unwind::Discard(status)) => return Ok(status),
                    answer => answer?,
                }
                if !shell.run_body(body, &mut status)? {
                    break;
                }
            }
            Ok(status)
        })
    }

    /// A `for` over a name reference moves the reference itself.
    fn set_loop_variable(&mut self, name: Symbol, value: Bytes) -> Run<()> {
        let reference = self
            .variable(name)
            .is_some_and(|v| v.flags & crate::variables::flag::NAMEREF != 0);
        if reference {
            self.slot(name).get_or_insert_default().value = crate::variables::Value::Scalar(value);
            return Ok(());
        }
        self.set(name, value)
    }

    fn run_select(&mut self, name: Symbol, words: Option<&[Word]>, body: &List) -> Run<i32> {
        let values = self.loop_words(words)?;
        if values.is_empty() {
            return Ok(0);
        }
        self.in_loop(|shell| {
            let mut status = 0;
            let mut show = true;
            loop {
                if show {
                    for (place, value) in values.iter().enumerate() {
                        let text = String::from_utf8_lossy(value).into_owned();
                        shell.write_error(format!("{}) {text}\n", place + 1).as_bytes());
                    }
                }
                let prompt = shell.get(known::PS3).unwrap_or_else(|| b"#? ".to_vec());
                shell.write_error(&prompt);
                let Some(line) = shell.read_plain_line(0) else {
                    shell.write_out(b"\n");
                    return Ok(1);
                };
                let line = line.trim_ascii().to_vec();
                shell.set(known::REPLY, line.clone())?;
                show = line.is_empty();
                if show {
                    continue;
                }
                let choice = std::str::from_utf8(&line)
                    .ok()
                    .and_then(|t| t.parse::<usize>().ok());
                let value = choice.and_then(|n| values.get(n.checked_sub(1)?)).cloned();
                shell.set(name, value.unwrap_or_default())?;
                if !shell.run_body(body, &mut status)? {
                    return Ok(status);
                }
            }
        })
    }

    fn run_arithmetic_for(
        &mut self,
        line: u32,
        header: &[Option<crate::arithmetic::Arithmetic>; 3],
        body: &List,
    ) -> Run<i32> {
        let value = |shell: &mut Self, place: usize, default: i64| match &header[place] {
            Some(expression) => {
                shell.line = line;
                if shell.options.xtrace {
                    let text = expression.text.trim_ascii_start();
                    shell.trace(&[b"(( ", text, b" ))"].concat());
                }
                match shell.evaluate(expression) {
                    Err(Unwind::Discard(_)) => Ok(None),
                    other => other.map(Some),
                }
            }
            None => Ok(Some(default)),
        };
        self.in_loop(|shell| {
            if value(shell, 0, 0)?.is_none() {
                return Ok(1);
            }
            let mut status = 0;
            loop {
                match value(shell, 1, 1)? {
                    None => return Ok(1),
                    Some(0) => return Ok(status),
                    Some(_) => {}
                }
                if !shell.run_body(body, &mut status)? {
                    return Ok(status);
                }
                if value(shell, 2, 0)?.is_none() {
                    return Ok(1);
                }
            }
        })
    }

    fn run_case(&mut self, command: &Rc<Command>, subject: &Word, items: &[CaseItem]) -> Run<i32> {
        self.before_command(command)?;
        let value = self.expand_single(subject)?;
        if self.options.xtrace {
            self.trace(&[b"case ", &*subject.source, b" in"].concat());
        }
        let ignore_case = self.shopt & shopt::NOCASEMATCH != 0;
        let mut status = 0;
        let mut fall = false;
        for item in items {
            let mut matched = fall;
            for pattern in &item.patterns {
                if matched {
                    break;
                }
                matched = match &pattern.constant {
                    Some(constant) if !ignore_case => *constant == value,
                    _ => {
                        let text = self.expand_pattern(pattern)?;
                        self.matcher(&text, ignore_case).matches(&value)
                    }
                };
            }
            if !matched {
                continue;
            }
            status = self.run_list(&item.body)?;
            match item.end {
                CaseEnd::Break => return Ok(status),
                CaseEnd::FallThrough => fall = true,
                CaseEnd::TestNext => fall = false,
            }
        }
        Ok(status)
    }

    fn define_function(&mut self, name: &[u8], body: &Rc<Command>) -> Run<i32> {
        if name.iter().any(|b| b"$`'\"\\".contains(b)) {
            let text = String::from_utf8_lossy(name).into_owned();
            self.complain(format_args!("`{text}': not a valid identifier"));
            return Ok(1);
        }
        if let Some(old) = self.functions.get(name)
            && old.readonly
        {
            let text = String::from_utf8_lossy(name).into_owned();
            self.complain(format_args!("{text}: readonly function"));
            return Ok(1);
        }
        let source = self
            .frames
            .last()
            .map_or_else(|| self.main_source(), |f| f.source.clone());
        let function = Function {
            body: FunctionBody::Parsed(Rc::clone(body)),
            source,
            exported: self.options.allexport,
            traced: false,
            readonly: false,
        };
        self.functions.insert(name.to_vec(), function);
        Ok(0)
    }
}
