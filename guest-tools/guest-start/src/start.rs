//! Before `main`: the root folder, the cwd; and libc's stat and chmod, answered by the host.

use std::ffi::{CStr, c_char, c_int};

use crate::{file::Stat, imports};

/// The host answers for `/` under this number, outside every process's descriptor table, so that
/// scripts may use descriptor 3 as anywhere else.
const ROOT: c_int = 0x4000_0000;

unsafe extern "C" {
    fn __wasilibc_register_preopened_fd(descriptor: c_int, prefix: *const c_char) -> c_int;
}

#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

extern "C" fn start() {
    unsafe { __wasilibc_register_preopened_fd(ROOT, c"/".as_ptr()) };
    let mut cwd = vec![0u8; 4096];
    let len = unsafe { imports::proc_cwd(cwd.as_mut_ptr(), cwd.len() - 1) };
    if let Ok(path) = CStr::from_bytes_until_nul(&cwd)
        && len > 0
    {
        unsafe { libc::chdir(path.as_ptr()) };
    }
}

fn answer(result: i32, stat: &Stat, out: *mut libc::stat) -> c_int {
    if result < 0 {
        return fail(result);
    }
    let time = |ns: i64| libc::timespec {
        tv_sec: ns.div_euclid(1_000_000_000),
        tv_nsec: ns.rem_euclid(1_000_000_000) as _,
    };
    let out = unsafe { &mut *out };
    *out = unsafe { std::mem::zeroed() };
    out.st_dev = stat.dev;
    out.st_ino = stat.ino;
    out.st_nlink = stat.nlink;
    out.st_mode = stat.mode;
    out.st_uid = stat.uid;
    out.st_gid = stat.gid;
    out.st_size = stat.size as _;
    out.st_blksize = 4096;
    out.st_blocks = stat.blocks as _;
    out.st_atim = time(stat.accessed_ns);
    out.st_mtim = time(stat.modified_ns);
    out.st_ctim = time(stat.changed_ns);
    0
}

fn fail(result: i32) -> c_int {
    unsafe { *libc::__errno_location() = -result };
    -1
}

fn stat_path(path: *const c_char, follow: u32, out: *mut libc::stat) -> c_int {
    use std::os::wasi::ffi::OsStrExt;
    let path = std::ffi::OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes());
    let path = crate::file::absolute(path);
    let mut stat = Stat::default();
    let bytes = path.as_bytes();
    let result = unsafe { imports::fs_stat(bytes.as_ptr(), bytes.len(), follow, &raw mut stat) };
    answer(result, &stat, out)
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_stat(path: *const c_char, out: *mut libc::stat) -> c_int {
    stat_path(path, 1, out)
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_lstat(path: *const c_char, out: *mut libc::stat) -> c_int {
    stat_path(path, 0, out)
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_fstat(descriptor: c_int, out: *mut libc::stat) -> c_int {
    let mut stat = Stat::default();
    let result = unsafe { imports::fs_fstat(descriptor as u32, &raw mut stat) };
    answer(result, &stat, out)
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_fstatat(
    dir: c_int,
    path: *const c_char,
    out: *mut libc::stat,
    flags: c_int,
) -> c_int {
    let follow = u32::from(flags & libc::AT_SYMLINK_NOFOLLOW == 0);
    let name = unsafe { CStr::from_ptr(path) }.to_bytes();
    if dir == libc::AT_FDCWD || name.starts_with(b"/") {
        return stat_path(path, follow, out);
    }
    let mut stat = Stat::default();
    let result = unsafe {
        imports::fs_fstatat(dir as u32, name.as_ptr(), name.len(), follow, &raw mut stat)
    };
    answer(result, &stat, out)
}

fn chmod_path(path: *const c_char, mode: libc::mode_t) -> c_int {
    use std::os::wasi::ffi::OsStrExt;
    let path = std::ffi::OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes());
    let path = crate::file::absolute(path);
    let bytes = path.as_bytes();
    match unsafe { imports::fs_chmod(bytes.as_ptr(), bytes.len(), mode) } {
        result if result < 0 => fail(result),
        _ => 0,
    }
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_chmod(path: *const c_char, mode: libc::mode_t) -> c_int {
    chmod_path(path, mode)
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_fchmodat(
    _dir: c_int,
    path: *const c_char,
    mode: libc::mode_t,
    _flags: c_int,
) -> c_int {
    chmod_path(path, mode)
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_fchmod(descriptor: c_int, mode: libc::mode_t) -> c_int {
    match unsafe { imports::fs_fchmod(descriptor as u32, mode) } {
        result if result < 0 => fail(result),
        _ => 0,
    }
}
