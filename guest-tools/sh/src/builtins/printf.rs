//! `printf`.

use super::{echo::unescape, format_time, number, shown};
use crate::{ast::Bytes, execute::Run, quote, shell::Shell, text};

struct Specification {
    minus: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    octal: bool,
}

struct Output<'a> {
    shell: &'a mut Shell,
    arguments: &'a [Bytes],
    next: usize,
    out: Bytes,
    status: i32,
    stopped: bool,
}

pub fn printf(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut rest = &words[1..];
    let mut variable = None;
    while let Some(word) = rest.first() {
        match word.as_slice() {
            b"-v" => {
                let Some(name) = rest.get(1) else {
                    shell.builtin_error(b"printf", format_args!("-v: option requires an argument"));
                    return Ok(2);
                };
                variable = Some(name.clone());
                rest = &rest[2..];
            }
            b"--" => {
                rest = &rest[1..];
                break;
            }
            option if option.starts_with(b"-v") => {
                variable = Some(option[2..].to_vec());
                rest = &rest[1..];
            }
            option if option.len() > 1 && option[0] == b'-' => {
                return Ok(shell.bad_option(
                    b"printf",
                    option[1],
                    "printf [-v var] format [arguments]",
                ));
            }
            _ => break,
        }
    }
    let Some((format, arguments)) = rest.split_first() else {
        shell.write_error(b"printf: usage: printf [-v var] format [arguments]\n");
        return Ok(2);
    };
    let mut output = Output {
        shell,
        arguments,
        next: 0,
        out: Bytes::new(),
        status: 0,
        stopped: false,
    };
    loop {
        let before = output.next;
        if !output.format(format) || output.stopped {
            break;
        }
        if output.next >= arguments.len() || output.next == before {
            break;
        }
    }
    let (out, status) = (output.out, output.status);
    match variable {
        None => {
            if !shell.write_out(&out) {
                return Ok(1);
            }
        }
        Some(name) => {
            let base = name.split(|&b| b == b'[').next().unwrap_or_default();
            let closed = !name.contains(&b'[') || name.last() == Some(&b']');
            if !crate::names::is_name(base) || !closed {
                let text = shown(&name);
                shell.builtin_error(b"printf", format_args!("`{text}': not a valid identifier"));
                return Ok(2);
            }
            shell.set_named(&name, out)?;
        }
    }
    Ok(status)
}

impl Output<'_> {
    /// Goes through the format once; `false` after a bad format.
    fn format(&mut self, format: &[u8]) -> bool {
        let mut at = 0;
        while let Some(&byte) = format.get(at) {
            match byte {
                b'\\' => {
                    let length = escape_length(&format[at..]);
                    if format.get(at + 1) == Some(&b'c') {
                        self.out.extend_from_slice(b"\\c");
                    } else {
                        unescape(&format[at..at + length], &mut self.out, false);
                    }
                    at += length;
                }
                b'%' if format.get(at + 1) == Some(&b'%') => {
                    self.out.push(b'%');
                    at += 2;
                }
                b'%' => match self.conversion(&format[at + 1..]) {
                    Some(used) => at += 1 + used,
                    None => return false,
                },
                _ => {
                    self.out.push(byte);
                    at += 1;
                }
            }
            if self.stopped {
                return true;
            }
        }
        true
    }

    fn argument(&mut self) -> Option<Bytes> {
        let argument = self.arguments.get(self.next).cloned();
        self.next += 1;
        argument
    }

    /// After `%`: how many bytes of the format it took.
    fn conversion(&mut self, text: &[u8]) -> Option<usize> {
        let mut spec = Specification {
            minus: false,
            plus: false,
            space: false,
            alternate: false,
            zero: false,
            width: 0,
            precision: None,
            octal: false,
        };
        let mut at = 0;
        while let Some(&flag) = text.get(at) {
            match flag {
                b'-' => spec.minus = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'#' => spec.alternate = true,
                b'0' => spec.zero = true,
                b'\'' => {}
                _ => break,
            }
            at += 1;
        }
        if text.get(at) == Some(&b'*') {
            let width = self.integer_argument();
            spec.minus |= width < 0;
            spec.width = width.unsigned_abs() as usize;
            at += 1;
        } else {
            while let Some(digit) = text.get(at).filter(|b| b.is_ascii_digit()) {
                spec.width = (spec.width * 10 + usize::from(digit - b'0')).min(MAX_WIDTH);
                at += 1;
            }
        }
        if text.get(at) == Some(&b'.') {
            at += 1;
            let mut precision = 0usize;
            if text.get(at) == Some(&b'*') {
                let value = self.integer_argument();
                at += 1;
                spec.precision = usize::try_from(value).ok();
            } else {
                while let Some(digit) = text.get(at).filter(|b| b.is_ascii_digit()) {
                    precision = (precision * 10 + usize::from(digit - b'0')).min(MAX_WIDTH);
                    at += 1;
                }
                spec.precision = Some(precision);
            }
        }
        spec.width = spec.width.min(MAX_WIDTH);
        while matches!(text.get(at), Some(b'h' | b'l' | b'j' | b'z' | b't' | b'L'))
            && text.get(at + 1).is_some_and(u8::is_ascii_alphabetic)
        {
            at += 1;
        }
        if text.get(at) == Some(&b'(')
            && let Some(close) = text[at..].iter().position(|&b| b == b')')
            && text.get(at + close + 1) == Some(&b'T')
        {
            self.time(&text[at + 1..at + close], &spec);
            return Some(at + close + 2);
        }
        let Some(&letter) = text.get(at) else {
            self.bad_format("%", "missing format character");
            return None;
        };
        self.convert(letter, &spec)?;
        Some(at + 1)
    }

    fn bad_format(&mut self, what: &str, message: &str) {
        self.shell
            .builtin_error(b"printf", format_args!("`{what}': {message}"));
        self.status = 1;
    }

    fn convert(&mut self, letter: u8, spec: &Specification) -> Option<()> {
        match letter {
            b's' => {
                let value = self.argument().unwrap_or_default();
                self.text(&value, spec);
            }
            b'b' => {
                let value = self.argument().unwrap_or_default();
                let mut text = Bytes::new();
                let finished = unescape(&value, &mut text, false);
                self.text(&text, spec);
                self.stopped = !finished;
            }
            b'q' => {
                let value = self.argument().unwrap_or_default();
                let quoted = quote::backslash(&value);
                self.text(&quoted, spec);
            }
            b'Q' => {
                // The precision cuts what is quoted, not the quoted text.
                let value = self.argument().unwrap_or_default();
                let end = spec
                    .precision
                    .map_or(value.len(), |n| text::offset(&value, n));
                let quoted = quote::backslash(&value[..end]);
                let whole = Specification {
                    precision: None,
                    ..*spec
                };
                self.text(&quoted, &whole);
            }
            b'c' => {
                let value = self.argument().unwrap_or_default();
                let length = value.len().min(1);
                self.text(
                    &value[..length],
                    &Specification {
                        precision: None,
                        ..*spec
                    },
                );
            }
            b'd' | b'i' => {
                let value = self.integer_argument();
                self.integer(value.unsigned_abs().to_string(), value < 0, true, "", spec);
            }
            b'u' => {
                let value = self.integer_argument() as u64;
                self.integer(value.to_string(), false, false, "", spec);
            }
            b'x' | b'X' | b'o' => {
                let value = self.integer_argument() as u64;
                let (digits, prefix) = match letter {
                    b'x' => (format!("{value:x}"), "0x"),
                    b'X' => (format!("{value:X}"), "0X"),
                    _ => (format!("{value:o}"), "0"),
                };
                let prefix = if spec.alternate && value != 0 {
                    prefix
                } else {
                    ""
                };
                let spec = &Specification {
                    octal: letter == b'o',
                    ..*spec
                };
                self.integer(digits, false, false, prefix, spec);
            }
            b'f' | b'F' | b'e' | b'E' | b'g' | b'G' | b'a' | b'A' => {
                let value = self.float_argument();
                self.float(letter, value, spec);
            }
            b'n' => {
                let name = self.argument().unwrap_or_default();
                let count = self.out.len().to_string().into_bytes();
                let _ = self.shell.set_named(&name, count);
            }
            other => {
                let shown = format!("{}", char::from(other));
                self.shell.builtin_error(
                    b"printf",
                    format_args!("`{shown}': invalid format character"),
                );
                self.status = 1;
                return None;
            }
        }
        Some(())
    }

    fn text(&mut self, value: &[u8], spec: &Specification) {
        let cut = match spec.precision {
            Some(precision) => &value[..text::offset(value, precision)],
            None => value,
        };
        let length = text::length(cut);
        self.pad(cut, length, spec);
    }

    fn pad(&mut self, value: &[u8], length: usize, spec: &Specification) {
        let fill = spec.width.saturating_sub(length);
        if !spec.minus {
            self.out.resize(self.out.len() + fill, b' ');
        }
        self.out.extend_from_slice(value);
        if spec.minus {
            self.out.resize(self.out.len() + fill, b' ');
        }
    }

    fn integer(
        &mut self,
        digits: String,
        negative: bool,
        signed: bool,
        prefix: &str,
        spec: &Specification,
    ) {
        let mut digits = digits;
        if let Some(precision) = spec.precision {
            if precision == 0 && digits == "0" && !(spec.alternate && !signed && spec.octal) {
                digits.clear();
            }
            while digits.len() < precision {
                digits.insert(0, '0');
            }
        }
        let sign = match (negative, signed && spec.plus, signed && spec.space) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let mut value = format!("{sign}{prefix}{digits}");
        if spec.zero && !spec.minus && spec.precision.is_none() {
            while value.len() < spec.width {
                value.insert(sign.len() + prefix.len(), '0');
            }
        }
        let length = value.len();
        self.pad(value.as_bytes(), length, spec);
    }

    fn float(&mut self, letter: u8, value: f64, spec: &Specification) {
        let precision = spec.precision.unwrap_or(6);
        let magnitude = value.abs();
        let upper = letter.is_ascii_uppercase();
        let mut text = if magnitude.is_nan() {
            "nan".to_owned()
        } else if magnitude.is_infinite() {
            "inf".to_owned()
        } else {
            match letter.to_ascii_lowercase() {
                b'f' => format!("{magnitude:.precision$}"),
                b'e' => exponent(magnitude, precision),
                b'g' => general(magnitude, precision, spec.alternate),
                _ => hexadecimal(magnitude),
            }
        };
        if spec.alternate && precision == 0 && letter.eq_ignore_ascii_case(&b'f') {
            text.push('.');
        }
        if spec.alternate && precision == 0 && letter.eq_ignore_ascii_case(&b'e') {
            text = text.replacen('e', ".e", 1);
        }
        if upper {
            text = text.to_uppercase();
        }
        let sign = match (
            value.is_sign_negative() && !value.is_nan(),
            spec.plus,
            spec.space,
        ) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let mut whole = format!("{sign}{text}");
        if spec.zero && !spec.minus && magnitude.is_finite() {
            while whole.len() < spec.width {
                whole.insert(sign.len(), '0');
            }
        }
        let length = whole.len();
        self.pad(whole.as_bytes(), length, spec);
    }

    fn integer_argument(&mut self) -> i64 {
        let Some(value) = self.argument() else {
            return 0;
        };
        if let Some(&(b'\'' | b'"')) = value.first() {
            let (character, _) = text::first_character(value.get(1..).unwrap_or(b"\0"));
            return if value.len() > 1 {
                i64::from(u32::from(character))
            } else {
                0
            };
        }
        let trimmed = value.trim_ascii_start();
        let (negative, digits) = match trimmed {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let (base, digits) = match digits {
            [b'0', b'x' | b'X', rest @ ..] => (16, rest),
            [b'0', rest @ ..] if !rest.is_empty() => (8, rest),
            rest => (10, rest),
        };
        let length = digits
            .iter()
            .take_while(|&&b| char::from(b).is_digit(base))
            .count();
        let text = std::str::from_utf8(&digits[..length]).unwrap_or("");
        let magnitude = i128::from_str_radix(text, base).unwrap_or(0);
        if !value.is_empty() && (length < digits.len() || (length == 0 && base != 8)) {
            let text = shown(&value);
            self.shell
                .builtin_error(b"printf", format_args!("{text}: invalid number"));
            self.status = 1;
        }
        let signed = if negative { -magnitude } else { magnitude };
        if signed > i128::from(i64::MAX) && signed <= i128::from(u64::MAX) {
            return signed as u64 as i64;
        }
        if signed > i128::from(u64::MAX) || signed < i128::from(i64::MIN) {
            let text = shown(&value);
            self.shell.builtin_error(
                b"printf",
                format_args!("warning: {text}: Numerical result out of range"),
            );
        }
        signed.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    fn float_argument(&mut self) -> f64 {
        let Some(value) = self.argument() else {
            return 0.0;
        };
        if let Some(&(b'\'' | b'"')) = value.first() {
            let (character, _) = text::first_character(value.get(1..).unwrap_or_default());
            return f64::from(u32::from(character));
        }
        let text = shown(value.trim_ascii());
        if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
            && let Ok(number) = i64::from_str_radix(hex, 16)
        {
            return number as f64;
        }
        match text.parse() {
            Ok(number) => number,
            Err(_) => {
                let mut end = text.len();
                let partial = loop {
                    if end == 0 {
                        break 0.0;
                    }
                    end -= 1;
                    if let Some(Ok(number)) = text.get(..end).map(str::parse) {
                        break number;
                    }
                };
                if !text.is_empty() {
                    self.shell
                        .builtin_error(b"printf", format_args!("{text}: invalid number"));
                    self.status = 1;
                }
                partial
            }
        }
    }

    fn time(&mut self, format: &[u8], spec: &Specification) {
        let seconds = match self.argument().as_deref().map(number) {
            None | Some(Some(-1)) => None,
            Some(Some(-2)) => Some(self.shell.seconds_base),
            Some(seconds) => Some(seconds.unwrap_or(0)),
        };
        let format: &[u8] = if format.is_empty() { b"%X" } else { format };
        let text = format_time(format, seconds);
        self.text(&text, spec);
    }
}

const MAX_WIDTH: usize = 1 << 20;

/// The length of the escape that begins `text`.
fn escape_length(text: &[u8]) -> usize {
    let run = |from: usize, most: usize, base: u32| {
        crate::parse::number(text.get(from..).unwrap_or_default(), base, most).1
    };
    match text.get(1) {
        None => 1,
        Some(b'0'..=b'7') => 1 + run(1, 3, 8),
        Some(b'x') => 2 + run(2, 2, 16),
        Some(b'u') => 2 + run(2, 4, 16),
        Some(b'U') => 2 + run(2, 8, 16),
        Some(_) => 2,
    }
}

fn exponent(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn general(value: f64, precision: usize, keep_zeros: bool) -> String {
    let precision = precision.max(1);
    let scientific = format!("{value:.*e}", precision - 1);
    let power: i32 = scientific
        .split_once('e')
        .and_then(|(_, power)| power.parse().ok())
        .unwrap_or(0);
    let trim = |text: String| {
        if keep_zeros || !text.contains('.') {
            return text;
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if power < -4 || power >= precision as i32 {
        let text = exponent(value, precision - 1);
        let (mantissa, tail) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{tail}", trim(mantissa.to_owned()));
    }
    let decimals = (precision as i32 - 1 - power).max(0) as usize;
    trim(format!("{value:.decimals$}"))
}

fn hexadecimal(value: f64) -> String {
    if value == 0.0 {
        return "0x0p+0".into();
    }
    let bits = value.to_bits();
    let power = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mantissa = bits & ((1 << 52) - 1);
    let digits = format!("{mantissa:013x}");
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    format!("0x1{point}{digits}p{power:+}")
}
