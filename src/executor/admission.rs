//! Who may run now, who waits, who is refused: nothing queues without bound.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::session::{QueueFull, Session, Turn};

/// Too many calls wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error(transparent)]
    Session(#[from] QueueFull),
    #[error("the server runs as many calls as it may, and as many wait as may")]
    Server,
}

/// Counts the calls that run and wait.
#[derive(Debug)]
pub struct Admission {
    calls_max: usize,
    counted_max: u32,
    counted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// A running call's place; dropping it lets the next one in.
#[must_use]
#[derive(Debug)]
pub struct Place {
    _turn: Option<Turn>,
    _running: OwnedSemaphorePermit,
    _counted: OwnedSemaphorePermit,
}

impl Admission {
    /// Lets `calls_max` run at once and `waiting_max` more wait.
    pub fn new(calls_max: usize, waiting_max: usize) -> Self {
        let counted_max = calls_max.saturating_add(waiting_max);
        Self {
            calls_max,
            counted_max: u32::try_from(counted_max).unwrap_or(u32::MAX),
            counted: Arc::new(Semaphore::new(counted_max)),
            running: Arc::new(Semaphore::new(calls_max)),
        }
    }

    /// Waits for a place, first come, first served; bash calls wait for their session first.
    ///
    /// # Errors
    /// When as many wait as may.
    pub async fn enter(&self, session: &Session, in_order: bool) -> Result<Place, Full> {
        // Counted from here on, as it holds its input while it waits.
        let counted = self
            .counted
            .clone()
            .try_acquire_owned()
            .map_err(|_| Full::Server)?;
        let turn = if in_order {
            Some(session.turn().await?)
        } else {
            None
        };
        let running = self
            .running
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Full::Server)?;
        Ok(Place {
            _turn: turn,
            _running: running,
            _counted: counted,
        })
    }

    /// Calls that run now, and calls that wait to.
    pub fn running_and_waiting(&self) -> (usize, usize) {
        let running = self.calls_max - self.running.available_permits();
        let counted = self.counted_max as usize - self.counted.available_permits();
        (running, counted.saturating_sub(running))
    }

    /// Waits until no call runs or waits to.
    pub async fn idle(&self) {
        // The semaphore is never closed.
        let _all = self.counted.acquire_many(self.counted_max).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Sessions;
    use std::time::Duration;

    #[tokio::test]
    async fn calls_run_up_to_the_limit_wait_up_to_the_next_and_are_refused_past_it() {
        let sessions = Sessions::passing("/nowhere".into(), "/nowhere".into());
        let session = sessions.enter("ann", None).unwrap();
        let admission = Arc::new(Admission::new(2, 1));
        let first = admission.enter(&session, false).await.unwrap();
        let _second = admission.enter(&session, false).await.unwrap();
        let waiting = admission.enter(&session, false);
        tokio::pin!(waiting);
        assert!(
            tokio::time::timeout(Duration::from_millis(20), &mut waiting)
                .await
                .is_err()
        );
        assert_eq!(
            admission.enter(&session, false).await.map(drop),
            Err(Full::Server)
        );
        drop(first);
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn bash_calls_wait_for_their_session_and_others_do_not() {
        let sessions = Sessions::passing("/nowhere".into(), "/nowhere".into());
        let session = sessions.enter("ann", None).unwrap();
        let admission = Admission::new(8, 8);
        let _bash = admission.enter(&session, true).await.unwrap();
        assert!(admission.enter(&session, false).await.is_ok());
        let second =
            tokio::time::timeout(Duration::from_millis(20), admission.enter(&session, true));
        assert!(second.await.is_err());
    }
}
