//! Trial: guards that speak, keep silent and wait, and how often they are wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use bellwether_model::{Share, Span, Split};
use bellwether_stats::Moments;
use proptest::prelude::*;

use super::*;

fn key<K: std::str::FromStr<Err = Invalid>>(name: &str) -> K {
    name.parse().unwrap()
}

fn guard(margin: f64) -> Guard {
    Guard { metric: key("signup"), margin, alpha: 0.05, window: Span::MINUTE.times(10) }
}

fn rollout(margin: f64, epoch: u32) -> Rollout {
    let half = Share::basis_points(5_000).unwrap();
    let (new, old) = (key("new"), key("old"));
    Rollout {
        split: Split::new("s", &[(key("new"), half), (key("old"), half)], None).unwrap(),
        candidate: new,
        control: old,
        guard: Some(guard(margin)),
        state: RolloutState::Widening,
        started: Millis(0),
        epoch,
        epoch_began: Millis(0),
    }
}

fn metric(measure: Measure, better: Better) -> Metric {
    Metric {
        key: key("signup"),
        name: "Signups".into(),
        description: String::new(),
        event: "signup".into(),
        only: vec![],
        measure,
        better,
    }
}

fn arm(name: &str, converted: u64, units: u64) -> Arm {
    let rate = if units == 0 { 0.0 } else { converted as f64 / units as f64 };
    let moments = Moments::new(units, rate, converted as f64 * (1.0 - rate)).unwrap();
    Arm { variant: key(name), exposed: units, units, converted, moments }
}

fn look(better: Better, margin: f64, epoch: u32, new: (u64, u64), old: (u64, u64)) -> GuardVerdict {
    let arms = [arm("old", old.0, old.1), arm("new", new.0, new.1)];
    judge(&rollout(margin, epoch), &guard(margin), &metric(Measure::Conversion, better), &arms).unwrap()
}

#[test]
fn a_look_says_its_numbers() {
    use Better::*;
    let revenue = metric(Measure::Sum { property: "price".into() }, Higher);
    let spent = |name: &str, mean: f64| Arm {
        moments: Moments::new(4_000, mean, 9.0 * 3_999.0).unwrap(),
        ..arm(name, 2_000, 4_000)
    };
    let sentences = [
        look(Higher, 0.01, 0, (356, 5_012), (514, 4_988)),
        look(Lower, 0.01, 2, (514, 4_988), (356, 5_012)),
        look(Higher, 0.01, 0, (510, 5_012), (514, 4_988)),
        look(Lower, 0.01, 0, (356, 5_012), (514, 4_988)),
        look(Higher, 0.01, 0, (9, 99), (20, 200)),
        look(Higher, 0.01, 0, (9, 400), (12, 400)),
        judge(&rollout(0.2, 0), &guard(0.2), &revenue, &[spent("old", 10.0), spent("new", 9.0)]).unwrap(),
        judge(&rollout(0.2, 0), &guard(0.2), &revenue, &[]).unwrap(),
    ];
    let sentences: Vec<&str> = sentences.iter().map(GuardVerdict::sentence).collect();
    insta::assert_snapshot!(sentences.join("\n"), @r"
    harm shown: `new` lowers `signup` by 3.2 points, at least by 1.5 points, against a margin of 1.0 points: 7.10% of 5,012 with `new` against 10.30% of 4,988 with `old`, p = 0.00154, valid at every look, alpha 3.04% of 5% in this epoch
    harm shown: `new` raises `signup` by 3.2 points, at least by 1.1 points, against a margin of 1.0 points: 10.30% of 4,988 with `new` against 7.10% of 5,012 with `old`, p = 0.00163, valid at every look, alpha 0.338% of 5% in this epoch
    no harm beyond the tolerated 1.0 points is shown in `signup`: 10.18% of 5,012 with `new` against 10.30% of 4,988 with `old`, p = 1, valid at every look, alpha 3.04% of 5% in this epoch
    no harm beyond the tolerated 1.0 points is shown in `signup`: 7.10% of 5,012 with `new` against 10.30% of 4,988 with `old`, p = 1, valid at every look, alpha 3.04% of 5% in this epoch
    too little data: `new` has `99` of the `100` units that this test needs
    too little data: `21` successes in both arms, this test needs `25`
    harm shown: `new` lowers `signup` by 1.00, at least by 0.80, against a margin of 0.20: 9 per unit of 4,000 with `new` against 10 per unit of 4,000 with `old`, p < 0.0001, valid at every look, alpha 3.04% of 5% in this epoch
    too little data: `old` has `0` of the `100` units that this test needs
    ");
}

#[test]
fn only_harm_halts_and_only_what_still_widens() {
    let (flag, environment, now) = (key("checkout"), key("production"), Millis(77));
    let harm = look(Better::Higher, 0.01, 0, (356, 5_012), (514, 4_988));
    let quiet = look(Better::Higher, 0.01, 0, (510, 5_012), (514, 4_988));
    let widening = rollout(0.01, 0);
    let proposal = halt(&flag, &environment, &widening, &harm, now).unwrap();
    assert_eq!(proposal.why, harm.sentence());
    let Edit::RolloutSet { rollout: halted, .. } = proposal.edit else { panic!("another edit") };
    assert_eq!(halted.state, RolloutState::Halted { at: now, because: harm.sentence().to_owned() });
    assert_eq!(Rollout { state: RolloutState::Widening, ..halted.clone() }, widening);
    assert_eq!(halt(&flag, &environment, &widening, &quiet, now), None);
    assert_eq!(halt(&flag, &environment, &halted, &harm, now), None);
    let done = Rollout { state: RolloutState::Done { at: Millis(5) }, ..widening };
    assert_eq!(halt(&flag, &environment, &done, &harm, now), None);
}

#[test]
fn a_guard_that_is_none_is_refused() {
    let signups = metric(Measure::Conversion, Better::Higher);
    assert!(judge(&rollout(0.0, 0), &Guard { alpha: 0.6, ..guard(0.0) }, &signups, &[]).is_err());
    assert!(judge(&rollout(0.0, 0), &guard(-0.1), &signups, &[]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Harm in one direction is never harm in the other, and a later epoch is never easier to halt.
    #[test]
    fn directions_and_epochs_are_in_order(
        (x, n) in (100u64..5_000).prop_flat_map(|n| (0..=n, Just(n))),
        (y, m) in (100u64..5_000).prop_flat_map(|n| (0..=n, Just(n))),
        margin in 0.0..0.1f64, epoch in 0u32..5,
    ) {
        let higher = look(Better::Higher, margin, epoch, (x, n), (y, m));
        let lower = look(Better::Lower, margin, epoch, (x, n), (y, m));
        prop_assert!(!(higher.harm() && lower.harm()));
        prop_assert!(!look(Better::Higher, margin, epoch + 1, (x, n), (y, m)).harm() || higher.harm());
        if let GuardVerdict::Harm { look, .. } = &higher {
            prop_assert!(look.bound < -margin && look.estimate < look.bound && look.p < look.alpha);
        }
    }
}

/// One uniform number at a time, by splitmix64.
struct Seeded(u64);

impl Seeded {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn binomial(&mut self, n: u64, p: f64) -> u64 {
        (0..n).filter(|_| self.uniform() < p).count() as u64
    }
}

/// A rollout of at most 100 looks, each after 100 more units per arm: the look that halts it. The
/// ratio changes after every `looks_per_epoch` looks, and evidence starts anew.
fn halted_at(seed: u64, margin: f64, old: f64, new: f64, looks_per_epoch: u32) -> Option<u32> {
    let mut seeded = Seeded(seed);
    let mut seen = [(0, 0); 2];
    (0..100).find(|look_number| {
        if look_number % looks_per_epoch == 0 {
            seen = [(0, 0); 2];
        }
        for ((converted, units), rate) in seen.iter_mut().zip([new, old]) {
            *converted += seeded.binomial(100, rate);
            *units += 100;
        }
        look(Better::Higher, margin, look_number / looks_per_epoch, seen[0], seen[1]).harm()
    })
}

fn runs() -> u64 {
    if std::env::var("PROOF").is_ok_and(|p| p == "full") { 2_000 } else { 200 }
}

/// Rollouts without effect, looked at after every batch, are halted at most as often as alpha says:
/// 16 of 200 is 5% and two standard errors. Also where the ratio changes on the way, and where the
/// candidate is worse by exactly what is tolerated.
#[test]
fn a_harmless_rollout_is_rarely_halted() {
    let cases = [
        ("no effect", 0.0, 0.10, 0.10, 100),
        ("no effect, ten ratios", 0.0, 0.10, 0.10, 10),
        ("no effect, half of all convert", 0.0, 0.50, 0.50, 100),
        ("worse by the margin", 0.02, 0.10, 0.08, 100),
    ];
    for (name, margin, old, new, per_epoch) in cases {
        let halts = (0..runs()).filter(|run| halted_at(*run, margin, old, new, per_epoch).is_some()).count();
        println!("{name}: {halts} of {} halted", runs());
        assert!(halts as u64 * 200 <= 16 * runs(), "{name}: {halts} of {} halted", runs());
    }
}

/// And a candidate that loses five points of ten where one is tolerated does not get far.
#[test]
fn harm_is_found() {
    let looks: Vec<u32> = (0..50).map(|run| halted_at(run, 0.01, 0.10, 0.05, 100).unwrap()).collect();
    let mean = looks.iter().map(|look| f64::from(look + 1) * 200.0).sum::<f64>() / looks.len() as f64;
    println!("harm of 5 points, 1 tolerated: all 50 halted, after {mean:.0} units on average");
    assert!(mean < 6_000.0, "{mean}");
}
