//! App operations: how the data is that decisions rest on.

use bellwether_model::{EnvironmentKey, Millis, Seq};
use bellwether_query::{QueryError, catalogue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::drift::{Drift, Judged};
use crate::error::AppError;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Where.
    environment: EnvironmentKey,
}

/// An event type.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Kind {
    /// The event type.
    event: String,
    /// How many there are.
    count: u64,
    /// How many of them a program did, and not a person.
    bots: u64,
    /// The latest event time that is not ahead; where all are, the earliest.
    last: Millis,
    /// How many have a time more than an hour ahead of now: a clock is wrong, or the event tells of a day to come.
    ahead: u64,
    /// Whether the tracking plan knows it; none where there is no plan, or it is of an SDK's maker.
    planned: Option<bool>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Since when `stored`, `recorded`, `duplicates`, `unnamed` and `unfollowed` are counted: the start of the server.
    since: Millis,
    /// Events that came and were stored since.
    stored: u64,
    /// Exposures and assignments of our own evaluations that were stored since. They are not among `stored`, and of them
    /// `duplicates` and `unnamed` say nothing.
    recorded: u64,
    /// Events that came since and were there already, such as those that an SDK sent again.
    duplicates: u64,
    /// Of those that were stored: without a name (`insert_id`, `messageId`, `uuid`), so that a copy of them would be stored, too.
    unnamed: u64,
    /// When the newest that is stored was received, exposures and assignments of our own evaluations included; none where there is no event.
    received: Option<Millis>,
    /// Events that came since and did not follow the tracking plan, each once, also those that were not stored; what is
    /// rejected is counted as often as it comes.
    unfollowed: u64,
    /// Events of the environment that are in quarantine.
    quarantined: u64,
    /// Why no events are taken right now; absent where they are.
    refusing: Option<String>,
    /// The event types by name, all that is stored.
    events: Vec<Kind>,
    /// The beginning of the last whole day of UTC, which was judged by the days before it.
    day: Millis,
    /// What was unlike the days before.
    drifts: Vec<Drift>,
    /// Event types that were judged.
    judged: u64,
    /// Event types of which there were too few days: seven are needed.
    young: u64,
    /// Every event up to and including this one was counted.
    seq: Seq,
}

pub(super) struct Health;

impl Operation for Health {
    const NAME: &'static str = "event.health";
    const ABOUT: &'static str = "Says how the events are: how fresh, how many were there already, came of programs or did not follow \
         the plan, and what was unlike the days before (drift).";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/events/health");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = Input;
    type Output = Output;

    fn run(app: &App, ctx: &Ctx, input: Input) -> Result<Output, AppError> {
        let environment = input.environment;
        app.served(&environment)?;
        let found = catalogue::read(&environment, ctx.now, &app.store.snapshot(), &|| ctx.stop())?;
        let Judged { day, drifts, types, young, .. } =
            app.judge_drift(&environment, ctx.now, true, &|| ctx.stop())?;
        let arrived = app.arrivals.of(&environment);
        let newest = app.store.snapshot().events(&environment, 1).map_err(QueryError::from)?;
        let plan = app.judges.load();
        let events = found.events.into_iter().map(|kind| Kind {
            planned: plan.plans(&kind.event),
            event: kind.event,
            count: kind.count,
            bots: kind.bots,
            last: kind.last,
            ahead: kind.ahead,
        });
        Ok(Output {
            since: app.arrivals.since(),
            stored: arrived.stored,
            recorded: arrived.recorded,
            duplicates: arrived.duplicates,
            unnamed: arrived.unnamed,
            received: newest.first().map(|event| event.received),
            unfollowed: app.violations.events(&environment),
            quarantined: app.quarantine.count(&environment)?,
            refusing: app.store.takes().err().map(|error| AppError::from(error).message),
            events: events.collect(),
            day,
            drifts,
            judged: types,
            young,
            seq: found.seq,
        })
    }
}
