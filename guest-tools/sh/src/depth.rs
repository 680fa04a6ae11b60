//! How deep the recursive readers of text are, so that hostile nesting ends as an error and not
//! at the end of the stack.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Levels of quotes, expansions, braces and groups within each other.
const MAX: usize = 150;

static DEPTH: AtomicUsize = AtomicUsize::new(0);

/// One level, left when dropped.
pub struct Level;

impl Level {
    /// `None` when the text is nested too deeply.
    pub fn enter() -> Option<Self> {
        if DEPTH.load(Ordering::Relaxed) >= MAX {
            return None;
        }
        DEPTH.fetch_add(1, Ordering::Relaxed);
        Some(Self)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Second readings within second readings that are allowed.
const MAX_RETRIES: usize = 2;

static RETRIES: AtomicUsize = AtomicUsize::new(0);

/// A text being read a second way, left when dropped.
pub struct Retry;

impl Retry {
    pub fn enter() -> Option<Self> {
        if RETRIES.load(Ordering::Relaxed) >= MAX_RETRIES {
            return None;
        }
        RETRIES.fetch_add(1, Ordering::Relaxed);
        Some(Self)
    }
}

impl Drop for Retry {
    fn drop(&mut self) {
        RETRIES.fetch_sub(1, Ordering::Relaxed);
    }
}
