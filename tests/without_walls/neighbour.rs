//! A cell that was taken over looks for another session of the same server.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotcell::confinement::probe::{Bait, Finding, Found, Target, Wall, probes};
use serde_json::json;

use crate::bait::{Attacked, unconfined};
use crate::bombs::{create, native};
use crate::process::{Server, eventually};
use crate::{ORDINARY, attackers, runtime};

/// Probes of the neighbour that where no wall stands must get through, and what for.
const MUST: &[&str] = &[
    // Its workspace, by the host's path.
    "reach.absolute_path",
    "reach.mapped",
    "reach.own_root_in_proc",
    // By what its cell has open: its own root is as empty as ours.
    "reach.broker_descriptor_in_proc",
    "broker.descriptor_by_handle",
    // What its cell has in memory.
    "broker.read_memory",
    "broker.write_memory",
    "broker.memory_in_proc",
    "broker.map_in_proc",
    "broker.trace",
    // Its life.
    "broker.kill",
    "broker.kill_thread",
    "broker.queue_signal",
    "broker.signal_by_handle",
];
/// What processes of one user may do to each other.
const OF_SAME_USER: [&str; 3] = [
    "broker.read_memory",
    "broker.memory_in_proc",
    "broker.trace",
];
/// How often a probe is made, to take some seconds.
const BUSY: usize = 20_000;
/// Longest that the neighbour's call holds what is looked for.
const CALL_MS: u64 = 60_000;
/// Largest part of a cell's memory that is searched at a time.
const PIECE_BYTES: u64 = 1 << 20;
/// Parts of its address space that are larger are reserved, not used.
const REGION_BYTES_MAX: u64 = 1 << 30;

/// The number, as the host has it, of the cell that has a file open, and under which number.
fn holder(server: &Server, file: &Path) -> Option<(i32, i32)> {
    for cell in server.cells() {
        let open = fs::read_dir(format!("/proc/{cell}/fd"))
            .into_iter()
            .flatten();
        for entry in open.flatten() {
            // In a cell's mount the path ends as it does in the host's.
            let leads = fs::read_link(entry.path()).unwrap_or_default();
            if leads.file_name() == file.file_name() {
                let number = entry.file_name().to_string_lossy().parse().unwrap();
                return Some((i32::try_from(cell).unwrap(), number));
            }
        }
    }
    None
}

/// Where in a process's memory these bytes are.
fn address_of(process: i32, secret: &str) -> Option<u64> {
    let memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let mut piece = vec![0; usize::try_from(PIECE_BYTES).unwrap()];
    for line in maps.lines().filter(|line| line.contains(" rw-p ")) {
        let (start, rest) = line.split_once('-').unwrap();
        let start = u64::from_str_radix(start, 16).unwrap();
        let end = u64::from_str_radix(rest.split(' ').next().unwrap(), 16).unwrap();
        if end - start > REGION_BYTES_MAX {
            continue;
        }
        // Pieces overlap, so that nothing lies across a border.
        for at in (start..end).step_by(piece.len() / 2) {
            let room = piece.len().min(usize::try_from(end - at).unwrap());
            let Ok(count) = memory.read_at(&mut piece[..room], at) else {
                continue;
            };
            let mut windows = piece[..count].windows(secret.len());
            if let Some(offset) = windows.position(|window| window == secret.as_bytes()) {
                return Some(at + offset as u64);
            }
        }
    }
    None
}

/// What the attacker is aimed at: the neighbour's secret, its file, its cell.
fn aimed_at(server: &Server, bait: &Target) -> Target {
    let workspace = server.state.join("sessions/default/neighbour/workspace");
    let canary = workspace.join("canary-of-neighbour");
    let mut found = None;
    eventually("the neighbour's cell holds its file", || {
        found = holder(server, &canary);
        found.is_some()
    });
    let (process, number) = found.unwrap();
    let mut address = None;
    eventually("its secret is in its memory", || {
        address = address_of(process, &bait.secret);
        address.is_some()
    });
    Target {
        broker_pid: process,
        broker_descriptor: number,
        broker_address: address.unwrap(),
        outside_folder: workspace,
        victim: canary.clone(),
        canary,
        only: probes()
            .map(|probe| probe.name)
            .filter(|name| name.starts_with("reach.") || name.starts_with("broker."))
            .map(str::to_owned)
            .collect(),
        ..bait.clone()
    }
}

fn fired(findings: &[Finding]) -> Vec<&Finding> {
    let fired = |finding: &&Finding| matches!(finding.found, Found::Succeeded(_));
    findings.iter().filter(fired).collect()
}

pub(crate) fn is_not_reached() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    create(&server, "hostile");
    create(&server, "neighbour");
    let bait_folder = tempfile::tempdir().unwrap();
    let bait = Bait::set(bait_folder.path()).unwrap();
    let secret = &bait.target().secret;
    std::thread::scope(|scope| {
        let call = scope.spawn(|| {
            let command = format!(
                "echo {secret} > canary-of-neighbour; exec 7< canary-of-neighbour; x={secret}; \
                 while ! test -e enough; do sleep 0.1; done; echo $x"
            );
            let call = json!({
                "tool": "bash", "input": {"command": command}, "session": "neighbour",
                "timeoutMs": CALL_MS,
            });
            server.execute(&call).body
        });
        let workspace = attack(&server, bait.target());
        fs::write(workspace.join("enough"), "").unwrap();
        // Its call was not touched.
        let body = call.join().unwrap();
        assert_eq!(body["output"], format!("{secret}\n"), "{body}");
    });
}

/// Answers the neighbour's workspace.
fn attack(server: &Server, bait: &Target) -> PathBuf {
    let target = aimed_at(server, bait);
    println!(
        "  {} attempts at process {}",
        target.only.len(),
        target.broker_pid
    );
    let answer = native(server, "hostile", &target);
    let findings = answer["output"].as_str().unwrap();
    let findings: Vec<Finding> = serde_json::from_str(findings).unwrap();
    for finding in &findings {
        println!("  {:42} {}", finding.name, finding.found);
    }
    assert_eq!(findings.len(), target.only.len());
    let holes = fired(&findings);
    assert!(holes.is_empty(), "{holes:?}");
    // The neighbour was there all the time, and is.
    assert_eq!(
        holder(server, &target.canary).map(|found| found.0),
        Some(target.broker_pid)
    );

    for name in MUST {
        let target = Target {
            only: vec![(*name).to_owned()],
            ..target.clone()
        };
        let findings = unconfined(&target, false);
        println!("  unconfined {:31} {}", name, findings[0].found);
        assert_eq!(fired(&findings).len(), 1, "{findings:?}");
    }
    // Somebody ordinary of the same user, outside: the cell's memory is closed to them too.
    hidden(&target);
    target.outside_folder
}

/// Cells of one user, and that user's own processes, do not see each other's memory.
fn hidden(target: &Target) {
    let status = fs::read_to_string(format!("/proc/{}/status", target.broker_pid)).unwrap();
    assert!(status.contains(&format!("Uid:\t{ORDINARY}\t")), "{status}");
    assert_eq!(by_same_user(target), Vec::<String>::new());
}

/// What an ordinary process outside, of the same user, can do to a sealed one.
fn by_same_user(target: &Target) -> Vec<String> {
    let target = Target {
        only: OF_SAME_USER.map(str::to_owned).into(),
        ..target.clone()
    };
    let findings = unconfined(&target, true);
    for finding in &findings {
        println!("  same user {:32} {}", finding.name, finding.found);
    }
    let fired = fired(&findings);
    fired.into_iter().map(|one| one.name.clone()).collect()
}

/// A process of ours that is sealed.
fn sealed_child() -> Option<i32> {
    let us = format!("PPid:\t{}\n", std::process::id());
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.find(|number: &i32| {
        let status = fs::read_to_string(format!("/proc/{number}/status"));
        status.is_ok_and(|status| status.contains(&us) && status.contains("Seccomp:\t2"))
    })
}

/// The wall that `hidden` rests on, left out of the real seal and not.
pub(crate) fn memory_is_open_to_its_user_only_without_that_wall() {
    let runtime = runtime();
    let attackers = Arc::new(runtime.block_on(attackers()));
    let attacked = Attacked::start();
    for (left_out, open) in [(&[Wall::Hidden][..], &OF_SAME_USER[..]), (&[], &[])] {
        let target = Target {
            // Keeps it busy until it has been looked at; it is killed then.
            only: vec!["environment.descriptors".to_owned(); BUSY],
            ..attacked.target.clone()
        };
        let (attackers, inside) = (Arc::clone(&attackers), attacked.inside());
        let busy = runtime.spawn(async move {
            let _killed = attackers.attempt(left_out, target, inside).await;
        });
        let (mut process, mut address) = (None, None);
        eventually("its secret is found", || {
            process = sealed_child();
            address = process.and_then(|process| address_of(process, &attacked.target.secret));
            address.is_some()
        });
        let target = Target {
            broker_pid: process.unwrap(),
            broker_address: address.unwrap(),
            ..attacked.target.clone()
        };
        println!("  without {left_out:?}:");
        assert_eq!(by_same_user(&target), open);
        busy.abort();
        eventually("it is gone", || sealed_child().is_none());
    }
}
