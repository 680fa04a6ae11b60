//! `xxd -r`: bytes out of a dump.

use std::{
    fs::File,
    io::{self, BufRead, Seek, SeekFrom, Write},
};

use crate::xxd::{Settings, Style};

/// Zeros that a dump may ask for between its lines, when the output is a stream.
const GAP_MAX: u64 = 1 << 32;

/// Writes the bytes one after the other, with zeros where the dump leaves addresses out.
pub fn into_stream(
    settings: &Settings,
    input: impl BufRead,
    output: &mut impl Write,
) -> io::Result<()> {
    let mut at = 0u64;
    each(settings, input, |address, bytes| {
        if let Some(address) = address {
            let Some(gap) = address.checked_sub(at).filter(|gap| *gap <= GAP_MAX) else {
                return Err(io::Error::other("sorry, cannot seek backwards."));
            };
            io::copy(&mut io::Read::take(io::repeat(0), gap), output)?;
            at = address;
        }
        at += bytes.len() as u64;
        output.write_all(&bytes)
    })
}

/// Writes the bytes to their places.
pub fn into_file(settings: &Settings, input: impl BufRead, mut file: File) -> io::Result<()> {
    each(settings, input, |address, bytes| {
        if let Some(address) = address {
            file.seek(SeekFrom::Start(address))?;
        }
        file.write_all(&bytes)
    })
}

fn each(
    settings: &Settings,
    input: impl BufRead,
    mut give: impl FnMut(Option<u64>, Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    if settings.style == Style::Plain {
        return plain(input, give);
    }
    let columns = settings
        .columns
        .filter(|columns| *columns > 0)
        .unwrap_or(16);
    for line in input.split(b'\n') {
        let line = line?;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_start();
        let Some((address, rest)) = text.split_once(':') else {
            continue;
        };
        let Ok(address) = i64::from_str_radix(address.trim(), 16) else {
            continue;
        };
        let Ok(address) = u64::try_from(address + settings.seek) else {
            continue;
        };
        let mut bytes = Vec::new();
        let mut digits = rest.chars().peekable();
        let mut blanks = 0;
        // Two blanks in a row end the digits.
        while bytes.len() < columns {
            match digits.next() {
                Some(' ' | '\t') => {
                    blanks += 1;
                    if blanks > 1 && !bytes.is_empty() {
                        break;
                    }
                }
                Some(high) => {
                    blanks = 0;
                    let low = digits.next().and_then(|c| c.to_digit(16));
                    match (high.to_digit(16), low) {
                        (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
                        _ => break,
                    }
                }
                None => break,
            }
        }
        give(Some(address), bytes)?;
    }
    Ok(())
}

/// Hex digits with anything between; a line's odd digit is dropped.
fn plain(
    input: impl BufRead,
    mut give: impl FnMut(Option<u64>, Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let mut high = None;
    for line in input.split(b'\n') {
        let mut bytes = Vec::new();
        for byte in line? {
            let Some(digit) = (byte as char).to_digit(16) else {
                continue;
            };
            match high.take() {
                Some(first) => bytes.push((first * 16 + digit) as u8),
                None => high = Some(digit),
            }
        }
        high = None;
        give(None, bytes)?;
    }
    Ok(())
}
