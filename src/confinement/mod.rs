//! Walls of the kernel around a process, and what tries to get through them.

pub mod probe;
