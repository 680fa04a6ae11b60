//! Hostile WebAssembly against a real server: whatever a guest does to the host functions, its
//! memory, its descriptors or its time, it ends by an error, a signal or a named limit; the cell
//! stays the same process and the next call works.
//!
//! Names begin with what they are about in docs/hostile-guests.md. `HOTCELL_FULL=1` runs the full counts. Guests are the .wat files of tests/guests/ and
//! generated ones; they reach a debug build through HOTCELL_DIST, so a release build skips.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that fails says so by panicking, and starts the program it tests"
)]

#[path = "wasi/bombs.rs"]
mod bombs;
mod hostile_guests;
mod server;
#[path = "wasi/storms.rs"]
mod storms;

use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hostile_guests::{extreme_name, extremes, functions};
use serde_json::{Value, json};
use server::Server;

/// How far past its `timeoutMs` an answer may come on a busy machine.
const LATE: Duration = Duration::from_secs(10);
const LONG_MS: u64 = 60_000;

struct World {
    server: Server,
    /// Guests, laid out like dist/.
    dist: tempfile::TempDir,
    /// What was compiled of them.
    cache: tempfile::TempDir,
    cell: u32,
    /// Held by a case that counts the cell's descriptors, or that uses thousands.
    descriptors: Mutex<()>,
}

type Case = (&'static str, fn(&World));

const CASES: &[Case] = &[
    (
        "WASM-16 every host function survives extreme values",
        every_host_function_survives_extreme_values,
    ),
    (
        "WASM-02 guests that outgrow a slot cannot be run",
        guests_that_outgrow_a_slot_cannot_be_run,
    ),
    (
        "WASM-17 host functions change only documented bytes",
        host_functions_change_only_documented_bytes,
    ),
    (
        "WASM-01 memory grows to its limit and says so",
        memory_grows_to_its_limit_and_says_so,
    ),
    (
        "WASM-03 endless recursion is a signal",
        endless_recursion_is_a_signal,
    ),
    (
        "WASM-04 WASM-05 WASM-07 loops and waits end at the wall",
        loops_and_waits_end_at_the_wall,
    ),
    (
        "WASM-15 own descriptors can be closed and moved",
        own_descriptors_can_be_closed_and_moved,
    ),
    (
        "WASM-11 descriptors end at their limit",
        descriptors_end_at_their_limit,
    ),
    (
        "WASM-12 a flood of output ends the call and is kept in part",
        a_flood_of_output_ends_the_call_and_is_kept_in_part,
    ),
    (
        "WASM-12 a flood of streamed output ends the call not the cell",
        a_flood_of_streamed_output_ends_the_call_not_the_cell,
    ),
    (
        "WASM-08 too many random bytes are refused",
        too_many_random_bytes_are_refused,
    ),
    (
        "WASM-14 arguments count as memory",
        arguments_count_as_memory,
    ),
    (
        "WASM-08 work of the host costs fuel",
        work_of_the_host_costs_fuel,
    ),
    (
        "WASM-18 memory of others is never seen",
        memory_of_others_is_never_seen,
    ),
    (
        "another program keeps ignored signals and forgets caught ones",
        another_program_keeps_ignored_signals_and_forgets_caught_ones,
    ),
    (
        "a fork has the whole memory and its own",
        a_fork_has_the_whole_memory_and_its_own,
    ),
    (
        "WASM-11 deep folders hold one descriptor of the host each",
        deep_folders_hold_one_descriptor_of_the_host_each,
    ),
    (
        "a file with a second link outside stays as it was",
        a_file_with_a_second_link_outside_stays_as_it_was,
    ),
    (
        "ended children nobody waits for are bounded",
        ended_children_nobody_waits_for_are_bounded,
    ),
    (
        "WASM-02 WASM-05 what fork cannot copy does not compile",
        what_fork_cannot_copy_does_not_compile,
    ),
    (
        "WASM-06 bytes that single instructions move cost fuel",
        bombs::bytes_that_single_instructions_move_cost_fuel,
    ),
    (
        "WASM-14 what is too long to be handed over is refused",
        bombs::what_is_too_long_to_be_handed_over_is_refused,
    ),
    (
        "WASM-12 input that nobody reads holds nobody up",
        bombs::input_that_nobody_reads_holds_nobody_up,
    ),
    (
        "WASM-07 long paths and long lists end at the wall",
        bombs::long_paths_and_long_lists_end_at_the_wall,
    ),
    (
        "WASM-07 a large file with two names is copied until the wall",
        bombs::a_large_file_with_two_names_is_copied_until_the_wall,
    ),
    (
        "WASM-09 storms of traps leave nothing behind",
        storms::storms_of_traps_leave_nothing_behind,
    ),
    (
        "WASM-18 a slot is as new however often it was used",
        storms::a_slot_is_as_new_however_often_it_was_used,
    ),
];
/// Cases at once: what sleeps until its wall leaves the processor to others.
const AT_ONCE: usize = 4;

fn main() -> ExitCode {
    if !cfg!(debug_assertions) {
        eprintln!("SKIPPED: a release build does not take guests from HOTCELL_DIST");
        return ExitCode::SUCCESS;
    }
    let argument = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let filter = argument
        .or_else(|| std::env::var("HOTCELL_CASE").ok())
        .unwrap_or_default();
    let cases: Vec<_> = CASES
        .iter()
        .filter(|(name, _)| name.contains(&filter))
        .collect();
    let world = World::start();
    let next = AtomicUsize::new(0);
    let failed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((name, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let started = Instant::now();
                    let ended = catch_unwind(AssertUnwindSafe(|| case(&world)));
                    let word = if ended.is_ok() { "ok" } else { "FAILED" };
                    eprintln!("{word} {name} ({:?})", started.elapsed());
                    failed.fetch_add(usize::from(ended.is_err()), Ordering::Relaxed);
                }
            });
        }
    });
    let failed = failed.into_inner();
    eprintln!(
        "wasi: {} of {} cases hold",
        cases.len() - failed,
        cases.len()
    );
    ExitCode::from(u8::from(failed > 0 || cases.is_empty()))
}

impl World {
    fn start() -> Self {
        let dist = tempfile::tempdir().unwrap();
        let cache = tempfile::tempdir().unwrap();
        hostile_guests::write(dist.path(), &hostile_guests::all(full()));
        Self::over(dist, cache)
    }

    /// Another server with the same guests, compiled once more.
    fn beside(other: &Self) -> Self {
        let (dist, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for entry in std::fs::read_dir(other.dist.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dist.path().join(entry.file_name())).unwrap();
        }
        Self::over(dist, cache)
    }

    fn over(dist: tempfile::TempDir, cache: tempfile::TempDir) -> Self {
        let environment = [
            ("HOTCELL_DIST", dist.path()),
            ("XDG_CACHE_HOME", cache.path()),
            // All cases meet in one cell.
            ("HOTCELL_CELLS", Path::new("per-token")),
        ];
        let server = Server::start_with(&environment).unwrap();
        let mut world = Self {
            server,
            dist,
            cache,
            cell: 0,
            descriptors: Mutex::default(),
        };
        // A cell has the guests that were compiled when it was started: it is another one until all
        // are.
        let mut same = 0;
        while same < 4 {
            let answer = Call::new(&world).run("ok", LONG_MS);
            assert_eq!(answer["output"], "ok\n", "{answer}");
            let cell = cell_of(&world.server).expect("a cell runs");
            same = if cell == world.cell { same + 1 } else { 0 };
            world.cell = cell;
            std::thread::sleep(Duration::from_millis(250));
        }
        world
    }

    /// Runs a guest; afterwards the cell must be the one it was, and serve a call.
    fn run(&self, program: &str, timeout_ms: u64) -> Value {
        let answer = Call::new(self).run(program, timeout_ms);
        self.assert_alive(program);
        answer
    }

    #[track_caller]
    fn assert_alive(&self, after: &str) {
        let answer = Call::new(self).run("ok", LONG_MS);
        assert_eq!(answer["output"], "ok\n", "after {after}: {answer}");
        assert_eq!(
            cell_of(&self.server),
            Some(self.cell),
            "after {after}: another cell"
        );
        let log = self.server.log();
        assert!(!log.contains("panicked"), "after {after}: {log}");
    }

    #[track_caller]
    fn assert_ends(
        &self,
        program: &str,
        timeout_ms: u64,
        exit_code: u8,
        stopped_by: Option<&str>,
    ) -> Value {
        let answer = self.run(program, timeout_ms);
        assert_eq!(answer["exitCode"], exit_code, "{program}: {answer}");
        assert_eq!(
            answer["stoppedBy"].as_str(),
            stopped_by,
            "{program}: {answer}"
        );
        answer
    }
}

pub(crate) fn full() -> bool {
    std::env::var_os("HOTCELL_FULL").is_some()
}

/// The process number of the server's cell that has work; a spare has one thread.
fn cell_of(server: &Server) -> Option<u32> {
    let parent = server.pid().as_raw_nonzero().get().to_string();
    let is_cell = |pid: &u32| {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let stat = std::fs::read_to_string(folder.join("stat")).unwrap_or_default();
        let command = std::fs::read(folder.join("cmdline")).unwrap_or_default();
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        after_name.split(' ').nth(1) == Some(&parent)
            && command.split(|&b| b == 0).nth(1) == Some(b"cell")
            && std::fs::read_dir(folder.join("task")).is_ok_and(|threads| threads.count() > 1)
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(is_cell)
}

/// One call in a session of its own.
struct Call<'a> {
    world: &'a World,
    session: String,
}

impl<'a> Call<'a> {
    fn new(world: &'a World) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let session = format!("s{}", LAST.fetch_add(1, Ordering::Relaxed));
        world.server.open_session(&session).unwrap();
        Self { world, session }
    }

    fn workspace(&self) -> PathBuf {
        self.world.server.workspace(&self.session).unwrap()
    }

    fn run(&self, program: &str, timeout_ms: u64) -> Value {
        let request = json!({
            "tool": "bash",
            "input": {"command": format!("/bin/{program}")},
            "session": self.session,
            "timeoutMs": timeout_ms,
        });
        let started = Instant::now();
        let answer = self.world.server.execute(&request).unwrap();
        assert_eq!(answer.status, 200, "{program}: {}", answer.body);
        let most = Duration::from_millis(timeout_ms) + LATE;
        assert!(
            started.elapsed() < most,
            "{program} ended late: {}",
            answer.body
        );
        answer.body
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.world.server.close_session(&self.session);
    }
}

fn every_host_function_survives_extreme_values(world: &World) {
    let functions = functions::all();
    assert!(functions.len() >= 62, "{} functions", functions.len());
    let mut wrong = Vec::new();
    for function in &functions {
        if extremes::guest(function, false).is_none() {
            continue;
        }
        let name = extreme_name(function);
        let answer = world.run(&name, LONG_MS);
        if answer["exitCode"] != extremes::CAME_TO_ITS_END {
            wrong.push(format!("{name}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn host_functions_change_only_documented_bytes(world: &World) {
    let unseen: Vec<String> = extremes::undocumented(&functions::all())
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
    world.assert_ends("uninitialised", LONG_MS, 42, None);
}

fn memory_grows_to_its_limit_and_says_so(world: &World) {
    world.assert_ends("grow", LONG_MS, 1, Some("memory"));
}

fn endless_recursion_is_a_signal(world: &World) {
    for program in ["recurse", "recurse_table"] {
        world.assert_ends(program, LONG_MS, 139, None);
    }
}

fn loops_and_waits_end_at_the_wall(world: &World) {
    std::thread::scope(|scope| {
        for program in [
            "spin", "indirect", "ladder", "tiny", "fill", "init", "sleep", "selfpipe",
        ] {
            scope.spawn(move || world.assert_ends(program, 1_000, 124, Some("wall")));
        }
    });
}

fn own_descriptors_can_be_closed_and_moved(world: &World) {
    let answer = world.assert_ends("stdio", LONG_MS, 42, None);
    assert_eq!(answer["error"], "moved\n");
}

fn descriptors_end_at_their_limit(world: &World) {
    world.assert_ends("dups", LONG_MS, 1, Some("descriptors"));
}

fn a_flood_of_output_ends_the_call_and_is_kept_in_part(world: &World) {
    for program in ["flood", "flood_bytes"] {
        let answer = world.assert_ends(program, LONG_MS, 137, Some("output"));
        assert_eq!(answer["truncated"], true);
        let kept = answer["output"].as_str().unwrap().len();
        assert!(kept < 1 << 20, "{kept} bytes kept");
    }
}

/// Streamed, each write is a frame to the broker.
fn a_flood_of_streamed_output_ends_the_call_not_the_cell(world: &World) {
    let state = tempfile::tempdir().unwrap();
    let workspace = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hotcell"))
        .args(["run", "--state"])
        .arg(state.path())
        .arg("--workspace")
        .arg(workspace.path())
        .args(["bash", "/bin/flood"])
        .env("HOTCELL_DIST", world.dist.path())
        .env("XDG_CACHE_HOME", world.cache.path())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(137), "{error}");
    assert!(error.contains("`Output`"), "{error}");
    assert!(
        (60 << 20..=64 << 20).contains(&output.stdout.len()),
        "{} bytes",
        output.stdout.len()
    );
}

fn too_many_random_bytes_are_refused(world: &World) {
    world.assert_ends("random", LONG_MS, 42, None);
}

fn arguments_count_as_memory(world: &World) {
    let answer = world.assert_ends("arguments", LONG_MS, 1, Some("processes"));
    let peak = answer["usage"]["memoryPeakBytes"].as_u64().unwrap();
    assert!(peak > 120 * 2_000_000, "{answer}");
}

fn work_of_the_host_costs_fuel(world: &World) {
    let fuel = |program: &str| {
        world.run(program, LONG_MS)["usage"]["fuel"]
            .as_u64()
            .unwrap()
    };
    let little = fuel("ok");
    let calls = fuel("stats");
    assert!(calls > little + 10_000 * 1_500, "10,000 calls: {calls}");
    let bytes = fuel("null");
    assert!(bytes > little + (640 << 20) / 5, "640 MiB: {bytes}");
}

fn memory_of_others_is_never_seen(world: &World) {
    for _ in 0..if full() { 500 } else { 10 } {
        std::thread::scope(|scope| {
            for program in ["dirty", "clean", "dirty", "clean"] {
                scope.spawn(move || {
                    let answer = Call::new(world).run(program, LONG_MS);
                    let code = if program == "clean" { 42 } else { 0 };
                    assert_eq!(answer["exitCode"], code, "{program}: {answer}");
                });
            }
        });
    }
}

fn another_program_keeps_ignored_signals_and_forgets_caught_ones(world: &World) {
    world.assert_ends("signals", LONG_MS, 42, None);
}

fn a_fork_has_the_whole_memory_and_its_own(world: &World) {
    world.assert_ends("fork", LONG_MS, 42, None);
}

fn deep_folders_hold_one_descriptor_of_the_host_each(world: &World) {
    let _alone = world.descriptors.lock();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| Call::new(world).run("deep", LONG_MS));
        let folder = format!("/proc/{}/fd", world.cell);
        let mut most = 0;
        while !call.is_finished() {
            most = most.max(std::fs::read_dir(&folder).unwrap().count());
            std::thread::sleep(Duration::from_millis(20));
        }
        let answer = call.join().unwrap();
        assert_eq!(answer["exitCode"], 42, "{answer}");
        assert!((200..1_000).contains(&most), "{most} descriptors");
    });
}

fn a_file_with_a_second_link_outside_stays_as_it_was(world: &World) {
    let call = Call::new(world);
    // The session's workspace is made by its first call.
    call.run("ok", LONG_MS);
    let outside = call.workspace().parent().unwrap().join("outside");
    std::fs::write(&outside, "precious").unwrap();
    std::fs::hard_link(&outside, call.workspace().join("outer")).unwrap();
    let facts = |path: &Path| {
        let found = std::fs::metadata(path).unwrap();
        (found.mode(), found.mtime(), found.mtime_nsec(), found.ino())
    };
    let before = facts(&outside);
    let answer = call.run("links", LONG_MS);
    assert_eq!(answer["exitCode"], 42, "{answer}");
    assert_eq!(facts(&outside), before);
    assert_eq!(std::fs::read(&outside).unwrap(), b"precious");
    let inside = std::fs::read(call.workspace().join("outer")).unwrap();
    assert_eq!(inside, b"/workspace", "the guest's own copy changed");
}

fn ended_children_nobody_waits_for_are_bounded(world: &World) {
    if !full() {
        return;
    }
    world.assert_ends("zombies", 110_000, 1, Some("processes"));
}

fn guests_that_outgrow_a_slot_cannot_be_run(world: &World) {
    for program in ["huge_table", "huge_memory", "tables"] {
        world.assert_ends(program, LONG_MS, 126, None);
    }
}

fn what_fork_cannot_copy_does_not_compile(_: &World) {
    let bombs = [
        (
            "grows",
            "(table 1 funcref) (func (export \"_start\") (drop (table.grow (ref.null func) (i32.const 1000000000))))",
        ),
        (
            "fills",
            "(table 9 funcref) (func (export \"_start\") (table.fill (i32.const 0) (ref.null func) (i32.const 9)))",
        ),
        (
            "copies",
            "(table 9 funcref) (func (export \"_start\") (table.copy (i32.const 0) (i32.const 1) (i32.const 8)))",
        ),
        (
            "inits",
            "(table 9 funcref) (elem $e func 0) (func (export \"_start\") (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)))",
        ),
        (
            "memories",
            "(memory 1) (memory 1) (func (export \"_start\"))",
        ),
        ("wide", "(memory i64 1) (func (export \"_start\"))"),
        (
            "global",
            "(global (mut i32) (i32.const 0)) (global (mut i32) (i32.const 1)) (func (export \"_start\"))",
        ),
    ];
    let dist = tempfile::tempdir().unwrap();
    let guests = bombs.map(|(name, text)| hostile_guests::Guest {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    hostile_guests::write(dist.path(), &guests);
    for (name, _) in bombs {
        let output = Command::new(env!("CARGO_BIN_EXE_hotcell"))
            .args(["compile", name])
            .env("HOTCELL_DIST", dist.path())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(
            code.is_some_and(|code| code != 0 && code != 101),
            "{name}: {code:?} {error}"
        );
        assert!(!error.is_empty(), "{name} says nothing");
        assert!(output.stdout.is_empty(), "{name} has an artefact");
    }
}
