//! Looking commands up and starting programs.

use std::{io, rc::Rc};

use super::{Run, Unwind, redirect::DescriptorMap};
use crate::{
    ast::{Assignment, Bytes, Command, Simple},
    builtins::{self, Builtin},
    known,
    shell::{Shell, reason},
    system,
};

/// What a command word means.
pub enum Lookup {
    Function,
    Builtin(Builtin),
    External,
}

impl Shell {
    pub fn look_up_command(&self, name: &[u8], functions: bool) -> Lookup {
        if functions && self.functions.contains_key(name) {
            return Lookup::Function;
        }
        if name.contains(&b'/') || self.disabled_builtins.contains(name) {
            return Lookup::External;
        }
        match builtins::find(name) {
            Some(builtin) => Lookup::Builtin(builtin),
            None => Lookup::External,
        }
    }

    /// The file a command word names, along PATH.
    pub fn find_program(&mut self, name: &[u8]) -> Option<Bytes> {
        if name.contains(&b'/') {
            return Some(name.to_vec());
        }
        if let Some(path) = self.hashed_path(name) {
            return Some(path);
        }
        let path = self.search_path(name)?;
        self.remember_path(name, path.clone(), 1);
        Some(path)
    }

    /// Whether a program of that name is there, which is no use of it yet.
    pub fn has_program(&mut self, name: &[u8]) -> bool {
        name.contains(&b'/') || self.hashed.contains_key(name) || self.search_path(name).is_some()
    }

    /// The first executable file called `name` along PATH.
    pub fn search_path(&mut self, name: &[u8]) -> Option<Bytes> {
        self.search_path_all(name).into_iter().next()
    }

    pub fn search_path_all(&mut self, name: &[u8]) -> Vec<Bytes> {
        let path = self.get_text(known::PATH);
        let mut found = Vec::new();
        if name.is_empty() {
            return found;
        }
        for folder in path.split(|&b| b == b':') {
            let folder = if folder.is_empty() { b"." } else { folder };
            let candidate = [folder, b"/", name].concat();
            let candidate = if folder == b"." {
                [b"./", name].concat()
            } else {
                candidate
            };
            if let Ok(stat) = system::stat(&candidate, true)
                && stat.is_file()
                && stat.mode & 0o111 != 0
            {
                found.push(candidate);
            }
        }
        found
    }

    fn absolute(&self, path: &[u8]) -> Bytes {
        if path.starts_with(b"/") {
            return path.to_vec();
        }
        [self.cwd.as_slice(), b"/", path].concat()
    }

    pub fn run_external(
        &mut self,
        command: &Rc<Command>,
        simple: &Simple,
        words: &[Bytes],
        tail: bool,
    ) -> Run<i32> {
        let sets_path = simple.assignments.iter().any(|one| one.name == known::PATH);
        if sets_path {
            // The program is looked up along the PATH it will have.
            return self.with_redirects(&command.redirects, |shell| {
                let answer =
                    shell.with_temporary(&simple.assignments, |shell| shell.run_program(words));
                shell.hashed.clear();
                answer
            });
        }
        let mut map = match self.map_descriptors(&command.redirects)? {
            Ok(map) => map,
            Err(status) => return Ok(status),
        };
        let replace = tail && self.may_become();
        let environment = match self.command_environment(&simple.assignments) {
            Ok(environment) if replace && self.lowers_level(command) => lower_level(&environment),
            Ok(environment) => environment,
            Err(unwind) => {
                map.close_opened();
                return Err(unwind);
            }
        };
        let answer = self.start(words, &environment, &map, replace);
        map.close_opened();
        match answer {
            Ok(pid) => Ok(self.wait_foreground(pid)),
            Err(status) => Ok(status),
        }
    }

    /// Runs a program found by `command`.
    pub fn run_program(&mut self, words: &[Bytes]) -> Run<i32> {
        let mut map = match self.map_descriptors(&[])? {
            Ok(map) => map,
            Err(status) => return Ok(status),
        };
        let environment = self.environment();
        let answer = self.start(words, &environment, &map, false);
        map.close_opened();
        Ok(match answer {
            Ok(pid) => self.wait_foreground(pid),
            Err(status) => status,
        })
    }

    /// The environment with assignments before the command.
    pub fn command_environment(&mut self, assignments: &[Assignment]) -> Run<Vec<Bytes>> {
        let mut environment = self.environment();
        for assignment in assignments {
            let Some(value) = self.temporary_value(assignment)? else {
                continue;
            };
            let prefix = [assignment.name.text(), b"="].concat();
            environment.retain(|entry| !entry.starts_with(&prefix));
            environment.push([prefix, value].concat());
        }
        Ok(environment)
    }

    /// Starts a program; `Err` is the status after a failure that was told.
    pub fn start(
        &mut self,
        words: &[Bytes],
        environment: &[Bytes],
        map: &DescriptorMap,
        replace: bool,
    ) -> Result<system::Pid, i32> {
        let path = match self.find_program(&words[0]) {
            Some(path) => path,
            None => {
                if let Some(status) = self.not_found_handler(words, map) {
                    return Err(status);
                }
                return Err(self.tell_not_found(&words[0], map));
            }
        };
        let mut environment = environment.to_vec();
        environment.retain(|entry| !entry.starts_with(b"_="));
        environment.push([b"_=", path.as_slice()].concat());
        let absolute = self.absolute(&path);
        if !path.starts_with(b"/")
            && let Some((interpreter, arguments)) = self.script_call(&path, words)
        {
            // So that the script sees the name it was called by.
            let answer = self.launch(&interpreter, &arguments, &environment, map, replace);
            if let Ok(pid) = answer {
                return Ok(pid);
            }
        }
        match self.launch(&absolute, words, &environment, map, replace) {
            Ok(pid) => Ok(pid),
            Err(error) => {
                if error.raw_os_error() == Some(NO_EXEC) {
                    return self.start_script(&absolute, words, &environment, map, replace);
                }
                self.hashed.remove(&words[0]);
                Err(self.tell_start_failure(&words[0], &absolute, &error, map))
            }
        }
    }

    /// The interpreter of a `#!` file in `/bin`, and the arguments to call it with.
    fn script_call(&mut self, path: &[u8], words: &[Bytes]) -> Option<(Bytes, Vec<Bytes>)> {
        if !system::stat(path, true).is_ok_and(|stat| stat.is_file() && stat.mode & 0o111 != 0) {
            return None;
        }
        let first = first_bytes(path);
        let line = first
            .strip_prefix(b"#!")?
            .split(|&b| b == b'\n')
            .next()?
            .trim_ascii();
        let mut parts = line.splitn(2, |b| matches!(b, b' ' | b'\t'));
        let mut interpreter = parts.next()?.to_vec();
        let mut option = parts
            .next()
            .map(<[u8]>::trim_ascii)
            .filter(|text| !text.is_empty());
        if interpreter.ends_with(b"/env")
            && let Some(name) = option
            && !name.contains(&b' ')
            && !name.starts_with(b"-")
        {
            interpreter = self.search_path(name)?;
            option = None;
        }
        let mut arguments = vec![interpreter.clone()];
        arguments.extend(option.map(<[u8]>::to_vec));
        arguments.push(path.to_vec());
        arguments.extend(words[1..].iter().cloned());
        system::stat(&interpreter, true)
            .is_ok()
            .then_some((interpreter, arguments))
    }

    fn launch(
        &mut self,
        path: &[u8],
        words: &[Bytes],
        environment: &[Bytes],
        map: &DescriptorMap,
        replace: bool,
    ) -> io::Result<system::Pid> {
        let mut ignored_signals = 0;
        for (signal, action) in self.traps.actions.iter().enumerate().take(32).skip(1) {
            if action.as_ref().is_some_and(Vec::is_empty) {
                ignored_signals |= 1 << signal;
            }
        }
        if self.in_background {
            // Without job control, a background program does not hear the keyboard.
            ignored_signals |= 1 << 2 | 1 << 3;
        }
        let program = system::Program {
            path,
            arguments: words,
            environment,
            cwd: &self.cwd.clone(),
            descriptors: &map.pairs,
            ignored_signals,
        };
        if replace {
            self.before_exec();
            return Err(program.exec());
        }
        program.spawn()
    }

    /// True when nothing of this shell is needed after the program.
    fn may_become(&self) -> bool {
        (self.jobs.is_empty() || self.jobs_inherited)
            && self.process_ends.is_empty()
            && self.writers.is_empty()
            && !self.traps.wait_for_end()
    }

    /// Whether a program in this shell's place starts with its `SHLVL`. With redirections, bash
    /// does so only for what is all of a subshell.
    fn lowers_level(&self, command: &Command) -> bool {
        command.redirects.is_empty() || self.sole_command
    }

    /// `exec`: becomes the program, or ends the shell when it cannot.
    pub fn become_program(
        &mut self,
        words: &[Bytes],
        name: Option<Bytes>,
        environment: &[Bytes],
    ) -> Run<i32> {
        let map = match self.map_descriptors(&[])? {
            Ok(map) => map,
            Err(status) => return Ok(status),
        };
        let Some(path) = self.find_program(&words[0]) else {
            let shown = String::from_utf8_lossy(&words[0]).into_owned();
            self.complain(format_args!("exec: {shown}: not found"));
            return Err(Unwind::Exit(127));
        };
        let absolute = self.absolute(&path);
        let mut arguments = words.to_vec();
        if let Some(name) = name {
            arguments[0] = name;
        }
        self.before_exec();
        let program = system::Program {
            path: &absolute,
            arguments: &arguments,
            environment,
            cwd: &self.cwd.clone(),
            descriptors: &map.pairs,
            ignored_signals: 0,
        };
        let error = program.exec();
        if error.raw_os_error() == Some(NO_EXEC) {
            if let Err(status) = self.start_script(&absolute, words, environment, &map, true) {
                return Err(Unwind::Exit(status));
            }
        }
        let status = self.tell_start_failure(&words[0], &absolute, &error, &map);
        Err(Unwind::Exit(status))
    }

    /// A file without `#!` that is no program: a script for this shell.
    fn start_script(
        &mut self,
        path: &[u8],
        words: &[Bytes],
        environment: &[Bytes],
        map: &DescriptorMap,
        replace: bool,
    ) -> Result<system::Pid, i32> {
        if is_binary(path) {
            let name = String::from_utf8_lossy(&words[0]).into_owned();
            self.complain_to(
                map,
                format_args!("{name}: cannot execute binary file: Exec format error"),
            );
            return Err(126);
        }
        let given = match self.hashed.get(&words[0]) {
            Some(place) => place.path.clone(),
            None if words[0].contains(&b'/') => words[0].clone(),
            None => path.to_vec(),
        };
        let mut arguments = vec![b"bash".to_vec(), given];
        arguments.extend(words[1..].iter().cloned());
        self.launch(b"/bin/bash", &arguments, environment, map, replace)
            .map_err(|error| self.tell_start_failure(&words[0], path, &error, map))
    }

    /// Calls `command_not_found_handle` where a script defines it.
    fn not_found_handler(&mut self, words: &[Bytes], map: &DescriptorMap) -> Option<i32> {
        const HANDLER: &[u8] = b"command_not_found_handle";
        if !self.functions.contains_key(HANDLER) {
            return None;
        }
        let mut call = vec![HANDLER.to_vec()];
        call.extend(words.iter().cloned());
        let pairs = map.pairs.clone();
        let pid = self.fork_subshell(|shell| {
            for (theirs, ours) in pairs {
                if theirs != ours {
                    let _ = system::duplicate_to(ours, theirs);
                }
            }
            shell.call_function(&call)
        });
        Some(match pid {
            Ok(pid) => self.wait_foreground(pid),
            Err(status) => status,
        })
    }

    /// Says something on what will be the program's standard error.
    fn complain_to(&mut self, map: &DescriptorMap, message: std::fmt::Arguments<'_>) {
        let ours = map
            .pairs
            .iter()
            .find(|(theirs, _)| *theirs == 2)
            .map(|(_, ours)| *ours);
        match ours {
            Some(2) => self.complain(message),
            Some(ours) => {
                let name = self.message_name_text();
                let text = format!("{name}: line {}: {message}\n", self.line);
                let _ = system::write_all(ours, text.as_bytes());
            }
            None => {}
        }
    }

    fn tell_not_found(&mut self, name: &[u8], map: &DescriptorMap) -> i32 {
        let shown = String::from_utf8_lossy(name).into_owned();
        let hint = crate::substitutes::hint(self, name);
        self.complain_to(map, format_args!("{shown}: command not found{hint}"));
        127
    }

    fn tell_start_failure(
        &mut self,
        name: &[u8],
        path: &[u8],
        error: &io::Error,
        map: &DescriptorMap,
    ) -> i32 {
        let shown = String::from_utf8_lossy(name).into_owned();
        if system::stat(path, true).is_ok_and(|stat| stat.is_dir()) {
            self.complain_to(map, format_args!("{shown}: Is a directory"));
            return 126;
        }
        match error.kind() {
            io::ErrorKind::NotFound if !system::stat(path, true).is_ok_and(|s| s.is_file()) => {
                self.complain_to(map, format_args!("{shown}: No such file or directory"));
                127
            }
            io::ErrorKind::NotFound => {
                let interpreter = interpreter(path);
                self.complain_to(
                    map,
                    format_args!(
                        "{shown}: cannot execute: required file not found ({interpreter})"
                    ),
                );
                127
            }
            io::ErrorKind::PermissionDenied => {
                self.complain_to(map, format_args!("{shown}: Permission denied"));
                126
            }
            _ => {
                let reason = reason(error);
                self.complain_to(map, format_args!("{shown}: {reason}"));
                126
            }
        }
    }

    /// Runs `each` in a forked copy of this shell and answers its process number.
    pub fn fork_subshell(
        &mut self,
        each: impl FnOnce(&mut Self) -> Run<i32>,
    ) -> Result<system::Pid, i32> {
        let mut holder = Some(self);
        let shell = match holder.take() {
            Some(shell) => shell,
            None => return Err(1),
        };
        let pointer: *mut Shell = shell;
        // The child is a copy of this process, so this borrow of the shell is its own.
        let answer = system::fork(move || {
            let shell = unsafe { &mut *pointer };
            shell.become_subshell();
            let answer = each(shell);
            let status = shell.end_process(answer);
            shell.let_writers_finish();
            status
        });
        match answer {
            Ok(pid) => Ok(pid),
            Err(error) => {
                let reason = reason(&error);
                unsafe { &mut *pointer }.complain(format_args!("fork: {reason}"));
                Err(254)
            }
        }
    }

    fn become_subshell(&mut self) {
        self.subshell_depth += 1;
        self.reset_traps();
        self.jobs_inherited = true;
        self.writers.clear();
        self.capture = None;
        self.tail = false;
        self.options.monitor = false;
        self.random = 0;
        self.loop_depth = 0;
        self.sole_command = false;
    }

    /// The status a process ends with after its last command, EXIT trap included.
    pub fn end_process(&mut self, answer: Run<i32>) -> i32 {
        let status = match answer {
            Ok(status) | Err(Unwind::Exit(status) | Unwind::Return(status)) => status,
            Err(Unwind::Discard(status)) => status,
            Err(Unwind::Fatal(_)) if self.fatal_is_127 && self.subshell_depth == 0 => 127,
            Err(Unwind::Fatal(status)) => status,
            Err(Unwind::Break(_) | Unwind::Continue(_)) => 0,
        };
        let pending = self.take_signals();
        let status = match pending {
            Err(Unwind::Exit(status)) => status,
            _ => status,
        };
        self.run_exit_trap(status) & 0xff
    }
}

/// ENOEXEC as WASI numbers it.
#[cfg(target_os = "wasi")]
const NO_EXEC: i32 = 45;
#[cfg(not(target_os = "wasi"))]
const NO_EXEC: i32 = 8;

fn is_binary(path: &[u8]) -> bool {
    first_bytes(path)
        .iter()
        .take_while(|&&b| b != b'\n')
        .any(|&b| b == 0)
}

fn first_bytes(path: &[u8]) -> Bytes {
    let Ok(descriptor) = system::open(path, system::flag::READ, 0) else {
        return Bytes::new();
    };
    let mut buffer = vec![0; 256];
    let got = system::read(descriptor, &mut buffer).unwrap_or(0);
    system::close(descriptor);
    buffer.truncate(got);
    buffer
}

fn interpreter(path: &[u8]) -> String {
    let first = first_bytes(path);
    let line = first.split(|&b| b == b'\n').next().unwrap_or_default();
    let line = line.strip_prefix(b"#!").unwrap_or(line).trim_ascii();
    String::from_utf8_lossy(line.split(|&b| b == b' ').next().unwrap_or_default()).into_owned()
}

/// The environment for a program that takes this shell's place, and so its `SHLVL`.
pub fn lower_level(environment: &[Bytes]) -> Vec<Bytes> {
    let mut environment = environment.to_vec();
    for entry in &mut environment {
        let level = entry
            .strip_prefix(b"SHLVL=")
            .and_then(|text| std::str::from_utf8(text).ok());
        if let Some(level) = level.and_then(|text| text.parse::<i64>().ok()) {
            *entry = format!("SHLVL={}", level - 1).into_bytes();
        }
    }
    environment
}
