//! Objects that processes share by name or number: System V, message queues, keys.

use super::call::{
    Descriptor, PAGE, Stopped, at, bits, call, is_secret, otherwise, reached, read_at,
};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Feature, Nothing};
use Wall::{IpcNamespace, Seccomp};

pub(super) const PROBES: &[Probe] = &[
    probe(
        "ipc.broker_memory",
        Nothing,
        &[IpcNamespace, Seccomp],
        broker_memory,
    ),
    probe("ipc.shared_memory", Nothing, &[Seccomp], |_| {
        made(
            "shmget",
            libc::SYS_shmget,
            [PRIVATE, PAGE, MODE],
            Some(("shmctl", libc::SYS_shmctl)),
        )
    }),
    probe("ipc.semaphores", Nothing, &[Seccomp], semaphores),
    probe("ipc.message_queue", Nothing, &[Seccomp], |_| {
        made(
            "msgget",
            libc::SYS_msgget,
            [PRIVATE, MODE, 0],
            Some(("msgctl", libc::SYS_msgctl)),
        )
    }),
    probe(
        "ipc.named_queue",
        Feature("POSIX message queues"),
        &[Seccomp],
        named_queue,
    ),
    probe("ipc.shared_memory_program", Nothing, &[Seccomp], program),
    probe("ipc.add_key", Feature("keys"), &[Seccomp], |_| {
        let arguments = [at(c"user"), at(c"hotcell-probe"), at("x"), 1, PROCESS_KEYS];
        reached(call("add_key", libc::SYS_add_key, arguments), &[])
    }),
    probe("ipc.request_key", Feature("keys"), &[Seccomp], |_| {
        let arguments = [at(c"user"), at(c"hotcell-no-such-key"), 0, 0];
        reached(
            call("request_key", libc::SYS_request_key, arguments),
            &[libc::ENOKEY],
        )
    }),
    probe("ipc.key_ring", Feature("keys"), &[Seccomp], |_| {
        const RING_ID: usize = 0;
        reached(
            call("keyctl", libc::SYS_keyctl, [RING_ID, PROCESS_KEYS, 1]),
            &[],
        )
    }),
];

const PRIVATE: usize = 0;
const MODE: usize = 0o1600;
/// The key ring of this process, which ends with it.
const PROCESS_KEYS: usize = (-2_isize).cast_unsigned();
const REMOVE: usize = 0;

type Remover = Option<(&'static str, libc::c_long)>;

fn made(
    name: &'static str,
    number: libc::c_long,
    arguments: [usize; 3],
    remove: Remover,
) -> Attempt {
    let id = call(name, number, arguments)?;
    if let Some((name, number)) = remove {
        let _ = call(name, number, [id, REMOVE, 0]);
    }
    Ok(format!("made number {id}"))
}

fn semaphores(_: &Target) -> Attempt {
    let id = call("semget", libc::SYS_semget, [PRIVATE, 1, MODE])?;
    let _ = call("semctl", libc::SYS_semctl, [id, 0, REMOVE, 0]);
    Ok(format!("made number {id}"))
}

fn broker_memory(target: &Target) -> Attempt {
    let arguments = [bits(target.shared_memory), 0, bits(libc::SHM_RDONLY)];
    let address = call("shmat", libc::SYS_shmat, arguments)?;
    let bytes = read_at(address, target.secret.len());
    let _ = call("shmdt", libc::SYS_shmdt, [address]);
    is_secret(&bytes, target)
}

fn program(_: &Target) -> Attempt {
    let id = call("shmget", libc::SYS_shmget, [PRIVATE, PAGE, MODE | 0o100])?;
    let mapped = call("shmat", libc::SYS_shmat, [id, 0, bits(libc::SHM_EXEC)]);
    let _ = call("shmctl", libc::SYS_shmctl, [id, REMOVE, 0]);
    let address = mapped?;
    let _ = call("shmdt", libc::SYS_shmdt, [address]);
    Ok("mapped to write and to run".to_owned())
}

fn named_queue(_: &Target) -> Attempt {
    // Without the slash the C library would take away.
    let name = at(c"hotcell-probe");
    let flags = bits(libc::O_CREAT | libc::O_RDWR);
    match call("mq_open", libc::SYS_mq_open, [name, flags, 0o600, 0]) {
        Ok(number) => {
            let _ = call("mq_unlink", libc::SYS_mq_unlink, [name]);
            Descriptor::of(number).map(|made| format!("descriptor {}", made.0))
        }
        Err(Stopped::Call {
            errno: libc::EMFILE,
            ..
        }) => Err(otherwise("too many queues exist")),
        Err(stopped) => Err(stopped),
    }
}
