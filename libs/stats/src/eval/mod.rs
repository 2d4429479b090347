//! Evals of models: the same items scored under several configurations.
//!
//! - [`mean`], [`clustered_mean`], [`two_level`]: one configuration, with the error that its items justify.
//! - [`paired`], [`paired_clustered`], [`mcnemar`], [`sign_flip`]: two configurations on the same items.
//! - [`pass_at_k`], [`pass_hat_k`], [`flip_rate`]: repeats.
//! - [`verdict_flips`], [`quarantine`]: whether the suite's verdict stands, and which items are flaky.
//! - [`rogan_gladen`], [`prediction_powered`], [`kappa`]: what a judge that errs says of the truth.
//!
//! Miller (2024, arXiv 2411.00640) has most of it. Scores are numbers; a pass is 1 and a failure 0.

mod flips;
mod judge;
mod paired;
mod repeats;

pub use flips::{Flaky, Quarantine, Reruns, quarantine, verdict_flips};
pub use judge::{TrueRate, kappa, prediction_powered, rogan_gladen};
pub use paired::{Paired, mcnemar, paired, paired_clustered, sign_flip, sign_test};
pub use repeats::{TwoLevel, flip_rate, pass_at_k, pass_hat_k, two_level};

use crate::joint::same_length;
use crate::{Caution, Estimate, Method, Moments, Refusal};
use std::collections::BTreeMap;

/// The mean score of independent items, with t and `n - 1` degrees of freedom.
///
/// Where the scores are skewed more than 30 passes of many items are, it comes with a [`Caution::FewUnits`]: of a rate near 0 or 1 read
/// Wilson's interval ([`wilson`](crate::wilson)).
///
/// # Errors
/// [`Refusal::TooFew`] below two items, [`Refusal::NoVariance`] where all scores are the same.
pub fn mean(scores: &[f64]) -> Result<Estimate, Refusal> {
    Ok(of_moments(&Moments::of(scores)?, Method::PairedT)?.with_caution(Caution::of_mean(scores)))
}

fn of_moments(scores: &Moments, method: Method) -> Result<Estimate, Refusal> {
    let (Some(mean), Some(variance)) = (scores.mean(), scores.variance()) else {
        return Err(Refusal::too_few("items", scores.n(), 2));
    };
    let n = scores.n() as f64;
    Estimate::new(mean, (variance / n).sqrt(), Some(n - 1.0), method)
}

/// The mean score of items in clusters (questions about one text, items of one author), which depend on each other.
///
/// `(C - 1)/C Σ_c (Σ_{i∈c} (s_i - s̄)/(n - n_c))²`, which is the jackknife by cluster (CV3: MacKinnon, Nielsen and Webb 2023) and, with
/// clusters of one size, `C/(C - 1)` times Miller's (2024); t with one degree of freedom less than they are worth, `n²/Σ n_c²`. With fewer
/// than some 30 clusters the interval may be too narrow; the bootstrap of clusters is no better there. Below 40 of like size it comes
/// with a [`Caution::FewClusters`], and from there on with a [`Caution::FewUnits`] where what their sums are off the mean by is too
/// skewed, as in [`mean`].
///
/// # Errors
/// [`Refusal::LengthsDiffer`], [`Refusal::TooFew`] below two clusters or where one is so large that they are worth less than two, [`Refusal::NoVariance`] where clusters do not
/// differ.
///
/// ```
/// use bellwether_stats::eval::{clustered_mean, mean};
/// let scores = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
/// let clustered = clustered_mean(&scores, &[1, 1, 1, 2, 2, 2, 3, 3, 3]).unwrap();
/// assert!(clustered.se() > 1.5 * mean(&scores).unwrap().se());
/// ```
pub fn clustered_mean(scores: &[f64], clusters: &[u64]) -> Result<Estimate, Refusal> {
    same_length("clusters", clusters.len(), "scores", scores.len())?;
    let all = Moments::of(scores)?;
    let centre = all.mean().unwrap_or(0.0);
    // The sum of what is off the mean, and the size, of each cluster.
    let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for (cluster, score) in clusters.iter().zip(scores) {
        let (sum, size) = sums.entry(*cluster).or_default();
        *sum += score - centre;
        *size += 1.0;
    }
    let c = sums.len() as f64;
    if sums.len() < 2 {
        return Err(Refusal::too_few("clusters", sums.len() as u64, 2));
    }
    let n = scores.len() as f64;
    let worth = n * n / sums.values().map(|(_, size)| size * size).sum::<f64>();
    // A whole number may come out a little below itself.
    if worth < 2.0 - 1e-9 {
        return Err(Refusal::too_few("clusters of like size, as these are worth", 1, 2));
    }
    let variance = (c - 1.0) / c * sums.values().map(|(sum, size)| (sum / (n - size)).powi(2)).sum::<f64>();
    let estimate = Estimate::new(centre, variance.sqrt(), Some(worth - 1.0), Method::MeanClustered)?;
    let off: Vec<f64> = sums.values().map(|(sum, _)| *sum).collect();
    Ok(estimate.with_caution(Caution::of_worth_in_clusters(worth).or(Caution::of_mean(&off))))
}
