//! Server, seen from outside: real requests over loopback, read as bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod bad_input;
mod bounds;
mod cohort;
mod events;
mod house;
mod page;
mod rules;
mod sdk;
mod storm;
mod streams;
mod sync;
