//! App operations: questions about events.

use bellwether_model::{EnvironmentKey, Event, Millis};
use bellwether_query::catalogue::{self, Catalogue as Found};
use bellwether_query::properties::{self, Properties as Listed};
use bellwether_query::segmentation::{self, Answer, Segmentation as Asked};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::input::at_most;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::names;
use crate::view::Warning;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CatalogueInput {
    /// Where.
    environment: EnvironmentKey,
}

pub(super) struct Catalogue;

impl Operation for Catalogue {
    const NAME: &'static str = "event.catalogue";
    const ABOUT: &'static str = "Lists the event types with how many there are and since when.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/events");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = CatalogueInput;
    type Output = Found;

    fn run(app: &App, ctx: &Ctx, input: CatalogueInput) -> Result<Found, AppError> {
        app.served(&input.environment)?;
        Ok(catalogue::read(&input.environment, ctx.now, &app.store.snapshot(), &|| ctx.stop())?)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PropertiesInput {
    /// Where.
    environment: EnvironmentKey,
    /// The event type; any that somebody did for `_any` or where none is given.
    event: Option<String>,
}

pub(super) struct Properties;

impl Operation for Properties {
    const NAME: &'static str = "event.properties";
    const ABOUT: &'static str =
        "Lists the properties that the newest events of a type have, with their most frequent values.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/events/properties");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = PropertiesInput;
    type Output = Listed;

    fn run(app: &App, ctx: &Ctx, input: PropertiesInput) -> Result<Listed, AppError> {
        app.served(&input.environment)?;
        let snapshot = app.store.snapshot();
        let asked = |of: &str| properties::asks(input.event.as_deref(), of);
        let newest = snapshot
            .newest(&input.environment, &asked, properties::ENOUGH)
            .map_err(bellwether_query::QueryError::from)?;
        if ctx.stop() {
            return Err(bellwether_query::QueryError::Cancelled.into());
        }
        Ok(properties::read(&newest, snapshot.seq()))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecentInput {
    /// Where.
    environment: EnvironmentKey,
    /// At most so many, 50 unless given, 500 at most.
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RecentEvents {
    /// Last received first.
    #[schemars(with = "Vec<bellwether_model::Json>")]
    events: Vec<Event>,
}

pub(super) struct Recent;

impl Operation for Recent {
    const NAME: &'static str = "event.recent";
    const ABOUT: &'static str = "Shows the newest events as they were taken.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/events/recent");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = RecentInput;
    type Output = RecentEvents;

    fn run(app: &App, _: &Ctx, input: RecentInput) -> Result<RecentEvents, AppError> {
        app.served(&input.environment)?;
        let limit = at_most(input.limit, 50, 500)?;
        Ok(RecentEvents {
            events: app
                .store
                .snapshot()
                .events(&input.environment, limit)
                .map_err(bellwether_query::QueryError::from)?,
        })
    }
}

/// An answer, and what makes it mean less than it says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Answer")]
pub(crate) struct Answered {
    #[serde(flatten)]
    answer: Answer,
    /// Names in the question that no event has or had on these days, with what was probably meant.
    warnings: Vec<Warning>,
}

pub(super) struct Segmentation;

impl Operation for Segmentation {
    const NAME: &'static str = "query.segmentation";
    const ABOUT: &'static str = "Counts an event or its people by day, with filters and one breakdown.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/query/segmentation");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = Asked;
    type Output = Answered;

    fn run(app: &App, ctx: &Ctx, input: Asked) -> Result<Answered, AppError> {
        app.served(&input.environment)?;
        let snapshot = app.store.snapshot();
        let answer = segmentation::run(&input, ctx.now, &snapshot, &|| ctx.stop())?;
        let mut warnings = Vec::new();
        // By days of UTC: a day of another zone is at most half a day off, and removing takes as long.
        let from = input.from.to_zoned(jiff::tz::TimeZone::UTC);
        let from = from.map_or(Millis(i64::MIN), |from| Millis(from.timestamp().as_millisecond()));
        let event = Some(input.event.as_str()).filter(|event| *event != segmentation::ANY);
        warnings.extend(app.removed_since(&input.environment, event, from, ctx.now));
        // The catalogue reads every event, so that it is only asked where a wrong name looks like a zero.
        if input.event != segmentation::ANY && answer.series.iter().all(|series| series.total == 0) {
            let seen = catalogue::read(&input.environment, ctx.now, &snapshot, &|| ctx.stop())?;
            warnings.extend(none_stored(&input, &seen));
        }
        if !answer.absent.is_empty() {
            let asked = |of: &str| properties::asks(Some(&input.event), of);
            let newest = snapshot
                .newest(&input.environment, &asked, properties::ENOUGH)
                .map_err(bellwether_query::QueryError::from)?;
            let listed = properties::read(&newest, snapshot.seq());
            let names: Vec<&str> = listed.properties.iter().map(|p| p.property.as_str()).collect();
            warnings.extend(answer.absent.iter().map(|name| without(&input, name, &names)));
        }
        Ok(Answered { answer, warnings })
    }
}

/// The event of the question, if there is none in its environment. Whether there ever was one nobody knows: what is past its
/// time or of who was forgotten is gone.
fn none_stored(asked: &Asked, seen: &Found) -> Option<Warning> {
    let names: Vec<&str> = seen.events.iter().map(|kind| kind.event.as_str()).collect();
    (!names.contains(&asked.event.as_str())).then(|| Warning {
        message: format!("no event `{}` is stored in `{}`", asked.event, asked.environment),
        hint: match names.as_slice() {
            [] => "no event of any type is stored there".to_owned(),
            _ => names::meant(&asked.event, names, "event.catalogue"),
        },
    })
}

/// A property that none of the question's events had; `names` are those that the newest of them have.
fn without(asked: &Asked, name: &str, names: &[&str]) -> Warning {
    let event =
        if asked.event == segmentation::ANY { "event".to_owned() } else { format!("`{}`", asked.event) };
    let other = name.strip_prefix("user.").map_or_else(|| format!("user.{name}"), str::to_owned);
    let hint = if names.contains(&name) {
        "the newest of them have it: ask for later days".to_owned()
    } else if names.contains(&other.as_str()) {
        format!("did you mean `{other}`? `user.` is before the user's properties and not before the event's")
    } else {
        names::meant(name, names.to_vec(), "event.properties")
    };
    Warning {
        message: format!("no {event} from {} to {} had the property `{name}`", asked.from, asked.to),
        hint,
    }
}
