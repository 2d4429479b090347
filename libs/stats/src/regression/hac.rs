//! Errors of a series: neighbours in time may depend on each other.

use super::Regression;
use crate::Refusal;
use crate::linear::{Matrix, inner};

/// Weights of the autocovariances by their distance in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kernel {
    /// Newey and West (1987): `1 - l/(L + 1)` up to the lag `L`. [`newey_west_lag`] is a usual choice.
    Bartlett {
        /// The largest lag that counts.
        lag: usize,
    },
    /// The quadratic spectral kernel with the bandwidth given, above zero.
    QuadraticSpectral {
        /// In steps of the series.
        bandwidth: f64,
    },
    /// The quadratic spectral kernel with the bandwidth of Andrews (1991), which a first-order
    /// autoregression of each regressor's scores gives; the intercept has no say. No prewhitening. As
    /// sandwich's `kernHAC(prewhite = FALSE)`.
    Andrews,
}

/// `⌊4 (n/100)^(2/9)⌋`, the lag of Newey and West (1994) without a pilot.
pub fn newey_west_lag(rows: usize) -> usize {
    // Small and not negative.
    (4.0 * (rows as f64 / 100.0).powf(2.0 / 9.0)).floor() as usize
}

impl Regression {
    /// The sum of weighted autocovariances of the scores `x·u`.
    pub(super) fn autocorrelated(&self, kernel: Kernel) -> Result<Matrix, Refusal> {
        let size = self.bread.size();
        let scores: Vec<Vec<f64>> = self
            .rows
            .iter()
            .zip(&self.residuals)
            .map(|(row, residual)| row.iter().map(|value| value * residual).collect())
            .collect();
        let weights = match kernel {
            Kernel::Bartlett { lag } => {
                let lag = lag.min(scores.len().saturating_sub(1));
                (0..=lag).map(|l| 1.0 - l as f64 / (lag as f64 + 1.0)).collect()
            }
            Kernel::QuadraticSpectral { bandwidth } => quadratic_spectral(bandwidth, scores.len())?,
            Kernel::Andrews => quadratic_spectral(self.andrews(), scores.len())?,
        };
        let mut meat = Matrix::zero(size);
        for (lag, weight) in weights.iter().enumerate() {
            for (early, late) in scores.iter().zip(scores.iter().skip(lag)) {
                meat.add_outer(early, late, *weight);
                if lag > 0 {
                    meat.add_outer(late, early, *weight);
                }
            }
        }
        Ok(meat)
    }

    /// The bandwidth, from the autocorrelation of the scores of the regressors as they were given.
    fn andrews(&self) -> f64 {
        let n = self.n();
        let size = self.bread.size();
        let (mut above, mut below) = (0.0, 0.0);
        // The intercept alone where there is nothing else.
        for column in usize::from(size > 1)..size {
            // In terms of the regressor as given: its centred value and its mean.
            let mean = -self.to_given.at(0, column) * f64::from(u8::from(column > 0));
            let series: Vec<f64> = self
                .rows
                .iter()
                .zip(&self.residuals)
                .map(|(row, u)| (row.get(column).copied().unwrap_or(0.0) + mean) * u)
                .collect();
            let (rho, variance) = autoregression(&series);
            let squared = variance * variance;
            above += 4.0 * rho * rho * squared / (1.0 - rho).powi(8);
            below += squared / (1.0 - rho).powi(4);
        }
        1.3221 * (n * above / below).powf(0.2)
    }
}

/// Slope and residual variance of a series on itself one step before, with an intercept.
fn autoregression(series: &[f64]) -> (f64, f64) {
    let centred = |values: &[f64]| -> Vec<f64> {
        let mean = super::mean(values);
        values.iter().map(|value| value - mean).collect()
    };
    let before = centred(series.split_last().map_or(&[], |(_, before)| before));
    let after = centred(series.split_first().map_or(&[], |(_, after)| after));
    let rho = inner(&before, &after) / inner(&before, &before);
    let squares: f64 = before.iter().zip(&after).map(|(b, a)| (a - rho * b) * (a - rho * b)).sum();
    (rho, squares / before.len() as f64)
}

fn quadratic_spectral(bandwidth: f64, rows: usize) -> Result<Vec<f64>, Refusal> {
    // What weighs less than this is left out, as sandwich does.
    const TOLERANCE: f64 = 1e-7;
    if !(bandwidth > 0.0 && bandwidth.is_finite()) {
        return Err(Refusal::out_of_range("a bandwidth", "above 0", bandwidth));
    }
    let weight = |lag: usize| {
        let x = lag as f64 / bandwidth;
        let y = 1.2 * core::f64::consts::PI * x;
        if x < 1e-4 { 1.0 } else { 3.0 / (y * y) * (y.sin() / y - y.cos()) }
    };
    let mut weights: Vec<f64> = (0..rows).map(weight).collect();
    let last = weights.iter().rposition(|weight| weight.abs() > TOLERANCE).unwrap_or(0);
    weights.truncate(last + 1);
    Ok(weights)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::{Errors, Regression};
    use super::*;

    /// Without lags a series is white; a regressor far from zero keeps Andrews' bandwidth (it is by the scores
    /// of the regressor as given).
    #[test]
    fn no_lag_is_white() {
        let y: Vec<f64> = (0..60).map(|i| f64::from((i * 13) % 17) + f64::from(i % 10)).collect();
        let t: Vec<f64> = (0..60).map(|i| f64::from((i / 5) % 2)).collect();
        let fit = Regression::fit(&y, &[&t]).unwrap();
        let hac = |kernel| fit.covariance(Errors::Hac { kernel, adjusted: false }).unwrap();
        let white = fit.covariance(Errors::Hc0).unwrap();
        let none = hac(Kernel::Bartlett { lag: 0 });
        assert!((white.se(1).unwrap() / none.se(1).unwrap() - 1.0).abs() < 1e-12);
        assert!(hac(Kernel::Bartlett { lag: 9 }).se(1) != none.se(1));
        assert_eq!(hac(Kernel::Bartlett { lag: 59 }), hac(Kernel::Bartlett { lag: 1_000 }));
        assert!(
            fit.covariance(Errors::Hac {
                kernel: Kernel::QuadraticSpectral { bandwidth: 0.0 },
                adjusted: true
            })
            .is_err()
        );
        assert_eq!([1, 80, 100, 1_000].map(newey_west_lag), [1, 3, 4, 6]);
    }
}
