//! What a policy says is what guests meet: each denial is tried from inside a call, and the test
//! looks on the host whether the forbidden thing happened.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that runs the program fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;

/// A state, a workspace, a further folder and a policy.
struct Place {
    top: tempfile::TempDir,
}

const HEAD: &str = "version = 1\nname = \"t\"\ndescription = \"d\"\n";
const TOOLS: &str = "[[tool]]\nnames = [\"bash\", \"read\", \"write\"]\nreason = \"r\"\n";
const EVERY: &str = "[[program]]\nnames = [\"*\"]\nreason = \"r\"\n";
const WRITE: &str = "[workspace]\naccess = \"read-write\"\n";

impl Place {
    fn new(rules: &str) -> Self {
        let top = tempfile::tempdir().unwrap();
        for folder in ["state", "workspace", "data"] {
            std::fs::create_dir(top.path().join(folder)).unwrap();
        }
        let data = top.path().join("data");
        let rules = rules.replace("DATA", data.to_str().unwrap());
        std::fs::write(
            top.path().join("policy.toml"),
            format!("{HEAD}{rules}{TOOLS}"),
        )
        .unwrap();
        Self { top }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn command(&self) -> Command {
        static WARM: Once = Once::new();
        WARM.call_once(|| {
            let status = self.uncached().arg("warm").stdout(Stdio::null()).status();
            assert!(status.unwrap().success(), "the guests cannot be compiled");
        });
        let mut command = self.uncached();
        command.env("HOTCELL_POLICY", self.path("policy.toml"));
        command
    }

    fn uncached(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        command
            .env("HOTCELL_STATE", self.path("state"))
            .env("HOTCELL_CACHE", cache);
        command
    }

    fn run(&self, words: &[&str]) -> (i32, String, String) {
        let workspace = self.path("workspace");
        let mut command = self.command();
        command
            .arg("run")
            .arg("--workspace")
            .arg(workspace)
            .args(words);
        told(&command.stdin(Stdio::null()).output().unwrap())
    }

    fn bash(&self, script: &str) -> (i32, String, String) {
        self.run(&["bash", script])
    }

    /// Whether something stands in the workspace.
    fn has(&self, name: &str) -> bool {
        self.path("workspace").join(name).symlink_metadata().is_ok()
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path("workspace").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("workspace").join(name)).unwrap()
    }
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

const SOME: &str = "[[program]]\nnames = [\"touch\", \"cat\", \"env\", \"xargs\", \"find\", \"echo\", \"sort\"]\nreason = \"r\"\n\
                    [[deny]]\nprograms = [\"rm\"]\nreason = \"nothing is removed\"\ninstead = \"leave it\"\n";

#[test]
fn a_denied_program_answers_126_with_rule_line_and_reason_and_does_not_run() {
    let place = Place::new(&format!("{WRITE}{SOME}"));
    place.put("f", "kept\n");
    let (code, _, stderr) = place.bash("rm f");
    assert_eq!(code, 126);
    says(
        &stderr,
        &[
            "hotcell: rm:",
            "nothing is removed (deny, line 9); leave it",
        ],
    );
    assert!(place.has("f"));
    let (code, _, stderr) = place.bash("mv f g");
    assert_eq!(code, 126);
    says(
        &stderr,
        &[
            "no rule of the policy `t` allows",
            "(default)",
            "it allows cat, echo",
        ],
    );
    assert!(place.has("f") && !place.has("g"));
    let record = std::fs::read_to_string(place.path("state/audit/run.jsonl")).unwrap();
    let denied =
        r#""denied":["rm: the policy `t` denies this program: nothing is removed (deny, line 9)"#;
    says(&record, &[denied]);
    // Its twin.
    assert_eq!(place.bash("touch g").0, 0);
    assert!(place.has("g"));
}

#[test]
fn no_way_of_starting_a_denied_program_gets_round_the_rule() {
    let place = Place::new(&format!("{WRITE}{SOME}"));
    place.put("f", "kept\n");
    place.put("s", "#!/bin/rm\n");
    let script = place.path("workspace").join("s");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(script, mode).unwrap();
    for script in [
        "/bin/rm f",
        "/usr/bin/rm f",
        "../bin/rm f",
        "command rm f",
        "exec rm f",
        "(exec rm f)",
        "env rm f",
        "echo f | xargs rm",
        "find . -name f -exec rm {} +",
        "bash -c 'rm f'",
        "PATH=/usr/bin rm f",
        "r=rm; $r f",
        "$(echo rm) f",
        "eval 'rm f'",
        "alias x=rm; rm() { command rm \"$@\"; }; rm f",
        "ln -s /bin/rm r; ./r f",
        "./s f",
        "rm f &\nwait $!",
        "rm f | cat; exit ${PIPESTATUS[0]}",
        "trap 'rm f' EXIT; false",
        "coproc rm f; wait",
        "hash -p /bin/rm q; q f",
    ] {
        let (code, ..) = place.bash(script);
        assert!(place.has("f"), "{script} ran rm ({code})");
    }
    // At every place of a long script.
    for position in [1, 50, 51, 999] {
        let mut commands = vec!["true"; 1_000];
        commands[position - 1] = "rm f";
        let (_, _, stderr) = place.bash(&commands.join("; "));
        says(&stderr, &["nothing is removed"]);
        assert!(place.has("f"));
    }
}

#[test]
fn the_reason_goes_where_standard_error_goes() {
    let place = Place::new(&format!("{WRITE}{SOME}"));
    let (_, stdout, stderr) =
        place.bash("rm x 2>err; rm x 2>&1 | sort; rm x 2>/dev/null; rm x 2>&-; echo $?");
    assert_eq!(stderr, "", "{stderr}");
    says(&place.text("err"), &["nothing is removed"]);
    says(&stdout, &["nothing is removed", "\n126\n"]);
}

#[test]
fn a_mount_is_seen_under_its_name_and_written_only_where_it_may_be() {
    let mount = |access: &str| {
        format!(
            "{WRITE}{EVERY}[[mount]]\nhost = \"DATA\"\nguest = \"/data\"\naccess = \"{access}\"\nprotected = [\"raw\"]\nreason = \"r\"\n"
        )
    };
    let place = Place::new(&mount("read-only"));
    std::fs::write(place.path("data/a.csv"), "1,2\n").unwrap();
    let (code, stdout, _) =
        place.bash("cat /data/a.csv; ls /data; cd /data && cat a.csv ../data/a.csv");
    assert_eq!((code, stdout.as_str()), (0, "1,2\na.csv\n1,2\n1,2\n"));
    assert_eq!(place.run(&["read", "/data/a.csv"]).1, "1,2\n");
    for script in [
        "echo x > /data/b",
        "echo x >> /data/a.csv",
        "rm -f /data/a.csv",
        "mv /data/a.csv /data/b",
        "mkdir /data/d",
        "ln -s x /data/l",
        "chmod 000 /data/a.csv",
        "touch /data/a.csv /data/b",
        "cat ../../data/../etc/shadow",
    ] {
        assert_ne!(place.bash(script).0, 0, "{script}");
    }
    let input = r#"{"file_path":"/data/b","content":"x"}"#;
    assert_ne!(place.run(&["write", "--input", input]).0, 0);
    let names: Vec<_> = std::fs::read_dir(place.path("data")).unwrap().collect();
    assert_eq!(names.len(), 1);
    assert_eq!(std::fs::read(place.path("data/a.csv")).unwrap(), b"1,2\n");
    // Its twin, and a name protected in it.
    let place = Place::new(&mount("read-write"));
    assert_eq!(place.bash("echo x > /data/b").0, 0);
    assert_ne!(place.bash("echo x > /data/raw").0, 0);
    assert!(place.path("data/b").exists() && !place.path("data/raw").exists());
    // Without the rule there is no such folder.
    let place = Place::new(&format!("{WRITE}{EVERY}"));
    std::fs::write(place.path("data/a.csv"), "1,2\n").unwrap();
    assert_ne!(place.bash("cat /data/a.csv").0, 0);
}

const PROTECTED: &str = "[workspace]\naccess = \"read-write\"\nprotected = [\".git/hooks\", \".git/config\", \"**/.env\"]\n";

#[test]
fn a_protected_name_cannot_be_made_while_it_does_not_exist() {
    let place = Place::new(&format!("{PROTECTED}{EVERY}"));
    let make = [
        "echo x > .env",
        "mkdir -p a/b && echo x > a/b/.env",
        "touch .env",
        "cp f .env",
        "mv f .env",
        "ln f .env",
        "ln -s f .env",
        "mkdir .env",
        "mkdir -p .git && mkdir .git/hooks",
        "mkdir -p .git/hooks",
        "mkdir -p x/hooks && mv -T x .git",
        "mkdir -p x/hooks && ln -s x .git",
        "mkdir -p x/hooks; cd x; mv hooks ../.git/hooks",
        "echo 'gitdir: x' > .git",
        "cd a; echo x > ./../a/.env",
        "ln -s . l; echo x > l/.env",
        "ln -s .env l; echo x > l",
        "echo x > .ENV; mv .ENV .env",
        "find . -name f -exec cp {} .env \\;",
        "sed -n 'w .env' f",
        "dd if=f of=.env",
        "tee .env < f",
        "install f .env",
        "exec 5>.env; echo x >&5",
        "echo x | (cat > .env)",
        "split -b 1 f .env; truncate -s 3 .env",
    ];
    for script in make {
        let workspace = place.path("workspace");
        std::fs::remove_dir_all(&workspace).unwrap();
        std::fs::create_dir_all(workspace.join("a")).unwrap();
        place.put("f", "x\n");
        let _ended = place.bash(script);
        for name in [".env", "a/.env", "a/b/.env", ".git/hooks", ".git/config"] {
            assert!(!place.has(name), "{script} made {name}");
        }
    }
    let input = r#"{"file_path":".env","content":"x"}"#;
    assert_ne!(place.run(&["write", "--input", input]).0, 0);
    assert!(!place.has(".env"));
    // Its twin.
    assert_eq!(
        place
            .bash("mkdir -p .git/objects; echo x > .git/HEAD; echo x > env")
            .0,
        0
    );
    assert!(place.has(".git/HEAD") && place.has("env"));
}

#[test]
fn a_protected_name_cannot_be_changed_moved_or_removed_but_be_read() {
    let place = Place::new(&format!("{PROTECTED}{EVERY}"));
    place.put(".git/hooks/pre-commit", "kept\n");
    place.put(".git/config", "kept\n");
    place.put("f", "x\n");
    let mode = |name: &str| {
        let about = std::fs::metadata(place.path("workspace").join(name)).unwrap();
        (about.permissions(), about.modified().unwrap())
    };
    let before = mode(".git/config");
    for script in [
        "echo x > .git/config",
        "echo x >> .git/config",
        ": > .git/config",
        "truncate -s 0 .git/config",
        "rm -f .git/config",
        "rm -rf .git",
        "mv .git/config c",
        "mv .git g",
        "mv f .git/config",
        "cp f .git/config",
        "chmod 777 .git/config",
        "touch -d 2001-01-01 .git/config",
        "sed -i s/kept/x/ .git/config",
        "ln .git/config c; echo x > c",
        "ln -s .git/config d; echo x > d",
        "cd .git && echo x > config",
        "cd .git/hooks && echo x > pre-commit",
        "echo x > .git/hooks/post-commit",
        "mv .git/hooks h",
        "rm -r .git/hooks",
        "exec 3<>.git/config; echo x >&3",
        "find .git -type f -delete",
    ] {
        let _ended = place.bash(script);
        let kept = [".git/config", ".git/hooks/pre-commit"];
        for name in kept {
            assert!(place.has(name), "{script} removed {name}");
            assert_eq!(place.text(name), "kept\n", "{script}");
        }
        assert!(!place.has(".git/hooks/post-commit"), "{script}");
        assert_eq!(mode(".git/config"), before, "{script}");
        place.put("f", "x\n");
    }
    assert_eq!(
        place.bash("cat .git/config .git/hooks/pre-commit").1,
        "kept\nkept\n"
    );
}

#[test]
fn a_call_brings_only_variables_with_a_rule_and_a_fitting_value() {
    let rules = "[environment]\nset = { TEAM = \"blue\" }\n[[variable]]\nnames = [\"CI\"]\nvalue = \"true|false\"\nreason = \"r\"\n";
    let place = Place::new(&format!("{WRITE}{EVERY}{rules}"));
    let call = |name: &str, value: &str| {
        let input =
            format!(r#"{{"command":"touch ran; echo $CI $TEAM","env":{{"{name}":"{value}"}}}}"#);
        place.run(&["bash", "--input", &input])
    };
    let (code, stdout, _) = call("CI", "true");
    assert_eq!((code, stdout.as_str()), (0, "true blue\n"));
    std::fs::remove_file(place.path("workspace/ran")).unwrap();
    for (name, value) in [
        ("CI", "yes"),
        ("CI", "true\\n"),
        ("LD_PRELOAD", "x"),
        ("TEAM", "red"),
    ] {
        let (code, _, stderr) = call(name, value);
        assert_eq!(code, 125, "{name}={value}");
        says(&stderr, &["denies this call", name]);
        assert!(!place.has("ran"), "{name}={value}");
    }
}

#[test]
fn a_quota_bounds_what_one_call_writes_to_its_folder_only() {
    let place = Place::new(&format!(
        "[workspace]\naccess = \"read-write\"\nquota = \"4KiB\"\n{EVERY}"
    ));
    let (code, _, stderr) = place.bash("head -c 100000 /dev/zero > big");
    assert_ne!(code, 0);
    says(&stderr, &["uota exceeded"]);
    let size = |name: &str| {
        std::fs::metadata(place.path("workspace").join(name))
            .unwrap()
            .len()
    };
    assert!(size("big") <= 4096);
    let _refused = place.bash("truncate -s 1M sparse");
    assert!(!place.has("sparse") || size("sparse") <= 4096);
    // Its twins: less, and elsewhere.
    assert_eq!(
        place
            .bash("head -c 4096 /dev/zero > small; head -c 100000 /dev/zero > /tmp/x")
            .0,
        0
    );
    assert_eq!(size("small"), 4096);
}

#[test]
fn the_workspace_is_read_only_unless_the_policy_says_otherwise() {
    let place = Place::new(EVERY);
    place.put("f", "kept\n");
    for script in [
        "echo x > f",
        "rm f",
        "touch g",
        "mkdir d",
        "mv f g",
        "chmod 000 f",
    ] {
        assert_ne!(place.bash(script).0, 0, "{script}");
    }
    assert!(place.text("f") == "kept\n" && !place.has("g") && !place.has("d"));
    assert_eq!(place.bash("cat f; echo x > /tmp/y").1, "kept\n");
}

/// Runs `hotcell policy` where the shipped policies are.
fn ask(place: &Place, words: &[&str]) -> (i32, String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut command = place.command();
    command.current_dir(folder).arg("policy").args(words);
    told(&command.output().unwrap())
}

#[test]
fn every_shipped_policy_passes_every_command() {
    let place = Place::new(&format!("{WRITE}{SOME}"));
    for name in [
        "default",
        "read-only",
        "coding-agent",
        "data-analysis",
        "locked-down",
    ] {
        let file = format!("{name}.toml");
        for words in [
            &["check", &file] as &[&str],
            &["test", &file],
            &["fmt", "--check", &file],
            &["lint", &file],
            &["diff", &file, &file],
        ] {
            let (code, stdout, stderr) = ask(&place, words);
            assert_eq!(code, 0, "{words:?}: {stdout}{stderr}");
        }
    }
}

#[test]
fn explain_names_rule_line_word_and_the_nearest_rule() {
    let place = Place::new(&format!("{WRITE}{SOME}"));
    let git = |words: &[&str]| {
        let head = ["explain", "coding-agent.toml", "--", "/usr/bin/git"];
        ask(&place, &[&head, words].concat())
    };
    let (code, stdout, _) = git(&["status", "--short"]);
    assert_eq!(code, 0);
    says(
        &stdout,
        &[
            "allowed by the rule `native`",
            "runs: /usr/bin/git -c core.fsmonitor=false",
            "at least strong",
        ],
    );
    let (code, stdout, _) = git(&["status", "--sho"]);
    assert_eq!(code, 1);
    let nearest = "nearest rule: native, line ";
    says(
        &stdout,
        &["denied", nearest, "word 2 `--sho`", "no such flag"],
    );
    let (code, stdout, _) = git(&["push"]);
    assert_eq!(code, 1);
    says(&stdout, &["the first word may be status, diff, log"]);
    assert_eq!(ask(&place, &["explain", "default.toml"]).0, 64);
    for (form, word, wanted) in [
        ("--tool", "bash", 0),
        ("--tool", "python", 1),
        ("--program", "ls", 0),
        ("--read", ".git/config", 0),
        ("--write", ".git/config", 1),
        ("--request", "GET https://example.org/", 1),
        ("--request", "GET https://user@example.org/", 1),
    ] {
        let (code, stdout, _) = ask(&place, &["explain", "coding-agent.toml", form, word]);
        assert_eq!(code, wanted, "{form} {word}: {stdout}");
    }
}

#[test]
fn what_a_policy_newly_allows_ends_the_comparison_with_1() {
    let place = Place::new(&format!("{WRITE}{SOME}"));
    let (code, stdout, _) = ask(&place, &["diff", "read-only.toml", "coding-agent.toml"]);
    assert_eq!(code, 1);
    says(
        &stdout,
        &[
            "+ tool write",
            "limit wall 120000 instead of 60000",
            "+ native /usr/bin/git commit",
            "+ write /workspace/OTHER",
        ],
    );
    let narrower = ask(&place, &["diff", "default.toml", "locked-down.toml"]);
    assert_eq!(narrower.0, 0, "{}", narrower.1);
}

#[test]
fn a_broken_file_ends_with_64_and_the_schema_is_closed() {
    let place = Place::new(&format!("{WRITE}{SOME}"));
    let (code, stdout, _) = ask(&place, &["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &schema["additionalProperties"]), (0, &false.into()));
    let broken = place.path("broken.toml");
    std::fs::write(&broken, "version = 1\nname = \"b\"\ndescripton = \"d\"\n").unwrap();
    let (code, _, stderr) = ask(&place, &["check", broken.to_str().unwrap()]);
    assert_eq!(code, 64);
    let place = "broken.toml: line 3, column 1: `descripton`";
    says(&stderr, &[place, "write `description`"]);
}

#[test]
fn a_signed_file_is_verified_and_a_record_decided_again() {
    let place = Place::new(&format!("{WRITE}{EVERY}"));
    let policy = |words: &[&str]| {
        told(
            &place
                .command()
                .current_dir(place.top.path())
                .arg("policy")
                .args(words)
                .output()
                .unwrap(),
        )
    };
    let (code, stdout, stderr) = policy(&["sign", "policy.toml", "--key", "key", "--new-key"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(policy(&["verify", "policy.toml", "--keys", "key.pub"]).0, 0);
    assert_eq!(policy(&["check", "policy.toml", "--keys", "key.pub"]).0, 0);
    assert_eq!(place.bash("true").0, 0);
    let text = std::fs::read_to_string(place.path("policy.toml")).unwrap();
    std::fs::write(place.path("policy.toml"), text.replace("\"bash\", ", "")).unwrap();
    let (code, stdout, _) = policy(&["verify", "policy.toml", "--keys", "key.pub"]);
    assert_eq!(code, 1);
    says(&stdout, &["not for this text"]);
    assert_eq!(policy(&["check", "policy.toml", "--keys", "key.pub"]).0, 64);
    // The configuration wants a signature: nothing runs without one.
    let mut command = place.command();
    command
        .env("HOTCELL_POLICY_KEYS", place.path("key.pub"))
        .args(["run", "--workspace"])
        .arg(place.path("workspace"))
        .args(["bash", "touch ran"]);
    let (code, _, stderr) = told(&command.output().unwrap());
    assert_eq!(code, 64, "{stderr}");
    says(&stderr, &["not for this text"]);
    assert!(!place.has("ran"));
    // As a log is that is written, with zeros ahead of its records.
    let log = place.path("state/audit/run.jsonl");
    let bytes = std::fs::read(&log).unwrap();
    std::fs::write(&log, [&bytes[..], &[0; 4096]].concat()).unwrap();
    let (code, stdout, stderr) =
        policy(&["replay", "policy.toml", "--audit", "state/audit/run.jsonl"]);
    assert_eq!(code, 1, "{stderr}");
    says(
        &stdout,
        &[
            "bash by local would be denied",
            "1 calls, 1 would be decided otherwise",
        ],
    );
}
