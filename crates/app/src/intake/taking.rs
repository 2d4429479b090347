//! App intake: the way of a request from its door to the store. Whatever the protocol it is one: read, judged, within the
//! rates; into the quarantine what goes there, which is synced before it is answered, and the rest into the store.

use bellwether_ledger::Held;
use bellwether_model::event::Taken;
use bellwether_model::plan::Treatment;
use bellwether_model::{Event, Millis};
use bellwether_store::{Fingerprint, Known, Ticket};

use super::door::{Door, Read, Refused, Reply, Sent, Voice};
use super::inspection::{Apart, Aside, Inspection};
use super::judge::VERDICT;
use super::{amplitude, mixpanel, otlp, posthog, segment};
use crate::error::{AppError, Refusal};
use crate::quarantine::Holding;
use crate::violations::Violation;
use crate::{App, Settled, Waiting};

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// Its events wait for the next commit; `reply` may be sent once `waiting` is settled.
    Waiting {
        /// What to wait for.
        waiting: Waiting,
        /// What to answer then.
        reply: Reply,
    },
    /// Nothing was stored.
    Answered(Reply),
}

/// A request that was read.
#[derive(Debug)]
pub enum Begun {
    /// That was all there was to do.
    Done(Outcome),
    /// [`App::finish`] ends it, which waits for a disk: something of it goes into the quarantine.
    Apart(Rest),
}

/// What is left to do of a request. Nothing of it is stored yet.
#[derive(Debug)]
pub struct Rest {
    door: Door,
    voice: Voice,
    read: Read,
    aside: Aside,
    now: Millis,
}

impl App {
    /// Takes a request that brings events.
    #[must_use]
    pub fn take(&self, door: Door, sent: &Sent<'_>, now: Millis) -> Outcome {
        match self.begin(door, sent, now) {
            Begun::Done(outcome) => outcome,
            Begun::Apart(rest) => self.finish(rest),
        }
    }

    /// The same up to where it waits for a disk: a body of a few kilobytes is soon read. It may still read lists beside parts,
    /// where something comes again, and wait for somebody to be forgotten.
    #[must_use]
    pub fn begin(&self, door: Door, sent: &Sent<'_>, now: Millis) -> Begun {
        let voice = Voice::to(door, sent);
        // Before it is parsed, and before its key is looked at: whoever is overrun has no time for what is refused.
        if let Err(full) = self.store.takes() {
            return Begun::Done(Outcome::Answered(voice.refuse(&full.into())));
        }
        let plan = Inspection::new(self, door, sent);
        let read = match door {
            Door::AmplitudeHttp | Door::AmplitudeBatch => amplitude::read(self, door, sent, now, &plan),
            Door::AmplitudeIdentify => amplitude::forms::identify(self, sent, now, &plan),
            Door::AmplitudeGroupIdentify => amplitude::forms::group_identify(self, sent, now, &plan),
            Door::Segment(call) => segment::read(self, call, sent, now, &plan),
            Door::PostHog => posthog::read(self, sent, now, &plan),
            Door::PostHogV1 => posthog::v1::read(self, sent, now, &plan),
            Door::MixpanelTrack => mixpanel::track(self, sent, now, &plan),
            Door::MixpanelEngage => mixpanel::engage(self, sent, now, &plan),
            Door::MixpanelGroups => mixpanel::groups(self, sent, now, &plan),
            Door::MixpanelImport => mixpanel::import(self, sent, now, &plan),
            Door::OtlpLogs => otlp::read(self, sent, now, &plan),
        };
        let read = match read {
            Ok(read) => read,
            Err(refused) => {
                self.violations.note(plan.refused(), now);
                return Begun::Done(Outcome::Answered(match refused {
                    Refused::Said(reply) => reply,
                    Refused::Because(error) => voice.refuse(&error),
                }));
            }
        };
        let rest = Rest { door, voice, read, aside: plan.taken(), now };
        if rest.aside.held.is_empty() { Begun::Done(self.finish(rest)) } else { Begun::Apart(rest) }
    }

    /// Puts into the quarantine what goes there, and has the rest stored with the next commit.
    #[must_use]
    pub fn finish(&self, rest: Rest) -> Outcome {
        let Rest { door, voice, read, aside, now } = rest;
        let Read { mut events, reply, brought } = read;
        let Aside { held, mut violations } = aside;
        // What goes into the quarantine is there before the request is answered, and goes again if the rest is not taken.
        let admitted = self.rates.admit(door, &brought, (&events, &held), now);
        let held = match admitted.and_then(|()| self.hold(held, &events, now)) {
            Ok(held) => held,
            Err(error) => return Outcome::Answered(voice.refuse(&error)),
        };
        let taken = self.keep(&mut events, &held, &mut violations);
        match taken {
            Ok(ticket) => {
                held.again.iter().for_each(|(environment, again)| {
                    let taken = Taken { duplicates: *again, ..Taken::default() };
                    self.arrivals.note(environment, taken);
                });
                self.violations.note(violations, now);
                let (ticket, copies) = match (ticket, held.ticket) {
                    (Some(ticket), copies) => (ticket, copies),
                    (None, Some(copies)) => (copies, None),
                    (None, None) => return Outcome::Answered(reply),
                };
                Outcome::Waiting { waiting: Waiting { ticket, copies, held: held.fresh }, reply }
            }
            Err(error) => {
                if let Some(fresh) = &held.fresh {
                    self.quarantine.take_back(fresh);
                }
                Outcome::Answered(voice.refuse(&error))
            }
        }
    }

    /// Puts events into the quarantine that are neither stored nor there already; `beside` them the request brings others.
    fn hold(&self, mut held: Vec<Apart>, beside: &[Event], now: Millis) -> Result<Holding, AppError> {
        if held.is_empty() {
            return Ok(Holding::default());
        }
        let _arriving = self.quarantine.arriving.hold(held.iter().map(|apart| &apart.event));
        self.name_users(&mut held, beside, now)?;
        let prints = held.iter().map(|Apart { event, .. }| (Fingerprint::of(event), event.received));
        let Known { known: stored, ticket, after } = self.store.knows(&prints.collect::<Vec<_>>())?;
        let environments: Vec<_> = held.iter().map(|apart| apart.event.environment.clone()).collect();
        let unknown = held.into_iter().zip(&stored).filter(|(_, stored)| !**stored);
        let unknown: Vec<Held> =
            unknown.map(|(apart, _)| crate::quarantine::held(&apart, now, after)).collect();
        let mut holding = Holding { ticket, ..self.quarantine.hold(&unknown)? };
        let mut of_unknown = std::mem::take(&mut holding.new).into_iter();
        for (environment, stored) in environments.into_iter().zip(stored) {
            let new = !stored && of_unknown.next().unwrap_or_default();
            if !new {
                *holding.again.entry(environment).or_default() += 1;
            }
            holding.new.push(new);
        }
        Ok(holding)
    }

    /// Stores the rest, but for what is in the quarantine from before, and leaves out violations that were counted when their
    /// event first came; what to wait for, if anything.
    fn keep(
        &self,
        events: &mut Vec<Event>,
        held: &Holding,
        violations: &mut Vec<Violation>,
    ) -> Result<Option<Ticket>, AppError> {
        let Some(environment) = events.first().map(|event| event.environment.clone()) else {
            count_new(violations, &held.new, &[]);
            return Ok(None);
        };
        // Nearly always all are of one. Where each has a key of its own, it is of its key's, and has a name or not.
        let one = events.iter().all(|event| event.environment == environment);
        let of_each = |event: &Event| (event.environment.clone(), event.insert_id.is_none());
        let of_each: Vec<_> = if one { Vec::new() } else { events.iter().map(of_each).collect() };
        self.paces.mark(events);
        // Where those are that are stored with a mark: each has one of the violations.
        let marked = if violations.is_empty() { Vec::new() } else { marked(events) };
        let clear = self.quarantine.arriving.clear(events);
        let apart = self.quarantine.has(events);
        let mut places = Vec::new();
        if !apart.is_empty() {
            places = (0..events.len()).filter(|at| apart.binary_search(at).is_err()).collect();
            let mut at = 0..events.len();
            events.retain(|_| at.next().is_some_and(|at| places.binary_search(&at).is_ok()));
        }
        // What was found stored may have been lost since, and then this is refused as a whole.
        if held.ticket.as_ref().is_some_and(|ticket| self.store.outcome(ticket) == Settled::Lost) {
            return Err(AppError::not_stored());
        }
        let ticket = self.store(std::mem::take(events))?;
        drop(clear);
        let stored = marked.iter().map(|at| {
            let place = if apart.is_empty() { Ok(*at) } else { places.binary_search(at) };
            place.is_ok_and(|place| ticket.again.binary_search(&place).is_err())
        });
        count_new(violations, &held.new, &stored.collect::<Vec<_>>());
        if one {
            let duplicates = ticket.taken.duplicates + apart.len() as u64;
            self.arrivals.note(&environment, Taken { duplicates, ..ticket.taken });
        }
        let mut place = 0..;
        for (at, (environment, unnamed)) in of_each.into_iter().enumerate() {
            let again = apart.binary_search(&at).is_ok()
                || place.next().is_some_and(|place| ticket.again.binary_search(&place).is_ok());
            let taken = match again {
                true => Taken { duplicates: 1, ..Taken::default() },
                false => Taken { stored: 1, unnamed: unnamed.into(), ..Taken::default() },
            };
            self.arrivals.note(&environment, taken);
        }
        Ok(Some(ticket))
    }

    fn store(&self, events: Vec<Event>) -> Result<Ticket, AppError> {
        self.store.append(events).map_err(|e| {
            let error = AppError::from(e);
            if error.refusal != Refusal::Busy {
                tracing::error!(cause = error.cause, "events could not be taken");
            }
            error
        })
    }
}

/// Where the events are that are stored with a mark.
fn marked(events: &[Event]) -> Vec<usize> {
    let marked = |event: &Event| event.properties.contains_key(VERDICT);
    events.iter().enumerate().filter(|(_, event)| marked(event)).map(|(at, _)| at).collect()
}

/// Leaves out events that came again: they were counted when they first came. `held` and `stored` say of each event that
/// was put into the quarantine, and of each that is stored with a mark, in their order, whether it is new.
fn count_new(violations: &mut Vec<Violation>, held: &[bool], stored: &[bool]) {
    let (mut held, mut stored) = (held.iter(), stored.iter());
    violations.retain(|violation| match violation.treatment {
        Treatment::Accept => stored.next().is_none_or(|new| *new),
        Treatment::Quarantine => held.next().is_none_or(|new| *new),
        Treatment::Reject => true,
    });
}
