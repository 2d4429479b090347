//! Numbers at the ends: each answer is right or refused, never NaN and never a default.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bellwether_stats::counts::{self, Count};
use bellwether_stats::multiplicity::{Adjustment, adjust};
use bellwether_stats::planning::{self, Design, student};
use bellwether_stats::proportions::{self, Continuity};
use bellwether_stats::rank::{self, Correction};
use bellwether_stats::{
    Alternative, Arm, Direction, Interval, Level, Moments, Proportion, Refusal, Sides, Test, Variances,
    difference, lift, log_ratio, newcombe, two_proportions, welch, wilson,
};

const SIDES: [Alternative; 3] = [Alternative::TwoSided, Alternative::Greater, Alternative::Less];

#[track_caller]
fn sound(test: Result<Test, Refusal>) {
    if let Ok(test) = test {
        assert!(test.p > 0.0 && test.p <= 1.0 && test.ln_p <= 0.0 && !test.statistic.is_nan(), "{test:?}");
    }
}

#[track_caller]
fn ordered(interval: Result<Interval, Refusal>) {
    if let Ok(interval) = interval {
        assert!(interval.low <= interval.high, "{interval:?}");
        assert!(interval.low.is_finite() && interval.high.is_finite(), "{interval:?}");
    }
}

/// Every pair of arms of up to five units, and some of a billion or more.
#[test]
fn proportions_of_every_size_are_answered_or_refused() {
    let mut arms: Vec<(u64, u64)> = (0..=5).flat_map(|n| (0..=n).map(move |x| (x, n))).collect();
    arms.extend([
        (1_000_000_000, 1_000_000_000),
        (0, 1_000_000_000),
        (3, 4_000_000_000),
        (500_000_000, 1_000_000_000),
    ]);
    for &(xc, nc) in &arms {
        for &(xt, nt) in &arms {
            let (c, t) = (Proportion::new(xc, nc).unwrap(), Proportion::new(xt, nt).unwrap());
            let level = Level::P95;
            if let Ok(result) = two_proportions(&c, &t, level) {
                assert!(result.p > 0.0 && result.p <= 1.0 && result.se > 0.0);
            }
            for side in SIDES {
                sound(proportions::pooled_z(&c, &t, side));
                sound(proportions::corrected_z_test(&c, &t, side));
                sound(proportions::score_test(&c, &t, 0.1, side));
                sound(proportions::ratio_score_test(&c, &t, 1.2, side));
                sound(proportions::fisher(&c, &t, side));
            }
            for continuity in [Continuity::None, Continuity::Yates] {
                sound(proportions::pearson(&c, &t, continuity));
                sound(proportions::likelihood_ratio(&c, &t, continuity));
            }
            ordered(proportions::agresti_caffo(&c, &t, level));
            ordered(proportions::miettinen_nurminen(&c, &t, level));
            ordered(proportions::ratio_score(&c, &t, level));
            if let Ok(low) = proportions::ratio_score_low(&c, &t, level) {
                assert!(low >= 0.0 && low.is_finite(), "{c:?} {t:?} {low}");
            }
            ordered(newcombe(&c, &t, level));
            ordered(wilson(&t, level));
            ordered(proportions::clopper_pearson(&t, level));
            if let Ok(ratio) = proportions::odds_ratio(&c, &t) {
                assert!(ratio >= 0.0 && ratio.is_finite());
            }
            // One side empty: every comparison is refused, by name.
            if nc == 0 {
                let refusal = Refusal::TooLittle { arm: Arm::Control, have: 0, need: 1 };
                assert_eq!(two_proportions(&c, &t, level), Err(refusal.clone()));
                assert_eq!(proportions::fisher(&c, &t, Alternative::Less), Err(refusal.clone()));
                assert_eq!(proportions::miettinen_nurminen(&c, &t, level), Err(refusal));
            }
        }
    }
}

/// n = 0, 1, 2, all equal, one side empty; values of 1e12 with a variance of one.
#[test]
fn means_of_every_size_are_answered_or_refused() {
    let of = |values: &[f64]| Moments::of(values).unwrap();
    let arms = [
        of(&[]),
        of(&[3.0]),
        of(&[3.0, 3.0]),
        of(&[3.0, 4.0]),
        of(&[-1e12, 1e12]),
        of(&[1e12, 1e12 + 1.0, 1e12 + 2.0]),
        of(&[1e-300, 2e-300, 4e-300]),
        of(&[0.0, 0.0, 0.0, 1.0]),
    ];
    for c in &arms {
        for t in &arms {
            for variances in [Variances::Unequal, Variances::Equal] {
                match difference(c, t, variances) {
                    Ok(estimate) => {
                        assert!(c.n() >= 2 && t.n() >= 2);
                        for side in SIDES {
                            sound(estimate.test(0.0, side));
                        }
                        ordered(Ok(estimate.interval(Level::P95)));
                    }
                    Err(Refusal::TooLittle { have, need: 2, .. }) => assert!(have < 2),
                    Err(refusal) => assert!(
                        matches!(
                            refusal,
                            Refusal::NoVariance | Refusal::OnlyRounding | Refusal::NotFinite { .. }
                        ),
                        "{refusal}"
                    ),
                }
                if let Ok(ratio) = log_ratio(c, t, variances) {
                    assert!(ratio.value().is_finite() && ratio.se() > 0.0);
                }
            }
            if let Ok(lift) = lift(c, t) {
                assert!(lift.value().is_finite() && lift.se() > 0.0);
            }
        }
    }
}

/// Sums of squares would leave nothing of a variance of one beside a mean of 1e12.
#[test]
fn a_variance_of_one_beside_a_mean_of_1e12() {
    let values =
        |shift: f64| (0..10_000).map(move |i| 1e12 + shift + f64::from(i % 3) - 1.0).collect::<Vec<_>>();
    let (control, treatment) = (Moments::of(&values(0.0)).unwrap(), Moments::of(&values(0.05)).unwrap());
    let near_zero =
        |shift: f64| Moments::of(&values(shift).iter().map(|x| x - 1e12).collect::<Vec<_>>()).unwrap();
    let far = welch(&control, &treatment, Level::P95).unwrap();
    let near = welch(&near_zero(0.0), &near_zero(0.05), Level::P95).unwrap();
    assert!((far.estimate / near.estimate - 1.0).abs() < 1e-9, "{} {}", far.estimate, near.estimate);
    assert!((far.se / near.se - 1.0).abs() < 1e-9);
    assert!((far.ln_p / near.ln_p - 1.0).abs() < 1e-7, "{} {}", far.ln_p, near.ln_p);
}

#[test]
fn counts_of_every_size_are_answered_or_refused() {
    let arms: Vec<Count> = [0, 1, 2, 1_000, 1_000_000]
        .into_iter()
        .flat_map(|x| [1e-9, 1.0, 1e12].map(|exposure| Count::new(x, exposure).unwrap()))
        .collect();
    for c in &arms {
        for t in &arms {
            for side in SIDES {
                for test in [counts::score, counts::wald, counts::square_root, counts::exact_conditional] {
                    sound(test(c, t, 1.0, side));
                }
                if c.events() + t.events() < 10_000 {
                    sound(counts::e_test(c, t, 1.0, side));
                }
            }
            ordered(counts::exact_ratio(c, t, Level::P95));
            if let Ok(ratio) = counts::log_ratio(c, t) {
                assert!(ratio.value().is_finite());
            }
        }
        ordered(Ok(counts::garwood(c, Level::P95)));
    }
}

#[test]
fn ranks_of_every_size_are_answered_or_refused() {
    let arms: [&[f64]; 6] =
        [&[], &[1.0], &[1.0, 1.0], &[1.0, 2.0], &[1e12, 1e12 + 1.0, 1e12 + 2.0], &[-f64::MAX, 0.0, f64::MAX]];
    for c in arms {
        for t in arms {
            for side in SIDES {
                for correction in [Correction::None, Correction::Half] {
                    sound(rank::mann_whitney(c, t, side, correction).map(|found| found.test));
                }
                sound(rank::mann_whitney_exact(c, t, side));
                sound(rank::brunner_munzel(c, t, side));
            }
            sound(rank::kolmogorov_smirnov(c, t));
            sound(rank::kruskal_wallis(&[c, t]));
            ordered(rank::shift_interval(c, t, Level::new(0.6).unwrap()));
            ordered(rank::exact_shift_interval(c, t, Level::new(0.6).unwrap()));
            if let Ok(shift) = rank::hodges_lehmann(c, t) {
                assert!(shift.is_finite());
            }
            if let Ok(estimate) = rank::yuen(c, t, 0.2, Variances::Unequal) {
                assert!(estimate.se() > 0.0);
            }
            if let Ok(test) = rank::brown_forsythe(&[c, t]) {
                assert!(test.p > 0.0 && test.p <= 1.0);
            }
        }
    }
}

/// Arguments out of their range are named with the bound.
#[test]
fn bad_arguments_are_named() {
    let text = |refusal: Refusal| format!("{refusal}\nhint: {}", refusal.hint());
    let design = Design::default();
    let check = |refusal: Refusal, expected: &str| assert_eq!(text(refusal), expected);
    check(
        Level::from_alpha(0.0).unwrap_err(),
        "an error rate alpha must lie between 0 and 0.5: `0`\nhint: give a value in that range",
    );
    check(
        Level::from_alpha(f64::NAN).unwrap_err(),
        "an error rate alpha must lie between 0 and 0.5: `NaN`\nhint: give a value in that range",
    );
    check(
        Design::new(Level::P95, 0.04, Sides::Two).unwrap_err(),
        "the power of a test must lie between its error rate and 1: `0.04`\nhint: give a value in that range",
    );
    check(
        planning::sample_size_of_proportions(-0.1, 0.2, &design).unwrap_err(),
        "a rate must lie from 0 to 1: `-0.1`\nhint: give a value in that range",
    );
    check(
        planning::non_inferiority::sample_size_of_proportions(0.1, 0.08, 0.02, &design).unwrap_err(),
        "the rate of treatment that is expected must lie above the margin, `0.08`, or that it is not worse is not what is true: `0.08`\nhint: give a value in that range",
    );
    check(
        planning::factors::weeks(100.0, &[5.0, -1.0]).unwrap_err(),
        "the new units of a week must lie at 0 or above: `-1`\nhint: give a value in that range",
    );
    check(
        student::power(
            0.1,
            (1.0, 1.0),
            (1.0, 5.0),
            Variances::Equal,
            (Level::P95, Alternative::TwoSided),
            student::Tails::Both,
        )
        .unwrap_err(),
        "units of an arm must lie at 2 or above: `1`\nhint: give a value in that range",
    );
    check(
        adjust(&[-0.1], Adjustment::Holm).unwrap_err(),
        "a p-value must lie from 0 to 1: `-0.1`\nhint: give a value in that range",
    );
    check(
        Count::new(1, -1.0).unwrap_err(),
        "an exposure must lie above 0: `-1`\nhint: give a value in that range",
    );
    check(
        planning::counts::mde(0.1, (10.0, 0.0), 1.0, Direction::Higher, &design).unwrap_err(),
        "an exposure must lie above 0: `0`\nhint: give a value in that range",
    );
}

/// Plans of impossible size are refused, not rounded; tiny ones are one unit.
#[test]
fn plans_of_every_size_are_answered_or_refused() {
    let design = Design::default();
    let size = |effect: f64| planning::sample_size_of_means(effect, 1.0, 1.0, &design);
    assert!((size(1e-8).unwrap().treatment / 1.569_776e17 - 1.0).abs() < 1e-5, "{:?}", size(1e-8));
    assert_eq!(size(1e9).unwrap().treatment, 1.0);
    assert!(size(0.0).is_err() && size(f64::INFINITY).is_err());
    assert!(
        student::sample_size(1e-12, (1.0, 1.0), Variances::Equal, &design, student::Tails::Both).is_err()
    );
    let least =
        student::sample_size(1e6, (1.0, 1.0), Variances::Equal, &design, student::Tails::Both).unwrap();
    assert_eq!(least.treatment, 2.0);
    assert!(planning::mde_of_proportions(0.5, (1, 1), Direction::Higher, &design).is_err());
}
