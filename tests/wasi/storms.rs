//! Many instances: none leaves memory, descriptors or its own bytes to the next.

use std::time::Duration;

use crate::{Call, LONG_MS, World, full};

/// Instances of one call of the guest `storm`, and those of them that live at once.
const INSTANCES: usize = 300;
/// Calls at once, so that two hundred instances live at once.
const CALLS_AT_ONCE: usize = 2;
/// Calls before the first look, until pools and allocators have their size.
const WARM: usize = 8;
/// What memory may differ by beside two per cent: a few pages of an allocator.
const MEMORY_SLACK_KIB: u64 = 2_048;

pub fn storms_of_traps_leave_nothing_behind(world: &World) {
    // Other cases' calls would be seen in the figures.
    let own = World::beside(world);
    let storm = |rounds: usize| {
        for _ in 0..rounds {
            std::thread::scope(|scope| {
                for _ in 0..CALLS_AT_ONCE {
                    scope.spawn(|| {
                        let answer = Call::new(&own).run("storm", LONG_MS);
                        assert_eq!(answer["exitCode"], 42, "{answer}");
                    });
                }
            });
        }
    };
    storm(WARM);
    let before = settled(own.cell);
    let rounds = if full() { 20 } else { 3 };
    storm(rounds);
    let after = settled(own.cell);
    let count = rounds * CALLS_AT_ONCE * INSTANCES;
    eprintln!("{count} instances: KiB and descriptors {before:?} before, {after:?} after");
    let most = before.0 + before.0 / 50 + MEMORY_SLACK_KIB;
    assert!(after.0 <= most, "memory grew from {before:?} to {after:?}");
    assert!(after.1 <= before.1, "descriptors: {before:?} to {after:?}");
    own.assert_alive("storms");
}

pub fn a_slot_is_as_new_however_often_it_was_used(world: &World) {
    let calls = if full() { 200 } else { 2 };
    for _ in 0..calls {
        let answer = Call::new(world).run("reuse", LONG_MS);
        assert_eq!(answer["exitCode"], 42, "{answer}");
    }
    world.assert_alive("reuse");
}

/// Anonymous memory in KiB and open descriptors, once two looks in a row agree on the descriptors.
fn settled(cell: u32) -> (u64, usize) {
    let look = || {
        let status = std::fs::read_to_string(format!("/proc/{cell}/status")).unwrap();
        let anonymous = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = anonymous
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        let descriptors = std::fs::read_dir(format!("/proc/{cell}/fd")).unwrap();
        (kib, descriptors.count())
    };
    let mut last: (u64, usize) = look();
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(200));
        let now = look();
        if now.1 == last.1 {
            return now;
        }
        last = now;
    }
    last
}
