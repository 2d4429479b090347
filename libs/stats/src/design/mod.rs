//! Designs other than a coin for each unit, each with the analysis that belongs to it.
//!
//! - [`switchback`]: time blocks take turns; washout, errors of blocks and of series.
//! - [`cluster`]: whole clusters are assigned; intraclass correlation and design effect.
//! - [`assignment`]: stratified and re-randomised assignment.
//! - [`interleaving`]: two rankings in one list; credit, preference, sensitivity.
//! - [`holdout`]: what a quarter of launches has added up to.
//! - [`randomisation`]: the test that belongs to any of them: draw the assignment again as it was drawn.

pub mod assignment;
pub mod cluster;
pub mod holdout;
pub mod interleaving;
pub mod switchback;

use crate::{Method, Refusal, Test};

/// An assignment of more is not made in memory.
const MOST_UNITS: usize = 100_000_000;

fn few_units(what: &str, units: usize) -> Result<(), Refusal> {
    if units <= MOST_UNITS {
        return Ok(());
    }
    Err(Refusal::out_of_range(what, &format!("at or below `{MOST_UNITS}`"), units))
}

/// Fisher's randomisation test: the statistic of the assignment that was, among those of assignments drawn again by
/// the same mechanism. `p = (1 + #{|T*| >= |T|}) / (draws + 1)`.
///
/// Exact for the hypothesis that no unit's outcome depends on its arm, whatever the outcomes' distribution and
/// dependence, where `assign` is the mechanism that was used (a number for each draw is its only source of chance) and
/// `statistic` sees nothing but arms and what does not depend on them. It says nothing about an average effect that is
/// zero while units have effects. A draw without a statistic (one arm empty) counts as one that is as far out.
///
/// # Errors
/// [`Refusal::TooFew`] below 99 draws, [`Refusal::OutOfRange`] above 10 million, [`Refusal::NotFinite`] where the assignment that was has no statistic.
///
/// ```
/// use bellwether_stats::design::{assignment::complete, randomisation};
/// let outcomes = [1.0, 1.2, 0.9, 1.1, 2.1, 2.3, 1.9, 2.0];
/// let treated = [false, false, false, false, true, true, true, true];
/// let difference = |arms: &[bool]| {
///     let mean = |arm: bool| -> f64 {
///         let own = || outcomes.iter().zip(arms).filter(|(_, a)| **a == arm);
///         own().map(|(y, _)| y).sum::<f64>() / own().count() as f64
///     };
///     mean(true) - mean(false)
/// };
/// let test = randomisation(&treated, 2_000, |draw| complete(8, 4, draw).unwrap(), difference).unwrap();
/// assert!(test.p < 0.06); // 2 of 70 assignments are as far out
/// ```
pub fn randomisation(
    treated: &[bool],
    draws: u64,
    assign: impl Fn(u64) -> Vec<bool>,
    statistic: impl Fn(&[bool]) -> f64,
) -> Result<Test, Refusal> {
    const FEWEST: u64 = 99;
    crate::random::check_draws(draws, FEWEST)?;
    let observed = statistic(treated);
    if !observed.is_finite() {
        return Err(Refusal::not_finite("statistic"));
    }
    // Sums in another order differ in the last digits, which must not break a tie.
    let as_far = observed.abs() * (1.0 - 1e-9);
    let farther = (0..draws)
        .filter(|&draw| {
            let drawn = statistic(&assign(draw)).abs();
            drawn >= as_far || drawn.is_nan()
        })
        .count();
    let p = (1.0 + farther as f64) / (1.0 + draws as f64);
    Test::new(observed, None, p.ln(), Method::Randomisation)
}
