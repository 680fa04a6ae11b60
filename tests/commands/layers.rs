//! Policies that extend others: no array runs that one of them would not run as it is.

use std::sync::Arc;

use hotcell::policy::{self, Decision, NativeCall, Policy, Request, Run};

use crate::NOW;
use crate::cases::words;

const HEAD: &str = "version = 1\nname = \"t\"\ndescription = \"d\"\n";

fn policy(rules: &str) -> Policy {
    policy::load_text(&format!("{HEAD}{rules}")).unwrap_or_else(|error| panic!("{error}"))
}

fn below(above: &str, own: &str) -> Policy {
    let mut own = policy(own);
    own.ancestors = vec![Arc::new(policy(above))];
    own
}

fn ask(policy: &Policy, line: &[&str], cwd: &str) -> Result<Vec<String>, String> {
    let arguments = words(line);
    let call = NativeCall {
        agent: "ann",
        program: "/bin/x",
        arguments: &arguments,
        cwd,
    };
    match policy::decide(policy, &Request::Native(call), NOW) {
        Decision::Allow(grant) => match grant.into_run() {
            Run::Native(terms) => Ok(terms.arguments),
            other => panic!("another run: {other:?}"),
        },
        Decision::Deny(denial) => Err(denial.to_string()),
    }
}

fn rule(operand: &str, separator: &str) -> String {
    format!(
        "[[native]]\nprogram = \"/bin/x\"\noperands = [{operand}]\nseparator = \"{separator}\"\nreason = \"r\"\n"
    )
}

#[test]
fn a_separator_is_put_in_only_where_every_layer_takes_it() {
    let any = "{ pattern = \"[a-z]+\" }";
    for (above, own, wanted) in [
        ("none", "none", Ok(words(&["a"]))),
        ("accept", "none", Ok(words(&["a"]))),
        ("insert", "insert", Ok(words(&["--", "a"]))),
        ("accept", "insert", Ok(words(&["--", "a"]))),
        ("insert", "accept", Ok(words(&["--", "a"]))),
        ("none", "insert", Err("other words")),
        ("insert", "none", Err("other words")),
    ] {
        let policy = below(&rule(any, above), &rule(any, own));
        match (ask(&policy, &["a"], "/workspace"), &wanted) {
            (Ok(found), Ok(wanted)) => assert_eq!(&found, wanted, "{above} {own}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{above} {own}: {found}"),
            (found, _) => panic!("{above} {own}: {found:?}"),
        }
    }
}

#[test]
fn names_that_an_ancestor_protects_are_protected_in_every_layer() {
    let protect =
        |name: &str| format!("[workspace]\naccess = \"read-write\"\nprotected = [\"{name}\"]\n");
    let path = rule("{ path = \"/workspace\" }", "insert");
    let pattern = rule("{ pattern = \".*\" }", "insert");
    // The ancestor takes any word, so that only the united names stop one.
    let policy = below(&(protect("b") + &pattern), &(protect("a") + &path));
    assert!(ask(&policy, &["c"], "/workspace").is_ok());
    for name in ["a", "b", "b/c", "./b", "/workspace/c/../b"] {
        let denial = ask(&policy, &[name], "/workspace").unwrap_err();
        assert!(denial.contains("the name is protected"), "{name}: {denial}");
    }
    for cwd in ["/workspace/a", "/workspace/b/c"] {
        let denial = ask(&policy, &["c"], cwd).unwrap_err();
        assert!(denial.contains("in this folder"), "{cwd}: {denial}");
    }
}

#[test]
fn a_deny_rule_is_for_words_of_several_lines_too() {
    let rules = "[[native]]\nprogram = \"/bin/x\"\nvalues = { \"--message=\" = \"(?s).*\" }\nreason = \"r\"\n\
                 [[deny]]\nnative = \"/bin/x\"\nword = \"--message=secret.*\"\nreason = \"no secrets\"\n";
    let policy = policy(rules);
    assert!(ask(&policy, &["--message=a\nb"], "/workspace").is_ok());
    for word in [
        "--message=secret",
        "--message=secret\n",
        "--message=secret a\nb",
    ] {
        let denial = ask(&policy, &[word], "/workspace").unwrap_err();
        assert!(denial.contains("no secrets"), "{word:?}: {denial}");
    }
}

#[test]
fn an_explanation_names_the_folder_that_nothing_starts_in() {
    let policy = crate::shipped("coding-agent");
    let arguments = words(&["status"]);
    for (cwd, part) in [
        ("/workspace/.git", "`/workspace/.git` is none"),
        ("workspace", "`workspace` is none"),
        ("/etc", "in this folder"),
    ] {
        let call = NativeCall {
            agent: "ann",
            program: "/usr/bin/git",
            arguments: &arguments,
            cwd,
        };
        let found = policy::explain(&policy, &Request::Native(call), NOW);
        let text = found.lines.join("\n");
        assert!(!found.allowed && text.contains(part), "{cwd}: {text}");
    }
}
