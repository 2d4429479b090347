//! App operations: personal data where the tracking plan says that there is none.

use std::cmp::Reverse;

use bellwether_model::{EnvironmentKey, Millis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::personal::{Found, LOOKED_AT, Of, Place};
use crate::recognise::Kind;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Where.
    environment: EnvironmentKey,
}

/// Values that look personal, at one place.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Suspect {
    /// Whose property it is.
    of: Of,
    /// The event type, of a property of the event.
    event: Option<String>,
    /// The property or the id; what is inside of it stands after a dot, and `[]` for the elements of a list.
    property: String,
    /// What the values look like.
    kind: Kind,
    /// How many do.
    found: u64,
    /// Of how many that were looked at.
    looked_at: u64,
    /// One of them without what it tells: each letter as `x`, each digit as `9`.
    shape: String,
    /// When the newest came.
    last: Millis,
    /// Whether it is not among the newest events any more: it was found earlier, since the start of the server.
    earlier: bool,
    /// The same in words.
    message: String,
    /// What to do.
    hint: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// What is certain first, then by how many.
    suspects: Vec<Suspect>,
    /// The newest events that were looked at.
    looked_at: u64,
    /// Whether there were more different properties than can be told apart.
    cut: bool,
}

pub(super) struct Report;

impl Operation for Report {
    const NAME: &'static str = "personal.report";
    const ABOUT: &'static str = "Looks for personal data (e-mail, telephone, card, IBAN, national ids, addresses) in the newest \
         events, where the tracking plan does not say that there is some. It shows shapes and no values.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/personal");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = Input;
    type Output = Output;

    fn run(app: &App, _: &Ctx, input: Input) -> Result<Output, AppError> {
        app.served(&input.environment)?;
        let look = app.look_at(&input.environment, LOOKED_AT)?;
        let earlier = app.scanner.of(&input.environment).into_iter();
        let earlier = earlier.filter(|(place, _)| !look.found.contains_key(place)).map(|found| (found, true));
        let now = look.found.clone().into_iter().map(|found| (found, false));
        let mut suspects: Vec<Suspect> =
            now.chain(earlier).map(|((place, found), earlier)| suspect(place, found, earlier)).collect();
        suspects.sort_by_key(|suspect| {
            (suspect.earlier, Reverse(suspect.kind.is_sure()), Reverse(suspect.found))
        });
        Ok(Output { suspects, looked_at: look.looked_at, cut: look.cut })
    }
}

fn suspect(place: Place, found: Found, earlier: bool) -> Suspect {
    let Place { of, event, property } = place;
    let Found { kind, found, of: looked_at, shape, last } = found;
    let name = property.split(['.', '[']).next().unwrap_or_default().to_owned();
    let (whose, hint) = match (of, &event) {
        (Of::Event, Some(event)) => (
            format!("`{property}` of `{event}`"),
            format!(
                "plan `{name}` of `{event}` as personal, then it is masked from now on; or do not send it"
            ),
        ),
        (Of::Id, _) => (
            format!("the id `{property}`"),
            "name people by an id that means nothing elsewhere, such as the key of a table".to_owned(),
        ),
        (Of::User | Of::Event, _) => (
            format!("the user's `{property}`"),
            format!(
                "add `{name}` to what the plan calls personal, then it is masked from now on; or do not send it"
            ),
        ),
        (Of::Group, _) => (
            format!("the group's `{property}`"),
            format!(
                "add `{name}` to what the plan calls personal, then it is masked from now on; or do not send it"
            ),
        ),
    };
    Suspect {
        message: format!("{found} of {looked_at} values of {whose} look like {}", kind.words()),
        hint,
        of,
        event: event.map(Into::into),
        property: property.into(),
        kind,
        found,
        looked_at,
        shape: shape.into(),
        last,
        earlier,
    }
}
