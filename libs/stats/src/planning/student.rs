//! Means with the exact power of the t test, for experiments of few units: by the noncentral t.
//!
//! From some thousand units on the normal approximation gives the same numbers. The variances of both
//! arms may differ; the power is then Welch's, with Satterthwaite's degrees of freedom, which is exact for
//! equal variances and close otherwise.

use super::{Design, MOST_UNITS, SampleSize, check_sd, critical_tail, reach, sides_of, towards};
use crate::estimate::critical;
use crate::special::noncentral_t;
use crate::{Alternative, Level, Refusal, Variances};
use serde::{Deserialize, Serialize};

/// Whether a two-sided test that errs in direction counts as having found the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tails {
    /// It does: the probability to reject (statsmodels, pwr, tea-tasting).
    #[default]
    Both,
    /// It does not: the probability to reject on the side of the effect (R's `power.t.test`).
    Near,
}

/// One arm of a plan: the standard deviation of a unit, and the units, at least two and not necessarily whole.
pub type Arm = (f64, f64);

/// The probability that the t test rejects for the alternative, where the difference is `effect`. One-sided, an
/// effect on the other side is found less often than the error rate.
///
/// `effect` is `treatment - control`, in the unit of the metric; each arm is the standard deviation of a unit and the
/// number of units.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a standard deviation that is not positive, an arm of fewer than two
/// units, or an effect that is not finite; [`Refusal::NotFinite`] where they overflow together.
///
/// ```
/// use bellwether_stats::planning::student::{Tails, power};
/// use bellwether_stats::{Alternative, Level, Variances};
/// let p = power(0.2, (1.0, 400.0), (1.0, 800.0), Variances::Equal, (Level::P95, Alternative::TwoSided), Tails::Both);
/// assert!((p.unwrap() - 0.903781492957158).abs() < 1e-9);
/// ```
pub fn power(
    effect: f64,
    control: Arm,
    treatment: Arm,
    variances: Variances,
    (level, alternative): (Level, Alternative),
    tails: Tails,
) -> Result<f64, Refusal> {
    if !effect.is_finite() {
        return Err(Refusal::out_of_range("an effect", "among the finite numbers", effect));
    }
    for (sd, units) in [control, treatment] {
        check_sd(sd)?;
        if !(units >= 2.0 && units.is_finite()) {
            return Err(Refusal::out_of_range("units of an arm", "at 2 or above", units));
        }
    }
    let square = |(sd, units): Arm| (sd * sd, units);
    let (se, df) = variances.combine(square(control), square(treatment));
    let reach = critical(Some(df), critical_tail(level, sides_of(alternative)));
    let ncp = match alternative {
        Alternative::TwoSided => effect.abs(),
        Alternative::Greater => effect,
        Alternative::Less => -effect,
    } / se;
    let near = noncentral_t::sf(reach, df, ncp);
    let power = match (alternative, tails) {
        (Alternative::TwoSided, Tails::Both) => near + noncentral_t::cdf(-reach, df, ncp),
        _ => near,
    };
    if power.is_finite() { Ok(power) } else { Err(Refusal::not_finite("power")) }
}

/// Units to find a difference of `effect`, from the standard deviation of a unit in each arm.
///
/// # Errors
/// Those of [`power`]; [`Refusal::NoEffect`] for an effect of zero.
///
/// ```
/// use bellwether_stats::planning::Design;
/// use bellwether_stats::planning::student::{Tails, sample_size};
/// use bellwether_stats::Variances;
/// let size = sample_size(0.5, (1.0, 1.0), Variances::Equal, &Design::default(), Tails::Both).unwrap();
/// assert!((size.treatment - 63.765_61).abs() < 1e-5);
/// ```
pub fn sample_size(
    effect: f64,
    (control_sd, treatment_sd): (f64, f64),
    variances: Variances,
    design: &Design,
    tails: Tails,
) -> Result<SampleSize, Refusal> {
    if effect == 0.0 {
        return Err(Refusal::NoEffect { value: 0.0 });
    }
    let k = design.allocation;
    let test = (design.level, towards(effect, design.sides));
    let at =
        |n: f64| power(effect, (control_sd, (n * k).max(2.0)), (treatment_sd, n), variances, test, tails);
    // Both arms have two units or more.
    let least = 2.0f64.max(2.0 / k);
    at(least)?;
    let treatment = reach("sample size", (least, MOST_UNITS), design.power, |n| at(n).unwrap_or(0.0))?;
    SampleSize::of_treatment(treatment, design)
}

/// The smallest difference that so many units see with the power of the design (whose allocation is not
/// used).
///
/// # Errors
/// Those of [`power`].
pub fn mde(
    control: Arm,
    treatment: Arm,
    variances: Variances,
    design: &Design,
    tails: Tails,
) -> Result<f64, Refusal> {
    let test = (design.level, towards(1.0, design.sides));
    let at = |effect: f64| power(effect, control, treatment, variances, test, tails);
    at(0.0)?;
    // In units of the larger standard deviation, so that the search starts near the answer.
    let scale = control.0.max(treatment.0);
    let shift = reach("effect", (0.0, 1e9), design.power, |effect| at(effect * scale).unwrap_or(0.0))?;
    Ok(shift * scale)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::planning::{counts, power_of_means, power_of_proportions};

    /// By statsmodels 0.14, `TTestIndPower().power(effect, 60, 0.05, ratio=1.5, alternative=...)`.
    #[test]
    fn one_sided_power_knows_its_side() {
        use Alternative::{Greater, Less};
        let at = |effect, n: (f64, f64), alternative| {
            let test = (Level::P95, alternative);
            power(effect, (1.0, n.0), (1.0, n.1), Variances::Equal, test, Tails::Both).unwrap()
        };
        for (effect, n, alternative, exact) in [
            (-0.3, (60.0, 90.0), Greater, 0.000_294_453_870_349_876),
            (-0.3, (60.0, 90.0), Less, 0.558_398_582_063_66),
            (0.3, (60.0, 90.0), Greater, 0.558_398_582_063_66),
            (0.3, (60.0, 90.0), Less, 0.000_294_453_870_349_876),
            (-0.05, (12.0, 12.0), Greater, 0.038_897_563_421_858),
        ] {
            let ours = at(effect, n, alternative);
            assert!((ours - exact).abs() < 1e-10, "{effect} {alternative:?}: {ours}");
        }
    }

    /// `NormalIndPower` of statsmodels, and the formulas by scipy's normal distribution.
    #[test]
    fn so_does_that_of_the_normal_approximations() {
        use Alternative::{Greater, Less};
        for (ours, exact) in [
            (power_of_means(-0.2, (1.0, 100), (1.0, 100), Level::P95, Greater), 0.001_110_136_741_142),
            (power_of_means(-0.2, (1.0, 100), (1.0, 100), Level::P95, Less), 0.408_797_219_793_870),
            (power_of_proportions((0.1, 2_000), (0.09, 1_500), Level::P95, Greater), 0.003_927_918_555_904),
            (power_of_proportions((0.1, 2_000), (0.09, 1_500), Level::P95, Less), 0.256_494_134_132_767),
            (
                counts::power_of_rates((0.02, 5e3), (0.025, 4e3), 1.3, Level::P95, Greater),
                0.399_386_224_109_384,
            ),
            (counts::power_of_rates((0.02, 5e3), (0.025, 4e3), 1.3, Level::P95, Less), 0.001_374_902_858_125),
        ] {
            let ours = ours.unwrap();
            assert!((ours - exact).abs() < 1e-12, "{ours} {exact}");
        }
    }
}
