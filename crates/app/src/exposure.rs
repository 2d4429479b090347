//! App: exposures of our own evaluations. They are recorded behind the answer, once per flag, unit,
//! variant and day, and become events like any SDK's.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bellwether_flags::{Evaluation, unit};
use bellwether_model::event::{ASSIGNMENT, BOT, BY_AGENT, EXPOSURE, FLAG_KEY, VARIANT, Who};
use bellwether_model::{Context, EnvironmentKey, Event, Json, Millis, Properties, Span};
use bellwether_store::{Outcome, Store, StoreError, Ticket};
use rustc_hash::FxHashSet;
use sha2::{Digest, Sha256};

use crate::App;
use crate::access::hex;
use crate::intake::bots::browser_is_bot;
use crate::intake::{LONGEST, names_nobody};
use crate::serving::Served;

/// What an evaluation leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Track {
    /// Nothing.
    Nothing,
    /// That the unit was assigned the variant.
    Assignment,
    /// That the unit was shown the variant.
    Exposure,
}

/// Exposures that wait for the next commit, and what was recorded today already.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Vec<Event>>,
    seen: Mutex<Seen>,
    /// Seeded anew at each start: nobody outside can find two exposures that look the same.
    hasher: RandomState,
    dropped: AtomicU64,
}

/// Exposures that were handed to the store and are in no commit yet, in the order in which they came.
#[derive(Debug)]
pub(crate) struct InFlight(Vec<(Ticket, Vec<Event>)>);

#[derive(Debug, Default)]
struct Seen {
    day: i64,
    keys: FxHashSet<u64>,
}

/// Exposures that may wait; at a commit every few milliseconds this is never reached by a healthy
/// disk. Past it they are dropped and counted: an answer is never delayed.
const MOST_WAITING: usize = 100_000;
/// Exposures that are handed over at once: about 1 MB, which the store has room for when it takes 64 MB of
/// others' events between two commits. All that wait would be more than it takes beside anything.
const AT_ONCE: usize = 1_000;
/// Remembered exposures; past it the memory starts anew, and the store's `insert_id` dedupe decides.
const MOST_SEEN: usize = 2_000_000;

impl Queue {
    pub(crate) fn waiting(&self) -> bool {
        !lock(&self.waiting).is_empty()
    }

    /// Exposures that were dropped: too many waited, or the store will never take them.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn drop_some(&self, n: usize) {
        self.dropped.fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Those that are the first of their key today, `room` of them at most, and how many more there were:
    /// these are not remembered.
    fn first_today<T>(
        &self,
        all: Vec<T>,
        key: impl Fn(&T) -> u64,
        room: usize,
        now: Millis,
    ) -> (Vec<T>, usize) {
        let day = now.0.div_euclid(86_400_000);
        let mut seen = lock(&self.seen);
        if seen.day != day || seen.keys.len() >= MOST_SEEN {
            *seen = Seen { day, keys: HashSet::default() };
        }
        let (mut first, mut left_out) = (Vec::new(), 0);
        for one in all {
            match seen.keys.contains(&key(&one)) {
                true => {}
                false if first.len() == room => left_out += 1,
                false => {
                    seen.keys.insert(key(&one));
                    first.push(one);
                }
            }
        }
        (first, left_out)
    }

    /// Hands waiting exposures to the store, until it is full. Those that found no room go on waiting, and
    /// the commit that follows makes room.
    pub(crate) fn hand_over(&self, store: &Store) -> InFlight {
        let mut waiting = std::mem::take(&mut *lock(&self.waiting)).into_iter();
        let mut flight = Vec::new();
        loop {
            let events: Vec<Event> = waiting.by_ref().take(AT_ONCE).collect();
            if events.is_empty() {
                break;
            }
            // The copy is for a commit that fails: then the store has withdrawn its own.
            match store.append(events.clone()) {
                Ok(ticket) => flight.push((ticket, events)),
                Err(StoreError::Full { .. } | StoreError::NoRoom { .. }) => {
                    self.wait_on(events.into_iter().chain(waiting).collect());
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, exposures = events.len(), "exposures cannot be stored and are dropped");
                    self.drop_some(events.len());
                }
            }
        }
        InFlight(flight)
    }

    /// After a commit: what it did not store waits for the next one. Of what it did `stored` hears, an environment each.
    pub(crate) fn land(
        &self,
        store: &Store,
        InFlight(flight): InFlight,
        mut stored: impl FnMut(&EnvironmentKey),
    ) {
        let mut lost: Vec<Event> = Vec::new();
        for (ticket, events) in flight {
            match store.outcome(&ticket) {
                Outcome::Lost => lost.extend(events),
                Outcome::Waiting | Outcome::Committed => {
                    let places = events.iter().enumerate();
                    let new = places.filter(|(at, _)| ticket.again.binary_search(at).is_err());
                    new.for_each(|(_, event)| stored(&event.environment));
                }
            }
        }
        if !lost.is_empty() {
            self.wait_on(lost);
        }
    }

    fn wait_on(&self, mut events: Vec<Event>) {
        let mut waiting = lock(&self.waiting);
        let room = MOST_WAITING.saturating_sub(waiting.len());
        self.drop_some(events.len().saturating_sub(room));
        events.truncate(room);
        waiting.splice(0..0, events);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whose exposures those of a context are; `None` where intake takes no event of such an id, so that nothing
/// could ever be joined with them.
fn who(context: &Context) -> Option<Who> {
    let device = unit(context, "device_id").map(std::borrow::Cow::into_owned);
    let refused = |id: &str| id.chars().nth(LONGEST).is_some() || names_nobody(id);
    if context.key().is_some_and(refused) || device.as_deref().is_some_and(refused) {
        return None;
    }
    Who::new(context.key().map(str::to_owned), device)
}

impl App {
    /// Records evaluations of one context, for whoever calls itself `agent`. Nobody was compared with whom no split enrolled.
    pub(crate) fn record<'e>(
        &self,
        served: &Served,
        context: &Context,
        agent: Option<&str>,
        now: Millis,
        evaluated: impl IntoIterator<Item = (&'e Evaluation<'e>, Track)>,
    ) {
        let counts =
            |(evaluation, track): &(&Evaluation<'_>, Track)| *track != Track::Nothing && evaluation.enrolled;
        let mut evaluated = evaluated.into_iter().filter(counts).peekable();
        if evaluated.peek().is_none() {
            return;
        }
        let Some(who) = who(context) else { return };
        let trial = |flag: &str| served.trials.get(flag).map_or("", String::as_str);
        // What all of them have in common is hashed once.
        let mut common = self.exposures.hasher.build_hasher();
        (served.ruleset.environment().as_str(), &who).hash(&mut common);
        let keyed: Vec<_> = evaluated
            .map(|(evaluation, track)| {
                let (flag, variant) = (evaluation.flag.as_str(), evaluation.variant.as_str());
                let mut hasher = common.clone();
                (flag, variant, trial(flag), track == Track::Exposure).hash(&mut hasher);
                (hasher.finish(), flag, variant, track)
            })
            .collect();
        // Asked first: what finds no room is not remembered as recorded, and may come again.
        let room = MOST_WAITING.saturating_sub(lock(&self.exposures.waiting).len());
        let (new, left_out) = self.exposures.first_today(keyed, |(key, ..)| *key, room, now);
        self.exposures.drop_some(left_out);
        if new.is_empty() {
            return;
        }
        let events = new.into_iter().map(|(_, flag, variant, track)| {
            exposure(served, flag, variant, trial(flag), who.clone(), track, now)
        });
        let mut events: Vec<Event> = events.collect();
        let judges = self.judges.load();
        events.iter_mut().for_each(|event| judges.conceal_ids(event, &self.pepper));
        if browser_is_bot(agent) {
            for event in &mut events {
                event.properties.insert(BOT.into(), BY_AGENT.into());
            }
        }
        lock(&self.exposures.waiting).extend(events);
    }
}

/// The `insert_id` of an exposure or an assignment: the same for the same type, flag, variant, trial, unit and
/// day.
fn id(of: [&str; 4], user: Option<&str>, device: Option<&str>, now: Millis) -> String {
    let day = now.0.div_euclid(i64::try_from(Span::DAY.0).unwrap_or(i64::MAX));
    let mut hash = Sha256::new();
    for part in of.into_iter().chain([user.unwrap_or_default(), device.unwrap_or_default()]) {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.update(day.to_le_bytes());
    hex(hash.finalize().get(..16).unwrap_or_default())
}

impl App {
    /// The `insert_id` that our own exposure would have, so that what is reported to us, too, is there once;
    /// `None` where nobody is named.
    pub(crate) fn exposure_id(
        &self,
        environment: &EnvironmentKey,
        flag: &str,
        variant: &str,
        user: Option<&str>,
        device: Option<&str>,
        now: Millis,
    ) -> Option<String> {
        user.or(device)?;
        let served = self.served(environment).ok()?;
        let trial = served.trials.get(flag).map_or("", String::as_str);
        Some(id([EXPOSURE, flag, variant, trial], user, device, now))
    }
}

/// The event of an exposure or an assignment. Its `insert_id` is the same for the same flag, unit,
/// variant, trial and day, so that recording it twice is recording it once. The trial is in it because
/// an experiment that starts at noon must see who was exposed in the morning and comes again.
fn exposure(
    served: &Served,
    flag: &str,
    variant: &str,
    trial: &str,
    who: Who,
    track: Track,
    now: Millis,
) -> Event {
    let name = if track == Track::Exposure { EXPOSURE } else { ASSIGNMENT };
    let id = id([name, flag, variant, trial], who.user(), who.device(), now);
    let mut properties = Properties::new();
    properties.insert(FLAG_KEY.into(), Json::from(flag));
    properties.insert(VARIANT.into(), Json::from(variant));
    Event {
        environment: served.ruleset.environment().clone(),
        event: name.to_owned(),
        who,
        time: now,
        received: now,
        insert_id: Some(id),
        session: None,
        properties,
        user_properties: Properties::new(),
        groups: Properties::new(),
        group_properties: Properties::new(),
        user_changes: Properties::new(),
        group_changes: Properties::new(),
        revision: Some(served.ruleset.revision()),
    }
}
