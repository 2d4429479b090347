//! App: what is released from quarantine. It is said that it leaves, it is in the store, and then it is out. A kill between two
//! of these, or a disk that takes nothing more, is known by what is still about to leave: that is finished first.

use std::sync::atomic::Ordering;

use bellwether_ledger::{Kept, Leaving};
use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Millis};
use bellwether_store::{Fingerprint, Known, Outcome};

use super::had::Having;
use super::{AT_ONCE, Which, event, locked};
use crate::App;
use crate::error::{AppError, Refusal};
use crate::intake::judge::{SentAs, VERDICT};

/// What became of those that were released.
#[derive(Debug, Default)]
pub(crate) struct Released {
    pub(crate) stored: u64,
    pub(crate) duplicates: u64,
}

/// What an event was before something of it was concealed; nothing is known of those of earlier versions.
fn sent(kept: &Kept) -> Result<Option<SentAs>, AppError> {
    let read = |text: &String| serde_json::from_str(text);
    kept.held.sent.as_ref().map(read).transpose().map_err(|e| AppError::internal("read the quarantine", e))
}

impl App {
    /// Takes events after all that are there now, marked where they still do not follow the plan. Each is in the store before
    /// it leaves the quarantine, and is there once also if this is broken off and done again.
    pub(crate) fn release(
        &self,
        environment: &EnvironmentKey,
        which: &Which<'_>,
        stop: &dyn Fn() -> bool,
        now: Millis,
    ) -> Result<Released, AppError> {
        let mut released = Released::default();
        // What comes from here on nobody has seen who releases.
        let until = self.quarantine.file.newest()?;
        let mut after = 0;
        // How many are released with the next sync.
        let mut most = AT_ONCE;
        // Its log has what was taken out until the file is written anew.
        self.quarantine.went.store(true, Ordering::Relaxed);
        loop {
            let _deciding = self.quarantine.decide();
            self.finish_release_alone(now)?;
            let Some((mut piece, mut last)) = self.settled_piece(environment, which, after, until)? else {
                return Ok(released);
            };
            if let Some(cut) = piece.get(..most).and_then(<[Kept]>::last) {
                last = cut.id;
                piece.truncate(most);
            }
            let mut having = Having::new(self);
            let (events, whose) = self.as_released(&piece, &mut having, now)?;
            // Each has a name: those that had none have been given one.
            let names = piece
                .iter()
                .zip(&events)
                .filter_map(|(kept, event)| Fingerprint::of(event).map(|name| (kept.id, name.to_bytes())));
            self.quarantine.file.leave(now, &names.collect::<Vec<_>>())?;
            let taken = self.store.append_while(events, &having.asked);
            let Some(ticket) = taken.map_err(|error| self.not_released(error.into()))? else {
                // Somebody signed in on one of their devices meanwhile: it is looked at again whose these are, of fewer at
                // once, so that it ends however many do.
                if stop() {
                    return Ok(released);
                }
                most = (piece.len() / 2).max(1);
                continue;
            };
            (after, most) = (last, (most * 2).min(AT_ONCE));
            self.store.commit().map_err(|error| self.not_released(error.into()))?;
            if self.store.outcome(&ticket) != Outcome::Committed {
                let lost = AppError::internal("store what was released", "its commit failed");
                return Err(self.not_released(lost));
            }
            released.stored += ticket.taken.stored;
            released.duplicates += ticket.taken.duplicates;
            self.arrivals.note(environment, ticket.taken);
            self.quarantine.decided(environment, &piece, &whose, now)?;
            if stop() {
                return Ok(released);
            }
        }
    }

    /// Why the store did not take what is released: the disk is full, where it is.
    fn not_released(&self, error: AppError) -> AppError {
        if self.store.check_room().is_ok() {
            return error;
        }
        let message = "the disk is nearly full, so no more events are released";
        let hint = "free space, then release them again: what was not stored is in quarantine still";
        AppError::new(Refusal::Busy, "busy", message, hint)
            .caused(error.cause.as_deref().unwrap_or(&error.message))
    }

    /// Takes out what is in the store and was about to leave when its release was cut off; what is not there stays.
    pub(crate) fn finish_release(&self, now: Millis) -> Result<(), AppError> {
        let _deciding = self.quarantine.decide();
        self.finish_release_alone(now)
    }

    /// The same for whoever decides: nobody else does meanwhile.
    pub(super) fn finish_release_alone(&self, now: Millis) -> Result<(), AppError> {
        let leaving = self.quarantine.file.leaving()?;
        if leaving.is_empty() {
            return Ok(());
        }
        // By the names that they went under, as of then: whatever the plan says since, however long it is.
        let asked = |one: &Leaving| (Some(Fingerprint::from_bytes(one.name)), one.at);
        let Known { known, ticket, .. } = self.store.knows(&leaving.iter().map(asked).collect::<Vec<_>>())?;
        if ticket.is_some() {
            return Err(AppError::internal(
                "finish a release from quarantine",
                "its events are not on disk yet",
            ));
        }
        self.quarantine.went.store(true, Ordering::Relaxed);
        let there = leaving.into_iter().zip(known).filter_map(|(one, known)| known.then_some(one.kept));
        let there: Vec<Kept> = there.collect();
        for piece in there.chunk_by(|one, next| one.held.environment == next.held.environment) {
            let Some(first) = piece.first() else { continue };
            self.quarantine.decided(&first.held.environment, piece, &self.whose(piece)?, now)?;
        }
        Ok(self.quarantine.file.stay()?)
    }

    /// Events that are meant, after a number and up to another, a bounded piece of them, and the last number that was looked
    /// at. What may still be taken back is not among them: its sender would send it again.
    fn settled_piece(
        &self,
        environment: &EnvironmentKey,
        which: &Which<'_>,
        after: i64,
        until: i64,
    ) -> Result<Option<(Vec<Kept>, i64)>, AppError> {
        let open = locked(&self.quarantine.open);
        let mut piece = self.quarantine.piece(environment, which, after, until)?;
        let Some(last) = piece.last().map(|kept| kept.id) else { return Ok(None) };
        piece.retain(|kept| !open.asked.contains(&kept.id) && !open.left.contains(&kept.id));
        Ok(Some((piece, last)))
    }

    /// Whose each of these is, as they are kept.
    pub(super) fn whose(&self, piece: &[Kept]) -> Result<Vec<Who>, AppError> {
        let mut having = Having::new(self);
        let whose = |kept: &Kept| Ok(having.whose(&kept.held.environment, event(kept)?.who, kept.held.after));
        piece.iter().map(whose).collect()
    }

    /// Events that are kept, as they are stored now, in the order in which they came, and whose each is as it is kept.
    fn as_released(
        &self,
        piece: &[Kept],
        having: &mut Having<'_>,
        now: Millis,
    ) -> Result<(Vec<Event>, Vec<Who>), AppError> {
        let judges = self.judges.load_full();
        let (mut events, mut whose) = (Vec::with_capacity(piece.len()), Vec::with_capacity(piece.len()));
        for kept in piece {
            let environment = &kept.held.environment;
            let mut event = event(kept)?;
            let who = having.whose(environment, event.who.clone(), kept.held.after);
            event.received = now;
            // Its device stays until it is concealed, by which texts of it are known.
            event.who = match (who.user(), event.who.device()) {
                (Some(user), Some(device)) => Who::Both { user: user.to_owned(), device: device.to_owned() },
                _ => who.clone(),
            };
            // The same whenever it is released, and a name that no sender can give to another event.
            let name = || format!("quarantine {environment} {} {}", kept.id, kept.held.at);
            event.insert_id.get_or_insert_with(|| self.pepper.id(&name()));
            if let Some(found) = judges.judge_again(&event, sent(kept)?.as_ref()) {
                event.properties.insert(VERDICT.into(), found.verdict.word().into());
            }
            // It may have come before the plan said that something of it is personal.
            judges.conceal(&mut event, &self.pepper);
            // Under the ids that it has now, its device may be somebody's whom the other ids do not know.
            let mut had = having.whose(environment, event.who.clone(), kept.held.after);
            if let Some(user) = had.user().filter(|_| who.device().is_none()) {
                had = Who::User(user.to_owned());
            }
            if let Some(device) = event.who.device().filter(|_| had.device().is_none()) {
                // Its name is one among those of its device, and another event of its user may have the same. The length says
                // where the device ends, which may have any character.
                let name = event.insert_id.take().unwrap_or_default();
                let name = format!("{} {device} {name}", device.len());
                event.insert_id = Some(self.pepper.insert_id(&name));
            }
            event.who = had;
            having.tells(&event)?;
            events.push(event);
            whose.push(who);
        }
        Ok((events, whose))
    }
}
