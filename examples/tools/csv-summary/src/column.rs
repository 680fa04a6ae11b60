//! What is known of one column.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde::Serialize;

/// Of one column, then of all together: hashes of 8 bytes, about 16 MiB in all. Chosen, not measured.
const DISTINCT_MAX: usize = 100_000;
const DISTINCT_TOTAL_MAX: usize = 1_000_000;

/// How many values all columns have kept.
#[derive(Default)]
pub struct Seen {
    kept: usize,
}

#[derive(Debug, Serialize)]
pub struct Column {
    pub name: String,
    pub filled: u64,
    pub empty: u64,
    pub distinct: usize,
    #[serde(skip_serializing_if = "is_false")]
    pub distinct_is_minimum: bool,
    #[serde(flatten)]
    pub numbers: Option<Numbers>,
    #[serde(skip)]
    hashes: HashSet<u64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Numbers {
    pub min: f64,
    pub max: f64,
    pub mean: f64,
}

impl Column {
    pub fn named(name: &[u8]) -> Self {
        Self {
            name: String::from_utf8_lossy(name).into_owned(),
            filled: 0,
            empty: 0,
            distinct: 0,
            distinct_is_minimum: false,
            numbers: Some(Numbers {
                min: f64::INFINITY,
                max: f64::NEG_INFINITY,
                mean: 0.0,
            }),
            hashes: HashSet::new(),
        }
    }

    pub fn add(&mut self, cell: &[u8], seen: &mut Seen) {
        if cell.is_empty() {
            self.empty += 1;
            return;
        }
        self.filled += 1;
        self.count_distinct(cell, seen);
        if let Some(numbers) = &mut self.numbers {
            match number(cell) {
                Some(value) => numbers.add(value, self.filled),
                None => self.numbers = None,
            }
        }
    }

    fn count_distinct(&mut self, cell: &[u8], seen: &mut Seen) {
        let mut hasher = DefaultHasher::new();
        cell.hash(&mut hasher);
        let hash = hasher.finish();
        if self.hashes.len() < DISTINCT_MAX && seen.kept < DISTINCT_TOTAL_MAX {
            seen.kept += usize::from(self.hashes.insert(hash));
        } else if !self.hashes.contains(&hash) {
            self.distinct_is_minimum = true;
        }
    }

    pub fn finish(&mut self) {
        self.distinct = self.hashes.len();
        if self.filled == 0 {
            self.numbers = None;
        }
    }

    /// Tabs and line ends in a name would be taken for those between columns.
    pub fn line(&self) -> String {
        let name = self.name.replace(char::is_control, " ");
        let numbers = match &self.numbers {
            Some(Numbers { min, max, mean }) => format!("{min}\t{max}\t{mean}"),
            None => "-\t-\t-".into(),
        };
        format!(
            "{name}\t{}\t{}\t{}\t{numbers}\n",
            self.filled, self.empty, self.distinct
        )
    }
}

impl Numbers {
    /// Adds the `count`th value. The mean moves towards it, so that no sum can overflow.
    fn add(&mut self, value: f64, count: u64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.mean += value / count as f64 - self.mean / count as f64;
    }
}

/// `inf` and `nan` are words here, as in most files.
fn number(cell: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(cell).ok()?.trim().parse().ok()?;
    value.is_finite().then_some(value)
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cells: &[&str]) -> Column {
        let mut column = Column::named(b"c");
        let mut seen = Seen::default();
        for cell in cells {
            column.add(cell.as_bytes(), &mut seen);
        }
        column.finish();
        column
    }

    #[test]
    fn one_word_makes_a_column_text() {
        assert!(column(&["1", "2e3", " 4 "]).numbers.is_some());
        for cells in [&["1", "x"][..], &["nan"], &["inf"], &[], &["", ""]] {
            assert!(column(cells).numbers.is_none(), "{cells:?}");
        }
    }

    #[test]
    fn huge_numbers_have_a_mean() {
        let numbers = column(&["1e308", "1e308", "1e308"]).numbers.unwrap();
        assert!((numbers.mean / 1e308 - 1.0).abs() < 1e-9, "{numbers:?}");
    }

    #[test]
    fn distinct_values_are_counted_up_to_the_bound() {
        let cells: Vec<String> = (0..DISTINCT_MAX + 5)
            .map(|number| number.to_string())
            .collect();
        let column = column(&cells.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(
            (column.distinct, column.distinct_is_minimum),
            (DISTINCT_MAX, true)
        );
    }
}
