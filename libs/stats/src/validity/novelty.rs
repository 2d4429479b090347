//! Novelty and primacy: whether the effect changes with the days since exposure.

use crate::{Alternative, Arm, Estimate, Level, Moments, Refusal, Variances, difference};
use serde::{Deserialize, Serialize};

/// Days since exposure that count as early.
const EARLY: usize = 3;

/// The effect by days since exposure, collected unit by unit.
///
/// Each unit that was followed for all the days is two numbers: the slope of its values on `1/day`, and the mean of its first
/// three days less that of the rest. The difference of their means between the arms is the trend of the
/// effect, and its standard error is right however much the days of a unit resemble each other: units are
/// independent, days are not. (A regression on daily effects with errors clustered by unit gives the same
/// numbers.) Only units with all days belong here: where those who stay differ from those who left, days compare
/// different people.
///
/// ```
/// use bellwether_stats::validity::{Drift, Trend};
/// use bellwether_stats::{Arm, Level};
/// let mut trend = Trend::new(7).unwrap();
/// for user in 0..200u32 {
///     // Users differ, and so do their days.
///     let value = |day: u32| f64::from(user % 7) + f64::from((user * 31 + day * 17) % 13) * 0.1;
///     let control: Vec<f64> = (1..=7).map(value).collect();
///     // A novelty: one more on the first day, hardly any more a week later.
///     let treated: Vec<f64> = (1..=7).map(|day| value(day) + 1.0 / f64::from(day)).collect();
///     trend.push(Arm::Control, &control).unwrap();
///     trend.push(Arm::Treatment, &treated).unwrap();
/// }
/// assert_eq!(trend.result(Level::P95).unwrap().drift, Drift::Fades);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    days: usize,
    arms: [Sums; 2],
}

/// Of one arm.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Sums {
    slope: Moments,
    early_less_late: Moments,
    all_days: Moments,
}

/// Which way the effect goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// No change was shown.
    None,
    /// The effect fades: novelty. What was measured overstates what will stay.
    Fades,
    /// The effect grows: primacy, or learning. What was measured understates what will come.
    Grows,
}

/// The trend of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrendResult {
    /// The effect over all days.
    pub effect: Estimate,
    /// Slope of the effect on `1/day`: the effect of day `d` is about a constant plus `slope/d`, so that
    /// what fades has the sign of the effect.
    pub slope: Estimate,
    /// The effect of the first three days less that of the rest.
    pub early_less_late: Estimate,
    /// What the slope shows at the level asked for. Read both tests: a change that is not like `1/day` may be seen
    /// by the other one only.
    pub drift: Drift,
}

impl Trend {
    /// For units followed over so many days since their exposure: at least five.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for fewer days.
    pub fn new(days: usize) -> Result<Self, Refusal> {
        if days < EARLY + 2 {
            let range = format!("at `{}` or above", EARLY + 2);
            return Err(Refusal::out_of_range("the days since exposure", &range, days));
        }
        Ok(Self { days, arms: [Sums::default(); 2] })
    }

    /// Adds a unit by its values on the days since its exposure, the first day first.
    ///
    /// # Errors
    /// [`Refusal::LengthsDiffer`] for another number of days, [`Refusal::OutOfRange`] for a value that is
    /// not finite; nothing is added then.
    pub fn push(&mut self, arm: Arm, by_day: &[f64]) -> Result<(), Refusal> {
        crate::joint::same_length("values of a unit", by_day.len(), "days", self.days)?;
        let n = self.days as f64;
        let inverse_mean = (1..=self.days).map(|day| 1.0 / day as f64).sum::<f64>() / n;
        let (mut products, mut squares, mut early, mut all) = (0.0, 0.0, 0.0, 0.0);
        for (day, value) in by_day.iter().enumerate() {
            let x = 1.0 / (day as f64 + 1.0) - inverse_mean;
            products += x * value;
            squares += x * x;
            all += value;
            if day < EARLY {
                early += value;
            }
        }
        let early_mean = early / EARLY as f64;
        let late_mean = (all - early) / (n - EARLY as f64);
        let [control, treatment] = &mut self.arms;
        let sums = match arm {
            Arm::Control => control,
            Arm::Treatment => treatment,
        };
        let mut next = *sums;
        next.slope.push(products / squares)?;
        next.early_less_late.push(early_mean - late_mean)?;
        next.all_days.push(all / n)?;
        *sums = next;
        Ok(())
    }

    /// Of the units of both.
    ///
    /// # Errors
    /// [`Refusal::LengthsDiffer`] where they were followed over different numbers of days.
    pub fn merge(&self, other: &Self) -> Result<Self, Refusal> {
        crate::joint::same_length("days of one part", self.days, "days of the other", other.days)?;
        let ([c, t], [other_c, other_t]) = (&self.arms, &other.arms);
        let both = |a: &Sums, b: &Sums| Sums {
            slope: a.slope.merge(&b.slope),
            early_less_late: a.early_less_late.merge(&b.early_less_late),
            all_days: a.all_days.merge(&b.all_days),
        };
        Ok(Self { days: self.days, arms: [both(c, other_c), both(t, other_t)] })
    }

    /// What the units so far say.
    ///
    /// # Errors
    /// [`Refusal::TooLittle`] below two units in an arm, [`Refusal::NoVariance`] where no unit differs
    /// from another.
    pub fn result(&self, level: Level) -> Result<TrendResult, Refusal> {
        let [c, t] = &self.arms;
        let of = |c: &Moments, t: &Moments| difference(c, t, Variances::Unequal);
        let effect = of(&c.all_days, &t.all_days)?;
        let slope = of(&c.slope, &t.slope)?;
        let early_less_late = of(&c.early_less_late, &t.early_less_late)?;
        let shown = slope.test(0.0, Alternative::TwoSided)?.p < level.alpha();
        let drift = match (shown, slope.value() * effect.value() >= 0.0) {
            (false, _) => Drift::None,
            (true, true) => Drift::Fades,
            (true, false) => Drift::Grows,
        };
        Ok(TrendResult { effect, slope, early_less_late, drift })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn unit() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec(-5.0..5.0f64, 8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// The slope is that of least squares on the daily effects.
        #[test]
        fn the_slope_is_that_of_the_daily_effects(c in proptest::collection::vec(unit(), 3..9), t in proptest::collection::vec(unit(), 3..9)) {
            let mut trend = Trend::new(8).unwrap();
            let (mut first, mut second) = (trend.clone(), trend.clone());
            for (i, unit) in c.iter().enumerate() {
                trend.push(Arm::Control, unit).unwrap();
                if i % 2 == 0 { &mut first } else { &mut second }.push(Arm::Control, unit).unwrap();
            }
            for unit in &t {
                trend.push(Arm::Treatment, unit).unwrap();
                second.push(Arm::Treatment, unit).unwrap();
            }
            let ours = trend.result(Level::P95).unwrap();
            let mean = |units: &[Vec<f64>], day: usize| units.iter().map(|u| u[day]).sum::<f64>() / units.len() as f64;
            let effects: Vec<f64> = (0..8).map(|day| mean(&t, day) - mean(&c, day)).collect();
            let x: Vec<f64> = (1..=8).map(|day| 1.0 / f64::from(day)).collect();
            let mx = x.iter().sum::<f64>() / 8.0;
            let me = effects.iter().sum::<f64>() / 8.0;
            let slope = x.iter().zip(&effects).map(|(x, e)| (x - mx) * (e - me)).sum::<f64>() / x.iter().map(|x| (x - mx).powi(2)).sum::<f64>();
            prop_assert!((ours.slope.value() - slope).abs() < 1e-9);
            prop_assert!((ours.effect.value() - me).abs() < 1e-9);
            let early = effects[..3].iter().sum::<f64>() / 3.0 - effects[3..].iter().sum::<f64>() / 5.0;
            prop_assert!((ours.early_less_late.value() - early).abs() < 1e-9);
            let merged = first.merge(&second).unwrap().result(Level::P95).unwrap();
            prop_assert!((merged.slope.se() - ours.slope.se()).abs() < 1e-9);
        }
    }

    #[test]
    fn an_effect_that_grows_is_told_from_one_that_fades() {
        let run = |effect: fn(f64) -> f64| {
            let mut trend = Trend::new(14).unwrap();
            for user in 0..400u32 {
                let of_user = f64::from(user * 37 % 101);
                let days = |treated: f64| -> Vec<f64> {
                    (1..=14)
                        .map(|day| {
                            of_user
                                + f64::from((user * 31 + day * 17) % 13) * 0.1
                                + treated * effect(f64::from(day))
                        })
                        .collect()
                };
                trend.push(Arm::Control, &days(0.0)).unwrap();
                trend.push(Arm::Treatment, &days(1.0)).unwrap();
            }
            trend.result(Level::P95).unwrap().drift
        };
        assert_eq!(run(|day| 2.0 / day), Drift::Fades);
        assert_eq!(run(|day| 1.0 - 1.0 / day), Drift::Grows);
        assert_eq!(run(|day| -2.0 / day), Drift::Fades);
        assert_eq!(run(|_| 1.0), Drift::None);
    }

    #[test]
    fn what_is_no_trend_is_refused() {
        assert_eq!(
            Trend::new(4).unwrap_err().to_string(),
            "the days since exposure must lie at `5` or above: `4`"
        );
        let mut trend = Trend::new(5).unwrap();
        assert!(trend.push(Arm::Control, &[1.0; 4]).is_err());
        assert!(trend.push(Arm::Control, &[f64::NAN; 5]).is_err());
        assert!(trend.merge(&Trend::new(6).unwrap()).is_err());
        assert_eq!(trend.result(Level::P95), Err(Refusal::TooLittle { arm: Arm::Control, have: 0, need: 2 }));
        for arm in [Arm::Control, Arm::Control, Arm::Treatment, Arm::Treatment] {
            trend.push(arm, &[1.0; 5]).unwrap();
        }
        assert_eq!(trend.result(Level::P95), Err(Refusal::NoVariance));
    }
}
