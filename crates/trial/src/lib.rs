//! Trial: a plan and evidence give a verdict, and a verdict gives a proposal.
//!
//! This room promises that a verdict says no more than the evidence does: an experiment decides once,
//! at the horizon that was planned; a guard may look whenever it likes, because its test is valid at
//! every look; where neither can answer, the verdict is the reason. Every sentence carries the numbers
//! that it rests on, and becomes the reason of the change that it proposes.
//!
//! It knows no storage, no queries, no HTTP and no clock: what was seen and what time it is are
//! arguments. It changes nothing: a [`Proposal`] is an edit that somebody else performs.

pub mod experiment;
pub mod guard;

mod evidence;
mod proposal;
mod ratio;
mod words;

pub use evidence::{Arm, Evidence};
pub use proposal::{Proposal, Shipping, ship};
pub use ratio::SampleRatio;
