//! App operations: what another tracking plan does to what is there already, in words, for whoever is about to make it
//! the plan.

use std::collections::BTreeSet;

use bellwether_ledger::State;
use bellwether_model::plan::{Addresses, Concealment, Handling, Identifiers, Lint, Name, Retention};
use bellwether_model::{EnvironmentKey, TrackingPlan};

/// What comes of making `now` the plan in the place of `was`.
pub(super) fn of(state: &State, was: &TrackingPlan, now: &TrackingPlan) -> Vec<Lint> {
    let switched = state.environments.keys().flat_map(|environment| switched(state, environment, was, now));
    let environments: Vec<&EnvironmentKey> = state.environments.keys().collect();
    let removed = removed(&environments, was, now);
    switched.chain(removed).chain(concealed(state, was, now)).collect()
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

/// Events of an environment that are kept less long than before: those of a type, or those of all types that no plan gives a
/// time of their own.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shorter<'p> {
    event: Option<&'p Name>,
    days: Retention,
    environment: &'p EnvironmentKey,
}

fn shorter<'p>(
    environments: &[&'p EnvironmentKey],
    was: &'p TrackingPlan,
    now: &'p TrackingPlan,
) -> Vec<Shorter<'p>> {
    let of_all = |plan: &TrackingPlan, environment| handling(plan, environment).retention_days;
    let own = |plan: &TrackingPlan, event: &Name| plan.events.get(event)?.retention_days;
    // What tells who people are is kept; no plan can name it.
    let in_the_end = |plan: &TrackingPlan, environment, event: &Name| {
        own(plan, event).or_else(|| of_all(plan, environment))
    };
    let less =
        |was: Option<Retention>, now: Option<Retention>| now.filter(|now| was.is_none_or(|was| *now < was));
    let names: BTreeSet<&Name> = was.events.keys().chain(now.events.keys()).collect();
    let names: Vec<&Name> =
        names.into_iter().filter(|name| own(was, name).or_else(|| own(now, name)).is_some()).collect();
    let each = environments.iter().flat_map(|&environment| {
        let others = less(of_all(was, environment), of_all(now, environment));
        let others = others.map(|days| Shorter { event: None, days, environment });
        let of_types = names.iter().filter_map(move |&event| {
            let days = less(in_the_end(was, environment, event), in_the_end(now, environment, event))?;
            Some(Shorter { event: Some(event), days, environment })
        });
        others.into_iter().chain(of_types)
    });
    each.collect()
}

/// The same in words; what is so in each environment is said once.
fn removed(environments: &[&EnvironmentKey], was: &TrackingPlan, now: &TrackingPlan) -> Vec<Lint> {
    let mut found = shorter(environments, was, now);
    found.sort_unstable();
    let alike = found.chunk_by(|a, b| a.event.is_some() && (a.event, a.days) == (b.event, b.days));
    let lints = alike.filter_map(|those| {
        let Shorter { event, days, .. } = those.first()?;
        let what = event.map_or_else(|| "events".to_owned(), |event| format!("events of type `{event}`"));
        let whole = event.is_some() && those.len() == environments.len();
        let places: Vec<String> = those.iter().map(|those| format!("`{}`", those.environment)).collect();
        let place = if whole { String::new() } else { format!("in {}, ", places.join(", ")) };
        Some(Lint {
            message: format!("{place}{what} are removed {days} after they were received"),
            hint: "what is older goes within two days, and only backups have it then; what running experiments and \
                   guarded rollouts are judged by stays until they end"
                .to_owned(),
        })
    });
    lints.collect()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use bellwether_model::plan::EventType;
    use proptest::prelude::*;

    use super::*;

    /// Event types: two that a plan may name, and one that none does.
    const TYPES: [&str; 3] = ["Order", "Page", "Unplanned"];
    const PLACES: [&str; 2] = ["development", "production"];
    const DAYS: [u32; 3] = [7, 30, 400];

    /// Of each place its days, and of each type that is planned its own.
    type Days = ([Option<u32>; 2], [Option<Option<u32>>; 2]);

    fn days() -> impl Strategy<Value = Days> {
        let some = || proptest::option::of(proptest::sample::select(&DAYS[..]));
        ([some(), some()], [(); 2].map(|()| proptest::option::of(some())))
    }

    fn plan((places, own): &Days) -> TrackingPlan {
        let kept = |days: &Option<u32>| days.map(|days| Retention::try_from(days).unwrap());
        let mut plan = TrackingPlan::default();
        for (place, days) in PLACES.iter().zip(places) {
            let handling = Handling { retention_days: kept(days), ..Handling::default() };
            plan.rules.environments.insert(place.parse().unwrap(), handling);
        }
        for (event, own) in TYPES.iter().zip(own) {
            let Some(own) = own else { continue };
            let of = EventType { retention_days: kept(own), ..EventType::default() };
            plan.events.insert(event.parse().unwrap(), of);
        }
        plan
    }

    /// For how many days an event is kept, as the documentation says it.
    fn naive((places, own): &Days, place: usize, event: usize) -> u32 {
        if let Some(Some(Some(days))) = own.get(event) {
            return *days;
        }
        places[place].unwrap_or(u32::MAX)
    }

    proptest! {
        /// Of each type in each environment it is said that its events are kept less long where they are, and nowhere else.
        #[test]
        fn what_is_kept_less_long_is_what_a_naive_look_finds(was in days(), now in days()) {
            let keys: Vec<EnvironmentKey> = PLACES.iter().map(|key| key.parse().unwrap()).collect();
            let (before, after) = (plan(&was), plan(&now));
            let environments: Vec<&EnvironmentKey> = keys.iter().collect();
            let found = shorter(&environments, &before, &after);
            let (mut said, mut expected) = (BTreeMap::new(), BTreeMap::new());
            for (place, key) in keys.iter().enumerate() {
                for (event, name) in TYPES.iter().enumerate() {
                    let has_own = |of: &Days| of.1.get(event).copied().flatten().flatten().is_some();
                    let own = has_own(&was) || has_own(&now);
                    let mine = |one: &&Shorter<'_>| one.environment == key && match one.event {
                        Some(of) => of.as_str() == *name,
                        None => !own,
                    };
                    let days: Vec<u32> = found.iter().filter(mine).map(|one| one.days.into()).collect();
                    prop_assert!(days.len() < 2, "once: {found:?}");
                    said.extend(days.first().map(|days| ((place, event), *days)));
                    let (was, now) = (naive(&was, place, event), naive(&now, place, event));
                    expected.extend((now < was).then_some(((place, event), now)));
                }
            }
            prop_assert_eq!(&said, &expected);
            // In words each is once, too, whatever is said together.
            let words = removed(&environments, &before, &after);
            let told: usize = words.iter().map(|lint| {
                let places = PLACES.iter().filter(|place| lint.message.contains(&format!("`{place}`"))).count();
                if places == 0 { PLACES.len() } else { places }
            }).sum();
            prop_assert_eq!(told, found.len(), "{:?}", words);
        }
    }
}
