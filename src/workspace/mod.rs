//! What a workspace is called: host folders, and the guest paths over them. Opens nothing.

mod folder;
mod path;

pub use folder::{FolderError, current_folder_allowed};
pub use path::{OutsidePath, guest_path};

/// Where guests see the workspace.
pub const WORKSPACE: &str = "/workspace";
/// Where guests see the session's temporary folder.
pub const TMP: &str = "/tmp";
