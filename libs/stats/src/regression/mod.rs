//! Least squares, and the standard errors that hold where units are not alike or not independent.
//!
//! - [`Regression::fit`]: coefficients of an intercept and of regressors.
//! - [`Regression::covariance`] with [`Errors`]: classical, HC0 to HC3, clustered in one way (with CR2 for
//!   few clusters) or in two, robust to autocorrelation.
//! - [`Covariance::estimate`]: one coefficient as an [`Estimate`], to be tested as any other.
//! - [`lin`]: the effect of a treatment with covariates and their interactions (Lin 2013).
//!
//! Regressors are centred before anything is multiplied, so that values of 10¹² keep their digits. A
//! regressor that is a combination of those before it is dropped, and [`Regression::dropped`] says so.

mod cluster;
mod hac;

pub use hac::{Kernel, newey_west_lag};

use crate::joint::same_length;
use crate::linear::{Cholesky, Matrix, independent, inner};
use crate::{Caution, Estimate, Method, Refusal};

/// Which standard errors a regression is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Errors<'a> {
    /// Every unit has the same variance and is independent of all others. Degrees of freedom `n - k`.
    Classical,
    /// White (1980): each unit its own variance, from its squared residual. Biased down in small samples.
    Hc0,
    /// HC0 times `n/(n - k)`.
    Hc1,
    /// Residuals divided by `1 - h` (leverage): unbiased where all variances are the same. With one 0/1
    /// regressor it is Welch's standard error.
    Hc2,
    /// Residuals divided by `(1 - h)²`: the jackknife's, on the safe side.
    Hc3,
    /// Units of a cluster may depend on each other. `clusters` has a number for each row. t with one
    /// degree of freedom less than clusters; below about 40 clusters of like size take
    /// [`Correction::Cr2`], whose degrees of freedom tell what the clusters are worth.
    Clustered {
        /// The cluster of each row.
        clusters: &'a [u64],
        /// How the bias of few clusters is mended.
        correction: Correction,
    },
    /// Clustered in two ways that cross (Cameron, Gelbach and Miller 2011): both, less their intersection, each
    /// with the correction of [`Correction::Hc1`]. Fails where either way has few clusters, and may give no
    /// variance at all: then it refuses.
    TwoWay {
        /// The first way.
        a: &'a [u64],
        /// The second way.
        b: &'a [u64],
    },
    /// Rows are in the order of time, and neighbours may depend on each other.
    Hac {
        /// How far, and with which weights.
        kernel: Kernel,
        /// Whether the variance is multiplied by `n/(n - k)`.
        adjusted: bool,
    },
}

/// How the bias of clustered errors with few clusters is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// Not at all.
    None,
    /// Times `G/(G - 1)`, with `G` clusters.
    Groups,
    /// Times `G/(G - 1) · (n - 1)/(n - k)`, as Stata, sandwich's HC1 and statsmodels do.
    Hc1,
    /// Bell and McCaffrey (2002): the residuals of a cluster times `(I - H)^(-1/2)`, and for each
    /// coefficient the degrees of freedom of Satterthwaite (Pustejovsky and Tipton 2018), under a working
    /// model of independent units.
    Cr2,
}

/// Coefficients of least squares, with what is needed for any of their errors.
#[derive(Debug, Clone)]
pub struct Regression {
    /// Rows of centred regressors, an intercept of 1 first.
    rows: Vec<Vec<f64>>,
    residuals: Vec<f64>,
    /// `(Z'Z)⁻¹` and its root, of the centred regressors.
    bread: Matrix,
    root: Cholesky,
    /// From coefficients of centred regressors to those of the regressors.
    to_given: Matrix,
    coefficients: Vec<f64>,
    dropped: Vec<usize>,
}

impl Regression {
    /// Fits `outcome = intercept + Σ coefficient·regressor` by least squares.
    ///
    /// # Errors
    /// [`Refusal::LengthsDiffer`], [`Refusal::NotFinite`], [`Refusal::TooFew`] unless there are more rows than
    /// coefficients.
    ///
    /// ```
    /// use bellwether_stats::regression::{Errors, Regression};
    /// let treated = [0.0, 1.0, 0.0, 1.0, 0.0, 1.0];
    /// let fit = Regression::fit(&[2.0, 3.5, 1.0, 4.5, 3.0, 4.0], &[&treated]).unwrap();
    /// assert!((fit.coefficients()[1] - 2.0).abs() < 1e-12);
    /// let effect = fit.covariance(Errors::Hc2).unwrap().estimate(1).unwrap();
    /// assert!((effect.se() - 0.645497).abs() < 1e-6); // √(1/3 + 0.25/3), as Welch
    /// ```
    pub fn fit(outcome: &[f64], regressors: &[&[f64]]) -> Result<Self, Refusal> {
        let n = outcome.len();
        for regressor in regressors {
            same_length("values of a regressor", regressor.len(), "outcomes", n)?;
        }
        let all = [&[outcome], regressors].concat();
        if all.iter().any(|column| column.iter().any(|value| !(value * value).is_finite())) {
            return Err(Refusal::not_finite("squares"));
        }
        let means: Vec<f64> = all.iter().map(|column| mean(column)).collect();
        let centred: Vec<Vec<f64>> = all
            .iter()
            .zip(&means)
            .map(|(column, mean)| column.iter().map(|value| value - mean).collect())
            .collect();
        let (outcome, regressors) = match centred.split_first() {
            Some((outcome, regressors)) => (outcome, regressors),
            None => return Err(Refusal::too_few("rows", 0, 1)),
        };
        let products = Matrix::of(regressors.len(), |i, j| match (regressors.get(i), regressors.get(j)) {
            (Some(a), Some(b)) => inner(a, b),
            _ => f64::NAN,
        });
        // A constant beside the intercept is nothing once it is centred, but for rounding.
        let constant = |column: usize| {
            let size = n as f64 * square(means.get(column + 1).copied().unwrap_or(0.0));
            products.at(column, column) <= 16.0 * size * square(f64::EPSILON)
        };
        let possible: Vec<usize> = (0..regressors.len()).filter(|&column| !constant(column)).collect();
        let kept: Vec<usize> = independent(&products.select(&possible))
            .into_iter()
            .filter_map(|at| possible.get(at).copied())
            .collect();
        let dropped = (0..regressors.len()).filter(|column| !kept.contains(column)).collect();
        let k = kept.len() + 1;
        if n <= k {
            return Err(Refusal::too_few("rows", n as u64, k as u64 + 1));
        }
        // An intercept is at right angles to what is centred.
        let crossed = Matrix::of(k, |i, j| match (i.checked_sub(1), j.checked_sub(1)) {
            (None, None) => n as f64,
            (Some(i), Some(j)) => match (kept.get(i), kept.get(j)) {
                (Some(&i), Some(&j)) => products.at(i, j),
                _ => f64::NAN,
            },
            _ => 0.0,
        });
        let root = Cholesky::of(&crossed).ok_or_else(|| Refusal::not_finite("cross-products"))?;
        let kept_columns: Vec<&Vec<f64>> = kept.iter().filter_map(|&at| regressors.get(at)).collect();
        let mut with_outcome = vec![0.0];
        with_outcome.extend(kept_columns.iter().map(|column| inner(column, outcome)));
        let slopes = root.solve(&with_outcome);
        let rows: Vec<Vec<f64>> = (0..n)
            .map(|row| {
                let values = kept_columns.iter().filter_map(|column| column.get(row).copied());
                core::iter::once(1.0).chain(values).collect()
            })
            .collect();
        let residuals = outcome.iter().zip(&rows).map(|(y, row)| y - inner(&slopes, row)).collect();
        let mean_of = |column: usize| means.get(column + 1).copied().unwrap_or(0.0);
        let to_given = Matrix::of(k, |i, j| match (i, j.checked_sub(1).and_then(|j| kept.get(j))) {
            (0, Some(&column)) => -mean_of(column),
            _ => f64::from(u8::from(i == j)),
        });
        let mut coefficients = to_given.applied(&slopes);
        if let (Some(intercept), Some(mean)) = (coefficients.first_mut(), means.first()) {
            *intercept += mean;
        }
        let bread = root.inverse();
        Ok(Self { rows, residuals, bread, root, to_given, coefficients, dropped })
    }

    /// The intercept, then a coefficient for each regressor that was not dropped, in their order.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Regressors, counted from 0, that are constant or a combination of those before them.
    pub fn dropped(&self) -> &[usize] {
        &self.dropped
    }

    /// What the coefficients leave of each outcome.
    pub fn residuals(&self) -> &[f64] {
        &self.residuals
    }

    fn n(&self) -> f64 {
        self.rows.len() as f64
    }

    fn k(&self) -> f64 {
        self.coefficients.len() as f64
    }

    /// The covariance of the coefficients, by the errors that are asked for.
    ///
    /// # Errors
    /// [`Refusal::LengthsDiffer`] for clusters of another length, [`Refusal::TooFew`] below two clusters or where
    /// one row alone decides a coefficient, [`Refusal::OutOfRange`] for a bandwidth that is none,
    /// [`Refusal::NoVariance`] where two-way clustering leaves none.
    pub fn covariance(&self, errors: Errors<'_>) -> Result<Covariance, Refusal> {
        let plain = self.n() - self.k();
        let caution = match errors {
            // CR2 is what the caution sends one to.
            Errors::Clustered { correction: Correction::Cr2, .. } => None,
            Errors::Clustered { clusters, .. } => Caution::of_clusters(clusters)?,
            Errors::TwoWay { a, b } => Caution::of_two_ways(a, b)?,
            _ => None,
        };
        let (variance, df, method) = match errors {
            Errors::Classical => {
                let squares = inner(&self.residuals, &self.residuals);
                let scale = squares / plain;
                let zero = Matrix::zero(self.bread.size());
                (zero.plus(&self.bread, scale), vec![plain], Method::LeastSquares)
            }
            Errors::Hc0 | Errors::Hc1 | Errors::Hc2 | Errors::Hc3 => {
                (self.sandwich(self.white(errors)?), vec![plain], Method::LeastSquares)
            }
            Errors::Clustered { clusters, correction } => {
                same_length("clusters", clusters.len(), "outcomes", self.rows.len())?;
                let (variance, df) = self.clustered(clusters, correction)?;
                let method = match correction {
                    Correction::Cr2 => Method::ClusterCr2,
                    _ => Method::ClusterHc1,
                };
                (variance, df, method)
            }
            Errors::TwoWay { a, b } => {
                same_length("clusters", a.len(), "outcomes", self.rows.len())?;
                same_length("clusters", b.len(), "outcomes", self.rows.len())?;
                let (variance, df) = self.clustered_twice(a, b)?;
                (variance, vec![df], Method::ClusterTwoWay)
            }
            Errors::Hac { kernel, adjusted } => {
                let scale = if adjusted { self.n() / plain } else { 1.0 };
                let meat = self.autocorrelated(kernel)?;
                let zero = Matrix::zero(self.bread.size());
                (self.sandwich(zero.plus(&meat, scale)), vec![plain], Method::Hac)
            }
        };
        let variance = self.to_given.times(&variance).times(&self.to_given.transposed());
        Ok(Covariance { coefficients: self.coefficients.clone(), variance, df, method, caution })
    }

    fn sandwich(&self, meat: Matrix) -> Matrix {
        self.bread.times(&meat).times(&self.bread)
    }

    fn white(&self, errors: Errors<'_>) -> Result<Matrix, Refusal> {
        let mut meat = Matrix::zero(self.bread.size());
        for (row, residual) in self.rows.iter().zip(&self.residuals) {
            let left = 1.0 - inner(row, &self.bread.applied(row));
            let weight = match errors {
                Errors::Hc1 => self.n() / (self.n() - self.k()),
                Errors::Hc2 | Errors::Hc3 if left <= 1e-10 => {
                    // Its residual is zero whatever it is: nothing is known of its variance.
                    return Err(Refusal::too_few("rows that decide a coefficient", 1, 2));
                }
                Errors::Hc2 => left.recip(),
                Errors::Hc3 => left.recip().powi(2),
                _ => 1.0,
            };
            meat.add_outer(row, row, weight * residual * residual);
        }
        Ok(meat)
    }
}

/// Covariance of coefficients, with the degrees of freedom of its method.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariance {
    coefficients: Vec<f64>,
    variance: Matrix,
    /// One for each coefficient, or one for all.
    df: Vec<f64>,
    method: Method,
    caution: Option<Caution>,
}

impl Covariance {
    /// Standard error of a coefficient; the intercept is 0.
    pub fn se(&self, coefficient: usize) -> Option<f64> {
        let variance = self.variance.at(coefficient, coefficient);
        (variance >= 0.0 && coefficient < self.coefficients.len()).then(|| variance.sqrt())
    }

    /// Degrees of freedom of a coefficient.
    pub fn df(&self, coefficient: usize) -> Option<f64> {
        let there = coefficient < self.coefficients.len();
        self.df.get(coefficient).or(self.df.first()).copied().filter(|_| there)
    }

    /// The covariance of two coefficients.
    pub fn covariance(&self, a: usize, b: usize) -> Option<f64> {
        (a.max(b) < self.coefficients.len()).then(|| self.variance.at(a, b))
    }

    /// A coefficient with its standard error and degrees of freedom; the intercept is 0.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a coefficient that is not there, [`Refusal::NoVariance`] where its standard
    /// error is zero or (two-way clustering) its variance negative.
    pub fn estimate(&self, coefficient: usize) -> Result<Estimate, Refusal> {
        let Some(&value) = self.coefficients.get(coefficient) else {
            return Err(Refusal::out_of_range("a coefficient", "among those that were kept", coefficient));
        };
        let se = self.se(coefficient).ok_or(Refusal::NoVariance)?;
        Ok(Estimate::new(value, se, self.df(coefficient), self.method)?.with_caution(self.caution))
    }
}

/// The effect of a treatment, adjusted by covariates with a slope of their own in each arm, with HC2 errors.
///
/// Lin (2013): least squares of the outcome on the treatment, the covariates centred at their common means,
/// and the products of both. Never less precise than no adjustment in large samples, also where arms differ
/// in size or slope, which one common slope cannot promise. Assumes independent units; with a handful of
/// units per covariate the adjustment costs more than it brings.
///
/// # Errors
/// As [`Regression::fit`] and [`Regression::covariance`].
pub fn lin(outcome: &[f64], treated: &[bool], covariates: &[&[f64]]) -> Result<Estimate, Refusal> {
    same_length("arms", treated.len(), "outcomes", outcome.len())?;
    let arm: Vec<f64> = treated.iter().map(|&treated| f64::from(u8::from(treated))).collect();
    let mut regressors = vec![arm.clone()];
    for covariate in covariates {
        same_length("values of a covariate", covariate.len(), "outcomes", outcome.len())?;
        let mean = mean(covariate);
        let centred: Vec<f64> = covariate.iter().map(|value| value - mean).collect();
        regressors.push(centred.iter().zip(&arm).map(|(value, arm)| value * arm).collect());
        regressors.push(centred);
    }
    let regressors: Vec<&[f64]> = regressors.iter().map(Vec::as_slice).collect();
    let fit = Regression::fit(outcome, &regressors)?;
    if fit.dropped().first() == Some(&0) {
        let have = treated.iter().filter(|&&t| t).count() as u64;
        let arm = if have == 0 { crate::Arm::Treatment } else { crate::Arm::Control };
        return Err(Refusal::TooLittle { arm, have: 0, need: 2 });
    }
    let effect = fit.covariance(Errors::Hc2)?.estimate(1)?;
    Estimate::new(effect.value(), effect.se(), effect.df(), Method::Lin)
}

fn mean(values: &[f64]) -> f64 {
    // The second pass takes off what the first was rounded by.
    let n = values.len().max(1) as f64;
    let near = values.iter().sum::<f64>() / n;
    near + values.iter().map(|value| value - near).sum::<f64>() / n
}

fn square(value: f64) -> f64 {
    value * value
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::{Level, Moments, welch};
    use proptest::prelude::*;

    fn rows() -> impl Strategy<Value = Vec<(f64, bool, f64, u64)>> {
        proptest::collection::vec((-5.0..5.0f64, any::<bool>(), -2.0..2.0f64, 0..12u64), 30..90)
    }

    fn column<T: Copy>(rows: &[(f64, bool, f64, u64)], f: impl Fn(&(f64, bool, f64, u64)) -> T) -> Vec<T> {
        rows.iter().map(f).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// A regression on one arm is Welch's test: the same estimate and, with HC2, the same error.
        #[test]
        fn one_arm_is_welch(rows in rows()) {
            let y = column(&rows, |r| r.0);
            let t = column(&rows, |r| f64::from(u8::from(r.1)));
            let arms = [false, true].map(|arm| {
                let own: Vec<f64> = rows.iter().filter(|r| r.1 == arm).map(|r| r.0).collect();
                Moments::of(&own).unwrap()
            });
            prop_assume!(arms.iter().all(|a| a.n() > 2));
            let welch = welch(&arms[0], &arms[1], Level::P95).unwrap();
            let ours = Regression::fit(&y, &[&t]).unwrap().covariance(Errors::Hc2).unwrap().estimate(1).unwrap();
            prop_assert!((ours.value() - welch.estimate).abs() < 1e-12);
            prop_assert!((ours.se() / welch.se - 1.0).abs() < 1e-12);
        }

        /// Clusters of one row are no clusters; order of rows and names of clusters do not matter; a unit of
        /// measure is only a unit; a far origin costs no digits.
        #[test]
        fn clusters_of_one_are_white(rows in rows(), scale in 0.01..100.0f64) {
            let (y, x) = (column(&rows, |r| r.0), column(&rows, |r| r.2));
            let t = column(&rows, |r| f64::from(u8::from(r.1)));
            prop_assume!(t.iter().sum::<f64>() > 3.0 && t.iter().sum::<f64>() < t.len() as f64 - 3.0);
            let fit = Regression::fit(&y, &[&t, &x]).unwrap();
            let single: Vec<u64> = (0..rows.len() as u64).collect();
            for (white, correction) in [(Errors::Hc0, Correction::None), (Errors::Hc2, Correction::Cr2)] {
                let a = fit.covariance(white).unwrap();
                let b = fit.covariance(Errors::Clustered { clusters: &single, correction }).unwrap();
                for i in 0..3 {
                    prop_assert!((a.se(i).unwrap() / b.se(i).unwrap() - 1.0).abs() < 1e-9);
                }
            }
            let far: Vec<f64> = x.iter().map(|x| 1e6 + x * scale).collect();
            let clusters = column(&rows, |r| r.3);
            prop_assume!(clusters.iter().collect::<std::collections::BTreeSet<_>>().len() > 4);
            let errors = |correction| Errors::Clustered { clusters: &clusters, correction };
            let moved = Regression::fit(&y, &[&t, &far]).unwrap();
            for correction in [Correction::Hc1, Correction::Cr2] {
                let (a, b) = (fit.covariance(errors(correction)).unwrap(), moved.covariance(errors(correction)).unwrap());
                prop_assert!((a.se(1).unwrap() / b.se(1).unwrap() - 1.0).abs() < 1e-6);
                prop_assert!((a.df(1).unwrap() / b.df(1).unwrap() - 1.0).abs() < 1e-6);
                prop_assert!((a.se(2).unwrap() / (scale * b.se(2).unwrap()) - 1.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn what_others_explain_is_dropped_and_said() {
        let t: Vec<f64> = (0..40).map(|i| f64::from(i % 2)).collect();
        let x: Vec<f64> = (0..40).map(|i| f64::from((i * i) % 17)).collect();
        let both: Vec<f64> = t.iter().zip(&x).map(|(t, x)| 3.0 - t + 2.0 * x).collect();
        let y: Vec<f64> = (0..40).map(|i| f64::from((i * 7) % 11)).collect();
        let fit = Regression::fit(&y, &[&t, &vec![0.1; 40], &x, &both]).unwrap();
        assert_eq!(fit.dropped(), [1, 3]);
        let without = Regression::fit(&y, &[&t, &x]).unwrap();
        assert_eq!(fit.coefficients(), without.coefficients());
        assert!(fit.covariance(Errors::Classical).unwrap().estimate(3).is_err());
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let message = |refusal: Refusal| refusal.to_string();
        assert_eq!(
            message(Regression::fit(&[1.0, 2.0], &[&[0.0, 1.0]]).unwrap_err()),
            "too little data: `2` rows, this method needs `3`"
        );
        assert_eq!(
            message(Regression::fit(&[1.0, 2.0], &[&[0.0]]).unwrap_err()),
            "`1` values of a regressor do not fit `2` outcomes"
        );
        assert!(matches!(Regression::fit(&[1.0, f64::NAN], &[]), Err(Refusal::NotFinite { .. })));
        // One treated row: HC2 knows nothing of its variance.
        let fit = Regression::fit(&[1.0, 2.0, 4.0, 3.0], &[&[0.0, 0.0, 0.0, 1.0]]).unwrap();
        assert!(matches!(fit.covariance(Errors::Hc2), Err(Refusal::TooFew { .. })));
        let clusters = [7; 4];
        let errors = Errors::Clustered { clusters: &clusters, correction: Correction::Hc1 };
        assert_eq!(
            message(fit.covariance(errors).unwrap_err()),
            "too little data: `1` clusters, this method needs `2`"
        );
        assert!(matches!(lin(&[1.0, 2.0, 3.0], &[true; 3], &[]), Err(Refusal::TooLittle { .. })));
    }
}
