//! App operations: environments.

use bellwether_model::Environment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;

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
