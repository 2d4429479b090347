//! Uniform boundaries: how far a sum may stray, at all times at once (Howard, Ramdas, McAuliffe and
//! Sekhon 2021).
//!
//! A sum `S` of deviations has used up the intrinsic time `v` (the sum of their variances, or a bound of
//! them). A boundary `u(v)` is such that `S` ever exceeds it with probability at most alpha. Which one
//! holds depends on how the terms behave: as normal ones (or bounded ones, Hoeffding), as exponential ones
//! of a scale `c` (heavier, also empirical-Bernstein), or as Poisson counts.

use crate::root::bracketed;
use crate::sequential::{EValue, Sides};
use crate::special::{ln_1p_minus, ln_incomplete_gamma, ln_incomplete_gamma_beyond, normal, stirling_error};
use crate::{Interval, Level, Method, Proportion, Refusal};

/// The tuning `ρ` for which a normal mixture at `alpha` is tightest near the intrinsic time `v`:
/// `v/(2 ln(1/α) + ln(1 + 2 ln(1/α)))`.
fn tuned(v: f64, alpha: f64) -> f64 {
    let log = -2.0 * alpha.ln();
    v / (log + log.ln_1p())
}

fn positive(what: &str, value: f64) -> Result<f64, Refusal> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(Refusal::out_of_range(what, "above 0", value))
}

/// The tuning of a gamma mixture, one-sided, and its scale.
fn scaled(v: f64, c: f64, tuned_at: Level) -> Result<(f64, f64), Refusal> {
    let rho = tuned(positive("an intrinsic time", v)?, (2.0 * tuned_at.alpha()).min(0.999));
    let scale = positive("a scale", c)?;
    let root = rho.sqrt();
    // Beyond a thousand the upper tail of the incomplete gamma function has no digits.
    if (1e-100..=1e3).contains(&(scale / root)) {
        return Ok((rho, scale));
    }
    let range = format!("between `{:e}` and `{:e}` for this intrinsic time", 1e-100 * root, 1e3 * root);
    Err(Refusal::out_of_range("a scale", &range, c))
}

/// How the terms of the sum behave, which decides over the mixture.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Normal(Sides),
    GammaExponential { scale: f64 },
    GammaPoisson { scale: f64 },
}

/// A mixture of exponential supermartingales: an e-value for each `(S, v)`, and the boundary at which it
/// is `1/alpha`.
///
/// ```
/// use bellwether_stats::sequential::{Mixture, Sides};
/// use bellwether_stats::Level;
/// let mixture = Mixture::normal(Sides::Two, 1_000.0, Level::P95).unwrap();
/// assert!((mixture.bound(100.0, Level::P95).unwrap() - 38.55054633530311).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixture {
    kind: Kind,
    rho: f64,
}

impl Mixture {
    /// How it is made.
    pub const METHOD: Method = Method::UniformBoundary;

    /// For terms that are no heavier than normal ones of the variance counted in `v`, such as terms within
    /// an interval of width `w` counted as `w²/4`. Tightest near `v`, at the level given.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a `v` that is not above 0; one-sided, for a level with alpha of ½ or more
    /// after doubling.
    pub fn normal(sides: Sides, v: f64, tuned_at: Level) -> Result<Self, Refusal> {
        let alpha = match sides {
            Sides::Two => tuned_at.alpha(),
            Sides::One => 2.0 * tuned_at.alpha(),
        };
        let rho = tuned(positive("an intrinsic time", v)?, alpha.min(0.999));
        Ok(Self { kind: Kind::Normal(sides), rho })
    }

    /// One-sided, for terms that are no heavier above than exponential ones of scale `c`: also for sums of
    /// `x - mean` of values at most `c` away from their mean, where `v` counts squared deviations from a
    /// mean predicted before each value (empirical Bernstein).
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a `v` or `c` that is not above 0, or a `c` of more than a thousand, or less than
    /// `1e-100`, roots of `ρ`.
    pub fn gamma_exponential(v: f64, c: f64, tuned_at: Level) -> Result<Self, Refusal> {
        let (rho, scale) = scaled(v, c, tuned_at)?;
        Ok(Self { kind: Kind::GammaExponential { scale }, rho })
    }

    /// One-sided, for counts less their expectation: jumps of size `c` (1 for events) with variance `v`.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a `v` or `c` that is not above 0, or a `c` of more than a thousand, or less than
    /// `1e-100`, roots of `ρ`.
    pub fn gamma_poisson(v: f64, c: f64, tuned_at: Level) -> Result<Self, Refusal> {
        let (rho, scale) = scaled(v, c, tuned_at)?;
        Ok(Self { kind: Kind::GammaPoisson { scale }, rho })
    }

    /// The tuning `ρ`, as the literature prints it.
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// The evidence of a sum `s` at the intrinsic time `v` against "no drift".
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a `v` that is negative, or values that are not finite.
    pub fn e_value(&self, s: f64, v: f64) -> Result<EValue, Refusal> {
        if !(v >= 0.0 && v.is_finite()) {
            return Err(Refusal::out_of_range("an intrinsic time", "at 0 or above", v));
        }
        if !s.is_finite() {
            return Err(Refusal::out_of_range("a sum", "among the finite numbers", s));
        }
        self.fits(v)?;
        let ln = self.ln_mixture(s, v);
        // A sum at which the evidence is no number of its own.
        if ln.is_nan() || ln == f64::INFINITY {
            return Err(Refusal::not_finite("evidence"));
        }
        EValue::from_ln(ln)
    }

    /// That the intrinsic time can be counted in squares of the scale.
    fn fits(&self, v: f64) -> Result<(), Refusal> {
        let scale = match self.kind {
            Kind::Normal(_) => 1.0,
            Kind::GammaExponential { scale } | Kind::GammaPoisson { scale } => scale,
        };
        if ((v + self.rho) / scale / scale).is_finite() {
            return Ok(());
        }
        let range = format!("such that squares of the scale `{scale:e}` can count it");
        Err(Refusal::out_of_range("an intrinsic time", &range, v))
    }

    fn ln_mixture(&self, s: f64, v: f64) -> f64 {
        let total = v + self.rho;
        match self.kind {
            Kind::Normal(Sides::Two) => 0.5 * (s * s / total - (v / self.rho).ln_1p()),
            Kind::Normal(Sides::One) => {
                core::f64::consts::LN_2
                    + 0.5 * (s * s / total - (v / self.rho).ln_1p())
                    + normal::ln_cdf(s / total.sqrt())
            }
            // Both are written with Stirling's formula and its error: the gamma functions themselves are
            // some 1e7 at a million observations, and would leave no digit of the difference.
            Kind::GammaExponential { scale } => {
                let (start, w) = (self.rho / scale / scale, total / scale / scale);
                let jump = s / scale;
                let y = w + jump;
                if y <= 0.0 {
                    return f64::NEG_INFINITY;
                }
                let (now, _) = ln_incomplete_gamma_beyond(w, y, jump);
                let (before, _) = ln_incomplete_gamma(start, start);
                0.5 * (start / w).ln() - stirling_error(start) + stirling_error(w) - before + now
                    - w * ln_1p_minus(jump / w)
            }
            Kind::GammaPoisson { scale } => {
                let (start, w) = (self.rho / scale / scale, total / scale / scale);
                let jump = s / scale;
                let u = w + jump;
                if u <= 0.0 {
                    return f64::NEG_INFINITY;
                }
                let (_, now) = ln_incomplete_gamma_beyond(u, w, -jump);
                let (_, before) = ln_incomplete_gamma(start, start);
                0.5 * (start / u).ln() - stirling_error(start) + stirling_error(u) - before + now
                    - u * ln_1p_minus(-jump / u)
            }
        }
    }

    /// The sum that is exceeded at any time with probability at most alpha.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a `v` that is negative or not finite, [`Refusal::NotConverged`] where the
    /// boundary is not found, [`Refusal::NotFinite`] where it overflows.
    pub fn bound(&self, v: f64, level: Level) -> Result<f64, Refusal> {
        if !(v >= 0.0 && v.is_finite()) {
            return Err(Refusal::out_of_range("an intrinsic time", "at 0 or above", v));
        }
        self.fits(v)?;
        let needed = -level.alpha().ln();
        if self.kind == Kind::Normal(Sides::Two) {
            let square = (v / self.rho).ln_1p() + 2.0 * needed;
            return finite((v + self.rho).sqrt() * square.sqrt());
        }
        let excess = |s: f64| self.ln_mixture(s, v) - needed;
        let mut high = ((v + self.rho) * (2.0 * needed + 1.0)).sqrt();
        while excess(high) < 0.0 {
            high *= 2.0;
            if !high.is_finite() {
                return Err(Refusal::not_converged("a uniform boundary"));
            }
        }
        bracketed("a uniform boundary", 0.0, high, excess)
    }
}

fn finite(boundary: f64) -> Result<f64, Refusal> {
    if boundary.is_finite() { Ok(boundary) } else { Err(Refusal::not_finite("uniform boundary")) }
}

/// A boundary stitched from pieces that grow by `η`: within a constant of the law of the iterated
/// logarithm, with `c` for terms as heavy as exponential ones (0 for normal ones).
///
/// ```
/// use bellwether_stats::sequential::PolyStitching;
/// use bellwether_stats::Level;
/// let boundary = PolyStitching::new(100.0, 0.0, 1.4, 2.0).unwrap();
/// assert!((boundary.bound(1_000.0, Level::P95).unwrap() - 112.83161737602222).abs() < 1e-10);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolyStitching {
    v_min: f64,
    scale: f64,
    s: f64,
    eta: f64,
    ln_zeta: f64,
}

impl PolyStitching {
    /// How it is made.
    pub const METHOD: Method = Method::UniformBoundary;

    /// From the intrinsic time before which the boundary is flat, the scale `c`, the exponent `s` above 1,
    /// and the growth `η` above 1 of the pieces.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`].
    pub fn new(v_min: f64, c: f64, s: f64, eta: f64) -> Result<Self, Refusal> {
        let v_min = positive("an intrinsic time", v_min)?;
        if !(c >= 0.0 && c.is_finite()) {
            return Err(Refusal::out_of_range("a scale", "at 0 or above", c));
        }
        for (what, value) in [("an exponent of stitching", s), ("a growth of stitching", eta)] {
            if !(value > 1.0 && value <= 100.0) {
                return Err(Refusal::out_of_range(what, "above 1, up to 100", value));
            }
        }
        Ok(Self { v_min, scale: c, s, eta, ln_zeta: zeta(s).ln() })
    }

    /// The sum that is exceeded at any time with probability at most alpha.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a `v` that is negative or not finite, [`Refusal::NotFinite`] where the boundary overflows.
    pub fn bound(&self, v: f64, level: Level) -> Result<f64, Refusal> {
        if !(v >= 0.0 && v.is_finite()) {
            return Err(Refusal::out_of_range("an intrinsic time", "at 0 or above", v));
        }
        let v = v.max(self.v_min);
        let ln_eta = self.eta.ln();
        let pieces = self.s * (ln_eta + (v / self.v_min).ln()).ln();
        let ell = pieces + self.ln_zeta - self.s * ln_eta.ln() - level.alpha().ln();
        let k1 = (self.eta.powf(0.25) + self.eta.powf(-0.25)) / core::f64::consts::SQRT_2;
        let k2 = (self.eta.sqrt() + 1.0) / 2.0;
        let linear = k2 * self.scale * ell;
        finite((k1 * (v * ell).sqrt()).hypot(linear) + linear)
    }
}

/// Riemann's zeta function for `s > 1`, by Euler and Maclaurin's sum.
fn zeta(s: f64) -> f64 {
    const N: u32 = 20;
    let head: f64 = (1..N).map(|k| f64::from(k).powf(-s)).sum();
    let n = f64::from(N);
    // B₂/2!, B₄/4!, ...
    const BERNOULLI: [f64; 6] = [
        1.0 / 12.0,
        -1.0 / 720.0,
        1.0 / 30_240.0,
        -1.0 / 1_209_600.0,
        1.0 / 47_900_160.0,
        -691.0 / 1_307_674_368_000.0,
    ];
    let mut rising = s;
    let mut tail = n.powf(1.0 - s) / (s - 1.0) + 0.5 * n.powf(-s);
    for (j, b) in BERNOULLI.iter().enumerate() {
        let j = j as f64;
        tail += b * rising * n.powf(-s - 2.0 * j - 1.0);
        rising *= (s + 2.0 * j + 1.0) * (s + 2.0 * j + 2.0);
    }
    head + tail
}

/// The interval of a rate that holds at every look, however few the conversions: all rates against which a
/// beta mixture of the Bernoulli likelihood has less than `1/alpha` of evidence. Tightest near `units`, at
/// the level `tuned_at`.
///
/// Its name is [`Method::BernoulliSequence`]. Not asymptotic: it needs no minimum of data. Two arms are compared by two such intervals at half of
/// alpha each.
///
/// # Errors
/// [`Refusal::OutOfRange`] for `units` that is not above 0; [`Refusal::NotConverged`] where an end is not
/// found.
///
/// ```
/// use bellwether_stats::sequential::bernoulli_interval;
/// use bellwether_stats::{Level, Proportion};
/// let rate = Proportion::new(12, 100).unwrap();
/// let interval = bernoulli_interval(&rate, 100.0, Level::P95, Level::P95).unwrap();
/// assert!((interval.low - 0.0419838).abs() < 1e-6 && (interval.high - 0.2382350).abs() < 1e-6);
/// ```
pub fn bernoulli_interval(
    rate: &Proportion,
    units: f64,
    tuned_at: Level,
    level: Level,
) -> Result<Interval, Refusal> {
    const WHAT: &str = "an end of a Bernoulli interval";
    positive("the number of units of a tuning", units)?;
    let (x, n) = (rate.successes() as f64, rate.n() as f64);
    let Some(share) = rate.rate() else {
        return Ok(Interval { low: 0.0, high: 1.0 });
    };
    // In the log-odds of the rate, where both ends have all their digits.
    let excess = |w: f64| {
        let (p, q) = (1.0 / (1.0 + (-w).exp()), 1.0 / (1.0 + w.exp()));
        let r = (tuned(p * q * units, tuned_at.alpha()) - p * q).max(1e-3 * p * q);
        let (failures, successes) = (r / p, r / q);
        ln_beta(failures + (n - x), successes + x)
            - ln_beta(failures, successes)
            - x * p.ln()
            - (n - x) * q.ln()
            + level.alpha().ln()
    };
    let at = (share / (1.0 - share)).ln();
    let middle = at.clamp(-40.0, 40.0);
    // Few units cannot rule out any rate on one side: after the first one the evidence is exactly one.
    const FAR: f64 = 700.0;
    let end = |far: f64| {
        if excess(far) <= 0.0 { Ok(far * f64::INFINITY) } else { bracketed(WHAT, middle, far, excess) }
    };
    let low = if x == 0.0 { f64::NEG_INFINITY } else { end(-FAR)? };
    let high = if x == n { f64::INFINITY } else { end(FAR)? };
    Ok(Interval { low: 1.0 / (1.0 + (-low).exp()), high: 1.0 / (1.0 + (-high).exp()) })
}

fn ln_beta(a: f64, b: f64) -> f64 {
    // By Stirling's formula the large terms cancel exactly: a ln(a/(a+b)) + b ln(b/(a+b)).
    if a.min(b) >= 10.0 {
        let total = a + b;
        return a * (a / total).ln() + b * (b / total).ln() - 0.5 * (a.ln() + b.ln() - total.ln())
            + 0.5 * (2.0 * core::f64::consts::PI).ln()
            + stirling_error(a)
            + stirling_error(b)
            - stirling_error(total);
    }
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zeta_has_its_known_values() {
        let pi = core::f64::consts::PI;
        for (s, exact) in [
            (2.0, pi * pi / 6.0),
            (4.0, pi.powi(4) / 90.0),
            (1.5, 2.612_375_348_685_488),
            (1.1, 10.584_448_464_950_81),
        ] {
            assert!((zeta(s) / exact - 1.0).abs() < 1e-13, "{s}: {}", zeta(s));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Over a Poisson count the mixture is one in expectation: it is the martingale that it says. There
        /// is no reference for it elsewhere.
        #[test]
        fn the_poisson_mixture_is_a_martingale(v in 0.5..60.0f64, v_opt in 60.0..1e4f64) {
            let mixture = Mixture::gamma_poisson(v_opt, 1.0, Level::P95).unwrap();
            let mean: f64 = (0..3_000u32)
                .map(|n| {
                    let n = f64::from(n);
                    let ln_mass = n * v.ln() - v - libm::lgamma(n + 1.0);
                    (ln_mass + mixture.ln_mixture(n - v, v)).exp()
                })
                .sum();
            prop_assert!((mean - 1.0).abs() < 1e-10, "{mean}");
        }

        /// And that of exponential terms over a gamma sum of them.
        #[test]
        fn the_exponential_mixture_is_a_martingale(n in 1u32..40, v_opt in 1.0..1e4f64) {
            let mixture = Mixture::gamma_exponential(v_opt, 1.0, Level::P95).unwrap();
            let n = f64::from(n);
            let rule = crate::quadrature::Rule::new(40);
            let mean: f64 = rule
                .over(0.0, 1.0, 400)
                .map(|(y, w)| {
                    // Sums up to infinity: x = n y/(1-y).
                    let x = n * y / (1.0 - y);
                    let ln_density = (n - 1.0) * x.ln() - x - libm::lgamma(n);
                    w * n / (1.0 - y).powi(2) * (ln_density + mixture.ln_mixture(x - n, n)).exp()
                })
                .sum();
            // The tail of the integrand falls as slowly as the mixture rises.
            prop_assert!((mean - 1.0).abs() < 2e-3 && mean < 1.0 + 1e-9, "{mean}");
        }

        #[test]
        fn the_bound_has_the_evidence(v in 0.0..1e8f64, v_opt in 1.0..1e6f64, alpha in 1e-6..0.3f64, c in 0.1..10.0f64) {
            let level = Level::from_alpha(alpha).unwrap();
            for mixture in [
                Mixture::normal(Sides::Two, v_opt, level).unwrap(),
                Mixture::normal(Sides::One, v_opt, level).unwrap(),
                Mixture::gamma_exponential(v_opt, c, level).unwrap(),
                Mixture::gamma_poisson(v_opt, c, level).unwrap(),
            ] {
                let bound = mixture.bound(v, level).unwrap();
                let e = mixture.e_value(bound, v).unwrap();
                prop_assert!((e.ln() + alpha.ln()).abs() < 1e-7, "{mixture:?} {v} {}", e.ln());
                prop_assert!(bound > 0.0 && mixture.bound(v * 1.5 + 1.0, level).unwrap() > bound);
            }
        }

        #[test]
        fn the_bernoulli_interval_mirrors(n in prop_oneof![0..20u64, 0..100_000u64], share in 0.0..1.0f64) {
            let x = (share * n as f64) as u64;
            let interval = |x| bernoulli_interval(&Proportion::new(x, n).unwrap(), 1_000.0, Level::P95, Level::P95).unwrap();
            let (a, b) = (interval(x), interval(n - x));
            prop_assert!((a.low + b.high - 1.0).abs() < 1e-9 && (a.high + b.low - 1.0).abs() < 1e-9);
            let rate = if n == 0 { 0.5 } else { x as f64 / n as f64 };
            prop_assert!(a.contains(rate) && a.low >= 0.0 && a.high <= 1.0);
        }
    }

    /// With many units the gamma mixtures are the normal one; and nothing takes a series of a million terms.
    #[test]
    fn a_bound_of_any_size_is_found() {
        for v in [1e6, 1e12, 1e21, 1e60, 1e180] {
            let bound = |mixture: Result<Mixture, Refusal>| mixture.unwrap().bound(v, Level::P95).unwrap();
            let normal = bound(Mixture::normal(Sides::One, v, Level::P95));
            for gamma in [
                bound(Mixture::gamma_exponential(v, 1.0, Level::P95)),
                bound(Mixture::gamma_poisson(v, 1.0, Level::P95)),
            ] {
                // The first correction is of the order of one over the root.
                assert!((gamma / normal - 1.0).abs() < 3.0 / v.sqrt() + 1e-12, "{v}: {gamma} {normal}");
            }
        }
        for (v, c) in [(1e-300, 1e-160), (1e300, 1e60), (1e-9, 1e-3), (1e300, 1e150)] {
            for mixture in
                [Mixture::gamma_exponential(v, c, Level::P95), Mixture::gamma_poisson(v, c, Level::P95)]
            {
                let mixture = mixture.unwrap();
                for at in [0.0, 1e-300, 1.0, 1e-3 * v, v] {
                    match mixture.bound(at, Level::P95) {
                        Ok(bound) => assert!(bound > 0.0 && bound.is_finite(), "{mixture:?} {at}: {bound}"),
                        Err(refusal) => {
                            assert!(
                                matches!(refusal, Refusal::OutOfRange { .. }),
                                "{mixture:?} {at} {refusal}"
                            );
                        }
                    }
                }
            }
        }
        assert!(Mixture::gamma_poisson(1.0, 1e9, Level::P95).is_err());
    }

    #[test]
    fn what_has_no_boundary_is_refused() {
        assert!(Mixture::normal(Sides::Two, 0.0, Level::P95).is_err());
        assert!(Mixture::gamma_exponential(1.0, f64::NAN, Level::P95).is_err());
        let mixture = Mixture::gamma_poisson(1.0, 1.0, Level::P95).unwrap();
        assert_eq!(
            mixture.bound(-1.0, Level::P95).unwrap_err().to_string(),
            "an intrinsic time must lie at 0 or above: `-1`"
        );
        assert!(mixture.e_value(f64::NAN, 1.0).is_err());
        assert!(PolyStitching::new(1.0, 0.0, 1.0, 2.0).is_err());
        assert!(PolyStitching::new(1.0, -1.0, 1.4, 2.0).is_err());
        assert!(bernoulli_interval(&Proportion::new(1, 2).unwrap(), -1.0, Level::P95, Level::P95).is_err());
    }
}
