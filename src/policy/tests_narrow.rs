//! That nothing allows more than it seems to: not a file that extends another, not another name of
//! a program, not a change that a comparison keeps quiet about.

use std::time::{SystemTime, UNIX_EPOCH};

use super::*;

const NOW: SystemTime = UNIX_EPOCH;
const BASH: &str = "[[tool]]\nnames = [\"bash\"]\nreason = \"r\"\n";

fn text(rules: &str) -> String {
    format!("version = 1\nname = \"t\"\ndescription = \"d\"\n{rules}")
}

fn policy(rules: &str) -> Policy {
    load_text(&text(rules)).unwrap_or_else(|error| panic!("{error}"))
}

/// A policy that extends another.
fn below(base: &str, own: &str) -> Policy {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("base.toml", &text(base).replace("\"t\"", "\"base\""));
    write(
        "own.toml",
        &text(&format!("extends = [\"base.toml\"]\n{own}")),
    );
    load_file(&folder.path().join("own.toml")).unwrap_or_else(|error| panic!("{error}"))
}

fn tool(policy: &Policy) -> Result<Run, Denial> {
    let call = ToolCall {
        agent: "ann",
        tool: "bash",
        variables: Vec::new(),
        timeout_ms: None,
    };
    run(policy, &Request::Tool(call))
}

fn native(policy: &Policy, line: &str) -> Result<Run, Denial> {
    let words = words::split(line).unwrap();
    let (program, arguments) = words.split_first().unwrap();
    let call = NativeCall {
        agent: "ann",
        program,
        arguments,
        cwd: "/workspace",
    };
    run(policy, &Request::Native(call))
}

fn run(policy: &Policy, request: &Request<'_>) -> Result<Run, Denial> {
    match decide(policy, request, NOW) {
        Decision::Allow(grant) => Ok(grant.into_run()),
        Decision::Deny(denial) => Err(denial),
    }
}

fn git(more: &str) -> String {
    format!("[[native]]\nprogram = \"/usr/bin/git\"\nargs = [\"log\"]\nreason = \"r\"\n{more}")
}

#[test]
fn words_put_first_are_the_ancestors() {
    let base = git("prepend = [\"-c\", \"core.pager=cat\"]\n");
    for own in ["", "prepend = [\"-c\", \"core.pager=cat\"]\n"] {
        let Run::Native(terms) = native(&below(&base, &git(own)), "/usr/bin/git log").unwrap()
        else {
            panic!("another run");
        };
        assert_eq!(terms.start.prepend, ["-c", "core.pager=cat"]);
    }
    let other = git("prepend = [\"-c\", \"core.pager=sh\"]\n");
    for base in [&base, &git("")] {
        let denial = native(&below(base, &other), "/usr/bin/git log").unwrap_err();
        let told = "it puts other words first, by the policy `base` (default)";
        assert_eq!(denial.to_string(), told);
    }
}

#[test]
fn variables_are_those_the_ancestor_sets_or_accepts() {
    let accepted = "[[variable]]\nnames = [\"PAGER\", \"X\"]\nvalue = \"cat\"\nreason = \"r\"\n\
                    [[deny]]\nvariables = [\"X\"]\nreason = \"no X\"\n";
    for (base, own, allowed) in [
        ("", "", true),
        ("PAGER = \"cat\"", "", true),
        ("PAGER = \"cat\"", "PAGER = \"cat\"", true),
        ("PAGER = \"less\"", "PAGER = \"cat\"", true),
        ("PAGER = \"cat\"", "PAGER = \"sh\"", false),
        ("", "LD_PRELOAD = \"x\"", false),
        ("", "X = \"cat\"", false),
        ("X = \"cat\"", "X = \"cat\"", true),
    ] {
        let set = |pairs: &str| format!("[environment]\nset = {{ {pairs} }}\n{BASH}");
        let policy = below(&(set(base) + accepted), &set(own));
        assert_eq!(tool(&policy).is_ok(), allowed, "{base} {own}");
        let start = |pairs: &str| git(&format!("environment = {{ {pairs} }}\n"));
        let policy = below(&(start(base) + accepted), &start(own));
        let found = native(&policy, "/usr/bin/git log");
        assert_eq!(found.is_ok(), allowed, "{base} {own}");
        if let Err(denial) = found {
            assert!(
                denial.reason.ends_with(", by the policy `base`"),
                "{denial}"
            );
        }
    }
}

#[test]
fn a_native_program_is_not_pointed_at_a_protected_name() {
    let rules = "[workspace]\naccess = \"read-write\"\nprotected = [\".git/hooks\", \"**/.env\"]\n\
                 [[mount]]\nhost = \"/srv/d\"\nguest = \"/data\"\naccess = \"read-write\"\nprotected = [\"raw\"]\nreason = \"r\"\n\
                 [[native]]\nprogram = \"/bin/cp\"\noperands = [{ path = \"/\" }, { literal = \"raw\" }]\nseparator = \"insert\"\nreason = \"r\"\n";
    let policy = policy(rules);
    assert!(native(&policy, "/bin/cp a .git/config /data/a raw").is_ok());
    for word in [
        ".git/hooks",
        "./.git/hooks/x",
        "/workspace/a/../.git/hooks",
        ".git",
        "a/b/.env",
        "/data/raw/x",
        "-- .env",
    ] {
        let denial = native(&policy, &format!("/bin/cp {word}")).unwrap_err();
        assert!(denial.reason.contains("the name is protected"), "{denial}");
    }
}

#[test]
fn a_denied_program_is_denied_by_every_name_and_allowed_by_one() {
    let rules = "[[program]]\nnames = [\"*\"]\nreason = \"r\"\n\
                 [[deny]]\nprograms = [\"awk\", \"sh\"]\nreason = \"no scripts\"\n";
    let policy = policy(&format!("{BASH}{rules}"));
    let Run::Call(terms) = tool(&policy).unwrap() else {
        panic!("another run");
    };
    for (name, allowed) in [
        ("mawk", false),
        ("bash", false),
        ("awk", false),
        ("sed", true),
    ] {
        let agent = "ann";
        assert_eq!(
            run(&policy, &Request::Program { agent, name }).is_ok(),
            allowed,
            "{name}"
        );
        assert_eq!(terms.programs.judge(name).is_ok(), allowed, "{name}");
    }
    let one = load_text(&text("[[program]]\nnames = [\"awk\"]\nreason = \"r\"\n")).unwrap();
    let (agent, name) = ("ann", "gawk");
    assert!(run(&one, &Request::Program { agent, name }).is_err());
}

#[test]
fn a_difference_in_any_term_is_told() {
    let place =
        |name: &str| format!("[workspace]\naccess = \"read-write\"\nprotected = [\"{name}\"]\n");
    let set = |value: &str| format!("[environment]\nset = {{ A = \"{value}\" }}\n{BASH}");
    let pin = "b".repeat(64);
    let helper = format!("helpers = [{{ path = \"/bin/x\", sha256 = \"{pin}\" }}]\n");
    let operands = |separator: &str| {
        git(&format!(
            "operands = [{{ path = \"/workspace\" }}]\nseparator = \"{separator}\"\n"
        ))
    };
    let expires = |year: &str| format!("{BASH}expires = {year}-01-01T00:00:00Z\n");
    for (old, new, told) in [
        (
            place(".git"),
            place(".git/hooks"),
            "write /workspace/.git/OTHER",
        ),
        (
            place("**/.git"),
            place("**/.git/hooks"),
            "write /workspace/OTHER/.git/OTHER",
        ),
        (set("1"), set("2"), "tool bash: sets A=\"2\""),
        (set("1"), BASH.to_owned(), "tool bash: no longer sets A"),
        (
            git(""),
            git("environment = { PAGER = \"sh\" }\n"),
            "sets PAGER=\"sh\"",
        ),
        (git(""), git(&helper), "may start /bin/x"),
        (
            git("profile = \"git\"\n"),
            git("profile = \"build\"\n"),
            "another profile: build",
        ),
        (
            operands("insert"),
            operands("accept"),
            "no `--` before the operands",
        ),
        (
            expires("2000"),
            expires("2001"),
            "tool bash, from 2000-01-01T00:00:00.000Z on",
        ),
        (
            expires("2000"),
            BASH.to_owned(),
            "tool bash, from 2000-01-01T00:00:00.000Z on",
        ),
    ] {
        let (old, new) = (policy(&old), policy(&new));
        let found = diff(&old, &new, &Vocabulary::default(), NOW);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert!(
            found.iter().any(|line| line.contains(told)),
            "{told}: {found:?}"
        );
        assert!(diff(&new, &new, &Vocabulary::default(), NOW).is_empty());
    }
    let shorter = diff(
        &policy(&expires("2001")),
        &policy(&expires("2000")),
        &Vocabulary::default(),
        NOW,
    );
    assert!(shorter.is_empty(), "{shorter:?}");
}
