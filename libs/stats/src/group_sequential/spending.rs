//! Spending functions: the error that may be spent by a share of the information.

use super::Looks;
use crate::Refusal;
use crate::special::normal;
use serde::{Deserialize, Serialize};

/// A function `f(t)` with `f(0) = 0` and `f(1) = α`; past `t = 1` everything is spent.
///
/// Looks need not come when planned: what was not spent by one look is there for the next.
///
/// ```
/// use bellwether_stats::group_sequential::Spending;
/// let early = Spending::OBrienFleming.spent(0.5, 0.025).unwrap();
/// assert!((early - 0.001525322757989).abs() < 1e-15);
/// assert_eq!(Spending::Pocock.spent(1.4, 0.025), Ok(0.025));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spending {
    /// Lan and DeMets (1983), O'Brien-Fleming type: `2·SF(z_{1-α/2}/√t)`. Almost nothing early.
    OBrienFleming,
    /// Lan and DeMets (1983), Pocock type: `α·ln(1 + (e-1)t)`. About the same at each look.
    Pocock,
    /// Hwang, Shih and DeCani (1990): `α(1 - e^{-γt})/(1 - e^{-γ})`; `αt` at `γ = 0`. From about `-4`
    /// (as O'Brien-Fleming) to `1` (as Pocock).
    HwangShihDeCani(
        /// `γ`, between -40 and 40.
        f64,
    ),
    /// Kim and DeMets (1987): `α·t^ρ`.
    KimDeMets(
        /// `ρ`, above 0 and up to 50.
        f64,
    ),
}

impl Spending {
    /// That the parameter is one with which the function rises from 0 to `α`.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`].
    fn check(self) -> Result<(), Refusal> {
        match self {
            Self::HwangShihDeCani(gamma) if !(-40.0..=40.0).contains(&gamma) => {
                Err(Refusal::out_of_range("the gamma of Hwang, Shih and DeCani", "between -40 and 40", gamma))
            }
            Self::KimDeMets(rho) if !(rho > 0.0 && rho <= 50.0) => {
                Err(Refusal::out_of_range("the rho of Kim and DeMets", "above 0, up to 50", rho))
            }
            _ => Ok(()),
        }
    }

    /// What may be spent by each look.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a parameter.
    pub(super) fn targets(self, looks: &Looks, alpha: f64) -> Result<Vec<f64>, Refusal> {
        looks.shares().iter().map(|&t| self.spent(t, alpha)).collect()
    }

    /// What of `alpha` (of one side) may be spent by the share `t` of the information.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a parameter, a share below 0 or an `alpha` outside of (0, 1).
    pub fn spent(self, t: f64, alpha: f64) -> Result<f64, Refusal> {
        self.check()?;
        if t.is_nan() || t < 0.0 {
            return Err(Refusal::out_of_range("a share of the information", "at 0 or above", t));
        }
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(Refusal::out_of_range("the error that is spent", "between 0 and 1", alpha));
        }
        if t >= 1.0 {
            return Ok(alpha);
        }
        if t == 0.0 {
            return Ok(0.0);
        }
        Ok(match self {
            Self::OBrienFleming => 2.0 * normal::sf(-normal::quantile(alpha / 2.0) / t.sqrt()),
            Self::Pocock => alpha * ((core::f64::consts::E - 1.0) * t).ln_1p(),
            Self::HwangShihDeCani(0.0) => alpha * t,
            Self::HwangShihDeCani(gamma) => alpha * (-gamma * t).exp_m1() / (-gamma).exp_m1(),
            Self::KimDeMets(rho) => alpha * t.powf(rho),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn spending() -> impl Strategy<Value = Spending> {
        prop_oneof![
            Just(Spending::OBrienFleming),
            Just(Spending::Pocock),
            (-40.0..40.0f64).prop_map(Spending::HwangShihDeCani),
            (0.01..50.0f64).prop_map(Spending::KimDeMets),
        ]
    }

    proptest! {
        #[test]
        fn it_rises_from_nothing_to_alpha(f in spending(), alpha in 1e-10..0.5f64, t in 0.0..1.0f64, step in 0.0..0.5f64) {
            prop_assert!(f.check().is_ok());
            let spent = |t| f.spent(t, alpha).unwrap();
            prop_assert_eq!(spent(0.0), 0.0);
            prop_assert_eq!(spent(1.0), alpha);
            prop_assert!((spent(1.0 - 1e-15) / alpha - 1.0).abs() < 1e-10);
            prop_assert!(spent(t) <= spent(t + step) * (1.0 + 1e-12));
        }
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        for bad in [
            Spending::HwangShihDeCani(f64::NAN),
            Spending::HwangShihDeCani(-41.0),
            Spending::KimDeMets(0.0),
            Spending::KimDeMets(f64::INFINITY),
        ] {
            assert!(matches!(bad.check(), Err(Refusal::OutOfRange { .. })), "{bad:?}");
        }
        let refusal = Spending::KimDeMets(-1.0).check().map_err(|r| r.to_string());
        assert_eq!(refusal, Err("the rho of Kim and DeMets must lie above 0, up to 50: `-1`".to_owned()));
    }
}
