//! Bandits: shares that follow the evidence, and estimates that such shares do not bias.
//!
//! - [`weights_of_means`], [`weights_of_rates`]: the share of each arm by Thompson sampling or top-two.
//! - [`Floor`]: what no share falls below, so that there is always something to learn from.
//! - [`Periods`]: the value of an arm under shares that changed, by period or by inverse probability.
//!
//! Shares are computed by quadrature: the same beliefs give the same shares, and an arm with one chance in
//! a million to be best has that share, not none.

mod off_policy;
mod weights;

pub use off_policy::{Contrast, Period, Periods, Value, Weighting};
pub use weights::{Floor, Rule, weights_of_means, weights_of_rates};
