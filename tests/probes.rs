//! The self-attack's positive control: every probe of `hotcell::confinement::probe`, run where no
//! wall stands. One that does not fire here would prove nothing in a cell.
//!
//! Each probe has a process of its own, started by a broker that has laid bait. When the test is
//! started by root, all is done twice: as root, and as an ordinary user with a broker of its own.
//! Probes that need a kernel feature are reported, not failed. So is everything where the test
//! itself stands behind a wall, as in most containers; it says so.

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

use std::{
    env,
    fs::{self, File},
    io::Read as _,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{fs::PermissionsExt as _, process::CommandExt as _, process::ExitStatusExt as _},
    },
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use hotcell::confinement::probe::{
    self, Bait, Expected, Finding, Found, Kind, Needs, Probe, Target, Wall,
};
use rustix::{
    io::FdFlags,
    net::{AddressFamily, SocketType},
    process::{Resource, Rlimit, getrlimit, getuid, setrlimit},
};

/// Whom an ordinary attacker is.
const ORDINARY: u32 = 65_534;
/// Through the root of the host's first process, which belongs to whoever runs this machine; the
/// same way through the broker's root is tried.
const NOT_OURS: &str = "reach.first_root_in_proc";
/// No probe waits for anything.
const LONGEST: Duration = Duration::from_secs(20);
/// Soft limit of descriptors, for the probe that raises it.
const SOFT_DESCRIPTORS: u64 = 512;
/// More than so many is a finding, for the probe that counts.
const DESCRIPTORS_MAX: u64 = 128;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--attacker", name, target] => attacker(name, target),
        ["--broker"] => broker(),
        _ => everybody(),
    }
}

/// As who we are and, if that is root, as somebody ordinary as well.
fn everybody() -> ExitCode {
    let mut brokers = vec![Command::new(env::current_exe().unwrap())];
    if getuid().is_root() {
        let mut ordinary = Command::new(env::current_exe().unwrap());
        ordinary.uid(ORDINARY).gid(ORDINARY);
        brokers.push(ordinary);
    }
    let mut succeeded = true;
    for mut broker in brokers {
        let status = broker
            .arg("--broker")
            .stdin(Stdio::null())
            .status()
            .unwrap();
        succeeded &= status.success();
    }
    if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One probe in this process, its finding as JSON.
fn attacker(name: &str, target: &str) -> ExitCode {
    let target: Target = serde_json::from_str(target).unwrap();
    let probe = probe::find(name).unwrap();
    println!(
        "{}",
        serde_json::to_string(&probe.attempt(&target)).unwrap()
    );
    ExitCode::SUCCESS
}

/// What every attacker inherits.
struct Inherited {
    expected: Vec<Expected>,
    /// Open in this process, to be open in those it starts.
    _kept: Vec<OwnedFd>,
}

fn inherited(inside: &Path, program: &Path) -> Inherited {
    let folder: OwnedFd = File::open(inside).unwrap().into();
    // Connected to nobody, so that it can be pointed at the broker.
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    // These nobody expects.
    let program: OwnedFd = File::open(program).unwrap().into();
    let device: OwnedFd = File::open("/dev/null").unwrap().into();
    let expected = [
        (0, Kind::Other),
        (1, Kind::Pipe),
        (2, Kind::Other),
        (folder.as_raw_fd(), Kind::WritableFolder),
        (socket.as_raw_fd(), Kind::Socket),
    ];
    let kept = vec![folder, socket, program, device];
    for descriptor in &kept {
        rustix::io::fcntl_setfd(descriptor, FdFlags::empty()).unwrap();
    }
    Inherited {
        expected: expected
            .map(|(number, kind)| Expected { number, kind })
            .into(),
        _kept: kept,
    }
}

fn broker() -> ExitCode {
    let top = tempfile::tempdir().unwrap();
    fs::set_permissions(top.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (outside, inside) = (top.path().join("outside"), top.path().join("inside"));
    fs::create_dir(&outside).unwrap();
    fs::create_dir(&inside).unwrap();
    let hard = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: Some(SOFT_DESCRIPTORS),
        maximum: hard,
    };
    setrlimit(Resource::Nofile, limit).unwrap();

    let bait = Bait::set(&outside).unwrap();
    let inherited = inherited(&inside, &bait.target().program);
    let target = Target {
        descriptors: inherited.expected.clone(),
        descriptors_max: DESCRIPTORS_MAX,
        ..bait.target().clone()
    };
    println!("\nself-attack without walls, as user {}", getuid().as_raw());
    let mut report = Report {
        stand: Stand::now(),
        ..Report::default()
    };
    for probe in probe::every().filter(|probe| probe.name != NOT_OURS) {
        let found = run(probe, &target);
        report.add(probe, &found);
    }
    report.left(&inside);
    report.observed(&bait.touched().unwrap());
    report.end()
}

fn run(probe: &'static Probe, target: &Target) -> Found {
    let mut attacker = Command::new(env::current_exe().unwrap());
    attacker
        .args(["--attacker", probe.name])
        .arg(serde_json::to_string(target).unwrap())
        .env_clear()
        .env("HOTCELL_PROBE", "planted")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut attacker = attacker.spawn().unwrap();
    let status = wait(&mut attacker);
    if let Some(signal) = status.signal() {
        return Found::Killed(signal);
    }
    let mut text = String::new();
    let mut output = attacker.stdout.take().unwrap();
    output.read_to_string(&mut text).unwrap();
    let finding: Finding = serde_json::from_str(text.trim())
        .unwrap_or_else(|error| panic!("{}: {error}: {status}: {text:?}", probe.name));
    assert_eq!(finding.name, probe.name);
    finding.found
}

/// By asking again and again: the attacker may be traced by us, and then stops at its signals.
fn wait(attacker: &mut Child) -> std::process::ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = attacker.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > LONGEST {
            attacker.kill().unwrap();
            return attacker.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Where this test stands itself.
#[derive(Default)]
struct Stand {
    /// Root of the first user namespace, with the capability that most is asked for.
    root: bool,
    /// A filter or `no_new_privs` is in force already: a container's, most likely.
    walled: bool,
}

impl Stand {
    fn now() -> Self {
        const SYS_ADMIN: u64 = 1 << 21;
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = |name: &str| {
            let found = status.lines().find_map(|line| line.strip_prefix(name));
            found
                .unwrap_or_else(|| panic!("/proc/self/status has no {name}"))
                .trim()
                .to_owned()
        };
        let effective = u64::from_str_radix(&line("CapEff:"), 16).unwrap();
        let map = fs::read_to_string("/proc/self/uid_map").unwrap();
        let is_first = map.split_whitespace().eq(["0", "0", "4294967295"]);
        Self {
            root: getuid().is_root() && effective & SYS_ADMIN != 0 && is_first,
            walled: line("Seccomp:") != "0" || line("NoNewPrivs:") != "0",
        }
    }
}

#[derive(Default)]
struct Report {
    stand: Stand,
    fired: usize,
    lacking: Vec<String>,
    failures: Vec<String>,
}

impl Report {
    fn add(&mut self, probe: &Probe, found: &Found) {
        let needs = match probe.needs {
            Needs::Nothing => "",
            Needs::Root => "root",
            Needs::Feature(feature) => feature,
        };
        println!("  {:42} {found}{}", probe.name, bracketed(needs));
        let fired = matches!(found, Found::Succeeded(_));
        let must = match probe.needs {
            Needs::Nothing => true,
            Needs::Root => self.stand.root,
            Needs::Feature(_) => false,
        };
        if fired {
            self.fired += 1;
        } else if must {
            self.failures
                .push(format!("{} did not fire: {found}", probe.name));
        } else {
            self.lacking.push(probe.name.to_owned());
        }
        // An ordinary user is root without capabilities: what that wall stops must not work.
        if fired
            && !getuid().is_root()
            && probe.walls.contains(&Wall::Capabilities)
            && probe.name != "privilege.bounding_set"
        {
            let failure = format!("{} names capabilities as a wall and needs none", probe.name);
            self.failures.push(failure);
        }
    }

    /// Probes clean up behind themselves.
    fn left(&mut self, inside: &Path) {
        for entry in fs::read_dir(inside).unwrap() {
            let name = entry.unwrap().file_name();
            self.failures
                .push(format!("{} was left behind", name.display()));
        }
    }

    /// The observer outside must have seen the attacks that came through.
    fn observed(&mut self, touched: &[String]) {
        for what in [
            "the socket by path",
            "the abstract socket",
            "the TCP port",
            "the UDP port",
            "new: victim",
        ] {
            if !touched.iter().any(|line| line.starts_with(what)) {
                self.failures
                    .push(format!("the observer did not see: {what}"));
            }
        }
        for line in touched.iter().filter(|line| line.starts_with("new: ")) {
            let known = ["canary", "victim", "program", "link", "socket"];
            let name = line.split(' ').nth(1).unwrap_or_default();
            if !known.contains(&name) {
                self.failures.push(format!("left behind outside: {line}"));
            }
        }
    }

    fn end(self) -> ExitCode {
        let Self {
            stand,
            fired,
            lacking,
            failures,
        } = self;
        println!(
            "{fired} probes fired; {} did not, for want of a right or a feature: {}",
            lacking.len(),
            lacking.join(" ")
        );
        let word = if stand.walled { "walled" } else { "FAILED" };
        for failure in &failures {
            println!("{word} {failure}");
        }
        if stand.walled {
            println!(
                "a filter or no_new_privs is in force on this test itself: nothing of the above is failed for it"
            );
        }
        if failures.is_empty() || stand.walled {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

fn bracketed(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("  ({text})")
    }
}
