//! App, seen through its door: operations, SDK answers and intake on a real ledger and a real store.
//! Every test opens a directory of its own and says itself what time it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod access;
mod backups;
mod betas;
mod bots;
mod captures;
mod changes;
mod copies;
mod drifts;
mod enrolment;
mod events;
mod experiments;
mod explained;
mod exposures;
mod faults;
mod flags;
mod forgotten;
mod gaps;
mod guards;
mod hashed;
mod house;
mod ids;
mod ingestion;
mod input;
mod intake;
mod lists;
mod personal;
mod plan;
mod population;
mod previews;
mod protocols;
mod quarantine;
mod ramps;
mod rates;
mod released;
mod restart;
mod retention;
mod rollouts;
mod schedules;
mod schema;
mod strange;
mod strict;
mod suspects;
mod told;
mod verdicts;
