//! Devices, and the kernel's own files: opened, never read or written.

use super::call::{
    Descriptor, HERE, Stopped, any, at, bits, call, open, open_descriptors, otherwise, reached,
};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Feature, Nothing, Root as ByRoot};
use Wall::{Capabilities, Hidden, Inheritance, Landlock, Root, Seccomp, UserNamespace};

/// Landlock asks for the right to write or read the file as for any other.
const WALLS: &[Wall] = &[Root, Landlock];
/// A process that is hidden has no say over its own files there.
const OWN_WALLS: &[Wall] = &[Root, Landlock, Hidden];

pub(super) const PROBES: &[Probe] = &[
    probe("device.null", Nothing, WALLS, |_| {
        opened("/dev/null", libc::O_RDWR)
    }),
    probe("device.memory", Feature("/dev/mem"), WALLS, |_| {
        opened("/dev/mem", libc::O_RDONLY)
    }),
    probe("device.ports", Feature("/dev/port"), WALLS, |_| {
        opened("/dev/port", libc::O_RDONLY)
    }),
    probe("device.log", Feature("/dev/kmsg"), WALLS, |_| {
        opened("/dev/kmsg", libc::O_WRONLY)
    }),
    probe("device.fuse", Feature("/dev/fuse"), WALLS, |_| {
        opened("/dev/fuse", libc::O_RDWR)
    }),
    probe("device.kvm", Feature("/dev/kvm"), WALLS, |_| {
        opened("/dev/kvm", libc::O_RDWR)
    }),
    probe("device.tunnel", Feature("/dev/net/tun"), WALLS, |_| {
        opened("/dev/net/tun", libc::O_RDWR)
    }),
    probe(
        "device.loop_control",
        Feature("/dev/loop-control"),
        WALLS,
        |_| opened("/dev/loop-control", libc::O_RDONLY),
    ),
    probe(
        "device.disk",
        Feature("a disk of a common name"),
        WALLS,
        disk,
    ),
    probe(
        "device.page_faults",
        Feature("/dev/userfaultfd"),
        WALLS,
        |_| opened("/dev/userfaultfd", libc::O_RDWR),
    ),
    probe("device.new_terminal", Feature("/dev/ptmx"), WALLS, |_| {
        opened("/dev/ptmx", libc::O_RDWR)
    }),
    probe(
        "device.type_into_terminal",
        Feature("/dev/ptmx"),
        &[Root, Seccomp],
        type_into,
    ),
    probe("device.type_call", Nothing, &[Seccomp], |_| {
        unfiltered(TYPE)
    }),
    probe(
        "device.type_call_with_high_bit",
        Nothing,
        &[Seccomp],
        |_| unfiltered(TYPE | 1 << 32),
    ),
    probe("device.console_call", Nothing, &[Seccomp], |_| {
        unfiltered(CONSOLE)
    }),
    probe(
        "device.descriptor_is_device",
        Feature("an inherited device"),
        &[Inheritance],
        inherited,
    ),
    probe("device.proc", Nothing, WALLS, |_| {
        opened("/proc/self/status", libc::O_RDONLY)
    }),
    probe("device.own_memory_in_proc", Nothing, OWN_WALLS, |_| {
        opened("/proc/self/mem", libc::O_RDWR)
    }),
    probe("device.sys", Nothing, WALLS, |_| {
        opened("/sys", libc::O_RDONLY | libc::O_DIRECTORY)
    }),
    probe(
        "device.group",
        Feature("a cgroup tree"),
        &[Root, Landlock],
        |_| {
            written(&[
                "/sys/fs/cgroup/cgroup.procs",
                "/sys/fs/cgroup/unified/cgroup.procs",
                "/sys/fs/cgroup/memory/cgroup.procs",
            ])
        },
    ),
    probe(
        "device.group_release",
        Feature("cgroups version 1"),
        &[Root, Landlock],
        |_| {
            written(&[
                "/sys/fs/cgroup/memory/release_agent",
                "/sys/fs/cgroup/pids/release_agent",
            ])
        },
    ),
    probe(
        "device.core_pattern",
        ByRoot,
        &[Root, Landlock, Capabilities, UserNamespace],
        |_| opened("/proc/sys/kernel/core_pattern", libc::O_WRONLY),
    ),
    probe("device.module_helper", Feature("modules"), WALLS, |_| {
        opened("/proc/sys/kernel/modprobe", libc::O_WRONLY)
    }),
    probe(
        "device.device_helper",
        Feature("the device helper"),
        WALLS,
        |_| opened("/sys/kernel/uevent_helper", libc::O_WRONLY),
    ),
    probe("device.magic_keys", Feature("magic keys"), WALLS, |_| {
        opened("/proc/sysrq-trigger", libc::O_WRONLY)
    }),
    probe("device.own_user_map", Nothing, OWN_WALLS, |_| {
        opened("/proc/self/uid_map", libc::O_RDWR)
    }),
    probe("device.own_oom_score", Nothing, OWN_WALLS, |_| {
        opened("/proc/self/oom_score_adj", libc::O_RDWR)
    }),
    probe(
        "device.io_ports",
        Feature("I/O ports for programs"),
        &[Seccomp, Capabilities],
        |_| reached(call("ioperm", super::call::OLD_IOPERM, [0x80, 1, 1]), &[]),
    ),
    probe(
        "device.all_io_ports",
        Feature("I/O ports for programs"),
        &[Seccomp, Capabilities],
        |_| reached(call("iopl", super::call::OLD_IOPL, [3]), &[]),
    ),
];

/// Types a character into a terminal.
const TYPE: usize = libc::TIOCSTI as usize;
/// Pastes on a console.
const CONSOLE: usize = 0x541c;

fn opened(path: &str, flags: i32) -> Attempt {
    match open(HERE, path, flags, 0) {
        Ok(device) => Ok(format!("{path} is descriptor {}", device.0)),
        Err(stopped) => Err(stopped),
    }
}

fn written(paths: &[&str]) -> Attempt {
    any(
        paths
            .iter()
            .map(|path| move || opened(path, libc::O_WRONLY)),
        "no path",
    )
}

fn disk(_: &Target) -> Attempt {
    let disks = ["/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/xvda"];
    any(
        disks.map(|path| move || opened(path, libc::O_RDONLY)),
        "no path",
    )
}

/// A character into a terminal of its own: it reaches nobody.
fn type_into(_: &Target) -> Attempt {
    const UNLOCK: usize = libc::TIOCSPTLCK as usize;
    const PEER: usize = libc::TIOCGPTPEER as usize;
    let control = open(HERE, "/dev/ptmx", libc::O_RDWR, 0)?;
    let locked = 0_i32;
    call(
        "ioctl",
        libc::SYS_ioctl,
        [control.argument(), UNLOCK, at(&locked)],
    )?;
    let flags = bits(libc::O_RDWR | libc::O_NOCTTY);
    let peer = call("ioctl", libc::SYS_ioctl, [control.argument(), PEER, flags])?;
    let terminal = Descriptor::of(peer)?;
    reached(
        call(
            "ioctl",
            libc::SYS_ioctl,
            [terminal.argument(), TYPE, at("x")],
        ),
        &[],
    )
}

/// Whether the request gets as far as a descriptor that is no terminal. It is not tried on one.
fn unfiltered(request: usize) -> Attempt {
    let is_plain = |number: &i32| {
        let kind = super::call::file_type(*number);
        kind.is_ok_and(|kind| kind != libc::S_IFCHR)
    };
    any(
        open_descriptors()
            .into_iter()
            .filter(is_plain)
            .map(|number| {
                move || {
                    let answer = call("ioctl", libc::SYS_ioctl, [bits(number), request, at("x")]);
                    let refusals = [libc::ENOTTY, libc::EINVAL, libc::EOPNOTSUPP];
                    reached(answer, &refusals)
                }
            }),
        "every descriptor is a device",
    )
}

/// Of those nobody expects to be one.
fn inherited(target: &Target) -> Attempt {
    for number in open_descriptors() {
        let kind = super::call::file_type(number)?;
        let is_expected = target.descriptors.iter().any(|one| one.number == number);
        if !is_expected && (kind == libc::S_IFCHR || kind == libc::S_IFBLK) {
            return Ok(format!("descriptor {number}"));
        }
    }
    Err::<String, Stopped>(otherwise("none"))
}
