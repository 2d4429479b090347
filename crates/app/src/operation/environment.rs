//! App operations: environments.

use bellwether_ledger::State;
use bellwether_model::{Bucketing, Edit, Environment, EnvironmentKey, Millis, Revision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::serve::After;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::view::ActorView;

/// No arguments.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Environments {
    /// In order of their keys.
    environments: Vec<Environment>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "environment.list";
    const ABOUT: &'static str = "Lists the environments.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/environments");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = Nothing;
    type Output = Environments;

    fn run(app: &App, _: &Ctx, _: Nothing) -> Result<Environments, AppError> {
        let state = app.ledger.state();
        Ok(Environments { environments: state.environments.values().map(|e| e.value.clone()).collect() })
    }
}

/// An environment with its newest revision.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct EnvironmentView {
    /// The environment.
    environment: Environment,
    /// Send it as `if_revision` with an edit.
    revision: Revision,
    /// When it last changed.
    changed: Millis,
    /// Who changed it.
    changed_by: ActorView,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetInput {
    /// The environment.
    environment: EnvironmentKey,
}

pub(super) struct Get;

impl Operation for Get {
    const NAME: &'static str = "environment.get";
    const ABOUT: &'static str = "Shows an environment, and the revision that an edit of it is of.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/environments/{environment}");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Instant;
    const EFFECT: Effect = Effect::Reads;
    type Input = GetInput;
    type Output = EnvironmentView;

    fn run(app: &App, _: &Ctx, input: GetInput) -> Result<EnvironmentView, AppError> {
        app.environment_view(&app.ledger.state(), &input.environment)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaveInput {
    /// The environment.
    environment: EnvironmentKey,
    /// What people call it; as it is unless given.
    name: Option<String>,
    /// Whether customers are served from it: changes there need a reason. As it is unless given.
    production: Option<bool>,
    /// Which bytes are hashed to place a unit, and so which SDKs agree with the server: `utf8` or `cbor`.
    /// As it is unless given; a change draws everybody in this environment anew.
    bucketing: Option<Bucketing>,
    /// The reason; needed in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Save;

impl Operation for Save {
    const NAME: &'static str = "environment.save";
    const ABOUT: &'static str =
        "Changes an environment's name, whether it is production, and its bucketing. What is left out stays.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/environments/{environment}");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = SaveInput;
    type Output = EnvironmentView;

    fn run(app: &App, ctx: &Ctx, input: SaveInput) -> Result<EnvironmentView, AppError> {
        let key = input.environment;
        let known = app.ledger.state().environments.get(&key).map(|known| known.value.clone());
        let known = known.ok_or_else(|| app.unknown("environment", &key))?;
        let environment = Environment {
            name: input.name.unwrap_or(known.name),
            production: input.production.unwrap_or(known.production),
            bucketing: input.bucketing.unwrap_or(known.bucketing),
            key: known.key,
        };
        let edit = Edit::EnvironmentSaved { environment };
        let After { state, .. } = app.edit(ctx, edit, input.why, input.if_revision, Vec::new())?;
        app.environment_view(&state, &key)
    }
}

impl App {
    fn environment_view(&self, state: &State, key: &EnvironmentKey) -> Result<EnvironmentView, AppError> {
        let known = state.environments.get(key).ok_or_else(|| self.unknown("environment", key))?;
        Ok(EnvironmentView {
            environment: known.value.clone(),
            revision: known.revision,
            changed: known.at,
            changed_by: self.actor_view(&known.by),
        })
    }
}
