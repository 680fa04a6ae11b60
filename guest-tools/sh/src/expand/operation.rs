//! What `${parameter…}` does to a value.

use super::{
    Field, Fields, Place,
    parameter::{Found, Target, put},
};
use crate::{
    ast::{Anchor, Bytes, CaseChange, Index, Operation, Parameter, ParameterName, Word},
    execute::{Run, Unwind},
    options::shopt,
    pattern::Pattern,
    shell::Shell,
    text,
    variables::{Value, flag},
};

impl Shell {
    /// Applies the parameter's operation to its value.
    pub fn operate(
        &mut self,
        parameter: &Parameter,
        target: &Target,
        place: Place,
        fields: &mut Fields,
    ) -> Run<()> {
        if matches!(parameter.operation, Operation::Length) {
            let length = self.length(parameter, target)?;
            fields.text(length.to_string().as_bytes(), place.quoted);
            return Ok(());
        }
        let found = self.look_up(target)?;
        let found = match &parameter.operation {
            Operation::Default { .. }
            | Operation::Assign { .. }
            | Operation::Error { .. }
            | Operation::Alternative { .. } => {
                return self.conditional(parameter, target, found, place, fields);
            }
            Operation::Transform(letter) => {
                let found = self.transform(*letter, parameter, target, found)?;
                put(found, place, fields);
                return Ok(());
            }
            _ => found,
        };
        if matches!(found, Found::Unset) && self.options.nounset {
            return self.unbound_parameter(parameter);
        }
        let found = match &parameter.operation {
            Operation::Substring { offset, length } => {
                self.substring(target, found, offset, length.as_ref())?
            }
            Operation::RemovePrefix { longest, pattern } => {
                let matcher = self.pattern_of(pattern)?;
                map(found, |text| remove_prefix(&matcher, text, *longest))
            }
            Operation::RemoveSuffix { longest, pattern } => {
                let matcher = self.pattern_of(pattern)?;
                map(found, |text| remove_suffix(&matcher, text, *longest))
            }
            Operation::Replace {
                anchor,
                pattern,
                replacement,
            } => self.replace(found, *anchor, pattern, replacement)?,
            Operation::Case {
                change,
                all,
                pattern,
            } => {
                let matcher = match pattern {
                    Some(pattern) => Some(self.pattern_of(pattern)?),
                    None => None,
                };
                map(found, |text| {
                    change_case(text, *change, *all, matcher.as_ref())
                })
            }
            _ => found,
        };
        put(found, place, fields);
        Ok(())
    }

    fn pattern_of(&mut self, word: &Word) -> Run<Pattern> {
        let text = self.expand_pattern(word)?;
        Ok(self.matcher(&text, false))
    }

    fn length(&mut self, parameter: &Parameter, target: &Target) -> Run<usize> {
        if let Target::All(name, _) = target {
            return Ok(self.count(*name));
        }
        Ok(match self.look_up(target)? {
            Found::Unset => {
                if self.options.nounset {
                    let mut source = parameter.source.to_vec();
                    source.remove(0);
                    self.unbound(&source)?;
                }
                0
            }
            Found::Text(value) => text::length(&value),
            Found::List { items, .. } => items.len(),
        })
    }

    fn conditional(
        &mut self,
        parameter: &Parameter,
        target: &Target,
        found: Found,
        place: Place,
        fields: &mut Fields,
    ) -> Run<()> {
        let (Operation::Default { colon, word }
        | Operation::Assign { colon, word }
        | Operation::Error { colon, word }
        | Operation::Alternative { colon, word }) = &parameter.operation
        else {
            return Ok(());
        };
        let present = match &found {
            Found::Unset => false,
            Found::Text(text) => !(*colon && text.is_empty()),
            Found::List { items, .. } => match items.as_slice() {
                [] => false,
                [one] => !(*colon && one.is_empty()),
                _ => true,
            },
        };
        if let Operation::Alternative { .. } = parameter.operation {
            if present {
                return self.expand_operand(word, place, fields);
            }
            let nothing = match found {
                Found::List { items, star } if items.is_empty() => Found::List { items, star },
                _ => Found::Unset,
            };
            put(nothing, place, fields);
            return Ok(());
        }
        if present {
            put(found, place, fields);
            return Ok(());
        }
        match parameter.operation {
            Operation::Assign { .. } => {
                let value = self.expand_single(word)?;
                match target {
                    Target::Variable(name) => self.set(*name, value.clone())?,
                    Target::Element(name, key) => {
                        self.set_element(*name, key, value.clone(), false)?;
                    }
                    _ => {
                        let text = String::from_utf8_lossy(&parameter.source).into_owned();
                        let name = text.split(['=', ':']).next().unwrap_or_default();
                        self.complain(format_args!("${name}: cannot assign in this way"));
                        return Err(Unwind::Discard(1));
                    }
                }
                let value = match target {
                    Target::Variable(name) => self.get(*name).unwrap_or(value),
                    _ => value,
                };
                fields.text(&value, place.quoted);
                Ok(())
            }
            Operation::Error { .. } => {
                let message = self.expand_single(word)?;
                let message = if message.is_empty() {
                    if *colon {
                        "parameter null or not set"
                    } else {
                        "parameter not set"
                    }
                    .into()
                } else {
                    String::from_utf8_lossy(&message).into_owned()
                };
                let name = parameter_name(parameter);
                self.complain(format_args!("{name}: {message}"));
                Err(Unwind::Fatal(1))
            }
            _ => self.expand_operand(word, place, fields),
        }
    }

    /// Expands the word of `${x:-word}` where it stands.
    fn expand_operand(&mut self, word: &Word, place: Place, fields: &mut Fields) -> Run<()> {
        if place.quoted && word.parts.is_empty() {
            fields.quoted(b"");
        }
        let place = Place {
            quoted: place.quoted,
            splits: !place.quoted,
        };
        for part in &word.parts {
            self.expand_part(part, place, fields)?;
        }
        Ok(())
    }

    fn substring(
        &mut self,
        target: &Target,
        found: Found,
        offset: &crate::arithmetic::Arithmetic,
        length: Option<&crate::arithmetic::Arithmetic>,
    ) -> Run<Found> {
        let offset = self.evaluate(offset)?;
        let length = match length {
            Some(length) => Some(self.evaluate(length)?),
            None => None,
        };
        Ok(match found {
            Found::Unset => Found::Unset,
            Found::Text(value) => {
                let count = text::length(&value) as i64;
                let start = if offset < 0 { offset + count } else { offset };
                if start < 0 || start > count {
                    return Ok(Found::Text(Bytes::new()));
                }
                let end = match length {
                    None => count,
                    Some(length) if length < 0 => count + length,
                    Some(length) => start.saturating_add(length).min(count),
                };
                if end < start {
                    let shown = end - count;
                    self.complain(format_args!("{shown}: substring expression < 0"));
                    return Err(Unwind::Discard(1));
                }
                let from = text::offset(&value, start as usize);
                let to = text::offset(&value, end as usize);
                Found::Text(value[from..to].to_vec())
            }
            Found::List { items, star } => {
                let items = self.slice_list(target, items, offset, length)?;
                Found::List { items, star }
            }
        })
    }

    fn slice_list(
        &mut self,
        target: &Target,
        mut items: Vec<Bytes>,
        offset: i64,
        length: Option<i64>,
    ) -> Run<Vec<Bytes>> {
        if let Some(length) = length.filter(|length| *length < 0) {
            self.complain(format_args!("{length}: substring expression < 0"));
            return Err(Unwind::Discard(1));
        }
        let take = length.map_or(usize::MAX, |length| length as usize);
        let skip = match target {
            Target::Special(_) => {
                items.insert(0, self.argument_zero.clone());
                let count = items.len() as i64;
                if offset < 0 { offset + count } else { offset }
            }
            Target::All(name, _) => {
                let (name, _) = self.follow(*name);
                match self.variable(name).map(|variable| &variable.value) {
                    Some(Value::Indexed(all)) => {
                        let first = if offset < 0 {
                            offset + crate::variables::next_index(all)
                        } else {
                            offset
                        };
                        if first < 0 {
                            return Ok(Vec::new());
                        }
                        all.range(..first).count() as i64
                    }
                    Some(Value::Associative(_)) => {
                        // bash counts from one here.
                        let count = items.len() as i64;
                        if offset < 0 {
                            offset + count
                        } else {
                            (offset - 1).max(0)
                        }
                    }
                    _ => {
                        let count = items.len() as i64;
                        if offset < 0 { offset + count } else { offset }
                    }
                }
            }
            _ => offset,
        };
        if skip < 0 {
            return Ok(Vec::new());
        }
        Ok(items.into_iter().skip(skip as usize).take(take).collect())
    }

    fn replace(
        &mut self,
        found: Found,
        anchor: Anchor,
        pattern: &Word,
        replacement: &Word,
    ) -> Run<Found> {
        let text = self.expand_pattern(pattern)?;
        let ignore_case = self.shopt & shopt::NOCASEMATCH != 0;
        let matcher = self.matcher(&text, ignore_case);
        let field = self.expand_unsplit(replacement)?;
        let ampersand = self.shopt & shopt::PATSUB_REPLACEMENT != 0;
        let pieces = replacement_pieces(&field, ampersand);
        Ok(map(found, |value| {
            if text.is_empty() && !matches!(anchor, Anchor::Start | Anchor::End) {
                return value.to_vec();
            }
            replace_in(&matcher, value, anchor, &pieces)
        }))
    }

    /// The attributes of a variable as letters, for `${x@a}`.
    pub fn attribute_letters(&self, name: crate::names::Symbol) -> String {
        let flags = self.variable(name).map_or(0, |variable| variable.flags);
        [
            (flag::INDEXED, 'a'),
            (flag::ASSOCIATIVE, 'A'),
            (flag::INTEGER, 'i'),
            (flag::NAMEREF, 'n'),
            (flag::READONLY, 'r'),
            (flag::TRACE, 't'),
            (flag::EXPORT, 'x'),
            (flag::LOWER, 'l'),
            (flag::UPPER, 'u'),
        ]
        .into_iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, letter)| letter)
        .collect()
    }
}

fn parameter_name(parameter: &Parameter) -> String {
    let mut name = match parameter.name {
        ParameterName::Variable(name) => String::from_utf8_lossy(name.text()).into_owned(),
        ParameterName::Position(number) => number.to_string(),
        ParameterName::Special(byte) => char::from(byte).to_string(),
    };
    if let Index::One(subscript) = &parameter.index {
        name.push_str(&format!(
            "[{}]",
            String::from_utf8_lossy(&subscript.key.source)
        ));
    }
    name
}

fn map(found: Found, mut each: impl FnMut(&[u8]) -> Bytes) -> Found {
    match found {
        Found::Unset => Found::Unset,
        Found::Text(text) => Found::Text(each(&text)),
        Found::List { items, star } => Found::List {
            items: items.iter().map(|item| each(item)).collect(),
            star,
        },
    }
}

fn remove_prefix(pattern: &Pattern, value: &[u8], longest: bool) -> Bytes {
    let ends = pattern.ends(value);
    let end = if longest { ends.last() } else { ends.first() };
    value[end.copied().unwrap_or(0)..].to_vec()
}

fn remove_suffix(pattern: &Pattern, value: &[u8], longest: bool) -> Bytes {
    if let Some(literal) = pattern.literal() {
        return value.strip_suffix(literal).unwrap_or(value).to_vec();
    }
    let mut starts = vec![0];
    let mut at = 0;
    while at < value.len() {
        at += text::character_length(&value[at..]);
        starts.push(at);
    }
    let fits = |start: &&usize| pattern.matches(&value[**start..]);
    let start = if longest {
        starts.iter().find(fits)
    } else {
        starts.iter().rev().find(fits)
    };
    value[..start.copied().unwrap_or(value.len())].to_vec()
}

/// The replacement's pieces; `None` stands for the matched text.
fn replacement_pieces(field: &Field, ampersand: bool) -> Vec<Option<Bytes>> {
    let mut pieces: Vec<Option<Bytes>> = Vec::new();
    let push = |pieces: &mut Vec<Option<Bytes>>, text: &[u8]| {
        if let Some(Some(last)) = pieces.last_mut() {
            last.extend_from_slice(text);
        } else {
            pieces.push(Some(text.to_vec()));
        }
    };
    field.stretches(|stretch, quoted| {
        if quoted || !ampersand {
            push(&mut pieces, stretch);
            return;
        }
        let mut escaped = false;
        for &byte in stretch {
            match byte {
                b'\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                b'&' if !escaped => pieces.push(None),
                _ => {
                    if escaped && byte != b'&' && byte != b'\\' {
                        push(&mut pieces, b"\\");
                    }
                    push(&mut pieces, &[byte]);
                }
            }
            escaped = false;
        }
        if escaped {
            push(&mut pieces, b"\\");
        }
    });
    pieces
}

fn replace_in(pattern: &Pattern, value: &[u8], anchor: Anchor, pieces: &[Option<Bytes>]) -> Bytes {
    let mut out = Bytes::with_capacity(value.len());
    let substitute = |out: &mut Bytes, matched: &[u8]| {
        for piece in pieces {
            out.extend_from_slice(piece.as_deref().unwrap_or(matched));
        }
    };
    match anchor {
        Anchor::Start => {
            if let Some(&end) = pattern.ends(value).last() {
                substitute(&mut out, &value[..end]);
                out.extend_from_slice(&value[end..]);
                return out;
            }
            return value.to_vec();
        }
        Anchor::End => {
            let kept = remove_suffix(pattern, value, true);
            if kept.len() < value.len() || pattern.matches(b"") {
                out.extend_from_slice(&kept);
                substitute(&mut out, &value[kept.len()..]);
                return out;
            }
            return value.to_vec();
        }
        Anchor::First | Anchor::All => {}
    }
    let mut at = 0;
    while at < value.len() {
        let end = pattern.ends(&value[at..]).last().copied();
        if end == Some(0) && anchor == Anchor::First {
            substitute(&mut out, b"");
            break;
        }
        if end == Some(0) {
            substitute(&mut out, b"");
        }
        let end = end.unwrap_or(0);
        if end == 0 {
            let length = text::character_length(&value[at..]);
            out.extend_from_slice(&value[at..at + length]);
            at += length;
            continue;
        }
        substitute(&mut out, &value[at..at + end]);
        at += end;
        if anchor == Anchor::First {
            break;
        }
    }
    out.extend_from_slice(&value[at.min(value.len())..]);
    if value.is_empty() && pattern.matches(b"") {
        substitute(&mut out, b"");
    }
    out
}

fn change_case(value: &[u8], change: CaseChange, all: bool, pattern: Option<&Pattern>) -> Bytes {
    let mut out = Bytes::with_capacity(value.len());
    for (place, piece) in text::characters(value).enumerate() {
        let applies = (all || place == 0) && pattern.is_none_or(|p| p.matches(piece));
        if !applies {
            out.extend_from_slice(piece);
            continue;
        }
        let map: fn(char) -> char = match change {
            CaseChange::Upper => text::upper,
            CaseChange::Lower => text::lower,
            CaseChange::Toggle => |c| {
                if c.is_uppercase() {
                    text::lower(c)
                } else {
                    text::upper(c)
                }
            },
        };
        text::map_one(piece, map, &mut out);
    }
    out
}
