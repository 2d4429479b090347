//! Ledger: a beta holds together with the flags that it switches, and takes nobody out of a running
//! experiment.

use bellwether_model::{Beta, BetaKey, Condition};

use super::*;

pub(super) fn saved(state: &State, beta: &Beta) -> Result<(), LedgerError> {
    beta.check()?;
    let key = &beta.key;
    let was = state.betas.get(key).map(|b| &b.value);
    shelved("beta", key, was.map(|was| was.archived), beta.archived)?;
    for (flag, variant) in &beta.flags {
        let found = state.flags.get(flag).ok_or_else(|| unknown("flag", flag))?;
        let old = was.is_some_and(|was| was.flags.contains_key(flag));
        if found.archived && !old {
            return Err(archived(flag));
        }
        if found.variant(variant).is_none() {
            let has: Vec<_> = found.variants.iter().map(|v| format!("`{}`", v.key)).collect();
            return Err(refused(
                format!("flag `{flag}` has no variant `{variant}`"),
                format!("use one of {}", has.join(", ")),
            ));
        }
        let other = state.betas.values().find(|b| !b.archived && b.key != *key && b.flags.contains_key(flag));
        if let Some(other) = other.filter(|_| !beta.archived) {
            return Err(refused(
                format!("flag `{flag}` is in beta `{}` already", other.key),
                "take it out there first: a flag is in one beta at most",
            ));
        }
    }
    let mut asked = beta.audience.iter().flatten().filter_map(Condition::segment);
    asked
        .try_for_each(|segment| segments::there(state, segment, &format!("the audience of beta `{key}`")))?;
    // Where it is on is not for this edit to say.
    let on = was.map(|was| was.on.clone()).unwrap_or_default();
    running::unshown(state, was, &Beta { on, ..beta.clone() })
}

pub(super) fn switched(
    state: &State,
    key: &BetaKey,
    environment: &EnvironmentKey,
    on: bool,
) -> Result<(), LedgerError> {
    environment_exists(state, environment)?;
    let beta = state.betas.get(key).ok_or_else(|| unknown("beta", key))?;
    if beta.archived {
        return Err(refused(format!("beta `{key}` is archived"), "restore it first"));
    }
    let mut next = beta.value.clone();
    if on {
        next.on.insert(environment.clone());
    } else {
        next.on.remove(environment);
    }
    running::unshown(state, Some(&beta.value), &next)
}
