//! Landlock: of the file system only what was granted, no TCP, no signals or sockets to outside.

use std::os::fd::OwnedFd;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath,
    Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError,
    RulesetStatus, Scope,
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
    let mut rules = nothing()?;
    for (folder, writable) in granted {
        let rights = if *writable {
            reading() | writing()
        } else {
            reading()
        };
        rules = rules.add_rule(PathBeneath::new(*folder, rights))?;
    }
    enforce(rules)
}

/// Restricts this thread, and the program it becomes, to reading below `top`, changing files below
/// `writable`, and starting what `starts` names, or everything where it names nothing.
///
/// # Errors
/// As [`restrict`].
pub(super) fn restrict_native(
    top: &OwnedFd,
    writable: &[OwnedFd],
    starts: Option<&[OwnedFd]>,
) -> Result<(), RulesetError> {
    let mut rules = nothing()?.add_rule(PathBeneath::new(top, reading()))?;
    for place in writable {
        // FIFOs are how make and shells of tests talk; who takes the changes back refuses them.
        let rights = reading() | writing() | AccessFs::MakeFifo;
        rules = rules.add_rule(PathBeneath::new(place, only_for(place, rights)))?;
    }
    let all = std::slice::from_ref(top);
    for place in starts.unwrap_or(all) {
        rules = rules.add_rule(PathBeneath::new(place, AccessFs::Execute))?;
    }
    enforce(rules)
}

/// Of these rights those that what is opened can have: a file has no names below it.
fn only_for(place: &OwnedFd, rights: BitFlags<AccessFs>) -> BitFlags<AccessFs> {
    let is_folder = rustix::fs::fstat(place)
        .is_ok_and(|about| rustix::fs::FileType::from_raw_mode(about.st_mode).is_dir());
    match is_folder {
        true => rights,
        false => rights & AccessFs::from_file(NEWEST),
    }
}

fn nothing() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()
}

fn enforce(rules: RulesetCreated) -> Result<(), RulesetError> {
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
