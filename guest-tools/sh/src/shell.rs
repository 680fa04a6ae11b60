//! The shell itself: everything one instance knows.

use std::{
    collections::BTreeSet,
    fmt::Arguments,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    ast::{Bytes, Command},
    builtins::{Completions, HashedPlace, History, Limit},
    execute::{Run, Unwind},
    jobs::Job,
    known,
    names::{Map, Symbol, intern},
    options::{Options, shopt, shopt_at_start},
    parse::{Aliases, Settings},
    system,
    traps::Traps,
    variables::{Scope, Value, Variable, flag},
};

/// A call of a function or a sourced file.
#[derive(Debug)]
pub struct Frame {
    pub name: Bytes,
    pub source: Bytes,
    pub call_line: u32,
    pub function: bool,
}

/// A function; its body is parsed when it is first needed.
#[derive(Debug, Clone)]
pub struct Function {
    pub body: FunctionBody,
    pub source: Bytes,
    pub exported: bool,
    pub traced: bool,
    pub readonly: bool,
}

#[derive(Debug, Clone)]
pub enum FunctionBody {
    Parsed(Rc<Command>),
    /// The text of the whole definition.
    Text(Bytes),
}

/// Where `getopts` stands in a bundle of letters.
#[derive(Debug, Default, Clone)]
pub struct Getopts {
    pub letter: usize,
}

pub struct Shell {
    pub variables: Vec<Option<Variable>>,
    pub scopes: Vec<Scope>,
    pub frames: Vec<Frame>,
    pub positional: Vec<Bytes>,
    pub argument_zero: Bytes,
    /// The script file, when there is one.
    pub script_name: Option<Bytes>,
    pub command_string: bool,
    /// `eval` gave the text being read.
    pub reads_eval: bool,
    /// What errors of arithmetic begin with: the command it stands in.
    pub arithmetic_command: &'static str,
    pub options: Options,
    pub shopt: u64,
    pub functions: Map<Bytes, Function>,
    pub aliases: Aliases,
    pub completions: Completions,
    pub history: History,
    /// What `ulimit` set, by letter.
    pub limits: Vec<(u8, Limit)>,
    /// Processes of `>( )`, which get to the end of their input before the call ends.
    pub writers: Vec<system::Pid>,
    pub traps: Traps,
    pub jobs: Vec<Job>,
    /// The jobs are the parent's: they can be listed, not waited for.
    pub jobs_inherited: bool,
    pub status: i32,
    pub line: u32,
    pub cwd: Bytes,
    pub directory_stack: Vec<Bytes>,
    pub hashed: Map<Bytes, HashedPlace>,
    pub disabled_builtins: BTreeSet<Bytes>,
    /// Programs started now are background jobs.
    pub in_background: bool,
    pub last_background: Option<system::Pid>,
    pub shell_pid: system::Pid,
    pub subshell_depth: u32,
    /// How many of those processes are only a pipeline's simple command, which bash does not count.
    pub stage_depth: u32,
    pub seconds_base: i64,
    pub random: u32,
    pub getopts: Getopts,
    /// Above zero where a failure must not end the shell under `set -e`.
    pub errexit_ignored: usize,
    pub loop_depth: usize,
    /// Function calls, sources, evals and substitutions that are running.
    pub depth: usize,
    /// Compound commands that are running.
    pub nesting: usize,
    pub current_command: Option<Rc<Command>>,
    /// Descriptors that children inherit.
    pub descriptors: BTreeSet<u32>,
    /// Our ends of process substitutions, closed after the command.
    pub process_ends: Vec<u32>,
    /// Status of the last command substitution, for assignments without a command.
    pub substitution_status: Option<i32>,
    /// Output of a builtin that runs here instead of in a substitution's process.
    pub capture: Option<Bytes>,
    /// The command being run is the last thing this process does.
    pub tail: bool,
    /// This subshell consists of one simple command.
    pub sole_command: bool,
    pub umask: u32,
    pub regexes: Vec<(String, bool, regex::Regex)>,
    pub fatal_is_127: bool,
    /// Signals taken while a foreground process ran, bit by number.
    pub pending_signals: u32,
    /// Substitutions around the running command, for the depth of `set -x` lines.
    pub trace_depth: usize,
    pub parse_depth: usize,
    /// The state this call began with; only in the call's first process.
    pub loaded_state: Option<Bytes>,
    /// The folder the session was left in.
    pub state_folder: Option<Bytes>,
    /// The folder given for this call only.
    pub call_folder: Option<Bytes>,
    /// Variables of the session that the call's environment stands in front of.
    pub overridden: Vec<(Symbol, Variable)>,
}

impl Shell {
    pub fn new() -> Self {
        known::register();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |t| t.as_secs() as i64);
        let mut shell = Self {
            variables: Vec::with_capacity(160),
            scopes: Vec::new(),
            frames: Vec::new(),
            positional: Vec::new(),
            argument_zero: b"bash".to_vec(),
            script_name: None,
            command_string: false,
            reads_eval: false,
            arithmetic_command: "",
            options: Options::at_start(),
            shopt: shopt_at_start(),
            functions: Map::default(),
            aliases: Aliases::default(),
            completions: Completions::default(),
            history: History::default(),
            limits: Vec::new(),
            writers: Vec::new(),
            traps: Traps::default(),
            jobs: Vec::new(),
            jobs_inherited: false,
            status: 0,
            line: 1,
            cwd: Bytes::new(),
            directory_stack: Vec::new(),
            hashed: Map::default(),
            disabled_builtins: BTreeSet::new(),
            in_background: false,
            last_background: None,
            shell_pid: system::identity().0,
            subshell_depth: 0,
            stage_depth: 0,
            seconds_base: now,
            random: 0,
            getopts: Getopts::default(),
            errexit_ignored: 0,
            loop_depth: 0,
            depth: 0,
            nesting: 0,
            current_command: None,
            descriptors: BTreeSet::from([0, 1, 2]),
            process_ends: Vec::new(),
            substitution_status: None,
            capture: None,
            tail: false,
            sole_command: false,
            umask: 0o022,
            regexes: Vec::new(),
            fatal_is_127: false,
            pending_signals: 0,
            trace_depth: 0,
            parse_depth: 0,
            loaded_state: None,
            state_folder: None,
            call_folder: None,
            overridden: Vec::new(),
        };
        shell.variables.resize_with(160, || None);
        shell.register_special();
        shell.standing_variables();
        shell
    }

    /// Variables every shell begins with.
    fn standing_variables(&mut self) {
        let (_, parent, _) = system::identity();
        let user = system::USER_ID.to_string();
        let text = |shell: &mut Self, name: Symbol, value: &str, flags: u16| {
            let slot = shell.slot(name).get_or_insert_default();
            slot.value = Value::Scalar(value.as_bytes().to_vec());
            slot.flags |= flags | flag::STANDING;
        };
        text(self, known::IFS, " \t\n", 0);
        text(self, known::OPTIND, "1", 0);
        text(self, known::OPTERR, "1", 0);
        text(self, known::PS4, "+ ", 0);
        text(self, known::PATH, "/bin", 0);
        text(
            self,
            known::PPID,
            &parent.to_string(),
            flag::READONLY | flag::INTEGER,
        );
        text(self, known::UID, &user, flag::READONLY | flag::INTEGER);
        text(self, known::EUID, &user, flag::READONLY | flag::INTEGER);
        text(self, known::HOSTNAME, "hotcell", 0);
        text(self, known::HOSTTYPE, "x86_64", 0);
        text(self, known::OSTYPE, "linux-gnu", 0);
        text(self, known::MACHTYPE, "x86_64-pc-linux-gnu", 0);
        text(self, known::BASH, "/bin/bash", 0);
        text(self, known::BASH_VERSION, "5.2.15(1)-release", 0);
        let version = ["5", "2", "15", "1", "release", "x86_64-pc-linux-gnu"];
        *self.slot(known::BASH_VERSINFO) = Some(Variable {
            value: Value::Indexed((0..).zip(version.map(|v| v.as_bytes().to_vec())).collect()),
            flags: flag::INDEXED | flag::READONLY | flag::STANDING,
        });
    }

    /// Takes over the environment this process was started with.
    pub fn import_environment(&mut self) {
        for (name, value) in system::environment() {
            if let Some(function) = name.strip_prefix(b"BASH_FUNC_")
                && let Some(function) = function.strip_suffix(b"%%")
            {
                self.import_function(function, &value);
                continue;
            }
            if !crate::names::is_name(&name) {
                continue;
            }
            let name = intern(&name);
            let flags = self.variable(name).map_or(0, |variable| variable.flags);
            if flags & (flag::READONLY | flag::DYNAMIC) != 0 {
                continue;
            }
            if let Some(variable) = self.variable(name)
                && variable.flags & flag::STANDING == 0
                && !matches!(variable.value, Value::Unset)
            {
                // The session's value stays where the host gave only what every call gets.
                if STANDING_ENVIRONMENT.contains(&(name.text(), value.as_slice())) {
                    continue;
                }
                let variable = variable.clone();
                self.overridden.push((name, variable));
            }
            let slot = self.slot(name).get_or_insert_default();
            slot.value = Value::Scalar(value);
            slot.flags = (slot.flags & flag::HOOKED) | flag::EXPORT | flag::STANDING;
        }
        let level: i64 = std::str::from_utf8(&self.get_text(known::SHLVL))
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let slot = self.slot(known::SHLVL).get_or_insert_default();
        let level = if (0..999).contains(&level) {
            level + 1
        } else {
            1
        };
        slot.value = Value::Scalar(level.to_string().into_bytes());
        slot.flags = flag::EXPORT | flag::STANDING;
    }

    fn import_function(&mut self, name: &[u8], value: &[u8]) {
        let text = [name, b" ", value].concat();
        let function = Function {
            body: FunctionBody::Text(text),
            source: b"environment".to_vec(),
            exported: true,
            traced: false,
            readonly: false,
        };
        self.functions.insert(name.to_vec(), function);
    }

    /// Learns the folder this process was started in.
    pub fn start_folder(&mut self) {
        let physical = system::current_directory();
        let logical = self.get(known::PWD).filter(|pwd| {
            pwd.first() == Some(&b'/')
                && match (system::stat(pwd, true), system::stat(b".", true)) {
                    (Ok(a), Ok(b)) => (a.dev, a.ino) == (b.dev, b.ino),
                    _ => false,
                }
        });
        self.cwd = logical.unwrap_or(physical);
        let cwd = self.cwd.clone();
        let slot = self.slot(known::PWD).get_or_insert_default();
        slot.value = Value::Scalar(cwd);
        slot.flags |= flag::EXPORT | flag::STANDING;
        let slot = self.slot(known::OLDPWD).get_or_insert_default();
        if matches!(slot.value, Value::Unset) {
            slot.flags |= flag::EXPORT | flag::STANDING;
        }
    }

    /// How text is read under the options in force.
    pub fn settings(&self) -> Settings {
        Settings {
            extended_patterns: self.shopt & shopt::EXTGLOB != 0,
            braces: self.options.braceexpand,
        }
    }

    /// Says on standard error what is wrong, with the place as bash gives it.
    pub fn complain(&mut self, message: Arguments<'_>) {
        let name = String::from_utf8_lossy(&self.message_name()).into_owned();
        let text = format!("{name}: line {}: {message}\n", self.line);
        self.write_error(text.as_bytes());
    }

    pub fn message_name_text(&self) -> String {
        String::from_utf8_lossy(&self.message_name()).into_owned()
    }

    fn message_name(&self) -> Bytes {
        match self.frames.last() {
            Some(frame) => frame.source.clone(),
            None => self.argument_zero.clone(),
        }
    }

    pub fn write_error(&mut self, text: &[u8]) {
        let _ = system::write_all(2, text);
    }

    /// Writes a builtin's output. A failure is told once and makes the builtin fail.
    pub fn write_out(&mut self, text: &[u8]) -> bool {
        if let Some(capture) = &mut self.capture {
            capture.extend_from_slice(text);
            return true;
        }
        if text.is_empty() {
            return true;
        }
        match system::write_all(1, text) {
            Ok(()) => true,
            Err(error) => {
                let reason = reason(&error);
                self.complain(format_args!("write error: {reason}"));
                false
            }
        }
    }

    pub fn main_source(&self) -> Bytes {
        match &self.script_name {
            Some(name) => name.clone(),
            None if self.command_string => b"environment".to_vec(),
            None => b"main".to_vec(),
        }
    }

    /// A path with the home folder written `~`.
    pub fn tilde_path(&mut self, path: &[u8]) -> Bytes {
        let home = self.get_text(known::HOME);
        if home.len() > 1
            && let Some(rest) = path.strip_prefix(home.as_slice())
            && (rest.is_empty() || rest[0] == b'/')
        {
            return [b"~", rest].concat();
        }
        path.to_vec()
    }

    pub fn current_command_text(&self) -> Bytes {
        match &self.current_command {
            Some(command) => crate::print::header(command).into_bytes(),
            None => Bytes::new(),
        }
    }

    /// Enters a call; too many of them end the command instead of the process.
    pub fn enter(&mut self, what: &str) -> Run<()> {
        let limit = std::str::from_utf8(&self.get_text(known::FUNCNEST))
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|limit| (1..MAX_CALLS).contains(limit))
            .unwrap_or(MAX_CALLS);
        if self.depth >= limit {
            self.complain(format_args!(
                "{what}: maximum function nesting level exceeded ({limit})"
            ));
            return Err(Unwind::Discard(1));
        }
        self.depth += 1;
        Ok(())
    }

    pub fn leave(&mut self) {
        self.depth -= 1;
    }
}

/// What the host gives every call.
const STANDING_ENVIRONMENT: [(&[u8], &[u8]); 5] = [
    (b"HOME", b"/workspace"),
    (b"USER", b"agent"),
    (b"PATH", b"/bin"),
    (b"LANG", b"C.UTF-8"),
    (b"TZ", b"UTC"),
];

/// Calls within calls beyond which the stack would not last.
const MAX_CALLS: usize = 300;

/// An error as C's `strerror` says it.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
