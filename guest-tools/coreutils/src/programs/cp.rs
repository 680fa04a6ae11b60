//! `cp [OPTION]... SOURCE... DEST`

use std::{ffi::OsString, fs, path::Path};

use options::{Grammar, Line, Takes, quote};

use super::{
    HELP, VERSION, bad_usage,
    copy::{Backup, STRIP_SLASHES, destination, inside, operands},
    copy_tree::{Clobber, Copier, Follow},
    information,
};

const GRAMMAR: Grammar = Grammar {
    short: "abdfHilLnPpRrsS:t:TuvxZ",
    long: &[
        ("archive", Takes::Nothing, 'a' as u32),
        ("attributes-only", Takes::Nothing, 'A' as u32),
        ("backup", Takes::Perhaps, 'B' as u32),
        ("copy-contents", Takes::Nothing, 'C' as u32),
        ("dereference", Takes::Nothing, 'L' as u32),
        ("force", Takes::Nothing, 'f' as u32),
        ("interactive", Takes::Nothing, 'i' as u32),
        ("link", Takes::Nothing, 'l' as u32),
        ("no-clobber", Takes::Nothing, 'n' as u32),
        ("no-dereference", Takes::Nothing, 'P' as u32),
        ("no-preserve", Takes::Value, 'N' as u32),
        ("no-target-directory", Takes::Nothing, 'T' as u32),
        ("one-file-system", Takes::Nothing, 'x' as u32),
        ("parents", Takes::Nothing, 'D' as u32),
        ("preserve", Takes::Perhaps, 'K' as u32),
        ("recursive", Takes::Nothing, 'R' as u32),
        ("reflink", Takes::Perhaps, 'F' as u32),
        ("remove-destination", Takes::Nothing, 'M' as u32),
        ("sparse", Takes::Value, 'E' as u32),
        STRIP_SLASHES,
        ("suffix", Takes::Value, 'S' as u32),
        ("symbolic-link", Takes::Nothing, 's' as u32),
        ("target-directory", Takes::Value, 't' as u32),
        ("update", Takes::Perhaps, 'u' as u32),
        ("verbose", Takes::Nothing, 'v' as u32),
        HELP,
        VERSION,
    ],
};

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 1),
    };
    if let Some(status) = information(name, &line, "Usage: cp [OPTION]... SOURCE... DEST\n") {
        return status;
    }
    let mut copier = match copier(name, &line) {
        Ok(copier) => copier,
        Err(message) => return bad_usage(name, &message, 1),
    };
    let target = line.value('t');
    let (sources, to, is_folder) =
        match destination(operands(&line), target.as_deref(), line.has('T')) {
            Ok(parts) => parts,
            Err(message) if message.starts_with("target ") => {
                eprintln!("{name}: {message}");
                return 1;
            }
            Err(message) => return bad_usage(name, &message, 1),
        };
    let mut ok = true;
    for source in &sources {
        // Only the root holds other file systems: everywhere else there is one anyway.
        if line.has('x') && fs::canonicalize(source).is_ok_and(|path| path == Path::new("/")) {
            eprintln!(
                "{name}: --one-file-system is not supported for '/'; name the folders to copy"
            );
            ok = false;
            continue;
        }
        let to = match (is_folder, line.has('D')) {
            (true, true) => match parents(source, &to) {
                Ok(to) => to,
                Err(error) => {
                    eprintln!(
                        "{name}: cannot make directory for {}: {}",
                        quote(source),
                        options::reason(&error)
                    );
                    ok = false;
                    continue;
                }
            },
            (true, false) => inside(&to, source),
            (false, _) => to.clone(),
        };
        ok &= copier.copy(source, &to, true);
    }
    i32::from(!ok)
}

/// `--parents`: the whole source path is made below the destination.
fn parents(source: &Path, to: &Path) -> std::io::Result<std::path::PathBuf> {
    let relative: std::path::PathBuf = source
        .components()
        .filter(|part| matches!(part, std::path::Component::Normal(_)))
        .collect();
    let full = to.join(relative);
    if let Some(parent) = full.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(full)
}

fn copier(name: &str, line: &Line) -> Result<Copier, String> {
    let mut copier = Copier {
        name: name.to_owned(),
        recursive: line.has('R') || line.has('r') || line.has('a'),
        follow: Follow::Always,
        clobber: Clobber::Overwrite,
        backup: Backup::None,
        suffix: line.value('S').unwrap_or_else(|| "~".to_owned()),
        keep_mode: false,
        keep_times: false,
        keep_links: false,
        hard_link: line.has('l'),
        symbolic_link: line.has('s'),
        attributes_only: line.has('A'),
        remove_destination: line.has('M'),
        verbose: line.has('v'),
        seen: Default::default(),
    };
    let mut follow = None;
    for found in &line.options {
        match char::from_u32(found.code).unwrap_or_default() {
            'a' => {
                follow = Some(Follow::Never);
                preserve(&mut copier, "all", true)?;
            }
            'd' => {
                follow = Some(Follow::Never);
                copier.keep_links = true;
            }
            'P' => follow = Some(Follow::Never),
            'L' => follow = Some(Follow::Always),
            'H' => follow = Some(Follow::Named),
            'p' => preserve(&mut copier, "mode,timestamps", true)?,
            'K' => match &found.value {
                Some(_) => preserve(&mut copier, &found.text(), true)?,
                None => preserve(&mut copier, "mode,timestamps", true)?,
            },
            'N' => preserve(&mut copier, &found.text(), false)?,
            'f' if copier.clobber == Clobber::Overwrite => copier.clobber = Clobber::Force,
            'i' => copier.clobber = Clobber::Ask,
            'n' => copier.clobber = Clobber::Never,
            'u' => update(&mut copier, found)?,
            'E' => on_demand("sparse", &found.text())?,
            'F' if found.value.is_none() => on_demand("reflink", "always")?,
            'F' => on_demand("reflink", &found.text())?,
            'C' => return Err("--copy-contents is not supported here".to_owned()),
            'b' => copier.backup = Backup::Existing,
            'B' => copier.backup = Backup::parse(&found.text())?,
            'S' if copier.backup == Backup::None => copier.backup = Backup::Existing,
            _ => {}
        }
    }
    let default = if copier.recursive {
        Follow::Never
    } else {
        Follow::Always
    };
    copier.follow = follow.unwrap_or(if copier.hard_link {
        Follow::Never
    } else {
        default
    });
    if copier.hard_link && copier.symbolic_link {
        return Err("cannot make both hard and symbolic links".to_owned());
    }
    Ok(copier)
}

/// `--sparse` and `--reflink`: bytes are always copied one by one, so only WHENs that allow this.
fn on_demand(option: &str, when: &str) -> Result<(), String> {
    match when {
        "auto" | "never" => Ok(()),
        "always" => Err(format!(
            "--{option}=always is not supported here; use --{option}=auto"
        )),
        other => Err(format!(
            "invalid argument {} for '--{option}'",
            quote(other)
        )),
    }
}

fn update(copier: &mut Copier, found: &options::Found) -> Result<(), String> {
    copier.clobber = match found.text().as_str() {
        "" | "older" => Clobber::IfNewer,
        "none" => Clobber::Never,
        "all" => Clobber::Overwrite,
        other => return Err(format!("invalid argument {} for '--update'", quote(other))),
    };
    Ok(())
}

fn preserve(copier: &mut Copier, list: &str, keep: bool) -> Result<(), String> {
    for item in list.split(',') {
        match item {
            "mode" => copier.keep_mode = keep,
            "timestamps" => copier.keep_times = keep,
            "links" => copier.keep_links = keep,
            "ownership" | "context" | "xattr" => {}
            "all" => {
                copier.keep_mode = keep;
                copier.keep_times = keep;
                copier.keep_links = keep;
            }
            other => {
                return Err(format!(
                    "invalid argument {} for '--preserve'",
                    quote(other)
                ));
            }
        }
    }
    Ok(())
}
