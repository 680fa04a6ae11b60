//! The rules of a file, checked one kind after the other.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::policy::aliases;
use crate::policy::check::{Checker, is_variable};
use crate::policy::check_native;
use crate::policy::check_tool;
use crate::policy::complaint::{nearest, quoted};
use crate::policy::document::{
    Denied, DenyRule, EgressRule, MountRule, NamesRule, Policy, VariableRule,
};
use crate::policy::egress::{HostPattern, Requests};
use crate::policy::pattern::Pattern;
use crate::policy::places::At;
use crate::policy::text::{DenyText, EgressText, MountText, NamesText, PolicyText, VariableText};
use crate::request::SessionName;

/// Methods that are known; others are a slip.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const PORT: u16 = 443;

/// Fills the policy's rules and their index.
pub(super) fn rules(checker: &mut Checker<'_>, text: &PolicyText, policy: &mut Policy) {
    let at = |kind: &str, index: usize| At::default().key(kind).index(index);
    for (index, rule) in text.program.iter().enumerate() {
        let rule = names(checker, &at("program", index), rule);
        policy.programs.extend(rule);
    }
    for (index, rule) in text.mount.iter().enumerate() {
        let rule = mount(checker, &at("mount", index), rule);
        let same = |known: &MountRule| known.guest == rule.guest;
        if policy.mounts.iter().any(same) {
            let at = at("mount", index).key("guest");
            let fault = format!("{} is mounted twice", quoted(&rule.guest));
            checker.fault(&at, fault, "give every mount its own name");
        }
        policy.mounts.push(rule);
    }
    for (index, rule) in text.variable.iter().enumerate() {
        let rule = variable(checker, &at("variable", index), rule);
        policy.variables.extend(rule);
    }
    for (index, rule) in text.native.iter().enumerate() {
        let rule = check_native::native(checker, &at("native", index), rule);
        policy.natives.extend(rule);
    }
    // After the mounts and native programs, which they are held against.
    for (index, rule) in text.tool.iter().enumerate() {
        check_tool::tool(checker, &at("tool", index), rule, policy);
    }
    for (index, rule) in text.secret.iter().enumerate() {
        let at = at("secret", index);
        checker.reason(&at, &rule.reason);
        checker.names(&at.key("name"), std::slice::from_ref(&rule.name));
        policy.secrets.push(rule.name.clone());
    }
    for (index, rule) in text.egress.iter().enumerate() {
        let rule = egress(checker, &at("egress", index), rule, &policy.secrets);
        policy.egress.extend(rule);
    }
    for (index, rule) in text.deny.iter().enumerate() {
        let rule = deny(checker, &at("deny", index), rule);
        policy.denials.extend(rule);
    }
    build_index(policy);
}

fn names(checker: &mut Checker<'_>, at: &At, rule: &NamesText) -> Option<NamesRule> {
    checker.names(&at.key("names"), &rule.names);
    Some(NamesRule {
        standing: checker.standing(at, &rule.reason, rule.expires.as_ref()),
        names: rule.names.clone(),
    })
}

fn mount(checker: &mut Checker<'_>, at: &At, rule: &MountText) -> MountRule {
    checker.host_folder(&at.key("host"), &rule.host);
    checker.guest_name(&at.key("guest"), &rule.guest);
    MountRule {
        standing: checker.standing(at, &rule.reason, rule.expires.as_ref()),
        host: PathBuf::from(&rule.host),
        guest: rule.guest.clone(),
        place: checker.place(at, rule.access, &rule.protected, rule.quota.as_ref()),
    }
}

fn variable(checker: &mut Checker<'_>, at: &At, rule: &VariableText) -> Option<VariableRule> {
    checker.names(&at.key("names"), &rule.names);
    for (index, name) in rule.names.iter().enumerate() {
        if !is_variable(name) {
            let fault = format!("{} cannot be a variable", quoted(name));
            let at = at.key("names").index(index);
            checker.fault(&at, fault, "use letters, digits and _, no digit first");
        }
    }
    let standing = checker.standing(at, &rule.reason, rule.expires.as_ref());
    Some(VariableRule {
        standing,
        names: rule.names.clone(),
        value: checker.pattern(&at.key("value"), &rule.value)?,
    })
}

fn egress(
    checker: &mut Checker<'_>,
    at: &At,
    rule: &EgressText,
    secrets: &[String],
) -> Option<EgressRule> {
    if rule.hosts.is_empty() {
        let remedy = "name at least one host, or remove the rule";
        checker.fault(&at.key("hosts"), "the list is empty", remedy);
    }
    for (index, port) in rule.ports.iter().enumerate() {
        if *port == 0 {
            let at = at.key("ports").index(index);
            checker.fault(&at, "there is no port 0", "write the port, as 443");
        }
    }
    if let Some(secret) = &rule.secret
        && !secrets.contains(secret)
    {
        let near = nearest(secret, secrets.iter().map(String::as_str));
        let remedy = match near {
            Some(near) => format!("write {}", quoted(near)),
            None => "declare it with [[secret]]".to_owned(),
        };
        let fault = format!("no secret is called {}", quoted(secret));
        checker.fault(&at.key("secret"), fault, remedy);
    }
    let mut requests = requests(checker, at, &rule.hosts, false)?;
    requests.methods = methods(checker, at, &rule.methods);
    if requests.methods.is_empty() {
        requests.methods = vec!["GET".to_owned(), "HEAD".to_owned()];
    }
    requests.ports = match rule.ports.is_empty() {
        true => vec![PORT],
        false => rule.ports.clone(),
    };
    requests.paths = paths(checker, at, &rule.paths)?;
    Some(EgressRule {
        standing: checker.standing(at, &rule.reason, rule.expires.as_ref()),
        requests,
        secret: rule.secret.clone(),
    })
}

fn requests(
    checker: &mut Checker<'_>,
    at: &At,
    hosts: &[String],
    every_may_stand: bool,
) -> Option<Requests> {
    let mut read = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let pattern = HostPattern::new(host, every_may_stand);
        let fault = pattern.map_err(|fault| format!("{} is no host: {fault}", quoted(host)));
        let at = at.key("hosts").index(index);
        read.push(checker.or_fault(&at, fault, "name the hosts that are meant")?);
    }
    Some(Requests {
        hosts: read,
        methods: Vec::new(),
        ports: Vec::new(),
        paths: Vec::new(),
    })
}

fn methods(checker: &mut Checker<'_>, at: &At, written: &[String]) -> Vec<String> {
    for (index, method) in written.iter().enumerate() {
        if !METHODS.contains(&&**method) {
            let at = at.key("methods").index(index);
            let fault = format!("{} is no method", quoted(method));
            checker.fault(&at, fault, format!("write one of {}", METHODS.join(", ")));
        }
    }
    written.to_vec()
}

fn paths(checker: &mut Checker<'_>, at: &At, written: &[String]) -> Option<Vec<Pattern>> {
    let at = at.key("paths");
    let read = written.iter().enumerate();
    read.map(|(index, path)| checker.pattern(&at.index(index), path))
        .collect()
}

fn deny(checker: &mut Checker<'_>, at: &At, rule: &DenyText) -> Option<DenyRule> {
    checker.reason(at, &rule.reason);
    let kinds = [
        ("tools", !rule.tools.is_empty()),
        ("programs", !rule.programs.is_empty()),
        ("variables", !rule.variables.is_empty()),
        ("native", rule.native.is_some()),
        ("hosts", !rule.hosts.is_empty()),
    ];
    let mut named = kinds.iter().filter(|(_, named)| *named);
    let (Some((kind, _)), None) = (named.next(), named.next()) else {
        let remedy = "name exactly one of tools, programs, variables, native, hosts";
        checker.fault(at, "the rule denies nothing, or several kinds", remedy);
        return None;
    };
    for (key, given, wanted) in [
        ("args", !rule.args.is_empty(), "native"),
        ("word", rule.word.is_some(), "native"),
        ("methods", !rule.methods.is_empty(), "hosts"),
        ("paths", !rule.paths.is_empty(), "hosts"),
    ] {
        if given && *kind != wanted {
            let fault = format!("a rule for `{kind}` has no such key");
            checker.fault(&at.key(key), fault, format!("use it with `{wanted}`"));
        }
    }
    let what = match *kind {
        "tools" => {
            checker.names(&at.key(kind), &rule.tools);
            Denied::Tools(rule.tools.clone())
        }
        "programs" => {
            checker.names(&at.key(kind), &rule.programs);
            Denied::Programs(aliases::of_all(&rule.programs))
        }
        "variables" => {
            checker.names(&at.key(kind), &rule.variables);
            Denied::Variables(rule.variables.clone())
        }
        "native" => {
            let program = rule.native.clone().unwrap_or_default();
            check_native::program(checker, &at.key(kind), &program);
            let word = match &rule.word {
                Some(word) => {
                    let word = Pattern::of_denial(word);
                    Some(checker.compiled(&at.key("word"), word)?)
                }
                None => None,
            };
            Denied::Native {
                program,
                args: rule.args.clone(),
                word,
            }
        }
        _ => {
            let mut requests = requests(checker, at, &rule.hosts, true)?;
            requests.methods = methods(checker, at, &rule.methods);
            requests.paths = paths(checker, at, &rule.paths)?;
            Denied::Requests(requests)
        }
    };
    agents(checker, &at.key("agents"), &rule.agents);
    Some(DenyRule {
        what,
        agents: rule.agents.clone(),
        line: checker.places.line(at),
        reason: rule.reason.clone(),
        instead: rule.instead.clone(),
    })
}

/// A rule for an agent that cannot be would deny nobody.
fn agents(checker: &mut Checker<'_>, at: &At, names: &[String]) {
    let mut seen = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let at = at.index(index);
        if SessionName::new(name).is_none() {
            let fault = format!("{} cannot name an agent", quoted(name));
            checker.fault(&at, fault, "use 1 to 64 of A-Z a-z 0-9 . _ -");
        } else if !seen.insert(name) {
            let fault = format!("{} stands here twice", quoted(name));
            checker.fault(&at, fault, "remove one");
        }
    }
}

fn build_index(policy: &mut Policy) {
    let index = &mut policy.index;
    for (at, rule) in policy.tools.iter().enumerate() {
        for name in &rule.names {
            index.tools.entry(name.clone()).or_default().push(at);
        }
    }
    for (at, rule) in policy.programs.iter().enumerate() {
        for name in &rule.names {
            index.programs.entry(name.clone()).or_default().push(at);
        }
    }
    for (at, rule) in policy.natives.iter().enumerate() {
        let program = rule.start.program.clone();
        index.natives.entry(program).or_default().push(at);
    }
    for (at, rule) in policy.denials.iter().enumerate() {
        let one = |name: &String| vec![name.clone()];
        let names = match &rule.what {
            Denied::Tools(names) | Denied::Programs(names) | Denied::Variables(names)
                if !names.iter().any(|name| name == "*") =>
            {
                names.clone()
            }
            Denied::Native { program, .. } => one(program),
            Denied::Tools(_) | Denied::Programs(_) | Denied::Variables(_) | Denied::Requests(_) => {
                index.denied_widely.push(at);
                continue;
            }
        };
        for name in names {
            index.denied.entry(name).or_default().push(at);
        }
    }
}
