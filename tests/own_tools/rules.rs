//! What a policy may say of a tool, and what it may not: files that do not load, and why.

use serde_json::json;

use crate::hostile::{Fate, Kind, all};
use crate::{COMPONENTS, HEAD, Place, digest, guest, hotcell, rule};

/// How a policy with these rules is refused; none when it loads.
fn refused(rules: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    std::fs::write(&file, format!("{HEAD}{rules}")).unwrap();
    let (code, said) = hotcell(&["policy", "check", file.to_str().unwrap()]);
    (code != Some(0)).then_some(said)
}

#[test]
fn what_is_not_granted_does_not_load_and_is_named() {
    let module = |name: &str| rule("t", "module", &guest(name), "");
    let said = refused(&module("foreign.wasm")).unwrap();
    assert!(
        said.contains("env::do_something") && said.contains("not granted"),
        "{said}"
    );
    assert!(said.contains("tool[1].file"), "{said}");
    // The twin: a file that asks for nothing else loads.
    assert_eq!(refused(&module("copy.wasm")), None);
    if !COMPONENTS {
        let said = refused(&rule("t", "component", &guest("copy-component.wasm"), "")).unwrap();
        assert!(said.contains("built without them"), "{said}");
        return;
    }
    for (file, name) in [
        ("sockets.wasm", "wasi:sockets/"),
        ("http.wasm", "wasi:http/"),
        ("component-foreign.wasm", "acme:stuff/thing"),
    ] {
        let said = refused(&rule("t", "component", &guest(file), "")).unwrap();
        assert!(
            said.contains(name) && said.contains("not granted"),
            "{file}: {said}"
        );
    }
    assert_eq!(
        refused(&rule("t", "component", &guest("copy-component.wasm"), "")),
        None
    );
}

/// Holds each file to what its complaint must say, with the line it is in.
fn each_is_refused(wrong: &[(String, &str)]) {
    for (rules, part) in wrong {
        let said = refused(rules).unwrap_or_else(|| panic!("loads: {rules}"));
        assert!(
            said.contains(part) && said.contains("line "),
            "{part}: {said}"
        );
    }
}

#[test]
fn every_wrong_value_is_named_with_its_line_and_a_way_out() {
    let file = guest("copy.wasm");
    let good = rule("t", "module", &file, "");
    assert_eq!(refused(&good), None);
    let swap = |from: &str, to: &str| good.replace(from, to);
    let name = |name: &str| swap("name = \"t\"", &format!("name = \"{name}\""));
    let kind = |kind: &str| swap("kind = \"module\"\n", kind);
    let not_it = match COMPONENTS {
        true => "is a module, not a component",
        false => "built without",
    };
    each_is_refused(&[
        (name("A T"), "cannot name a tool"),
        (name("bash"), "is there already"),
        (name("grep"), "is there already"),
        (kind("kind = \"modul\"\n"), "write \"module\""),
        (kind("kind = \"component\"\n"), not_it),
        (kind(""), "kind"),
        (
            swap("description = \"A tool for tests.\"\n", ""),
            "description",
        ),
        (
            swap(&digest(&file), &"0".repeat(64)),
            "the file has the digest",
        ),
        (swap(&digest(&file), "abc"), "is no SHA-256"),
        (
            swap(&file.display().to_string(), "/nowhere/x.wasm"),
            "cannot be read",
        ),
        (good.clone() + &good, "defined twice"),
        (
            "[[tool]]\nnames = [\"grep\"]\nfile = \"x\"\nreason = \"r\"\n".to_owned(),
            "no such key",
        ),
    ]);
}

#[test]
fn every_wrong_grant_and_schema_is_named_with_its_line_and_a_way_out() {
    let good = rule("t", "module", &guest("copy.wasm"), "");
    let more = |more: &str| format!("{good}{more}\n");
    let mount = |words: &str| more(&format!("mounts = [{{ {words}, access = \"read-only\" }}]"));
    let closed = "[tool.input]\nadditionalProperties = false\ntype = \"object\"";
    each_is_refused(&[
        (mount("guest = \"/absent\""), "calls have no folder"),
        (mount("guest = \"/x\", host = \"/\""), "whole host"),
        (
            mount("guest = \"/bin\", host = \"/srv\""),
            "cannot be a mount",
        ),
        (
            more("environment = { \"A=B\" = \"x\" }"),
            "cannot be a variable",
        ),
        (more("limits = { wall = \"soon\" }"), "wall"),
        (more("colour = 1"), "there is no such key"),
        (more("names = [\"bash\"]"), "has `names` and `name`"),
        (more("[tool.input]\ntype = \"objekt\""), "tool[1].input"),
        (
            more("[tool.input]\n\"$ref\" = \"http://example.org/schema\""),
            "tool[1].input",
        ),
        (
            more(&format!("allows = ['{{\"a\": 1}}']\n{closed}")),
            "the schema refuses",
        ),
        (more("denies = ['{\"a\": 1}']"), "the schema takes"),
    ]);
}

#[test]
fn a_component_may_not_write_and_both_digests_are_told() {
    let file = guest("copy.wasm");
    let said =
        refused(&rule("t", "module", &file, "").replace(&digest(&file), &"1".repeat(64))).unwrap();
    assert!(
        said.contains(&digest(&file)) && said.contains(&"1".repeat(64)),
        "{said}"
    );
    let more = "mounts = [{ guest = \"/workspace\", access = \"read-write\" }]";
    let said = refused(&rule("t", "component", &guest("copy-component.wasm"), more)).unwrap();
    assert!(said.contains("a component only reads"), "{said}");
    assert_eq!(refused(&rule("t", "module", &file, more)), None);
}

#[test]
fn a_denied_tool_is_denied_in_every_way_and_does_not_run() {
    let deny = "[[deny]]\ntools = [\"t\"]\nreason = \"not today\"\n";
    let file = guest("misbehave-module.wasm");
    let more = "mounts = [{ guest = \"/workspace\", access = \"read-write\" }]";
    let place = Place::new(&format!("{}{deny}", rule("t", "module", &file, more)));
    let input = json!({"do": "write", "path": "made", "text": "x"});
    let answer = place
        .server
        .execute(&json!({"tool": "t", "input": input}))
        .unwrap();
    assert_eq!(answer.status, 403, "{}", answer.body);
    let said = place.bash(
        "echo '{\"do\": \"write\", \"path\": \"/workspace/made\", \"text\": \"x\"}' | t; echo $?",
    );
    assert!(
        said.error.contains("not today") && said.output == "126\n",
        "{said:?}"
    );
    assert!(!place.workspace.join("made").exists());
    let record = place.record();
    let denied = record
        .iter()
        .filter(|line| line["tool"] == "t" && line["decision"] == "deny");
    assert_eq!(denied.count(), 2);
}

#[test]
fn a_file_that_is_swapped_after_the_check_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.wasm");
    std::fs::copy(guest("misbehave-module.wasm"), &file).unwrap();
    let place = Place::new(&rule("t", "module", &file, ""));
    std::fs::copy(guest("foreign.wasm"), &file).unwrap();
    let said = place.call("t", &json!({"do": "echo", "text": "as checked"}));
    assert!(said.output.contains("as checked"), "{said:?}");
    // A reload sees the swap, says both digests, and leaves the old policy in force.
    rustix::process::kill_process(place.server.pid(), rustix::process::Signal::HUP).unwrap();
    let failed = || {
        place.server.call("GET", "/readyz", None).unwrap().body["policies"]["reloadFailed"] == true
    };
    for _ in 0..100 {
        if failed() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(failed());
    let said = place.call("t", &json!({"do": "echo", "text": "as checked"}));
    assert!(said.output.contains("as checked"), "{said:?}");
}

/// Hostile files: refused, or what is left of them ends by a limit; the server and others go on.
#[test]
fn hostile_files_are_refused_or_contained() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::env::var_os("HOTCELL_FULL").is_some();
    let (mut refusals, mut contained) = (0, 0);
    let mut rules = String::new();
    for (number, tool) in all().into_iter().enumerate() {
        // A sample of the many that are cut or have flipped bits.
        let many = tool.name.contains("-cut-at-") || tool.name.contains("-flipped-");
        if !full && many && number % 8 != 0 {
            continue;
        }
        let kind = match tool.kind {
            Kind::Module => "module",
            Kind::Component => "component",
        };
        let file = folder.path().join(format!("{number}.wasm"));
        std::fs::write(&file, &tool.bytes).unwrap();
        let more = "limits = { wall = \"2s\", memory = \"64MiB\", output_stop = \"1MiB\" }";
        let rule = rule(&format!("h{number}"), kind, &file, more);
        match refused(&rule) {
            Some(said) => {
                assert!(said.contains("tool[1]"), "{}: {said}", tool.name);
                refusals += 1;
            }
            None => {
                assert_eq!(tool.fate, Fate::Either, "{} loads", tool.name);
                contained += 1;
                rules += &rule;
            }
        }
    }
    println!("{refusals} hostile files refused, {contained} load");
    assert!(refusals >= 20, "{refusals}");
    let place = Place::new(&rules);
    for line in rules
        .lines()
        .filter_map(|line| line.strip_prefix("name = \""))
    {
        let name = line.trim_end_matches('"');
        let answer = place
            .server
            .execute(&json!({"tool": name, "input": {}}))
            .unwrap();
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        let said = place.bash("echo neighbour");
        assert_eq!(said.output, "neighbour\n", "{name}");
    }
    assert_eq!(
        place.server.call("GET", "/readyz", None).unwrap().status,
        200
    );
}
