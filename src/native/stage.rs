//! The process that starts one native program: it encloses itself, is the first process of its pid
//! namespace, starts the program as its child, waits for whatever ends, and tells how that ended.
//! When it ends the kernel ends everything that is left.
#![expect(
    unsafe_code,
    reason = "fork, exec and signal descriptors have no safe form"
)]

use std::ffi::CString;
use std::fs::File;
use std::io::{self, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

use crate::confinement::enclose::{Terms, enclose, last_walls};
use crate::confinement::probe::Wall;
use crate::frame::{push_frame, read_frame};
use crate::native::order::{
    ASSIGNMENT_BYTES_MAX, Assignment, Ended, REPORT_BYTES_MAX, Report, Start, Status, Word,
};
use crate::native::pin;

/// The number under which the process finds its socket.
pub(super) const SOCKET_NUMBER: RawFd = 3;
/// The number under which it finds the user namespace that maps root.
pub(super) const OWNER_MAP_NUMBER: RawFd = 4;

/// Bytes of a set of signals, as the kernel has it (rt_sigaction(2)).
const SIGNAL_SET_BYTES: usize = 8;

/// Starts one native program as the broker says, and reports how it ended.
///
/// # Errors
/// The broker is gone, or breaks the protocol.
pub fn stage_main(has_owner_map: bool) -> anyhow::Result<()> {
    let mut socket = UnixStream::from(owned(SOCKET_NUMBER));
    let map = has_owner_map.then(|| owned(OWNER_MAP_NUMBER));
    let Some(stdio) = given(&socket)? else {
        return Ok(()); // not needed
    };
    let Some(assignment) = read_frame::<Assignment>(&mut socket, ASSIGNMENT_BYTES_MAX)? else {
        return Ok(()); // not needed
    };
    let report = match begin(&assignment, map, stdio) {
        Ok((child, signals)) => {
            tell(&mut socket, &Report::Started)?;
            attend(&mut socket, child, signals)?
        }
        Err(error) => Some(Report::Refused(format!("{error:#}"))),
    };
    if let Some(report) = report {
        tell(&mut socket, &report)?;
    }
    Ok(())
}

fn owned(number: RawFd) -> OwnedFd {
    // SAFETY: the lane gives this process these numbers, and nothing else here owns them.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// The program's standard descriptors; nothing when the broker has gone.
fn given(socket: &UnixStream) -> anyhow::Result<Option<[OwnedFd; 3]>> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut room);
    let mut byte = [0];
    let mut bytes = [IoSliceMut::new(&mut byte)];
    let read = recvmsg(socket, &mut bytes, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if read.bytes == 0 {
        return Ok(None);
    }
    let mut stdio = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            stdio.extend(descriptors);
        }
    }
    let stdio = stdio.try_into();
    stdio
        .map(Some)
        .map_err(|_| anyhow::anyhow!("not three descriptors came"))
}

fn tell(socket: &mut UnixStream, report: &Report) -> anyhow::Result<()> {
    let mut frame = Vec::new();
    push_frame(&mut frame, report)?;
    anyhow::ensure!(frame.len() <= REPORT_BYTES_MAX, "a report is too long");
    Ok(socket.write_all(&frame)?)
}

/// Encloses this process and starts the program; answers once it runs.
fn begin(
    assignment: &Assignment,
    map: Option<OwnedFd>,
    stdio: [OwnedFd; 3],
) -> anyhow::Result<(Pid, OwnedFd)> {
    enclose(&assignment.terms, map)?;
    let keeps = |wall| assignment.terms.plan.left_out.keeps(wall);
    let folders = assignment.start.folders.iter();
    // Where a test leaves the root out, they would be the host's.
    for folder in folders.filter(|_| keeps(Wall::Root)) {
        std::fs::create_dir(folder)?;
    }
    let words = Words::of(&assignment.start)?;
    let signals = ended_children()?;
    let (mut failure, told) = io::pipe()?;
    // SAFETY: this process has one thread, so the child may do what it likes.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error().into()),
        0 => {
            drop(failure);
            // Nothing but a failure comes back.
            let error = become_program(assignment, &words, &stdio);
            let mut told = told;
            // The pipe's reader waits.
            let _sent = told.write_all(format!("{error:#}").as_bytes());
            // SAFETY: ends this process without what its parent would have run at its end.
            unsafe { libc::_exit(127) }
        }
        child => {
            drop(told);
            drop(stdio);
            let mut text = String::new();
            failure.read_to_string(&mut text)?;
            anyhow::ensure!(text.is_empty(), "{text}");
            let child = Pid::from_raw(child).ok_or_else(|| anyhow::anyhow!("no child"))?;
            Ok((child, signals))
        }
    }
}

/// The program's words in the form the kernel takes.
struct Words {
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Words {
    fn of(start: &Start) -> anyhow::Result<Self> {
        let texts = |words: &[String]| {
            let texts = words.iter().map(|word| CString::new(word.as_bytes()));
            texts.collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            arguments: texts(&start.arguments)?,
            environment: texts(&start.environment)?,
        })
    }
}

/// Returns only what went wrong.
fn become_program(assignment: &Assignment, words: &Words, stdio: &[OwnedFd; 3]) -> anyhow::Error {
    match prepare(&assignment.terms, &assignment.start, stdio) {
        Err(error) => error,
        Ok(program) => {
            let ends = |texts: &[CString]| {
                let pointers = texts.iter().map(|text| text.as_ptr());
                pointers.chain([std::ptr::null()]).collect::<Vec<_>>()
            };
            let (arguments, environment) = (ends(&words.arguments), ends(&words.environment));
            // SAFETY: both arrays end in null, and their texts live until the program runs.
            unsafe {
                libc::syscall(
                    libc::SYS_execveat,
                    program.as_raw_fd(),
                    c"".as_ptr(),
                    arguments.as_ptr(),
                    environment.as_ptr(),
                    libc::AT_EMPTY_PATH,
                )
            };
            anyhow::Error::new(io::Error::last_os_error()).context("the kernel does not start it")
        }
    }
}

/// All that the program's own process does before it is the program.
fn prepare(terms: &Terms, start: &Start, stdio: &[OwnedFd; 3]) -> anyhow::Result<File> {
    use anyhow::Context as _;
    let program = pin::open_again(&start.program).context("the program")?;
    std::env::set_current_dir(&start.cwd)
        .with_context(|| format!("the folder `{}` cannot be entered", start.cwd))?;
    let here = rustix::process::getcwd(Vec::new())?;
    let here = here.to_string_lossy();
    let within = Path::new(&*here).starts_with(&start.within);
    anyhow::ensure!(
        within,
        "the folder is `{here}`, and the rule is for `{}`",
        start.within
    );
    last_walls(terms)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    default_signals();
    for (number, descriptor) in (0..).zip(stdio) {
        // SAFETY: no memory is involved; the numbers are those of standard descriptors.
        if unsafe { libc::dup2(descriptor.as_raw_fd(), number) } < 0 {
            return Err(io::Error::last_os_error().into());
        }
    }
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    let closes = terms.plan.left_out.keeps(Wall::Inheritance);
    // SAFETY: no memory is involved.
    if closes && unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, flags) } < 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(program)
}

/// The program starts with every signal as the kernel has it, and none held back.
fn default_signals() {
    // As the kernel has it: `SIG_DFL`, no flags, no mask. The C library keeps two signals to itself and
    // refuses to name them, and whoever started the broker may have had them ignored.
    let default = [0_usize; 4];
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the kernel's structure is no longer than this; the default action runs no code of
        // ours, and numbers that take none are refused.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                std::ptr::null::<usize>(),
                SIGNAL_SET_BYTES,
            )
        };
    }
    let none = no_signals();
    // SAFETY: the set lives until the call returns; what was held back is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}

fn no_signals() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: makes the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: made above.
    unsafe { set.assume_init() }
}

/// A descriptor that is readable when a child has ended.
fn ended_children() -> io::Result<OwnedFd> {
    let mut set = no_signals();
    // SAFETY: the set lives until the call returns.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGCHLD) };
    // SAFETY: as above; what was held back before is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    // SAFETY: as above.
    let number =
        unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(owned(number))
}

/// Waits for the program, and for whoever became our child; nothing when the broker is gone.
fn attend(socket: &mut UnixStream, child: Pid, signals: OwnedFd) -> anyhow::Result<Option<Report>> {
    let mut signals = File::from(signals);
    loop {
        let (told, ended) = {
            let mut ready = [
                PollFd::new(&*socket, PollFlags::IN),
                PollFd::new(&signals, PollFlags::IN),
            ];
            poll(&mut ready, None)?;
            let [socket, signals] = &ready;
            (!socket.revents().is_empty(), !signals.revents().is_empty())
        };
        if ended {
            let mut read = [0; 1024];
            // How many signals came is not asked: all children are looked at.
            let _drained = signals.read(&mut read);
            if let Some(status) = reap(child)? {
                return Ok(Some(Report::Ended(ended_as(status))));
            }
        }
        if told {
            match read_frame::<Word>(socket, REPORT_BYTES_MAX)? {
                None => return Ok(None),
                Some(Word::Signal(number)) => {
                    // SAFETY: the broker names numbers of signals below 32.
                    let signal = (1..32)
                        .contains(&number)
                        .then(|| unsafe { Signal::from_raw_unchecked(number) });
                    if let Some(signal) = signal {
                        // It may have ended just now.
                        let _gone = kill_process(child, signal);
                    }
                }
            }
        }
    }
}

/// Takes the status of every child that ended; answers that of the program.
fn reap(child: Pid) -> anyhow::Result<Option<Status>> {
    let mut found = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => {
                found = Some(match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Status::Exited(code.to_le_bytes()[0]),
                    (None, signal) => Status::Signaled(signal.unwrap_or(9).unsigned_abs()),
                });
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(found),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn ended_as(status: Status) -> Ended {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills the structure, which is plain numbers.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    // SAFETY: all of it is zero or filled.
    let usage = unsafe { usage.assume_init() };
    let microseconds = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    Ended {
        status,
        cpu_us: microseconds(usage.ru_utime) + microseconds(usage.ru_stime),
        memory_peak_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) << 10,
    }
}
