//! The examples that rules carry: a file whose examples fail does not load.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::policy::decide::{Decision, decide, is_named};
use crate::policy::document::{Denied, Policy};
use crate::policy::egress::Target;
use crate::policy::grammar::lies_in;
use crate::policy::own_tool::OwnTool;
use crate::policy::places::At;
use crate::policy::request::{EgressCall, NativeCall, Request, ToolCall};
use crate::policy::text::PolicyText;
use crate::policy::words;

/// Agent that examples speak of where a deny rule names none.
const AGENT: &str = "example";

/// One example and what came of it.
#[derive(Debug)]
pub struct Example {
    pub(super) at: At,
    /// First line of its rule.
    pub line: usize,
    /// As written.
    pub written: String,
    /// Whether it must be allowed.
    pub allow: bool,
    outcome: Result<(), String>,
}

impl Example {
    pub fn holds(&self) -> bool {
        self.outcome.is_ok()
    }

    /// Why it does not hold.
    pub fn fault(&self) -> String {
        self.outcome.clone().err().unwrap_or_default()
    }

    pub(super) fn remedy(&self) -> &'static str {
        match self.allow {
            true => "widen the rule, or remove the example",
            false => "narrow what allows it, or remove the example",
        }
    }
}

/// A rule's own part in an example.
#[derive(Clone, Copy)]
enum Rule {
    Workspace,
    Tool(usize),
    Program(usize),
    Mount(usize),
    Variable(usize),
    Native(usize),
    Egress(usize),
    Deny(usize),
}

/// Tries every example. Time stands at zero, so that an example outlives its rule's expiry.
pub fn run(policy: &Policy) -> Vec<Example> {
    let mut tried = Vec::new();
    for carrier in carriers(&policy.text) {
        let at = At::default().key(carrier.key);
        let at = carrier.index.map_or(at.clone(), |index| at.index(index));
        for (key, list, allow) in [
            ("allows", carrier.allows, true),
            ("denies", carrier.denies, false),
        ] {
            for (index, written) in list.iter().enumerate() {
                tried.push(Example {
                    at: at.key(key).index(index),
                    line: line(policy, carrier.rule),
                    written: written.clone(),
                    allow,
                    outcome: example(policy, carrier.rule, written, allow),
                });
            }
        }
    }
    tried
}

/// A table that carries examples.
struct Carrier<'a> {
    key: &'static str,
    index: Option<usize>,
    rule: Rule,
    allows: &'a [String],
    denies: &'a [String],
}

fn carriers(text: &PolicyText) -> Vec<Carrier<'_>> {
    let mut all = Vec::new();
    macro_rules! each {
        ($key:literal, $list:expr, $rule:expr) => {
            for (index, table) in $list.iter().enumerate() {
                all.push(Carrier {
                    key: $key,
                    index: Some(index),
                    rule: $rule(index),
                    allows: &table.allows,
                    denies: &table.denies,
                });
            }
        };
    }
    each!("workspace", text.workspace, |_| Rule::Workspace);
    for workspace in &mut all {
        workspace.index = None;
    }
    each!("tool", text.tool, Rule::Tool);
    each!("program", text.program, Rule::Program);
    each!("mount", text.mount, Rule::Mount);
    each!("variable", text.variable, Rule::Variable);
    each!("native", text.native, Rule::Native);
    each!("egress", text.egress, Rule::Egress);
    each!("deny", text.deny, Rule::Deny);
    all
}

fn line(policy: &Policy, rule: Rule) -> usize {
    let line = match rule {
        Rule::Workspace => Some(policy.workspace_line),
        Rule::Tool(at) => policy.tools.get(at).map(|rule| rule.standing.line),
        Rule::Program(at) => policy.programs.get(at).map(|rule| rule.standing.line),
        Rule::Mount(at) => policy.mounts.get(at).map(|rule| rule.standing.line),
        Rule::Variable(at) => policy.variables.get(at).map(|rule| rule.standing.line),
        Rule::Native(at) => policy.natives.get(at).map(|rule| rule.standing.line),
        Rule::Egress(at) => policy.egress.get(at).map(|rule| rule.standing.line),
        Rule::Deny(at) => policy.denials.get(at).map(|rule| rule.line),
    };
    line.unwrap_or(0)
}

fn example(policy: &Policy, rule: Rule, written: &str, allow: bool) -> Result<(), String> {
    let deny_rule = if let Rule::Deny(at) = rule {
        policy.denials.get(at)
    } else {
        None
    };
    let agents = deny_rule.map(|rule| &*rule.agents).unwrap_or_default();
    let agent = agents.first().map_or(AGENT, String::as_str);
    if let Rule::Tool(at) = rule
        && let Some(own) = own_tool(policy, at)
    {
        return tool_input(policy, (rule, own), written, allow);
    }
    let words = words::split(written)?;
    match rule {
        Rule::Workspace | Rule::Mount(_) => {
            let (verb, path) = written.split_once(' ').unwrap_or(("", ""));
            let write = match verb {
                "read" => false,
                "write" => true,
                _ => return Err("an example here is `read PATH` or `write PATH`".to_owned()),
            };
            if let Rule::Mount(at) = rule
                && let Some(mount) = policy.mounts.get(at)
                && !lies_in(path, "/workspace", &mount.guest)
            {
                return Err(format!("the path does not lie in {}", mount.guest));
            }
            settle(policy, rule, &Request::File { path, write }, allow)
        }
        Rule::Tool(_) => settle(policy, rule, &tool(agent, written, None), allow),
        Rule::Program(_) => settle(policy, rule, &program(agent, written), allow),
        Rule::Variable(_) => {
            let pair = written
                .split_once('=')
                .ok_or("an example here is `NAME=value`")?;
            let tool = policy.tools.iter().flat_map(|rule| &rule.names).next();
            let tool_name = tool.ok_or("no tool is allowed that could get a variable")?;
            settle(
                policy,
                rule,
                &self::tool(agent, tool_name, Some(pair)),
                allow,
            )
        }
        Rule::Native(_) => native(policy, rule, &words, agent, allow),
        Rule::Egress(_) => egress(policy, rule, written, agent, allow),
        Rule::Deny(_) => match deny_rule.map(|rule| &rule.what) {
            Some(Denied::Tools(_)) => settle(policy, rule, &tool(agent, written, None), allow),
            Some(Denied::Programs(_)) => settle(policy, rule, &program(agent, written), allow),
            Some(Denied::Variables(_)) => {
                let pair = written.split_once('=').unwrap_or((written, ""));
                let tools = policy.tools.iter().flat_map(|rule| &rule.names);
                let tool_name = tools.map(String::as_str).next().unwrap_or("bash");
                settle(policy, rule, &tool(agent, tool_name, Some(pair)), allow)
            }
            Some(Denied::Native { .. }) => native(policy, rule, &words, agent, allow),
            Some(Denied::Requests(_)) => egress(policy, rule, written, agent, allow),
            None => Ok(()),
        },
    }
}

/// The tool of the operator's own that a rule brings.
fn own_tool(policy: &Policy, at: usize) -> Option<&OwnTool> {
    let name = policy.text.tool.get(at)?.name.as_ref()?;
    policy.own_tools.get(name)
}

/// An example of such a tool is an input: the schema decides, and the policy must allow the call.
fn tool_input(
    policy: &Policy,
    (rule, own): (Rule, &OwnTool),
    written: &str,
    allow: bool,
) -> Result<(), String> {
    let input: serde_json::Value = serde_json::from_str(written)
        .map_err(|error| format!("an example here is an input as JSON: {error}"))?;
    if !input.is_object() && !allow {
        return Ok(()); // no tool takes it
    }
    match (own.input.check(&input), allow) {
        (Ok(()), true) => settle(policy, rule, &tool(AGENT, &own.name, None), true),
        (Err(_), false) => Ok(()),
        (Ok(()), false) => Err("the schema takes this input, which it must refuse".to_owned()),
        (Err(fault), true) => Err(format!("the schema refuses this input: {fault}")),
    }
}

fn tool<'a>(agent: &'a str, name: &'a str, pair: Option<(&'a str, &'a str)>) -> Request<'a> {
    Request::Tool(ToolCall {
        agent,
        tool: name,
        variables: Vec::from_iter(pair),
        timeout_ms: None,
    })
}

fn program<'a>(agent: &'a str, name: &'a str) -> Request<'a> {
    Request::Program { agent, name }
}

fn native(
    policy: &Policy,
    rule: Rule,
    words: &[String],
    agent: &str,
    allow: bool,
) -> Result<(), String> {
    let (mut own, mut cwd) = (None, None);
    if let Rule::Native(at) = rule {
        let rule = policy.natives.get(at);
        own = rule.map(|rule| &rule.start.program);
        cwd = rule.map(|rule| &*rule.cwd);
    } else if let Rule::Deny(at) = rule
        && let Some(Denied::Native { program, .. }) = policy.denials.get(at).map(|rule| &rule.what)
    {
        own = Some(program);
    }
    let Some((name, arguments)) = words.split_first() else {
        return Err("an example here is a command line".to_owned());
    };
    let own = own.map(String::as_str).unwrap_or_default();
    // The program's own name stands for its path.
    let program = match own.rsplit('/').next() == Some(name) {
        true => own,
        false => name,
    };
    let call = NativeCall {
        agent,
        program,
        arguments,
        cwd: cwd.unwrap_or("/workspace"),
    };
    settle(policy, rule, &Request::Native(call), allow)
}

fn egress(
    policy: &Policy,
    rule: Rule,
    written: &str,
    agent: &str,
    allow: bool,
) -> Result<(), String> {
    let (method, url) = written.split_once(' ').unwrap_or(("GET", written));
    // Whatever the rules say, nobody may ask for what cannot be read: as a denied example it would
    // always hold and show nothing.
    let target = Target::read(url)?;
    let call = EgressCall {
        agent,
        method,
        target: &target,
    };
    settle(policy, rule, &Request::Egress(call), allow)
}

/// Compares the decision, and the rule's own part in it, with what the example says.
fn settle(policy: &Policy, rule: Rule, request: &Request<'_>, allow: bool) -> Result<(), String> {
    let now: SystemTime = UNIX_EPOCH;
    let has_part = matches(policy, rule, request);
    match (decide(policy, request, now), allow, rule) {
        (Decision::Allow(_), true, Rule::Deny(_)) => Ok(()),
        (Decision::Deny(_), false, Rule::Deny(_)) if !has_part => {
            Err("the policy denies this example, but not by this rule".to_owned())
        }
        (Decision::Allow(_), true, _) if !has_part => {
            Err("the policy allows this example, but not by this rule".to_owned())
        }
        (Decision::Allow(_), true, _) | (Decision::Deny(_), false, _) => Ok(()),
        (Decision::Allow(grant), false, _) => Err(format!(
            "the example must be denied and is allowed ({})",
            grant.rule()
        )),
        (Decision::Deny(denial), true, _) => Err(format!(
            "the example must be allowed and is denied: {denial}"
        )),
    }
}

/// Whether the rule by itself is about the request.
fn matches(policy: &Policy, rule: Rule, request: &Request<'_>) -> bool {
    let found = match (rule, request) {
        (Rule::Tool(at), Request::Tool(call)) => policy
            .tools
            .get(at)
            .map(|rule| is_named(&rule.names, call.tool)),
        (Rule::Program(at), Request::Program { name, .. }) => policy
            .programs
            .get(at)
            .map(|rule| is_named(&rule.names, name)),
        (Rule::Variable(at), Request::Tool(call)) => policy.variables.get(at).map(|rule| {
            let fits = |(name, value): &(&str, &str)| {
                rule.names.iter().any(|known| known == name) && rule.value.matches(value)
            };
            call.variables.iter().all(fits)
        }),
        (Rule::Native(at), Request::Native(call)) => policy.natives.get(at).map(|rule| {
            rule.start.program == call.program
                && rule.grammar.match_words(call.arguments, call.cwd).is_ok()
        }),
        (Rule::Egress(at), Request::Egress(call)) => policy
            .egress
            .get(at)
            .map(|rule| rule.requests.match_target(call.method, call.target)),
        (Rule::Deny(at), request) => policy
            .denials
            .get(at)
            .map(|rule| denies(&rule.what, request)),
        _ => None,
    };
    found.unwrap_or(true)
}

fn denies(what: &Denied, request: &Request<'_>) -> bool {
    match (what, request) {
        (Denied::Tools(names), Request::Tool(call)) => is_named(names, call.tool),
        (Denied::Programs(names), Request::Program { name, .. }) => is_named(names, name),
        (Denied::Variables(names), Request::Tool(call)) => {
            call.variables.iter().any(|(name, _)| is_named(names, name))
        }
        (what, Request::Native(call)) => what.is_native(call),
        (Denied::Requests(requests), Request::Egress(call)) => {
            requests.match_target(call.method, call.target)
        }
        _ => false,
    }
}
