//! A policy that has been checked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::limits::Limits;
use crate::policy::egress::Requests;
use crate::policy::grammar::Grammar;
use crate::policy::own_tool::OwnTool;
use crate::policy::pattern::Pattern;
use crate::policy::protected::Protected;
use crate::policy::request::NativeCall;
use crate::policy::text::{Access, Confinement, PolicyText, Profile};

/// A policy in force. Made only by loading a file whose every key is known and whose every
/// example holds.
#[derive(Debug)]
pub struct Policy {
    /// The file's name, for people.
    pub file: String,
    pub name: String,
    pub description: String,
    pub owner: Option<String>,
    pub expires: Option<SystemTime>,
    pub serial: u64,
    /// SHA-256 in hexadecimal: of the file's bytes, and of its ancestors' digests if it has any.
    pub digest: String,
    pub limits: Limits,
    pub workspace: Place,
    /// Line of `[workspace]`; 0 when there is none.
    pub workspace_line: usize,
    pub mounts: Vec<MountRule>,
    /// Variables every call gets.
    pub environment: BTreeMap<String, String>,
    /// Whether a call may add any variable of its own.
    pub environment_agent: bool,
    pub variables: Vec<VariableRule>,
    pub tools: Vec<NamesRule>,
    /// Tools of the operator's own, by name; each is in `tools` as well.
    pub own_tools: BTreeMap<String, OwnTool>,
    pub programs: Vec<NamesRule>,
    pub natives: Vec<NativeRule>,
    pub egress: Vec<EgressRule>,
    pub secrets: Vec<String>,
    pub denials: Vec<DenyRule>,
    /// All of these must allow, too.
    pub ancestors: Vec<Arc<Policy>>,
    /// The file as it was written.
    pub text: PolicyText,
    /// Rules by the exact name or program they are about.
    pub(super) index: Index,
}

/// Places of rules in their lists, so that a long file is not walked for every decision.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) tools: HashMap<String, Vec<usize>>,
    pub(super) programs: HashMap<String, Vec<usize>>,
    pub(super) natives: HashMap<String, Vec<usize>>,
    pub(super) denied: HashMap<String, Vec<usize>>,
    /// Deny rules that are not about one exact name.
    pub(super) denied_widely: Vec<usize>,
}

impl Policy {
    /// The policy and everything it extends, itself first.
    pub fn layers(&self) -> Vec<&Self> {
        let mut layers = vec![self];
        for ancestor in &self.ancestors {
            layers.extend(ancestor.layers());
        }
        layers
    }
}

/// What every allowing rule has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// First line of the rule in its file, counted from 1.
    pub line: usize,
    pub reason: String,
    pub expires: Option<SystemTime>,
}

impl Standing {
    pub fn in_force(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|end| now < end)
    }
}

/// What guests may do in a mounted folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub access: Access,
    /// Bytes one call may write.
    pub quota: Option<u64>,
    pub protected: BTreeSet<Protected>,
}

/// Allows tools or guest programs by name.
#[derive(Debug)]
pub struct NamesRule {
    pub standing: Standing,
    pub names: Vec<String>,
}

impl NamesRule {
    pub fn every(&self) -> bool {
        self.names.iter().any(|name| name == "*")
    }
}

/// Shows a host folder to guests.
#[derive(Debug)]
pub struct MountRule {
    pub standing: Standing,
    pub host: PathBuf,
    /// `/name`.
    pub guest: String,
    pub place: Place,
}

/// Lets a call set variables.
#[derive(Debug)]
pub struct VariableRule {
    pub standing: Standing,
    pub names: Vec<String>,
    pub value: Pattern,
}

/// Allows a native program.
#[derive(Debug)]
pub struct NativeRule {
    pub standing: Standing,
    pub grammar: Grammar,
    /// Guest folder the working folder must lie in.
    pub cwd: String,
    pub start: NativeStart,
}

/// What a native start is bound to besides its words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NativeStart {
    /// Strictest first when rules are compared.
    pub confinement: Confinement,
    pub program: String,
    pub sha256: Option<String>,
    pub script_sha256: Option<String>,
    pub helpers: Vec<Helper>,
    pub prepend: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub profile: Profile,
    pub access: Access,
    pub trees: Vec<String>,
    pub limits: NativeLimits,
}

/// A file a native program may start, or a folder of such files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Helper {
    pub path: String,
    pub sha256: Option<String>,
}

/// Ceilings of one native start; what is absent has the profile's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NativeLimits {
    pub memory_bytes: Option<u64>,
    pub processes: Option<u64>,
    pub cpu_ms: Option<u64>,
    pub wall_ms: Option<u64>,
}

impl NativeLimits {
    /// The smaller of every limit.
    pub fn and(self, other: Self) -> Self {
        let least = |own: Option<u64>, theirs: Option<u64>| own.into_iter().chain(theirs).min();
        Self {
            memory_bytes: least(self.memory_bytes, other.memory_bytes),
            processes: least(self.processes, other.processes),
            cpu_ms: least(self.cpu_ms, other.cpu_ms),
            wall_ms: least(self.wall_ms, other.wall_ms),
        }
    }
}

/// Allows requests to the outside.
#[derive(Debug)]
pub struct EgressRule {
    pub standing: Standing,
    pub requests: Requests,
    /// Name of the secret the requests carry.
    pub secret: Option<String>,
}

/// Denies. Any match wins over every allowing rule.
#[derive(Debug)]
pub struct DenyRule {
    pub what: Denied,
    /// Agents the rule is for; empty for all.
    pub agents: Vec<String>,
    /// First line of the rule in its file, counted from 1.
    pub line: usize,
    pub reason: String,
    /// What the agent should do instead.
    pub instead: Option<String>,
}

/// What a deny rule is about.
#[derive(Debug)]
pub enum Denied {
    Tools(Vec<String>),
    Programs(Vec<String>),
    Variables(Vec<String>),
    Native {
        program: String,
        /// Exact words the arguments begin with.
        args: Vec<String>,
        /// Any one word.
        word: Option<Pattern>,
    },
    Requests(Requests),
}

impl Denied {
    /// Whether it is about this start of a native program.
    pub(super) fn is_native(&self, call: &NativeCall<'_>) -> bool {
        let Self::Native {
            program,
            args,
            word,
        } = self
        else {
            return false;
        };
        let any = |pattern: &Pattern| call.arguments.iter().any(|word| pattern.matches(word));
        program == call.program && call.arguments.starts_with(args) && word.as_ref().is_none_or(any)
    }
}
