//! The one user and the one group of a guest, as `/etc/passwd` and `/etc/group` list them.

use std::io;

pub const USER: &str = "agent";
pub const UID: u32 = 1000;
pub const GID: u32 = 1000;

fn named(id: u32, what: &str) -> io::Result<String> {
    match id {
        0 => Ok("root".to_owned()),
        UID => Ok(USER.to_owned()),
        _ => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no such {what}: {id}"),
        )),
    }
}

fn number(name: &str, what: &str) -> io::Result<u32> {
    match name {
        "root" => Ok(0),
        USER => Ok(UID),
        _ => name.parse().map_err(|_| {
            io::Error::new(io::ErrorKind::NotFound, format!("no such {what}: {name}"))
        }),
    }
}

/// The name of user `id`.
///
/// # Errors
/// NotFound for an id without a name.
pub fn uid2usr(id: u32) -> io::Result<String> {
    named(id, "user")
}

/// The name of group `id`.
///
/// # Errors
/// NotFound for an id without a name.
pub fn gid2grp(id: u32) -> io::Result<String> {
    named(id, "group")
}

/// The id of user `name`, which may also be a number.
///
/// # Errors
/// NotFound for an unknown name.
pub fn usr2uid(name: &str) -> io::Result<u32> {
    number(name, "user")
}

/// The id of group `name`, which may also be a number.
///
/// # Errors
/// NotFound for an unknown name.
pub fn grp2gid(name: &str) -> io::Result<u32> {
    number(name, "group")
}
