//! Cli, simulator: who comes, and when. A stream of sessions in the order of their starts that is a
//! function of the seed alone: no flag changes who comes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bellwether_model::{Millis, Span};

use super::draw::{Draws, Purpose};
use super::world;

const DAY: f64 = 86_400_000.0;

/// Somebody, or a bot.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// Also the user's id, as text.
    pub(crate) id: u64,
    pub(crate) country: u8,
    pub(crate) platform: u8,
    pub(crate) bot: bool,
    plan: u8,
    active: bool,
    /// How many sessions to expect of them: heavy-tailed.
    loyalty: f64,
    /// Days between two sessions, on average.
    gap: f64,
    sessions: u32,
}

/// One session, before it is played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    /// Index of the visitor.
    pub(crate) visitor: u32,
    /// 0 is the visitor's first.
    pub(crate) number: u32,
    /// When it begins.
    pub(crate) start: Millis,
    /// The visitor's plan when it begins.
    pub(crate) plan: u8,
    /// The plan that is chosen at a sign-up in this session.
    pub(crate) signs_up: Option<u8>,
    /// Whether the account is activated in this session.
    pub(crate) activates: bool,
}

/// The stream of sessions.
#[derive(Debug)]
pub(crate) struct Shop {
    seed: u64,
    start: Millis,
    length: f64,
    rate: f64,
    visitors: Vec<Visitor>,
    due: BinaryHeap<Reverse<(Millis, u32)>>,
    arrivals: Draws,
    next: Millis,
}

/// Sessions from before the stretch, so that it does not begin with first visits only.
const BEFORE: Span = Span::DAY.times(30);

impl Shop {
    /// A shop that gets `per_day` new visitors a day on average over the stretch of `days` from `start`.
    /// The first session is one from `start` on.
    pub(crate) fn new(seed: u64, start: Millis, days: u32, per_day: f64) -> Self {
        let mut shop = Self {
            seed,
            start,
            length: f64::from(days.max(1)) * DAY,
            rate: per_day.max(0.0) / DAY,
            visitors: Vec::new(),
            due: BinaryHeap::new(),
            arrivals: Draws::new(seed, Purpose::Arrival, 0, 0),
            next: start.minus(BEFORE),
        };
        shop.next = shop.arrival_after(shop.next);
        while shop.before(start).is_some() {}
        shop
    }

    /// One visitor.
    pub(crate) fn visitor(&self, index: u32) -> Option<&Visitor> {
        self.visitors.get(index as usize)
    }

    /// How many visitors there have been.
    pub(crate) fn visitors(&self) -> usize {
        self.visitors.len()
    }

    /// The next session, if it begins before `to`.
    pub(crate) fn before(&mut self, to: Millis) -> Option<Session> {
        while self.due.peek().is_none_or(|Reverse((at, _))| self.next < *at) && self.next < to {
            self.arrive();
        }
        if self.due.peek().is_none_or(|Reverse((at, _))| *at >= to) {
            return None;
        }
        let Reverse((start, visitor)) = self.due.pop()?;
        let session = self.begin(visitor, start)?;
        if let Some(again) = self.again(visitor, start) {
            self.due.push(Reverse((again, visitor)));
        }
        Some(session)
    }

    fn arrive(&mut self) {
        let index = self.visitors.len() as u64;
        let mut draws = Draws::new(self.seed, Purpose::Visitor, index, 0);
        let bot = draws.chance(world::BOTS);
        let visitor = Visitor {
            id: draws.bits(),
            country: draws.pick(&world::COUNTRY_WEIGHTS),
            platform: draws.pick(&world::PLATFORM_WEIGHTS),
            bot,
            plan: 0,
            active: false,
            loyalty: if bot { 40.0 } else { 1.0 + draws.log_normal(1.0, 1.1).min(60.0) },
            gap: if bot { 1.0 } else { draws.log_normal(4.0, 0.8).clamp(0.5, 30.0) },
            sessions: 0,
        };
        if let Ok(index) = u32::try_from(index) {
            self.due.push(Reverse((self.next, index)));
            self.visitors.push(visitor);
        }
        self.next = self.arrival_after(self.next);
    }

    fn begin(&mut self, index: u32, start: Millis) -> Option<Session> {
        let visitor = self.visitors.get_mut(index as usize)?;
        let number = visitor.sessions;
        let mut draws = Draws::new(self.seed, Purpose::Return, u64::from(index), u64::from(number));
        visitor.sessions += 1;
        let plan = visitor.plan;
        let signs_up = (plan == 0 && !visitor.bot && draws.chance(world::SIGN_UP))
            .then(|| draws.pick(&world::PLAN_WEIGHTS));
        visitor.plan = signs_up.unwrap_or(plan);
        let activates = visitor.plan != 0 && !visitor.active && draws.chance(world::ACTIVATE);
        visitor.active |= activates;
        Some(Session { visitor: index, number, start, plan, signs_up, activates })
    }

    /// When a visitor comes back, if at all.
    fn again(&self, index: u32, last: Millis) -> Option<Millis> {
        let visitor = self.visitors.get(index as usize)?;
        let mut draws =
            Draws::new(self.seed, Purpose::Return, u64::from(index), (1 << 32) | u64::from(visitor.sessions));
        if !draws.chance(1.0 - 1.0 / visitor.loyalty) {
            return None;
        }
        let mut at = later(last, draws.exponential(visitor.gap) * DAY);
        // A few tries to find an hour that people like; then whatever it is.
        for _ in 0..20 {
            if at > last.plus(Span::HOUR) && draws.chance(rhythm(at) / most()) {
                break;
            }
            at = later(at, draws.unit() * DAY * 0.5);
        }
        Some(at)
    }

    /// The next arrival of a Poisson process whose rate goes with the time, by thinning.
    fn arrival_after(&mut self, mut at: Millis) -> Millis {
        let most = self.rate * most() * world::GROWTH.1;
        if most <= 0.0 {
            return Millis(i64::MAX);
        }
        loop {
            // At least a millisecond, or a huge rate would stand still.
            at = later(at, self.arrivals.exponential(1.0 / most).max(1.0));
            if self.arrivals.chance(self.rate * rhythm(at) * self.growth(at) / most) {
                return at;
            }
        }
    }

    fn growth(&self, at: Millis) -> f64 {
        let passed = (at.0 - self.start.0) as f64 / self.length;
        let (from, to) = world::GROWTH;
        from + (to - from) * passed.clamp(0.0, 1.0)
    }
}

fn later(at: Millis, by: f64) -> Millis {
    at.plus(Span(by.max(0.0) as u64))
}

/// How busy the shop is by day of the week and hour; 1 on average.
fn rhythm(at: Millis) -> f64 {
    let days = at.0.div_euclid(86_400_000);
    // 1970 began on a Thursday.
    let week = usize::try_from((days + 3).rem_euclid(7)).unwrap_or(0);
    let hour = at.0.rem_euclid(86_400_000) as f64 / 3_600_000.0;
    let angle = 2.0 * std::f64::consts::PI * (hour - world::BEST_HOUR) / 24.0;
    world::WEEK.get(week).copied().unwrap_or(1.0) * (1.0 + world::SWING * libm::cos(angle))
}

fn most() -> f64 {
    world::WEEK.into_iter().fold(0.0, f64::max) * (1.0 + world::SWING)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A Monday.
    const START: Millis = Millis(1_767_571_200_000);

    fn sessions(seed: u64, days: u32, per_day: f64) -> (Shop, Vec<Session>) {
        let mut shop = Shop::new(seed, START, days, per_day);
        let end = START.plus(Span::DAY.times(u64::from(days)));
        let mut all = Vec::new();
        while let Some(session) = shop.before(end) {
            all.push(session);
        }
        (shop, all)
    }

    #[test]
    fn sessions_come_in_order_and_within_the_stretch() {
        let (shop, all) = sessions(1, 14, 200.0);
        assert!(all.windows(2).all(|w| w[0].start <= w[1].start));
        assert!(all[0].start >= START);
        assert!(all.iter().all(|s| shop.visitor(s.visitor).is_some()));
    }

    #[test]
    fn as_many_arrive_as_was_asked_for() {
        let (_, all) = sessions(2, 90, 300.0);
        let new = all.iter().filter(|s| s.number == 0).count() as f64;
        // Poisson: a standard deviation of sqrt(27000), 164.
        assert!((new - 27_000.0).abs() < 5.0 * 164.0, "{new}");
    }

    #[test]
    fn activity_is_heavy_tailed_and_weekends_are_busier() {
        let (shop, all) = sessions(3, 84, 200.0);
        let mut counts: Vec<u32> = shop.visitors.iter().filter(|v| !v.bot).map(|v| v.sessions).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let total: u32 = counts.iter().sum();
        let top: u32 = counts.iter().take(counts.len() / 10).sum();
        assert!(f64::from(top) / f64::from(total) > 0.25, "the top tenth has {top} of {total}");
        let day = |s: &Session| (s.start.0.div_euclid(86_400_000) + 3).rem_euclid(7);
        let on = |wanted: i64| all.iter().filter(|s| day(s) == wanted).count();
        assert!(on(5) > on(1), "{} on Saturdays, {} on Tuesdays", on(5), on(1));
        let hour = |s: &Session| s.start.0.rem_euclid(86_400_000) / 3_600_000;
        let night = all.iter().filter(|s| (5..9).contains(&hour(s))).count();
        let evening = all.iter().filter(|s| (17..21).contains(&hour(s))).count();
        assert!(evening > 3 * night, "{evening} {night}");
    }
}
