//! Work that its caller may abandon but that must be finished all the same.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Runs in its caller's task. When the caller drops it, it is told so and goes on in a task of
/// its own. (A task from the start would cost every call two wake-ups more.)
pub(super) struct Detaching<T: Send + 'static> {
    /// `None` once it has ended.
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    caller: Option<oneshot::Sender<()>>,
}

impl<T: Send + 'static> Detaching<T> {
    /// `work` gets a receiver that resolves when the caller is gone.
    pub(super) fn new<F>(work: impl FnOnce(oneshot::Receiver<()>) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (caller, gone) = oneshot::channel();
        Self {
            work: Some(Box::pin(work(gone))),
            caller: Some(caller),
        }
    }
}

impl<T: Send + 'static> Future for Detaching<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else {
            return Poll::Pending;
        };
        let progress = work.as_mut().poll(context);
        if progress.is_ready() {
            self.work = None;
        }
        progress
    }
}

impl<T: Send + 'static> Drop for Detaching<T> {
    fn drop(&mut self) {
        self.caller = None;
        // Without a runtime the process is ending, and the record says that it did.
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn abandoned_work_learns_it_and_is_finished() {
        let (done, ended) = oneshot::channel();
        let mut work = Detaching::new(|gone| async move {
            let told = gone.await.is_err();
            done.send(told).unwrap();
        });
        assert!(futures_poll(&mut work).await.is_pending());
        drop(work);
        assert_eq!(ended.await, Ok(true));
    }

    #[tokio::test]
    async fn work_that_is_awaited_answers_its_caller() {
        assert_eq!(Detaching::new(|_gone| async { 7 }).await, 7);
    }

    async fn futures_poll<T: Send>(work: &mut Detaching<T>) -> Poll<T> {
        std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *work).poll(context))).await
    }
}
