//! Adjusted p-values.

use crate::{Level, Refusal};
use serde::{Deserialize, Serialize};

/// How p-values of several tests are adjusted. Reject where the adjusted p-value is at most `alpha`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// `m·p`. Family-wise error, whatever the dependence.
    Bonferroni,
    /// `1 - (1 - p)^m`. Family-wise error for independent or positively dependent (normal) tests.
    Sidak,
    /// Bonferroni step by step from the smallest (Holm 1979). Family-wise error, whatever the
    /// dependence; never rejects less than Bonferroni.
    Holm,
    /// Šidák step by step from the smallest.
    HolmSidak,
    /// Step by step from the largest (Hochberg 1988, also called Simes-Hochberg). Family-wise error
    /// where Simes' inequality holds: independence or positive dependence.
    Hochberg,
    /// Simes' test of every intersection (Hommel 1988). As Hochberg, and never rejects less.
    Hommel,
    /// False-discovery rate for independent or positively dependent tests (Benjamini and Hochberg 1995).
    BenjaminiHochberg,
    /// False-discovery rate whatever the dependence (Benjamini and Yekutieli 2001).
    BenjaminiYekutieli,
    /// Benjamini-Hochberg with the number of true nulls estimated in a first stage at the level given.
    /// Its adjusted values are for a decision at that level only. The false-discovery rate may exceed
    /// it; [`Adjustment::TwoStage`] does not.
    TwoStageBenjaminiHochberg(Level),
    /// The two-stage procedure of Benjamini, Krieger and Yekutieli (2006), with the first stage at
    /// `alpha/(1 + alpha)`: false-discovery rate for independent tests.
    TwoStage(Level),
}

/// Adjusts p-values; the answer has the order of the input, each value within 0 to 1.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a p-value outside of 0 to 1.
///
/// ```
/// use bellwether_stats::multiplicity::{Adjustment, adjust};
/// let holm = adjust(&[0.01, 0.04, 0.03], Adjustment::Holm).unwrap();
/// assert_eq!(holm, [0.03, 0.06, 0.06]);
/// ```
pub fn adjust(p: &[f64], by: Adjustment) -> Result<Vec<f64>, Refusal> {
    if let Some(bad) = p.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(Refusal::out_of_range("a p-value", "from 0 to 1", bad));
    }
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| value(p, a).total_cmp(&value(p, b)));
    let sorted: Vec<f64> = order.iter().map(|&i| value(p, i)).collect();
    let adjusted = in_order(&sorted, by);
    let mut answer = vec![1.0; p.len()];
    for (&place, adjusted) in order.iter().zip(adjusted) {
        if let Some(slot) = answer.get_mut(place) {
            *slot = adjusted.min(1.0);
        }
    }
    Ok(answer)
}

fn value(p: &[f64], i: usize) -> f64 {
    p.get(i).copied().unwrap_or(1.0)
}

/// Of sorted p-values.
fn in_order(p: &[f64], by: Adjustment) -> Vec<f64> {
    let m = p.len() as f64;
    // `f` of each p-value and its rank from 1.
    let each = |f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
        p.iter().enumerate().map(|(i, &p)| f(p, i as f64 + 1.0)).collect()
    };
    match by {
        Adjustment::Bonferroni => each(&|p, _| m * p),
        Adjustment::Sidak => each(&|p, _| sidak(p, m)),
        Adjustment::Holm => rising(each(&|p, rank| (m - rank + 1.0) * p)),
        Adjustment::HolmSidak => rising(each(&|p, rank| sidak(p, m - rank + 1.0))),
        Adjustment::Hochberg => falling(each(&|p, rank| (m - rank + 1.0) * p)),
        Adjustment::Hommel => hommel(p),
        Adjustment::BenjaminiHochberg => falling(each(&|p, rank| m / rank * p)),
        Adjustment::BenjaminiYekutieli => {
            let harmonic: f64 = (1..=p.len()).map(|k| 1.0 / k as f64).sum();
            falling(each(&|p, rank| harmonic * (m / rank) * p))
        }
        Adjustment::TwoStageBenjaminiHochberg(level) => two_stage(p, level.alpha(), 1.0),
        Adjustment::TwoStage(level) => {
            let factor = 1.0 + level.alpha();
            two_stage(p, level.alpha() / factor, factor)
        }
    }
}

/// `1 - (1 - p)^m` without losing a small `p`.
fn sidak(p: f64, m: f64) -> f64 {
    -(m * (-p).ln_1p()).exp_m1()
}

/// The running maximum from the smallest p-value on.
fn rising(mut values: Vec<f64>) -> Vec<f64> {
    let mut largest = 0.0f64;
    for value in &mut values {
        largest = largest.max(*value);
        *value = largest;
    }
    values
}

/// The running minimum from the largest p-value down.
fn falling(mut values: Vec<f64>) -> Vec<f64> {
    let mut smallest = f64::INFINITY;
    for value in values.iter_mut().rev() {
        smallest = smallest.min(*value);
        *value = smallest;
    }
    values
}

/// For each hypothesis the largest Simes p-value of any set that holds it. Of all sets of `j` the hardest to reject is the
/// hypothesis itself with the `j - 1` largest p-values: `min(j p, s_j)`, where `s_j` is Simes' of the `j` largest. The one
/// rises with `j` and the other falls, so that the largest is where they cross, which is searched by halves (as the jumps
/// of Meijer, Krebs and Goeman 2019): all of it in `m ln m` steps.
fn hommel(p: &[f64]) -> Vec<f64> {
    let simes = simes_of_largest(p);
    let of = |j: usize| simes.get(j).copied().unwrap_or(0.0);
    p.iter()
        .map(|&p| {
            // The last j at which j p is the smaller one; at j = 0 it is zero.
            let (mut below, mut above) = (0, simes.len());
            while above - below > 1 {
                let j = below + (above - below) / 2;
                if j as f64 * p <= of(j) { below = j } else { above = j }
            }
            (below as f64 * p).max(of(above))
        })
        .collect()
}

/// At place `j` Simes' p-value of the `j` largest of sorted p-values, `j min_k p_(m-j+k)/k`; infinite at 0.
///
/// `p_(t)/(t - (m - j))` is the slope from `(m - j, 0)` to a point `(t, p_(t))` to the right of it: the smallest one touches the
/// lower hull of those points, to which each larger `j` adds one at its left.
fn simes_of_largest(p: &[f64]) -> Vec<f64> {
    let m = p.len();
    // The hull, its leftmost point last.
    let mut hull: Vec<(f64, f64)> = Vec::new();
    let mut simes = Vec::with_capacity(m + 1);
    let mut least = f64::INFINITY;
    simes.push(least);
    for (j, &new) in (1..=m).zip(p.iter().rev()) {
        let from = (m - j) as f64;
        let new = (from + 1.0, new);
        while let [.., far, near] = hull.as_slice() {
            // Whether `near` lies below the line from the new point to `far`.
            if (near.1 - new.1) * (far.0 - new.0) < (far.1 - new.1) * (near.0 - new.0) {
                break;
            }
            hull.pop();
        }
        hull.push(new);
        let slope = |at: usize| hull.get(at).map_or(f64::INFINITY, |(t, p)| p / (t - from));
        // From the right the slopes fall to the point that is touched, and rise after it.
        let (mut low, mut high) = (0, hull.len() - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if slope(middle) > slope(middle + 1) { low = middle + 1 } else { high = middle }
        }
        // It falls with j, but for rounding.
        least = least.min(hull.get(low).map_or(least, |(t, p)| j as f64 * p / (t - from)));
        simes.push(least);
    }
    simes
}

fn two_stage(p: &[f64], alpha: f64, factor: f64) -> Vec<f64> {
    let adjusted = in_order(p, Adjustment::BenjaminiHochberg);
    let rejected = adjusted.iter().filter(|p| **p <= alpha).count();
    let left = if rejected == p.len() { p.len() } else { p.len() - rejected };
    let share = left as f64 / p.len().max(1) as f64;
    adjusted.into_iter().map(|p| factor * share * p).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec(0.0..1.0f64, 1..9)
    }

    /// Closed testing by brute force: the largest p-value of any intersection that holds the hypothesis.
    fn closed(p: &[f64], of_set: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        (0..p.len())
            .map(|i| {
                (1u32..1 << p.len())
                    .filter(|set| set >> i & 1 == 1)
                    .map(|set| {
                        let members: Vec<f64> =
                            (0..p.len()).filter(|j| set >> j & 1 == 1).map(|j| p[j]).collect();
                        of_set(&members)
                    })
                    .fold(0.0, f64::max)
                    .min(1.0)
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn holm_is_closed_bonferroni_and_hommel_closed_simes(p in values()) {
            let bonferroni = |set: &[f64]| set.len() as f64 * set.iter().copied().fold(1.0, f64::min);
            let simes = |set: &[f64]| {
                let mut set = set.to_vec();
                set.sort_by(f64::total_cmp);
                set.iter().enumerate().map(|(i, p)| set.len() as f64 * p / (i + 1) as f64).fold(1.0, f64::min)
            };
            for (by, expected) in [(Adjustment::Holm, closed(&p, bonferroni)), (Adjustment::Hommel, closed(&p, simes))] {
                for (ours, theirs) in adjust(&p, by).unwrap().iter().zip(&expected) {
                    prop_assert!((ours - theirs).abs() < 1e-12, "{by:?} {p:?} {ours} {theirs}");
                }
            }
        }

        #[test]
        fn the_order_of_strictness(p in values()) {
            let of = |by| adjust(&p, by).unwrap();
            let chain = [
                of(Adjustment::Bonferroni), of(Adjustment::Holm), of(Adjustment::Hochberg), of(Adjustment::Hommel),
                of(Adjustment::BenjaminiHochberg), p.clone(),
            ];
            for pair in chain.windows(2) {
                for (stricter, other) in pair[0].iter().zip(&pair[1]) {
                    prop_assert!(stricter >= &(other - 1e-14), "{p:?} {chain:?}");
                }
            }
        }

        #[test]
        fn the_order_of_the_input_does_not_matter(p in values()) {
            let reversed: Vec<f64> = p.iter().rev().copied().collect();
            for by in [Adjustment::Hommel, Adjustment::BenjaminiYekutieli, Adjustment::TwoStage(Level::P95)] {
                let mut back = adjust(&reversed, by).unwrap();
                back.reverse();
                prop_assert_eq!(adjust(&p, by).unwrap(), back);
            }
        }
    }

    #[test]
    fn what_is_no_p_value_is_refused() {
        let check = |p: &[f64]| adjust(p, Adjustment::Holm).unwrap_err().to_string();
        assert_eq!(check(&[0.1, 1.5]), "a p-value must lie from 0 to 1: `1.5`");
        assert_eq!(check(&[f64::NAN]), "a p-value must lie from 0 to 1: `NaN`");
        assert_eq!(adjust(&[], Adjustment::Hommel), Ok(vec![]));
        // Tiny values keep their digits, where 1 - (1 - p)^m would lose them.
        let sidak = adjust(&[1e-300, 0.5], Adjustment::Sidak).unwrap();
        assert!((sidak[0] / 2e-300 - 1.0).abs() < 1e-12);
    }
}
