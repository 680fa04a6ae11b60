//! Native rules, checked: the program, its grammar, its pins.

use std::path::{Component, Path};

use crate::policy::check::{Checker, variables};
use crate::policy::complaint::quoted;
use crate::policy::document::{Helper, NativeLimits, NativeRule, NativeStart};
use crate::policy::grammar::{Grammar, Operand, normal_parts};
use crate::policy::places::At;
use crate::policy::runners::{Known, known};
use crate::policy::text::{
    Access, Confinement, NativeLimitsText, NativeText, OperandText, Profile,
};
use crate::quantity;

/// Where guests see the workspace.
const WORKSPACE: &str = "/workspace";

/// Variables that name files a shell reads first, or options it takes; `LD_*` besides.
const SHELL_VARIABLES: &[&str] = &["BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "ZDOTDIR"];

/// Operands a rule takes when it does not say how many.
const OPERANDS_MAX: u32 = 16;

pub(super) fn native(checker: &mut Checker<'_>, at: &At, rule: &NativeText) -> Option<NativeRule> {
    let standing = checker.standing(at, &rule.reason, rule.expires.as_ref());
    program(checker, &at.key("program"), &rule.program);
    match known(&rule.program) {
        Some(Known::Wrapper) => {
            let fault = format!("{} starts whatever it is told to", quoted(&rule.program));
            let remedy = "name the program that is meant instead";
            checker.fault(&at.key("program"), fault, remedy);
        }
        Some(Known::Shell) if rule.script_sha256.is_none() => {
            let remedy = "allow a script with `args` and `script_sha256`, or the program it runs";
            checker.fault(&at.key("program"), "a shell runs any text", remedy);
        }
        Some(Known::Shell) => shell(checker, at, rule),
        Some(Known::Capable) | None => {}
    }
    for (key, digest) in [
        ("sha256", &rule.sha256),
        ("script_sha256", &rule.script_sha256),
    ] {
        if let Some(digest) = digest {
            sha256(checker, &at.key(key), digest);
        }
    }
    for (index, helper) in rule.helpers.iter().enumerate() {
        let at = at.key("helpers").index(index);
        program(checker, &at.key("path"), &helper.path);
        if let Some(digest) = &helper.sha256 {
            sha256(checker, &at.key("sha256"), digest);
        }
    }
    for (index, tree) in rule.trees.iter().enumerate() {
        program(checker, &at.key("trees").index(index), tree);
    }
    access(checker, at, rule);
    variables(checker, &at.key("environment"), &rule.environment);
    script(checker, at, rule);
    let cwd = rule.cwd.clone().unwrap_or_else(|| WORKSPACE.to_owned());
    guest_folder(checker, &at.key("cwd"), &cwd);
    let grammar = grammar(checker, at, rule)?;
    let helpers = rule.helpers.iter();
    let helpers = helpers.map(|helper| Helper {
        path: helper.path.clone(),
        sha256: helper.sha256.clone(),
    });
    let limits = limits(checker, &at.key("limits"), rule.limits.as_ref());
    Some(NativeRule {
        standing,
        grammar,
        cwd,
        start: NativeStart {
            confinement: rule.confinement.unwrap_or(Confinement::Full),
            program: rule.program.clone(),
            sha256: rule.sha256.clone(),
            script_sha256: rule.script_sha256.clone(),
            helpers: helpers.collect(),
            prepend: rule.prepend.clone(),
            environment: rule.environment.clone(),
            profile: rule.profile.unwrap_or_default(),
            access: rule.access.unwrap_or(Access::ReadOnly),
            trees: rule.trees.clone(),
            limits,
        },
    })
}

/// Complains of a program that is no absolute path in normal form.
pub(super) fn program(checker: &mut Checker<'_>, at: &At, program: &str) {
    let path = Path::new(program);
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let normal = path.components().collect::<std::path::PathBuf>();
    let fits = path.is_absolute()
        && path.parent().is_some()
        && path.components().all(plain)
        && normal.as_os_str() == path.as_os_str()
        && !program.contains('\0');
    if !fits {
        let fault = format!("{} is no absolute path", quoted(program));
        let remedy = "write the whole path, as /usr/bin/git: programs are never looked up";
        checker.fault(at, fault, remedy);
    }
}

/// Complains of rights that mean nothing together.
fn access(checker: &mut Checker<'_>, at: &At, rule: &NativeText) {
    if rule.profile == Some(Profile::Build) && rule.access == Some(Access::ReadWrite) {
        let remedy = "remove the key: a build writes to a copy that is thrown away";
        let fault = "a build changes nothing of the workspace";
        checker.fault(&at.key("access"), fault, remedy);
    }
}

fn limits(checker: &mut Checker<'_>, at: &At, text: Option<&NativeLimitsText>) -> NativeLimits {
    let Some(text) = text else {
        return NativeLimits::default();
    };
    let memory = text.memory.as_ref().and_then(|written| {
        let remedy = "write a size, as \"1GiB\"";
        checker.or_fault(&at.key("memory"), quantity::bytes(written), remedy)
    });
    let mut time = |key: &str, written: &Option<String>| {
        let remedy = "write a duration, as \"60s\"";
        let written = written.as_ref()?;
        let read = checker.or_fault(&at.key(key), quantity::duration(written), remedy)?;
        Some(u64::try_from(read.as_millis()).unwrap_or(u64::MAX))
    };
    let limits = NativeLimits {
        memory_bytes: memory,
        processes: text.processes.map(u64::from),
        cpu_ms: time("cpu", &text.cpu),
        wall_ms: time("wall", &text.wall),
    };
    for (key, most) in [
        ("memory", limits.memory_bytes),
        ("processes", limits.processes),
        ("cpu", limits.cpu_ms),
        ("wall", limits.wall_ms),
    ] {
        if most == Some(0) {
            checker.fault(
                &at.key(key),
                "no program runs with nothing",
                "write more than 0",
            );
        }
    }
    limits
}

fn sha256(checker: &mut Checker<'_>, at: &At, digest: &str) {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if digest.len() != 64 || !digest.bytes().all(digit) {
        let fault = format!("{} is no SHA-256", quoted(digest));
        checker.fault(
            at,
            fault,
            "write the 64 small hexadecimal digits that sha256sum prints",
        );
    }
}

fn guest_folder(checker: &mut Checker<'_>, at: &At, folder: &str) {
    let dots = folder.split('/').any(|part| part == "." || part == "..");
    if !folder.starts_with('/') || dots || normal_parts(folder).is_none() {
        let fault = format!("{} is no guest folder", quoted(folder));
        checker.fault(at, fault, "write an absolute one, as /workspace");
    }
}

fn script(checker: &mut Checker<'_>, at: &At, rule: &NativeText) {
    if rule.script_sha256.is_none() {
        return;
    }
    let loose = [
        ("flags", !rule.flags.is_empty()),
        ("values", !rule.values.is_empty()),
        ("operands", !rule.operands.is_empty()),
    ];
    for (key, _) in loose.iter().filter(|(_, given)| *given) {
        let remedy = "remove the key; give a second rule for other arguments";
        let at = at.key(key);
        checker.fault(
            &at,
            "a script is allowed with exactly the words of `args`",
            remedy,
        );
    }
    match rule.args.first() {
        // For a shell `+x` is an option as `-x` is.
        Some(script) if !script.starts_with(['-', '+']) && !script.is_empty() => {}
        _ => {
            let remedy = "make the script's path the first word of `args`";
            checker.fault(&at.key("args"), "the rule names no script", remedy);
        }
    }
}

/// Keeps a shell to its script: words before it, as `-c`, and some variables run other text.
fn shell(checker: &mut Checker<'_>, at: &At, rule: &NativeText) {
    if !rule.prepend.is_empty() {
        let remedy = "remove the key: a shell's first word is its script";
        checker.fault(&at.key("prepend"), "a shell runs what stands first", remedy);
    }
    for name in rule.environment.keys() {
        if SHELL_VARIABLES.contains(&&**name) || name.starts_with("LD_") {
            let fault = format!("{} makes a shell run other text", quoted(name));
            let at = at.key("environment").key(name);
            checker.fault(&at, fault, "remove the variable");
        }
    }
}

fn grammar(checker: &mut Checker<'_>, at: &At, rule: &NativeText) -> Option<Grammar> {
    for (index, flag) in rule.flags.iter().enumerate() {
        let at = at.key("flags").index(index);
        if !flag.starts_with('-') || flag == "-" || flag == "--" || flag.contains('\0') {
            let fault = format!("{} is no flag", quoted(flag));
            checker.fault(&at, fault, "write it with its dashes, as `--short`");
        } else if rule.values.contains_key(flag) {
            let fault = format!("{} stands in `values`, too", quoted(flag));
            checker.fault(&at, fault, "keep it in one of the two");
        }
    }
    let mut values = std::collections::BTreeMap::new();
    for (flag, pattern) in &rule.values {
        let at = at.key("values").key(flag);
        let name = flag.strip_suffix('=').unwrap_or(flag);
        if !name.starts_with('-') || matches!(name, "-" | "--") || name.contains(['=', '\0']) {
            let fault = format!("{} is no flag", quoted(flag));
            checker.fault(
                &at,
                fault,
                "write it as `--depth=` for one word, `-n` for two",
            );
        }
        values.insert(flag.clone(), checker.pattern(&at, pattern)?);
    }
    let mut operands = Vec::new();
    for (index, text) in rule.operands.iter().enumerate() {
        operands.push(operand(checker, &at.key("operands").index(index), text)?);
    }
    let most = match rule.operands.is_empty() {
        true => 0,
        false => rule.operands_max.unwrap_or(OPERANDS_MAX),
    };
    let least = rule.operands_min.unwrap_or(0);
    if least > most {
        let fault = format!("at least {least} operands, but at most {most}");
        let remedy = "give operands, or a smaller number";
        checker.fault(&at.key("operands_min"), fault, remedy);
    }
    if rule.operands.is_empty() && rule.operands_max.is_some_and(|most| most > 0) {
        let remedy = "say with `operands` what they may be";
        checker.fault(&at.key("operands_max"), "no operand is allowed", remedy);
    }
    Some(Grammar {
        args: rule.args.clone(),
        exact: rule.script_sha256.is_some(),
        flags: rule.flags.iter().cloned().collect(),
        values,
        operands,
        operands_min: usize::try_from(least).unwrap_or(usize::MAX),
        operands_max: usize::try_from(most).unwrap_or(usize::MAX),
        separator: rule.separator,
    })
}

fn operand(checker: &mut Checker<'_>, at: &At, text: &OperandText) -> Option<Operand> {
    match (&text.path, &text.literal, &text.pattern) {
        (Some(folder), None, None) => {
            guest_folder(checker, &at.key("path"), folder);
            Some(Operand::Path(folder.clone()))
        }
        (None, Some(literal), None) => Some(Operand::Literal(literal.clone())),
        (None, None, Some(pattern)) => Some(Operand::Pattern(
            checker.pattern(&at.key("pattern"), pattern)?,
        )),
        _ => {
            let remedy = "give exactly one of `path`, `literal`, `pattern`";
            checker.fault(at, "an operand is one thing", remedy);
            None
        }
    }
}
