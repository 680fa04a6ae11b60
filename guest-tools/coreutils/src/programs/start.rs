//! `env`, `nice`, `nohup` and `which`: they look a program up and become it.

use std::{
    ffi::{OsStr, OsString},
    os::wasi::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use guest_start::{process, process::Command, signal};
use options::{Grammar, Takes, quote, quote_argument, reason};

use super::{HELP, VERSION, bad_usage, information, timeout::signal_number};

const NOT_FOUND: i32 = 127;
const CANNOT_RUN: i32 = 126;

/// Signals a program may have been told to ignore and must pass on.
const PASSED_ON: [u32; 6] = [
    signal::HUP,
    signal::INT,
    signal::QUIT,
    signal::PIPE,
    signal::TERM,
    signal::USR1,
];

/// A start of `arguments` (the program first) with this process's ignored signals.
///
/// # Errors
/// The exit status, after saying why the program cannot be found.
pub fn command(name: &str, arguments: &[OsString], path: &OsStr) -> Result<Command, i32> {
    let Some(program) = find(&arguments[0], path) else {
        let missing = !arguments[0].as_bytes().contains(&b'/')
            || std::fs::symlink_metadata(&arguments[0]).is_err();
        let why = if missing {
            "No such file or directory"
        } else {
            "Permission denied"
        };
        eprintln!("{name}: {}: {why}", named_failure(name, &arguments[0]));
        return Err(if missing { NOT_FOUND } else { CANNOT_RUN });
    };
    let mut command = Command::new(program);
    for argument in arguments {
        command.arg(argument);
    }
    for number in PASSED_ON {
        if let Ok(action) = signal::set(number, signal::Action::Ignored) {
            if action == signal::Action::Ignored {
                command.ignore_signal(number);
            }
            let _ = signal::set(number, action);
        }
    }
    Ok(command)
}

/// Says why starting `program` failed; answers the exit status.
pub fn failed(name: &str, program: &OsStr, error: &std::io::Error) -> i32 {
    eprintln!(
        "{name}: {}: {}",
        named_failure(name, program),
        reason(error)
    );
    if error.kind() == std::io::ErrorKind::NotFound {
        NOT_FOUND
    } else {
        CANNOT_RUN
    }
}

/// How `name` names a program it cannot run.
fn named_failure(name: &str, program: &OsStr) -> String {
    match name {
        "nohup" => format!("failed to run command {}", quote(program)),
        "timeout" => format!("failed to run command {}", quote_argument(program)),
        _ => quote_argument(program),
    }
}

fn find(program: &OsStr, path: &OsStr) -> Option<PathBuf> {
    process::find_program(program, path)
}

fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/bin".into())
}

const ENV: Grammar = Grammar {
    short: "+i0u:C:S:v",
    long: &[
        ("ignore-environment", Takes::Nothing, 'i' as u32),
        ("null", Takes::Nothing, '0' as u32),
        ("unset", Takes::Value, 'u' as u32),
        ("chdir", Takes::Value, 'C' as u32),
        ("split-string", Takes::Value, 'S' as u32),
        ("debug", Takes::Nothing, 'v' as u32),
        ("block-signal", Takes::Perhaps, 'b' as u32),
        ("default-signal", Takes::Perhaps, 'd' as u32),
        ("ignore-signal", Takes::Perhaps, 'g' as u32),
        HELP,
        VERSION,
    ],
};

/// `env [OPTION]... [-] [NAME=VALUE]... [COMMAND [ARG]...]`
pub fn env(name: &str, arguments: Vec<OsString>) -> i32 {
    let arguments = match expand_split(arguments) {
        Ok(arguments) => arguments,
        Err(message) => return bad_usage(name, &message, 125),
    };
    let line = match ENV.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 125),
    };
    let usage = "Usage: env [OPTION]... [-] [NAME=VALUE]... [COMMAND [ARG]...]\n";
    if let Some(status) = information(name, &line, usage) {
        return status;
    }
    let mut operands = line.operands.as_slice();
    let mut clear = line.has('i');
    if operands.first().is_some_and(|first| first == "-") {
        clear = true;
        operands = &operands[1..];
    }
    let mut variables: Vec<(OsString, OsString)> = if clear {
        Vec::new()
    } else {
        std::env::vars_os().collect()
    };
    let debug = |text: String| {
        if line.has('v') {
            eprintln!("{text}");
        }
    };
    if clear {
        debug("cleaning environ".to_owned());
    }
    for found in line.options.iter().filter(|found| found.code == 'u' as u32) {
        let unset = OsString::from_vec(found.value.clone().unwrap_or_default());
        if !clear {
            debug(format!("unset:    {}", unset.display()));
        }
        variables.retain(|(key, _)| *key != unset);
    }
    while let Some((key, value)) = operands.first().and_then(|operand| assignment(operand)) {
        debug(format!("setenv:   {}={}", key.display(), value.display()));
        match variables.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = value,
            None => variables.push((key, value)),
        }
        operands = &operands[1..];
    }
    if operands.is_empty() {
        return print_variables(&variables, line.has('0'));
    }
    run_with(name, operands, &variables, &line)
}

fn assignment(operand: &OsStr) -> Option<(OsString, OsString)> {
    let bytes = operand.as_bytes();
    let at = bytes.iter().position(|&b| b == b'=')?;
    Some((
        OsStr::from_bytes(&bytes[..at]).to_owned(),
        OsStr::from_bytes(&bytes[at + 1..]).to_owned(),
    ))
}

fn print_variables(variables: &[(OsString, OsString)], null: bool) -> i32 {
    use std::io::Write;
    let mut out = Vec::new();
    for (key, value) in variables {
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
        out.push(if null { 0 } else { b'\n' });
    }
    i32::from(std::io::stdout().write_all(&out).is_err())
}

/// The signals of `--ignore-signal`; without a list the ones that can be ignored.
fn ignored_signals(line: &options::Line) -> Result<Vec<u32>, String> {
    let mut ignored = Vec::new();
    for found in &line.options {
        match char::from_u32(found.code).unwrap_or_default() {
            'b' => {
                return Err("--block-signal is not supported here; use --ignore-signal".to_owned());
            }
            'd' => return Err("--default-signal is not supported here".to_owned()),
            'g' if found.value.is_none() => {
                ignored.extend(
                    (1..=31).filter(|number| ![signal::KILL, signal::STOP].contains(number)),
                );
            }
            'g' => {
                for word in found.text().split(',').filter(|word| !word.is_empty()) {
                    let number = signal_number(word)
                        .ok_or_else(|| format!("{}: invalid signal", quote_argument(word)))?;
                    if [signal::KILL, signal::STOP].contains(&number) {
                        return Err(format!(
                            "failed to set signal action for signal {number}: Invalid argument"
                        ));
                    }
                    ignored.push(number);
                }
            }
            _ => {}
        }
    }
    Ok(ignored)
}

/// What `-v` says before a command runs.
fn announce(operands: &[OsString], folder: Option<String>) {
    if let Some(folder) = folder {
        eprintln!("chdir:    {}", quote(folder));
    }
    eprintln!("executing: {}", operands[0].display());
    for (at, operand) in operands.iter().enumerate() {
        eprintln!("   arg[{at}]= {}", quote_argument(operand));
    }
}

fn run_with(
    name: &str,
    operands: &[OsString],
    variables: &[(OsString, OsString)],
    line: &options::Line,
) -> i32 {
    if line.has('0') {
        return bad_usage(name, "cannot specify --null (-0) with command", 125);
    }
    let ignored = match ignored_signals(line) {
        Ok(ignored) => ignored,
        Err(message) => return bad_usage(name, &message, 125),
    };
    let path = variables
        .iter()
        .find(|(key, _)| key == "PATH")
        .map(|(_, value)| value.clone());
    if line.has('v') {
        announce(operands, line.value('C'));
    }
    let mut command = match command(name, operands, &path.unwrap_or_else(|| "/bin".into())) {
        Ok(command) => command,
        Err(status) => return status,
    };
    for (key, value) in variables {
        command.env(key, value);
    }
    for number in ignored {
        command.ignore_signal(number);
    }
    if let Some(folder) = line.value('C') {
        match std::fs::canonicalize(&folder) {
            Ok(folder) => {
                command.cwd(folder);
            }
            Err(error) => {
                eprintln!(
                    "{name}: cannot change directory to {}: {}",
                    quote(&folder),
                    reason(&error)
                );
                return 125;
            }
        }
    }
    failed(name, &operands[0], &command.exec())
}

/// Replaces `-S STRING` (also glued, also `--split-string=`) by the words of STRING.
fn expand_split(arguments: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let mut out = Vec::new();
    let mut rest = arguments.into_iter();
    let mut debug = false;
    while let Some(argument) = rest.next() {
        let bytes = argument.as_bytes();
        if bytes.starts_with(b"-vS") {
            out.push("-v".into());
        }
        debug |= bytes.starts_with(b"-v") || bytes == b"--debug";
        let glued = bytes
            .strip_prefix(b"--split-string=")
            .or_else(|| bytes.strip_prefix(b"-vS"))
            .or_else(|| bytes.strip_prefix(b"-S"));
        match glued {
            Some(text) if !text.is_empty() || bytes.starts_with(b"--") => {
                split_into(text, debug, &mut out)?;
            }
            Some(_) => match rest.next() {
                Some(text) => split_into(text.as_bytes(), debug, &mut out)?,
                None => return Err("option requires an argument -- 'S'".to_owned()),
            },
            None if !bytes.starts_with(b"-") || bytes == b"--" => {
                out.push(argument);
                out.extend(rest);
                break;
            }
            None if matches!(bytes, b"-u" | b"-C") => {
                out.push(argument);
                out.extend(rest.next());
            }
            None => out.push(argument),
        }
    }
    Ok(out)
}

/// As [`split`], and says what it did.
fn split_into(text: &[u8], debug: bool, out: &mut Vec<OsString>) -> Result<(), String> {
    let before = out.len();
    split(text, out)?;
    if debug {
        eprintln!("split -S:  {}", quote_argument(OsStr::from_bytes(text)));
        for (at, word) in out[before..].iter().enumerate() {
            let what = if at == 0 { " into:  " } else { "     &  " };
            eprintln!("{what}  {}", quote_argument(word));
        }
    }
    Ok(())
}

fn split(text: &[u8], out: &mut Vec<OsString>) -> Result<(), String> {
    let (mut word, mut started, mut quoted) = (Vec::new(), false, 0u8);
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\'' | b'"' if quoted == 0 => (quoted, started) = (byte, true),
            _ if byte == quoted && quoted != 0 => quoted = 0,
            b'\\' if quoted != b'\'' => {
                started = true;
                match bytes.next() {
                    Some(b'n') => word.push(b'\n'),
                    Some(b't') => word.push(b'\t'),
                    Some(b'_') if quoted == 0 => {
                        out.push(OsString::from_vec(std::mem::take(&mut word)));
                    }
                    Some(b'_') => word.push(b' '),
                    Some(b'c') => break,
                    Some(other) => word.push(other),
                    None => return Err("invalid backslash at end of string in -S".to_owned()),
                }
            }
            b'$' if quoted != b'\'' && bytes.peek() == Some(&b'{') => {
                bytes.next();
                let name: Vec<u8> = bytes.by_ref().take_while(|&b| b != b'}').collect();
                started = true;
                if let Some(value) = std::env::var_os(OsStr::from_bytes(&name)) {
                    word.extend_from_slice(value.as_bytes());
                }
            }
            b'#' if quoted == 0 && !started => break,
            b' ' | b'\t' | b'\n' if quoted == 0 => {
                if std::mem::take(&mut started) {
                    out.push(OsString::from_vec(std::mem::take(&mut word)));
                }
            }
            _ => {
                started = true;
                word.push(byte);
            }
        }
    }
    if quoted != 0 {
        return Err("no terminating quote in -S string".to_owned());
    }
    if started {
        out.push(OsString::from_vec(word));
    }
    Ok(())
}

/// `nohup COMMAND [ARG]...`; no guest has a terminal, so only the signal is left to do.
pub fn nohup(name: &str, arguments: Vec<OsString>) -> i32 {
    let grammar = Grammar {
        short: "+",
        long: &[HELP, VERSION],
    };
    let line = match grammar.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 125),
    };
    if let Some(status) = information(name, &line, "Usage: nohup COMMAND [ARG]...\n") {
        return status;
    }
    if line.operands.is_empty() {
        return bad_usage(name, "missing operand", 125);
    }
    match command(name, &line.operands, &search_path()) {
        Ok(mut command) => {
            command.inherit_env().ignore_signal(signal::HUP);
            failed(name, &line.operands[0], &command.exec())
        }
        Err(status) => status,
    }
}

/// `nice [-n N] [COMMAND [ARG]...]`; the host shares time evenly, so N is only checked.
pub fn nice(name: &str, arguments: Vec<OsString>) -> i32 {
    let grammar = Grammar {
        short: "+n:0123456789",
        long: &[("adjustment", Takes::Value, 'n' as u32), HELP, VERSION],
    };
    let line = match grammar.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 125),
    };
    if let Some(status) = information(name, &line, "Usage: nice [-n N] [COMMAND [ARG]...]\n") {
        return status;
    }
    if let Some(value) = line.value('n')
        && value.trim().parse::<i64>().is_err()
    {
        eprintln!("{name}: invalid adjustment {}", quote_argument(&value));
        return 125;
    }
    if line.operands.is_empty() {
        println!("0");
        return 0;
    }
    match command(name, &line.operands, &search_path()) {
        Ok(mut command) => failed(name, &line.operands[0], &command.inherit_env().exec()),
        Err(status) => status,
    }
}

/// `which [-a] NAME...`
pub fn which(name: &str, arguments: Vec<OsString>) -> i32 {
    let grammar = Grammar {
        short: "as",
        long: &[("all", Takes::Nothing, 'a' as u32), HELP, VERSION],
    };
    let line = match grammar.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, 2),
    };
    if let Some(status) = information(name, &line, "Usage: which [-a] NAME...\n") {
        return status;
    }
    let path = search_path();
    let mut status = i32::from(line.operands.is_empty());
    for operand in &line.operands {
        let mut found = false;
        for folder in path.as_bytes().split(|&b| b == b':') {
            if let Some(program) = find(operand, OsStr::from_bytes(folder)) {
                found = true;
                let shown = if operand.as_bytes().contains(&b'/') {
                    PathBuf::from(operand)
                } else {
                    program
                };
                if !line.has('s') {
                    println!("{}", shown.display());
                }
                if !line.has('a') || operand.as_bytes().contains(&b'/') {
                    break;
                }
            }
        }
        if !found {
            status = 1;
        }
    }
    status
}
