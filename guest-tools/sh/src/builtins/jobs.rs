//! `wait`, `jobs`, `kill`, `disown`, `fg`, `bg`.

use super::{number, shown};
use crate::{ast::Bytes, execute::Run, names::intern, shell::Shell, system, traps};

pub fn wait(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    shell.disinherit_jobs();
    let mut rest = &words[1..];
    let (mut next, mut variable) = (false, None);
    while let Some(word) = rest.first() {
        match word.as_slice() {
            b"-n" => next = true,
            b"-f" => {}
            b"-p" => {
                variable = rest.get(1).cloned();
                rest = &rest[1..];
            }
            b"--" => {
                rest = &rest[1..];
                break;
            }
            option if option.len() > 1 && option[0] == b'-' => {
                return Ok(shell.bad_option(b"wait", option[1], "wait [-fn] [-p var] [id ...]"));
            }
            _ => break,
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    if next {
        return wait_next(shell, rest, variable);
    }
    if rest.is_empty() {
        while let Some(place) = shell.jobs.iter().position(|job| job.status().is_none()) {
            let status = shell.wait_job(place)?;
            if shell
                .jobs
                .get(place)
                .is_some_and(|job| job.status().is_none())
            {
                return Ok(status);
            }
        }
        shell.jobs.clear();
        return Ok(0);
    }
    let mut status = 0;
    for word in rest {
        status = wait_for(shell, word)?;
        if let Some(name) = &variable {
            shell.set(intern(name), word.clone())?;
        }
    }
    Ok(status)
}

fn wait_for(shell: &mut Shell, word: &[u8]) -> Run<i32> {
    if let Some(place) = shell.find_job(word) {
        let status = shell.wait_job(place)?;
        return Ok(status);
    }
    let text = shown(word);
    if word.starts_with(b"%") {
        shell.builtin_error(b"wait", format_args!("{text}: no such job"));
        return Ok(127);
    }
    match number(word) {
        Some(pid) => {
            let found = system::wait(&[pid as system::Pid], None);
            if let Ok(Some((_, status))) = found {
                return Ok(i32::from(status.code()));
            }
            shell.builtin_error(
                b"wait",
                format_args!("pid {text} is not a child of this shell"),
            );
            Ok(127)
        }
        None => {
            shell.builtin_error(
                b"wait",
                format_args!("`{text}': not a pid or valid job spec"),
            );
            Ok(1)
        }
    }
}

/// `wait -n`: the first job to end.
fn wait_next(shell: &mut Shell, rest: &[Bytes], variable: Option<Bytes>) -> Run<i32> {
    shell.look_at_jobs();
    loop {
        let wanted: Vec<usize> = if rest.is_empty() {
            (0..shell.jobs.len()).collect()
        } else {
            rest.iter()
                .filter_map(|word| shell.find_job(word))
                .collect()
        };
        if let Some(&place) = wanted
            .iter()
            .find(|&&place| shell.jobs[place].status().is_some())
        {
            let job = shell.jobs.remove(place);
            if let Some(name) = variable {
                shell.set(intern(&name), job.last_pid().to_string().into_bytes())?;
            }
            return Ok(job.status().unwrap_or(127));
        }
        let pids: Vec<system::Pid> = wanted
            .iter()
            .flat_map(|&place| {
                let job = &shell.jobs[place];
                job.pids
                    .iter()
                    .zip(&job.ended)
                    .filter(|(_, e)| e.is_none())
                    .map(|(pid, _)| *pid)
            })
            .collect();
        if pids.is_empty() {
            return Ok(127);
        }
        match system::wait(&pids, None) {
            Ok(Some((pid, status))) => {
                for job in &mut shell.jobs {
                    if let Some(place) = job.pids.iter().position(|known| *known == pid) {
                        job.ended[place] = Some(status);
                    }
                }
            }
            Ok(None) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                if let Some(status) = shell.interrupted_wait()? {
                    return Ok(status);
                }
            }
            Err(_) => return Ok(127),
        }
    }
}

pub fn list(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let (mut pids_only, mut long, mut running, mut stopped) = (false, false, false, false);
    for word in &words[1..] {
        match word.as_slice() {
            b"-p" => pids_only = true,
            b"-l" => long = true,
            b"-r" => running = true,
            b"-s" => stopped = true,
            _ => {}
        }
    }
    shell.look_at_jobs();
    // As in any shell that is not interactive, jobs that have ended are not shown.
    let ended: Vec<bool> = shell
        .jobs
        .iter()
        .map(|job| job.status().is_some())
        .collect();
    let count = ended.iter().filter(|ended| !**ended).count();
    let mut out = Bytes::new();
    let shown_jobs = shell.jobs.iter_mut().filter(|job| job.status().is_none());
    for (place, job) in shown_jobs.enumerate() {
        let state = match job.status() {
            None => "Running".to_owned(),
            Some(0) => "Done".to_owned(),
            Some(status) if status > 128 && job.ended.iter().flatten().any(is_signaled) => {
                if status == 143 {
                    "Terminated"
                } else {
                    "Killed"
                }
                .to_owned()
            }
            Some(status) => format!("Exit {status}"),
        };
        if stopped || (running && job.status().is_some()) {
            continue;
        }
        if pids_only {
            out.extend(format!("{}\n", job.pids[0]).bytes());
            continue;
        }
        let mark = match count - place {
            1 => '+',
            2 => '-',
            _ => ' ',
        };
        let ampersand = if job.status().is_none() { " &" } else { "" };
        let pid = if long {
            job.pids[0].to_string()
        } else {
            String::new()
        };
        let text = shown(&job.text);
        out.extend(
            format!(
                "[{}]{mark} {pid} {state:<23} {text}{ampersand}\n",
                job.number
            )
            .bytes(),
        );
        job.notified = true;
    }
    shell.write_out(&out);
    Ok(0)
}

fn is_signaled(status: &system::Status) -> bool {
    matches!(status, system::Status::Signaled(_))
}

pub fn disown(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let rest: Vec<&Bytes> = words[1..]
        .iter()
        .filter(|word| !matches!(word.as_slice(), b"-h" | b"-r" | b"--"))
        .collect();
    if rest.iter().any(|word| *word == b"-a") {
        shell.jobs.clear();
        return Ok(0);
    }
    if rest.is_empty() {
        if shell.jobs.pop().is_none() {
            shell.builtin_error(b"disown", format_args!("current: no such job"));
            return Ok(1);
        }
        return Ok(0);
    }
    for word in rest {
        match shell.find_job(word) {
            Some(place) => {
                shell.jobs.remove(place);
            }
            None => {
                let text = shown(word);
                shell.builtin_error(b"disown", format_args!("{text}: no such job"));
                return Ok(1);
            }
        }
    }
    Ok(0)
}

pub fn foreground(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let spec = words.get(1).cloned().unwrap_or_else(|| b"%+".to_vec());
    if !shell.options.monitor {
        shell.builtin_error(b"fg", format_args!("no job control"));
        return Ok(1);
    }
    let Some(place) = shell.find_job(&spec) else {
        shell.builtin_error(b"fg", format_args!("no such job"));
        return Ok(1);
    };
    let line = [shell.jobs[place].text.as_slice(), b"\n"].concat();
    shell.write_out(&line);
    let status = shell.wait_job(place)?;
    shell.jobs.remove(place);
    Ok(status)
}

pub fn background(shell: &mut Shell, _: &[Bytes]) -> Run<i32> {
    shell.builtin_error(b"bg", format_args!("no job control"));
    Ok(1)
}

pub fn kill(shell: &mut Shell, words: &[Bytes]) -> Run<i32> {
    let mut signal = 15;
    let mut rest = &words[1..];
    if let Some(word) = rest.first() {
        match word.as_slice() {
            b"-l" | b"-L" => return Ok(list_signals(shell, &rest[1..])),
            b"-s" | b"-n" => {
                let name = rest.get(1).cloned().unwrap_or_default();
                match traps::place(&name) {
                    Some(place) if place < 32 => signal = place as u32,
                    _ => return Ok(bad_signal(shell, &name)),
                }
                rest = rest.get(2..).unwrap_or_default();
            }
            b"--" => rest = &rest[1..],
            option if option.len() > 1 && option[0] == b'-' => {
                match traps::place(&option[1..]) {
                    Some(place) if place < 32 => signal = place as u32,
                    _ => return Ok(bad_signal(shell, &option[1..])),
                }
                rest = &rest[1..];
            }
            _ => {}
        }
    }
    if rest.first().is_some_and(|word| word == b"--") {
        rest = &rest[1..];
    }
    if rest.is_empty() {
        shell.write_error(b"kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]\n");
        return Ok(2);
    }
    let mut status = 0;
    for word in rest {
        let text = shown(word);
        let pid = if word.starts_with(b"%") {
            match shell.find_job(word) {
                Some(place) => shell.jobs[place].last_pid() as i32,
                None => {
                    shell.builtin_error(b"kill", format_args!("{text}: no such job"));
                    status = 1;
                    continue;
                }
            }
        } else {
            match number(word) {
                Some(pid) => pid as i32,
                None => {
                    shell.builtin_error(
                        b"kill",
                        format_args!("{text}: arguments must be process or job IDs"),
                    );
                    status = 1;
                    continue;
                }
            }
        };
        if let Err(error) = system::send(pid, signal) {
            let reason = crate::shell::reason(&error);
            shell.builtin_error(b"kill", format_args!("({text}) - {reason}"));
            status = 1;
        }
    }
    Ok(status)
}

fn bad_signal(shell: &mut Shell, name: &[u8]) -> i32 {
    let text = shown(name);
    shell.builtin_error(
        b"kill",
        format_args!("{text}: invalid signal specification"),
    );
    1
}

fn list_signals(shell: &mut Shell, rest: &[Bytes]) -> i32 {
    let mut out = String::new();
    if rest.is_empty() {
        for signal in 1..32 {
            let end = if signal % 5 == 0 { '\n' } else { '\t' };
            out.push_str(&format!("{signal:2}) {}{end}", traps::name(signal)));
        }
        out.push('\n');
    }
    for word in rest {
        match number(word) {
            Some(value) => {
                let value = if value > 128 { value - 128 } else { value };
                let name = traps::name(value as usize);
                out.push_str(name.strip_prefix("SIG").unwrap_or(name));
            }
            None => match traps::place(word) {
                Some(place) => out.push_str(&place.to_string()),
                None => return bad_signal(shell, word),
            },
        }
        out.push('\n');
    }
    shell.write_out(out.as_bytes());
    0
}
