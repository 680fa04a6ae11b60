//! A sealed cell at work: its events are taken until it ends, and then every call in it is told so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::UnixStream,
    sync::{mpsc, watch},
};

use super::{
    link::{BROKE_THE_RULES, Link, MESSAGES_MAX},
    order::{EVENT_BYTES_MAX, Event, Message},
    socket::{Receiver, halves},
    starter::Fresh,
    wire::{FrameReader, WireError, write_frames},
};
use crate::confinement::{group::Group, launch::Child};

/// Longest wait for a cell to end once its socket is closed.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// Takes a cell's events until it ends, and counts one that was not told to; `alive` is dropped when nothing of it is left.
pub(super) fn attend(fresh: Fresh, alive: watch::Receiver<()>, died: Arc<AtomicU64>) -> Arc<Link> {
    let (messages, queue) = mpsc::channel(MESSAGES_MAX);
    let link = Link::new(messages);
    let Fresh {
        child,
        group,
        socket,
    } = fresh;
    let attended = Arc::clone(&link);
    tokio::spawn(async move {
        if !serve(&attended, socket, queue, (child, group)).await {
            died.fetch_add(1, Ordering::Relaxed);
        }
        drop(alive);
    });
    link
}

/// Answers whether the cell was told to end.
async fn serve(
    link: &Arc<Link>,
    socket: UnixStream,
    queue: mpsc::Receiver<Message>,
    (mut child, group): (Child, Option<Group>),
) -> bool {
    let Ok((from_cell, to_cell)) = socket.into_std().and_then(halves) else {
        link.close();
        link.died("could not be listened to");
        return false;
    };
    let mut writer = tokio::spawn(write_frames(to_cell, queue));
    let mut frames = FrameReader::limited(from_cell, EVENT_BYTES_MAX);
    let mut closing = link.closing.subscribe();
    let mut stalled = link.stalled.subscribe();
    let result = tokio::select! {
        taken = take(link, &mut frames) => taken,
        () = link.give_room() => Ok(()),
        // An order that cannot be sent must not be waited for.
        written = &mut writer => written.unwrap_or(Ok(())),
        // What ended of itself while its socket is held open by nobody.
        ended = child.ended() => ended.map_err(WireError::Io),
        _ = stalled.wait_for(|stalled| *stalled) => Err(WireError::Broken("its calls do not end")),
        _ = closing.wait_for(|closing| *closing) => Ok(()),
    };
    let told = result.is_ok() && link.is_closed();
    let broke = result.as_ref().is_err_and(breaks_the_rules);
    // From here on new calls of its session get another cell.
    link.close();
    writer.abort();
    drop(frames);
    // A cell that broke a rule, or has no socket any more, is not asked to end.
    let patience = if result.is_ok() {
        STOP_WAIT
    } else {
        Duration::ZERO
    };
    let ended = tokio::time::timeout(patience, child.ended()).await;
    if ended.is_err() {
        child.kill();
        let _ended = tokio::time::timeout(STOP_WAIT, child.ended()).await;
    }
    // Asked first: a cell that the kernel kills may leave half a frame, or bytes of ours unread.
    let reason = match &result {
        _ if group.as_ref().is_some_and(Group::ran_out_of_memory) => {
            tracing::warn!("a cell ran out of memory");
            "ran out of memory"
        }
        Err(error) if broke => {
            tracing::error!(%error, "a cell broke the protocol and was ended");
            BROKE_THE_RULES
        }
        Err(error) => {
            tracing::warn!(%error, "a cell's socket failed");
            "died"
        }
        Ok(()) => "died",
    };
    link.died(reason);
    drop(group);
    told
}

/// A socket that fails is how a death looks from outside, when bytes of ours were never read.
fn breaks_the_rules(error: &WireError) -> bool {
    match error {
        WireError::Broken(_) | WireError::TooLarge(_) | WireError::Decode(_) => true,
        WireError::Io(_) => false,
    }
}

async fn take(link: &Arc<Link>, frames: &mut FrameReader<Receiver>) -> Result<(), WireError> {
    while let Some(event) = frames.next().await? {
        match event {
            Event::Output(id, stream, bytes) => link.output(id, stream, bytes)?,
            Event::Native(id, number, said) => link.native(id, number, said)?,
            Event::Wants(id, room) => link.wants(id, room)?,
            Event::Ended(id, outcome) => link.ended(id, *outcome)?,
            Event::Failed(id, reason) => link.failed(id, reason),
            Event::Waiting
            | Event::Sealed { .. }
            | Event::Unsealed(_)
            | Event::Attacked(_)
            | Event::Compiled(_) => {
                return Err(WireError::Broken("it says again that it has begun"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{IoSlice, Write as _},
        mem::MaybeUninit,
        os::fd::{AsFd as _, OwnedFd},
    };

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::cell::{
        link::Chunk, link::cell_died, order::Order, order::Stream, wire::push_frame,
    };
    use crate::confinement::{
        Plan,
        launch::{Launcher, Leads, Program},
    };
    use crate::outcome::StoppedBy;

    /// A process that runs nothing of ours, whose socket the test speaks for.
    async fn hostile(launcher: &Launcher) -> (Fresh, UnixStream) {
        let program = Program {
            executable: OwnedFd::from(File::open("/bin/sleep").unwrap()),
            arguments: vec![c"sleep".into(), c"60".into()],
            environment: Vec::new(),
            descriptors: Vec::new(),
            leads: Leads::Group,
            plan: Plan {
                namespaces: false,
                network: false,
                groups: false,
                ..Plan::FULL
            },
        };
        let child = launcher.launch(program).await.unwrap();
        let (socket, theirs) = UnixStream::pair().unwrap();
        let group = None;
        let fresh = Fresh {
            child,
            group,
            socket,
        };
        (fresh, theirs)
    }

    fn streamed() -> Order {
        Order {
            stream: true,
            ..Order::default()
        }
    }

    fn frame(event: &Event) -> Vec<u8> {
        let mut bytes = Vec::new();
        push_frame(&mut bytes, event).unwrap();
        bytes
    }

    fn lies() -> Vec<(&'static str, Vec<u8>)> {
        let stays_root = false;
        let piece = Event::Output(1, Stream::Stdout, vec![b'x'; 1 << 16]);
        let half = frame(&piece).into_iter().take(100).collect();
        let unknown = frame(&Event::Failed(9, "none such".to_owned()));
        vec![
            ("a length past all limits", vec![0xff; 64]),
            (
                "a frame of garbage",
                [&[9, 0, 0, 0][..], &[0xee; 9]].concat(),
            ),
            ("an empty frame", vec![0; 4]),
            ("up again", frame(&Event::Waiting)),
            ("sealed again", frame(&Event::Sealed { stays_root })),
            ("not sealed", frame(&Event::Unsealed("x".repeat(1 << 20)))),
            (
                "an attack nobody ordered",
                frame(&Event::Attacked(Vec::new())),
            ),
            ("half a frame, and the end", half),
            ("a flood of output", frame(&piece).repeat(64)),
            ("calls that are not there", unknown.repeat(10_000)),
            ("nothing, and the end", Vec::new()),
        ]
    }

    #[tokio::test]
    async fn a_cell_that_lies_is_ended_and_its_call_told_so() {
        let launcher = Launcher::start().unwrap();
        for (lie, bytes) in lies() {
            let (fresh, mut theirs) = hostile(&launcher).await;
            let process = fresh.child.pid.as_raw_nonzero();
            let (alive, died) = (watch::channel(()).0, Arc::new(AtomicU64::new(0)));
            let link = attend(fresh, alive.subscribe(), Arc::clone(&died));
            let (sink, _unread) = mpsc::unbounded_channel::<Chunk>();
            let call = Arc::clone(&link).begin(streamed(), Some(sink), None);
            let mut call = call.unwrap();
            // The broker may stop listening before all of it is said.
            let _cut_off = theirs.write_all(&bytes).await;
            drop(theirs);
            let soon = Duration::from_secs(10);
            let outcome = tokio::time::timeout(soon, call.outcome()).await;
            let outcome = outcome.unwrap_or_else(|_| panic!("{lie}: no answer"));
            let by = outcome.unwrap().stopped_by;
            assert_eq!(by, Some(StoppedBy::Cell), "{lie}");
            assert!(link.is_closed(), "{lie}");
            tokio::time::timeout(soon, alive.closed()).await.unwrap();
            assert_eq!(died.load(Ordering::Relaxed), 1, "{lie}");
            let left = std::path::Path::new("/proc").join(process.to_string());
            assert!(!left.exists(), "{lie}: the process is left");
        }
    }

    #[tokio::test]
    async fn a_cell_that_was_given_up_gets_no_call_before_it_is_ended() {
        let launcher = Launcher::start().unwrap();
        let (fresh, _theirs) = hostile(&launcher).await;
        let link = attend(fresh, watch::channel(()).0.subscribe(), Arc::default());
        let begin = || Arc::clone(&link).begin(Order::default(), None, None);
        let call = begin().unwrap();
        assert!(begin().is_ok());
        // Nothing waits in between, so nobody has ended it yet.
        assert_eq!(call.overdue().stopped_by, Some(StoppedBy::Cell));
        assert!(!link.is_closed());
        assert!(begin().is_err());
    }

    #[tokio::test]
    async fn a_cell_that_dies_with_unread_orders_is_not_said_to_have_broken_a_rule() {
        let launcher = Launcher::start().unwrap();
        let (fresh, theirs) = hostile(&launcher).await;
        let process = fresh.child.pid;
        let link = attend(fresh, watch::channel(()).0.subscribe(), Arc::default());
        let mut call = Arc::clone(&link)
            .begin(Order::default(), None, None)
            .unwrap();
        theirs.readable().await.unwrap();
        drop(theirs);
        rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
        let outcome = call.outcome().await.unwrap();
        assert_eq!(outcome, cell_died("died"));
    }

    /// As many as the kernel takes with one message.
    const PASSED_AT_ONCE: usize = 253;

    /// Sends bytes with descriptors, each as often as there is room.
    fn pass(socket: &std::os::unix::net::UnixStream, bytes: &[u8], given: &[&OwnedFd]) {
        let borrowed = given.iter().cycle().map(|descriptor| descriptor.as_fd());
        let borrowed: Vec<_> = borrowed.take(PASSED_AT_ONCE).collect();
        let space = rustix::cmsg_space!(ScmRights(PASSED_AT_ONCE));
        let mut room = vec![MaybeUninit::uninit(); space];
        let mut ancillary = SendAncillaryBuffer::new(&mut room);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&borrowed)));
        let bytes = [IoSlice::new(bytes)];
        sendmsg(socket, &bytes, &mut ancillary, SendFlags::empty()).unwrap();
    }

    /// What this process has open that is called so.
    fn open_here(mark: &str) -> usize {
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let names = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        names
            .filter(|name| name.to_string_lossy().contains(mark))
            .count()
    }

    /// Passes descriptors along with each of these, and asks what came of the cell's one call; in
    /// the end nobody may have one of them.
    async fn passed(launcher: &Launcher, messages: &[&[u8]]) -> (Option<StoppedBy>, bool) {
        let (fresh, theirs) = hostile(launcher).await;
        let theirs = theirs.into_std().unwrap();
        theirs.set_nonblocking(false).unwrap();
        let link = attend(fresh, watch::channel(()).0.subscribe(), Arc::default());
        let (sink, _unread) = mpsc::unbounded_channel::<Chunk>();
        let call = Arc::clone(&link).begin(streamed(), Some(sink), None);
        let mut call = call.unwrap();

        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().file_name().unwrap().to_str().unwrap();
        let (pipe, writer) = std::io::pipe().unwrap();
        let (socket, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let own: [OwnedFd; 5] = [
            File::open(folder.path()).unwrap().into(),
            File::create(folder.path().join("file")).unwrap().into(),
            File::open("/dev/null").unwrap().into(),
            writer.into(),
            far.into(),
        ];
        for bytes in messages {
            pass(&theirs, bytes, &own.each_ref());
        }
        // A read ends where descriptors came along, so the rest may wait for the next bytes; only the
        // calls of that cell wait with it.
        let nothing = frame(&Event::Failed(9, "none such".to_owned()));
        let mut outcome = None;
        for _ in 0..1_000 {
            let _cut_off = (&theirs).write_all(&nothing);
            let soon = Duration::from_millis(10);
            outcome = tokio::time::timeout(soon, call.outcome()).await.ok();
            if outcome.is_some() {
                break;
            }
        }
        let lives = !link.is_closed();
        assert_eq!(open_here(mark), 2, "the test's own are found");
        drop(own);
        assert_eq!(open_here(mark), 0);
        // The other ends say so when nobody has one any more.
        for end in [pipe.as_fd(), socket.as_fd()] {
            let mut end = [PollFd::new(&end, PollFlags::IN)];
            let soon = Timespec {
                tv_sec: 10,
                tv_nsec: 0,
            };
            poll(&mut end, Some(&soon)).unwrap();
            let [end] = end;
            assert!(end.revents().contains(PollFlags::HUP), "{end:?}");
        }
        (outcome.unwrap().unwrap().stopped_by, lives)
    }

    #[tokio::test]
    async fn descriptors_that_a_cell_passes_are_not_taken() {
        let launcher = Launcher::start().unwrap();
        // With a whole frame, with each half of one, and with the one that ends the call.
        let piece = frame(&Event::Output(1, Stream::Stdout, vec![b'x'; 64]));
        let end = frame(&Event::Ended(1, Box::default()));
        let (before, after) = piece.split_at(piece.len() / 2);
        let truth = [&piece, before, after, &end];
        assert_eq!(passed(&launcher, &truth).await, (None, true));
        let lie = [&piece[..], &[0xee; 64]];
        let ended = (Some(StoppedBy::Cell), false);
        assert_eq!(passed(&launcher, &lie).await, ended);
    }
}
