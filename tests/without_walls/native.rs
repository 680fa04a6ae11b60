//! Every probe from inside a native program that the lane started: this program, as a policy allows
//! it. Behind all walls none gets through but what ordinary programs may do; without those that it
//! names each does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use hotcell::cell::without::Attackers;
use hotcell::confinement::probe::{
    self, Expected, Finding, Found, Kind, Needs, Probe, Target, Wall, attack_each,
};
use hotcell::native::{NativeLane, NativeOrder, Status};
use hotcell::outcome::Held;
use hotcell::policy::{Access, Decision, NativeCall, Policy, Request, decide, load_text};

use crate::alone::{HARDLY, all_of, fired, have_much, inheritable};
use crate::bait::Attacked;
use crate::{ORDINARY, attackers, attackers_with, ourselves, runtime};

/// The word that makes this program the attacker inside.
pub(crate) const WORD: &str = "--native-attacker";
/// The word that makes it start attackers as whoever it is.
pub(crate) const ORDINARY_WORD: &str = "--native-by-ordinary";
/// Attacked at once.
const LANES: usize = 3;
/// Where bait lies: below no folder that a native program may write in, whatever its root is.
const BAIT: &str = "/var/tmp";
/// Where the program starts: it is there with and without a root of its own.
const HERE: &str = "/tmp";
/// Descriptors of a native program (`DESCRIPTORS_MAX` in src/confinement/enclose.rs).
const DESCRIPTORS: u64 = 4_096;

/// Bytes that the session may hold more.
const ROOM: i64 = 1 << 20;

/// What a native program may do though a cell may not: why, and which probes say so.
const MAY: &[(&str, &[&str])] = &[
    (
        "variables that are made for it, from nothing",
        &["environment.variables", "environment.on_the_stack"],
    ),
    (
        "the root is one of its own, made of the places it may see",
        &["change.list_root"],
    ),
    (
        "make and shells talk through FIFOs; who takes changes back refuses them",
        &["special.fifo"],
    ),
    (
        "set-id rights mean nothing where it can make files, and are not taken back",
        &[
            "special.set_id_by_path",
            "special.set_id_by_new_call",
            "special.set_id_by_descriptor",
            "special.set_id_created",
            "special.set_id_folder",
        ],
    ),
    (
        "a device without a state that anybody shares",
        &["device.null"],
    ),
    (
        "interpreters make code as they run",
        &[
            "memory.write_and_run",
            "memory.run",
            "memory.run_only",
            "memory.run_with_high_bit",
            "memory.written_then_run",
            "memory.written_and_run",
            "memory.written_then_run_with_key",
            "memory.own_code_writable",
        ],
    ),
    (
        "processes of one program share memory; a cgroup counts it",
        &["memory.shared"],
    ),
    (
        "programs wait, and move bytes between pipes",
        &[
            "kernel.timers",
            "kernel.splice_from_memory",
            "kernel.splice",
        ],
    ),
    (
        "it may lower its own limits, and choose among its processors",
        &["limits.change_any", "limits.processors"],
    ),
    (
        "it may start processes; all of them end with it",
        &[
            "process.fork",
            "process.vfork",
            "process.clone",
            "process.clone_as_spawn",
            "process.clone_unnoticed",
            "process.clone_for_parent",
            "process.clone_with_handle",
            "process.clone_high_bits",
            "process.session",
            "process.group",
        ],
    ),
    (
        "a program that starts is open to its user again, of whom nobody else is in its namespaces",
        &["privilege.open_to_others", "privilege.dumpable"],
    ),
    (
        "its attendant is the first of its namespace, whose end nothing in it survives",
        &["privilege.survive_parent"],
    ),
    (
        "the kernel takes no word that loosens it",
        &["privilege.loosened_no_new_privileges"],
    ),
];

/// What else stands in a probe's way here, and why.
const ALSO: &[(&str, Wall, &str)] = &[
    (
        "reach.hard_link",
        Wall::Seccomp,
        "no file gets a second name, which an overlay cannot keep",
    ),
    (
        "reach.hard_link_by_descriptor",
        Wall::Seccomp,
        "no file gets a second name, which an overlay cannot keep",
    ),
    (
        "reach.handle",
        Wall::Root,
        "no other file system is in sight",
    ),
    (
        "socket.inherited_bound",
        Wall::Inheritance,
        "it is given no socket",
    ),
    (
        "socket.peer_of_inherited",
        Wall::Inheritance,
        "it is given no socket",
    ),
];

/// The program's side, enclosed: makes its attempts and tells.
pub(crate) fn attack(target: &str) -> ExitCode {
    let mut target: Target = serde_json::from_str(target).unwrap();
    let folder = File::open(HERE).unwrap();
    let expect = |number, kind| Expected { number, kind };
    target.descriptors = vec![
        expect(0, Kind::Other),
        expect(1, Kind::Pipe),
        expect(2, Kind::Other),
        expect(folder.as_raw_fd(), Kind::WritableFolder),
    ];
    target.descriptors_max = DESCRIPTORS;
    let mut findings = Vec::new();
    attack_each(&target, |_, finding| findings.push(finding));
    println!("{}", serde_json::to_string(&findings).unwrap());
    ExitCode::SUCCESS
}

/// Starts attackers as the broker starts native programs.
struct Lane<'a> {
    attackers: &'a Attackers,
    policy: Policy,
    program: String,
    workspace: PathBuf,
}

impl<'a> Lane<'a> {
    fn new(attackers: &'a Attackers, workspace: &Path) -> Self {
        let program = std::env::current_exe().unwrap().canonicalize().unwrap();
        let program = program.to_str().unwrap().to_owned();
        let policy = format!(
            "version = 1\nname = \"attack\"\ndescription = \"An attacker.\"\n[[native]]\nprogram = \"{program}\"\n\
             args = [\"{WORD}\"]\noperands = [{{ pattern = \"(?s).*\" }}]\ncwd = \"{HERE}\"\n\
             confinement = \"strong\"\nreason = \"tests\"\n"
        );
        Self {
            attackers,
            policy: load_text(&policy).unwrap(),
            program,
            workspace: workspace.to_owned(),
        }
    }

    async fn attempt(&self, left_out: &BTreeSet<Wall>, target: &Target) -> Vec<Finding> {
        let left_out: Vec<Wall> = left_out.iter().copied().collect();
        let lane = NativeLane::new(self.attackers.means(&left_out).unwrap(), false);
        let arguments = [WORD.to_owned(), serde_json::to_string(target).unwrap()];
        let call = NativeCall {
            agent: "attacker",
            program: &self.program,
            arguments: &arguments,
            cwd: HERE,
        };
        let decision = decide(&self.policy, &Request::Native(call), SystemTime::now());
        let Decision::Allow(grant) = decision else {
            panic!("{decision:?}");
        };
        let (mut said, stdout) = std::io::pipe().unwrap();
        let running = lane.start(grant, self.order(stdout.into())).await;
        let running = running.unwrap_or_else(|error| panic!("without {left_out:?}: {error:?}"));
        let told = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            said.read_to_string(&mut text).unwrap();
            text
        });
        let (_signals, heard) = tokio::sync::mpsc::unbounded_channel();
        let taken = running.finish(heard).await.unwrap().unwrap();
        let text = told.await.unwrap();
        match taken.ended.status {
            Status::Exited(0) => serde_json::from_str(&text).unwrap(),
            Status::Signaled(signal) if target.only.len() == 1 => {
                let found = Found::Killed(signal.try_into().unwrap());
                vec![probe::find(&target.only[0]).unwrap().finding(found)]
            }
            ended @ (Status::Exited(_) | Status::Signaled(_)) => {
                panic!("{:?} without {left_out:?}: {ended:?}: {text}", target.only)
            }
        }
    }

    fn order(&self, stdout: OwnedFd) -> NativeOrder {
        let nothing = || OwnedFd::from(File::options().write(true).open("/dev/null").unwrap());
        let stdin = File::open("/dev/null").unwrap().into();
        NativeOrder {
            workspace: self.workspace.clone(),
            access: Access::ReadOnly,
            protected: Vec::new(),
            mounts: Vec::new(),
            beside: self.workspace.clone(),
            cwd: HERE.to_owned(),
            room: Held {
                bytes: ROOM,
                files: 1_000,
            },
            written_max: 1 << 20,
            wall: Duration::from_secs(60),
            stdio: [stdin, stdout, nothing()],
        }
    }

    async fn one(&self, probe: &Probe, left_out: &BTreeSet<Wall>, target: &Target) -> Found {
        let target = Target {
            only: vec![probe.name.to_owned()],
            ..target.clone()
        };
        let findings = self.attempt(left_out, &target).await;
        let [Finding { name, found }] = &findings[..] else {
            panic!("{}: {findings:?}", probe.name);
        };
        assert_eq!(name, probe.name);
        found.clone()
    }

    /// Everything at once behind all walls, and what ends a program by itself; answers the holes.
    async fn everything(&self, target: &Target) -> Vec<String> {
        let mut findings = self.attempt(&BTreeSet::new(), target).await;
        assert_eq!(findings.len(), probe::probes().count());
        for probe in probe::FATAL {
            let found = self.one(probe, &BTreeSet::new(), target).await;
            findings.push(probe.finding(found));
        }
        let through = findings.iter().filter(|finding| fired(&finding.found));
        let (may, holes): (Vec<_>, Vec<_>) = through.partition(|finding| may(&finding.name));
        let said: usize = MAY.iter().map(|(_, names)| names.len()).sum();
        assert_eq!(may.len(), said, "what it may do is what it does: {may:?}");
        println!(
            "  {} probes behind every wall: {} get through, beside {} that any program may do",
            findings.len(),
            holes.len(),
            may.len()
        );
        let told = holes
            .iter()
            .map(|hole| format!("{}: {}", hole.name, hole.found));
        told.collect()
    }
}

fn may(name: &str) -> bool {
    MAY.iter().any(|(_, known)| known.contains(&name))
}

/// What came of one probe with walls left out.
#[derive(Default)]
struct Seen {
    fires: bool,
    found: String,
    /// Walls that stopped it with all its others left out.
    alone: Vec<Wall>,
}

async fn look(lane: &Lane<'_>, probe: &Probe, target: &Target) -> Seen {
    let mut all = all_of(probe);
    let also = ALSO.iter().filter(|(name, ..)| *name == probe.name);
    all.extend(also.map(|(_, wall, _)| wall));
    let mut found = lane.one(probe, &all, target).await;
    if !fired(&found) {
        // It may be root's.
        all.extend([Wall::Capabilities, Wall::UserNamespace]);
        found = lane.one(probe, &all, target).await;
    }
    let mut seen = Seen {
        fires: fired(&found),
        found: format!("without {all:?}: {found}"),
        alone: Vec::new(),
    };
    for wall in all.clone().into_iter().filter(|_| seen.fires) {
        let mut others = all.clone();
        others.remove(&wall);
        if !fired(&lane.one(probe, &others, target).await) {
            seen.alone.push(wall);
        }
    }
    seen
}

pub(crate) fn gets_through_no_wall_but_those_left_out() {
    have_much();
    let runtime = runtime();
    let mut attacked: Vec<Attacked> = (0..LANES).map(|_| Attacked::start_in(BAIT)).collect();
    let _inheritable = inheritable(&attacked[0].target.program);
    let attackers = runtime.block_on(attackers());
    let workspace = tempfile::tempdir().unwrap();
    let lane = Lane::new(&attackers, workspace.path());
    let holes = runtime.block_on(lane.everything(&attacked[0].target.clone()));
    assert!(holes.is_empty(), "{holes:#?}");
    assert_eq!(attacked[0].touched(), Vec::<String>::new());
    let every = probe::probes().chain(probe::FATAL);
    let probes: Vec<&'static Probe> = every.filter(|probe| !may(probe.name)).collect();
    let (next, seen) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for attacked in &attacked {
            scope.spawn(|| {
                while let Some(probe) = probes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let what = runtime.block_on(look(&lane, probe, &attacked.target));
                    seen.lock().unwrap().insert(probe.name, what);
                }
            });
        }
    });
    report(&probes, &seen.into_inner().unwrap());
}

fn report(probes: &[&'static Probe], seen: &BTreeMap<&str, Seen>) {
    let (mut failures, mut lacking) = (Vec::new(), Vec::new());
    let mut by_wall: BTreeMap<Wall, usize> = BTreeMap::new();
    for probe in probes {
        let what = &seen[probe.name];
        let hardly = HARDLY.iter().find(|(name, _)| *name == probe.name);
        println!(
            "  {:42} {}; stopped by {:?}",
            probe.name, what.found, what.alone
        );
        match (probe.needs, hardly) {
            _ if what.fires => {}
            (_, Some((_, reason))) => lacking.push(format!("{} ({reason})", probe.name)),
            (Needs::Feature(feature), _) => lacking.push(format!("{} ({feature})", probe.name)),
            (Needs::Nothing | Needs::Root, _) => failures.push(format!(
                "{} does not get through {}",
                probe.name, what.found
            )),
        }
        for wall in &what.alone {
            *by_wall.entry(*wall).or_default() += 1;
        }
    }
    let fire = seen.values().filter(|one| one.fires).count();
    println!(
        "{fire} of {} get through where their walls are left out",
        probes.len()
    );
    for (wall, stopped) in &by_wall {
        println!("  {wall:?} alone stops {stopped}");
    }
    println!("this machine lacks what these need: {}", lacking.join(", "));
    for failure in &failures {
        println!("FAILED {failure}");
    }
    assert!(failures.is_empty(), "{} failures", failures.len());
    for wall in [
        Wall::Root,
        Wall::Landlock,
        Wall::Seccomp,
        Wall::Capabilities,
        Wall::PidNamespace,
    ] {
        assert!(
            by_wall.contains_key(&wall),
            "no probe shows what {wall:?} stops"
        );
    }
}

pub(crate) fn of_somebody_ordinary_gets_through_no_wall() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["", "cache", "workspace"] {
        let path = folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        std::os::unix::fs::chown(path, Some(ORDINARY), Some(ORDINARY)).unwrap();
    }
    let mut command = ourselves(true);
    let status = command.arg(ORDINARY_WORD).arg(folder.path()).status();
    assert!(status.unwrap().success());
}

/// Its side: an ordinary user starts attackers.
pub(crate) fn as_somebody_ordinary(folder: &Path) -> ExitCode {
    assert_eq!(rustix::process::geteuid().as_raw(), ORDINARY);
    let runtime = runtime();
    let bait_folder = tempfile::tempdir_in(BAIT).unwrap();
    let bait = probe::Bait::set(bait_folder.path()).unwrap();
    let attackers = runtime.block_on(attackers_with(&folder.join("cache")));
    println!("  as user {ORDINARY}: {}", attackers.reached());
    let lane = Lane::new(&attackers, &folder.join("workspace"));
    let holes = runtime.block_on(lane.everything(bait.target()));
    assert!(holes.is_empty(), "{holes:#?}");
    assert_eq!(bait.touched().unwrap(), Vec::<String>::new());
    ExitCode::SUCCESS
}
