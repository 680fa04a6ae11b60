//! Why a request is allowed or denied, for the operator: with the rules, unlike a denial.

use std::time::SystemTime;

use crate::policy::complaint::quoted;
use crate::policy::decide::{Decision, decide, decide_alone, is_protected_anywhere, may_start_in};
use crate::policy::document::{NativeRule, Policy};
use crate::policy::egress::HostPattern;
use crate::policy::grammar::lies_in;
use crate::policy::grant::{CallTerms, NativeTerms, Run};
use crate::policy::request::{EgressCall, NativeCall, Request};
use crate::policy::text::{Access, Profile};
use crate::policy::words;

/// A decision and everything that led to it.
#[derive(Debug)]
pub struct Explanation {
    pub allowed: bool,
    /// One finding a line.
    pub lines: Vec<String>,
}

/// Decides a request and says why.
pub fn explain(policy: &Policy, request: &Request<'_>, now: SystemTime) -> Explanation {
    let mut lines = Vec::new();
    let allowed = match decide(policy, request, now) {
        Decision::Allow(grant) => {
            let rule = grant.rule().to_owned();
            let (kind, line) = rule.split_once(':').unwrap_or((&rule, "0"));
            let reason = reason(policy, kind, line.parse().unwrap_or(0));
            lines.push(format!(
                "allowed by the rule `{kind}` in line {line}{reason}"
            ));
            terms(&mut lines, request, &grant.into_run());
            true
        }
        Decision::Deny(denial) => {
            lines.push(format!("denied: {denial}"));
            false
        }
    };
    for layer in policy.layers() {
        if decide_alone(layer, request, now).is_err() {
            nearest(&mut lines, layer, request);
        }
    }
    Explanation { allowed, lines }
}

fn reason(policy: &Policy, kind: &str, line: usize) -> String {
    let tools = policy.tools.iter().map(|rule| ("tool", &rule.standing));
    let programs = policy
        .programs
        .iter()
        .map(|rule| ("program", &rule.standing));
    let mounts = policy.mounts.iter().map(|rule| ("mount", &rule.standing));
    let natives = policy.natives.iter().map(|rule| ("native", &rule.standing));
    let egress = policy.egress.iter().map(|rule| ("egress", &rule.standing));
    let mut all = tools
        .chain(programs)
        .chain(mounts)
        .chain(natives)
        .chain(egress);
    let found = all.find(|(known, standing)| *known == kind && standing.line == line);
    found.map_or(String::new(), |(_, standing)| {
        format!(": {}", standing.reason)
    })
}

fn terms(lines: &mut Vec<String>, request: &Request<'_>, run: &Run) {
    match run {
        Run::Call(terms) => call_terms(lines, terms),
        Run::Native(terms) => native_terms(lines, request, terms),
        Run::Egress(terms) => {
            if let Some(secret) = &terms.secret {
                lines.push(format!("  carries the secret `{secret}`"));
            }
            lines.push("  this build makes no requests yet: it is refused at run time".to_owned());
        }
        Run::Program | Run::File => {}
    }
}

fn call_terms(lines: &mut Vec<String>, terms: &CallTerms) {
    let limits = &terms.limits;
    lines.push(format!(
        "  limits: {} ms, {} MiB of memory, {} processes, {} MiB written",
        limits.wall_ms,
        limits.memory_bytes >> 20,
        limits.processes,
        limits.written_bytes >> 20
    ));
    lines.push(format!(
        "  the session may hold {} MiB in {} files",
        limits.session_disk_bytes >> 20,
        limits.session_files
    ));
    if let Some(own) = &terms.own {
        lines.push(format!(
            "  runs: a {} of your own, sha256 {}",
            own.kind.name(),
            own.sha256
        ));
        for mount in &own.mounts {
            let (guest, access) = (&mount.guest, mount.access.name());
            lines.push(format!("  sees {guest}: at most {access}"));
        }
        if own.mounts.is_empty() {
            lines.push("  sees no folder".to_owned());
        }
        return;
    }
    let place = |guest: &str, place: &crate::policy::document::Place| {
        let (access, names) = (place.access.name(), place.protected.len());
        format!("  {guest}: {access}, {names} protected names")
    };
    lines.push(place("/workspace", &terms.workspace));
    for mount in &terms.mounts {
        let shown = place(&mount.guest, &mount.place);
        lines.push(format!("{shown}, from {}", mount.host.display()));
    }
}

fn native_terms(lines: &mut Vec<String>, request: &Request<'_>, terms: &NativeTerms) {
    let Request::Native(call) = request else {
        return;
    };
    let program = [call.program.to_owned()];
    let run = [&program[..], &terms.start.prepend, &terms.arguments].concat();
    lines.push(format!("  runs: {}", words::join(&run)));
    let confinement = serde_json::to_string(&terms.start.confinement).unwrap_or_default();
    lines.push(format!(
        "  confinement: at least {}",
        confinement.trim_matches('"')
    ));
    let start = &terms.start;
    let workspace = match (start.profile, start.access) {
        (Profile::Build, _) => "a copy that is thrown away",
        (Profile::Plain | Profile::Git, Access::ReadOnly) => "read-only",
        (Profile::Plain | Profile::Git, Access::ReadWrite) => "read-write",
    };
    let profile = start.profile.name();
    lines.push(format!("  profile: {profile}; the workspace: {workspace}"));
}

/// The rule that was closest to allowing, and what it failed on.
fn nearest(lines: &mut Vec<String>, policy: &Policy, request: &Request<'_>) {
    match request {
        Request::Native(call) => nearest_native(lines, policy, call),
        Request::Egress(call) => nearest_host(lines, policy, call),
        Request::Tool(call) => {
            for rule in &policy.variables {
                let tried = call.variables.iter();
                for (name, value) in tried.filter(|(name, _)| rule.names.iter().any(|n| n == name))
                {
                    if !rule.value.matches(value) {
                        let line = rule.standing.line;
                        let wanted = rule.value.written();
                        lines.push(format!(
                            "  nearest rule: variable, line {line}: `{name}={value}` does not match /{wanted}/"
                        ));
                    }
                }
            }
        }
        Request::Program { .. } | Request::File { .. } => {}
    }
}

fn nearest_native(lines: &mut Vec<String>, policy: &Policy, call: &NativeCall<'_>) {
    if !may_start_in(policy, call.cwd) {
        let folder = quoted(call.cwd);
        lines.push(format!(
            "  native programs start in absolute folders that are not protected: {folder} is none"
        ));
        return;
    }
    let same_program = |rule: &&NativeRule| rule.start.program == call.program;
    let rules = policy.natives.iter().filter(same_program);
    let misfits = rules.filter_map(|rule| {
        if !lies_in(call.cwd, "/", &rule.cwd) {
            let why = format!("the folder {} does not lie in {}", call.cwd, rule.cwd);
            return Some((0, rule, why));
        }
        let protected = |path: &str| is_protected_anywhere(policy, path);
        let grammar = &rule.grammar;
        let matched = grammar.match_unprotected(call.arguments, call.cwd, &protected);
        let mismatch = matched.err()?;
        let place = mismatch.fitted + 1;
        let word = match &mismatch.word {
            Some(word) => format!("word {place} `{word}`: {}", mismatch.why),
            None => format!("a word {place} is missing: {}", mismatch.why),
        };
        Some((mismatch.fitted, rule, word))
    });
    let misfits: Vec<_> = misfits.collect();
    let first: Vec<_> = misfits
        .iter()
        .filter_map(|(_, rule, _)| rule.grammar.args.first())
        .map(String::as_str)
        .collect();
    if misfits.len() > 1 && misfits.iter().all(|(fitted, ..)| *fitted == 0) && !first.is_empty() {
        let known = first.join(", ");
        lines.push(format!(
            "  no rule begins so: the first word may be {known}"
        ));
        return;
    }
    if let Some((_, rule, why)) = misfits.into_iter().max_by_key(|(fitted, ..)| *fitted) {
        let head = [
            std::slice::from_ref(&rule.start.program),
            &rule.grammar.args,
        ]
        .concat();
        lines.push(format!(
            "  nearest rule: native, line {} ({}): {why}",
            rule.standing.line,
            words::join(&head)
        ));
        return;
    }
    let name = call.program.rsplit('/').next();
    let mut programs = policy.natives.iter().map(|rule| &rule.start.program);
    if let Some(program) = programs.find(|known| known.rsplit('/').next() == name) {
        lines.push(format!(
            "  nearest rule is for `{program}`: programs are named by their whole path"
        ));
    }
}

fn nearest_host(lines: &mut Vec<String>, policy: &Policy, call: &EgressCall<'_>) {
    let (method, target) = (call.method, call.target);
    let host = |host: &HostPattern| host.matches(&target.host);
    for rule in policy
        .egress
        .iter()
        .filter(|rule| rule.requests.hosts.iter().any(host))
    {
        let asked = &rule.requests;
        let why = if !asked.methods.iter().any(|known| known == method) {
            format!(
                "the method {method} is not one of {}",
                asked.methods.join(", ")
            )
        } else if !asked.ports.contains(&target.port) {
            format!("the port {} is not one of {:?}", target.port, asked.ports)
        } else {
            format!(
                "the path `{}` matches none of {:?}",
                target.path, asked.paths
            )
        };
        lines.push(format!(
            "  nearest rule: egress, line {}: {why}",
            rule.standing.line
        ));
    }
}
