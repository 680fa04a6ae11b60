//! What ordinary programs ask of the kernel: files, memory, processes, pipes, time. Not among it is
//! whatever reaches another program's memory, the network, the kernel itself or its modules, and
//! files without a name, which nothing of the file system's rules holds for.

use super::{Group, Must, calls};

/// All lists of a native program.
pub(super) const LISTS: &[&[Group]] = &[COMMON, FORMER];

/// Bits of `clone` that make another namespace, or trace.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PTRACE) as u64;
/// Kinds of file that `mknod` makes beside FIFOs and plain files: sockets and devices.
const SPECIAL: u64 = 0o160_000;
/// `FICLONE` and `FICLONERANGE` (linux/fs.h).
const CLONE_FILE: u64 = 0x4004_9409;
/// `personality` that only asks.
const ASKS: u64 = 0xffff_ffff;
/// An id that is to stay as it is.
const STAYS: u64 = 0xffff_ffff;
/// `PR_SET_VMA` (linux/prctl.h): a name for memory.
const NAME_MEMORY: u64 = 0x5356_4d41;

const COMMON: &[Group] = &[
    Group {
        reason: "files: content",
        calls: calls! {
            SYS_read; SYS_readv; SYS_pread64; SYS_preadv; SYS_preadv2;
            SYS_write; SYS_writev; SYS_pwrite64; SYS_pwritev; SYS_pwritev2;
            SYS_lseek; SYS_close; SYS_close_range; SYS_ftruncate; SYS_truncate; SYS_fallocate;
            SYS_fsync; SYS_fdatasync; SYS_sync_file_range; SYS_syncfs; SYS_fadvise64; SYS_readahead;
            SYS_copy_file_range; SYS_sendfile; SYS_splice; SYS_tee; SYS_vmsplice;
            SYS_flock;
        },
    },
    Group {
        reason: "files: names and what is known of them; no second name for one, which an overlay cannot keep",
        calls: calls! {
            SYS_openat; SYS_openat2; SYS_getdents64; SYS_getcwd; SYS_chdir; SYS_fchdir;
            SYS_fstat; SYS_newfstatat; SYS_statx; SYS_statfs; SYS_fstatfs;
            SYS_readlinkat; SYS_faccessat; SYS_faccessat2;
            SYS_mkdirat; SYS_unlinkat; SYS_symlinkat; SYS_renameat; SYS_renameat2;
            SYS_fchmod; SYS_fchmodat; SYS_fchmodat2; SYS_fchown; SYS_fchownat; SYS_utimensat;
            SYS_getxattr; SYS_lgetxattr; SYS_fgetxattr; SYS_listxattr; SYS_llistxattr; SYS_flistxattr;
            SYS_umask;
            SYS_inotify_init1; SYS_inotify_add_watch; SYS_inotify_rm_watch;
        },
    },
    Group {
        reason: "files: FIFOs and plain ones, no devices and no sockets",
        calls: calls! { SYS_mknodat if Must::Lack(2, SPECIAL); },
    },
    Group {
        reason: "descriptors: copies, pipes, waiting for them",
        calls: calls! {
            SYS_dup; SYS_dup3; SYS_fcntl; SYS_pipe2; SYS_ppoll; SYS_pselect6;
            SYS_epoll_create1; SYS_epoll_ctl; SYS_epoll_pwait; SYS_epoll_pwait2;
            SYS_eventfd2; SYS_signalfd4;
            SYS_timerfd_create; SYS_timerfd_settime; SYS_timerfd_gettime;
        },
    },
    Group {
        reason: "what programs ask of a descriptor; nothing is typed into a terminal",
        calls: calls! {
            SYS_ioctl if Must::Be(1, libc::TCGETS);
            SYS_ioctl if Must::Be(1, libc::TIOCGWINSZ);
            SYS_ioctl if Must::Be(1, libc::TIOCGPGRP);
            SYS_ioctl if Must::Be(1, libc::FIONREAD);
            SYS_ioctl if Must::Be(1, libc::FIONBIO);
            SYS_ioctl if Must::Be(1, libc::FIOCLEX);
            SYS_ioctl if Must::Be(1, libc::FIONCLEX);
            SYS_ioctl if Must::Be(1, CLONE_FILE);
        },
    },
    Group {
        reason: "pairs of sockets between its own processes; no other socket can be made",
        calls: calls! {
            SYS_socketpair if Must::Be(0, libc::AF_UNIX as u64);
            SYS_sendto; SYS_recvfrom; SYS_sendmsg; SYS_recvmsg; SYS_shutdown;
            SYS_getsockopt; SYS_setsockopt; SYS_getsockname; SYS_getpeername;
        },
    },
    Group {
        reason: "memory; files without a name are not among it",
        calls: calls! {
            SYS_mmap; SYS_mprotect; SYS_munmap; SYS_mremap; SYS_madvise; SYS_brk; SYS_msync;
            SYS_mincore; SYS_mlock; SYS_mlock2; SYS_munlock; SYS_membarrier;
            SYS_pkey_alloc; SYS_pkey_free; SYS_pkey_mprotect;
        },
    },
    Group {
        reason: "processes and threads, in the namespaces it was given; clone3 hides its flags and is refused as absent",
        calls: calls! {
            SYS_clone if Must::Lack(0, NAMESPACES);
            SYS_execve; SYS_execveat; SYS_exit; SYS_exit_group; SYS_wait4; SYS_waitid;
            SYS_kill; SYS_tkill; SYS_tgkill; SYS_rt_sigqueueinfo; SYS_rt_tgsigqueueinfo;
            SYS_pidfd_open; SYS_pidfd_send_signal;
            SYS_setpgid; SYS_getpgid; SYS_getsid; SYS_setsid; SYS_getppid; SYS_getpid; SYS_gettid;
            SYS_set_tid_address; SYS_set_robust_list; SYS_get_robust_list; SYS_rseq; SYS_futex;
            SYS_sched_yield; SYS_sched_getaffinity; SYS_sched_setaffinity; SYS_sched_getparam;
            SYS_sched_getscheduler; SYS_sched_get_priority_max; SYS_sched_get_priority_min;
            SYS_getpriority; SYS_setpriority; SYS_getcpu; SYS_restart_syscall;
        },
    },
    Group {
        reason: "make takes back an effective user before it starts another program; without a capability there is nobody else to become",
        calls: calls! {
            SYS_setresuid if Must::Be(0, STAYS), Must::Be(2, STAYS);
            SYS_setresgid if Must::Be(0, STAYS), Must::Be(2, STAYS);
        },
    },
    Group {
        reason: "what a process says of itself",
        calls: calls! {
            SYS_prctl if Must::Be(0, libc::PR_SET_NAME as u64);
            SYS_prctl if Must::Be(0, libc::PR_GET_NAME as u64);
            SYS_prctl if Must::Be(0, libc::PR_SET_PDEATHSIG as u64);
            SYS_prctl if Must::Be(0, libc::PR_GET_PDEATHSIG as u64);
            SYS_prctl if Must::Be(0, libc::PR_SET_DUMPABLE as u64);
            SYS_prctl if Must::Be(0, libc::PR_GET_DUMPABLE as u64);
            SYS_prctl if Must::Be(0, libc::PR_SET_NO_NEW_PRIVS as u64);
            SYS_prctl if Must::Be(0, libc::PR_GET_NO_NEW_PRIVS as u64);
            SYS_prctl if Must::Be(0, libc::PR_CAPBSET_READ as u64);
            SYS_prctl if Must::Be(0, NAME_MEMORY);
            SYS_personality if Must::Be(0, ASKS);
        },
    },
    Group {
        reason: "signals",
        calls: calls! {
            SYS_rt_sigaction; SYS_rt_sigprocmask; SYS_rt_sigreturn; SYS_rt_sigpending;
            SYS_rt_sigsuspend; SYS_rt_sigtimedwait; SYS_sigaltstack;
        },
    },
    Group {
        reason: "time and randomness",
        calls: calls! {
            SYS_clock_gettime; SYS_clock_getres; SYS_clock_nanosleep; SYS_nanosleep;
            SYS_gettimeofday; SYS_times; SYS_getitimer; SYS_setitimer;
            SYS_timer_create; SYS_timer_settime; SYS_timer_gettime; SYS_timer_getoverrun;
            SYS_timer_delete; SYS_getrandom;
        },
    },
    Group {
        reason: "who it is, what machine this is, what it may use and has used",
        calls: calls! {
            SYS_getuid; SYS_geteuid; SYS_getgid; SYS_getegid; SYS_getresuid; SYS_getresgid;
            SYS_getgroups; SYS_capget; SYS_uname; SYS_sysinfo; SYS_getrusage;
            SYS_getrlimit; SYS_setrlimit; SYS_prlimit64 if Must::Be(0, 0);
        },
    },
];

/// Calls that newer ones stand for; only this architecture has them.
#[cfg(target_arch = "x86_64")]
const FORMER: &[Group] = &[Group {
    reason: "older names of the calls above",
    calls: calls! {
        SYS_open; SYS_creat; SYS_stat; SYS_lstat; SYS_access; SYS_readlink; SYS_getdents;
        SYS_mkdir; SYS_rmdir; SYS_unlink; SYS_symlink; SYS_rename;
        SYS_chmod; SYS_chown; SYS_lchown; SYS_utime; SYS_utimes; SYS_futimesat;
        SYS_mknod if Must::Lack(1, SPECIAL);
        SYS_dup2; SYS_pipe; SYS_poll; SYS_select; SYS_epoll_create; SYS_epoll_wait; SYS_eventfd;
        SYS_signalfd; SYS_inotify_init;
        SYS_fork; SYS_vfork; SYS_getpgrp; SYS_alarm; SYS_pause; SYS_time;
        SYS_arch_prctl;
    },
}];
#[cfg(not(target_arch = "x86_64"))]
const FORMER: &[Group] = &[];
