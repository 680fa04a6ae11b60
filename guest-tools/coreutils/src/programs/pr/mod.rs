//! `pr [OPTION]... [FILE]...`

mod column;
mod page;
mod settings;
mod text;

use std::{
    ffi::{OsStr, OsString},
    io::{self, BufWriter, Write},
    time::SystemTime,
};

use options::{quote_if_needed, reason};
use uucore::time::{FormatSystemTimeFallback, format_system_time};

use super::{bad_usage, information};
use column::Source;
use page::{Heading, Pages};
use settings::{GRAMMAR, Settings, USAGE};

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, USAGE) {
        return status;
    }
    let (settings, files) = match settings::read(&line) {
        Ok(read) => read,
        Err((message, true)) => return bad_usage(name, &message, 1),
        Err((message, false)) => {
            eprintln!("{name}: {message}");
            return 1;
        }
    };
    let mut run = Run {
        name,
        settings,
        out: BufWriter::new(io::stdout().lock()),
        failed: false,
    };
    let groups: Vec<&[OsString]> = match files.len() {
        0 => vec![&[]],
        _ if run.settings.merge => vec![&files],
        _ => files.chunks(1).collect(),
    };
    for group in groups {
        if let Err(message) = run.print(group) {
            let _ = run.out.flush();
            eprintln!("{name}: {message}");
            return 1;
        }
    }
    i32::from(run.out.flush().is_err() || run.failed)
}

struct Run<'a> {
    name: &'a str,
    settings: Settings,
    out: BufWriter<io::StdoutLock<'static>>,
    failed: bool,
}

impl Run<'_> {
    /// Prints one file, or several side by side.
    fn print(&mut self, files: &[OsString]) -> Result<(), String> {
        let mut sources = Vec::new();
        let layout = self.settings.fit(files.len())?;
        if files.is_empty() {
            sources.push(Source::standard_input());
        }
        for file in files {
            match Source::open(file) {
                Ok(source) => sources.push(source),
                Err(error) => {
                    self.failed = true;
                    if !self.settings.quiet {
                        let _ = self.out.flush();
                        eprintln!(
                            "{}: {}: {}",
                            self.name,
                            quote_if_needed(file),
                            reason(&error)
                        );
                    }
                }
            }
        }
        if sources.is_empty() {
            return Ok(());
        }
        let one = if layout.parallel { None } else { files.first() };
        let heading = self.heading(one.map(OsString::as_os_str), &sources[0]);
        let mut layout = layout;
        if layout.parallel {
            layout.columns = sources.len();
        }
        let mut pages = Pages::new(&self.settings, layout, sources, heading);
        let printed = pages.print(&mut self.out);
        if let Some(message) = pages.complaint() {
            let _ = self.out.flush();
            eprintln!("{}: {message}", self.name);
        }
        printed
    }

    /// The date and the title of a page's head: the file's, or now and no title.
    fn heading(&self, file: Option<&OsStr>, source: &Source) -> Heading {
        let file = file.filter(|file| *file != "-");
        let time = file
            .and_then(|_| source.modified())
            .unwrap_or_else(SystemTime::now);
        let format = self.settings.date_format.as_deref();
        let mut date = Vec::new();
        let _ = format_system_time(
            &mut date,
            time,
            format.unwrap_or("%Y-%m-%d %H:%M"),
            FormatSystemTimeFallback::Integer,
        );
        let name = file.map(|file| file.to_string_lossy().into_owned());
        Heading {
            date: String::from_utf8_lossy(&date).into_owned(),
            title: self.settings.header.clone().or(name).unwrap_or_default(),
        }
    }
}
