//! Calls of the file tools that try to get out, each beside a twin that stays inside.

use std::path::Path;

use serde_json::{Value, json};

use crate::world::{INSIDE, SHARED, World};

/// What a call must come to. In every case nothing outside is shown or changed.
#[derive(Debug, Clone)]
pub enum Want {
    /// An error.
    Refused,
    /// Success or error, as long as it stays inside.
    Contained,
    /// Success, with this text in the output.
    Done(&'static str),
}

/// One call.
#[derive(Debug, Clone)]
pub struct Case {
    /// The row of the test plan.
    pub plan: &'static str,
    pub body: Vec<u8>,
    pub want: Want,
}

impl Case {
    pub fn new(plan: &'static str, tool: &str, input: Value, want: Want) -> Self {
        let body = json!({"tool": tool, "input": input})
            .to_string()
            .into_bytes();
        Self { plan, body, want }
    }

    fn whole(plan: &'static str, body: Value, want: Want) -> Self {
        Self {
            plan,
            body: body.to_string().into_bytes(),
            want,
        }
    }
}

/// A file outside and, by the same kind of path, one inside.
pub struct Pair {
    pub plan: &'static str,
    pub outside: String,
    pub inside: &'static str,
}

/// Every kind of path to `outside/secret.txt` that this suite knows.
pub fn pairs(world: &World) -> Vec<Pair> {
    let host = world.around.display().to_string();
    let inside = "inside-dir/secret.txt";
    let mut pairs = Vec::new();
    let mut add = |plan, outside: &str, inside| {
        pairs.push(Pair {
            plan,
            outside: outside.to_owned(),
            inside,
        });
    };
    add(
        "PATH-01",
        "../outside/secret.txt",
        "../workspace/inside-dir/secret.txt",
    );
    add(
        "PATH-01",
        "./.././outside//secret.txt",
        "./inside-dir/.//secret.txt",
    );
    add(
        "PATH-01",
        "inside-dir/../../outside/secret.txt",
        "inside-dir/../inside-dir/secret.txt",
    );
    add(
        "PATH-01",
        "inside-dir/deep/../../../outside/secret.txt",
        "inside-dir/deep/../secret.txt",
    );
    add(
        "PATH-01",
        "/workspace/../outside/secret.txt",
        "/workspace/../workspace/inside-dir/secret.txt",
    );
    add(
        "PATH-01",
        "/../../workspace/../outside/secret.txt",
        "/workspace/../../workspace/inside-dir/secret.txt",
    );
    add("PATH-01", "inside.txt/../../outside/secret.txt", inside);
    add("PATH-01", "none/../../outside/secret.txt", inside);
    add(
        "PATH-02",
        &format!("{host}/outside/secret.txt"),
        "/workspace/inside-dir/secret.txt",
    );
    add(
        "PATH-02",
        &format!("/proc/self/root{host}/outside/secret.txt"),
        inside,
    );
    add("PATH-02", "/proc/self/cwd/../outside/secret.txt", inside);
    add("PATH-02", "/proc/1/cwd/../outside/secret.txt", inside);
    add(
        "PATH-02",
        &format!("root{host}/outside/secret.txt"),
        "root/workspace/inside-dir/secret.txt",
    );
    add("PATH-03", "../workspace_evil/secret.txt", inside);
    add(
        "PATH-03",
        "/workspace_evil/secret.txt",
        "/workspace/inside-dir/secret.txt",
    );
    add("PATH-03", "/workspace/../workspace-evil/secret.txt", inside);
    add(
        "PATH-03",
        &format!("{host}/workspace_evil/secret.txt"),
        inside,
    );
    add("PATH-03", &format!("{host}/workspace2/secret.txt"), inside);
    add("PATH-03", "../WORKSPACE/secret.txt", inside);
    add("PATH-03", "../workspac/secret.txt", inside);
    add("PATH-03", "../workspace /secret.txt", inside);
    add("PATH-04", "rel-file", "rel-in");
    add("PATH-04", "abs-file", "abs-in");
    add("PATH-04", "rel-dir/secret.txt", "dir-in/secret.txt");
    add("PATH-04", "abs-dir/secret.txt", "dir-in/secret.txt");
    add("PATH-04", "rel-dir/link", "dir-in/secret.txt");
    add(
        "PATH-04",
        "rel-dir/deep/../secret.txt",
        "dir-in/deep/../secret.txt",
    );
    add(
        "PATH-04",
        "up/outside/secret.txt",
        "up/workspace/inside-dir/secret.txt",
    );
    add(
        "PATH-04",
        "up2/outside/secret.txt",
        "up2/workspace/inside-dir/secret.txt",
    );
    add(
        "PATH-04",
        "up/up/outside/secret.txt",
        "root/workspace/root/workspace/inside.txt",
    );
    add(
        "PATH-04",
        &format!("proc-root{host}/outside/secret.txt"),
        inside,
    );
    add("PATH-04", "proc-cwd/../outside/secret.txt", inside);
    add(
        "PATH-04",
        "sub/parent-link/secret.txt",
        "sub/parent-in/secret.txt",
    );
    add(
        "PATH-04",
        "sub/deeper/parent-link/secret.txt",
        "sub/parent-in/secret.txt",
    );
    add("PATH-04", "sub/again/secret.txt", "sub/again-in/secret.txt");
    add("PATH-04", "dots", "dots-in");
    add("PATH-04", "via-file", "up-in");
    add("PATH-04", "via-dir", "up-in");
    add("PATH-04", "evil", "up-in");
    for (chain, good) in [
        ("chain-1", "good-1"),
        ("chain-2", "good-2"),
        ("chain-20", "good-20"),
    ] {
        add("PATH-04", chain, good);
    }
    add("PATH-04", "chain-39", "good-39");
    add("PATH-04", "chain-40", "good-40");
    add("PATH-07", "slash-file", "rel-in");
    add("PATH-07", "slash-dir/secret.txt", "slash-in/secret.txt");
    add("PATH-07", "slash-dot/secret.txt", "slash-in/secret.txt");
    add("PATH-07", "slash-many/secret.txt", "slash-in/secret.txt");
    add("PATH-07", "rel-dir//secret.txt", "dir-in//secret.txt");
    add("PATH-07", "rel-dir/./secret.txt", "dir-in/./secret.txt");
    add(
        "PATH-07",
        "slash-dir/../outside/secret.txt",
        "slash-in/../inside-dir/secret.txt",
    );
    for (index, name) in ["fd-up-3", "fd-up-4", "fd-up-5", "fd-up-7"]
        .into_iter()
        .enumerate()
    {
        add(
            "PATH-04",
            &format!("{name}/secret.txt"),
            if index == 0 { "rel-in" } else { inside },
        );
    }
    pairs
}

/// All calls of the file tools.
pub fn all(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for pair in pairs(world) {
        cases.extend(on_path(pair.plan, &pair.outside, &Want::Refused));
        cases.extend(on_path(pair.plan, pair.inside, &Want::Done("")));
    }
    cases.extend(parents(world));
    cases.extend(creating(world));
    cases.extend(searching(world));
    cases.extend(only_outside());
    cases.extend(odd_names(world));
    cases.extend(long_paths());
    cases.extend(special_files());
    cases.extend(working_folders(world));
    cases
}

/// Each tool that takes a file, on one path.
fn on_path(plan: &'static str, path: &str, want: &Want) -> Vec<Case> {
    let reading = match want {
        Want::Done(_) => Want::Done(INSIDE),
        other => other.clone(),
    };
    let edit =
        json!({"file_path": path, "old_string": "a", "new_string": "b", "replace_all": true});
    let edit = match want {
        Want::Done(_) => json!({"file_path": path, "old_string": INSIDE, "new_string": "changed"}),
        _ => edit,
    };
    vec![
        Case::new(plan, "read", json!({"file_path": path}), reading.clone()),
        Case::new(
            plan,
            "read",
            json!({"file_path": path, "view_range": [1, 2]}),
            reading.clone(),
        ),
        Case::new(plan, "read_file", json!({"path": path}), reading.clone()),
        Case::new(
            plan,
            "write",
            json!({"file_path": path, "content": "x"}),
            want.clone(),
        ),
        Case::new(
            plan,
            "write_file",
            json!({"path": path, "content": "x"}),
            want.clone(),
        ),
        Case::new(plan, "edit", edit, want.clone()),
        Case::new(plan, "grep", json!({"pattern": ".", "path": path}), reading),
    ]
}

/// New files and folders under outside folders.
fn creating(world: &World) -> Vec<Case> {
    let planted = &world.planted;
    let host = world.around.display();
    let mut cases = Vec::new();
    for path in [
        format!("../outside/{planted}"),
        format!("../outside/empty/{planted}"),
        format!("../outside/none/none/{planted}"),
        format!("../{planted}"),
        format!("/{planted}"),
        format!("/etc/{planted}"),
        format!("/bin/{planted}"),
        format!("/dev/{planted}"),
        format!("{host}/outside/{planted}"),
        format!("/proc/self/root{host}/outside/{planted}"),
        format!("rel-dir/{planted}"),
        format!("rel-dir/none/{planted}"),
        format!("abs-dir/{planted}"),
        format!("up/{planted}"),
        format!("up2/{planted}"),
        format!("root/{planted}"),
        format!("etc/{planted}"),
        format!("sub/parent-link/{planted}"),
        format!("slash-dir/{planted}"),
        "dangling-abs".into(),
        "dangling-rel".into(),
        "dangling-deep".into(),
    ] {
        let input = json!({"file_path": path, "content": "x"});
        cases.push(Case::new("PATH-04", "write", input, Want::Refused));
        let input = json!({"path": path, "content": "eA==", "encoding": "base64"});
        cases.push(Case::new("PATH-04", "write_file", input, Want::Refused));
    }
    for path in [
        "new",
        "inside-dir/none/new",
        "dir-in/new",
        "../workspace/new",
        "/tmp/new",
    ] {
        let input = json!({"file_path": path, "content": "x"});
        cases.push(Case::new(
            "PATH-04",
            "write",
            input,
            Want::Done("wrote 1 bytes"),
        ));
    }
    cases
}

/// Folders outside as the place to search, and links met on the way.
fn searching(world: &World) -> Vec<Case> {
    let host = world.around.display();
    let mut cases = Vec::new();
    for folder in [
        "../outside".to_owned(),
        "..".into(),
        "/workspace/..".into(),
        "/".into(),
        "rel-dir".into(),
        "abs-dir".into(),
        "up".into(),
        "up2".into(),
        "root".into(),
        "slash-dir".into(),
        "slash-dot".into(),
        "sub/parent-link".into(),
        "sub/again".into(),
        "proc-root".into(),
        "proc-cwd".into(),
        "fd-3".into(),
        "fd-4".into(),
        "fd-5".into(),
        "/proc/self/fd".into(),
        format!("{host}/outside"),
        format!("{host}"),
    ] {
        for pattern in ["*", "**/*.txt", "deep/*", "secret.txt", "*/../*", "../*"] {
            let input = json!({"pattern": pattern, "path": folder});
            cases.push(Case::new("PATH-04", "glob", input, Want::Contained));
        }
        let input = json!({"pattern": ".", "path": folder});
        cases.push(Case::new("PATH-04", "grep", input, Want::Contained));
    }
    for pattern in [
        "../outside/*",
        "../*/*",
        "*/../../outside/*",
        "/workspace/../outside/*",
        "/*",
        "{..,sub}/*",
        "up/../outside/*",
    ] {
        cases.push(Case::new(
            "PATH-01",
            "glob",
            json!({"pattern": pattern}),
            Want::Contained,
        ));
    }
    for pattern in [
        "rel-dir/*",
        "rel-dir/**",
        "*/secret.txt",
        "*/deep/*",
        "?el-dir/*",
        "{rel,abs}-dir/*",
        "up/*/*",
        "up2/*",
        "**/secret.txt",
        "**",
        "*/",
    ] {
        cases.push(Case::new(
            "PATH-04",
            "glob",
            json!({"pattern": pattern}),
            Want::Contained,
        ));
    }
    let twin = |pattern: &str, found| {
        Case::new(
            "PATH-04",
            "glob",
            json!({"pattern": pattern}),
            Want::Done(found),
        )
    };
    cases.push(twin("dir-in/*", "/workspace/dir-in/secret.txt"));
    cases.push(twin("**/inner.txt", "/workspace/inside-dir/deep/inner.txt"));
    cases.push(Case::new(
        "PATH-04",
        "grep",
        json!({"pattern": "."}),
        Want::Done(INSIDE),
    ));
    cases
}

/// Parents that are no folders, links that lead nowhere, loops.
fn parents(_: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for path in [
        "self-loop",
        "loop-a",
        "loop-b",
        "dir-loop",
        "self-loop/x",
        "loop-a/x",
        "chain-41",
        "good-41",
    ] {
        cases.extend(on_path("PATH-04", path, &Want::Refused));
    }
    for path in [
        "inside.txt/",
        "inside.txt/.",
        "inside.txt/..",
        "inside.txt/x",
        "rel-in/",
        "rel-in/.",
        "rel-file/",
        "rel-file//",
        "rel-file/.",
        "rel-file/..",
        "rel-dir/",
        "rel-dir/.",
        "rel-dir/..",
        "slash-dir/",
        "slash-dir/..",
        "dir-in/",
        "slash-in/",
        ".",
        "..",
        "/",
        "/workspace",
        "/workspace/",
    ] {
        let calls = on_path("PATH-07", path, &Want::Refused);
        // Folders may be searched, as far as they are inside.
        cases.extend(calls.into_iter().map(|mut case| {
            if case.body.ends_with(b"\"grep\"}") {
                case.want = Want::Contained;
            }
            case
        }));
    }
    cases
}

/// Names of the host's own, which no guest has.
fn only_outside() -> Vec<Case> {
    let mut cases = Vec::new();
    for path in [
        "/proc/self/environ",
        "/proc/1/environ",
        "/proc/self/maps",
        "/proc/self/mem",
        "/proc/self/exe",
        "/proc/self/cmdline",
        "/proc/self/fd/0",
        "/proc/self/fd/3",
        "/proc/self/status",
        "/proc/mounts",
        "/proc/version",
        "/proc/kcore",
        "/proc/sys/kernel/hostname",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/dev/tcp/127.0.0.1/80",
        "/dev/udp/127.0.0.1/53",
        "/dev/mem",
        "/dev/kmsg",
        "/dev/sda",
        "/dev/pts/0",
        "/etc/shadow",
        "/etc/machine-id",
        "/root/.bashrc",
        "/home",
        "/var/log/dpkg.log",
        "~/../outside/secret.txt",
        "~root/.bashrc",
        "file:///etc/shadow",
        "\\\\?\\C:\\x",
        "\\\\host\\share",
        "C:\\x",
        "proc-exe",
        "proc-fd/3",
        "fd-3",
        "fd-4",
        "fd-5",
        "fd-9",
        "/dev/fd/3",
        "/dev/fd/9",
        "/dev/fd/../../etc/shadow",
        "/dev/fd/3/../outside/secret.txt",
        "root/etc/shadow",
        "etc/shadow",
    ] {
        cases.push(Case::new(
            "PATH-02",
            "read",
            json!({"file_path": path}),
            Want::Refused,
        ));
        cases.push(Case::new(
            "PATH-02",
            "read_file",
            json!({"path": path, "encoding": "base64"}),
            Want::Refused,
        ));
        let grep = json!({"pattern": ".", "path": path});
        cases.push(Case::new("PATH-02", "grep", grep, Want::Contained));
    }
    for path in [
        "/dev/mem",
        "/dev/kmsg",
        "/proc/self/mem",
        "/proc/sysrq-trigger",
        "/etc/shadow",
        "/etc/passwd",
        "/bin/ls",
    ] {
        let input = json!({"file_path": path, "content": "x"});
        cases.push(Case::new("PATH-02", "write", input, Want::Refused));
    }
    cases
}

/// Names that some other layer might decode into a way out. Here they are just names.
fn odd_names(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for path in [
        "%2e%2e/outside/secret.txt",
        "%2e%2e%2foutside%2fsecret.txt",
        "..%2foutside/secret.txt",
        "%252e%252e/outside/secret.txt",
        "..%00/outside/secret.txt",
        "..\\outside\\secret.txt",
        "..\\/outside/secret.txt",
        "\u{ff0e}\u{ff0e}/outside/secret.txt",
        "\u{2025}/outside/secret.txt",
        "..\u{200b}/outside/secret.txt",
        "\u{202e}../outside/secret.txt",
        "\u{feff}../outside/secret.txt",
        " ../outside/secret.txt",
        "../ outside/secret.txt",
        "..;/outside/secret.txt",
        "....//outside/secret.txt",
        "...//...//outside/secret.txt",
        "..\n/outside/secret.txt",
        "..\r/outside/secret.txt",
        "..\t/outside/secret.txt",
        "..\u{1b}/outside/secret.txt",
        "\u{c0}\u{ae}\u{c0}\u{ae}/outside/secret.txt",
        "..\u{2215}outside/secret.txt",
        "..\u{2044}outside/secret.txt",
        "..%c0%afoutside/secret.txt",
        "$HOME/../outside/secret.txt",
        "`pwd`/../outside/secret.txt",
        "$(pwd)/../outside/secret.txt",
        "{..}/outside/secret.txt",
        "*/../../outside/secret.txt",
        "..?/outside/secret.txt",
        "rel-fil\u{65}\u{301}",
    ] {
        cases.push(Case::new(
            "PATH-10",
            "read",
            json!({"file_path": path}),
            Want::Refused,
        ));
        let input = json!({"file_path": path, "content": "x"});
        cases.push(Case::new("PATH-10", "write", input, Want::Contained));
    }
    for path in [
        "\0",
        "../outside/secret.txt\0",
        "inside.txt\0",
        "inside.txt\0/../../outside/secret.txt",
        "",
        "rel-dir\0/secret.txt",
    ] {
        cases.extend(
            on_path("PATH-10", path, &Want::Refused)
                .into_iter()
                .map(|mut case| {
                    if path.is_empty() {
                        case.want = Want::Contained;
                    }
                    case
                }),
        );
    }
    for name in [
        "a\nb",
        "\u{202e}txt",
        "caf\u{e9}",
        "cafe\u{301}",
        "a\u{200b}b",
        "-rf",
        "a b",
        "a\\b",
        "%2e%2e",
        "...",
    ] {
        let input = json!({"file_path": name, "content": "x"});
        cases.push(Case::new(
            "PATH-10",
            "write",
            input,
            Want::Done("wrote 1 bytes"),
        ));
    }
    // Halves of surrogate pairs are no text; nothing may take them for one.
    for body in [
        r#"{"tool":"read","input":{"file_path":"\ud800../outside/secret.txt"}}"#,
        r#"{"tool":"read","input":{"file_path":"..\udfff/outside/secret.txt"}}"#,
        "{\"tool\":\"read\",\"input\":{\"file_path\":\"\u{0}../outside\"}}",
    ] {
        cases.push(Case {
            plan: "PATH-10",
            body: body.into(),
            want: Want::Refused,
        });
    }
    let mut invalid = br#"{"tool":"read","input":{"file_path":"../outside/"#.to_vec();
    invalid.extend_from_slice(b"\xc0\xae\xff\"}}");
    cases.push(Case {
        plan: "PATH-10",
        body: invalid,
        want: Want::Refused,
    });
    let _ = world;
    cases
}

fn long_paths() -> Vec<Case> {
    let name = |len: usize| "n".repeat(len);
    let up = |count: usize| "../".repeat(count);
    let mut cases = Vec::new();
    for (path, want) in [
        (name(255), Want::Done("wrote 1 bytes")),
        (name(256), Want::Refused),
        (
            format!("inside-dir/{}", name(255)),
            Want::Done("wrote 1 bytes"),
        ),
        (format!("rel-dir/{}", name(255)), Want::Refused),
        ("d/".repeat(2_040) + "f", Want::Contained),
        ("d/".repeat(2_050) + "f", Want::Refused),
        ("./".repeat(1_000) + "f", Want::Done("wrote 1 bytes")),
        (up(64) + "outside/x", Want::Refused),
        (up(1_300) + "outside/x", Want::Refused),
        (up(100_000) + "outside/x", Want::Refused),
        ("d/".repeat(100_000) + "f", Want::Refused),
        (name(1 << 20), Want::Refused),
    ] {
        let input = json!({"file_path": path, "content": "x"});
        cases.push(Case::new("PATH-11", "write", input, want));
        let read = json!({"file_path": path});
        cases.push(Case::new("PATH-11", "read", read, Want::Refused));
        let grep = json!({"pattern": ".", "path": path});
        cases.push(Case::new("PATH-11", "grep", grep, Want::Refused));
    }
    for depth in 1..=64 {
        let path = up(depth) + "outside/secret.txt";
        cases.push(Case::new(
            "PATH-01",
            "read_file",
            json!({"path": path}),
            Want::Refused,
        ));
        let path = "inside-dir/deep/".to_owned() + &up(depth + 2) + "outside/secret.txt";
        cases.push(Case::new(
            "PATH-01",
            "read",
            json!({"file_path": path}),
            Want::Refused,
        ));
        let path = up(depth) + "workspace/inside-dir/secret.txt";
        cases.push(Case::new(
            "PATH-01",
            "read_file",
            json!({"path": path}),
            Want::Done(INSIDE),
        ));
    }
    cases
}

/// Special files, and the outside file with a second name inside.
fn special_files() -> Vec<Case> {
    let mut cases = Vec::new();
    for path in ["fifo", "socket", "zero", "disk"] {
        cases.extend(on_path("PATH-12", path, &Want::Refused));
    }
    for tool in ["read", "edit"] {
        let input = json!({"file_path": "sparse", "old_string": "a", "new_string": "b"});
        let input = if tool == "read" {
            json!({"file_path": "sparse"})
        } else {
            input
        };
        cases.push(Case::new("PATH-12", tool, input, Want::Refused));
    }
    let whole = json!({"path": "sparse"});
    cases.push(Case::new("PATH-12", "read_file", whole, Want::Refused));
    let grep = json!({"pattern": ".", "path": "sparse"});
    cases.push(Case::new("PATH-12", "grep", grep, Want::Done("no matches")));
    cases.push(Case::new(
        "PATH-05",
        "read",
        json!({"file_path": "shared"}),
        Want::Done(SHARED),
    ));
    let write = json!({"file_path": "shared", "content": "x"});
    cases.push(Case::new("PATH-05", "write", write, Want::Done("")));
    let edit = json!({"file_path": "shared", "old_string": SHARED, "new_string": "x"});
    cases.push(Case::new("PATH-05", "edit", edit, Want::Done("")));
    for (command, want) in [
        ("echo x > shared; cat shared", "x"),
        ("echo x >> shared; cat shared", "x"),
        (": > shared; wc -c < shared", "0"),
        ("exec 3<> shared; echo x >&3; cat shared", "x"),
        (
            "mv shared elsewhere; echo x >> elsewhere; cat elsewhere",
            "x",
        ),
        ("ln shared third; echo x > third; cat third", "x"),
        ("cp inside.txt shared; cat shared", INSIDE),
    ] {
        cases.push(Case::new(
            "PATH-05",
            "bash",
            json!({"command": command}),
            Want::Done(want),
        ));
    }
    cases
}

/// The folder a call starts in.
fn working_folders(world: &World) -> Vec<Case> {
    let outside = world.around.join("outside");
    let host = |path: &Path| path.display().to_string();
    let mut cases = Vec::new();
    for folder in [
        "../outside".to_owned(),
        "..".into(),
        "/workspace/../outside".into(),
        "/workspace_evil".into(),
        "rel-dir".into(),
        "abs-dir".into(),
        "/workspace/rel-dir".into(),
        "up/outside".into(),
        "sub/parent-link".into(),
        "/proc/self/cwd".into(),
        "fd-3".into(),
        "fifo".into(),
        "inside.txt".into(),
        "self-loop".into(),
        "\0".into(),
        host(&outside),
    ] {
        for call in [
            json!({"tool": "read_file", "input": {"path": "secret.txt"}, "workingDir": folder}),
            json!({"tool": "write_file", "input": {"path": world.planted, "content": "x"}, "workingDir": folder}),
            json!({"tool": "bash", "input": {"command": "cat secret.txt"}, "workingDir": folder}),
        ] {
            cases.push(Case::whole("PATH-01", call, Want::Refused));
        }
    }
    for folder in [
        "inside-dir",
        "dir-in",
        "/workspace/inside-dir",
        "sub/../inside-dir",
        "up/workspace/inside-dir",
    ] {
        let call =
            json!({"tool": "read_file", "input": {"path": "secret.txt"}, "workingDir": folder});
        cases.push(Case::whole("PATH-01", call, Want::Done(INSIDE)));
    }
    for session in [
        "..",
        ".",
        "../default",
        "a/b",
        "default/../../x",
        "",
        "a\0b",
        "%2e%2e",
    ] {
        let call =
            json!({"tool": "read_file", "input": {"path": "secret.txt"}, "session": session});
        cases.push(Case::whole("PATH-01", call, Want::Refused));
    }
    cases
}
