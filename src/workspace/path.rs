//! From the paths agents write to the paths guests see.

use std::path::Path;

use crate::workspace::WORKSPACE;

/// Top folders of the guest's world besides the workspace.
const GUEST_TOP: &[&str] = &["tmp", "bin", "usr", "dev", "etc"];

/// Longest part of a path that an error repeats.
const QUOTED_CHARS_MAX: usize = 200;

/// An absolute path that no guest can see.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: outside the workspace, which is {WORKSPACE}")]
pub struct OutsidePath(String);

/// Turns a path as an agent wrote it into a guest path: relative ones stay as they are, absolute
/// host paths inside the workspace are translated.
///
/// `mounts` are more names under `/` that guests see.
///
/// This is a courtesy to agents, not a wall: the cell resolves every path again.
///
/// # Errors
/// When the path is absolute and names neither the guest's world nor the workspace.
pub fn guest_path(
    path: &str,
    host_workspace: &Path,
    mounts: &[&str],
) -> Result<String, OutsidePath> {
    let asked = Path::new(path);
    if !path.starts_with('/') || asked.starts_with(WORKSPACE) {
        return Ok(path.to_owned());
    }
    if let Ok(inside) = asked.strip_prefix(host_workspace) {
        let inside = inside.to_str().unwrap_or_default();
        let joined = format!("{WORKSPACE}/{inside}");
        return Ok(joined.trim_end_matches('/').to_owned());
    }
    let top = path
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    if top.is_empty() || GUEST_TOP.contains(&top) || mounts.contains(&top) {
        return Ok(path.to_owned());
    }
    Err(OutsidePath(path.chars().take(QUOTED_CHARS_MAX).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_and_guest_paths_stay() {
        let host = Path::new("/home/ann/project");
        for path in [
            "",
            "a",
            "../a",
            "./a b",
            "/workspace",
            "/workspace/a",
            "/tmp/x",
            "/data/x",
            "/bin",
            "/usr/bin/ls",
            "/",
        ] {
            assert_eq!(guest_path(path, host, &["data"]).as_deref(), Ok(path));
        }
    }

    #[test]
    fn host_paths_inside_are_translated_by_whole_components() {
        let check = |path: &str, host: &str, wanted: &str| {
            assert_eq!(
                guest_path(path, Path::new(host), &[]).as_deref(),
                Ok(wanted),
                "{path}"
            );
        };
        check(
            "/home/ann/project/src/a.rs",
            "/home/ann/project",
            "/workspace/src/a.rs",
        );
        check("/home/ann/project", "/home/ann/project", "/workspace");
        check("/home/ann/project/", "/home/ann/project", "/workspace");
        check("/tmp/checkout/a", "/tmp/checkout", "/workspace/a");
        check("/workspace/a", "/workspace", "/workspace/a");
        check("/workspace/a", "/", "/workspace/a");
    }

    #[test]
    fn other_host_paths_are_answered_with_the_name_of_the_workspace() {
        let host = Path::new("/home/ann/project");
        for path in [
            "/home/ann/project2/a",
            "/home/ann",
            "/root/.ssh/id",
            "/proc/self",
            "/workspaces/a",
        ] {
            let error = guest_path(path, host, &["data"]).unwrap_err().to_string();
            assert!(
                error.contains("/workspace") && error.starts_with(path),
                "{error}"
            );
        }
        let long = format!("/x{}", "é".repeat(10_000));
        assert!(guest_path(&long, host, &[]).unwrap_err().to_string().len() < 500);
    }
}
