//! Landlock: of the file system only what was granted, no TCP, no signals or sockets to outside.

use std::os::fd::OwnedFd;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

/// The oldest Landlock that is enough: it knows every way to change a file's content (Linux 6.2).
const NEEDED: ABI = ABI::V3;
/// The newest whose rights we name.
const NEWEST: ABI = ABI::V10;

/// Restricts this thread and those it starts to the granted folders.
///
/// # Errors
/// The kernel has no Landlock, or an older one than [`NEEDED`].
pub(super) fn restrict(granted: &[(&OwnedFd, bool)]) -> Result<(), RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    for (folder, writable) in granted {
        let rights = if *writable {
            reading() | writing()
        } else {
            reading()
        };
        rules = rules.add_rule(PathBeneath::new(*folder, rights))?;
    }
    // Whether a thread may take rights is asked of it again by the kernel.
    let status = rules.restrict_self()?;
    debug_assert_ne!(status.ruleset, RulesetStatus::NotEnforced);
    Ok(())
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// What guests do to files. Devices, sockets and FIFOs are not among it, nor is running one.
fn writing() -> BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::RemoveDir
        | AccessFs::RemoveFile
        | AccessFs::MakeDir
        | AccessFs::MakeReg
        | AccessFs::MakeSym
        | AccessFs::Refer
        | AccessFs::Truncate
}
