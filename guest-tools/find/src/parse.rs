//! The command line of find, read into a [`Search`].

use std::{
    ffi::OsString,
    fs,
    os::wasi::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
    rc::Rc,
};

use guest_unix::fs::MetadataExt;
use options::quote_argument as quote;
use posix_regex::{Matcher, Options, Syntax, translate};

use crate::{
    calendar,
    execute::{Execution, Mode},
    expression::{Bound, Node, Search, Settings, Sink, Stamp},
    value::{owner, permission, size, types},
};

struct Parser {
    words: Vec<OsString>,
    at: usize,
    settings: Settings,
    outputs: Vec<PathBuf>,
    syntax: Syntax,
    acts: bool,
}

type Parsed = Result<Node, String>;

/// Reads a command line.
///
/// # Errors
/// The message, without the program's name.
pub fn parse(arguments: Vec<OsString>) -> Result<Search, String> {
    let mut parser = Parser {
        words: arguments,
        at: 0,
        settings: Settings {
            follow: false,
            follow_starts: false,
            depth_first: false,
            least_depth: 0,
            most_depth: usize::MAX,
            one_device: false,
            from_day_start: false,
            now: calendar::now(),
        },
        outputs: Vec::new(),
        syntax: Syntax::Emacs,
        acts: false,
    };
    parser.leading_options();
    let starts = parser.starts();
    let mut expression = if parser.at == parser.words.len() {
        Node::Always(true)
    } else {
        parser.list()?
    };
    if let Some(extra) = parser.words.get(parser.at) {
        return Err(match extra.as_bytes() {
            b")" => "you have too many ')'".to_owned(),
            _ => format!("paths must precede expression: `{}'", extra.display()),
        });
    }
    if !parser.acts {
        let print = Node::Print {
            sink: Sink::Stdout,
            end: b'\n',
        };
        expression = Node::And(Box::new(expression), Box::new(print));
    }
    let starts = if starts.is_empty() {
        vec![OsString::from(".")]
    } else {
        starts
    };
    Ok(Search {
        starts,
        expression,
        settings: parser.settings,
        outputs: parser.outputs,
    })
}

impl Parser {
    fn leading_options(&mut self) {
        while let Some(word) = self.words.get(self.at) {
            match word.as_bytes() {
                b"-L" => (self.settings.follow, self.settings.follow_starts) = (true, true),
                b"-H" => (self.settings.follow, self.settings.follow_starts) = (false, true),
                b"-P" => (self.settings.follow, self.settings.follow_starts) = (false, false),
                b"-D" => self.at += 1,
                b"--" => {}
                other if other.starts_with(b"-O") && other.len() > 2 => {}
                _ => break,
            }
            self.at += 1;
        }
    }

    fn starts(&mut self) -> Vec<OsString> {
        let mut starts = Vec::new();
        while let Some(word) = self.words.get(self.at) {
            let bytes = word.as_bytes();
            let begins =
                bytes.len() > 1 && bytes[0] == b'-' || matches!(bytes, b"(" | b")" | b"!" | b",");
            if begins {
                break;
            }
            starts.push(word.clone());
            self.at += 1;
        }
        starts
    }

    fn peek(&self) -> &[u8] {
        self.words.get(self.at).map_or(&[], |word| word.as_bytes())
    }

    fn list(&mut self) -> Parsed {
        let mut left = self.or()?;
        while self.peek() == b"," {
            left = Node::List(Box::new(left), Box::new(self.after(Self::or)?));
        }
        Ok(left)
    }

    fn or(&mut self) -> Parsed {
        let mut left = self.and()?;
        while matches!(self.peek(), b"-o" | b"-or") {
            left = Node::Or(Box::new(left), Box::new(self.after(Self::and)?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.not()?;
        loop {
            let right = match self.peek() {
                b"-a" | b"-and" => self.after(Self::not)?,
                b"" | b")" | b"," | b"-o" | b"-or" => return Ok(left),
                _ => self.not()?,
            };
            left = Node::And(Box::new(left), Box::new(right));
        }
    }

    /// What follows the operator at hand, read with `read`.
    fn after(&mut self, read: fn(&mut Self) -> Parsed) -> Parsed {
        let operator = self.words[self.at].to_string_lossy().into_owned();
        self.at += 1;
        if self.at == self.words.len() {
            return Err(format!("expected an expression after '{operator}'"));
        }
        read(self)
    }

    fn not(&mut self) -> Parsed {
        match self.peek() {
            b"!" | b"-not" => Ok(Node::Not(Box::new(self.after(Self::not)?))),
            b"(" => {
                self.at += 1;
                if self.peek() == b")" {
                    return Err("invalid expression; empty parentheses are not allowed.".to_owned());
                }
                if self.at == self.words.len() {
                    return Err("invalid expression; expected to find a ')' but didn't see one. Perhaps you need an extra predicate after '('".to_owned());
                }
                let inner = self.list()?;
                if self.peek() != b")" {
                    return Err("invalid expression; I was expecting to find a ')' somewhere but did not see one.".to_owned());
                }
                self.at += 1;
                Ok(inner)
            }
            operator @ (b"-o" | b"-or" | b"-a" | b"-and" | b",") => Err(format!(
                "invalid expression; you have used a binary operator '{}' with nothing before it.",
                String::from_utf8_lossy(operator)
            )),
            b")" => Err("invalid expression; you have too many ')'".to_owned()),
            b"" => Err("invalid expression".to_owned()),
            _ => self.primary(),
        }
    }

    fn primary(&mut self) -> Parsed {
        let word = self.words[self.at].to_string_lossy().into_owned();
        self.at += 1;
        if let Some(node) = self.plain(&word)? {
            return Ok(node);
        }
        if let Some(node) = self.action(&word)? {
            return Ok(node);
        }
        self.with_value(&word)
    }

    fn value(&mut self, word: &str) -> Result<String, String> {
        let value = self
            .words
            .get(self.at)
            .ok_or_else(|| format!("missing argument to `{word}'"))?;
        self.at += 1;
        Ok(value.to_string_lossy().into_owned())
    }

    /// A format of `-printf` that can be answered.
    fn format(&mut self, word: &str) -> Result<String, String> {
        let format = self.value(word)?;
        if crate::format::names_file_system(&format) {
            return Err(format!(
                "{word}: %F is not supported here: file systems have no type"
            ));
        }
        Ok(format)
    }

    /// Primaries without a value.
    fn plain(&mut self, word: &str) -> Result<Option<Node>, String> {
        Ok(Some(match word {
            "-true"
            | "-noleaf"
            | "-warn"
            | "-nowarn"
            | "-ignore_readdir_race"
            | "-noignore_readdir_race" => Node::Always(true),
            "-false" => Node::Always(false),
            "-depth" | "-d" => {
                self.settings.depth_first = true;
                Node::Always(true)
            }
            "-xdev" | "-mount" => {
                self.settings.one_device = true;
                Node::Always(true)
            }
            "-daystart" => {
                self.settings.from_day_start = true;
                let now = calendar::now().0;
                self.settings.now = (now - now.rem_euclid(86_400) + 86_400, 0);
                Node::Always(true)
            }
            "-follow" => {
                (self.settings.follow, self.settings.follow_starts) = (true, true);
                Node::Always(true)
            }
            "-empty" => Node::Empty,
            "-nouser" | "-nogroup" => Node::NoUser,
            "-readable" => Node::Access(4),
            "-writable" => Node::Access(2),
            "-executable" => Node::Access(1),
            "-prune" => Node::Prune,
            "-quit" => Node::Quit,
            _ => return Ok(None),
        }))
    }

    fn action(&mut self, word: &str) -> Result<Option<Node>, String> {
        let node = match word {
            "-print" => Node::Print {
                sink: Sink::Stdout,
                end: b'\n',
            },
            "-print0" => Node::Print {
                sink: Sink::Stdout,
                end: 0,
            },
            "-ls" => Node::List2 { sink: Sink::Stdout },
            "-fprint" => Node::Print {
                sink: self.output(word)?,
                end: b'\n',
            },
            "-fprint0" => Node::Print {
                sink: self.output(word)?,
                end: 0,
            },
            "-fls" => Node::List2 {
                sink: self.output(word)?,
            },
            "-printf" => Node::Printf {
                sink: Sink::Stdout,
                format: self.format(word)?,
            },
            "-fprintf" => {
                let sink = self.output(word)?;
                Node::Printf {
                    sink,
                    format: self.format(word)?,
                }
            }
            "-delete" => {
                self.settings.depth_first = true;
                Node::Delete
            }
            "-exec" => self.execution(word, Mode::Here)?,
            "-execdir" => self.execution(word, Mode::InFolder)?,
            "-ok" => self.execution(word, Mode::AskHere)?,
            "-okdir" => self.execution(word, Mode::AskInFolder)?,
            _ => return Ok(None),
        };
        self.acts = true;
        Ok(Some(node))
    }

    fn output(&mut self, word: &str) -> Result<Sink, String> {
        let path = PathBuf::from(self.value(word)?);
        let known = self.outputs.iter().position(|known| *known == path);
        let number = known.unwrap_or_else(|| {
            self.outputs.push(path);
            self.outputs.len() - 1
        });
        Ok(Sink::File(number))
    }

    fn execution(&mut self, word: &str, mode: Mode) -> Parsed {
        let mut words: Vec<Vec<u8>> = Vec::new();
        loop {
            let Some(next) = self.words.get(self.at) else {
                return Err(format!("missing argument to `{word}'"));
            };
            self.at += 1;
            let several = next == "+" && words.last().is_some_and(|last| last == b"{}");
            if next == ";" || several {
                if words.is_empty() {
                    return Err(format!("invalid argument `{}' to `{word}'", next.display()));
                }
                if several {
                    words.pop();
                    if words.iter().any(|word| word == b"{}") {
                        return Err(format!(
                            "Only one instance of {{}} is supported with {word} ... +"
                        ));
                    }
                }
                return Ok(Node::Execute(Rc::new(Execution::new(words, mode, several))));
            }
            words.push(next.clone().into_vec());
        }
    }

    fn with_value(&mut self, word: &str) -> Parsed {
        if let Some(letters) = word.strip_prefix("-newer") {
            return self.newer(word, letters);
        }
        let known = [
            "-name",
            "-iname",
            "-path",
            "-ipath",
            "-wholename",
            "-iwholename",
            "-lname",
            "-ilname",
            "-regex",
            "-iregex",
            "-regextype",
            "-type",
            "-xtype",
            "-size",
            "-links",
            "-inum",
            "-uid",
            "-gid",
            "-user",
            "-group",
            "-perm",
            "-mtime",
            "-atime",
            "-ctime",
            "-mmin",
            "-amin",
            "-cmin",
            "-samefile",
            "-anewer",
            "-cnewer",
            "-maxdepth",
            "-mindepth",
            "-fstype",
        ];
        if !known.contains(&word) {
            return Err(if word.starts_with('-') {
                format!("unknown predicate `{word}'")
            } else {
                format!("paths must precede expression: `{word}'")
            });
        }
        let value = self.value(word)?;
        match word {
            "-name" | "-iname" => Ok(Node::Name {
                glob: value,
                ignore_case: word == "-iname",
            }),
            "-path" | "-wholename" => Ok(Node::Path {
                glob: value,
                ignore_case: false,
            }),
            "-ipath" | "-iwholename" => Ok(Node::Path {
                glob: value,
                ignore_case: true,
            }),
            "-lname" | "-ilname" => Ok(Node::LinkName {
                glob: value,
                ignore_case: word == "-ilname",
            }),
            "-regex" | "-iregex" => self.regex(&value, word == "-iregex"),
            "-regextype" => self.regex_type(&value),
            "-type" | "-xtype" => types(word, &value),
            "-size" => size(&value),
            "-perm" => permission(&value),
            "-user" | "-group" => owner(word, &value),
            "-samefile" => {
                let metadata = fs::metadata(&value)
                    .map_err(|e| format!("{}: {}", quote(&value), options::reason(&e)))?;
                Ok(Node::SameFile(metadata.dev(), metadata.ino()))
            }
            "-anewer" => self.newer_file(Stamp::Accessed, &value, Stamp::Modified),
            "-cnewer" => self.newer_file(Stamp::Changed, &value, Stamp::Modified),
            "-maxdepth" | "-mindepth" => self.depth(word, &value),
            "-fstype" => Ok(Node::Always(false)),
            _ => self.bounded(word, &value),
        }
    }

    fn depth(&mut self, word: &str, value: &str) -> Parsed {
        let depth = value.parse().map_err(|_| {
            format!(
                "Expected a positive decimal integer argument to {word}, but got {}",
                quote(value)
            )
        })?;
        if word == "-maxdepth" {
            self.settings.most_depth = depth;
        } else {
            self.settings.least_depth = depth;
        }
        Ok(Node::Always(true))
    }

    fn bounded(&self, word: &str, value: &str) -> Parsed {
        let bound =
            Bound::parse(value).ok_or_else(|| format!("invalid argument `{value}' to `{word}'"))?;
        let stamp = match word.as_bytes()[1] {
            b'a' => Stamp::Accessed,
            b'c' => Stamp::Changed,
            _ => Stamp::Modified,
        };
        Ok(match word {
            "-links" => Node::Links(bound),
            "-inum" => Node::Inode(bound),
            "-uid" => Node::UserId(bound),
            "-gid" => Node::GroupId(bound),
            "-mmin" | "-amin" | "-cmin" => Node::Minutes { stamp, bound },
            _ => Node::Days { stamp, bound },
        })
    }

    fn newer(&mut self, word: &str, letters: &str) -> Parsed {
        let value = self.value(word)?;
        let stamp = |letter: Option<char>| match letter {
            Some('a') => Some(Stamp::Accessed),
            Some('c') => Some(Stamp::Changed),
            Some('m') => Some(Stamp::Modified),
            _ => None,
        };
        let unknown = || format!("invalid predicate `{word}'");
        let mut chars = letters.chars();
        if letters.is_empty() {
            return self.newer_file(Stamp::Modified, &value, Stamp::Modified);
        }
        let left = stamp(chars.next()).ok_or_else(unknown)?;
        match chars.next() {
            Some('t') => {
                let time = calendar::parse(&value, calendar::now()).ok_or_else(|| {
                    format!(
                        "I cannot figure out how to interpret {} as a date or time",
                        quote(&value)
                    )
                })?;
                Ok(Node::NewerThan { stamp: left, time })
            }
            other => self.newer_file(left, &value, stamp(other).ok_or_else(unknown)?),
        }
    }

    fn newer_file(&self, stamp: Stamp, file: &str, of_file: Stamp) -> Parsed {
        let metadata =
            fs::metadata(file).map_err(|e| format!("{}: {}", quote(file), options::reason(&e)))?;
        Ok(Node::NewerThan {
            stamp,
            time: crate::evaluate::time_of(&metadata, of_file),
        })
    }

    fn regex_type(&mut self, value: &str) -> Parsed {
        self.syntax = match value {
            "findutils-default" | "emacs" => Syntax::Emacs,
            "posix-basic" | "posix-minimal-basic" | "grep" | "ed" | "sed" | "gnu-awk-basic" => {
                Syntax::Basic
            }
            "posix-extended" | "posix-egrep" | "egrep" | "awk" | "gnu-awk" | "posix-awk" => {
                Syntax::Extended
            }
            other => return Err(format!("Unknown regular expression type {}", quote(other))),
        };
        Ok(Node::Always(true))
    }

    fn regex(&self, text: &str, ignore_case: bool) -> Parsed {
        let translated = translate(text, self.syntax, "")?;
        let pattern = format!("\\A(?:{})\\z", translated.pattern);
        let options = Options {
            ignore_case,
            lines: None,
        };
        Matcher::new(&pattern, translated.back_references, options)
            .map(|matcher| Node::Regex(Rc::new(matcher)))
    }
}
