//! `set -o` options and `shopt` settings.

/// Options of `set`, with their names and letters.
macro_rules! options {
    ($($field:ident $name:literal $letter:literal,)*) => {
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Options { $(pub $field: bool,)* }

        /// (name, letter or a blank), in the order `set -o` lists them.
        pub const OPTIONS: &[(&str, u8)] = &[$(($name, $letter),)*];

        impl Options {
            pub fn by_name(&mut self, name: &str) -> Option<&mut bool> {
                match name { $($name => Some(&mut self.$field),)* _ => None }
            }
            pub fn get(&self, name: &str) -> bool {
                match name { $($name => self.$field,)* _ => false }
            }
        }
    };
}

options! {
    allexport "allexport" b'a',
    braceexpand "braceexpand" b'B',
    emacs "emacs" b' ',
    errexit "errexit" b'e',
    errtrace "errtrace" b'E',
    functrace "functrace" b'T',
    hashall "hashall" b'h',
    histexpand "histexpand" b'H',
    history "history" b' ',
    ignoreeof "ignoreeof" b' ',
    interactive_comments "interactive-comments" b' ',
    keyword "keyword" b'k',
    monitor "monitor" b'm',
    noclobber "noclobber" b'C',
    noexec "noexec" b'n',
    noglob "noglob" b'f',
    nolog "nolog" b' ',
    notify "notify" b'b',
    nounset "nounset" b'u',
    onecmd "onecmd" b't',
    physical "physical" b'P',
    pipefail "pipefail" b' ',
    posix "posix" b' ',
    privileged "privileged" b'p',
    verbose "verbose" b'v',
    vi "vi" b' ',
    xtrace "xtrace" b'x',
}

impl Options {
    pub fn at_start() -> Self {
        Self {
            braceexpand: true,
            hashall: true,
            interactive_comments: true,
            ..Self::default()
        }
    }

    pub fn by_letter(&mut self, letter: u8) -> Option<&mut bool> {
        let (name, _) = OPTIONS
            .iter()
            .find(|(_, l)| *l == letter && letter != b' ')?;
        self.by_name(name)
    }

    /// The letters of `$-` that come from options.
    pub fn letters(&self) -> String {
        let mut out: Vec<u8> = OPTIONS
            .iter()
            .filter(|(name, letter)| *letter != b' ' && self.get(name))
            .map(|(_, letter)| *letter)
            .collect();
        out.sort_by_key(|letter| (letter.is_ascii_uppercase(), *letter));
        String::from_utf8(out).unwrap_or_default()
    }
}

/// Names of `shopt` settings in bash's order; a setting is the bit of its place.
pub const SHOPT: &[&str] = &[
    "autocd",
    "assoc_expand_once",
    "cdable_vars",
    "cdspell",
    "checkhash",
    "checkjobs",
    "checkwinsize",
    "cmdhist",
    "compat31",
    "compat32",
    "compat40",
    "compat41",
    "compat42",
    "compat43",
    "compat44",
    "complete_fullquote",
    "direxpand",
    "dirspell",
    "dotglob",
    "execfail",
    "expand_aliases",
    "extdebug",
    "extglob",
    "extquote",
    "failglob",
    "force_fignore",
    "globasciiranges",
    "globskipdots",
    "globstar",
    "gnu_errfmt",
    "histappend",
    "histreedit",
    "histverify",
    "hostcomplete",
    "huponexit",
    "inherit_errexit",
    "interactive_comments",
    "lastpipe",
    "lithist",
    "localvar_inherit",
    "localvar_unset",
    "login_shell",
    "mailwarn",
    "no_empty_cmd_completion",
    "nocaseglob",
    "nocasematch",
    "noexpand_translation",
    "nullglob",
    "patsub_replacement",
    "progcomp",
    "progcomp_alias",
    "promptvars",
    "restricted_shell",
    "shift_verbose",
    "sourcepath",
    "varredir_close",
    "xpg_echo",
];

const ON_AT_START: &[&str] = &[
    "checkwinsize",
    "cmdhist",
    "complete_fullquote",
    "extquote",
    "force_fignore",
    "globasciiranges",
    "globskipdots",
    "hostcomplete",
    "interactive_comments",
    "patsub_replacement",
    "progcomp",
    "promptvars",
    "sourcepath",
];

/// The `shopt` settings the evaluator asks for, by place in `SHOPT`.
pub mod shopt {
    macro_rules! places {
        ($($name:ident $place:literal,)*) => { $(pub const $name: u64 = 1 << $place;)* };
    }
    places! {
        DOTGLOB 18, EXPAND_ALIASES 20, EXTGLOB 22, FAILGLOB 24, GLOBSKIPDOTS 27, GLOBSTAR 28, INHERIT_ERREXIT 35, LASTPIPE 37, LOCALVAR_INHERIT 39,
        NOCASEGLOB 44, NOCASEMATCH 45, NULLGLOB 47, PATSUB_REPLACEMENT 48, SHIFT_VERBOSE 53,
        SOURCEPATH 54, XPG_ECHO 56, CDABLE_VARS 2, PROMPTVARS 51,
    }
}

pub fn shopt_at_start() -> u64 {
    let mut bits = 0;
    for (place, name) in SHOPT.iter().enumerate() {
        if ON_AT_START.contains(name) {
            bits |= 1 << place;
        }
    }
    bits
}
