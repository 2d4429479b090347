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
        ramp: None,
        guard: Some(guard(margin)),
        state: RolloutState::Widening,
        started: Millis(0),
        resumed: None,
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
    let seen = evidence(vec![arm("old", old.0, old.1), arm("new", new.0, new.1)]);
    let fits = fitting(rollout(margin, epoch), new.1, old.1);
    judge(&fits, &guard(margin), &metric(Measure::Conversion, better), &seen).unwrap()
}

fn evidence(arms: Vec<Arm>) -> Evidence {
    Evidence { increments: vec![arms.iter().map(|a| a.exposed).collect()], arms, crossed: 0 }
}

/// The rollout with the shares that these units have, so that only the metric is at stake.
fn fitting(rollout: Rollout, new: u64, old: u64) -> Rollout {
    let bp = (10_000 * new / (new + old).max(1)).clamp(1, 9_999) as u16;
    shared(rollout, bp)
}

fn shared(rollout: Rollout, bp: u16) -> Rollout {
    let share = |bp| Share::basis_points(bp).unwrap();
    let split = Split::new("s", &[(key("new"), share(bp)), (key("old"), share(10_000 - bp))], None).unwrap();
    Rollout { split, ..rollout }
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
        judge(
            &rollout(0.2, 0),
            &guard(0.2),
            &revenue,
            &evidence(vec![spent("old", 10.0), spent("new", 9.0)]),
        )
        .unwrap(),
        judge(&rollout(0.2, 0), &guard(0.2), &revenue, &evidence(vec![])).unwrap(),
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

/// Where units do not split by the shares, no number of the metric decides, however large.
#[test]
fn a_mismatch_neither_clears_nor_halts() {
    let signups = metric(Measure::Conversion, Better::Higher);
    let tenth = shared(rollout(0.01, 0), 1_000);
    let says = |new: (u64, u64), old: (u64, u64)| {
        let seen = evidence(vec![arm("old", old.0, old.1), arm("new", new.0, new.1)]);
        judge(&tenth, &guard(0.01), &signups, &seen).unwrap()
    };
    // A tenth of 9,100 is 910: 700 are too few, 900 are as many as chance gives.
    let harm = says((0, 700), (840, 8_400));
    let quiet = says((70, 700), (840, 8_400));
    let chance = says((90, 900), (820, 8_200));
    insta::assert_snapshot!([&harm, &quiet, &chance].map(GuardVerdict::sentence).join("\n"), @r"
    sample ratio mismatch: `new` has 700 units, not 910, and `old` has 8,400 units, not 8,190 (p < 0.0001, valid at every look), so `signup` cannot be judged; without that the guard would say: harm shown: `new` lowers `signup` by 10.0 points, at least by 6.6 points, against a margin of 1.0 points: 0.00% of 700 with `new` against 10.00% of 8,400 with `old`, p < 0.0001, valid at every look, alpha 3.04% of 5% in this epoch
    sample ratio mismatch: `new` has 700 units, not 910, and `old` has 8,400 units, not 8,190 (p < 0.0001, valid at every look), so `signup` cannot be judged; without that the guard would say: no harm beyond the tolerated 1.0 points is shown in `signup`: 10.00% of 700 with `new` against 10.00% of 8,400 with `old`, p = 1, valid at every look, alpha 3.04% of 5% in this epoch
    no harm beyond the tolerated 1.0 points is shown in `signup`: 10.00% of 900 with `new` against 10.00% of 8,200 with `old`, p = 1, valid at every look, alpha 3.04% of 5% in this epoch
    ");
    assert!(says((0, 900), (820, 8_200)).harm());
    for verdict in [harm, quiet] {
        assert_eq!(halt(&key("checkout"), &key("production"), &tenth, &verdict, Millis(77)), None);
        let GuardVerdict::Mismatch { sample_ratio, candidate, control, hint, .. } = verdict else {
            panic!("another verdict")
        };
        assert!(sample_ratio.broken && sample_ratio.sequential.unwrap() < 0.001);
        assert_eq!(candidate, Divided { exposed: 700, expected: 910.0 });
        assert_eq!(control, Divided { exposed: 8_400, expected: 8_190.0 });
        assert!(hint.starts_with("look at `new` by hand"), "{hint}");
    }
}

/// The shares are those of the ranges: of the two arms alone where there is a rest, and none where one
/// of them has no range.
#[test]
fn the_ratio_is_that_of_the_ranges() {
    let signups = metric(Measure::Conversion, Better::Higher);
    let mismatch = |of: &[(&str, u16)], new: u64, old: u64| {
        let shares: Vec<_> = of.iter().map(|(v, bp)| (key(v), Share::basis_points(*bp).unwrap())).collect();
        let split = Split::new("s", &shares, None).unwrap();
        let seen = evidence(vec![arm("old", old / 10, old), arm("new", new / 10, new)]);
        let verdict = judge(&Rollout { split, ..rollout(0.01, 0) }, &guard(0.01), &signups, &seen).unwrap();
        matches!(verdict, GuardVerdict::Mismatch { .. })
    };
    let rest = [("new", 500), ("old", 500), ("rest", 9_000)];
    assert!(!mismatch(&rest, 5_050, 4_950));
    assert!(mismatch(&rest, 5_500, 4_500));
    assert!(mismatch(&[("new", 1_000), ("old", 9_000)], 5_050, 4_950));
    assert!(!mismatch(&[("new", 10_000)], 5_050, 4_950));
}

#[test]
fn a_guard_that_is_none_is_refused() {
    let signups = metric(Measure::Conversion, Better::Higher);
    let nothing = evidence(vec![]);
    assert!(judge(&rollout(0.0, 0), &Guard { alpha: 0.6, ..guard(0.0) }, &signups, &nothing).is_err());
    assert!(judge(&rollout(0.0, 0), &guard(-0.1), &signups, &nothing).is_err());
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

/// A rollout of 100 looks, each after 200 more units, of which the candidate loses some: the look that
/// sees that they do not split as they should.
fn mismatched_at(seed: u64, bp: u16, lost: f64) -> Option<u32> {
    let mut seeded = Seeded(seed);
    let signups = metric(Measure::Conversion, Better::Higher);
    let rollout = shared(rollout(0.05, 0), bp);
    let (mut increments, mut exposed) = (Vec::new(), [0, 0]);
    (0..100).find(|_| {
        let new = seeded.binomial(200, f64::from(bp) / 10_000.0);
        let seen = [200 - new, seeded.binomial(new, 1.0 - lost)];
        for (all, more) in exposed.iter_mut().zip(seen) {
            *all += more;
        }
        increments.push(seen.to_vec());
        let arms = vec![arm("old", exposed[0] / 10, exposed[0]), arm("new", exposed[1] / 10, exposed[1])];
        let evidence = Evidence { arms, increments: increments.clone(), crossed: 0 };
        let verdict = judge(&rollout, &guard(0.05), &signups, &evidence).unwrap();
        matches!(verdict, GuardVerdict::Mismatch { .. })
    })
}

/// Units that split by chance alone are called a mismatch at most once in a thousand epochs, though the
/// guard looks a hundred times: not twice in 200 runs.
#[test]
fn a_split_by_chance_is_hardly_ever_a_mismatch() {
    for bp in [5_000, 1_000, 100] {
        let called = (0..runs()).filter(|run| mismatched_at(*run, bp, 0.0).is_some()).count() as u64;
        println!("candidate at {bp} basis points: {called} of {} called a mismatch", runs());
        assert!(called * 200 <= runs(), "{bp}: {called} of {}", runs());
    }
}

/// And a candidate that loses a fifth of its units is seen.
#[test]
fn a_mismatch_is_found() {
    for (bp, most) in [(5_000, 30), (1_000, 99)] {
        let looks: Vec<u32> = (0..50).map(|run| mismatched_at(run, bp, 0.2).unwrap_or(u32::MAX)).collect();
        let late = looks.iter().filter(|look| **look > most).count();
        println!("a fifth lost of {bp} basis points: {late} of 50 not seen after {most} looks");
        assert!(late <= 1, "{bp}: {looks:?}");
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
