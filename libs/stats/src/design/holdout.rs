//! Holdouts: a share of users sees nothing new for a quarter, and tells what all launches together have done.

use crate::adjust::{Effect, effect};
use crate::special::normal;
use crate::{Estimate, Method, Moments, Refusal};

/// What all launches have added up to.
#[derive(Debug, Clone, PartialEq)]
pub struct Cumulative {
    /// Per user: those with the launches less those without, and its lift.
    pub per_user: Effect,
    /// The difference times the users who have the launches.
    pub total: Estimate,
}

/// The cumulative effect: everybody else against the holdout.
///
/// Assumes that the holdout was drawn by chance and kept apart from every launch since; users who left count in
/// the group that they were drawn into.
///
/// # Errors
/// As [`welch`](crate::welch).
pub fn cumulative(holdout: &Moments, exposed: &Moments) -> Result<Cumulative, Refusal> {
    let per_user = effect(holdout, exposed, Method::WelchT)?;
    let (one, users) = (&per_user.difference, exposed.n() as f64);
    let total = Estimate::new(one.value() * users, one.se() * users, one.df(), one.method())?;
    Ok(Cumulative { per_user, total })
}

/// What the launches' own experiments promised, together, less what the holdout measured: effects per user, in the same unit.
///
/// Winners are chosen for their estimates, so that promises are too large as a rule (the winner's curse), and effects overlap
/// or wear off. The promises are taken for independent of each other and of the holdout.
///
/// # Errors
/// [`Refusal::TooFew`] without promises; as [`Estimate::new`].
///
/// ```
/// use bellwether_stats::{Alternative, Estimate, Method, Moments, design::holdout::{cumulative, shortfall}};
/// let promise = |effect| Estimate::new(effect, 0.02, None, Method::WelchT).unwrap();
/// let holdout = Moments::new(50_000, 10.0, 50_000.0 * 4.0).unwrap();
/// let exposed = Moments::new(950_000, 10.1, 950_000.0 * 4.0).unwrap();
/// let measured = cumulative(&holdout, &exposed).unwrap();
/// let short = shortfall(&[promise(0.08), promise(0.06), promise(0.07)], &measured).unwrap();
/// assert!((short.value() - 0.11).abs() < 1e-12 && short.test(0.0, Alternative::Greater).unwrap().p < 0.05);
/// ```
pub fn shortfall(promises: &[Estimate], measured: &Cumulative) -> Result<Estimate, Refusal> {
    if promises.is_empty() {
        return Err(Refusal::too_few("promised effects", 0, 1));
    }
    let own = &measured.per_user.difference;
    let promised: f64 = promises.iter().map(Estimate::value).sum();
    let variance: f64 = promises.iter().chain([own]).map(|estimate| estimate.se() * estimate.se()).sum();
    Estimate::new(promised - own.value(), variance.sqrt(), None, Method::WelchT)
}

/// The smallest effect per user that a holdout can see with the power given, at a two-sided error rate: as with any two arms of
/// these sizes. A holdout of 5 % sees less than half of what one of 50 % would.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a power that is not between the error rate and 1, [`Refusal::TooFew`] below two users in a group,
/// [`Refusal::NotFinite`] for a standard deviation with which it overflows.
pub fn visible(sd: f64, holdout: u64, exposed: u64, level: crate::Level, power: f64) -> Result<f64, Refusal> {
    if !(power > level.alpha() && power < 1.0) {
        return Err(Refusal::out_of_range("a power", "between the error rate and 1", power));
    }
    if !(sd > 0.0 && sd.is_finite()) {
        return Err(Refusal::out_of_range("a standard deviation", "above 0", sd));
    }
    let fewer = holdout.min(exposed);
    if fewer < 2 {
        return Err(Refusal::too_few("users in a group", fewer, 2));
    }
    let se = sd * (1.0 / holdout as f64 + 1.0 / exposed as f64).sqrt();
    let effect = (normal::quantile(power) - normal::quantile(level.alpha() / 2.0)) * se;
    if effect.is_finite() { Ok(effect) } else { Err(Refusal::not_finite("smallest effect")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::Level;

    #[test]
    fn a_holdout_is_two_arms() {
        let holdout = Moments::new(1_000, 5.0, 999.0 * 9.0).unwrap();
        let exposed = Moments::new(9_000, 5.5, 8_999.0 * 9.0).unwrap();
        let ours = cumulative(&holdout, &exposed).unwrap();
        assert!((ours.per_user.difference.se() - 0.1).abs() < 1e-12);
        assert!((ours.total.value() - 4_500.0).abs() < 1e-9 && (ours.total.se() - 900.0).abs() < 1e-9);
        assert!((ours.per_user.lift.unwrap().value() - 0.1).abs() < 1e-12);
        assert!(shortfall(&[], &cumulative(&holdout, &exposed).unwrap()).is_err());
        assert!(cumulative(&Moments::EMPTY, &exposed).is_err());
        // 2.8016 · 0.1
        let seen = visible(3.0, 1_000, 9_000, Level::P95, 0.8).unwrap();
        assert!((seen - 0.280_158_5).abs() < 1e-6, "{seen}");
        assert!(visible(3.0, 1, 9, Level::P95, 0.8).is_err() && visible(0.0, 9, 9, Level::P95, 0.8).is_err());
        assert!(visible(1.0, 9, 9, Level::P95, 1.0).is_err());
    }
}
