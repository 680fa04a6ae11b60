//! Signals: a pending flag and a disposition for each number, per process.

/// Highest signal number plus one.
pub const SIGNALS: u32 = 32;
pub const ABRT: u32 = 6;
pub const KILL: u32 = 9;
pub const SEGV: u32 = 11;
pub const PIPE: u32 = 13;
pub const CHLD: u32 = 17;
pub const CONT: u32 = 18;
pub const STOP: u32 = 19;
pub const TSTP: u32 = 20;
pub const TTIN: u32 = 21;
pub const TTOU: u32 = 22;
pub const URG: u32 = 23;
pub const WINCH: u32 = 28;

/// What a signal does to a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Action {
    #[default]
    Default,
    Ignored,
    Caught,
}

impl Action {
    /// Reads the guest's number.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Default, Self::Ignored, Self::Caught]
            .get(number as usize)
            .copied()
    }
}

/// What delivering a signal asks of the receiver.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    Nothing,
    /// It is pending; a blocking host call ends with EINTR.
    Pending,
    /// The process ends.
    Ends,
}

/// Dispositions and pending flags, as bit sets over signal numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signals {
    pending: u32,
    ignored: u32,
    caught: u32,
}

impl Signals {
    /// A child's signals: `ignored` from its start, the rest default.
    pub fn starting(ignored: u32) -> Self {
        Self {
            ignored: ignored & !unblockable(),
            ..Self::default()
        }
    }

    /// What a forked copy begins with: the same dispositions, nothing pending.
    pub fn forked(self) -> Self {
        Self { pending: 0, ..self }
    }

    /// What another program begins with: what is ignored stays ignored (POSIX `exec`), and `more`.
    pub fn over_exec(self, more: u32) -> Self {
        Self::starting(self.ignored | more)
    }

    /// Sets a disposition and answers the old one. KILL and STOP stay default.
    pub fn set(&mut self, signal: u32, action: Action) -> Action {
        let bit = 1 << signal;
        let old = self.action(signal);
        self.ignored &= !bit;
        self.caught &= !bit;
        if bit & unblockable() == 0 {
            match action {
                Action::Default => {}
                Action::Ignored => self.ignored |= bit,
                Action::Caught => self.caught |= bit,
            }
        }
        if action != Action::Caught {
            self.pending &= !bit;
        }
        old
    }

    pub fn action(&self, signal: u32) -> Action {
        let bit = 1 << signal;
        if self.ignored & bit != 0 {
            Action::Ignored
        } else if self.caught & bit != 0 {
            Action::Caught
        } else {
            Action::Default
        }
    }

    /// Records `signal` and says what follows.
    pub fn deliver(&mut self, signal: u32) -> Delivery {
        match self.action(signal) {
            Action::Ignored => Delivery::Nothing,
            Action::Caught => {
                self.pending |= 1 << signal;
                Delivery::Pending
            }
            Action::Default => match signal {
                // There is no terminal and no job control: stopping is left out.
                CHLD | CONT | STOP | TSTP | TTIN | TTOU | URG | WINCH => Delivery::Nothing,
                _ => Delivery::Ends,
            },
        }
    }

    pub fn has_pending(&self) -> bool {
        self.pending != 0
    }

    pub fn take(&mut self) -> u32 {
        std::mem::take(&mut self.pending)
    }
}

fn unblockable() -> u32 {
    1 << KILL | 1 << STOP
}
