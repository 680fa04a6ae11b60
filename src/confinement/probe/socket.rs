//! Sockets: every family an attacker would want, and the broker's listeners.
//!
//! Asking for some families makes an unconfined kernel load their module, as any user's asking does.

use super::call::{
    Descriptor, Stopped, at, at_mut, bits, call, file_type, open_descriptors, otherwise, reached,
};
use super::target::Target;
use super::{Attempt, Needs, Probe, Wall, probe};

use Needs::{Feature, Nothing, Root as ByRoot};
use Wall::{Capabilities, Inheritance, Landlock, NetworkNamespace, Root, Seccomp};

const STREAM: i32 = libc::SOCK_STREAM;
const DATAGRAM: i32 = libc::SOCK_DGRAM;
const RAW: i32 = libc::SOCK_RAW;
const MPTCP: i32 = 262;
/// A bit above those the kernel looks at; a filter that compares all 64 is fooled.
const HIGH_BIT: usize = 1 << 32;

pub(super) const PROBES: &[Probe] = &[
    probe("socket.tcp", Nothing, &[Seccomp], |_| {
        make(libc::AF_INET, STREAM, 0)
    }),
    probe("socket.udp", Nothing, &[Seccomp], |_| {
        make(libc::AF_INET, DATAGRAM, 0)
    }),
    probe("socket.mptcp", Feature("MPTCP"), &[Seccomp], |_| {
        make(libc::AF_INET, STREAM, MPTCP)
    }),
    probe("socket.ping", Feature("ping groups"), &[Seccomp], |_| {
        make(libc::AF_INET, DATAGRAM, libc::IPPROTO_ICMP)
    }),
    probe("socket.tcp6", Feature("IPv6"), &[Seccomp], |_| {
        make(libc::AF_INET6, STREAM, 0)
    }),
    probe("socket.udp6", Feature("IPv6"), &[Seccomp], |_| {
        make(libc::AF_INET6, DATAGRAM, 0)
    }),
    probe("socket.raw", ByRoot, &[Seccomp, Capabilities], |_| {
        make(libc::AF_INET, RAW, libc::IPPROTO_ICMP)
    }),
    probe(
        "socket.packet",
        Feature("packet sockets"),
        &[Seccomp, Capabilities],
        |_| make(libc::AF_PACKET, RAW, 0),
    ),
    probe("socket.netlink", Nothing, &[Seccomp], |_| {
        make(libc::AF_NETLINK, RAW, 0)
    }),
    probe("socket.netlink_audit", Feature("audit"), &[Seccomp], |_| {
        make(libc::AF_NETLINK, RAW, 9)
    }),
    probe(
        "socket.netlink_netfilter",
        Feature("netfilter"),
        &[Seccomp],
        |_| make(libc::AF_NETLINK, RAW, 12),
    ),
    probe("socket.vsock", Feature("vsock"), &[Seccomp], |_| {
        make(libc::AF_VSOCK, STREAM, 0)
    }),
    probe("socket.bluetooth", Feature("Bluetooth"), &[Seccomp], |_| {
        make(libc::AF_BLUETOOTH, RAW, 1)
    }),
    probe("socket.crypto", Feature("AF_ALG"), &[Seccomp], |_| {
        make(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)
    }),
    probe(
        "socket.xdp",
        Feature("AF_XDP"),
        &[Seccomp, Capabilities],
        |_| make(libc::AF_XDP, RAW, 0),
    ),
    probe("socket.tipc", Feature("TIPC"), &[Seccomp], |_| {
        make(libc::AF_TIPC, libc::SOCK_SEQPACKET, 0)
    }),
    probe(
        "socket.key",
        Feature("PF_KEY"),
        &[Seccomp, Capabilities],
        |_| make(libc::AF_KEY, RAW, 2),
    ),
    probe("socket.unix_stream", Nothing, &[Seccomp], |_| {
        make(libc::AF_UNIX, STREAM, 0)
    }),
    probe("socket.unix_datagram", Nothing, &[Seccomp], |_| {
        make(libc::AF_UNIX, DATAGRAM, 0)
    }),
    probe("socket.high_bit_of_family", Nothing, &[Seccomp], |_| {
        made([bits(libc::AF_INET) | HIGH_BIT, bits(STREAM), 0])
    }),
    probe(
        "socket.high_bit_of_number",
        Nothing,
        &[Seccomp],
        high_number,
    ),
    probe(
        "socket.broker_by_path",
        Nothing,
        &[Seccomp, Root],
        |target| connect(libc::AF_UNIX, 0, &unix_path(target)),
    ),
    probe(
        "socket.broker_by_abstract_name",
        Nothing,
        &[Seccomp, NetworkNamespace, Landlock],
        |target| connect(libc::AF_UNIX, 0, &unix_abstract(target)),
    ),
    probe(
        "socket.broker_by_tcp",
        Nothing,
        &[Seccomp, NetworkNamespace, Landlock],
        |target| connect(libc::AF_INET, 0, &inet(target.tcp_port)),
    ),
    probe(
        "socket.broker_by_mptcp",
        Feature("MPTCP"),
        &[Seccomp, NetworkNamespace],
        |target| connect(libc::AF_INET, MPTCP, &inet(target.tcp_port)),
    ),
    probe(
        "socket.broker_by_mapped_address",
        Feature("IPv6"),
        &[Seccomp, NetworkNamespace, Landlock],
        |target| connect(libc::AF_INET6, 0, &mapped(target.tcp_port)),
    ),
    probe(
        "socket.broker_by_fast_open",
        Feature("TCP fast open"),
        &[Seccomp, NetworkNamespace],
        fast_open,
    ),
    probe(
        "socket.broker_by_udp",
        Nothing,
        &[Seccomp, NetworkNamespace],
        udp,
    ),
    probe("socket.listen", Nothing, &[Seccomp, Landlock], listen),
    probe("socket.bind_abstract", Nothing, &[Seccomp], bind_abstract),
    probe(
        "socket.inherited_connected",
        Nothing,
        &[Seccomp, Inheritance],
        inherited_connect,
    ),
    probe(
        "socket.inherited_bound",
        Nothing,
        &[Seccomp],
        inherited_bind,
    ),
    probe("socket.peer_of_inherited", Nothing, &[Seccomp], peer),
];

fn made(arguments: [usize; 3]) -> Attempt {
    socket(arguments).map(|made| format!("descriptor {}", made.0))
}

fn socket(arguments: [usize; 3]) -> Result<Descriptor, Stopped> {
    match call("socket", libc::SYS_socket, arguments) {
        Ok(number) => Descriptor::of(number),
        Err(stopped) => Err(match stopped.errno() {
            Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT | libc::ESOCKTNOSUPPORT) => {
                Stopped::Absent("this kernel has no such sockets".to_owned())
            }
            _ => stopped,
        }),
    }
}

fn make(family: i32, kind: i32, protocol: i32) -> Attempt {
    made([
        bits(family),
        bits(kind | libc::SOCK_CLOEXEC),
        bits(protocol),
    ])
}

fn pair(_: &Target) -> Attempt {
    let mut both = [0_i32; 2];
    let kind = bits(STREAM | libc::SOCK_CLOEXEC);
    let arguments = [bits(libc::AF_UNIX), kind, 0, at_mut(&mut both)];
    call("socketpair", libc::SYS_socketpair, arguments)?;
    let [one, other] = both.map(Descriptor);
    Ok(format!("descriptors {} and {}", one.0, other.0))
}

/// The kernel looks at 32 bits of a call's number.
fn high_number(_: &Target) -> Attempt {
    let Some(number) = libc::SYS_socket.checked_add(1 << 32) else {
        return Err(Stopped::Absent("numbers have 32 bits here".to_owned()));
    };
    let answer = call("socket", number, [bits(libc::AF_INET), bits(STREAM), 0])?;
    Descriptor::of(answer).map(|made| format!("descriptor {}", made.0))
}

/// A socket address as bytes.
type Address = Vec<u8>;

fn family(family: i32) -> Address {
    let family = u16::try_from(family).unwrap_or(0);
    family.to_ne_bytes().to_vec()
}

fn inet(port: u16) -> Address {
    let mut address = family(libc::AF_INET);
    address.extend(port.to_be_bytes());
    address.extend([127, 0, 0, 1]);
    address.extend([0; 8]);
    address
}

fn mapped(port: u16) -> Address {
    let mut address = family(libc::AF_INET6);
    address.extend(port.to_be_bytes());
    address.extend([0; 4]);
    address.extend(std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets());
    address.extend([0; 4]);
    address
}

fn unix_path(target: &Target) -> Address {
    let mut address = family(libc::AF_UNIX);
    address.extend(target.path_socket.as_os_str().as_encoded_bytes());
    address.push(0);
    address
}

fn unix_abstract(target: &Target) -> Address {
    let mut address = family(libc::AF_UNIX);
    address.push(0);
    address.extend(target.abstract_socket.as_bytes());
    address
}

fn connect(family: i32, protocol: i32, address: &Address) -> Attempt {
    let kind = STREAM | libc::SOCK_CLOEXEC;
    let socket = socket([bits(family), bits(kind), bits(protocol)])?;
    let arguments = [socket.argument(), at(address.as_slice()), address.len()];
    call("connect", libc::SYS_connect, arguments)?;
    Ok("connected to the broker".to_owned())
}

/// Data in the first packet, without `connect`.
fn fast_open(target: &Target) -> Attempt {
    let socket = socket([bits(libc::AF_INET), bits(STREAM), 0])?;
    let (address, flags) = (inet(target.tcp_port), bits(libc::MSG_FASTOPEN));
    let arguments = [
        socket.argument(),
        at("x"),
        1,
        flags,
        at(address.as_slice()),
        address.len(),
    ];
    reached(call("sendto", libc::SYS_sendto, arguments), &[])
}

fn udp(target: &Target) -> Attempt {
    let socket = socket([bits(libc::AF_INET), bits(DATAGRAM), 0])?;
    let address = inet(target.udp_port);
    let arguments = [
        socket.argument(),
        at("x"),
        1,
        0,
        at(address.as_slice()),
        address.len(),
    ];
    reached(call("sendto", libc::SYS_sendto, arguments), &[])
}

fn listen(_: &Target) -> Attempt {
    let socket = socket([bits(libc::AF_INET), bits(STREAM), 0])?;
    let address = inet(0);
    let arguments = [socket.argument(), at(address.as_slice()), address.len()];
    call("bind", libc::SYS_bind, arguments)?;
    reached(
        call("listen", libc::SYS_listen, [socket.argument(), 1]),
        &[],
    )
}

fn bind_abstract(target: &Target) -> Attempt {
    let socket = socket([bits(libc::AF_UNIX), bits(STREAM), 0])?;
    let mut address = unix_abstract(target);
    address.extend(b"-by-a-probe");
    let arguments = [socket.argument(), at(address.as_slice()), address.len()];
    reached(call("bind", libc::SYS_bind, arguments), &[])
}

fn inherited() -> impl Iterator<Item = i32> {
    let is_socket = |number: &i32| file_type(*number).is_ok_and(|kind| kind == libc::S_IFSOCK);
    open_descriptors().into_iter().filter(is_socket)
}

/// A socket that somebody else made can be pointed at another end.
fn inherited_connect(target: &Target) -> Attempt {
    let mut last = otherwise("no descriptor is a socket that could be pointed elsewhere");
    for socket in inherited() {
        for address in [
            unix_path(target),
            unix_abstract(target),
            inet(target.tcp_port),
        ] {
            let arguments = [bits(socket), at(address.as_slice()), address.len()];
            match call("connect", libc::SYS_connect, arguments) {
                Ok(_) => return Ok(format!("descriptor {socket} leads to the broker")),
                Err(stopped) => last = stopped,
            }
        }
    }
    Err(last)
}

fn inherited_bind(target: &Target) -> Attempt {
    let mut address = unix_abstract(target);
    address.extend(b"-inherited");
    let mut last = otherwise("no descriptor is a socket");
    for socket in inherited() {
        let arguments = [bits(socket), at(address.as_slice()), address.len()];
        match call("bind", libc::SYS_bind, arguments) {
            Ok(_) => return Ok(format!("descriptor {socket} has a name")),
            Err(stopped) => last = stopped,
        }
    }
    Err(last)
}

/// Whose process is at the other end.
fn peer(_: &Target) -> Attempt {
    let mut last = otherwise("no descriptor is a socket");
    for socket in inherited() {
        let mut identity = [0_i32; 3];
        let mut length = u32::try_from(size_of_val(&identity)).unwrap_or(0);
        let (level, option) = (bits(libc::SOL_SOCKET), bits(libc::SO_PEERCRED));
        let (identity, length) = (at_mut(&mut identity), at_mut(&mut length));
        let arguments = [bits(socket), level, option, identity, length];
        match call("getsockopt", libc::SYS_getsockopt, arguments) {
            Ok(_) => return Ok(format!("descriptor {socket} names its peer")),
            Err(stopped) => last = stopped,
        }
    }
    Err(last)
}

/// The event loop makes a pair for itself at its start. Both ends stay in the process, so it
/// reaches nobody.
pub(super) const UNSTOPPED: Probe = probe("socket.unix_pair", Nothing, &[], pair);
