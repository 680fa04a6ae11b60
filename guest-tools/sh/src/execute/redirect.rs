//! Redirections: applied to this process and undone, or worked out for a program to be started.

use super::{Run, Unwind};
use crate::{
    ast::{Bytes, Redirect, RedirectDescriptor, RedirectKind},
    names::intern,
    shell::{Shell, reason},
    system::{self, flag},
};

/// Saved descriptors stay above what scripts use.
const SAVED: u32 = 200;

/// What to put back: (descriptor, its saved copy, whether children inherited it).
#[derive(Debug, Default)]
pub struct Undo {
    saved: Vec<(u32, Option<u32>)>,
}

/// Where the bytes of a redirection come from or go to.
enum Source {
    /// A descriptor opened for this, to be closed once it is in place.
    Opened(u32),
    Existing(u32),
    /// As `Existing`, which is closed afterwards (`N>&M-`).
    Moved(u32),
    Closed,
}

/// The descriptors a program will get.
#[derive(Debug)]
pub struct DescriptorMap {
    pub pairs: Vec<(u32, u32)>,
    /// Opened only for the program.
    opened: Vec<u32>,
}

impl DescriptorMap {
    pub fn set(&mut self, theirs: u32, ours: u32) {
        self.pairs.retain(|(number, _)| *number != theirs);
        self.pairs.push((theirs, ours));
    }

    pub fn close_opened(&mut self) {
        for descriptor in self.opened.drain(..) {
            system::close(descriptor);
        }
    }
}

impl Shell {
    /// Runs `each` under redirections and undoes them.
    pub fn with_redirects(
        &mut self,
        redirects: &[Redirect],
        each: impl FnOnce(&mut Self) -> Run<i32>,
    ) -> Run<i32> {
        if redirects.is_empty() {
            return each(self);
        }
        match self.apply_redirects(redirects)? {
            Ok(undo) => {
                let answer = each(self);
                self.undo_redirects(undo);
                answer
            }
            Err(status) => Ok(status),
        }
    }

    /// Puts redirections in place; `Err` inside is the status after a failure that was told.
    pub fn apply_redirects(&mut self, redirects: &[Redirect]) -> Run<Result<Undo, i32>> {
        let mut undo = Undo::default();
        for redirect in redirects {
            let done = match self.apply_redirect(redirect, &mut undo) {
                Ok(done) => done,
                Err(unwind) => {
                    self.undo_redirects(undo);
                    return Err(unwind);
                }
            };
            if !done {
                self.undo_redirects(undo);
                return Ok(Err(1));
            }
        }
        Ok(Ok(undo))
    }

    fn apply_redirect(&mut self, redirect: &Redirect, undo: &mut Undo) -> Run<bool> {
        if let RedirectDescriptor::Variable(name) = &redirect.target {
            return self.apply_to_variable(redirect, &name.clone());
        }
        let Some(source) = self.source(redirect, |descriptor| descriptor)? else {
            return Ok(false);
        };
        for target in targets(redirect) {
            self.save(target, undo);
            match source {
                Source::Closed => {
                    system::close(target);
                    self.descriptors.remove(&target);
                }
                Source::Opened(from) | Source::Existing(from) | Source::Moved(from) => {
                    if from != target && system::duplicate_to(from, target).is_err() {
                        self.complain(format_args!("{from}: Bad file descriptor"));
                        return Ok(false);
                    }
                    self.descriptors.insert(target);
                }
            }
        }
        match source {
            Source::Opened(from) if !targets(redirect).contains(&from) => system::close(from),
            Source::Moved(from) if !targets(redirect).contains(&from) => {
                self.save(from, undo);
                system::close(from);
                self.descriptors.remove(&from);
            }
            _ => {}
        }
        Ok(true)
    }

    fn save(&mut self, target: u32, undo: &mut Undo) {
        if undo.saved.iter().any(|(number, _)| *number == target) {
            return;
        }
        let copy = if self.descriptors.contains(&target) {
            system::duplicate(target, SAVED).ok()
        } else {
            None
        };
        undo.saved.push((target, copy));
    }

    pub fn undo_redirects(&mut self, undo: Undo) {
        for (target, copy) in undo.saved.into_iter().rev() {
            match copy {
                Some(copy) => {
                    let _ = system::duplicate_to(copy, target);
                    system::close(copy);
                    self.descriptors.insert(target);
                }
                None => {
                    system::close(target);
                    self.descriptors.remove(&target);
                }
            }
        }
    }

    /// Leaves redirections as they are, as `exec` does.
    pub fn keep_redirects(&mut self, undo: Undo) {
        for copy in undo.saved.into_iter().filter_map(|(_, copy)| copy) {
            system::close(copy);
        }
    }

    /// `{name}>file`: a descriptor of our choice, kept until it is closed.
    fn apply_to_variable(&mut self, redirect: &Redirect, name: &[u8]) -> Run<bool> {
        let closes = matches!(
            redirect.kind,
            RedirectKind::DuplicateInput | RedirectKind::DuplicateOutput
        ) && redirect.word.constant.as_deref() == Some(b"-");
        if closes {
            let number = match self.parse_target(name)? {
                crate::expand::Target::Element(name, key) => {
                    self.get_element(name, &key).unwrap_or_default()
                }
                _ => self.get_text(intern(name)),
            };
            if let Some(number) = number_of(&number) {
                system::close(number);
                self.descriptors.remove(&number);
            }
            return Ok(true);
        }
        let Some(source) = self.source(redirect, |descriptor| descriptor)? else {
            return Ok(false);
        };
        let (Source::Opened(from) | Source::Existing(from) | Source::Moved(from)) = source else {
            return Ok(true);
        };
        let Ok(number) = system::duplicate(from, 10) else {
            return Ok(false);
        };
        if matches!(source, Source::Opened(_)) {
            system::close(from);
        }
        self.descriptors.insert(number);
        match self.set_named(name, number.to_string().into_bytes()) {
            Ok(()) => Ok(true),
            Err(Unwind::Discard(_)) => Ok(false),
            Err(unwind) => Err(unwind),
        }
    }

    /// Works out the descriptors of a program under `redirects`, without touching ours.
    pub fn map_descriptors(&mut self, redirects: &[Redirect]) -> Run<Result<DescriptorMap, i32>> {
        let mut map = DescriptorMap {
            pairs: self
                .descriptors
                .iter()
                .map(|&number| (number, number))
                .collect(),
            opened: Vec::new(),
        };
        if let Err(status) = self.map_redirects(redirects, &mut map)? {
            return Ok(Err(status));
        }
        Ok(Ok(map))
    }

    /// Adds redirections to a program's descriptors.
    pub fn map_redirects(
        &mut self,
        redirects: &[Redirect],
        map: &mut DescriptorMap,
    ) -> Run<Result<(), i32>> {
        for redirect in redirects {
            if let RedirectDescriptor::Variable(name) = &redirect.target {
                if !self.apply_to_variable(redirect, &name.clone())? {
                    map.close_opened();
                    return Ok(Err(1));
                }
                continue;
            }
            let pairs = map.pairs.clone();
            let view = |descriptor: u32| {
                pairs
                    .iter()
                    .find(|(theirs, _)| *theirs == descriptor)
                    .map(|(_, ours)| *ours)
                    // A coprocess's descriptors are ours alone, but may be given on.
                    .unwrap_or(if descriptor >= 10 && system::is_open(descriptor) {
                        descriptor
                    } else {
                        u32::MAX
                    })
            };
            let source = match self.source(redirect, view) {
                Ok(Some(source)) => source,
                Ok(None) => {
                    map.close_opened();
                    return Ok(Err(1));
                }
                Err(unwind) => {
                    map.close_opened();
                    return Err(unwind);
                }
            };
            for target in targets(redirect) {
                match source {
                    Source::Closed => map.pairs.retain(|(number, _)| *number != target),
                    Source::Opened(from) => {
                        map.set(target, from);
                        if !map.opened.contains(&from) {
                            map.opened.push(from);
                        }
                    }
                    Source::Existing(from) => map.set(target, from),
                    Source::Moved(from) => {
                        map.pairs.retain(|(_, ours)| *ours != from);
                        map.set(target, from);
                    }
                }
            }
        }
        Ok(Ok(()))
    }

    /// Opens or finds what a redirection names; `None` after a failure that was told.
    fn source(&mut self, redirect: &Redirect, view: impl Fn(u32) -> u32) -> Run<Option<Source>> {
        use RedirectKind as Kind;
        if let Kind::HereDocument { .. } = redirect.kind {
            let body = self.expand_single(&redirect.word)?;
            return Ok(self.here_text(body));
        }
        if redirect.kind == Kind::HereString {
            let mut body = self.expand_single(&redirect.word)?;
            body.push(b'\n');
            return Ok(self.here_text(body));
        }
        let mut words = Vec::new();
        self.expand_word_into(&redirect.word, &mut words)?;
        if words.len() != 1 {
            let text = String::from_utf8_lossy(&redirect.word.source).into_owned();
            self.complain(format_args!("{text}: ambiguous redirect"));
            return Ok(None);
        }
        let word = words.remove(0);
        match redirect.kind {
            Kind::DuplicateInput | Kind::DuplicateOutput => self.duplicate(redirect, word, view),
            _ => {
                // These name what the command would see, which may not be ours.
                let number = match word.as_slice() {
                    b"/dev/stdin" => Some(0),
                    b"/dev/stdout" => Some(1),
                    b"/dev/stderr" => Some(2),
                    path => path.strip_prefix(b"/dev/fd/").and_then(number_of),
                };
                if let Some(number) = number {
                    let ours = view(number);
                    if ours != u32::MAX && system::is_open(ours) {
                        return Ok(Some(Source::Existing(ours)));
                    }
                }
                Ok(self.open_file(redirect.kind, &word))
            }
        }
    }

    fn duplicate(
        &mut self,
        redirect: &Redirect,
        word: Bytes,
        view: impl Fn(u32) -> u32,
    ) -> Run<Option<Source>> {
        if word == b"-" {
            return Ok(Some(Source::Closed));
        }
        let (digits, moves) = match word.strip_suffix(b"-") {
            Some(digits) => (digits, true),
            None => (word.as_slice(), false),
        };
        if let Some(number) = number_of(digits) {
            let ours = view(number);
            if ours == u32::MAX || (!self.descriptors.contains(&number) && !system::is_open(ours)) {
                self.complain(format_args!("{number}: Bad file descriptor"));
                return Ok(None);
            }
            return Ok(Some(if moves {
                Source::Moved(ours)
            } else {
                Source::Existing(ours)
            }));
        }
        if redirect.kind == RedirectKind::DuplicateOutput
            && matches!(
                redirect.target,
                RedirectDescriptor::Default | RedirectDescriptor::Number(1)
            )
        {
            return Ok(self.open_file(RedirectKind::Both, &word));
        }
        let text = String::from_utf8_lossy(&redirect.word.source).into_owned();
        self.complain(format_args!("{text}: ambiguous redirect"));
        Ok(None)
    }

    fn open_file(&mut self, kind: RedirectKind, path: &[u8]) -> Option<Source> {
        use RedirectKind as Kind;
        let flags = match kind {
            Kind::Read => flag::READ,
            Kind::ReadWrite => flag::READ_WRITE | flag::CREATE,
            Kind::Append | Kind::BothAppend => flag::WRITE | flag::CREATE | flag::APPEND,
            Kind::Clobber => flag::WRITE | flag::CREATE | flag::TRUNCATE,
            _ => flag::WRITE | flag::CREATE | flag::TRUNCATE,
        };
        let shown = String::from_utf8_lossy(path).into_owned();
        let guarded = self.options.noclobber && matches!(kind, Kind::Write | Kind::Both);
        if guarded && system::stat(path, true).is_ok_and(|stat| stat.is_file()) {
            self.complain(format_args!("{shown}: cannot overwrite existing file"));
            return None;
        }
        match system::open(path, flags, 0o666) {
            Ok(descriptor) => Some(Source::Opened(high(descriptor))),
            Err(error) => {
                let reason = reason(&error);
                self.complain(format_args!("{shown}: {reason}"));
                None
            }
        }
    }

    /// A descriptor from which `body` can be read.
    fn here_text(&mut self, body: Bytes) -> Option<Source> {
        let (read, write) = match system::pipe() {
            Ok(ends) => ends,
            Err(error) => {
                let reason = reason(&error);
                self.complain(format_args!("cannot make pipe for here-document: {reason}"));
                return None;
            }
        };
        let (read, write) = (high(read), high(write));
        if body.len() <= PIPE_ROOM {
            let _ = system::write_all(write, &body);
            system::close(write);
            return Some(Source::Opened(read));
        }
        // More than a pipe holds: a process of ours writes it.
        let written = system::fork(|| {
            system::close(read);
            let _ = system::set_signal(13, system::Action::Default);
            i32::from(system::write_all(write, &body).is_err())
        });
        system::close(write);
        match written {
            Ok(_) => Some(Source::Opened(read)),
            Err(error) => {
                system::close(read);
                let reason = reason(&error);
                self.complain(format_args!("fork: {reason}"));
                None
            }
        }
    }

    /// Closes our ends of process substitutions made since `first`.
    pub fn close_process_ends(&mut self, first: usize) {
        while self.process_ends.len() > first {
            if let Some(descriptor) = self.process_ends.pop() {
                system::close(descriptor);
                self.descriptors.remove(&descriptor);
            }
        }
    }
}

/// Bytes a new pipe takes without a reader.
const PIPE_ROOM: usize = 32 * 1024;

/// Moves a descriptor out of the numbers scripts use.
pub fn high(descriptor: u32) -> u32 {
    if descriptor >= SAVED {
        return descriptor;
    }
    match system::duplicate(descriptor, SAVED) {
        Ok(copy) => {
            system::close(descriptor);
            copy
        }
        Err(_) => descriptor,
    }
}

fn targets(redirect: &Redirect) -> Vec<u32> {
    use RedirectKind as Kind;
    let both_duplicate = redirect.kind == Kind::DuplicateOutput
        && matches!(
            redirect.target,
            RedirectDescriptor::Default | RedirectDescriptor::Number(1)
        )
        && redirect.word.constant.as_deref().is_some_and(|word| {
            word != b"-" && number_of(word.strip_suffix(b"-").unwrap_or(word)).is_none()
        });
    if both_duplicate || matches!(redirect.kind, Kind::Both | Kind::BothAppend) {
        return vec![1, 2];
    }
    match redirect.target {
        RedirectDescriptor::Number(number) => vec![number],
        _ => match redirect.kind {
            Kind::Read
            | Kind::ReadWrite
            | Kind::DuplicateInput
            | Kind::HereString
            | Kind::HereDocument { .. } => vec![0],
            _ => vec![1],
        },
    }
}

fn number_of(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
