//! App: what is released from quarantine. It is in the store before it leaves: a kill between the two, or a disk that
//! lets nothing leave, keeps it in both, and then the next round takes it out.

use std::sync::atomic::Ordering;

use bellwether_ledger::Kept;
use bellwether_model::{EnvironmentKey, Event, Millis};
use bellwether_query::QueryError;
use bellwether_store::Known;

use super::{Which, event, locked};
use crate::App;
use crate::error::AppError;
use crate::intake::judge::VERDICT;

/// What became of those that were released.
#[derive(Debug, Default)]
pub(crate) struct Released {
    pub(crate) stored: u64,
    pub(crate) duplicates: u64,
}

/// A release that was cut off.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    /// Perhaps one, before the start.
    Before,
    /// One that had this time.
    At(Millis),
}

impl App {
    /// Takes events after all, marked where they still do not follow the plan. Each is in the store before it
    /// leaves the quarantine, and is there once also if this is broken off and done again.
    pub(crate) fn release(
        &self,
        environment: &EnvironmentKey,
        which: &Which<'_>,
        stop: &dyn Fn() -> bool,
        now: Millis,
    ) -> Result<Released, AppError> {
        // What one before this left is not released again.
        self.finish_releases(now)?;
        let mut released = Released::default();
        let mut after = 0;
        // Its log has what was taken out until the file is written anew.
        self.quarantine.went.store(true, Ordering::Relaxed);
        loop {
            let deciding = self.quarantine.decide();
            let Some((piece, last)) = self.settled_piece(environment, which, after)? else {
                return Ok(released);
            };
            after = last;
            let ticket = self.store.append(self.as_released(&piece, now)?)?;
            self.store.commit()?;
            if self.store.outcome(&ticket) != bellwether_store::Outcome::Committed {
                return Err(AppError::internal("store what was released", "its commit failed"));
            }
            released.stored += ticket.taken.stored;
            released.duplicates += ticket.taken.duplicates;
            self.arrivals.note(environment, ticket.taken);
            let decided = self.quarantine.decided(environment, &piece, now);
            drop(deciding);
            decided.inspect_err(|_| *locked(&self.quarantine.cut) = Some(Cut::At(now)))?;
            if stop() {
                return Ok(released);
            }
        }
    }

    /// Takes out what is in the store: its release was cut off. Looks once after a start, and again where that failed.
    pub(crate) fn finish_releases(&self, now: Millis) -> Result<(), AppError> {
        // Held until it is done: whoever releases meanwhile waits for it.
        let mut cut = locked(&self.quarantine.cut);
        let Some(found) = *cut else { return Ok(()) };
        let mut all = true;
        for environment in self.ledger.state().environments.keys() {
            all &= self.finish_releases_of(environment, found, now)?;
        }
        if all {
            *cut = None;
        }
        Ok(())
    }

    /// Whether it is known of all of them.
    fn finish_releases_of(
        &self,
        environment: &EnvironmentKey,
        cut: Cut,
        now: Millis,
    ) -> Result<bool, AppError> {
        // Asked as of then: however long the server was down since, or the disk full, it is known what came shortly before.
        // The newest receipt is not before that of a release, as long as nothing else was taken.
        let then = match cut {
            Cut::At(then) => then,
            Cut::Before => {
                let newest = self.store.snapshot().events(environment, 1).map_err(QueryError::from)?;
                let Some(newest) = newest.first() else { return Ok(true) };
                newest.received
            }
        };
        let (mut after, mut all) = (0, true);
        loop {
            let _deciding = self.quarantine.decide();
            let Some((mut piece, last)) = self.settled_piece(environment, &Which::All, after)? else {
                return Ok(all);
            };
            after = last;
            // What came later was not released then: it may be another of the same name, as after seven days.
            piece.retain(|kept| kept.held.at <= then);
            let events = self.as_released(&piece, then)?;
            let Known { known, ticket, .. } = self.store.knows(&events.iter().collect::<Vec<_>>())?;
            if ticket.is_some() {
                all = false;
                continue;
            }
            let mut known = known.into_iter();
            piece.retain(|_| known.next().unwrap_or_default());
            if !piece.is_empty() {
                self.quarantine.went.store(true, Ordering::Relaxed);
                self.quarantine.decided(environment, &piece, now)?;
            }
        }
    }

    /// Events that are meant, after a number, a bounded piece of them, and the last number that was looked at. What may
    /// still be taken back is not among them: its sender would send it again.
    fn settled_piece(
        &self,
        environment: &EnvironmentKey,
        which: &Which<'_>,
        after: i64,
    ) -> Result<Option<(Vec<Kept>, i64)>, AppError> {
        let open = locked(&self.quarantine.open);
        let mut piece = self.quarantine.piece(environment, which, after)?;
        let Some(last) = piece.last().map(|kept| kept.id) else { return Ok(None) };
        piece.retain(|kept| !open.asked.contains(&kept.id) && !open.left.contains(&kept.id));
        Ok(Some((piece, last)))
    }

    /// Events that are kept, as they are stored now.
    fn as_released(&self, piece: &[Kept], now: Millis) -> Result<Vec<Event>, AppError> {
        let judges = self.judges.load_full();
        let each = piece.iter().map(|kept| {
            let environment = &kept.held.environment;
            let mut event = event(kept)?;
            event.received = now;
            // The same whenever it is released, and a name that no sender can give to another event.
            let name = || format!("quarantine {environment} {} {}", kept.id, kept.held.at);
            event.insert_id.get_or_insert_with(|| self.pepper.id(&name()));
            if let Some(found) = judges.judge(&event) {
                event.properties.insert(VERDICT.into(), found.verdict.word().into());
            }
            // It may have come before the plan said that something of it is personal.
            judges.conceal(&mut event, &self.pepper);
            Ok(event)
        });
        each.collect()
    }
}
