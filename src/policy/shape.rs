//! Every key and type of a file against the schema, before anything else reads the file.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::policy::complaint::{nearest, quoted};
use crate::policy::places::{At, Places};

/// What is wrong at a place.
#[derive(Debug)]
pub struct Misshapen {
    pub line: usize,
    pub column: usize,
    pub key: String,
    pub fault: String,
    pub remedy: String,
}

/// Compares a file with the schema; answers everything that does not fit.
pub fn check(places: &Places<'_>, schema: &Value) -> Vec<Misshapen> {
    let mut shape = Shape {
        places,
        faults: Vec::new(),
    };
    shape.table(&At::default(), places.table(), schema);
    shape.faults
}

struct Shape<'a> {
    places: &'a Places<'a>,
    faults: Vec<Misshapen>,
}

impl Shape<'_> {
    fn table(&mut self, at: &At, table: &DeTable<'_>, schema: &Value) {
        // What is free belongs to another schema, as that of a tool's input.
        if schema.get("properties").is_none()
            && schema.get("additionalProperties") == Some(&Value::Bool(true))
        {
            return;
        }
        let keys = schema.get("properties").and_then(Value::as_object);
        let known = || keys.into_iter().flatten().map(|(key, _)| key.as_str());
        let others = schema
            .get("additionalProperties")
            .filter(|any| any.is_object());
        for (key, value) in table {
            let name: &str = key.get_ref();
            let inner = at.key(name);
            match keys.and_then(|keys| keys.get(name)).or(others) {
                Some(schema) => self.value(&inner, value.get_ref(), schema),
                None => {
                    let remedy = match nearest(name, known()) {
                        Some(near) => format!("write `{near}`, or remove the key"),
                        None => format!("remove it: the keys here are {}", list(known())),
                    };
                    let fault = "there is no such key".to_owned();
                    self.fault(self.places.name(&inner), &inner, fault, remedy);
                }
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            if !table.iter().any(|(known, _)| known.get_ref() == key) {
                let inner = at.key(key);
                let what = keys.and_then(|keys| keys.get(key));
                let remedy = format!("add `{key} = {}`", what.map_or("…", sample));
                self.fault(
                    self.places.value(at),
                    &inner,
                    "the key is missing".to_owned(),
                    remedy,
                );
            }
        }
    }

    fn value(&mut self, at: &At, value: &DeValue<'_>, schema: &Value) {
        let schema = without_null(schema);
        if let Some(words) = words(schema) {
            let found = value.as_str();
            if !found.is_some_and(|found| words.contains(&found)) {
                let near = found.and_then(|found| nearest(found, words.iter().copied()));
                let remedy = match near {
                    Some(near) => format!("write \"{near}\""),
                    None => format!("write one of {}", list(words.iter().copied())),
                };
                let fault = format!("{} is not known here", shown(value));
                self.fault(self.places.value(at), at, fault, remedy);
            }
            return;
        }
        let wanted = schema.get("type").map(type_name).unwrap_or_default();
        let date = schema.get("format").and_then(Value::as_str) == Some("date-time");
        let fits = match wanted {
            "object" => value.is_table(),
            "array" => value.is_array(),
            "string" if date => value.is_datetime(),
            "string" => value.is_str(),
            "boolean" => value.is_bool(),
            "integer" => value.is_integer(),
            _ => true,
        };
        if !fits {
            let fault = format!("{} does not belong here", shown(value));
            let remedy = format!("write {}, as {}", kind(wanted, date), sample(schema));
            self.fault(self.places.value(at), at, fault, remedy);
            return;
        }
        match value {
            DeValue::Table(table) => self.table(at, table, schema),
            DeValue::Array(array) => {
                if let Some(items) = schema.get("items") {
                    for (index, item) in array.iter().enumerate() {
                        self.value(&at.index(index), item.get_ref(), items);
                    }
                }
            }
            DeValue::Integer(number) => self.number(at, number.as_str(), number.radix(), schema),
            DeValue::String(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            }
        }
    }

    fn number(&mut self, at: &At, digits: &str, radix: u32, schema: &Value) {
        let most = match schema.get("format").and_then(Value::as_str) {
            Some("uint16") => u64::from(u16::MAX),
            Some("uint32") => u64::from(u32::MAX),
            // What TOML can write.
            _ => i64::MAX.unsigned_abs(),
        };
        let number = u64::from_str_radix(digits, radix).ok();
        if number.is_none_or(|number| number > most) {
            let fault = format!("{} is out of range", quoted(digits));
            let remedy = format!("write a whole number from 0 to {most}");
            self.fault(self.places.value(at), at, fault, remedy);
        }
    }

    fn fault(&mut self, place: (usize, usize), at: &At, fault: String, remedy: String) {
        let (line, column) = place;
        let key = at.to_string();
        self.faults.push(Misshapen {
            line,
            column,
            key,
            fault,
            remedy,
        });
    }
}

/// The schema of an optional value without the alternative "absent".
fn without_null(schema: &Value) -> &Value {
    let choices = schema.get("anyOf").and_then(Value::as_array);
    let not_null = |choice: &&Value| choice.get("type").and_then(Value::as_str) != Some("null");
    choices
        .and_then(|choices| choices.iter().find(not_null))
        .unwrap_or(schema)
}

/// The words of an enumeration.
fn words(schema: &Value) -> Option<Vec<&str>> {
    let listed = schema.get("enum").and_then(Value::as_array);
    if let Some(listed) = listed {
        return Some(listed.iter().filter_map(Value::as_str).collect());
    }
    let choices = schema.get("oneOf").and_then(Value::as_array)?;
    let words = choices
        .iter()
        .flat_map(
            |choice| match choice.get("enum").and_then(Value::as_array) {
                Some(listed) => listed.iter().filter_map(Value::as_str).collect(),
                None => Vec::from_iter(choice.get("const").and_then(Value::as_str)),
            },
        )
        .collect::<Vec<_>>();
    (!words.is_empty()).then_some(words)
}

fn type_name(found: &Value) -> &str {
    let one = found.as_str();
    let many = found.as_array().into_iter().flatten();
    let not_null = |name: &&str| *name != "null";
    one.or_else(|| many.filter_map(Value::as_str).find(not_null))
        .unwrap_or_default()
}

fn kind(wanted: &str, date: bool) -> &'static str {
    match wanted {
        "object" => "a table",
        "array" => "an array",
        "string" if date => "a date with time and offset, without quotes",
        "string" => "a string",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "another value",
    }
}

fn sample(schema: &Value) -> &'static str {
    let schema = without_null(schema);
    if words(schema).is_some_and(|words| words.contains(&"read-only")) {
        return "\"read-only\"";
    }
    let date = schema.get("format").and_then(Value::as_str) == Some("date-time");
    match schema.get("type").map(type_name).unwrap_or_default() {
        "object" => "{ … }",
        "array" => "[\"…\"]",
        "string" if date => "2027-01-31T00:00:00Z",
        "boolean" => "true",
        "integer" => "1",
        _ => "\"…\"",
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string {}", quoted(text)),
        DeValue::Integer(number) => format!("the number {}", quoted(number.as_str())),
        DeValue::Float(number) => format!("the number {}", quoted(number.as_str())),
        DeValue::Boolean(flag) => format!("`{flag}`"),
        DeValue::Datetime(date) => format!("the date `{date}`"),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}
