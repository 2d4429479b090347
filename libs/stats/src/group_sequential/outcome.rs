//! What may be said once a group-sequential experiment has stopped.

use super::design::{Design, check_estimate};
use super::futility::Binding;
use super::recursion::{Drifts, Running, Side};
use crate::comparison::probability;
use crate::root::bracketed;
use crate::{Interval, Refusal, Sides};
use serde::{Deserialize, Serialize};

/// Whether to stop at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Beyond the bound: there is an effect.
    Effect,
    /// Below the futility bound, or at the last look without an effect.
    GiveUp,
    /// Neither: wait for the next look.
    RunOn,
}

/// The result of an experiment that stopped, by stagewise ordering (Tsiatis, Rosner and Mehta 1984): the
/// earlier it stopped with an effect the stronger the evidence, and within a look the larger `Z`.
///
/// Naive values would be too good: an experiment stops where luck was on its side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What stopped it.
    pub decision: Decision,
    /// The median-unbiased estimate, in the unit of the metric.
    pub estimate: f64,
    /// The interval with the error rate of one side at each end: two-sided 95 % for a one-sided design at
    /// 2.5 % as for a two-sided one at 5 %.
    pub interval: Interval,
    /// The p-value, with the sides of the design. Never zero.
    pub p: f64,
}

impl Design {
    /// Whether to stop at a look, counted from 0, with `z = estimate/se`.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a look that is not planned or a `z` that is not a number.
    pub fn decide(&self, look: usize, z: f64) -> Result<Decision, Refusal> {
        let bound = self.bound(look)?;
        if z.is_nan() {
            return Err(Refusal::out_of_range("a z statistic", "among the numbers", z));
        }
        let far = match self.sides {
            Sides::One => z,
            Sides::Two => z.abs(),
        };
        let floor = self.futility_z().and_then(|lower| lower.get(look)).copied();
        Ok(if far >= bound {
            Decision::Effect
        } else if look + 1 == self.upper.len() || floor.is_some_and(|floor| z < floor) {
            Decision::GiveUp
        } else {
            Decision::RunOn
        })
    }

    /// The adjusted result of an experiment that stopped at `look`, counted from 0, with an estimate and its standard error.
    ///
    /// Assumes the looks of the design. A futility bound that does not bind is not counted on.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] where the experiment should run on, and for values that are not finite;
    /// [`Refusal::NotConverged`] where an end of the interval is not found.
    pub fn outcome(&self, look: usize, estimate: f64, se: f64) -> Result<Outcome, Refusal> {
        check_estimate(estimate, se)?;
        let z = estimate / se;
        let decision = self.decide(look, z)?;
        let t = self.looks.shares().get(look).copied().unwrap_or(f64::NAN);
        if decision == Decision::RunOn {
            let range = "beyond a bound of a look that is not the last";
            return Err(Refusal::out_of_range("the z statistic of a result", range, z));
        }
        let binding = self.lower.as_ref().is_some_and(|lower| lower.binding == Binding::Binding);
        let ordering = Ordering { design: self, regions: self.regions(binding), look, t, z };
        let alpha = self.alpha();
        let [low, middle, high] = ordering.drifts([alpha, 0.5, 1.0 - alpha])?;
        let (above, below) = ordering.tails(&self.paths(&ordering.regions, Drifts::NONE), 0.0);
        let p = match self.sides {
            Sides::One => above,
            Sides::Two => 2.0 * above.min(below),
        };
        // θ = effect·√(planned information), and se = 1/√(t·planned information).
        let unit = se * t.sqrt();
        Ok(Outcome {
            decision,
            estimate: middle * unit,
            interval: Interval { low: low * unit, high: high * unit },
            p: probability(p.ln()),
        })
    }
}

/// The ordering of results around the one that was seen.
struct Ordering<'a> {
    design: &'a Design,
    regions: Vec<(f64, f64)>,
    look: usize,
    t: f64,
    z: f64,
}

impl Ordering<'_> {
    /// Probabilities under a drift of results at least as high, and at most as high, as the one seen.
    fn tails(&self, paths: &[Running], drift: f64) -> (f64, f64) {
        let (mut above, mut below) = (0.0, 0.0);
        let looks = paths.iter().zip(self.design.looks.shares()).zip(&self.regions);
        for ((path, &t), &(low, high)) in looks.take(self.look) {
            above += path.beyond(Side::Above, t, high, drift).0;
            if low > f64::NEG_INFINITY {
                below += path.beyond(Side::Below, t, low, drift).0;
            }
        }
        if let Some(path) = paths.get(self.look) {
            above += path.beyond(Side::Above, self.t, self.z, drift).0;
            below += path.beyond(Side::Below, self.t, self.z, drift).0;
        }
        (above, below)
    }

    /// The drifts under which a result at least as high has the probabilities given, which rise.
    fn drifts<const N: usize>(&self, targets: [f64; N]) -> Result<[f64; N], Refusal> {
        const WHAT: &str = "an end of an adjusted interval";
        /// Wider than any interval of a look that could be reached.
        const FARTHEST: f64 = 1e4;
        let middle = self.z / self.t.sqrt();
        let mut reach = 6.0 / self.t.sqrt();
        loop {
            let (low, high) = (middle - reach, middle + reach);
            let drifts = Drifts { low, high, base: middle };
            let paths = self.design.paths(&self.regions, drifts);
            // From the smaller tail, so that neither end loses digits.
            let excess = |drift: f64, target: f64| {
                let (above, below) = self.tails(&paths, drift);
                if target < 0.5 { above - target } else { (1.0 - target) - below }
            };
            let [first, last] = [targets.first(), targets.last()].map(|t| t.copied().unwrap_or(0.5));
            if excess(low, first) < 0.0 && excess(high, last) > 0.0 {
                let mut found = [0.0; N];
                for (place, target) in found.iter_mut().zip(targets) {
                    *place = bracketed(WHAT, low, high, |drift| excess(drift, target))?;
                }
                return Ok(found);
            }
            reach *= 2.0;
            if reach.is_nan() || reach > FARTHEST {
                return Err(Refusal::not_converged(WHAT));
            }
        }
    }
}
