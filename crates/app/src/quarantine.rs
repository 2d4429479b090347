//! App: events that do not follow the tracking plan and are kept apart. What was acknowledged is kept until
//! somebody decides; when there is no more room, senders are told.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bellwether_ledger::{Decided, Gone, Held, Kept, LedgerError, Placed, Quarantine as File};
use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Json, Millis, Seq, Span};
use bellwether_store::{Past, Ticket};
use rustc_hash::FxHashSet;

use crate::App;
use crate::error::AppError;
use crate::intake::inspection::Apart;

mod arriving;
mod had;
mod print;
mod release;

use arriving::Arriving;
use print::{id_print, print};

/// The most events that are kept apart.
const MOST: u64 = 100_000;
/// The most bytes of them.
const MOST_BYTES: u64 = 256 << 20;
/// Events that are released or deleted with one sync.
const AT_ONCE: usize = 1_000;
/// The most bytes of events that are read at once, where it is more than one: read, they take about ten times as much.
pub(crate) const BYTES_AT_ONCE: usize = 8 << 20;

/// So often is looked for what is past its time.
const LOOK: Span = Span(60 * Span::MINUTE.0);

/// What is kept apart, and how much it is.
#[derive(Debug)]
pub(crate) struct Quarantine {
    pub(crate) file: File,
    count: AtomicU64,
    bytes: AtomicU64,
    /// When is looked next for what is past its time, and whether something went since the file was written anew.
    look: AtomicI64,
    went: AtomicBool,
    /// Held while a piece is released or deleted: an event is either.
    deciding: Mutex<()>,
    /// Held while something is put there or taken back. After `deciding`, never before.
    open: Arc<Mutex<Open>>,
    /// The named ones of what is there, each with its number. After `open`, never before. Senders choose the names: the
    /// hasher is one that they cannot foresee.
    named: RwLock<HashMap<[u8; 16], i64>>,
    /// Before the others.
    pub(crate) arriving: Arriving,
    /// So long is known what was decided, as the store knows what it took.
    known: Span,
}

/// Events that are there and may be taken back, by their numbers: nobody was told yet that they are kept.
#[derive(Debug, Default)]
struct Open {
    /// Their request is not answered.
    asked: FxHashSet<i64>,
    /// Their request was refused, and the disk did not let them be taken out.
    left: FxHashSet<i64>,
}

/// What a request put into the quarantine.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    /// Of each event whether it was not there already.
    pub(crate) new: Vec<bool>,
    /// How many of each environment were.
    pub(crate) again: BTreeMap<EnvironmentKey, u64>,
    /// The new ones, as long as they may be taken back.
    pub(crate) fresh: Option<Fresh>,
    /// What to wait for, where a copy is stored that is not on disk yet.
    pub(crate) ticket: Option<Ticket>,
}

/// Events that one request put there, until it is answered. Once this is dropped they stay.
#[derive(Debug)]
pub(crate) struct Fresh {
    ids: Vec<i64>,
    open: Arc<Mutex<Open>>,
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let mut open = locked(&self.open);
        for id in &self.ids {
            open.asked.remove(id);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which events of an environment are meant.
#[derive(Debug)]
pub(crate) enum Which<'w> {
    /// Those with these numbers.
    These(&'w [i64]),
    /// Those of this type.
    Type(&'w str),
    /// All of them.
    All,
}

impl Quarantine {
    /// Opens what is kept apart beside a store whose last event is `last`. What came while others waited for their commit came
    /// after these; where a kill took them, their numbers are given again, and by them it would be of who comes next.
    pub(crate) fn open(path: &Path, known: Span, last: Seq) -> Result<Self, AppError> {
        // A log is left by a kill alone: something may have gone, and the file was not written anew.
        let log = path.with_extension("sqlite-wal");
        let killed = log.metadata().is_ok_and(|log| log.len() > 0);
        let file = File::open(path)?;
        file.stored_up_to(last)?;
        let (count, bytes) = file.size()?;
        let named = file.prints()?.into_iter().collect();
        Ok(Self {
            file,
            count: count.into(),
            bytes: bytes.into(),
            look: i64::MIN.into(),
            went: killed.into(),
            deciding: Mutex::default(),
            open: Arc::default(),
            named: RwLock::new(named),
            arriving: Arriving::default(),
            known,
        })
    }

    /// How many events of an environment are kept.
    pub(crate) fn count(&self, environment: &EnvironmentKey) -> Result<u64, AppError> {
        Ok(self.file.counts(environment)?.iter().map(|sort| sort.count).sum())
    }

    /// How many more events are taken, of all environments; those of one request that came at the same time may go beyond it.
    pub(crate) fn room(&self) -> usize {
        if self.bytes.load(Ordering::Relaxed) >= MOST_BYTES {
            return 0;
        }
        usize::try_from(MOST.saturating_sub(self.count.load(Ordering::Relaxed))).unwrap_or(usize::MAX)
    }

    /// Keeps events apart, on disk before this returns.
    pub(crate) fn hold(&self, held: &[Held]) -> Result<Holding, AppError> {
        if held.is_empty() {
            return Ok(Holding::default());
        }
        let mut open = locked(&self.open);
        let (placed, bytes) = self.file.hold(held, self.known)?;
        let mut holding = Holding::default();
        let mut ids = Vec::new();
        let mut named = self.named.write().unwrap_or_else(PoisonError::into_inner);
        for (placed, held) in placed.into_iter().zip(held) {
            holding.new.push(matches!(placed, Placed::New(_)));
            match placed {
                Placed::New(id) => {
                    open.asked.insert(id);
                    ids.push(id);
                    named.extend(held.print.map(|print| (print, id)));
                }
                Placed::Decided => {}
                // Whoever sent this copy is told that it is kept, whatever becomes of the first. A copy within one
                // request is that request's own.
                Placed::There(id) => {
                    if ids.binary_search(&id).is_err() {
                        open.asked.remove(&id);
                        open.left.remove(&id);
                    }
                }
            }
        }
        self.count.fetch_add(ids.len() as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        holding.fresh = (!ids.is_empty()).then(|| Fresh { ids, open: Arc::clone(&self.open) });
        Ok(holding)
    }

    /// Takes back what a request put there that is refused after all: it is sent again as a whole.
    pub(crate) fn take_back(&self, fresh: &Fresh) {
        let mut open = locked(&self.open);
        let ids: Vec<i64> = fresh.ids.iter().filter(|id| open.asked.remove(id)).copied().collect();
        if let Err(error) = self.withdraw(&ids) {
            tracing::error!(cause = %error, "what a refused request put into quarantine stays for now");
            open.left.extend(ids);
        }
    }

    /// Takes back what a disk did not let be taken back before.
    pub(crate) fn take_back_left(&self) -> Result<(), AppError> {
        let mut open = locked(&self.open);
        let ids: Vec<i64> = open.left.iter().copied().collect();
        self.withdraw(&ids)?;
        open.left.clear();
        Ok(())
    }

    fn withdraw(&self, ids: &[i64]) -> Result<(), LedgerError> {
        if !ids.is_empty() {
            self.went(&self.file.withdraw(ids)?);
        }
        Ok(())
    }

    pub(crate) fn decide(&self) -> MutexGuard<'_, ()> {
        locked(&self.deciding)
    }

    fn remove(&self, environment: &EnvironmentKey, ids: &[i64]) -> Result<u64, AppError> {
        let gone = self.file.remove(environment, ids)?;
        self.went(&gone);
        Ok(gone.count)
    }

    /// The same of what was released or deleted, whose copies are known from now on; `whose` each of them is.
    fn decided(
        &self,
        environment: &EnvironmentKey,
        piece: &[Kept],
        whose: &[Who],
        now: Millis,
    ) -> Result<u64, AppError> {
        let ids: Vec<i64> = piece.iter().map(|kept| kept.id).collect();
        let decided = piece.iter().zip(whose).filter_map(|(kept, who)| {
            // Whoever else has the device is not whose it was.
            let whose = who.user().or(who.device()).map(|id| id_print(environment, id));
            Some(Decided { print: kept.held.print?, whose: [whose, None], at: now })
        });
        let gone = self.file.decide(environment, &ids, &decided.collect::<Vec<_>>())?;
        self.went(&gone);
        Ok(gone.count)
    }

    /// What is taken out is there no more.
    fn went(&self, gone: &Gone) {
        let less = |of: &AtomicU64, by: u64| {
            let _ = of.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |is| Some(is.saturating_sub(by)));
        };
        less(&self.count, gone.count);
        less(&self.bytes, gone.bytes);
        let mut named = self.named.write().unwrap_or_else(PoisonError::into_inner);
        for print in &gone.prints {
            named.remove(print);
        }
    }

    /// The places of events that are there already, rising: they are not to be stored beside it. Whoever sent them is told
    /// that they are kept, so that they stay, whatever becomes of the request that brought them first.
    pub(crate) fn has(&self, events: &[Event]) -> Vec<usize> {
        let found = |event: &Event| {
            let print = print(event)?;
            let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
            named.contains_key(&print).then_some(print)
        };
        // Nearly always nothing is there, and then no name is hashed.
        if self.named.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Vec::new();
        }
        let hits = events.iter().enumerate().filter_map(|(at, event)| Some((at, found(event)?)));
        let hits: Vec<(usize, [u8; 16])> = hits.collect();
        if hits.is_empty() {
            return Vec::new();
        }
        let mut open = locked(&self.open);
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        let mut places = Vec::new();
        for (at, print) in hits {
            // It may have been taken back since.
            if let Some(id) = named.get(&print) {
                open.asked.remove(id);
                open.left.remove(id);
                places.push(at);
            }
        }
        places
    }

    /// Whether a copy of an event is there, which may be taken back yet.
    pub(crate) fn is_there(&self, event: &Event) -> bool {
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        !named.is_empty() && print(event).is_some_and(|print| named.contains_key(&print))
    }

    /// Whether of a copy of an event was decided, so that none that comes now is kept.
    pub(crate) fn was_decided(&self, event: &Event, now: Millis) -> Result<bool, AppError> {
        let Some(print) = print(event) else { return Ok(false) };
        Ok(self.file.was_decided(print, now.minus(self.known))?)
    }

    /// Lets go of what came before it is past its time, of each type a bounded piece; how many. Looks once an hour while there
    /// is nothing.
    pub(crate) fn expire<'e>(
        &self,
        past: &Past,
        environments: impl Iterator<Item = &'e EnvironmentKey>,
        now: Millis,
    ) -> Result<u64, AppError> {
        // Later than an hour from now it never is, but for a clock that was set back.
        let look = self.look.load(Ordering::Relaxed);
        if now.0 < look && look <= now.plus(LOOK).0 {
            return Ok(0);
        }
        let _deciding = self.decide();
        self.file.forget_decided_until(now.minus(self.known))?;
        let mut gone = 0;
        for environment in environments {
            for sort in self.file.counts(environment)? {
                let Some(before) = past.before(environment.as_str(), &sort.sort) else { continue };
                if sort.first >= before {
                    continue;
                }
                let old = self.file.older(environment, &sort.sort, before, AT_ONCE)?;
                gone += self.remove(environment, &old)?;
            }
        }
        if gone > 0 {
            self.went.store(true, Ordering::Relaxed);
            return Ok(gone);
        }
        // Once nothing is left of it: its log has it until then.
        self.scrub()?;
        self.look.store(now.plus(LOOK).0, Ordering::Relaxed);
        Ok(0)
    }

    /// Writes the file anew where something went since that was last done.
    fn scrub(&self) -> Result<(), AppError> {
        if self.went.swap(false, Ordering::Relaxed) {
            self.file.scrub().inspect_err(|_| self.went.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    }

    /// Events that are meant, after a number and up to another, a bounded piece of them.
    fn piece(
        &self,
        environment: &EnvironmentKey,
        which: &Which<'_>,
        after: i64,
        until: i64,
    ) -> Result<Vec<Kept>, AppError> {
        let sort = match which {
            Which::Type(sort) => Some(*sort),
            Which::All => None,
            Which::These(ids) => {
                let mut ids: Vec<i64> =
                    ids.iter().copied().filter(|id| *id > after && *id <= until).collect();
                ids.sort_unstable();
                ids.dedup();
                let (mut found, mut bytes) = (Vec::new(), 0);
                for id in ids {
                    let Some(kept) = self.file.get(environment, id)? else { continue };
                    bytes += kept.held.body.len();
                    if bytes > BYTES_AT_ONCE && !found.is_empty() {
                        break;
                    }
                    found.push(kept);
                }
                return Ok(found);
            }
        };
        let mut piece = self.file.page(environment, sort, after, AT_ONCE, BYTES_AT_ONCE)?.0;
        piece.retain(|kept| kept.id <= until);
        Ok(piece)
    }
}

/// An event as it is kept apart.
pub(crate) fn held(Apart { event, why, sent, .. }: &Apart, now: Millis, after: Seq) -> Held {
    Held {
        environment: event.environment.clone(),
        sort: event.event.clone(),
        at: now,
        after: Some(after),
        print: print(event),
        why: Json::from(why.as_slice()).to_string(),
        // Written as JSON, as the event is.
        sent: serde_json::to_string(sent).ok(),
        // An event is written as JSON everywhere: it has no keys that are not text.
        body: serde_json::to_string(event).unwrap_or_default(),
    }
}

/// The event that is kept.
pub(crate) fn event(kept: &Kept) -> Result<Event, AppError> {
    serde_json::from_str(&kept.held.body).map_err(|e| AppError::internal("read the quarantine", e))
}

impl App {
    /// Calls `each` with every event of an environment that is kept apart, and where it is kept.
    pub(crate) fn each_held(
        &self,
        environment: &EnvironmentKey,
        each: &mut dyn FnMut(&Kept, Event),
    ) -> Result<(), AppError> {
        let mut after = 0;
        loop {
            let piece = self.quarantine.piece(environment, &Which::All, after, i64::MAX)?;
            let Some(last) = piece.last() else { return Ok(()) };
            after = last.id;
            for kept in &piece {
                each(kept, event(kept)?);
            }
        }
    }

    /// Deletes events of somebody for good, and what was decided of earlier ones with these ids, and writes the file anew
    /// without either; how many events there were. Where nothing is, and nothing went since the file was written anew,
    /// nothing is written.
    pub(crate) fn scrub_held(
        &self,
        environment: &EnvironmentKey,
        held: &[i64],
        ids: &[String],
    ) -> Result<u64, AppError> {
        // What is being released is in the store before this goes on, where it is looked for next.
        let _deciding = self.quarantine.decide();
        let gone = self.quarantine.remove(environment, held)?;
        let ids: Vec<_> = ids.iter().map(|id| id_print(environment, id)).collect();
        let decided = self.quarantine.file.forget_decided_of(&ids)?;
        if gone > 0 || decided > 0 {
            self.quarantine.went.store(true, Ordering::Relaxed);
        }
        self.quarantine.scrub()?;
        Ok(gone)
    }

    /// How many events are meant.
    pub(crate) fn meant(&self, environment: &EnvironmentKey, which: &Which<'_>) -> Result<u64, AppError> {
        if let Which::These(_) = which {
            let (mut found, mut after) = (0, 0);
            loop {
                let piece = self.quarantine.piece(environment, which, after, i64::MAX)?;
                let Some(last) = piece.last() else { return Ok(found) };
                (found, after) = (found + piece.len() as u64, last.id);
            }
        }
        let counts = self.quarantine.file.counts(environment)?.into_iter();
        let asked = |sort: &str| !matches!(which, Which::Type(asked) if *asked != sort);
        Ok(counts.filter(|count| asked(&count.sort)).map(|count| count.count).sum())
    }

    /// Deletes events for good that are there now; how many there were.
    pub(crate) fn discard(
        &self,
        environment: &EnvironmentKey,
        which: &Which<'_>,
        stop: &dyn Fn() -> bool,
        now: Millis,
    ) -> Result<u64, AppError> {
        // What comes from here on nobody has seen who deletes.
        let until = self.quarantine.file.newest()?;
        let (mut gone, mut after) = (0, 0);
        loop {
            let _deciding = self.quarantine.decide();
            self.finish_release_alone(now)?;
            let piece = self.quarantine.piece(environment, which, after, until)?;
            gone += self.quarantine.decided(environment, &piece, &self.whose(&piece)?, now)?;
            if gone > 0 {
                self.quarantine.went.store(true, Ordering::Relaxed);
            }
            match piece.last() {
                Some(last) if !stop() => after = last.id,
                // For good: no page of the file and of its log has it.
                _ => {
                    self.quarantine.scrub()?;
                    return Ok(gone);
                }
            }
        }
    }
}
