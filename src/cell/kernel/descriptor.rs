//! One descriptor table per process, over pipes, files, folders, devices and the call's output.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{Call, Output, PipeReader, PipeWriter};
use crate::cell::wasi::{Errno, OpenDirectory, OpenFile};
use crate::outcome::StoppedBy;

/// Highest descriptor number of a process plus one. Chosen: scripts use up to 255.
pub const NUMBERS_MAX: u32 = 256;

/// What a number stands for; clones share the same open file.
#[derive(Debug, Clone)]
pub enum Descriptor {
    Reader(Arc<PipeReader>),
    Writer(Arc<PipeWriter>),
    Output(Arc<Output>),
    Input(Arc<Input>),
    File(Arc<OpenFile>),
    Directory(Arc<OpenDirectory>),
    Device(Device),
}

/// A character device that every guest may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    Null,
    Zero,
    Random,
}

/// Bytes the caller sent as the first process's stdin.
#[derive(Debug, Default)]
pub struct Input(Mutex<(usize, Vec<u8>)>);

impl Input {
    pub fn new(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self(Mutex::new((0, bytes))))
    }

    /// Has the last so many bytes read again.
    pub fn give_back(&self, bytes: usize) {
        let mut input = self.0.lock();
        input.0 = input.0.saturating_sub(bytes);
    }

    /// Copies the next bytes; zero at the end.
    pub fn read(&self, out: &mut [u8]) -> usize {
        let mut input = self.0.lock();
        let (position, bytes) = &mut *input;
        let unread = bytes.get(*position..).unwrap_or_default();
        let count = unread.len().min(out.len());
        if let (Some(place), Some(next)) = (out.get_mut(..count), unread.get(..count)) {
            place.copy_from_slice(next);
        }
        *position += count;
        count
    }
}

/// A process's numbers. Every open number counts against the call's limit until it is closed.
#[derive(Debug)]
pub struct Descriptors {
    slots: Vec<Option<Descriptor>>,
    call: Arc<Call>,
}

impl Descriptors {
    pub fn new(call: &Arc<Call>) -> Self {
        Self {
            slots: Vec::with_capacity(4),
            call: Arc::clone(call),
        }
    }

    /// Every number of this table in another one (fork).
    ///
    /// # Errors
    /// EMFILE at the call's limit.
    pub fn copied(&self) -> Result<Self, Errno> {
        let mut copy = Self::new(&self.call);
        for (number, slot) in (0u32..).zip(&self.slots) {
            if let Some(descriptor) = slot {
                copy.put(number, descriptor.clone())?;
            }
        }
        Ok(copy)
    }

    /// A new table with just `pairs` of (number there, number here).
    ///
    /// # Errors
    /// EBADF for a number that is not open here, EMFILE at a limit.
    pub fn chosen(&self, pairs: &[(u32, u32)]) -> Result<Self, Errno> {
        let mut table = Self::new(&self.call);
        for &(theirs, ours) in pairs {
            table.put(theirs, self.get(ours)?.clone())?;
        }
        Ok(table)
    }

    pub fn get(&self, number: u32) -> Result<&Descriptor, Errno> {
        self.slots
            .get(number as usize)
            .and_then(Option::as_ref)
            .ok_or(Errno::EBADF)
    }

    /// Places `descriptor` at the lowest free number that is at least `least`.
    ///
    /// # Errors
    /// EMFILE at the process's or the call's limit.
    pub fn add(&mut self, least: u32, descriptor: Descriptor) -> Result<u32, Errno> {
        let free = (least..NUMBERS_MAX)
            .find(|&number| self.slots.get(number as usize).is_none_or(Option::is_none))
            .ok_or_else(|| self.refused())?;
        self.put(free, descriptor)?;
        Ok(free)
    }

    /// Places `descriptor` at `number`, closing what was there.
    ///
    /// # Errors
    /// EBADF for a number out of range, EMFILE at the call's limit.
    pub fn put(&mut self, number: u32, descriptor: Descriptor) -> Result<(), Errno> {
        if number >= NUMBERS_MAX {
            return Err(Errno::EBADF);
        }
        let index = number as usize;
        if self.slots.len() <= index {
            self.slots.resize(index + 1, None);
        }
        let Some(slot) = self.slots.get_mut(index) else {
            return Err(Errno::EBADF);
        };
        if slot.is_none() && !self.call.take_descriptor() {
            return Err(self.refused());
        }
        *slot = Some(descriptor);
        Ok(())
    }

    /// Frees `number`.
    ///
    /// # Errors
    /// EBADF when it is not open.
    pub fn close(&mut self, number: u32) -> Result<Descriptor, Errno> {
        let taken = self.slots.get_mut(number as usize).and_then(Option::take);
        if taken.is_some() {
            self.call.give_descriptors(1);
        }
        taken.ok_or(Errno::EBADF)
    }

    fn refused(&self) -> Errno {
        self.call.refuse(StoppedBy::Descriptors);
        Errno::EMFILE
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        let open = self.slots.iter().flatten().count();
        self.call
            .give_descriptors(u32::try_from(open).unwrap_or(u32::MAX));
    }
}
