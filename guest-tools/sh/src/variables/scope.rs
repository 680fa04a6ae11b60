//! What hides variables: function calls and assignments before a command.

use super::{Scope, Value, Variable, flag, is_locale};
use crate::{ast::Bytes, execute::Run, known, names::Symbol, shell::Shell};

impl Shell {
    /// Makes `name` local to the running function, hiding what it was.
    pub fn make_local(&mut self, name: Symbol) {
        let inherit = self.shopt & crate::options::shopt::LOCALVAR_INHERIT != 0;
        let Some(place) = self.scopes.iter().rposition(|scope| !scope.temporary) else {
            return;
        };
        if self.scopes[place]
            .saved
            .iter()
            .any(|(saved, _)| *saved == name)
        {
            return;
        }
        let temporary = self.scopes[place..]
            .iter()
            .chain(self.scopes[..place].last())
            .any(|scope| scope.temporary && scope.saved.iter().any(|(saved, _)| *saved == name));
        let old = self.slot(name).take();
        if inherit || temporary {
            *self.slot(name) = old.clone();
        } else if let Some(variable) = &old {
            // A computed variable becomes an ordinary one; the export attribute is inherited.
            let computed = variable.flags & flag::DYNAMIC != 0;
            let hooked = if computed {
                0
            } else {
                variable.flags & flag::HOOKED
            };
            let flags = hooked | (variable.flags & flag::EXPORT);
            *self.slot(name) = Some(Variable {
                value: Value::Unset,
                flags,
            });
        }
        self.scopes[place].saved.push((name, old));
    }

    pub fn push_scope(&mut self, temporary: bool) {
        self.scopes.push(Scope {
            temporary,
            ..Scope::default()
        });
    }

    pub fn pop_scope(&mut self) {
        let Some(scope) = self.scopes.pop() else {
            return;
        };
        let mut locale = false;
        for (name, old) in scope.saved.into_iter().rev() {
            locale |= is_locale(name);
            *self.slot(name) = old;
        }
        if locale {
            self.update_locale();
        }
        if let Some((options, shopt)) = scope.options {
            self.options = options;
            self.shopt = shopt;
        }
    }

    /// Hides `name` behind a value for one command.
    pub fn set_temporary(&mut self, name: Symbol, value: Bytes) -> Run<()> {
        self.check_writable(name)?;
        let old = self.slot(name).take();
        let hooked = old.as_ref().map_or(0, |v| v.flags & flag::HOOKED);
        if hooked != 0 && old.as_ref().is_none_or(|v| v.flags & flag::DYNAMIC == 0) {
            self.hook(name, &value);
        }
        *self.slot(name) = Some(Variable {
            value: Value::Scalar(value),
            flags: flag::EXPORT | hooked,
        });
        if let Some(scope) = self.scopes.last_mut() {
            scope.saved.push((name, old));
        }
        if is_locale(name) {
            self.update_locale();
        }
        Ok(())
    }

    /// `unset name`: what a caller hid appears again.
    pub fn unset(&mut self, name: Symbol) -> Run<()> {
        self.check_writable(name)?;
        let function = self.scopes.iter().rposition(|scope| !scope.temporary);
        let owner = self
            .scopes
            .iter()
            .rposition(|scope| scope.saved.iter().any(|(saved, _)| *saved == name));
        match owner {
            Some(owner) if Some(owner) == function => {
                *self.slot(name) = Some(Variable::default());
            }
            Some(owner) => {
                let scope = &mut self.scopes[owner];
                if let Some(place) = scope.saved.iter().position(|(saved, _)| *saved == name) {
                    let (_, old) = scope.saved.remove(place);
                    *self.slot(name) = old;
                }
            }
            None => *self.slot(name) = None,
        }
        if is_locale(name) {
            self.update_locale();
        }
        if matches!(name, known::OPTIND) {
            self.getopts = Default::default();
        }
        Ok(())
    }
}
