//! Cli: a person's ctrl-C while something is sent. The first lets what is under way come to an orderly
//! end, the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

/// Whether somebody has asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on, until the process ends.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let failed =
            |e: std::io::Error| Failure::new(format!("signals cannot be heard: {e}"), "report this as a bug");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let heard = Arc::new(AtomicBool::new(false));
        let hears = Arc::clone(&heard);
        // Registered before the first event is sent, not when the thread gets its turn.
        let signal = {
            let _entered = runtime.enter();
            use tokio::signal::unix::{SignalKind, signal};
            signal(SignalKind::interrupt()).map_err(failed)?
        };
        std::thread::spawn(move || {
            let mut signal = signal;
            runtime.block_on(async {
                signal.recv().await;
                hears.store(true, Ordering::Relaxed);
                signal.recv().await;
                // As a shell says of a process that was interrupted.
                std::process::exit(130);
            });
        });
        Ok(Self(heard))
    }

    /// Whether it was heard.
    pub(crate) fn heard(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
