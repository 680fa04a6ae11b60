//! Walls of the kernel around a process: how one is started, how it locks itself in, and what of
//! that this machine can give.
//!
//! A process that is to be confined starts as trusted code of ours ([`launch`]), is told what it
//! may see, and then seals itself ([`seal`]) before it does anything an agent asked for.

pub mod enclose;
pub mod group;
mod landlock;
pub mod launch;
mod left_out;
pub mod probe;
mod root;
pub mod seal;
mod seccomp;
pub mod tree;
mod walls;

pub use left_out::LeftOut;
pub use walls::{Means, Missing, Plan, Reached, Wall};
