//! Where in a file a key or a value stands.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The way from the top of a file to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct At(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl At {
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if number == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

/// A parsed file that knows where everything in it stands.
#[derive(Debug)]
pub struct Places<'a> {
    text: &'a str,
    table: Spanned<DeTable<'a>>,
    /// Byte offsets at which lines begin.
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    /// Parses the text as TOML.
    ///
    /// # Errors
    /// The parser's message, with line and column.
    pub fn parse(text: &'a str) -> Result<Self, (usize, usize, String)> {
        let lines = line_starts(text);
        match DeTable::parse(text) {
            Ok(table) => Ok(Self { text, table, lines }),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let (line, column) = position(text, &lines, start);
                let message = error.message().replace('\n', ", ");
                Err((line, column, message))
            }
        }
    }

    pub fn table(&self) -> &DeTable<'a> {
        self.table.get_ref()
    }

    /// Line and column of a value, or of the nearest table around it.
    pub fn value(&self, at: &At) -> (usize, usize) {
        let (_, value) = self.find(at);
        self.position(value)
    }

    /// Line and column of the last key on the way, or of the nearest table around it.
    pub fn name(&self, at: &At) -> (usize, usize) {
        let (key, _) = self.find(at);
        self.position(key)
    }

    /// The line on which a rule begins.
    pub fn line(&self, at: &At) -> usize {
        self.value(at).0
    }

    fn position(&self, span: Range<usize>) -> (usize, usize) {
        position(self.text, &self.lines, span.start)
    }

    /// Spans of the last key and of the value.
    fn find(&self, at: &At) -> (Range<usize>, Range<usize>) {
        let start = 0..0;
        let mut spans = (start.clone(), start);
        let mut here: Option<&DeValue<'_>> = None;
        for step in &at.0 {
            let table = match here {
                None => Some(self.table.get_ref()),
                Some(value) => value.as_table(),
            };
            let next = match step {
                Step::Key(name) => table
                    .and_then(|table| table.iter().find(|(key, _)| key.get_ref() == name))
                    .map(|(key, value)| (key.span(), value)),
                Step::Index(index) => here
                    .and_then(DeValue::as_array)
                    .and_then(|array| array.get(*index))
                    .map(|value| (value.span(), value)),
            };
            let Some((key, value)) = next else { break };
            spans = (key, value.span());
            here = Some(value.get_ref());
        }
        spans
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

fn position(text: &str, lines: &[usize], offset: usize) -> (usize, usize) {
    let line = lines.partition_point(|start| *start <= offset).max(1);
    let start = lines.get(line - 1).copied().unwrap_or(0);
    let column = text
        .get(start..offset)
        .map_or(0, |before| before.chars().count());
    (line, column + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_values_and_rules_are_found_by_line_and_column() {
        let text = "a = 1\n\n[[rule]]\nnames = [\"x\", \"é\", \"z\"]\n[[rule]]\n  b.c = \"y\"\n";
        let places = Places::parse(text).unwrap();
        let rule = At::default().key("rule");
        assert_eq!(places.line(&rule.index(0)), 3);
        assert_eq!(places.line(&rule.index(1)), 5);
        assert_eq!(places.value(&rule.index(0).key("names").index(2)), (4, 20));
        assert_eq!(places.name(&rule.index(1).key("b")), (6, 3));
        assert_eq!(places.line(&rule.index(0).key("absent")), 3);
        assert_eq!(rule.index(1).key("b").to_string(), "rule[1].b");
        let (line, column, message) = Places::parse("a = 1\nb = \n").unwrap_err();
        assert_eq!((line, column), (2, 5), "{message}");
    }
}
