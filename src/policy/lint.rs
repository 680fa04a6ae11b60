//! What a reviewer should look at twice. Findings about the text; whoever knows the host adds more.

use std::collections::BTreeMap;

use crate::policy::document::{Denied, NativeRule, NativeStart, Policy, Standing};
use crate::policy::egress::HostPattern;
use crate::policy::runners::{Known, known};
use crate::policy::text::{Confinement, Separator};

/// Most earlier rules for the same start that a rule is compared with.
const ALIKE_MAX: usize = 64;

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// 0 for the file as a whole.
    pub line: usize,
    /// Name of the check.
    pub check: &'static str,
    pub text: String,
    /// Dangerous rather than untidy.
    pub serious: bool,
}

/// Looks over a policy, without its ancestors.
pub fn lint(policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    whole(&mut findings, policy);
    names(&mut findings, policy);
    natives(&mut findings, policy);
    hosts(&mut findings, policy);
    for (line, standing) in long_lived(policy) {
        let text = format!("never expires: {}", standing.reason);
        add(&mut findings, line, "expiry", false, text);
    }
    findings.sort_by_key(|finding| finding.line);
    findings
}

fn add(findings: &mut Vec<Finding>, line: usize, check: &'static str, serious: bool, text: String) {
    findings.push(Finding {
        line,
        check,
        text,
        serious,
    });
}

fn whole(findings: &mut Vec<Finding>, policy: &Policy) {
    if policy.owner.is_none() {
        let text = "nobody is named who answers for the policy: set `owner`".to_owned();
        add(findings, 0, "owner", false, text);
    }
    if policy.environment_agent {
        let text = "calls may set any variable: name them with [[variable]]".to_owned();
        add(findings, 0, "environment", false, text);
    }
}

/// Rules of the whole file that outlive their reason, when the file itself does not expire.
fn long_lived(policy: &Policy) -> Vec<(usize, &Standing)> {
    if policy.expires.is_some() {
        return Vec::new();
    }
    // What leaves the lane is worth a date; tools and guest programs are the daily bread.
    let natives = policy.natives.iter().map(|rule| &rule.standing);
    let egress = policy.egress.iter().map(|rule| &rule.standing);
    let mounts = policy.mounts.iter().map(|rule| &rule.standing);
    let all = natives.chain(egress).chain(mounts);
    let forever = all.filter(|standing| standing.expires.is_none());
    forever.map(|standing| (standing.line, standing)).collect()
}

fn names(findings: &mut Vec<Finding>, policy: &Policy) {
    for (kind, rules) in [("tool", &policy.tools), ("program", &policy.programs)] {
        let every = rules.iter().position(|rule| rule.every());
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, rule) in rules.iter().enumerate() {
            let line = rule.standing.line;
            if every.is_some_and(|every| every != at) {
                let text = format!("the {kind} rule adds nothing to `*`");
                add(findings, line, "shadowed", false, text);
                continue;
            }
            for name in &rule.names {
                if let Some(earlier) = first.insert(name, line) {
                    let text = format!("`{name}` is allowed in line {earlier}, too");
                    add(findings, line, "overlapping", false, text);
                }
                let about = policy.index.denied.get(name).into_iter().flatten();
                let about = about.chain(&policy.index.denied_widely);
                let mut about = about.filter_map(|at| policy.denials.get(*at));
                let denied = about.find(|denial| {
                    denial.agents.is_empty()
                        && match (&denial.what, kind) {
                            (Denied::Tools(names), "tool")
                            | (Denied::Programs(names), "program") => {
                                names.iter().any(|known| known == name || known == "*")
                            }
                            _ => false,
                        }
                });
                if let Some(denial) = denied {
                    let text = format!("`{name}` is denied for everybody in line {}", denial.line);
                    add(findings, line, "shadowed", false, text);
                }
            }
        }
    }
}

fn natives(findings: &mut Vec<Finding>, policy: &Policy) {
    let mut alike: BTreeMap<(&NativeStart, &str), Vec<&NativeRule>> = BTreeMap::new();
    for rule in &policy.natives {
        let line = rule.standing.line;
        let program = &rule.start.program;
        let grammar = &rule.grammar;
        let bare = grammar.args.is_empty()
            && (grammar.operands_max > 0
                || !grammar.flags.is_empty()
                || !grammar.values.is_empty());
        if known(program) == Some(Known::Capable) && bare && !grammar.exact {
            let text = format!("`{program}` can run other programs: begin with exact `args`");
            add(findings, line, "runs-programs", true, text);
        }
        if known(program) == Some(Known::Capable) && rule.start.sha256.is_none() {
            let text = format!("`{program}` can run other programs and is not pinned by `sha256`");
            add(findings, line, "unpinned", false, text);
        }
        if rule.start.confinement == Confinement::Basic {
            let text = format!("`{program}` runs with the weakest confinement");
            add(findings, line, "confinement", true, text);
        }
        if grammar.operands_max > 0 && grammar.separator == Separator::None {
            let text =
                "operands without `separator`: one that looks like a flag may be read as one"
                    .to_owned();
            add(findings, line, "separator", false, text);
        }
        let own = rule.grammar.operands.iter().any(|operand| {
            matches!(operand, crate::policy::grammar::Operand::Pattern(pattern)
                if pattern.matches("anything at all/../x"))
        });
        if own {
            let text = "an operand's pattern matches any text".to_owned();
            add(findings, line, "wide-pattern", true, text);
        }
        let starts_alike = alike.entry((&rule.start, &*rule.cwd)).or_default();
        if let Some(earlier) = shadow(rule, starts_alike) {
            let text = format!("seems to add nothing to line {}", earlier.standing.line);
            add(findings, line, "shadowed", false, text);
        }
        if rule.standing.expires.is_none() && starts_alike.len() < ALIKE_MAX {
            starts_alike.push(rule);
        }
    }
}

/// The earlier rule that allows every command line made of this one.
fn shadow<'a>(rule: &NativeRule, earlier: &[&'a NativeRule]) -> Option<&'a NativeRule> {
    if earlier.is_empty() {
        return None;
    }
    let lines = crate::policy::witness::command_lines(rule, &[]);
    let covers = |earlier: &&NativeRule| {
        let fits = |line: &Vec<String>| earlier.grammar.match_words(line, &rule.cwd).is_ok();
        lines.iter().all(fits)
    };
    earlier.iter().copied().find(covers)
}

fn hosts(findings: &mut Vec<Finding>, policy: &Policy) {
    for rule in &policy.egress {
        let line = rule.standing.line;
        for host in &rule.requests.hosts {
            if let HostPattern::Below(end) = host {
                let text = format!("every host below {end}: name those that are meant");
                add(findings, line, "wildcard-host", rule.secret.is_some(), text);
            }
        }
        let writing = |method: &String| !matches!(&**method, "GET" | "HEAD");
        if rule.requests.methods.iter().any(writing) && rule.requests.paths.is_empty() {
            let text = "requests that change something, to any path: name `paths`".to_owned();
            add(findings, line, "any-path", true, text);
        }
    }
}
