//! App operations: what people write when they say who gets what. They give shares; the split keeps
//! its ranges.

use bellwether_ledger::{Members, Proposed, State};
use bellwether_model::{
    Condition, Edit, EnvironmentKey, FlagKey, Json, ListId, Millis, Revision, Serve, Setting, Share, Span,
    Split, Step, VariantKey, operand::instant,
};
use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer, Error as _};
use std::borrow::Cow;
use std::sync::Arc;

use super::Ctx;
use super::input::shortened;
use crate::App;
use crate::error::AppError;

/// A variant and its share in basis points.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareInput {
    /// The variant.
    pub(crate) variant: VariantKey,
    /// Its share.
    pub(crate) share: Share,
}

/// What a rule, or the default, serves.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(tag = "serve", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ServeInput {
    /// The same variant to everybody.
    Variant {
        /// That variant.
        variant: VariantKey,
    },
    /// Variants by share of the population.
    Split {
        /// The shares; they add up to 10000.
        shares: Vec<ShareInput>,
        /// The variant of those who are not enrolled; growth takes from it and moves nobody else.
        rest: Option<VariantKey>,
        /// The salt of a split of this setting keeps its ranges; without one everybody is drawn anew.
        salt: Option<String>,
    },
    /// The rollout that is there, as it is.
    Rollout {},
}

/// A condition and what it serves.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleInput {
    /// What people call it; shown as the reason.
    #[serde(default)]
    pub(crate) name: String,
    /// Any of these groups must hold; a group holds when all its clauses do.
    pub(crate) when: Vec<Vec<Condition>>,
    /// What it serves.
    pub(crate) serve: ServeInput,
}

/// Single users or devices with a variant of their own.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetInput {
    /// The variant they get.
    pub(crate) variant: VariantKey,
    /// Their ids.
    pub(crate) ids: Vec<String>,
}

/// A length of time: a number of milliseconds, or a text such as `10m`, `2h` or `1d 12h`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Length(pub(crate) Span);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(text) => {
                text.parse().map(Self).map_err(|e| D::Error::custom(format!("{}: {}", e.message, e.hint)))
            }
            other => Span::deserialize(&other).map(Self).map_err(|_| {
                D::Error::custom(format!(
                    "`{}` is no length of time: write one such as `10m`, or a whole number of milliseconds",
                    shortened(&other.to_string())
                ))
            }),
        }
    }
}

impl JsonSchema for Length {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"anyOf": [
            {"type": "integer", "format": "uint64", "minimum": 0},
            {"type": "string", "pattern": "^\\s*([0-9]+\\s*[A-Za-z]+\\s*)+$"},
        ]})
    }
}

/// A point in time: milliseconds since 1970, or a text such as `2026-11-22T18:33:00Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) Millis);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = match Json::deserialize(deserializer)? {
            Json::String(text) => instant(&text).ok_or(text),
            other => Millis::deserialize(&other).map_err(|_| other.to_string()),
        };
        // In milliseconds these lie in the first months of 1970, in seconds in our days.
        if let Ok(Millis(seconds @ 100_000_000..10_000_000_000)) = read {
            return Err(D::Error::custom(format!(
                "`{seconds}` looks like seconds: write `{}`, or the milliseconds `{seconds}000`",
                Millis(seconds * 1_000)
            )));
        }
        read.map(Self).map_err(|other| {
            D::Error::custom(format!(
                "`{}` is no point in time: write one such as `2026-11-22T18:33:00Z`, a date, or milliseconds since \
                 1970",
                shortened(&other)
            ))
        })
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"anyOf": [
            {"type": "integer", "format": "int64"},
            {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$"},
        ]})
    }
}

/// A step of a ramp.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepInput {
    /// The candidate's share, in basis points.
    share: Share,
    /// How long it is held before the next step, 90 days at most: milliseconds, or a text such as `10m`, `2h` or
    /// `1d 12h`. Of the last one it means nothing.
    #[serde(default)]
    hold: Length,
}

impl From<StepInput> for Step {
    fn from(step: StepInput) -> Self {
        Self { share: step.share, hold: step.hold.0 }
    }
}

/// The state as an edit left it, or as a rehearsed one would.
pub(crate) struct After {
    /// The state.
    pub(crate) state: Arc<State>,
    /// Lists that the edit brought; a rehearsal has not stored them.
    pub(crate) lists: Vec<(ListId, Vec<String>)>,
}

/// An edit in the name of who asks.
pub(crate) fn proposed(
    ctx: &Ctx,
    edit: Edit,
    why: Option<String>,
    if_revision: Option<Revision>,
    lists: Vec<(ListId, Members)>,
) -> Proposed {
    let why = why.unwrap_or_default().trim().to_owned();
    Proposed { by: ctx.grant.actor.clone(), why, edit, expect: if_revision, lists }
}

/// The shares in the form that the model takes.
pub(crate) fn shares(of: &[ShareInput]) -> Vec<(VariantKey, Share)> {
    of.iter().map(|s| (s.variant.clone(), s.share)).collect()
}

impl App {
    /// The serve that was asked for, with the ranges of the split that it continues.
    pub(crate) fn serve(
        &self,
        flag: &FlagKey,
        setting: &Setting,
        wanted: ServeInput,
    ) -> Result<Serve, AppError> {
        match wanted {
            ServeInput::Variant { variant } => Ok(Serve::Variant { variant }),
            ServeInput::Rollout {} => match &setting.default {
                rollout @ Serve::Rollout { .. } => Ok(rollout.clone()),
                _ => Err(AppError::conflict(
                    format!("flag `{flag}` has no rollout here"),
                    "begin one with `rollout.start`",
                )),
            },
            ServeInput::Split { shares: wanted, rest, salt } => {
                let wanted = shares(&wanted);
                let serves = setting.rules.iter().map(|r| &r.serve).chain([&setting.default]);
                let known = serves
                    .filter_map(|serve| match serve {
                        Serve::Split { split } => Some(split),
                        Serve::Variant { .. } | Serve::Rollout { .. } => None,
                    })
                    .find(|split| salt.as_deref() == Some(split.salt()) && split.rest() == rest.as_ref());
                let split = match (known, salt) {
                    (Some(split), _) => split.reshare(&wanted)?,
                    (None, Some(salt)) => Split::new(&salt, &wanted, rest.as_ref())?,
                    (None, None) => Split::new(&self.salt(flag)?, &wanted, rest.as_ref())?,
                };
                Ok(Serve::Split { split })
            }
        }
    }

    /// A salt that no other split has: everybody is drawn anew.
    pub(crate) fn salt(&self, flag: &FlagKey) -> Result<String, AppError> {
        Ok(format!("{flag}:{}", self.entropy.text(8)?))
    }

    /// One environment's setting of a flag.
    pub(crate) fn setting(&self, flag: &FlagKey, environment: &EnvironmentKey) -> Result<Setting, AppError> {
        self.served(environment)?;
        self.flag(flag)?.value.settings.remove(environment).ok_or_else(|| {
            AppError::not_found("flag in this environment", flag, "make it there with `flag.create`")
        })
    }

    /// Proposes an edit in the name of who asks, and gives the state after it. A dry run checks the
    /// same and gives the state that would be.
    pub(crate) fn edit(
        &self,
        ctx: &Ctx,
        edit: Edit,
        why: Option<String>,
        if_revision: Option<Revision>,
        lists: Vec<(ListId, Vec<String>)>,
    ) -> Result<After, AppError> {
        if ctx.dry_run {
            let brought = lists.iter().map(|(list, ids)| (list.clone(), ids.clone().into())).collect();
            let state = self.would(ctx, &proposed(ctx, edit, why, if_revision, brought))?;
            return Ok(After { state: Arc::new(state), lists });
        }
        let brought = lists.into_iter().map(|(list, ids)| (list, ids.into())).collect();
        self.propose(proposed(ctx, edit, why, if_revision, brought), ctx.now)?;
        Ok(After { state: self.ledger.state(), lists: Vec::new() })
    }

    /// The state that would be; what would be refused is refused in the same words.
    pub(crate) fn would(&self, ctx: &Ctx, proposed: &Proposed) -> Result<State, AppError> {
        let change = self.ledger.try_apply(proposed, ctx.now).map_err(|e| self.refused(e))?;
        let mut state = State::clone(&self.ledger.state());
        state.apply(&change);
        Ok(state)
    }
}
