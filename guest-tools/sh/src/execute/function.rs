//! Calling functions and sourcing files.

use std::rc::Rc;

use super::{Run, Unwind};
use crate::{
    ast::{Bytes, Command, Kind},
    parse::Reader,
    shell::{Frame, FunctionBody, Shell},
    traps,
};

impl Shell {
    /// The body of a function, parsed now when it came as text.
    pub fn function_body(&mut self, name: &[u8]) -> Option<Rc<Command>> {
        let text = match &self.functions.get(name)?.body {
            FunctionBody::Parsed(body) => return Some(Rc::clone(body)),
            FunctionBody::Text(text) => text.clone(),
        };
        let list = crate::parse::parse_all(&text, 1, self.settings(), None).ok()?;
        let body = list
            .0
            .first()
            .and_then(|item| match &item.first.commands.first()?.kind {
                Kind::Function { body, .. } => Some(Rc::clone(body)),
                _ => None,
            })?;
        if let Some(function) = self.functions.get_mut(name) {
            function.body = FunctionBody::Parsed(Rc::clone(&body));
        }
        Some(body)
    }

    pub fn call_function(&mut self, words: &[Bytes]) -> Run<i32> {
        let Some(body) = self.function_body(&words[0]) else {
            return Ok(1);
        };
        let source = self
            .functions
            .get(&words[0])
            .map(|f| f.source.clone())
            .unwrap_or_default();
        let shown = String::from_utf8_lossy(&words[0]).into_owned();
        self.enter(&shown)?;
        let saved = std::mem::replace(&mut self.positional, words[1..].to_vec());
        self.frames.push(Frame {
            name: words[0].clone(),
            source,
            call_line: self.line,
            function: true,
        });
        let getopts = self.getopts.clone();
        let loop_depth = std::mem::replace(&mut self.loop_depth, 0);
        self.push_scope(false);
        let caller = self.frames.last().map_or(0, |frame| frame.call_line);
        let traced = self
            .functions
            .get(&words[0])
            .is_some_and(|function| function.traced);
        let hidden = self.hide_traps(traced);
        let debug = self.trap_applies(traps::DEBUG);
        let traced_call = if debug {
            self.line = body.line;
            self.run_trap(traps::DEBUG)
        } else {
            Ok(())
        };
        let answer = match traced_call {
            Ok(()) => self.run_function_body(&body),
            Err(unwind) => Err(unwind),
        };
        self.show_traps(hidden);
        self.loop_depth = loop_depth;
        self.pop_scope_of_call();
        self.getopts = getopts;
        self.frames.pop();
        self.positional = saved;
        self.leave();
        self.line = caller;
        answer
    }

    fn pop_scope_of_call(&mut self) {
        // An error may have left temporary scopes above ours.
        while self.scopes.last().is_some_and(|scope| scope.temporary) {
            self.pop_scope();
        }
        self.pop_scope();
    }

    fn run_function_body(&mut self, body: &Rc<Command>) -> Run<i32> {
        let answer = match self.run_command(body) {
            Err(Unwind::Return(status)) => Ok(status),
            Err(Unwind::Break(_) | Unwind::Continue(_)) => Ok(0),
            other => other,
        };
        if let Ok(status) = answer {
            self.status = status;
            if self.trap_applies(traps::RETURN) {
                self.run_trap(traps::RETURN)?;
            }
        }
        answer
    }

    /// `source file arguments`.
    pub fn source_text(&mut self, name: &[u8], text: Vec<u8>, arguments: &[Bytes]) -> Run<i32> {
        self.enter("source")?;
        let saved = (!arguments.is_empty())
            .then(|| std::mem::replace(&mut self.positional, arguments.to_vec()));
        self.frames.push(Frame {
            name: b"source".to_vec(),
            source: name.to_vec(),
            call_line: self.line,
            function: false,
        });
        let line = self.line;
        let mut reader = Reader::new(text, 1);
        let answer = match self.run_reader(&mut reader, false) {
            Err(Unwind::Return(status)) => Ok(status),
            other => other,
        };
        let frame = self.frames.pop();
        if answer.is_ok() && self.trap_applies(traps::RETURN) {
            self.run_trap(traps::RETURN)?;
        }
        drop(frame);
        if let Some(saved) = saved
            && self.positional == arguments
        {
            self.positional = saved;
        }
        self.line = line;
        self.leave();
        answer
    }
}
