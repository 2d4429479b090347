//! Ledger: the log of changes, on SQLite. It is the state of the control plane; audit, time travel
//! and rollback are readings of it.
//!
//! This room promises:
//!
//! - A change whose [`Ledger::apply`] returned is on disk. One that was refused left no trace.
//! - Revisions are 1, 2, 3 and so on without gaps, and no change is ever altered or removed: the
//!   database itself refuses it, and a chain of digests shows it where somebody did it by hand.
//! - The state is a pure fold of the log. What is checked is checked when a change is *proposed*; a
//!   stored change is never judged again, so that a stricter program still opens an older log.
//! - The log holds no personal data. Lists of ids, people, sessions and keys live in rewritable tables
//!   beside it; a change cites them by a random id. A list is written in the transaction of its change, or
//!   whole before it: nobody waits for a million ids. Who was enrolled by a flag lies there, too, by keyed
//!   fingerprints, and is written whenever there is something new. So does the mark of the key that personal
//!   values are hashed with.
//!
//! It knows no clock: `now` is an argument.
//!
//! ```
//! use bellwether_ledger::{Ledger, Proposed};
//! use bellwether_model::{Actor, Edit, Environment, Millis, Revision};
//!
//! let dir = tempfile::tempdir().unwrap();
//! let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).unwrap();
//! let environment =
//!     serde_json::from_str(r#"{"key": "production", "name": "Production", "production": true}"#).unwrap();
//! let proposed = Proposed {
//!     by: Actor::System,
//!     why: "first start".into(),
//!     edit: Edit::EnvironmentCreated { environment },
//!     expect: None,
//!     lists: vec![],
//! };
//! let change = ledger.apply(proposed, Millis(0)).unwrap();
//! assert_eq!(change.revision, Revision(1));
//! assert!(ledger.state().environments["production"].production);
//! ```

// The tests' shop and its storms are shared with `tests/`, where this room is named from outside.
#[cfg(test)]
extern crate self as bellwether_ledger;

mod check;
#[cfg(test)]
mod corpus;
mod doctor;
mod enrolments;
mod error;
mod forget;
mod keys;
mod ledger;
mod lists;
mod log;
mod people;
mod personal;
mod plan;
mod quarantine;
mod schema;
#[cfg(test)]
#[path = "../tests/common/shop.rs"]
mod shop;
mod snapshot;
mod state;
#[cfg(test)]
#[path = "../tests/common/storm.rs"]
mod storm;
#[cfg(test)]
#[path = "../tests/common/world.rs"]
mod world;

pub use check::Proposed;
pub use doctor::{Fault, Finding, Report};
pub use enrolments::{Enrolled, Enrolment, Enrolments, Standing};
pub use error::LedgerError;
pub use keys::{ApiKey, NewKey};
pub use ledger::{Ledger, Page};
pub use lists::Members;
pub use people::{NewPerson, People, Person, Role, Scope, Session};
pub use plan::Plan;
pub use quarantine::{Count, Decided, Gone, Held, Kept, Leaving, Placed, Quarantine};
pub use state::{State, Versioned};
