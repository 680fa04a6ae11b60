//! One pass over a CSV stream, in memory that does not grow with it.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

use csv::{ByteRecord, ReaderBuilder};
use serde::Serialize;

use crate::column::{Column, Seen};

/// A quote that is never closed makes the rest of a file one record. Chosen, not measured.
const RECORD_BYTES_MAX: u64 = 1 << 20;
/// Chosen, not measured.
const COLUMNS_MAX: usize = 4096;

#[derive(Debug, Serialize)]
pub struct Summary {
    pub rows: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub ragged: u64,
    pub columns: Vec<Column>,
}

/// Reads all of `source`.
pub fn of(source: impl Read, delimiter: u8) -> Result<Summary, String> {
    let allowance = Rc::new(Cell::new(RECORD_BYTES_MAX));
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(Bounded {
            source,
            allowance: Rc::clone(&allowance),
        });
    let mut record = ByteRecord::new();
    if !read(&mut reader, &mut record)? {
        return Err("the file is empty; its first record must be the header".into());
    }
    if record.len() > COLUMNS_MAX {
        return Err(format!(
            "the header has {} columns, and {COLUMNS_MAX} are the most; is the delimiter right?",
            record.len()
        ));
    }
    let mut columns: Vec<Column> = record.iter().map(Column::named).collect();
    let mut seen = Seen::default();
    let (mut rows, mut ragged) = (0, 0);
    loop {
        allowance.set(RECORD_BYTES_MAX);
        if !read(&mut reader, &mut record)? {
            break;
        }
        rows += 1;
        ragged += u64::from(record.len() != columns.len());
        for (index, column) in columns.iter_mut().enumerate() {
            column.add(record.get(index).unwrap_or_default(), &mut seen);
        }
    }
    columns.iter_mut().for_each(Column::finish);
    Ok(Summary {
        rows,
        ragged,
        columns,
    })
}

fn read<R: Read>(reader: &mut csv::Reader<R>, record: &mut ByteRecord) -> Result<bool, String> {
    let line = reader.position().line();
    reader
        .read_byte_record(record)
        .map_err(|error| format!("the record at line {line} cannot be read: {error}"))
}

/// Ends a record that does not end by itself.
struct Bounded<R> {
    source: R,
    allowance: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.get();
        if left == 0 {
            return Err(io::Error::other(format!(
                "it is longer than {RECORD_BYTES_MAX} bytes; a quote may be left open"
            )));
        }
        let count = self.source.read(buffer)?;
        self.allowance.set(left.saturating_sub(count as u64));
        Ok(count)
    }
}

impl Summary {
    /// A line for each column, for a pipeline.
    pub fn lines(&self) -> String {
        self.columns.iter().map(Column::line).collect()
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str, delimiter: u8) -> String {
        serde_json::to_string(&of(text.as_bytes(), delimiter).unwrap()).unwrap()
    }

    #[test]
    fn columns_are_counted() {
        assert_eq!(
            json("name,age\nann,41\nbob,\nann,34.5\n", b','),
            r#"{"rows":3,"columns":[{"name":"name","filled":3,"empty":0,"distinct":2},{"name":"age","filled":2,"empty":1,"distinct":2,"min":34.5,"max":41.0,"mean":37.75}]}"#
        );
    }

    #[test]
    fn quotes_and_other_delimiters_are_read() {
        assert_eq!(
            json("a;b\n\"1;\n2\";3\n", b';'),
            r#"{"rows":1,"columns":[{"name":"a","filled":1,"empty":0,"distinct":1},{"name":"b","filled":1,"empty":0,"distinct":1,"min":3.0,"max":3.0,"mean":3.0}]}"#
        );
    }

    #[test]
    fn records_of_another_length_are_told() {
        let summary = of("a,b\n1\n1,2,3\n1,2\n".as_bytes(), b',').unwrap();
        assert_eq!((summary.rows, summary.ragged), (3, 2));
        assert_eq!(summary.columns[1].empty, 1);
    }

    #[test]
    fn an_open_quote_ends_at_the_bound() {
        let source = "a\n\"".as_bytes().chain(io::repeat(b'x'));
        let message = of(source, b',').unwrap_err();
        assert!(
            message.contains("line 2") && message.contains("quote"),
            "{message}"
        );
    }

    #[test]
    fn an_empty_file_and_a_wide_one_are_refused() {
        assert!(of("".as_bytes(), b',').unwrap_err().contains("header"));
        let wide = ",".repeat(COLUMNS_MAX);
        assert!(
            of(wide.as_bytes(), b',')
                .unwrap_err()
                .contains("4097 columns")
        );
    }

    #[test]
    fn lines_are_for_pipelines() {
        let summary = of("a\tb,n\nx,1\ny,2\n".as_bytes(), b',').unwrap();
        assert_eq!(
            summary.lines(),
            "a b\t2\t0\t2\t-\t-\t-\nn\t2\t0\t2\t1\t2\t1.5\n"
        );
    }
}
