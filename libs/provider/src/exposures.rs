//! Provider: who was shown what, told to the server behind the answers. One exposure per flag, variant,
//! unit and day waits in a bounded queue; a repeat, from here or from the server itself, has the same
//! `insert_id` and counts once.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bellwether_flags::{Evaluation, unit};
use bellwether_model::event::{EXPOSURE, FLAG_KEY, VARIANT};
use bellwether_model::{Context, FlagKey, VariantKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

/// How many are sent at once.
pub(crate) const BATCH: usize = 1_000;
/// Remembered exposures of a day: 16 MB or so. Past it the memory starts anew, and the server drops what
/// it has.
const MOST_SEEN: usize = 1_000_000;
/// A day in milliseconds.
const DAY: i64 = 86_400_000;

/// What became of exposures so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exposures {
    /// They wait to be sent.
    pub waiting: u64,
    /// The server has them.
    pub sent: u64,
    /// They were dropped, because too many waited or the provider was shut down.
    pub dropped: u64,
    /// The server refused them, such as for an id that is a placeholder for nobody.
    pub refused: u64,
}

/// Somebody was shown a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exposure {
    flag: FlagKey,
    variant: VariantKey,
    /// What compared the variants; empty where nothing did.
    trial: String,
    user: Option<String>,
    device: Option<String>,
    /// Milliseconds since 1970.
    time: i64,
}

impl Exposure {
    /// The exposure that an evaluation is; `None` where it compares nobody, or names nobody.
    pub(crate) fn of(
        evaluation: &Evaluation<'_>,
        context: &Context,
        trial: Option<&String>,
        now: i64,
    ) -> Option<Self> {
        if !evaluation.enrolled {
            return None;
        }
        let user = context.key().map(str::to_owned);
        let device = unit(context, "device_id").map(std::borrow::Cow::into_owned).filter(|id| !id.is_empty());
        (user.is_some() || device.is_some()).then(|| Self {
            flag: evaluation.flag.clone(),
            variant: evaluation.variant.clone(),
            trial: trial.cloned().unwrap_or_default(),
            user,
            device,
            time: now,
        })
    }

    /// The same for the same trial, unit, variant and day, and the same that the server gives to its own
    /// exposures: who asks here and there is exposed once.
    fn insert_id(&self) -> String {
        let mut hash = Sha256::new();
        let (user, device) = (self.user.as_deref(), self.device.as_deref());
        let parts = [EXPOSURE, self.flag.as_str(), self.variant.as_str(), &self.trial];
        for part in parts.into_iter().chain([user.unwrap_or_default(), device.unwrap_or_default()]) {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hash.update(self.time.div_euclid(DAY).to_le_bytes());
        hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
    }

    /// The event, as the server takes it.
    pub(crate) fn event(&self) -> Value {
        let mut event = json!({
            "event_type": EXPOSURE, "time": self.time, "insert_id": self.insert_id(),
            "event_properties": {FLAG_KEY: self.flag, VARIANT: self.variant},
        });
        for (field, id) in [("user_id", &self.user), ("device_id", &self.device)] {
            if let Some(id) = id {
                event[field] = id.as_str().into();
            }
        }
        event
    }
}

/// Exposures that wait, and those of today.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    most: usize,
    /// Seeded anew at each start: nobody outside can find two exposures that look the same.
    hasher: RandomState,
    /// Rings when a batch is full.
    pub(crate) full: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Exposure>,
    day: i64,
    seen: HashSet<u64>,
    closed: bool,
    sent: u64,
    dropped: u64,
    refused: u64,
}

impl Queue {
    pub(crate) fn new(most: usize) -> Self {
        let (state, hasher) = (Mutex::default(), RandomState::new());
        Self { state, most, hasher, full: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.state().waiting.is_empty()
    }

    /// Takes one in, unless it was there today, or there is no room. What finds no room is not remembered
    /// and may come again.
    pub(crate) fn push(&self, exposure: Exposure) {
        let Exposure { flag, variant, trial, user, device, time } = &exposure;
        let print = self.hasher.hash_one((flag, variant, trial, user, device));
        let mut state = self.state();
        let day = time.div_euclid(DAY);
        if state.day != day || state.seen.len() >= MOST_SEEN {
            state.day = day;
            state.seen.clear();
        }
        if state.seen.contains(&print) {
            return;
        }
        if state.closed || state.waiting.len() >= self.most {
            state.dropped += 1;
            return;
        }
        state.seen.insert(print);
        state.waiting.push_back(exposure);
        if state.waiting.len() >= BATCH {
            self.full.notify_one();
        }
    }

    /// The first that wait, as many as are sent at once. They wait on until they are settled.
    pub(crate) fn batch(&self) -> Vec<Exposure> {
        self.state().waiting.iter().take(BATCH).cloned().collect()
    }

    /// The first `sent + refused` wait no longer.
    pub(crate) fn settle(&self, sent: usize, refused: usize) {
        let mut state = self.state();
        let settled = (sent + refused).min(state.waiting.len());
        state.waiting.drain(..settled);
        state.sent += sent as u64;
        state.refused += refused as u64;
    }

    /// Takes nothing more.
    pub(crate) fn close(&self) {
        self.state().closed = true;
    }

    /// Gives up what waits.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        state.dropped += state.waiting.len() as u64;
        state.waiting.clear();
    }

    pub(crate) fn counts(&self) -> Exposures {
        let state = self.state();
        Exposures {
            waiting: state.waiting.len() as u64,
            sent: state.sent,
            dropped: state.dropped,
            refused: state.refused,
        }
    }
}

/// Milliseconds since 1970 by this machine's clock; 0 where that is before.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn exposure(user: &str, time: i64) -> Exposure {
        Exposure {
            flag: "f".parse().unwrap(),
            variant: "on".parse().unwrap(),
            trial: String::new(),
            user: Some(user.to_owned()),
            device: None,
            time,
        }
    }

    #[test]
    fn the_queue_is_bounded_and_drops_the_newest() {
        let queue = Queue::new(3);
        for n in 0..10 {
            queue.push(exposure(&format!("u{n}"), 5));
            queue.push(exposure(&format!("u{n}"), 6));
        }
        let users: Vec<_> = queue.batch().into_iter().map(|e| e.user.unwrap()).collect();
        assert_eq!(users, ["u0", "u1", "u2"]);
        // Both of each of the seven: what was dropped is not remembered.
        assert_eq!(queue.counts(), Exposures { waiting: 3, sent: 0, dropped: 14, refused: 0 });
        queue.settle(2, 1);
        queue.push(exposure("u9", 7));
        queue.push(exposure("u0", 7));
        assert_eq!(queue.counts(), Exposures { waiting: 1, sent: 2, dropped: 14, refused: 1 });
        queue.close();
        queue.push(exposure("u10", 7));
        queue.abandon();
        assert_eq!(queue.counts(), Exposures { waiting: 0, sent: 2, dropped: 16, refused: 1 });
    }

    #[test]
    fn each_day_and_each_trial_counts_anew() {
        let queue = Queue::new(100);
        let mut all = vec![exposure("u", 0), exposure("u", DAY - 1), exposure("u", DAY), exposure("u", DAY)];
        all.push(Exposure { trial: "experiment e 1".to_owned(), ..exposure("u", DAY) });
        all.push(Exposure { variant: "off".parse().unwrap(), ..exposure("u", DAY) });
        all.push(Exposure { device: Some("d".to_owned()), ..exposure("u", DAY) });
        all.into_iter().for_each(|exposure| queue.push(exposure));
        let ids: HashSet<String> = queue.batch().iter().map(Exposure::insert_id).collect();
        assert_eq!((queue.counts().waiting, ids.len()), (5, 5));
    }

    #[test]
    fn an_event_is_as_the_server_takes_it() {
        let event = Exposure { device: Some("d-1".to_owned()), ..exposure("u-1", 1_790_000_000_000) }.event();
        assert_eq!(
            event,
            json!({"event_type": "$exposure", "time": 1_790_000_000_000_i64, "user_id": "u-1", "device_id": "d-1",
                "insert_id": event["insert_id"], "event_properties": {"flag_key": "f", "variant": "on"}})
        );
        assert_eq!(event["insert_id"].as_str().unwrap().len(), 32);
    }
}
