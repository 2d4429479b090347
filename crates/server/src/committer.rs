//! Server: the one thread that commits. It makes one fsync for all requests that wait, and whoever
//! waits learns whether its own events were stored.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bellwether_app::{App, AppError, Settled, Waiting};
use bellwether_model::Seq;
use tokio::sync::{Notify, oneshot};

/// How long the thread lets requests gather before it syncs. A sync costs more than a request; a few
/// milliseconds buy about a third of the throughput and are not felt.
const LINGER: Duration = Duration::from_millis(2);
/// How often it looks for exposures of our own evaluations, which ring no bell.
const IDLE: Duration = Duration::from_millis(50);

pub(crate) struct Committer {
    app: Arc<App>,
    wanted: Mutex<Wanted>,
    changed: Condvar,
    told: Mutex<Told>,
    /// So much is committed that a part is due.
    pub(crate) due: Notify,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Who is told when a round is done: each of those whose events it has, once.
enum Told {
    /// Those who wait, each with the event up to which has to be committed.
    Next(Vec<(Seq, oneshot::Sender<()>)>),
    /// There will be no more: the thread has stopped.
    Over,
}

impl Told {
    /// Those for whom this is done, who wait no more.
    fn take(&mut self, done: impl Fn(Seq) -> bool) -> Vec<oneshot::Sender<()>> {
        match self {
            Self::Next(all) => all.extract_if(.., |(seq, _)| done(*seq)).map(|(_, one)| one).collect(),
            Self::Over => Vec::new(),
        }
    }
}

/// Says that it is over when the thread ends. A server that stores nothing any more must not go on: where the thread
/// panicked the process ends at once, and the next one has what was acknowledged.
struct Over<'c>(&'c Mutex<Told>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        *lock(self.0) = Told::Over;
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

#[derive(Default)]
struct Wanted {
    commit: bool,
    stop: bool,
}

impl Committer {
    pub(crate) fn start(app: Arc<App>) -> Arc<Self> {
        let committer = Arc::new(Self {
            app,
            wanted: Mutex::default(),
            changed: Condvar::new(),
            told: Mutex::new(Told::Next(Vec::new())),
            due: Notify::new(),
            thread: Mutex::default(),
        });
        let working = Arc::clone(&committer);
        match std::thread::Builder::new().name("commit".into()).spawn(move || working.work()) {
            Ok(handle) => *lock(&committer.thread) = Some(handle),
            Err(e) => {
                tracing::error!(error = %e, "no thread can be started: nothing will be stored");
                *lock(&committer.told) = Told::Over;
            }
        }
        committer
    }

    fn work(&self) {
        let _over = Over(&self.told);
        loop {
            let stop = {
                let wanted = lock(&self.wanted);
                let waited = self.changed.wait_timeout_while(wanted, IDLE, |w| !w.commit && !w.stop);
                let (mut wanted, _) = waited.unwrap_or_else(PoisonError::into_inner);
                if wanted.commit && !wanted.stop {
                    drop(wanted);
                    std::thread::sleep(LINGER);
                    wanted = lock(&self.wanted);
                }
                wanted.commit = false;
                wanted.stop
            };
            // Before the commit, which has the events of each of these, or loses them.
            let mut told = lock(&self.told).take(|_| true);
            if self.app.waiting() {
                match self.app.commit() {
                    // Some had theirs in it and began to wait only since.
                    Ok(upto) => told.extend(lock(&self.told).take(|seq| seq <= upto)),
                    Err(e) => {
                        tracing::error!(cause = e.cause, "events could not be stored");
                        // A disk that refuses is asked again, not hammered.
                        std::thread::sleep(IDLE);
                    }
                }
            }
            if self.app.is_due() {
                self.due.notify_one();
            }
            for one in told {
                // Whoever went away is told nothing.
                let _ = one.send(());
            }
            if stop {
                return;
            }
        }
    }

    /// Waits until events are on disk.
    ///
    /// # Errors
    /// When the disk refused them: none of them is stored.
    pub(crate) async fn settled(&self, waiting: &Waiting) -> Result<(), AppError> {
        loop {
            // Before asking: a round that ends in between is not missed.
            let next = match &mut *lock(&self.told) {
                Told::Next(all) => {
                    let (tell, next) = oneshot::channel();
                    all.push((waiting.seq(), tell));
                    Some(next)
                }
                Told::Over => None,
            };
            match self.app.settled(waiting) {
                Settled::Committed => return Ok(()),
                Settled::Lost => return Err(AppError::not_stored()),
                Settled::Waiting => {}
            }
            lock(&self.wanted).commit = true;
            self.changed.notify_one();
            let Some(next) = next else {
                return Err(AppError::internal("store events", "the committing thread has ended"));
            };
            // Where it is dropped instead there are no more rounds, and it is asked once more.
            let _ = next.await;
        }
    }

    /// Commits what waits and ends the thread.
    pub(crate) fn stop(&self) {
        lock(&self.wanted).stop = true;
        self.changed.notify_one();
        let thread = lock(&self.thread).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("the committing thread panicked: this is a bug");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
