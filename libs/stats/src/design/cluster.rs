//! Cluster-randomised experiments: schools, stores, cities are assigned, their users counted.

use crate::adjust::{self, Effect};
use crate::joint::same_length;
use crate::{Caution, JointMoments, Moments, Refusal};
use std::collections::BTreeMap;

/// The totals of each cluster of one arm, as moments of two columns: sum of the metric, and number of users.
///
/// # Errors
/// [`Refusal::LengthsDiffer`], and as [`JointMoments::of`].
pub fn totals(values: &[f64], clusters: &[u64]) -> Result<JointMoments, Refusal> {
    same_length("clusters", clusters.len(), "values", values.len())?;
    let mut totals: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for (cluster, value) in clusters.iter().zip(values) {
        let (sum, n) = totals.entry(*cluster).or_default();
        *sum += value;
        *n += 1.0;
    }
    let (sums, sizes): (Vec<f64>, Vec<f64>) = totals.into_values().unzip();
    JointMoments::of(&[&sums, &sizes])
}

/// The difference of means per user between arms whose clusters were assigned: the ratio of cluster totals by the delta
/// method, with the degrees of freedom of so many clusters (not users).
///
/// Right from some 20 clusters an arm of like size. With fewer, or where one cluster holds a large part of the users,
/// it errs more often than it says: [`MIN_CLUSTERS`] an arm are asked for; between those and 20 of like size in each arm it comes with a
/// [`Caution::FewClusters`], and one takes
/// [`Correction::Cr2`](crate::regression::Correction), or test by [`randomisation`](super::randomisation) of the clusters, which is exact.
///
/// # Errors
/// [`Refusal::TooLittle`] below [`MIN_CLUSTERS`] clusters an arm; as [`ratio`](adjust::ratio).
pub fn compare(control: &JointMoments, treatment: &JointMoments) -> Result<Effect, Refusal> {
    for (arm, totals) in [(crate::Arm::Control, control), (crate::Arm::Treatment, treatment)] {
        if totals.n() < MIN_CLUSTERS {
            return Err(Refusal::TooLittle { arm, have: totals.n(), need: MIN_CLUSTERS });
        }
    }
    let caution = Caution::of_worth_in_arms(clusters_worth(control), clusters_worth(treatment));
    Ok(adjust::ratio(control, treatment)?.with_caution(caution))
}

/// `(Σn)²/Σn²` of the sizes in the second column.
fn clusters_worth(totals: &JointMoments) -> f64 {
    let n = totals.n() as f64;
    let (mean, variance) = (totals.mean_or_zero(1), totals.cross_of(1, 1) / n);
    n * mean / (mean + variance / mean)
}

/// Clusters that each arm needs before a t distribution of cluster totals says anything.
pub const MIN_CLUSTERS: u64 = 5;

/// How alike users of a cluster are, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intraclass {
    /// Intraclass correlation by the analysis of variance; below zero where users of a cluster differ more than users at large.
    pub correlation: f64,
    /// Mean number of users of a cluster.
    pub mean_size: f64,
    /// Coefficient of variation of the clusters' sizes.
    pub cv: f64,
    /// `1 + ((1 + cv²) m̄ - 1)·ICC`: so many times the users are needed as without clusters. A correlation below zero counts as none:
    /// nobody plans on fewer users than without clusters.
    pub design_effect: f64,
}

/// The intraclass correlation of one arm, or of history.
///
/// # Errors
/// [`Refusal::LengthsDiffer`], [`Refusal::TooFew`] below two clusters or without a cluster of two, [`Refusal::NoVariance`].
///
/// ```
/// use bellwether_stats::design::cluster::intraclass;
/// let ours = intraclass(&[1.0, 1.1, 5.0, 5.1, 9.0, 9.1], &[1, 1, 2, 2, 3, 3]).unwrap();
/// assert!(ours.correlation > 0.99 && ours.design_effect > 1.99);
/// ```
pub fn intraclass(values: &[f64], clusters: &[u64]) -> Result<Intraclass, Refusal> {
    same_length("clusters", clusters.len(), "values", values.len())?;
    let mut groups: BTreeMap<u64, Moments> = BTreeMap::new();
    for (cluster, &value) in clusters.iter().zip(values) {
        groups.entry(*cluster).or_default().push(value)?;
    }
    let (g, n) = (groups.len() as f64, values.len() as f64);
    if groups.len() < 2 {
        return Err(Refusal::too_few("clusters", groups.len() as u64, 2));
    }
    if values.len() == groups.len() {
        return Err(Refusal::too_few("units in the largest cluster", 1, 2));
    }
    let whole = groups.values().fold(Moments::EMPTY, |all, group| all.merge(group));
    let within: f64 = groups.values().map(Moments::squared_deviations).sum();
    let between = (whole.squared_deviations() - within).max(0.0);
    let (mean_between, mean_within) = (between / (g - 1.0), within / (n - g));
    let squares: f64 = groups.values().map(|group| (group.n() as f64).powi(2)).sum();
    let usual_size = (n - squares / n) / (g - 1.0);
    let total = mean_between + (usual_size - 1.0) * mean_within;
    if total <= 0.0 {
        return Err(Refusal::NoVariance);
    }
    let mean_size = n / g;
    let cv = ((squares / g - mean_size * mean_size).max(0.0)).sqrt() / mean_size;
    let correlation = (mean_between - mean_within) / total;
    let design_effect = 1.0 + ((1.0 + cv * cv) * mean_size - 1.0) * correlation.max(0.0);
    Ok(Intraclass { correlation, mean_size, cv, design_effect })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::regression::{Correction, Errors, Regression};

    fn users(shift: f64, from: u64) -> (Vec<f64>, Vec<u64>) {
        (0..30u64)
            .flat_map(|c| {
                (0..3 + c % 5)
                    .map(move |u| (shift + ((c * c) % 13) as f64 + ((u * 7 + c) % 5) as f64, from + c))
            })
            .unzip()
    }

    /// Two routes to one number: the delta method on totals, and a regression on users with clustered errors.
    #[test]
    fn totals_are_the_clustered_regression() {
        let ((yc, cc), (yt, ct)) = (users(0.0, 0), users(1.0, 100));
        let ours = compare(&totals(&yc, &cc).unwrap(), &totals(&yt, &ct).unwrap()).unwrap().difference;
        let y = [yc.clone(), yt.clone()].concat();
        let clusters = [cc, ct].concat();
        let arm: Vec<f64> = (0..y.len()).map(|i| f64::from(u8::from(i >= yc.len()))).collect();
        let fit = Regression::fit(&y, &[&arm]).unwrap();
        let errors = Errors::Clustered { clusters: &clusters, correction: Correction::None };
        let theirs = fit.covariance(errors).unwrap().estimate(1).unwrap();
        assert!((ours.value() - theirs.value()).abs() < 1e-12);
        // 30 clusters an arm: the delta method divides by 29.
        assert!((ours.se() / theirs.se() - (30.0f64 / 29.0).sqrt()).abs() < 1e-9);
        assert!((50.0..=58.0).contains(&ours.df().unwrap()));
    }

    #[test]
    fn alike_clusters_cost_users() {
        let (y, c) = users(0.0, 0);
        let ours = intraclass(&y, &c).unwrap();
        assert!(ours.correlation > 0.7 && ours.design_effect > 3.0, "{ours:?}");
        // The same values dealt to other clusters: nothing in common.
        let dealt: Vec<u64> = (0..c.len() as u64).map(|i| (i * 37) % 30).collect();
        assert!(intraclass(&y, &dealt).unwrap().correlation.abs() < 0.2);
        // Clusters of one mean, and of unlike sizes: no fewer users than without them.
        let unlike: Vec<u64> = [1, 1, 2, 2].into_iter().chain([3; 40]).collect();
        let apart: Vec<f64> = (0..44u32).map(|i| f64::from(i % 2)).collect();
        let ours = intraclass(&apart, &unlike).unwrap();
        assert!(ours.correlation < -0.3 && ours.design_effect == 1.0, "{ours:?}");
        assert!(matches!(intraclass(&[1.0, 2.0], &[1, 1]), Err(Refusal::TooFew { .. })));
        assert!(matches!(intraclass(&[1.0, 2.0], &[1, 2]), Err(Refusal::TooFew { .. })));
        assert_eq!(intraclass(&[1.0; 4], &[1, 1, 2, 2]), Err(Refusal::NoVariance));
        let few = totals(&[1.0, 2.0, 3.0], &[1, 2, 3]).unwrap();
        assert_eq!(
            compare(&few, &few).unwrap_err().to_string(),
            "too little data: control has `3` of the `5` units that this test needs"
        );
    }
}
