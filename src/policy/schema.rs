//! The policy file's JSON Schema, for editors and for our own check of every key.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::policy::text::PolicyText;

/// The schema of a policy file, as JSON Schema 2020-12.
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let settings =
            SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        settings
            .into_generator()
            .into_root_schema_for::<PolicyText>()
            .to_value()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_closed_and_every_key_has_a_type() {
        fn walk(schema: &Value, tables: &mut usize) {
            if let Some(keys) = schema.get("properties").and_then(Value::as_object) {
                *tables += 1;
                assert_eq!(schema["additionalProperties"], false, "{schema}");
                keys.values().for_each(|inner| walk(inner, tables));
            } else if let Some(items) = schema.get("items") {
                walk(items, tables);
            } else if let Some(one_of) = schema.get("anyOf").and_then(Value::as_array) {
                one_of.iter().for_each(|inner| walk(inner, tables));
            } else {
                let typed = ["type", "enum", "const", "oneOf"];
                assert!(
                    typed.iter().any(|key| schema.get(key).is_some()),
                    "{schema}"
                );
            }
        }
        let mut tables = 0;
        walk(schema(), &mut tables);
        assert!(tables >= 13, "{tables}");
    }
}
