//! Every probe against the real seal without its walls, without all of them but one, and with all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotcell::cell::StartError;
use hotcell::cell::without::Attackers;
use hotcell::confinement::probe::{self, Finding, Found, Needs, Probe, Target, Wall};
use rustix::io::FdFlags;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::bait::Attacked;
use crate::{attackers, runtime};

/// Attacked at once.
const LANES: usize = 3;
/// Least number of probes that must have been seen both ways.
const SEEN_MIN: usize = 60;
/// More descriptors than a sealed process may have.
const DESCRIPTORS: u64 = 140_000;

/// Every wall but the cgroups, which the bombs are for.
const WALLS: &[Wall] = &[
    Wall::UserNamespace,
    Wall::PidNamespace,
    Wall::IpcNamespace,
    Wall::UtsNamespace,
    Wall::NetworkNamespace,
    Wall::Root,
    Wall::Landlock,
    Wall::Seccomp,
    Wall::Capabilities,
    Wall::NoNewPrivileges,
    Wall::Inheritance,
    Wall::Limits,
    Wall::Hidden,
];

/// Walls that stop a probe beside those it names, as the real seal stands, and why.
const ALSO: &[(&str, &[Wall], &str)] = &[
    (
        "broker.kill_parent",
        &[Wall::Capabilities, Wall::UserNamespace],
        "here the parent is root's",
    ),
    (
        "socket.inherited_connected",
        &[Wall::Root, Wall::NetworkNamespace, Wall::Landlock],
        "there must be somebody in sight to connect to",
    ),
];

/// What may not get through even so, and why not.
pub(crate) const HARDLY: &[(&str, &str)] = &[
    (
        "reach.first_root_in_proc",
        "the first process belongs to whoever runs this machine",
    ),
    (
        "process.session",
        "what is launched leads a group or a session already, and the kernel refuses as the filter does",
    ),
    (
        "limits.descriptors",
        "nobody here may have more than a sealed process",
    ),
];

/// What must be left out for a probe to get through.
pub(crate) fn all_of(probe: &Probe) -> BTreeSet<Wall> {
    let mut walls: BTreeSet<Wall> = probe.walls.iter().copied().collect();
    let also = ALSO.iter().filter(|(name, ..)| *name == probe.name);
    walls.extend(also.flat_map(|(_, walls, _)| walls.iter()));
    // Capabilities in a user namespace of one's own are none over the machine.
    if walls.contains(&Wall::Capabilities) {
        walls.insert(Wall::UserNamespace);
    }
    walls
}

/// What came of one probe.
#[derive(Default)]
struct Seen {
    fires: bool,
    /// How many walls had to be left out for it.
    met: usize,
    found: String,
    failures: Vec<String>,
    /// Walls that stopped it with all its others left out.
    alone: Vec<Wall>,
}

/// Who attempts, and what is attacked.
struct Lane<'a> {
    attackers: &'a Attackers,
    attacked: &'a Attacked,
}

pub(crate) fn is_fatal(probe: &Probe) -> bool {
    probe::FATAL.iter().any(|fatal| fatal.name == probe.name)
}

impl Lane<'_> {
    async fn attempt(&self, probe: &Probe, left_out: &BTreeSet<Wall>) -> Found {
        let target = Target {
            only: vec![probe.name.to_owned()],
            ..self.attacked.target.clone()
        };
        let left_out: Vec<Wall> = left_out.iter().copied().collect();
        let inside = self.attacked.inside();
        match self.attackers.attempt(&left_out, target, inside).await {
            Ok(findings) => {
                let [Finding { name, found }] = &findings[..] else {
                    panic!("{}: {findings:?}", probe.name);
                };
                assert_eq!(name, probe.name);
                found.clone()
            }
            // The filter ends a process that makes another architecture's calls.
            Err(StartError::Lost("ended")) if is_fatal(probe) => Found::Killed(0),
            Err(error) => panic!("{} without {left_out:?}: {error:?}", probe.name),
        }
    }

    async fn look(&self, probe: &Probe) -> Seen {
        let mut all = all_of(probe);
        let mut found = self.attempt(probe, &all).await;
        if !fired(&found) && matches!(probe.needs, Needs::Feature(_)) {
            // It may be root's.
            all.extend([Wall::Capabilities, Wall::UserNamespace]);
            found = self.attempt(probe, &all).await;
        }
        let mut seen = Seen {
            fires: fired(&found),
            met: all.len(),
            found: format!("without {all:?}: {found}"),
            ..Seen::default()
        };
        if !seen.fires {
            return seen;
        }
        for wall in probe.walls {
            let mut others = all.clone();
            others.remove(wall);
            let found = self.attempt(probe, &others).await;
            match fired(&found) {
                false => seen.alone.push(*wall),
                true => seen.failures.push(format!(
                    "{} names {wall:?}, which alone does not stop it: {found}",
                    probe.name
                )),
            }
        }
        let found = self.attempt(probe, &BTreeSet::new()).await;
        if fired(&found) {
            let failure = format!("{} gets through every wall: {found}", probe.name);
            seen.failures.push(failure);
        }
        seen
    }
}

pub(crate) fn fired(found: &Found) -> bool {
    matches!(found, Found::Succeeded(_))
}

/// What a process may inherit where nothing closes it.
pub(crate) fn inheritable(program: &Path) -> Vec<OwnedFd> {
    let family = rustix::net::AddressFamily::UNIX;
    // Connected to nobody, so that it can be pointed at the broker.
    let socket = rustix::net::socket(family, rustix::net::SocketType::STREAM, None).unwrap();
    let kept = vec![
        socket,
        File::open(program).unwrap().into(),
        File::open("/dev/null").unwrap().into(),
    ];
    for descriptor in &kept {
        rustix::io::fcntl_setfd(descriptor, FdFlags::empty()).unwrap();
    }
    kept
}

/// As many descriptors and cores as we may, so that it shows whether sealed processes have less; the
/// soft limit of the first is below the hard one.
pub(crate) fn have_much() {
    let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(DESCRIPTORS);
    let more = hard.max(DESCRIPTORS);
    let (none, all) = (Some(0), None);
    let _refused = setrlimit(
        Resource::Core,
        Rlimit {
            current: none,
            maximum: all,
        },
    );
    let limit = |hard: u64| Rlimit {
        current: Some(hard - 1),
        maximum: Some(hard),
    };
    if setrlimit(Resource::Nofile, limit(more)).is_err() {
        setrlimit(Resource::Nofile, limit(hard)).unwrap();
    }
}

pub(crate) fn each_probe_is_stopped_by_each_of_its_walls_alone() {
    have_much();
    let runtime = runtime();
    let mut lanes: Vec<Attacked> = (0..LANES).map(|_| Attacked::start()).collect();
    let _inheritable = inheritable(&lanes[0].target.program);
    let attackers = runtime.block_on(attackers());
    nothing_gets_through(&runtime, &attackers, &mut lanes[0]);
    let probes: Vec<&'static Probe> = probe::probes().chain(probe::FATAL).collect();
    let (next, seen) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for attacked in &lanes {
            let (next, seen, probes) = (&next, &seen, &probes);
            let (runtime, attackers) = (&runtime, &attackers);
            scope.spawn(move || {
                let lane = Lane {
                    attackers,
                    attacked,
                };
                while let Some(probe) = probes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let what = runtime.block_on(lane.look(probe));
                    seen.lock().unwrap().insert(probe.name, what);
                }
            });
        }
    });
    report(&probes, &seen.into_inner().unwrap());
}

/// All of the self-attack at once, as before a server starts.
fn nothing_gets_through(
    runtime: &tokio::runtime::Runtime,
    attackers: &Attackers,
    attacked: &mut Attacked,
) {
    let target = attacked.target.clone();
    let findings = attackers.attempt(&[], target, attacked.inside());
    let findings = runtime.block_on(findings).unwrap();
    assert_eq!(findings.len(), probe::probes().count());
    let holes: Vec<_> = findings.iter().filter(|one| fired(&one.found)).collect();
    assert!(holes.is_empty(), "{holes:?}");
    assert_eq!(attacked.touched(), Vec::<String>::new());
}

fn report(probes: &[&'static Probe], seen: &BTreeMap<&str, Seen>) {
    let (mut failures, mut lacking) = (Vec::new(), Vec::new());
    let mut by_wall: BTreeMap<Wall, (usize, usize)> = BTreeMap::new();
    for probe in probes {
        let what = &seen[probe.name];
        let hardly = HARDLY.iter().find(|(name, _)| *name == probe.name);
        failures.extend(what.failures.iter().cloned());
        println!("  {:42} {}", probe.name, what.found);
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
            let counted = by_wall.entry(*wall).or_default();
            counted.0 += 1;
            counted.1 += usize::from(what.met == 1);
        }
    }
    let both_ways = seen.values().filter(|one| one.fires).count();
    println!(
        "{both_ways} of {} probes seen to get through without their walls and to be stopped by each of them alone",
        probes.len()
    );
    for (wall, (stopped, only)) in &by_wall {
        println!("  {wall:?} alone stops {stopped}, of which {only} meet no other wall");
    }
    println!("this machine lacks what these need: {}", lacking.join(", "));
    for failure in &failures {
        println!("FAILED {failure}");
    }
    assert!(failures.is_empty(), "{} failures", failures.len());
    assert!(both_ways >= SEEN_MIN, "{both_ways}");
    for wall in WALLS {
        assert!(
            by_wall.contains_key(wall),
            "no probe shows what {wall:?} stops"
        );
    }
}
