//! Methods without reference cases, held against other programs on small data: scipy 1.17, statsmodels 0.14 and mpmath
//! 1.4 (25 to 40 digits); and sequences for bounded values, looked at after each of 1,000 skewed ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bellwether_stats::multiplicity::dunnett_critical;
use bellwether_stats::robust::{HUBER_TUNING, huber};
use bellwether_stats::sequential::{Betting, Bounds, EmpiricalBernstein, Mixture};
use bellwether_stats::survival::{Observation, log_rank};
use bellwether_stats::{Alternative, Level, Proportion, Sides, eval, proportions};

fn near(what: &str, ours: f64, exact: f64, tolerance: f64) {
    assert!((ours / exact - 1.0).abs() < tolerance, "{what}: {ours} is not {exact}");
}

/// Gehan's leukaemia times, 6-mercaptopurine against placebo: `survdiff` of statsmodels.
#[test]
fn the_log_rank_test_is_that_of_statsmodels() {
    let drug = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
    let placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23];
    let seen = |times: &[i32], events: usize| -> Vec<Observation> {
        let of = |(i, time): (usize, &i32)| Observation { time: f64::from(*time), happened: i < events };
        times.iter().enumerate().map(of).collect()
    };
    let found = log_rank(&seen(&drug, 9), &seen(&placebo, 21), Alternative::TwoSided).unwrap();
    near("chi-squared", found.test.statistic.powi(2), 16.792_940_989_216_532, 1e-12);
    near("p", found.test.p, 4.168_809_109_339_477_5e-5, 1e-11);
}

/// By mpmath's quadrature of the integral over the common control.
#[test]
fn critical_values_of_dunnett_are_those_of_a_quadrature() {
    for (units, exact) in
        [([2.0, 1.0, 1.0, 3.0], 2.362_373_723_110_25), ([1.0, 100.0, 1.0, 10.0], 2.240_859_831_809_07)]
    {
        near("critical", dunnett_critical(&units, Level::P95, Sides::Two).unwrap(), exact, 1e-12);
    }
    let one = dunnett_critical(&[1.0, 1.0, 5.0], Level::P95, Sides::One).unwrap();
    near("one-sided", one, 1.890_338_767_565_28, 1e-12);
}

#[test]
fn small_tables_and_repeats_are_those_of_scipy_and_of_counting() {
    let (control, treatment) = (Proportion::new(7, 100).unwrap(), Proportion::new(20, 100).unwrap());
    let p = proportions::fisher(&control, &treatment, Alternative::TwoSided).unwrap().p;
    near("Fisher", p, 0.011_907_621_975_648_862, 1e-12);
    // C(13,4)/C(20,4), and 1 - C(7,4)/C(20,4).
    near("pass^4", eval::pass_hat_k(20, 13, 4).unwrap(), 715.0 / 4_845.0, 1e-12);
    // (judged + specificity - 1)/(sensitivity + specificity - 1).
    let rate = |successes| Proportion::new(successes, 100).unwrap();
    let corrected = eval::rogan_gladen(&rate(30), &rate(90), &rate(95)).unwrap();
    near("Rogan and Gladen", corrected.value(), 0.25 / 0.85, 1e-12);
    near("pass@4", eval::pass_at_k(20, 13, 4).unwrap(), 1.0 - 35.0 / 4_845.0, 1e-12);
}

/// Huber's weights with the scale of statsmodels' `mad`, iterated in numpy.
#[test]
fn the_mean_of_huber_is_that_of_an_iteration() {
    let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 50.0];
    near("Huber", huber(&values, HUBER_TUNING).unwrap().value(), 6.098_229_995_167_01, 1e-9);
}

/// Howard et al. 2021, propositions 8 and 10, by the gamma functions of mpmath with 40 digits.
#[test]
fn the_gamma_mixtures_are_their_formulas() {
    // The intrinsic time whose tuning at 5 % is 80.
    let log = -2.0 * 0.1f64.ln();
    let v = 80.0 * (log + log.ln_1p());
    for (mixture, exact) in [
        (Mixture::gamma_exponential(v, 1.0, Level::P95), 2.569_497_910_465_270_5),
        (Mixture::gamma_poisson(v, 1.0, Level::P95), 2.676_915_204_343_691),
    ] {
        near("mixture", mixture.unwrap().e_value(60.0, 500.0).unwrap().ln(), exact, 1e-11);
    }
}

/// Values of a long tail within 0 and 1, nineteen of twenty of them zero: of 100 sequences hardly any ever leaves out the mean.
#[test]
fn sequences_hold_at_each_of_a_thousand_looks_at_skewed_values() {
    let mut state = 9u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    // The fourth power of a uniform number is a fifth on average.
    let mean = 0.05 / 5.0;
    let bounds = Bounds::new(0.0, 1.0).unwrap();
    let mut missed = [0; 2];
    for _ in 0..100 {
        let mut betting = Betting::new(bounds, Level::P95);
        let mut bernstein = EmpiricalBernstein::new(bounds, Level::P95);
        let mut held = [true; 2];
        for _ in 0..1_000 {
            let value = if uniform() < 0.05 { uniform().powi(4) } else { 0.0 };
            betting.observe(value).unwrap();
            bernstein.observe(value).unwrap();
            held[0] &= betting.interval().contains(mean);
            held[1] &= bernstein.interval().contains(mean);
        }
        missed[0] += usize::from(!held[0]);
        missed[1] += usize::from(!held[1]);
    }
    // Five of a hundred at most; eleven and more by chance once in some ninety.
    assert!(missed.iter().all(|m| *m <= 10), "{missed:?}");
}

/// R 4.2.2 with rpact 3.3.4: `getSampleSizeSurvival(thetaH0 = margin, hazardRatio = ratio, typeOfComputation = "Schoenfeld")`.
#[test]
fn margins_of_hazard_ratios_are_those_of_rpact() {
    use bellwether_stats::planning::{Design, non_inferiority};
    use bellwether_stats::{Level, Sides};
    for (ratio, margin, alpha, power, allocation, events) in [
        (1.0, 1.3, 0.025, 0.8, 1.0, 456.098_142_249_7),
        (0.9, 1.2, 0.05, 0.9, 0.5, 465.645_954_103_5),
        (1.1, 0.8, 0.025, 0.85, 2.0, 398.399_372_908_2),
    ] {
        let design = Design::new(Level::from_alpha(alpha).unwrap(), power, Sides::One).unwrap();
        let design = design.with_allocation(allocation).unwrap();
        near("events", non_inferiority::events(ratio, margin, &design).unwrap(), events, 1e-9);
    }
}

/// The probabilities of the counts of a Poisson law, as far as they matter.
fn poisson(mean: f64) -> Vec<(f64, f64)> {
    let far = 10.0 * mean.sqrt();
    let counts = ((mean - far).max(0.0) as u64)..=((mean + far) as u64);
    let ln_factorial = |n: u64| (1..=n).map(|i| (i as f64).ln()).sum::<f64>();
    counts.map(|n| (n as f64, (n as f64 * mean.ln() - mean - ln_factorial(n)).exp())).collect()
}

/// By counting over both laws: the test that the plan is of shows what is expected as often as was asked for, and at the margin
/// it errs at its level.
#[test]
fn a_margin_of_counts_is_shown_as_often_as_planned() {
    use bellwether_stats::planning::{Design, non_inferiority};
    use bellwether_stats::{Direction, Level, Sides};
    let design = Design::new(Level::from_alpha(0.05).unwrap(), 0.8, Sides::One).unwrap();
    let design = design.with_allocation(2.0).unwrap();
    let (control, margin) = (0.8, (0.2, Direction::Lower));
    let size = non_inferiority::exposure_of_rates(control, 0.85, 1.0, margin, &design).unwrap();
    let (nc, nt) = (size.control.ceil(), size.treatment.ceil());
    for (treatment, expected) in [(0.85, 0.8), (1.0, 0.05)] {
        let (controls, treatments) = (poisson(control * nc), poisson(treatment * nt));
        let shown: f64 = controls
            .iter()
            .flat_map(|c| treatments.iter().map(move |t| (c, t)))
            .filter(|((c, _), (t, _))| {
                (c / nc - t / nt + margin.0) / (c / nc / nc + t / nt / nt).sqrt() > 1.644_853_627
            })
            .map(|((_, c), (_, t))| c * t)
            .sum();
        assert!((shown - expected).abs() < 0.01, "{treatment}: {shown} and not {expected}");
    }
}
