//! Judges that err: what their verdicts say of the truth, by a small set that people labelled.

use crate::caution::skewness;
use crate::joint::same_length;
use crate::means::satterthwaite;
use crate::special::normal;
use crate::{Caution, Estimate, Interval, JointMoments, Level, Method, Moments, Proportion, Refusal};
use std::collections::BTreeMap;

/// The true rate behind a judge's rate: the estimate of [`rogan_gladen`], which has an interval of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrueRate {
    value: f64,
    se: f64,
    judged: Proportion,
    found: Proportion,
    rejected: Proportion,
}

/// Labels of either kind that are added for as wide an interval: enough to hold it where few errors of the judge were seen.
fn added(z2: f64) -> f64 {
    (z2 / 3.0).max(1.0)
}

/// A rate with successes and failures added, as many of each, and its variance.
fn moved(sample: &Proportion, added: f64) -> (f64, f64) {
    let n = sample.n() as f64 + 2.0 * added;
    let rate = (sample.successes() as f64 + added) / n;
    (rate, rate * (1.0 - rate) / (n - 1.0))
}

impl TrueRate {
    /// How it is made.
    pub const METHOD: Method = Method::RoganGladen;

    /// `(p + specificity - 1)/(sensitivity + specificity - 1)`: below 0 or above 1 where noise has it so.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Its standard error by the delta method, with the variances of the interval at 95 %. With few labels the estimate is
    /// far from normal: read the interval.
    pub fn se(&self) -> f64 {
        self.se
    }

    /// The interval: all rates `π` for which `p' - π se' - (1 - π)(1 - sp')` is within `z` standard errors of zero (Fieller's
    /// argument, which does not divide by a number that may be zero), within 0 to 1 and never without the estimate.
    ///
    /// The rates are Lang and Reiczigel's (2014): `z²/2` successes and as many failures more among the judged (Agresti and
    /// Coull), `z²/3` of each more, and at least one, among either sort of labels; variances `r'(1 - r')/(n' - 1)`. A few labels that are
    /// all right thus do not make a judge perfect. (Theirs is one of each, for 95 %; at 99.9 % that misses eleven times as often as it
    /// says.) For 3 to 50 labels of each sort, 60 to 30,000 judged items, sensitivity and specificity from 0.7 to 1, and truths from 0.05 to
    /// 0.9 it covers 94.7 % or more at 95 %, 98.8 % at 99 % and 99.86 % at 99.9 %, by counting; with two judged items 90 %. Where the judge cannot be told
    /// from chance at this level it is the whole of 0 to 1: nothing is known.
    pub fn interval(&self, level: Level) -> Interval {
        let z2 = normal::quantile(level.alpha() / 2.0).powi(2);
        let (p, var_p) = moved(&self.judged, z2 / 2.0);
        let (se, var_se) = moved(&self.found, added(z2));
        let (sp, var_sp) = moved(&self.rejected, added(z2));
        let (beyond, youden) = (p + sp - 1.0, se + sp - 1.0);
        // a π² - 2bπ + c <= 0.
        let a = youden * youden - z2 * (var_se + var_sp);
        let b = beyond * youden - z2 * var_sp;
        let c = beyond * beyond - z2 * (var_p + var_sp);
        let (low, high) = if a > 0.0 && youden > 0.0 {
            let root = (b * b - a * c).max(0.0).sqrt();
            ((b - root) / a, (b + root) / a)
        } else {
            (0.0, 1.0)
        };
        Interval { low: low.max(0.0).min(self.value), high: high.min(1.0).max(self.value) }
    }
}

/// The true rate behind a judge's rate (Rogan and Gladen 1978): `(p + specificity - 1)/(sensitivity + specificity - 1)`.
///
/// `judged` counts what the judge passed among items that nobody labelled, `found` what it passed among those that people pass
/// (sensitivity), `rejected` what it fails among those that people fail (specificity). The three samples must be independent, and the
/// judge must err on the judged items as on the labelled ones. An
/// estimate below 0 or above 1 is reported as it is: noise does that, and cutting it off would bias a comparison.
///
/// A judge that only seems to be worth something is not refused, but has a wide [`TrueRate::interval`]: to answer only where
/// the labels happen to make it look good would be to answer where it is overrated.
///
/// # Errors
/// [`Refusal::TooFew`] below two items in a sample, [`Refusal::OutOfRange`] where the judge is no better than chance on the labelled items:
/// sensitivity plus specificity not above 1.
///
/// ```
/// use bellwether_stats::{Level, Proportion, eval::rogan_gladen};
/// let rate = |x, n| Proportion::new(x, n).unwrap();
/// let truth = rogan_gladen(&rate(620, 1_000), &rate(90, 100), &rate(80, 100)).unwrap();
/// assert!((truth.value() - 0.6).abs() < 1e-12 && truth.se() > 0.02);
/// // Five labels of each sort, all judged right: that is not a judge without errors.
/// let few = rogan_gladen(&rate(620, 1_000), &rate(5, 5), &rate(5, 5)).unwrap().interval(Level::P95);
/// assert!(few.low < 0.4 && few.high > 0.8);
/// ```
pub fn rogan_gladen(
    judged: &Proportion,
    found: &Proportion,
    rejected: &Proportion,
) -> Result<TrueRate, Refusal> {
    let rate = |sample: &Proportion, what: &str| match sample.rate() {
        Some(rate) if sample.n() >= 2 => Ok(rate),
        _ => Err(Refusal::too_few(what, sample.n(), 2)),
    };
    let p = rate(judged, "judged items")?;
    let se = rate(found, "labelled items that pass")?;
    let sp = rate(rejected, "labelled items that fail")?;
    let youden = se + sp - 1.0;
    if youden <= 0.0 {
        return Err(Refusal::out_of_range("sensitivity plus specificity less 1", "above 0", youden));
    }
    let value = (p + sp - 1.0) / youden;
    let z = normal::quantile(Level::P95.alpha() / 2.0);
    let ((_, var_p), (_, var_se), (_, var_sp)) =
        (moved(judged, z * z / 2.0), moved(found, added(z * z)), moved(rejected, added(z * z)));
    let variance = var_p + value * value * var_se + (1.0 - value) * (1.0 - value) * var_sp;
    let se = variance.sqrt() / youden;
    if !(value.is_finite() && se.is_finite()) {
        return Err(Refusal::not_finite("estimate"));
    }
    Ok(TrueRate { value, se, judged: *judged, found: *found, rejected: *rejected })
}

/// The true mean by prediction-powered inference (Angelopoulos et al. 2023), with the weight of the judge that makes the error smallest
/// (PPI++, Angelopoulos, Duchi and Zrnic 2023): `mean(truth) + λ (mean of the judge on unlabelled - mean of the judge on labelled)` with
/// `λ = Cov(truth, judge)/((1 + n/m) Var(judge))`, cut to 0 to 1, for `n` labelled and `m` unlabelled items; the covariance is that of
/// the labelled, the variance that within both sets of items (as in the paper: where both differ by chance the weight does, too, and the
/// error of a judge that agrees with every label is small but not the smallest). Its error is
/// `√(Var(truth - λ judge)/n + λ² Var(judge on unlabelled)/m)`, with a first variance that divides by `n - 2`, as one slope is fitted, and
/// Satterthwaite's degrees of freedom. The paper reads it against the normal distribution, which covers 90 % with 10 labelled items.
///
/// `truth` and `judge` are scores of the same labelled items, `unlabelled` the judge's of others. Right whatever the judge's errors are, also
/// where it is biased; a judge that agrees with people narrows the interval, one that does not is given no weight.
/// Labelled items must be drawn by chance from the same items. Below thirty of them, or where the estimate is as skewed as one of fewer
/// than thirty passes, it carries [`Caution::FewUnits`]: verdicts that only pass or fail are then less sure than their interval says (200
/// labels at a rate of 2 % cover 89 to 91 %).
///
/// # Errors
/// [`Refusal::LengthsDiffer`], [`Refusal::TooFew`] below ten labelled items (as many as CUPED asks for each covariate: `λ` from fewer
/// fits noise) or two unlabelled ones, [`Refusal::NoVariance`].
pub fn prediction_powered(truth: &[f64], judge: &[f64], unlabelled: &[f64]) -> Result<Estimate, Refusal> {
    same_length("verdicts of the judge", judge.len(), "labels", truth.len())?;
    let labelled = JointMoments::of(&[truth, judge])?;
    let others = Moments::of(unlabelled)?;
    let (Some(covariance), Some(variance)) = (labelled.covariance(0, 1), labelled.covariance(1, 1)) else {
        return Err(Refusal::too_few("labelled items", labelled.n(), LABELLED));
    };
    if labelled.n() < LABELLED {
        return Err(Refusal::too_few("labelled items", labelled.n(), LABELLED));
    }
    let Some(variance_of_others) = others.variance() else {
        return Err(Refusal::too_few("unlabelled items", others.n(), 2));
    };
    let (n, m) = (labelled.n() as f64, others.n() as f64);
    let share = n / m;
    let pooled = (variance * (n - 1.0) + variance_of_others * (m - 1.0)) / (n + m - 2.0);
    let weight = if pooled > 0.0 { (covariance / ((1.0 + share) * pooled)).clamp(0.0, 1.0) } else { 0.0 };
    let rectified = labelled.combination(0.0, &[1.0, -weight])?;
    let value = rectified.mean().unwrap_or(f64::NAN) + weight * others.mean().unwrap_or(f64::NAN);
    let of_labelled = rectified.squared_deviations() / (n - 2.0) / n;
    let of_others = weight * weight * variance_of_others / m;
    let df = satterthwaite(&[(of_labelled, labelled.n() - 1), (of_others, others.n())]);
    let estimate =
        Estimate::new(value, (of_labelled + of_others).sqrt(), Some(df), Method::PredictionPowered)?;
    // The third moment of the estimate: `s³/n²` times the skewness of either part.
    let rest: Vec<f64> = truth.iter().zip(judge).map(|(truth, judge)| truth - weight * judge).collect();
    let third = of_labelled.powf(1.5) * skewness(&rest) / n.sqrt()
        + of_others.powf(1.5) * skewness(unlabelled) / m.sqrt();
    let as_skewed_as = (of_labelled + of_others).powi(3) / (third * third);
    // Ten labels that pass or fail cover 89 %.
    Ok(estimate.with_caution(Caution::of_worth(n.min(as_skewed_as))))
}

/// Labelled items that the slope of a judge needs.
const LABELLED: u64 = 10;

/// Cohen's κ: agreement of two raters beyond what their own rates of each verdict make of chance, with its large-sample standard error
/// (Fleiss, Cohen and Everitt 1969).
///
/// # Errors
/// [`Refusal::LengthsDiffer`], [`Refusal::TooFew`] below two items, [`Refusal::NoVariance`] where chance alone would agree always.
///
/// ```
/// use bellwether_stats::eval::kappa;
/// let people = ["good", "good", "bad", "bad", "good", "bad"];
/// let judge = ["good", "bad", "bad", "bad", "good", "good"];
/// assert!((kappa(&people, &judge).unwrap().value() - 1.0 / 3.0).abs() < 1e-12);
/// ```
pub fn kappa<K: Ord>(a: &[K], b: &[K]) -> Result<Estimate, Refusal> {
    same_length("verdicts", b.len(), "verdicts of the other rater", a.len())?;
    let n = a.len() as f64;
    if a.len() < 2 {
        return Err(Refusal::too_few("items", a.len() as u64, 2));
    }
    let (mut table, mut rows, mut columns) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (a, b) in a.iter().zip(b) {
        *table.entry((a, b)).or_insert(0.0) += 1.0 / n;
        *rows.entry(a).or_insert(0.0) += 1.0 / n;
        *columns.entry(b).or_insert(0.0) += 1.0 / n;
    }
    let of = |rates: &BTreeMap<&K, f64>, verdict: &K| rates.get(verdict).copied().unwrap_or(0.0);
    let agreed: f64 = table.iter().filter(|((a, b), _)| a == b).map(|(_, share)| share).sum();
    let chance: f64 = rows.iter().map(|(verdict, share)| share * of(&columns, verdict)).sum();
    if chance >= 1.0 {
        return Err(Refusal::NoVariance);
    }
    let value = (agreed - chance) / (1.0 - chance);
    let mut sum = -(value - chance * (1.0 - value)).powi(2);
    for ((a, b), share) in &table {
        sum += if a == b {
            share * (1.0 - (of(&rows, a) + of(&columns, a)) * (1.0 - value)).powi(2)
        } else {
            share * ((1.0 - value) * (of(&columns, a) + of(&rows, b))).powi(2)
        };
    }
    let variance = sum.max(0.0) / (n * (1.0 - chance) * (1.0 - chance));
    Estimate::new(value, variance.sqrt(), None, Method::Kappa)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn rate(x: u64, n: u64) -> Proportion {
        Proportion::new(x, n).unwrap()
    }

    #[test]
    fn a_judge_that_never_errs_changes_nothing() {
        let perfect = rogan_gladen(&rate(300, 1_000), &rate(50, 50), &rate(50, 50)).unwrap();
        assert!((perfect.value() - 0.3).abs() < 1e-12);
        // Fifty labels of each sort do not say that it never errs; five million nearly do.
        let plain = (0.21f64 / 999.0).sqrt();
        assert!(perfect.se() > 1.2 * plain);
        let sure = rogan_gladen(&rate(300, 1_000), &rate(5_000_000, 5_000_000), &rate(5_000_000, 5_000_000));
        assert!((sure.unwrap().se() / plain - 1.0).abs() < 0.01);
        // A worse judge leaves the estimate wider.
        let worse = rogan_gladen(&rate(420, 1_000), &rate(140, 200), &rate(140, 200)).unwrap();
        assert!((worse.value() - 0.3).abs() < 1e-12 && worse.se() > 3.0 * perfect.se());
        let chance = rogan_gladen(&rate(50, 100), &rate(52, 100), &rate(48, 100)).unwrap_err();
        assert!(
            chance.to_string().starts_with("sensitivity plus specificity less 1 must lie above 0"),
            "{chance}"
        );
        assert!(rogan_gladen(&rate(0, 0), &rate(5, 5), &rate(5, 5)).is_err());
        // Hardly better than chance: nothing is known.
        let hardly = rogan_gladen(&rate(51, 100), &rate(52, 100), &rate(51, 100)).unwrap();
        let interval = hardly.interval(Level::P95);
        assert!(interval.low == 0.0 && interval.high == 1.0, "{interval:?}");
        // Outside of 0 to 1 the estimate is in its interval all the same.
        let outside = rogan_gladen(&rate(0, 1_000), &rate(90, 100), &rate(80, 100)).unwrap();
        let interval = outside.interval(Level::P95);
        assert!(outside.value() < 0.0 && interval.contains(outside.value()) && interval.high < 0.05);
    }

    #[test]
    fn a_biased_judge_is_rectified_and_a_useless_one_is_left_out() {
        let truth: Vec<f64> = (0..60u32).map(|i| f64::from((i * 7) % 10) / 10.0).collect();
        let judge: Vec<f64> = truth.iter().map(|t| 0.5 * t + 0.4).collect();
        let unlabelled: Vec<f64> =
            (0..5_000u32).map(|i| 0.5 * f64::from((i * 3) % 10) / 10.0 + 0.4).collect();
        let ours = prediction_powered(&truth, &judge, &unlabelled).unwrap();
        let alone = super::super::mean(&truth).unwrap();
        assert!((ours.value() - 0.45).abs() < 0.02 && ours.se() < 0.7 * alone.se(), "{ours:?} {alone:?}");
        let noise: Vec<f64> = (0..60u32).map(|i| f64::from((i * 31) % 7)).collect();
        let others: Vec<f64> = (0..500u32).map(|i| f64::from(i % 7)).collect();
        let ours = prediction_powered(&truth, &noise, &others).unwrap();
        assert!((ours.se() / alone.se() - 1.0).abs() < 0.05);
        assert!(prediction_powered(&truth, &judge[1..], &others).is_err());
        assert!(prediction_powered(&truth, &judge, &[1.0]).is_err());
        assert!(prediction_powered(&[1.0], &[1.0], &others).is_err());
    }

    /// Fleiss, Cohen and Everitt's example: their table gives κ = 0.429 with a standard error of 0.055.
    #[test]
    fn agreement_of_two_raters() {
        let table = [[106, 10, 4], [22, 28, 10], [2, 12, 6]];
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for (i, row) in table.iter().enumerate() {
            for (j, &count) in row.iter().enumerate() {
                a.extend(std::iter::repeat_n(i, count));
                b.extend(std::iter::repeat_n(j, count));
            }
        }
        let ours = kappa(&a, &b).unwrap();
        assert!((ours.value() - 0.429).abs() < 0.000_6, "{ours:?}");
        assert!((ours.se() - 0.054).abs() < 0.001_5, "{ours:?}");
        assert!(ours.interval(Level::P95).low > 0.3);
        assert_eq!(kappa(&[1, 1], &[1, 1]), Err(Refusal::NoVariance));
        assert!(kappa(&[1], &[1]).is_err() && kappa(&[1, 2], &[1]).is_err());
    }
}
