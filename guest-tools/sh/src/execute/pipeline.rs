//! Pipelines, subshells, background jobs, coprocesses.

use std::rc::Rc;

use super::{Lookup, Run};
use crate::{
    ast::{Command, Item, Kind, List},
    known,
    names::intern,
    options::shopt,
    shell::{Shell, reason},
    system,
};

impl Shell {
    pub fn set_pipestatus(&mut self, statuses: &[i32]) {
        use crate::variables::{Value, flag};
        let slot = self.slot(known::PIPESTATUS).get_or_insert_default();
        slot.flags |= flag::INDEXED | flag::STANDING;
        if let (Value::Indexed(items), [status]) = (&mut slot.value, statuses)
            && items.len() == 1
            && let Some(text) = items.get_mut(&0)
        {
            use std::io::Write;
            text.clear();
            let _ = write!(text, "{status}");
            return;
        }
        slot.value = Value::Indexed(
            (0..)
                .zip(
                    statuses
                        .iter()
                        .map(|status| status.to_string().into_bytes()),
                )
                .collect(),
        );
    }

    /// Runs the stages of a pipeline at the same time.
    pub fn run_stages(&mut self, stages: &[Rc<Command>]) -> Run<i32> {
        self.tail = false;
        let last_here = self.shopt & shopt::LASTPIPE != 0 && !self.options.monitor;
        let count = stages.len();
        let mut pids: Vec<Result<system::Pid, i32>> = Vec::with_capacity(count);
        let mut input: Option<u32> = None;
        let mut answer_here = None;
        for (place, stage) in stages.iter().enumerate() {
            let last = place + 1 == count;
            if let Kind::Simple(_) = stage.kind {
                self.line = stage.line;
                self.before_command(stage)?;
            }
            let (next_input, output) = if last {
                (None, None)
            } else {
                match system::pipe() {
                    Ok((read, write)) => (
                        Some(super::redirect::high(read)),
                        Some(super::redirect::high(write)),
                    ),
                    Err(error) => {
                        let reason = reason(&error);
                        self.complain(format_args!("pipe error: {reason}"));
                        break;
                    }
                }
            };
            if last && last_here {
                answer_here = Some(self.run_last_here(stage, input));
            } else {
                pids.push(self.start_stage(stage, input, output, next_input));
            }
            for descriptor in [input, output].into_iter().flatten() {
                system::close(descriptor);
            }
            input = next_input;
        }
        let mut statuses: Vec<i32> = pids
            .into_iter()
            .map(|pid| match pid {
                Ok(pid) => self.wait_foreground(pid),
                Err(status) => status,
            })
            .collect();
        if let Some(answer) = answer_here {
            statuses.push(answer?);
        }
        self.set_pipestatus(&statuses);
        let last = statuses.last().copied().unwrap_or(0);
        if self.options.pipefail {
            return Ok(statuses
                .iter()
                .rev()
                .copied()
                .find(|status| *status != 0)
                .unwrap_or(0));
        }
        Ok(last)
    }

    /// `lastpipe`: the last stage runs in this shell.
    fn run_last_here(&mut self, stage: &Rc<Command>, input: Option<u32>) -> Run<i32> {
        let saved = system::duplicate(0, 200).ok();
        if let Some(input) = input {
            let _ = system::duplicate_to(input, 0);
        }
        self.errexit_ignored += 1;
        let answer = self.run_command(stage);
        self.errexit_ignored -= 1;
        match saved {
            Some(saved) => {
                let _ = system::duplicate_to(saved, 0);
                system::close(saved);
            }
            None => system::close(0),
        }
        answer
    }

    /// Starts one stage: a program directly where its words can be expanded here, else a copy
    /// of this shell.
    fn start_stage(
        &mut self,
        stage: &Rc<Command>,
        input: Option<u32>,
        output: Option<u32>,
        next_input: Option<u32>,
    ) -> Result<system::Pid, i32> {
        if self.is_plain_program(stage) {
            return self.start_plain(stage, input, output);
        }
        let stage = Rc::clone(stage);
        self.fork_subshell(move |shell| {
            if let Kind::Simple(simple) = &stage.kind {
                let calls = simple.words.first().and_then(|word| word.constant.as_ref());
                let function = calls.is_some_and(|name| shell.functions.contains_key(name));
                shell.stage_depth += u32::from(!function);
            }
            if let Some(input) = input {
                let _ = system::duplicate_to(input, 0);
                system::close(input);
                shell.descriptors.insert(0);
            }
            if let Some(output) = output {
                let _ = system::duplicate_to(output, 1);
                system::close(output);
                shell.descriptors.insert(1);
            }
            if let Some(next) = next_input {
                system::close(next);
            }
            shell.run_as_child(&stage)
        })
    }

    /// Runs a command as all there is to do in this process.
    fn run_as_child(&mut self, command: &Rc<Command>) -> Run<i32> {
        self.tail = true;
        match &command.kind {
            // The process is a subshell already.
            Kind::Subshell(list) => {
                let answer = self.with_redirects(&command.redirects, |shell| shell.run_list(list));
                if let Ok(status) = answer
                    && status != 0
                {
                    self.failed(status)?;
                }
                answer
            }
            _ => self.run_command(command),
        }
    }

    /// True for an external program whose expansion changes nothing here.
    pub fn is_plain_program(&mut self, command: &Command) -> bool {
        let Kind::Simple(simple) = &command.kind else {
            return false;
        };
        if !simple.pure || simple.words.is_empty() || self.options.xtrace {
            return false;
        }
        if self.trap_applies(crate::traps::DEBUG) || self.options.nounset {
            return false;
        }
        let Some(name) = &simple.words[0].constant else {
            return false;
        };
        matches!(self.look_up_command(name, true), Lookup::External) && self.has_program(name)
    }

    fn start_plain(
        &mut self,
        command: &Rc<Command>,
        input: Option<u32>,
        output: Option<u32>,
    ) -> Result<system::Pid, i32> {
        let Kind::Simple(simple) = &command.kind else {
            return Err(1);
        };
        self.line = command.line;
        let Ok(words) = self.expand_words(&simple.words) else {
            return Err(1);
        };
        let Ok(Ok(mut map)) = self.map_descriptors(&[]) else {
            return Err(1);
        };
        if let Some(input) = input {
            map.set(0, input);
        }
        if let Some(output) = output {
            map.set(1, output);
        }
        match self.map_redirects(&command.redirects, &mut map) {
            Ok(Ok(())) => {}
            Ok(Err(status)) => return Err(status),
            Err(_) => return Err(1),
        }
        let mut environment = self.environment();
        if self.in_background {
            environment = super::external::lower_level(&environment);
        }
        let answer = self.start(&words, &environment, &map, false);
        map.close_opened();
        answer
    }

    pub fn run_subshell(&mut self, list: &List) -> Run<i32> {
        self.tail = false;
        let pid = self.fork_subshell(|shell| {
            shell.tail = true;
            shell.sole_command = crate::expand::only_simple(list).is_some();
            shell.run_list(list)
        });
        Ok(match pid {
            Ok(pid) => self.wait_foreground(pid),
            Err(status) => status,
        })
    }

    /// `item &`.
    pub fn run_background(&mut self, item: &Item) -> Run<i32> {
        let text = crate::print::item(item).into_bytes();
        let plain = item.rest.is_empty()
            && item.first.commands.len() == 1
            && !item.first.negated
            && item.first.timed.is_none()
            && self.is_plain_program(&item.first.commands[0]);
        let pid = if plain {
            self.in_background = true;
            let pid = match system::open(b"/dev/null", system::flag::READ, 0) {
                Ok(null) => {
                    let null = super::redirect::high(null);
                    let pid = self.start_plain(&item.first.commands[0], Some(null), None);
                    system::close(null);
                    pid
                }
                Err(_) => self.start_plain(&item.first.commands[0], None, None),
            };
            self.in_background = false;
            pid
        } else {
            self.fork_subshell(|shell| {
                if let Ok(null) = system::open(b"/dev/null", system::flag::READ, 0)
                    && null != 0
                {
                    let _ = system::duplicate_to(null, 0);
                    system::close(null);
                }
                shell.errexit_ignored = 0;
                for signal in [2, 3] {
                    if shell.traps.get(signal).is_none() {
                        let _ = system::set_signal(signal as u32, system::Action::Ignored);
                    }
                }
                shell.in_background = true;
                if item.rest.is_empty() && item.first.commands.len() == 1 && !item.first.negated {
                    return shell.run_as_child(&item.first.commands[0]);
                }
                shell.run_pipeline_of(item)
            })
        };
        match pid {
            Ok(pid) => {
                self.add_job(vec![pid], text);
                self.set_pipestatus(&[0]);
                self.status = 0;
                Ok(0)
            }
            Err(status) => Ok(status),
        }
    }

    fn run_pipeline_of(&mut self, item: &Item) -> Run<i32> {
        if item.rest.is_empty() {
            return self.run_pipeline(&item.first, false);
        }
        let mut status = self.run_pipeline(&item.first, true)?;
        for (place, (on_success, pipeline)) in item.rest.iter().enumerate() {
            if (status == 0) == *on_success {
                status = self.run_pipeline(pipeline, place + 1 != item.rest.len())?;
            }
        }
        Ok(status)
    }

    pub fn run_coprocess(&mut self, name: Option<&[u8]>, body: &Rc<Command>) -> Run<i32> {
        let name = name.unwrap_or(b"COPROC");
        let (Ok((their_in, our_out)), Ok((our_in, their_out))) = (system::pipe(), system::pipe())
        else {
            self.complain(format_args!("coproc: no more descriptors"));
            return Ok(1);
        };
        let text = [
            b"coproc ",
            name,
            b" ",
            crate::print::one_line(body).as_bytes(),
        ]
        .concat();
        let body = Rc::clone(body);
        let pid = self.fork_subshell(move |shell| {
            let _ = system::duplicate_to(their_in, 0);
            let _ = system::duplicate_to(their_out, 1);
            for descriptor in [their_in, their_out, our_in, our_out] {
                if descriptor > 1 {
                    system::close(descriptor);
                }
            }
            shell.run_as_child(&body)
        });
        system::close(their_in);
        system::close(their_out);
        let pid = match pid {
            Ok(pid) => pid,
            Err(status) => return Ok(status),
        };
        let move_up = |descriptor: u32| match system::duplicate(descriptor, 60) {
            Ok(copy) => {
                system::close(descriptor);
                copy
            }
            Err(_) => descriptor,
        };
        let ends = [move_up(our_in), move_up(our_out)];
        let values = ends.map(|number| number.to_string().into_bytes()).to_vec();
        self.set_array(intern(name), values)?;
        let pid_name = intern(&[name, b"_PID"].concat());
        self.set(pid_name, pid.to_string().into_bytes())?;
        self.add_job(vec![pid], text);
        Ok(0)
    }
}
