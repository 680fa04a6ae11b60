//! Checks `[[tool]]`: names of built-in tools, or all that belongs to one of the operator's own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::policy::check::{Checker, limits, variables};
use crate::policy::complaint::quoted;
use crate::policy::document::{NamesRule, Policy};
use crate::policy::extends;
use crate::policy::own_tool::{InputSchema, OwnTool, SCHEMA_BYTES_MAX, ToolMount, ToolStart};
use crate::policy::places::At;
use crate::policy::text::Access;
use crate::policy::tool_text::{ToolKind, ToolMountText, ToolText};

/// Longest name of a tool, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Longest description, in bytes: agents read it.
const DESCRIPTION_BYTES_MAX: usize = 4 << 10;
/// Folders that every call has.
const OF_EVERY_CALL: [&str; 2] = ["/workspace", "/tmp"];

/// Adds the rules of one `[[tool]]` to the policy, whose mounts are checked.
pub(super) fn tool(checker: &mut Checker<'_>, at: &At, text: &ToolText, policy: &mut Policy) {
    let standing = checker.standing(at, &text.reason, text.expires.as_ref());
    let names = match &text.name {
        None => {
            built_in(checker, at, text);
            text.names.clone()
        }
        Some(name) => {
            if !text.names.is_empty() {
                let fault = "the rule has `names` and `name`";
                let remedy = "use `names` for built-in tools, and a rule of its own for yours";
                checker.fault(&at.key("names"), fault, remedy);
            }
            if let Some(own) = own(checker, at, name, text, policy)
                && policy.own_tools.insert(name.clone(), own).is_some()
            {
                let fault = format!("{} is defined twice", quoted(name));
                checker.fault(&at.key("name"), fault, "give each tool a name of its own");
            }
            vec![name.clone()]
        }
    };
    policy.tools.push(NamesRule { standing, names });
}

fn built_in(checker: &mut Checker<'_>, at: &At, text: &ToolText) {
    if let Some(every) = text.names.iter().position(|name| name == "*") {
        let remedy = "name the tools, as `bash`: only programs are allowed by `*`";
        let at = at.key("names").index(every);
        checker.fault(&at, "`*` names no tool", remedy);
    }
    checker.names(&at.key("names"), &text.names);
    for (key, given) in [
        ("description", text.description.is_some()),
        ("kind", text.kind.is_some()),
        ("file", text.file.is_some()),
        ("sha256", text.sha256.is_some()),
        ("input", text.input.is_some()),
        ("mounts", !text.mounts.is_empty()),
        ("environment", !text.environment.is_empty()),
        ("limits", text.limits.is_some()),
    ] {
        if given {
            let fault = "a rule for built-in tools has no such key";
            let remedy = "use it with `name`, for a tool of your own";
            checker.fault(&at.key(key), fault, remedy);
        }
    }
}

fn own(
    checker: &mut Checker<'_>,
    at: &At,
    name: &str,
    text: &ToolText,
    policy: &Policy,
) -> Option<OwnTool> {
    check_name(checker, &at.key("name"), name, policy);
    let missing = misses(checker, at, text);
    let (kind, file, sha256) = (text.kind?, text.file.as_ref()?, text.sha256.as_ref()?);
    let description = text.description.as_ref()?;
    if description.trim().is_empty() || description.len() > DESCRIPTION_BYTES_MAX {
        let remedy = format!("write what it does, in at most {DESCRIPTION_BYTES_MAX} bytes");
        checker.fault(&at.key("description"), "this is no description", remedy);
    }
    if sha256.len() != 64
        || !sha256
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    {
        let fault = format!("{} is no SHA-256", quoted(sha256));
        let remedy = "write 64 digits of 0-9 a-f; `hotcell tool check FILE` tells them";
        checker.fault(&at.key("sha256"), fault, remedy);
    }
    if file.is_empty() || file.contains('\0') {
        checker.fault(
            &at.key("file"),
            "this names no file",
            "name the WebAssembly file",
        );
    }
    variables(checker, &at.key("environment"), &text.environment);
    let own_limits = text
        .limits
        .as_ref()
        .map(|text| limits(checker, &at.key("limits"), text, policy.limits.clone()));
    let (input, schema) = schema(checker, &at.key("input"), text)?;
    let start = ToolStart {
        kind,
        sha256: sha256.clone(),
        mounts: mounts(checker, &at.key("mounts"), kind, (&text.mounts, policy)),
        environment: text.environment.clone(),
        input: Arc::new(input),
        code: None,
    };
    (!missing).then(|| OwnTool {
        name: name.to_owned(),
        description: description.clone(),
        file: PathBuf::from(file),
        input: schema,
        limits: own_limits.map_or_else(
            || policy.limits.clone(),
            |own| extends::limits(&own, &policy.limits),
        ),
        start,
    })
}

/// Complains of keys that every tool of one's own has.
fn misses(checker: &mut Checker<'_>, at: &At, text: &ToolText) -> bool {
    let mut missing = false;
    for (key, given, remedy) in [
        (
            "description",
            text.description.is_some(),
            "say what it does, to agents",
        ),
        (
            "kind",
            text.kind.is_some(),
            "write `kind = \"module\"` or \"component\"",
        ),
        ("file", text.file.is_some(), "name the WebAssembly file"),
        (
            "sha256",
            text.sha256.is_some(),
            "`hotcell tool check FILE` tells it",
        ),
    ] {
        if !given {
            checker.fault(&at.key(key), "the key is missing", remedy);
            missing = true;
        }
    }
    missing
}

fn check_name(checker: &mut Checker<'_>, at: &At, name: &str, policy: &Policy) {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
    let begins = name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    if !begins || name.len() > NAME_BYTES_MAX || !name.bytes().all(letter) {
        let fault = format!("{} cannot name a tool", quoted(name));
        checker.fault(
            at,
            fault,
            "use 1 to 64 of a-z 0-9 - _, a letter or digit first",
        );
    }
    // Shells start both by this name.
    let mut natives = policy.natives.iter().map(|rule| &*rule.start.program);
    let native = natives.find(|program| program.rsplit('/').next() == Some(name));
    if let Some(program) = native {
        let fault = format!(
            "{} is the name of a native program, {}",
            quoted(name),
            quoted(program)
        );
        checker.fault(at, fault, "give the tool another name");
    }
}

/// The schema as JSON, and ready to hold inputs against.
fn schema(checker: &mut Checker<'_>, at: &At, text: &ToolText) -> Option<(Value, InputSchema)> {
    let written = match &text.input {
        None => Ok(serde_json::json!({"type": "object"})),
        Some(table) => serde_json::to_value(table).map_err(|error| error.to_string()),
    };
    let remedy = "write a JSON Schema as a table: numbers, strings, lists and tables, no dates";
    let schema = checker.or_fault(at, written, remedy)?;
    if schema.to_string().len() > SCHEMA_BYTES_MAX {
        let fault = format!("the schema has over {SCHEMA_BYTES_MAX} bytes");
        checker.fault(at, fault, "describe the input in fewer words");
        return None;
    }
    if has_date(&text.input) {
        checker.fault(at, "JSON has no dates", remedy);
        return None;
    }
    let remedy = "correct the JSON Schema; it may refer to itself (`#/…`) and to nothing else";
    let ready = checker.or_fault(at, InputSchema::new(&schema), remedy)?;
    Some((schema, ready))
}

/// A date of TOML would become a table of the serialiser's own.
fn has_date(table: &Option<toml::Table>) -> bool {
    fn any(value: &toml::Value) -> bool {
        match value {
            toml::Value::Datetime(_) => true,
            toml::Value::Array(list) => list.iter().any(any),
            toml::Value::Table(table) => table.values().any(any),
            toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_) => false,
        }
    }
    table.iter().flat_map(|table| table.values()).any(any)
}

fn mounts(
    checker: &mut Checker<'_>,
    at: &At,
    kind: ToolKind,
    (written, policy): (&[ToolMountText], &Policy),
) -> Vec<ToolMount> {
    let mut known = BTreeSet::new();
    for (index, mount) in written.iter().enumerate() {
        let at = at.index(index);
        let guest = &*mount.guest;
        if !known.insert(guest) {
            let fault = format!("{} stands here twice", quoted(guest));
            checker.fault(&at.key("guest"), fault, "remove one");
        }
        // The component's files are opened by a library that knows no protected names, no quotas
        // and no second names of a file.
        if kind == ToolKind::Component && mount.access == Access::ReadWrite {
            let remedy = "write \"read-only\"; a tool that changes files is a module, and a \
                component answers on its standard output";
            checker.fault(&at.key("access"), "a component only reads", remedy);
        }
        match &mount.host {
            Some(host) => own_folder(checker, &at, guest, (host, policy)),
            None if OF_EVERY_CALL.contains(&guest) => {}
            None if policy.mounts.iter().any(|known| known.guest == guest) => {}
            None => {
                let fault = format!("calls have no folder {}", quoted(guest));
                let mut names: Vec<_> = OF_EVERY_CALL.to_vec();
                names.extend(policy.mounts.iter().map(|known| &*known.guest));
                let remedy = format!("write one of {}, or add `host`", names.join(", "));
                checker.fault(&at.key("guest"), fault, remedy);
            }
        }
    }
    let mount = |mount: &ToolMountText| ToolMount {
        guest: mount.guest.clone(),
        host: mount.host.as_ref().map(PathBuf::from),
        access: mount.access,
    };
    written.iter().map(mount).collect()
}

fn own_folder(checker: &mut Checker<'_>, at: &At, guest: &str, (host, policy): (&str, &Policy)) {
    checker.host_folder(&at.key("host"), host);
    checker.guest_name(&at.key("guest"), guest);
    if policy.mounts.iter().any(|known| known.guest == guest) {
        let fault = format!("{} is a mount of the policy", quoted(guest));
        checker.fault(
            &at.key("guest"),
            fault,
            "remove `host`, or use another name",
        );
    }
}
