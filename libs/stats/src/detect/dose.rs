//! Whether a drop comes from the new release: its share of the events against its share of the traffic.

use crate::sequential::{EProcess, EValue};
use crate::{Method, Refusal};
use serde::{Deserialize, Serialize};

/// Drops that are bet on, as what is left of the rate of the new release. An outage is nearly none, so that
/// one stray event does not end the bet for ever.
const LEFT: [f64; 5] = [0.0001, 0.2, 0.4, 0.6, 0.75];

/// Evidence that what the new release serves gives fewer events than what the old one does.
///
/// Where both are alike, each event comes from the new release with the probability of its share of the
/// traffic, whatever the time of day: no baseline, no season, no profile. Against that each drop bets, and
/// the average of the bets is an e-process: a false alarm at `e >= 1/alpha` comes at most once in `1/alpha`
/// rollouts.
///
/// Assumes that the share of the traffic is right (measure it while both are the same) and that routing does
/// not follow users. It says nothing once the new release has all traffic.
///
/// ```
/// use bellwether_stats::detect::DoseResponse;
/// let mut release = DoseResponse::default();
/// // A tenth of the traffic; one event of the new release where ten were due.
/// release.observe(1, 90, 0.1).unwrap();
/// assert!(release.evidence().current().value() > 100.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct DoseResponse {
    bets: [EProcess; LEFT.len()],
    all: EProcess,
}

impl DoseResponse {
    /// How it is made.
    pub const METHOD: Method = Method::DoseResponse;

    /// Takes the events of a bin by the release that served them, and the share of the traffic that the new
    /// one had. A bin in which that was none or all says nothing.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a share that is not from 0 to 1.
    pub fn observe(&mut self, new: u64, old: u64, share: f64) -> Result<(), Refusal> {
        if !(0.0..=1.0).contains(&share) {
            return Err(Refusal::out_of_range("the share of a release", "between 0 and 1", share));
        }
        if share == 0.0 || share == 1.0 {
            return Ok(());
        }
        for (bet, left) in self.bets.iter_mut().zip(LEFT) {
            let dropped = share * left / (share * left + 1.0 - share);
            let ln =
                new as f64 * (dropped / share).ln() + old as f64 * ((1.0 - dropped) / (1.0 - share)).ln();
            bet.multiply(EValue::from_ln(ln)?);
        }
        let values = self.bets.map(|bet| bet.current());
        self.all.observe(EValue::average(&values)?);
        Ok(())
    }

    /// The evidence so far.
    pub fn evidence(&self) -> &EProcess {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::simulate::Random;
    use super::*;

    /// A rollout over six minutes in bins of ten seconds; the share of runs with evidence of 1,000.
    fn found(left: f64, per_minute: f64, runs: u64) -> u64 {
        let run = |seed: u64| {
            let mut random = Random(seed);
            let mut release = DoseResponse::default();
            (0..36).any(|bin| {
                let share = f64::from(bin) / 36.0;
                let new = random.poisson(per_minute / 6.0 * share * left);
                let old = random.poisson(per_minute / 6.0 * (1.0 - share));
                release.observe(new, old, share).unwrap();
                release.evidence().highest().value() >= 1_000.0
            })
        };
        (0..runs).filter(|&seed| run(seed)).count() as u64
    }

    /// The published table of detections: 50 % at 50 a minute in 59 of 100, all at 200, and no false ones.
    #[test]
    fn drops_are_found_as_often_as_published() {
        assert!(found(1.0, 200.0, 400) <= 2);
        let half = found(0.5, 50.0, 400);
        assert!((half as f64 / 400.0 - 0.59).abs() < 0.08, "{half}");
        assert!(found(0.5, 200.0, 100) >= 99);
        let third = found(0.7, 200.0, 400);
        assert!((third as f64 / 400.0 - 0.74).abs() < 0.08, "{third}");
    }

    #[test]
    fn a_share_that_is_none_is_refused() {
        let mut release = DoseResponse::default();
        assert!(release.observe(1, 1, 1.5).is_err() && release.observe(1, 1, f64::NAN).is_err());
        release.observe(1_000, 0, 1.0).unwrap();
        assert_eq!(release, DoseResponse::default());
    }
}
