//! Rooms import only from floors below them, and side effects stay in the files that own them.

use std::fs;
use std::path::{Path, PathBuf};

/// Top floor first.
const FLOORS: &[&[&str]] = &[
    &["lib", "main"],
    &["cli"],
    &["app"],
    &["http"],
    &["executor"],
    &["cell", "native"],
    &["confinement"],
    &["session", "workspace", "audit"],
    &["policy", "config"],
    &[
        "request",
        "outcome",
        "limits",
        "quantity",
        "descriptors",
        "frame",
        "telemetry",
    ],
];

/// The ground floor's words may be used by each other.
const GROUND: usize = FLOORS.len() - 1;

fn floor(room: &str) -> usize {
    FLOORS
        .iter()
        .position(|rooms| rooms.contains(&room))
        .unwrap_or_else(|| {
            panic!("`{room}` is on no floor: add it to FLOORS and to ARCHITECTURE.md")
        })
}

fn rust_files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

fn source() -> (PathBuf, Vec<PathBuf>) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    assert!(files.len() > 20, "is this test still looking at src/?");
    (source, files)
}

/// `src/cell/pool.rs` and `src/cell.rs` are both in the room `cell`.
fn room_of<'a>(file: &'a Path, source: &Path) -> &'a str {
    let first = file.strip_prefix(source).unwrap().iter().next().unwrap();
    first.to_str().unwrap().trim_end_matches(".rs")
}

/// How many imports one line of a room has, or what is wrong with it.
fn judge(room: &str, is_room_root: bool, line: &str) -> Result<usize, String> {
    if line.contains("crate::{") {
        return Err("one room per `use` line".to_owned());
    }
    let leaves_room = if is_room_root {
        line.replace("super::*", "").contains("super::")
    } else {
        line.contains("super::super")
    };
    if leaves_room {
        return Err("name the room".to_owned());
    }
    let mut imports = 0;
    for rest in line.split("crate::").skip(1) {
        let target = rest
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap();
        if target != room {
            let both_ground = floor(room) == GROUND && floor(target) == GROUND;
            if floor(target) <= floor(room) && !both_ground {
                return Err(format!("`{room}` may not import `{target}`"));
            }
            imports += 1;
        }
    }
    Ok(imports)
}

#[test]
fn imports_point_downwards() {
    let (source, files) = source();
    let mut imports = 0;
    for file in &files {
        let room = room_of(file, &source);
        let is_room_root =
            file.parent() == Some(&source) || file.ends_with(Path::new(room).join("mod.rs"));
        let text = fs::read_to_string(file).unwrap();
        for line in text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            match judge(room, is_room_root, line) {
                Ok(count) => imports += count,
                Err(fault) => panic!("{fault}: {}: {line}", file.display()),
            }
        }
    }
    assert!(
        imports > 50,
        "{imports} imports found: is this test still looking at src/?"
    );
}

#[test]
fn planted_violations_are_caught() {
    for (room, is_root, line) in [
        ("policy", false, "use crate::executor::Executor;"),
        ("session", false, "use crate::audit::Audit;"),
        ("http", false, "use crate::{executor, policy};"),
        ("http", false, "use super::super::executor;"),
        ("http", true, "use super::executor;"),
        ("cell", false, "    let x = crate::http::router(door);"),
    ] {
        assert!(judge(room, is_root, line).is_err(), "{line}");
    }
    assert_eq!(
        judge("http", false, "use crate::executor::Executor;"),
        Ok(1)
    );
}

/// The doors know the pipeline, not what is behind it.
#[test]
fn doors_do_not_reach_through_the_executor() {
    let (source, files) = source();
    for file in files.iter().filter(|file| room_of(file, &source) == "http") {
        let text = fs::read_to_string(file).unwrap();
        for behind in [
            "crate::cell",
            "crate::policy",
            "crate::audit",
            "crate::workspace",
        ] {
            assert!(!text.contains(behind), "{} names {behind}", file.display());
        }
    }
}

/// Lints hold these fences; this names the only rooms that may open them.
#[test]
fn only_named_files_start_processes_read_the_environment_or_are_unsafe() {
    let (source, files) = source();
    let only = |word: &str, allowed: &dyn Fn(&str) -> bool| {
        for file in &files {
            let name = file.strip_prefix(&source).unwrap().to_str().unwrap();
            let text = fs::read_to_string(file).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for line in code.filter(|line| line.contains(word)) {
                assert!(allowed(name), "{name} may not use `{word}`: {line}");
            }
        }
    };
    // Of tests alone.
    let tests = "confinement/group/delegated.rs";
    only("process::Command", &|name| {
        name.starts_with("cell/") || name == tests
    });
    only("env::var", &|name| {
        name == "config/keys.rs" || name == tests
    });
    only("unsafe {", &|name| {
        let room = ["cell/", "confinement/"]
            .iter()
            .any(|room| name.starts_with(room));
        room || name == "native/stage.rs"
    });
    // Names that the operator gives, before any guest runs; never one that a guest could change.
    only("canonicalize(", &|name| {
        [
            "config/state.rs",
            "cli/run.rs",
            "cli/policy/mod.rs",
            "native/pin.rs",
            "native/scene.rs",
        ]
        .contains(&name)
    });
}

/// A file over 600 lines is hard to read.
#[test]
fn no_file_is_longer_than_six_hundred_lines() {
    let (source, files) = source();
    for file in &files {
        let lines = fs::read_to_string(file).unwrap().lines().count();
        let name = file.strip_prefix(&source).unwrap().display();
        assert!(lines <= 600, "{name} has {lines} lines: split it by topic");
    }
}
