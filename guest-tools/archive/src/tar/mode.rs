//! The changes of `--mode`, as chmod reads them.

/// `mode` after the changes; `None` when `text` is no mode.
pub fn change(text: &str, mode: u32, folder: bool) -> Option<u32> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777);
    }
    text.split(',')
        .try_fold(mode, |mode, clause| clause_of(clause, mode, folder))
}

fn clause_of(clause: &str, mut mode: u32, folder: bool) -> Option<u32> {
    let operator = clause.find(['+', '-', '='])?;
    let mut who = 0;
    for letter in clause[..operator].chars() {
        who |= match letter {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _ => return None,
        };
    }
    if who == 0 {
        who = 0o7777 & !guest_unix::fs::umask();
    }
    let mut rest = &clause[operator..];
    while let Some(operator) = rest.chars().next() {
        let end = rest[1..]
            .find(['+', '-', '='])
            .map_or(rest.len(), |at| at + 1);
        let mut bits = 0;
        for letter in rest[1..end].chars() {
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
        bits &= who;
        match operator {
            '+' => mode |= bits,
            '-' => mode &= !bits,
            _ => mode = mode & !(who & 0o777) | bits,
        }
        rest = &rest[end..];
    }
    Some(mode)
}
