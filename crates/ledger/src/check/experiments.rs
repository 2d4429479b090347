//! Ledger: the life of an experiment. A draft starts, a running one stops or ships, and the plan
//! that was fixed before the data came stays fixed.

use super::*;

pub(super) fn saved(state: &State, experiment: &Experiment) -> Result<(), LedgerError> {
    let key = &experiment.key;
    if let Some(was) = state.experiments.get(key) {
        match was.state {
            ExperimentState::Draft => {}
            ExperimentState::Running { .. } => {
                return Err(refused(
                    format!("experiment `{key}` is running, and its plan was fixed before the data came"),
                    "stop it, and plan a new experiment",
                ));
            }
            ExperimentState::Stopped { .. } | ExperimentState::Shipped { .. } => {
                return Err(refused(format!("experiment `{key}` has ended"), "plan a new experiment"));
            }
        }
    }
    if experiment.state != ExperimentState::Draft {
        return Err(refused(
            format!("experiment `{key}` would be saved in the middle of its life"),
            "save it as a draft, then start it",
        ));
    }
    environment_exists(state, &experiment.environment)?;
    let flag = state.flags.get(&experiment.flag).ok_or_else(|| unknown("flag", &experiment.flag))?;
    if flag.archived {
        return Err(archived(&flag.key));
    }
    plan(state, flag, experiment)
}

fn plan(state: &State, flag: &Flag, experiment: &Experiment) -> Result<(), LedgerError> {
    let plan = &experiment.plan;
    if !state.metrics.contains_key(&plan.metric) {
        return Err(unknown("metric", &plan.metric));
    }
    if plan.arms.len() < 2 {
        return Err(refused(
            format!("experiment `{}` compares `{}` variants", experiment.key, plan.arms.len()),
            "plan at least two arms, the control among them",
        ));
    }
    for (i, arm) in plan.arms.iter().enumerate() {
        if flag.variant(&arm.variant).is_none() {
            let has: Vec<_> = flag.variants.iter().map(|v| format!("`{}`", v.key)).collect();
            return Err(refused(
                format!("flag `{}` has no variant `{}`", flag.key, arm.variant),
                format!("use two or more of {}", has.join(", ")),
            ));
        }
        if plan.arms.iter().take(i).any(|a| a.variant == arm.variant) {
            return Err(refused(
                format!("variant `{}` is two arms of experiment `{}`", arm.variant, experiment.key),
                "plan one arm for each variant",
            ));
        }
        if arm.share == Share::NONE {
            return Err(refused(
                format!("arm `{}` of experiment `{}` gets nobody", arm.variant, experiment.key),
                "give it a share, or leave it out",
            ));
        }
    }
    let planned: u32 = plan.arms.iter().map(|a| u32::from(a.share.points())).sum();
    if planned > u32::from(Share::ALL.points()) {
        return Err(refused(
            format!("the arms add up to more than everybody: `{}%`", f64::from(planned) / 100.0),
            "lower the shares to 100% at most",
        ));
    }
    if !plan.arms.iter().any(|a| a.variant == plan.control) {
        return Err(refused(
            format!("the control `{}` is not an arm of experiment `{}`", plan.control, experiment.key),
            "plan an arm for the control",
        ));
    }
    if !(plan.alpha > 0.0 && plan.alpha < 0.5) {
        return Err(refused(
            format!("alpha `{}` is not an error rate", plan.alpha),
            "use a value between 0 and 0.5, such as 0.05",
        ));
    }
    if plan.effect.is_some_and(|e| !(e.is_finite() && e > 0.0)) {
        return Err(refused(
            "the smallest effect worth finding is not a positive number",
            "use an absolute difference in the metric's unit, or leave it out",
        ));
    }
    let bellwether_model::experiment::Horizon::After { span } = plan.horizon;
    if span.0 == 0 {
        return Err(refused(
            format!("experiment `{}` would end when it starts", experiment.key),
            "plan a horizon, such as two weeks (1209600000 ms)",
        ));
    }
    Ok(())
}

pub(super) fn started(state: &State, key: &ExperimentKey) -> Result<(), LedgerError> {
    let experiment = known(state, key)?;
    if experiment.state != ExperimentState::Draft {
        return Err(refused(
            format!("experiment `{key}` {}, and only a draft can start", stands(&experiment.state)),
            "plan a new experiment",
        ));
    }
    if let Some(other) = state.running(&experiment.flag, &experiment.environment) {
        return Err(refused(
            format!(
                "experiment `{}` already runs on flag `{}` in `{}`",
                other.key, experiment.flag, experiment.environment
            ),
            "stop the experiment first",
        ));
    }
    let flag = state.flags.get(&experiment.flag).ok_or_else(|| unknown("flag", &experiment.flag))?;
    if flag.archived {
        return Err(archived(&flag.key));
    }
    plan(state, flag, experiment)?;
    let default = &setting(state, flag, &experiment.environment)?.default;
    let missing = |arm: &VariantKey| default.split().is_none_or(|s| s.share(arm) == Share::NONE);
    if let Some(arm) = experiment.plan.arms.iter().find(|a| missing(&a.variant)) {
        return Err(refused(
            format!(
                "the default of flag `{}` in `{}` gives nobody `{}`",
                flag.key, experiment.environment, arm.variant
            ),
            "make the default a split with a share for each arm",
        ));
    }
    Ok(())
}

/// The experiment, if it can end at this time.
pub(super) fn ended<'s>(
    state: &'s State,
    key: &ExperimentKey,
    at: Millis,
) -> Result<&'s Experiment, LedgerError> {
    let experiment = known(state, key)?;
    let ExperimentState::Running { since } = experiment.state else {
        let hint = match experiment.state {
            ExperimentState::Draft => "start it first",
            _ => "plan a new experiment",
        };
        return Err(refused(
            format!("experiment `{key}` {}, and only a running one can end", stands(&experiment.state)),
            hint,
        ));
    };
    if at < since {
        return Err(refused(
            format!("experiment `{key}` would end at {at}, before it began at {since}"),
            "use a later time",
        ));
    }
    Ok(experiment)
}

pub(super) fn shipped(
    state: &State,
    key: &ExperimentKey,
    at: Millis,
    variant: &VariantKey,
) -> Result<(), LedgerError> {
    let experiment = ended(state, key, at)?;
    if !experiment.plan.arms.iter().any(|a| a.variant == *variant) {
        return Err(refused(
            format!("variant `{variant}` was not compared in experiment `{key}`"),
            "ship one of its arms, or stop it and change the flag",
        ));
    }
    let flag = state.flags.get(&experiment.flag).ok_or_else(|| unknown("flag", &experiment.flag))?;
    let mut next = setting(state, flag, &experiment.environment)?.clone();
    next.default = Serve::Variant { variant: variant.clone() };
    running::let_through(state, flag, &experiment.environment, &next)
}

fn known<'s>(state: &'s State, key: &ExperimentKey) -> Result<&'s Experiment, LedgerError> {
    state.experiments.get(key).map(|e| &e.value).ok_or_else(|| unknown("experiment", key))
}

fn stands(state: &ExperimentState) -> &'static str {
    match state {
        ExperimentState::Draft => "is a draft",
        ExperimentState::Running { .. } => "is running",
        ExperimentState::Stopped { .. } => "has been stopped",
        ExperimentState::Shipped { .. } => "has been shipped",
    }
}
