//! Sequential, Bayesian, bandit and detecting methods where numbers are extreme or missing: the right answer
//! or the reason why there is none, never NaN, never a default.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bellwether_stats::bandit::{Period, Periods, Rule, Weighting, weights_of_means, weights_of_rates};
use bellwether_stats::bayes::{Beta, BetaComparison, NormalPosterior, Prior, Scale, lift};
use bellwether_stats::detect::{Chart, Cusum, change_point};
use bellwether_stats::group_sequential::{Boundary, Design, Looks, Spending};
use bellwether_stats::sequential::{EProcess, EValue, Epoch, Mixture, OverEpochs};
use bellwether_stats::special::normal;
use bellwether_stats::{
    Arm, ConfidenceSequence, Direction, Level, Moments, NormalMixture, Refusal, Sides, Tuning,
};

fn arm(values: &[f64]) -> Moments {
    Moments::of(values).unwrap()
}

#[test]
fn few_units_equal_units_and_empty_arms_are_named() {
    let some = arm(&[1.0, 2.0, 4.0]);
    let same = arm(&[2.0, 2.0, 2.0]);
    let short = |arm, have| Refusal::TooLittle { arm, have, need: 2 };
    for (control, treatment, refusal) in [
        (Moments::EMPTY, some, short(Arm::Control, 0)),
        (some, Moments::EMPTY, short(Arm::Treatment, 0)),
        (arm(&[1.0]), some, short(Arm::Control, 1)),
        (same, same, Refusal::NoVariance),
    ] {
        assert_eq!(lift(&control, &treatment, &Prior::FLAT).unwrap_err(), refusal);
    }
    let many = arm(&[1.0, 2.0].repeat(50));
    let constant = arm(&[2.0; 100]);
    let short = |arm, have| Refusal::TooLittle { arm, have, need: 100 };
    for (control, treatment, refusal) in [
        (Moments::EMPTY, many, short(Arm::Control, 0)),
        (many, Moments::EMPTY, short(Arm::Treatment, 0)),
        (arm(&[1.0; 99]), many, short(Arm::Control, 99)),
        (constant, constant, Refusal::NoVariance),
    ] {
        assert_eq!(OverEpochs::new(&[Epoch { control, treatment }]).unwrap_err(), refusal);
    }
    let two = lift(&arm(&[1.0, 2.0]), &arm(&[1.0, 3.0]), &Prior::FLAT).unwrap();
    assert!(two.absolute.mean() == 0.5 && two.absolute.sd() > 0.0);
    let zero = lift(&arm(&[-1.0, 1.0]), &arm(&[1.0, 3.0]), &Prior::FLAT).unwrap();
    assert_eq!(zero.relative, Err(Refusal::ZeroBaseline));
}

#[test]
fn a_large_mean_keeps_a_small_difference() {
    let around = |mean: f64| -> Moments {
        let values: Vec<f64> = (0..1_000).map(|i| mean + f64::from(i % 3) - 1.0).collect();
        arm(&values)
    };
    let (control, treatment) = (around(1e12), around(1e12 + 2.0));
    let posterior = lift(&control, &treatment, &Prior::FLAT).unwrap().absolute;
    assert!(
        (posterior.mean() - 2.0).abs() < 1e-3
            && (posterior.sd() - (2.0 * 0.667f64 / 1_000.0).sqrt()).abs() < 1e-3
    );
    let epochs = OverEpochs::new(&[Epoch { control, treatment }]).unwrap();
    assert!((epochs.estimate() - 2.0).abs() < 1e-3);
}

#[test]
fn tiny_probabilities_are_numbers() {
    // p-values and chances of about 1e-300.
    let sequence = ConfidenceSequence::new(Level::P95, Tuning::default(), Sides::Two);
    let ln_p = sequence.ln_p(40.0, 10_000).unwrap();
    assert!(ln_p < -500.0 && ln_p > -800.0);
    assert!(sequence.ln_p(1e5, 1_000_000_000).unwrap().is_finite());
    let mixture = NormalMixture::new(1.0).unwrap();
    let e = mixture.e_value(1.0, 1e-6).unwrap();
    assert!(e.ln() > 4e5 && e.ln().is_finite() && e.p() > 0.0);
    let mut process = EProcess::default();
    process.multiply(e);
    process.multiply(EValue::ZERO);
    assert!(process.p() > 0.0 && process.current() == EValue::ZERO && process.rejects(Level::P99));
    let posterior = NormalPosterior::new(37.0, 1.0, &Prior::FLAT).unwrap();
    assert!((posterior.chance_below(0.0).unwrap() / normal::sf(37.0) - 1.0).abs() < 1e-12);
    assert!(posterior.expected_loss() > 0.0 && posterior.expected_loss() < normal::sf(37.0));
    let compared = BetaComparison::new(Beta::new(1.0, 1e6).unwrap(), Beta::new(1e6, 1.0).unwrap());
    assert!(compared.chance_treatment_better().unwrap() > 1.0 - 1e-12);
    assert!(compared.chance_control_better().unwrap() >= 0.0);
    let bound = Mixture::gamma_exponential(1e9, 1e-3, Level::P95).unwrap().bound(1e15, Level::P95);
    assert!(bound.unwrap().is_finite());
}

/// Far beyond every bound: the interval is about the estimate, and the p-value is not zero.
#[test]
fn an_overwhelming_result_has_an_interval() {
    let level = Level::from_alpha(0.025).unwrap();
    let looks = Looks::equal(4).unwrap();
    for sides in [Sides::One, Sides::Two] {
        let design = Design::new(&looks, level, sides, Boundary::Spending(Spending::OBrienFleming)).unwrap();
        for z in [8.0, 40.0, 1e3, 1e6] {
            let outcome = design.outcome(0, z, 1.0).unwrap();
            assert!((outcome.estimate / z - 1.0).abs() < 1e-9, "{z}: {outcome:?}");
            assert!(outcome.interval.low < z && z < outcome.interval.high && outcome.p > 0.0);
        }
        // At a later look what came before was inside of its bounds, and that draws it in.
        let outcome = design.outcome(3, 12.0, 1.0).unwrap();
        assert!(outcome.estimate < 12.0 && outcome.interval.low > 0.0 && outcome.p > 0.0, "{outcome:?}");
        assert!(outcome.interval.low.is_finite() && outcome.interval.high.is_finite());
    }
}

#[test]
fn beliefs_of_very_different_width_have_shares() {
    let arms = [(0.0, 1e-9), (1e-9, 1e9), (0.0, 1.0)]
        .map(|(mean, sd)| NormalPosterior::new(mean, sd, &Prior::FLAT).unwrap());
    for rule in [Rule::Thompson, Rule::BestOrSecond, Rule::TopTwo { leader: 0.5 }] {
        let weights = weights_of_means(&arms, rule, Direction::Higher).unwrap();
        assert!(weights.iter().all(|w| (0.0..=1.0).contains(w)), "{rule:?} {weights:?}");
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    let rates = [Beta::new(1e-3, 1e-3), Beta::new(1e9, 1e3), Beta::new(0.5, 1e6)].map(Result::unwrap);
    let weights = weights_of_rates(&rates, Rule::Thompson, Direction::Lower).unwrap();
    assert!(weights.iter().all(|w| w.is_finite()) && weights[2] > 0.4, "{weights:?}");
    let empty = Period { shares: vec![0.5, 0.5], arms: vec![Moments::EMPTY; 2] };
    assert!(matches!(Periods::new(&[empty]), Err(Refusal::TooFew { .. })));
    let one = Period { shares: vec![0.5, 0.5], arms: vec![arm(&[1.0]), arm(&[1.0, 2.0])] };
    let known = Periods::new(&[one]).unwrap();
    assert!(matches!(known.value(0, Weighting::Period), Err(Refusal::TooFew { have: 1, .. })));
}

#[test]
fn what_is_no_number_is_refused() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(EValue::new(bad).is_err());
        assert!(NormalPosterior::new(bad, 1.0, &Prior::FLAT).is_err());
        assert!(NormalPosterior::new(1.0, bad, &Prior::FLAT).is_err());
        assert!(Prior::normal(bad, 1.0, Scale::Absolute).is_err());
        assert!(NormalMixture::new(1.0).unwrap().e_value(1.0, bad).is_err());
        assert!(Cusum::new(Chart::TOLERANT, 1.0).unwrap().observe(1, bad).is_err());
        assert!(change_point(&[1, 2], &[1.0, bad], 0.9).is_err());
        assert!(Looks::new(&[bad]).is_err());
        assert!(Beta::new(bad, 1.0).is_err());
    }
    assert!(Level::from_alpha(0.0).is_err());
}
