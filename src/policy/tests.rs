//! Decisions and loading, over small files.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;

const HEAD: &str = "version = 1\nname = \"t\"\ndescription = \"d\"\n";
const BASH: &str = "[[tool]]\nnames = [\"bash\"]\nreason = \"r\"\n";
const NOW: SystemTime = UNIX_EPOCH;

fn policy(rules: &str) -> Policy {
    load_text(&format!("{HEAD}{rules}")).unwrap_or_else(|error| panic!("{error}"))
}

fn tool(name: &str) -> Request<'_> {
    with(name, Vec::new())
}

fn with<'a>(name: &'a str, variables: Vec<(&'a str, &'a str)>) -> Request<'a> {
    Request::Tool(ToolCall {
        agent: "ann",
        tool: name,
        variables,
        timeout_ms: None,
    })
}

fn program(name: &str) -> Request<'_> {
    Request::Program { agent: "ann", name }
}

fn file(path: &str, write: bool) -> Request<'_> {
    Request::File { path, write }
}

#[track_caller]
fn denied(policy: &Policy, request: &Request<'_>, now: SystemTime) -> Denial {
    match decide(policy, request, now) {
        Decision::Deny(denial) => denial,
        Decision::Allow(grant) => panic!("allowed: {grant:?}"),
    }
}

#[track_caller]
fn allowed(policy: &Policy, request: &Request<'_>, now: SystemTime) -> Grant {
    match decide(policy, request, now) {
        Decision::Allow(grant) => grant,
        Decision::Deny(denial) => panic!("denied: {denial:?}"),
    }
}

fn native_of(policy: &Policy, line: &str) -> Decision {
    let words = words::split(line).unwrap();
    let (program, arguments) = words.split_first().unwrap();
    let call = NativeCall {
        agent: "ann",
        program,
        arguments,
        cwd: "/workspace",
    };
    decide(policy, &Request::Native(call), NOW)
}

#[test]
fn the_default_policy_allows_its_tools_and_every_program_and_nothing_else() {
    let policy = load_default().unwrap();
    let names = "bash read write edit glob grep read_file write_file";
    for name in names.split(' ') {
        let _grant = allowed(&policy, &tool(name), NOW);
    }
    assert_eq!(denied(&policy, &tool("python"), NOW).rule, "default");
    let _grant = allowed(&policy, &program("ls"), NOW);
    let grant = allowed(&policy, &tool("bash"), NOW);
    assert_eq!(
        grant.call().unwrap().limits,
        crate::limits::Limits::default()
    );
    assert_eq!(policy.digest.len(), 64);
}

#[test]
fn an_empty_policy_allows_nothing() {
    let policy = policy("");
    for request in [
        tool("bash"),
        program("ls"),
        file("a", true),
        file("/data/a", false),
    ] {
        let denial = denied(&policy, &request, NOW);
        assert!(denial.line == 0, "{denial:?}");
    }
    assert!(matches!(
        native_of(&policy, "/usr/bin/true"),
        Decision::Deny(_)
    ));
}

#[test]
fn a_deny_rule_wins_names_its_line_and_says_what_to_do_instead() {
    let text = format!(
        "{BASH}\n[[deny]]\ntools = [\"bash\"]\nagents = [\"ann\"]\nreason = \"not ann\"\ninstead = \"use read\"\n"
    );
    let policy = policy(&text);
    let denial = denied(&policy, &tool("bash"), NOW);
    assert_eq!((denial.line, denial.reason.as_str()), (8, "not ann"));
    assert_eq!(denial.to_string(), "not ann (deny, line 8); use read");
    let bob = Request::Tool(ToolCall {
        agent: "bob",
        tool: "bash",
        variables: Vec::new(),
        timeout_ms: None,
    });
    let _grant = allowed(&policy, &bob, NOW);
}

#[test]
fn an_expired_rule_and_an_expired_policy_deny_and_say_so() {
    let end = UNIX_EPOCH + Duration::from_secs(946_684_800);
    let expires = "expires = 2000-01-01T00:00:00Z\n";
    let rule = policy(&format!("{BASH}{expires}"));
    let _grant = allowed(&rule, &tool("bash"), end - Duration::from_millis(1));
    let denial = denied(&rule, &tool("bash"), end);
    assert!(
        denial.reason.contains("expired") && denial.line == 4,
        "{denial:?}"
    );
    let whole = policy(&format!("{expires}{BASH}"));
    let _grant = allowed(&whole, &tool("bash"), end - Duration::from_millis(1));
    assert_eq!(denied(&whole, &tool("bash"), end).rule, "policy");
}

#[test]
fn time_is_clamped_to_the_policy_and_reported() {
    let policy = load_default().unwrap();
    for (asked, wall_ms, clamped) in [(5, 5, false), (u64::MAX, 120_000, true)] {
        let request = Request::Tool(ToolCall {
            agent: "ann",
            tool: "bash",
            variables: Vec::new(),
            timeout_ms: Some(asked),
        });
        let grant = allowed(&policy, &request, NOW);
        let terms = grant.call().unwrap();
        assert_eq!(
            (terms.limits.wall_ms, terms.wall_clamped),
            (wall_ms, clamped)
        );
    }
}

#[test]
fn variables_need_a_rule_and_a_fitting_value() {
    let rules = "[[variable]]\nnames = [\"CI\", \"DEBUG\"]\nvalue = \"0|1|true\"\nreason = \"r\"\n\
                 [[deny]]\nvariables = [\"DEBUG\"]\nreason = \"no\"\n";
    let policy = policy(&format!("{BASH}{rules}"));
    let _grant = allowed(&policy, &with("bash", vec![("CI", "true")]), NOW);
    let value = denied(&policy, &with("bash", vec![("CI", "yes")]), NOW);
    assert!(value.reason.contains("may not have this value"), "{value}");
    let name = denied(&policy, &with("bash", vec![("LD_PRELOAD", "x")]), NOW);
    assert!(name.reason.contains("LD_PRELOAD"), "{name}");
    assert_eq!(
        denied(&policy, &with("bash", vec![("DEBUG", "1")]), NOW).rule,
        "deny"
    );
}

#[test]
fn programs_are_allowed_by_name_and_the_table_for_cells_says_the_same() {
    let rules = "[[program]]\nnames = [\"ls\", \"cat\"]\nreason = \"r\"\n\
                 [[program]]\nnames = [\"awk\"]\nreason = \"r\"\nexpires = 1970-01-02T00:00:00Z\n\
                 [[deny]]\nprograms = [\"cat\"]\nreason = \"not cat\"\n";
    let policy = policy(&format!("{BASH}{rules}"));
    for now in [NOW, NOW + Duration::from_secs(86_400)] {
        let grant = allowed(&policy, &tool("bash"), now);
        let table = &grant.call().unwrap().programs;
        for name in ["ls", "cat", "awk", "rm", "*", ""] {
            let decision = decide(&policy, &program(name), now);
            let same = matches!(decision, Decision::Allow(_)) == table.judge(name).is_ok();
            assert!(same, "{name} {decision:?} {:?}", table.judge(name));
        }
    }
    let text = denied(&policy, &program("rm"), NOW).to_string();
    assert!(
        text.contains("it allows the programs awk, cat, ls"),
        "{text}"
    );
}

#[test]
fn files_are_decided_by_mount_access_and_protected_names() {
    let rules = "[workspace]\naccess = \"read-write\"\nprotected = [\".git/hooks\"]\n\
                 [[mount]]\nhost = \"/srv/d\"\nguest = \"/data\"\naccess = \"read-only\"\nreason = \"r\"\n";
    let policy = policy(rules);
    for (path, write) in [("a", true), (".git/hooks/x", false), ("/data/a", false)] {
        let _grant = allowed(&policy, &file(path, write), NOW);
    }
    for (path, write) in [
        (".git/hooks/x", true),
        ("a/../.git/hooks", true),
        ("/data/a", true),
        ("/etc/passwd", false),
        ("../x", false),
    ] {
        let _denial = denied(&policy, &file(path, write), NOW);
    }
}

#[test]
fn of_native_rules_that_fit_the_strictest_counts() {
    let rule = |confinement: &str| {
        format!(
            "[[native]]\nprogram = \"/usr/bin/true\"\nconfinement = \"{confinement}\"\nreason = \"r\"\n"
        )
    };
    for (one, other) in [("basic", "strong"), ("strong", "basic")] {
        let policy = policy(&(rule(one) + &rule(other)));
        let Decision::Allow(grant) = native_of(&policy, "/usr/bin/true") else {
            panic!("denied");
        };
        let Run::Native(terms) = grant.into_run() else {
            panic!("another run");
        };
        assert_eq!(terms.start.confinement, Confinement::Strong);
    }
}

#[test]
fn a_denied_native_start_names_its_word_and_nothing_of_the_rule() {
    let rules = "[[native]]\nprogram = \"/usr/bin/git\"\nargs = [\"status\"]\nflags = [\"--short\"]\nreason = \"secret reason\"\n\
                 [[deny]]\nnative = \"/usr/bin/git\"\nword = \"--exec.*\"\nreason = \"runs programs\"\n";
    let policy = policy(rules);
    assert!(matches!(
        native_of(&policy, "/usr/bin/git status --short"),
        Decision::Allow(_)
    ));
    for (line, part) in [
        ("/usr/bin/git status --sho", "`--sho` as word 2"),
        ("/usr/bin/git push", "`push` as word 1"),
        ("/usr/bin/git", "so few words"),
        ("git status", "native program `git`"),
        (
            "/usr/bin/git status --exec=x",
            "runs programs (deny, line 9)",
        ),
    ] {
        let Decision::Deny(denial) = native_of(&policy, line) else {
            panic!("allowed: {line}");
        };
        let text = denial.to_string();
        assert!(text.contains(part) && !text.contains("secret"), "{text}");
    }
}

#[test]
fn egress_needs_host_method_port_and_path() {
    let rules = "[[egress]]\nhosts = [\"api.example.org\"]\npaths = [\"/v1/.*\"]\nreason = \"r\"\n\
                 [[deny]]\nhosts = [\"*\"]\npaths = [\"/v1/admin.*\"]\nreason = \"no admin\"\n";
    let policy = policy(rules);
    let ask = |method: &str, url: &str| {
        let target = Target::read(url).unwrap();
        let call = EgressCall {
            agent: "ann",
            method,
            target: &target,
        };
        matches!(
            decide(&policy, &Request::Egress(call), NOW),
            Decision::Allow(_)
        )
    };
    assert!(ask("GET", "https://api.example.org/v1/a"));
    for (method, url) in [
        ("POST", "https://api.example.org/v1/a"),
        ("GET", "https://api.example.org/v2/a"),
        ("GET", "https://api.example.org:8443/v1/a"),
        ("GET", "https://x.api.example.org/v1/a"),
        ("GET", "https://api.example.org/v1/admin"),
    ] {
        assert!(!ask(method, url), "{method} {url}");
    }
}

#[test]
fn an_ancestor_narrows_everything_and_its_denial_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "base.toml",
        "version = 1\nname = \"base\"\ndescription = \"d\"\n[limits]\nwall = \"5s\"\n\
         [workspace]\naccess = \"read-only\"\nprotected = [\"a\"]\n\
         [[tool]]\nnames = [\"bash\", \"read\"]\nreason = \"r\"\n\
         [[program]]\nnames = [\"ls\"]\nreason = \"r\"\n\
         [[mount]]\nhost = \"/srv/data/part\"\nguest = \"/data\"\naccess = \"read-only\"\nquota = \"1KiB\"\nreason = \"r\"\n",
    );
    write(
        "own.toml",
        "version = 1\nname = \"own\"\ndescription = \"d\"\nextends = [\"base.toml\"]\n[limits]\nmemory = \"8MiB\"\n\
         [workspace]\naccess = \"read-write\"\nprotected = [\"b\"]\n\
         [[tool]]\nnames = [\"bash\", \"write\"]\nreason = \"r\"\n\
         [[program]]\nnames = [\"*\"]\nreason = \"r\"\n\
         [[mount]]\nhost = \"/srv/data\"\nguest = \"/data\"\naccess = \"read-write\"\nreason = \"r\"\n\
         [[mount]]\nhost = \"/srv/more\"\nguest = \"/more\"\naccess = \"read-only\"\nreason = \"r\"\n",
    );
    let policy = load_file(&folder.path().join("own.toml")).unwrap();
    let grant = allowed(&policy, &tool("bash"), NOW);
    let terms = grant.call().unwrap();
    assert_eq!(
        (terms.limits.wall_ms, terms.limits.memory_bytes),
        (5_000, 8 << 20)
    );
    assert_eq!(terms.workspace.access, Access::ReadOnly);
    assert_eq!(terms.workspace.protected.len(), 2);
    let mounts: Vec<_> = terms
        .mounts
        .iter()
        .map(|m| (m.host.to_str().unwrap(), m.place.access, m.place.quota))
        .collect();
    assert_eq!(mounts, [("/srv/data/part", Access::ReadOnly, Some(1024))]);
    assert!(terms.programs.judge("ls").is_ok() && terms.programs.judge("rm").is_err());
    assert_eq!(denied(&policy, &tool("write"), NOW).policy, "base");
    assert_eq!(denied(&policy, &tool("read"), NOW).policy, "own");
    assert_eq!(denied(&policy, &program("rm"), NOW).policy, "base");

    write(
        "base.toml",
        "version = 1\nname = \"base\"\ndescription = \"d\"\nextends = [\"own.toml\"]\n",
    );
    let circle = load_file(&folder.path().join("own.toml"))
        .unwrap_err()
        .to_string();
    assert!(circle.contains("circle"), "{circle}");
    write("base.toml", "colour = 1\n");
    let broken = load_file(&folder.path().join("own.toml"))
        .unwrap_err()
        .to_string();
    assert!(broken.contains("base.toml: line 1"), "{broken}");
}

#[test]
fn a_required_signature_is_required() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    let key = sign::new_key().unwrap();
    let loader = Loader {
        trust: sign::Trust {
            keys: vec![key.verifying_key()],
            required: true,
        },
        ..Loader::default()
    };
    std::fs::write(&file, format!("{HEAD}{BASH}")).unwrap();
    let error = loader.file(&file).unwrap_err().to_string();
    assert!(
        error.contains("no signature") && error.contains("hotcell policy sign"),
        "{error}"
    );
    let text = sign::sign(&std::fs::read(&file).unwrap(), &key);
    std::fs::write(sign::signature_path(&file), text).unwrap();
    assert!(loader.file(&file).is_ok());
    std::fs::write(&file, format!("{HEAD}{BASH}# more\n")).unwrap();
    let error = loader.file(&file).unwrap_err().to_string();
    assert!(error.contains("not for this text"), "{error}");
    // A file that asks for a signature itself gets no exception.
    std::fs::write(&file, format!("{HEAD}signature = \"required\"\n{BASH}")).unwrap();
    assert!(load_file(&file).is_err());
}

#[test]
fn a_file_whose_examples_fail_does_not_load() {
    let rule =
        |examples: &str| format!("{HEAD}[[tool]]\nnames = [\"bash\"]\nreason = \"r\"\n{examples}");
    assert!(load_text(&rule("allows = [\"bash\"]\ndenies = [\"write\"]\n")).is_ok());
    for (examples, part) in [
        (
            "allows = [\"read\"]\n",
            "line 7, column 11: `tool[0].allows[0]`: the example must be allowed",
        ),
        ("denies = [\"bash\"]\n", "must be denied and is allowed"),
    ] {
        let error = load_text(&rule(examples)).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    // An example is about its own rule.
    let text = rule("[[tool]]\nnames = [\"read\"]\nreason = \"r\"\nallows = [\"bash\"]\n");
    let error = load_text(&text).unwrap_err().to_string();
    assert!(error.contains("not by this rule"), "{error}");
}

#[test]
fn every_shipped_policy_loads_with_examples_of_both_kinds_for_most_rules() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let policy = load_file(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), policy.name);
        let examples = run_examples(&policy);
        for allow in [true, false] {
            assert!(
                examples.iter().any(|example| example.allow == allow),
                "{}",
                policy.name
            );
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.lines().next().unwrap().starts_with("# "),
            "{}",
            policy.name
        );
        names.push(policy.name);
    }
    names.sort();
    let wanted = [
        "coding-agent",
        "data-analysis",
        "default",
        "locked-down",
        "read-only",
    ];
    assert_eq!(names, wanted);
}

#[test]
fn a_hundred_thousand_rules_load_and_are_decided_at_once() {
    let mut text = HEAD.to_owned();
    for number in 0..100_000 {
        text += &match number % 4 {
            0 => format!("[[tool]]\nnames = [\"t{number}\"]\nreason = \"r\"\n"),
            1 => format!("[[program]]\nnames = [\"p{number}\"]\nreason = \"r\"\n"),
            2 => format!("[[native]]\nprogram = \"/bin/n{number}\"\nreason = \"r\"\n"),
            _ => format!("[[deny]]\ntools = [\"d{number}\"]\nreason = \"r\"\n"),
        };
    }
    let policy = load_text(&text).unwrap();
    let _grant = allowed(&policy, &tool("t99996"), NOW);
    let _grant = allowed(&policy, &program("p99997"), NOW);
    assert_eq!(denied(&policy, &tool("d99999"), NOW).rule, "deny");
    assert!(matches!(
        native_of(&policy, "/bin/n99998"),
        Decision::Allow(_)
    ));
    // A file past the limit is not read to its end.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.toml");
    std::fs::write(&file, "#".repeat((16 << 20) + 1)).unwrap();
    let error = load_file(&file).unwrap_err().to_string();
    assert!(error.contains("has over"), "{error}");
}
