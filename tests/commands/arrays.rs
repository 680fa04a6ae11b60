//! Rule sets and word arrays made at random, close enough to each other that many fit.

use std::collections::BTreeMap;

use hotcell::policy::text::{
    Access, Confinement, DenyText, MountText, NativeText, OperandText, PolicyText, Separator,
    WorkspaceText,
};

use crate::slow_decision::{Layers, Start};

/// Numbers that are the same in every run (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count.max(1) as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn one<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    fn some(&mut self, list: &[&str], percent: usize) -> Vec<String> {
        let kept = list.iter().filter(|_| self.chance(percent));
        kept.map(|word| (*word).to_owned()).collect()
    }
}

const PROGRAMS: &[&str] = &["/usr/bin/tool", "/opt/tool"];
const AGENTS: &[&str] = &["ann", "bob"];
const FLAGS: &[&str] = &[
    "-a",
    "-b",
    "-u",
    "--all",
    "--al",
    "--all-files",
    "--n",
    "--color=never",
    "-ab",
];
const VALUES: &[&str] = &[
    "-n",
    "-m",
    "--n=",
    "--max-count=",
    "--all=",
    "--output",
    "-a=",
];
const PATTERNS: &[&str] = &[
    "[0-9]{1,3}",
    "[a-c]*",
    "x|--?y",
    ".+",
    "(?s).+",
    "[a-z]+/[a-z.]*",
    "(ab|a)(c|bcd)?",
    "-?[0-9]",
];
const FOLDERS: &[&str] = &["/workspace", "/workspace/src", "/", "/data", "/workspace/"];
const PROTECTED: &[&str] = &[".git/hooks", "**/.env", "a", "**/.git", "src/keys/private"];
const CWDS: &[&str] = &[
    "/workspace",
    "/workspace/src",
    "/workspace/.git",
    "/workspace/.git/hooks",
    "/workspace/a",
    "/workspace/src/../src",
    "/data",
    "/",
    "/etc",
    "workspace",
    "",
    "/workspace/../etc",
    "/workspacex",
    "/workspace/src/.env",
    "/workspace\0",
    "//workspace/./",
];
/// Words near to flags, values and operands of any rule.
const NEAR: &[&str] = &[
    "",
    "-",
    "--",
    "---",
    "-a",
    "-b",
    "-ab",
    "-ba",
    "-n",
    "-n7",
    "-n=7",
    "-m",
    "-u",
    "--a",
    "--al",
    "--all",
    "--all-",
    "--all-files",
    "--all=12",
    "--all=",
    "--n",
    "--n=",
    "--n=7",
    "--n=-7",
    "--max-count",
    "--max-count=12",
    "--max=12",
    "--output",
    "--output=x",
    "--color=never",
    "--color",
    "--colour=never",
    "-A",
    "--ALL",
    "7",
    "1234",
    "007",
    "x",
    "-y",
    "--y",
    "ab",
    "abcd",
    "log",
    "gc",
    "LOG",
    "HEAD",
    "HEAD\n",
    " HEAD",
    "--exec",
    "--exec=x",
    "--exec=a\nb",
    "-c",
    "-cx",
];
const PATHS: &[&str] = &[
    "src/a",
    "src",
    ".",
    "..",
    "./src/../b",
    "../workspace/b",
    "../x",
    "../../etc/passwd",
    "/workspace",
    "/workspace/b",
    "/workspace/src/c",
    "/workspacex/b",
    "/etc/passwd",
    "/",
    "//",
    "/../workspace/b",
    "a",
    "a/b",
    "aa",
    ".git",
    ".git/hooks",
    ".git/hooks/pre-commit",
    ".git/config",
    ".Git/hooks",
    "src/../.git/hooks",
    "./.git//hooks/",
    "sub/.git/hooks",
    ".env",
    "src/.env",
    "src/.env.local",
    "src/keys",
    "src/keys/private",
    "src/keys/public",
    "keys/private",
    "/data/a",
    "/data",
    "/data/raw/x",
    "a:b",
    "./a:b",
    "host:a",
    "file:///workspace/a",
    "ext::sh",
    ":(top)x",
    "@f",
    "./@f",
    "~",
    "~/x",
    "./~",
    "a\nb",
    "a;b",
    "$(id)",
    "`id`",
    "*.rs",
    "{a,b}",
    "a b",
    "\u{2028}",
    "ａ",
    "src/a\0b",
    "%2e%2e/x",
    "..\\x",
];

/// What a pattern matches; for one that is not listed, words that many match.
fn fitting(pattern: &str) -> &'static [&'static str] {
    match pattern {
        "[0-9]{1,3}" | "[0-9]{1,4}" | "[0-9]{1,5}" => &["7", "12", "120"],
        "[a-c]*" => &["", "abc", "c"],
        "x|--?y" => &["x", "-y"],
        "[a-z]+/[a-z.]*" => &["src/a", "src/a.b", "keys/private"],
        "(ab|a)(c|bcd)?" => &["ab", "abc", "abcd", "abbcd"],
        "-?[0-9]" => &["7", "-7"],
        "[0-9a-f]{7,40}" => &["0123abc", "ffffffffff"],
        _ => &["fix the parser", "x", "a;b", "a\nb", "$(id)"],
    }
}

fn operand(dice: &mut Dice) -> OperandText {
    let kind = OperandText::default();
    match dice.below(4) {
        0 => OperandText {
            literal: Some(dice.one(&["HEAD", "-y", "a", "", "--"]).to_owned()),
            ..kind
        },
        1 => OperandText {
            pattern: Some(dice.one(PATTERNS).to_owned()),
            ..kind
        },
        _ => OperandText {
            path: Some(dice.one(FOLDERS).to_owned()),
            ..kind
        },
    }
}

fn native(dice: &mut Dice) -> NativeText {
    let flags = dice.some(FLAGS, 35);
    let values: BTreeMap<_, _> = dice
        .some(VALUES, 30)
        .into_iter()
        .filter(|name| !flags.contains(name))
        .map(|name| (name, dice.one(PATTERNS).to_owned()))
        .collect();
    let operands: Vec<_> = (0..dice.below(4)).map(|_| operand(dice)).collect();
    let most = 1 + u32::try_from(dice.below(3)).unwrap();
    let takes = !operands.is_empty();
    let pinned = dice.chance(6);
    NativeText {
        program: dice.one(PROGRAMS).to_owned(),
        args: match dice.below(4) {
            _ if pinned => vec!["check.sh".to_owned(), "-a".to_owned()],
            0 => Vec::new(),
            1 => vec!["log".to_owned(), "-a".to_owned()],
            _ => vec!["log".to_owned()],
        },
        flags: if pinned { Vec::new() } else { flags },
        values: if pinned { BTreeMap::new() } else { values },
        operands_min: (takes && !pinned && dice.chance(40)).then_some(1),
        operands_max: (takes && !pinned && dice.chance(70)).then_some(most),
        operands: if pinned { Vec::new() } else { operands },
        separator: [Separator::None, Separator::Accept, Separator::Insert][dice.below(3)],
        script_sha256: pinned.then(|| "0".repeat(64)),
        cwd: match dice.below(5) {
            0 => Some("/workspace/src".to_owned()),
            1 => Some("/".to_owned()),
            _ => None,
        },
        confinement: match dice.below(4) {
            0 => Some(Confinement::Basic),
            1 => Some(Confinement::Strong),
            2 => Some(Confinement::Full),
            _ => None,
        },
        reason: "r".to_owned(),
        ..NativeText::default()
    }
}

fn denial(dice: &mut Dice) -> DenyText {
    let words = &[
        "--exec(=.*)?",
        "-u",
        "--?y",
        "[a-z]+/keys.*",
        "-[A-Za-z0-9]*[cu].*",
        "--al?",
        "(--max.*|--output)",
        ".*;.*",
    ];
    DenyText {
        native: Some(dice.one(PROGRAMS).to_owned()),
        args: match dice.chance(30) {
            true => vec!["log".to_owned()],
            false => Vec::new(),
        },
        // One without would deny the program as a whole.
        word: Some(dice.one(words).to_owned()),
        agents: dice.some(AGENTS, 20),
        reason: "r".to_owned(),
        ..DenyText::default()
    }
}

fn policy(dice: &mut Dice) -> PolicyText {
    let mount = dice.chance(40).then(|| MountText {
        host: "/srv/data".to_owned(),
        guest: "/data".to_owned(),
        access: Access::ReadWrite,
        protected: dice.some(&["raw", "**/.env"], 50),
        quota: None,
        reason: "r".to_owned(),
        expires: None,
        allows: Vec::new(),
        denies: Vec::new(),
    });
    PolicyText {
        version: 1,
        name: "generated".to_owned(),
        description: "made by a test".to_owned(),
        workspace: dice.chance(80).then(|| WorkspaceText {
            access: Access::ReadWrite,
            protected: dice.some(PROTECTED, 35),
            quota: None,
            allows: Vec::new(),
            denies: Vec::new(),
        }),
        mount: mount.into_iter().collect(),
        native: (0..1 + dice.below(3)).map(|_| native(dice)).collect(),
        deny: (0..dice.below(3)).map(|_| denial(dice)).collect(),
        ..PolicyText::default()
    }
}

/// A policy, for some with one it extends, which differs little.
pub fn layers(dice: &mut Dice) -> Layers {
    let own = policy(dice);
    if !dice.chance(30) {
        return vec![own];
    }
    let mut above = policy(dice);
    if dice.chance(80) {
        above.native = own.native.clone();
        for rule in &mut above.native {
            match dice.below(6) {
                0 => rule.flags.clear(),
                1 => rule.separator = Separator::None,
                2 => rule.separator = Separator::Insert,
                3 => rule.cwd = None,
                _ => {}
            }
            if rule.script_sha256.is_some() {
                rule.separator = Separator::None;
            }
        }
    }
    vec![own, above]
}

/// Words that a rule allows, or nearly: some are changed afterwards.
pub fn start(dice: &mut Dice, layers: &Layers) -> Start {
    let policy = &layers[dice.below(layers.len())];
    let rule = &policy.native[dice.below(policy.native.len())];
    let mut words = made_for(dice, rule);
    let changes = [0, 0, 0, 1, 1, 2, 3][dice.below(7)];
    for _ in 0..changes {
        change(dice, rule, &mut words);
    }
    let inside = rule.cwd.as_deref().unwrap_or("/workspace");
    Start {
        agent: dice.one(&["ann", "bob", "eve"]).to_owned(),
        program: match dice.chance(96) {
            true => rule.program.clone(),
            false => dice
                .one(&["/usr/bin/../bin/tool", "tool", "/opt/tool", "/usr/bin/git "])
                .to_owned(),
        },
        words,
        cwd: match dice.chance(75) {
            true => inside.to_owned(),
            false => dice.one(CWDS).to_owned(),
        },
    }
}

fn made_for(dice: &mut Dice, rule: &NativeText) -> Vec<String> {
    let mut words = rule.args.clone();
    let mut flags: Vec<Vec<String>> = Vec::new();
    for flag in &rule.flags {
        if dice.chance(30) {
            flags.push(vec![flag.clone()]);
        }
    }
    for (name, pattern) in &rule.values {
        if dice.chance(40) {
            let value = dice.one(fitting(pattern));
            flags.push(match name.ends_with('=') {
                true => vec![format!("{name}{value}")],
                false => vec![name.clone(), value.to_owned()],
            });
        }
    }
    while !flags.is_empty() {
        let at = dice.below(flags.len());
        words.extend(flags.swap_remove(at));
    }
    if rule.separator != Separator::None && dice.chance(25) {
        words.push("--".to_owned());
    }
    if rule.operands.is_empty() {
        return words;
    }
    let least = rule.operands_min.unwrap_or(0);
    let most = rule.operands_max.unwrap_or(3).min(4);
    let count = least + u32::try_from(dice.below((most - least) as usize + 1)).unwrap();
    for _ in 0..count {
        let kind = &rule.operands[dice.below(rule.operands.len())];
        let word = match (&kind.literal, &kind.pattern) {
            (Some(literal), _) => literal.clone(),
            (_, Some(pattern)) => dice.one(fitting(pattern)).to_owned(),
            _ => dice.one(PATHS).to_owned(),
        };
        words.push(word);
    }
    words
}

/// One change of an array, such as somebody would try who wants more than the rule gives.
fn change(dice: &mut Dice, rule: &NativeText, words: &mut Vec<String>) {
    let at = dice.below(words.len() + 1);
    let here = words.get(at).cloned().unwrap_or_default();
    let close = match dice.below(9) {
        0 => dice.one(PATHS).to_owned(),
        1 => here
            .chars()
            .take(here.chars().count().saturating_sub(1))
            .collect(),
        2 => format!(
            "{here}{}",
            dice.one(&["x", "\n", " ", "=", "7", "/", "/..", "\0", ";id"])
        ),
        3 => here.replacen('=', "", 1),
        4 if !rule.flags.is_empty() => rule.flags[dice.below(rule.flags.len())].clone(),
        5 => format!("-{here}"),
        _ => dice.one(NEAR).to_owned(),
    };
    match dice.below(6) {
        0 if at < words.len() => drop(words.remove(at)),
        1 if at < words.len() => words.insert(at, here),
        2 if words.len() > 1 => {
            let other = dice.below(words.len());
            let at = at.min(words.len() - 1);
            words.swap(at, other);
        }
        3 if at < words.len() => words[at] = close,
        _ => words.insert(at, close),
    }
}
