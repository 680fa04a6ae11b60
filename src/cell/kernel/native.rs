//! A process whose program runs outside, in the hands of the broker: this side moves its standard
//! streams and waits for its end.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    future::{pending, poll_fn},
    sync::{Arc, atomic::Ordering},
};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::{Descriptor, Guest, PIPE_BYTES, Pid, Status, launch::say, signal};
use crate::cell::{
    order::{
        CallId, Event, INPUT_WINDOW_BYTES, NATIVE_WINDOW_BYTES, NATIVE_WORDS_MAX, NativeAsk,
        NativeEnd, NativeStatus, Said, Stream, Told, room_of,
    },
    wasi::read_device,
};

/// Exit code of a program that cannot be executed.
const NOT_RUN: u8 = 126;
/// Bytes that are moved at once.
const CHUNK_BYTES: usize = 16 << 10;

/// The native programs of one call.
#[derive(Debug)]
pub struct Natives {
    call: CallId,
    /// What shells call them, and their paths.
    pub names: BTreeMap<String, String>,
    events: mpsc::Sender<Event>,
    running: Mutex<HashMap<Pid, mpsc::UnboundedSender<Told>>>,
}

impl Natives {
    pub fn new(call: CallId, names: BTreeMap<String, String>, events: mpsc::Sender<Event>) -> Self {
        Self {
            call,
            names,
            events,
            running: Mutex::default(),
        }
    }

    /// Hands on what the broker says of a program.
    pub fn take(&self, number: Pid, told: Told) {
        if let Some(process) = self.running.lock().get(&number) {
            // A process that has ended needs nothing more.
            let _ended = process.send(told);
        }
    }

    async fn send(&self, number: Pid, said: Said) {
        // A closed channel means that the broker is gone, and this cell with it.
        let _sent = self
            .events
            .send(Event::Native(self.call, number, said))
            .await;
    }
}

/// Tells the broker that a process is gone, however it went.
struct Running<'a> {
    natives: &'a Natives,
    number: Pid,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.natives.running.lock().remove(&self.number);
        let gone = Event::Native(self.natives.call, self.number, Said::Gone);
        if let Err(mpsc::error::TrySendError::Full(gone)) = self.natives.events.try_send(gone)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let events = self.natives.events.clone();
            runtime.spawn(async move { events.send(gone).await });
        }
    }
}

/// Has the broker run the program at `path`; answers when it ended.
pub async fn run(guest: &Guest, path: &str) -> Status {
    let natives = &guest.call().natives;
    let number = guest.process.pid;
    let Some(ask) = ask(guest, path) else {
        say(
            guest,
            b"hotcell: a native program takes UTF-8 and not so many words\n",
        )
        .await;
        return Status::Exited(NOT_RUN);
    };
    let has_stdin = ask.stdin;
    let (sender, told) = mpsc::unbounded_channel();
    natives.running.lock().insert(number, sender);
    let running = Running { natives, number };
    natives.send(number, Said::Start(Box::new(ask))).await;
    let streams = Streams {
        guest,
        natives,
        number,
        room: Room::default(),
        sent: Mutex::default(),
    };
    let end = tokio::select! {
        end = streams.attend(told) => end,
        end = streams.pass_input(has_stdin) => end,
    };
    drop(running);
    end
}

fn ask(guest: &Guest, path: &str) -> Option<NativeAsk> {
    let words = guest.image.arguments.iter().skip(1);
    let words = words.map(|word| String::from_utf8(word.to_vec()).ok());
    let arguments: Vec<String> = words.collect::<Option<_>>()?;
    if arguments.len() > NATIVE_WORDS_MAX {
        return None;
    }
    let stdin = guest
        .descriptors
        .get(0)
        .is_ok_and(|descriptor| !matches!(descriptor, Descriptor::Device(super::Device::Null)));
    Some(NativeAsk {
        program: path.to_owned(),
        arguments,
        cwd: String::from_utf8(guest.image.cwd.clone()).ok()?,
        stdin,
        joined: same(guest),
    })
}

/// Whether standard error is standard output.
fn same(guest: &Guest) -> bool {
    match (guest.descriptors.get(1), guest.descriptors.get(2)) {
        (Ok(Descriptor::Writer(one)), Ok(Descriptor::Writer(two))) => Arc::ptr_eq(one, two),
        (Ok(Descriptor::Output(one)), Ok(Descriptor::Output(two))) => Arc::ptr_eq(one, two),
        (Ok(Descriptor::File(one)), Ok(Descriptor::File(two))) => Arc::ptr_eq(one, two),
        _ => false,
    }
}

/// Room that the broker has for input.
struct Room {
    bytes: std::sync::atomic::AtomicU64,
    more: Notify,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: NATIVE_WINDOW_BYTES.into(),
            more: Notify::new(),
        }
    }
}

struct Streams<'a> {
    guest: &'a Guest,
    natives: &'a Natives,
    number: Pid,
    room: Room,
    sent: Mutex<Sent>,
}

/// Input that was sent.
#[derive(Default)]
struct Sent {
    total: u64,
    /// The last of it.
    last: VecDeque<u8>,
}

impl Streams<'_> {
    /// Takes what the broker says until the program's end. Each stream waits for its own reader.
    async fn attend(&self, mut told: mpsc::UnboundedReceiver<Told>) -> Status {
        let (to_out, out) = mpsc::unbounded_channel();
        let (to_err, err) = mpsc::unbounded_channel();
        let sort = async move {
            while let Some(told) = told.recv().await {
                match told {
                    // Bounded: the broker sends no more than its window before it is taken.
                    Told::Output(Stream::Stdout, bytes) => drop(to_out.send(bytes)),
                    Told::Output(Stream::Stderr, bytes) => drop(to_err.send(bytes)),
                    Told::Wants(bytes) => {
                        self.room.bytes.fetch_add(bytes, Ordering::SeqCst);
                        self.room.more.notify_one();
                    }
                    Told::Ended(end) => return Some(end),
                }
            }
            None
        };
        let written = self.write_out(Stream::Stdout, out);
        let complained = self.write_out(Stream::Stderr, err);
        // All output is written before the end is told.
        let (end, (), ()) = tokio::join!(sort, written, complained);
        match end {
            Some(end) => self.ended(*end).await,
            None => Status::Signaled(signal::KILL),
        }
    }

    async fn ended(&self, end: NativeEnd) -> Status {
        let call = self.guest.call();
        call.mounts.hold(end.grown);
        call.note_written(end.written);
        let unread = self.last_unread(end.read);
        // For whoever reads next, as if it had never been taken.
        match self.guest.descriptors.get(0) {
            Ok(Descriptor::Reader(pipe)) => pipe.give_back(&unread),
            Ok(Descriptor::Input(input)) => input.give_back(unread.len()),
            Ok(Descriptor::File(file)) => file.step_back(unread.len()),
            _ => {}
        }
        if !end.said.is_empty() {
            say(self.guest, end.said.as_bytes()).await;
        }
        match end.status {
            NativeStatus::Exited(code) => Status::Exited(code),
            NativeStatus::Signaled(signal) => Status::Signaled(signal),
        }
    }

    async fn write_out(&self, stream: Stream, mut pieces: mpsc::UnboundedReceiver<Vec<u8>>) {
        let number = match stream {
            Stream::Stdout => 1,
            Stream::Stderr => 2,
        };
        let mut open = true;
        while let Some(bytes) = pieces.recv().await {
            if open && !self.write(number, &bytes).await {
                open = false;
                self.natives.send(self.number, Said::Closed(stream)).await;
            }
            let room = room_of(bytes.len());
            self.natives
                .send(self.number, Said::Taken(stream, room))
                .await;
        }
    }

    /// Writes all of it; false when nobody reads it any more.
    async fn write(&self, number: u32, bytes: &[u8]) -> bool {
        match self.guest.descriptors.get(number) {
            Ok(Descriptor::Output(output)) => {
                self.guest.call().count_output(bytes.len() as u64);
                output.write(bytes).await;
                true
            }
            Ok(Descriptor::Writer(pipe)) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    match poll_fn(|cx| pipe.poll_write(cx, rest)).await {
                        Ok(wrote) => rest = rest.get(wrote..).unwrap_or_default(),
                        Err(_) => return false,
                    }
                }
                true
            }
            Ok(Descriptor::File(file)) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    match file.write(rest, None) {
                        Ok(wrote @ 1..) => rest = rest.get(wrote..).unwrap_or_default(),
                        Ok(0) | Err(_) => return false,
                    }
                }
                true
            }
            Ok(Descriptor::Device(_)) => true,
            Ok(Descriptor::Reader(_) | Descriptor::Input(_) | Descriptor::Directory(_))
            | Err(_) => false,
        }
    }

    /// Sends standard input, as far as the program takes it; the program's end ends this.
    async fn pass_input(&self, has_stdin: bool) -> Status {
        if !has_stdin {
            return pending().await;
        }
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let room = self.room.bytes.load(Ordering::SeqCst);
            let room = room.saturating_sub(room_of(0));
            if room == 0 {
                self.room.more.notified().await;
                continue;
            }
            let most = usize::try_from(room)
                .unwrap_or(CHUNK_BYTES)
                .min(CHUNK_BYTES);
            let place = buffer.get_mut(..most).unwrap_or_default();
            let got = self.read(place).await;
            if got == 0 {
                self.natives.send(self.number, Said::InputEnd).await;
                return pending().await;
            }
            self.room.bytes.fetch_sub(room_of(got), Ordering::SeqCst);
            let bytes = buffer.get(..got).unwrap_or_default().to_vec();
            self.remember(&bytes);
            self.natives.send(self.number, Said::Input(bytes)).await;
        }
    }

    /// What was sent beyond the first so many bytes.
    fn last_unread(&self, read: u64) -> Vec<u8> {
        let sent = self.sent.lock();
        let bytes = usize::try_from(sent.total.saturating_sub(read)).unwrap_or(usize::MAX);
        let last = &sent.last;
        let first = last.len().saturating_sub(bytes);
        last.range(first..).copied().collect()
    }

    /// Keeps the end of what was sent, as far as the broker may hold it unread.
    fn remember(&self, bytes: &[u8]) {
        let mut sent = self.sent.lock();
        sent.total += bytes.len() as u64;
        let sent = &mut sent.last;
        sent.extend(bytes);
        // In the two windows a tool's input goes through, and in the pipe between them.
        let windows = NATIVE_WINDOW_BYTES + INPUT_WINDOW_BYTES;
        let unread_max = usize::try_from(windows).unwrap_or(usize::MAX) + PIPE_BYTES;
        let over = sent.len().saturating_sub(unread_max);
        sent.drain(..over);
    }

    async fn read(&self, buffer: &mut [u8]) -> usize {
        match self.guest.descriptors.get(0) {
            Ok(Descriptor::Reader(pipe)) => poll_fn(|cx| pipe.poll_read(cx, buffer)).await,
            Ok(Descriptor::Input(input)) => input.read(buffer),
            Ok(Descriptor::File(file)) => file.read(buffer, None).unwrap_or(0),
            Ok(Descriptor::Device(device)) => read_device(*device, buffer).unwrap_or(0),
            Ok(Descriptor::Writer(_) | Descriptor::Output(_) | Descriptor::Directory(_))
            | Err(_) => 0,
        }
    }
}
