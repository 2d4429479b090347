//! Errors of clusters: everything is a function of two small sums per cluster.

use super::{Correction, Regression};
use crate::Refusal;
use crate::linear::{Matrix, eigen, inner};
use std::collections::BTreeMap;

/// `X'X` and `X'u` of the rows of one cluster.
struct Cluster {
    products: Matrix,
    scores: Vec<f64>,
}

impl Regression {
    /// Covariance of the centred coefficients, and degrees of freedom (one, or one for each coefficient).
    pub(super) fn clustered(
        &self,
        clusters: &[u64],
        correction: Correction,
    ) -> Result<(Matrix, Vec<f64>), Refusal> {
        let groups = self.groups(clusters.iter().copied())?;
        let g = groups.len() as f64;
        let scale = match correction {
            Correction::None => 1.0,
            Correction::Groups => g / (g - 1.0),
            Correction::Hc1 => g / (g - 1.0) * (self.n() - 1.0) / (self.n() - self.k()),
            Correction::Cr2 => return Ok(self.bell_mccaffrey(&groups)),
        };
        let mut meat = Matrix::zero(self.bread.size());
        for cluster in &groups {
            meat.add_outer(&cluster.scores, &cluster.scores, scale);
        }
        Ok((self.sandwich(meat), vec![g - 1.0]))
    }

    /// Both ways less their intersection; degrees of freedom of the way with fewer clusters.
    pub(super) fn clustered_twice(&self, a: &[u64], b: &[u64]) -> Result<(Matrix, f64), Refusal> {
        let (by_a, df_a) = self.clustered(a, Correction::Hc1)?;
        let (by_b, df_b) = self.clustered(b, Correction::Hc1)?;
        let mut names = BTreeMap::new();
        let pairs: Vec<u64> = a
            .iter()
            .zip(b)
            .map(|pair| {
                let next = names.len() as u64;
                *names.entry(pair).or_insert(next)
            })
            .collect();
        let (by_both, _) = self.clustered(&pairs, Correction::Hc1)?;
        let df = df_a.iter().chain(&df_b).copied().fold(f64::INFINITY, f64::min);
        Ok((by_a.plus(&by_b, 1.0).plus(&by_both, -1.0), df))
    }

    fn groups<K: Ord>(&self, clusters: impl Iterator<Item = K>) -> Result<Vec<Cluster>, Refusal> {
        let size = self.bread.size();
        let mut groups: BTreeMap<K, Cluster> = BTreeMap::new();
        for (key, (row, residual)) in clusters.zip(self.rows.iter().zip(&self.residuals)) {
            let cluster = groups
                .entry(key)
                .or_insert_with(|| Cluster { products: Matrix::zero(size), scores: vec![0.0; size] });
            cluster.products.add_outer(row, row, 1.0);
            for (score, value) in cluster.scores.iter_mut().zip(row) {
                *score += value * residual;
            }
        }
        if groups.len() < 2 {
            return Err(Refusal::too_few("clusters", groups.len() as u64, 2));
        }
        Ok(groups.into_values().collect())
    }

    /// CR2. The matrix `I - H` of a cluster differs from `I` only in the few directions of the regressors, so
    /// that its root is known from an eigenproblem of the size of the coefficients, whatever the cluster's.
    fn bell_mccaffrey(&self, groups: &[Cluster]) -> (Matrix, Vec<f64>) {
        // Below this share a direction of a cluster has no residual left (a dummy of its own): it says nothing.
        const NOTHING_LEFT: f64 = 1e-10;
        let size = self.bread.size();
        let mut meat = Matrix::zero(size);
        // Maps by which a cluster's X'A differs from X', applied to what is in the regressors' directions.
        let mut adjusted = Vec::with_capacity(groups.len());
        for cluster in groups {
            // L⁻¹ X'X L'⁻¹ has the eigenvalues of H that are not zero.
            let half: Vec<Vec<f64>> = (0..size)
                .map(|j| {
                    let column: Vec<f64> = (0..size).map(|i| cluster.products.at(i, j)).collect();
                    self.root.forwards(&column)
                })
                .collect();
            let turned: Vec<Vec<f64>> = (0..size)
                .map(|i| {
                    let row: Vec<f64> = half.iter().map(|h| h.get(i).copied().unwrap_or(0.0)).collect();
                    self.root.forwards(&row)
                })
                .collect();
            let at = |i: usize, j: usize| turned.get(i).and_then(|r| r.get(j)).copied().unwrap_or(0.0);
            let symmetric = Matrix::of(size, |i, j| 0.5 * (at(i, j) + at(j, i)));
            // With U = X L'⁻¹ v/√λ: X'A u = X'u + Σ ((1-λ)^(-1/2) - 1) X'U U'u, and
            // X'U = √λ L v, U'u = v' L⁻¹ X'u / √λ.
            let directions: Vec<(f64, Vec<f64>, Vec<f64>)> = eigen(&symmetric)
                .into_iter()
                .map(|(lambda, v)| {
                    let left = 1.0 - lambda;
                    let change = if left > NOTHING_LEFT { left.sqrt().recip() - 1.0 } else { -1.0 };
                    let outwards = self.root.times(&v);
                    (change, outwards, self.root.backwards(&v))
                })
                .collect();
            let change = |vector: &[f64]| -> Vec<f64> {
                let mut changed = vector.to_vec();
                for (change, outwards, inwards) in &directions {
                    let along = change * inner(inwards, vector);
                    for (value, outwards) in changed.iter_mut().zip(outwards) {
                        *value += along * outwards;
                    }
                }
                changed
            };
            let scores = change(&cluster.scores);
            meat.add_outer(&scores, &scores, 1.0);
            // X'A X and X'A A X, as matrices of the size of the coefficients.
            let columns = |matrix: &Matrix| -> Vec<Vec<f64>> {
                (0..size).map(|j| change(&(0..size).map(|i| matrix.at(i, j)).collect::<Vec<_>>())).collect()
            };
            let of = |columns: Vec<Vec<f64>>| {
                Matrix::of(size, |i, j| columns.get(j).and_then(|c| c.get(i)).copied().unwrap_or(0.0))
            };
            let once = of(columns(&cluster.products));
            let twice = of(columns(&once));
            adjusted.push((once, twice));
        }
        let df = (0..size).map(|coefficient| self.satterthwaite(coefficient, &adjusted)).collect();
        (self.sandwich(meat), df)
    }

    /// `(Σ s)² / ΣΣ (p'q)²` over pairs of clusters, where the vectors p are what the estimated variance of
    /// the coefficient weighs the residuals with.
    fn satterthwaite(&self, coefficient: usize, adjusted: &[(Matrix, Matrix)]) -> f64 {
        let size = self.bread.size();
        // The row of the coefficient as it was given, in centred terms, through the bread.
        let contrast: Vec<f64> = (0..size).map(|j| self.to_given.at(coefficient, j)).collect();
        let weights = self.bread.applied(&contrast);
        let (mut expected, mut own) = (0.0, 0.0);
        let mut crossed = Matrix::zero(size);
        for (once, twice) in adjusted {
            let z = once.applied(&weights);
            let s = inner(&weights, &twice.applied(&weights));
            let back = inner(&z, &self.bread.applied(&z));
            expected += s - back;
            own += s * s - 2.0 * s * back;
            crossed.add_outer(&z, &z, 1.0);
        }
        let spread = self.bread.times(&crossed);
        expected * expected / (own + spread.times(&spread).trace())
    }
}
