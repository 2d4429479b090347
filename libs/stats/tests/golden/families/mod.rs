//! Which function of this room answers which reference function, and what is not offered yet.

mod adjusted;
mod comparison;
mod regression;
mod sequential;

use crate::case::{Case, Check};

/// Families with at least one function that this room offers.
pub(crate) const OFFERED: &[(&str, Check)] = &[
    ("distributions", comparison::distributions),
    ("two_proportion", comparison::two_proportion),
    ("t_test", comparison::t_test),
    ("gbstats_frequentist", comparison::gbstats),
    ("srm", comparison::srm),
    ("srm_sequential", sequential::srm_sequential),
    ("asymptotic_cs", sequential::asymptotic_cs),
    ("confidence_sequence", sequential::confidence_sequence),
    ("msprt", sequential::msprt),
    ("power_sample_size", comparison::power_sample_size),
    ("ratio_delta", adjusted::ratio_delta),
    ("cuped", adjusted::cuped),
    ("cuped_ratio", adjusted::cuped_ratio),
    ("post_stratification", adjusted::post_stratification),
    ("winsorized", adjusted::winsorized),
    ("quantile", adjusted::quantile),
    ("bootstrap", adjusted::bootstrap),
    ("cluster_robust", regression::cluster_robust),
    ("hac", regression::hac),
];

/// Reference functions, by family, without a counterpart in this room.
const NOT_OFFERED: &[&str] = &[
    // distributions: the noncentral t.
    "nct",
    // two_proportion: continuity correction, G, exact tests.
    "Proportion norm",
    "Proportion log-likelihood",
    "Proportion pearson",
    "Proportion fisher",
    // srm: exact binomial.
    "SampleRatio",
    // confidence_sequence: other mixtures than the normal.
    "bernoulli_confidence_interval",
    "gamma_exponential_mixture_bound",
    "poly_stitching_bound",
    // power_sample_size: noncentral t, noncentral F, a planner with the baseline variance in both arms.
    "power.t.test",
    "pwr.t2n.test",
    "SampleSize.binomial",
    "FTestAnovaPower",
    "Mean.solve_power",
];

fn other(case: &Case<'_>) {
    if NOT_OFFERED.contains(&case.function()) {
        case.not_offered();
    }
    // Otherwise nothing was looked at, and the account says so.
}
