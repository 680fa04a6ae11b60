//! Error numbers as guests know them (preview 1), and where they come from.

/// A preview-1 error number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub u16);

macro_rules! errno {
    ($($name:ident = $number:literal),+ $(,)?) => {
        impl Errno { $(pub const $name: Errno = Errno($number);)+ }
    };
}

// wasi_snapshot_preview1, `errno`.
errno! {
    E2BIG = 1, EACCES = 2, EAGAIN = 6, EBADF = 8, EBUSY = 10, ECHILD = 12, EDQUOT = 19,
    EEXIST = 20, EFAULT = 21, EFBIG = 22, EILSEQ = 25, EINTR = 27, EINVAL = 28, EIO = 29,
    EISDIR = 31, ELOOP = 32, EMFILE = 33, EMLINK = 34, ENAMETOOLONG = 37, ENFILE = 41,
    ENOENT = 44, ENOEXEC = 45, ENOMEM = 48, ENOSPC = 51, ENOSYS = 52, ENOTDIR = 54,
    ENOTEMPTY = 55, ENOTSUP = 58, ENXIO = 60, EOVERFLOW = 61, EPERM = 63, EPIPE = 64,
    EROFS = 69, ESPIPE = 70, ESRCH = 71, ETXTBSY = 74, EXDEV = 75,
}

impl From<rustix::io::Errno> for Errno {
    fn from(host: rustix::io::Errno) -> Self {
        use rustix::io::Errno as Host;
        match host {
            Host::ACCESS => Self::EACCES,
            Host::AGAIN => Self::EAGAIN,
            Host::BADF => Self::EBADF,
            Host::BUSY => Self::EBUSY,
            Host::EXIST => Self::EEXIST,
            Host::FBIG => Self::EFBIG,
            Host::INTR => Self::EINTR,
            Host::INVAL => Self::EINVAL,
            Host::ISDIR => Self::EISDIR,
            Host::LOOP => Self::ELOOP,
            Host::MFILE => Self::EMFILE,
            Host::NFILE => Self::ENFILE,
            Host::MLINK => Self::EMLINK,
            Host::NAMETOOLONG => Self::ENAMETOOLONG,
            Host::NOENT => Self::ENOENT,
            Host::NOMEM => Self::ENOMEM,
            Host::NOSPC => Self::ENOSPC,
            Host::NOTDIR => Self::ENOTDIR,
            Host::NOTEMPTY => Self::ENOTEMPTY,
            Host::NOTSUP => Self::ENOTSUP,
            Host::NXIO => Self::ENXIO,
            Host::OVERFLOW => Self::EOVERFLOW,
            Host::PERM => Self::EPERM,
            Host::PIPE => Self::EPIPE,
            Host::ROFS => Self::EROFS,
            Host::SPIPE => Self::ESPIPE,
            // Out of the mount's tree: the guest sees a place that does not exist for it.
            Host::XDEV => Self::EXDEV,
            Host::DQUOT => Self::EDQUOT,
            Host::TXTBSY => Self::ETXTBSY,
            Host::ILSEQ => Self::EILSEQ,
            _ => Self::EIO,
        }
    }
}
