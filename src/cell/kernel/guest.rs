//! What a Wasm store carries for its process, and how its memory and fuel are counted.

use std::{fmt, sync::Arc};

use wasmtime::{AsContextMut, Memory, ResourceLimiter};

use super::{Call, Descriptors, Process, signal};
#[cfg(feature = "components")]
use crate::cell::component::ComponentTool;
use crate::cell::{engine::TABLE_ELEMENTS_MAX, programs::Module, runtime::Runtime, wasi::Errno};
use crate::outcome::StoppedBy;

/// Fuel a store starts with; the budget that counts is the call's.
pub const FUEL_START: u64 = 1 << 62;

/// What runs a program.
#[derive(Debug, Clone)]
pub enum Code {
    Guest(Arc<Module>),
    /// What runs outside of this cell: a program of the host, by its path there, or a tool of the
    /// operator's own, by its path here.
    Native(String),
    /// The tool that this cell is for.
    #[cfg(feature = "components")]
    Component(Arc<ComponentTool>),
}

/// The first number that wasi-libc looks for folders under.
pub const FIRST_PREOPEN: u32 = 3;

/// A folder that is open from the start.
#[derive(Debug, Clone)]
pub struct Preopen {
    /// What the program calls it.
    pub name: Vec<u8>,
    /// Absolute guest path.
    pub path: Vec<u8>,
}

/// A program as it is started: its code and what it sees first.
#[derive(Debug, Clone)]
pub struct Image {
    pub code: Code,
    /// NUL-terminated strings, as the guest hands and reads them.
    pub arguments: Strings,
    pub environment: Strings,
    pub cwd: Vec<u8>,
    /// Folders that are open from the start, under the numbers from [`FIRST_PREOPEN`] on.
    pub preopens: Vec<Preopen>,
    /// The policy denies the program: what its process says instead of running.
    pub denied: Option<String>,
}

impl Image {
    /// What the cell holds for the strings of a program.
    pub fn bytes(&self) -> u64 {
        (self.arguments.0.len() + self.environment.0.len() + self.cwd.len()) as u64
    }

    /// Counts the strings as memory of `call`.
    ///
    /// # Errors
    /// ENOMEM at the limit.
    pub fn take_memory(&self, call: &Call) -> Result<u64, Errno> {
        if !call.take_memory(self.bytes()) {
            call.refuse(StoppedBy::Memory);
            return Err(Errno::ENOMEM);
        }
        Ok(self.bytes())
    }
}

/// A list of NUL-terminated strings in one buffer.
#[derive(Debug, Clone, Default)]
pub struct Strings(pub Vec<u8>);

impl Strings {
    pub fn from_list<S: AsRef<[u8]>>(list: impl IntoIterator<Item = S>) -> Self {
        let mut bytes = Vec::new();
        for string in list {
            bytes.extend(string.as_ref().iter().copied().filter(|&b| b != 0));
            bytes.push(0);
        }
        Self(bytes)
    }

    /// The list with `strings` in place of its first one.
    pub fn with_first_replaced<S: AsRef<[u8]>>(
        &self,
        strings: impl IntoIterator<Item = S>,
    ) -> Self {
        let first = self.iter().next().map_or(0, |first| first.len() + 1);
        let mut list = Self::from_list(strings);
        list.0.extend(self.0.get(first..).unwrap_or_default());
        list
    }

    /// Each string without its NUL.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0
            .split_inclusive(|&b| b == 0)
            .map(|s| s.strip_suffix(b"\0").unwrap_or(s))
    }
}

/// Why a guest's code stopped without returning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(u32),
    Signal(u32),
    /// It becomes another program: [`Guest::next`].
    Exec,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "guest ended: {self:?}")
    }
}

impl std::error::Error for Exit {}

/// The data of a process's store.
#[derive(Debug)]
pub struct Guest {
    pub runtime: Arc<Runtime>,
    pub process: Arc<Process>,
    pub descriptors: Descriptors,
    pub image: Image,
    /// The instance's linear memory, once there is one.
    pub memory: Option<Memory>,
    /// The program it becomes, after `proc_exec`.
    pub next: Option<(Image, Descriptors)>,
    fuel_seen: u64,
    /// What of the call's memory is counted for the linear memory, and for the image's strings.
    linear_held: u64,
    strings_held: u64,
    memory_refused: bool,
    /// It is another program than the one its process was started with.
    was_replaced: bool,
}

impl Guest {
    /// # Errors
    /// ENOMEM when the call has no memory for the program's strings.
    pub fn new(
        runtime: &Arc<Runtime>,
        process: &Arc<Process>,
        descriptors: Descriptors,
        image: Image,
    ) -> Result<Self, Errno> {
        let strings_held = image.take_memory(&process.call)?;
        Ok(Self {
            runtime: Arc::clone(runtime),
            process: Arc::clone(process),
            descriptors,
            image,
            memory: None,
            next: None,
            fuel_seen: FUEL_START,
            linear_held: 0,
            strings_held,
            memory_refused: false,
            was_replaced: false,
        })
    }

    pub fn call(&self) -> &Arc<Call> {
        &self.process.call
    }

    /// True when a growth of memory was refused: a trap that follows is then out-of-memory.
    pub fn memory_was_refused(&self) -> bool {
        self.memory_refused
    }

    /// Forgets the old program's memory and fuel; its store is gone. The new one's strings are
    /// counted already.
    pub fn become_next(&mut self, image: Image, descriptors: Descriptors) {
        self.give_memory();
        self.strings_held = image.bytes();
        self.image = image;
        self.descriptors = descriptors;
        self.memory = None;
        self.fuel_seen = FUEL_START;
        self.was_replaced = true;
    }

    /// True for the program the call was started with: a session's shell state is its alone, and
    /// a shell that takes its place by `exec` begins without it.
    pub fn is_first_program(&self) -> bool {
        self.process.pid == 1 && !self.was_replaced
    }

    fn give_memory(&mut self) {
        let held = std::mem::take(&mut self.linear_held) + std::mem::take(&mut self.strings_held);
        self.process.call.give_memory(held);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.give_memory();
    }
}

/// Charges what the store has burned since it was last asked to the call's one budget.
pub fn settle_fuel(mut store: impl AsContextMut<Data = Guest>) {
    let mut store = store.as_context_mut();
    let left = store.get_fuel().unwrap_or(0);
    let guest = store.data_mut();
    let spent = guest.fuel_seen.saturating_sub(left);
    guest.fuel_seen = left;
    guest.process.call.spend(spent);
}

impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let call = &self.process.call;
        // Over the module's own maximum the engine refuses after us, so nothing may be taken.
        if current > desired || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = (desired as u64).saturating_sub(self.linear_held);
        let grows = call.grow_memory(self.linear_held, more);
        if grows {
            self.linear_held += more;
        }
        self.memory_refused |= !grows;
        Ok(grows)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    // A process is one instance of one module; each program it becomes has a store of its own.

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }
}

/// How a guest that stopped with `error` ended, as a signal number.
pub fn signal_of(error: &wasmtime::Error, guest: &Guest) -> u32 {
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::StackOverflow) => signal::SEGV,
        Some(_) if guest.memory_was_refused() => signal::KILL,
        Some(_) => signal::ABRT,
        None if guest.memory_was_refused() => signal::KILL,
        None => {
            tracing::error!(error = format!("{error:#}"), "a guest could not be run");
            signal::KILL
        }
    }
}
