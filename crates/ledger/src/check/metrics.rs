//! Ledger: a metric counts something, and keeps counting the same thing while it decides.

use bellwether_model::metric::Measure;

use super::*;

pub(super) fn saved(state: &State, metric: &Metric) -> Result<(), LedgerError> {
    let key = &metric.key;
    if metric.event.is_empty() {
        return Err(refused(format!("metric `{key}` counts no event"), "name an event type"));
    }
    if matches!(&metric.measure, Measure::Sum { property } if property.is_empty()) {
        return Err(refused(format!("metric `{key}` sums no property"), "name a numeric property"));
    }
    if let Some(filter) = metric.only.iter().find(|f| f.property.is_empty() || f.values.is_empty()) {
        return Err(refused(
            format!("a filter of metric `{key}` tests `{}` against nothing", filter.property),
            "name a property and give at least one value",
        ));
    }
    let Some(was) = state.metrics.get(key) else { return Ok(()) };
    let same = was.event == metric.event
        && was.only == metric.only
        && was.measure == metric.measure
        && was.better == metric.better;
    if same {
        return Ok(());
    }
    if let Some(experiment) = state.experiments.values().find(|e| e.running() && e.plan.metric == *key) {
        return Err(refused(
            format!("metric `{key}` decides experiment `{}`, which is running", experiment.key),
            "stop the experiment first, or save the metric under another key",
        ));
    }
    let guards = |setting: &Setting| match &setting.default {
        Serve::Rollout { rollout } => {
            rollout.widening().is_some() && rollout.guard.as_ref().is_some_and(|g| g.metric == *key)
        }
        Serve::Variant { .. } | Serve::Split { .. } => false,
    };
    if let Some(flag) = state.flags.values().find(|f| !f.archived && f.settings.values().any(guards)) {
        return Err(refused(
            format!("metric `{key}` guards the rollout of flag `{}`", flag.key),
            "halt or finish the rollout first, or save the metric under another key",
        ));
    }
    Ok(())
}
