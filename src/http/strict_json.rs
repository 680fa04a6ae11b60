//! JSON without double keys: two readers of `{"a":1,"a":2}` must not see different requests.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one JSON value and nothing after it.
///
/// # Errors
/// serde_json's text, or the name of a key that occurs twice in one object.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Strict>(bytes).map(|strict| strict.0)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = access.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if values.contains_key(&key) {
                let key: String = key.chars().take(100).collect();
                return Err(de::Error::custom(format_args!(
                    "the key `{key}` occurs twice"
                )));
            }
            let Strict(value) = access.next_value()?;
            values.insert(key, value);
        }
        Ok(values.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_serde_json_reads_them() {
        let text = r#"{"a":[1,-2,3.5,true,null,"x\u00e9"],"b":{"c":{}},"d":18446744073709551615}"#;
        assert_eq!(
            parse(text.as_bytes()).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
    }

    #[test]
    fn double_keys_and_everything_that_is_not_one_json_value_are_refused() {
        let deep = "[".repeat(100_000);
        let cases: &[&[u8]] = &[
            br#"{"a":1,"a":1}"#,
            br#"{"x":[{"a":1,"\u0061":2}]}"#,
            b"",
            b"{} {}",
            b"{}x",
            b"NaN",
            b"1e400",
            b"\xef\xbb\xbf{}",
            b"\"\\ud800\"",
            b"\"\xff\"",
            deep.as_bytes(),
        ];
        for case in cases {
            assert!(
                parse(case).is_err(),
                "{}",
                String::from_utf8_lossy(&case[..case.len().min(40)])
            );
        }
        assert!(
            parse(cases[0])
                .unwrap_err()
                .to_string()
                .contains("`a` occurs twice")
        );
    }
}
