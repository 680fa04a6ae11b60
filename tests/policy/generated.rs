//! Policies and requests made at random, small enough that they meet.

use std::collections::BTreeMap;

use hotcell::policy::text::{
    Access, Confinement, DenyText, EgressText, EnvironmentText, LimitsText, MountText, NamesText,
    NativeText, OperandText, PolicyText, Separator, ToolKind, ToolMountText, ToolText,
    VariableText, WorkspaceText,
};
use hotcell::policy::{EgressCall, NativeCall, Request, Target, ToolCall};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const TOOLS: &[&str] = &["bash", "read", "write"];
/// A tool of the operator's own, and what requests and denials may name.
const OWN_TOOL: &str = "own";
const TOOLS_AND_OWN: &[&str] = &["bash", "read", "write", OWN_TOOL];
const PROGRAMS: &[&str] = &["ls", "cat", "awk", "*"];
const VARIABLES: &[&str] = &["CI", "SEED"];
const AGENTS: &[&str] = &["ann", "bob"];
const NATIVES: &[&str] = &["/usr/bin/git", "/usr/bin/true"];
const PATTERNS: &[&str] = &["[0-9]{1,3}", "[a-c]*", "x|--?y"];
const FLAGS: &[&str] = &["-a", "-b", "--all", "--al"];
const VALUES: &[&str] = &["-n", "--n=", "--all=", "--m"];
const HOSTS: &[&str] = &["a.example.org", "b.a.example.org", "*.example.org"];
const METHODS: &[&str] = &["GET", "POST"];
const PATHS: &[&str] = &["/", "/v1/.*", "/v1/[a-c]*"];
const WORDS: &[&str] = &[
    "log",
    "gc",
    "-a",
    "-b",
    "-ab",
    "--all",
    "--al",
    "--all=12",
    "--all=x",
    "-n",
    "-n7",
    "--n=7",
    "--n",
    "7",
    "1234",
    "--m",
    "ab",
    "x",
    "--y",
    "-y",
    "--",
    "-",
    "",
    "HEAD",
    "src/a",
    "../x",
    "/workspace/b",
    "/etc/passwd",
    "a:b",
    "@f",
    "~",
    "--exec=1",
    "a/../../workspace/c",
    ".",
];

fn some(list: &'static [&'static str], least: usize) -> impl Strategy<Value = Vec<String>> {
    subsequence(list, least..=list.len())
        .prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn one(list: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(list).prop_map(str::to_owned)
}

pub fn words() -> impl Strategy<Value = Vec<String>> {
    let first = prop_oneof![3 => Just(Some("log")), 1 => Just(None)];
    let rest = prop::collection::vec(one(WORDS), 0..6);
    (first, rest)
        .prop_map(|(first, rest)| first.map(str::to_owned).into_iter().chain(rest).collect())
}

/// A policy that allows nothing.
pub fn empty() -> PolicyText {
    PolicyText {
        version: 1,
        name: "generated".to_owned(),
        description: "made by a test".to_owned(),
        ..PolicyText::default()
    }
}

fn names(list: &'static [&'static str]) -> impl Strategy<Value = NamesText> {
    some(list, 1).prop_map(|names| NamesText {
        names,
        reason: "r".to_owned(),
        ..NamesText::default()
    })
}

fn access() -> impl Strategy<Value = Access> {
    select(vec![Access::ReadOnly, Access::ReadWrite])
}

fn protected() -> impl Strategy<Value = Vec<String>> {
    some(&[".git/hooks", "**/.env", "a"], 0)
}

fn quota() -> impl Strategy<Value = Option<String>> {
    prop::option::of(one(&["1KiB", "2KiB"]))
}

fn of_names(rule: NamesText) -> ToolText {
    ToolText {
        names: rule.names,
        reason: rule.reason,
        ..ToolText::default()
    }
}

/// A tool of the operator's own, under the one name that requests ask for.
fn own_tool() -> impl Strategy<Value = ToolText> {
    let kind = prop_oneof![Just(ToolKind::Module), Just(ToolKind::Component)];
    let digest = one(&["0", "1"]).prop_map(|digit| digit.repeat(64));
    let seen = some(&["/workspace", "/tmp"], 0);
    let schema = prop::option::of(Just(toml::Table::from_iter([(
        "type".to_owned(),
        "object".into(),
    )])));
    (kind, digest, seen, access(), schema).prop_map(|(kind, sha256, seen, access, input)| {
        let access = match kind {
            ToolKind::Module => access,
            ToolKind::Component => Access::ReadOnly,
        };
        let mount = |guest: &String| ToolMountText {
            guest: guest.clone(),
            host: None,
            access,
        };
        ToolText {
            name: Some(OWN_TOOL.to_owned()),
            description: Some("d".to_owned()),
            kind: Some(kind),
            file: Some("t.wasm".to_owned()),
            sha256: Some(sha256),
            input,
            mounts: seen
                .iter()
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .map(mount)
                .collect(),
            reason: "r".to_owned(),
            ..ToolText::default()
        }
    })
}

fn mount() -> impl Strategy<Value = MountText> {
    let host = one(&["/srv/a", "/srv/a/b", "/srv/c"]);
    (host, access(), protected(), quota()).prop_map(|(host, access, protected, quota)| MountText {
        host,
        guest: "/data".to_owned(),
        access,
        protected,
        quota,
        reason: "r".to_owned(),
        expires: None,
        allows: Vec::new(),
        denies: Vec::new(),
    })
}

fn variable() -> impl Strategy<Value = VariableText> {
    (some(VARIABLES, 1), one(PATTERNS)).prop_map(|(names, value)| VariableText {
        names,
        value,
        reason: "r".to_owned(),
        ..VariableText::default()
    })
}

fn operand() -> impl Strategy<Value = OperandText> {
    prop_oneof![
        one(&["/workspace", "/workspace/src", "/"]).prop_map(|path| OperandText {
            path: Some(path),
            ..OperandText::default()
        }),
        one(&["HEAD", "-y", ""]).prop_map(|literal| OperandText {
            literal: Some(literal),
            ..OperandText::default()
        }),
        one(PATTERNS).prop_map(|pattern| OperandText {
            pattern: Some(pattern),
            ..OperandText::default()
        }),
    ]
}

pub fn native() -> impl Strategy<Value = NativeText> {
    let grammar = (
        prop_oneof![Just(vec!["log".to_owned()]), Just(Vec::new())],
        some(FLAGS, 0),
        prop::collection::btree_map(one(VALUES), one(PATTERNS), 0..3),
        prop::collection::vec(operand(), 0..3),
        0_u32..2,
        1_u32..4,
        select(vec![Separator::None, Separator::Accept, Separator::Insert]),
    );
    let confinement = select(vec![
        Confinement::Basic,
        Confinement::Strong,
        Confinement::Full,
    ]);
    (one(NATIVES), grammar, confinement).prop_map(|(program, grammar, confinement)| {
        let (args, flags, values, operands, least, most, separator) = grammar;
        let values: BTreeMap<_, _> = values
            .into_iter()
            .filter(|(name, _)| !flags.contains(name))
            .collect();
        let takes = !operands.is_empty();
        NativeText {
            program,
            args,
            flags,
            values,
            operands,
            operands_min: takes.then_some(least.min(most)),
            operands_max: takes.then_some(most),
            separator,
            confinement: Some(confinement),
            reason: "r".to_owned(),
            ..NativeText::default()
        }
    })
}

fn egress() -> impl Strategy<Value = EgressText> {
    (some(HOSTS, 1), some(METHODS, 0), some(PATHS, 0)).prop_map(|(hosts, methods, paths)| {
        EgressText {
            hosts,
            methods,
            paths,
            reason: "r".to_owned(),
            ..EgressText::default()
        }
    })
}

pub fn denial() -> impl Strategy<Value = DenyText> {
    let kind = prop_oneof![
        some(TOOLS_AND_OWN, 1).prop_map(|tools| DenyText {
            tools,
            ..DenyText::default()
        }),
        some(PROGRAMS, 1).prop_map(|programs| DenyText {
            programs,
            ..DenyText::default()
        }),
        some(VARIABLES, 1).prop_map(|variables| DenyText {
            variables,
            ..DenyText::default()
        }),
        (
            one(NATIVES),
            prop::option::of(one(&["--exec.*", "-a", "x|--?y"])),
            some(&["log"], 0)
        )
            .prop_map(|(native, word, args)| DenyText {
                native: Some(native),
                word,
                args,
                ..DenyText::default()
            }),
        (
            some(&["*", "a.example.org"], 1),
            some(METHODS, 0),
            some(PATHS, 0)
        )
            .prop_map(|(hosts, methods, paths)| DenyText {
                hosts,
                methods,
                paths,
                ..DenyText::default()
            }),
    ];
    (kind, some(AGENTS, 0)).prop_map(|(kind, agents)| DenyText {
        agents,
        reason: "r".to_owned(),
        ..kind
    })
}

pub fn text() -> impl Strategy<Value = PolicyText> {
    let few = 0..3_usize;
    let rules = (
        (
            prop::collection::vec(names(TOOLS), few.clone()),
            prop::option::of(own_tool()),
        ),
        prop::collection::vec(names(PROGRAMS), few.clone()),
        prop::option::of(mount()),
        prop::collection::vec(variable(), few.clone()),
        prop::collection::vec(native(), few.clone()),
        prop::collection::vec(egress(), few.clone()),
        prop::collection::vec(denial(), few),
    );
    let whole = (
        prop::option::of((access(), protected(), quota())),
        prop::option::of(any::<bool>()),
        prop::option::of(one(&["1s", "90s"])),
        prop::option::of(1_u32..5),
    );
    (rules, whole).prop_map(|(rules, whole)| {
        let ((named, own), program, mount, variable, native, egress, deny) = rules;
        let (workspace, agent, wall, processes) = whole;
        PolicyText {
            limits: LimitsText {
                wall,
                processes,
                ..LimitsText::default()
            },
            workspace: workspace.map(|(access, protected, quota)| WorkspaceText {
                access,
                protected,
                quota,
                allows: Vec::new(),
                denies: Vec::new(),
            }),
            environment: agent.map(|agent| EnvironmentText {
                agent,
                set: BTreeMap::new(),
            }),
            tool: named.into_iter().map(of_names).chain(own).collect(),
            program,
            mount: mount.into_iter().collect(),
            variable,
            native,
            egress,
            deny,
            ..empty()
        }
    })
}

/// A request that owns its words.
#[derive(Debug, Clone)]
pub enum Asked {
    Tool(String, String, Option<(String, String)>),
    Program(String, String),
    Native(String, String, Vec<String>),
    Egress(String, String, Target),
    File(String, bool),
}

impl Asked {
    pub fn with<T>(&self, ask: impl FnOnce(&Request<'_>) -> T) -> T {
        match self {
            Self::Tool(agent, tool, variable) => ask(&Request::Tool(ToolCall {
                agent,
                tool,
                variables: variable.iter().map(|(n, v)| (&**n, &**v)).collect(),
                timeout_ms: None,
            })),
            Self::Program(agent, name) => ask(&Request::Program { agent, name }),
            Self::Native(agent, program, arguments) => ask(&Request::Native(NativeCall {
                agent,
                program,
                arguments,
                cwd: "/workspace",
            })),
            Self::Egress(agent, method, target) => ask(&Request::Egress(EgressCall {
                agent,
                method,
                target,
            })),
            Self::File(path, write) => ask(&Request::File {
                path,
                write: *write,
            }),
        }
    }
}

pub fn asked() -> impl Strategy<Value = Asked> {
    let agent = || one(&["ann", "bob", "eve"]);
    let value = one(&["7", "ab", "x", "1234", ""]);
    let variable = prop::option::of((one(VARIABLES), value));
    let url = one(&[
        "https://a.example.org/",
        "https://b.a.example.org/v1/ab",
        "https://example.org/v1/x",
        "https://c.example.org:8443/",
    ]);
    let paths = &[
        "a",
        ".git/hooks",
        ".git/x",
        "src/.env",
        "/data/a",
        "/data/b",
        "/etc/x",
    ];
    prop_oneof![
        (agent(), one(TOOLS_AND_OWN), variable).prop_map(|(a, t, v)| Asked::Tool(a, t, v)),
        (agent(), one(&["ls", "cat", "awk", "rm"])).prop_map(|(a, p)| Asked::Program(a, p)),
        (agent(), one(NATIVES), words()).prop_map(|(a, p, w)| Asked::Native(a, p, w)),
        (agent(), one(METHODS), url).prop_map(|(a, m, u)| Asked::Egress(
            a,
            m,
            Target::read(&u).unwrap()
        )),
        (one(paths), any::<bool>()).prop_map(|(p, w)| Asked::File(p, w)),
    ]
}
