//! Reads of a closed standard input, which Rust's library would call empty.

use std::ffi::{CStr, c_char, c_int, c_void};

/// What such a read fails with instead of EBADF: a number that WASI does not use, so that the
/// library passes it on. Its text is EBADF's.
const CLOSED: c_int = 99;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn fd_read(
        descriptor: c_int,
        buffers: *const libc::iovec,
        count: usize,
        read: *mut usize,
    ) -> i32;
}

// Not by way of libc's own functions: the linker leaves `__real_` names that nothing else needs
// unresolved.
#[unsafe(no_mangle)]
extern "C" fn __wrap_read(descriptor: c_int, buffer: *mut c_void, len: usize) -> isize {
    let buffers = libc::iovec {
        iov_base: buffer,
        iov_len: len,
    };
    let mut read = 0;
    let failed = unsafe { fd_read(descriptor, &raw const buffers, 1, &raw mut read) };
    if failed == 0 {
        return read as isize;
    }
    let number = match failed {
        libc::EBADF | libc::ENOTCAPABLE if descriptor == 0 => CLOSED,
        libc::ENOTCAPABLE => libc::EBADF,
        other => other,
    };
    unsafe { *libc::__errno_location() = number };
    -1
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_strerror_r(number: c_int, buffer: *mut c_char, len: usize) -> c_int {
    let number = if number == CLOSED {
        libc::EBADF
    } else {
        number
    };
    let text = unsafe { CStr::from_ptr(libc::strerror(number)) }.to_bytes();
    let Some(room) = len.checked_sub(1) else {
        return libc::ERANGE;
    };
    let shown = text.len().min(room);
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast(), buffer, shown);
        *buffer.add(shown) = 0;
    }
    if shown < text.len() { libc::ERANGE } else { 0 }
}
