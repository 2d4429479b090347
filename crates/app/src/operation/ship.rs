//! App operations: an experiment ends, and its flag serves one variant to everybody.

use bellwether_model::{Experiment, ExperimentKey, Revision, VariantKey};
use bellwether_trial::{Shipping, experiment as trial, ship};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::advice;
use crate::error::AppError;
use crate::view::ExperimentView;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShipInput {
    /// The experiment.
    experiment: ExperimentKey,
    /// The variant to ship; the verdict's unless given.
    variant: Option<VariantKey>,
    /// The reason, needed to ship what the verdict does not name, and where the sample ratio warns. The
    /// verdict is put beside it, and is the reason where none is given.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Ship;

impl Operation for Ship {
    const NAME: &'static str = "experiment.ship";
    const ABOUT: &'static str =
        "Ends an experiment and serves the winner to everybody, with the verdict as the reason.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/experiments/{experiment}/ship");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Changes;
    type Input = ShipInput;
    type Output = ExperimentView;

    fn run(app: &App, ctx: &Ctx, input: ShipInput) -> Result<ExperimentView, AppError> {
        let found = app.experiment(&input.experiment)?;
        let results = app.results(&found, ctx)?;
        let named = match &results.judgement.verdict {
            trial::Verdict::Ship { variant } | trial::Verdict::Keep { variant } => Some(variant),
            _ => None,
        };
        let reason = input.why.unwrap_or_default();
        let shipping = match input.variant {
            Some(variant) if Some(&variant) != named => Shipping::Despite { variant, reason },
            _ => Shipping::Verdict { reason },
        };
        let proposal = ship(&found.value, &results.judgement, &shipping, ctx.now)?;
        let _editing = app.editing();
        // What was judged is what is shipped: somebody else's edit in between wins.
        let expect = input.if_revision.or(Some(found.revision));
        let after = app.edit(ctx, proposal.edit, Some(proposal.why), expect, Vec::new())?;
        let view = app.experiment_after(&after.state, &input.experiment)?;
        let Experiment { flag, environment, .. } = &found.value;
        let warnings = advice::idle_limits(&after.state, flag, environment).into_iter().collect();
        Ok(ExperimentView { warnings, ..view })
    }
}
