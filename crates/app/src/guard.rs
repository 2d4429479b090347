//! App: guards. Once a minute each guarded rollout's evidence is judged, and harm that is shown
//! halts it: a change like any other, whose actor is the guard and whose reason is the verdict.

use bellwether_ledger::Proposed;
use bellwether_model::{Actor, EnvironmentKey, FlagKey, Millis, Revision, Rollout, Serve};
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

/// When guards last looked.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    last: Option<Millis>,
}

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
                Ok(Some(done)) => halted.push(done),
                Ok(None) => {}
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

    fn guard_once(
        &self,
        flag: &FlagKey,
        environment: &EnvironmentKey,
        rollout: &Rollout,
        revision: Revision,
        now: Millis,
    ) -> Result<Option<Halted>, AppError> {
        let verdict = self.judge_guard(flag, environment, rollout, now)?;
        let Some(proposal) = guard::halt(flag, environment, rollout, &verdict, now) else { return Ok(None) };
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
        Ok(Some(Halted { flag: flag.clone(), environment: environment.clone(), why }))
    }

    /// The evidence of a guarded rollout up to now, and what it says.
    pub(crate) fn judge_guard(
        &self,
        flag: &FlagKey,
        environment: &EnvironmentKey,
        rollout: &Rollout,
        now: Millis,
    ) -> Result<GuardVerdict, AppError> {
        let Some(plan) = &rollout.guard else {
            return Err(AppError::conflict(
                format!("the rollout of `{flag}` has no guard"),
                "start it with a guard: a metric and a margin",
            ));
        };
        let state = self.ledger.state();
        let metric = state
            .metrics
            .get(&plan.metric)
            .ok_or_else(|| AppError::not_found("metric", &plan.metric, "define it with `metric.save`"))?;
        let unit = state.flags.get(flag).map(|f| f.value.unit).unwrap_or_default();
        let ask = Ask {
            environment: environment.clone(),
            flag: flag.clone(),
            unit,
            variants: vec![rollout.control.clone(), rollout.candidate.clone()],
            metric: metric.value.clone(),
            from: rollout.started,
            since: rollout.epoch_began,
            to: now,
            outcomes_to: now,
            watch: Window::Matured { window: plan.window, by: now },
        };
        let evidence = evidence::collect(&ask, &self.store.snapshot(), &|| false)?;
        Ok(guard::judge(rollout, plan, &metric.value, &for_trial(&evidence).arms)?)
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
        increments: found.daily.iter().map(|day| day.units.clone()).collect(),
        crossed: found.crossed,
    }
}
