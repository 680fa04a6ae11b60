//! PLACEHOLDER until the kernel is merged: every order is refused with an error that says so.

pub mod order;
pub mod pool;

/// Body of the hidden `hotcell cell` subcommand.
///
/// # Errors
/// Always, until the kernel is merged.
pub fn cell_main() -> anyhow::Result<()> {
    anyhow::bail!("this build has no cell: the kernel is not merged yet")
}
