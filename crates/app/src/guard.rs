//! App: guards. Once a minute each guarded rollout's evidence is judged, and harm that is shown
//! halts it: a change like any other, whose actor is the guard and whose reason is the verdict.

use std::collections::BTreeSet;

use bellwether_ledger::Proposed;
use bellwether_model::{
    Actor, EnvironmentKey, FlagKey, Metric, MetricKey, Millis, Revision, Rollout, RolloutState, Serve, Span,
};
use bellwether_query::evidence::{self, Ask, Watch as Window};
use bellwether_trial::guard::{self, GuardVerdict};
use bellwether_trial::{Arm, Evidence};

use crate::error::AppError;
use crate::{App, LOOK};

/// A rollout that its guard has halted.
#[derive(Debug, Clone)]
pub struct Halted {
    /// The flag.
    pub flag: FlagKey,
    /// Where.
    pub environment: EnvironmentKey,
    /// The verdict.
    pub why: String,
}

/// What a guard says, and of what.
pub(crate) struct Judged {
    pub(crate) verdict: GuardVerdict,
    pub(crate) evidence: evidence::Evidence,
    pub(crate) metric: Metric,
}

/// When guards last looked.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    last: Option<Millis>,
    /// The epochs of which a mismatch was said in the log of the program.
    mismatched: BTreeSet<(FlagKey, EnvironmentKey, Millis)>,
}

/// How long after shares have changed SDKs may still answer by those before: they ask for the rules every
/// thirty seconds unless they listen to a stream. Who comes new in this time is in no arm.
const SETTLING: Span = Span::MINUTE;

impl App {
    /// Lets every guard look, if a minute has passed since they last did. One guard that cannot
    /// judge does not keep the others from it.
    pub(crate) fn watch(&self, now: Millis) -> Result<Vec<Halted>, AppError> {
        let mut watch = self.guards.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if watch.last.is_some_and(|last| now.since(last) < LOOK && now >= last) {
            return Ok(Vec::new());
        }
        watch.last = Some(now);
        let mut halted = Vec::new();
        for (flag, environment, rollout, revision) in self.guarded() {
            match self.guard_once(&flag, &environment, &rollout, revision, now) {
                Ok((_, Some(done))) => halted.push(done),
                Ok((GuardVerdict::Mismatch { sentence, hint, .. }, None)) => {
                    if watch.mismatched.insert((flag.clone(), environment.clone(), rollout.epoch_began)) {
                        tracing::warn!(%flag, %environment, %sentence, %hint, "a guard cannot judge its rollout");
                    }
                }
                Ok((_, None)) => {}
                Err(e) => {
                    tracing::error!(%flag, %environment, error = %e, cause = e.cause, "a guard could not look");
                }
            }
        }
        Ok(halted)
    }

    fn guarded(&self) -> Vec<(FlagKey, EnvironmentKey, Rollout, Revision)> {
        let state = self.ledger.state();
        let settings = state.flags.values().filter(|f| !f.value.archived).flat_map(|f| {
            f.value.settings.iter().map(move |(environment, setting)| (f, environment, setting))
        });
        settings
            .filter(|(.., setting)| setting.on)
            .filter_map(|(flag, environment, setting)| match &setting.default {
                Serve::Rollout { rollout } if rollout.guard.is_some() && rollout.widening().is_some() => {
                    Some((flag.value.key.clone(), environment.clone(), rollout.clone(), flag.revision))
                }
                _ => None,
            })
            .collect()
    }

    /// Judges once, and halts the rollout where harm is shown.
    pub(crate) fn guard_once(
        &self,
        flag: &FlagKey,
        environment: &EnvironmentKey,
        rollout: &Rollout,
        revision: Revision,
        now: Millis,
    ) -> Result<(GuardVerdict, Option<Halted>), AppError> {
        let verdict = self.judge_guard(flag, environment, rollout, now)?.verdict;
        let Some(proposal) = guard::halt(flag, environment, rollout, &verdict, now) else {
            return Ok((verdict, None));
        };
        let by = Actor::Guard { flag: flag.clone(), environment: environment.clone() };
        let why = proposal.why.clone();
        let _editing = self.editing();
        self.propose(
            // The revision that was judged: a person who was faster wins.
            Proposed {
                by,
                why: proposal.why,
                edit: proposal.edit,
                expect: Some(revision),
                lists: Vec::new(),
            },
            now,
        )?;
        tracing::warn!(%flag, %environment, %why, "a guard halted a rollout");
        Ok((verdict, Some(Halted { flag: flag.clone(), environment: environment.clone(), why })))
    }

    /// The evidence of a guarded rollout up to now, and what it says.
    pub(crate) fn judge_guard(
        &self,
        flag: &FlagKey,
        environment: &EnvironmentKey,
        rollout: &Rollout,
        now: Millis,
    ) -> Result<Judged, AppError> {
        let Some(plan) = &rollout.guard else {
            return Err(AppError::conflict(
                format!("the rollout of `{flag}` has no guard"),
                "start it with a guard: a metric and a margin",
            ));
        };
        let metric = self.guarding(&plan.metric, rollout)?;
        let state = self.ledger.state();
        let unit = state.flags.get(flag).map(|f| f.value.unit).unwrap_or_default();
        // Before the first epoch there was no rollout that anybody could still answer by.
        let settled = if rollout.epoch == 0 { Span(0) } else { SETTLING };
        let ask = Ask {
            environment: environment.clone(),
            flag: flag.clone(),
            unit,
            variants: vec![rollout.control.clone(), rollout.candidate.clone()],
            metric: metric.clone(),
            from: rollout.started,
            since: rollout.epoch_began.plus(settled),
            to: now,
            outcomes_to: now,
            watch: Window::Matured { window: plan.window, by: now },
            stretch: LOOK,
            shortest: 0,
        };
        let evidence = evidence::collect(&ask, &self.store.snapshot(), &|| false)?;
        let verdict = guard::judge(rollout, plan, &metric, &for_trial(&evidence))?;
        Ok(Judged { verdict, evidence, metric })
    }

    /// The metric that a guard goes by. While the rollout widens it cannot be redefined; once it is settled
    /// it can, and what the guard saw stays by the definition of then.
    fn guarding(&self, key: &MetricKey, rollout: &Rollout) -> Result<Metric, AppError> {
        let state = self.ledger.state();
        let mut metric = state
            .metrics
            .get(key)
            .cloned()
            .ok_or_else(|| AppError::not_found("metric", key, "define it with `metric.save`"))?;
        let at = match rollout.state {
            RolloutState::Widening => return Ok(metric.value),
            RolloutState::Halted { at, .. } | RolloutState::Done { at } => at,
        };
        while metric.at > at {
            let Some(before) = metric.revision.0.checked_sub(1) else { break };
            match self.ledger.state_at(Revision(before))?.metrics.get(key) {
                Some(earlier) => metric = earlier.clone(),
                None => break,
            }
        }
        Ok(metric.value)
    }
}

/// What a query found, in the words of a trial: the two rooms do not know each other.
pub(crate) fn for_trial(found: &evidence::Evidence) -> Evidence {
    let arms = found.arms.iter().map(|arm| Arm {
        variant: arm.variant.clone(),
        exposed: arm.exposed,
        units: arm.units,
        converted: arm.converted,
        moments: arm.moments,
    });
    Evidence {
        arms: arms.collect(),
        increments: found.stretches.iter().map(|stretch| stretch.units.clone()).collect(),
        crossed: found.crossed,
    }
}
