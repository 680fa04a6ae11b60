//! The argument matcher once more: slow, and as the documentation says it. It tries every way to
//! read the words as `args`, flags, perhaps `--`, operands, and wants exactly one kind of reading.

use hotcell::policy::text::{NativeText, OperandText, Separator};

/// The words to run, when some reading of `words` follows the rule.
pub fn match_words(rule: &NativeText, words: &[String]) -> Option<Vec<String>> {
    let rest = words.strip_prefix(&*rule.args)?;
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
        if !separated && operands.iter().any(|word| word.starts_with('-')) {
            continue;
        }
        if !flags_fit(rule, flags) || !operands_fit(rule, operands) {
            continue;
        }
        let mut run = [&*rule.args, head].concat();
        if rule.separator == Separator::Insert && !separated && !operands.is_empty() {
            run.push("--".to_owned());
        }
        run.extend_from_slice(operands);
        return Some(run);
    }
    None
}

/// Whether the words are flags, each at most once, by trying to take one or two off the front.
fn flags_fit(rule: &NativeText, words: &[String]) -> bool {
    fn rest(rule: &NativeText, words: &[String], used: &mut Vec<String>) -> bool {
        let Some((word, after)) = words.split_first() else {
            return true;
        };
        let mut take = |name: &str, after: &[String]| {
            if used.iter().any(|known| known == name) {
                return false;
            }
            used.push(name.to_owned());
            let fits = rest(rule, after, used);
            used.pop();
            fits
        };
        if rule.flags.contains(word) && take(word, after) {
            return true;
        }
        for (name, pattern) in &rule.values {
            let fits = |value: &str| {
                let whole = regex_lite(pattern);
                whole(value)
            };
            let taken = match name.strip_suffix('=') {
                Some(bare) => word
                    .strip_prefix(bare)
                    .and_then(|value| value.strip_prefix('='))
                    .is_some_and(|value| fits(value) && take(name, after)),
                None => match after.split_first() {
                    Some((value, after)) if word == name => {
                        !value.starts_with('-') && fits(value) && take(name, after)
                    }
                    _ => false,
                },
            };
            if taken {
                return true;
            }
        }
        false
    }
    rest(rule, words, &mut Vec::new())
}

fn operands_fit(rule: &NativeText, words: &[String]) -> bool {
    let most = match rule.operands.is_empty() {
        true => 0,
        false => rule.operands_max.unwrap_or(16),
    };
    let count = words.len() as u64;
    let fits = |word: &String| rule.operands.iter().any(|kind| operand_fits(kind, word));
    u64::from(rule.operands_min.unwrap_or(0)) <= count
        && count <= u64::from(most)
        && words.iter().all(fits)
}

fn operand_fits(kind: &OperandText, word: &str) -> bool {
    if let Some(literal) = &kind.literal {
        return literal == word;
    }
    if let Some(pattern) = &kind.pattern {
        return regex_lite(pattern)(word);
    }
    let folder = kind.path.as_deref().unwrap_or_default();
    let odd = word.is_empty() || word.starts_with(['-', '@', '~']);
    let scheme = word.split('/').next().unwrap_or_default().contains(':');
    if odd || scheme {
        return false;
    }
    let mut place: Vec<&str> = match word.starts_with('/') {
        true => Vec::new(),
        false => vec!["workspace"],
    };
    for part in word.split('/') {
        match part {
            "" | "." => {}
            ".." if place.is_empty() => return false,
            ".." => drop(place.pop()),
            part => place.push(part),
        }
    }
    let place = format!("/{}/", place.join("/"));
    place.starts_with(&format!("{}/", folder.trim_end_matches('/')))
}

/// The few patterns that generated rules use, by hand.
fn regex_lite(pattern: &str) -> impl Fn(&str) -> bool {
    let pattern = pattern.to_owned();
    move |text| match &*pattern {
        "[0-9]{1,3}" => (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()),
        "[a-c]*" => text.bytes().all(|b| (b'a'..=b'c').contains(&b)),
        "x|--?y" => matches!(text, "x" | "-y" | "--y"),
        other => panic!("the reference does not know /{other}/"),
    }
}
