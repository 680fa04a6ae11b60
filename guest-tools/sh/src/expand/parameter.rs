//! Parameters: finding the value that an expansion starts from.

use super::{Fields, Place};
use crate::{
    ast::{Bytes, Index, Operation, Parameter, ParameterName, Part, Subscript},
    execute::{Run, Unwind},
    names::{Symbol, intern, is_name},
    shell::Shell,
    variables::{Value, flag},
};

/// A parameter's value before its operation.
#[derive(Debug)]
pub enum Found {
    Unset,
    Text(Bytes),
    /// Several values, joined by IFS where they stand quoted and `star`.
    List {
        items: Vec<Bytes>,
        star: bool,
    },
}

/// What a parameter refers to, once indirection is resolved.
#[derive(Debug, Clone)]
pub enum Target {
    Variable(Symbol),
    Element(Symbol, Bytes),
    All(Symbol, bool),
    Position(usize),
    Special(u8),
    /// The name a name reference holds.
    Text(Bytes),
}

/// True for `$@` and `${x[@]}`, which may stand for no field at all even in quotes.
pub fn is_list(part: &Part) -> bool {
    let Part::Parameter(parameter) = part else {
        return false;
    };
    match (&parameter.operation, &parameter.index) {
        (Operation::Length | Operation::Transform(b'K'), _) => return false,
        (Operation::Names { star }, _) => return !star,
        (Operation::Keys, Index::All { star }) => return !star,
        _ => {}
    }
    parameter.name == ParameterName::Special(b'@')
        || matches!(parameter.index, Index::All { star: false })
        || parameter.indirect
}

impl Shell {
    /// Expands a parameter into `fields`.
    pub fn expand_parameter(
        &mut self,
        parameter: &Parameter,
        place: Place,
        fields: &mut Fields,
    ) -> Run<()> {
        // The most common case first: a plain variable.
        if let (ParameterName::Variable(name), Index::None, Operation::None, false) = (
            parameter.name,
            &parameter.index,
            &parameter.operation,
            parameter.indirect,
        ) {
            match self.get(name) {
                Some(text) => fields.text(&text, place.quoted),
                None if self.options.nounset => return self.unbound_parameter(parameter),
                None if place.quoted => fields.quoted(b""),
                None => {}
            }
            return Ok(());
        }
        match &parameter.operation {
            Operation::Bad => {
                let text = String::from_utf8_lossy(&parameter.source).into_owned();
                self.complain(format_args!("${{{text}}}: bad substitution"));
                return Err(self.assignment_failed(Unwind::Discard(1)));
            }
            Operation::Names { star } => {
                let ParameterName::Variable(prefix) = parameter.name else {
                    return Ok(());
                };
                let prefix = prefix.text();
                let mut items = Vec::new();
                for name in self.names() {
                    if name.text().starts_with(prefix) && self.has_value(name) {
                        items.push(name.text().to_vec());
                    }
                }
                put_names(items, *star, b"", place, fields);
                return Ok(());
            }
            Operation::Keys => {
                let ParameterName::Variable(name) = parameter.name else {
                    return Ok(());
                };
                let star = matches!(parameter.index, Index::All { star: true });
                let items = self.items(name).into_iter().map(|(key, _)| key).collect();
                put_names(items, star, b" ", place, fields);
                return Ok(());
            }
            _ => {}
        }
        match self.target(parameter)? {
            Some(target) => self.operate(parameter, &target, place, fields),
            None => self.operate(parameter, &Target::Position(usize::MAX), place, fields),
        }
    }

    fn has_value(&mut self, name: Symbol) -> bool {
        self.variable(name).is_some_and(|variable| {
            variable.flags & flag::DYNAMIC != 0 || !matches!(variable.value, Value::Unset)
        })
    }

    /// What the parameter refers to; `None` for an indirection through nothing.
    fn target(&mut self, parameter: &Parameter) -> Run<Option<Target>> {
        let direct = match (parameter.name, &parameter.index) {
            (ParameterName::Variable(name), Index::None) => Target::Variable(name),
            (ParameterName::Variable(name), Index::All { star }) => Target::All(name, *star),
            (ParameterName::Variable(name), Index::One(subscript)) => {
                Target::Element(name, self.subscript_key(name, subscript)?)
            }
            (ParameterName::Position(number), _) => Target::Position(number),
            (ParameterName::Special(byte), _) => Target::Special(byte),
        };
        if !parameter.indirect {
            return Ok(Some(direct));
        }
        if let Target::Variable(name) = direct
            && let Some(variable) = self.variable(name)
            && variable.flags & flag::NAMEREF != 0
        {
            let text = variable.scalar().cloned();
            let (last, element) = self.follow(name);
            let text = if element.is_none() && last != name {
                Some(last.text().to_vec())
            } else {
                text
            };
            return Ok(text.map(Target::Text));
        }
        let text = match self.look_up(&direct)? {
            Found::Unset => {
                let shown = String::from_utf8_lossy(&parameter.source).into_owned();
                let name = shown.trim_start_matches('!').to_owned();
                if matches!(parameter.operation, Operation::None) {
                    self.complain(format_args!("{name}: invalid indirect expansion"));
                    return Err(Unwind::Discard(1));
                }
                return Ok(None);
            }
            Found::Text(text) => text,
            Found::List { items, .. } => items.join(&b' '),
        };
        self.parse_target(&text).map(Some)
    }

    pub fn parse_target(&mut self, text: &[u8]) -> Run<Target> {
        if is_name(text) {
            return Ok(Target::Variable(intern(text)));
        }
        if let Some(open) = text.iter().position(|&b| b == b'[')
            && is_name(&text[..open])
            && text.last() == Some(&b']')
        {
            let name = intern(&text[..open]);
            return Ok(match &text[open + 1..text.len() - 1] {
                b"@" => Target::All(name, false),
                b"*" => Target::All(name, true),
                inner => {
                    let subscript = crate::parse::subscript(inner, self.line, self.settings());
                    Target::Element(name, self.subscript_key(name, &subscript)?)
                }
            });
        }
        if let Some(number) = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()) {
            return Ok(Target::Position(number));
        }
        if let [byte] = text
            && b"@*#?-$!".contains(byte)
        {
            return Ok(Target::Special(*byte));
        }
        let shown = String::from_utf8_lossy(text).into_owned();
        self.complain(format_args!("{shown}: invalid variable name"));
        Err(Unwind::Discard(1))
    }

    /// A subscript as the key or number it stands for.
    pub fn subscript_key(&mut self, name: Symbol, subscript: &Subscript) -> Run<Bytes> {
        if self.is_associative(name) {
            return self.expand_single(&subscript.key);
        }
        Ok(self
            .evaluate(&subscript.expression)?
            .to_string()
            .into_bytes())
    }

    /// The value of a target.
    pub fn look_up(&mut self, target: &Target) -> Run<Found> {
        let text = match target {
            Target::Variable(name) => self.get(*name),
            Target::Text(text) => Some(text.clone()),
            Target::Element(name, key) => {
                if self.is_associative(*name) {
                    self.get_key(*name, key)
                } else {
                    let index = self.evaluate_text(key)?;
                    self.get_index(*name, index)
                }
            }
            Target::All(name, star) => {
                return Ok(Found::List {
                    items: self.values(*name),
                    star: *star,
                });
            }
            Target::Position(0) => Some(self.argument_zero.clone()),
            Target::Position(number) => self.positional.get(number - 1).cloned(),
            Target::Special(b'@') => {
                return Ok(Found::List {
                    items: self.positional.clone(),
                    star: false,
                });
            }
            Target::Special(b'*') => {
                return Ok(Found::List {
                    items: self.positional.clone(),
                    star: true,
                });
            }
            Target::Special(byte) => self.special_parameter(*byte),
        };
        Ok(text.map_or(Found::Unset, Found::Text))
    }

    fn special_parameter(&mut self, byte: u8) -> Option<Bytes> {
        Some(match byte {
            b'#' => self.positional.len().to_string().into_bytes(),
            b'?' => self.status.to_string().into_bytes(),
            b'$' => self.shell_pid.to_string().into_bytes(),
            b'!' => self.last_background?.to_string().into_bytes(),
            b'-' => {
                let mut letters = self.options.letters().into_bytes();
                if self.command_string {
                    letters.push(b'c');
                } else if self.script_name.is_none() {
                    letters.push(b's');
                }
                letters
            }
            _ => return None,
        })
    }

    /// Reports an unset parameter under `set -u`, which ends the shell.
    pub fn unbound(&mut self, name: &[u8]) -> Run<()> {
        let text = String::from_utf8_lossy(name).into_owned();
        self.complain(format_args!("{text}: unbound variable"));
        Err(Unwind::Fatal(1))
    }

    pub fn unbound_parameter(&mut self, parameter: &Parameter) -> Run<()> {
        let mut source = parameter.source.to_vec();
        if matches!(parameter.name, ParameterName::Position(_)) {
            source.insert(0, b'$');
        }
        let end = source
            .iter()
            .position(|b| matches!(b, b':' | b'%' | b'/' | b'^' | b',' | b'@'))
            .unwrap_or(source.len());
        self.unbound(&source[..end.max(1).min(source.len())])
    }
}

/// Puts names or subscripts. Unquoted under an empty IFS, bash joins `*` forms of them in a way of
/// their own.
fn put_names(items: Vec<Bytes>, star: bool, joiner: &[u8], place: Place, fields: &mut Fields) {
    if star && !place.quoted && fields.splitting && fields.splits_nowhere() {
        fields.text(&items.join(joiner), false);
        return;
    }
    put(Found::List { items, star }, place, fields);
}

/// Puts a value where it stands.
pub fn put(found: Found, place: Place, fields: &mut Fields) {
    match found {
        Found::Unset => {
            if place.quoted {
                fields.quoted(b"");
            }
        }
        Found::Text(text) => fields.text(&text, place.quoted),
        Found::List { items, star } => {
            let rejoined = !place.quoted && fields.keeps_empty_items();
            if !fields.splitting || (place.quoted && star) || rejoined {
                let joiner = if star || rejoined {
                    fields.joiner()
                } else {
                    b" ".to_vec()
                };
                let text = items.join(joiner.as_slice());
                fields.text(&text, place.quoted);
                return;
            }
            let mut first = true;
            for item in items {
                if !first {
                    fields.end_field();
                }
                first = false;
                fields.text(&item, place.quoted);
            }
        }
    }
}
