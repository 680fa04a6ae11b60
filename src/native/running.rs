//! A native program from its start to its end, and what is taken over then.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use crate::confinement::group::Group;
use crate::confinement::launch::Child;
use crate::frame::{push_frame, read_one};
use crate::native::error::NativeError;
use crate::native::order::{Ended, Report, Status, Word};
use crate::native::overlay::Changes;
use crate::outcome::Held;

/// Longest wait for a program that was killed to be gone.
const GONE_WAIT: Duration = Duration::from_secs(5);

/// A program that runs. Dropped, it is killed with everything it started.
#[derive(Debug)]
pub struct Running {
    pub(super) child: Child,
    pub(super) group: Option<Group>,
    pub(super) socket: UnixStream,
    pub(super) wall: Duration,
    pub(super) changes: Option<Changes>,
}

/// What came of a program and its changes.
#[derive(Debug)]
pub struct Taken {
    pub ended: Ended,
    /// Paths that changed, as guests see them.
    pub changed: Vec<String>,
    pub grown: Held,
    pub written: u64,
    /// Its memory ran out.
    pub out_of_memory: bool,
    /// Its time was over.
    pub out_of_time: bool,
    /// Why nothing of what it changed was taken over.
    pub refused: Option<String>,
}

impl Running {
    /// Waits until the program ended or its time is over, with everything it started gone, and
    /// takes over what it changed. `signals` are passed on; when they end, so does the program.
    ///
    /// # Errors
    /// The process that attends to it is lost.
    pub async fn finish(
        mut self,
        mut signals: tokio::sync::mpsc::UnboundedReceiver<i32>,
    ) -> Result<Option<Taken>, NativeError> {
        let until = tokio::time::Instant::now() + self.wall;
        let report = loop {
            tokio::select! {
                biased;
                // First: whose caller is gone has changed nothing, however quickly it ended.
                signal = signals.recv() => match signal {
                    Some(number) => {
                        let mut frame = Vec::new();
                        if push_frame(&mut frame, &Word::Signal(number)).is_ok() {
                            // It may have ended.
                            let _gone = self.socket.write_all(&frame).await;
                        }
                    }
                    None => {
                        self.gone().await;
                        return Ok(None);
                    }
                },
                report = read_one::<Report>(&mut self.socket) => break Some(report),
                () = tokio::time::sleep_until(until) => break None,
            }
        };
        self.gone().await;
        let out_of_memory = self.group.as_ref().is_some_and(Group::ran_out_of_memory);
        let killed = Ended {
            status: Status::Signaled(9),
            cpu_us: 0,
            memory_peak_bytes: 0,
        };
        let (ended, out_of_time) = match report {
            None => (killed, true),
            Some(Ok(Some(Report::Ended(ended)))) => (ended, false),
            // The kernel may have killed the process that attends, too.
            Some(_) if out_of_memory => (killed, false),
            Some(_) => return Err(NativeError::Lost("ended before its program")),
        };
        let mut taken = Taken {
            ended,
            changed: Vec::new(),
            grown: Held::default(),
            written: 0,
            out_of_memory,
            out_of_time,
            refused: None,
        };
        if let Some(changes) = self.changes.take() {
            // Half of what it meant to do is not what it meant to do.
            let whole = matches!(ended.status, Status::Exited(_));
            let keeps = changes.keeps;
            let looked = tokio::task::spawn_blocking(move || changes.take_over(whole));
            let mut found = looked.await.unwrap_or_else(|error| Err(error.to_string()));
            if keeps && !whole {
                found = Err("it was ended before it was done".to_owned());
            }
            match found {
                Ok((changed, grown, written)) => {
                    (taken.changed, taken.grown, taken.written) = (changed, grown, written);
                }
                Err(reason) => taken.refused = Some(reason),
            }
        }
        Ok(Some(taken))
    }

    /// Ends the program and everything it started, and waits until nothing is left.
    async fn gone(&mut self) {
        self.child.kill();
        if tokio::time::timeout(GONE_WAIT, self.child.ended())
            .await
            .is_err()
        {
            tracing::error!("a native program that was killed does not end");
        }
    }
}
