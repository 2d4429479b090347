//! App operations: what another tracking plan does to what is there already, in words, for whoever is about to make it
//! the plan.

use std::collections::BTreeSet;

use bellwether_ledger::State;
use bellwether_model::plan::{Addresses, Concealment, Handling, Identifiers, Lint, Name, Retention};
use bellwether_model::{EnvironmentKey, TrackingPlan};

/// What comes of making `now` the plan in the place of `was`.
pub(super) fn of(state: &State, was: &TrackingPlan, now: &TrackingPlan) -> Vec<Lint> {
    let switched = state.environments.keys().flat_map(|environment| switched(state, environment, was, now));
    let shortened = state.environments.keys().filter_map(|environment| {
        let days = |plan: &TrackingPlan| plan.rules.environments.get(environment)?.retention_days;
        shorter(days(was), days(now), &format!("in `{environment}`, events"))
    });
    let own = now.events.iter().filter_map(|(name, event)| {
        let was = was.events.get(name).and_then(|was| was.retention_days);
        shorter(was, event.retention_days, &format!("events of type `{name}`"))
    });
    switched.chain(shortened).chain(own).chain(concealed(state, was, now)).collect()
}

/// Where personal values can be.
enum Place<'p> {
    /// A property of an event type that one of the plans names.
    Planned(&'p Name, &'p Name),
    /// A name of the rules, wherever nothing else is planned.
    Ruled(&'p str),
}

impl Place<'_> {
    fn personal(&self, plan: &TrackingPlan) -> bool {
        match self {
            Self::Planned(event, property) => {
                plan.rules.calls_personal(plan.events.get(*event), property.as_str())
            }
            Self::Ruled(name) => plan.rules.personal.contains(*name),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Planned(event, property) => format!("`{property}` of `{event}`"),
            Self::Ruled(name) => format!("`{name}` of the rules"),
        }
    }
}

/// Values are stored that were not, or are not stored any more that were.
fn concealed(state: &State, was: &TrackingPlan, now: &TrackingPlan) -> Vec<Lint> {
    let planned = [was, now].into_iter().flat_map(|plan| {
        plan.events
            .iter()
            .flat_map(|(event, planned)| planned.properties.keys().map(move |name| (event, name)))
    });
    let planned: BTreeSet<(&Name, &Name)> = planned.collect();
    let ruled: BTreeSet<&String> = was.rules.personal.union(&now.rules.personal).collect();
    let planned = planned.into_iter().map(|(event, property)| Place::Planned(event, property));
    let places = planned.chain(ruled.into_iter().map(|name| Place::Ruled(name)));
    let handlings: Vec<(&EnvironmentKey, Handling, Handling)> =
        state.environments.keys().map(|key| (key, handling(was, key), handling(now, key))).collect();
    let those = |of: &dyn Fn(&Handling, &Handling) -> bool| {
        let those = handlings.iter().filter(|(_, was, now)| of(was, now));
        those.map(|(key, ..)| format!("`{key}`")).collect::<Vec<_>>().join(", ")
    };
    let shown = those(&|was, _| was.personal != Concealment::Keep);
    let left_out = those(&|_, now| now.personal == Concealment::Drop);
    let (mut lints, mut stays) = (Vec::new(), false);
    for place in places {
        match (place.personal(was), place.personal(now)) {
            (true, true) => stays = true,
            (true, false) if !shown.is_empty() => lints.push(Lint {
                message: format!(
                    "{} is not personal any more: in {shown} it is stored as it comes",
                    place.words()
                ),
                hint: SHOWN.to_owned(),
            }),
            (false, true) if !left_out.is_empty() => lints.push(Lint {
                message: format!("{} becomes personal: in {left_out} its values are dropped", place.words()),
                hint: DROPPED.to_owned(),
            }),
            _ => {}
        }
    }
    for (key, was, now) in &handlings {
        let key = format!("in `{key}`");
        let mut add = |message: String, hint: &str| lints.push(Lint { message, hint: hint.to_owned() });
        match (was.personal, now.personal) {
            (was, now) if was == now || !stays => {}
            (_, Concealment::Keep) => add(format!("{key}, personal values are stored as they come"), SHOWN),
            (_, Concealment::Drop) => add(format!("{key}, personal values are dropped"), DROPPED),
            _ => {}
        }
        match (was.addresses, now.addresses) {
            (was, now) if was == now => {}
            (_, Addresses::Keep) => add(format!("{key}, addresses are stored whole"), SHOWN),
            (_, Addresses::Drop) => add(format!("{key}, addresses are dropped"), DROPPED_ADDRESSES),
            _ => {}
        }
    }
    lints
}

const SHOWN: &str = "what comes meanwhile stays as it came, also when it is concealed again; it goes when its person is forgotten";
const DROPPED: &str =
    "nothing brings back what comes meanwhile; `hash` conceals it, too, and lets it be counted";
const DROPPED_ADDRESSES: &str = "nothing brings back what comes meanwhile; `truncate` keeps their network";

fn handling(plan: &TrackingPlan, environment: &EnvironmentKey) -> Handling {
    plan.rules.environments.get(environment).copied().unwrap_or_default()
}

/// Events are kept less long than before.
fn shorter(was: Option<Retention>, now: Option<Retention>, what: &str) -> Option<Lint> {
    let days = now.filter(|now| was.is_none_or(|was| *now < was))?;
    Some(Lint {
        message: format!("{what} are removed {days} after they were received"),
        hint: "what is older goes within two days, and only backups have it then; what running experiments and guarded \
               rollouts are judged by stays until they end"
            .to_owned(),
    })
}

/// Ids are stored otherwise than before: who was there counts as somebody else.
fn switched(
    state: &State,
    environment: &EnvironmentKey,
    was: &TrackingPlan,
    now: &TrackingPlan,
) -> Vec<Lint> {
    let (was, now) = (handling(was, environment), handling(now, environment));
    let mut lints = Vec::new();
    for (whose, was, now) in
        [("users", was.user_ids, now.user_ids), ("devices", was.device_ids, now.device_ids)]
    {
        if was == now {
            continue;
        }
        let how = match now {
            Identifiers::Hash => "as keyed hashes",
            Identifiers::Keep => "as they come",
        };
        let running = state.experiments.values().map(|experiment| &experiment.value);
        let running =
            running.filter(|experiment| experiment.running() && experiment.environment == *environment);
        let names: Vec<String> = running.map(|experiment| format!("`{}`", experiment.key)).collect();
        let hint = match names.as_slice() {
            [] => "what is stored already stays as it is; the events that SDKs send again across the change count twice".to_owned(),
            names => format!(
                "end {} first: who was exposed before the change is not joined with what they do after it",
                names.join(", ")
            ),
        };
        lints.push(Lint {
            message: format!(
                "in `{environment}`, ids of {whose} are stored {how}: whoever was seen before counts as somebody else"
            ),
            hint,
        });
    }
    lints
}
