//! App operations: personal data: what becomes of it where the tracking plan says that it is there, and what looks like it
//! where the plan says that there is none.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bellwether_ledger::Plan;
use bellwether_model::id::Team;
use bellwether_model::plan::{Addresses, Concealment, Identifiers, reserved};
use bellwether_model::{EnvironmentKey, Millis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::intake::judge::cut;
use crate::personal::{Found, Of, Place, Stored};
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
    /// Whether it is not among the events that were looked at: it was found earlier, since the start of the server, and may
    /// be stored still.
    earlier: bool,
    /// The same in words.
    message: String,
    /// What to do.
    hint: String,
}

/// What the plan calls personal, at one place.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Marked {
    /// Whose property it is.
    of: Of,
    /// The event type, of a property of the event.
    event: Option<String>,
    /// The property.
    property: String,
    /// Who answers for it.
    owner: Option<Team>,
    /// How many of the events that were looked at have it.
    stored: u64,
    /// How many of these have it as it came: they came before the plan said it, or it is kept here.
    plain: u64,
}

/// What is stored as it came by a name that differs by case alone from one that the plan calls personal.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Alike {
    /// Whose property it is.
    of: Of,
    /// The event type, of a property of the event.
    event: Option<String>,
    /// The property.
    property: String,
    /// What the plan calls personal.
    like: String,
    /// How many of the events that were looked at have it.
    stored: u64,
    /// The same in words.
    message: String,
    /// What to do.
    hint: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// What becomes of personal values that come in here.
    personal: Concealment,
    /// What is kept here of the addresses that events came from.
    addresses: Addresses,
    /// What is stored here of the ids of users.
    user_ids: Identifiers,
    /// What is stored here of the ids of devices.
    device_ids: Identifiers,
    /// What the plan calls personal: properties of events by their type, then those of events that its rules alone name and
    /// that came, then those of users and groups.
    marked: Vec<Marked>,
    /// What is called almost as that, and is stored as it came.
    alike: Vec<Alike>,
    /// What is certain first, then by how many.
    suspects: Vec<Suspect>,
    /// How many events were looked at: the newest 5,000, and the newest of each type that has fewer than 200 among them.
    looked_at: u64,
    /// Whether there were more different properties than can be told apart, or more event types than are looked at.
    cut: bool,
}

pub(super) struct Report;

impl Operation for Report {
    const NAME: &'static str = "personal.report";
    const ABOUT: &'static str = "Says what becomes of what the tracking plan calls personal, whether the newest events of each \
         type hold any of it as it came, and looks in them for personal data (e-mail, telephone, card, IBAN, national ids, addresses) where the \
         plan does not say that there is some. It shows shapes and no values.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/personal");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = Input;
    type Output = Output;

    fn run(app: &App, ctx: &Ctx, input: Input) -> Result<Output, AppError> {
        app.served(&input.environment)?;
        let look = app.look_at_each(&input.environment, ctx.now, &|| ctx.stop())?;
        let earlier = app.scanner.still(&input.environment, &look).into_iter();
        let earlier = earlier.filter(|(place, _)| !look.found.contains_key(place)).map(|found| (found, true));
        let now = look.found.clone().into_iter().map(|found| (found, false));
        let mut suspects: Vec<Suspect> =
            now.chain(earlier).map(|((place, found), earlier)| suspect(place, found, earlier)).collect();
        suspects.sort_by_key(|suspect| {
            (suspect.earlier, Reverse(suspect.kind.is_sure()), Reverse(suspect.found))
        });
        let state = app.ledger.state();
        let plan = state.plan.as_ref().map(|plan| &plan.value);
        let handling = plan.and_then(|plan| plan.rules.environments.get(&input.environment));
        let handling = handling.copied().unwrap_or_default();
        Ok(Output {
            personal: handling.personal,
            addresses: handling.addresses,
            user_ids: handling.user_ids,
            device_ids: handling.device_ids,
            marked: plan.map(|plan| marked(plan, &look.marked)).unwrap_or_default(),
            alike: look.alike.into_iter().map(alike).collect(),
            suspects,
            looked_at: look.looked_at,
            cut: look.cut,
        })
    }
}

/// What the plan calls personal, with what is stored of it.
fn marked(plan: &Plan, stored: &BTreeMap<Place, Stored>) -> Vec<Marked> {
    let mark = |of: Of, event: Option<&str>, property: &str, owner: Option<&Team>| {
        let place = Place { of, event: event.map(|name| cut(name, 100)), property: cut(property, 100) };
        let Stored { values, plain } = stored.get(&place).copied().unwrap_or_default();
        Marked {
            of,
            event: event.map(str::to_owned),
            property: property.to_owned(),
            owner: owner.cloned(),
            stored: values,
            plain,
        }
    };
    let of_events = plan.events.iter().flat_map(|(event, planned)| {
        let planned = &planned.value;
        let personal = planned.properties.iter().filter(|(_, property)| property.personal);
        personal.map(move |(name, property)| {
            let owner = property.owner.as_ref().or(planned.owner.as_ref());
            mark(Of::Event, Some(event.as_str()), name.as_str(), owner)
        })
    });
    let of_events: Vec<Marked> = of_events.collect();
    let planned: BTreeSet<Place> = of_events
        .iter()
        .map(|marked| Place {
            of: Of::Event,
            event: marked.event.as_deref().map(|name| cut(name, 100)),
            property: cut(&marked.property, 100),
        })
        .collect();
    // A name may be one of users and of groups; which, is known of those that came.
    let of_others = plan.rules.personal.iter().flat_map(|name| {
        let groups = mark(Of::Group, None, name, None);
        let users = mark(Of::User, None, name, None);
        let both = if groups.stored == 0 {
            [Some(users), None]
        } else {
            [Some(users).filter(|users| users.stored > 0), Some(groups)]
        };
        both.into_iter().flatten()
    });
    let came = stored.keys().filter(|place| place.of == Of::Event && !planned.contains(place)).map(|place| {
        let Place { event, property, .. } = place;
        let planned = event.as_deref().and_then(|event| plan.events.get(event));
        mark(Of::Event, event.as_deref(), property, planned.and_then(|planned| planned.value.owner.as_ref()))
    });
    of_events.into_iter().chain(came).chain(of_others).collect()
}

fn alike((place, (like, stored)): (Place, (Box<str>, u64))) -> Alike {
    let Place { of, event, property } = place;
    let whose = match (of, &event) {
        (Of::Event, Some(event)) => format!("`{property}` of `{event}`"),
        (Of::Group, _) => format!("the group's `{property}`"),
        _ => format!("the user's `{property}`"),
    };
    Alike {
        message: format!(
            "{whose} is stored as it came in {stored} of the events that were looked at, and the plan calls `{like}` personal"
        ),
        hint: format!(
            "names are personal as they are written: send `{like}`, or plan `{property}` as personal, too"
        ),
        of,
        event: event.map(Into::into),
        property: property.into(),
        like: like.into(),
        stored,
    }
}

fn suspect(place: Place, found: Found, earlier: bool) -> Suspect {
    let Place { of, event, property } = place;
    let Found { kind, found, of: looked_at, shape, last } = found;
    let name = property.split(['.', '[']).next().unwrap_or_default().to_owned();
    let (whose, hint) = match (of, &event) {
        // No plan is asked what an SDK's maker calls so.
        (Of::Event, Some(event)) if reserved(&name) || reserved(event) => (
            format!("`{property}` of `{event}`"),
            format!(
                "add `{name}` to what the plan's rules call personal, then it is concealed from now on; or do not send it"
            ),
        ),
        (Of::Event, Some(event)) => (
            format!("`{property}` of `{event}`"),
            format!(
                "plan `{name}` of `{event}` as personal, then it is concealed from now on; or do not send it"
            ),
        ),
        (Of::Id, _) => (
            format!("the id `{property}`"),
            match property.as_ref() {
                "user_id" | "device_id" => format!(
                    "let the plan store hashes of them (`{property}s` of this environment), or use an id that means nothing elsewhere"
                ),
                _ => "use an id that means nothing elsewhere, such as the key of a table".to_owned(),
            },
        ),
        (Of::User | Of::Event, _) => (
            format!("the user's `{property}`"),
            format!(
                "add `{name}` to what the plan calls personal, then it is concealed from now on; or do not send it"
            ),
        ),
        (Of::Group, _) => (
            format!("the group's `{property}`"),
            format!(
                "add `{name}` to what the plan calls personal, then it is concealed from now on; or do not send it"
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
