//! The statistics room: numbers in, honest numbers out.
//!
//! It knows counts and moments, not flags, events or projects, and depends on no other room.
//!
//! - [`Moments`], [`JointMoments`] and [`Proportion`]: what is kept of an arm; they merge in any order.
//! - [`two_proportions`], [`welch`]: the fixed-horizon comparison of two arms; [`Estimate`]: any estimate and its
//!   error, tested at any null, on any side.
//! - [`proportions`], [`counts`], [`rank`], [`survival`]: other tests of two arms, for what those two are not made for.
//! - [`multiplicity`]: several hypotheses at once; [`validity`]: whether an experiment may be believed.
//! - [`harm`], [`harm_in_proportions`], [`ConfidenceSequence`]: answers that hold at every look.
//! - [`sample_ratio`], [`SampleRatioSequence`]: did the split happen as planned?
//! - [`adjust`]: ratios, CUPED, strata and caps; [`regression`]: errors of clusters and series; [`quantile`],
//!   [`robust`], [`resample`]: when the mean, or its normal error, is not the question.
//! - [`design`]: switchbacks, clusters, interleaving, holdouts; [`eval`]: the same items under two configurations.
//! - [`group_sequential`]: a few planned looks that together spend exactly alpha; [`sequential`]: answers,
//!   and evidence, that hold at every look.
//! - [`bayes`], [`bandit`]: chances to win and expected losses; shares that follow them.
//! - [`detect`]: that a count has dropped, within minutes and within a budget of false alarms.
//! - [`planning`]: how many units an experiment needs, and what it can see.
//! - [`special`]: the distribution functions beneath.
//! - [`Caution`]: an answer is given, but is less than it says.
//!
//! Promises: a p-value comes from a survival function and never underflows to zero; what cannot be
//! answered is a [`Refusal`] with its reason, never a plausible number; nothing panics on input; the
//! [`Method`] of every result is named with a version. Estimates are `treatment - control` in the
//! units of the metric, rates are shares of one (`0.19`, not `19`).
//!
//! Which convention was chosen where peers differ is said at each function. Reference values
//! computed by R, scipy, statsmodels, GrowthBook and others are in `tests/golden`.

pub mod adjust;
pub mod bandit;
pub mod bayes;
mod caution;
mod columns;
mod comparison;
mod compensated;
pub mod counts;
pub mod design;
pub mod detect;
mod estimate;
pub mod eval;
pub mod group_sequential;
mod harm;
mod joint;
mod level;
mod linear;
mod means;
mod moments;
pub mod multiplicity;
pub mod planning;
mod proportion;
pub mod proportions;
mod quadrature;
pub mod quantile;
mod random;
pub mod rank;
mod ratio;
mod refusal;
pub mod regression;
pub mod resample;
pub mod robust;
mod root;
mod sample_ratio;
pub mod sequential;
pub mod special;
pub mod survival;
pub mod validity;

pub use caution::Caution;
pub use columns::by_arm;
pub use comparison::{Comparison, Interval, Method, Relative, RelativeMethod};
pub use estimate::{Alternative, Equivalence, Estimate, Test};
pub use harm::{Direction, HarmTest, MIN_SUCCESSES, MIN_UNITS, harm, harm_in_proportions};
pub use joint::JointMoments;
pub use level::Level;
pub use means::{Variances, difference, fieller_lift, lift, log_ratio, welch};
pub use moments::Moments;
pub use proportion::{Proportion, newcombe, two_proportions, wilson};
pub use refusal::{Arm, Outcome, Refusal};
pub use sample_ratio::{
    DEFAULT_CONCENTRATION, SampleRatio, SampleRatioSequence, sample_ratio, sample_ratio_corrected,
    sample_ratio_exact, sample_ratio_g, sample_ratio_g_of_few, sample_ratio_of_few,
};
pub use sequential::{ConfidenceSequence, NormalMixture, Sides, Tuning};

/// The example of the package's first page, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
