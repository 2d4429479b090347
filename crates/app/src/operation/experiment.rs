//! App operations: experiments. A plan that is fixed, evidence up to one moment, a verdict, a change.

use std::sync::Arc;

use bellwether_ledger::{State, Versioned};
use bellwether_model::experiment::{Arm, ExperimentState, Horizon, Plan};
use bellwether_model::{
    Edit, EnvironmentKey, Experiment, ExperimentKey, FlagKey, Metric, MetricKey, Millis, Revision, Seq,
    Serve, Setting, Share, Span, VariantKey,
};
use bellwether_query::evidence::MAX_AMOUNT;
use bellwether_trial::experiment::{self as trial, Judgement};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Nothing;
use super::serve::Moment;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::{Permission, digest};
use crate::error::AppError;
use crate::view::{ExperimentView, Warning, grouped};

#[derive(Serialize, JsonSchema)]
pub(crate) struct Experiments {
    /// Last changed first.
    experiments: Vec<ExperimentView>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "experiment.list";
    const ABOUT: &'static str = "Lists the experiments, last changed first.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/experiments");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = Nothing;
    type Output = Experiments;

    fn run(app: &App, _: &Ctx, _: Nothing) -> Result<Experiments, AppError> {
        let state = app.ledger.state();
        let mut all: Vec<_> = state.experiments.values().collect();
        all.sort_by_key(|e| std::cmp::Reverse(e.revision));
        let experiments = all.into_iter().map(|e| app.experiment_view(e)).collect();
        Ok(Experiments { experiments })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetInput {
    /// The experiment.
    experiment: ExperimentKey,
}

pub(super) struct Get;

impl Operation for Get {
    const NAME: &'static str = "experiment.get";
    const ABOUT: &'static str = "Shows an experiment's plan and state.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/experiments/{experiment}");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = GetInput;
    type Output = ExperimentView;

    fn run(app: &App, _: &Ctx, input: GetInput) -> Result<ExperimentView, AppError> {
        Ok(app.experiment_view(&app.experiment(&input.experiment)?))
    }
}

/// One variant of an experiment and the share that it should get.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArmInput {
    /// The variant.
    variant: VariantKey,
    /// Its share of the population.
    share: Share,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateInput {
    /// Its key.
    experiment: ExperimentKey,
    /// What people call it; the key unless given.
    name: Option<String>,
    /// What is believed, and what will be done if it is true.
    #[serde(default)]
    hypothesis: String,
    /// The flag whose variants are compared.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// The variant that the others are compared with.
    control: VariantKey,
    /// The variants compared, control included, such as
    /// `[{"variant": "off", "share": 5000}, {"variant": "on", "share": 5000}]`; the shares of the flag's default split,
    /// without its rest, unless given.
    arms: Option<Vec<ArmInput>>,
    /// The metric that decides.
    metric: MetricKey,
    /// How many days it runs.
    days: u32,
    /// How often a difference that is not there may be called one; 0.05 unless given.
    alpha: Option<f64>,
    /// The smallest effect worth finding, as an absolute difference.
    effect: Option<f64>,
    /// The reason.
    why: Option<String>,
    /// The revision that the edit is of: a draft can be planned anew.
    if_revision: Option<Revision>,
}

pub(super) struct Create;

impl Operation for Create {
    const NAME: &'static str = "experiment.create";
    const ABOUT: &'static str = "Plans an experiment on a flag; the plan is fixed once it starts.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/experiments");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = CreateInput;
    type Output = ExperimentView;

    fn run(app: &App, ctx: &Ctx, input: CreateInput) -> Result<ExperimentView, AppError> {
        let setting = app.setting(&input.flag, &input.environment)?;
        let arms = match input.arms {
            Some(arms) => arms.into_iter().map(|a| Arm { variant: a.variant, share: a.share }).collect(),
            None => planned(&setting.default, &input.flag)?,
        };
        let plan = Plan {
            control: input.control,
            arms,
            metric: input.metric,
            horizon: Horizon::After { span: Span::DAY.times(u64::from(input.days)) },
            alpha: input.alpha.unwrap_or(0.05),
            effect: input.effect,
        };
        trial::check(&plan)?;
        let key = input.experiment;
        let experiment = Experiment {
            name: input.name.unwrap_or_else(|| key.to_string()),
            key: key.clone(),
            hypothesis: input.hypothesis,
            flag: input.flag,
            environment: input.environment,
            plan,
            state: ExperimentState::Draft,
        };
        let why = input.why.or_else(|| Some(format!("planned {key}")));
        let after =
            app.edit(ctx, Edit::ExperimentSaved { experiment }, why, input.if_revision, Vec::new())?;
        app.experiment_after(&after.state, &key)
    }
}

/// The arms that a flag's default split has: all but its rest.
fn planned(default: &Serve, flag: &FlagKey) -> Result<Vec<Arm>, AppError> {
    let Serve::Split { split } = default else {
        return Err(AppError::conflict(
            format!("flag `{flag}` does not split its default, and no arms are given"),
            "make the default a split with `flag.target`, or give `arms`",
        ));
    };
    let shares = split.shares().into_iter().filter(|(v, s)| Some(v) != split.rest() && *s > Share::NONE);
    Ok(shares.map(|(variant, share)| Arm { variant, share }).collect())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartInput {
    /// The experiment.
    experiment: ExperimentKey,
    /// Exposures count from here: milliseconds since 1970, or a text such as `2026-11-22T18:33:00Z`; now unless
    /// given. A past time is for data that was imported; it is refused where events since then are removed by now.
    since: Option<Moment>,
    /// The reason; needed in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Start;

impl Operation for Start {
    const NAME: &'static str = "experiment.start";
    const ABOUT: &'static str = "Starts an experiment: its flag must be on and split as planned.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/experiments/{experiment}/start");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = StartInput;
    type Output = ExperimentView;

    fn run(app: &App, ctx: &Ctx, input: StartInput) -> Result<ExperimentView, AppError> {
        let experiment = app.experiment(&input.experiment)?.value;
        let since = input.since.map_or(ctx.now, |since| since.0);
        if since > ctx.now {
            return Err(AppError::bad_input(
                format!("`{}` is in the future", since.0),
                "leave `since` out to start now",
            ));
        }
        let setting = app.setting(&experiment.flag, &experiment.environment)?;
        if !setting.on {
            return Err(AppError::conflict(
                format!("flag `{}` is off in `{}`", experiment.flag, experiment.environment),
                "switch it on first, with `flag.toggle`",
            ));
        }
        let mut wanted = experiment.plan.arms.clone();
        let mut split = planned(&setting.default, &experiment.flag)?;
        wanted.sort_by(|a, b| a.variant.cmp(&b.variant));
        split.sort_by(|a, b| a.variant.cmp(&b.variant));
        if wanted != split {
            let shown = |arms: &[Arm]| {
                arms.iter().map(|a| format!("{} {}", a.variant, a.share)).collect::<Vec<_>>().join(", ")
            };
            return Err(AppError::conflict(
                format!(
                    "the plan is `{}`, and flag `{}` splits `{}`",
                    shown(&wanted),
                    experiment.flag,
                    shown(&split)
                ),
                "set the flag's shares as planned, or plan anew",
            ));
        }
        let state = app.ledger.state();
        let metric = state.metrics.get(&experiment.plan.metric).ok_or_else(|| {
            AppError::not_found("metric", &experiment.plan.metric, "define it with `metric.save`")
        })?;
        if input.since.is_some() {
            app.starts_with_what_is_there(&experiment, &metric.value, since, ctx.now)?;
        }
        app.drawn_alike(&experiment, &setting)?;
        let edit = Edit::ExperimentStarted { experiment: input.experiment.clone(), since };
        let after = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        app.experiment_after(&after.state, &input.experiment)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopInput {
    /// The experiment.
    experiment: ExperimentKey,
    /// The reason; needed in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Stop;

impl Operation for Stop {
    const NAME: &'static str = "experiment.stop";
    const ABOUT: &'static str = "Stops an experiment; its flag stays as it is.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/experiments/{experiment}/stop");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = StopInput;
    type Output = ExperimentView;

    fn run(app: &App, ctx: &Ctx, input: StopInput) -> Result<ExperimentView, AppError> {
        let edit = Edit::ExperimentStopped { experiment: input.experiment.clone(), at: ctx.now };
        let after = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        app.experiment_after(&after.state, &input.experiment)
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ResultsView {
    /// The experiment, with its plan.
    experiment: ExperimentView,
    /// The metric that decides.
    metric: Metric,
    /// The verdict and everything that it rests on.
    pub(super) judgement: Judgement,
    /// What makes the numbers mean less than they say, such as units that can never convert.
    warnings: Vec<Warning>,
    /// What it was computed from, so that it can be computed again.
    computed: Computed,
}

/// Ids with fewer characters are taken out of events by intake, unless the sender says otherwise.
const SHORTEST_ID: usize = 5;

/// The units whose events lost their ids, where it looks so: intake takes short ids out of events as
/// Amplitude does, our own evaluations expose them all the same. Where one of them has converted, the
/// senders have asked intake to keep short ids.
fn short_ids(evidence: &bellwether_query::evidence::Evidence, metric: &Metric) -> Option<Warning> {
    if evidence.short == 0 || evidence.short_converted > 0 {
        return None;
    }
    let exposed: u64 = evidence.arms.iter().map(|arm| arm.exposed).sum();
    Some(Warning {
        message: format!(
            "`{}` of `{exposed}` exposed units have ids of fewer than {SHORTEST_ID} characters, and none of them did `{}`: \
             events lose ids that are so short, so these units cannot convert",
            evidence.short, metric.event
        ),
        hint: "use longer ids for evaluations and events alike, or send events with `options.min_id_length`"
            .to_owned(),
    })
}

/// The outcomes whose amounts are too large to be amounts: they were judged as if they had none.
pub(super) fn set_aside(evidence: &bellwether_query::evidence::Evidence, metric: &Metric) -> Option<Warning> {
    let n = evidence.set_aside;
    (n > 0).then(|| Warning {
        message: format!(
            "amounts of `{}` beyond {MAX_AMOUNT:e} are set aside and add nothing to `{}`: `{n}` so far",
            metric.event, metric.key
        ),
        hint: "look for a broken sender, or one that means harm; a client key lets anybody send events"
            .to_owned(),
    })
}

/// Programs that were shown a variant: they are in no arm.
pub(super) fn programs(evidence: &bellwether_query::evidence::Evidence) -> Option<Warning> {
    let n = evidence.bots;
    (n > 0).then(|| Warning {
        message: format!("`{n}` exposures of programs, such as crawlers, are left out"),
        hint: "their events have the property `$bot`; if these are people, look at their `user_agent`"
            .to_owned(),
    })
}

/// What a verdict was computed from: the same again gives the same numbers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Computed {
    /// When.
    at: Millis,
    /// Exposures from here.
    from: Millis,
    /// Exposures and outcomes before here.
    to: Millis,
    /// Every event up to and including this one was seen.
    seq: Seq,
    /// The revision of the experiment.
    revision: Revision,
    /// SHA-256 of the plan and the metric's definition.
    plan_hash: String,
}

pub(super) struct Results;

impl Operation for Results {
    const NAME: &'static str = "experiment.results";
    const ABOUT: &'static str = "Judges an experiment by the evidence up to now: counts, differences with intervals, sample ratio, verdict.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/experiments/{experiment}/results");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = GetInput;
    type Output = ResultsView;

    fn run(app: &App, ctx: &Ctx, input: GetInput) -> Result<ResultsView, AppError> {
        app.results(&app.experiment(&input.experiment)?, ctx)
    }
}

impl App {
    /// One experiment by key, for reading.
    pub(super) fn experiment(&self, key: &ExperimentKey) -> Result<Versioned<Experiment>, AppError> {
        self.ledger.state().experiments.get(key).cloned().ok_or_else(|| self.unknown("experiment", key))
    }

    /// Nobody keeps a variant that was given by other shares than the plan's: they would be counted when they come
    /// back, as if they were new, and the arms would differ by when people first came.
    fn drawn_alike(&self, experiment: &Experiment, setting: &Setting) -> Result<(), AppError> {
        let Experiment { flag, environment, plan, .. } = experiment;
        let Serve::Split { split } = &setting.default else { return Ok(()) };
        let Some(count) = self.served(environment)?.enrolled(flag).filter(|count| count.units > 0) else {
            return Ok(());
        };
        let variants: Vec<&VariantKey> = plan.arms.iter().map(|arm| &arm.variant).collect();
        match self.drew_otherwise(flag, environment, split, &variants)? {
            None => Ok(()),
            Some(at) => Err(AppError::conflict(
                format!(
                    "flag `{flag}` keeps the variants of `{}` units, and at `{at}` its arms stood in another ratio: who was \
                     enrolled by it would count among the new",
                    grouped(count.units)
                ),
                "draw everybody anew: give the split no `salt` in `flag.target`, then plan and start",
            )),
        }
    }

    pub(super) fn experiment_after(
        &self,
        state: &State,
        key: &ExperimentKey,
    ) -> Result<ExperimentView, AppError> {
        let experiment = state.experiments.get(key).ok_or_else(|| self.unknown("experiment", key))?;
        Ok(self.experiment_view(experiment))
    }

    pub(super) fn results(&self, found: &Versioned<Experiment>, ctx: &Ctx) -> Result<ResultsView, AppError> {
        let experiment = &found.value;
        let Some((since, until)) = experiment.period() else {
            return Err(AppError::conflict(
                format!("experiment `{}` has not begun", experiment.key),
                "start it with `experiment.start`",
            ));
        };
        // While it ran its metric could not be redefined; what was decided by it stays decided by it.
        let state = match experiment.state {
            ExperimentState::Draft | ExperimentState::Running { .. } => self.ledger.state(),
            ExperimentState::Stopped { .. } | ExperimentState::Shipped { .. } => {
                Arc::new(self.ledger.state_at(found.revision)?)
            }
        };
        let metric = state.metrics.get(&experiment.plan.metric).ok_or_else(|| {
            AppError::not_found("metric", &experiment.plan.metric, "define it with `metric.save`")
        })?;
        self.judged_by_what_is_there(experiment, &metric.value, since, ctx.now)?;
        let to = until.min(ctx.now);
        let ask = bellwether_query::evidence::Ask {
            environment: experiment.environment.clone(),
            flag: experiment.flag.clone(),
            unit: self.flag(&experiment.flag)?.value.unit,
            variants: experiment.plan.arms.iter().map(|a| a.variant.clone()).collect(),
            metric: metric.value.clone(),
            from: since,
            since,
            to,
            outcomes_to: to,
            watch: bellwether_query::evidence::Watch::Open,
            stretch: Span::DAY,
            shortest: SHORTEST_ID,
        };
        let evidence = bellwether_query::evidence::collect(&ask, &self.store.snapshot(), &|| ctx.stop())?;
        let clock = trial::Clock { now: ctx.now, since, until };
        let judgement =
            trial::judge(&experiment.plan, &metric.value, &crate::guard::for_trial(&evidence), clock)?;
        let definition = serde_json::to_string(&(&experiment.plan, &metric.value))
            .map_err(|e| AppError::internal("write the plan", e))?;
        Ok(ResultsView {
            experiment: self.experiment_view(found),
            metric: metric.value.clone(),
            judgement,
            warnings: [
                short_ids(&evidence, &metric.value),
                set_aside(&evidence, &metric.value),
                programs(&evidence),
                self.off_meanwhile(experiment, since, to)?,
            ]
            .into_iter()
            .flatten()
            .collect(),
            computed: Computed {
                at: ctx.now,
                from: since,
                to,
                seq: evidence.seq,
                revision: found.revision,
                plan_hash: digest(&definition),
            },
        })
    }
}
