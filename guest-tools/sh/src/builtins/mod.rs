//! Builtin commands.

mod completion;
mod control;
mod declaration;
mod declare;
mod directories;
mod echo;
mod getopts;
mod hash;
mod history;
mod jobs;
mod limits;
mod lookup;
mod printf;
mod read;
mod settings;
mod test;
mod time;
mod traps;
mod unset;

pub use completion::Completions;
pub use control::exec;
pub use declare::declare;
pub use hash::Place as HashedPlace;
pub use history::History;
pub use limits::Limit;
pub use settings::apply_set;
pub use time::format_time;

use crate::{ast::Bytes, execute::Run, shell::Shell};

/// A builtin: its words, the first its own name, to a status.
pub type Builtin = fn(&mut Shell, &[Bytes]) -> Run<i32>;

/// A word of a declaration command.
pub enum Argument {
    Text(Bytes),
    /// `name=(…)`: the place of the word in the command.
    Array(usize),
}

impl Argument {
    pub fn into_text(self) -> Bytes {
        match self {
            Self::Text(text) => text,
            Self::Array(_) => Bytes::new(),
        }
    }
}

const TABLE: &[(&str, Builtin)] = &[
    (".", control::source),
    (":", control::yes),
    ("[", test::bracket),
    ("alias", settings::alias),
    ("bg", jobs::background),
    ("break", control::break_loop),
    ("builtin", lookup::builtin),
    ("caller", control::caller),
    ("cd", directories::change),
    ("command", lookup::command),
    ("compgen", completion::compgen),
    ("complete", completion::complete),
    ("compopt", completion::compopt),
    ("continue", control::continue_loop),
    ("declare", declare::plain),
    ("dirs", directories::list),
    ("disown", jobs::disown),
    ("echo", echo::echo),
    ("enable", lookup::enable),
    ("eval", control::eval),
    ("exec", control::exec),
    ("exit", control::exit),
    ("export", declare::plain),
    ("false", control::no),
    ("fc", history::fix),
    ("fg", jobs::foreground),
    ("getopts", getopts::getopts),
    ("hash", hash::hash),
    ("help", lookup::help),
    ("history", history::history),
    ("jobs", jobs::list),
    ("kill", jobs::kill),
    ("let", control::evaluate),
    ("local", declare::plain),
    ("logout", control::exit),
    ("mapfile", read::mapfile),
    ("popd", directories::pop),
    ("printf", printf::printf),
    ("pushd", directories::push),
    ("pwd", directories::print),
    ("read", read::read),
    ("readarray", read::mapfile),
    ("readonly", declare::plain),
    ("return", control::return_from),
    ("set", settings::set),
    ("shift", control::shift),
    ("shopt", settings::shopt),
    ("source", control::source),
    ("suspend", settings::nothing),
    ("test", test::test),
    ("times", settings::times),
    ("trap", traps::trap),
    ("true", control::yes),
    ("type", lookup::kind),
    ("typeset", declare::plain),
    ("ulimit", limits::ulimit),
    ("umask", settings::umask),
    ("unalias", settings::unalias),
    ("unset", unset::unset),
    ("wait", jobs::wait),
];

/// The builtin called `name`.
pub fn find(name: &[u8]) -> Option<Builtin> {
    let place = TABLE
        .binary_search_by(|(known, _)| known.as_bytes().cmp(name))
        .ok()?;
    Some(TABLE[place].1)
}

/// Builtins after which POSIX mode keeps assignments.
pub fn is_special(name: &[u8]) -> bool {
    matches!(
        name,
        b"." | b":"
            | b"break"
            | b"continue"
            | b"eval"
            | b"exec"
            | b"exit"
            | b"export"
            | b"readonly"
            | b"return"
            | b"set"
            | b"shift"
            | b"source"
            | b"times"
            | b"trap"
            | b"unset"
    )
}

pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

impl Shell {
    /// Says what a builtin finds wrong.
    pub fn builtin_error(&mut self, name: &[u8], message: std::fmt::Arguments<'_>) {
        let name = String::from_utf8_lossy(name).into_owned();
        self.complain(format_args!("{name}: {message}"));
    }

    /// Says that an option is not known; the status of such a call.
    pub fn bad_option(&mut self, name: &[u8], option: u8, usage: &str) -> i32 {
        let option = char::from(option);
        self.builtin_error(name, format_args!("-{option}: invalid option"));
        let shown = String::from_utf8_lossy(name).into_owned();
        self.write_error(format!("{shown}: usage: {usage}\n").as_bytes());
        2
    }
}

/// Text as a decimal number.
pub fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

pub fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
