//! Arguments at the edge of the numbers: counts that overflow together, searches and sums of astronomic length, sizes
//! that no memory holds. Each has the right answer, in bounded time, or a refusal that names the argument and its bound.
//!
//! Long because: each bound, and each number that overflows, is shown once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bellwether_stats::design::interleaving::{self, Preference};
use bellwether_stats::eval::{pass_at_k, pass_hat_k};
use bellwether_stats::group_sequential::Spending;
use bellwether_stats::multiplicity::{Adjustment, Graph, adjust, dunnett_critical};
use bellwether_stats::planning::{self, factors};
use bellwether_stats::quantile::QuantileArm;
use bellwether_stats::resample::{Bootstrap, Draws, PoissonBootstrap};
use bellwether_stats::*;

const MOST: u64 = u64::MAX;

fn rate(successes: u64, n: u64) -> Proportion {
    Proportion::new(successes, n).unwrap()
}

fn close(ours: f64, theirs: f64, within: f64) {
    assert!((ours - theirs).abs() <= within * theirs.abs(), "{ours:e} {theirs:e}");
}

/// Units that no `u64` counts together: the pooled rate is that of both arms, not of a count that stopped.
#[test]
fn arms_that_pass_2_to_the_64_together_are_pooled() {
    let mirrored = two_proportions(&rate(1, MOST), &rate(MOST - 1, MOST), Level::P95).unwrap();
    // A pooled rate of one half: z = √(n/2)·2·d.
    close(mirrored.statistic, 2.0 * (MOST as f64 / 2.0).sqrt(), 1e-12);
    assert!(mirrored.ln_p.is_finite());
    // The same shares of fewer units, with the errors scaled.
    let of = |n: u64| two_proportions(&rate(n / 4, n), &rate(n / 4 + n / 1_000_000, n), Level::P95).unwrap();
    let (near, far) = (of(1 << 62), of(MOST));
    close(far.statistic / near.statistic, 2.0, 1e-9);
    let z =
        proportions::pooled_z(&rate(MOST / 2, MOST), &rate(MOST / 3, MOST), Alternative::TwoSided).unwrap();
    assert!(z.statistic < -1e8 && z.ln_p < -1e15, "{z:?}");
    let table =
        proportions::pearson(&rate(MOST / 2, MOST), &rate(MOST / 3, MOST), proportions::Continuity::None);
    close(table.unwrap().statistic, z.statistic * z.statistic, 1e-9);
}

/// Fisher's sums are over whole numbers: where an `f64` does not tell them apart there is no exact test.
#[test]
fn an_exact_test_of_more_units_than_are_told_apart_is_refused() {
    for n in [1 << 53, MOST] {
        let refusal =
            proportions::fisher(&rate(n / 2, n), &rate(n / 3, n), Alternative::TwoSided).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            format!(
                "the units of both arms of an exact test must lie at or below `9007199254740992`: `{}`",
                2 * u128::from(n)
            )
        );
    }
    let n = 1u64 << 50;
    let p =
        proportions::fisher(&rate(n / 2, n), &rate(n / 2 + 30_000_000, n), Alternative::TwoSided).unwrap();
    let z = two_proportions(&rate(n / 2, n), &rate(n / 2 + 30_000_000, n), Level::P95).unwrap();
    close(p.ln_p, z.ln_p, 1e-4);
}

#[test]
fn preferences_of_every_size_have_a_share() {
    let all = Preference { a: MOST, b: MOST, ties: MOST };
    assert_eq!(all.delta(), Some(0.0));
    let interval = all.interval(Level::P95).unwrap();
    assert!(interval.low < 0.0 && interval.high > 0.0 && interval.high < 1e-9, "{interval:?}");
    close(Preference { a: MOST, b: 1, ties: 0 }.delta().unwrap(), -0.5, 1e-12);
    close(Preference { a: 0, b: MOST, ties: MOST }.delta().unwrap(), 0.25, 1e-12);
}

/// Squares beyond the numbers are infinite and refused; they never become a NaN.
#[test]
fn moments_that_overflow_are_not_nan() {
    assert!(Moments::new(MOST, 1e308, 1e308).is_err() && Moments::constant(MOST, 1e200).is_err());
    assert!(Moments::EMPTY.clone().push(1e200).is_err() && Moments::of(&[1e200]).is_err());
    let wide = Moments::new(MOST, 1e153, f64::MAX).unwrap();
    let other = Moments::new(MOST, -1e153, f64::MAX).unwrap();
    let mut all = wide.merge(&other);
    for _ in 0..4 {
        all = all.merge(&all).merge(&wide).merge(&other);
        assert!(
            !format!("{all:?} {:?} {} {}", all.variance(), all.sum(), all.sum_of_squares()).contains("NaN")
        );
        assert!(all.mean().unwrap().abs() <= 1e153);
    }
    assert!(welch(&all, &wide, Level::P95).is_err());
    let joint = JointMoments::of(&[&[1e153, -1e153], &[1.0, 2.0]]).unwrap();
    let mut all = joint.clone();
    let refusal = (0..1_100).find_map(|_| match all.merge(&all) {
        Ok(merged) => {
            all = merged;
            None
        }
        Err(refusal) => Some(refusal),
    });
    assert!(matches!(refusal, Some(Refusal::NotFinite { .. })), "{refusal:?}");
    assert!(all.covariance(0, 0).unwrap().is_finite());
    // Each piece of a column is finite, their sum is not.
    let column: Vec<f64> = (0..2_000).map(|i| if i % 2 == 0 { 1e153 } else { -1e153 }).collect();
    assert!(JointMoments::of(&[&column]).is_err());
}

#[test]
fn what_overflows_is_refused() {
    let not_finite = |refusal: Refusal| assert!(matches!(refusal, Refusal::NotFinite { .. }), "{refusal}");
    not_finite(factors::design_effect(1e200, 1e200, 0.1).unwrap_err());
    assert!(QuantileArm::from_ends(100, 0.5, -1e308, 1e308).is_err());
    let huge = Draws::new(-1e308, (0..500).map(|i| if i % 2 == 0 { 1e308 } else { -1e308 }).collect(), None);
    assert!(huge.unwrap().basic(Level::P95).is_err());
    assert!(counts::Count::new(MOST, 1e-300).is_err() && counts::Count::new(0, 1e-320).is_err());
    assert!(detect::least_delay(1e-300, 1.0 - 1e-16, 1e300).is_err());
    let design = planning::Design::default();
    let huge = (1e308, 1u64);
    not_finite(planning::mde_of_means(huge, huge, &design).unwrap_err());
    not_finite(planning::non_inferiority::margin_of_means(0.0, huge, huge, &design).unwrap_err());
    not_finite(planning::equivalence::margin_of_means(0.0, huge, huge, &design).unwrap_err());
    not_finite(planning::survival::units(1e308, (1e-300, 1e-300), &design).unwrap_err());
    not_finite(
        sequential::PolyStitching::new(1.0, 1e308, 1.4, 2.0).unwrap().bound(1e300, Level::P95).unwrap_err(),
    );
    let boundary =
        sequential::Mixture::normal(Sides::Two, 1e308, Level::P95).unwrap().bound(1e308, Level::P95);
    assert!(boundary.unwrap() > 1e154);
    not_finite(design::holdout::visible(f64::MAX, 2, 2, Level::P95, 0.99).unwrap_err());
    assert!(design::holdout::visible(1.0, 100, 100, Level::P95, 0.01).is_err());
    for size in [
        planning::sample_size_of_proportions(0.5, 0.5 + 1e-16, &design),
        planning::non_inferiority::sample_size_of_means(0.0, 1e-30, 1.0, 1.0, &design),
        planning::Design::default()
            .with_allocation(1e300)
            .and_then(|d| planning::sample_size_of_means(0.1, 1.0, 1.0, &d)),
    ] {
        let refusal = size.unwrap_err().to_string();
        assert!(
            refusal.starts_with("the sample size of a plan must lie at or below `1e18` in each arm"),
            "{refusal}"
        );
    }
    // Far beyond every number of standard errors the mean is gained, or nothing lost.
    let sure = bayes::NormalPosterior::new(1e10, 1e-300, &bayes::Prior::FLAT).unwrap();
    assert_eq!((sure.expected_gain(), sure.expected_loss()), (1e10, 0.0));
    assert!(sure.chance_above(f64::NAN).is_err() && sure.chance_below(f64::NAN).is_err());
    assert_eq!(sure.chance_above(f64::NEG_INFINITY), Ok(1.0));
    assert!(bayes::Beta::new(1.0, 1.0).unwrap().chance_above(f64::NAN).is_err());
    let test =
        Estimate::new(1e300, 1.0, None, Method::WelchT).unwrap().test(0.0, Alternative::TwoSided).unwrap();
    assert_eq!((test.p, test.ln_p), (f64::MIN_POSITIVE, -f64::MAX));
    let (comparisons, correction) =
        (planning::variants::Comparisons::WithControl, planning::variants::Correction::None);
    let two = (Level::P95, Alternative::TwoSided);
    for units in [[f64::MAX, f64::MAX], [1e300, 1e300]] {
        let answer = planning::variants::power(0.0, 1e-300, &units, comparisons, correction, two);
        not_finite(answer.unwrap_err());
    }
    not_finite(planning::survival::event_share(f64::MAX, f64::MAX, 0.0, 0.0).unwrap_err());
    assert!(Moments::constant(0, f64::NAN).is_err() && Moments::constant(0, 1.0) == Ok(Moments::EMPTY));
    assert_eq!(rank::hodges_lehmann(&[-1e308, 1e308], &[0.0, 0.0]), Ok(0.0));
    let mut cusum = detect::Cusum::new(detect::Chart::THIRTY_PERCENT, 1.0).unwrap();
    let sums: Vec<_> = (0..9).map(|_| cusum.observe(0, 1e308)).collect();
    assert!(sums.iter().any(Result::is_err) && cusum.sum().is_finite());
}

/// Likelihood ratios, widths and p-values of what is no estimate, and those that are too large for a number.
#[test]
fn always_valid_answers_are_numbers_or_refused() {
    let said = |answer: Result<f64, Refusal>| answer.unwrap_err().to_string();
    let mixture = NormalMixture::new(0.01).unwrap();
    for variance in [0.0, -0.02, f64::NAN, f64::INFINITY] {
        let expected = format!("the variance of an estimate must lie above 0: `{variance}`");
        assert_eq!(said(mixture.ln_likelihood_ratio(0.4, variance)), expected);
        assert_eq!(said(mixture.ln_likelihood_ratio_within(1.0, 0.4, variance)), expected);
        assert_eq!(said(mixture.half_width(variance, Level::P95)), expected);
        assert!(mixture.e_value(0.4, variance).is_err());
    }
    for bad in [f64::NAN, f64::INFINITY] {
        assert_eq!(
            said(mixture.ln_likelihood_ratio(bad, 0.1)),
            format!("an estimate must lie among the finite numbers: `{bad}`")
        );
    }
    for limit in [0.0, -1.0, f64::NAN] {
        assert_eq!(
            said(mixture.ln_likelihood_ratio_within(limit, 0.4, 0.1)),
            format!("the limit of a prior must lie above 0: `{limit}`")
        );
    }
    // Cut off nowhere, it is the ratio itself; where nothing is left there is none.
    assert_eq!(
        mixture.ln_likelihood_ratio_within(f64::INFINITY, 0.4, 0.1),
        mixture.ln_likelihood_ratio(0.4, 0.1)
    );
    assert!(mixture.ln_likelihood_ratio_within(1e-300, 0.4, 1e-9).is_err());
    assert!(
        mixture.ln_likelihood_ratio(1e200, 1e-300).is_err() && mixture.half_width(1e308, Level::P95).is_err()
    );
    let wide = NormalMixture::new(1e308).unwrap();
    assert!(wide.half_width(1e308, Level::P95).unwrap().is_finite());
    assert!(wide.ln_likelihood_ratio(1.0, 1e308).unwrap() < 0.0);

    for sides in [Sides::One, Sides::Two] {
        let sequence = ConfidenceSequence::new(Level::P95, Tuning::default(), sides);
        for se in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(
                said(sequence.half_width(se, 10)),
                format!("a standard error must lie at 0 or above: `{se}`")
            );
        }
        for z in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(
                said(sequence.ln_p(z, 10)),
                format!("a z statistic must lie among the finite numbers: `{z}`")
            );
        }
        let nobody = "too little data: `0` units, this method needs `1`";
        assert_eq!(
            (said(sequence.half_width(0.1, 0)), said(sequence.ln_p(3.0, 0))),
            (nobody.into(), nobody.into())
        );
        assert!(sequence.ln_p(1e200, 10).is_err() && sequence.half_width(f64::MAX, 10).is_err());
        assert!(sequence.half_width(0.1, MOST).unwrap() < 1.0);
        // The smallest of all error rates has a width too.
        let level = Level::from_alpha(5e-324).unwrap();
        let half = ConfidenceSequence::new(level, Tuning::default(), sides).half_width(1.0, 5_000).unwrap();
        assert!(half > 38.0 && half < 40.0, "{half}");
    }
}

#[test]
fn what_may_be_spent_is_a_share_of_alpha() {
    let said = |answer: Result<f64, Refusal>| answer.unwrap_err().to_string();
    let share = |t: f64| format!("a share of the information must lie at 0 or above: `{t}`");
    for spending in
        [Spending::OBrienFleming, Spending::Pocock, Spending::HwangShihDeCani(-4.0), Spending::KimDeMets(3.0)]
    {
        assert_eq!(said(spending.spent(f64::NAN, 0.025)), share(f64::NAN));
        assert_eq!(said(spending.spent(-1.0, 0.025)), share(-1.0));
        for alpha in [0.0, 1.0, 3.0, f64::NAN] {
            assert_eq!(
                said(spending.spent(0.5, alpha)),
                format!("the error that is spent must lie between 0 and 1: `{alpha}`")
            );
        }
    }
    for gamma in [f64::NAN, 1e5, -1e5] {
        let expected = format!("the gamma of Hwang, Shih and DeCani must lie between -40 and 40: `{gamma}`");
        assert_eq!(said(Spending::HwangShihDeCani(gamma).spent(0.5, 0.05)), expected);
    }
    assert!(Spending::KimDeMets(-3.0).spent(0.0, 0.025).is_err());
}

/// Where a planned share is one but for rounding, units of the other arm are as improbable as they are, not impossible.
#[test]
fn a_split_of_nearly_all_is_tested_by_the_other_arm() {
    let test = sample_ratio_exact(&[42, 5], &[1.0, 1e-30]).unwrap();
    // C(47, 5)·1e-150, and less for more of them.
    close(test.ln_p, 1_533_939f64.ln() - 150.0 * core::f64::consts::LN_10, 1e-12);
    let turned = sample_ratio_exact(&[5, 42], &[1e-30, 1.0]).unwrap();
    assert_eq!(test.ln_p, turned.ln_p);
    let corrected = sample_ratio_corrected(&[42, 5], &[1.0, 1e-30]).unwrap();
    assert!(
        corrected.statistic.is_finite() && corrected.ln_p < -1e29 && corrected.ln_p.is_finite(),
        "{corrected:?}"
    );
    // A share that is none beside the others would be an arm that is not there.
    assert_eq!(
        sample_ratio_of_few(&[44, 0], &[1e300, 1e-300]).unwrap_err().to_string(),
        "a planned share must lie at 0, or large enough to be told from it beside a sum of `1e300`: `1e-300`"
    );
    let mut sequence = SampleRatioSequence::new(&[0.5, 0.5]).unwrap();
    sequence.observe(&[MOST, 1]).unwrap();
    let refusal = sequence.observe(&[1, 7]).unwrap_err();
    assert_eq!(refusal.to_string(), "new units of an arm must lie at or below `0`: `1`");
    assert_eq!(sequence.counts(), [MOST, 1]);
}

/// The arms are drawn again, and with them what is washed out: no outcome may be missing.
#[test]
fn an_outcome_of_a_washout_is_an_outcome() {
    let plan = design::switchback::Switchback::new(2, 1, design::switchback::Mechanism::Coin).unwrap();
    let arms = [true, false, false, true, true, false];
    let mut outcomes: Vec<f64> = (0..12).map(f64::from).collect();
    assert!(plan.randomisation(&outcomes, &arms, 199, 1).is_ok());
    outcomes[2] = f64::NAN;
    for refusal in [
        plan.randomisation(&outcomes, &arms, 199, 1).unwrap_err(),
        plan.blocks(&outcomes, &arms).unwrap_err(),
        plan.series(&outcomes, &arms, 1).unwrap_err(),
    ] {
        assert_eq!(refusal.to_string(), "an outcome must lie among the finite numbers: `NaN`");
    }
}

/// A duration that is no number of weeks is none.
#[test]
fn a_plan_that_takes_for_ever_is_refused() {
    for (units, new) in [(1e300, 1.0), (1e18, 1e-300)] {
        let refusal = factors::weeks(units, &[new]).unwrap_err();
        assert!(
            refusal
                .to_string()
                .starts_with("the units of a plan must lie within a million weeks of the new units"),
            "{refusal}"
        );
    }
    assert_eq!(factors::weeks(1e6, &[1.0]), Ok(1_000_000));
    let refusal = interleaving::queries_needed(0.5 + 1e-16, Level::P95, 0.8).unwrap_err();
    assert!(refusal.to_string().starts_with("a rate of preference must lie"), "{refusal}");
}

/// Beyond 100,000 queries [`interleaving::visible`] turns the closed formula of `queries_needed` round.
#[test]
fn a_preference_among_more_queries_than_can_be_summed_is_visible() {
    for queries in [200_000, 50_000_000, 1_000_000_000_000] {
        let rate = interleaving::visible(queries, Level::P95, 0.8).unwrap();
        let needed = interleaving::queries_needed(rate, Level::P95, 0.8).unwrap();
        assert!((needed as f64 / queries as f64 - 1.0).abs() < 1e-3, "{queries} {rate} {needed}");
    }
    let rate = interleaving::visible(MOST, Level::P95, 0.8).unwrap();
    close(rate - 0.5, 0.5 * 2.801_585 / (MOST as f64).sqrt(), 1e-3);
}

/// By mpmath at 60 digits: `binomial(n-c, k)/binomial(n, k)`.
#[test]
fn passes_of_astronomic_numbers_are_exact() {
    for ((n, c, k), at, hat) in [
        ((MOST, 1, MOST / 2), 0.5, 0.0),
        ((MOST, MOST - 1, MOST / 2), 1.0, 0.5),
        ((1_000_000_000, 1_000_000, 1_000), 0.6323047590768249, 0.0),
        ((1_000_000_000_000, 1_000_000, 1_000_000), 0.6321209267080602, 0.0),
        ((1_000_000_000_000, 3_000_000, 2_000_000), 0.997521285004439, 0.0),
        ((MOST, 1_000_000_000, 1_000_000_000), 0.052766936246445684, 0.0),
        ((MOST, 10_000_000_000, 1_000_000_000), 0.4184748666668958, 0.0),
        ((MOST, 3_000_000_000, 4_000_000_000), 0.47822629666687155, 0.0),
        ((100_000_000_000, 1_000_000, 100_000), 0.6321225821723052, 0.0),
        ((100_000_000_000, 150_000, 200_000), 0.25918216824743107, 0.0),
        ((10_000_000_000, 1_428_571, 333_333), 1.0, 0.0),
        ((MOST, MOST / 2, 5), 0.96875, 0.03125),
        ((MOST, 200_001, 100_000_000_000_000), 0.6618313462172778, 0.0),
    ] {
        let (ours_at, ours_hat) = (pass_at_k(n, c, k).unwrap(), pass_hat_k(n, c, k).unwrap());
        assert!((ours_at - at).abs() <= 1e-13 * at, "{n} {c} {k}: {ours_at} {at}");
        assert!((ours_hat - hat).abs() <= 1e-13 * hat, "{n} {c} {k}: {ours_hat} {hat}");
    }
    assert!(pass_at_k(MOST, 2, 2).unwrap() > 2e-19);
}

/// The set of Simes' tests by its definition.
fn hommel(p: &[f64]) -> Vec<f64> {
    let mut sorted = p.to_vec();
    sorted.sort_by(f64::total_cmp);
    let m = p.len();
    let simes: Vec<f64> = (1..=m)
        .map(|j| (1..=j).map(|k| j as f64 * sorted[m - j + k - 1] / k as f64).fold(f64::INFINITY, f64::min))
        .collect();
    p.iter()
        .map(|p| simes.iter().zip(1..).map(|(s, j)| s.min(f64::from(j) * p)).fold(0.0, f64::max))
        .collect()
}

#[test]
fn hommel_of_a_hundred_thousand_is_that_of_the_definition() {
    let mut state = 7u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    for run in 0..120 {
        // Ties, zeros, ones and p-values of every size.
        let p: Vec<f64> = (0..1 + run)
            .map(|_| match run % 4 {
                0 => uniform(),
                1 => uniform().powi(40),
                2 => (uniform() * 6.0).floor() / 6.0,
                _ => uniform().powi(2),
            })
            .collect();
        for (ours, theirs) in adjust(&p, Adjustment::Hommel).unwrap().iter().zip(hommel(&p)) {
            assert!((ours - theirs.min(1.0)).abs() <= 1e-13 * theirs, "{p:?} {ours} {theirs}");
        }
    }
    let many: Vec<f64> = (1..=100_000).map(|i| f64::from(i) / 1e5).collect();
    assert!(adjust(&many, Adjustment::Hommel).unwrap().iter().all(|p| (p - 1.0).abs() < 1e-12));
    let mut some: Vec<f64> = (0..100_000).map(|_| uniform()).collect();
    some[..3].copy_from_slice(&[1e-300, 1e-9, 1e-7]);
    let ours = adjust(&some, Adjustment::Hommel).unwrap();
    close(ours[0], 1e-295, 1e-3);
    assert!(ours[1] < 1.01e-4 && ours[2] < 1.01e-2 && ours[1] < ours[2]);
}

#[test]
fn sizes_that_no_memory_holds_are_refused() {
    let draws = |n: usize| Bootstrap::new(n, 1).unwrap_err().to_string();
    assert_eq!(
        draws(1_000_000_000_000),
        "a number of draws must lie at or below `10000000`: `1000000000000`"
    );
    assert!(Bootstrap::new(usize::MAX, 1).is_err() && PoissonBootstrap::new(usize::MAX, 1).is_err());
    assert_eq!(
        Bootstrap::new(200, 1)
            .unwrap()
            .of_places(usize::MAX, |places| places.len() as f64)
            .unwrap_err()
            .to_string(),
        format!("the units of a bootstrap must lie at or below `10000000`: `{}`", usize::MAX)
    );
    assert_eq!(interleaving::team_draft(&[1, 1, 1], &[1], usize::MAX, 0).len(), 1);
    assert_eq!(interleaving::balanced(&[1, 2], &[2, 1], usize::MAX, 3).len(), 2);
    let said = |refusal: Refusal| refusal.to_string();
    assert_eq!(
        said(design::assignment::complete(usize::MAX, 1, 0).unwrap_err()),
        format!("the units of an assignment must lie at or below `100000000`: `{}`", usize::MAX)
    );
    for mechanism in [design::switchback::Mechanism::Coin, design::switchback::Mechanism::Pairs] {
        let switchback = design::switchback::Switchback::new(4, 0, mechanism).unwrap();
        assert_eq!(
            said(switchback.assign(usize::MAX, 1).unwrap_err()),
            format!("the blocks of a switchback must lie at or below `100000000`: `{}`", usize::MAX)
        );
    }
    for columns in [1_001, 1 << 20, usize::MAX] {
        assert_eq!(
            said(JointMoments::empty(columns).unwrap_err()),
            format!("the columns of moments must lie at or below `1000`: `{columns}`")
        );
    }
    let many: Vec<&[f64]> = vec![&[]; 1_001];
    assert!(JointMoments::of(&many).is_err() && JointMoments::from_sums(0, &[0.0; 1_001], &[]).is_err());
    assert!(by_arm(&[], usize::MAX, &[]).is_err() && by_arm(&[], 256, &[&[&[]]]).is_ok());
    for hypotheses in [1_001, 3_000, usize::MAX] {
        let expected = format!("the hypotheses of a graph must lie at or below `1000`: `{hypotheses}`");
        assert_eq!(said(Graph::holm(hypotheses).unwrap_err()), expected);
        assert_eq!(said(Graph::sequence(hypotheses).unwrap_err()), expected);
    }
    assert!(Graph::new(vec![0.0; 1_001], vec![]).is_err());
}

/// Draws without end are refused before the first.
#[test]
fn draws_end() {
    let too_many = |refusal: Refusal| {
        assert!(
            refusal.to_string().starts_with("a number of draws must lie at or below `10000000`"),
            "{refusal}"
        );
    };
    let (a, b): (Vec<f64>, Vec<f64>) = (0..30).map(|i| (f64::from(i), f64::from(i * 7 % 11))).unzip();
    too_many(eval::sign_flip(&a, &b, MOST, 1).unwrap_err());
    too_many(eval::verdict_flips(&[&a], 1, MOST, 1, |_| true).unwrap_err());
    too_many(design::randomisation(&[true, false], MOST, |_| vec![true, false], |_| 1.0).unwrap_err());
    too_many(validity::replay(MOST, Level::P95, |_| Ok(0.5)).unwrap_err());
    let covariate: Vec<f64> = (0..200).map(|i| f64::from(i).sin()).collect();
    assert_eq!(
        design::assignment::rerandomised(&[&covariate], 1e-12, 1).unwrap_err().to_string(),
        "a share of accepted assignments must lie at or above `1e-6` for `200` values of covariates: `0.000000000001`"
    );
    let blocks = robust::median_of_means(&[1.0; 10], usize::MAX, Level::P95).unwrap_err().to_string();
    assert_eq!(blocks, format!("a number of blocks must lie from 1 to the `10` values: `{}`", usize::MAX));
    let huge = 2_000_000_000_000;
    let refusal = proportions::odds_ratio(&rate(huge / 2, huge), &rate(huge / 3, huge)).unwrap_err();
    assert!(
        refusal.to_string().ends_with("must lie at or below `1000000000000`: `4000000000000`"),
        "{refusal}"
    );
}

/// What is wrong is said of what is wrong, with the bound, and numbers are printed so that they can be read.
#[test]
fn refusals_name_the_argument_and_the_bound() {
    let check = |refusal: Refusal, expected: &str| {
        assert_eq!(format!("{refusal}\nhint: {}", refusal.hint()), expected);
    };
    check(
        dunnett_critical(&[1.0], Level::P95, Sides::Two).unwrap_err(),
        "too little data: `1` arms, this method needs `2`\nhint: give more of them, or wait for more data",
    );
    check(
        planning::mde_of_proportions(0.999, (100, 100), Direction::Higher, &planning::Design::default())
            .unwrap_err(),
        "no effect is enough: even at `0.0010000000000000009` the power is `0.061`, and `0.8` is wanted\nhint: plan for more units, or for less power",
    );
    let bootstrap = Bootstrap::new(200, 1).unwrap();
    check(
        bootstrap.of(&[1.0, 2.0], |_| f64::NAN).unwrap_err(),
        "the statistic of a bootstrap must lie among the finite numbers: `NaN`\nhint: give a value in that range",
    );
    let values: Vec<f64> = (0..100).map(f64::from).collect();
    check(
        QuantileArm::of(&values, 1.0).unwrap_err(),
        "the share of a quantile with an error must lie between 0 and 1, both excluded: `1`\nhint: give a value in that range",
    );
    check(
        QuantileArm::of(&[f64::INFINITY; 100], 0.5).unwrap_err(),
        "a value of a metric must lie among the finite numbers: `inf`\nhint: give a value in that range",
    );
    check(
        sample_ratio(&[50, 50], &[1e-300, 1.0]).unwrap_err(),
        "too little data: the smallest arm expects `1.0000000000000001e-298` units, a χ² test needs `5`\nhint: wait for more exposures",
    );
    check(
        robust::huber(&[1.0, 1e308], 1.345).unwrap_err(),
        "a value of a metric must lie among the numbers with a finite square: `1e308`\nhint: give a value in that range",
    );
    let many: Vec<f64> = (0..5_000).map(f64::from).collect();
    check(
        rank::mann_whitney_exact(&many, &many, Alternative::TwoSided).unwrap_err(),
        "the additions of an exact rank test, of `5000` among `10000` units, must lie at or below `500000000`: `2500000000000000`\nhint: give a value in that range",
    );
}
