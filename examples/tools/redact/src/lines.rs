//! A stream line by line, in memory for one line.

use std::io::{BufRead, Read, Write};

/// Chosen, not measured.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Writes what `change` makes of each line; line ends stay as they are.
pub fn each(
    mut input: impl BufRead,
    mut output: impl Write,
    change: impl Fn(&[u8]) -> Vec<u8>,
) -> Result<(), String> {
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        number += 1;
        line.clear();
        input
            .by_ref()
            .take(LINE_BYTES_MAX as u64 + 1)
            .read_until(b'\n', &mut line)
            .map_err(|error| format!("cannot read line {number}: {error}"))?;
        if line.is_empty() {
            break;
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(format!(
                "line {number} is longer than {LINE_BYTES_MAX} bytes: break it into lines first, at places \
                 where there is no secret"
            ));
        }
        let (text, end) = line.split_at(line.trim_ascii_end().len());
        output
            .write_all(&change(text))
            .and_then(|()| output.write_all(end))
            .map_err(|error| format!("cannot write line {number}: {error}"))?;
    }
    output
        .flush()
        .map_err(|error| format!("cannot write the end: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upper(text: &[u8]) -> Result<Vec<u8>, String> {
        let mut output = Vec::new();
        each(text, &mut output, <[u8]>::to_ascii_uppercase)?;
        Ok(output)
    }

    #[test]
    fn lines_keep_their_ends() {
        for (text, wanted) in [("a\n\nb\r\n", "A\n\nB\r\n"), ("a \nb", "A \nB"), ("", "")] {
            assert_eq!(upper(text.as_bytes()).unwrap(), wanted.as_bytes());
        }
    }

    #[test]
    fn a_line_has_a_bound() {
        let fits = vec![b'a'; LINE_BYTES_MAX];
        assert_eq!(upper(&fits).unwrap().len(), LINE_BYTES_MAX);
        let long = [b"x\n", fits.as_slice(), b"a"].concat();
        assert!(upper(&long).unwrap_err().starts_with("line 2 is longer"));
    }
}
