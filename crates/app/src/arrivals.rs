//! App: what arrived, counted since the start: events that were stored, those that were there already; and what the server
//! recorded itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bellwether_model::event::Taken;
use bellwether_model::{EnvironmentKey, Millis};

/// What arrived of each environment.
#[derive(Debug)]
pub(crate) struct Arrivals {
    since: Millis,
    counted: Mutex<BTreeMap<EnvironmentKey, Arrived>>,
}

/// What arrived of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Events that were stored.
    pub(crate) stored: u64,
    /// Events that were there already.
    pub(crate) duplicates: u64,
    /// Of those that were stored: without a name, so that a copy of them would be stored, too.
    pub(crate) unnamed: u64,
    /// Exposures and assignments of our own evaluations that were stored. Apart from the rest, of which they say nothing: no
    /// sender brought them, and all have names.
    pub(crate) recorded: u64,
}

impl Arrivals {
    pub(crate) fn new(since: Millis) -> Self {
        Self { since, counted: Mutex::default() }
    }

    /// Since when is counted.
    pub(crate) fn since(&self) -> Millis {
        self.since
    }

    pub(crate) fn note(&self, environment: &EnvironmentKey, taken: Taken) {
        self.count(environment, |arrived| {
            arrived.stored += taken.stored;
            arrived.duplicates += taken.duplicates;
            arrived.unnamed += taken.unnamed;
        });
    }

    /// Notes an exposure or an assignment of our own.
    pub(crate) fn recorded(&self, environment: &EnvironmentKey) {
        self.count(environment, |arrived| arrived.recorded += 1);
    }

    fn count(&self, environment: &EnvironmentKey, add: impl FnOnce(&mut Arrived)) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        add(match counted.get_mut(environment) {
            Some(arrived) => arrived,
            None => counted.entry(environment.clone()).or_default(),
        });
    }

    pub(crate) fn of(&self, environment: &EnvironmentKey) -> Arrived {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.get(environment).copied().unwrap_or_default()
    }
}
