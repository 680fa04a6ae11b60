//! `timeout [OPTION] DURATION COMMAND [ARG]...`

use std::{
    ffi::OsString,
    time::{Duration, Instant},
};

use guest_start::{
    process::{self, Pid, Status},
    signal,
};
use options::{Grammar, Line, Takes, quote_argument};

use super::{HELP, VERSION, bad_usage, information, start};

const TIMED_OUT: i32 = 124;
const CANCELED: i32 = 125;

const GRAMMAR: Grammar = Grammar {
    short: "+k:s:v",
    long: &[
        ("kill-after", Takes::Value, 'k' as u32),
        ("signal", Takes::Value, 's' as u32),
        ("verbose", Takes::Nothing, 'v' as u32),
        ("foreground", Takes::Nothing, 'f' as u32),
        ("preserve-status", Takes::Nothing, 'p' as u32),
        HELP,
        VERSION,
    ],
};

/// What to do with the child.
struct Plan {
    limit: Option<Duration>,
    kill_after: Option<Duration>,
    signal: u32,
    foreground: bool,
    preserve_status: bool,
    verbose: bool,
    program: OsString,
}

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let line = match GRAMMAR.parse(arguments.into_iter()) {
        Ok(line) => line,
        Err(message) => return bad_usage(name, &message, CANCELED),
    };
    let usage = "Usage: timeout [OPTION] DURATION COMMAND [ARG]...\n";
    if let Some(status) = information(name, &line, usage) {
        return status;
    }
    if line.operands.len() < 2 {
        return bad_usage(name, "missing operand", CANCELED);
    }
    let plan = match plan(&line) {
        Ok(plan) => plan,
        Err(message) => return bad_usage(name, &message, CANCELED),
    };
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin".into());
    let mut command = match start::command(name, &line.operands[1..], &path) {
        Ok(command) => command,
        Err(status) => return status,
    };
    command.inherit_env();
    if !plan.foreground {
        command.new_group();
    }
    for number in [signal::HUP, signal::INT, signal::QUIT, signal::TERM] {
        let _ = signal::set(number, signal::Action::Caught);
    }
    match command.spawn() {
        Ok(child) => watch(name, &plan, child),
        Err(error) => start::failed(name, &plan.program, &error),
    }
}

fn plan(line: &Line) -> Result<Plan, String> {
    let number = match line.value('s') {
        Some(text) => signal_number(&text)
            .ok_or_else(|| format!("{}: invalid signal", quote_argument(&text)))?,
        None => signal::TERM,
    };
    let limit = line.operands[0].to_string_lossy();
    Ok(Plan {
        limit: duration(&limit)?,
        kill_after: line
            .value('k')
            .map(|text| duration(&text))
            .transpose()?
            .flatten(),
        signal: number,
        foreground: line.has('f'),
        preserve_status: line.has('p'),
        verbose: line.has('v'),
        program: line.operands[1].clone(),
    })
}

/// Seconds with an optional unit; zero is no limit at all.
fn duration(text: &str) -> Result<Option<Duration>, String> {
    let wrong = || format!("invalid time interval {}", quote_argument(text));
    let (digits, factor) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1.0),
        Some(b'm') => (&text[..text.len() - 1], 60.0),
        Some(b'h') => (&text[..text.len() - 1], 3600.0),
        Some(b'd') => (&text[..text.len() - 1], 86400.0),
        _ => (text, 1.0),
    };
    let seconds = digits.parse::<f64>().map_err(|_| wrong())? * factor;
    if seconds.is_nan() || seconds < 0.0 {
        return Err(wrong());
    }
    Ok((seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)))
}

pub fn signal_number(text: &str) -> Option<u32> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    if let Ok(number) = text.parse::<u32>() {
        return (number < 32).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    NAMES
        .iter()
        .position(|name| *name == bare)
        .map(|at| at as u32 + 1)
}

fn watch(name: &str, plan: &Plan, child: Pid) -> i32 {
    let send = |number: u32| {
        if plan.verbose {
            eprintln!(
                "{name}: sending signal {number} to command {}",
                quote_argument(&plan.program)
            );
        }
        let target = child as i32;
        let _ = signal::send(if plan.foreground { target } else { -target }, number);
        if number != signal::KILL && number != signal::CONT {
            let _ = signal::send(if plan.foreground { target } else { -target }, signal::CONT);
        }
    };
    let mut deadline = plan
        .limit
        .and_then(|limit| Instant::now().checked_add(limit));
    let (mut timed_out, mut killed) = (false, false);
    loop {
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        match process::wait(&[child], left) {
            Ok(Some((_, status))) => return answer(plan, status, timed_out, killed),
            Ok(None) => {
                let number = if timed_out { signal::KILL } else { plan.signal };
                killed = number == signal::KILL;
                timed_out = true;
                send(number);
                deadline = match plan.kill_after {
                    Some(after) if !killed => Instant::now().checked_add(after),
                    _ => None,
                };
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                let pending = signal::take();
                for number in (1..32).filter(|number| pending & (1 << number) != 0) {
                    send(number);
                    if let Some(after) = plan.kill_after {
                        timed_out = true;
                        deadline = Instant::now().checked_add(after);
                    }
                }
            }
            Err(error) => {
                eprintln!(
                    "{name}: error waiting for command: {}",
                    options::reason(&error)
                );
                return CANCELED;
            }
        }
    }
}

fn answer(plan: &Plan, status: Status, timed_out: bool, killed: bool) -> i32 {
    if timed_out && killed {
        return 128 + signal::KILL as i32;
    }
    if timed_out && !plan.preserve_status {
        return TIMED_OUT;
    }
    i32::from(status.code())
}
