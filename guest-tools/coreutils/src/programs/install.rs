//! `install [OPTION]... SOURCE... DEST`

use std::{ffi::OsString, fs, path::Path};

use options::{Grammar, Line, Takes, quote, reason};
use uucore::mode;

use super::{
    HELP, VERSION, bad_usage,
    copy::{Backup, copy_bytes, destination, inside, set_times},
    information,
};

const GRAMMAR: Grammar = Grammar {
    short: "bcCdDg:m:o:psS:t:TvZ",
    long: &[
        ("backup", Takes::Perhaps, 'B' as u32),
        ("compare", Takes::Nothing, 'C' as u32),
        ("directory", Takes::Nothing, 'd' as u32),
        ("group", Takes::Value, 'g' as u32),
        ("mode", Takes::Value, 'm' as u32),
        ("owner", Takes::Value, 'o' as u32),
        ("preserve-timestamps", Takes::Nothing, 'p' as u32),
        ("strip", Takes::Nothing, 's' as u32),
        ("suffix", Takes::Value, 'S' as u32),
        ("target-directory", Takes::Value, 't' as u32),
        ("no-target-directory", Takes::Nothing, 'T' as u32),
        ("verbose", Takes::Nothing, 'v' as u32),
        HELP,
        VERSION,
    ],
};

struct Installer {
    name: String,
    mode: u32,
    compare: bool,
    leading: bool,
    times: bool,
    verbose: bool,
    backup: Backup,
    suffix: String,
}

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, "Usage: install [OPTION]... SOURCE... DEST\n") {
        return status;
    }
    let installer = match installer(name, &line) {
        Ok(installer) => installer,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if line.has('d') {
        if line.operands.is_empty() {
            return bad_usage(name, "missing file operand", 1);
        }
        let results = line
            .operands
            .iter()
            .map(|folder| installer.folder(Path::new(folder)));
        return i32::from(results.fold(false, |failed, ok| failed | !ok));
    }
    installer.files(&line)
}

fn installer(name: &str, line: &Line) -> Result<Installer, String> {
    let mode = match line.value('m') {
        Some(text) => mode::parse(&text, line.has('d'), 0)
            .map_err(|_| format!("invalid mode {}", quote(&text)))?,
        None => 0o755,
    };
    for (code, what) in [('o', "user"), ('g', "group")] {
        let known = |text: &str| guest_unix::entries::usr2uid(text).is_ok();
        if let Some(text) = line.value(code).filter(|text| !known(text)) {
            return Err(format!("invalid {what} {}", quote(&text)));
        }
    }
    if line.has('s') {
        return Err("--strip is not supported here; install without -s".to_owned());
    }
    let backup = match line
        .options
        .iter()
        .rev()
        .find(|found| "bB".contains(char::from_u32(found.code).unwrap_or_default()))
    {
        Some(found) => Backup::parse(&found.text())?,
        None => Backup::None,
    };
    Ok(Installer {
        name: name.to_owned(),
        mode,
        compare: line.has('C'),
        leading: line.has('D'),
        times: line.has('p'),
        verbose: line.has('v'),
        backup,
        suffix: line.value('S').unwrap_or_else(|| "~".to_owned()),
    })
}

impl Installer {
    fn say(&self, what: &str, error: &std::io::Error) -> bool {
        eprintln!("{}: {what}: {}", self.name, reason(error));
        false
    }

    fn folder(&self, path: &Path) -> bool {
        let missing: Vec<_> = path
            .ancestors()
            .filter(|part| !part.as_os_str().is_empty())
            .take_while(|part| !part.is_dir())
            .collect();
        for part in missing.into_iter().rev() {
            if let Err(error) = fs::create_dir(part) {
                return self.say(&format!("cannot create directory {}", quote(part)), &error);
            }
            if self.verbose {
                println!("{}: creating directory {}", self.name, quote(part));
            }
        }
        match guest_start::file::chmod(path, self.mode) {
            Ok(()) => true,
            Err(error) => self.say(
                &format!("cannot change permissions of {}", quote(path)),
                &error,
            ),
        }
    }

    fn files(&self, line: &Line) -> i32 {
        let target = line.value('t');
        if self.leading
            && let Some(folder) = &target
            && let Err(error) = fs::create_dir_all(folder)
        {
            self.say(
                &format!("cannot create directory {}", quote(folder)),
                &error,
            );
            return 1;
        }
        let (sources, to, is_folder) =
            match destination(line.operands.clone(), target.as_deref(), line.has('T')) {
                Ok(parts) => parts,
                Err(message) if message.starts_with("target ") => {
                    eprintln!("{}: {message}", self.name);
                    return 1;
                }
                Err(message) => return bad_usage(&self.name, &message, 1),
            };
        let mut ok = true;
        for source in &sources {
            let to = if is_folder {
                inside(&to, source)
            } else {
                to.clone()
            };
            ok &= self.file(source, &to);
        }
        i32::from(!ok)
    }

    fn file(&self, from: &Path, to: &Path) -> bool {
        let source = match fs::metadata(from) {
            Ok(source) => source,
            Err(error) => return self.say(&format!("cannot stat {}", quote(from)), &error),
        };
        if source.is_dir() {
            eprintln!("{}: omitting directory {}", self.name, quote(from));
            return false;
        }
        if self.compare && fs::read(from).ok() == fs::read(to).ok() && to.is_file() {
            return guest_start::file::chmod(to, self.mode).is_ok();
        }
        if self.leading
            && let Some(parent) = to.parent().filter(|parent| !parent.as_os_str().is_empty())
            && let Err(error) = fs::create_dir_all(parent)
        {
            return self.say(
                &format!("cannot create directory {}", quote(parent)),
                &error,
            );
        }
        if let Err(error) = self.backup.keep(to, &self.suffix) {
            return self.say(&format!("cannot backup {}", quote(to)), &error);
        }
        let _ = fs::remove_file(to);
        if let Err(error) = copy_bytes(from, to, &source) {
            return self.say(&format!("cannot create regular file {}", quote(to)), &error);
        }
        if let Err(error) = guest_start::file::chmod(to, self.mode) {
            return self.say(
                &format!("cannot change permissions of {}", quote(to)),
                &error,
            );
        }
        if self.times
            && let Err(error) = set_times(to, &source, true)
        {
            return self.say(&format!("cannot set timestamps for {}", quote(to)), &error);
        }
        if self.verbose {
            println!("{} -> {}", quote(from), quote(to));
        }
        true
    }
}
