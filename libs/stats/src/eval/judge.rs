//! Judges that err: what their verdicts say of the truth, by a small set that people labelled.

use crate::joint::same_length;
use crate::{Estimate, JointMoments, Method, Moments, Proportion, Refusal};
use std::collections::BTreeMap;

/// The true rate behind a judge's rate (Rogan and Gladen 1978): `(p + specificity - 1)/(sensitivity + specificity - 1)`.
///
/// `judged` counts what the judge passed among items that nobody labelled, `found` what it passed among those that people pass
/// (sensitivity), `rejected` what it fails among those that people fail (specificity). The three samples must be independent, and the
/// judge must err on the judged items as on the labelled ones. Delta method, with the error of all three rates; an
/// estimate below 0 or above 1 is reported as it is: noise does that, and cutting it off would bias a comparison.
///
/// # Errors
/// [`Refusal::TooFew`] below two items in a sample, [`Refusal::OutOfRange`] where the judge is no better than chance on the labelled items:
/// sensitivity plus specificity not above 1, or within two standard errors of it.
///
/// ```
/// use bellwether_stats::{Level, Proportion, eval::rogan_gladen};
/// let rate = |x, n| Proportion::new(x, n).unwrap();
/// let truth = rogan_gladen(&rate(620, 1_000), &rate(90, 100), &rate(80, 100)).unwrap();
/// assert!((truth.value() - 0.6).abs() < 1e-12 && truth.se() > 0.02);
/// ```
pub fn rogan_gladen(
    judged: &Proportion,
    found: &Proportion,
    rejected: &Proportion,
) -> Result<Estimate, Refusal> {
    let rate = |sample: &Proportion, what: &str| match sample.rate() {
        Some(rate) if sample.n() >= 2 => Ok((rate, rate * (1.0 - rate) / (sample.n() - 1) as f64)),
        _ => Err(Refusal::too_few(what, sample.n(), 2)),
    };
    let (p, var_p) = rate(judged, "judged items")?;
    let (se, var_se) = rate(found, "labelled items that pass")?;
    let (sp, var_sp) = rate(rejected, "labelled items that fail")?;
    let youden = se + sp - 1.0;
    let least = 2.0 * (var_se + var_sp).sqrt();
    if youden <= least {
        let range = format!("above 0 by more than two standard errors, `{least:.3}`");
        return Err(Refusal::out_of_range("sensitivity plus specificity less 1", &range, youden));
    }
    let truth = (p + sp - 1.0) / youden;
    let variance =
        (var_p + truth * truth * var_se + (1.0 - truth) * (1.0 - truth) * var_sp) / (youden * youden);
    Estimate::new(truth, variance.sqrt(), None, Method::RoganGladen)
}

/// The true mean by prediction-powered inference (Angelopoulos et al. 2023), with the weight of the judge that makes the error smallest
/// (PPI++): `mean(truth) + λ (mean of the judge on unlabelled - mean of the judge on labelled)`.
///
/// `truth` and `judge` are scores of the same labelled items, `unlabelled` the judge's of others. Right whatever the judge's errors are, also
/// where it is biased; a judge that agrees with people narrows the interval, one that does not is given no weight.
/// Labelled items must be drawn by chance from the same items.
///
/// # Errors
/// [`Refusal::LengthsDiffer`], [`Refusal::TooFew`] below two labelled or unlabelled items, [`Refusal::NoVariance`].
pub fn prediction_powered(truth: &[f64], judge: &[f64], unlabelled: &[f64]) -> Result<Estimate, Refusal> {
    same_length("verdicts of the judge", judge.len(), "labels", truth.len())?;
    let labelled = JointMoments::of(&[truth, judge])?;
    let others = Moments::of(unlabelled)?;
    let (Some(covariance), Some(variance)) = (labelled.covariance(0, 1), labelled.covariance(1, 1)) else {
        return Err(Refusal::too_few("labelled items", labelled.n(), 2));
    };
    let Some(variance_of_others) = others.variance() else {
        return Err(Refusal::too_few("unlabelled items", others.n(), 2));
    };
    let (n, m) = (labelled.n() as f64, others.n() as f64);
    let share = n / m;
    let pooled = (variance * (n - 1.0) + variance_of_others * (m - 1.0)) / (n + m - 2.0);
    let weight = if pooled > 0.0 { (covariance / ((1.0 + share) * pooled)).clamp(0.0, 1.0) } else { 0.0 };
    let rectified = labelled.combination(0.0, &[1.0, -weight])?;
    let value = rectified.mean().unwrap_or(f64::NAN) + weight * others.mean().unwrap_or(f64::NAN);
    let error = rectified.variance().unwrap_or(f64::NAN) / n + weight * weight * variance_of_others / m;
    Estimate::new(value, error.sqrt(), None, Method::PredictionPowered)
}

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
    use crate::Level;

    fn rate(x: u64, n: u64) -> Proportion {
        Proportion::new(x, n).unwrap()
    }

    #[test]
    fn a_judge_that_never_errs_changes_nothing() {
        let perfect = rogan_gladen(&rate(300, 1_000), &rate(50, 50), &rate(50, 50)).unwrap();
        assert!((perfect.value() - 0.3).abs() < 1e-12);
        assert!((perfect.se() - (0.21f64 / 999.0).sqrt()).abs() < 1e-12);
        // A worse judge leaves the estimate wider.
        let worse = rogan_gladen(&rate(420, 1_000), &rate(140, 200), &rate(140, 200)).unwrap();
        assert!((worse.value() - 0.3).abs() < 1e-12 && worse.se() > 3.0 * perfect.se());
        let chance = rogan_gladen(&rate(50, 100), &rate(52, 100), &rate(51, 100)).unwrap_err();
        assert!(
            chance.to_string().starts_with("sensitivity plus specificity less 1 must lie above 0"),
            "{chance}"
        );
        assert!(rogan_gladen(&rate(0, 0), &rate(5, 5), &rate(5, 5)).is_err());
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
