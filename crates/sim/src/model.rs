//! Sim: what a store must hold and answer, kept as plain lists.

use std::collections::{BTreeMap, BTreeSet};

use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Millis, Properties, Span};
use bellwether_store::{Outcome, Past, Ticket};

use crate::people::People;
use crate::random::Random;
use crate::sent::{PASSES, TELLS, event, is_passing, name_of};

const DAY: i64 = Span::DAY.0 as i64;
const WEEK: i64 = 7 * DAY;

/// When an event was sent, truly and by the clock that stamped it. Each call has a millisecond of its own, and clocks
/// are wrong by whole hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) truly: i64,
    pub(crate) received: i64,
    /// Its place among all that were taken.
    pub(crate) place: u64,
}

/// All that is known of one event.
#[derive(Debug, Default)]
struct Known {
    /// When it was stored, for certain, each time.
    stored: Vec<Moment>,
    /// When it may have been: its commit failed, or the power went before it was answered.
    perhaps: Vec<Moment>,
    /// Those of the second sort.
    unanswered: Vec<Moment>,
}

/// What waits for a commit.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    /// The events that the store said were new.
    new: Vec<(u64, Moment)>,
    /// All events of the call.
    named: Vec<u64>,
}

/// What must hold.
#[derive(Debug, Default)]
pub(crate) struct Model {
    known: BTreeMap<u64, Known>,
    waiting: Vec<Waiting>,
    /// Every moment at which something was stored, as they came.
    all: Vec<Moment>,
    /// Names of events that were forgotten: sent again, they may be taken for what they were, or be new.
    forgotten: BTreeSet<u64>,
    /// Who may have been: the power went before it was answered.
    perhaps: Option<Whom>,
    /// Events as they were when somebody was forgotten, who may have told something of them.
    written: BTreeMap<(u64, u64), Event>,
    /// What may be gone, because it was past its time once.
    past: Vec<Past>,
    /// What is: what it told stays known.
    gone: Vec<(u64, Moment)>,
    pub(crate) acknowledged: u64,
    names: u64,
    /// The last name that nobody has.
    base: u64,
    places: u64,
}

/// Somebody who is forgotten.
#[derive(Debug, Clone)]
pub(crate) struct Whom {
    pub(crate) environment: EnvironmentKey,
    pub(crate) user: Option<String>,
    pub(crate) device: Option<String>,
}

impl Whom {
    /// Whether an event may be theirs: with another user it is not.
    fn may_have(&self, event: &Event) -> bool {
        let users = self.user.as_deref().zip(event.who.user());
        event.environment == self.environment && users.is_none_or(|(theirs, of)| theirs == of)
    }
}

/// What the store must say of an event that is appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    Duplicate,
    /// Either is right.
    Either,
}

impl Model {
    /// A model some of whose events pass, and `tell` something or do not.
    pub(crate) fn with_passing(tell: bool) -> Self {
        let base = if tell { TELLS } else { PASSES };
        Self { names: base, base, ..Self::default() }
    }

    /// What is past its time may be gone from now on.
    pub(crate) fn may_expire(&mut self, past: &Past) {
        self.past.push(past.clone());
    }

    /// Whether an event may be gone because it is past its time.
    fn passes(past: &[Past], name: u64, moment: &Moment) -> bool {
        let is = |event: Event| {
            past.iter().any(|past| past.is(event.environment.as_str(), &event.event, event.received))
        };
        !past.is_empty() && is_passing(name) && is(event(name, *moment))
    }

    /// How many of those that are stored may be gone.
    pub(crate) fn passed(&self) -> u64 {
        let stored = self.known.iter().flat_map(|(name, known)| known.stored.iter().map(move |m| (*name, m)));
        stored.filter(|(name, moment)| Self::passes(&self.past, *name, moment)).count() as u64
    }

    /// A name that nobody had.
    pub(crate) fn fresh(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    /// The moment of an event that is taken now.
    pub(crate) fn taken(&mut self, now: Moment) -> Moment {
        self.places += 1;
        Moment { place: self.places, ..now }
    }

    /// A name that was there before, a late one most often.
    pub(crate) fn again(&self, random: &mut Random) -> Option<u64> {
        let names = self.names - self.base;
        let back = if random.once_in(3) { names } else { names.min(12) };
        (names > 0).then(|| self.names - random.below(back))
    }

    /// What the store must say of `name`, if it is sent now.
    pub(crate) fn verdict(&self, name: u64, now: Moment) -> Verdict {
        if self.waiting.iter().any(|w| w.new.iter().any(|(known, _)| *known == name)) {
            return Verdict::Duplicate;
        }
        let Some(last) = self.known.get(&name).and_then(|k| k.stored.last()) else {
            return if self.forgotten.contains(&name) { Verdict::Either } else { Verdict::New };
        };
        if Self::passes(&self.past, name, last) {
            // It may be gone, and then nobody knows its name any more.
            return Verdict::Either;
        }
        let since: Vec<i64> =
            self.all.iter().skip_while(|m| *m != last).map(|m| m.received).chain([now.received]).collect();
        let went_back = since.windows(2).any(|w| matches!(w, [a, b] if *b < a - DAY));
        // As long as a clock that jumped forward stays there, that looks like a quiet time.
        let quiet = now.received - last.received >= WEEK && !went_back;
        if now.truly - last.truly < WEEK && !quiet { Verdict::Duplicate } else { Verdict::Either }
    }

    /// A call was taken, with these new ones among its events.
    pub(crate) fn appended(&mut self, ticket: Ticket, named: Vec<u64>, new: Vec<(u64, Moment)>) {
        self.waiting.push(Waiting { ticket, new, named });
    }

    /// Settles what waits, as the store says it stands.
    pub(crate) fn settle(&mut self, outcome: &dyn Fn(&Ticket) -> Outcome) -> Result<(), String> {
        let mut committed = false;
        for waiting in std::mem::take(&mut self.waiting) {
            match outcome(&waiting.ticket) {
                Outcome::Waiting => self.waiting.push(waiting),
                Outcome::Committed => {
                    committed |= !waiting.new.is_empty();
                    for (name, moment) in waiting.new {
                        self.known.entry(name).or_default().stored.push(moment);
                        self.all.push(moment);
                    }
                    self.acknowledged += waiting.named.len() as u64;
                    let stored = |n: &u64| self.known.get(n).is_some_and(|k| !k.stored.is_empty());
                    let missing = waiting.named.iter().find(|n| !stored(n) && !self.forgotten.contains(n));
                    if let Some(name) = missing {
                        return Err(format!("W1: `{name}` was acknowledged as a duplicate of nothing"));
                    }
                }
                Outcome::Lost => {
                    for (name, moment) in waiting.new {
                        self.known.entry(name).or_default().perhaps.push(moment);
                    }
                }
            }
        }
        if committed {
            // What failed before is never read back once something else was written.
            self.known.values_mut().for_each(|known| known.perhaps.clear());
        }
        Ok(())
    }

    /// The process ended: what waited may or may not have been written.
    pub(crate) fn ended(&mut self) {
        for waiting in std::mem::take(&mut self.waiting) {
            for (name, moment) in waiting.new {
                let known = self.known.entry(name).or_default();
                known.perhaps.push(moment);
                known.unanswered.push(moment);
            }
        }
    }

    /// How many events are stored for certain.
    pub(crate) fn len(&self) -> u64 {
        self.known.values().map(|known| known.stored.len() as u64).sum()
    }

    /// Everything that is stored for certain, in the order in which it was taken; and among it what is gone, at the beginning
    /// of time, where nobody asks for it.
    pub(crate) fn told(&self) -> Vec<Event> {
        let at = |(name, moment, event)| match self.gone.contains(&(name, moment)) {
            true => Event { time: Millis(0), ..event },
            false => event,
        };
        self.lived_all().into_iter().map(at).collect()
    }

    /// What is stored for certain, with names and moments: each event with what was known of its user and groups then.
    fn lived(&self) -> Vec<(u64, Moment, Event)> {
        let mut lived = self.lived_all();
        lived.retain(|(name, moment, _)| !self.gone.contains(&(*name, *moment)));
        lived
    }

    /// The same, and what is gone among it.
    fn lived_all(&self) -> Vec<(u64, Moment, Event)> {
        let of = |(&name, known): (&u64, &Known)| known.stored.iter().map(|&m| (name, m)).collect::<Vec<_>>();
        let mut all: Vec<(u64, Moment)> = self.known.iter().flat_map(of).chain(self.gone.clone()).collect();
        all.sort_by_key(|(_, moment)| moment.place);
        let mut people = People::default();
        let each = all.into_iter().map(|(name, moment)| {
            let mut event = event(name, moment);
            people.take(&mut event);
            let event = self.written.get(&(name, moment.place)).cloned().unwrap_or(event);
            (name, moment, event)
        });
        each.collect()
    }

    /// Whose events are forgotten: those of the user, and those of no user on a device that was theirs then.
    fn of(&self, whom: &Whom) -> Vec<(u64, u64)> {
        let lived = self.lived_all();
        // The users of each device, in their order, each from a place on.
        let mut turns: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
        let here = || lived.iter().filter(|(.., event)| event.environment == whom.environment);
        for (_, moment, event) in here() {
            if let Who::Both { user, device } = &event.who {
                let turns = turns.entry(device).or_default();
                if turns.last().is_none_or(|(_, last)| last != user) {
                    turns.push((moment.place, user));
                }
            }
        }
        let user = whom.user.as_deref().or_else(|| {
            let device = whom.device.as_deref()?;
            turns.get(device)?.first().map(|(_, user)| *user)
        });
        let theirs = |place: u64, event: &Event| match &event.who {
            Who::User(of) | Who::Both { user: of, .. } => user == Some(of.as_str()),
            Who::Device(device) => {
                let turns = turns.get(device.as_str()).map(Vec::as_slice).unwrap_or_default();
                let turn = turns.iter().rfind(|(from, _)| *from <= place).or(turns.first());
                match turn {
                    Some((_, of)) => user == Some(*of),
                    None => whom.device.as_ref() == Some(device),
                }
            }
        };
        here().filter(|(_, m, event)| theirs(m.place, event)).map(|(name, m, _)| (*name, m.place)).collect()
    }

    /// Somebody was forgotten; how many events they had.
    pub(crate) fn forget(&mut self, whom: &Whom) -> u64 {
        let gone: BTreeSet<(u64, u64)> = self.of(whom).into_iter().collect();
        let as_they_are = self.lived().into_iter().map(|(name, moment, event)| ((name, moment.place), event));
        self.written = as_they_are.filter(|(which, _)| !gone.contains(which)).collect();
        for (name, place) in &gone {
            if let Some(known) = self.known.get_mut(name) {
                known.stored.retain(|moment| moment.place != *place);
            }
            self.forgotten.insert(*name);
        }
        self.gone.retain(|(name, moment)| !gone.contains(&(*name, moment.place)));
        gone.len() as u64
    }

    /// Whether somebody was forgotten when the power went: something that was stored is not there, or not what waited
    /// before something that is. What waited was committed first, so all of it was stored then, told what it told,
    /// and is there or was forgotten.
    fn forgot(&mut self, there: &BTreeMap<(u64, i64), Vec<Event>>) -> bool {
        let found = |name: u64, moment: &Moment| there.contains_key(&(name, moment.received));
        let mut waited: Vec<(u64, Moment)> = Vec::new();
        let mut gone = false;
        let past = &self.past;
        for (&name, known) in &mut self.known {
            let lacks = |moment: &Moment| !found(name, moment) && !Self::passes(past, name, moment);
            gone |= known.stored.iter().any(lacks);
            let unanswered = std::mem::take(&mut known.unanswered).into_iter();
            waited.extend(unanswered.filter(|m| !Self::passes(past, name, m)).map(|moment| (name, moment)));
        }
        let last = waited.iter().filter(|(name, m)| found(*name, m)).map(|(_, m)| m.place).max();
        let missing = |(name, moment): &&(u64, Moment)| !found(*name, moment);
        gone |= waited.iter().filter(missing).any(|(_, m)| last.is_some_and(|last| m.place < last));
        if self.perhaps.is_none() || !gone {
            return false;
        }
        for (name, moment) in waited.iter().filter(missing) {
            if let Some(known) = self.known.get_mut(name) {
                known.perhaps.retain(|m| m != moment);
                known.stored.push(*moment);
                self.all.push(*moment);
            }
        }
        true
    }

    /// Somebody is forgotten, or is not: the power went on the way.
    pub(crate) fn may_forget(&mut self, whom: &Whom) {
        self.perhaps = Some(whom.clone());
    }

    /// What the store holds must be what it should. After a restart (`again`) that settles what was uncertain.
    pub(crate) fn check(&mut self, found: Vec<Event>, again: bool) -> Result<(), String> {
        // No two events are received at the same time by the same clock: see `Moment`.
        let mut there: BTreeMap<(u64, i64), Vec<Event>> = BTreeMap::new();
        for event in found {
            let name =
                event.insert_id.as_deref().and_then(name_of).ok_or("W1: an event that was never sent")?;
            there.entry((name, event.received.0)).or_default().push(event);
        }
        if again {
            // What is not there was never written, or is theirs who may have been forgotten.
            let whom = self.perhaps.clone();
            let doubted =
                |name, moment| whom.as_ref().is_some_and(|whom| whom.may_have(&event(name, moment)));
            let forgot = self.forgot(&there);
            for (&name, known) in &mut self.known {
                for moment in std::mem::take(&mut known.perhaps) {
                    if there.contains_key(&(name, moment.received)) {
                        known.stored.push(moment);
                        self.all.push(moment);
                    } else if doubted(name, moment) || Self::passes(&self.past, name, &moment) {
                        self.forgotten.insert(name);
                    }
                }
                known.stored.sort_by_key(|m| m.place);
            }
            self.all.sort_by_key(|m| m.place);
            // All of theirs, or none.
            if let Some(whom) = self.perhaps.take()
                && forgot
            {
                self.forget(&whom);
            }
        }
        let mut passed: Vec<(u64, Moment)> = Vec::new();
        for (name, moment, event) in self.lived() {
            let found = there.remove(&(name, moment.received)).unwrap_or_default();
            match found.as_slice() {
                [one] if *one == event => {}
                [] if Self::passes(&self.past, name, &moment) => passed.push((name, moment)),
                [] => return Err(format!("W1: `{name}` of {moment:?} is gone")),
                [one] if bare(one) == bare(&event) => {
                    let of = |e: &Event| format!("{:?} {:?}", e.user_properties, e.group_properties);
                    let (is, was) = (of(one), of(&event));
                    return Err(format!("W6: `{name}` of {moment:?} has {is}, and what was known is {was}"));
                }
                [_] => return Err(format!("W1: `{name}` of {moment:?} is not as it was sent")),
                _ => return Err(format!("W1: `{name}` of {moment:?} is there twice")),
            }
        }
        for (name, moment) in passed {
            // It never comes back, and sent again it is new or not.
            if let Some(known) = self.known.get_mut(&name) {
                known.stored.retain(|m| *m != moment);
            }
            self.gone.push((name, moment));
            self.forgotten.insert(name);
        }
        match there.keys().next() {
            None => Ok(()),
            Some((name, at)) if self.known.contains_key(name) => {
                Err(format!("W4: `{name}` received at {at} is there, and should not be"))
            }
            Some((name, _)) => Err(format!("W1: `{name}` is there and was never answered as new")),
        }
    }
}

/// An event without what a store writes into it.
fn bare(event: &Event) -> Event {
    Event { user_properties: Properties::new(), group_properties: Properties::new(), ..event.clone() }
}
