//! Patterns as `fnmatch` without FNM_PATHNAME: `*` and `?` also match `/` and a leading dot.

/// Whether `glob` matches all of `text`.
#[must_use]
pub fn matches(glob: &str, text: &str, ignore_case: bool) -> bool {
    let fold = |text: &str| -> Vec<char> {
        if ignore_case {
            text.to_lowercase().chars().collect()
        } else {
            text.chars().collect()
        }
    };
    run(&fold(glob), &fold(text))
}

fn run(glob: &[char], text: &[char]) -> bool {
    let (mut at, mut position) = (0, 0);
    // Where to resume when a later part fails: after the last star, one character further.
    let mut resume: Option<(usize, usize)> = None;
    loop {
        let step = match glob.get(at) {
            None if position == text.len() => return true,
            None => None,
            Some('*') => {
                resume = Some((at + 1, position));
                at += 1;
                continue;
            }
            Some(_) => one(&glob[at..], text.get(position).copied()),
        };
        match step {
            Some(length) => {
                at += length;
                position += 1;
            }
            None => match &mut resume {
                Some((after, from)) if *from < text.len() => {
                    *from += 1;
                    (at, position) = (*after, *from);
                }
                _ => return false,
            },
        }
    }
}

/// The length of the pattern's first element when it matches `c`.
fn one(glob: &[char], c: Option<char>) -> Option<usize> {
    let c = c?;
    match glob[0] {
        '?' => Some(1),
        '[' => match bracket(glob, c) {
            Some((true, length)) => Some(length),
            Some((false, _)) => None,
            None => (c == '[').then_some(1),
        },
        '\\' if glob.len() > 1 => (glob[1] == c).then_some(2),
        literal => (literal == c).then_some(1),
    }
}

fn bracket(glob: &[char], c: char) -> Option<(bool, usize)> {
    let negated = matches!(glob.get(1), Some('!' | '^'));
    let mut at = 1 + usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        let mut low = *glob.get(at)?;
        if low == ']' && at > first {
            return Some((found != negated, at + 1));
        }
        if low == '[' && glob.get(at + 1) == Some(&':') {
            let end =
                (at + 2..glob.len()).find(|&i| glob[i] == ':' && glob.get(i + 1) == Some(&']'))?;
            let name: String = glob[at + 2..end].iter().collect();
            found |= in_class(&name, c);
            at = end + 2;
            continue;
        }
        if low == '\\' {
            at += 1;
            low = *glob.get(at)?;
        }
        at += 1;
        let mut high = low;
        if glob.get(at) == Some(&'-') && glob.get(at + 1).is_some_and(|c| *c != ']') {
            high = glob[at + 1];
            at += 2;
        }
        found |= (low..=high).contains(&c);
    }
}

fn in_class(name: &str, c: char) -> bool {
    match name {
        "alpha" => c.is_alphabetic(),
        "digit" => c.is_ascii_digit(),
        "alnum" => c.is_alphanumeric(),
        "upper" => c.is_uppercase(),
        "lower" => c.is_lowercase(),
        "space" => c.is_whitespace(),
        "blank" => c == ' ' || c == '\t',
        "punct" => c.is_ascii_punctuation(),
        "cntrl" => c.is_control(),
        "xdigit" => c.is_ascii_hexdigit(),
        "print" => !c.is_control(),
        "graph" => !c.is_control() && !c.is_whitespace(),
        _ => false,
    }
}
