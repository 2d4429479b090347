//! What is kept of a numeric metric in one arm: count, mean and squared deviations.

use crate::{Proportion, Refusal};
use serde::{Deserialize, Serialize};

/// Count, mean and sum of squared deviations from the mean: enough for every test of means.
///
/// Values are folded in by Welford's recurrence and parts merged by that of Chan, Golub and LeVeque,
/// both around the running mean: raw sums of squares cancel when the mean is large against the
/// spread. Merging is associative and commutative up to rounding, so parts, buckets and days may be
/// merged in any order.
///
/// ```
/// use bellwether_stats::Moments;
/// let monday = Moments::of(&[1.0, 2.0]).unwrap();
/// let tuesday = Moments::of(&[6.0]).unwrap();
/// let both = monday.merge(&tuesday);
/// assert_eq!((both.n(), both.mean(), both.variance()), (3, Some(3.0), Some(7.0)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Moments {
    n: u64,
    mean: f64,
    m2: f64,
}

/// The serialized form, checked when it is read.
#[derive(Serialize, Deserialize)]
struct Stored {
    n: u64,
    mean: f64,
    m2: f64,
}

impl TryFrom<Stored> for Moments {
    type Error = Refusal;
    fn try_from(Stored { n, mean, m2 }: Stored) -> Result<Self, Refusal> {
        Self::new(n, mean, m2)
    }
}

impl From<Moments> for Stored {
    fn from(Moments { n, mean, m2 }: Moments) -> Self {
        Self { n, mean, m2 }
    }
}

impl Moments {
    /// Of no values.
    pub const EMPTY: Self = Self { n: 0, mean: 0.0, m2: 0.0 };

    /// From the count, the mean and the sum of squared deviations `Σ(x - mean)²`.
    pub fn new(n: u64, mean: f64, m2: f64) -> Result<Self, Refusal> {
        let possible = mean.is_finite()
            && m2.is_finite()
            && m2 >= 0.0
            && match n {
                0 => mean == 0.0 && m2 == 0.0,
                1 => m2 == 0.0,
                _ => true,
            };
        if possible { Ok(Self { n, mean, m2 }) } else { Err(Refusal::NotMoments { n, mean, m2 }) }
    }

    /// From the count, `Σx` and `Σx²`, as a database keeps them.
    ///
    /// Digits are lost when the mean is large against the spread: prefer [`Moments::push`] or
    /// [`Moments::of`] where the values are at hand. Squared deviations that come out negative by
    /// less than the rounding of the sums are zero.
    pub fn from_sums(n: u64, sum: f64, sum_of_squares: f64) -> Result<Self, Refusal> {
        if n == 0 {
            return Self::new(0, sum, sum_of_squares);
        }
        let mean = sum / n as f64;
        let m2 = sum_of_squares - sum * mean;
        let rounding = 4.0 * f64::EPSILON * sum_of_squares.abs();
        let m2 = if n == 1 && m2.abs() <= rounding || m2 < 0.0 && m2 >= -rounding { 0.0 } else { m2 };
        Self::new(n, mean, m2)
    }

    /// Of the values given; each must be finite.
    pub fn of(values: &[f64]) -> Result<Self, Refusal> {
        let mut moments = Self::EMPTY;
        for &value in values {
            moments.push(value)?;
        }
        Ok(moments)
    }

    /// Of `n` units that all have the same value: those who were exposed and did nothing.
    pub fn constant(n: u64, value: f64) -> Result<Self, Refusal> {
        Self::new(n, if n == 0 { 0.0 } else { value }, 0.0)
    }

    /// Adds one value, which must be finite, as must its square; otherwise nothing changes.
    pub fn push(&mut self, value: f64) -> Result<(), Refusal> {
        let n = self.n.saturating_add(1);
        let delta = value - self.mean;
        let mean = self.mean + delta / n as f64;
        let m2 = self.m2 + delta * (value - mean);
        if !(value.is_finite() && m2.is_finite()) {
            return Err(Refusal::out_of_range(
                "a value of a metric",
                "among the numbers with a finite square",
                value,
            ));
        }
        *self = Self { n, mean, m2 };
        Ok(())
    }

    /// Of the values of both.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        if self.n == 0 {
            return *other;
        }
        if other.n == 0 {
            return *self;
        }
        let n = self.n.saturating_add(other.n);
        let (own, others) = (self.n as f64, other.n as f64);
        let delta = other.mean - self.mean;
        Self {
            n,
            // Weighted, not `mean + delta·share`: symmetric, so that the order of two does not matter.
            mean: (own * self.mean + others * other.mean) / (own + others),
            m2: self.m2 + other.m2 + delta * delta * (own * others / (own + others)),
        }
    }

    /// Number of values.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Mean, unless there are no values.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }

    /// Sum of squared deviations from the mean.
    pub fn squared_deviations(&self) -> f64 {
        self.m2
    }

    /// Sample variance (divided by `n - 1`), unless there are fewer than two values.
    pub fn variance(&self) -> Option<f64> {
        (self.n > 1).then(|| self.m2 / (self.n - 1) as f64)
    }

    /// Sum of the values.
    pub fn sum(&self) -> f64 {
        self.mean * self.n as f64
    }

    /// Sum of the squared values.
    pub fn sum_of_squares(&self) -> f64 {
        self.m2 + self.mean * self.mean * self.n as f64
    }
}

impl From<Proportion> for Moments {
    /// Of the zeros and ones that the proportion counts.
    fn from(proportion: Proportion) -> Self {
        let n = proportion.n();
        match proportion.rate() {
            None => Self::EMPTY,
            Some(rate) => Self { n, mean: rate, m2: n as f64 * rate * (1.0 - rate) },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    /// Mean and squared deviations within `1e-12` of the size of the values.
    fn close(a: &Moments, b: &Moments, largest: f64) -> bool {
        let n = a.n as f64;
        a.n == b.n
            && (a.mean - b.mean).abs() <= 1e-12 * largest
            && (a.m2 - b.m2).abs() <= 1e-12 * n.max(1.0) * largest * largest
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        (-6..6i32).prop_flat_map(|scale| {
            let size = 10f64.powi(scale);
            proptest::collection::vec(-size..size, 0..40)
        })
    }

    fn largest(sets: &[&[f64]]) -> f64 {
        sets.iter().flat_map(|s| s.iter()).fold(1e-300, |m, x| m.max(x.abs()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn merging_is_associative(a in values(), b in values(), c in values()) {
            let size = largest(&[&a, &b, &c]);
            let [a, b, c] = [a, b, c].map(|v| Moments::of(&v).unwrap());
            prop_assert!(close(&a.merge(&b).merge(&c), &a.merge(&b.merge(&c)), size));
        }

        #[test]
        fn merging_two_has_no_order(a in values(), b in values()) {
            let [a, b] = [a, b].map(|v| Moments::of(&v).unwrap());
            prop_assert_eq!(a.merge(&b), b.merge(&a));
        }

        #[test]
        fn parts_merge_to_the_whole(values in values(), cut in 0..40usize, rotate in 0..40usize) {
            let whole = Moments::of(&values).unwrap();
            let (head, tail) = values.split_at(cut.min(values.len()));
            let parts = Moments::of(tail).unwrap().merge(&Moments::of(head).unwrap());
            prop_assert!(close(&whole, &parts, largest(&[&values])));
            let mut shuffled = values.clone();
            shuffled.rotate_left(rotate % values.len().max(1));
            prop_assert!(close(&whole, &Moments::of(&shuffled).unwrap(), largest(&[&values])));
        }

        #[test]
        fn sums_and_back(values in values()) {
            let moments = Moments::of(&values).unwrap();
            let back = Moments::from_sums(moments.n(), moments.sum(), moments.sum_of_squares()).unwrap();
            prop_assert!(close(&moments, &back, largest(&[&values])));
        }

        #[test]
        fn what_is_written_is_read(values in values()) {
            let moments = Moments::of(&values).unwrap();
            let text = serde_json::to_string(&moments).unwrap();
            let back: Moments = serde_json::from_str(&text).unwrap();
            prop_assert!(close(&moments, &back, largest(&[&values])));
        }
    }

    #[test]
    fn a_large_mean_keeps_its_variance() {
        // Σx² would need 20 digits here; exact values: variance of 0..=9 is 55/6.
        let values: Vec<f64> = (0..1_000).map(|i| 1e9 + f64::from(i % 10)).collect();
        let moments = values
            .chunks(7)
            .map(|part| Moments::of(part).unwrap())
            .fold(Moments::EMPTY, |all, part| all.merge(&part));
        let exact = 8_250.0 / 999.0;
        // The means themselves have seven decimals at 1e9.
        assert!((moments.variance().unwrap() / exact - 1.0).abs() < 1e-7);
    }

    #[test]
    fn impossible_moments_are_refused() {
        for text in [
            r#"{"n":3,"mean":1.0,"m2":-1.0}"#,
            r#"{"n":0,"mean":1.0,"m2":0.0}"#,
            r#"{"n":1,"mean":1.0,"m2":2.0}"#,
        ] {
            assert!(serde_json::from_str::<Moments>(text).is_err(), "{text}");
        }
        let mut moments = Moments::of(&[1.0]).unwrap();
        assert!(moments.push(f64::NAN).is_err());
        assert_eq!(moments, Moments::of(&[1.0]).unwrap());
    }

    #[test]
    fn zeros_and_ones_have_the_moments_of_their_proportion() {
        let counted = Moments::from(Proportion::new(3, 8).unwrap());
        let listed = Moments::of(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]).unwrap();
        assert!(close(&counted, &listed, 1.0));
    }
}
