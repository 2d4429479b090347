//! App operations: what a flag belongs to (a team, a layer), its variants, and what their values must look
//! like.

use bellwether_model::{Edit, FlagKey, Json, LayerKey, Revision, Team, Variant};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::advice;
use crate::error::AppError;
use crate::view::FlagView;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeamInput {
    /// The flag.
    flag: FlagKey,
    /// Whose it is; nobody's unless given.
    team: Option<Team>,
    /// The reason; needed where the flag is served in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct SetTeam;

impl Operation for SetTeam {
    const NAME: &'static str = "flag.team";
    const ABOUT: &'static str =
        "Says whose a flag is; holdouts may cover a team's flags. Without a team it is nobody's.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/flags/{flag}/team");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = TeamInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: TeamInput) -> Result<FlagView, AppError> {
        let edit = Edit::FlagTeamSet { flag: input.flag.clone(), team: input.team };
        let after = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        app.flag_after(&after, &input.flag)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayerInput {
    /// The flag.
    flag: FlagKey,
    /// The layer, which divides by the same unit as the flag; out of its layer unless given.
    layer: Option<LayerKey>,
    /// The reason; needed where the flag is served in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct SetLayer;

impl Operation for SetLayer {
    const NAME: &'static str = "flag.layer";
    const ABOUT: &'static str = "Puts a flag into a layer of mutually exclusive flags, where `layer.allot` gives it a part, or takes it out.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/flags/{flag}/layer");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = LayerInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: LayerInput) -> Result<FlagView, AppError> {
        let edit = Edit::FlagLayerSet { flag: input.flag.clone(), layer: input.layer };
        let after = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        let view = app.flag_after(&after, &input.flag)?;
        Ok(view.warned(advice::outside_layer(&after.state, &input.flag)))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemaInput {
    /// The flag.
    flag: FlagKey,
    /// A JSON Schema that the value of each variant must match, such as `{"type": "number", "minimum": 0}`; none
    /// unless given.
    schema: Option<Json>,
    /// The reason; needed where the flag is served in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct SetSchema;

impl Operation for SetSchema {
    const NAME: &'static str = "flag.schema";
    const ABOUT: &'static str = "Sets the JSON Schema that a flag's values must match, or takes it away; a value that does not match is refused.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/flags/{flag}/schema");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = SchemaInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: SchemaInput) -> Result<FlagView, AppError> {
        let edit = Edit::FlagSchemaSet { flag: input.flag.clone(), schema: input.schema };
        let after = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        app.flag_after(&after, &input.flag)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VariantsInput {
    /// The flag.
    flag: FlagKey,
    /// All its variants from now on, of the flag's kind, such as
    /// `[{"key": "small", "value": 10}, {"key": "large", "value": 50}]`. One that something serves or names cannot be left
    /// out.
    variants: Vec<Variant>,
    /// The reason; needed where the flag is served in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct SetVariants;

impl Operation for SetVariants {
    const NAME: &'static str = "flag.variants";
    const ABOUT: &'static str =
        "Replaces a flag's variants: new values, more variants, or fewer where nothing uses them.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/flags/{flag}/variants");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = VariantsInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: VariantsInput) -> Result<FlagView, AppError> {
        let edit = Edit::FlagVariantsReplaced { flag: input.flag.clone(), variants: input.variants };
        let after = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        app.flag_after(&after, &input.flag)
    }
}
