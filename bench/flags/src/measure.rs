//! Bench of flags: many short rounds in which every engine has its turn, so that what else the
//! machine does hits all of them alike. Time is the processor's, so that a turn in which the
//! scheduler runs something else does not count it. Before and after each turn a fixed piece of work
//! tells whether the core was this program's own, or shared with a neighbour in the same silicon.

use std::time::{Duration, Instant};

use crate::engine::{Subject, processor_time};
use crate::scenario::Random;
use crate::statistics::Spread;

/// What was measured of one engine.
pub(crate) struct Measured<'s> {
    pub(crate) subject: &'s Subject,
    /// Nanoseconds of one evaluation.
    pub(crate) time: Spread,
    /// The same in those turns in which the core was quiet, and how many these are.
    pub(crate) quiet: (Spread, usize),
    /// How many rounds it took part in.
    pub(crate) rounds: usize,
    /// Round by round; `NaN` where it sat out.
    pub(crate) by_round: Vec<f64>,
}

/// A turn is short against the scheduler's time slice, and long against the clock's resolution.
const TURN: f64 = 400_000.0;
/// What an engine may take of all rounds together; one that needs more sits most of them out.
const BUDGET: f64 = 8e9;

/// Measures the engines side by side.
pub(crate) fn rounds(subjects: &[Subject], rounds: usize) -> Vec<Measured<'_>> {
    let turns: Vec<Turn> = subjects.iter().map(|subject| Turn::of(subject, rounds)).collect();
    let mut times: Vec<Vec<f64>> = vec![vec![f64::NAN; rounds]; subjects.len()];
    let mut probes: Vec<Vec<f64>> = times.clone();
    let (mut random, mut order) = (Random(1), (0..subjects.len()).collect::<Vec<_>>());
    for round in 0..rounds {
        // Nobody always comes after the same other.
        for place in (1..order.len()).rev() {
            order.swap(place, random.below(place as u32 + 1) as usize);
        }
        for &who in &order {
            let (Some(subject), Some(turn)) = (subjects.get(who), turns.get(who)) else { continue };
            if !round.is_multiple_of(turn.every) {
                continue;
            }
            subject.run(turn.start(round), turn.warm);
            let before = probe();
            let time = subject.timed(turn.start(round + 1), turn.people);
            let probed = before.max(probe());
            for (all, value) in [(&mut times, time), (&mut probes, probed)] {
                if let Some(slot) = all.get_mut(who).and_then(|t| t.get_mut(round)) {
                    *slot = value;
                }
            }
        }
    }
    let best = probes.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let measured = subjects.iter().zip(times).zip(probes).map(|((subject, by_round), probes)| {
        let taken: Vec<f64> = by_round.iter().copied().filter(|t| !t.is_nan()).collect();
        let quiet = by_round.iter().zip(&probes).filter(|(_, probe)| **probe <= best * QUIET);
        let quiet: Vec<f64> = quiet.map(|(time, _)| *time).collect();
        let quiet = (Spread::of(quiet.clone()), quiet.len());
        Measured { subject, quiet, rounds: taken.len(), time: Spread::of(taken), by_round }
    });
    measured.collect()
}

/// A core is quiet while the probe takes at most this many times as long as at its best. With a busy
/// neighbour it takes nearly twice as long.
const QUIET: f64 = 1.1;

/// How long a fixed piece of work takes that keeps all units of a core busy and touches no memory.
fn probe() -> f64 {
    let mut lanes = [1_u64, 2, 3, 4, 5, 6];
    let began = processor_time();
    for _ in 0..3_000 {
        for lane in &mut lanes {
            *lane = lane.rotate_left(5) ^ 0x9e37_79b9;
        }
        lanes = std::hint::black_box(lanes);
    }
    processor_time() - began
}

/// How an engine takes part.
struct Turn {
    /// For whom it evaluates first without being timed, so that its rules and the contexts are again
    /// where the engine before it was: in the caches.
    warm: usize,
    people: usize,
    /// In every so-many-th round.
    every: usize,
}

impl Turn {
    fn of(subject: &Subject, rounds: usize) -> Self {
        let mut people = 1;
        let one = loop {
            let per_person = subject.timed(1, people) * subject.flags as f64;
            if per_person * people as f64 > TURN / 4.0 {
                break per_person;
            }
            people *= 2;
        };
        let people = (TURN / one).max(1.0);
        let warm = if subject.stays { people.min(subject.people as f64) } else { 0.0 };
        let all = one * (warm + people) * rounds as f64;
        let every = ((all / BUDGET).ceil() as usize).max(1);
        Self { warm: warm as usize, people: people as usize, every }
    }

    /// Where a round begins: other people than in the one before.
    fn start(&self, round: usize) -> u64 {
        (round * self.people) as u64
    }
}

/// Lets the engines run without measuring them.
pub(crate) fn alone(subjects: &[Subject], seconds: u64) {
    for subject in subjects {
        let people = 1_000_000 / subject.flags;
        let (began, mut turns, mut used) = (Instant::now(), 0_u32, 0.0);
        while began.elapsed() < Duration::from_secs(seconds) {
            used += subject.timed(u64::from(turns), people);
            turns += 1;
        }
        println!("{}: {:.1} ns", subject.name, used / f64::from(turns));
    }
}
