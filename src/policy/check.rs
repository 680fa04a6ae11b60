//! From a file as written to a checked policy: what the types cannot say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::time::SystemTime;

use toml::value::Datetime;

use crate::limits::Limits;
use crate::policy::check_rules;
use crate::policy::complaint::{Complaint, quoted};
use crate::policy::document::{Place, Policy, Standing};
use crate::policy::pattern::Pattern;
use crate::policy::places::{At, Places};
use crate::policy::protected::Protected;
use crate::policy::text::{Access, EnvironmentText, LimitsText, PolicyText};
use crate::quantity;
use crate::request::SessionName;

/// Version of the format that this build reads.
const VERSION: u32 = 1;
/// Names a mount may not hide.
const TAKEN: &[&str] = &[
    "bin",
    "dev",
    "etc",
    "proc",
    "sys",
    "tmp",
    "usr",
    "workspace",
];

/// Collects what is wrong while a file is read.
pub(super) struct Checker<'a> {
    pub(super) file: &'a str,
    pub(super) places: &'a Places<'a>,
    pub(super) complaints: Vec<Complaint>,
}

impl Checker<'_> {
    /// Notes a fault at a value.
    pub(super) fn fault(&mut self, at: &At, fault: impl Into<String>, remedy: impl Into<String>) {
        let (line, column) = self.places.value(at);
        self.complaints.push(Complaint {
            file: self.file.to_owned(),
            line,
            column,
            key: at.to_string(),
            fault: fault.into(),
            remedy: remedy.into(),
        });
    }

    /// The value, or a complaint.
    pub(super) fn or_fault<T>(
        &mut self,
        at: &At,
        read: Result<T, String>,
        remedy: &str,
    ) -> Option<T> {
        read.map_err(|fault| self.fault(at, fault, remedy)).ok()
    }

    pub(super) fn standing(
        &mut self,
        at: &At,
        reason: &str,
        expires: Option<&Datetime>,
    ) -> Standing {
        self.reason(at, reason);
        Standing {
            line: self.places.line(at),
            reason: reason.to_owned(),
            expires: self.time(&at.key("expires"), expires),
        }
    }

    pub(super) fn reason(&mut self, at: &At, reason: &str) {
        if reason.trim().is_empty() {
            let remedy = "say in one sentence why the rule is there";
            self.fault(&at.key("reason"), "the rule has no reason", remedy);
        }
    }

    fn time(&mut self, at: &At, written: Option<&Datetime>) -> Option<SystemTime> {
        let written = written?;
        let time = quantity::from_toml(written);
        if time.is_none() {
            let fault = format!(
                "{} has no date, time or offset",
                quoted(&written.to_string())
            );
            self.fault(at, fault, "write all three, as 2027-01-31T00:00:00Z");
        }
        time
    }

    pub(super) fn pattern(&mut self, at: &At, written: &str) -> Option<Pattern> {
        self.compiled(at, Pattern::new(written))
    }

    pub(super) fn compiled(
        &mut self,
        at: &At,
        pattern: Result<Pattern, String>,
    ) -> Option<Pattern> {
        let remedy = "write a regular expression without look-around or back references";
        self.or_fault(at, pattern, remedy)
    }

    pub(super) fn place(
        &mut self,
        at: &At,
        access: Access,
        protected: &[String],
        quota: Option<&String>,
    ) -> Place {
        let mut names = BTreeSet::new();
        for (index, written) in protected.iter().enumerate() {
            let at = at.key("protected").index(index);
            let remedy = "write a relative path, as `.git/hooks` or `**/.git/hooks`";
            names.extend(self.or_fault(&at, Protected::new(written), remedy));
        }
        let quota = quota.and_then(|written| {
            let remedy = "write a size, as \"100MiB\"";
            self.or_fault(&at.key("quota"), quantity::bytes(written), remedy)
        });
        Place {
            access,
            quota,
            protected: names,
        }
    }

    /// Complains of an empty list of names, an empty name and one given twice.
    pub(super) fn names(&mut self, at: &At, names: &[String]) {
        if names.is_empty() {
            self.fault(
                at,
                "the list is empty",
                "name at least one, or remove the rule",
            );
        }
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            let at = at.index(index);
            if name.is_empty() || name.contains(['\0', '/']) || name.trim() != name {
                let fault = format!("{} cannot be a name", quoted(name));
                self.fault(&at, fault, "write an exact name");
            } else if !seen.insert(name) {
                let fault = format!("{} stands here twice", quoted(name));
                self.fault(&at, fault, "remove one");
            }
        }
    }

    /// Complains of a host folder that cannot be mounted.
    pub(super) fn host_folder(&mut self, at: &At, host: &str) {
        let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
        let path = Path::new(host);
        if !path.is_absolute() || !path.components().all(plain) || host.contains('\0') {
            let fault = format!("{} is no absolute path", quoted(host));
            self.fault(at, fault, "write one without `..`, as /srv/data");
        } else if path.parent().is_none() {
            let remedy = "name the folder that is meant";
            self.fault(at, "the whole host is too much", remedy);
        }
    }

    /// Whether `guest` is a name directly under `/` that a mount may take.
    pub(super) fn guest_name(&mut self, at: &At, guest: &str) {
        let name = guest.strip_prefix('/').unwrap_or_default();
        let plain = SessionName::new(name).is_some();
        if !plain || TAKEN.contains(&name) {
            let fault = format!("{} cannot be a mount", quoted(guest));
            let remedy = format!(
                "write a name directly under /, as `/data`, but none of {}",
                TAKEN.join(", ")
            );
            self.fault(at, fault, remedy);
        }
    }
}

/// Checks a file; answers the policy without ancestors. Complaints are left in the checker.
pub(super) fn policy(checker: &mut Checker<'_>, text: PolicyText, digest: String) -> Policy {
    let top = At::default();
    if text.version != VERSION {
        let fault = format!("version {} is not known", text.version);
        checker.fault(&top.key("version"), fault, "write `version = 1`");
    }
    if SessionName::new(&text.name).is_none() {
        let fault = format!("{} cannot name a policy", quoted(&text.name));
        checker.fault(&top.key("name"), fault, "use 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    for (key, value) in [
        ("description", Some(&text.description)),
        ("owner", text.owner.as_ref()),
    ] {
        if value.is_some_and(|value| value.trim().is_empty()) {
            checker.fault(&top.key(key), "the text is empty", "write one sentence");
        }
    }
    let expires = checker.time(&top.key("expires"), text.expires.as_ref());
    let limits = limits(checker, &top.key("limits"), &text.limits, Limits::default());
    let environment = environment(checker, text.environment.as_ref());
    let place = text.workspace.as_ref().map(|workspace| {
        let at = top.key("workspace");
        let (access, quota) = (workspace.access, workspace.quota.as_ref());
        checker.place(&at, access, &workspace.protected, quota)
    });
    let mut policy = Policy {
        file: checker.file.to_owned(),
        name: text.name.clone(),
        description: text.description.clone(),
        owner: text.owner.clone(),
        expires,
        serial: text.serial.unwrap_or(0),
        digest,
        limits,
        workspace_line: match place {
            Some(_) => checker.places.line(&top.key("workspace")),
            None => 0,
        },
        workspace: place.unwrap_or(Place {
            access: Access::ReadOnly,
            quota: None,
            protected: BTreeSet::new(),
        }),
        mounts: Vec::new(),
        environment,
        environment_agent: text.environment.as_ref().is_some_and(|env| env.agent),
        variables: Vec::new(),
        tools: Vec::new(),
        own_tools: BTreeMap::new(),
        programs: Vec::new(),
        natives: Vec::new(),
        egress: Vec::new(),
        secrets: Vec::new(),
        denials: Vec::new(),
        ancestors: Vec::new(),
        text: PolicyText::default(),
        index: crate::policy::document::Index::default(),
    };
    check_rules::rules(checker, &text, &mut policy);
    policy.text = text;
    policy
}

fn environment(
    checker: &mut Checker<'_>,
    text: Option<&EnvironmentText>,
) -> BTreeMap<String, String> {
    let set = text.map(|text| text.set.clone()).unwrap_or_default();
    let at = At::default().key("environment").key("set");
    variables(checker, &at, &set);
    set
}

/// Complains of what cannot be a variable.
pub(super) fn variables(checker: &mut Checker<'_>, at: &At, set: &BTreeMap<String, String>) {
    for (name, value) in set {
        if !is_variable(name) || value.contains('\0') {
            let fault = format!("{} cannot be a variable", quoted(name));
            let remedy = "use letters, digits and _, no digit first, and no NUL in the value";
            checker.fault(&at.key(name), fault, remedy);
        }
    }
}

pub(super) fn is_variable(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.bytes().all(plain)
}

/// The limits a table names; those it does not name are `limits`.
pub(super) fn limits(
    checker: &mut Checker<'_>,
    at: &At,
    text: &LimitsText,
    mut limits: Limits,
) -> Limits {
    for (key, written, field) in [
        ("memory", &text.memory, &mut limits.memory_bytes),
        (
            "memory_process",
            &text.memory_process,
            &mut limits.memory_process_bytes,
        ),
        ("output", &text.output, &mut limits.output_bytes),
        (
            "output_stop",
            &text.output_stop,
            &mut limits.output_stop_bytes,
        ),
        ("written", &text.written, &mut limits.written_bytes),
        (
            "session_disk",
            &text.session_disk,
            &mut limits.session_disk_bytes,
        ),
    ] {
        if let Some(written) = written {
            let remedy = "write a size, as \"512MiB\"";
            let read = checker.or_fault(&at.key(key), quantity::bytes(written), remedy);
            *field = read.unwrap_or(*field);
        }
    }
    if let Some(written) = &text.wall {
        let remedy = "write a duration, as \"120s\"";
        let read = checker.or_fault(&at.key("wall"), quantity::duration(written), remedy);
        let ms = read.map(|wall| u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
        limits.wall_ms = ms.unwrap_or(limits.wall_ms);
        if limits.wall_ms == 0 {
            checker.fault(&at.key("wall"), "no call ends in no time", remedy);
        }
    }
    limits.fuel = text.fuel.unwrap_or(limits.fuel);
    limits.processes = text.processes.unwrap_or(limits.processes);
    limits.descriptors = text.descriptors.unwrap_or(limits.descriptors);
    limits.inodes = text.inodes.unwrap_or(limits.inodes);
    limits.session_files = text.session_files.unwrap_or(limits.session_files);
    limits
}
