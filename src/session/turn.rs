//! The order of a session's bash calls: one runs, a few wait, more are refused.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Bash calls of one session that may wait behind the running one. From the design.
pub const TURNS_WAITING_MAX: usize = 16;

/// As many bash calls of the session wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{TURNS_WAITING_MAX} bash calls of this session wait already")]
pub struct QueueFull;

/// A bash call's turn; the next call goes when it is dropped.
#[must_use]
#[derive(Debug)]
pub struct Turn {
    _running: OwnedSemaphorePermit,
    _counted: OwnedSemaphorePermit,
}

/// First come, first served.
#[derive(Debug)]
pub(super) struct Turns {
    counted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            counted: Arc::new(Semaphore::new(TURNS_WAITING_MAX + 1)),
            running: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Turns {
    pub(super) async fn take(&self) -> Result<Turn, QueueFull> {
        let counted = match self.counted.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => return Err(QueueFull),
        };
        // Tokio's semaphore is fair, and is never closed here.
        let running = self
            .running
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| QueueFull)?;
        Ok(Turn {
            _running: running,
            _counted: counted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_runs_sixteen_wait_in_order_and_the_next_is_refused() {
        let turns = Arc::new(Turns::default());
        let first = turns.take().await.unwrap();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..TURNS_WAITING_MAX {
            let (turns, order) = (turns.clone(), order.clone());
            waiting.push(tokio::spawn(async move {
                let _turn = turns.take().await.unwrap();
                order.lock().unwrap().push(number);
            }));
            tokio::task::yield_now().await;
        }
        assert_eq!(turns.take().await.map(drop), Err(QueueFull));
        assert!(order.lock().unwrap().is_empty());
        drop(first);
        for call in waiting {
            call.await.unwrap();
        }
        assert_eq!(
            *order.lock().unwrap(),
            (0..TURNS_WAITING_MAX).collect::<Vec<_>>()
        );
        assert!(turns.take().await.is_ok());
    }

    #[tokio::test]
    async fn a_call_that_gives_up_waiting_frees_its_place() {
        let turns = Turns::default();
        let first = turns.take().await.unwrap();
        for _ in 0..100 {
            let waited = tokio::time::timeout(std::time::Duration::ZERO, turns.take()).await;
            assert!(waited.is_err());
        }
        drop(first);
        assert!(turns.take().await.is_ok());
    }
}
