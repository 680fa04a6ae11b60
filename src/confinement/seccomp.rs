//! The system calls of a sealed cell and of a native program, as data: each group with the reason it
//! is there. What is not named is refused with EPERM, another architecture's calls end the process.

mod native;

use std::collections::BTreeMap;

use libc::{c_long, pid_t};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// What an argument must be.
#[derive(Debug, Clone, Copy)]
enum Must {
    /// The argument's low 32 bits are this.
    Be(u8, u64),
    /// None of these bits is set in the argument's low 32.
    Lack(u8, u64),
    /// All of these bits are set in the argument's low 32.
    Have(u8, u64),
    /// The argument, a pointer, is null: all 64 bits of it.
    BeNull(u8),
    /// The argument is this process's id.
    BeUs(u8),
}

/// One allowed system call; every listed demand must hold.
#[derive(Debug)]
struct Allowed {
    number: c_long,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the printed list"))]
    name: &'static str,
    demands: &'static [Must],
}

/// System calls that are allowed for one reason.
#[derive(Debug)]
struct Group {
    #[cfg_attr(not(test), expect(dead_code, reason = "for the printed list"))]
    reason: &'static str,
    calls: &'static [Allowed],
}

macro_rules! calls {
    ($($name:ident $(if $($demand:expr),+)?;)+) => {
        &[$($crate::confinement::seccomp::Allowed {
            number: libc::$name,
            name: stringify!($name),
            demands: &[$($($demand),+)?],
        }),+]
    };
}

use calls;

const EXECUTABLE: u64 = libc::PROT_EXEC as u64;
/// Bits of `clone` that make another process or another namespace of one.
const NOT_A_THREAD: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PTRACE
    | libc::CLONE_VFORK) as u64;
const THREAD: u64 = (libc::CLONE_VM
    | libc::CLONE_THREAD
    | libc::CLONE_SIGHAND
    | libc::CLONE_FS
    | libc::CLONE_FILES) as u64;

const SHARED: u64 = libc::MAP_SHARED as u64;

/// Rights of a file that lend a program its owner's or group's.
const SET_ID: u64 = (libc::S_ISUID | libc::S_ISGID) as u64;

/// What a cell needs once it is sealed.
const CELL: &[Group] = &[
    Group {
        reason: "the descriptors it was given and what it opened below them",
        calls: calls! {
            SYS_read; SYS_readv; SYS_pread64; SYS_preadv;
            SYS_write; SYS_writev; SYS_pwrite64; SYS_pwritev;
            SYS_lseek; SYS_close; SYS_fstat; SYS_ftruncate; SYS_getdents64;
            SYS_fsync; SYS_fdatasync;
        },
    },
    Group {
        reason: "names below its folders; no set-id rights for what it makes, as far as a filter sees them",
        calls: calls! {
            SYS_openat if Must::Lack(3, SET_ID);
            SYS_openat2;
            SYS_newfstatat; SYS_statx; SYS_readlinkat; SYS_faccessat; SYS_faccessat2;
            SYS_mkdirat if Must::Lack(2, SET_ID);
            SYS_unlinkat; SYS_linkat; SYS_symlinkat; SYS_renameat2; SYS_renameat;
            SYS_utimensat;
            SYS_fchmod if Must::Lack(1, SET_ID);
            SYS_fchmodat if Must::Lack(2, SET_ID);
            SYS_fchmodat2 if Must::Lack(2, SET_ID);
            SYS_fstatfs;
        },
    },
    Group {
        reason: "its socket to the broker, and the event loop that waits on it",
        calls: calls! {
            SYS_recvfrom; SYS_sendto; SYS_shutdown;
            SYS_epoll_create1; SYS_epoll_ctl; SYS_epoll_wait; SYS_epoll_pwait; SYS_eventfd2;
            SYS_socketpair if Must::Be(0, libc::AF_UNIX as u64);
        },
    },
    Group {
        reason: "small files that are made up, such as /etc/passwd; nothing of them can be run or mapped as code",
        calls: calls! {
            SYS_memfd_create if Must::Be(1, libc::MFD_CLOEXEC as u64);
        },
    },
    Group {
        reason: "descriptors of its own: copies and flags, nothing that changes owners or signals",
        calls: calls! {
            SYS_fcntl if Must::Be(1, libc::F_DUPFD_CLOEXEC as u64);
            SYS_fcntl if Must::Be(1, libc::F_GETFD as u64);
            SYS_fcntl if Must::Be(1, libc::F_SETFD as u64);
            SYS_fcntl if Must::Be(1, libc::F_GETFL as u64);
            SYS_fcntl if Must::Be(1, libc::F_SETFL as u64);
            SYS_ioctl if Must::Be(1, libc::FIONBIO);
        },
    },
    Group {
        reason: "memory, never executable, and never shared: no limit counts that where there is no cgroup",
        calls: calls! {
            SYS_mmap if Must::Lack(2, EXECUTABLE), Must::Lack(3, SHARED);
            SYS_mprotect if Must::Lack(2, EXECUTABLE);
            SYS_munmap; SYS_mremap; SYS_madvise; SYS_brk;
        },
    },
    Group {
        reason: "threads of its own and their locks; clone3 hides its flags and is refused as absent",
        calls: calls! {
            SYS_clone if Must::Have(0, THREAD), Must::Lack(0, NOT_A_THREAD);
            SYS_futex; SYS_set_robust_list; SYS_rseq; SYS_sched_yield; SYS_sched_getaffinity;
            SYS_gettid; SYS_getpid; SYS_exit; SYS_exit_group; SYS_membarrier; SYS_restart_syscall;
            SYS_prctl if Must::Be(0, libc::PR_SET_NAME as u64);
        },
    },
    Group {
        reason: "traps of guests arrive as signals; it may signal itself, to abort",
        calls: calls! {
            SYS_rt_sigaction; SYS_rt_sigprocmask; SYS_rt_sigreturn; SYS_sigaltstack;
            SYS_tgkill if Must::BeUs(0);
        },
    },
    Group {
        reason: "time and randomness",
        calls: calls! {
            SYS_clock_gettime; SYS_clock_getres; SYS_clock_nanosleep; SYS_nanosleep;
            SYS_gettimeofday; SYS_getrandom;
        },
    },
    Group {
        reason: "who it is and what it may use, read only",
        calls: calls! {
            SYS_geteuid; SYS_getuid; SYS_getegid; SYS_getgid; SYS_getrusage;
            SYS_prlimit64 if Must::Be(0, 0), Must::BeNull(2);
        },
    },
];

/// Calls that a C library tries first and has another way for.
const ABSENT: &[c_long] = &[libc::SYS_clone3];

/// Why a filter could not be made or put in force.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error("the system call filter cannot be made")]
    Made(#[from] seccompiler::BackendError),
    #[error("the kernel does not take the system call filter")]
    Applied(#[from] seccompiler::Error),
    #[error("there is no system call filter for this architecture")]
    Architecture,
}

/// Allows this thread, and those it starts, what a cell needs and nothing else.
///
/// # Errors
/// The kernel has no seccomp filters, or this architecture has none written.
pub(super) fn allow_cell() -> Result<(), FilterError> {
    allow(&[CELL])
}

/// Allows this thread, and the program it becomes, what ordinary programs do.
///
/// # Errors
/// As [`allow_cell`].
pub(super) fn allow_native() -> Result<(), FilterError> {
    allow(native::LISTS)
}

fn allow(lists: &[&[Group]]) -> Result<(), FilterError> {
    let us = rustix::process::getpid().as_raw_nonzero().get();
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    // The last one in force is asked first, and the strictest answer counts.
    for (rules, otherwise, then) in [
        (absences(), SeccompAction::Allow, absent),
        (rules(lists, us)?, refused, SeccompAction::Allow),
    ] {
        let filter = SeccompFilter::new(rules, otherwise, then, architecture()?)?;
        seccompiler::apply_filter(&BpfProgram::try_from(filter)?)?;
    }
    Ok(())
}

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

fn absences() -> Rules {
    ABSENT.iter().map(|number| (*number, Vec::new())).collect()
}

fn rules(lists: &[&[Group]], us: pid_t) -> Result<Rules, FilterError> {
    let mut rules = Rules::new();
    let groups = lists.iter().copied().flatten();
    for allowed in groups.flat_map(|group| group.calls) {
        let demands = allowed.demands.iter().map(|demand| demand.condition(us));
        let demands = demands.collect::<Result<Vec<_>, _>>()?;
        let entry = rules.entry(allowed.number).or_default();
        if !demands.is_empty() {
            entry.push(SeccompRule::new(demands)?);
        }
    }
    // Whoever gave up another architecture's calls gave them up for good.
    for number in ABSENT {
        rules.insert(*number, Vec::new());
    }
    Ok(rules)
}

impl Must {
    fn condition(self, us: pid_t) -> Result<SeccompCondition, seccompiler::BackendError> {
        let (argument, operator, value) = match self {
            Self::Be(argument, value) => (argument, SeccompCmpOp::Eq, value),
            Self::Lack(argument, bits) => (argument, SeccompCmpOp::MaskedEq(bits), 0),
            Self::Have(argument, bits) => (argument, SeccompCmpOp::MaskedEq(bits), bits),
            Self::BeNull(argument) => (argument, SeccompCmpOp::Eq, 0),
            Self::BeUs(argument) => (argument, SeccompCmpOp::Eq, u64::from(us.unsigned_abs())),
        };
        let length = match self {
            Self::BeNull(_) => SeccompCmpArgLen::Qword,
            Self::Be(..) | Self::Lack(..) | Self::Have(..) | Self::BeUs(_) => {
                SeccompCmpArgLen::Dword
            }
        };
        SeccompCondition::new(argument, length, operator, value)
    }
}

fn architecture() -> Result<TargetArch, FilterError> {
    std::env::consts::ARCH
        .try_into()
        .map_err(|_| FilterError::Architecture)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reviewer reads this list; a change of the table shows up here.
    #[test]
    fn the_allowed_calls_are_these() {
        for (lists, golden) in [
            (&[CELL][..], include_str!("seccomp_cell.golden")),
            (native::LISTS, include_str!("seccomp_native.golden")),
        ] {
            let mut text = String::new();
            for group in lists.iter().copied().flatten() {
                text += &format!("# {}\n", group.reason);
                for call in group.calls {
                    let name = call.name.trim_start_matches("SYS_");
                    text += &format!("{name} {:?}\n", call.demands);
                }
            }
            assert_eq!(text, golden, "\n{text}");
        }
    }

    #[test]
    fn no_call_is_allowed_twice_with_and_without_demands() {
        let all = |lists: &'static [&'static [Group]]| lists.iter().copied().flatten();
        let natives: Vec<_> = all(native::LISTS).flat_map(|group| group.calls).collect();
        let cells: Vec<_> = CELL.iter().flat_map(|group| group.calls).collect();
        for (calls, call) in [&natives, &cells]
            .into_iter()
            .flat_map(|calls| calls.iter().map(move |call| (calls, call)))
        {
            let same = calls.iter();
            let same: Vec<_> = same.filter(|other| other.number == call.number).collect();
            let free = same.iter().filter(|other| other.demands.is_empty()).count();
            assert!(
                free == 0 || same.len() == 1,
                "{} is allowed freely too",
                call.name
            );
        }
    }
}
