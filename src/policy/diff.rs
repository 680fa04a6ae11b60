//! What one policy allows that another does not: every finding is a request that was tried.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::policy::decide::{Decision, decide};
use crate::policy::document::{Denied, Policy};
use crate::policy::egress::{HostPattern, Target};
use crate::policy::grant::{CallTerms, Run};
use crate::policy::load::Vocabulary;
use crate::policy::request::{EgressCall, NativeCall, Request, ToolCall};
use crate::policy::text::Access;
use crate::policy::{witness, words};

/// Stands for every agent that no rule names.
const AGENT: &str = "example";
/// Stands for every program and variable that no rule names.
const OTHER: &str = "OTHER";

/// A request that the new policy allows and the old one does not, or allows with wider terms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witness {
    pub agent: String,
    pub asks: Asks,
    /// Only with wider terms: which.
    pub wider: Option<String>,
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
        match &self.wider {
            Some(wider) => write!(f, ": {wider}"),
            None => Ok(()),
        }
    }
}

impl Witness {
    /// Decides the witness's request by a policy.
    pub fn decide(&self, policy: &Policy, now: SystemTime) -> Option<Run> {
        ask(policy, &self.agent, &self.asks, now)
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

/// What `new` allows that `old` does not, at one time. Complete for names, hosts, mounts and
/// limits; of patterns and grammars it tries examples.
pub fn diff(old: &Policy, new: &Policy, vocabulary: &Vocabulary, now: SystemTime) -> Vec<Witness> {
    let mut found = BTreeSet::new();
    let candidates = candidates(old, new, vocabulary);
    for agent in agents(old, new) {
        for asks in &candidates {
            let Some(allowed) = ask(new, &agent, asks, now) else {
                continue;
            };
            let wider = match ask(old, &agent, asks, now) {
                None => vec![None],
                Some(before) => wider(&before, &allowed).into_iter().map(Some).collect(),
            };
            found.extend(wider.into_iter().map(|wider| Witness {
                agent: agent.clone(),
                asks: asks.clone(),
                wider,
            }));
        }
    }
    // What is wider for every agent is told once.
    let general: BTreeSet<_> = found
        .iter()
        .filter(|witness| witness.agent == AGENT)
        .map(|witness| (witness.asks.clone(), witness.wider.clone()))
        .collect();
    found.retain(|witness| {
        let told = (witness.asks.clone(), witness.wider.clone());
        witness.agent == AGENT || !general.contains(&told)
    });
    found.into_iter().collect()
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
            names.insert(inside.unwrap_or(name).to_owned());
            names.extend(inside.map(|name| format!("{OTHER}/{name}")));
            let parents = name
                .match_indices('/')
                .filter_map(|(end, _)| name.get(..end));
            names.extend(parents.filter(|name| *name != "**").map(str::to_owned));
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
        (Run::Native(old), Run::Native(new)) => {
            let mut wider = Vec::new();
            if new.start.confinement < old.start.confinement {
                wider.push(format!(
                    "confinement {:?} instead of {:?}",
                    new.start.confinement, old.start.confinement
                ));
            }
            for (what, old, new) in [
                ("program", &old.start.sha256, &new.start.sha256),
                ("script", &old.start.script_sha256, &new.start.script_sha256),
            ] {
                if old.is_some() && old != new {
                    wider.push(format!("another {what} than the one that was pinned"));
                }
            }
            if new.start.prepend != old.start.prepend {
                wider.push("other words put first".to_owned());
            }
            wider
        }
        (Run::Egress(old), Run::Egress(new)) if new.secret != old.secret => match &new.secret {
            Some(secret) => vec![format!("carries the secret {secret}")],
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn wider_call(old: &CallTerms, new: &CallTerms) -> Vec<String> {
    let mut wider = Vec::new();
    let (before, after) = (limits(old), limits(new));
    for ((name, old), (_, new)) in before.into_iter().zip(after) {
        if new > old {
            wider.push(format!("limit {name} {new} instead of {old}"));
        }
    }
    let mut place = |guest: &str, old: &crate::policy::Place, new: &crate::policy::Place| {
        if new.access > old.access {
            wider.push(format!("{guest} is {}", access(new.access)));
        }
        if old
            .quota
            .is_some_and(|old| new.quota.is_none_or(|new| new > old))
        {
            wider.push(format!("{guest} has a larger quota"));
        }
    };
    place("/workspace", &old.workspace, &new.workspace);
    for mount in &new.mounts {
        if let Some(known) = old.mounts.iter().find(|known| known.guest == mount.guest) {
            place(&mount.guest, &known.place, &mount.place);
        }
    }
    for mount in &new.mounts {
        let known = old.mounts.iter().find(|known| known.guest == mount.guest);
        if known.is_none_or(|known| !mount.host.starts_with(&known.host)) {
            wider.push(format!("{} shows {}", mount.guest, mount.host.display()));
        }
    }
    wider
}

fn access(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "read-only",
        Access::ReadWrite => "read-write",
    }
}

fn limits(terms: &CallTerms) -> [(&'static str, u64); 10] {
    let limits = &terms.limits;
    [
        ("wall", limits.wall_ms),
        ("fuel", limits.fuel),
        ("memory", limits.memory_bytes),
        ("memory_process", limits.memory_process_bytes),
        ("output", limits.output_bytes),
        ("output_stop", limits.output_stop_bytes),
        ("written", limits.written_bytes),
        ("processes", u64::from(limits.processes)),
        ("descriptors", u64::from(limits.descriptors)),
        ("inodes", limits.inodes),
    ]
}
