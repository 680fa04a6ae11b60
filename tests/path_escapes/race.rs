//! The same calls while a host thread swaps folders and files for links to outside ones.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use crate::{door::Door, world::World};

/// What the clients did while the swaps went on.
pub struct Race {
    pub calls: u64,
    pub swaps: u64,
    /// Calls that found the inside file: without any the race proves nothing.
    pub inside: u64,
    pub fired: Vec<String>,
}

/// Clients that call at the same time.
const CLIENTS: u64 = 4;

/// Swaps while `calls` calls run, then looks at the outside.
pub fn run(door: &Door, world: &mut World, calls: u64) -> Race {
    world.plant();
    prepare(&world.workspace);
    let (over, swaps, inside) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let mut fired = Vec::new();
    std::thread::scope(|scope| {
        let workspace = &world.workspace;
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                swap(workspace);
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let canary = world.canary.as_bytes();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let inside = &inside;
                scope.spawn(move || {
                    let shares = |n: &u64| n % CLIENTS == client;
                    (0..calls)
                        .filter(shares)
                        .filter_map(|n| one(door, canary, n, inside))
                        .collect()
                })
            })
            .collect();
        for client in clients {
            let mut seen: Vec<String> = client.join().expect("a client");
            fired.append(&mut seen);
        }
        over.store(true, Ordering::Relaxed);
    });
    fired.extend(world.fired(b""));
    Race {
        calls,
        swaps: swaps.into_inner(),
        inside: inside.into_inner(),
        fired,
    }
}

fn prepare(workspace: &Path) {
    let at = |name: &str| workspace.join("race").join(name);
    let link = |text: &str, name: &str| std::os::unix::fs::symlink(text, at(name)).expect("link");
    for folder in ["slot", "parent/slot"] {
        std::fs::create_dir_all(at(folder)).expect("folder");
        std::fs::write(at(folder).join("secret.txt"), crate::world::INSIDE).expect("file");
    }
    std::fs::write(at("file"), crate::world::INSIDE).expect("file");
    link("../../outside", "slot-link");
    link("../../outside/secret.txt", "file-link");
    link("../..", "parent-link");
}

/// Exchanges each of three names with its link, at once.
fn swap(workspace: &Path) {
    for name in ["slot", "file", "parent"] {
        let one = workspace.join("race").join(name);
        let other = workspace.join("race").join(format!("{name}-link"));
        // A call may just have replaced one of them; the next round finds it.
        let _ = renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE);
    }
}

/// One call of the race; answers what it must not have shown.
fn one(door: &Door, canary: &[u8], number: u64, inside: &AtomicU64) -> Option<String> {
    let new = format!("race/slot/new-{}", number % 16);
    let (tool, input) = match number % 10 {
        0 => ("read_file", json!({"path": "race/slot/secret.txt"})),
        1 => ("read_file", json!({"path": "race/file"})),
        2 => ("read", json!({"file_path": "race/parent/slot/secret.txt"})),
        3 => ("write_file", json!({"path": new, "content": "x"})),
        4 => (
            "read",
            json!({"file_path": "race/parent/outside/secret.txt"}),
        ),
        5 => (
            "edit",
            json!({"file_path": "race/slot/secret.txt", "old_string": "IN", "new_string": "IN"}),
        ),
        6 => ("glob", json!({"pattern": "race/*/*"})),
        7 => ("grep", json!({"pattern": ".", "path": "race"})),
        8 => (
            "write_file",
            json!({"path": "race/parent/outside/made", "content": "x"}),
        ),
        _ => (
            "bash",
            json!({"command": "(cd /workspace/race/slot && cat secret.txt; echo x > made; cat ../file)"}),
        ),
    };
    let answer = door.tool(tool, input);
    if answer
        .raw
        .windows(canary.len())
        .any(|window| window == canary)
    {
        return Some(format!("call {number} ({tool}) shows the outside file"));
    }
    if answer.status == 0 {
        return Some(format!("call {number} ({tool}) had no answer"));
    }
    inside.fetch_add(
        u64::from(answer.output().contains(crate::world::INSIDE)),
        Ordering::Relaxed,
    );
    None
}
