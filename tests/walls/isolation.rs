//! Sessions that call at the same time look for each other's secrets everywhere a call can look,
//! and a session that was deleted looks for what the former one of its name left.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::all_of_it;
use crate::process::Server;

const SESSIONS: usize = 10;
const SESSIONS_FULL: usize = 100;
const CALLS: usize = 1_000;
const CALLS_FULL: usize = 10_000;
const CLIENTS: usize = 8;
/// What every secret begins with; its session's number follows.
const MARK: &str = "canary-of-";
/// Where a call may look. Each shows the session's own secret or nothing.
const LOOKS: [&str; 10] = [
    "find / -name '*canary*' 2>/dev/null; find / -type f 2>/dev/null | head -n 2000",
    "grep -r canary-of- / 2>/dev/null",
    "env; set; export -p",
    "cat /proc/self/environ /proc/*/environ /proc/*/cmdline /proc/*/maps 2>/dev/null",
    "cat /tmp/* ../*/* ../../*/* 2>/dev/null; ls -laR /tmp",
    "cat /dev/shm/* /dev/stdin /dev/fd/* /proc/self/fd/* 2>/dev/null",
    "ls -laR .. 2>/dev/null; ls -la / /workspace",
    "echo $SECRET; cat secret nested/secret; history 2>/dev/null",
    "ln -sf ../../.. up; ls -la up/; cat up/*/secret up/*/*/secret 2>/dev/null; rm -f up",
    "dd if=/dev/mem bs=1 count=64 2>/dev/null; strings /proc/kcore 2>/dev/null | head -n 5",
];

fn name(session: usize) -> String {
    format!("i{session}")
}

/// Ends in what no number goes on with, so that 1 is not found in 10.
fn secret(session: usize) -> String {
    format!("{MARK}{session}.")
}

fn bash(server: &Server, session: usize, command: &str) -> Value {
    let reply = server.execute(&json!({
        "tool": "bash", "input": {"command": command}, "session": name(session),
    }));
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

fn plant(server: &Server, session: usize) {
    let created = server.request("POST", &format!("/sessions/{}", name(session)));
    assert_eq!(created.status, 201, "{}", created.body);
    let secret = secret(session);
    let body = bash(
        server,
        session,
        &format!(
            "export SECRET={secret}; plain={secret}; mkdir -p nested /tmp/{secret}; \
             echo {secret} | tee secret nested/secret /tmp/secret /tmp/{secret}/canary; \
             echo {secret} >&2"
        ),
    );
    assert_eq!(body["exitCode"], 0, "{body}");
    assert!(body["output"].as_str().unwrap().contains(&secret), "{body}");
}

/// Secrets in an answer that are not this session's.
fn foreign(body: &Value, session: Option<usize>) -> Vec<String> {
    let text = body.to_string();
    let own = session.map(secret).unwrap_or_default();
    let after = |(at, _): (usize, &str)| text[at + MARK.len()..].chars().next();
    let marks = text.match_indices(MARK);
    // What a call itself asks for ends before the number.
    marks
        .filter(|found| after(*found).is_some_and(|c| c.is_ascii_digit()))
        .map(|(at, _)| text[at..].chars().take(20).collect::<String>())
        .filter(|found| own.is_empty() || !found.starts_with(&own))
        .collect()
}

fn look(server: &Server, (session, number): (usize, usize), own_seen: &AtomicUsize) {
    let (look, body) = match number % 12 {
        10 => {
            let input = json!({"pattern": "canary", "path": "/"});
            let call = json!({"tool": "grep", "input": input, "session": name(session)});
            ("grep tool", server.execute(&call).body)
        }
        11 => {
            let input = json!({"pattern": "**/*canary*", "path": "/"});
            let call = json!({"tool": "glob", "input": input, "session": name(session)});
            ("glob tool", server.execute(&call).body)
        }
        at => (LOOKS[at], bash(server, session, LOOKS[at])),
    };
    let foreign = foreign(&body, Some(session));
    assert!(
        foreign.is_empty(),
        "session {session} by `{look}`: {foreign:?}"
    );
    if body.to_string().contains(&secret(session)) {
        own_seen.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn no_session_sees_another_one_s_secrets() {
    let (sessions, calls) = match all_of_it() {
        true => (SESSIONS_FULL, CALLS_FULL),
        false => (SESSIONS, CALLS),
    };
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    let (next, own_seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for session in 0..sessions {
        plant(&server, session);
    }
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= calls {
                        return;
                    }
                    // Each session makes every kind of look.
                    let session = (number / 12 + number) % sessions;
                    look(&server, (session, number), &own_seen);
                }
            });
        }
    });
    let own_seen = own_seen.load(Ordering::Relaxed);
    eprintln!("{calls} calls in {sessions} sessions; {own_seen} saw their own secret");
    // A look that finds nothing at all would prove nothing.
    assert!(own_seen > calls / 4, "only {own_seen} looks saw anything");
}

#[test]
fn a_session_made_again_sees_nothing_of_the_former() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    for round in 0..3 {
        plant(&server, 0);
        assert!(foreign(&bash(&server, 0, LOOKS[1]), None).len() > 1);
        let deleted = server.request("DELETE", "/sessions/i0");
        assert!(deleted.status < 300, "{round}: {}", deleted.status);
        let created = server.request("POST", "/sessions/i0");
        assert_eq!(created.status, 201, "{}", created.body);
        for command in LOOKS {
            let body = bash(&server, 0, command);
            let seen = foreign(&body, None);
            assert!(seen.is_empty(), "{round}, `{command}`: {seen:?}");
        }
        let _again = server.request("DELETE", "/sessions/i0");
    }
}
