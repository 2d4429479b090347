//! App intake: how much is taken of whom. Who sends more is told when to go on, before anything of it is
//! stored; what is held to tell it is bounded.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Json, Millis, Span};
use serde_json::json;

use super::door::Door;
use super::inspection::Apart;
use super::keyed::{Keyed, Table};
use super::senders::Brought;
use super::shares::{Before, Entry, Held, Shares};
use crate::error::{AppError, Refusal};

/// How many events a second are taken on the average of [`WINDOW`]; 0 is as many as come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of one environment, over all its keys and doors. Its keys divide it; a key may have a rate of its own beside it.
    pub environment: u32,
    /// Of one user or device by Amplitude's `/2/httpapi`, whose SDKs know what to do then.
    pub unit: u32,
    /// The same by its `/batch`.
    pub unit_batch: u32,
    /// A user or a device with more events than so many in a minute, by their own times, is held for a program: taken
    /// and marked. 0: nobody is.
    pub bot: u32,
}

impl Default for Rates {
    /// Amplitude's own for a user or device, and none for an environment: the store holds back who sends more
    /// than it can take.
    /// Ten events a second over a whole minute are no person's.
    fn default() -> Self {
        Self { environment: 0, unit: 30, unit_batch: 1_000, bot: 600 }
    }
}

/// Over how long rates are averaged: so much of it may come at once.
pub(super) const WINDOW: Span = Span(30_000);
/// Users, devices and keys of one environment that are counted at once; past it those are forgotten that sent nothing for longest.
pub(super) const MOST_COUNTED: usize = 100_000;

/// What was taken lately.
#[derive(Debug)]
pub(crate) struct Meter {
    rates: Rates,
    keyed: Keyed,
    counted: Mutex<BTreeMap<EnvironmentKey, Counted>>,
}

/// What was taken lately of one environment.
#[derive(Debug, Default)]
struct Counted {
    shares: Shares,
    users: Units,
    devices: Units,
}

/// What was taken of each user, or of each device.
type Units = Table<Bucket>;

/// Which events of a request come of whom: the key of the id, the place of the event, the id. Sorted.
type Coming<'e> = Vec<(u64, usize, &'e str)>;

/// Those of one id each.
fn each<'c, 'e>(coming: &'c Coming<'e>) -> impl Iterator<Item = (u64, &'c [(u64, usize, &'e str)])> {
    coming.chunk_by(|a, b| a.0 == b.0).filter_map(|of| of.first().map(|(key, ..)| (*key, of)))
}

/// A bucket that fills with each event and leaks at the rate.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    /// Millionths of an event.
    level: u64,
    at: Millis,
}

/// How many millionths of an event are in so many.
pub(super) fn millionths(events: u64) -> u64 {
    events.saturating_mul(1_000_000)
}

/// How many millionths leak in a millisecond at so many events a second.
pub(super) fn per_milli(rate: u32) -> u64 {
    u64::from(rate) * 1_000
}

impl Bucket {
    /// What is in it now, of which `leak` goes in a millisecond.
    pub(super) fn leaked(self, leak: u64, now: Millis) -> u64 {
        self.level.saturating_sub(now.since(self.at).0.saturating_mul(leak))
    }

    pub(super) fn fill(&mut self, amount: u64, leak: u64, now: Millis) {
        *self = Self { level: self.leaked(leak, now).saturating_add(amount), at: now };
    }

    /// How much must leak before so much more fits. What is larger than all that may come at once fits when nothing
    /// did, or it never would.
    pub(super) fn over(self, amount: u64, leak: u64, most: u64, now: Millis) -> u64 {
        let level = self.leaked(leak, now);
        level.saturating_add(amount).saturating_sub(most).min(level)
    }
}

impl Meter {
    pub(crate) fn new(rates: Rates) -> Self {
        Self { rates, keyed: Keyed::default(), counted: Mutex::default() }
    }

    /// Lets the events of a request in, or none of them: those that are stored, and those that go into the quarantine. Each key
    /// is asked once, however many it brings.
    ///
    /// # Errors
    /// `busy`, with the key or the environment of which too much comes, or with the users and devices, in the words of
    /// Amplitude's lists.
    pub(super) fn admit(
        &self,
        door: Door,
        brought: &[Brought],
        (events, held): (&[Event], &[Apart]),
        now: Millis,
    ) -> Result<(), AppError> {
        let all = self.rates.environment;
        let rate = match door {
            Door::AmplitudeHttp => self.rates.unit,
            Door::AmplitudeBatch => self.rates.unit_batch,
            _ => 0,
        };
        let limited = all > 0 || rate > 0 || brought.iter().any(|by| by.sender.rate.is_some());
        if !limited || brought.is_empty() {
            return Ok(());
        }
        // Before the lock is taken.
        let coming = |of| if rate > 0 { self.coming(events, held, of) } else { Coming::new() };
        let (users, devices) = (coming(|who| who.user()), coming(|who| who.device()));

        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entered: Vec<(&EnvironmentKey, Before)> = Vec::with_capacity(brought.len());
        let refused = brought.iter().find_map(|by| {
            let environment = &by.sender.environment;
            let of = match counted.get_mut(environment) {
                Some(of) => of,
                None => counted.entry(environment.clone()).or_default(),
            };
            let (key, own) = (self.keyed.of(&by.sender.key), by.sender.rate.map_or(0, NonZeroU32::get));
            let entry = Entry { key, own, all, events: by.events as u64 };
            match of.shares.enter(entry, now) {
                Ok(before) => {
                    entered.push((environment, before));
                    None
                }
                Err(held) => Some(held_back(held, by, all)),
            }
        });
        // Users and devices are counted by a protocol whose requests have one key.
        let of = brought.first().and_then(|by| counted.get_mut(&by.sender.environment));
        let taken = match (refused, of) {
            (Some(refused), _) => Err(refused),
            (None, Some(of)) => of.units(rate, users, devices, now),
            (None, None) => Ok(()),
        };
        if taken.is_err() {
            for (environment, before) in entered.into_iter().rev() {
                if let Some(of) = counted.get_mut(environment) {
                    of.shares.back(before);
                }
            }
        }
        taken
    }

    /// Forgets what was taken of a key, which brings nothing more.
    pub(crate) fn forget(&self, key: &str) {
        let key = self.keyed.of(key);
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.values_mut().for_each(|of| of.shares.forget(key));
    }

    /// Which events come of whom, by their places in the request.
    fn coming<'e>(&self, events: &'e [Event], held: &'e [Apart], of: fn(&Who) -> Option<&str>) -> Coming<'e> {
        let mut apart = held.iter().peekable();
        let mut before = 0;
        let stored = events.iter().enumerate().map(|(at, event)| {
            while apart.next_if(|apart| apart.before <= at).is_some() {
                before += 1;
            }
            (at + before, event)
        });
        let held = held.iter().enumerate().map(|(at, apart)| (at + apart.before, &apart.event));
        let ids = stored.chain(held).filter_map(|(index, event)| Some((index, of(&event.who)?)));
        let mut coming = Coming::with_capacity(events.len());
        coming.extend(ids.map(|(index, id)| (self.keyed.of(id), index, id)));
        coming.sort_unstable();
        coming
    }
}

fn too_many(message: String, wait: u64, more: Json) -> AppError {
    let seconds = wait.div_ceil(1_000).max(1);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let mut details = json!({"retry_after": seconds});
    if let (Some(details), Json::Object(more)) = (details.as_object_mut(), more) {
        details.extend(more);
    }
    AppError {
        details: Some(details),
        ..AppError::new(
            Refusal::Busy,
            "too_many",
            message,
            format!("send it again in {seconds} {unit}; nothing of this request was stored"),
        )
    }
}

/// Why a request is held back. The key is named by its id: it may be public, and what people call it is not.
fn held_back(held: Held, by: &Brought, all: u32) -> AppError {
    let (key, environment) = (&by.sender.key, &by.sender.environment);
    let (message, rate) = match held {
        Held::Own { .. } => {
            let own = by.sender.rate.map_or(0, NonZeroU32::get);
            (format!("more than `{own}` events a second come by the key `{key}`"), own)
        }
        Held::Full { .. } => (
            format!(
                "more than `{all}` events a second come for `{environment}`; this came by the key `{key}`"
            ),
            all,
        ),
        Held::Share { among, .. } => (
            format!(
                "the key `{key}` brings more than its part of the `{all}` events a second of `{environment}`, \
                 which `{among}` keys share"
            ),
            all,
        ),
    };
    too_many(message, held.wait(), json!({"eps_threshold": rate, "key": key}))
}

impl Counted {
    /// Lets events of users and devices in, or none of them.
    fn units(
        &mut self,
        rate: u32,
        users: Coming<'_>,
        devices: Coming<'_>,
        now: Millis,
    ) -> Result<(), AppError> {
        let leak = per_milli(rate);
        let (mut most, mut throttled) = (0, Vec::<usize>::new());
        let mut list = |known: &Units, coming: &Coming<'_>| {
            let mut listed = serde_json::Map::new();
            for (key, of) in each(coming) {
                let Some(bucket) = known.get(&key) else { continue };
                let amount = millionths(of.len() as u64);
                let over = bucket.over(amount, leak, WINDOW.0.saturating_mul(leak), now);
                if over > 0 {
                    most = most.max(over);
                    // How many events a second it sends.
                    let sends = (bucket.leaked(leak, now) + amount) / per_milli(1) / WINDOW.0;
                    listed.extend(of.first().map(|(.., id)| ((*id).to_owned(), sends.into())));
                    throttled.extend(of.iter().map(|(_, index, _)| *index));
                }
            }
            listed
        };
        let (in_users, in_devices) = (list(&self.users, &users), list(&self.devices, &devices));
        if !throttled.is_empty() {
            throttled.sort_unstable();
            throttled.dedup();
            let lists = json!({
                "eps_threshold": rate, "throttled_devices": in_devices, "throttled_users": in_users,
                "throttled_events": throttled,
            });
            let message = format!("more than `{rate}` events a second come from some devices and users");
            return Err(too_many(message, most.div_ceil(leak.max(1)), lists));
        }
        for (of, coming) in [(&mut self.users, users), (&mut self.devices, devices)] {
            for (key, events) in each(&coming) {
                of.entry(key).or_default().fill(millionths(events.len() as u64), leak, now);
            }
            forget(of, |bucket| bucket.at, |bucket| bucket.leaked(leak, now) == 0);
        }
        Ok(())
    }
}

/// Keeps what is counted within its bound: of whom there is nothing to know, and then whoever sent nothing for longest,
/// is forgotten first.
pub(super) fn forget<T>(counted: &mut Table<T>, at: impl Fn(&T) -> Millis, idle: impl Fn(&T) -> bool) {
    if counted.len() <= MOST_COUNTED {
        return;
    }
    counted.retain(|_, one| !idle(one));
    // By half, so that not every request looks through all of them.
    if counted.len() > MOST_COUNTED / 2 {
        let mut times: Vec<Millis> = counted.values().map(&at).collect();
        let middle = times.len() / 2;
        let (_, &mut middle, _) = times.select_nth_unstable(middle);
        counted.retain(|_, one| at(one) > middle);
    }
}
