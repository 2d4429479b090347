//! The beta distribution as a belief about a rate.

use super::{SPAN, tails};
use crate::root::bracketed;
use crate::special::beta;
use crate::{Interval, Level, Proportion, Refusal};
use serde::{Deserialize, Serialize};

/// A belief about a rate: `a` conversions and `b` failures, as if they had been seen.
///
/// ```
/// use bellwether_stats::bayes::Beta;
/// use bellwether_stats::{Level, Proportion};
/// let posterior = Beta::UNIFORM.after(&Proportion::new(120, 1_000).unwrap());
/// let interval = posterior.interval(Level::P95);
/// assert!((interval.low - 0.10132341964422845).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Beta {
    a: f64,
    b: f64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    a: f64,
    b: f64,
}

impl TryFrom<Stored> for Beta {
    type Error = Refusal;
    fn try_from(Stored { a, b }: Stored) -> Result<Self, Refusal> {
        Self::new(a, b)
    }
}

impl From<Beta> for Stored {
    fn from(Beta { a, b }: Beta) -> Self {
        Self { a, b }
    }
}

impl Beta {
    /// Every rate is as likely (Amplitude's default and most peers').
    pub const UNIFORM: Self = Self { a: 1.0, b: 1.0 };
    /// Jeffreys' prior.
    pub const JEFFREYS: Self = Self { a: 0.5, b: 0.5 };

    /// From its two parameters.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for parameters outside of 1e-3 to 1e12.
    pub fn new(a: f64, b: f64) -> Result<Self, Refusal> {
        for value in [a, b] {
            if !(1e-3..=1e12).contains(&value) {
                return Err(Refusal::out_of_range(
                    "a parameter of a beta prior",
                    "between 1e-3 and 1e12",
                    value,
                ));
            }
        }
        Ok(Self { a, b })
    }

    /// The prior that the rates of past experiments speak for, freed from their noise: a mean, and the
    /// number of units that it is worth, such that squared deviations are as large as a beta-binomial says.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] below five rates with units, [`Refusal::OutOfRange`] where all rates are 0 or all
    /// are 1, or where they vary no more than chance explains.
    pub fn fit(past: &[Proportion]) -> Result<Self, Refusal> {
        const FEWEST: u64 = 5;
        let seen: Vec<(f64, f64)> =
            past.iter().filter(|p| p.n() > 0).map(|p| (p.successes() as f64, p.n() as f64)).collect();
        if (seen.len() as u64) < FEWEST {
            return Err(Refusal::too_few("past rates with units", seen.len() as u64, FEWEST));
        }
        // Var(x/n) = m(1-m)(1/n + (1 - 1/n)·r), with r = 1/(a + b + 1) from 0 to 1.
        let spread = |n: f64, r: f64| 1.0 / n + (1.0 - 1.0 / n) * r;
        let mean_at = |r: f64| {
            let (mut sum, mut total) = (0.0, 0.0);
            for &(x, n) in &seen {
                let weight = 1.0 / spread(n, r);
                sum += weight * x / n;
                total += weight;
            }
            sum / total
        };
        let excess = |r: f64| {
            let m = mean_at(r);
            let squares =
                seen.iter().map(|&(x, n)| (x / n - m) * (x / n - m) / (m * (1.0 - m) * spread(n, r)));
            squares.sum::<f64>() - (seen.len() - 1) as f64
        };
        let m = mean_at(0.0);
        if m <= 0.0 || m >= 1.0 {
            return Err(Refusal::out_of_range("the mean of past rates", "between 0 and 1", m));
        }
        if excess(0.0) <= 0.0 {
            let range = "more than chance explains";
            return Err(Refusal::out_of_range("the spread of past rates", range, 0.0));
        }
        let r = bracketed("the spread of past rates", 0.0, 1.0, excess)?;
        let (m, worth) = (mean_at(r), 1.0 / r - 1.0);
        Self::new(m * worth, (1.0 - m) * worth)
    }

    /// After having seen conversions.
    #[must_use]
    pub fn after(&self, seen: &Proportion) -> Self {
        let x = seen.successes() as f64;
        Self { a: self.a + x, b: self.b + (seen.n() as f64 - x) }
    }

    /// The first parameter: conversions.
    pub fn a(&self) -> f64 {
        self.a
    }

    /// The second parameter: failures.
    pub fn b(&self) -> f64 {
        self.b
    }

    /// The expected rate.
    pub fn mean(&self) -> f64 {
        self.a / (self.a + self.b)
    }

    /// The chance that the rate is above `x`.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a NaN.
    pub fn chance_above(&self, x: f64) -> Result<f64, Refusal> {
        Ok(self.above(super::a_number(x)?))
    }

    pub(crate) fn above(&self, x: f64) -> f64 {
        if x <= 0.0 {
            1.0
        } else if x >= 1.0 {
            0.0
        } else {
            beta::sf(x, self.a, self.b)
        }
    }

    /// The equal-tailed credible interval.
    pub fn interval(&self, level: Level) -> Interval {
        let [low, high] = tails(level).map(|p| beta::quantile(p, self.a, self.b));
        Interval { low, high }
    }

    /// At the log-odds `w` of the rate.
    pub(crate) fn at(&self, w: f64) -> beta::AtLogOdds {
        beta::at_log_odds(self.a, self.b, w)
    }

    /// About the middle and the standard deviation of the log-odds.
    pub(crate) fn log_odds(&self) -> (f64, f64) {
        ((self.a / self.b).ln(), (1.0 / self.a + 1.0 / self.b).sqrt())
    }
}

impl Beta {
    /// Where the mass of the log-odds lies, with points between: as far down as so many standard deviations
    /// are of a normal density; a skewed one reaches further on one side.
    pub(crate) fn span(&self) -> [f64; 9] {
        let (middle, sd) = self.log_odds();
        let top = self.at(middle).ln_density;
        let reach = |z: f64| {
            let mut out = z.abs() * sd;
            while self.at(middle + z.signum() * out).ln_density > top - 0.5 * z * z && out < 1e6 {
                out *= 1.25;
            }
            middle + z.signum() * out
        };
        SPAN.map(|z| if z == 0.0 { middle } else { reach(z) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_prior_is_recovered_from_past_rates() {
        // Quantiles of Beta(20, 180), each seen on 5,000 units without noise but for rounding; the noise of
        // a binomial is then taken off, so that the prior comes out a little narrower.
        let past: Vec<Proportion> = (0..200)
            .map(|i| {
                let rate = beta::quantile((f64::from(i) + 0.5) / 200.0, 20.0, 180.0);
                Proportion::new((rate * 1e6).round() as u64, 1_000_000).unwrap()
            })
            .collect();
        let prior = Beta::fit(&past).unwrap();
        assert!((prior.mean() - 0.1).abs() < 1e-4);
        assert!((prior.a() + prior.b() - 200.0).abs() < 5.0, "{prior:?}");
    }

    #[test]
    fn a_past_that_says_nothing_is_refused() {
        let check = |past: &[Proportion]| Beta::fit(past).unwrap_err().to_string();
        let rate = |x, n| Proportion::new(x, n).unwrap();
        assert_eq!(
            check(&[rate(1, 10), rate(0, 0)]),
            "too little data: `1` past rates with units, this method needs `5`"
        );
        assert_eq!(check(&[rate(0, 10); 6]), "the mean of past rates must lie between 0 and 1: `0`");
        assert_eq!(
            check(&[rate(3, 10); 6]),
            "the spread of past rates must lie more than chance explains: `0`"
        );
        assert!(Beta::new(0.0, 1.0).is_err() && Beta::new(1.0, f64::NAN).is_err());
    }
}
