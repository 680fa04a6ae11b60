//! Servers and commands that are told to end leave nothing on the machine.

use std::fmt::Write as _;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use sha2::{Digest as _, Sha256};

use crate::must_have_all;
use crate::process::{Server, eventually, hotcell};
use crate::traces::{Traces, groups};

/// A thread that outlives the server's last word leaves something only some of the time.
const ENDS: usize = 5;
/// Moments of a start.
const ENDS_AT_START: u32 = 15;

/// Tells a process to end, and looks while its number is still taken: the next program of ours
/// removes what another left.
fn ends_without_groups(process: u32, signal: Signal) {
    let process = Pid::from_raw(process.cast_signed()).unwrap();
    kill_process(process, signal).unwrap();
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(process), options).unwrap();
    let left = groups(process.as_raw_nonzero().get().cast_unsigned());
    assert!(left.is_empty(), "{left:?}");
}

fn ends(server: &mut Server) {
    let process = server.process();
    assert!(!groups(process).is_empty() || !must_have_all());
    ends_without_groups(process, Signal::TERM);
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_server_that_ends_leaves_nothing() {
    for _ in 0..ENDS {
        let state = tempfile::tempdir().unwrap();
        let mut traces = Traces::before();
        let mut server = Server::start(state.path());
        assert_eq!(server.bash("echo up")["output"], "up\n");
        traces.look(&server);
        ends(&mut server);
        traces.are_gone(state.path());
    }
}

/// What commands made for their calls.
fn passing(state: &Path) -> usize {
    std::fs::read_dir(state.join("run")).map_or(0, Iterator::count)
}

#[test]
fn a_command_that_is_told_to_end_leaves_nothing() {
    let state = tempfile::tempdir().unwrap();
    let workspace = tempfile::tempdir().unwrap();
    let program = hotcell(state.path());
    let run = |signals: &str, command: &str| {
        // Whatever this test was started with.
        Command::new("env")
            .arg(signals)
            .arg(program.get_program())
            .args(["run", "--workspace"])
            .arg(workspace.path())
            .args(["bash", command])
            .envs(
                program
                    .get_envs()
                    .map(|(name, value)| (name, value.unwrap())),
            )
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap()
    };
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let mut child = run("--default-signal=HUP,INT,TERM", "echo up; sleep 60");
        let mut line = [0; 3];
        child.stdout.take().unwrap().read_exact(&mut line).unwrap();
        assert_eq!(passing(state.path()), 1);
        ends_without_groups(child.id(), signal);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(passing(state.path()), 0);
    }
    // Ignored from the start, it stays ignored.
    let mut child = run("--ignore-signal=HUP", "echo up; sleep 1");
    let mut line = [0; 3];
    child.stdout.take().unwrap().read_exact(&mut line).unwrap();
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let text = std::fs::read_to_string(state.path().join("audit/run.jsonl")).unwrap();
    let count = |event: &str| text.matches(&format!("\"event\":\"{event}\"")).count();
    assert_eq!((count("intent"), count("outcome")), (4, 4), "{text}");
    // One whose output nobody takes ends at the second.
    let mut child = run("--default-signal=TERM", "yes");
    std::thread::sleep(Duration::from_secs(1));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let began = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_is_told_to_end_while_it_starts_leaves_nothing() {
    let state = tempfile::tempdir().unwrap();
    let workspace = tempfile::tempdir().unwrap();
    let folder = workspace.path().to_str().unwrap();
    let run = ["run", "--workspace", folder, "bash", "sleep 60"];
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let delays = (0..ENDS_AT_START).map(|number| number * Duration::from_millis(10));
    for delay in delays {
        for (arguments, code) in [(&run[..], 143), (&serve[..], 0)] {
            let mut child = hotcell(state.path())
                .args(arguments)
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(delay);
            ends_without_groups(child.id(), Signal::TERM);
            let status = child.wait().unwrap();
            // Or the kernel's own way, before it has made anything.
            assert!(
                status.code() == Some(code) || status.signal() == Some(15),
                "{arguments:?} after {delay:?}: {status}"
            );
            assert_eq!(passing(state.path()), 0, "after {delay:?}");
        }
    }
}

/// Takes some seconds to compile.
fn slow_to_compile() -> Vec<u8> {
    let mut text = String::from("(module (memory (export \"memory\") 1)\n");
    let step = "(i32.store (local.get 0) (i32.mul (i32.load (local.get 0)) (local.get 1)))";
    for number in 0..4_000 {
        let body = step.repeat(200);
        writeln!(text, "(func $f{number} (param i32 i32) {body})").unwrap();
    }
    // Never seen before, so that it is in no cache.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    write!(text, "(data (i32.const 0) \"{}\")", now.as_nanos()).unwrap();
    text.push_str("(func (export \"_start\")))");
    wat::parse_str(text).unwrap()
}

/// A policy in the state folder that brings one tool.
fn rule_for(state: &Path, wasm: &[u8]) -> String {
    let file = state.join("slow.wasm");
    std::fs::write(&file, wasm).unwrap();
    let digest: String = Sha256::digest(wasm)
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
    format!(
        "[[tool]]\nname = \"slow\"\ndescription = \"Slow.\"\nkind = \"module\"\n\
         file = \"{}\"\nsha256 = \"{digest}\"\nreason = \"tests\"\n",
        file.display()
    )
}

#[test]
fn a_server_ends_while_it_compiles_a_tool() {
    let state = tempfile::tempdir().unwrap();
    let policy = state.path().join("policy.toml");
    let plain = "version = 1\nname = \"ends\"\ndescription = \"Tests.\"\n\
                 [[tool]]\nnames = [\"bash\"]\nreason = \"tests\"\n";
    std::fs::write(&policy, plain).unwrap();
    let config = format!("policy = \"{}\"\n", policy.display());
    std::fs::write(state.path().join("hotcell.toml"), config).unwrap();
    let mut traces = Traces::before();
    let mut server = Server::start(state.path());
    traces.look(&server);
    let rule = rule_for(state.path(), &slow_to_compile());
    std::fs::write(&policy, format!("{plain}{rule}")).unwrap();
    server.signal(Signal::HUP);
    let compiles = |process: &u32| {
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        line.split(|&byte| byte == 0)
            .any(|word| word == b"--compiles")
    };
    eventually("it compiles", || traces.look(&server).iter().any(compiles));
    ends(&mut server);
    // Who waited for the tool was told so, and did not keep the server from ending whole.
    eventually("the policies are not loaded", || {
        let log = server.log.lock().unwrap();
        log.contains("policies not loaded again")
    });
    traces.are_gone(state.path());
}
