//! Background jobs.

use std::{io, time::Duration};

use crate::{ast::Bytes, execute::Run, shell::Shell, system};

#[derive(Debug)]
pub struct Job {
    pub number: usize,
    pub pids: Vec<system::Pid>,
    /// Statuses of the processes that have ended.
    pub ended: Vec<Option<system::Status>>,
    pub text: Bytes,
    /// Its end has been told.
    pub notified: bool,
}

impl Job {
    pub fn status(&self) -> Option<i32> {
        let last = self.ended.last().copied().flatten()?;
        self.ended
            .iter()
            .all(Option::is_some)
            .then(|| i32::from(last.code()))
    }

    pub fn last_pid(&self) -> system::Pid {
        self.pids.last().copied().unwrap_or(0)
    }
}

impl Shell {
    pub fn add_job(&mut self, pids: Vec<system::Pid>, text: Bytes) {
        self.disinherit_jobs();
        let number = self.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        self.last_background = pids.last().copied();
        let ended = vec![None; pids.len()];
        self.jobs.push(Job {
            number,
            pids,
            ended,
            text,
            notified: false,
        });
    }

    /// Forgets the parent's jobs.
    pub fn disinherit_jobs(&mut self) {
        if std::mem::take(&mut self.jobs_inherited) {
            self.jobs.clear();
        }
    }

    /// Notes which background processes have ended, without waiting.
    pub fn look_at_jobs(&mut self) {
        if self.jobs_inherited {
            return;
        }
        for job in &mut self.jobs {
            for (pid, ended) in job.pids.iter().zip(&mut job.ended) {
                if ended.is_none() {
                    match system::wait(&[*pid], Some(Duration::ZERO)) {
                        Ok(Some((_, status))) => *ended = Some(status),
                        Ok(None) => {}
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(_) => *ended = Some(system::Status::Exited(127)),
                    }
                }
            }
        }
    }

    /// Finds a job by `%spec` or process number.
    pub fn find_job(&self, spec: &[u8]) -> Option<usize> {
        let newest = self.jobs.len().checked_sub(1);
        if let Some(spec) = spec.strip_prefix(b"%") {
            return match spec {
                b"" | b"%" | b"+" => newest,
                b"-" => newest.map(|n| n.saturating_sub(1)),
                _ => {
                    if let Some(number) = number(spec) {
                        return self.jobs.iter().position(|job| job.number == number);
                    }
                    if let Some(part) = spec.strip_prefix(b"?") {
                        return self.jobs.iter().position(|job| {
                            !part.is_empty() && job.text.windows(part.len()).any(|w| w == part)
                        });
                    }
                    self.jobs.iter().position(|job| job.text.starts_with(spec))
                }
            };
        }
        let pid = number(spec)? as system::Pid;
        self.jobs.iter().position(|job| job.pids.contains(&pid))
    }

    /// Waits until the job at `place` has ended. A caught signal ends the wait with 128 + N.
    pub fn wait_job(&mut self, place: usize) -> Run<i32> {
        loop {
            let Some(job) = self.jobs.get_mut(place) else {
                return Ok(127);
            };
            let Some(open) = job.ended.iter().position(Option::is_none) else {
                return Ok(job.status().unwrap_or(127));
            };
            match system::wait(&[job.pids[open]], None) {
                Ok(Some((_, status))) => job.ended[open] = Some(status),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if let Some(status) = self.interrupted_wait()? {
                        return Ok(status);
                    }
                }
                Err(_) => job.ended[open] = Some(system::Status::Exited(127)),
            }
        }
    }

    /// Runs the traps of the signals that ended a wait; the status the wait then has.
    pub fn interrupted_wait(&mut self) -> Run<Option<i32>> {
        let pending = system::take_signals();
        let mut status = None;
        for signal in (1..32u32).filter(|signal| pending & (1 << signal) != 0) {
            self.run_trap(signal as usize)?;
            status = Some(128 + signal as i32);
        }
        Ok(status)
    }

    /// Waits for a foreground process; traps run once it has ended.
    pub fn wait_foreground(&mut self, pid: system::Pid) -> i32 {
        loop {
            match system::wait(&[pid], None) {
                Ok(Some((_, status))) => {
                    if let system::Status::Signaled(signal) = status {
                        self.tell_signal(signal);
                    }
                    return i32::from(status.code());
                }
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.keep_pending(),
                Err(_) => return 127,
            }
        }
    }

    /// Signals taken while waiting are run after the command.
    fn keep_pending(&mut self) {
        let pending = system::take_signals();
        self.pending_signals |= pending;
    }

    fn tell_signal(&mut self, signal: u32) {
        let text = match signal {
            6 => "Aborted",
            9 => "Killed",
            11 => "Segmentation fault",
            15 => "Terminated",
            _ => return,
        };
        self.write_error(format!("{text}\n").as_bytes());
    }
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
