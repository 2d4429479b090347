//! Server: the bell that `app` rings after each change, and that streams listen to. Ringing is
//! instant; a stream that is slow hears only that it rang, never a backlog.

use tokio::sync::watch;

/// Rings for every change.
#[derive(Debug, Clone)]
pub struct Bell(watch::Sender<u64>);

impl Bell {
    /// A bell that nobody listens to yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Rings it.
    pub fn ring(&self) {
        self.0.send_modify(|rung| *rung = rung.wrapping_add(1));
    }

    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self::new()
    }
}
