//! Proportions: what is kept of a yes-or-no metric, and the comparison of two.

use crate::comparison::probability;
use crate::ratio::{Estimated, relative};
use crate::special::normal;
use crate::{Arm, Caution, Comparison, Interval, Level, Method, Refusal};
use serde::{Deserialize, Serialize};

/// Successes among units; more successes than units do not exist.
///
/// ```
/// use bellwether_stats::Proportion;
/// let retained = Proportion::new(8_502, 44_700).unwrap();
/// assert!((retained.rate().unwrap() - 0.1902).abs() < 1e-4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Proportion {
    successes: u64,
    n: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    successes: u64,
    n: u64,
}

impl TryFrom<Stored> for Proportion {
    type Error = Refusal;
    fn try_from(Stored { successes, n }: Stored) -> Result<Self, Refusal> {
        Self::new(successes, n)
    }
}

impl From<Proportion> for Stored {
    fn from(Proportion { successes, n }: Proportion) -> Self {
        Self { successes, n }
    }
}

impl Proportion {
    /// From the successes among `n` units; `n` may be zero, the rate is then unknown.
    pub fn new(successes: u64, n: u64) -> Result<Self, Refusal> {
        if successes > n {
            return Err(Refusal::MoreSuccessesThanUnits { successes, n });
        }
        Ok(Self { successes, n })
    }

    /// Of the units of both; counts stop at 2⁶⁴ - 1.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        Self { successes: self.successes.saturating_add(other.successes), n: self.n.saturating_add(other.n) }
    }

    /// Units with the outcome.
    pub fn successes(&self) -> u64 {
        self.successes
    }

    /// All units.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Share of successes, unless there are no units.
    pub fn rate(&self) -> Option<f64> {
        (self.n > 0).then(|| self.successes as f64 / self.n as f64)
    }

    /// `1 - rate` by counting, so that rare failures keep their digits.
    fn failure_rate(&self) -> f64 {
        (self.n - self.successes) as f64 / self.n as f64
    }

    /// Successes, failures and units of both: also where no `u64` counts them.
    pub(crate) fn pooled(&self, other: &Self) -> (f64, f64, f64) {
        let both = |a: u64, b: u64| (u128::from(a) + u128::from(b)) as f64;
        let successes = both(self.successes, other.successes);
        let failures = both(self.n - self.successes, other.n - other.successes);
        (successes, failures, both(self.n, other.n))
    }

    /// The rate and the variance `p(1-p)/n` of that rate.
    pub(crate) fn estimated(&self, arm: Arm) -> Result<Estimated, Refusal> {
        let mean = self.rate().ok_or(Refusal::TooLittle { arm, have: 0, need: 1 })?;
        Ok(Estimated { mean, variance: mean * self.failure_rate() / self.n as f64 })
    }
}

/// The z test of `treatment - control` with the pooled variance under the null, the unpooled (Wald)
/// interval, and the relative lift by the delta method.
///
/// As R's `prop.test` without continuity correction and statsmodels' `proportions_ztest`.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units, [`Refusal::NoVariance`] where each arm has only
/// successes or only failures.
///
/// ```
/// use bellwether_stats::{Level, Proportion, two_proportions};
/// let control = Proportion::new(8_502, 44_700).unwrap();
/// let treatment = Proportion::new(8_279, 45_489).unwrap();
/// let result = two_proportions(&control, &treatment, Level::P95).unwrap();
/// assert!((result.p - 0.001554249975614329).abs() < 1e-12);
/// ```
pub fn two_proportions(
    control: &Proportion,
    treatment: &Proportion,
    level: Level,
) -> Result<Comparison, Refusal> {
    let c = control.estimated(Arm::Control)?;
    let t = treatment.estimated(Arm::Treatment)?;
    let se = (c.variance + t.variance).sqrt();
    if se == 0.0 {
        return Err(Refusal::NoVariance);
    }
    let (successes, failures, units) = control.pooled(treatment);
    let estimate = t.mean - c.mean;
    let null_variance =
        (successes / units) * (failures / units) * (1.0 / control.n as f64 + 1.0 / treatment.n as f64);
    let statistic = estimate / null_variance.sqrt();
    let ln_p = (core::f64::consts::LN_2 + normal::ln_sf(statistic.abs())).min(0.0);
    let z = -normal::quantile(level.alpha() / 2.0);
    Ok(Comparison {
        estimate,
        se,
        level,
        interval: Interval::around(estimate, z * se),
        statistic,
        df: None,
        p: probability(ln_p),
        ln_p,
        relative: relative(c, t, z),
        method: Method::TwoProportionsZ,
        caution: Caution::of_rates(control, treatment)?,
    })
}

/// Wilson's score interval of one rate; it never leaves 0 to 1.
///
/// # Errors
/// [`Refusal::TooLittle`] without units.
pub fn wilson(proportion: &Proportion, level: Level) -> Result<Interval, Refusal> {
    wilson_of(proportion, Arm::Control, level)
}

fn wilson_of(proportion: &Proportion, arm: Arm, level: Level) -> Result<Interval, Refusal> {
    let Estimated { mean: p, variance } = proportion.estimated(arm)?;
    let n = proportion.n as f64;
    let z = -normal::quantile(level.alpha() / 2.0);
    let centre = p + z * z / (2.0 * n);
    let half_width = z * (variance + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    Ok(Interval {
        low: ((centre - half_width) / scale).clamp(0.0, p),
        high: ((centre + half_width) / scale).clamp(p, 1.0),
    })
}

/// Newcombe's hybrid score interval of `treatment - control`: better than Wald's when counts are
/// small or rates near 0 or 1.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units.
pub fn newcombe(control: &Proportion, treatment: &Proportion, level: Level) -> Result<Interval, Refusal> {
    let c = control.estimated(Arm::Control)?.mean;
    let t = treatment.estimated(Arm::Treatment)?.mean;
    let around_c = wilson_of(control, Arm::Control, level)?;
    let around_t = wilson_of(treatment, Arm::Treatment, level)?;
    let difference = t - c;
    Ok(Interval {
        low: difference - (t - around_t.low).hypot(around_c.high - c),
        high: difference + (around_t.high - t).hypot(c - around_c.low),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn arm() -> impl Strategy<Value = Proportion> {
        (1..1_000_000u64)
            .prop_flat_map(|n| (0..=n, Just(n)))
            .prop_map(|(x, n)| Proportion::new(x, n).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn swapping_the_arms_turns_the_sign(a in arm(), b in arm()) {
            let Ok(forth) = two_proportions(&a, &b, Level::P95) else { return Ok(()) };
            let back = two_proportions(&b, &a, Level::P95).unwrap();
            prop_assert_eq!(forth.estimate, -back.estimate);
            prop_assert_eq!(forth.p, back.p);
            prop_assert_eq!(forth.interval.low, -back.interval.high);
            prop_assert!(forth.p > 0.0 && forth.ln_p.is_finite());
        }

        #[test]
        fn successes_and_failures_are_alike(a in arm(), b in arm()) {
            let failed = |p: &Proportion| Proportion::new(p.n() - p.successes(), p.n()).unwrap();
            let Ok(plain) = two_proportions(&a, &b, Level::P95) else { return Ok(()) };
            let turned = two_proportions(&failed(&a), &failed(&b), Level::P95).unwrap();
            prop_assert!((plain.statistic + turned.statistic).abs() <= 1e-9 * plain.statistic.abs().max(1e-6));
        }

        #[test]
        fn score_intervals_stay_in_range(a in arm(), b in arm()) {
            let one = wilson(&a, Level::P95).unwrap();
            prop_assert!(0.0 <= one.low && one.high <= 1.0 && one.contains(a.rate().unwrap()));
            let two = newcombe(&a, &b, Level::P95).unwrap();
            prop_assert!(-1.0 <= two.low && two.high <= 1.0);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let check = |c: (u64, u64), t: (u64, u64)| {
            let [c, t] = [c, t].map(|(x, n)| Proportion::new(x, n).unwrap());
            two_proportions(&c, &t, Level::P95).unwrap_err().to_string()
        };
        assert_eq!(
            check((0, 0), (1, 2)),
            "too little data: control has `0` of the `1` units that this test needs"
        );
        let flat = "the arms have no variance: each unit of an arm has the same value";
        assert_eq!(check((0, 5), (0, 9)), flat);
        assert_eq!(check((5, 5), (9, 9)), flat);
        assert_eq!(check((0, 5), (9, 9)), flat);
    }

    #[test]
    fn a_result_is_read_as_it_was_written() {
        for control in [Proportion::new(120, 1_000), Proportion::new(0, 1_000)] {
            let treatment = Proportion::new(150, 1_000).unwrap();
            let result = two_proportions(&control.unwrap(), &treatment, Level::P95).unwrap();
            let text = serde_json::to_string(&result).unwrap();
            let back: Comparison = serde_json::from_str(&text).unwrap();
            assert_eq!(back.relative.is_ok(), result.relative.is_ok());
            assert_eq!((back.method, back.level), (result.method, result.level));
            assert!((back.p - result.p).abs() < 1e-15);
        }
    }
}
