//! `hotcell doctor` and the least level of confinement: what this machine gives, by the effect.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::process::{hotcell, shared_cache};

/// Somebody without rights, for tests that run as root.
const SOMEBODY: u32 = 65_533;

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// A state folder, with a cache that belongs to the same user.
fn place(user: Option<u32>) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let cache = place.path().join("cache");
    fs::create_dir(&cache).unwrap();
    hotcell(place.path()); // fills the shared one
    for file in fs::read_dir(shared_cache()).unwrap().flatten() {
        fs::copy(file.path(), cache.join(file.file_name())).unwrap();
    }
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).unwrap();
    if let Some(user) = user {
        let files = fs::read_dir(&cache).unwrap().flatten();
        let files: Vec<_> = files.map(|file| file.path()).collect();
        for path in files
            .iter()
            .map(AsRef::as_ref)
            .chain([&*cache, place.path()])
        {
            chown(path, Some(user), Some(user)).unwrap();
        }
    }
    place
}

fn run(place: &Path, user: Option<u32>, command: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hotcell"));
    program.arg(command).current_dir("/");
    program
        .env_clear()
        .env("HOTCELL_STATE", place.join("state"));
    program.env("HOTCELL_CACHE", place.join("cache"));
    if let Some(user) = user {
        program.gid(user).uid(user);
    }
    program.output().unwrap()
}

#[test]
fn a_sealed_process_cannot_do_what_must_fail() {
    let place = place(None);
    let output = run(place.path(), None, "doctor");
    let told = text(&output);
    assert!(output.status.success(), "{told}");
    let line = told
        .lines()
        .find(|line| line.contains("self-attack: "))
        .unwrap();
    let tried = line
        .split("self-attack: ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(tried.parse::<u32>().unwrap() >= 300, "{line}");
    assert!(line.contains(", 0 got through"), "{line}");
    if !told.contains("confinement: full") {
        let required = std::env::var("HOTCELL_REQUIRE").is_ok_and(|level| level == "full");
        assert!(!required, "not full, which is required: {told}");
        println!("SKIPPED at full: {told}");
    }
}

/// The same program, as somebody who can make user namespaces and no cgroups.
#[test]
fn less_than_what_is_asked_for_is_refused_with_the_reason() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can become somebody else");
        return;
    }
    let user = Some(SOMEBODY);
    let place = place(user);
    let output = run(place.path(), user, "doctor");
    let told = text(&output);
    if !told.contains("confinement: strong") {
        let required = std::env::var("HOTCELL_REQUIRE").is_ok_and(|level| level == "full");
        assert!(!required && told.contains("confinement: basic"), "{told}");
        println!("SKIPPED: ordinary users have no user namespaces here: {told}");
        return;
    }
    assert!(
        output.status.success() && told.contains("no cgroup limits: "),
        "{told}"
    );
    let settings = place.path().join("state/hotcell.toml");
    fs::write(&settings, "confinement = \"full\"\n").unwrap();
    for command in ["doctor", "serve"] {
        let output = run(place.path(), user, command);
        let told = text(&output);
        assert!(!output.status.success(), "{command}: {told}");
        for part in [
            "`full`",
            "strong",
            "no cgroup limits: ",
            "Permission denied",
        ] {
            assert!(told.contains(part), "{command} does not say {part}: {told}");
        }
        assert!(!told.contains("ready on"), "{command}: {told}");
    }
    fs::write(&settings, "confinement = \"strong\"\n").unwrap();
    let output = run(place.path(), user, "doctor");
    assert!(output.status.success(), "{}", text(&output));
}
