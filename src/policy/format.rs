//! Policy files in one form; comments stay where they are.

use toml_edit::{Array, DocumentMut, Item, Table, Value};

/// Longest array on one line, in characters.
const LINE_CHARS_MAX: usize = 100;

/// Writes a file in the usual form.
///
/// # Errors
/// The file is no TOML.
pub fn format(text: &str) -> Result<String, String> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| error.to_string().trim_end().to_owned())?;
    table(document.as_table_mut());
    let formatted = document.to_string();
    let mut lines: Vec<&str> = Vec::new();
    for line in formatted.lines().map(str::trim_end) {
        let header = line.starts_with('[');
        let blank_before = lines
            .last()
            .is_none_or(|last| last.is_empty() || last.starts_with('#'));
        if header && !blank_before && !in_array(&lines) {
            lines.push("");
        }
        // One blank line is enough.
        if !(line.is_empty() && lines.last().is_none_or(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    while lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    Ok(lines.join("\n") + "\n")
}

/// Whether the last line continues on the next: a header never stands in an array.
fn in_array(lines: &[&str]) -> bool {
    lines.last().is_some_and(|last| last.ends_with(['[', ',']))
}

fn table(table: &mut Table) {
    let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    for key in keys {
        let is_value = table.get(&key).is_some_and(Item::is_value);
        if let Some(mut key) = table.key_mut(&key).filter(|_| is_value) {
            let decor = key.leaf_decor_mut();
            decor.set_suffix(" ");
        }
        match table.get_mut(&key) {
            Some(Item::Value(found)) => value(found, key.chars().count()),
            Some(Item::Table(inner)) => self::table(inner),
            Some(Item::ArrayOfTables(tables)) => tables.iter_mut().for_each(self::table),
            Some(Item::None) | None => {}
        }
    }
}

fn value(value: &mut Value, key_chars: usize) {
    value.decor_mut().set_prefix(" ");
    if let Value::Array(found) = value {
        array(found, key_chars);
    }
}

fn array(array: &mut Array, key_chars: usize) {
    let has_comment = |raw: Option<&toml_edit::RawString>| {
        raw.and_then(toml_edit::RawString::as_str)
            .is_some_and(|text| text.contains('#'))
    };
    let decor =
        |item: &Value| has_comment(item.decor().prefix()) || has_comment(item.decor().suffix());
    let commented = array.iter().any(decor)
        || array
            .trailing()
            .as_str()
            .is_some_and(|text| text.contains('#'));
    if commented {
        return;
    }
    let chars: usize = array
        .iter()
        .map(|item| item.to_string().trim().len() + 2)
        .sum();
    let one_line = chars + key_chars + 5 <= LINE_CHARS_MAX;
    for (number, item) in array.iter_mut().enumerate() {
        let prefix = match (one_line, number) {
            (true, 0) => "",
            (true, _) => " ",
            (false, _) => "\n    ",
        };
        item.decor_mut().set_prefix(prefix);
        item.decor_mut().set_suffix("");
    }
    array.set_trailing_comma(!one_line);
    array.set_trailing(if one_line { "" } else { "\n" });
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIDY: &str = "# top\nversion=1   # one\nname =\"n\"\n\n\n\n[[tool]]\nnames=[  \"a\",\n \"b\"]\n  # why\nreason = \"r\"\n[limits]\nfuel=1\n";

    #[test]
    fn the_form_is_one_and_comments_stay() {
        let wanted = "# top\nversion = 1   # one\nname = \"n\"\n\n[[tool]]\nnames = [\"a\", \"b\"]\n  # why\nreason = \"r\"\n\n[limits]\nfuel = 1\n";
        let once = format(UNTIDY).unwrap();
        assert_eq!(once, wanted);
        assert_eq!(format(&once).unwrap(), once);
        assert!(format("a =").is_err());
    }
}
