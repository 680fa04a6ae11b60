//! Reads of a closed standard input, which Rust's library would call empty.

use std::ffi::{c_char, c_int, c_void};

/// What such a read fails with instead of EBADF: a number that WASI does not use, so that the
/// library passes it on. Its text is EBADF's.
const CLOSED: c_int = 99;

unsafe extern "C" {
    fn __real_read(descriptor: c_int, buffer: *mut c_void, len: usize) -> isize;
    fn __real_readv(descriptor: c_int, buffers: *const libc::iovec, count: c_int) -> isize;
    fn __real_strerror_r(number: c_int, buffer: *mut c_char, len: usize) -> c_int;
}

fn told(descriptor: c_int, answer: isize) -> isize {
    let number = unsafe { libc::__errno_location() };
    if answer < 0 && descriptor == 0 && unsafe { *number } == libc::EBADF {
        unsafe { *number = CLOSED };
    }
    answer
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_read(descriptor: c_int, buffer: *mut c_void, len: usize) -> isize {
    told(descriptor, unsafe { __real_read(descriptor, buffer, len) })
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_readv(descriptor: c_int, buffers: *const libc::iovec, count: c_int) -> isize {
    told(descriptor, unsafe {
        __real_readv(descriptor, buffers, count)
    })
}

#[unsafe(no_mangle)]
extern "C" fn __wrap_strerror_r(number: c_int, buffer: *mut c_char, len: usize) -> c_int {
    let number = if number == CLOSED { libc::EBADF } else { number };
    unsafe { __real_strerror_r(number, buffer, len) }
}
