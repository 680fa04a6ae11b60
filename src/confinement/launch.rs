//! Starts a process in namespaces of its own: one `clone`, a few system calls, one `execveat` of a
//! pinned file with an environment made from nothing.
//!
//! `clone` and not `clone3`, so that a filter around us can look at the flags and refuse by errno.
//! Between `clone` and `execveat` the child may only make system calls: other threads of the
//! parent held locks when it was made.
#![expect(
    unsafe_code,
    reason = "clone and exec have no safe form for a process with threads"
)]

use std::ffi::{CStr, CString, c_char};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::mpsc;
use std::time::Duration;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use crate::confinement::{probe::Wall, seal, walls::Plan};

/// Longest wait for a killed process to be gone before it is left to the kernel.
const REAP_WAIT: Duration = Duration::from_secs(5);

/// What is to be started.
#[derive(Debug)]
pub struct Program {
    /// An open executable file: what runs is what was opened, whatever its name means later.
    pub executable: OwnedFd,
    pub arguments: Vec<CString>,
    /// The whole environment, `NAME=value`.
    pub environment: Vec<CString>,
    /// Descriptors and the numbers the program finds them under. Nothing else is inherited, whatever
    /// is open here and whichever of the numbers between them are free.
    pub descriptors: Vec<(OwnedFd, RawFd)>,
    pub plan: Plan,
    pub leads: Leads,
}

/// What the program is the first process of, so that a terminal's signals do not reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// A process group, in our session. Linux may share out the processors by session
    /// (`sched_autogroup`): with many cells of their own sessions, one part would be left for us.
    Group,
    /// A session, which has no terminal either.
    Session,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("the kernel refuses {what}")]
    Refused {
        what: &'static str,
        source: io::Error,
    },
    #[error("the thread that starts processes is gone")]
    Gone,
}

impl LaunchError {
    fn refused(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Refused { what, source }
    }
}

/// The thread that starts processes.
///
/// They are told to die with the thread that started them, so it lives as long as anything that may
/// start one.
#[derive(Debug, Clone)]
pub struct Launcher {
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug)]
struct Job {
    program: Program,
    answer: oneshot::Sender<Result<Child, LaunchError>>,
}

impl Launcher {
    /// Starts the thread.
    ///
    /// # Errors
    /// The process may have no more threads.
    pub fn start() -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("launcher".to_owned())
            .spawn(move || {
                for job in queue {
                    // A caller that is gone drops the child, which ends it.
                    let _gone = job.answer.send(start(job.program));
                }
            })?;
        Ok(Self { jobs })
    }

    /// Starts a program.
    ///
    /// # Errors
    /// The kernel refuses a step; which one is said.
    pub async fn launch(&self, program: Program) -> Result<Child, LaunchError> {
        let (answer, started) = oneshot::channel();
        let job = Job { program, answer };
        self.jobs.send(job).map_err(|_| LaunchError::Gone)?;
        started.await.map_err(|_| LaunchError::Gone)?
    }
}

/// A process that was started. Dropped, it is killed.
#[derive(Debug)]
pub struct Child {
    pub pid: Pid,
    handle: Option<AsyncFd<OwnedFd>>,
    plain: Option<OwnedFd>,
}

impl Child {
    fn new(pid: Pid, handle: OwnedFd) -> Self {
        Self {
            pid,
            handle: None,
            plain: Some(handle),
        }
    }

    /// Kills it and, in a pid namespace, everything it started.
    pub fn kill(&self) {
        let handle = self
            .plain
            .as_ref()
            .or(self.handle.as_ref().map(AsyncFd::get_ref));
        if let Some(handle) = handle {
            // It may be gone already.
            let _gone = pidfd_send_signal(handle, Signal::KILL);
        }
    }

    /// Waits until it has ended. May be dropped and asked again.
    ///
    /// # Errors
    /// The runtime has no room for another descriptor.
    pub async fn ended(&mut self) -> io::Result<()> {
        if let Some(plain) = self.plain.take() {
            let interest = tokio::io::Interest::READABLE;
            // SAFETY: the descriptor is owned, never replaced, and closed after it is taken out.
            match unsafe { AsyncFd::register_with_interest(plain, interest) } {
                Ok(handle) => self.handle = Some(handle),
                Err(refused) => {
                    // It must still be killed and reaped.
                    let (plain, error) = refused.into_parts();
                    self.plain = Some(plain);
                    return Err(error);
                }
            }
        }
        let Some(handle) = &self.handle else {
            return Ok(());
        };
        let _ready = handle.readable().await?;
        let options = WaitIdOptions::EXITED;
        // Reaps it; that somebody else did is no error.
        let _status = waitid(
            WaitId::PidFd(rustix::fd::AsFd::as_fd(handle.get_ref())),
            options,
        );
        self.handle = None;
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let handle = self.handle.take().map(AsyncFd::into_inner);
        let Some(handle) = self.plain.take().or(handle) else {
            return; // reaped
        };
        let _gone = pidfd_send_signal(&handle, Signal::KILL);
        // A process that hangs in the kernel must not hold up who drops it.
        let reaper = std::thread::Builder::new().name("reaper".to_owned());
        let _unreaped = reaper.spawn(move || reap(&handle));
    }
}

fn reap(handle: &OwnedFd) {
    let until = std::time::Instant::now() + REAP_WAIT;
    while std::time::Instant::now() < until {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        match waitid(WaitId::PidFd(rustix::fd::AsFd::as_fd(handle)), options) {
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Ok(Some(_)) | Err(_) => return,
        }
    }
    tracing::error!("a killed process does not end; the kernel keeps it");
}

/// A step in the child that failed, as a byte in the pipe to the parent.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Step {
    Identity = 1,
    Descriptors = 2,
    Start = 3,
}

impl Step {
    fn of(byte: u8) -> &'static str {
        match byte {
            1 => "the mapping of its user in a new user namespace",
            2 => "its descriptors",
            _ => "to run the program",
        }
    }
}

/// What the child needs, laid out before it exists.
struct Prepared {
    executable: RawFd,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    /// From the parked number to the wanted one.
    moves: Vec<(RawFd, RawFd)>,
    /// Texts for `uid_map` and `gid_map`, in a new user namespace.
    maps: Option<(CString, CString)>,
    report: RawFd,
    leads: Leads,
    /// What else is open here closes itself in the child.
    closes: bool,
}

fn start(program: Program) -> Result<Child, LaunchError> {
    let refused = |what| LaunchError::refused(what);
    let wanted = program.descriptors.iter().map(|(_, number)| *number);
    // Where they wait until they get their numbers: above all of those.
    let first_unused = wanted.max().unwrap_or(2) + 1;
    let parked: Vec<(OwnedFd, RawFd)> = program
        .descriptors
        .into_iter()
        .map(|(descriptor, number)| {
            fcntl_dupfd_cloexec(&descriptor, first_unused).map(|parked| (parked, number))
        })
        .collect::<Result<_, _>>()
        .map_err(|error| refused("a descriptor")(error.into()))?;
    let executable = fcntl_dupfd_cloexec(&program.executable, first_unused)
        .map_err(|error| refused("a descriptor")(error.into()))?;
    let (mut reader, writer) = io::pipe().map_err(refused("a pipe"))?;
    let report = fcntl_dupfd_cloexec(&writer, first_unused)
        .map_err(|error| refused("a descriptor")(error.into()))?;
    drop(writer);
    let new_user = program.plan.namespaces && !seal::may_mount();
    let ends_in_null = |texts: &[CString]| {
        let pointers = texts.iter().map(|text| text.as_ptr());
        pointers.chain([std::ptr::null()]).collect()
    };
    let prepared = Prepared {
        executable: executable.as_raw_fd(),
        arguments: ends_in_null(&program.arguments),
        environment: ends_in_null(&program.environment),
        moves: parked
            .iter()
            .map(|(from, to)| (from.as_raw_fd(), *to))
            .collect(),
        maps: new_user.then(maps).transpose().map_err(refused("a text"))?,
        report: report.as_raw_fd(),
        leads: program.leads,
        closes: program.plan.left_out.keeps(Wall::Inheritance),
    };
    let (pid, handle) = clone(flags(program.plan, new_user), Some(&prepared))
        .map_err(refused("a process in new namespaces"))?;
    let child = Child::new(pid, handle);
    drop(report);
    let mut failed = [0; 5];
    match reader.read(&mut failed).map_err(refused("a pipe"))? {
        0 => Ok(child), // closed by a successful exec
        _ => {
            let [step, errno @ ..] = failed;
            let source = io::Error::from_raw_os_error(i32::from_ne_bytes(errno));
            Err(refused(Step::of(step))(source))
        }
    }
}

/// A user namespace in which root is `user` and `group` outside, to show files as theirs.
///
/// # Errors
/// We are not root, or the kernel has no user namespaces.
pub fn owner_map(user: u32, group: u32) -> Result<OwnedFd, LaunchError> {
    let flags = libc::SIGCHLD | libc::CLONE_PIDFD | libc::CLONE_NEWUSER;
    let (pid, handle) = clone(flags, None).map_err(LaunchError::refused("a user namespace"))?;
    let child = Child::new(pid, handle);
    let place = format!("/proc/{}", pid.as_raw_nonzero());
    let write =
        |name: &str, id: u32| std::fs::write(format!("{place}/{name}"), format!("0 {id} 1"));
    write("uid_map", user)
        .and_then(|()| write("gid_map", group))
        .and_then(|()| std::fs::File::open(format!("{place}/ns/user")))
        .map(|namespace| {
            drop(child);
            namespace.into()
        })
        .map_err(LaunchError::refused("the mapping of a user namespace"))
}

fn flags(plan: Plan, new_user: bool) -> libc::c_int {
    let mut flags = libc::SIGCHLD | libc::CLONE_PIDFD;
    if !plan.namespaces {
        return flags;
    }
    flags |= libc::CLONE_NEWNS;
    if new_user {
        flags |= libc::CLONE_NEWUSER;
    }
    for (wall, flag) in [
        (Wall::PidNamespace, libc::CLONE_NEWPID),
        (Wall::IpcNamespace, libc::CLONE_NEWIPC),
        (Wall::UtsNamespace, libc::CLONE_NEWUTS),
        (Wall::NetworkNamespace, libc::CLONE_NEWNET),
    ] {
        let has = wall != Wall::NetworkNamespace || plan.network;
        if has && plan.left_out.keeps(wall) {
            flags |= flag;
        }
    }
    flags
}

/// Root inside, us outside: a process keeps its rights over its own namespaces through `execve`.
fn maps() -> io::Result<(CString, CString)> {
    let text = |id: u32| CString::new(format!("0 {id} 1")).map_err(io::Error::other);
    let user = text(rustix::process::geteuid().as_raw())?;
    let group = text(rustix::process::getegid().as_raw())?;
    Ok((user, group))
}

/// As `fork`; the child runs a program, or waits to be killed.
fn clone(flags: libc::c_int, prepared: Option<&Prepared>) -> io::Result<(Pid, OwnedFd)> {
    let mut handle: libc::c_int = -1;
    // SAFETY: as fork: no stack and no memory is shared. The child runs `in_child`, which makes
    // system calls on memory that was laid out before and never returns.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut handle, 0, 0) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => match prepared {
            Some(prepared) => in_child(prepared),
            None => hold_namespace(),
        },
        pid => {
            // SAFETY: the kernel has just made this descriptor for us.
            let handle = unsafe { OwnedFd::from_raw_fd(handle) };
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            Ok((pid.ok_or(io::ErrorKind::InvalidData)?, handle))
        }
    }
}

/// Keeps a namespace until it is killed, with nothing of ours open, and not longer than the thread
/// that made it.
fn hold_namespace() -> ! {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: no memory is involved, and nothing of this process uses a descriptor any more.
    unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
    loop {
        // SAFETY: no memory is involved.
        unsafe { libc::pause() };
    }
}

/// Only system calls from here on.
fn in_child(prepared: &Prepared) -> ! {
    let step = match set_up(prepared) {
        Err(step) => step,
        Ok(()) => {
            let empty: &CStr = c"";
            // SAFETY: the arrays end in null and their texts live in the parent's copied memory.
            unsafe {
                libc::syscall(
                    libc::SYS_execveat,
                    prepared.executable,
                    empty.as_ptr(),
                    prepared.arguments.as_ptr(),
                    prepared.environment.as_ptr(),
                    libc::AT_EMPTY_PATH,
                )
            };
            Step::Start
        }
    };
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let [a, b, c, d] = errno.to_ne_bytes();
    let told = [step as u8, a, b, c, d];
    // SAFETY: five bytes of our own stack.
    unsafe { libc::write(prepared.report, told.as_ptr().cast(), told.len()) };
    // SAFETY: ends this process and touches nothing else.
    unsafe { libc::_exit(127) }
}

fn set_up(prepared: &Prepared) -> Result<(), Step> {
    // SAFETY: a set of signals is plain bits.
    let mut none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set lives until the call returns.
    unsafe { libc::sigemptyset(&raw mut none) };
    // SAFETY: as above; what was blocked before is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
    // That it leads one already is as good.
    match prepared.leads {
        // SAFETY: no memory is involved.
        Leads::Group => unsafe { libc::setpgid(0, 0) },
        // SAFETY: no memory is involved.
        Leads::Session => unsafe { libc::setsid() },
    };
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    if let Some((user, group)) = &prepared.maps {
        write_file(c"/proc/self/setgroups", c"deny").map_err(|()| Step::Identity)?;
        write_file(c"/proc/self/uid_map", user).map_err(|()| Step::Identity)?;
        write_file(c"/proc/self/gid_map", group).map_err(|()| Step::Identity)?;
    }
    if prepared.closes {
        // Closes itself at exec, whoever opened it and left it so; the copies below do not.
        close_all_at_exec()?;
    }
    for (from, to) in &prepared.moves {
        // SAFETY: no memory is involved; the wanted numbers lie below all parked ones.
        if unsafe { libc::dup2(*from, *to) } < 0 {
            return Err(Step::Descriptors);
        }
    }
    Ok(())
}

fn close_all_at_exec() -> Result<(), Step> {
    // SAFETY: no memory is involved.
    let marked = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            0,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    match marked {
        0 => Ok(()),
        _ => Err(Step::Descriptors),
    }
}

fn write_file(path: &CStr, text: &CStr) -> Result<(), ()> {
    // SAFETY: a text that ends in NUL.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    if file < 0 {
        return Err(());
    }
    let bytes = text.to_bytes();
    // SAFETY: a text and its length.
    let written = unsafe { libc::write(file, bytes.as_ptr().cast(), bytes.len()) };
    if written >= 0 {
        // SAFETY: a descriptor that was just opened here; the errno of a failed write must survive.
        unsafe { libc::close(file) };
    }
    if written == isize::try_from(bytes.len()).unwrap_or(-1) {
        Ok(())
    } else {
        Err(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::confinement::LeftOut;

    /// Runs a system's program as a cell is run, without namespaces; what it says.
    async fn said(words: &[&str], outputs: RawFd, leads: Leads) -> String {
        let (mut reader, writer) = io::pipe().unwrap();
        let null = || OwnedFd::from(File::options().write(true).open("/dev/null").unwrap());
        let program = Program {
            executable: File::open(words[0]).unwrap().into(),
            arguments: words
                .iter()
                .map(|word| CString::new(*word).unwrap())
                .collect(),
            environment: Vec::new(),
            descriptors: vec![
                (null(), 0),
                (writer.into(), 1),
                (null(), 2),
                (null(), outputs),
            ],
            plan: Plan {
                namespaces: false,
                network: false,
                groups: false,
                left_out: LeftOut::NOTHING,
            },
            leads,
        };
        let launcher = Launcher::start().unwrap();
        let mut child = launcher.launch(program).await.unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        child.ended().await.unwrap();
        text
    }

    #[tokio::test]
    async fn what_is_open_between_the_wanted_numbers_is_not_inherited() {
        // As a shell leaves one that it was told to open: it does not close itself.
        let careless = rustix::io::dup(File::open("/dev/null").unwrap()).unwrap();
        let number = careless.as_raw_fd();
        let wanted = number + 5;
        let text = said(&["/bin/ls", "/proc/self/fd"], wanted, Leads::Group).await;
        let open: Vec<RawFd> = text.lines().filter_map(|line| line.parse().ok()).collect();
        assert!(open.contains(&wanted), "{open:?}");
        assert!(!open.contains(&number), "{number} of {open:?}");
        drop(careless);
    }

    #[tokio::test]
    async fn each_leads_a_group_of_its_own_and_one_a_session() {
        // Process, parent, group and session, behind name and state.
        let ids = |stat: &str| -> Vec<i32> {
            let behind = stat.rsplit(") ").next().unwrap().split(' ').skip(1);
            behind.take(3).map(|id| id.parse().unwrap()).collect()
        };
        let own = ids(&std::fs::read_to_string("/proc/self/stat").unwrap());
        for (leads, session) in [(Leads::Group, Some(own[2])), (Leads::Session, None)] {
            let stat = said(&["/bin/cat", "/proc/self/stat"], 5, leads).await;
            let process: i32 = stat.split(' ').next().unwrap().parse().unwrap();
            let found = ids(&stat);
            assert_eq!(found[1], process, "{leads:?}: {stat}");
            assert_ne!(found[1], own[1]);
            assert_eq!(found[2], session.unwrap_or(process), "{leads:?}: {stat}");
        }
    }
}
