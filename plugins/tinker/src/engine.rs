//! The one thread on which everything that waits for the network runs.

use std::{future::Future, sync::mpsc, thread};
use tinsmith_plugin_api::{Error, ErrorKind, Result};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// A runtime on a thread of its own. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Engine {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Engine {
    pub fn start() -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::from(e).context("start the network's runtime"))?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("tinsmith-tinker".into())
            .spawn(move || {
                // An error means that the sender is gone, which is the end too.
                let _ = runtime.block_on(stopped);
                runtime.shutdown_background();
            })
            .map_err(|e| Error::from(e).context("start the network's thread"))?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Runs something beside the caller.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }

    /// Whether the caller runs on the engine's own thread, which must not wait for itself.
    pub fn is_here(&self) -> bool {
        self.thread.as_ref().is_some_and(|own| own.thread().id() == thread::current().id())
    }

    /// Runs something and waits for it. Never called on the engine's own thread.
    pub fn block<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            // Nobody waits any more if the caller's thread ended.
            let _ = answer.send(task.await);
        });
        answered
            .recv()
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::LOST, "the network's thread is gone")))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.stop.take());
        let here = self.is_here();
        // What was told last may have held the last of everything: the thread ends by itself then.
        if let Some(thread) = self.thread.take().filter(|_| !here) {
            // A panic there was told by what it was to answer.
            let _ = thread.join();
        }
    }
}
