//! `hotcell run` and the other subcommands as a person meets them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::process::hotcell;

struct Place {
    state: tempfile::TempDir,
    project: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            state: tempfile::tempdir().unwrap(),
            project: tempfile::tempdir().unwrap(),
        }
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        self.run_in(self.project.path(), arguments, b"")
    }

    fn run_in(&self, folder: &Path, arguments: &[&str], stdin: &[u8]) -> (i32, String, String) {
        let mut child = hotcell(self.state.path())
            .arg("run")
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A call that does not read its input may be gone already.
        let _unread = child.stdin.take().unwrap().write_all(stdin);
        told(&child.wait_with_output().unwrap())
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

#[test]
fn a_command_runs_in_the_current_folder_with_raw_output_and_its_own_status() {
    let place = Place::new();
    std::fs::write(place.project.path().join("a.txt"), "1\n2\n").unwrap();
    let (code, stdout, stderr) = place.run(&[
        "bash",
        "pwd; wc -l < a.txt; echo err >&2; touch made; exit 5",
    ]);
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (5, "/workspace\n2\n", "err\n")
    );
    assert!(place.project.path().join("made").exists());
    let record = std::fs::read_to_string(place.state.path().join("audit/run.jsonl")).unwrap();
    let of_call = ["segment", "start", "intent", "outcome", "stop"];
    let events = record.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["event"].as_str().unwrap().to_owned()
    });
    assert_eq!(events.collect::<Vec<_>>(), of_call, "{record}");
    assert_eq!(
        std::fs::read_dir(place.state.path().join("run"))
            .unwrap()
            .count(),
        0,
        "/tmp is gone"
    );
}

#[test]
fn standard_input_reaches_the_command() {
    let place = Place::new();
    let (code, stdout, _) = place.run_in(place.project.path(), &["bash", "tr a-z A-Z"], b"hello\n");
    assert_eq!((code, stdout.as_str()), (0, "HELLO\n"));
}

#[test]
fn other_tools_take_one_argument_or_json() {
    let place = Place::new();
    std::fs::write(place.project.path().join("a.txt"), "one\n").unwrap();
    assert_eq!(
        place.run(&["read", "a.txt"]),
        (0, "one\n".to_owned(), String::new())
    );
    let (code, _, stderr) = place.run(&["read", "absent"]);
    assert!(code == 1 && stderr.contains("absent"), "{code} {stderr}");
    let input = r#"{"file_path":"b","content":"x"}"#;
    assert_eq!(place.run(&["write", "--input", input]).0, 0);
    assert_eq!(std::fs::read(place.project.path().join("b")).unwrap(), b"x");
    let (code, stdout, _) = place.run(&["--json", "read_file", "a.txt"]);
    let answer: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &answer["output"]), (0, &Value::from("one\n")));
}

#[test]
fn a_wrong_command_line_ends_with_64_and_says_the_way_out() {
    let place = Place::new();
    for (arguments, part) in [
        (
            &["bash", "ls", "-la"] as &[&str],
            "hotcell run bash 'ls -la'",
        ),
        (&["bash"], "needs its command"),
        (&["write", "x"], "--input"),
        (&["python", "1"], "Unknown tool: python"),
        (&["bash", "--input", "{"], "not JSON"),
        (&["--nope"], "--nope"),
    ] {
        let (code, _, stderr) = place.run(arguments);
        assert!(
            code == 64 && stderr.contains(part),
            "{arguments:?}: {code} {stderr}"
        );
    }
}

#[test]
fn what_hotcell_refuses_ends_with_125_and_an_unreadable_policy_with_64() {
    let place = Place::new();
    let policy = place.state.path().join("p.toml");
    let policy = policy.to_str().unwrap();
    let text = "version = 1\nname = \"n\"\ndescription = \"d\"\n\
                [[deny]]\ntools = [\"write_file\"]\nreason = \"look only\"\n";
    std::fs::write(policy, text).unwrap();
    let input = r#"{"path":"f","content":"x"}"#;
    let (code, _, stderr) = place.run(&["--policy", policy, "write_file", "--input", input]);
    assert!(
        code == 125 && stderr.contains("look only"),
        "{code} {stderr}"
    );
    assert!(!place.project.path().join("f").exists());
    std::fs::write(policy, format!("{text}colour = 1\n")).unwrap();
    let (code, _, stderr) = place.run(&["--policy", policy, "read", "f"]);
    assert!(code == 64 && stderr.contains("colour"), "{code} {stderr}");
    let (code, _, stderr) = place.run_in(Path::new("/"), &["read", "etc/passwd"], b"");
    assert!(
        code == 125 && stderr.contains("--workspace"),
        "{code} {stderr}"
    );
}

#[test]
fn without_a_subcommand_three_useful_ones_are_printed() {
    let place = Place::new();
    let output = hotcell(place.state.path()).output().unwrap();
    let (code, stdout, _) = told(&output);
    assert_eq!(code, 0);
    for command in ["hotcell run bash", "hotcell serve", "hotcell doctor"] {
        assert!(stdout.contains(command), "{stdout}");
    }
}
