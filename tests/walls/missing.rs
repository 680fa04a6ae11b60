//! On a kernel that refuses something the program never says `full`: it names the wall that is
//! missing and runs behind fewer, or does not start. With `confinement = "full"` it never starts.

use std::io::Read as _;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::must_have_all;
use crate::process::{Server, hotcell, shared_cache};
use crate::refusal::{Refused, When, refused, with, without};

const EPERM: libc::c_int = libc::EPERM;
const ENOSYS: libc::c_int = libc::ENOSYS;
/// Longest time until a program that cannot start has said so.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(60);
/// Whom the program runs as where it is not to be root.
const ORDINARY: u32 = 65_533;

/// What a kernel lacks, and what the program must say and do about it.
struct Kernel {
    refusals: Vec<Refused>,
    ordinary: bool,
    /// The level it runs at; none where it must not start.
    level: Option<&'static str>,
    /// A part of the reason it gives.
    says: &'static str,
}

impl Kernel {
    fn without(refusals: &[Refused]) -> Self {
        Self {
            refusals: refusals.to_vec(),
            ordinary: false,
            level: None,
            says: "",
        }
    }

    fn runs_at(mut self, level: &'static str, says: &'static str) -> Self {
        (self.level, self.says) = (Some(level), says);
        self
    }

    fn refuses(mut self, says: &'static str) -> Self {
        self.says = says;
        self
    }

    fn for_ordinary_user(mut self) -> Self {
        self.ordinary = true;
        self
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = match self.ordinary && rustix::process::geteuid().is_root() {
            true => {
                let mut command = Command::new(place.program.as_ref().unwrap());
                command.uid(ORDINARY).gid(ORDINARY);
                command.current_dir("/");
                command
            }
            false => hotcell(&place.state),
        };
        command
            .env("HOTCELL_STATE", &place.state)
            .env("HOTCELL_CACHE", &place.cache);
        without(&mut command, &self.refusals);
        command
    }
}

struct Place {
    state: PathBuf,
    cache: PathBuf,
    /// A copy that others may run.
    program: Option<PathBuf>,
    _folder: tempfile::TempDir,
}

impl Place {
    fn make(ordinary: bool, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir(&state).unwrap();
        std::fs::write(state.join("hotcell.toml"), config).unwrap();
        let mut place = Self {
            state,
            cache: shared_cache(),
            program: None,
            _folder: folder,
        };
        if ordinary && rustix::process::geteuid().is_root() {
            place.hand_over();
        }
        place
    }

    /// Gives it to the ordinary user, with a cache and a program they can reach.
    fn hand_over(&mut self) {
        static OPEN: OnceLock<tempfile::TempDir> = OnceLock::new();
        let open = OPEN.get_or_init(|| {
            let open = tempfile::tempdir().unwrap();
            let program = open.path().join("hotcell");
            std::fs::copy(env!("CARGO_BIN_EXE_hotcell"), program).unwrap();
            everyone(open.path());
            open
        });
        let parent = self.state.parent().unwrap();
        everyone(parent);
        self.cache = parent.join("cache");
        copy_all(&shared_cache(), &self.cache);
        own_all(parent);
        self.program = Some(open.path().join("hotcell"));
    }
}

fn everyone(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn copy_all(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}

fn own_all(folder: &Path) {
    chown(folder, Some(ORDINARY), Some(ORDINARY)).unwrap();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => own_all(&entry.path()),
            false => chown(entry.path(), Some(ORDINARY), Some(ORDINARY)).unwrap(),
        }
    }
}

/// Runs a command to its end; one that does not end by itself fails the test.
fn ended(mut command: Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _cut_off = stderr.read_to_end(&mut text);
        text
    });
    let started = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if started.elapsed() > REFUSAL_TIME_MAX => {
                let _gone = child.kill();
                let _reaped = child.wait();
                let said = reader.join().unwrap();
                panic!("it runs: {}", String::from_utf8_lossy(&said));
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let mut stdout = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut stdout)
        .unwrap();
    Output {
        status,
        stdout,
        stderr: reader.join().unwrap(),
    }
}

fn words(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// Does not start: `doctor` and `serve` say which wall is missing, and no call is answered.
fn refuses(kernel: &Kernel, config: &str) {
    let place = Place::make(kernel.ordinary, config);
    for subcommand in [&["doctor"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let mut command = kernel.command(&place);
        command.args(subcommand);
        let output = ended(command);
        let said = words(&output);
        eprintln!("{config}{subcommand:?}: {said}");
        assert_eq!(output.status.code(), Some(1), "{subcommand:?}: {said}");
        assert!(!said.contains("hotcell ready"), "{said}");
        let failed = subcommand == ["doctor"] && said.contains("FAIL  ");
        assert!(failed || !said.contains("confinement: full"), "{said}");
        assert!(said.contains(kernel.says), "not `{}`: {said}", kernel.says);
    }
    let record = place.state.join("audit/serve.jsonl");
    let record = std::fs::read_to_string(record).unwrap_or_default();
    assert!(!record.contains("\"intent\""), "{record}");
}

/// Native programs, one for every level and one for the highest alone.
const NATIVES: &str = r#"version = 1
name = "natives"
description = "Native programs behind fewer walls."
[workspace]
access = "read-write"
[[tool]]
names = ["bash", "write_file"]
reason = "tests"
[[program]]
names = ["*"]
reason = "tests"
[[native]]
program = "/usr/bin/echo"
flags = ["-n"]
operands = [{ literal = "native" }]
confinement = "strong"
reason = "tests"
[[native]]
program = "/usr/bin/true"
reason = "tests"
"#;

/// A native program runs behind the walls its rule asks for, or is refused with what is missing.
fn starts_natives(server: &Server, level: &str, says: &str) {
    let highest = server.bash("/usr/bin/true; echo $?");
    let lower = server.bash("/usr/bin/echo native; echo $?");
    eprintln!("{highest}\n{lower}");
    assert_eq!(highest["output"], "126\n", "{highest}");
    match level {
        "strong" => assert_eq!(lower["output"], "native\n0\n", "{lower}"),
        _ => assert_eq!(lower["output"], "126\n", "{lower}"),
    }
    let refused = [Some(&highest), Some(&lower).filter(|_| level != "strong")];
    for answer in refused.into_iter().flatten() {
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(says), "not `{says}`: {error}");
    }
}

/// Runs at a weaker level and says so wherever it says anything.
fn runs(kernel: &Kernel, level: &str) {
    let place = Place::make(kernel.ordinary, "");
    let policy = place.state.parent().unwrap().join("policy.toml");
    std::fs::write(&policy, NATIVES).unwrap();
    let mut command = kernel.command(&place);
    command.arg("doctor");
    let output = ended(command);
    let said = words(&output);
    eprintln!("doctor: {said}");
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("confinement: {level}\n")), "{said}");
    assert!(said.contains(kernel.says), "not `{}`: {said}", kernel.says);
    let mut command = kernel.command(&place);
    command.env("HOTCELL_POLICY", policy);
    let server = Server::start_as(&place.state, command);
    let line = &server.ready_line;
    eprintln!("{line}");
    assert!(line.contains(&format!("confinement: {level}: ")), "{line}");
    assert!(line.contains(kernel.says), "not `{}`: {line}", kernel.says);
    assert_eq!(server.bash("echo works")["output"], "works\n");
    let write = json!({"tool": "write_file", "input": {"path": "a", "content": "b"}});
    assert_eq!(server.execute(&write).body["exitCode"], 0);
    let told = server.readiness()["confinement"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(line.contains(&told) && told.contains(kernel.says), "{told}");
    let record = server.record();
    let intents: Vec<_> = record.iter().filter(|l| l["event"] == "intent").collect();
    assert_eq!(intents.len(), 2);
    for intent in intents {
        assert_eq!(intent["confinement"], told, "{intent}");
    }
    starts_natives(&server, level, kernel.says);
}

/// What this machine gives when nothing is refused, where that is not every wall.
fn lacking() -> Option<&'static str> {
    static LACKING: OnceLock<Option<String>> = OnceLock::new();
    let lacking = LACKING.get_or_init(|| {
        let state = tempfile::tempdir().unwrap();
        let mut command = hotcell(state.path());
        command.arg("doctor");
        let said = words(&ended(command));
        (!said.contains("confinement: full\n")).then_some(said)
    });
    lacking.as_deref()
}

/// Whether a test that needs every wall can be made here.
fn every_wall() -> bool {
    let Some(lacking) = lacking() else {
        return true;
    };
    assert!(
        !must_have_all(),
        "this machine does not give every wall: {lacking}"
    );
    eprintln!("SKIPPED: this machine does not give every wall: {lacking}");
    false
}

fn simulate(kernel: Kernel) {
    if !every_wall() {
        return;
    }
    match kernel.level {
        Some(level) => {
            assert_ne!(level, "full");
            runs(&kernel, level);
        }
        None => refuses(&kernel, ""),
    }
    refuses(&kernel, "confinement = \"full\"\n");
}

const NAMESPACES: &str = "no namespaces and a root of their own: ";
const LANDLOCK: &str = "Landlock is not there or too old";

macro_rules! simulations {
    ($($name:ident: $kernel:expr;)*) => {
        $(#[test]
        fn $name() {
            simulate($kernel);
        })*
    };
}

simulations! {
    no_user_namespaces: Kernel::without(&[
        with(libc::SYS_clone, libc::CLONE_NEWUSER, EPERM),
        with(libc::SYS_unshare, libc::CLONE_NEWUSER, EPERM),
    ]).runs_at("basic", NAMESPACES);
    no_user_namespaces_by_unshare: Kernel::without(&[
        with(libc::SYS_unshare, libc::CLONE_NEWUSER, libc::ENOSPC),
    ]).runs_at("basic", NAMESPACES);
    no_mount_namespaces: Kernel::without(&[
        with(libc::SYS_clone, libc::CLONE_NEWNS, EPERM),
    ]).runs_at("basic", NAMESPACES);
    no_network_namespaces: Kernel::without(&[
        with(libc::SYS_clone, libc::CLONE_NEWNET, libc::EINVAL),
    ]).runs_at("strong", "no network namespace: ");
    no_process_namespaces: Kernel::without(&[
        with(libc::SYS_clone, libc::CLONE_NEWPID, libc::EINVAL),
    ]).runs_at("basic", NAMESPACES);
    no_unshare: Kernel::without(&[refused(libc::SYS_unshare, EPERM)]).runs_at("basic", NAMESPACES);
    no_mount: Kernel::without(&[refused(libc::SYS_mount, EPERM)]).runs_at("basic", NAMESPACES);
    no_fsopen: Kernel::without(&[refused(libc::SYS_fsopen, ENOSYS)]).runs_at("basic", NAMESPACES);
    no_open_tree: Kernel::without(&[refused(libc::SYS_open_tree, ENOSYS)])
        .runs_at("basic", NAMESPACES);
    no_mount_setattr: Kernel::without(&[refused(libc::SYS_mount_setattr, ENOSYS)])
        .runs_at("basic", NAMESPACES);
    no_move_mount: Kernel::without(&[refused(libc::SYS_move_mount, EPERM)])
        .runs_at("basic", NAMESPACES);
    no_pivot_root: Kernel::without(&[refused(libc::SYS_pivot_root, EPERM)])
        .runs_at("basic", NAMESPACES);
    no_umount: Kernel::without(&[refused(libc::SYS_umount2, EPERM)]).runs_at("basic", NAMESPACES);
    no_landlock: Kernel::without(&[refused(libc::SYS_landlock_create_ruleset, ENOSYS)])
        .refuses(LANDLOCK);
    landlock_cannot_restrict: Kernel::without(&[refused(libc::SYS_landlock_restrict_self, EPERM)])
        .refuses(LANDLOCK);
    // Both ways to put a filter on: the second would be found by nobody who tries the first only.
    no_seccomp: Kernel::without(&[
        Refused {
            call: libc::SYS_prctl,
            when: When::Is(libc::PR_SET_SECCOMP),
            errno: libc::EINVAL,
        },
        refused(libc::SYS_seccomp, ENOSYS),
    ]).refuses("no system call filter");
    no_openat2: Kernel::without(&[refused(libc::SYS_openat2, ENOSYS)]).refuses("has no openat2");
    no_cgroups_for_an_ordinary_user: Kernel::without(&[])
        .for_ordinary_user().runs_at("strong", "no cgroup limits: ");
    no_user_namespaces_for_an_ordinary_user: Kernel::without(&[
        with(libc::SYS_clone, libc::CLONE_NEWUSER, EPERM),
    ]).for_ordinary_user().runs_at("basic", NAMESPACES);
    no_network_namespaces_for_an_ordinary_user: Kernel::without(&[
        with(libc::SYS_clone, libc::CLONE_NEWNET, EPERM),
    ]).for_ordinary_user().runs_at("basic", "no network namespace: ");
    no_landlock_for_an_ordinary_user: Kernel::without(&[
        refused(libc::SYS_landlock_create_ruleset, ENOSYS),
    ]).for_ordinary_user().refuses(LANDLOCK);
}
