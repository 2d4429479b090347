//! Several answers to the same item.

use crate::quadrature::Rule;
use crate::{Estimate, Method, Moments, Refusal};

/// `pass@k`: the probability that at least one of `k` answers passes, unbiased from `n` answers of which `c` passed (Chen et al. 2021):
/// `1 - C(n-c, k)/C(n, k)`. The mean over items is the suite's.
///
/// # Errors
/// [`Refusal::OutOfRange`] for more passes than answers or a `k` of zero, [`Refusal::TooFew`] for fewer than `k` answers.
///
/// ```
/// use bellwether_stats::eval::{pass_at_k, pass_hat_k};
/// assert!((pass_at_k(10, 3, 2).unwrap() - (1.0 - 21.0 / 45.0)).abs() < 1e-15);
/// assert!((pass_hat_k(10, 3, 2).unwrap() - 3.0 / 45.0).abs() < 1e-15);
/// ```
pub fn pass_at_k(n: u64, c: u64, k: u64) -> Result<f64, Refusal> {
    // No passes are `0`, not `-0`.
    Ok(0.0 - ln_share_of_choices(n, answers(n, c, k)?, k).exp_m1())
}

/// `pass^k`: the probability that all of `k` answers pass, unbiased: `C(c, k)/C(n, k)`. The power `(c/n)^k` is too large.
///
/// # Errors
/// As [`pass_at_k`].
pub fn pass_hat_k(n: u64, c: u64, k: u64) -> Result<f64, Refusal> {
    Ok(ln_share_of_choices(n, n - answers(n, c, k)?, k).exp())
}

/// The passes, where these numbers can be.
fn answers(n: u64, c: u64, k: u64) -> Result<u64, Refusal> {
    if c > n {
        return Err(Refusal::MoreSuccessesThanUnits { successes: c, n });
    }
    if k == 0 {
        return Err(Refusal::out_of_range("a number of answers", "above 0", k));
    }
    if n < k {
        return Err(Refusal::too_few("answers", n, k));
    }
    Ok(c)
}

/// `ln(C(n - out, k)/C(n, k))`: that none of `k` answers is among the `out`. The sum of `ln(1 - out/(n - i))` for `i` below `k`,
/// in which `out` and `k` may change places; nothing overflows, and where little is left after `out` it is counted in whole numbers, so
/// that nothing cancels.
fn ln_share_of_choices(n: u64, out: u64, k: u64) -> f64 {
    /// Terms that are summed one by one.
    const FEW: u64 = 100_000;
    if n - out < k {
        return f64::NEG_INFINITY;
    }
    let (few, many) = (out.min(k), out.max(k));
    if few <= FEW {
        let mut sum = 0.0;
        for i in 0..few {
            let (all, left) = ((n - i) as f64, (n - i - many) as f64);
            sum += if left < 0.5 * all { (left / all).ln() } else { (-(many as f64 / all)).ln_1p() };
            // Far below the smallest number.
            if sum < -800.0 {
                break;
            }
        }
        return sum;
    }
    if few as f64 / n as f64 * many as f64 > 800.0 {
        return f64::NEG_INFINITY;
    }
    // Then `few` and `many` are both below a hundredth of `n`, the term hardly bends, and its sum is an integral between halves
    // (Euler and Maclaurin; what follows is below 1e-16 of it).
    let term = |i: f64| (-(many as f64 / (n as f64 - i))).ln_1p();
    Rule::new(20).over(-0.5, few as f64 - 0.5, 1).map(|(i, weight)| weight * term(i)).sum()
}

/// How probable it is that two answers to an item differ in passing, unbiased from `n` answers of which `c` passed:
/// `2 p (1 - p) n/(n - 1)`.
///
/// # Errors
/// [`Refusal::TooFew`] below two answers, [`Refusal::MoreSuccessesThanUnits`].
pub fn flip_rate(n: u64, c: u64) -> Result<f64, Refusal> {
    if c > n {
        return Err(Refusal::MoreSuccessesThanUnits { successes: c, n });
    }
    if n < 2 {
        return Err(Refusal::too_few("answers", n, 2));
    }
    // By counting, so that passes and failures are alike to the last digit.
    let (n, passed, failed) = (n as f64, c as f64, (n - c) as f64);
    Ok(2.0 * (passed * failed) / (n * (n - 1.0)))
}

/// Items with repeats: the mean, and where its error comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoLevel {
    /// The mean of the items' means; its error is that of independent items, which has both parts in it.
    pub mean: Estimate,
    /// Variance between items: what only more items lessen.
    pub between: f64,
    /// Mean variance of the answers to an item: what more answers lessen too. None where no item has two.
    pub within: Option<f64>,
}

impl TwoLevel {
    /// The standard error with so many items and so many answers each: `(Var(x) + E[σ²]/K)/n`.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] for none of either, or where no item had two answers.
    pub fn se_with(&self, items: u64, answers: u64) -> Result<f64, Refusal> {
        for (what, have) in [("items", items), ("answers", answers)] {
            if have == 0 {
                return Err(Refusal::too_few(what, 0, 1));
            }
        }
        let within = self.within.ok_or(Refusal::too_few("answers to an item", 1, 2))?;
        Ok(((self.between + within / answers as f64) / items as f64).sqrt())
    }
}

/// The mean over items of the mean of their answers, each item counted once.
///
/// # Errors
/// [`Refusal::TooFew`] below two items or for an item without answers, [`Refusal::NoVariance`].
///
/// ```
/// use bellwether_stats::eval::two_level;
/// let ours = two_level(&[&[1.0, 0.0, 1.0, 1.0], &[0.0, 0.0, 0.0, 1.0], &[1.0, 1.0, 1.0, 1.0]]).unwrap();
/// // Ten times the answers to the same items lessen the error a little, ten times the items a lot.
/// let (answers, items) = (ours.se_with(3, 40).unwrap(), ours.se_with(30, 4).unwrap());
/// assert!(items < answers && answers < ours.mean.se());
/// ```
pub fn two_level(items: &[&[f64]]) -> Result<TwoLevel, Refusal> {
    let answers: Vec<Moments> = items.iter().map(|answers| Moments::of(answers)).collect::<Result<_, _>>()?;
    let means: Vec<f64> = answers.iter().filter_map(Moments::mean).collect();
    if means.len() < items.len() {
        return Err(Refusal::too_few("answers to an item", 0, 1));
    }
    let of_means = Moments::of(&means)?;
    let mean = super::of_moments(&of_means, Method::PairedT)?;
    let variances: Vec<(f64, f64)> =
        answers.iter().filter_map(|a| a.variance().map(|variance| (variance, a.n() as f64))).collect();
    let within = Moments::of(&variances.iter().map(|(variance, _)| *variance).collect::<Vec<_>>())?.mean();
    // What the means vary by because each is of a few answers.
    let of_answers = variances.iter().map(|(variance, n)| variance / n).sum::<f64>() / items.len() as f64;
    let between = (of_means.variance().unwrap_or(0.0) - of_answers).max(0.0);
    Ok(TwoLevel { mean, between, within })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    /// Unbiased: the mean over all that n answers can be is the truth.
    #[test]
    fn passes_are_unbiased() {
        let choose = |n: u64, k: u64| (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product::<f64>();
        for p in [0.05, 0.3, 0.8] {
            for (n, k) in [(5, 1), (5, 3), (9, 4), (6, 6)] {
                let (mut at, mut hat, mut flip, mut power) = (0.0, 0.0, 0.0, 0.0);
                for c in 0..=n {
                    let weight = choose(n, c) * f64::powi(p, c as i32) * f64::powi(1.0 - p, (n - c) as i32);
                    at += weight * pass_at_k(n, c, k).unwrap();
                    hat += weight * pass_hat_k(n, c, k).unwrap();
                    flip += weight * flip_rate(n, c).unwrap();
                    power += weight * (c as f64 / n as f64).powi(k as i32);
                }
                let k = k as i32;
                assert!((at - (1.0 - f64::powi(1.0 - p, k))).abs() < 1e-12);
                assert!((hat - f64::powi(p, k)).abs() < 1e-12);
                assert!((flip - 2.0 * p * (1.0 - p)).abs() < 1e-12);
                assert!(k == 1 || power > hat * (1.0 + 1e-9));
            }
        }
        // Numbers whose binomials overflow.
        assert!((pass_at_k(100_000, 10, 5_000).unwrap() - 0.401_27).abs() < 1e-4);
    }

    /// Where few of many passed, `C(c, k)/C(n, k)` is tiny, and exact to the last digits all the same.
    #[test]
    fn few_passes_of_many_lose_no_digits() {
        for n in
            [6u64, 1_000, 100_000, 1_000_000, 1_000_000_000, 1_000_000_000_000, 1_000_000_000_000_000_000]
        {
            for (c, k) in [(1, 1), (2, 1), (2, 2), (3, 2), (4, 3), (5, 3), (5, 5)] {
                let exact: f64 = (0..k).map(|i| (c - i) as f64 / (n - i) as f64).product();
                let ours = pass_hat_k(n, c, k).unwrap();
                assert!((ours / exact - 1.0).abs() < 1e-13, "{n} {c} {k}: {ours:e}, {exact:e}");
                // The other way round: that none of all but few passes, and that few of all but few fail.
                let none = 1.0 - pass_at_k(n, n - c, k).unwrap();
                assert!((none - exact).abs() < 1e-15, "{n} {c} {k}: {none:e}, {exact:e}");
                let few = pass_hat_k(n, c, c).unwrap();
                let most = pass_hat_k(n, n - 1, n - c).unwrap();
                assert!(few > 0.0 && (most / (c as f64 / n as f64) - 1.0).abs() < 1e-13, "{n} {c}: {most:e}");
            }
        }
    }

    #[test]
    fn what_cannot_be_repeated_is_refused() {
        assert_eq!(
            pass_at_k(3, 1, 5).unwrap_err().to_string(),
            "too little data: `3` answers, this method needs `5`"
        );
        assert!(pass_at_k(10, 0, 1).is_ok_and(|none| none == 0.0 && none.is_sign_positive()));
        assert!(pass_at_k(3, 4, 1).is_err() && pass_hat_k(3, 1, 0).is_err());
        assert!(flip_rate(1, 1).is_err() && flip_rate(2, 3).is_err());
        assert!(two_level(&[&[1.0, 0.0]]).is_err() && two_level(&[&[1.0], &[]]).is_err());
        let single = two_level(&[&[1.0], &[0.0], &[1.0]]).unwrap();
        assert_eq!(single.within, None);
        assert!(single.se_with(3, 2).is_err());
    }

    /// The error of the mean is what both parts say it is, for as many items and answers as there were.
    #[test]
    fn both_parts_make_the_error() {
        let items: Vec<Vec<f64>> = (0..40u32)
            .map(|i| (0..6u32).map(|j| f64::from(i % 7) + f64::from((i * 5 + j * 3) % 11)).collect())
            .collect();
        let slices: Vec<&[f64]> = items.iter().map(Vec::as_slice).collect();
        let ours = two_level(&slices).unwrap();
        assert!((ours.se_with(40, 6).unwrap() / ours.mean.se() - 1.0).abs() < 1e-12);
    }
}
