//! What a session holds: limits over its life, counted by effect on the host's own folders
//! (WASM-13).

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::process::{Server, eventually, read_reply};

const RULES: &str = "version = 1\nname = \"n\"\ndescription = \"d\"\n\
    [workspace]\naccess = \"read-write\"\n\
    [[tool]]\nnames = [\"bash\", \"write_file\"]\nreason = \"tools\"\n\
    [[program]]\nnames = [\"*\"]\nreason = \"all guests\"\n[limits]\n";

struct Place {
    state: tempfile::TempDir,
    _policy: tempfile::TempDir,
}

fn place(limits: &str) -> Place {
    let (state, policy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = policy.path().join("p.toml");
    std::fs::write(&file, format!("{RULES}{limits}")).unwrap();
    let config = format!("policy = {:?}\n", file.to_str().unwrap());
    std::fs::write(state.path().join("hotcell.toml"), config).unwrap();
    Place {
        state,
        _policy: policy,
    }
}

fn started(limits: &str) -> (Place, Server) {
    let place = place(limits);
    let server = Server::start(place.state.path());
    (place, server)
}

fn held(server: &Server) -> (i64, i64) {
    let info = server.request("GET", "/sessions/default").body;
    let number = |field: &str| info["held"][field].as_i64().unwrap();
    (number("bytes"), number("files"))
}

/// What is on the disk, by the rule of docs/policy.md.
fn on_disk(server: &Server) -> (i64, i64) {
    let mut total = (0, 0);
    let mut linked = HashSet::new();
    let tmp = server.workspace().with_file_name("tmp");
    let mut left: Vec<PathBuf> = vec![server.workspace(), tmp];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            total.1 += 1;
            if about.is_dir() {
                total.0 += 4_096;
                left.push(entry.path());
            } else if about.nlink() == 1 || linked.insert(about.ino()) {
                total.0 += about.len().next_multiple_of(4_096).cast_signed();
            }
        }
    }
    total
}

fn answer(body: &Value) -> (u64, &str, &str) {
    (
        body["exitCode"].as_u64().unwrap(),
        body["stoppedBy"].as_str().unwrap_or_default(),
        body["output"].as_str().unwrap(),
    )
}

#[test]
fn bytes_are_limited_over_the_life_of_a_session_and_removing_makes_room() {
    let (place, server) = started("session_disk = \"4MiB\"\n");
    for name in ["a", "b", "c"] {
        let made = server.bash(&format!("head -c 1048576 /dev/zero > {name}"));
        assert_eq!(answer(&made).0, 0, "{made}");
    }
    let refused = server.bash("head -c 2097152 /dev/zero > /tmp/d");
    assert_eq!(answer(&refused).1, "disk", "{refused}");
    let error = refused["error"].as_str().unwrap();
    assert!(error.to_lowercase().contains("quota"), "{error}");
    assert!(on_disk(&server).0 <= 4 << 20);
    assert_eq!(held(&server), on_disk(&server));
    // A new server counts what is there.
    drop(server);
    let server = Server::start(place.state.path());
    let refused = server.bash("head -c 2097152 /dev/zero > e");
    assert_eq!(answer(&refused).1, "disk", "{refused}");
    let made = server.bash("rm -f a b c /tmp/d e; head -c 2097152 /dev/zero > e && wc -c < e");
    assert_eq!(answer(&made), (0, "", "2097152\n"), "{made}");
    // Changing what is there in place needs no room; other tools meet the same limit.
    let changed = server.bash("head -c 2097152 /dev/zero > f; dd if=/dev/zero of=e conv=notrunc bs=65536 count=4 2>/dev/null && echo ok");
    assert_eq!(answer(&changed), (0, "", "ok\n"), "{changed}");
    let written =
        json!({"tool": "write_file", "input": {"path": "g", "content": "x".repeat(9_000)}});
    let refused = server.execute(&written).body;
    assert_eq!(answer(&refused).1, "disk", "{refused}");
    assert_eq!(held(&server), on_disk(&server));
}

#[test]
fn holes_cost_what_filling_them_would() {
    let (_place, server) = started("session_disk = \"4MiB\"\nwritten = \"8MiB\"\n");
    for script in [
        "truncate -s 1T h",
        "printf x | dd of=h bs=1 seek=100000000 conv=notrunc 2>/dev/null",
        "exec 3>>h; truncate -s 3M h; head -c 2000000 /dev/zero >&3",
    ] {
        let refused = server.bash(&format!("{script}; c=$?; ls -l h; exit $c"));
        assert_ne!(answer(&refused).0, 0, "{script}: {refused}");
        assert_eq!(answer(&refused).1, "disk", "{script}: {refused}");
        assert!(on_disk(&server).0 <= 4 << 20, "{script}");
        assert_eq!(held(&server), on_disk(&server), "{script}");
        server.bash("rm -f h");
    }
    let fits =
        server.bash("truncate -s 3M h && printf x >> h && truncate -s 1M h && truncate -s 3M h2");
    assert_eq!(answer(&fits).0, 0, "{fits}");
    assert_eq!(held(&server), (4 << 20, 2));
    // The call's own limit takes holes for written bytes, too.
    let refused =
        server.bash("for i in 1 2 3 4 5; do truncate -s 0 h2; truncate -s 3M h2 || exit 1; done");
    assert_eq!(answer(&refused).1, "disk", "{refused}");
}

#[test]
fn names_are_limited_over_the_life_of_a_session() {
    let (_place, server) = started("session_files = 20\n");
    let many = server.bash("for i in {1..30}; do : > f$i || exit 3; done");
    assert_eq!(answer(&many), (3, "inodes", ""), "{many}");
    assert_eq!(on_disk(&server).1, 20);
    for script in ["mkdir d", "ln -s x l", "ln f1 hard", "mktemp", "cp f1 g"] {
        let refused = server.bash(script);
        assert_eq!(answer(&refused).1, "inodes", "{script}: {refused}");
    }
    let moved = server.bash("mv f1 f2 && mkdir d && mv f3 d/f3 && rmdir d 2>/dev/null; ls | wc -l");
    assert_eq!(answer(&moved), (0, "", "19\n"), "{moved}");
    assert_eq!(held(&server), on_disk(&server));
}

#[test]
fn what_is_open_without_a_name_is_held_until_it_is_closed() {
    let (_place, server) = started("session_disk = \"4MiB\"\n");
    let script = "exec 3<>f; head -c 3000000 /dev/zero >&3; rm f; \
                  head -c 2000000 /dev/zero > g && echo room; exec 3>&-; \
                  head -c 2000000 /dev/zero > g && echo then";
    let body = server.bash(script);
    assert_eq!(answer(&body).2, "then\n", "{body}");
    let body = server.bash("exec 3<>g; rm g; sleep 0.1; truncate -s 3M /dev/fd/3; exit 0");
    assert_eq!(answer(&body).0, 0, "{body}");
    assert_eq!(held(&server), (0, 0));
    // The same through a name that something else takes.
    let body = server.bash(
        "head -c 3000000 /dev/zero > f; exec 3<f; : > n; mv n f; \
         head -c 2000000 /dev/zero > g && echo room; exec 3<&-; \
         head -c 2000000 /dev/zero > g && echo then",
    );
    assert_eq!(answer(&body).2, "then\n", "{body}");
    assert_eq!(held(&server), on_disk(&server));
}

#[test]
fn calls_at_the_same_time_share_what_is_left() {
    let (_place, server) = started("session_disk = \"4MiB\"\n");
    let first = server.begin(
        "POST",
        "/execute",
        "",
        &json!({"tool": "bash", "input": {"command":
            "head -c 3000000 /dev/zero > f; while [ ! -e go ]; do sleep 0.05; done; rm f"}})
        .to_string(),
    );
    let file = server.workspace().join("f");
    eventually("the first call has written", || {
        std::fs::metadata(&file).is_ok_and(|about| about.len() == 3_000_000)
    });
    let write = |path: &str, length: usize| {
        let input = json!({"path": path, "content": "x".repeat(length)});
        server
            .execute(&json!({"tool": "write_file", "input": input}))
            .body
    };
    let refused = write("g", 2_000_000);
    assert_eq!(answer(&refused).1, "disk", "{refused}");
    assert_eq!(answer(&write("go", 1)).0, 0);
    let body = read_reply(&mut std::io::BufReader::new(first)).body;
    assert_eq!(answer(&body).0, 0, "{body}");
    assert_eq!(answer(&write("g", 2_000_000)).0, 0);
    assert_eq!(held(&server), on_disk(&server));
}

#[test]
fn a_session_whose_cell_died_is_counted_again() {
    let (_place, server) = started("session_disk = \"4MiB\"\n");
    assert_eq!(held_after(&server, "echo 1 > small"), (4_096, 1));
    let call = json!({"tool": "bash", "input": {"command":
        "head -c 3000000 /dev/zero > f; : > written; sleep 1000"}});
    let running = server.begin("POST", "/execute", "", &call.to_string());
    eventually("the call has written", || {
        server.workspace().join("written").exists()
    });
    // Spares have one thread.
    let works = |cell: &u32| {
        let threads = std::fs::read_dir(format!("/proc/{cell}/task"));
        threads.is_ok_and(|threads| threads.count() > 1)
    };
    for cell in server.cells().into_iter().filter(works) {
        let cell = rustix::process::Pid::from_raw(cell.cast_signed()).unwrap();
        rustix::process::kill_process(cell, rustix::process::Signal::KILL).unwrap();
    }
    let body = read_reply(&mut std::io::BufReader::new(running)).body;
    assert_eq!(answer(&body).1, "cell", "{body}");
    let refused = server.bash("head -c 2000000 /dev/zero > g");
    assert_eq!(answer(&refused).1, "disk", "{refused}");
    assert_eq!(held(&server), on_disk(&server));
}

fn held_after(server: &Server, script: &str) -> (i64, i64) {
    let body = server.bash(script);
    assert_eq!(answer(&body).0, 0, "{body}");
    held(server)
}

/// Whatever a script does with names, sizes and descriptors, the count is what is on the disk.
#[test]
fn the_count_is_what_is_on_the_disk_whatever_a_call_does() {
    let (_place, server) = started("session_files = 1000\n");
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |most: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % most
    };
    for round in 0..12 {
        let mut script = String::from("exec 2>/dev/null 5<>five\n");
        for _ in 0..60 {
            let (a, b) = (next(6), next(6));
            let dirs = ["", "/tmp/", "d/", "d/e/"];
            let (a_in, b_in) = (dirs[next(4) as usize], dirs[next(4) as usize]);
            let (a, b, size) = (format!("{a_in}n{a}"), format!("{b_in}n{b}"), next(20_000));
            let line = match next(16) {
                0 | 1 => format!("head -c {size} /dev/urandom > {a}"),
                2 => format!("head -c {size} /dev/urandom >> {a}"),
                3 => format!("truncate -s {size} {a}"),
                4 => format!("rm -f {a}"),
                5 => format!("mv -T {a} {b}"),
                6 => format!("ln -f {a} {b}"),
                7 => format!("ln -s {size} {a}"),
                8 => "mkdir -p d/e".to_owned(),
                9 => format!("mkdir {a}"),
                10 => format!("rmdir {a}"),
                11 => format!("printf x | dd of={a} bs=1 seek={size} conv=notrunc"),
                12 => format!("exec 3<>{a}; rm -f {a}; head -c {size} /dev/zero >&3; exec 3>&-"),
                13 => format!("head -c {size} /dev/zero >&5; truncate -s {size} five"),
                14 => format!("echo {size} >> {a} & cat {b} > {a}; wait"),
                _ => format!("chmod 600 {a}; touch {b}"),
            };
            script.push_str(&line);
            script.push('\n');
        }
        script.push_str("exit 0\n");
        let body = server.bash(&script);
        assert_eq!(answer(&body).0, 0, "{body}");
        let (told, found) = (held(&server), on_disk(&server));
        assert_eq!(told, found, "round {round}:\n{script}");
        assert!(found.1 > 3, "the script does what it says:\n{script}");
    }
}

#[test]
fn run_limits_what_a_call_adds_and_counts_nothing_else() {
    let place = place("session_disk = \"2MiB\"\nsession_files = 10\n");
    let workspace = tempfile::tempdir().unwrap();
    std::fs::write(workspace.path().join("large"), vec![1; 5 << 20]).unwrap();
    let run = |script: &str| run(place.state.path(), workspace.path(), script);
    assert_eq!(run("head -c 1000000 /dev/zero > a").0, Some(0));
    assert_eq!(run("head -c 1000000 /dev/zero > b").0, Some(0));
    let (code, error) = run("head -c 3000000 /dev/zero > c");
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("Disk"), "{error}");
    let (code, error) = run("rm large; head -c 6000000 /dev/zero > c");
    assert_eq!(code, Some(0), "what it removed is room: {error}");
    let (code, error) = run("for i in {1..11}; do : > f$i || exit 3; done");
    assert_ne!(code, Some(0), "{error}");
    assert!(error.contains("Inodes"), "{error}");
}

fn run(state: &Path, workspace: &Path, script: &str) -> (Option<i32>, String) {
    let output = crate::process::hotcell(state)
        .args(["run", "--workspace"])
        .arg(workspace)
        .args(["bash", script])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), error)
}
