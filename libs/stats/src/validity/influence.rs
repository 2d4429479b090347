//! Outliers and machines: whether the result is that of a few units.

use crate::proportions::fisher;
use crate::{Alternative, Arm, Estimate, Level, Moments, Proportion, Refusal, Test, Variances, difference};
use serde::{Deserialize, Serialize};

/// What the largest units do to a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Influence {
    /// The difference of the means with all units.
    pub estimate: Estimate,
    /// The largest move of the estimate by leaving out one unit, in standard errors.
    pub largest_move: f64,
    /// Share of the sum of absolute values that the top 1 % of the units of both arms hold.
    pub top_share: f64,
    /// The fewest units that, left out in the order of what they do for the result, turn it round: shown
    /// becomes not shown at the level. None where a hundredth of the units do not, or where nothing
    /// was shown.
    pub overturned_by: Option<u64>,
}

/// How much the difference of means between two arms hangs on a few units.
///
/// Units are left out one by one: of the arm and the end of its values that carry the effect, always the one
/// whose absence moves the estimate most towards zero, until the result is no longer shown or a hundredth of all
/// units is gone. A result that a handful of units overturns is one about them; cap the values
/// (winsorise) before the experiment, not after.
///
/// # Errors
/// Those of [`crate::welch`], and [`Refusal::OutOfRange`] for a value that is not finite.
///
/// ```
/// use bellwether_stats::validity::influence;
/// use bellwether_stats::Level;
/// let control: Vec<f64> = (0..500).map(|i| f64::from(i % 10)).collect();
/// let mut treatment = control.clone();
/// // Two units of a reseller.
/// treatment[0] = 900.0;
/// treatment[1] = 900.0;
/// let found = influence(&control, &treatment, Level::new(0.8).unwrap()).unwrap();
/// assert_eq!(found.overturned_by, Some(1));
/// assert!(found.top_share > 0.25);
/// ```
pub fn influence(control: &[f64], treatment: &[f64], level: Level) -> Result<Influence, Refusal> {
    let mut arms = [Sorted::new(control)?, Sorted::new(treatment)?];
    let [c, t] = &arms;
    let estimate = difference(&c.moments()?, &t.moments()?, Variances::Unequal)?;
    let largest_move = arms.iter().map(Sorted::largest_move).fold(0.0, f64::max) / estimate.se();
    let top_share = top_share(control, treatment);
    let shown = |estimate: &Estimate| -> Result<bool, Refusal> {
        Ok(estimate.test(0.0, Alternative::TwoSided)?.p < level.alpha())
    };
    let mut overturned_by = None;
    if shown(&estimate)? {
        let most = (control.len() + treatment.len()) as u64 / 100;
        let positive = estimate.value() > 0.0;
        for gone in 1..=most.max(1) {
            let [c, t] = &mut arms;
            // A positive effect is carried by small values of control and large ones of treatment.
            let (of_c, of_t) = (c.move_without(!positive), t.move_without(positive));
            if of_c > of_t {
                c.leave_out(!positive)
            } else {
                t.leave_out(positive)
            }
            let still = match difference(&c.moments()?, &t.moments()?, Variances::Unequal) {
                Ok(left) => left.value() * estimate.value() > 0.0 && shown(&left)?,
                // Without variance or units nothing is shown.
                Err(_) => false,
            };
            if !still {
                overturned_by = Some(gone);
                break;
            }
        }
    }
    Ok(Influence { estimate, largest_move, top_share, overturned_by })
}

/// The values of an arm in order, of which some at the ends are left out; sums are kept around the mean of
/// all, so that taking values away loses few digits.
struct Sorted {
    values: Vec<f64>,
    low: usize,
    high: usize,
    centre: f64,
    sum: f64,
    squares: f64,
}

impl Sorted {
    fn new(values: &[f64]) -> Result<Self, Refusal> {
        let all = Moments::of(values)?;
        let centre = all.mean().unwrap_or(0.0);
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        Ok(Self { high: values.len(), values, low: 0, centre, sum: 0.0, squares: all.squared_deviations() })
    }

    fn n(&self) -> f64 {
        (self.high - self.low) as f64
    }

    fn moments(&self) -> Result<Moments, Refusal> {
        let n = self.high - self.low;
        if n == 0 {
            return Ok(Moments::EMPTY);
        }
        let mean = self.sum / self.n();
        let squares = if n == 1 { 0.0 } else { (self.squares - self.sum * mean).max(0.0) };
        Moments::new(n as u64, self.centre + mean, squares)
    }

    fn end(&self, top: bool) -> Option<f64> {
        if self.low >= self.high {
            return None;
        }
        self.values.get(if top { self.high - 1 } else { self.low }).copied()
    }

    /// How far the mean moves without the unit at that end.
    fn move_without(&self, top: bool) -> f64 {
        match self.end(top) {
            Some(value) if self.n() > 1.0 => {
                ((value - self.centre - self.sum / self.n()) / (self.n() - 1.0)).abs()
            }
            _ => 0.0,
        }
    }

    fn largest_move(&self) -> f64 {
        self.move_without(true).max(self.move_without(false))
    }

    fn leave_out(&mut self, top: bool) {
        let Some(value) = self.end(top) else { return };
        let away = value - self.centre;
        self.sum -= away;
        self.squares -= away * away;
        if top { self.high -= 1 } else { self.low += 1 }
    }
}

fn top_share(control: &[f64], treatment: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = control.iter().chain(treatment).map(|value| value.abs()).collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    let total: f64 = sizes.iter().sum();
    let top: f64 = sizes.iter().take((sizes.len() / 100).max(1)).sum();
    if total > 0.0 { top / total } else { 0.0 }
}

/// Units that are busier than people are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspicion {
    /// Activity above this is suspicious.
    pub fence: f64,
    /// Suspicious units of control, among all of it.
    pub control: Proportion,
    /// Suspicious units of treatment, among all of it.
    pub treatment: Proportion,
    /// Share of all activity that is theirs.
    pub share_of_activity: f64,
    /// Fisher's test of "as many in one arm as in the other": a treatment that machines handle worse or better
    /// than people (a captcha, a redirect) fails it, and its result is about machines.
    pub test: Test,
}

/// Finds units whose activity (events, page views, requests) is out of the ordinary: beyond three times the
/// interquartile range above the upper quartile of its logarithm, over both arms together.
///
/// On the logarithm, since activity is skewed: heavy users are people. For activity that is the same for half of all units the
/// range is zero and every other unit would be suspicious; that is refused.
///
/// # Errors
/// [`Refusal::TooLittle`] below eight units in an arm, [`Refusal::OutOfRange`] for an activity that is
/// negative or not finite, [`Refusal::NoVariance`] where the quartiles are the same.
pub fn suspicion(control: &[f64], treatment: &[f64]) -> Result<Suspicion, Refusal> {
    const NEED: u64 = 8;
    const FENCE: f64 = 3.0;
    for (arm, values) in [(Arm::Control, control), (Arm::Treatment, treatment)] {
        let have = values.len() as u64;
        if have < NEED {
            return Err(Refusal::TooLittle { arm, have, need: NEED });
        }
        if let Some(bad) = values.iter().find(|value| !(**value >= 0.0 && value.is_finite())) {
            return Err(Refusal::out_of_range("the activity of a unit", "at 0 or above", bad));
        }
    }
    let mut logs: Vec<f64> = control.iter().chain(treatment).map(|value| value.ln_1p()).collect();
    logs.sort_by(f64::total_cmp);
    // Type 7, as R and numpy.
    let quartile = |p: f64| {
        let place = p * (logs.len() - 1) as f64;
        let at = |i: usize| logs.get(i.min(logs.len() - 1)).copied().unwrap_or(0.0);
        let below = at(place.floor() as usize);
        below + place.fract() * (at(place.floor() as usize + 1) - below)
    };
    let (lower, upper) = (quartile(0.25), quartile(0.75));
    if upper <= lower {
        return Err(Refusal::NoVariance);
    }
    // Beyond the largest number there is nobody.
    let fence = (upper + FENCE * (upper - lower)).exp_m1().min(f64::MAX);
    let beyond = |values: &[f64]| {
        let count = values.iter().filter(|value| **value > fence).count() as u64;
        Proportion::new(count, values.len() as u64)
    };
    let (c, t) = (beyond(control)?, beyond(treatment)?);
    let both = || control.iter().chain(treatment);
    // In parts of the largest, so that no sum is beyond the numbers that there are.
    let largest = both().copied().fold(f64::MIN_POSITIVE, f64::max);
    let total: f64 = both().map(|value| value / largest).sum();
    let theirs: f64 = both().filter(|value| **value > fence).map(|value| value / largest).sum();
    Ok(Suspicion {
        fence,
        control: c,
        treatment: t,
        share_of_activity: if total > 0.0 { theirs / total } else { 0.0 },
        test: fisher(&c, &t, Alternative::TwoSided)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec(-100.0..100.0f64, 5..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// The move of the estimate by its most influential unit, by leaving out each.
        #[test]
        fn the_largest_move_is_over_all_units(c in values(), t in values()) {
            let ours = influence(&c, &t, Level::P95).unwrap();
            let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
            let naive = [&c, &t].into_iter().flat_map(|arm| (0..arm.len()).map(move |i| {
                let mut left = arm.clone();
                left.remove(i);
                (mean(&left) - mean(arm)).abs()
            })).fold(0.0, f64::max) / ours.estimate.se();
            prop_assert!((ours.largest_move - naive).abs() < 1e-9 * naive.max(1.0));
        }

        /// Turning all values round changes nothing but the sign.
        #[test]
        fn it_is_symmetric(c in values(), t in values()) {
            let turned = |v: &[f64]| v.iter().map(|x| -x).collect::<Vec<_>>();
            let (plain, mirrored) = (influence(&c, &t, Level::P95).unwrap(), influence(&turned(&c), &turned(&t), Level::P95).unwrap());
            prop_assert_eq!(plain.overturned_by, mirrored.overturned_by);
            prop_assert!((plain.largest_move - mirrored.largest_move).abs() < 1e-9);
        }
    }

    #[test]
    fn a_broad_effect_is_not_overturned() {
        let control: Vec<f64> = (0..1_000).map(|i| f64::from(i * 37 % 100)).collect();
        let treatment: Vec<f64> = control.iter().map(|x| x + 20.0).collect();
        assert_eq!(influence(&control, &treatment, Level::P95).unwrap().overturned_by, None);
        assert_eq!(influence(&control, &control, Level::P95).unwrap().overturned_by, None);
        assert!(influence(&[1.0], &control, Level::P95).is_err());
        assert!(influence(&[1.0, f64::NAN], &control, Level::P95).is_err());
        assert_eq!(influence(&[1.0; 3], &[1.0; 3], Level::P95), Err(Refusal::NoVariance));
    }

    #[test]
    fn machines_in_one_arm_are_found() {
        let people = |i: u32| f64::from(i * 7 % 40);
        let control: Vec<f64> = (0..1_000).map(people).collect();
        let treatment: Vec<f64> = (0..1_000).map(|i| if i % 50 == 0 { 2e6 } else { people(i) }).collect();
        let found = suspicion(&control, &treatment).unwrap();
        assert_eq!((found.control.successes(), found.treatment.successes()), (0, 20));
        assert!(found.test.p < 1e-5 && found.share_of_activity > 0.9, "{found:?}");
        let none = suspicion(&control, &control).unwrap();
        assert_eq!((none.control.successes(), none.test.p), (0, 1.0));
        assert!(suspicion(&[1.0; 5], &control).is_err());
        assert!(suspicion(&[-1.0; 9], &control).is_err());
        assert_eq!(suspicion(&[1.0; 9], &[1.0; 9]), Err(Refusal::NoVariance));
    }
}
