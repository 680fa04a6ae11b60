//! CMD-09, and what may not be allowed at all: a file that says anything that is not understood, or
//! allows what starts anything, is no policy, so that nothing is decided by it. The same rule
//! without the fault loads.

use hotcell::policy::{self, Policy, PolicyError};

const HEAD: &str = "version = 1\nname = \"t\"\ndescription = \"d\"\n";
/// Fewest single faults of a rule that are tried.
const FAULTS_LEAST: usize = 80;

fn load(rules: &str) -> Result<Policy, PolicyError> {
    policy::load_text(&format!("{HEAD}{rules}"))
}

fn native(program: &str, more: &str) -> String {
    format!("[[native]]\nprogram = \"{program}\"\nreason = \"r\"\n{more}")
}

#[track_caller]
fn refused(rules: &str, part: &str) {
    match load(rules) {
        Ok(_) => panic!("this loads:\n{rules}"),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(part), "{part:?} is not in {text}\n{rules}");
        }
    }
}

/// Programs whose operands are programs.
const WRAPPERS: &[&str] = &[
    "env",
    "xargs",
    "parallel",
    "nice",
    "timeout",
    "time",
    "watch",
    "nohup",
    "setsid",
    "stdbuf",
    "flock",
    "taskset",
    "ionice",
    "chrt",
    "chroot",
    "unshare",
    "nsenter",
    "script",
    "run-parts",
    "start-stop-daemon",
    "sudo",
    "su",
    "doas",
    "pkexec",
    "runuser",
    "setpriv",
    "prlimit",
    "setarch",
    "i386",
    "linux32",
    "linux64",
    "x86_64",
    "uname26",
    "busybox",
    "toybox",
    "strace",
    "ltrace",
    "valgrind",
    "bwrap",
    "fakeroot",
    "systemd-run",
    "capsh",
    "choom",
    "sg",
    "newgrp",
    "gosu",
    "su-exec",
    "tini",
    "dumb-init",
    "chpst",
    "numactl",
    "proot",
    "firejail",
    "faketime",
    "unbuffer",
    "rlwrap",
    "dbus-run-session",
    "systemd-inhibit",
    "cgexec",
    "ssh-agent",
    "hyperfine",
    "entr",
    "torsocks",
    "proxychains4",
    "ld.so",
    "ld-linux-x86-64.so.2",
    "ld-musl-x86_64.so.1",
];

const SHELLS: &[&str] = &[
    "sh",
    "bash",
    "dash",
    "ash",
    "ksh",
    "mksh",
    "zsh",
    "yash",
    "fish",
    "tcsh",
    "csh",
    "rbash",
    "pwsh",
    "bash-static",
    "bash5",
    "zsh-5.9",
    "ksh93",
    "posh",
    "sash",
    "elvish",
    "xonsh",
    "nu",
    "oksh",
    "rc",
];

fn pin() -> String {
    format!("script_sha256 = \"{}\"\n", "a".repeat(64))
}

#[test]
fn no_policy_allows_a_wrapper() {
    for name in WRAPPERS {
        for program in [format!("/usr/bin/{name}"), format!("/opt/a b/{name}")] {
            for more in [
                "",
                "args = [\"git\", \"status\"]\n",
                &format!("args = [\"x\"]\n{}", pin()),
            ] {
                refused(&native(&program, more), "starts whatever it is told to");
            }
        }
    }
    for versioned in [
        "env-9.1",
        "timeout.static",
        "xargs4",
        "busybox-1.36",
        "busybox.static",
    ] {
        refused(
            &native(&format!("/usr/bin/{versioned}"), ""),
            "starts whatever it is told to",
        );
    }
    assert!(load(&native("/usr/bin/environment", "")).is_ok());
}

#[test]
fn no_policy_allows_a_shell_but_for_one_pinned_script() {
    for name in SHELLS {
        let program = format!("/bin/{name}");
        let script = format!("{SCRIPT}{}", pin());
        assert!(load(&native(&program, &script)).is_ok(), "{name}");
        for (more, part) in LOOSE {
            let more = more.replace("SCRIPT", SCRIPT).replace("PIN", &pin());
            refused(&native(&program, &more), part);
        }
    }
}

/// The words of a script's rule.
const SCRIPT: &str = "args = [\"a.sh\", \"-c\"]\n";

/// What a rule for a shell may not say, and a part of the complaint. SCRIPT are the words of a
/// script, PIN is its digest.
const LOOSE: &[(&str, &str)] = &[
    ("", "runs any text"),
    ("args = [\"-c\", \"id\"]\n", "runs any text"),
    ("flags = [\"-c\"]\n", "runs any text"),
    ("values = { \"-c\" = \".*\" }\n", "runs any text"),
    ("SCRIPT", "runs any text"),
    ("PIN", "names no script"),
    ("args = [\"\"]\nPIN", "names no script"),
    ("args = [\"-c\", \"id\"]\nPIN", "names no script"),
    ("args = [\"-lc\", \"id\"]\nPIN", "names no script"),
    ("args = [\"-\", \"a.sh\"]\nPIN", "names no script"),
    ("args = [\"--\", \"a.sh\"]\nPIN", "names no script"),
    ("args = [\"+x\", \"-c\", \"id\"]\nPIN", "names no script"),
    ("args = [\"+O\", \"extglob\"]\nPIN", "names no script"),
    ("SCRIPTPINprepend = [\"-c\"]\n", "runs what stands first"),
    ("SCRIPTPINflags = [\"-c\"]\n", "exactly the words"),
    (
        "SCRIPTPINvalues = { \"-c\" = \".*\" }\n",
        "exactly the words",
    ),
    (
        "SCRIPTPINoperands = [{ path = \"/workspace\" }]\n",
        "exactly the words",
    ),
    (
        "SCRIPTPINenvironment = { BASH_ENV = \"x\" }\n",
        "makes a shell run other text",
    ),
    (
        "SCRIPTPINenvironment = { ENV = \"x\" }\n",
        "makes a shell run other text",
    ),
    (
        "SCRIPTPINenvironment = { LD_PRELOAD = \"x\" }\n",
        "makes a shell run other text",
    ),
    (
        "SCRIPTPINenvironment = { ZDOTDIR = \"x\" }\n",
        "makes a shell run other text",
    ),
    (
        "SCRIPTPINenvironment = { SHELLOPTS = \"xtrace\" }\n",
        "makes a shell run other text",
    ),
    (
        "SCRIPTPINenvironment = { BASHOPTS = \"extdebug\" }\n",
        "makes a shell run other text",
    ),
    (
        "SCRIPTPINenvironment = { \"BASH_FUNC_ls%%\" = \"() { id; }\" }\n",
        "cannot be a variable",
    ),
];

/// A rule for git and what may be done to it: (from, to, part of the complaint).
const FAULTS: &[(&str, &str, &str)] = &[
    ("reason = \"r\"", "", "reason"),
    ("reason = \"r\"", "reason = \" \"", "no reason"),
    ("reason = \"r\"", "reason = \"r\"\nreason = \"s\"", "TOML"),
    ("reason = \"r\"", "reason = \"r\"\nsudo = true", "sudo"),
    (
        "reason = \"r\"",
        "reason = \"r\"\nconfinement = \"none\"",
        "confinement",
    ),
    (
        "reason = \"r\"",
        "reason = \"r\"\nexpires = 2027-01-01",
        "all three",
    ),
    ("program = \"/usr/bin/git\"", "", "program"),
    (
        "program = \"/usr/bin/git\"",
        "program = \"git\"",
        "no absolute path",
    ),
    (
        "program = \"/usr/bin/git\"",
        "program = \"./git\"",
        "no absolute path",
    ),
    (
        "program = \"/usr/bin/git\"",
        "program = \"\"",
        "no absolute path",
    ),
    (
        "program = \"/usr/bin/git\"",
        "program = \"/\"",
        "no absolute path",
    ),
    (
        "program = \"/usr/bin/git\"",
        "program = \"/usr/bin/../bin/git\"",
        "no absolute path",
    ),
    (
        "program = \"/usr/bin/git\"",
        "program = \"/usr/bin/./git\"",
        "no absolute path",
    ),
    (
        "program = \"/usr/bin/git\"",
        "program = \"/usr//bin/git\"",
        "no absolute path",
    ),
    (
        "program = \"/usr/bin/git\"",
        "program = \"/usr/bin/git/\"",
        "no absolute path",
    ),
    (
        "program = \"/usr/bin/git\"",
        "program = \"/usr/bin/git\\u0000\"",
        "no absolute path",
    ),
    (
        "program = \"/usr/bin/git\"",
        "program = [\"/usr/bin/git\"]",
        "native[0].program",
    ),
    (
        "program = \"/usr/bin/git\"",
        "programs = \"/usr/bin/git\"",
        "programs",
    ),
    (
        "program = \"/usr/bin/git\"",
        "program = \"*\"",
        "no absolute path",
    ),
    ("args = [\"log\"]", "args = \"log\"", "native[0].args"),
    ("args = [\"log\"]", "args = [\"log\", 1]", "native[0].args"),
    ("args = [\"log\"]", "arg = [\"log\"]", "arg"),
    ("flags = [\"-p\"]", "flags = [\"p\"]", "no flag"),
    ("flags = [\"-p\"]", "flags = [\"-\"]", "no flag"),
    ("flags = [\"-p\"]", "flags = [\"--\"]", "no flag"),
    ("flags = [\"-p\"]", "flags = [\"\"]", "no flag"),
    ("flags = [\"-p\"]", "flags = [\"-p\\u0000\"]", "no flag"),
    (
        "flags = [\"-p\"]",
        "flags = [\"-p\", \"-n\"]",
        "in `values`, too",
    ),
    ("flags = [\"-p\"]", "flags = [\"-p\"]\nflags = []", "TOML"),
    ("flags = [\"-p\"]", "flags = \"*\"", "native[0].flags"),
    (
        "flags = [\"-p\"]",
        "flags = { \"-p\" = true }",
        "native[0].flags",
    ),
    ("\"-n\" = \"[0-9]\"", "\"n\" = \"[0-9]\"", "no flag"),
    (
        "\"-n\" = \"[0-9]\"",
        "\"-n\" = \"[0-9\"",
        "does not compile",
    ),
    ("\"-n\" = \"[0-9]\"", "\"-n\" = \"(\"", "does not compile"),
    (
        "\"-n\" = \"[0-9]\"",
        "\"-n\" = \"x)|(?:.*\"",
        "does not compile",
    ),
    (
        "\"-n\" = \"[0-9]\"",
        "\"-n\" = \"(?=x).*\"",
        "does not compile",
    ),
    (
        "\"-n\" = \"[0-9]\"",
        "\"-n\" = \"(.)\\\\1\"",
        "does not compile",
    ),
    (
        "\"-n\" = \"[0-9]\"",
        "\"-n\" = \"(a{1000}){1000}\"",
        "does not compile",
    ),
    ("\"-n\" = \"[0-9]\"", "\"--\" = \"[0-9]\"", "no flag"),
    ("\"-n\" = \"[0-9]\"", "\"=\" = \"[0-9]\"", "no flag"),
    ("\"-n\" = \"[0-9]\"", "\"--a=b=\" = \"[0-9]\"", "no flag"),
    ("\"-n\" = \"[0-9]\"", "\"--a=b\" = \"[0-9]\"", "no flag"),
    (
        "\"-n\" = \"[0-9]\"",
        "\"-n\" = \"[0-9]\", \"-n\" = \".*\"",
        "TOML",
    ),
    ("\"-n\" = \"[0-9]\"", "\"-n\" = 1", "native[0].values"),
    (
        "{ path = \"/workspace\" }",
        "{ path = \"workspace\" }",
        "no guest folder",
    ),
    (
        "{ path = \"/workspace\" }",
        "{ path = \"/workspace/..\" }",
        "no guest folder",
    ),
    (
        "{ path = \"/workspace\" }",
        "{ path = \"/workspace/./a\" }",
        "no guest folder",
    ),
    (
        "{ path = \"/workspace\" }",
        "{ path = \"\" }",
        "no guest folder",
    ),
    ("{ path = \"/workspace\" }", "{}", "one thing"),
    (
        "{ path = \"/workspace\" }",
        "{ path = \"/workspace\", literal = \"a\" }",
        "one thing",
    ),
    (
        "{ path = \"/workspace\" }",
        "{ literal = \"a\", pattern = \"a\" }",
        "one thing",
    ),
    (
        "{ path = \"/workspace\" }",
        "{ pattern = \"[\" }",
        "does not compile",
    ),
    ("{ path = \"/workspace\" }", "{ any = true }", "any"),
    ("{ path = \"/workspace\" }", "\"/workspace\"", "operands"),
    (
        "operands_max = 2",
        "operands_max = 0\noperands_min = 1",
        "at least 1",
    ),
    ("operands_max = 2", "operands_max = -1", "operands_max"),
    (
        "operands_max = 2",
        "operands_max = \"many\"",
        "operands_max",
    ),
    (
        "operands = [{ path = \"/workspace\" }]\n",
        "",
        "no operand is allowed",
    ),
    ("separator = \"insert\"", "separator = \"yes\"", "separator"),
    ("separator = \"insert\"", "separator = true", "separator"),
    ("cwd = \"/workspace\"", "cwd = \"src\"", "no guest folder"),
    (
        "cwd = \"/workspace\"",
        "cwd = \"/workspace/../etc\"",
        "no guest folder",
    ),
    ("cwd = \"/workspace\"", "cwd = \"\"", "no guest folder"),
    ("sha256 = \"D\"", "sha256 = \"\"", "no SHA-256"),
    ("sha256 = \"D\"", "sha256 = \"abc\"", "no SHA-256"),
    ("sha256 = \"D\"", "sha256 = \"DD\"", "no SHA-256"),
    ("sha256 = \"D\"", "sha256 = \"*\"", "no SHA-256"),
    (
        "environment = { A = \"b\" }",
        "environment = { \"A=B\" = \"b\" }",
        "cannot be a variable",
    ),
    (
        "environment = { A = \"b\" }",
        "environment = { \"\" = \"b\" }",
        "cannot be a variable",
    ),
    (
        "environment = { A = \"b\" }",
        "environment = { A = \"b\\u0000\" }",
        "cannot be a variable",
    ),
    (
        "environment = { A = \"b\" }",
        "environment = { A = 1 }",
        "environment",
    ),
    (
        "allows = [\"git log -p\"]",
        "allows = [\"git log --patch\"]",
        "must be allowed",
    ),
    (
        "allows = [\"git log -p\"]",
        "allows = [\"git log -p;id\"]",
        "must be allowed",
    ),
    (
        "denies = [\"git log --exec=x\"]",
        "denies = [\"git log -p\"]",
        "must be denied",
    ),
    (
        "native = \"/usr/bin/git\"",
        "native = \"git\"",
        "no absolute path",
    ),
    (
        "native = \"/usr/bin/git\"",
        "native = \"/usr/bin/git\"\ntools = [\"bash\"]",
        "several kinds",
    ),
    ("native = \"/usr/bin/git\"", "", "denies nothing"),
    (
        "word = \"--exec.*\"",
        "word = \"--exec(\"",
        "does not compile",
    ),
    ("word = \"--exec.*\"", "words = \"--exec.*\"", "words"),
    (
        "word = \"--exec.*\"",
        "word = \"--exec.*\"\nhosts = [\"a.org\"]",
        "several kinds",
    ),
    (
        "agents = [\"ann\"]",
        "agents = [\"a/b\"]",
        "cannot name an agent",
    ),
    ("agents = [\"ann\"]", "agents = [\"ann\", \"ann\"]", "twice"),
    ("[[native]]", "[native]", "native"),
    ("[[native]]", "[[natives]]", "natives"),
    ("[[native]]", "[[native]", "TOML"),
    ("[[deny]]", "[[denies]]", "denies"),
];

fn whole() -> String {
    let digest = "0123456789abcdef".repeat(4);
    let rule = "[[native]]\nprogram = \"/usr/bin/git\"\nsha256 = \"D\"\nargs = [\"log\"]\nflags = [\"-p\"]\n\
                values = { \"-n\" = \"[0-9]\" }\noperands = [{ path = \"/workspace\" }]\noperands_max = 2\n\
                separator = \"insert\"\ncwd = \"/workspace\"\nenvironment = { A = \"b\" }\nreason = \"r\"\n\
                allows = [\"git log -p\"]\ndenies = [\"git log --exec=x\"]\n\
                [[deny]]\nnative = \"/usr/bin/git\"\nword = \"--exec.*\"\nagents = [\"ann\"]\nreason = \"no\"\n";
    rule.replace('D', &digest)
}

#[test]
fn a_rule_with_any_fault_is_no_policy() {
    let whole = whole();
    assert!(load(&whole).is_ok(), "{:?}", load(&whole).err());
    let digest = "0123456789abcdef".repeat(4);
    for (from, to, part) in FAULTS {
        let (from, to) = (from.replace('D', &digest), to.replace('D', &digest));
        assert!(whole.contains(&from), "{from}");
        refused(&whole.replacen(&from, &to, 1), part);
    }
    assert!(FAULTS.len() >= FAULTS_LEAST, "only {}", FAULTS.len());
}

/// What is left of a shipped file when it is cut anywhere is refused, or allows nothing that the
/// whole does not: a file loads whole or not at all.
#[test]
fn a_torn_file_never_allows_more() {
    let cases = crate::every_case();
    for name in ["coding-agent", "read-only"] {
        let path = crate::top().join("policies").join(format!("{name}.toml"));
        let text = std::fs::read_to_string(path).unwrap();
        let whole = policy::load_text(&text).unwrap();
        let (mut refused, mut loaded) = (0, 0);
        for end in (0..text.len()).step_by(if crate::full() { 1 } else { 41 }) {
            let Some(part) = text.get(..end) else {
                continue;
            };
            match policy::load_text(part) {
                Err(_) => refused += 1,
                Ok(torn) => {
                    loaded += 1;
                    for rule in &torn.natives {
                        let same = whole.natives.iter().any(|known| known.start == rule.start);
                        assert!(same, "{name} cut at {end}: {:?}", rule.start);
                    }
                    assert!(!torn.environment_agent);
                    for case in cases.iter().filter(|case| case.policy == name) {
                        if let Ok(array) = crate::decide(&torn, case) {
                            let whole = crate::decide(&whole, case);
                            assert_eq!(whole, Ok(array), "{name} cut at {end}: {case:?}");
                        }
                    }
                }
            }
        }
        println!("{name}: {refused} torn files refused, {loaded} load as a part of it");
        assert!(refused > loaded, "{name}");
    }
}

#[test]
fn a_file_that_cannot_be_read_or_is_no_text_is_no_policy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("blank", b"\n\n\n"),
        ("comment", b"# policy\n"),
        ("nul", b"\0"),
        (
            "latin",
            b"version = 1\nname = \"t\"\ndescription = \"\xe9\"\n",
        ),
        ("utf16", b"\xff\xfev\0e\0r\0s\0i\0o\0n\0"),
        (
            "json",
            b"{\"version\": 1, \"name\": \"t\", \"description\": \"d\"}",
        ),
        ("yaml", b"version: 1\nname: t\ndescription: d\n"),
        (
            "control",
            b"version = 1\nname = \"t\x07\"\ndescription = \"d\"\n",
        ),
        (
            "carriage",
            b"version = 1\rname = \"t\"\rdescription = \"d\"\r",
        ),
    ] {
        std::fs::write(path(name), bytes).unwrap();
        assert!(policy::load_file(&path(name)).is_err(), "{name}");
    }
    std::fs::create_dir(path("folder")).unwrap();
    for name in ["folder", "absent", "empty/x", ""] {
        assert!(policy::load_file(&path(name)).is_err(), "{name:?}");
    }
    std::fs::write(path("good"), HEAD).unwrap();
    assert!(policy::load_file(&path("good")).is_ok());
}

/// Rules that contradict each other: a deny rule wins, then the strictest of those that fit.
#[test]
fn of_rules_that_conflict_the_strictest_wins() {
    use hotcell::policy::{Confinement, Decision, NativeCall, Request, Run};
    let rule = |more: &str| native("/usr/bin/git", more);
    let deny = "[[deny]]\nnative = \"/usr/bin/git\"\nreason = \"not at all\"\n";
    let ask = |rules: &str| {
        let policy = load(rules).unwrap();
        let call = NativeCall {
            agent: "ann",
            program: "/usr/bin/git",
            arguments: &["log".to_owned()],
            cwd: "/workspace",
        };
        match policy::decide(&policy, &Request::Native(call), crate::NOW) {
            Decision::Allow(grant) => match grant.into_run() {
                Run::Native(terms) => Some(terms.start.confinement),
                other => panic!("another run: {other:?}"),
            },
            Decision::Deny(_) => None,
        }
    };
    let levels = [Confinement::Basic, Confinement::Strong, Confinement::Full];
    let named = |level: usize| {
        format!(
            "args = [\"log\"]\nconfinement = \"{}\"\n",
            ["basic", "strong", "full"][level]
        )
    };
    for one in 0..3 {
        for other in 0..3 {
            let both = rule(&named(one)) + &rule(&named(other));
            assert_eq!(ask(&both), Some(levels[one.max(other)]));
            assert_eq!(ask(&format!("{both}{deny}")), None);
            assert_eq!(ask(&format!("{deny}{both}")), None);
        }
    }
    // A rule that fits nothing asked for says nothing; none at all allows nothing.
    assert_eq!(ask(&rule("args = [\"status\"]\n")), None);
    assert_eq!(ask(""), None);
    assert_eq!(
        ask(&rule("args = [\"log\"]\nexpires = 1970-01-01T00:00:00Z\n")),
        None
    );
}
