//! The three examples: listed, called, refused wrong input, and joined in pipelines.

use serde_json::{Value, json};

use crate::{COMPONENTS, Place, hotcell};

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tools/policy.toml");

/// The policy of the examples, with the folder of its tools named from the root.
fn policy() -> String {
    let text = std::fs::read_to_string(POLICY).unwrap();
    let dist = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tools/dist/");
    text.replace("file = \"dist/", &format!("file = \"{dist}"))
}

const TABLE: &str = "name,age\nann,31\nbob,27\neve,\n";

#[test]
fn the_examples_are_listed_called_and_joined_in_pipelines() {
    if !COMPONENTS {
        let (code, said) = hotcell(&["policy", "check", POLICY]);
        assert_ne!(code, Some(0));
        assert!(said.contains("built without them"), "{said}");
        return;
    }
    let place = Place::of(&policy());
    let listed = place.server.call("GET", "/tools", None).unwrap().body;
    let tools = listed["tools"].as_array().unwrap();
    let schema = |name: &str| {
        let found = tools.iter().find(|tool| tool["name"] == name);
        found.unwrap_or_else(|| panic!("{name} is not listed"))["input_schema"].clone()
    };
    assert_eq!(schema("csv-summary")["required"], json!(["path"]));
    assert_eq!(schema("redact")["additionalProperties"], false);
    assert!(schema("json-check")["properties"]["schema"].is_object());
    assert!(tools.iter().any(|tool| tool["name"] == "bash"));

    std::fs::write(place.workspace.join("t.csv"), TABLE).unwrap();
    let said = place.call("csv-summary", &json!({"path": "t.csv"}));
    let answer: Value =
        serde_json::from_str(&said.output).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    assert_eq!(answer["rows"], 3, "{answer}");
    let said = place.call(
        "json-check",
        &json!({"document": {"a": 1}, "schema": {"required": ["b"]}}),
    );
    let answer: Value =
        serde_json::from_str(&said.output).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    assert_eq!(answer["valid"], false, "{answer}");
    let said = place.call("redact", &json!({"text": "mail ann@example.org now"}));
    assert_eq!(
        (said.code, said.output.trim_end()),
        (0, "mail [email] now"),
        "{said:?}"
    );

    // As programs, with guests on both sides.
    let said = place.bash("cat t.csv | csv-summary - | sort | head -n 1 | cut -f 1");
    assert_eq!((said.code, &*said.output), (0, "age\n"), "{said:?}");
    let said =
        place.bash("printf 'a 10.0.0.1\\nb ann@x.org\\n' | redact - | tr a-z A-Z | tail -n 1");
    assert_eq!((said.code, &*said.output), (0, "B [EMAIL]\n"), "{said:?}");
    let said = place.bash("echo '{\"document\": [1]}' | json-check | grep -c true");
    assert_eq!((said.code, &*said.output), (0, "1\n"), "{said:?}");
    let said = place.bash("ls /bin | grep -c -e '^csv-summary$' -e '^redact$'; type csv-summary");
    assert!(said.output.starts_with("2\n"), "{said:?}");
}

#[test]
fn wrong_input_answers_with_the_place_and_the_part_of_the_schema() {
    if !COMPONENTS {
        return;
    }
    let place = Place::of(&policy());
    for (tool, input, parts) in [
        (
            "csv-summary",
            json!({"path": 1}),
            ["/path", "/properties/path/type"],
        ),
        (
            "csv-summary",
            json!({}),
            ["\"path\" is a required property", "/required"],
        ),
        (
            "redact",
            json!({"text": "a", "kinds": ["name"]}),
            ["/kinds/0", "/properties/kinds/items/enum"],
        ),
        (
            "json-check",
            json!({"file": "a"}),
            ["'file' was unexpected", "/additionalProperties"],
        ),
    ] {
        let answer = place
            .server
            .execute(&json!({"tool": tool, "input": input}))
            .unwrap();
        assert_eq!(answer.status, 400, "{}", answer.body);
        let error = answer.body["error"].as_str().unwrap();
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    // A typed tool's input is checked in the shell, too, and nothing of it runs.
    let said = place.bash("echo '{\"file\": 1}' | json-check; echo $?");
    assert!(said.error.contains("'file' was unexpected"), "{said:?}");
    assert_eq!(said.output, "126\n", "{said:?}");
    let said = place.bash("json-check x.json; echo $?");
    assert!(said.error.contains("as JSON on standard input"), "{said:?}");
    assert_eq!(said.output, "126\n");
}

#[test]
fn a_checked_file_comes_with_the_rule_to_paste() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/tools/dist/csv-summary.wasm"
    );
    let state = tempfile::tempdir().unwrap();
    let state = state.path().to_str().unwrap();
    let (code, said) = hotcell(&["tool", "check", file, "--state", state]);
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "kind        module",
        "sha256",
        "wasi_snapshot_preview1::path_open",
        "_start",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let rule = said.split("# For a policy").nth(1).unwrap();
    let rule = rule
        .split_once('\n')
        .unwrap()
        .1
        .replace("…", "as the operator says");
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("p.toml");
    std::fs::write(&policy, format!("{}{rule}", crate::HEAD)).unwrap();
    let (code, said) = hotcell(&["policy", "check", policy.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    let text = folder.path().join("no.wasm");
    std::fs::write(&text, "no WebAssembly").unwrap();
    let (code, said) = hotcell(&["tool", "check", text.to_str().unwrap(), "--state", state]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("no.wasm") && said.contains("is no WebAssembly"),
        "{said}"
    );
}
