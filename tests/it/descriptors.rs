//! The last descriptors of a process are its own: guests and clients that take all others are
//! refused, and nothing of ours fails (WASM-11).

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::process::{Server, eventually, hotcell, read_reply};

/// Few enough that one call's own limit of 1,024 is not what it meets first.
const DESCRIPTORS: u64 = 700;

/// A server whose processes may have so many descriptors each.
fn server(state: &Path, config: &str) -> Server {
    std::fs::write(state.join("hotcell.toml"), config).unwrap();
    let mut command = hotcell(state);
    let program = command.get_program().to_owned();
    let variables: Vec<_> = command
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.unwrap().to_owned()))
        .collect();
    command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\""))
        .arg(program)
        .envs(variables)
        .process_group(0);
    Server::start_as(state, command)
}

fn bash(session: &str, command: &str) -> Value {
    json!({"tool": "bash", "session": session, "input": {"command": command}})
}

/// Opens one file until there is nothing left to open it under: first many at a time, then one.
const TAKE: &str = ": > f; many=$(for i in {10..39}; do echo \"$i<f\"; done); \
    for i in {1..30}; do eval \"sleep 1000 $(echo $many) &\"; done; \
    for i in {1..60}; do sleep 1000 10<f & done; mkdir taken";

#[test]
fn guests_that_take_all_descriptors_are_refused_and_the_cell_lives() {
    let state = tempfile::tempdir().unwrap();
    let server = server(state.path(), "calls_max = 4\n");
    for name in ["greedy", "other"] {
        assert_eq!(
            server.request("POST", &format!("/sessions/{name}")).status,
            201
        );
    }
    let take = format!("{TAKE}; while [ ! -e go ]; do sleep 0.1; done; exit 1");
    let greedy = server.begin("POST", "/execute", "", &bash("greedy", &take).to_string());
    let workspace = state.path().join("sessions/default/greedy/workspace");
    eventually("a call has all descriptors", || {
        workspace.join("taken").exists()
    });
    let cells = server.cells();
    // Calls start, open their folders and answer, though guests can be given nothing more.
    let body = server.execute(&bash("other", "echo here")).body;
    assert_eq!(body["output"], "here\n", "{body}");
    let input = json!({"path": "new", "content": ""});
    let write = json!({"tool": "write_file", "session": "greedy", "input": input});
    let refused = server.execute(&write).body;
    assert_eq!(refused["stoppedBy"], "descriptors", "{refused}");
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("no file descriptors"), "{error}");
    let left = workspace.join("new");
    assert!(!left.exists(), "a file that nobody could be given");
    std::fs::write(workspace.join("go"), "").unwrap();
    let body = read_reply(&mut BufReader::new(greedy)).body;
    assert_eq!(
        (&body["exitCode"], &body["stoppedBy"]),
        (&json!(1), &json!("descriptors")),
        "{body}"
    );
    let body = server
        .execute(&bash("other", ": > new && cat new && echo fine"))
        .body;
    assert_eq!(body["output"], "fine\n", "{body}");
    assert!(
        !cells.is_empty() && cells.is_subset(&server.cells()),
        "a cell died"
    );
}

#[test]
fn clients_that_take_all_connections_leave_calls_their_record_and_their_state() {
    let state = tempfile::tempdir().unwrap();
    let server = server(state.path(), "calls_max = 4\n");
    let mut kept = TcpStream::connect(&server.address).unwrap();
    let mut replies = BufReader::new(kept.try_clone().unwrap());
    let mut call = |command: &str| {
        let body = json!({"tool": "bash", "input": {"command": command}}).to_string();
        let (token, length) = (&server.token, body.len());
        write!(
            kept,
            "POST /execute HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        read_reply(&mut replies)
    };
    assert_eq!(call("echo before").body["output"], "before\n");
    let idle: Vec<_> = (0..DESCRIPTORS)
        .filter_map(|_| TcpStream::connect(&server.address).ok())
        .collect();
    eventually("the server has no room for more", || {
        server
            .log
            .lock()
            .unwrap()
            .contains("connection not accepted")
    });
    for number in 0..20 {
        let script = format!("mkdir d{number}; cd d{number}; echo a > f; cat f");
        let reply = call(&script);
        assert_eq!(
            (reply.status, &reply.body["output"]),
            (200, &json!("a\n")),
            "{}",
            reply.body
        );
        assert_eq!(reply.body["stateKept"], true, "{}", reply.body);
    }
    eventually("each has an intent and an outcome", || {
        server.record().len() == 42
    });
    drop(idle);
    eventually("others are served again", || {
        TcpStream::connect(&server.address).is_ok() && server.readiness()["ready"] == true
    });
}
