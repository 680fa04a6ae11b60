//! Calls through the real program: tools, shell state, limits, streaming, keys, restarts.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{Server, eventually, hang_up, read_reply};

fn server() -> (tempfile::TempDir, Server) {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    (state, server)
}

fn server_with(config: &str) -> (tempfile::TempDir, Server) {
    let state = tempfile::tempdir().unwrap();
    std::fs::write(state.path().join("hotcell.toml"), config).unwrap();
    let server = Server::start(state.path());
    (state, server)
}

fn bash(command: &str) -> Value {
    json!({"tool": "bash", "input": {"command": command}})
}

/// Waits until a call with this in its files has begun.
fn begun(server: &Server, file: &str) {
    eventually("the call begins", || server.workspace().join(file).exists());
}

#[test]
fn the_curl_of_the_ready_line_works_and_says_the_confinement() {
    let (_state, server) = server();
    assert!(
        server.ready_line.contains("confinement: "),
        "{}",
        server.ready_line
    );
    let curl = server.ready_line.split("try: ").nth(1).unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", curl])
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["output"], "hello\n", "{answer}");
}

#[test]
fn file_tools_write_read_edit_and_search_one_workspace() {
    let (_state, server) = server();
    let run = |tool: &str, input: Value| {
        let reply = server.execute(&json!({"tool": tool, "input": input}));
        assert_eq!(reply.status, 200, "{}", reply.body);
        (reply.body["exitCode"].as_u64().unwrap(), reply.body)
    };
    let (code, body) = run(
        "write_file",
        json!({"path": "a/b.txt", "content": "one\ntwo\n"}),
    );
    assert_eq!(
        (code, &body["output"]),
        (0, &json!("File written successfully"))
    );
    assert_eq!(
        run("read_file", json!({"path": "a/b.txt"})).1["output"],
        "one\ntwo\n"
    );
    let edit = json!({"file_path": "a/b.txt", "old_string": "two", "new_string": "2"});
    assert_eq!(run("edit", edit.clone()).0, 0);
    let (code, body) = run("edit", edit);
    assert_eq!(code, 1);
    assert!(
        body["error"]
            .as_str()
            .unwrap()
            .contains("old_string not found"),
        "{body}"
    );
    let range = json!({"file_path": "/workspace/a/b.txt", "view_range": [2, -1]});
    assert_eq!(
        run("read", range).1["output"].as_str().unwrap().trim_end(),
        "2"
    );
    let host = server.workspace().join("a/b.txt");
    assert_eq!(
        run("read", json!({"file_path": host})).1["output"],
        "one\n2\n"
    );
    assert!(
        run("glob", json!({"pattern": "**/*.txt"})).1["output"]
            .as_str()
            .unwrap()
            .contains("a/b.txt")
    );
    assert!(
        run("grep", json!({"pattern": "^o.e$"})).1["output"]
            .as_str()
            .unwrap()
            .contains(":1:one")
    );
    let (code, body) = run("read", json!({"file_path": "absent"}));
    assert_eq!((code, &body["output"]), (1, &json!("")));
    std::fs::write(server.workspace().join("raw"), b"\xff\x00").unwrap();
    let raw = run("read_file", json!({"path": "raw", "encoding": "base64"})).1;
    assert_eq!(raw["output"], "/wA=", "{raw}");
}

#[test]
fn a_shell_keeps_folder_variables_and_functions_and_restart_drops_them() {
    let (_state, server) = server();
    server.bash("mkdir -p d; cd d; x=1; f() { echo f$x; }; export y=2");
    let body = server.bash("pwd; f; echo $y");
    assert_eq!(body["output"], "/workspace/d\nf1\n2\n");
    assert_eq!(body["stateKept"], true);
    server.bash("echo here > file");
    let reply = server.execute(&json!({"tool": "read", "input": {"file_path": "file"}}));
    assert_eq!(
        reply.body["output"], "here\n",
        "file tools follow the shell: {}",
        reply.body
    );
    let body = server.bash("exit 3");
    assert_eq!(
        (&body["exitCode"], &body["stateKept"]),
        (&json!(3), &json!(true))
    );
    let restart = json!({"tool": "bash", "input": {"restart": true}});
    assert_eq!(
        server.execute(&restart).body["output"],
        "bash session restarted"
    );
    assert_eq!(
        server.bash("pwd; echo \"[$x$y]\"")["output"],
        "/workspace\n[]\n"
    );
}

#[test]
fn folder_variables_and_time_of_one_call_last_one_call() {
    let (_state, server) = server();
    server.bash("mkdir -p a b; cd a; x=kept");
    let call = json!({
        "tool": "bash",
        "input": {"command": "pwd; echo $ONCE", "env": {"ONCE": "yes"}},
        "workingDir": "/workspace/b"
    });
    assert_eq!(server.execute(&call).body["output"], "/workspace/b\nyes\n");
    assert_eq!(
        server.bash("pwd; echo [$ONCE]")["output"],
        "/workspace/a\n[]\n"
    );
    let slow = json!({"tool": "bash", "input": {"command": "x=lost; sleep 60"}, "timeoutMs": 300});
    let body = server.execute(&slow).body;
    assert_eq!(body["exitCode"], 124, "{body}");
    assert_eq!(
        (&body["stoppedBy"], &body["stateKept"]),
        (&json!("wall"), &json!(false))
    );
    assert_eq!(server.bash("echo $x")["output"], "kept\n");
}

#[test]
fn the_guests_environment_is_ours_and_not_the_hosts() {
    let (_state, server) = server();
    let body = server.bash("env | sort");
    let names: Vec<_> = body["output"].as_str().unwrap().lines().collect();
    for variable in [
        "HOME=/workspace",
        "USER=agent",
        "PATH=/bin",
        "LANG=C.UTF-8",
        "TZ=UTC",
    ] {
        assert!(names.contains(&variable), "{variable} in {names:?}");
    }
    assert!(
        !names
            .iter()
            .any(|name| name.starts_with("HOTCELL") || name.starts_with("CARGO"))
    );
    assert_eq!(server.bash("umask")["output"], "0022\n");
}

#[test]
fn output_comes_as_it_is_written_and_the_answer_last() {
    let (_state, server) = server();
    let call = bash("echo one; sleep 1; echo two >&2; exit 4");
    let started = Instant::now();
    let stream = server.begin(
        "POST",
        "/execute",
        "Accept: text/event-stream\r\n",
        &call.to_string(),
    );
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut next = |wanted: &str| lines.find(|line| line.contains(wanted)).unwrap();
    next("text/event-stream");
    assert!(next("\"one\\n\"").contains("stdout"));
    assert!(
        started.elapsed() < Duration::from_millis(900),
        "not held back to the end"
    );
    assert!(next("\"text\":\"two").contains("stderr"));
    next("event: answer");
    assert!(next("data: ").contains("\"exitCode\":4"));
}

#[test]
fn a_slow_reader_of_a_stream_makes_its_call_wait_and_loses_nothing() {
    let (_state, server) = server();
    let call = bash("yes 0123456 | head -c 32000000; touch written");
    let stream = server.begin(
        "POST",
        "/execute",
        "Accept: text/event-stream\r\n",
        &call.to_string(),
    );
    std::thread::sleep(Duration::from_secs(1));
    let written = server.workspace().join("written");
    assert!(!written.exists(), "the output went somewhere unread");
    let input = json!({"file_path": "a", "content": "b"});
    let other = server.execute(&json!({"tool": "write", "input": input}));
    assert_eq!(other.status, 200, "a neighbour is served meanwhile");
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let data = lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let mut bytes = 0;
    for event in data.map(|data| serde_json::from_str::<Value>(&data).unwrap()) {
        bytes += event["text"].as_str().map_or(0, str::len);
        if event["exitCode"].is_number() {
            assert_eq!((&event["exitCode"], bytes), (&json!(0), 32_000_000));
            break;
        }
    }
    assert!(bytes > 0 && written.exists());
    eventually("its bytes are in the record", || {
        let mut lines = server.record().into_iter();
        lines.any(|line| line["event"] == "outcome" && line["stdoutBytes"] == 32_000_000)
    });
}

#[test]
fn a_stream_that_nobody_reads_ends_by_its_limit_and_is_recorded() {
    let (_state, server) = server();
    let mut call = bash("yes");
    call["timeoutMs"] = json!(300);
    let unread = server.begin(
        "POST",
        "/execute",
        "Accept: text/event-stream\r\n",
        &call.to_string(),
    );
    eventually("the outcome is recorded", || {
        let mut lines = server.record().into_iter();
        lines.any(|line| line["event"] == "outcome" && line["stoppedBy"] == "wall")
    });
    assert_eq!(server.bash("echo the turn is free")["exitCode"], 0);
    drop(unread);
}

#[test]
fn a_client_that_hangs_up_ends_its_call_and_the_outcome_is_recorded() {
    let (_state, server) = server();
    for (round, headers) in ["", "Accept: text/event-stream\r\n"].iter().enumerate() {
        let script = "touch begun; sleep 100; touch survived";
        let stream = server.begin("POST", "/execute", headers, &bash(script).to_string());
        begun(&server, "begun");
        hang_up(&stream);
        // It may have begun before its intent was on the disk.
        let mut id = None;
        eventually("the intent is recorded", || {
            let record = server.record().into_iter();
            let asked = |line: &Value| line["request"]["fields"]["command"] == script;
            id = record.filter(asked).nth(round);
            id.is_some()
        });
        let id = id.unwrap()["requestId"].clone();
        eventually("the outcome is recorded", || {
            let ended = |line: &Value| line["event"] == "outcome" && line["requestId"] == id;
            server
                .record()
                .iter()
                .any(|line| ended(line) && line["stoppedBy"] == "cancelled")
        });
        // The session's turn is free again.
        assert_ne!(server.bash("rm begun; cat survived")["exitCode"], 0);
    }
}

#[test]
fn bash_calls_of_a_session_run_in_order_and_the_eighteenth_is_refused() {
    let (_state, server) = server();
    let first = server.begin(
        "POST",
        "/execute",
        "",
        &bash("touch begun; sleep 2").to_string(),
    );
    begun(&server, "begun");
    let waiting: Vec<_> = (0..16)
        .map(|number| {
            let call = bash(&format!("echo {number} >> order")).to_string();
            let stream = server.begin("POST", "/execute", "", &call);
            std::thread::sleep(Duration::from_millis(20));
            stream
        })
        .collect();
    let reply = server.execute(&bash("true"));
    assert_eq!(
        (reply.status, &reply.body["code"]),
        (429, &json!("busy")),
        "{}",
        reply.body
    );
    assert!(
        reply
            .headers
            .iter()
            .any(|header| header == "retry-after: 1")
    );
    let reply = server.execute(&json!({"tool": "read", "input": {"file_path": "begun"}}));
    assert_eq!(reply.status, 200, "other tools do not wait");
    for stream in waiting.into_iter().chain([first]) {
        assert_eq!(read_reply(&mut BufReader::new(stream)).status, 200);
    }
    let order = std::fs::read_to_string(server.workspace().join("order")).unwrap();
    assert_eq!(
        order,
        (0..16)
            .map(|number| format!("{number}\n"))
            .collect::<String>()
    );
}

#[test]
fn a_key_runs_once_however_often_it_is_sent() {
    let (_state, server) = server();
    let call = bash("echo x >> runs; sleep 0.3; wc -l < runs").to_string();
    let streams: Vec<_> = (0..20)
        .map(|_| server.begin("POST", "/execute", "Idempotency-Key: k1\r\n", &call))
        .collect();
    for stream in streams {
        let reply = read_reply(&mut BufReader::new(stream));
        assert_eq!(
            (reply.status, &reply.body["output"]),
            (200, &json!("1\n")),
            "{}",
            reply.body
        );
    }
    // A client that hung up comes back for the answer.
    let call = bash("touch begun; sleep 0.5; echo y >> again; cat again").to_string();
    let stream = server.begin("POST", "/execute", "Idempotency-Key: k2\r\n", &call);
    begun(&server, "begun");
    hang_up(&stream);
    let stream = server.begin("POST", "/execute", "Idempotency-Key: k2\r\n", &call);
    assert_eq!(
        read_reply(&mut BufReader::new(stream)).body["output"],
        "y\n"
    );
}

#[test]
fn a_call_with_a_key_that_was_killed_with_the_server_is_interrupted() {
    let (state, mut server) = server();
    let call = bash("echo x >> runs; touch begun; sleep 100").to_string();
    let _stream = server.begin("POST", "/execute", "Idempotency-Key: k\r\n", &call);
    begun(&server, "begun");
    server.signal(Signal::KILL);
    server.wait();
    let server = Server::start(state.path());
    let stream = server.begin("POST", "/execute", "Idempotency-Key: k\r\n", &call);
    let reply = read_reply(&mut BufReader::new(stream));
    assert_eq!(
        (reply.status, &reply.body["code"]),
        (409, &json!("interrupted")),
        "{}",
        reply.body
    );
    assert_eq!(
        std::fs::read_to_string(server.workspace().join("runs")).unwrap(),
        "x\n"
    );
}

#[test]
fn sessions_shell_state_and_token_survive_a_restart() {
    let (state, mut server) = server();
    assert_eq!(server.request("POST", "/sessions/build").status, 201);
    let call =
        |command: &str| json!({"tool": "bash", "input": {"command": command}, "session": "build"});
    server.execute(&call("mkdir d; cd d; x=7; echo file > f"));
    let token = server.token.clone();
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), Some(0));
    let server = Server::start(state.path());
    assert_eq!(server.token, token);
    assert_eq!(
        server.execute(&call("pwd; echo $x; cat f")).body["output"],
        "/workspace/d\n7\nfile\n"
    );
    assert_ne!(
        server.bash("cat /workspace/d/f")["exitCode"],
        0,
        "sessions do not share files"
    );
}

#[test]
fn a_script_that_takes_the_shells_place_neither_sees_nor_changes_its_state() {
    let (_state, server) = server();
    server.bash("mkdir d; echo 'echo ${x-unset}; cd d; y=1' > s; x=7");
    assert_eq!(server.bash("bash s")["output"], "unset\n");
    assert_eq!(
        server.bash("pwd; echo $x ${y-unset}")["output"],
        "/workspace\n7 unset\n"
    );
}

#[test]
fn a_told_server_finishes_its_calls_and_cancels_those_past_the_limit() {
    let (_state, mut server) = server_with("drain = \"1500ms\"\n");
    let quick = server.begin(
        "POST",
        "/execute",
        "",
        &bash("touch begun; sleep 0.5; echo done").to_string(),
    );
    begun(&server, "begun");
    server.request("POST", "/sessions/long");
    let long = json!({"tool": "bash", "input": {"command": "sleep 100"}, "session": "long"});
    let long = server.begin("POST", "/execute", "", &long.to_string());
    std::thread::sleep(Duration::from_millis(100));
    server.signal(Signal::TERM);
    assert_eq!(
        read_reply(&mut BufReader::new(quick)).body["output"],
        "done\n"
    );
    let reply = read_reply(&mut BufReader::new(long));
    assert_eq!(reply.body["stoppedBy"], "cancelled", "{}", reply.body);
    assert_eq!(server.wait(), Some(0));
    let outcomes = server
        .record()
        .iter()
        .filter(|line| line["event"] == "outcome")
        .count();
    assert_eq!(outcomes, 2);
}

#[test]
fn a_revoked_token_ends_at_once_and_each_token_has_its_own_sessions() {
    let (state, mut server) = server();
    let first = server.token.clone();
    server.bash("echo secret > mine");
    let token = |arguments: &[&str]| {
        let output = crate::process::hotcell(state.path())
            .arg("token")
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let said = token(&["add", "bob"]);
    server.token = std::fs::read_to_string(state.path().join("token-bob"))
        .unwrap()
        .trim_end()
        .to_owned();
    assert!(!said.contains(&server.token) && !token(&["list"]).contains(&server.token));
    eventually("the new token counts", || {
        server.request("GET", "/sessions").status == 200
    });
    assert_ne!(server.bash("cat mine")["exitCode"], 0);
    assert_eq!(server.request("GET", "/sessions/default").status, 200);
    token(&["revoke", "bob"]);
    eventually("the token ends", || {
        server.request("GET", "/sessions").status == 401
    });
    server.token = first;
    assert_eq!(server.bash("cat mine")["output"], "secret\n");
}

#[test]
fn past_the_connections_limit_clients_wait_and_are_served_when_one_leaves() {
    let (_state, server) = server_with("connections_max = 2\n");
    let idle: Vec<_> = (0..2)
        .map(|_| std::net::TcpStream::connect(&server.address).unwrap())
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    let waiting = server.begin("GET", "/livez", "", "");
    waiting
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    assert!(waiting.peek(&mut [0]).is_err(), "served past the limit");
    drop(idle);
    waiting
        .set_read_timeout(Some(crate::process::SOON))
        .unwrap();
    assert_eq!(read_reply(&mut BufReader::new(waiting)).status, 200);
}

#[test]
fn broken_http_is_answered_or_closed_and_the_server_goes_on() {
    use std::io::{Read as _, Write as _};
    let (_state, server) = server();
    let token = &server.token;
    let post = format!("POST /execute HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n");
    let long = "a".repeat(100_000);
    for request in [
        format!("{post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
        format!("{post}Content-Length: +2\r\n\r\n{{}}"),
        format!("{post}Content-Length: 99999999999999999999\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\nZZ\r\n"),
        format!("{post}X: {long}\r\n\r\n"),
        format!("POST /execute HTTP/1.1\r\nHost : h\r\nAuthorization: Bearer {token}\r\n\r\n"),
        "GET / HTTP/0.9\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
    ] {
        let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(crate::process::SOON)).unwrap();
        // The server may close while we still write.
        let _cut = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let refused = answer.is_empty()
            || answer.starts_with("HTTP/1.1 4")
            || answer.starts_with("HTTP/1.0 4");
        assert!(refused, "{request:.60}: {answer}");
    }
    assert_eq!(server.request("GET", "/livez").status, 200);
    assert_eq!(server.record().len(), 0);
}

#[test]
fn the_policys_limits_and_access_bind_what_a_call_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let text = "version = 1\nname = \"n\"\ndescription = \"d\"\n\
                [limits]\nwall = \"400ms\"\n\
                [workspace]\naccess = \"read-only\"\n\
                [environment]\nset = { TEAM = \"blue\" }\nagent = false\n\
                [[program]]\nnames = [\"*\"]\nreason = \"r\"\n\
                [[tool]]\nnames = [\"bash\", \"write_file\"]\nreason = \"r\"\n";
    std::fs::write(&policy, text).unwrap();
    let (_state, server) = server_with(&format!("policy = {:?}\n", policy.to_str().unwrap()));
    let body = server.execute(&json!({
        "tool": "bash", "input": {"command": "sleep 100"}, "timeoutMs": 60_000
    }));
    assert_eq!(body.body["exitCode"], 124, "{}", body.body);
    assert_eq!(body.body["clamped"]["timeoutMs"], 400);
    let write = json!({"tool": "write_file", "input": {"path": "f", "content": "x"}});
    assert_ne!(server.execute(&write).body["exitCode"], 0);
    assert!(!server.workspace().join("f").exists());
    assert_eq!(server.bash("echo $TEAM")["output"], "blue\n");
    let reply = server.execute(&json!({
        "tool": "bash", "input": {"command": "true", "env": {"A": "1"}}
    }));
    assert_eq!((reply.status, &reply.body["code"]), (403, &json!("denied")));
}
