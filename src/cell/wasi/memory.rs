//! A guest's linear memory, as host functions read and write it. Every offset is untrusted.

use wasmtime::Caller;

use super::Errno;
use crate::cell::kernel::Guest;

/// The memory and the store's data, borrowed together.
///
/// # Errors
/// EFAULT for a guest without memory.
pub fn split<'a>(
    caller: &'a mut Caller<'_, Guest>,
) -> Result<(&'a mut [u8], &'a mut Guest), Errno> {
    let memory = caller.data().memory.ok_or(Errno::EFAULT)?;
    Ok(memory.data_and_store_mut(caller))
}

/// `len` bytes at `offset`.
///
/// # Errors
/// EFAULT outside the memory.
pub fn bytes(memory: &[u8], offset: u32, len: u32) -> Result<&[u8], Errno> {
    let end = (offset as usize)
        .checked_add(len as usize)
        .ok_or(Errno::EFAULT)?;
    memory.get(offset as usize..end).ok_or(Errno::EFAULT)
}

/// As [`bytes`], to write to.
///
/// # Errors
/// EFAULT outside the memory.
pub fn bytes_mut(memory: &mut [u8], offset: u32, len: u32) -> Result<&mut [u8], Errno> {
    let end = (offset as usize)
        .checked_add(len as usize)
        .ok_or(Errno::EFAULT)?;
    memory.get_mut(offset as usize..end).ok_or(Errno::EFAULT)
}

/// Writes `value` at `offset`.
///
/// # Errors
/// EFAULT outside the memory.
pub fn put(memory: &mut [u8], offset: u32, value: &[u8]) -> Result<(), Errno> {
    let len = u32::try_from(value.len()).map_err(|_| Errno::EFAULT)?;
    bytes_mut(memory, offset, len)?.copy_from_slice(value);
    Ok(())
}

/// Reads a little-endian 32-bit word.
///
/// # Errors
/// EFAULT outside the memory.
pub fn word(memory: &[u8], offset: u32) -> Result<u32, Errno> {
    let bytes = bytes(memory, offset, 4)?;
    bytes
        .try_into()
        .map(u32::from_le_bytes)
        .map_err(|_| Errno::EFAULT)
}

/// Reads a little-endian 64-bit word.
///
/// # Errors
/// EFAULT outside the memory.
pub fn long(memory: &[u8], offset: u32) -> Result<u64, Errno> {
    let bytes = bytes(memory, offset, 8)?;
    bytes
        .try_into()
        .map(u64::from_le_bytes)
        .map_err(|_| Errno::EFAULT)
}

/// The first buffer of a list that is not empty: (offset, length). One per call is enough, a
/// short read or write is always allowed.
///
/// # Errors
/// EFAULT outside the memory, EINVAL for an absurd list.
pub fn first_buffer(memory: &[u8], list: u32, count: u32) -> Result<(u32, u32), Errno> {
    // Linux IOV_MAX.
    if count > 1024 {
        return Err(Errno::EINVAL);
    }
    for index in 0..count {
        let entry = list.checked_add(index * 8).ok_or(Errno::EFAULT)?;
        let (offset, len) = (word(memory, entry)?, word(memory, entry.saturating_add(4))?);
        if len > 0 {
            bytes(memory, offset, len)?;
            return Ok((offset, len));
        }
    }
    Ok((0, 0))
}
