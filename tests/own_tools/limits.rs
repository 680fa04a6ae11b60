//! Every limit ends a tool and is named, whichever kind it is of, and its neighbours go on.

use std::time::{Duration, Instant};

use serde_json::json;

#[cfg(feature = "components")]
use crate::rule;
use crate::{Place, misbehaving, misbehaving_rules};

#[test]
fn each_kind_ends_by_its_limit_and_is_named() {
    let more = "limits = { wall = \"2s\", memory = \"48MiB\", memory_process = \"48MiB\", output_stop = \"1MiB\" }";
    let place = Place::new(&misbehaving_rules(more));
    for (tool, ..) in misbehaving() {
        for (what, limits) in [
            ("loop", &["wall"][..]),
            ("sleep", &["wall"]),
            ("flood", &["output", "memory"]),
            ("flood-stderr", &["output", "memory"]),
        ] {
            let began = Instant::now();
            let said = place.call(tool, &json!({"do": what}));
            let lasted = began.elapsed();
            assert_ne!(said.code, 0, "{tool} {what} {said:?}");
            let by = said.stopped_by.clone().unwrap_or_default();
            assert!(
                limits.contains(&&*by),
                "{tool} {what} ended by {by:?}: {:?}",
                said.error
            );
            // Two seconds, and as long again for a loaded machine.
            assert!(lasted < Duration::from_secs(6), "{tool} {what} {lasted:?}");
            let said = place.bash("echo next");
            assert_eq!(said.output, "next\n");
        }
        // It is refused more than its 48 MiB, copes with that, and says so.
        let said = place.call(tool, &json!({"do": "allocate"}));
        let words: Vec<_> = said.plain().split(' ').collect();
        let allocated = words.get(2).and_then(|count| count.parse::<u64>().ok());
        assert!(
            allocated.is_some_and(|count| count <= 48),
            "{tool} {said:?}"
        );
        let said = place.call(tool, &json!({"do": "recurse"}));
        assert!(matches!(said.code, 134 | 139), "{tool} {said:?}");
        let said = place.call(tool, &json!({"do": "trap"}));
        assert_eq!(said.code, 134, "{tool} {said:?}");
        let said = place.call(tool, &json!({"do": "echo", "text": "still here"}));
        assert!(said.output.contains("still here"), "{tool} {said:?}");
    }
}

/// A component of two modules, each with a memory that it grows by so many pages; it ends well when
/// both could.
#[cfg(feature = "components")]
fn of_two_memories(pages: u32) -> String {
    format!(
        r#"(component
          (core module $other (memory 1)
            (func (export "grow") (result i32) (memory.grow (i32.const {pages}))))
          (core instance $other (instantiate $other))
          (core module $main (import "other" "grow" (func $grow (result i32))) (memory 1)
            (func (export "run") (result i32)
              (i32.or (i32.eq (memory.grow (i32.const {pages})) (i32.const -1))
                (i32.eq (call $grow) (i32.const -1)))))
          (core instance $main (instantiate $main (with "other" (instance $other))))
          (func $run (result (result)) (canon lift (core func $main "run")))
          (instance $exports (export "run" (func $run)))
          (export "wasi:cli/run@0.2.0" (instance $exports)))"#
    )
}

#[cfg(feature = "components")]
#[test]
fn the_memories_of_a_component_count_together() {
    let folder = tempfile::tempdir().unwrap();
    let tool = |name: &str, pages: u32| {
        let file = folder.path().join(name);
        std::fs::write(&file, wat::parse_str(of_two_memories(pages)).unwrap()).unwrap();
        let limits = "limits = { memory = \"64MiB\", memory_process = \"16MiB\" }";
        rule(name, "component", &file, limits)
    };
    // 6 MiB each, and 10 MiB each: less than the limit alone, more together.
    let place = Place::new(&(tool("within", 100) + &tool("beyond", 160)));
    let said = place.call("within", &json!({}));
    assert_eq!((said.code, &said.stopped_by), (0, &None), "{said:?}");
    let said = place.call("beyond", &json!({}));
    assert_eq!(said.code, 1, "{said:?}");
}

#[test]
fn fuel_is_counted_and_ends_a_tool() {
    let place = Place::new(&misbehaving_rules(
        "limits = { fuel = 300000000, wall = \"30s\" }",
    ));
    for (tool, ..) in misbehaving() {
        let said = place.call(tool, &json!({"do": "loop"}));
        assert_eq!(said.stopped_by.as_deref(), Some("fuel"), "{tool} {said:?}");
        let said = place.call(tool, &json!({"do": "echo", "text": "x"}));
        assert_eq!(said.code, 0, "{tool} {said:?}");
    }
}

#[test]
fn a_tool_in_a_shell_ends_with_its_limit_its_reader_and_its_call() {
    let place = Place::new(&misbehaving_rules(
        "limits = { wall = \"2s\", output_stop = \"64MiB\" }",
    ));
    for (tool, kind, _) in misbehaving() {
        let start = |what: &str| format!("echo '{{\"do\": \"{what}\"}}' | {tool}");
        let said = place.bash(&format!("{}; echo $?", start("loop")));
        assert!(
            said.error.contains("stopped by its limit `wall`"),
            "{tool} {said:?}"
        );
        assert_eq!(said.output, "124\n", "{tool} {said:?}");
        // Its reader goes away.
        if (tool, kind) != ("bad-typed", "component") {
            let said = place.bash(&format!("{} | head -c 3 | wc -c", start("flood")));
            assert_eq!(said.output, "3\n", "{tool} {said:?}");
        }
        // Its call ends before it does.
        let began = Instant::now();
        let request =
            json!({"tool": "bash", "input": {"command": start("sleep")}, "timeoutMs": 700});
        let said = place.asked(&request);
        assert_eq!(said.stopped_by.as_deref(), Some("wall"), "{tool} {said:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "{tool}");
        // The same while it still waits for its input.
        let began = Instant::now();
        let command = format!("sleep 100 | {tool}");
        let said =
            place.asked(&json!({"tool": "bash", "input": {"command": command}, "timeoutMs": 700}));
        assert_eq!(said.stopped_by.as_deref(), Some("wall"), "{tool} {said:?}");
        assert!(began.elapsed() < Duration::from_secs(4), "{tool}");
        let said = place.bash(&format!(
            "sleep 100 | {tool} & sleep 0.3; kill %1; wait %1; echo done"
        ));
        assert_eq!(said.output, "done\n", "{tool} {said:?}");
        // A signal.
        let said = place.bash(&format!(
            "{} & sleep 0.3; kill %1; wait %1; echo $?",
            start("sleep")
        ));
        assert!(
            said.output
                .trim_end()
                .parse::<u32>()
                .is_ok_and(|code| code > 128),
            "{tool} {said:?}"
        );
    }
    // All of it is recorded, each start by itself with its end.
    let of = |event: &str| {
        let record = place.record();
        let lines = record.iter().filter(|line| line["event"] == event);
        lines
            .filter(|line| {
                line["requestId"]
                    .as_str()
                    .is_some_and(|id| id.contains('.'))
            })
            .count()
    };
    assert!(of("intent") >= 4 * misbehaving().len(), "{}", of("intent"));
    // An outcome may wait in memory for the next intent, not for long.
    let began = Instant::now();
    while of("outcome") < of("intent") && began.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(of("intent"), of("outcome"));
}
