//! `std::os::unix` as far as the userland needs it.
//!
//! std's own file functions on WASI go through libc's `stat`, which guest-start answers with real
//! modes, owners and block counts; only the accessors are missing. This crate reads them.

pub mod entries;
pub mod ffi {
    pub use std::os::wasi::ffi::{OsStrExt, OsStringExt};
}
pub mod fs;
pub mod prelude {
    pub use crate::{ffi::*, fs::*};
}
