//! The recursion: what is left of the distribution of the score among paths that have not stopped.
//!
//! In the score `S = Z√t` the increments between looks are independent and normal, `N(θΔ, Δ)`. Only
//! the distribution under one drift `b` is integrated, mostly none. Under another drift `θ` its density is
//! `exp((θ-b)s - (θ²-b²)t/2)` times as large at `s`, whatever the bounds, so that power, expected
//! information, p-values and intervals need no recursion of their own.

use crate::quadrature::Rule;
use crate::special::normal;

/// A normal kernel is cut off at this many standard deviations: `SF(9) = 1e-19`.
const REACH: f64 = 9.0;

/// Nodes in a panel, and how wide a panel is against the finer of its two kernels. Chosen so that
/// halving the panels changes a bound by less than `1e-11` (see the test below).
const NODES: u32 = 20;
const PANEL: f64 = 2.5;

const INVERSE_SQRT_2PI: f64 = 0.398_942_280_401_432_7;

/// Which end of the distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    Below,
}

impl Side {
    fn sign(self) -> f64 {
        match self {
            Self::Above => 1.0,
            Self::Below => -1.0,
        }
    }
}

/// How finely to integrate: a draft is enough to come near to a constant that is searched for.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    rule: Rule,
    panel: f64,
}

impl Grid {
    pub(super) fn fine() -> Self {
        Self { rule: Rule::new(NODES), panel: PANEL }
    }

    pub(super) fn draft() -> Self {
        Self { rule: Rule::new(8), panel: PANEL }
    }
}

/// The drifts that will be asked about, and the one that is integrated, best among them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drifts {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) base: f64,
}

impl Drifts {
    pub(super) const NONE: Self = Self { low: 0.0, high: 0.0, base: 0.0 };

    pub(super) fn up_to(drift: f64) -> Self {
        Self { low: drift.min(0.0), high: drift.max(0.0), base: 0.5 * drift }
    }
}

/// The score of the paths that run on past a look: points, and the mass of each under
/// the base drift.
#[derive(Debug, Clone)]
pub(super) struct Running {
    t: f64,
    base: f64,
    score: Vec<f64>,
    mass: Vec<f64>,
}

impl Running {
    /// Before the first look.
    pub(super) fn start(base: f64) -> Self {
        Self { t: 0.0, base, score: vec![0.0], mass: vec![1.0] }
    }

    /// Masses under the drift.
    fn under(&self, drift: f64) -> impl Iterator<Item = (f64, f64)> + '_ {
        let (more, middle) = (drift - self.base, 0.5 * (drift + self.base) * self.t);
        let ratio = move |s: f64| if more == 0.0 { 1.0 } else { (more * (s - middle)).exp() };
        self.score.iter().zip(&self.mass).map(move |(&s, &m)| (s, m * ratio(s)))
    }

    /// Probability to run on past this look, under the drift.
    pub(super) fn total(&self, drift: f64) -> f64 {
        self.under(drift).map(|(_, m)| m).sum()
    }

    /// `P(run on past this look, Z beyond z at the next)` under the drift, and minus its derivative by
    /// `z` away from the middle: the density there.
    pub(super) fn beyond(&self, side: Side, t: f64, z: f64, drift: f64) -> (f64, f64) {
        let gap = t - self.t;
        let (root, root_t) = (gap.sqrt(), t.sqrt());
        let sign = side.sign();
        let (mut tail, mut density) = (0.0, 0.0);
        for (s, mass) in self.under(drift) {
            let x = sign * (z * root_t - s - drift * gap) / root;
            if x < -REACH {
                tail += mass;
            } else if x < 38.0 {
                tail += mass * normal::sf(x);
                density += mass * (-0.5 * x * x).exp();
            }
        }
        (tail, density * INVERSE_SQRT_2PI * root_t / root)
    }

    /// The `z` beyond which lies `target` at the next look, under the drift; none where less than that
    /// runs on.
    ///
    /// The tail is log-concave in `z` (Prékopa) where paths run on within an interval, so that Newton's
    /// steps on its logarithm approach from the outside without crossing. Where looks are close it falls
    /// off like a wall, and a step that leaves what is known of the root is halved instead.
    pub(super) fn solve(&self, side: Side, t: f64, target: f64, drift: f64) -> Option<f64> {
        if target.is_nan() || target <= 0.0 || target >= self.total(drift) {
            return None;
        }
        let sign = side.sign();
        let beyond = |out: f64| self.beyond(side, t, sign * out, drift);
        // With all mass still running the root would lie here; with less it lies further in.
        let mut high = sign * drift * t.sqrt() - normal::quantile(target);
        let mut reach = 1.0;
        let mut low = high - reach;
        while beyond(low).0 < target {
            (high, reach) = (low, 2.0 * reach);
            low = high - reach;
            if reach > 1e3 {
                return None;
            }
        }
        let mut out = high;
        for _ in 0..200 {
            let (tail, density) = beyond(out);
            if tail >= target {
                low = out;
            } else {
                high = out;
            }
            let newton = out + (tail / target).ln() * tail / density;
            let next = if newton >= low && newton <= high { newton } else { 0.5 * (low + high) };
            let step = (next - out).abs();
            out = next;
            if step <= 1e-14 * out.abs().max(1.0) {
                return Some(sign * out);
            }
        }
        None
    }

    /// The paths that run on past a look at `t` where those with `low < Z < high` do. `next` is when
    /// one looks after that.
    pub(super) fn advance(
        &self,
        t: f64,
        (low, high): (f64, f64),
        next: f64,
        grid: &Grid,
        drifts: Drifts,
    ) -> Self {
        let gap = t - self.t;
        let (root, root_t) = (gap.sqrt(), t.sqrt());
        let low = (low * root_t).max(drifts.low * t - REACH * root_t);
        let high = (high * root_t).min(drifts.high * t + REACH * root_t);
        if low >= high {
            return Self { t, base: self.base, score: Vec::new(), mass: Vec::new() };
        }
        // The density so far is smooth on the scale of the last kernel; it is integrated against the next.
        let scale = (1.0 / gap + 1.0 / (next - t)).sqrt().recip();
        let panels = ((high - low) / (grid.panel * scale)).ceil().max(1.0);
        // At most a few hundred thousand: looks are a millionth apart or more.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let points = grid.rule.over(low, high, panels as usize);
        let (far_low, far_high) = (drifts.high * gap + REACH * root, -drifts.low * gap + REACH * root);
        let (scale, constant) = (-0.5 / gap, INVERSE_SQRT_2PI / root);
        let shift = self.base * gap;
        let (mut first, mut last) = (0, 0);
        let (score, mass) = points
            .map(|(s, weight)| {
                // Only points within reach of the kernel count; both ends move up with s.
                while self.score.get(first).is_some_and(|&from| from < s - far_low) {
                    first += 1;
                }
                while self.score.get(last).is_some_and(|&from| from <= s + far_high) {
                    last += 1;
                }
                let near = self.score.get(first..last).unwrap_or_default();
                let masses = self.mass.get(first..last).unwrap_or_default();
                let to = s - shift;
                let density: f64 = near
                    .iter()
                    .zip(masses)
                    .map(|(from, mass)| mass * (scale * (to - from) * (to - from)).exp())
                    .sum();
                (s, weight * constant * density)
            })
            .unzip();
        Self { t, base: self.base, score, mass }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is beyond fixed bounds, on a grid four times as fine: the error of the one that is used.
    #[test]
    fn a_finer_grid_changes_nothing() {
        let finer = Grid { rule: Rule::new(40), panel: PANEL / 2.0 };
        let equal = |k: u32| (1..=k).map(|i| f64::from(i) / f64::from(k)).collect::<Vec<_>>();
        for shares in [
            equal(2),
            equal(5),
            equal(20),
            vec![0.3, 0.31, 1.0],
            vec![0.01, 0.02, 0.05, 0.1, 0.3, 1.0],
            vec![0.5, 0.501, 1.0],
            vec![0.9, 1.0, 1.001],
        ] {
            for (low, drift) in [(f64::NEG_INFINITY, 0.0), (-0.5, 2.8), (-2.3, -1.0)] {
                let tail = |grid: &Grid| {
                    let mut run = Running::start(Drifts::up_to(drift).base);
                    for pair in shares.windows(2) {
                        run = run.advance(pair[0], (low, 2.3), pair[1], grid, Drifts::up_to(drift));
                    }
                    let last = shares[shares.len() - 1];
                    [Side::Above, Side::Below].map(|side| run.beyond(side, last, 2.0, drift).0)
                };
                let (ours, better) = (tail(&Grid::fine()), tail(&finer));
                for (a, b) in ours.into_iter().zip(better) {
                    assert!((a / b - 1.0).abs() < 1e-11, "{shares:?} {low} {drift}: {a:e} {b:e}");
                }
            }
        }
    }

    /// Whichever drift is integrated.
    #[test]
    fn the_base_does_not_matter() {
        for drift in [-2.0, 0.0, 3.0] {
            let tail = |base: f64| {
                let mut run = Running::start(base);
                let drifts = Drifts { low: -2.0, high: 4.0, base };
                for pair in [0.2, 0.5, 0.6, 1.0].windows(2) {
                    run = run.advance(pair[0], (-1.0, 2.2), pair[1], &Grid::fine(), drifts);
                }
                run.beyond(Side::Above, 1.0, 1.5, drift).0
            };
            for base in [-2.0, 1.5, 4.0] {
                assert!((tail(base) / tail(0.0) - 1.0).abs() < 1e-10, "{base} {drift}");
            }
        }
    }

    /// The bivariate normal by another way: Owen's T-free one-dimensional integral by Simpson's rule.
    #[test]
    fn two_looks_are_a_bivariate_normal() {
        let (t, c, drift) = (0.4f64, 2.1, 1.3);
        let run = Running::start(0.5 * drift).advance(
            t,
            (f64::NEG_INFINITY, c),
            1.0,
            &Grid::fine(),
            Drifts::up_to(drift),
        );
        let n = 200_000;
        let (low, high) = (-10.0, c - drift * t.sqrt());
        let step = (high - low) / f64::from(n);
        let at = |i: i32| {
            let e = low + step * f64::from(i);
            normal::pdf(e) * normal::sf((1.9 - drift - e * t.sqrt()) / (1.0 - t).sqrt())
        };
        let inner: f64 = (1..n).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * at(i)).sum();
        let simpson = (at(0) + inner + at(n)) * step / 3.0;
        let ours = run.beyond(Side::Above, 1.0, 1.9, drift).0;
        assert!((ours / simpson - 1.0).abs() < 1e-11, "{ours} {simpson}");
    }
}
