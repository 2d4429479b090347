//! App operations: betas, groups of flags that are shown to an audience and switched as one.

use std::collections::BTreeMap;

use bellwether_ledger::{State, Versioned};
use bellwether_model::{
    Beta, BetaKey, Condition, Edit, EnvironmentKey, FlagKey, Millis, Revision, VariantKey,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::serve::After;
use super::{Class, Ctx, Effect, Method, Operation, operands};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::view::{ActorView, Warning};

/// A beta with its newest revision.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct BetaView {
    /// The beta.
    beta: Beta,
    /// Send it as `if_revision` with an edit.
    revision: Revision,
    /// When it last changed.
    changed: Millis,
    /// Who changed it.
    changed_by: ActorView,
    /// By environment, those of its flags that are off there or have no setting: nobody sees them, in the
    /// audience or not.
    dark: BTreeMap<EnvironmentKey, Vec<FlagKey>>,
    /// What whoever made the edit that this answers should know of it.
    warnings: Vec<Warning>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListInput {
    /// Also archived betas.
    archived: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Betas {
    /// In order of their keys.
    betas: Vec<BetaView>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "beta.list";
    const ABOUT: &'static str = "Lists the betas: their flags, their audience and where they are on.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/betas");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = ListInput;
    type Output = Betas;

    fn run(app: &App, _: &Ctx, input: ListInput) -> Result<Betas, AppError> {
        let state = app.ledger.state();
        let all = input.archived.unwrap_or(false);
        let shown = state.betas.values().filter(|beta| all || !beta.value.archived);
        Ok(Betas { betas: shown.map(|beta| app.beta_view(&state, beta)).collect() })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetInput {
    /// The beta.
    beta: BetaKey,
}

pub(super) struct Get;

impl Operation for Get {
    const NAME: &'static str = "beta.get";
    const ABOUT: &'static str = "Shows a beta: its flags, its audience and where it is on.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/betas/{beta}");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = GetInput;
    type Output = BetaView;

    fn run(app: &App, _: &Ctx, input: GetInput) -> Result<BetaView, AppError> {
        let state = app.ledger.state();
        let beta = state.betas.get(&input.beta).ok_or_else(|| app.unknown("beta", &input.beta))?;
        Ok(app.beta_view(&state, beta))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaveInput {
    /// Its key.
    beta: BetaKey,
    /// What people call it; as it is unless given, of a new one the key.
    name: Option<String>,
    /// What it is for; as it is unless given.
    description: Option<String>,
    /// What its audience gets of each flag, such as `{"new-checkout": "on"}`; as it is unless given, and needed for
    /// a new one.
    flags: Option<BTreeMap<FlagKey, VariantKey>>,
    /// Who takes part, groups of conditions as in a rule, such as
    /// `[[{"segment": "friends"}], [{"attribute": "plan", "op": "is", "values": ["pro"]}]]`: any group will do, and all
    /// of its conditions must hold. As it is unless given, and needed for a new one.
    audience: Option<Vec<Vec<Condition>>>,
    /// The reason; needed where the beta is on in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Save;

impl Operation for Save {
    const NAME: &'static str = "beta.save";
    const ABOUT: &'static str =
        "Makes a beta or changes it. A new one is off everywhere. What is left out stays.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/betas/{beta}");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = SaveInput;
    type Output = BetaView;

    fn run(app: &App, ctx: &Ctx, input: SaveInput) -> Result<BetaView, AppError> {
        let clauses = operands::of_groups("audience", input.audience.as_deref().unwrap_or_default());
        operands::are_meant(&clauses)?;
        let warnings = operands::no_versions(&clauses);
        let known = app.ledger.state().betas.get(&input.beta).map(|beta| beta.value.clone());
        let beta = match known {
            Some(known) => Beta {
                name: input.name.unwrap_or(known.name),
                description: input.description.unwrap_or(known.description),
                flags: input.flags.unwrap_or(known.flags),
                audience: input.audience.unwrap_or(known.audience),
                ..known
            },
            None => {
                let lacks = |what: &str, hint: &str| {
                    AppError::bad_input(format!("the new beta `{}` has no `{what}`", input.beta), hint)
                };
                Beta {
                    flags: input.flags.ok_or_else(|| {
                        lacks("flags", "give `flags`, such as `{\"new-checkout\": \"on\"}`")
                    })?,
                    audience: input.audience.ok_or_else(|| {
                        lacks("audience", "give `audience`, such as `[[{\"segment\": \"friends\"}]]`")
                    })?,
                    name: input.name.unwrap_or_else(|| input.beta.to_string()),
                    description: input.description.unwrap_or_default(),
                    on: Default::default(),
                    key: input.beta,
                    created: ctx.now,
                    archived: false,
                }
            }
        };
        let key = beta.key.clone();
        let view = app.edit_beta(ctx, &key, Edit::BetaSaved { beta }, input.why, input.if_revision)?;
        Ok(BetaView { warnings, ..view })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchInput {
    /// The beta.
    pub(super) beta: BetaKey,
    /// Where.
    pub(super) environment: EnvironmentKey,
    /// The new state.
    pub(super) on: bool,
    /// The reason; needed in production.
    pub(super) why: Option<String>,
    /// The revision that the edit is of.
    pub(super) if_revision: Option<Revision>,
}

pub(super) struct Switch;

impl Operation for Switch {
    const NAME: &'static str = "beta.switch";
    const ABOUT: &'static str =
        "Turns a beta on or off in one environment: all of its flags at once, for its audience.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/betas/{beta}/switch");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = SwitchInput;
    type Output = BetaView;

    fn run(app: &App, ctx: &Ctx, input: SwitchInput) -> Result<BetaView, AppError> {
        let SwitchInput { beta, environment, on, why, if_revision } = input;
        let edit = Edit::BetaSwitched { beta: beta.clone(), environment, on };
        app.edit_beta(ctx, &beta, edit, why, if_revision)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchiveInput {
    /// The beta.
    beta: BetaKey,
    /// `false` restores it; `true` unless given.
    archived: Option<bool>,
    /// The reason; needed where the beta is on in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Archive;

impl Operation for Archive {
    const NAME: &'static str = "beta.archive";
    const ABOUT: &'static str = "Archives a beta, so that it is shown to nobody any more, or restores it.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/betas/{beta}/archive");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = ArchiveInput;
    type Output = BetaView;

    fn run(app: &App, ctx: &Ctx, input: ArchiveInput) -> Result<BetaView, AppError> {
        let known = app.ledger.state().betas.get(&input.beta).map(|beta| beta.value.clone());
        let known = known.ok_or_else(|| app.unknown("beta", &input.beta))?;
        let beta = Beta { archived: input.archived.unwrap_or(true), ..known };
        app.edit_beta(ctx, &input.beta, Edit::BetaSaved { beta }, input.why, input.if_revision)
    }
}

impl App {
    fn edit_beta(
        &self,
        ctx: &Ctx,
        key: &BetaKey,
        edit: Edit,
        why: Option<String>,
        if_revision: Option<Revision>,
    ) -> Result<BetaView, AppError> {
        let After { state, .. } = self.edit(ctx, edit, why, if_revision, Vec::new())?;
        let saved = state.betas.get(key).ok_or_else(|| self.unknown("beta", key))?;
        Ok(self.beta_view(&state, saved))
    }

    fn beta_view(&self, state: &State, beta: &Versioned<Beta>) -> BetaView {
        let off = |environment: &EnvironmentKey, flag: &FlagKey| {
            let flag = state.flags.get(flag).filter(|flag| !flag.archived);
            flag.and_then(|flag| flag.settings.get(environment)).is_none_or(|setting| !setting.on)
        };
        let dark = state.environments.keys().filter_map(|environment| {
            let dark: Vec<FlagKey> =
                beta.value.flags.keys().filter(|flag| off(environment, flag)).cloned().collect();
            (!dark.is_empty()).then(|| (environment.clone(), dark))
        });
        BetaView {
            dark: dark.collect(),
            beta: beta.value.clone(),
            revision: beta.revision,
            changed: beta.at,
            changed_by: self.actor_view(&beta.by),
            warnings: Vec::new(),
        }
    }
}
