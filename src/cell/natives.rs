//! The broker's side of native programs: what a guest asks for goes to the floors above, and what
//! the program reads and writes goes through here, as far as the guest has room for it.

use std::{
    collections::VecDeque,
    fmt, io,
    os::fd::OwnedFd,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::io::ioctl_fionread;
use tokio::{
    net::unix::pipe,
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot, watch,
    },
};

use super::{
    link::{Link, send_soon},
    order::{
        CallId, Message, NATIVE_SAID_MAX, NATIVE_WINDOW_BYTES, NATIVES_MAX, NativeAsk, NativeEnd,
        NativeStatus, Said, Stream, Told, room_of,
    },
    wire::WireError,
};

/// Exit code of a program that was not run.
const NOT_RUN: u8 = 126;
/// Bytes read from a program at once.
const CHUNK_BYTES: usize = 16 << 10;

/// What guests of a call may ask of the floors above.
pub trait Above: fmt::Debug + Send + Sync {
    /// Starts a native program, or answers what to tell whoever asked. Untrusted in all it says.
    fn native(
        self: Arc<Self>,
        ask: NativeAsk,
    ) -> Pin<Box<dyn Future<Output = Result<Native, String>> + Send>>;
}

/// A native program that runs. Dropping `signals` ends it.
#[derive(Debug)]
pub struct Native {
    /// Where it reads from: both ends, so that what was not read is known; none for nothing.
    pub stdin: Option<(OwnedFd, OwnedFd)>,
    pub stdout: OwnedFd,
    /// Nothing when it is the same as `stdout`.
    pub stderr: Option<OwnedFd>,
    pub signals: mpsc::UnboundedSender<i32>,
    /// Told when nothing of it is left and its end is recorded.
    pub ended: oneshot::Receiver<NativeEnd>,
}

/// The programs of one call that run.
#[derive(Debug)]
pub(super) struct Natives {
    pub(super) above: Option<Arc<dyn Above>>,
    /// Held by every one of them.
    pub(super) alive: watch::Sender<()>,
}

/// One of them, as the cell speaks to it.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) said: mpsc::Sender<Said>,
    /// Bytes of input that may still come.
    pub(super) input_left: Arc<AtomicU64>,
}

impl Link {
    /// Takes what a cell says of a native program.
    ///
    /// # Errors
    /// It says what it may not.
    pub(super) fn native(
        self: &Arc<Self>,
        id: CallId,
        number: u32,
        said: Said,
    ) -> Result<(), WireError> {
        let mut waiting = self.waiting.lock();
        let Some(call) = waiting.get_mut(&id) else {
            return Ok(()); // it was cancelled
        };
        let Said::Start(ask) = said else {
            let Some(speaker) = call.speakers.get(&number) else {
                return Ok(()); // it has ended
            };
            if let Said::Input(bytes) = &said {
                let take = |left: u64| left.checked_sub(room_of(bytes.len()));
                let left = &speaker.input_left;
                left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                    .map_err(|_| WireError::Broken("it sends input that has no room"))?;
            }
            return match speaker.said.try_send(said) {
                // One that has just ended hears nothing.
                Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
                Err(TrySendError::Full(_)) => Err(WireError::Broken(
                    "it says more of a native program than there is to say",
                )),
            };
        };
        let above = call.natives.above.clone();
        let above = above.ok_or(WireError::Broken("it starts a native program for nobody"))?;
        if call.speakers.contains_key(&number) {
            return Err(WireError::Broken("it starts a native program twice"));
        }
        if call.speakers.len() >= NATIVES_MAX {
            let text = format!("hotcell: more than {NATIVES_MAX} native programs at once\n");
            let end = Told::Ended(Box::new(refused(text)));
            send_soon(&self.messages, Message::Native(id, number, end));
            return Ok(());
        }
        let (speaker, said) = mpsc::channel(NATIVE_SAID_MAX);
        let input_left = Arc::new(AtomicU64::new(NATIVE_WINDOW_BYTES));
        let to = To {
            link: Arc::clone(self),
            call: id,
            number,
            input_left: Arc::clone(&input_left),
        };
        let speaker = Speaker {
            said: speaker,
            input_left,
        };
        call.speakers.insert(number, speaker);
        let alive = call.natives.alive.subscribe();
        tokio::spawn(attend(to, (above, *ask), said, alive));
        Ok(())
    }

    /// A native program has ended: its number is free.
    pub(super) fn native_ended(&self, id: CallId, number: u32) {
        if let Some(call) = self.waiting.lock().get_mut(&id) {
            call.speakers.remove(&number);
        }
    }
}

/// What a program that was not run ends with.
pub(super) fn refused(said: String) -> NativeEnd {
    NativeEnd {
        status: NativeStatus::Exited(NOT_RUN),
        said,
        ..NativeEnd::default()
    }
}

/// Where a program's words go.
pub(super) struct To {
    pub(super) link: Arc<Link>,
    pub(super) call: CallId,
    pub(super) number: u32,
    pub(super) input_left: Arc<AtomicU64>,
}

impl To {
    async fn tell(&self, told: Told) {
        let message = Message::Native(self.call, self.number, told);
        // A closed channel means that the cell is gone, and its calls with it.
        let _gone = self.link.messages.send(message).await;
    }
}

/// Runs one program from its start to its end.
pub(super) async fn attend(
    to: To,
    (above, ask): (Arc<dyn Above>, NativeAsk),
    mut said: mpsc::Receiver<Said>,
    alive: watch::Receiver<()>,
) {
    let mut early = Vec::new();
    let mut starting = std::pin::pin!(above.native(ask));
    let started = loop {
        tokio::select! {
            started = &mut starting => break Some(started),
            // Bounded: no more comes than fits the queue and the window.
            word = said.recv() => match word {
                Some(Said::Gone) | None => break None,
                Some(word) => early.push(word),
            },
        }
    };
    let end = match started {
        Some(Ok(native)) => match Pumping::new(native, said) {
            Ok(mut pumping) => {
                early.into_iter().for_each(|word| pumping.take(Some(word)));
                pumping.run(&to).await
            }
            Err(error) => refused(format!("hotcell: the program's pipes fail ({error})\n")),
        },
        Some(Err(text)) => refused(text),
        None => NativeEnd::default(),
    };
    to.link.native_ended(to.call, to.number);
    to.tell(Told::Ended(Box::new(end))).await;
    drop(alive);
}

/// One stream of a program's output.
#[derive(Debug)]
struct Outlet {
    stream: Stream,
    pipe: Option<pipe::Receiver>,
    room: u64,
}

impl Outlet {
    fn new(stream: Stream, pipe: Option<OwnedFd>) -> io::Result<Self> {
        Ok(Self {
            stream,
            pipe: pipe.map(pipe::Receiver::from_owned_fd).transpose()?,
            room: NATIVE_WINDOW_BYTES,
        })
    }

    /// The next piece; nothing at its end. Waits for ever without room or pipe.
    async fn read(&mut self) -> Vec<u8> {
        let room = self.room.saturating_sub(room_of(0));
        let Some(pipe) = self.pipe.as_ref().filter(|_| room > 0) else {
            return std::future::pending().await;
        };
        loop {
            if pipe.readable().await.is_err() {
                return Vec::new();
            }
            let most = usize::try_from(room)
                .unwrap_or(CHUNK_BYTES)
                .min(CHUNK_BYTES);
            let mut bytes = vec![0; most];
            match pipe.try_read(&mut bytes) {
                Ok(count) => {
                    bytes.truncate(count);
                    return bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Vec::new(),
            }
        }
    }

    async fn pass(&mut self, bytes: Vec<u8>, to: &To) {
        if bytes.is_empty() {
            self.pipe = None;
            return;
        }
        self.room = self.room.saturating_sub(room_of(bytes.len()));
        to.tell(Told::Output(self.stream, bytes)).await;
    }

    fn taken(&mut self, bytes: u64) {
        self.room = self.room.saturating_add(bytes).min(NATIVE_WINDOW_BYTES);
    }
}

/// A program's input.
#[derive(Debug)]
struct Inlet {
    pipe: Option<pipe::Sender>,
    /// The reading end, to ask what is left in it.
    far: Option<OwnedFd>,
    queue: VecDeque<Vec<u8>>,
    /// Bytes of all pieces so far.
    received: u64,
    /// Bytes of the first piece that were written.
    written: usize,
    ends: bool,
}

impl Inlet {
    /// Writes the first piece that waits; answers the room it took.
    async fn write(&mut self) -> u64 {
        let Some(pipe) = self.pipe.as_ref().filter(|_| !self.queue.is_empty()) else {
            return std::future::pending().await;
        };
        loop {
            if pipe.writable().await.is_err() {
                return std::future::pending().await;
            }
            let Some(piece) = self.queue.front() else {
                return 0;
            };
            match pipe.try_write(piece.get(self.written..).unwrap_or_default()) {
                Ok(count) => {
                    self.written += count;
                    if self.written < piece.len() {
                        continue;
                    }
                    let room = room_of(piece.len());
                    self.written = 0;
                    self.queue.pop_front();
                    return room;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Nobody reads it any more; what is here counts as unread.
                Err(_) => return std::future::pending().await,
            }
        }
    }

    fn end_if_empty(&mut self) {
        if self.ends && self.queue.is_empty() {
            self.pipe = None;
        }
    }

    /// Bytes that the program never read.
    fn unread(&self) -> u64 {
        let waiting: usize = self.queue.iter().map(Vec::len).sum();
        let in_pipe = self.far.as_ref().and_then(|far| ioctl_fionread(far).ok());
        (waiting - self.written) as u64 + in_pipe.unwrap_or(0)
    }
}

struct Pumping {
    inlet: Inlet,
    outlets: [Outlet; 2],
    signals: Option<mpsc::UnboundedSender<i32>>,
    ended: oneshot::Receiver<NativeEnd>,
    said: mpsc::Receiver<Said>,
}

impl Pumping {
    fn new(native: Native, said: mpsc::Receiver<Said>) -> io::Result<Self> {
        let (near, far) = native.stdin.unzip();
        Ok(Self {
            inlet: Inlet {
                pipe: near.map(pipe::Sender::from_owned_fd).transpose()?,
                far,
                queue: VecDeque::new(),
                received: 0,
                written: 0,
                ends: false,
            },
            outlets: [
                Outlet::new(Stream::Stdout, Some(native.stdout))?,
                Outlet::new(Stream::Stderr, native.stderr)?,
            ],
            signals: Some(native.signals),
            ended: native.ended,
            said,
        })
    }

    async fn run(mut self, to: &To) -> NativeEnd {
        let mut end = None;
        loop {
            let [out, err] = &mut self.outlets;
            if let Some(end) = end.take_if(|_| out.pipe.is_none() && err.pipe.is_none()) {
                let mut end: NativeEnd = end;
                let unread = end.unread.saturating_add(self.inlet.unread());
                end.read = self.inlet.received.saturating_sub(unread);
                return end;
            }
            tokio::select! {
                bytes = out.read() => out.pass(bytes, to).await,
                bytes = err.read() => err.pass(bytes, to).await,
                count = self.inlet.write() => {
                    to.input_left.fetch_add(count, Ordering::SeqCst);
                    to.tell(Told::Wants(count)).await;
                    self.inlet.end_if_empty();
                }
                ended = &mut self.ended, if end.is_none() => {
                    end = Some(ended.unwrap_or_else(|_| {
                        refused("hotcell: the native program was lost\n".to_owned())
                    }));
                }
                said = self.said.recv(), if self.signals.is_some() => self.take(said),
            }
        }
    }

    fn take(&mut self, said: Option<Said>) {
        match said {
            Some(Said::Input(bytes)) => {
                self.inlet.received += bytes.len() as u64;
                self.inlet.queue.push_back(bytes);
            }
            Some(Said::InputEnd) => {
                self.inlet.ends = true;
                self.inlet.end_if_empty();
            }
            Some(Said::Taken(stream, bytes)) => self.outlet(stream).taken(bytes),
            Some(Said::Closed(stream)) => self.outlet(stream).pipe = None,
            Some(Said::Signal(number)) => {
                if let Some(signals) = &self.signals {
                    // It may have ended just now.
                    let _ended = signals.send(number);
                }
            }
            // Its process in the cell is gone, or the call is: so is it.
            Some(Said::Gone | Said::Start(_)) | None => {
                self.signals = None;
                // What still waits for input sees its end.
                self.inlet.pipe = None;
                for outlet in &mut self.outlets {
                    outlet.pipe = None;
                }
            }
        }
    }

    fn outlet(&mut self, stream: Stream) -> &mut Outlet {
        let [out, err] = &mut self.outlets;
        match stream {
            Stream::Stdout => out,
            Stream::Stderr => err,
        }
    }
}
