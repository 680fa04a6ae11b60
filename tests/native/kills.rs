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
    stages: usize,
    programs: usize,
    descriptors: usize,
    mounts: usize,
    groups: BTreeSet<String>,
    folders: Vec<String>,
}

fn left(lane: &Lane) -> Left {
    let pid = lane.server.pid().as_raw_nonzero();
    let count = |path: String| std::fs::read_dir(path).map_or(0, Iterator::count);
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mounts")).unwrap();
    let beside = lane.workspace.parent().unwrap();
    let folders = std::fs::read_dir(beside).unwrap().flatten();
    Left {
        stages: alive("hotcell\0stage"),
        programs: alive("8881"),
        descriptors: count(format!("/proc/{pid}/fd")),
        mounts: mounts.lines().count(),
        groups: groups(Path::new("/sys/fs/cgroup"), &format!("hotcell-{pid}-")),
        folders: folders
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("changes-"))
            .collect(),
    }
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
                let slow = "/usr/bin/sleep 8881".to_owned();
                let (command, timeout) = match kind {
                    0 => (slow, 20 + wait),
                    1 => (
                        format!("{slow} & sleep 0.0{wait:02}; kill -9 $!; wait"),
                        20_000,
                    ),
                    2 => (
                        format!("{slow} & {slow} & /usr/bin/cat /dev/zero | head -c 100"),
                        20_000,
                    ),
                    3 => (
                        "cd /workspace/r; git commit --allow-empty -m x > /dev/null".to_owned(),
                        5 + wait,
                    ),
                    _ => (
                        "seq 9 | /usr/bin/cat | /usr/bin/cat > /dev/null".to_owned(),
                        20_000,
                    ),
                };
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
                kill_a_stage(next(2) == 0);
            }
        }
    });
    let after = settled(&lane, Some(&before));
    assert_eq!(after, before);
    // The repository was changed whole or not at all.
    let said = lane.bash("cd /workspace/r; git commit --allow-empty -m end > /dev/null; echo $?");
    assert_eq!(said.output, "0\n", "{said:?}");
}

/// Kills a process that attends to a native program, or the program.
fn kill_a_stage(attendant: bool) {
    let mark = if attendant { "hotcell\0stage" } else { "8881" };
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let pid = entry.file_name().to_string_lossy().parse().ok();
        if String::from_utf8_lossy(&words).starts_with(mark)
            && let Some(pid) = pid.and_then(rustix::process::Pid::from_raw)
        {
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            return;
        }
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
