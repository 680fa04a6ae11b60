//! Expansion: from a word's parts to the arguments they stand for.

mod fields;
mod glob;
mod operation;
mod parameter;
mod regex;
mod substitution;
mod transform;

pub use fields::{Field, Fields};
pub use parameter::{Found, Target};
pub use regex::translate as translate_regex;
pub use substitution::only_simple;

use crate::{
    ast::{Brace, Bytes, Part, Word},
    execute::Run,
    known, pattern,
    shell::Shell,
};

/// How a part stands in its word.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub quoted: bool,
    /// Literal text that came from an expansion's word, such as `${x:-a b}`, is split.
    pub splits: bool,
}

impl Shell {
    /// Expands arguments: every expansion, splitting, and pathnames.
    pub fn expand_words(&mut self, words: &[Word]) -> Run<Vec<Bytes>> {
        let mut out = Vec::with_capacity(words.len());
        for word in words {
            self.expand_word_into(word, &mut out)?;
        }
        Ok(out)
    }

    pub fn expand_word_into(&mut self, word: &Word, out: &mut Vec<Bytes>) -> Run<()> {
        if !self.options.braceexpand {
            match &word.brace {
                Brace::First(written) => return self.expand_word_into(written, out),
                Brace::Rest => return Ok(()),
                Brace::None => {}
            }
        }
        if let Some(constant) = &word.constant {
            out.push(constant.clone());
            return Ok(());
        }
        let mut fields = Fields::new(true, self.ifs());
        let place = Place {
            quoted: false,
            splits: false,
        };
        for part in &word.parts {
            self.expand_part(part, place, &mut fields)?;
        }
        for field in fields.finish() {
            if field.has_pattern && !self.options.noglob {
                self.expand_pathname(field, out)?;
            } else {
                out.push(field.text);
            }
        }
        Ok(())
    }

    /// Expands without splitting and without pathnames, as for an assignment's value.
    pub fn expand_single(&mut self, word: &Word) -> Run<Bytes> {
        if let Some(constant) = &word.constant {
            return Ok(constant.clone());
        }
        Ok(self.expand_unsplit(word)?.text)
    }

    pub fn expand_unsplit(&mut self, word: &Word) -> Run<Field> {
        let mut fields = Fields::new(false, self.ifs());
        let place = Place {
            quoted: false,
            splits: false,
        };
        for part in &word.parts {
            self.expand_part(part, place, &mut fields)?;
        }
        Ok(fields.finish().into_iter().next().unwrap_or_default())
    }

    /// Expands to a pattern, with what was quoted escaped.
    pub fn expand_pattern(&mut self, word: &Word) -> Run<Bytes> {
        Ok(self.expand_unsplit(word)?.to_pattern())
    }

    /// Expands one part of an arithmetic text.
    pub fn expand_quoted_part(&mut self, part: &Part) -> Run<Bytes> {
        let mut fields = Fields::new(false, self.ifs());
        self.expand_part(
            part,
            Place {
                quoted: true,
                splits: false,
            },
            &mut fields,
        )?;
        Ok(fields.finish().into_iter().next().unwrap_or_default().text)
    }

    /// `$IFS`; `None` when unset, which means blanks.
    pub fn ifs(&self) -> Option<Bytes> {
        self.variable(known::IFS)
            .and_then(|variable| variable.scalar().cloned())
    }

    pub fn expand_part(&mut self, part: &Part, place: Place, fields: &mut Fields) -> Run<()> {
        match part {
            Part::Literal(text) if place.splits => fields.split(text),
            Part::Literal(text) => fields.literal(text),
            Part::Quoted(text) => fields.quoted(text),
            Part::DoubleQuoted(inner) => {
                let only_lists = !inner.is_empty() && inner.iter().all(parameter::is_list);
                if !only_lists {
                    fields.quoted(b"");
                }
                let place = Place {
                    quoted: true,
                    splits: false,
                };
                for part in inner {
                    self.expand_part(part, place, fields)?;
                }
            }
            Part::Tilde(user) => {
                let text = self.tilde(user);
                fields.quoted(&text);
            }
            Part::Parameter(parameter) => self.expand_parameter(parameter, place, fields)?,
            Part::Command(body) => {
                let text = self.command_substitution(body)?;
                fields.text(&text, place.quoted);
            }
            Part::Arithmetic(expression) => {
                let value = self.evaluate(expression)?;
                fields.text(value.to_string().as_bytes(), place.quoted);
            }
            Part::Process { write, body } => {
                let path = self.process_substitution(*write, body)?;
                fields.quoted(&path);
            }
        }
        Ok(())
    }

    /// What `~user` stands for.
    fn tilde(&mut self, user: &[u8]) -> Bytes {
        match user {
            b"" => self
                .get(known::HOME)
                .unwrap_or_else(|| b"/workspace".to_vec()),
            b"+" => self.cwd.clone(),
            b"-" => self.get(known::OLDPWD).unwrap_or_else(|| b"~-".to_vec()),
            b"agent" => b"/workspace".to_vec(),
            b"root" => b"/root".to_vec(),
            other => [b"~", other].concat(),
        }
    }

    /// Makes a matcher for a pattern outside pathname expansion.
    pub fn matcher(&self, text: &[u8], ignore_case: bool) -> pattern::Pattern {
        pattern::Pattern::new(
            text,
            self.shopt & crate::options::shopt::EXTGLOB != 0,
            ignore_case,
        )
    }
}
