//! Languages by the lines that give them away, in libmagic's words.

/// How many lines are looked at. Chosen, not measured.
const LINES: usize = 200;

/// The name and type of the language `text` is certainly in.
pub fn find(text: &str) -> Option<(&'static str, &'static str)> {
    let lower: String = text
        .chars()
        .take(256)
        .collect::<String>()
        .to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix("<?xml version=") {
        let name = if rest.starts_with("\"1.1\"") {
            "XML 1.1 document"
        } else {
            "XML 1.0 document"
        };
        return Some((name, "text/xml"));
    }
    let html = ["<!doctype html", "<html", "<head", "<body", "<title"];
    if html.iter().any(|tag| lower.starts_with(tag)) {
        return Some(("HTML document", "text/html"));
    }
    if text.starts_with("diff --git ") || text.starts_with("--- ") && text.contains("\n+++ ") {
        return Some(("unified diff output", "text/x-diff"));
    }
    let lines = || text.lines().take(LINES);
    if text.starts_with("\"\"\"") || lines().any(is_python) {
        return Some(("Python script", "text/x-script.python"));
    }
    if lines().any(is_java) {
        return Some(("Java source", "text/x-java"));
    }
    if lines().any(is_cpp) {
        return Some(("C++ source", "text/x-c++"));
    }
    if lines().any(is_c) {
        return Some(("C source", "text/x-c"));
    }
    if lines().any(|line| line.starts_with("module.exports")) {
        return Some(("JavaScript source", "application/javascript"));
    }
    None
}

fn is_python(line: &str) -> bool {
    let line = line.trim_end();
    if let Some(rest) = line.strip_prefix("from ") {
        let mut words = rest.split_whitespace();
        return words.next().is_some() && words.next() == Some("import") && words.next().is_some();
    }
    let named = line
        .strip_prefix("def ")
        .or_else(|| line.strip_prefix("class "));
    named.is_some_and(|rest| {
        let name = rest.split(['(', ':']).next().unwrap_or_default();
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let whole = rest.contains('(') || line.starts_with("class ");
        !name.is_empty() && name.chars().all(word) && whole && rest.ends_with(':')
    })
}

fn is_java(line: &str) -> bool {
    line.starts_with("import java") && line.trim_end().ends_with(';')
}

fn is_cpp(line: &str) -> bool {
    line.starts_with("template <")
        || line.starts_with("template<")
        || line.starts_with("using namespace ")
        || (line.starts_with("namespace ") || line.starts_with("class ")) && line.contains('{')
}

fn is_c(line: &str) -> bool {
    let main = line.split_once(" main(").is_some_and(|(before, _)| {
        !before.is_empty() && before.chars().all(|c| c.is_alphanumeric() || c == '_')
    });
    main || ["#include <", "#include \"", "#pragma ", "extern "]
        .iter()
        .any(|start| line.starts_with(start))
        || line.starts_with("struct ") && line.trim_end().ends_with('{')
}

/// Whether the first lines all have the same number of commas outside quotes.
pub fn is_csv(text: &str, whole: bool) -> bool {
    // As libmagic: at most ten lines count, and at least three.
    const MOST: usize = 10;
    let mut lines: Vec<&str> = text.split_inclusive('\n').take(MOST + 1).collect();
    if lines.len() <= MOST && !whole || lines.last().is_some_and(|line| !line.ends_with('\n')) {
        lines.pop();
    }
    lines.truncate(MOST);
    let commas = |line: &&str| {
        let mut quoted = false;
        line.chars()
            .filter(|c| {
                quoted ^= *c == '"';
                *c == ',' && !quoted
            })
            .count()
    };
    let counts: Vec<usize> = lines.iter().map(commas).collect();
    counts.len() > 2 && counts[0] > 0 && counts.iter().all(|count| *count == counts[0])
}
