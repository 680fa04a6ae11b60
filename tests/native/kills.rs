//! Whatever ends programs and calls, and however often: nothing is left.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::limits::alive;
use crate::{Lane, repository, rule};

/// What is left behind by a server's native programs.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// Beside the one that waits for the next start.
    stages: usize,
    programs: usize,
    mounts: usize,
    /// Of the server's spares.
    groups: usize,
    folders: Vec<String>,
}

fn left(lane: &Lane) -> Left {
    let pid = lane.server.pid().as_raw_nonzero();
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mounts")).unwrap();
    let beside = lane.workspace.parent().unwrap();
    let folders = std::fs::read_dir(beside).unwrap().flatten();
    Left {
        stages: stages(lane).len().saturating_sub(1),
        programs: alive("8881"),
        mounts: mounts.lines().count(),
        groups: groups(Path::new("/sys/fs/cgroup"), &format!("hotcell-{pid}-")).len(),
        folders: folders
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("changes-"))
            .collect(),
    }
}

/// Descriptors of the server: sockets, which clients keep open, and others.
fn descriptors(lane: &Lane) -> (usize, usize) {
    let pid = lane.server.pid().as_raw_nonzero();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten();
    let names: Vec<_> = open
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .collect();
    let sockets = names
        .iter()
        .filter(|name| name.to_string_lossy().starts_with("socket:"))
        .count();
    (sockets, names.len() - sockets)
}

/// Groups of one server, by their paths.
fn groups(folder: &Path, mark: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let path = entry.path();
                if path.to_string_lossy().contains(mark) {
                    found.insert(path.to_string_lossy().into_owned());
                }
                folders.push(path);
            }
        }
    }
    found
}

/// A command whose programs end by themselves or otherwise, and the milliseconds it may take.
fn command(kind: u64, wait: u64) -> (String, u64) {
    let long = 20_000;
    let slow = "/usr/bin/sleep 8881";
    match kind {
        0 => (slow.to_owned(), 20 + wait),
        1 => (
            format!("{slow} & sleep 0.0{wait:02}; kill -9 $!; wait"),
            long,
        ),
        2 => (
            format!("{slow} & {slow} & /usr/bin/cat /dev/zero | head -c 100"),
            long,
        ),
        3 => (
            "cd /workspace/r; git commit --allow-empty -m x > /dev/null".to_owned(),
            5 + wait,
        ),
        _ => (
            "seq 9 | /usr/bin/cat | /usr/bin/cat > /dev/null".to_owned(),
            long,
        ),
    }
}

#[test]
fn nothing_is_left_of_many_runs_that_are_ended_at_random() {
    let runs = if std::env::var_os("HOTCELL_FULL").is_some() {
        1_000
    } else {
        80
    };
    let more = "access = \"read-write\"\nprofile = \"git\"\nhelpers = [{ path = \"/usr/lib/git-core\" }]\n\
        environment = { GIT_AUTHOR_NAME = \"t\", GIT_AUTHOR_EMAIL = \"t\", GIT_COMMITTER_NAME = \"t\", GIT_COMMITTER_EMAIL = \"t\" }\n\
        flags = [\"--allow-empty\"]\nargs = [\"commit\"]\nvalues = { \"-m\" = \".*\" }\n";
    let git = format!(
        "[[native]]\nprogram = \"/usr/bin/git\"\nconfinement = \"strong\"\nreason = \"t\"\n{more}"
    );
    let lane = Lane::ruled(&[rule("/usr/bin/sleep", ""), rule("/usr/bin/cat", ""), git].concat());
    repository(&lane.workspace.join("r"), 1);
    let warm =
        lane.bash("cd /workspace/r; git commit --allow-empty -m warm; /usr/bin/cat file.txt");
    assert_eq!(warm.code, 0, "{warm:?}");
    let before = settled(&lane, None);
    let (sockets, others) = descriptors(&lane);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |most: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % most
    };
    std::thread::scope(|scope| {
        for number in 0..runs {
            let (kind, wait) = (next(5), next(60));
            let lane = &lane;
            let run = move || {
                let (command, timeout) = command(kind, wait);
                let request =
                    json!({"tool": "bash", "input": {"command": command}, "timeoutMs": timeout});
                let answer = lane.server.execute(&request).unwrap();
                assert!(
                    matches!(answer.status, 200 | 429),
                    "{command}: {}",
                    answer.body
                );
            };
            // Some at once, most alone, and now and then a process is killed from outside.
            match number % 4 {
                0 => drop(scope.spawn(run)),
                _ => run(),
            }
            if number % 10 == 9 {
                kill_one(lane, next(2) == 0);
            }
        }
    });
    let after = settled(&lane, Some(&before));
    assert_eq!(after, before);
    let (sockets_after, others_after) = descriptors(&lane);
    assert!(
        others_after <= others,
        "{others_after} descriptors after {others}"
    );
    // Those that the test's own client keeps.
    assert!(
        sockets_after <= sockets + 8,
        "{sockets_after} sockets after {sockets}"
    );
    // The repository was changed whole or not at all.
    let said = lane.bash("cd /workspace/r; git commit --allow-empty -m end > /dev/null; echo $?");
    assert_eq!(said.output, "0\n", "{said:?}");
}

/// The processes of a server that attend to native programs.
fn stages(lane: &Lane) -> Vec<i32> {
    let parent = format!("PPid:\t{}\n", lane.server.pid().as_raw_nonzero());
    processes(|place, words| {
        let status = std::fs::read_to_string(place.join("status")).unwrap_or_default();
        words.starts_with("hotcell\0stage") && status.contains(&parent)
    })
}

fn processes(wanted: impl Fn(&Path, &str) -> bool) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let found = all.filter(|entry| {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        wanted(&entry.path(), &String::from_utf8_lossy(&words))
    });
    let numbers = found.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    numbers.collect()
}

/// Kills a process that attends to a native program, or the program.
fn kill_one(lane: &Lane, attendant: bool) {
    let found = match attendant {
        true => stages(lane),
        false => processes(|_, words| words.contains("\08881\0")),
    };
    let pid = found
        .first()
        .copied()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended just now.
        let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// What is left once nothing changes any more, or when it is as `wanted`.
fn settled(lane: &Lane, wanted: Option<&Left>) -> Left {
    // The session's own cell goes when it was idle for ten seconds.
    std::thread::sleep(Duration::from_secs(13));
    let until = Instant::now() + Duration::from_secs(20);
    let mut last = left(lane);
    loop {
        std::thread::sleep(Duration::from_millis(700));
        let now = left(lane);
        if now == last && wanted.is_none_or(|wanted| *wanted == now) || Instant::now() > until {
            return now;
        }
        last = now;
    }
}
