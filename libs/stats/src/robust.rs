//! Location of values with heavy tails: median of means, and Huber's estimate.

use crate::quantile::{Definition, of_sorted};
use crate::{Estimate, Interval, Level, Method, Refusal};

/// The median of the means of `blocks` blocks of values, in the order given (which must be unrelated to the
/// values, as that of hashed units is), with the interval of the sign test on the block means.
///
/// Deviates from the mean by a few standard errors only with a probability that falls exponentially in the number
/// of blocks, for any distribution with a variance (Nemirovsky and Yudin 1983), where the mean itself does not. The interval
/// is exact for the median of a block mean; that is the mean where block means are symmetric, so blocks need to be large
/// against the skew: with heavy tails it is the median of the block mean that is covered, which lies below the mean.
///
/// # Errors
/// [`Refusal::TooFew`] without values, or with fewer blocks than the level needs (6 for 95 %), [`Refusal::OutOfRange`] for more
/// blocks than values, or a value that is not finite.
///
/// ```
/// use bellwether_stats::{Level, robust::median_of_means};
/// let values: Vec<f64> = (0..100).map(|i| if i == 50 { 1e9 } else { f64::from(i % 10) }).collect();
/// let (middle, ends) = median_of_means(&values, 10, Level::P95).unwrap();
/// assert_eq!((middle, ends.low), (4.5, 4.5));
/// ```
pub fn median_of_means(values: &[f64], blocks: usize, level: Level) -> Result<(f64, Interval), Refusal> {
    let n = values.len();
    if n == 0 {
        return Err(Refusal::too_few("values", 0, 1));
    }
    if !(1..=n).contains(&blocks) {
        let range = format!("from 1 to the `{n}` values");
        return Err(Refusal::out_of_range("a number of blocks", &range, blocks));
    }
    let mut means = Vec::with_capacity(blocks);
    let mut rest = values;
    for left in (1..=blocks).rev() {
        let (block, after) = rest.split_at(rest.len() / left);
        let mean = block.iter().sum::<f64>() / block.len() as f64;
        if !mean.is_finite() {
            return Err(Refusal::out_of_range("a value of a metric", "among the finite numbers", mean));
        }
        means.push(mean);
        rest = after;
    }
    means.sort_unstable_by(f64::total_cmp);
    let Some(place) = sign_test_place(blocks, level) else {
        let need = (1.0 - level.alpha().log2()).ceil() as u64;
        return Err(Refusal::too_few("blocks", blocks as u64, need));
    };
    let ends = match (means.get(place), means.get(blocks - 1 - place)) {
        (Some(&low), Some(&high)) => Interval { low, high },
        _ => return Err(Refusal::too_few("blocks", blocks as u64, 2)),
    };
    Ok((of_sorted(&means, 0.5, Definition::Linear), ends))
}

/// The place, from 0, of the order statistic from which the sign test's interval begins: the largest with
/// `P(Binomial(n, ½) <= place) <= alpha/2`. None where even the smallest is too likely to lie above.
pub(crate) fn sign_test_place(n: usize, level: Level) -> Option<usize> {
    // Terms in logarithms, so that 2^-n does not underflow.
    let ln_all = -(n as f64) * core::f64::consts::LN_2;
    let (mut ln_term, mut below, mut place) = (ln_all, 0.0, None);
    for k in 0..n / 2 {
        below += ln_term.exp();
        if below > level.alpha() / 2.0 {
            break;
        }
        place = Some(k);
        ln_term += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    place
}

/// Huber's tuning: 95 % as precise as the mean where values are normal.
pub const HUBER_TUNING: f64 = 1.345;

/// Huber's M-estimate of location (proposal with the scale fixed at the normalised median absolute deviation), with its
/// asymptotic standard error and `n - 1` degrees of freedom.
///
/// Values within `tuning` scales of the centre count as in a mean, those beyond with a weight that falls with their
/// distance. For symmetric distributions it estimates the mean; for skewed ones (revenue) a place between mean and
/// median: two arms of the same shape can be compared by it, a lift of revenue cannot be read from it.
///
/// # Errors
/// [`Refusal::TooFew`] below two values, [`Refusal::NoVariance`] where more than half of the values are the same,
/// [`Refusal::OutOfRange`] for a tuning that is not above zero or a value that is not finite.
///
/// ```
/// use bellwether_stats::robust::{HUBER_TUNING, huber};
/// let mut values: Vec<f64> = (0..101).map(f64::from).collect();
/// values[100] = 1e9;
/// assert!((huber(&values, HUBER_TUNING).unwrap().value() - 50.0).abs() < 1.0);
/// ```
pub fn huber(values: &[f64], tuning: f64) -> Result<Estimate, Refusal> {
    // Each step is a weighted mean and contracts; it stops at the last digits.
    const MOST_STEPS: usize = 200;
    if !(tuning > 0.0 && tuning.is_finite()) {
        return Err(Refusal::out_of_range("a tuning", "above 0", tuning));
    }
    let n = values.len();
    if n < 2 {
        return Err(Refusal::too_few("values", n as u64, 2));
    }
    if let Some(wrong) = values.iter().find(|value| !(*value * *value).is_finite()) {
        return Err(Refusal::out_of_range(
            "a value of a metric",
            "among the numbers with a finite square",
            wrong,
        ));
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let median = of_sorted(&sorted, 0.5, Definition::Linear);
    let mut distances: Vec<f64> = sorted.iter().map(|value| (value - median).abs()).collect();
    distances.sort_unstable_by(f64::total_cmp);
    // 1 / Φ⁻¹(3/4): the scale of a normal distribution is its standard deviation.
    let scale = 1.482_602_218_505_602 * of_sorted(&distances, 0.5, Definition::Linear);
    if scale == 0.0 {
        return Err(Refusal::NoVariance);
    }
    let reach = tuning * scale;
    let mut centre = median;
    for _ in 0..MOST_STEPS {
        let (mut weighted, mut weights) = (0.0, 0.0);
        for value in values {
            let distance = value - centre;
            let weight = if distance.abs() <= reach { 1.0 } else { reach / distance.abs() };
            weighted += weight * distance;
            weights += weight;
        }
        let step = weighted / weights;
        centre += step;
        if step.abs() <= f64::EPSILON * scale {
            break;
        }
    }
    let (mut squares, mut inside) = (0.0, 0.0);
    for value in values {
        let distance = value - centre;
        squares += distance.clamp(-reach, reach).powi(2);
        inside += f64::from(u8::from(distance.abs() <= reach));
    }
    let n = n as f64;
    // Var = Σψ² / (Σψ')² · n/(n - 1).
    let variance = squares / (inside * inside) * n / (n - 1.0);
    Estimate::new(centre, variance.sqrt(), Some(n - 1.0), Method::Huber)
}

/// The difference `treatment - control` of two independent estimates, with Welch's degrees of freedom.
///
/// # Errors
/// As [`Estimate::new`].
pub fn difference(control: &Estimate, treatment: &Estimate) -> Result<Estimate, Refusal> {
    let (c, t) = (control.se().powi(2), treatment.se().powi(2));
    let part = |variance: f64, df: Option<f64>| df.map_or(0.0, |df| variance * variance / df);
    let inverse = part(c, control.df()) + part(t, treatment.df());
    let df = (inverse > 0.0).then(|| (c + t) * (c + t) / inverse);
    Estimate::new(treatment.value() - control.value(), (c + t).sqrt(), df, treatment.method())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Far tuning is the mean; moving and stretching the values moves and stretches the estimate.
        #[test]
        fn huber_lies_between_mean_and_median(values in proptest::collection::vec(-9.0..9.0f64, 9..80), move_by in -50.0..50.0f64, scale in 0.1..10.0f64) {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let far = huber(&values, 1e6).unwrap();
            prop_assert!((far.value() - mean).abs() < 1e-9);
            prop_assert!((far.se() / (variance / n).sqrt() - 1.0).abs() < 1e-9);
            let ours = huber(&values, HUBER_TUNING).unwrap();
            let moved: Vec<f64> = values.iter().map(|v| move_by + scale * v).collect();
            let theirs = huber(&moved, HUBER_TUNING).unwrap();
            prop_assert!((move_by + scale * ours.value() - theirs.value()).abs() < 1e-7);
            prop_assert!((scale * ours.se() / theirs.se() - 1.0).abs() < 1e-6);
        }

        #[test]
        fn one_block_each_is_the_median(values in proptest::collection::vec(-9.0..9.0f64, 7..60)) {
            let (middle, ends) = median_of_means(&values, values.len(), Level::P95).unwrap();
            let median = crate::quantile::quantile(&values, 0.5, Definition::Linear).unwrap();
            prop_assert_eq!(middle, median);
            prop_assert!(ends.contains(middle));
        }
    }

    /// R: `qbinom(0.025, n, 0.5) - 1`, from 0.
    #[test]
    fn places_of_the_sign_test() {
        let place = |n| sign_test_place(n, Level::P95);
        assert_eq!([5, 6, 8, 9, 20, 100].map(place), [None, Some(0), Some(0), Some(1), Some(5), Some(39)]);
        assert!(place(5_000).is_some());
    }

    #[test]
    fn what_has_no_centre_is_refused() {
        let message = |refusal: Refusal| refusal.to_string();
        assert_eq!(
            message(huber(&[1.0], 1.0).unwrap_err()),
            "too little data: `1` values, this method needs `2`"
        );
        assert_eq!(huber(&[2.0, 2.0, 2.0, 9.0], 1.0), Err(Refusal::NoVariance));
        assert!(huber(&[1.0, f64::NAN], 1.0).is_err() && huber(&[1.0, 2.0], 0.0).is_err());
        assert_eq!(
            message(median_of_means(&[1.0; 50], 5, Level::P95).unwrap_err()),
            "too little data: `5` blocks, this method needs `6`"
        );
        assert!(median_of_means(&[], 0, Level::P95).is_err());
        assert!(median_of_means(&[f64::INFINITY; 50], 9, Level::P95).is_err());
    }
}
