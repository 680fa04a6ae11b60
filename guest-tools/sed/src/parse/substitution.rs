//! `s` and `y`: what is put in place of what, and their flags.

use super::{Parsed, Parser};
use crate::{
    script::{Action, Case, Expression, Piece, Substitution},
    text,
};

impl Parser<'_> {
    pub(super) fn substitution(&mut self) -> Parsed<Action> {
        const UNTERMINATED: &str = "unterminated `s' command";
        let delimiter = self.next().ok_or(UNTERMINATED)?;
        if delimiter == b'\n' || delimiter == b'\\' {
            return Err(UNTERMINATED.to_owned());
        }
        let pattern = self.delimited(delimiter, true).ok_or(UNTERMINATED)?;
        let replacement = self.delimited(delimiter, false).ok_or(UNTERMINATED)?;
        let mut substitution = Substitution {
            expression: Expression::Last,
            replacement: pieces(&replacement)?,
            global: false,
            number: 1,
            print: false,
            evaluate: false,
            file: None,
        };
        let (ignore_case, multi_line) = self.flags(&mut substitution)?;
        substitution.expression = self.expression(&pattern, ignore_case, multi_line)?;
        Ok(Action::Substitute(substitution))
    }

    /// The flags of `s`, blanks between them allowed; answers those of the expression.
    fn flags(&mut self, substitution: &mut Substitution) -> Parsed<(bool, bool)> {
        let (mut ignore_case, mut multi_line, mut numbered) = (false, false, false);
        loop {
            let flag = self.peek();
            if flag.is_some_and(|b| b.is_ascii_digit()) {
                substitution.number = self.number().unwrap_or(0) as usize;
                if std::mem::replace(&mut numbered, true) {
                    return Err("multiple number options to `s' command".to_owned());
                }
                if substitution.number == 0 {
                    return Err("number option to `s' command may not be zero".to_owned());
                }
                continue;
            }
            if matches!(flag, None | Some(b'\n' | b';' | b'}' | b'#' | b'\r')) {
                self.end_of_command()?;
                break;
            }
            self.at += 1;
            match flag {
                Some(b' ' | b'\t') => {}
                Some(b'g') if std::mem::replace(&mut substitution.global, true) => {
                    return Err("multiple `g' options to `s' command".to_owned());
                }
                Some(b'p') if std::mem::replace(&mut substitution.print, true) => {
                    return Err("multiple `p' options to `s' command".to_owned());
                }
                Some(b'g' | b'p') => {}
                Some(b'i' | b'I') => ignore_case = true,
                Some(b'm' | b'M') => multi_line = true,
                Some(b'e') => substitution.evaluate = true,
                Some(b'w') => {
                    let file = number_of(&mut self.written, self.text, &mut self.at)?;
                    substitution.file = Some(file);
                    break;
                }
                _ => return Err("unknown option to `s'".to_owned()),
            }
        }
        Ok((ignore_case, multi_line))
    }

    pub(super) fn transliteration(&mut self) -> Parsed<Action> {
        const UNTERMINATED: &str = "unterminated `y' command";
        let delimiter = self.next().ok_or(UNTERMINATED)?;
        let from = plain(&self.delimited(delimiter, false).ok_or(UNTERMINATED)?);
        let to = plain(&self.delimited(delimiter, false).ok_or(UNTERMINATED)?);
        if from.len() != to.len() {
            return Err("strings for `y' command are different lengths".to_owned());
        }
        self.end_of_command()?;
        Ok(Action::Transliterate(from.into_iter().zip(to).collect()))
    }
}

/// The number of the file named at `at`, to the end of the line.
pub(super) fn number_of(files: &mut Vec<Vec<u8>>, text: &[u8], at: &mut usize) -> Parsed<usize> {
    while matches!(text.get(*at), Some(b' ' | b'\t')) {
        *at += 1;
    }
    let begin = *at;
    while text.get(*at).is_some_and(|b| *b != b'\n') {
        *at += 1;
    }
    if begin == *at {
        return Err("missing filename in r/R/w/W commands".to_owned());
    }
    let name = text[begin..*at].to_vec();
    Ok(files
        .iter()
        .position(|known| *known == name)
        .unwrap_or_else(|| {
            files.push(name);
            files.len() - 1
        }))
}

fn plain(text: &[u8]) -> Vec<char> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'\\' && at + 1 < text.len() {
            match text::escape(&text[at + 1..]) {
                Some((c, length)) => {
                    text::push(c, &mut out);
                    at += 1 + length;
                }
                None => {
                    if text[at + 1] != b'\\' && !text[at + 1].is_ascii_punctuation() {
                        out.push(b'\\');
                    }
                    out.push(text[at + 1]);
                    at += 2;
                }
            }
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).chars().collect()
}

/// What is put in place of a match, in pieces.
fn pieces(text: &[u8]) -> Parsed<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut literal: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let special = match text[at] {
            b'&' => Some(Piece::Group(0)),
            b'\\' if at + 1 < text.len() => {
                at += 1;
                match text[at] {
                    digit @ b'0'..=b'9' => Some(Piece::Group((digit - b'0').into())),
                    b'U' => Some(Piece::Case(Case::Upper)),
                    b'L' => Some(Piece::Case(Case::Lower)),
                    b'u' => Some(Piece::Case(Case::NextUpper)),
                    b'l' => Some(Piece::Case(Case::NextLower)),
                    b'E' => Some(Piece::Case(Case::End)),
                    other => {
                        match text::escape(&text[at..]) {
                            Some((c, length)) => {
                                text::push(c, &mut literal);
                                at += length - 1;
                            }
                            None => literal.push(other),
                        }
                        None
                    }
                }
            }
            other => {
                literal.push(other);
                None
            }
        };
        at += 1;
        if let Some(piece) = special {
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(piece);
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    Ok(pieces)
}
