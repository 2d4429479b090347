//! App operations: holdouts, which keep a share of the population from everything that they cover.

use bellwether_ledger::{State, Versioned};
use bellwether_model::{Covers, Edit, FlagKey, Holdout, HoldoutKey, Millis, Revision, Share, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::serve::After;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::access::Permission;
use crate::error::AppError;
use crate::view::{ActorView, Warning};
use crate::{App, advice};

/// A holdout with its newest revision and the flags that it covers.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct HoldoutView {
    /// The holdout.
    holdout: Holdout,
    /// Send it as `if_revision` with an edit.
    revision: Revision,
    /// When it last changed.
    changed: Millis,
    /// Who changed it.
    changed_by: ActorView,
    /// The flags that it covers today; archived ones are not among them. An archived holdout covers none.
    flags: Vec<FlagKey>,
    /// What whoever made the edit that this answers should know of it.
    warnings: Vec<Warning>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListInput {
    /// Also archived holdouts.
    archived: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Holdouts {
    /// In order of their keys.
    holdouts: Vec<HoldoutView>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "holdout.list";
    const ABOUT: &'static str = "Lists the holdouts with the flags that they keep people from.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/holdouts");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = ListInput;
    type Output = Holdouts;

    fn run(app: &App, _: &Ctx, input: ListInput) -> Result<Holdouts, AppError> {
        let state = app.ledger.state();
        let all = input.archived.unwrap_or(false);
        let shown = state.holdouts.values().filter(|holdout| all || !holdout.value.archived);
        Ok(Holdouts { holdouts: shown.map(|holdout| app.holdout_view(&state, holdout)).collect() })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetInput {
    /// The holdout.
    holdout: HoldoutKey,
}

pub(super) struct Get;

impl Operation for Get {
    const NAME: &'static str = "holdout.get";
    const ABOUT: &'static str = "Shows a holdout and the flags that it keeps people from.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/holdouts/{holdout}");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = GetInput;
    type Output = HoldoutView;

    fn run(app: &App, _: &Ctx, input: GetInput) -> Result<HoldoutView, AppError> {
        let state = app.ledger.state();
        let holdout =
            state.holdouts.get(&input.holdout).ok_or_else(|| app.unknown("holdout", &input.holdout))?;
        Ok(app.holdout_view(&state, holdout))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaveInput {
    /// Its key.
    holdout: HoldoutKey,
    /// What people call it; as it is unless given, of a new one the key.
    name: Option<String>,
    /// What it divides by; as it is unless given, of a new one the user.
    unit: Option<Unit>,
    /// The share that is held; as it is unless given, and needed for a new one. A larger share holds those
    /// who were held and more.
    share: Option<Share>,
    /// The flags that it covers: `{"covers": "everything"}`, `{"covers": "team", "team": "growth"}` or
    /// `{"covers": "flags", "flags": ["checkout"]}`; as it is unless given, and needed for a new one.
    covers: Option<Covers>,
    /// The reason; needed where there is a production environment.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Save;

impl Operation for Save {
    const NAME: &'static str = "holdout.save";
    const ABOUT: &'static str =
        "Keeps a share of the population from all flags, from a team's or from some. What is left out stays.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/holdouts/{holdout}");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = SaveInput;
    type Output = HoldoutView;

    fn run(app: &App, ctx: &Ctx, input: SaveInput) -> Result<HoldoutView, AppError> {
        let known = app.ledger.state().holdouts.get(&input.holdout).map(|holdout| holdout.value.clone());
        let holdout = match known {
            Some(known) => Holdout {
                name: input.name.unwrap_or(known.name),
                unit: input.unit.unwrap_or(known.unit),
                share: input.share.unwrap_or(known.share),
                covers: input.covers.unwrap_or(known.covers),
                ..known
            },
            None => {
                let lacks = |what: &str, hint: &str| {
                    AppError::bad_input(format!("the new holdout `{}` has no `{what}`", input.holdout), hint)
                };
                Holdout {
                    share: input
                        .share
                        .ok_or_else(|| lacks("share", "give `share` in basis points, such as 500 for 5%"))?,
                    covers: input.covers.ok_or_else(|| {
                        lacks("covers", "give `covers`, such as `{\"covers\": \"everything\"}`")
                    })?,
                    name: input.name.unwrap_or_else(|| input.holdout.to_string()),
                    unit: input.unit.unwrap_or_default(),
                    salt: format!("holdout:{}:{}", input.holdout, app.entropy.text(8)?),
                    key: input.holdout,
                    created: ctx.now,
                    archived: false,
                }
            }
        };
        app.save_holdout(ctx, holdout, input.why, input.if_revision)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchiveInput {
    /// The holdout.
    holdout: HoldoutKey,
    /// `false` restores it; `true` unless given.
    archived: Option<bool>,
    /// The reason; needed where there is a production environment.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Archive;

impl Operation for Archive {
    const NAME: &'static str = "holdout.archive";
    const ABOUT: &'static str = "Archives a holdout, so that it holds nobody any more, or restores it.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/holdouts/{holdout}/archive");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = ArchiveInput;
    type Output = HoldoutView;

    fn run(app: &App, ctx: &Ctx, input: ArchiveInput) -> Result<HoldoutView, AppError> {
        let known = app.ledger.state().holdouts.get(&input.holdout).map(|holdout| holdout.value.clone());
        let known = known.ok_or_else(|| app.unknown("holdout", &input.holdout))?;
        let holdout = Holdout { archived: input.archived.unwrap_or(true), ..known };
        app.save_holdout(ctx, holdout, input.why, input.if_revision)
    }
}

impl App {
    fn save_holdout(
        &self,
        ctx: &Ctx,
        holdout: Holdout,
        why: Option<String>,
        if_revision: Option<Revision>,
    ) -> Result<HoldoutView, AppError> {
        if let Covers::Flags { flags } = &holdout.covers {
            let state = self.ledger.state();
            if let Some(stranger) = flags.iter().find(|flag| !state.flags.contains_key(*flag)) {
                return Err(self.unknown("flag", stranger));
            }
        }
        let key = holdout.key.clone();
        let edit = Edit::HoldoutSaved { holdout };
        let After { state, .. } = self.edit(ctx, edit, why, if_revision, Vec::new())?;
        let saved = state.holdouts.get(&key).ok_or_else(|| self.unknown("holdout", &key))?;
        let warnings = advice::idle_holdout(&state, &saved.value).into_iter().collect();
        Ok(HoldoutView { warnings, ..self.holdout_view(&state, saved) })
    }

    fn holdout_view(&self, state: &State, holdout: &Versioned<Holdout>) -> HoldoutView {
        let flags = state.flags.values().filter(|flag| !flag.archived && holdout.value.covers(&flag.value));
        HoldoutView {
            flags: flags.map(|flag| flag.value.key.clone()).collect(),
            holdout: holdout.value.clone(),
            revision: holdout.revision,
            changed: holdout.at,
            changed_by: self.actor_view(&holdout.by),
            warnings: Vec::new(),
        }
    }
}
