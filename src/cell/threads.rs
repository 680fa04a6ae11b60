//! The threads of a cell that poll guests.

use std::{
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::runtime::{Builder, Handle};

/// A call's first process runs on the front thread, which took its order, unless another call has
/// one there: most calls have one process, and then no thread is woken for it. All other processes
/// run on the workers, which are started for the first of them.
#[derive(Debug)]
pub struct Threads {
    front: Handle,
    front_taken: Arc<AtomicBool>,
    workers: OnceLock<Option<Workers>>,
}

#[derive(Debug)]
struct Workers(Option<tokio::runtime::Runtime>);

impl Drop for Workers {
    fn drop(&mut self) {
        // May happen on one of them, where a runtime must not wait for itself.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The place on the front thread, free again when dropped.
struct Place(Arc<AtomicBool>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Threads {
    pub fn new(front: Handle) -> Self {
        Self {
            front,
            front_taken: Arc::default(),
            workers: OnceLock::new(),
        }
    }

    /// Runs the task of a process, which may be the first of its call.
    pub fn spawn(&self, is_first: bool, task: impl Future<Output = ()> + Send + 'static) {
        if is_first && !self.front_taken.swap(true, Ordering::SeqCst) {
            let place = Place(Arc::clone(&self.front_taken));
            self.front.spawn(async move {
                task.await;
                drop(place);
            });
            return;
        }
        self.workers().spawn(task);
    }

    fn workers(&self) -> &Handle {
        let workers = self.workers.get_or_init(|| {
            let mut builder = Builder::new_multi_thread();
            match builder.thread_name("guests").enable_all().build() {
                Ok(runtime) => Some(Workers(Some(runtime))),
                Err(error) => {
                    tracing::warn!(%error, "no threads for guests; they share one");
                    None
                }
            }
        });
        let workers = workers.as_ref().and_then(|workers| workers.0.as_ref());
        workers.map_or(&self.front, tokio::runtime::Runtime::handle)
    }
}
