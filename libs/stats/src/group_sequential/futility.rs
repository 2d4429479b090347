//! Futility: bounds below which an experiment gives up, by spending beta.

use super::Spending;
use super::design::{Design, Stopping, check_drift, check_power};
use super::recursion::{Drifts, Grid, Running, Side};
use crate::root::bracketed;
use crate::special::normal;
use crate::{Refusal, Sides};
use serde::{Deserialize, Serialize};

/// Whether giving up is an obligation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// One may run on below the bound: alpha holds anyway. The efficacy bounds are those without futility.
    NonBinding,
    /// One must stop: the efficacy bounds are lower in return, and alpha holds only if one does.
    Binding,
}

/// When to give up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Futility {
    /// How beta is spent.
    pub spending: Spending,
    /// The power, `1 - beta`.
    pub power: f64,
    /// Whether giving up is an obligation.
    pub binding: Binding,
    /// The drift under which beta is spent. None: the one at which the last two bounds meet, as when
    /// planning. Some: that of the plan, for looks that came at other times than planned.
    pub drift: Option<f64>,
}

/// Lower bounds, and how they came about.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lower {
    pub(super) z: Vec<f64>,
    pub(super) binding: Binding,
    /// What is spent by each look, and under which drift; none for bounds from elsewhere.
    pub(super) beta: Option<(Vec<f64>, f64)>,
}

impl Lower {
    /// Bounds that were given, and are heeded.
    pub(super) fn of_bounds(z: Vec<f64>) -> Self {
        Self { z, binding: Binding::Binding, beta: None }
    }
}

impl Design {
    /// The design, one-sided, that also gives up, where beta is spent by a function.
    ///
    /// At each look the lower bound has spent the function's share of beta under the drift; the drift
    /// is the one at which the last lower bound meets the last upper one, so that the design has exactly
    /// the power asked for.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a two-sided design, a bound that binds beside one of Wang and
    /// Tsiatis, a power that is not between alpha and 1, or a parameter of the spending function; [`Refusal::NotConverged`] where no drift makes the bounds meet.
    pub fn with_futility(self, futility: Futility) -> Result<Self, Refusal> {
        check_power(futility.power, self.level)?;
        if self.sides == Sides::Two {
            return Err(Refusal::out_of_range("a design with futility", "on one side", "two sides"));
        }
        let beta = 1.0 - futility.power;
        let upper = match (futility.binding, &self.targets) {
            (Binding::NonBinding, _) => Upper::Fixed(&self.upper),
            (Binding::Binding, Some(targets)) => Upper::Spending(targets),
            (Binding::Binding, None) => {
                let range = "one by a spending function where futility binds";
                return Err(Refusal::out_of_range("a boundary", range, "Wang-Tsiatis"));
            }
        };
        let beta = futility.spending.targets(&self.looks, beta)?;
        let search = Search { shares: self.looks.shares(), beta, upper };
        let drift = match futility.drift {
            Some(drift) => {
                check_drift(drift)?;
                drift
            }
            None => search.drift(self.level.alpha())?,
        };
        let (upper, z) = search
            .bounds(drift, &Grid::fine())
            .ok_or_else(|| Refusal::not_converged("the bounds of a design with futility"))?;
        let binding = futility.binding;
        let mut design = Self { upper, lower: Some(Lower { z, binding, beta: None }), ..self };
        // What is really spent, of both.
        let regions = design.regions(binding == Binding::Binding);
        let steps = design.stopping_of(&design.paths(&regions, Drifts::NONE), &regions, 0.0);
        design.set_spent(steps.iter().map(|stop| stop.above).collect());
        let mut sum = 0.0;
        let add = |stop: Stopping| {
            sum += stop.below;
            sum
        };
        let beta = design.stopping(drift)?.into_iter().map(add).collect();
        if let Some(lower) = &mut design.lower {
            lower.beta = Some((beta, drift));
        }
        Ok(design)
    }
}

/// What a search for bounds holds fixed; `beta` is what may be spent by each look.
struct Search<'a> {
    shares: &'a [f64],
    beta: Vec<f64>,
    upper: Upper<'a>,
}

/// The efficacy bounds: those without futility, or what they may spend by each look beside it.
enum Upper<'a> {
    Fixed(&'a [f64]),
    Spending(&'a [f64]),
}

/// Bounds so far, and the paths that run on before the last look.
struct Approach {
    upper: Vec<f64>,
    lower: Vec<f64>,
    last_upper: f64,
    run: Running,
}

impl Search<'_> {
    /// Upper and lower bounds at a drift; the last two are one. None where the mass that runs on is less
    /// than what is to be spent.
    fn bounds(&self, drift: f64, grid: &Grid) -> Option<(Vec<f64>, Vec<f64>)> {
        let Approach { mut upper, mut lower, last_upper, .. } = self.approach(drift, grid)?;
        upper.push(last_upper);
        lower.push(last_upper);
        Some((upper, lower))
    }

    fn approach(&self, drift: f64, grid: &Grid) -> Option<Approach> {
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        let drifts = Drifts::up_to(drift);
        let mut run = Running::start(drifts.base);
        let (mut alpha, mut beta) = (0.0, 0.0);
        for (k, &t) in self.shares.iter().enumerate() {
            let high = match self.upper {
                Upper::Fixed(upper) => *upper.get(k)?,
                Upper::Spending(targets) => {
                    let more = targets.get(k)? - alpha;
                    if more <= 4.0 * f64::EPSILON * alpha {
                        f64::INFINITY
                    } else {
                        alpha += more;
                        run.solve(Side::Above, t, more, 0.0)?
                    }
                }
            };
            let Some(&next) = self.shares.get(k + 1) else {
                return Some(Approach { upper, lower, last_upper: high, run });
            };
            let more = self.beta.get(k)? - beta;
            let low = if more <= 4.0 * f64::EPSILON * beta {
                f64::NEG_INFINITY
            } else {
                beta += more;
                run.solve(Side::Below, t, more, drift)?
            };
            if low >= high {
                return None;
            }
            upper.push(high);
            lower.push(low);
            run = run.advance(t, (low, high), next, grid, drifts);
        }
        None
    }

    /// The drift at which the last lower bound meets the last upper one.
    fn drift(&self, level: f64) -> Result<f64, Refusal> {
        const WHAT: &str = "the drift of a design with futility";
        let (Some(&t), Some(&beta)) = (self.shares.last(), self.beta.last()) else {
            return Err(Refusal::not_converged(WHAT));
        };
        let before = self.shares.len().checked_sub(2).and_then(|k| self.beta.get(k)).copied().unwrap_or(0.0);
        // What would be left below the last bound, beyond what may be. It falls in the drift; where bounds
        // cross already before the last look, the drift is too large.
        let excess = |drift: f64, grid: &Grid| match self.approach(drift, grid) {
            Some(Approach { run, last_upper, .. }) => {
                run.beyond(Side::Below, t, last_upper, drift).0 - (beta - before)
            }
            None => -1.0,
        };
        // A drift without any power worth the name, and one with too much.
        let high = 30.0f64.min(4.0 * (4.0 - normal::quantile(level)) / t.sqrt());
        let near = bracketed(WHAT, 0.0, high, |drift| excess(drift, &Grid::draft()))?;
        let fine = |drift: f64| excess(drift, &Grid::fine());
        bracketed(WHAT, near * (1.0 - 1e-5), near * (1.0 + 1e-5), fine)
            .or_else(|_| bracketed(WHAT, 0.0, high, fine))
    }
}
