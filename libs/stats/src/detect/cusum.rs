//! The Poisson CUSUM (Page 1954; Lucas 1985): evidence for a drop, from when it began.

use crate::{Method, Refusal};
use serde::{Deserialize, Serialize};

/// Which drop a chart looks for: from `usual` to `dropped` times what is expected.
///
/// With a `usual` below 1 there is a zone of tolerance, in which slow wander never adds up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Chart {
    usual: f64,
    dropped: f64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    usual: f64,
    dropped: f64,
}

impl TryFrom<Stored> for Chart {
    type Error = Refusal;
    fn try_from(stored: Stored) -> Result<Self, Refusal> {
        Self::new(stored.usual, stored.dropped)
    }
}

impl From<Chart> for Stored {
    fn from(chart: Chart) -> Self {
        Self { usual: chart.usual, dropped: chart.dropped }
    }
}

impl Chart {
    /// Tuned for a drop by 30 %, without tolerance.
    pub const THIRTY_PERCENT: Self = Self { usual: 1.0, dropped: 0.7 };
    /// Tuned for a drop by a third, with a tolerance of a tenth: the best of one chart on real shapes.
    pub const TOLERANT: Self = Self { usual: 0.9, dropped: 0.6 };
    /// From an outage to a drop by 40 %, with a tolerance of a tenth: for fast alarms, take all.
    pub const MANY_RATES: [Self; 4] = [
        Self { usual: 0.9, dropped: 0.0 },
        Self { usual: 0.9, dropped: 0.25 },
        Self { usual: 0.9, dropped: 0.45 },
        Self { usual: 0.9, dropped: 0.6 },
    ];

    /// From shares of what is expected.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] unless `0 <= dropped < usual <= 1`.
    pub fn new(usual: f64, dropped: f64) -> Result<Self, Refusal> {
        if !(usual > 0.0 && usual <= 1.0) {
            return Err(Refusal::out_of_range("the usual rate of a chart", "above 0, up to 1", usual));
        }
        if !(dropped >= 0.0 && dropped < usual) {
            let range = format!("at 0 or above, below the usual `{usual}`");
            return Err(Refusal::out_of_range("the dropped rate of a chart", &range, dropped));
        }
        Ok(Self { usual, dropped })
    }

    /// `ln(dropped/usual)`, minus infinity for an outage.
    fn ln_ratio(self) -> f64 {
        (self.dropped / self.usual).ln()
    }

    /// The logarithm of the likelihood ratio of a count where `expected` was.
    fn evidence(self, count: u64, expected: f64) -> f64 {
        // No event says nothing about the ratio of rates, not zero times infinity.
        let events = if count == 0 { 0.0 } else { count as f64 * self.ln_ratio() };
        events + expected * (self.usual - self.dropped)
    }

    /// What the evidence grows by on average for each event expected, where the rate is `ratio` of it.
    pub(super) fn growth(self, ratio: f64) -> f64 {
        let events = if ratio == 0.0 { 0.0 } else { ratio * self.ln_ratio() };
        events + self.usual - self.dropped
    }

    /// The largest rate, as a share of what is expected, at which evidence grows by `growth` for each event
    /// expected; none where even an outage shows less.
    pub(super) fn ratio_of_growth(self, growth: f64) -> Option<f64> {
        let left = growth - (self.usual - self.dropped);
        if left > 0.0 {
            return None;
        }
        Some(if self.dropped == 0.0 { 0.0 } else { left / self.ln_ratio() })
    }
}

/// The running sum of a chart: `S ← max(0, S + ln(likelihood ratio)/φ)`, where `φ` is how much more the
/// counts vary than Poisson ones.
///
/// ```
/// use bellwether_stats::detect::{Chart, Cusum};
/// let mut cusum = Cusum::new(Chart::THIRTY_PERCENT, 1.0).unwrap();
/// // Ten events expected in each bin, none seen.
/// assert!((cusum.observe(0, 10.0).unwrap() - 3.0).abs() < 1e-12);
/// assert!((cusum.observe(0, 10.0).unwrap() - 6.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cusum {
    chart: Chart,
    dispersion: f64,
    sum: f64,
}

impl Cusum {
    /// How it is made.
    pub const METHOD: Method = Method::PoissonCusum;

    /// Before the first bin.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a dispersion below 1.
    pub fn new(chart: Chart, dispersion: f64) -> Result<Self, Refusal> {
        if dispersion >= 1.0 && dispersion.is_finite() {
            return Ok(Self { chart, dispersion, sum: 0.0 });
        }
        Err(Refusal::out_of_range("a dispersion", "at 1 or above", dispersion))
    }

    /// Takes the count of a bin and what was expected of it, and gives the sum.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for an expectation that is negative or not finite, [`Refusal::NotFinite`] where the sum
    /// overflows; then nothing changes.
    pub fn observe(&mut self, count: u64, expected: f64) -> Result<f64, Refusal> {
        if !(expected >= 0.0 && expected.is_finite()) {
            return Err(Refusal::out_of_range("an expected count", "at 0 or above", expected));
        }
        let sum = (self.sum + self.chart.evidence(count, expected) / self.dispersion).max(0.0);
        if !sum.is_finite() {
            return Err(Refusal::not_finite("sum of evidence"));
        }
        self.sum = sum;
        Ok(sum)
    }

    /// The sum now.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Starts anew, as after an alarm.
    pub fn reset(&mut self) {
        self.sum = 0.0;
    }

    /// The chart.
    pub fn chart(&self) -> Chart {
        self.chart
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The sum is the largest evidence of any stretch that ends now.
        #[test]
        fn it_is_the_best_stretch(counts in proptest::collection::vec(0u64..12, 1..60), dropped in 0.01..0.85f64) {
            let chart = Chart::new(0.9, dropped).unwrap();
            let mut cusum = Cusum::new(chart, 1.3).unwrap();
            for (i, &count) in counts.iter().enumerate() {
                let sum = cusum.observe(count, 4.0).unwrap();
                let best = (0..=i + 1)
                    .map(|from| counts[from..=i].iter().map(|&x| chart.evidence(x, 4.0) / 1.3).sum::<f64>())
                    .fold(0.0, f64::max);
                prop_assert!((sum - best).abs() < 1e-9);
            }
        }

        #[test]
        fn growth_is_inverted(usual in 0.5..1.0f64, share in 0.01..0.9f64, ratio in 0.0..0.9f64) {
            let chart = Chart::new(usual, usual * share).unwrap();
            let back = chart.ratio_of_growth(chart.growth(ratio)).unwrap();
            prop_assert!((back - ratio).abs() < 1e-12);
        }
    }

    #[test]
    fn one_event_ends_an_outage() {
        let mut cusum = Cusum::new(Chart::MANY_RATES[0], 1.0).unwrap();
        assert!(cusum.observe(0, 5.0).unwrap() > 4.0);
        assert_eq!(cusum.observe(1, 5.0).unwrap(), 0.0);
    }

    #[test]
    fn a_chart_that_rises_is_refused() {
        assert_eq!(
            Chart::new(0.9, 0.95).unwrap_err().to_string(),
            "the dropped rate of a chart must lie at 0 or above, below the usual `0.9`: `0.95`"
        );
        assert!(Chart::new(f64::NAN, 0.5).is_err() && Chart::new(0.9, -0.1).is_err());
        let mut cusum = Cusum::new(Chart::TOLERANT, 1.0).unwrap();
        assert!(cusum.observe(1, f64::NAN).is_err() && cusum.sum() == 0.0);
        assert!(Cusum::new(Chart::TOLERANT, 0.5).is_err());
    }
}
