//! Several hypotheses at once: adjusted p-values, and hypotheses that wait for others.
//!
//! Which to take: for a few primary metrics, any of which would ship the change, [`Adjustment::Holm`];
//! where tests are not negatively correlated [`Adjustment::Hochberg`] rejects more. For a long list of
//! exploratory metrics [`Adjustment::BenjaminiHochberg`]. Where secondary metrics count only once the
//! primary ones are shown, [`serial_gate`] costs them nothing; [`Graph`] writes down any other order. Several
//! variants against one control: [`dunnett`].

mod adjust;
mod dunnett;
mod gate;

pub use adjust::{Adjustment, adjust};
pub use dunnett::{dunnett, dunnett_critical};
pub use gate::{Graph, serial_gate};
