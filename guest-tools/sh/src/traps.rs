//! Traps and signals.

use crate::{
    ast::Bytes,
    execute::{Run, Unwind},
    parse::Reader,
    shell::Shell,
    system,
};

/// Places of the traps that are no signals.
pub const EXIT: usize = 0;
pub const DEBUG: usize = 32;
pub const ERR: usize = 33;
pub const RETURN: usize = 34;

const NAMES: [&str; 32] = [
    "EXIT",
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

#[derive(Debug, Default)]
pub struct Traps {
    /// Actions by place; an empty one ignores.
    pub actions: Vec<Option<Bytes>>,
    /// Some signal is caught, so pending ones must be asked for.
    pub catching: bool,
    /// Traps that are running, so that they do not start themselves again.
    pub running: u64,
    /// What a subshell inherited, to be listed but not run.
    pub inherited: bool,
    /// ERR, DEBUG and RETURN traps that are listed but not run here.
    pub dormant: u64,
}

impl Traps {
    pub fn get(&self, place: usize) -> Option<&Bytes> {
        self.actions.get(place)?.as_ref()
    }
}

impl Traps {
    /// Whether a trap may still have to run, so that no program can take the shell's place.
    pub fn wait_for_end(&self) -> bool {
        self.actions.iter().enumerate().any(|(place, action)| {
            let Some(action) = action else {
                return false;
            };
            match place {
                DEBUG => false,
                ERR | RETURN => self.dormant & (1 << place) == 0,
                EXIT => !self.inherited,
                _ => !self.inherited && !action.is_empty(),
            }
        })
    }
}

/// The place of a signal or condition given by number or name.
pub fn place(text: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(text).ok()?.to_ascii_uppercase();
    if let Ok(number) = text.parse::<usize>() {
        return (number < 32).then_some(number);
    }
    match text.as_str() {
        "DEBUG" => return Some(DEBUG),
        "ERR" => return Some(ERR),
        "RETURN" => return Some(RETURN),
        "SIGCLD" | "CLD" => return Some(17),
        "SIGPOLL" | "POLL" => return Some(29),
        _ => {}
    }
    NAMES
        .iter()
        .position(|name| *name == text || name.strip_prefix("SIG") == Some(text.as_str()))
}

pub fn name(place: usize) -> &'static str {
    match place {
        DEBUG => "DEBUG",
        ERR => "ERR",
        RETURN => "RETURN",
        _ => NAMES.get(place).copied().unwrap_or("EXIT"),
    }
}

impl Shell {
    /// Calls of functions that are running.
    pub fn function_depth(&self) -> usize {
        self.frames.iter().filter(|frame| frame.function).count()
    }

    /// Sets (`Some`), ignores (empty) or resets (`None`) a trap.
    pub fn set_trap(&mut self, place: usize, action: Option<Bytes>) {
        if self.traps.inherited {
            self.traps.inherited = false;
            for (number, action) in self.traps.actions.iter_mut().enumerate() {
                if action.as_ref().is_some_and(|text| !text.is_empty()) && number < DEBUG {
                    *action = None;
                }
            }
        }
        self.traps.dormant &= !(1 << place);
        if self.traps.actions.len() <= place {
            self.traps.actions.resize(place + 1, None);
        }
        if (1..32).contains(&place) {
            let disposition = match &action {
                None => system::Action::Default,
                Some(text) if text.is_empty() => system::Action::Ignored,
                Some(_) => system::Action::Caught,
            };
            let _ = system::set_signal(place as u32, disposition);
        }
        self.traps.actions[place] = action;
        let caught = |text: &Option<Bytes>| text.as_ref().is_some_and(|text| !text.is_empty());
        self.traps.catching = self.traps.actions.iter().take(32).skip(1).any(caught);
    }

    /// Runs the traps of signals that have come.
    pub fn take_signals(&mut self) -> Run<()> {
        if !self.traps.catching {
            return Ok(());
        }
        let pending = system::take_signals() | std::mem::take(&mut self.pending_signals);
        if pending == 0 {
            return Ok(());
        }
        for signal in (1..32).filter(|signal| pending & (1 << signal) != 0) {
            self.run_trap(signal)?;
        }
        Ok(())
    }

    /// Runs one trap's action; `$?` is as before afterwards.
    pub fn run_trap(&mut self, place: usize) -> Run<()> {
        let Some(action) = self
            .traps
            .get(place)
            .filter(|text| !text.is_empty())
            .cloned()
        else {
            return Ok(());
        };
        if self.traps.inherited && place < DEBUG {
            return Ok(());
        }
        if self.traps.running & (1 << place) != 0 {
            return Ok(());
        }
        self.traps.running |= 1 << place;
        let (status, line) = (self.status, self.line);
        let command = self.current_command.clone();
        let ignored = self.errexit_ignored;
        let tail = std::mem::replace(&mut self.tail, false);
        let substitution = self.substitution_status;
        let answer = self.run_text(&action, if place == EXIT { 1 } else { line }, true);
        self.substitution_status = substitution;
        self.tail = tail;
        self.errexit_ignored = ignored;
        self.current_command = command;
        self.traps.running &= !(1 << place);
        match answer {
            Ok(_) | Err(Unwind::Discard(_)) => {
                self.status = status;
                self.line = line;
                Ok(())
            }
            Err(unwind) => Err(unwind),
        }
    }

    /// True when ERR, DEBUG or RETURN holds at this depth of calls.
    pub fn trap_applies(&self, place: usize) -> bool {
        if self.traps.get(place).is_none_or(Vec::is_empty) {
            return false;
        }
        (self.traps.running | self.traps.dormant) & (1 << place) == 0
    }

    /// Hides the ERR, DEBUG and RETURN traps from a function that does not inherit them.
    pub fn hide_traps(&mut self, traced: bool) -> [Option<Bytes>; 3] {
        let mut hidden = [None, None, None];
        for (place, kept) in [DEBUG, ERR, RETURN].into_iter().zip(&mut hidden) {
            let inherits = match place {
                ERR => self.options.errtrace,
                _ => self.options.functrace || traced,
            };
            if !inherits && let Some(action) = self.traps.actions.get_mut(place) {
                *kept = action.take();
            }
        }
        hidden
    }

    /// Gives back what `hide_traps` took, unless the function has set its own.
    pub fn show_traps(&mut self, hidden: [Option<Bytes>; 3]) {
        for (place, kept) in [DEBUG, ERR, RETURN].into_iter().zip(hidden) {
            if let Some(kept) = kept
                && let Some(action) = self.traps.actions.get_mut(place)
                && action.is_none()
            {
                *action = Some(kept);
            }
        }
    }

    /// Before the process ends by itself: the EXIT trap; answers the status to end with.
    pub fn run_exit_trap(&mut self, status: i32) -> i32 {
        self.status = status;
        let Some(action) = self
            .traps
            .get(EXIT)
            .filter(|text| !text.is_empty())
            .cloned()
        else {
            return status;
        };
        if self.traps.inherited {
            return status;
        }
        self.traps.actions[EXIT] = None;
        self.traps.running |= 1;
        self.scopes.clear();
        let line = self.line;
        match self.run_text(&action, line, true) {
            Err(Unwind::Exit(status) | Unwind::Fatal(status)) => status,
            _ => status,
        }
    }

    /// In a new subshell: caught signals go back to their defaults, ignored ones stay.
    pub fn reset_traps(&mut self) {
        for signal in 1..32 {
            if self.traps.get(signal).is_some_and(|text| !text.is_empty()) {
                let _ = system::set_signal(signal as u32, system::Action::Default);
            }
        }
        self.traps.catching = false;
        self.traps.inherited = true;
        for place in [ERR, DEBUG, RETURN] {
            let keep = match place {
                ERR => self.options.errtrace,
                _ => self.options.functrace,
            };
            if !keep {
                self.traps.dormant |= 1 << place;
            }
        }
    }

    /// Parses and runs `text` command by command in this shell.
    pub fn run_text(&mut self, text: &[u8], line: u32, in_trap: bool) -> Run<i32> {
        let mut reader = Reader::new(text.to_vec(), line);
        self.enter("eval")?;
        let answer = self.run_reader(&mut reader, in_trap);
        self.leave();
        answer
    }
}
