//! The rank test of Wilcoxon, Mann and Whitney by the normal approximation, and that of Brunner and
//! Munzel.

use super::{Sorted, tally};
use crate::{Alternative, Arm, Estimate, Method, Refusal, Test};
use serde::{Deserialize, Serialize};

/// Whether half a step of the statistic is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// As it is.
    None,
    /// Half a unit towards the null: the default of R, scipy and tea-tasting.
    Half,
}

/// The rank test of two arms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MannWhitney {
    /// Pairs in which the treated value is larger, ties counted half (R's W, scipy's U).
    pub w: f64,
    /// The same as a share of all pairs: the probability that a treated value is the larger one.
    pub superiority: f64,
    /// The test of "both distributions are the same"; its statistic is z.
    pub test: Test,
}

/// Wilcoxon, Mann and Whitney's test by the normal approximation, with the variance corrected for ties.
///
/// The null is that both distributions are the same: with equal medians but unequal spread it errs more often than
/// it says; [`brunner_munzel`] does not. Good from some ten units in each arm on; below,
/// [`super::mann_whitney_exact`].
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without values, [`Refusal::OutOfRange`] for one that is not
/// finite, [`Refusal::NoVariance`] where all values are the same.
///
/// ```
/// use bellwether_stats::Alternative;
/// use bellwether_stats::rank::{Correction, mann_whitney};
/// let (control, treatment) = ([1.0, 2.0, 3.0, 4.0], [2.5, 3.5, 4.5, 5.5]);
/// let test = mann_whitney(&control, &treatment, Alternative::TwoSided, Correction::Half).unwrap();
/// assert_eq!((test.w, test.superiority), (13.0, 0.8125));
/// ```
pub fn mann_whitney(
    control: &[f64],
    treatment: &[f64],
    alternative: Alternative,
    correction: Correction,
) -> Result<MannWhitney, Refusal> {
    let c = Sorted::new(control, Arm::Control, 1)?;
    let t = Sorted::new(treatment, Arm::Treatment, 1)?;
    let tally = tally(&c, &t);
    let w = w(&tally);
    let pairs = c.len() * t.len();
    let se = deviation(&tally, c.len(), t.len());
    if se == 0.0 {
        return Err(Refusal::NoVariance);
    }
    let distance = w - 0.5 * pairs;
    let half = match correction {
        Correction::None => 0.0,
        Correction::Half => match alternative {
            Alternative::Greater => 0.5,
            Alternative::Less => -0.5,
            Alternative::TwoSided if distance == 0.0 => 0.0,
            Alternative::TwoSided => 0.5 * distance.signum(),
        },
    };
    let test = Test::of_statistic((distance - half) / se, None, alternative, Method::MannWhitneyZ)?;
    Ok(MannWhitney { w, superiority: w / pairs, test })
}

/// Pairs in which the treated value is larger, ties counted half.
pub(super) fn w(tally: &[(u64, u64)]) -> f64 {
    let mut below = 0u64;
    let mut sum = 0.0;
    for &(c, t) in tally {
        sum += t as f64 * (below as f64 + 0.5 * c as f64);
        below += c;
    }
    sum
}

/// `√( n_t n_c/12 · (N + 1 - Σ(τ³ - τ)/(N(N - 1))) )` with tie groups of `τ` values.
pub(super) fn deviation(tally: &[(u64, u64)], c: f64, t: f64) -> f64 {
    let n = c + t;
    let ties: f64 = tally
        .iter()
        .map(|(c, t)| {
            let tied = (c + t) as f64;
            tied * (tied - 1.0) * (tied + 1.0)
        })
        .sum();
    (c * t / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)))).max(0.0).sqrt()
}

/// Brunner and Munzel's test (2000) of "a treated value is as likely to be the larger as the smaller one".
///
/// It allows for unequal spread and for ties, where Mann and Whitney's does not. t with Satterthwaite's
/// degrees of freedom; from some ten units in each arm on. A positive statistic says that treated values
/// tend to be larger (scipy's sign is the other way round).
///
/// # Errors
/// [`Refusal::TooLittle`] below two units in an arm, [`Refusal::OutOfRange`] for a value that is not
/// finite, [`Refusal::NoVariance`] where no arm reaches into the other: every rank is then certain.
pub fn brunner_munzel(control: &[f64], treatment: &[f64], alternative: Alternative) -> Result<Test, Refusal> {
    superiority(control, treatment)?.test(0.5, alternative)
}

/// The probability of superiority with its standard error.
fn superiority(control: &[f64], treatment: &[f64]) -> Result<Estimate, Refusal> {
    let c = Sorted::new(control, Arm::Control, 2)?;
    let t = Sorted::new(treatment, Arm::Treatment, 2)?;
    let tally = tally(&c, &t);
    let (n_c, n_t) = (c.len(), t.len());
    // The placement of a value: how many of the other arm lie below, ties counted half. Its variance
    // within an arm is that of the rank in both less the rank in its own.
    let (mut below_c, mut below_t) = (0.0, 0.0);
    let (mut placed_c, mut placed_t) = (crate::Moments::EMPTY, crate::Moments::EMPTY);
    for &(of_c, of_t) in &tally {
        let (c, t) = (of_c as f64, of_t as f64);
        placed_c = placed_c.merge(&crate::Moments::constant(of_c, below_t + 0.5 * t)?);
        placed_t = placed_t.merge(&crate::Moments::constant(of_t, below_c + 0.5 * c)?);
        below_c += c;
        below_t += t;
    }
    let (s_c, s_t) = (placed_c.variance().unwrap_or(0.0), placed_t.variance().unwrap_or(0.0));
    let w: f64 = self::w(&tally);
    // Variances of the two mean placements, as shares of all pairs.
    let (v_c, v_t) = (s_c / (n_c * n_t * n_t), s_t / (n_t * n_c * n_c));
    let total = v_c + v_t;
    if total == 0.0 {
        return Err(Refusal::NoVariance);
    }
    let df = total * total / (v_c * v_c / (n_c - 1.0) + v_t * v_t / (n_t - 1.0));
    Estimate::new(w / (n_c * n_t), total.sqrt(), Some(df), Method::BrunnerMunzel)
}
