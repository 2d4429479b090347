//! What is kept of several columns of the same units: means and cross-products of deviations.

use crate::columns::grouped;
use crate::compensated::Compensated;
use crate::moments::SQUARABLE;
use crate::{Moments, Refusal};
use serde::{Deserialize, Serialize};

/// Count, means and cross-products of deviations of `k` columns: the currency of this room.
///
/// Every test of means, ratios and adjusted means is a function of it: a ratio is a combination of two
/// columns, an adjusted mean one of an outcome and its covariates ([`JointMoments::combination`]).
/// A store keeps it per experiment, arm, stratum and day, and merges as it is asked: ten million users
/// then cost what ten do. Kept and merged as [`Moments`] are, with twice the digits of an `f64`.
///
/// ```
/// use bellwether_stats::JointMoments;
/// let (spent, before) = ([3.0, 5.0, 1.0], [2.0, 4.0, 0.0]);
/// let both = JointMoments::of(&[&spent, &before]).unwrap();
/// assert_eq!((both.n(), both.mean(0), both.covariance(0, 1)), (3, Some(3.0), Some(4.0)));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct JointMoments {
    pub(crate) n: u64,
    pub(crate) means: Vec<Compensated>,
    /// Lower triangle by rows: (0,0), (1,0), (1,1), (2,0), …
    pub(crate) cross: Vec<Compensated>,
}

/// The serialized form, checked when it is read: pairs are a number and what that leaves out.
#[derive(Serialize, Deserialize)]
struct Stored {
    n: u64,
    means: Vec<(f64, f64)>,
    cross: Vec<(f64, f64)>,
}

impl TryFrom<Stored> for JointMoments {
    type Error = Refusal;
    fn try_from(Stored { n, means, cross }: Stored) -> Result<Self, Refusal> {
        let read = |pairs: Vec<(f64, f64)>| {
            pairs.into_iter().map(|(high, low)| Compensated::from_parts(high, low)).collect()
        };
        Self { n, means: read(means), cross: read(cross) }.checked()
    }
}

impl From<JointMoments> for Stored {
    fn from(JointMoments { n, means, cross }: JointMoments) -> Self {
        let written = |all: Vec<Compensated>| all.into_iter().map(|c| (c.value(), c.rest())).collect();
        Self { n, means: written(means), cross: written(cross) }
    }
}

/// Place of `(i, j)` in a lower triangle by rows.
fn place(i: usize, j: usize) -> usize {
    let (i, j) = (i.max(j), i.min(j));
    i * (i + 1) / 2 + j
}

/// Pairs of more columns would not be moments of a metric and its covariates, but fill the memory.
pub(crate) const MOST_COLUMNS: usize = 1_000;

pub(crate) fn few_columns(columns: usize) -> Result<(), Refusal> {
    if columns <= MOST_COLUMNS {
        return Ok(());
    }
    Err(Refusal::out_of_range("the columns of moments", &format!("at or below `{MOST_COLUMNS}`"), columns))
}

impl JointMoments {
    /// Of no units, with that many columns.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] above 1,000 columns.
    pub fn empty(columns: usize) -> Result<Self, Refusal> {
        few_columns(columns)?;
        Ok(Self::of_none(columns))
    }

    pub(crate) fn of_none(columns: usize) -> Self {
        Self {
            n: 0,
            means: vec![Compensated::ZERO; columns],
            cross: vec![Compensated::ZERO; columns * (columns + 1) / 2],
        }
    }

    /// Of columns of the same length, a unit per row; each value must be finite.
    ///
    /// # Errors
    /// [`Refusal::LengthsDiffer`], [`Refusal::OutOfRange`] for a value without a finite square or above 1,000 columns,
    /// [`Refusal::NotFinite`] where the products overflow.
    pub fn of(columns: &[&[f64]]) -> Result<Self, Refusal> {
        let rows = columns.first().map_or(0, |column| column.len());
        let arms = grouped(rows, |_| Ok(0), 1, &[columns])?;
        let whole = arms.into_iter().flatten().next();
        Ok(whole.unwrap_or_else(|| Self::of_none(columns.len())))
    }

    /// From the count, the sums of the columns, and the sums of products in the lower triangle by rows
    /// (`ΣAA, ΣBA, ΣBB, ΣCA, …`), as a database keeps them.
    ///
    /// Digits are lost where means are large against the spread: prefer [`JointMoments::of`].
    ///
    /// # Errors
    /// [`Refusal::LengthsDiffer`], [`Refusal::NotMoments`] where no set of numbers has these sums,
    /// [`Refusal::OutOfRange`] above 1,000 columns.
    ///
    /// ```
    /// use bellwether_stats::JointMoments;
    /// // SELECT count(*), sum(a), sum(b), sum(a * a), sum(b * a), sum(b * b): of (3, 2), (5, 4) and (1, 0).
    /// let ours = JointMoments::from_sums(3, &[9.0, 6.0], &[35.0, 26.0, 20.0]).unwrap();
    /// assert_eq!((ours.mean(1), ours.covariance(0, 1)), (Some(2.0), Some(4.0)));
    /// ```
    pub fn from_sums(n: u64, sums: &[f64], products: &[f64]) -> Result<Self, Refusal> {
        let mut all = Self::empty(sums.len())?;
        same_length("products of columns", products.len(), "pairs of columns", all.cross.len())?;
        all.n = n;
        if n > 0 {
            for (mean, sum) in all.means.iter_mut().zip(sums) {
                *mean = Compensated::of(sum / n as f64);
            }
        }
        for i in 0..sums.len() {
            for j in 0..=i {
                let at = place(i, j);
                let (raw, sum) = (at_or_nan(products, at), at_or_nan(sums, i));
                let mut deviations = raw - sum * all.mean_or_zero(j);
                // Negative, or of one unit, by less than the sums are rounded: zero.
                let rounding = 4.0 * f64::EPSILON * raw.abs();
                if n <= 1 && deviations.abs() <= rounding || i == j && (-rounding..0.0).contains(&deviations)
                {
                    deviations = 0.0;
                }
                if let Some(cross) = all.cross.get_mut(at) {
                    *cross = Compensated::of(deviations);
                }
            }
        }
        all.checked()
    }

    fn checked(self) -> Result<Self, Refusal> {
        let columns = self.means.len();
        same_length(
            "products of columns",
            self.cross.len(),
            "pairs of columns",
            columns * (columns + 1) / 2,
        )?;
        for column in 0..columns {
            Moments::new(self.n, self.mean_or_zero(column), self.cross_of(column, column))?;
        }
        if self.n <= 1 && self.cross.iter().any(|c| c.value() != 0.0) {
            return Err(Refusal::not_finite("products"));
        }
        self.finite()
    }

    pub(crate) fn finite(self) -> Result<Self, Refusal> {
        let finite = self.cross.iter().all(|c| c.value().is_finite());
        if finite { Ok(self) } else { Err(Refusal::not_finite("products")) }
    }

    /// Adds one unit with a value for each column; otherwise nothing changes.
    ///
    /// # Errors
    /// As [`JointMoments::of`].
    pub fn push(&mut self, row: &[f64]) -> Result<(), Refusal> {
        same_length("values", row.len(), "columns", self.means.len())?;
        if let Some(&value) = row.iter().find(|value| !(*value * *value).is_finite()) {
            return Err(not_a_value(value));
        }
        let mut one = Self::of_none(row.len());
        one.n = 1;
        one.means = row.iter().map(|&value| Compensated::of(value)).collect();
        *self = self.merge(&one)?;
        Ok(())
    }

    /// Of the units of both.
    ///
    /// # Errors
    /// [`Refusal::LengthsDiffer`] where they have not the same number of columns, [`Refusal::NotFinite`] where the
    /// products overflow.
    pub fn merge(&self, other: &Self) -> Result<Self, Refusal> {
        same_length("columns", other.means.len(), "columns", self.means.len())?;
        let mut both = self.clone();
        both.absorb(other);
        both.finite()
    }

    /// Merges moments of as many columns: all combinations of the distance of the means come on top.
    pub(crate) fn absorb(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            self.clone_from(other);
            return;
        }
        let (own, others) = (self.n as f64, other.n as f64);
        let share = others / (own + others);
        let mut at = 0;
        for (i, (a, b)) in self.means.iter().zip(&other.means).enumerate() {
            let weighted = b.minus(*a) * (own * share);
            for (a, b) in self.means.iter().zip(&other.means).take(i + 1) {
                if let (Some(cross), Some(theirs)) = (self.cross.get_mut(at), other.cross.get(at)) {
                    *cross = cross.plus(*theirs).add(weighted * b.minus(*a));
                }
                at += 1;
            }
        }
        for (a, b) in self.means.iter_mut().zip(&other.means) {
            *a = a.add(b.minus(*a) * share);
        }
        self.n = self.n.saturating_add(other.n);
    }

    /// Number of units.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.means.len()
    }

    /// Mean of a column, unless there are no units or no such column.
    pub fn mean(&self, column: usize) -> Option<f64> {
        self.means.get(column).filter(|_| self.n > 0).map(|mean| mean.value())
    }

    pub(crate) fn mean_or_zero(&self, column: usize) -> f64 {
        self.means.get(column).map_or(0.0, |mean| mean.value())
    }

    /// `Σ (a - ā)(b - b̄)` of two columns; zero for a column that is not there.
    pub(crate) fn cross_of(&self, a: usize, b: usize) -> f64 {
        self.cross.get(place(a, b)).map_or(0.0, |cross| cross.value())
    }

    /// Covariance (divided by `n - 1`) of two columns, unless there are fewer than two units or no such
    /// columns; of a column with itself, its variance.
    pub fn covariance(&self, a: usize, b: usize) -> Option<f64> {
        let there = self.n > 1 && a.max(b) < self.columns();
        there.then(|| self.cross_of(a, b) / (self.n - 1) as f64)
    }

    /// The moments of one column.
    pub fn column(&self, column: usize) -> Option<Moments> {
        let (mean, m2) = (self.means.get(column)?, self.cross.get(place(column, column))?);
        Some(Moments::from_parts(self.n, *mean, *m2))
    }

    /// The moments of `shift + Σ weight·column`, a value per unit: linear, so no unit is looked at again.
    ///
    /// # Errors
    /// [`Refusal::LengthsDiffer`] unless there is a weight for each column, [`Refusal::NotMoments`]
    /// where the sums overflow.
    pub fn combination(&self, shift: f64, weights: &[f64]) -> Result<Moments, Refusal> {
        same_length("weights", weights.len(), "columns", self.columns())?;
        if self.n == 0 {
            return Ok(Moments::EMPTY);
        }
        let mut mean = Compensated::of(shift);
        let (mut m2, mut size) = (0.0, 0.0f64);
        for (i, a) in weights.iter().enumerate() {
            mean = mean.add(a * self.mean_or_zero(i)).add(a * self.means.get(i).map_or(0.0, |m| m.rest()));
            for (j, b) in weights.iter().enumerate().take(i + 1) {
                let term = a * b * self.cross_of(i, j);
                m2 += if i == j { term } else { 2.0 * term };
                size = size.max(term.abs());
            }
        }
        // What cancels to less than the rounding of its terms is nothing.
        let m2 = if m2 < 8.0 * f64::EPSILON * size { 0.0 } else { m2 };
        Moments::new(self.n, mean.value(), m2)
    }

    /// Of some of the columns, in that order.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a column that is not there, and for more than 1,000.
    pub fn select(&self, columns: &[usize]) -> Result<Self, Refusal> {
        if let Some(missing) = columns.iter().find(|&&column| column >= self.columns()) {
            return Err(Refusal::out_of_range("a column", "among the columns, counted from 0", missing));
        }
        let mut some = Self::empty(columns.len())?;
        some.n = self.n;
        some.means = columns.iter().filter_map(|&column| self.means.get(column).copied()).collect();
        some.cross = columns
            .iter()
            .enumerate()
            .flat_map(|(i, &a)| columns.iter().take(i + 1).map(move |&b| place(a, b)))
            .filter_map(|at| self.cross.get(at).copied())
            .collect();
        Ok(some)
    }
}

fn at_or_nan(values: &[f64], at: usize) -> f64 {
    values.get(at).copied().unwrap_or(f64::NAN)
}

pub(crate) fn not_a_value(value: f64) -> Refusal {
    Refusal::out_of_range("a value of a metric", SQUARABLE, value)
}

/// That two things that belong together are as many.
pub(crate) fn same_length(what: &str, have: usize, with: &str, need: usize) -> Result<(), Refusal> {
    if have == need {
        return Ok(());
    }
    Err(Refusal::LengthsDiffer { what: what.to_owned(), have, with: with.to_owned(), need })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::columns::{by_arm, dot, sum};
    use proptest::prelude::*;

    /// Three columns of up to 1,300 rows (more than two chunks) and an arm for each row.
    fn table() -> impl Strategy<Value = (Vec<u8>, [Vec<f64>; 3])> {
        (0..1_300usize, -3..9i32, any::<u64>()).prop_map(|(rows, scale, seed)| {
            let mut state = seed;
            let mut next = move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as f64 / f64::from(1u32 << 31)
            };
            let size = 10f64.powi(scale);
            let arm = (0..rows).map(|_| (next() * 3.0) as u8).collect();
            let x: Vec<f64> = (0..rows).map(|_| size + next()).collect();
            let y = x.iter().map(|x| 0.5 * x + next()).collect();
            let z = (0..rows).map(|_| next() - 0.5).collect();
            (arm, [x, y, z])
        })
    }

    /// The definition, in two passes over centred values.
    fn naive(columns: &[Vec<f64>], a: usize, b: usize) -> f64 {
        let n = columns[a].len() as f64;
        let centred = |c: &Vec<f64>| -> Vec<f64> {
            let first = c[0];
            let mean = c.iter().map(|v| v - first).sum::<f64>() / n;
            c.iter().map(|v| (v - first) - mean).collect()
        };
        let (a, b) = (centred(&columns[a]), centred(&columns[b]));
        a.iter().zip(&b).map(|(a, b)| a * b).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn the_columns_of_each_arm_have_their_products((arm, columns) in table()) {
            let [x, y, z] = &columns;
            let both = by_arm(&arm, 3, &[&[x, y, z], &[z]]).unwrap();
            for (index, sets) in both.iter().enumerate() {
                let own: Vec<Vec<f64>> = columns.iter().map(|c| {
                    c.iter().zip(&arm).filter(|(_, a)| usize::from(**a) == index).map(|(v, _)| *v).collect()
                }).collect();
                prop_assert_eq!(sets[0].n(), own[0].len() as u64);
                if own[0].is_empty() { continue; }
                for (i, j) in [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)] {
                    let expected = naive(&own, i, j);
                    let size = (naive(&own, i, i) * naive(&own, j, j)).sqrt();
                    prop_assert!((sets[0].cross_of(i, j) - expected).abs() <= 1e-12 * size + 1e-14);
                }
                prop_assert_eq!(sets[0].column(2), sets[1].column(0));
                prop_assert_eq!(sets[0].column(1), sets[0].select(&[1]).unwrap().column(0));
            }
        }

        #[test]
        fn pushing_merging_and_reading_agree((_, columns) in table(), cut in 0..1_300usize) {
            let [x, y, z] = &columns;
            let whole = JointMoments::of(&[x, y, z]).unwrap();
            let cut = cut.min(x.len());
            let mut pushed = JointMoments::of_none(3);
            for row in cut..x.len() {
                pushed.push(&[x[row], y[row], z[row]]).unwrap();
            }
            let head = JointMoments::of(&[&x[..cut], &y[..cut], &z[..cut]]).unwrap();
            let text = serde_json::to_string(&pushed.merge(&head).unwrap()).unwrap();
            let merged: JointMoments = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(merged.n(), whole.n());
            for (i, j) in [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)] {
                let size = (whole.cross_of(i, i) * whole.cross_of(j, j)).sqrt();
                prop_assert!((merged.cross_of(i, j) - whole.cross_of(i, j)).abs() <= 1e-12 * size + 1e-14);
            }
        }

        #[test]
        fn a_combination_is_the_column_it_says((_, columns) in table(), a in -3.0..3.0f64, b in -3.0..3.0f64) {
            let [x, y, z] = &columns;
            prop_assume!(x.len() > 1);
            let column: Vec<f64> =
                x.iter().zip(y).zip(z).map(|((x, y), z)| 7.0 + a * x + b * y + z).collect();
            let ours = JointMoments::of(&[x, y, z]).unwrap().combination(7.0, &[a, b, 1.0]).unwrap();
            let direct = Moments::of(&column).unwrap();
            let size = column.iter().fold(1.0f64, |m, v| m.max(v.abs()));
            prop_assert!((ours.mean().unwrap() - direct.mean().unwrap()).abs() <= 1e-11 * size);
            // The sum of the units themselves is rounded at the size of x.
            let (ours, direct) = (ours.squared_deviations(), direct.squared_deviations());
            prop_assert!((ours - direct).abs() <= 1e-9 * direct.max(1.0) + 1e-12 * size * direct.sqrt());
        }
    }

    #[test]
    fn sums_of_a_database() {
        let (x, y) = ([1.0, 2.0, 4.0, 3.5], [0.5, -1.0, 2.0, 8.0]);
        let products = [dot(&x, &x), dot(&y, &x), dot(&y, &y)];
        let ours = JointMoments::from_sums(4, &[sum(&x), sum(&y)], &products).unwrap();
        let direct = JointMoments::of(&[&x, &y]).unwrap();
        assert!((ours.covariance(1, 0).unwrap() - direct.covariance(0, 1).unwrap()).abs() < 1e-14);
        assert!(JointMoments::from_sums(4, &[1.0, 2.0], &[1.0]).is_err());
        assert!(JointMoments::from_sums(4, &[8.0], &[1.0]).is_err());
        assert!(JointMoments::from_sums(0, &[0.0], &[0.0]).is_ok());
    }

    /// The same value in each row has no variance at all, whatever its digits; one last place is one.
    #[test]
    fn equal_values_have_no_variance() {
        for value in [0.1, 1.0 / 3.0, 1e12 + 0.3, -7e-5] {
            for rows in [2, 3, 511, 512, 700, 5_000] {
                let mut column = vec![value; rows];
                assert_eq!(Moments::of(&column).unwrap().variance(), Some(0.0), "{value} {rows}");
                assert_eq!(JointMoments::of(&[&column]).unwrap().covariance(0, 0), Some(0.0));
                column[rows - 1] = f64::from_bits(value.to_bits() + 1);
                assert!(Moments::of(&column).unwrap().variance() > Some(0.0), "{value} {rows}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |refusal: Refusal| refusal.to_string();
        assert_eq!(
            message(by_arm(&[0, 2], 2, &[]).unwrap_err()),
            "an arm must lie among the arms, counted from 0: `2`"
        );
        assert_eq!(
            message(JointMoments::of(&[&[1.0, 2.0], &[1.0]]).unwrap_err()),
            "`1` values do not fit `2` rows"
        );
        for (wrong, printed) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (1e200, "1e200")] {
            assert_eq!(
                message(JointMoments::of(&[&[1.0, wrong]]).unwrap_err()),
                format!("a value of a metric must lie among the numbers with a finite square: `{printed}`")
            );
            let mut moments = JointMoments::of_none(1);
            assert!(moments.push(&[wrong]).is_err());
            assert_eq!(moments, JointMoments::of_none(1));
        }
        let [one, two] = [1, 2].map(|columns| JointMoments::empty(columns).unwrap());
        assert!(one.merge(&two).is_err());
        assert_eq!(two.mean(0), None);
        assert_eq!(JointMoments::of(&[&[1.0]]).unwrap().covariance(0, 0), None);
        assert_eq!(by_arm(&[], 2, &[&[&[]]]).unwrap()[1][0].n(), 0);
    }
}
