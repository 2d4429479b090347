//! When a rate changed.

use crate::sequential::EValue;
use crate::{Method, Refusal};
use serde::{Deserialize, Serialize};

/// The most likely time of one change in a rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChangePoint {
    /// Position of the first bin of the new rate.
    pub at: usize,
    /// The first and the last position in the smallest set that holds the change with the confidence asked
    /// for, if there was one.
    pub between: (usize, usize),
    /// The rate before, as a share of what was expected.
    pub before: f64,
    /// The rate from there on.
    pub after: f64,
    /// Evidence that the rate changed at all.
    pub evidence: EValue,
}

impl ChangePoint {
    /// How it is found.
    pub const METHOD: Method = Method::PoissonChangePoint;
}

/// Finds where the rate of counts changed against what was expected of them, for example when an alarm came
/// and one wants to know since when.
///
/// Under "no change" the events before a position are, given their total, a binomial share of them. The
/// evidence is the average over all positions of the likelihood ratio with a uniform mixture over that
/// share: an e-value, so that looking at it in many metrics can be paid for (see
/// [`crate::sequential::e_benjamini_hochberg`]). Its terms are the posterior of the position.
///
/// Assumes Poisson counts; where they vary more, evidence is overstated. Two changes are seen as one.
///
/// # Errors
/// [`Refusal::LengthsDiffer`]; [`Refusal::TooFew`] below two bins or without an event;
/// [`Refusal::OutOfRange`] for an expectation that is not above 0, or a confidence that is not between 0
/// and 1.
///
/// ```
/// use bellwether_stats::detect::change_point;
/// let counts = [11, 9, 10, 12, 8, 10, 2, 1, 3, 2, 1];
/// let change = change_point(&counts, &[10.0; 11], 0.95).unwrap();
/// assert_eq!(change.at, 6);
/// assert!(change.after < 0.5 && change.evidence.value() > 20.0);
/// ```
pub fn change_point(counts: &[u64], expected: &[f64], confidence: f64) -> Result<ChangePoint, Refusal> {
    if counts.len() != expected.len() {
        return Err(Refusal::LengthsDiffer {
            what: "counts".to_owned(),
            have: counts.len(),
            with: "expected counts".to_owned(),
            need: expected.len(),
        });
    }
    if counts.len() < 2 {
        return Err(Refusal::too_few("bins", counts.len() as u64, 2));
    }
    if let Some(bad) = expected.iter().find(|m| !(**m > 0.0 && m.is_finite())) {
        return Err(Refusal::out_of_range("an expected count", "above 0", bad));
    }
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(Refusal::out_of_range("a confidence", "between 0 and 1", confidence));
    }
    let events: f64 = counts.iter().map(|&x| x as f64).sum();
    let total: f64 = expected.iter().sum();
    if events == 0.0 {
        return Err(Refusal::too_few("events", 0, 1));
    }
    // For each position: the mixture likelihood ratio, B(x+1, X-x+1)/(q^x (1-q)^(X-x)).
    let (mut seen, mut usual) = (0.0, 0.0);
    let mut positions = Vec::with_capacity(counts.len() - 1);
    for (i, (&x, m)) in counts.iter().zip(expected).enumerate().take(counts.len() - 1) {
        seen += x as f64;
        usual += m;
        let (rest, left) = (events - seen, total - usual);
        let ln_beta = libm::lgamma(seen + 1.0) + libm::lgamma(rest + 1.0) - libm::lgamma(events + 2.0);
        let ln_ratio = ln_beta - seen * (usual / total).ln() - rest * (left / total).ln();
        positions.push((i + 1, ln_ratio, seen / usual, rest / left));
    }
    let all: Vec<EValue> =
        positions.iter().map(|&(_, ln, ..)| EValue::from_ln(ln)).collect::<Result<_, _>>()?;
    let evidence = EValue::average(&all)?;
    positions.sort_by(|a, b| b.1.total_cmp(&a.1));
    let Some(&(at, _, before, after)) = positions.first() else {
        return Err(Refusal::too_few("bins", counts.len() as u64, 2));
    };
    // The likeliest positions until they hold enough of the posterior.
    let whole = evidence.ln() + (positions.len() as f64).ln();
    let (mut mass, mut between) = (0.0, (at, at));
    for (position, ln, ..) in positions {
        if mass >= confidence {
            break;
        }
        mass += (ln - whole).exp();
        between = (between.0.min(position), between.1.max(position));
    }
    Ok(ChangePoint { at, between, before, after, evidence })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::simulate::Random;
    use super::*;

    #[test]
    fn evidence_is_an_e_value_and_sets_cover() {
        let runs = 2_000;
        let (mut sum, mut rejected, mut covered) = (0.0, 0, 0);
        for seed in 0..runs {
            let mut random = Random(seed);
            let expected: Vec<f64> = (0..40).map(|i| 3.0 + f64::from(i % 7)).collect();
            let quiet: Vec<u64> = expected.iter().map(|m| random.poisson(*m)).collect();
            let evidence = change_point(&quiet, &expected, 0.9).unwrap().evidence;
            sum += evidence.value();
            rejected += u64::from(evidence.value() >= 20.0);
            let change = 1 + (seed % 38) as usize;
            let dropped: Vec<u64> = expected
                .iter()
                .enumerate()
                .map(|(i, m)| random.poisson(if i < change { *m } else { 0.5 * m }))
                .collect();
            let found = change_point(&dropped, &expected, 0.9).unwrap();
            covered += u64::from(found.between.0 <= change && change <= found.between.1);
        }
        // One in expectation, with a heavy tail; and 20 at most one time in twenty.
        assert!(sum / (runs as f64) < 1.3, "{}", sum / runs as f64);
        assert!(rejected * 20 < runs, "{rejected}");
        assert!(covered * 100 >= runs * 88, "{covered}");
    }

    #[test]
    fn what_has_no_change_point_is_refused() {
        let check =
            |counts: &[u64], expected: &[f64]| change_point(counts, expected, 0.9).unwrap_err().to_string();
        assert_eq!(check(&[1], &[1.0, 2.0]), "`1` counts do not fit `2` expected counts");
        assert_eq!(check(&[1], &[1.0]), "too little data: `1` bins, this method needs `2`");
        assert_eq!(check(&[0, 0], &[1.0, 1.0]), "too little data: `0` events, this method needs `1`");
        assert_eq!(check(&[1, 1], &[1.0, 0.0]), "an expected count must lie above 0: `0`");
        assert!(change_point(&[1, 1], &[1.0, 1.0], 1.0).is_err());
    }
}
