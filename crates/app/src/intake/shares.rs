//! App intake: how much each key may bring, and how its environment's rate is divided among the keys that send.
//!
//! A key that was given a rate has a bucket that leaks at it. An environment that has a rate has a bucket, too, and while
//! that is less than half full nobody's share is asked for. What goes into its upper half is also held against a share of
//! the key's own: the upper half and the rate, in equal parts for the keys that asked within the last minute. So a key that
//! sends alone has all of it, what one leaves the others may have, and whoever sends no more than an equal part is taken
//! while another sends as much as it can: the shares together are the upper half, which is theirs alone.
//!
//! The environment's own bound is never passed: a key that begins to send while another has filled all of it waits until
//! as much as its first request has leaked. Why so: decision 30.

use bellwether_model::{Millis, Span};

use super::keyed::Table;
use super::rates::{Bucket, MOST_COUNTED, WINDOW, forget, millionths, per_milli};

/// A key that asked so long ago, or longer, has no part.
const ACTIVE: Span = Span::MINUTE;
/// How often it is counted who asked lately.
const RECOUNT: Span = Span(1_000);

/// The keys of one environment, and what was taken lately of each and of all.
#[derive(Debug, Default)]
pub(super) struct Shares {
    all: Bucket,
    keys: Table<Lane>,
    /// How many asked lately.
    active: u64,
    recounted: Millis,
}

/// What was taken lately of one key.
#[derive(Debug, Default)]
struct Lane {
    own: Bucket,
    /// What of it went into the upper half of the environment's.
    share: Bucket,
    /// By the rate that it had when it last asked.
    rate: u32,
    asked: Millis,
    active: bool,
}

/// How a request enters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The key of the key's id.
    pub(super) key: u64,
    /// The key's own rate; 0 for none.
    pub(super) own: u32,
    /// The environment's; 0 for none.
    pub(super) all: u32,
    pub(super) events: u64,
}

/// How full everything was before a request entered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    key: u64,
    all: Bucket,
    own: Bucket,
    share: Bucket,
}

/// Why a request does not enter, and after how many milliseconds it would if nobody else came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// The key brings more than its own rate.
    Own { wait: u64 },
    /// The environment takes no more.
    Full { wait: u64 },
    /// The key brings more than its part, and so many keys divide the rate.
    Share { wait: u64, among: u64 },
}

impl Held {
    pub(super) fn wait(self) -> u64 {
        match self {
            Self::Own { wait } | Self::Full { wait } | Self::Share { wait, .. } => wait,
        }
    }
}

impl Shares {
    /// Lets a request in, or says what holds it back longest.
    pub(super) fn enter(&mut self, entry: Entry, now: Millis) -> Result<Before, Held> {
        let Entry { key, own: rate, all, events } = entry;
        self.recount(now);
        let lane = self.keys.entry(key).or_default();
        self.active += u64::from(!lane.active);
        (lane.active, lane.asked, lane.rate) = (true, now, rate);
        let before = Before { key, all: self.all, own: lane.own, share: lane.share };

        let amount = millionths(events);
        let mut held = None;
        let mut ask = |over: u64, leak: u64, why: fn(u64, u64) -> Held, among: u64| {
            let wait = over.div_ceil(leak.max(1));
            if wait > held.map_or(0, Held::wait) {
                held = Some(why(wait, among));
            }
        };
        let own_leak = per_milli(rate);
        if rate > 0 {
            let over = lane.own.over(amount, own_leak, WINDOW.0.saturating_mul(own_leak), now);
            ask(over, own_leak, |wait, _| Held::Own { wait }, 1);
        }
        let leak = per_milli(all);
        let part = (leak / self.active).max(1);
        let (whole, half) = (WINDOW.0.saturating_mul(leak), WINDOW.0 / 2);
        let level = self.all.leaked(leak, now);
        let upper = amount.min(level.saturating_add(amount).saturating_sub(half.saturating_mul(leak)));
        if all > 0 {
            ask(self.all.over(amount, leak, whole, now), leak, |wait, _| Held::Full { wait }, 1);
            if upper > 0 {
                let over = lane.share.over(upper, part, half.saturating_mul(part), now);
                // Whoever sends alone is told of the environment.
                let why: fn(u64, u64) -> Held = match self.active {
                    1 => |wait, _| Held::Full { wait },
                    _ => |wait, among| Held::Share { wait, among },
                };
                ask(over, part, why, self.active);
            }
        }
        if let Some(held) = held {
            return Err(held);
        }
        if rate > 0 {
            lane.own.fill(amount, own_leak, now);
        }
        if all > 0 {
            self.all.fill(amount, leak, now);
            lane.share.fill(upper, part, now);
        }
        if self.keys.len() > MOST_COUNTED {
            forget(&mut self.keys, |lane| lane.asked, |_| false);
            self.active = self.keys.values().filter(|lane| lane.active).count() as u64;
        }
        Ok(before)
    }

    /// As if the request had not come, which asked all the same.
    pub(super) fn back(&mut self, before: Before) {
        self.all = before.all;
        if let Some(lane) = self.keys.get_mut(&before.key) {
            (lane.own, lane.share) = (before.own, before.share);
        }
    }

    /// Forgets a key.
    pub(super) fn forget(&mut self, key: u64) {
        if let Some(lane) = self.keys.remove(&key) {
            self.active -= u64::from(lane.active);
        }
    }

    /// Counts who asked lately, and forgets whom there is nothing to know of.
    fn recount(&mut self, now: Millis) {
        // A clock that goes back lets nobody be active for longer.
        if now >= self.recounted && now.since(self.recounted) < RECOUNT {
            return;
        }
        self.recounted = now;
        self.keys.retain(|_, lane| {
            lane.active = now.since(lane.asked) < ACTIVE;
            lane.active || lane.own.leaked(per_milli(lane.rate), now) > 0
        });
        self.active = self.keys.values().filter(|lane| lane.active).count() as u64;
    }
}

#[cfg(test)]
#[path = "shares_tests.rs"]
mod tests;
