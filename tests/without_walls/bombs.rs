//! Native code that takes all the memory and all the threads it gets.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hotcell::cell::StartError;
use hotcell::cell::without::MARK;
use hotcell::confinement::probe::{BOMBS, Finding, Found, Target, Wall};
use serde_json::{Value, json};

use crate::bait::Attacked;
use crate::process::Server;
use crate::{CELL_MEMORY, attackers, runtime};

/// Longest a neighbour's or the broker's answer may take beside a bomb. Chosen: on a machine that other
/// suites use too.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Threads that a cell has of its own, at most, beside those of a bomb.
const THREADS_MAX: usize = 512;

/// What came of a bomb with these walls left out; one that ended the process was stopped.
fn exploded(left_out: &[Wall], name: &str, attacked: &Attacked) -> Found {
    let runtime = runtime();
    let target = Target {
        only: vec![name.to_owned()],
        ..attacked.target.clone()
    };
    let attackers = runtime.block_on(attackers());
    let attempt = attackers.attempt(left_out, target, attacked.inside());
    match runtime.block_on(attempt) {
        Ok(mut findings) => findings.pop().unwrap().found,
        // The kernel ended it, for its memory.
        Err(StartError::Lost("ended")) => Found::Killed(9),
        Err(error) => panic!("{name} without {left_out:?}: {error:?}"),
    }
}

pub(crate) fn are_stopped_by_groups_or_by_limits() {
    let attacked = Attacked::start();
    for bomb in BOMBS {
        for (left_out, stopped) in [
            (&[Wall::Groups, Wall::Limits][..], false),
            (&[Wall::Groups], true),
            (&[Wall::Limits], true),
            (&[], true),
        ] {
            let found = exploded(left_out, bomb.name, &attacked);
            println!("  {:14} without {left_out:?}: {found}", bomb.name);
            let fired = matches!(found, Found::Succeeded(_));
            assert_eq!(fired, !stopped, "{} without {left_out:?}", bomb.name);
        }
    }
}

/// A call of a session whose cell was taken over.
pub(crate) fn native(server: &Server, session: &str, target: &Target) -> Value {
    let command = format!("{MARK}{}", serde_json::to_string(target).unwrap());
    let call = json!({"tool": "bash", "input": {"command": command}, "session": session});
    let reply = server.execute(&call);
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

pub(crate) fn create(server: &Server, session: &str) {
    let reply = server.request("POST", &format!("/sessions/{session}"));
    assert_eq!(reply.status, 201, "{}", reply.body);
}

fn echo(server: &Server, session: &str, word: &str) {
    let input = json!({"command": format!("echo {word}")});
    let call = json!({"tool": "bash", "input": input, "session": session});
    let body = server.execute(&call).body;
    assert_eq!(body["output"], format!("{word}\n"), "{body}");
}

/// Asks the broker and a neighbour again and again; answers how often, and the longest wait.
fn neighbour(server: &Server, goes_on: impl Fn() -> bool) -> (usize, Duration) {
    let (mut count, mut longest) = (0, Duration::ZERO);
    while goes_on() || count == 0 {
        let began = Instant::now();
        echo(server, "neighbour", "here");
        assert_eq!(server.request("GET", "/readyz").status, 200);
        longest = longest.max(began.elapsed());
        count += 1;
    }
    (count, longest)
}

pub(crate) fn in_a_cell_harm_only_its_own_call() {
    let state = tempfile::tempdir().unwrap();
    let config = format!("cell_memory = \"{}MiB\"\n", CELL_MEMORY >> 20);
    std::fs::write(state.path().join("hotcell.toml"), config).unwrap();
    let server = Server::start(state.path());
    create(&server, "hostile");
    create(&server, "neighbour");
    echo(&server, "neighbour", "before");
    echo(&server, "hostile", "before");
    let attacked = Attacked::start();
    let mut answers = BTreeMap::new();
    for bomb in BOMBS {
        let target = Target {
            only: vec![bomb.name.to_owned()],
            ..attacked.target.clone()
        };
        let answer = std::thread::scope(|scope| {
            let call = scope.spawn(|| native(&server, "hostile", &target));
            let (count, longest) = neighbour(&server, || !call.is_finished());
            println!(
                "  {}: the neighbour was answered {count} times, within {longest:?}",
                bomb.name
            );
            assert!(longest < ANSWER_MAX, "{longest:?}");
            call.join().unwrap()
        });
        println!("  {}: {answer}", bomb.name);
        echo(&server, "hostile", "after");
        echo(&server, "neighbour", "after");
        answers.insert(bomb.name, answer);
    }
    ran_out_of_memory(&server, &answers["bomb.memory"]);
    had_its_threads(&answers["bomb.threads"]);
}

/// The kernel killed the cell, and everybody is told so.
fn ran_out_of_memory(server: &Server, answer: &Value) {
    assert_eq!(answer["stoppedBy"], "cell", "{answer}");
    let error = answer["error"].as_str().unwrap();
    assert!(error.contains("ran out of memory"), "{answer}");
    let id = &answer["requestId"];
    let record = server.record();
    let outcome = record
        .iter()
        .find(|line| line["event"] == "outcome" && line["requestId"] == *id);
    let outcome = outcome.unwrap_or_else(|| panic!("no outcome of {id} in {record:?}"));
    assert_eq!(outcome["stoppedBy"], "cell", "{outcome}");
}

/// It got no more than the cell may have, and the cell lived on.
fn had_its_threads(answer: &Value) {
    assert!(answer["stoppedBy"].is_null(), "{answer}");
    let findings = answer["output"].as_str().unwrap();
    let findings: Vec<Finding> = serde_json::from_str(findings).unwrap();
    let Found::Blocked { text, .. } = &findings[0].found else {
        panic!("{findings:?}");
    };
    let count = text.split(' ').nth(1).unwrap();
    let count: usize = count.parse().unwrap();
    assert!((100..THREADS_MAX).contains(&count), "{text}");
}
