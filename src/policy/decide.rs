//! The decision: a pure function of the policy, the request and the time.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use crate::limits::Limits;
use crate::policy::document::{Denied, DenyRule, NamesRule, Policy, Standing};
use crate::policy::egress::Target;
use crate::policy::extends;
use crate::policy::grammar::{Mismatch, PROTECTED, lies_in, normal_parts};
use crate::policy::grant::{CallTerms, EgressTerms, Grant, MountTerms, NativeTerms, Run};
use crate::policy::programs::ProgramTable;
use crate::policy::protected::Cover;
use crate::policy::request::{EgressCall, NativeCall, Request, ToolCall};
use crate::policy::text::Access;

/// Most allowed names that a denial lists.
const LISTED_MAX: usize = 12;

/// What the policy says. Only the allowing arm carries a [`Grant`].
#[must_use]
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one a request, taken apart where it is made"
)]
pub enum Decision {
    Allow(Grant),
    Deny(Denial),
}

/// Why a request was denied. Shows nothing else of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Name of the policy that denied: the one in force or an ancestor.
    pub policy: String,
    /// Such as `deny`, `tool` or `default`.
    pub rule: String,
    /// First line of the rule in the policy's file; 0 when no rule matched.
    pub line: usize,
    pub reason: String,
    /// What is allowed instead, where that helps.
    pub instead: Option<String>,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.reason, self.rule)?;
        if self.line > 0 {
            write!(f, ", line {}", self.line)?;
        }
        f.write_str(")")?;
        match &self.instead {
            Some(instead) => write!(f, "; {instead}"),
            None => Ok(()),
        }
    }
}

/// What one policy allows, before its ancestors are asked.
pub(super) struct Allowed {
    pub(super) rule: String,
    pub(super) run: Run,
}

/// Decides one request. Any matching deny rule wins; what no rule allows is denied; every
/// ancestor must allow, too, and the narrowest terms count.
pub fn decide(policy: &Policy, request: &Request<'_>, now: SystemTime) -> Decision {
    let mut allowed: Option<Allowed> = None;
    for (number, layer) in policy.layers().into_iter().enumerate() {
        let judged = decide_alone(layer, request, now).and_then(|next| match allowed.take() {
            None => Ok(next),
            Some(so_far) => extends::narrow(extends::Above::new(layer, request, now), so_far, next),
        });
        match judged {
            Ok(next) => allowed = Some(next),
            Err(mut denial) => {
                // A line is of no use to whoever looks for it in the wrong file.
                if number > 0 {
                    denial.reason += &format!(", by the policy `{}`", layer.name);
                }
                return Decision::Deny(denial);
            }
        }
    }
    match allowed {
        Some(Allowed { rule, run }) => match extends::agree(policy, request, &run, now) {
            Ok(()) => Decision::Allow(Grant::new(rule, run)),
            Err(denial) => Decision::Deny(denial),
        },
        // There is always the policy itself.
        None => Decision::Deny(no_rule(policy, "there is no policy".to_owned(), None)),
    }
}

/// What a policy says without its ancestors.
pub(super) fn decide_alone(
    policy: &Policy,
    request: &Request<'_>,
    now: SystemTime,
) -> Result<Allowed, Denial> {
    if policy.expires.is_some_and(|end| now >= end) {
        let reason = "the policy has expired; ask its owner for a new one".to_owned();
        return Err(denial(policy, "policy", 0, reason));
    }
    match request {
        Request::Tool(call) => tool(policy, call, now),
        Request::Program { agent, name } => program(policy, agent, name, now),
        Request::Native(call) => native(policy, call, now),
        Request::Egress(call) => egress(policy, call, now),
        Request::File { path, write } => file(policy, path, *write, now),
    }
}

fn tool(policy: &Policy, call: &ToolCall<'_>, now: SystemTime) -> Result<Allowed, Denial> {
    denied(
        policy,
        call.agent,
        call.tool,
        |what| matches!(what, Denied::Tools(names) if is_named(names, call.tool)),
    )?;
    let listed = || listed("tools", policy.tools.iter(), now);
    let rules = policy.index.tools.get(call.tool);
    let rules = rules.into_iter().flatten();
    let rules = rules.filter_map(|at| policy.tools.get(*at));
    let standing = rules.map(|rule| &rule.standing);
    let standing = first_in_force(policy, "tool", standing, now, || {
        let reason = format!("no rule allows the tool `{}`", call.tool);
        no_rule(policy, reason, listed())
    })?;
    variables(policy, call, now)?;
    let own = policy.own_tools.get(call.tool);
    let limits = own.map_or(&policy.limits, |own| &own.limits);
    let mut terms = call_terms(policy, call, limits.clone(), now);
    if let Some(own) = own {
        // It starts nothing, and gets no variables but its own.
        terms.environment = own.start.environment.clone();
        terms.programs = ProgramTable::default();
        terms.natives = BTreeMap::new();
        terms.own = Some(own.start.clone());
    }
    Ok(Allowed {
        rule: format!("tool:{}", standing.line),
        run: Run::Call(terms),
    })
}

fn call_terms(
    policy: &Policy,
    call: &ToolCall<'_>,
    mut limits: Limits,
    now: SystemTime,
) -> CallTerms {
    let asked_ms = call.timeout_ms.unwrap_or(limits.wall_ms);
    let wall_clamped = asked_ms > limits.wall_ms;
    limits.wall_ms = limits.wall_ms.min(asked_ms);
    let mounts = policy.mounts.iter();
    let mounts = mounts.filter(|rule| rule.standing.in_force(now));
    CallTerms {
        limits,
        wall_clamped,
        workspace: policy.workspace.clone(),
        mounts: mounts
            .map(|rule| MountTerms {
                host: rule.host.clone(),
                guest: rule.guest.clone(),
                place: rule.place.clone(),
            })
            .collect(),
        environment: policy.environment.clone(),
        programs: ProgramTable::of_layer(policy, call.agent, now),
        natives: native_names(policy, now),
        own: None,
    }
}

/// What a shell may call native programs and tools of the operator's own. Which of their starts are
/// allowed is decided at each.
fn native_names(policy: &Policy, now: SystemTime) -> BTreeMap<String, String> {
    let rules = policy.natives.iter();
    let rules = rules.filter(|rule| rule.standing.in_force(now));
    let tools = policy.own_tools.keys();
    let mut names: BTreeMap<_, _> = tools.map(|name| (name.clone(), tool_path(name))).collect();
    for path in rules.map(|rule| &rule.start.program) {
        let name = path.rsplit('/').next().unwrap_or(path);
        // Of two programs with one name the first is meant; both have their paths.
        names.entry(name.to_owned()).or_insert_with(|| path.clone());
        names.insert(path.clone(), path.clone());
    }
    names
}

/// The path of a tool of the operator's own as a program.
pub fn tool_path(name: &str) -> String {
    format!("/bin/{name}")
}

fn variables(policy: &Policy, call: &ToolCall<'_>, now: SystemTime) -> Result<(), Denial> {
    let mut all = call.variables.iter();
    all.try_for_each(|variable| may_set(policy, call.agent, *variable, now))
}

/// Whether a call may set a variable, by one policy without its ancestors.
pub(super) fn may_set(
    policy: &Policy,
    agent: &str,
    (name, value): (&str, &str),
    now: SystemTime,
) -> Result<(), Denial> {
    denied(
        policy,
        agent,
        name,
        |what| matches!(what, Denied::Variables(names) if is_named(names, name)),
    )?;
    if policy.environment_agent {
        return Ok(());
    }
    let rules = policy.variables.iter();
    let rules = rules.filter(|rule| rule.names.iter().any(|known| known == name));
    let mut named = false;
    let fitting = rules.filter(|rule| {
        named = true;
        rule.value.matches(value)
    });
    let fitting: Vec<_> = fitting.map(|rule| &rule.standing).collect();
    first_in_force(policy, "variable", fitting.into_iter(), now, || {
        let reason = match named {
            true => format!("the variable `{name}` may not have this value"),
            false => format!("no rule lets a call set the variable `{name}`"),
        };
        no_rule(policy, reason, None)
    })
    .map(|_| ())
}

fn program(policy: &Policy, agent: &str, name: &str, now: SystemTime) -> Result<Allowed, Denial> {
    denied(
        policy,
        agent,
        name,
        |what| matches!(what, Denied::Programs(names) if is_named(names, name)),
    )?;
    let of = |name: &str| policy.index.programs.get(name).into_iter().flatten();
    let rules = of(name).chain(of("*"));
    let rules = rules.filter_map(|at| policy.programs.get(*at));
    let standing = rules.map(|rule| &rule.standing);
    let standing = first_in_force(policy, "program", standing, now, || {
        let reason = format!("no rule allows the program `{name}`");
        no_rule(
            policy,
            reason,
            listed("programs", policy.programs.iter(), now),
        )
    })?;
    Ok(Allowed {
        rule: format!("program:{}", standing.line),
        run: Run::Program,
    })
}

fn native(policy: &Policy, call: &NativeCall<'_>, now: SystemTime) -> Result<Allowed, Denial> {
    let judged = denied(policy, call.agent, call.program, |what| {
        what.is_native(call)
    });
    judged.map_err(|mut denial| {
        let others = || allowed_starts(policy, call.program, now);
        denial.instead = denial.instead.or_else(others);
        denial
    })?;
    let rules = policy.index.natives.get(call.program);
    let rules = rules.into_iter().flatten();
    let rules = rules.filter_map(|at| policy.natives.get(*at));
    let mut nearest: Option<Mismatch> = None;
    let mut known = false;
    let mut fitting = Vec::new();
    let protected = |path: &str| is_protected_anywhere(policy, path);
    let may_start = may_start_in(policy, call.cwd);
    for rule in rules {
        known = true;
        if !may_start || !lies_in(call.cwd, "/", &rule.cwd) {
            continue;
        }
        let grammar = &rule.grammar;
        match grammar.match_unprotected(call.arguments, call.cwd, &protected) {
            Ok(arguments) => fitting.push((rule, arguments)),
            Err(mismatch) => {
                if nearest
                    .as_ref()
                    .is_none_or(|best| mismatch.fitted > best.fitted)
                {
                    nearest = Some(mismatch);
                }
            }
        }
    }
    let standing: Vec<_> = fitting.iter().map(|(rule, _)| &rule.standing).collect();
    first_in_force(policy, "native", standing.into_iter(), now, || {
        let instead = allowed_starts(policy, call.program, now);
        no_rule(policy, misfit(call, known, nearest.as_ref()), instead)
    })?;
    // Where several rules fit, the strictest counts, wherever it stands.
    fitting.retain(|(rule, _)| rule.standing.in_force(now));
    let strictest = fitting
        .into_iter()
        .max_by(|one, other| (&one.0.start, &one.1).cmp(&(&other.0.start, &other.1)));
    let Some((rule, arguments)) = strictest else {
        return Err(no_rule(policy, misfit(call, known, None), None));
    };
    Ok(Allowed {
        rule: format!("native:{}", rule.standing.line),
        run: Run::Native(NativeTerms {
            arguments,
            cwd: rule.cwd.clone(),
            start: rule.start.clone(),
        }),
    })
}

/// How the command lines begin that a program may be started with.
fn allowed_starts(policy: &Policy, program: &str, now: SystemTime) -> Option<String> {
    let rules = policy.index.natives.get(program).into_iter().flatten();
    let rules = rules.filter_map(|at| policy.natives.get(*at));
    let rules = rules.filter(|rule| rule.standing.in_force(now));
    let name = program.rsplit('/').next().unwrap_or(program);
    let lines: std::collections::BTreeSet<_> = rules
        .map(|rule| rule.grammar.shape(name))
        .take(LISTED_MAX)
        .collect();
    if lines.is_empty() {
        let all = policy.natives.iter();
        let all = all.filter(|rule| rule.standing.in_force(now));
        let names: std::collections::BTreeSet<_> = all.map(|rule| &*rule.start.program).collect();
        let names: Vec<_> = names.into_iter().take(LISTED_MAX).collect();
        return Some(match names.is_empty() {
            true => "it allows no native programs at all".to_owned(),
            false => format!("it allows the native programs {}", names.join(", ")),
        });
    }
    let lines: Vec<_> = lines.into_iter().collect();
    Some(format!("it allows {}", lines.join(", ")))
}

fn misfit(call: &NativeCall<'_>, known: bool, nearest: Option<&Mismatch>) -> String {
    let program = call.program;
    match nearest {
        Some(Mismatch {
            fitted,
            word: Some(word),
            why,
        }) => {
            let word: String = word
                .chars()
                .take(100)
                .flat_map(char::escape_debug)
                .collect();
            let place = fitted + 1;
            let why = match why == PROTECTED {
                true => format!(": {PROTECTED}"),
                false => String::new(),
            };
            format!("no rule allows `{program}` with `{word}` as word {place}{why}")
        }
        Some(_) => format!("no rule allows `{program}` with so few words"),
        None if known => format!("no rule allows `{program}` in this folder"),
        None => format!("no rule allows the native program `{program}`"),
    }
}

fn egress(policy: &Policy, call: &EgressCall<'_>, now: SystemTime) -> Result<Allowed, Denial> {
    let Target { host, .. } = call.target;
    denied(
        policy,
        call.agent,
        host,
        |what| matches!(what, Denied::Requests(requests) if requests.match_target(call.method, call.target)),
    )?;
    let rules = policy.egress.iter();
    let fitting: Vec<_> = rules
        .filter(|rule| rule.requests.match_target(call.method, call.target))
        .collect();
    let standing = fitting.iter().map(|rule| &rule.standing);
    first_in_force(policy, "egress", standing, now, || {
        let known = policy.egress.iter().flat_map(|rule| &rule.requests.hosts);
        let reason = match known.into_iter().any(|known| known.matches(host)) {
            true => format!("no rule allows this method, port or path at `{host}`"),
            false => format!("no rule allows the host `{host}`"),
        };
        no_rule(policy, reason, None)
    })?;
    let in_force = fitting
        .into_iter()
        .filter(|rule| rule.standing.in_force(now));
    let Some(rule) = in_force.max_by_key(|rule| &rule.secret) else {
        return Err(no_rule(
            policy,
            format!("no rule allows the host `{host}`"),
            None,
        ));
    };
    Ok(Allowed {
        rule: format!("egress:{}", rule.standing.line),
        run: Run::Egress(EgressTerms {
            secret: rule.secret.clone(),
        }),
    })
}

fn file(policy: &Policy, path: &str, write: bool, now: SystemTime) -> Result<Allowed, Denial> {
    let absolute = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/workspace/{path}"),
    };
    let mounts = policy.mounts.iter();
    let mut mounts = mounts.filter(|mount| lies_in(&absolute, "/", &mount.guest));
    let (line, rule, place) = if lies_in(&absolute, "/", "/workspace") {
        (policy.workspace_line, "workspace", &policy.workspace)
    } else if let Some(mount) = mounts.next() {
        let standing = std::iter::once(&mount.standing);
        let absent = || no_rule(policy, "no such mount".to_owned(), None);
        let standing = first_in_force(policy, "mount", standing, now, absent)?;
        (standing.line, "mount", &mount.place)
    } else {
        let reason = format!("no mount shows `{path}`");
        return Err(no_rule(policy, reason, None));
    };
    if write && place.access == Access::ReadOnly {
        return Err(denial(policy, rule, line, "it is read-only".to_owned()));
    }
    if write && is_protected(policy, &absolute) {
        return Err(denial(policy, rule, line, PROTECTED.to_owned()));
    }
    Ok(Allowed {
        rule: format!("{rule}:{line}"),
        run: Run::File,
    })
}

/// Whether native programs may start in a folder: they write there without naming it.
pub(super) fn may_start_in(policy: &Policy, cwd: &str) -> bool {
    let layers = policy.layers();
    let mut covers = layers.iter().map(|layer| cover(layer, cwd));
    cwd.starts_with('/') && !cwd.contains('\0') && !covers.any(|cover| cover == Cover::Inside)
}

/// Whether a policy or one that it extends protects a path: protected names unite.
pub(super) fn is_protected_anywhere(policy: &Policy, absolute: &str) -> bool {
    let layers = policy.layers();
    layers.iter().any(|layer| is_protected(layer, absolute))
}

/// Whether an absolute guest path is a protected name, lies in one or on the way to one.
fn is_protected(policy: &Policy, absolute: &str) -> bool {
    cover(policy, absolute) != Cover::Apart
}

/// How close an absolute guest path comes to a protected name.
fn cover(policy: &Policy, absolute: &str) -> Cover {
    let names = normal_parts(absolute).unwrap_or_default();
    let Some((top, inside)) = names.split_first() else {
        return Cover::Apart;
    };
    let mounts = policy.mounts.iter();
    let mounts = mounts.filter(|mount| mount.guest.strip_prefix('/') == Some(*top));
    let workspace = (*top == "workspace").then_some(&policy.workspace);
    let places = mounts.map(|mount| &mount.place).chain(workspace);
    let protected = places.flat_map(|place| &place.protected);
    let covers = protected.map(|name| name.cover(inside));
    covers.max().unwrap_or(Cover::Apart)
}

/// Whether a list names something; `*` names everything.
pub(super) fn is_named<'a>(names: impl IntoIterator<Item = &'a String>, name: &str) -> bool {
    names.into_iter().any(|known| known == name || known == "*")
}

pub(super) fn for_agent(rule: &DenyRule, agent: &str) -> bool {
    rule.agents.is_empty() || rule.agents.iter().any(|known| known == agent)
}

/// Asks the deny rules that could be about `name`.
fn denied(
    policy: &Policy,
    agent: &str,
    name: &str,
    matches: impl Fn(&Denied) -> bool,
) -> Result<(), Denial> {
    let exact = policy.index.denied.get(name).into_iter().flatten();
    let rules = exact.chain(&policy.index.denied_widely);
    let mut rules = rules.filter_map(|at| policy.denials.get(*at));
    match rules.find(|rule| for_agent(rule, agent) && matches(&rule.what)) {
        None => Ok(()),
        Some(rule) => Err(Denial {
            instead: rule.instead.clone(),
            ..denial(policy, "deny", rule.line, rule.reason.clone())
        }),
    }
}

fn first_in_force<'a>(
    policy: &Policy,
    kind: &str,
    rules: impl Iterator<Item = &'a Standing>,
    now: SystemTime,
    absent: impl FnOnce() -> Denial,
) -> Result<&'a Standing, Denial> {
    let mut expired = None;
    for standing in rules {
        if standing.in_force(now) {
            return Ok(standing);
        }
        expired = Some(standing);
    }
    Err(match expired {
        Some(standing) => {
            let reason = format!("the rule has expired: {}", standing.reason);
            denial(policy, kind, standing.line, reason)
        }
        None => absent(),
    })
}

/// What a denial may say of the allowed names.
fn listed<'a>(
    kind: &str,
    rules: impl Iterator<Item = &'a NamesRule>,
    now: SystemTime,
) -> Option<String> {
    let rules = rules.filter(|rule| rule.standing.in_force(now));
    let names: std::collections::BTreeSet<_> = rules.flat_map(|rule| &rule.names).collect();
    let names: Vec<_> = names.into_iter().map(String::as_str).collect();
    match names.len() {
        0 => Some(format!("it allows no {kind} at all")),
        1..=LISTED_MAX => Some(format!("it allows the {kind} {}", names.join(", "))),
        _ => None,
    }
}

fn denial(policy: &Policy, rule: &str, line: usize, reason: String) -> Denial {
    Denial {
        policy: policy.name.clone(),
        rule: rule.to_owned(),
        line,
        reason,
        instead: None,
    }
}

pub(super) fn no_rule(policy: &Policy, reason: String, instead: Option<String>) -> Denial {
    Denial {
        instead,
        ..denial(policy, "default", 0, reason)
    }
}
