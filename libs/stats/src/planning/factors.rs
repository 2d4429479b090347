//! What makes an experiment larger or smaller by a factor, and how long it takes.
//!
//! A factor multiplies the units of a plan: those of [`design_effect`] times those of
//! [`cuped`] times the inflation of a sequential design (see [`sequential`]).

use super::reach;
use crate::special::normal;
use crate::{ConfidenceSequence, Refusal, Sides, group_sequential};

/// The design effect of clusters: how many times more units are needed where whole clusters (teams, cities,
/// pages) are assigned, `1 + ((1 + cv²) m - 1) ICC`.
///
/// `size` is the mean number of units in a cluster, `cv` the coefficient of variation of that number (0 for clusters of
/// the same size), `icc` the intra-cluster correlation: the share of the variance that lies between
/// clusters. It assumes that clusters count by their units; with few clusters (below some 40) the loss
/// of degrees of freedom comes on top.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a size below one, a negative variation, or a correlation outside of 0 to 1;
/// [`Refusal::NotFinite`] where they overflow together.
///
/// ```
/// use bellwether_stats::planning::factors::design_effect;
/// assert!((design_effect(20.0, 0.0, 0.05).unwrap() - 1.95).abs() < 1e-12);
/// ```
pub fn design_effect(size: f64, cv: f64, icc: f64) -> Result<f64, Refusal> {
    if !(size >= 1.0 && size.is_finite()) {
        return Err(Refusal::out_of_range("the mean size of a cluster", "at 1 or above", size));
    }
    if !(cv >= 0.0 && cv.is_finite()) {
        return Err(Refusal::out_of_range("a coefficient of variation", "at 0 or above", cv));
    }
    if !(0.0..=1.0).contains(&icc) {
        return Err(Refusal::out_of_range("an intra-cluster correlation", "from 0 to 1", icc));
    }
    let effect = 1.0 + ((1.0 + cv * cv) * size - 1.0) * icc;
    if effect.is_finite() { Ok(effect) } else { Err(Refusal::not_finite("design effect")) }
}

/// The share of units that CUPED leaves, `1 - ρ²`, from the correlation of the metric with its covariate
/// before the experiment (for several covariates the multiple correlation).
///
/// # Errors
/// [`Refusal::OutOfRange`] for a correlation that does not lie between -1 and 1.
pub fn cuped(correlation: f64) -> Result<f64, Refusal> {
    if !(correlation > -1.0 && correlation < 1.0) {
        return Err(Refusal::out_of_range("a correlation", "between -1 and 1", correlation));
    }
    Ok((1.0 - correlation) * (1.0 + correlation))
}

/// As [`cuped`], where only a share of the units has the covariate (others are new): their covariate is
/// taken to be the mean, and nothing is saved on them.
///
/// # Errors
/// Those of [`cuped`], and [`Refusal::OutOfRange`] for a share outside of 0 to 1.
pub fn cuped_for_some(correlation: f64, share: f64) -> Result<f64, Refusal> {
    if !(0.0..=1.0).contains(&share) {
        return Err(Refusal::out_of_range("a share of units", "from 0 to 1", share));
    }
    Ok(1.0 - share * (1.0 - cuped(correlation)?))
}

/// The inflation of a group-sequential design: the units at its last look over those of the plan with one look,
/// `(θ/(z_α + z_β))²` with the drift `θ` at which the design, by its own recursion, has the plan's power. Never below one.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a design of another error rate or other sides than the plan's; as
/// [`group_sequential::Design::inflation`].
///
/// ```
/// use bellwether_stats::group_sequential::{Boundary, Design, Looks};
/// use bellwether_stats::planning::{self, factors};
/// use bellwether_stats::{Level, Sides};
/// let looks = Looks::equal(5).unwrap();
/// let pocock = Design::new(&looks, Level::P95, Sides::Two, Boundary::POCOCK).unwrap();
/// // Jennison and Turnbull 1999, table 2.2: 1.229.
/// let inflation = factors::sequential(&pocock, &planning::Design::default()).unwrap();
/// assert!((inflation - 1.229).abs() < 5e-4);
/// ```
pub fn sequential(looks: &group_sequential::Design, plan: &super::Design) -> Result<f64, Refusal> {
    let (level, sides) = looks.test();
    if sides != plan.sides() {
        let range = "with those of the plan";
        return Err(Refusal::out_of_range("the sides of a sequential design", range, format!("{sides:?}")));
    }
    if (level.alpha() / plan.level().alpha() - 1.0).abs() > 1e-9 {
        let range = format!("at that of the plan, `{}`", plan.level().alpha());
        return Err(Refusal::out_of_range("the error rate of a sequential design", &range, level.alpha()));
    }
    // One to rounding: a design of one look.
    Ok(looks.inflation(plan.power())?.max(1.0))
}

/// The inflation of looking at all times: the units at which a confidence sequence finds the effect of the plan with its power
/// by a look at that moment, over the units of the plan with one look. `units` are those of both arms by the plan with one
/// look: a sequence is tightest at its tuning, so that its inflation depends on where the plan lies.
///
/// From `Φ(θ√F - w(F·units)) = power`, with `θ = z_α + z_β` and the half-width `w` of the sequence in standard errors. Who looks
/// before, and stops where the sequence leaves out zero, finds it more often than that.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a sequence of another error rate or other sides than the plan's, or fewer units than one;
/// [`Refusal::OutOfReach`] where a thousand times the units are not enough.
///
/// ```
/// use bellwether_stats::planning::{Design, factors, sample_size_of_means};
/// use bellwether_stats::{ConfidenceSequence, Level, Sides, Tuning};
/// let plan = Design::default();
/// let units = sample_size_of_means(0.05, 1.0, 1.0, &plan).unwrap().total();
/// let sequence = ConfidenceSequence::new(Level::P95, Tuning::new(units).unwrap(), Sides::Two);
/// let inflation = factors::always_valid(&sequence, units, &plan).unwrap();
/// assert!((1.8..2.0).contains(&inflation), "{inflation}");
/// ```
pub fn always_valid(sequence: &ConfidenceSequence, units: f64, plan: &super::Design) -> Result<f64, Refusal> {
    let (alpha, sides) = sequence.test();
    if sides != plan.sides() {
        let range = "with those of the plan";
        return Err(Refusal::out_of_range("the sides of a sequence", range, format!("{sides:?}")));
    }
    if (alpha / plan.level().alpha() - 1.0).abs() > 1e-9 {
        let range = format!("at that of the plan, `{}`", plan.level().alpha());
        return Err(Refusal::out_of_range("the error rate of a sequence", &range, alpha));
    }
    if !(1.0..=super::MOST_UNITS).contains(&units) {
        return Err(Refusal::out_of_range("the units of a plan", "from 1 to 1e18", units));
    }
    let shift = super::means::shift(plan);
    let power = |factor: f64| {
        // A sequence counts whole units.
        let Ok(width) = sequence.half_width(1.0, (factor * units).ceil() as u64) else { return 0.0 };
        let mean = shift * factor.sqrt();
        let other = if sides == Sides::Two { normal::sf(mean + width) } else { 0.0 };
        normal::cdf(mean - width) + other
    };
    reach("inflation", (1.0, 1e3), plan.power(), power)
}

/// Twenty thousand years are no plan.
const MOST_WEEKS: f64 = 1e6;

/// Whole weeks until so many units were exposed, from the *new* units of each coming week; from the last
/// one given on, every further week brings as many as that.
///
/// Whole weeks, since weekdays differ. Units that came before are not new: traffic by week overstates what an
/// experiment gets after its first, so give the new units of week after week, from history.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a week with less than no unit, or units that do not come within a million weeks.
///
/// ```
/// use bellwether_stats::planning::factors::weeks;
/// assert_eq!(weeks(25_000.0, &[10_000.0, 6_000.0, 5_000.0]).unwrap(), 4);
/// ```
pub fn weeks(units: f64, new_units: &[f64]) -> Result<u64, Refusal> {
    if let Some(bad) = new_units.iter().find(|week| !(**week >= 0.0 && week.is_finite())) {
        return Err(Refusal::out_of_range("the new units of a week", "at 0 or above", bad));
    }
    if !(units >= 0.0 && units.is_finite()) {
        return Err(Refusal::out_of_range("the units of a plan", "at 0 or above", units));
    }
    let mut left = units;
    for (week, new) in (0..).zip(new_units) {
        if left <= 0.0 {
            return Ok(week);
        }
        left -= new;
    }
    let given = new_units.len() as u64;
    if left <= 0.0 {
        return Ok(given);
    }
    match new_units.last() {
        Some(&last) if last > 0.0 => {
            let more = (left / last).ceil();
            if more > MOST_WEEKS {
                let range =
                    format!("within a million weeks of the new units, `{last}` in the last week given");
                return Err(Refusal::out_of_range("the units of a plan", &range, units));
            }
            Ok(given + more as u64)
        }
        _ => Err(Refusal::out_of_range("the new units of the last week", "above 0", 0)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::planning::Design;
    use crate::{Level, Sides};

    #[test]
    fn weeks_are_counted_one_by_one() {
        let naive = |units: f64, new: &[f64]| {
            let (mut have, mut week) = (0.0, 0);
            while have < units {
                have += new.get(week).or(new.last()).unwrap();
                week += 1;
            }
            week as u64
        };
        for units in [0.0, 1.0, 10.0, 10.5, 16.0, 21.0, 21.1, 26.0, 1_000.0] {
            let new = [10.0, 6.0, 5.0];
            assert_eq!(weeks(units, &new), Ok(naive(units, &new)), "{units}");
        }
        assert!(weeks(1.0, &[]).is_err() && weeks(1.0, &[0.0]).is_err() && weeks(1.0, &[f64::NAN]).is_err());
        assert_eq!(weeks(0.0, &[]), Ok(0));
    }

    #[test]
    fn factors_keep_their_bounds() {
        assert_eq!(design_effect(1.0, 0.0, 0.3), Ok(1.0));
        assert!(design_effect(20.0, 0.5, 0.05).unwrap() > design_effect(20.0, 0.0, 0.05).unwrap());
        assert!(design_effect(0.5, 0.0, 0.1).is_err() && design_effect(5.0, 0.0, 1.5).is_err());
        assert!((cuped(0.6).unwrap() - 0.64).abs() < 1e-15 && cuped(1.0).is_err());
        assert!((cuped_for_some(0.6, 0.5).unwrap() - 0.82).abs() < 1e-15);
        let plan = Design::default();
        let by = |shares: &[f64], level, sides| {
            let looks = group_sequential::Looks::new(shares).unwrap();
            let boundary = group_sequential::Boundary::Spending(group_sequential::Spending::Pocock);
            group_sequential::Design::new(&looks, level, sides, boundary).unwrap()
        };
        let one = sequential(&by(&[1.0], Level::P95, Sides::Two), &plan).unwrap();
        assert!((one - 1.0).abs() < 1e-6, "{one}");
        let (few, many) =
            (by(&[0.5, 1.0], Level::P95, Sides::Two), by(&[0.2, 0.4, 0.6, 0.8, 1.0], Level::P95, Sides::Two));
        let [few, many] = [few, many].map(|looks| sequential(&looks, &plan).unwrap());
        assert!(1.05 < few && few < many && many < 1.3, "{few} {many}");
        let check = |level, sides| sequential(&by(&[0.5, 1.0], level, sides), &plan).unwrap_err().to_string();
        assert_eq!(
            check(Level::P95, Sides::One),
            "the sides of a sequential design must lie with those of the plan: `One`"
        );
        assert!(
            check(Level::P99, Sides::Two)
                .starts_with("the error rate of a sequential design must lie at that of")
        );
    }
}
