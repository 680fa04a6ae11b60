//! What the broker and a cell tell each other: plain values, framed by `wire`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kernel::STATE_BYTES_MAX;
use crate::confinement::probe::{Finding, Target};
use crate::confinement::seal::Terms;
use crate::limits::Limits;
use crate::outcome::{
    CHANGED_MAX, CHANGED_PATH_BYTES_MAX, DENIED_BYTES_MAX, DENIED_MAX, Held, Outcome, as_bytes,
    at_most,
};
use crate::policy::{Found, ProgramTable, Protected, ToolKind};

/// Names one call on one cell's socket.
pub type CallId = u64;

/// Streamed output of one call that may be on its way to a reader, in bytes; past it the guests
/// that write wait. Chosen: some tens of chunks, and small beside a call's memory.
pub const STREAM_WINDOW_BYTES: u64 = 1 << 20;

/// What a piece of streamed output counts for beside its bytes: what it takes in the broker while it
/// waits, so that many small pieces are as bounded as few large ones.
const PIECE_BYTES: u64 = 256;

/// Room in the window that a piece of so many bytes takes.
pub fn room_of(bytes: usize) -> u64 {
    (bytes as u64).saturating_add(PIECE_BYTES)
}

/// Broker to a spare, once and first: what it is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assignment {
    pub terms: Terms,
    pub task: Task,
}

/// What a process is sealed for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Task {
    /// To be a cell.
    Serve,
    /// To try to get out, and to tell what came of it.
    Attack(Box<Target>),
    /// To compile the tool it was started with.
    Compile(ToolKind),
}

/// Largest assignment, in bytes. Chosen: some thousand paths.
pub const ASSIGNMENT_BYTES_MAX: usize = 1 << 20;

/// Most bytes of one stream that a cell keeps, whatever the limits say.
pub const KEPT_BYTES_MAX: u64 = 16 << 20;

/// Largest event, in bytes: an outcome with all that it may hold, and room for its numbers.
pub const EVENT_BYTES_MAX: usize = 2 * KEPT_BYTES_MAX as usize
    + STATE_BYTES_MAX
    + CHANGED_MAX * CHANGED_PATH_BYTES_MAX
    + DENIED_MAX * DENIED_BYTES_MAX
    + (1 << 20);

/// Most findings of one attack. Chosen: several times what is tried.
pub const FINDINGS_MAX: usize = 4_096;

/// Broker to cell.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Message {
    Run(CallId, Box<Order>),
    Cancel(CallId),
    /// Standard input of a call whose order says [`Stdin::Sent`]; no bytes are its end.
    Input(CallId, #[serde(with = "as_bytes")] Vec<u8>),
    /// Streamed output that took so much room has left the broker.
    Taken(CallId, u64),
    /// About a native program of a call.
    Native(CallId, u32, Told),
}

/// Bytes of one stream of a native program that may be on their way. As a pipe of the kernel holds.
pub const NATIVE_WINDOW_BYTES: u64 = 64 << 10;
/// Words about one native program that may wait: more than fit the windows of its three streams,
/// each piece of which takes [`room_of`] its bytes.
pub const NATIVE_SAID_MAX: usize = 1_024;
/// Most words of one start that are told. One more than any rule takes.
pub const NATIVE_WORDS_MAX: usize = 4_097;
/// Most native programs of one call at once. Chosen: more than a pipeline has.
pub const NATIVES_MAX: usize = 16;

/// A native program that a guest starts. Untrusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeAsk {
    /// Absolute path on the host.
    pub program: String,
    /// Without its own name.
    #[serde(deserialize_with = "at_most::<_, _, NATIVE_WORDS_MAX>")]
    pub arguments: Vec<String>,
    /// Absolute guest path.
    pub cwd: String,
    /// It has something to read.
    pub stdin: bool,
    /// Its standard error is its standard output.
    pub joined: bool,
}

/// Cell to broker, about a native program, by the number of its process in the cell.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Said {
    Start(Box<NativeAsk>),
    Input(#[serde(with = "as_bytes")] Vec<u8>),
    InputEnd,
    /// So many bytes of output have been written where they belong.
    Taken(Stream, u64),
    /// Nobody reads the stream any more.
    Closed(Stream),
    Signal(i32),
    /// Its process is gone.
    Gone,
}

/// Broker to cell, about a native program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Told {
    Output(Stream, #[serde(with = "as_bytes")] Vec<u8>),
    /// So many bytes of input have been taken.
    Wants(u64),
    Ended(Box<NativeEnd>),
}

/// How a native program ended, as its guests see it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeEnd {
    pub status: NativeStatus,
    /// What its standard error says besides.
    pub said: String,
    /// Bytes of input that it read. What else was sent is for whoever reads next.
    pub read: u64,
    /// Bytes that it was handed through its pipe and did not read, as the floors above know.
    #[serde(skip)]
    pub unread: u64,
    /// What the session holds more by its changes.
    pub grown: Held,
    /// Bytes of files that it wrote.
    pub written: u64,
}

/// Its status, as the kernel says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NativeStatus {
    Exited(u8),
    Signaled(u32),
}

impl Default for NativeStatus {
    fn default() -> Self {
        Self::Exited(0)
    }
}

/// One call to run: a first process and what it may see.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Order {
    /// A catalogue name: `bash`, `files`, or any program of `/bin`.
    pub program: String,
    /// `arguments[0]` is the name the program sees itself under.
    pub arguments: Vec<Vec<u8>>,
    /// `NAME=value`.
    pub environment: Vec<Vec<u8>>,
    /// Absolute guest path.
    pub cwd: String,
    pub stdin: Stdin,
    pub mounts: Vec<Mount>,
    pub limits: Limits,
    /// Which programs of `/bin` processes may start.
    pub programs: ProgramTable,
    /// Native programs that processes may ask for: names, and paths on the host.
    pub natives: BTreeMap<String, String>,
    /// Shell state the first process may load.
    #[serde(with = "as_bytes")]
    pub state: Vec<u8>,
    /// Whether the first process may offer a new state.
    pub keep_state: bool,
    /// Its folders are open under the first free descriptors, as programs expect that were not
    /// built for us.
    pub preopens: bool,
    /// Sends output as it comes instead of keeping head and tail for the end.
    pub stream: bool,
    /// The session whose calls share what its limits leave; `None` where nothing is counted.
    pub session: Option<SessionHolds>,
}

/// What a session holds, as the broker knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionHolds {
    /// Names the session among those of the broker.
    pub session: u64,
    /// Grows whenever the broker counts anew: only then `held` replaces the cell's own count.
    pub count: u64,
    pub held: Held,
}

/// Where the first process reads from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub enum Stdin {
    #[default]
    Empty,
    Bytes(#[serde(with = "as_bytes")] Vec<u8>),
    /// The cell's own standard input (`hotcell run`).
    Inherit,
    /// What the broker sends, piece by piece.
    Sent,
}

/// Bytes of a call's input that may be on their way, each piece with what [`room_of`] adds.
pub const INPUT_WINDOW_BYTES: u64 = 64 << 10;

/// A host folder a call sees.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute guest path, one or more components, such as `/workspace`.
    pub guest: String,
    pub host: std::path::PathBuf,
    pub writable: bool,
    /// Names in it that guests may not touch.
    pub protected: Vec<Protected>,
    /// Bytes the call may write to it.
    pub quota_bytes: Option<u64>,
    /// What is here counts as held by the session.
    pub counted: bool,
}

/// Cell to broker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// The process is up and waits to be told what it is for.
    Waiting,
    /// It is sealed, and is root still if that is said; the first order may come.
    Sealed {
        stays_root: bool,
    },
    /// It could not be sealed: why.
    Unsealed(String),
    /// What it came to when it tried to get out.
    Attacked(#[serde(deserialize_with = "at_most::<_, _, FINDINGS_MAX>")] Vec<Finding>),
    /// What was found in the tool that was compiled, or why it is none.
    Compiled(Result<Box<Found>, String>),
    /// So much room of the call's input has been read.
    Wants(CallId, u64),
    Output(CallId, Stream, #[serde(with = "as_bytes")] Vec<u8>),
    /// About a native program of a call.
    Native(CallId, u32, Said),
    Ended(CallId, Box<Outcome>),
    /// The order could not be started at all.
    Failed(CallId, String),
}

/// Which output stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    Stdout,
    Stderr,
}
