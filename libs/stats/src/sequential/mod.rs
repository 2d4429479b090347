//! Answers that hold at every look, however often one looks and whenever one stops.
//!
//! - [`ConfidenceSequence`]: asymptotic, for any difference with a standard error.
//! - [`NormalMixture`]: the same boundary by the variance of a prior (mSPRT).
//! - [`Mixture`], [`PolyStitching`], [`bernoulli_interval`]: uniform boundaries that are not asymptotic.
//! - [`Betting`], [`EmpiricalBernstein`]: means of values within known bounds, at any number of units.
//! - [`OverEpochs`]: allocation that changed on the way.
//! - [`EValue`], [`EProcess`]: evidence that may be multiplied, averaged and looked at at any time.

mod asymptotic;
mod bounded;
mod epochs;
mod evidence;
mod normal_mixture;
mod uniform;

pub use asymptotic::{ConfidenceSequence, Sides, Tuning};
pub use bounded::{Betting, Bounds, EmpiricalBernstein, assignment_score};
pub use epochs::{Epoch, OverEpochs};
pub use evidence::{EProcess, EValue, e_benjamini_hochberg};
pub use normal_mixture::NormalMixture;
pub use uniform::{Mixture, PolyStitching, bernoulli_interval};
