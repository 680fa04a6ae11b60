//! The oracle: the system's bash in a fresh folder, with the environment guests have.

use std::fs::Permissions;
use std::io::{PipeReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, fchown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Answer, case::Case};

/// How long a case may take, natively and in Hotcell. Chosen, not measured.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Guests are uid and gid 1000; as root the oracle becomes that too, so that modes count and no
/// case can ever change the system. Never run a case natively as root by any other way.
const AGENT: u32 = 1000;

/// Runs a case with the system's bash.
pub fn run(case: &Case) -> Result<Answer, String> {
    // `/tmp/hXXXX` is as long as `/workspace`, so counts and columns stay comparable.
    let workspace = tempfile::Builder::new()
        .prefix("h")
        .rand_bytes(4)
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in("/tmp")
        .map_err(|error| format!("no folder for the oracle: {error}"))?;
    let path = workspace.path();
    let (stdout, stdout_writer) = std::io::pipe().map_err(|error| error.to_string())?;
    let (stderr, stderr_writer) = std::io::pipe().map_err(|error| error.to_string())?;
    // A signal ignored by whoever runs the suite could not be trapped.
    let mut bash = Command::new("/usr/bin/env");
    if rustix::process::geteuid().is_root() {
        // The pipes too, or opening /dev/stdout would be refused.
        chown(path, Some(AGENT), Some(AGENT))
            .and_then(|()| fchown(&stdout_writer, Some(AGENT), Some(AGENT)))
            .and_then(|()| fchown(&stderr_writer, Some(AGENT), Some(AGENT)))
            .map_err(|error| format!("cannot hand the oracle its folder: {error}"))?;
        bash.uid(AGENT).gid(AGENT);
    }
    bash.args(["--default-signal", "bash", "--noprofile", "--norc", "-c"])
        .arg(&case.script)
        .current_dir(path)
        .env_clear()
        .envs([
            ("USER", "agent"),
            ("PATH", "/bin"),
            ("LANG", "C.UTF-8"),
            ("TZ", "UTC"),
        ])
        .env("HOME", path)
        .stdin(Stdio::null())
        .stdout(stdout_writer)
        .stderr(stderr_writer)
        .process_group(0);
    let child = bash
        .spawn()
        .map_err(|error| format!("/bin/bash: {error}"))?;
    // The command holds writers; the readers end when the last copy is gone.
    drop(bash);
    let (stdout, stderr, status) = finish(child, stdout, stderr)?;
    let home = path.as_os_str().as_bytes();
    Ok(Answer {
        stdout: as_in_a_guest(stdout, home),
        stderr: String::from_utf8_lossy(&as_in_a_guest(stderr, home)).into_owned(),
        status,
    })
}

/// Puts `/workspace` where the oracle printed its folder, which has as many letters.
fn as_in_a_guest(mut output: Vec<u8>, folder: &[u8]) -> Vec<u8> {
    const WORKSPACE: &[u8] = b"/workspace";
    assert_eq!(folder.len(), WORKSPACE.len());
    for start in 0..output.len().saturating_sub(folder.len() - 1) {
        let place = &mut output[start..start + folder.len()];
        if place == folder {
            place.copy_from_slice(WORKSPACE);
        }
    }
    output
}

/// Collects output until bash ends; what it left running ends with it, as in Hotcell.
fn finish(
    mut child: Child,
    mut stdout: PipeReader,
    mut stderr: PipeReader,
) -> Result<(Vec<u8>, Vec<u8>, i64), String> {
    let group = rustix::process::Pid::from_child(&child);
    let stdout = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).map(|_| bytes)
    });
    let stderr = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stderr.read_to_end(&mut bytes).map(|_| bytes)
    });
    let started = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break Ok(status),
            None if started.elapsed() > DEADLINE => {
                break Err(format!("bash itself took over {DEADLINE:?}"));
            }
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    // Nothing is left in the group when the case waited for its jobs.
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    let _ = child.wait();
    let status = status?;
    let bytes = |reader: std::thread::JoinHandle<std::io::Result<Vec<u8>>>| {
        reader
            .join()
            .map_err(|_| "a reader panicked".to_owned())?
            .map_err(|error| error.to_string())
    };
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok((bytes(stdout)?, bytes(stderr)?, i64::from(code)))
}
