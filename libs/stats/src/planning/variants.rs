//! Several variants against one control, or all against all.

use super::{Design, MOST_UNITS, check_sd, reach, sides_of};
use crate::multiplicity::dunnett_critical;
use crate::special::normal;
use crate::{Alternative, Level, Refusal, Sides};
use serde::{Deserialize, Serialize};

/// Which arms are compared; the first is control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparisons {
    /// Each of the others with control.
    WithControl,
    /// Every pair.
    AllPairs,
}

/// How the level of each comparison is made stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Not at all: each comparison errs at the level by itself.
    None,
    /// The level divided by the number of comparisons.
    Bonferroni,
    /// Dunnett's (1955) for comparisons with one control: exactly the level over all of them, as they share
    /// the control. Less strict than Bonferroni.
    Dunnett,
}

/// Units of each arm, in the order of the shares, so that every comparison finds a difference of
/// `effect` with the power of the design (whose allocation is not used), where one unit has the standard
/// deviation `sd` in every arm.
///
/// For a rate `p` the standard deviation is `√(p(1-p))`, the same in both arms: Spotify's planner, whose default
/// gives half of the units to control. With `m` variants √m units of control for one of each variant need the
/// fewest in total.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a standard deviation or a share that is not above zero, or Dunnett's correction
/// for all pairs; [`Refusal::TooFew`] below two shares; [`Refusal::NoEffect`] for an effect of zero.
///
/// ```
/// use bellwether_stats::planning::Design;
/// use bellwether_stats::planning::variants::{Comparisons, Correction, sample_size};
/// let sd = f64::sqrt(0.1 * 0.9);
/// let half_to_control = [3.0, 1.0, 1.0, 1.0];
/// let units = sample_size(
///     0.01, sd, &half_to_control, Comparisons::WithControl, Correction::Bonferroni, &Design::default(),
/// );
/// assert_eq!(units.unwrap()[1].ceil(), 12_563.0);
/// ```
pub fn sample_size(
    effect: f64,
    sd: f64,
    shares: &[f64],
    comparisons: Comparisons,
    correction: Correction,
    design: &Design,
) -> Result<Vec<f64>, Refusal> {
    sample_size_by_arm(effect, &alike(sd, shares), comparisons, correction, design)
}

/// As [`sample_size`], where each arm has its own standard deviation of one unit, before its share: a rate that a variant is to
/// double, or revenue that spreads as it grows.
///
/// # Errors
/// Those of [`sample_size`]; [`Refusal::NotFinite`] where the standard deviations are too far apart.
pub fn sample_size_by_arm(
    effect: f64,
    arms: &[(f64, f64)],
    comparisons: Comparisons,
    correction: Correction,
    design: &Design,
) -> Result<Vec<f64>, Refusal> {
    let spread = Spread::new(arms, comparisons)?;
    if effect == 0.0 || !effect.is_finite() {
        return Err(Refusal::NoEffect { value: effect });
    }
    let critical = critical(&spread.precisions, comparisons, correction, design.level, design.sides)?;
    let total = reach("sample size", (1.0, MOST_UNITS), design.power, |n| {
        power_at(effect.abs() / (spread.unit / n.sqrt()), critical, design.sides)
    })?;
    Ok(arms.iter().map(|(_, share)| share / spread.total * total).collect())
}

/// The power of the comparison that has the least of it, with so many units in each arm.
///
/// # Errors
/// Those of [`sample_size`].
pub fn power(
    effect: f64,
    sd: f64,
    units: &[f64],
    comparisons: Comparisons,
    correction: Correction,
    (level, alternative): (Level, Alternative),
) -> Result<f64, Refusal> {
    power_by_arm(effect, &alike(sd, units), comparisons, correction, (level, alternative))
}

/// As [`power`], where each arm has its own standard deviation of one unit, before its units.
///
/// # Errors
/// Those of [`sample_size_by_arm`].
pub fn power_by_arm(
    effect: f64,
    arms: &[(f64, f64)],
    comparisons: Comparisons,
    correction: Correction,
    (level, alternative): (Level, Alternative),
) -> Result<f64, Refusal> {
    let spread = Spread::new(arms, comparisons)?;
    if !effect.is_finite() {
        return Err(Refusal::out_of_range("an effect", "among the finite numbers", effect));
    }
    let critical = critical(&spread.precisions, comparisons, correction, level, sides_of(alternative))?;
    let shift = match alternative {
        Alternative::TwoSided => effect.abs(),
        Alternative::Greater => effect,
        Alternative::Less => -effect,
    } / spread.error();
    super::finite("power", power_at(shift, critical, sides_of(alternative)))
}

/// The smallest difference that every comparison finds with the power of the design.
///
/// # Errors
/// Those of [`sample_size`].
pub fn mde(
    sd: f64,
    units: &[f64],
    comparisons: Comparisons,
    correction: Correction,
    design: &Design,
) -> Result<f64, Refusal> {
    mde_by_arm(&alike(sd, units), comparisons, correction, design)
}

/// As [`mde`], where each arm has its own standard deviation of one unit, before its units.
///
/// # Errors
/// Those of [`sample_size_by_arm`].
pub fn mde_by_arm(
    arms: &[(f64, f64)],
    comparisons: Comparisons,
    correction: Correction,
    design: &Design,
) -> Result<f64, Refusal> {
    let spread = Spread::new(arms, comparisons)?;
    let critical = critical(&spread.precisions, comparisons, correction, design.level, design.sides)?;
    let shift = reach("effect", (0.0, 1e6), design.power, |shift| power_at(shift, critical, design.sides))?;
    super::finite("effect", shift * spread.error())
}

fn alike(sd: f64, shares: &[f64]) -> Vec<(f64, f64)> {
    shares.iter().map(|share| (sd, *share)).collect()
}

/// What an arm's share and spread are worth to its comparisons.
struct Spread {
    /// The shares, or units, of all arms.
    total: f64,
    /// Of each arm its share over the variance of a unit, up to a factor: what its mean is as certain as.
    precisions: Vec<f64>,
    /// The standard deviation of the comparison with the largest variance, with one unit in all arms together.
    unit: f64,
}

impl Spread {
    fn new(arms: &[(f64, f64)], comparisons: Comparisons) -> Result<Self, Refusal> {
        let shares: Vec<f64> = arms.iter().map(|(_, share)| *share).collect();
        arms.iter().try_for_each(|(sd, _)| check_sd(*sd))?;
        let normal = normalised(&shares)?;
        let widest = arms.iter().map(|(sd, _)| *sd).fold(0.0, f64::max);
        let precision = |((sd, _), share): (&(f64, f64), &f64)| {
            let precision = share / (sd / widest).powi(2);
            if precision.is_finite() {
                Ok(precision)
            } else {
                Err(Refusal::not_finite("precision of an arm"))
            }
        };
        let precisions: Vec<f64> = arms.iter().zip(&normal).map(precision).collect::<Result<_, _>>()?;
        let unit = super::finite("standard deviation", widest * worst(&precisions, comparisons).sqrt())?;
        Ok(Self { total: shares.iter().sum(), precisions, unit })
    }

    /// The error of the same comparison with the units that there are.
    fn error(&self) -> f64 {
        self.unit / self.total.sqrt()
    }
}

fn normalised(shares: &[f64]) -> Result<Vec<f64>, Refusal> {
    if shares.len() < 2 {
        return Err(Refusal::too_few("arms", shares.len() as u64, 2));
    }
    if let Some(bad) = shares.iter().find(|share| !(**share > 0.0 && share.is_finite())) {
        return Err(Refusal::out_of_range("the share of an arm", "above 0", bad));
    }
    let total = super::finite("sum of shares", shares.iter().sum())?;
    Ok(shares.iter().map(|share| share / total).collect())
}

fn critical(
    precisions: &[f64],
    comparisons: Comparisons,
    correction: Correction,
    level: Level,
    sides: Sides,
) -> Result<f64, Refusal> {
    let arms = precisions.len() as f64;
    let number = match comparisons {
        Comparisons::WithControl => arms - 1.0,
        Comparisons::AllPairs => arms * (arms - 1.0) / 2.0,
    };
    let tail = super::critical_tail(level, sides);
    match (correction, comparisons) {
        (Correction::None, _) => Ok(-normal::quantile(tail)),
        (Correction::Bonferroni, _) => Ok(-normal::quantile(tail / number)),
        (Correction::Dunnett, Comparisons::WithControl) => dunnett_critical(precisions, level, sides),
        (Correction::Dunnett, Comparisons::AllPairs) => Err(Refusal::out_of_range(
            "the comparisons of Dunnett's correction",
            "among those with control",
            "all pairs",
        )),
    }
}

/// The largest `1/precision + 1/precision` of a comparison.
fn worst(precisions: &[f64], comparisons: Comparisons) -> f64 {
    let mut inverse: Vec<f64> = precisions.iter().map(|precision| precision.recip()).collect();
    let control = inverse.first().copied().unwrap_or(0.0);
    match comparisons {
        Comparisons::WithControl => control + inverse.iter().skip(1).copied().fold(0.0, f64::max),
        Comparisons::AllPairs => {
            inverse.sort_by(|a, b| b.total_cmp(a));
            inverse.iter().take(2).sum()
        }
    }
}

fn power_at(shift: f64, critical: f64, sides: Sides) -> f64 {
    let near = normal::sf(critical - shift);
    match sides {
        Sides::One => near,
        Sides::Two => near + normal::sf(critical + shift),
    }
}
