//! Verdicts, short diffs and the final count.

use super::{Answer, case::Case};

/// Most differing lines shown of one case.
const LINES_SHOWN: usize = 4;

/// What became of one case.
#[derive(Debug, Clone)]
pub enum Verdict {
    Agrees,
    /// Differs, and is listed with a reason.
    Known,
    /// Is listed, but agrees.
    Stale,
    Differs(String),
    /// One of the two runs could not be made at all.
    Failed(String),
}

/// Compares the answers to one case.
pub fn judge(expected: &Answer, actual: &Answer, known: Option<&String>) -> Verdict {
    let agrees = expected.stdout == actual.stdout && expected.status == actual.status;
    match (agrees, known) {
        (true, None) => Verdict::Agrees,
        (true, Some(_)) => Verdict::Stale,
        (false, Some(_)) => Verdict::Known,
        (false, None) => Verdict::Differs(difference(expected, actual)),
    }
}

fn difference(expected: &Answer, actual: &Answer) -> String {
    let mut text = String::new();
    if expected.status != actual.status {
        text.push_str(&format!(
            "  exit status: bash {}, hotcell {}\n",
            expected.status, actual.status
        ));
    }
    let bash: Vec<&[u8]> = expected
        .stdout
        .split_inclusive(|byte| *byte == b'\n')
        .collect();
    let ours: Vec<&[u8]> = actual
        .stdout
        .split_inclusive(|byte| *byte == b'\n')
        .collect();
    let mut shown = 0;
    for index in 0..bash.len().max(ours.len()) {
        let (left, right) = (bash.get(index), ours.get(index));
        if left == right {
            continue;
        }
        if shown == LINES_SHOWN {
            text.push_str("  …\n");
            break;
        }
        shown += 1;
        let quoted = |line: Option<&&[u8]>| {
            line.map_or("(nothing)".to_owned(), |line| {
                line.escape_ascii().to_string()
            })
        };
        text.push_str(&format!("  line {}: bash    {}\n", index + 1, quoted(left)));
        text.push_str(&format!(
            "  line {}: hotcell {}\n",
            index + 1,
            quoted(right)
        ));
    }
    for line in actual
        .stderr
        .lines()
        .filter(|line| !line.is_empty())
        .take(3)
    {
        text.push_str(&format!("  hotcell's stderr: {line}\n"));
    }
    text
}

/// Prints what failed and the count; returns whether everything is as listed.
pub fn print(suite: &str, cases: &[&Case], verdicts: &[Verdict]) -> bool {
    let (mut agree, mut known, mut failed) = (0, 0, 0);
    for (case, verdict) in cases.iter().zip(verdicts) {
        let problem = match verdict {
            Verdict::Agrees => {
                agree += 1;
                continue;
            }
            Verdict::Known => {
                known += 1;
                continue;
            }
            Verdict::Stale => {
                "  listed in divergences.toml, but it agrees: remove the entry\n".to_owned()
            }
            Verdict::Differs(difference) => difference.clone(),
            Verdict::Failed(reason) => format!("  {reason}\n"),
        };
        failed += 1;
        println!(
            "FAIL {} ({}:{})\n{problem}",
            case.name,
            case.file.display(),
            case.line
        );
    }
    println!(
        "{suite}: {} cases: {agree} agree, {known} known divergences, {failed} failed",
        cases.len()
    );
    failed == 0
}
