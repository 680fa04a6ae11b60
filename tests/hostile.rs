//! Hostile calls: each ends as it should and names its limit, while a neighbour's call returns
//! right, nothing keeps running afterwards, and the server stays ready.
//!
//! `HOTCELL_CASE=text` (or an argument) keeps the cases whose name contains it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test says what it found, and starts the programs it compares"
)]

mod server;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::Server;

/// How long a neighbour's small call may take beside a hostile one. Milliseconds are a matter
/// of the benches; this only tells "soon" from "after it".
const NEIGHBOUR_WITHIN: Duration = Duration::from_secs(10);
/// How far past its `timeoutMs` an answer may come before the test calls it hung.
const LATE: Duration = Duration::from_secs(15);

struct Hostile {
    name: &'static str,
    script: &'static str,
    timeout_ms: u64,
    end: End,
}

enum End {
    /// Ends by itself with this output and status 0.
    Prints(&'static str),
    /// Fails by itself: no limit, a status that is not 0.
    Fails,
    /// Is ended, or refused what it wanted and then failed, by one of these limits.
    Limit(&'static [&'static str]),
    /// Either fails by itself or meets one of these limits: which comes first is a matter of sizes.
    FailsOrLimit(&'static [&'static str]),
}

const CASES: &[Hostile] = &[
    Hostile {
        name: "endless writer",
        script: "yes | head -1",
        timeout_ms: 20_000,
        end: End::Prints("y\n"),
    },
    Hostile {
        name: "endless shell loop into head",
        script: "while :; do echo y; done | head -3 | wc -l",
        timeout_ms: 20_000,
        end: End::Prints("3\n"),
    },
    Hostile {
        name: "process substitutions",
        script: "cat <(echo a) <(echo b)",
        timeout_ms: 20_000,
        end: End::Prints("a\nb\n"),
    },
    Hostile {
        name: "two readers of one file",
        script: "printf '1\\n2\\n3\\n' > f; (head -1; cat) <f",
        timeout_ms: 20_000,
        end: End::Prints("1\n2\n3\n"),
    },
    Hostile {
        name: "relative paths after cd",
        script: "mkdir d; echo up > f; cd d; cat ../f; pwd; realpath .",
        timeout_ms: 20_000,
        end: End::Prints("up\n/workspace/d\n/workspace/d\n"),
    },
    Hostile {
        name: "absolute link",
        script: "echo in > x; ln -s /workspace/x link; cat link",
        timeout_ms: 20_000,
        end: End::Prints("in\n"),
    },
    Hostile {
        name: "fifty nested substitutions",
        script: "s='echo x'; for i in {1..50}; do s=\"echo \\$($s)\"; done; eval \"$s\"",
        timeout_ms: 60_000,
        end: End::Prints("x\n"),
    },
    Hostile {
        name: "fork bomb",
        script: ":(){ :|:& };: 2>/dev/null; wait; sleep 1000",
        timeout_ms: 4_000,
        end: End::Limit(&["wall", "processes", "fuel", "memory"]),
    },
    Hostile {
        name: "fork bomb in the foreground",
        script: "f(){ f | f; }; f 2>/dev/null",
        timeout_ms: 4_000,
        end: End::Limit(&["wall", "processes", "fuel", "memory", "descriptors"]),
    },
    Hostile {
        name: "endless recursion",
        script: "f(){ f; }; f",
        timeout_ms: 30_000,
        end: End::FailsOrLimit(&["memory", "fuel"]),
    },
    Hostile {
        name: "endless recursion of substitutions",
        script: "f(){ x=$(f); }; f 2>/dev/null; exit 1",
        timeout_ms: 20_000,
        end: End::Limit(&["processes", "memory", "descriptors", "wall"]),
    },
    Hostile {
        name: "busy loops in 64 processes",
        script: "for i in {1..64}; do awk 'BEGIN { while (1) x++ }' & done; wait",
        timeout_ms: 3_000,
        end: End::Limit(&["wall", "fuel"]),
    },
    Hostile {
        name: "busy shells in 64 processes",
        script: "for i in {1..64}; do while :; do :; done & done; wait",
        timeout_ms: 3_000,
        end: End::Limit(&["wall", "fuel"]),
    },
    Hostile {
        name: "ten gigabytes in a shell variable",
        script: "x=xxxxxxxxxxxxxxxx; for i in {1..40}; do x=$x$x; done",
        timeout_ms: 60_000,
        end: End::Limit(&["memory"]),
    },
    Hostile {
        name: "ten gigabytes in a program",
        script: "head -c 10000000000 /dev/zero | tail -c 10000000000 | wc -c; exit ${PIPESTATUS[1]}",
        timeout_ms: 60_000,
        end: End::Limit(&["memory"]),
    },
    Hostile {
        name: "memory in many processes",
        script: "for i in {1..60}; do (x=$(head -c 30000000 /dev/zero | tr '\\0' x); sleep 1000) & done; wait; exit 1",
        timeout_ms: 20_000,
        end: End::Limit(&["memory", "wall"]),
    },
    Hostile {
        name: "endless output",
        script: "yes",
        timeout_ms: 60_000,
        end: End::Limit(&["output"]),
    },
    Hostile {
        name: "endless error output",
        script: "yes >&2",
        timeout_ms: 60_000,
        end: End::Limit(&["output"]),
    },
    Hostile {
        name: "long sleep",
        script: "sleep 1000",
        timeout_ms: 500,
        end: End::Limit(&["wall"]),
    },
    Hostile {
        name: "sleep that ignores every signal",
        script: "trap '' TERM INT HUP; while :; do sleep 1000; done",
        timeout_ms: 500,
        end: End::Limit(&["wall"]),
    },
    Hostile {
        name: "wait for what never comes",
        script: "exec 3< <(sleep 1000); read x <&3",
        timeout_ms: 500,
        end: End::Limit(&["wall"]),
    },
    Hostile {
        name: "read a FIFO",
        script: "cat pipe",
        timeout_ms: 20_000,
        end: End::Fails,
    },
    Hostile {
        name: "write a FIFO",
        script: "echo x > pipe",
        timeout_ms: 20_000,
        end: End::Fails,
    },
    Hostile {
        name: "search through a FIFO",
        script: "grep -r nothing .; exit 1",
        timeout_ms: 20_000,
        end: End::Fails,
    },
    Hostile {
        name: "ten gigabyte file",
        script: "head -c 10000000000 /dev/zero > big || exit 1",
        timeout_ms: 90_000,
        end: End::Limit(&["disk"]),
    },
    Hostile {
        name: "endless file",
        script: "yes > big || exit 1",
        timeout_ms: 90_000,
        end: End::Limit(&["disk"]),
    },
    Hostile {
        name: "files without number",
        script: "for i in {100..300}; do touch $(seq ${i}000 ${i}999) || exit 1; done",
        timeout_ms: 90_000,
        end: End::Limit(&["inodes"]),
    },
    Hostile {
        name: "descriptors without number",
        script: "for i in {1..5000}; do exec {fd}</dev/null || exit 1; done",
        timeout_ms: 30_000,
        end: End::Limit(&["descriptors"]),
    },
    Hostile {
        name: "processes without number",
        script: "for i in {1..500}; do sleep 1000 & done 2>/dev/null; wait",
        timeout_ms: 3_000,
        end: End::Limit(&["processes", "wall"]),
    },
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::var("HOTCELL_CASE")
        .into_iter()
        .chain(
            std::env::args()
                .skip(1)
                .filter(|word| !word.starts_with('-')),
        )
        .collect();
    let server = match Server::start() {
        Ok(server) => server,
        Err(reason) => {
            eprintln!("hostile: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let (mut held, mut failed) = (0, 0);
    for (index, case) in CASES.iter().enumerate() {
        if !wanted.iter().all(|text| case.name.contains(text)) {
            continue;
        }
        let started = Instant::now();
        match run(&server, &format!("hostile-{index}"), case) {
            Ok(()) => {
                held += 1;
                println!(
                    "ok   {} ({:.1} s)",
                    case.name,
                    started.elapsed().as_secs_f32()
                );
            }
            Err(reason) => {
                failed += 1;
                println!("FAIL {}: {reason}\n  script: {}", case.name, case.script);
            }
        }
    }
    println!("hostile: {held} held, {failed} failed");
    if failed == 0 && held > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run(server: &Server, session: &str, case: &Hostile) -> Result<(), String> {
    server.open_session(session)?;
    server.open_session("neighbour")?;
    if case.name.contains("FIFO") {
        make_fifo(&server.workspace(session)?.join("pipe"))?;
    }
    let started = Instant::now();
    let (hostile, neighbour) = std::thread::scope(|scope| {
        let hostile = scope.spawn(|| bash(server, session, case.script, case.timeout_ms));
        std::thread::sleep(Duration::from_millis(150));
        let asked = Instant::now();
        let neighbour = bash(
            server,
            "neighbour",
            "seq 3 | wc -l; echo \"still $((6 * 7))\"",
            60_000,
        );
        let neighbour = neighbour.map(|answer| (answer, asked.elapsed()));
        (hostile.join(), neighbour)
    });
    let took = started.elapsed();
    let answer = hostile.map_err(|_| "the caller panicked".to_owned())??;
    judge(case, &answer)?;
    if took > Duration::from_millis(case.timeout_ms) + LATE {
        return Err(format!(
            "answered after {took:?}, timeoutMs was {}",
            case.timeout_ms
        ));
    }

    let (neighbour, waited) = neighbour?;
    if neighbour["output"] != "3\nstill 42\n" || neighbour["exitCode"] != 0 {
        return Err(format!("the neighbour got {neighbour}"));
    }
    if waited > NEIGHBOUR_WITHIN {
        return Err(format!("the neighbour waited {waited:?}"));
    }
    nothing_runs_on(server)?;
    let after = bash(server, session, "echo alive", 30_000)?;
    if after["output"] != "alive\n" {
        return Err(format!("the session's next call got {after}"));
    }
    let ready = server.call("GET", "/readyz", None)?;
    if ready.status != 200 {
        return Err(format!(
            "the server is not ready afterwards: {}",
            ready.body
        ));
    }
    server.close_session(session);
    Ok(())
}

fn bash(server: &Server, session: &str, command: &str, timeout_ms: u64) -> Result<Value, String> {
    let answer = server.execute(&json!({
        "tool": "bash",
        "input": { "command": command },
        "session": session,
        "timeoutMs": timeout_ms,
    }))?;
    match answer.status {
        200 => Ok(answer.body),
        status => Err(format!("HTTP {status}: {}", answer.body)),
    }
}

fn judge(case: &Hostile, answer: &Value) -> Result<(), String> {
    let status = answer["exitCode"].as_i64().ok_or("no exitCode")?;
    let limit = answer["stoppedBy"].as_str();
    let limited =
        |limits: &[&str]| limit.is_some_and(|limit| limits.contains(&limit)) && status != 0;
    let wall_says_124 = limit != Some("wall") || status == 124;
    let fine = wall_says_124
        && match case.end {
            End::Prints(text) => limit.is_none() && status == 0 && answer["output"] == text,
            End::Fails => limit.is_none() && status != 0,
            End::Limit(limits) => limited(limits),
            End::FailsOrLimit(limits) => limited(limits) || (limit.is_none() && status != 0),
        };
    if fine {
        return Ok(());
    }
    let head = |field: &str| -> String {
        answer[field]
            .as_str()
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect()
    };
    Err(format!(
        "exitCode {status}, stoppedBy {limit:?}, output {:?}, error {:?}",
        head("output"),
        head("error")
    ))
}

/// Guests live inside cells, so what a call left running shows as a cell that goes on working:
/// wants one quiet moment of every process below the server.
fn nothing_runs_on(server: &Server) -> Result<(), String> {
    const MOMENT: Duration = Duration::from_millis(400);
    // A twentieth of the moment; the idle loops of a runtime need far less.
    const TICKS_QUIET: u64 = 2;
    let mut ticks = 0;
    for _ in 0..10 {
        let before = ticks_below(server)?;
        std::thread::sleep(MOMENT);
        ticks = ticks_below(server)?.saturating_sub(before);
        if ticks <= TICKS_QUIET {
            return Ok(());
        }
    }
    Err(format!(
        "the cells still work after the answer: {ticks} ticks in {MOMENT:?}"
    ))
}

/// Processor time of the server's children and theirs, in clock ticks; every one must be a cell.
fn ticks_below(server: &Server) -> Result<u64, String> {
    let mut wanted = vec![server.pid().as_raw_nonzero().get()];
    let mut ticks = 0;
    while let Some(parent) = wanted.pop() {
        for (pid, fields) in processes()? {
            // After the closing parenthesis of the name: state, parent, …, utime (12th), stime.
            if fields.get(1).and_then(|field| field.parse::<i32>().ok()) != Some(parent) {
                continue;
            }
            wanted.push(pid);
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
            let is_ours =
                command.is_empty() || words.first().is_some_and(|word| word.ends_with(b"hotcell"));
            if !is_ours {
                return Err(format!("a strange child {pid}: {}", command.escape_ascii()));
            }
            let time = |index: usize| {
                fields
                    .get(index)
                    .and_then(|field| field.parse::<u64>().ok())
            };
            ticks += time(11).unwrap_or_default() + time(12).unwrap_or_default();
        }
    }
    Ok(ticks)
}

/// Every process with the fields of its `/proc/PID/stat` from the state on.
fn processes() -> Result<Vec<(i32, Vec<String>)>, String> {
    let entries = std::fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?;
    Ok(entries
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (_, fields) = stat.rsplit_once(')')?;
            Some((pid, fields.split_whitespace().map(str::to_owned).collect()))
        })
        .collect())
}

fn make_fifo(path: &std::path::Path) -> Result<(), String> {
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0)
        .map_err(|error| format!("{}: {error}", path.display()))
}
