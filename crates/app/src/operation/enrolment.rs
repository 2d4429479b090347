//! App operations: who may come into the default's split of a flag, and for how long they keep what they
//! got.

use std::borrow::Cow;
use std::num::NonZeroU32;

use bellwether_model::{Edit, Enrolment, EnvironmentKey, FlagKey, Json, Revision, Share};
use schemars::JsonSchema;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::advice;
use crate::error::AppError;
use crate::view::FlagView;

/// A limit, or the word for none: what is left out stays as it is.
#[derive(Clone, Copy)]
enum Limit<T> {
    At(T),
    Lifted,
}

/// The word that takes a limit away. It is not null, which some clients send for whatever they leave out.
const LIFTED: &str = "none";

impl<T> Limit<T> {
    fn or(wanted: Option<Self>, was: Option<T>) -> Option<T> {
        match wanted {
            None => was,
            Some(Self::At(limit)) => Some(limit),
            Some(Self::Lifted) => None,
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Limit<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(word) if word == LIFTED => Ok(Self::Lifted),
            Json::String(word) => {
                Err(D::Error::custom(format!("`{word}` is neither a number nor `{LIFTED}`")))
            }
            limit => T::deserialize(limit).map(Self::At).map_err(D::Error::custom),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Limit<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("{}Limit", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"anyOf": [generator.subschema_for::<T>(), {"const": LIFTED}]})
    }
}

#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetInput {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// The share of everybody that may be enrolled at most; as it is unless given, no limit by `"none"`.
    share: Option<Limit<Share>>,
    /// How many units may be enrolled at most, 1000000 at the most; as it is unless given, no limit by `"none"`.
    /// Of a rollout those with the candidate count. The server counts them, so that SDKs that evaluate by
    /// themselves do not get the flag.
    units: Option<Limit<u32>>,
    /// Whether a unit keeps the variant that it got first, also when an anonymous visitor signs in; as it is
    /// unless given. The server remembers it, so that SDKs that evaluate by themselves do not get the flag.
    sticky: Option<bool>,
    /// The reason; needed in production.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Set;

impl Operation for Set {
    const NAME: &'static str = "flag.enrolment";
    const ABOUT: &'static str = "Limits who may be enrolled by a flag's default, by share and by number, and whether they keep their variant. A default that divides nobody may have limits: they hold from when it does, and the answer warns until then. What is left out stays.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/flags/{flag}/enrolment");
    const NEEDS: Permission = Permission::Edit;
    // It reads what is recorded before it writes, and nobody else who writes waits for that.
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Changes;
    type Input = SetInput;
    type Output = FlagView;

    fn run(app: &App, ctx: &Ctx, input: SetInput) -> Result<FlagView, AppError> {
        let SetInput { flag, environment, share, units, sticky, why, if_revision } = input;
        if matches!(units, Some(Limit::At(0))) {
            return Err(AppError::bad_input(
                "in `units`: a limit of `0` lets nobody in",
                "turn the flag off, or give `units` as `\"none\"` for no limit",
            ));
        }
        loop {
            let known = app.flag(&flag)?.revision;
            let was = app.setting(&flag, &environment)?.enrolment;
            let enrolment = Enrolment {
                share: Limit::or(share, was.share),
                units: Limit::or(units, was.units.map(NonZeroU32::get)).and_then(NonZeroU32::new),
                sticky: sticky.unwrap_or(was.sticky),
            };
            let remembers = enrolment.remembers();
            let prepared = match remembers && !ctx.dry_run {
                true => app.prepare_register(&environment, &flag, ctx.now, &|| ctx.stop())?,
                false => None,
            };
            let _editing = app.editing();
            if app.flag(&flag)?.revision != known {
                // Somebody was faster, and what stays is what they have left.
                continue;
            }
            let edit = Edit::EnrolmentSet { flag: flag.clone(), environment: environment.clone(), enrolment };
            let edit = || app.edit(ctx, edit, why, if_revision, Vec::new());
            let after = app.with_prepared(prepared, edit)?;
            // Before anybody lets it remember again, whose memory this must not be.
            if !remembers && !ctx.dry_run {
                app.forget_enrolled(&environment, &flag)?;
            }
            let view = app.flag_after(&after, &flag)?;
            return Ok(view.warned(advice::idle_limits(&after.state, &flag, &environment)));
        }
    }
}
