//! The argument matcher once more: slow, and as the documentation says it. It tries every way to
//! read the words as `args`, flags, perhaps `--`, operands, and wants exactly one kind of reading.
#![allow(
    dead_code,
    reason = "not every suite makes mistakes or leaves the workspace"
)]

use hotcell::policy::text::{NativeText, OperandText, Separator};

#[path = "slow_pattern.rs"]
pub mod slow_pattern;

/// What a rule may not be longer than: words, and bytes of one.
const WORDS_MAX: usize = 4_096;
const WORD_BYTES_MAX: usize = 131_072;

/// A mistake the reference can be asked to make, to see that somebody notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// The beginning of a long flag is taken for the flag.
    Abbreviated,
    /// `-ab` is taken for `-a -b`, `-n7` for `-n 7`.
    Joined,
    /// `--n 7` is taken for `--n=7`.
    Apart,
    /// A flag may be given twice.
    Repeated,
    /// A value may look like a flag.
    DashedValue,
    /// Flags may stand behind operands, where the rule has both.
    Late,
    /// No `--` is put in.
    NotSeparated,
    /// `..` is not looked at.
    Dots,
    /// `/workspacex` lies in `/workspace`.
    Sibling,
    /// `@`, `~` and `host:` are parts of names.
    OddPaths,
    /// A relative path starts in /workspace, wherever the program does.
    Cwd,
    /// Protected names are not looked at.
    Unprotected,
    /// Folders on the way to a protected name are not looked at.
    OnTheWay,
    /// One operand more than allowed.
    OneMore,
    /// Deny rules are not looked at.
    Undenied,
    /// Deny rules are for whole commands, not for every word.
    DeniedFirstWord,
    /// A start in a protected folder is one in any other.
    ProtectedFolder,
    /// What an ancestor says is not looked at.
    NoAncestor,
    /// Where several rules fit, the last one counts.
    LastRule,
}

/// Where words are read.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub cwd: &'a str,
    /// Whether the names of an absolute path are protected.
    pub protected: &'a dyn Fn(&[String]) -> bool,
    pub slip: Option<Slip>,
}

impl Place<'_> {
    fn slips(&self, slip: Slip) -> bool {
        self.slip == Some(slip)
    }
}

/// The words to run, when some reading of `words` follows the rule.
pub fn match_words(rule: &NativeText, words: &[String]) -> Option<Vec<String>> {
    let place = Place {
        cwd: "/workspace",
        protected: &|_| false,
        slip: None,
    };
    match_at(rule, words, &place)
}

/// As [`match_words`], in any folder and with protected names.
pub fn match_at(rule: &NativeText, words: &[String], place: &Place<'_>) -> Option<Vec<String>> {
    let bad = |word: &String| word.contains('\0') || word.len() > WORD_BYTES_MAX;
    if words.len() > WORDS_MAX || words.iter().any(bad) {
        return None;
    }
    let rest = words.strip_prefix(&*rule.args)?;
    if rule.script_sha256.is_some() {
        return rest.is_empty().then(|| words.to_vec());
    }
    // Every place where operands could begin.
    for split in 0..=rest.len() {
        let (head, operands) = rest.split_at(split);
        let (flags, separated) = match head.split_last() {
            Some((last, before)) if last == "--" => (before, true),
            _ => (head, false),
        };
        if separated && rule.separator == Separator::None {
            continue;
        }
        // An operand that looks like a flag is one only behind `--`.
        let dashed = operands.iter().any(|word| word.starts_with('-'));
        if !separated && dashed && !place.slips(Slip::Late) {
            continue;
        }
        if !flags_fit(rule, flags, place) || !operands_fit(rule, operands, place) {
            continue;
        }
        let mut run = [&*rule.args, head].concat();
        let insert = rule.separator == Separator::Insert && !place.slips(Slip::NotSeparated);
        if insert && !separated && !operands.is_empty() {
            run.push("--".to_owned());
        }
        run.extend_from_slice(operands);
        return Some(run);
    }
    None
}

/// Whether the words are flags, each at most once, by trying to take one or two off the front.
fn flags_fit(rule: &NativeText, words: &[String], place: &Place<'_>) -> bool {
    fn rest(
        rule: &NativeText,
        words: &[String],
        place: &Place<'_>,
        used: &mut Vec<String>,
    ) -> bool {
        if words.is_empty() {
            return true;
        }
        for (name, count) in readings(rule, words, place) {
            if used.contains(&name) && !place.slips(Slip::Repeated) {
                continue;
            }
            used.push(name);
            let fits = words
                .get(count..)
                .is_some_and(|after| rest(rule, after, place, used));
            used.pop();
            if fits {
                return true;
            }
        }
        false
    }
    rest(rule, words, place, &mut Vec::new())
}

/// Every flag that the front of `words` could be, and how many words it takes.
fn readings(rule: &NativeText, words: &[String], place: &Place<'_>) -> Vec<(String, usize)> {
    let word = words.first().map(String::as_str).unwrap_or_default();
    let next = words.get(1);
    let mut found = Vec::new();
    for flag in &rule.flags {
        let short = word.starts_with("--") && word.len() > 3 && flag.starts_with(word);
        if word == flag || (short && place.slips(Slip::Abbreviated)) {
            found.push((flag.clone(), 1));
        }
    }
    let mut letters = word.strip_prefix('-').unwrap_or_default().chars();
    let declared = |letter| rule.flags.contains(&format!("-{letter}"));
    if place.slips(Slip::Joined) && word.len() > 2 && letters.all(declared) {
        found.push((word.to_owned(), 1));
    }
    for (name, pattern) in &rule.values {
        let fits = |value: &str| slow_pattern::matches(pattern, value, false);
        let plain = |value: &&String| !value.starts_with('-') || place.slips(Slip::DashedValue);
        let follows = next.filter(plain).is_some_and(|value| fits(value));
        let one_word = match name.strip_suffix('=') {
            Some(bare) => {
                if place.slips(Slip::Apart) && word == bare && follows {
                    found.push((name.clone(), 2));
                }
                word.strip_prefix(bare)
                    .and_then(|value| value.strip_prefix('='))
            }
            None => {
                if word == name && follows {
                    found.push((name.clone(), 2));
                }
                let value = word.strip_prefix(&**name).filter(|rest| !rest.is_empty());
                value.filter(|_| place.slips(Slip::Joined))
            }
        };
        if one_word.is_some_and(fits) {
            found.push((name.clone(), 1));
        }
    }
    found
}

fn operands_fit(rule: &NativeText, words: &[String], place: &Place<'_>) -> bool {
    let most = match rule.operands.is_empty() {
        true => 0,
        false => rule.operands_max.unwrap_or(16),
    };
    let most = u64::from(most) + u64::from(place.slips(Slip::OneMore));
    let count = words.len() as u64;
    // With the slip, flags count as operands wherever they stand.
    let late = |word: &String| {
        place.slips(Slip::Late) && rule.flags.contains(word) && !rule.operands.is_empty()
    };
    let fits = |word: &String| {
        late(word)
            || rule
                .operands
                .iter()
                .any(|kind| operand_fits(kind, word, place))
    };
    u64::from(rule.operands_min.unwrap_or(0)) <= count && count <= most && words.iter().all(fits)
}

fn operand_fits(kind: &OperandText, word: &str, place: &Place<'_>) -> bool {
    if let Some(literal) = &kind.literal {
        return literal == word;
    }
    if let Some(pattern) = &kind.pattern {
        return slow_pattern::matches(pattern, word, false);
    }
    let folder = kind.path.as_deref().unwrap_or_default();
    let odd = word.starts_with(['@', '~']);
    let scheme = word.split('/').next().unwrap_or_default().contains(':');
    if word.is_empty() || word.starts_with('-') {
        return false;
    }
    if (odd || scheme) && !place.slips(Slip::OddPaths) {
        return false;
    }
    let cwd = match place.slips(Slip::Cwd) {
        true => "/workspace",
        false => place.cwd,
    };
    let Some(names) = names(word, cwd, place.slips(Slip::Dots)) else {
        return false;
    };
    lies_below(&names, folder, place.slips(Slip::Sibling)) && !(place.protected)(&names)
}

/// The names of a path from `/` on; none when it leaves `/`.
pub fn names(path: &str, cwd: &str, dots_are_names: bool) -> Option<Vec<String>> {
    let whole = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{cwd}/{path}"),
    };
    let mut names: Vec<String> = Vec::new();
    for part in whole.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match part == ".." && !dots_are_names {
            true => drop(names.pop()?),
            false => names.push(part.to_owned()),
        }
    }
    Some(names)
}

/// Whether names are below a folder, or it.
pub fn lies_below(names: &[String], folder: &str, siblings_too: bool) -> bool {
    let place = format!("/{}/", names.join("/"));
    let folder = folder.trim_end_matches('/');
    match siblings_too {
        true => place.starts_with(folder),
        false => place.starts_with(&format!("{folder}/")),
    }
}
