//! One living cell as the broker sees it: the calls it owes answers to and what it may send for
//! them. The cell may be hostile; every event is held against the order it belongs to.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::{
    Notify,
    mpsc::{self, error::TrySendError},
    oneshot, watch,
};

use super::{
    error::CellError,
    input::{Feeding, InputRoom, Source},
    natives::{Above, Natives, Speaker},
    order::{CallId, Message, Order, STREAM_WINDOW_BYTES, Stream, room_of},
    wire::WireError,
};
use crate::outcome::{
    CHANGED_MAX, CHANGED_PATH_BYTES_MAX, DENIED_BYTES_MAX, DENIED_MAX, Outcome, StoppedBy,
};

/// Messages that may wait for a cell's socket.
pub(super) const MESSAGES_MAX: usize = 4_096;
/// What is said of a cell that told what it may not.
pub(super) const BROKE_THE_RULES: &str = "was ended, since it broke the rules";
/// What a kept stream may hold beyond the limit: two halves of an odd number, and the cell's
/// own words for a call that did not start.
const KEPT_BYTES_SPARE: u64 = 4_096;

/// Longest reason of an order that a cell could not start, in bytes; what is longer is cut. It goes
/// into the log. Chosen: a mount's name and an error.
const REASON_BYTES_MAX: usize = 1_024;

/// One living cell.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) messages: mpsc::Sender<Message>,
    pub(super) waiting: Mutex<HashMap<CallId, Waiting>>,
    owed: Arc<Owed>,
    last_call: AtomicU64,
    /// The cell is to be ended, or has ended: it gets no more calls.
    pub(super) closing: watch::Sender<bool>,
    /// A call's answer is overdue: the cell is to be ended.
    pub(super) stalled: watch::Sender<bool>,
}

/// A call that waits for its outcome.
#[derive(Debug)]
pub(super) struct Waiting {
    answer: oneshot::Sender<Result<Outcome, CellError>>,
    sink: Option<mpsc::UnboundedSender<Chunk>>,
    rights: Rights,
    /// Bytes of stdout and of stderr that were streamed.
    streamed: (u64, u64),
    /// Room of what was handed to the sink and not yet taken by whoever reads it.
    untaken: Arc<AtomicU64>,
    /// Room that the cell has for more of its input.
    pub(super) input: Arc<InputRoom>,
    pub(super) natives: Natives,
    /// Its native programs, by the numbers of their processes.
    pub(super) speakers: HashMap<u32, Speaker>,
}

/// What a cell may send for one call.
#[derive(Debug)]
struct Rights {
    streams: bool,
    /// Bytes of streamed output left.
    output_left: u64,
    /// Bytes of one kept stream.
    kept_bytes_max: u64,
    keep_state: bool,
}

/// A piece of output as it came. Dropping it tells the cell that there is room for more.
#[derive(Debug)]
pub struct Chunk {
    pub stream: Stream,
    pub bytes: Vec<u8>,
    _room: Option<Room>,
}

impl Chunk {
    /// A piece that no cell waits to see taken.
    pub fn new(stream: Stream, bytes: Vec<u8>) -> Self {
        Self {
            stream,
            bytes,
            _room: None,
        }
    }
}

/// Room in a call's window, given back when dropped.
#[derive(Debug)]
struct Room {
    id: CallId,
    size: u64,
    untaken: Arc<AtomicU64>,
    owed: Arc<Owed>,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.untaken.fetch_sub(self.size, Ordering::Relaxed);
        *self.owed.room.lock().entry(self.id).or_default() += self.size;
        self.owed.more.notify_one();
    }
}

/// Room that readers gave back and the cell is still to be told of: one number for each call, as a
/// cell that does not listen may have any number of pieces taken.
#[derive(Debug, Default)]
struct Owed {
    room: Mutex<HashMap<CallId, u64>>,
    more: Notify,
}

impl Link {
    pub(super) fn new(messages: mpsc::Sender<Message>) -> Arc<Self> {
        Arc::new(Self {
            messages,
            waiting: Mutex::default(),
            owed: Arc::default(),
            last_call: AtomicU64::new(0),
            closing: watch::channel(false).0,
            stalled: watch::channel(false).0,
        })
    }

    /// Sends an order and answers the call that waits for its outcome.
    ///
    /// # Errors
    /// The cell is gone or does not listen any more, and was not sent the order.
    pub(super) fn begin(
        self: Arc<Self>,
        order: Order,
        sink: Option<mpsc::UnboundedSender<Chunk>>,
        above: Option<Arc<dyn Above>>,
    ) -> Result<RunningCall, CellGone> {
        let rights = Rights {
            streams: order.stream,
            // One chunk may be on its way when the limit is hit.
            output_left: order.limits.output_stop_bytes.saturating_add(1 << 20),
            kept_bytes_max: order.limits.output_bytes.saturating_add(KEPT_BYTES_SPARE),
            keep_state: order.keep_state,
        };
        let id = self.last_call.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, outcome) = oneshot::channel();
        let natives = watch::channel(()).0;
        let input = Arc::new(InputRoom::default());
        let waiting = Waiting {
            answer,
            sink,
            rights,
            streamed: (0, 0),
            untaken: Arc::default(),
            input: Arc::clone(&input),
            natives: Natives {
                above: above.filter(|_| !order.natives.is_empty()),
                alive: natives.clone(),
            },
            speakers: HashMap::new(),
        };
        self.waiting.lock().insert(id, waiting);
        let mut running = RunningCall {
            link: self,
            id,
            outcome,
            input,
            natives,
            done: false,
        };
        let order = Box::new(order);
        // Who ends a cell closes its link and then answers the calls that wait: one that came too
        // late for that answer sees the closed link.
        if !running.link.takes_calls() {
            return Err(running.unsent(order));
        }
        match running.link.messages.try_send(Message::Run(id, order)) {
            Ok(()) => Ok(running),
            Err(TrySendError::Full(Message::Run(_, order))) => {
                // A cell that works reads what it is sent at once; nobody is to wait for this one.
                running.link.stalled.send_replace(true);
                Err(running.unsent(order))
            }
            Err(TrySendError::Closed(Message::Run(_, order))) => Err(running.unsent(order)),
            // What is given back is what was sent.
            Err(_) => Ok(running),
        }
    }

    /// Takes a piece of a call's output.
    ///
    /// # Errors
    /// More than the call may have, in all or before the pieces so far were taken.
    pub(super) fn output(
        &self,
        id: CallId,
        stream: Stream,
        bytes: Vec<u8>,
    ) -> Result<(), WireError> {
        let length = bytes.len() as u64;
        if length == 0 {
            return Err(WireError::Broken(
                "it sends a piece of output without output",
            ));
        }
        let room = room_of(bytes.len());
        let mut waiting = self.waiting.lock();
        let Some(call) = waiting.get_mut(&id) else {
            return Ok(()); // it was cancelled
        };
        if !call.rights.streams {
            return Err(WireError::Broken(
                "it streams the output of a call that keeps it",
            ));
        }
        let left = call.rights.output_left.checked_sub(length);
        call.rights.output_left =
            left.ok_or(WireError::Broken("it sends more output than it may"))?;
        match stream {
            Stream::Stdout => call.streamed.0 += length,
            Stream::Stderr => call.streamed.1 += length,
        }
        if call.untaken.fetch_add(room, Ordering::Relaxed) + room > STREAM_WINDOW_BYTES {
            return Err(WireError::Broken("it sends output that has no room"));
        }
        let room = Room {
            id,
            size: room,
            untaken: Arc::clone(&call.untaken),
            owed: Arc::clone(&self.owed),
        };
        let chunk = Chunk {
            stream,
            bytes,
            _room: Some(room),
        };
        let unread = match &call.sink {
            Some(sink) => sink.send(chunk).err().map(|unsent| unsent.0),
            None => Some(chunk),
        };
        drop(waiting);
        drop(unread); // gives its room back, so that the call goes on to its end
        Ok(())
    }

    /// Tells the cell of room that was given back, as fast as it listens, until it is gone.
    pub(super) async fn give_room(&self) {
        loop {
            self.owed.more.notified().await;
            let owed = std::mem::take(&mut *self.owed.room.lock());
            for (id, size) in owed {
                // To a call that has ended it is worth nothing.
                let lives = self.waiting.lock().contains_key(&id);
                if lives && self.messages.send(Message::Taken(id, size)).await.is_err() {
                    return std::future::pending().await;
                }
            }
        }
    }

    /// Takes a call's outcome.
    ///
    /// # Errors
    /// It holds more than the call may have.
    pub(super) fn ended(&self, id: CallId, mut outcome: Outcome) -> Result<(), WireError> {
        let Some(waiting) = self.waiting.lock().remove(&id) else {
            return Ok(()); // it was cancelled
        };
        let held = waiting.rights.hold(&outcome);
        outcome.streamed_bytes = waiting.streamed;
        let told = if held.is_ok() {
            outcome
        } else {
            cell_died(BROKE_THE_RULES)
        };
        let _gone = waiting.answer.send(Ok(told));
        held
    }

    /// Takes word that a call's order could not be started.
    pub(super) fn failed(&self, id: CallId, mut reason: String) {
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        if let Some(waiting) = self.waiting.lock().remove(&id) {
            let _gone = waiting.answer.send(Err(CellError::Refused(reason)));
        }
    }

    /// Has the cell ended.
    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.closing.borrow()
    }

    /// Neither ended nor given up: who gave it up answers his own call at once, and its end comes later.
    pub(super) fn takes_calls(&self) -> bool {
        !self.is_closed() && !*self.stalled.borrow()
    }

    /// Answers every call that still waits: the cell is dead.
    pub(super) fn died(&self, how: &str) {
        for (_, waiting) in self.waiting.lock().drain() {
            let _gone = waiting.answer.send(Ok(cell_died(how)));
        }
    }
}

impl Rights {
    fn hold(&self, outcome: &Outcome) -> Result<(), WireError> {
        let kept = [&outcome.stdout, &outcome.stderr]
            .map(|captured| captured.head.len().saturating_add(captured.tail.len()) as u64);
        if kept.iter().any(|bytes| *bytes > self.kept_bytes_max) {
            return Err(WireError::Broken("an outcome has more output than it may"));
        }
        if outcome.state.is_some() && !self.keep_state {
            return Err(WireError::Broken(
                "an outcome has a state that none asked for",
            ));
        }
        let paths = &outcome.changed;
        if paths.len() > CHANGED_MAX || paths.iter().any(|p| p.len() > CHANGED_PATH_BYTES_MAX) {
            return Err(WireError::Broken(
                "an outcome names more changes than it may",
            ));
        }
        let denied = &outcome.denied;
        if denied.len() > DENIED_MAX || denied.iter().any(|text| text.len() > DENIED_BYTES_MAX) {
            return Err(WireError::Broken(
                "an outcome names more denials than it may",
            ));
        }
        Ok(())
    }
}

/// The cell ended before it could be sent this order.
#[derive(Debug)]
pub(super) struct CellGone(pub(super) Box<Order>);

/// A call in a cell; dropped before its end, it is cancelled.
#[derive(Debug)]
pub(super) struct RunningCall {
    link: Arc<Link>,
    id: CallId,
    outcome: oneshot::Receiver<Result<Outcome, CellError>>,
    input: Arc<InputRoom>,
    /// Held by every native program of the call.
    natives: watch::Sender<()>,
    done: bool,
}

impl RunningCall {
    /// Gives back the order of a call that the cell knows nothing of.
    fn unsent(&mut self, order: Box<Order>) -> CellGone {
        self.done = true;
        self.link.waiting.lock().remove(&self.id);
        CellGone(order)
    }

    /// Waits for the outcome; may be dropped and asked again.
    pub(super) async fn outcome(&mut self) -> Result<Outcome, CellError> {
        let outcome = (&mut self.outcome).await;
        self.done = true;
        outcome.unwrap_or_else(|_| Ok(cell_died("died")))
    }

    /// Sends what is read from `source` until its end, the call's, or the answer's drop.
    pub(super) fn feed(&self, source: Source) -> Feeding {
        let (link, id, room) = (Arc::clone(&self.link), self.id, Arc::clone(&self.input));
        Feeding::start(source, (link, id), room)
    }

    /// Closed when no native program of the call is left.
    pub(super) fn natives(&self) -> watch::Sender<()> {
        self.natives.clone()
    }

    /// Asks the cell to end the call; its outcome is still to come.
    pub(super) fn cancel(&self) {
        send_soon(&self.link.messages, Message::Cancel(self.id));
    }

    /// Gives the cell up: it does not end its calls.
    pub(super) fn overdue(mut self) -> Outcome {
        self.done = true;
        self.link.stalled.send_replace(true);
        self.link.waiting.lock().remove(&self.id);
        cell_died("did not end it in time, and was ended")
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        if !self.done {
            self.link.waiting.lock().remove(&self.id);
            self.cancel();
        }
    }
}

/// The outcome of a call whose cell ended before it.
pub(super) fn cell_died(how: &str) -> Outcome {
    let text = format!("hotcell: the cell that ran this call {how}; files may be half written\n");
    Outcome::stopped(StoppedBy::Cell, &text)
}

/// Sends a message that must not be lost and cannot be waited for here.
pub(super) fn send_soon(messages: &mpsc::Sender<Message>, message: Message) {
    if let Err(TrySendError::Full(message)) = messages.try_send(message)
        && let Ok(runtime) = tokio::runtime::Handle::try_current()
    {
        let messages = messages.clone();
        runtime.spawn(async move { messages.send(message).await });
    }
}

#[cfg(test)]
mod tests;
