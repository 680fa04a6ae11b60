//! What SECURITY.md claims has a place in the code and a test, by files that exist.

use std::path::{Path, PathBuf};

/// The files a cell of the table names: whole paths, or names beside the path before them.
fn named(cell: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for word in cell.split('`').skip(1).step_by(2) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let beside = files.last().and_then(|file| file.parent());
        let places = [
            Some(root.join(word)),
            beside.map(|folder| folder.join(word)),
            Some(root.join("src/cell").join(word)),
            Some(root.join("src").join(word)),
        ];
        files.extend(
            places
                .into_iter()
                .flatten()
                .find(|place| (word.ends_with(".rs") || word.ends_with('/')) && place.exists()),
        );
    }
    files
}

#[test]
fn every_threat_has_what_stops_it_and_a_test() {
    let text = include_str!("../../SECURITY.md");
    let table = text.split("## Threats").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| id "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 18, "{} rows", rows.len());
    for row in rows {
        let [id, _, stops, test] = *row else {
            panic!("{row:?}");
        };
        let words = [
            "sessions belong",
            "hashes only",
            "every offset",
            "one fuel",
            "limits of one",
        ];
        let told = !named(stops).is_empty() || words.iter().any(|word| stops.starts_with(word));
        assert!(told, "{id}: no file that exists is named in {stops:?}");
        let is_test = |file: &PathBuf| {
            let text = file.to_string_lossy();
            text.contains("/tests/")
                || text.contains("/fuzz/")
                || std::fs::read_to_string(file)
                    .is_ok_and(|text| text.contains("#[test]") || text.contains("#[tokio::test]"))
                || file.is_dir()
        };
        assert!(
            named(test).iter().any(is_test),
            "{id}: no test that exists in {test:?}"
        );
    }
}
