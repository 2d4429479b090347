//! App operations: layers, which divide the population among flags that must not meet in one person.

use bellwether_ledger::{State, Versioned};
use bellwether_model::{Edit, FlagKey, Layer, LayerKey, Millis, Revision, Share, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::serve::After;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::advice;
use crate::error::AppError;
use crate::view::{ActorView, Warning};

/// A layer with its newest revision and how it is divided.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct LayerView {
    /// The layer; its ranges are who owns which part of the population.
    layer: Layer,
    /// Send it as `if_revision` with an edit.
    revision: Revision,
    /// When it last changed.
    changed: Millis,
    /// Who changed it.
    changed_by: ActorView,
    /// The flags that are in it, those without a part too, and those that own a part.
    parts: Vec<Part>,
    /// The share that nobody owns.
    free: Share,
    /// What the edit that this answers does besides, such as turn a flag off for those who leave its part.
    warnings: Vec<Warning>,
}

/// What a flag has of a layer.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Part {
    /// The flag.
    flag: FlagKey,
    /// Its share. A flag in the layer without one is served to nobody.
    share: Share,
    /// Whether it is in the layer. The part of one that is not is kept for it.
    inside: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListInput {
    /// Also archived layers.
    archived: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Layers {
    /// In order of their keys.
    layers: Vec<LayerView>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "layer.list";
    const ABOUT: &'static str = "Lists the layers of mutually exclusive flags with how they are divided.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/layers");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = ListInput;
    type Output = Layers;

    fn run(app: &App, _: &Ctx, input: ListInput) -> Result<Layers, AppError> {
        let state = app.ledger.state();
        let all = input.archived.unwrap_or(false);
        let shown = state.layers.values().filter(|layer| all || !layer.value.archived);
        Ok(Layers { layers: shown.map(|layer| app.layer_view(&state, layer)).collect() })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetInput {
    /// The layer.
    layer: LayerKey,
}

pub(super) struct Get;

impl Operation for Get {
    const NAME: &'static str = "layer.get";
    const ABOUT: &'static str =
        "Shows a layer: which flag owns which part of the population, and what is free.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/layers/{layer}");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = GetInput;
    type Output = LayerView;

    fn run(app: &App, _: &Ctx, input: GetInput) -> Result<LayerView, AppError> {
        let state = app.ledger.state();
        let layer = state.layers.get(&input.layer).ok_or_else(|| app.unknown("layer", &input.layer))?;
        Ok(app.layer_view(&state, layer))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaveInput {
    /// Its key.
    layer: LayerKey,
    /// What people call it; as it is unless given, of a new one the key.
    name: Option<String>,
    /// What it divides by; as it is unless given, of a new one the user. Flags in it divide by the same.
    unit: Option<Unit>,
    /// The reason; needed where there is a production environment.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Save;

impl Operation for Save {
    const NAME: &'static str = "layer.save";
    const ABOUT: &'static str = "Makes a layer that is all free, or renames one. What is left out stays.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/layers/{layer}");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = SaveInput;
    type Output = LayerView;

    fn run(app: &App, ctx: &Ctx, input: SaveInput) -> Result<LayerView, AppError> {
        let known = app.ledger.state().layers.get(&input.layer).map(|layer| layer.value.clone());
        let mut layer = match known {
            Some(known) => known,
            None => {
                let salt = format!("layer:{}:{}", input.layer, app.entropy.text(8)?);
                let mut layer = Layer::new(input.layer, Unit::default(), &salt)?;
                layer.created = ctx.now;
                layer.name = layer.key.to_string();
                layer
            }
        };
        layer.name = input.name.unwrap_or(layer.name);
        layer.unit = input.unit.unwrap_or(layer.unit);
        app.save_layer(ctx, layer, input.why, input.if_revision)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllotInput {
    /// The layer.
    layer: LayerKey,
    /// A flag that is in it, or is to be put into it by `flag.layer` after it has its part.
    flag: FlagKey,
    /// The flag's new share of the population; 0 gives its part back.
    share: Option<Share>,
    /// Instead of a share exactly these stretches of the layer, such as `[{"from": 0, "to": 500}]` for its first 5%: an undo
    /// gives a flag back to the people who had it.
    ranges: Option<Vec<Owned>>,
    /// The reason; needed where there is a production environment.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

/// A stretch of a layer, from `from` up to but not including `to`, in basis points.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct Owned {
    /// First basis point that belongs to it.
    from: u16,
    /// First basis point after it.
    to: u16,
}

pub(super) struct Allot;

impl Operation for Allot {
    const NAME: &'static str = "layer.allot";
    const ABOUT: &'static str =
        "Gives a flag a part of a layer; growth takes what is free, and no other flag's part moves.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/layers/{layer}/shares");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = AllotInput;
    type Output = LayerView;

    fn run(app: &App, ctx: &Ctx, input: AllotInput) -> Result<LayerView, AppError> {
        let was = app.layer(&input.layer)?;
        let flag = app.flag(&input.flag)?.value;
        let layer = match (input.share, input.ranges) {
            (Some(share), None) => was.allot(&flag.key, share)?,
            (None, Some(ranges)) => {
                let ranges: Vec<(u16, u16)> = ranges.iter().map(|own| (own.from, own.to)).collect();
                was.own(&flag.key, &ranges)?
            }
            (None, None) | (Some(_), Some(_)) => {
                return Err(AppError::bad_input(
                    "a part is a `share` or `ranges`, and one of them",
                    "give `share` in basis points, such as 500 for 5%, or `ranges` as `layer.get` shows them",
                ));
            }
        };
        let edit = Edit::LayerAllotted { layer, flag: flag.key };
        let After { state, .. } = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        let warnings = advice::smaller_part(&state, &was, &input.flag).into_iter().collect();
        Ok(LayerView { warnings, ..app.layer_in(&state, &input.layer)? })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchiveInput {
    /// The layer.
    layer: LayerKey,
    /// `false` restores it; `true` unless given.
    archived: Option<bool>,
    /// The reason; needed where there is a production environment.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Archive;

impl Operation for Archive {
    const NAME: &'static str = "layer.archive";
    const ABOUT: &'static str = "Archives a layer that no flag is in, or restores it.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/layers/{layer}/archive");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = ArchiveInput;
    type Output = LayerView;

    fn run(app: &App, ctx: &Ctx, input: ArchiveInput) -> Result<LayerView, AppError> {
        let mut layer = app.layer(&input.layer)?;
        layer.archived = input.archived.unwrap_or(true);
        app.save_layer(ctx, layer, input.why, input.if_revision)
    }
}

impl App {
    fn layer(&self, key: &LayerKey) -> Result<Layer, AppError> {
        let known = self.ledger.state().layers.get(key).map(|layer| layer.value.clone());
        known.ok_or_else(|| self.unknown("layer", key))
    }

    fn save_layer(
        &self,
        ctx: &Ctx,
        layer: Layer,
        why: Option<String>,
        if_revision: Option<Revision>,
    ) -> Result<LayerView, AppError> {
        let key = layer.key.clone();
        let After { state, .. } = self.edit(ctx, Edit::LayerSaved { layer }, why, if_revision, Vec::new())?;
        self.layer_in(&state, &key)
    }

    fn layer_in(&self, state: &State, key: &LayerKey) -> Result<LayerView, AppError> {
        let saved = state.layers.get(key).ok_or_else(|| self.unknown("layer", key))?;
        Ok(self.layer_view(state, saved))
    }

    fn layer_view(&self, state: &State, layer: &Versioned<Layer>) -> LayerView {
        let of = &layer.value;
        let parts = state
            .flags
            .values()
            .map(|flag| (flag, of.share(&flag.value.key)))
            .filter(|(flag, share)| {
                *share != Share::NONE || (!flag.value.archived && flag.value.layer.as_ref() == Some(&of.key))
            })
            .map(|(flag, share)| Part {
                flag: flag.value.key.clone(),
                share,
                inside: flag.value.layer.as_ref() == Some(&of.key),
            });
        LayerView {
            parts: parts.collect(),
            free: of.free(),
            layer: of.clone(),
            revision: layer.revision,
            changed: layer.at,
            changed_by: self.actor_view(&layer.by),
            warnings: Vec::new(),
        }
    }
}
