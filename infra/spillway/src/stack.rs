//! A system on this machine: Redis nodes, sentinels, ledger, functions and gateway, or some of these,
//! started in order, restarted when they die, stopped in the reverse order.
//!
//! One thread starts every process and lives as long as the stack, because the system ends a process
//! together with the *thread* that started it.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::running::Running;
use crate::stack_options::{Say, StackOptions};
use crate::supervisor::Supervisor;

/// Between two looks at the processes.
const WATCH_PAUSE: Duration = Duration::from_millis(100);

/// A running stack. Dropping it stops it.
pub struct Stack {
    running: Arc<Mutex<Running>>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Stack {
    /// Starts the parts that are asked for and returns when each of them is ready.
    pub fn start(options: StackOptions, say: Say) -> Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let (started, start) = mpsc::channel();
        let thread = std::thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
            let mut supervisor = match Supervisor::start(&options, say) {
                Ok(supervisor) => supervisor,
                Err(error) => {
                    let _ = started.send(Err(error));
                    return;
                }
            };
            if started.send(Ok(supervisor.running())).is_ok() {
                while stopped.recv_timeout(WATCH_PAUSE) == Err(mpsc::RecvTimeoutError::Timeout) {
                    supervisor.watch();
                }
            }
            supervisor.stop();
        })?;
        match start.recv() {
            Ok(Ok(running)) => Ok(Self { running, stop: Some(stop), thread: Some(thread) }),
            Ok(Err(error)) => Err(error),
            Err(_) => bail!("the supervisor ended without a word"),
        }
    }

    /// What runs now; process ids change when something is restarted.
    pub fn running(&self) -> Result<Running> {
        Ok(self.running.lock().ok().context("the supervisor has panicked")?.clone())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
