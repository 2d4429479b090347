//! What is kept of a numeric metric in one arm: count, mean and squared deviations.

use crate::columns::{CHUNK, beyond_rounding, dot, sum};
use crate::compensated::Compensated;
use crate::{Proportion, Refusal};
use serde::{Deserialize, Serialize};

/// Count, mean and sum of squared deviations from the mean: enough for every test of means.
///
/// Deviations are taken around the running mean (Welford; Chan, Golub and LeVeque), because raw sums of
/// squares cancel when the mean is large against the spread. Mean and squared deviations are kept with
/// twice the digits of an `f64`, so that parts, buckets and days may be merged in any order: 10⁹ values
/// agree to 1e-12, and so do values of 10¹² with a variance of 1.
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
    mean: Compensated,
    m2: Compensated,
}

/// What a value, and a mean, must be, so that deviations have squares.
pub(crate) const SQUARABLE: &str = "among the numbers with a finite square";

/// The serialized form, checked when it is read.
#[derive(Serialize, Deserialize)]
struct Stored {
    n: u64,
    mean: f64,
    m2: f64,
    /// What `mean` and `m2` leave out of the digits that are kept.
    #[serde(default, skip_serializing_if = "nothing")]
    mean_rest: f64,
    #[serde(default, skip_serializing_if = "nothing")]
    m2_rest: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference.
fn nothing(rest: &f64) -> bool {
    *rest == 0.0
}

impl TryFrom<Stored> for Moments {
    type Error = Refusal;
    fn try_from(stored: Stored) -> Result<Self, Refusal> {
        let read = Self {
            n: stored.n,
            mean: Compensated::from_parts(stored.mean, stored.mean_rest),
            m2: Compensated::from_parts(stored.m2, stored.m2_rest),
        };
        Self::new(read.n, read.mean.value(), read.m2.value()).map(|_| read)
    }
}

impl From<Moments> for Stored {
    fn from(Moments { n, mean, m2 }: Moments) -> Self {
        Self { n, mean: mean.value(), m2: m2.value(), mean_rest: mean.rest(), m2_rest: m2.rest() }
    }
}

impl Moments {
    /// Of no values.
    pub const EMPTY: Self = Self { n: 0, mean: Compensated::ZERO, m2: Compensated::ZERO };

    /// From the count, the mean and the sum of squared deviations `Σ(x - mean)²`.
    ///
    /// # Errors
    /// [`Refusal::NotMoments`] where no set of numbers has them, [`Refusal::OutOfRange`] for a mean whose square
    /// overflows.
    pub fn new(n: u64, mean: f64, m2: f64) -> Result<Self, Refusal> {
        let possible = mean.is_finite()
            && m2.is_finite()
            && m2 >= 0.0
            && match n {
                0 => mean == 0.0 && m2 == 0.0,
                1 => m2 == 0.0,
                _ => true,
            };
        if possible && !(mean * mean).is_finite() {
            return Err(Refusal::out_of_range("a mean", SQUARABLE, mean));
        }
        if possible {
            Ok(Self::from_parts(n, Compensated::of(mean), Compensated::of(m2)))
        } else {
            Err(Refusal::NotMoments { n, mean, m2 })
        }
    }

    /// From the count, `Σx` and `Σx²`, as a database keeps them.
    ///
    /// Digits are lost when the mean is large against the spread: prefer [`Moments::push`] or
    /// [`Moments::of`] where the values are at hand. Squared deviations that come out negative by
    /// less than the rounding of the sums are zero.
    ///
    /// # Errors
    /// As [`Moments::new`].
    ///
    /// ```
    /// use bellwether_stats::Moments;
    /// // SELECT count(*), sum(x), sum(x * x): of 2, 4 and 9.
    /// let ours = Moments::from_sums(3, 15.0, 101.0).unwrap();
    /// assert_eq!((ours.mean(), ours.variance()), (Some(5.0), Some(13.0)));
    /// ```
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

    /// What others have computed; the caller knows that such numbers exist.
    pub(crate) fn from_parts(n: u64, mean: Compensated, m2: Compensated) -> Self {
        Self { n, mean, m2 }
    }

    /// Of the values given; each must be finite.
    ///
    /// Reads the memory once, at about its speed: pieces that stay in the nearest cache are summed
    /// twice (mean, then deviations) and merged.
    pub fn of(values: &[f64]) -> Result<Self, Refusal> {
        let mut all = Self::EMPTY;
        let mut deviations = [0.0; CHUNK];
        for values in values.chunks(CHUNK) {
            let n = values.len() as f64;
            let near = sum(values) / n;
            for (deviation, value) in deviations.iter_mut().zip(values) {
                *deviation = value - near;
            }
            let deviations = deviations.get(..values.len()).unwrap_or_default();
            let rest = sum(deviations) / n;
            let m2 = beyond_rounding(dot(deviations, deviations) - n * rest * rest, near);
            if (m2 + near * near).is_finite() {
                let mean = Compensated::of(near).add(rest);
                all = all.merge(&Self::from_parts(values.len() as u64, mean, Compensated::of(m2)));
            } else {
                // Whose fault it is says the slow way.
                for &value in values {
                    all.push(value)?;
                }
            }
        }
        Ok(all)
    }

    /// Of `n` units that all have the same value: those who were exposed and did nothing.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a value whose square overflows, also of no units.
    pub fn constant(n: u64, value: f64) -> Result<Self, Refusal> {
        if !(value * value).is_finite() {
            return Err(Refusal::out_of_range("a value of a metric", SQUARABLE, value));
        }
        Self::new(n, if n == 0 { 0.0 } else { value }, 0.0)
    }

    /// Adds one value, which must be finite, as must its square; otherwise nothing changes.
    pub fn push(&mut self, value: f64) -> Result<(), Refusal> {
        let n = self.n.saturating_add(1);
        let delta = Compensated::of(value).minus(self.mean);
        let step = delta / n as f64;
        let m2 = self.m2.add(delta * (delta - step));
        if !((value * value).is_finite() && m2.value().is_finite()) {
            return Err(Refusal::out_of_range("a value of a metric", SQUARABLE, value));
        }
        *self = Self { n, mean: self.mean.add(step), m2 };
        Ok(())
    }

    /// Of the values of both.
    ///
    /// Where the squared deviations of both together overflow they are infinite, never a NaN: every test refuses them.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        // From the larger to the smaller, so that the order of two does not matter to the last bit.
        let order = self.n.cmp(&other.n).then_with(|| self.mean.total_cmp(&other.mean));
        let (a, b) = if order.is_ge() { (self, other) } else { (other, self) };
        if b.n == 0 {
            return *a;
        }
        let (of_a, of_b) = (a.n as f64, b.n as f64);
        let share = of_b / (of_a + of_b);
        let delta = b.mean.minus(a.mean);
        Self {
            n: a.n.saturating_add(b.n),
            mean: a.mean.add(delta * share),
            m2: a.m2.plus(b.m2).add(delta * delta * (of_a * share)),
        }
    }

    /// Number of values.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Mean, unless there are no values.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean.value())
    }

    /// Sum of squared deviations from the mean.
    pub fn squared_deviations(&self) -> f64 {
        self.m2.value()
    }

    /// Sample variance (divided by `n - 1`), unless there are fewer than two values.
    pub fn variance(&self) -> Option<f64> {
        (self.n > 1).then(|| self.m2.value() / (self.n - 1) as f64)
    }

    /// Sum of the values.
    pub fn sum(&self) -> f64 {
        self.mean.value() * self.n as f64
    }

    /// Sum of the squared values.
    pub fn sum_of_squares(&self) -> f64 {
        self.m2.value() + self.mean.value() * self.sum()
    }
}

impl From<Proportion> for Moments {
    /// Of the zeros and ones that the proportion counts.
    fn from(proportion: Proportion) -> Self {
        let n = proportion.n();
        match proportion.rate() {
            None => Self::EMPTY,
            Some(rate) => {
                Self::from_parts(n, Compensated::of(rate), Compensated::of(n as f64 * rate * (1.0 - rate)))
            }
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
            && a.mean.minus(b.mean).abs() <= 1e-12 * largest
            && a.m2.minus(b.m2).abs() <= 1e-12 * n.max(1.0) * largest * largest
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
            prop_assert_eq!(moments, back);
        }
    }

    /// Values of 10¹² have four decimals; these are multiples of 1/2, so that the truth is known: the
    /// same values without the 10¹².
    #[test]
    fn a_large_mean_keeps_its_variance() {
        let small: Vec<f64> = (0..10_000).map(|i| f64::from((i * 37) % 7) * 0.5).collect();
        let large: Vec<f64> = small.iter().map(|x| 1e12 + x).collect();
        let truth = Moments::of(&small).unwrap();
        let pushed = |values: &[f64]| {
            values.iter().fold(Moments::EMPTY, |mut all, &x| {
                all.push(x).unwrap();
                all
            })
        };
        let in_parts = |size: usize| {
            large.chunks(size).map(|p| Moments::of(p).unwrap()).fold(Moments::EMPTY, |a, p| a.merge(&p))
        };
        for moments in [Moments::of(&large).unwrap(), pushed(&large), in_parts(7), in_parts(1_000)] {
            assert!((moments.variance().unwrap() / truth.variance().unwrap() - 1.0).abs() < 1e-12);
            assert!((moments.mean.minus(Compensated::of(1e12)) - truth.mean.value()).abs() < 1e-12);
        }
    }

    /// 10⁹ values in parts of very different sizes, merged forwards, backwards and as a tree.
    #[test]
    fn a_billion_values_merge_in_any_order() {
        let mut parts: Vec<Moments> = (0..20_000u32)
            .map(|i| {
                let n = u64::from(i % 97) * 1_042 + 1;
                let spread = if n == 1 { 0.0 } else { n as f64 * (1.0 + f64::from(i % 13)) };
                Moments::new(n, 1e12 + f64::from(i % 11) * 0.25, spread).unwrap()
            })
            .collect();
        let forwards = parts.iter().fold(Moments::EMPTY, |all, p| all.merge(p));
        let backwards = parts.iter().rev().fold(Moments::EMPTY, |all, p| all.merge(p));
        while parts.len() > 1 {
            parts = parts.chunks(2).map(|two| two.iter().fold(Moments::EMPTY, |a, b| a.merge(b))).collect();
        }
        assert!(forwards.n() > 990_000_000, "{}", forwards.n());
        for other in [backwards, parts[0]] {
            assert_eq!(other.n(), forwards.n());
            assert!((other.variance().unwrap() / forwards.variance().unwrap() - 1.0).abs() < 1e-12);
            assert!(other.mean.minus(forwards.mean).abs() < 1e-12);
        }
    }

    /// A value far from all others, first or last, spoils no digit of theirs.
    #[test]
    fn an_outlier_costs_no_digits() {
        let mut values: Vec<f64> = (0..5_000).map(|i| f64::from(i % 3)).collect();
        let without = Moments::of(&values).unwrap();
        values.insert(0, 1e9);
        let mut outlier = Moments::EMPTY;
        outlier.push(1e9).unwrap();
        let (whole, merged) = (Moments::of(&values).unwrap(), without.merge(&outlier));
        assert!((whole.variance().unwrap() / merged.variance().unwrap() - 1.0).abs() < 1e-12);
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
