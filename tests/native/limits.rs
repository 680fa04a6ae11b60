//! What a program may change and use, and how it ends when it wants more.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{Lane, own, rule};

fn writing() -> Lane {
    let more = "access = \"read-write\"\n";
    Lane::ruled(
        &[
            rule("/usr/bin/tee", more),
            rule("/usr/bin/touch", more),
            rule("/usr/bin/rm", more),
            rule("/usr/bin/mkdir", more),
            rule("/usr/bin/mv", more),
            rule("/usr/bin/ln", more),
            rule("/usr/bin/mkfifo", more),
            rule("/usr/bin/chmod", more),
            rule("/usr/bin/cat", ""),
            script(
                "replace.sh",
                REPLACES,
                "access = \"read-write\"\nhelpers = [{ path = \"/usr/bin/rm\" }, { path = \"/usr/bin/mkdir\" }]\n",
            ),
        ]
        .concat(),
    )
}

/// What a shell does in one run.
const REPLACES: &str = "rm -r held\nmkdir held\n";

#[test]
fn changes_are_taken_over_as_they_are() {
    let lane = writing();
    for (command, wanted) in [
        (
            "echo one | /usr/bin/tee a > /dev/null; cat a; stat -c %s a",
            "one\n4\n",
        ),
        (
            "/usr/bin/mkdir -p d/e; /usr/bin/touch d/e/f; find d | sort",
            "d\nd/e\nd/e/f\n",
        ),
        ("/usr/bin/mv d/e g; find d g | sort", "d\ng\ng/f\n"),
        ("/usr/bin/rm a; ls", "d\ng\n"),
        (
            "/usr/bin/ln -s g/f link; readlink link; /usr/bin/rm -r g d link; ls | wc -l",
            "g/f\n0\n",
        ),
        (
            "/usr/bin/touch x; /usr/bin/chmod 700 x; stat -c %a x; /usr/bin/rm x; /usr/bin/mkdir x; ls -F",
            "700\nx/\n",
        ),
        (
            "/usr/bin/touch x/y; /usr/bin/rm -r x; /usr/bin/touch x; ls -F",
            "x\n",
        ),
        ("/usr/bin/chmod 4755 x; stat -c %a x", "755\n"),
    ] {
        let said = lane.bash(command);
        assert_eq!(said.output, wanted, "{command}: {said:?}");
    }
    // Nobody else's: files are the workspace's owner's.
    use std::os::unix::fs::MetadataExt as _;
    let owner = |path: &std::path::Path| {
        std::fs::symlink_metadata(path)
            .map(|about| (about.uid(), about.gid()))
            .unwrap()
    };
    assert_eq!(owner(&lane.workspace.join("x")), owner(&lane.workspace));
    // And what a rule does not let change stays.
    let said = lane.bash("/usr/bin/cat x; echo $?; sh -c '/usr/bin/cat /workspace/x'; /usr/bin/touch /usr/z; echo $?");
    assert_eq!(said.output, "0\n1\n", "{said:?}");
}

#[test]
fn a_run_that_breaks_a_rule_changes_nothing() {
    let lane = writing();
    lane.bash("mkdir -p r; echo keep > r/kept");
    // A repository of somebody else's, which a guest may not change.
    let held = lane.workspace.join("held/deep/.git");
    std::fs::create_dir_all(&held).unwrap();
    std::fs::write(held.join("config"), "as it was\n").unwrap();
    std::fs::write(lane.workspace.join("replace.sh"), REPLACES).unwrap();
    own(&lane.workspace.join("held"));
    own(&lane.workspace.join("replace.sh"));
    for (command, why) in [
        (
            "echo x | /usr/bin/tee r/ok .envrc",
            "it changed `.envrc`, whose name is protected",
        ),
        ("/usr/bin/mkdir -p r/ok .git", "`.git`"),
        ("/usr/bin/mkdir -p r/ok r/deep/.git/hooks", "`r/deep/.git`"),
        ("/usr/bin/touch r/ok r/.git", "`r/.git`"),
        // Nor is it removed with a folder above it, replaced or not.
        ("/usr/bin/rm -r held", "it changed `held/deep/.git`"),
        ("/usr/bin/bash replace.sh", "it changed `held/deep/.git`"),
        ("/usr/bin/mkfifo r/ok", "which is no file, folder or link"),
        (
            "head -c 40000000 /dev/zero | /usr/bin/tee r/ok > /dev/null",
            "",
        ),
    ] {
        let said = lane.bash(command);
        assert_ne!(said.code, 0, "{command}: {said:?}");
        assert!(said.error.contains(why), "{command}: {said:?}");
        assert!(!lane.workspace.join("r/ok").exists(), "{command}");
        assert!(!lane.workspace.join(".envrc").exists(), "{command}");
        assert!(!lane.workspace.join("r/deep").exists(), "{command}");
        let kept = std::fs::read_to_string(held.join("config"));
        assert_eq!(kept.unwrap(), "as it was\n", "{command}");
    }
    assert_eq!(
        lane.bash("ls -A . r").output,
        ".:\nheld\nr\nreplace.sh\n\nr:\nkept\n"
    );
    // The session's room is for natives and guests together: 64 MiB, of which these take 60.
    let fill = "for i in 1 2 3 4 5 6; do head -c 10485760 /dev/zero | /usr/bin/tee f$i > /dev/null || echo no $i; done";
    let said = lane.bash(fill);
    assert!(said.output.contains("no "), "{said:?}");
    let held: u64 = std::fs::read_dir(&lane.workspace)
        .unwrap()
        .flatten()
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    assert!(held <= 64 << 20, "{held}");
}

/// Processes on this machine whose words hold `mark`.
pub fn alive(mark: &str) -> usize {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(mark)
    })
    .count()
}

#[test]
fn programs_end_with_their_call_and_by_signals() {
    let lane = Lane::ruled(&rule("/usr/bin/sleep", ""));
    let began = Instant::now();
    let slow = json!({"tool": "bash", "input": {"command": "/usr/bin/sleep 7771 & /usr/bin/sleep 7772"}, "timeoutMs": 800});
    let said = lane.asked(&slow);
    assert_eq!(said.stopped_by.as_deref(), Some("wall"), "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(
        (alive("7771"), alive("7772")),
        (0, 0),
        "gone when the answer is there"
    );
    let direct = json!({"tool": "native", "input": {"program": "sleep", "args": ["7773"]}, "timeoutMs": 500});
    assert_eq!(lane.asked(&direct).stopped_by.as_deref(), Some("wall"));
    assert_eq!(alive("7773"), 0);
    let said = lane.bash("/usr/bin/sleep 7774 & sleep 0.3; kill $!; wait $!; echo $?; /usr/bin/sleep 7775 & sleep 0.2; kill -9 $!; wait $!; echo $?");
    assert_eq!(said.output, "143\n137\n", "{said:?}");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!((alive("7774"), alive("7775")), (0, 0));
    let (_, outcomes) = lane.native_records("777");
    assert_eq!(outcomes.len(), 5, "each has its end recorded");
}

#[test]
fn a_rules_own_time_and_memory_end_a_program() {
    let slow = "limits = { wall = \"300ms\" }\n";
    let lane = Lane::ruled(
        &[
            rule("/usr/bin/sleep", slow),
            rule("/usr/bin/sort", "limits = { memory = \"24MiB\" }\n"),
        ]
        .concat(),
    );
    let said = lane.bash("/usr/bin/sleep 7776; echo $?");
    assert_eq!(said.output, "137\n", "{said:?}");
    assert!(said.error.contains("its time was over"), "{said:?}");
    // Without a cgroup the program is refused memory; with one it is ended and the reason named.
    let said =
        lane.bash("head -c 200000000 /dev/zero | /usr/bin/sort > /dev/null; echo ${PIPESTATUS[1]}");
    assert_ne!(said.output, "0\n", "{said:?}");
    assert!(said.error.contains("memory"), "{said:?}");
}

/// Rules that run a script of bash with this text, by its digest.
pub fn script(name: &str, text: &str, more: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(text);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "[[native]]\nprogram = \"/usr/bin/bash\"\nargs = [\"{name}\"]\nscript_sha256 = \"{digest}\"\n\
         confinement = \"strong\"\nreason = \"tests\"\n{more}\n"
    )
}

#[test]
fn a_fork_bomb_stays_within_its_limit_and_leaves_nothing() {
    const BOMB: &str = "f() { f | f & wait; }\ntrap '' TERM HUP\nf\n";
    let more = "profile = \"build\"\nlimits = { processes = 40, wall = \"3s\" }\n";
    let lane = Lane::ruled(&script("bomb6661.sh", BOMB, more));
    std::fs::write(lane.workspace.join("bomb6661.sh"), BOMB).unwrap();
    own(&lane.workspace.join("bomb6661.sh"));
    let open = lane.server.open_session("neighbour");
    open.unwrap();
    let most = std::thread::scope(|scope| {
        let bomb = scope.spawn(|| lane.bash("/usr/bin/bash bomb6661.sh 2> /dev/null; echo $?"));
        let (mut most, mut others) = (0, 0);
        while !bomb.is_finished() {
            most = most.max(alive("bomb6661.sh\0"));
            let call =
                json!({"tool": "bash", "input": {"command": "echo here"}, "session": "neighbour"});
            assert_eq!(lane.asked(&call).output, "here\n");
            others += 1;
        }
        let said = bomb.join().unwrap();
        assert_eq!(said.output, "137\n", "its time was over: {said:?}");
        assert!(others > 3, "{others} calls of a neighbour were answered");
        most
    });
    println!("at most {most} processes were seen at once");
    assert!((20..=40).contains(&most), "{most}");
    assert_eq!(alive("bomb6661.sh\0"), 0, "gone when the answer is there");
}

/// What the kernel says of a program that runs: who it is, what it may do, what it was given.
#[test]
fn a_program_has_no_rights_and_is_given_only_what_is_meant_for_it() {
    let build = "profile = \"build\"\n";
    let lane = Lane::ruled(&[rule("/usr/bin/cat", build), rule("/usr/bin/ls", build)].concat());
    let said = lane.bash("/usr/bin/cat /proc/self/status");
    let value = |name: &str| {
        let line = said.output.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} {said:?}")).trim()
    };
    for name in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(value(name), "0000000000000000", "{name}");
    }
    assert_eq!((value("NoNewPrivs:"), value("Seccomp:")), ("1", "2"));
    let groups = value("Groups:");
    assert!(matches!(groups, "" | "65534"), "groups: {groups}");
    for name in ["SigBlk:", "SigIgn:", "SigCgt:"] {
        assert_eq!(value(name), "0000000000000000", "{name}");
    }
    assert_eq!(value("Umask:"), "0022");
    // Its attendant is the first process of its namespace.
    assert_eq!((value("PPid:"), value("TracerPid:")), ("1", "0"));
    if rustix::process::geteuid().is_root() {
        assert_ne!(value("Uid:").split_whitespace().next(), Some("0"));
    }
    // `ls` itself opens the folder it lists.
    let open = lane.bash("/usr/bin/ls /proc/self/fd < /dev/null").output;
    assert_eq!(open, "0\n1\n2\n3\n");
    let variables =
        lane.bash("export LD_PRELOAD=/x GIT_DIR=/x SECRET=x; /usr/bin/cat /proc/self/environ");
    let mut names: Vec<_> = variables
        .output
        .split('\0')
        .filter_map(|one| one.split('=').next())
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    let made = [
        "CARGO_HOME",
        "CARGO_NET_OFFLINE",
        "HOME",
        "LANG",
        "LESSSECURE",
        "LOGNAME",
        "PAGER",
        "PATH",
        "PIP_CONFIG_FILE",
        "PIP_NO_INDEX",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONNOUSERSITE",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
        "npm_config_cache",
        "npm_config_offline",
        "npm_config_update_notifier",
    ];
    assert_eq!(names, made);
}
