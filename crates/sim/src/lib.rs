//! Sim: storms over a simulated disk and clock. The real store runs on a disk that is cut off, tears, reorders,
//! forgets, fills up and refuses ([`disk::SimDisk`]), under a clock that jumps, while others read and write in the
//! midst of its operations; after each storm it must hold what a plain list says it should.
//!
//! One seed is one storm, and the same one each time. It promises that whatever it finds can be had again:
//! `SEED=<n> cargo test -p bellwether-sim`.
//!
//! What is checked, by the ids of the catalogue in ARCHITECTURE.md: W1 to W6, P1, P2 and Q1 (P3 is the frozen
//! corpus). What it cannot find: that the real disk promises less than [`bellwether_store::disk::Disk`] says it does.

pub mod disk;
mod model;
mod people;
mod random;
mod reading;
mod sent;
mod storm;
mod told;

pub use storm::{Power, storm};
pub use told::Told;
