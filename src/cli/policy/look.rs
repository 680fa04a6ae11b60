//! `hotcell policy test`, `lint` and `fmt`.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::say;
use crate::policy::{self, Finding, Loader};

#[derive(Debug, clap::Args)]
pub(super) struct LintArgs {
    #[command(flatten)]
    file: super::File,
    /// Ends with 1 for anything untidy, too
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct FormatArgs {
    /// The policy file
    file: PathBuf,
    /// Changes nothing; ends with 1 when the file is in another form
    #[arg(long)]
    check: bool,
}

pub(super) fn test(file: &super::File) -> anyhow::Result<u8> {
    let loader = Loader {
        examples_may_fail: true,
        ..file.loader()?
    };
    let policy = loader.file(&file.file)?;
    let examples = policy::run_examples(&policy);
    let mut text = String::new();
    for example in &examples {
        let verb = if example.allow { "allows" } else { "denies" };
        let (line, written) = (example.line, &example.written);
        text += &match example.holds() {
            true => format!("ok      line {line} {verb} {written}\n"),
            false => format!(
                "FAILED  line {line} {verb} {written}: {}\n",
                example.fault()
            ),
        };
    }
    let failed = examples.iter().filter(|example| !example.holds()).count();
    text += &format!("{} examples, {failed} failed\n", examples.len());
    say(&text)?;
    Ok(if failed == 0 { 0 } else { super::NO })
}

pub(super) fn lint(args: &LintArgs) -> anyhow::Result<u8> {
    let policy = args.file.load()?;
    let mut findings = policy::lint(&policy);
    for rule in &policy.natives {
        let (line, program) = (rule.standing.line, &rule.start.program);
        findings.extend(host_finding(line, Path::new(program)));
    }
    let path = std::path::absolute(&args.file.file)?;
    for mount in policy
        .mounts
        .iter()
        .filter(|mount| path.starts_with(&mount.host))
    {
        let text = "this policy file lies in the mounted folder".to_owned();
        findings.push(finding(mount.standing.line, "policy-in-reach", text));
    }
    findings.sort_by_key(|finding| finding.line);
    let serious = findings.iter().filter(|finding| finding.serious).count();
    let mut text = String::new();
    for finding in &findings {
        let kind = if finding.serious { "danger" } else { "look" };
        let Finding {
            line,
            check,
            text: what,
            ..
        } = finding;
        text += &format!("{kind}  line {line}  {check}: {what}\n");
    }
    text += &format!("{} findings, {serious} dangerous\n", findings.len());
    say(&text)?;
    let bad = serious > 0 || (args.strict && !findings.is_empty());
    Ok(if bad { super::NO } else { 0 })
}

/// What the host says of a program: it must be there, and only root may change it or its folder.
fn host_finding(line: usize, program: &Path) -> Option<Finding> {
    let places = [Some(program), program.parent()];
    for place in places.into_iter().flatten() {
        let Ok(about) = std::fs::metadata(place) else {
            let text = format!("`{}` is not on this host", place.display());
            let absent = finding(line, "absent-program", text);
            return Some(Finding {
                serious: false,
                ..absent
            });
        };
        if about.uid() != 0 || about.mode() & 0o022 != 0 {
            let text = format!("others than root may change `{}`", place.display());
            return Some(finding(line, "writable-program", text));
        }
    }
    None
}

fn finding(line: usize, check: &'static str, text: String) -> Finding {
    Finding {
        line,
        check,
        text,
        serious: true,
    }
}

pub(super) fn format(args: &FormatArgs) -> anyhow::Result<u8> {
    let path = &args.file;
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the policy `{}`", path.display()))?;
    let formatted = policy::format(&text)
        .map_err(|fault| anyhow::anyhow!("`{}` does not parse: {fault}", path.display()))?;
    if formatted == text {
        return Ok(0);
    }
    if args.check {
        say(&format!(
            "{} is in another form: hotcell policy fmt\n",
            path.display()
        ))?;
        return Ok(super::NO);
    }
    super::replace(path, formatted.as_bytes())
        .with_context(|| format!("cannot write the policy `{}`", path.display()))?;
    Ok(0)
}
