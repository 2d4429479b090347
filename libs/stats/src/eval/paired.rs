//! Two configurations on the same items.

use super::{clustered_mean, of_moments};
use crate::joint::same_length;
use crate::random::{Random, check_draws};
use crate::special::{binomial, normal};
use crate::{Caution, Estimate, JointMoments, Level, Method, Refusal, Test};

/// The difference of two configurations, item by item, and what pairing was worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Paired {
    /// Mean of `b - a`.
    pub difference: Estimate,
    /// Standard error had the items not been the same: always report the paired one.
    pub unpaired_se: f64,
    /// Correlation of the scores of an item; none where a configuration scores all items alike.
    pub correlation: Option<f64>,
}

impl Paired {
    /// The smallest difference that so many items see, with the power given at a two-sided error rate: 2.80 standard errors for 80 %
    /// at 95 %.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a power that is not between the error rate and 1.
    pub fn visible(&self, level: Level, power: f64) -> Result<f64, Refusal> {
        if !(power > level.alpha() && power < 1.0) {
            return Err(Refusal::out_of_range("a power", "between the error rate and 1", power));
        }
        let seen = (normal::quantile(power) - normal::quantile(level.alpha() / 2.0)) * self.difference.se();
        if seen.is_finite() { Ok(seen) } else { Err(Refusal::not_finite("smallest difference")) }
    }
}

/// The t test of paired differences of independent items: `sd(b - a)/√n`. Two intervals that overlap say nothing; this does. With a
/// [`Caution::FewUnits`] where the differences are too skewed, as in [`mean`](super::mean()): of passes and failures read [`mcnemar`].
///
/// # Errors
/// [`Refusal::LengthsDiffer`], [`Refusal::TooFew`] below two items, [`Refusal::NoVariance`] where every item has the same difference.
///
/// ```
/// use bellwether_stats::eval::paired;
/// let (a, b) = ([0.2, 0.5, 0.4, 0.9, 0.6], [0.3, 0.7, 0.5, 1.0, 0.8]);
/// let ours = paired(&a, &b).unwrap();
/// assert!(ours.difference.se() < 0.2 * ours.unpaired_se);
/// ```
pub fn paired(a: &[f64], b: &[f64]) -> Result<Paired, Refusal> {
    let both = scores(a, b)?;
    let difference = of_moments(&both.combination(0.0, &[-1.0, 1.0])?, Method::PairedT)?;
    Ok(beside(&both, difference.with_caution(Caution::of_mean(&differences(a, b)))))
}

/// The same for items in clusters: the clustered error of the mean difference, see [`clustered_mean`].
///
/// # Errors
/// As [`paired`] and [`clustered_mean`].
pub fn paired_clustered(a: &[f64], b: &[f64], clusters: &[u64]) -> Result<Paired, Refusal> {
    let both = scores(a, b)?;
    Ok(beside(&both, clustered_mean(&differences(a, b), clusters)?))
}

fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| b - a).collect()
}

fn scores(a: &[f64], b: &[f64]) -> Result<JointMoments, Refusal> {
    same_length("scores", b.len(), "scores of the other configuration", a.len())?;
    JointMoments::of(&[a, b])
}

fn beside(both: &JointMoments, difference: Estimate) -> Paired {
    let product = |i, j| both.covariance(i, j).unwrap_or(f64::NAN);
    let (a, b) = (product(0, 0), product(1, 1));
    let correlation = product(0, 1) / (a.sqrt() * b.sqrt());
    Paired {
        difference,
        unpaired_se: ((a + b) / both.n() as f64).sqrt(),
        correlation: correlation.is_finite().then_some(correlation),
    }
}

/// McNemar's test, exact: of the items on which the configurations differ, `only_b` are passed by the second alone. Two-sided
/// binomial with one half.
///
/// # Errors
/// [`Refusal::TooFew`] where they differ on no item.
///
/// ```
/// use bellwether_stats::eval::mcnemar;
/// // GSM8K: 6b_verification against 175b_finetuning. Their intervals overlap.
/// assert!((mcnemar(152, 209).unwrap().p - 0.0031507).abs() < 1e-7);
/// ```
pub fn mcnemar(only_b: u64, only_a: u64) -> Result<Test, Refusal> {
    exact_half(only_b, only_a, "items that differ", Method::McNemarExact)
}

/// The exact sign test: how many differences are above zero, and how many below; ties do not count.
///
/// # Errors
/// [`Refusal::TooFew`] where all are tied.
pub fn sign_test(above: u64, below: u64) -> Result<Test, Refusal> {
    exact_half(above, below, "differences other than zero", Method::Sign)
}

fn exact_half(above: u64, below: u64, what: &str, method: Method) -> Result<Test, Refusal> {
    // Also where no `u64` counts them.
    let n = above as f64 + below as f64;
    if n == 0.0 {
        return Err(Refusal::too_few(what, 0, 1));
    }
    let fewer = above.min(below) as f64;
    let ln_p = core::f64::consts::LN_2 + binomial::ln_cdf(fewer, n, 0.5);
    let statistic = (above as f64 - below as f64) / n.sqrt();
    Test::new(statistic, None, if above == below { 0.0 } else { ln_p }, method)
}

/// The permutation test of paired scores: each item's two scores are exchanged by a coin. All `2^n` exchanges where there are at most 20
/// items that differ, else `draws` of them and `p = (1 + #)/(draws + 1)`.
///
/// Exact for "both configurations are alike on every item", without a distribution of the scores.
///
/// # Errors
/// [`Refusal::LengthsDiffer`], [`Refusal::TooFew`] where no item differs or below 99 draws, [`Refusal::OutOfRange`] above 10 million.
pub fn sign_flip(a: &[f64], b: &[f64], draws: u64, seed: u64) -> Result<Test, Refusal> {
    const ALL: usize = 20;
    same_length("scores", b.len(), "scores of the other configuration", a.len())?;
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).filter(|d| *d != 0.0).collect();
    if let Some(wrong) = differences.iter().find(|d| !d.is_finite()) {
        return Err(Refusal::out_of_range("a difference of scores", "among the finite numbers", wrong));
    }
    if differences.is_empty() {
        return Err(Refusal::too_few("items that differ", 0, 1));
    }
    let observed: f64 = differences.iter().sum();
    // Sums in another order differ in their last digits, which must not break a tie.
    let far = observed.abs() - 1e-12 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let as_far = |signs: &mut dyn FnMut() -> bool| {
        differences.iter().map(|d| if signs() { *d } else { -*d }).sum::<f64>().abs() >= far
    };
    let p = if differences.len() <= ALL {
        let all = 1u64 << differences.len();
        let count = (0..all)
            .filter(|&exchange| {
                let mut bits = exchange;
                as_far(&mut || {
                    let bit = bits & 1 == 1;
                    bits >>= 1;
                    bit
                })
            })
            .count();
        count as f64 / all as f64
    } else {
        check_draws(draws, 99)?;
        let count = (0..draws)
            .filter(|&draw| {
                let mut random = Random::new(seed, draw);
                as_far(&mut || random.coin())
            })
            .count();
        (1.0 + count as f64) / (1.0 + draws as f64)
    };
    Test::new(observed / a.len() as f64, None, p.ln(), Method::Randomisation)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::Alternative;
    use proptest::prelude::*;

    /// Items of a pair of configurations by what they passed: both, only the second, only the first, none.
    fn items(both: usize, only_b: usize, only_a: usize, n: usize) -> (Vec<f64>, Vec<f64>) {
        let neither = n - both - only_b - only_a;
        let list =
            |parts: [(f64, usize); 4]| parts.iter().flat_map(|(v, k)| std::iter::repeat_n(*v, *k)).collect();
        (
            list([(1.0, both), (0.0, only_b), (1.0, only_a), (0.0, neither)]),
            list([(1.0, both), (1.0, only_b), (0.0, only_a), (0.0, neither)]),
        )
    }

    /// The published runs of GSM8K (`example_model_solutions.jsonl`, 1,319 items): passes of A, only B, only A, then the difference,
    /// paired and unpaired errors and the detectable effects in points, and McNemar's p.
    #[test]
    fn gsm8k() {
        for (a, only_b, only_a, difference, se, unpaired, rho, p, seen) in [
            (286, 293, 64, 17.36, 1.35, 1.76, 0.42, 3.93e-36, 3.78),
            (515, 152, 209, -4.32, 1.44, 1.88, 0.42, 0.003_150_7, 4.02),
            (458, 360, 76, 21.53, 1.47, 1.89, 0.40, 2.89e-45, 4.11),
            (515, 306, 79, 17.21, 1.41, 1.92, 0.46, 1.24e-32, 3.95),
        ] {
            let (a, b) = items(a - only_a, only_b, only_a, 1_319);
            let ours = paired(&a, &b).unwrap();
            let points = |x: f64| 100.0 * x;
            assert!((points(ours.difference.value()) - difference).abs() < 0.005);
            assert!((points(ours.difference.se()) - se).abs() < 0.01, "{}", ours.difference.se());
            assert!((points(ours.unpaired_se) - unpaired).abs() < 0.01);
            assert!((ours.correlation.unwrap() - rho).abs() < 0.01);
            assert!((points(ours.visible(Level::P95, 0.8).unwrap()) - seen).abs() < 0.02);
            let exact = mcnemar(only_b as u64, only_a as u64).unwrap();
            assert!((exact.p / p - 1.0).abs() < 0.005, "{}", exact.p);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Of zeros and ones the exchange of scores is McNemar's test.
        #[test]
        fn exchanges_of_passes_are_mcnemar(only_b in 0..9usize, only_a in 0..9usize, both in 0..5usize) {
            prop_assume!(only_a + only_b > 0);
            let (a, b) = items(both, only_b, only_a, both + only_a + only_b + 3);
            let (flip, exact) = (sign_flip(&a, &b, 99, 1).unwrap(), mcnemar(only_b as u64, only_a as u64).unwrap());
            prop_assert!((flip.p - exact.p).abs() < 1e-12, "{} {}", flip.p, exact.p);
        }
    }

    #[test]
    fn tails_without_end() {
        // 2^-4999
        let test = mcnemar(5_000, 0).unwrap();
        assert!((test.ln_p + 4_999.0 * core::f64::consts::LN_2).abs() < 1e-6, "{}", test.ln_p);
        assert_eq!(test.p, f64::MIN_POSITIVE);
        assert_eq!(mcnemar(7, 7).unwrap().p, 1.0);
        assert!((mcnemar(1, 0).unwrap().p - 1.0).abs() < 1e-12);
    }

    #[test]
    fn clusters_and_refusals() {
        let (a, b) = items(30, 30, 12, 120);
        let clusters: Vec<u64> = (0..120).map(|i| i / 4).collect();
        let ours = paired_clustered(&a, &b, &clusters).unwrap();
        let plain = paired(&a, &b).unwrap();
        assert_eq!(ours.difference.df(), Some(29.0));
        assert!((ours.difference.value() - plain.difference.value()).abs() < 1e-12);
        assert!(ours.difference.se() > plain.difference.se());
        let p = |paired: &Paired| paired.difference.test(0.0, Alternative::TwoSided).unwrap().p;
        assert!(p(&ours) > p(&plain));
        let flip = sign_flip(&a, &b, 1_999, 7).unwrap();
        assert!((flip.p - mcnemar(30, 12).unwrap().p).abs() < 0.01);

        assert!(matches!(paired(&[1.0], &[1.0, 0.0]), Err(Refusal::LengthsDiffer { .. })));
        assert!(matches!(paired(&[1.0], &[1.0]), Err(Refusal::TooFew { .. })));
        assert_eq!(paired(&[0.0, 1.0], &[1.0, 2.0]), Err(Refusal::NoVariance));
        assert!(mcnemar(0, 0).is_err() && sign_flip(&[1.0], &[1.0], 99, 1).is_err());
        assert!(paired_clustered(&a, &b, &[1; 120]).is_err());
        assert!(plain.visible(Level::P95, 0.0).is_err());
        assert!(super::super::mean(&[1.0, 1.0]).is_err() && super::super::mean(&[1.0]).is_err());
    }
}
