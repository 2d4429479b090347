//! App operations: events that do not follow the tracking plan and were kept apart.

use bellwether_model::{EnvironmentKey, Event, Json, Millis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::input::at_most;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::{AppError, Refusal};
use crate::names::nearest;
use crate::quarantine::{BYTES_AT_ONCE, Which, event};

/// The most events that are named by their numbers at once.
const MOST_IDS: usize = 1_000;
/// So many numbers that name nothing are said.
const SAID: usize = 3;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListInput {
    /// Where.
    environment: EnvironmentKey,
    /// Only of this event type.
    event: Option<String>,
    /// Only events after this number: the `next` of the page before.
    #[schemars(range(min = 0))]
    after: Option<i64>,
    /// At most so many, 50 unless given, 500 at most; fewer where they are larger than 8 MB together.
    limit: Option<u32>,
}

/// How many events of a type are kept apart.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Waiting {
    /// The event type.
    event: String,
    /// How many.
    count: u64,
    /// When the first of them came.
    first: Millis,
    /// When the last of them came.
    last: Millis,
}

/// An event that is kept apart.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HeldEvent")]
pub(crate) struct HeldView {
    /// Its number, to release or delete it by.
    id: i64,
    /// When it came.
    at: Millis,
    /// Why it is here.
    why: Vec<String>,
    /// It as it would be stored.
    #[schemars(with = "Json")]
    event: Event,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    /// How many of each type, in the order of their names.
    types: Vec<Waiting>,
    /// In the order in which they came.
    events: Vec<HeldView>,
    /// Send it as `after` for the next page; absent on the last.
    next: Option<i64>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "quarantine.list";
    const ABOUT: &'static str =
        "Lists the events that are kept apart because they do not follow the tracking plan.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/quarantine");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = ListInput;
    type Output = Listed;

    fn run(app: &App, _: &Ctx, input: ListInput) -> Result<Listed, AppError> {
        app.served(&input.environment)?;
        let file = &app.quarantine.file;
        let limit = at_most(input.limit, 50, 500)?;
        let (kept, more) = file.page(
            &input.environment,
            input.event.as_deref(),
            input.after.unwrap_or_default(),
            limit,
            BYTES_AT_ONCE,
        )?;
        let next = kept.last().filter(|_| more).map(|kept| kept.id);
        let view = |kept: &bellwether_ledger::Kept| -> Result<HeldView, AppError> {
            let why = serde_json::from_str(&kept.held.why);
            let why = why.map_err(|e| AppError::internal("read the quarantine", e))?;
            Ok(HeldView { id: kept.id, at: kept.held.at, why, event: event(kept)? })
        };
        let types = file.counts(&input.environment)?.into_iter().map(|count| Waiting {
            event: count.sort,
            count: count.count,
            first: count.first,
            last: count.last,
        });
        Ok(Listed { types: types.collect(), events: kept.iter().map(view).collect::<Result<_, _>>()?, next })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichInput {
    /// Where.
    environment: EnvironmentKey,
    /// The numbers of the events, such as `[17, 18]`, 1000 at most.
    #[serde(default)]
    ids: Vec<i64>,
    /// All events of this type.
    event: Option<String>,
    /// All events there.
    #[serde(default)]
    all: bool,
}

impl WhichInput {
    fn which(&self) -> Result<Which<'_>, AppError> {
        match (self.ids.as_slice(), self.event.as_deref(), self.all) {
            ([], Some(event), false) => Ok(Which::Type(event)),
            ([], None, true) => Ok(Which::All),
            (ids, None, false) if !ids.is_empty() && ids.len() <= MOST_IDS => Ok(Which::These(ids)),
            _ => Err(AppError::bad_input(
                "which events are meant is not said once",
                "give `ids` (1000 at most), `event`, or `all`",
            )),
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Released {
    /// Events that are stored now.
    stored: u64,
    /// Events that were stored already.
    duplicates: u64,
}

pub(super) struct Release;

impl Operation for Release {
    const NAME: &'static str = "quarantine.release";
    const ABOUT: &'static str =
        "Stores events that were kept apart; those that still do not follow the tracking plan are marked.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/quarantine/release");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Bulk;
    const EFFECT: Effect = Effect::Changes;
    type Input = WhichInput;
    type Output = Released;

    fn run(app: &App, ctx: &Ctx, input: WhichInput) -> Result<Released, AppError> {
        app.served(&input.environment)?;
        let which = input.which()?;
        if ctx.dry_run {
            let stored = app.meant(&input.environment, &which)?;
            app.was_there(&input.environment, &which, stored)?;
            return Ok(Released { stored, duplicates: 0 });
        }
        let released = app.release(&input.environment, &which, &|| ctx.stop(), ctx.now)?;
        app.was_there(&input.environment, &which, released.stored + released.duplicates)?;
        Ok(Released { stored: released.stored, duplicates: released.duplicates })
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Deleted {
    /// Events that are gone.
    deleted: u64,
}

pub(super) struct Delete;

impl Operation for Delete {
    const NAME: &'static str = "quarantine.delete";
    const ABOUT: &'static str = "Deletes events that were kept apart, for good.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/quarantine/delete");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Bulk;
    const EFFECT: Effect = Effect::Destroys;
    type Input = WhichInput;
    type Output = Deleted;

    fn run(app: &App, ctx: &Ctx, input: WhichInput) -> Result<Deleted, AppError> {
        app.served(&input.environment)?;
        let which = input.which()?;
        let deleted = match ctx.dry_run {
            true => app.meant(&input.environment, &which)?,
            false => app.discard(&input.environment, &which, &|| ctx.stop(), ctx.now)?,
        };
        app.was_there(&input.environment, &which, deleted)?;
        Ok(Deleted { deleted })
    }
}

impl App {
    /// Refuses events that were named where nothing was done with any: a name that is mistyped is not to look like
    /// success. Of all that are there, none may be, and what may still be taken back is there.
    fn was_there(&self, environment: &EnvironmentKey, which: &Which<'_>, done: u64) -> Result<(), AppError> {
        if done > 0 || matches!(which, Which::All) || self.meant(environment, which)? > 0 {
            return Ok(());
        }
        let place = format!("in the quarantine of `{environment}`");
        let list = "`quarantine.list` shows what there is";
        let (message, hint) = match which {
            Which::Type(event) => {
                let types = self.quarantine.file.counts(environment)?;
                let types: Vec<&str> = types.iter().map(|count| count.sort.as_str()).collect();
                let near = nearest(event, &types).map(|near| format!("did you mean `{near}`? {list}"));
                (format!("no event `{event}` is {place}"), near.unwrap_or_else(|| list.to_owned()))
            }
            Which::These([id]) => (format!("no event with the number `{id}` is {place}"), list.to_owned()),
            Which::These(ids) => {
                let mut said: Vec<String> = ids.iter().take(SAID).map(|id| format!("`{id}`")).collect();
                if let Some(more) = ids.len().checked_sub(SAID).filter(|more| *more > 0) {
                    said.push(format!("and {more} more"));
                }
                (
                    format!("no event with one of these numbers is {place}: {}", said.join(", ")),
                    list.to_owned(),
                )
            }
            Which::All => return Ok(()),
        };
        Err(AppError::new(Refusal::NotFound, "not_found", message, hint))
    }
}
