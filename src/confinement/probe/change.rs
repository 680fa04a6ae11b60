//! Looking at and changing what lies outside, without reading it. Nothing ends up different but
//! times: files are given the modes, owners and sizes they have.

use super::call::{
    Descriptor, HERE, at, at_mut, bits, call, open, otherwise, reached, remove, signed, status,
    text,
};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Nothing, Root as ByRoot};
use Wall::{Capabilities, Landlock, Root, Seccomp};

/// What a probe makes outside, and removes.
const NAME: &str = "made-by-a-probe";

pub(super) const PROBES: &[Probe] = &[
    probe("change.status", Nothing, &[Root], |target| {
        status(HERE, &target.canary).map(|found| format!("{} bytes long", found.st_size))
    }),
    probe("change.statx", Nothing, &[Root], statx),
    probe("change.access", Nothing, &[Root], |target| {
        on(
            &target.canary,
            "faccessat",
            libc::SYS_faccessat,
            [bits(libc::R_OK)],
        )
    }),
    probe("change.file_system", Nothing, &[Root, Seccomp], file_system),
    probe("change.list", Nothing, &[Root, Landlock], list),
    probe("change.list_root", Nothing, &[Root, Landlock], list_root),
    probe("change.link_text", Nothing, &[Root], link_text),
    probe("change.folder", Nothing, &[Root, Seccomp], |target| {
        let path = text(&target.outside_folder)?;
        reached(call("chdir", libc::SYS_chdir, [at(path.as_c_str())]), &[])
    }),
    probe(
        "change.open_to_write",
        Nothing,
        &[Root, Landlock],
        |target| {
            open(HERE, &target.victim, libc::O_WRONLY, 0).map(|_| "open for writing".to_owned())
        },
    ),
    probe("change.append", Nothing, &[Root, Landlock], append_nothing),
    probe(
        "change.truncate",
        Nothing,
        &[Root, Landlock, Seccomp],
        truncate,
    ),
    probe("change.mode", Nothing, &[Root], |target| {
        let mode = status(HERE, &target.victim).map_or(0o644, |found| found.st_mode & 0o777);
        on(
            &target.victim,
            "fchmodat",
            libc::SYS_fchmodat,
            [mode as usize],
        )
    }),
    probe("change.owner", Nothing, &[Root, Seccomp], owner),
    probe("change.times", Nothing, &[Root], times),
    probe(
        "change.attribute_read",
        Needs::Feature("extended attributes"),
        &[Root, Seccomp],
        attributes,
    ),
    probe(
        "change.attribute_set",
        Needs::Feature("extended attributes"),
        &[Root, Seccomp],
        set_attribute,
    ),
    probe("change.create", Nothing, &[Root, Landlock], create),
    probe(
        "change.make_folder",
        Nothing,
        &[Root, Landlock],
        make_folder,
    ),
    probe("change.make_link", Nothing, &[Root, Landlock], make_link),
    probe("change.rename", Nothing, &[Root, Landlock], rename),
    probe("change.remove", Nothing, &[Root, Landlock], remove_folder),
    probe("change.watch", Nothing, &[Seccomp, Root], watch),
    probe(
        "change.watch_all",
        ByRoot,
        &[Seccomp, Capabilities],
        watch_all,
    ),
    probe(
        "change.immutable",
        ByRoot,
        &[Seccomp, Capabilities],
        immutable,
    ),
];

/// A call of the form (folder, path, arguments).
fn on<const N: usize>(
    path: &std::path::Path,
    name: &'static str,
    number: libc::c_long,
    arguments: [usize; N],
) -> Attempt {
    let path = text(path)?;
    let mut all = [0_usize; 6];
    let given = [signed(HERE), at(path.as_c_str())]
        .into_iter()
        .chain(arguments);
    for (slot, argument) in all.iter_mut().zip(given) {
        *slot = argument;
    }
    reached(call(name, number, all), &[])
}

fn statx(target: &Target) -> Attempt {
    let mut answer = [0_u64; 64];
    let everything = 0x7ff;
    on(
        &target.canary,
        "statx",
        libc::SYS_statx,
        [0, everything, at_mut(&mut answer)],
    )
}

fn file_system(target: &Target) -> Attempt {
    let path = text(&target.canary)?;
    let mut answer = [0_u64; 32];
    let arguments = [at(path.as_c_str()), at_mut(&mut answer)];
    reached(call("statfs", libc::SYS_statfs, arguments), &[])
}

/// The names in an open folder, as the kernel packs them.
fn entries(folder: &Descriptor) -> Result<Vec<u8>, super::Stopped> {
    let mut bytes = vec![0_u8; 4096];
    let (place, room) = (at_mut(bytes.as_mut_slice()), bytes.len());
    let got = call(
        "getdents64",
        libc::SYS_getdents64,
        [folder.argument(), place, room],
    )?;
    bytes.truncate(got);
    Ok(bytes)
}

fn list(target: &Target) -> Attempt {
    let folder = open(
        HERE,
        &target.outside_folder,
        libc::O_RDONLY | libc::O_DIRECTORY,
        0,
    )?;
    let bytes = entries(&folder)?;
    if bytes.windows(6).any(|name| name == b"canary") {
        Ok("it shows the canary".to_owned())
    } else {
        Err(otherwise("it does not show the canary"))
    }
}

/// A root with anything in it is not ours.
fn list_root(_: &Target) -> Attempt {
    /// What `.` and `..` take.
    const EMPTY: usize = 48;
    let folder = open(HERE, "/", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    let bytes = entries(&folder)?;
    if bytes.len() > EMPTY {
        Ok("the root has names in it".to_owned())
    } else {
        Err(otherwise("the root is empty"))
    }
}

fn link_text(target: &Target) -> Attempt {
    let mut answer = [0_u8; 512];
    let room = answer.len();
    on(
        &target.link,
        "readlinkat",
        libc::SYS_readlinkat,
        [at_mut(&mut answer), room],
    )
}

fn append_nothing(target: &Target) -> Attempt {
    let file = open(HERE, &target.victim, libc::O_WRONLY | libc::O_APPEND, 0)?;
    let arguments = [file.argument(), at(""), 0];
    reached(call("write", libc::SYS_write, arguments), &[])
}

/// To the size it has. Where that is hidden, to a size no file can have.
fn truncate(target: &Target) -> Attempt {
    let size = status(HERE, &target.victim)
        .map_or(usize::MAX, |found| found.st_size.cast_unsigned() as usize);
    let path = text(&target.victim)?;
    reached(
        call("truncate", libc::SYS_truncate, [at(path.as_c_str()), size]),
        &[],
    )
}

fn owner(target: &Target) -> Attempt {
    let (same, flags) = (usize::MAX, 0);
    on(
        &target.victim,
        "fchownat",
        libc::SYS_fchownat,
        [same, same, flags],
    )
}

fn times(target: &Target) -> Attempt {
    // The first day of 2020, which is nobody's time.
    let times: [i64; 4] = [1_577_836_800, 0, 1_577_836_800, 0];
    on(
        &target.victim,
        "utimensat",
        libc::SYS_utimensat,
        [at(&times), 0],
    )
}

fn attributes(target: &Target) -> Attempt {
    let path = text(&target.victim)?;
    reached(
        call(
            "listxattr",
            libc::SYS_listxattr,
            [at(path.as_c_str()), 0, 0],
        ),
        &[],
    )
}

fn set_attribute(target: &Target) -> Attempt {
    let (path, name) = (text(&target.victim)?, c"user.hotcell_probe");
    let (path, name) = (at(path.as_c_str()), at(name));
    let set = call("setxattr", libc::SYS_setxattr, [path, name, at("1"), 1, 0]);
    let _ = call("removexattr", libc::SYS_removexattr, [path, name]);
    reached(set, &[])
}

fn create(target: &Target) -> Attempt {
    let path = target.outside_folder.join(NAME);
    let made = open(
        HERE,
        &path,
        libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL,
        0o600,
    );
    remove(HERE, &path.display().to_string());
    made.map(|_| "made a file".to_owned())
}

fn make_folder(target: &Target) -> Attempt {
    let path = target.outside_folder.join(NAME);
    let made = on(&path, "mkdirat", libc::SYS_mkdirat, [0o700]);
    if made.is_ok() {
        let _ = on(
            &path,
            "unlinkat",
            libc::SYS_unlinkat,
            [bits(libc::AT_REMOVEDIR)],
        );
    }
    made
}

fn make_link(target: &Target) -> Attempt {
    let path = target.outside_folder.join(NAME);
    let (to, name) = (c"nowhere", text(&path)?);
    let arguments = [at(to), signed(HERE), at(name.as_c_str())];
    let made = call("symlinkat", libc::SYS_symlinkat, arguments);
    if made.is_ok() {
        remove(HERE, &path.display().to_string());
    }
    reached(made, &[])
}

fn rename(target: &Target) -> Attempt {
    let other = target.outside_folder.join(NAME);
    let (from, to) = (text(&target.victim)?, text(&other)?);
    let (from, to, here) = (at(from.as_c_str()), at(to.as_c_str()), signed(HERE));
    let there = call("renameat2", libc::SYS_renameat2, [here, from, here, to, 0]);
    if there.is_ok() {
        let back = [here, to, here, from, 0];
        reached(call("renameat2", libc::SYS_renameat2, back), &[])?;
    }
    reached(there, &[])
}

/// The bait's folder is not empty, so a kernel that would remove it says so.
fn remove_folder(target: &Target) -> Attempt {
    let path = text(&target.outside_folder)?;
    let arguments = [signed(HERE), at(path.as_c_str()), bits(libc::AT_REMOVEDIR)];
    let answer = call("unlinkat", libc::SYS_unlinkat, arguments);
    reached(answer, &[libc::ENOTEMPTY])
}

fn watch(target: &Target) -> Attempt {
    let made = call(
        "inotify_init1",
        libc::SYS_inotify_init1,
        [bits(libc::O_CLOEXEC)],
    )?;
    let watcher = Descriptor::of(made)?;
    let path = text(&target.outside_folder)?;
    let arguments = [
        watcher.argument(),
        at(path.as_c_str()),
        libc::IN_OPEN as usize,
    ];
    reached(
        call("inotify_add_watch", libc::SYS_inotify_add_watch, arguments),
        &[],
    )
}

/// Of the class that hears of every open of a mount, and may refuse it; it marks nothing.
fn watch_all(_: &Target) -> Attempt {
    const CONTENT_CLASS: usize = 4;
    let made = call("fanotify_init", libc::SYS_fanotify_init, [CONTENT_CLASS, 0])?;
    Descriptor::of(made).map(|_| "it may refuse others their files".to_owned())
}

/// Sets it for a moment on a file of its own.
fn immutable(target: &Target) -> Attempt {
    const NAME: &str = "hotcell-probe-flag";
    const GET_FLAGS: usize = 0x8008_6601;
    const SET_FLAGS: usize = 0x4008_6602;
    const IMMUTABLE: u64 = 0x10;
    let mut last = otherwise("no folder is writable");
    for folder in target.writable_folders() {
        let file = open(folder, NAME, libc::O_RDONLY | libc::O_CREAT, 0o600)?;
        let mut flags = 0_u64;
        let get = [file.argument(), GET_FLAGS, at_mut(&mut flags)];
        let answer = call("ioctl", libc::SYS_ioctl, get).and_then(|_| {
            let wanted = flags | IMMUTABLE;
            let set = call(
                "ioctl",
                libc::SYS_ioctl,
                [file.argument(), SET_FLAGS, at(&wanted)],
            );
            let _ = call(
                "ioctl",
                libc::SYS_ioctl,
                [file.argument(), SET_FLAGS, at(&flags)],
            );
            set
        });
        remove(folder, NAME);
        match answer {
            Ok(_) => return Ok("made a file immutable, and took it back".to_owned()),
            Err(stopped) => last = stopped,
        }
    }
    Err(last)
}
