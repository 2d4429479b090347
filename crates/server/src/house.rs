//! Server: what every handler shares, the threads that work behind the handlers, and how they end.

use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bellwether_app::{App, AppError, Refusal};
use tokio::sync::{Semaphore, watch};

use crate::bell::Bell;
use crate::body::Room;
use crate::clock::Clock;
use crate::committer::Committer;
use crate::listen::Limits;
use crate::stream::Said;

/// What every handler shares.
#[derive(Clone)]
pub struct House {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Clock,
    pub(crate) bell: Bell,
    pub(crate) committer: Arc<Committer>,
    closing: watch::Sender<bool>,
    /// Passwords are checked two at a time: each takes memory and a thread, and guessing is cheap.
    passwords: Arc<Semaphore>,
    /// Events are parsed on so many threads at once: what is parsed takes several times its bytes, and more threads
    /// than processors only take time from those that write.
    parsing: Arc<Semaphore>,
    /// Bodies that wait for their turn. Past it they are told to come later, while they can still be answered soon.
    queue: Room,
    pub(crate) limits: Limits,
    pub(crate) said: Arc<Said>,
    /// After how much silence a stream says that it lives.
    pub(crate) quiet: Duration,
}

/// Bytes of bodies that wait to be parsed, packed as they came: the largest that is taken, and some.
const QUEUE: usize = 32 << 20;

/// How much longer than it worked a turn of parsing pauses where sealing is as far behind as it may be: events come slower
/// then, and fewer are refused until it has caught up. What is parsed where it was read holds no turn; its pause slows its
/// connection alone.
const SLOWDOWN: f64 = 4.0;
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Clients drop a stream that was silent for 17 seconds.
const QUIET: Duration = Duration::from_secs(13);

/// How often maintenance runs. A round that finds nothing to do costs next to nothing; guards look at
/// most once a minute whatever this is.
const ROUND: Duration = Duration::from_secs(1);
/// How often it is asked whether something is to be looked at; what is, says `app`.
const LOOK: Duration = Duration::from_secs(60);

impl House {
    pub(crate) fn open(app: Arc<App>, bell: Bell, clock: Clock, limits: &Limits) -> Self {
        let committer = Committer::start(Arc::clone(&app));
        let processors = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Self {
            app,
            clock,
            bell,
            committer,
            closing: watch::Sender::new(false),
            passwords: Arc::new(Semaphore::new(2)),
            parsing: Arc::new(Semaphore::new(usize::max(processors.get(), 2))),
            queue: Room::of(QUEUE),
            limits: limits.clone(),
            said: Arc::default(),
            quiet: QUIET,
        }
    }

    /// Runs what may wait for a disk or read many events on a thread of its own.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        let house = self.clone();
        match tokio::task::spawn_blocking(move || work(&house)).await {
            Ok(done) => done,
            Err(e) => Err(AppError::internal("finish the request", e)),
        }
    }

    /// The same for what checks or makes a password: few at a time, the others wait without a thread.
    pub(crate) async fn with_password<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        let turn = Arc::clone(&self.passwords).acquire_owned().await;
        let turn = turn.map_err(|e| AppError::internal("check a password", e))?;
        // The turn is the work's: a client that goes away while it is done does not hand it on.
        self.blocking(move |house| {
            let _turn = turn;
            work(house)
        })
        .await
    }

    /// The same for what takes as long and as much memory as parsing a body of so many bytes.
    ///
    /// # Errors
    /// [`Refusal::Busy`] where as much waits already as may, and those of `work`.
    pub(crate) async fn parsing<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&Self) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        let Some(waiting) = self.queue.take(bytes) else {
            return Err(AppError::new(
                Refusal::Busy,
                "busy",
                "more is being sent than can be read",
                "send it again in a moment; nothing of this request was stored",
            ));
        };
        let turn = Arc::clone(&self.parsing).acquire_owned().await;
        let turn = turn.map_err(|e| AppError::internal("parse events", e))?;
        drop(waiting);
        let (done, turn, pause) = self
            .blocking(move |house| {
                let (done, pause) = house.paced(work);
                Ok((done, turn, pause))
            })
            .await?;
        if !pause.is_zero() {
            tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                drop(turn);
            });
        }
        done
    }

    /// Parses on this thread what is soon done: two other threads would cost more.
    pub(crate) async fn parsing_here<T>(&self, work: impl FnOnce(&Self) -> T) -> T {
        let (done, pause) = self.paced(work);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        done
    }

    /// Works, and says how long to pause then so that sealing catches up.
    fn paced<T>(&self, work: impl FnOnce(&Self) -> T) -> (T, Duration) {
        let begun = Instant::now();
        let done = work(self);
        let pause = begun.elapsed().mul_f64(SLOWDOWN * self.app.pressure());
        (done, pause.min(LONGEST_PAUSE))
    }

    /// Tells streams to end.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Becomes true when streams must end.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Makes what waits durable and ends the committing thread.
    pub(crate) fn settle(&self) {
        self.committer.stop();
        if let Err(e) = self.app.remember(self.clock.now()) {
            tracing::error!(cause = e.cause, "who was enrolled in the last second is not stored");
        }
    }
}

/// Now and then a look at what came, which reads much and which nothing waits for.
pub(crate) async fn look_around(house: House) {
    let mut every = tokio::time::interval(LOOK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Err(e) = house
            .blocking(|house| house.app.look_around(house.clock.now(), &|| *house.closing.borrow()))
            .await
            && !*house.closing.borrow()
        {
            tracing::error!(cause = e.cause, "events could not be looked at: {}", e.message);
        }
    }
}

/// Maintenance, a bounded round at a time. It also runs while a manual clock stands, because events may
/// come; guards have looked at that moment already, when the clock reached it.
pub(crate) async fn maintain(house: House) {
    let mut every = tokio::time::interval(ROUND);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // Fast senders fill memory in less than a round.
        tokio::select! {
            _ = every.tick() => {}
            () = house.committer.due.notified() => {}
        }
        if let Err(e) = house.blocking(|house| house.app.step(house.clock.now())).await {
            tracing::error!(cause = e.cause, "maintenance failed and will be tried again: {}", e.message);
            // A disk that refuses is asked again, not hammered.
            every.tick().await;
        }
    }
}
