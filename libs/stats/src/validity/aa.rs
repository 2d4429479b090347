//! A/A calibration: the same history, split by chance over and over, must show nothing.

use crate::proportions::clopper_pearson;
use crate::{Interval, Level, Method, Proportion, Refusal, Test};
use serde::{Deserialize, Serialize};

/// Splits that a calibration needs: below, a test that errs twice as often as it says passes too easily.
pub const MIN_REPLAYS: u64 = 200;

/// How often a test erred over random splits of data without an effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Splits that were tested.
    pub runs: u64,
    /// Of those, how many the test could not answer.
    pub refused: u64,
    /// Splits whose p-value was below the error rate of `level`.
    pub rejected: u64,
    /// The level whose error rate was asked for.
    pub level: Level,
    /// Interval of the true error rate: 99 %, exact.
    pub rate: Interval,
    /// Kolmogorov's test of "p-values are uniform"; its statistic is the largest distance.
    pub uniform: Test,
    /// Whether the error rate that was promised lies in `rate` and the p-values are not far from uniform
    /// (at 1 %). Exact tests of few counts err less than they say, and fail this on the safe side.
    pub holds: bool,
}

impl Calibration {
    /// Whether the test errs more often than it says: a p-value of it may not be believed.
    pub fn errs_too_often(&self) -> bool {
        self.rate.low > self.level.alpha()
    }
}

/// Splits the same history `runs` times, tests each split, and holds the p-values against what they
/// promise.
///
/// `split` gets the numbers from 0 on, as the salt of its assignment, and gives the p-value of "no
/// effect" between the two halves, by the very test that the experiment will use. Units that belong
/// together (a user's sessions, a cluster) must be split together, as in the experiment: that is what is checked. A
/// split that is refused counts as no rejection.
///
/// # Errors
/// [`Refusal::OutOfRange`] below [`MIN_REPLAYS`] runs and above 10 million, [`Refusal::TooFew`] where fewer than that many could be
/// tested; a p-value outside of 0 to 1 is out of range too.
///
/// ```
/// use bellwether_stats::validity::replay;
/// use bellwether_stats::{Level, Moments, welch};
/// // The amounts of 400 users, split by a hash of user and salt.
/// let spent: Vec<f64> = (0..400u64).map(|user| (user * user % 97) as f64).collect();
/// let calibration = replay(200, Level::P95, |salt| {
///     let mut arms = [Moments::EMPTY; 2];
///     for (user, spent) in (0..).zip(&spent) {
///         let mut hash = (salt * 1_000 + user + 1) as u64;
///         for _ in 0..3 {
///             hash = (hash ^ (hash >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
///         }
///         arms[(hash >> 63) as usize].push(*spent)?;
///     }
///     Ok(welch(&arms[0], &arms[1], Level::P95)?.p)
/// });
/// assert!(calibration.unwrap().holds);
/// ```
pub fn replay(
    runs: u64,
    level: Level,
    mut split: impl FnMut(u64) -> Result<f64, Refusal>,
) -> Result<Calibration, Refusal> {
    if runs < MIN_REPLAYS {
        let range = format!("at `{MIN_REPLAYS}` or above");
        return Err(Refusal::out_of_range("the splits of a calibration", &range, runs));
    }
    crate::random::check_draws(runs, MIN_REPLAYS)?;
    let mut values = Vec::with_capacity(usize::try_from(runs.min(1 << 20)).unwrap_or(0));
    for salt in 0..runs {
        if let Ok(p) = split(salt) {
            if !(0.0..=1.0).contains(&p) {
                return Err(Refusal::out_of_range("a p-value", "from 0 to 1", p));
            }
            values.push(p);
        }
    }
    let answered = values.len() as u64;
    if answered < MIN_REPLAYS {
        return Err(Refusal::too_few("splits that could be tested", answered, MIN_REPLAYS));
    }
    let rejected = values.iter().filter(|p| **p < level.alpha()).count() as u64;
    let rate = clopper_pearson(&Proportion::new(rejected, runs)?, Level::P99)?;
    let uniform = uniform(values)?;
    let holds = rate.contains(level.alpha()) && uniform.p >= Level::P99.alpha();
    Ok(Calibration { runs, refused: runs - answered, rejected, level, rate, uniform, holds })
}

/// Kolmogorov's one-sample test against the uniform distribution, by the limit with Stephens' correction.
fn uniform(mut values: Vec<f64>) -> Result<Test, Refusal> {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let distance = values
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let i = i as f64;
            (p - i / n).max((i + 1.0) / n - p)
        })
        .fold(0.0, f64::max);
    let root = n.sqrt();
    let ln_p = crate::rank::ln_kolmogorov((root + 0.12 + 0.11 / root) * distance);
    Test::new(distance, None, ln_p, Method::KolmogorovSmirnov)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    /// Evenly spread p-values hold; those of a test that halves its p-values do not.
    #[test]
    fn a_test_that_errs_too_often_is_found() {
        let even = |salt: u64| Ok(((salt * 367 % 1_000) as f64 + 0.5) / 1_000.0);
        let good = replay(1_000, Level::P95, even).unwrap();
        assert!(good.holds && !good.errs_too_often() && good.rejected == 50 && good.refused == 0);
        let bad = replay(1_000, Level::P95, |salt| Ok(even(salt)? / 2.0)).unwrap();
        assert!(!bad.holds && bad.errs_too_often());
        // Too careful: not uniform, but it does not err too often.
        let careful = replay(1_000, Level::P95, |salt| Ok(even(salt)?.sqrt())).unwrap();
        assert!(!careful.holds && !careful.errs_too_often());
    }

    #[test]
    fn what_cannot_be_calibrated_is_refused() {
        assert!(replay(10, Level::P95, |_| Ok(0.5)).is_err());
        assert!(replay(200, Level::P95, |_| Ok(f64::NAN)).is_err());
        let mostly = |salt: u64| {
            if salt.is_multiple_of(2) { Err(Refusal::NoVariance) } else { Ok(salt as f64 / 600.0) }
        };
        assert_eq!(
            replay(300, Level::P95, mostly).unwrap_err().to_string(),
            "too little data: `150` splits that could be tested, this method needs `200`"
        );
        assert_eq!(replay(600, Level::P95, mostly).unwrap().refused, 300);
    }
}
