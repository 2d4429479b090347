//! Post-stratification.

use super::{Effect, baseline};
use crate::means::{mean_of, satterthwaite, some_variance};
use crate::{Arm, Estimate, Method, Moments, Refusal};

/// The effect over strata, and the strata that could not be analysed by themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct PostStratified {
    /// Difference and lift.
    pub effect: Effect,
    /// Strata, counted from 0, that were merged into the largest one: an arm of theirs has fewer than two units
    /// or no variance.
    pub merged: Vec<usize>,
}

/// Strata by what was known before the experiment (country, platform), each weighted by its share of the units
/// of both arms. Each stratum is `[control, treatment]`.
///
/// `Δ = Σ ν δ`, and by the delta method `Δ/|M|` with `M = Σ ν μ` over control. The shares ν count as drawn, so
/// their multinomial spread is part of the variance, with the covariance of Δ and M (GrowthBook does the same);
/// Welch's degrees of freedom of the arms without strata. Assumes that strata were not changed by the treatment.
/// With a few units a stratum the variances within are themselves uncertain, and coverage drops.
///
/// # Errors
/// [`Refusal::TooFew`] without strata, [`Refusal::TooLittle`] and [`Refusal::NoVariance`] as [`welch`](crate::welch) where the
/// last stratum that is left cannot be analysed.
pub fn post_stratify(strata: &[[Moments; 2]]) -> Result<PostStratified, Refusal> {
    let (strata, merged) = with_enough(strata)?;
    let mut whole = [Moments::EMPTY; 2];
    for stratum in &strata {
        for (all, arm) in whole.iter_mut().zip(stratum) {
            *all = all.merge(arm);
        }
    }
    let [control, treatment] = whole;
    let (c, t) = (mean_of(&control, Arm::Control)?, mean_of(&treatment, Arm::Treatment)?);
    some_variance([(c, control.n()), (t, treatment.n())])?;
    let df = satterthwaite(&[(c.variance, control.n()), (t.variance, treatment.n())]);
    let units = control.n() as f64 + treatment.n() as f64;
    let (mut base, mut delta) = (0.0, 0.0);
    // Of base and effect: raw second moments of the shares, then what the strata's own means vary by.
    let (mut bb, mut bd, mut dd) = (0.0, 0.0, 0.0);
    let mut within = [0.0; 3];
    for [control, treatment] in &strata {
        let (c, t) = (mean_of(control, Arm::Control)?, mean_of(treatment, Arm::Treatment)?);
        let share = (control.n() as f64 + treatment.n() as f64) / units;
        let (mu, effect) = (c.mean, t.mean - c.mean);
        base += share * mu;
        delta += share * effect;
        bb += share * mu * mu;
        bd += share * mu * effect;
        dd += share * effect * effect;
        let squared = share * share;
        let [b, m, d] = &mut within;
        *b += squared * c.variance;
        *m -= squared * c.variance;
        *d += squared * (c.variance + t.variance);
    }
    let [within_b, within_m, within_d] = within;
    let var_b = (bb - base * base).max(0.0) / units + within_b;
    let covariance = (bd - base * delta) / units + within_m;
    let var_d = (dd - delta * delta).max(0.0) / units + within_d;
    let difference = Estimate::new(delta, var_d.sqrt(), Some(df), Method::PostStratified)?;
    let lift = baseline(base).and_then(|size| {
        let (by_base, by_effect) = (-delta / (size * base), 1.0 / size);
        let variance = by_base * by_base * var_b
            + 2.0 * by_base * by_effect * covariance
            + by_effect * by_effect * var_d;
        Estimate::new(delta / size, variance.max(0.0).sqrt(), Some(df), Method::PostStratified)
    });
    Ok(PostStratified { effect: Effect { difference, lift }, merged })
}

/// Strata that can be analysed; all others are merged into the largest one.
fn with_enough(strata: &[[Moments; 2]]) -> Result<(Vec<[Moments; 2]>, Vec<usize>), Refusal> {
    let fine = |stratum: &[Moments; 2]| stratum.iter().all(|arm| arm.variance().is_some_and(|v| v > 0.0));
    let units = |stratum: &[Moments; 2]| stratum.iter().fold(0u64, |sum, arm| sum.saturating_add(arm.n()));
    let largest = strata.iter().enumerate().max_by_key(|(at, stratum)| (units(stratum), usize::MAX - at));
    let Some((largest, _)) = largest else {
        return Err(Refusal::too_few("strata", 0, 1));
    };
    let merged: Vec<usize> =
        (0..strata.len()).filter(|&at| at != largest && strata.get(at).is_some_and(|s| !fine(s))).collect();
    let mut kept: Vec<[Moments; 2]> = Vec::new();
    for (at, stratum) in strata.iter().enumerate().filter(|(at, _)| !merged.contains(at)) {
        let mut stratum = *stratum;
        if at == largest {
            for other in merged.iter().filter_map(|&at| strata.get(at)) {
                for (arm, theirs) in stratum.iter_mut().zip(other) {
                    *arm = arm.merge(theirs);
                }
            }
        }
        kept.push(stratum);
    }
    Ok((kept, merged))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn arm(from: u32, n: u32) -> Moments {
        Moments::of(&(0..n).map(|i| f64::from(from + (i * 7) % 5)).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn one_stratum_is_welch() {
        let (c, t) = (arm(3, 40), arm(4, 37));
        let ours = post_stratify(&[[c, t]]).unwrap().effect;
        let welch = crate::welch(&c, &t, crate::Level::P95).unwrap();
        assert!((ours.difference.se() - welch.se).abs() < 1e-14);
        assert!((ours.difference.value() - welch.estimate).abs() < 1e-14);
        assert!((ours.lift.unwrap().se() - welch.relative.unwrap().se).abs() < 1e-14);
    }

    /// Strata that are far apart are noise to a test without them; their order does not matter.
    #[test]
    fn distance_between_strata_costs_nothing() {
        let strata = [[arm(0, 40), arm(1, 40)], [arm(100, 60), arm(101, 60)], [arm(900, 50), arm(901, 50)]];
        let ours = post_stratify(&strata).unwrap().effect.difference;
        let near = post_stratify(&[[arm(0, 150), arm(1, 150)]]).unwrap().effect.difference;
        assert!((ours.value() - 1.0).abs() < 1e-9 && (ours.se() / near.se() - 1.0).abs() < 0.1);
        let [a, b, c] = strata;
        let turned = post_stratify(&[c, a, b]).unwrap().effect.difference;
        assert!((turned.se() / ours.se() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_stand_alone_joins_the_largest() {
        let strata = [[arm(0, 40), arm(1, 40)], [arm(5, 1), arm(5, 9)], [arm(2, 30), arm(2, 30)]];
        let ours = post_stratify(&strata).unwrap();
        assert_eq!(ours.merged, [1]);
        let by_hand =
            post_stratify(&[[arm(0, 40).merge(&arm(5, 1)), arm(1, 40).merge(&arm(5, 9))], strata[2]]);
        assert_eq!(ours.effect, by_hand.unwrap().effect);
        assert!(matches!(post_stratify(&[]), Err(Refusal::TooFew { .. })));
        assert!(matches!(post_stratify(&[[arm(0, 1), arm(0, 9)]]), Err(Refusal::TooLittle { .. })));
    }
}
