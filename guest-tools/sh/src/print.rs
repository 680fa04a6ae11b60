//! Commands as text, in the form `declare -f` gives them.

use crate::{
    ast::{
        AssignedValue, Assignment, Brace, CaseEnd, Command, Condition, Element, Item, Kind, List,
        Pipeline, Redirect, RedirectDescriptor, RedirectKind, Simple, Word,
    },
    shell::{Function, FunctionBody},
};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A word as bash lists it: it has read `$'..'` and `$".."` before it keeps a word.
fn word(word: &Word) -> String {
    if let Brace::First(written) = &word.brace {
        return self::word(written);
    }
    text(&crate::parse::without_dollar_quotes(&word.source))
}

/// The words as written, where braces made several of one.
fn written(words: &[Word]) -> impl Iterator<Item = &Word> {
    words
        .iter()
        .filter(|word| !matches!(word.brace, Brace::Rest))
}

/// A whole function definition.
pub fn function(name: &[u8], body: &Command) -> String {
    let mut printer = Printer::default();
    printer.out.push_str(&format!("{} () \n", text(name)));
    printer.function_body(body);
    printer.out.push('\n');
    printer.out
}

/// What follows the name in an exported function.
pub fn exported_body(name: &[u8], function: &Function) -> Vec<u8> {
    match &function.body {
        FunctionBody::Parsed(body) => {
            let mut printer = Printer::default();
            printer.function_body(body);
            printer.out.into_bytes()
        }
        FunctionBody::Text(text) => {
            let text = text.strip_prefix(name).unwrap_or(text).trim_ascii_start();
            text.strip_prefix(b"()").unwrap_or(text).to_vec()
        }
    }
}

/// A command for messages and `$BASH_COMMAND`.
pub fn one_line(command: &Command) -> String {
    let mut printer = Printer::default();
    printer.command(command);
    printer.finish()
}

/// A command as `$BASH_COMMAND` shows it: of a loop, only what it goes over.
pub fn header(command: &Command) -> String {
    let whole = one_line(command);
    match command.kind {
        Kind::For { .. } | Kind::Case { .. } => {
            let first = whole.lines().next().unwrap_or_default();
            first.trim_end_matches(';').to_owned()
        }
        _ => whole,
    }
}

/// A list entry without its `&`, as `jobs` shows it.
pub fn item(item: &Item) -> String {
    let mut printer = Printer::default();
    printer.chain(item);
    printer.finish()
}

#[derive(Default)]
struct Printer {
    out: String,
    depth: usize,
    /// Bodies of here-documents, to follow the line.
    here: Vec<(String, String)>,
    /// A body was written: the separator that would follow is left out.
    after_body: bool,
}

impl Printer {
    fn finish(mut self) -> String {
        self.here_bodies();
        self.out
    }

    fn line(&mut self) {
        self.here_bodies();
        self.out.push('\n');
        self.indent();
    }

    fn indent(&mut self) {
        for _ in 0..self.depth {
            self.out.push_str("    ");
        }
    }

    fn here_bodies(&mut self) {
        let bodies = std::mem::take(&mut self.here);
        if !bodies.is_empty() {
            self.out.push('\n');
            self.after_body = true;
        }
        for (tag, body) in bodies {
            self.out.push_str(&body);
            self.out.push_str(&tag);
            self.out.push('\n');
        }
    }

    fn function_body(&mut self, body: &Command) {
        match &body.kind {
            Kind::Group(_) => self.command(body),
            _ => {
                self.out.push_str("{ ");
                self.depth += 1;
                self.line();
                self.command(body);
                self.depth -= 1;
                self.line();
                self.out.push('}');
            }
        }
    }

    /// A list, one entry per line; `end` adds the last separator.
    fn list(&mut self, list: &List, end: bool) {
        for (place, item) in list.0.iter().enumerate() {
            if place > 0 && list.0[place - 1].background && self.here.is_empty() {
                self.out.push(' ');
            } else if place > 0 {
                self.line();
            }
            self.chain(item);
            let last = place + 1 == list.0.len();
            if item.background {
                self.out.push_str(" &");
            } else if !last && self.here.is_empty() {
                if !std::mem::take(&mut self.after_body) {
                    self.out.push(';');
                }
            } else if end && self.here.is_empty() {
                self.out.push(';');
            }
        }
    }

    fn chain(&mut self, item: &Item) {
        self.pipeline(&item.first);
        for (on_success, pipeline) in &item.rest {
            self.out.push_str(if *on_success { " && " } else { " || " });
            if !self.here.is_empty() {
                self.here_bodies();
                self.out.push(' ');
            }
            self.pipeline(pipeline);
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        match pipeline.timed {
            Some(true) => self.out.push_str("time -p "),
            Some(false) => self.out.push_str("time "),
            None => {}
        }
        if pipeline.negated {
            self.out.push_str("! ");
        }
        for (place, command) in pipeline.commands.iter().enumerate() {
            if place > 0 && self.here.is_empty() {
                self.out.push_str(" | ");
            } else if place > 0 {
                self.out.push_str(" |");
                self.here_bodies();
                self.out.push_str("  ");
            }
            self.command(command);
        }
    }

    fn body(&mut self, list: &List) {
        self.depth += 1;
        self.line();
        self.list(list, true);
        self.depth -= 1;
        self.line();
    }

    fn command(&mut self, command: &Command) {
        match &command.kind {
            Kind::Simple(simple) => self.simple(simple),
            Kind::Group(list) => {
                self.out.push_str("{ ");
                self.depth += 1;
                self.line();
                self.list(list, false);
                self.depth -= 1;
                self.line();
                self.out.push('}');
            }
            Kind::Subshell(list) => {
                self.out.push_str("( ");
                self.list(list, false);
                self.out.push_str(" )");
            }
            Kind::If {
                branches,
                otherwise,
            } => self.if_command(branches, otherwise.as_ref()),
            Kind::While {
                until,
                condition,
                body,
            } => {
                self.out.push_str(if *until { "until " } else { "while " });
                self.inline(condition);
                self.out.push_str("; do");
                self.body(body);
                self.out.push_str("done");
            }
            Kind::For {
                name,
                words,
                body,
                select,
            } => {
                let keyword = if *select { "select" } else { "for" };
                self.out
                    .push_str(&format!("{keyword} {} in ", text(name.text())));
                match words {
                    Some(words) => {
                        let words: Vec<String> = written(words).map(word).collect();
                        self.out.push_str(&words.join(" "));
                    }
                    None => self.out.push_str("\"$@\""),
                }
                self.out.push(';');
                self.line();
                self.out.push_str("do");
                self.body(body);
                self.out.push_str("done");
            }
            Kind::ArithmeticFor {
                text: header, body, ..
            } => {
                let parts: Vec<String> = text(header)
                    .splitn(3, ';')
                    .map(|part| match part.trim_start() {
                        "" => "1".to_owned(),
                        part => part.to_owned(),
                    })
                    .collect();
                self.out.push_str(&format!("for (({}))", parts.join("; ")));
                self.line();
                self.out.push_str("do");
                self.body(body);
                self.out.push_str("done");
            }
            Kind::Case { subject, items } => {
                self.out.push_str(&format!("case {} in ", word(subject)));
                self.depth += 1;
                for item in items {
                    self.line();
                    let patterns: Vec<String> = item.patterns.iter().map(word).collect();
                    self.out.push_str(&format!("{})", patterns.join(" | ")));
                    if item.body.0.is_empty() {
                        self.out.push('\n');
                    } else {
                        self.depth += 1;
                        self.line();
                        self.list(&item.body, false);
                        self.depth -= 1;
                    }
                    self.line();
                    self.out.push_str(match item.end {
                        CaseEnd::Break => ";;",
                        CaseEnd::FallThrough => ";&",
                        CaseEnd::TestNext => ";;&",
                    });
                }
                self.depth -= 1;
                self.line();
                self.out.push_str("esac");
            }
            Kind::Arithmetic {
                text: expression, ..
            } => {
                self.out.push_str(&format!("(({}))", text(expression)));
            }
            Kind::Condition { condition } => {
                self.out.push_str("[[ ");
                self.condition(condition);
                self.out.push_str(" ]]");
            }
            Kind::Function { name, body } => {
                self.out.push_str(&format!("function {} () ", text(name)));
                self.line();
                self.function_body(body);
            }
            Kind::Coprocess { name, body } => {
                let name = name
                    .as_ref()
                    .map_or(String::new(), |name| format!("{} ", text(name)));
                self.out.push_str(&format!("coproc {name}"));
                self.command(body);
            }
        }
        for redirect in &command.redirects {
            self.redirect(redirect);
        }
    }

    fn condition(&mut self, condition: &Condition) {
        let (left, sign, right) = match condition {
            Condition::And(left, right) => (left, " && ", right),
            Condition::Or(left, right) => (left, " || ", right),
            Condition::Not(inner) => {
                self.out.push_str("! ");
                return self.condition(inner);
            }
            Condition::Group(inner) => {
                self.out.push_str("( ");
                self.condition(inner);
                return self.out.push_str(" )");
            }
            Condition::Word(one) => return self.out.push_str(&format!("-n {}", word(one))),
            Condition::Unary(letter, one) => {
                let letter = char::from(*letter);
                return self.out.push_str(&format!("-{letter} {}", word(one)));
            }
            Condition::Binary(_, sign, left, right) => {
                let text = format!("{} {sign} {}", word(left), word(right));
                return self.out.push_str(&text);
            }
        };
        self.condition(left);
        self.out.push_str(sign);
        self.condition(right);
    }

    fn if_command(&mut self, branches: &[(List, List)], otherwise: Option<&List>) {
        let mut opened = 0;
        for (place, (condition, body)) in branches.iter().enumerate() {
            if place > 0 {
                self.out.push_str("else");
                self.depth += 1;
                self.line();
                opened += 1;
            }
            self.out.push_str("if ");
            self.inline(condition);
            self.out.push_str("; then");
            self.body(body);
        }
        if let Some(body) = otherwise {
            self.out.push_str("else");
            self.body(body);
        }
        self.out.push_str("fi");
        for _ in 0..opened {
            self.depth -= 1;
            self.out.push(';');
            self.line();
            self.out.push_str("fi");
        }
    }

    /// A list on one line.
    fn inline(&mut self, list: &List) {
        for (place, item) in list.0.iter().enumerate() {
            if place > 0 {
                self.out.push(' ');
            }
            self.chain(item);
            let last = place + 1 == list.0.len();
            if item.background {
                self.out.push_str(" &");
            } else if !last {
                self.out.push(';');
            }
        }
    }

    fn simple(&mut self, simple: &Simple) {
        let mut first = true;
        let mut space = |out: &mut String| {
            if !std::mem::take(&mut first) {
                out.push(' ');
            }
        };
        for one in &simple.assignments {
            space(&mut self.out);
            self.out.push_str(&assignment(one));
        }
        for word in written(&simple.words) {
            space(&mut self.out);
            self.out.push_str(&self::word(word));
        }
    }

    fn redirect(&mut self, redirect: &Redirect) {
        if !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
        match &redirect.target {
            RedirectDescriptor::Default => {}
            RedirectDescriptor::Number(number) => self.out.push_str(&number.to_string()),
            RedirectDescriptor::Variable(name) => self.out.push_str(&format!("{{{}}}", text(name))),
        }
        let word = text(&redirect.word.source);
        let (sign, space) = match redirect.kind {
            RedirectKind::Read => ("<", " "),
            RedirectKind::Write => (">", " "),
            RedirectKind::Clobber => (">|", " "),
            RedirectKind::Append => (">>", " "),
            RedirectKind::ReadWrite => ("<>", " "),
            RedirectKind::DuplicateInput => ("<&", ""),
            RedirectKind::DuplicateOutput => {
                if matches!(redirect.target, RedirectDescriptor::Default) {
                    self.out.push('1');
                }
                (">&", "")
            }
            RedirectKind::Both => ("&>", " "),
            RedirectKind::BothAppend => ("&>>", " "),
            RedirectKind::HereString => ("<<<", " "),
            RedirectKind::HereDocument { strip_tabs, quoted } => {
                let tag = text(&redirect.tag);
                let dash = if strip_tabs { "-" } else { "" };
                let quote = if quoted { "'" } else { "" };
                self.out.push_str(&format!("<<{dash}{quote}{tag}{quote}"));
                self.here.push((tag, word));
                return;
            }
        };
        self.out.push_str(&format!("{sign}{space}{word}"));
    }
}

fn assignment(one: &Assignment) -> String {
    let mut out = text(one.name.text());
    if let Some(subscript) = &one.subscript {
        out.push_str(&format!("[{}]", text(&subscript.key.source)));
    }
    out.push_str(if one.append { "+=" } else { "=" });
    match &one.value {
        AssignedValue::Scalar(value) => out.push_str(&word(value)),
        AssignedValue::Array(list) => out.push_str(&elements(list)),
    }
    out
}

/// An array's value as text.
pub fn elements(list: &[Element]) -> String {
    let words: Vec<String> = list
        .iter()
        .map(|element| match &element.subscript {
            Some(subscript) => {
                format!("[{}]={}", text(&subscript.key.source), word(&element.value))
            }
            None => word(&element.value),
        })
        .collect();
    format!("({})", words.join(" "))
}
