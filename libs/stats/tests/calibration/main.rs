//! Calibration: over many seeded experiments without an effect, the tests of this room err as often
//! as they say, and intervals cover as often as they say.
//!
//! Everything is seeded (run `i` has the seed `i`), so that a test which passes keeps passing; a limit
//! is what a method with exactly the stated error rate exceeds with a probability of about 2 %.
//! `PROOF=full` runs ten times as many experiments, and writes docs/reference/calibration.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout)]

mod adjusted;
mod designs;
mod fixed;
mod sequential;
mod simulation;
mod table;

use bellwether_stats::{
    ConfidenceSequence, Direction, Level, Moments, Proportion, RelativeMethod, SampleRatioSequence, Sides,
    Tuning, harm, harm_in_proportions, two_proportions, welch,
};
use simulation::{Random, at_most, count, runs};

/// One experiment on conversions, looked at after every batch of users; whether harm was ever shown.
/// The treated arm gets `share` of the users.
fn harm_in_conversions(
    random: &mut Random,
    share: f64,
    rates: [f64; 2],
    margin: f64,
    better: Direction,
) -> bool {
    let mut arms = [Proportion::default(); 2];
    for _ in 0..200 {
        for _ in 0..50 {
            let arm = usize::from(random.happens(share));
            let hit = u64::from(random.happens(rates[arm]));
            arms[arm] = arms[arm].merge(&Proportion::new(hit, 1).unwrap());
        }
        let [control, treatment] = &arms;
        let (level, tuning) = (Level::P95, Tuning::default());
        if let Ok(look) = harm_in_proportions(control, treatment, margin, better, level, tuning)
            && look.crossed
        {
            return true;
        }
    }
    false
}

#[test]
fn a_guard_peeked_at_every_look_rarely_cries_wolf() {
    assert_eq!(at_most(0.05, 200), 16);
    let runs = runs(200);
    for (share, rate, better) in [
        (0.5, 0.02, Direction::Higher),
        (0.5, 0.10, Direction::Higher),
        (0.5, 0.10, Direction::Lower),
        (0.5, 0.50, Direction::Higher),
        (0.5, 0.97, Direction::Higher),
        (0.05, 0.02, Direction::Higher),
        (0.05, 0.02, Direction::Lower),
        (0.05, 0.30, Direction::Higher),
        (0.01, 0.10, Direction::Higher),
    ] {
        let halted = count(runs, |r| harm_in_conversions(r, share, [rate, rate], 0.0, better));
        println!("harm without effect, treated {share}, rate {rate}, {better:?}: {halted} of {runs}");
        assert!(halted <= at_most(0.05, runs), "{halted} of {runs}");
    }
}

/// The null is "not worse than the margin": on its border the error rate holds too.
#[test]
fn a_harm_as_large_as_the_margin_is_tolerated() {
    let runs = runs(200);
    let halted = count(runs, |r| harm_in_conversions(r, 0.5, [0.20, 0.17], 0.03, Direction::Higher));
    println!("harm at the margin: {halted} of {runs}");
    assert!(halted <= at_most(0.05, runs), "{halted} of {runs}");
}

#[test]
fn a_harm_beyond_the_margin_is_found() {
    let runs = runs(200);
    let halted = count(runs, |r| harm_in_conversions(r, 0.5, [0.20, 0.15], 0.01, Direction::Higher));
    println!("harm beyond the margin: {halted} of {runs}");
    assert!(halted * 10 >= runs * 9, "{halted} of {runs}");
}

/// Skewed values, as of revenue or latency: exponential ones, and log-normal ones among many zeros.
#[test]
fn a_guard_on_skewed_means_rarely_cries_wolf() {
    type Draw = fn(&mut Random) -> f64;
    let draws: [(&str, Draw); 3] = [
        ("exponential", |r| -r.uniform().ln()),
        ("log-normal among zeros", |r| if r.happens(0.2) { r.normal().exp() } else { 0.0 }),
        ("rare", |r| f64::from(u8::from(r.happens(0.02)))),
    ];
    let runs = runs(200);
    for (name, draw) in draws {
        for (share, better) in [
            (0.5, Direction::Higher),
            (0.5, Direction::Lower),
            (0.05, Direction::Higher),
            (0.05, Direction::Lower),
        ] {
            let halted = count(runs, |random| {
                let mut arms = [Moments::EMPTY; 2];
                (0..100).any(|_| {
                    for _ in 0..100 {
                        let arm = usize::from(random.happens(share));
                        arms[arm].push(draw(random)).unwrap();
                    }
                    let [control, treatment] = &arms;
                    let (level, tuning) = (Level::P95, Tuning::default());
                    harm(control, treatment, 0.0, better, level, tuning).is_ok_and(|l| l.crossed)
                })
            });
            println!("harm without effect, treated {share}, {name}, {better:?}: {halted} of {runs}");
            assert!(halted <= at_most(0.05, runs), "{halted} of {runs}");
        }
    }
}

/// A boundary that holds forever: looking a hundred times as long does not break it, where one of a
/// constant multiple of the standard error would be crossed in the end.
#[test]
fn the_error_rate_stays_as_the_experiment_grows() {
    let runs = runs(200);
    let sequence = ConfidenceSequence::new(Level::P95, Tuning::default(), Sides::Two);
    let crossed = count(runs, |random| {
        // Sums of unit-variance differences at looks that grow by a fiftieth, up to 10⁹ units.
        let (mut n, mut sum) = (200u64, 0.0);
        let mut before = 0u64;
        while n < 1_000_000_000 {
            sum += random.normal() * ((n - before) as f64).sqrt();
            let se = (n as f64).sqrt().recip();
            if (sum / n as f64).abs() > sequence.half_width(se, n).unwrap() {
                return true;
            }
            before = n;
            n += n / 50;
        }
        false
    });
    println!("two-sided, to 1e9 units: {crossed} of {runs}");
    assert!(crossed <= at_most(0.05, runs), "{crossed} of {runs}");
}

/// The largest distance between the values and the uniform distribution (Kolmogorov).
fn distance_from_uniform(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let distance = |(i, p): (usize, &f64)| {
        let i = i as f64;
        (p - i / n).abs().max((p - (i + 1.0) / n).abs())
    };
    values.iter().enumerate().map(distance).fold(0.0, f64::max)
}

#[test]
fn p_values_without_effect_are_uniform() {
    let runs = runs(2_000);
    let mut random = Random(7);
    let mut proportions = Vec::new();
    let mut means = Vec::new();
    for _ in 0..runs {
        let mut arm = |n: u64| {
            let hits = (0..n).filter(|_| random.happens(0.3)).count() as u64;
            Proportion::new(hits, n).unwrap()
        };
        let (control, treatment) = (arm(400), arm(700));
        let result = two_proportions(&control, &treatment, Level::P95).unwrap();
        proportions.push(result.p);
        let mut arm = |n: u64, sd: f64| {
            let values: Vec<f64> = (0..n).map(|_| sd * random.normal()).collect();
            Moments::of(&values).unwrap()
        };
        let (control, treatment) = (arm(12, 1.0), arm(30, 3.0));
        means.push(welch(&control, &treatment, Level::P95).unwrap().p);
    }
    // Kolmogorov's 1 % point, and for the counts the size of their steps.
    let limit = 1.63 / (runs as f64).sqrt();
    let (proportions, means) = (distance_from_uniform(proportions), distance_from_uniform(means));
    println!("distance from uniform: z {proportions:.4}, t {means:.4}, limit {limit:.4}");
    assert!(proportions < limit + 0.01 && means < limit);
}

/// Covers with a noisy baseline too: dividing the absolute interval by the control mean would not.
#[test]
fn intervals_cover() {
    let runs = runs(2_000);
    let (mut absolute, mut relative, mut as_if_fixed) = (0, 0, 0);
    let mut random = Random(11);
    for _ in 0..runs {
        // Control mean 1 ± 0.1: its own error is a large part of that of a lift of +50 %.
        let mut arm = |mean: f64| {
            let values: Vec<f64> = (0..100).map(|_| mean + random.normal()).collect();
            Moments::of(&values).unwrap()
        };
        let (control, treatment) = (arm(1.0), arm(1.5));
        let result = welch(&control, &treatment, Level::P95).unwrap();
        let lift = result.relative.unwrap();
        assert_eq!(lift.method, RelativeMethod::Delta);
        absolute += u64::from(result.interval.contains(0.5));
        relative += u64::from(lift.interval.contains(0.5));
        let c = control.mean().unwrap();
        let (low, high) = (result.interval.low / c, result.interval.high / c);
        as_if_fixed += u64::from(low <= 0.5 && 0.5 <= high);
    }
    println!("covered of {runs}: {absolute} absolute, {relative} relative, {as_if_fixed} if fixed");
    let missed = |covered: u64| runs - covered;
    assert!(missed(absolute) <= at_most(0.05, runs));
    // The delta method is an approximation: a point of slack.
    assert!(missed(relative) <= at_most(0.06, runs));
    assert!(missed(as_if_fixed) > at_most(0.06, runs));
}

#[test]
fn a_sample_ratio_peeked_at_every_look_rarely_cries_wolf() {
    let runs = runs(200);
    let check = |rate: f64, level: f64| {
        count(runs, |random| {
            let mut check = SampleRatioSequence::new(&[0.5, 0.5]).unwrap();
            (0..300).any(|_| {
                let first = (0..100).filter(|_| random.happens(rate)).count() as u64;
                check.observe(&[first, 100 - first]).unwrap() < level
            })
        })
    };
    let alarms = check(0.5, 0.05);
    let found = check(0.47, 0.001);
    println!("sample ratio: {alarms} of {runs} without, {found} with a mismatch of 47/53");
    assert!(alarms <= at_most(0.05, runs));
    assert!(found * 100 >= runs * 99);
}
