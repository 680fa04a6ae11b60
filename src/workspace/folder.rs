//! Which folder `hotcell run` may take as its workspace without being told.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why the current folder is not used as a workspace unasked.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error(
        "the current folder `{0}` is too much to give to a tool: go into a project, or name it with --workspace"
    )]
    TooWide(PathBuf),
    #[error("cannot look at the folder `{path}`")]
    Look {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Refuses `/`, the home folder and the home folder's parents.
///
/// # Errors
/// [`FolderError::TooWide`] for those; [`FolderError::Look`] when the folder cannot be seen.
pub fn current_folder_allowed(folder: &Path, home: Option<&Path>) -> Result<(), FolderError> {
    let wide = std::iter::once(Path::new("/")).chain(home.into_iter().flat_map(Path::ancestors));
    let identity = |path: &Path| std::fs::metadata(path).map(|about| (about.dev(), about.ino()));
    let folder_identity = identity(folder).map_err(|source| FolderError::Look {
        path: folder.to_owned(),
        source,
    })?;
    for path in wide {
        // A home that does not exist cannot be the current folder.
        if identity(path).is_ok_and(|found| found == folder_identity) {
            return Err(FolderError::TooWide(folder.to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_the_home_and_its_parents_are_refused_under_any_name() {
        let top = tempfile::tempdir().unwrap();
        let home = top.path().join("people/ann");
        let project = home.join("project");
        std::fs::create_dir_all(&project).unwrap();
        let link = top.path().join("link");
        std::os::unix::fs::symlink(&home, &link).unwrap();
        for wide in [Path::new("/"), &home, &top.path().join("people"), &link] {
            let error = current_folder_allowed(wide, Some(&home)).unwrap_err();
            assert!(
                matches!(error, FolderError::TooWide(_)),
                "{}",
                wide.display()
            );
        }
        assert!(current_folder_allowed(&project, Some(&home)).is_ok());
        assert!(current_folder_allowed(&project, None).is_ok());
    }
}
