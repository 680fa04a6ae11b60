//! `gzip -l`: what a compressed file says about itself.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use crate::times;

/// The sum over the files listed so far.
#[derive(Default)]
pub struct Listing {
    verbose: bool,
    quiet: bool,
    files: u32,
    packed: u64,
    unpacked: u64,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl Listing {
    pub fn new(verbose: bool, quiet: bool) -> Self {
        Self {
            verbose,
            quiet,
            ..Self::default()
        }
    }

    /// Prints the line of a file that holds `packed` bytes and unpacks to `name`.
    ///
    /// # Errors
    /// What reading the file says.
    pub fn file(&mut self, file: &mut File, packed: u64, name: &str) -> io::Result<()> {
        let mut tail = [0; 8];
        file.seek(SeekFrom::End(-8))?;
        file.read_exact(&mut tail)?;
        let crc = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
        let unpacked = u32::from_le_bytes([tail[4], tail[5], tail[6], tail[7]]).into();
        let header = header_length(file)?;
        if self.files == 0 && !self.quiet {
            if self.verbose {
                print!("method  crc     date  time  ");
            }
            println!("         compressed        uncompressed  ratio uncompressed_name");
        }
        self.files += 1;
        self.packed += packed;
        self.unpacked += unpacked;
        if self.verbose {
            let seconds = file.metadata()?.modified()?;
            let seconds = seconds.duration_since(std::time::UNIX_EPOCH);
            let when = times::moment(seconds.map_or(0, |since| since.as_secs() as i64));
            let month = MONTHS[when.month as usize - 1];
            print!(
                "defla {crc:08x} {month} {:2} {:02}:{:02} ",
                when.day, when.hour, when.minute
            );
        }
        let data = packed.saturating_sub(header + 8);
        println!(
            "{packed:>19} {unpacked:>19} {} {name}",
            ratio(data, unpacked)
        );
        Ok(())
    }

    /// Prints the sum when there were several files.
    pub fn total(&self) {
        if self.files < 2 || self.quiet {
            return;
        }
        if self.verbose {
            print!("                            ");
        }
        let share = ratio(self.packed, self.unpacked);
        println!("{:>19} {:>19} {share} (totals)", self.packed, self.unpacked);
    }
}

/// The share of `before` that packing saved, as gzip prints it.
pub fn ratio(after: u64, before: u64) -> String {
    let share = match before {
        0 => 0.0,
        _ => 100.0 * (before as f64 - after as f64) / before as f64,
    };
    format!("{share:5.1}%")
}

fn header_length(file: &mut File) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut start = [0; 10];
    file.read_exact(&mut start)?;
    let mut bytes = io::BufReader::new(file).bytes();
    let (flags, mut length) = (start[3], 10);
    let mut next = || {
        bytes
            .next()
            .unwrap_or(Err(io::ErrorKind::UnexpectedEof.into()))
    };
    if flags & 4 != 0 {
        let extra = u64::from(next()?) | u64::from(next()?) << 8;
        for _ in 0..extra {
            next()?;
        }
        length += 2 + extra;
    }
    for flag in [8, 16] {
        while flags & flag != 0 {
            length += 1;
            if next()? == 0 {
                break;
            }
        }
    }
    Ok(length + if flags & 2 != 0 { 2 } else { 0 })
}
