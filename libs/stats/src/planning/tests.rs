//! Plans keep what they promise: the planned size has the planned power, and no smaller one has.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{Direction, Variances};
use proptest::prelude::*;

fn design() -> impl Strategy<Value = Design> {
    let sides = prop_oneof![Just(Sides::One), Just(Sides::Two)];
    (0.001..0.2f64, 0.5..0.99f64, sides, 0.1..10.0f64).prop_map(|(alpha, power, sides, k)| {
        let level = Level::from_alpha(alpha).unwrap();
        Design::new(level, power, sides).unwrap().with_allocation(k).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The planned size has the planned power, and a smaller one has not.
    #[test]
    fn sizes_of_means_have_their_power(design in design(), effect in 0.001..0.1f64, sd in 0.5..2.0f64) {
        let size = sample_size_of_means(effect, sd, 1.0, &design).unwrap();
        let (nc, nt) = size.rounded_up();
        let at = |nc, nt| power_of_means(effect, (sd, nc), (1.0, nt), design.level, towards(effect, design.sides)).unwrap();
        prop_assert!(at(nc, nt) >= design.power - 1e-12);
        prop_assert!(at(nc - 2, nt - 2) < design.power);
    }

    #[test]
    fn sizes_of_rates_have_their_power(design in design(), rate in 0.02..0.9f64, effect in 0.005..0.05f64) {
        let size = sample_size_of_proportions(rate, rate + effect, &design).unwrap();
        let (nc, nt) = size.rounded_up();
        let got = power_of_proportions((rate, nc), (rate + effect, nt), design.level, towards(1.0, design.sides)).unwrap();
        // Rounding both arms up moves the split a little; the far tail only adds.
        prop_assert!(got >= design.power - 1e-3 && got <= design.power + 0.1, "{got}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// The smallest effect that a planned experiment sees is the one it was planned for.
    #[test]
    fn the_smallest_effect_inverts_the_size(design in design(), rate in 0.1..0.8f64, effect in 0.01..0.05f64, sd in 0.5..2.0f64) {
        let (nc, nt) = sample_size_of_means(effect, sd, 1.0, &design).unwrap().rounded_up();
        let mde = mde_of_means((sd, nc), (1.0, nt), &design).unwrap();
        prop_assert!(mde <= effect && mde > effect * (1.0 - 4.0 / nt.min(nc) as f64), "{mde}");
        for (direction, treatment) in [(Direction::Higher, rate + effect), (Direction::Lower, rate - effect)] {
            let (nc, nt) = sample_size_of_proportions(rate, treatment, &design).unwrap().rounded_up();
            let mde = mde_of_proportions(rate, (nc, nt), direction, &design).unwrap();
            let at = power_of_proportions((rate, nc), (rate + mde, nt), design.level, towards(mde, design.sides)).unwrap();
            prop_assert!((at - design.power).abs() < 1e-9, "{at}");
            prop_assert!((mde / (treatment - rate) - 1.0).abs() < 0.02 + 8.0 / nt.min(nc) as f64, "{mde}");
        }
    }

    /// Exactly and by the normal approximation: the same for many units, more units for few.
    #[test]
    fn the_exact_size_nears_the_normal_one(design in design(), effect in 0.05..1.0f64) {
        let normal = sample_size_of_means(effect, 1.0, 1.0, &design).unwrap();
        let exact = student::sample_size(effect, (1.0, 1.0), Variances::Equal, &design, student::Tails::Both).unwrap();
        prop_assert!(exact.total() >= normal.total() - 1e-6 || exact.treatment <= 2.0f64.max(2.0 / design.allocation));
        if normal.control.min(normal.treatment) > 500.0 {
            prop_assert!(exact.total() / normal.total() < 1.01);
        }
        let (c, t) = ((1.0, exact.control.max(2.0)), (1.0, exact.treatment));
        let power = student::power(effect, c, t, Variances::Equal, (design.level, towards(effect, design.sides)), student::Tails::Both).unwrap();
        prop_assert!(power >= design.power - 1e-9);
        let mde = student::mde(c, t, Variances::Equal, &design, student::Tails::Both).unwrap();
        prop_assert!(mde <= effect * (1.0 + 1e-9), "{mde}");
    }

    #[test]
    fn counts_have_their_power(design in design(), rate in 0.01..2.0f64, change in 0.1..0.5f64, dispersion in 1.0..5.0f64) {
        for (direction, treatment) in [(Direction::Higher, rate * (1.0 + change)), (Direction::Lower, rate * (1.0 - change))] {
            let size = counts::exposure(rate, treatment, dispersion, &design).unwrap();
            let at = |rate_t: f64| counts::power_of_rates((rate, size.control), (rate_t, size.treatment), dispersion, design.level, towards(rate_t - rate, design.sides)).unwrap();
            // The far tail only adds.
            prop_assert!(at(treatment) >= design.power - 1e-9 && at(treatment) < design.power + 0.1);
            let mde = counts::mde(rate, (size.control, size.treatment), dispersion, direction, &design).unwrap();
            prop_assert!((at(rate + mde) - design.power).abs() < 1e-9);
        }
    }

    #[test]
    fn margins_are_shown_with_their_power(design in design(), rate in 0.1..0.8f64, margin in 0.01..0.1f64, gain in -0.3..0.5f64) {
        let treatment = rate + gain * margin;
        let size = non_inferiority::sample_size_of_proportions(rate, treatment, margin, &design).unwrap();
        let (nc, nt) = size.rounded_up();
        let at = |nc, nt| non_inferiority::power_of_proportions((rate, nc), (treatment, nt), margin, design.level).unwrap();
        // Rounding both arms up moves the split a little, and with it the null.
        prop_assert!(at(nc, nt) >= design.power - 2e-3, "{}", at(nc, nt));
        let shown = non_inferiority::margin_of_proportions((rate, nc), (treatment, nt), &design).unwrap();
        prop_assert!((shown / margin - 1.0).abs() < 0.02 + 8.0 / nt.min(nc) as f64, "{shown}");
        let size = non_inferiority::sample_size_of_means(gain * margin, margin, 1.0, 1.0, &design).unwrap();
        let (nc, nt) = size.rounded_up();
        prop_assert!(non_inferiority::power_of_means(gain * margin, margin, (1.0, nc), (1.0, nt), design.level).unwrap() >= design.power - 1e-9);
        let shown = non_inferiority::margin_of_means(gain * margin, (1.0, nc), (1.0, nt), &design).unwrap();
        prop_assert!(shown <= margin * (1.0 + 1e-9) && (shown / margin - 1.0).abs() < 2.0 / nt.min(nc) as f64);
    }

    #[test]
    fn equivalence_has_its_power(design in design(), margin in 0.05..0.5f64, gain in -0.8..0.8f64) {
        let effect = gain * margin;
        let size = equivalence::sample_size_of_means(effect, margin, 1.0, 1.0, &design).unwrap();
        let (nc, nt) = size.rounded_up();
        let power = equivalence::power_of_means(effect, margin, (1.0, nc), (1.0, nt), design.level).unwrap();
        prop_assert!(power >= design.power - 1e-9);
        let shown = equivalence::margin_of_means(effect, (1.0, nc), (1.0, nt), &design).unwrap();
        prop_assert!(shown <= margin + 1e-9 && shown > effect.abs());
        let rates = equivalence::sample_size_of_proportions(0.3, 0.3 + 0.1 * effect, 0.1 * margin, &design).unwrap();
        let (nc, nt) = rates.rounded_up();
        let shown = equivalence::margin_of_proportions((0.3, nc), (0.3 + 0.1 * effect, nt), &design).unwrap();
        prop_assert!(shown <= 0.1 * margin + 1e-9, "{shown}");
        // A mirrored effect needs as many.
        let mirrored = equivalence::sample_size_of_means(-effect, margin, 1.0, 1.0, &design).unwrap();
        prop_assert!((mirrored.treatment / size.treatment - 1.0).abs() < 1e-9);
    }

    /// Margins of counts and of hazard ratios: size, power and margin, each from the other two.
    #[test]
    fn margins_of_counts_and_times_are_each_from_the_other_two(
        design in design(), rate in 0.01..5.0f64, change in -0.5..0.5f64, dispersion in 0.5..4.0f64, beyond in 0.05..1.0f64,
    ) {
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-6;
        let treatment = rate * (1.0 + change);
        let margin = (treatment - rate).abs() + beyond * rate;
        for better in [Direction::Higher, Direction::Lower] {
            let to = (margin, better);
            let size = non_inferiority::exposure_of_rates(rate, treatment, dispersion, to, &design).unwrap();
            prop_assert!(near(size.control, size.treatment * design.allocation));
            // Less than one event is rounded up to it.
            prop_assume!(size.control * rate + size.treatment * treatment > 1.000_001);
            let (c, t) = ((rate, size.control), (treatment, size.treatment));
            prop_assert!(near(non_inferiority::power_of_rates(c, t, dispersion, to, design.level).unwrap(), design.power));
            prop_assert!(near(non_inferiority::margin_of_rates(c, t, dispersion, better, &design).unwrap(), margin));
        }
        // What is shown on one side of zero is the mirror image of what is shown on the other.
        let lower = non_inferiority::exposure_of_rates(rate, treatment, dispersion, (margin, Direction::Lower), &design).unwrap();
        let other = Design { allocation: 1.0 / design.allocation, ..design };
        let higher = non_inferiority::exposure_of_rates(treatment, rate, dispersion, (margin, Direction::Higher), &other).unwrap();
        prop_assert!(near(lower.control, higher.treatment) && near(lower.treatment, higher.control));

        let size = equivalence::exposure_of_rates(rate, treatment, dispersion, margin, &design).unwrap();
        prop_assume!(size.control * rate + size.treatment * treatment > 1.000_001);
        let (c, t) = ((rate, size.control), (treatment, size.treatment));
        prop_assert!(near(equivalence::power_of_rates(c, t, dispersion, margin, design.level).unwrap(), design.power));
        prop_assert!(near(equivalence::margin_of_rates(c, t, dispersion, &design).unwrap(), margin));

        let ratio = change.exp();
        for (margin, better) in [((change.abs() + beyond).exp(), Direction::Lower), ((-change.abs() - beyond).exp(), Direction::Higher)] {
            let events = non_inferiority::events(ratio, margin, &design).unwrap();
            if events > 1.0 {
                let power = non_inferiority::power_of_hazards(ratio, margin, events, design.allocation, design.level).unwrap();
                prop_assert!(near(power, design.power));
                prop_assert!(near(non_inferiority::margin_of_hazards(ratio, events, better, &design).unwrap(), margin));
            }
        }
        let margin = (change.abs() + beyond).exp();
        let events = equivalence::events(ratio, margin, &design).unwrap();
        if events > 1.0 {
            prop_assert!(near(equivalence::power_of_hazards(ratio, margin, events, design.allocation, design.level).unwrap(), design.power));
            prop_assert!(near(equivalence::margin_of_hazards(ratio, events, &design).unwrap(), margin));
        }
    }

    /// Two arms without a correction are the plan of means; more arms, and stricter corrections, need more.
    #[test]
    fn variants_extend_the_plan_of_means(design in design(), effect in 0.01..0.5f64) {
        use variants::{Comparisons, Correction, sample_size};
        let shares = [design.allocation, 1.0];
        let two = sample_size(effect, 1.0, &shares, Comparisons::WithControl, Correction::None, &design).unwrap();
        let plain = sample_size_of_means(effect, 1.0, 1.0, &design).unwrap();
        prop_assert!((two[1] / plain.treatment - 1.0).abs() < 1e-6 || plain.treatment <= 1.0);
        let four = |correction| sample_size(effect, 1.0, &[2.0, 1.0, 1.0, 1.0], Comparisons::WithControl, correction, &design).unwrap();
        let [none, dunnett, bonferroni] = [Correction::None, Correction::Dunnett, Correction::Bonferroni].map(four);
        prop_assert!(none[1] < dunnett[1] && dunnett[1] < bonferroni[1]);
        let power = variants::power(effect, 1.0, &dunnett, Comparisons::WithControl, Correction::Dunnett, (design.level, towards(effect, design.sides))).unwrap();
        prop_assert!((power - design.power).abs() < 1e-9);
        let mde = variants::mde(1.0, &dunnett, Comparisons::WithControl, Correction::Dunnett, &design).unwrap();
        prop_assert!((mde / effect - 1.0).abs() < 1e-9);
    }

    /// Arms of different spread: two of them are the plan of means, and what is twice as wide needs four times the units.
    #[test]
    fn variants_may_spread_differently(design in design(), effect in 0.01..0.5f64, wide in 0.2..5.0f64) {
        use variants::{Comparisons, Correction, mde_by_arm, power_by_arm, sample_size, sample_size_by_arm};
        let arms = [(1.0, design.allocation), (wide, 1.0)];
        let two = sample_size_by_arm(effect, &arms, Comparisons::WithControl, Correction::None, &design).unwrap();
        let plain = sample_size_of_means(effect, 1.0, wide, &design).unwrap();
        prop_assert!((two[1] / plain.treatment - 1.0).abs() < 1e-6 || plain.treatment <= 1.0);
        // As many units for each variance: the certainty of every arm is the same as of arms alike.
        let scaled = [(1.0, 2.0), (wide, wide * wide), (0.5, 0.25)];
        for correction in [Correction::None, Correction::Dunnett, Correction::Bonferroni] {
            let units = sample_size_by_arm(effect, &scaled, Comparisons::WithControl, correction, &design).unwrap();
            let alike = sample_size(effect, 1.0, &[2.0, 1.0, 1.0], Comparisons::WithControl, correction, &design).unwrap();
            prop_assert!((units[0] / alike[0] - 1.0).abs() < 1e-6 || alike.iter().sum::<f64>() < 2.0);
            prop_assert!((units[1] / (alike[1] * wide * wide) - 1.0).abs() < 1e-6 || alike.iter().sum::<f64>() < 2.0);
            let arms: Vec<(f64, f64)> = scaled.iter().zip(&units).map(|((sd, _), units)| (*sd, *units)).collect();
            let test = (design.level, towards(effect, design.sides));
            let power = power_by_arm(effect, &arms, Comparisons::WithControl, correction, test).unwrap();
            prop_assert!(power >= design.power - 1e-9);
            prop_assert!(mde_by_arm(&arms, Comparisons::WithControl, correction, &design).unwrap() <= effect * (1.0 + 1e-9));
        }
    }
}

#[test]
fn impossible_plans_are_refused() {
    let check =
        |c: f64, t: f64| sample_size_of_proportions(c, t, &Design::default()).unwrap_err().to_string();
    assert_eq!(check(1.2, 0.5), "a rate must lie from 0 to 1: `1.2`");
    assert_eq!(check(0.5, 0.5), "a plan needs an effect to look for: both arms expect `0.5`");
    assert!(Design::new(Level::P95, 1.0, Sides::Two).is_err());
    assert!(Design::default().with_allocation(0.0).is_err());
    assert!(sample_size_of_means(f64::NAN, 1.0, 1.0, &Design::default()).is_err());
    assert!(power_of_proportions((0.1, 0), (0.2, 5), Level::P95, Alternative::TwoSided).is_err());
    let design = Design::default();
    assert!(mde_of_proportions(1.5, (10, 10), Direction::Higher, &design).is_err());
    assert!(mde_of_means((0.0, 10), (1.0, 10), &design).is_err());
    assert!(ratio_sd((1.0, 1.0), (0.0, 1.0), 0.0) == Err(Refusal::ZeroBaseline));
    assert!(
        ratio_sd((1.0, 1.0), (2.0, 1.0), 1.5).is_err() && ratio_sd((1.0, -1.0), (2.0, 1.0), 0.0).is_err()
    );
    assert!(power_of_f(1, 0.1, 100, Level::P95).is_err() && power_of_f(3, 0.1, 3, Level::P95).is_err());
    assert!(
        counts::exposure(0.1, 0.1, 1.0, &design).is_err()
            && counts::exposure(-0.1, 0.1, 1.0, &design).is_err()
    );
    assert!(equivalence::sample_size_of_means(0.2, 0.1, 1.0, 1.0, &design).is_err());
    let said = |refused: Result<f64, Refusal>| refused.unwrap_err().to_string();
    assert_eq!(
        said(non_inferiority::events(1.0, 1.0, &design)),
        "the margin of a hazard ratio must lie above 0 and not 1: above 1 where more events are worse, below 1 where they are better: `1`"
    );
    assert_eq!(
        said(non_inferiority::events(1.4, 1.3, &design)),
        "the hazard ratio that is expected must lie below the margin, `1.3`, or that it is not worse is not what is true: `1.4`"
    );
    // Nothing is shown by less than one event, and no plan is without an end.
    assert_eq!(non_inferiority::events(1.0, 1e10, &design), Ok(1.0));
    assert!(matches!(non_inferiority::events(1.0, 1.0 + 1e-12, &design), Err(Refusal::OutOfRange { .. })));
    let schoenfeld = survival::Approximation::Schoenfeld;
    assert_eq!(survival::events(1e-300, &design, schoenfeld), Ok(1.0));
    assert!(matches!(survival::events(1.0 + 1e-15, &design, schoenfeld), Err(Refusal::OutOfRange { .. })));
    let hours = |size: Result<SampleSize, Refusal>| size.unwrap().treatment;
    let one_event = 1.0 / (0.1 + 0.3);
    let (wide, lower) = (1e300, Direction::Lower);
    assert_eq!(hours(non_inferiority::exposure_of_rates(0.3, 0.1, 1.0, (wide, lower), &design)), one_event);
    assert_eq!(hours(equivalence::exposure_of_rates(0.3, 0.1, 1.0, wide, &design)), one_event);
    // Outcomes that are certain have no spread to plan with.
    for rate in [0.0, 1.0] {
        let size = equivalence::sample_size_of_proportions(rate, rate, 0.1, &design);
        assert_eq!(size, Err(Refusal::NoVariance));
        let power = equivalence::power_of_proportions((rate, 1), (rate, 1), 0.1, Level::P95);
        assert_eq!(power, Err(Refusal::NoVariance));
    }
    assert_eq!(
        said(equivalence::events(1.0, 0.8, &design)),
        "the margin of a hazard ratio must lie above 1: `0.8`"
    );
    let rates = |better| non_inferiority::exposure_of_rates(0.1, 0.2, 1.0, (0.1, better), &design);
    assert!(rates(Direction::Higher).is_ok() && rates(Direction::Lower).is_err());
    assert!(
        non_inferiority::exposure_of_rates(0.0, 0.0, 1.0, (0.1, Direction::Lower), &design)
            == Err(Refusal::NoVariance)
    );
    assert!(equivalence::power_of_proportions((0.1, 0), (0.1, 5), 0.05, Level::P95).is_err());
    assert!(non_inferiority::sample_size_of_means(-0.2, 0.1, 1.0, 1.0, &design).is_err());
    let variants = |effect: f64, shares: &[f64], correction| {
        use variants::{Comparisons, sample_size};
        sample_size(effect, 1.0, shares, Comparisons::AllPairs, correction, &design).is_err()
    };
    assert!(
        variants(0.1, &[1.0], variants::Correction::None)
            && variants(0.0, &[1.0, 1.0], variants::Correction::None)
    );
    assert!(
        variants(0.1, &[1.0, 0.0], variants::Correction::None)
            && variants(0.1, &[1.0; 3], variants::Correction::Dunnett)
    );
}

/// Sums of normal values, looked at two hundred times: found as often as planned by the last look alone, and more often by all.
#[test]
fn a_sequence_finds_what_it_is_planned_for() {
    use crate::{ConfidenceSequence, Tuning};
    for (sides, tuning) in [(Sides::Two, 5_000.0), (Sides::One, 500.0)] {
        let design = Design::new(Level::P95, 0.8, sides).unwrap();
        let plan = sample_size_of_means(0.1, 1.0, 1.0, &design).unwrap();
        let sequence = ConfidenceSequence::new(Level::P95, Tuning::new(tuning).unwrap(), sides);
        let inflation = factors::always_valid(&sequence, plan.total(), &design).unwrap();
        let (looks, runs) = (200, 2_000);
        let units = (plan.total() * inflation).ceil();
        let mut draws = crate::detect::simulate::Random(11);
        let (mut last, mut any) = (0, 0);
        for _ in 0..runs {
            let (mut sum, mut found) = (0.0, [false; 2]);
            for look in 1..=looks {
                let step = units / f64::from(looks);
                // The difference of two means of half the units each, times the units.
                sum += 0.1 * step + 2.0 * step.sqrt() * normal::quantile(draws.uniform());
                let n = step * f64::from(look);
                let half = sequence.half_width(2.0 / n.sqrt(), n.ceil() as u64).unwrap();
                found[0] = sum / n - half > 0.0;
                found[1] |= found[0];
            }
            last += i32::from(found[0]);
            any += i32::from(found[1]);
        }
        let (last, any) = (f64::from(last) / f64::from(runs), f64::from(any) / f64::from(runs));
        assert!((last - 0.8).abs() < 0.03 && any > last && any < 0.9, "{sides:?}: {last} {any}");
    }
    let wrong = ConfidenceSequence::new(Level::P95, Tuning::default(), Sides::One);
    assert!(factors::always_valid(&wrong, 1_000.0, &Design::default()).is_err());
    let right = ConfidenceSequence::new(Level::P95, Tuning::default(), Sides::Two);
    assert!(factors::always_valid(&right, 0.0, &Design::default()).is_err());
    assert!(factors::always_valid(&right, f64::NAN, &Design::default()).is_err());
}
