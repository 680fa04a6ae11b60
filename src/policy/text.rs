//! A policy file as it is written: every key, its type and what it means. The JSON Schema, the
//! check for unknown keys and the reference in the documentation come from these types.

use std::collections::BTreeMap;

pub use crate::limits::Confinement;
pub use crate::policy::tool_text::{ToolKind, ToolMountText, ToolText};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::value::Datetime;

/// What an agent may do. What no rule allows is denied; any matching deny rule wins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// Version of this format: 1.
    pub version: u32,
    /// Names the policy in denials and records: 1 to 64 of A-Z a-z 0-9 . _ -
    pub name: String,
    /// One sentence for the reviewer.
    pub description: String,
    /// Who answers for the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// From this time on the policy denies everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires: Option<Datetime>,
    /// Grows with every release of the policy; a reload never goes back to a smaller one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// `required`: the file loads only with a signature by a key the configuration trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureText>,
    /// Files, relative to this one, that must all allow what this one allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extends: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: LimitsText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentText>,
    /// Tools that agents may call: built-in ones, and tools of your own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool: Vec<ToolText>,
    /// Guest programs of /bin that a call may start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub program: Vec<NamesText>,
    /// Host folders that calls see besides the workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mount: Vec<MountText>,
    /// Environment variables that a call may set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variable: Vec<VariableText>,
    /// Native programs with the arguments they may get.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub native: Vec<NativeText>,
    /// Hosts that may be asked over HTTP.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<EgressText>,
    /// Secrets, by name, that egress rules may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret: Vec<SecretText>,
    /// What is denied whatever else allows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<DenyText>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Whether the file needs a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureText {
    Required,
    Optional,
}

/// What guests may do with a mounted folder.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

impl Access {
    /// Its name in policy files.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::ReadWrite => "read-write",
        }
    }
}

/// Ceilings of one call over all its processes, and of what its session keeps. What is absent has
/// the built-in default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsText {
    /// Time, as 250ms, 120s, 15m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<String>,
    /// Memory of all processes together, as 512MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Memory of one process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_process: Option<String>,
    /// Bytes of each output stream that an answer keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Bytes of output after which the call is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_stop: Option<String>,
    /// Bytes written to files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// Units of computation, about one per instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Processes alive at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Open descriptors of all processes together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<u32>,
    /// Files, folders and links created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inodes: Option<u64>,
    /// Bytes that the session's workspace and /tmp may hold, in whole blocks of 4 KiB; holes in
    /// files count as if they were full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_disk: Option<String>,
    /// Files, folders and links that the session's workspace and /tmp may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_files: Option<u64>,
}

/// The session's own folder, which calls see as /workspace. Without this table: read-only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceText {
    pub access: Access,
    /// Names that no guest may make, change, move or remove, whether they exist or not. Relative
    /// to the workspace; `**/NAME` in every folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protected: Vec<String>,
    /// Bytes that one call may write here, as 100MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<String>,
    /// Examples, as `write src/a.rs`, that must be allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allows: Vec<String>,
    /// Examples, as `write .git/config`, that must be denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denies: Vec<String>,
}

/// Variables of a call's first process. The host's own environment is never passed on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentText {
    /// Whether a call may set any variable; otherwise those of `[[variable]]` only.
    #[serde(default)]
    pub agent: bool,
    /// Variables every call gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
}

/// Allows guest programs by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamesText {
    /// Exact names; `*` means every one.
    pub names: Vec<String>,
    /// Why this is allowed.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires: Option<Datetime>,
    /// Examples that this rule must allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allows: Vec<String>,
    /// Examples that the policy must deny.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denies: Vec<String>,
}

/// Shows a host folder to guests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MountText {
    /// Absolute path on the host.
    pub host: String,
    /// Where guests see it: a name directly under /, as /data.
    pub guest: String,
    pub access: Access,
    /// As in `[workspace]`, relative to the mounted folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protected: Vec<String>,
    /// Bytes that one call may write here, as 100MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<String>,
    /// Why guests see this folder.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires: Option<Datetime>,
    /// Examples, as `read /data/a.csv`, that must be allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allows: Vec<String>,
    /// Examples, as `write /data/a.csv`, that must be denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denies: Vec<String>,
}

/// Lets a call set variables whose values match a pattern.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VariableText {
    /// Exact names.
    pub names: Vec<String>,
    /// Regular expression for the whole value.
    pub value: String,
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires: Option<Datetime>,
    /// Examples, as `CI=true`, that this rule must allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allows: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denies: Vec<String>,
}

/// What a rule does with `--`, behind which nothing is a flag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Separator {
    /// `--` is denied.
    #[default]
    None,
    /// `--` may be written.
    Accept,
    /// `--` may be written, and is put before the operands when it is not.
    Insert,
}

/// Allows a native program with declared arguments: `args`, then flags, then operands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NativeText {
    /// Absolute path on the host; never looked up in PATH.
    pub program: String,
    /// SHA-256 of the program's file, in hexadecimal; checked at every start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Words put before the call's own, such as forced options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prepend: Vec<String>,
    /// Exact words the arguments must begin with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Flags without a value, each at most once, never abbreviated or joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Flags with a value and its pattern: `"--depth="` for one word, `"-n"` for two.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// What each operand may be; absent: there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operands: Vec<OperandText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operands_min: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operands_max: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub separator: Separator,
    /// SHA-256 of the script that the first word of `args` names; the arguments are then exactly
    /// `args`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script_sha256: Option<String>,
    /// Guest folder that the working folder must be, or lie in. Absent: /workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Variables the program gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Other files the program starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub helpers: Vec<HelperText>,
    /// What the program may see, change and start. Absent: plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// What it may do with the workspace. Absent: read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Host folders it sees beside `/usr`, read-only and at their own paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trees: Vec<String>,
    /// Ceilings of one start, its children included. What is absent has the profile's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<NativeLimitsText>,
    /// Least confinement; where the kernel cannot give it, the start is refused. Absent: full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confinement: Option<Confinement>,
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires: Option<Datetime>,
    /// Command lines, as `git status --short`, that this rule must allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allows: Vec<String>,
    /// Command lines that the policy must deny.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denies: Vec<String>,
}

/// What a native program may see, change and start, as a name for a set of terms.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Starts itself and its helpers, and nothing else. Protected names hold.
    #[default]
    Plain,
    /// As plain; may change `.git`, but for what names programs in it.
    Git,
    /// Starts what it likes, in a copy of the workspace that is thrown away.
    Build,
}

impl Profile {
    /// Its name in policy files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Git => "git",
            Self::Build => "build",
        }
    }
}

/// Ceilings of one native start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NativeLimitsText {
    /// Memory of all its processes, as 1GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Processes and threads at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Time of a processor, of any one process, as 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Time from start to end, as 60s; the call's own limit counts as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<String>,
}

/// One thing an operand may be: exactly one of the keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperandText {
    /// A path that stays in this guest folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Exactly this word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub literal: Option<String>,
    /// Regular expression for the whole word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// A file the program may start, or a folder of such files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HelperText {
    /// Absolute path on the host.
    pub path: String,
    /// SHA-256 of the file, checked at every start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Allows HTTPS requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EgressText {
    /// Exact names, or `*.example.org` for every name below one.
    pub hosts: Vec<String>,
    /// Absent: GET and HEAD.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Absent: 443.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Regular expressions, one of which must match the whole path; absent: every path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// The secret these requests carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires: Option<Datetime>,
    /// Requests, as `GET https://example.org/a`, that this rule must allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allows: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denies: Vec<String>,
}

/// Names a secret; its value is elsewhere and never in a guest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretText {
    pub name: String,
    pub reason: String,
}

/// Denies one kind of thing, for all agents or some. Exactly one of `tools`, `programs`,
/// `variables`, `native` and `hosts`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DenyText {
    /// Tools by exact name; `*` means every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// Guest programs by exact name; `*` means every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// Variables of a call by exact name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
    /// Absolute path of a native program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
    /// With `native`: exact words the arguments begin with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// With `native`: regular expression for any one whole word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
    /// Hosts, as in `[[egress]]`; `*` means every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// With `hosts`: only these methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// With `hosts`: only paths that one of these matches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Agents (names of tokens) the rule is for; absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    pub reason: String,
    /// What the agent should do instead; told with the denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// Examples that the policy must allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allows: Vec<String>,
    /// Examples that this rule must deny.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denies: Vec<String>,
}
