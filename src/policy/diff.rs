//! What one policy allows that another does not: every finding is a request that was tried.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::limits::Limits;
use crate::policy::decide::{Decision, decide};
use crate::policy::document::{Denied, NativeStart, Place, Policy};
use crate::policy::egress::{HostPattern, Target};
use crate::policy::grant::{CallTerms, EgressTerms, NativeTerms, Run};
use crate::policy::load::Vocabulary;
use crate::policy::own_tool::ToolStart;
use crate::policy::request::{EgressCall, NativeCall, Request, ToolCall};
use crate::policy::{witness, words};
use crate::quantity;

/// Stands for every agent that no rule names.
const AGENT: &str = "example";
/// Most moments at which something expires that are tried; of more, the first and the last.
const MOMENTS_MAX: usize = 64;
/// Stands for every program and variable that no rule names.
const OTHER: &str = "OTHER";

/// A request that the new policy allows and the old one does not, or allows with wider terms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witness {
    pub agent: String,
    pub asks: Asks,
    /// Only with wider terms: which.
    pub wider: Option<String>,
    /// Only when it is so later and not at once: since when.
    pub from: Option<SystemTime>,
}

/// A request that owns its words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asks {
    Tool(String),
    Variable(String, String, String),
    Program(String),
    Native(String, Vec<String>, String),
    Egress(String, String),
    File(String, bool),
}

impl std::fmt::Display for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.asks {
            Asks::Tool(name) => write!(f, "tool {name}")?,
            Asks::Variable(tool, name, value) => write!(f, "tool {tool} with {name}={value:?}")?,
            Asks::Program(name) if name == OTHER => write!(f, "program (any not named)")?,
            Asks::Program(name) => write!(f, "program {name}")?,
            Asks::Native(program, arguments, cwd) => {
                let line = [std::slice::from_ref(program), arguments].concat();
                write!(f, "native {} (in {cwd})", words::join(&line))?;
            }
            Asks::Egress(method, url) => write!(f, "request {method} {url}")?,
            Asks::File(path, true) => write!(f, "write {path}")?,
            Asks::File(path, false) => write!(f, "read {path}")?,
        }
        if self.agent != AGENT {
            write!(f, " by {}", self.agent)?;
        }
        if let Some(wider) = &self.wider {
            write!(f, ": {wider}")?;
        }
        match self.from {
            Some(from) => write!(f, ", from {} on", quantity::rfc3339(from)),
            None => Ok(()),
        }
    }
}

impl Witness {
    /// Decides the witness's request by a policy, at its own time when it has one.
    pub fn decide(&self, policy: &Policy, now: SystemTime) -> Option<Run> {
        ask(policy, &self.agent, &self.asks, self.from.unwrap_or(now))
    }
}

fn ask(policy: &Policy, agent: &str, asks: &Asks, now: SystemTime) -> Option<Run> {
    let target;
    let request = match asks {
        Asks::Tool(tool) => Request::Tool(call(agent, tool, Vec::new())),
        Asks::Variable(tool, name, value) => Request::Tool(call(agent, tool, vec![(name, value)])),
        Asks::Program(name) => Request::Program { agent, name },
        Asks::Native(program, arguments, cwd) => Request::Native(NativeCall {
            agent,
            program,
            arguments,
            cwd,
        }),
        Asks::Egress(method, url) => {
            target = Target::read(url).ok()?;
            Request::Egress(EgressCall {
                agent,
                method,
                target: &target,
            })
        }
        Asks::File(path, write) => Request::File {
            path,
            write: *write,
        },
    };
    match decide(policy, &request, now) {
        Decision::Allow(grant) => Some(grant.into_run()),
        Decision::Deny(_) => None,
    }
}

fn call<'a>(agent: &'a str, tool: &'a str, variables: Vec<(&'a str, &'a str)>) -> ToolCall<'a> {
    ToolCall {
        agent,
        tool,
        variables,
        timeout_ms: None,
    }
}

/// What `new` allows that `old` does not, now and when something has expired. Complete for names,
/// hosts, mounts and limits; of patterns and grammars it tries examples.
pub fn diff(old: &Policy, new: &Policy, vocabulary: &Vocabulary, now: SystemTime) -> Vec<Witness> {
    let candidates = candidates(old, new, vocabulary);
    let agents = agents(old, new);
    let mut all = Vec::new();
    let mut told = BTreeSet::new();
    for moment in moments(old, new, now) {
        let mut found = BTreeSet::new();
        for agent in &agents {
            for asks in &candidates {
                let wider = ask(new, agent, asks, moment).map_or(Vec::new(), |allowed| {
                    match ask(old, agent, asks, moment) {
                        None => vec![None],
                        Some(before) => wider(&before, &allowed).into_iter().map(Some).collect(),
                    }
                });
                let known = wider.into_iter().map(|wider| (agent, asks, wider));
                found.extend(known.filter(|known| told.insert(known.clone())));
            }
        }
        // What is wider for every agent is told once.
        let general: BTreeSet<_> = found
            .iter()
            .filter(|(agent, ..)| *agent == AGENT)
            .map(|(_, asks, wider)| (*asks, wider.clone()))
            .collect();
        found.retain(|(agent, asks, wider)| {
            *agent == AGENT || !general.contains(&(*asks, wider.clone()))
        });
        all.extend(found.into_iter().map(|(agent, asks, wider)| Witness {
            agent: agent.clone(),
            asks: asks.clone(),
            wider,
            from: (moment != now).then_some(moment),
        }));
    }
    all.sort();
    all
}

/// Now, and every later moment at which something expires. Nothing changes after the last.
fn moments(old: &Policy, new: &Policy, now: SystemTime) -> Vec<SystemTime> {
    let layers = old.layers().into_iter().chain(new.layers());
    let ends = layers.flat_map(|layer| {
        let named = layer.tools.iter().chain(&layer.programs);
        let named = named.map(|rule| &rule.standing);
        let mounts = layer.mounts.iter().map(|rule| &rule.standing);
        let variables = layer.variables.iter().map(|rule| &rule.standing);
        let natives = layer.natives.iter().map(|rule| &rule.standing);
        let egress = layer.egress.iter().map(|rule| &rule.standing);
        let all = named.chain(mounts).chain(variables).chain(natives);
        let rules = all.chain(egress).filter_map(|standing| standing.expires);
        rules.chain(layer.expires)
    });
    let later: BTreeSet<_> = ends.filter(|end| *end > now).collect();
    let last = later.last().copied();
    let mut moments = vec![now];
    moments.extend(later.into_iter().take(MOMENTS_MAX));
    if moments.last().copied() < last {
        moments.extend(last);
    }
    moments
}

fn agents(old: &Policy, new: &Policy) -> BTreeSet<String> {
    let layers = old.layers().into_iter().chain(new.layers());
    let rules = layers.flat_map(|layer| &layer.denials);
    let named = rules.flat_map(|rule| rule.agents.iter().cloned());
    named.chain([AGENT.to_owned()]).collect()
}

fn candidates(old: &Policy, new: &Policy, vocabulary: &Vocabulary) -> BTreeSet<Asks> {
    let mut asks = BTreeSet::new();
    let layers: Vec<&Policy> = old.layers().into_iter().chain(new.layers()).collect();
    let mut tools: BTreeSet<String> = vocabulary.tools.iter().cloned().collect();
    let mut programs: BTreeSet<String> = vocabulary.programs.iter().cloned().collect();
    programs.insert(OTHER.to_owned());
    let mut variables = BTreeMap::from([(OTHER.to_owned(), BTreeSet::from([String::new()]))]);
    for layer in &layers {
        tools.extend(layer.tools.iter().flat_map(|rule| rule.names.clone()));
        programs.extend(layer.programs.iter().flat_map(|rule| rule.names.clone()));
        for rule in &layer.variables {
            for name in &rule.names {
                let values = variables.entry(name.clone()).or_default();
                values.extend(witness::samples(&rule.value));
            }
        }
        for rule in &layer.denials {
            match &rule.what {
                Denied::Tools(names) => tools.extend(names.clone()),
                Denied::Programs(names) => programs.extend(names.clone()),
                Denied::Variables(names) => {
                    for name in names {
                        variables
                            .entry(name.clone())
                            .or_default()
                            .insert("x".to_owned());
                    }
                }
                Denied::Native { .. } | Denied::Requests(_) => {}
            }
        }
    }
    programs.remove("*");
    variables.remove("*");
    for tool in &tools {
        asks.insert(Asks::Tool(tool.clone()));
        for (name, values) in &variables {
            let with = |value: &String| Asks::Variable(tool.clone(), name.clone(), value.clone());
            asks.extend(values.iter().map(with));
        }
    }
    asks.extend(programs.into_iter().map(Asks::Program));
    natives(&mut asks, &layers);
    requests(&mut asks, &layers);
    files(&mut asks, &layers);
    asks
}

fn natives(asks: &mut BTreeSet<Asks>, layers: &[&Policy]) {
    let more: Vec<String> = layers
        .iter()
        .flat_map(|layer| witness::denied_words(layer))
        .collect();
    for rule in layers.iter().flat_map(|layer| &layer.natives) {
        let program = &rule.start.program;
        for (number, line) in witness::command_lines(rule, &more).into_iter().enumerate() {
            if number == 0 {
                let elsewhere = ["/", "/workspace", "/workspace/a"].map(str::to_owned);
                for cwd in elsewhere {
                    asks.insert(Asks::Native(program.clone(), line.clone(), cwd));
                }
            }
            asks.insert(Asks::Native(program.clone(), line, rule.cwd.clone()));
        }
    }
}

fn requests(asks: &mut BTreeSet<Asks>, layers: &[&Policy]) {
    let mut hosts = BTreeSet::new();
    let mut methods = BTreeSet::from(["GET".to_owned()]);
    let mut ports = BTreeSet::from([443]);
    let mut paths = BTreeSet::from(["/".to_owned(), "/x".to_owned()]);
    let mut all = |requests: &crate::policy::egress::Requests| {
        for pattern in &requests.hosts {
            hosts.insert(witness::host(pattern));
            if let HostPattern::Exact(name) = pattern {
                hosts.insert(format!("x.{name}"));
            }
        }
        methods.extend(requests.methods.iter().cloned());
        ports.extend(requests.ports.iter().copied());
        paths.extend(requests.paths.iter().flat_map(witness::samples));
    };
    for layer in layers {
        layer.egress.iter().for_each(|rule| all(&rule.requests));
        for rule in &layer.denials {
            if let Denied::Requests(requests) = &rule.what {
                all(requests);
            }
        }
    }
    for host in &hosts {
        for method in &methods {
            for port in &ports {
                for path in &paths {
                    let url = format!("https://{host}:{port}{path}");
                    asks.insert(Asks::Egress(method.clone(), url));
                }
            }
        }
    }
}

fn files(asks: &mut BTreeSet<Asks>, layers: &[&Policy]) {
    let mut folders = BTreeSet::from(["/workspace".to_owned()]);
    let mut names = BTreeSet::from([OTHER.to_owned()]);
    for layer in layers {
        folders.extend(layer.mounts.iter().map(|mount| mount.guest.clone()));
        let workspace = layer.text.workspace.iter().flat_map(|text| &text.protected);
        let mounts = layer.text.mount.iter().flat_map(|text| &text.protected);
        for name in workspace.chain(mounts) {
            let inside = name.strip_prefix("**/");
            let bare = inside.unwrap_or(name);
            let parents = bare.match_indices('/');
            let parents = parents.filter_map(|(end, _)| bare.get(..end));
            for place in parents.chain([bare]) {
                let elsewhere = inside.map(|_| format!("{OTHER}/{place}"));
                for place in elsewhere.into_iter().chain([place.to_owned()]) {
                    // What is in it: a deeper name protects less.
                    names.insert(format!("{place}/{OTHER}"));
                    names.insert(place);
                }
            }
        }
    }
    for folder in &folders {
        for name in &names {
            for write in [false, true] {
                asks.insert(Asks::File(format!("{folder}/{name}"), write));
            }
        }
    }
}

/// Which terms of the second run are wider.
fn wider(old: &Run, new: &Run) -> Vec<String> {
    match (old, new) {
        (Run::Call(old), Run::Call(new)) => wider_call(old, new),
        (Run::Native(old), Run::Native(new)) => wider_native(old, new),
        (Run::Egress(EgressTerms { secret: old }), Run::Egress(EgressTerms { secret: new }))
            if new != old =>
        {
            let carries = |secret: &String| format!("carries the secret {secret}");
            new.iter().map(carries).collect()
        }
        _ => Vec::new(),
    }
}

fn wider_native(old: &NativeTerms, new: &NativeTerms) -> Vec<String> {
    // Every field by name: a new one must be thought of here.
    let NativeTerms {
        arguments,
        // Asked with a folder.
        cwd: _,
        start,
    } = new;
    let NativeStart {
        confinement,
        // Asked for.
        program: _,
        sha256,
        script_sha256,
        helpers,
        prepend,
        environment,
        profile,
        access,
        trees,
        limits,
    } = start;
    let mut wider = Vec::new();
    // Both come from the same words; a `--` more only narrows.
    if *arguments != old.arguments && arguments.len() <= old.arguments.len() {
        wider.push("no `--` before the operands".to_owned());
    }
    let old = &old.start;
    if *confinement < old.confinement {
        wider.push(format!(
            "confinement {confinement:?} instead of {:?}",
            old.confinement
        ));
    }
    for (what, old, new) in [
        ("program", &old.sha256, sha256),
        ("script", &old.script_sha256, script_sha256),
    ] {
        if old.is_some() && old != new {
            wider.push(format!("another {what} than the one that was pinned"));
        }
    }
    let further = helpers
        .iter()
        .filter(|helper| !old.helpers.contains(helper));
    wider.extend(further.map(|helper| {
        let path = &helper.path;
        format!("may start {path}, or another version of it")
    }));
    if *prepend != old.prepend {
        wider.push("other words put first".to_owned());
    }
    wider.extend(variables(&old.environment, environment));
    if *profile != old.profile {
        wider.push(format!("another profile: {}", profile.name()));
    }
    if *access > old.access {
        wider.push("may change the workspace".to_owned());
    }
    let further = trees.iter().filter(|tree| !old.trees.contains(tree));
    wider.extend(further.map(|tree| format!("sees {tree}")));
    if *limits != old.limits.and(*limits) {
        wider.push("higher limits".to_owned());
    }
    wider
}

/// Variables that are set to something else: which value is the wider one nobody can tell.
fn variables(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name));
    differ
        .map(|name| match new.get(name) {
            Some(value) => format!("sets {name}={value:?}"),
            None => format!("no longer sets {name}"),
        })
        .collect()
}

fn wider_call(old: &CallTerms, new: &CallTerms) -> Vec<String> {
    // Every field by name: a new one must be thought of here.
    let CallTerms {
        limits: _,
        // No request here asks for a time.
        wall_clamped: _,
        workspace,
        mounts,
        environment,
        // Asked one by one.
        programs: _,
        natives: _,
        own,
    } = new;
    let mut wider = Vec::new();
    let (before, after) = (limits(old), limits(new));
    for ((name, old), (_, new)) in before.into_iter().zip(after) {
        if new > old {
            wider.push(format!("limit {name} {new} instead of {old}"));
        }
    }
    wider.extend(wider_place("/workspace", &old.workspace, workspace));
    for mount in mounts {
        let known = old.mounts.iter().find(|known| known.guest == mount.guest);
        if let Some(known) = known {
            wider.extend(wider_place(&mount.guest, &known.place, &mount.place));
        }
        if known.is_none_or(|known| !mount.host.starts_with(&known.host)) {
            wider.push(format!("{} shows {}", mount.guest, mount.host.display()));
        }
    }
    wider.extend(variables(&old.environment, environment));
    if let (Some(own), old) = (own, &old.own) {
        wider.extend(wider_tool(old.as_ref(), own));
    }
    wider
}

fn wider_tool(old: Option<&ToolStart>, new: &ToolStart) -> Vec<String> {
    // Every field by name: a new one must be thought of here.
    let ToolStart {
        kind,
        sha256,
        mounts,
        // Compared with the call's.
        environment: _,
        input,
        // Made of what the digest names.
        code: _,
    } = new;
    let Some(old) = old else {
        return vec!["another tool of this name".to_owned()];
    };
    let mut wider = Vec::new();
    if (*kind, sha256) != (old.kind, &old.sha256) {
        wider.push("another version of the tool's file".to_owned());
    }
    if *input != old.input {
        wider.push("another schema for its input".to_owned());
    }
    for mount in mounts {
        let known = old
            .mounts
            .iter()
            .find(|known| known.guest == mount.guest && known.host == mount.host);
        if known.is_none_or(|known| known.access < mount.access) {
            wider.push(format!(
                "the tool sees {}, {}",
                mount.guest,
                mount.access.name()
            ));
        }
    }
    wider
}

fn wider_place(guest: &str, old: &Place, new: &Place) -> Vec<String> {
    let Place {
        access: allowed,
        quota,
        // Asked one by one.
        protected: _,
    } = new;
    let mut wider = Vec::new();
    if *allowed > old.access {
        wider.push(format!("{guest} is {}", allowed.name()));
    }
    if old
        .quota
        .is_some_and(|old| quota.is_none_or(|new| new > old))
    {
        wider.push(format!("{guest} has a larger quota"));
    }
    wider
}

fn limits(terms: &CallTerms) -> [(&'static str, u64); 12] {
    let Limits {
        wall_ms,
        fuel,
        memory_bytes,
        memory_process_bytes,
        output_bytes,
        output_stop_bytes,
        processes,
        descriptors,
        written_bytes,
        inodes,
        session_disk_bytes,
        session_files,
    } = terms.limits;
    [
        ("wall", wall_ms),
        ("fuel", fuel),
        ("memory", memory_bytes),
        ("memory_process", memory_process_bytes),
        ("output", output_bytes),
        ("output_stop", output_stop_bytes),
        ("written", written_bytes),
        ("processes", u64::from(processes)),
        ("descriptors", u64::from(descriptors)),
        ("inodes", inodes),
        ("session_disk", session_disk_bytes),
        ("session_files", session_files),
    ]
}
