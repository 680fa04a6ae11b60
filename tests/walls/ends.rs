//! Servers that are told to end leave nothing on the machine.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sha2::{Digest as _, Sha256};

use crate::process::{Server, eventually};
use crate::traces::Traces;

/// A thread that outlives the server's last word leaves something only some of the time.
const ENDS: usize = 5;

fn ends(server: &mut Server) {
    server.signal(Signal::TERM);
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

/// Takes some seconds to compile.
fn slow_to_compile() -> Vec<u8> {
    let mut text = String::from("(module (memory (export \"memory\") 1)\n");
    let step = "(i32.store (local.get 0) (i32.mul (i32.load (local.get 0)) (local.get 1)))";
    for number in 0..4_000 {
        let body = step.repeat(200);
        writeln!(text, "(func $f{number} (param i32 i32) {body})").unwrap();
    }
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
    let began = Instant::now();
    ends(&mut server);
    let took = began.elapsed();
    eprintln!("{took:?}");
    // As long as threads may take at the end: nothing waited for them.
    assert!(took < Duration::from_secs(2), "{took:?}");
    traces.are_gone(state.path());
}
