//! Unpacking: the members of a gzip file one after the other, as one stream.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Why a stream could not be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    NotGzip,
    Checksum,
    Format,
    Short,
}

impl Damage {
    /// In gzip's words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotGzip => "not in gzip format",
            Self::Checksum => "invalid compressed data--crc error",
            Self::Format => "invalid compressed data--format violated",
            Self::Short => "unexpected end of file",
        }
    }

    /// What an error of [`Members`] stands for; `None` when reading itself failed.
    pub fn of(error: &io::Error) -> Option<Self> {
        error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<DamageError>())
            .map(|damage| damage.0)
    }
}

#[derive(Debug)]
struct DamageError(Damage);

impl std::fmt::Display for DamageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.text())
    }
}

impl std::error::Error for DamageError {}

fn damaged(damage: Damage) -> io::Error {
    io::Error::other(DamageError(damage))
}

/// Reads what all members of a gzip stream hold.
pub struct Members<R: BufRead> {
    /// The stream until its first bytes are read.
    untouched: Option<R>,
    decoder: Option<GzDecoder<R>>,
    /// Whether something that is no member followed the last one.
    pub garbage: bool,
}

impl<R: BufRead> Members<R> {
    pub fn new(source: R) -> Self {
        Self {
            untouched: Some(source),
            decoder: None,
            garbage: false,
        }
    }

    /// Starts the next member; false when there is none.
    fn next_member(&mut self) -> io::Result<bool> {
        let Some(decoder) = self.decoder.take() else {
            return Ok(false);
        };
        let mut source = decoder.into_inner();
        // Zeros after the last member are padding of tapes.
        loop {
            let ahead = source.fill_buf()?;
            let zeros = ahead.iter().take_while(|byte| **byte == 0).count();
            if zeros == 0 {
                break;
            }
            source.consume(zeros);
        }
        match source.fill_buf()? {
            [] => Ok(false),
            [0x1f] | [0x1f, 0x8b, ..] => {
                self.decoder = Some(GzDecoder::new(source));
                Ok(true)
            }
            _ => {
                self.garbage = true;
                io::copy(&mut source, &mut io::sink())?;
                Ok(false)
            }
        }
    }

    fn explain(&self, error: io::Error) -> io::Error {
        let text = error.to_string();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(Damage::Short),
            io::ErrorKind::InvalidInput if text.contains("checksum") => damaged(Damage::Checksum),
            io::ErrorKind::InvalidInput if text.contains("header") => damaged(Damage::NotGzip),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => damaged(Damage::Format),
            _ => error,
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(mut source) = self.untouched.take() {
            if !matches!(source.fill_buf()?, [] | [0x1f] | [0x1f, 0x8b, ..]) {
                return Err(damaged(Damage::NotGzip));
            }
            self.decoder = Some(GzDecoder::new(source));
        }
        loop {
            let Some(decoder) = self.decoder.as_mut() else {
                return Ok(0);
            };
            match decoder.read(buffer) {
                Ok(0) if buffer.is_empty() => return Ok(0),
                Ok(0) => {
                    if !self.next_member()? {
                        return Ok(0);
                    }
                }
                Ok(count) => return Ok(count),
                Err(error) => return Err(self.explain(error)),
            }
        }
    }
}
