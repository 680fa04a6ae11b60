//! `dd [OPERAND]...`

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    mem::ManuallyDrop,
    time::Instant,
};

use options::{quote, quote_argument, reason};

use super::{amount, bad_usage};

#[derive(Default)]
struct Job {
    input: Option<String>,
    output: Option<String>,
    input_block: usize,
    output_block: usize,
    count: Option<u64>,
    skip: u64,
    seek: u64,
    conversions: Vec<String>,
    input_flags: Vec<String>,
    output_flags: Vec<String>,
    status: String,
}

#[derive(Default)]
struct Progress {
    full_in: u64,
    partial_in: u64,
    full_out: u64,
    partial_out: u64,
    bytes: u64,
}

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let job = match job(&arguments) {
        Ok(Some(job)) => job,
        Ok(None) => {
            println!("Usage: dd [OPERAND]...");
            return 0;
        }
        Err(message) => return bad_usage(name, &message, 1),
    };
    let started = Instant::now();
    let mut progress = Progress::default();
    let result = job.run(&mut progress);
    progress.report(&job.status, started.elapsed().as_secs_f64());
    match result {
        Ok(()) => 0,
        Err(message) => {
            eprintln!("{name}: {message}");
            1
        }
    }
}

fn job(arguments: &[OsString]) -> Result<Option<Job>, String> {
    let mut job = Job {
        input_block: 512,
        output_block: 512,
        ..Job::default()
    };
    for argument in arguments {
        let text = argument.to_string_lossy();
        if text == "--help" {
            return Ok(None);
        }
        let Some((key, value)) = text.split_once('=') else {
            return Err(format!("unrecognized operand {}", quote_argument(argument)));
        };
        let number =
            || product(value).ok_or_else(|| format!("invalid number: {}", quote_argument(value)));
        let block = || match number()? {
            0 => Err(format!("invalid number: {}", quote_argument(value))),
            size => usize::try_from(size)
                .map_err(|_| format!("invalid number: {}", quote_argument(value))),
        };
        let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
        match key {
            "if" => job.input = Some(value.to_owned()),
            "of" => job.output = Some(value.to_owned()),
            "bs" => (job.input_block, job.output_block) = (block()?, block()?),
            "ibs" => job.input_block = block()?,
            "obs" => job.output_block = block()?,
            "cbs" => drop(block()?),
            "count" => job.count = Some(number()?),
            "skip" | "iseek" => job.skip = number()?,
            "seek" | "oseek" => job.seek = number()?,
            "conv" => job.conversions = list(),
            "iflag" => job.input_flags = list(),
            "oflag" => job.output_flags = list(),
            "status" => job.status = value.to_owned(),
            _ => return Err(format!("unrecognized operand {}", quote_argument(argument))),
        }
    }
    let known = [
        "notrunc",
        "ucase",
        "lcase",
        "sync",
        "noerror",
        "fsync",
        "fdatasync",
        "swab",
        "excl",
        "nocreat",
        "sparse",
    ];
    match job
        .conversions
        .iter()
        .find(|conversion| !known.contains(&conversion.as_str()))
    {
        Some(unknown) => Err(format!("invalid conversion: {}", quote(unknown))),
        None => Ok(Some(job)),
    }
}

/// `2x512k`: factors joined by `x`.
fn product(text: &str) -> Option<u64> {
    text.split('x')
        .try_fold(1u64, |product, factor| product.checked_mul(amount(factor)?))
}

impl Job {
    fn converts(&self, what: &str) -> bool {
        self.conversions.iter().any(|conversion| conversion == what)
    }

    fn run(&self, progress: &mut Progress) -> Result<(), String> {
        let mut input = self.open_input()?;
        let mut output = self.open_output()?;
        let counts_bytes = self.input_flags.iter().any(|flag| flag == "count_bytes");
        let mut left = match self.count {
            Some(count) if counts_bytes => Some(count),
            Some(count) => Some(count.saturating_mul(self.input_block as u64)),
            None => None,
        };
        let mut blocks_left = self.count.filter(|_| !counts_bytes);
        let full_blocks = self.input_flags.iter().any(|flag| flag == "fullblock");
        let mut pending = Vec::with_capacity(self.output_block);
        let mut buffer = vec![0; self.input_block];
        while left != Some(0) && blocks_left != Some(0) {
            let most = left.map_or(self.input_block, |left| self.input_block.min(left as usize));
            let size =
                read_block(&mut input, &mut buffer[..most], full_blocks).map_err(|error| {
                    format!("error reading {}: {}", self.input_name(), reason(&error))
                })?;
            if size == 0 {
                break;
            }
            if size == self.input_block {
                progress.full_in += 1
            } else {
                progress.partial_in += 1
            }
            left = left.map(|left| left - size as u64);
            blocks_left = blocks_left.map(|blocks| blocks - 1);
            let mut size = size;
            if self.converts("sync") && size < self.input_block {
                buffer[size..].fill(0);
                size = self.input_block;
            }
            self.convert(&mut buffer[..size]);
            pending.extend_from_slice(&buffer[..size]);
            if self.input_block == self.output_block {
                self.write(&mut output, &mut pending, 0, progress)?;
            } else {
                self.write(&mut output, &mut pending, self.output_block, progress)?;
            }
        }
        self.write(&mut output, &mut pending, 0, progress)
    }

    fn convert(&self, block: &mut [u8]) {
        if self.converts("ucase") {
            block.make_ascii_uppercase();
        }
        if self.converts("lcase") {
            block.make_ascii_lowercase();
        }
        if self.converts("swab") {
            block.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        }
    }

    /// Writes whole blocks while at least `least` bytes are pending; all of them when it is 0.
    fn write(
        &self,
        output: &mut File,
        pending: &mut Vec<u8>,
        least: usize,
        progress: &mut Progress,
    ) -> Result<(), String> {
        while !pending.is_empty() && pending.len() >= least {
            let size = pending.len().min(self.output_block);
            output.write_all(&pending[..size]).map_err(|error| {
                format!(
                    "error writing {}: {}",
                    quote(self.output.as_deref().unwrap_or("standard output")),
                    reason(&error)
                )
            })?;
            progress.bytes += size as u64;
            if size == self.output_block {
                progress.full_out += 1
            } else {
                progress.partial_out += 1
            }
            pending.drain(..size);
        }
        Ok(())
    }

    fn input_name(&self) -> String {
        quote(self.input.as_deref().unwrap_or("standard input"))
    }

    fn open_input(&self) -> Result<ManuallyDrop<File>, String> {
        let mut file = match &self.input {
            Some(path) => File::open(path)
                .map_err(|error| format!("failed to open {}: {}", quote(path), reason(&error)))?,
            None => guest_start::descriptor::into_file(0),
        };
        let skip = if self.input_flags.iter().any(|flag| flag == "skip_bytes") {
            self.skip
        } else {
            self.skip.saturating_mul(self.input_block as u64)
        };
        if skip > 0 && file.seek(SeekFrom::Current(skip.cast_signed())).is_err() {
            io::copy(&mut (&mut file).take(skip), &mut io::sink()).map_err(|error| {
                format!("{}: cannot skip: {}", self.input_name(), reason(&error))
            })?;
        }
        Ok(ManuallyDrop::new(file))
    }

    fn open_output(&self) -> Result<ManuallyDrop<File>, String> {
        let seek = if self.output_flags.iter().any(|flag| flag == "seek_bytes") {
            self.seek
        } else {
            self.seek.saturating_mul(self.output_block as u64)
        };
        let Some(path) = &self.output else {
            return Ok(ManuallyDrop::new(guest_start::descriptor::into_file(1)));
        };
        let failed = |error| format!("failed to open {}: {}", quote(path), reason(&error));
        let append = self.output_flags.iter().any(|flag| flag == "append");
        let mut how = OpenOptions::new();
        how.write(true).append(append);
        match (self.converts("excl"), self.converts("nocreat")) {
            (true, _) => how.create_new(true),
            (_, true) => &mut how,
            _ => how.create(true),
        };
        let mut file = how.open(path).map_err(failed)?;
        if !self.converts("notrunc") && !append && file.metadata().is_ok_and(|m| m.is_file()) {
            file.set_len(seek).map_err(failed)?;
        }
        if seek > 0 {
            file.seek(SeekFrom::Start(seek)).map_err(failed)?;
        }
        Ok(ManuallyDrop::new(file))
    }
}

fn read_block(input: &mut File, buffer: &mut [u8], full: bool) -> io::Result<usize> {
    let mut size = 0;
    loop {
        match input.read(&mut buffer[size..]) {
            Ok(0) => return Ok(size),
            Ok(count) => size += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if !full || size == buffer.len() {
            return Ok(size);
        }
    }
}

impl Progress {
    fn report(&self, status: &str, seconds: f64) {
        if status == "none" {
            return;
        }
        eprintln!("{}+{} records in", self.full_in, self.partial_in);
        eprintln!("{}+{} records out", self.full_out, self.partial_out);
        if status == "noxfer" {
            return;
        }
        let bytes = self.bytes;
        let short = |base: f64, units: [&str; 5]| {
            let mut value = bytes as f64;
            let mut unit = units[0];
            for next in units {
                unit = next;
                if value < base {
                    break;
                }
                value /= base;
            }
            if value < 10.0 {
                format!("{value:.1} {unit}")
            } else {
                format!("{value:.0} {unit}")
            }
        };
        let sizes = match bytes {
            1 => "1 byte".to_owned(),
            0..1000 => format!("{bytes} bytes"),
            1000..1024 => format!(
                "{bytes} bytes ({})",
                short(1000.0, ["B", "kB", "MB", "GB", "TB"])
            ),
            _ => format!(
                "{bytes} bytes ({}, {})",
                short(1000.0, ["B", "kB", "MB", "GB", "TB"]),
                short(1024.0, ["B", "KiB", "MiB", "GiB", "TiB"])
            ),
        };
        let rate = bytes as f64 / seconds.max(1e-9) / 1e6;
        eprintln!("{sizes} copied, {seconds:.6} s, {rate:.1} MB/s");
    }
}
