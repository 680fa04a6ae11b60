//! Case files: `### name` starts a case, everything up to the next is its script.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// One script and where it came from.
#[derive(Debug)]
pub struct Case {
    /// `file/case`, as in `arrays/append`.
    pub name: String,
    pub script: String,
    pub file: PathBuf,
    /// Line of the `###` heading, from 1.
    pub line: usize,
}

/// Returns where a suite's files are.
pub fn folder(suite: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(suite)
}

/// Reads every `.sh` file of a suite, in order of file names.
pub fn load(suite: &str) -> Result<Vec<Case>, String> {
    let folder = folder(suite);
    let entries =
        std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "sh"))
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        cases.extend(parse(&file, &text)?);
    }
    let mut seen = HashSet::new();
    for case in &cases {
        if !seen.insert(&case.name) {
            return Err(format!(
                "{}:{}: the name {:?} is used twice",
                case.file.display(),
                case.line,
                case.name
            ));
        }
    }
    Ok(cases)
}

fn parse(file: &Path, text: &str) -> Result<Vec<Case>, String> {
    let group = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(title) = line.strip_prefix("### ") {
            cases.push(Case {
                name: format!("{group}/{}", title.trim()),
                script: String::new(),
                file: file.to_owned(),
                line: index + 1,
            });
        } else if let Some(case) = cases.last_mut() {
            case.script.push_str(line);
            case.script.push('\n');
        } else if !line.is_empty() && !line.starts_with('#') {
            return Err(format!(
                "{}:{}: a script line before the first `### name`",
                file.display(),
                index + 1
            ));
        }
    }
    for case in &mut cases {
        if let Some(line) = case.script.lines().find(|line| changes_the_host(line)) {
            return Err(format!(
                "{}:{}: case {:?} would change an absolute path, and the oracle runs it on the real \
                 system: stay in the workspace, not {line:?}",
                file.display(),
                case.line,
                case.name
            ));
        }
        case.script
            .truncate(case.script.trim_end_matches('\n').len());
        if case.script.is_empty() {
            return Err(format!(
                "{}:{}: case {:?} is empty",
                file.display(),
                case.line,
                case.name
            ));
        }
    }
    Ok(cases)
}

/// Whether a line names an absolute path to a command or a redirection that changes files. Cases
/// run natively, so one slip damages the machine; this catches the plain spellings of it, and the
/// oracle's giving up of root the rest.
fn changes_the_host(line: &str) -> bool {
    const CHANGES: &[&str] = &[
        "rm", "rmdir", "mv", "cp", "ln", "mkdir", "touch", "chmod", "chown", "truncate", "install",
        "dd", "tee", "shred", "unlink", "mkfifo", "mknod",
    ];
    // Absolute, and neither a device nor a place that exists nowhere.
    let outside = |word: &str| {
        let word = word
            .trim_start_matches(['\'', '"'])
            .trim_start_matches("of=");
        word.starts_with('/')
            && !["/dev/", "/none", "/no/"]
                .iter()
                .any(|fine| word.starts_with(fine))
    };
    // What stands in single quotes is a program's own text (sed, awk), not a path of the shell.
    let unquoted: String = line.split('\'').step_by(2).collect::<Vec<_>>().join("'");
    unquoted
        .split([';', '|', '&', '(', ')', '{', '}'])
        .any(|command| {
            let words: Vec<&str> = command.split_whitespace().collect();
            let changes = words.iter().position(|word| CHANGES.contains(word));
            let target = |index: usize| {
                let word = words[index];
                word.rsplit_once('>').is_some_and(|(_, rest)| {
                    outside(rest)
                        || rest.is_empty() && words.get(index + 1).is_some_and(|next| outside(next))
                })
            };
            changes.is_some_and(|at| words[at + 1..].iter().any(|word| outside(word)))
                || (0..words.len()).any(target)
        })
}
