//! App operations: metrics.

use bellwether_model::metric::{Better, Filter, Measure};
use bellwether_model::{Edit, Metric, MetricKey, Revision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Nothing;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::view::MetricView;

#[derive(Serialize, JsonSchema)]
pub(crate) struct Metrics {
    /// In order of their keys.
    metrics: Vec<MetricView>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "metric.list";
    const ABOUT: &'static str = "Lists the metrics.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/metrics");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = Nothing;
    type Output = Metrics;

    fn run(app: &App, _: &Ctx, _: Nothing) -> Result<Metrics, AppError> {
        let state = app.ledger.state();
        Ok(Metrics { metrics: state.metrics.values().map(|m| app.metric_view(m)).collect() })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetInput {
    /// The metric.
    metric: MetricKey,
}

pub(super) struct Get;

impl Operation for Get {
    const NAME: &'static str = "metric.get";
    const ABOUT: &'static str = "Shows a metric.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/metrics/{metric}");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = GetInput;
    type Output = MetricView;

    fn run(app: &App, _: &Ctx, input: GetInput) -> Result<MetricView, AppError> {
        let state = app.ledger.state();
        let metric = state.metrics.get(&input.metric).ok_or_else(|| app.unknown("metric", &input.metric))?;
        Ok(app.metric_view(metric))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaveInput {
    /// Its key.
    metric: MetricKey,
    /// What people call it; the key unless given.
    name: Option<String>,
    /// What it means and why it matters.
    #[serde(default)]
    description: String,
    /// The event type it counts.
    event: String,
    /// Only events with these properties, such as
    /// `[{"property": "plan", "op": "is", "values": ["pro"]}]`.
    #[serde(default)]
    only: Vec<Filter>,
    /// What is computed per unit: `{"measure": "conversion"}`, `{"measure": "count"}` or
    /// `{"measure": "sum", "property": "price"}`.
    measure: Measure,
    /// Which way is good.
    #[serde(default)]
    better: Better,
    /// The reason.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Save;

impl Operation for Save {
    const NAME: &'static str = "metric.save";
    const ABOUT: &'static str =
        "Defines a metric, or redefines it; refused while an experiment that it decides is running.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/metrics/{metric}");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = SaveInput;
    type Output = MetricView;

    fn run(app: &App, ctx: &Ctx, input: SaveInput) -> Result<MetricView, AppError> {
        if input.event.trim().is_empty() {
            return Err(AppError::bad_input(
                "a metric counts an event, and none is named",
                "give `event`, such as `purchase`",
            ));
        }
        let key = input.metric;
        let metric = Metric {
            name: input.name.unwrap_or_else(|| key.to_string()),
            description: input.description,
            event: input.event,
            only: input.only,
            measure: input.measure,
            better: input.better,
            key: key.clone(),
        };
        let after = app.edit(ctx, Edit::MetricSaved { metric }, input.why, input.if_revision, Vec::new())?;
        let saved = after.state.metrics.get(&key);
        saved.map(|m| app.metric_view(m)).ok_or_else(|| app.unknown("metric", &key))
    }
}
