//! Each wall, left out of the real seal: what it stops gets through then, and nothing does when it
//! stands again. The same for native programs. And cells that run native code, in a server that goes
//! on for everybody else.
//!
//! Needs the feature `test-without-walls`, which no build that is shipped can have, and root, to
//! become somebody else. `HOTCELL_REQUIRE=full` fails where this machine cannot give every wall,
//! instead of skipping; words on the command line choose tests by a part of their name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that fails says so by panicking, and starts the program it tests"
)]

#[path = "without_walls/alone.rs"]
mod alone;
#[path = "without_walls/bait.rs"]
mod bait;
#[path = "without_walls/bombs.rs"]
mod bombs;
#[path = "without_walls/native.rs"]
mod native;
#[path = "without_walls/neighbour.rs"]
mod neighbour;
#[allow(dead_code, reason = "another suite's, of which this one needs a part")]
#[path = "it/process.rs"]
mod process;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use hotcell::cell::{Walls, without::Attackers};
use hotcell::limits::Confinement;

/// Whom sealed processes become, and as whom the bait is laid.
const ORDINARY: u32 = 65_534;
/// Memory of a cell: below what the memory bomb takes.
const CELL_MEMORY: u64 = 256 << 20;

const TESTS: &[(&str, fn())] = &[
    (
        "each_probe_is_stopped_by_each_of_its_walls_alone",
        alone::each_probe_is_stopped_by_each_of_its_walls_alone,
    ),
    (
        "a_native_program_gets_through_none_of_its_walls_and_through_each_that_is_left_out",
        native::gets_through_no_wall_but_those_left_out,
    ),
    (
        "a_native_program_of_somebody_ordinary_gets_through_no_wall",
        native::of_somebody_ordinary_gets_through_no_wall,
    ),
    (
        "bombs_are_stopped_by_groups_or_by_limits",
        bombs::are_stopped_by_groups_or_by_limits,
    ),
    (
        "bombs_in_a_cell_harm_only_its_own_call",
        bombs::in_a_cell_harm_only_its_own_call,
    ),
    (
        "a_cell_that_was_taken_over_reaches_nothing_of_a_neighbour",
        neighbour::is_not_reached,
    ),
    (
        "a_neighbour_s_memory_is_open_to_its_user_only_without_that_wall",
        neighbour::memory_is_open_to_its_user_only_without_that_wall,
    ),
];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--bait", folder] => return bait::lay(Path::new(folder)),
        ["--attacker", target] => return bait::attack(target),
        [native::WORD, target] => return native::attack(target),
        [native::ORDINARY_WORD, folder] => return native::as_somebody_ordinary(Path::new(folder)),
        _ => {}
    }
    if !rustix::process::geteuid().is_root() {
        return skip("only root can become whom it attacks");
    }
    let lacking = runtime().block_on(async { attackers().await.reached().to_string() });
    if lacking != "full" {
        return skip(&format!("this machine does not give every wall: {lacking}"));
    }
    let chosen = words.iter().filter(|word| !word.starts_with('-'));
    let chosen: Vec<_> = chosen.collect();
    for (name, test) in TESTS {
        if chosen.is_empty() || chosen.iter().any(|word| name.contains(word.as_str())) {
            println!("\n{name}");
            test();
        }
    }
    ExitCode::SUCCESS
}

fn skip(reason: &str) -> ExitCode {
    let required = env::var_os("HOTCELL_REQUIRE").is_some_and(|value| value == "full");
    println!("SKIPPED: {reason}");
    if required {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Starts processes as the server does.
async fn attackers() -> Attackers {
    attackers_with(&process::shared_cache()).await
}

async fn attackers_with(cache: &Path) -> Attackers {
    let walls = Walls {
        least: Confinement::Basic,
        user: (ORDINARY, ORDINARY),
        memory_bytes: CELL_MEMORY,
    };
    let program = PathBuf::from(env!("CARGO_BIN_EXE_hotcell"));
    Attackers::new(program, cache, walls).await.unwrap()
}

/// This program again, as somebody ordinary or as who we are.
fn ourselves(ordinary: bool) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(env::current_exe().unwrap());
    if ordinary {
        command.uid(ORDINARY).gid(ORDINARY);
    }
    command
}
