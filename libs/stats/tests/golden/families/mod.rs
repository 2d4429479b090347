//! Which function of this room answers which reference function.

mod adjusted;
mod bayesian;
mod comparison;
mod group_sequential;
mod means;
mod planning;
mod proportions;
mod rank;
mod regression;
mod sequential;

use crate::case::{Case, Check};

/// All families.
pub(crate) const OFFERED: &[(&str, Check)] = &[
    ("distributions", comparison::distributions),
    ("two_proportion", proportions::two_proportion),
    ("t_test", means::t_test),
    ("gbstats_frequentist", means::gbstats),
    ("tea_tasting_mean", means::tea_tasting_mean),
    ("non_inferiority", means::non_inferiority),
    ("rate_comparison", proportions::rate_comparison),
    ("mann_whitney", rank::mann_whitney_family),
    ("multiplicity", rank::multiplicity),
    ("power_non_inferiority", planning::power_non_inferiority),
    ("srm", proportions::srm),
    ("srm_sequential", sequential::srm_sequential),
    ("asymptotic_cs", sequential::asymptotic_cs),
    ("confidence_sequence", sequential::confidence_sequence),
    ("msprt", sequential::msprt),
    ("power_sample_size", planning::power_sample_size),
    ("bayesian", bayesian::bayesian),
    ("group_sequential_bounds", group_sequential::bounds),
    ("group_sequential_gsdesign", group_sequential::gsdesign),
    ("group_sequential_futility", group_sequential::futility),
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

/// A function that is not known: nothing is looked at, and the account of the case says so.
fn other(_case: &Case<'_>) {}
