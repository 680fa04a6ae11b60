//! Programs known to start others, to write or fetch as their arguments say: never allowed
//! without a grammar, and some never at all. A list of what is known, not a wall.

/// Shells: allowed only for a pinned script.
const SHELLS: &[&str] = &[
    "ash", "bash", "csh", "dash", "elvish", "es", "fish", "hush", "ksh", "lksh", "mksh", "nu",
    "oksh", "osh", "pdksh", "posh", "pwsh", "rbash", "rc", "sash", "sh", "tcsh", "xonsh", "yash",
    "zsh",
];

/// Programs whose operands are other programs: no grammar makes them harmless. busybox and toybox
/// are among them: their first word is a program, not a script.
const WRAPPERS: &[&str] = &[
    "bwrap",
    "busybox",
    "capsh",
    "cgexec",
    "choom",
    "chpst",
    "chroot",
    "chrt",
    "dbus-run-session",
    "doas",
    "dumb-init",
    "entr",
    "env",
    "faketime",
    "fakeroot",
    "firejail",
    "flock",
    "gosu",
    "hyperfine",
    "i386",
    "ionice",
    "linux32",
    "linux64",
    "ltrace",
    "newgrp",
    "nice",
    "nohup",
    "nsenter",
    "numactl",
    "parallel",
    "pkexec",
    "prlimit",
    "proot",
    "proxychains",
    "rlwrap",
    "run-parts",
    "runuser",
    "script",
    "setarch",
    "setpriv",
    "setsid",
    "sg",
    "ssh-agent",
    "start-stop-daemon",
    "stdbuf",
    "strace",
    "su",
    "su-exec",
    "sudo",
    "systemd-inhibit",
    "systemd-run",
    "taskset",
    "time",
    "timeout",
    "tini",
    "torsocks",
    "toybox",
    "uname26",
    "unbuffer",
    "unshare",
    "valgrind",
    "watch",
    "x86_64",
    "xargs",
];

/// How the names of dynamic linkers begin: they run the program they are given.
const LINKERS: &[&str] = &["ld-linux", "ld-musl", "ld.so", "ld64.so"];

/// Programs that run code of their operands or flags, or open the network.
const CAPABLE: &[&str] = &[
    "ansible",
    "ar",
    "aria2c",
    "at",
    "awk",
    "bundle",
    "cargo",
    "cc",
    "clang",
    "cmake",
    "composer",
    "cpio",
    "crontab",
    "curl",
    "dd",
    "docker",
    "ed",
    "emacs",
    "expect",
    "fd",
    "find",
    "ftp",
    "gawk",
    "gcc",
    "gdb",
    "gem",
    "gh",
    "git",
    "gradle",
    "hg",
    "irb",
    "java",
    "jq",
    "kubectl",
    "ld",
    "less",
    "lua",
    "m4",
    "make",
    "man",
    "mawk",
    "more",
    "mvn",
    "mysql",
    "nano",
    "nc",
    "ncat",
    "ninja",
    "node",
    "nmap",
    "npm",
    "openssl",
    "perl",
    "php",
    "pip",
    "pip3",
    "pnpm",
    "poetry",
    "psql",
    "puppet",
    "python",
    "python3",
    "rake",
    "rg",
    "rsync",
    "ruby",
    "rustc",
    "rustup",
    "scp",
    "screen",
    "sed",
    "sftp",
    "socat",
    "sort",
    "split",
    "sqlite3",
    "ssh",
    "svn",
    "systemctl",
    "tar",
    "tclsh",
    "tee",
    "telnet",
    "tmux",
    "tox",
    "uv",
    "vi",
    "view",
    "vim",
    "wget",
    "wish",
    "yarn",
    "zip",
];

/// What is known of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Shell,
    Wrapper,
    Capable,
}

/// Looks up a program by the last part of its path, version numbers and `-static` aside.
pub fn known(program: &str) -> Option<Known> {
    let name = program.rsplit('/').next().unwrap_or(program);
    let dynamic = ["-static", ".static"];
    let mut dynamic = dynamic.iter().filter_map(|end| name.strip_suffix(end));
    let plain = dynamic.next().unwrap_or(name);
    let bare = plain.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let listed = |list: &[&str]| [name, plain, bare].iter().any(|name| list.contains(name));
    if listed(SHELLS) {
        Some(Known::Shell)
    } else if listed(WRAPPERS) || LINKERS.iter().any(|start| name.starts_with(start)) {
        Some(Known::Wrapper)
    } else if listed(CAPABLE) {
        Some(Known::Capable)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_any_path_and_version() {
        assert_eq!(known("/usr/bin/bash"), Some(Known::Shell));
        assert_eq!(known("/opt/bin/python3.12"), Some(Known::Capable));
        assert_eq!(known("xargs"), Some(Known::Wrapper));
        assert_eq!(known("/bin/busybox.static"), Some(Known::Wrapper));
        assert_eq!(known("/bin/zsh-5.9-static"), Some(Known::Shell));
        let linker = "/lib64/ld-linux-x86-64.so.2";
        assert_eq!(known(linker), Some(Known::Wrapper));
        assert_eq!(known("/usr/bin/true"), None);
    }
}
