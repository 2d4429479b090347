//! App intake: how much is taken of whom. Who sends more is told when to go on, before anything of it is
//! stored; what is held to tell it is bounded.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Json, Millis, Span};
use serde_json::json;

use super::door::Door;
use super::keyed::{Keyed, Table};
use crate::error::{AppError, Refusal};

/// How many events a second are taken on the average of [`WINDOW`]; 0 is as many as come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of one environment, over all its keys and doors.
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
const WINDOW: Span = Span(30_000);
/// Users, and devices, of one environment that are counted at once; past it those are forgotten that sent nothing for longest.
const MOST_COUNTED: usize = 100_000;

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
    all: Bucket,
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
struct Bucket {
    /// Thousandths of an event.
    level: u64,
    at: Millis,
}

impl Bucket {
    /// What is in it now.
    fn leaked(self, rate: u32, now: Millis) -> u64 {
        self.level.saturating_sub(now.since(self.at).0.saturating_mul(u64::from(rate)))
    }

    fn fill(&mut self, events: u64, rate: u32, now: Millis) {
        *self = Self { level: self.leaked(rate, now).saturating_add(events * 1_000), at: now };
    }

    /// How much does not fit if so many events come. One request that is larger than all that may come at once
    /// fits when nothing was, or it never would.
    fn over(self, events: u64, rate: u32, now: Millis) -> u64 {
        match self.leaked(rate, now) {
            0 => 0,
            level => (level + events * 1_000).saturating_sub(WINDOW.0.saturating_mul(u64::from(rate))),
        }
    }
}

impl Meter {
    pub(crate) fn new(rates: Rates) -> Self {
        Self { rates, keyed: Keyed::default(), counted: Mutex::default() }
    }

    /// Lets these events in, or none of them. They are of one environment, but for those of senders with several
    /// tokens, whose first counts.
    ///
    /// # Errors
    /// `busy`, with who sent too much where it is somebody, in the words of Amplitude's lists.
    pub(crate) fn admit(&self, door: Door, events: &[Event], now: Millis) -> Result<(), AppError> {
        let all = self.rates.environment;
        let rate = match door {
            Door::AmplitudeHttp => self.rates.unit,
            Door::AmplitudeBatch => self.rates.unit_batch,
            _ => 0,
        };
        let Some(environment) = events.first().map(|e| &e.environment).filter(|_| all > 0 || rate > 0) else {
            return Ok(());
        };
        let count = events.len() as u64;
        // Before the lock is taken.
        let users = if rate > 0 { self.coming(events, |who| who.user()) } else { Coming::new() };
        let devices = if rate > 0 { self.coming(events, |who| who.device()) } else { Coming::new() };

        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = match counted.get_mut(environment) {
            Some(counted) => counted,
            None => counted.entry(environment.clone()).or_default(),
        };
        if all > 0 {
            let over = counted.all.over(count, all, now);
            if over > 0 {
                let message = format!("more than `{all}` events a second come for `{environment}`");
                return Err(too_many(message, over, all, json!({"eps_threshold": all})));
            }
        }
        counted.units(rate, &users, &devices, now)?;
        counted.all.fill(count, all, now);
        for (of, coming) in [(&mut counted.users, users), (&mut counted.devices, devices)] {
            for (key, events) in each(&coming) {
                of.entry(key).or_default().fill(events.len() as u64, rate, now);
            }
            forget(of, rate, now);
        }
        Ok(())
    }

    /// Which events come of whom.
    fn coming<'e>(&self, events: &'e [Event], of: fn(&Who) -> Option<&str>) -> Coming<'e> {
        let ids = events.iter().enumerate().filter_map(|(index, event)| Some((index, of(&event.who)?)));
        let mut coming: Coming<'e> = ids.map(|(index, id)| (self.keyed.of(id), index, id)).collect();
        coming.sort_unstable();
        coming
    }
}

fn too_many(message: String, over: u64, rate: u32, more: Json) -> AppError {
    // After so many seconds so much has leaked.
    let seconds = over.div_ceil(u64::from(rate.max(1))).div_ceil(1_000).max(1);
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
            format!("send it again in {seconds} seconds; nothing of this request was stored"),
        )
    }
}

impl Counted {
    fn units(
        &self,
        rate: u32,
        users: &Coming<'_>,
        devices: &Coming<'_>,
        now: Millis,
    ) -> Result<(), AppError> {
        let (mut most, mut throttled) = (0, Vec::<usize>::new());
        let mut list = |known: &Units, coming: &Coming<'_>| {
            let mut listed = serde_json::Map::new();
            for (key, of) in each(coming) {
                let Some(bucket) = known.get(&key) else { continue };
                let events = of.len() as u64;
                let over = bucket.over(events, rate, now);
                if over > 0 {
                    most = most.max(over);
                    // How many events a second it sends.
                    let sends = (bucket.leaked(rate, now) + events * 1_000) / WINDOW.0;
                    listed.extend(of.first().map(|(.., id)| ((*id).to_owned(), sends.into())));
                    throttled.extend(of.iter().map(|(_, index, _)| *index));
                }
            }
            listed
        };
        let (users, devices) = (list(&self.users, users), list(&self.devices, devices));
        if throttled.is_empty() {
            return Ok(());
        }
        throttled.sort_unstable();
        throttled.dedup();
        let lists = json!({
            "eps_threshold": rate, "throttled_devices": devices, "throttled_users": users,
            "throttled_events": throttled,
        });
        let message = format!("more than `{rate}` events a second come from some devices and users");
        Err(too_many(message, most, rate, lists))
    }
}

/// Keeps what is counted within its bound: whoever sent nothing for longest is forgotten first.
fn forget(units: &mut Units, rate: u32, now: Millis) {
    if units.len() <= MOST_COUNTED {
        return;
    }
    units.retain(|_, bucket| bucket.leaked(rate, now) > 0);
    // By half, so that not every request looks through all of them.
    if units.len() > MOST_COUNTED / 2 {
        let mut times: Vec<Millis> = units.values().map(|bucket| bucket.at).collect();
        let middle = times.len() / 2;
        let (_, &mut middle, _) = times.select_nth_unstable(middle);
        units.retain(|_, bucket| bucket.at > middle);
    }
}
