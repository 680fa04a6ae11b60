//! The broker's side of the self-attack: what the attacker is aimed at, and whether it was touched.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, symlink};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use super::call::{self, at, at_mut, bits, write_at};
use super::target::{Handle, Target};

/// Bytes of randomness in a secret.
const SECRET_BYTES: usize = 16;
/// Largest handle the kernel gives.
const HANDLE_BYTES: usize = 128;

/// What the attacker is aimed at, alive as long as this is.
#[derive(Debug)]
pub struct Bait {
    target: Target,
    /// The secret in memory, where `/proc/PID/mem` finds it.
    memory: Box<[u8]>,
    before: Vec<String>,
    path_socket: UnixListener,
    abstract_socket: UnixListener,
    tcp: TcpListener,
    udp: UdpSocket,
    /// Open, so that its number can be stolen.
    _canary: File,
}

impl Bait {
    /// Lays bait in a folder of the host that is empty and that the cell must not be able to see.
    ///
    /// # Errors
    /// The host refuses one of the parts.
    pub fn set(folder: &Path) -> io::Result<Self> {
        let secret = secret()?;
        let abstract_name = format!("hotcell-bait-{secret}");
        let path_socket = UnixListener::bind(folder.join("socket"))?;
        let abstract_address = SocketAddr::from_abstract_name(&abstract_name)?;
        let abstract_socket = UnixListener::bind_addr(&abstract_address)?;
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        path_socket.set_nonblocking(true)?;
        abstract_socket.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        udp.set_nonblocking(true)?;

        let file = |name: &str, mode: u32, text: &str| {
            let path = folder.join(name);
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(mode);
            options.open(&path)?.write_all(text.as_bytes())?;
            io::Result::Ok(path)
        };
        let canary = file("canary", 0o644, &secret)?;
        let victim = file("victim", 0o644, "as it was\n")?;
        // Neither a format the kernel runs nor a script.
        let program = file("program", 0o755, "\u{1}no program\n")?;
        let link = folder.join("link");
        symlink(&canary, &link)?;

        let open = File::open(&canary)?;
        let memory: Box<[u8]> = secret.as_bytes().into();
        let mut target = Target {
            broker_pid: rustix::process::getpid().as_raw_nonzero().get(),
            outside_folder: folder.to_owned(),
            canary_handle: handle(&canary),
            canary,
            victim,
            program,
            link,
            path_socket: folder.join("socket"),
            abstract_socket: abstract_name,
            tcp_port: tcp.local_addr()?.port(),
            udp_port: udp.local_addr()?.port(),
            broker_address: at(&*memory) as u64,
            broker_descriptor: open.as_raw_fd(),
            shared_memory: 0,
            host_name: super::environment::current_host_name().map_err(refused)?,
            descriptors: Vec::new(),
            descriptors_max: 0,
            only: Vec::new(),
            secret,
        };
        let before = state(&target)?;
        // Last: only what is made whole removes it again.
        target.shared_memory = share(&target.secret)?;
        Ok(Self {
            before,
            target,
            memory,
            path_socket,
            abstract_socket,
            tcp,
            udp,
            _canary: open,
        })
    }

    /// What the attacker is told. The caller adds which descriptors the process is meant to have,
    /// and how many at most.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What an observer outside sees of an attack: names, contents, modes and times in the bait's
    /// folder that are not as they were, and who called.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn touched(&self) -> io::Result<Vec<String>> {
        let mut seen = Vec::new();
        let now = state(&self.target)?;
        seen.extend(
            self.before
                .iter()
                .filter(|line| !now.contains(line))
                .map(|line| format!("no longer: {line}")),
        );
        seen.extend(
            now.iter()
                .filter(|line| !self.before.contains(line))
                .map(|line| format!("new: {line}")),
        );
        if *self.memory != *self.target.secret.as_bytes() {
            seen.push("the broker's memory is another".to_owned());
        }
        for (what, called) in [
            ("the socket by path", self.path_socket.accept().is_ok()),
            ("the abstract socket", self.abstract_socket.accept().is_ok()),
            ("the TCP port", self.tcp.accept().is_ok()),
            ("the UDP port", self.udp.recv_from(&mut [0; 64]).is_ok()),
        ] {
            if called {
                seen.push(format!("{what} was called"));
            }
        }
        Ok(seen)
    }
}

impl Drop for Bait {
    fn drop(&mut self) {
        let arguments = [bits(self.target.shared_memory), bits(libc::IPC_RMID), 0];
        let _ = call::call("shmctl", libc::SYS_shmctl, arguments);
    }
}

fn secret() -> io::Result<String> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// One line for each name in the bait's folder.
fn state(target: &Target) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(&target.outside_folder)? {
        let entry = entry?;
        let of = entry.metadata()?;
        let content = if of.is_file() {
            String::from_utf8_lossy(&fs::read(entry.path())?).into_owned()
        } else {
            String::new()
        };
        lines.push(format!(
            "{} mode {:o} owner {}:{} links {} changed {}.{} holds {content:?}",
            entry.file_name().display(),
            of.mode(),
            of.uid(),
            of.gid(),
            of.nlink(),
            of.ctime(),
            of.ctime_nsec(),
        ));
    }
    lines.sort();
    Ok(lines)
}

/// `struct file_handle` with the most room the kernel asks for.
#[repr(C)]
pub(super) struct RawHandle {
    pub(super) length: u32,
    pub(super) kind: i32,
    pub(super) bytes: [u8; HANDLE_BYTES],
}

/// Nothing where the file system has no handles.
fn handle(path: &Path) -> Option<Handle> {
    let raw = raw_handle(path).ok()?;
    let bytes = raw.bytes.get(..raw.length as usize)?.to_vec();
    Some(Handle {
        kind: raw.kind,
        bytes,
    })
}

pub(super) fn raw_handle(path: &Path) -> Result<RawHandle, call::Stopped> {
    let mut raw = RawHandle {
        length: 128,
        kind: 0,
        bytes: [0; HANDLE_BYTES],
    };
    let mut mount = 0_i32;
    let path = call::text(path)?;
    call::call(
        "name_to_handle_at",
        libc::SYS_name_to_handle_at,
        [
            call::signed(call::HERE),
            at(path.as_c_str()),
            at_mut(&mut raw),
            at_mut(&mut mount),
            0,
        ],
    )?;
    Ok(raw)
}

fn refused(stopped: call::Stopped) -> io::Error {
    io::Error::from_raw_os_error(stopped.errno().unwrap_or(libc::EINVAL))
}

/// A System V shared memory that holds the secret, readable by everybody.
fn share(secret: &str) -> io::Result<i32> {
    let made = [
        libc::IPC_PRIVATE.cast_unsigned() as usize,
        call::PAGE,
        bits(libc::IPC_CREAT | 0o666),
    ];
    let id = call::call("shmget", libc::SYS_shmget, made).map_err(refused)?;
    let address = call::call("shmat", libc::SYS_shmat, [id, 0, 0]).map_err(refused)?;
    write_at(address, secret.as_bytes());
    call::call("shmdt", libc::SYS_shmdt, [address]).map_err(refused)?;
    i32::try_from(id).map_err(io::Error::other)
}
