//! Bench of ingest: its part of `bench/RESULTS.md`.

use results::{Part, busy, commit, compiler, machine, today};

use crate::Failure;

const PART: Part = Part { name: "ingest", unsaid: "### What the numbers of ingest do not say" };

/// Puts the sections into `bench/RESULTS.md`.
pub(crate) fn write(sections: &[String], load: &str) -> Result<(), Failure> {
    let circumstances = format!(
        "- Machine: {}; load {load} before the bench, {} after it. \
         Server and senders share the cores; everything goes over the loopback interface.\n\
         - Server: `crates` and `libs` at commit {}, the release profile, {}.\n\
         - Command: `bench/ingest/run --write`.\n\
         - Date: {}.\n",
        machine()?,
        busy()?,
        commit(&["crates", "libs", "Cargo.lock"])?,
        compiler()?,
        today()?,
    );
    PART.write(&circumstances, sections)
}
