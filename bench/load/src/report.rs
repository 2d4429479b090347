//! Bench of load: its part of `bench/RESULTS.md`.

use results::{Part, busy, commit, compiler, machine, today};

use crate::{Asked, Failure, requests};

const PART: Part = Part { name: "load", unsaid: "### What the numbers of the server do not say" };

/// Puts the sections into `bench/RESULTS.md`.
pub(crate) fn write(asked: &Asked, sections: &[String], load: &str) -> Result<(), Failure> {
    let circumstances = format!(
        "- Machine: {}; load {load} before the bench, {} after it. \
         Server, clients and generator share the cores; everything goes over the loopback interface.\n\
         - Server: `crates` and `libs` at commit {}, the release profile, {}.\n\
         - Peer: {}, MIT, from crates.io, built with the same options of the release profile (`lto = \"thin\"`, four codegen units), two workers, its flags from a file.\n\
         - Command: `bench/load/run --write`.\n\
         - Date: {}.\n",
        machine()?,
        busy()?,
        commit(&["crates", "libs", "Cargo.lock"])?,
        compiler()?,
        requests::version(&asked.peer)?,
        today()?,
    );
    PART.write(&circumstances, sections)
}
