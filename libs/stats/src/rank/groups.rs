//! Several groups at once: by rank (Kruskal and Wallis), and by their spread (Brown and Forsythe).

use super::finite;
use crate::comparison::probability;
use crate::special::{chi_squared, fisher_f};
use crate::{Method, Moments, Refusal, Test};
use serde::{Deserialize, Serialize};

/// The outcome of an F test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FTest {
    /// F: the variance between groups over that within.
    pub statistic: f64,
    /// Groups less one.
    pub df_between: f64,
    /// Values less groups.
    pub df_within: f64,
    /// p-value. Below `2.2e-308` it is reported as that number; see `ln_p`.
    pub p: f64,
    /// Its natural logarithm.
    pub ln_p: f64,
    /// How the test was made.
    pub method: Method,
}

fn check(groups: &[&[f64]]) -> Result<(), Refusal> {
    if groups.len() < 2 {
        return Err(Refusal::out_of_range("the number of groups", "at 2 or above", groups.len()));
    }
    for group in groups {
        if group.is_empty() {
            return Err(Refusal::out_of_range("the values of a group", "at 1 or above", 0));
        }
        finite(group)?;
    }
    Ok(())
}

/// Kruskal and Wallis' rank test (1952) of "all groups have the same distribution", corrected for ties: χ²
/// with a degree of freedom less than there are groups. Good from some five values a group on.
///
/// # Errors
/// [`Refusal::OutOfRange`] for fewer than two groups, an empty one, or a value that is not finite;
/// [`Refusal::NoVariance`] where all values are the same.
pub fn kruskal_wallis(groups: &[&[f64]]) -> Result<Test, Refusal> {
    check(groups)?;
    let mut values: Vec<(f64, usize)> =
        groups.iter().enumerate().flat_map(|(g, group)| group.iter().map(move |value| (*value, g))).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = values.len() as f64;
    let mut sums = vec![0.0; groups.len()];
    let mut ties = 0.0;
    let mut below = 0.0;
    for tied in values.chunk_by(|a, b| a.0 == b.0) {
        let size = tied.len() as f64;
        // Ranks around their mean, so that the sums do not cancel.
        let rank = below + (size + 1.0) / 2.0 - (n + 1.0) / 2.0;
        for (_, g) in tied {
            if let Some(sum) = sums.get_mut(*g) {
                *sum += rank;
            }
        }
        ties += size * (size - 1.0) * (size + 1.0);
        below += size;
    }
    let correction = 1.0 - ties / (n * (n - 1.0) * (n + 1.0));
    // The largest tie group of all makes this exactly zero.
    if correction <= 0.0 || n < 2.0 {
        return Err(Refusal::NoVariance);
    }
    let between: f64 = sums.iter().zip(groups).map(|(sum, group)| sum * sum / group.len() as f64).sum();
    let h = 12.0 / (n * (n + 1.0)) * between / correction;
    let df = groups.len() as f64 - 1.0;
    Test::new(h, Some(df), chi_squared::ln_sf(h, df), Method::KruskalWallis)
}

/// Brown and Forsythe's test (1974) of equal spread: an analysis of variance of the distances from the
/// median of each group (Levene's test around the median).
///
/// # Errors
/// [`Refusal::OutOfRange`] for fewer than two groups, an empty one, or a value that is not finite;
/// [`Refusal::NoVariance`] where no group has two different distances.
pub fn brown_forsythe(groups: &[&[f64]]) -> Result<FTest, Refusal> {
    check(groups)?;
    let mut distances = Vec::with_capacity(groups.len());
    for group in groups {
        let mut sorted = group.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let at = |i: usize| sorted.get(i).copied().unwrap_or(0.0);
        let median = if sorted.len() % 2 == 1 {
            at(middle)
        } else {
            at(middle - 1) + 0.5 * (at(middle) - at(middle - 1))
        };
        let mut moments = Moments::EMPTY;
        for value in *group {
            moments.push((value - median).abs())?;
        }
        distances.push(moments);
    }
    let all = distances.iter().fold(Moments::EMPTY, |all, group| all.merge(group));
    let within: f64 = distances.iter().map(Moments::squared_deviations).sum();
    let grand = all.mean().unwrap_or(0.0);
    let between: f64 = distances
        .iter()
        .map(|group| group.n() as f64 * (group.mean().unwrap_or(grand) - grand).powi(2))
        .sum();
    let df_between = groups.len() as f64 - 1.0;
    let df_within = all.n() as f64 - groups.len() as f64;
    if within == 0.0 || df_within <= 0.0 {
        return Err(Refusal::NoVariance);
    }
    let statistic = (between / df_between) / (within / df_within);
    let ln_p = fisher_f::ln_sf(statistic, df_between, df_within);
    if ln_p.is_nan() {
        return Err(Refusal::not_finite("test statistic"));
    }
    let method = Method::BrownForsythe;
    Ok(FTest { statistic, df_between, df_within, p: probability(ln_p), ln_p, method })
}
