//! Less variance from the same users: ratios, covariates, strata, caps.
//!
//! - [`ratio`], [`ratio_moments`]: sums of one thing per sums of another, by the delta method.
//! - [`cuped`], [`cuped_ratio`]: adjusted by what was known before the experiment; [`cuped_of_few`], [`cuped_ratio_of_few`]: the same
//!   where there are too few units to rely on it.
//! - [`lin`]: the same with a slope for each arm, from moments.
//! - [`post_stratify`]: strata weighted by their shares of both arms.
//! - [`Caps`]: winsorising and trimming with caps that are fixed beforehand.
//! - [`with_missing`]: covariates that some units do not have.
//!
//! All but the caps are functions of [`JointMoments`](crate::JointMoments), so that no unit is looked at again.

mod cuped;
mod lin;
mod ratio;
mod strata;
mod winsor;

pub use cuped::{Adjusted, RatioSlope, cuped, cuped_of_few, cuped_ratio, cuped_ratio_of_few, with_missing};
pub use lin::lin;
pub use ratio::{ratio, ratio_moments};
pub use strata::{PostStratified, post_stratify};
pub use winsor::Caps;

use crate::means::{mean_of, satterthwaite, some_variance};
use crate::{Arm, Caution, Estimate, Method, Moments, Refusal};

/// An effect in the unit of the metric, and as a share of control.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// `treatment - control`.
    pub difference: Estimate,
    /// `(treatment - control) / |control|` by the delta method, or why there is none.
    pub lift: Result<Estimate, Refusal>,
}

impl Effect {
    pub(crate) fn with_caution(self, caution: Option<Caution>) -> Self {
        let Self { difference, lift } = self;
        Self {
            difference: difference.with_caution(caution),
            lift: lift.map(|lift| lift.with_caution(caution)),
        }
    }
}

/// Welch's test of two sets of unit values, under the name of the method that made them.
pub(crate) fn effect(control: &Moments, treatment: &Moments, method: Method) -> Result<Effect, Refusal> {
    let (c, t) = (mean_of(control, Arm::Control)?, mean_of(treatment, Arm::Treatment)?);
    some_variance([(c, control.n()), (t, treatment.n())])?;
    let df = satterthwaite(&[(c.variance, control.n()), (t.variance, treatment.n())]);
    let difference = Estimate::new(t.mean - c.mean, (c.variance + t.variance).sqrt(), Some(df), method)?;
    let share = t.mean / c.mean;
    let se = (t.variance + share * share * c.variance).sqrt() / c.mean.abs();
    let lift =
        baseline(c.mean).and_then(|size| Estimate::new((t.mean - c.mean) / size, se, Some(df), method));
    Ok(Effect { difference, lift })
}

/// What a lift is divided by.
fn baseline(mean: f64) -> Result<f64, Refusal> {
    if mean == 0.0 { Err(Refusal::ZeroBaseline) } else { Ok(mean.abs()) }
}
