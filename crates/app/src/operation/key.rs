//! App operations: API keys, and how many events each may bring. A secret is shown once; its hash is what stays.

use std::num::NonZeroU32;

use bellwether_ledger::{NewKey, Scope};
use bellwether_model::{EnvironmentKey, Millis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Nothing;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::{Permission, digest};
use crate::error::AppError;

/// What a key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScopeName {
    /// Public: sends events and gets answers for one context.
    Client,
    /// For servers: also gets the rules.
    Server,
    /// For programs that manage Bellwether: every operation, no SDK doors.
    Admin,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct KeyView {
    /// Its id, which is not its secret.
    id: String,
    /// What people call it.
    name: String,
    /// What it opens.
    scope: ScopeName,
    /// The environment it belongs to; absent for `admin`.
    environment: Option<EnvironmentKey>,
    /// How many events a second it may bring, on the average of 30 seconds; absent where it is as many as its
    /// environment takes.
    events_per_second: Option<NonZeroU32>,
    /// When it was made.
    created: Millis,
    /// When it was revoked.
    revoked: Option<Millis>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Keys {
    /// Newest first.
    keys: Vec<KeyView>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "key.list";
    const ABOUT: &'static str = "Lists API keys without their secrets.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/keys");
    const NEEDS: Permission = Permission::Admin;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = Nothing;
    type Output = Keys;

    fn run(app: &App, _: &Ctx, _: Nothing) -> Result<Keys, AppError> {
        let keys = app.ledger.people().keys()?;
        let view = |k: bellwether_ledger::ApiKey| KeyView {
            scope: match k.scope {
                Scope::Client => ScopeName::Client,
                Scope::Server => ScopeName::Server,
                Scope::Admin => ScopeName::Admin,
            },
            id: k.id,
            name: k.name,
            environment: k.environment,
            events_per_second: k.events_per_second,
            created: k.created,
            revoked: k.revoked,
        };
        Ok(Keys { keys: keys.into_iter().rev().map(view).collect() })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateInput {
    /// What people will call it.
    name: String,
    /// What it opens.
    scope: ScopeName,
    /// The environment it belongs to: needed for `client` and `server`, not for `admin`.
    environment: Option<EnvironmentKey>,
    /// How many events a second it may bring, on the average of 30 seconds; as many as its environment takes unless
    /// given. Not for `admin`, which brings none.
    #[schemars(range(min = 1))]
    events_per_second: Option<u32>,
}

/// A rate that was asked for.
fn rate(asked: Option<u32>) -> Result<Option<NonZeroU32>, AppError> {
    let none = || {
        AppError::bad_input(
            "a key may bring at least 1 event a second, and `events_per_second` is `0`",
            "leave it out for as many as its environment takes; revoke a key that shall bring none",
        )
    };
    asked.map(|asked| NonZeroU32::new(asked).ok_or_else(none)).transpose()
}

/// Refuses a rate for a key that brings no events.
fn brings(scope: Scope, rate: Option<NonZeroU32>) -> Result<(), AppError> {
    if scope == Scope::Admin && rate.is_some() {
        return Err(AppError::bad_input(
            "an `admin` key brings no events, so it has no rate",
            "leave `events_per_second` out, or limit the `client` or `server` key that sends",
        ));
    }
    Ok(())
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Created {
    /// Its id, which is not its secret.
    id: String,
    /// The secret. It is shown this once; a rehearsal makes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

pub(super) struct Create;

impl Operation for Create {
    const NAME: &'static str = "key.create";
    const ABOUT: &'static str = "Makes an API key and shows its secret once.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/keys");
    const NEEDS: Permission = Permission::Admin;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = CreateInput;
    type Output = Created;

    fn run(app: &App, ctx: &Ctx, input: CreateInput) -> Result<Created, AppError> {
        let name = input.name.trim();
        if name.is_empty() || name.chars().count() > 100 {
            return Err(AppError::bad_input(
                "a key needs a name of 1 to 100 characters",
                "say what it is for",
            ));
        }
        let (scope, mark) = match (input.scope, &input.environment) {
            (ScopeName::Admin, None) => (Scope::Admin, "a"),
            (ScopeName::Admin, Some(environment)) => {
                return Err(AppError::bad_input(
                    format!("an `admin` key belongs to no environment, not to `{environment}`"),
                    "leave `environment` out",
                ));
            }
            (_, None) => {
                return Err(AppError::bad_input(
                    "an SDK key belongs to one environment, and none is given",
                    "give `environment`, such as `production`",
                ));
            }
            (ScopeName::Client, Some(_)) => (Scope::Client, "c"),
            (ScopeName::Server, Some(_)) => (Scope::Server, "s"),
        };
        if let Some(environment) = &input.environment {
            app.served(environment)?;
        }
        let events_per_second = rate(input.events_per_second)?;
        brings(scope, events_per_second)?;
        let (id, secret) = (app.random_id()?, format!("bw{mark}_{}", app.random_secret()?));
        if !ctx.dry_run {
            let new = NewKey {
                id: &id,
                name,
                scope,
                environment: input.environment.as_ref(),
                events_per_second,
                secret_hash: &digest(&secret),
                created_by: &ctx.grant.actor,
            };
            app.ledger.people().create_key(&new, ctx.now)?;
            app.known.key_made(&id, name);
        }
        Ok(Created { id, secret: Some(secret).filter(|_| !ctx.dry_run) })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitInput {
    /// The key's id.
    key: String,
    /// How many events a second it may bring, on the average of 30 seconds; as many as its environment takes unless
    /// given.
    #[schemars(range(min = 1))]
    events_per_second: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Limited {
    /// How many events a second it may bring from now on; absent where it is as many as its environment takes.
    events_per_second: Option<NonZeroU32>,
}

pub(super) struct Limit;

impl Operation for Limit {
    const NAME: &'static str = "key.limit";
    const ABOUT: &'static str = "Says how many events a second a key may bring, from its next request on.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/keys/{key}/limit");
    const NEEDS: Permission = Permission::Admin;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = LimitInput;
    type Output = Limited;

    fn run(app: &App, ctx: &Ctx, input: LimitInput) -> Result<Limited, AppError> {
        let events_per_second = rate(input.events_per_second)?;
        let people = app.ledger.people();
        let Some(key) = people.keys()?.into_iter().find(|k| k.id == input.key) else {
            return Err(unknown(&input.key));
        };
        brings(key.scope, events_per_second)?;
        if key.revoked.is_some() {
            return Err(AppError::conflict(
                format!("the key `{}` was revoked and brings nothing", key.id),
                "make another one with `key.create`",
            ));
        }
        if !ctx.dry_run {
            people.limit_key(&key.id, events_per_second)?;
            app.known.key_altered();
        }
        Ok(Limited { events_per_second })
    }
}

fn unknown(key: &str) -> AppError {
    AppError::not_found("key", key, "`key.list` shows what there is")
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeInput {
    /// The key's id.
    key: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Revoked {
    /// Since when it opens nothing.
    revoked: Millis,
}

pub(super) struct Revoke;

impl Operation for Revoke {
    const NAME: &'static str = "key.revoke";
    const ABOUT: &'static str = "Revokes an API key at once and for good.";
    const ROUTE: (Method, &'static str) = (Method::Delete, "/api/keys/{key}");
    const NEEDS: Permission = Permission::Admin;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Destroys;
    type Input = RevokeInput;
    type Output = Revoked;

    fn run(app: &App, ctx: &Ctx, input: RevokeInput) -> Result<Revoked, AppError> {
        let people = app.ledger.people();
        if !people.keys()?.iter().any(|k| k.id == input.key) {
            return Err(unknown(&input.key));
        }
        if !ctx.dry_run {
            people.revoke_key(&input.key, ctx.now)?;
            app.known.key_revoked(&input.key);
            app.rates.forget(&input.key);
            // Streams that it opened end.
            (app.wake)();
        }
        Ok(Revoked { revoked: ctx.now })
    }
}
