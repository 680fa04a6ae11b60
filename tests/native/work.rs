//! What an agent does: clones, edits, looks, records; and how programs of both kinds meet.

use std::process::Command;

use serde_json::json;

use crate::{Lane, own, repository, rule};

#[test]
fn an_agent_clones_edits_looks_and_commits_and_all_of_it_is_recorded() {
    let lane = Lane::shipped("coding-agent.toml");
    repository(&lane.workspace.join("origin"), 5);
    let cloned = lane.bash("git clone origin work && cd work && ls");
    assert_eq!(cloned.code, 0, "{cloned:?}");
    assert_eq!(cloned.output, "file.txt\n");
    let edit =
        json!({"file_path": "work/file.txt", "old_string": "line 4", "new_string": "line four"});
    // The session's shell went into the clone.
    let edit_in = json!({"tool": "edit", "input": edit, "workingDir": "/workspace"});
    assert_eq!(lane.asked(&edit_in).code, 0);
    let diff = lane.bash("git diff | head -n 7");
    assert!(diff.output.contains("-line 4\n+line four\n"), "{diff:?}");
    let commit = lane
        .bash("git add -A && git commit -q -m 'say it in words'; git log --oneline | grep -c .");
    assert_eq!((commit.code, &*commit.output), (0, "6\n"), "{commit:?}");
    let mixed = lane.bash("git log --oneline | grep fix | head -3; git status --short");
    assert_eq!(mixed.output.lines().count(), 3, "{mixed:?}");

    // The host's own git finds what the agent's made.
    let work = lane.workspace.join("work");
    let mut log = Command::new("git");
    log.args(["-c", "safe.directory=*", "-C"]).arg(&work);
    let log = log.args(["log", "-1", "--format=%s %an"]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&log.stdout),
        "say it in words agent\n"
    );
    assert!(!work.join(".git/hooks").exists(), "an empty template");

    for (word, decisions) in [("clone", 1), ("commit", 1), ("diff", 1)] {
        let (intents, outcomes) = lane.native_records(&format!("\"{word}\""));
        assert_eq!(
            (intents.len(), outcomes.len()),
            (decisions, decisions),
            "{word}"
        );
        assert_eq!(intents[0]["decision"], "allow");
        assert_eq!(outcomes[0]["exitCode"], 0);
    }
    let (_, cloned) = lane.native_records("\"clone\"");
    let changed = cloned[0]["changed"].as_array().unwrap();
    let named = |path: &str| changed.iter().find(|one| one["path"] == path);
    let file = named("/workspace/work/file.txt").expect("the clone's file is recorded");
    assert_eq!(file["state"], "file");
    assert!(file["sha256"].is_string(), "{file}");
    assert!(named("/workspace/work/.git/HEAD").is_some());
    let (_, looked) = lane.native_records("\"diff\"");
    assert!(looked[0].get("changed").is_none(), "{}", looked[0]);
    verified(&lane);
}

/// Builds and tests of two projects under the profile `build`, beside the rules for git.
#[test]
fn an_agent_runs_the_tests_of_a_crate_and_of_a_python_project() {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = sysroot.ok().filter(|output| output.status.success());
    let Some(sysroot) = sysroot else {
        println!("SKIPPED: there is no Rust toolchain");
        return;
    };
    let rust = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    let build =
        "profile = \"build\"\nconfinement = \"strong\"\nreason = \"agents run the tests\"\n";
    let rules = format!(
        "[[native]]\nprogram = \"{rust}/bin/cargo\"\nargs = [\"test\", \"--offline\"]\ntrees = [\"{rust}\"]\n\
         environment = {{ PATH = \"{rust}/bin:/usr/bin:/bin\" }}\n{build}\
         [[native]]\nprogram = \"/usr/bin/python3\"\nargs = [\"-m\", \"unittest\"]\n{build}"
    );
    let lane = Lane::ruled(&rules);
    let wrote = lane.bash(
        "mkdir -p crate/src project; cd crate\n\
         printf '[package]\\nname = \"small\"\\nversion = \"0.1.0\"\\nedition = \"2021\"\\n' > Cargo.toml\n\
         echo '#[test] fn two() { assert_eq!(1 + 1, 2); }' > src/lib.rs\n\
         cd ../project\n\
         printf 'import unittest\\nclass T(unittest.TestCase):\\n def test(self): self.assertEqual(1 + 1, 2)\\n' > test_two.py",
    );
    assert_eq!(wrote.code, 0, "{wrote:?}");
    let said =
        lane.bash("cd /workspace/crate; cargo test --offline | grep 'test result' | head -1; ls");
    assert!(
        said.output.starts_with("test result: ok. 1 passed"),
        "{said:?}"
    );
    assert!(
        said.output.ends_with("\nCargo.toml\nsrc\n"),
        "its target folder is thrown away: {said:?}"
    );
    let said = lane.bash("cd /workspace/project; python3 -m unittest 2>&1 | tail -1; ls");
    assert_eq!(said.output, "OK\ntest_two.py\n", "{said:?}");
    let broken = "echo '#[test] fn two() { assert_eq!(1 + 1, 3); }' > /workspace/crate/src/lib.rs";
    let said = lane.bash(&format!(
        "{broken}; cd /workspace/crate; cargo test --offline > /dev/null 2>&1; echo $?"
    ));
    assert_eq!(said.output, "101\n", "{said:?}");
    // Once this call's intent is on the disk, what was told before it is, too.
    lane.bash("true");
    for (word, runs) in [("\"test\"", 2), ("\"unittest\"", 1)] {
        let (intents, outcomes) = lane.native_records(word);
        assert_eq!((intents.len(), outcomes.len()), (runs, runs), "{word}");
        assert!(
            outcomes.iter().all(|one| one.get("changed").is_none()),
            "{outcomes:?}"
        );
    }
    verified(&lane);
}

/// The record of all that is whole.
fn verified(lane: &Lane) {
    let mut verify = Command::new(env!("CARGO_BIN_EXE_hotcell"));
    verify
        .args(["audit", "verify", "--state"])
        .arg(lane.server.state());
    let verify = verify.output().unwrap();
    let said = String::from_utf8_lossy(&verify.stdout).into_owned();
    let error = String::from_utf8_lossy(&verify.stderr);
    assert!(verify.status.success(), "{said}{error}");
}

/// A repository may hold protected names, and a copy of it is no copy without them; but only a folder
/// that the clone makes may get them.
#[test]
fn a_clone_brings_protected_names_into_a_new_folder_only() {
    let lane = Lane::shipped("coding-agent.toml");
    let origin = lane.workspace.join("origin");
    std::fs::create_dir(&origin).unwrap();
    std::fs::create_dir(origin.join("sub")).unwrap();
    std::fs::write(origin.join(".gitattributes"), "* text\n").unwrap();
    std::fs::write(origin.join("sub/.envrc"), "echo hello\n").unwrap();
    repository(&origin, 1);
    std::fs::create_dir(lane.workspace.join("there")).unwrap();
    own(&lane.workspace.join("there"));
    let said = lane.bash("git clone --quiet origin new; cat new/.gitattributes new/sub/.envrc");
    assert_eq!(said.output, "* text\necho hello\n", "{said:?}");
    let said = lane.bash("git clone --quiet origin there/new; ls -A there");
    assert_eq!(said.output, "new\n", "{said:?}");
    // The twins: a folder that was there, empty as it is, stays as protected as it was.
    std::fs::remove_dir_all(lane.workspace.join("there/new")).unwrap();
    let said = lane.bash("git clone --quiet origin there; echo $?; ls -A there");
    assert_eq!(said.output, "1\n", "{said:?}");
    let protected = ["there/.gitattributes", "there/sub/.envrc"];
    let told = |path| said.error.contains(&format!("it changed `{path}`"));
    assert!(protected.into_iter().any(told), "{said:?}");
    // What was cloned is protected from then on, from guests and from git.
    let said = lane.bash("cd new; echo x >> .gitattributes; rm sub/.envrc; git status --short");
    assert_eq!(said.output, "", "{said:?}");
    assert!(origin.join("sub/.envrc").exists());
}

#[test]
fn what_no_rule_allows_does_not_run_is_told_what_may_and_is_recorded() {
    let lane = Lane::shipped("read-only.toml");
    repository(&lane.workspace.join("r"), 2);
    let head = std::fs::read(lane.workspace.join("r/.git/HEAD")).unwrap();
    for (command, part) in [
        (
            "git commit -q --allow-empty -m x",
            "no rule allows `/usr/bin/git` with `commit`",
        ),
        ("git -c core.pager=sh log", "these flags run programs"),
        ("git log --output=x", "these flags run programs"),
        ("git log --onel", "`--onel`"),
    ] {
        let said = lane.bash(&format!("cd /workspace/r; {command}; echo \"code $?\""));
        assert_eq!(said.output, "code 126\n", "{command}: {said:?}");
        assert!(said.error.contains(part), "{command}: {said:?}");
        assert!(
            said.error.contains("it allows `git diff"),
            "{command}: {said:?}"
        );
    }
    assert_eq!(
        std::fs::read(lane.workspace.join("r/.git/HEAD")).unwrap(),
        head
    );
    assert!(!lane.workspace.join("r/x").exists());
    let (denied, outcomes) = lane.native_records("\"commit\"");
    assert_eq!((denied.len(), outcomes.len()), (1, 0), "{denied:?}");
    assert_eq!(denied[0]["decision"], "deny");
    // The twins that are allowed.
    let said = lane.bash("cd /workspace/r; git log --oneline; git status --short");
    assert_eq!((said.code, said.output.lines().count()), (0, 2), "{said:?}");
    let direct = json!({"program": "git", "args": ["log", "--oneline", "-n", "1"]});
    let direct = json!({"tool": "native", "input": direct, "workingDir": "/workspace/r"});
    assert_eq!(lane.asked(&direct).output.lines().count(), 1);
    let unknown = json!({"program": "/bin/ls"});
    let said = lane.call("native", &unknown);
    assert_eq!(said.code, 126, "{said:?}");
    assert!(
        said.error
            .contains("it allows the native programs /usr/bin/git"),
        "{said:?}"
    );
}

#[test]
fn streams_join_as_between_guests() {
    let rules = [
        "/usr/bin/cat",
        "/usr/bin/head",
        "/usr/bin/true",
        "/usr/bin/wc",
        "/usr/bin/false",
    ];
    let rules: String = rules.map(|program| rule(program, "")).concat();
    let lane = Lane::ruled(&rules);
    for (command, wanted) in [
        ("echo hi | /usr/bin/cat", "hi\n"),
        ("/usr/bin/cat <<< one | /usr/bin/cat | cat", "one\n"),
        ("yes | /usr/bin/cat | head -n 2", "y\ny\n"),
        (
            "yes | /usr/bin/head -n1; echo ${PIPESTATUS[@]}",
            "y\n141 0\n",
        ),
        (
            "/usr/bin/cat /dev/zero | head -c 3 | wc -c; echo ${PIPESTATUS[0]}",
            "3\n141\n",
        ),
        ("seq 200000 | /usr/bin/cat | tail -n 1", "200000\n"),
        ("seq 200000 | /usr/bin/wc -l", "200000\n"),
        (
            "/usr/bin/false; echo $?; /usr/bin/true && echo yes",
            "1\nyes\n",
        ),
        // What a program did not read is there for the next one.
        ("printf 'a\\nb\\n' | { /usr/bin/true; cat; }", "a\nb\n"),
        (
            "printf 'a\\nb\\n' > l; while read x; do /usr/bin/true; echo $x; done < l",
            "a\nb\n",
        ),
        ("/usr/bin/cat nosuch 2>&1 | wc -l", "1\n"),
        ("/usr/bin/cat nosuch > f 2>&1; wc -l < f", "1\n"),
        ("x=$(/usr/bin/cat l); echo ${#x}", "3\n"),
        ("/usr/bin/cat l > copy; cat copy", "a\nb\n"),
        (
            "type -t cat; /usr/bin/cat -n l | head -n 1",
            "file\n     1\ta\n",
        ),
    ] {
        let said = lane.bash(command);
        assert_eq!(said.output, wanted, "{command}: {said:?}");
    }
    let stdin = json!({"program": "/usr/bin/wc", "args": ["-c"], "stdin": "12345"});
    assert_eq!(lane.call("native", &stdin).output, "5\n");
    // Four times what a pipe holds, in both directions at once.
    let text = "0123456789abcdef".repeat(16 << 10);
    let stdin = json!({"program": "/usr/bin/cat", "stdin": text});
    assert_eq!(lane.call("native", &stdin).output.len(), text.len());
}

#[test]
fn a_script_runs_by_its_digest_with_exactly_its_words() {
    use sha2::{Digest as _, Sha256};
    let text = "echo built $1\n";
    let digest: String = Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let lane = Lane::ruled(&format!(
        "[[native]]\nprogram = \"/usr/bin/bash\"\nargs = [\"ci/build.sh\", \"fast\"]\n\
         script_sha256 = \"{digest}\"\nconfinement = \"strong\"\nreason = \"the build\"\n"
    ));
    std::fs::create_dir(lane.workspace.join("ci")).unwrap();
    let script = lane.workspace.join("ci/build.sh");
    std::fs::write(&script, text).unwrap();
    own(&lane.workspace.join("ci"));
    let run = |words: &[&str]| {
        lane.call(
            "native",
            &json!({"program": "/usr/bin/bash", "args": words}),
        )
    };
    let said = run(&["ci/build.sh", "fast"]);
    assert_eq!(said.output, "built fast\n", "{said:?}");
    for words in [
        &["ci/build.sh"][..],
        &["-c", "id"],
        &["ci/build.sh", "fast", "x"],
        &["ci/./build.sh", "fast"],
    ] {
        assert_eq!(run(words).code, 126, "{words:?}");
    }
    std::fs::write(&script, "id\n").unwrap();
    let said = run(&["ci/build.sh", "fast"]);
    assert_eq!((said.code, &*said.output), (126, ""), "{said:?}");
    assert!(said.error.contains("its SHA-256 is"), "{said:?}");
}

#[test]
fn only_the_pinned_file_runs() {
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("tool");
    let copy = |from: &str| {
        let fresh = place.path().join("fresh");
        std::fs::copy(from, &fresh).unwrap();
        std::fs::rename(&fresh, &program).unwrap();
    };
    copy("/usr/bin/echo");
    std::fs::set_permissions(
        place.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let name = program.to_str().unwrap();
    let lane = Lane::ruled(&rule(name, ""));
    assert_eq!(
        lane.bash(&format!("{name} hi; tool there")).output,
        "hi\nthere\n"
    );
    copy("/usr/bin/printf");
    let said = lane.bash(&format!("{name} hi"));
    assert_eq!((said.code, &*said.output), (126, ""), "{said:?}");
    assert!(
        said.error
            .contains("it was replaced since its policy was loaded"),
        "{said:?}"
    );
    let wrong = rule(
        "/usr/bin/echo",
        &format!("sha256 = \"{}\"\n", "0".repeat(64)),
    );
    let said = Lane::ruled(&wrong).bash("/usr/bin/echo hi");
    assert_eq!((said.code, &*said.output), (126, ""), "{said:?}");
    assert!(said.error.contains("and the rule names 000"), "{said:?}");
}
