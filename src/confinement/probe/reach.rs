//! Reading what lies outside: the canary, by every way to a file.

use super::bait::{RawHandle, raw_handle};
use super::call::{
    Descriptor, HERE, any, at, bits, call, is_secret, open, open_descriptors, otherwise, reached,
    read_at, reads_secret, remove, signed, status, steal, text, unmap,
};
use super::call::{PAGE, Stopped, at_mut, file_type};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Nothing, Root as ByRoot};
use Wall::{Capabilities, Landlock, Root, Seccomp, UserNamespace};

/// Deeper than any folder of a test.
const CLIMB: usize = 40;

pub(super) const PROBES: &[Probe] = &[
    probe(
        "reach.absolute_path",
        Nothing,
        &[Root, Landlock],
        |target| steal(HERE, &target.canary, target),
    ),
    probe("reach.mapped", Nothing, &[Root, Landlock], mapped),
    probe("reach.path_then_proc", Nothing, &[Root, Landlock], reopened),
    probe("reach.link_outside", Nothing, &[Root, Landlock], |target| {
        steal(HERE, &target.link, target)
    }),
    probe(
        "reach.climb_from_folders",
        Nothing,
        &[Root, Landlock],
        climb,
    ),
    probe(
        "reach.climb_from_here",
        Nothing,
        &[Root, Landlock],
        |target| steal(HERE, climbing(target), target),
    ),
    probe(
        "reach.climb_after_fchdir",
        Nothing,
        &[Root, Landlock, Seccomp],
        climb_after_fchdir,
    ),
    probe(
        "reach.link_written",
        Nothing,
        &[Root, Landlock],
        link_written,
    ),
    probe("reach.hard_link", Nothing, &[Root, Landlock], hard_link),
    probe(
        "reach.hard_link_by_descriptor",
        Nothing,
        &[Root, Landlock],
        hard_link_by_descriptor,
    ),
    probe("reach.moved_in", Nothing, &[Root, Landlock], moved_in),
    probe(
        "reach.own_root_in_proc",
        Nothing,
        &[Root, Landlock],
        |target| through_proc("self/root", target),
    ),
    probe(
        "reach.thread_root_in_proc",
        Nothing,
        &[Root, Landlock],
        |target| through_proc("thread-self/root", target),
    ),
    probe(
        "reach.first_root_in_proc",
        ByRoot,
        &[Root, UserNamespace, Landlock, Capabilities],
        |target| through_proc("1/root", target),
    ),
    probe(
        "reach.broker_root_in_proc",
        Nothing,
        &[Root, UserNamespace, Landlock],
        |target| through_proc(&format!("{}/root", target.broker_pid), target),
    ),
    probe(
        "reach.broker_descriptor_in_proc",
        Nothing,
        &[Root, UserNamespace, Landlock],
        |target| {
            let (pid, number) = (target.broker_pid, target.broker_descriptor);
            steal(HERE, format!("/proc/{pid}/fd/{number}"), target)
        },
    ),
    probe(
        "reach.handle",
        ByRoot,
        &[Seccomp, Capabilities, UserNamespace],
        by_handle,
    ),
    probe("reach.handle_asked", Nothing, &[Seccomp, Root], |target| {
        raw_handle(&target.canary).map(|raw| format!("a handle of {} bytes", raw.length))
    }),
    probe(
        "reach.after_more_landlock",
        Needs::Feature("Landlock"),
        &[Root, Landlock, Seccomp],
        after_landlock,
    ),
];

/// The canary, as one sees it from the root after climbing there.
fn climbing(target: &Target) -> String {
    let path = target.canary.display().to_string();
    format!("{}{}", "../".repeat(CLIMB), path.trim_start_matches('/'))
}

fn through_proc(place: &str, target: &Target) -> Attempt {
    let path = format!("/proc/{place}{}", target.canary.display());
    steal(HERE, path, target)
}

fn mapped(target: &Target) -> Attempt {
    let file = open(HERE, &target.canary, libc::O_RDONLY, 0)?;
    let (protection, flags) = (bits(libc::PROT_READ), bits(libc::MAP_PRIVATE));
    let arguments = [0, PAGE, protection, flags, file.argument(), 0];
    let address = call("mmap", libc::SYS_mmap, arguments)?;
    let found = is_secret(&read_at(address, target.secret.len()), target);
    unmap(address);
    found
}

/// Landlock asks nothing of a descriptor that is only a place; opening it again must be asked.
fn reopened(target: &Target) -> Attempt {
    let place = open(HERE, &target.canary, libc::O_PATH, 0)?;
    steal(HERE, format!("/proc/self/fd/{}", place.0), target)
}

fn folders() -> impl Iterator<Item = i32> {
    let is_folder = |number: &i32| file_type(*number).is_ok_and(|kind| kind == libc::S_IFDIR);
    open_descriptors().into_iter().filter(is_folder)
}

fn climb(target: &Target) -> Attempt {
    any(
        folders().map(|folder| move || steal(folder, climbing(target), target)),
        "no descriptor is a folder",
    )
}

fn climb_after_fchdir(target: &Target) -> Attempt {
    let from = |folder: i32| {
        call("fchdir", libc::SYS_fchdir, [signed(folder)])?;
        steal(HERE, climbing(target), target)
    };
    any(
        folders().map(|folder| move || from(folder)),
        "no descriptor is a folder",
    )
}

const NAME: &str = "hotcell-probe-reach";

/// Runs an attempt that may leave [`NAME`] in a folder, for each writable folder.
fn in_folders(target: &Target, attempt: impl Fn(i32) -> Attempt) -> Attempt {
    let attempt = &attempt;
    let once = |folder: i32| {
        remove(folder, NAME);
        let found = attempt(folder);
        remove(folder, NAME);
        found
    };
    any(
        target.writable_folders().map(|folder| move || once(folder)),
        "no folder is writable",
    )
}

/// Making the link is a guest's right; following it must lead nowhere.
fn link_written(target: &Target) -> Attempt {
    in_folders(target, |folder| {
        let (to, name) = (text(&target.canary)?, text(NAME)?);
        let arguments = [at(to.as_c_str()), signed(folder), at(name.as_c_str())];
        call("symlinkat", libc::SYS_symlinkat, arguments)?;
        steal(folder, NAME, target)
    })
}

fn hard_link(target: &Target) -> Attempt {
    in_folders(target, |folder| {
        let (from, name) = (text(&target.canary)?, text(NAME)?);
        let arguments = [
            signed(HERE),
            at(from.as_c_str()),
            signed(folder),
            at(name.as_c_str()),
            0,
        ];
        call("linkat", libc::SYS_linkat, arguments)?;
        steal(folder, NAME, target)
    })
}

/// The classic way around a missing right to link: a descriptor's entry in /proc.
fn hard_link_by_descriptor(target: &Target) -> Attempt {
    in_folders(target, |folder| {
        let place = open(HERE, &target.canary, libc::O_PATH, 0)?;
        let (from, name) = (text(format!("/proc/self/fd/{}", place.0))?, text(NAME)?);
        let (from, name) = (at(from.as_c_str()), at(name.as_c_str()));
        let follow = bits(libc::AT_SYMLINK_FOLLOW);
        let arguments = [signed(HERE), from, signed(folder), name, follow];
        call("linkat", libc::SYS_linkat, arguments)?;
        steal(folder, NAME, target)
    })
}

fn moved_in(target: &Target) -> Attempt {
    in_folders(target, |folder| {
        let (victim, name) = (text(&target.victim)?, text(NAME)?);
        let (victim, name) = (at(victim.as_c_str()), at(name.as_c_str()));
        let (here, folder) = (signed(HERE), signed(folder));
        call(
            "renameat2",
            libc::SYS_renameat2,
            [here, victim, folder, name, 0],
        )?;
        let back = call(
            "renameat2",
            libc::SYS_renameat2,
            [folder, name, here, victim, 0],
        );
        back.map(|_| "moved a file in, and back".to_owned())
    })
}

/// A handle is a name without a path: any folder of the same file system will do to start from.
fn by_handle(target: &Target) -> Attempt {
    let Some(handle) = &target.canary_handle else {
        return Err(Stopped::Absent("the file system has no handles".to_owned()));
    };
    let mut raw = RawHandle {
        length: u32::try_from(handle.bytes.len()).unwrap_or(u32::MAX),
        kind: handle.kind,
        bytes: [0; 128],
    };
    for (slot, byte) in raw.bytes.iter_mut().zip(&handle.bytes) {
        *slot = *byte;
    }
    let raw = &mut raw;
    let mut last = otherwise("no descriptor is a folder");
    for folder in folders() {
        // A descriptor that is only a place will not do; what it is the place of can be opened.
        let here = open(folder, ".", libc::O_RDONLY | libc::O_DIRECTORY, 0);
        let from = here.as_ref().map_or(folder, |here| here.0);
        let arguments = [signed(from), at_mut(raw), bits(libc::O_RDONLY)];
        let opened = call("open_by_handle_at", libc::SYS_open_by_handle_at, arguments);
        match opened
            .and_then(Descriptor::of)
            .and_then(|file| reads_secret(&file, target))
        {
            Ok(found) => return Ok(found),
            Err(stopped) => last = stopped,
        }
    }
    Err(last)
}

/// A second ruleset that grants the whole tree must not widen the first.
fn after_landlock(target: &Target) -> Attempt {
    // Reading of files and of folders.
    let handled = 0b1100_u64;
    let arguments = [at(&handled), size_of_val(&handled), 0];
    let made = call(
        "landlock_create_ruleset",
        libc::SYS_landlock_create_ruleset,
        arguments,
    )?;
    let rules = Descriptor::of(made)?;
    let root = open(HERE, "/", libc::O_PATH | libc::O_DIRECTORY, 0)?;
    // `struct landlock_path_beneath_attr` is packed: a u64 and an i32.
    let mut rule = [0_u8; 12];
    let parts = handled
        .to_ne_bytes()
        .into_iter()
        .chain(root.0.to_ne_bytes());
    for (slot, byte) in rule.iter_mut().zip(parts) {
        *slot = byte;
    }
    let arguments = [rules.argument(), 1, at(&rule), 0];
    call("landlock_add_rule", libc::SYS_landlock_add_rule, arguments)?;
    let arguments = [bits(libc::PR_SET_NO_NEW_PRIVS), 1, 0, 0, 0];
    reached(call("prctl", libc::SYS_prctl, arguments), &[])?;
    let arguments = [rules.argument(), 0];
    call(
        "landlock_restrict_self",
        libc::SYS_landlock_restrict_self,
        arguments,
    )?;
    let size = status(HERE, &target.canary)?.st_size;
    steal(HERE, &target.canary, target).map(|found| format!("{found} of {size} bytes"))
}
