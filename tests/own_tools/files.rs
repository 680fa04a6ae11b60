//! What a tool sees: its granted folders, and nothing else of the call, the session or the host.

use serde_json::json;

use crate::{Place, misbehaving, misbehaving_rules, rule};

const CANARY: &str = "canary-of-another-place";

#[test]
fn each_kind_reads_what_was_granted_and_nothing_else() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("granted"), "granted text").unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), CANARY).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), data.path().join("link")).unwrap();
    std::fs::hard_link(data.path().join("granted"), data.path().join("second")).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    for folder in [data.path(), outside.path()] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let more = format!(
        "mounts = [{{ guest = \"/data\", host = \"{}\", access = \"read-only\" }}]\nenvironment = {{ ONLY = \"this\" }}",
        data.path().display()
    );
    let place = Place::new(&misbehaving_rules(&more));
    std::fs::write(place.workspace.join("mine"), CANARY).unwrap();
    let secret = outside.path().join("secret").display().to_string();
    for (tool, ..) in misbehaving() {
        let said = place.call(tool, &json!({"do": "read", "path": "/data/granted"}));
        assert_eq!(
            (said.code, said.plain()),
            (0, "granted text"),
            "{tool} {said:?}"
        );
        for path in [
            "/workspace/mine",
            "mine",
            "../workspace/mine",
            "/data/../workspace/mine",
            "/data/link",
            "/data/link/",
            &secret,
            "/data/../../../../../../etc/shadow",
            "/etc/shadow",
            "/proc/self/environ",
            "/proc/self/maps",
            "/tmp/x",
            "/data/./../secret",
        ] {
            let said = place.call(tool, &json!({"do": "read", "path": path}));
            assert_ne!(said.code, 0, "{tool} read {path}: {said:?}");
            assert!(
                !said.output.contains(CANARY) && !said.output.contains("root:"),
                "{tool} {path} {said:?}"
            );
        }
        let said = place.call(
            tool,
            &json!({"do": "write", "path": "/data/new", "text": "x"}),
        );
        assert_ne!(said.code, 0, "{tool} {said:?}");
        assert!(!data.path().join("new").exists(), "{tool}");
        let said = place.call(tool, &json!({"do": "environment"}));
        assert_eq!(said.plain(), "ONLY=this", "{tool} {said:?}");
        let said = place.call(tool, &json!({"do": "connect", "port": 22}));
        assert!(said.plain().starts_with("not connected"), "{tool} {said:?}");
        let said = place.call(tool, &json!({"do": "spawn"}));
        assert!(said.plain().starts_with("not "), "{tool} {said:?}");
        // Fresh each time.
        let said = place.call(tool, &json!({"do": "canary", "set": CANARY}));
        assert!(!said.output.contains(CANARY), "{tool} {said:?}");
        let said = place.call(tool, &json!({"do": "canary"}));
        assert_eq!(said.code, 0, "{tool} {said:?}");
        assert!(!said.output.contains(CANARY), "{tool} {said:?}");
    }
}

#[test]
fn a_module_writes_where_the_call_may_and_keeps_the_calls_rules() {
    let file = crate::guest("misbehave-module.wasm");
    let more = "mounts = [{ guest = \"/workspace\", access = \"read-write\" }]\nlimits = { written = \"64KiB\" }";
    let place = Place::new(&rule("writer", "module", &file, more));
    let write = |path: &str, text: &str| {
        place.call(
            "writer",
            &json!({"do": "write", "path": path, "text": text}),
        )
    };
    let said = write("made", "by a tool");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        std::fs::read_to_string(place.workspace.join("made")).unwrap(),
        "by a tool"
    );
    // Protected names hold for it as for guests.
    let said = write("kept", "x");
    assert_ne!(said.code, 0, "{said:?}");
    assert!(!place.workspace.join("kept").exists());
    let said = write("large", &"x".repeat(100_000));
    assert_ne!(said.code, 0, "{said:?}");
    assert!(
        std::fs::metadata(place.workspace.join("large")).map_or(0, |about| about.len()) <= 64 << 10
    );
    // A second name of a file outside is not written through.
    let outside = tempfile::tempdir_in(place.workspace.parent().unwrap()).unwrap();
    let target = outside.path().join("target");
    std::fs::write(&target, "before").unwrap();
    std::fs::hard_link(&target, place.workspace.join("second")).unwrap();
    let _said = write("second", "after");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "before");
    // What it writes counts for the session, written from a shell as well.
    let files = || {
        place.bash("true");
        let sessions = place.server.call("GET", "/sessions", None).unwrap().body;
        let own = sessions["sessions"].as_array().unwrap().iter();
        let own = own.clone().find(|session| session["name"] == "default");
        own.unwrap()["held"]["files"].as_u64().unwrap()
    };
    let before = files();
    let order = |name: &str| {
        format!(
            "echo '{{\"do\": \"write\", \"path\": \"/workspace/{name}\", \"text\": \"y\"}}' | writer > /dev/null"
        )
    };
    let said = place.bash(&format!("{}; cat again", order("again")));
    assert_eq!(said.output, "y", "{said:?}");
    assert_eq!(files(), before + 1);
    let said = place.bash(&format!("{} & {}; wait", order("one"), order("two")));
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(files(), before + 3);
    assert_eq!(write("three", "z").code, 0);
    assert_eq!(files(), before + 4);
}

#[test]
fn what_a_tool_leaves_of_its_input_is_there_for_the_next() {
    let file = crate::guest("misbehave-module.wasm");
    let place = Place::new(&rule("quiet", "module", &file, ""));
    // It has an argument, so it reads nothing; the loop's own input is not its to take.
    let idle = "quiet '{\"do\": \"arguments\"}' > /dev/null";
    for _ in 0..10 {
        let said = place.bash(&format!(
            "printf '1\\n2\\n3\\n' | while read n; do {idle}; echo $n; done"
        ));
        assert_eq!(said.output, "1\n2\n3\n", "{said:?}");
        let said = place.bash(&format!("head -c 300000 /dev/zero | ({idle}; wc -c)"));
        assert_eq!(said.output, "300000\n", "{said:?}");
    }
    // The twin: what it reads is gone.
    let said = place.bash("printf '{\"do\": \"arguments\"}\n2\n' | (quiet > /dev/null; wc -c)");
    assert_eq!(said.output, "0\n", "{said:?}");
}
