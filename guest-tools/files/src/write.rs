//! `write` and `write_file`: the whole content of a file, in one step.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{
    answer::{Answer, Failure},
    input::{self, Encoding},
    replace::Target,
};

/// The article's tool.
pub fn write_file(input: &[u8]) -> Result<Answer, Failure> {
    put(input, "path")?;
    Ok(Answer::new("File written successfully"))
}

/// The toolset's tool.
pub fn write(input: &[u8]) -> Result<Answer, Failure> {
    let (path, len) = put(input, "file_path")?;
    Ok(Answer::new(format!("wrote {len} bytes to {path}")))
}

/// Writes what `input` says; answers the path and the bytes written.
fn put(input: &[u8], path_name: &str) -> Result<(String, usize), Failure> {
    let input: input::Write = input::parse(input)?;
    let path = input::path_of(input.file_path, path_name)?;
    let content = input::required(input.content, "content")?;
    let content = match input.encoding {
        Encoding::Utf8 => Cow::Borrowed(content.as_bytes()),
        Encoding::Base64 => Cow::Owned(
            BASE64
                .decode(content.as_bytes())
                .map_err(|e| Failure::new(format!("content is not base64: {e}")))?,
        ),
    };
    Target::find(&path)?.replace(&path, &content, None)?;
    Ok((path.into_owned(), content.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn write_to(path: &std::path::Path, content: &str) -> Result<Answer, Failure> {
        let input = serde_json::json!({"file_path": path, "content": content});
        write(input.to_string().as_bytes())
    }

    #[test]
    fn parents_are_made_and_bytes_counted() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("a/b/c");
        let answer = write_to(&path, "é\n").expect("written");
        assert_eq!(
            answer,
            Answer::new(format!("wrote 3 bytes to {}", path.display()))
        );
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "é\n");
        let mode = std::fs::metadata(&path).expect("stat").permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        let names = std::fs::read_dir(path.parent().expect("parent"))
            .expect("list")
            .count();
        assert_eq!(names, 1, "nothing is left beside the file");
    }

    #[test]
    fn modes_links_and_other_names_are_kept() {
        let dir = tempfile::tempdir().expect("folder");
        let (file, link, other) = (
            dir.path().join("file"),
            dir.path().join("link"),
            dir.path().join("other"),
        );
        std::fs::write(&file, "old").expect("written");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o775)).expect("chmod");
        std::fs::hard_link(&file, &other).expect("link");
        symlink("file", &link).expect("symlink");
        write_to(&link, "new").expect("written");
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).expect("read"), "new");
        assert_eq!(std::fs::read_to_string(&other).expect("read"), "old");
        let mode = std::fs::metadata(&file).expect("stat").permissions().mode();
        assert_eq!(mode & 0o777, 0o775);
    }

    #[test]
    fn what_cannot_be_a_file_is_refused() {
        let dir = tempfile::tempdir().expect("folder");
        symlink("loop", dir.path().join("loop")).expect("symlink");
        std::fs::write(dir.path().join("fixed"), "x").expect("written");
        let read_only = PermissionsExt::from_mode(0o444);
        std::fs::set_permissions(dir.path().join("fixed"), read_only).expect("chmod");
        for (name, rule) in [
            ("", "is a directory"),
            ("x/", "is a directory"),
            ("x/..", "is a directory"),
            ("loop", "too many levels of symbolic links"),
            ("fixed", "permission denied (the file is read-only)"),
            ("fixed/x", "not a directory"),
        ] {
            let failure = write_to(&dir.path().join(name), "x").expect_err(name);
            assert!(
                failure.text().ends_with(&format!(": {rule}")),
                "{name}: {failure:?}"
            );
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 2);
    }

    #[test]
    fn base64_content_is_written_as_bytes() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("a");
        let input = |content: &str| {
            serde_json::json!({"path": path, "content": content, "encoding": "base64"}).to_string()
        };
        let answer = write_file(input("/wD+").as_bytes());
        assert_eq!(answer, Ok(Answer::new("File written successfully")));
        assert_eq!(std::fs::read(&path).expect("read"), b"\xff\x00\xfe");
        let failure = write_file(input("%%%").as_bytes()).expect_err("not base64");
        assert!(
            failure.text().starts_with("content is not base64"),
            "{failure:?}"
        );
    }
}
