//! `json-check` checks a JSON document against a JSON Schema (drafts 4 to 2020-12).
//!
//! It is a component of the typed world `hotcell:tool/tool`: one function takes the call's input and
//! gives the answer, both as JSON texts. The input names the document and the schema, each itself or
//! as a file:
//!
//! ```json
//! {"path": "config.json", "schema": {"type": "object", "required": ["port"]}}
//! ```
//!
//! The answer says where the document breaks the schema, with JSON Pointers into both:
//!
//! ```json
//! {"valid": false, "errors": [
//!   {"at": "", "schema": "/required", "message": "\"port\" is a required property"}]}
//! ```
//!
//! Without a schema it says whether the document is JSON at all. The list ends after 100 errors, and
//! `"more": true` then says that there are others. A schema that is wrong itself, or a file that cannot
//! be read, is a failure of the call and not an answer.
//!
//! In the shell the same JSON goes to standard input:
//!
//! ```sh
//! echo '{"path": "config.json", "schema_path": "schema.json"}' | json-check
//! ```

mod check;
mod input;

/// The typed world's glue. Natively, for the unit tests, there is no world.
#[cfg(target_family = "wasm")]
#[allow(
    unsafe_code,
    reason = "wit-bindgen's glue passes strings over the boundary"
)]
mod world {
    wit_bindgen::generate!({ world: "tool", path: "../wit" });

    struct JsonCheck;

    impl Guest for JsonCheck {
        fn run(input: String) -> Result<String, String> {
            crate::run(&input)
        }
    }

    export!(JsonCheck);
}

/// Answers one call.
pub fn run(input: &str) -> Result<String, String> {
    let report = check::check(&input::from_json(input)?)?;
    serde_json::to_string(&report).map_err(|error| format!("cannot write the answer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::run;

    #[track_caller]
    fn check(input: &str, wanted: &str) {
        assert_eq!(run(input).unwrap(), wanted);
    }

    #[test]
    fn documents_are_checked() {
        check(
            r#"{"document": {"port": 1}, "schema": {"required": ["port"]}}"#,
            r#"{"valid":true,"errors":[]}"#,
        );
        check(
            r#"{"document": {"port": "x"}, "schema": {"properties": {"port": {"type": "integer"}}}}"#,
            concat!(
                r#"{"valid":false,"errors":[{"at":"/port","schema":"/properties/port/type","#,
                r#""message":"\"x\" is not of type \"integer\""}]}"#
            ),
        );
        check(r#"{"document": null}"#, r#"{"valid":true,"errors":[]}"#);
    }

    #[test]
    fn the_list_of_errors_ends() {
        let input = format!(
            r#"{{"document": [{}1], "schema": {{"items": {{"type": "string"}}}}}}"#,
            "1,".repeat(100)
        );
        let answer = run(&input).unwrap();
        assert_eq!(answer.matches("\"at\"").count(), 100);
        assert!(answer.ends_with(r#""more":true}"#));
    }

    #[test]
    fn a_long_value_is_cut_in_the_message() {
        let input = format!(
            r#"{{"document": "{}", "schema": {{"maxLength": 3}}}}"#,
            "é".repeat(2000)
        );
        assert!(run(&input).unwrap().len() < 1500);
    }

    #[test]
    fn a_schema_cannot_reach_outside() {
        let input = r#"{"document": 1, "schema": {"$ref": "https://example.org/schema.json"}}"#;
        assert!(
            run(input)
                .unwrap_err()
                .contains("the schema cannot be used")
        );
    }

    #[test]
    fn faults_of_the_call_are_failures() {
        for (input, part) in [
            ("{", "not as wanted"),
            ("{}", "send \"document\" or \"path\""),
            (r#"{"document": 1, "path": "a"}"#, "exclude each other"),
            (
                r#"{"document": 1, "schema": true, "schema_path": "a"}"#,
                "exclude each other",
            ),
            (
                r#"{"path": "no/such/file"}"#,
                "cannot open \"no/such/file\"",
            ),
            (
                r#"{"document": 1, "schema": {"type": "word"}}"#,
                "the schema cannot be used",
            ),
        ] {
            let message = run(input).unwrap_err();
            assert!(message.contains(part), "{input}: {message}");
        }
    }
}
