//! A design: bounds at planned looks, what they spend, and what they cost and save.

use super::futility::Lower;
use super::recursion::{Drifts, Grid, Running, Side};
use super::{Looks, Spending};
use crate::root::bracketed;
use crate::special::normal;
use crate::{Interval, Level, Method, Refusal, Sides};
use serde::{Deserialize, Serialize};

/// How the bounds come about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// By a spending function: the looks need not come when planned.
    Spending(Spending),
    /// Wang and Tsiatis (1987): `c_k = C·(t_k/t_K)^(Δ - ½)`, all looks planned ahead. `Δ = 0` is the
    /// classical O'Brien-Fleming bound and `Δ = ½` that of Pocock.
    WangTsiatis(
        /// `Δ`, between -2 and 2.
        f64,
    ),
}

impl Boundary {
    /// The bound of O'Brien and Fleming (1979): `C/√t`.
    pub const OBRIEN_FLEMING: Self = Self::WangTsiatis(0.0);
    /// The bound of Pocock (1977): the same at each look.
    pub const POCOCK: Self = Self::WangTsiatis(0.5);
}

/// A group-sequential design.
///
/// Looks count from 0, as the places of [`Design::critical_z`] do: the first of five is look 0, the last look 4.
///
/// At look `k` the statistic `Z_k` (estimate over standard error) is held against `c_k`: beyond it the
/// experiment stops with an effect. One-sided, only large values stop; two-sided, both ends do, each
/// with half of alpha, in one symmetric region (so does rpact; Spotify's two separate one-sided designs
/// at half of alpha spend a little less).
///
/// Assumes that the `Z_k` have independent increments of information, as every difference of means,
/// proportions or ratios by arm has. It fails where an estimate at a look uses other units or other
/// weights than the looks before, for example a metric that is still accruing per unit.
///
/// The *drift* `θ` is the expectation of `Z` at `t = 1`: effect times `√(planned information)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    pub(super) looks: Looks,
    pub(super) level: Level,
    pub(super) sides: Sides,
    pub(super) upper: Vec<f64>,
    pub(super) lower: Option<Lower>,
    pub(super) spent: Vec<f64>,
    /// What may be spent by each look on one side, where that was given by a function.
    pub(super) targets: Option<Vec<f64>>,
}

/// Where an experiment stops at one look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stopping {
    /// Share of the information.
    pub t: f64,
    /// Probability to stop here with an effect above.
    pub above: f64,
    /// Probability to stop here below: with an effect (two-sided), or for futility.
    pub below: f64,
}

impl Design {
    /// How it is made.
    pub const METHOD: Method = Method::GroupSequential;

    /// A design whose error rate over all looks is exactly that of the level: per side `alpha` one-sided,
    /// `alpha/2` two-sided.
    ///
    /// By spending, the looks spend `f(t)`: list the looks that were and those still planned. Where the
    /// experiment ended before all of its information came in, see [`Design::ending`].
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a parameter of the boundary, or below an alpha of `1e-12` a side: paths beyond `Z = 9` (`1e-19` of
    /// all) are not followed, and would count. [`Refusal::NotConverged`] where a bound was not found. A bound that is not exact is never
    /// given.
    pub fn new(looks: &Looks, level: Level, sides: Sides, boundary: Boundary) -> Result<Self, Refusal> {
        let frame = Frame { looks, alpha: followed(per_side(level, sides))?, sides };
        match boundary {
            Boundary::Spending(f) => frame.by(f.targets(looks, frame.alpha)?, level),
            Boundary::WangTsiatis(delta) => frame.design(level, frame.wang_tsiatis(delta)?, None),
        }
    }

    /// As [`Design::new`] by spending, but the last look is the last whatever its information, and spends
    /// all that is left: for an experiment that ended early.
    ///
    /// # Errors
    /// As [`Design::new`].
    pub fn ending(looks: &Looks, level: Level, sides: Sides, spending: Spending) -> Result<Self, Refusal> {
        let frame = Frame { looks, alpha: followed(per_side(level, sides))?, sides };
        let mut targets = spending.targets(looks, frame.alpha)?;
        if let Some(last) = targets.last_mut() {
            *last = frame.alpha;
        }
        frame.by(targets, level)
    }

    /// A design by bounds from elsewhere, to see what they really spend and what power they have. A lower
    /// bound, on one side, is taken to be heeded.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for bounds that are not one for each look or not a number, for lower bounds
    /// above the upper ones or on two sides, and for bounds that spend less than `1e-12` a side, or half or more.
    ///
    /// ```
    /// use bellwether_stats::group_sequential::{Design, Looks};
    /// use bellwether_stats::Sides;
    /// // rpact 3.3.4 for looks close to each other, at a one-sided 0.025.
    /// let looks = Looks::new(&[0.3, 0.31, 1.0]).unwrap();
    /// let design = Design::of_bounds(&looks, Sides::One, &[3.92857254, 3.91552822, 1.95864151], None).unwrap();
    /// assert!((design.spent()[2] - 0.0250977).abs() < 1e-7);
    /// ```
    pub fn of_bounds(
        looks: &Looks,
        sides: Sides,
        critical_z: &[f64],
        futility_z: Option<&[f64]>,
    ) -> Result<Self, Refusal> {
        let k = looks.shares().len();
        for bounds in [Some(critical_z), futility_z].into_iter().flatten() {
            if bounds.len() != k {
                let range = format!("`{k}`, one for each look");
                return Err(Refusal::out_of_range("the number of bounds", &range, bounds.len()));
            }
            if let Some(bad) = bounds.iter().find(|z| z.is_nan()) {
                return Err(Refusal::out_of_range("a bound", "among the numbers", bad));
            }
        }
        let crossed = |lower: &&[f64]| lower.iter().zip(critical_z).any(|(low, high)| low > high);
        if futility_z.is_some_and(|lower| sides == Sides::Two || crossed(&lower)) {
            let range = "below the upper bounds, in a one-sided design";
            return Err(Refusal::out_of_range("futility bounds", range, "these"));
        }
        let mut design = Self {
            looks: looks.clone(),
            // Replaced below by what is spent.
            level: Level::P95,
            sides,
            upper: critical_z.to_vec(),
            lower: futility_z.map(|z| Lower::of_bounds(z.to_vec())),
            spent: Vec::new(),
            targets: None,
        };
        let both = if sides == Sides::Two { 2.0 } else { 1.0 };
        design.set_spent(design.stopping(0.0)?.iter().map(|stop| both * stop.above).collect());
        design.level = Level::from_alpha(design.spent.last().copied().unwrap_or(f64::NAN))?;
        followed(design.alpha())?;
        Ok(design)
    }

    /// When one looks.
    pub fn looks(&self) -> &Looks {
        &self.looks
    }

    /// The bound of `Z` at each look, for both sides its absolute value; infinite where a look has nothing
    /// to spend.
    pub fn critical_z(&self) -> &[f64] {
        &self.upper
    }

    /// The bound below which to give up, at each look: minus infinity where a look does not, and at the last
    /// look the same as [`Design::critical_z`].
    pub fn futility_z(&self) -> Option<&[f64]> {
        self.lower.as_ref().map(|lower| lower.z.as_slice())
    }

    /// What of beta is spent by each look, and the drift under which it is; none for bounds from elsewhere.
    pub fn beta_spent(&self) -> Option<(&[f64], f64)> {
        let (spent, drift) = self.lower.as_ref()?.beta.as_ref()?;
        Some((spent, *drift))
    }

    /// The alpha spent by each look, over both sides; at the last all of it.
    pub fn spent(&self) -> &[f64] {
        &self.spent
    }

    /// The one-sided p-value, taken by itself, that each look needs.
    pub fn nominal_p(&self) -> Vec<f64> {
        self.upper.iter().map(|&c| normal::sf(c)).collect()
    }

    /// Its error rate over all looks, and its sides.
    pub fn test(&self) -> (Level, Sides) {
        (self.level, self.sides)
    }

    /// The error rate of one side.
    pub(super) fn alpha(&self) -> f64 {
        per_side(self.level, self.sides)
    }

    /// Takes what each look spends by itself.
    pub(super) fn set_spent(&mut self, steps: Vec<f64>) {
        let mut sum = 0.0;
        let add = |step| {
            sum += step;
            sum
        };
        self.spent = steps.into_iter().map(add).collect();
    }

    /// Between which values of `Z` the experiment runs on at each look, where its rules are followed.
    pub(super) fn regions(&self, heed_futility: bool) -> Vec<(f64, f64)> {
        let low = |k: usize, high: f64| match (&self.lower, self.sides) {
            (_, Sides::Two) => -high,
            (Some(lower), Sides::One) if heed_futility => {
                lower.z.get(k).copied().unwrap_or(f64::NEG_INFINITY)
            }
            _ => f64::NEG_INFINITY,
        };
        self.upper.iter().enumerate().map(|(k, &high)| (low(k, high), high)).collect()
    }

    /// The paths that run on before each look.
    pub(super) fn paths(&self, regions: &[(f64, f64)], drifts: Drifts) -> Vec<Running> {
        paths(&self.looks, regions, &Grid::fine(), drifts)
    }

    /// Where the experiment stops, look by look, under a drift.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a drift beyond ±30.
    pub fn stopping(&self, drift: f64) -> Result<Vec<Stopping>, Refusal> {
        check_drift(drift)?;
        let regions = self.regions(true);
        Ok(self.stopping_of(&self.paths(&regions, Drifts::up_to(drift)), &regions, drift))
    }

    pub(super) fn stopping_of(&self, paths: &[Running], regions: &[(f64, f64)], drift: f64) -> Vec<Stopping> {
        let stop = |((path, &t), &(low, high)): ((&Running, &f64), &(f64, f64))| Stopping {
            t,
            above: path.beyond(Side::Above, t, high, drift).0,
            below: if low > f64::NEG_INFINITY { path.beyond(Side::Below, t, low, drift).0 } else { 0.0 },
        };
        paths.iter().zip(self.looks.shares()).zip(regions).map(stop).collect()
    }

    fn power_of(&self, paths: &[Running], regions: &[(f64, f64)], drift: f64) -> f64 {
        self.stopping_of(paths, regions, drift).iter().map(|stop| stop.above).sum()
    }

    /// Probability to stop with an effect above, under a drift. Two-sided, a stop with an effect in the wrong
    /// direction is no power (rpact counts the same).
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a drift beyond ±30.
    pub fn power(&self, drift: f64) -> Result<f64, Refusal> {
        check_drift(drift)?;
        let regions = self.regions(true);
        Ok(self.power_of(&self.paths(&regions, Drifts::up_to(drift)), &regions, drift))
    }

    /// The positive drift that has the power given.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a power that is not between alpha and 1, [`Refusal::NotConverged`] where
    /// no drift below 30 has it.
    pub fn drift(&self, power: f64) -> Result<f64, Refusal> {
        check_power(power, self.level)?;
        let regions = self.regions(true);
        let last = self.upper.last().copied().unwrap_or(0.0);
        let mut high = (last + normal::quantile(power)).max(1.0) / self.looks.last().sqrt() + 0.1;
        loop {
            let paths = self.paths(&regions, Drifts::up_to(high));
            if self.power_of(&paths, &regions, high) > power {
                let excess = |drift| self.power_of(&paths, &regions, drift) - power;
                return bracketed("the drift of a design", 0.0, high, excess);
            }
            high *= 1.5;
            if high.is_nan() || high > MAX_DRIFT {
                return Err(Refusal::not_converged("the drift of a design"));
            }
        }
    }

    /// How many times the units of a fixed design with the same power the design may need at most.
    ///
    /// # Errors
    /// As [`Design::drift`].
    pub fn inflation(&self, power: f64) -> Result<f64, Refusal> {
        let fixed = normal::quantile(power) - normal::quantile(self.alpha());
        let ratio = self.drift(power)? / fixed;
        Ok(ratio * ratio * self.looks.last())
    }

    /// The share of the planned information that is expected to be needed under a drift. Times
    /// [`Design::inflation`]: the expected number of units against a fixed design (ASN).
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a drift beyond ±30.
    pub fn expected_information(&self, drift: f64) -> Result<f64, Refusal> {
        check_drift(drift)?;
        let paths = self.paths(&self.regions(true), Drifts::up_to(drift));
        let mut before = 0.0;
        let mut expected = 0.0;
        for (path, &t) in paths.iter().zip(self.looks.shares()) {
            expected += (t - before) * path.total(drift);
            before = t;
        }
        Ok(expected / self.looks.last())
    }

    /// The interval that holds at each look, counted from 0, whether or not the experiment stops: `estimate ± c_k·se`
    /// (Jennison and Turnbull's repeated confidence interval). One-sided, its upper end is infinite.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a look that is not planned, a standard error that is not above 0, or an
    /// estimate that is not finite.
    pub fn repeated_interval(&self, look: usize, estimate: f64, se: f64) -> Result<Interval, Refusal> {
        let c = self.bound(look)?;
        check_estimate(estimate, se)?;
        let high = match self.sides {
            Sides::One => f64::INFINITY,
            Sides::Two => estimate + c * se,
        };
        Ok(Interval { low: estimate - c * se, high })
    }

    pub(super) fn bound(&self, look: usize) -> Result<f64, Refusal> {
        let outside = || {
            let range = format!("among the planned `0` to `{}`", self.upper.len() - 1);
            Refusal::out_of_range("the number of a look, counted from `0`,", &range, look)
        };
        self.upper.get(look).copied().ok_or_else(outside)
    }
}

const MAX_DRIFT: f64 = 30.0;

pub(super) fn check_drift(drift: f64) -> Result<(), Refusal> {
    if drift.abs() <= MAX_DRIFT {
        return Ok(());
    }
    Err(Refusal::out_of_range("a drift", "between -30 and 30", drift))
}

pub(super) fn check_power(power: f64, level: Level) -> Result<(), Refusal> {
    if power > level.alpha() && power < 1.0 {
        return Ok(());
    }
    Err(Refusal::out_of_range("a power", &format!("between alpha, `{}`, and 1", level.alpha()), power))
}

pub(super) fn check_estimate(estimate: f64, se: f64) -> Result<(), Refusal> {
    if !estimate.is_finite() {
        return Err(Refusal::out_of_range("an estimate", "among the finite numbers", estimate));
    }
    if !(se > 0.0 && se.is_finite()) {
        return Err(Refusal::out_of_range("a standard error", "above 0", se));
    }
    Ok(())
}

/// An alpha of one side beside which the paths that are not followed are nothing.
fn followed(alpha: f64) -> Result<f64, Refusal> {
    // A level that was divided or added up may come out a little below itself.
    if alpha >= 1e-12 * (1.0 - 1e-9) {
        return Ok(alpha);
    }
    Err(Refusal::out_of_range(
        "the alpha of a side of a group-sequential design",
        "at or above `1e-12`",
        alpha,
    ))
}

fn per_side(level: Level, sides: Sides) -> f64 {
    match sides {
        Sides::One => level.alpha(),
        Sides::Two => level.alpha() / 2.0,
    }
}

/// The paths that run on before each look.
pub(super) fn paths(looks: &Looks, regions: &[(f64, f64)], grid: &Grid, drifts: Drifts) -> Vec<Running> {
    let mut run = Running::start(drifts.base);
    let mut paths = vec![run.clone()];
    for (window, &region) in looks.shares().windows(2).zip(regions) {
        let &[t, next] = window else { continue };
        run = run.advance(t, region, next, grid, drifts);
        paths.push(run.clone());
    }
    paths
}

/// What a search for efficacy bounds holds fixed. `alpha` is that of one side.
struct Frame<'a> {
    looks: &'a Looks,
    alpha: f64,
    sides: Sides,
}

impl Frame<'_> {
    fn region(&self, high: f64) -> (f64, f64) {
        match self.sides {
            Sides::One => (f64::NEG_INFINITY, high),
            Sides::Two => (-high, high),
        }
    }

    fn by(&self, targets: Vec<f64>, level: Level) -> Result<Design, Refusal> {
        self.design(level, self.spending(&targets)?, Some(targets))
    }

    fn design(&self, level: Level, upper: Vec<f64>, targets: Option<Vec<f64>>) -> Result<Design, Refusal> {
        let spent = self.spent(&upper, &Grid::fine());
        if spent.iter().any(|s| !s.is_finite()) {
            return Err(Refusal::not_converged("the alpha spent by a design"));
        }
        let both = if self.sides == Sides::Two { 2.0 } else { 1.0 };
        Ok(Design {
            looks: self.looks.clone(),
            level,
            sides: self.sides,
            upper,
            lower: None,
            spent: spent.into_iter().map(|s| both * s).collect(),
            targets,
        })
    }

    /// Bounds that have spent `targets` by each look, on one side. What is too little to be seen beside
    /// what was spent before is left for the next look.
    fn spending(&self, targets: &[f64]) -> Result<Vec<f64>, Refusal> {
        let grid = Grid::fine();
        let shares = self.looks.shares();
        let mut upper = Vec::with_capacity(shares.len());
        let mut run = Running::start(0.0);
        let mut spent = 0.0;
        for (k, (&t, &target)) in shares.iter().zip(targets).enumerate() {
            let more = target - spent;
            let bound = if more <= 4.0 * f64::EPSILON * target {
                f64::INFINITY
            } else {
                let bound = run.solve(Side::Above, t, more, 0.0);
                bound.ok_or_else(|| Refusal::not_converged("the bound of a look"))?
            };
            spent += if bound.is_finite() { run.beyond(Side::Above, t, bound, 0.0).0 } else { 0.0 };
            upper.push(bound);
            if let Some(&next) = shares.get(k + 1) {
                run = run.advance(t, self.region(bound), next, &grid, Drifts::NONE);
            }
        }
        Ok(upper)
    }

    /// What bounds have spent by each look, on one side.
    fn spent(&self, upper: &[f64], grid: &Grid) -> Vec<f64> {
        let regions: Vec<(f64, f64)> = upper.iter().map(|&c| self.region(c)).collect();
        let paths = paths(self.looks, &regions, grid, Drifts::NONE);
        let mut spent = 0.0;
        let step = |((path, &t), &c): ((&Running, &f64), &f64)| {
            spent += path.beyond(Side::Above, t, c, 0.0).0;
            spent
        };
        paths.iter().zip(self.looks.shares()).zip(upper).map(step).collect()
    }

    fn wang_tsiatis(&self, delta: f64) -> Result<Vec<f64>, Refusal> {
        if !(-2.0..=2.0).contains(&delta) {
            return Err(Refusal::out_of_range("the delta of Wang and Tsiatis", "between -2 and 2", delta));
        }
        let last = self.looks.last();
        let bounds = |c: f64| -> Vec<f64> {
            self.looks.shares().iter().map(|t| c * (t / last).powf(delta - 0.5)).collect()
        };
        let ln_spent = |c: f64, grid: &Grid| -> f64 {
            self.spent(&bounds(c), grid).last().map_or(f64::NAN, |spent| (spent / self.alpha).ln())
        };
        const WHAT: &str = "the constant of a Wang-Tsiatis bound";
        // The last look alone at this bound would spend all; each look at alpha/K or less spends too little.
        let k = self.looks.shares().len() as f64;
        let low = -normal::quantile(self.alpha) - 0.01;
        let lowest = (self.looks.shares().first().unwrap_or(&last) / last).powf((delta - 0.5).max(0.0));
        let high = -normal::quantile(self.alpha / k) / lowest + 0.01;
        let near = bracketed(WHAT, low, high, |c| ln_spent(c, &Grid::draft()))?;
        // From the draft within a few digits: the rest on the fine grid, in a narrow bracket.
        let fine = |c: f64| ln_spent(c, &Grid::fine());
        let width = 1e-5 * near;
        let c = bracketed(WHAT, near - width, near + width, fine)
            .or_else(|_| bracketed(WHAT, low, high, fine))?;
        Ok(bounds(c))
    }
}
