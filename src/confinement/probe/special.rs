//! Files of a kind that no guest may leave in a folder: devices, FIFOs, sockets, set-id programs.

use super::call::{Stopped, at, bits, call, open, otherwise, remove, signed, status, text};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Nothing, Root as ByRoot};
use Wall::{Capabilities, Landlock, Seccomp};

const NAME: &str = "hotcell-probe-special";
/// The number of /dev/null, the one device nobody can do harm with.
const NULL_DEVICE: usize = 0x103;
const SET_IDS: u32 = 0o6000;

pub(super) const PROBES: &[Probe] = &[
    probe(
        "special.character_device",
        ByRoot,
        &[Seccomp, Landlock, Capabilities],
        |target| make(target, libc::S_IFCHR, NULL_DEVICE),
    ),
    probe(
        "special.block_device",
        ByRoot,
        &[Seccomp, Landlock, Capabilities],
        |target| {
            // Major number 0 belongs to no driver: the name is made, and opens nothing.
            make(target, libc::S_IFBLK, 1)
        },
    ),
    probe(
        "special.whiteout",
        Nothing,
        &[Seccomp, Landlock],
        |target| make(target, libc::S_IFCHR, 0),
    ),
    probe("special.fifo", Nothing, &[Seccomp, Landlock], |target| {
        make(target, libc::S_IFIFO, 0)
    }),
    probe("special.socket", Nothing, &[Seccomp, Landlock], |target| {
        make(target, libc::S_IFSOCK, 0)
    }),
    probe("special.regular_by_mknod", Nothing, &[Seccomp], |target| {
        make(target, libc::S_IFREG, 0)
    }),
    probe("special.set_id_by_path", Nothing, &[Seccomp], |target| {
        set_id(target, by_path)
    }),
    probe(
        "special.set_id_by_new_call",
        Needs::Feature("fchmodat2"),
        &[Seccomp],
        |target| set_id(target, by_new_call),
    ),
    probe(
        "special.set_id_by_descriptor",
        Nothing,
        &[Seccomp],
        |target| set_id(target, by_descriptor),
    ),
    probe("special.set_id_created", Nothing, &[Seccomp], |target| {
        in_folders(target, |folder| {
            let name = text(NAME)?;
            let flags = bits(libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC);
            let arguments = [signed(folder), at(name.as_c_str()), flags, 0o4755];
            let file = call("openat", libc::SYS_openat, arguments)?;
            let _ = super::call::Descriptor::of(file)?;
            has_set_id(folder)
        })
    }),
    probe("special.set_id_folder", Nothing, &[Seccomp], |target| {
        in_folders(target, |folder| {
            let name = text(NAME)?;
            let name = at(name.as_c_str());
            call("mkdirat", libc::SYS_mkdirat, [signed(folder), name, 0o700])?;
            let found = by_path(folder, name).and_then(|_| has_set_id(folder));
            let arguments = [signed(folder), name, bits(libc::AT_REMOVEDIR)];
            let _ = call("unlinkat", libc::SYS_unlinkat, arguments);
            found
        })
    }),
];

/// `openat2` has its mode in memory, where a filter cannot look, and the resolver needs the call.
/// What comes of it is a program that runs with the rights of the folder's owner, whose processes
/// could have made it as well. Folders on a mount with `nosuid` close it.
pub(super) const UNSTOPPED: Probe =
    probe("special.set_id_created_unseen", Nothing, &[], |target| {
        in_folders(target, |folder| {
            let name = text(NAME)?;
            let flags = bits(libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC);
            let how = [flags as u64, 0o4755, 0];
            let arguments = [
                signed(folder),
                at(name.as_c_str()),
                at(&how),
                size_of_val(&how),
            ];
            let file = call("openat2", libc::SYS_openat2, arguments)?;
            let _ = super::call::Descriptor::of(file)?;
            has_set_id(folder)
        })
    });

fn in_folders(target: &Target, attempt: impl Fn(i32) -> Attempt) -> Attempt {
    let mut last = otherwise("no folder is writable");
    for folder in target.writable_folders() {
        remove(folder, NAME);
        let found = attempt(folder);
        remove(folder, NAME);
        match found {
            Ok(text) => return Ok(text),
            Err(stopped) => last = stopped,
        }
    }
    Err(last)
}

fn make(target: &Target, kind: u32, device: usize) -> Attempt {
    in_folders(target, |folder| {
        let name = text(NAME)?;
        let mode = (kind | 0o600) as usize;
        let arguments = [signed(folder), at(name.as_c_str()), mode, device];
        call("mknodat", libc::SYS_mknodat, arguments)?;
        let made = status(folder, NAME)?.st_mode & libc::S_IFMT;
        if made == kind {
            Ok(format!("made a file of kind {kind:o}"))
        } else {
            Err(otherwise(format!("made a file of kind {made:o}")))
        }
    })
}

type ChangeMode = fn(i32, usize) -> Result<usize, Stopped>;

fn set_id(target: &Target, change: ChangeMode) -> Attempt {
    in_folders(target, |folder| {
        open(
            folder,
            NAME,
            libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL,
            0o700,
        )?;
        let name = text(NAME)?;
        change(folder, at(name.as_c_str()))?;
        has_set_id(folder)
    })
}

fn by_path(folder: i32, name: usize) -> Result<usize, Stopped> {
    call(
        "fchmodat",
        libc::SYS_fchmodat,
        [signed(folder), name, 0o4755],
    )
}

fn by_new_call(folder: i32, name: usize) -> Result<usize, Stopped> {
    /// The same on every architecture; the C library's table lacks it on some.
    const FCHMODAT2: libc::c_long = 452;
    call("fchmodat2", FCHMODAT2, [signed(folder), name, 0o6755, 0])
}

fn by_descriptor(folder: i32, _: usize) -> Result<usize, Stopped> {
    let file = open(folder, NAME, libc::O_WRONLY, 0)?;
    call("fchmod", libc::SYS_fchmod, [file.argument(), 0o4755])
}

fn has_set_id(folder: i32) -> Attempt {
    let mode = status(folder, NAME)?.st_mode;
    if mode & SET_IDS == 0 {
        Err(otherwise(format!("the mode became {mode:o}")))
    } else {
        Ok(format!("the mode is {mode:o}"))
    }
}
