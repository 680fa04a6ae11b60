//! The attacker's means: raw system calls, and memory at an address.
#![expect(
    unsafe_code,
    reason = "an attacker's system calls are the subject; they pass by every safe wrapper"
)]

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use libc::c_long;

use super::{Attempt, Target};

/// How many descriptor numbers are looked at. Chosen: far above what a fresh process has.
const NUMBERS: i32 = 1024;

/// Why a probe got no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The kernel's answer to a call.
    Call { call: &'static str, errno: i32 },
    /// Something else.
    Otherwise(String),
    /// The kernel has no such thing.
    Absent(String),
}

impl Stopped {
    pub(super) fn errno(&self) -> Option<i32> {
        match self {
            Self::Call { errno, .. } => Some(*errno),
            Self::Otherwise(_) | Self::Absent(_) => None,
        }
    }

    /// Whether it looks like a filter's answer, not like that of the call itself.
    fn is_filtered(&self) -> bool {
        matches!(self.errno(), Some(libc::EPERM | libc::ENOSYS))
    }
}

pub(super) fn otherwise(text: impl Into<String>) -> Stopped {
    Stopped::Otherwise(text.into())
}

/// One system call. Missing arguments are 0; pointers come from [`at`] and [`at_mut`].
pub(super) fn call<const N: usize>(
    name: &'static str,
    number: c_long,
    arguments: [usize; N],
) -> Result<usize, Stopped> {
    let mut six = [0_usize; 6];
    for (slot, argument) in six.iter_mut().zip(arguments) {
        *slot = argument;
    }
    let [a, b, c, d, e, f] = six;
    // SAFETY: every caller passes addresses of values that outlive the call, or addresses the
    // kernel is meant to refuse; none asks the kernel to unmap or overwrite what Rust owns.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if answer == -1 {
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        Err(Stopped::Call { call: name, errno })
    } else {
        Ok(answer.cast_unsigned() as usize)
    }
}

/// Success if the call answered, or failed with an errno that only its own code gives.
pub(super) fn reached(answer: Result<usize, Stopped>, errnos: &[i32]) -> Attempt {
    match answer {
        Ok(value) => Ok(format!("it answered {value}")),
        Err(Stopped::Call { call, errno }) if errnos.contains(&errno) => Ok(format!(
            "{call} looked at its arguments: {}",
            errno_name(errno)
        )),
        Err(stopped) => Err(stopped),
    }
}

/// The address of what a call reads.
pub(super) fn at<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).cast::<u8>().expose_provenance()
}

/// The address of what a call writes.
pub(super) fn at_mut<T: ?Sized>(value: &mut T) -> usize {
    std::ptr::from_mut(value).cast::<u8>().expose_provenance()
}

/// A filter of system calls, as the kernel takes it.
#[repr(C)]
pub(super) struct Filter {
    length: u16,
    steps: usize,
}

impl Filter {
    /// One that allows everything: what an attacker would like to have asked.
    pub(super) fn allowing_everything() -> Self {
        /// `return SECCOMP_RET_ALLOW`.
        const ALLOW: u64 = 0x7fff_0000_0000_0006;
        Self {
            length: 1,
            steps: at(&ALLOW),
        }
    }
}

/// A signed argument as the kernel takes it.
pub(super) fn signed(value: i32) -> usize {
    (value as isize).cast_unsigned()
}

/// A bit mask or number of the C library as an argument.
pub(super) fn bits(value: i32) -> usize {
    value.cast_unsigned() as usize
}

pub(super) const HERE: i32 = libc::AT_FDCWD;

/// Copies bytes to memory that a call of ours mapped writable.
pub(super) fn write_at(address: usize, bytes: &[u8]) {
    let place = std::ptr::with_exposed_provenance_mut::<u8>(address);
    // SAFETY: callers pass the start of a writable mapping they have just made, of at least a
    // page, and bytes that fit.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
}

/// Reads bytes of memory that a call of ours mapped.
pub(super) fn read_at(address: usize, length: usize) -> Vec<u8> {
    let place = std::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: callers pass the start of a readable mapping they have made, of at least `length`.
    unsafe { std::slice::from_raw_parts(place, length) }.to_vec()
}

/// A path as calls take it.
pub(super) fn text(path: impl AsRef<Path>) -> Result<CString, Stopped> {
    CString::new(path.as_ref().as_os_str().as_bytes())
        .map_err(|_| otherwise("the path has a zero byte"))
}

/// A descriptor the attacker opened; closed with it.
#[derive(Debug)]
pub(super) struct Descriptor(pub(super) i32);

impl Descriptor {
    pub(super) fn of(answer: usize) -> Result<Self, Stopped> {
        match i32::try_from(answer) {
            Ok(number) => Ok(Self(number)),
            Err(_) => Err(otherwise(format!("{answer} is no descriptor"))),
        }
    }

    pub(super) fn argument(&self) -> usize {
        signed(self.0)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let _ = call("close", libc::SYS_close, [self.argument()]);
    }
}

/// Opens a path in every way the kernel has, until one works.
pub(super) fn open(
    folder: i32,
    path: impl AsRef<Path>,
    flags: i32,
    mode: u32,
) -> Result<Descriptor, Stopped> {
    let is_absolute = path.as_ref().is_absolute();
    let path = text(path)?;
    let flags = bits(flags | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK);
    let folder = signed(folder);
    let how = [flags as u64, u64::from(mode), 0];
    let path = at(path.as_c_str());
    let mode = mode as usize;
    let openat2 = || {
        let arguments = [folder, path, at(&how), size_of_val(&how)];
        call("openat2", libc::SYS_openat2, arguments)
    };
    let openat = || call("openat", libc::SYS_openat, [folder, path, flags, mode]);
    let ways: [&dyn Fn() -> Result<usize, Stopped>; 3] = [&openat2, &openat, &|| {
        // It takes no folder.
        if is_absolute {
            call("open", OLD_OPEN, [path, flags, mode])
        } else {
            openat()
        }
    }];
    let mut stopped: Option<Stopped> = None;
    for way in ways {
        match way() {
            Ok(number) => return Descriptor::of(number),
            Err(error) if stopped.as_ref().is_none_or(Stopped::is_filtered) => {
                stopped = Some(error);
            }
            Err(_) => {}
        }
    }
    Err(stopped.unwrap_or_else(|| otherwise("no way to open")))
}

/// Success if the descriptor reads the secret, from its start or from where it is.
pub(super) fn reads_secret(descriptor: &Descriptor, target: &Target) -> Attempt {
    let mut bytes = [0_u8; 256];
    let (place, length) = (at_mut(&mut bytes), bytes.len());
    let read = call(
        "pread64",
        libc::SYS_pread64,
        [descriptor.argument(), place, length, 0],
    )
    .or_else(|_| {
        call(
            "read",
            libc::SYS_read,
            [descriptor.argument(), place, length],
        )
    })?;
    is_secret(bytes.get(..read).unwrap_or_default(), target)
}

/// Success if these bytes begin with the secret.
pub(super) fn is_secret(bytes: &[u8], target: &Target) -> Attempt {
    if bytes.starts_with(target.secret.as_bytes()) {
        Ok("read the secret".to_owned())
    } else {
        Err(otherwise(format!(
            "read {} bytes that are not the secret",
            bytes.len()
        )))
    }
}

/// Opens the path and reads the secret there.
pub(super) fn steal(folder: i32, path: impl AsRef<Path>, target: &Target) -> Attempt {
    reads_secret(&open(folder, path, libc::O_RDONLY, 0)?, target)
}

/// The first success; else the last refusal.
pub(super) fn any<I>(attempts: impl IntoIterator<Item = I>, none: &str) -> Attempt
where
    I: FnOnce() -> Attempt,
{
    let mut last = otherwise(none);
    for attempt in attempts {
        match attempt() {
            Ok(text) => return Ok(text),
            Err(stopped) => last = stopped,
        }
    }
    Err(last)
}

/// Every open descriptor of this process below [`NUMBERS`], as far as calls that are always allowed can tell.
pub(super) fn open_descriptors() -> Vec<i32> {
    let is_open = |number: &i32| {
        let answer = call(
            "fcntl",
            libc::SYS_fcntl,
            [bits(*number), bits(libc::F_GETFD)],
        );
        match answer {
            Err(Stopped::Call { errno, .. }) if errno != libc::EBADF => {
                // Filtered: a second way.
                let read = call("lseek", libc::SYS_lseek, [bits(*number), 0, 1]);
                !matches!(read, Err(Stopped::Call { errno, .. }) if errno == libc::EBADF)
            }
            other => other.is_ok(),
        }
    };
    (0..NUMBERS).filter(is_open).collect()
}

/// What the kernel says the descriptor is: the file type bits of its mode.
pub(super) fn file_type(descriptor: i32) -> Result<u32, Stopped> {
    Ok(status(descriptor, "")?.st_mode & libc::S_IFMT)
}

/// The status of a path below a folder, links not followed; of the folder itself for an empty one.
pub(super) fn status(folder: i32, path: impl AsRef<Path>) -> Result<libc::stat, Stopped> {
    // SAFETY: a zeroed status is a valid one.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    let path = text(path)?;
    let flags = bits(libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW);
    call(
        "newfstatat",
        libc::SYS_newfstatat,
        [
            signed(folder),
            at(path.as_c_str()),
            at_mut(&mut status),
            flags,
        ],
    )?;
    Ok(status)
}

/// Removes what a probe made.
pub(super) fn remove(folder: i32, name: &str) {
    if let Ok(name) = text(name) {
        let arguments = [signed(folder), at(name.as_c_str()), 0];
        let _ = call("unlinkat", libc::SYS_unlinkat, arguments);
    }
}

/// A fresh page of memory with this protection.
pub(super) fn map_page(protection: i32) -> Result<usize, Stopped> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    call(
        "mmap",
        libc::SYS_mmap,
        [0, PAGE, bits(protection), bits(flags), usize::MAX, 0],
    )
}

/// Gives a page back.
pub(super) fn unmap(address: usize) {
    let _ = call("munmap", libc::SYS_munmap, [address, PAGE]);
}

/// Enough for a page of every machine this runs on.
pub(super) const PAGE: usize = 65_536;

macro_rules! old_calls {
    ($($name:ident = $number:ident;)+) => {$(
        #[cfg(target_arch = "x86_64")]
        pub(super) const $name: c_long = libc::$number;
        #[cfg(not(target_arch = "x86_64"))]
        pub(super) const $name: c_long = -1;
    )+};
}

// Newer architectures have no number for these; -1 is no call anywhere.
old_calls! {
    OLD_OPEN = SYS_open;
    OLD_FORK = SYS_fork;
    OLD_VFORK = SYS_vfork;
    OLD_IOPL = SYS_iopl;
    OLD_IOPERM = SYS_ioperm;
    OLD_MODIFY_LDT = SYS_modify_ldt;
}

/// The kernel's name of an error.
pub(super) fn errno_name(errno: i32) -> String {
    let name = match errno {
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::ESRCH => "ESRCH",
        libc::EIO => "EIO",
        libc::ENXIO => "ENXIO",
        libc::ENOEXEC => "ENOEXEC",
        libc::EBADF => "EBADF",
        libc::ECHILD => "ECHILD",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EFAULT => "EFAULT",
        libc::EBUSY => "EBUSY",
        libc::EEXIST => "EEXIST",
        libc::EXDEV => "EXDEV",
        libc::ENODEV => "ENODEV",
        libc::ENOTDIR => "ENOTDIR",
        libc::EINVAL => "EINVAL",
        libc::EMFILE => "EMFILE",
        libc::ENOTTY => "ENOTTY",
        libc::ENOSPC => "ENOSPC",
        libc::EROFS => "EROFS",
        libc::ENOSYS => "ENOSYS",
        libc::ELOOP => "ELOOP",
        libc::ENOKEY => "ENOKEY",
        libc::EPROTONOSUPPORT => "EPROTONOSUPPORT",
        libc::ESOCKTNOSUPPORT => "ESOCKTNOSUPPORT",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::ENETUNREACH => "ENETUNREACH",
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::EISCONN => "EISCONN",
        _ => return format!("errno {errno}"),
    };
    name.to_owned()
}
