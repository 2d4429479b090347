//! Cli, simulator: traffic that goes on after the story, on the wall's clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bellwether_model::{Millis, Span};
use bellwether_server::Clock;

use super::draw::{Draws, Purpose};
use super::drive::body;
use super::play::{Occurrence, play};
use super::shop::Shop;
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

/// Sends visits, `per_second` on average, until `stop`. The visitors are those of the past and new ones.
pub(crate) fn go_on(link: &Link, client: &str, past: Past, per_second: f64, stop: &AtomicBool) {
    let until = past.start.plus(Span::DAY.times(u64::from(past.days)));
    let mut shop = Shop::new(past.seed, past.start, past.days, past.visitors_per_day);
    while shop.before(until).is_some() {}
    let clock = Clock::wall();
    let began = clock.now();
    // Not the luck of an earlier run, or its events would be taken for retries of that run's.
    let seed = past.seed ^ began.0.unsigned_abs().rotate_left(20);
    let mut gaps = Draws::new(seed, Purpose::Arrival, 0, 1);
    let mut gap = || Span((1_000.0 * gaps.exponential(1.0 / per_second.max(1e-6))).min(1e9) as u64);
    let mut next = began.plus(gap());
    let mut due: Vec<Occurrence> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
        let now = clock.now();
        while next <= now {
            let Some(mut session) = shop.before(Millis(i64::MAX)) else { return };
            session.start = next;
            next = next.plus(gap());
            let Some(visitor) = shop.visitor(session.visitor) else { continue };
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
        if let Err(e) = link.send(&body(client, &shop, &ready)) {
            // A server that stops refuses before it says so.
            std::thread::sleep(TICK);
            if !stop.load(Ordering::Relaxed) {
                tracing::warn!("live events were not taken: {e}");
            }
        }
    }
}
