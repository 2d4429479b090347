//! Group-sequential designs: a few planned looks that together spend exactly alpha.
//!
//! - [`Spending`]: how much of alpha may be gone by a share of the information.
//! - [`Looks`]: when one looks, at any shares of the information.
//! - [`Design`]: the bounds, what they spend, their power, their price (inflation) and their saving
//!   (expected information).
//! - [`Design::with_futility`]: bounds below which to give up, binding or not.
//! - [`Outcome`]: what may be said after stopping: adjusted interval, p-value, unbiased estimate.
//!
//! The bounds come from the recursion of Armitage, McPherson and Rowe (Jennison and Turnbull, *Group
//! Sequential Methods*, chapter 19), integrated to about `1e-12`; peers stop at `1e-3` to `1e-9`.
//!
//! ```
//! use bellwether_stats::group_sequential::{Boundary, Design, Looks, Spending};
//! use bellwether_stats::{Level, Sides};
//! let level = Level::from_alpha(0.025).unwrap();
//! let boundary = Boundary::Spending(Spending::OBrienFleming);
//! let design = Design::new(&Looks::equal(5).unwrap(), level, Sides::One, boundary).unwrap();
//! assert!((design.critical_z()[1] - 3.357011921575).abs() < 1e-10);
//! assert!((design.spent().last().unwrap() - 0.025).abs() < 1e-12);
//! ```

mod design;
mod futility;
mod looks;
mod outcome;
mod recursion;
mod spending;
#[cfg(test)]
mod tests;

pub use design::{Boundary, Design, Stopping};
pub use futility::{Binding, Futility};
pub use looks::Looks;
pub use outcome::{Decision, Outcome};
pub use spending::Spending;
