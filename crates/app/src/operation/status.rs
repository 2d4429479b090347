//! App operations: how Bellwether itself is.

use bellwether_model::{Millis, Revision, Seq};
use schemars::JsonSchema;
use serde::Serialize;

use super::environment::Nothing;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;

#[derive(Serialize, JsonSchema)]
pub(crate) struct State {
    /// The version of the program.
    version: &'static str,
    /// Its time.
    now: Millis,
    /// The newest change.
    revision: Revision,
    /// The newest durable event.
    seq: Seq,
    /// Events stored.
    events: u64,
    /// Files of sealed events.
    parts: u64,
    /// Bytes of events on disk, log and parts.
    bytes: u64,
    /// Exposures of our own that were dropped because the disk could not keep up.
    exposures_dropped: u64,
}

pub(super) struct Status;

impl Operation for Status {
    const NAME: &'static str = "system.status";
    const ABOUT: &'static str = "Says how Bellwether itself is: version, revision, events, bytes.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/status");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = Nothing;
    type Output = State;

    fn run(app: &App, ctx: &Ctx, _: Nothing) -> Result<State, AppError> {
        let stats = app.store.stats();
        Ok(State {
            version: env!("CARGO_PKG_VERSION"),
            now: ctx.now,
            revision: app.ledger.state().revision,
            seq: stats.seq,
            events: stats.events,
            parts: stats.parts,
            bytes: stats.bytes,
            exposures_dropped: app.exposures.dropped(),
        })
    }
}
