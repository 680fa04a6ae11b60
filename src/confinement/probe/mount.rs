//! Changing the tree of files, or this process's place in it.

use super::call::{
    Descriptor, HERE, Stopped, at, at_mut, bits, call, open, reached, signed, steal, text,
};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Feature, Root as ByRoot};
use Wall::{Capabilities, Landlock, Root, Seccomp};

const WALLS: &[Wall] = &[Seccomp, Capabilities];
const WALLS_AND_LANDLOCK: &[Wall] = &[Seccomp, Capabilities, Landlock];
const WALLS_OF_PLACES: &[Wall] = &[Seccomp, Capabilities, Root];
const ALL_WALLS: &[Wall] = &[Seccomp, Capabilities, Landlock, Root];
const NOWHERE: usize = usize::MAX;

pub(super) const PROBES: &[Probe] = &[
    probe("mount.new", ByRoot, WALLS_AND_LANDLOCK, |_| {
        // Nothing has this name, so nothing is mounted.
        let arguments = [
            at(c"none"),
            at(c"/"),
            at(c"hotcell-no-such-file-system"),
            0,
            0,
        ];
        reached(call("mount", libc::SYS_mount, arguments), &[libc::ENODEV])
    }),
    probe("mount.bind", ByRoot, ALL_WALLS, |target| {
        // A folder cannot be bound over a file.
        let (folder, file) = (text(&target.outside_folder)?, text(&target.victim)?);
        let (folder, file) = (at(folder.as_c_str()), at(file.as_c_str()));
        let arguments = [folder, file, 0, libc::MS_BIND as usize, 0];
        let refusals = [libc::ENOTDIR, libc::EINVAL];
        reached(call("mount", libc::SYS_mount, arguments), &refusals)
    }),
    probe("mount.remount", ByRoot, ALL_WALLS, |target| {
        // The bait's folder is no mount.
        let folder = text(&target.outside_folder)?;
        let flags = (libc::MS_REMOUNT | libc::MS_BIND) as usize;
        let arguments = [0, at(folder.as_c_str()), 0, flags, 0];
        reached(call("mount", libc::SYS_mount, arguments), &[libc::EINVAL])
    }),
    probe("mount.remove", ByRoot, WALLS_OF_PLACES, |target| {
        let folder = text(&target.outside_folder)?;
        let arguments = [at(folder.as_c_str()), bits(libc::UMOUNT_NOFOLLOW)];
        reached(
            call("umount2", libc::SYS_umount2, arguments),
            &[libc::EINVAL],
        )
    }),
    probe("mount.context", ByRoot, WALLS, |_| {
        let made = call("fsopen", libc::SYS_fsopen, [at(c"tmpfs"), 0])?;
        Descriptor::of(made).map(|made| format!("descriptor {}", made.0))
    }),
    probe("mount.context_of_process", ByRoot, WALLS, |_| {
        let made = call("fsopen", libc::SYS_fsopen, [at(c"proc"), 0])?;
        Descriptor::of(made).map(|made| format!("descriptor {}", made.0))
    }),
    probe("mount.from_context", ByRoot, WALLS, |_| {
        let answer = call("fsmount", libc::SYS_fsmount, [NOWHERE, 0, 0]);
        reached(answer, &[libc::EBADF])
    }),
    probe("mount.context_of_mount", ByRoot, WALLS, |_| {
        let arguments = [signed(HERE), at(c"/"), 0];
        let made = call("fspick", libc::SYS_fspick, arguments)?;
        Descriptor::of(made).map(|made| format!("descriptor {}", made.0))
    }),
    probe("mount.copy_of_tree", ByRoot, ALL_WALLS, copy_of_tree),
    probe("mount.copy_of_inherited", ByRoot, WALLS, copy_of_inherited),
    probe("mount.move", ByRoot, WALLS, |_| {
        const FROM_DESCRIPTOR: usize = 4;
        let arguments = [NOWHERE, at(c""), NOWHERE, at(c""), FROM_DESCRIPTOR];
        let refusals = [libc::EBADF, libc::EINVAL, libc::ENOENT];
        reached(
            call("move_mount", libc::SYS_move_mount, arguments),
            &refusals,
        )
    }),
    probe("mount.attributes", ByRoot, WALLS, |_| {
        // Nothing is set and nothing cleared.
        let nothing = [0_u64; 4];
        let arguments = [
            signed(HERE),
            at(c"/"),
            0,
            at(&nothing),
            size_of_val(&nothing),
        ];
        reached(
            call("mount_setattr", libc::SYS_mount_setattr, arguments),
            &[],
        )
    }),
    probe("mount.list", Feature("listing mounts"), &[Seccomp], list),
    probe("mount.swap_root", ByRoot, ALL_WALLS, |target| {
        // Neither is a mount.
        let folder = text(&target.outside_folder)?;
        let folder = at(folder.as_c_str());
        let refusals = [libc::EINVAL, libc::EBUSY];
        reached(
            call("pivot_root", libc::SYS_pivot_root, [folder, folder]),
            &refusals,
        )
    }),
    probe(
        "mount.another_root",
        ByRoot,
        &[Seccomp, Capabilities],
        |_| {
            // The one it has: the right is asked for all the same.
            reached(call("chroot", libc::SYS_chroot, [at(c"/")]), &[])
        },
    ),
    probe("mount.climb_out_of_root", ByRoot, ALL_WALLS, climb_out),
];

/// A copy is attached to no tree and goes with its descriptor; what it shows is stolen.
fn copy_of_tree(target: &Target) -> Attempt {
    let folder = text(&target.outside_folder)?;
    let tree = copy(HERE, at(folder.as_c_str()))?;
    steal(tree.0, "canary", target)
}

fn copy_of_inherited(target: &Target) -> Attempt {
    let mut last = super::call::otherwise("no folder is writable");
    for folder in target.writable_folders() {
        match copy(folder, at(c".")) {
            Ok(tree) => return Ok(format!("descriptor {}", tree.0)),
            Err(stopped) => last = stopped,
        }
    }
    Err(last)
}

fn copy(folder: i32, path: usize) -> Result<Descriptor, Stopped> {
    const CLONE: i32 = 1;
    let flags = bits(CLONE | libc::O_CLOEXEC);
    let arguments = [signed(folder), path, flags];
    Descriptor::of(call("open_tree", libc::SYS_open_tree, arguments)?)
}

fn list(_: &Target) -> Attempt {
    /// The same on every architecture; the C library's table lacks it.
    const LIST_MOUNTS: libc::c_long = 458;
    const ROOT: u64 = u64::MAX;
    let request = [24_u64, ROOT, 0];
    let mut mounts = [0_u64; 8];
    let arguments = [at(&request), at_mut(&mut mounts), mounts.len(), 0];
    match call("listmount", LIST_MOUNTS, arguments)? {
        0 => Err(super::call::otherwise("there is no mount to see")),
        count => Ok(format!("{count} mounts")),
    }
}

/// The oldest way out: a root below the folder one is in does not hold it.
fn climb_out(target: &Target) -> Attempt {
    const CLIMB: usize = 40;
    let above = open(HERE, "/", libc::O_PATH | libc::O_DIRECTORY, 0)?;
    let folder = text(&target.outside_folder)?;
    call("chroot", libc::SYS_chroot, [at(folder.as_c_str())])?;
    let path = target.canary.display().to_string();
    let path = format!("{}{}", "../".repeat(CLIMB), path.trim_start_matches('/'));
    steal(above.0, path, target)
}
