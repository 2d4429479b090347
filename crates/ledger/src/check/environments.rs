//! Ledger: an environment is made once. Its bucketing changes only where nobody's assignment matters.

use super::*;

pub(super) fn created(state: &State, environment: &Environment) -> Result<(), LedgerError> {
    if state.environments.contains_key(&environment.key) {
        return Err(refused(
            format!("environment `{}` exists already", environment.key),
            "choose another key",
        ));
    }
    Ok(())
}

/// Another bucketing hashes other bytes of every id, ASCII or not, and so draws everybody anew: not while
/// an experiment runs or a rollout widens there.
pub(super) fn saved(state: &State, environment: &Environment) -> Result<(), LedgerError> {
    let key = &environment.key;
    let was = state.environments.get(key).ok_or_else(|| unknown("environment", key))?;
    if was.bucketing == environment.bucketing {
        return Ok(());
    }
    let running = state.experiments.values().find(|e| e.running() && e.environment == *key);
    let widening = state.flags.values().filter(|flag| !flag.archived).find(|flag| {
        let default = flag.settings.get(key).map(|setting| &setting.default);
        matches!(default, Some(Serve::Rollout { rollout }) if rollout.widening().is_some())
    });
    let what = match (running, widening) {
        (Some(experiment), _) => format!("experiment `{}` is running", experiment.key),
        (None, Some(flag)) => format!("the rollout of flag `{}` is widening", flag.key),
        (None, None) => return Ok(()),
    };
    Err(refused(
        format!("another bucketing would draw everybody in `{key}` anew, and {what} there"),
        "stop it first, or make another environment with this bucketing",
    ))
}
