//! `edit`: one exact piece of a file's text for another.

use crate::{
    answer::{Answer, Failure, shown},
    input, place,
    read::READ_MAX,
    replace::Target,
};

/// Largest file an edit may leave behind, in bytes. Chosen, not measured: many short matches
/// with a long replacement must not fill the process's memory.
const RESULT_MAX: usize = 32 << 20;

/// Replaces `old_string`, which must be unique unless `replace_all` is set.
pub fn edit(input: &[u8]) -> Result<Answer, Failure> {
    let input: input::Edit = input::parse(input)?;
    let path = input::path_of(input.file_path, "file_path")?;
    let old = input::required(input.old_string, "old_string")?;
    let new = input::required(input.new_string, "new_string")?;
    if old.is_empty() {
        return Err(Failure::new("old_string is required"));
    }
    let at = |e| Failure::at(&path, &e);
    let target = Target::find(&path)?;
    let Some(before) = target.facts else {
        return Err(Failure::rule(&path, "no such file or directory"));
    };
    if before.size > READ_MAX as u64 {
        return Err(Failure::new(format!(
            "{} is {} bytes, exceeds {READ_MAX}-byte limit. Use bash (sed/awk) to edit a large \
             file.",
            shown(&path),
            before.size
        )));
    }
    let mut file = target.open().map_err(at)?;
    let bytes = place::read_whole(&mut file, before.size, READ_MAX).map_err(at)?;
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::rule(&path, "not valid UTF-8 text"))?;
    let (text, count) = substitute(&text, &old, &new, input.replace_all == Some(true), &path)?;
    target.replace(&path, text.as_bytes(), Some(&before))?;
    Ok(Answer::new(format!(
        "edited {path} ({count} replacement(s))"
    )))
}

fn substitute(
    text: &str,
    old: &str,
    new: &str,
    all: bool,
    path: &str,
) -> Result<(String, usize), Failure> {
    let count = text.matches(old).count();
    let path = shown(path);
    match count {
        0 => Err(Failure::new(format!("old_string not found in {path}"))),
        2.. if !all => Err(Failure::new(format!(
            "old_string appears {count} times in {path} (must be unique)"
        ))),
        _ => {
            let longest = text.len().saturating_add(count.saturating_mul(new.len()));
            if longest > RESULT_MAX {
                return Err(Failure::new(format!(
                    "{count} replacements would make {path} larger than {RESULT_MAX} bytes"
                )));
            }
            Ok((text.replace(old, new), count))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit_at(path: &std::path::Path, old: &str, new: &str, all: bool) -> Result<Answer, Failure> {
        let input = serde_json::json!({
            "file_path": path, "old_string": old, "new_string": new, "replace_all": all,
        });
        edit(input.to_string().as_bytes())
    }

    #[test]
    fn one_match_or_all_of_them() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("a");
        let shown = path.display();
        std::fs::write(&path, "one two two").expect("written");
        let answer = edit_at(&path, "one", "1", false);
        assert_eq!(
            answer,
            Ok(Answer::new(format!("edited {shown} (1 replacement(s))")))
        );
        let answer = edit_at(&path, "two", "2", true);
        assert_eq!(
            answer,
            Ok(Answer::new(format!("edited {shown} (2 replacement(s))")))
        );
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "1 2 2");
    }

    #[test]
    fn a_refused_edit_leaves_the_file_alone() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("a");
        let shown = path.display();
        std::fs::write(&path, "two two").expect("written");
        for (old, text) in [
            (
                "two",
                format!("old_string appears 2 times in {shown} (must be unique)"),
            ),
            ("three", format!("old_string not found in {shown}")),
            ("", "old_string is required".to_owned()),
        ] {
            assert_eq!(edit_at(&path, old, "x", false), Err(Failure::new(text)));
        }
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "two two");
        let failure = edit_at(&dir.path().join("b"), "x", "y", false).expect_err("absent");
        assert!(
            failure.text().ends_with("/b: no such file or directory"),
            "{failure:?}"
        );
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_a_conflict() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("a");
        std::fs::write(&path, "old").expect("written");
        let name = path.to_str().expect("UTF-8");
        let target = Target::find(name).expect("found");
        let before = target.facts.expect("there");
        std::fs::write(&path, "changed by another").expect("written");
        let failure = target
            .replace(name, b"mine", Some(&before))
            .expect_err("conflict");
        assert!(
            failure
                .text()
                .ends_with("changed while it was being edited; read it again")
        );
        assert_eq!(
            std::fs::read_to_string(&path).expect("read"),
            "changed by another"
        );
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_bomb_of_replacements_is_refused() {
        let text = "a".repeat(READ_MAX);
        let new = "b".repeat(1 << 20);
        let failure = substitute(&text, "a", &new, true, "f").expect_err("too large");
        assert!(
            failure
                .text()
                .starts_with("262144 replacements would make f larger")
        );
    }
}
