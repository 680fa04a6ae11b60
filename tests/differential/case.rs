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
