//! Hundreds of attempts to read or change a file outside the workspace, through the HTTP door,
//! with an observer outside: after each call the folders around the workspace must be as they
//! were (names, inodes, modes, times, contents) and no answer may hold what is in them. Calls
//! that stay inside, beside the hostile ones, show that the paths themselves work.
//!
//! `HOTCELL_FULL=1` runs every command on every path and a long race.
//! `HOTCELL_EXPECT_ESCAPES=1` expects the opposite, for a build with `broken-plain-join`: many
//! calls must get out, or the observer sees nothing. Its links and commands then stay within the
//! test's own folder, but run it in a throw-away machine all the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test that fails says so by panicking, and starts the program it tests"
)]
#![allow(
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    reason = "the cases are tables"
)]

#[path = "path_escapes/cases.rs"]
mod cases;
#[path = "path_escapes/door.rs"]
mod door;
#[path = "path_escapes/race.rs"]
mod race;
#[path = "path_escapes/shell.rs"]
mod shell;
#[path = "path_escapes/world.rs"]
mod world;

use std::{collections::BTreeMap, process::ExitCode, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cases::{Case, Want};
use door::{Answer, Door};
use world::{Wall, World};

/// Fewest escapes that a build without its wall must show. Chosen: half of the 222 seen when
/// the suite was written.
const ESCAPES_LEAST: usize = 100;

/// Calls of the race; the full count is the test plan's.
const RACE_CALLS: u64 = 3_000;
const RACE_CALLS_FULL: u64 = 1_000_000;

fn main() -> ExitCode {
    let full = std::env::var_os("HOTCELL_FULL").is_some();
    let broken = std::env::var("HOTCELL_EXPECT_ESCAPES").is_ok_and(|value| value == "1");
    let wall = if broken { Wall::Removed } else { Wall::Stands };
    let canary = format!("canary-{}", world::random());
    let door = Door::open(&canary);
    let mut world = World::build(&door.workspace, door.top.path(), canary, wall);

    let start = Instant::now();
    let mut cases = cases::all(&world);
    cases.extend(shell::all(&world, full, wall));
    let mut report = Report::default();
    for case in &cases {
        world.plant();
        let answer = door.send(&case.body);
        report.add(case, &answer, world.fired(&shown(&answer)));
    }
    report.print(start, wall);

    let start = Instant::now();
    let race = race::run(
        &door,
        &mut world,
        if full { RACE_CALLS_FULL } else { RACE_CALLS },
    );
    println!(
        "race: {} calls, {} swaps, {} found the inside file, {} escapes, {:.1} s",
        race.calls,
        race.swaps,
        race.inside,
        race.fired.len(),
        start.elapsed().as_secs_f64()
    );
    race.fired
        .iter()
        .take(10)
        .for_each(|fired| println!("  {fired}"));
    let good = if broken {
        report.escapes.len() >= ESCAPES_LEAST && !race.fired.is_empty()
    } else {
        report.escapes.is_empty()
            && report.wrong.is_empty()
            && race.fired.is_empty()
            && race.inside > 0
    };
    if good {
        return ExitCode::SUCCESS;
    }
    if broken {
        println!(
            "FAILED: a build without its wall must show {ESCAPES_LEAST} escapes and lose the race"
        );
    }
    println!("the server's last words:\n{}", door.log_tail());
    ExitCode::FAILURE
}

/// An answer's bytes, and what they say when they are base64.
fn shown(answer: &Answer) -> Vec<u8> {
    let decoded = BASE64.decode(answer.output()).unwrap_or_default();
    [answer.raw.as_slice(), &decoded].concat()
}

#[derive(Default)]
struct Report {
    /// Calls by row of the test plan: hostile ones, twins.
    counts: BTreeMap<&'static str, [usize; 2]>,
    escapes: Vec<String>,
    wrong: Vec<String>,
}

impl Report {
    fn add(&mut self, case: &Case, answer: &Answer, fired: Option<String>) {
        let twin = matches!(case.want, Want::Done(_));
        self.counts.entry(case.plan).or_default()[usize::from(twin)] += 1;
        let name = || format!("{} {}", case.plan, short(&case.body));
        if let Some(reason) = fired {
            self.escapes.push(format!("{}: {reason}", name()));
        }
        let right = match &case.want {
            Want::Refused => answer.status != 0 && !answer.done(),
            Want::Contained => answer.status != 0,
            Want::Done(text) => answer.done() && answer.output().contains(text),
        };
        if !right {
            let found = format!("{} {}", answer.status, short(&answer.raw));
            self.wrong
                .push(format!("{}: wanted {:?}, got {found}", name(), case.want));
        }
    }

    fn print(&self, start: Instant, wall: Wall) {
        let mut sums = [0, 0];
        for (plan, [hostile, twins]) in &self.counts {
            println!("{plan}: {hostile} hostile calls, {twins} that stay inside");
            sums = [sums[0] + hostile, sums[1] + twins];
        }
        println!(
            "path escapes: {} hostile calls, {} that stay inside, {} escapes, {} wrong answers, {:.1} s",
            sums[0],
            sums[1],
            self.escapes.len(),
            self.wrong.len(),
            start.elapsed().as_secs_f64()
        );
        for line in self.escapes.iter().take(30) {
            println!("  ESCAPE {line}");
        }
        let wrong = self.wrong.iter().filter(|_| wall == Wall::Stands);
        for line in wrong.take(60) {
            println!("  WRONG {line}");
        }
    }
}

fn short(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let cut = text.floor_char_boundary(300);
    text[..cut].to_owned()
}
