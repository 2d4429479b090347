//! Tests of the two-by-two table: Pearson's χ² and the likelihood ratio.

use crate::special::chi_squared;
use crate::{Arm, Method, Proportion, Refusal, Test};
use serde::{Deserialize, Serialize};

/// Whether the counts are moved towards what is expected before a table is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Continuity {
    /// The counts as they are: the error rate is close to its level from five expected in each cell on.
    None,
    /// Yates': each count is moved by one half, at most to the expected one. Conservative; R and scipy do it
    /// by default.
    Yates,
}

/// `(observed, expected)` of the four cells.
fn cells(
    control: &Proportion,
    treatment: &Proportion,
    continuity: Continuity,
) -> Result<[(f64, f64); 4], Refusal> {
    control.estimated(Arm::Control)?;
    treatment.estimated(Arm::Treatment)?;
    let (successes, failures, n) = control.pooled(treatment);
    if successes == 0.0 || failures == 0.0 {
        return Err(Refusal::NoVariance);
    }
    let cell = |observed: u64, total: f64, arm: &Proportion| {
        let (observed, expected) = (observed as f64, total * (arm.n() as f64 / n));
        let distance = observed - expected;
        let moved = match continuity {
            Continuity::None => observed,
            Continuity::Yates => observed - distance.signum() * distance.abs().min(0.5),
        };
        (moved, expected)
    };
    Ok([
        cell(control.successes(), successes, control),
        cell(control.n() - control.successes(), failures, control),
        cell(treatment.successes(), successes, treatment),
        cell(treatment.n() - treatment.successes(), failures, treatment),
    ])
}

fn test(statistic: f64, method: Method) -> Result<Test, Refusal> {
    Test::new(statistic, Some(1.0), chi_squared::ln_sf(statistic, 1.0), method)
}

/// Pearson's `Σ(o - e)²/e` with one degree of freedom, two-sided. Without a correction it is the square of the
/// pooled z.
///
/// Fails where fewer than five are expected in a cell; [`super::fisher`] does not.
///
/// # Errors
/// [`Refusal::TooLittle`] for an arm without units, [`Refusal::NoVariance`] where all units have the
/// same outcome.
pub fn pearson(
    control: &Proportion,
    treatment: &Proportion,
    continuity: Continuity,
) -> Result<Test, Refusal> {
    let cells = cells(control, treatment, continuity)?;
    test(cells.iter().map(|(o, e)| (o - e) * (o - e) / e).sum(), Method::PearsonChi2)
}

/// The likelihood ratio (G) `2 Σ o ln(o/e)` with one degree of freedom, two-sided.
///
/// # Errors
/// Those of [`pearson`].
pub fn likelihood_ratio(
    control: &Proportion,
    treatment: &Proportion,
    continuity: Continuity,
) -> Result<Test, Refusal> {
    let cells = cells(control, treatment, continuity)?;
    let g: f64 = cells.iter().map(|&(o, e)| deviance(o, e)).sum();
    test(2.0 * g, Method::LikelihoodRatioG)
}

/// `o ln(o/e) - (o - e)`: the terms that cancel in the sum are left out of each, so that a small G of
/// large counts keeps its digits.
pub(crate) fn deviance(observed: f64, expected: f64) -> f64 {
    if observed == 0.0 {
        return expected;
    }
    let u = (expected - observed) / observed;
    // o ln(o/e) = -o ln(1 + u).
    -observed * if u.abs() < 0.5 { crate::special::ln_1p_minus(u) } else { (expected / observed).ln() - u }
}
