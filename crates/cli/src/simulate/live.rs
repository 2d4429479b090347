//! Cli, simulator: traffic that goes on after the story, on the wall's clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bellwether_model::{Millis, Span};
use bellwether_server::Clock;

use super::draw::{Draws, Purpose};
use super::drive::body;
use super::play::{Occurrence, play};
use super::shop::{Session, Shop};
use crate::link::Link;

/// Which shop goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Past {
    pub(crate) seed: u64,
    pub(crate) start: Millis,
    pub(crate) days: u32,
    pub(crate) visitors_per_day: f64,
}

/// How often events are sent.
const TICK: Duration = Duration::from_millis(250);

/// How many visits come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// As the shop's own visitors come and come back, with its seasons: what the history goes on to.
    History,
    /// So many a minute on average, whatever the hour.
    PerMinute(f64),
}

/// Sends visits at a pace until `stop`. The visitors are those of the past and new ones.
pub(crate) fn go_on(link: &Link, client: &str, past: Past, pace: Pace, stop: &AtomicBool) {
    let clock = Clock::wall();
    let mut visits = Visits::new(past, pace, clock.now());
    let seed = visits.seed;
    let mut due: Vec<Occurrence> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
        let now = clock.now();
        while let Some(session) = visits.next(now) {
            let Some(visitor) = visits.shop.visitor(session.visitor) else { continue };
            // A visitor whose question fails gets what a shop without flags would show.
            let answers = link.ask(client, &visitor.question(session.plan)).unwrap_or_default();
            play(seed, &session, visitor, &answers, &mut due);
        }
        due.sort_by_key(|event| (event.at, event.id));
        let later = due.split_off(due.partition_point(|event| event.at <= now));
        let ready = std::mem::replace(&mut due, later);
        if ready.is_empty() {
            continue;
        }
        if let Err(e) = link.send(&body(client, &visits.shop, &ready)) {
            // A server that stops refuses before it says so.
            std::thread::sleep(TICK);
            if !stop.load(Ordering::Relaxed) {
                tracing::warn!("live events were not taken: {e}");
            }
        }
    }
}

/// The visits that go on.
struct Visits {
    shop: Shop,
    pace: Pace,
    /// Of what the visitors do.
    seed: u64,
    gaps: Draws,
    next: Millis,
}

impl Visits {
    /// The visits from `began` on. What would have come between the past and then did not.
    fn new(past: Past, pace: Pace, began: Millis) -> Self {
        let until = past.start.plus(Span::DAY.times(u64::from(past.days)));
        let mut shop = Shop::new(past.seed, past.start, past.days, past.visitors_per_day);
        while shop.before(until.max(began)).is_some() {}
        // Not the luck of an earlier run, or its events would be taken for retries of that run's.
        let seed = past.seed ^ began.0.unsigned_abs().rotate_left(20);
        let gaps = Draws::new(seed, Purpose::Arrival, 0, 1);
        let mut visits = Self { shop, pace, seed, gaps, next: began };
        visits.wait();
        visits
    }

    /// The next visit, if it has begun by `now`.
    fn next(&mut self, now: Millis) -> Option<Session> {
        match self.pace {
            Pace::History => self.shop.before(now),
            Pace::PerMinute(_) if self.next > now => None,
            Pace::PerMinute(_) => {
                let session = self.shop.before(Millis(i64::MAX))?;
                let start = self.next;
                self.wait();
                Some(Session { start, ..session })
            }
        }
    }

    fn wait(&mut self) {
        if let Pace::PerMinute(visits) = self.pace {
            let gap = 60_000.0 * self.gaps.exponential(1.0 / visits.max(1e-6));
            self.next = self.next.plus(Span(gap.min(1e12) as u64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday.
    const PAST: Past = Past { seed: 5, start: Millis(1_767_571_200_000), days: 28, visitors_per_day: 800.0 };

    fn counted(pace: Pace, from: Millis, to: Millis) -> usize {
        let mut visits = Visits::new(PAST, pace, from);
        let mut starts = Vec::new();
        while let Some(session) = visits.next(to) {
            starts.push(session.start);
        }
        assert!(starts.iter().all(|start| *start >= from && *start <= to));
        assert!(starts.is_sorted());
        starts.len()
    }

    #[test]
    fn the_next_day_is_like_the_last_ones_of_the_history() {
        let end = PAST.start.plus(Span::DAY.times(28));
        let mut shop = Shop::new(PAST.seed, PAST.start, PAST.days, PAST.visitors_per_day);
        let week = end.minus(Span::DAY.times(7));
        while shop.before(week).is_some() {}
        let mut last = 0;
        while shop.before(end).is_some() {
            last += 1;
        }
        let next = counted(Pace::History, end, end.plus(Span::DAY.times(7)));
        let ratio = next as f64 / f64::from(last);
        assert!((0.9..1.2).contains(&ratio), "{next} visits after {last}");
        // With its seasons: the night is quieter.
        let night = end.plus(Span::HOUR.times(5));
        let evening = end.plus(Span::HOUR.times(17));
        let hours = Span::HOUR.times(4);
        let (night, evening) = (
            counted(Pace::History, night, night.plus(hours)),
            counted(Pace::History, evening, evening.plus(hours)),
        );
        assert!(evening > 2 * night, "{evening} in the evening, {night} at night");
    }

    #[test]
    fn a_pace_that_is_asked_for_is_kept() {
        let end = PAST.start.plus(Span::DAY.times(30));
        let visits = counted(Pace::PerMinute(20.0), end, end.plus(Span::HOUR));
        // Poisson: 1,200 and a standard deviation of 35.
        assert!((1_025..1_375).contains(&visits), "{visits}");
    }
}
