//! Written cases: `twins/*.toml`. A file holds `[[twin]]` tables:
//!
//! - `plan`: the row of the test plan; `about`: what is tried;
//! - `policies`: each start is decided by each; `program` and `cwd`: what its starts have;
//! - `allow` and `deny`: starts as `{ words, of, runs, why, program, cwd }`. With `of`, there is one
//!   start for each of its texts, put where `{}` stands. `runs` is the exact array that runs behind
//!   the words put first, the given words when absent; `why` a part of the denial, or several with ` | `
//!   between them, one of which it has.

use serde::Deserialize;

/// One decision and what it must be.
#[derive(Debug, Clone)]
pub struct Case {
    pub plan: String,
    /// Cases of one name belong together.
    pub twin: String,
    pub policy: String,
    pub program: String,
    pub words: Vec<String>,
    pub cwd: String,
    pub want: Want,
}

#[derive(Debug, Clone)]
pub enum Want {
    /// The whole array, without the program.
    Runs(Vec<String>),
    /// Parts, one of which the denial has.
    Denied(Vec<String>),
}

/// Words that every rule for git puts first.
pub fn git_first() -> Vec<String> {
    words(&[
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "core.pager=cat",
        "-c",
        "safe.bareRepository=explicit",
        "-c",
        "protocol.ext.allow=never",
    ])
}

/// Words that the rules of these tests put first.
pub fn first_of(program: &str) -> Vec<String> {
    match program {
        "/usr/bin/git" => git_first(),
        "/usr/bin/tar" => words(&[
            "--no-same-owner",
            "--no-same-permissions",
            "--force-local",
            "--no-overwrite-dir",
        ]),
        "/usr/bin/python3" => words(&["-I", "-S"]),
        _ => Vec::new(),
    }
}

pub fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    twin: Vec<Twin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Twin {
    plan: String,
    about: String,
    policies: Vec<String>,
    program: Option<String>,
    cwd: Option<String>,
    #[serde(default)]
    allow: Vec<Start>,
    deny: Vec<Start>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    words: Vec<String>,
    of: Option<Vec<String>>,
    runs: Option<Vec<String>>,
    why: Option<String>,
    program: Option<String>,
    cwd: Option<String>,
}

/// All cases of the files.
pub fn written() -> Vec<Case> {
    let folder = crate::top().join("tests/commands/twins");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: File =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for twin in &file.twin {
            for policy in &twin.policies {
                for (start, allow) in starts(twin) {
                    cases.extend(expand(twin, policy, start, allow));
                }
            }
        }
    }
    cases
}

fn starts(twin: &Twin) -> impl Iterator<Item = (&Start, bool)> {
    let allow = twin.allow.iter().map(|start| (start, true));
    allow.chain(twin.deny.iter().map(|start| (start, false)))
}

fn expand(twin: &Twin, policy: &str, start: &Start, allow: bool) -> Vec<Case> {
    let fill = |text: &String, with: &str| text.replace("{}", with);
    let all = |list: &[String], with: &str| list.iter().map(|word| fill(word, with)).collect();
    let once = vec!["{}".to_owned()];
    let of = start.of.as_ref().unwrap_or(&once);
    let program = start.program.clone().or(twin.program.clone());
    let program = program.unwrap_or_else(|| "/usr/bin/git".to_owned());
    let cwd = start.cwd.clone().or(twin.cwd.clone());
    let cwd = cwd.unwrap_or_else(|| "/workspace".to_owned());
    of.iter()
        .map(|with| {
            let words: Vec<String> = all(&start.words, with);
            let program = fill(&program, with);
            let want = if allow {
                let runs = match &start.runs {
                    Some(runs) => all(runs, with),
                    None => words.clone(),
                };
                Want::Runs([first_of(&program), runs].concat())
            } else {
                let shown: String = with.chars().flat_map(char::escape_debug).collect();
                let why = start.why.iter().flat_map(|why| why.split(" | "));
                Want::Denied(why.map(|part| part.replace("{}", &shown)).collect())
            };
            Case {
                plan: twin.plan.clone(),
                twin: format!("{} {}", twin.plan, twin.about),
                policy: policy.to_owned(),
                program,
                words,
                cwd: fill(&cwd, with),
                want,
            }
        })
        .collect()
}
