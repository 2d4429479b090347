//! App: events that are past their time. The tracking plan says how long which events are kept after they were received; what
//! is past is removed by and by, and nothing of it while an experiment or a guarded rollout of its environment is judged by it.

use std::sync::{Mutex, PoisonError};

use bellwether_ledger::State;
use bellwether_model::event::EXPOSURE;
use bellwether_model::experiment::ExperimentState;
use bellwether_model::plan::KEPT;
use bellwether_model::{EnvironmentKey, Experiment, Metric, Millis, RolloutState, Serve, Span};
use bellwether_store::Past;

use crate::App;
use crate::error::AppError;
use crate::view::Warning;

/// For so long the clock must have gone on before anything is removed: what a machine takes for the year 2099 until it has
/// asked for the time must not remove what is kept for a year.
const STEADY: Span = Span(60 * Span::MINUTE.0);

/// For so long after an experiment has ended what it is judged by stays: long enough to look at it and to ship.
const AFTERWARDS: Span = Span(14 * Span::DAY.0);

/// How the clock has gone since it last jumped: since when, and up to when.
#[derive(Debug, Default)]
pub(crate) struct Going(Mutex<Option<(Millis, Millis)>>);

impl Going {
    /// Notes what the clock says; whether it has gone on steadily for long enough.
    fn steady(&self, now: Millis) -> bool {
        let mut going = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match *going {
            Some((since, last)) if now >= last && now.since(last) < STEADY => since,
            _ => now,
        };
        *going = Some((since, now));
        now.since(since) >= STEADY
    }
}

/// Since when an environment's events are judged by something that is under way: an experiment, also shortly after its end, or
/// a rollout with a guard, a halted one included, because it can be resumed.
fn judged_since(state: &State, environment: &EnvironmentKey, now: Millis) -> Option<Millis> {
    let experiments = state.experiments.values().map(|experiment| &experiment.value);
    let running = experiments.filter(|e| e.environment == *environment).filter_map(|e| match e.state {
        ExperimentState::Running { since } => Some(since),
        ExperimentState::Stopped { since, at, .. } | ExperimentState::Shipped { since, at, .. } => {
            (now.since(at) < AFTERWARDS).then_some(since)
        }
        ExperimentState::Draft => None,
    });
    let settings = state.flags.values().filter_map(|flag| flag.value.settings.get(environment));
    let guarded = settings.filter_map(|setting| match &setting.default {
        Serve::Rollout { rollout }
            if rollout.guard.is_some() && !matches!(rollout.state, RolloutState::Done { .. }) =>
        {
            Some(rollout.started)
        }
        _ => None,
    });
    running.chain(guarded).min()
}

/// Which events are past their time.
pub(crate) fn past(state: &State, now: Millis) -> Past {
    let mut past = Past::default();
    let Some(plan) = state.plan.as_ref().map(|plan| &plan.value) else { return past };
    let own = || plan.events.iter().filter_map(|(name, event)| Some((name, event.value.retention_days?)));
    for environment in state.environments.keys() {
        let of_all = plan.rules.environments.get(environment).and_then(|handling| handling.retention_days);
        if of_all.is_none() && own().next().is_none() {
            continue;
        }
        let held = judged_since(state, environment, now).unwrap_or(Millis(i64::MAX));
        if let Some(kept) = of_all {
            past.others(environment, now.minus(kept.span()).min(held));
            KEPT.iter().for_each(|event| past.only(environment, event, None));
        }
        for (name, kept) in own() {
            past.only(environment, name.as_str(), Some(now.minus(kept.span()).min(held)));
        }
    }
    past
}

impl App {
    /// Removes a bounded piece of what is past its time.
    pub(crate) fn expire(&self, now: Millis) -> Result<(), AppError> {
        if !self.going.steady(now) {
            return Ok(());
        }
        let state = self.ledger.state();
        let past = past(&state, now);
        // Neither keeps the other from it.
        let stored = self.store.expire(&past, now);
        let held = self.quarantine.expire(&past, state.environments.keys(), now);
        let gone = stored? + held?;
        if gone > 0 {
            tracing::info!(events = gone, "events are past their time and go");
        }
        Ok(())
    }

    /// That a question from `from` on asks for events that are removed by now; `None` for the event is any.
    pub(crate) fn removed_since(
        &self,
        environment: &EnvironmentKey,
        event: Option<&str>,
        from: Millis,
        now: Millis,
    ) -> Option<Warning> {
        let past = past(&self.ledger.state(), now);
        let before = match event {
            Some(event) => past.before(environment.as_str(), event),
            None => past.before_of_any(environment.as_str()),
        };
        let before = before.filter(|before| from < *before)?;
        let which = event.map_or_else(|| "some event types".to_owned(), |event| format!("`{event}`"));
        Some(Warning {
            message: format!(
                "of {which} in `{environment}` what was received before {before} is removed by and by: days before may not be all there, and 0 there is no count"
            ),
            hint: "ask for later days, or give the tracking plan a longer `retention_days` for what comes from now on".to_owned(),
        })
    }

    /// Whether what an experiment that starts for a past time would be judged by is still there.
    ///
    /// # Errors
    /// A conflict where its events are past their time: what is left of them would give another answer.
    pub(crate) fn starts_with_what_is_there(
        &self,
        experiment: &Experiment,
        metric: &Metric,
        since: Millis,
        now: Millis,
    ) -> Result<(), AppError> {
        let Some((event, before)) = self.gone(experiment, metric, since, now) else { return Ok(()) };
        Err(AppError::conflict(
            format!(
                "`{since}` is too long ago: what was received of `{event}` in `{}` before {before} is removed",
                experiment.environment
            ),
            "start it for a later time; where older events were imported and not removed, give the tracking plan more `retention_days` first",
        ))
    }

    /// Whether what an experiment that is over was judged by is still there.
    ///
    /// # Errors
    /// A conflict where its events are past their time: what is left of them would give another answer.
    pub(crate) fn judged_by_what_is_there(
        &self,
        experiment: &Experiment,
        metric: &Metric,
        since: Millis,
        now: Millis,
    ) -> Result<(), AppError> {
        let over = match experiment.state {
            ExperimentState::Draft | ExperimentState::Running { .. } => return Ok(()),
            ExperimentState::Stopped { at, .. } | ExperimentState::Shipped { at, .. } => at,
        };
        if now.since(over) < AFTERWARDS {
            return Ok(());
        }
        let Some((event, before)) = self.gone(experiment, metric, since, now) else { return Ok(()) };
        let (environment, key) = (&experiment.environment, &experiment.key);
        Err(AppError::conflict(
            format!(
                "experiment `{key}` began at `{since}`, and what was received of `{event}` in `{environment}` before {before} \
                 is gone: what it was judged by is removed"
            ),
            "what was decided and why is in its changes: `change.list`; `flag.default` serves a variant to everybody",
        ))
    }

    /// Which events since a moment that an experiment is judged by are past their time, and before when these were received.
    fn gone<'m>(
        &self,
        experiment: &Experiment,
        metric: &'m Metric,
        since: Millis,
        now: Millis,
    ) -> Option<(&'m str, Millis)> {
        let past = past(&self.ledger.state(), now);
        let before = |event| past.before(experiment.environment.as_str(), event);
        let gone = |event: &'m str| Some((event, before(event).filter(|before| since < *before)?));
        [EXPOSURE, metric.event.as_str()].into_iter().find_map(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_steady_after_an_hour_without_a_jump() {
        let minute = |n: i64| Millis(n * 60_000);
        let check = |said: &[i64], steady: bool| {
            let going = Going::default();
            let last = said.iter().map(|&n| going.steady(minute(n))).last();
            assert_eq!(last, Some(steady), "{said:?}");
        };
        check(&[0], false);
        check(&[0, 59], false);
        check(&[0, 30, 60], true);
        check(&[0, 60], false);
        check(&[0, 30, 59, 1_000_000], false);
        check(&[0, 30, 60, 59], false);
        check(&[0, 30, 60, 59, 89, 119], true);
    }
}
