//! Memory that can be written and run: machine code brought in from outside.

use super::call::{
    Descriptor, HERE, PAGE, Stopped, any, at, bits, call, file_type, map_page, open,
    open_descriptors, otherwise, reached, read_at, remove, unmap, write_at,
};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Feature, Nothing};
use Wall::{Hidden, Inheritance, Landlock, Limits, Root, Seccomp};

const READ: i32 = libc::PROT_READ;
const WRITE: i32 = libc::PROT_WRITE;
const RUN: i32 = libc::PROT_EXEC;
const NAME: &str = "hotcell-probe-code";
/// More than a sealed process may lock, which is nothing, and what most systems let any user.
const LOCKED: usize = 1 << 20;

pub(super) const PROBES: &[Probe] = &[
    probe("memory.write_and_run", Nothing, &[Seccomp], |_| {
        mapped(READ | WRITE | RUN, 0)
    }),
    probe("memory.run", Nothing, &[Seccomp], |_| mapped(READ | RUN, 0)),
    probe("memory.run_only", Nothing, &[Seccomp], |_| mapped(RUN, 0)),
    probe("memory.run_with_high_bit", Nothing, &[Seccomp], |_| {
        mapped(RUN, 1 << 32)
    }),
    probe("memory.written_then_run", Nothing, &[Seccomp], |_| {
        changed(protect, READ | RUN)
    }),
    probe("memory.written_and_run", Nothing, &[Seccomp], |_| {
        changed(protect, READ | WRITE | RUN)
    }),
    probe(
        "memory.written_then_run_with_key",
        Nothing,
        &[Seccomp],
        |_| changed(protect_with_key, READ | RUN),
    ),
    probe("memory.own_code_writable", Nothing, &[Seccomp], own_code),
    probe("memory.file_of_memory", Nothing, &[Seccomp], |_| {
        let made = call("memfd_create", libc::SYS_memfd_create, [at(c"code"), 0])?;
        map_file(&Descriptor::of(made)?, libc::MAP_PRIVATE)
    }),
    probe(
        "memory.secret_file",
        Feature("secret memory"),
        &[Seccomp],
        |_| {
            let made = call("memfd_secret", SECRET_MEMORY, [0])?;
            Descriptor::of(made).map(|file| format!("descriptor {}", file.0))
        },
    ),
    probe("memory.written_file", Nothing, &[Seccomp, Root], |target| {
        written(target, |file| map_file(file, libc::MAP_PRIVATE))
    }),
    probe(
        "memory.written_file_shared",
        Nothing,
        &[Seccomp, Root],
        |target| written(target, |file| map_file(file, libc::MAP_SHARED)),
    ),
    probe(
        "memory.written_file_then_run",
        Nothing,
        &[Seccomp, Root],
        |target| {
            written(target, |file| {
                let address = map(file, READ, libc::MAP_PRIVATE)?;
                let found = protect(address, READ | RUN);
                unmap(address);
                found.map(|_| "read, then to run".to_owned())
            })
        },
    ),
    probe(
        "memory.inherited_file",
        Nothing,
        &[Seccomp, Inheritance],
        |_| {
            let is_file = |number: &i32| file_type(*number).is_ok_and(|kind| kind == libc::S_IFREG);
            any(
                open_descriptors()
                    .into_iter()
                    .filter(is_file)
                    .map(|number| {
                        move || {
                            let file = Descriptor(number);
                            let found = map_file(&file, libc::MAP_PRIVATE);
                            // It is not ours to close.
                            std::mem::forget(file);
                            found
                        }
                    }),
                "no descriptor is a file",
            )
        },
    ),
    probe(
        "memory.own_binary",
        Nothing,
        &[Seccomp, Root, Landlock],
        |_| {
            map_file(
                &open(HERE, "/proc/self/exe", libc::O_RDONLY, 0)?,
                libc::MAP_PRIVATE,
            )
        },
    ),
    probe(
        "memory.code_through_proc",
        Nothing,
        &[Root, Landlock, Hidden],
        through_proc,
    ),
    probe(
        "memory.reading_implies_running",
        Nothing,
        &[Seccomp],
        |_| personality(0x0040_0000),
    ),
    probe("memory.no_random_addresses", Nothing, &[Seccomp], |_| {
        personality(0x0004_0000)
    }),
    probe("memory.remapped_file", Nothing, &[Seccomp], remapped),
    probe(
        "memory.page_faults",
        Feature("user page faults"),
        &[Seccomp],
        |_| {
            const USER_ONLY: usize = 1;
            let made = call("userfaultfd", libc::SYS_userfaultfd, [USER_ONLY])?;
            Descriptor::of(made).map(|file| format!("descriptor {}", file.0))
        },
    ),
    probe("memory.key", Feature("protection keys"), &[Seccomp], |_| {
        let key = call("pkey_alloc", libc::SYS_pkey_alloc, [0, 0])?;
        let _ = call("pkey_free", libc::SYS_pkey_free, [key]);
        Ok(format!("key {key}"))
    }),
    probe("memory.locked", Needs::Root, &[Seccomp, Limits], locked),
    probe("memory.all_locked", Needs::Root, &[Seccomp, Limits], |_| {
        // Only what is mapped from now on, and taken back.
        const FUTURE: usize = 2;
        let before = current_lock_limit();
        let answer = call("mlockall", libc::SYS_mlockall, [FUTURE]);
        let _ = call("munlockall", libc::SYS_munlockall, []);
        reached(answer, &[]).map(|text| format!("{text}; the limit is {before}"))
    }),
    probe("memory.shared", Nothing, &[Seccomp], |_| {
        let flags = bits(libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        let arguments = [0, PAGE, bits(READ | WRITE), flags, usize::MAX, 0];
        let address = call("mmap", libc::SYS_mmap, arguments)?;
        unmap(address);
        Ok("memory that no limit counts".to_owned())
    }),
    probe(
        "memory.table_of_segments",
        Feature("segments of programs"),
        &[Seccomp],
        segments,
    ),
];

/// The same on every architecture; the C library's table lacks it on some.
const SECRET_MEMORY: libc::c_long = 447;

fn mapped(protection: i32, high: usize) -> Attempt {
    let flags = bits(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let arguments = [0, PAGE, bits(protection) | high, flags, usize::MAX, 0];
    let address = call("mmap", libc::SYS_mmap, arguments)?;
    unmap(address);
    Ok("mapped to run".to_owned())
}

type Protect = fn(usize, i32) -> Result<usize, Stopped>;

fn protect(address: usize, protection: i32) -> Result<usize, Stopped> {
    call(
        "mprotect",
        libc::SYS_mprotect,
        [address, PAGE, bits(protection)],
    )
}

fn protect_with_key(address: usize, protection: i32) -> Result<usize, Stopped> {
    /// Any hardware takes this one.
    const NO_KEY: usize = usize::MAX;
    let arguments = [address, PAGE, bits(protection), NO_KEY];
    call("pkey_mprotect", libc::SYS_pkey_mprotect, arguments)
}

fn changed(change: Protect, protection: i32) -> Attempt {
    let address = map_page(READ | WRITE)?;
    // Returns at once, were it called.
    write_at(address, &[0xc3]);
    let found = change(address, protection);
    unmap(address);
    found.map(|_| "what was written can be run".to_owned())
}

/// The page this function is in; it stays executable, so that it can go on.
fn own_code(_: &Target) -> Attempt {
    /// The smallest page: code may begin later than a larger one.
    const SMALL: usize = 4096;
    let here = own_code as fn(&Target) -> Attempt;
    let page = (here as usize) & !(SMALL - 1);
    let protect = |protection: i32| {
        let arguments = [page, SMALL, bits(protection)];
        call("mprotect", libc::SYS_mprotect, arguments)
    };
    let answer = protect(READ | WRITE | RUN);
    if answer.is_ok() {
        let _ = protect(READ | RUN);
    }
    reached(answer, &[]).map(|_| "its own code could be written".to_owned())
}

fn map(file: &Descriptor, protection: i32, flags: i32) -> Result<usize, Stopped> {
    let arguments = [0, PAGE, bits(protection), bits(flags), file.argument(), 0];
    call("mmap", libc::SYS_mmap, arguments)
}

fn map_file(file: &Descriptor, flags: i32) -> Attempt {
    let address = map(file, READ | RUN, flags)?;
    unmap(address);
    Ok("mapped to run".to_owned())
}

fn written(target: &Target, attempt: fn(&Descriptor) -> Attempt) -> Attempt {
    let once = |folder: i32| {
        remove(folder, NAME);
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
        let found = open(folder, NAME, flags, 0o700).and_then(|file| attempt(&file));
        remove(folder, NAME);
        found
    };
    any(
        target.writable_folders().map(|folder| move || once(folder)),
        "no folder is writable",
    )
}

/// A page that must not be written is written all the same by its file in /proc.
fn through_proc(_: &Target) -> Attempt {
    let file = open(HERE, "/proc/self/mem", libc::O_RDWR, 0)?;
    let address = map_page(READ)?;
    let arguments = [file.argument(), at("code"), 4, address];
    let answer = call("pwrite64", libc::SYS_pwrite64, arguments);
    let now = read_at(address, 4);
    unmap(address);
    answer?;
    if now == b"code" {
        Ok("wrote a read-only page".to_owned())
    } else {
        Err(otherwise("the page did not change"))
    }
}

fn personality(wanted: usize) -> Attempt {
    /// Answers and changes nothing.
    const ASK: usize = 0xffff_ffff;
    let before = call("personality", libc::SYS_personality, [ASK])?;
    call("personality", libc::SYS_personality, [before | wanted])?;
    let now = call("personality", libc::SYS_personality, [ASK])?;
    call("personality", libc::SYS_personality, [before])?;
    if now & wanted == wanted {
        Ok(format!("the personality was {now:x}"))
    } else {
        Err(otherwise(format!("the personality stayed {now:x}")))
    }
}

fn remapped(target: &Target) -> Attempt {
    written(target, |file| {
        call("ftruncate", libc::SYS_ftruncate, [file.argument(), PAGE])?;
        let address = map(file, READ | WRITE, libc::MAP_SHARED)?;
        let arguments = [address, PAGE, 0, 0, 0];
        let answer = call("remap_file_pages", libc::SYS_remap_file_pages, arguments);
        unmap(address);
        reached(answer, &[])
    })
}

fn locked(_: &Target) -> Attempt {
    let flags = bits(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let arguments = [0, LOCKED, bits(READ | WRITE), flags, usize::MAX, 0];
    let address = call("mmap", libc::SYS_mmap, arguments)?;
    let answer = call("mlock", libc::SYS_mlock, [address, LOCKED]);
    let _ = call("munmap", libc::SYS_munmap, [address, LOCKED]);
    reached(answer, &[]).map(|_| format!("locked {LOCKED} bytes"))
}

fn current_lock_limit() -> u64 {
    let mut limits = [0_u64; 2];
    let place = super::call::at_mut(&mut limits);
    let arguments = [0, libc::RLIMIT_MEMLOCK as usize, 0, place];
    let _ = call("prlimit64", libc::SYS_prlimit64, arguments);
    limits[0]
}

/// Reads this process's table of segments, which is empty.
fn segments(_: &Target) -> Attempt {
    let mut bytes = [0_u8; 64];
    let room = bytes.len();
    let arguments = [0, super::call::at_mut(&mut bytes), room];
    reached(
        call("modify_ldt", super::call::OLD_MODIFY_LDT, arguments),
        &[],
    )
}
