//! App operations: what another tracking plan does to what is there already, in words, for whoever is about to make it
//! the plan.

use bellwether_ledger::State;
use bellwether_model::plan::{Identifiers, Lint};
use bellwether_model::{EnvironmentKey, TrackingPlan};

/// What comes of making `now` the plan in the place of `was`.
pub(super) fn of(state: &State, was: &TrackingPlan, now: &TrackingPlan) -> Vec<Lint> {
    state.environments.keys().flat_map(|environment| switched(state, environment, was, now)).collect()
}

/// Ids are stored otherwise than before: who was there counts as somebody else.
fn switched(
    state: &State,
    environment: &EnvironmentKey,
    was: &TrackingPlan,
    now: &TrackingPlan,
) -> Vec<Lint> {
    let handling =
        |plan: &TrackingPlan| plan.rules.environments.get(environment).copied().unwrap_or_default();
    let (was, now) = (handling(was), handling(now));
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
