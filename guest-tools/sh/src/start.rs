//! From the command line to the first command, and from the last one to the end.

use std::time::{Duration, Instant};

use crate::{
    ast::Bytes,
    builtins,
    execute::Run,
    known,
    parse::Reader,
    shell::{Shell, reason},
    state, system,
    variables::{Value, flag},
};

enum Input {
    Command(Bytes),
    Script(Bytes),
    Standard,
}

struct Invocation {
    input: Input,
    name: Bytes,
    positional: Vec<Bytes>,
}

/// Runs the shell and answers its exit status.
pub fn run() -> i32 {
    let mut shell = Shell::new();
    let first = system::identity().0 == 1;
    if !first {
        shell.find_descriptors();
    }
    if first {
        let bytes = system::state::load();
        state::load(&mut shell, &bytes);
        shell.loaded_state = Some(bytes);
    }
    shell.import_environment();
    shell.update_locale();
    shell.start_folder();
    shell.note_call_folder();
    let arguments = system::arguments();
    let invocation = match read_arguments(&mut shell, &arguments) {
        Ok(invocation) => invocation,
        Err(status) => return status,
    };
    shell.argument_zero = invocation.name;
    shell.positional = invocation.positional;
    if !first && !shell.options.posix && !matches!(invocation.input, Input::Standard) {
        read_environment_file(&mut shell);
    }
    let answer = match invocation.input {
        Input::Command(text) => run_command(&mut shell, text),
        Input::Script(path) => match run_script(&mut shell, &path) {
            Ok(answer) => answer,
            Err(status) => return status,
        },
        Input::Standard => run_standard(&mut shell),
    };
    let status = shell.end_process(answer);
    shell.keep_state();
    if first {
        shell.let_finish();
    }
    status
}

/// Runs the file `$BASH_ENV` names, before a script.
fn read_environment_file(shell: &mut Shell) {
    let Some(value) = shell.get(known::BASH_ENV).filter(|value| !value.is_empty()) else {
        return;
    };
    let mode = crate::parse::Mode::Quoted;
    let word = crate::parse::compile(&value, mode, 0, shell.settings());
    let Ok(mut path) = shell.expand_single(&word) else {
        return;
    };
    if !path.contains(&b'/') {
        path.splice(0..0, *b"./");
    }
    if system::stat(&path, true).is_err() {
        return;
    }
    if let Some(source) = builtins::find(b".") {
        let _ = source(shell, &[b".".to_vec(), path]);
    }
}

/// Options with and without values, then a script and its arguments.
fn read_arguments(shell: &mut Shell, arguments: &[Bytes]) -> Result<Invocation, i32> {
    let own = arguments
        .first()
        .cloned()
        .unwrap_or_else(|| b"bash".to_vec());
    let base = own.rsplit(|&b| b == b'/').next().unwrap_or_default();
    if base.trim_ascii_start() == b"sh" {
        shell.options.posix = true;
    }
    let mut at = 1;
    let (mut command, mut standard) = (false, false);
    while let Some(word) = arguments.get(at) {
        let (Some(&sign @ (b'-' | b'+')), true) = (word.first(), word.len() > 1) else {
            break;
        };
        if word == b"--" {
            at += 1;
            break;
        }
        if let Some(long) = word.strip_prefix(b"--") {
            match long {
                b"norc" | b"noprofile" | b"login" | b"noediting" | b"restricted" => {}
                b"posix" => shell.options.posix = true,
                b"verbose" => shell.options.verbose = true,
                b"rcfile" | b"init-file" => at += 1,
                b"version" => {
                    shell.write_out(b"GNU bash, version 5.2.15(1)-release compatible (Hotcell)\n");
                    return Err(0);
                }
                b"help" => {
                    shell.write_out(b"Usage: bash [option] ... [-c command [name [argument ...]] | script [argument ...]]\n");
                    return Err(0);
                }
                _ => {
                    let text = String::from_utf8_lossy(word).into_owned();
                    shell.write_error(format!("bash: {text}: invalid option\n").as_bytes());
                    return Err(2);
                }
            }
            at += 1;
            continue;
        }
        let on = sign == b'-';
        for &letter in &word[1..] {
            match letter {
                b'c' if on => command = true,
                b's' if on => standard = true,
                b'i' | b'l' | b'r' | b'D' => {}
                b'o' | b'O' => {
                    at += 1;
                    let name = arguments.get(at).cloned().unwrap_or_default();
                    let words = match letter {
                        b'o' => vec![vec![sign, b'o'], name],
                        _ => {
                            let flag: &[u8] = if on { b"-s" } else { b"-u" };
                            let words = [b"shopt".to_vec(), flag.to_vec(), name];
                            if let Some(run) = builtins::find(b"shopt") {
                                let _ = run(shell, &words);
                            }
                            continue;
                        }
                    };
                    if builtins::apply_set(shell, &words).is_err() {
                        return Err(2);
                    }
                }
                letter => match shell.options.by_letter(letter) {
                    Some(option) => *option = on,
                    None => {
                        let text = String::from_utf8_lossy(word).into_owned();
                        shell.write_error(format!("bash: {text}: invalid option\n").as_bytes());
                        return Err(2);
                    }
                },
            }
        }
        at += 1;
    }
    let mut rest = arguments.get(at..).unwrap_or_default().to_vec();
    if command {
        if rest.is_empty() {
            shell.write_error(b"bash: -c: option requires an argument\n");
            return Err(2);
        }
        let text = rest.remove(0);
        let name = if rest.is_empty() { own } else { rest.remove(0) };
        return Ok(Invocation {
            input: Input::Command(text),
            name,
            positional: rest,
        });
    }
    if standard || rest.is_empty() {
        return Ok(Invocation {
            input: Input::Standard,
            name: own,
            positional: rest,
        });
    }
    let path = rest.remove(0);
    Ok(Invocation {
        input: Input::Script(path.clone()),
        name: path,
        positional: rest,
    })
}

fn run_command(shell: &mut Shell, text: Bytes) -> Run<i32> {
    shell.command_string = true;
    shell.fatal_is_127 = true;
    let slot = shell
        .slot(known::BASH_EXECUTION_STRING)
        .get_or_insert_default();
    slot.value = Value::Scalar(text.clone());
    slot.flags |= flag::STANDING;
    let mut reader = Reader::new(text, 1);
    shell.tail = true;
    shell.run_reader(&mut reader, false)
}

fn run_script(shell: &mut Shell, path: &[u8]) -> Result<Run<i32>, i32> {
    let text = read_script(shell, path)?;
    shell.script_name = Some(path.to_vec());
    let mut reader = Reader::new(text, 1);
    Ok(shell.run_reader(&mut reader, false))
}

fn read_script(shell: &mut Shell, path: &[u8]) -> Result<Bytes, i32> {
    let shown = String::from_utf8_lossy(path).into_owned();
    let mut found = path.to_vec();
    if !path.contains(&b'/')
        && system::stat(path, true).is_err()
        && let Some(other) = shell.search_path(path)
    {
        found = other;
    }
    let descriptor = match system::open(&found, system::flag::READ, 0) {
        Ok(descriptor) => descriptor,
        Err(error) => {
            let status = if error.kind() == std::io::ErrorKind::NotFound {
                127
            } else {
                126
            };
            let reason = reason(&error);
            shell.write_error(format!("bash: {shown}: {reason}\n").as_bytes());
            return Err(status);
        }
    };
    if system::fstat(descriptor).is_ok_and(|stat| stat.is_dir()) {
        shell.write_error(format!("bash: {shown}: Is a directory\n").as_bytes());
        return Err(126);
    }
    let descriptor = crate::execute::high(descriptor);
    let text = shell.read_all(descriptor);
    system::close(descriptor);
    let text = text.map_err(|_| 1)?;
    let first = text.split(|&b| b == b'\n').next().unwrap_or_default();
    if first.contains(&0) {
        shell.write_error(format!("bash: {shown}: cannot execute binary file\n").as_bytes());
        return Err(126);
    }
    Ok(text)
}

/// Commands from standard input, read no further than each command needs.
fn run_standard(shell: &mut Shell) -> Run<i32> {
    use crate::{execute::Unwind, options::shopt};
    let mut reader = Reader::new(Vec::new(), 1);
    let mut status = 0;
    let mut at_end = false;
    loop {
        if reader.at_end() {
            match shell.read_script_line() {
                Some(line) => reader.extend(&line),
                None => return Ok(status),
            }
        }
        let mark = reader.mark();
        let settings = shell.settings();
        let expand = shell.shopt & shopt::EXPAND_ALIASES != 0 || shell.options.posix;
        let aliases = expand.then_some(&shell.aliases);
        let list = match reader.next_command(settings, aliases, at_end) {
            Ok(Some(list)) => list,
            Ok(None) => continue,
            Err(error) if error.incomplete && !at_end => {
                reader.reset(mark);
                match shell.read_script_line() {
                    Some(line) => reader.extend(&line),
                    None => at_end = true,
                }
                continue;
            }
            Err(error) => {
                shell.syntax_error(&error, &reader);
                return Ok(2);
            }
        };
        if shell.options.verbose {
            let text = reader.since(mark).to_vec();
            shell.write_error(&text);
        }
        if shell.options.noexec {
            continue;
        }
        match shell.run_list(&list) {
            Ok(code) => status = code,
            Err(Unwind::Discard(code)) => {
                status = code;
                shell.status = code;
            }
            Err(unwind) => return Err(unwind),
        }
    }
}

/// How long `>( )` may take for the rest of its input once the script is over.
const WRITERS_TIME: Duration = Duration::from_secs(2);

/// How long jobs in the background may take to end by themselves.
const JOBS_TIME: Duration = Duration::from_millis(100);

/// Where a session begins.
const STANDING_FOLDER: &[u8] = b"/workspace";

impl Shell {
    /// The host starts the shell in the session's folder, or in one named for this call only.
    fn note_call_folder(&mut self) {
        let kept = self.state_folder.as_deref().unwrap_or(STANDING_FOLDER);
        if self.loaded_state.is_some() && self.cwd != kept {
            self.call_folder = Some(self.cwd.clone());
        }
    }

    fn read_script_line(&mut self) -> Option<Bytes> {
        let mut line = Bytes::new();
        loop {
            let mut byte = [0];
            match system::read(0, &mut byte) {
                Ok(1) => {
                    line.push(byte[0]);
                    if byte[0] == b'\n' {
                        return Some(line);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                _ => return (!line.is_empty()).then_some(line),
            }
        }
    }

    /// Descriptors beyond 2 that this process was given.
    fn find_descriptors(&mut self) {
        for descriptor in 0..64 {
            if system::is_open(descriptor) {
                self.descriptors.insert(descriptor);
            } else {
                self.descriptors.remove(&descriptor);
            }
        }
    }

    /// Offers the session its state; an unchanged one too, which tells that the shell ended well.
    pub fn keep_state(&mut self) {
        if self.loaded_state.take().is_none() {
            return;
        }
        if self.subshell_depth > 0 {
            return;
        }
        // A folder given for this call only is no part of the state, unless the script left it.
        let folder = match (&self.call_folder, &self.state_folder) {
            (Some(call), before) if *call == self.cwd => {
                before.clone().unwrap_or_else(|| STANDING_FOLDER.to_vec())
            }
            _ => self.cwd.clone(),
        };
        let bytes = state::save(self, &folder);
        // EPERM: this call keeps no state.
        if let Err(error) = system::state::save(&bytes)
            && error.kind() != std::io::ErrorKind::PermissionDenied
        {
            let reason = reason(&error);
            self.write_error(
                format!("bash: the session's state was not kept: {reason}\n").as_bytes(),
            );
        }
    }

    /// The call ends with this process, so what is about to end by itself gets the time to.
    fn let_finish(&mut self) {
        self.let_writers_finish();
        self.look_at_jobs();
        let running = self.jobs.iter().filter(|job| job.status().is_none());
        let jobs: Vec<_> = running.flat_map(|job| job.pids.clone()).collect();
        if !self.jobs_inherited {
            wait_for(&jobs, JOBS_TIME);
        }
    }

    /// Closes everything, for `>( )` reads until nobody can write any more, and waits for it.
    pub fn let_writers_finish(&mut self) {
        let writers = std::mem::take(&mut self.writers);
        if writers.is_empty() {
            return;
        }
        for descriptor in 0..64 {
            system::close(descriptor);
        }
        wait_for(&writers, WRITERS_TIME);
    }

    /// What must happen before this process becomes another program.
    pub fn before_exec(&mut self) {
        self.keep_state();
    }
}

fn wait_for(pids: &[system::Pid], most: Duration) {
    let end = Instant::now() + most;
    for pid in pids {
        // A process that is gone already is no error here.
        let _ = system::wait(&[*pid], Some(end.saturating_duration_since(Instant::now())));
    }
}
