//! Policies of a running server: which token gets which, reload, and one denial told everywhere.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{Server, eventually, hotcell};

const HEAD: &str = "version = 1\nname = \"n\"\ndescription = \"d\"\n\
                    [workspace]\naccess = \"read-write\"\n";
const BASH: &str = "[[tool]]\nnames = [\"bash\"]\nreason = \"commands run here\"\n";
const EVERY: &str = "[[program]]\nnames = [\"*\"]\nreason = \"all guests\"\n";

fn write(path: &Path, rules: &str) {
    std::fs::write(path, format!("{HEAD}{rules}")).unwrap();
}

fn token(state: &Path, arguments: &[&str]) -> String {
    let added = hotcell(state)
        .args(["token", "add"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(added.status.success());
    let file = match arguments[0] {
        "default" => "token".to_owned(),
        name => format!("token-{name}"),
    };
    let secret = std::fs::read_to_string(state.join(file)).unwrap();
    secret.trim_end().to_owned()
}

fn bash(command: &str) -> Value {
    json!({"tool": "bash", "input": {"command": command}})
}

#[test]
fn a_reload_takes_all_or_nothing_and_a_failing_file_shows() {
    let folder = tempfile::tempdir().unwrap();
    let (state, policy) = (tempfile::tempdir().unwrap(), folder.path().join("p.toml"));
    write(&policy, &format!("{BASH}{EVERY}"));
    let config = format!("policy = {:?}\n", policy.to_str().unwrap());
    std::fs::write(state.path().join("hotcell.toml"), config).unwrap();
    let server = Server::start(state.path());
    assert_eq!(server.bash("tac </dev/null && echo ran")["output"], "ran\n");
    let running = server.begin(
        "POST",
        "/execute",
        "",
        &bash("sleep 2; tac </dev/null && echo ran").to_string(),
    );
    eventually("the call runs", || {
        server.readiness()["ready"] == true && server.record().len() >= 3
    });

    let narrow = "[[deny]]\nprograms = [\"tac\"]\nreason = \"not backwards\"\n";
    write(&policy, &format!("{BASH}{EVERY}{narrow}"));
    server.signal(Signal::HUP);
    eventually("the new policy is in force", || {
        server.readiness()["policies"]["generation"] == 2
    });
    assert_eq!(server.readiness()["policies"]["reloadFailed"], false);
    let call =
        json!({"tool": "bash", "input": {"command": "tac </dev/null; echo $?"}, "session": "s"});
    assert_eq!(server.request("POST", "/sessions/s").status, 201);
    assert_eq!(server.execute(&call).body["output"], "126\n");
    let reply = crate::process::read_reply(&mut std::io::BufReader::new(running));
    assert_eq!(
        reply.body["output"], "ran\n",
        "a call keeps the policy it began with"
    );

    write(&policy, &format!("{BASH}{EVERY}[[alow]]\n"));
    server.signal(Signal::HUP);
    eventually("the failure shows", || {
        server.readiness()["policies"]["reloadFailed"] == true
    });
    let ready = server.readiness();
    assert_eq!(
        (&ready["ready"], &ready["policies"]["generation"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(
        server.execute(&call).body["output"],
        "126\n",
        "the old one stays in force"
    );
    let log = server.log.lock().unwrap().clone();
    assert!(log.contains("alow"), "the log says which key: {log}");
}

#[test]
fn a_token_has_the_policy_that_it_was_added_with() {
    let folder = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    let (wide, narrow) = (
        folder.path().join("wide.toml"),
        folder.path().join("narrow.toml"),
    );
    write(&wide, &format!("{BASH}{EVERY}"));
    let read = "[[tool]]\nnames = [\"read\"]\nreason = \"looks only\"\n";
    write(&narrow, read);
    let config = format!("policy = {:?}\n", wide.to_str().unwrap());
    std::fs::write(state.path().join("hotcell.toml"), &config).unwrap();
    // The first start makes a token only where there is none.
    let default = token(state.path(), &["default"]);
    let ann = token(state.path(), &["ann", "--policy", narrow.to_str().unwrap()]);
    let mut server = Server::start(state.path());
    assert_eq!(server.token, default);
    assert_eq!(server.bash("echo hi")["output"], "hi\n");
    server.token = ann;
    let denied = server.execute(&bash("echo hi > f"));
    assert_eq!(
        (denied.status, &denied.body["code"]),
        (403, &json!("denied"))
    );
    assert!(
        !state
            .path()
            .join("sessions/ann/default/workspace/f")
            .exists()
    );
}

#[test]
fn a_link_put_in_the_place_of_a_mounted_folder_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    let (inside, secret) = (top.join("all/in"), top.join("secret"));
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::create_dir(&secret).unwrap();
    std::fs::write(secret.join("key"), "canary").unwrap();
    let mount = |host: &Path, guest: &str| {
        let host = host.to_str().unwrap();
        format!(
            "[[mount]]\nhost = {host:?}\nguest = {guest:?}\naccess = \"read-write\"\nreason = \"r\"\n"
        )
    };
    let mounts = mount(&top.join("all"), "/all") + &mount(&inside, "/in");
    let policy = top.join("p.toml");
    write(&policy, &format!("{BASH}{EVERY}{mounts}"));
    let state = tempfile::tempdir().unwrap();
    let config = format!("policy = {:?}\n", policy.to_str().unwrap());
    std::fs::write(state.path().join("hotcell.toml"), config).unwrap();
    let server = Server::start(state.path());
    let seen = server.bash("echo here > /in/f && cat /all/in/f");
    assert_eq!(seen["output"], "here\n", "{seen}");
    let script = format!("mv /all/in /all/x && ln -s {} /all/in", secret.display());
    assert_eq!(server.bash(&script)["exitCode"], 0);
    assert!(top.join("all/in").is_symlink());
    let reply = server.execute(&bash("cat /in/key; echo planted > /in/new"));
    assert_ne!(reply.status, 200, "{}", reply.body);
    assert!(!reply.body.to_string().contains("canary"));
    assert!(!secret.join("new").exists());
}

/// Rule, line and reason of one denied tool and one denied program are the same words in the
/// HTTP answer, on the agent's standard error, in `policy explain` and in the record.
#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story: the same words, place after place"
)]
fn one_denial_is_told_alike_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (state, policy) = (tempfile::tempdir().unwrap(), folder.path().join("p.toml"));
    let denies = "[[deny]]\nprograms = [\"tac\"]\nreason = \"nothing backwards\"\n\
                  [[deny]]\ntools = [\"write\"]\nreason = \"look, do not touch\"\n";
    let tools = "[[tool]]\nnames = [\"bash\", \"write\"]\nreason = \"r\"\n";
    write(&policy, &format!("{tools}{EVERY}{denies}"));
    let text = std::fs::read_to_string(&policy).unwrap();
    let line_of = |part: &str| {
        let before = text.split(part).next().unwrap();
        before.lines().count()
    };
    let config = format!("policy = {:?}\n", policy.to_str().unwrap());
    std::fs::write(state.path().join("hotcell.toml"), config).unwrap();
    let server = Server::start(state.path());
    let explain = |form: &str, what: &str| {
        let output = hotcell(state.path())
            .args(["policy", "explain", policy.to_str().unwrap(), form, what])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stdout).unwrap()
    };
    let own = folder.path().join("workspace");
    std::fs::create_dir(&own).unwrap();
    let run = |arguments: &[&str]| {
        let output = hotcell(state.path())
            .args(["run", "--workspace", own.to_str().unwrap()])
            .args(["--policy", policy.to_str().unwrap()])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    };

    let line = line_of("programs = [\"tac\"]");
    let told = format!("nothing backwards (deny, line {line})");
    let answer = server.bash("tac </dev/null; echo $?");
    assert_eq!(answer["output"], "126\n");
    let id = answer["requestId"].clone();
    let outcome = || {
        let records = server.record();
        let mut lines = records.into_iter();
        lines.find(|line| line["event"] == "outcome" && line["requestId"] == id)
    };
    eventually("the outcome is recorded", || outcome().is_some());
    let places = [
        ("the answer", answer["error"].as_str().unwrap().to_owned()),
        ("standard error", run(&["bash", "tac </dev/null"])),
        ("the record", outcome().unwrap()["denied"][0].to_string()),
    ];
    for (place, text) in places {
        assert!(text.contains(&told), "{place}: {text}\nwanted: {told}");
    }
    same_in_explanation(&explain("--program", "tac"), "nothing backwards", line);

    let line = line_of("tools = [\"write\"]");
    let told = format!("look, do not touch (deny, line {line})");
    let input = json!({"file_path": "f", "content": "c"});
    let reply = server.execute(&json!({"tool": "write", "input": input}));
    assert_eq!(reply.status, 403);
    assert_eq!(
        (
            &reply.body["rule"],
            &reply.body["line"],
            &reply.body["reason"]
        ),
        (&json!("deny"), &json!(line), &json!("look, do not touch"))
    );
    let intent = server.record().pop().unwrap();
    assert_eq!(
        (&intent["rule"], &intent["line"], &intent["reason"]),
        (&json!("deny"), &json!(line), &json!("look, do not touch"))
    );
    let places = [
        ("the answer", reply.body["error"].to_string()),
        (
            "standard error",
            run(&[
                "write",
                "--input",
                &json!({"file_path": "f", "content": "c"}).to_string(),
            ]),
        ),
    ];
    for (place, text) in places {
        assert!(text.contains(&told), "{place}: {text}\nwanted: {told}");
    }
    same_in_explanation(&explain("--tool", "write"), "look, do not touch", line);
    assert!(!own.join("f").exists() && !server.workspace().join("f").exists());
}

#[track_caller]
fn same_in_explanation(text: &str, reason: &str, line: usize) {
    let parts = ["denied", "deny", reason, &format!("line {line}")];
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}
