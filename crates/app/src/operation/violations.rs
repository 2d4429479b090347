//! App operations: how events do not follow the tracking plan.

use bellwether_model::{EnvironmentKey, Millis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::intake::judge::{Fault, Reason};
use crate::names::nearest;
use crate::violations::{Case, Seen};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Where.
    environment: EnvironmentKey,
    /// Only of this event type.
    event: Option<String>,
}

/// One way in which events of a type do not follow the plan.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Violation {
    /// The event type.
    event: String,
    /// The property; none where the event type is not planned.
    property: Option<String>,
    #[serde(flatten)]
    reason: Reason,
    /// The same in words.
    message: String,
    /// What was perhaps meant, of what is planned.
    hint: Option<String>,
    /// How many events, those that were sent again included.
    count: u64,
    /// How many of them were stored, with a mark.
    accepted: u64,
    /// How many were put into quarantine.
    quarantined: u64,
    /// How many were rejected.
    rejected: u64,
    /// When the first came.
    first: Millis,
    /// When the last came.
    last: Millis,
    /// The newest value, as JSON; none of a property that is personal or not planned.
    example: Option<String>,
    /// The SDK that sent it, or the door that it came by.
    source: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Counted since the start of the server.
    since: Millis,
    /// Most frequent first.
    violations: Vec<Violation>,
    /// Rare ones that were forgotten, in all environments, because there were too many.
    forgotten: u64,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "plan.violations";
    const ABOUT: &'static str =
        "Lists how events do not follow the tracking plan: what, how often, since when and by which SDK.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/plan/violations");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = Input;
    type Output = Output;

    fn run(app: &App, _: &Ctx, input: Input) -> Result<Output, AppError> {
        app.served(&input.environment)?;
        let (seen, forgotten) = app.violations.of(&input.environment);
        let asked = |case: &Case| input.event.as_ref().is_none_or(|event| **event == *case.event);
        let mut violations: Vec<Violation> = seen
            .into_iter()
            .filter(|(case, _)| asked(case))
            .map(|(case, seen)| app.violation(&input.environment, case, seen))
            .collect();
        violations.sort_by_key(|violation| std::cmp::Reverse((violation.count, violation.last)));
        Ok(Output { since: app.violations.since(), violations, forgotten })
    }
}

impl App {
    fn violation(&self, environment: &EnvironmentKey, case: Case, seen: Seen) -> Violation {
        let judges = self.judges.load();
        let judge = judges.planned(environment);
        let near = |wanted: &str, mut names: Vec<&str>| {
            names.sort_unstable();
            nearest(wanted, &names).map(|near| format!("did you mean `{near}`?"))
        };
        let hint = match (&case.reason, &case.property) {
            (Reason::UnplannedEvent, _) => {
                judge.and_then(|judge| near(&case.event, judge.events().collect()))
            }
            (Reason::UnplannedProperty { .. }, Some(property)) => {
                judge.and_then(|judge| near(property, judge.properties(&case.event).collect()))
            }
            _ => None,
        };
        let fault = Fault { property: case.property, reason: case.reason, example: None };
        Violation {
            message: fault.sentence(),
            hint,
            event: case.event.into(),
            property: fault.property.map(Into::into),
            reason: case.reason,
            count: seen.count(),
            accepted: seen.accepted,
            quarantined: seen.quarantined,
            rejected: seen.rejected,
            first: seen.first,
            last: seen.last,
            example: seen.example.map(Into::into),
            source: case.source.into(),
        }
    }
}
