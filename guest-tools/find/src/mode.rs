//! Modes as `-perm` reads them: octal, or symbolic and applied to nothing.

/// The permission bits that `text` stands for; `folder` decides what `X` means.
#[must_use]
pub fn parse(text: &str, folder: bool) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777);
    }
    text.split(',')
        .try_fold(0, |mode, clause| apply(mode, clause, folder))
}

fn apply(mut mode: u32, clause: &str, folder: bool) -> Option<u32> {
    let operators = clause.find(['+', '-', '='])?;
    let mut who = 0;
    for letter in clause[..operators].chars() {
        who |= match letter {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _ => return None,
        };
    }
    if who == 0 {
        who = 0o7777;
    }
    let mut rest = &clause[operators..];
    while let Some(operator) = rest.chars().next() {
        let end = rest[1..]
            .find(['+', '-', '='])
            .map_or(rest.len(), |at| at + 1);
        let bits = bits(&rest[1..end], mode, folder)? & who;
        match operator {
            '+' => mode |= bits,
            '-' => mode &= !bits,
            _ => mode = mode & !(who & 0o777) | bits,
        }
        rest = &rest[end..];
    }
    Some(mode)
}

fn bits(letters: &str, mode: u32, folder: bool) -> Option<u32> {
    let mut bits = 0;
    for letter in letters.chars() {
        bits |= match letter {
            'r' => 0o444,
            'w' => 0o222,
            'x' => 0o111,
            'X' if folder || mode & 0o111 != 0 => 0o111,
            'X' => 0,
            's' => 0o6000,
            't' => 0o1000,
            'u' => (mode >> 6 & 7) * 0o111,
            'g' => (mode >> 3 & 7) * 0o111,
            'o' => (mode & 7) * 0o111,
            _ => return None,
        };
    }
    Some(bits)
}
