//! The variables the shell itself reads, whose symbols are known when it is compiled.

use crate::names::{Symbol, intern};

macro_rules! known {
    ($($name:ident)*) => {
        #[allow(non_camel_case_types, dead_code, clippy::upper_case_acronyms,
            reason = "spelled as the variables are")]
        enum Place { $($name,)* }
        $(#[allow(dead_code, reason = "a full table")] pub const $name: Symbol = Symbol(Place::$name as u32);)*
        const NAMES: &[&str] = &[$(stringify!($name),)*];
    };
}

known! {
    IFS PATH HOME PWD OLDPWD OPTIND OPTARG OPTERR REPLY PS4 CDPATH GLOBIGNORE PIPESTATUS
    BASH_REMATCH LINENO RANDOM SRANDOM SECONDS EPOCHSECONDS EPOCHREALTIME BASHPID BASH_SUBSHELL
    BASH_COMMAND FUNCNAME BASH_SOURCE BASH_LINENO DIRSTACK BASH_VERSION BASH_VERSINFO PPID UID
    EUID GROUPS HOSTNAME HOSTTYPE OSTYPE MACHTYPE SHLVL SHELLOPTS BASHOPTS BASH BASH_ARGV0
    BASH_ALIASES BASH_CMDS MAPFILE COPROC TIMEFORMAT FUNCNEST POSIXLY_CORRECT BASH_ENV ENV PS3
    BASH_EXECUTION_STRING TMOUT BASH_XTRACEFD COMP_WORDBREAKS UNDERSCORE USER TMPDIR COLUMNS LINES PS1 PS2
    BASH_ARGC BASH_ARGV HISTCMD HISTFILE HISTFILESIZE LC_ALL LC_CTYPE LANG
}

/// Gives the known names their places; to be called before any other name is interned.
pub fn register() {
    for name in NAMES {
        // `$_` has no identifier of its own in Rust.
        intern(if *name == "UNDERSCORE" {
            b"_"
        } else {
            name.as_bytes()
        });
    }
}
