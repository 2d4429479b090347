//! App: exposures of our own evaluations. They are recorded behind the answer, once per flag, unit,
//! variant and day, and become events like any SDK's.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bellwether_flags::Evaluation;
use bellwether_model::event::{ASSIGNMENT, EXPOSURE, FLAG_KEY, VARIANT, Who};
use bellwether_model::{Context, Event, Json, Millis, Properties, Span};
use rustc_hash::{FxBuildHasher, FxHashSet};
use sha2::{Digest, Sha256};

use crate::App;
use crate::error::AppError;
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
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Seen {
    day: i64,
    keys: FxHashSet<u64>,
}

/// Exposures that may wait; at a commit every few milliseconds this is never reached by a healthy
/// disk. Past it they are dropped and counted: an answer is never delayed.
const MOST_WAITING: usize = 100_000;
/// Remembered exposures; past it the memory starts anew, and the store's `insert_id` dedupe decides.
const MOST_SEEN: usize = 2_000_000;

impl Queue {
    pub(crate) fn waiting(&self) -> bool {
        !self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_empty()
    }

    /// Exposures that were dropped because too many waited.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn first_today(&self, key: u64, now: Millis) -> bool {
        let day = now.0.div_euclid(86_400_000);
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.day != day || seen.keys.len() >= MOST_SEEN {
            *seen = Seen { day, keys: HashSet::default() };
        }
        seen.keys.insert(key)
    }
}

impl App {
    pub(crate) fn record(
        &self,
        served: &Served,
        evaluation: &Evaluation<'_>,
        context: &Context,
        track: Track,
        now: Millis,
    ) {
        // Nobody was compared with whom no split enrolled.
        if track == Track::Nothing || !evaluation.enrolled {
            return;
        }
        let device = context.text("device_id").map(std::borrow::Cow::into_owned);
        let Some(who) = Who::new(context.key().map(str::to_owned), device) else { return };
        let (flag, variant) = (evaluation.flag.as_str(), evaluation.variant.as_str());
        let environment = served.ruleset.environment();
        let trial = served.trials.get(flag).map_or("", String::as_str);
        let exposed = track == Track::Exposure;
        let key = FxBuildHasher.hash_one((environment.as_str(), flag, variant, trial, &who, exposed));
        if !self.exposures.first_today(key, now) {
            return;
        }
        let event = exposure(served, flag, variant, trial, who, track, now);
        let mut waiting = self.exposures.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if waiting.len() < MOST_WAITING {
            waiting.push(event);
        } else {
            self.exposures.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands waiting exposures to the store. If it is full they go on waiting.
    pub(crate) fn flush_exposures(&self) -> Result<(), AppError> {
        let mut waiting = self.exposures.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if waiting.is_empty() {
            return Ok(());
        }
        let events = std::mem::take(&mut *waiting);
        drop(waiting);
        // Nobody waits for these: the next commit writes them.
        let _ticket = self.store.append(events)?;
        Ok(())
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
    let day = now.0.div_euclid(i64::try_from(Span::DAY.0).unwrap_or(i64::MAX));
    let mut hash = Sha256::new();
    for part in [name, flag, variant, trial, who.user().unwrap_or_default(), who.device().unwrap_or_default()]
    {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.update(day.to_le_bytes());
    let id: String = hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect();
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
        revision: Some(served.ruleset.revision()),
    }
}
