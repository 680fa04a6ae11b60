//! More than fits: bytes, arguments, input, paths, names.

use serde_json::json;

use crate::{Call, LONG_MS, World};

/// How far past its wall limit, in microseconds, a call may end by the cell's own clock on a busy
/// machine; what a quiet one keeps is measured by tests/deadlines.rs.
const LATE_US: u64 = 1_000_000;

pub fn bytes_that_single_instructions_move_cost_fuel(world: &World) {
    let answer = world.assert_ends("bulk", LONG_MS, 0, None);
    let fuel = answer["usage"]["fuel"].as_u64().unwrap();
    // Twenty times 64 MiB, by about two hundred instructions.
    assert!(fuel >= 20 * (64 << 20) / 2, "{answer}");
}

pub fn what_is_too_long_to_be_handed_over_is_refused(world: &World) {
    world.assert_ends("bombs", LONG_MS, 42, None);
    // From outside the request is too long before anything is started.
    let call = Call::new(world);
    for (input, status) in [
        (
            json!({"command": "/bin/ok", "env": {"A": "x".repeat(128 << 20)}}),
            413,
        ),
        (json!({"command": "/bin/ok ".repeat(16 << 20)}), 413),
    ] {
        let request = json!({"tool": "bash", "input": input, "session": call.session});
        // A server that has seen enough may stop to read.
        if let Ok(answer) = world.server.execute(&request) {
            assert_eq!(answer.status, status, "{}", answer.body);
        }
    }
    world.assert_alive("bombs from outside");
}

pub fn input_that_nobody_reads_holds_nobody_up(world: &World) {
    let call = Call::new(world);
    let input = json!({"command": "/bin/ok", "stdin": "x".repeat(4 << 20)});
    let request = json!({"tool": "bash", "input": input, "session": call.session});
    let answer = world.server.execute(&request).unwrap();
    assert_eq!(answer.body["output"], "ok\n", "{}", answer.body);
    world.assert_alive("input that nobody reads");
}

/// Runs the program until its wall limit of a second, and looks at the cell's clock.
fn ends_in_time(call: &Call<'_>, program: &str) {
    let answer = call.run(program, 1_000);
    assert_eq!(answer["stoppedBy"], "wall", "{program}: {answer}");
    let wall_us = answer["usage"]["wallUs"].as_u64().unwrap();
    assert!(wall_us < 1_000_000 + LATE_US, "{program}: {answer}");
}

pub fn long_paths_and_long_lists_end_at_the_wall(world: &World) {
    let call = Call::new(world);
    // The session's workspace is made by its first call.
    call.run("ok", LONG_MS);
    let workspace = call.workspace();
    let flags = rustix::fs::OFlags::DIRECTORY;
    let mode = rustix::fs::Mode::RWXU;
    let mut deepest = rustix::fs::open(&workspace, flags, mode).unwrap();
    for _ in 0..2_042 {
        rustix::fs::mkdirat(&deepest, "d", mode).unwrap();
        deepest = rustix::fs::openat(&deepest, "d", flags, mode).unwrap();
    }
    let alone = world.descriptors.lock();
    ends_in_time(&call, "long_path");
    ends_in_time(&call, "dotdot");
    drop(alone);
    let names = if crate::full() { 100_000 } else { 30_000 };
    for number in 0..names {
        std::fs::File::create(workspace.join(format!("a-name-of-some-length-{number}"))).unwrap();
        if number % 5_000 == 0 {
            // A cell that nobody uses meanwhile is given back.
            world.assert_alive("making names");
        }
    }
    ends_in_time(&call, "listing");
    world.assert_alive("long paths and lists");
}

pub fn a_large_file_with_two_names_is_copied_until_the_wall(world: &World) {
    let call = Call::new(world);
    call.run("ok", LONG_MS);
    let workspace = call.workspace();
    let outside = workspace.parent().unwrap().join("outside");
    let large = std::fs::File::create(&outside).unwrap();
    // A hole takes no room here; its copy would.
    large.set_len(1 << 30).unwrap();
    std::fs::hard_link(&outside, workspace.join("large")).unwrap();
    let answer = call.run("break_link", 100);
    assert_eq!(answer["stoppedBy"], "wall", "{answer}");
    let wall_us = answer["usage"]["wallUs"].as_u64().unwrap();
    assert!(wall_us < 100_000 + LATE_US, "{answer}");
    let left: Vec<_> = std::fs::read_dir(&workspace).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "half a copy stayed behind: {left:?}");
    world.assert_alive("half a copy");
}
