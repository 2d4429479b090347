//! Whether an experiment may be believed: checks of the data beside its result.
//!
//! - [`replay`]: do the tests of this metric, on this history, err as often as they say?
//! - [`Trend`]: does the effect fade, or grow, with the days since exposure?
//! - [`influence`], [`suspicion`]: is the result that of a few units, or of machines?
//! - [`balance`]: were the arms alike before the experiment?
//! - [`simpson`]: do the segments say the opposite of the whole?
//! - [`spillover`], [`disagreement`]: did the treatment of some reach the others?
//!
//! The split itself is checked by [`crate::sample_ratio`] and [`crate::SampleRatioSequence`]. A check that
//! fails says that something is wrong, not what; one that passes says that this was not seen.

mod aa;
mod balance;
mod influence;
mod interference;
mod novelty;
mod segments;

pub use aa::{Calibration, MIN_REPLAYS, replay};
pub use balance::{Balance, Imbalance, balance};
pub use influence::{Influence, Suspicion, influence, suspicion};
pub use interference::{Cell, disagreement, spillover};
pub use novelty::{Drift, Trend, TrendResult};
pub use segments::{Segment, Segments, simpson};
